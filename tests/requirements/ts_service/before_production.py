"""T47 to T59: the guide's first security checklist."""

from tests.recorder import Recording
from tests.requirements.production import (
    LISTENER,
    SCHEDULE,
    container,
    environment,
    openings,
    output,
    referred,
    secrets,
)
from tests.requirements.table import Chapter, Row
from tests.requirements.ts_service.template import SERVICES, comes_from, value

CHAPTER = Chapter(title="Security checklist: before production")
TLS = [
    "rds-force-ssl",
    "cache-transit-encryption",
    "alb-https-only",
    "s3-tls-only",
    "database-url-sslmode",
    "stores-over-tls",
]


@CHAPTER.row(
    "T47",
    "L417",
    "`JWT_SECRET` has 64 characters or more, at random",
    "policy",
    note="88: 64 random bytes in base64",
    components=["secret"],
    settings=["secrets.jwt-secret.generate.bytes"],
    policies=["jwt-secret-strength"],
)
def strong_secret(stack: Recording) -> None:
    assert stack.one("random:index/randomBytes:RandomBytes", "secret-jwt-secret")["length"] == 64
    assert len(value(stack, "jwt-secret")) >= 64


@CHAPTER.row(
    "T48",
    "L418",
    "`CORS_ORIGIN` names sites, never `*`",
    "policy",
    note="settings refuse `*` as well",
    settings=["ingress.cors.allow_origins"],
    policies=["cors-restricted"],
)
def no_wildcard(stack: Recording) -> None:
    assert "*" not in environment(stack, "api")["CORS_ORIGIN"]


@CHAPTER.row(
    "T49",
    "L419",
    "Swagger is off: `ENABLE_SWAGGER=false`",
    "declared",
    note="and its path answers 404 from outside, whatever the variable says",
    commands=["verify metrics"],
    components=["service"],
    settings=["services.api.environment.ENABLE_SWAGGER", "services.api.public.private_paths"],
    policies=["swagger-disabled"],
)
def swagger(stack: Recording) -> None:
    assert environment(stack, "api")["ENABLE_SWAGGER"] == "false"
    private = stack.one("aws:lb/listenerRule:ListenerRule", "api-private")
    assert {"/api-docs", "/api-docs/*"} <= set(private["conditions"][1]["pathPattern"]["values"])
    assert private["actions"][0]["fixedResponse"]["statusCode"] == "404"
    assert private["priority"] < stack.one("aws:lb/listenerRule:ListenerRule", "api-forward")["priority"]


def rate_limited(stack: Recording) -> None:
    """By the application, and before it by the web firewall."""
    assert environment(stack, "api")["ENABLE_RATE_LIMIT"] == "true"
    first = stack.one("aws:wafv2/webAcl:WebAcl", "waf")["rules"][0]
    limit = first["statement"]["rateBasedStatement"]
    assert (limit["limit"], limit["evaluationWindowSec"], limit["aggregateKeyType"]) == (600, 60, "IP")
    assert first["action"]["block"]["customResponse"]["responseCode"] == 429


@CHAPTER.row(
    "T50",
    "L420",
    "Rate limits are on: `ENABLE_RATE_LIMIT=true`",
    "declared",
    note="the guide gives no figure; the web firewall lets one address send 600 requests a minute, whatever the "
    "application allows",
    commands=["verify rate-limit"],
    components=["web_acl"],
    settings=["services.api.environment.ENABLE_RATE_LIMIT", "ingress.waf.rate_limit"],
    policies=["waf-rate-limit-on-public-entry", "rate-limit-flag-enabled"],
)
def rate_limit(stack: Recording) -> None:
    rate_limited(stack)


CHAPTER.rows.append(
    Row(
        id="T51",
        lines="L421",
        asked="TLS to database and Redis",
        kind="policy",
        note="both refuse connections without it; so do balancer and buckets",
        components=["database", "cache"],
        policies=TLS,
    )
)


@CHAPTER.row(
    "T52",
    "L422",
    "The firewall lets through what is needed, and nothing else",
    "declared",
    commands=["network audit"],
    components=["firewall"],
    settings=["services.api.connects_to", "services.worker.connects_to"],
    policies=["sg-no-open-ingress", "sg-no-open-data-ports", "sg-least-edges"],
)
def least_traffic(stack: Recording) -> None:
    within = {opening for opening in openings(stack) if opening[1] != "endpoints"}
    assert within == {
        ("internet", "load-balancer", 80),
        ("internet", "load-balancer", 443),
        ("load-balancer", "api", 3000),
        ("collector", "api", 3000),
        ("api", "database", 5432),
        ("worker", "database", 5432),
        ("operations", "database", 5432),
        ("api", "cache-cache", 6379),
        ("worker", "cache-cache", 6379),
        ("operations", "cache-cache", 6379),
        ("queue-metrics", "cache-cache", 6379),
    }


