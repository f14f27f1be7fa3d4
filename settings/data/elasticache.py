"""ElastiCache: engine versions, parameter families, node types and their memory.

Versions: the ElastiCache API's answers as CloudFormation's linter publishes them (schema of 2026-10-20),
7 and newer (RentalFix guide L77). Node types: ElastiCache user guide, "Supported node types", column
Memory (GiB), read 2026-11-22.
"""

ENGINE_VERSIONS: dict[str, tuple[str, ...]] = {
    "redis": ("7.0", "7.1"),
    "valkey": ("7.2", "8.0", "8.1", "8.2", "9.0", "9.1"),
}

MEMORY_GIB_BY_NODE_TYPE: dict[str, float] = {
    "cache.t3.micro": 0.5,
    "cache.t3.small": 1.37,
    "cache.t3.medium": 3.09,
    "cache.t4g.micro": 0.5,
    "cache.t4g.small": 1.37,
    "cache.t4g.medium": 3.09,
    "cache.m5.large": 6.38,
    "cache.m5.xlarge": 12.93,
    "cache.m5.2xlarge": 26.04,
    "cache.m6g.large": 6.38,
    "cache.m6g.xlarge": 12.93,
    "cache.m6g.2xlarge": 26.04,
    "cache.m6g.4xlarge": 52.26,
    "cache.m7g.large": 6.38,
    "cache.m7g.xlarge": 12.93,
    "cache.m7g.2xlarge": 26.04,
    "cache.m7g.4xlarge": 52.26,
    "cache.r5.large": 13.07,
    "cache.r5.xlarge": 26.32,
    "cache.r5.2xlarge": 52.82,
    "cache.r6g.large": 13.07,
    "cache.r6g.xlarge": 26.32,
    "cache.r6g.2xlarge": 52.82,
    "cache.r6g.4xlarge": 105.81,
    "cache.r7g.large": 13.07,
    "cache.r7g.xlarge": 26.32,
    "cache.r7g.2xlarge": 52.82,
    "cache.r7g.4xlarge": 105.81,
}

# Default of reserved-memory-percent, which snapshots and failover need ("Managing reserved memory").
RESERVED_MEMORY_PERCENT = 25

# Parameters that ElastiCache does not let anybody set, and what stands in for each (user guide,
# "Engine specific parameters"; RentalFix guide L194-216).
UNSETTABLE_PARAMETERS: dict[str, str] = {
    "maxmemory": "choose a node_type with enough memory",
    "save": "set snapshot_retention_days",
    "appendonly": "use replicas_per_shard and snapshot_retention_days",
    "appendfsync": "use replicas_per_shard and snapshot_retention_days",
    "tcp-backlog": "leave it out, AWS sets it",
    "requirepass": "leave it out, every cache has an auth token",
    "cluster-enabled": "set cluster_mode",
}

# Number of databases: a cluster has only one, so a group that spans shards refuses the parameter.
STANDALONE_ONLY_PARAMETERS = ("databases",)


def usable_memory_gib(node_type: str) -> float:
    """What one node of this type leaves for data, in GiB, with AWS's default reserve."""
    return MEMORY_GIB_BY_NODE_TYPE[node_type] * (1 - RESERVED_MEMORY_PERCENT / 100)


EVICTION_POLICIES: tuple[str, ...] = (
    *("noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random"),
    *("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"),
)

# The parameters that people set (user guide, "Engine specific parameters"). Not all there are: a name outside
# this list is only refused when it is almost one of these.
KNOWN_PARAMETERS: tuple[str, ...] = (
    *("activedefrag", "activerehashing", "client-output-buffer-limit-pubsub-hard-limit", "cluster-enabled"),
    *("cluster-allow-reads-when-down", "close-on-replica-write", "databases", "hash-max-listpack-entries"),
    *("hash-max-listpack-value", "latency-tracking", "lazyfree-lazy-eviction", "lazyfree-lazy-expire"),
    *("lazyfree-lazy-server-del", "lazyfree-lazy-user-del", "lfu-decay-time", "lfu-log-factor"),
    *("list-max-listpack-size", "maxmemory-policy", "maxmemory-samples", "min-replicas-max-lag"),
    *("min-replicas-to-write", "notify-keyspace-events", "proto-max-bulk-len", "rename-commands"),
    *("repl-backlog-size", "repl-backlog-ttl", "reserved-memory", "reserved-memory-percent"),
    *("set-max-intset-entries", "slowlog-log-slower-than", "slowlog-max-len", "stream-node-max-bytes"),
    *("stream-node-max-entries", "tcp-keepalive", "timeout", "tracking-table-max-keys"),
    *("zset-max-listpack-entries", "zset-max-listpack-value"),
)
