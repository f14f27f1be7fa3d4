"""Tags, the same for every type: which operations set, remove and list them, service by service."""

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, StructureShape

from local.provider.entry import Tagging
from local.provider.readback import pairs
from local.provider.shapes import pair_members

BY_SERVICE: Mapping[str, Tagging] = {
    "acm": Tagging(
        sets="add_tags_to_certificate",
        removes="remove_tags_from_certificate",
        lists="list_tags_for_certificate",
    ),
    "backup": Tagging(lists="list_tags"),
    "ec2": Tagging(sets="create_tags", removes="delete_tags", lists=""),
    "elasticache": Tagging(sets="add_tags_to_resource", removes="remove_tags_from_resource"),
    "elbv2": Tagging(sets="add_tags", removes="remove_tags", lists="describe_tags"),
    "kms": Tagging(lists="list_resource_tags"),
    "lambda": Tagging(lists="list_tags"),
    "rds": Tagging(sets="add_tags_to_resource", removes="remove_tags_from_resource"),
    "secretsmanager": Tagging(lists=""),
    "sqs": Tagging(sets="tag_queue", removes="untag_queue", lists="list_queue_tags"),
    "ssm": Tagging(
        sets="add_tags_to_resource",
        removes="remove_tags_from_resource",
        params={"ResourceType": "'Parameter'"},
    ),
}

_LISTS = ("tags", "taglist", "tagset", "resourcetags")


def tagging(service: str) -> Tagging:
    return BY_SERVICE.get(service, Tagging())


def in_answer(found: Mapping[str, Any]) -> dict[str, str] | None:
    """The tags that a describe call shows; nothing when it shows none at all."""
    for member, value in found.items():
        if member.lower() in _LISTS and isinstance(value, list | dict):
            wrapped = value.get("Items") if isinstance(value, dict) else None
            return without_aws(wrapped if isinstance(wrapped, list) else value)
    return None


def in_listing(answer: Mapping[str, Any]) -> dict[str, str]:
    if answer.get("TagDescriptions"):
        answer = answer["TagDescriptions"][0]
    for wrapper in ("ResourceTagSet", "TagInfoForResource"):
        answer = answer.get(wrapper, answer)
    return in_answer(answer) or {}


def without_aws(tags: list[Any] | dict[str, str]) -> dict[str, str]:
    as_map = tags if isinstance(tags, dict) else pairs(tags) or {}
    return {key: value for key, value in as_map.items() if not key.startswith("aws:")}


def identify(operation: OperationModel, params: Mapping[str, str], identifier: str) -> dict[str, Any]:
    """The parameter that says which resource: the one that is neither tags nor given by the entry."""
    shape = operation.input_shape
    members = [name for name in shape.members if name not in params and not _about_tags(name)]
    required = [name for name in members if name in shape.required_members]
    member = (required or members)[0]
    many = isinstance(shape.members[member], ListShape)
    return {member: [identifier] if many else identifier}


def setting(operation: OperationModel, tags: Mapping[str, str]) -> dict[str, Any]:
    """The parameter that sets tags, as the list or the map that the operation wants."""
    member = _member(operation, "addtag", "tag")
    shape = operation.input_shape.members[member]
    if isinstance(shape, MapShape):
        return {member: dict(tags)}
    if isinstance(shape, StructureShape):
        (wrapper,) = shape.members
        return {member: {wrapper: [{"Key": name, "Value": text} for name, text in tags.items()]}}
    key, value = pair_members(shape.member) or ("Key", "Value")
    return {member: [{key: name, value: text} for name, text in tags.items()]}


def removing(operation: OperationModel, names: list[str]) -> dict[str, Any]:
    """The parameter that removes tags: their keys, or keys in structures."""
    member = _member(operation, "removetag", "tag")
    shape = operation.input_shape.members[member]
    if isinstance(shape, StructureShape):
        (wrapper,) = shape.members
        return {member: {wrapper: names}}
    pair = pair_members(shape.member) if isinstance(shape, ListShape) else None
    return {member: [{pair[0]: name} for name in names] if pair else names}


def _about_tags(member: str) -> bool:
    return member.lower().startswith(("tag", "addtag", "removetag"))


def _member(operation: OperationModel, *beginnings: str) -> str:
    members = operation.input_shape.members
    return next(name for start in beginnings for name in members if name.lower().startswith(start))
