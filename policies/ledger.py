"""What one run of the pack keeps beside its violations: what was exempt, and what could not be judged yet."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from exemptions import Exemption, Exemptions
from pulumi_policy import ReportViolation
from pulumi_policy.proxy import UnknownValueError
from rules import Rule


@dataclass(frozen=True)
class Exempted:
    exemption: Exemption
    urn: str
    finding: str

    def __str__(self) -> str:
        granted = self.exemption
        return f"{granted.rule}: {self.finding} Exempt until {granted.expires} by {granted.owner}: {granted.reason}."


@dataclass
class Ledger:
    """The engine starts a run with the first resource; whoever reads an account at the end of the stack empties it."""

    exemptions: Exemptions
    _exempted: list[Exempted] = field(default_factory=list)
    _waiting: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def found(self, rule: Rule, urn: str, finding: str, report: ReportViolation) -> None:
        """A violation, unless it is exempt."""
        exemption = self.exemptions.covering(rule.id, urn)
        if exemption:
            self._exempted.append(Exempted(exemption, urn, finding))
        else:
            report(finding, urn)

    def waits(
        self, rule: Rule, urn: str, name: str, unknown: UnknownValueError, report: ReportViolation
    ) -> None:
        """A value that only `pulumi up` will know: a violation where the rule must know, or a line of the report.

        An exemption that would cover it is not unused, since what it excuses may still be found.
        """
        path = ".".join(unknown.props)
        if rule.must_know:
            finding = (
                f"{path} is not known in a preview, and has to be: write the value itself. {rule.remedy}."
            )
            self.found(rule, urn, finding, report)
            return
        self.exemptions.covering(rule.id, urn)
        self._waiting[path, name].append(rule.id)

    def take_exempted(self) -> Sequence[Exempted]:
        taken, self._exempted = self._exempted, []
        return taken

    def take_waiting(self) -> str | None:
        """One message for all that waits; None if nothing does."""
        resources: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for (path, name), rule_ids in sorted(self._waiting.items()):
            resources[path, ", ".join(sorted(rule_ids))].append(name)
        count = sum(map(len, self._waiting.values()))
        self._waiting.clear()
        if not count:
            return None
        lines = [f"  {path} of {', '.join(names)}: {rules}" for (path, rules), names in resources.items()]
        waits = "1 check waits" if count == 1 else f"{count} checks wait"
        return "\n".join([f"{waits} for values that only `pulumi up` will know:", *lines])
