"""The pipeline's roles: who can take them, what they may do, and that it follows from what a stack declares."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from components import _deploy_policy
from components._deploy_actions import READS_DATA, RELEASE, TAGGING, TYPES
from components._deploy_policy import Declared, Reach, State
from components._iam import statement
from components.ci_access import CiAccess, CiAccessArgs, ImagePush
from local.provider import known
from tests import kubernetes_stacks
from tests.program import ALL_STACKS, ROOT, declared
from tests.recorder import Recording, record
from tests.test_deploy_actions import REFERENCE, action_of, actions, operations_of

ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
INLINE = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
PROVIDER = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
BUCKET = "aws:s3/bucket:Bucket"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
KEY_ALIAS = "aws:kms/alias:Alias"
# IAM guide, "IAM and AWS STS quotas", without white space; inline policies of a role all together.
POLICY_CHARACTERS, ROLE_POLICIES, INLINE_CHARACTERS, TRUST_CHARACTERS = 6_144, 10, 10_240, 2_048
PRODUCTION = [stack for stack in ALL_STACKS if stack.endswith("prod")]
ISSUER = "token.actions.githubusercontent.com"
BACKUP_POLICY = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
BOUNDARY = "arn:aws:iam::111122223333:policy/_ci/shop/prod/shop-prod-boundary-of-workloads"

DECLARED = Declared(
    types={"aws:sns/topic:Topic", "aws:s3/bucket:Bucket", "aws:iam/role:Role", "aws:ecs/cluster:Cluster"},
    bucket_names=["shop-files", "logs-???????"],
    attached_policies=[BACKUP_POLICY],
)
REACH = Reach(
    account_id="111122223333",
    regions=["eu-west-1"],
    tags={"system": "shop", "environment": "prod"},
    role_path="/shop/prod/",
    alias_prefix="shop-prod",
    boundary_arns=[BOUNDARY],
)
STATE = State(bucket="shop-state", key_alias="alias/state", project="groundwork", stack="shop-prod")
OWN = {"aws:ResourceTag/system": "shop", "aws:ResourceTag/environment": "prod"}


def args(**changes):
    values: dict[str, Any] = {
        "name_prefix": "shop-prod",
        "path": "/_ci/shop/prod/",
        "repository": "acme/platform",
        "environment": "production",
        "branch": "main",
        "create_provider": True,
        "declared": DECLARED,
        "reach": REACH,
        **changes,
    }
    return CiAccessArgs(**values)


def build(**changes) -> Recording:
    return record(lambda: CiAccess("ci", args(**changes)))


def trust(recorded: Recording, part: str) -> dict:
    (only,) = recorded.one(ROLE, f"ci-{part}").json("assumeRolePolicy")["Statement"]
    return only


def statements(texts) -> dict:
    """By Sid; a statement that was continued in the next policy is put together again."""
    found: dict = {}
    for text in texts:
        for each in json.loads(text)["Statement"]:
            if each["Sid"] in found:
                found[each["Sid"]]["Action"] += each["Action"]
            else:
                found[each["Sid"]] = each
    return found


def of_role(recorded: Recording, part: str) -> dict:
    """Every statement of a role by its Sid, attached or inline."""
    role = recorded.one(ROLE, f"ci-{part}")
    by_arn = {policy.urn: policy for policy in recorded.all(POLICY)}
    attached = [
        by_arn[urn]["policy"]
        for each in recorded.all(ATTACHMENT)
        if role.urn in each.property_dependencies["role"]
        for urn in each.property_dependencies.get("policyArn", ())
    ]
    inline = [
        each["policy"] for each in recorded.all(INLINE) if role.urn in each.property_dependencies["role"]
    ]
    return statements([*attached, *inline])


def allowed(found: dict) -> set[str]:
    return {action for each in found.values() if each["Effect"] == "Allow" for action in each["Action"]}


# Who can take them


def test_each_role_is_for_one_repository_and_one_purpose():
    recorded = build(images=ImagePush(repository="acme/shop", branch="release", repository_arns=["arn:repo"]))
    subjects = {
        part: trust(recorded, part)["Condition"]["StringEquals"][f"{ISSUER}:sub"]
        for part in ("preview", "deploy", "push")
    }
    assert subjects == {
        "preview": ["repo:acme/platform:pull_request", "repo:acme/platform:ref:refs/heads/main"],
        "deploy": ["repo:acme/platform:environment:production"],
        "push": ["repo:acme/shop:ref:refs/heads/release"],
    }


@pytest.mark.parametrize("part", ["preview", "deploy"])
def test_only_githubs_word_counts_and_only_for_an_hour(part):
    recorded = build()
    said = trust(recorded, part)
    assert said["Action"] == ["sts:AssumeRoleWithWebIdentity"]
    assert said["Principal"] == {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}"}
    assert set(said["Condition"]) == {"StringEquals"}, "nothing that takes a pattern"
    assert said["Condition"]["StringEquals"][f"{ISSUER}:aud"] == "sts.amazonaws.com"
    assert recorded.one(ROLE, f"ci-{part}")["maxSessionDuration"] == 3600


def test_one_stack_of_an_account_makes_the_provider_and_the_others_name_it():
    first, second = build(), build(create_provider=False)
    provider = first.one(PROVIDER)
    assert (provider["url"], provider["clientIdLists"]) == (f"https://{ISSUER}", ["sts.amazonaws.com"])
    assert not second.all(PROVIDER)
    assert trust(first, "deploy")["Principal"] == trust(second, "deploy")["Principal"]


def test_without_images_nobody_pushes():
    recorded = build()
    assert [role.name for role in recorded.all(ROLE)] == ["ci-deploy", "ci-preview"]
    assert recorded.outputs("ci")["push_role_arn"] == ""
    assert recorded.outputs("ci")["deploy_role_arn"].endswith(":role/_ci/shop/prod/shop-prod-deploy")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"declared": Declared(types={"aws:sns/topic:Topic", "aws:glue/job:Job", "random:index/x:X"})},
            "ci access: no IAM actions are known for aws:glue/job:Job; add an entry for it to "
            "components/_deploy_actions.py",
        ),
        (
            {"repository": "acme/*"},
            "repository must name exactly one, without * or ?, got 'acme/*'",
        ),
        ({"environment": ""}, "environment must name exactly one, without * or ?, got ''"),
        ({"branch": "release-?"}, "branch must name exactly one, without * or ?, got 'release-?'"),
        (
            {"images": ImagePush(repository="*/*", branch="*", repository_arns=[])},
            "images.repository must name exactly one, without * or ?, got '*/*'; "
            "images.branch must name exactly one, without * or ?, got '*'",
        ),
        (
            {"path": "/shop/prod/ci/"},
            "path /shop/prod/ci/ is under /shop/prod/: the pipeline could change its own roles",
        ),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(**changes)


def test_a_role_with_too_many_policies_is_refused(monkeypatch):
    monkeypatch.setattr(_deploy_policy, "POLICY_CHARACTERS", 700)
    many = re.escape("policies, and a role may have 10; shorten components/_deploy_actions.py")
    with pytest.raises(ValueError, match=many):
        build(declared=Declared(types=TYPES.keys(), bucket_names=["shop-files"]))


# What they may do


def test_new_things_may_be_made_and_nothing_of_another_stack_touched():
    found = of_role(build(), "deploy")
    made, own = found["NotOfOthers"], found["Own"]
    assert {"sns:CreateTopic", "ecs:CreateCluster"} <= set(made["Action"])
    assert made["Condition"] == {
        "StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]},
        "StringEqualsIfExists": OWN,
    }
    assert {"sns:DeleteTopic", "ecs:UpdateCluster"} <= set(own["Action"])
    assert own["Condition"] == {"StringEquals": OWN}
    assert not set(made["Action"]) & set(own["Action"])


def test_what_bears_no_tags_is_named():
    found = of_role(build(), "deploy")
    buckets = ["arn:aws:s3:::logs-???????", "arn:aws:s3:::shop-files"]
    assert found["Buckets"]["Resource"] == buckets
    assert found["Objects"]["Resource"] == [f"{arn}/*" for arn in buckets]
    assert "s3:CreateBucket" in found["Buckets"]["Action"]


@pytest.mark.parametrize(("zone_id", "arn"), [("Z1", "hostedzone/Z1"), (None, "hostedzone/*")])
def test_records_are_written_into_the_stacks_zone(zone_id, arn):
    found = of_role(build(declared=Declared(types={"aws:route53/record:Record"}, zone_id=zone_id)), "deploy")
    assert found["Zone"]["Resource"] == [f"arn:aws:route53:::{arn}"]
    assert found["Zone"]["Action"] == ["route53:ChangeResourceRecordSets"]


def test_what_is_protected_cannot_be_destroyed():
    types = {"aws:s3/bucket:Bucket", "aws:kms/key:Key"}
    free = of_role(build(declared=Declared(types=types, bucket_names=["b"])), "deploy")
    safe = of_role(
        build(declared=Declared(types=types, protected={"aws:kms/key:Key"}, bucket_names=["b"])), "deploy"
    )
    both = of_role(build(declared=Declared(types=types, protected=types, bucket_names=["b"])), "deploy")
    assert {"kms:ScheduleKeyDeletion", "s3:DeleteBucket", "s3:DeleteObject"} <= allowed(free)
    assert {"s3:DeleteBucket"} == {"kms:ScheduleKeyDeletion", "s3:DeleteBucket"} & allowed(safe)
    assert not {"kms:ScheduleKeyDeletion", "s3:DeleteBucket", "s3:DeleteObject"} & allowed(both)
    assert "s3:CreateBucket" in allowed(both)


def test_roles_are_made_within_a_boundary_and_get_no_policy_but_the_stacks():
    found = of_role(build(), "deploy")
    roles = ["arn:aws:iam::111122223333:role/shop/prod/*"]
    bounded = {"StringEquals": {"iam:PermissionsBoundary": [BOUNDARY]}}
    widening = {"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"}
    assert set(found["BoundedRoles"]["Action"]) <= widening
    assert (found["BoundedRoles"]["Resource"], found["BoundedRoles"]["Condition"]) == (roles, bounded)
    assert found["KnownPolicies"] == {
        "Sid": "KnownPolicies",
        "Effect": "Allow",
        "Action": ["iam:AttachRolePolicy"],
        "Resource": roles,
        "Condition": {**bounded, "ArnEquals": {"iam:PolicyARN": [BACKUP_POLICY]}},
    }
    assert found["Roles"]["Resource"] == roles
    assert not widening & set(found["Roles"]["Action"])
    assert "iam:DeleteRolePermissionsBoundary" not in allowed(found)
    assert found["PassRoles"]["Resource"] == roles
    assert found["PassRoles"]["Condition"] == {
        "StringEquals": {"iam:PassedToService": ["ecs-tasks.amazonaws.com"]}
    }


def test_without_attached_policies_nothing_may_be_attached():
    recorded = build(declared=Declared(types={"aws:iam/role:Role"}))
    assert "iam:AttachRolePolicy" not in allowed(of_role(recorded, "deploy"))


def test_services_get_keys_and_the_pipeline_none():
    found = of_role(build(declared=Declared(types={"aws:rds/instance:Instance"})), "deploy")
    assert found["GrantKeys"]["Condition"] == {
        "StringEquals": OWN,
        "Bool": {"kms:GrantIsForAWSResource": "true"},
    }
    assert found["UseKeys"]["Condition"] == {
        "StringEquals": OWN,
        "StringLike": {"kms:ViaService": ["*.eu-west-1.amazonaws.com"]},
    }
    assert "GrantKeys" not in of_role(build(declared=Declared(types={"aws:sns/topic:Topic"})), "deploy")


def test_a_services_own_role_is_made_for_the_services_that_are_declared():
    found = of_role(build(declared=Declared(types={"aws:mq/broker:Broker"})), "deploy")
    assert found["ServicesOwnRoles"]["Condition"] == {
        "StringEquals": {"iam:AWSServiceName": ["mq.amazonaws.com"]}
    }
    assert "ServicesOwnRoles" not in of_role(
        build(declared=Declared(types={"aws:sns/topic:Topic"})), "deploy"
    )


def test_a_preview_changes_nothing_and_sees_no_data():
    found = of_role(build(), "preview")
    assert {REFERENCE[action][0] for action in allowed(found)} <= {"Read", "List"}
    assert not allowed(found) & {*READS_DATA, "kms:Decrypt"}
    refused = {action for each in found.values() if each["Effect"] == "Deny" for action in each["Action"]}
    assert refused == {*READS_DATA, "kms:Decrypt"}
    assert all(each["Resource"] == ["*"] for each in found.values() if each["Effect"] == "Deny")


@pytest.mark.parametrize("state", [None, STATE])
def test_a_functions_variables_are_decrypted_for_whoever_looks_and_nothing_else_is(state):
    found = of_role(build(declared=Declared(types={"aws:lambda/function:Function"}), state=state), "preview")
    by_lambda = ["lambda.eu-west-1.amazonaws.com"]
    assert found["DecryptForReading"]["Action"] == ["kms:Decrypt"]
    assert found["DecryptForReading"]["Condition"] == {"StringEquals": {**OWN, "kms:ViaService": by_lambda}}
    refused = found["NoOtherKeys"]["Condition"]
    assert refused["StringNotEquals"] == {"kms:ViaService": by_lambda}
    assert ("ForAllValues:StringNotEquals" in refused) == (state is not None)


def test_the_state_is_read_by_previews_and_written_by_deployments():
    recorded = build(state=STATE)
    preview, deploy = of_role(recorded, "preview"), of_role(recorded, "deploy")
    files = [
        "arn:aws:s3:::shop-state/.pulumi/stacks/groundwork/shop-prod.*",
        "arn:aws:s3:::shop-state/.pulumi/history/groundwork/shop-prod/*",
        "arn:aws:s3:::shop-state/.pulumi/backups/groundwork/shop-prod/*",
        "arn:aws:s3:::shop-state/.pulumi/locks/organization/groundwork/shop-prod/*",
    ]
    layout = "arn:aws:s3:::shop-state/.pulumi/meta.yaml"
    for found in (preview, deploy):
        assert found["ReadState"]["Resource"] == [layout, *files]
        assert found["DecryptState"]["Condition"] == {
            "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/state"}
        }
    assert deploy["WriteState"]["Resource"] == files, (
        "not how the bucket is laid out, nor another stack's state"
    )
    assert "WriteState" not in preview
    assert (preview["NoObjects"]["NotResource"], preview["NoObjects"]["Effect"]) == ([layout, *files], "Deny")
    assert preview["NoOtherKeys"]["Condition"] == {
        "ForAllValues:StringNotEquals": {"kms:ResourceAliases": "alias/state"}
    }


def test_images_go_into_the_stacks_registries_only():
    images = ImagePush(
        repository="acme/shop", branch="main", repository_arns=["arn:aws:ecr:eu-west-1:1:repository/shop/*"]
    )
    found = of_role(build(images=images), "push")
    assert set(found) == {"LogIn", "Push"}
    assert found["LogIn"]["Action"] == ["ecr:GetAuthorizationToken"]
    assert found["Push"]["Resource"] == ["arn:aws:ecr:eu-west-1:1:repository/shop/*"]
    assert {"ecr:PutImage", "ecr:UploadLayerPart"} <= set(found["Push"]["Action"])
    assert not [action for action in found["Push"]["Action"] if "Delete" in action]


# Documents


def test_a_statement_that_does_not_fit_goes_on_in_the_next_policy():
    wanted = [f"ec2:Describe{'X' * 40}{number:03}" for number in range(300)]
    texts = _deploy_policy.documents(
        [statement("sns:Publish", "*", sid="First"), statement(wanted, "*", sid="Long")]
    )
    assert len(texts) == 3
    assert max(map(len, texts)) <= POLICY_CHARACTERS
    assert statements(texts)["Long"]["Action"] == wanted
    assert statements(texts)["First"]["Action"] == ["sns:Publish"]


def test_a_statement_that_fits_nowhere_is_refused():
    too_long = ["arn:aws:s3:::" + "x" * 63 for _ in range(100)]
    with pytest.raises(ValueError, match="statement Buckets does not fit into a policy"):
        _deploy_policy.documents([statement("s3:ListBucket", too_long, sid="Buckets")])


def test_nothing_to_allow_is_no_policy():
    assert _deploy_policy.documents([]) == []


# In step with the stacks


@pytest.fixture(params=[*ALL_STACKS, *(f"{stack} on Kubernetes" for stack in kubernetes_stacks.STACKS)])
def stack(request) -> Recording:
    name, _, on_kubernetes = request.param.partition(" on ")
    return kubernetes_stacks.pods(name) if on_kubernetes else declared(name)


def aws_types(recorded: Recording) -> set[str]:
    """Without the component's own: a pipeline does not make itself."""
    own = {each.urn for each in recorded if each.type == "groundwork:security:CiAccess"}
    return {
        each.type
        for each in recorded
        if each.custom and each.type.startswith("aws:") and each.parent not in own
    }


