"""The recorder itself: what it keeps, what it refuses, and that its outputs look like AWS's."""

import pulumi
import pulumi_aws as aws
import pulumi_random as random
import pytest

from tests.recorder import record, synthesise

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
KEY = "aws:kms/key:Key"


class Pair(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("groundwork:test:Pair", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        vpc = aws.ec2.Vpc(name, cidr_block="10.0.0.0/16", opts=child)
        ignoring = pulumi.ResourceOptions(parent=self, ignore_changes=["tags"], depends_on=[vpc])
        aws.ec2.Subnet(f"{name}-a", vpc_id=vpc.id, cidr_block="10.0.0.0/24", opts=ignoring)
        aws.kms.Key(f"{name}-key", deletion_window_in_days=7, opts=pulumi.ResourceOptions(parent=self))
        self.vpc_id = vpc.id
        self.register_outputs({"vpc_id": self.vpc_id})


def test_keeps_inputs_options_and_relations():
    declared = record(lambda: Pair("main"))
    vpc, subnet, key = declared.one(VPC), declared.one(SUBNET), declared.one(KEY)
    assert vpc.inputs == {"cidrBlock": "10.0.0.0/16"}
    assert vpc["cidrBlock"] == vpc.get("cidrBlock")
    assert "tags" not in vpc
    assert vpc.protect
    assert vpc.retain_on_delete
    assert not key.protect
    assert key["deletionWindowInDays"] == 7
    assert isinstance(key["deletionWindowInDays"], int)
    assert subnet.ignore_changes == ("tags",)
    assert subnet.depends_on(vpc)
    assert not key.depends_on(vpc)
    assert subnet.property_dependencies["vpcId"] == {vpc.urn}
    parent = declared.parent_of(vpc)
    assert parent is not None
    assert parent.name == "main"
    assert declared.orphans() == []
    assert declared.outputs("main") == {"vpc_id": subnet["vpcId"]}
    assert declared.names(KEY) == ["main-key"]
    assert declared.names() == [
        "aws:ec2/subnet:Subnet::main-a",
        "aws:ec2/vpc:Vpc::main",
        "aws:kms/key:Key::main-key",
        "groundwork:test:Pair::main",
    ]


def test_returns_what_the_program_returned_with_its_outputs_resolved():
    declared = record(lambda: {"id": Pair("main").vpc_id})
    assert declared.value == {"id": declared.one(SUBNET)["vpcId"]}
    assert declared.value["id"].startswith("vpc-")


def test_names_orphans():
    assert record(lambda: aws.ec2.Vpc("lonely", cidr_block="10.0.0.0/16")).orphans() == ["lonely"]


def test_one_says_what_is_there_instead():
    declared = record(lambda: Pair("main"))
    with pytest.raises(AssertionError, match="0 of aws:ec2/vpc:Vpc named other; declared: main"):
        declared.one(VPC, "other")
    with pytest.raises(AssertionError, match=r"0 of aws:ec2/eip:Eip named anything; declared: none"):
        declared.one("aws:ec2/eip:Eip")


def test_refuses_a_pair_of_type_and_name_declared_twice():
    def program():
        aws.ec2.Vpc("main", cidr_block="10.0.0.0/16")
        Pair("main")

    with pytest.raises(AssertionError, match=r"declared more than once: aws:ec2/vpc:Vpc::main"):
        record(program)


def test_refuses_look_ups():
    with pytest.raises(AssertionError, match=r"looked up.*getCallerIdentity"):
        record(lambda: aws.get_caller_identity_output().account_id)
    with pytest.raises(AssertionError, match=r"looked up.*Vpc found"):
        record(lambda: aws.ec2.Vpc.get("found", "vpc-1").id)


def test_an_error_of_the_program_comes_through():
    def program():
        raise ValueError("cidr_block is too small")

    with pytest.raises(ValueError, match="cidr_block is too small"):
        record(program)


def test_secrets_are_unwrapped_and_named():
    def program():
        password = random.RandomPassword("auth", length=40)
        aws.secretsmanager.SecretVersion(
            "auth", secret_id="arn", secret_string=pulumi.Output.secret(password.result)
        )

    version = record(program).one("aws:secretsmanager/secretVersion:SecretVersion")
    assert len(version["secretString"]) == 40
    assert version.secrets == {"secretString"}


def test_preview_misses_what_is_created_inside_apply():
    def program():
        vpc = aws.ec2.Vpc("main", cidr_block="10.0.0.0/16")
        vpc.id.apply(lambda _: aws.ec2.Eip("hidden"))

    assert "aws:ec2/eip:Eip::hidden" in record(program).names()
    assert record(program, preview=True).names() == ["aws:ec2/vpc:Vpc::main"]


def test_configuration_lasts_for_one_run():
    def read():
        return pulumi.Config("groundwork").get("system")

    assert record(read, config={"groundwork:system": "rentalfix"}).value == "rentalfix"
    assert record(read).value is None


@pytest.mark.parametrize(
    ("type_", "inputs", "key", "value"),
    [
        (
            "aws:cloudwatch/logGroup:LogGroup",
            {"name": "/a/b"},
            "arn",
            "arn:aws:logs:us-east-1:111122223333:log-group:/a/b",
        ),
        ("aws:s3/bucket:Bucket", {"bucket": "dumps"}, "arn", "arn:aws:s3:::dumps"),
        ("aws:iam/role:Role", {"name": "task"}, "arn", "arn:aws:iam::111122223333:role/task"),
        ("aws:backup/vault:Vault", {"name": "v", "region": "us-west-2"}, "arn", "arn:aws:backup:us-west-2:"),
        ("aws:ecs/taskDefinition:TaskDefinition", {"family": "f"}, "arn", ":task-definition/f:1"),
        ("aws:sns/topic:Topic", {"name": "t"}, "id", "arn:aws:sns:us-east-1:111122223333:t"),
        (
            "aws:elasticache/replicationGroup:ReplicationGroup",
            {"numNodeGroups": 3},
            "configurationEndpointAddress",
            "clustercfg.",
        ),
        (
            "aws:elasticache/replicationGroup:ReplicationGroup",
            {"numNodeGroups": 1},
            "primaryEndpointAddress",
            "master.",
        ),
    ],
)
def test_outputs_look_like_those_of_aws(type_, inputs, key, value):
    assert value in synthesise(type_, "x", inputs)[key]


def test_a_given_input_is_not_overridden_by_a_made_up_output():
    assert "name" not in synthesise("aws:iam/role:Role", "x", {"name": "given"})
