"""JSON Schemas of the two files, made from the model, so that editors complete and check what people type.

`python -m settings.schema` writes them, `--check` only says whether they are current. What joins several keys
is beyond a schema: the program checks it.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from settings.loader import NAMESPACE, PROFILES
from settings.model import INJECTED, Settings

FOLDER = Path(__file__).parent
CHOSEN_BY_THE_STACK = ("system", "profile")


def documents() -> dict[Path, str]:
    """The text of each schema file."""
    schemas = {"system.json": system_file(), "stack.json": stack_file()}
    return {FOLDER / name: json.dumps(schema, indent=2) + "\n" for name, schema in schemas.items()}


def system_file() -> dict[str, Any]:
    """systems/<name>/system.yaml: the model's keys; those of the stack file may be left out."""
    definitions, properties = _parts()
    product = {name: schema for name, schema in properties.items() if name not in CHOSEN_BY_THE_STACK}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What a product is, in every environment",
        "type": "object",
        "properties": {**product, PROFILES: _profiles(product)},
        "required": _required("system"),
        "additionalProperties": False,
        "$defs": definitions,
    }


def stack_file() -> dict[str, Any]:
    """Pulumi.<stack>.yaml: the model's keys with the namespace before them, beside the keys of providers."""
    definitions, properties = _parts()
    known = {f"{NAMESPACE}:{name}": schema for name, schema in properties.items()}
    others = {"not": {"pattern": f"^{NAMESPACE}:"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "How large a system is in one environment, and where",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": known,
                "required": [f"{NAMESPACE}:{name}" for name in _required("stack")],
                "propertyNames": {"anyOf": [{"enum": list(known)}, others]},
            }
        },
        "required": ["config"],
        "$defs": definitions,
    }


def _profiles(product: dict[str, Any]) -> dict[str, Any]:
    block = {"type": "object", "properties": product, "additionalProperties": False}
    return {
        "description": "Scale tiers and other shapes by name: what each has different from the rest of this file",
        "type": "object",
        "additionalProperties": block,
    }


@cache
def _model() -> dict[str, Any]:
    return Settings.model_json_schema()


def _parts() -> tuple[dict[str, Any], dict[str, Any]]:
    """Definitions and top properties. Nothing inside a block is required: the other file may hold it."""
    schema = _relaxed(_model())
    properties = {name: part for name, part in schema["properties"].items() if name not in INJECTED}
    return {name: part for name, part in schema["$defs"].items() if name != "Aws"}, properties


def _required(file: str) -> list[str]:
    properties = _model()["properties"]
    return [
        name
        for name, field in Settings.model_fields.items()
        if field.is_required() and properties[name]["file"] == file and name not in INJECTED
    ]


def _relaxed(schema: Any) -> Any:
    """Without `required`, generated titles and our own marks; null, which takes a key away, is allowed."""
    if isinstance(schema, list):
        return [_relaxed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _relaxed(part) for key, part in schema.items() if key not in ("required", "title", "file")}
    for block in ("properties", "patternProperties"):
        if block in schema:
            # Names of properties are no keywords: one of them may be called "title" or "file".
            kept[block] = {name: _or_null(_relaxed(part)) for name, part in schema[block].items()}
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    elif isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _or_null(kept["additionalProperties"])
    return kept


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if {"type": "null"} in schema.get("anyOf", []):
        return schema
    described = {"description": schema["description"]} if "description" in schema else {}
    return {
        **described,
        "anyOf": [{key: part for key, part in schema.items() if key != "description"}, {"type": "null"}],
    }
