"""R79 to R86: what keeps it fast."""

from tests.recorder import Recording
from tests.requirements.production import (
    LOG_GROUP,
    SCHEDULE,
    SERVICES,
    TARGET,
    alarm,
    bootstrap_sql,
    cache,
    condition,
    container,
    database_parameters,
    environment,
    operator_can_ask,
    operator_has_redis,
    output,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Performance tuning")


@CHAPTER.row(
    "R79",
    "L558-569",
    "Explain the geospatial query",
    "operator",
    note="without `--analyze` it only plans; with `--role rentfix_app` row level security counts, and the index "
    "of R81 is used",
    commands=["db explain --file systems/rentalfix/queries/nearby.sql --analyze --replica"],
)
def explain(stack: Recording) -> None:
    operator_can_ask(stack)
    assert len(output(stack, "database", "replicaAddresses")) == 1


@CHAPTER.row(
    "R80",
    "L571-572",
    "Vacuum and analyse `contractors` regularly",
    "declared",
    note="by itself every Sunday at 03:00 UTC, where the guide names no interval; the command does it now",
    commands=["db vacuum --table contractors"],
    components=["schedule", "task"],
    settings=["database.vacuum"],
)
def vacuum(stack: Recording) -> None:
    schedule = stack.one(SCHEDULE, "schedule-vacuum")
    assert schedule["scheduleExpression"] == "cron(0 3 ? * SUN *)"
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    assert "-c 'VACUUM ANALYZE contractors'" in container(stack, "task-vacuum")["command"][-1]
    definition = schedule["target"]["ecsParameters"]["taskDefinitionArn"]
    assert definition == output(stack, "tasks", "vacuum", "taskDefinition")


@CHAPTER.row(
    "R81",
    "L574-578",
    "The index `idx_contractors_specialty_location` for plumbers that are not deleted",
    "operator",
    note="made without locking the table",
    commands=["db bootstrap", "db check --only indexes"],
    settings=["database.indexes"],
)
def partial_index(stack: Recording) -> None:
    assert [line for line in bootstrap_sql(stack) if line.startswith("CREATE INDEX")] == [
        'CREATE INDEX CONCURRENTLY IF NOT EXISTS "idx_contractors_specialty_location" ON "contractors" '
        "USING GIST (location_point) WHERE specialties @> '[\"plumbing\"]'::jsonb AND deleted_at IS NULL;"
    ]


@CHAPTER.row(
    "R82",
    "L584-585",
    "Look at slow commands",
    "operator",
    note="ElastiCache writes them to CloudWatch as well",
    commands=["redis slowlog --cache cache"],
    components=["cache"],
)
def slow_log(stack: Recording) -> None:
    operator_has_redis(stack, "cache", "queue")
    for name in ("cache", "queue"):
        destinations = {each["logType"]: each for each in cache(stack, name)["logDeliveryConfigurations"]}
        slow = destinations["slow-log"]
        assert (slow["destinationType"], slow["logFormat"]) == ("cloudwatch-logs", "json")
        assert stack.one(LOG_GROUP, f"cache-{name}-slow-log")["name"] == slow["destination"]


@CHAPTER.row(
    "R83",
    "L587-588",
    "Look at memory",
    "operator",
    note="an alarm watches it for the queues, and evictions for the cache",
    commands=["redis info memory --cache cache"],
    components=["cache"],
)
def memory(stack: Recording) -> None:
    assert condition(alarm(stack, "cache-queue-memory")) == ("GreaterThanThreshold", 80, 3)
    for shard in ("0001", "0002", "0003"):
        assert condition(alarm(stack, f"cache-cache-{shard}-evictions")) == ("GreaterThanThreshold", 1000, 3)
    operator_has_redis(stack, "cache", "queue")


@CHAPTER.row(
    "R84",
    "L590-591",
    "Find the biggest keys",
    "operator",
    note="it scans, and never asks `KEYS`. Through a tunnel one shard is seen; the task `redis` with "
    "`EVERY_SHARD=yes` asks each (docs/runbooks/cache.md)",
    commands=["redis bigkeys --cache cache"],
    components=["task", "firewall"],
    settings=["operations.redis_image"],
)
def biggest_keys(stack: Recording) -> None:
    operator_has_redis(stack, "cache", "queue")
    assert "CLUSTER NODES" in container(stack, "task-redis")["entryPoint"][2]
    assert environment(stack, "task-redis")["EVERY_SHARD"] == "no"


@CHAPTER.row(
    "R85",
    "L594-604",
    "Verified contractors are cached for a minute",
    "application",
    note="TypeORM's query cache; the platform gives it a cache of the size that R26 asks for",
    components=["cache"],
)
def query_cache(stack: Recording) -> None:
    assert cache(stack)["nodeType"] == "cache.r6g.large"
    assert environment(stack, "core-matching")["REDIS_HOST"] == output(stack, "caches", "cache", "endpoint")


@CHAPTER.row(
    "R86",
    "L606-611",
    "Pools of 5 to 20 connections, idle ones closed after 30 s",
    "declared",
    note="what all tasks may open at most stays within 80 percent of `max_connections`, or settings refuse it",
    settings=["services.core-matching.database", "services.worker-ai.database"],
    policies=["connection-budget"],
)
def pools(stack: Recording) -> None:
    variables = environment(stack, "core-matching")
    pool = [variables[f"DB_POOL_{part}"] for part in ("MAX", "MIN", "IDLE_TIMEOUT_MS")]
    assert pool == ["20", "5", "30000"]
    most = {each.name: each["maxCapacity"] for each in stack.all(TARGET)}
    opened = sum(most[service] * int(environment(stack, service)["DB_POOL_MAX"]) for service in SERVICES)
    assert opened <= 0.8 * int(database_parameters(stack)["max_connections"][0])
