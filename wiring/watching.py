"""What is looked at: alarms for everything that asks to be watched, objectives, logs as figures, a dashboard."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from components import _slo
from components._dashboard import (
    AlarmStates,
    Section,
    Text,
    Widget,
    errors_graph,
    latency_graph,
    rate_graph,
    requests,
    watched,
)
from components._watch import Watch
from components.alarms import Alarms, AlarmsArgs, Change
from components.dashboard import Dashboard, DashboardArgs
from components.log_insights import PERSONAL_DATA, LogFields, LogInsights, LogInsightsArgs
from components.uptime import Uptime, UptimeArgs
from components.webhook_notifier import WebhookNotifier
from settings.model import Settings
from wiring import telling
from wiring.edge import Edge
from wiring.foundation import Foundation
from wiring.metrics import Metrics
from wiring.recovery import Recovery
from wiring.stores import Stores
from wiring.workloads import Workloads

# Figures of CPU and memory, whatever has them.
RESOURCES = {
    "CPUUtilization",
    "DatabaseMemoryUsagePercentage",
    "EngineCPUUtilization",
    "FreeableMemory",
    "MemoryUtilization",
}


@dataclass(frozen=True, kw_only=True)
class Watching:
    alarms: Alarms
    dashboard: Dashboard
    insights: LogInsights | None
    uptime: Mapping[str, Uptime]
    notifiers: Mapping[str, WebhookNotifier]


def build(
    settings: Settings,
    base: Foundation,
    metrics: Metrics,
    data: Stores,
    front: Edge,
    work: Workloads,
    safety: Recovery,
) -> Watching:
    insights = _insights(settings, base, work) if work.log_groups else None
    uptime = {
        name: Uptime(
            f"uptime-{name}",
            UptimeArgs(
                host=settings.hosts[service.public.host],
                path=service.checked_path,
                availability_percent=settings.observability.slo.availability_percent,
                tags=base.tags,
            ),
        )
        for name, service in settings.services.items()
        if service.public and name in work.services
    }
    notifiers = telling.build(settings, base, data)
    parts: Mapping[str, Sequence[Watch]] = {
        "Objectives": [*_objectives(settings, front, insights), *_hit_ratios(settings, data)],
        "From outside": [watch for check in uptime.values() for watch in check.watches],
        "Edge": [
            *(front.load_balancer.watches if front.load_balancer else []),
            *front.web_acl.watches,
            *front.certificate.watches,
        ],
        "Content": list(front.content.watches) if front.content else [],
        "Services": [watch for service in work.services.values() for watch in service.watches],
        "Kubernetes": list(work.kubernetes.watches) if work.kubernetes else [],
        "Queues": list(work.queue_metrics.watches) if work.queue_metrics else [],
        "Logs": [
            *(insights.watches if insights else []),
            *(watch for task in work.definitions.values() for watch in task.watches),
        ],
        "Database": [
            *(data.database.watches if data.database else []),
            *(data.proxy.watches if data.proxy else []),
        ],
        "Caches": [watch for cache in data.caches.values() for watch in cache.watches],
        "Brokers": [watch for broker in data.brokers.values() for watch in broker.watches],
        "Network": [*base.network.watches, *(base.admin_access.watches if base.admin_access else [])],
        "Notifications": [watch for notifier in notifiers.values() for watch in notifier.watches],
        "Metrics": [
            *(metrics.prometheus.watches if metrics.prometheus else []),
            *(work.collector.watches if work.collector else []),
        ],
        "Recovery": [
            *(safety.backups.watches if safety.backups else []),
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
            responses=settings.notifications.responses.by_severity,
            changes=_changes(settings),
            tags=base.tags,
        ),
    )
    dashboard = Dashboard(
        "dashboard",
        DashboardArgs(
            dashboard_name=settings.name_prefix,
            region=settings.region,
            sections=list(
                _sections(
                    settings,
                    parts,
                    front,
                    AlarmStates(title="Alarms", alarm_arns=list(alarms.arns.values())),
                )
            ),
        ),
    )
    return Watching(alarms=alarms, dashboard=dashboard, insights=insights, uptime=uptime, notifiers=notifiers)


def _insights(settings: Settings, base: Foundation, work: Workloads) -> LogInsights:
    fields = settings.observability.log_fields
    return LogInsights(
        "logs",
        LogInsightsArgs(
            log_groups=work.log_groups,
            namespace=base.path,
            query_prefix=settings.name_prefix,
            fields=LogFields(
                level=fields.level,
                duration_ms=fields.duration_ms,
                query_duration_ms=fields.query_duration_ms,
            )
            if fields
            else None,
            error_lines_per_5_minutes=settings.observability.alerts.error_logs_per_5_minutes,
            personal_data=list(dict.fromkeys([*PERSONAL_DATA, *settings.observability.masked])),
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
        if alert is not None:
            yield from cache.hit_ratio_watches(
                "low-hit-ratio", alert, "warning", f"LowCacheHitRate: fewer than {alert:.0%} of the reads hit"
            )
        if goal is not None:
            yield from cache.hit_ratio_watches(
                "slo-hit-ratio", goal, "warning", f"Objective missed: fewer than {goal:.0%} of the reads hit"
            )


def _objectives(settings: Settings, front: Edge, insights: LogInsights | None) -> Iterator[Watch]:
    observability = settings.observability
    alerts = _slo.Alerts(
        server_errors_per_5_minutes=observability.alerts.server_errors_per_5_minutes,
        error_rate_percent=observability.alerts.error_rate_percent,
        latency_p95_s=observability.alerts.latency_p95_s,
        database_query_p95_s=observability.alerts.database_query_p95_s,
    )
    objectives = _slo.Objectives(
        latency_p95_s=observability.slo.latency_p95_s,
        error_rate_percent=observability.slo.error_rate_percent,
        database_query_p95_s=observability.slo.database_query_p95_s,
    )
    if front.load_balancer is not None:
        yield from _slo.request_watches(front.load_balancer.arn_suffix, alerts, objectives)
    if insights is not None:
        yield from _slo.query_watches(insights.query_durations, alerts, objectives)


def _changes(settings: Settings) -> dict[str, Change]:
    """What single alarms are called, and to whom they go, where the product has it otherwise."""
    names, alarms = settings.observability.alarm_names, settings.observability.alarms
    # The watches of a service come with its first image.
    absent = [f"-{name}-" for name, service in settings.services.items() if not service.is_started]
    changes = {}
    for watch in {**alarms, **names}:
        if any(service in f"-{watch}-" for service in absent):
            continue
        change = alarms.get(watch)
        changes[watch] = Change(
            name=names.get(watch),
            title=change.title if change else None,
            severity=change.severity if change else None,
        )
    return changes


def _sections(
    settings: Settings, parts: Mapping[str, Sequence[Watch]], front: Edge, states: AlarmStates
) -> Iterator[Section]:
    """Those that the product asks for; else requests, then a graph of whatever can raise an alarm, part by part."""
    asked = settings.observability.dashboard.sections
    if asked:
        widgets = _asked_widgets(settings, parts, front, states)
        yield from (Section(title=title, widgets=widgets[title]) for title in asked)
        return
    yield Section(title="Alarms", widgets=[states])
    if front.load_balancer is not None:
        yield requests(front.load_balancer.arn_suffix)
    for title, watches in parts.items():
        if watches:
            yield watched(title, watches)
    if note := _business(settings):
        yield Section(title="Business", widgets=[note])


def _asked_widgets(
    settings: Settings, parts: Mapping[str, Sequence[Watch]], front: Edge, states: AlarmStates
) -> dict[str, list[Widget]]:
    """By the titles of the monorepo guide (L506-511)."""
    balancer = front.load_balancer.arn_suffix if front.load_balancer else None
    note = _business(settings)
    application = [*parts["From outside"], *parts["Services"], *parts["Queues"]]
    failures = [watch for watch in parts["Objectives"] if _measures(watch, {"HTTPCode_Target_5XX_Count"})]
    everything = [watch for watches in parts.values() for watch in watches]
    return {
        "Application Metrics": [
            states,
            *([note] if note else []),
            *_graphs([watch for watch in application if not _measures(watch, RESOURCES)]),
        ],
        "Request Rate & Latency": [rate_graph(balancer), latency_graph(balancer)]
        if balancer is not None
        else [],
        "Error Rate": [
            *([errors_graph(balancer)] if balancer is not None else []),
            *_graphs([*failures, *parts["Logs"]]),
        ],
        "Resource Usage (CPU, Memory)": _graphs(
            [watch for watch in everything if _measures(watch, RESOURCES)]
        ),
        "Database Performance": _graphs(
            [watch for watch in parts["Database"] if not _measures(watch, RESOURCES)]
        ),
    }


def _graphs(watches: Sequence[Watch]) -> list[Widget]:
    return list(watched("", watches).widgets)


def _measures(watch: Watch, metric_names: Set[str]) -> bool:
    return any(metric.metric_name in metric_names for metric in watch.metrics)


def _business(settings: Settings) -> Text | None:
    business = settings.observability.business_metric
    if business is None:
        return None
    return Text(markdown=f"`{business}` is a metric of Prometheus: Grafana has its graph.")
