"""The policies of a pipeline's roles, from the types that the stack declares: statements, and documents that fit.

Nothing here is an Output: names and ARNs that do not exist yet are told by their patterns, so that a preview shows the
whole policy.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from components._deploy_actions import READS_DATA, RELEASE, TAGGING, TYPES, Rights, Tagging, Target
from components._iam import Conditions, Statement, Strings, bearing, in_regions, statement

# IAM guide, "IAM and AWS STS quotas": characters of a managed policy without white space, and policies of a role.
POLICY_CHARACTERS, ROLE_POLICIES = 6_144, 10
# What Pulumi adds to a name that is not given: a hyphen and seven hexadecimal digits.
AUTO_NAME = "-???????"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a stack declares: its AWS types, and the names that the rights of some of them end at.

    `protected` are the types of which Pulumi protects every one. `bucket_names` may end in AUTO_NAME; without
    `zone_id` the stack makes its own zone. `attached_policies` are ARNs of AWS's own policies.
    """

    types: Collection[str]
    protected: Collection[str] = ()
    bucket_names: Sequence[str] = ()
    dashboard_names: Sequence[str] = ()
    zone_id: str | None = None
    attached_policies: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far the rights go. `tags` are those that everything of the stack bears, and nothing else does.

    `role_path` ("/rentalfix/prod/") and `alias_prefix` ("rentalfix-prod") begin the names of roles and of keys'
    aliases; `boundary_arns` are the policies that bound the stack's roles.
    """

    account_id: str
    regions: Sequence[str]
    tags: Mapping[str, str]
    role_path: str
    alias_prefix: str
    boundary_arns: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class State:
    """Where Pulumi keeps the stack's state: an S3 bucket, and the alias of the key for what is secret in it."""

    bucket: str
    key_alias: str
    project: str
    stack: str

    @property
    def objects(self) -> list[str]:
        """ARNs of the stack's own files (backend/diy/store.go and lock.go of Pulumi 3.230)."""
        root = f"arn:aws:s3:::{self.bucket}/.pulumi"
        own = f"{self.project}/{self.stack}"
        return [
            f"{root}/stacks/{own}.*",
            f"{root}/history/{own}/*",
            f"{root}/backups/{own}/*",
            f"{root}/locks/organization/{own}/*",
        ]

    @property
    def description(self) -> str:
        """The ARN of the file that says how the bucket is laid out."""
        return f"arn:aws:s3:::{self.bucket}/.pulumi/meta.yaml"


def unknown(types: Iterable[str]) -> list[str]:
    """The AWS types that have no entry in `_deploy_actions`."""
    return sorted(type_ for type_ in set(types) - TYPES.keys() if type_.startswith("aws:"))


def reading(declared: Declared, reach: Reach) -> list[Statement]:
    """What every resource of the stack is like, and nothing of what it holds."""
    actions = {action for each in (*_rights(declared), *_tagging(declared)) for action in each.read.split()}
    made = [statement(sorted(actions), "*", conditions=in_regions(reach.regions), sid="Read")]
    services = sorted({rights.decrypted_by for rights in _rights(declared)} - {""})
    if services:
        made.append(_decrypting(reach, services, sid="DecryptForReading"))
    return made


def writing(declared: Declared, reach: Reach) -> list[Statement]:
    """Make, change and destroy what the stack declares."""
    wanted = _by_target(declared)
    return [
        *_targets(wanted, declared, reach),
        *_for_services(declared, reach),
        *(_with_keys(reach) if any(rights.with_key for rights in _rights(declared)) else []),
    ]


def state_reading(state: State, account_id: str) -> list[Statement]:
    """What a preview needs of the state. It writes nothing, and takes no lock."""
    return [
        # Without the right to list, a file that is not there is a refusal rather than an absence.
        statement(["s3:GetBucketLocation", "s3:ListBucket"], f"arn:aws:s3:::{state.bucket}", sid="FindState"),
        statement("s3:GetObject", [state.description, *state.objects], sid="ReadState"),
        statement(
            "kms:Decrypt",
            f"arn:aws:kms:*:{account_id}:key/*",
            conditions={"ForAnyValue:StringEquals": {"kms:ResourceAliases": state.key_alias}},
            sid="DecryptState",
        ),
    ]


