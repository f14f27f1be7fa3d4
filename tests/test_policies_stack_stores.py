"""Whole-stack rules about stores, backups, containers, functions, machines and pods; see test_policies_stack.py."""

import json

import pytest
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from tests.policy_builders import container
from tests.policy_stack import Declared

# The rules that are broken here: the good stack below is judged by these alone.
BROKEN = {
    "rds-cluster-standby",
    "s3-encrypted",
    "s3-block-public",
    "s3-tls-only",
    "s3-versioned",
    "s3-lifecycle",
    "uploads-malware-scan",
    "task-role-of-its-own",
    "ecr-lifecycle",
    "lambda-log-declared",
    "lambda-failures-kept",
    "ebs-encrypted",
    "backup-plan-present",
    "logical-backup-scheduled",
    "restore-test-scheduled",
    "data-protected",
    "rds-upgrade-staged",
    "k8s-network-policy",
    "k8s-disruption-budget",
}

BUCKET = "aws:s3/bucket:Bucket"
CLUSTER = "aws:rds/cluster:Cluster"
CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
SCHEDULE = "aws:scheduler/schedule:Schedule"
FUNCTION = "aws:lambda/function:Function"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
PERMISSION = "aws:lambda/permission:Permission"
SELECTION = "aws:backup/selection:Selection"
VAULT_LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
MACHINE = "aws:ec2/instance:Instance"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
VOLUME = "aws:ebs/volume:Volume"
CRON_JOB = "kubernetes:batch/v1:CronJob"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
PLAIN_HTTP_DENIED = json.dumps(
    {
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]
    }
)
DUMP = container(name="dump", command=["sh", "-c", "pg_dump | gzip > /dump.gz"])
NO_DUMP = "no enabled schedule starts a task that dumps it"
NO_BACKUP = "no backup Selection names it"
NO_TEST = "nothing restores these backups to test them"


def in_namespace(name, **props):
    return {"metadata": {"namespace": name}, **props}


@pytest.fixture
def good():
    stack = Declared(BROKEN)
    add = stack.add
    add("bucket", BUCKET, {"bucket": "rentfix-files"})
    for name, kind, props in (
        ("encryption", "bucketServerSideEncryptionConfiguration", {}),
        ("block", "bucketPublicAccessBlock", dict.fromkeys(BLOCKS, True)),
        ("policy", "bucketPolicy", {"policy": PLAIN_HTTP_DENIED}),
        ("versioning", "bucketVersioning", {"versioningConfiguration": {"status": "Enabled"}}),
        ("lifecycle", "bucketLifecycleConfiguration", {}),
    ):
        add(name, f"aws:s3/{kind}:{kind[0].upper()}{kind[1:]}", props, bucket="bucket")

    add("db", "aws:rds/instance:Instance", {"identifier": "rentfix"})
    add("replica", "aws:rds/instance:Instance", replicateSourceDb="db")
    stack.resources["replica"].opts.protect = False
    add("role", "aws:iam/role:Role")
    add("starter", "aws:iam/role:Role")
    add("dump", TASK, DUMP, taskRoleArn="role", executionRoleArn="starter")
    add("nightly", SCHEDULE, target="dump")
    add("plan", "aws:backup/plan:Plan")
    add("selection", SELECTION, resources="db")
    add("tests", "aws:backup/restoreTestingPlan:RestoreTestingPlan")
    add(
        "tested",
        "aws:backup/restoreTestingSelection:RestoreTestingSelection",
        restoreTestingPlanName="tests",
    )

    add("images", "aws:ecr/repository:Repository")
    add("old-images", "aws:ecr/lifecyclePolicy:LifecyclePolicy", repository="images")
    add("log", LOG_GROUP)
    add("function", FUNCTION, {"loggingConfig": {"logGroup": UNKNOWN_STRING_VALUE}})

    add("api", DEPLOYMENT, in_namespace("shop", spec=replicas(2)))
    add("closed", "kubernetes:networking.k8s.io/v1:NetworkPolicy", in_namespace("shop"))
    add(
        "budget",
        "kubernetes:policy/v1:PodDisruptionBudget",
        in_namespace("shop", spec={"selector": {"matchLabels": {"app": "api"}}}),
    )
    return stack


def replicas(count):
    return {"replicas": count, "template": {"metadata": {"labels": {"app": "api", "tier": "web"}}}}


def test_no_rule_complains_about_a_good_stack(good):
    assert good.findings() == {}


def test_a_database_with_replicas_is_not_left_to_the_providers_flag(good):
    good.resources["db"].props["blueGreenUpdate"] = {"enabled": True}
    assert good.findings() == {
        ("rds-upgrade-staged", "db"): ["blueGreenUpdate.enabled is true, and replica replicates it"]
    }
    good.resources["db"].props["blueGreenUpdate"] = {"enabled": False}
    assert good.findings() == {}


