"""From what the emulator answers back to a program's inputs, so that only real differences show as drift.

The inputs lead: each one is looked up by name in the answer, and what the answer does not have is left as it was.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from local.provider.shapes import match

_PAIR_KEYS = ("Key", "TagKey", "key", "Name", "name")
_PAIR_VALUES = ("Value", "TagValue", "value")


def project(value: Any, found: Any, nested: Mapping[str, str]) -> Any:
    """`value` as the emulator has it now: `value` itself when `found` says the same in other words."""
    found = _as_text(found)
    if found is None or same(value, found):
        return value
    if isinstance(value, dict):
        return _project_object(value, found, nested)
    if isinstance(value, list):
        return _project_list(value, found, nested)
    return _as(value, found)


def same(left: Any, right: Any) -> bool:
    """Equal, where "true" is True, "80" is 80, JSON text is what it says, and bytes are their text."""
    left, right = _as_text(left), _as_text(right)
    if left == right:
        return True
    if isinstance(left, bool) or isinstance(right, bool):
        return str(left).lower() == str(right).lower()
    if isinstance(left, int | float) or isinstance(right, int | float):
        return _number(left) is not None and _number(left) == _number(right)
    left, right = _parsed(left), _parsed(right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            same(one, other) for one, other in zip(left, right, strict=True)
        )
    return left == right


def pairs(found: Iterable[Any]) -> dict[str, str] | None:
    """A list of {Key, Value} as a map; nothing when it is not such a list."""
    result: dict[str, str] = {}
    for item in found:
        key = next((item[name] for name in _PAIR_KEYS if name in item), None)
        if key is None:
            return None
        result[key] = next((item[name] for name in _PAIR_VALUES if name in item), "")
    return result


def plain(found: Any) -> Any:
    """An answer in a program's words: member names in camelCase."""
    if isinstance(found, dict):
        return {key[:1].lower() + key[1:]: plain(item) for key, item in found.items()}
    if isinstance(found, list):
        return [plain(item) for item in found]
    found = _as_text(found)
    if isinstance(found, str | int | float | bool) or found is None:
        return found
    return found.isoformat() if hasattr(found, "isoformat") else str(found)


def _project_object(value: dict[str, Any], found: Any, nested: Mapping[str, str]) -> Any:
    if isinstance(found, str):
        found = _parsed(found)
    if isinstance(found, list):
        as_map = pairs(found) if all(isinstance(item, dict) for item in found) else None
        if as_map is not None and not (found and match(next(iter(value), "-"), found[0])):
            return as_map
        found = found[0] if found else {}
    if not isinstance(found, dict):
        return value
    return {key: project(item, member_of(found, key, nested), nested) for key, item in value.items()}


def member_of(found: Mapping[str, Any], key: str, names: Mapping[str, str]) -> Any:
    member = names.get(key) if names.get(key) in found else match(key, found)
    return None if member is None else found[member]


def _project_list(value: list[Any], found: Any, nested: Mapping[str, str]) -> Any:
    if isinstance(found, str):
        found = _parsed(found)
    if isinstance(found, dict):
        # A block that occurs once: a list of one in the program, an object in the API.
        return [project(value[0], found, nested)] if len(value) == 1 else value
    if not isinstance(found, list):
        return value
    if any(isinstance(item, dict | list) for item in [*value, *found]):
        return _project_items(value, list(found), nested)
    if sorted(map(str, value)) == sorted(map(str, found)):
        return value
    return plain(found)


def _project_items(value: list[Any], found: list[Any], nested: Mapping[str, str]) -> list[Any]:
    """Items keep the program's order; each takes the answer's item that says the same, else one that is left."""
    left_over = list(found)
    settled: list[Any] = [None] * len(value)
    waiting: list[int] = []
    for index, item in enumerate(value):
        twin = next((other for other in left_over if project(item, other, nested) == item), None)
        if twin is None:
            waiting.append(index)
        else:
            left_over.remove(twin)
            settled[index] = item
    for index in waiting:
        settled[index] = project(value[index], left_over.pop(0), nested) if left_over else None
    return [item for item in settled if item is not None] + [plain(item) for item in left_over]


def _as(value: Any, found: Any) -> Any:
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(value, bool):
        return str(found).lower() == "true"
    if isinstance(value, int | float):
        number = _number(found)
        return found if number is None else (int(number) if number == int(number) else number)
    if isinstance(found, dict | list):
        return json.dumps(plain(found) if not isinstance(value, str) else found, default=str)
    return plain(found) if not isinstance(found, bool) else str(found).lower()


def _as_text(found: Any) -> Any:
    return found.decode(errors="replace") if isinstance(found, bytes) else found


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
