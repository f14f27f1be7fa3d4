"""What is wrong with a setting, and how it is told: file, key, rule, value received, remedy."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

Path = tuple[str | int, ...]

_SECRET_NAME = re.compile(
    r"(^|[._-])(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY(_ID)?|PRIVATE_?KEY|DSN|CREDENTIALS?)$",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@|\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN|\b(sk|ghp|xox[bp])[-_]\w{8,}"
)
_MAX_SHOWN = 60
_MAX_LISTED = 20


class _Nothing:
    """Stands for 'no value was given'."""


NOTHING: Any = _Nothing()


@dataclass(frozen=True, kw_only=True)
class Problem:
    """`rule` continues the key's name ("must be ..."); `remedy` is a whole sentence.

    `file` is only set when the key alone does not say where it belongs, as when it is missing.
    """

    path: Path
    rule: str
    got: Any = NOTHING
    remedy: str
    file: str | None = None

    def sentence(self, file: str, key: str) -> str:
        got = "" if self.got is NOTHING else f", got {shown(self.path, self.got)}"
        return f"{file}: {key}: {self.rule}{got}. {self.remedy}"


def looks_secret(name: str, value: str = "") -> bool:
    """Whether a variable's name, or the value itself, looks like a credential's."""
    return bool(_SECRET_NAME.search(name) or _SECRET_VALUE.search(value))


def shown(path: Path, value: Any) -> str:
    """A value as a message may print it: short, as YAML would write it, and never a secret."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if looks_secret(str(path[-1]) if path else "", str(value)):
        return "a value that is not shown because it looks like a secret"
    is_plain = isinstance(value, str) and value and value.isprintable()
    text = value if is_plain else json.dumps(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def nearest(name: str, known: Iterable[str]) -> str:
    """The remedy for a name that nobody knows: the one that was probably meant, else all there are."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return did_you_mean(close[0])
    if len(names) > _MAX_LISTED:
        return f"The nearest are {', '.join(get_close_matches(name, names, n=3, cutoff=0))}."
    return f"Known: {', '.join(names)}." if names else "There is none to choose from."


def did_you_mean(name: object) -> str:
    return f"Did you mean {name}?"


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it: services.core-matching.scaling[0].target_percent."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
