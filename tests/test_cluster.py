"""Cluster: what is declared."""

from components.cluster import Cluster, ClusterArgs
from tests.recorder import record

CLUSTER = "aws:ecs/cluster:Cluster"
CAPACITY = "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"
NAMESPACE = "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace"
LOGS = "aws:cloudwatch/logGroup:LogGroup"


def build():
    return record(
        lambda: Cluster(
            "cluster",
            ClusterArgs(
                cluster_name="rentalfix-prod",
                namespace_name="prod.rentalfix.internal",
                vpc_id="vpc-1",
                log_group_name="/rentalfix/prod/exec",
                log_key_arn="arn:aws:kms:logs",
                log_retention_days=30,
                tags={"owner": "platform"},
            ),
        )
    )


def test_the_cluster_is_watched_and_its_shell_sessions_are_logged_and_encrypted():
    assert build().one(CLUSTER).inputs == {
        "name": "rentalfix-prod",
        "settings": [{"name": "containerInsights", "value": "enhanced"}],
        "configuration": {
            "executeCommandConfiguration": {
                "kmsKeyId": "arn:aws:kms:logs",
                "logging": "OVERRIDE",
                "logConfiguration": {
                    "cloudWatchEncryptionEnabled": True,
                    "cloudWatchLogGroupName": "/rentalfix/prod/exec",
                },
            }
        },
        "tags": {"owner": "platform", "Name": "rentalfix-prod"},
    }


def test_what_stands_beside_the_cluster():
    declared = build()
    assert declared.one(LOGS).inputs == {
        "name": "/rentalfix/prod/exec",
        "kmsKeyId": "arn:aws:kms:logs",
        "retentionInDays": 30,
        "tags": {"owner": "platform", "Name": "/rentalfix/prod/exec"},
    }
    assert declared.one(CAPACITY)["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert declared.one(CAPACITY)["clusterName"] == "rentalfix-prod"
    namespace = declared.one(NAMESPACE)
    assert (namespace["name"], namespace["vpc"]) == ("prod.rentalfix.internal", "vpc-1")
    assert declared.names() == [
        f"{LOGS}::cluster-exec",
        f"{CLUSTER}::cluster",
        f"{CAPACITY}::cluster-capacity",
        f"{NAMESPACE}::cluster-namespace",
        "groundwork:compute:Cluster::cluster",
    ]
    assert declared.orphans() == []


def test_outputs():
    outputs = build().outputs("cluster")
    assert outputs["arn"] == "arn:aws:ecs:us-east-1:111122223333:cluster/rentalfix-prod"
    assert outputs["name"] == "rentalfix-prod"
    assert outputs["namespace_id"].startswith("ns-")
    assert outputs["namespace_arn"].endswith(outputs["namespace_id"])
    assert (
        outputs["exec_log_group_arn"] == "arn:aws:logs:us-east-1:111122223333:log-group:/rentalfix/prod/exec"
    )
