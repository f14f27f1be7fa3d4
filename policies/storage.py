"""Buckets, whose properties stand in resources of their own or, as older programs have them, in the bucket."""

from typing import Any

from access_policies import actions, condition, is_for_everybody, listed, statements
from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, at, document, given, given_at, literal, rule

BUCKET = "aws:s3/bucket:Bucket"
BUCKETS = [BUCKET, "aws:s3/bucketV2:BucketV2"]
PUBLIC_ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ACCOUNT_BLOCK = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
ACCESS_POINT = "aws:s3/accessPoint:AccessPoint"
ENCRYPTIONS = [
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
]
VERSIONINGS = [
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:s3/bucketVersioningV2:BucketVersioningV2",
]
LIFECYCLES = [
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
]
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
ACLS = ["aws:s3/bucketAcl:BucketAcl", "aws:s3/bucketAclV2:BucketAclV2"]
OBJECTS = [
    "aws:s3/bucketObject:BucketObject",
    "aws:s3/bucketObjectv2:BucketObjectv2",
    "aws:s3/objectCopy:ObjectCopy",
]
CORS = [
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
    "aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2",
]
MALWARE_PLAN = "aws:guardduty/malwareProtectionPlan:MalwareProtectionPlan"
SCAN_STATUS = "s3:ExistingObjectTag/GuardDutyMalwareScanStatus"
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
EVERYBODYS_ACLS = {"public-read", "public-read-write", "authenticated-read"}
# The groups of S3 that everybody belongs to; the second one is whoever has an account at AWS.
EVERYBODYS_GROUPS = ("/global/AllUsers", "/global/AuthenticatedUsers")

RULES: list[Rule] = []


@rule(
    RULES,
    "s3-encrypted",
    types=BUCKETS,
    severity="high",
    why="Said in the program, the key and the algorithm are reviewed; left to the default, they are found out later.",
    remedy="Declare a BucketServerSideEncryptionConfiguration for the bucket",
    checklist=["C67"],
    frameworks=["CKV_AWS_19"],
    whole_stack=True,
)
def s3_encrypted(bucket: PolicyResource, stack: Stack) -> Findings:
    """Every bucket says how it is encrypted."""
    inline = ("serverSideEncryptionConfiguration", "serverSideEncryptionConfigurations")
    said = any(bucket.props.get(name) for name in inline)
    if not said and not stack.referring(ENCRYPTIONS, "bucket", bucket):
        yield "no BucketServerSideEncryptionConfiguration names the bucket"


@rule(
    RULES,
    "s3-block-public",
    types=BUCKETS,
    severity="critical",
    why="One wrong policy or ACL later publishes everything in the bucket.",
    remedy=f"Declare a BucketPublicAccessBlock for the bucket with {', '.join(BLOCKS)} set to true",
    checklist=["C67"],
    frameworks=[
        "FSBP S3.8",
        "CIS 3.0 2.1.4",
        "CIS 5.0 2.1.4",
        "CKV_AWS_53",
        "CKV_AWS_54",
        "CKV_AWS_55",
        "CKV_AWS_56",
        "CKV2_AWS_6",
    ],
    whole_stack=True,
    must_know=True,
)
def s3_block_public(bucket: PolicyResource, stack: Stack) -> Findings:
    """No bucket can be made public by accident."""
    blocks = stack.referring([PUBLIC_ACCESS_BLOCK], "bucket", bucket)
    if not blocks and not any(all_blocked(block.props) for block in stack.of([ACCOUNT_BLOCK])):
        yield "no BucketPublicAccessBlock names the bucket"
    for block in blocks:
        for name in BLOCKS:
            if block.props.get(name) is not True:
                yield f"{block.name}: {given(block.props, name)}"


def all_blocked(props: Props) -> bool:
    return all(props.get(name) is True for name in BLOCKS)


@rule(
    RULES,
    "s3-block-public-everywhere",
    types=[ACCOUNT_BLOCK, ACCESS_POINT],
    severity="critical",
    why="It is the last thing that holds when a bucket's own block is forgotten.",
    remedy=f"Set {', '.join(BLOCKS)} to true, all four",
    checklist=["C67"],
    frameworks=["FSBP S3.1", "FSBP S3.19", "CIS 3.0 2.1.4", "CIS 5.0 2.1.4", "CKV_AWS_392"],
    must_know=True,
    remediates={ACCOUNT_BLOCK: dict.fromkeys(BLOCKS, True)},
)
def s3_block_public_everywhere(props: Props, resource_type: str) -> Findings:
    """An account's block of public access, and an access point's, leaves nothing out."""
    if resource_type == ACCOUNT_BLOCK:
        yield from (given(props, name) for name in BLOCKS if props.get(name) is not True)
        return
    own = props.get("publicAccessBlockConfiguration") or {}
    for name in BLOCKS:
        if own.get(name) is False:  # what an access point does not say is blocked
            yield f"publicAccessBlockConfiguration.{given(own, name)}"


