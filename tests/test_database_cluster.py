"""The Multi-AZ DB cluster as declared: the guarantees of an instance, for three members."""

import dataclasses

import pytest

from components.database_cluster import DatabaseCluster, DatabaseClusterArgs
from tests.recorder import record

CLUSTER = "aws:rds/cluster:Cluster"
PARAMETERS = "aws:rds/clusterParameterGroup:ClusterParameterGroup"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
EVENTS = "aws:rds/eventSubscription:EventSubscription"

GOOD = DatabaseClusterArgs(
    identifier="shop-primary",
    engine_version="16.8",
    instance_class="db.r6gd.large",
    allocated_storage_gib=100,
    db_name="shop",
    username="postgres",
    parameters={"max_connections": "1000"},
    backup_retention_days=30,
    backup_window="02:00-03:00",
    maintenance_window="sun:04:00-sun:05:00",
    subnet_ids=["subnet-a", "subnet-b", "subnet-c"],
    security_group_id="sg-database",
    data_key_arn="arn:data",
    secrets_key_arn="arn:secrets",
    log_key_arn="arn:logs",
    log_retention_days=30,
    protect=True,
    tags={"owner": "platform"},
)


def declare(**changes):
    return record(lambda: DatabaseCluster("database", dataclasses.replace(GOOD, **changes)))


def watches(**changes):
    made = record(lambda: DatabaseCluster("database", dataclasses.replace(GOOD, **changes)).watches).value
    return {watch.name: watch for watch in made}


def test_the_cluster_exactly():
    declared = declare()
    cluster = dict(declared.one(CLUSTER).inputs)
    assert cluster.pop("dbClusterParameterGroupName").startswith("database-postgres16-")
    assert cluster.pop("dbSubnetGroupName").startswith("database-")
    assert cluster.pop("monitoringRoleArn").startswith("arn:aws:iam::111122223333:role/database-monitoring")
    assert cluster == {
        "clusterIdentifier": "shop-primary",
        "engine": "postgres",
        "engineVersion": "16",
        "dbClusterInstanceClass": "db.r6gd.large",
        "allocatedStorage": 100,
        "storageType": "gp3",
        "storageEncrypted": True,
        "kmsKeyId": "arn:data",
        "databaseName": "shop",
        "masterUsername": "postgres",
        "manageMasterUserPassword": True,
        "masterUserSecretKmsKeyId": "arn:secrets",
        "iamDatabaseAuthenticationEnabled": True,
        "port": 5432,
        "publiclyAccessible": False,
        "vpcSecurityGroupIds": ["sg-database"],
        "caCertificateIdentifier": "rds-ca-rsa2048-g1",
        "backupRetentionPeriod": 30,
        "preferredBackupWindow": "02:00-03:00",
        "preferredMaintenanceWindow": "sun:04:00-sun:05:00",
        "copyTagsToSnapshot": True,
        "deleteAutomatedBackups": False,
        "deletionProtection": True,
        "skipFinalSnapshot": False,
        "finalSnapshotIdentifier": "shop-primary-final",
        "autoMinorVersionUpgrade": True,
        "allowMajorVersionUpgrade": False,
        "applyImmediately": False,
        "performanceInsightsEnabled": True,
        "performanceInsightsKmsKeyId": "arn:data",
        "performanceInsightsRetentionPeriod": 7,
        "monitoringInterval": 60,
        "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
        "tags": {"owner": "platform", "Name": "shop-primary"},
    }
    assert declared.orphans() == []


@pytest.mark.parametrize("protect", [True, False])
def test_protection(protect):
    cluster = declare(protect=protect).one(CLUSTER)
    assert (cluster.protect, cluster.retain_on_delete, cluster["deletionProtection"]) == (
        protect,
        protect,
        protect,
    )
    assert cluster["skipFinalSnapshot"] is not protect


def test_provisioned_iops_mean_another_kind_of_volume():
    cluster = declare(iops=3000).one(CLUSTER)
    assert (cluster["storageType"], cluster["iops"]) == ("io1", 3000)


def test_parameters_logs_and_events():
    declared = declare(event_topic_arn="arn:topic")
    group = declared.one(PARAMETERS)
    assert group["family"] == "postgres16"
    made = {each["name"]: (each["value"], each["applyMethod"]) for each in group["parameters"]}
    assert made["rds.force_ssl"] == ("1", "pending-reboot")
    assert made["max_connections"] == ("1000", "pending-reboot")
    assert {each["name"] for each in declared.all(LOG_GROUP)} == {
        "/aws/rds/cluster/shop-primary/postgresql",
        "/aws/rds/cluster/shop-primary/upgrade",
    }
    assert all(declared.one(CLUSTER).depends_on(each) for each in declared.all(LOG_GROUP))
    subscription = declared.one(EVENTS)
    assert (subscription["sourceType"], subscription["sourceIds"]) == ("db-cluster", ["shop-primary"])
    assert declare().names(EVENTS) == []


def test_outputs_are_those_of_an_instance():
    outputs = declare().outputs("database")
    assert outputs["address"].startswith("shop-primary.cluster-abc")
    assert outputs["replica_addresses"][0].startswith("shop-primary.cluster-ro-")
    assert outputs["arn"] == "arn:aws:rds:us-east-1:111122223333:cluster:shop-primary"
    assert (outputs["port"], outputs["name"], outputs["identifier"]) == (5432, "shop", "shop-primary")
    assert ":secret:rds!" in outputs["master_secret_arn"]


def test_all_members_are_watched_and_the_worst_counts():
    made = watches()
    assert {"database-cpu", "database-storage", "database-lag", "database-local-storage"} <= set(made)
    assert made["database-cpu"].expression == "MAX([value1, value2, value3])"
    assert made["database-storage"].expression == "MIN([value1, value2, value3])"
    assert "grows only when it is told to" in made["database-storage"].description
    assert made["database-connections"].threshold == 800
    dimensions = record(
        lambda: [
            metric.dimensions["DBInstanceIdentifier"]
            for metric in DatabaseCluster("database", GOOD).watches[0].metrics
        ]
    ).value
    assert dimensions == [f"shop-primary-instance-{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"identifier": "Shop"}, "identifier 'Shop' must be 2 to 63 lower-case letters"),
        ({"engine_version": "latest"}, "engine_version must be like 16 or 16.8"),
        ({"allocated_storage_gib": 99}, "allocated_storage_gib must be 100 to 65536, got 99"),
        (
            {"iops": 49},
            "iops must be half of to 50 times allocated_storage_gib, 50 to 5000, got 49",
        ),
        ({"iops": 5001}, "50 to 5000, got 5001"),
        ({"backup_retention_days": 0}, "backup_retention_days must be 1 to 35, got 0"),
        ({"subnet_ids": ["a", "b"]}, "subnet_ids must be 3 or more, each in a zone of its own, got 2"),
        ({"parameters": {"rds.force_ssl": "0"}}, "parameter rds.force_ssl is set by the component to 1"),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(GOOD, **changes)


def test_limits_themselves_are_fine():
    dataclasses.replace(GOOD, iops=50, backup_retention_days=1)
    dataclasses.replace(GOOD, iops=5000, backup_retention_days=35)


def test_a_preview_sees_every_resource():
    assert record(lambda: DatabaseCluster("database", GOOD), preview=True).names() == declare().names()
