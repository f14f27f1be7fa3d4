"""T77 to T91: the guide's second security checklist, before and after a release."""

from tests.recorder import Recording
from tests.requirements.production import (
    REPOSITORY,
    alarm,
    asked_outside,
    condition,
    environment,
    graph,
    metric,
    output,
    referred,
)
from tests.requirements.table import Chapter, Row
from tests.requirements.ts_service.before_production import (
    TLS,
    no_wildcard,
    rate_limited,
    strong_secret,
    swagger,
)
from tests.requirements.ts_service.template import QUEUE, SERVICES, comes_from

CHAPTER = Chapter(title="Security checklist: before and after a release")


@CHAPTER.row(
    "T77",
    "L728",
    "A strong `JWT_SECRET`",
    "policy",
    note="as T47",
    settings=["secrets.jwt-secret"],
    policies=["jwt-secret-strength", "secret-min-strength"],
)
def secret(stack: Recording) -> None:
    strong_secret(stack)


@CHAPTER.row(
    "T78",
    "L729",
    "CORS is for certain sites",
    "policy",
    note="as T48",
    settings=["ingress.cors.allow_origins"],
    policies=["cors-restricted"],
)
def cors(stack: Recording) -> None:
    no_wildcard(stack)


@CHAPTER.row(
    "T79",
    "L730",
    "Swagger is off",
    "declared",
    note="as T49",
    settings=["services.api.environment.ENABLE_SWAGGER"],
    policies=["swagger-disabled"],
)
def no_swagger(stack: Recording) -> None:
    swagger(stack)


CHAPTER.rows.append(
    Row(
        id="T80",
        lines="L731",
        asked="TLS to database and Redis",
        kind="policy",
        note="as T51",
        policies=TLS,
    )
)


@CHAPTER.row(
    "T81",
    "L732",
    "Rate limits are on",
    "declared",
    note="as T50",
    components=["web_acl"],
    settings=["services.api.environment.ENABLE_RATE_LIMIT"],
    policies=["waf-rate-limit-on-public-entry", "rate-limit-flag-enabled"],
)
def rate_limits(stack: Recording) -> None:
    rate_limited(stack)


CHAPTER.rows.append(
    Row(
        id="T82",
        lines="L733",
        asked="No default passwords",
        kind="policy",
        note="those of database, role and cache are generated, and nobody has to see them",
        components=["secret", "database", "cache"],
        policies=["no-default-secrets", "secret-min-strength"],
    )
)
CHAPTER.rows.append(
    Row(
        id="T83",
        lines="L734",
        asked="Secret variables come from a store of secrets",
        kind="policy",
        note="as T33",
        components=["secret"],
        policies=["no-plaintext-secrets-in-env"],
    )
)


@CHAPTER.row(
    "T84",
    "L735",
    "Images are scanned for vulnerabilities",
    "policy",
    note="as they are pushed; the command tells what was found in those that run, and `groundwork deploy` refuses "
    "one with a critical or high finding",
    missing="a tag that somebody writes into the stack file by hand is released unasked: the nightly check tells "
    "it afterwards",
    commands=["images findings --fail-on high"],
    components=["registry"],
    policies=["ecr-scan-on-push"],
)
def scanned(stack: Recording) -> None:
    scans = {each["name"]: each["imageScanningConfiguration"] for each in stack.all(REPOSITORY)}
    assert scans == {f"myapp-{service}": {"scanOnPush": True} for service in SERVICES}


def error_lines(stack: Recording) -> None:
    for service in SERVICES:
        lines = alarm(stack, f"{service}-error-lines")
        assert metric(lines) == (f"{service}-errors", "Sum", 300)
        assert condition(lines) == ("GreaterThanThreshold", 10, 1)


@CHAPTER.row(
    "T85",
    "L739",
    "Somebody watches the errors in the logs",
    "declared",
    note="more than ten of one service in five minutes are an alarm",
    commands=["logs --errors --since 1h"],
    components=["log_insights"],
    settings=["observability.alerts.error_logs_per_5_minutes"],
)
def errors_are_watched(stack: Recording) -> None:
    error_lines(stack)


@CHAPTER.row(
    "T86",
    "L740",
    "Alerts for failed jobs and for errors",
    "declared",
    note="also when more than one answer in a hundred is a 5xx",
    commands=["alerts status"],
    components=["alarms", "queue_metrics", "log_insights"],
    settings=["observability.alerts.error_rate_percent"],
    policies=["required-alarms-present"],
)
def alerts(stack: Recording) -> None:
    assert condition(alarm(stack, f"queue-{QUEUE}-failed"))[:2] == ("GreaterThanThreshold", 0)
    assert condition(alarm(stack, "error-rate")) == ("GreaterThanThreshold", 1, 1)
    assert "notifications-critical" in alarm(stack, "error-rate")["alarmActions"][0]
    error_lines(stack)


