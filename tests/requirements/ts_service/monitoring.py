"""T63 to T67: health, logs, figures of the queue and of the application."""

import json
from typing import Any

from components.queue_metrics_handler import handler
from tests.recorder import Recording
from tests.requirements.production import (
    LOG_GROUP,
    SCHEDULE,
    SERVICE,
    alarm,
    asked_outside,
    collector,
    condition,
    container,
    environment,
    graph,
    openings,
    output,
)
from tests.requirements.table import Chapter
from tests.requirements.ts_service.template import QUEUE, SERVICES, ports

CHAPTER = Chapter(title="Monitoring")
FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"


class Empty:
    """A Redis without a key, which remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def ask(self, command: str, key: str, *_: str) -> int | None:
        self.asked.append((command, key))
        return 0 if command in ("LLEN", "ZCARD") else None


@CHAPTER.row(
    "T63",
    "L516-530",
    "`GET /health` says whether the API, its database and its Redis are there",
    "declared",
    note="balancer, container and a check from outside ask it every 15 to 30 seconds; the answer is the "
    "application's, and the command reads it",
    commands=["health"],
    components=["load_balancer", "service", "uptime"],
    settings=["services.api.health.path", "services.api.checks.answers"],
    policies=["target-group-health-check"],
)
def api_health(stack: Recording) -> None:
    check = stack.one("aws:lb/targetGroup:TargetGroup")["healthCheck"]
    assert (check["path"], check["matcher"], check["interval"]) == ("/health", "200", 15)
    own = container(stack, "api")["healthCheck"]
    assert own["command"][-1] == "http://127.0.0.1:3000/health"
    outside = stack.one("aws:route53/healthCheck:HealthCheck", "uptime-api")
    assert (outside["fqdn"], outside["resourcePath"]) == ("api.example.com", "/health")
    assert outside["requestInterval"] == 30
    said = asked_outside(stack, "api")["answers"]["/health"]
    assert (said["services.database"], said["services.redis"]) == ("available", "available")


@CHAPTER.row(
    "T64",
    "L532-538",
    "Workers answer no requests: watch their queue, their containers and their logs",
    "declared",
    components=["task", "queue_metrics", "log_insights"],
    settings=["services.worker.health.command"],
    policies=["container-health-check", "internal-services-not-public"],
)
def worker_health(stack: Recording) -> None:
    assert "loadBalancers" not in stack.one(SERVICE, "worker")
    assert ports(stack, "worker") == {}
    assert container(stack, "worker")["healthCheck"]["command"] == ["CMD", "node", "-e", "process.kill(1, 0)"]
    assert condition(alarm(stack, f"queue-{QUEUE}-silent")) == ("LessThanThreshold", 1, 2)
    assert condition(alarm(stack, "worker-running"))[:2] == ("GreaterThanThreshold", 0)
    assert stack.one(FILTER, "logs-worker-errors")


@CHAPTER.row(
    "T65",
    "L542-553",
    "Logs of each container, and the errors among them",
    "operator",
    note="a saved query finds the last hundred",
    commands=["logs worker --follow", "logs worker --errors"],
    components=["task", "log_insights"],
    settings=["observability.log_fields"],
    policies=["container-logging"],
)
def logs(stack: Recording) -> None:
    for service in SERVICES:
        options = container(stack, service)["logConfiguration"]["options"]
        assert options["awslogs-group"] == output(stack, "services", service, "logGroup")
        assert options["awslogs-group"] == stack.one(LOG_GROUP, f"{service}-logs")["name"]
        query = stack.one("aws:cloudwatch/queryDefinition:QueryDefinition", f"logs-{service}-errors")
        assert query["queryString"].startswith('filter level in ["error", "fatal"]')


@CHAPTER.row(
    "T66",
    "L557-567",
    "How many jobs of `bull:webhook-processor` wait, failed and run",
    "declared",
    note="CloudWatch has the figures of every minute, the command those of now; `failed` is a sorted set, so it "
    "is counted with ZCARD and not with LLEN",
    commands=["redis queues --cache cache --prefix bull"],
    components=["queue_metrics"],
    settings=["queues.webhook-processor"],
)
def queue_figures(stack: Recording) -> None:
    function = stack.one("aws:lambda/function:Function", "queue-metrics")
    variables = function["environment"]["variables"]
    (queue,) = json.loads(variables["QUEUES"])
    assert (queue["name"], queue["prefix"]) == ("webhook-processor", "bull")
    assert queue["host"] == output(stack, "caches", "cache", "endpoint")
    assert variables["NAMESPACE"] == "ts-service/prod/queues"
    assert stack.one(SCHEDULE, "queue-metrics")["scheduleExpression"] == "rate(1 minute)"
    assert ("queue-metrics", "cache-cache", 6379) in openings(stack)
    redis: Any = Empty()
    handler.figures(redis, queue["prefix"], queue["name"], 0)
    key = "bull:webhook-processor"
    assert {("LLEN", f"{key}:wait"), ("ZCARD", f"{key}:failed"), ("LLEN", f"{key}:active")} <= set(
        redis.asked
    )
    assert [graph(stack, f"queue-{QUEUE}-{kind}") for kind in ("waiting", "failed", "oldest-wait")]


@CHAPTER.row(
    "T67",
    "L569-572",
    "`ENABLE_METRICS=true`; `/metrics` on port 3000 is scraped by Prometheus",
    "declared",
    note="it is the API's own port, so the balancer answers 404 for that path",
    commands=["verify metrics"],
    components=["prometheus", "service"],
    settings=["services.api.environment.ENABLE_METRICS", "services.api.public.private_paths"],
    policies=["metrics-not-public"],
)
def application_metrics(stack: Recording) -> None:
    assert environment(stack, "api")["ENABLE_METRICS"] == "true"
    configuration = collector(stack)["receivers"]["prometheus"]["config"]
    (job,) = configuration["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("api", "/metrics")
    assert [each["port"] for each in job["dns_sd_configs"]] == [3000]
    assert ("collector", "api", 3000) in openings(stack)
    private = stack.one("aws:lb/listenerRule:ListenerRule", "api-private")
    assert {"/metrics", "/metrics/*"} <= set(private["conditions"][1]["pathPattern"]["values"])
    assert private["actions"][0]["fixedResponse"]["statusCode"] == "404"
