"""The `aws` plugin: Pulumi's AWS types against the emulator of this machine."""

import json
import os
from collections.abc import Mapping
from typing import Any

from pulumi.runtime.proto import provider_pb2

from local.provider import known
from local.provider.engine import Engine
from local.provider.recording import VARIABLE, Recorder
from local.provider.server import EMPTY, Servicer, configured, created, diff_response, sentences, serve
from local.provider.values import decode, encode, reveal


class AwsServicer(Servicer):
    def __init__(self, version: str) -> None:
        super().__init__(version)
        self.engine = Recorder() if os.environ.get(VARIABLE) else Engine()

    @sentences
    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:  # noqa: ARG002
        variables = {name.rpartition(":")[2]: value for name, value in request.variables.items()}
        settings = {**variables, **reveal(decode(request.args))}
        self.engine.configure(
            endpoints_in(settings.get("endpoints")),
            str(settings.get("region") or "us-east-1"),
            default_tags_in(settings.get("defaultTags")),
        )
        return configured()

    @sentences
    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: ARG002
        checked = self.engine.check(
            request.urn,
            decode(request.olds),
            decode(request.news),
            request.randomSeed,
            request.autonaming.proposed_name or None,
        )
        failures = [
            provider_pb2.CheckFailure(property=problem.path, reason=problem.reason)
            for problem in checked.problems
        ]
        return provider_pb2.CheckResponse(inputs=encode(checked.inputs), failures=failures)

    @sentences
    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: ARG002
        plan = self.engine.diff(
            request.urn,
            request.id,
            decode(request.old_inputs),
            decode(request.olds),
            _ignoring(decode(request.news), decode(request.old_inputs), request.ignoreChanges),
        )
        return diff_response(plan.differences, plan.replaces, delete_first=plan.delete_first)

    @sentences
    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:  # noqa: ARG002
        inputs = decode(request.properties)
        if request.preview:
            return created("", self.engine.preview_create(request.urn, inputs))
        return created(*self.engine.create(request.urn, inputs))

    @sentences
    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:  # noqa: ARG002
        found = self.engine.read(request.urn, request.id, decode(request.inputs), decode(request.properties))
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id, properties=encode(found.state), inputs=encode(found.inputs)
        )

    @sentences
    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:  # noqa: ARG002
        state, old, new = decode(request.olds), decode(request.old_inputs), decode(request.news)
        if request.preview:
            properties = self.engine.preview_update(request.urn, state, new)
        else:
            properties = self.engine.update(request.urn, request.id, old, state, new)
        return provider_pb2.UpdateResponse(properties=encode(properties))

    @sentences
    def Delete(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        inputs, state = decode(request.old_inputs), decode(request.properties)
        self.engine.delete(request.urn, request.id, inputs or state, state)
        return EMPTY


def endpoints_in(setting: Any) -> dict[str, str]:
    """Service name -> URL, from `aws:endpoints`: a list of objects, or its JSON as the engine hands it over."""
    items = json.loads(setting) if isinstance(setting, str) and setting else setting or []
    endpoints: dict[str, str] = {}
    for item in [items] if isinstance(items, Mapping) else items:
        endpoints |= {name.lower(): url for name, url in item.items() if url}
    return endpoints


def default_tags_in(setting: Any) -> dict[str, str]:
    parsed = json.loads(setting) if isinstance(setting, str) and setting else setting or {}
    return dict(parsed.get("tags") or {})


def _ignoring(new: dict[str, Any], old: dict[str, Any], paths: Any) -> dict[str, Any]:
    """Top-level `ignore_changes`; the engine itself resets the deeper ones before it asks."""
    kept = {path: old[path] for path in paths if path in old}
    return {name: value for name, value in new.items() if name not in paths or name in old} | kept


if __name__ == "__main__":
    serve(AwsServicer(known.version()))
