"""From a program's inputs to an operation's parameters: names matched against botocore's own shapes."""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

_KEYS = ("key", "tagkey", "name")
_VALUES = ("value", "tagvalue")


class NoSuchMember(Exception):
    """An input that the API's shape has no place for. `path` is its place in the inputs."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def match(name: str, members: Iterable[str]) -> str | None:
    """The member that an input is called in the API: same letters, or the same in plural or singular."""
    by_letters = {_letters(member): member for member in members}
    wanted = _letters(name)
    for form in (wanted, f"{wanted}s", wanted.removesuffix("s"), f"{wanted.removesuffix('y')}ies"):
        if form in by_letters:
            return by_letters[form]
    return None


@lru_cache(maxsize=8192)
def _letters(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def pair_members(shape: Shape) -> tuple[str, str] | None:
    """The two member names of a {Key, Value} structure, or nothing for any other."""
    if not isinstance(shape, StructureShape) or len(shape.members) > 3:
        return None
    key = next((name for name in shape.members if name.lower() in _KEYS), None)
    value = next((name for name in shape.members if name.lower() in _VALUES), None)
    return (key, value) if key and value else None


def by_name(
    operation: OperationModel,
    inputs: Mapping[str, Any],
    names: Mapping[str, str],
    nested: Mapping[str, str],
) -> dict[str, Any]:
    """Parameters from each input that the operation knows; the others are left to other calls."""
    shape = operation.input_shape
    if shape is None:
        return {}
    params: dict[str, Any] = {}
    for name, value in inputs.items():
        member = names.get(name) or match(name, shape.members)
        if value is not None and member is not None and member in shape.members:
            params[member] = to_api(shape.members[member], value, nested, name)
    return params


def known_by_name(operation: OperationModel, name: str, names: Mapping[str, str]) -> bool:
    shape = operation.input_shape
    return shape is not None and (names.get(name) or match(name, shape.members)) in shape.members


def to_api(shape: Shape, value: Any, nested: Mapping[str, str], path: str) -> Any:
    """The value in the form that `shape` wants; raises `NoSuchMember` for a key that it has no place for."""
    if isinstance(shape, StructureShape):
        return _structure(shape, value, nested, path)
    if isinstance(shape, ListShape):
        return _list(shape, value, nested, path)
    if isinstance(shape, MapShape):
        entries = value if isinstance(value, dict) else _by_key(value, path)
        return {key: to_api(shape.value, item, nested, f"{path}.{key}") for key, item in entries.items()}
    return _scalar(shape.type_name, value)


def _by_key(blocks: Any, path: str) -> dict[str, Any]:
    """Pulumi's list of blocks that each have a `key`, as the map that the API has."""
    if not isinstance(blocks, list) or any(
        not isinstance(item, dict) or "key" not in item for item in blocks
    ):
        raise NoSuchMember(path)
    return {item["key"]: {name: item[name] for name in item if name != "key"} for item in blocks}


def _structure(shape: StructureShape, value: Any, nested: Mapping[str, str], path: str) -> Any:
    # Pulumi writes a block that occurs once as an object or as a list of one.
    if isinstance(value, list) and len(value) <= 1:
        value = value[0] if value else {}
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    if not isinstance(value, dict):
        raise NoSuchMember(path)
    params: dict[str, Any] = {}
    for key, item in value.items():
        if item is None:
            continue
        member = nested.get(key) or match(key, shape.members)
        if member is None or member not in shape.members:
            raise NoSuchMember(f"{path}.{key}")
        params[member] = to_api(shape.members[member], item, nested, f"{path}.{key}")
    return params


def _list(shape: ListShape, value: Any, nested: Mapping[str, str], path: str) -> Any:
    pair = pair_members(shape.member)
    if isinstance(value, dict) and pair and not match(next(iter(value), "-"), shape.member.members):
        return [{pair[0]: key, pair[1]: str(item)} for key, item in value.items()]
    if isinstance(value, str) and value.startswith("["):
        return json.loads(value)
    items = value if isinstance(value, list) else [value]
    return [to_api(shape.member, item, nested, f"{path}[{index}]") for index, item in enumerate(items)]


def _scalar(kind: str, value: Any) -> Any:
    if kind == "string":
        return _text(value)
    if kind in ("integer", "long"):
        return int(float(value)) if not isinstance(value, bool) else value
    if kind in ("float", "double"):
        return float(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind == "blob" and isinstance(value, str):
        return value.encode()
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
