"""The broker as declared: private and encrypted, its shape, its logs' retention, and what is watched."""

import dataclasses
import json
import re

import pytest

from components.broker import Broker, BrokerArgs
from tests.recorder import record

BROKER = "aws:mq/broker:Broker"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
SCHEDULE = "aws:scheduler/schedule:Schedule"

GOOD = BrokerArgs(
    engine_version="3.13",
    instance_type="mq.m5.large",
    deployment_mode="CLUSTER_MULTI_AZ",
    username="admin",
    password="a-password-of-the-tests",
    subnet_ids=["subnet-a", "subnet-b", "subnet-c"],
    security_group_id="sg-broker",
    data_key_arn="arn:aws:kms:us-east-1:111122223333:key/data",
    maintenance_window="sun:05:00",
    log_retention_days=30,
    account_id="111122223333",
    region="us-east-1",
    connections_at_most=15_000,
    backlog_messages=1000,
    protect=True,
    tags={"owner": "platform"},
)


def args(**changes):
    return dataclasses.replace(GOOD, **changes)


def declare(**changes):
    return record(lambda: Broker("broker-events", args(**changes)))


def watches(**changes):
    made = record(lambda: Broker("broker-events", args(**changes)).watches).value
    return {watch.name.removeprefix("broker-events-"): watch for watch in made}


def test_the_cluster_exactly():
    declared = declare()
    broker = declared.one(BROKER)
    assert broker.inputs == {
        "engineType": "RabbitMQ",
        "engineVersion": "3.13",
        "hostInstanceType": "mq.m5.large",
        "deploymentMode": "CLUSTER_MULTI_AZ",
        "publiclyAccessible": False,
        "subnetIds": ["subnet-a", "subnet-b", "subnet-c"],
        "securityGroups": ["sg-broker"],
        "encryptionOptions": {
            "useAwsOwnedKey": False,
            "kmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/data",
        },
        "users": [{"username": "admin", "password": "a-password-of-the-tests"}],
        "autoMinorVersionUpgrade": True,
        "maintenanceWindowStartTime": {"dayOfWeek": "SUNDAY", "timeOfDay": "05:00", "timeZone": "UTC"},
        "logs": {"general": True},
        "tags": {"owner": "platform", "Name": "broker-events"},
    }
    assert (broker.protect, broker.retain_on_delete) == (True, True)
    assert broker.ignore_changes == ("users",), "another password would reach no user of RabbitMQ"
    assert declared.orphans() == []


def test_a_single_instance_stands_in_one_subnet_and_goes_where_nothing_is_protected():
    broker = declare(deployment_mode="SINGLE_INSTANCE", protect=False).one(BROKER)
    assert broker["subnetIds"] == ["subnet-a"]
    assert (broker.protect, broker.retain_on_delete) == (False, False)


def test_where_it_answers():
    outputs = declare().outputs("broker-events")
    ident = outputs["id"]
    host = f"{ident}.mq.us-east-1.amazonaws.com"
    assert outputs == {
        "id": ident,
        "host": host,
        "port": 5671,
        "console_url": f"https://{host}",
        "log_groups": [f"/aws/amazonmq/broker/{ident}/{log}" for log in ("general", "connection", "channel")],
    }


def test_in_a_preview_nothing_about_it_is_known():
    made = record(lambda: Broker("broker-events", GOOD).port, preview=True)
    assert made.value == 5671


def test_its_logs_are_forgotten_although_amazon_mq_makes_their_groups():
    declared = declare(log_retention_days=14)
    ident = declared.outputs("broker-events")["id"]
    schedules = {schedule.name: schedule for schedule in declared.all(SCHEDULE)}
    assert set(schedules) == {
        f"broker-events-{log}-log-retention" for log in ("general", "connection", "channel")
    }
    schedule = schedules["broker-events-general-log-retention"]
    assert schedule["scheduleExpression"] == "rate(1 day)"
    assert schedule["target"]["arn"] == "arn:aws:scheduler:::aws-sdk:cloudwatchlogs:putRetentionPolicy"
    assert json.loads(schedule["target"]["input"]) == {
        "LogGroupName": f"/aws/amazonmq/broker/{ident}/general",
        "RetentionInDays": 14,
    }
    policy = declared.one(ROLE_POLICY)
    assert policy.json("policy")["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["logs:PutRetentionPolicy"],
            "Resource": [f"arn:aws:logs:us-east-1:111122223333:log-group:/aws/amazonmq/broker/{ident}/*"],
            "Sid": "KeepForSoLong",
        }
    ]
    assert schedule.depends_on(policy)
    trust = declared.one(ROLE).json("assumeRolePolicy")["Statement"][0]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def test_everything_that_stops_a_broker_is_watched():
    found = watches()
    assert {name: (watch.severity, watch.threshold) for name, watch in found.items()} == {
        "memory": ("critical", 80),
        "disk": ("critical", 2),
        "backlog": ("warning", 1000),
        "no-consumers": ("critical", 0),
        "connections": ("warning", 12_000),
        "cpu": ("warning", 80),
    }
    assert found["memory"].expression == "100 * used / limit"
    assert found["disk"].comparison == "LessThanThreshold"
    assert found["no-consumers"].expression == "IF(consumers < 1, ready, 0)"
    assert found["cpu"].treat_missing_data == "breaching"
    assert found["backlog"].treat_missing_data == "notBreaching"


def test_figures_are_of_the_whole_broker():
    def program():
        broker = Broker("broker-events", GOOD)
        return broker.watches[0].metrics[0].dimensions["Broker"]

    assert record(program).value.startswith("broker-events-")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"engine_version": "3.13.7"},
            "engine_version must be like 3.13, without a patch number, got '3.13.7'",
        ),
        (
            {"engine_version": "4.2"},
            "instance_type must be an mq.m7g for RabbitMQ 4.2, got mq.m5.large",
        ),
        (
            {"instance_type": "mq.t3.micro"},
            "instance_type mq.t3.micro cannot be a node of a cluster; use mq.m5.large or larger",
        ),
        ({"subnet_ids": ["subnet-a"]}, "CLUSTER_MULTI_AZ needs subnets in two zones or more, got 1"),
        (
            {"subnet_ids": [], "deployment_mode": "SINGLE_INSTANCE"},
            "subnet_ids is empty; name a private subnet, or Amazon MQ takes one of the default network",
        ),
        (
            {"username": "guest"},
            "username must be 2 to 100 letters, digits, hyphens, underscores and periods, and not guest, got 'guest'",
        ),
        ({"maintenance_window": "sun:24:00"}, "maintenance_window must be like sun:05:00, got 'sun:24:00'"),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(f"broker: {sentence}") + "$"):
        args(**changes)


def test_a_name_that_is_too_long():
    with pytest.raises(ValueError, match=r"broker b+: its name may have 42 characters, got 43"):
        record(lambda: Broker("b" * 43, GOOD))


@pytest.mark.parametrize("instance_type", ["mq.m7g.medium", "mq.m7g.large"])
def test_what_rabbitmq_4_runs_on(instance_type):
    assert args(engine_version="4.2", instance_type=instance_type).is_cluster
