"""Names and address ranges that are taken, on both sides, in the emulator."""

import pytest

from operations.doctor import (
    names,
    tables,
)
from operations.doctor.line import State, guarded
from tests.aws_cloud import cloud, database, emulator_url
from tests.doctor_stacks import declaring, denied, line, resource, status

__all__ = ["cloud", "emulator_url"]

VPC = resource("aws:ec2/vpc:Vpc", "network", cidrBlock="10.20.0.0/16")
INSTANCE = "aws:rds/instance:Instance"


def own(cloud, *arns):
    rows = [{"ResourceARN": arn} for arn in arns]
    cloud.says("GetResources", {"ResourceTagMappingList": rows})
    return names.Bearing(cloud, declaring())


def test_nothing_of_the_stack_is_there_yet(cloud):
    [found] = names._standing(own(cloud))
    assert found.state is State.well
    asked = cloud.calls("GetResources")[-1]["TagFilters"]
    assert asked == [{"Key": "system", "Values": ["rentalfix"]}, {"Key": "environment", "Values": ["prod"]}]


def test_something_of_the_stack_is_there(cloud):
    [found] = names._standing(own(cloud, "arn:aws:s3:::x"))
    assert found.state is State.note
    assert found.figure == "1 things bear its tags already, such as arn:aws:s3:::x"


def of_bucket(cloud, *arns):
    return line(
        names._bucket(cloud, own(cloud, *arns), "rentfix-backups", "us-east-1"), "bucket rentfix-backups"
    )


def test_a_bucket_name_that_is_free(cloud):
    assert of_bucket(cloud).figure == "the name is free"


def test_a_bucket_that_this_account_has(cloud):
    cloud.client("s3").create_bucket(Bucket="rentfix-backups")
    assert of_bucket(cloud).figure == "it is there, in this account, and is not this stack's"
    assert of_bucket(cloud, "arn:aws:s3:::rentfix-backups").state is State.note


@pytest.mark.parametrize("code", [301, 403])
def test_a_bucket_that_another_account_has(cloud, code):
    cloud.says("HeadBucket", status(code))
    found = of_bucket(cloud)
    assert found.state is State.wrong
    assert "the world's" in found.todo


def test_a_bucket_that_nobody_tells_of(cloud):
    cloud.says("HeadBucket", status(500))
    [found] = guarded("w", lambda: names._bucket(cloud, own(cloud), "b", "us-east-1"))
    assert found.state is State.unasked


def of_kind(cloud, declared, what, *arns):
    [kind] = [each for each in tables.names() if each.what == what]
    return list(names._taken(cloud, declared, own(cloud, *arns), kind))


def test_a_database_identifier(cloud):
    step = resource(INSTANCE, "d", identifier="rentfix-primary")
    assert [each.state for each in of_kind(cloud, declaring(step), "DB instance")] == [State.well]
    database(cloud)
    assert [each.figure for each in of_kind(cloud, declaring(step), "DB instance")] == [
        "there already: rentfix-primary"
    ]
    arn = "arn:aws:rds:us-east-1:111122223333:db:rentfix-primary"
    assert [each.state for each in of_kind(cloud, declaring(step), "DB instance", arn)] == [State.note]


def test_a_taken_name_is_told_where_nobody_tells_whose_it_is(cloud):
    database(cloud)
    cloud.says("GetResources", denied("tag:GetResources"))
    step, bearing = resource(INSTANCE, "d", identifier="rentfix-primary"), names.Bearing(cloud, declaring())
    assert (
        line(guarded("w", lambda: names._standing(bearing)), "w").todo
        == "The permission is tag:GetResources."
    )
    [kind] = [each for each in tables.names() if each.what == "DB instance"]
    assert [each.state for each in names._taken(cloud, declaring(step), bearing, kind)] == [State.wrong]


def test_a_name_that_pulumi_makes_up_is_never_taken(cloud):
    step = {**resource(INSTANCE, "d", identifier="x-1234567", __defaults=["identifier"])}
    assert of_kind(cloud, declaring(step), "DB instance") == []


