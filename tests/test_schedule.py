"""ScheduledTask and Reminder: the schedule, exactly its rights, and what is refused."""

import re
from typing import Any

import pytest

from components.schedule import Reminder, ReminderArgs, ScheduledTask, ScheduledTaskArgs
from tests.recorder import record

SCHEDULE = "aws:scheduler/schedule:Schedule"
GROUP = "aws:scheduler/scheduleGroup:ScheduleGroup"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
TASK_ARN = "arn:aws:ecs:us-east-1:111122223333:task-definition/rentalfix-prod-dump"


def task_args(**changes):
    values: dict[str, Any] = {
        "schedule_expression": "cron(0 2 * * ? *)",
        "account_id": "111122223333",
        "cluster_arn": "arn:cluster",
        "task_definition_arn": f"{TASK_ARN}:7",
        "pass_role_arns": ["arn:role:execution", "arn:role:task"],
        "subnet_ids": ["subnet-a"],
        "security_group_ids": ["sg-dump"],
        **changes,
    }
    return ScheduledTaskArgs(**values)


def task(**changes):
    return record(lambda: ScheduledTask("dump", task_args(**changes)))


def reminder(**changes):
    values: dict[str, Any] = {
        "schedule_expression": "cron(0 9 1 1/3 ? *)",
        "account_id": "111122223333",
        "topic_arn": "arn:topic",
        "topic_key_arn": "arn:key",
        "message": "Order the penetration test",
        **changes,
    }
    return record(lambda: Reminder("audit", ReminderArgs(**values)))


def test_a_task_runs_by_the_clock():
    declared = task(timezone="Europe/Berlin", retries=5, max_event_age_s=600)
    schedule = declared.one(SCHEDULE)
    assert schedule["groupName"].startswith("dump-")
    assert schedule["scheduleExpression"] == "cron(0 2 * * ? *)"
    assert schedule["scheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule["flexibleTimeWindow"] == {"mode": "OFF"}
    target = schedule["target"]
    assert target["arn"] == "arn:cluster"
    assert target["ecsParameters"] == {
        "taskDefinitionArn": f"{TASK_ARN}:7",
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "taskCount": 1,
        "networkConfiguration": {
            "subnets": ["subnet-a"],
            "securityGroups": ["sg-dump"],
            "assignPublicIp": False,
        },
    }
    assert target["retryPolicy"] == {"maximumRetryAttempts": 5, "maximumEventAgeInSeconds": 600}
    assert "deadLetterConfig" not in target
    assert schedule.depends_on(declared.one(POLICY))


def test_its_role_starts_this_family_on_this_cluster_and_no_more():
    declared = task()
    assert declared.one(POLICY).json("policy")["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["ecs:RunTask"],
            "Resource": [f"{TASK_ARN}:*"],
            "Condition": {"ArnEquals": {"ecs:cluster": "arn:cluster"}},
            "Sid": "RunTask",
        },
        {
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": ["arn:role:execution", "arn:role:task"],
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            "Sid": "PassTaskRoles",
        },
    ]
    (trust,) = declared.one(ROLE).json("assumeRolePolicy")["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def test_what_could_not_start_goes_into_a_queue_if_there_is_one():
    declared = task(dead_letter_arn="arn:queue")
    assert declared.one(SCHEDULE)["target"]["deadLetterConfig"] == {"arn": "arn:queue"}
    assert declared.one(POLICY).json("policy")["Statement"][-1] == {
        "Effect": "Allow",
        "Action": ["sqs:SendMessage"],
        "Resource": ["arn:queue"],
        "Sid": "DeadLetter",
    }


def test_a_start_that_fails_is_noticed():
    kept = []
    record(lambda: kept.append(ScheduledTask("dump", task_args())))
    (watch,) = kept[0].watches
    assert (watch.name, watch.severity, watch.threshold) == ("dump-not-started", "critical", 0)
    assert watch.metrics[0].metric_name == "TargetErrorCount"
    assert list(watch.metrics[0].dimensions) == ["ScheduleGroup"]


def test_names_and_tags():
    declared = task(tags={"owner": "platform"})
    assert declared.names() == [
        f"{ROLE}::dump-schedule",
        f"{POLICY}::dump-schedule",
        f"{SCHEDULE}::dump",
        f"{GROUP}::dump",
        "groundwork:compute:ScheduledTask::dump",
    ]
    assert declared.one(GROUP)["tags"] == {"owner": "platform", "Name": "dump"}
    assert declared.one(ROLE)["tags"] == {"owner": "platform", "Name": "dump"}
    assert declared.orphans() == []
    assert declared.outputs("dump")["name"].startswith("dump-")


def test_a_reminder_is_sent_by_the_clock():
    declared = reminder(timezone="Europe/Berlin")
    schedule = declared.one(SCHEDULE)
    assert schedule["description"] == "Order the penetration test"
    assert schedule["scheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule["target"]["arn"] == "arn:topic"
    assert schedule["target"]["input"] == "Order the penetration test"
    statements = declared.one(POLICY).json("policy")["Statement"]
    assert [(statement["Action"], statement["Resource"]) for statement in statements] == [
        (["sns:Publish"], ["arn:topic"]),
        (["kms:Decrypt", "kms:GenerateDataKey"], ["arn:key"]),
    ]
    assert schedule.depends_on(declared.one(POLICY))
    assert declared.outputs("audit")["name"].startswith("audit-")
    assert declared.orphans() == []


@pytest.mark.parametrize(
    "expression", ["rate(1 day)", "rate(15 minutes)", "at(2026-12-01T02:00:00)", "cron(0 2 ? * SUN#1 *)"]
)
def test_other_expressions_are_accepted(expression):
    assert task(schedule_expression=expression).one(SCHEDULE)["scheduleExpression"] == expression


@pytest.mark.parametrize("expression", ["0 2 * * *", "cron(0 2 * * *)", "rate(0 days)", "daily"])
def test_an_expression_that_aws_does_not_know_is_refused(expression):
    sentence = (
        "schedule_expression must be cron(minute hour day month weekday year), rate(1 day) or "
        f"at(2026-01-31T02:00:00), got {expression!r}"
    )
    with pytest.raises(ValueError, match=re.escape(f"scheduled task: {sentence}")):
        task(schedule_expression=expression)
    with pytest.raises(ValueError, match=re.escape(f"reminder: {sentence}")):
        reminder(schedule_expression=expression)


def test_every_problem_is_named_at_once():
    sentence = (
        "scheduled task: retries must be 0 to 185, got 186; max_event_age_s must be 60 to 86400 seconds, got 59; "
        "pass_role_arns is empty: name the roles of the task, which the schedule hands to it"
    )
    with pytest.raises(ValueError, match=re.escape(sentence)):
        task(retries=186, max_event_age_s=59, pass_role_arns=[])
    with pytest.raises(ValueError, match="reminder: message is empty: say what is to be done"):
        reminder(message=" ")
