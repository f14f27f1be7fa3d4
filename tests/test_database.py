"""The database as declared: private, encrypted, TLS only, backed up, replicated and watched."""

import dataclasses

import pulumi
import pytest

from components._database_watches import Thresholds
from components._postgres import STATIC_PARAMETERS
from components.database import Database, DatabaseArgs, MasterPassword, Replica
from tests.recorder import record

INSTANCE = "aws:rds/instance:Instance"
PARAMETERS = "aws:rds/parameterGroup:ParameterGroup"
SUBNETS = "aws:rds/subnetGroup:SubnetGroup"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
EVENTS = "aws:rds/eventSubscription:EventSubscription"
REPLICA = Replica(identifier="rentfix-replica-1", instance_class="db.r6g.xlarge")
MASTER_SECRET_ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:master-AbCdEf"

GOOD = DatabaseArgs(
    identifier="rentfix-primary",
    engine_version="16.8",
    instance_class="db.r6g.large",
    allocated_storage_gib=100,
    max_allocated_storage_gib=500,
    db_name="rentfix",
    username="postgres",
    parameters={
        "max_connections": "200",
        "max_prepared_transactions": "100",
        "shared_buffers": "524288",
        "work_mem": "65536",
        "maintenance_work_mem": "524288",
    },
    multi_az=True,
    replicas=[REPLICA],
    backup_retention_days=30,
    backup_window="02:00-03:00",
    maintenance_window="sun:04:00-sun:05:00",
    subnet_ids=["subnet-a", "subnet-b"],
    security_group_id="sg-database",
    data_key_arn="arn:aws:kms:us-east-1:111122223333:key/data",
    secrets_key_arn="arn:aws:kms:us-east-1:111122223333:key/secrets",
    log_key_arn="arn:aws:kms:us-east-1:111122223333:key/logs",
    log_retention_days=30,
    protect=True,
    master_password=MasterPassword(value=pulumi.Output.secret("given"), secret_arn=MASTER_SECRET_ARN),
    tags={"owner": "platform"},
)


def args(**changes):
    return dataclasses.replace(GOOD, **changes)


def declare(**changes):
    return record(lambda: Database("database", args(**changes)))


def watches(**changes):
    made = record(lambda: Database("database", args(**changes)).watches).value
    return {watch.name: watch for watch in made}


def test_the_primary_exactly():
    declared = declare()
    primary = dict(declared.one(INSTANCE, "database").inputs)
    assert primary.pop("parameterGroupName").startswith("database-postgres16-")
    assert primary.pop("dbSubnetGroupName").startswith("database-")
    assert primary.pop("monitoringRoleArn").startswith("arn:aws:iam::111122223333:role/database-monitoring")
    assert primary == {
        "identifier": "rentfix-primary",
        "engine": "postgres",
        "engineVersion": "16",
        "instanceClass": "db.r6g.large",
        "allocatedStorage": 100,
        "maxAllocatedStorage": 500,
        "storageType": "gp3",
        "storageEncrypted": True,
        "kmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/data",
        "dbName": "rentfix",
        "username": "postgres",
        "password": "given",
        "iamDatabaseAuthenticationEnabled": True,
        "port": 5432,
        "multiAz": True,
        "publiclyAccessible": False,
        "vpcSecurityGroupIds": ["sg-database"],
        "caCertIdentifier": "rds-ca-rsa2048-g1",
        "backupRetentionPeriod": 30,
        "backupWindow": "02:00-03:00",
        "maintenanceWindow": "sun:04:00-sun:05:00",
        "copyTagsToSnapshot": True,
        "deleteAutomatedBackups": False,
        "deletionProtection": True,
        "skipFinalSnapshot": False,
        "finalSnapshotIdentifier": "rentfix-primary-final",
        "autoMinorVersionUpgrade": True,
        "allowMajorVersionUpgrade": False,
        "applyImmediately": False,
        "performanceInsightsEnabled": True,
        "performanceInsightsKmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/data",
        "performanceInsightsRetentionPeriod": 7,
        "monitoringInterval": 60,
        "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
        "tags": {"owner": "platform", "Name": "rentfix-primary"},
    }
    assert declared.one(INSTANCE, "database").secrets == {"password"}
    assert declared.one(SUBNETS)["subnetIds"] == ["subnet-a", "subnet-b"]
    assert declared.orphans() == []


