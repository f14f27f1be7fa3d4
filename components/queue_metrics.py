"""Publishes how many BullMQ jobs wait, run and fail, every minute: nothing else tells CloudWatch.

A small function in the VPC asks Redis; its code is in queue_metrics_handler/. It reaches CloudWatch and Secrets
Manager over NAT or interface endpoints, so its subnets need one of the two.
"""

# Annotations stay text: evaluated, they would import AWS's modules into every program that declares none of this.
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components import _json
from components._iam import Statement, assume_role, document, statement
from components._watch import Metric, Watch

HANDLER = Path(__file__).parent / "queue_metrics_handler" / "handler.py"
FIGURES = ("QueueLength", "QueueActiveJobs", "QueueDelayedJobs", "QueueFailedJobs", "QueueOldestWaitSeconds")
# Lambda guide, "Giving Lambda functions access to resources in an Amazon VPC"; EC2 knows no narrower resource.
_NETWORK_ACTIONS = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A BullMQ queue: its keys begin with "<prefix>:<name>:". `auth_secret_arn` holds the cache's token as text.

    A job that waits longer than `max_wait_s` seconds is worth a look; so are more than `max_waiting` jobs, where that
    is given, and jobs that fail in each five minutes of `rising_minutes`.
    """

    name: str
    prefix: str
    host: pulumi.Input[str]
    port: pulumi.Input[int]
    auth_secret_arn: pulumi.Input[str]
    max_wait_s: int = 300
    max_waiting: int | None = None
    rising_minutes: int = 5


@dataclass(frozen=True, kw_only=True)
class QueueMetricsArgs:
    """Figures go to `namespace` with the dimension Queue, every `interval_min` minutes.

    `secrets_key_arn` decrypts the tokens. Raises ValueError on no queue, repeated names, a namespace of AWS's
    own, and an interval outside 1 to 5 minutes.
    """

    queues: Sequence[Queue]
    namespace: str
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    secrets_key_arn: pulumi.Input[str]
    account_id: str
    log_group_name: str
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    interval_min: int = 1
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ValueError("queue metrics: " + "; ".join(problems))


class QueueMetrics(pulumi.ComponentResource):
    """`metric` names a queue's figure, for scaling rules and dashboards."""

    namespace: str
    function_name: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: QueueMetricsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:observability:QueueMetrics", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        logs = aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=args.log_group_name,
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags={**args.tags, "Name": args.log_group_name},
            opts=child,
        )
        role, policy = self._role(
            f"{name}-function", "lambda.amazonaws.com", _function_statements(args, logs.arn), args
        )
        function = aws.lambda_.Function(
            name,
            description="Publishes how many BullMQ jobs wait, run and fail",
            code=pulumi.AssetArchive({"handler.py": pulumi.FileAsset(HANDLER)}),
            handler="handler.handler",
            runtime=aws.lambda_.Runtime.PYTHON3D13,
            architectures=["arm64"],
            memory_size=256,
            timeout=30,
            role=role.arn,
            kms_key_arn=args.secrets_key_arn,
            environment={"variables": {"NAMESPACE": args.namespace, "QUEUES": _queues(args)}},
            vpc_config={"subnet_ids": args.subnet_ids, "security_group_ids": [args.security_group_id]},
            logging_config={"log_format": "JSON", "log_group": logs.name},
            tags={**args.tags, "Name": name},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self._schedule(name, args, function)

        self.namespace = args.namespace
        self.function_name = function.name
        self.watches = [watch for queue in args.queues for watch in _watches(self, queue)]
        self.register_outputs({"namespace": self.namespace, "function_name": self.function_name})

    def metric(self, queue: str, figure: str) -> Metric:
        """The figure of a queue, such as QueueLength. Raises ValueError on one that is not published."""
        if figure not in FIGURES:
            raise ValueError(f"queue figure {figure!r} is not one of {', '.join(FIGURES)}")
        return Metric(
            id=figure[0].lower() + figure[1:],
            namespace=self.namespace,
            metric_name=figure,
            stat="Maximum",
            dimensions={"Queue": queue},
        )

    def _schedule(self, name: str, args: QueueMetricsArgs, function: aws.lambda_.Function) -> None:
        role, policy = self._role(
            f"{name}-schedule",
            "scheduler.amazonaws.com",
            [statement("lambda:InvokeFunction", function.arn, sid="Invoke")],
            args,
        )
        aws.scheduler.Schedule(
            name,
            description="Asks for the queues' figures",
            schedule_expression=f"rate({args.interval_min} {'minute' if args.interval_min == 1 else 'minutes'})",
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": function.arn,
                "role_arn": role.arn,
                # The next minute asks again, and an old figure is worth nothing.
                "retry_policy": {"maximum_retry_attempts": 0, "maximum_event_age_in_seconds": 60},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )

    def _role(
        self, label: str, service: str, statements: Sequence[Statement], args: QueueMetricsArgs
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        child = pulumi.ResourceOptions(parent=self)
        # Lambda takes an execution role without saying for which account, so such a condition would lock it out.
        account_id = args.account_id if service == "scheduler.amazonaws.com" else None
        role = aws.iam.Role(
            label,
            description=f"Lets {service} publish the queues' figures",
            assume_role_policy=assume_role(service, account_id=account_id),
            tags={**args.tags, "Name": label},
            opts=child,
        )
        policy = aws.iam.RolePolicy(label, role=role.name, policy=document(*statements), opts=child)
        return role, policy


def _queues(args: QueueMetricsArgs) -> pulumi.Output[str]:
    """What the function is told: where each queue is and which secret opens it, never the token itself."""
    return _json.dumps(
        [
            {
                "name": queue.name,
                "prefix": queue.prefix,
                "host": queue.host,
                "port": queue.port,
                "secret_arn": queue.auth_secret_arn,
            }
            for queue in args.queues
        ]
    )


def _function_statements(args: QueueMetricsArgs, log_group_arn: pulumi.Output[str]) -> list[Statement]:
    return [
        statement(
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            pulumi.Output.concat(log_group_arn, ":*"),
            sid="WriteOwnLog",
        ),
        statement(
            "secretsmanager:GetSecretValue",
            [queue.auth_secret_arn for queue in args.queues],
            sid="ReadTokens",
        ),
        statement("kms:Decrypt", args.secrets_key_arn, sid="DecryptTokens"),
        statement(
            "cloudwatch:PutMetricData",
            "*",
            conditions={"StringEquals": {"cloudwatch:namespace": args.namespace}},
            sid="PublishFigures",
        ),
        statement(_NETWORK_ACTIONS, "*", sid="StandInTheVpc"),
    ]


def _watches(metrics: QueueMetrics, queue: Queue) -> Iterator[Watch]:
    yield Watch(
        name=f"queue-{queue.name}-silent",
        description=f"Figures of the queue {queue.name} that arrived in 5 minutes: none for 10 minutes, so its "
        "workers do not scale",
        severity="critical",
        threshold=1,
        comparison="LessThanThreshold",
        metrics=[replace(metrics.metric(queue.name, "QueueLength"), stat="SampleCount")],
        evaluation_periods=2,
        treat_missing_data="breaching",
    )
    yield Watch(
        name=f"queue-{queue.name}-failed",
        description=_failing(queue),
        severity="warning",
        threshold=0,
        metrics=[metrics.metric(queue.name, "QueueFailedJobs")],
        expression="DIFF(queueFailedJobs)",
        evaluation_periods=queue.rising_minutes // 5,
    )
    if queue.max_waiting is not None:
        yield Watch(
            name=f"queue-{queue.name}-waiting",
            description=f"Jobs of {queue.name} that wait (count), more than {queue.max_waiting} for 10 minutes",
            severity="warning",
            threshold=queue.max_waiting,
            metrics=[metrics.metric(queue.name, "QueueLength")],
            evaluation_periods=2,
        )
    yield Watch(
        name=f"queue-{queue.name}-oldest-wait",
        description=f"The oldest waiting job of {queue.name} has waited for more than {queue.max_wait_s} seconds, "
        "for 10 minutes",
        severity="warning",
        threshold=queue.max_wait_s,
        metrics=[metrics.metric(queue.name, "QueueOldestWaitSeconds")],
        evaluation_periods=2,
    )


def _failing(queue: Queue) -> str:
    if queue.rising_minutes == 5:
        return f"Jobs of the queue {queue.name} that failed for good in the last 5 minutes"
    return (
        f"Jobs of the queue {queue.name} that failed for good, more in each five of {queue.rising_minutes} minutes: "
        "look why; more workers would not help"
    )


def _problems(args: QueueMetricsArgs) -> Iterator[str]:
    if not args.queues:
        yield "queues is empty; name at least one, or leave the component out"
    names = [queue.name for queue in args.queues]
    for repeated in sorted({name for name in names if names.count(name) > 1}):
        yield f"two queues are called {repeated!r}; figures are told apart by the name"
    for queue in args.queues:
        if not re.fullmatch(r"[\w-]+", queue.name):
            yield f"queue name must be letters, digits, - and _, got {queue.name!r}"
        if queue.max_wait_s < 1:
            yield f"queue {queue.name}: max_wait_s must be at least 1 second, got {queue.max_wait_s}"
        if queue.max_waiting is not None and queue.max_waiting < 1:
            yield f"queue {queue.name}: max_waiting must be at least 1 job, got {queue.max_waiting}"
        if queue.rising_minutes < 5 or queue.rising_minutes % 5:
            yield f"queue {queue.name}: rising_minutes must be a multiple of 5, got {queue.rising_minutes}"
    if args.namespace.startswith("AWS/"):
        yield f"namespace must not begin with AWS/, which is Amazon's own, got {args.namespace!r}"
    if not 1 <= args.interval_min <= 5:
        yield f"interval_min must be 1 to 5 minutes, the alarm on silence counts on it, got {args.interval_min}"
