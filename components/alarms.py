"""What the components want watched, as CloudWatch alarms that tell the right people.

One alarm per watch, and one composite that is in alarm while anything critical is, for deployments and people
to ask. The composite tells nobody itself: each of its alarms already does.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

import pulumi
import pulumi_aws as aws

from components._watch import Metric, Severity, Watch

MAX_NAME = 255  # CloudWatch API, PutMetricAlarm
MAX_DESCRIPTION = 1024
DAY_S, HOUR_S = 86_400, 3600
MAX_IN_COMPOSITE = 100  # CloudWatch API, PutCompositeAlarm, AlarmRule
_STATISTICS = {"Average", "Maximum", "Minimum", "SampleCount", "Sum"}

# The page in docs/runbooks for what a namespace watches. Our own namespaces (the application's log figures, the
# queues and the dumps) are told apart by the metric's name.
RUNBOOKS: Mapping[str, str] = {
    "AWS/AmazonMQ": "broker",
    "AWS/ApplicationELB": "load-balancer",
    "AWS/Backup": "backups",
    "AWS/CertificateManager": "certificate",
    "AWS/ClientVPN": "admin-access",
    "AWS/CloudFront": "cdn",
    "AWS/ECS": "service",
    "AWS/ElastiCache": "cache",
    "AWS/Lambda": "notifications",
    "AWS/NATGateway": "network",
    "AWS/Prometheus": "prometheus",
    "AWS/RDS": "database",
    "AWS/Route53": "availability",
    "AWS/SQS": "notifications",
    "AWS/Scheduler": "schedule",
    "AWS/WAFV2": "web-acl",
    "ContainerInsights": "kubernetes",
    "ECS/ContainerInsights": "service",
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an alarm is to the product, where that is not what its component says. `title` begins the description."""

    name: str | None = None  # physical
    title: str | None = None
    severity: Severity | None = None


@dataclass(frozen=True, kw_only=True)
class AlarmsArgs:
    """`name_prefix` "rentalfix-prod" begins each alarm's physical name; `topic_arns` by region and severity.

    `runbook_url_prefix` stands before "<page>.md"; `responses` says by severity what the product promises, such as
    "P1: answered within 15 minutes", and stands in each description. `changes` are by the watch's name. Raises
    ValueError on repeated names, on a change to a watch that is not there, on a region without topics, on a namespace
    without a runbook, and on what CloudWatch's limits refuse.
    """

    watches: Sequence[Watch]
    topic_arns: Mapping[str, Mapping[Severity, pulumi.Input[str]]]
    region: str
    name_prefix: str
    runbook_url_prefix: str
    responses: Mapping[Severity, str] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def changed_watches(self) -> list[Watch]:
        """The watches as the product wants them."""
        return [_changed(watch, self.changes.get(watch.name, Change())) for watch in self.watches]

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ValueError("alarms: " + "; ".join(problems))