def test_without_replicas_rds_may_keep_the_master_password():
    declared = declare(replicas=[], master_password=None)
    primary = declared.one(INSTANCE)
    assert primary["manageMasterUserPassword"] is True
    assert primary["masterUserSecretKmsKeyId"] == "arn:aws:kms:us-east-1:111122223333:key/secrets"
    assert "password" not in primary
    assert declared.outputs("database")["master_secret_arn"].startswith(
        "arn:aws:secretsmanager:us-east-1:111122223333:secret:rds!db-"
    )


def test_a_replica_is_told_nothing_that_comes_from_its_source():
    declared = declare()
    primary, replica = (
        declared.one(INSTANCE, "database"),
        declared.one(INSTANCE, "database-rentfix-replica-1"),
    )
    assert replica["replicateSourceDb"] == "rentfix-primary"
    assert replica["instanceClass"] == "db.r6g.xlarge"
    assert replica.depends_on(primary)
    from_the_source = {
        "engine",
        "engineVersion",
        "username",
        "password",
        "manageMasterUserPassword",
        "dbName",
        "dbSubnetGroupName",
        "kmsKeyId",
    }
    assert from_the_source.isdisjoint(replica.inputs)
    assert replica["parameterGroupName"] == primary["parameterGroupName"]
    assert replica["backupRetentionPeriod"] == 0
    assert replica["skipFinalSnapshot"] is True
    assert replica["storageEncrypted"] is True
    assert replica["publiclyAccessible"] is False


@pytest.mark.parametrize("protect", [True, False])
def test_protection(protect):
    for instance in declare(protect=protect).all(INSTANCE):
        assert (instance.protect, instance.retain_on_delete) == (protect, protect)
        assert instance["deletionProtection"] is protect


def test_an_unprotected_database_can_be_destroyed_whole():
    primary = declare(protect=False, replicas=[]).one(INSTANCE)
    assert primary["skipFinalSnapshot"] is True
    assert "finalSnapshotIdentifier" not in primary
    assert primary["deleteAutomatedBackups"] is True


def test_parameters_in_the_documents_figures_with_the_right_method():
    group = declare().one(PARAMETERS)
    assert group["family"] == "postgres16"
    made = {p["name"]: (p["value"], p["applyMethod"]) for p in group["parameters"]}
    assert made == {
        "max_connections": ("200", "pending-reboot"),
        "max_prepared_transactions": ("100", "pending-reboot"),
        "shared_buffers": ("524288", "pending-reboot"),
        "shared_preload_libraries": ("pg_stat_statements", "pending-reboot"),
        "rds.force_ssl": ("1", "pending-reboot"),
        "work_mem": ("65536", "immediate"),
        "maintenance_work_mem": ("524288", "immediate"),
        "log_min_duration_statement": ("1000", "immediate"),
        "log_connections": ("1", "immediate"),
        "log_disconnections": ("1", "immediate"),
        "log_lock_waits": ("1", "immediate"),
    }
    assert {name for name, (_, method) in made.items() if method == "pending-reboot"} <= STATIC_PARAMETERS


def test_what_is_set_here_may_be_written_out_and_more_libraries_loaded():
    libraries = "pg_stat_statements, auto_explain"
    group = declare(parameters={"rds.force_ssl": "1", "shared_preload_libraries": libraries}).one(PARAMETERS)
    made = {p["name"]: (p["value"], p["applyMethod"]) for p in group["parameters"]}
    assert made["shared_preload_libraries"] == (libraries, "pending-reboot")
    assert made["rds.force_ssl"] == ("1", "pending-reboot")


def test_slow_query_threshold():
    group = declare(slow_query_ms=250).one(PARAMETERS)
    assert {"name": "log_min_duration_statement", "value": "250", "applyMethod": "immediate"} in group[
        "parameters"
    ]


