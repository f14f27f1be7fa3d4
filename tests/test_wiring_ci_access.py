"""The pipeline's rights in the program: seen while it declares, and made at its end."""

import json
import re
from unittest.mock import patch

import pulumi
import pulumi_aws as aws
import pytest

from settings import loader
from tests.program import ROOT, configuration, declared, run, stack_file
from tests.recorder import Recording, record
from tests.requirements.ts_service.template import EXTERNAL_STORES
from wiring import ci_access

ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
TRUST = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}]})
SETTINGS = loader.from_file(stack_file("staging"))
WITHOUT = SETTINGS.model_copy(update={"ci": None})


def watched(settings, declare) -> tuple[Recording, ci_access.Seen]:
    seen = []

    def program():
        seen.append(ci_access.watch(settings))
        declare()

    return record(program), seen[0]


def test_every_role_gets_the_stacks_path_and_a_boundary():
    recorded, _ = watched(SETTINGS, lambda: aws.iam.Role("worker", assume_role_policy=TRUST))
    role = recorded.one(ROLE, "worker")
    assert role["path"] == "/rentalfix/staging/"
    assert role["permissionsBoundary"].endswith("/rentalfix-staging-boundary-of-workloads")


def test_without_a_pipeline_the_path_is_the_same_and_there_is_no_boundary():
    """A stack that gets a pipeline later keeps its roles."""
    recorded, _ = watched(WITHOUT, lambda: aws.iam.Role("worker", assume_role_policy=TRUST))
    assert recorded.one(ROLE, "worker")["path"] == "/rentalfix/staging/"
    assert "permissionsBoundary" not in recorded.one(ROLE, "worker")
    assert not recorded.all(POLICY)


def test_a_role_with_a_path_of_its_own_keeps_it():
    recorded, _ = watched(SETTINGS, lambda: aws.iam.Role("own", path="/own/", assume_role_policy=TRUST))
    assert recorded.one(ROLE, "own")["path"] == "/own/"
    assert "permissionsBoundary" not in recorded.one(ROLE, "own")


def test_what_is_declared_is_seen_with_its_names():
    def declare():
        aws.s3.Bucket("given", bucket="shop-files", opts=pulumi.ResourceOptions(protect=True))
        aws.s3.Bucket("made-up")
        aws.cloudwatch.Dashboard("dashboard", dashboard_name="shop", dashboard_body="{}")
        aws.kms.Key("key", opts=pulumi.ResourceOptions(protect=True))
        aws.iam.RolePolicyAttachment("rights", role="worker", policy_arn="arn:aws:iam::aws:policy/X")

    _, seen = watched(SETTINGS, declare)
    assert seen.bucket_names == ["shop-files", "made-up-???????"]
    assert seen.dashboard_names == ["shop"]
    assert seen.attached_policies == {"arn:aws:iam::aws:policy/X"}
    assert seen.types - seen.unprotected == {"aws:kms/key:Key"}, "one of two buckets is not protected"


def test_a_name_that_is_not_known_yet_is_refused():
    def declare():
        aws.s3.Bucket("files", bucket=pulumi.Output.from_input("shop-files"))

    with pytest.raises(TypeError, match="bucket must be plain text, so that a pipeline's rights can name it"):
        watched(SETTINGS, declare)


def test_nothing_is_declared_after_the_rights():
    """It would be a resource that no pipeline could make."""
    source = (ROOT / "__main__.py").read_text(encoding="utf-8")
    late = "import pulumi_aws as aws\naws.sns.Topic('late')\n"

    def program():
        exec(compile(source + late, "__main__.py", "exec"), {"__name__": "__main__"})

    config = loader.as_engine_config(configuration("staging"))
    told = re.escape(
        "aws:sns/topic:Topic late is declared after the pipeline's rights; declare it before them"
    )
    with pytest.raises(TypeError, match=told), patch.object(pulumi, "export"):
        record(program, stack="staging", config=config)


def test_without_the_block_the_stack_has_neither_roles_nor_boundaries():
    config = configuration("staging")
    config["groundwork:ci"] = None
    without, with_ci = run("staging", config), declared("staging")
    assert without.value["pipeline"] == {"previewRole": "", "deployRole": "", "pushRole": ""}
    more = {name for name in with_ci.names() if name not in without.names()}
    assert more
    assert all(re.search(r"::(ci|role-boundaries)(-|$)", name) for name in more)
    assert set(without.names()) < set(with_ci.names())
    paths = {role["path"] for role in without.all(ROLE)}
    assert paths == {"/rentalfix/staging/"}


def test_without_a_database_there_is_no_boundary_for_backups():
    config = configuration("ts-service/prod")
    config |= {f"groundwork:{key}": value for key, value in EXTERNAL_STORES.items()}
    boundaries = [
        policy.name for policy in run("ts-service/prod", config).all(POLICY) if "ci-" not in policy.name
    ]
    assert boundaries == ["role-boundaries-workloads"]


def test_the_roles_have_arns_that_the_settings_alone_decide():
    """So a workflow can name them before it can read the stack's outputs."""
    arns = declared("prod").value["pipeline"]
    assert arns == {
        f"{part}Role": f"arn:aws:iam::111122223333:role/_ci/rentalfix/prod/rentalfix-prod-{part}"
        for part in ("preview", "deploy", "push")
    }


@pytest.mark.parametrize(
    ("stack", "repositories"),
    [("prod", ["rentalfix/prod/*"]), ("ts-service/prod", ["myapp-api", "myapp-worker"])],
)
def test_images_are_pushed_into_the_stacks_repositories(stack, repositories):
    recorded = declared(stack)
    (push,) = [
        each
        for each in json.loads(recorded.one("aws:iam/rolePolicy:RolePolicy", "ci-push")["policy"])[
            "Statement"
        ]
        if each["Sid"] == "Push"
    ]
    assert [arn.partition(":repository/")[2] for arn in push["Resource"]] == repositories


@pytest.mark.parametrize(
    ("stack", "regions"), [("prod", ["us-east-1", "us-west-2"]), ("staging", ["us-east-1"])]
)
def test_a_second_region_is_within_reach_where_backups_are_copied(stack, regions):
    read, *_ = declared(stack).one(POLICY, "ci-read-1").json("policy")["Statement"]
    assert read["Condition"] == {"StringEquals": {"aws:RequestedRegion": regions}}
