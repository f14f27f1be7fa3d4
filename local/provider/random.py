"""The `random` plugin: passwords, bytes, ids, strings and UUIDs, made once and kept in the state.

Nothing is created anywhere, so there is nothing to read or to delete; every input but `keepers`' unchanged ones
replaces, as with the real provider.
"""

import base64
import importlib.metadata
import secrets
import string
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi.runtime.proto import provider_pb2

from local.provider.cloud import Refusal
from local.provider.differences import differences
from local.provider.known import near
from local.provider.server import EMPTY, Servicer, configured, created, diff_response, sentences, serve
from local.provider.urns import urn_type
from local.provider.values import UNKNOWN, Properties, Secret, decode, encode, reveal

SPECIAL = "!@#$%&*()-_=+[]{}<>:?"  # the real provider's, when `overrideSpecial` does not say

_TEXT_INPUTS = (
    "keepers",
    "length",
    "lower",
    "minLower",
    "minNumeric",
    "minSpecial",
    "minUpper",
    "number",
    "numeric",
    "overrideSpecial",
    "special",
    "upper",
)

_generator = secrets.SystemRandom()


@dataclass(frozen=True)
class Made:
    id: str
    outputs: Properties


@dataclass(frozen=True)
class Kind:
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    make: Callable[[Mapping[str, Any]], Made]


def text_of(inputs: Mapping[str, Any]) -> str:
    """A text of `length` characters with at least the asked number of each class, in random order."""
    classes = {
        "Lower": string.ascii_lowercase if inputs.get("lower", True) else "",
        "Upper": string.ascii_uppercase if inputs.get("upper", True) else "",
        "Numeric": string.digits if inputs.get("numeric", inputs.get("number", True)) else "",
        "Special": (inputs.get("overrideSpecial") or SPECIAL) if inputs.get("special", True) else "",
    }
    characters: list[str] = []
    for name, alphabet in classes.items():
        least = int(inputs.get(f"min{name}") or 0)
        if least and not alphabet:
            raise Refusal(f"min{name} asks for {least} characters of a class that is switched off")
        characters += [secrets.choice(alphabet) for _ in range(least)]
    length, alphabet = int(inputs["length"]), "".join(classes.values())
    if length < max(1, len(characters)):
        raise Refusal(
            f"length must be at least {max(1, len(characters))} (the sum of the min* inputs), got {length}"
        )
    if not alphabet:
        raise Refusal("every class of characters is switched off: leave lower, upper, numeric or special on")
    characters += [secrets.choice(alphabet) for _ in range(length - len(characters))]
    _generator.shuffle(characters)
    return "".join(characters)


def _password(inputs: Mapping[str, Any]) -> Made:
    return Made("none", {"result": Secret(text_of(inputs))})


def _string(inputs: Mapping[str, Any]) -> Made:
    text = text_of(inputs)
    return Made(text, {"result": text})


def _bytes_of(inputs: Mapping[str, Any], name: str) -> bytes:
    length = int(inputs[name])
    if length < 1:
        raise Refusal(f"{name} must be at least 1, got {length}")
    return secrets.token_bytes(length)


def _bytes(inputs: Mapping[str, Any]) -> Made:
    content = _bytes_of(inputs, "length")
    return Made("none", {"base64": Secret(base64.b64encode(content).decode()), "hex": Secret(content.hex())})


def _id(inputs: Mapping[str, Any]) -> Made:
    content = _bytes_of(inputs, "byteLength")
    prefix = inputs.get("prefix") or ""
    url = base64.urlsafe_b64encode(content).decode().rstrip("=")
    return Made(
        url,
        {
            "b64Std": prefix + base64.b64encode(content).decode(),
            "b64Url": prefix + url,
            "dec": prefix + str(int.from_bytes(content, "big")),
            "hex": prefix + content.hex(),
        },
    )


def _uuid(inputs: Mapping[str, Any]) -> Made:  # noqa: ARG001
    text = str(uuid.uuid4())
    return Made(text, {"result": text})


KINDS: Mapping[str, Kind] = {
    "random:index/randomPassword:RandomPassword": Kind(_TEXT_INPUTS, ("result",), _password),
    "random:index/randomString:RandomString": Kind(_TEXT_INPUTS, ("result",), _string),
    "random:index/randomBytes:RandomBytes": Kind(("keepers", "length"), ("base64", "hex"), _bytes),
    "random:index/randomId:RandomId": Kind(
        ("byteLength", "keepers", "prefix"), ("b64Std", "b64Url", "dec", "hex"), _id
    ),
    "random:index/randomUuid:RandomUuid": Kind(("keepers",), ("result",), _uuid),
}


def kind_of(urn: str) -> Kind:
    token = urn_type(urn)
    if token not in KINDS:
        raise Refusal(f"this provider has no type {token}: {near(token, KINDS)}")
    return KINDS[token]


def problems_of(urn: str, inputs: Properties) -> list[tuple[str, str]]:
    kind = kind_of(urn)
    return [
        (name, f"{urn_type(urn)} has no input `{name}`: {near(name, kind.inputs)}")
        for name in sorted(inputs)
        if name not in kind.inputs and not name.startswith("__")
    ]


class RandomServicer(Servicer):
    @sentences
    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:  # noqa: ARG002
        return configured()

    @sentences
    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: ARG002
        failures = [
            provider_pb2.CheckFailure(property=name, reason=reason)
            for name, reason in problems_of(request.urn, decode(request.news))
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @sentences
    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: ARG002
        found = differences(decode(request.old_inputs), decode(request.news))
        ignored = set(request.ignoreChanges)
        found = [item for item in found if item.name not in ignored]
        return diff_response(found, [item.path for item in found])

    @sentences
    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:  # noqa: ARG002
        kind, inputs = kind_of(request.urn), decode(request.properties)
        if request.preview:
            return created("", {**inputs, **dict.fromkeys(kind.outputs, UNKNOWN)})
        made = kind.make(reveal(inputs))
        return created(made.id, {**inputs, **made.outputs})

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:  # noqa: ARG002
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:  # noqa: ARG002
        return provider_pb2.UpdateResponse(
            properties=encode({**decode(request.olds), **decode(request.news)})
        )

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        return EMPTY


if __name__ == "__main__":
    serve(RandomServicer(importlib.metadata.version("pulumi_random")))
