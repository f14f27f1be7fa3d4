"""A private S3 bucket: encrypted, versioned, TLS only, no ACLs, and it forgets what it is told to.

On demand it takes uploads straight from browsers, has them scanned for malware, and lets one CloudFront distribution
read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

from components import _iam, _malware_scan

ABANDONED_UPLOAD_DAYS = 7
# What a browser sends with an upload, and what it may see of the answer: parts of a large upload go by their ETags.
UPLOAD_HEADERS = ("Content-Type", "Content-MD5", "x-amz-*")
SHOWN_HEADERS = ("ETag",)


@dataclass(frozen=True, kw_only=True)
class Cors:
    """Which web pages may call the bucket from a browser, with signed requests; `max_age_s`: asked again after."""

    allow_origins: Sequence[str]
    allow_methods: Sequence[str]
    max_age_s: int


@dataclass(frozen=True, kw_only=True)
class MalwareScan:
    """GuardDuty scans each new object, and nobody reads it before; `topic_arn` is told of all that is not clean."""

    topic_arn: pulumi.Input[str]
    account_id: str
    region: str


@dataclass(frozen=True, kw_only=True)
class BucketArgs:
    """`bucket_name` is a physical name; None lets the engine choose one.

    `kms_key_arn` None means S3's own key (SSE-S3), the only one that load balancer logs accept. `expire_days` by
    prefix ("" is the whole bucket): after so many days an object goes, and after as many again its last copy.
    `noncurrent_expire_days` is for what is overwritten or deleted, in the whole bucket. `log_delivery` lets the load
    balancers of `account_id` write their access logs, or its CloudFront distributions. `reader_distribution_arn` is the
    CloudFront distribution that may read with origin access control; with a key of one's own, that key must let
    CloudFront decrypt, too.
    """

    bucket_name: str | None = None
    kms_key_arn: pulumi.Input[str] | None
    expire_days: Mapping[str, int] = field(default_factory=dict)
    noncurrent_expire_days: int | None = None
    versioned: bool = True
    cors: Cors | None = None
    malware_scan: MalwareScan | None = None
    reader_distribution_arn: pulumi.Input[str] | None = None
    extra_policy_statements: Sequence[_iam.Statement] = ()
    log_delivery: Literal["none", "load_balancer", "distribution"] = "none"
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
        if self.noncurrent_expire_days is not None:
            if self.noncurrent_expire_days < 1:
                yield f"noncurrent_expire_days must be at least 1, got {self.noncurrent_expire_days}"
            if not self.versioned:
                yield "noncurrent_expire_days needs versioned: without versions nothing is kept"
        if self.cors is not None:
            yield from _cors_problems(self.cors)
        if self.log_delivery != "none" and self.account_id is None:
            whose = self.log_delivery.replace("_", " ")
            yield f"log_delivery {self.log_delivery} needs account_id: whose {whose}s may write"
        if self.log_delivery == "load_balancer" and self.kms_key_arn is not None:
            yield "log_delivery load_balancer needs kms_key_arn None: the balancer writes with SSE-S3 only"


def _cors_problems(cors: Cors) -> Iterator[str]:
    if not cors.allow_origins:
        yield "cors.allow_origins is empty; name the origins of the web pages, such as https://app.example.com"
    if "*" in cors.allow_origins:
        yield "cors.allow_origins must name origins, got *"
    if not cors.allow_methods:
        yield "cors.allow_methods is empty; name GET, PUT or POST"


class Bucket(pulumi.ComponentResource):
    """`regional_domain_name` is where CloudFront finds it: unlike `name`, it does not wait for the bucket's policy."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    regional_domain_name: pulumi.Output[str]

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
            rules=[*_expiry_rules(args), _cleanup_rule(args)],
            # Rules on old versions are refused while versioning is still unset.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        if args.cors is not None:
            aws.s3.BucketCorsConfiguration(
                f"{name}-cors", bucket=bucket.id, cors_rules=[_cors_rule(args.cors)], opts=child
            )
        scanner = self._scanner(name, args) if args.malware_scan is not None else None
        policy = aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket.id,
            policy=_iam.document(*_policy_statements(args, bucket.arn, scanner)),
            # S3 refuses two changes of a bucket's access at the same time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[public_access]),
        )
        if args.malware_scan is not None and scanner is not None:
            self._scan(name, args, args.malware_scan, bucket, scanner)

        # Handed out by the policy, so that nobody who writes here comes before it.
        self.name = policy.bucket
        self.arn = bucket.arn
        self.regional_domain_name = bucket.bucket_regional_domain_name
        self.register_outputs(
            {"name": self.name, "arn": self.arn, "regional_domain_name": self.regional_domain_name}
        )

    def _scanner(self, name: str, args: BucketArgs) -> aws.iam.Role:
        return aws.iam.Role(
            f"{name}-scanner",
            description=f"Lets GuardDuty scan what is put into {name}",
            assume_role_policy=_iam.assume_role(_malware_scan.SERVICE),
            tags={**args.tags, "Name": f"{name}-scanner"},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _scan(
        self, name: str, args: BucketArgs, scan: MalwareScan, bucket: aws.s3.Bucket, scanner: aws.iam.Role
    ) -> None:
        child = pulumi.ResourceOptions(parent=self)
        rights = aws.iam.RolePolicy(
            f"{name}-scanner",
            role=scanner.name,
            policy=_iam.document(
                *_malware_scan.role_statements(
                    bucket.arn, kms_key_arn=args.kms_key_arn, account_id=scan.account_id, region=scan.region
                )
            ),
            opts=child,
        )
        aws.guardduty.MalwareProtectionPlan(
            f"{name}-malware",
            role=scanner.arn,
            protected_resource={"s3_bucket": {"bucket_name": bucket.id}},
            actions=[{"taggings": [{"status": "ENABLED"}]}],
            tags={**args.tags, "Name": f"{name}-malware"},
            # GuardDuty tries its role at once, and refuses the plan when it is not let in.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rights]),
        )
        rule = aws.cloudwatch.EventRule(
            f"{name}-malware",
            description=f"Objects in {name} that are not clean, or could not be scanned",
            event_pattern=_malware_scan.event_pattern(bucket.id),
            tags={**args.tags, "Name": f"{name}-malware"},
            opts=child,
        )
        aws.cloudwatch.EventTarget(
            f"{name}-malware",
            rule=rule.name,
            arn=scan.topic_arn,
            input_transformer={
                "input_paths": {
                    "bucket": "$.detail.s3ObjectDetails.bucketName",
                    "key": "$.detail.s3ObjectDetails.objectKey",
                    "status": "$.detail.scanResultDetails.scanResultStatus",
                },
                "input_template": '"Malware scan says <status> of <key> in <bucket>. Nobody can read it."',
            },
            opts=child,
        )


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


def _cleanup_rule(args: BucketArgs) -> aws.s3.BucketLifecycleConfigurationRuleArgsDict:
    rule: aws.s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": "cleanup",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "abort_incomplete_multipart_upload": {"days_after_initiation": ABANDONED_UPLOAD_DAYS},
    }
    if args.versioned:
        rule["expiration"] = {"expired_object_delete_marker": True}
    if args.noncurrent_expire_days is not None:
        rule["noncurrent_version_expiration"] = {"noncurrent_days": args.noncurrent_expire_days}
    return rule


