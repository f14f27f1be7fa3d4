"""Previews as the engine writes them, small: for the tests of `groundwork report`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from operations.report import preview as reading
from operations.report.preview import Preview

STACK = "prod"

INSTANCE = "aws:rds/instance:Instance"
BUCKET = "aws:s3/bucket:Bucket"
CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
SERVICE = "aws:ecs/service:Service"
TARGET = "aws:appautoscaling/target:Target"
ROLE = "aws:iam/role:Role"

# An instance as production declares it, as far as a price depends on it.
DATABASE = {
    "engine": "postgres",
    "instanceClass": "db.r6g.large",
    "multiAz": True,
    "storageType": "gp3",
    "allocatedStorage": 100,
}


def urn(type_: str, name: str, stack: str = STACK) -> str:
    return f"urn:pulumi:{stack}::groundwork::{type_}::{name}"


def state(type_: str, inputs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """`more` in Pulumi's own words: protect, retainOnDelete, dependencies, propertyDependencies."""
    return {"type": type_, "custom": True, "inputs": dict(inputs), **more}


def step(
    op: str,
    type_: str,
    name: str,
    *,
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    changed: Sequence[str] = (),
    replacing: Sequence[str] = (),
    before: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One step; `more` belongs to its states, `before` to the old one alone."""
    found: dict[str, Any] = {"op": op, "urn": urn(type_, name)}
    if op not in ("create", "import"):
        found["oldState"] = state(type_, old or {}, **more, **(before or {}))
    if op != "delete":
        found["newState"] = state(type_, old or {} if new is None else new, **more)
    detailed = {path: {"kind": "update"} for path in changed}
    detailed |= {path: {"kind": "update-replace"} for path in replacing}
    return found | ({"detailedDiff": detailed} if detailed else {})


def text(*steps: Mapping[str, Any], **more: Any) -> str:
    config = {"aws:region": "us-east-1", "groundwork:system": "rentalfix"}
    return json.dumps({"config": config, "steps": steps, **more})


def preview(*steps: Mapping[str, Any], **more: Any) -> Preview:
    return reading.read(text(*steps, **more))


def policy_event(
    policy: str, message: str, *, type_: str = INSTANCE, name: str = "database", **more: Any
) -> str:
    event = {
        "policyName": policy,
        "message": message,
        "resourceUrn": urn(type_, name),
        "enforcementLevel": "mandatory",
        "severity": "medium",
        **more,
    }
    return json.dumps({"sequence": 1, "policyEvent": event})


# What ends every run of a policy pack.
SUMMARY = json.dumps({"policyAnalyzeStackSummaryEvent": {"passed": ["rds-multi-az"]}})
