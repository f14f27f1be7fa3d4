"""JMESPath with the few functions that AWS's ids and ARNs need."""

import json
import secrets
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathTypeError
from jmespath.functions import Functions, signature
from jmespath.parser import ParsedResult

ACCOUNT_ID = "123456789012"  # moto's, whatever the credentials


class AwsFunctions(Functions):
    def __init__(self, region: str) -> None:
        self._region = region

    @signature({"types": ["string"]}, {"types": ["string", "null"]})
    def _func_arn(self, service: str, resource: str | None) -> str | None:
        """ARN of a regional resource."""
        return resource and f"arn:aws:{service}:{self._region}:{ACCOUNT_ID}:{resource}"

    @signature({"types": ["string"]}, {"types": ["string", "null"]})
    def _func_global_arn(self, service: str, resource: str | None) -> str | None:
        """ARN without a region (IAM, Route 53 ...)."""
        return resource and f"arn:aws:{service}::{ACCOUNT_ID}:{resource}"

    @signature()
    def _func_account(self) -> str:
        return ACCOUNT_ID

    @signature()
    def _func_region(self) -> str:
        return self._region

    @signature({"types": ["string", "null"]}, {"types": ["string"]})
    def _func_split(self, text: str | None, separator: str) -> list[str] | None:
        return None if text is None else text.split(separator)

    @signature({"types": ["string", "null"]}, {"types": ["string"]}, {"types": ["string"]})
    def _func_replace(self, text: str | None, old: str, new: str) -> str | None:
        return None if text is None else text.replace(old, new)

    @signature({"types": ["string", "null"]})
    def _func_lower(self, text: str | None) -> str | None:
        return None if text is None else text.lower()

    @signature({"types": ["string", "null"]})
    def _func_parse(self, text: str | None) -> Any:
        """The value of a JSON text."""
        return None if text is None else json.loads(text)

    @signature({"types": []})
    def _func_text(self, value: Any) -> str:
        """A value as JSON text."""
        return json.dumps(value, sort_keys=True)

    @signature({"types": []})
    def _func_as_text(self, value: Any) -> str | None:
        """A single value as the API's attributes want it: "true", "60"."""
        if value is None or isinstance(value, str):
            return value
        return str(value).lower() if isinstance(value, bool) else json.dumps(value)

    @signature({"types": ["object", "null"]})
    def _func_pairs(self, value: Mapping[str, Any] | None) -> list[dict[str, Any]] | None:
        """A map as a list of {key, value}."""
        return None if value is None else [{"key": key, "value": value[key]} for key in value]

    @signature({"types": ["array", "null"]}, {"types": ["array", "null"]})
    def _func_minus(self, left: list[Any] | None, right: list[Any] | None) -> list[Any] | None:
        """What is in the first list only; nothing when that is empty, so that no empty parameter is sent."""
        return [item for item in left or [] if item not in (right or [])] or None

    @signature({"types": ["number"]})
    def _func_hex(self, digits: int) -> str:
        return secrets.token_hex((digits + 1) // 2)[:digits]

    @signature()
    def _func_uuid(self) -> str:
        return str(uuid.uuid4())


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> ParsedResult:
    return jmespath.compile(expression)


@lru_cache(maxsize=32)
def _options(region: str) -> jmespath.Options:
    return jmespath.Options(custom_functions=AwsFunctions(region))


def evaluate(expression: str, document: Mapping[str, Any], region: str) -> Any:
    """The expression's value; nothing where a part of it is missing (`join` of a null, say)."""
    try:
        return _compiled(expression).search(document, options=_options(region))
    except JMESPathTypeError:
        return None


@lru_cache(maxsize=4096)
def mentioned(expression: str, root: str = "inputs") -> frozenset[str]:
    """The inputs that an expression uses: `b` in `join('/', [inputs.b, id])`."""

    def first_field(node: Mapping[str, Any]) -> str:
        return node.get("value", "") if node["type"] == "field" else first_field(node["children"][0])

    def walk(node: Mapping[str, Any]) -> set[str]:
        names: set[str] = set()
        children = node["children"]
        if node["type"] == "subexpression" and children[0].get("value") == root:
            names.add(first_field(children[1]))
        for child in children:
            if isinstance(child, dict):
                names |= walk(child)
        return names

    return frozenset(walk(_compiled(expression).parsed) - {""})
