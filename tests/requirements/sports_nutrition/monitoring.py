"""S87 to S96: thresholds, alarms, logs."""

from tests.recorder import Recording
from tests.requirements.production import TARGET, TASK, alarm, condition, database, metric, output
from tests.requirements.sports_nutrition.support import API, page, scaling
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Monitoring and alerts")


@CHAPTER.row(
    "S87",
    "L517",
    "p95 above 1000 ms pages somebody",
    "declared",
    components=["alarms"],
    settings=["observability.alerts.latency_p95_s", "observability.alarms.response-time"],
)
def latency(stack: Recording) -> None:
    slow = page(stack, "response-time")
    assert metric(slow) == ("TargetResponseTime", "p95", 300)
    assert condition(slow) == ("GreaterThanThreshold", 1, 1)


@CHAPTER.row(
    "S88",
    "L518",
    "More than 1 percent errors page somebody",
    "declared",
    note="answers 5xx among all, the load balancer's own with them",
    components=["alarms"],
    settings=["observability.alerts.error_rate_percent"],
)
def errors(stack: Recording) -> None:
    failing = page(stack, "error-rate")
    assert condition(failing) == ("GreaterThanThreshold", 1, 1)
    (ratio,) = [query["expression"] for query in failing["metricQueries"] if "expression" in query]
    assert ratio == "100 * (FILL(app, 0) + FILL(own, 0)) / (FILL(requests, 0) + FILL(own, 0))"


@CHAPTER.row(
    "S89",
    "L519",
    "More than 80 percent of the pool's connections page somebody",
    "declared",
    note="160: ten tasks of 20 connections at most",
    components=["database"],
    settings=["observability.alerts.database_connections_percent", "services.api.database.pool_max"],
)
def connections(stack: Recording) -> None:
    many = page(stack, "database-connections")
    pool = 20 * stack.one(TARGET, API)["maxCapacity"]
    assert metric(many) == ("DatabaseConnections", "Maximum", 300)
    assert condition(many) == ("GreaterThanThreshold", pool * 80 / 100, 1)


@CHAPTER.row(
    "S90",
    "L520",
    "CPU above 80 percent: more servers, less batch work",
    "declared",
    note="the service scales from 70 percent on; the database has an alarm of its own",
    components=["autoscaling", "service", "database"],
    settings=["observability.alerts.service_cpu_percent", "services.api.scaling"],
)
def cpu(stack: Recording) -> None:
    assert condition(page(stack, "api-cpu")) == ("GreaterThanThreshold", 80, 1)
    assert scaling(stack)["api-api-scaling"] == ("ECSServiceAverageCPUUtilization", 70)
    assert metric(alarm(stack, "database-cpu"))[:2] == ("CPUUtilization", "Average")
    assert condition(alarm(stack, "database-cpu"))[:2] == ("GreaterThanThreshold", 80)


@CHAPTER.row(
    "S91",
    "L521",
    "Memory above 85 percent pages somebody",
    "declared",
    components=["service"],
    settings=["observability.alerts.service_memory_percent", "observability.alarms.api-memory"],
)
def memory(stack: Recording) -> None:
    full = page(stack, "api-memory")
    assert metric(full) == ("MemoryUtilization", "Average", 300)
    assert condition(full) == ("GreaterThanThreshold", 85, 1)


@CHAPTER.row(
    "S92",
    "L522",
    "A disk that is more than 80 percent full pages somebody",
    "declared",
    note="the database's, with less than 20 of its first 100 GiB free; it grows by itself to 200. A task's own storage "
    "warns at 80 percent",
    components=["database", "service"],
    settings=["observability.alerts.storage_used_percent"],
)
def disk(stack: Recording) -> None:
    full = page(stack, "database-storage")
    assert metric(full)[0] == "FreeStorageSpace"
    assert condition(full)[:2] == ("LessThanThreshold", 20 * 1024**3)
    assert database(stack)["maxAllocatedStorage"] == 200
    assert condition(alarm(stack, "api-storage"))[:2] == ("GreaterThanThreshold", 80)


