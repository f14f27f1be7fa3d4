"""From settings to what services get of brokers and buckets: groups, variables, secrets and rights."""

import json

import pytest

from tests.recorder import record
from tests.settings_examples import settle
from wiring import edge, foundation, metrics, stores, workloads

BROKER = "aws:mq/broker:Broker"
BUCKET = "aws:s3/bucket:Bucket"
CORS = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
SUBNET = "aws:ec2/subnet:Subnet"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
SECRET = "aws:secretsmanager/secretVersion:SecretVersion"
TARGET = "aws:cloudwatch/eventTarget:EventTarget"

STACK = {
    "brokers": {"events": {"instance_type": "mq.m5.large", "deployment_mode": "CLUSTER_MULTI_AZ"}},
    "buckets": {"files": {"name": "shop-prod-files"}},
}
SYSTEM = {
    "brokers": {"events": {"engine_version": "3.13", "username": "admin", "maintenance_window": "sun:05:00"}},
    "buckets": {
        "files": {
            "access": {"core-matching": ["read", "write", "delete"], "worker-ai": ["read"]},
            "cors": {"allow_methods": ["GET", "PUT"]},
            "malware_scan": True,
            "expire_days": {"tmp/": 7},
        }
    },
    "secrets/amqp-url": {
        "url": "amqps://${brokers.events.username}:${brokers.events.password}"
        "@${brokers.events.host}:${brokers.events.port}"
    },
    "services/worker-ai/connects_to": ["database", "cache", "queue", "events"],
    "services/worker-ai/environment/RABBITMQ_HOST": "${brokers.events.host}",
    "services/worker-ai/environment/RABBITMQ_PORT": "${brokers.events.port}",
    "services/worker-ai/environment/RABBITMQ_USER": "${brokers.events.username}",
    "services/worker-ai/environment/MINIO_ENDPOINT": "${buckets.files.endpoint}",
    "services/worker-ai/environment/MINIO_BUCKET": "${buckets.files.name}",
    "services/worker-ai/secrets/RABBITMQ_PASSWORD": "${brokers.events.password}",
    "services/worker-ai/secrets/RABBITMQ_URL": "${secrets.amqp-url}",
}


@pytest.fixture(scope="module")
def declared():
    settings = settle(STACK, SYSTEM)

    def program():
        base = foundation.build(settings)
        data = stores.build(settings, base)
        gauges = metrics.build(settings, base)
        workloads.build(settings, base, gauges, data, edge.build(settings, base, gauges, data))

    return record(program)


def container(declared, name):
    (found,) = json.loads(declared.one(TASK, name)["containerDefinitions"])
    return {kind: {each["name"]: each for each in found[kind]} for kind in ("environment", "secrets")}


def test_the_broker_stands_in_the_isolated_subnets_behind_its_own_group(declared):
    broker = declared.one(BROKER, "broker-events")
    isolated = [subnet for subnet in declared.all(SUBNET) if "isolated" in subnet.name]
    assert len(broker["subnetIds"]) == len(isolated) == 3
    assert all(broker.depends_on(subnet) for subnet in isolated)
    assert broker.depends_on(declared.one("aws:ec2/securityGroup:SecurityGroup", "firewall-broker-events"))
    assert broker.depends_on(declared.one("aws:kms/key:Key", "keys-data"))
    assert broker.protect
    assert "users" in broker.secrets


def test_its_password_is_one_that_amazon_mq_takes(declared):
    password = declared.one("random:index/randomPassword:RandomPassword", "broker-events-login")
    assert 12 <= password["length"] <= 250
    assert not set(password["overrideSpecial"]) & set(",:=")
    login = json.loads(declared.one(SECRET, "broker-events-login")["secretString"])
    assert set(login) == {"username", "password"}
    assert declared.one(BROKER)["users"] == [login]


def test_a_service_gets_its_variables(declared):
    found = container(declared, "worker-ai")
    host = declared.one(SECRET, "secret-amqp-url")["secretString"].rpartition("@")[2].removesuffix(":5671")
    assert host.endswith(".mq.us-east-1.amazonaws.com")
    values = {name: each["value"] for name, each in found["environment"].items()}
    assert (values["RABBITMQ_HOST"], values["RABBITMQ_PORT"], values["RABBITMQ_USER"]) == (
        host,
        "5671",
        "admin",
    )
    assert (values["MINIO_ENDPOINT"], values["MINIO_BUCKET"]) == (
        "s3.us-east-1.amazonaws.com",
        "shop-prod-files",
    )
    assert found["secrets"]["RABBITMQ_PASSWORD"]["valueFrom"].endswith(":password::")
    assert found["secrets"]["RABBITMQ_URL"]["valueFrom"].rpartition(":")[2].startswith("secret-amqp-url")


def test_rights_are_the_roles_and_keys_are_nobodys(declared):
    def rights(service):
        statements = declared.one(ROLE_POLICY, f"{service}-task").json("policy")["Statement"]
        return [statement["Sid"] for statement in statements if statement["Sid"].startswith("Files")]

    assert rights("core-matching") == [
        "FilesRead",
        "FilesList",
        "FilesWrite",
        "FilesDelete",
        "FilesEncryption",
    ]
    assert rights("worker-ai") == ["FilesRead", "FilesList", "FilesEncryption"]
    # A task runs in its service's image, and needs what that needs.
    assert rights("task-migrate") == rights("core-matching")
    assert declared.names("aws:iam/accessKey:AccessKey") == []


def test_the_bucket_is_as_the_files_say(declared):
    bucket = declared.one(BUCKET, "bucket-files")
    assert (bucket["bucket"], bucket.protect, bucket["forceDestroy"]) == ("shop-prod-files", True, False)
    cors = settle(STACK, SYSTEM).ingress.cors
    assert cors is not None
    assert declared.one(CORS)["corsRules"][0]["allowedOrigins"] == list(cors.allow_origins)
    assert declared.one(ENCRYPTION, "bucket-files-encryption").depends_on(
        declared.one("aws:kms/key:Key", "keys-storage")
    )
    assert "notifications-warning" in declared.one(TARGET, "bucket-files-malware")["arn"]


def test_without_a_name_the_engine_makes_one_up():
    settings = settle(None, {"buckets": {"files": {}}})
    made = record(lambda: stores.build(settings, foundation.build(settings)).buckets["files"].name)
    assert made.value.startswith("bucket-files-")
    assert made.names(CORS) == []
