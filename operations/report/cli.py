"""`groundwork report`: files in, a comment out. Exit code 3 where data would be lost that nobody acknowledged."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from operations.exits import refuse
from operations.platform import JsonFormatOption
from operations.report import findings, safe
from operations.report.comment import comment
from operations.report.preview import Preview, Unreadable, read
from operations.report.report import Report, build

BLOCKED = 3


class Format(StrEnum):
    MARKDOWN = "markdown"
    JSON = "json"


def command(
    preview: Annotated[
        Path, typer.Option(help="What `pulumi preview --json` (best with --show-sames) wrote.")
    ],
    events: Annotated[
        Path | None, typer.Option(help="What its --event-log wrote: the policies' findings.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="The system's name; else what the preview's settings say.")
    ] = None,
    stack: Annotated[str | None, typer.Option(help="The stack's name; else what the preview says.")] = None,
    acknowledge: Annotated[
        str,
        typer.Option(
            envvar="GROUNDWORK_ACKNOWLEDGE", help="The text of the pull request: description, labels."
        ),
    ] = "",
    acknowledge_file: Annotated[Path | None, typer.Option(help="The same, from a file.")] = None,
    format: Annotated[
        Format, typer.Option(help="The comment, or its content for programs.")
    ] = Format.MARKDOWN,
    json_output: JsonFormatOption = False,
    output: Annotated[Path | None, typer.Option(help="Where it goes, instead of standard output.")] = None,
    diff: Annotated[
        Path | None, typer.Option(help="Writes every changed input here, secrets hidden.")
    ] = None,
) -> None:
    """Make one comment of what a preview changes: what is lost, the cost, the policies, the time and the risk.

    Who makes something with data replaced or destroyed acknowledges it in the pull request, with a line
    `groundwork: replace NAME` or `groundwork: destroy NAME`; NAME is a resource's name or URN.

    \b
    Exit code
      0  nothing with data is lost, or all of it is acknowledged
      2  a file is not what it should be
      3  something with data would be lost, and nobody has acknowledged it; the comment is written all the same

    \b
    Example
      pulumi preview --json --show-sames > preview.json && groundwork report --preview preview.json
    """
    said = [acknowledge, _text(acknowledge_file) if acknowledge_file else ""]
    report = build(
        _preview(preview), _log(events), system=system, stack=stack, acknowledged="\n\n".join(said)
    )
    if diff:
        diff.write_text(safe.full_diff(report.preview), encoding="utf-8")
    is_json = json_output or format is Format.JSON
    text = as_json(report) if is_json else comment(report, diff=diff.name if diff else None)
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        typer.echo(text, nl=False)
    if report.is_blocked:
        raise typer.Exit(BLOCKED)


def as_json(report: Report) -> str:
    """The content of the comment for programs; no input's value is in it."""
    price = report.costs
    content: dict[str, Any] = {
        "system": report.system,
        "stack": report.stack,
        "blocked": report.is_blocked,
        "changes": dict(report.preview.counts),
        "errors": [safe.text(message) for message in report.preview.errors],
        "losses": [asdict(item) | {"stateful": item.stateful} for item in report.losses.items],
        "idle_acknowledgements": list(report.losses.idle),
        "cost": asdict(price)
        | {"delta": round(price.delta, 2), "delta_range": [round(end, 2) for end in price.delta_range]},
        "policies": asdict(report.findings) if report.findings else None,
        "risk": asdict(report.risk) | {"seconds": list(report.risk.seconds)},
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _preview(path: Path) -> Preview:
    try:
        return read(_text(path))
    except Unreadable as problem:
        refuse(f"{path} {problem}.")


def _log(path: Path | None) -> findings.Log | None:
    if path is None:
        return None
    try:
        return findings.read(_text(path))
    except Unreadable as problem:
        refuse(f"{path} {problem}.")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        refuse(f"{path} cannot be read: {error.strerror}.")
    except UnicodeDecodeError:
        refuse(f"{path} is no UTF-8 text.")
