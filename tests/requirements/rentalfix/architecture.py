"""R1 to R10: what there is, and what it runs on."""

from tests.recorder import Recording
from tests.requirements.production import (
    REPLICATION_GROUP,
    SERVICE,
    SERVICES,
    TARGET,
    TASK,
    alarm,
    bootstrap_sql,
    cache,
    collector,
    condition,
    database,
    environment,
    openings,
    output,
    referred,
)
from tests.requirements.table import Chapter
from tests.settings_examples import refusal

CHAPTER = Chapter(title="Architecture and prerequisites")


@CHAPTER.row(
    "R1",
    "L40-43, L66",
    "An HTTP service, `core-matching`, hands work to a queue worker, `worker-ai`; both scale by adding copies",
    "declared",
    components=["service", "autoscaling", "queue_metrics"],
    settings=["services.core-matching", "services.worker-ai", "queues.matching"],
)
def two_services(stack: Recording) -> None:
    assert [each["containerPort"] for each in stack.one(SERVICE, "core-matching")["loadBalancers"]] == [4400]
    assert "loadBalancers" not in stack.one(SERVICE, "worker-ai")
    counts = {each.name: (each["minCapacity"], each["maxCapacity"]) for each in stack.all(TARGET)}
    assert counts == {"core-matching": (4, 7), "worker-ai": (1, 4)}
    queues = [environment(stack, name) for name in SERVICES]
    assert {each["QUEUE_REDIS_HOST"] for each in queues} == {output(stack, "caches", "queue", "endpoint")}
    assert {each["BULL_PREFIX"] for each in queues} == {"{bull}"}


@CHAPTER.row(
    "R2",
    "L33-40, L68",
    "A reverse proxy in front ends TLS and limits rates, without a single point of failure",
    "declared",
    note="an application load balancer in three zones and a web firewall stand where the guide has Nginx",
    components=["load_balancer", "certificate", "web_acl"],
)
def reverse_proxy(stack: Recording) -> None:
    balancer = stack.one("aws:lb/loadBalancer:LoadBalancer")
    assert (balancer["loadBalancerType"], balancer["internal"]) == ("application", False)
    assert referred(stack, balancer, "subnets") == [
        "network-public-a",
        "network-public-b",
        "network-public-c",
    ]
    association = stack.one("aws:wafv2/webAclAssociation:WebAclAssociation")
    assert referred(stack, association, "resourceArn") == ["ingress"]
    assert referred(stack, association, "webAclArn") == ["waf"]
    behind = {target for source, target, _ in openings(stack) if source == "load-balancer"}
    assert behind == {"core-matching"}


@CHAPTER.row(
    "R3",
    "L41-51",
    "Both services reach database, cache and metrics",
    "declared",
    note="metrics are fetched by the collector, not sent",
    components=["firewall"],
    settings=["services.core-matching.connects_to", "services.worker-ai.connects_to"],
    policies=["sg-no-open-data-ports"],
)
def connections(stack: Recording) -> None:
    opened = openings(stack)
    for service in SERVICES:
        assert {(service, "database", 5432), (service, "cache-cache", 6379)} <= opened
        assert ("collector", service, 9090) in opened
    assert not [opening for opening in opened if opening[0] == "internet" and opening[2] not in (80, 443)]
    assert {source for source, _, port in opened if port == 9090} == {"collector"}


@CHAPTER.row(
    "R4",
    "L53-56, L64",
    "A geospatial PostgreSQL whose asynchronous replicas answer analytics and reports",
    "declared",
    components=["database"],
    settings=["database.replicas", "database.extensions"],
)
def replicas(stack: Recording) -> None:
    replica = stack.one("aws:rds/instance:Instance", "database-rentfix-replica-1")
    assert replica["replicateSourceDb"] == database(stack)["identifier"] == "rentfix-primary"
    assert condition(alarm(stack, "database-rentfix-replica-1-lag")) == ("GreaterThanThreshold", 360, 3)
    assert 'CREATE EXTENSION IF NOT EXISTS "postgis";' in bootstrap_sql(stack)


