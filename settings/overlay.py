"""Laying the stack file over the system file, key by key, while remembering where each key came from."""

from collections.abc import Iterator, Mapping
from typing import Any

from settings.problems import Path


def overlay(system: Mapping[str, Any], stack: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge, anything else replaces, null takes the key away. Neither argument is changed."""
    merged = {key: _without_nulls(value) for key, value in system.items() if value is not None}
    for key, value in stack.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = overlay(merged[key], value)
        else:
            merged[key] = _without_nulls(value)
    return merged


def stack_paths(stack: Any, system: Any, path: Path = ()) -> Iterator[Path]:
    """Every path whose value is the stack file's; a block that both files hold counts as the system file's."""
    if isinstance(stack, Mapping):
        below = system if isinstance(system, Mapping) else {}
        for key, value in stack.items():
            if not (isinstance(value, Mapping) and isinstance(below.get(key), Mapping)):
                yield (*path, key)
            yield from stack_paths(value, below.get(key), (*path, key))
    elif isinstance(stack, list):
        for index, value in enumerate(stack):
            yield (*path, index)
            yield from stack_paths(value, None, (*path, index))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    return value
