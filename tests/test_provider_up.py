"""The provider under the real engine: up, no change, no drift, drift put back, replaced, refused, destroyed."""

# ruff: noqa: F401, F811 - fixtures are imported

import boto3
import pytest
import urllib3

from local import stack
from local.workspace import Workspace
from tests.engine import configure, home, port, workspace

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi
import pulumi_aws as aws
import pulumi_random as random

settings = pulumi.Config()
password = random.RandomPassword("password", length=24)
secret = aws.secretsmanager.Secret("secret", recovery_window_in_days=0)
aws.secretsmanager.SecretVersion("secret", secret_id=secret.id, secret_string=password.result)
key = aws.kms.Key("key", description=settings.get("description") or "one", enable_key_rotation=True)
group = aws.cloudwatch.LogGroup("group", retention_in_days=30, kms_key_id=key.arn, tags={"Name": "group"})
alarm = aws.cloudwatch.CompositeAlarm("both", alarm_name="both", alarm_rule='ALARM("one")')
role = aws.iam.Role(
    "role",
    path=settings.get("path") or "/a/",
    assume_role_policy={"Version": "2012-10-17", "Statement": []},
)
allowed = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key.arn}
policy = pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [allowed]})
aws.iam.RolePolicy("policy", role=role.name, policy=policy)
if settings.get_bool("misspelt"):
    pulumi.CustomResource("aws:kms/key:Key", "misspelt", {"descripton": "x"})
pulumi.export("key", key.key_id)
pulumi.export("role", role.name)
pulumi.export("alarm", alarm.arn)
"""

STACK_FILE = """config:
  aws:region: us-east-1
  aws:endpoints:
    - {kms: "http://localhost:4566", logs: "http://localhost:4566", iam: "http://localhost:4566",
       cloudwatch: "http://localhost:4566", secretsmanager: "http://localhost:4566"}
"""


@pytest.fixture
def project(workspace: Workspace) -> Workspace:
    (workspace.root / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    workspace.stack_file.write_text(STACK_FILE, encoding="utf-8")
    return workspace


def client(project, service):
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{project.port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def run(project, command, *options):
    """What the engine did, counted: {"create": 7}."""
    stack.select(project)
    return dict(stack.run(project, command, "--yes", "--skip-preview", *options).changes)


def test_the_whole_life_of_a_stack(project):
    assert run(project, "up")["create"] == 9
    assert run(project, "up").keys() == {"same"}
    assert run(project, "refresh").keys() == {"same"}

    outputs = stack.outputs(project)
    client(project, "kms").schedule_key_deletion(KeyId=outputs["key"])
    group = client(project, "logs").describe_log_groups()["logGroups"][0]["logGroupName"]
    client(project, "logs").put_retention_policy(logGroupName=group, retentionInDays=7)
    drift = run(project, "refresh")
    assert (drift["delete"], drift["update"]) == (1, 1)
    put_back = run(project, "up")
    assert put_back["create"] == 1
    assert client(project, "logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 30

    configure(project, "tiny:description: two")
    configure(project, "tiny:path: /b/")
    changed = run(project, "up")
    assert changed["update"] == 1
    assert "role" in stack.outputs(project)
    assert stack.outputs(project)["role"] != outputs["role"]
    roles = [role["RoleName"] for role in client(project, "iam").list_roles()["Roles"]]
    assert roles == [stack.outputs(project)["role"]]

    run(project, "destroy")
    assert stack.resources(project) == []
    assert client(project, "iam").list_roles()["Roles"] == []
    assert client(project, "secretsmanager").list_secrets()["SecretList"] == []
    assert urllib3.request("GET", f"http://127.0.0.1:{project.port}/groundwork/records").json() == {}


def test_no_secret_is_written_in_plaintext(project):
    run(project, "up")
    versions = client(project, "secretsmanager")
    secret = versions.get_secret_value(SecretId=versions.list_secrets()["SecretList"][0]["ARN"])[
        "SecretString"
    ]
    assert len(secret) == 24
    written = [path.read_text(encoding="utf-8") for path in project.folder.rglob("*") if path.is_file()]
    assert written
    assert not any(secret in text for text in written)
    run(project, "destroy")


def test_a_misspelt_input_stops_the_preview_with_its_sentence(project):
    configure(project, "tiny:misspelt: true")
    stack.select(project)
    with pytest.raises(stack.EngineError) as refused:
        stack.run(project, "preview")
    assert "aws:kms/key:Key has no input `descripton`: did you mean `description`?" in refused.value.output