@CHAPTER.row(
    "S93",
    "L523",
    "Any eviction in Redis: more memory, or a shorter life",
    "declared",
    note="in 5 minutes, by the node that is worst off; memory above 80 percent pages somebody before that",
    components=["cache"],
    settings=["observability.alerts.cache_evictions", "caches.cache.parameters.maxmemory-policy"],
)
def evictions(stack: Recording) -> None:
    evicted = alarm(stack, "cache-cache-evictions")
    assert condition(evicted) == ("GreaterThanThreshold", 0, 1)
    nodes = [each["metric"] for each in evicted["metricQueries"] if "metric" in each]
    assert [(each["metricName"], each["stat"], each["period"]) for each in nodes] == [
        ("Evictions", "Sum", 300)
    ] * 2
    full = page(stack, "cache-cache-memory")
    metrics = [each["metric"] for each in full["metricQueries"] if "metric" in each]
    assert [each["metricName"] for each in metrics] == ["DatabaseMemoryUsagePercentage"] * 2
    assert condition(full) == ("GreaterThanThreshold", 80, 3)


@CHAPTER.row(
    "S94",
    "L527-538",
    "An alarm `api-high-cpu`: CPU on average above 80 percent in 5 minutes, told to `prod-alerts`",
    "declared",
    note="of the service `api` in `production`, one period long: the guide's command names neither",
    components=["alarms", "notifications"],
    settings=["observability.alarm_names.api-cpu", "notifications.topic_names.critical"],
)
def high_cpu(stack: Recording) -> None:
    found = page(stack, "api-cpu")
    assert (found["name"], found["namespace"]) == ("api-high-cpu", "AWS/ECS")
    assert found["alarmDescription"].startswith("API CPU > 80%")
    assert metric(found) == ("CPUUtilization", "Average", 300)
    assert condition(found) == ("GreaterThanThreshold", 80, 1)
    assert found["dimensions"] == {"ClusterName": "production", "ServiceName": "api"}
    assert found["alarmActions"][0].endswith(":prod-alerts")


@CHAPTER.row(
    "S95",
    "L540-550",
    "An alarm `api-high-errors`: an error rate above 1 percent in 5 minutes, told to `prod-alerts`",
    "declared",
    note="computed from the load balancer's counters, as nothing publishes the guide's `ErrorRate`",
    components=["alarms", "notifications"],
    settings=["observability.alarm_names.error-rate", "notifications.topic_names.critical"],
)
def high_errors(stack: Recording) -> None:
    found = page(stack, "error-rate")
    assert found["name"] == "api-high-errors"
    assert found["alarmDescription"].startswith("API error rate > 1%")
    periods = {each["metric"]["period"] for each in found["metricQueries"] if "metric" in each}
    assert (periods, condition(found)) == ({300}, ("GreaterThanThreshold", 1, 1))
    assert found["alarmActions"][0].endswith(":prod-alerts")


@CHAPTER.row(
    "S96",
    "L553-569",
    "Logs in one place: ELK, Datadog or New Relic",
    "declared",
    note="CloudWatch has every line, and a sidecar sends Datadog a copy",
    missing="the copy in production as it stands, which has no account at Datadog; its RUM is code of the front end",
    components=["task", "log_insights"],
    settings=["observability.log_fields", "observability.log_router.datadog"],
    shape={
        "observability": {
            "log_router": {"datadog": {"site": "datadoghq.com", "api_key_secret": "datadog-api-key"}}
        },
        "secrets": {"datadog-api-key": {"external": "The API key at Datadog"}},
        "operations": {"log_router_image": "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.2.1"},
    },
)
def logs(stack: Recording) -> None:
    api, router = stack.one(TASK, API).json("containerDefinitions")
    assert api["logConfiguration"]["logDriver"] == "awsfirelens"
    variables = {each["name"]: each["value"] for each in router["environment"]}
    assert variables["LOG_GROUP"] == output(stack, "services", API, "logGroup") == "/ecs/api-production"
    assert "Name cloudwatch_logs" in variables["CONFIGURATION"]
    assert "Name datadog" in variables["CONFIGURATION"]
    assert "Host http-intake.logs.datadoghq.com" in variables["CONFIGURATION"]
    assert [each["valueFrom"] for each in router["secrets"]] == [output(stack, "secrets", "datadog-api-key")]
