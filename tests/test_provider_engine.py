"""What the provider refuses, keeps secret, finds and takes over. Against an emulator where one is needed."""

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from local.provider import work as work_module
from local.provider.cloud import Refusal, is_loopback
from local.provider.engine import Engine
from local.provider.table import RESOURCES
from local.provider.values import UNKNOWN, Asset, Secret, has_secret, reveal
from tests.provider_support import REGION, Bench, engine_for, running_emulator, urn

VPC = "aws:ec2/vpc:Vpc"
ROLE = "aws:iam/role:Role"
KEY = "aws:kms/key:Key"
GROUP = "aws:cloudwatch/logGroup:LogGroup"
COMPOSITE = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
SECRET = "aws:secretsmanager/secretVersion:SecretVersion"
TRUST = '{"Version":"2012-10-17","Statement":[]}'


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_emulator(Path(tmp_path_factory.mktemp("emulator")) / "log") as address:
        yield address


@pytest.fixture
def engine(url: str) -> Engine:
    return engine_for(url)


@pytest.fixture
def stack() -> str:
    """A stack of the test's own, so that what another test made is nobody's interrupted run."""
    return f"stack{secrets.token_hex(4)}"


@pytest.fixture
def bench(engine: Engine, stack: str) -> Bench:
    return Bench(engine, stack)


def alarm(stack: str) -> dict[str, str]:
    return {"alarmName": f"{stack}-both", "alarmRule": 'ALARM("one") AND ALARM("two")'}


def offline() -> Engine:
    engine = Engine()
    engine.configure({}, "eu-central-1", {})
    return engine


def problems(token, inputs):
    return [
        (found.path, found.reason) for found in offline().check(urn(token, "x"), {}, inputs, b"").problems
    ]


# Refusals at check, with no emulator in sight.


def test_an_unknown_type_is_refused_by_name():
    assert problems("aws:ec2/vpcs:Vpcs", {}) == [
        (
            "",
            "the emulator's provider has no type aws:ec2/vpcs:Vpcs (the nearest that it has is aws:ec2/vpc:Vpc): "
            "add it to local/provider/table",
        )
    ]


def test_every_unknown_input_is_refused_with_the_nearest_name():
    assert problems(VPC, {"cidrBlok": "10.0.0.0/16", "enableDnsHostname": True}) == [
        ("cidrBlok", "aws:ec2/vpc:Vpc has no input `cidrBlok`: did you mean `cidrBlock`?"),
        (
            "enableDnsHostname",
            "aws:ec2/vpc:Vpc has no input `enableDnsHostname`: did you mean `enableDnsHostnames`?",
        ),
    ]


