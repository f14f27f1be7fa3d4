"""The rules of the policy pack, which says them itself: no module of the pack is imported here."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class Severity(StrEnum):
    """How grave it is that a rule is broken, in rising order."""

    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"


# How a person names a framework, and how its ids begin.
FRAMEWORKS = {"fsbp": "FSBP ", "cis": "CIS ", "checkov": "CKV"}


class Unavailable(RuntimeError):
    """The pack did not say its rules; a sentence."""


class Rule(BaseModel):
    """One rule as `policies/catalogue.py` says it; what this class does not name is kept, and shown too."""

    model_config = ConfigDict(frozen=True, extra="allow")

    topic: str
    about: str
    id: str
    what: str
    why: str
    remedy: str
    severity: Severity
    types: tuple[str, ...]
    checklist: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    advisory: bool = False
    must_know: bool = False
    remediates: Mapping[str, Mapping[str, Any]] = {}
    whole_stack: bool = False
    settings: Mapping[str, Mapping[str, Any]] = {}

    @property
    def level(self) -> str:
        return "advisory" if self.advisory else "mandatory"

    @property
    def thresholds(self) -> dict[str, str]:
        """Each setting with its default, as a configuration of the pack would write it."""
        return {name: json.dumps(schema.get("default")) for name, schema in self.settings.items()}

    @property
    def notes(self) -> list[str]:
        """What else there is to know, a sentence each; a field that is new in the pack is shown as it is."""
        said = []
        if self.whole_stack:
            said.append("Judged once everything is declared, as it looks at more than one resource.")
        if self.must_know:
            said.append("A value that only `pulumi up` will know is a violation here.")
        for type_, changes in self.remediates.items():
            mended = ", ".join(f"{name} = {json.dumps(value)}" for name, value in changes.items())
            said.append(f"With the level `remediate` the pack sets {mended} on {type_}.")
        extra = {name: value for name, value in (self.model_extra or {}).items() if value and name != "takes"}
        said += [f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in extra.items()]
        return said


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def load(root: Path) -> list[Rule]:
    """Every rule, topic by topic. Raises `Unavailable`."""
    command = [sys.executable, str(root / "policies" / "catalogue.py")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if answer.returncode:
        said = answer.stderr.strip().rpartition("\n")[2] or f"exit code {answer.returncode}"
        raise Unavailable(f"The policy pack could not say its rules (policies/catalogue.py): {said}")
    return [Rule(**rule) for rule in json.loads(answer.stdout)]


def matching(
    rules: Iterable[Rule],
    *,
    ids: Sequence[str] = (),
    severities: Sequence[str] = (),
    frameworks: Sequence[str] = (),
    checklist: Sequence[str] = (),
    topics: Sequence[str] = (),
) -> list[Rule]:
    """The rules that every one of the given filters lets through; a filter with several values wants one of them."""
    return [
        rule
        for rule in rules
        if (not ids or rule.id in ids)
        and (not severities or rule.severity in severities)
        and (not frameworks or any(is_in(rule, framework) for framework in frameworks))
        and (not checklist or not {item.upper() for item in checklist}.isdisjoint(rule.checklist))
        and (not topics or rule.topic in topics)
    ]


def is_in(rule: Rule, framework: str) -> bool:
    """By the framework's name (`fsbp`, `cis`, `checkov`) or one of its ids (`FSBP RDS.3`, `RDS.3`, `CKV_AWS_16`)."""
    prefix = FRAMEWORKS.get(framework.lower())
    if prefix:
        return any(each.startswith(prefix) for each in rule.frameworks)
    wanted = framework.upper()
    return any(wanted in (each.upper(), each.upper().rpartition(" ")[2]) for each in rule.frameworks)
