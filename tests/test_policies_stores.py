"""Rules about stores, containers, pods, functions and sharing: what is no offence, and what mends one."""

import copy
import json
import re

import pytest
from catalogue import RULES
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from tests.policy_builders import (
    BROKER,
    CACHE_CLUSTER,
    CLUSTER_PARAMETERS,
    DEPLOYMENT,
    FUNCTION,
    INSTANCE,
    KUBERNETES_CLUSTER,
    LAUNCH_TEMPLATE,
    LEFT_OUT,
    PARAMETERS,
    POD,
    POD_CONTAINER,
    REPOSITORY,
    SERVICE,
    TASK,
    container,
    parameters,
    pod,
    workload,
)
from tests.policy_examples import OFFENCES, spoiled
from tests.policy_examples_stores import (
    ACCESS_POINT,
    BUCKET,
    CLUSTER_INSTANCE,
    CONFIG_MAP,
    DOCUMENTDB_PARAMETERS,
    GLOBAL_CLUSTER,
    KAFKA,
    KUBERNETES_SERVICE,
    LIFECYCLE,
    MACHINE,
    MEMORYDB,
    NLB,
    NODE_GROUP,
    PERMISSION,
    PLAN,
    QUEUE,
    REDSHIFT,
    SERVERLESS_CACHE,
    TASK_CLUSTER,
    allowing,
    backup_rule,
    secured,
)
from tests.test_policies import BY_ID, fired, first_name, run

TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"


