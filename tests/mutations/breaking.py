"""What can be done to a declared stack: take away what stands beside a resource, turn it elsewhere, weaken it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

from tests.mutations.carrying import Unfit
from tests.mutations.judging import Bench, Changes, Resource, with_inputs

NOT_THERE = "another"  # what a reference names that the stack does not have

# Both raise `Unfit` where there is nothing to break.
Breaking = Callable[[Bench, Resource], Changes]
Companions = Callable[[Bench, Resource], Sequence[Resource]]
Edit = Callable[[Resource], Resource]


@dataclass(frozen=True)
class Breach:
    """One way to break a whole-stack rule.

    `breaking` gets each resource of the rule's types, or of those in `on`; or the one that `brings` holds, where a
    stack need not have any; with `once` the first one, for a rule that names one resource for all. `also` holds which
    other rules have something to say of it, and why.
    """

    says: str
    breaking: Breaking
    on: Sequence[str] = ()
    _: KW_ONLY
    brings: Resource | None = None
    once: bool = False
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_for_all(self) -> bool:
        """Whether the resource that is named stands for all of the rule's types."""
        return self.once and not self.on


def of_companion(
    what: str,
    companions: Companions,
    *properties: str,
    on: Sequence[str] = (),
    also: Mapping[str, str] | None = None,
) -> Sequence[Breach]:
    """What belongs to a resource and names it in these properties is taken away, or names another."""
    return [
        Breach(f"{what} is gone", gone(companions), on, also=also or {}),
        Breach(f"{what} is another's", elsewhere(companions, *properties), on, also=also or {}),
    ]


def referring(type_: str, *properties: str) -> Companions:
    """The resources of the type in which one of these properties comes from the resource, or has its ARN in it."""

    def find(bench: Bench, subject: Resource) -> Sequence[Resource]:
        arn = subject.outputs.get("arn")
        found = [
            each
            for each in bench.of([type_])
            for name in properties
            if subject.urn in each.refers.get(name, ()) or (arn and _holds(each.inputs.get(name), arn))
        ]
        return _some(type_, found)

    return find


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, Mapping | list):
        return any(_holds(inner, text) for inner in (value.values() if isinstance(value, Mapping) else value))
    return value == text


def referred(*types: str) -> Companions:
    """The resources of these types that any property of the resource comes from."""

    def find(bench: Bench, subject: Resource) -> Sequence[Resource]:
        urns = frozenset[str]().union(*subject.refers.values())
        return _some(types[0], [each for each in bench.of(types) if each.urn in urns])

    return find


def every(*types: str) -> Companions:
    return lambda bench, _subject: _some(types[0], bench.of(types))


def itself(_bench: Bench, subject: Resource) -> Sequence[Resource]:
    return [subject]


def _some(type_: str, found: Sequence[Resource]) -> Sequence[Resource]:
    if not found:
        raise Unfit(f"it has no {type_.rpartition(':')[2]}")
    return found


def unless(name: str, because: str) -> Callable[[Breaking], Breaking]:
    """The breaking where the resource has no such property; where it has, the rule is not about it."""

    def narrowed(breaking: Breaking) -> Breaking:
        def change(bench: Bench, subject: Resource) -> Changes:
            if name in subject.inputs:
                raise Unfit(because)
            return breaking(bench, subject)

        return change

    return narrowed


def all_of(*parts: Breaking) -> Breaking:
    """All of them at once."""

    def change(bench: Bench, subject: Resource) -> Changes:
        changes: dict[str, Resource | None] = {}
        for part in parts:
            changes |= part(bench, subject)
        return changes

    return change


def any_of(*parts: Breaking) -> Breaking:
    """All of them that find something to break, at once."""

    def change(bench: Bench, subject: Resource) -> Changes:
        changes: dict[str, Resource | None] = {}
        reasons = []
        for part in parts:
            try:
                changes |= part(bench, subject)
            except Unfit as unfit:
                reasons.append(str(unfit))
        if not changes:
            raise Unfit(reasons[0])
        return changes

    return change


def gone(companions: Companions) -> Breaking:
    return lambda bench, subject: {each.urn: None for each in companions(bench, subject)}


def edited(companions: Companions, edit: Edit) -> Breaking:
    def change(bench: Bench, subject: Resource) -> Changes:
        changes = {each.urn: edit(each) for each in companions(bench, subject)}
        if all(bench.resources.get(urn) == changed for urn, changed in changes.items()):
            raise Unfit("it is so already")
        return changes

    return change


def elsewhere(companions: Companions, *properties: str) -> Breaking:
    """What these properties say of the resource, they say of something that the stack does not have."""

    def change(bench: Bench, subject: Resource) -> Changes:
        def turned_away(companion: Resource) -> Resource:
            given = {name: companion.inputs[name] for name in properties if name in companion.inputs}
            renamed = {name: _renamed(value, subject.names) for name, value in given.items()}
            changed = with_inputs(companion, {**companion.inputs, **renamed}, bench.resources)
            refers = {name: changed.refers.get(name, frozenset()) - {subject.urn} for name in given}
            return replace(changed, refers={**changed.refers, **refers})

        return edited(companions, turned_away)(bench, subject)

    return change


def _renamed(value: Any, names: set[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _renamed(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    return NOT_THERE if isinstance(value, str) and value in names else value


def setting(**inputs: Any) -> Edit:
    """These properties are constants then, which come from no other resource; None leaves one out."""

    def edit(resource: Resource) -> Resource:
        changed = {**resource.inputs, **inputs}
        return replace(
            resource,
            inputs={name: value for name, value in changed.items() if value is not None},
            refers={name: urns for name, urns in resource.refers.items() if name not in inputs},
        )

    return edit


def altering(name: str, alter: Callable[[Any], Any]) -> Edit:
    """The property, if it is there, is made anew from what it was; it comes from where it came."""

    def edit(resource: Resource) -> Resource:
        if name not in resource.inputs:
            return resource
        return replace(resource, inputs={**resource.inputs, name: alter(resource.inputs[name])})

    return edit


def coming_from(source: Resource, name: str, value: Any) -> Edit:
    """The property has this value, which comes from the other resource."""

    def edit(resource: Resource) -> Resource:
        changed = setting(**{name: value})(resource)
        return replace(changed, refers={**changed.refers, name: frozenset({source.urn})})

    return edit


def new(type_: str, name: str, inputs: Mapping[str, Any], **refers: Resource) -> Resource:
    """A resource that the program does not declare; `refers` are properties that come from another one."""
    comes = {prop: target.outputs["id"] for prop, target in refers.items()}
    return Resource(
        urn=f"urn:pulumi:test::groundwork::{type_}::{name}",
        type=type_,
        name=name,
        inputs={**inputs, **comes},
        outputs={"id": f"{name}-id"},
        refers={prop: frozenset({target.urn}) for prop, target in refers.items()},
    )
