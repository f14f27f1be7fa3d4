"""`groundwork policy`: the policy pack on stacks, without an account; and what its rules are."""

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from operations.exits import refuse
from operations.platform import JsonFormatOption
from operations.policy import catalogue, listing, run, stacks
from operations.policy.catalogue import Rule, Severity
from operations.policy.findings import FailOn, Judgement, exit_code
from operations.policy.formats import as_json, junit, markdown, sarif, text, words
from operations.show import duration

ROOT = Path(__file__).resolve().parent.parent.parent
RENDERERS = {
    "json": as_json.render,
    "sarif": sarif.render,
    "junit": junit.render,
    "markdown": markdown.render,
}

app = typer.Typer(no_args_is_help=True, help="Judge stacks by the policy pack, and list its rules.")


@app.command()
def check(
    system: Annotated[
        str, typer.Option(envvar="SYSTEM", help="The product, by its folder below systems/.")
    ] = "rentalfix",
    stack: Annotated[
        list[str] | None, typer.Option(help="A stack of it; may be repeated. Left out: every stack.")
    ] = None,
    format: Annotated[
        Literal["text", "json", "sarif", "junit", "markdown"], typer.Option(help="How the report is written.")
    ] = "text",
    json_output: JsonFormatOption = False,
    fail_on: Annotated[
        FailOn,
        typer.Option(
            help="What makes the check fail: findings of this severity and above, advisory or not; or the mandatory "
            "ones, which `pulumi up` would refuse; or nothing."
        ),
    ] = "mandatory",
    output: Annotated[Path | None, typer.Option(help="Write the report here, not to the terminal.")] = None,
) -> None:
    """Judge stacks by the policies alone: no account, no emulator, nothing is made or changed.

    Each stack is previewed offline, with its own configuration of the policies. A finding that is exempt is shown
    and does not count; what only `pulumi up` can know is listed as not evaluated.

    \b
    Exit code
      0  nothing that --fail-on counts
      1  findings that it counts
      2  a stack could not be judged: its settings are refused, or the engine is missing

    \b
    Examples
      groundwork policy check                                  every stack of RentalFix
      groundwork policy check --system fixrx --stack prod      one stack
      groundwork policy check --fail-on high                   fail on high and critical ones only
      groundwork policy check --format sarif --output policies.sarif --fail-on never
      groundwork policy check --format markdown >> "$GITHUB_STEP_SUMMARY"
    """
    began = time.monotonic()
    try:
        chosen = stacks.choose(ROOT, system, stack or [])
    except stacks.Unknown as unknown:
        refuse(str(unknown))
    if output and not output.parent.is_dir():
        refuse(
            f"There is no folder {output.parent} to write {output.name} into. Make it, or name another file."
        )
    rules = rules_or_refusal()
    judgements = judge(chosen, rules)
    write(judgements, rules, fail_on, "json" if json_output else format, output)
    progress = Console(stderr=True, highlight=False)
    if output:
        progress.print(f"{words.verdict(judgements, fail_on)} The report is in {output}.", soft_wrap=True)
    progress.print(f"Took {duration(time.monotonic() - began)}.")
    raise typer.Exit(exit_code(judgements, fail_on))


def judge(chosen: Sequence[stacks.Stack], rules: Sequence[Rule]) -> list[Judgement]:
    """As many stacks at once as there are processors; which they are is said on standard error."""
    progress = Console(stderr=True, highlight=False)
    by_id = {rule.id: rule for rule in rules}
    names = ", ".join(each.name for each in chosen)
    said = f"Previewing {chosen[0].system} offline: {names} (some ten seconds each)"
    moving = progress.status(said) if progress.is_terminal else contextlib.nullcontext()
    if not progress.is_terminal:
        progress.print(said, soft_wrap=True)
    with moving, ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(lambda each: run.judge(ROOT, each, by_id), chosen))


def write(
    judgements: Sequence[Judgement], rules: Sequence[Rule], fail_on: FailOn, format: str, output: Path | None
) -> None:
    if format != "text":
        emit(RENDERERS[format](judgements, rules, fail_on), output)
    elif output:
        with output.open("w", encoding="utf-8") as file:
            text.show(Console(file=file, highlight=False), judgements, rules, fail_on)
    else:
        text.show(Console(highlight=False), judgements, rules, fail_on)


@app.command("list")
def list_rules(
    rule: Annotated[list[str] | None, typer.Argument(help="Rules by their id; left out: all.")] = None,
    format: Annotated[
        Literal["text", "json", "markdown"], typer.Option(help="How the list is written.")
    ] = "text",
    json_output: JsonFormatOption = False,
    severity: Annotated[
        list[Severity] | None, typer.Option(help="Of this severity; may be repeated.")
    ] = None,
    framework: Annotated[
        list[str] | None,
        typer.Option(help="Of fsbp, cis or checkov, or by one of their ids; may be repeated."),
    ] = None,
    checklist: Annotated[
        list[str] | None,
        typer.Option(help="For an item of the products' checklist, C1 to C83; may be repeated."),
    ] = None,
    topic: Annotated[
        list[str] | None, typer.Option(help="A file of policies/: database, edge, ...; may be repeated.")
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="A line for each rule.")] = False,
) -> None:
    """What each rule asks for, why, how to fix it, and whose rule it is besides.

    \b
    Examples
      groundwork policy list --brief
      groundwork policy list rds-encrypted
      groundwork policy list --severity critical --framework cis
      groundwork policy list --framework CKV_AWS_16
      groundwork policy list --format json --topic database
    """
    rules = rules_or_refusal()
    known = {each.id for each in rules}
    for name in rule or []:
        if name not in known:
            refuse(stacks.unknown("rule", name, sorted(known)))
    found = catalogue.matching(
        rules,
        ids=rule or (),
        severities=severity or (),
        frameworks=framework or (),
        checklist=checklist or (),
        topics=topic or (),
    )
    if json_output or format == "json":
        emit(listing.as_json(found))
    elif format == "markdown":
        emit(listing.as_markdown(found))
    else:
        listing.show(Console(highlight=False), found, total=len(rules), brief=brief)


def rules_or_refusal() -> list[Rule]:
    try:
        return catalogue.load(ROOT)
    except catalogue.Unavailable as unavailable:
        refuse(str(unavailable))


def emit(document: str, output: Path | None = None) -> None:
    """As it is: no console may wrap a document for programs."""
    if output:
        output.write_text(document, encoding="utf-8")
    else:
        sys.stdout.write(document)
