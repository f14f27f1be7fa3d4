"""Things that happen by the clock: a task that runs, or a reminder that is sent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components import _iam
from components._watch import Metric, Watch

_EXPRESSION = re.compile(r"(cron\(\S+( \S+){5}\)|rate\([1-9]\d* (minute|hour|day)s?\)|at\([\dT:-]+\))")
MAX_RETRIES = 185  # EventBridge Scheduler API, RetryPolicy
MAX_EVENT_AGE_S = 86_400


@dataclass(frozen=True, kw_only=True)
class ScheduledTaskArgs:
    """Runs one task of `task_definition_arn` by `schedule_expression` (cron, rate or at) in `timezone` (IANA).

    `pass_role_arns` are the task's own two roles. A start that fails is tried again `retries` times within
    `max_event_age_s` seconds, then put into the queue `dead_letter_arn` if there is one.
    """

    schedule_expression: str
    timezone: str = "UTC"
    account_id: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    task_definition_arn: pulumi.Input[str]
    pass_role_arns: Sequence[pulumi.Input[str]]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_ids: Sequence[pulumi.Input[str]]
    dead_letter_arn: pulumi.Input[str] | None = None
    retries: int = 3
    max_event_age_s: int = 3600
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(_expression_problems(self.schedule_expression))
        if not 0 <= self.retries <= MAX_RETRIES:
            problems.append(f"retries must be 0 to {MAX_RETRIES}, got {self.retries}")
        if not 60 <= self.max_event_age_s <= MAX_EVENT_AGE_S:
            problems.append(
                f"max_event_age_s must be 60 to {MAX_EVENT_AGE_S} seconds, got {self.max_event_age_s}"
            )
        if not self.pass_role_arns:
            problems.append(
                "pass_role_arns is empty: name the roles of the task, which the schedule hands to it"
            )
        if problems:
            raise ValueError("scheduled task: " + "; ".join(problems))


class ScheduledTask(pulumi.ComponentResource):
    name: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(
        self, name: str, args: ScheduledTaskArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("groundwork:compute:ScheduledTask", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        tags = {**args.tags, "Name": name}

        # A group of its own: the scheduler counts its failures by group, never by schedule.
        group = aws.scheduler.ScheduleGroup(name, tags=tags, opts=child)
        role, policy = _role(name, args.account_id, _run_statements(args), tags, child)
        schedule = aws.scheduler.Schedule(
            name,
            group_name=group.name,
            schedule_expression=args.schedule_expression,
            schedule_expression_timezone=args.timezone,
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": args.cluster_arn,
                "role_arn": role.arn,
                "ecs_parameters": {
                    "task_definition_arn": args.task_definition_arn,
                    "launch_type": "FARGATE",
                    "platform_version": "LATEST",
                    "task_count": 1,
                    "network_configuration": {
                        "subnets": args.subnet_ids,
                        "security_groups": args.security_group_ids,
                        "assign_public_ip": False,
                    },
                },
                "retry_policy": {
                    "maximum_retry_attempts": args.retries,
                    "maximum_event_age_in_seconds": args.max_event_age_s,
                },
                "dead_letter_config": {"arn": args.dead_letter_arn}
                if args.dead_letter_arn is not None
                else None,
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )

        self.name = schedule.name
        self.watches = [
            Watch(
                name=f"{name}-not-started",
                description=f"Times that the schedule {name} could not start its task, in an hour",
                severity="critical",
                threshold=0,
                metrics=[
                    Metric(
                        id="errors",
                        namespace="AWS/Scheduler",
                        metric_name="TargetErrorCount",
                        stat="Sum",
                        dimensions={"ScheduleGroup": group.name},
                    )
                ],
                period_s=3600,
            )
        ]
        self.register_outputs({"name": self.name})


@dataclass(frozen=True, kw_only=True)
class ReminderArgs:
    """Sends `message` to an SNS topic by `schedule_expression`; `topic_key_arn` is the key that encrypts the topic."""

    schedule_expression: str
    timezone: str = "UTC"
    account_id: pulumi.Input[str]
    topic_arn: pulumi.Input[str]
    topic_key_arn: pulumi.Input[str]
    message: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(_expression_problems(self.schedule_expression))
        if not self.message.strip():
            problems.append("message is empty: say what is to be done")
        if problems:
            raise ValueError("reminder: " + "; ".join(problems))


class Reminder(pulumi.ComponentResource):
    name: pulumi.Output[str]

    def __init__(self, name: str, args: ReminderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:compute:Reminder", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        publish = [
            _iam.statement("sns:Publish", args.topic_arn, sid="Publish"),
            _iam.statement(["kms:Decrypt", "kms:GenerateDataKey"], args.topic_key_arn, sid="EncryptMessage"),
        ]
        role, policy = _role(name, args.account_id, publish, {**args.tags, "Name": name}, child)
        schedule = aws.scheduler.Schedule(
            name,
            description=args.message,
            schedule_expression=args.schedule_expression,
            schedule_expression_timezone=args.timezone,
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": args.topic_arn,
                "role_arn": role.arn,
                "input": args.message,
                "retry_policy": {
                    "maximum_retry_attempts": 3,
                    "maximum_event_age_in_seconds": 3600,
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )

        self.name = schedule.name
        self.register_outputs({"name": self.name})


def _role(
    name: str,
    account_id: pulumi.Input[str],
    statements: Sequence[_iam.Statement],
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
    role = aws.iam.Role(
        f"{name}-schedule",
        description=f"Lets the scheduler do {name}",
        assume_role_policy=_iam.assume_role("scheduler.amazonaws.com", account_id=account_id),
        tags=tags,
        opts=opts,
    )
    policy = aws.iam.RolePolicy(
        f"{name}-schedule", role=role.name, policy=_iam.document(*statements), opts=opts
    )
    return role, policy


def _run_statements(args: ScheduledTaskArgs) -> list[_iam.Statement]:
    any_revision = pulumi.Output.from_input(args.task_definition_arn).apply(
        lambda arn: f"{arn.rpartition(':')[0]}:*"
    )
    statements = [
        _iam.statement(
            "ecs:RunTask",
            any_revision,
            conditions={"ArnEquals": {"ecs:cluster": args.cluster_arn}},
            sid="RunTask",
        ),
        _iam.statement(
            "iam:PassRole",
            args.pass_role_arns,
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            sid="PassTaskRoles",
        ),
    ]
    if args.dead_letter_arn is not None:
        statements.append(_iam.statement("sqs:SendMessage", args.dead_letter_arn, sid="DeadLetter"))
    return statements


def _expression_problems(expression: str) -> Iterator[str]:
    if not _EXPRESSION.fullmatch(expression):
        yield (
            "schedule_expression must be cron(minute hour day month weekday year), rate(1 day) or "
            f"at(2026-01-31T02:00:00), got {expression!r}"
        )
