"""The containers: services, what they scale on, and one-off tasks."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from settings.data.fargate import MEMORY_MIB_BY_CPU
from settings.model.checks import Checks
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
    PlainPath,
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
from settings.model.kubernetes import ServiceOnKubernetes, TaskOnKubernetes

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
    rewrites: Mapping[PlainPath, PlainPath] = in_system(
        "Paths that the service knows by another one, such as /health: /api/v1/system/health; asked before the others",
        default={},
        max_length=10,
    )
    strip_prefix: PlainPath | None = in_system(
        "Taken off the path before the service sees it: with /api it is asked for /users, not /api/users; "
        "each of paths begins with it",
        default=None,
    )
    check_path: UrlPath | None = in_system(
        "What is asked from outside to see whether the service is up; none: its health path. For a service whose "
        "health path is not among its public ones",
        default=None,
    )

    @property
    def priorities(self) -> list[int]:
        """The places that it takes on the listener: its own, one for private paths, one for each rewrite."""
        private = [self.priority - 1] if self.private_paths else []
        return [self.priority, *private, *(self.priority - 2 - index for index in range(len(self.rewrites)))]


class Health(Model):
    """How the platform sees that a task is well. Path or command or both; a public service needs `path`.

    The load balancer asks `path` to know who gets requests; a failing container is replaced by its own check.
    """

    path: UrlPath | None = in_system(
        "Answered with 200 on the http port; the load balancer asks it", default=None
    )
    live_path: UrlPath | None = in_system(
        "What the container's own check asks instead of path: it fails only when a restart would help, not when a "
        "database is away; none: path",
        default=None,
    )
    command: Items[Text] | None = in_system(
        "Run in the container instead of asking a path; exit code 0 means well", default=None
    )
    interval_s: Annotated[int, Field(ge=5, le=300)] = in_system(
        "Seconds from one check to the next", default=15
    )
    timeout_s: Annotated[int, Field(ge=2, le=120)] = in_system(
        "Seconds after which a check has failed; less than interval_s", default=5
    )
    healthy_threshold: Annotated[int, Field(ge=2, le=10)] = in_system(
        "Good answers in a row before the load balancer sends requests", default=2
    )
    unhealthy_threshold: Annotated[int, Field(ge=2, le=10)] = in_system(
        "Failures in a row before the load balancer sends no more", default=3
    )
    live_interval_s: Annotated[int, Field(ge=5, le=300)] | None = in_system(
        "Seconds between two of the container's own checks; none: interval_s", default=None
    )
    live_timeout_s: Annotated[int, Field(ge=2, le=60)] | None = in_system(
        "Seconds after which one of them has failed; none: timeout_s", default=None
    )
    retries: Annotated[int, Field(ge=1, le=10)] = in_system(
        "Failures in a row of the container's own check before the task is replaced", default=3
    )
    start_period_s: Annotated[int, Field(ge=0, le=300)] = in_system(
        "Seconds after its start in which failures of the container's own check do not count", default=60
    )
    grace_period_s: Annotated[int, Field(ge=0, le=3600)] = in_system(
        "Seconds after its start in which a task is not replaced for what the load balancer sees", default=60
    )

    @property
    def own_interval_s(self) -> int:
        """The interval of the container's own check."""
        return self.live_interval_s or self.interval_s

    @property
    def own_timeout_s(self) -> int:
        """The time that the container's own check may take."""
        return self.live_timeout_s or self.timeout_s


class DatabaseAccess(Model):
    """The role that a service logs in with, and the pool that each of its tasks holds."""

    role: SqlName = in_system("A role of database.roles")
    pool_max: Positive = in_system("Connections of one task at most (RentalFix guide L608: 20)")
    pool_min: Count = in_system("Connections of one task at least (RentalFix guide L609: 5)", default=0)
    pool_idle_timeout_ms: Positive | None = in_system(
        "A connection idle for so long is closed, in milliseconds (L610: 30000); none: the driver decides",
        default=None,
    )