def protected_types(recorded: Recording) -> set[str]:
    return {type_ for type_ in aws_types(recorded) if all(each.protect for each in recorded.all(type_))}


def test_the_pipeline_may_do_what_the_declared_types_take_and_no_more(stack):
    found = of_role(stack, "deploy")
    types, protected = aws_types(stack), protected_types(stack)
    assert types <= TYPES.keys(), "add an entry to components/_deploy_actions.py"
    wanted = {action for type_ in types for target, action in actions(TYPES[type_])}
    wanted -= {
        action
        for type_ in protected
        for texts in TYPES[type_].destroy.values()
        for action in texts.split()
        if action not in kept_by_others(types - protected)
    }
    assert wanted <= allowed(found)
    services = {action.partition(":")[0] for action in wanted}
    more = {action for _, action in actions(RELEASE)}
    for service in services & TAGGING.keys():
        more |= {action for _, action in actions(TAGGING[service])}
    special = {
        action
        for sid in ("PassRoles", "ServicesOwnRoles", "GrantKeys", "UseKeys", "FindState", "ReadState",
                    "DecryptState", "WriteState")
        if sid in found
        for action in found[sid]["Action"]
    }  # fmt: skip
    own = {"iam:GetOpenIDConnectProvider", "iam:ListOpenIDConnectProviderTags"}
    assert allowed(found) <= wanted | more | special | own


