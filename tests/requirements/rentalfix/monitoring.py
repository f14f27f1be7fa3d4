"""R66 to R78: metrics, dashboards, alerts, logs."""

from tests.recorder import Recording
from tests.requirements.production import (
    INSTANCE,
    LOG_GROUP,
    SERVICES,
    alarm,
    alert_rules,
    collector,
    condition,
    container,
    graph,
    metric,
    output,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Monitoring and observability")
SHARDS = ("0001", "0002", "0003")
BY_HAND = "its graph in Grafana is made by hand"


def jobs(stack: Recording) -> dict[str, tuple[str, list[dict]]]:
    """What the collector scrapes: path and where the tasks are found, by job."""
    scrapes = collector(stack)["receivers"]["prometheus"]["config"]["scrape_configs"]
    return {each["job_name"]: (each["metrics_path"], each["dns_sd_configs"]) for each in scrapes}


@CHAPTER.row(
    "R66",
    "L470-479",
    "Job `core-matching` is scraped on port 9090 every 15 s",
    "declared",
    note="each task of it, found by DNS; `worker-ai` as well",
    components=["prometheus", "service"],
    settings=["observability.prometheus.scrape_interval_s"],
)
def scrape(stack: Recording) -> None:
    configuration = collector(stack)["receivers"]["prometheus"]["config"]
    assert configuration["global"]["scrape_interval"] == "15s"
    where = {"names": ["core-matching-metrics.prod.rentalfix.internal"], "type": "A", "port": 9090}
    assert jobs(stack)["core-matching"] == ("/metrics", [where])
    assert set(jobs(stack)) == set(SERVICES)


@CHAPTER.row(
    "R67",
    "L484",
    "Latency: p50, p95, p99 of `http_request_duration_seconds`",
    "declared",
    note=f"the dashboard has the balancer's twin of it; Prometheus has the metric, {BY_HAND}",
    components=["dashboard", "prometheus"],
)
def latency(stack: Recording) -> None:
    lines = [(line[1], line[-1]["stat"]) for line in graph(stack, "Latency")]
    assert lines == [("TargetResponseTime", each) for each in ("p50", "p95", "p99")]
    assert "core-matching" in jobs(stack)


@CHAPTER.row(
    "R68",
    "L485",
    "Request rate: `matching_requests_total`",
    "declared",
    note=f"the dashboard has all requests per second; Prometheus has the metric, {BY_HAND}",
    components=["dashboard", "prometheus"],
)
def request_rate(stack: Recording) -> None:
    expression, counted = graph(stack, "Rate")
    assert expression[0]["expression"] == "requests / PERIOD(requests)"
    assert counted[:2] == ["AWS/ApplicationELB", "RequestCount"]
    assert "core-matching" in jobs(stack)


@CHAPTER.row(
    "R69",
    "L486",
    "Cache hit rate: `cache_hits_total` and `cache_misses_total`",
    "declared",
    note="the dashboard has ElastiCache's own counters, shard by shard; Prometheus has the metrics, their graph in "
    "Grafana is made by hand",
    components=["cache", "dashboard"],
)
def hit_rate(stack: Recording) -> None:
    for shard in SHARDS:
        ratio, *counted = graph(stack, f"cache-cache-{shard}-low-hit-ratio")
        assert ratio[0]["expression"] == "SUM([hits0, hits1]) / SUM([hits0, hits1, misses0, misses1])"
        assert [line[1] for line in counted] == ["CacheHits"] * 2 + ["CacheMisses"] * 2
    assert "core-matching" in jobs(stack)


@CHAPTER.row(
    "R70",
    "L487",
    "Database performance: `db_query_duration_seconds`",
    "declared",
    note="Prometheus has the metric; the dashboard has p95 of the durations in the logs; RDS has Performance Insights",
    components=["database", "log_insights", "dashboard"],
)
def query_duration(stack: Recording) -> None:
    for service in SERVICES:
        (line,) = graph(stack, f"slow-database-queries-{service}")
        assert (line[1], line[-1]["stat"]) == (f"{service}-query-duration-ms", "p95")
    assert [each["performanceInsightsEnabled"] for each in stack.all(INSTANCE)] == [True, True]


@CHAPTER.row(
    "R71",
    "L488",
    "The business figure: `contractors_available`",
    "operator",
    note="Prometheus has the metric; somebody makes the graph in Grafana once, and the command brings the "
    "dashboard's JSON to the other stacks",
    missing="a dashboard with that graph, ready made",
    commands=["grafana import --file contractors.json"],
    components=["prometheus", "grafana"],
    settings=["observability.business_metric"],
)
def business_figure(stack: Recording) -> None:
    assert "core-matching" in jobs(stack)
    body = stack.one("aws:cloudwatch/dashboard:Dashboard").json("dashboardBody")
    texts = [each["properties"]["markdown"] for each in body["widgets"] if each["type"] == "text"]
    assert [text for text in texts if text.startswith("`contractors_available`")]
    assert output(stack, "grafana")


@CHAPTER.row(
    "R72",
    "L490-492",
    "Grafana with dashboard 15038",
    "operator",
    note="the ids of the system file, 15038, with Prometheus as their data source; its role may read Prometheus "
    "and CloudWatch",
    commands=["grafana import"],
    components=["grafana"],
    settings=["observability.grafana"],
)
def grafana(stack: Recording) -> None:
    workspace = stack.one("aws:grafana/workspace:Workspace")
    assert workspace["dataSources"] == ["PROMETHEUS", "CLOUDWATCH"]
    assert workspace["accountAccessType"] == "CURRENT_ACCOUNT"
    assert output(stack, "grafana")
    assert output(stack, "prometheus")
    assert list(output(stack, "grafanaDashboards")) == [15038]


@CHAPTER.row(
    "R73",
    "L494-508",
    "Graphs of request rate, errors, cache hits and p95 latency",
    "declared",
    note="on the CloudWatch dashboard, from AWS's own counters",
    missing="the same queries in Grafana",
    components=["dashboard"],
)
def queries(stack: Recording) -> None:
    assert graph(stack, "Rate")[0][0]["expression"] == "requests / PERIOD(requests)"
    assert graph(stack, "Errors")[0][0]["expression"] == "100 * FILL(errors, 0) / requests"
    assert "p95" in [line[-1]["stat"] for line in graph(stack, "Latency")]
    assert [graph(stack, f"cache-cache-{shard}-low-hit-ratio") for shard in SHARDS]


@CHAPTER.row(
    "R74",
    "L513-520",
    "HighErrorRate: more than 0.05 failed requests a second, for 5 minutes",
    "declared",
    note="as written in Prometheus, and as 15 in 5 minutes in CloudWatch; both wake somebody",
    components=["prometheus", "alarms"],
    settings=["observability.alerts.server_errors_per_5_minutes"],
)
def high_error_rate(stack: Recording) -> None:
    rule = alert_rules(stack, "core-matching")["HighErrorRate"]
    assert rule["expr"] == 'rate(http_requests_total{status_code=~"5.."}[5m]) > 0.05'
    assert (rule["for"], rule["labels"]["severity"]) == ("5m", "critical")
    assert rule["annotations"]["summary"].startswith("High error rate detected")
    twin = alarm(stack, "high-error-rate")
    assert metric(twin) == ("HTTPCode_Target_5XX_Count", "Sum", 300)
    assert condition(twin) == ("GreaterThanThreshold", 15, 1)
    assert "critical" in twin["alarmActions"][0]


@CHAPTER.row(
    "R75",
    "L522-524",
    "LowCacheHitRate: fewer than 7 of 10 reads hit, for 10 minutes",
    "declared",
    note="in Prometheus, and for each shard in CloudWatch",
    components=["prometheus", "cache"],
    settings=["observability.alerts.cache_hit_ratio"],
)
def low_hit_rate(stack: Recording) -> None:
    rule = alert_rules(stack, "core-matching")["LowCacheHitRate"]
    assert rule["expr"] == (
        "rate(cache_hits_total[5m]) / (rate(cache_hits_total[5m]) + rate(cache_misses_total[5m])) < 0.7"
    )
    assert rule["for"] == "10m"
    for shard in SHARDS:
        twin = alarm(stack, f"cache-cache-{shard}-low-hit-ratio")
        assert condition(twin) == ("LessThanThreshold", 0.7, 2)
        assert {query["metric"]["period"] for query in twin["metricQueries"] if "metric" in query} == {300}


@CHAPTER.row(
    "R76",
    "L526-528",
    "SlowDatabaseQueries: p95 of the queries above 1 s, for 5 minutes",
    "declared",
    note="in Prometheus, and from the logs in CloudWatch",
    components=["prometheus", "log_insights"],
    settings=["observability.alerts.database_query_p95_s"],
)
def slow_queries(stack: Recording) -> None:
    rule = alert_rules(stack, "core-matching")["SlowDatabaseQueries"]
    assert rule["expr"] == "histogram_quantile(0.95, rate(db_query_duration_seconds_bucket[5m])) > 1"
    assert rule["for"] == "5m"
    for service in SERVICES:
        twin = alarm(stack, f"slow-database-queries-{service}")
        assert metric(twin) == (f"{service}-query-duration-ms", "p95", 300)
        assert condition(twin) == ("GreaterThanThreshold", 1000, 1)


@CHAPTER.row(
    "R77",
    "L531-545",
    "Logs are lines of JSON with level, message, ids, score, duration and time",
    "declared",
    note="the application writes them; level and duration become figures, and saved queries find the slowest",
    components=["log_insights"],
    settings=["observability.log_fields"],
)
def structured_logs(stack: Recording) -> None:
    filters = {
        each.name: (each["pattern"], each["metricTransformation"]["value"])
        for each in stack.all("aws:cloudwatch/logMetricFilter:LogMetricFilter")
    }
    for service in SERVICES:
        errors = '{ $.level = "error" || $.level = "fatal" }'
        assert filters.get(f"logs-{service}-errors") == (errors, "1")
        assert filters.get(f"logs-{service}-duration") == ("{ $.duration >= 0 }", "$.duration")
    assert len(stack.all("aws:cloudwatch/queryDefinition:QueryDefinition")) == 6


@CHAPTER.row(
    "R78",
    "L547-550",
    "Logs in one place: ELK, DataDog or CloudWatch",
    "declared",
    note="CloudWatch; kept 30 days, the network's and the balancer's 90",
    components=["task"],
    settings=["observability.log_retention_days"],
    policies=["container-logging", "log-retention-set"],
)
def central_logs(stack: Recording) -> None:
    for service in SERVICES:
        options = container(stack, service)["logConfiguration"]["options"]
        assert options["awslogs-group"] == f"/rentalfix/prod/{service}"
    kept = {each["retentionInDays"] for each in stack.all(LOG_GROUP) if each.name != "network-flow-log"}
    assert kept == {30}
