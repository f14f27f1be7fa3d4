"""Alerts, objectives and dashboards: each has the thing that it looks at."""

from collections.abc import Iterator

from settings.model import Settings
from settings.problems import Path, Problem

DATABASE_SECTION = "Database Performance"


def figures_have_what_they_measure(settings: Settings) -> Iterator[Problem]:
    """A threshold on something that the product does not have would never be looked at, and nobody would notice."""
    observability = settings.observability
    alerts, slo = observability.alerts, observability.slo
    evicting = any(
        cache.parameters.get("maxmemory-policy") != "noeviction" for cache in settings.enabled_caches.values()
    )
    times_queries = bool(observability.log_fields and observability.log_fields.query_duration_ms)
    checked: list[tuple[Path, object, bool, str]] = [
        *(
            (("alerts", key), getattr(alerts, key), settings.database is not None, "a database")
            for key in ("database_connections", "database_connections_percent")
        ),
        *(
            (("alerts", key), getattr(alerts, key), evicting, "a cache that evicts keys")
            for key in ("cache_hit_ratio", "cache_evictions")
        ),
        (("slo", "cache_hit_ratio"), slo.cache_hit_ratio, evicting, "a cache that evicts keys"),
        (("alerts", "queue_waiting"), alerts.queue_waiting, bool(settings.queues), "a queue of `queues`"),
        *(
            (
                (block, "database_query_p95_s"),
                figure,
                times_queries,
                "observability.log_fields.query_duration_ms",
            )
            for block, figure in (("alerts", alerts.database_query_p95_s), ("slo", slo.database_query_p95_s))
        ),
    ]
    for path, figure, is_there, what in checked:
        if figure is not None and not is_there:
            yield Problem(
                path=("observability", *path),
                rule=f"needs {what}, and there is none to measure it by",
                got=figure,
                remedy="Remove it, or add that.",
            )


def prometheus_is_there(settings: Settings) -> Iterator[Problem]:
    observability = settings.observability
    prometheus, grafana = observability.prometheus, observability.grafana
    if prometheus and prometheus.rules and prometheus.group is None:
        yield Problem(
            path=("observability", "prometheus", "group"),
            rule="is missing, and the rules stand in it",
            remedy="Name it, such as core-matching.",
            file="system",
        )
    if prometheus is None and observability.business_metric is not None:
        yield Problem(
            path=("observability", "business_metric"),
            rule="names a metric of Prometheus, and there is none",
            got=observability.business_metric,
            remedy="Remove it, or add observability.prometheus.",
        )
    if prometheus is None and grafana and grafana.redirects and grafana.redirects.prometheus:
        yield Problem(
            path=("observability", "grafana", "redirects", "prometheus"),
            rule="would lead to Prometheus, and there is none",
            got=grafana.redirects.prometheus,
            remedy="Remove it, or add observability.prometheus.",
        )
    alerts = [rule.alert for rule in prometheus.rules] if prometheus else []
    for index, alert in enumerate(alerts):
        if alert in alerts[:index]:
            yield Problem(
                path=("observability", "prometheus", "rules", index, "alert"),
                rule="must be the name of one rule",
                got=alert,
                remedy="Choose another name.",
            )


def sections_can_be_drawn(settings: Settings) -> Iterator[Problem]:
    sections = settings.observability.dashboard.sections
    for index, section in enumerate(sections):
        path = ("observability", "dashboard", "sections", index)
        if section in sections[:index]:
            yield Problem(
                path=path, rule="must not stand twice", got=section, remedy="Remove one of the two."
            )
        elif section == DATABASE_SECTION and settings.database is None:
            yield Problem(
                path=path, rule="needs a database", got=section, remedy="Remove it, or add `database`."
            )


RULES = (figures_have_what_they_measure, prometheus_is_there, sections_can_be_drawn)
