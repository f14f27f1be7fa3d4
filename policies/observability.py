"""Logs and alarms."""

from pulumi_policy import PolicyResource
from rules import Count, Findings, Props, Rule, Stack, given, rule

LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC = "aws:sns/topic:Topic"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
WATCHED = [
    "aws:rds/instance:Instance",
    "aws:rds/cluster:Cluster",
    "aws:elasticache/replicationGroup:ReplicationGroup",
    "aws:mq/broker:Broker",
    "aws:ecs/service:Service",
    "aws:lb/loadBalancer:LoadBalancer",
    "aws:alb/loadBalancer:LoadBalancer",
]

RULES: list[Rule] = []


@rule(
    RULES,
    "log-retention-set",
    types=[LOG_GROUP],
    severity="medium",
    why="Without a retention logs cost more every month; with a short one the trace is gone before it is missed.",
    remedy="Set retentionInDays (stack file: observability.log_retention_days)",
    checklist=["C60", "C61"],
    frameworks=["FSBP CloudWatch.16", "CKV_AWS_66"],
)
def log_retention_set(props: Props, *, minimum_days: Count = 30) -> Findings:
    """Logs are kept long enough, and not for ever."""
    days = props.get("retentionInDays") or 0
    if days < minimum_days or not days:
        yield f"{given(props, 'retentionInDays')}, at least {minimum_days} days are asked for (0 is for ever)"


@rule(
    RULES,
    "required-alarms-present",
    types=[*WATCHED, TOPIC],
    severity="high",
    why="What nobody watches fails for the customers first.",
    remedy="Pass the component's watches to Alarms and name who is told (stack file: notifications)",
    checklist=["C58", "C80"],
    frameworks=["FSBP CloudWatch.15", "CKV_AWS_319"],
    whole_stack=True,
)
def required_alarms_present(resource: PolicyResource, stack: Stack) -> Findings:
    """Every data store, service and balancer has an alarm that reaches somebody."""
    if resource.resource_type == TOPIC:
        rung = stack.referring([ALARM], "alarmActions", resource)
        if rung and not stack.referring([SUBSCRIPTION], "topic", resource):
            yield f"{len(rung)} alarms go to this topic, and nobody is subscribed to it"
        return
    watching = {
        alarm.urn: alarm
        for name in ("dimensions", "metricQueries")
        for alarm in stack.referring([ALARM], name, resource)
    }
    if not watching:
        yield "no alarm watches it"
    elif not any(acts(alarm) for alarm in watching.values()):
        yield f"{len(watching)} alarms watch it, and none of them has an action"


def acts(alarm: PolicyResource) -> bool:
    """Whether it does anything; the action itself may not be known yet."""
    return bool(alarm.property_dependencies.get("alarmActions")) or bool(alarm.props.get("alarmActions"))
