"""What may be shown of a resource's inputs, and what a change of them looks like: for the file with the full diff.

The engine shows what it knows to be secret as [secret]. Beyond that a value is hidden when its name, or the name beside
it, sounds like a secret, or when it looks like one.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from operations.report.preview import SECRET, UNKNOWN, Change, Preview, State, top

HIDDEN = "[hidden]"
LONGEST = 200

_NAMES = re.compile(
    r"pass(word|wd|phrase)?|secret|token|credential|api[_-]?key|private[_-]?key|access[_-]?key|\bdsn\b|_dsn|dsn_|"
    r"auth(?!or)|connection[_-]?string|salt|cookie|webhook|license[_-]?key",
    re.IGNORECASE,
)
_VALUES = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@|-----BEGIN|\b(AKIA|ASIA)[A-Z0-9]{16}\b|\beyJ[\w-]{8,}\.|\b(gh[opsu]_|xox[abp]-|sk_live_)\w+"
)
# Inputs that are nothing but content, whatever their names are.
_CONTENT: Mapping[str, tuple[str, ...]] = {
    "aws:secretsmanager/secretVersion:SecretVersion": ("secretString", "secretBinary"),
    "aws:ssm/parameter:Parameter": ("value", "insecureValue"),
    "kubernetes:core/v1:Secret": ("data", "stringData"),
}
_SIGNS = {"create": "+", "update": "~", "replace": "+-", "destroy": "-", "import": "="}


def text(value: str) -> str:
    """A message with whatever looks like a secret taken out."""
    return _VALUES.sub(HIDDEN, value)


@dataclass(frozen=True)
class Value:
    """A single input: as it is, for comparison alone, and as it may be shown."""

    raw: Any
    shown: str


def flat(state: State) -> dict[str, Value]:
    """Each single input under its path; documents (policies, containers) are looked into."""
    content = _CONTENT.get(state.type, ())
    return {
        path: replace(value, shown=HIDDEN) if top(path) in content else value
        for path, value in _flat("", state.inputs, hidden=False)
    }


def _flat(path: str, value: Any, *, hidden: bool) -> Iterable[tuple[str, Value]]:
    value = _opened(value)
    if isinstance(value, dict):
        said = value.get("name") or value.get("key")
        beside = isinstance(said, str) and bool(_NAMES.search(said))
        for key, item in value.items():
            if key != "__defaults":
                inner = f"{path}.{key}" if path else str(key)
                own = bool(_NAMES.search(str(key))) or (beside and key in ("value", "defaultValue"))
                yield from _flat(inner, item, hidden=hidden or own)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(f"{path}[{index}]", item, hidden=hidden)
    else:
        yield path, Value(value, _shown(value, hidden=hidden))


def _opened(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "[{" and value not in (SECRET, HIDDEN):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _shown(value: Any, *, hidden: bool) -> str:
    if value == UNKNOWN:
        return "(known after up)"
    if value == SECRET:
        return SECRET
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if hidden or (isinstance(value, str) and _VALUES.search(value)):
        return HIDDEN
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}... ({len(shown)} characters)"


def word(state: State, name: str) -> str | None:
    """A short plain input that may stand in a sentence; None for anything else."""
    found = flat(state).get(name)
    if found is None or found.raw in (None, UNKNOWN) or found.shown in (SECRET, HIDDEN):
        return None
    text = str(found.raw)
    return text if re.fullmatch(r"[\w.:/-]{1,60}", text) else None


def full_diff(preview: Preview) -> str:
    """Every change of the preview, input by input, for a file beside the comment."""
    blocks = [_block(change) for change in preview.changes.values() if change.kind != "same"]
    return "\n".join(blocks) + "\n" if blocks else "Nothing changes.\n"


def _block(change: Change) -> str:
    lines = [f"{_SIGNS[change.kind]} {change.kind} {change.type} {change.name}", f"  {change.urn}"]
    if change.kind != "destroy":
        lines += _inputs(change)
    return "\n".join(lines)


def _inputs(change: Change) -> Iterable[str]:
    before, after = (flat(state) for state in (change.old or State(), change.new or State()))
    replacing = {top(path) for path in change.replacing}
    opened = {path for values in (before, after) for path, value in values.items() if value.raw == UNKNOWN}
    for path in sorted(before.keys() | after.keys()):
        if any(path.startswith((f"{outer}.", f"{outer}[")) for outer in opened):
            continue  # of a document that is not known as a whole on the other side
        old, new = before.get(path), after.get(path)
        same = old is not None and new is not None and old.raw == new.raw
        # Two secrets look alike here, and the engine says that one of them is another.
        if same and not (path in change.changed and new is not None and new.raw == SECRET):
            continue
        shown = " -> ".join(value.shown for value in (old, new) if value is not None)
        gone = " -> (gone)" if new is None else ""
        yield f"    {path}: {shown}{gone}{' (replaces it)' if top(path) in replacing else ''}"