class _Scaling(Model):
    name: Name | None = in_system(
        "Name of the policy, where scripts know it; several rules on queues need one each. Changing it replaces "
        "the policy",
        default=None,
    )


class CpuScaling(_Scaling):
    """Keeps the average CPU of the service's tasks near a figure."""

    metric: Literal["cpu"] = in_system("CPU of the service")
    target_percent: Percent = in_system("Average to aim at")


class MemoryScaling(_Scaling):
    """Keeps the average memory of the service's tasks near a figure."""

    metric: Literal["memory"] = in_system("Memory of the service")
    target_percent: Percent = in_system("Average to aim at")


class RequestScaling(_Scaling):
    """Keeps the requests that each task gets near a figure. Only for a public service."""

    metric: Literal["requests_per_target"] = in_system("Requests of the load balancer to one task")
    target_per_minute: Positive = in_system("Requests per minute and task to aim at")


class LatencyScaling(_Scaling):
    """Adds tasks when answers take too long. Only for a public service."""

    metric: Literal["latency_p95", "latency_average"] = in_system(
        "95th percentile, or average, of the time to answer"
    )
    above_s: Seconds = in_system("Seconds from which tasks are added")
    add_tasks: Positive = in_system("How many at a time")


class QueueScaling(_Scaling):
    """Adds tasks when jobs wait, removes them when few do."""

    metric: Literal["queue"] = in_system("Jobs that wait in a queue")
    queue: Name = in_system("A queue of `queues`")
    add_above: Positive = in_system("Jobs from which a task is added")
    remove_below: Count = in_system("Jobs below which a task is removed")


class QueueWaitScaling(_Scaling):
    """Adds tasks when the oldest job of a queue waits too long."""

    metric: Literal["queue_wait"] = in_system("Seconds that the oldest job of a queue has waited")
    queue: Name = in_system("A queue of `queues`")
    above_s: Positive = in_system("Seconds from which tasks are added")
    add_tasks: Positive = in_system("How many at a time")


def _metric(rule: Any) -> Any:
    metric = rule.get("metric") if isinstance(rule, Mapping) else getattr(rule, "metric", None)
    return "latency_p95" if metric == "latency_average" else metric


ScalingRule = Annotated[
    Annotated[CpuScaling, Tag("cpu")]
    | Annotated[MemoryScaling, Tag("memory")]
    | Annotated[RequestScaling, Tag("requests_per_target")]
    | Annotated[LatencyScaling, Tag("latency_p95")]
    | Annotated[QueueScaling, Tag("queue")]
    | Annotated[QueueWaitScaling, Tag("queue_wait")],
    Discriminator(_metric),
]


class ScheduledScaling(Model):
    """Other bounds at certain hours, such as before a campaign."""

    name: Name = in_stack("Name of the action; renaming it replaces it")
    schedule: Schedule = in_stack("When the bounds take effect")
    timezone: Timezone = in_stack("Zone of the schedule, such as UTC or America/New_York")
    min_count: Count = in_stack("Tasks at least, from then on")
    max_count: Positive = in_stack("Tasks at most, from then on")


PhysicalName = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9]([A-Za-z0-9_/-]{0,253}[A-Za-z0-9])?$",
        "letters, digits, hyphens, underscores and slashes, a letter or digit at both ends",
        "api-production",
    ),
]


class Names(Model):
    """Names of what the whole stack has one of. A fixed name is the account's: two stacks cannot both have it."""

    cluster: PhysicalName | None = in_stack("The ECS cluster", default=None)
    load_balancer: PhysicalName | None = in_stack("The load balancer, at most 32 characters", default=None)


class ServiceNames(Model):
    """Names of a service's parts that scripts of the product use already."""

    service: PhysicalName | None = in_stack("The ECS service", default=None)
    family: PhysicalName | None = in_stack("Family of its task definitions", default=None)
    repository: PhysicalName | None = in_stack("The image repository", default=None)
    target_group: PhysicalName | None = in_stack(
        "Its target group at the load balancer, at most 32 characters", default=None
    )
    log_group: (
        Annotated[
            str,
            Matching(
                r"^/[A-Za-z0-9_./#-]{1,511}$", "a log group's name, a slash first", "/ecs/api-production"
            ),
        ]
        | None
    ) = in_stack("Its log group", default=None)


