"""How the stack is watched: logs, metrics, alerts, goals, and who is told."""

from typing import Literal

from settings.model.fields import (
    Duration,
    Email,
    Items,
    Label,
    Model,
    Name,
    Percent,
    Positive,
    Ratio,
    RetentionDays,
    Seconds,
    Text,
    Version,
    in_stack,
    in_system,
)


class PrometheusRule(Model):
    """An alert of Prometheus, word for word from the product's documents."""

    alert: Text = in_system("Name")
    expr: Text = in_system("PromQL")
    for_: Duration = in_system("It must hold so long", alias="for")
    severity: Literal["critical", "warning"] = in_system("Which receivers hear of it")
    summary: Text = in_system("What it means, with the unit")


class Prometheus(Model):
    """A workspace of Amazon Managed Prometheus that scrapes every service with a `metrics` port."""

    scrape_interval_s: Positive = in_system("Seconds between two scrapes (RentalFix guide L471: 15)")
    group: Name = in_system("Name of the group of rules")
    rules: Items[PrometheusRule] = in_system("Alerts", min_length=1)


class GrafanaRedirects(Model):
    """Host labels that lead to the managed workspaces (RentalFix guide L683-684)."""

    grafana: Label = in_system("Label that leads to Grafana")
    prometheus: Label = in_system("Label that leads to Prometheus")


class Grafana(Model):
    """A workspace of Amazon Managed Grafana; people sign in through IAM Identity Center."""

    enabled: bool = in_stack("Made or not")
    version: Version = in_stack("Version of Grafana, such as 10.4")
    admin_group_ids: Items[Text] = in_stack(
        "Ids of the IAM Identity Center groups whose members administrate; none: an operator grants the first",
        default=(),
    )
    dashboards: Items[Positive] = in_system("Ids of dashboards on grafana.com to import", default=())
    redirects: GrafanaRedirects | None = in_system("Hosts that lead to the workspaces", default=None)


class Alerts(Model):
    """CloudWatch's twins of the Prometheus alerts, so that they hold without Prometheus too."""

    server_errors_per_5_minutes: Positive = in_system(
        "5xx answers in 5 minutes (RentalFix guide L517: 0.05 per second)"
    )
    cache_hit_ratio: Ratio = in_system("Least share of cache reads that hit, 0 to 1 (L523)")
    database_query_p95_s: Seconds = in_system("95th percentile of a query, in seconds (L527)")


class Slo(Model):
    """Service level objectives (RentalFix guide L664-670)."""

    availability_percent: Percent = in_system("Share of health checks that succeed")
    latency_p95_s: Seconds = in_system("95th percentile of the time to answer, in seconds")
    error_rate_percent: Percent = in_system("Share of answers that are 5xx, at most")
    cache_hit_ratio: Ratio = in_system("Least share of cache reads that hit, 0 to 1")
    database_query_p95_s: Seconds = in_system("95th percentile of a query, in seconds")


class LogFields(Model):
    """What the services call these things in their JSON logs (RentalFix guide L531-545)."""

    level: Text = in_system("Field with the level, such as error")
    duration_ms: Text = in_system("Field with a request's duration in milliseconds")
    query_duration_ms: Text = in_system("Field with a query's duration in milliseconds")


class Observability(Model):
    """Logs, metrics, alerts and goals."""

    log_retention_days: RetentionDays = in_stack("Logs are kept so long, in days")
    prometheus: Prometheus = in_system("Scraping and alerts")
    grafana: Grafana = in_system("Dashboards")
    alerts: Alerts = in_system("CloudWatch's twins of the alerts")
    slo: Slo = in_system("Service level objectives")
    business_metric: Text | None = in_system(
        "A metric of the product's own that the dashboard shows", default=None
    )
    runbook_url_prefix: Text = in_system("Where docs/runbooks is read; alarms link to <this><page>.md")
    log_fields: LogFields = in_system("Names of the fields in the services' logs")


class Notifications(Model):
    """Who is told, by severity. Each address confirms its subscription by e-mail."""

    critical: Items[Email] = in_stack("Wakes somebody up")
    warning: Items[Email] = in_stack("Is read in working hours")
