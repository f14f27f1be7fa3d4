"""Buckets."""

from collections.abc import Mapping
from typing import Any

from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, document, given, rule

BUCKETS = ["aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"]
PUBLIC_ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ENCRYPTIONS = [
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
]
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
CORS = [
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
    "aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2",
]
MALWARE_PLAN = "aws:guardduty/malwareProtectionPlan:MalwareProtectionPlan"
SCAN_STATUS = "s3:ExistingObjectTag/GuardDutyMalwareScanStatus"
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


@rule(
    RULES,
    "uploads-malware-scan",
    types=BUCKETS,
    severity="high",
    why="What a stranger's browser puts into the bucket, other people's browsers take out again.",
    remedy="Declare a MalwareProtectionPlan for the bucket with tagging ENABLED, and a BucketPolicy that denies "
    f'"s3:GetObject" unless {SCAN_STATUS} is NO_THREATS_FOUND (system file: buckets.<name>.malware_scan)',
    checklist=["C47"],
    whole_stack=True,
)
def uploads_malware_scan(bucket: PolicyResource, stack: Stack) -> Findings:
    """Nobody reads an upload from a browser before it has been scanned."""
    if not any(_takes_uploads(cors.props) for cors in stack.referring(CORS, "bucket", bucket)):
        return
    plans = stack.referring([MALWARE_PLAN], "protectedResource", bucket)
    if not plans:
        yield "browsers may upload to it, and no MalwareProtectionPlan names it"
    for plan in plans:
        if not _tags_what_it_scans(plan.props):
            yield f"{plan.name}: tagging is not ENABLED, so nobody can tell what is clean"
    policies = stack.referring([BUCKET_POLICY], "bucket", bucket)
    if not any(denies_what_is_not_clean(document(policy.props, "policy")) for policy in policies):
        yield "its BucketPolicy lets people read what is not found clean"


def _takes_uploads(props: Props) -> bool:
    methods = [method for each in props.get("corsRules") or [] for method in each.get("allowedMethods") or []]
    return not {"PUT", "POST"}.isdisjoint(methods)


def _tags_what_it_scans(props: Props) -> bool:
    taggings = [tagging for action in props.get("actions") or [] for tagging in action.get("taggings") or []]
    return any(tagging.get("status") == "ENABLED" for tagging in taggings)


def denies_plain_http(policy: Any) -> bool:
    return any(
        str(condition(statement, "Bool", "aws:SecureTransport")).lower() == "false"
        for statement in denials(policy)
    )


def denies_what_is_not_clean(policy: Any) -> bool:
    return any(
        condition(statement, "StringNotEquals", SCAN_STATUS) in ("NO_THREATS_FOUND", ["NO_THREATS_FOUND"])
        and not {"s3:GetObject", "s3:Get*", "s3:*", "*"}.isdisjoint(actions(statement))
        for statement in denials(policy)
    )


def denials(policy: Any) -> list[Any]:
    """The statements of a policy that deny something to everybody."""
    statements = policy.get("Statement") if isinstance(policy, Mapping) else None
    return [
        statement
        for statement in ([statements] if isinstance(statements, Mapping) else statements or [])
        if statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    ]


def condition(statement: Any, operator: str, key: str) -> Any:
    return ((statement.get("Condition") or {}).get(operator) or {}).get(key)


def actions(statement: Any) -> list[str]:
    named = statement.get("Action") or []
    return [named] if isinstance(named, str) else list(named)