def state_writing(state: State) -> list[Statement]:
    """What an update needs beside `state_reading`."""
    return [
        statement(
            ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject"], state.objects, sid="WriteState"
        )
    ]


def data_refused(declared: Declared, reach: Reach, state: State | None) -> list[Statement]:
    """No data, whatever another policy may allow: secrets, objects, what keys protect; but for the state."""
    services = {rights.decrypted_by for rights in _rights(declared)} - {""}
    not_by: dict[str, Mapping[str, Strings]] = {}
    if services:
        not_by["StringNotEquals"] = {"kms:ViaService": _via(reach, sorted(services))}
    objects = [action for action in READS_DATA if action.startswith("s3:")]
    others = [action for action in READS_DATA if action not in objects]
    refused: list[Statement] = [statement(others, "*", effect="Deny", sid="NoSecrets")]
    if state is None:
        return [
            *refused,
            statement(objects, "*", effect="Deny", sid="NoObjects"),
            statement("kms:Decrypt", "*", effect="Deny", conditions=not_by, sid="NoOtherKeys"),
        ]
    return [
        *refused,
        {
            "Sid": "NoObjects",
            "Effect": "Deny",
            "Action": objects,
            "NotResource": [state.description, *state.objects],
        },
        statement(
            "kms:Decrypt",
            "*",
            effect="Deny",
            # True also of a key that has no alias at all, and of a call by no service.
            conditions={
                **not_by,
                "ForAllValues:StringNotEquals": {"kms:ResourceAliases": state.key_alias},
            },
            sid="NoOtherKeys",
        ),
    ]


