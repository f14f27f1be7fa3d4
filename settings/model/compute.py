"""The containers: services, what they scale on, and one-off tasks."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from settings.data.fargate import MEMORY_MIB_BY_CPU
from settings.model.fields import (
    ContainerPath,
    Count,
    EnvironmentName,
    Items,
    Label,
    Matching,
    Model,
    Name,
    OneOf,
    Percent,
    Port,
    Positive,
    Schedule,
    Seconds,
    SqlName,
    Text,
    Timezone,
    UrlPath,
    in_stack,
    in_system,
)

ImageTag = Annotated[
    str,
    Matching(
        r"^(?!latest$)([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64})$",
        "a version that never moves (not latest), or a digest sha256: and 64 hexadecimal digits",
        '"1.4.2"',
    ),
]
ContainerUser = Annotated[
    str,
    Matching(
        r"^(?!root(:|$)|0+(:|$))[a-z0-9_][a-z0-9_-]*(:[a-z0-9_-]+)?$",
        "a user other than root, in quotes",
        '"1000"',
    ),
]


class Public(Model):
    """How the internet reaches a service, through the load balancer."""

    host: Label = in_system("Label before the stack's domain: api becomes api.example.com")
    paths: Items[UrlPath] = in_system("Path patterns that belong to the service", min_length=1, max_length=3)
    priority: Annotated[int, Field(ge=2, le=49000)] = in_system(
        "Order of its rules on the listener; lower is asked first"
    )
    private_paths: Items[UrlPath] = in_system(
        "Path patterns that answer 404 from outside", default=(), max_length=3
    )


class Health(Model):
    """How the platform sees that a task is well. Either or both; a public service needs `path`."""

    path: UrlPath | None = in_system(
        "Answered with 200 on the http port; the load balancer asks it", default=None
    )
    command: Items[Text] | None = in_system("Run in the container; exit code 0 means well", default=None)


class DatabaseAccess(Model):
    """The role that a service logs in with, and the pool that each of its tasks holds."""

    role: SqlName = in_system("A role of database.roles")
    pool_max: Positive = in_system("Connections of one task at most (RentalFix guide L608: 20)")
    pool_min: Count = in_system("Connections of one task at least (RentalFix guide L609: 5)")
    pool_idle_timeout_ms: Positive = in_system(
        "A connection idle for so long is closed, in milliseconds (L610: 30000)"
    )


class CpuScaling(Model):
    """Keeps the average CPU of the service's tasks near a figure."""

    metric: Literal["cpu"] = in_system("CPU of the service")
    target_percent: Percent = in_system("Average to aim at")


class MemoryScaling(Model):
    """Keeps the average memory of the service's tasks near a figure."""

    metric: Literal["memory"] = in_system("Memory of the service")
    target_percent: Percent = in_system("Average to aim at")


class RequestScaling(Model):
    """Keeps the requests that each task gets near a figure. Only for a public service."""

    metric: Literal["requests_per_target"] = in_system("Requests of the load balancer to one task")
    target_per_minute: Positive = in_system("Requests per minute and task to aim at")


class LatencyScaling(Model):
    """Adds tasks when answers take too long. Only for a public service."""

    metric: Literal["latency_p95"] = in_system("95th percentile of the time to answer")
    above_s: Seconds = in_system("Seconds from which tasks are added")
    add_tasks: Positive = in_system("How many at a time")


class QueueScaling(Model):
    """Adds tasks when jobs wait, removes them when few do."""

    metric: Literal["queue"] = in_system("Jobs that wait in a queue")
    queue: Name = in_system("A queue of `queues`")
    add_above: Positive = in_system("Jobs from which a task is added")
    remove_below: Count = in_system("Jobs below which a task is removed")


def _metric(rule: Any) -> Any:
    return rule.get("metric") if isinstance(rule, Mapping) else getattr(rule, "metric", None)


