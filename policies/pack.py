"""Turns rules into the SDK's policies, and keeps account of what could not be evaluated."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

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
from pulumi_policy.proxy import UnknownValueError
from rules import Rule, Stack, Unreadable

NOT_EVALUATED = "not-evaluated"


class NotEvaluated:
    """The rules that met a value that is not known yet: in a preview, what another resource will give."""

    def __init__(self) -> None:
        self._rules: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, rule_id: str, resource_name: str, unknown: UnknownValueError) -> None:
        self._rules[".".join(unknown.props), resource_name].append(rule_id)

    def report(self) -> str | None:
        """One message for all of them, and an empty account; None if there are none."""
        resources: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for (prop, resource_name), rule_ids in sorted(self._rules.items()):
            resources[prop, ", ".join(sorted(rule_ids))].append(resource_name)
        count = sum(map(len, self._rules.values()))
        self._rules.clear()
        if not count:
            return None
        lines = [f"  {prop} of {', '.join(names)}: {rules}" for (prop, rules), names in resources.items()]
        return "\n".join([f"{count} checks wait for values that only `pulumi up` will know:", *lines])


def policies(rules: Sequence[Rule]) -> list[Policy]:
    """The SDK's policies for these rules; the last one reports what the others could not judge."""
    waiting = NotEvaluated()
    return [
        *(
            _stack_policy(rule, waiting) if rule.whole_stack else _resource_policy(rule, waiting)
            for rule in rules
        ),
        _not_evaluated_policy(waiting),
    ]


def _resource_policy(rule: Rule, waiting: NotEvaluated) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type not in rule.types:
            return
        subject = (args.props, *(getattr(args, name) for name in rule.takes))
        unknown = _judge(rule, subject, args.get_config(), args.urn, report)
        if unknown:
            waiting.add(rule.id, args.name, unknown)
            args.not_applicable(f"not evaluated: {unknown.message}")

    return ResourceValidationPolicy(
        name=rule.id,
        description=rule.what,
        validate=validate,
        enforcement_level=_level(rule),
        config_schema=_config_schema(rule),
        severity=Severity(rule.severity),
        tags=[*rule.checklist, *rule.frameworks],
        remediation_steps=rule.remedy,
    )


def _stack_policy(rule: Rule, waiting: NotEvaluated) -> Policy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        stack = Stack(args.resources)
        for resource in stack.of(sorted(rule.types)):
            unknown = _judge(rule, (resource, stack), args.get_config(), resource.urn, report)
            if unknown:
                waiting.add(rule.id, resource.name, unknown)

    return StackValidationPolicy(
        name=rule.id,
        description=rule.what,
        validate=validate,
        enforcement_level=_level(rule),
        config_schema=_config_schema(rule),
        severity=Severity(rule.severity),
        tags=[*rule.checklist, *rule.frameworks],
        remediation_steps=rule.remedy,
    )


def _level(rule: Rule) -> EnforcementLevel:
    return EnforcementLevel.ADVISORY if rule.advisory else EnforcementLevel.MANDATORY


def _config_schema(rule: Rule) -> PolicyConfigSchema:
    return PolicyConfigSchema({name: dict(schema) for name, schema in rule.settings.items()})


def _not_evaluated_policy(waiting: NotEvaluated) -> Policy:
    def validate(_: StackValidationArgs, report: ReportViolation) -> None:
        message = waiting.report()
        if message:
            report(message, None)

    return StackValidationPolicy(
        name=NOT_EVALUATED,
        description="What could not be judged is said, never passed over.",
        validate=validate,
        enforcement_level=EnforcementLevel.ADVISORY,
        severity=Severity.LOW,
    )


def _judge(
    rule: Rule, subject: tuple[Any, ...], config: Mapping[str, Any], urn: str, report: ReportViolation
) -> UnknownValueError | None:
    """Report what the rule finds; return the value that stopped it, if one did."""
    for name in sorted(set(config) - set(rule.settings)):
        report(unknown_setting(rule, name), urn)
    settings = {
        name: _typed(schema, config[name]) for name, schema in rule.settings.items() if name in config
    }
    try:
        for finding in rule.check(*subject, **settings):
            report(f"{finding}. {rule.remedy}.", urn)
    except Unreadable as error:
        report(f"{error}, so it cannot be judged", urn)
    except UnknownValueError as unknown:
        return unknown
    return None


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
