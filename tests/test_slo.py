"""Alerts and objectives: RentalFix's figures, each in its own unit (D3, D4 of the requirements)."""

import pytest

from components._slo import Alerts, Objectives, query_watches, request_watches
from components._watch import Metric

ALERTS = Alerts(server_errors_per_5_minutes=15, database_query_p95_s=1)
OBJECTIVES = Objectives(latency_p95_s=0.2, error_rate_percent=0.1, database_query_p95_s=0.1)
QUERIES = {
    "core-matching": Metric(
        id="core_matching",
        namespace="RentalFix/prod",
        metric_name="core-matching-query-duration-ms",
        stat="p50",
    )
}


@pytest.fixture
def requests():
    return {watch.name: watch for watch in request_watches("app/rentalfix/123", ALERTS, OBJECTIVES)}


@pytest.fixture
def queries():
    return {watch.name: watch for watch in query_watches(QUERIES, ALERTS, OBJECTIVES)}


def test_the_alert_on_errors_is_a_count(requests):
    watch = requests["high-error-rate"]
    (metric,) = watch.metrics
    assert (watch.threshold, watch.period_s, watch.evaluation_periods) == (15, 300, 1)
    assert (metric.metric_name, metric.stat) == ("HTTPCode_Target_5XX_Count", "Sum")
    assert watch.severity == "critical"
    assert "0.05 per second" in watch.description


def test_the_objective_on_errors_is_a_share_of_all_requests(requests):
    watch = requests["slo-error-rate"]
    assert (watch.threshold, watch.period_s) == (0.1, 3600)
    assert watch.expression == "100 * (FILL(app, 0) + FILL(own, 0)) / (FILL(requests, 0) + FILL(own, 0))"
    assert {metric.id: metric.metric_name for metric in watch.metrics} == {
        "app": "HTTPCode_Target_5XX_Count",
        "own": "HTTPCode_ELB_5XX_Count",
        "requests": "RequestCount",
    }
    assert "0.1 percent" in watch.description


def test_the_objective_on_latency_is_in_seconds(requests):
    watch = requests["slo-latency"]
    (metric,) = watch.metrics
    assert (watch.threshold, watch.evaluation_periods) == (0.2, 3)
    assert (metric.metric_name, metric.stat) == ("TargetResponseTime", "p95")


def test_all_look_at_the_same_balancer(requests):
    found = {metric.dimensions["LoadBalancer"] for watch in requests.values() for metric in watch.metrics}
    assert found == {"app/rentalfix/123"}


def test_query_time_has_an_alert_and_an_objective_in_milliseconds(queries):
    assert {name: watch.threshold for name, watch in queries.items()} == {
        "slow-database-queries-core-matching": 1000,
        "slo-database-query-time-core-matching": 100,
    }
    assert "1000 ms" in queries["slow-database-queries-core-matching"].description
    assert "100 ms" in queries["slo-database-query-time-core-matching"].description


def test_query_time_is_always_the_95th_percentile(queries):
    assert {watch.metrics[0].stat for watch in queries.values()} == {"p95"}
    assert QUERIES["core-matching"].stat == "p50"


def test_without_services_there_is_nothing_to_time():
    assert query_watches({}, ALERTS, OBJECTIVES) == []


def test_an_alert_on_the_share_of_failed_requests():
    (watch,) = request_watches("app/x/1", Alerts(error_rate_percent=1), Objectives())
    assert (watch.name, watch.severity, watch.threshold) == ("error-rate", "critical", 1)
    assert (watch.period_s, watch.evaluation_periods) == (300, 1)
    assert "1 percent" in watch.description


def test_an_alert_on_latency_in_seconds():
    (watch,) = request_watches("app/x/1", Alerts(latency_p95_s=1), Objectives())
    (metric,) = watch.metrics
    assert (watch.name, watch.severity, watch.threshold) == ("response-time", "warning", 1)
    assert (metric.metric_name, metric.stat) == ("TargetResponseTime", "p95")
    assert watch.description.startswith("ResponseTimeHigh: ")
    assert "1 seconds" in watch.description


def test_what_has_no_figure_is_not_watched():
    assert request_watches("app/x/1", Alerts(), Objectives()) == []
    assert query_watches(QUERIES, Alerts(), Objectives()) == []