@CHAPTER.row(
    "R5",
    "L65",
    "Redis for caching and rate limits, in cluster mode with three nodes or more",
    "declared",
    components=["cache"],
    settings=["caches.cache.cluster_mode", "caches.cache.shards", "caches.cache.replicas_per_shard"],
    policies=["cache-cluster-shape"],
)
def clustered_cache(stack: Recording) -> None:
    group = cache(stack)
    assert (group["clusterMode"], group["numNodeGroups"], group["replicasPerNodeGroup"]) == ("enabled", 3, 1)
    assert (group["automaticFailoverEnabled"], group["multiAzEnabled"]) == (True, True)


@CHAPTER.row(
    "R6",
    "L50, L67",
    "Prometheus collects metrics, federated",
    "declared",
    note="the collector writes to a managed workspace, labelled with system and environment; remote write stands "
    "for federation",
    components=["prometheus"],
)
def prometheus(stack: Recording) -> None:
    (writer,) = collector(stack)["exporters"].values()
    assert writer["endpoint"] == f"{output(stack, 'prometheus')}api/v1/remote_write"
    assert writer["external_labels"] == {"system": "rentalfix", "environment": "prod"}
    assert stack.names("aws:amp/workspace:Workspace") == ["prometheus"]


@CHAPTER.row(
    "R7",
    "L7, L76",
    "PostgreSQL 14 or newer, with PostGIS 3.3 or newer",
    "declared",
    note="settings refuse a version that lacks either, before anything is made; the command looks at what is there",
    commands=["db check --only version --only extensions"],
    components=["database"],
    settings=["database.engine_version", "database.minimum_version", "database.extensions"],
    policies=["rds-engine-version-min"],
)
def versions_of_the_database(stack: Recording) -> None:
    assert (database(stack)["engine"], database(stack)["engineVersion"]) == ("postgres", "16")
    too_old = refusal({"database/engine_version": "13.23"})
    assert any("must be database.minimum_version 14 or newer, got 13.23" in line for line in too_old)
    (too_little,) = refusal(system={"database/extensions/postgis": "99.0"})
    assert "needs PostGIS 99.0" in too_little


@CHAPTER.row(
    "R8",
    "L77",
    "Redis 7 or newer, standalone or clustered",
    "declared",
    note="production has one of each",
    components=["cache"],
    settings=["caches.cache.engine_version", "caches.queue.engine_version"],
    policies=["cache-engine-version-min"],
)
def versions_of_the_caches(stack: Recording) -> None:
    modes = {each.name: (each["engineVersion"], each["clusterMode"]) for each in stack.all(REPLICATION_GROUP)}
    assert modes == {"cache-cache": ("7.1", "enabled"), "cache-queue": ("7.1", "disabled")}


@CHAPTER.row(
    "R9",
    "L78-80",
    "Node.js 18 or newer in containers; Kubernetes if wanted",
    "application",
    note="Node is in the image; the pods, as otherwise the tasks, only start it",
    components=["task", "kubernetes_workload"],
    shape={
        "compute": "kubernetes",
        "kubernetes": {
            "nodes": {"instance_types": ["m7i.large"], "min_count": 3, "max_count": 6},
            "admin_role_arns": ["arn:aws:iam::111122223333:role/admin"],
        },
    },
)
def node_in_containers(stack: Recording) -> None:
    for service in SERVICES:
        deployment = stack.one("kubernetes:apps/v1:Deployment", service)
        (pod,) = deployment["spec"]["template"]["spec"]["containers"]
        assert pod["args"][0] == "node"
    # What operators and the clock start stays on Fargate.
    assert stack.one(TASK, "task-migrate")["requiresCompatibilities"] == ["FARGATE"]


@CHAPTER.row(
    "R10",
    "L82-86",
    "On AWS: RDS PostgreSQL, ElastiCache, ECS or EKS",
    "declared",
    components=["database", "cache", "cluster"],
)
def on_aws(stack: Recording) -> None:
    assert database(stack)["engine"] == "postgres"
    assert cache(stack)["engine"] == "redis"
    cluster = stack.one("aws:ecs/cluster:Cluster")
    assert cluster["name"] == "rentalfix-prod"
    assert {each["launchType"] for each in stack.all(SERVICE)} == {"FARGATE"}
