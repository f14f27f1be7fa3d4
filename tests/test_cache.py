"""The cache as declared: both modes, TLS and AUTH, snapshots, logs, and watches per shard."""

import dataclasses

import pulumi
import pytest

from components.cache import Cache, CacheArgs
from tests.recorder import record

GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
PARAMETERS = "aws:elasticache/parameterGroup:ParameterGroup"
SUBNETS = "aws:elasticache/subnetGroup:SubnetGroup"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"

GOOD = CacheArgs(
    engine="redis",
    engine_version="7.1",
    node_type="cache.r6g.large",
    cluster_mode=True,
    shards=3,
    replicas_per_shard=1,
    parameters={
        "maxmemory-policy": "allkeys-lru",
        "timeout": "300",
        "tcp-keepalive": "60",
        "rename-commands": "FLUSHDB blocked FLUSHALL blocked KEYS blocked",
    },
    subnet_ids=["subnet-a", "subnet-b"],
    security_group_id="sg-cache",
    data_key_arn="arn:aws:kms:us-east-1:111122223333:key/data",
    auth_token="a-token-of-the-tests",
    snapshot_retention_days=7,
    snapshot_window="02:00-03:00",
    maintenance_window="sun:05:00-sun:06:00",
    log_key_arn="arn:aws:kms:us-east-1:111122223333:key/logs",
    log_retention_days=30,
    log_group_prefix="/rentalfix/prod/cache",
    protect=True,
    tags={"owner": "platform"},
)
STANDALONE = {"cluster_mode": False, "shards": 1}


def args(**changes):
    return dataclasses.replace(GOOD, **changes)


def declare(**changes):
    return record(lambda: Cache("cache", args(**changes)))


def watches(**changes):
    made = record(lambda: Cache("cache", args(**changes)).watches).value
    return {watch.name: watch for watch in made}


def test_the_cluster_exactly():
    declared = declare()
    group = dict(declared.one(GROUP).inputs)
    assert group.pop("parameterGroupName").startswith("cache-redis7-cluster-")
    assert group.pop("subnetGroupName").startswith("cache-")
    assert group == {
        "description": "cache: redis 7.1",
        "engine": "redis",
        "engineVersion": "7.1",
        "nodeType": "cache.r6g.large",
        "port": 6379,
        "clusterMode": "enabled",
        "numNodeGroups": 3,
        "replicasPerNodeGroup": 1,
        "automaticFailoverEnabled": True,
        "multiAzEnabled": True,
        "securityGroupIds": ["sg-cache"],
        "atRestEncryptionEnabled": True,
        "kmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/data",
        "transitEncryptionEnabled": True,
        "transitEncryptionMode": "required",
        "authToken": "a-token-of-the-tests",
        "authTokenUpdateStrategy": "ROTATE",
        "autoMinorVersionUpgrade": True,
        "snapshotRetentionLimit": 7,
        "snapshotWindow": "02:00-03:00",
        "finalSnapshotIdentifier": "rentalfix-prod-cache-final",
        "maintenanceWindow": "sun:05:00-sun:06:00",
        "logDeliveryConfigurations": [
            {
                "destination": f"/rentalfix/prod/cache/{log}",
                "destinationType": "cloudwatch-logs",
                "logFormat": "json",
                "logType": log,
            }
            for log in ("slow-log", "engine-log")
        ],
        "tags": {"owner": "platform", "Name": "cache"},
    }
    assert declared.one(SUBNETS)["subnetIds"] == ["subnet-a", "subnet-b"]
    assert declared.orphans() == []


def test_without_cluster_mode():
    declared = declare(**STANDALONE)
    group = declared.one(GROUP)
    assert group["clusterMode"] == "disabled"
    assert group["numCacheClusters"] == 2
    assert "numNodeGroups" not in group
    assert "replicasPerNodeGroup" not in group
    assert declared.one(PARAMETERS).name == "cache-redis7"


@pytest.mark.parametrize(
    ("cluster_mode", "replicas", "failover", "spread"),
    [(True, 1, True, True), (True, 0, True, False), (False, 1, True, True), (False, 0, False, False)],
)
def test_failover_and_zones(cluster_mode, replicas, failover, spread):
    group = declare(cluster_mode=cluster_mode, shards=1, replicas_per_shard=replicas).one(GROUP)
    assert group["automaticFailoverEnabled"] is failover
    assert group["multiAzEnabled"] is spread