@pytest.mark.parametrize(
    ("resource_type", "changes"),
    [
        (GLOBAL_CLUSTER, {"sourceDbClusterIdentifier": "first", "storageEncrypted": LEFT_OUT}),
        (PARAMETERS, {"family": "aurora-postgresql16", "parameters": []}),
        (PARAMETERS, {"family": "mysql8.4", **parameters(require_secure_transport="ON")}),
        (PARAMETERS, {"family": "sqlserver-se-16.0"}),
        (CLUSTER_PARAMETERS, {"family": "aurora-mysql8.0", **parameters(require_secure_transport="1")}),
        (INSTANCE, {"engine": "mysql", "engineVersion": "8.4", "enabledCloudwatchLogsExports": ["error"]}),
        (INSTANCE, {"replicateSourceDb": "first", "dbSubnetGroupName": LEFT_OUT}),
        (INSTANCE, {"dbSubnetGroupName": UNKNOWN_STRING_VALUE}),
        (INSTANCE, {"engine": "sqlserver-se", "iamDatabaseAuthenticationEnabled": LEFT_OUT}),
        (CLUSTER_INSTANCE, {"autoMinorVersionUpgrade": LEFT_OUT}),
        (CACHE_CLUSTER, {"autoMinorVersionUpgrade": "true"}),
        (CACHE_CLUSTER, {"replicationGroupId": "sessions", "subnetGroupName": LEFT_OUT}),
        (
            SERVERLESS_CACHE,
            {"engine": "memcached", "userGroupId": LEFT_OUT, "snapshotRetentionLimit": LEFT_OUT},
        ),
        (SERVERLESS_CACHE, {"majorEngineVersion": LEFT_OUT}),
        (SERVERLESS_CACHE, {"userGroupId": UNKNOWN_STRING_VALUE}),
        (REDSHIFT, {"encrypted": LEFT_OUT}),
        (MEMORYDB, {"tlsEnabled": LEFT_OUT}),
        (DOCUMENTDB_PARAMETERS, {"parameters": LEFT_OUT}),
        (KAFKA, {"encryptionInfo": LEFT_OUT}),
        (
            KAFKA,
            {"brokerNodeGroupInfo": {"connectivityInfo": {"publicAccess": {"type": "DISABLED"}}}},
        ),
        (BUCKET, {"forceDestroy": False, "acl": "log-delivery-write"}),
        (BUCKET, {"grants": [{"type": "CanonicalUser", "id": "abc", "permissions": ["READ"]}]}),
        (ACCESS_POINT, {"publicAccessBlockConfiguration": LEFT_OUT}),
        (
            LIFECYCLE,
            {"bucket": "logs", "rules": [{"id": "a", "status": "Enabled", "expiration": {"days": 7}}]},
        ),
        (LIFECYCLE, {"rules": [{"id": "a", "status": "Disabled", "expiration": {"days": 7}}]}),
        (LIFECYCLE, {"rules": [{"id": "a", "status": "Enabled", "noncurrentVersionExpiration": {}}]}),
        (PLAN, {"rules": [backup_rule(lifecycle=LEFT_OUT)]}),
        (TASK, {"networkMode": LEFT_OUT, "volumes": [{"name": "scratch"}]}),
        (TASK, container(linuxParameters={"capabilities": {"add": ["SYS_PTRACE"]}})),
        (
            TASK,
            {
                "volumes": [
                    {"name": "files", "efsVolumeConfiguration": {"transitEncryption": "ENABLED"}},
                ]
            },
        ),
        (TASK_CLUSTER, {"configuration": LEFT_OUT}),
        (SERVICE, {"platformVersion": LEFT_OUT}),
        (REPOSITORY, {"encryptionConfigurations": [{"encryptionType": "KMS_DSSE"}]}),
        (FUNCTION, {"runtime": LEFT_OUT, "packageType": "Image", "vpcConfig": LEFT_OUT}),
        (FUNCTION, {"kmsKeyArn": LEFT_OUT, "environment": LEFT_OUT}),
        (PERMISSION, {"sourceArn": LEFT_OUT, "sourceAccount": "111122223333"}),
        (PERMISSION, {"sourceArn": UNKNOWN_STRING_VALUE}),
        (PERMISSION, {"principal": "*", "principalOrgId": "o-1"}),
        (PERMISSION, {"principal": "111122223333", "sourceArn": LEFT_OUT}),
        (QUEUE, {"kmsMasterKeyId": LEFT_OUT}),
        (QUEUE, {"kmsMasterKeyId": UNKNOWN_STRING_VALUE, "sqsManagedSseEnabled": False}),
        (BROKER, {"engineType": "ActiveMQ", "logs": {"general": True, "audit": True}}),
        (MACHINE, {"launchTemplate": {"id": "lt-1"}, "metadataOptions": LEFT_OUT}),
        (MACHINE, {"metadataOptions": {"httpEndpoint": "disabled"}}),
        (LAUNCH_TEMPLATE, {"networkInterfaces": [{"associatePublicIpAddress": "false"}]}),
        (KUBERNETES_CLUSTER, {"version": LEFT_OUT}),
        (NODE_GROUP, {"remoteAccess": {"ec2SshKey": "ops", "sourceSecurityGroupIds": ["sg-1"]}}),
        (KUBERNETES_SERVICE, {"spec": LEFT_OUT}),
        (
            KUBERNETES_SERVICE,
            {"spec.type": "LoadBalancer", "metadata": {"annotations": {f"{NLB}scheme": "internal"}}},
        ),
        (
            KUBERNETES_SERVICE,
            {"spec.type": "LoadBalancer", "metadata": {"annotations": {f"{NLB}internal": "true"}}},
        ),
        (CONFIG_MAP, {"data": {"JWT_SECRET": UNKNOWN_STRING_VALUE, "DATABASE_URL": ""}}),
        (CONFIG_MAP, {"data": LEFT_OUT}),
        (DEPLOYMENT, {"metadata": {"namespace": UNKNOWN_STRING_VALUE}}),
        (DEPLOYMENT, {"spec": pod(serviceAccountName=LEFT_OUT, automountServiceAccountToken=False)}),
        (DEPLOYMENT, {"spec": pod(serviceAccountName=UNKNOWN_STRING_VALUE)}),
        (
            DEPLOYMENT,
            {
                "spec": pod(
                    secured(seccompProfile={"type": "Localhost"}), securityContext={"runAsNonRoot": True}
                )
            },
        ),
    ],
)
def test_what_a_rule_does_not_ask_for_is_no_offence(resource_type, changes):
    assert fired(spoiled(resource_type, changes), resource_type) == {}


def test_what_prepares_a_pod_is_judged_like_what_runs_in_it():
    first = {**POD_CONTAINER, "name": "migrate", "image": "nx-api:latest", "securityContext": {}}
    said = fired(workload(POD, pod(initContainers=[first])), POD)
    assert said["k8s-image-pinned"] == ['container migrate: image is "nx-api:latest"']
    assert said["k8s-few-capabilities"] == ["container migrate: capabilities.drop lacks ALL"]


def test_a_pod_without_a_spec_has_no_containers():
    assert "k8s-image-pinned" not in fired({"metadata": {"name": "empty"}}, POD)


# Whom a policy lets in


def narrowed(operator, **values):
    return {"Condition": {operator: {key.replace("__", ":"): value for key, value in values.items()}}}


