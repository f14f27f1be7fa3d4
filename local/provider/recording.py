"""Creation without an emulator: each resource is taken as made, with stand-ins for what AWS would answer.

`local.comparison` makes the state of another commit this way. Nothing is refused for what is missing (a zone that
stands in the account, an image in a registry), and outputs have the types that the SDK gives them, so that the program
can compute with them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from pulumi import _types

from local.provider import known
from local.provider.engine import Engine, entry_for
from local.provider.entry import Resource
from local.provider.expressions import ACCOUNT_ID, evaluate
from local.provider.urns import urn_name, urn_type
from local.provider.values import Asset, Properties, Secret, reveal, secret_texts

# Set for an engine whose creations are only recorded.
VARIABLE = "GROUNDWORK_RECORD"

# Outputs that the program looks into, as expressions like those of the table.
_OPTIONS = """[inputs.domainName, inputs.subjectAlternativeNames][] | [?@].{
    domainName: @, resourceRecordName: join('.', ['_recorded', @]), resourceRecordType: 'CNAME',
    resourceRecordValue: join('.', ['_recorded', @, 'acm-validations.aws'])
}"""
_OUTPUTS: Mapping[str, Mapping[str, str]] = {
    "aws:acm/certificate:Certificate": {"domainValidationOptions": _OPTIONS},
    # Their number is the engine's business; the program has names for them when there are none.
    "aws:rds/cluster:Cluster": {"clusterMembers": "`[]`"},
}

# Deep enough for every output in the table; a type that contains itself has to end somewhere.
_DEPTH = 4


class Recorder(Engine):
    """Answers like the emulator's engine, but for `create`, which reaches nothing; no other work is asked of it."""

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]:
        entry = entry_for(urn_type(urn))
        region = reveal(inputs.get("region")) or self.cloud.region
        document: dict[str, Any] = {
            "id": "",
            "inputs": _plain(inputs),
            "state": {},
            "created": {},
            "read": {},
        }
        resource_id = evaluate(entry.id, document, region) or stand_in_id(entry, urn, region)
        document["id"] = resource_id
        stand_ins = outputs_of_type(entry, urn, region)
        expressions = {**entry.outputs, **_OUTPUTS.get(entry.token, {})}
        derived = {name: evaluate(text, document, region) for name, text in expressions.items()}
        outputs = stand_ins | {name: value for name, value in derived.items() if value is not None}
        given = self._with_region(entry.token, inputs)
        if "tags" in known.inputs_of(entry.token):
            outputs["tagsAll"] = given.get("tags") or {}
        hidden = secret_texts(inputs)
        for name, value in outputs.items():
            if name in entry.secrets or (isinstance(value, str) and value in hidden):
                outputs[name] = Secret(value)
        return resource_id, outputs | given


def _plain(inputs: Properties) -> dict[str, Any]:
    return {
        name: value
        for name, value in reveal(inputs).items()
        if not isinstance(value, Asset) and not name.startswith("__")
    }


def stand_in_id(entry: Resource, urn: str, region: str) -> str:
    """An id that is the same each time; an ARN where the type's id is its ARN."""
    name = f"{urn_name(urn)}-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"
    is_arn = entry.outputs.get("arn") == "id" or "arn" in entry.id.lower()
    return f"arn:aws:{entry.service}:{region}:{ACCOUNT_ID}:{name}" if is_arn else name


def outputs_of_type(entry: Resource, urn: str, region: str) -> Properties:
    """A stand-in for each output, of the type that the SDK says."""
    hints = _types.resource_types(_class(entry.token))
    names = [name for name in (*known.outputs_of(entry.token), *entry.outputs) if name != "id"]
    return {
        name: _stand_in(hints.get(name, str), f"{urn_name(urn)}-{name}", entry, region, _DEPTH)
        for name in names
    }


def _stand_in(hint: Any, name: str, entry: Resource, region: str, depth: int) -> Any:
    arguments = [item for item in get_args(hint) if item is not type(None)]
    origin = get_origin(hint)
    if origin in (list, Sequence):
        return [_stand_in(arguments[0], name, entry, region, depth - 1)] if depth else []
    if origin in (dict, Mapping):
        return {}
    if origin is not None:
        return _stand_in(arguments[0], name, entry, region, depth)
    if hint in (int, float):
        return 1
    if hint is bool:
        return False
    if isinstance(hint, type) and _types.is_output_type(hint):
        fields = _types.output_type_types(hint)
        return (
            {
                field: _stand_in(kind, f"{name}-{field}", entry, region, depth - 1)
                for field, kind in fields.items()
            }
            if depth
            else {}
        )
    return f"arn:aws:{entry.service}:{region}:{ACCOUNT_ID}:{name}" if name.endswith(("-arn", "Arn")) else name


def _class(token: str) -> type:
    module, class_name = known.module_of(token)
    return getattr(module, class_name)
