"""For people: what is broken and how to mend it, the gravest first; then what is exempt and what is not known yet."""

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from operations.policy.catalogue import Rule
from operations.policy.findings import FailOn, Finding, Judgement
from operations.policy.formats import words
from operations.show import duration

STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
SHOWN_RESOURCES = 12


def show(console: Console, judgements: Sequence[Judgement], rules: Sequence[Rule], fail_on: FailOn) -> None:
    for judgement in judgements:
        _stack(console, judgement, rules)
        console.print()
    if len(judgements) > 1:
        console.print(_overview(judgements, rules))
        console.print()
    failed = any(each.problem or each.counted(fail_on) for each in judgements)
    line(console, Text(words.verdict(judgements, fail_on), "bold red" if failed else "bold green"))


def _stack(console: Console, judgement: Judgement, rules: Sequence[Rule]) -> None:
    took = f" ({words.count(judgement.resources, 'resource')}, {duration(judgement.seconds)})"
    line(console, Text.assemble((f"{judgement.stack}: {words.outcome(judgement)}", "bold"), (took, "dim")))
    if judgement.problem:
        line(console, Text(judgement.problem, "red"), indent=2)
        return
    line(console, Text(f"{words.tally(judgement, rules)}.", "dim"), indent=2)
    for _, findings in words.by_rule(judgement.findings):
        console.print()
        _rule(console, findings)
    if judgement.exempted:
        console.print()
        line(console, Text("Exemptions in force", "bold"), indent=2)
        for each in judgement.exempted:
            heading = Text.assemble((each.rule, "bold"), f"  {each.resource}: {each.found}")
            line(console, heading, indent=4)
            line(console, Text(f"Exempt {words.grant(each)}.", "dim"), indent=6)
    if judgement.waiting:
        console.print()
        checks = words.count(judgement.waiting_checks, "check")
        heading = f"Not evaluated: {checks} of values that only `pulumi up` will know"
        line(console, Text(heading, "bold"), indent=2)
        for each in judgement.waiting:
            line(console, Text(words.waits(each), "dim"), indent=4)
    if judgement.remediated:
        console.print()
        line(console, Text("Remediated by the pack", "bold"), indent=2)
        for each in judgement.remediated:
            line(console, Text(f"{each.rule}  {each.resource}"), indent=4)


def _rule(console: Console, findings: Sequence[Finding]) -> None:
    first = findings[0]
    style = STYLES.get(first.severity, "red")
    heading = Text.assemble(
        (f"{first.severity or 'of no severity'}, {first.level}", style),
        "  ",
        (first.rule, "bold"),
        f"  {first.what}",
    )
    line(console, heading, indent=2)
    for found, resources in words.alike(findings).items():
        line(console, Text(found), indent=4)
        line(console, Text(_named(resources), "dim"), indent=6)
    places = sorted({str(found.place) for found in findings})
    if first.remedy:
        line(
            console,
            Text.assemble(("Fix: ", "bold"), f"{first.remedy} ", (f"({', '.join(places)})", "dim")),
            indent=4,
        )


def _named(resources: Sequence[str]) -> str:
    more = len(resources) - SHOWN_RESOURCES
    return ", ".join(resources[:SHOWN_RESOURCES]) + (f" and {more} more" if more > 0 else "")


def _overview(judgements: Sequence[Judgement], rules: Sequence[Rule]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Stack")
    for name in ("passed", "broken", "findings", "exempt", "not evaluated", "took"):
        table.add_column(name, justify="right")
    for each in judgements:
        broken = str(len({found.rule for found in each.findings}))
        cells = [str(each.statuses(rules)["passed"]), broken, str(len(each.findings))]
        cells += [str(len(each.exempted)), str(each.waiting_checks)]
        cells = ["-"] * len(cells) if each.problem else cells
        table.add_row(each.stack.name, *cells, duration(each.seconds))
    return table


def line(console: Console, text: Text, indent: int = 0) -> None:
    """In a terminal wrapped under its indent; in a log each line is whole, so that one can search it."""
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent), expand=False))
    else:
        console.print(Text(" " * indent) + text, soft_wrap=True)
