"""`make bench`: what components, settings and policies cost in a preview, measured in pairs, and what dominates.

The previews of a section run in turn, round after round; ratios and differences are taken round by round, and their
median is shown. All start from an empty state, offline, with our own `aws` provider: its Python is part of every
figure. Production has an image for each service here, or the services would be left out. A section ends after its
share of the time, however slow the machine. With the names of systems as arguments (`make bench ARGS=...`) those are
measured, without the sections on sizes and on what dominates.
"""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from local.bench import figures, parts, previews, scale
from local.bench.previews import Content, Preview
from local.steps import Failure, Steps

SERVICES = (1, 10, 30, 50, 100)
ROUNDS = 5
SECTION_S = 70
WIDTH = 130


Measured = TypeVar("Measured")


def rounds(
    measures: Sequence[Callable[[], Measured]],
    *,
    at_most: int = ROUNDS,
    within_s: float = SECTION_S,
    clock: Callable[[], float] = time.monotonic,
) -> list[list[Measured]]:
    """A column of results for each measure. There is one round at least, and no more than the time allows."""
    began = clock()
    columns: list[list[Measured]] = [[] for _ in measures]
    for done in range(1, at_most + 1):
        for column, measure in zip(columns, measures, strict=True):
            column.append(measure())
        spent_s = clock() - began
        if spent_s + spent_s / done > within_s:
            break
    return columns


def components_and_policies(
    product: Content, config: Content, steps: Steps
) -> tuple[list[figures.Row], Preview]:
    with steps.step("Flat program", "made from a preview of the program, and compared with it"):
        ours = previews.our_program("program", product, scale.started(config))
        resources = ours.resources()
        flat = previews.flat_program(ours, resources, config)
        empty = previews.empty_program(config)
    checked, checked_empty = ours.with_policies(), empty.with_policies()
    with steps.step("Components and policies", f"up to {ROUNDS} rounds of five previews") as step:
        checked.run()  # so that the pack's modules are compiled
        costs = rounds([each.cost for each in (flat, ours, checked, empty, checked_empty)])
        step.result = f"{len(costs[0])} rounds"
    rows = figures.component_rows(len(resources), *costs[:2])
    rows += figures.policy_rows(len(resources), *costs[1:])
    return rows, checked


def sizes(product: Content, config: Content, steps: Steps) -> list[figures.Row]:
    """Ends before the first size that the program refuses, and says why it does."""
    measured: dict[int, Preview] = {}
    columns: list[list[tuple[float, int]]] = []
    refused: list[figures.Row] = []
    began = time.monotonic()
    with steps.step("Sizes", f"previews of {', '.join(map(str, SERVICES))} services") as step:
        for count in SERVICES:
            preview = previews.our_program(f"services-{count}", *scale.enlarged(product, config, count))
            try:
                columns.append([preview.counted()])
            except previews.Refused as refusal:
                refused = [(f"{count} services", f"refused: {refusal.reason}", "")]
                break
            measured[count] = preview
        spent_s = time.monotonic() - began
        if 2 * spent_s < SECTION_S:
            again = [preview.counted for preview in measured.values()]
            more = rounds(again, at_most=ROUNDS - 1, within_s=SECTION_S - spent_s)
            columns = [column + others for column, others in zip(columns, more, strict=True)]
        step.result = f"{len(columns[0]) if columns else 0} rounds"
    found = [
        figures.Size(count, resources=column[0][1], seconds=[seconds for seconds, _ in column])
        for count, column in zip(measured, columns, strict=True)
    ]
    return figures.size_rows(found) + refused


def what_dominates(checked: Preview, steps: Steps) -> list[figures.Row]:
    with steps.step("What dominates", "CPU time by process, then a profile of the program"):
        return [
            *figures.process_rows(parts.watch(checked)),
            *figures.profile_rows(parts.profile(checked)),
        ]


def measured(system: str, steps: Steps, *, whole: bool) -> Table:
    """The table of one system. Raises Failure."""
    title = f"Previews of {system}, {date.today()}: median (least to most) of the rounds"
    table = Table("What", "Measured", "Goal", title=title, title_justify="left")
    product, config = previews.tracked(system)
    rows, checked = components_and_policies(product, config, steps)
    sections = [rows]
    if whole:
        sections += [sizes(product, config, steps), what_dominates(checked, steps)]
    for section in sections:
        for row in section:
            table.add_row(*row)
        table.add_section()
    return table


def main(systems: Sequence[str]) -> int:
    steps = Steps()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    try:
        for system in systems or [previews.SYSTEM]:
            console.print(measured(system, steps, whole=not systems))
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