def _cors_rule(cors: Cors) -> aws.s3.BucketCorsConfigurationCorsRuleArgsDict:
    return {
        "allowed_origins": list(cors.allow_origins),
        "allowed_methods": list(cors.allow_methods),
        "allowed_headers": list(UPLOAD_HEADERS),
        "expose_headers": list(SHOWN_HEADERS),
        "max_age_seconds": cors.max_age_s,
    }


def _policy_statements(
    args: BucketArgs, bucket_arn: pulumi.Output[str], scanner: aws.iam.Role | None
) -> Iterator[_iam.Statement]:
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
    if args.log_delivery == "distribution" and args.account_id is not None:
        # CloudFront guide, "Configure standard logging (v2)"; deliveries of CloudFront all belong to this region.
        account_id = pulumi.Output.from_input(args.account_id)
        yield _iam.statement(
            "s3:PutObject",
            pulumi.Output.concat(bucket_arn, "/AWSLogs/", account_id, "/*"),
            principals={"Service": "delivery.logs.amazonaws.com"},
            conditions={
                "StringEquals": {"aws:SourceAccount": account_id},
                "ArnLike": {
                    "aws:SourceArn": pulumi.Output.concat(
                        "arn:aws:logs:us-east-1:", account_id, ":delivery-source:*"
                    )
                },
            },
            sid="DistributionLogs",
        )
    if scanner is not None:
        yield from _malware_scan.bucket_statements(bucket_arn, scanner.arn)
    if args.reader_distribution_arn is not None:
        # CloudFront guide, "Restrict access to an Amazon S3 origin": the condition makes it this distribution only.
        yield _iam.statement(
            "s3:GetObject",
            pulumi.Output.concat(bucket_arn, "/*"),
            principals={"Service": "cloudfront.amazonaws.com"},
            conditions={"StringEquals": {"aws:SourceArn": args.reader_distribution_arn}},
            sid="OneDistributionReads",
        )
    yield from args.extra_policy_statements
