"""A row of a product's document, the chapters that hold the rows, and what a table may not look like."""

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args

from operations.verify.command import CHECKS
from tests.operator_calls import PROGRAM, Call, resolve, trouble
from tests.recorder import Recording

Check = Callable[[Recording], None]
# Keys of the stack file, without their namespace, that production gets beside its own.
Shape = Mapping[str, Any]
Kind = Literal["declared", "policy", "operator", "application", "not met"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Row:
    """`missing` says what is not done: the reason of a row that is not met, the rest of one that is met in part.

    `lines` are those of the product's document; `components` are modules of components/; `settings` are keys of the
    system file or the stack file. `commands` are calls of groundwork without its name and the stack's
    (`db check --only extensions`), and `by_hand` says who does it instead, and why no command does. `check` asserts the
    row, or what stands in for it, on the recorded production, or on production with the keys of `shape` set:
    {"profile": "recommended"}, {"compute": "kubernetes"}.
    """

    id: str
    lines: str
    asked: str
    kind: Kind
    note: str = ""
    missing: str = ""
    commands: Sequence[str] = ()
    by_hand: str = ""
    components: Sequence[str] = ()
    settings: Sequence[str] = ()
    policies: Sequence[str] = ()
    shape: Shape = field(default_factory=dict)
    check: Check | None = None


@dataclass(frozen=True, kw_only=True)
class Chapter:
    title: str
    rows: list[Row] = field(default_factory=list)

    def row(
        self,
        id: str,
        lines: str,
        asked: str,
        kind: Kind,
        *,
        note: str = "",
        missing: str = "",
        commands: Sequence[str] = (),
        by_hand: str = "",
        components: Sequence[str] = (),
        settings: Sequence[str] = (),
        policies: Sequence[str] = (),
        shape: Shape | None = None,
    ) -> Callable[[Check], Check]:
        """Add a row whose check is the function below."""

        def add(check: Check) -> Check:
            self.rows.append(
                Row(
                    id=id,
                    lines=lines,
                    asked=asked,
                    kind=kind,
                    note=note,
                    missing=missing,
                    commands=commands,
                    by_hand=by_hand,
                    components=components,
                    settings=settings,
                    policies=policies,
                    shape=shape or {},
                    check=check,
                )
            )
            return check

        return add


def problems(rows: Sequence[Row], prefix: str, count: int, rule_ids: Collection[str]) -> Iterator[str]:
    """What is wrong with a table that must have the rows R1 to R116 (`prefix` R, `count` 116), in this order."""
    ids = [row.id for row in rows]
    wanted = [f"{prefix}{number}" for number in range(1, count + 1)]
    for id, times in Counter(ids).items():
        if times > 1:
            yield f"{id} has {times} entries"
        if id not in wanted:
            yield f"{id} is no row of the document: they are {wanted[0]} to {wanted[-1]}"
    for id in wanted:
        if id not in ids:
            yield f"{id} has no entry"
    position = {id: number for number, id in enumerate(wanted)}
    for before, after in pairwise(id for id in ids if id in position):
        if position[after] < position[before]:
            yield f"{after} stands after {before}"
    for row in rows:
        yield from _of_row(row, rule_ids)


def _of_row(row: Row, rule_ids: Collection[str]) -> Iterator[str]:
    if row.kind == "policy" and not row.policies:
        yield f"{row.id} is met by policy, and names none"
    if row.kind not in ("policy", "not met") and row.check is None:
        yield f"{row.id} is said to be met ({row.kind}), and nothing asserts it"
    if row.kind == "application" and not row.note:
        yield f"{row.id} leaves work to the application, and does not say what"
    if row.kind == "operator" and not (row.commands or row.by_hand):
        yield f"{row.id} leaves work to the operator, and names no command, nor who does it by hand and why"
    if row.by_hand and (row.commands or row.kind != "operator"):
        yield f"{row.id} says why no command does it, and is no row that the operator does by hand"
    for command in row.commands:
        if said := _of_command(command):
            yield f"{row.id}: {said}"
    if row.kind == "not met" and not row.missing:
        yield f"{row.id} is not met, and does not say why"
    for policy in row.policies:
        if policy not in rule_ids:
            yield f"{row.id} names the policy {policy}, which the pack does not have"


def _of_command(command: str) -> str:
    """What is wrong with `db check --only extensions`; nothing where groundwork would take it."""
    call = Call((PROGRAM, *shlex.split(command)), is_whole=False)
    if said := trouble(call):
        return said
    if unknown := unknown_checks(call):
        return f"{call}: verify has no check {', '.join(unknown)}"
    named, _ = resolve(call.words)
    is_group = hasattr(named, "commands") and not named.invoke_without_command
    return f"{call}: names no command" if is_group else ""


def unknown_checks(call: Call) -> list[str]:
    """Names of checks that `groundwork verify` does not know; its parser takes any."""
    if call.words[1:2] != ("verify",):
        return []
    command, rest = resolve(call.words)
    named = command.make_context("verify", rest).params["checks"] or []
    return [name for name in named if name not in CHECKS]


def has_key(tree: Mapping[str, Any], path: str) -> bool:
    """Whether a settings file has the key `database.parameters.work_mem`."""
    block: Any = tree
    for part in path.split("."):
        if not isinstance(block, Mapping) or part not in block:
            return False
        block = block[part]
    return True