@rule(
    RULES,
    "s3-no-public-acl",
    types=[*BUCKETS, *ACLS, *OBJECTS],
    severity="critical",
    why="Whoever guesses the name reads it, or writes into it, and search engines guess well.",
    remedy="Leave the ACL out, and serve what is public through CloudFront (stack file: cdn)",
    checklist=["C67"],
    frameworks=[
        "FSBP S3.2",
        "FSBP S3.3",
        "CKV_AWS_20",
        "CKV_AWS_57",
        "CKV_AWS_375",
        "CKV2_AWS_43",
    ],
    must_know=True,
)
def s3_no_public_acl(props: Props) -> Findings:
    """No access control list lets everybody in."""
    if props.get("acl") in EVERYBODYS_ACLS:
        yield given(props, "acl")
    grants = [*(props.get("grants") or []), *(at(props, "accessControlPolicy.grants") or [])]
    for grant in grants:
        uri = str(literal(grant.get("grantee") or grant, "uri"))
        if uri.endswith(EVERYBODYS_GROUPS):
            yield f'a grant is for "{uri}"'


@rule(
    RULES,
    "s3-acls-off",
    types=[OWNERSHIP],
    severity="medium",
    why="With ACLs, who may read an object is decided by whoever wrote it, and stands in no policy.",
    remedy="Set rule.objectOwnership to BucketOwnerEnforced, and say in the bucket's policy who may do what",
    checklist=["C67"],
    frameworks=["FSBP S3.12", "CKV2_AWS_65"],
    must_know=True,
)
def s3_acls_off(props: Props) -> Findings:
    """Access to a bucket is a matter of policies, not of lists on each object."""
    if at(props, "rule.objectOwnership") != "BucketOwnerEnforced":
        yield given_at(props, "rule.objectOwnership")


@rule(
    RULES,
    "s3-tls-only",
    types=BUCKETS,
    severity="medium",
    why="S3 still answers plain HTTP, and a signed link opened over it can be read on the way.",
    remedy='Declare a BucketPolicy that denies "s3:*" where aws:SecureTransport is false',
    checklist=["C67"],
    frameworks=["FSBP S3.5", "CIS 3.0 2.1.1", "CIS 5.0 2.1.1"],
    whole_stack=True,
)
def s3_tls_only(bucket: PolicyResource, stack: Stack) -> Findings:
    """Buckets refuse plain HTTP."""
    policies = [policy for policy in _policies(bucket, stack) if policy.props.get("policy")]
    if not policies:
        yield "no BucketPolicy names the bucket"
    elif not any(denies_plain_http(document(policy.props, "policy")) for policy in policies):
        yield f"the BucketPolicy {policies[0].name} does not deny plain HTTP"


def _policies(bucket: PolicyResource, stack: Stack) -> list[PolicyResource]:
    """Whatever holds a policy of the bucket, the bucket itself among them."""
    return [*stack.referring([BUCKET_POLICY], "bucket", bucket), bucket]


@rule(
    RULES,
    "s3-versioned",
    types=BUCKETS,
    severity="medium",
    why="What is overwritten or deleted by mistake, or by an intruder, is gone at once.",
    remedy="Declare a BucketVersioning for the bucket with the status Enabled, and let old versions expire",
    checklist=["C73"],
    frameworks=["Security Hub S3.14", "CKV_AWS_21"],
    whole_stack=True,
)
def s3_versioned(bucket: PolicyResource, stack: Stack) -> Findings:
    """Every bucket keeps what is overwritten and deleted."""
    if at(bucket.props, "versioning.enabled") is True:
        return
    versionings = stack.referring(VERSIONINGS, "bucket", bucket)
    if not versionings:
        yield "no BucketVersioning names the bucket"
    for versioning in versionings:
        if at(versioning.props, "versioningConfiguration.status") != "Enabled":
            yield f"{versioning.name}: {given_at(versioning.props, 'versioningConfiguration.status')}"


@rule(
    RULES,
    "s3-lifecycle",
    types=BUCKETS,
    severity="low",
    why="What nobody throws away is paid for, and can be stolen, for ever.",
    remedy="Declare a BucketLifecycleConfiguration with what goes when (system file: buckets.<name>.expire_days)",
    checklist=["C66"],
    frameworks=["FSBP S3.13", "CKV2_AWS_61"],
    advisory=True,
    whole_stack=True,
)
def s3_lifecycle(bucket: PolicyResource, stack: Stack) -> Findings:
    """Every bucket says how long it keeps what is in it."""
    if not bucket.props.get("lifecycleRules") and not stack.referring(LIFECYCLES, "bucket", bucket):
        yield "no BucketLifecycleConfiguration names the bucket"


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
    if not any(_takes_uploads(each.props) for each in [bucket, *stack.referring(CORS, "bucket", bucket)]):
        return
    plans = stack.referring([MALWARE_PLAN], "protectedResource", bucket)
    if not plans:
        yield "browsers may upload to it, and no MalwareProtectionPlan names it"
    for plan in plans:
        if not _tags_what_it_scans(plan.props):
            yield f"{plan.name}: tagging is not ENABLED, so nobody can tell what is clean"
    policies = _policies(bucket, stack)
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
        listed(condition(statement, "Bool", "aws:SecureTransport")) in (["false"], ["False"])
        for _, statement in statements(policy, "Deny")
        if is_for_everybody(statement) and not {"s3:*", "*"}.isdisjoint(actions(statement))
    )


def denies_what_is_not_clean(policy: Any) -> bool:
    return any(
        listed(condition(statement, "StringNotEquals", SCAN_STATUS)) == ["NO_THREATS_FOUND"]
        and not {"s3:GetObject", "s3:Get*", "s3:*", "*"}.isdisjoint(actions(statement))
        for _, statement in statements(policy, "Deny")
        if is_for_everybody(statement)
    )
