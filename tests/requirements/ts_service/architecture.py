"""T1 to T11: what there is, and what it shares."""

from tests.recorder import Recording
from tests.requirements.production import (
    INSTANCE,
    REPLICATION_GROUP,
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
    referred,
    secrets,
)
from tests.requirements.table import Chapter
from tests.requirements.ts_service.template import (
    EXTERNAL_STORES,
    SERVICES,
    comes_from,
    counts,
    subnets,
    url,
    value,
)

CHAPTER = Chapter(title="Architecture and principles")
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"


@CHAPTER.row(
    "T1",
    "L24-34",
    "A load balancer before two or more instances of the API",
    "declared",
    note="two at least, three at the start, in two zones",
    components=["load_balancer", "service"],
    settings=["services.api.public", "services.api.min_count"],
)
def balanced(stack: Recording) -> None:
    balancer = stack.one("aws:lb/loadBalancer:LoadBalancer")
    assert (balancer["loadBalancerType"], balancer["internal"]) == ("application", False)
    assert referred(stack, balancer, "subnets") == ["network-public-a", "network-public-b"]
    (behind,) = stack.one(SERVICE, "api")["loadBalancers"]
    assert (behind["containerName"], behind["containerPort"]) == ("api", 3000)
    assert counts(stack, "api")[:2] == (2, 3)


@CHAPTER.row(
    "T2",
    "L38-44",
    "Two groups of five workers",
    "declared",
    note="one service of five, ten at most, spread over two zones",
    components=["service", "autoscaling"],
    settings=["services.worker.desired_count", "services.worker.max_count"],
)
def worker_groups(stack: Recording) -> None:
    assert counts(stack, "worker")[1:] == (5, 10)
    assert subnets(stack, "worker") == ["network-private-a", "network-private-b"]
    assert stack.one(SERVICE, "worker")["availabilityZoneRebalancing"] == "ENABLED"


@CHAPTER.row(
    "T3",
    "L59",
    "API and workers are apart, and each scales by itself",
    "declared",
    components=["service", "autoscaling"],
    settings=["services.api.scaling", "services.worker.scaling"],
)
def apart(stack: Recording) -> None:
    scaled = {each.name: each["resourceId"] for each in stack.all(TARGET)}
    assert scaled == {each: f"service/myapp-production/{each}" for each in SERVICES}
    assert [stack.one(TASK, each)["family"] for each in SERVICES] == ["myapp-api", "myapp-worker"]


@CHAPTER.row(
    "T4",
    "L60",
    "PostgreSQL outside the containers, at a provider that manages it",
    "declared",
    note="production has RDS (T19); with this profile somebody else runs it, and the operator puts its URL into "
    "Secrets Manager",
    commands=["secrets put database-url"],
    components=["secret", "firewall"],
    settings=["profiles.external-stores"],
    shape=EXTERNAL_STORES,
)
def external_database(stack: Recording) -> None:
    assert output(stack, "secrets", "database-url") in output(stack, "secretsToFill")
    assert stack.names(INSTANCE) == []
    for service in SERVICES:
        comes_from(stack, service, "DATABASE_URL", "database-url")
        opened = stack.one(EGRESS, f"firewall-{service}-to-internet-5432-egress")
        assert (opened["fromPort"], opened["toPort"]) == (5432, 5432)


@CHAPTER.row(
    "T5",
    "L61",
    "Redis outside the containers, at a provider that manages it",
    "declared",
    note="production has ElastiCache (T20); with this profile as T4",
    missing="with somebody else's Redis: figures of the queue, and scaling by them",
    components=["secret", "firewall"],
    settings=["profiles.external-stores"],
    shape=EXTERNAL_STORES,
)
def external_cache(stack: Recording) -> None:
    assert output(stack, "secrets", "redis-url") in output(stack, "secretsToFill")
    assert stack.names(REPLICATION_GROUP) == []
    for service in SERVICES:
        comes_from(stack, service, "REDIS_URL", "redis-url")
        opened = stack.one(EGRESS, f"firewall-{service}-to-internet-6379-egress")
        assert (opened["fromPort"], opened["toPort"]) == (6379, 6379)


@CHAPTER.row(
    "T6",
    "L62",
    "Services keep nothing, so that any number of them can run",
    "declared",
    note="no volume, and a file system that cannot be written but for `/tmp` in memory",
    components=["task"],
    settings=["services.api.writable_paths", "services.worker.writable_paths"],
    policies=["container-readonly-rootfs"],
)
def stateless(stack: Recording) -> None:
    for service in SERVICES:
        assert not stack.one(TASK, service).get("volumes")
        found = container(stack, service)
        assert found["readonlyRootFilesystem"] is True
        assert "/tmp" in [each["containerPath"] for each in found["linuxParameters"]["tmpfs"]]


@CHAPTER.row(
    "T7",
    "L63",
    "API and workers have the same `DATABASE_URL` and `REDIS_URL`",
    "declared",
    note="both read the same two secrets",
    components=["secret"],
    settings=["secrets.database-url", "secrets.redis-url"],
)
def shared(stack: Recording) -> None:
    for service in SERVICES:
        comes_from(stack, service, "DATABASE_URL", "database-url")
        comes_from(stack, service, "REDIS_URL", "redis-url")


@CHAPTER.row(
    "T8",
    "L71-76",
    "PostgreSQL 12 or newer",
    "declared",
    components=["database"],
    settings=["database.engine_version", "database.minimum_version"],
    policies=["rds-engine-version-min"],
)
def version_of_the_database(stack: Recording) -> None:
    assert (database(stack)["engine"], database(stack)["engineVersion"]) == ("postgres", "16")


@CHAPTER.row(
    "T9",
    "L78-83",
    "Redis 6 or newer",
    "declared",
    components=["cache"],
    settings=["caches.cache.engine_version"],
    policies=["cache-engine-version-min"],
)
def version_of_the_cache(stack: Recording) -> None:
    assert (cache(stack)["engine"], cache(stack)["engineVersion"]) == ("redis", "7.1")


@CHAPTER.row(
    "T10",
    "L87-103",
    "`DATABASE_URL`, `REDIS_URL`, `JWT_SECRET` and `CORS_ORIGIN` get production's values",
    "declared",
    note="there is no `.env.production`; the database is called `production`, as in the guide's example of AWS, and "
    "not `production_db`",
    components=["secret", "task"],
    settings=["services.api.secrets", "services.api.environment.CORS_ORIGIN"],
    policies=["no-plaintext-secrets-in-env"],
)
def critical_values(stack: Recording) -> None:
    assert {"DATABASE_URL", "REDIS_URL", "JWT_SECRET"} <= set(secrets(stack, "api"))
    postgres, _ = url(stack, "database-url")
    assert (postgres.scheme, postgres.username, postgres.path) == ("postgresql", "app", "/production")
    redis, _ = url(stack, "redis-url")
    assert (redis.scheme, redis.username, redis.port) == ("rediss", "default", 6379)
    assert len(value(stack, "jwt-secret")) == 88
    assert environment(stack, "api")["CORS_ORIGIN"].startswith("https://")


@CHAPTER.row(
    "T11",
    "L107-109",
    "`npm run build`",
    "application",
    note="its own pipeline builds the images and takes the role of the output `pipeline.pushRole` to push them",
    components=["ci_access", "registry"],
    settings=["ci.images.repository"],
)
def build(stack: Recording) -> None:
    assert {each["name"] for each in stack.all(REPOSITORY)} == {"myapp-api", "myapp-worker"}
    assert pushers(stack) == ["repo:your-org/ts-service:ref:refs/heads/main"]
