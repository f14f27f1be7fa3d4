"""N75 to N84: the guide's checklist before production."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.monitoring import SECTIONS, sections
from tests.requirements.nx_monorepo.support import (
    BACKEND,
    GATEWAY,
    PORTAL,
    SERVICES,
    TARGET_GROUP,
    running,
    served,
)
from tests.requirements.production import (
    LISTENER,
    LOG_GROUP,
    SCHEDULE,
    SERVICE,
    TASK,
    alarm,
    condition,
    container,
    environment,
    metric,
    output,
    referred,
    secrets,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Production checklist")
# All of the guide's list but Loki's address (N22) and MinIO's two keys (N20).
VARIABLES = {
    "NODE_ENV",
    "PORT",
    *(f"DATABASE_{part}" for part in ("HOST", "PORT", "NAME", "USER", "PASSWORD")),
    *(f"REDIS_{part}" for part in ("HOST", "PORT", "PASSWORD")),
    *(f"RABBITMQ_{part}" for part in ("HOST", "PORT", "USER", "PASSWORD")),
    *(f"MINIO_{part}" for part in ("ENDPOINT", "PORT")),
    *(f"JWT_{part}" for part in ("SECRET", "EXPIRES_IN")),
    "LOG_LEVEL",
}


@CHAPTER.row(
    "N75",
    "L713",
    "Every variable has its value",
    "declared",
    note="all of the guide's list, each where it is used, but `LOKI_URL` (N22) and MinIO's keys (N20)",
    commands=["verify env"],
    components=["task"],
    settings=[f"services.{service}.environment" for service in SERVICES],
    policies=["required-env-present", "secrets-declared"],
)
def variables(stack: Recording) -> None:
    given = {service: {**environment(stack, service), **secrets(stack, service)} for service in BACKEND}
    assert set().union(*given.values()) >= VARIABLES
    for service, variables in given.items():
        assert output(stack, "services", service, "variables") == sorted(variables)
    assert all(value for each in given.values() for value in each.values())
    assert output(stack, "secretsToFill") == []


@CHAPTER.row(
    "N76",
    "L714",
    "The database's migrations have run",
    "operator",
    note="the first before the services are updated. The guide names no command; these are TypeORM's usual ones",
    commands=["migrate", "migrate --status"],
    components=["task"],
    settings=["tasks.migrate.command", "tasks.migrate.status_command"],
)
def migrations(stack: Recording) -> None:
    assert container(stack, "task-migrate")["command"] == ["npm", "run", "migration:run"]
    assert container(stack, "task-migrate-status")["command"] == ["npm", "run", "migration:show"]
    image = container(stack, GATEWAY)["image"]
    assert (
        container(stack, "task-migrate")["image"] == container(stack, "task-migrate-status")["image"] == image
    )
    assert output(stack, "tasks", "migrate", "statusTask") == "migrate-status"
    assert output(stack, "tasks", "migrate", "taskDefinition")


@CHAPTER.row(
    "N77",
    "L715",
    "Certificates are installed",
    "policy",
    note="30 days before one expires that was not renewed, somebody is told",
    commands=["verify tls"],
    components=["certificate", "load_balancer"],
    policies=["alb-https-only", "certificate-covers-hosts"],
)
def certificates(stack: Recording) -> None:
    listener = stack.one(LISTENER, "ingress-https")
    assert referred(stack, listener, "certificateArn") == ["certificate-validation"]
    expiry = alarm(stack, "certificate-expiry")
    assert (expiry["metricName"], condition(expiry)) == ("DaysToExpiry", ("LessThanThreshold", 30, 1))


@CHAPTER.row(
    "N78",
    "L716",
    "Dashboards are set up",
    "declared",
    note="as N52",
    components=["dashboard"],
    settings=["observability.dashboard.sections"],
    policies=["dashboard-present"],
)
def dashboards(stack: Recording) -> None:
    assert sections(stack) == SECTIONS
    assert output(stack, "dashboard").endswith("#dashboards:name=nx-monorepo-prod")


@CHAPTER.row(
    "N79",
    "L717",
    "Backups run by themselves",
    "declared",
    note="the dump of N69 and AWS Backup, both every day at 02:00 UTC; an alarm says when one did not come",
    commands=["backup status"],
    components=["schedule", "backups"],
    settings=["backups.schedule"],
    policies=["backup-plan-present", "required-alarms-present"],
)
def backups(stack: Recording) -> None:
    schedule = stack.one(SCHEDULE, "schedule-dump")
    assert schedule.get("state", "ENABLED") == "ENABLED"
    definition = schedule["target"]["ecsParameters"]["taskDefinitionArn"]
    assert definition == output(stack, "tasks", "dump", "taskDefinition")
    (daily,) = stack.one("aws:backup/plan:Plan")["rules"]
    assert daily["schedule"] == schedule["scheduleExpression"] == "cron(0 2 * * ? *)"
    assert [alarm(stack, f"{name}-overdue") for name in ("dump", "backups")]


@CHAPTER.row(
    "N80",
    "L718",
    "The load balancer is set up",
    "declared",
    note="before portal and gateway, in three zones",
    components=["load_balancer"],
    settings=["services.web-portal.public", "services.api-gateway.public"],
    policies=["alb-hardening", "public-entry-has-alb"],
)
def balancer(stack: Recording) -> None:
    found = stack.one("aws:lb/loadBalancer:LoadBalancer")
    assert (found["loadBalancerType"], found["internal"], len(found["subnets"])) == ("application", False, 3)
    assert found["enableDeletionProtection"] is True
    behind = {each.name for each in stack.all(SERVICE) if "loadBalancers" in each}
    assert behind == {PORTAL, GATEWAY}
    assert [served(stack, service) for service in sorted(behind)]


@CHAPTER.row(
    "N81",
    "L719",
    "Health checks work",
    "policy",
    note="the balancer asks portal and gateway, ECS asks all four; a task that fails for ten minutes is an alarm",
    commands=["verify health targets"],
    components=["service", "task"],
    settings=[f"services.{service}.health" for service in SERVICES],
    policies=["target-group-health-check", "container-health-check"],
)
def health_checks(stack: Recording) -> None:
    asked = {each.name: each["healthCheck"]["path"] for each in stack.all(TARGET_GROUP)}
    assert asked == {"api-gateway-tg": "/health/ready", "web-portal-tg": "/api/health"}
    assert all(running(stack, service)["healthCheck"]["command"] for service in SERVICES)
    for service in (PORTAL, GATEWAY):
        assert condition(alarm(stack, f"{service}-unhealthy-targets")) == ("GreaterThanThreshold", 0, 10)


@CHAPTER.row(
    "N82",
    "L720",
    "Logs are written",
    "policy",
    note="to CloudWatch, kept 30 days; lines of level error are counted, and an alarm for each service watches them",
    components=["task", "log_insights"],
    settings=["observability.log_retention_days", "observability.log_fields.level"],
    policies=["container-logging", "log-retention-set"],
)
def logging(stack: Recording) -> None:
    for service in SERVICES:
        options = running(stack, service)["logConfiguration"]["options"]
        assert options["awslogs-group"] == stack.one(LOG_GROUP, f"{service}-logs")["name"]
        assert stack.one(LOG_GROUP, f"{service}-logs")["retentionInDays"] == 30
        assert alarm(stack, f"{service}-error-lines")["metricName"] == f"{service}-errors"


@CHAPTER.row(
    "N83",
    "L721",
    "Everything is hardened",
    "policy",
    note="production breaks no rule of the whole pack, of which these are a part",
    components=["task", "network", "keys"],
    policies=[
        "container-non-root",
        "container-readonly-rootfs",
        "ecs-no-public-ip",
        "sg-no-open-ingress",
        "db-in-private-subnets",
        "iam-least-privilege",
        "rds-encrypted",
        "cache-at-rest-encryption",
        "cache-dangerous-commands-blocked",
        "s3-encrypted",
        "kms-rotation",
    ],
)
def hardened(stack: Recording) -> None:
    containers = [(task.name, each) for task in stack.all(TASK) for each in task.json("containerDefinitions")]
    assert containers
    assert [name for name, each in containers if each.get("user") in (None, "root", "0")] == []
    assert [
        name for name, each in containers if each["linuxParameters"]["capabilities"] != {"drop": ["ALL"]}
    ] == []
    for service in SERVICES:
        assert running(stack, service)["readonlyRootFilesystem"] is True
    from tests.policy_stack import findings  # the pack is on the path only while tests run

    assert [(rule.id, name, said) for rule, name, said in findings(stack)] == []


@CHAPTER.row(
    "N84",
    "L722",
    "Its performance has been tested",
    "operator",
    note="with `--stack staging`, once its `ingress.waf.rate_limit` is raised; p95 below 500 ms and fewer than 1 "
    "percent failures, unless told otherwise. The dashboard shows latency, and p95 above 1 s for 5 minutes "
    "is an alarm",
    missing="a figure to reach: the guide names none",
    commands=["perf --vus 50 --duration 5m"],
    components=["dashboard", "alarms"],
    settings=["observability.alerts.latency_p95_s"],
)
def performance(stack: Recording) -> None:
    slow = alarm(stack, "response-time")
    assert (metric(slow), condition(slow)) == (
        ("TargetResponseTime", "p95", 300),
        ("GreaterThanThreshold", 1, 1),
    )
    assert output(stack, "healthUrls", GATEWAY) == "https://api.yourdomain.com/health/ready"
    assert output(stack, "edge", "rateLimit", "requests") > 0
