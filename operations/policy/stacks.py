"""The products' stacks, as their files name them. Paths count from the repository's root."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml


class Unknown(ValueError):
    """A sentence for whoever named a system or a stack that is not there."""


@dataclass(frozen=True)
class Stack:
    system: str
    name: str
    file: Path

    @property
    def system_file(self) -> Path:
        return Path("systems") / self.system / "system.yaml"

    def __str__(self) -> str:
        return f"{self.system}, stack {self.name}"


def choose(root: Path, system: str, names: Sequence[str]) -> list[Stack]:
    """The stacks of a system that are named, in that order; all of them where none is. Raises `Unknown`."""
    systems = sorted(path.parent.name for path in (root / "systems").glob("*/system.yaml"))
    if system not in systems:
        raise Unknown(unknown("system", system, systems))
    found = {stack.name: stack for stack in _stacks(root, system)}
    for name in names:
        if name not in found:
            raise Unknown(unknown("stack", name, sorted(found), of=f" of {system}"))
    return [found[name] for name in dict.fromkeys(names or found)]


def _stacks(root: Path, system: str) -> list[Stack]:
    """A stack file below systems/ is that system's; one at the root says whose it is."""
    own = sorted((root / "systems" / system).glob("Pulumi.*.yaml"))
    shared = [path for path in sorted(root.glob("Pulumi.*.yaml")) if _system_of(path) == system]
    names = {path.name.split(".")[1]: path for path in [*shared, *own]}
    return [Stack(system, name, path.relative_to(root)) for name, path in names.items()]


def _system_of(path: Path) -> str | None:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        return None
    config = content.get("config") if isinstance(content, dict) else None
    return config.get("groundwork:system") if isinstance(config, dict) else None


def unknown(kind: str, name: str, known: Sequence[str], of: str = "") -> str:
    """The sentence for a name that is not known, with the nearest that is."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"There is no {kind} {name}{of}; there are: {', '.join(known) or 'none'}.{hint}"