ScalingRule = Annotated[
    Annotated[CpuScaling, Tag("cpu")]
    | Annotated[MemoryScaling, Tag("memory")]
    | Annotated[RequestScaling, Tag("requests_per_target")]
    | Annotated[LatencyScaling, Tag("latency_p95")]
    | Annotated[QueueScaling, Tag("queue")],
    Discriminator(_metric),
]


class ScheduledScaling(Model):
    """Other bounds at certain hours, such as before a campaign."""

    name: Name = in_stack("Name of the action; renaming it replaces it")
    schedule: Schedule = in_stack("When the bounds take effect")
    timezone: Timezone = in_stack("Zone of the schedule, such as UTC or America/New_York")
    min_count: Count = in_stack("Tasks at least, from then on")
    max_count: Positive = in_stack("Tasks at most, from then on")


class Service(Model):
    """A container that runs for ever on Fargate, and scales."""

    image_tag: ImageTag | None = in_stack(
        "Version or digest of the image; without one the service is not started", default=None
    )
    cpu: Annotated[int, OneOf(tuple(MEMORY_MIB_BY_CPU))] = in_stack("CPU units of one task; 1024 is one vCPU")
    memory_mib: Positive = in_stack("Memory of one task in MiB; Fargate accepts certain pairs with cpu")
    desired_count: Count = in_stack("Tasks at the start; autoscaling moves it afterwards")
    min_count: Count = in_stack("Tasks at least")
    max_count: Positive = in_stack("Tasks at most")
    command: Items[Text] = in_system("What the container runs", min_length=1)
    user: ContainerUser = in_system("User id in the container, never root")
    ports: Mapping[Name, Port] = in_system(
        "Ports by name; `http` is what the load balancer asks, `metrics` is scraped"
    )
    public: Public | None = in_system("How the internet reaches it; none: it does not", default=None)
    health: Health = in_system("How the platform sees that a task is well")
    writable_paths: Items[ContainerPath] = in_system(
        "The only folders that the container may write to", default=()
    )
    connects_to: Items[Name] = in_system(
        "What it may open connections to: database, or a cache by name", default=()
    )
    database: DatabaseAccess | None = in_system(
        "How it logs in to the database; none: it does not", default=None
    )
    environment: Mapping[EnvironmentName, str] = in_system(
        "Plain variables; ${...} refers to what the stack makes", default={}
    )
    secrets: Mapping[EnvironmentName, str] = in_system(
        "Variables that Secrets Manager fills, each one ${...}", default={}
    )
    scaling: Items[ScalingRule] = in_system("What the number of tasks follows; none: it stays", default=())
    scheduled_scaling: Items[ScheduledScaling] = in_stack("Other bounds at certain hours", default=())

    @property
    def is_started(self) -> bool:
        """Whether the stack runs it: without an image tag everything but the service itself is made."""
        return self.image_tag is not None


Image = Annotated[
    str,
    Matching(
        r"^[a-z0-9.:/_-]+(:(?!latest$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$",
        "an image with a version that never moves (not latest), or with a digest @sha256:...",
        "public.ecr.aws/docker/library/postgres:16.10-alpine",
    ),
]


class Operations(Model):
    """The images of the platform's own tasks: bootstrap, dump, vacuum, and the collector of metrics."""

    postgres_image: Image = in_stack(
        "psql and pg_dump: the Alpine variant of the official image, of the database's major version or newer"
    )
    aws_cli_image: Image = in_stack("The AWS CLI, which uploads the dump")
    collector_image: Image = in_stack("AWS's distribution of the OpenTelemetry collector")


class Task(Model):
    """A one-off run of a service's image; declared by `pulumi up`, run by an operator or the pipeline."""

    service: Name = in_system("Whose image, connections and variables it gets")
    command: Items[Text] = in_system("What the container runs", min_length=1)
    image_tag: ImageTag | None = in_stack(
        "Version or digest of its image, where it runs ahead of its service: a migration before a release",
        default=None,
    )
    as_master: bool = in_system(
        "Gets the database's master user instead of the service's role", default=False
    )
