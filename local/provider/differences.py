"""Where two sets of inputs differ, path by path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from local.provider.readback import same
from local.provider.values import UNKNOWN, Asset, reveal

Kind = Literal["add", "delete", "update"]


@dataclass(frozen=True)
class Difference:
    path: str  # "tags.Name", "rules[0].priority"
    name: str  # the input at the top: "tags", "rules"
    kind: Kind


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Every difference, secrets included (by path, never by value). An unknown value counts as a difference."""
    found: list[Difference] = []
    old, new = reveal(dict(old)), reveal(dict(new))
    for name in sorted(old.keys() | new.keys()):
        if not name.startswith("__"):
            _compare(name, name, old.get(name), new.get(name), found)
    return found


def _compare(path: str, name: str, old: Any, new: Any, found: list[Difference]) -> None:
    if new is UNKNOWN:
        found.append(Difference(path, name, "update"))
    elif old is None or new is None:
        if old is not new:
            found.append(Difference(path, name, "add" if old is None else "delete"))
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            _compare(f"{path}{_segment(key)}", name, old.get(key), new.get(key), found)
    elif isinstance(old, list) and isinstance(new, list):
        _compare_lists(path, name, old, new, found)
    elif isinstance(old, Asset) and isinstance(new, Asset):
        if old.fields.get("hash") != new.fields.get("hash"):
            found.append(Difference(path, name, "update"))
    elif not same(old, new):
        found.append(Difference(path, name, "update"))


def _segment(key: str) -> str:
    return f".{key}" if key.replace("_", "a").isalnum() else f'["{key}"]'


def _compare_lists(
    path: str, name: str, old: Sequence[Any], new: Sequence[Any], found: list[Difference]
) -> None:
    for index in range(max(len(old), len(new))):
        before = old[index] if index < len(old) else None
        after = new[index] if index < len(new) else None
        _compare(f"{path}[{index}]", name, before, after, found)
