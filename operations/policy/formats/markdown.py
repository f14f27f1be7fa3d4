"""For a pull request's comment or a job's summary: a table of the stacks, then what each has to mend."""

import re
from collections.abc import Iterator, Sequence

from operations.policy.catalogue import Rule
from operations.policy.findings import FailOn, Finding, Judgement
from operations.policy.formats import words
from operations.show import duration

SHOWN_RESOURCES = 12


def render(judgements: Sequence[Judgement], rules: Sequence[Rule], fail_on: FailOn) -> str:
    return "\n".join(_lines(judgements, rules, fail_on)) + "\n"


def _lines(judgements: Sequence[Judgement], rules: Sequence[Rule], fail_on: FailOn) -> Iterator[str]:
    yield "## Policies"
    yield ""
    yield f"**{words.verdict(judgements, fail_on)}**"
    yield ""
    yield from table(
        ["stack", "outcome", "took"],
        [
            [f"{each.stack.system} {each.stack.name}", words.outcome(each), duration(each.seconds)]
            for each in judgements
        ],
    )
    for each in judgements:
        yield ""
        yield from _stack(each, rules)


def _stack(judgement: Judgement, rules: Sequence[Rule]) -> Iterator[str]:
    yield f"### {judgement.stack}"
    yield ""
    if judgement.problem:
        # Indented, so that nothing that the engine said is taken for markdown.
        yield from (f"    {line}" for line in judgement.problem.splitlines())
        return
    yield f"{words.tally(judgement, rules)}."
    if judgement.findings:
        yield ""
        rows = [_row(findings) for _, findings in words.by_rule(judgement.findings)]
        yield from table(["severity", "rule", "found", "how to fix"], rows)
    if judgement.exempted:
        yield ""
        yield from _folded(
            f"{words.count(len(judgement.exempted), 'exemption')} in force",
            table(
                ["rule", "resource", "found", "until", "owner", "reason"],
                [
                    [
                        f"`{each.rule}`",
                        f"`{each.resource}`",
                        *map(cell, (each.found, each.expires, each.owner, each.reason)),
                    ]
                    for each in judgement.exempted
                ],
            ),
        )
    if judgement.waiting:
        yield ""
        yield from _folded(
            f"{words.count(judgement.waiting_checks, 'check')} not evaluated: values that only `pulumi up` will know",
            table(
                ["value", "of", "rules"],
                [
                    [f"`{each.value}`", ", ".join(each.resources), ", ".join(each.rules)]
                    for each in judgement.waiting
                ],
            ),
        )
    if judgement.remediated:
        yield ""
        yield from _folded(
            f"{words.count(len(judgement.remediated), 'resource')} remediated by the pack",
            table(
                ["rule", "resource"],
                [[f"`{each.rule}`", f"`{each.resource}`"] for each in judgement.remediated],
            ),
        )


def _row(findings: Sequence[Finding]) -> list[str]:
    first = findings[0]
    found = "<br>".join(
        f"{cell(said)} {_named(resources)}" for said, resources in words.alike(findings).items()
    )
    places = ", ".join(sorted({f"`{each.place}`" for each in findings}))
    severity = f"{first.severity}, advisory" if not first.mandatory else first.severity
    return [severity, f"`{first.rule}`<br>{cell(first.what)}", found, f"{cell(first.remedy)} {places}"]


def _named(resources: Sequence[str]) -> str:
    more = len(resources) - SHOWN_RESOURCES
    shown = ", ".join(f"`{resource}`" for resource in resources[:SHOWN_RESOURCES])
    return f"({shown} and {more} more)" if more > 0 else f"({shown})"


def _folded(summary: str, lines: Iterator[str]) -> Iterator[str]:
    yield f"<details><summary>{summary}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_one_line(content) for content in row)} |"


def cell(text: str) -> str:
    """Text as markdown shows it as it is: outside of its code, no tag, no link, no emphasis and no mention."""
    parts = text.split("`") if text.count("`") % 2 == 0 else [text.replace("`", "'")]
    return "`".join(part if number % 2 else _plain(part) for number, part in enumerate(parts))


def _plain(text: str) -> str:
    # An address is no mention: only an @ that begins a word calls somebody.
    calm = re.sub(r"(?<!\w)@", "@\N{ZERO WIDTH SPACE}", text)
    return re.sub(r"[\[\]*]", r"\\\g<0>", calm).replace("<", "&lt;")


def _one_line(content: str) -> str:
    """A bar would begin another cell, a line break end the table."""
    return " ".join(content.replace("|", r"\|").split())