@pytest.mark.parametrize(
    ("version", "family"), [("16", "postgres16"), ("16.8", "postgres16"), ("17.4", "postgres17")]
)
def test_the_family_follows_the_major_version_and_is_in_the_name(version, family):
    group = declare(engine_version=version).one(PARAMETERS)
    assert group["family"] == family
    assert group.name == f"database-{family}"


def test_a_minor_upgrade_in_the_settings_changes_nothing():
    before, after = declare(engine_version="16.8"), declare(engine_version="16.10")
    assert [r.inputs for r in before.all(INSTANCE)] == [r.inputs for r in after.all(INSTANCE)]


def test_log_groups_are_there_before_their_instance():
    declared = declare()
    assert {group["name"] for group in declared.all(LOG_GROUP)} == {
        f"/aws/rds/instance/{identifier}/{log}"
        for identifier in ("rentfix-primary", "rentfix-replica-1")
        for log in ("postgresql", "upgrade")
    }
    group = declared.one(LOG_GROUP, "database-postgresql")
    assert (group["retentionInDays"], group["kmsKeyId"][-4:]) == (30, "logs")
    assert declared.one(INSTANCE, "database").depends_on(group)
    of_the_replica = declared.one(LOG_GROUP, "database-rentfix-replica-1-upgrade")
    assert declared.one(INSTANCE, "database-rentfix-replica-1").depends_on(of_the_replica)


def test_monitoring_role():
    declared = declare()
    trust = declared.one("aws:iam/role:Role").json("assumeRolePolicy")["Statement"][0]
    assert trust["Principal"] == {"Service": "monitoring.rds.amazonaws.com"}
    attachment = declared.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert attachment["policyArn"].endswith("service-role/AmazonRDSEnhancedMonitoringRole")
    assert all(instance.depends_on(attachment) for instance in declared.all(INSTANCE))


def test_events_go_to_the_topic_when_there_is_one():
    assert declare().names(EVENTS) == []
    subscription = declare(event_topic_arn="arn:aws:sns:us-east-1:111122223333:warning").one(EVENTS)
    assert subscription["snsTopic"].endswith(":warning")
    assert subscription["sourceType"] == "db-instance"
    assert subscription["sourceIds"] == ["rentfix-primary", "rentfix-replica-1"]
    assert "failover" in subscription["eventCategories"]


def test_outputs():
    outputs = declare().outputs("database")
    assert outputs["address"].startswith("rentfix-primary.")
    assert outputs["replica_addresses"][0].startswith("rentfix-replica-1.")
    assert (outputs["port"], outputs["name"], outputs["identifier"]) == (5432, "rentfix", "rentfix-primary")
    assert outputs["arn"] == "arn:aws:rds:us-east-1:111122223333:db:rentfix-primary"
    assert outputs["master_secret_arn"] == MASTER_SECRET_ARN


def test_another_replica_leaves_the_others_alone():
    second = Replica(identifier="rentfix-replica-2", instance_class="db.r6g.large")
    one, two = declare(), declare(replicas=[second, REPLICA])
    assert set(one.names()) < set(two.names())
    after = {(r.type, r.name): r.inputs for r in two}
    assert [r.name for r in one if r.custom and after[r.type, r.name] != r.inputs] == []


def test_what_is_watched():
    made = watches()
    assert set(made) == {
        *(f"database-{part}" for part in ("cpu", "storage", "memory", "read-latency", "write-latency")),
        *(
            f"database-{part}"
            for part in ("disk-queue", "connections", "transaction-logs", "transaction-ids")
        ),
        *(
            f"database-rentfix-replica-1-{part}"
            for part in (
                "cpu",
                "storage",
                "memory",
                "read-latency",
                "write-latency",
                "disk-queue",
                "connections",
            )
        ),
        "database-rentfix-replica-1-lag",
        "database-rentfix-replica-1-stale",
    }
    assert made["database-connections"].threshold == 160
    assert made["database-storage"].threshold == 10 * 2**30
    assert made["database-storage"].comparison == "LessThanThreshold"
    assert made["database-cpu"].evaluation_periods == 3
    assert {w.severity for w in made.values()} == {"warning", "critical"}


