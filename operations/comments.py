"""`groundwork comment`: the reports of several stacks as the one comment of a pull request."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from operations.exits import refuse
from operations.platform import JsonOption
from operations.show import as_text

# By this line the pipeline finds its own comment again, and updates it.
MARKER = "<!-- groundwork -->"
# GitHub takes 65,536 characters; some are left for who posts it.
LIMIT = 64_000
FOLDED = "<details"


def short(text: str) -> str:
    """What a report says before its first folded section: the summary."""
    return text.partition(FOLDED)[0].rstrip()


def joined(reports: Mapping[str, str], missing: Sequence[str], run_url: str, limit: int = LIMIT) -> str:
    """One comment of at most `limit` characters: every stack's summary, and as many whole reports as there is room for.

    `missing` are stacks whose preview ended before its report was made.
    """
    more = f"The whole of it is an artifact of [the run]({run_url})."
    blocks = {name: f"{short(text)}\n\n{more}" for name, text in reports.items()}
    lines = [
        f"**{name}**: the preview stopped before its report; [the run]({run_url}) says why."
        for name in missing
    ]
    if not reports and not missing:
        lines.append("No stack is affected by this pull request.")

    def whole() -> str:
        return "\n\n".join([MARKER, *lines, *blocks.values()]) + "\n"

    for name, text in reports.items():
        before, blocks[name] = blocks[name], text.strip()
        if len(whole()) > limit:
            blocks[name] = before
    for name in reversed(list(reports)):
        if len(whole()) > limit:
            blocks[name] = f"**{name}**: there is no room left here. {more}"
    return whole()


def comment(
    reports: Annotated[Path, typer.Argument(help="A folder with <stack>.md for each stack.")],
    output: Annotated[Path, typer.Option(help="Where the comment goes.")],
    run_url: Annotated[str, typer.Option(help="Address of the run whose artifacts hold the whole reports.")],
    expect: Annotated[
        list[str] | None, typer.Option(help="A stack that should have a report; may be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Join the reports of several stacks (`groundwork report`) into one comment that GitHub takes.

    \b
    Example
      groundwork comment reports --expect prod --expect staging --run-url "$RUN_URL" --output comment.md
    """
    if not reports.is_dir():
        refuse(f"{reports} is no folder: it should hold <stack>.md of each stack.")
    found = {path.stem: path.read_text(encoding="utf-8") for path in sorted(reports.glob("*.md"))}
    wanted = expect or list(found)
    ordered = {name: found[name] for name in [*wanted, *found] if name in found}
    missing = [name for name in wanted if name not in found]
    output.write_text(joined(ordered, missing, run_url), encoding="utf-8")
    if as_json:
        typer.echo(as_text({"output": str(output), "reports": list(ordered), "missing": missing}))