def test_a_database_without_replicas_may_have_the_providers_flag(good):
    good.resources["db"].props["blueGreenUpdate"] = {"enabled": True}
    del good.resources["replica"]
    assert good.findings() == {}


@pytest.mark.parametrize(
    ("missing", "rule_id", "about", "finding"),
    [
        ("versioning", "s3-versioned", "bucket", "no BucketVersioning names the bucket"),
        ("lifecycle", "s3-lifecycle", "bucket", "no BucketLifecycleConfiguration names the bucket"),
        ("nightly", "logical-backup-scheduled", "db", NO_DUMP),
        ("dump", "logical-backup-scheduled", "db", NO_DUMP),
        ("selection", "backup-plan-present", "db", NO_BACKUP),
        ("tested", "restore-test-scheduled", "plan", NO_TEST),
        ("old-images", "ecr-lifecycle", "images", "no LifecyclePolicy names the repository"),
        ("closed", "k8s-network-policy", "api", "no NetworkPolicy is declared for its namespace"),
        ("budget", "k8s-disruption-budget", "api", "no PodDisruptionBudget selects it"),
    ],
)
def test_a_missing_companion_is_found_and_nothing_else_is(good, missing, rule_id, about, finding):
    del good.resources[missing]
    assert good.findings() == {(rule_id, about): [finding]}


# Buckets


@pytest.mark.parametrize(
    ("missing", "inline"),
    [
        ("encryption", {"serverSideEncryptionConfiguration": {"rule": {}}}),
        ("encryption", {"serverSideEncryptionConfigurations": [{"rules": []}]}),
        ("policy", {"policy": PLAIN_HTTP_DENIED}),
        ("versioning", {"versioning": {"enabled": True}}),
        ("lifecycle", {"lifecycleRules": [{"enabled": True}]}),
    ],
)
def test_what_stands_in_the_bucket_itself_counts_too(good, missing, inline):
    del good.resources[missing]
    good.spoil("bucket", **inline)
    assert good.findings() == {}


def test_an_account_that_blocks_public_access_blocks_it_for_every_bucket(good):
    del good.resources["block"]
    said = {("s3-block-public", "bucket"): ["no BucketPublicAccessBlock names the bucket"]}
    assert good.findings() == said
    account = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
    good.add("account", account, dict.fromkeys(BLOCKS[1:], True))
    assert good.findings() == said
    good.spoil("account", **dict.fromkeys(BLOCKS, True))
    assert good.findings() == {}


def test_a_bucket_whose_versions_are_suspended_is_found(good):
    good.spoil("versioning", versioningConfiguration={"status": "Suspended"})
    assert good.findings() == {
        ("s3-versioned", "bucket"): ['versioning: versioningConfiguration.status is "Suspended"']
    }


def test_uploads_that_the_bucket_itself_allows_need_a_scan_too(good):
    good.spoil("bucket", corsRules=[{"allowedMethods": ["POST"]}])
    assert good.findings() == {
        ("uploads-malware-scan", "bucket"): [
            "browsers may upload to it, and no MalwareProtectionPlan names it",
            "its BucketPolicy lets people read what is not found clean",
        ]
    }


# Databases and backups


def test_a_cluster_needs_a_second_instance_unless_it_brings_its_own(good):
    good.add("aurora", CLUSTER, {"clusterIdentifier": "aurora"})
    good.add("selection", SELECTION, resources="db aurora")
    good.add("first", CLUSTER_INSTANCE, clusterIdentifier="aurora")
    assert good.findings() == {("rds-cluster-standby", "aurora"): ["1 ClusterInstances belong to it"]}
    good.add("second", CLUSTER_INSTANCE, clusterIdentifier="aurora")
    assert good.findings() == {}
    del good.resources["first"]
    good.spoil("aurora", dbClusterInstanceClass="db.m6gd.large")
    assert good.findings() == {}


@pytest.mark.parametrize(
    "resource_type",
    [
        CLUSTER,
        "aws:docdb/cluster:Cluster",
        "aws:neptune/cluster:Cluster",
        "aws:dynamodb/table:Table",
        "aws:efs/fileSystem:FileSystem",
    ],
)
def test_every_store_that_aws_backup_knows_needs_a_selection(good, resource_type):
    good.add("store", resource_type, {"dbClusterInstanceClass": "db.m6gd.large"})
    assert good.findings() == {("backup-plan-present", "store"): [NO_BACKUP]}
    good.add("another", SELECTION, resources="store")
    assert good.findings() == {}


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("*", True),
        ("arn:aws:*:*:*:*", True),
        ("arn:aws:dynamodb:*:*:table/*", True),
        ("arn:aws:rds:*:*:db:*", False),
    ],
)
def test_a_pattern_holds_the_stores_of_its_service(good, pattern, holds):
    good.add("store", "aws:dynamodb/table:Table")
    good.add("another", SELECTION, {"resources": [pattern]})
    assert good.findings() == ({} if holds else {("backup-plan-present", "store"): [NO_BACKUP]})


