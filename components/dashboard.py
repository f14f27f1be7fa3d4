"""A CloudWatch dashboard: what a system's people look at first. What stands on it: _dashboard.py."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components import _json
from components._dashboard import COLUMNS, Graph, Section, Widget, body

MAX_WIDGETS = 500  # CloudWatch quotas, "Dashboard widgets", 2026-11
MAX_METRICS_PER_WIDGET = 500


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """`dashboard_name` is the physical name, "rentalfix-prod".

    Raises ValueError on an empty section, on a width that no row has, on metric ids that repeat in a graph,
    and on more widgets than CloudWatch takes.
    """

    dashboard_name: str
    region: str
    sections: Sequence[Section]

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ValueError(f"dashboard {self.dashboard_name}: " + "; ".join(problems))


class Dashboard(pulumi.ComponentResource):
    """`url` opens it in the console."""

    name: pulumi.Output[str]
    url: pulumi.Output[str]

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:observability:Dashboard", name, None, opts)

        dashboard = aws.cloudwatch.Dashboard(
            name,
            dashboard_name=args.dashboard_name,
            dashboard_body=_json.dumps(body(args.sections, args.region)),
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.name = dashboard.dashboard_name
        self.url = pulumi.Output.format(
            "https://{0}.console.aws.amazon.com/cloudwatch/home?region={0}#dashboards:name={1}",
            args.region,
            dashboard.dashboard_name,
        )
        self.register_outputs({"name": self.name, "url": self.url})


def _problems(args: DashboardArgs) -> Iterator[str]:
    if not args.sections:
        yield "it has no sections; give it at least one"
    for section in args.sections:
        if not section.widgets:
            yield f"section {section.title!r} has no widgets; give it one or leave it out"
        for widget in section.widgets:
            yield from _widget_problems(section, widget)
    count = sum(1 + len(section.widgets) for section in args.sections)
    if count > MAX_WIDGETS:
        yield f"it has {count} widgets, CloudWatch takes {MAX_WIDGETS}; make a second dashboard"


def _widget_problems(section: Section, widget: Widget) -> Iterator[str]:
    if not 1 <= widget.width <= COLUMNS:
        yield f"section {section.title!r}: width must be 1 to {COLUMNS}, got {widget.width}"
    if not isinstance(widget, Graph):
        return
    ids = [metric.id for metric in widget.metrics]
    if not ids:
        yield f"graph {widget.title!r} has no metrics; name what it draws"
    if len(ids) > MAX_METRICS_PER_WIDGET:
        yield f"graph {widget.title!r} has {len(ids)} metrics, CloudWatch draws {MAX_METRICS_PER_WIDGET}"
    for repeated in sorted({ident for ident in ids if ids.count(ident) > 1}):
        yield f"graph {widget.title!r} has two metrics called {repeated!r}; give each its own id"
