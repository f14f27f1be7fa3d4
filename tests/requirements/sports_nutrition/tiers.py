"""S25 to S36: how large, for 10,000 users a day and for 100,000. The profile of the stack file chooses."""

from components.cdn import CACHING_DISABLED
from tests.recorder import Recording
from tests.requirements.production import (
    SERVICE,
    TARGET,
    TASK,
    cache,
    database,
    database_parameters,
    environment,
    referred,
)
from tests.requirements.sports_nutrition.support import (
    API,
    HOST,
    RECOMMENDED,
    scaling,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Scale tiers")


def bounds(stack: Recording) -> tuple[int, int, int]:
    """Tasks at the start, at least and at most."""
    target = stack.one(TARGET, API)
    return stack.one(SERVICE, API)["desiredCount"], target["minCapacity"], target["maxCapacity"]


def size(stack: Recording) -> tuple[str, str]:
    """CPU units and memory in MiB of one task."""
    task = stack.one(TASK, API)
    return task["cpu"], task["memory"]


def carries_connections(stack: Recording, count: int) -> None:
    """PostgreSQL allows so many, and the API's pools stay below them."""
    assert int(database_parameters(stack)["max_connections"][0]) == count
    assert int(environment(stack, API)["DB_POOL_SIZE"]) * bounds(stack)[2] <= count


@CHAPTER.row(
    "S25",
    "L56, L60",
    "Small: two servers of 2 CPU and 4 GB, highly available, more when needed",
    "declared",
    note="two tasks, ten at most, in two zones, as large as the guide's task definition says (S65); 2048 and 4096 are "
    "two keys of the profile",
    components=["service", "autoscaling"],
    settings=["profile", "profiles.small.services.api"],
)
def small_api(stack: Recording) -> None:
    assert bounds(stack) == (2, 2, 10)
    assert size(stack) == ("512", "1024")
    assert referred(stack, stack.one(SERVICE, API), "networkConfiguration") == [
        "firewall-api",
        "network-private-a",
        "network-private-b",
    ]


@CHAPTER.row(
    "S26",
    "L61",
    "Small: a db.t3.medium that carries 1,000 connections",
    "declared",
    note="RDS would allow about 450 by itself; RDS Proxy shares them",
    components=["database", "database_proxy"],
    settings=["profiles.small.database.instance_class", "profiles.small.database.parameters.max_connections"],
)
def small_database(stack: Recording) -> None:
    assert database(stack)["instanceClass"] == "db.t3.medium"
    carries_connections(stack, 1000)
    assert len(stack.all("aws:rds/proxy:Proxy")) == 1


@CHAPTER.row(
    "S27",
    "L62",
    "Small: a cache.t3.small for sessions and cache",
    "declared",
    note="two of them: sessions outlive one",
    components=["cache"],
    settings=["profiles.small.caches.cache.node_type", "profiles.small.caches.cache.replicas_per_shard"],
)
def small_cache(stack: Recording) -> None:
    group = cache(stack)
    assert (group["nodeType"], group["numCacheClusters"]) == ("cache.t3.small", 2)


@CHAPTER.row(
    "S28",
    "L63",
    "Small: an ALB that spreads the traffic and ends TLS",
    "declared",
    components=["load_balancer"],
    settings=["ingress.tls_policy"],
    policies=["alb-tls-min-1-2", "alb-https-only"],
)
def small_balancer(stack: Recording) -> None:
    balancer = stack.one("aws:lb/loadBalancer:LoadBalancer")
    assert referred(stack, balancer, "subnets") == ["network-public-a", "network-public-b"]
    listener = stack.one("aws:lb/listener:Listener", "ingress-https")
    assert (listener["port"], listener["sslPolicy"]) == (443, "ELBSecurityPolicy-TLS13-1-2-2021-06")


@CHAPTER.row(
    "S29",
    "L64",
    "Small: 100 GB for PostgreSQL, 20 GB for backups that grow day by day",
    "declared",
    note="the volume grows to 200 by itself; RDS's snapshots hold what changed",
    missing="20 GB: AWS stores backups without a size that could be set",
    components=["database"],
    settings=[
        "profiles.small.database.allocated_storage_gib",
        "profiles.small.database.max_allocated_storage_gib",
    ],
)
def small_storage(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["allocatedStorage"], primary["maxAllocatedStorage"]) == (100, 200)
    assert primary["backupRetentionPeriod"] == 30


@CHAPTER.row(
    "S30",
    "L65",
    "Small: a VPC with public and private subnets",
    "declared",
    note="and isolated ones for the data, without a way out",
    components=["network"],
    settings=["network.subnets"],
    policies=["db-in-private-subnets"],
)
def small_network(stack: Recording) -> None:
    routes = {each.name: referred(stack, each, "routeTableId") for each in stack.all("aws:ec2/route:Route")}
    assert routes == {
        "network-private-a": ["network-private-a"],
        "network-private-b": ["network-private-b"],
        "network-public": ["network-public"],
    }
    isolated = ["network-isolated-a", "network-isolated-b"]
    assert referred(stack, stack.one("aws:rds/subnetGroup:SubnetGroup", "database"), "subnetIds") == isolated
    kind = "aws:elasticache/subnetGroup:SubnetGroup"
    assert referred(stack, stack.one(kind), "subnetIds") == isolated


@CHAPTER.row(
    "S31",
    "L67, L71",
    "Recommended: three to five servers of 2 CPU and 8 GB, rolling updates",
    "declared",
    note="three tasks at least, ten at most as S70 has it",
    components=["service", "autoscaling"],
    settings=["profiles.recommended.services.api"],
    shape=RECOMMENDED,
)
def recommended_api(stack: Recording) -> None:
    assert bounds(stack) == (3, 3, 10)
    assert size(stack) == ("2048", "8192")
    service = stack.one(SERVICE, API)
    percents = (service["deploymentMinimumHealthyPercent"], service["deploymentMaximumPercent"])
    assert percents == (100, 200)


@CHAPTER.row(
    "S32",
    "L72",
    "Recommended: a db.r5.xlarge that carries 5,000 connections and more",
    "declared",
    components=["database", "database_proxy"],
    settings=[
        "profiles.recommended.database.instance_class",
        "profiles.recommended.database.parameters.max_connections",
    ],
    shape=RECOMMENDED,
)
def recommended_database(stack: Recording) -> None:
    assert database(stack)["instanceClass"] == "db.r5.xlarge"
    carries_connections(stack, 5000)
    assert len(stack.all("aws:rds/proxy:Proxy")) == 1


@CHAPTER.row(
    "S33",
    "L73",
    "Recommended: three cache.r5.large, replicated and highly available",
    "declared",
    note="a primary and two replicas",
    components=["cache"],
    settings=["profiles.recommended.caches.cache"],
    policies=["cache-cluster-shape"],
    shape=RECOMMENDED,
)
def recommended_cache(stack: Recording) -> None:
    group = cache(stack)
    assert (group["nodeType"], group["numCacheClusters"]) == ("cache.r5.large", 3)
    assert (group["automaticFailoverEnabled"], group["multiAzEnabled"]) == (True, True)


@CHAPTER.row(
    "S34",
    "L74",
    "Recommended: an ALB that scales, for thousands of requests a second",
    "declared",
    note="AWS scales it; what is behind it scales on CPU and memory",
    components=["load_balancer", "autoscaling"],
    shape=RECOMMENDED,
)
def recommended_balancer(stack: Recording) -> None:
    assert stack.one("aws:lb/loadBalancer:LoadBalancer")["loadBalancerType"] == "application"
    metrics = {metric for metric, _ in scaling(stack).values()}
    assert metrics == {"ECSServiceAverageCPUUtilization", "ECSServiceAverageMemoryUtilization"}


@CHAPTER.row(
    "S35",
    "L75",
    "Recommended: 500 GB and more for PostgreSQL, 100 GB for backups, kept 30 days",
    "declared",
    note="the volume grows to 1,000 by itself",
    missing="100 GB: AWS stores backups without a size that could be set",
    components=["database", "backups"],
    settings=["profiles.recommended.database.allocated_storage_gib", "database.backup_retention_days"],
    policies=["rds-backup-retention", "backup-retention-30d"],
    shape=RECOMMENDED,
)
def recommended_storage(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["allocatedStorage"], primary["maxAllocatedStorage"]) == (500, 1000)
    assert primary["backupRetentionPeriod"] == 30
    (daily,) = stack.one("aws:backup/plan:Plan")["rules"]
    assert daily["lifecycle"] == {"deleteAfter": 30}


@CHAPTER.row(
    "S36",
    "L76",
    "Recommended: CloudFront for static files, and for answers of the API that may be kept",
    "declared",
    note="cdn.yourdomain.com; lists of stores are kept a minute, ingredients five, and asked for without cookies and "
    "without Authorization; the rest of the API passes",
    missing="which paths: the guide names none, and these two are assumed from its tables",
    components=["cdn"],
    settings=["cdn", "profiles.recommended.cdn.enabled"],
    shape=RECOMMENDED,
)
def recommended_cdn(stack: Recording) -> None:
    cdn = stack.one("aws:cloudfront/distribution:Distribution")
    assert cdn["aliases"] == ["cdn.yourdomain.com"]
    origins = {each["originId"]: each["domainName"] for each in cdn["origins"]}
    assert (origins["api"], cdn["defaultCacheBehavior"]["targetOriginId"]) == (HOST, "bucket")
    kept = {each.name: each for each in stack.all("aws:cloudfront/cachePolicy:CachePolicy")}
    assert {name: each["maxTtl"] for name, each in kept.items()} == {"cdn-60s": 60, "cdn-300s": 300}
    for policy in kept.values():
        asked = policy["parametersInCacheKeyAndForwardedToOrigin"]
        assert asked["cookiesConfig"] == {"cookieBehavior": "none"}
        assert asked["headersConfig"]["headers"]["items"] == ["Origin"]
    behaviors = {each["pathPattern"]: each["cachePolicyId"] for each in cdn["orderedCacheBehaviors"]}
    assert list(behaviors) == ["/api/stores*", "/api/ingredients*", "/api/*"]
    assert behaviors["/api/stores*"].startswith("cdn-60s-")
    assert behaviors["/api/ingredients*"].startswith("cdn-300s-")
    assert behaviors["/api/*"] == CACHING_DISABLED
