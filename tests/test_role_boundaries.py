"""The boundaries of roles: each lets its roles do what their policies say, and nothing that no role does."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from components._iam import assume_role
from components.role_boundaries import RoleBoundaries, RoleBoundariesArgs, kind_of
from tests import kubernetes_stacks
from tests.program import ALL_STACKS, declared
from tests.recorder import Declared, Recording, record

ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
INLINE = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
SECRET = "aws:secretsmanager/secret:Secret"
KINDS = ["workloads", "backups", "cluster"]

# What AWS's own policies allow and no role here needs. Backups: all that is not a database's.
DATABASES = ("backup:", "kms:", "rds:", "tag:")
CLASSIC_BALANCERS = {
    f"elasticloadbalancing:{name}"
    for name in (
        "ApplySecurityGroupsToLoadBalancer",
        "AttachLoadBalancerToSubnets",
        "ConfigureHealthCheck",
        "CreateLoadBalancerListeners",
        "CreateLoadBalancerPolicy",
        "DeleteLoadBalancerListeners",
        "DeregisterInstancesFromLoadBalancer",
        "DescribeLoadBalancerPolicies",
        "DetachLoadBalancerFromSubnets",
        "RegisterInstancesWithLoadBalancer",
        "SetLoadBalancerPoliciesForBackendServer",
        "SetLoadBalancerPoliciesOfListener",
    )
}
# Where a restored database may stand.
PLACES = {
    f"ec2:Describe{name}"
    for name in (
        "AccountAttributes",
        "AvailabilityZones",
        "InternetGateways",
        "NetworkInterfaces",
        "SecurityGroups",
        "Subnets",
        "Vpcs",
    )
}


def args(**changes):
    values: dict[str, Any] = {
        "account_id": "111122223333",
        "regions": ["eu-west-1"],
        "name_prefix": "shop-prod",
        "policy_path": "/_ci/shop/prod/",
        "role_path": "/shop/prod/",
        "secret_names": ["shop/prod/*"],
        "ours": {"system": "shop", "environment": "prod"},
        "with_backups": True,
        **changes,
    }
    return RoleBoundariesArgs(**values)


def build(**changes) -> tuple[Recording, RoleBoundaries]:
    made = []
    recorded = record(lambda: made.append(RoleBoundaries("bounds", args(**changes))))
    return recorded, made[0]


def allowed(policy: Declared) -> set[str]:
    return {
        action
        for each in policy.json("policy")["Statement"]
        if each["Effect"] == "Allow"
        for action in each["Action"]
    }


def by_sid(recorded: Recording, kind: str = "workloads") -> dict:
    return {each["Sid"]: each for each in recorded.one(POLICY, f"bounds-{kind}").json("policy")["Statement"]}


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, ["workloads", "backups"]),
        ({"with_backups": False}, ["workloads"]),
        ({"with_pods": True, "with_cluster": True}, ["workloads", "backups", "cluster"]),
    ],
)
def test_there_is_one_for_each_kind_of_role(changes, kinds):
    recorded, _ = build(**changes)
    made = {policy.name: policy for policy in recorded.all(POLICY)}
    assert set(made) == {f"bounds-{kind}" for kind in kinds}
    assert {policy["name"] for policy in made.values()} == {f"shop-prod-boundary-of-{kind}" for kind in kinds}
    path = "arn:aws:iam::111122223333:policy/_ci/shop/prod"
    assert args(**changes).arns == [f"{path}/shop-prod-boundary-of-{kind}" for kind in kinds]
    assert recorded.outputs("bounds")["arns"] == dict(zip(kinds, args(**changes).arns, strict=True))


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ("ecs-tasks.amazonaws.com", "workloads"),
        ("monitoring.rds.amazonaws.com", "workloads"),
        ("backup.amazonaws.com", "backups"),
        ("eks.amazonaws.com", "cluster"),
        ("ec2.amazonaws.com", "cluster"),
    ],
)
def test_a_role_gets_that_of_the_service_that_takes_it(service, kind):
    def program():
        made = RoleBoundaries("bounds", args(with_cluster=True))
        return made.for_role(assume_role(service))

    assert record(program).value.endswith(f"/shop-prod-boundary-of-{kind}")


def test_a_role_that_somebody_from_outside_takes_is_a_workload():
    trust = {"Statement": [{"Principal": {"Federated": "arn:provider"}}, {"Principal": {"AWS": "arn:role"}}]}
    assert kind_of(json.dumps(trust)) == "workloads"


def test_data_is_the_stacks_own():
    found = by_sid(build(secret_names=["shop/prod/*", "jwt-??????"])[0])
    assert found["Secrets"]["Resource"] == [
        "arn:aws:secretsmanager:*:111122223333:secret:shop/prod/*",
        "arn:aws:secretsmanager:*:111122223333:secret:jwt-??????",
        "arn:aws:secretsmanager:*:111122223333:secret:rds!*",
    ]
    ours = {"aws:ResourceTag/system": "shop", "aws:ResourceTag/environment": "prod"}
    assert found["Own"]["Condition"] == {"StringEquals": ours}
    assert {"kms:Decrypt", "ecs:RunTask", "ecr:BatchGetImage", "sns:Publish"} <= set(found["Own"]["Action"])
    assert found["Objects"]["Condition"] == {"StringEquals": {"aws:ResourceAccount": "111122223333"}}
    assert found["PassTaskRoles"]["Resource"] == ["arn:aws:iam::111122223333:role/shop/prod/*"]


def test_keys_are_the_stacks_own_and_all_else_is_in_its_regions():
    recorded, _ = build(with_cluster=True)
    ours = {"aws:ResourceTag/system": "shop", "aws:ResourceTag/environment": "prod"}
    for kind in ("backups", "cluster"):
        assert by_sid(recorded, kind)["Keys"]["Condition"] == {"StringEquals": ours}
    regions = {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}}
    wide = {"workloads": ["Work"], "backups": ["Databases"], "cluster": ["Cluster", "Images"]}
    for kind, sids in wide.items():
        assert [by_sid(recorded, kind)[sid]["Condition"] for sid in sids] == [regions] * len(sids)


@pytest.mark.parametrize("kind", KINDS)
def test_no_role_opens_the_state(kind):
    recorded, _ = build(with_cluster=True, state_bucket="shop-state")
    refused = by_sid(recorded, kind)["NotTheState"]
    assert (refused["Effect"], refused["Action"]) == ("Deny", ["s3:*"])
    assert refused["Resource"] == ["arn:aws:s3:::shop-state", "arn:aws:s3:::shop-state/*"]
    assert "NotTheState" not in by_sid(build(with_cluster=True)[0], kind)


def test_without_pods_nobody_makes_a_load_balancer():
    without, with_pods = (
        allowed(build(with_pods=each)[0].one(POLICY, "bounds-workloads")) for each in (False, True)
    )
    assert without < with_pods
    assert not {action for action in without if action.startswith(("elasticloadbalancing:", "route53:"))}


@pytest.mark.parametrize("kind", KINDS)
def test_none_lets_a_role_become_another(kind):
    may = allowed(build(with_pods=True, with_cluster=True)[0].one(POLICY, f"bounds-{kind}"))
    about_roles = {action for action in may if action.startswith(("iam:", "sts:"))}
    assert about_roles <= {"iam:PassRole", "iam:CreateServiceLinkedRole"}
    assert ("iam:PassRole" in may) == (kind == "workloads")
    assert "ec2:RunInstances" not in may


# In step with what is declared


@cache
def recordings() -> dict[str, Recording]:
    made = {stack: declared(stack) for stack in ALL_STACKS}
    for stack in kubernetes_stacks.STACKS:
        made[f"{stack} as pods"] = kubernetes_stacks.pods(stack)
        made[f"{stack} by Ingress"] = kubernetes_stacks.ingress(stack)
    return made


def roles(recorded: Recording) -> Iterator[tuple[Declared, set[str]]]:
    """Each role of the stack but the pipeline's, with the actions of all its policies."""
    for role in recorded.all(ROLE):
        if role["path"].startswith("/_ci/"):
            continue
        inline = [each for each in recorded.all(INLINE) if role.urn in each.property_dependencies["role"]]
        attached = [
            each for each in recorded.all(ATTACHMENT) if role.urn in each.property_dependencies["role"]
        ]
        yield (
            role,
            {action for each in inline for action in allowed(each)}
            | {action for each in attached for action in of_aws(each["policyArn"])},
        )


