"""N49 to N52: health, logs, dashboards."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.support import (
    GATEWAY,
    LISTENER_RULE,
    SERVICES,
    TARGET_GROUP,
    callers,
    running,
    served,
)
from tests.requirements.production import LOG_GROUP, asked_outside, collector, graph, openings, output
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Monitoring")
SECTIONS = [
    "Application Metrics",
    "Request Rate & Latency",
    "Error Rate",
    "Resource Usage (CPU, Memory)",
    "Database Performance",
]


def sections(stack: Recording) -> list[str]:
    """The headings of the dashboard, from the top."""
    body = stack.one("aws:cloudwatch/dashboard:Dashboard").json("dashboardBody")
    texts = [each["properties"]["markdown"] for each in body["widgets"] if each["type"] == "text"]
    return [text.removeprefix("## ") for text in texts]


@CHAPTER.row(
    "N49",
    "L463-467",
    "The gateway answers on `/health`, `/health/ready`, `/health/live` and `/metrics`",
    "declared",
    note="the balancer and Route 53 ask whether it is ready, ECS asks `/health`, the collector reads `/metrics` "
    "every 15 s; from outside `/metrics` is 404. `/health/live` is asked by the command only",
    commands=["verify health readiness metrics"],
    components=["service", "uptime", "prometheus"],
    settings=["services.api-gateway.health", "services.web-portal.public.private_paths"],
    policies=["metrics-not-public"],
)
def endpoints(stack: Recording) -> None:
    assert stack.one(TARGET_GROUP, "api-gateway-tg")["healthCheck"]["path"] == "/health/ready"
    assert running(stack, GATEWAY)["healthCheck"]["command"][-1] == "http://127.0.0.1:3000/health"
    outside = stack.one("aws:route53/healthCheck:HealthCheck", "uptime-api-gateway")
    assert (outside["resourcePath"], outside["requestInterval"]) == ("/health/ready", 30)
    assert "/health*" in served(stack, GATEWAY)[1]
    hidden = stack.one(LISTENER_RULE, "web-portal-private")
    assert hidden["conditions"][1]["pathPattern"]["values"] == ["/metrics", "/metrics/*"]
    assert hidden["actions"][0]["fixedResponse"]["statusCode"] == "404"
    assert ("collector", 3000) in callers(stack, GATEWAY)
    scrapes = collector(stack)["receivers"]["prometheus"]["config"]
    paths = {each["job_name"]: each["metrics_path"] for each in scrapes["scrape_configs"]}
    assert (scrapes["global"]["scrape_interval"], paths) == ("15s", {GATEWAY: "/metrics"})


@CHAPTER.row(
    "N50",
    "L471-489",
    "The health check asks database and Redis",
    "application",
    note="the gateway's code; it may reach both, and gets no requests while it does not answer 200. The command "
    "reads what it says of both",
    commands=["verify readiness"],
    components=["firewall", "service"],
    settings=["services.api-gateway.connects_to", "services.api-gateway.checks.answers"],
)
def health_check(stack: Recording) -> None:
    assert {(GATEWAY, "database", 5432), (GATEWAY, "cache-cache", 6379)} <= openings(stack)
    said = asked_outside(stack, GATEWAY)["answers"]["/health"]
    assert said == {"status": "ok", "info.database.status": "up", "info.redis.status": "up"}
    assert stack.one(TARGET_GROUP, "api-gateway-tg")["healthCheck"]["matcher"] == "200"


@CHAPTER.row(
    "N51",
    "L494-504",
    "Look at the day's log, and at its errors",
    "operator",
    note="a saved query of CloudWatch Logs has the errors, for each service. Kept 30 days, where the guide has no "
    "figure",
    commands=["logs api-gateway --follow", "logs --errors --since 1d"],
    components=["task", "log_insights"],
    settings=["observability.log_retention_days", "observability.log_fields.level"],
    policies=["container-logging", "log-retention-set"],
)
def logs(stack: Recording) -> None:
    for service in SERVICES:
        group = stack.one(LOG_GROUP, f"{service}-logs")
        assert (group["name"], group["retentionInDays"]) == (f"/nx-monorepo/prod/{service}", 30)
        assert output(stack, "services", service, "logGroup") == group["name"]
        query = stack.one("aws:cloudwatch/queryDefinition:QueryDefinition", f"logs-{service}-errors")
        assert query["logGroupNames"] == [group["name"]]
        assert query["queryString"].startswith('filter level in ["error", "fatal"]')


@CHAPTER.row(
    "N52",
    "L506-511",
    "Dashboards: application, requests and latency, errors, CPU and memory, database",
    "declared",
    note="five sections of those names on the CloudWatch dashboard; Grafana reads CloudWatch and Prometheus",
    missing="the same five in Grafana, where they are made by hand",
    components=["dashboard", "grafana"],
    settings=["observability.dashboard.sections", "observability.grafana.enabled"],
    policies=["dashboard-present"],
)
def dashboards(stack: Recording) -> None:
    assert sections(stack) == SECTIONS
    for title in (
        "Rate",
        "Latency",
        "Errors",
        "api-gateway-cpu",
        "api-gateway-memory",
        "database-connections",
    ):
        assert graph(stack, title)
    assert stack.one("aws:grafana/workspace:Workspace")["dataSources"] == ["PROMETHEUS", "CLOUDWATCH"]
