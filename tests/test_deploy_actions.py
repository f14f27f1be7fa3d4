"""The table of IAM actions, against AWS's own reference and against the calls of the local provider."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from components._deploy_actions import READS_DATA, RELEASE, TAGGING, TYPES, WITHHELD, Rights, Tagging
from local.provider import known, tags
from local.provider.entry import Call, Resource
from local.provider.table import RESOURCES

REFERENCE = json.loads((Path(__file__).parent / "iam_reference.json").read_text(encoding="utf-8"))["actions"]
EVERY = {**TYPES, "a release": RELEASE, **{f"tags of {name}": each for name, each in TAGGING.items()}}

# botocore's service -> the prefix of its actions, where they differ.
PREFIXES = {"amp": "aps", "elbv2": "elasticloadbalancing"}
# S3 checks some calls against actions of other names (S3 guide, "Required permissions for S3 API operations").
OTHER_NAMES = {
    "s3:DeleteBucketCors": "s3:PutBucketCORS",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketCors": "s3:GetBucketCORS",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:PutBucketCors": "s3:PutBucketCORS",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}
# What these begin with makes something new, or sets it whether it is there or not.
MAKES = (
    "Add", "Allocate", "Associate", "Authorize", "Copy", "Create", "Mount", "Put", "Register", "Request", "Run", "Tag",
)  # fmt: skip
# The others that are allowed on what bears no tags, though they know tags.
ALSO_UNTAGGED = {
    "ec2:DeleteNetworkInterface": "interfaces are the services' own",
    "ec2:DeleteNetworkInterfacePermission": "the same",
    "ec2:DeleteVpcEndpoints": "Amazon MQ's own endpoint",
    "ec2:DetachNetworkInterface": "interfaces are the services' own",
    "ec2:ModifyClientVpnEndpoint": "also asked for on the network and the groups",
    "ec2:ModifyNetworkInterfaceAttribute": "interfaces are the services' own",
    "ec2:ModifySecurityGroupRules": "also asked for on AWS's prefix lists",
    "ec2:ModifyVpcEndpoint": "also asked for on groups and route tables",
    "ecs:StopTask": "a task has only the tags that whoever ran it gave it",
    "elasticache:DeleteReplicationGroup": "also asked for on the last snapshot",
    "elasticache:ModifyReplicationGroup": "also asked for on default groups",
    "elasticloadbalancing:DeleteWebACLAssociation": "with wafv2:DisassociateWebACL, which knows no tags",
    "logs:DeleteDeliverySource": "asked for on destinations",
    "logs:UpdateDeliveryConfiguration": "also asked for on source and destination",
    "rds:DeleteDBCluster": "also asked for on the last snapshot",
    "rds:DeleteDBInstanceAutomatedBackup": "backups are RDS's own",
    "rds:DeregisterDBProxyTargets": "the target group is RDS's own",
    "rds:ModifyDBCluster": "also asked for on default groups",
    "rds:ModifyDBInstance": "also asked for on default groups",
    "rds:ModifyDBProxyTargetGroup": "the target group is RDS's own",
    "secretsmanager:DescribeSecret": "RDS's own secret of the master user",
    "secretsmanager:RotateSecret": "the same",
    "wafv2:UpdateWebACL": "also asked for on AWS's rule groups",
}


def actions(rights: Rights | Tagging) -> Iterator[tuple[str, str]]:
    """Each action, with what it may be used on; "read" for those of `read`."""
    yield from (("read", action) for action in rights.read.split())
    for part in (rights.write, *([rights.destroy] if isinstance(rights, Rights) else [])):
        for target, texts in part.items():
            yield from ((target, action) for action in texts.split())


ALL = sorted({(target, action) for rights in EVERY.values() for target, action in actions(rights)})


def test_every_action_is_one_of_awss_and_spelt_as_there():
    named = {action for _, action in ALL} | set(WITHHELD) | set(READS_DATA)
    assert named <= REFERENCE.keys()


def test_what_is_said_to_be_read_changes_nothing_and_shows_no_data():
    reading = {action for target, action in ALL if target == "read"}
    assert {action for action in reading if REFERENCE[action][0] not in ("Read", "List")} == set()
    assert reading & set(READS_DATA) == set()


def test_what_asks_for_tags_is_asked_for_on_what_knows_them():
    wrong = {action for target, action in ALL if target == "own" and REFERENCE[action][1] != "all"}
    # The alias knows none and is asked for by its name, the key knows them.
    assert wrong == {"kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"}
    assert {("alias", action) for action in wrong} <= set(ALL)


def test_what_could_ask_for_tags_does_or_says_why_not():
    loose = {
        action
        for target, action in ALL
        if target == "any" and REFERENCE[action][1] != "none" and not action.split(":")[1].startswith(MAKES)
    }
    assert loose == ALSO_UNTAGGED.keys()


@pytest.mark.parametrize("withheld", WITHHELD)
def test_what_is_withheld_is_nowhere_else(withheld):
    assert withheld not in {action for _, action in ALL}
    assert WITHHELD[withheld]


@pytest.mark.parametrize("token", TYPES)
def test_every_call_of_the_local_provider_has_its_action(token):
    """The local table says with which calls a type is made, read, changed and deleted."""
    entry = RESOURCES[token]
    has = {action for _, action in actions(TYPES[token])} | set(WITHHELD)
    for service in {action.partition(":")[0] for action in has} & TAGGING.keys():
        has |= {action for _, action in actions(TAGGING[service])}
    assert {action_of(service, operation) for service, operation in operations(token, entry)} <= has


def operations(token: str, entry: Resource) -> Iterator[tuple[str, str]]:
    """(botocore's service, operation)."""
    calls: list[Call | None] = [
        entry.create, entry.then, entry.instead, *entry.read, *entry.after, *entry.update, *entry.delete,
    ]  # fmt: skip
    yield from ((call.service or entry.service, call.operation) for call in calls if call)
    if "tags" in known.inputs_of(token) and not entry.tags_kept:
        ways = entry.tagging or tags.tagging(entry.service)
        yield from ((entry.service, name) for name in (ways.sets, ways.removes, ways.lists) if name)


def action_of(service: str, operation: str) -> str:
    action = f"{PREFIXES.get(service, service)}:{operations_of(service)[operation]}"
    return OTHER_NAMES.get(action, action)


@cache
def operations_of(service: str) -> dict[str, str]:
    """AWS's name of each operation by botocore's."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): name for name in model.operation_names}


def test_every_type_that_a_component_can_make_is_in_the_table():
    """Read from the source: also what no stack of today declares."""
    root = Path(__file__).parent.parent
    sources = [
        path.read_text(encoding="utf-8")
        for room in ("components", "wiring")
        for path in (root / room).glob("*.py")
    ]
    made = {token for token in RESOURCES for source in sources if f"aws.{sdk_name(token)}(" in source}
    assert made <= TYPES.keys()
    assert TYPES.keys() - made == set()


def sdk_name(token: str) -> str:
    """aws:s3/bucketPolicy:BucketPolicy -> s3.BucketPolicy; lambda is a word of Python's."""
    _, module, name = token.split(":")
    return f"{module.split('/')[0]}.{name}".replace("lambda.", "lambda_.")
