"""A private S3 bucket: encrypted, versioned, TLS only, no ACLs, and it forgets what it is told to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

from components import _iam

ABANDONED_UPLOAD_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """`bucket_name` is a physical name; None lets the engine choose one.

    `kms_key_arn` None means S3's own key (SSE-S3), the only one that load balancer logs accept. `expire_days` by
    prefix ("" is the whole bucket): after so many days an object goes, and after as many again its last copy.
    `log_delivery` lets the load balancers of `account_id` write their access logs.
    """

    bucket_name: str | None = None
    kms_key_arn: pulumi.Input[str] | None
    expire_days: Mapping[str, int] = field(default_factory=dict)
    versioned: bool = True
    extra_policy_statements: Sequence[_iam.Statement] = ()
    log_delivery: Literal["none", "load_balancer"] = "none"
    account_id: pulumi.Input[str] | None = None
    protect: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError(f"bucket {self.bucket_name or ''}: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        for prefix, days in self.expire_days.items():
            if days < 1:
                yield f"expire_days of {prefix!r} must be at least 1, got {days}"
            if prefix.startswith("/"):
                yield f"expire_days: a prefix does not begin with /, got {prefix!r}"
        if self.log_delivery == "load_balancer":
            if self.account_id is None:
                yield "log_delivery load_balancer needs account_id: whose load balancers may write"
            if self.kms_key_arn is not None:
                yield "log_delivery load_balancer needs kms_key_arn None: the balancer writes with SSE-S3 only"


class Bucket(pulumi.ComponentResource):
    name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:storage:Bucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        bucket = aws.s3.Bucket(
            name,
            bucket=args.bucket_name,
            force_destroy=not args.protect,
            tags={**args.tags, "Name": args.bucket_name or name},
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, retain_on_delete=args.protect or None
            ),
        )
        public_access = aws.s3.BucketPublicAccessBlock(
            f"{name}-public-access",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=bucket.id,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=child,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.id,
            rules=[_encryption(args.kms_key_arn)],
            opts=child,
        )
        versioning = aws.s3.BucketVersioning(
            f"{name}-versioning",
            bucket=bucket.id,
            versioning_configuration={"status": "Enabled" if args.versioned else "Suspended"},
            opts=child,
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=bucket.id,
            rules=[*_expiry_rules(args), _cleanup_rule(args.versioned)],
            # Rules on old versions are refused while versioning is still unset.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        policy = aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket.id,
            policy=_iam.document(*_policy_statements(args, bucket.arn)),
            # S3 refuses two changes of a bucket's access at the same time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[public_access]),
        )

        # Handed out by the policy, so that nobody who writes here comes before it.
        self.name = policy.bucket
        self.arn = bucket.arn
        self.register_outputs({"name": self.name, "arn": self.arn})


def _encryption(
    kms_key_arn: pulumi.Input[str] | None,
) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgsDict:
    if kms_key_arn is None:
        return {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}
    return {
        "apply_server_side_encryption_by_default": {
            "sse_algorithm": "aws:kms",
            "kms_master_key_id": kms_key_arn,
        },
        "bucket_key_enabled": True,
    }


def _expiry_rules(args: BucketArgs) -> Iterator[aws.s3.BucketLifecycleConfigurationRuleArgsDict]:
    for prefix, days in sorted(args.expire_days.items()):
        rule: aws.s3.BucketLifecycleConfigurationRuleArgsDict = {
            "id": f"expire-{prefix.rstrip('/') or 'all'}",
            "status": "Enabled",
            "filter": {"prefix": prefix},
            "expiration": {"days": days},
        }
        if args.versioned:
            rule["noncurrent_version_expiration"] = {"noncurrent_days": days}
        yield rule


def _cleanup_rule(versioned: bool) -> aws.s3.BucketLifecycleConfigurationRuleArgsDict:
    rule: aws.s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": "cleanup",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "abort_incomplete_multipart_upload": {"days_after_initiation": ABANDONED_UPLOAD_DAYS},
    }
    if versioned:
        rule["expiration"] = {"expired_object_delete_marker": True}
    return rule


def _policy_statements(args: BucketArgs, bucket_arn: pulumi.Output[str]) -> Iterator[_iam.Statement]:
    yield _iam.statement(
        "s3:*",
        [bucket_arn, pulumi.Output.concat(bucket_arn, "/*")],
        effect="Deny",
        principals="*",
        conditions={"Bool": {"aws:SecureTransport": "false"}},
        sid="TlsOnly",
    )
    if args.log_delivery == "load_balancer" and args.account_id is not None:
        # The path ends in the account, so that no other account's balancer can write here
        # (Elastic Load Balancing guide, "Enable access logs for your Application Load Balancer").
        yield _iam.statement(
            "s3:PutObject",
            pulumi.Output.concat(bucket_arn, "/*AWSLogs/", args.account_id, "/*"),
            principals={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            sid="LoadBalancerLogs",
        )
    yield from args.extra_policy_statements
