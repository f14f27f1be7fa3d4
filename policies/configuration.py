"""Checks a configuration of the pack (config/*.json) for what the engine lets pass: names that do not exist,
exemptions that do not hold (any more).

The engine itself checks the levels and the types of the settings, and says so in a sentence.
"""

import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalogue import RULES
from exemptions import Exemptions
from pack import EXEMPTIONS, SETTINGS
from rules import Rule

LEVEL = "enforcementLevel"


def problems(config: Mapping[str, Any], rules: Sequence[Rule]) -> Iterator[str]:
    """One sentence for each name in the configuration that no rule has, and for each exemption that does not hold."""
    settings: dict[str, Mapping[str, Any]] = {rule.id: rule.settings for rule in rules} | {"all": {}}
    settings |= SETTINGS
    for rule_id, value in config.items():
        if rule_id not in settings:
            yield f"{rule_id} is not a rule of this pack{_nearest(rule_id, list(settings))}"
            continue
        for name in set(value) - {LEVEL} if isinstance(value, Mapping) else ():
            if name not in settings[rule_id]:
                known = [LEVEL, *settings[rule_id]]
                yield f"{rule_id} has no setting {name}, it has {', '.join(known)}{_nearest(name, known)}"
    granted = config.get(EXEMPTIONS)
    if isinstance(granted, Mapping):
        rule_ids = [rule.id for rule in rules]
        yield from Exemptions(granted.get("granted") or [], rule_ids, datetime.now(UTC).date()).problems


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


if __name__ == "__main__":
    found = [
        f"{path}: {said}"
        for path in sys.argv[1:]
        for said in problems(json.loads(Path(path).read_text()), RULES)
    ]
    sys.exit("\n".join(found) or 0)
