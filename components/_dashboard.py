"""Lays out a CloudWatch dashboard: sections of widgets in, the body's document out. Nothing is created here.

Three widgets of 8 x 6 stand in a row of the 24 columns; a section begins on its own row, under its title.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components._watch import Metric, Watch

COLUMNS = 24
HEIGHT = 6
TITLE_HEIGHT = 1


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Lines over time: the metrics, or `expressions` (label: CloudWatch metric math) over them.

    With expressions the metrics themselves are hidden. `threshold` draws a line, `unit` names the axis;
    `region` is where the metrics live, when it is not the stack's own.
    """

    title: str
    metrics: Sequence[Metric]
    expressions: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    threshold: float | None = None
    period_s: int = 300
    region: str | None = None
    width: int = 8


@dataclass(frozen=True, kw_only=True)
class Text:
    """Words in Markdown: a link to Grafana, or what a figure means."""

    markdown: str
    width: int = 8


@dataclass(frozen=True, kw_only=True)
class AlarmStates:
    """The state of each alarm, as one coloured tile."""

    title: str
    alarm_arns: Sequence[pulumi.Input[str]]
    width: int = COLUMNS


Widget = Graph | Text | AlarmStates


@dataclass(frozen=True, kw_only=True)
class Section:
    title: str
    widgets: Sequence[Widget]


def watched(title: str, watches: Sequence[Watch], *, at_most: int = 60) -> Section:
    """A graph of each watch, with its threshold: whatever can raise an alarm can be seen.

    A dashboard has room for 500 widgets; of more than `at_most` watches the first are drawn, the rest counted.
    """
    graphs: list[Widget] = [
        Graph(
            title=watch.name,
            metrics=watch.metrics,
            expressions={watch.name: watch.expression} if watch.expression is not None else {},
            threshold=watch.threshold,
            period_s=watch.period_s,
            region=watch.region,
        )
        for watch in watches[:at_most]
    ]
    left_out = len(watches) - len(graphs)
    if left_out:
        graphs.append(Text(markdown=f"{left_out} more have an alarm each, and no graph here."))
    return Section(title=title, widgets=graphs)


def requests(load_balancer_arn_suffix: pulumi.Input[str]) -> Section:
    """Latency, rate and failures of all requests, as the balancer sees them (RentalFix guide L484-508)."""
    balancer = load_balancer_arn_suffix
    return Section(
        title="Requests", widgets=[latency_graph(balancer), rate_graph(balancer), errors_graph(balancer)]
    )


def latency_graph(load_balancer_arn_suffix: pulumi.Input[str]) -> Graph:
    percentiles = ("p50", "p95", "p99")
    return Graph(
        title="Latency",
        metrics=[
            _balancer(load_balancer_arn_suffix, each, "TargetResponseTime", each) for each in percentiles
        ],
        unit="seconds",
    )


def rate_graph(load_balancer_arn_suffix: pulumi.Input[str]) -> Graph:
    return Graph(
        title="Rate",
        metrics=[_balancer(load_balancer_arn_suffix, "requests", "RequestCount", "Sum")],
        expressions={"rate": "requests / PERIOD(requests)"},
        unit="per s",
    )


def errors_graph(load_balancer_arn_suffix: pulumi.Input[str]) -> Graph:
    return Graph(
        title="Errors",
        metrics=[
            _balancer(load_balancer_arn_suffix, "requests", "RequestCount", "Sum"),
            _balancer(load_balancer_arn_suffix, "errors", "HTTPCode_Target_5XX_Count", "Sum"),
        ],
        expressions={"5xx": "100 * FILL(errors, 0) / requests"},
        unit="percent",
    )


def _balancer(arn_suffix: pulumi.Input[str], ident: str, metric_name: str, stat: str) -> Metric:
    return Metric(
        id=ident,
        namespace="AWS/ApplicationELB",
        metric_name=metric_name,
        stat=stat,
        dimensions={"LoadBalancer": arn_suffix},
    )


def body(sections: Sequence[Section], region: str) -> dict[str, Any]:
    """The dashboard's document; it may hold Outputs, so turn it into JSON with `_json.dumps`."""
    widgets: list[dict[str, Any]] = []
    y = 0
    for section in sections:
        widgets.append(_place(0, y, COLUMNS, TITLE_HEIGHT, _text(f"## {section.title}")))
        y += TITLE_HEIGHT
        for row in _rows(section.widgets):
            x = 0
            for widget in row:
                widgets.append(_place(x, y, widget.width, HEIGHT, _content(widget, region)))
                x += widget.width
            y += HEIGHT
    return {"widgets": widgets}


def _rows(widgets: Sequence[Widget]) -> Iterator[list[Widget]]:
    """As many widgets in a row as its columns take, in order."""
    row: list[Widget] = []
    for widget in widgets:
        if row and sum(each.width for each in row) + widget.width > COLUMNS:
            yield row
            row = []
        row.append(widget)
    if row:
        yield row


def _place(x: int, y: int, width: int, height: int, content: dict[str, Any]) -> dict[str, Any]:
    return {"x": x, "y": y, "width": width, "height": height, **content}


def _content(widget: Widget, region: str) -> dict[str, Any]:
    match widget:
        case Text():
            return _text(widget.markdown)
        case AlarmStates():
            return {"type": "alarm", "properties": {"title": widget.title, "alarms": list(widget.alarm_arns)}}
        case Graph():
            return {"type": "metric", "properties": _graph(widget, region)}


def _text(markdown: str) -> dict[str, Any]:
    return {"type": "text", "properties": {"markdown": markdown, "background": "transparent"}}


def _graph(graph: Graph, region: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "title": graph.title,
        "region": graph.region or region,
        "view": "timeSeries",
        "period": graph.period_s,
        "metrics": [*_expressions(graph), *(_line(metric, graph) for metric in graph.metrics)],
    }
    if graph.unit:
        properties["yAxis"] = {"left": {"label": graph.unit, "showUnits": False}}
    if graph.threshold is not None:
        properties["annotations"] = {"horizontal": [{"value": graph.threshold, "label": "threshold"}]}
    return properties


def _expressions(graph: Graph) -> Iterator[list[dict[str, Any]]]:
    for position, (label, expression) in enumerate(graph.expressions.items(), start=1):
        yield [{"id": f"e{position}", "label": label, "expression": expression}]


def _line(metric: Metric, graph: Graph) -> list[Any]:
    """CloudWatch's notation: namespace, name, then each dimension's name and value, then how to draw it."""
    dimensions = [part for pair in metric.dimensions.items() for part in pair]
    return [
        metric.namespace,
        metric.metric_name,
        *dimensions,
        {"id": metric.id, "stat": metric.stat, "visible": not graph.expressions},
    ]