@cache
def of_aws(arn: str) -> frozenset[str]:
    """The actions of a policy of AWS's, as moto has it, but for those that no role here needs."""
    document = json.loads(aws_managed_policies_data)[arn.rpartition("/")[2]]["Document"]
    actions = {
        action
        for each in document["Statement"]
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    if "/AWSBackup" in arn:
        actions = {action for action in actions if action.startswith(DATABASES) or action in PLACES}
    return frozenset(actions - CLASSIC_BALANCERS)


@pytest.mark.parametrize("stack", [*ALL_STACKS, *(name for name in kubernetes_stacks.STACKS)])
def test_every_role_has_one_and_it_lets_the_role_do_its_work(stack):
    for name, recorded in recordings().items():
        if name.partition(" ")[0] != stack:
            continue
        by_arn = {f"{each['path']}{each['name']}": each for each in recorded.all(POLICY)}
        for role, wanted in roles(recorded):
            boundary = by_arn[role["permissionsBoundary"].partition(":policy")[2]]
            assert wanted - allowed(boundary) == set(), (
                f"{name}: {role.name}: add it to components/role_boundaries.py"
            )


def test_none_allows_what_no_role_does():
    """Over every stack, on ECS and on Kubernetes: what a component no longer does goes out of the boundary too."""
    done: dict[str, set[str]] = {kind: set() for kind in KINDS}
    may: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for recorded in recordings().values():
        for role, wanted in roles(recorded):
            done[kind_of(role["assumeRolePolicy"])] |= wanted
        for policy in recorded.all(POLICY):
            kind = policy.name.rpartition("-")[2]
            if kind in may:
                may[kind] |= allowed(policy)
    assert {kind: may[kind] - done[kind] for kind in KINDS} == {kind: set() for kind in KINDS}


@pytest.mark.parametrize("stack", ALL_STACKS)
def test_every_secret_of_the_stack_has_a_name_that_its_roles_may_read(stack):
    recorded = declared(stack)
    found = recorded.one(POLICY, "role-boundaries-workloads").json("policy")["Statement"]
    patterns = [
        arn.partition(":secret:")[2] for each in found if each["Sid"] == "Secrets" for arn in each["Resource"]
    ]
    # Secrets Manager ends the name in an ARN with a hyphen and six characters.
    names = [f"{each.get('name') or each['namePrefix'] + '12345'}-AbCdEf" for each in recorded.all(SECRET)]
    assert names
    assert [name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)] == []


def test_each_fits_into_a_policy():
    for recorded in recordings().values():
        for policy in recorded.all(POLICY):
            assert len(re.sub(r"\s", "", policy["policy"])) <= 6_144
