"""How long the change takes, and what stops meanwhile.

The engine works on everything at once that does not wait for something else, so the time is that of the longest chain.
What was made before is deleted at the end, in the other direction.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from types import SimpleNamespace
from typing import Any

from operations.report import tables
from operations.report.preview import SECRET, UNKNOWN, Change, Preview, State, top
from operations.report.tables import Effect, Rule, Seconds

# The worst first.
SEVERITY: tuple[Effect, ...] = ("remade", "restart", "failover", "interruption", "pending", "rolling", "none")
# What effects.yaml calls the replacement itself.
REPLACED = "(replaced)"
HARMLESS = ("tags", "tagsAll", "description")


@dataclass(frozen=True)
class Link:
    """One resource of a chain, and the seconds that it takes."""

    type: str
    name: str
    work: str  # create, update, delete
    seconds: Seconds


@dataclass(frozen=True)
class Consequence:
    type: str
    name: str
    input: str
    kind: Effect
    text: str


@dataclass(frozen=True)
class Risk:
    chain: tuple[Link, ...]  # those that take longest, one after the other
    consequences: tuple[Consequence, ...]
    silent: int  # updates of which no table says that they interrupt anything

    @property
    def seconds(self) -> Seconds:
        return sum(link.seconds[0] for link in self.chain), sum(link.seconds[1] for link in self.chain)

    def of(self, kind: Effect) -> tuple[Consequence, ...]:
        return tuple(item for item in self.consequences if item.kind == kind)


def risk(preview: Preview) -> Risk:
    found: list[Consequence] = []
    silent = 0
    for change in preview.changes.values():
        if not change.state.custom or change.kind not in ("update", "replace"):
            continue
        own = list(_consequences(change))
        found += own
        silent += not own and change.kind == "update"
    found.sort(key=lambda item: (SEVERITY.index(item.kind), item.type, item.name, item.input))
    forward = _longest(preview.changes, _needs, _made)
    backward = _longest(preview.changes, _needed_by(preview.changes), _deleted)
    return Risk(chain=(*forward, *backward), consequences=tuple(dict.fromkeys(found)), silent=silent)


def _durations(type_: str) -> tables.Duration:
    known = tables.durations()
    return known.types.get(type_, known.default)


def _made(change: Change) -> Link | None:
    work = {"create": "create", "replace": "create", "import": "update", "update": "update"}.get(change.kind)
    if work is None or not change.state.custom:
        return None
    seconds = _durations(change.type).create if work == "create" else _durations(change.type).update
    return Link(change.type, change.name, work, seconds)


def _deleted(change: Change) -> Link | None:
    gone = change.kind in ("destroy", "replace") and change.state.custom
    if not gone or (change.old or change.state).retain_on_delete:
        return None
    return Link(change.type, change.name, "delete", _durations(change.type).delete)


def _needs(change: Change) -> Iterable[str]:
    return change.state.needs()


def _needed_by(changes: Mapping[str, Change]) -> Callable[[Change], Iterable[str]]:
    """Before something is deleted, so is all that needs it."""
    found: dict[str, list[str]] = {}
    for urn, change in changes.items():
        for needed in (change.old or State()).needs():
            found.setdefault(needed, []).append(urn)
    return lambda change: found.get(change.urn, ())


def _longest(
    changes: Mapping[str, Change],
    before: Callable[[Change], Iterable[str]],
    link: Callable[[Change], Link | None],
) -> tuple[Link, ...]:
    """The chain whose upper estimate is the largest; nothing when the preview's dependencies make a circle."""
    graph = {urn: sorted({*before(change)} & changes.keys()) for urn, change in changes.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError:
        return ()
    takes: dict[str, int] = {}
    came_from: dict[str, str | None] = {}
    for urn in order:
        first = max(graph[urn], key=lambda other: takes[other], default=None)
        own = link(changes[urn])
        takes[urn] = (takes[first] if first else 0) + (own.seconds[1] if own else 0)
        came_from[urn] = first
    last = max(takes, key=lambda urn: takes[urn], default=None)
    chain: list[Link] = []
    while last is not None:
        own = link(changes[last])
        if own:
            chain.append(own)
        last = came_from[last]
    return tuple(reversed(chain))


def _consequences(change: Change) -> Iterable[Consequence]:
    for path in [REPLACED] if change.kind == "replace" else change.changed:
        name = top(path)
        if name in HARMLESS:
            continue
        item = _item(change.state, path)
        rule = next((rule for rule in tables.effects() if _fits(rule, change, name, item)), None)
        if rule:
            text = rule.text.format_map(_Shown(change.state.inputs, item))
            yield Consequence(change.type, change.name, name, rule.kind, " ".join(text.split()))


def _item(state: State, path: str) -> Mapping[str, Any]:
    """The list item that a path leads into; empty where it does not lead into one."""
    match = re.match(r"(\w+)\[(\d+)\]", path)
    items = state.inputs.get(match[1]) if match else None
    if not match or not isinstance(items, list) or int(match[2]) >= len(items):
        return {}
    item = items[int(match[2])]
    return item if isinstance(item, dict) else {}


def _fits(rule: Rule, change: Change, name: str, item: Mapping[str, Any]) -> bool:
    return (
        rule.type == change.type
        and (name in rule.properties or rule.properties == ("*",))
        and all(change.state.inputs.get(key, False) == value for key, value in rule.when.items())
        and all(item.get(key) == value for key, value in rule.item.items())
    )


class _Shown(dict[str, Any]):
    """What a text of the table may name: short plain inputs; anything else stays a question."""

    def __init__(self, inputs: Mapping[str, Any], item: Mapping[str, Any]) -> None:
        super().__init__(inputs)
        self["item"] = SimpleNamespace(name=_word(item.get("name")))

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name) if name == "item" else _word(self.get(name))

    def __missing__(self, name: str) -> str:
        return _word(None)


def _word(value: Any) -> str:
    if value in (None, UNKNOWN, SECRET) or not isinstance(value, str | int | float):
        return "not said here"
    text = str(value)
    return text if re.fullmatch(r"[\w.:-]{1,40}", text) else "not said here"
