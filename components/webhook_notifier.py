"""Tells Slack or PagerDuty what the topics say: one small function for each receiver.

A subscription of SNS would hold the webhook's URL in the open, and the URL is the credential. So a function reads it
from Secrets Manager and posts; its code is in webhook_notifier_handler/. One function for each receiver, so that each
may read its own secret only, and that trying again for one repeats nothing for the other.

The function is not in the VPC on purpose. It calls Secrets Manager and the internet and nothing inside, so in the VPC
it would need network interfaces and a way out of its own, and would be silent exactly when the network is down.

Lambda tries a message three times over some minutes; what is still not delivered then lies in the queue of dead
letters, and an alarm says so to the topics' other readers, by e-mail.
"""

# Annotations stay text: evaluated, they would import AWS's modules into every program that declares none of this.
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import pulumi
import pulumi_aws as aws

from components import _json
from components._iam import Statement, assume_role, document, statement
from components._watch import Metric, Severity, Watch

HANDLER = Path(__file__).parent / "webhook_notifier_handler" / "handler.py"
Receiver = Literal["slack", "pagerduty"]
KEPT_DAYS = 14  # the longest that SQS keeps a message


@dataclass(frozen=True, kw_only=True)
class WebhookNotifierArgs:
    """`topic_arns` by region, then by severity: SNS hands a message to a function of another region too.

    `secret_arn` holds the webhook's URL (Slack) or the integration's key (PagerDuty), `secrets_key_arn` decrypts it
    and the function's variables, `messages_key_arn` encrypts what could not be delivered. `responses` says by
    severity what the product promises, such as "P1, answered within 15 minutes". `source` is what PagerDuty calls
    the stack. Raises ValueError on an unknown receiver, without severities or without topics.
    """

    receiver: Receiver
    severities: Sequence[Severity]
    topic_arns: Mapping[str, Mapping[Severity, pulumi.Input[str]]]
    secret_arn: pulumi.Input[str]
    secrets_key_arn: pulumi.Input[str]
    messages_key_arn: pulumi.Input[str]
    source: str
    responses: Mapping[Severity, str] = field(default_factory=dict)
    log_group_name: str
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ValueError(f"webhook notifier {self.receiver}: " + "; ".join(problems))