def kept_by_others(types: set[str]) -> set[str]:
    return {action for type_ in types for target, action in actions(TYPES[type_])}


LOSES_DATA = {
    "backup:DeleteBackupVault",
    "backup:DeleteBackupVaultAccessPolicy",
    "backup:DeleteBackupVaultLockConfiguration",
    "backup:DeleteRecoveryPoint",
    "ecr:DeleteRepository",
    "elasticache:DeleteReplicationGroup",
    "kms:DisableKey",
    "kms:ScheduleKeyDeletion",
    "mq:DeleteBroker",
    "rds:DeleteDBInstance",
    "s3:DeleteBucket",
    "s3:DeleteObject",
}


@pytest.mark.parametrize("stack", PRODUCTION)
def test_production_cannot_lose_its_data_by_its_pipeline(stack):
    found = of_role(declared(stack), "deploy")
    del found["WriteState"]  # locks and backups of the state are deleted
    assert allowed(found) & LOSES_DATA == set()


def test_every_policy_and_role_is_within_awss_limits(stack):
    for policy in stack.all(POLICY):
        assert len(re.sub(r"\s", "", policy["policy"])) <= POLICY_CHARACTERS, policy.name
    for role in stack.all(ROLE):
        attached = [each for each in stack.all(ATTACHMENT) if role.urn in each.property_dependencies["role"]]
        inline = [
            each["policy"] for each in stack.all(INLINE) if role.urn in each.property_dependencies["role"]
        ]
        assert len(attached) <= ROLE_POLICIES
        assert sum(len(re.sub(r"\s", "", text)) for text in inline) <= INLINE_CHARACTERS
        assert len(re.sub(r"\s", "", role["assumeRolePolicy"])) <= TRUST_CHARACTERS


