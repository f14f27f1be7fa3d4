"""T12 to T25: the ways to deploy that the guide knows, and what each starts."""

from tests.recorder import Recording
from tests.requirements.production import (
    REPOSITORY,
    SERVICE,
    TARGET,
    TASK,
    cache,
    container,
    database,
    environment,
    output,
    pushers,
    secrets,
)
from tests.requirements.table import Chapter
from tests.requirements.ts_service.template import ALL_IN_ONE, SERVICES, comes_from, counts, ports, size

CHAPTER = Chapter(title="Deployment options")
PUSH = (
    "`aws ecr get-login-password | docker login`, `docker build`, `docker tag`, `docker push` to the address in "
    "the output `repositories`, by a job with the role of the output `pipeline.pushRole`"
)


def registry(stack: Recording, service: str) -> None:
    """A registry of its own that the pipeline fills, whose tags never move, and a task that runs an image of it."""
    assert pushers(stack) == ["repo:your-org/ts-service:ref:refs/heads/main"]
    repository = stack.one(REPOSITORY, f"registry-{service}")
    assert (repository["name"], repository["imageTagMutability"]) == (f"myapp-{service}", "IMMUTABLE")
    address = output(stack, "repositories", service)
    assert address.endswith(f".amazonaws.com/myapp-{service}")
    assert container(stack, service)["image"] == f"{address}:v1.2.3"


@CHAPTER.row(
    "T12",
    "L121-123, L447-451",
    "An image `myapp-api`",
    "declared",
    note="with a tag that never moves, where the guide has `latest`",
    components=["registry"],
    settings=["services.api.names.repository", "services.api.image_tag"],
    policies=["container-image-pinned"],
)
def api_image(stack: Recording) -> None:
    registry(stack, "api")


@CHAPTER.row(
    "T13",
    "L115-129",
    "API and workers apart, the recommended way; three instances of the API",
    "declared",
    components=["service"],
    settings=["services.api.desired_count"],
)
def three_of_the_api(stack: Recording) -> None:
    assert counts(stack, "api") == (2, 3, 10)
    assert {"api", "worker"} <= set(stack.names(SERVICE))


@CHAPTER.row(
    "T14",
    "L134-136, L453-454",
    "An image `myapp-worker`, from a Dockerfile of its own",
    "declared",
    note="as T12",
    components=["registry"],
    settings=["services.worker.names.repository", "services.worker.image_tag"],
    policies=["container-image-pinned"],
)
def worker_image(stack: Recording) -> None:
    registry(stack, "worker")


@CHAPTER.row(
    "T15",
    "L138-142",
    "Five instances of the worker",
    "declared",
    components=["service"],
    settings=["services.worker.desired_count"],
)
def five_workers(stack: Recording) -> None:
    assert counts(stack, "worker") == (1, 5, 10)


@CHAPTER.row(
    "T16",
    "L145-152",
    "The API's variables: `MODE=api`, the two URLs, `JWT_SECRET`, `CORS_ORIGIN`",
    "declared",
    components=["task", "secret"],
    settings=["services.api.environment", "services.api.secrets"],
)
def variables_of_the_api(stack: Recording) -> None:
    variables = environment(stack, "api")
    assert variables["MODE"] == "api"
    assert variables["CORS_ORIGIN"] == "https://app.example.com,https://admin.example.com"
    assert set(secrets(stack, "api")) == {"DATABASE_URL", "REDIS_URL", "JWT_SECRET", "SENTRY_DSN"}


@CHAPTER.row(
    "T17",
    "L154-158",
    "The worker's variables: `MODE=worker`, the two URLs, `QUEUE_CONCURRENCY=10`",
    "declared",
    note="no `JWT_SECRET`: its role may not read that secret either",
    components=["task", "secret"],
    settings=["services.worker.environment", "services.worker.secrets"],
)
def variables_of_the_worker(stack: Recording) -> None:
    variables = environment(stack, "worker")
    assert (variables["MODE"], variables["QUEUE_CONCURRENCY"]) == ("worker", "10")
    given = secrets(stack, "worker")
    assert {"DATABASE_URL", "REDIS_URL"} <= set(given)
    assert "JWT_SECRET" not in given
    readable = stack.one("aws:iam/rolePolicy:RolePolicy", "worker-execution")["policy"]
    assert output(stack, "secrets", "jwt-secret") not in readable


@CHAPTER.row(
    "T18",
    "L163-175",
    "For a first version: API and workers in one container, `MODE=all`",
    "declared",
    components=["service"],
    settings=["profiles.all-in-one"],
    shape=ALL_IN_ONE,
)
def all_in_one(stack: Recording) -> None:
    variables = environment(stack, "api")
    assert (variables["MODE"], variables["QUEUE_CONCURRENCY"]) == ("all", "10")
    assert {"JWT_SECRET", "REPLICATE_API_KEY", "OPENAI_API_KEY"} <= set(secrets(stack, "api"))
    assert len(stack.one(SERVICE, "api")["loadBalancers"]) == 1
    assert stack.names(TARGET) == ["api"]
    assert "worker" not in stack.names(SERVICE)


