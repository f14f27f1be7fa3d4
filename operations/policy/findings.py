"""What the policies said in one preview, read from the engine's event log. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from operations.policy.catalogue import Rule, Severity
from operations.policy.places import Place, Places
from operations.policy.stacks import Stack

# The policies with which the pack gives account of itself.
NOT_EVALUATED = "not-evaluated"
EXEMPTED = "exempted"

FailOn = Literal["low", "medium", "high", "critical", "mandatory", "never"]
Status = Literal["failed", "exempt", "waits", "off", "not applicable", "passed"]

_EXEMPTION = re.compile(
    r"(?P<rule>[\w-]+): (?P<found>.*) Exempt until (?P<expires>\S+) by (?P<owner>.+?): (?P<reason>.*)\.",
    re.DOTALL,
)
_WAITING = re.compile(r"\s+(?P<value>.+?) of (?P<resources>.+): (?P<rules>.+)")
# What the engine adds to an error that it has reported already.
_ECHO = "preview failed"


@dataclass(frozen=True)
class Resource:
    urn: str

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]

    @property
    def type(self) -> str:
        parts = self.urn.split("::")
        return parts[2].rsplit("$", 1)[-1] if len(parts) > 2 else ""

    @property
    def is_stack(self) -> bool:
        """Whether this is the stack itself, which the engine names where a message is about no resource."""
        return self.type in ("", "pulumi:pulumi:Stack")

    def __str__(self) -> str:
        """`LogGroup database-postgresql`."""
        return "the stack" if self.is_stack else f"{self.type.rsplit(':', 1)[-1]} {self.name}"


@dataclass(frozen=True)
class Finding:
    """A violation: `what` should hold, what was `found` instead, and the `remedy`, a sentence each."""

    rule: str
    severity: str
    mandatory: bool
    resource: Resource
    what: str
    found: str
    remedy: str
    place: Place

    @property
    def level(self) -> str:
        return "mandatory" if self.mandatory else "advisory"

    def counts(self, fail_on: FailOn) -> bool:
        """Whether a check that is to fail on `fail_on` fails on this."""
        if fail_on == "never":
            return False
        if fail_on == "mandatory":
            return self.mandatory
        return rank(self.severity) >= rank(fail_on)


@dataclass(frozen=True)
class Exempted:
    """A finding that somebody accepts until a date (`expires`, YYYY-MM-DD)."""

    rule: str
    severity: str
    resource: Resource
    found: str
    expires: str
    owner: str
    reason: str
    place: Place


@dataclass(frozen=True)
class Waiting:
    """A value that only `pulumi up` will know, and the rules that need it; each rule and resource is one check."""

    value: str
    resources: tuple[str, ...]
    rules: tuple[str, ...]

    @property
    def checks(self) -> int:
        return len(self.resources) * len(self.rules)


@dataclass(frozen=True)
class Remediated:
    """A resource that a rule with the level `remediate` has changed before it was judged."""

    rule: str
    resource: Resource


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is known of one stack after a check; `problem` says in sentences why it could not be judged."""

    stack: Stack
    seconds: float
    findings: Sequence[Finding] = ()
    exempted: Sequence[Exempted] = ()
    waiting: Sequence[Waiting] = ()
    remediated: Sequence[Remediated] = ()
    types: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    resources: int = 0
    pack_version: str = ""
    problem: str = ""

    def status(self, rule: Rule) -> Status:
        """How a rule came out. One that still waits for a value has not passed, whatever else it has seen."""
        if any(found.rule == rule.id for found in self.findings):
            return "failed"
        if self.waiting_of(rule.id):
            return "waits"
        if any(found.rule == rule.id for found in self.exempted):
            return "exempt"
        if rule.id not in self.asked:
            return "off"
        return "not applicable" if self.types.isdisjoint(rule.types) else "passed"

    def statuses(self, rules: Iterable[Rule]) -> Counter[Status]:
        return Counter(map(self.status, rules))

    def waiting_of(self, rule_id: str) -> int:
        """How many checks of the rule wait."""
        return sum(len(each.resources) for each in self.waiting if rule_id in each.rules)

    @property
    def waiting_checks(self) -> int:
        return sum(each.checks for each in self.waiting)

    def counted(self, fail_on: FailOn) -> list[Finding]:
        return [found for found in self.findings if found.counts(fail_on)]


def rank(severity: str) -> int:
    """0 for low to 3 for critical; a severity that is not known is as good as the highest."""
    known = list(Severity)
    return known.index(Severity(severity)) if severity in known else len(known)


def exit_code(judgements: Iterable[Judgement], fail_on: FailOn) -> int:
    """0: nothing that counts; 1: findings that do; 2: a stack could not be judged, whatever the others say."""
    judgements = list(judgements)
    if any(each.problem for each in judgements):
        return 2
    return 1 if any(each.counted(fail_on) for each in judgements) else 0


