"""What the policies say, and what else stands in the engine's event log: one JSON object a line."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from operations.policy.findings import EXEMPTED, NOT_EVALUATED
from operations.report.preview import State, Unreadable, name_of

# Problems of exemptions; with NOT_EVALUATED and EXEMPTED it is what the pack reports of itself (policies/pack.py).
EXEMPTIONS = "exemptions"

SEVERITIES = ("critical", "high", "medium", "low")
_COLOUR = re.compile(r"<\{%.*?%\}>")
_WAITING = re.compile(r"(\d+) checks? wait")


@dataclass(frozen=True)
class Violation:
    policy: str
    severity: str
    mandatory: bool
    resource: str  # its name; empty for one of the whole stack
    rule: str  # what should hold
    message: str  # what was found, and what to do


@dataclass(frozen=True)
class Findings:
    """`ran` is false where the log holds no word of a policy: then nothing at all was checked."""

    ran: bool = False
    violations: tuple[Violation, ...] = ()
    exemptions: tuple[Violation, ...] = ()  # problems of exemptions: expired, unused, without reason
    exempted: tuple[Violation, ...] = ()
    waiting: int = 0  # checks that met a value not known yet
    waits: tuple[str, ...] = ()  # which value of which resources, and the rules

    @property
    def mandatory(self) -> tuple[Violation, ...]:
        return tuple(item for item in (*self.violations, *self.exemptions) if item.mandatory)

    def by_severity(self) -> Counter[str]:
        return Counter(item.severity for item in (*self.violations, *self.exemptions))


@dataclass(frozen=True)
class Log:
    findings: Findings
    unchanged: Mapping[str, State]


def read(text: str) -> Log:
    """The event log. Raises Unreadable; an engine that was killed leaves half a line at the end, which is left out."""
    events = list(_events(text))
    said = [_violation(event["policyEvent"]) for event in events if "policyEvent" in event]
    waits = [line for item in said if item.policy == NOT_EVALUATED for line in item.message.splitlines()]
    findings = Findings(
        ran=any(_is_of_policies(event) for event in events),
        violations=_sorted(item for item in said if _is_violation(item)),
        exemptions=_sorted(item for item in said if item.policy == EXEMPTIONS),
        exempted=_sorted(item for item in said if item.policy == EXEMPTED),
        waiting=sum(int(match[1]) for line in waits if (match := _WAITING.search(line))),
        waits=tuple(line.strip() for line in waits if line.strip() and not _WAITING.search(line)),
    )
    return Log(findings, dict(_unchanged(events)))


def _events(text: str) -> Iterable[Mapping[str, Any]]:
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                return
            raise Unreadable(
                f"is no event log: line {number} is no JSON ({error.msg}); give what `--event-log` wrote"
            ) from None
        if not isinstance(event, dict):
            raise Unreadable(f"is no event log: line {number} is no object; give what `--event-log` wrote")
        yield event


def _is_violation(item: Violation) -> bool:
    # A stack may be one in which nothing may wait: then what waits refuses the change.
    return item.policy not in (EXEMPTED, EXEMPTIONS) and (item.policy != NOT_EVALUATED or item.mandatory)


def _is_of_policies(event: Mapping[str, Any]) -> bool:
    return any(kind.startswith("policy") for kind in event)


def _violation(event: Mapping[str, Any]) -> Violation:
    text = _COLOUR.sub("", str(event.get("message") or "")).strip()
    rule, _, message = text.partition("\n")
    urn = event.get("resourceUrn") or ""
    return Violation(
        policy=str(event.get("policyName") or "?"),
        severity=str(event.get("severity") or "low"),
        mandatory=event.get("enforcementLevel") == "mandatory",
        resource="" if "pulumi:pulumi:Stack" in urn else name_of(urn),
        rule=rule.strip() if message else "",
        message=(message or rule).strip(),
    )


def _sorted(found: Iterable[Violation]) -> tuple[Violation, ...]:
    return tuple(
        sorted(found, key=lambda item: (not item.mandatory, _rank(item.severity), item.policy, item.resource))
    )


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _unchanged(events: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, State]]:
    for event in events:
        metadata = (event.get("resourcePreEvent") or {}).get("metadata") or {}
        if metadata.get("op") == "same" and metadata.get("new"):
            yield metadata["urn"], State.model_validate(metadata["new"])
