"""docs/requirements.md: every product's table, written from its rows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from tests.requirements import fixrx, nx_monorepo, rentalfix, sports_nutrition, ts_service
from tests.requirements.table import KINDS, Kind, Row

PATH = Path(__file__).parent.parent.parent / "docs" / "requirements.md"
PRODUCTS = (rentalfix, fixrx, nx_monorepo, sports_nutrition, ts_service)

MEANING: dict[Kind, str] = {
    "declared": "`pulumi up` makes it; a test asserts the figures on production's declared resources",
    "policy": "a rule of the policy pack refuses a stack without it",
    "operator": "somebody runs it, by a command of `groundwork` or by hand; what it needs is declared and asserted",
    "application": "only the product's own code can; what the platform adds is asserted",
    "not met": "and why; what stands in, if anything does, is asserted",
}
HEAD = """\
# What the products ask for, and where it is met

Written by `python -m tests.requirements` from `tests/requirements/`; do not change it by hand. A test keeps it current,
has an entry for every row, and checks each on what the product's production stack declares. Lines are those of the
product's own document. Keys are the system file's or the stack file's. Calls of `groundwork` stand without `--system`
and `--stack`; each is held against the command's parser. What *By hand* says no command does.
"""


def text() -> str:
    lines = [HEAD]
    for product in PRODUCTS:
        lines += [*_overview(product), *_chapters(product)]
    return "\n".join(lines)


def _overview(product: ModuleType) -> Iterator[str]:
    yield f"## {product.TITLE}\n\n{len(product.ROWS)} rows of the {product.SOURCE}.\n"
    yield "| met by | rows | what that means |\n| --- | --: | --- |"
    counts = Counter(row.kind for row in product.ROWS)
    for kind in KINDS:
        yield f"| {kind} | {counts[kind]} | {MEANING[kind]} |"
    in_part = ", ".join(row.id for row in product.ROWS if row.missing and row.kind != "not met")
    yield f"\nMet, but for a part that each names after *Missing*: {in_part}.\n"
    by_hand = ", ".join(row.id for row in product.ROWS if row.by_hand)
    yield f"By hand, for the reason that each names: {by_hand or 'none'}.\n"


def _chapters(product: ModuleType) -> Iterator[str]:
    for chapter in product.CHAPTERS:
        yield f"### {chapter.title}\n"
        yield "| row | lines | what is asked | met by | where |\n| --- | --- | --- | --- | --- |"
        for row in chapter.rows:
            yield f"| {' | '.join(map(_cell, cells(row)))} |"
        yield ""


def cells(row: Row) -> tuple[str, ...]:
    return row.id, row.lines, row.asked, row.kind, _where(row)


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(content: str) -> str:
    """A bar would begin another cell."""
    return content.replace("|", r"\|")


def _shape(row: Row) -> str:
    """Keys that are shorter than a screen; whole blocks only by name."""
    keys = [f"{key}: {value}" if isinstance(value, str) else key for key, value in row.shape.items()]
    return f"with {_names(keys)} in the stack file" if keys else ""


def _where(row: Row) -> str:
    parts = [
        ", ".join(f"[{name}](../components/{name}.py)" for name in row.components),
        _names(row.settings),
        ("policies " if len(row.policies) > 1 else "policy ") + _names(row.policies) if row.policies else "",
        _names([f"groundwork {command}" for command in row.commands]),
        row.note,
        f"*By hand:* {row.by_hand}" if row.by_hand else "",
        _shape(row),
        f"*Missing:* {row.missing}" if row.missing else "",
    ]
    return "; ".join(part for part in parts if part)
