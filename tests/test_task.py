"""Task: the definition, exactly the rights of its two roles, and what is refused."""

import re
from typing import Any

import pulumi
import pytest

from components import _iam
from components.task import Container, Task, TaskArgs
from tests.recorder import record

DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
LOGS = "aws:cloudwatch/logGroup:LogGroup"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
LOG_GROUP_ARN = "arn:aws:logs:us-east-1:111122223333:log-group:/rentalfix/prod/api"


def build(*, preview=False, container=None, **changes):
    values: dict[str, Any] = {
        "family": "rentalfix-prod-api",
        "container": Container(name="api", image="registry/api:1.0.0", user="1000", **(container or {})),
        "cpu": 1024,
        "memory_mib": 2048,
        "account_id": "111122223333",
        "region": "us-east-1",
        "log_group_name": "/rentalfix/prod/api",
        "log_key_arn": "arn:aws:kms:logs",
        "log_retention_days": 30,
        "repository_arns": ["arn:aws:ecr:api"],
        **changes,
    }
    return record(lambda: Task("api", TaskArgs(**values)), preview=preview)


def rights(declared, name):
    return {
        statement["Sid"]: statement for statement in declared.one(POLICY, name).json("policy")["Statement"]
    }


def test_the_definition():
    declared = build(tags={"owner": "platform"})
    definition = declared.one(DEFINITION)
    assert {key: value for key, value in definition.inputs.items() if key != "containerDefinitions"} == {
        "family": "rentalfix-prod-api",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "1024",
        "memory": "2048",
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "executionRoleArn": "arn:aws:iam::111122223333:role/"
        + declared.one(DEFINITION)["executionRoleArn"].rpartition("/")[2],
        "taskRoleArn": definition["taskRoleArn"],
        "skipDestroy": True,
        "tags": {"owner": "platform", "Name": "rentalfix-prod-api"},
    }
    assert "/api-execution-" in definition["executionRoleArn"]
    assert "/api-task-" in definition["taskRoleArn"]
    (container,) = definition.json("containerDefinitions")
    assert container["logConfiguration"]["options"]["awslogs-group"] == "/rentalfix/prod/api"
    assert container["logConfiguration"]["options"]["awslogs-region"] == "us-east-1"


def test_nothing_starts_before_its_roles_have_their_rights():
    declared = build(task_statements=[_iam.statement("s3:PutObject", "arn:aws:s3:::dumps/*")])
    definition = declared.one(DEFINITION)
    assert [definition.depends_on(policy) for policy in declared.all(POLICY)] == [True, True]


def test_logs_are_encrypted_and_kept_as_long_as_said():
    assert build(log_retention_days=90).one(LOGS).inputs == {
        "name": "/rentalfix/prod/api",
        "kmsKeyId": "arn:aws:kms:logs",
        "retentionInDays": 90,
        "tags": {"Name": "/rentalfix/prod/api"},
    }


def test_both_roles_trust_only_tasks_of_this_account():
    execution, task = build().all(ROLE)
    assert execution.json("assumeRolePolicy") == task.json("assumeRolePolicy")
    (trust,) = task.json("assumeRolePolicy")["Statement"]
    assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ecs:us-east-1:111122223333:*"},
    }


def test_the_execution_role_pulls_and_logs_and_no_more():
    statements = rights(build(), "api-execution")
    assert sorted(statements) == ["PullImage", "RegistryToken", "WriteLogs"]
    assert statements["PullImage"]["Resource"] == ["arn:aws:ecr:api"]
    assert statements["WriteLogs"] == {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [f"{LOG_GROUP_ARN}:*"],
        "Sid": "WriteLogs",
    }
    assert "PullImage" not in rights(build(repository_arns=[]), "api-execution")


def test_the_execution_role_reads_exactly_the_given_secrets():
    declared = build(
        container={"secrets": {"API_KEY": "arn:secret:api-key"}},
        secret_arns=["arn:secret:api-key", pulumi.Output.from_input("arn:secret:dsn")],
        secret_key_arns=["arn:aws:kms:secrets"],
    )
    statements = rights(declared, "api-execution")
    assert statements["ReadSecrets"]["Action"] == ["secretsmanager:GetSecretValue"]
    assert statements["ReadSecrets"]["Resource"] == ["arn:secret:api-key", "arn:secret:dsn"]
    assert statements["DecryptSecrets"]["Resource"] == ["arn:aws:kms:secrets"]
    assert statements["DecryptSecrets"]["Condition"] == {
        "StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}
    }
    (container,) = declared.one(DEFINITION).json("containerDefinitions")
    assert container["secrets"] == [{"name": "API_KEY", "valueFrom": "arn:secret:api-key"}]


def test_a_secret_under_an_aws_key_needs_no_right_to_decrypt():
    statements = rights(build(secret_arns=["arn:secret:dsn"]), "api-execution")
    assert statements["ReadSecrets"]["Resource"] == ["arn:secret:dsn"]
    assert "DecryptSecrets" not in statements


def test_the_task_role_has_no_policy_unless_given_one():
    assert build().names(POLICY) == ["api-execution"]
    declared = build(task_statements=[_iam.statement("s3:PutObject", "arn:aws:s3:::dumps/*", sid="Dump")])
    assert rights(declared, "api-task")["Dump"]["Resource"] == ["arn:aws:s3:::dumps/*"]