@pytest.mark.parametrize(
    "condition",
    [
        narrowed("StringEquals", aws__SourceAccount="111122223333"),
        narrowed("StringLike", aws__PrincipalArn=["arn:aws:iam::111122223333:role/*"]),
        narrowed("ArnLike", AWS__SOURCEARN="arn:aws:s3:::files"),
        narrowed("ForAnyValue:StringLike", aws__PrincipalOrgPaths="o-1/*"),
        narrowed("IpAddress", aws__SourceIp=["203.0.113.7/32"]),
        narrowed("Bool", elasticfilesystem__AccessedViaMountTarget="true"),
    ],
)
def test_a_condition_on_the_caller_makes_everybody_somebody(condition):
    assert fired({"policy": allowing("*", **condition)}, TOPIC_POLICY) == {}


@pytest.mark.parametrize(
    "condition",
    [
        narrowed("StringNotEquals", aws__SourceAccount="111122223333"),
        narrowed("StringEqualsIfExists", aws__SourceAccount="111122223333"),
        narrowed("ForAllValues:StringEquals", aws__PrincipalOrgID="o-1"),
        narrowed("StringLike", aws__SourceArn="*"),
        narrowed("StringEquals", aws__RequestedRegion="us-east-1"),
        narrowed("IpAddress", aws__SourceIp=["203.0.113.7/32", "0.0.0.0/0"]),
        narrowed("NotIpAddress", aws__SourceIp="203.0.113.7/32"),
        narrowed("Bool", aws__SecureTransport="true"),
    ],
)
def test_a_condition_on_something_else_leaves_everybody_in(condition):
    said = fired({"policy": allowing("*", **condition)}, TOPIC_POLICY)
    assert said == {"resource-policy-not-public": ["statement 1 allows everybody x:Read"]}


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ({"Effect": "Deny", "Principal": "*", "Action": "sns:Publish"}, None),
        ({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish"}, None),
        (
            {"Effect": "Allow", "NotPrincipal": {"AWS": "arn:one"}, "Action": ["sns:Publish", "sns:Receive"]},
            "statement 1 allows everybody sns:Publish, sns:Receive",
        ),
        (
            {"Effect": "Allow", "Principal": {"Service": "*"}, "NotAction": "sns:Publish"},
            "statement 1 allows everybody everything but some actions",
        ),
    ],
)
def test_everybody_is_written_in_several_ways(statement, finding):
    said = fired({"policy": json.dumps({"Statement": statement})}, TOPIC_POLICY)
    assert said == ({"resource-policy-not-public": [finding]} if finding else {})


def test_a_policy_that_is_given_as_an_object_is_read_too():
    policy = json.loads(allowing({"AWS": ["*"]}))
    assert fired({"policy": policy}, TOPIC_POLICY) == {
        "resource-policy-not-public": ["statement 1 allows everybody x:Read"]
    }


# What mends an offence


REMEDIES = {
    f"{rule.id}: {kind}: {finding}": (rule, kind, changes)
    for rule in RULES
    for kind in rule.remediates
    for changes, finding in OFFENCES.get(rule.id, {}).get(kind, [])
}


@pytest.mark.parametrize(("rule", "kind", "changes"), REMEDIES.values(), ids=REMEDIES)
def test_what_a_rule_offers_to_set_is_no_finding_any_more(rule, kind, changes):
    props = spoiled(kind, changes)
    assert run(rule, props, kind)
    left = mended(rule, kind, props)
    assert not [finding for finding in left if finding.startswith(tuple(rule.remediates[kind]))]


def mended(rule, kind, props):
    return run(rule, {**props, **copy.deepcopy(rule.remediates[kind])}, kind)


def test_every_remedy_mends_some_offence_for_good():
    mends = {
        (rule.id, first_name(kind))
        for rule, kind, changes in REMEDIES.values()
        if mended(rule, kind, spoiled(kind, changes)) == []
    }
    assert mends == {(rule.id, first_name(kind)) for rule in RULES for kind in rule.remediates}
    for rule in RULES:
        assert set(rule.remediates) <= rule.types, rule.id


@pytest.mark.parametrize("rule_id", ["rds-encrypted", "store-encrypted", "cache-at-rest-encryption"])
def test_what_would_replace_a_store_that_stands_is_never_set_by_the_pack(rule_id):
    assert BY_ID[rule_id].must_know
    assert not BY_ID[rule_id].remediates


# What others call it

FRAMEWORK = re.compile(
    r"(FSBP|Security Hub) [A-Z][A-Za-z0-9]+\.\d+|CIS (3\.0|5\.0) \d(\.\d+){1,2}|CKV2?_(AWS|K8S)_\d+"
)


def test_the_ids_of_frameworks_have_one_form():
    for rule in RULES:
        assert [each for each in rule.frameworks if not FRAMEWORK.fullmatch(each)] == [], rule.id
        assert len(set(rule.frameworks)) == len(rule.frameworks), rule.id
