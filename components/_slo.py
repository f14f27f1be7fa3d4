"""A product's alerts and service level objectives, as watches: figures and ids in, plain data out.

An alert and its objective are two alarms, with two units: the alert HighErrorRate counts failed requests per
second, the objective is a share of all requests (RentalFix guide L517 and L668). The cache's hit ratios are
made by the Cache itself, availability by Uptime.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pulumi

from components._watch import Metric, Watch

QUARTER_HOUR = 3  # periods of 300 s


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """The document's own thresholds: failed requests in 5 minutes, and seconds (RentalFix guide L513-528)."""

    server_errors_per_5_minutes: float
    database_query_p95_s: float


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """Seconds, and percent of all requests (RentalFix guide L666-670)."""

    latency_p95_s: float
    error_rate_percent: float
    database_query_p95_s: float


def request_watches(
    load_balancer_arn_suffix: pulumi.Input[str], alerts: Alerts, objectives: Objectives
) -> list[Watch]:
    """The alert on failed requests, and the objectives on failures and latency, as the balancer sees them."""
    return [
        _server_errors(load_balancer_arn_suffix, alerts.server_errors_per_5_minutes),
        _error_rate(load_balancer_arn_suffix, objectives.error_rate_percent),
        _latency(load_balancer_arn_suffix, objectives.latency_p95_s),
    ]


def query_watches(queries: Mapping[str, Metric], alerts: Alerts, objectives: Objectives) -> list[Watch]:
    """The alert and the objective on database query time. `queries` by service, each in milliseconds."""
    return [
        *_query_time(queries, "slow-database-queries", "The alert", alerts.database_query_p95_s),
        *_query_time(queries, "slo-database-query-time", "The objective", objectives.database_query_p95_s),
    ]


def _server_errors(balancer: pulumi.Input[str], per_5_minutes: float) -> Watch:
    return Watch(
        name="high-error-rate",
        description=(
            f"HighErrorRate: more than {per_5_minutes:g} responses with a 5xx status in 5 minutes, which is "
            f"{per_5_minutes / 300:g} per second. A count; the share of all requests is slo-error-rate"
        ),
        severity="critical",
        threshold=per_5_minutes,
        metrics=[_balancer("errors", "HTTPCode_Target_5XX_Count", "Sum", balancer)],
    )


def _error_rate(balancer: pulumi.Input[str], percent: float) -> Watch:
    # Without a healthy target the balancer answers 503 itself and does not count the request as one.
    return Watch(
        name="slo-error-rate",
        description=f"Objective missed: more than {percent:g} percent of an hour's requests got a 5xx status",
        severity="warning",
        threshold=percent,
        metrics=[
            _balancer("app", "HTTPCode_Target_5XX_Count", "Sum", balancer),
            _balancer("own", "HTTPCode_ELB_5XX_Count", "Sum", balancer),
            _balancer("requests", "RequestCount", "Sum", balancer),
        ],
        expression="100 * (FILL(app, 0) + FILL(own, 0)) / (FILL(requests, 0) + FILL(own, 0))",
        period_s=3600,
    )


def _latency(balancer: pulumi.Input[str], p95_s: float) -> Watch:
    return Watch(
        name="slo-latency",
        description=f"Objective missed: the slowest 5 percent of requests take more than {p95_s:g} seconds, "
        "for 15 minutes",
        severity="warning",
        threshold=p95_s,
        metrics=[_balancer("latency", "TargetResponseTime", "p95", balancer)],
        evaluation_periods=QUARTER_HOUR,
    )


def _query_time(queries: Mapping[str, Metric], name: str, which: str, p95_s: float) -> Iterator[Watch]:
    for service, metric in queries.items():
        yield Watch(
            name=f"{name}-{service}",
            description=f"{which}: the slowest 5 percent of {service}'s database queries take more than "
            f"{p95_s * 1000:g} ms, for 5 minutes",
            severity="warning",
            threshold=p95_s * 1000,
            metrics=[replace(metric, stat="p95")],
        )


def _balancer(ident: str, metric_name: str, stat: str, arn_suffix: pulumi.Input[str]) -> Metric:
    return Metric(
        id=ident,
        namespace="AWS/ApplicationELB",
        metric_name=metric_name,
        stat=stat,
        dimensions={"LoadBalancer": arn_suffix},
    )