class Outbound(Model):
    """A port on which the service calls somebody on the internet, beside HTTPS."""

    port: Port = in_system("The port, such as 587 for mail")
    why: Annotated[
        str,
        Matching(
            r"^[a-zA-Z0-9 ._:/()#,@+=&;!$*-]{1,255}$",
            "up to 255 letters, digits, spaces and ._:/()#,@+=&;!$*-",
            "Mail through SendGrid",
        ),
    ] = in_system("What it is for, in a few words")


FileVariable = Annotated[
    str,
    Matching(
        r"^[A-Z][A-Z0-9_]*_FILE$",
        "upper case letters, digits and underscores, with _FILE at the end",
        "JWT_SECRET_FILE",
    ),
]


class Service(Model):
    """A container that runs for ever, and scales."""

    image_tag: ImageTag | None = in_stack(
        "Version or digest of the image; without one the service is not started", default=None
    )
    cpu: Annotated[int, OneOf(tuple(MEMORY_MIB_BY_CPU))] = in_stack("CPU units of one task; 1024 is one vCPU")
    memory_mib: Positive = in_stack("Memory of one task in MiB; Fargate accepts certain pairs with cpu")
    desired_count: Count = in_stack("Tasks at the start; autoscaling moves it afterwards")
    min_count: Count = in_stack("Tasks at least")
    max_count: Positive = in_stack("Tasks at most")
    memory_reservation_mib: Positive | None = in_stack(
        "Memory that the container is sure of, in MiB; none: all of it", default=None
    )
    names: ServiceNames = in_stack(
        "Names that scripts of the product use already; left out: Groundwork's own", default=ServiceNames()
    )
    image_of: Name | None = in_system(
        "The service whose image it runs too, with another command or other variables; none: it has its own",
        default=None,
    )
    command: Items[Text] | None = in_system(
        "What the container runs; none: what the image says", default=None, min_length=1
    )
    user: ContainerUser = in_system("User id in the container, never root")
    ports: Mapping[Name, Port] = in_system(
        "Ports by name; `http` is what the load balancer asks, `metrics` is scraped, others are for other services",
        default={},
    )
    metrics_path: UrlPath = in_system("Where its metrics are read, on the `metrics` port", default="/metrics")
    public: Public | None = in_system("How the internet reaches it; none: it does not", default=None)
    health: Health = in_system("How the platform sees that a task is well")
    checks: Checks = in_system(
        "What `groundwork verify` asks of it after a release, beside its health", default=Checks()
    )
    writable_paths: Items[ContainerPath] = in_system(
        "The only folders that the container may write to", default=()
    )
    connects_to: Items[Name] = in_system(
        "What it may open connections to: database, or a cache, broker or service by name", default=()
    )
    outbound: Items[Outbound] = in_system("Ports of the internet beyond 443 that it may call", default=())
    database: DatabaseAccess | None = in_system(
        "How it logs in to the database; none: it does not", default=None
    )
    environment: Mapping[EnvironmentName, str] = in_system(
        "Plain variables; ${...} refers to what the stack makes", default={}
    )
    secrets: Mapping[EnvironmentName, str] = in_system(
        "Variables that Secrets Manager fills, each one ${...}", default={}
    )
    secret_files: Mapping[FileVariable, str] = in_system(
        "Variables that hold the path of a file with a secret in it, each one ${...}: JWT_SECRET_FILE is "
        "/run/secrets/jwt_secret",
        default={},
    )
    scaling: Items[ScalingRule] = in_system("What the number of tasks follows; none: it stays", default=())
    scheduled_scaling: Items[ScheduledScaling] = in_stack("Other bounds at certain hours", default=())
    kubernetes: ServiceOnKubernetes = in_system(
        "What it has different where `compute` is kubernetes", default=ServiceOnKubernetes()
    )

    @property
    def checked_path(self) -> str:
        """What is asked from outside to see whether it is up. Only for a public service."""
        prefix = (self.public.strip_prefix if self.public else None) or ""
        return (self.public.check_path if self.public else None) or f"{prefix}{self.health.path or '/'}"

    @property
    def file_names(self) -> dict[str, str]:
        """The name of each secret file by its variable: JWT_SECRET_FILE -> jwt_secret."""
        return {variable: variable.removesuffix("_FILE").lower() for variable in self.secret_files}

    @property
    def confidential(self) -> dict[str, str]:
        """What a secret variable or a secret file holds, by its variable."""
        return {**self.secrets, **self.secret_files}

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
    """The images of the platform's own tasks: bootstrap, dump, vacuum, redis-cli, and the collector of metrics.

    Each is needed only by what runs in it; the rules say which a stack lacks.
    """

    postgres_image: Image | None = in_stack(
        "psql and pg_dump: the Alpine variant of the official image, of the database's major version or newer; "
        "a database and secret_files need it",
        default=None,
    )
    aws_cli_image: Image | None = in_stack(
        "The AWS CLI, which makes passwords, uploads the dump and tells how a task ended; a database, brokers, and "
        "tasks with a schedule or a time limit need it",
        default=None,
    )
    collector_image: Image | None = in_stack(
        "AWS's distribution of the OpenTelemetry collector; only a stack with Prometheus and something to scrape "
        "needs it",
        default=None,
    )
    log_router_image: Image | None = in_stack(
        "AWS's distribution of Fluent Bit; only observability.log_router needs it", default=None
    )
    redis_image: Image | None = in_stack(
        "redis-cli: the Alpine variant of the official image, for the task that asks the caches; none: no such task",
        default=None,
    )

    def image(self, key: Literal["postgres_image", "aws_cli_image", "collector_image"]) -> str:
        """One that is used. The settings' rules refuse a stack that lacks it before anything is made."""
        image = getattr(self, key)
        if image is None:
            raise ValueError(f"operations.{key} is missing")
        return image