@pytest.mark.parametrize(("status", "holds"), [("ENABLED", True), ("DISABLED", False)])
def test_a_file_system_may_ask_for_backups_itself(good, status, holds):
    good.add("files", "aws:efs/fileSystem:FileSystem")
    good.add(
        "own", "aws:efs/backupPolicy:BackupPolicy", {"backupPolicy": {"status": status}}, fileSystemId="files"
    )
    assert good.findings() == ({} if holds else {("backup-plan-present", "files"): [NO_BACKUP]})


def test_a_schedule_that_is_off_dumps_nothing(good):
    good.add("nightly", SCHEDULE, {"state": "DISABLED"}, target="dump")
    assert good.findings() == {("logical-backup-scheduled", "db"): [NO_DUMP]}
    good.add("nightly", SCHEDULE, {"state": "ENABLED"}, target="dump")
    assert good.findings() == {}


def test_a_schedule_of_something_else_dumps_nothing(good):
    good.add("dump", TASK, container(command=["vacuumdb"]), executionRoleArn="starter")
    good.add("nightly", SCHEDULE, target="dump")
    assert good.findings() == {("logical-backup-scheduled", "db"): [NO_DUMP]}


def test_a_rule_of_eventbridge_or_a_cron_job_dumps_as_well(good):
    del good.resources["nightly"]
    good.add("target", "aws:cloudwatch/eventTarget:EventTarget", ecsTarget="dump")
    assert good.findings() == {}
    del good.resources["target"]
    job = {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"args": ["mysqldump db"]}]}}}}}
    good.add("job", CRON_JOB, in_namespace("shop", spec=job))
    assert good.findings() == {}
    good.add("job", CRON_JOB, in_namespace("shop", spec={**job, "suspend": True}))
    assert good.findings() == {("logical-backup-scheduled", "db"): [NO_DUMP]}


def test_a_task_that_is_not_known_yet_may_be_the_dump(good):
    good.spoil("dump", containerDefinitions=UNKNOWN_STRING_VALUE)
    with pytest.raises(UnknownValueError):
        good.findings()
    good.add("known", TASK, DUMP, executionRoleArn="starter")
    good.add("nightly", SCHEDULE, target="dump known")
    assert good.findings() == {}


def test_a_scheduled_task_that_reads_a_dump_back_is_a_test_too(good):
    del good.resources["tests"]
    assert good.findings() == {("restore-test-scheduled", "plan"): [NO_TEST]}
    good.add("verify", TASK, container(command=["sh", "-c", "createdb trial && psql"]), taskRoleArn="role")
    good.add("weekly", SCHEDULE, target="verify")
    assert good.findings() == {}


@pytest.mark.parametrize(
    "resource_type",
    [
        BUCKET,
        "aws:kms/key:Key",
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "aws:backup/vault:Vault",
    ],
)
def test_what_holds_data_is_protected(resource_type):
    stack = Declared({"data-protected"})
    stack.add("store", resource_type)
    assert stack.findings() == {}
    stack.resources["store"].opts.protect = False
    assert stack.findings() == {("data-protected", "store"): ["its resource option protect is not set"]}


# Tasks and functions


@pytest.mark.parametrize(
    ("props", "refers"),
    [
        ({}, {"taskRoleArn": "role", "executionRoleArn": "role"}),
        ({"taskRoleArn": "arn:role", "executionRoleArn": "arn:role"}, {}),
    ],
)
def test_a_task_with_one_role_for_both_is_found(good, props, refers):
    good.add("dump", TASK, {**DUMP, **props}, **refers)
    good.add("nightly", SCHEDULE, target="dump")
    assert good.findings() == {
        ("task-role-of-its-own", "dump"): ["taskRoleArn and executionRoleArn are the same role"]
    }


def test_a_task_that_calls_nothing_needs_no_role(good):
    good.add("dump", TASK, DUMP, executionRoleArn="starter")
    good.add("nightly", SCHEDULE, target="dump")
    assert good.findings() == {}


@pytest.mark.parametrize(
    ("props", "refers", "holds"),
    [
        ({"name": "/aws/lambda/resize"}, {}, True),
        ({"name": "/aws/lambda/other"}, {}, False),
        ({}, {"name": "function"}, True),
    ],
)
def test_a_function_without_a_logging_config_writes_into_the_group_of_its_name(good, props, refers, holds):
    good.add("function", FUNCTION, {"name": "resize"})
    good.add("log", LOG_GROUP, props, **refers)
    said = {("lambda-log-declared", "function"): ["no LogGroup is declared for it"]}
    assert good.findings() == ({} if holds else said)


