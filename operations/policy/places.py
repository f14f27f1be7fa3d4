"""Where in the system or stack file the setting stands that a remedy names, for a reader and for a code scanner."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from operations.policy.stacks import Stack

# `(stack file: caches.<name>.shards and .replicas_per_shard)`: the first key is where one looks.
_NAMED = re.compile(r"\b(stack|system) file: ([\w.<>-]+[\w>])")
_ANY_NAME = "<name>"


@dataclass(frozen=True)
class Place:
    """A line of a file, counted from 1; the path is relative to the repository's root."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Places:
    """The files of one stack. Those that are no YAML have no places; the preview says why."""

    def __init__(self, root: Path, stack: Stack) -> None:
        self._stack = stack
        self._nodes = {path: _read(root / path) for path in (stack.file, stack.system_file)}

    def of(self, remedy: str, resource: str) -> Place:
        """Where to look for what mends a finding about `resource`: its setting, or as much of the way as there is.

        The stack file overlays the system file, so either may hold a key; a place in the file that the remedy names
        comes first, and the head of the stack file where the remedy names none.
        """
        ways = []
        for kind, key in _NAMED.findall(remedy):
            files = [self._stack.file, self._stack.system_file]
            for path in files if kind == "stack" else reversed(files):
                ways.append((path, self._way(path, key.split("."), resource)))
        path, way = max(ways, key=lambda found: len(found[1]), default=(self._stack.file, []))
        return Place(path.as_posix(), way[-1] if way else 1)

    def _way(self, path: Path, keys: list[str], resource: str) -> list[int]:
        """The lines of the keys, as far as they are there."""
        if path == self._stack.file:
            keys = ["config", f"groundwork:{keys[0]}", *keys[1:]]
            # That the file has a `config` is no part of the way.
            return list(_lines(self._nodes[path], keys, resource))[1:]
        return list(_lines(self._nodes[path], keys, resource))


def _read(path: Path) -> yaml.Node | None:
    try:
        return yaml.compose(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return None


def _lines(node: yaml.Node | None, keys: list[str], resource: str) -> Iterator[int]:
    for wanted in keys:
        children = node.value if isinstance(node, yaml.MappingNode) else []
        named = {key.value: (key, value) for key, value in children}
        name = _longest_within(resource, list(named)) if wanted == _ANY_NAME else wanted
        if name not in named:
            return
        key, node = named[name]
        yield key.start_mark.line + 1


def _longest_within(resource: str, names: list[str]) -> str | None:
    """The one that the resource is named after: `worker-ai` of `worker-ai-logs`, `queue` of `cache-queue`."""
    within = [name for name in names if name in resource]
    return max(within, key=lambda name: (len(name), resource.rindex(name)), default=None)