def test_parameters_and_their_family():
    group = declare().one(PARAMETERS)
    assert group["family"] == "redis7"
    assert {p["name"]: p["value"] for p in group["parameters"]} == {
        "cluster-enabled": "yes",
        "maxmemory-policy": "allkeys-lru",
        "timeout": "300",
        "tcp-keepalive": "60",
        "rename-commands": "FLUSHDB blocked FLUSHALL blocked KEYS blocked",
    }
    assert "cluster-enabled" not in str(declare(**STANDALONE).one(PARAMETERS).inputs)


@pytest.mark.parametrize(
    ("engine", "version", "family"),
    [("redis", "7.0", "redis7"), ("valkey", "7.2", "valkey7"), ("valkey", "8.1", "valkey8")],
)
def test_families(engine, version, family):
    assert declare(engine=engine, engine_version=version).one(PARAMETERS)["family"] == family


def test_the_token_stays_secret():
    token = pulumi.Output.secret("a-token-of-the-tests")
    assert "authToken" in declare(auth_token=token).one(GROUP).secrets


@pytest.mark.parametrize("protect", [True, False])
def test_protection(protect):
    group = declare(protect=protect).one(GROUP)
    assert (group.protect, group.retain_on_delete) == (protect, protect)
    assert ("finalSnapshotIdentifier" in group) is protect


def test_logs_are_encrypted_and_kept():
    declared = declare()
    assert declared.names(LOG_GROUP) == ["cache-engine-log", "cache-slow-log"]
    group = declared.one(LOG_GROUP, "cache-slow-log")
    assert group["name"] == "/rentalfix/prod/cache/slow-log"
    assert (group["retentionInDays"], group["kmsKeyId"][-4:]) == (30, "logs")


def test_endpoints():
    assert declare().outputs("cache")["endpoint"].startswith("clustercfg.")
    outputs = declare(**STANDALONE).outputs("cache")
    assert outputs["endpoint"].startswith("master.")
    assert outputs["port"] == 6379
    assert len(outputs["replication_group_id"]) <= 40


def test_what_is_watched_in_a_cluster():
    made = watches()
    parts = ("cpu", "connections", "evictions", "lag")
    assert set(made) == {f"cache-000{shard}-{part}" for shard in (1, 2, 3) for part in parts}
    cpu = made["cache-0002-cpu"]
    assert cpu.expression == "MAX([node0, node1])"
    assert (cpu.threshold, cpu.evaluation_periods) == (80, 3)


def test_watches_name_the_nodes_as_elasticache_does():
    def nodes(**changes):
        return record(
            lambda: [
                [metric.dimensions["CacheClusterId"] for metric in watch.metrics]
                for watch in Cache("cache", args(**changes)).watches
                if watch.name.endswith("cpu")
            ]
        ).value

    first, *_, last = nodes()
    group = first[0].removesuffix("-0001-001")
    assert first == [f"{group}-0001-001", f"{group}-0001-002"]
    assert last == [f"{group}-0003-001", f"{group}-0003-002"]
    assert nodes(**STANDALONE) == [[f"{group}-001", f"{group}-002"]]


def test_a_node_alone_needs_no_expression_and_has_no_lag():
    made = watches(**STANDALONE, replicas_per_shard=0)
    assert made["cache-cpu"].expression is None
    assert "cache-lag" not in made


@pytest.mark.parametrize("parameters", [{"maxmemory-policy": "noeviction"}, {}])
def test_where_keys_are_not_simply_evicted_memory_is_critical(parameters):
    made = watches(**STANDALONE, parameters=parameters)
    assert made["cache-memory"].severity == "critical"
    assert "cache-evictions" not in made


def test_another_shard_leaves_the_watches_of_the_others_alone():
    assert set(watches(shards=3)) < set(watches(shards=4))


