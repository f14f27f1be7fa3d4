"""What the caller may not do, services' own roles, and images that are asked for too early."""

from datetime import UTC, datetime

import pytest

from operations.doctor import (
    expects,
    permissions,
)
from operations.doctor.line import Account, State, guarded
from tests.aws_cloud import cloud, emulator_url, refusal
from tests.doctor_stacks import declaring, denied, line, real, resource, states

__all__ = ["cloud", "emulator_url"]

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


# Permissions


ROLE = "arn:aws:iam::111122223333:role/aws-reserved/Admin"
SESSION = "arn:aws:sts::111122223333:assumed-role/Admin/dana"


def simulating(cloud, decide):
    """Asks for what production's own policy says; `decide` gives the decision of an action, `allowed` where nothing."""

    def answer(given):
        rows = [
            {"EvalActionName": action, "EvalResourceName": "*", "EvalDecision": "allowed", **decide(action)}
            for action in given["ActionNames"]
        ]
        return {"EvaluationResults": rows, "IsTruncated": False}

    cloud.says("SimulatePrincipalPolicy", answer)
    row = {"Path": "/", "RoleName": "Admin", "RoleId": "A" * 16, "Arn": ROLE, "CreateDate": NOW}
    cloud.says("GetRole", {"Role": row})
    return line(permissions._simulated(cloud, real("prod"), SESSION), "deploy policy")


def test_who_may_do_all_of_it(cloud):
    found = simulating(cloud, lambda _: {})
    assert found.state is State.well
    assert found.figure.endswith(f"actions are allowed to {ROLE}")
    calls = cloud.calls("SimulatePrincipalPolicy")
    assert all(len(each["ActionNames"]) <= permissions.BATCH for each in calls)
    assert len(calls) < 60
    asked = {action for each in calls for action in each["ActionNames"]}
    assert {
        "rds:CreateDBInstance",
        "ec2:CreateVpc",
        "iam:CreatePolicy",
        "iam:CreateOpenIDConnectProvider",
    } <= asked
    assert not {arn for each in calls for arn in each.get("ResourceArns", ()) if "*" in arn or "?" in arn}


def test_conditions_of_the_policy_are_told_to_the_simulator(cloud):
    simulating(cloud, lambda _: {})
    [made] = [
        each for each in cloud.calls("SimulatePrincipalPolicy") if "ec2:CreateVpc" in each["ActionNames"]
    ]
    entries = {each["ContextKeyName"]: each for each in made["ContextEntries"]}
    assert entries["aws:RequestedRegion"]["ContextKeyValues"] == ["us-east-1"]
    assert entries["aws:ResourceTag/system"]["ContextKeyValues"] == ["rentalfix"]


def test_denied_actions_are_grouped_by_service(cloud):
    denied_ = {"rds:CreateDBInstance", "rds:DeleteDBSubnetGroup", "ec2:CreateVpc"}
    found = simulating(cloud, lambda action: {"EvalDecision": "implicitDeny"} if action in denied_ else {})
    assert found.state is State.wrong
    assert "ec2: CreateVpc; rds: CreateDBInstance, DeleteDBSubnetGroup" in found.figure
    assert found.todo.startswith("Sign in with administrator's rights")


@pytest.mark.parametrize(
    ("detail", "why"),
    [
        ({"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}, "1 by a service control policy"),
        (
            {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}},
            "1 by the caller's permissions boundary",
        ),
        ({}, "1 by a statement that denies them"),
    ],
)
def test_why_an_action_is_denied(cloud, detail, why):
    found = simulating(
        cloud, lambda action: {"EvalDecision": "explicitDeny", **detail} if action == "ec2:CreateVpc" else {}
    )
    assert found.todo.startswith(why)


def test_a_stack_without_ci_cannot_tell(cloud):
    assert line(permissions._simulated(cloud, declaring(), SESSION), "deploy policy").state is State.note


def test_a_user_is_asked_as_itself_and_a_root_user_not_at_all(cloud):
    user = "arn:aws:iam::111122223333:user/dana"
    assert permissions._principal(cloud, user) == user
    [found] = guarded(
        "w", lambda: permissions._simulated(cloud, real("prod"), "arn:aws:iam::111122223333:root")
    )
    assert (found.state, "is neither" in found.figure) == (State.unasked, True)


def test_a_caller_who_may_not_simulate(cloud):
    cloud.says("GetRole", denied("iam:GetRole"))
    found = line(permissions.check(cloud, real("prod"), SESSION), "deploy policy")
    assert found.todo == "The permission is iam:GetRole."


def test_services_own_roles(cloud):
    declared = declaring(resource("aws:ecs/cluster:Cluster", "c", name="c"))
    assert [each.state for each in permissions._service_roles(cloud, declared)] == [State.note]
    row = {
        "Path": "/aws-service-role/ecs.amazonaws.com/",
        "RoleName": "AWSServiceRoleForECS",
        "RoleId": "A" * 16,
        "Arn": ROLE,
        "CreateDate": NOW,
    }
    cloud.says("ListRoles", {"Roles": [row]})
    [found] = permissions._service_roles(cloud, declared)
    assert (found.state, found.figure) == (State.well, "all 1 are there")


# Images


def test_an_image_that_is_pushed_already(cloud):
    cloud.says("DescribeImages", {"imageDetails": [{"imageTags": ["1.0.0"]}]})
    assert states(expects.images(real("prod"), cloud)) == {State.well}
    assert cloud.calls("DescribeImages")[0]["imageIds"] == [{"imageTag": "1.0.0"}]


@pytest.mark.parametrize("code", ["RepositoryNotFoundException", "ImageNotFoundException"])
def test_an_image_that_is_not_there_yet(cloud, code):
    cloud.says("DescribeImages", refusal(code))
    found = line(expects.images(real("prod"), cloud), "image of core-matching")
    assert found.state is State.wrong
    assert "image_tag: null" in found.todo


def test_images_that_may_not_be_seen(cloud):
    cloud.says("DescribeImages", denied("ecr:DescribeImages"))
    assert states(expects.images(real("prod"), cloud)) == {State.unasked}


def test_an_image_by_its_digest(cloud):
    digest = "sha256:" + "a" * 64
    services = {"core-matching": {"image_tag": digest}}
    cloud.says("DescribeImages", {"imageDetails": []})
    repository = resource("aws:ecr/repository:Repository", "registry-core-matching", name="rentalfix/core")
    assert states(expects.images(declaring(repository, services=services), cloud)) == {State.well}
    assert cloud.calls("DescribeImages")[0]["imageIds"] == [{"imageDigest": digest}]


def test_no_image_is_wanted_before_the_first_up():
    assert states(expects.images(real("staging"), None)) == {State.well}
    assert states(expects.images(real("prod"), None)) == {State.wrong}


def test_an_account_shares_its_clients_and_asks_with_patience():
    account = Account("rentalfix", "prod", {"region": "us-east-1"})
    assert account.client("sts") is account.client("sts")
    assert account.client("sts").meta.config.retries["mode"] == "adaptive"