def test_a_misspelling_deep_inside_is_refused_with_its_path():
    inputs = {"rules": [{"name": "one", "statement": {"rateBasedStatement": {"limits": 10}}}]}
    assert problems("aws:wafv2/webAcl:WebAcl", inputs) == [
        (
            "rules[0].statement.rateBasedStatement.limits",
            "aws:wafv2/webAcl:WebAcl has no input `rules[0].statement.rateBasedStatement.limits`: "
            "did you mean `limit`?",
        )
    ]


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (
            {"loadBalancers": {"containerPort": 80}},
            "`loadBalancers` of aws:ecs/service:Service is a list, got an object",
        ),
        ({"alarms": ["one"]}, "`alarms` of aws:ecs/service:Service is an object, got a list"),
        ({"name": ["one"]}, "`name` of aws:ecs/service:Service is a single value, got a list"),
        ({"tags": "one"}, "`tags` of aws:ecs/service:Service is a map, got a text"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused(inputs, reason):
    assert [found for _, found in problems("aws:ecs/service:Service", inputs)] == [reason]


def test_an_input_that_the_emulator_does_not_apply_is_refused_and_never_dropped():
    assert problems("aws:s3/bucket:Bucket", {"acl": "private"}) == [
        (
            "acl",
            "the emulator's provider does not apply `acl` of aws:s3/bucket:Bucket: "
            "say in local/provider/table how the API calls it, or leave it out",
        )
    ]


def test_an_input_that_asks_for_nothing_is_not_refused():
    assert problems("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", {"vpcId": "v", "ingress": []}) == []


# Names.


def checked(token, name, inputs, old=None, seed=b"seed", proposed=None):
    return offline().check(urn(token, name), old or {}, inputs, seed, proposed).inputs


def test_a_name_is_made_up_from_the_resources_own_and_the_seed():
    made = checked(ROLE, "worker", {"assumeRolePolicy": TRUST})
    assert made["name"] == f"worker-{hashlib.sha256(b'seed').hexdigest()[:7]}"
    assert made["__defaults"] == ["name"]


def test_a_made_up_name_stays_and_a_given_one_wins():
    first = checked(ROLE, "worker", {"assumeRolePolicy": TRUST})
    assert checked(ROLE, "worker", {"assumeRolePolicy": TRUST}, first, b"other")["name"] == first["name"]
    given = checked(ROLE, "worker", {"assumeRolePolicy": TRUST, "name": "mine"}, first)
    assert given["name"] == "mine"
    assert "__defaults" not in given


def test_a_prefix_a_proposal_and_the_limit_shape_a_made_up_name():
    assert checked(ROLE, "w", {"namePrefix": "app-"})["name"].startswith("app-")
    assert checked(ROLE, "w", {"namePrefix": UNKNOWN})["name"] is UNKNOWN
    assert checked(ROLE, "w", {}, proposed="proposed")["name"] == "proposed"
    assert len(checked(ROLE, "w" * 90, {})["name"]) == RESOURCES[ROLE].auto_length
    assert checked("aws:kms/alias:Alias", "data", {})["name"].startswith("alias/data-")
    assert checked("aws:sqs/queue:Queue", "jobs", {"fifoQueue": True})["name"].endswith(".fifo")


def test_default_tags_are_laid_under_a_resources_own():
    engine = Engine()
    engine.configure({}, REGION, {"owner": "platform", "Name": "default"})
    inputs = engine.check(
        urn(VPC, "x"), {}, {"cidrBlock": "10.0.0.0/16", "tags": {"Name": "mine"}}, b""
    ).inputs
    assert inputs["tags"] == {"owner": "platform", "Name": "mine"}


def test_a_policy_written_as_an_object_becomes_its_text():
    def policy_of(document):
        return checked(ROLE, "x", {"assumeRolePolicy": document})["assumeRolePolicy"]

    assert policy_of({"Version": "1"}) == '{"Version": "1"}'
    assert policy_of({"Version": Secret("1")}) == Secret('{"Version": "1"}')
    assert policy_of({"Version": UNKNOWN}) is UNKNOWN
    assert policy_of(TRUST) == TRUST


# Preview, with no emulator in sight.


def test_a_preview_knows_what_it_can_and_leaves_the_rest_unknown():
    shown = offline().preview_create(urn(VPC, "x"), {"cidrBlock": "10.0.0.0/16", "tags": {"Name": UNKNOWN}})
    assert shown["cidrBlock"] == "10.0.0.0/16"
    assert shown["tags"] == {"Name": UNKNOWN}
    assert shown["arn"] is UNKNOWN
    assert shown["region"] == "eu-central-1"


def test_a_preview_of_an_update_keeps_what_an_update_does_not_change():
    state = {"arn": "arn:x", "cidrBlock": "10.0.0.0/16", "region": "eu-central-1"}
    shown = offline().preview_update(
        urn(VPC, "x"), state, {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True}
    )
    assert shown == {
        "arn": "arn:x",
        "region": "eu-central-1",
        "cidrBlock": "10.0.0.0/16",
        "enableDnsHostnames": True,
    }


def test_a_diff_says_what_changes_and_what_is_replaced():
    plan = offline().diff(
        urn(VPC, "x"),
        "vpc-1",
        {"cidrBlock": "10.0.0.0/16", "tags": {"Name": "a"}},
        {"region": "eu-central-1"},
        {"cidrBlock": UNKNOWN, "tags": {"Name": "b"}},
    )
    assert [(found.path, found.kind) for found in plan.differences] == [
        ("cidrBlock", "update"),
        ("tags.Name", "update"),
    ]
    assert plan.replaces == ["cidrBlock"]
    assert not plan.delete_first


def test_nothing_changed_is_no_difference_secrets_included():
    inputs = {"name": "x", "passwords": Secret(["sixteen-characters"])}
    plan = offline().diff(urn("aws:elasticache/user:User", "x"), "x", inputs, {}, dict(inputs))
    assert plan.differences == []


def test_a_given_name_is_deleted_before_it_is_replaced_and_a_made_up_one_is_not():
    old = {"name": "mine", "path": "/a/"}
    token = urn(ROLE, "x")
    assert offline().diff(token, "mine", old, {}, {"name": "mine", "path": "/b/"}).delete_first
    made_up = {"name": "mine-1", "path": "/b/", "__defaults": ["name"]}
    assert not offline().diff(token, "mine-1", {**made_up, "path": "/a/"}, {}, made_up).delete_first


def test_another_region_replaces():
    plan = offline().diff(urn(KEY, "x"), "k", {}, {"region": "us-west-2"}, {})
    assert plan.replaces == ["region"]


# Only this machine.


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://localhost:4566", True),
        ("http://127.0.0.1:4566", True),
        ("http://127.8.9.10", True),
        ("http://[::1]:4566", True),
        ("https://ec2.us-east-1.amazonaws.com", False),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1:4566", False),
        ("http://0.0.0.0:4566", False),
        ("not a url", False),
    ],
)
def test_loopback_is_told_by_the_address(address, here):
    assert is_loopback(address) is here