def test_whatever_can_bear_tags_bears_those_that_the_rights_ask_for(stack):
    bare = [
        each.name
        for each in stack
        if each.type in TYPES
        and "tags" in known.inputs_of(each.type)
        and not {"system", "environment"} <= (each.get("tags") or {}).keys()
    ]
    assert bare == []


def test_names_that_the_rights_end_at_are_those_that_are_declared(stack):
    found = of_role(stack, "deploy")
    made_up = "-1a2b3c4"  # what Pulumi adds to a name that is not given
    names = {
        "Buckets": [each.get("bucket") or f"{each.name}{made_up}" for each in stack.all(BUCKET)],
        "Dashboards": [f"dashboard/{each['dashboardName']}" for each in stack.all(DASHBOARD)],
        "Aliases": [each["name"] for each in stack.all(KEY_ALIAS)],
    }
    for sid, wanted in names.items():
        patterns = [arn.rpartition(":")[2] for arn in found[sid]["Resource"]]
        assert wanted
        assert [name for name in wanted if not any(fnmatchcase(name, each) for each in patterns)] == []


def test_services_may_be_given_the_roles_that_trust_them(stack):
    passed = set(of_role(stack, "deploy")["PassRoles"]["Condition"]["StringEquals"]["iam:PassedToService"])
    trusted = {
        principal["Service"]
        for role in stack.all(ROLE)
        for each in role.json("assumeRolePolicy")["Statement"]
        for principal in [each["Principal"]]
        if "Service" in principal
    }
    assert trusted <= passed


