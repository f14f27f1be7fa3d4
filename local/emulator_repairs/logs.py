"""Logs: a group's key changes, a metric filter is replaced and not doubled, saved queries exist."""

import json
import time
from typing import Any

from moto.logs.metric_filters import MetricFilters
from moto.logs.responses import LogsResponse
from moto.moto_api._internal import mock_random

from local.emulator_repairs import put

_add_filter = MetricFilters.add_filter


def add_filter(self: MetricFilters, name: str, pattern: str, group: str, transformations: str) -> None:
    self.metric_filters[:] = [
        known
        for known in self.metric_filters
        if (known["filterName"], known["logGroupName"]) != (name, group)
    ]
    _add_filter(self, name, pattern, group, transformations)


def _group(self: LogsResponse) -> Any:
    return self.logs_backend.groups[self._get_param("logGroupName")]


def associate_kms_key(self: LogsResponse) -> str:
    _group(self).kms_key_id = self._get_param("kmsKeyId")
    return "{}"


def disassociate_kms_key(self: LogsResponse) -> str:
    _group(self).kms_key_id = None
    return "{}"


def _queries(self: LogsResponse) -> dict[str, dict[str, Any]]:
    return self.logs_backend.__dict__.setdefault("query_definitions", {})


def put_query_definition(self: LogsResponse) -> str:
    query_id = self._get_param("queryDefinitionId") or str(mock_random.uuid4())
    given = {key: self._get_param(key) for key in ("name", "queryString", "logGroupNames")}
    query = {key: value for key, value in given.items() if value is not None}
    query |= {"queryDefinitionId": query_id, "lastModified": int(time.time() * 1000)}
    _queries(self)[query_id] = query
    return json.dumps({"queryDefinitionId": query_id})


def describe_query_definitions(self: LogsResponse) -> str:
    prefix = self._get_param("queryDefinitionNamePrefix") or ""
    found = [query for query in _queries(self).values() if query["name"].startswith(prefix)]
    return json.dumps({"queryDefinitions": found})


def delete_query_definition(self: LogsResponse) -> str:
    return json.dumps({"success": _queries(self).pop(self._get_param("queryDefinitionId"), None) is not None})


put(MetricFilters, add_filter)
put(
    LogsResponse,
    associate_kms_key,
    disassociate_kms_key,
    put_query_definition,
    describe_query_definitions,
    delete_query_definition,
)
