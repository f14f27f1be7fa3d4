"""One encrypted SNS topic per severity and region, who may publish to it, and who reads it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import pulumi
import pulumi_aws as aws

from components._iam import document, statement
from components._watch import Severity

SEVERITIES: Sequence[Severity] = get_args(Severity)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# Who publishes in its own name. Schedules and queue figures use roles of the account instead.
_PUBLISHERS = (
    "cloudwatch.amazonaws.com",
    "events.rds.amazonaws.com",
    "backup.amazonaws.com",
    "aps.amazonaws.com",
)


@dataclass(frozen=True, kw_only=True)
class NotificationsArgs:
    """`emails` by severity; the first of `regions` is the stack's own, where `kms_key_arn` encrypts.

    `topic_names` by severity are fixed names of that region's topics, for scripts that use them already.

    A further region is one whose metrics only exist there, such as us-east-1 for Route 53; it gets its own key.
    Raises ValueError on a missing severity, a critical one that nobody reads, bad or repeated addresses.
    """

    emails: Mapping[Severity, Sequence[str]]
    regions: Sequence[str]
    kms_key_arn: pulumi.Input[str]
    account_id: str
    topic_names: Mapping[Severity, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ValueError("notifications: " + "; ".join(problems))


class Notifications(pulumi.ComponentResource):
    """`topic_arns` by region, then by severity."""

    topic_arns: Mapping[str, Mapping[Severity, pulumi.Output[str]]]

    def __init__(
        self, name: str, args: NotificationsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("groundwork:observability:Notifications", name, None, opts)
        keys: dict[str, pulumi.Input[str]] = {args.regions[0]: args.kms_key_arn}
        keys |= {region: self._key(name, args, region) for region in args.regions[1:]}
        self.topic_arns = {
            region: {severity: self._topic(name, args, region, severity, key) for severity in SEVERITIES}
            for region, key in keys.items()
        }
        self.register_outputs({"topic_arns": self.topic_arns})

    def _key(self, name: str, args: NotificationsArgs, region: str) -> pulumi.Output[str]:
        """A key lives in one region, and CloudWatch cannot use the one that SNS brings along."""
        label = f"{name}-{region}"
        key = aws.kms.Key(
            label,
            region=region,
            description=f"{name}: notifications in {region}",
            enable_key_rotation=True,
            deletion_window_in_days=7,
            policy=_key_policy(args.account_id),
            tags={**args.tags, "Name": label},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key.arn

    def _topic(
        self, name: str, args: NotificationsArgs, region: str, severity: Severity, key: pulumi.Input[str]
    ) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        label = f"{name}-{severity}-{region}"
        topic = aws.sns.Topic(
            label,
            name=args.topic_names.get(severity) if region == args.regions[0] else None,
            region=region,
            kms_master_key_id=key,
            tags={**args.tags, "Name": label},
            opts=child,
        )
        policy = aws.sns.TopicPolicy(
            label, region=region, arn=topic.arn, policy=_policy(topic.arn, args.account_id), opts=child
        )
        for email in args.emails[severity]:
            aws.sns.TopicSubscription(
                f"{label}-{email}",
                region=region,
                topic=topic.arn,
                protocol="email",
                endpoint=email,
                opts=child,
            )
        # Handed out by the policy: RDS and AWS Backup refuse a topic that they may not publish to yet.
        return policy.arn


def _key_policy(account_id: str) -> pulumi.Output[str]:
    return document(
        statement(
            "kms:*",
            "*",
            principals={"AWS": f"arn:aws:iam::{account_id}:root"},
            sid="AdministeredThroughIam",
        ),
        statement(
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            "*",
            principals={"Service": list(_PUBLISHERS)},
            conditions={"StringEquals": {"aws:SourceAccount": account_id}},
            sid="PublishersOfThisAccount",
        ),
    )


def _policy(topic_arn: pulumi.Input[str], account_id: str) -> pulumi.Output[str]:
    return document(
        statement(
            "sns:Publish",
            topic_arn,
            principals={"Service": list(_PUBLISHERS)},
            conditions={"StringEquals": {"aws:SourceAccount": account_id}},
            sid="PublishersOfThisAccount",
        ),
        # EventBridge names neither account nor rule to a topic (its guide, "Amazon SNS permissions"), so there is
        # nothing to put into a condition.
        statement(
            "sns:Publish", topic_arn, principals={"Service": "events.amazonaws.com"}, sid="EventBridgeRules"
        ),
        # Managed Prometheus looks at the topic before it publishes (its guide, "Giving permission to send alert
        # messages to your Amazon SNS topic").
        statement(
            "sns:GetTopicAttributes",
            topic_arn,
            principals={"Service": "aps.amazonaws.com"},
            conditions={"StringEquals": {"aws:SourceAccount": account_id}},
            sid="PrometheusLooksAtTheTopic",
        ),
        statement(
            "sns:Publish",
            topic_arn,
            effect="Deny",
            principals="*",
            conditions={"Bool": {"aws:SecureTransport": "false"}},
            sid="OnlyOverTls",
        ),
    )


def _problems(args: NotificationsArgs) -> Iterator[str]:
    if not args.regions:
        yield "regions is empty; name the stack's region first"
    for severity in SEVERITIES:
        if severity not in args.emails:
            yield f"emails has no list for {severity!r}; give one, even an empty one for warnings"
    if "critical" in args.emails and not args.emails["critical"]:
        yield "emails.critical is empty; a critical alarm needs at least one reader"
    for severity, addresses in args.emails.items():
        for address in sorted(set(addresses)):
            if not _EMAIL.fullmatch(address):
                yield f"emails.{severity} has {address!r}, which is no email address; write name@domain"
            if list(addresses).count(address) > 1:
                yield f"emails.{severity} lists {address} twice; name it once"
    names = list(args.topic_names.values())
    for topic in sorted({topic for topic in names if names.count(topic) > 1}):
        yield f"topic_names has {topic} twice; the severities need topics of their own"
    for region in sorted({region for region in args.regions if args.regions.count(region) > 1}):
        yield f"regions lists {region} twice; name it once"
