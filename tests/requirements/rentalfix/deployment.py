"""R35 to R51: build, image, release, and what the guide's compose file starts."""

from tests.recorder import Recording
from tests.requirements.production import (
    BUCKET,
    INSTANCE,
    REPLICATION_GROUP,
    REPOSITORY,
    SERVICE,
    SERVICES,
    TASK,
    cache,
    container,
    database,
    environment,
    openings,
    output,
    pushers,
    secrets,
    waits_for,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Application deployment")


@CHAPTER.row(
    "R35",
    "L244-250, L257-264",
    "Fetch `services/core-matching`, install, build, see that `dist/` is there",
    "application",
    note="its own pipeline builds the images and takes the role of the output `pipeline.pushRole` to push them",
    components=["ci_access", "registry"],
    settings=["ci.images.repository"],
)
def build(stack: Recording) -> None:
    names = {each["name"] for each in stack.all(REPOSITORY)}
    assert names == {"rentalfix/prod/core-matching", "rentalfix/prod/worker-ai"}
    assert set(output(stack, "repositories")) == set(SERVICES)
    assert pushers(stack) == ["repo:MalikOseni/Rentfix:ref:refs/heads/main"]


@CHAPTER.row(
    "R36",
    "L252-254",
    "Production's values replace those of `.env.example`",
    "declared",
    note="there is no `.env`: open values are plain variables, secret ones come from Secrets Manager as a task starts",
    components=["secret", "task"],
    settings=["services.core-matching.environment", "services.core-matching.secrets"],
    policies=["no-plaintext-secrets-in-env"],
)
def environment_of_production(stack: Recording) -> None:
    names = {"API_KEY", "DB_PASSWORD", "QUEUE_REDIS_PASSWORD", "REDIS_PASSWORD", "SENTRY_DSN"}
    assert set(secrets(stack, "core-matching")) == names
    for service in SERVICES:
        assert all(":secretsmanager:" in source for source in secrets(stack, service).values())
        assert not names & set(environment(stack, service))


@CHAPTER.row(
    "R37",
    "L267-281",
    "In this order: build, migrate, seed if wanted, start",
    "operator",
    note="`deploy` runs the migration before it moves the service, and so does the pipeline (docs/pipeline.md)",
    commands=[
        "images push core-matching core-matching:dev --tag 1.1.0",
        "deploy core-matching --tag 1.1.0 --migrate migrate",
        "seed",
    ],
    settings=["tasks.migrate", "tasks.seed"],
)
def order(stack: Recording) -> None:
    image = container(stack, "core-matching")["image"]
    assert container(stack, "task-migrate")["image"] == container(stack, "task-seed")["image"] == image
    before = waits_for(stack, stack.one(TASK, "task-migrate"))
    assert not {(SERVICE, service) for service in SERVICES} & before
    assert output(stack, "tasks", "migrate", "logGroup") == "/rentalfix/prod/task-migrate"


@CHAPTER.row(
    "R38",
    "L273-274",
    "`npm run seed`, if first data is wanted",
    "operator",
    note="nothing runs it by itself",
    commands=["seed"],
    components=["task"],
    settings=["tasks.seed"],
)
def seed(stack: Recording) -> None:
    assert container(stack, "task-seed")["command"] == ["npm", "run", "seed"]
    assert environment(stack, "task-seed")["DB_USER"] == "rentfix_app"
    assert output(stack, "tasks", "seed", "taskDefinition")


@CHAPTER.row(
    "R39",
    "L281",
    "`NODE_ENV=production`",
    "declared",
    settings=[
        "services.core-matching.environment.NODE_ENV",
        "services.worker-ai.environment.NODE_ENV",
    ],
)
def node_environment(stack: Recording) -> None:
    assert [environment(stack, service)["NODE_ENV"] for service in SERVICES] == ["production"] * 2


@CHAPTER.row(
    "R40",
    "L283-288",
    "Four processes of `dist/main.js`",
    "declared",
    note="four tasks of one process each, where PM2 has four workers on one host",
    components=["service", "autoscaling"],
    settings=["services.core-matching.desired_count", "services.core-matching.min_count"],
)
def four_processes(stack: Recording) -> None:
    assert stack.one(SERVICE, "core-matching")["desiredCount"] == 4
    assert stack.one("aws:appautoscaling/target:Target", "core-matching")["minCapacity"] == 4
    assert container(stack, "core-matching")["command"] == ["node", "dist/main.js"]


@CHAPTER.row(
    "R41",
    "L290-292",
    "What dies is started again",
    "declared",
    note="ECS replaces a task that ends or fails its health check",
    components=["service", "task"],
    settings=["services.core-matching.health", "services.worker-ai.health"],
    policies=["container-health-check"],
)
def restarts(stack: Recording) -> None:
    for service in SERVICES:
        check = container(stack, service)["healthCheck"]
        assert (check["interval"], check["retries"]) == (15, 3)
        assert stack.one(SERVICE, service)["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert container(stack, "core-matching")["healthCheck"]["command"][-1] == "http://127.0.0.1:4400/health"


@CHAPTER.row(
    "R42",
    "L297-315",
    "An image of Node on Alpine that starts `dist/main.js`",
    "declared",
    note="the image is the application's; the task adds what its Dockerfile lacks: a user, a health check, a file "
    "system that cannot be written",
    components=["task"],
    settings=["services.core-matching.command", "services.core-matching.user"],
    policies=["container-non-root", "container-image-pinned", "container-readonly-rootfs"],
)
def image(stack: Recording) -> None:
    found = container(stack, "core-matching")
    assert found["image"].endswith("/rentalfix/prod/core-matching:1.0.0")
    assert found["command"] == ["node", "dist/main.js"]
    assert (found["user"], found["readonlyRootFilesystem"]) == ("1000", True)
    assert found["linuxParameters"]["initProcessEnabled"] is True
    assert found["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}


@CHAPTER.row(
    "R43",
    "L313, L348-350",
    "Ports 4400 for requests and 9090 for metrics",
    "declared",
    note="9090 is open to the collector only, and `/metrics` on 4400 to nobody",
    commands=["verify metrics"],
    components=["service", "firewall"],
    settings=["services.core-matching.ports"],
    policies=["metrics-not-public"],
)
def ports(stack: Recording) -> None:
    mapped = {
        each["name"]: each["containerPort"] for each in container(stack, "core-matching")["portMappings"]
    }
    assert mapped == {"http": 4400, "metrics": 9090}
    opened = {(source, port) for source, target, port in openings(stack) if target == "core-matching"}
    assert opened == {("load-balancer", 4400), ("collector", 9090)}
    private = stack.one("aws:lb/listenerRule:ListenerRule", "core-matching-private")
    assert private["conditions"][1]["pathPattern"]["values"] == ["/metrics", "/metrics/*"]
    assert private["actions"][0]["fixedResponse"]["statusCode"] == "404"


@CHAPTER.row(
    "R44",
    "L322-328",
    "A PostGIS container with database `rentfix`, user `postgres` and a password from outside",
    "declared",
    note="RDS instead of a container",
    components=["database"],
    settings=["database.name", "database.username"],
)
def database_container(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["dbName"], primary["username"]) == ("rentfix", "postgres")
    assert ":secretsmanager:" in secrets(stack, "core-matching")["DB_PASSWORD"]
    assert "DB_PASSWORD" not in environment(stack, "core-matching")


@CHAPTER.row(
    "R45",
    "L329-330",
    "Data on a volume of its own; an empty database runs every file of `migrations/`",
    "operator",
    note="the volume is RDS's; the migration is R15's",
    missing="the task runs the one file that the guide names, not a folder",
    commands=["migrate"],
    components=["database"],
    settings=["tasks.migrate"],
)
def volume(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["storageType"], primary["storageEncrypted"]) == ("gp3", True)
    assert (primary["allocatedStorage"], primary["maxAllocatedStorage"]) == (100, 500)
    assert "migrations/001_enable_postgis.sql" in container(stack, "task-migrate")["command"][-1]


@CHAPTER.row(
    "R46",
    "L331-332, L337-338",
    "Ports 5432 and 6379 are published",
    "declared",
    note="a convenience of one's own machine; here only services and operations reach them",
    components=["firewall", "network"],
    policies=["rds-not-public", "sg-no-open-data-ports", "db-in-private-subnets"],
)
def data_ports(stack: Recording) -> None:
    assert [each["publiclyAccessible"] for each in stack.all(INSTANCE)] == [False, False]
    sources = {source for source, _, port in openings(stack) if port in (5432, 6379)}
    assert sources == {"core-matching", "worker-ai", "operations", "queue-metrics"}


@CHAPTER.row(
    "R47",
    "L176-186, L334-340",
    "Redis is installed and started, its data kept",
    "declared",
    note="ElastiCache instead of a package or a container; snapshots instead of a volume",
    components=["cache"],
)
def redis(stack: Recording) -> None:
    assert {(each["engine"], each["engineVersion"]) for each in stack.all(REPLICATION_GROUP)} == {
        ("redis", "7.1")
    }
    assert cache(stack)["snapshotRetentionLimit"] == 7
    assert cache(stack)["finalSnapshotIdentifier"] == "rentalfix-prod-cache-cache-final"


@CHAPTER.row(
    "R48",
    "L342-347",
    "`DB_HOST` and `REDIS_HOST` lead to database and cache",
    "declared",
    settings=[
        "services.core-matching.environment.DB_HOST",
        "services.core-matching.environment.REDIS_HOST",
    ],
)
def hosts(stack: Recording) -> None:
    for service in SERVICES:
        variables = environment(stack, service)
        assert variables["DB_HOST"] == output(stack, "database", "address")
        assert (variables["DB_NAME"], variables["DB_PORT"]) == ("rentfix", "5432")
        assert variables["REDIS_HOST"] == output(stack, "caches", "cache", "endpoint")
        assert variables["REDIS_PORT"] == "6379"


@CHAPTER.row(
    "R49",
    "L351-353, L367-371",
    "One command starts everything; the service waits for database and cache",
    "declared",
    note="`pulumi up`, after a first one without services (README, first deployment)",
    components=["service"],
)
def start_order(stack: Recording) -> None:
    for service in SERVICES:
        before = waits_for(stack, stack.one(SERVICE, service))
        assert {(INSTANCE, "database"), (REPLICATION_GROUP, "cache-cache")} <= before


@CHAPTER.row(
    "R50",
    "L355-360",
    "A Prometheus container with its configuration in a file",
    "declared",
    note="a managed workspace and a collector of a pinned version; a policy refuses the guide's `latest`",
    components=["prometheus"],
    settings=["operations.collector_image"],
    policies=["container-image-pinned"],
)
def prometheus_container(stack: Recording) -> None:
    assert stack.one("aws:amp/workspace:Workspace")["alias"] == "rentalfix-prod"
    image = container(stack, "collector")["image"]
    assert image == "public.ecr.aws/aws-observability/aws-otel-collector:v0.43.1"
    assert "AOT_CONFIG_CONTENT" in environment(stack, "collector")


@CHAPTER.row(
    "R51",
    "L362-364",
    "The data of PostgreSQL and Redis outlives its container",
    "declared",
    note="protected, kept when Pulumi lets go, with a last snapshot",
    components=["database", "cache"],
    settings=["protect"],
    policies=["rds-deletion-protection", "data-protected", "no-forced-deletion"],
)
def data_is_kept(stack: Recording) -> None:
    primary = database(stack)
    assert primary["deletionProtection"] is True
    assert (primary["skipFinalSnapshot"], primary["finalSnapshotIdentifier"]) == (
        False,
        "rentfix-primary-final",
    )
    stores = [*stack.all(INSTANCE), *stack.all(REPLICATION_GROUP), *stack.all(BUCKET)]
    assert [each.name for each in stores if not (each.protect and each.retain_on_delete)] == []
