"""Autoscaling: each kind of rule, and what is refused."""

import re
from dataclasses import replace
from typing import Any

import pytest

from components.autoscaling import (
    Autoscaling,
    AutoscalingArgs,
    Cpu,
    Latency,
    Memory,
    Queue,
    QueueWait,
    RequestsPerTarget,
    Schedule,
)
from tests.recorder import record

TARGET = "aws:appautoscaling/target:Target"
POLICY = "aws:appautoscaling/policy:Policy"
ACTION = "aws:appautoscaling/scheduledAction:ScheduledAction"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
PLACE: dict[str, Any] = {
    "load_balancer_arn_suffix": "app/edge/1",
    "target_group_arn_suffix": "targetgroup/api/2",
}
QUEUE = Queue(
    namespace="RentalFix/prod",
    metric_name="waiting",
    dimensions={"Queue": "matching"},
    add_above=100,
    remove_below=10,
)
WAIT = QueueWait(
    namespace="RentalFix/prod",
    metric_name="oldest",
    dimensions={"Queue": "matching"},
    above_s=60,
    add_tasks=1,
)
NIGHT = Schedule(name="night", cron="cron(0 22 * * ? *)", timezone="Europe/Berlin", min_count=1, max_count=2)


def build(*rules, **changes):
    values: dict[str, Any] = {
        "cluster_name": "rentalfix-prod",
        "service_name": "api",
        "min_count": 4,
        "max_count": 7,
        "rules": rules,
        **changes,
    }
    return record(lambda: Autoscaling("api", AutoscalingArgs(**values)))


def test_floor_and_ceiling_without_any_rule():
    declared = build(tags={"owner": "platform"})
    assert declared.one(TARGET).inputs == {
        "serviceNamespace": "ecs",
        "scalableDimension": "ecs:service:DesiredCount",
        "resourceId": "service/rentalfix-prod/api",
        "minCapacity": 4,
        "maxCapacity": 7,
        "tags": {"owner": "platform", "Name": "api"},
    }
    assert declared.names() == [f"{TARGET}::api", "groundwork:compute:Autoscaling::api"]
    assert declared.outputs("api") == {"resource_id": "service/rentalfix-prod/api"}


@pytest.mark.parametrize(
    ("rule", "name", "metric", "target_value"),
    [
        (
            Cpu(target_percent=70),
            "api-cpu",
            {"predefinedMetricType": "ECSServiceAverageCPUUtilization"},
            70,
        ),
        (
            Memory(target_percent=80),
            "api-memory",
            {"predefinedMetricType": "ECSServiceAverageMemoryUtilization"},
            80,
        ),
        (
            RequestsPerTarget(target_per_minute=6000, **PLACE),
            "api-requests",
            {
                "predefinedMetricType": "ALBRequestCountPerTarget",
                "resourceLabel": "app/edge/1/targetgroup/api/2",
            },
            6000,
        ),
    ],
)
def test_a_figure_is_held(rule, name, metric, target_value):
    policy = build(rule).one(POLICY)
    assert policy.name == name
    assert policy.inputs == {
        "policyType": "TargetTrackingScaling",
        "serviceNamespace": "ecs",
        "scalableDimension": "ecs:service:DesiredCount",
        "resourceId": "service/rentalfix-prod/api",
        "targetTrackingScalingPolicyConfiguration": {
            "predefinedMetricSpecification": metric,
            "targetValue": target_value,
            "scaleInCooldown": 300,
            "scaleOutCooldown": 60,
        },
    }


