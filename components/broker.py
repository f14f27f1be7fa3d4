"""RabbitMQ on Amazon MQ: one private broker that speaks TLS only, and how it is watched.

Amazon MQ knows neither the plain ports 5672 and 15672 nor the management plugin's own port: clients connect by AMQPS,
and the console answers HTTPS.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

from components import _iam, _json
from components._watch import Comparison, Metric, MissingData, Severity, Watch

DeploymentMode = Literal["SINGLE_INSTANCE", "CLUSTER_MULTI_AZ"]

PORT = 5671
CONSOLE_PORT = 443
LONGEST_NAME = 42  # a broker's name has 50 at most, and Pulumi adds 8 of its own
LOGS = ("general", "connection", "channel")

_DAYS = {
    "mon": "MONDAY",
    "tue": "TUESDAY",
    "wed": "WEDNESDAY",
    "thu": "THURSDAY",
    "fri": "FRIDAY",
    "sat": "SATURDAY",
    "sun": "SUNDAY",
}
_MAINTENANCE = re.compile(r"(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):[0-5]\d")
_VERSION = re.compile(r"\d+\.\d+")
# Amazon MQ API, User: without the tilde, which RabbitMQ brokers do not take; the account guest is always deleted.
_USERNAME = re.compile(r"[A-Za-z0-9_.-]{2,100}")


@dataclass(frozen=True, kw_only=True)
class BrokerArgs:
    """`maintenance_window` is "sun:05:00", in UTC; Amazon MQ decides how long it lasts.

    `password` is one that Amazon MQ takes: 12 to 250 characters, no comma, colon or equals sign; it is the user's
    when the broker is made, and no later one reaches it from here. Of `subnet_ids` (one for each zone) a single
    instance uses the first. `log_retention_days` is set every day, by a schedule: Amazon MQ makes the log groups
    itself, named after an id that nobody knows before.
    """

    engine_version: str
    instance_type: str
    deployment_mode: DeploymentMode
    username: str
    password: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    data_key_arn: pulumi.Input[str]
    maintenance_window: str
    log_retention_days: int
    account_id: str
    region: str
    connections_at_most: int
    backlog_messages: int
    protect: bool
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError("broker: " + "; ".join(problems))

    @property
    def is_cluster(self) -> bool:
        return self.deployment_mode == "CLUSTER_MULTI_AZ"

    def _problems(self) -> Iterator[str]:
        if not _VERSION.fullmatch(self.engine_version):
            yield f"engine_version must be like 3.13, without a patch number, got {self.engine_version!r}"
        elif int(self.engine_version.split(".")[0]) >= 4 and not self.instance_type.startswith("mq.m7g."):
            yield f"instance_type must be an mq.m7g for RabbitMQ {self.engine_version}, got {self.instance_type}"
        if self.is_cluster and self.instance_type == "mq.t3.micro":
            yield "instance_type mq.t3.micro cannot be a node of a cluster; use mq.m5.large or larger"
        if self.is_cluster and len(self.subnet_ids) < 2:
            yield f"CLUSTER_MULTI_AZ needs subnets in two zones or more, got {len(self.subnet_ids)}"
        if not self.subnet_ids:
            yield "subnet_ids is empty; name a private subnet, or Amazon MQ takes one of the default network"
        if not _USERNAME.fullmatch(self.username) or self.username == "guest":
            yield (
                "username must be 2 to 100 letters, digits, hyphens, underscores and periods, and not guest, "
                f"got {self.username!r}"
            )
        if not _MAINTENANCE.fullmatch(self.maintenance_window):
            yield f"maintenance_window must be like sun:05:00, got {self.maintenance_window!r}"


class Broker(pulumi.ComponentResource):
    """`host` is the one address of a cluster, too; `log_groups` are those that Amazon MQ makes."""

    id: pulumi.Output[str]
    host: pulumi.Output[str]
    port: int
    username: str
    console_url: pulumi.Output[str]
    log_groups: Sequence[pulumi.Output[str]]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: BrokerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if len(name) > LONGEST_NAME:
            raise ValueError(f"broker {name}: its name may have {LONGEST_NAME} characters, got {len(name)}")
        super().__init__("groundwork:data:Broker", name, None, opts)
        day, _, time = args.maintenance_window.partition(":")
        broker = aws.mq.Broker(
            name,
            engine_type="RabbitMQ",
            engine_version=args.engine_version,
            host_instance_type=args.instance_type,
            deployment_mode=args.deployment_mode,
            publicly_accessible=False,
            subnet_ids=args.subnet_ids if args.is_cluster else args.subnet_ids[:1],
            security_groups=[args.security_group_id],
            encryption_options={"use_aws_owned_key": False, "kms_key_id": args.data_key_arn},
            users=[{"username": args.username, "password": args.password}],
            # RabbitMQ takes new minor versions and patches in the window only.
            auto_minor_version_upgrade=True,
            maintenance_window_start_time={
                "day_of_week": _DAYS[day],
                "time_of_day": time,
                "time_zone": "UTC",
            },
            logs={"general": True},
            tags={**args.tags, "Name": name},
            opts=pulumi.ResourceOptions(
                parent=self,
                # Amazon MQ changes no user of RabbitMQ, and the provider lets such a change pass as if it were done.
                ignore_changes=["users"],
                protect=args.protect,
                retain_on_delete=args.protect,
            ),
        )

        self.id = broker.id
        self.host = broker.instances.apply(lambda instances: _host((instances[0].endpoints or [])[0]))
        self.port = PORT
        self.username = args.username
        self.console_url = broker.instances.apply(lambda instances: instances[0].console_url or "")
        self.log_groups = [pulumi.Output.concat("/aws/amazonmq/broker/", broker.id, "/", log) for log in LOGS]
        self.watches = list(_watches(name, args, broker.broker_name))
        self._forget(name, args)
        self.register_outputs(
            {
                "id": self.id,
                "host": self.host,
                "port": self.port,
                "console_url": self.console_url,
                "log_groups": self.log_groups,
            }
        )

    def _forget(self, name: str, args: BrokerArgs) -> None:
        """Has the log groups keep what they hold for so many days; one that is not there yet is met a day later."""
        child = pulumi.ResourceOptions(parent=self)
        groups = pulumi.Output.concat(
            f"arn:aws:logs:{args.region}:{args.account_id}:log-group:/aws/amazonmq/broker/", self.id, "/*"
        )
        role = aws.iam.Role(
            f"{name}-log-retention",
            description=f"Lets the scheduler set how long the logs of {name} are kept",
            assume_role_policy=_iam.assume_role("scheduler.amazonaws.com", account_id=args.account_id),
            tags={**args.tags, "Name": f"{name}-log-retention"},
            opts=child,
        )
        policy = aws.iam.RolePolicy(
            f"{name}-log-retention",
            role=role.name,
            policy=_iam.document(_iam.statement("logs:PutRetentionPolicy", groups, sid="KeepForSoLong")),
            opts=child,
        )
        for log, group in zip(LOGS, self.log_groups, strict=True):
            aws.scheduler.Schedule(
                f"{name}-{log}-log-retention",
                description=f"Keeps the {log} log of {name} for {args.log_retention_days} days",
                schedule_expression="rate(1 day)",
                flexible_time_window={"mode": "OFF"},
                target={
                    "arn": "arn:aws:scheduler:::aws-sdk:cloudwatchlogs:putRetentionPolicy",
                    "role_arn": role.arn,
                    "input": _json.dumps({"LogGroupName": group, "RetentionInDays": args.log_retention_days}),
                    "retry_policy": {"maximum_retry_attempts": 3, "maximum_event_age_in_seconds": 3600},
                },
                opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
            )


def _host(endpoint: str) -> str:
    """amqps://b-1234.mq.us-east-1.amazonaws.com:5671 -> b-1234.mq.us-east-1.amazonaws.com."""
    return endpoint.rpartition("//")[2].rpartition(":")[0]


