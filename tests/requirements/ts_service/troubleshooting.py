"""T92 to T94: what to look at when something does not work."""

from tests.recorder import Recording
from tests.requirements.production import (
    alarm,
    cache,
    condition,
    environment,
    openings,
    operator_has_psql,
    operator_has_redis,
    output,
)
from tests.requirements.table import Chapter
from tests.requirements.ts_service.template import QUEUE, is_known_to_operators, steps, url

CHAPTER = Chapter(title="Troubleshooting")
PSQL = "`psql` in the task `bootstrap`, its command overridden: "


@CHAPTER.row(
    "T92",
    "L751-763",
    "The API does not reach its database: ask it, look at the firewall and at `sslmode`",
    "operator",
    note=f"{PSQL}`SELECT 1`; the firewall names security groups, so no address can be missing",
    components=["firewall", "task"],
)
def no_database(stack: Recording) -> None:
    operator_has_psql(stack, "production")
    assert ("api", "database", 5432) in openings(stack)
    assert url(stack, "database-url")[1]["sslmode"] == ["require"]


@CHAPTER.row(
    "T93",
    "L765-779",
    "Workers do nothing: ping Redis, look for the queue, the logs and `MODE`",
    "operator",
    note="run the task `redis`: `PING`, then with the command `--scan --pattern 'bull:*'`, for it refuses `KEYS`; `aws "
    "logs tail /ts-service/prod/worker`; `aws ecs describe-task-definition` shows `MODE`. An alarm tells when the "
    "queue's figures stop",
    components=["task", "queue_metrics", "firewall"],
    settings=["operations.redis_image"],
)
def idle_workers(stack: Recording) -> None:
    is_known_to_operators(stack, "worker")
    assert environment(stack, "worker")["MODE"] == "worker"
    assert condition(alarm(stack, f"queue-{QUEUE}-silent")) == ("LessThanThreshold", 1, 2)
    operator_has_redis(stack, "cache")


@CHAPTER.row(
    "T94",
    "L781-786",
    "Slow: pool connections, give Redis replicas, cache answers, let workers do more",
    "operator",
    note="raise `replicas_per_shard`, `QUEUE_CONCURRENCY` or `max_count`; pool and cache are there, and slow answers "
    "add tasks (T40). The output `caches.cache.readerEndpoint` is where the replicas are asked, and a variable "
    "names it as `${caches.cache.reader_endpoint}`",
    components=["cache", "autoscaling"],
    settings=["caches.cache.replicas_per_shard", "services.worker.environment.QUEUE_CONCURRENCY"],
)
def slow(stack: Recording) -> None:
    assert url(stack, "database-url")[1]["connection_limit"] == ["3"]
    assert cache(stack)["numCacheClusters"] == 2
    ends = output(stack, "caches", "cache")
    assert ends["readerEndpoint"] != ends["endpoint"]
    assert steps(stack, "api-latency") == [1]
    assert condition(alarm(stack, "response-time")) == ("GreaterThanThreshold", 0.5, 1)
