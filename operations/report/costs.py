"""What a change costs a month: each resource before and after, and by name whatever has no price."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from operations.report import formulas, tables
from operations.report.formulas import FORMULAS, Cost, Side, Unpriced
from operations.report.preview import Change, Kind, Preview, State, short

# A cent is shown; less than half of one is no change.
SMALLEST = 0.005

NOTHING = Cost(0)

Status = Literal["priced", "usage", "free", "unknown"]


@dataclass(frozen=True)
class Priced:
    """A side of a resource: its cost, or why there is none."""

    cost: Cost = NOTHING
    unknown: str = ""


@dataclass(frozen=True)
class Line:
    """One resource whose cost changes, USD a month."""

    urn: str
    type: str
    name: str
    kind: Kind
    before: Cost
    after: Cost

    @property
    def delta(self) -> float:
        return self.after.monthly - self.before.monthly

    @property
    def delta_range(self) -> tuple[float, float]:
        before, after = self.before.range, self.after.range
        return after[0] - before[0], after[1] - before[1]


@dataclass(frozen=True)
class Unknown:
    type: str
    name: str
    why: str


@dataclass(frozen=True)
class Costs:
    """`before` and `after` are of the whole stack, and None where the preview lists changed resources only."""

    region: str | None
    lines: tuple[Line, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    kept: tuple[tuple[str, float], ...] = ()  # of what is lost, those that stay in AWS: name, USD a month
    usage: tuple[tuple[str, int, str], ...] = ()  # type, how many of it change, what its cost depends on
    free: int = 0
    before: float | None = None
    after: float | None = None
    left_out: tuple[str, ...] = ()  # names of those in the stack that `after` does not hold, or not wholly
    tables: tuple[str, ...] = ()

    @property
    def delta(self) -> float:
        return sum(line.delta for line in self.lines)

    @property
    def delta_range(self) -> tuple[float, float]:
        ranges = [line.delta_range for line in self.lines]
        return sum(low for low, _ in ranges), sum(high for _, high in ranges)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the stack is in another region than the prices."""
        return self.region is not None and self.region != tables.prices().region


def status(type_: str) -> Status:
    """How a type is priced; `unknown` is one that the table does not have."""
    prices = tables.prices()
    if type_ in FORMULAS or type_ in prices.fixed:
        return "priced"
    if type_ in prices.usage or type_.startswith("kubernetes:"):
        return "usage"
    if type_ in prices.free or type_.startswith(("random:", "pulumi:")):
        return "free"
    return "unknown"


def cost(state: State, side: Side) -> Cost:
    """Raises Unpriced."""
    if state.type in FORMULAS:
        return FORMULAS[state.type](state, side)
    table, name = tables.prices().fixed[state.type]
    return Cost(formulas.fixed(table, name), tables=(table,))


def costs(preview: Preview) -> Costs:
    """Every changed resource is in one of the four groups, and those unchanged whose cost changes with another."""
    sides = _sides(preview)
    own = [change for change in preview.changes.values() if change.state.custom]
    priced = [change for change in own if status(change.type) == "priced"]
    both = {change.urn: _both(change, *sides) for change in priced}
    changed = [change for change in own if change.kind not in ("same", "import")]
    lines = [line for change in priced if (line := _line(change, *both[change.urn]))]
    lines.sort(key=lambda line: (-abs(line.delta), line.type, line.name))
    kept = [(change, both[change.urn][0].cost.monthly) for change in priced if _is_kept(change)]
    whole = preview.lists_all
    return Costs(
        region=preview.region,
        lines=tuple(lines),
        unknown=tuple(_unknown(changed, both)),
        kept=tuple((change.name, monthly) for change, monthly in kept if monthly),
        usage=tuple(_usage(changed)),
        free=sum(status(change.type) == "free" for change in changed),
        before=sum(before.cost.monthly for before, _ in both.values()) if whole else None,
        after=sum(after.cost.monthly for _, after in both.values()) if whole else None,
        left_out=tuple(_left_out(own, both)) if whole else (),
        tables=tuple(sorted({name for line in lines for name in (*line.before.tables, *line.after.tables)})),
    )


def _sides(preview: Preview) -> tuple[Side, Side]:
    changes = preview.changes
    before = {urn: change.old for urn, change in changes.items() if change.old is not None}
    after = {
        urn: change.new
        for urn, change in changes.items()
        if change.new is not None and change.kind != "destroy"
    }
    return Side(before), Side(after)


def _is_kept(change: Change) -> bool:
    return change.kind in ("replace", "destroy") and change.old is not None and change.old.retain_on_delete


def _both(change: Change, before: Side, after: Side) -> tuple[Priced, Priced]:
    """What is imported costs what it costs already; what Pulumi only forgets goes on doing so."""
    now = _priced(change.new, after)
    then = now if change.kind == "import" else _priced(change.old, before)
    return then, (then if change.kind == "destroy" and _is_kept(change) else now)


def _priced(state: State | None, side: Side) -> Priced:
    if state is None:
        return Priced()
    try:
        return Priced(cost(state, side))
    except Unpriced as reason:
        return Priced(unknown=str(reason))


def _line(change: Change, before: Priced, after: Priced) -> Line | None:
    line = Line(change.urn, change.type, change.name, change.kind, before.cost, after.cost)
    moved = abs(line.delta) >= SMALLEST or any(abs(value) >= SMALLEST for value in line.delta_range)
    return line if moved and not before.unknown and not after.unknown else None


def _unknown(changed: Iterable[Change], both: dict[str, tuple[Priced, Priced]]) -> Iterable[Unknown]:
    for change in changed:
        if status(change.type) == "unknown":
            yield Unknown(change.type, change.name, "there is no price for this type in the table")
            continue
        before, after = both.get(change.urn, (Priced(), Priced()))
        if before.unknown and before.unknown == after.unknown:
            yield Unknown(change.type, change.name, f"{after.unknown} (before and after the change)")
            continue
        for when, side in (("before", before), ("after", after)):
            if side.unknown:
                yield Unknown(change.type, change.name, f"{side.unknown} ({when} the change)")
        if after.cost.unknown:
            yield Unknown(change.type, change.name, f"in addition to its price: {after.cost.unknown}")


def _left_out(own: Iterable[Change], both: dict[str, tuple[Priced, Priced]]) -> Iterable[str]:
    for change in own:
        if change.kind == "destroy":
            continue
        after = both[change.urn][1] if change.urn in both else Priced()
        if status(change.type) == "unknown" or after.unknown or after.cost.unknown:
            yield change.name


def _usage(changed: Iterable[Change]) -> Iterable[tuple[str, int, str]]:
    """Types with a fixed part too are left out where only an input changes: how they are used stays as it was."""
    texts = tables.prices().usage
    found = Counter(
        change.type
        for change in changed
        if status(change.type) == "usage" or (change.type in texts and change.kind in ("create", "destroy"))
    )
    for type_, how_many in sorted(found.items()):
        yield short(type_), how_many, texts.get(type_, "the nodes of the cluster that it runs on")
