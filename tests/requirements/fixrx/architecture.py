"""F24 to F36: what the guide's picture shows, and the steps of a release."""

from tests.recorder import Recording
from tests.requirements.fixrx.support import (
    API,
    HEALTH,
    HOST,
    LISTENER_RULE,
    METRICS,
    containers,
    service,
    target_group,
)
from tests.requirements.production import (
    ALARM,
    BUCKET,
    INSTANCE,
    REPOSITORY,
    SERVICE,
    TARGET,
    TASK,
    asked_outside,
    cache,
    collector,
    container,
    database,
    environment,
    openings,
    output,
    pushers,
    referred,
    secrets,
    waits_for,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Deployment architecture and steps")


@CHAPTER.row(
    "F24",
    "L75-77",
    "Three application servers",
    "declared",
    note="three tasks, never fewer",
    components=["service", "autoscaling"],
    settings=["services.fixrx-api.desired_count", "services.fixrx-api.min_count"],
)
def three_servers(stack: Recording) -> None:
    assert service(stack)["desiredCount"] == 3
    assert stack.one(TARGET, API)["minCapacity"] == 3
    assert referred(stack, service(stack), "networkConfiguration") == [
        f"firewall-{API}",
        *(f"network-private-{zone}" for zone in "abc"),
    ]


@CHAPTER.row(
    "F25",
    "L78-80, L84",
    "All of them use one primary PostgreSQL, which has a replica",
    "declared",
    note="beside a standby in another zone, which takes over by itself",
    components=["database"],
    settings=["database.identifier", "database.multi_az", "database.replicas"],
    policies=["rds-encrypted", "rds-multi-az"],
)
def primary_and_replica(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["identifier"], primary["multiAz"]) == ("fixrx-primary", True)
    replica = stack.one(INSTANCE, "database-fixrx-replica-1")
    assert replica["replicateSourceDb"] == "fixrx-primary"
    assert referred(stack, replica, "replicateSourceDb") == ["database"]
    assert {(API, "database-proxy", 5432), (API, "database", 5432)} <= openings(stack)


@CHAPTER.row(
    "F26",
    "L81-83",
    "All of them use one Redis",
    "declared",
    note="a primary and a replica in two zones",
    components=["cache", "firewall"],
    settings=["caches.cache.replicas_per_shard"],
    policies=["cache-at-rest-encryption"],
)
def one_cache(stack: Recording) -> None:
    group = cache(stack)
    assert (group["numCacheClusters"], group["automaticFailoverEnabled"]) == (2, True)
    assert (API, "cache-cache", 6379) in openings(stack)


@CHAPTER.row(
    "F27",
    "L85",
    "The primary has backup storage",
    "declared",
    note="the bucket `fixrx-backups` for dumps, and a locked vault with a copy in a second region",
    components=["bucket", "backups"],
    settings=["backups.bucket", "backups.copy_region", "backups.lock"],
    policies=["backup-plan-present", "backup-vault-locked", "s3-encrypted"],
)
def backup_storage(stack: Recording) -> None:
    assert stack.one(BUCKET, "backups")["bucket"] == output(stack, "backups", "bucket") == "fixrx-backups"
    selection = stack.one("aws:backup/selection:Selection")
    assert referred(stack, selection, "resources") == ["database"]
    vaults = {each["region"]: each["name"] for each in stack.all("aws:backup/vault:Vault")}
    assert vaults == {"us-east-1": "fixrx-prod", "us-west-2": "fixrx-prod"}
    assert len(stack.all("aws:backup/vaultLockConfiguration:VaultLockConfiguration")) == 2


@CHAPTER.row(
    "F28",
    "L86-90",
    "Servers, primary and Redis are watched",
    "policy",
    note="so are the replica, the proxy, the balancer, the CDN, the backups and the tasks",
    components=["alarms"],
    policies=["required-alarms-present"],
)
def watched(stack: Recording) -> None:
    told = {each.name for each in stack.all(ALARM) if each.get("alarmActions")}
    parts = (
        "fixrx-api-cpu",
        "fixrx-api-memory",
        "fixrx-api-running",
        "database-cpu",
        "database-storage",
        "cache-cache-cpu",
        "cache-cache-evictions",
    )
    assert {f"alarms-{part}" for part in parts} <= told


@CHAPTER.row(
    "F29",
    "L97-98",
    "A dump before each migration, with the time in its name",
    "operator",
    note="`migrate` runs the dump first, and nothing more where that fails, for `backup_first` asks for it; so do "
    "`deploy --migrate` and the pipeline. The second makes a snapshot as well",
    commands=["migrate", "backup now"],
    components=["task"],
    settings=["tasks.migrate.backup_first"],
)
def dump_first(stack: Recording) -> None:
    assert output(stack, "tasks", "migrate", "backupFirst") is True
    assert output(stack, "tasks", "dump", "taskDefinition")
    dump = containers(stack, "task-dump")
    assert "pg_dump" in dump["dump"]["command"][-1]
    assert "%Y%m%d_%H%M%S" in dump["upload"]["command"][-1]


@CHAPTER.row(
    "F30",
    "L100-101",
    "Migrations: `npm run migrate:production`",
    "operator",
    note="the API's own image, variables and role, ahead of the service",
    commands=["migrate"],
    components=["task"],
    settings=["tasks.migrate"],
)
def migrations(stack: Recording) -> None:
    found = container(stack, "task-migrate")
    assert found["command"] == ["npm", "run", "migrate:production"]
    assert found["image"] == container(stack, API)["image"]
    assert secrets(stack, "task-migrate") == secrets(stack, API)
    assert (SERVICE, API) not in waits_for(stack, stack.one(TASK, "task-migrate"))
    assert ("operations", "database-proxy", 5432) in openings(stack)


@CHAPTER.row(
    "F31",
    "L103-104",
    "Then look whether they ran: `npm run migrate:status`",
    "operator",
    note="`migrate` asks it at its end, too",
    commands=["migrate --status"],
    components=["task"],
    settings=["tasks.migrate.status_command"],
)
def migration_status(stack: Recording) -> None:
    status = output(stack, "tasks", "migrate", "statusTask")
    assert status == "migrate-status"
    assert container(stack, f"task-{status}")["command"] == ["npm", "run", "migrate:status"]
    assert output(stack, "tasks", status, "taskDefinition")


@CHAPTER.row(
    "F32",
    "L108-117",
    "Clone `fixrx-backend`, install, build",
    "application",
    note="its own pipeline pushes an image to the repository `fixrx/prod/fixrx-api`, by the role of the output "
    "`pipeline.pushRole`; it must install without `--production`, as the build needs what that leaves out",
    components=["ci_access", "registry"],
    settings=["services.fixrx-api.image_tag", "ci.images.repository"],
    policies=["ecr-scan-on-push"],
)
def build(stack: Recording) -> None:
    assert stack.one(REPOSITORY, f"registry-{API}")["name"] == f"fixrx/prod/{API}"
    registry = output(stack, "repositories", API)
    assert container(stack, API)["image"] == f"{registry}:1.0.0"
    assert pushers(stack) == ["repo:your-org/fixrx-backend:ref:refs/heads/main"]


@CHAPTER.row(
    "F33",
    "L119-120",
    "PM2 starts the application for production",
    "declared",
    note="ECS starts it, and starts it again when it ends or fails its health check",
    components=["service", "task"],
    settings=["services.fixrx-api.command"],
    policies=["container-health-check", "container-non-root", "container-image-pinned"],
)
def started(stack: Recording) -> None:
    assert container(stack, API)["command"] == ["node", "--max-old-space-size=1024", "dist/server.js"]
    assert environment(stack, API)["NODE_ENV"] == "production"
    assert service(stack)["launchType"] == "FARGATE"
    assert container(stack, API)["healthCheck"]["retries"] == 3


@CHAPTER.row(
    "F34",
    "L125-126",
    "`/api/v1/system/health` answers on port 3000",
    "declared",
    note="container and balancer ask it every 10 s, a check from outside every 30 s",
    commands=["health"],
    components=["service", "task", "uptime"],
    settings=["services.fixrx-api.health"],
    policies=["target-group-health-check"],
)
def health(stack: Recording) -> None:
    check = container(stack, API)["healthCheck"]
    assert check["command"][-1] == f"http://127.0.0.1:3000{HEALTH}"
    assert (target_group(stack)["port"], target_group(stack)["healthCheck"]["path"]) == (3000, HEALTH)
    outside = stack.one("aws:route53/healthCheck:HealthCheck")
    assert (outside["fqdn"], outside["resourcePath"]) == (HOST, HEALTH)
    assert outside["requestInterval"] == 30


@CHAPTER.row(
    "F35",
    "L128-129",
    "`/api/v1/system/database/status` answers",
    "operator",
    note="the command wants 200 of it, and of `/health`",
    missing="nothing asks it by the clock",
    commands=["verify readiness"],
    components=["load_balancer"],
    settings=["services.fixrx-api.public.paths", "services.fixrx-api.checks.answers"],
)
def database_status(stack: Recording) -> None:
    rule = stack.one(LISTENER_RULE, f"{API}-forward")
    assert rule["conditions"] == [
        {"hostHeader": {"values": [HOST]}},
        {"pathPattern": {"values": ["/*"]}},
    ]
    assert output(stack, "urls", "api") == f"https://{HOST}"
    answers = asked_outside(stack, API)["answers"]
    assert answers["/api/v1/system/database/status"] == {}
    assert answers["/health"] == {"status": "healthy"}


@CHAPTER.row(
    "F36",
    "L131-132",
    "`/api/v1/system/metrics` shows how other services do",
    "operator",
    note="the collector reads it every 15 s, and a person from a shell in the task; from outside it is 404, as "
    "nothing protects it, and the second command looks whether that holds",
    commands=["exec fixrx-api", "verify metrics"],
    components=["load_balancer", "prometheus"],
    settings=["services.fixrx-api.metrics_path", "services.fixrx-api.public.private_paths"],
    policies=["metrics-not-public"],
)
def metrics(stack: Recording) -> None:
    private = stack.one(LISTENER_RULE, f"{API}-private")
    assert private["conditions"][1]["pathPattern"]["values"] == [METRICS, f"{METRICS}/*"]
    assert private["actions"][0]["fixedResponse"]["statusCode"] == "404"
    assert private["priority"] < stack.one(LISTENER_RULE, f"{API}-forward")["priority"]
    (job,) = collector(stack)["receivers"]["prometheus"]["config"]["scrape_configs"]
    assert job["metrics_path"] == METRICS
    assert asked_outside(stack, API)["privatePaths"] == [METRICS]
    assert service(stack)["enableExecuteCommand"] is True
