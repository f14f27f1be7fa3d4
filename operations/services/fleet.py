"""The services of a stack as ECS runs them, and the revisions of their task definitions."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import typer

from operations.platform import Platform, Refusal
from operations.policy import stacks

MOST_SERVICES, MOST_TASKS = 10, 100  # ECS API, DescribeServices and DescribeTasks
SHORT_DIGEST = 12
DIGEST = "sha256:"

ServiceArgument = Annotated[str, typer.Argument(help="The service, by its name in the system file.")]
ServicesArgument = Annotated[
    list[str] | None, typer.Argument(help="Services, by their names in the system file. None: all of them.")
]

Said = Mapping[str, Any]


@dataclass(frozen=True)
class Service:
    """By the stack's outputs. `ecs_name` is what ECS calls it, `declared` the revision that Pulumi wants to run."""

    name: str
    ecs_name: str
    cluster: str
    declared: str
    log_group: str


@dataclass(frozen=True)
class Revision:
    """One of a family's task definitions, in the shape of DescribeTaskDefinition."""

    said: Said

    @property
    def arn(self) -> str:
        return self.said["taskDefinitionArn"]

    @property
    def number(self) -> int:
        return self.said["revision"]

    @property
    def family(self) -> str:
        return self.said["family"]

    @property
    def is_active(self) -> bool:
        return self.said["status"] == "ACTIVE"

    @property
    def made(self) -> datetime | None:
        return self.said.get("registeredAt")

    @property
    def containers(self) -> Sequence[Said]:
        return self.said["containerDefinitions"]

    def image(self, service: str) -> str:
        """Of the container that is the service; it is called like it."""
        images = {each["name"]: each["image"] for each in self.containers}
        return images.get(service) or next(iter(images.values()), "")

    def tag(self, service: str) -> str:
        return tag_of(self.image(service))


def tag_of(image: str) -> str:
    """The tag or digest of an image, as the stack file has it."""
    if "@" in image:
        return image.rpartition("@")[2]
    name = image.rpartition("/")[2]
    return name.partition(":")[2] or "latest"


def short(tag: str) -> str:
    """A digest as people read it."""
    if not tag.startswith(DIGEST):
        return tag
    return tag[: len(DIGEST) + SHORT_DIGEST]


def number_of(arn: str) -> int:
    return int(arn.rpartition(":")[2])


def choose(platform: Platform, names: Sequence[str] | None) -> list[Service]:
    """Those that are named, or all. Raises Refusal for one that is not there, and where ECS does not run them."""
    said, waiting = platform.outputs["services"], platform.outputs["servicesToPush"]
    for name in names or []:
        if name in waiting:
            raise Refusal(
                f"{name} has no image tag in the stack file, and so does not run. `groundwork deploy {name} --tag TAG` "
                "releases it."
            )
        if name not in said:
            raise Refusal(
                stacks.unknown("service", name, sorted([*said, *waiting]), of=f" of {platform.system}")
            )
    if not said:
        raise Refusal(
            f"{platform} runs no service yet: none has an image tag in the stack file. `groundwork deploy` gives one."
        )
    _on_ecs(platform)
    return [
        Service(
            name=name,
            ecs_name=said[name]["name"],
            cluster=platform.outputs["cluster"],
            declared=said[name]["taskDefinition"],
            log_group=said[name]["logGroup"],
        )
        for name in dict.fromkeys(names or said)
    ]


def _on_ecs(platform: Platform) -> None:
    kubernetes = platform.outputs["kubernetes"]
    if kubernetes["namespace"]:
        raise Refusal(
            f"{platform} runs its services on Kubernetes: `kubectl --namespace {kubernetes['namespace']} rollout "
            "status | undo | restart deployment/NAME`, `scale`, `logs`, `exec`. docs/runbooks/kubernetes.md."
        )


def describe(ecs: Any, services: Sequence[Service]) -> dict[str, Said]:
    """What ECS says of each, by name. Raises Refusal for one that it does not know."""
    found: dict[str, Said] = {}
    for start in range(0, len(services), MOST_SERVICES):
        names = [each.ecs_name for each in services[start : start + MOST_SERVICES]]
        answer = ecs.describe_services(cluster=services[0].cluster, services=names)
        found |= {each["serviceName"]: each for each in answer["services"] if each["status"] == "ACTIVE"}
    gone = [each.ecs_name for each in services if each.ecs_name not in found]
    if gone:
        raise Refusal(
            f"ECS knows no service {', '.join(gone)} in the cluster {services[0].cluster}, which the outputs name. "
            "`pulumi up --refresh` makes it again."
        )
    return {each.name: found[each.ecs_name] for each in services}


def tasks(ecs: Any, service: Service, status: Literal["RUNNING", "STOPPED"]) -> list[Said]:
    """Its tasks that should run, or that have stopped in the last hour, in the shape of DescribeTasks."""
    pages = ecs.get_paginator("list_tasks").paginate(
        cluster=service.cluster, serviceName=service.ecs_name, desiredStatus=status
    )
    arns = [arn for page in pages for arn in page["taskArns"]]
    parts = [arns[start : start + MOST_TASKS] for start in range(0, len(arns), MOST_TASKS)]
    found = [
        task for part in parts for task in ecs.describe_tasks(cluster=service.cluster, tasks=part)["tasks"]
    ]
    # The emulator lists those of the whole cluster.
    return [task for task in found if task["group"] == f"service:{service.ecs_name}"]


def told(ecs: Any, services: Sequence[Service]) -> str:
    """How many tasks of which revision each has now, as JSON: what a command that changed them gives a program."""
    seen = describe(ecs, services)
    rows = [
        {
            "service": each.name,
            "running": seen[each.name]["runningCount"],
            "desired": seen[each.name]["desiredCount"],
            "revision": number_of(seen[each.name]["taskDefinition"]),
        }
        for each in services
    ]
    return json.dumps(rows, indent=2)


def primary(said: Said) -> Said:
    """The deployment that ECS is at. Empty for a service that has none."""
    deployments = said.get("deployments") or [{}]
    return next((each for each in deployments if each.get("status") == "PRIMARY"), deployments[0])


def revision(ecs: Any, task_definition: str) -> Revision:
    return Revision(ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"])


def revisions(ecs: Any, family: str) -> Iterator[Revision]:
    """Those that can still be run, the newest first; asked for one by one, for there may be hundreds."""
    pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status="ACTIVE")
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    # The prefix would also find a family whose name goes on.
    own = [arn for arn in arns if arn.rpartition("/")[2].rpartition(":")[0] == family]
    for arn in sorted(own, key=number_of, reverse=True):
        yield revision(ecs, arn)