def _watches(name: str, args: BrokerArgs, broker_name: pulumi.Output[str]) -> Iterator[Watch]:
    """Figures of the whole broker: those of single nodes go by host names that nobody knows before.

    RabbitMQ stops every publisher when its memory or its disk comes to its limit, long before either is full.
    """

    def metric(id_: str, metric_name: str, stat: str = "Average") -> Metric:
        return Metric(
            id=id_,
            namespace="AWS/AmazonMQ",
            metric_name=metric_name,
            stat=stat,
            dimensions={"Broker": broker_name},
        )

    def watch(
        part: str,
        description: str,
        severity: Severity,
        threshold: float,
        metrics: Sequence[Metric],
        *,
        expression: str | None = None,
        comparison: Comparison = "GreaterThanThreshold",
        treat_missing_data: MissingData = "notBreaching",
    ) -> Watch:
        return Watch(
            name=f"{name}-{part}",
            description=description,
            severity=severity,
            threshold=threshold,
            metrics=metrics,
            expression=expression,
            comparison=comparison,
            evaluation_periods=3,
            treat_missing_data=treat_missing_data,
        )

    yield watch(
        "memory",
        "Percent of the memory at which RabbitMQ stops every publisher.",
        "critical",
        80,
        [metric("used", "RabbitMQMemUsed"), metric("limit", "RabbitMQMemLimit")],
        expression="100 * used / limit",
    )
    yield watch(
        "disk",
        "Free disk as a multiple (count) of the free disk below which RabbitMQ stops every publisher.",
        "critical",
        2,
        [metric("free", "RabbitMQDiskFree", "Minimum"), metric("limit", "RabbitMQDiskFreeLimit")],
        expression="free / limit",
        comparison="LessThanThreshold",
    )
    yield watch(
        "backlog",
        "Messages (count) that wait in all queues: those who take them do not keep up.",
        "warning",
        args.backlog_messages,
        [metric("ready", "MessageReadyCount", "Minimum")],
    )
    yield watch(
        "no-consumers",
        "Messages (count) that wait while nobody at all is there to take them.",
        "critical",
        0,
        [metric("ready", "MessageReadyCount", "Minimum"), metric("consumers", "ConsumerCount", "Maximum")],
        expression="IF(consumers < 1, ready, 0)",
    )
    yield watch(
        "connections",
        f"Connections (count) of the {args.connections_at_most} that the broker takes.",
        "warning",
        round(0.8 * args.connections_at_most),
        [metric("connections", "ConnectionCount", "Maximum")],
    )
    yield watch(
        "cpu",
        "Percent of the broker's processors; silence counts, since a broker that stands always tells.",
        "warning",
        80,
        [metric("cpu", "SystemCpuUtilization")],
        treat_missing_data="breaching",
    )
