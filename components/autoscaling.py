"""How many tasks a service has: between a floor and a ceiling, by load, by queue, by the clock.

Target tracking holds a figure where it is asked to be; the step rules (latency, queue) act on a threshold and bring
their own alarms. All rules of a service work together: the one that asks for most tasks wins. A rule's `policy_name`
is its policy's physical name, for scripts that know it; rules of one kind are told apart by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

SCALE_IN_COOLDOWN_S = 300
SCALE_OUT_COOLDOWN_S = 60


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """Keep the average CPU of the tasks at `target_percent`."""

    target_percent: float
    policy_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Keep the average memory of the tasks at `target_percent`."""

    target_percent: float
    policy_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class RequestsPerTarget:
    """Keep the requests that one task answers in a minute at `target_per_minute`."""

    target_per_minute: float
    load_balancer_arn_suffix: pulumi.Input[str]
    target_group_arn_suffix: pulumi.Input[str]
    policy_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Add `add_tasks` while the response time (p95 or average) stays above `above_s` seconds for three minutes.

    It only adds: the other rules take tasks away again.
    """

    above_s: float
    add_tasks: int
    load_balancer_arn_suffix: pulumi.Input[str]
    target_group_arn_suffix: pulumi.Input[str]
    statistic: Literal["p95", "Average"] = "p95"
    policy_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Add a task (two from three times as many) above `add_above` waiting jobs, remove one below `remove_below`.

    It has a policy for each, and `policy_name` gets "-add" and "-remove".
    """

    namespace: str
    metric_name: str
    dimensions: Mapping[str, pulumi.Input[str]]
    add_above: float
    remove_below: float
    policy_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class QueueWait:
    """Add `add_tasks` while the oldest job of a queue waits longer than `above_s` seconds, for two minutes.

    It only adds: the other rules take tasks away again.
    """

    namespace: str
    metric_name: str
    dimensions: Mapping[str, pulumi.Input[str]]
    above_s: float
    add_tasks: int
    policy_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """From this moment on the floor and the ceiling are these; `cron` is an AWS cron or rate expression."""

    name: str
    cron: str
    timezone: str
    min_count: int
    max_count: int


Tracked = Cpu | Memory | RequestsPerTarget
Rule = Cpu | Memory | RequestsPerTarget | Latency | Queue | QueueWait | Schedule


