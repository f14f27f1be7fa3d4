"""Who may do what: IAM policies, who may take a role, and the keys of KMS."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from access_policies import actions, is_for_everybody, names_callers
from access_policies import statements as of_effect
from rules import Count, Findings, Props, Rule, Unreadable, document, given, rule, shown

ROLE = "aws:iam/role:Role"
POLICIES = [
    "aws:iam/policy:Policy",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/userPolicy:UserPolicy",
    "aws:iam/groupPolicy:GroupPolicy",
]
ATTACHMENTS = [
    "aws:iam/policyAttachment:PolicyAttachment",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
]
KEY = "aws:kms/key:Key"
KEY_POLICY = "aws:kms/keyPolicy:KeyPolicy"
PASSWORD_RULES = "aws:iam/accountPasswordPolicy:AccountPasswordPolicy"

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
    "secretsmanager:getrandompassword",
    "s3:listallmybuckets",
    "kms:listaliases",
    "sts:getcalleridentity",
}
TOO_WIDE = re.compile(
    r"arn:aws[a-z-]*:iam::aws:policy/(\S*/)?(AdministratorAccess|PowerUserAccess|SecretsManagerReadWrite|\w*FullAccess)$"
)
# Every resource of a service, however it is written: `*`, `arn:aws:s3:::*`, `arn:aws:kms:*:*:key/*`.
EVERYTHING = re.compile(
    r"^(\*|arn:[^:]*:[^:]*:[^:]*:[^:]*:(secret:|key/|parameter/|table/|role/|user/|policy/|repository/)?\*(/\*)?)$"
)

WHOLE_ACCOUNT = re.compile(r"^(\d{12}|arn:[^:]*:iam::\d{12}:root)$")

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
    remedy="Name the actions and the ARNs that this role needs, and nothing else "
    "(Groundwork's roles follow from the system file: buckets.<name>.access, services.<name>.secrets)",
    checklist=["C11"],
    frameworks=[
        "FSBP IAM.1",
        "FSBP IAM.21",
        "FSBP KMS.1",
        "FSBP KMS.2",
        "CIS 3.0 1.16",
        "CIS 3.0 1.22",
        "CIS 5.0 1.15",
        "CIS 5.0 1.21",
        "CKV_AWS_62",
        "CKV_AWS_63",
        "CKV_AWS_274",
        "CKV_AWS_289",
        "CKV_AWS_290",
        "CKV_AWS_355",
        "CKV2_AWS_40",
        "CKV2_AWS_56",
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
    for resource in (
        texts(statement.get("Resource")) if touching_data and not statement.get("Condition") else ()
    ):
        if EVERYTHING.match(resource):
            yield f'{where} allows {", ".join(touching_data)} on the resource "{resource}"'


@rule(
    RULES,
    "role-trust-narrow",
    types=[ROLE],
    severity="critical",
    why="A role is whoever may take it; one that anybody may take belongs to anybody.",
    remedy="Name the service or the roles as Principal of assumeRolePolicy; for a pipeline set conditions on the "
    "provider's aud and sub, down to the repository (Groundwork's roles name one service each)",
    checklist=["C11"],
    frameworks=["CKV_AWS_60", "CKV_AWS_61", "CKV_AWS_393"],
)
def role_trust_narrow(props: Props) -> Findings:
    """Only named services, roles and pipelines may take a role."""
    for where, statement in of_effect(document(props, "assumeRolePolicy"), "Allow"):
        if is_for_everybody(statement) or "NotPrincipal" in statement:
            if not names_callers(statement):
                yield f"{where} of assumeRolePolicy lets everybody take the role"
            continue
        principal = statement.get("Principal")
        named = principal if isinstance(principal, Mapping) else {}
        for account in texts(named.get("AWS")):
            if WHOLE_ACCOUNT.match(account) and not statement.get("Condition"):
                yield f"{where} of assumeRolePolicy lets the whole account {account} take the role"
        for provider in texts(named.get("Federated")):
            if ":oidc-provider/" in provider and not _names_a_subject(statement):
                yield f"{where} of assumeRolePolicy lets whatever {provider.partition('/')[2]} knows take the role"


def _names_a_subject(statement: Mapping[str, Any]) -> bool:
    """Whether the condition on the token's `sub` names somebody: for GitHub an owner and a repository at least."""
    for operator, tests in (statement.get("Condition") or {}).items():
        if not operator.startswith(("StringEquals", "StringLike")):
            continue
        for key, values in tests.items():
            if key.lower().endswith((":sub", ":job_workflow_ref")):
                return all(_is_somebody(value) for value in texts(values))
    return False