class Alarms(pulumi.ComponentResource):
    """`names` are physical, sorted; `arns` by the watch's name; `critical_name` is the composite, if there is one."""

    names: Sequence[str]
    arns: Mapping[str, pulumi.Output[str]]
    critical_name: pulumi.Output[str] | None

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:observability:Alarms", name, None, opts)

        watches = args.changed_watches
        alarms = {watch.name: self._alarm(name, args, watch) for watch in watches}
        critical = [alarms[watch.name] for watch in _critical(args)]

        self.names = sorted(_physical_name(args, watch) for watch in watches)
        self.arns = {watch_name: alarm.arn for watch_name, alarm in alarms.items()}
        self.critical_name = self._critical(name, args, critical) if critical else None
        self.register_outputs({"names": self.names, "arns": self.arns, "critical_name": self.critical_name})

    def _alarm(self, name: str, args: AlarmsArgs, watch: Watch) -> aws.cloudwatch.MetricAlarm:
        single = watch.metrics[0] if watch.expression is None else None
        topic_arn = args.topic_arns[watch.region or args.region][watch.severity]
        percentile = single is not None and single.stat not in _STATISTICS
        return aws.cloudwatch.MetricAlarm(
            f"{name}-{watch.name}",
            name=_physical_name(args, watch),
            alarm_description=_description(args, watch),
            region=watch.region,
            namespace=single.namespace if single else None,
            metric_name=single.metric_name if single else None,
            dimensions=single.dimensions if single else None,
            statistic=single.stat if single and not percentile else None,
            extended_statistic=single.stat if single and percentile else None,
            period=watch.period_s if single else None,
            metric_queries=None if single else _queries(watch),
            comparison_operator=watch.comparison,
            threshold=watch.threshold,
            evaluation_periods=watch.evaluation_periods,
            datapoints_to_alarm=watch.datapoints_to_alarm,
            treat_missing_data=watch.treat_missing_data,
            alarm_actions=[topic_arn],
            ok_actions=[topic_arn],
            tags={**args.tags, "Name": _physical_name(args, watch), "severity": watch.severity},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _critical(
        self, name: str, args: AlarmsArgs, critical: Sequence[aws.cloudwatch.MetricAlarm]
    ) -> pulumi.Output[str]:
        """One composite over all of them; over composites where they are more than one takes."""
        names = [alarm.name for alarm in critical]
        if len(names) > MAX_IN_COMPOSITE:
            parts = [
                names[start : start + MAX_IN_COMPOSITE] for start in range(0, len(names), MAX_IN_COMPOSITE)
            ]
            names = [
                self._composite(name, args, f"critical-{number}", part)
                for number, part in enumerate(parts, 1)
            ]
        return self._composite(name, args, "critical", names)

    def _composite(
        self, name: str, args: AlarmsArgs, label: str, names: Sequence[pulumi.Output[str]]
    ) -> pulumi.Output[str]:
        composite = aws.cloudwatch.CompositeAlarm(
            f"{name}-{label}",
            alarm_name=f"{args.name_prefix}-{label}",
            alarm_description="In alarm while any critical alarm of this stack is; each of them tells its readers.",
            alarm_rule=pulumi.Output.all(*names).apply(
                lambda known: " OR ".join(f'ALARM("{each}")' for each in known)
            ),
            tags={**args.tags, "Name": f"{args.name_prefix}-{label}"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return composite.alarm_name


def runbook_page(watch: Watch) -> str | None:
    """The name of the watch's page in docs/runbooks, or None for an AWS namespace that has none yet."""
    metric = watch.metrics[0]
    if metric.namespace.startswith(("AWS/", "ECS/", "ContainerInsights")):
        return RUNBOOKS.get(metric.namespace)
    own = {"Queue": "queues", "Dump": "backups", "Verify": "backups", "Task": "schedule"}
    return next((page for start, page in own.items() if metric.metric_name.startswith(start)), "application")


def _critical(args: AlarmsArgs) -> list[Watch]:
    """A composite sees only the alarms of its own region."""
    return [w for w in args.changed_watches if w.severity == "critical" and w.region in (None, args.region)]


def _changed(watch: Watch, change: Change) -> Watch:
    text = watch.description if change.title is None else f"{change.title}: {watch.description}"
    return replace(watch, description=text, severity=change.severity or watch.severity)


def _physical_name(args: AlarmsArgs, watch: Watch) -> str:
    change = args.changes.get(watch.name)
    return change.name if change is not None and change.name else f"{args.name_prefix}-{watch.name}"


def _description(args: AlarmsArgs, watch: Watch) -> str:
    text = watch.description if watch.description.endswith(".") else f"{watch.description}."
    response = args.responses.get(watch.severity)
    promised = f" {response}." if response else ""
    return f"{text}{promised} Runbook: {args.runbook_url_prefix}{runbook_page(watch)}.md"


def _queries(watch: Watch) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgsDict]:
    result: aws.cloudwatch.MetricAlarmMetricQueryArgsDict = {
        "id": "result",
        "expression": watch.expression,
        "label": watch.name,
        "return_data": True,
    }
    return [result, *(_query(metric, watch.period_s) for metric in watch.metrics)]


def _query(metric: Metric, period_s: int) -> aws.cloudwatch.MetricAlarmMetricQueryArgsDict:
    return {
        "id": metric.id,
        "return_data": False,
        "metric": {
            "namespace": metric.namespace,
            "metric_name": metric.metric_name,
            "dimensions": metric.dimensions,
            "stat": metric.stat,
            "period": period_s,
        },
    }


def _problems(args: AlarmsArgs) -> Iterator[str]:
    names = [watch.name for watch in args.watches]
    for repeated in sorted({name for name in names if names.count(name) > 1}):
        yield f"two watches are called {repeated!r}; give each its own name"
    for taken in sorted(name for name in names if re.fullmatch(r"critical(-\d+)?", name)):
        yield f"no watch may be called {taken!r}: that is a composite's name"
    for changed in sorted(args.changes.keys() - set(names)):
        nearest = get_close_matches(changed, names, n=1, cutoff=0)
        hint = f"the nearest is {nearest[0]!r}" if nearest else "there are none"
        yield f"changes names {changed!r}, and no watch is called so; {hint}"
    physical = [_physical_name(args, watch) for watch in args.watches]
    for repeated in sorted({each for each in physical if physical.count(each) > 1}):
        if names.count(repeated.removeprefix(f"{args.name_prefix}-")) < 2:
            yield f"two alarms would have the physical name {repeated!r}; give each its own"
    for watch in args.changed_watches:
        yield from _watch_problems(args, watch)


def _watch_problems(args: AlarmsArgs, watch: Watch) -> Iterator[str]:
    region = watch.region or args.region
    if watch.severity not in args.topic_arns.get(region, {}):
        yield f"watch {watch.name}: no {watch.severity} topic in {region}; add the region to the notifications"
    if len(_physical_name(args, watch)) > MAX_NAME:
        yield f"watch {watch.name}: the alarm's name is longer than {MAX_NAME} characters; shorten it"
    if runbook_page(watch) is None:
        yield (
            f"watch {watch.name}: nothing says what to do about {watch.metrics[0].namespace}; write its page in "
            "docs/runbooks and name it in RUNBOOKS (components/alarms.py)"
        )
    elif len(_description(args, watch)) > MAX_DESCRIPTION:
        yield f"watch {watch.name}: the description is longer than {MAX_DESCRIPTION} characters; shorten it"
    if watch.period_s not in (10, 20, 30) and watch.period_s % 60:
        yield f"watch {watch.name}: period_s must be 10, 20, 30 or a multiple of 60, got {watch.period_s}"
    longest_s = 7 * DAY_S if watch.period_s >= HOUR_S else DAY_S
    looked_back_s = watch.period_s * watch.evaluation_periods
    if looked_back_s > longest_s:
        yield (
            f"watch {watch.name}: {watch.evaluation_periods} periods of {watch.period_s} s are {looked_back_s} s, "
            f"CloudWatch looks back {longest_s} s at most; take fewer periods"
        )
    ids = [metric.id for metric in watch.metrics]
    if watch.expression is not None:
        for ident in sorted(set(ids)):
            if not re.fullmatch(r"[a-z][a-zA-Z0-9_]*", ident) or ident == "result" or ids.count(ident) > 1:
                yield (
                    f"watch {watch.name}: metric id {ident!r} must be unique, begin with a lower case letter and "
                    "not be 'result'"
                )