def test_latency_adds_tasks_and_takes_none_away():
    declared = build(Latency(above_s=0.2, add_tasks=2, **PLACE))
    policy, alarm = declared.one(POLICY), declared.one(ALARM)
    assert (policy.name, policy["policyType"]) == ("api-latency", "StepScaling")
    assert policy["stepScalingPolicyConfiguration"] == {
        "adjustmentType": "ChangeInCapacity",
        "cooldown": 60,
        "metricAggregationType": "Maximum",
        "stepAdjustments": [{"metricIntervalLowerBound": "0", "scalingAdjustment": 2}],
    }
    assert (alarm["extendedStatistic"], alarm["threshold"]) == ("p95", 0.2)
    assert alarm["comparisonOperator"] == "GreaterThanThreshold"
    assert alarm["dimensions"] == {"LoadBalancer": "app/edge/1", "TargetGroup": "targetgroup/api/2"}
    (action,) = alarm["alarmActions"]
    assert alarm.depends_on(policy)
    assert action.startswith("arn:aws:")


def test_a_queue_adds_above_and_removes_below():
    declared = build(QUEUE)
    add, remove = declared.one(POLICY, "api-queue-add"), declared.one(POLICY, "api-queue-remove")
    # 100 to 300 jobs: one task. Above: two.
    assert add["stepScalingPolicyConfiguration"]["stepAdjustments"] == [
        {
            "metricIntervalLowerBound": "0",
            "metricIntervalUpperBound": "200",
            "scalingAdjustment": 1,
        },
        {"metricIntervalLowerBound": "200", "scalingAdjustment": 2},
    ]
    assert remove["stepScalingPolicyConfiguration"]["stepAdjustments"] == [
        {"metricIntervalUpperBound": "0", "scalingAdjustment": -1}
    ]
    above, below = declared.one(ALARM, "api-queue-add"), declared.one(ALARM, "api-queue-remove")
    for alarm in (above, below):
        assert (alarm["namespace"], alarm["metricName"]) == ("RentalFix/prod", "waiting")
        assert alarm["dimensions"] == {"Queue": "matching"}
        assert alarm["treatMissingData"] == "ignore"
    assert (above["comparisonOperator"], above["threshold"]) == ("GreaterThanThreshold", 100)
    assert (below["comparisonOperator"], below["threshold"]) == ("LessThanThreshold", 10)
    assert above.depends_on(add)
    assert not above.depends_on(remove)
    assert below.depends_on(remove)


def test_a_schedule_moves_floor_and_ceiling():
    action = build(NIGHT).one(ACTION)
    assert action.name == "api-schedule-night"
    assert action["schedule"] == "cron(0 22 * * ? *)"
    assert action["timezone"] == "Europe/Berlin"
    assert action["scalableTargetAction"] == {"minCapacity": 1, "maxCapacity": 2}


def test_all_rules_together_hang_from_the_component():
    rules = [
        Cpu(target_percent=70),
        Memory(target_percent=80),
        RequestsPerTarget(target_per_minute=6000, **PLACE),
        Latency(above_s=0.2, add_tasks=2, **PLACE),
        QUEUE,
        NIGHT,
    ]
    declared = build(*rules)
    assert declared.orphans() == []
    assert declared.names(POLICY) == [
        "api-cpu",
        "api-latency",
        "api-memory",
        "api-queue-add",
        "api-queue-remove",
        "api-requests",
    ]
    # A rule's name comes from what it is, never from its place.
    assert build(*reversed(rules)).names() == declared.names()