def test_each_watch_looks_at_its_own_instance():
    database = record(lambda: [w.metrics[0].dimensions for w in Database("database", args()).watches]).value
    assert {d["DBInstanceIdentifier"] for d in database} == {"rentfix-primary", "rentfix-replica-1"}


@pytest.mark.parametrize(("instance_class", "watched"), [("db.t4g.micro", True), ("db.r6g.large", False)])
def test_burstable_classes_are_watched_for_credits(instance_class, watched):
    assert ("database-cpu-credits" in watches(instance_class=instance_class)) is watched


@pytest.mark.parametrize("parameters", [{}, {"max_connections": "{DBInstanceClassMemory/9531392}"}])
def test_without_a_number_of_connections_there_is_no_watch_on_it(parameters):
    assert "database-connections" not in watches(parameters=parameters)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"identifier": "Rentfix"}, "identifier 'Rentfix' must be 2 to 63 lower-case letters"),
        ({"identifier": "a--b"}, "identifier 'a--b' must be"),
        ({"identifier": "a" * 64}, "must be 2 to 63"),
        ({"identifier": "rentfix-"}, "identifier 'rentfix-' must be"),
        ({"identifier": "rentfix-replica-1"}, "identifier 'rentfix-replica-1' is used twice"),
        ({"engine_version": "latest"}, "engine_version must be like 16 or 16.8, got 'latest'"),
        ({"allocated_storage_gib": 19}, "allocated_storage_gib must be 20 to 65536 for gp3, got 19"),
        (
            {"max_allocated_storage_gib": 109},
            r"at least a tenth above allocated_storage_gib \(100\), got 109",
        ),
        ({"backup_retention_days": 36}, "backup_retention_days must be 0 to 35, got 36"),
        ({"backup_retention_days": 0}, "read replicas need backups of their source"),
        (
            {"master_password": None},
            "read replicas need master_password: RDS makes none of an instance whose",
        ),
        (
            {"parameters": {"shared_preload_libraries": "auto_explain"}},
            "parameter shared_preload_libraries must name pg_stat_statements",
        ),
        ({"parameters": {"rds.force_ssl": "0"}}, "parameter rds.force_ssl is set by the component to 1"),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        args(**changes)


def test_limits_themselves_are_fine():
    args(identifier="a" * 63, max_allocated_storage_gib=110, backup_retention_days=35)
    args(replicas=[], master_password=None, backup_retention_days=0, allocated_storage_gib=20)


def test_every_problem_at_once():
    with pytest.raises(ValueError, match=r"database A: .*; engine_version.*; backup_retention_days"):
        args(identifier="A", engine_version="x", backup_retention_days=99)


def test_a_preview_sees_every_resource():
    assert record(lambda: Database("database", args()), preview=True).names() == declare().names()


def test_a_products_own_thresholds():
    own = Thresholds(storage_used_percent=80, connections=80, connections_percent=70)
    made = watches(thresholds=own, allocated_storage_gib=100, parameters={"max_connections": "200"})
    assert made["database-storage"].threshold == 20 * 2**30
    assert "less than 20 percent" in made["database-storage"].description
    assert made["database-connections"].threshold == 140
    high = made["database-connections-high"]
    assert (high.threshold, high.severity, high.period_s, high.evaluation_periods) == (80, "warning", 60, 2)
    assert high.description.startswith("DatabaseConnectionHigh: more than 80 connections (count)")


@pytest.mark.parametrize(
    ("max_connections", "pooled", "threshold", "of"),
    [
        ("200", 100, 80, "100 that the services' pools have"),
        ("200", 400, 160, "200 allowed"),
        (None, 100, 80, "100"),
    ],
)
def test_connections_are_a_share_of_what_runs_out_first(max_connections, pooled, threshold, of):
    parameters = {"max_connections": max_connections} if max_connections else {}
    watch = watches(thresholds=Thresholds(pooled_connections=pooled), parameters=parameters)[
        "database-connections"
    ]
    assert watch.threshold == threshold
    assert of in watch.description
