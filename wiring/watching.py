"""What is looked at: alarms for everything that asks to be watched, objectives, logs as figures, a dashboard."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from components import _slo
from components._dashboard import AlarmStates, Section, Text, requests, watched
from components._watch import Watch
from components.alarms import Alarms, AlarmsArgs
from components.dashboard import Dashboard, DashboardArgs
from components.log_insights import LogFields, LogInsights, LogInsightsArgs
from components.uptime import Uptime, UptimeArgs
from settings.model import Settings
from wiring.edge import Edge
from wiring.foundation import Foundation
from wiring.metrics import Metrics
from wiring.recovery import Recovery
from wiring.stores import Stores
from wiring.workloads import Workloads


@dataclass(frozen=True, kw_only=True)
class Watching:
    alarms: Alarms
    dashboard: Dashboard
    insights: LogInsights | None
    uptime: Mapping[str, Uptime]


def build(
    settings: Settings,
    base: Foundation,
    metrics: Metrics,
    data: Stores,
    front: Edge,
    work: Workloads,
    safety: Recovery,
) -> Watching:
    insights = _insights(settings, base, work) if work.definitions else None
    uptime = {
        name: Uptime(
            f"uptime-{name}",
            UptimeArgs(
                host=settings.hosts[service.public.host],
                path=service.health.path or "/",
                availability_percent=settings.observability.slo.availability_percent,
                tags=base.tags,
            ),
        )
        for name, service in settings.services.items()
        if service.public and name in work.services
    }
    parts: Mapping[str, Sequence[Watch]] = {
        "Objectives": [*_objectives(settings, front, insights), *_hit_ratios(settings, data)],
        "From outside": [watch for check in uptime.values() for watch in check.watches],
        "Edge": [*front.load_balancer.watches, *front.web_acl.watches, *front.certificate.watches],
        "Services": [watch for service in work.services.values() for watch in service.watches],
        "Queues": list(work.queue_metrics.watches) if work.queue_metrics else [],
        "Logs": list(insights.watches) if insights else [],
        "Database": data.database.watches,
        "Caches": [watch for cache in data.caches.values() for watch in cache.watches],
        "Network": base.network.watches,
        "Metrics": [
            *metrics.prometheus.watches,
            *(work.collector.watches if work.collector else []),
        ],
        "Recovery": [
            *safety.backups.watches,
            *safety.watches,
            *(watch for schedule in safety.schedules.values() for watch in schedule.watches),
        ],
    }
    alarms = Alarms(
        "alarms",
        AlarmsArgs(
            watches=[watch for watches in parts.values() for watch in watches],
            topic_arns=base.notifications.topic_arns,
            region=settings.region,
            name_prefix=settings.name_prefix,
            runbook_url_prefix=settings.observability.runbook_url_prefix,
            tags=base.tags,
        ),
    )
    dashboard = Dashboard(
        "dashboard",
        DashboardArgs(
            dashboard_name=settings.name_prefix,
            region=settings.region,
            sections=[
                Section(
                    title="Alarms",
                    widgets=[AlarmStates(title="Alarms", alarm_arns=list(alarms.arns.values()))],
                ),
                *_sections(settings, parts, front),
            ],
        ),
    )
    return Watching(alarms=alarms, dashboard=dashboard, insights=insights, uptime=uptime)


def _insights(settings: Settings, base: Foundation, work: Workloads) -> LogInsights:
    fields = settings.observability.log_fields
    return LogInsights(
        "logs",
        LogInsightsArgs(
            log_groups={name: task.log_group_name for name, task in work.definitions.items()},
            namespace=base.path,
            query_prefix=settings.name_prefix,
            fields=LogFields(
                level=fields.level,
                duration_ms=fields.duration_ms,
                query_duration_ms=fields.query_duration_ms,
            ),
        ),
    )


def _hit_ratios(settings: Settings, data: Stores) -> Iterator[Watch]:
    """Two figures, as the product's documents have them: the alert wakes, the objective is looked at later.

    Only where the cache may evict: in a queue a miss means nothing.
    """
    alert, goal = settings.observability.alerts.cache_hit_ratio, settings.observability.slo.cache_hit_ratio
    for name, cache in data.caches.items():
        if settings.caches[name].parameters.get("maxmemory-policy") == "noeviction":
            continue
        yield from cache.hit_ratio_watches(
            "low-hit-ratio", alert, "warning", f"LowCacheHitRate: fewer than {alert:.0%} of the reads hit"
        )
        yield from cache.hit_ratio_watches(
            "slo-hit-ratio", goal, "warning", f"Objective missed: fewer than {goal:.0%} of the reads hit"
        )


def _objectives(settings: Settings, front: Edge, insights: LogInsights | None) -> Iterator[Watch]:
    observability = settings.observability
    alerts = _slo.Alerts(
        server_errors_per_5_minutes=observability.alerts.server_errors_per_5_minutes,
        database_query_p95_s=observability.alerts.database_query_p95_s,
    )
    objectives = _slo.Objectives(
        latency_p95_s=observability.slo.latency_p95_s,
        error_rate_percent=observability.slo.error_rate_percent,
        database_query_p95_s=observability.slo.database_query_p95_s,
    )
    yield from _slo.request_watches(front.load_balancer.arn_suffix, alerts, objectives)
    if insights is not None:
        yield from _slo.query_watches(insights.query_durations, alerts, objectives)


def _sections(settings: Settings, parts: Mapping[str, Sequence[Watch]], front: Edge) -> Iterator[Section]:
    """Requests first, then a graph of whatever can raise an alarm, part by part."""
    yield requests(front.load_balancer.arn_suffix)
    for title, watches in parts.items():
        if watches:
            yield watched(title, watches)
    business = settings.observability.business_metric
    if business is not None:
        note = f"`{business}` is a metric of Prometheus: Grafana has its graph."
        yield Section(title="Business", widgets=[Text(markdown=note)])