@dataclass
class Reader:
    """Folds the events of one preview into a judgement."""

    stack: Stack
    rules: Mapping[str, Rule]
    places: Places
    errors: list[str] = field(default_factory=list)
    is_judged: bool = False
    _findings: list[Finding] = field(default_factory=list)
    _exempted: list[Exempted] = field(default_factory=list)
    _waiting: list[Waiting] = field(default_factory=list)
    _remediated: list[Remediated] = field(default_factory=list)
    _types: set[str] = field(default_factory=set)
    _asked: set[str] = field(default_factory=set)
    _resources: int = 0
    _pack_version: str = ""

    def add(self, event: Mapping[str, Any]) -> None:
        if "policyEvent" in event:
            self._violation(event["policyEvent"])
        elif "policyRemediationEvent" in event:
            said = event["policyRemediationEvent"]
            self._remediated.append(Remediated(said["policyName"], Resource(said.get("resourceUrn") or "")))
        elif "resourcePreEvent" in event:
            self._types.add(event["resourcePreEvent"]["metadata"]["type"])
            self._resources += not event["resourcePreEvent"]["metadata"]["type"].startswith("pulumi:")
        elif "diagnosticEvent" in event:
            self._diagnostic(event["diagnosticEvent"])
        for kind in ("policyAnalyzeSummaryEvent", "policyAnalyzeStackSummaryEvent"):
            if kind in event:
                self._asked.update(event[kind].get("passed") or [], event[kind].get("failed") or [])
                self._pack_version = event[kind].get("policyPackVersion") or self._pack_version
                # The rules about the whole stack come last: a program that fails before them is not judged.
                self.is_judged |= kind == "policyAnalyzeStackSummaryEvent"

    @property
    def is_refused(self) -> bool:
        """Whether the policies themselves made the preview fail."""
        return any(found.mandatory for found in self._findings)

    def judgement(self, *, seconds: float, problem: str = "") -> Judgement:
        return Judgement(
            stack=self.stack,
            seconds=seconds,
            findings=tuple(sorted(self._findings, key=_gravest_first)),
            exempted=tuple(self._exempted),
            waiting=tuple(self._waiting),
            remediated=tuple(self._remediated),
            types=frozenset(self._types),
            asked=frozenset(self._asked),
            resources=self._resources,
            pack_version=self._pack_version,
            problem=problem,
        )

    def _diagnostic(self, said: Mapping[str, Any]) -> None:
        text = said["message"].strip()
        if said["severity"] != "error" or text == _ECHO:
            return
        resource = Resource(said.get("urn") or "")
        sentence = text if resource.is_stack else f"{resource}: {text}"
        if sentence not in self.errors:
            self.errors.append(sentence)

    def _violation(self, event: Mapping[str, Any]) -> None:
        what, _, text = event["message"].strip().partition("\n")
        policy = event["policyName"]
        resource = Resource(event.get("resourceUrn") or "")
        mandatory = event["enforcementLevel"] == "mandatory"
        if policy == EXEMPTED and (granted := _EXEMPTION.fullmatch(text)):
            self._exempted.append(self._exemption(granted, resource))
            return
        if policy == NOT_EVALUATED:
            headline, *lines = text.splitlines() or [what]
            self._waiting += map(_waiting, lines)
            # Only a stack that may not wait for anything is given that policy as a mandatory one.
            if not mandatory:
                return
            text = headline.rstrip(":") + "."
        self._findings.append(
            Finding(
                rule=policy,
                severity=event.get("severity") or "",
                mandatory=mandatory,
                resource=resource,
                what=what,
                **self._explained(policy, text or what, resource),
            )
        )

    def _exemption(self, granted: re.Match[str], resource: Resource) -> Exempted:
        rule = self.rules.get(granted["rule"])
        explained = self._explained(granted["rule"], granted["found"], resource)
        return Exempted(
            rule=granted["rule"],
            severity=rule.severity if rule else "",
            resource=resource,
            found=explained["found"],
            expires=granted["expires"],
            owner=granted["owner"],
            reason=granted["reason"],
            place=explained["place"],
        )

    def _explained(self, policy: str, text: str, resource: Resource) -> dict[str, Any]:
        """The finding apart from the remedy, which ends every message of a rule."""
        rule = self.rules.get(policy)
        remedy = f"{rule.remedy}." if rule else ""
        found = text.removesuffix(remedy).strip()
        return {"found": found, "remedy": remedy, "place": self.places.of(remedy, resource.name)}


def _waiting(line: str) -> Waiting:
    said = _WAITING.fullmatch(line)
    if not said:
        return Waiting(line.strip(), (), ())
    return Waiting(said["value"], tuple(said["resources"].split(", ")), tuple(said["rules"].split(", ")))


def _gravest_first(found: Finding) -> tuple[int, bool, str]:
    return -rank(found.severity), not found.mandatory, found.rule