@pytest.mark.parametrize("action", ["create", "read", "update", "delete"])
@pytest.mark.parametrize("token", [VPC, COMPOSITE])
def test_no_endpoint_but_loopback_is_ever_called(monkeypatch, action, token):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    engine = Engine()
    engine.configure(
        {"ec2": "https://ec2.us-east-1.amazonaws.com", "cloudwatch": "http://10.1.2.3"}, REGION, {}
    )
    inputs = {"cidrBlock": "10.0.0.0/16"} if token == VPC else alarm("x")
    calls = {
        "create": lambda: engine.create(urn(token, "x"), inputs),
        "read": lambda: engine.read(urn(token, "x"), "id", inputs, {}),
        "update": lambda: engine.update(urn(token, "x"), "id", inputs, {}, {**inputs, "tags": {"a": "b"}}),
        "delete": lambda: engine.delete(urn(token, "x"), "id", inputs, {}),
    }
    with pytest.raises(Refusal, match=r"which is not on this machine.*never touches an AWS account"):
        calls[action]()


def test_a_service_without_an_endpoint_is_refused():
    with pytest.raises(Refusal, match=r"aws:endpoints names no endpoint for ec2.*`make up` starts it"):
        offline().create(urn(VPC, "x"), {"cidrBlock": "10.0.0.0/16"})


def test_credentials_of_the_environment_are_never_used(monkeypatch, url):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    client = engine_for(url).cloud.client("kms", REGION)
    credentials = client._request_signer._credentials
    assert (credentials.access_key, credentials.token) == ("test", None)


def test_an_emulator_that_does_not_answer_is_a_sentence():
    engine = engine_for("http://127.0.0.1:9")
    for token, inputs in ((KEY, {}), (COMPOSITE, alarm("x"))):
        with pytest.raises(
            Refusal, match=r"the emulator at 127.0.0.1:9 does not answer: `make up` starts it"
        ):
            engine.create(urn(token, "x"), inputs)


# Secrets.


def test_a_secret_stays_one_through_create_and_read(bench):
    made = bench.make(
        SECRET,
        "one",
        {
            "secretId": bench.example("aws:secretsmanager/secret:Secret", "one").id,
            "secretString": Secret("a-very-secret-text"),
        },
    )
    found = bench.engine.read(made.urn, made.id, made.inputs, made.state)
    for properties in (made.state, found.state, found.inputs):
        assert "a-very-secret-text" not in repr(properties)
        assert has_secret(properties)
        assert reveal(properties["secretString"]) == "a-very-secret-text"


def test_an_output_that_was_secret_stays_one(bench):
    """As with `additional_secret_outputs`, which the engine marks in the state."""
    made = bench.make(KEY, "one", {"description": "x"})
    state = {**made.state, "arn": Secret(made.state["arn"])}
    found = bench.engine.read(made.urn, made.id, made.inputs, state)
    assert found.state["arn"] == state["arn"]


def test_a_secret_changed_behind_its_back_is_drift_and_still_secret(bench):
    inputs = {"name": f"/{bench.stack}/token", "type": "SecureString", "value": Secret("before-it")}
    made = bench.make("aws:ssm/parameter:Parameter", "one", inputs)
    bench.engine.cloud.client("ssm", REGION).put_parameter(
        Name=made.id, Value="after-it", Type="SecureString", Overwrite=True
    )
    found = bench.engine.read(made.urn, made.id, made.inputs, made.state)
    assert found.inputs["value"] == Secret("after-it")
    assert found.state["value"] == Secret("after-it")


def test_an_error_of_the_emulator_does_not_tell_a_secret(bench):
    with pytest.raises(Refusal) as refused:
        bench.make(
            "aws:elasticache/user:User",
            "one",
            {
                "userId": "one",
                "userName": "one",
                "engine": "the-secret-password",
                "accessString": "on",
                "passwords": [Secret("the-secret-password")],
            },
        )
    assert "the-secret-password" not in str(refused.value)
    assert "[secret]" in str(refused.value)


