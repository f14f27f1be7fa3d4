"""What a stack would declare, for tests of `groundwork doctor`: a real stack's program, or a few resources by hand.

Both go through the reader of the engine's own JSON.
"""

import copy
import json
from functools import cache
from typing import Any

from operations.doctor.declared import Declared
from operations.doctor.line import Line, State
from operations.report.preview import UNKNOWN, read
from settings.loader import as_engine_config
from tests import program
from tests.aws_cloud import refusal

ACCOUNT = "111122223333"
DENIED = "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: {} because no policy allows it"


@cache
def real(stack: str) -> Declared:
    return changed(stack)


def changed(stack: str, **settings: Any) -> Declared:
    """The stack with other settings, merged into those of its file; what the program exports is left out."""
    config = program.configuration(stack)
    for name, value in settings.items():
        key = f"groundwork:{name}"
        merged = isinstance(value, dict) and isinstance(config.get(key), dict)
        config[key] = {**config[key], **value} if merged else value
    recording = program.run(stack, copy.deepcopy(config), preview=True)
    steps = [
        {
            "op": "create",
            "urn": each.urn,
            "newState": {
                "type": each.type,
                "custom": each.custom,
                "parent": each.parent,
                "inputs": dict(each.inputs),
                "propertyDependencies": {
                    name: sorted(urns) for name, urns in each.property_dependencies.items()
                },
            },
        }
        for each in recording
    ]
    # What only `up` will know is an object of Pulumi's own here, and this text in the engine's JSON.
    text = json.dumps({"config": as_engine_config(config), "steps": steps}, default=lambda _: UNKNOWN)
    return Declared(read(text))


def resource(
    type_: str, name: str, sources: dict[str, str] | None = None, /, **inputs: Any
) -> dict[str, Any]:
    """A step; `sources` are inputs that other resources make, by the URN that `urn` gives."""
    dependencies = {key: [value] for key, value in (sources or {}).items()}
    state = {"type": type_, "custom": True, "inputs": inputs, "propertyDependencies": dependencies}
    return {"op": "create", "urn": urn(type_, name), "newState": state}


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:prod::groundwork::{type_}::{name}"


def declaring(*steps: dict[str, Any], **settings: Any) -> Declared:
    """A stack of these resources, in two zones of us-east-1."""
    subnets = [
        resource("aws:ec2/subnet:Subnet", f"subnet-{zone}", availabilityZone=f"us-east-1{zone}")
        for zone in "ab"
    ]
    config = {
        "aws:region": "us-east-1",
        "aws:allowedAccountIds": json.dumps([ACCOUNT]),
        "groundwork:account": ACCOUNT,
        "groundwork:environment": "prod",
        **{
            f"groundwork:{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in settings.items()
        },
    }
    return Declared(read(json.dumps({"config": config, "steps": [*subnets, *steps]})))


def line(lines: Any, what: str) -> Line:
    """The only line about it."""
    lines = list(lines)
    found = [each for each in lines if each.what == what]
    assert len(found) == 1, f"{len(found)} of {what}; there are: {[each.what for each in lines]}"
    return found[0]


def states(lines: Any) -> set[State]:
    return {each.state for each in lines}


def denied(action: str) -> dict[str, Any]:
    """AWS's answer to who may not do that."""
    return refusal("AccessDeniedException", DENIED.format(action))


def status(code: int) -> dict[str, Any]:
    """An answer without a body, as S3 gives one to HeadBucket."""
    return {"Error": {"Code": str(code), "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": code}}
