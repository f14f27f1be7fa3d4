"""S14 to S24: what stands before the first release, and the data in it."""

from settings import loader
from tests.program import stack_file
from tests.recorder import Recording
from tests.requirements.production import (
    RECORD,
    SCHEDULE,
    SERVICE,
    alarm,
    cache,
    condition,
    container,
    database,
    environment,
    operator_can_replace,
    output,
    referred,
)
from tests.requirements.sports_nutrition.support import API, HOST, service, target_group
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Pre-deployment checklist: infrastructure and data")


@CHAPTER.row(
    "S14",
    "L38",
    "There is a PostgreSQL for production",
    "declared",
    note="with a standby in the other zone, behind a proxy that keeps the connections while it takes over",
    components=["database", "database_proxy"],
    settings=["database.multi_az", "database.proxy"],
    policies=["rds-encrypted", "rds-not-public", "rds-multi-az", "rds-deletion-protection"],
)
def postgresql(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["engine"], primary["multiAz"], primary["storageEncrypted"]) == ("postgres", True, True)
    target = stack.one("aws:rds/proxyTarget:ProxyTarget")
    assert referred(stack, target, "dbInstanceIdentifier") == ["database"]
    assert stack.one("aws:rds/proxy:Proxy")["requireTls"] is True


@CHAPTER.row(
    "S15",
    "L39",
    "There is a Redis cluster",
    "declared",
    note="a primary and a replica, which takes over by itself",
    components=["cache"],
    settings=["caches.cache"],
    policies=["cache-auth-required", "cache-transit-encryption", "cache-at-rest-encryption"],
)
def redis(stack: Recording) -> None:
    group = cache(stack)
    assert (group["engine"], group["numCacheClusters"]) == ("redis", 2)
    assert (group["automaticFailoverEnabled"], group["multiAzEnabled"]) == (True, True)


@CHAPTER.row(
    "S16",
    "L40",
    "The domain is registered, its DNS set up",
    "declared",
    note="the domain is registered and its zone made by hand, once; the first command looks at both before "
    "anything is made, the second whether the name leads to the load balancer",
    commands=["doctor", "verify dns"],
    components=["load_balancer"],
    settings=["domain.name", "domain.hosted_zone_id"],
    policies=["dns-record-for-public-host"],
)
def domain(stack: Recording) -> None:
    record = stack.one(RECORD, f"ingress-{HOST}")
    assert (record["name"], record["type"], record["zoneId"]) == (HOST, "A", "Z0523456789ABCDEFGHIJ")
    assert record["aliases"][0]["name"] == output(stack, "loadBalancer", "dnsName")


@CHAPTER.row(
    "S17",
    "L41",
    "There is a certificate",
    "declared",
    note="ACM's, proved by DNS",
    commands=["verify tls"],
    components=["certificate"],
    policies=["certificate-covers-hosts"],
)
def certificate(stack: Recording) -> None:
    found = stack.one("aws:acm/certificate:Certificate", "certificate")
    assert (found["domainName"], found["validationMethod"]) == (HOST, "DNS")
    listener = stack.one("aws:lb/listener:Listener", "ingress-https")
    assert referred(stack, listener, "certificateArn") == ["certificate-validation"]


@CHAPTER.row(
    "S18",
    "L42",
    "There is a load balancer",
    "declared",
    components=["load_balancer"],
    policies=["alb-hardening", "public-entry-has-alb"],
)
def balancer(stack: Recording) -> None:
    found = stack.one("aws:lb/loadBalancer:LoadBalancer")
    assert (found["loadBalancerType"], found["internal"]) == ("application", False)
    (behind,) = service(stack)["loadBalancers"]
    assert referred(stack, service(stack), "loadBalancers") == [target_group(stack).name]
    assert (behind["containerName"], behind["containerPort"]) == (API, 3000)


