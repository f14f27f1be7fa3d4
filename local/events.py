"""What the engine reports while it works (its event log), folded into what a person wants to know. Pure."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Colours arrive as `<{%fg 1%}>`.
_COLOUR = re.compile(r"<\{%.*?%\}>")
FINAL_EVENTS = ("resOutputsEvent", "resOpFailedEvent")


@dataclass(frozen=True)
class Resource:
    urn: str
    type: str
    parent: str
    custom: bool
    protect: bool = False

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True)
class Violation:
    policy: str
    severity: str
    mandatory: bool
    message: str
    resource: str


@dataclass
class Report:
    """Everything said in one run of the engine."""

    resources: dict[str, Resource] = field(default_factory=dict)
    operations: dict[str, str] = field(default_factory=dict)
    done: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    policies: set[str] = field(default_factory=set)

    def add(self, event: Mapping[str, Any]) -> str | None:
        """Takes one event in; gives the URN of a resource whose turn it was."""
        if "resourcePreEvent" in event:
            return self._begin(event["resourcePreEvent"]["metadata"])
        if any(kind in event for kind in FINAL_EVENTS):
            self.done += 1
        elif "diagnosticEvent" in event:
            self._diagnose(event["diagnosticEvent"])
        elif "policyEvent" in event:
            self._violate(event["policyEvent"])
        elif "summaryEvent" in event:
            self.changes.update(event["summaryEvent"].get("resourceChanges") or {})
        for kind in ("policyAnalyzeSummaryEvent", "policyAnalyzeStackSummaryEvent"):
            if kind in event:
                self.policies.update(event[kind].get("passed") or [])
                self.policies.update(event[kind].get("failed") or [])
        return None

    def _begin(self, metadata: Mapping[str, Any]) -> str:
        urn = metadata["urn"]
        state = metadata.get("new") or metadata.get("old") or {}
        self.operations[urn] = metadata["op"]
        self.resources[urn] = Resource(
            urn=urn,
            type=metadata["type"],
            parent=state.get("parent") or "",
            custom=bool(state.get("custom")),
            protect=bool(state.get("protect")),
        )
        return urn

    def _diagnose(self, diagnostic: Mapping[str, Any]) -> None:
        kept = {"error": self.errors, "warning": self.warnings}.get(diagnostic["severity"])
        if kept is None or diagnostic.get("ephemeral"):
            return
        message = _COLOUR.sub("", diagnostic["message"]).strip()
        urn = diagnostic.get("urn")
        text = f"{_short(urn)}: {message}" if urn and "pulumi:pulumi:Stack" not in urn else message
        if text not in kept:
            kept.append(text)

    def _violate(self, event: Mapping[str, Any]) -> None:
        self.violations.append(
            Violation(
                policy=event["policyName"],
                severity=event.get("severity") or "",
                mandatory=event["enforcementLevel"] == "mandatory",
                message=" ".join(_COLOUR.sub("", event["message"]).split()),
                resource=_short(event.get("resourceUrn") or ""),
            )
        )


def _short(urn: str) -> str:
    """`aws:s3/bucket:Bucket uploads`, from a URN."""
    parts = urn.split("::")
    return f"{parts[2].rsplit('$', 1)[-1]} {parts[3]}" if len(parts) == 4 else urn


def resources_of(deployment: Mapping[str, Any]) -> list[Resource]:
    """The resources of an exported deployment, without those that a replacement has still to delete."""
    return [
        Resource(
            urn=found["urn"],
            type=found["type"],
            parent=found.get("parent", ""),
            custom=found.get("custom", False),
            protect=found.get("protect", False),
        )
        for found in deployment.get("resources") or []
        if not found.get("delete")
    ]
