"""Runbooks: whoever is woken finds a page, and the page names the alarm."""

import re
from pathlib import Path

import pytest

from components._slo import Alerts, Objectives, query_watches, request_watches
from components._watch import Metric
from components.admin_access import AdminAccess
from components.alarms import RUNBOOKS, runbook_page
from components.backups import Backups
from components.broker import Broker
from components.kubernetes_cluster import KubernetesCluster
from components.kubernetes_workload import KubernetesWorkload
from components.log_insights import LogInsights
from components.prometheus import Prometheus
from components.queue_metrics import QueueMetrics
from components.uptime import Uptime
from components.webhook_notifier import WebhookNotifier
from tests import (
    test_admin_access,
    test_backups,
    test_broker,
    test_kubernetes_cluster,
    test_kubernetes_workload,
    test_log_insights,
    test_prometheus,
    test_queue_metrics,
    test_uptime,
    test_webhook_notifier,
)
from tests.recorder import record

ROOT = Path(__file__).parent.parent
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "runbooks").glob("*.md")}
OWN_PAGES = {"application", "queues"}  # of our own namespaces


def watches():
    found = []

    def program():
        for component in (
            AdminAccess("vpn", test_admin_access.args()),
            WebhookNotifier("notify-slack", test_webhook_notifier.args()),
            Backups("backups", test_backups.args()),
            Broker("broker", test_broker.args()),
            KubernetesCluster("kubernetes", test_kubernetes_cluster.GOOD),
            KubernetesWorkload("gateway", test_kubernetes_workload.GOOD),
            LogInsights("logs", test_log_insights.args()),
            Prometheus("prometheus", test_prometheus.args()),
            QueueMetrics("queue-metrics", test_queue_metrics.args()),
            Uptime("uptime", test_uptime.args()),
        ):
            found.extend(component.watches)

    record(program)
    alerts = Alerts(server_errors_per_5_minutes=15, database_query_p95_s=1)
    objectives = Objectives(latency_p95_s=0.2, error_rate_percent=0.1, database_query_p95_s=0.1)
    queries = {
        "api": Metric(id="api", namespace="RentalFix/prod", metric_name="api-query-duration-ms", stat="p95")
    }
    return [
        *found,
        *request_watches("app/x/1", alerts, objectives),
        *query_watches(queries, alerts, objectives),
    ]


def names_in(page):
    """What a page's table calls its alarms: whole names, or ends of names."""
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    return [re.sub(r"<.*>", "", name) for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_page_is_of_use_and_every_use_has_a_page():
    assert set(PAGES) == set(RUNBOOKS.values()) | OWN_PAGES


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_says_what_it_means_where_to_look_and_what_to_type(page):
    headings = re.findall(r"^## (.+)$", PAGES[page], flags=re.MULTILINE)
    assert headings == ["What it means", "Look at first", "Commands"]
    (commands,) = re.findall(r"```\n(.+?)```", PAGES[page], flags=re.DOTALL)
    assert re.search(r"^aws [a-z0-9]+ [a-z-]+", commands, flags=re.MULTILINE)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_links_between_pages_lead_somewhere(page):
    linked = set(re.findall(r"\]\(([a-z-]+)\.md\)", PAGES[page]))
    assert linked <= set(PAGES) - {page}


def test_every_namespace_that_a_component_watches_has_a_page():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "components").glob("*.py")]
    pattern = re.compile(r'namespace="((?:(?:AWS|ECS)/|ContainerInsights)\w*)"')
    watched = {each for text in sources for each in pattern.findall(text)}
    assert watched == set(RUNBOOKS)


@pytest.mark.parametrize("watch", watches(), ids=lambda watch: watch.name)
def test_the_page_of_an_alarm_names_it(watch):
    page = runbook_page(watch)
    assert page is not None
    assert any(watch.name.endswith(name) or watch.name.startswith(name) for name in names_in(PAGES[page]))
