"""How the stack is watched: logs, metrics, alerts and goals."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from settings.model.fields import (
    Count,
    Duration,
    Items,
    Label,
    Matching,
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
from settings.model.log_router import LogRouter

Severity = Literal["critical", "warning"]
AlarmName = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9][A-Za-z0-9_./-]{0,254}$",
        "up to 255 letters, digits, dots, slashes, hyphens and underscores, a letter or digit first",
        "api-high-cpu",
    ),
]


class PrometheusRule(Model):
    """An alert of Prometheus, from the product's documents."""

    alert: Text = in_system("Name")
    expr: Text = in_system("PromQL")
    for_: Duration = in_system("It must hold so long", alias="for")
    severity: Severity = in_system("Which receivers hear of it")
    summary: Text = in_system("What it means, with the unit")
    document_expr: Text | None = in_system(
        "The documents' own expression, where it could never fire as it stands; `expr` is the corrected one",
        default=None,
    )


class Prometheus(Model):
    """A workspace of Amazon Managed Prometheus that scrapes every service with a `metrics` port."""

    scrape_interval_s: Positive = in_system("Seconds between two scrapes (RentalFix guide L471: 15)")
    group: Name | None = in_system("Name of the group of rules; only `rules` need it", default=None)
    rules: Items[PrometheusRule] = in_system("Alerts; none: it only keeps figures", default=())


class GrafanaRedirects(Model):
    """Host labels that lead to the managed workspaces (RentalFix guide L683-684)."""

    grafana: Label = in_system("Label that leads to Grafana")
    prometheus: Label | None = in_system("Label that leads to Prometheus; none: it has none", default=None)


class Grafana(Model):
    """A workspace of Amazon Managed Grafana; people sign in through IAM Identity Center."""

    enabled: bool = in_stack("Made or not", default=True)
    version: Version = in_stack("Version of Grafana, such as 10.4")
    admin_group_ids: Items[Text] = in_stack(
        "Ids of the IAM Identity Center groups whose members administrate; none: an operator grants the first",
        default=(),
    )
    dashboards: Items[Positive] = in_system("Ids of dashboards on grafana.com to import", default=())
    redirects: GrafanaRedirects | None = in_system("Hosts that lead to the workspaces", default=None)


class Alerts(Model):
    """Thresholds of the product's own documents. Left out: no such alarm, or Groundwork's own figure."""

    server_errors_per_5_minutes: Positive | None = in_system(
        "5xx answers in 5 minutes (RentalFix guide L517: 0.05 per second; FixRx guide L359: 0.1)",
        default=None,
    )
    error_rate_percent: Percent | None = in_system(
        "Share of the requests of 5 minutes that get a 5xx answer (sports nutrition guide L518: 1)",
        default=None,
    )
    latency_p95_s: Seconds | None = in_system(
        "95th percentile of the time to answer, in seconds, for 5 minutes (FixRx guide L374: 1)", default=None
    )
    cache_hit_ratio: Ratio | None = in_system(
        "Least share of cache reads that hit, 0 to 1 (RentalFix guide L523: 0.7)", default=None
    )
    database_query_p95_s: Seconds | None = in_system(
        "95th percentile of a query, in seconds (RentalFix guide L527: 1)", default=None
    )
    database_connections: Positive | None = in_system(
        "Connections to the database, for 2 minutes (FixRx guide L366: 80)", default=None
    )
    database_connections_percent: Percent | None = in_system(
        "Share of the connections that the services' pools or max_connections allow, whichever is fewer "
        "(sports nutrition guide L519: 80); left out: 80 of max_connections",
        default=None,
    )
    service_cpu_percent: Percent | None = in_system(
        "CPU of a service, averaged over its tasks, for 5 minutes (sports nutrition guide L520: 80); "
        "left out: 90 for 15 minutes",
        default=None,
    )
    service_memory_percent: Percent | None = in_system(
        "Memory of a service, averaged over its tasks, for 5 minutes (sports nutrition guide L521: 85); "
        "left out: 90 for 15 minutes",
        default=None,
    )
    storage_used_percent: Percent | None = in_system(
        "Share of the database's volume, and of a task's own storage, in use (FixRx guide L492: 80); "
        "left out: 90 of the database's",
        default=None,
    )
    cache_evictions: Count | None = in_system(
        "Keys that a node evicts in 5 minutes, more than (sports nutrition guide L523: 0); left out: 1000",
        default=None,
    )
    certificate_days: Annotated[int, Field(ge=1, le=44)] = in_system(
        "Days until a certificate expires, fewer than; ACM renews 45 days ahead", default=30
    )
    error_logs_per_5_minutes: Positive = in_system(
        "Lines of level error that one service may write in 5 minutes", default=10
    )
    queue_waiting: Positive | None = in_system(
        "Jobs that wait in one queue, more than, for 10 minutes", default=None
    )
    queue_oldest_wait_s: Positive = in_system(
        "Seconds that the oldest job of a queue may wait, for 10 minutes", default=300
    )
    failed_jobs_rising_minutes: Literal[5, 10, 15, 20, 30, 60] = in_system(
        "Minutes for which jobs of a queue keep failing (TypeScript service guide L409)", default=5
    )