@pytest.mark.parametrize(("replicas", "metrics"), [(0, 2), (1, 4), (5, 10)])
def test_hit_ratio_per_shard_within_the_ten_metrics_of_an_alarm(replicas, metrics):
    def program():
        cache = Cache("cache", args(replicas_per_shard=replicas))
        return cache.hit_ratio_watches("hit-ratio", 0.7, "warning", "Of 10 reads, how many hit.")

    made = record(program).value
    assert [watch.name for watch in made] == [f"cache-000{shard}-hit-ratio" for shard in (1, 2, 3)]
    assert {(w.threshold, w.comparison, w.evaluation_periods) for w in made} == {
        (0.7, "LessThanThreshold", 2)
    }
    assert len(made[0].metrics) == metrics


def test_hit_ratio_is_hits_of_all_reads():
    (watch,) = record(
        lambda: Cache("cache", args(**STANDALONE)).hit_ratio_watches("hit-ratio", 0.8, "warning", "x")
    ).value
    assert watch.expression == "SUM([hits0, hits1]) / SUM([hits0, hits1, misses0, misses1])"
    assert {m.id: m.metric_name for m in watch.metrics}["misses1"] == "CacheMisses"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"engine_version": "7"}, "engine_version must be like 7.1, got '7'"),
        ({"engine_version": "6.2"}, "engine_version of redis must be 7.x, ElastiCache's last, got 6.2"),
        ({"engine_version": "8.0"}, "engine_version of redis must be 7.x"),
        (
            {"engine": "valkey", "engine_version": "6.0"},
            "engine_version of valkey must be 7.2 or later, got 6.0",
        ),
        ({"cluster_mode": False}, "shards must be 1 without cluster_mode, got 3"),
        ({"shards": 0}, "shards must be 1 to 90.* got 0"),
        ({"shards": 91}, "shards must be 1 to 90.* got 91"),
        ({"replicas_per_shard": 6}, "replicas_per_shard must be 0 to 5, got 6"),
        ({"snapshot_retention_days": 36}, "snapshot_retention_days must be 0 to 35, got 36"),
        (
            {"parameters": {"cluster-enabled": "no"}},
            "cluster-enabled follows from cluster_mode; leave it out",
        ),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        args(**changes)


def test_a_name_leaves_room_for_what_pulumi_adds():
    assert len(record(lambda: Cache("c" * 32, args()).replication_group_id).value) == 40
    with pytest.raises(ValueError, match="its name may have 32 characters, got 33"):
        record(lambda: Cache("c" * 33, args()))


def test_every_problem_at_once():
    with pytest.raises(
        ValueError, match=r"cache /rentalfix/prod/cache: engine_version.*; replicas_per_shard"
    ):
        args(engine_version="x", replicas_per_shard=9)


def test_a_preview_sees_every_resource():
    assert record(lambda: Cache("cache", args()), preview=True).names() == declare().names()


@pytest.mark.parametrize(("figure", "threshold", "periods"), [(None, 1000, 3), (0, 0, 1)])
def test_evictions_are_watched_at_the_products_own_figure(figure, threshold, periods):
    watch = watches(evictions_per_5_minutes=figure)["cache-0001-evictions"]
    assert (watch.threshold, watch.evaluation_periods) == (threshold, periods)
    assert f"more than {threshold}" in watch.description


@pytest.mark.parametrize("figure", [0, 50])
def test_a_cache_that_evicts_what_may_expire_is_watched_only_at_the_products_own_figure(figure):
    volatile = {**STANDALONE, "parameters": {"maxmemory-policy": "volatile-lru"}}
    watch = watches(**volatile, evictions_per_5_minutes=figure)["cache-evictions"]
    assert (watch.threshold, watch.comparison, watch.evaluation_periods) == (
        figure,
        "GreaterThanThreshold",
        1,
    )
    assert {(metric.metric_name, metric.stat) for metric in watch.metrics} == {("Evictions", "Sum")}
    assert "cache-evictions" not in watches(**volatile)
    # What has no time to live stays, so memory may still run out.
    assert watches(**volatile, evictions_per_5_minutes=figure)["cache-memory"].severity == "critical"


def test_reads_may_go_to_the_replicas():
    def ends(**changes):
        return record(
            lambda: [(cache := Cache("cache", args(**changes))).endpoint, cache.reader_endpoint]
        ).value

    primary, readers = ends(**STANDALONE)
    assert (primary.split(".")[0], readers.split(".")[0]) == ("master", "replica")
    configuration, same = ends()
    assert configuration == same
    assert configuration.startswith("clustercfg.")
