"""N12 to N15: how large, which versions, and where the code comes from."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.support import SERVICES, bounds, settled
from tests.requirements.production import (
    REPOSITORY,
    TASK,
    cache,
    database,
    environment,
    output,
    pushers,
    secrets,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Sizing and versions")


@CHAPTER.row(
    "N12",
    "L98-103",
    "A server of 4 cores, 8 GB and 100 GB of SSD at least; 8, 16 and 500 recommended",
    "declared",
    note="two profiles; the smallest number of tasks together has as much, and the disk is the database's. Operating "
    "system and network are Fargate's",
    components=["task", "database"],
    settings=["profile", "profiles.minimum", "profiles.recommended"],
)
def sizes(stack: Recording) -> None:
    tasks = {service: stack.one(TASK, service) for service in SERVICES}
    cpu = sum(bounds(stack, service)[0] * int(task["cpu"]) for service, task in tasks.items())
    memory = sum(bounds(stack, service)[0] * int(task["memory"]) for service, task in tasks.items())
    assert cpu >= 8 * 1024
    assert memory >= 16 * 1024
    assert (database(stack)["storageType"], database(stack)["allocatedStorage"]) == ("gp3", 500)
    small = settled(profile="minimum")
    assert sum(each.min_count * each.cpu for each in small.services.values()) >= 4 * 1024
    assert sum(each.min_count * each.memory_mib for each in small.services.values()) >= 8 * 1024
    assert small.database is not None
    assert small.database.allocated_storage_gib == 100


@CHAPTER.row(
    "N13",
    "L105-125",
    "Node.js 20 with npm 10 or yarn 1.22, Docker 24, PostgreSQL 16, Redis 7",
    "declared",
    note="the two data stores; Node and its tools are in the product's images and pipeline, and the command asks "
    "a running one",
    missing="anything that holds the images to Node.js 20",
    commands=["exec api-gateway -- node -v"],
    components=["database", "cache"],
    settings=["database.engine_version", "caches.cache.engine_version"],
    policies=["rds-engine-version-min", "cache-engine-version-min"],
)
def versions(stack: Recording) -> None:
    assert (database(stack)["engine"], database(stack)["engineVersion"]) == ("postgres", "16")
    assert (cache(stack)["engine"], cache(stack)["engineVersion"]) == ("redis", "7.1")


@CHAPTER.row(
    "N14",
    "L132-147",
    "Clone the repository and install its packages",
    "application",
    note="its own pipeline builds the images and takes the role of the output `pipeline.pushRole` to push them",
    components=["ci_access", "registry"],
    settings=["ci.images.repository"],
)
def installed(stack: Recording) -> None:
    names = {each["name"] for each in stack.all(REPOSITORY)}
    assert names == {"nx-api", "nx-web", "nx-file", "nx-worker"}
    assert pushers(stack) == ["repo:your-org/nx-project:ref:refs/heads/main"]
    assert set(output(stack, "repositories")) == set(SERVICES)


@CHAPTER.row(
    "N15",
    "L151-157, L579-580",
    "Values come from `.env`, which is never committed",
    "declared",
    note="no such file: open values are plain variables, secret ones come from Secrets Manager as a task starts",
    components=["secret", "task"],
    settings=["services.api-gateway.environment", "services.api-gateway.secrets"],
    policies=["no-plaintext-secrets-in-env"],
)
def no_env_file(stack: Recording) -> None:
    names = {"DATABASE_PASSWORD", "JWT_SECRET", "RABBITMQ_PASSWORD", "REDIS_PASSWORD"}
    assert set(secrets(stack, "api-gateway")) == names
    assert all(":secretsmanager:" in source for source in secrets(stack, "api-gateway").values())
    for service in SERVICES:
        assert not names & set(environment(stack, service))
