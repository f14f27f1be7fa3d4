"""Findings that somebody has accepted for a while: said in the pack's configuration, and shown in every report.

"exemptions": {"granted": [{
  "rule": "rds-multi-az", "resource": "database", "owner": "dana@rentfix.com", "expires": "2027-03-31",
  "reason": "one zone until the move to the new region"
}]}
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Exemption:
    """`resource` is a URN, a resource's name, or a pattern of either (`*`, `?`)."""

    rule: str
    resource: str
    reason: str
    owner: str
    expires: str

    def __str__(self) -> str:
        return f"the exemption of {self.resource} from {self.rule}"

    def covers(self, rule_id: str, urn: str) -> bool:
        name = urn.rsplit("::", 1)[-1]
        return self.rule == rule_id and any(fnmatchcase(said, self.resource) for said in (urn, name))


FIELDS = tuple(field.name for field in fields(Exemption))
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "granted": {"type": "array", "items": {"type": "object"}, "default": []}
}


class Exemptions:
    """What a configuration grants; one with a problem grants nothing, so that its findings come back."""

    def __init__(self, granted: Sequence[Mapping[str, Any]], rule_ids: Collection[str], today: date) -> None:
        self.problems: list[str] = []
        self._valid: list[Exemption] = []
        self._used: set[Exemption] = set()
        for number, entry in enumerate(granted, 1):
            found = list(_problems(number, entry, rule_ids, today))
            self.problems += found
            if not found:
                self._valid.append(Exemption(**entry))

    def covering(self, rule_id: str, urn: str) -> Exemption | None:
        """The exemption for a finding, which counts as used then."""
        found = next((each for each in self._valid if each.covers(rule_id, urn)), None)
        if found:
            self._used.add(found)
        return found

    def unused(self) -> list[str]:
        """A sentence for each that covered nothing; after that, all count as unused again."""
        said = [
            f"{each} matches nothing that the rule finds. Remove it, or mend its resource"
            for each in self._valid
            if each not in self._used
        ]
        self._used.clear()
        return said


def _problems(number: int, entry: Mapping[str, Any], rule_ids: Collection[str], today: date) -> list[str]:
    missing = [name for name in FIELDS if not str(entry.get(name) or "").strip()]
    unknown = sorted(set(entry) - set(FIELDS))
    if missing or unknown:
        lacks = f" has no {' and no '.join(missing)}" if missing else ""
        extra = f" has {', '.join(unknown)}, which is not known" if unknown else ""
        needed = ", ".join(FIELDS)
        return [
            f"exemption {number}{lacks}{' and' * bool(lacks and extra)}{extra}. It needs exactly {needed}"
        ]
    exemption = Exemption(**{name: str(entry[name]) for name in FIELDS})
    found = []
    if exemption.rule not in rule_ids:
        found.append(f"{exemption} names a rule that this pack does not have. Mend its rule")
    if not exemption.resource.strip("*?:"):
        found.append(
            f"{exemption} matches every resource. Name the resource, or set the level of {exemption.rule} instead"
        )
    try:
        expires = date.fromisoformat(exemption.expires)
    except ValueError:
        found.append(f'{exemption} expires "{exemption.expires}", which is no date. Write it as YYYY-MM-DD')
    else:
        if expires < today:
            found.append(
                f"{exemption} expired on {expires}. Mend what it excused, or ask {exemption.owner} for a new date"
            )
    return found
