"""Runbooks and procedures: whoever is woken finds a page, the page names the alarm, and its commands are there."""

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
from tests.operator_calls import Call, in_markdown, trouble
from tests.recorder import record
from tests.requirements.table import unknown_checks

ROOT = Path(__file__).parent.parent
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "runbooks").glob("*.md")}
OWN_PAGES = {"application", "queues"}  # of our own namespaces
HEADINGS = ["What it means", "Look at first", "Commands", "What to expect", "What then"]
MOST_LINES = 80  # of a page that is read at night
# Documents that say what to type; the last two are written by programs.
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "docs" / "pipeline.md",
    ROOT / "docs" / "operations.md",
    *sorted((ROOT / "docs" / "operations").glob("*.md")),
    *sorted((ROOT / "docs" / "runbooks").glob("*.md")),
    ROOT / "docs" / "policies.md",
    ROOT / "docs" / "requirements.md",
]


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


def anchors(text):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_of_use_and_every_use_has_a_page():
    assert set(PAGES) == set(RUNBOOKS.values()) | OWN_PAGES


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_says_what_it_means_where_to_look_what_to_type_and_what_then(page):
    assert re.findall(r"^## (.+)$", PAGES[page], flags=re.MULTILINE) == HEADINGS
    for part in re.split(r"^## .+$", PAGES[page], flags=re.MULTILINE)[1:]:
        assert part.strip()
    (commands,) = re.findall(r"```\n(.+?)```", PAGES[page], flags=re.DOTALL)
    assert re.search(r"^(?:groundwork|aws|kubectl) [a-z0-9]+ [a-z-]+", commands, flags=re.MULTILINE)
    assert len(PAGES[page].splitlines()) <= MOST_LINES


@pytest.mark.parametrize("page", sorted(PAGES))
def test_what_is_typed_has_no_sign_that_a_shell_takes_for_a_redirection(page):
    """A placeholder is a word in capitals: `<task>` would read a file, and overwrite the one after it."""
    (commands,) = re.findall(r"```\n(.+?)```", PAGES[page], flags=re.DOTALL)
    assert not re.search(r"<[a-z]", commands)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_names_the_stack_in_every_command_that_asks_one(page):
    """Left out, it is the emulator's."""
    for call in in_markdown(PAGES[page]):
        if call.is_whole:
            assert {"--stack", "--outputs"} & set(call.words), str(call)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_links_between_pages_lead_somewhere(page):
    linked = set(re.findall(r"\]\(([a-z-]+)\.md\)", PAGES[page]))
    assert linked <= set(PAGES) - {page}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_document_lead_to_a_file_and_its_heading(path):
    for link in re.findall(r"\]\(((?!https?:)[^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{path.name}: {link}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{path.name}: {link}"


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


CALLS = [
    pytest.param(call, id=f"{path.relative_to(ROOT)}: {call}")
    for path in DOCUMENTS
    for call in dict.fromkeys(in_markdown(path.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("call", CALLS)
def test_what_a_document_says_to_type_the_command_takes(call):
    assert trouble(call) == ""
    assert unknown_checks(call) == []


def test_every_document_that_tells_operators_what_to_do_is_looked_at():
    said = [call for path in DOCUMENTS[2:-2] for call in in_markdown(path.read_text(encoding="utf-8"))]
    groups = {call.words[1] for call in said}
    assert {"status", "logs", "service", "rollback", "db", "backup", "redis", "secrets", "images"} <= groups
    assert {"verify", "health", "targets", "network", "alerts", "incident", "maintenance", "perf"} <= groups


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("Ask `groundwork db ping --role x`.", [("groundwork db ping --role x", False)]),
        ("`groundwork db\nping`", [("groundwork db ping", False)]),
        ("```\ngroundwork db ping --via a:1  # or not\n```\n", [("groundwork db ping --via a:1", True)]),
        (
            "```sh\na=1 groundwork logs api \\\n  --since 1h\n```\n",
            [("groundwork logs api --since 1h", True)],
        ),
        (
            "```\npulumi x > o.json && groundwork probe --outputs o.json | jq .\n```\n",
            [("groundwork probe --outputs o.json", True)],
        ),
        (
            "```\ngroundwork exec api -- node -e 'console.log(1)'\n```\n",
            [("groundwork exec api -- node -e console.log(1)", True)],
        ),
        ("1. So:\n\n   ```\n   groundwork status\n   ```\n", [("groundwork status", True)]),
        ("```\naws x '{\n groundwork: 1}'\ngroundwork:tasks:\n```\n", []),
        ("Groundwork db is no code, and `groundwork: replace x` no command, nor `docs/groundwork ping`.", []),
    ],
)
def test_calls_are_found_in_code_and_nowhere_else(text, calls):
    assert [(str(call), call.is_whole) for call in in_markdown(text)] == calls


@pytest.mark.parametrize(
    ("words", "is_whole", "said"),
    [
        ("groundwork bd ping", False, "there is no bd"),
        ("groundwork db pong", False, "there is no pong"),
        ("groundwork db ping --roll x", False, "No such option: --roll"),
        ("groundwork db ping x", False, "unexpected extra argument"),
        ("groundwork db cancel x", True, "valid integer"),
        ("groundwork backup now --kind tape", True, "tape"),
        ("groundwork db ping --role", False, "requires an argument"),
        ("groundwork db cancel", True, "Missing parameter: pid"),
        ("groundwork db cancel", False, ""),
        ("groundwork db cancel --help", True, ""),
        ("groundwork db", True, "names no command"),
        ("groundwork db", False, ""),
        ("groundwork db --help", True, ""),
        ("groundwork db cancel 4711 --stack prod --terminate --yes", True, ""),
        ("groundwork db cancel 4711 --no-terminate", True, ""),
    ],
)
def test_a_call_that_the_command_would_refuse_is_told(words, is_whole, said):
    found = trouble(Call(tuple(words.split()), is_whole=is_whole))
    assert said in found
    assert bool(found) == bool(said)