@pytest.mark.parametrize(
    ("rules", "changes", "sentence"),
    [
        (
            [],
            {"min_count": 5, "max_count": 4},
            "min_count must be 0 or more and at most max_count, got 5 and 4",
        ),
        (
            [],
            {"min_count": -1},
            "min_count must be 0 or more and at most max_count, got -1 and 7",
        ),
        (
            [Cpu(target_percent=70), Cpu(target_percent=80)],
            {},
            "there are 2 rules cpu: keep one",
        ),
        ([NIGHT, NIGHT], {}, "there are 2 rules schedule-night: keep one"),
        (
            [Cpu(target_percent=0)],
            {},
            "rule cpu: target_percent must be above 0 and at most 100, got 0",
        ),
        (
            [Memory(target_percent=101)],
            {},
            "rule memory: target_percent must be above 0 and at most 100, got 101",
        ),
        (
            [RequestsPerTarget(target_per_minute=0, **PLACE)],
            {},
            "rule requests: target_per_minute must be above 0, got 0",
        ),
        (
            [Latency(above_s=0.2, add_tasks=0, **PLACE)],
            {},
            "rule latency: above_s must be above 0 and add_tasks at least 1, got 0.2 and 0",
        ),
        (
            [
                Queue(
                    namespace="n",
                    metric_name="m",
                    dimensions={},
                    add_above=10,
                    remove_below=10,
                )
            ],
            {},
            "rule queue: remove_below must be above 0 and below add_above, got 10 and 10",
        ),
        (
            [Schedule(name="day", cron="cron(0 8 * * ? *)", timezone="UTC", min_count=3, max_count=2)],
            {},
            "rule schedule-day: min_count must be 0 or more and at most max_count, got 3 and 2",
        ),
        (
            [Cpu(target_percent=0)],
            {"min_count": 8},
            "autoscaling: min_count must be 0 or more and at most max_count, got 8 and 7; rule cpu: target_percent",
        ),
    ],
)
def test_refusals(rules, changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(*rules, **changes)


def test_average_latency_is_a_plain_statistic():
    declared = build(Latency(above_s=0.5, add_tasks=1, statistic="Average", **PLACE))
    alarm = declared.one(ALARM, "api-latency-average")
    assert (alarm["statistic"], alarm["threshold"]) == ("Average", 0.5)
    assert "extendedStatistic" not in alarm
    assert alarm["alarmDescription"] == "Average response time above 0.5 s: adds 1 tasks"


def test_a_job_that_waits_too_long_adds_tasks_and_takes_none_away():
    declared = build(WAIT)
    (policy,) = declared.all(POLICY)
    assert policy.name == "api-queue-wait"
    assert policy["stepScalingPolicyConfiguration"]["stepAdjustments"] == [
        {"metricIntervalLowerBound": "0", "scalingAdjustment": 1}
    ]
    (alarm,) = declared.all(ALARM)
    assert (alarm["metricName"], alarm["statistic"], alarm["threshold"]) == ("oldest", "Maximum", 60)
    assert (alarm["period"], alarm["evaluationPeriods"], alarm["treatMissingData"]) == (60, 2, "ignore")
    assert alarm.depends_on(policy)


@pytest.mark.parametrize(
    "rule",
    [
        Cpu(target_percent=70, policy_name="api-scaling"),
        Memory(target_percent=70, policy_name="api-scaling"),
        RequestsPerTarget(target_per_minute=6000, policy_name="api-scaling", **PLACE),
        Latency(above_s=0.5, add_tasks=1, policy_name="api-scaling", **PLACE),
        replace(WAIT, policy_name="api-scaling"),
    ],
)
def test_a_policy_that_scripts_know_by_name(rule):
    policy = build(rule).one(POLICY)
    assert (policy.name, policy["name"]) == ("api-api-scaling", "api-scaling")


def test_several_queues_are_told_apart_by_name():
    mail = replace(QUEUE, dimensions={"Queue": "mail"}, policy_name="mail")
    declared = build(QUEUE, mail)
    assert declared.names(POLICY) == ["api-mail-add", "api-mail-remove", "api-queue-add", "api-queue-remove"]
    assert declared.one(POLICY, "api-mail-add")["name"] == "mail-add"
    assert "name" not in declared.one(POLICY, "api-queue-add")
    assert set(build(QUEUE).names()) < set(declared.names())


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ([QUEUE, QUEUE], "there are 2 rules queue: keep one, or give each a policy_name of its own"),
        ([WAIT, WAIT], "there are 2 rules queue-wait: keep one, or give each a policy_name of its own"),
        (
            [Cpu(target_percent=70), Cpu(target_percent=80, policy_name="other")],
            "there are 2 rules cpu: keep one",
        ),
        (
            [replace(WAIT, above_s=0)],
            "rule queue-wait: above_s must be above 0 and add_tasks at least 1, got 0 and 1",
        ),
    ],
)
def test_more_refusals(rules, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(*rules)
