"""Dashboard: the layout, CloudWatch's notation, and what is refused."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components._dashboard import COLUMNS, AlarmStates, Graph, Section, Text, body, requests, watched
from components._watch import Metric, Watch
from components.dashboard import Dashboard, DashboardArgs
from tests.recorder import record

DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
HITS = Metric(
    id="hits",
    namespace="AWS/ElastiCache",
    metric_name="CacheHits",
    stat="Sum",
    dimensions={"CacheClusterId": "a-001"},
)
MISSES = Metric(id="misses", namespace="AWS/ElastiCache", metric_name="CacheMisses", stat="Sum")


def graph(**changes):
    values: dict[str, Any] = {"title": "Hits", "metrics": [HITS], **changes}
    return Graph(**values)


def only(widget):
    """The widget as the body has it, after its section's title."""
    _, placed = body([Section(title="Cache", widgets=[widget])], "eu-west-1")["widgets"]
    return placed


def test_a_graph_in_cloudwatchs_notation():
    properties = only(graph(unit="per 5 min", threshold=3, period_s=60))["properties"]
    assert properties == {
        "title": "Hits",
        "region": "eu-west-1",
        "view": "timeSeries",
        "period": 60,
        "metrics": [
            [
                "AWS/ElastiCache",
                "CacheHits",
                "CacheClusterId",
                "a-001",
                {"id": "hits", "stat": "Sum", "visible": True},
            ]
        ],
        "yAxis": {"left": {"label": "per 5 min", "showUnits": False}},
        "annotations": {"horizontal": [{"value": 3, "label": "threshold"}]},
    }


def test_a_plain_graph_has_no_axis_label_and_no_line():
    assert {"yAxis", "annotations"}.isdisjoint(only(graph())["properties"])


def test_expressions_hide_their_metrics():
    metrics = only(graph(metrics=[HITS, MISSES], expressions={"ratio": "hits / (hits + misses)"}))
    expression, hits, misses = metrics["properties"]["metrics"]
    assert expression == [{"id": "e1", "label": "ratio", "expression": "hits / (hits + misses)"}]
    assert hits[-1]["visible"] is False
    assert misses == ["AWS/ElastiCache", "CacheMisses", {"id": "misses", "stat": "Sum", "visible": False}]


def test_a_graph_may_show_another_region():
    assert only(graph(region="us-east-1"))["properties"]["region"] == "us-east-1"


def test_text_and_alarm_states():
    assert only(Text(markdown="[Grafana](https://g)"))["properties"]["markdown"] == "[Grafana](https://g)"
    states = only(AlarmStates(title="Alarms", alarm_arns=["arn:a", "arn:b"]))
    assert (states["type"], states["properties"]) == (
        "alarm",
        {"title": "Alarms", "alarms": ["arn:a", "arn:b"]},
    )


def test_three_stand_in_a_row_and_a_section_begins_on_its_own():
    sections = [
        Section(title="One", widgets=[graph()] * 4),
        Section(title="Two", widgets=[graph(width=24)]),
    ]
    placed = [(w["x"], w["y"], w["width"], w["height"]) for w in body(sections, "eu-west-1")["widgets"]]
    assert placed == [
        (0, 0, 24, 1),
        (0, 1, 8, 6),
        (8, 1, 8, 6),
        (16, 1, 8, 6),
        (0, 7, 8, 6),
        (0, 13, 24, 1),
        (0, 14, 24, 6),
    ]


@given(st.lists(st.lists(st.integers(1, COLUMNS), min_size=1, max_size=8), min_size=1, max_size=4))
def test_no_two_widgets_overlap_and_none_leaves_the_grid(widths):
    sections = [Section(title="s", widgets=[graph(width=width) for width in row]) for row in widths]
    taken: set[tuple[int, int]] = set()
    for widget in body(sections, "eu-west-1")["widgets"]:
        assert widget["x"] + widget["width"] <= COLUMNS
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert taken.isdisjoint(cells)
        taken |= cells


def test_whatever_is_watched_can_be_drawn():
    ratio = Watch(
        name="hit-ratio",
        description="d",
        severity="warning",
        threshold=0.7,
        metrics=[HITS, MISSES],
        expression="hits / (hits + misses)",
        region="us-east-1",
    )
    plain = Watch(name="hits", description="d", severity="warning", threshold=5, metrics=[HITS], period_s=60)
    section = watched("Cache", [ratio, plain])
    assert section == Section(
        title="Cache",
        widgets=[
            Graph(
                title="hit-ratio",
                metrics=[HITS, MISSES],
                expressions={"hit-ratio": "hits / (hits + misses)"},
                threshold=0.7,
                region="us-east-1",
            ),
            Graph(title="hits", metrics=[HITS], threshold=5, period_s=60),
        ],
    )


def test_more_watches_than_a_section_has_room_for_are_counted():
    one = Watch(name="a", description="d", severity="warning", threshold=1, metrics=[HITS])
    full = watched("Caches", [one] * 3, at_most=2).widgets
    assert [type(widget) for widget in full] == [Graph, Graph, Text]
    assert full[2] == Text(markdown="1 more have an alarm each, and no graph here.")
    assert len(watched("Caches", [one] * 2, at_most=2).widgets) == 2


def test_requests_show_latency_rate_and_errors():
    latency, rate, errors = requests("app/rentalfix/123").widgets
    assert isinstance(latency, Graph)
    assert [metric.stat for metric in latency.metrics] == ["p50", "p95", "p99"]
    assert isinstance(rate, Graph)
    assert rate.expressions == {"rate": "requests / PERIOD(requests)"}
    assert isinstance(errors, Graph)
    assert errors.expressions == {"5xx": "100 * FILL(errors, 0) / requests"}
    assert {m.dimensions["LoadBalancer"] for m in [*latency.metrics, *errors.metrics]} == {
        "app/rentalfix/123"
    }


def args(**changes):
    values: dict[str, Any] = {
        "dashboard_name": "rentalfix-prod",
        "region": "eu-west-1",
        "sections": [Section(title="Cache", widgets=[graph()])],
        **changes,
    }
    return DashboardArgs(**values)


def test_the_dashboard_is_one_document_with_a_link():
    made = args()
    declared = record(lambda: Dashboard("dashboard", made).url)
    dashboard = declared.one(DASHBOARD)
    assert dashboard["dashboardName"] == "rentalfix-prod"
    assert json.loads(dashboard["dashboardBody"]) == body(made.sections, "eu-west-1")
    assert declared.value == (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards:name=rentalfix-prod"
    )
    assert declared.orphans() == []


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([], "it has no sections"),
        ([Section(title="Empty", widgets=[])], "section 'Empty' has no widgets"),
        ([Section(title="s", widgets=[graph(width=25)])], "section 's': width must be 1 to 24, got 25"),
        ([Section(title="s", widgets=[graph(metrics=[])])], "graph 'Hits' has no metrics"),
        (
            [Section(title="s", widgets=[graph(metrics=[HITS, HITS])])],
            "graph 'Hits' has two metrics called 'hits'",
        ),
        (
            [Section(title="s", widgets=[graph(metrics=[HITS] * 501)])],
            "graph 'Hits' has 501 metrics, CloudWatch draws 500",
        ),
        (
            [Section(title="s", widgets=[Text(markdown="x")] * 500)],
            "it has 501 widgets, CloudWatch takes 500; make a second dashboard",
        ),
    ],
)
def test_what_is_refused(sections, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(sections=sections)
