"""Reads the containers and the environment of whatever runs code: ECS task definitions and Lambda functions."""

from collections.abc import Iterator, Mapping
from typing import Any

from rules import Props, Unreadable, document

TASK_DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
FUNCTION = "aws:lambda/function:Function"

Container = Mapping[str, Any]


def containers(props: Props) -> list[tuple[str, Container]]:
    """Each container of an ECS task definition with its name. Raises `Unreadable` if they are not a JSON list."""
    found = document(props, "containerDefinitions")
    if not isinstance(found, list) or not all(isinstance(container, dict) for container in found):
        raise Unreadable("containerDefinitions is not a JSON list of containers")
    return [(f"container {container.get('name', '?')}", container) for container in found]


def variables(props: Props) -> Iterator[tuple[str, str, str]]:
    """Each plain environment variable: where it stands, its name, its value."""
    if "containerDefinitions" not in set(props):
        for name, value in ((props.get("environment") or {}).get("variables") or {}).items():
            yield "environment", name, str(value)
        return
    for where, container in containers(props):
        for variable in container.get("environment") or []:
            yield where, str(variable.get("name", "")), str(variable.get("value", ""))