def test_roles_are_where_the_pipeline_may_make_them_but_for_its_own(stack):
    system, environment = stack.value["system"], stack.value["environment"]
    parts = {"ci-preview", "ci-deploy", "ci-push"}
    assert {role.name for role in stack.all(ROLE) if role["path"] != f"/{system}/{environment}/"} == parts
    for part in parts:
        assert stack.one(ROLE, part)["path"] == f"/_ci/{system}/{environment}/"
    policies = {policy["path"] for policy in stack.all(POLICY)}
    assert policies == {f"/_ci/{system}/{environment}/"}


def test_policies_that_are_attached_may_be(stack):
    found = of_role(stack, "deploy")
    may = (
        set(found["KnownPolicies"]["Condition"]["ArnEquals"]["iam:PolicyARN"])
        if "KnownPolicies" in found
        else set()
    )
    assert {each["policyArn"] for each in stack.all(ATTACHMENT) if not each.name.startswith("ci-")} == may


# What jobs of the pipeline run with each role: the command's file, and the services that it calls.
COMMANDS = [
    ("preview", "nightly.py", ["backup", "ecr", "ecs"]),
    ("deploy", "tasks.py", ["ecs", "logs"]),
]


@pytest.mark.parametrize(("part", "file", "services"), COMMANDS)
def test_the_commands_of_the_pipeline_may_call_what_they_call(part, file, services):
    source = (ROOT / "operations" / file).read_text(encoding="utf-8")
    names = set(re.findall(r"\.([a-z_]+)\(", source)) | set(re.findall(r'get_paginator\("([a-z_]+)"', source))
    called = {
        action_of(service, name) for service in services for name in names & set(operations_of(service))
    }
    assert {action.partition(":")[0] for action in called} == set(services)
    assert called <= allowed(of_role(declared("prod"), part))


@pytest.mark.parametrize("system", sorted({stack.rpartition("/")[0] for stack in ALL_STACKS}))
def test_of_an_accounts_stacks_one_makes_the_provider(system):
    """Production and staging have accounts of their own, and the emulator's is shared by every product."""
    prefix = f"{system}/" if system else ""
    made = {name: len(declared(f"{prefix}{name}").all(PROVIDER)) for name in ("prod", "staging", "local")}
    assert made == {"prod": 1, "staging": 1, "local": 0 if system else 1}
