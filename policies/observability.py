"""Logs, alarms, whom they reach, and what people look at."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from clusters import DEPLOYMENT
from pulumi_policy import PolicyResource
from rules import Count, Findings, Props, Rule, Stack, document, given, is_set, literal, rule

LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE_ALARM = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
GRAFANA = "aws:grafana/workspace:Workspace"
CERTIFICATE = "aws:acm/certificate:Certificate"
TOPIC = "aws:sns/topic:Topic"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
WATCHED = [
    "aws:rds/instance:Instance",
    "aws:rds/cluster:Cluster",
    "aws:elasticache/replicationGroup:ReplicationGroup",
    "aws:elasticache/serverlessCache:ServerlessCache",
    "aws:docdb/cluster:Cluster",
    "aws:dynamodb/table:Table",
    "aws:memorydb/cluster:Cluster",
    "aws:neptune/cluster:Cluster",
    "aws:opensearch/domain:Domain",
    "aws:redshift/cluster:Cluster",
    "aws:mq/broker:Broker",
    "aws:ecs/service:Service",
    "aws:lb/loadBalancer:LoadBalancer",
    "aws:alb/loadBalancer:LoadBalancer",
    CERTIFICATE,
]
# What a stack that is worth a dashboard has at least one of.
SERVING = [*WATCHED, DEPLOYMENT]

RULES: list[Rule] = []


@rule(
    RULES,
    "log-retention-set",
    types=[LOG_GROUP],
    severity="medium",
    why="Without a retention logs cost more every month; with a short one the trace is gone before it is missed.",
    remedy="Set retentionInDays (stack file: observability.log_retention_days)",
    checklist=["C60", "C61"],
    frameworks=["CKV_AWS_66"],
)
def log_retention_set(props: Props, *, minimum_days: Count = 30) -> Findings:
    """Logs are kept long enough, and not for ever."""
    days = props.get("retentionInDays") or 0
    if days < minimum_days or not days:
        yield f"{given(props, 'retentionInDays')}, at least {minimum_days} days are asked for (0 is for ever)"


@rule(
    RULES,
    "log-group-encrypted",
    types=[LOG_GROUP],
    severity="medium",
    why="Logs hold addresses and names of customers; with one's own key, reading the group is not enough to read them.",
    remedy="Set kmsKeyId to a key whose policy lets CloudWatch Logs use it (Groundwork's log groups have one)",
    checklist=["C60"],
    frameworks=["CKV_AWS_158"],
)
def log_group_encrypted(props: Props) -> Findings:
    """Logs are encrypted with a key of one's own."""
    if not is_set(props, "kmsKeyId"):
        yield "kmsKeyId is not set"


@rule(
    RULES,
    "required-alarms-present",
    types=[*WATCHED, TOPIC],
    severity="high",
    why="What nobody watches fails for the customers first.",
    remedy="Pass the component's watches to Alarms and name who is told in alarmActions (stack file: notifications)",
    checklist=["C58", "C80"],
    frameworks=["Security Hub CloudWatch.15", "CKV_AWS_319"],
    whole_stack=True,
)
def required_alarms_present(
    resource: PolicyResource, stack: Stack, *, declared: Sequence[str] = ()
) -> Findings:
    """Every data store, service, balancer and certificate has an alarm that reaches somebody.

    `declared` lists alarms that must exist beside those, by logical name, by name in AWS, or by a pattern of either.
    """
    if stack.is_first(resource, [*WATCHED, TOPIC]):
        names = set(_alarm_names(stack))
        for wanted in declared:
            if not any(fnmatchcase(name, wanted) for name in names):
                yield f"the stack has no alarm {wanted}"
    if resource.resource_type == TOPIC:
        # A program that waits for the topic's policy takes the topic's ARN from there.
        named = [resource, *stack.referring([TOPIC_POLICY], "arn", resource)]
        rung, told = (
            {each.urn for name in named for each in stack.referring([kind], prop, name)}
            for kind, prop in ((ALARM, "alarmActions"), (SUBSCRIPTION, "topic"))
        )
        if rung and not told:
            yield f"{len(rung)} alarms go to this topic, and nobody is subscribed to it"
        return
    watching = {
        alarm.urn: alarm
        for name in ("dimensions", "metricQueries")
        for alarm in stack.referring([ALARM], name, resource)
    }
    if not watching:
        yield "no alarm watches it"
    elif not any(acts(alarm, stack) for alarm in watching.values()):
        yield f"{len(watching)} alarms watch it, and none of them has an action"