class Slo(Model):
    """Service level objectives (RentalFix guide L664-670). Left out: no such objective."""

    availability_percent: Percent | None = in_system("Share of health checks that succeed", default=None)
    latency_p95_s: Seconds | None = in_system(
        "95th percentile of the time to answer, in seconds", default=None
    )
    error_rate_percent: Percent | None = in_system("Share of answers that are 5xx, at most", default=None)
    cache_hit_ratio: Ratio | None = in_system("Least share of cache reads that hit, 0 to 1", default=None)
    database_query_p95_s: Seconds | None = in_system("95th percentile of a query, in seconds", default=None)


DashboardSection = Literal[
    "Application Metrics",
    "Request Rate & Latency",
    "Error Rate",
    "Resource Usage (CPU, Memory)",
    "Database Performance",
]


class Dashboard(Model):
    """What stands on the dashboard."""

    sections: Items[DashboardSection] = in_system(
        "These sections and no others, in this order (monorepo guide L506-511); "
        "left out: the alarms, the requests, and a graph of whatever is watched",
        default=(),
    )


DataIdentifier = Annotated[
    str,
    Matching(
        r"^[A-Z][A-Za-z]+(-[A-Z]{2})?$",
        "the name of a managed data identifier of CloudWatch Logs, with its country where it has one",
        "IpAddress",
    ),
]


class LogFields(Model):
    """What the services call these things in their JSON logs (RentalFix guide L531-545)."""

    level: Text = in_system("Field with the level, such as error")
    duration_ms: Text | None = in_system(
        "Field with a request's duration in milliseconds; none: they do not say", default=None
    )
    query_duration_ms: Text | None = in_system(
        "Field with a query's duration in milliseconds; none: they do not say", default=None
    )


class AlarmChange(Model):
    """What one alarm is to the product."""

    title: Text | None = in_system(
        "What the product's documents call it, such as ResponseTimeHigh; it begins the description",
        default=None,
    )
    severity: Severity | None = in_system("Who is told; none: as Groundwork has it", default=None)


class Observability(Model):
    """Logs, metrics, alerts and goals."""

    log_retention_days: RetentionDays = in_stack("Logs are kept so long, in days")
    prometheus: Prometheus | None = in_system("Scraping and alerts; none: there is none", default=None)
    grafana: Grafana | None = in_system("Dashboards; none: CloudWatch's alone", default=None)
    alerts: Alerts = in_system("Thresholds of the product's own", default=Alerts())
    slo: Slo = in_system("Service level objectives", default=Slo())
    dashboard: Dashboard = in_system("What stands on CloudWatch's dashboard", default=Dashboard())
    alarm_names: Mapping[Text, AlarmName] = in_stack(
        "Names of alarms that scripts use already, by what Groundwork calls them: {api-cpu: api-high-cpu}",
        default={},
    )
    alarms: Mapping[Text, AlarmChange] = in_system(
        "What single alarms are to the product, by what Groundwork calls them", default={}
    )
    business_metric: Text | None = in_system(
        "A metric of the product's own that the dashboard shows", default=None
    )
    runbook_url_prefix: Text = in_system("Where docs/runbooks is read; alarms link to <this><page>.md")
    log_fields: LogFields | None = in_system(
        "Names of the fields in the services' logs; none: they are plain text, and the word ERROR marks an error",
        default=None,
    )
    masked: Items[DataIdentifier] = in_system(
        "Kinds of personal data that the logs show masked, beside addresses and the numbers of telephones, cards, "
        "accounts and social security (CloudWatch Logs, managed data identifiers): [IpAddress]",
        default=(),
    )
    log_router: LogRouter | None = in_system(
        "Sends a copy of the services' logs elsewhere; none: they are in CloudWatch only", default=None
    )
