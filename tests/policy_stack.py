"""Stacks for the rules that look at more than one resource: one in the making, and those that the program declares."""

import json
from types import SimpleNamespace

from catalogue import RULES
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy
from rules import Stack, literal

from tests.program import ROOT, stack_file
from tests.recorder import synthesise

STACK_RULES = [rule for rule in RULES if rule.whole_stack]


class Declared:
    """A stack in the making, judged by the rules of these ids.

    `refers` names, by property, the resources that the property comes from; one whose value is not given beside that
    is not known yet.
    """

    def __init__(self, rule_ids):
        self.resources = {}
        self._rules = [rule for rule in STACK_RULES if rule.id in rule_ids]

    def add(self, name, resource_type, props=None, /, **refers):
        self.resources[name] = SimpleNamespace(
            name=name,
            urn=f"urn:pulumi:prod::rentalfix::{resource_type}::{name}",
            resource_type=resource_type,
            opts=SimpleNamespace(protect=True),
            props=unknown_checking_proxy({**dict.fromkeys(refers, UNKNOWN_STRING_VALUE), **(props or {})}),
            property_dependencies={
                prop: [self.resources[target] for target in targets.split()]
                for prop, targets in refers.items()
            },
        )

    def spoil(self, name, /, **props):
        self.resources[name].props = unknown_checking_proxy(props)

    def change(self, name, /, **props):
        """The same resource with these properties beside its own."""
        own = self.resources[name].props
        kept = {key: literal(own, key) for key in own if key not in props}
        unknown = {key: UNKNOWN_STRING_VALUE for key, value in kept.items() if value is None}
        self.resources[name].props = unknown_checking_proxy({**kept, **unknown, **props})

    def findings(self, **settings):
        """What each rule says about each resource; `settings` are thresholds of the rules that have them."""
        stack = Stack(list(self.resources.values()))
        return {
            (rule.id, resource.name): said
            for rule in self._rules
            for resource in stack.of(sorted(rule.types))
            if (said := list(rule.check(resource, stack, **_of(rule, settings))))
        }


def _of(rule, settings):
    return {name: value for name, value in settings.items() if name in rule.settings}


def configuration_of(stack):
    """The pack's configuration for a stack: its system's own, or that of all stacks of its name."""
    name = stack.rpartition("/")[2]
    own = stack_file(stack).with_name(f"policies.{name}.json")
    file = own if own.exists() else ROOT / "policies" / "config" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def shown(recorded):
    """What was recorded, as the engine shows it to the pack once everything is up: no value is unknown any more.

    A rule about one resource sees its `inputs`, a rule about the whole stack its outputs as well, in `props`.
    """
    seen = {
        each.urn: SimpleNamespace(
            name=each.name,
            urn=each.urn,
            resource_type=each.type,
            opts=SimpleNamespace(protect=each.protect),
            inputs=unknown_checking_proxy(dict(each.inputs)),
            props=unknown_checking_proxy({**_outputs(each), **each.inputs}),
        )
        for each in recorded
    }
    for each in recorded:
        seen[each.urn].property_dependencies = {
            prop: [seen[urn] for urn in urns if urn in seen]
            for prop, urns in each.property_dependencies.items()
        }
    return list(seen.values())


def _outputs(resource):
    return synthesise(resource.type, resource.name, resource.inputs) if resource.custom else {}


def findings(recorded, config=None, rules=RULES):
    """What each rule says about each declared resource, with the thresholds of the configuration."""
    resources, config = shown(recorded), config or {}
    stack = Stack(resources)
    return [
        (rule, resource.name, finding)
        for rule in rules
        for resource in resources
        if resource.resource_type in rule.types
        for finding in rule.check(*_asked(rule, resource, stack), **_thresholds(rule, config))
    ]


def _asked(rule, resource, stack):
    if rule.whole_stack:
        return resource, stack
    return resource.inputs, *(getattr(resource, name) for name in rule.takes)


def _thresholds(rule, config):
    return _of(rule, config[rule.id]) if isinstance(config.get(rule.id), dict) else {}


def violations(recorded, config):
    """The findings that would stop a deployment, in words."""
    stopping = [
        rule for rule in RULES if not rule.advisory and config.get(rule.id) not in ("advisory", "disabled")
    ]
    return [f"{rule.id}: {name}: {finding}" for rule, name, finding in findings(recorded, config, stopping)]
