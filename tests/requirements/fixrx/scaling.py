"""F95 to F104: more servers, more readers, and the windows in which things are changed."""

from settings import loader
from tests.program import declared, stack_file
from tests.recorder import Recording
from tests.requirements.fixrx.incidents import mailed
from tests.requirements.fixrx.support import (
    API,
    OPS,
    containers,
    ends_after,
    runs_at,
    secret_text,
    service,
    target_group,
    variables,
)
from tests.requirements.production import (
    INSTANCE,
    TARGET,
    cache,
    database,
    environment,
    openings,
    operator_can_replace,
    output,
    referred,
    secrets,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Scaling and maintenance windows")
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
KUBERNETES = {
    "compute": "kubernetes",
    "kubernetes": {
        "nodes": {"instance_types": ["m7i.large"], "min_count": 3, "max_count": 6},
        "admin_role_arns": ["arn:aws:iam::222233334444:role/platform-admin"],
    },
}


@CHAPTER.row(
    "F95",
    "L636-647",
    "A further server is added to the balancer's list",
    "declared",
    note="tasks come and go by themselves, up to ten, and are in the list while they are healthy; the first "
    "command adds one now, the second for good",
    commands=["scale fixrx-api --desired 4", "scale fixrx-api --min 4 --max 10 --write"],
    components=["service", "autoscaling"],
    settings=["services.fixrx-api.min_count", "services.fixrx-api.max_count", "services.fixrx-api.scaling"],
)
def more_servers(stack: Recording) -> None:
    target = stack.one(TARGET, API)
    assert (target["minCapacity"], target["maxCapacity"]) == (3, 10)
    policy = stack.one("aws:appautoscaling/policy:Policy", f"{API}-cpu")
    tracked = policy["targetTrackingScalingPolicyConfiguration"]
    assert tracked["targetValue"] == 70
    assert tracked["predefinedMetricSpecification"] == {
        "predefinedMetricType": "ECSServiceAverageCPUUtilization"
    }
    assert target_group(stack)["targetType"] == "ip"
    assert referred(stack, service(stack), "loadBalancers") == [target_group(stack).name]
    operator_can_replace(stack, API)


@CHAPTER.row(
    "F96",
    "L649-670",
    "On Kubernetes an autoscaler `fixrx-api-hpa` keeps the Deployment `fixrx-api` at 70 percent CPU, with 3 to 10 pods",
    "declared",
    note="Application Auto Scaling has the same figures where tasks run on Fargate: F95",
    components=["kubernetes_workload", "kubernetes_cluster"],
    settings=["services.fixrx-api.kubernetes.hpa_name", "services.fixrx-api.scaling"],
    policies=["k8s-probes-and-limits"],
    shape=KUBERNETES,
)
def autoscaler(stack: Recording) -> None:
    found = stack.one(HPA, API).inputs
    assert (found["apiVersion"], found["metadata"]["name"]) == ("autoscaling/v2", "fixrx-api-hpa")
    assert found["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": API}
    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (3, 10)
    assert found["spec"]["metrics"] == [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
        }
    ]
    assert stack.one(DEPLOYMENT, API)["metadata"]["name"] == API


@CHAPTER.row(
    "F97",
    "L674-683",
    "Writes go by `DATABASE_URL`, reads by `REPLICA_DATABASE_URL`",
    "declared",
    note="the second leads to the replica itself, the first to the primary through the proxy; where a stack has no "
    "replica, as staging, both lead to the primary",
    components=["database", "secret"],
    settings=["secrets.replica-database-url", "database.replicas"],
)
def read_replica(stack: Recording) -> None:
    (replica,) = output(stack, "database", "replicaAddresses")
    url = secret_text(stack, "replica-database-url")
    assert url.startswith("postgresql://fixrx_app:")
    assert url.endswith(f"@{replica}:5432/fixrx_production?sslmode=require")
    assert replica not in secret_text(stack, "database-url")
    assert secrets(stack, API)["REPLICA_DATABASE_URL"] == output(stack, "secrets", "replica-database-url")
    staging = declared("fixrx/staging")
    assert output(staging, "database", "replicaAddresses") == []
    address = output(staging, "database", "address")
    for name in ("database-url", "replica-database-url"):
        assert f"@{address}:5432/" in secret_text(staging, name)


@CHAPTER.row(
    "F98",
    "L686-694",
    "PgBouncer, with pools of 20 in production and 5 elsewhere: 30 s idle, 2 s to connect",
    "declared",
    note="RDS Proxy holds the connections in PgBouncer's place; the figures are those of the application's own pool, "
    "as in the guide's code, and reach it as variables",
    components=["database_proxy"],
    settings=["database.proxy", "services.fixrx-api.database.pool_max"],
    policies=["rds-proxy-tls"],
)
def pooling(stack: Recording) -> None:
    proxy = stack.one("aws:rds/proxy:Proxy")
    assert (proxy["name"], proxy["requireTls"]) == ("fixrx-primary-proxy", True)
    target = stack.one("aws:rds/proxyTarget:ProxyTarget")
    assert referred(stack, target, "dbInstanceIdentifier") == ["database"]
    assert {(API, "database-proxy", 5432), ("database-proxy", "database", 5432)} <= openings(stack)
    assert output(stack, "database", "proxyAddress") in secret_text(stack, "database-url")
    told = environment(stack, API)
    names = ("MAX", "IDLE_TIMEOUT_MS", "CONNECTION_TIMEOUT_MS")
    assert [told[f"DB_POOL_{name}"] for name in names] == ["20", "30000", "2000"]
    staging = loader.from_file(stack_file("fixrx/staging")).services[API].database
    assert staging is not None
    assert staging.pool_max == 5


