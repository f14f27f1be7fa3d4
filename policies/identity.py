"""Who may do what: IAM policies."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rules import Findings, Props, Rule, Unreadable, document, given, rule, shown

ROLE = "aws:iam/role:Role"
POLICIES = [
    "aws:iam/policy:Policy",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/userPolicy:UserPolicy",
    "aws:iam/groupPolicy:GroupPolicy",
]
ATTACHMENTS = [
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
]
KEY = "aws:kms/key:Key"

# Services whose actions read or write what the product keeps.
DATA_SERVICES = {
    "s3",
    "secretsmanager",
    "kms",
    "ssm",
    "dynamodb",
    "rds-data",
    "rds-db",
    "sqs",
    "sns",
    "ecr",
    "iam",
    "sts",
}
# Actions of those services that take no resource but "*" (Service Authorization Reference).
RESOURCELESS = {
    "ecr:getauthorizationtoken",
    "s3:listallmybuckets",
    "kms:listaliases",
    "sts:getcalleridentity",
}
TOO_WIDE = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(AdministratorAccess|PowerUserAccess|IAMFullAccess)$")

RULES: list[Rule] = []


def statements(props: Props) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each statement that allows something, with how to call it; a role's inline policies too."""
    inline = props.get("inlinePolicies") or []
    for holder in [props, *inline]:
        policy = document(holder, "policy") or {}
        if not isinstance(policy, Mapping):
            raise Unreadable("policy is not an IAM policy document")
        found = policy.get("Statement") or []
        for i, statement in enumerate([found] if isinstance(found, Mapping) else found):
            if statement.get("Effect") == "Allow":
                yield f"statement {statement.get('Sid') or i + 1}", statement


def texts(value: Any) -> list[str]:
    """IAM writes one value or a list of them."""
    return [value] if isinstance(value, str) else [str(item) for item in value or []]


@rule(
    RULES,
    "iam-least-privilege",
    types=[*POLICIES, ROLE, *ATTACHMENTS],
    severity="high",
    why="What a service may do, an intruder in it may do too.",
    remedy="Name the actions and the ARNs that this role needs, and nothing else",
    checklist=["C11"],
    frameworks=[
        "FSBP IAM.1",
        "FSBP IAM.21",
        "CKV_AWS_62",
        "CKV_AWS_63",
        "CKV_AWS_274",
        "CKV_AWS_290",
        "CKV_AWS_355",
    ],
)
def iam_least_privilege(props: Props, resource_type: str) -> Findings:
    """Roles may do what they need, on the resources they need it for."""
    attached = [props["policyArn"]] if resource_type in ATTACHMENTS else props.get("managedPolicyArns") or []
    for arn in attached:
        if TOO_WIDE.match(arn):
            yield f"{shown(arn)} is attached"
    if resource_type in ATTACHMENTS:
        return
    for where, statement in statements(props):
        for name in ("NotAction", "NotResource"):
            if name in statement:
                yield f"{where} allows everything except {', '.join(texts(statement[name]))} ({name})"
        yield from _wildcards(where, statement)


def _wildcards(where: str, statement: Mapping[str, Any]) -> Findings:
    actions = texts(statement.get("Action"))
    for action in actions:
        if action == "*" or action.endswith(":*"):
            yield f'{where} allows the action "{action}"'
    touching_data = [
        action
        for action in actions
        if action.partition(":")[0].lower() in DATA_SERVICES and action.lower() not in RESOURCELESS
    ]
    # A condition narrows "*" in a way that only its author can judge.
    if touching_data and "*" in texts(statement.get("Resource")) and not statement.get("Condition"):
        yield f'{where} allows {", ".join(touching_data)} on the resource "*"'


@rule(
    RULES,
    "kms-rotation",
    types=[KEY],
    severity="medium",
    why="A key that is never changed protects ever more data, so that its loss costs ever more.",
    remedy="Set enableKeyRotation to true",
    checklist=["C16"],
    frameworks=["FSBP KMS.4", "CKV_AWS_7"],
)
def kms_rotation(props: Props) -> Findings:
    """Encryption keys are rotated every year."""
    symmetric = props.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
    encrypts = props.get("keyUsage", "ENCRYPT_DECRYPT") == "ENCRYPT_DECRYPT"
    if symmetric and encrypts and props.get("enableKeyRotation") is not True:
        yield given(props, "enableKeyRotation")
