"""A product's alerts and service level objectives, as watches: figures and ids in, plain data out.

An alert and its objective are two alarms, with two units: the alert HighErrorRate counts failed requests per
second, the objective is a share of all requests (RentalFix guide L517 and L668). What has no figure is not watched.
The cache's hit ratios are made by the Cache itself, availability by Uptime.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pulumi

from components._watch import Metric, Watch

QUARTER_HOUR = 3  # periods of 300 s
# Without a healthy target the balancer answers 503 itself and does not count the request as one.
_FAILED_PERCENT = "100 * (FILL(app, 0) + FILL(own, 0)) / (FILL(requests, 0) + FILL(own, 0))"


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """The documents' own thresholds: failed requests in 5 minutes, percent of all requests, and seconds."""

    server_errors_per_5_minutes: float | None = None
    error_rate_percent: float | None = None
    latency_p95_s: float | None = None
    database_query_p95_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """Seconds, and percent of all requests (RentalFix guide L666-670)."""

    latency_p95_s: float | None = None
    error_rate_percent: float | None = None
    database_query_p95_s: float | None = None


def request_watches(
    load_balancer_arn_suffix: pulumi.Input[str], alerts: Alerts, objectives: Objectives
) -> list[Watch]:
    """The alerts and the objectives on failures and latency, as the balancer sees them."""
    balancer = load_balancer_arn_suffix
    watches: list[Watch] = []
    if alerts.server_errors_per_5_minutes is not None:
        watches.append(_server_errors(balancer, alerts.server_errors_per_5_minutes))
    if alerts.error_rate_percent is not None:
        watches.append(_error_rate_alert(balancer, alerts.error_rate_percent))
    if alerts.latency_p95_s is not None:
        watches.append(_latency_alert(balancer, alerts.latency_p95_s))
    if objectives.error_rate_percent is not None:
        watches.append(_error_rate_objective(balancer, objectives.error_rate_percent))
    if objectives.latency_p95_s is not None:
        watches.append(_latency_objective(balancer, objectives.latency_p95_s))
    return watches


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
            f"{per_5_minutes / 300:g} per second. A count, not a share of all requests"
        ),
        severity="critical",
        threshold=per_5_minutes,
        metrics=[_balancer("errors", "HTTPCode_Target_5XX_Count", "Sum", balancer)],
    )


def _error_rate_alert(balancer: pulumi.Input[str], percent: float) -> Watch:
    return Watch(
        name="error-rate",
        description=f"More than {percent:g} percent of the requests of 5 minutes got a 5xx status",
        severity="critical",
        threshold=percent,
        metrics=_shares(balancer),
        expression=_FAILED_PERCENT,
    )


def _error_rate_objective(balancer: pulumi.Input[str], percent: float) -> Watch:
    return Watch(
        name="slo-error-rate",
        description=f"Objective missed: more than {percent:g} percent of an hour's requests got a 5xx status",
        severity="warning",
        threshold=percent,
        metrics=_shares(balancer),
        expression=_FAILED_PERCENT,
        period_s=3600,
    )


def _latency_alert(balancer: pulumi.Input[str], p95_s: float) -> Watch:
    return Watch(
        name="response-time",
        description=f"ResponseTimeHigh: the slowest 5 percent of requests take more than {p95_s:g} seconds, "
        "for 5 minutes",
        severity="warning",
        threshold=p95_s,
        metrics=[_balancer("latency", "TargetResponseTime", "p95", balancer)],
    )


def _latency_objective(balancer: pulumi.Input[str], p95_s: float) -> Watch:
    return Watch(
        name="slo-latency",
        description=f"Objective missed: the slowest 5 percent of requests take more than {p95_s:g} seconds, "
        "for 15 minutes",
        severity="warning",
        threshold=p95_s,
        metrics=[_balancer("latency", "TargetResponseTime", "p95", balancer)],
        evaluation_periods=QUARTER_HOUR,
    )


def _query_time(queries: Mapping[str, Metric], name: str, which: str, p95_s: float | None) -> Iterator[Watch]:
    if p95_s is None:
        return
    for service, metric in queries.items():
        yield Watch(
            name=f"{name}-{service}",
            description=f"{which}: the slowest 5 percent of {service}'s database queries take more than "
            f"{p95_s * 1000:g} ms, for 5 minutes",
            severity="warning",
            threshold=p95_s * 1000,
            metrics=[replace(metric, stat="p95")],
        )


def _shares(balancer: pulumi.Input[str]) -> list[Metric]:
    return [
        _balancer("app", "HTTPCode_Target_5XX_Count", "Sum", balancer),
        _balancer("own", "HTTPCode_ELB_5XX_Count", "Sum", balancer),
        _balancer("requests", "RequestCount", "Sum", balancer),
    ]


def _balancer(ident: str, metric_name: str, stat: str, arn_suffix: pulumi.Input[str]) -> Metric:
    return Metric(
        id=ident,
        namespace="AWS/ApplicationELB",
        metric_name=metric_name,
        stat=stat,
        dimensions={"LoadBalancer": arn_suffix},
    )