def pushing(repository_arns: Sequence[str]) -> list[Statement]:
    """Push an image, and see what is there already (ECR guide, "IAM permissions for pushing an image")."""
    return [
        statement("ecr:GetAuthorizationToken", "*", sid="LogIn"),
        statement(
            [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:DescribeImages",
                "ecr:GetDownloadUrlForLayer",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
            list(repository_arns),
            sid="Push",
        ),
    ]


def documents(statements: Sequence[Statement]) -> list[str]:
    """The statements as JSON, in as many managed policies as AWS's limit asks for.

    A statement whose actions do not fit into the rest of a policy goes on in the next one.
    """
    packed: list[list[Statement]] = [[]]
    for whole in statements:
        left = sorted(whole["Action"])
        while left:
            fitting = _how_many_fit(packed[-1], whole, left)
            if fitting:
                packed[-1].append(_with_actions(whole, left[:fitting]))
                left = left[fitting:]
            if left:
                if not packed[-1]:
                    raise ValueError(f"statement {whole.get('Sid')} does not fit into a policy")
                packed.append([])
    return [_text(each) for each in packed if each]


def _how_many_fit(before: Sequence[Statement], whole: Statement, actions: Sequence[str]) -> int:
    count = len(actions)
    while count and len(_text([*before, _with_actions(whole, actions[:count])])) > POLICY_CHARACTERS:
        count -= 1
    return count


def _with_actions(whole: Statement, actions: Sequence[str]) -> Statement:
    return {**whole, "Action": list(actions)}


def _text(statements: Sequence[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, separators=(",", ":"))


def _rights(declared: Declared) -> list[Rights]:
    return [*(TYPES[type_] for type_ in sorted(set(declared.types) & TYPES.keys())), RELEASE]


def _tagging(declared: Declared) -> list[Tagging]:
    services = {action.partition(":")[0] for rights in _rights(declared) for action in _actions(rights)}
    return [TAGGING[service] for service in sorted(services & TAGGING.keys())]


def _actions(rights: Rights) -> Iterator[str]:
    for texts in (rights.read, *rights.write.values(), *rights.destroy.values()):
        yield from texts.split()


def _by_target(declared: Declared) -> dict[Target, set[str]]:
    wanted: dict[Target, set[str]] = {}
    for each in (*_rights(declared), *_tagging(declared)):
        for target, actions in each.write.items():
            wanted.setdefault(target, set()).update(actions.split())
    for type_ in set(declared.types) - set(declared.protected):
        for target, actions in TYPES[type_].destroy.items() if type_ in TYPES else ():
            wanted.setdefault(target, set()).update(actions.split())
    # What may be done to anything that is not another stack's may be done to the stack's own.
    wanted["own"] = wanted.get("own", set()) - wanted.get("any", set())
    return wanted


def _targets(
    wanted: Mapping[Target, Collection[str]], declared: Declared, reach: Reach
) -> Iterator[Statement]:
    account = reach.account_id
    roles = f"arn:aws:iam::{account}:role{reach.role_path}*"
    buckets = [f"arn:aws:s3:::{name}" for name in sorted(declared.bucket_names)]
    zone = declared.zone_id or "*"
    ours = bearing(reach.tags)
    bounded = {"StringEquals": {"iam:PermissionsBoundary": list(reach.boundary_arns)}}
    attachable = {**bounded, "ArnEquals": {"iam:PolicyARN": sorted(declared.attached_policies)}}
    resources: dict[Target, tuple[str, Sequence[str], Conditions]] = {
        "any": ("NotOfOthers", ["*"], {**in_regions(reach.regions), "StringEqualsIfExists": ours}),
        "own": ("Own", ["*"], {"StringEquals": ours}),
        "bucket": ("Buckets", buckets, {}),
        "object": ("Objects", [f"{arn}/*" for arn in buckets], {}),
        "role": ("Roles", [roles], {}),
        "bounded role": ("BoundedRoles", [roles], bounded),
        "attachment": ("KnownPolicies", [roles] if declared.attached_policies else [], attachable),
        "zone": ("Zone", [f"arn:aws:route53:::hostedzone/{zone}"], {}),
        "dashboard": (
            "Dashboards",
            [f"arn:aws:cloudwatch::{account}:dashboard/{name}" for name in sorted(declared.dashboard_names)],
            {},
        ),
        "alias": ("Aliases", [f"arn:aws:kms:*:{account}:alias/{reach.alias_prefix}-*"], {}),
        "scaling alarm": ("ScalingAlarms", [f"arn:aws:cloudwatch:*:{account}:alarm:TargetTracking-*"], {}),
    }
    for target, (sid, arns, conditions) in resources.items():
        if wanted.get(target) and arns:
            yield statement(sorted(wanted[target]), list(arns), conditions=conditions, sid=sid)


def _for_services(declared: Declared, reach: Reach) -> Iterator[Statement]:
    passes_to = {service for rights in _rights(declared) for service in rights.passes_to.split()}
    linked = {service for rights in _rights(declared) for service in rights.linked.split()}
    account = reach.account_id
    yield statement(
        "iam:PassRole",
        f"arn:aws:iam::{account}:role{reach.role_path}*",
        conditions={"StringEquals": {"iam:PassedToService": sorted(passes_to)}},
        sid="PassRoles",
    )
    if linked:
        yield statement(
            "iam:CreateServiceLinkedRole",
            f"arn:aws:iam::{account}:role/aws-service-role/*",
            conditions={"StringEquals": {"iam:AWSServiceName": sorted(linked)}},
            sid="ServicesOwnRoles",
        )


def _with_keys(reach: Reach) -> list[Statement]:
    """The stack's keys, for services that encrypt with them; nothing is decrypted for the pipeline itself."""
    keys = f"arn:aws:kms:*:{reach.account_id}:key/*"
    ours = bearing(reach.tags)
    return [
        statement(
            "kms:CreateGrant",
            keys,
            conditions={"StringEquals": ours, "Bool": {"kms:GrantIsForAWSResource": "true"}},
            sid="GrantKeys",
        ),
        statement(
            ["kms:Decrypt", "kms:GenerateDataKey"],
            keys,
            conditions={
                "StringEquals": ours,
                "StringLike": {"kms:ViaService": [f"*.{region}.amazonaws.com" for region in reach.regions]},
            },
            sid="UseKeys",
        ),
    ]


def _decrypting(reach: Reach, services: Sequence[str], *, sid: str) -> Statement:
    ours = bearing(reach.tags)
    return statement(
        "kms:Decrypt",
        f"arn:aws:kms:*:{reach.account_id}:key/*",
        conditions={"StringEquals": {**ours, "kms:ViaService": _via(reach, services)}},
        sid=sid,
    )


def _via(reach: Reach, services: Sequence[str]) -> list[str]:
    return [f"{service}.{region}.amazonaws.com" for service in services for region in reach.regions]