def acts(alarm: PolicyResource, stack: Stack) -> bool:
    """Whether it does anything, by itself or as part of another; the action itself may not be known yet."""
    if alarm.props.get("actionsEnabled") is False:
        return False
    if alarm.property_dependencies.get("alarmActions") or alarm.props.get("alarmActions"):
        return True
    parts_of = stack.referring([COMPOSITE_ALARM], "alarmRule", alarm)
    return any(acts(whole, stack) for whole in parts_of)


def _alarm_names(stack: Stack) -> Iterator[str]:
    for alarm in stack.of([ALARM, COMPOSITE_ALARM]):
        yield alarm.name
        for prop in ("name", "alarmName"):
            name = literal(alarm.props, prop)
            if name:
                yield str(name)


@rule(
    RULES,
    "alarm-actions-enabled",
    types=[ALARM, COMPOSITE_ALARM],
    severity="medium",
    why="It was switched off for an hour, and nobody switched it on again.",
    remedy="Set actionsEnabled to true, or leave it out (Groundwork's alarms never set it)",
    checklist=["C58"],
    frameworks=["Security Hub CloudWatch.17", "CKV_AWS_319"],
    must_know=True,
    remediates={kind: {"actionsEnabled": True} for kind in (ALARM, COMPOSITE_ALARM)},
)
def alarm_actions_enabled(props: Props) -> Findings:
    """Alarms do what they are declared to do."""
    if props.get("actionsEnabled") is False:
        yield given(props, "actionsEnabled")


@rule(
    RULES,
    "subscription-over-tls",
    types=[SUBSCRIPTION],
    severity="medium",
    why="An alarm says what is broken and where; on its way over plain HTTP everybody between reads it.",
    remedy='Set protocol to "https", or tell people by e-mail, chat or pager (stack file: notifications)',
    checklist=["C58"],
    must_know=True,
)
def subscription_over_tls(props: Props) -> Findings:
    """Notifications travel over TLS."""
    if props.get("protocol") == "http":
        yield given(props, "protocol")


@rule(
    RULES,
    "dashboard-present",
    types=[*SERVING, DASHBOARD],
    severity="medium",
    why="At night somebody has to see at one glance what is wrong, and has no time to look for the graphs.",
    remedy="Declare a Dashboard (system file: observability.dashboard.sections), or a Grafana Workspace "
    "(stack file: observability.grafana)",
    checklist=["C59"],
    whole_stack=True,
)
def dashboard_present(resource: PolicyResource, stack: Stack, *, sections: Sequence[str] = ()) -> Findings:
    """What serves has a dashboard, with something on it; `sections` lists the headings that it must have."""
    dashboards = stack.of([DASHBOARD])
    if resource.resource_type == DASHBOARD:
        if not _widgets(resource):
            yield "dashboardBody has no widgets"
        return
    if not stack.is_first(resource, SERVING):
        return
    if not dashboards and not stack.of([GRAFANA]):
        yield "the stack has neither a Dashboard nor a Grafana Workspace"
    if sections and dashboards:
        shown = " ".join(_headings(dashboards))
        for section in sections:
            if section.lower() not in shown.lower():
                yield f"no dashboard has a section {section}"


def _widgets(dashboard: PolicyResource) -> list[Props]:
    return list((document(dashboard.props, "dashboardBody") or {}).get("widgets") or [])


def _headings(dashboards: Sequence[PolicyResource]) -> Iterator[str]:
    for dashboard in dashboards:
        for widget in _widgets(dashboard):
            properties = widget.get("properties") or {}
            yield str(properties.get("markdown") or properties.get("title") or "")
