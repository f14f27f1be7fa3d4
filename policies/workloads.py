"""Reads the environment of whatever runs code: ECS tasks, Lambda functions and the pods of Kubernetes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import clusters
import task_definitions
from clusters import WORKLOADS
from rules import Props, literal
from task_definitions import FUNCTION, TASK_DEFINITION

TYPES = [TASK_DEFINITION, FUNCTION, *WORKLOADS]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a container is told.

    `plain` holds values by variable, None where one is not known yet; `references` where each secret variable comes
    from, None where that is not known yet. With `has_more` it is told more than can be seen here.
    """

    where: str
    container: str
    plain: Mapping[str, str | None]
    references: Mapping[str, str | None]
    has_more: bool = False

    @property
    def names(self) -> set[str]:
        return {*self.plain, *self.references}


def environments(props: Props, resource_type: str, name: str = "") -> Iterator[Environment]:
    """The environment of each container; a function is a container of its own, called `name`."""
    if resource_type == FUNCTION:
        said = literal(props.get("environment") or {}, "variables") or {}
        plain = {key: _text(literal(said, key)) for key in said}
        yield Environment(where="environment", container=name, plain=plain, references={})
    elif resource_type == TASK_DEFINITION:
        for where, container in task_definitions.containers(props):
            yield Environment(
                where=where,
                container=str(container.get("name", "")),
                plain={
                    str(each.get("name", "")): str(each.get("value", ""))
                    for each in container.get("environment") or []
                },
                references={
                    str(each.get("name", "")): str(each.get("valueFrom", ""))
                    for each in container.get("secrets") or []
                },
                has_more=bool(container.get("environmentFiles")),
            )
    else:
        for where, container in clusters.containers(props):
            yield _of_pod(where, container)


def _of_pod(where: str, container: clusters.Part) -> Environment:
    plain: dict[str, str | None] = {}
    references: dict[str, str | None] = {}
    for each in container.get("env") or []:
        variable = str(each.get("name", ""))
        source = literal(each, "valueFrom")
        if source:
            key = source.get("secretKeyRef")
            references[variable] = _text(literal(key, "name")) if key else None
        else:
            plain[variable] = _text(literal(each, "value"))
    return Environment(
        where=where,
        container=str(container.get("name", "")),
        plain=plain,
        references=references,
        has_more=bool(container.get("envFrom")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def split(entries: Sequence[str]) -> dict[str, list[str]]:
    """Settings of the form "api: PORT, DATABASE_URL", by what stands before the colon."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        name, _, values = entry.partition(":")
        found.setdefault(name.strip(), []).extend(
            value.strip() for value in values.split(",") if value.strip()
        )
    return found
