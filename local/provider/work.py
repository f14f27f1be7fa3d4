"""One resource, worked on in the emulator: the calls that its entry names, with their parameters and answers."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore import exceptions
from botocore.validate import ParamValidator

from local.provider import known, tags
from local.provider.archives import content_of
from local.provider.cloud import REPLAYED_HEADER, Answer, Cloud, Refusal, no_answer
from local.provider.coverage import carries, operation_model
from local.provider.entry import Call, Resource
from local.provider.expressions import evaluate, mentioned
from local.provider.readback import member_of, plain, project
from local.provider.shapes import NoSuchMember, by_name, to_api
from local.provider.urns import urn_name
from local.provider.values import Asset, Properties, Secret, has_secret, reveal, secret_texts

_GONE = re.compile(
    r"NotFound|NoSuch|DoesNotExist|NonExist|Unknown.*Id$|^404$|ResourceNotFoundException|NotFoundException"
)
_EXISTS = re.compile(r"Already|Duplicate|Conflict|InUse|Exists")
_WAIT = re.compile(
    r"DependencyViolation|DeleteConflict|ResourceInUse|InvalidGroup\.InUse|InvalidIPAddress\.InUse"
)
_WAITS_S = (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0)
# Outputs that change by themselves would be drift at every refresh.
_VOLATILE = {"status", "state", "statusReason", "lastModified", "lastUpdatedDate", "latestRestorableTime"}


class Gone(Refusal):
    """The emulator says that there is no such thing."""


class Exists(Refusal):
    """The emulator says that there is one already."""


class Busy(Refusal):
    """Something else still needs it."""


@dataclass(frozen=True)
class Created:
    resource_id: str
    replayed: bool


class Work:
    """One resource being worked on: its entry, its inputs, and the calls that the entry names for it."""

    def __init__(
        self,
        cloud: Cloud,
        entry: Resource,
        urn: str,
        inputs: Properties,
        region: str,
        resource_id: str,
        state: Properties,
        *,
        sending: bool,
    ) -> None:
        self.entry = entry
        self.inputs = inputs
        self.token = entry.token
        self._cloud = cloud
        self.urn = urn
        self._region = region
        self._hidden = secret_texts([inputs, state])
        self._secret_names = {*entry.secrets, *(name for name, value in state.items() if has_secret(value))}
        self._document: dict[str, Any] = {
            "id": resource_id,
            "inputs": _sendable(inputs, with_content=not resource_id or sending),
            "state": reveal(state),
            "old": {},
        }

    @property
    def _kind(self) -> str:
        """Where its record is kept: two regions may have one of the same name."""
        return f"{self.token}@{self._region}"

    @property
    def resource_id(self) -> str:
        return self._document["id"]

    def create(self, *, replay: bool) -> Created:
        entry = self.entry
        name = entry.auto_name
        names = {name: self.inputs[name]} if name in self.inputs.get("__defaults", []) else {}
        try:
            with self._cloud.creating(self.urn, names, replay=replay):
                answer = self._record() if entry.recorded else self._call(self._creating(), creating=True)
        except Exists as refusal:
            raise Exists(
                f"{refusal} It is in the emulator but not in this stack: `make down` and `make up` begin afresh."
            ) from None
        self._document["created"] = answer.content
        if entry.then:
            self._document["created"] = answer.content | (self._part(entry.then) or {})
        self._document["id"] = answer.content["id"] if entry.recorded else self._evaluate(entry.id)
        if not self.resource_id:
            raise Refusal(f"{self.token}: the answer to {entry.create.operation} has no {entry.id}")
        # What follows from the id alone, such as the ARN under which tags are listed.
        self._document["state"] = self._document["state"] | self._outputs({})
        return Created(self.resource_id, answer.replayed)

    def _creating(self) -> Call:
        entry = self.entry
        return entry.create if entry.instead is None or self._wanted(entry.create) else entry.instead

    def _record(self) -> Answer:
        self._validate(self.entry.create)
        for call in self.entry.after:
            if self._any_given(call):
                self._validate(call)
        content = {"inputs": _storable(self.inputs)}
        self._document["id"] = self._evaluate(self.entry.id)
        return self._cloud.add_record(self._kind, self.resource_id, content, self.entry.service)

    def follow_up(self, *, again: bool = False) -> None:
        """The calls after the one that creates; `again` when some may have been made already."""
        if self.entry.recorded:
            return
        for call in self.entry.after:
            if self._any_given(call) and self._wanted(call):
                try:
                    self._call(call)
                except (Exists, Gone):
                    # Made, or taken away, by the run that was interrupted.
                    if not again:
                        raise
        given = self._document["inputs"].get("tags")
        if given and not self._create_tags():
            self._document["state"] = self._document["state"] | self._outputs(self.find() or {})
            self._set_tags(given)

    def _wanted(self, call: Call) -> bool:
        return not call.when or bool(self._evaluate(call.when))

    def _any_given(self, call: Call) -> bool:
        given = self._document["inputs"]
        always = (
            not call.by_name and not call.on and not any("inputs." in text for text in call.params.values())
        )
        return always or any(given[name] is not None and carries(self.entry, call, name) for name in given)

    def find(self) -> dict[str, Any] | None:
        """Everything that the read calls show, in one object; nothing when the resource is gone."""
        entry = self.entry
        if entry.recorded:
            record = self._cloud.get_record(self._kind, self.resource_id, entry.service)
            return None if record is None else record["inputs"]
        found: dict[str, Any] = {}
        for call in entry.read:
            try:
                part = self._part(call)
            except Gone:
                part = None
            if not part and not call.optional:
                return None
            found |= part or {}
        return found

    def _part(self, call: Call) -> dict[str, Any] | None:
        part = evaluate(call.at, self._call(call).content, self._region)
        if not isinstance(part, list):
            return part
        wanted = {member: self._evaluate(expression) for member, expression in call.where.items()}
        wanted = {member: value for member, value in wanted.items() if value is not None}
        return next((item for item in part if all(item.get(key) == wanted[key] for key in wanted)), None)

    def inputs_now(self, found: Mapping[str, Any]) -> Properties:
        return {name: self._input_now(name, value, found) for name, value in self.inputs.items()}

    def _input_now(self, name: str, value: Any, found: Mapping[str, Any]) -> Any:
        entry = self.entry
        if name in (*entry.kept, *entry.local, "region", "__defaults") or isinstance(value, Asset):
            return value
        plain_value = reveal(value)
        if name == "tags":
            now = self._tags_now(found)
            return value if now is None or now == plain_value else now
        if name in entry.reads:
            there = evaluate(entry.reads[name], found, self._region)
        else:
            there = member_of(found, name, entry.names)
        now = project(plain_value, there, entry.nested)
        if now == plain_value:
            return value
        return Secret(now) if has_secret(value) else now

    def _tags_now(self, found: Mapping[str, Any]) -> dict[str, str] | None:
        if self.entry.tags_kept:
            return None
        shown = tags.in_answer(found)
        if shown is not None or self.entry.recorded:
            return shown
        ways = self.entry.tagging or tags.tagging(self.entry.service)
        if not ways.lists:
            return {}
        try:
            answer = self._tag_call(ways.lists, ways.params, {})
        except Gone:
            return {}
        return tags.in_listing(answer.content)

    def state_of(self, inputs: Properties, found: Mapping[str, Any]) -> Properties:
        """Inputs and outputs together, outputs marked secret where the type or an input says so."""
        given = {name: value for name, value in inputs.items() if name != "__defaults"}
        inputs_of_type = known.inputs_of(self.token)
        outputs = self._shown_by_name(found, given) | self._outputs(found)
        if "region" in inputs_of_type:
            outputs["region"] = self._region
        if "tags" in inputs_of_type:
            outputs["tagsAll"] = given.get("tags") or {}
        state = outputs | given
        for name, value in state.items():
            known_secret = name in self._secret_names and not has_secret(value)
            if known_secret or (isinstance(value, str) and value in self._hidden):
                state[name] = Secret(value)
        return state

    def _shown_by_name(self, found: Mapping[str, Any], given: Mapping[str, Any]) -> Properties:
        names = [*known.outputs_of(self.token), *known.inputs_of(self.token)]
        shown: Properties = {}
        for name in names:
            if name in given or name in _VOLATILE or name in ("id", "tags", "tagsAll"):
                continue
            value = plain(member_of(found, name, self.entry.names))
            if _simple(value):
                shown[name] = value
        return shown

    def _outputs(self, found: Mapping[str, Any]) -> Properties:
        document = self._document | {"read": found}
        outputs: Properties = {}
        for name, expression in self.entry.outputs.items():
            value = plain(evaluate(expression, document, self._region))
            outputs[name] = self._document["state"].get(name) if value is None else value
        return {name: value for name, value in outputs.items() if value is not None}

    def update(self, old: Properties, changed: Iterable[str]) -> None:
        entry = self.entry
        wanted = set(changed) - set(entry.local)
        if not wanted:
            return
        if entry.recorded:
            self._validate(entry.create)
            content = {"inputs": _storable(self.inputs)}
            self._cloud.put_record(self._kind, self.resource_id, content, entry.service)
            return
        self._document["old"] = _sendable(old, with_content=False)
        calls = (*entry.update, *entry.after)
        carried = {name for name in wanted if any(carries(entry, call, name) for call in calls)} | {"tags"}
        if wanted - carried:
            names = ", ".join(f"`{name}`" for name in sorted(wanted - carried))
            raise Refusal(
                f"{self.token}: the emulator's provider has no way to change {names} of {self.resource_id}: "
                f"say in local/provider/table which call does, or that a change replaces it"
            )
        for call in calls:
            if any(carries(entry, call, name) for name in wanted) and self._wanted(call):
                self._call(call)
        if "tags" in wanted:
            self._change_tags(reveal(old.get("tags")) or {}, self._document["inputs"].get("tags") or {})

    def delete(self) -> None:
        if self.entry.recorded:
            self._cloud.delete_record(self._kind, self.resource_id, self.entry.service)
            return
        if self.entry.empties and self._evaluate(self.entry.empties):
            self._empty_bucket()
        for call in self.entry.delete:
            if self._wanted(call):
                self._delete_with(call)

    def _empty_bucket(self) -> None:
        try:
            versions = self._send("s3", "list_object_versions", {"Bucket": self.resource_id}).content
        except Gone:
            return
        for item in [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]:
            which = {"Bucket": self.resource_id, "Key": item["Key"], "VersionId": item["VersionId"]}
            self._send("s3", "delete_object", which)

    def _delete_with(self, call: Call) -> None:
        for wait_s in (*_WAITS_S, 0):
            try:
                self._call(call)
            except Gone:
                return
            except Busy:
                if not wait_s:
                    raise
                time.sleep(wait_s)
            else:
                return

    # Tags.

    def _create_tags(self) -> bool:
        return self.entry.tags_kept or carries(self.entry, self._creating(), "tags")

    def _set_tags(self, wanted: Mapping[str, str]) -> None:
        ways = self.entry.tagging or tags.tagging(self.entry.service)
        model = operation_model(self.entry.service, ways.sets)
        self._tag_call(ways.sets, ways.params, tags.setting(model, wanted))

    def _change_tags(self, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        if self.entry.tags_kept:
            return
        ways = self.entry.tagging or tags.tagging(self.entry.service)
        removed = sorted(old.keys() - new.keys())
        if removed and ways.removes:
            model = operation_model(self.entry.service, ways.removes)
            self._tag_call(ways.removes, ways.params, tags.removing(model, removed))
        if new or not ways.removes:
            self._set_tags(new)

    def _tag_call(self, operation: str, params: Mapping[str, str], more: Mapping[str, Any]) -> Answer:
        model = operation_model(self.entry.service, operation)
        identifier = self._evaluate(self.entry.tag_id)
        given = {name: self._evaluate(expression) for name, expression in params.items()}
        return self._send(
            self.entry.service, operation, {**tags.identify(model, params, identifier), **given, **more}
        )

    # Calls.

    def _evaluate(self, expression: str) -> Any:
        return evaluate(expression, self._document, self._region)

    def _call(self, call: Call, *, creating: bool = False) -> Answer:
        return self._send(
            call.service or self.entry.service, call.operation, self._params(call, creating=creating)
        )

    def _params(self, call: Call, *, creating: bool = False) -> dict[str, Any]:

        entry = self.entry
        model = operation_model(call.service or entry.service, call.operation)
        params: dict[str, Any] = {}
        if call.by_name:
            placed = {name for expression in call.params.values() for name in mentioned(expression)}
            aside = {*entry.local, *placed, "region", "__defaults"} | (set() if creating else {"tags"})
            inputs = {name: value for name, value in self._document["inputs"].items() if name not in aside}
            try:
                params = by_name(model, inputs, entry.names, entry.nested)
            except NoSuchMember as problem:
                raise Refusal(
                    f"{self.token}: the emulator's provider cannot place `{problem.path}` in {call.operation}: "
                    f"say in local/provider/table what the API calls it"
                ) from None
        given_tags = self._document["inputs"].get("tags")
        if creating and entry.tag_type and given_tags:
            wanted = [{"Key": key, "Value": value} for key, value in given_tags.items()]
            params["TagSpecifications"] = [{"ResourceType": entry.tag_type, "Tags": wanted}]
        for member, expression in call.params.items():
            value = _pruned(self._evaluate(expression))
            if value is not None:
                params[member] = to_api(model.input_shape.members[member], value, {}, member)
        return params

    def _validate(self, call: Call) -> None:
        """Holds a recorded type's parameters against the real API's shape."""
        params = self._params(call, creating=True)
        shape = operation_model(call.service or self.entry.service, call.operation).input_shape
        report = ParamValidator().validate(params, shape)
        if report.has_errors():
            raise Refusal(self._redacted(f"{self.token} {urn_name(self.urn)}: {report.generate_report()}"))

    def _send(self, service: str, operation: str, params: Mapping[str, Any]) -> Answer:
        client = self._cloud.client(service, self._region)
        try:
            content = getattr(client, operation)(**params)
        except exceptions.ClientError as problem:
            raise self._said(operation, problem) from None
        except exceptions.ParamValidationError as problem:
            raise Refusal(
                self._redacted(f"{self.token} {urn_name(self.urn)}: {operation}: {problem}")
            ) from None
        except (exceptions.HTTPClientError, exceptions.ConnectionError) as problem:
            raise Refusal(no_answer(client.meta.endpoint_url)) from problem
        metadata = content.pop("ResponseMetadata", {})
        return Answer(content, REPLAYED_HEADER in metadata.get("HTTPHeaders", {}))

    def _said(self, operation: str, problem: Any) -> Exception:
        error = problem.response.get("Error", {})
        code, message = str(error.get("Code", "")), str(error.get("Message", ""))
        if message.startswith("<!doctype"):
            message = "the emulator has no such operation, or failed in it; its log says more"
        sentence = self._redacted(f"{self.token} {urn_name(self.urn)}: {operation}: {code}: {message}")
        if _GONE.search(code) or any(part in f"{code}: {message}" for part in self.entry.gone):
            return Gone(sentence)
        if _WAIT.search(code):
            return Busy(sentence)
        return Exists(sentence) if _EXISTS.search(code) else Refusal(sentence)

    def _redacted(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, "[secret]")
        return text


def _sendable(inputs: Properties, *, with_content: bool) -> dict[str, Any]:
    """Inputs as the API takes them: no wrappers, and (where they are to be sent) the bytes of assets."""

    def bytes_of(value: Any) -> Any:
        return content_of(value) if isinstance(value, Asset) and with_content else value

    return {
        name: bytes_of(value)
        for name, value in reveal(inputs).items()
        if value is not None and not name.startswith("__")
    }


def _storable(inputs: Properties) -> dict[str, Any]:
    """Inputs for a record: as JSON, assets by their hash."""
    return {
        name: value.fields.get("hash") if isinstance(value, Asset) else value
        for name, value in reveal(inputs).items()
        if not name.startswith("__")
    }


def _pruned(value: Any) -> Any:
    """Without the members that an expression left empty; botocore takes no nulls."""
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items() if item is not None}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


def _simple(value: Any) -> bool:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return bool(value) and all(isinstance(item, str | int | float) for item in value)
    return isinstance(value, str | int | float)
