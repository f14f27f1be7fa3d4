"""What the settings' figures become in a stack: alarms, names, dashboard; nothing of Prometheus without it."""

import pytest

from tests.program import configuration, declared, run

# Together with what else looks at RentalFix's production, which is recorded once for all of them.
pytestmark = pytest.mark.xdist_group("prod ")
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
FIVE = [
    "Application Metrics",
    "Request Rate & Latency",
    "Error Rate",
    "Resource Usage (CPU, Memory)",
    "Database Performance",
]


def build(**observability):
    """RentalFix's production with more said about its observability; the stack file may say all of it."""
    config = configuration("prod")
    config["groundwork:observability"] |= observability
    return run("prod", config)


@pytest.fixture(scope="module")
def changed():
    return build(
        alerts={
            "error_rate_percent": 1,
            "latency_p95_s": 1,
            "database_connections": 80,
            "database_connections_percent": 50,
            "service_cpu_percent": 80,
            "service_memory_percent": 85,
            "storage_used_percent": 80,
            "cache_evictions": 0,
            "certificate_days": 20,
            "error_logs_per_5_minutes": 3,
            "queue_waiting": 100,
            "queue_oldest_wait_s": 60,
            "failed_jobs_rising_minutes": 15,
        },
        alarms={"uptime-core-matching-down": {"title": "ApiDown"}, "response-time": {"severity": "critical"}},
        alarm_names={"core-matching-cpu": "api-high-cpu", "error-rate": "api-high-errors"},
        dashboard={"sections": FIVE},
    )


@pytest.mark.parametrize(
    ("alarm", "threshold"),
    [
        ("error-rate", 1),
        ("response-time", 1),
        ("database-connections-high", 80),
        # Half of the 200 that max_connections allows and of the 160 that the pools can open together.
        ("database-connections", 80),
        ("core-matching-cpu", 80),
        ("worker-ai-memory", 85),
        ("core-matching-storage", 80),
        ("database-storage", 20 * 2**30),
        ("cache-cache-0001-evictions", 0),
        ("certificate-expiry", 20),
        ("core-matching-error-lines", 3),
        ("queue-matching-waiting", 100),
        ("queue-matching-oldest-wait", 60),
        ("high-error-rate", 15),
    ],
)
def test_each_figure_of_the_settings_is_an_alarms_threshold(changed, alarm, threshold):
    assert changed.one(ALARM, f"alarms-{alarm}")["threshold"] == threshold


def test_failed_jobs_are_looked_at_for_so_many_minutes(changed):
    assert changed.one(ALARM, "alarms-queue-matching-failed")["evaluationPeriods"] == 3


def test_alarms_have_the_names_that_scripts_use(changed):
    assert changed.one(ALARM, "alarms-core-matching-cpu")["name"] == "api-high-cpu"
    assert {"api-high-cpu", "api-high-errors"} < set(changed.value["alarms"])


def test_alarms_have_the_documents_titles_and_severities(changed):
    assert changed.one(ALARM, "alarms-uptime-core-matching-down")["alarmDescription"].startswith("ApiDown: ")
    assert changed.one(ALARM, "alarms-response-time")["tags"]["severity"] == "critical"


def sections(stack):
    widgets = stack.one(DASHBOARD).json("dashboardBody")["widgets"]
    texts = [widget["properties"]["markdown"] for widget in widgets if widget["type"] == "text"]
    return [text.removeprefix("## ") for text in texts if text.startswith("## ")], widgets


def test_the_dashboard_has_the_sections_that_were_asked_for(changed):
    titles, widgets = sections(changed)
    assert titles == FIVE
    graphs = [widget["properties"]["title"] for widget in widgets if widget["type"] == "metric"]
    assert {
        "Rate",
        "Latency",
        "Errors",
        "core-matching-cpu",
        "worker-ai-memory",
        "database-read-latency",
    } < set(graphs)
    assert [widget["type"] for widget in widgets].count("alarm") == 1


def test_the_dashboard_is_as_ever_where_nothing_was_asked_for():
    titles, _ = sections(declared("prod"))
    assert titles[:3] == ["Alarms", "Requests", "Objectives"]
    assert titles[-1] == "Business"


def test_a_name_for_an_alarm_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="no watch is called so; the nearest is 'core-matching-cpu'"):
        build(alarm_names={"core-matchin-cpu": "api-high-cpu"})


def test_what_is_said_about_a_service_waits_until_it_is_started():
    config = configuration("prod")
    config["groundwork:observability"] |= {"alarm_names": {"worker-ai-cpu": "worker-high-cpu"}}
    assert "worker-high-cpu" in run("prod", config).value["alarms"]
    del config["groundwork:services"]["worker-ai"]["image_tag"]
    assert "worker-high-cpu" not in run("prod", config).value["alarms"]


def test_without_prometheus_there_is_nothing_of_it():
    config = configuration("prod")
    observability = config["groundwork:observability"]
    observability |= {"prometheus": None, "business_metric": None, "grafana": None}
    stack = run("prod", config)
    assert [
        each for each in stack.names() if "prometheus" in each or "collector" in each or "grafana" in each
    ] == []
    services = [each["serviceName"] for each in stack.all("aws:ec2/vpcEndpoint:VpcEndpoint")]
    assert [each for each in services if "aps-workspaces" in each] == []
    assert (stack.value["prometheus"], stack.value["grafana"]) == ("", "")
    assert set(stack.value["urls"]) == {"api"}
    with_it = [each["serviceName"] for each in declared("prod").all("aws:ec2/vpcEndpoint:VpcEndpoint")]
    assert "com.amazonaws.us-east-1.aps-workspaces" in with_it