class WebhookNotifier(pulumi.ComponentResource):
    """`dead_letters_url` is the queue with what could not be delivered."""

    function_name: pulumi.Output[str]
    dead_letters_url: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(
        self, name: str, args: WebhookNotifierArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("groundwork:observability:WebhookNotifier", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        logs = aws.cloudwatch.LogGroup(
            f"{name}-log",
            name=args.log_group_name,
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags={**args.tags, "Name": args.log_group_name},
            opts=child,
        )
        dead_letters = aws.sqs.Queue(
            f"{name}-undelivered",
            message_retention_seconds=KEPT_DAYS * 86_400,
            kms_master_key_id=args.messages_key_arn,
            kms_data_key_reuse_period_seconds=300,
            tags={**args.tags, "Name": f"{name}-undelivered"},
            opts=child,
        )
        role = aws.iam.Role(
            name,
            description=f"Lets a function tell {args.receiver} what the topics say",
            # Lambda takes an execution role without saying for which account, so a condition would lock it out.
            assume_role_policy=assume_role("lambda.amazonaws.com"),
            tags={**args.tags, "Name": name},
            opts=child,
        )
        policy = aws.iam.RolePolicy(
            name,
            role=role.name,
            policy=document(*_statements(args, logs.arn, dead_letters.arn)),
            opts=child,
        )
        function = aws.lambda_.Function(
            name,
            description=f"Tells {args.receiver} what the topics say",
            code=pulumi.AssetArchive({"handler.py": pulumi.FileAsset(HANDLER)}),
            handler="handler.handler",
            runtime=aws.lambda_.Runtime.PYTHON3D13,
            architectures=["arm64"],
            memory_size=256,
            # Three attempts of five seconds and the waits between them.
            timeout=60,
            role=role.arn,
            kms_key_arn=args.secrets_key_arn,
            environment={
                "variables": {
                    "RECEIVER": args.receiver,
                    "SECRET_ARN": args.secret_arn,
                    "SOURCE": args.source,
                    "TOPICS": _topics(args),
                }
            },
            dead_letter_config={"target_arn": dead_letters.arn},
            logging_config={"log_format": "JSON", "log_group": logs.name},
            tags={**args.tags, "Name": name},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        for region, by_severity in args.topic_arns.items():
            for severity in args.severities:
                self._subscribe(f"{name}-{severity}-{region}", region, by_severity[severity], function)

        self.function_name = function.name
        self.dead_letters_url = dead_letters.id  # SQS calls a queue by its URL
        self.watches = [_undelivered(name, args.receiver, function.name, dead_letters.name)]
        self.register_outputs(
            {"function_name": self.function_name, "dead_letters_url": self.dead_letters_url}
        )

    def _subscribe(
        self, label: str, region: str, topic_arn: pulumi.Input[str], function: aws.lambda_.Function
    ) -> None:
        child = pulumi.ResourceOptions(parent=self)
        permission = aws.lambda_.Permission(
            label,
            statement_id=label,
            action="lambda:InvokeFunction",
            function=function.name,
            principal="sns.amazonaws.com",
            source_arn=topic_arn,
            opts=child,
        )
        # No dead letters of its own: SNS tries to hand a message to Lambda for 23 days (SNS guide, "Delivery retries").
        aws.sns.TopicSubscription(
            label,
            region=region,
            topic=topic_arn,
            protocol="lambda",
            endpoint=function.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )


def _topics(args: WebhookNotifierArgs) -> pulumi.Output[str]:
    """What the function is told of each topic; a topic's name alone need not say its severity."""
    return _json.dumps(
        [
            {
                "topic_arn": by_severity[severity],
                "severity": severity,
                "response": args.responses.get(severity, ""),
            }
            for by_severity in args.topic_arns.values()
            for severity in args.severities
        ]
    )


def _statements(
    args: WebhookNotifierArgs, log_group_arn: pulumi.Output[str], queue_arn: pulumi.Output[str]
) -> list[Statement]:
    return [
        statement(
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            pulumi.Output.concat(log_group_arn, ":*"),
            sid="WriteOwnLog",
        ),
        statement("secretsmanager:GetSecretValue", args.secret_arn, sid="ReadWebhook"),
        statement("kms:Decrypt", args.secrets_key_arn, sid="DecryptWebhook"),
        statement("sqs:SendMessage", queue_arn, sid="KeepWhatIsNotDelivered"),
        statement(["kms:Decrypt", "kms:GenerateDataKey"], args.messages_key_arn, sid="EncryptWhatIsKept"),
    ]


def _undelivered(
    name: str, receiver: str, function_name: pulumi.Output[str], queue_name: pulumi.Output[str]
) -> Watch:
    return Watch(
        name=f"{name}-undelivered",
        description=f"Messages that {receiver} did not get, in the queue of dead letters or lost before it: "
        "whoever reads only there does not hear of alarms",
        severity="critical",
        threshold=0,
        metrics=[
            Metric(
                id="kept",
                namespace="AWS/SQS",
                metric_name="ApproximateNumberOfMessagesVisible",
                stat="Maximum",
                dimensions={"QueueName": queue_name},
            ),
            Metric(
                id="lost",
                namespace="AWS/Lambda",
                metric_name="DeadLetterErrors",
                stat="Sum",
                dimensions={"FunctionName": function_name},
            ),
        ],
        expression="FILL(kept, 0) + FILL(lost, 0)",
    )


def _problems(args: WebhookNotifierArgs) -> Iterator[str]:
    if args.receiver not in get_args(Receiver):
        yield f"receiver must be one of {', '.join(get_args(Receiver))}, got {args.receiver!r}"
    if not args.severities:
        yield "severities is empty; name at least one, or leave the receiver out"
    for severity in sorted({each for each in args.severities if list(args.severities).count(each) > 1}):
        yield f"severities lists {severity} twice; name it once"
    if not args.topic_arns:
        yield "topic_arns is empty; give the topics of at least one region"
    for region, by_severity in args.topic_arns.items():
        for severity in args.severities:
            if severity not in by_severity:
                yield f"topic_arns has no {severity} topic in {region}; give one"