@pytest.mark.parametrize(
    ("principal", "kept", "finding"),
    [
        ("sns.amazonaws.com", {}, "sns.amazonaws.com calls it, and no deadLetterConfig is set"),
        ("sns.amazonaws.com", {"deadLetterConfig": {"targetArn": "arn:queue"}}, None),
        ("elasticloadbalancing.amazonaws.com", {}, None),
    ],
)
def test_a_function_that_gets_messages_keeps_those_that_fail(good, principal, kept, finding):
    good.spoil("function", loggingConfig={"logGroup": "log"}, **kept)
    good.add("call", PERMISSION, {"principal": principal}, function="function")
    assert good.findings() == ({("lambda-failures-kept", "function"): [finding]} if finding else {})


def test_a_destination_for_failures_keeps_them_too(good):
    good.add("call", PERMISSION, {"principal": "s3.amazonaws.com"}, function="function")
    assert ("lambda-failures-kept", "function") in good.findings()
    config = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
    failures = {"destinationConfig": {"onFailure": {"destination": "arn:queue"}}}
    good.add("async", config, failures, functionName="function")
    assert good.findings() == {}


# Machines


@pytest.mark.parametrize(
    ("resource_type", "props", "finding"),
    [
        (MACHINE, {}, "rootBlockDevice.encrypted is not set"),
        (MACHINE, {"launchTemplate": {"id": "lt-1"}}, None),
        (MACHINE, {"rootBlockDevice": {"encrypted": True}}, None),
        (
            MACHINE,
            {
                "rootBlockDevice": {"encrypted": True},
                "ebsBlockDevices": [{"deviceName": "/dev/sdf", "encrypted": False}],
            },
            "disk /dev/sdf: encrypted is false",
        ),
        (LAUNCH_TEMPLATE, {}, None),
        (
            LAUNCH_TEMPLATE,
            {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"encrypted": "true"}}]},
            None,
        ),
        (
            LAUNCH_TEMPLATE,
            {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": 50}}]},
            "disk /dev/xvda: encrypted is not set",
        ),
        (
            LAUNCH_TEMPLATE,
            {"blockDeviceMappings": [{"deviceName": "/dev/sdb", "virtualName": "ephemeral0"}]},
            None,
        ),
        ("aws:ec2/launchConfiguration:LaunchConfiguration", {}, "rootBlockDevice.encrypted is not set"),
        (VOLUME, {"size": 8}, "encrypted is not set"),
        (VOLUME, {"encrypted": True}, None),
        (VOLUME, {"snapshotId": "snap-1"}, None),
    ],
)
def test_disks_are_encrypted_one_by_one_or_all_of_them(good, resource_type, props, finding):
    good.add("machine", resource_type, props)
    assert good.findings() == ({("ebs-encrypted", "machine"): [finding]} if finding else {})
    by_default = "aws:ebs/encryptionByDefault:EncryptionByDefault"
    good.add("all", by_default, {"enabled": False})
    assert good.findings() == ({("ebs-encrypted", "machine"): [finding]} if finding else {})
    good.add("all", by_default)
    assert good.findings() == {}


# Pods


@pytest.mark.parametrize(
    ("props", "holds"),
    [
        (in_namespace("shop"), True),
        (in_namespace("other"), False),
        (in_namespace(UNKNOWN_STRING_VALUE), True),
        ({"metadata": {}}, False),
        ({"metadata": UNKNOWN_STRING_VALUE}, True),
    ],
)
def test_a_network_policy_holds_for_its_own_namespace(good, props, holds):
    good.spoil("closed", **props)
    said = {("k8s-network-policy", "api"): ["no NetworkPolicy is declared for its namespace"]}
    assert good.findings() == ({} if holds else said)


def test_security_groups_for_pods_do_what_a_network_policy_does(good):
    del good.resources["closed"]
    good.add("groups", "kubernetes:vpcresources.k8s.aws/v1beta1:SecurityGroupPolicy", in_namespace("shop"))
    assert good.findings() == {}


def test_a_single_pod_needs_no_budget_and_a_budget_of_others_is_none(good):
    good.spoil("budget", **in_namespace("shop", spec={"selector": {"matchLabels": {"app": "other"}}}))
    assert good.findings() == {("k8s-disruption-budget", "api"): ["no PodDisruptionBudget selects it"]}
    good.spoil("budget", **in_namespace("other", spec={"selector": {"matchLabels": {"app": "api"}}}))
    assert good.findings() == {("k8s-disruption-budget", "api"): ["no PodDisruptionBudget selects it"]}
    good.spoil("api", **in_namespace("shop", spec=replicas(1)))
    assert good.findings() == {}