@CHAPTER.row(
    "T53",
    "L423",
    "Containers do not run as root",
    "policy",
    note="as user 1000, whatever the Dockerfile says",
    components=["task"],
    settings=["services.api.user", "services.worker.user"],
    policies=["container-non-root"],
)
def not_root(stack: Recording) -> None:
    assert [container(stack, service)["user"] for service in SERVICES] == ["1000"] * 2


@CHAPTER.row(
    "T54",
    "L424",
    "Helmet's security headers",
    "application",
    note="it has Helmet already; the balancer adds three headers of its own",
    commands=["verify headers"],
    components=["load_balancer"],
    policies=["security-headers-on-public-entry"],
)
def headers(stack: Recording) -> None:
    listener = stack.one(LISTENER, "ingress-https")
    given = [
        listener[f"routingHttpResponse{header}HeaderValue"]
        for header in ("StrictTransportSecurity", "XContentTypeOptions", "XFrameOptions")
    ]
    assert given == ["max-age=31536000; includeSubDomains", "nosniff", "DENY"]


@CHAPTER.row(
    "T55",
    "L425",
    "Every variable is checked",
    "application",
    note="it checks its own as it starts; settings refuse a reference that leads nowhere before anything is made",
    settings=["services.api.environment", "services.worker.environment"],
    policies=["required-env-present", "no-development-mode"],
)
def variables_checked(stack: Recording) -> None:
    for service in SERVICES:
        given = {**environment(stack, service), **secrets(stack, service)}
        assert {"NODE_ENV", "MODE", "DATABASE_URL", "REDIS_URL"} <= set(given)
        assert not [name for name, content in given.items() if not content or "${" in content]


CHAPTER.rows.append(
    Row(
        id="T56",
        lines="L426",
        asked="Logs, metrics and alerts are set up",
        kind="policy",
        components=["alarms", "prometheus", "log_insights"],
        settings=["observability"],
        policies=["container-logging", "container-insights", "log-retention-set", "required-alarms-present"],
    )
)
CHAPTER.rows.append(
    Row(
        id="T57",
        lines="L427",
        asked="Backups of the database, and of Redis if needed",
        kind="policy",
        note="figures at T105 and T106",
        components=["database", "cache", "backups"],
        settings=["backups", "caches.cache.snapshot_retention_days"],
        policies=["rds-backup-retention", "backup-plan-present", "backup-retention-30d", "cache-snapshots"],
    )
)


@CHAPTER.row(
    "T58",
    "L428",
    "A restore is tried",
    "declared",
    note="every week AWS restores the newest backup; every month the newest dump is read back and its tables "
    "counted. The commands do both now, and the first counts as well",
    commands=["backup verify", "run verify"],
    components=["backups", "schedule", "task"],
    settings=["backups.restore_test", "backups.verify"],
    policies=["restore-test-scheduled"],
)
def restore_is_tried(stack: Recording) -> None:
    plan = stack.one("aws:backup/restoreTestingPlan:RestoreTestingPlan")
    assert plan["scheduleExpression"] == "cron(0 6 ? * SUN *)"
    selection = stack.one("aws:backup/restoreTestingSelection:RestoreTestingSelection")
    assert referred(stack, selection, "protectedResourceArns") == ["database"]
    schedule = stack.one(SCHEDULE, "schedule-verify")
    assert schedule["scheduleExpression"] == "cron(0 4 1 * ? *)"
    containers = stack.one("aws:ecs/taskDefinition:TaskDefinition", "task-verify").json(
        "containerDefinitions"
    )
    (restore,) = [each for each in containers if each["name"] == "restore"]
    variables = {each["name"]: each["value"] for each in restore["environment"]}
    assert (variables["VERIFY_DATABASE"], variables["MINIMUM_ROWS"]) == ("restore_test", "1")
    assert variables["VERIFY_QUERY"] == output(stack, "backups", "verifyQuery")


@CHAPTER.row(
    "T59",
    "L430-441",
    "Secrets come from a secrets manager, not out of the Dockerfile",
    "policy",
    note="Secrets Manager gives them to a task as it starts, as variables or as files (T34)",
    missing="nothing here reads the product's Dockerfiles",
    components=["secret"],
    policies=["no-plaintext-secrets-in-env"],
)
def from_a_manager(stack: Recording) -> None:
    comes_from(stack, "api", "JWT_SECRET", "jwt-secret")
    assert "JWT_SECRET" not in environment(stack, "api")