class Task(Model):
    """A run that ends: of a service's image, or SQL as the master user. By hand, by the pipeline, or by the clock."""

    service: Name | None = in_system(
        "Whose image, connections and variables it gets; none where it is `sql`", default=None
    )
    command: Items[Text] | None = in_system(
        "What the container runs; none where it is `sql`", default=None, min_length=1
    )
    sql: Items[Text] = in_system(
        "Statements for psql, sent one by one as the master user; the first that fails ends the task",
        default=(),
    )
    image_tag: ImageTag | None = in_stack(
        "Version or digest of its image, where it runs ahead of its service: a migration before a release",
        default=None,
    )
    as_master: bool = in_system(
        "Gets the database's master user instead of the service's role", default=False
    )
    schedule: Schedule | None = in_system("When it runs by itself; none: when somebody runs it", default=None)
    timezone: Timezone = in_system("Zone of the schedule", default="UTC")
    retries: Annotated[int, Field(ge=0, le=185)] = in_system(
        "How often the scheduler tries again, within an hour, when the task cannot be started", default=3
    )
    stop_after_minutes: Positive | None = in_system(
        "It is ended after so long, and counts as failed; none: it takes what it takes", default=None
    )
    status_command: Items[Text] | None = in_system(
        "What an operator runs after it to see that it worked; a task of its own, <name>-status",
        default=None,
        min_length=1,
    )
    rolled_back_command: Items[Text] | None = in_system(
        "What marks a migration, whose name is put behind it, as rolled back; of the task migrate alone",
        default=None,
        min_length=1,
    )
    backup_first: bool = in_system(
        "Whoever runs it by hand makes a dump before, and goes on only if that worked", default=False
    )
    kubernetes: TaskOnKubernetes | None = in_system(
        "How it runs by itself where `compute` is kubernetes; none: an operator runs it on ECS", default=None
    )