def test_a_secret_that_is_being_deleted_keeps_its_name(cloud):
    client = cloud.client("secretsmanager")
    client.create_secret(Name="myapp/jwt-secret", SecretString="x")
    try:
        client.delete_secret(SecretId="myapp/jwt-secret", RecoveryWindowInDays=7)
        step = resource("aws:secretsmanager/secret:Secret", "s", name="myapp/jwt-secret")
        [found] = of_kind(cloud, declaring(step), "secret that is being deleted")
        assert found.state is State.wrong
        assert "restore-secret" in found.todo
        assert [each.state for each in of_kind(cloud, declaring(step), "secret")] == [State.well]
    finally:
        client.delete_secret(SecretId="myapp/jwt-secret", ForceDeleteWithoutRecovery=True)
    assert [each.state for each in of_kind(cloud, declaring(step), "secret that is being deleted")] == [
        State.well
    ]


@pytest.mark.parametrize(
    ("type_", "what", "service", "create", "delete"),
    [
        (
            "aws:ecr/repository:Repository",
            "image repository",
            "ecr",
            ("create_repository", "repositoryName"),
            ("delete_repository", "repositoryName"),
        ),
        (
            "aws:cloudwatch/logGroup:LogGroup",
            "log group",
            "logs",
            ("create_log_group", "logGroupName"),
            ("delete_log_group", "logGroupName"),
        ),
        (
            "aws:backup/vault:Vault",
            "backup vault",
            "backup",
            ("create_backup_vault", "BackupVaultName"),
            ("delete_backup_vault", "BackupVaultName"),
        ),
    ],
)
def test_names_of_other_kinds(cloud, type_, what, service, create, delete):
    declared, client = declaring(resource(type_, "x", name="rentalfix-doctor")), cloud.client(service)
    assert [each.state for each in of_kind(cloud, declared, what)] == [State.well]
    getattr(client, create[0])(**{create[1]: "rentalfix-doctor"})
    try:
        assert [each.state for each in of_kind(cloud, declared, what)] == [State.wrong]
    finally:
        getattr(client, delete[0])(**{delete[1]: "rentalfix-doctor"})


def test_a_role_of_the_same_name_under_another_path(cloud):
    iam, step = (
        cloud.client("iam"),
        resource("aws:iam/role:Role", "r", name="rentalfix-prod-deploy", path="/_ci/"),
    )
    iam.create_role(RoleName="rentalfix-prod-deploy", Path="/other/", AssumeRolePolicyDocument="{}")
    try:
        [found] = of_kind(cloud, declaring(step), "IAM role")
        assert found.state is State.wrong
        assert "whatever their path" in found.todo
    finally:
        iam.delete_role(RoleName="rentalfix-prod-deploy")


PROVIDER = resource(
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    "ci",
    url="https://token.actions.githubusercontent.com",
)


def test_one_provider_of_an_issuer_in_an_account(cloud):
    makes, takes = declaring(PROVIDER, ci={"create_provider": True}), declaring(ci={"create_provider": False})
    assert [each.state for each in names._provider(cloud, makes)] == [State.well]
    assert [each.todo for each in names._provider(cloud, takes)] == [
        "`ci.create_provider: true` in one of the account's stacks."
    ]
    iam = cloud.client("iam")
    arn = iam.create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ThumbprintList=["a" * 40]
    )["OpenIDConnectProviderArn"]
    try:
        assert [each.todo for each in names._provider(cloud, makes)] == [
            "It can have one only: `ci.create_provider: false`."
        ]
        assert [each.state for each in names._provider(cloud, takes)] == [State.well]
    finally:
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert list(names._provider(cloud, declaring())) == []


@pytest.mark.parametrize(
    ("block", "side", "figure"),
    [
        ("10.20.128.0/17", "172.16.0.0/16", "10.20.0.0/16 overlaps 10.20.128.0/17 (vpc-1)"),
        ("10.30.0.0/16", "10.0.0.0/8", "10.20.0.0/16 overlaps 10.0.0.0/8 (a side of pcx-1)"),
        ("10.30.0.0/16", "172.16.0.0/16", "10.20.0.0/16 overlaps none of 2"),
    ],
)
def test_address_ranges(cloud, block, side, figure):
    vpc = {"VpcId": "vpc-1", "CidrBlock": block, "CidrBlockAssociationSet": [{"CidrBlock": block}]}
    peering = {"VpcPeeringConnectionId": "pcx-1", "AccepterVpcInfo": {"CidrBlockSet": [{"CidrBlock": side}]}}
    cloud.says("DescribeVpcs", {"Vpcs": [vpc]})
    cloud.says("DescribeVpcPeeringConnections", {"VpcPeeringConnections": [peering]})
    found = line(names._overlaps(cloud, declaring(VPC)), "address range")
    assert found.figure == figure
    assert found.state is (State.well if "none" in figure else State.note)