# What happens behind its back.


def test_what_was_changed_is_drift_and_is_put_back(bench):
    made = bench.make(KEY, "one", {"description": "before", "tags": {"Name": "one"}})
    client = bench.engine.cloud.client("kms", REGION)
    client.update_key_description(KeyId=made.id, Description="after")
    client.tag_resource(KeyId=made.id, Tags=[{"TagKey": "Name", "TagValue": "two"}])
    found = bench.engine.read(made.urn, made.id, made.inputs, made.state)
    assert (found.inputs["description"], found.inputs["tags"]) == ("after", {"Name": "two"})
    bench.engine.update(made.urn, made.id, found.inputs, found.state, made.inputs)
    assert bench.engine.read(made.urn, made.id, made.inputs, made.state).inputs == made.inputs


def test_what_was_deleted_is_gone(bench):
    made = bench.make(GROUP, "one", {})
    assert bench.engine.read(made.urn, made.id, made.inputs, made.state) is not None
    bench.engine.cloud.client("logs", REGION).delete_log_group(logGroupName=made.id)
    assert bench.engine.read(made.urn, made.id, made.inputs, made.state) is None


def test_an_emulator_that_was_restarted_has_neither_resources_nor_records(bench, url):
    applied = bench.make(KEY, "one", {})
    recorded = bench.make(COMPOSITE, "one", alarm(bench.stack))
    urllib3.request("POST", f"{url}/moto-api/reset", timeout=60)
    for made in (applied, recorded):
        assert bench.engine.read(made.urn, made.id, made.inputs, made.state) is None


def test_a_record_of_somebody_elses_is_not_taken(bench):
    bench.make(COMPOSITE, "one", alarm(bench.stack))
    with pytest.raises(Refusal, match=r"already has a aws:cloudwatch/compositeAlarm.* called .*-both"):
        bench.make(COMPOSITE, "two", alarm(bench.stack))


def test_a_name_of_somebody_elses_is_not_taken(bench):
    bench.make(GROUP, "one", {"name": f"/{bench.stack}/taken"})
    with pytest.raises(
        Refusal, match=r"ResourceAlreadyExists.* in the emulator but not in this stack: `make down`"
    ):
        bench.make(GROUP, "two", {"name": f"/{bench.stack}/taken"})


# A run that was interrupted after the emulator's answer and before the state was written.


@pytest.mark.parametrize(
    ("token", "inputs"),
    [(KEY, {"description": "k"}), (ROLE, {"assumeRolePolicy": TRUST}), (COMPOSITE, alarm("x"))],
)
def test_what_an_interrupted_run_made_is_taken_over(url, engine, stack, token, inputs):
    first = Bench(engine, stack).make(token, "one", inputs)
    again = Bench(engine_for(url), stack).make(token, "one", inputs)
    assert again.id == first.id
    assert again.inputs == first.inputs
    assert reveal(again.state) == reveal(first.state)


def test_taking_over_applies_what_the_program_says_now(url, engine, stack, capsys):
    first = Bench(engine, stack).make(KEY, "one", {"description": "before", "enableKeyRotation": True})
    again = Bench(engine_for(url), stack).make(
        KEY, "one", {"description": "after", "enableKeyRotation": True}
    )
    assert again.id == first.id
    assert (
        engine.cloud.client("kms", REGION).describe_key(KeyId=again.id)["KeyMetadata"]["Description"]
        == "after"
    )
    assert "was made by a run that was interrupted; taken over" in capsys.readouterr().err


def test_taking_over_what_would_be_replaced_deletes_it_first(url, engine, stack):
    first = Bench(engine, stack).make(VPC, "one", {"cidrBlock": "10.1.0.0/16"})
    again = Bench(engine_for(url), stack).make(VPC, "one", {"cidrBlock": "10.2.0.0/16"})
    assert again.id != first.id
    vpcs = engine.cloud.client("ec2", REGION).describe_vpcs()["Vpcs"]
    assert first.id not in [vpc["VpcId"] for vpc in vpcs]


def test_a_replacement_is_not_mistaken_for_an_interrupted_creation(url, engine, stack):
    first = Bench(engine, stack).make(KEY, "one", {})
    later = engine_for(url)
    later.check(first.urn, first.inputs, {"multiRegion": True}, b"")
    later.diff(first.urn, first.id, first.inputs, first.state, {"multiRegion": True})
    second_id, _ = later.create(first.urn, {"multiRegion": True})
    assert second_id != first.id
    later.delete(first.urn, first.id, first.inputs, first.state)
    assert engine_for(url).create(first.urn, {"multiRegion": True})[0] == second_id