@CHAPTER.row(
    "S19",
    "L43",
    "Backups are set up",
    "policy",
    note="RDS's own, a vault with a copy in a second region, a dump in a bucket, and a restore every week",
    commands=["backup status"],
    components=["backups", "schedule"],
    settings=["backups"],
    policies=[
        "backup-plan-present",
        "backup-copied-elsewhere",
        "backup-vault-locked",
        "logical-backup-scheduled",
        "restore-test-scheduled",
    ],
)
def backups(stack: Recording) -> None:
    selection = stack.one("aws:backup/selection:Selection")
    assert referred(stack, selection, "resources") == ["database"]
    (daily,) = stack.one("aws:backup/plan:Plan")["rules"]
    assert len(daily["copyActions"]) == 1
    assert stack.one(SCHEDULE, "schedule-dump")["scheduleExpression"] == "cron(0 5 * * ? *)"
    proof = stack.one("aws:backup/restoreTestingPlan:RestoreTestingPlan")
    assert proof["scheduleExpression"] == "cron(0 7 ? * SUN *)"


@CHAPTER.row(
    "S20",
    "L44",
    "Monitoring and alerts are set up",
    "policy",
    note="for every data store, service and entry, and somebody is subscribed",
    commands=["alerts status"],
    components=["alarms", "notifications"],
    settings=["notifications"],
    policies=["required-alarms-present"],
)
def monitored(stack: Recording) -> None:
    told = {each["endpoint"] for each in stack.all("aws:sns/topicSubscription:TopicSubscription")}
    assert told == {"oncall@yourdomain.com", "platform@yourdomain.com"}
    assert {"api-high-cpu", "api-high-errors"} <= set(output(stack, "alarms"))


@CHAPTER.row(
    "S21",
    "L47",
    "The database has been backed up",
    "operator",
    note="it ends with 1 where a store has none so young; 26 hours without one are an alarm",
    commands=["backup status --rpo-hours 24"],
    components=["backups"],
    policies=["rds-backup-retention"],
)
def backed_up(stack: Recording) -> None:
    assert database(stack)["backupRetentionPeriod"] == 30
    assert output(stack, "backups", "vault") == "sports-nutrition-prod"
    for name in ("backups-overdue", "dump-overdue"):
        assert condition(alarm(stack, name)) == ("LessThanThreshold", 1, 26)


@CHAPTER.row(
    "S22",
    "L48",
    "Migrations were tried in staging",
    "operator",
    note="with `--stack staging` before production: the task and its command are the same. The pipeline takes "
    "staging first, and production only when nothing failed there",
    missing="by hand nothing stops a migration of production that staging has not seen",
    commands=["migrate"],
    settings=["tasks.migrate"],
)
def tried_in_staging(stack: Recording) -> None:
    staging = loader.from_file(stack_file("sports-nutrition/staging"))
    assert tuple(container(stack, "task-migrate")["command"]) == staging.tasks["migrate"].command
    assert output(stack, "tasks", "migrate", "taskDefinition")


@CHAPTER.row(
    "S23",
    "L49",
    "First data is prepared and checked",
    "operator",
    note="with `--stack staging` first; what it writes is in the product's image",
    commands=["seed"],
    settings=["tasks.seed"],
)
def first_data(stack: Recording) -> None:
    staging = loader.from_file(stack_file("sports-nutrition/staging"))
    assert tuple(container(stack, "task-seed")["command"]) == staging.tasks["seed"].command
    assert container(stack, "task-seed")["image"] == container(stack, API)["image"]
    assert environment(stack, "task-seed")["NODE_ENV"] == "production"


@CHAPTER.row(
    "S24",
    "L50",
    "The way back is written down, and was tried",
    "operator",
    note="docs/operations.md has the steps, and `--stack staging` tries them; ECS goes back by itself if the new "
    "tasks do not become healthy or the service's alarm rings",
    missing="a drill that is part of every release",
    commands=["rollback api --dry-run", "rollback api"],
    components=["service"],
    policies=["deployment-rollback-enabled"],
)
def way_back(stack: Recording) -> None:
    found = stack.one(SERVICE, API)
    assert found["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert (found["alarms"]["enable"], found["alarms"]["rollback"]) == (True, True)
    operator_can_replace(stack, API)
