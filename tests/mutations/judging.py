"""A declared stack as the pack sees it, and what the pack says of it when something in it is changed.

A change is judged by every rule that can see it: the rules about the changed resources, and each whole-stack rule
about each resource for which it asked for one of their types when it judged the stack unchanged. The others can say
nothing new.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from catalogue import RULES
from pulumi_policy import PolicyResource, PolicyResourceOptions
from pulumi_policy.policy import PolicyCustomTimeouts
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy
from rules import Rule, Stack, Unreadable

from tests.program import ROOT, stack_file
from tests.recorder import Declared, Recording, synthesise

LEVEL = "enforcementLevel"
NO_TIMEOUTS = PolicyCustomTimeouts(0, 0, 0)
NO_OPTIONS = PolicyResourceOptions(False, [], None, [], NO_TIMEOUTS, [])

# Shorter outputs, such as a version "1", stand in other texts by chance.
SHORTEST_OUTPUT = 8

# What stands among a rule's findings when it met a value that only `pulumi up` will know.
WAITS = "waits for a value"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One declared resource; `refers` holds, by property, the URNs of the resources that its value comes from."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]  # those that are no inputs
    refers: Mapping[str, frozenset[str]]
    options: PolicyResourceOptions = NO_OPTIONS

    @cached_property
    def names(self) -> set[str]:
        """Every text that another resource may have of it."""
        return _texts(self.inputs) | _texts(self.outputs)

    @cached_property
    def properties(self) -> Any:
        """What a resource rule is asked about."""
        return unknown_checking_proxy(_on_the_wire(self.inputs))

    @cached_property
    def policy_resource(self) -> PolicyResource:
        """What a whole-stack rule is asked about: with what came of it.

        What it refers to has no properties here, so that a rule has to ask the stack for them, and is seen to.
        """
        properties = unknown_checking_proxy(_on_the_wire({**self.outputs, **self.inputs}))
        refers: Any = {name: [_target(urn) for urn in sorted(urns)] for name, urns in self.refers.items()}
        every = [target for targets in refers.values() for target in targets]
        return PolicyResource(
            self.type, properties, self.urn, self.name, self.options, None, None, every, refers
        )


def _texts(values: Mapping[str, Any]) -> set[str]:
    return {value for value in values.values() if isinstance(value, str) and value}


def _target(urn: str) -> Any:
    """A type in a URN stands behind its parents' ones: `groundwork:data:Database$aws:rds/instance:Instance`."""
    types, name = urn.rsplit("::", 2)[1:]
    return SimpleNamespace(urn=urn, name=name, resource_type=types.rpartition("$")[2])