@CHAPTER.row(
    "T19",
    "L183-191",
    "RDS `myapp-db`: PostgreSQL 16.1 on db.t3.micro with 20 GB",
    "declared",
    note="16 instead of 16.1: RDS brings minor versions itself, and withdraws old ones; a standby in a second zone",
    components=["database"],
    settings=["database.identifier", "database.instance_class", "database.allocated_storage_gib"],
    policies=["rds-multi-az", "auto-minor-upgrades"],
)
def rds(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["identifier"], primary["engine"], primary["engineVersion"]) == (
        "myapp-db",
        "postgres",
        "16",
    )
    assert (primary["instanceClass"], primary["allocatedStorage"]) == ("db.t3.micro", 20)
    assert (primary["autoMinorVersionUpgrade"], primary["multiAz"]) == (True, True)


@CHAPTER.row(
    "T20",
    "L193-198",
    "ElastiCache `myapp-redis`: Redis on one cache.t3.micro",
    "declared",
    note="and a replica in another zone beside that one node, or nothing could take over",
    components=["cache"],
    settings=["caches.cache.replication_group_id", "caches.cache.node_type"],
)
def elasticache(stack: Recording) -> None:
    group = cache(stack)
    assert (group["replicationGroupId"], group["engine"]) == ("myapp-redis", "redis")
    assert (group["nodeType"], group["numCacheClusters"]) == ("cache.t3.micro", 2)
    assert (group["automaticFailoverEnabled"], group["multiAzEnabled"]) == (True, True)


@CHAPTER.row(
    "T21",
    "L203-206",
    "Build the API's image and push it to ECR",
    "operator",
    note="after `docker build`; the product's pipeline takes the role of the output `pipeline.pushRole`",
    commands=["images login", "images push api api:dev --tag v1.2.4"],
    components=["ci_access", "registry"],
    settings=["ci.images.repository"],
)
def pushed(stack: Recording) -> None:
    registry(stack, "api")


@CHAPTER.row(
    "T22",
    "L208-216",
    "Task definition `myapp-api`, and service `api` with three tasks",
    "declared",
    note="in `myapp-production`, as the guide's later example calls the cluster; here it is `myapp-cluster`",
    components=["cluster", "service", "task"],
    settings=["names.cluster", "services.api.names"],
)
def api_on_ecs(stack: Recording) -> None:
    service = stack.one(SERVICE, "api")
    assert (service["name"], service["desiredCount"]) == ("api", 3)
    assert stack.one(TASK, "api")["family"] == "myapp-api"
    assert service["taskDefinition"] == output(stack, "services", "api", "taskDefinition")
    assert service["cluster"].endswith(":cluster/myapp-production")


@CHAPTER.row(
    "T23",
    "L219-223",
    "The same for the workers, as many as are needed",
    "declared",
    components=["service", "task"],
    settings=["services.worker.names", "services.worker.desired_count"],
)
def worker_on_ecs(stack: Recording) -> None:
    service = stack.one(SERVICE, "worker")
    assert (service["name"], service["desiredCount"]) == ("worker", 5)
    assert stack.one(TASK, "worker")["family"] == "myapp-worker"
    assert service["taskDefinition"] == output(stack, "services", "worker", "taskDefinition")


@CHAPTER.row(
    "T24",
    "L225-275",
    "On DigitalOcean: three small instances of the API on port 3000 with `/health`, five of the worker, a size larger",
    "declared",
    note="the same shape on Fargate: a quarter and a half of a vCPU, 512 and 1024 MiB",
    missing="DigitalOcean itself",
    components=["service", "task"],
    settings=["services.api.cpu", "services.worker.cpu"],
)
def app_platform(stack: Recording) -> None:
    assert [size(stack, service) for service in SERVICES] == [("256", "512"), ("512", "1024")]
    assert [stack.one(SERVICE, service)["desiredCount"] for service in SERVICES] == [3, 5]
    group = stack.one("aws:lb/targetGroup:TargetGroup")
    assert (group["port"], group["healthCheck"]["path"]) == (3000, "/health")
    comes_from(stack, "api", "JWT_SECRET", "jwt-secret")
    assert environment(stack, "worker")["QUEUE_CONCURRENCY"] == "10"
    assert ports(stack, "worker") == {}


@CHAPTER.row(
    "T25",
    "L278-284",
    "On Railway, Render or Fly.io: two add-ons, two services, `MODE`",
    "not met",
    missing="Groundwork deploys to AWS only; the two modes and the two stores are the same there",
)
def other_platforms(stack: Recording) -> None:
    assert [environment(stack, service)["MODE"] for service in SERVICES] == list(SERVICES)
    for service in SERVICES:
        assert {"DATABASE_URL", "REDIS_URL"} <= set(secrets(stack, service))
