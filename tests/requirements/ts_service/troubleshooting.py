"""T92 to T94: what to look at when something does not work."""

from tests.recorder import Recording
from tests.requirements.production import (
    alarm,
    cache,
    condition,
    environment,
    openings,
    operator_can_ask,
    operator_has_redis,
    operator_sees_the_network,
    output,
)
from tests.requirements.table import Chapter
from tests.requirements.ts_service.template import QUEUE, is_known_to_operators, steps, url

CHAPTER = Chapter(title="Troubleshooting")


@CHAPTER.row(
    "T92",
    "L751-763",
    "The API does not reach its database: ask it, look at the firewall and at `sslmode`",
    "operator",
    note="always by TLS, which the URL that the stack writes asks for as well; the firewall names security "
    "groups, so no address can be missing",
    commands=["network check --from api --to database", "db ping --role app"],
    components=["firewall", "task"],
)
def no_database(stack: Recording) -> None:
    operator_can_ask(stack, "production")
    assert ("api", "database", 5432) in openings(stack)
    operator_sees_the_network(stack, ("api", "database", 5432))
    assert url(stack, "database-url")[1]["sslmode"] == ["require"]


@CHAPTER.row(
    "T93",
    "L765-779",
    "Workers do nothing: ping Redis, look for the queue, the logs and `MODE`",
    "operator",
    note="the queues are found by SCAN, as `KEYS` is never asked. An alarm tells when the queue's figures stop",
    commands=[
        "redis ping --cache cache",
        "redis queues --cache cache",
        "logs worker --since 1h",
        "service env worker MODE",
    ],
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
    note="raise `replicas_per_shard`, `QUEUE_CONCURRENCY` or `max_count` in the files for good; pool and cache "
    "are there, and slow answers add tasks (T40). The output `caches.cache.readerEndpoint` is where the "
    "replicas are asked, and a variable names it as `${caches.cache.reader_endpoint}`",
    commands=["redis info --cache cache", "db connections --by user", "scale worker --desired 10"],
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
