"""What travels between the engine and a provider: protobuf structs as plain Python values, and back.

Secrets stay wrapped in `Secret` wherever they stand, a value that preview cannot know is `UNKNOWN`, and assets
and archives stay as the engine sent them (`Asset`), with the hash that it compares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2 as generated
from pulumi.runtime import rpc

struct_pb2: Any = generated  # made at import: a type checker sees nothing in it

Properties = dict[str, Any]


@dataclass(frozen=True)
class Secret:
    value: Any

    def __repr__(self) -> str:
        return "Secret(...)"


@dataclass(frozen=True)
class Asset:
    """An asset or an archive: `fields` holds `path`, `text` or `assets`, and the engine's `hash`."""

    fields: Mapping[str, Any]


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()

_ASSETS = (rpc._special_asset_sig, rpc._special_archive_sig)


def decode(message: Any) -> Properties:
    return {key: decode_value(value) for key, value in message.fields.items()}


def decode_value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        signature = fields[rpc._special_sig_key].string_value if rpc._special_sig_key in fields else None
        if signature == rpc._special_secret_sig:
            return Secret(decode_value(fields["value"]))
        if signature in _ASSETS:
            return Asset({key: decode_value(item) for key, item in fields.items()})
        return {key: decode_value(item) for key, item in fields.items()}
    if kind == "list_value":
        return [decode_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "string_value":
        return UNKNOWN if value.string_value == rpc.UNKNOWN else value.string_value
    return value.bool_value if kind == "bool_value" else None


def encode(properties: Mapping[str, Any]) -> Any:
    return struct_pb2.Struct(fields={key: encode_value(value) for key, value in properties.items()})


def encode_value(value: Any) -> Any:
    if isinstance(value, Secret):
        return encode_value({rpc._special_sig_key: rpc._special_secret_sig, "value": value.value})
    if isinstance(value, Asset):
        return encode_value(dict(value.fields))
    if value is UNKNOWN:
        return struct_pb2.Value(string_value=rpc.UNKNOWN)
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=encode(value))
    if isinstance(value, list | tuple):
        items = [encode_value(item) for item in value]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=items))
    return struct_pb2.Value(string_value=str(value))


def reveal(value: Any) -> Any:
    """The value without its `Secret` wrappers, to be sent to the emulator or compared, never to be stored."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def secret_texts(value: Any, *, inside: bool = False) -> set[str]:
    """Every text that stands inside a secret; short ones are left out, they would match by chance."""
    if isinstance(value, Secret):
        return secret_texts(value.value, inside=True)
    if isinstance(value, dict):
        return set().union(*(secret_texts(item, inside=inside) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(secret_texts(item, inside=inside) for item in value))
    return {value} if inside and isinstance(value, str) and len(value) >= 8 else set()


def has_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(has_secret(item) for item in value)
    return isinstance(value, Secret)


def has_unknown(value: Any) -> bool:
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN
