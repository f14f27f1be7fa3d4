"""Turns rules into the SDK's policies, and adds those that give account: not-evaluated, exempted, exemptions."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import exemptions
from exemptions import Exemptions
from ledger import Ledger
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError
from rules import Rule, Stack, Unreadable

NOT_EVALUATED = "not-evaluated"
EXEMPTED = "exempted"
EXEMPTIONS = "exemptions"
# What these three take from the pack's configuration.
SETTINGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    NOT_EVALUATED: {},
    EXEMPTED: {},
    EXEMPTIONS: exemptions.SETTINGS,
}


def policies(rules: Sequence[Rule]) -> list[Policy]:
    """The SDK's policies for these rules; the last ones say what the others kept back, and why."""
    ledger = Ledger(Exemptions([], (), _today()))
    return [
        *(StackRule(rule, ledger) if rule.whole_stack else ResourceRule(rule, ledger) for rule in rules),
        NotEvaluated(ledger),
        ExemptedFindings(ledger),
        ExemptionsHold(ledger, [rule.id for rule in rules]),
    ]


class ResourceRule(ResourceValidationPolicy):
    """A rule about one resource. The engine asks it about resources of `types` alone (analyzer.py)."""

    def __init__(self, rule: Rule, ledger: Ledger) -> None:
        # The SDK's annotation promises an Awaitable; its code takes the properties themselves, too.
        remediate: Any = self._remediation if rule.remediates else None
        super().__init__(**_description(rule), validate=self._validation, remediate=remediate)
        self.types = rule.types
        self._rule = rule
        self._ledger = ledger

    def _validation(self, args: ResourceValidationArgs, report: ReportViolation) -> None:
        unknown = _judge(self._rule, self._subject(args), args.get_config(), args.urn, report, self._ledger)
        if unknown:
            self._ledger.waits(self._rule, args.urn, args.name, unknown, report)
            if not self._rule.must_know:
                args.not_applicable(f"not evaluated: {unknown.message}")

    def _remediation(self, args: ResourceValidationArgs) -> Mapping[str, Any] | None:
        """The resource as it should be, where the rule finds something that a constant mends."""
        changes = self._rule.remediates.get(args.resource_type)
        settings = _settings(self._rule, args.get_config())
        if not changes or not any(self._rule.check(*self._subject(args), **settings)):
            return None
        if self._ledger.exemptions.covering(self._rule.id, args.urn):
            return None
        # Set in the SDK's own view of them, which keeps what is unknown unknown and what is secret secret.
        properties: Any = args.props
        for name, value in changes.items():
            properties[name] = value
        return properties

    def _subject(self, args: ResourceValidationArgs) -> tuple[Any, ...]:
        return (args.props, *(getattr(args, name) for name in self._rule.takes))


class StackRule(StackValidationPolicy):
    """A rule about resources of its types among all that the stack declares."""

    def __init__(self, rule: Rule, ledger: Ledger) -> None:
        super().__init__(**_description(rule), validate=self._validation)
        self._rule = rule
        self._ledger = ledger

    def _validation(self, args: StackValidationArgs, report: ReportViolation) -> None:
        stack = Stack.shared(args.resources)
        for resource in stack.of(sorted(self._rule.types)):
            subject = (resource, stack)
            unknown = _judge(self._rule, subject, args.get_config(), resource.urn, report, self._ledger)
            if unknown:
                self._ledger.waits(self._rule, resource.urn, resource.name, unknown, report)


class NotEvaluated(StackValidationPolicy):
    def __init__(self, ledger: Ledger) -> None:
        super().__init__(
            name=NOT_EVALUATED,
            description="What could not be judged is said, never passed over.",
            validate=self._validation,
            enforcement_level=EnforcementLevel.ADVISORY,
            severity=Severity.LOW,
        )
        self._ledger = ledger

    def _validation(self, _: StackValidationArgs, report: ReportViolation) -> None:
        message = self._ledger.take_waiting()
        if message:
            report(message, None)


