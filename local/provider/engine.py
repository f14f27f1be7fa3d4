"""check, diff, create, read, update and delete of any type in the table."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.provider import known
from local.provider.cloud import Cloud, Creation, Refusal
from local.provider.differences import Difference, differences
from local.provider.entry import Resource
from local.provider.known import Problem
from local.provider.table import RESOURCES
from local.provider.urns import urn_name, urn_type
from local.provider.values import UNKNOWN, Properties, Secret, has_secret, has_unknown, reveal

if TYPE_CHECKING:
    from local.provider.work import Work


@dataclass(frozen=True)
class Checked:
    inputs: Properties
    problems: list[Problem]


@dataclass(frozen=True)
class Plan:
    differences: list[Difference]
    replaces: list[str]
    delete_first: bool


@dataclass(frozen=True)
class Found:
    inputs: Properties
    state: Properties


def entry_for(token: str) -> Resource:
    if token not in RESOURCES:
        raise Refusal(known.unknown_type(token, RESOURCES))
    return RESOURCES[token]


class Engine:
    """One plugin process: the emulator it talks to, and what the pulumi engine has said it knows."""

    def __init__(self) -> None:
        self.cloud = Cloud({}, "us-east-1")
        self.default_tags: Mapping[str, str] = {}
        self._creations: dict[str, Creation] | None = None
        self._ids_in_state: dict[str, set[str]] = {}
        self._checked_with_state: set[str] = set()
        self._made: dict[str, str] = {}

    def configure(self, endpoints: Mapping[str, str], region: str, default_tags: Mapping[str, str]) -> None:
        self.cloud = Cloud(endpoints, region)
        self.default_tags = default_tags

    # What the pulumi engine asks before it does anything.

    def check(
        self, urn: str, old: Properties, new: Properties, seed: bytes, proposed_name: str | None = None
    ) -> Checked:
        token = urn_type(urn)
        problems = known.problems_of(token, new)
        if problems:
            return Checked(new, problems)
        if old:
            self._checked_with_state.add(urn)
        inputs = {name: _as_document(token, name, value) for name, value in new.items()}
        if self.default_tags and "tags" in known.inputs_of(token):
            inputs["tags"] = {**self.default_tags, **(inputs.get("tags") or {})}
        entry = RESOURCES[token]
        if entry.auto_name and inputs.get(entry.auto_name) is None:
            inputs[entry.auto_name] = self._made_up_name(entry, urn, old, inputs, seed, proposed_name)
            inputs["__defaults"] = [entry.auto_name]
        return Checked(inputs, [])

    def _made_up_name(
        self,
        entry: Resource,
        urn: str,
        old: Properties,
        inputs: Properties,
        seed: bytes,
        proposed_name: str | None,
    ) -> Any:
        name = entry.auto_name
        prefix = inputs.get(f"{name}Prefix")
        if name in old.get("__defaults", []) and old.get(f"{name}Prefix") == prefix:
            return old[name]
        known_to_pulumi = old or urn in self._checked_with_state
        interrupted = None if known_to_pulumi else self._known_creations().get(urn)
        if interrupted and name in interrupted.names:
            return interrupted.names[name]
        if has_unknown(prefix):
            return UNKNOWN
        suffix = ".fifo" if inputs.get("fifoQueue") is True or inputs.get("fifoTopic") is True else ""
        if proposed_name:
            return f"{entry.auto_prefix}{proposed_name}{suffix}"
        digits = hashlib.sha256(seed).hexdigest()[:7]
        stem = reveal(prefix) if prefix else f"{entry.auto_prefix}{urn_name(urn)}-"
        return f"{stem[: entry.auto_length - len(digits) - len(suffix)]}{digits}{suffix}"

    def diff(
        self, urn: str, resource_id: str, old: Properties, old_state: Properties, new: Properties
    ) -> Plan:
        self._in_state(urn, resource_id)
        entry = entry_for(urn_type(urn))
        found = differences(old, new)
        before = old_state.get("region")
        after = new.get("region") or self.cloud.region
        if before and before != after and not any(item.name == "region" for item in found):
            found.append(Difference("region", "region", "update"))
        replacing = {"region", *entry.replace}
        replaces = [item.path for item in found if item.name in replacing]
        name = entry.auto_name
        same_name = bool(name) and name not in new.get("__defaults", []) and old.get(name) == new.get(name)
        return Plan(found, replaces, bool(replaces) and (entry.delete_first or same_name))

    # What it then does.

    def preview_create(self, urn: str, inputs: Properties) -> Properties:
        token = urn_type(urn)
        outputs = [*known.outputs_of(token), *entry_for(token).outputs]
        return {name: UNKNOWN for name in outputs if name != "id"} | self._with_region(token, inputs)

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]:
        """Creates the resource, or takes over the one that an interrupted run made for the same URN.

        The emulator keeps the answer to each creation under the resource's URN. If it has one for this URN, and
        pulumi has not shown during this run that it knows the id in it, then a run ended between the emulator's
        answer and the writing of the state: the same answer is asked for again instead of a second resource.
        In a replacement pulumi first shows the old id (by a diff), so that one is never mistaken for it.
        """
        entry = entry_for(urn_type(urn))
        earlier = self._known_creations().get(urn)
        forced = urn in self._checked_with_state and not self._ids_in_state.get(urn)
        if earlier and not forced:
            taken_over = self._take_over(entry, urn, inputs)
            if taken_over:
                return taken_over
        return self._create_new(entry, urn, inputs)

    def _create_new(self, entry: Resource, urn: str, inputs: Properties) -> tuple[str, Properties]:
        work = self._work(entry, urn, inputs)
        resource_id = work.create(replay=False).resource_id
        work.follow_up()
        return self._state_after(work, resource_id)

    def _take_over(self, entry: Resource, urn: str, inputs: Properties) -> tuple[str, Properties] | None:
        work = self._work(entry, urn, inputs)
        created = work.create(replay=True)
        if not created.replayed:
            work.follow_up()
            return self._state_after(work, created.resource_id)
        if created.resource_id in self._ids_in_state.get(urn, ()):
            return None
        found = work.find()
        if found is None:
            return None
        print(
            f"{urn_name(urn)}: {created.resource_id} was made by a run that was interrupted; taken over",
            file=sys.stderr,
        )
        work.follow_up(again=True)
        found = work.find() or found
        actual = work.inputs_now(found)
        changed = {item.name for item in differences(actual, inputs)}
        if changed & set(entry.replace):
            work.delete()
            return None
        work.update(actual, changed)
        return self._state_after(work, created.resource_id)

    def read(self, urn: str, resource_id: str, inputs: Properties, state: Properties) -> Found | None:
        """The resource as it is now, or nothing when it is gone."""
        self._in_state(urn, resource_id)
        entry = entry_for(urn_type(urn))
        work = self._work(entry, urn, inputs, resource_id, state)
        found = work.find()
        if found is None:
            return None
        actual = work.inputs_now(found)
        return Found(actual, work.state_of(actual, found))

    def preview_update(self, urn: str, state: Properties, new: Properties) -> Properties:
        token = urn_type(urn)
        outputs = {name: value for name, value in state.items() if name not in known.inputs_of(token)}
        return outputs | self._with_region(token, new)

    def update(
        self, urn: str, resource_id: str, old: Properties, state: Properties, new: Properties
    ) -> Properties:
        self._in_state(urn, resource_id)
        entry = entry_for(urn_type(urn))
        work = self._work(entry, urn, new, resource_id, state, sending=True)
        changed = {item.name for item in differences(old, new)}
        work.update(old, changed)
        return self._state_after(work, resource_id)[1]

    def delete(self, urn: str, resource_id: str, inputs: Properties, state: Properties) -> None:
        self._in_state(urn, resource_id)
        self._work(entry_for(urn_type(urn)), urn, inputs, resource_id, state).delete()
        # In a replacement the kept answer is the new one's, made in this run.
        if self._made.get(urn, resource_id) == resource_id:
            self.cloud.forget_creation(urn)

    def _state_after(self, work: "Work", resource_id: str) -> tuple[str, Properties]:
        found = work.find()
        if found is None:
            raise Refusal(f"{work.token} {resource_id} was made, but the emulator does not show it")
        self._made[work.urn] = resource_id
        return resource_id, work.state_of(work.inputs, found)

    def _work(
        self,
        entry: Resource,
        urn: str,
        inputs: Properties,
        resource_id: str = "",
        state: Properties | None = None,
        *,
        sending: bool = False,
    ) -> "Work":
        from local.provider.work import Work  # noqa: PLC0415 - it needs boto3, which a preview does not

        region = reveal(inputs.get("region")) or reveal((state or {}).get("region")) or self.cloud.region
        return Work(self.cloud, entry, urn, inputs, region, resource_id, state or {}, sending=sending)

    def _with_region(self, token: str, inputs: Properties) -> Properties:
        given = {name: value for name, value in inputs.items() if name != "__defaults"}
        return {"region": self.cloud.region} | given if "region" in known.inputs_of(token) else given

    def _in_state(self, urn: str, resource_id: str) -> None:
        self._ids_in_state.setdefault(urn, set()).add(resource_id)

    def _known_creations(self) -> dict[str, Creation]:
        if self._creations is None:
            self._creations = self.cloud.creations()
        return self._creations


def _as_document(token: str, name: str, value: Any) -> Any:
    """A policy that was written as an object, as the JSON text that the SDK expects back."""
    document = value.value if isinstance(value, Secret) else value
    if known.inputs_of(token)[name] != "*" or not isinstance(document, dict):
        return value
    if has_unknown(document):
        return UNKNOWN
    text = json.dumps(reveal(document))
    return Secret(text) if has_secret(value) else text
