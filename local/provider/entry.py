"""How the table says what a Pulumi type is in the emulator. Everything here is data; `engine.py` reads it.

Strings marked *expression* are JMESPath over one document: `id`, `inputs` (as the program wrote them), `created`
(the answer to the create call, only while creating), `read` (what the read calls found), `state` (the outputs so
far). `expressions.py` adds functions: `arn`, `split`, `hex` ...
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    operation: str
    params: Mapping[str, str] = field(default_factory=dict)  # the API's member -> expression
    by_name: bool = False  # also send each input whose name the operation knows
    at: str = "@"  # expression over the answer: where the wanted part stands
    on: tuple[str, ...] = ()  # inputs this call carries, beside those found by name or in an expression
    where: Mapping[str, str] = field(
        default_factory=dict
    )  # of a list: the item whose member is this expression
    when: str = ""  # expression: the call is left out when it gives nothing
    service: str = ""  # boto3's name, where it is not the entry's
    optional: bool = False  # a read that may find nothing


@dataclass(frozen=True, kw_only=True)
class Tagging:
    """The operations that set, remove and list tags; an empty `lists` means that the read call shows them."""

    sets: str = "tag_resource"
    removes: str = "untag_resource"
    lists: str = "list_tags_for_resource"
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Resource:
    """One Pulumi type. `recorded` ones have no API in the emulator: `create` only says which one validates them."""

    token: str
    service: str
    create: Call
    id: str  # expression
    then: Call | None = None  # right after create, where that answers with an operation only: joins `created`
    instead: Call | None = None  # creates it when `create` has a `when` that gives nothing
    read: Sequence[Call] = ()
    after: Sequence[
        Call
    ] = ()  # run on create when one of their inputs is given, and on update when one changed
    update: Sequence[Call] = ()  # run on update when one of their inputs changed
    delete: Sequence[Call] = ()
    stays: bool = False  # a setting of something else: deleting it resets it, and a read still finds it
    empties: str = ""  # expression: a bucket's objects are deleted first when it gives true
    recorded: bool = False
    names: Mapping[str, str] = field(default_factory=dict)  # input -> the API's member, at the top level
    nested: Mapping[str, str] = field(default_factory=dict)  # the same, anywhere below
    reads: Mapping[str, str] = field(default_factory=dict)  # input -> expression over `read`
    kept: Sequence[str] = ()  # inputs that the emulator loses or shows otherwise: never read back
    local: Sequence[str] = ()  # inputs for the provider alone: nothing is sent
    replace: Sequence[str] = ()
    delete_first: bool = False
    outputs: Mapping[str, str] = field(default_factory=dict)  # output -> expression
    sometimes: Sequence[str] = ()  # outputs that may have no value
    secrets: Sequence[str] = ()
    auto_name: str = ""  # the input that is made up from the resource's name
    auto_prefix: str = ""
    auto_length: int = 255
    tag_type: str = ""  # for APIs that want it beside the tags
    tag_id: str = "state.arn || id"  # expression
    tagging: Tagging | None = None  # where it is not the service's usual one
    tags_kept: bool = False  # the emulator has no tag operation for it
    gone: Sequence[
        str
    ] = ()  # parts of an error's code or message that mean "not there", beside the usual ones
    example: Mapping[str, Any] = field(default_factory=dict)
    change: Mapping[str, Any] = field(default_factory=dict)


def call(
    operation: str,
    *,
    at: str = "@",
    on: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    when: str = "",
    via: str = "",
    **params: str,
) -> Call:
    """A call with exactly these parameters, each an expression; `via` is another boto3 service than the entry's."""
    return Call(
        operation=operation, params=params, at=at, on=tuple(on), where=where or {}, when=when, service=via
    )


def send(
    operation: str, *, at: str = "@", on: Sequence[str] = (), when: str = "", via: str = "", **params: str
) -> Call:
    """A call that also sends each input whose name the operation knows."""
    return Call(operation=operation, params=params, by_name=True, at=at, on=tuple(on), when=when, service=via)


def maybe(
    operation: str, *, at: str = "@", where: Mapping[str, str] | None = None, via: str = "", **params: str
) -> Call:
    """A read that may find nothing."""
    return Call(operation=operation, params=params, at=at, where=where or {}, service=via, optional=True)