class ExemptedFindings(StackValidationPolicy):
    def __init__(self, ledger: Ledger) -> None:
        super().__init__(
            name=EXEMPTED,
            description="A finding that is exempt is shown as long as it is.",
            validate=self._validation,
            enforcement_level=EnforcementLevel.ADVISORY,
            severity=Severity.LOW,
        )
        self._ledger = ledger

    def _validation(self, _: StackValidationArgs, report: ReportViolation) -> None:
        for exempted in self._ledger.take_exempted():
            report(str(exempted), exempted.urn)


class ExemptionsHold(StackValidationPolicy):
    """Comes last: only then is it known which exemption was of no use."""

    def __init__(self, ledger: Ledger, rule_ids: Sequence[str]) -> None:
        super().__init__(
            name=EXEMPTIONS,
            description="An exemption has a rule, a resource, a reason, an owner and an end, and is needed.",
            validate=self._validation,
            enforcement_level=EnforcementLevel.MANDATORY,
            config_schema=_config_schema(SETTINGS[EXEMPTIONS]),
            severity=Severity.HIGH,
        )
        self._ledger = ledger
        self._rule_ids = rule_ids

    def configure(self, config: Mapping[str, Any]) -> None:
        """The analyzer calls it before the first resource, since every rule needs to know what is exempt."""
        self._ledger.exemptions = Exemptions(config.get("granted") or [], self._rule_ids, _today())

    def _validation(self, _: StackValidationArgs, report: ReportViolation) -> None:
        granted = self._ledger.exemptions
        for problem in [*granted.problems, *granted.unused()]:
            report(f"{problem}.", None)


def _today() -> Any:
    return datetime.now(UTC).date()


def _description(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.id,
        "description": rule.what.partition("\n\n")[0],  # the rest says how to set it
        "enforcement_level": EnforcementLevel.ADVISORY if rule.advisory else EnforcementLevel.MANDATORY,
        "config_schema": _config_schema(rule.settings),
        "severity": Severity(rule.severity),
        "tags": [*rule.checklist, *rule.frameworks],
        "remediation_steps": rule.remedy,
    }


def _config_schema(settings: Mapping[str, Mapping[str, Any]]) -> PolicyConfigSchema:
    return PolicyConfigSchema({name: dict(schema) for name, schema in settings.items()})


def _judge(
    rule: Rule,
    subject: tuple[Any, ...],
    config: Mapping[str, Any],
    urn: str,
    report: ReportViolation,
    ledger: Ledger,
) -> UnknownValueError | None:
    """Report what the rule finds; return the value that stopped it, if one did."""
    for name in sorted(set(config) - set(rule.settings)):
        report(unknown_setting(rule, name), urn)
    try:
        for finding in rule.check(*subject, **_settings(rule, config)):
            ledger.found(rule, urn, f"{finding}. {rule.remedy}.", report)
    except Unreadable as error:
        ledger.found(rule, urn, f"{error}, so it cannot be judged.", report)
    except UnknownValueError as unknown:
        return unknown
    except KeyError as missing:
        # A property that its type requires is only missing where the engine leaves the resource out: `up --target`.
        return UnknownValueError(UNKNOWN_STRING_VALUE, [str(missing.args[0])])
    return None


def _settings(rule: Rule, config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _typed(schema, config[name]) for name, schema in rule.settings.items() if name in config}


def unknown_setting(rule: Rule, name: str) -> str:
    known = ", ".join(sorted(rule.settings)) or "none"
    return f"the policy configuration sets {name}, which {rule.id} does not have (its settings: {known})"


def _typed(schema: Mapping[str, Any], value: Any) -> Any:
    """The engine has checked the type, but every number comes as a float."""
    if schema["type"] == "integer":
        return int(value)
    if schema["type"] == "array":
        return [_typed(schema["items"], item) for item in value]
    return value
