"""T70 to T76: the guide's example of AWS, from the database to the services, and of DigitalOcean."""

from tests.recorder import Recording
from tests.requirements.production import (
    REPOSITORY,
    SERVICE,
    TASK,
    cache,
    database,
    output,
    referred,
)
from tests.requirements.table import Chapter
from tests.requirements.ts_service.options import registry
from tests.requirements.ts_service.template import SERVICES, size, subnets, url

CHAPTER = Chapter(title="Example: AWS")


@CHAPTER.row(
    "T70",
    "L621-625",
    "PostgreSQL on RDS in us-east-1, database `production`",
    "declared",
    components=["database"],
    settings=["database.name"],
)
def rds(stack: Recording) -> None:
    assert output(stack, "region") == "us-east-1"
    parts, _ = url(stack, "database-url")
    assert parts.hostname == output(stack, "database", "address")
    assert parts.netloc.endswith(".us-east-1.rds.amazonaws.com:5432")
    assert (parts.port, parts.path) == (5432, f"/{database(stack)['dbName']}")


@CHAPTER.row(
    "T71",
    "L627-628",
    "Redis on ElastiCache",
    "declared",
    note="over TLS (T27)",
    components=["cache"],
    settings=["secrets.redis-url"],
)
def elasticache(stack: Recording) -> None:
    parts, _ = url(stack, "redis-url")
    assert parts.hostname == output(stack, "caches", "cache", "endpoint")
    assert parts.netloc.endswith(".cache.amazonaws.com:6379")
    assert parts.port == cache(stack)["port"] == 6379


@CHAPTER.row(
    "T72",
    "L630-632",
    "Registries `myapp-api` and `myapp-worker`",
    "declared",
    components=["registry"],
    settings=["services.api.names.repository", "services.worker.names.repository"],
)
def registries(stack: Recording) -> None:
    assert [each["name"] for each in stack.all(REPOSITORY)] == ["myapp-api", "myapp-worker"]


@CHAPTER.row(
    "T73",
    "L635-651",
    "Log in to ECR, build, tag and push both images",
    "operator",
    note="after `docker build`; the product's pipeline takes the role of the output `pipeline.pushRole`",
    commands=[
        "images login",
        "images push api api:dev --tag v1.2.4",
        "images push worker worker:dev --tag v1.2.4",
    ],
    components=["ci_access", "registry"],
    settings=["ci.images.repository"],
)
def push(stack: Recording) -> None:
    for service in SERVICES:
        registry(stack, service)


@CHAPTER.row(
    "T74",
    "L653-661",
    "Cluster `myapp-production`, and a task definition for each service",
    "declared",
    components=["cluster", "task"],
    settings=["names.cluster"],
)
def cluster(stack: Recording) -> None:
    assert stack.one("aws:ecs/cluster:Cluster")["name"] == output(stack, "cluster") == "myapp-production"
    assert [stack.one(TASK, service)["family"] for service in SERVICES] == ["myapp-api", "myapp-worker"]


@CHAPTER.row(
    "T75",
    "L663-676",
    "Services `api` with 3 and `worker` with 5 tasks on Fargate",
    "declared",
    note="in private subnets, which the guide's command leaves out and Fargate needs",
    components=["service"],
    settings=["services.api.desired_count", "services.worker.desired_count"],
    policies=["ecs-no-public-ip"],
)
def services(stack: Recording) -> None:
    for name, tasks in (("api", 3), ("worker", 5)):
        service = stack.one(SERVICE, name)
        assert (service["name"], service["desiredCount"], service["launchType"]) == (name, tasks, "FARGATE")
        assert referred(stack, service, "taskDefinition") == [name]
        assert subnets(stack, name) == ["network-private-a", "network-private-b"]


@CHAPTER.row(
    "T76",
    "L681-720",
    "On DigitalOcean: two databases, and five workers on one machine of 2 vCPU and 4 GB",
    "not met",
    missing="Groundwork deploys to AWS only; five workers have 2.5 vCPU and 5 GiB on Fargate",
)
def digital_ocean(stack: Recording) -> None:
    cpu, memory = size(stack, "worker")
    workers = stack.one(SERVICE, "worker")["desiredCount"]
    assert (workers * int(cpu) / 1024, workers * int(memory) / 1024) == (2.5, 5)
