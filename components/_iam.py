"""IAM policy documents: plain typed statements in, one JSON Output out.

Values may be Inputs, so a statement can name a resource that does not exist yet. Nothing is created here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

import pulumi

from components import _json

# IAM, CloudFront and Route 53 answer in this region alone, whatever the stack's is.
GLOBAL_REGION = "us-east-1"

Strings = pulumi.Input[str] | Sequence[pulumi.Input[str]]
Conditions = Mapping[str, Mapping[str, Strings]]
Principals = Literal["*"] | Mapping[str, Strings]


class Statement(TypedDict):
    """One statement with the keys of the policy language itself."""

    Effect: Literal["Allow", "Deny"]
    Action: Sequence[str]
    Resource: NotRequired[Sequence[pulumi.Input[str]]]
    NotResource: NotRequired[Sequence[pulumi.Input[str]]]  # to refuse all but these; never to allow
    Principal: NotRequired[Principals]
    Condition: NotRequired[Conditions]
    Sid: NotRequired[str]


def statement(
    actions: str | Sequence[str],
    resources: Strings = (),
    *,
    effect: Literal["Allow", "Deny"] = "Allow",
    conditions: Conditions | None = None,
    principals: Principals | None = None,
    sid: str | None = None,
) -> Statement:
    """Return one statement; a single action or resource may be given without a list.

    `resources` stays empty only in a trust policy; `principals` is "*" or {"Service": "ecs.amazonaws.com"}.
    """
    made: Statement = {"Effect": effect, "Action": [actions] if isinstance(actions, str) else list(actions)}
    if not made["Action"]:
        raise ValueError(
            f"statement {sid or ''}: it names no action; name at least one, such as s3:GetObject"
        )
    # An Output has no length and no truth value: only a list can be seen to be empty.
    listed = list(resources) if isinstance(resources, list | tuple) else [resources]
    if listed:
        made["Resource"] = listed
    if principals is not None:
        made["Principal"] = principals
    if conditions:
        made["Condition"] = conditions
    if sid is not None:
        made["Sid"] = sid
    return made


def bearing(tags: Mapping[str, str]) -> dict[str, Strings]:
    """What a condition's StringEquals says of resources that bear all of these tags."""
    return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}


def in_regions(regions: Iterable[str]) -> dict[str, Mapping[str, Strings]]:
    """The condition that a call is to one of these regions, or to what has none."""
    return {"StringEquals": {"aws:RequestedRegion": sorted({*regions, GLOBAL_REGION})}}


def document(*statements: Statement) -> pulumi.Output[str]:
    """Return the policy document of these statements, as JSON."""
    if not statements:
        raise ValueError("a policy document needs at least one statement")
    return _json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def assume_role(
    service: str,
    *,
    account_id: pulumi.Input[str] | None = None,
    source_arn: pulumi.Input[str] | None = None,
) -> pulumi.Output[str]:
    """Return the trust policy that lets `service` (e.g. "ecs-tasks.amazonaws.com") take the role.

    With `account_id`, only for resources of that account; with `source_arn` (a pattern), only for those
    (IAM guide, "The confused deputy problem").
    """
    conditions: dict[str, Mapping[str, Strings]] = {}
    if account_id is not None:
        conditions["StringEquals"] = {"aws:SourceAccount": account_id}
    if source_arn is not None:
        conditions["ArnLike"] = {"aws:SourceArn": source_arn}
    return document(statement("sts:AssumeRole", principals={"Service": service}, conditions=conditions))


def assume_role_by_pods(
    *, account_id: pulumi.Input[str], cluster_arn: pulumi.Input[str]
) -> pulumi.Output[str]:
    """Return the trust policy that lets pods of one cluster of EKS take the role, by EKS Pod Identity."""
    return document(
        statement(
            ["sts:AssumeRole", "sts:TagSession"],
            principals={"Service": "pods.eks.amazonaws.com"},
            conditions={
                "StringEquals": {"aws:SourceAccount": account_id},
                "ArnEquals": {"aws:SourceArn": cluster_arn},
            },
        )
    )
