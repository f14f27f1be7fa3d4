"""What is shared with everybody: by a policy that stands on the resource, or by a permission to copy it."""

from access_policies import actions, is_for_everybody, listed, names_callers, statements
from rules import Findings, Props, Rule, at, document, given, given_at, is_set, rule

# Types that hold a policy, or are one.
POLICIES = [
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketV2:BucketV2",
    "aws:s3/accessPoint:AccessPoint",
    "aws:s3control/accessPointPolicy:AccessPointPolicy",
    "aws:sns/topic:Topic",
    "aws:sns/topicPolicy:TopicPolicy",
    "aws:sqs/queue:Queue",
    "aws:sqs/queuePolicy:QueuePolicy",
    "aws:ecr/repositoryPolicy:RepositoryPolicy",
    "aws:backup/vaultPolicy:VaultPolicy",
    "aws:secretsmanager/secret:Secret",
    "aws:secretsmanager/secretPolicy:SecretPolicy",
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy",
    "aws:efs/fileSystemPolicy:FileSystemPolicy",
    "aws:dynamodb/resourcePolicy:ResourcePolicy",
    "aws:kinesis/resourcePolicy:ResourcePolicy",
]
SNAPSHOTS = [
    "aws:rds/snapshot:Snapshot",
    "aws:rds/snapshotCopy:SnapshotCopy",
    "aws:rds/clusterSnapshot:ClusterSnapshot",
]
MACHINE_IMAGE = "aws:ec2/amiLaunchPermission:AmiLaunchPermission"
DISK_SNAPSHOTS = "aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess"
DOCUMENT = "aws:ssm/document:Document"

RULES: list[Rule] = []


@rule(
    RULES,
    "resource-policy-not-public",
    types=POLICIES,
    severity="critical",
    why="A policy on the resource itself lets in whoever it names, whatever the roles of this account may do.",
    remedy="Name the accounts, roles or services as Principal, or the callers in a Condition on aws:SourceArn, "
    "aws:SourceAccount, aws:PrincipalOrgID or aws:SourceVpce",
    checklist=["C11", "C67"],
    frameworks=[
        "FSBP S3.2",
        "FSBP S3.3",
        "FSBP SNS.4",
        "FSBP SQS.3",
        "CKV_AWS_32",
        "CKV_AWS_70",
        "CKV_AWS_168",
        "CKV_AWS_169",
        "CKV_AWS_387",
    ],
)
def resource_policy_not_public(props: Props) -> Findings:
    """No policy of a resource allows everybody anything."""
    for where, statement in statements(document(props, "policy"), "Allow"):
        everybody = is_for_everybody(statement) or "NotPrincipal" in statement
        if everybody and not names_callers(statement):
            allowed = ", ".join(actions(statement)) or "everything but some actions"
            yield f"{where} allows everybody {allowed}"


@rule(
    RULES,
    "copies-not-public",
    types=[*SNAPSHOTS, MACHINE_IMAGE, DISK_SNAPSHOTS, DOCUMENT],
    severity="critical",
    why="Whoever has an account at AWS can copy it into theirs, with all that was on the disk.",
    remedy="Name the accounts that may copy it; state of a SnapshotBlockPublicAccess is block-all-sharing",
    checklist=["C67"],
    frameworks=["FSBP RDS.1", "FSBP EC2.1", "FSBP SSM.4", "CKV_AWS_205", "CKV_AWS_302"],
    must_know=True,
)
def copies_not_public(props: Props, resource_type: str) -> Findings:
    """Snapshots, machine images and documents are not for everybody to copy."""
    if resource_type == DISK_SNAPSHOTS:
        if props.get("state") != "block-all-sharing":
            yield given(props, "state")
    elif resource_type == MACHINE_IMAGE:
        if is_set(props, "group"):
            yield given(props, "group")
    elif resource_type == DOCUMENT:
        if "all" in str(at(props, "permissions.account_ids")).lower().split(","):
            yield given_at(props, "permissions.account_ids")
    elif "all" in listed(props.get("sharedAccounts")):
        yield given(props, "sharedAccounts")
