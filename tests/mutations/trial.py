"""Puts every mutant of a stack before the pack."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from catalogue import RULES
from rules import Rule

from tests.mutations.breaches import BREACHES
from tests.mutations.breaking import Breach
from tests.mutations.carrying import Unfit, carried
from tests.mutations.judging import (
    WAITS,
    Bench,
    Changes,
    Resource,
    Resources,
    heard,
    in_a_preview,
    subject_of,
    unknown_in_a_preview,
    with_inputs,
)
from tests.mutations.offences import BY_NAME, also, excuse, offences
from tests.mutations.sampling import form, one_of_each, places
from tests.policy_examples import GOOD, spoiled


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One way to break a rule, in one resource."""

    rule: str
    type: str
    name: str
    says: str

    def __str__(self) -> str:
        return f"{self.rule}, {self.type.rpartition(':')[2]} {self.name}: {self.says}"


@dataclass(frozen=True, kw_only=True)
class Mutant(Attempt):
    """`preview` is whether a preview finds it, or says that it has to wait, or passes it over."""

    caught: bool
    also: Mapping[str, str]  # rules that say something too, and may, and why
    others: Collection[str]  # rules that say something too, and should not
    preview: Literal["found", "waits", "passed over"]


@dataclass(frozen=True, kw_only=True)
class Unapplied(Attempt):
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Made(Attempt):
    subject: str
    changes: Changes
    may: Mapping[str, str]
    anywhere: bool = False  # whichever resource of the rule's types is named

    def is_in(self, urns: Collection[str]) -> bool:
        return bool(urns) if self.anywhere else self.subject in urns


class Trial:
    """A stack as it is after `pulumi up`, and before it in a preview, with the configuration that it gets."""

    def __init__(
        self, resources: Resources, configuration: Mapping[str, Any], rules: Sequence[Rule] = RULES
    ) -> None:
        self.made = Bench(resources, configuration, rules)
        self._place = places(resources)
        self._unknown = unknown_in_a_preview(resources)
        previewed = {urn: in_a_preview(each, self._unknown) for urn, each in resources.items()}
        self.previewed = Bench(previewed, configuration, rules)

    def attempts(self, among: Collection[str]) -> Iterator[Mutant | Unapplied]:
        """Every way to break every rule in one of each form of these resources, by URN."""
        for each in (*self._offences(among), *self._breaches(among)):
            yield self._judged(each) if isinstance(each, _Made) else each

    def _judged(self, made: _Made) -> Mutant | Unapplied:
        news = self.made.news(self.made.judged(made.changes))
        caught = made.is_in(news.get(made.rule, ()))
        if not caught and self._is_allowed(made):
            return Unapplied(**_attempt(made), reason="the stack's configuration of the pack allows it")
        others = set(news) - {made.rule}
        return Mutant(
            **_attempt(made),
            caught=caught,
            also={rule_id: made.may[rule_id] for rule_id in others & set(made.may)},
            others=sorted(others - set(made.may)),
            preview=self._in_a_preview(made),
        )

    def _in_a_preview(self, made: _Made) -> Literal["found", "waits", "passed over"]:
        changes = {urn: each and in_a_preview(each, self._unknown) for urn, each in made.changes.items()}
        findings = self.previewed.judged(changes, by=self.previewed.rules[made.rule])
        if made.is_in(self.previewed.news(findings).get(made.rule, ())):
            return "found"
        waiting = {urn for (_, urn), said in findings.items() if WAITS in said}
        return "waits" if made.is_in(waiting) else "passed over"

    def _is_allowed(self, made: _Made) -> bool:
        """Whether only the stack's thresholds keep the rule quiet."""
        rule, changed = self.made.rules[made.rule], made.changes.get(made.subject)
        if rule.whole_stack or not changed or not self.made.settings[rule.id]:
            return False
        return bool(heard(rule, subject_of(rule, changed), {}))

    def _offences(self, among: Collection[str]) -> Iterator[_Made | Unapplied]:
        for rule in self.made.rules.values():
            found = () if rule.whole_stack else self._among(among, rule.types)
            for resource in found if rule.id in BY_NAME else one_of_each(found, form):
                for changes, says in offences(rule.id, resource.type):
                    attempt = Attempt(rule=rule.id, type=resource.type, name=resource.name, says=says)
                    yield from self._carried_over(attempt, resource, changes)

    def _carried_over(
        self, attempt: Attempt, resource: Resource, changes: Mapping[str, Any]
    ) -> Iterator[_Made | Unapplied]:
        good, bad = GOOD[resource.type], spoiled(resource.type, changes)
        excused = excuse(attempt.rule, resource, attempt.says)
        reasons: set[str] = set()

        def noted(place: Mapping[str, Any]) -> str | None:
            reason = excused(place)
            if reason:
                reasons.add(reason)
            return reason

        try:
            variants = carried(good, bad, resource.inputs, noted)
        except Unfit as unfit:
            reasons.add(str(unfit))
            variants = []
        for reason in sorted(reasons):
            yield Unapplied(**vars(attempt), reason=reason)
        may = also(attempt.rule, resource, attempt.says)
        for inputs in variants:
            changed = with_inputs(resource, inputs, self.made.resources)
            yield _Made(**vars(attempt), subject=resource.urn, changes={resource.urn: changed}, may=may)

    def _among(self, among: Collection[str], types: Iterable[str]) -> Sequence[Resource]:
        return [each for each in self.made.of(sorted(types)) if each.urn in among]

    def _breaches(self, among: Collection[str]) -> Iterator[_Made | Unapplied]:
        for rule_id, breaches in BREACHES.items():
            for breach in breaches if rule_id in self.made.rules else ():
                for subject in self._subjects(rule_id, breach, among):
                    attempt = Attempt(rule=rule_id, type=subject.type, name=subject.name, says=breach.says)
                    try:
                        changes = breach.breaking(self.made, subject)
                    except Unfit as unfit:
                        yield Unapplied(**vars(attempt), reason=str(unfit))
                    else:
                        yield _Made(
                            **vars(attempt),
                            subject=subject.urn,
                            changes=changes,
                            may={**also(rule_id, subject, breach.says), **breach.also},
                            anywhere=breach.once,
                        )

    def _subjects(self, rule_id: str, breach: Breach, among: Collection[str]) -> Sequence[Resource]:
        if breach.brings:
            return [breach.brings]
        found = self._among(among, breach.on or self.made.rules[rule_id].types)
        return found[:1] if breach.once else one_of_each(found, self._place)


def _attempt(made: Attempt) -> dict[str, str]:
    return {"rule": made.rule, "type": made.type, "name": made.name, "says": made.says}