def _is_somebody(subject: str) -> bool:
    stem = subject.partition("*")[0]
    if subject.startswith("repo:"):
        owner, slash, repository = stem.removeprefix("repo:").partition("/")
        return bool(owner and slash and repository)
    return len(stem.strip(":/")) > len("repo")


@rule(
    RULES,
    "kms-policy-not-public",
    types=[KEY, KEY_POLICY],
    severity="critical",
    why="Whoever may use a key reads what it encrypts, and whoever may manage it can destroy all of that.",
    remedy="Name the account, roles or services as Principal of policy, or the callers in a Condition on "
    "kms:CallerAccount or kms:ViaService (Groundwork's keys do)",
    checklist=["C11", "C16"],
    frameworks=["FSBP KMS.5", "CKV_AWS_33"],
)
def kms_policy_not_public(props: Props) -> Findings:
    """No policy of a key allows everybody anything."""
    for where, statement in of_effect(document(props, "policy"), "Allow"):
        if (is_for_everybody(statement) or "NotPrincipal" in statement) and not names_callers(statement):
            yield f"{where} allows everybody {', '.join(actions(statement))}"


@rule(
    RULES,
    "kms-key-kept",
    types=[KEY],
    severity="high",
    why="What a key has encrypted is gone with it, and with a key that is off as long as it is off.",
    remedy="Set deletionWindowInDays to 30 and leave isEnabled and bypassPolicyLockoutSafetyCheck out "
    "(Groundwork's keys do)",
    checklist=["C16", "C73"],
    frameworks=["CKV_AWS_227"],
    must_know=True,
    remediates={KEY: {"deletionWindowInDays": 30}},
)
def kms_key_kept(props: Props, *, minimum_days: Count = 30) -> Findings:
    """A key is switched on, and can be called back for 30 days after somebody deleted it."""
    if (props.get("deletionWindowInDays") or 30) < minimum_days:
        yield f"{given(props, 'deletionWindowInDays')}, at least {minimum_days} days are asked for"
    if props.get("isEnabled") is False:
        yield given(props, "isEnabled")
    if props.get("bypassPolicyLockoutSafetyCheck"):
        yield given(props, "bypassPolicyLockoutSafetyCheck")


@rule(
    RULES,
    "account-password-rules",
    types=[PASSWORD_RULES],
    severity="medium",
    why="A short password that was used before is guessed, or is in a list already.",
    remedy="Set minimumPasswordLength to 14, passwordReusePrevention to 24 and all require... to true "
    "(Groundwork's people come from Identity Center, so it declares none)",
    checklist=["C4"],
    frameworks=[
        "FSBP IAM.7",
        "CIS 3.0 1.8",
        "CIS 3.0 1.9",
        "CIS 5.0 1.7",
        "CIS 5.0 1.8",
        "CKV_AWS_10",
        "CKV_AWS_11",
        "CKV_AWS_12",
        "CKV_AWS_13",
        "CKV_AWS_14",
        "CKV_AWS_15",
    ],
)
def account_password_rules(
    props: Props, *, minimum_length: Count = 14, minimum_remembered: Count = 24
) -> Findings:
    """Passwords of IAM users are long, of all kinds of characters, and new."""
    asked = {"minimumPasswordLength": minimum_length, "passwordReusePrevention": minimum_remembered}
    for name, least in asked.items():
        if (props.get(name) or 0) < least:
            yield f"{given(props, name)}, at least {least} is asked for"
    for name in (
        "requireLowercaseCharacters",
        "requireUppercaseCharacters",
        "requireNumbers",
        "requireSymbols",
    ):
        if props.get(name) is not True:
            yield given(props, name)


@rule(
    RULES,
    "kms-rotation",
    types=[KEY],
    severity="medium",
    why="A key that is never changed protects ever more data, so that its loss costs ever more.",
    remedy="Set enableKeyRotation to true, and rotationPeriodInDays to 365 at most (Groundwork's keys do)",
    checklist=["C16"],
    frameworks=["Security Hub KMS.4", "CIS 3.0 3.6", "CIS 5.0 3.6", "CKV_AWS_7"],
    must_know=True,
    remediates={KEY: {"enableKeyRotation": True}},
)
def kms_rotation(props: Props) -> Findings:
    """Encryption keys are rotated every year."""
    symmetric = props.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
    encrypts = props.get("keyUsage", "ENCRYPT_DECRYPT") == "ENCRYPT_DECRYPT"
    if symmetric and encrypts and props.get("enableKeyRotation") is not True:
        yield given(props, "enableKeyRotation")
    elif symmetric and encrypts and (props.get("rotationPeriodInDays") or 365) > 365:
        yield given(props, "rotationPeriodInDays")
