"""Where the services' own metrics go: Prometheus with its alert rules, and Grafana to look at them."""

from dataclasses import dataclass

from components.grafana import Grafana, GrafanaArgs
from components.prometheus import Prometheus, PrometheusArgs, Rule
from settings.model import Settings, watching
from wiring.foundation import Foundation


@dataclass(frozen=True, kw_only=True)
class Metrics:
    prometheus: Prometheus | None
    grafana: Grafana | None


def build(settings: Settings, base: Foundation) -> Metrics:
    wanted, dashboards = settings.observability.prometheus, settings.observability.grafana
    prometheus = _prometheus(settings, base, wanted) if wanted else None
    grafana = None
    if dashboards and dashboards.enabled:
        grafana = Grafana(
            "grafana",
            GrafanaArgs(
                workspace_name=settings.name_prefix,
                grafana_version=dashboards.version,
                account_id=settings.account,
                prometheus_arn=prometheus.arn if prometheus is not None else None,
                admin_group_ids=dashboards.admin_group_ids,
                tags=base.tags,
            ),
        )
    return Metrics(prometheus=prometheus, grafana=grafana)


def _prometheus(settings: Settings, base: Foundation, wanted: watching.Prometheus) -> Prometheus:
    return Prometheus(
        "prometheus",
        PrometheusArgs(
            alias=settings.name_prefix,
            group=wanted.group,
            rules=[
                Rule(
                    alert=rule.alert,
                    expr=rule.expr,
                    for_=rule.for_,
                    severity=rule.severity,
                    summary=rule.summary,
                    document_expr=rule.document_expr,
                )
                for rule in wanted.rules
            ],
            region=settings.region,
            topic_arns=base.notifications.topic_arns[settings.region],
            log_group_name=f"/aws/vendedlogs/prometheus/{settings.name_prefix}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            tags=base.tags,
        ),
    )
