"""S37 to S41: what there is, and what each part answers for."""

from tests.recorder import Recording
from tests.requirements.production import (
    alarm,
    cache,
    cache_parameters,
    condition,
    container,
    database,
    openings,
    output,
    referred,
)
from tests.requirements.sports_nutrition.support import API, FAST_FAILOVER, scaling, service, target_group
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Architecture")


@CHAPTER.row(
    "S37",
    "L85-97, L120-124",
    "The load balancer ends TLS, asks `/health` every 30 s and sends requests to healthy servers; CPU and memory scale "
    "them",
    "declared",
    note="memory to 75 percent, as the guide names no figure",
    components=["load_balancer", "service", "autoscaling"],
    settings=["services.api.health", "services.api.scaling"],
    policies=["target-group-health-check"],
)
def balancer(stack: Recording) -> None:
    group = target_group(stack)
    check = group["healthCheck"]
    assert (group["port"], group["protocol"]) == (3000, "HTTP")
    assert (check["path"], check["interval"], check["protocol"]) == ("/health", 30, "HTTP")
    assert scaling(stack) == {
        "api-api-scaling": ("ECSServiceAverageCPUUtilization", 70),
        "api-memory": ("ECSServiceAverageMemoryUtilization", 75),
    }


@CHAPTER.row(
    "S38",
    "L98-103, L126-130",
    "Servers of Node on port 3000 in a group that scales; they reach PostgreSQL and Redis and report metrics",
    "declared",
    note="Fargate tasks in two zones; Container Insights counts what they use",
    components=["service", "cluster", "firewall"],
    settings=["services.api.connects_to"],
    policies=["container-insights"],
)
def servers(stack: Recording) -> None:
    (port,) = container(stack, API)["portMappings"]
    assert port["containerPort"] == 3000
    assert {(API, "database-proxy", 5432), (API, "cache-cache", 6379)} <= openings(stack)
    cluster = stack.one("aws:ecs/cluster:Cluster")
    assert cluster["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    assert referred(stack, service(stack), "cluster") == ["cluster"]


@CHAPTER.row(
    "S39",
    "L105-108, L138-142",
    "Redis holds the cache, the sessions, the counters of the rate limit, and passes messages on",
    "declared",
    note="only keys with a time to live make room for others; memory above 80 percent wakes somebody",
    components=["cache"],
    settings=["caches.cache.parameters.maxmemory-policy", "caches.cache.cluster_mode"],
    policies=["cache-snapshots"],
)
def cached(stack: Recording) -> None:
    group = cache(stack)
    assert cache_parameters(stack)["maxmemory-policy"] == "volatile-lru"
    assert (group["clusterMode"], group["automaticFailoverEnabled"]) == ("disabled", True)
    assert group["snapshotRetentionLimit"] == 7
    full = alarm(stack, "cache-cache-memory")
    assert condition(full) == ("GreaterThanThreshold", 80, 3)
    assert full["alarmActions"] == [output(stack, "topics", "critical")]


@CHAPTER.row(
    "S40",
    "L110-115, L132-136",
    "A standby takes over in less than a minute; backups every day, kept 30 days",
    "declared",
    note="a writer and two standbys in three zones, behind the proxy",
    missing="production as it stands: the standby of a Multi-AZ instance (S14) needs one to two minutes, and the "
    "guide's two subnets have no third zone. The command measures it; nobody has run it on AWS",
    commands=["db failover-drill --rto-s 60"],
    components=["database_cluster", "database_proxy"],
    settings=["profiles.fast-failover.database.multi_az_cluster"],
    policies=["rds-backup-retention"],
    shape=FAST_FAILOVER,
)
def standby(stack: Recording) -> None:
    cluster = stack.one("aws:rds/cluster:Cluster")
    assert (cluster["engine"], cluster["dbClusterInstanceClass"]) == ("postgres", "db.r5d.xlarge")
    assert cluster["backupRetentionPeriod"] == 30
    subnets = stack.one("aws:rds/subnetGroup:SubnetGroup", "database")
    assert referred(stack, subnets, "subnetIds") == [f"network-isolated-{zone}" for zone in "abc"]
    target = stack.one("aws:rds/proxyTarget:ProxyTarget")
    assert referred(stack, target, "dbClusterIdentifier") == ["database"]


@CHAPTER.row(
    "S41",
    "L113-114",
    "Automated backups, and a way back to a point in time",
    "declared",
    note="to any second of the last 30 days",
    commands=["db restore-pitr --time 2026-04-01T12:00:00Z"],
    components=["database"],
    settings=["database.backup_retention_days"],
)
def point_in_time(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["backupRetentionPeriod"], primary["deleteAutomatedBackups"]) == (30, False)
    assert output(stack, "database", "identifier") == "prod-postgresql"