@CHAPTER.row(
    "T87",
    "L741",
    "Backups are set up",
    "declared",
    note="every night, kept for 30 days, with a copy in us-west-2, both in vaults that are locked; the command "
    "says whether each is there. The dump is T105",
    commands=["backup status"],
    components=["backups"],
    settings=["backups.schedule", "backups.retention_days", "backups.copy_region", "backups.lock"],
    policies=["backup-plan-present", "backup-retention-30d", "backup-vault-locked"],
)
def backups(stack: Recording) -> None:
    (daily,) = stack.one("aws:backup/plan:Plan")["rules"]
    assert (daily["schedule"], daily["lifecycle"]) == ("cron(0 2 * * ? *)", {"deleteAfter": 30})
    assert [copy["lifecycle"] for copy in daily["copyActions"]] == [{"deleteAfter": 30}]
    vaults = {each.name: each["region"] for each in stack.all("aws:backup/vault:Vault")}
    assert vaults == {"backups": "us-east-1", "backups-copy": "us-west-2"}
    locks = stack.all("aws:backup/vaultLockConfiguration:VaultLockConfiguration")
    assert [each["minRetentionDays"] for each in locks] == [30, 30]
    assert referred(stack, stack.one("aws:backup/selection:Selection"), "resources") == ["database"]


@CHAPTER.row(
    "T88",
    "L742",
    "Try the health checks",
    "operator",
    note="an alarm tells when the first fails for two minutes",
    commands=["health", "targets"],
    components=["uptime", "load_balancer"],
    settings=["services.api.health.path"],
)
def health_checks(stack: Recording) -> None:
    assert output(stack, "healthUrls", "api") == "https://api.example.com/health"
    assert output(stack, "loadBalancer", "arn")
    assert condition(alarm(stack, "uptime-api-down")) == ("LessThanThreshold", 1, 2)
    assert condition(alarm(stack, "api-unhealthy-targets"))[:2] == ("GreaterThanThreshold", 0)


@CHAPTER.row(
    "T89",
    "L743",
    "See that rate limits work",
    "operator",
    note="it sends one request more than the web firewall lets through, and wants that one refused; whoever asked "
    "is refused for a minute",
    commands=["verify rate-limit"],
    components=["web_acl"],
    settings=["ingress.waf.rate_limit"],
)
def rate_limits_work(stack: Recording) -> None:
    rate_limited(stack)
    assert output(stack, "edge", "rateLimit") == {"requests": 600, "burst": 0, "windowS": 60}
    assert asked_outside(stack, "api")["host"] == "api.example.com"
    association = stack.one("aws:wafv2/webAclAssociation:WebAclAssociation")
    assert referred(stack, association, "resourceArn") == ["ingress"]


@CHAPTER.row(
    "T90",
    "L744",
    "Try to sign in",
    "operator",
    by_hand="somebody with an account of the product, at `https://api.example.com`: the guide names no path to "
    "sign in at. With `services.api.checks.auth` in the system file `groundwork verify auth` does it",
    components=["secret"],
    settings=["secrets.jwt-secret"],
)
def sign_in(stack: Recording) -> None:
    assert output(stack, "urls", "api") == "https://api.example.com"
    assert asked_outside(stack, "api")["auth"]["path"] == ""
    comes_from(stack, "api", "JWT_SECRET", "jwt-secret")
    assert environment(stack, "api")["MODE"] == "api"


@CHAPTER.row(
    "T91",
    "L745",
    "Somebody watches what is used of CPU and memory",
    "declared",
    note="Container Insights, graphs on the dashboard, and alarms above 90 % for 15 minutes",
    components=["cluster", "dashboard", "service"],
    policies=["container-insights"],
)
def resources(stack: Recording) -> None:
    insights = {each["name"]: each["value"] for each in stack.one("aws:ecs/cluster:Cluster")["settings"]}
    assert insights == {"containerInsights": "enhanced"}
    for service in SERVICES:
        for used in ("cpu", "memory"):
            assert condition(alarm(stack, f"{service}-{used}")) == ("GreaterThanThreshold", 90, 3)
            assert graph(stack, f"{service}-{used}")
    assert output(stack, "dashboard").endswith("#dashboards:name=ts-service-prod")