def _on_the_wire(value: Any) -> Any:
    """Every number is a double there."""
    if isinstance(value, Mapping):
        return {key: _on_the_wire(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_on_the_wire(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


# The changed resources by URN; None for one that is gone.
Changes = Mapping[str, Resource | None]
# What rules say, by rule and URN.
Findings = Mapping[tuple[str, str], Sequence[str]]
Resources = Mapping[str, Resource]


def declared_resources(recording: Recording) -> Resources:
    """By URN and in that order, since a program declares them in another one each time."""
    custom = sorted((each for each in recording if each.custom), key=lambda each: each.urn)
    return {each.urn: _resource(each) for each in custom}


def _resource(declared: Declared) -> Resource:
    outputs = synthesise(declared.type, declared.name, declared.inputs)
    return Resource(
        urn=declared.urn,
        type=declared.type,
        name=declared.name,
        inputs=declared.inputs,
        outputs={key: value for key, value in outputs.items() if key not in declared.inputs},
        refers=declared.property_dependencies,
        options=PolicyResourceOptions(
            declared.protect,
            list(declared.ignore_changes),
            declared.delete_before_replace,
            list(declared.aliases),
            NO_TIMEOUTS,
            [],
            declared.parent or None,
        ),
    )


# By URN: what a preview does not know of a resource.
Unknown = Mapping[str, Collection[str]]


def unknown_in_a_preview(stack: Resources) -> Unknown:
    """Outputs that are no echo of what was asked for, and what is asked for with such an output of another resource."""
    unknown = {urn: _long(_texts(each.outputs) - _texts(each.inputs)) for urn, each in stack.items()}
    while True:
        more = {
            urn: _long(_texts(each.inputs) - _texts(in_a_preview(each, unknown).inputs))
            for urn, each in stack.items()
        }
        if all(texts <= unknown[urn] for urn, texts in more.items()):
            return unknown
        unknown = {urn: texts | more[urn] for urn, texts in unknown.items()}


def _long(texts: set[str]) -> set[str]:
    return {text for text in texts if len(text) >= SHORTEST_OUTPUT}


def in_a_preview(resource: Resource, unknown: Unknown) -> Resource:
    """The resource before anything is made: with neither its outputs nor a text that has an unknown one in it."""
    inputs = {
        name: _without_outputs(
            value, {text for urn in resource.refers.get(name, ()) for text in unknown.get(urn, ())}
        )
        for name, value in resource.inputs.items()
    }
    return replace(resource, inputs=inputs, outputs=dict.fromkeys(resource.outputs, UNKNOWN_STRING_VALUE))


def _without_outputs(value: Any, outputs: set[str]) -> Any:
    if not outputs:
        return value
    if isinstance(value, Mapping):
        return {key: _without_outputs(inner, outputs) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_outputs(inner, outputs) for inner in value]
    has_one = isinstance(value, str) and any(output in value for output in outputs)
    return UNKNOWN_STRING_VALUE if has_one else value


def with_inputs(resource: Resource, inputs: Mapping[str, Any], stack: Resources) -> Resource:
    """With these inputs; a property that has lost what came from another resource does not refer to it any more."""
    refers = {
        name: frozenset(
            urn for urn in urns if _is_still_there(urn, resource.inputs[name], inputs[name], stack)
        )
        for name, urns in resource.refers.items()
        if name in inputs and name in resource.inputs
    }
    return replace(resource, inputs=inputs, refers=refers)


def _is_still_there(urn: str, was: Any, becomes: Any, stack: Resources) -> bool:
    if was == becomes or urn not in stack:
        return True
    named = [text for text in stack[urn].names if text in str(was) and len(text) >= SHORTEST_OUTPUT]
    return not named or any(text in str(becomes) for text in named)


def pack_configuration(stack: str) -> dict[str, Any]:
    """What `make preview` hands to the pack for the stack: its own file, or that of all stacks of its name."""
    _, _, name = stack.rpartition("/")
    own = stack_file(stack).with_name(f"policies.{name}.json")
    file = own if own.is_file() else ROOT / "policies" / "config" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))


class _Whole(Stack):
    """The stack as it stands; keeps which types it was asked for."""

    def __init__(self, resources: Sequence[PolicyResource]) -> None:
        super().__init__(resources)
        self.types: set[str] = set()

    def of(self, types: Sequence[str]) -> list[PolicyResource]:
        self.types.update(types)
        return super().of(types)

    def referring(self, types: Sequence[str], prop: str, target: PolicyResource) -> list[PolicyResource]:
        self.types.update(types)
        return super().referring(types, prop, target)

    def referred(self, resource: PolicyResource, prop: str, types: Sequence[str]) -> list[PolicyResource]:
        self.types.update(types)
        return super().referred(resource, prop, types)

    def called(self, names: Collection[str], types: Sequence[str]) -> list[PolicyResource]:
        self.types.update(types)
        return super().called(names, types)


class _Changed(Stack):
    """The whole with some resources changed, gone or new: so no mutant has to look through all of them again."""

    def __init__(self, whole: Stack, changes: Mapping[str, PolicyResource | None]) -> None:
        self._whole = whole
        self._changes = changes
        self._new = Stack([each for each in changes.values() if each is not None])

    def of(self, types: Sequence[str]) -> list[PolicyResource]:
        found = []
        for type_ in types:
            there = self._whole.of([type_])
            found += [self._changes.get(each.urn, each) for each in there]
            found += [
                each for each in self._new.of([type_]) if each.urn not in {known.urn for known in there}
            ]
        return [each for each in found if each is not None]

    def referring(self, types: Sequence[str], prop: str, target: PolicyResource) -> list[PolicyResource]:
        return self._both(
            self._whole.referring(types, prop, target), self._new.referring(types, prop, target)
        )

    def referred(self, resource: PolicyResource, prop: str, types: Sequence[str]) -> list[PolicyResource]:
        return self._both(
            self._whole.referred(resource, prop, types), self._new.referred(resource, prop, types)
        )

    def called(self, names: Collection[str], types: Sequence[str]) -> list[PolicyResource]:
        return self._both(self._whole.called(names, types), self._new.called(names, types))

    def _both(self, there: list[PolicyResource], new: list[PolicyResource]) -> list[PolicyResource]:
        return [*(each for each in there if each.urn not in self._changes), *new]


class Bench:
    """One stack before the pack; `findings` is what is said of it as it stands."""

    def __init__(
        self, resources: Resources, configuration: Mapping[str, Any], rules: Sequence[Rule] = RULES
    ) -> None:
        self.resources = resources
        self.levels = {rule.id: _level(rule, configuration.get(rule.id)) for rule in rules}
        self.rules = {rule.id: rule for rule in rules if self.levels[rule.id] != "disabled"}
        self.settings = {rule_id: _settings(configuration.get(rule_id)) for rule_id in self.rules}
        self._by_type: dict[str, list[Resource]] = defaultdict(list)
        for each in resources.values():
            self._by_type[each.type].append(each)
        self._about: dict[str, list[Rule]] = defaultdict(list)
        for rule in self.rules.values():
            for type_ in rule.types:
                self._about[type_].append(rule)
        self._whole = _Whole([each.policy_resource for each in resources.values()])
        # By type: which rule asked for it when it judged which resource.
        self._asking: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.findings: Findings = self._of_resources(resources.values())
        for rule in self.rules.values():
            if rule.whole_stack:
                self.findings = {**self.findings, **self._learned(rule)}

    @property
    def said(self) -> Findings:
        """The findings that are violations."""
        real = {key: [each for each in said if each != WAITS] for key, said in self.findings.items()}
        return {key: said for key, said in real.items() if said}

    def of(self, types: Iterable[str]) -> list[Resource]:
        return [each for type_ in types for each in self._by_type.get(type_, ())]

    def setting(self, rule_id: str, name: str) -> Any:
        """What the stack's configuration gives the rule; its default else. Raises KeyError for no setting of it."""
        return self.settings[rule_id].get(name, self.rules[rule_id].settings[name]["default"])

    def judged(self, changes: Changes, by: Rule | None = None) -> Findings:
        """What the rules that can see the changes say of the stack with them, or that one alone."""
        there = [each for each in changes.values() if each is not None]
        touched = {each.type for each in there} | {
            self.resources[urn].type for urn in changes if urn in self.resources
        }
        keys = {key for type_ in touched for key in self._asking.get(type_, ())}
        keys |= {(rule.id, each.urn) for each in there for rule in self._about.get(each.type, ())}
        seen = {urn: None if each is None else each.policy_resource for urn, each in changes.items()}
        stack = _Changed(self._whole, seen)
        found = self._of_resources(there, by)
        for rule_id, urn in keys:
            rule, subject = self.rules[rule_id], changes.get(urn, self.resources.get(urn))
            if rule.whole_stack and subject is not None and by in (None, rule):
                found[rule_id, urn] = heard(rule, (subject.policy_resource, stack), self.settings[rule_id])
        return found

    def news(self, findings: Findings) -> dict[str, set[str]]:
        """The URNs of which a rule says something that it does not say of the stack as it stands, by rule."""
        new: dict[str, set[str]] = defaultdict(set)
        for (rule_id, urn), said in findings.items():
            if not {*self.findings.get((rule_id, urn), ()), WAITS}.issuperset(said):
                new[rule_id].add(urn)
        return new

    def _of_resources(
        self, resources: Iterable[Resource], by: Rule | None = None
    ) -> dict[tuple[str, str], Sequence[str]]:
        return {
            (rule.id, each.urn): said
            for each in resources
            for rule in self._about.get(each.type, ())
            if not rule.whole_stack
            and by in (None, rule)
            and (said := heard(rule, subject_of(rule, each), self.settings[rule.id]))
        }

    def _learned(self, rule: Rule) -> Findings:
        """What a whole-stack rule says of the stack as it stands; notes what it has to ask for that."""
        found = {}
        for subject in self.of(sorted(rule.types)):
            self._whole.types = set()
            said = heard(rule, (subject.policy_resource, self._whole), self.settings[rule.id])
            for type_ in self._whole.types:
                self._asking[type_].add((rule.id, subject.urn))
            found[rule.id, subject.urn] = said
        return found


def _level(rule: Rule, said: Any) -> str:
    level = said.get(LEVEL) if isinstance(said, Mapping) else said
    return level or ("advisory" if rule.advisory else "mandatory")


def _settings(said: Any) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key != LEVEL} if isinstance(said, Mapping) else {}


def subject_of(rule: Rule, resource: Resource) -> tuple[Any, ...]:
    asked = {"name": resource.name, "resource_type": resource.type}
    return (resource.properties, *(asked[what] for what in rule.takes))


def heard(rule: Rule, subject: Sequence[Any], settings: Mapping[str, Any]) -> Sequence[str]:
    said: list[str] = []
    try:
        for finding in rule.check(*subject, **settings):
            said.append(finding)  # what is found before a value stops the rule counts
    except Unreadable as error:
        said.append(str(error))
    except UnknownValueError:
        said.append(WAITS)
    return said