@CHAPTER.row(
    "F99",
    "L701",
    "Every day from 02:00 to 02:30 UTC",
    "declared",
    note="RDS's own backup and the dump; the cache's snapshot begins with them, in a window of an hour, the shortest "
    "that there is",
    missing="an end at 02:30 for a dump that takes longer",
    components=["database", "cache", "schedule"],
    settings=["database.backup_window", "backups.dump.schedule", "caches.cache.snapshot_window"],
)
def daily(stack: Recording) -> None:
    assert database(stack)["backupWindow"] == "02:00-02:30"
    assert runs_at(stack, "dump") == "cron(0 2 * * ? *)"
    assert cache(stack)["snapshotWindow"] == "02:00-03:00"


@CHAPTER.row(
    "F100",
    "L702",
    "Every Sunday from 03:00 to 04:00 UTC",
    "declared",
    note="updates of RDS and ElastiCache, and `VACUUM ANALYZE`, which is ended after an hour. The command is the "
    "list of what somebody looks at each week",
    commands=["maintenance weekly"],
    components=["database", "cache", "schedule"],
    settings=["database.maintenance_window", "caches.cache.maintenance_window", "tasks.weekly"],
)
def weekly(stack: Recording) -> None:
    stores = [*stack.all(INSTANCE), cache(stack)]
    assert [each["maintenanceWindow"] for each in stores] == ["sun:03:00-sun:04:00"] * 3
    assert runs_at(stack, "weekly") == "cron(0 3 ? * SUN *)"
    assert ends_after(stack, "weekly") == 60 * 60


@CHAPTER.row(
    "F101",
    "L703",
    "Every first Sunday from 02:00 to 06:00 UTC",
    "declared",
    note="the daily jobs first, then `REINDEX` from 02:30, ended at 06:00, and the proof of the dump at 04:00. "
    "The command is the list of what somebody looks at each month",
    missing="an end for the proof; the guide's weekly window lies within this one, and its jobs run beside",
    commands=["maintenance monthly"],
    components=["schedule", "task"],
    settings=["tasks.monthly", "backups.verify.schedule"],
)
def monthly(stack: Recording) -> None:
    assert runs_at(stack, "monthly") == "cron(30 2 ? * SUN#1 *)"
    assert ends_after(stack, "monthly") == (6 * 60 - (2 * 60 + 30)) * 60
    assert variables(containers(stack, "task-monthly")["monthly"])["PGOPTIONS"].startswith(
        "-c client_connection_check_interval="
    )
    assert runs_at(stack, "verify") == "cron(0 4 ? * SUN#1 *)"


@CHAPTER.row(
    "F102",
    "L705-708",
    "Security patches at once, critical bugs within a day, agreed with those concerned",
    "operator",
    note="the first brings at once what AWS has waiting, or it is a new image; the second tells those concerned. "
    "RDS says by mail what it does",
    missing="their consent, and a clock for the day",
    commands=["maintenance apply-now", "incident notify --template maintenance --urgent"],
    components=["database", "cache", "service"],
)
def emergency(stack: Recording) -> None:
    assert output(stack, "database", "identifier") == "fixrx-primary"
    assert output(stack, "caches", "cache", "replicationGroupId")
    events = stack.one("aws:rds/eventSubscription:EventSubscription")
    assert {"maintenance", "failover", "failure"} <= set(events["eventCategories"])
    assert referred(stack, events, "snsTopic") == ["notifications-warning-us-east-1"]
    assert service(stack)["deploymentMinimumHealthyPercent"] == 100


@CHAPTER.row(
    "F103",
    "L710-713",
    "Upgrades are planned two weeks ahead, announced, and have a way back",
    "operator",
    note="the first announces, wants the way back named, and refuses less than two weeks. A new major version of "
    "PostgreSQL comes only by the stack file or the second, which makes a copy beside the database to look "
    "at before any switch-over; other changes to a database wait for its window. The way back is RDS's "
    "backup (F70) and the release before",
    commands=[
        "incident notify --template maintenance",
        "db upgrade --to 15.14 --until verify",
        "rollback fixrx-api",
    ],
    components=["database", "service"],
    settings=["database.engine_version"],
    policies=["rds-backup-retention", "deployment-rollback-enabled"],
)
def planned(stack: Recording) -> None:
    assert mailed(stack, "warning") == {OPS}
    for each in stack.all(INSTANCE):
        assert (each["allowMajorVersionUpgrade"], each["applyImmediately"]) == (False, False)
    assert database(stack)["backupRetentionPeriod"] == 30
    assert service(stack)["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}


@CHAPTER.row(
    "F104",
    "L719",
    "Support is at ops@fixrx.com",
    "declared",
    note="it gets every alarm",
    commands=["alerts status"],
    components=["notifications"],
    settings=["notifications.critical", "notifications.warning"],
)
def support(stack: Recording) -> None:
    assert mailed(stack, "critical") == mailed(stack, "warning") == {OPS}
