"""docs/policy-mutations.md: every rule against what the products declare, in figures."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from catalogue import RULES

from tests.mutations.figures import Figures
from tests.mutations.offences import NEVER_APPLIED
from tests.program import ROOT

PATH = ROOT / "docs" / "policy-mutations.md"

HEAD = """\
# Every rule against what the products declare

Written by `python -m tests.mutations` from what the tests measure; do not change it by hand, a test keeps it current.

Each rule of the [policy pack](../policies/README.md) is broken in the resources that it is about, in each stack as it
is really declared; of resources that are alike in one (`tests/mutations/sampling.py`). It is broken by the offences of
`tests/policy_examples.py`, carried over to that resource, and where it is about more than one resource by
`tests/mutations/breaches/`. Such a mutant is *caught* when its rule says so of that resource, and no other rule says
anything new. The stack's own configuration of the pack counts, and everything is known, as after `pulumi up`. Then a
preview judges it, where what other resources give is not known: it finds the mutant, or says that it waits.
"""

NOTE = """\
On Kubernetes, by target groups and by Ingress, only what differs from production on Fargate is broken once more. What
is said of staging as it stands is advice, by rules that its configuration relaxes for the most part.
"""


def text(found: Mapping[str, Figures]) -> str:
    parts = (_stacks, _rules, _two_at_once, _never_broken, _unapplied)
    return "\n".join([HEAD, *(line for part in parts for line in part(found))])


def _stacks(found: Mapping[str, Figures]) -> Iterator[str]:
    yield "## Stack by stack\n"
    yield (
        "| stack | resources | rules broken | mutants | caught | missed | another rule too | found in a preview "
        "| waiting there | passed over | not applicable | said of the stack as it stands |"
    )
    yield f"| --- |{' --: |' * 10} --- |"
    for stack, figures in found.items():
        yield _row(
            stack, *_counts(figures), ", ".join(f"`{rule}`" for (rule,) in figures["findings"]) or "nothing"
        )
    sums = [sum(column) for column in zip(*map(_counts, found.values()), strict=True)]
    sums[1] = len(_broken(found))
    yield _row("**all**", *sums, "")
    yield f"\n{NOTE}"


def _counts(figures: Figures) -> list[int]:
    rules = figures["rules"]
    made, caught, previewed, waiting = (sum(column) for column in zip(*rules.values(), strict=True))
    return [
        figures["resources"][()],
        len({rule for rule, _ in rules}),
        made,
        caught,
        made - caught,
        figures["others"].get((), 0),
        previewed,
        waiting,
        made - previewed - waiting,
        sum(figures["unapplied"].values()),
    ]


def _rules(found: Mapping[str, Figures]) -> Iterator[str]:
    systems = list(dict.fromkeys(stack.partition(" ")[0] for stack in found))
    yield "## Rule by rule\n\nMutants caught in all stacks of a product; `of` is how many there were, if more.\n"
    yield _row("rule", *systems, "all")
    yield f"| --- |{' --: |' * (len(systems) + 1)}"
    for rule in sorted(_broken(found)):
        of = {system: _made_and_caught(found, rule, f"{system} ") for system in systems}
        yield _row(f"`{rule}`", *map(_caught, of.values()), _caught(_made_and_caught(found, rule, "")))
    yield ""


def _made_and_caught(found: Mapping[str, Figures], rule: str, stacks: str) -> tuple[int, int]:
    counts = [
        count
        for stack, figures in found.items()
        for (of, _), count in figures["rules"].items()
        if of == rule and stack.startswith(stacks)
    ]
    return sum(count[0] for count in counts), sum(count[1] for count in counts)


def _caught(counts: tuple[int, int]) -> str:
    made, caught = counts
    return "–" if not made else str(caught) if made == caught else f"{caught} of {made}"


def _broken(found: Mapping[str, Figures]) -> set[str]:
    return {rule for figures in found.values() for rule, _ in figures["rules"]}


def _two_at_once(found: Mapping[str, Figures]) -> Iterator[str]:
    yield "## Two offences at once\n\nWhere another rule rightly has something to say, too.\n"
    yield "| rule | the other | because | mutants |\n| --- | --- | --- | --: |"
    for (rule, other, because), count in _together(found, "also").items():
        yield _row(f"`{rule}`", f"`{other}`", because, count)
    yield ""


def _never_broken(found: Mapping[str, Figures]) -> Iterator[str]:
    yield "## Never broken\n"
    yield "No stack declares what these rules are about, so that their offences are tried on the examples alone:\n"
    idle = sorted({rule.id for rule in RULES} - _broken(found))
    yield (", ".join(f"`{rule}`" for rule in idle) or "none") + ".\n"
    yield "Of the types that stacks do declare:\n\n| rule | resource | why |\n| --- | --- | --- |"
    for (rule, type_), because in sorted(NEVER_APPLIED.items()):
        yield _row(f"`{rule}`", type_, because)
    yield ""


def _unapplied(found: Mapping[str, Figures]) -> Iterator[str]:
    yield "## What does not apply\n"
    yield "Offences that the real resource has no place for, or that are none there; in how many resources.\n"
    yield "| rule | resource | offence | why it does not apply | in |\n| --- | --- | --- | --- | --: |"
    for (rule, type_, says, reason), count in _together(found, "unapplied").items():
        yield _row(f"`{rule}`", type_, says, reason, count)
    yield ""


def _together(found: Mapping[str, Figures], table: str) -> Mapping[tuple[str, ...], int]:
    sums: Counter[tuple[str, ...]] = Counter()
    for figures in found.values():
        sums.update(figures[table])
    return dict(sorted(sums.items()))


def _row(*cells: Any) -> str:
    """A bar would begin another cell."""
    inside = (str(cell).replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(inside)} |"