def test_a_shell_session_is_allowed_and_logged_only_on_demand():
    declared = build(
        allow_exec=True,
        exec_log_group_arn="arn:aws:logs:exec",
        container={"writable_paths": ["/tmp"]},
    )
    statements = rights(declared, "api-task")
    assert sorted(statements) == ["EncryptSession", "FindSessionLog", "LogSession", "ShellSession"]
    assert statements["LogSession"]["Resource"] == ["arn:aws:logs:exec:*"]
    assert statements["EncryptSession"]["Resource"] == ["arn:aws:kms:logs"]
    (container,) = declared.one(DEFINITION).json("containerDefinitions")
    assert [mount["containerPath"] for mount in container["linuxParameters"]["tmpfs"]] == [
        "/tmp",
        "/var/lib/amazon",
        "/var/log/amazon",
    ]


def test_the_processor_can_be_chosen():
    platform = build(cpu_architecture="ARM64").one(DEFINITION)["runtimePlatform"]
    assert platform["cpuArchitecture"] == "ARM64"


def test_the_disk_is_as_large_as_said():
    assert "ephemeralStorage" not in build().one(DEFINITION)
    assert build(ephemeral_storage_gib=21).one(DEFINITION)["ephemeralStorage"] == {"sizeInGib": 21}
    assert build(ephemeral_storage_gib=200).one(DEFINITION)["ephemeralStorage"] == {"sizeInGib": 200}


@pytest.mark.parametrize("disk_gib", [20, 201])
def test_a_disk_that_fargate_does_not_have_is_refused(disk_gib):
    sentence = f"ephemeral_storage_gib must be 21 to 200, or be left out for Fargate's own 20, got {disk_gib}"
    with pytest.raises(ValueError, match=sentence):
        build(ephemeral_storage_gib=disk_gib)


def test_names_and_outputs():
    declared = build()
    assert declared.names() == [
        f"{LOGS}::api-logs",
        f"{DEFINITION}::api",
        f"{ROLE}::api-execution",
        f"{ROLE}::api-task",
        f"{POLICY}::api-execution",
        "groundwork:compute:Task::api",
    ]
    assert declared.orphans() == []
    outputs = declared.outputs("api")
    assert outputs["arn"] == "arn:aws:ecs:us-east-1:111122223333:task-definition/rentalfix-prod-api:1"
    assert outputs["family"] == "rentalfix-prod-api"
    assert outputs["log_group_name"] == "/rentalfix/prod/api"
    assert outputs["task_role_arn"] == declared.one(DEFINITION)["taskRoleArn"]
    assert outputs["execution_role_arn"] == declared.one(DEFINITION)["executionRoleArn"]


def test_a_preview_declares_the_same():
    assert build(preview=True).names() == build().names()


def test_every_problem_is_named_at_once():
    sentence = (
        "task rentalfix-prod-api: memory_mib must be 2048 to 8192 in steps of 1024 for cpu 1024, got 512; "
        "2048 is the nearest; environment.TOKEN is named like a secret: put it under secrets, by its ARN; "
        "writable_paths take 300 MiB of memory, more than half of memory_mib 512: lower writable_path_mib or raise "
        "memory_mib; a container's secrets need secret_arns: the execution role may read only what they list; "
        "allow_exec needs exec_log_group_arn: a shell session that is not logged is not allowed"
    )
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(
            memory_mib=512,
            allow_exec=True,
            container={
                "environment": {"TOKEN": "x"},
                "secrets": {"API_KEY": "arn"},
                "writable_paths": ["/tmp"],
                "writable_path_mib": 300,
            },
        )


def test_a_container_that_runs_before_leaves_its_work_on_a_shared_disk():
    dump = Container(name="dump", image="postgres:16.9", user="70")
    definition = build(before=[dump], shared_path="/work").one(DEFINITION)
    assert definition["volumes"] == [{"name": "shared"}]
    first, second = definition.json("containerDefinitions")
    assert (first["name"], first["essential"], "dependsOn" in first) == ("dump", False, False)
    assert (second["name"], second["essential"]) == ("api", True)
    assert second["dependsOn"] == [{"containerName": "dump", "condition": "SUCCESS"}]
    assert (
        first["mountPoints"]
        == second["mountPoints"]
        == [{"sourceVolume": "shared", "containerPath": "/work", "readOnly": False}]
    )


@pytest.mark.parametrize(
    "changes",
    [{"shared_path": "/work"}, {"before": [Container(name="dump", image="postgres:16.9", user="70")]}],
)
def test_a_container_before_and_a_shared_path_go_together(changes):
    with pytest.raises(ValueError, match="before and shared_path go together"):
        build(**changes)


def test_a_container_before_is_checked_too():
    root = Container(name="dump", image="postgres:latest", user="root")
    with pytest.raises(ValueError, match=r"image must name a version.*user must be a user other than root"):
        build(before=[root], shared_path="/work")


def test_steps_run_one_after_the_other():
    first, second = (Container(name=name, image="postgres:16.9", user="70") for name in ("first", "second"))
    containers = (
        build(before=[first, second], shared_path="/work").one(DEFINITION).json("containerDefinitions")
    )
    assert [(each["name"], each["essential"], each.get("dependsOn")) for each in containers] == [
        ("first", False, None),
        ("second", False, [{"containerName": "first", "condition": "SUCCESS"}]),
        ("api", True, [{"containerName": "second", "condition": "SUCCESS"}]),
    ]


def test_a_report_runs_however_the_work_ended_and_a_limit_beside_it():
    report, limit = (
        Container(name=name, image="aws-cli:2.31.0", user="1000") for name in ("report", "limit")
    )
    containers = build(report=report, limit=limit).one(DEFINITION).json("containerDefinitions")
    assert [(each["name"], each["essential"], each.get("dependsOn")) for each in containers] == [
        ("api", False, None),
        ("report", True, [{"containerName": "api", "condition": "COMPLETE"}]),
        ("limit", True, None),
    ]


def test_two_containers_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two containers are called 'api'"):
        build(report=Container(name="api", image="aws-cli:2.31.0", user="1000"))
