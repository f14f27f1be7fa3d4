"""F54 to F62: health, figures, logs, alerts."""

from tests.recorder import Recording
from tests.requirements.fixrx.support import (
    API,
    HEALTH,
    METRICS,
    operator_can_ask,
    page,
    secret_text,
    target_group,
    warning,
)
from tests.requirements.production import (
    LOG_GROUP,
    alert_rules,
    asked_outside,
    collector,
    condition,
    container,
    environment,
    metric,
    openings,
    operator_has_redis,
    output,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Monitoring, logs and alerts")
GROUP = "fixrx-alerts"
FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
MASK = "aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy"


@CHAPTER.row(
    "F54",
    "L232-250",
    "The application says `healthy` or `unhealthy`: database, Redis, other services, disk, memory",
    "application",
    note="its own code; the balancer takes 200 for healthy, and alarms watch disk and memory as well",
    missing="a path that leaves the other services out: while one of them is down, all tasks may look ill at once",
    commands=["verify readiness"],
    components=["service", "alarms"],
    settings=["services.fixrx-api.health.path"],
    policies=["target-group-health-check"],
)
def health_monitor(stack: Recording) -> None:
    check = target_group(stack)["healthCheck"]
    assert (check["path"], check["matcher"]) == (HEALTH, "200")
    assert condition(warning(stack, f"{API}-unhealthy-targets")) == ("GreaterThanThreshold", 0, 10)
    assert condition(page(stack, f"{API}-no-healthy-target")) == ("LessThanThreshold", 1, 3)
    assert condition(warning(stack, f"{API}-memory")) == ("GreaterThanThreshold", 90, 3)
    assert condition(warning(stack, f"{API}-storage")) == ("GreaterThanThreshold", 80, 1)


@CHAPTER.row(
    "F55",
    "L252-270",
    "`SELECT 1` and `PING`, each with the time that it took",
    "application",
    note="its own code; the platform lets it reach both, and has alarms on how long the database's volume takes. "
    "The first command asks the application, the others ask the stores themselves; each says how long it took",
    commands=["health", "db ping", "redis ping --cache cache"],
    components=["firewall", "database"],
    settings=["services.fixrx-api.connects_to", "operations.redis_image"],
)
def select_and_ping(stack: Recording) -> None:
    assert {(API, "database-proxy", 5432), (API, "cache-cache", 6379)} <= openings(stack)
    assert f"@{output(stack, 'database', 'proxyAddress')}:5432/" in secret_text(stack, "database-url")
    assert f"@{output(stack, 'caches', 'cache', 'endpoint')}:6379" in secret_text(stack, "redis-url")
    for name in ("database-read-latency", "database-write-latency"):
        assert condition(warning(stack, name)) == ("GreaterThanThreshold", 0.02, 3)
    said = asked_outside(stack, API)["answers"][HEALTH]
    assert (said["checks.0.value.service"], said["checks.1.value.service"]) == ("database", "redis")
    operator_has_redis(stack, "cache")
    operator_can_ask(stack)


@CHAPTER.row(
    "F56",
    "L274-302",
    "Prometheus' `http_request_duration_seconds`, with method, route and status, and `active_connections`",
    "application",
    note="its own code counts; the collector fetches both from each task every 15 s, and alerts ask for them",
    components=["prometheus"],
    settings=["observability.prometheus.scrape_interval_s", "services.fixrx-api.ports.metrics"],
)
def metrics(stack: Recording) -> None:
    configuration = collector(stack)["receivers"]["prometheus"]["config"]
    assert configuration["global"]["scrape_interval"] == "15s"
    (job,) = configuration["scrape_configs"]
    where = {"names": ["fixrx-api-metrics.prod.fixrx.internal"], "type": "A", "port": 3000}
    assert (job["job_name"], job["metrics_path"], job["dns_sd_configs"]) == (API, METRICS, [where])
    asked = " ".join(rule["expr"] for rule in alert_rules(stack, GROUP).values())
    assert "http_request_duration_seconds_count" in asked
    assert "active_connections" in asked


@CHAPTER.row(
    "F57",
    "L307-327",
    "Winston writes JSON from level info on, errors with their stack, to two files, and plain text to the console",
    "application",
    note="the console is what CloudWatch gets: a line that begins with `error:` counts, and more than 10 in 5 minutes "
    "are an alarm; `LOG_LEVEL` is info",
    missing="the JSON, which is in files that go with the task: the application must write it to the console, and "
    "`observability.log_fields` then says what its fields are called",
    components=["log_insights"],
    settings=["services.fixrx-api.environment.LOG_LEVEL", "observability.log_fields"],
)
def logging(stack: Recording) -> None:
    assert environment(stack, API)["LOG_LEVEL"] == "info"
    errors = stack.one(FILTER, f"logs-{API}-errors")
    assert errors["pattern"] == '?ERROR ?"error:" ?FATAL ?"fatal:"'
    assert errors["logGroupName"] == container(stack, API)["logConfiguration"]["options"]["awslogs-group"]
    assert condition(warning(stack, f"{API}-error-lines")) == ("GreaterThanThreshold", 10, 1)


@CHAPTER.row(
    "F58",
    "L328-330",
    "Lines of the log hold a user's id and address",
    "application",
    note="what it writes is its own matter; its log group masks IP, e-mail and postal addresses, and telephone, card, "
    "account and social security numbers",
    components=["log_insights"],
    settings=["observability.masked"],
)
def personal_data(stack: Recording) -> None:
    audit, mask = stack.one(MASK, f"logs-{API}-mask").json("policyDocument")["Statement"]
    assert mask["Operation"] == {"Deidentify": {"MaskConfig": {}}}
    assert mask["DataIdentifier"] == audit["DataIdentifier"]
    kinds = {identifier.rsplit("/", 1)[-1] for identifier in mask["DataIdentifier"]}
    assert kinds == {
        "Address",
        "BankAccountNumber-US",
        "CreditCardNumber",
        "EmailAddress",
        "IpAddress",
        "PhoneNumber-US",
        "Ssn-US",
    }


@CHAPTER.row(
    "F59",
    "L333-347",
    "Logs are rotated every day, compressed, and kept for 30 days",
    "declared",
    note="30 days for every log group, and 90 for the network's flow log; CloudWatch has no files to rotate",
    components=["task"],
    settings=["observability.log_retention_days"],
    policies=["log-retention-set"],
)
def rotation(stack: Recording) -> None:
    kept = {each.name: each["retentionInDays"] for each in stack.all(LOG_GROUP)}
    assert {f"{API}-logs", "database-postgresql", "task-dump-logs"} <= set(kept)
    assert {name: days for name, days in kept.items() if days != 30} == {"network-flow-log": 90}


@CHAPTER.row(
    "F60",
    "L356-364",
    'HighErrorRate, critical: `rate(http_requests_total{status=~"5.."}[5m]) > 0.1` for 5 minutes',
    "declared",
    note="a number per second, not a share: 0.1; the code has no such metric, so the rule asks for the one that it "
    "has, with the guide's own beside it, and the balancer's twin counts more than 30 in 5 minutes",
    components=["prometheus", "alarms"],
    settings=["observability.prometheus.rules", "observability.alerts.server_errors_per_5_minutes"],
)
def high_error_rate(stack: Recording) -> None:
    rule = alert_rules(stack, GROUP)["HighErrorRate"]
    assert rule["expr"] == 'sum(rate(http_request_duration_seconds_count{status_code=~"5.."}[5m])) > 0.1'
    assert rule["annotations"]["document_expr"] == 'rate(http_requests_total{status=~"5.."}[5m]) > 0.1'
    assert (rule["for"], rule["labels"]) == ("5m", {"severity": "critical"})
    assert rule["annotations"]["summary"].startswith("High error rate detected")
    twin = page(stack, "high-error-rate")
    assert metric(twin) == ("HTTPCode_Target_5XX_Count", "Sum", 300)
    assert condition(twin) == ("GreaterThanThreshold", 30, 1)
    assert twin["alarmDescription"].startswith("HighErrorRate: ")


@CHAPTER.row(
    "F61",
    "L366-372",
    "DatabaseConnectionHigh, a warning: `active_connections > 80` for 2 minutes",
    "declared",
    note="RDS's twin counts the connections of the whole database, while the metric is one task's",
    components=["prometheus", "alarms", "database"],
    settings=["observability.prometheus.rules", "observability.alerts.database_connections"],
)
def connections(stack: Recording) -> None:
    rule = alert_rules(stack, GROUP)["DatabaseConnectionHigh"]
    assert (rule["expr"], rule["for"]) == ("active_connections > 80", "2m")
    assert rule["labels"] == {"severity": "warning"}
    assert rule["annotations"]["summary"].startswith("High database connection usage")
    twin = warning(stack, "database-connections-high")
    assert metric(twin) == ("DatabaseConnections", "Maximum", 60)
    assert condition(twin) == ("GreaterThanThreshold", 80, 2)
    assert twin["alarmDescription"].startswith("DatabaseConnectionHigh: ")


@CHAPTER.row(
    "F62",
    "L374-380",
    "ResponseTimeHigh, a warning: the slowest twentieth takes more than 1 s, for 5 minutes",
    "declared",
    note="with the `rate` and the `_bucket` that the guide's expression lacks, and a twin at the balancer",
    components=["prometheus", "alarms"],
    settings=["observability.prometheus.rules", "observability.alerts.latency_p95_s"],
)
def response_time(stack: Recording) -> None:
    rule = alert_rules(stack, GROUP)["ResponseTimeHigh"]
    buckets = "sum by (le) (rate(http_request_duration_seconds_bucket[5m]))"
    assert rule["expr"] == f"histogram_quantile(0.95, {buckets}) > 1"
    given = "histogram_quantile(0.95, http_request_duration_seconds) > 1"
    assert rule["annotations"]["document_expr"] == given
    assert (rule["for"], rule["labels"]) == ("5m", {"severity": "warning"})
    assert rule["annotations"]["summary"].startswith("High response time detected")
    twin = warning(stack, "response-time")
    assert metric(twin) == ("TargetResponseTime", "p95", 300)
    assert condition(twin) == ("GreaterThanThreshold", 1, 1)
