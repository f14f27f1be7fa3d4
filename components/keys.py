"""One KMS key per class of data, rotated yearly, each usable only by the services that need it.

Inside the account IAM decides (the root statement hands over to it); services that act in their own name get
a statement with the narrowest condition that AWS supports.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import pulumi
import pulumi_aws as aws

from components._iam import Statement, document, statement

KeyClass = Literal["data", "logs", "secrets", "storage", "messages"]
_HOLDS: Mapping[KeyClass, str] = {
    "data": "databases and caches",
    "logs": "log groups",
    "secrets": "Secrets Manager",
    "storage": "buckets, images and backups",
    "messages": "notifications",
}
# Who publishes to encrypted topics and carries aws:SourceAccount when it does (SNS guide, "Key management").
_PUBLISHERS = (
    "cloudwatch.amazonaws.com",
    "events.rds.amazonaws.com",
    "backup.amazonaws.com",
    "aps.amazonaws.com",
)
_ENCRYPT_AND_READ = ("kms:Decrypt", "kms:GenerateDataKey*")


@dataclass(frozen=True, kw_only=True)
class KeysArgs:
    """`alias_prefix` "rentalfix-prod" gives "alias/rentalfix-prod-data"; `deletion_window_days` is 7 to 30.

    `elsewhere`: `region` is not the stack's own, so the keys are made there.

    `cloudfront_reads`: distributions of this account may decrypt objects of buckets whose policy lets them read.
    Raises ValueError on a window outside AWS's limits and on unknown or repeated classes.
    """

    account_id: str
    region: str
    elsewhere: bool = False
    alias_prefix: str
    classes: Sequence[KeyClass]
    deletion_window_days: int
    protect: bool
    cloudfront_reads: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        found = []
        if not 7 <= self.deletion_window_days <= 30:
            found.append(f"deletion_window_days must be 7 to 30, got {self.deletion_window_days}")
        known = get_args(KeyClass)
        found += [f"class {c!r} is not one of {', '.join(known)}" for c in self.classes if c not in known]
        found += [
            f"class {c!r} is listed twice"
            for c in sorted({c for c in self.classes if self.classes.count(c) > 1})
        ]
        if found:
            raise ValueError("keys: " + "; ".join(found))


class Keys(pulumi.ComponentResource):
    """`arns` by class."""

    arns: dict[KeyClass, pulumi.Output[str]]

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:security:Keys", name, None, opts)
        self.arns = {}
        region = args.region if args.elsewhere else None
        for key_class in args.classes:
            label = f"{name}-{key_class}"
            key = aws.kms.Key(
                label,
                region=region,
                description=f"{args.alias_prefix}: {_HOLDS[key_class]}",
                enable_key_rotation=True,
                deletion_window_in_days=args.deletion_window_days,
                policy=document(*_statements(key_class, args)),
                tags={**args.tags, "Name": f"{args.alias_prefix}-{key_class}"},
                opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.protect),
            )
            aws.kms.Alias(
                label,
                region=region,
                name=f"alias/{args.alias_prefix}-{key_class}",
                target_key_id=key.key_id,
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.arns[key_class] = key.arn
        self.register_outputs({"arns": self.arns})


def _statements(key_class: KeyClass, args: KeysArgs) -> list[Statement]:
    root = statement(
        "kms:*",
        "*",
        principals={"AWS": f"arn:aws:iam::{args.account_id}:root"},
        sid="AdministeredThroughIam",
    )
    by_class = {"logs": _log_groups, "storage": _log_delivery, "messages": _topics}
    return [root, *by_class.get(key_class, lambda _: [])(args)]


def _log_groups(args: KeysArgs) -> list[Statement]:
    return [
        statement(
            ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            "*",
            principals={"Service": f"logs.{args.region}.amazonaws.com"},
            conditions={
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{args.region}:{args.account_id}:*"
                }
            },
            sid="LogGroupsOfThisAccount",
        )
    ]


def _log_delivery(args: KeysArgs) -> list[Statement]:
    return [
        statement(
            _ENCRYPT_AND_READ,
            "*",
            principals={"Service": "delivery.logs.amazonaws.com"},
            conditions={"StringEquals": {"aws:SourceAccount": args.account_id}},
            sid="LogDeliveryToBuckets",
        ),
        *(_distributions(args) if args.cloudfront_reads else ()),
    ]


def _distributions(args: KeysArgs) -> Iterator[Statement]:
    """Any distribution of the account: which one reads which bucket is said by the bucket, and a key that named it
    would have to wait for it, with all that is encrypted."""
    yield statement(
        "kms:Decrypt",
        "*",
        principals={"Service": "cloudfront.amazonaws.com"},
        conditions={"ArnLike": {"aws:SourceArn": f"arn:aws:cloudfront::{args.account_id}:distribution/*"}},
        sid="DistributionsOfThisAccount",
    )


def _topics(args: KeysArgs) -> list[Statement]:
    # EventBridge carries neither aws:SourceAccount nor aws:SourceArn to an encrypted topic: with such a
    # condition its events vanish without an error. What confines it is the topic in the encryption context.
    topics = f"arn:aws:sns:{args.region}:{args.account_id}:*"
    return [
        statement(
            _ENCRYPT_AND_READ,
            "*",
            principals={"Service": list(_PUBLISHERS)},
            conditions={"StringEquals": {"aws:SourceAccount": args.account_id}},
            sid="PublishersOfThisAccount",
        ),
        statement(
            _ENCRYPT_AND_READ,
            "*",
            principals={"Service": "events.amazonaws.com"},
            conditions={"ArnLike": {"kms:EncryptionContext:aws:sns:topicArn": topics}},
            sid="EventBridgeToTopicsOfThisAccount",
        ),
    ]