@dataclass(frozen=True, kw_only=True)
class AutoscalingArgs:
    """`min_count` and `max_count` are tasks.

    Target tracking has at most one rule of each kind; others of one kind need a `policy_name`, schedules a name.
    """

    cluster_name: pulumi.Input[str]
    service_name: pulumi.Input[str]
    min_count: int
    max_count: int
    rules: Sequence[Rule]
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError("autoscaling: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        yield from _count_problems("", self.min_count, self.max_count)
        tracked = [_kind(rule) for rule in self.rules if isinstance(rule, Tracked)]
        for kind in sorted({kind for kind in tracked if tracked.count(kind) > 1}):
            yield f"there are {tracked.count(kind)} rules {kind}: keep one"
        keys = [_key(rule) for rule in self.rules]
        for key in sorted({key for key in keys if keys.count(key) > 1 and key not in tracked}):
            yield f"there are {keys.count(key)} rules {key}: keep one, or give each a policy_name of its own"
        for rule in self.rules:
            yield from _rule_problems(rule)


class Autoscaling(pulumi.ComponentResource):
    resource_id: pulumi.Output[str]

    def __init__(self, name: str, args: AutoscalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:compute:Autoscaling", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = {**args.tags, "Name": name}

        target = aws.appautoscaling.Target(
            name,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", args.cluster_name, "/", args.service_name),
            min_capacity=args.min_count,
            max_capacity=args.max_count,
            tags=tags,
            opts=child,
        )
        for rule in args.rules:
            match rule:
                case Cpu() | Memory() | RequestsPerTarget():
                    _track(name, rule, target, child)
                case Latency():
                    _scale_on_latency(name, rule, target, tags, child)
                case Queue():
                    _scale_on_queue(name, rule, target, tags, child)
                case QueueWait():
                    _scale_on_wait(name, rule, target, tags, child)
                case Schedule():
                    _scale_on_schedule(name, rule, target, child)

        self.resource_id = target.resource_id
        self.register_outputs({"resource_id": self.resource_id})


def _track(
    name: str,
    rule: Tracked,
    target: aws.appautoscaling.Target,
    opts: pulumi.ResourceOptions,
) -> None:
    metric: (
        aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgsDict
    )
    match rule:
        case Cpu(target_percent=target_value):
            metric = {"predefined_metric_type": "ECSServiceAverageCPUUtilization"}
        case Memory(target_percent=target_value):
            metric = {"predefined_metric_type": "ECSServiceAverageMemoryUtilization"}
        case RequestsPerTarget(target_per_minute=target_value):
            metric = {
                "predefined_metric_type": "ALBRequestCountPerTarget",
                "resource_label": pulumi.Output.concat(
                    rule.load_balancer_arn_suffix, "/", rule.target_group_arn_suffix
                ),
            }
    aws.appautoscaling.Policy(
        f"{name}-{_key(rule)}",
        name=rule.policy_name,
        policy_type="TargetTrackingScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        target_tracking_scaling_policy_configuration={
            "predefined_metric_specification": metric,
            "target_value": target_value,
            "scale_in_cooldown": SCALE_IN_COOLDOWN_S,
            "scale_out_cooldown": SCALE_OUT_COOLDOWN_S,
        },
        opts=opts,
    )


def _scale_on_latency(
    name: str,
    rule: Latency,
    target: aws.appautoscaling.Target,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> None:
    key = f"{name}-{_key(rule)}"
    policy = _step_policy(
        key,
        rule.policy_name,
        target,
        [{"metric_interval_lower_bound": "0", "scaling_adjustment": rule.add_tasks}],
        SCALE_OUT_COOLDOWN_S,
        opts,
    )
    is_average = rule.statistic == "Average"
    aws.cloudwatch.MetricAlarm(
        key,
        alarm_description=f"{'Average' if is_average else 'p95'} response time above {rule.above_s:g} s: "
        f"adds {rule.add_tasks} tasks",
        namespace="AWS/ApplicationELB",
        metric_name="TargetResponseTime",
        dimensions={
            "LoadBalancer": rule.load_balancer_arn_suffix,
            "TargetGroup": rule.target_group_arn_suffix,
        },
        statistic="Average" if is_average else None,
        extended_statistic=None if is_average else rule.statistic,
        period=60,
        evaluation_periods=3,
        comparison_operator="GreaterThanThreshold",
        threshold=rule.above_s,
        treat_missing_data="notBreaching",
        alarm_actions=[policy.arn],
        tags=tags,
        opts=opts,
    )


def _scale_on_queue(
    name: str,
    rule: Queue,
    target: aws.appautoscaling.Target,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> None:
    # Bounds are distances from the alarm's threshold.
    second_step = f"{2 * rule.add_above:g}"
    key = f"{name}-{_key(rule)}"
    add = _step_policy(
        f"{key}-add",
        f"{rule.policy_name}-add" if rule.policy_name else None,
        target,
        [
            {
                "metric_interval_lower_bound": "0",
                "metric_interval_upper_bound": second_step,
                "scaling_adjustment": 1,
            },
            {"metric_interval_lower_bound": second_step, "scaling_adjustment": 2},
        ],
        SCALE_OUT_COOLDOWN_S,
        opts,
    )
    remove = _step_policy(
        f"{key}-remove",
        f"{rule.policy_name}-remove" if rule.policy_name else None,
        target,
        [{"metric_interval_upper_bound": "0", "scaling_adjustment": -1}],
        SCALE_IN_COOLDOWN_S,
        opts,
    )
    for part, policy, comparison, threshold, periods in (
        ("add", add, "GreaterThanThreshold", rule.add_above, 2),
        ("remove", remove, "LessThanThreshold", rule.remove_below, 5),
    ):
        aws.cloudwatch.MetricAlarm(
            f"{key}-{part}",
            alarm_description=f"Jobs waiting against {threshold:g}: {part}s tasks",
            namespace=rule.namespace,
            metric_name=rule.metric_name,
            dimensions=rule.dimensions,
            statistic="Maximum",
            period=60,
            evaluation_periods=periods,
            comparison_operator=comparison,
            threshold=threshold,
            # No figure is no reason to change anything.
            treat_missing_data="ignore",
            alarm_actions=[policy.arn],
            tags=tags,
            opts=opts,
        )


def _scale_on_wait(
    name: str,
    rule: QueueWait,
    target: aws.appautoscaling.Target,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> None:
    key = f"{name}-{_key(rule)}"
    policy = _step_policy(
        key,
        rule.policy_name,
        target,
        [{"metric_interval_lower_bound": "0", "scaling_adjustment": rule.add_tasks}],
        SCALE_OUT_COOLDOWN_S,
        opts,
    )
    aws.cloudwatch.MetricAlarm(
        key,
        alarm_description=f"Oldest job waits longer than {rule.above_s:g} s: adds {rule.add_tasks} tasks",
        namespace=rule.namespace,
        metric_name=rule.metric_name,
        dimensions=rule.dimensions,
        statistic="Maximum",
        period=60,
        evaluation_periods=2,
        comparison_operator="GreaterThanThreshold",
        threshold=rule.above_s,
        treat_missing_data="ignore",
        alarm_actions=[policy.arn],
        tags=tags,
        opts=opts,
    )


def _step_policy(
    label: str,
    policy_name: str | None,
    target: aws.appautoscaling.Target,
    steps: Sequence[aws.appautoscaling.PolicyStepScalingPolicyConfigurationStepAdjustmentArgsDict],
    cooldown_s: int,
    opts: pulumi.ResourceOptions,
) -> aws.appautoscaling.Policy:
    return aws.appautoscaling.Policy(
        label,
        name=policy_name,
        policy_type="StepScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        step_scaling_policy_configuration={
            "adjustment_type": "ChangeInCapacity",
            "cooldown": cooldown_s,
            "metric_aggregation_type": "Maximum",
            "step_adjustments": steps,
        },
        opts=opts,
    )


def _scale_on_schedule(
    name: str, rule: Schedule, target: aws.appautoscaling.Target, opts: pulumi.ResourceOptions
) -> None:
    aws.appautoscaling.ScheduledAction(
        f"{name}-{_key(rule)}",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        schedule=rule.cron,
        timezone=rule.timezone,
        scalable_target_action={"min_capacity": rule.min_count, "max_capacity": rule.max_count},
        opts=opts,
    )


def _key(rule: Rule) -> str:
    """What its resources are called: after what the rule is, never after its place."""
    return _kind(rule) if isinstance(rule, Schedule) else rule.policy_name or _kind(rule)


def _kind(rule: Rule) -> str:
    match rule:
        case Cpu():
            return "cpu"
        case Memory():
            return "memory"
        case RequestsPerTarget():
            return "requests"
        case Latency():
            return "latency" if rule.statistic == "p95" else "latency-average"
        case Queue():
            return "queue"
        case QueueWait():
            return "queue-wait"
        case Schedule():
            return f"schedule-{rule.name}"


def _rule_problems(rule: Rule) -> Iterator[str]:
    match rule:
        case Cpu() | Memory() if not 0 < rule.target_percent <= 100:
            yield f"rule {_kind(rule)}: target_percent must be above 0 and at most 100, got {rule.target_percent:g}"
        case RequestsPerTarget() if rule.target_per_minute <= 0:
            yield f"rule requests: target_per_minute must be above 0, got {rule.target_per_minute:g}"
        case Latency() | QueueWait() if rule.above_s <= 0 or rule.add_tasks < 1:
            yield (
                f"rule {_kind(rule)}: above_s must be above 0 and add_tasks at least 1, "
                f"got {rule.above_s:g} and {rule.add_tasks}"
            )
        case Queue() if not 0 < rule.remove_below < rule.add_above:
            yield (
                "rule queue: remove_below must be above 0 and below add_above, "
                f"got {rule.remove_below:g} and {rule.add_above:g}"
            )
        case Schedule():
            yield from _count_problems(f"rule {_key(rule)}: ", rule.min_count, rule.max_count)


def _count_problems(where: str, min_count: int, max_count: int) -> Iterator[str]:
    if not 0 <= min_count <= max_count:
        yield f"{where}min_count must be 0 or more and at most max_count, got {min_count} and {max_count}"