def test_a_forced_replacement_is_not_mistaken_either(url, engine, stack):
    """`pulumi up --replace` checks with the old inputs and then creates, without a diff between."""
    first = Bench(engine, stack).make(KEY, "one", {})
    later = engine_for(url)
    later.check(first.urn, {"description": "old"}, {}, b"")
    assert later.create(first.urn, {})[0] != first.id


def test_what_was_deleted_on_purpose_is_made_anew(url, engine, stack):
    first = Bench(engine, stack).make(ROLE, "one", {"assumeRolePolicy": TRUST})
    engine.delete(first.urn, first.id, first.inputs, first.state)
    again = Bench(engine_for(url), stack).make(ROLE, "one", {"assumeRolePolicy": TRUST})
    assert again.id != first.id


def test_what_was_made_and_then_lost_is_made_anew(url, engine, stack):
    first = Bench(engine, stack).make(KEY, "one", {})
    engine.cloud.client("kms", REGION).schedule_key_deletion(KeyId=first.id)
    assert Bench(engine_for(url), stack).make(KEY, "one", {}).id != first.id


# Updates and deletes.


def test_a_change_that_no_call_makes_is_refused_by_name(bench):
    made = bench.make(VPC, "one", {"cidrBlock": "10.0.0.0/16"})
    changed = {**made.inputs, "ipv4IpamPoolId": "ipam-pool-1"}
    with pytest.raises(
        Refusal, match=r"has no way to change `ipv4IpamPoolId` of vpc-.*say in local/provider/table"
    ):
        bench.engine.update(made.urn, made.id, made.inputs, made.state, changed)


def test_an_update_that_changes_only_what_is_the_providers_own_calls_nothing(bench):
    made = bench.make(GROUP, "one", {"skipDestroy": False})
    state = bench.engine.update(
        made.urn, made.id, made.inputs, made.state, {**made.inputs, "skipDestroy": True}
    )
    assert state["skipDestroy"] is True
    bench.engine.delete(made.urn, made.id, {**made.inputs, "skipDestroy": True}, state)
    assert bench.engine.read(made.urn, made.id, made.inputs, state) is not None


def test_what_is_still_needed_is_waited_for_and_then_refused(bench, monkeypatch):
    monkeypatch.setattr(work_module, "_WAITS_S", (0.01, 0.01))
    subnet = bench.example("aws:ec2/subnet:Subnet", "one")
    vpc = next(made for made in bench.made if made.token == VPC)
    with pytest.raises(Refusal, match="DependencyViolation"):
        bench.delete(vpc)
    bench.delete(subnet)
    bench.delete(vpc)
    assert bench.engine.read(vpc.urn, vpc.id, vpc.inputs, vpc.state) is None


def test_a_recorded_type_is_held_against_the_real_apis_shape(bench):
    with pytest.raises(Refusal, match='Missing required parameter in input: "AlarmRule"'):
        bench.make(COMPOSITE, "one", {"alarmName": "alone"})


def test_an_input_without_a_place_in_the_api_is_refused_at_any_depth(bench):
    """As when the SDK knows an input inside a block and the table's call does not."""
    token = "aws:ecs/taskDefinition:TaskDefinition"
    inputs = {"family": "one", "containerDefinitions": "[]", "runtimePlatform": {"nowhere": "1"}}
    with pytest.raises(Refusal, match=r"cannot place `runtimePlatform.nowhere` in register_task_definition"):
        bench.engine.create(urn(token, "one", bench.stack), inputs)


def test_a_resource_may_say_its_own_region(bench):
    made = bench.make(KEY, "one", {"region": "eu-west-1"})
    assert made.state["arn"].split(":")[3] == "eu-west-1"
    ids = [key["KeyId"] for key in bench.engine.cloud.client("kms", "eu-west-1").list_keys()["Keys"]]
    assert made.id in ids
    assert bench.engine.read(made.urn, made.id, {}, made.state) is not None


def test_a_function_is_sent_its_archive_and_is_read_without_it(bench):
    code = Asset({"assets": {"index.py": Asset({"text": "def handler(event, context): ..."})}, "hash": "1"})
    inputs = {
        "code": code,
        "role": bench.example(ROLE, "one").state["arn"],
        "handler": "index.handler",
        "runtime": "python3.13",
    }
    made = bench.make("aws:lambda/function:Function", "one", inputs)
    stripped = {**made.inputs, "code": Asset({"hash": "1"})}
    found = bench.engine.read(made.urn, made.id, stripped, made.state)
    assert found.inputs["code"].fields["hash"] == "1"
