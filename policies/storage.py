"""Buckets."""

from collections.abc import Mapping
from typing import Any

from pulumi_policy import PolicyResource
from rules import Findings, Rule, Stack, document, given, rule

BUCKETS = ["aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"]
PUBLIC_ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ENCRYPTIONS = [
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
]
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")

RULES: list[Rule] = []


@rule(
    RULES,
    "s3-encrypted",
    types=BUCKETS,
    severity="high",
    why="Said in the program, the key and the algorithm are reviewed; left to the default, they are found out later.",
    remedy="Declare a BucketServerSideEncryptionConfiguration for the bucket",
    checklist=["C67"],
    frameworks=["FSBP S3.17", "CKV_AWS_19", "CKV_AWS_145"],
    whole_stack=True,
)
def s3_encrypted(bucket: PolicyResource, stack: Stack) -> Findings:
    """Every bucket says how it is encrypted."""
    if not stack.referring(ENCRYPTIONS, "bucket", bucket):
        yield "no BucketServerSideEncryptionConfiguration names the bucket"


@rule(
    RULES,
    "s3-block-public",
    types=BUCKETS,
    severity="critical",
    why="One wrong policy or ACL later publishes everything in the bucket.",
    remedy=f"Declare a BucketPublicAccessBlock for the bucket with {', '.join(BLOCKS)} set to true",
    checklist=["C67"],
    frameworks=["FSBP S3.8", "CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_55", "CKV_AWS_56", "CKV2_AWS_6"],
    whole_stack=True,
)
def s3_block_public(bucket: PolicyResource, stack: Stack) -> Findings:
    """No bucket can be made public by accident."""
    blocks = stack.referring([PUBLIC_ACCESS_BLOCK], "bucket", bucket)
    if not blocks:
        yield "no BucketPublicAccessBlock names the bucket"
    for block in blocks:
        for name in BLOCKS:
            if block.props.get(name) is not True:
                yield f"{block.name}: {given(block.props, name)}"


@rule(
    RULES,
    "s3-tls-only",
    types=BUCKETS,
    severity="medium",
    why="S3 still answers plain HTTP, and a signed link opened over it can be read on the way.",
    remedy='Declare a BucketPolicy that denies "s3:*" where aws:SecureTransport is false',
    checklist=["C67"],
    frameworks=["FSBP S3.5", "CKV_AWS_70"],
    whole_stack=True,
)
def s3_tls_only(bucket: PolicyResource, stack: Stack) -> Findings:
    """Buckets refuse plain HTTP."""
    policies = stack.referring([BUCKET_POLICY], "bucket", bucket)
    if not policies:
        yield "no BucketPolicy names the bucket"
    elif not any(denies_plain_http(document(policy.props, "policy")) for policy in policies):
        yield f"the BucketPolicy {policies[0].name} does not deny plain HTTP"


def denies_plain_http(policy: Any) -> bool:
    statements = policy.get("Statement") if isinstance(policy, Mapping) else None
    for statement in [statements] if isinstance(statements, Mapping) else statements or []:
        condition = (statement.get("Condition") or {}).get("Bool") or {}
        everybody = statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        if (
            statement.get("Effect") == "Deny"
            and everybody
            and str(condition.get("aws:SecureTransport")).lower() == "false"
        ):
            return True
    return False
