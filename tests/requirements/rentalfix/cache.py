"""R25 to R34: Redis."""

from tests.recorder import Recording
from tests.requirements.production import (
    REPLICATION_GROUP,
    cache,
    cache_parameters,
    environment,
    output,
    secrets,
)
from tests.requirements.table import Chapter
from tests.settings_examples import refusal

CHAPTER = Chapter(title="Redis setup")
CACHES = ("cache", "queue")


@CHAPTER.row(
    "R25",
    "L194-197",
    "Snapshots after 15, 5 and 1 minutes, depending on how many keys changed",
    "not met",
    missing="ElastiCache has no `save`; daily snapshots and a replica in another zone stand in, so a shard that loses "
    "both nodes loses up to a day",
    components=["cache"],
    settings=["caches.cache.snapshot_retention_days", "caches.cache.snapshot_window"],
    policies=["cache-snapshots"],
)
def snapshots(stack: Recording) -> None:
    for name in CACHES:
        group = cache(stack, name)
        assert (group["snapshotRetentionLimit"], group["snapshotWindow"]) == (7, "02:00-03:00")
        assert (group["automaticFailoverEnabled"], group["multiAzEnabled"]) == (True, True)


@CHAPTER.row(
    "R26",
    "L200",
    "2 GB of memory for keys",
    "declared",
    note="`maxmemory` follows from the node type on ElastiCache; settings refuse one that is too small",
    components=["cache"],
    settings=["caches.cache.memory_needed_gib", "caches.cache.node_type"],
)
def memory(stack: Recording) -> None:
    assert cache(stack)["nodeType"] == "cache.r6g.large"
    (too_small,) = refusal({"caches/cache/node_type": "cache.t4g.small"})
    assert "memory_needed_gib is 2" in too_small


@CHAPTER.row(
    "R27",
    "L201",
    "Least recently used keys make room",
    "declared",
    note="BullMQ's queues must not lose jobs that way, so they have a cache of their own that refuses instead",
    components=["cache"],
    settings=["caches.cache.parameters.maxmemory-policy", "caches.queue.parameters.maxmemory-policy"],
)
def eviction(stack: Recording) -> None:
    assert cache_parameters(stack, "cache")["maxmemory-policy"] == "allkeys-lru"
    assert cache_parameters(stack, "queue")["maxmemory-policy"] == "noeviction"


@CHAPTER.row(
    "R28",
    "L204",
    "`tcp-backlog` 511",
    "not met",
    missing="ElastiCache does not let anybody set it; settings refuse the key with that sentence",
    components=["cache"],
)
def tcp_backlog(stack: Recording) -> None:
    assert "tcp-backlog" not in cache_parameters(stack)
    (refused,) = refusal(system={"caches/cache/parameters/tcp-backlog": "511"})
    assert "caches.cache.parameters.tcp-backlog" in refused


@CHAPTER.row(
    "R29",
    "L205-206",
    "Idle clients go after 300 s, `tcp-keepalive` 60 s",
    "declared",
    components=["cache"],
    settings=["caches.cache.parameters.timeout", "caches.cache.parameters.tcp-keepalive"],
)
def timeouts(stack: Recording) -> None:
    for name in CACHES:
        parameters = cache_parameters(stack, name)
        assert (parameters["timeout"], parameters["tcp-keepalive"]) == ("300", "60")


@CHAPTER.row(
    "R30",
    "L208-209, L336",
    "Redis asks for a password",
    "declared",
    note="a generated token of 64 characters, over TLS only",
    components=["cache", "secret"],
    policies=["cache-auth-required", "secret-min-strength"],
)
def password(stack: Recording) -> None:
    for name in CACHES:
        group = cache(stack, name)
        assert "authToken" in group.secrets
        assert len(group["authToken"]) == 64
        assert (group["transitEncryptionEnabled"], group["transitEncryptionMode"]) == (True, "required")
    token = output(stack, "caches", "cache", "tokenSecretArn")
    assert secrets(stack, "core-matching")["REDIS_PASSWORD"] == token
    assert secrets(stack, "worker-ai")["REDIS_PASSWORD"] == token


@CHAPTER.row(
    "R31",
    "L210-212",
    "`FLUSHDB`, `FLUSHALL` and `KEYS` are switched off",
    "declared",
    components=["cache"],
    settings=["caches.cache.parameters.rename-commands"],
    policies=["cache-dangerous-commands-blocked"],
)
def dangerous_commands(stack: Recording) -> None:
    blocked = "FLUSHDB blocked FLUSHALL blocked KEYS blocked"
    assert [cache_parameters(stack, name)["rename-commands"] for name in CACHES] == [blocked, blocked]


@CHAPTER.row(
    "R32",
    "L214-216",
    "An append-only file, written to disk every second",
    "not met",
    missing="ElastiCache has no `appendonly`; what R25 has stands in",
    components=["cache"],
)
def append_only_file(stack: Recording) -> None:
    for name in CACHES:
        assert "appendonly" not in cache_parameters(stack, name)
        assert cache(stack, name)["multiAzEnabled"] is True


@CHAPTER.row(
    "R33",
    "L219-229",
    "Three masters with a replica each, on port 6379",
    "declared",
    components=["cache"],
    settings=["caches.cache.shards", "caches.cache.replicas_per_shard"],
    policies=["cache-cluster-shape"],
)
def cluster_shape(stack: Recording) -> None:
    group = cache(stack)
    assert (group["numNodeGroups"], group["replicasPerNodeGroup"], group["port"]) == (3, 1, 6379)
    assert cache_parameters(stack)["cluster-enabled"] == "yes"


@CHAPTER.row(
    "R34",
    "L231-236",
    "The application knows that it is a cluster, and its nodes",
    "declared",
    note="one configuration endpoint leads to all nodes; `BULL_PREFIX` keeps a queue in one slot where it has to be",
    settings=[
        "services.core-matching.environment.REDIS_CLUSTER",
        "services.core-matching.environment.REDIS_CLUSTER_NODES",
    ],
)
def cluster_variables(stack: Recording) -> None:
    variables = environment(stack, "core-matching")
    endpoint = output(stack, "caches", "cache", "endpoint")
    assert variables["REDIS_CLUSTER"] == "true"
    assert variables["REDIS_CLUSTER_NODES"] == f"{endpoint}:6379"
    assert variables["BULL_PREFIX"] == "{bull}"
    assert len(stack.all(REPLICATION_GROUP)) == 2
