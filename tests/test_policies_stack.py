"""The rules that look at more than one resource: a good stack with one thing taken away or spoiled."""

import importlib
import json
from pathlib import Path

import pytest
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from tests.policy_examples import INGRESS, LEFT_OUT, ingress
from tests.policy_stack import STACK_RULES, Declared

# The rules that are broken here: the good stack below is judged by these alone.
BROKEN = {
    "admin-access-via-vpn",
    "s3-encrypted",
    "s3-block-public",
    "s3-tls-only",
    "uploads-malware-scan",
    "waf-rate-limit-on-public-entry",
    "db-in-private-subnets",
    "required-alarms-present",
    "backup-plan-present",
    "backup-vault-locked",
    "restore-test-scheduled",
}

DENY_PLAIN_HTTP = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
DENY_UNSCANNED = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": ["s3:GetObject"],
    "Condition": {"StringNotEquals": {"s3:ExistingObjectTag/GuardDutyMalwareScanStatus": "NO_THREATS_FOUND"}},
}
RATE_RULE = {"statement": {"rateBasedStatement": {"limit": 120}}, "action": {"block": {}}}


@pytest.fixture
def good():
    """Every reference is an output of another resource that a preview does not know yet."""
    stack = Declared(BROKEN)
    add = stack.add
    add("igw", "aws:ec2/internetGateway:InternetGateway")
    add("isolated", "aws:ec2/subnet:Subnet", {"mapPublicIpOnLaunch": False})
    add("public", "aws:ec2/subnet:Subnet")
    for tier in ("isolated", "public"):
        add(f"{tier}-routes", "aws:ec2/routeTable:RouteTable")
        add(
            f"{tier}-association",
            "aws:ec2/routeTableAssociation:RouteTableAssociation",
            subnetId=tier,
            routeTableId=f"{tier}-routes",
        )
    add("public-route", "aws:ec2/route:Route", routeTableId="public-routes", gatewayId="igw")
    add("db-subnets", "aws:rds/subnetGroup:SubnetGroup", subnetIds="isolated")
    add("cache-subnets", "aws:elasticache/subnetGroup:SubnetGroup", subnetIds="isolated")

    add("bucket", "aws:s3/bucket:Bucket", {"bucket": "rentfix-backups"})
    add(
        "encryption",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        bucket="bucket",
    )
    blocks = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    add(
        "block",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        dict.fromkeys(blocks, True),
        bucket="bucket",
    )
    add(
        "policy",
        "aws:s3/bucketPolicy:BucketPolicy",
        {"policy": json.dumps({"Statement": [DENY_PLAIN_HTTP, DENY_UNSCANNED]})},
        bucket="bucket",
    )
    add(
        "uploads",
        "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
        {"corsRules": [{"allowedMethods": ["GET", "PUT"], "allowedOrigins": ["https://rentfix.com"]}]},
        bucket="bucket",
    )
    add(
        "scan",
        "aws:guardduty/malwareProtectionPlan:MalwareProtectionPlan",
        {"actions": [{"taggings": [{"status": "ENABLED"}]}]},
        protectedResource="bucket",
    )

    add("db", "aws:rds/instance:Instance", {"identifier": "rentfix-primary"})
    add("replica", "aws:rds/instance:Instance", replicateSourceDb="db")
    add("balancer", "aws:lb/loadBalancer:LoadBalancer", {"internal": False})
    add("acl", "aws:wafv2/webAcl:WebAcl", {"rules": [RATE_RULE]})
    add("acl-use", "aws:wafv2/webAclAssociation:WebAclAssociation", resourceArn="balancer", webAclArn="acl")
    add("site", "aws:cloudfront/distribution:Distribution", webAclId="acl")

    add("topic", "aws:sns/topic:Topic")
    add("oncall", "aws:sns/topicSubscription:TopicSubscription", topic="topic")
    for watched in ("db", "balancer"):
        add(
            f"{watched}-alarm",
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            dimensions=watched,
            alarmActions="topic",
        )
    add(
        "replica-lag",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        metricQueries="replica db",
        alarmActions="topic",
    )

    add("vault", "aws:backup/vault:Vault")
    add("lock", "aws:backup/vaultLockConfiguration:VaultLockConfiguration", backupVaultName="vault")
    add("plan", "aws:backup/plan:Plan")
    add("selection", "aws:backup/selection:Selection", resources="db")
    add("restore", "aws:backup/restoreTestingPlan:RestoreTestingPlan")
    add(
        "restored",
        "aws:backup/restoreTestingSelection:RestoreTestingSelection",
        restoreTestingPlanName="restore",
    )
    return stack


def test_no_rule_complains_about_a_good_stack(good):
    assert good.findings() == {}


@pytest.mark.parametrize(
    ("missing", "rule_id", "about", "finding"),
    [
        (
            "encryption",
            "s3-encrypted",
            "bucket",
            "no BucketServerSideEncryptionConfiguration names the bucket",
        ),
        ("block", "s3-block-public", "bucket", "no BucketPublicAccessBlock names the bucket"),
        (
            "scan",
            "uploads-malware-scan",
            "bucket",
            "browsers may upload to it, and no MalwareProtectionPlan names it",
        ),
        ("acl-use", "waf-rate-limit-on-public-entry", "balancer", "no WebAcl is associated"),
        ("db-alarm", "required-alarms-present", "db", None),
        ("balancer-alarm", "required-alarms-present", "balancer", "no alarm watches it"),
        ("replica-lag", "required-alarms-present", "replica", "no alarm watches it"),
        (
            "oncall",
            "required-alarms-present",
            "topic",
            "3 alarms go to this topic, and nobody is subscribed to it",
        ),
        ("selection", "backup-plan-present", "db", "no backup Selection names it"),
        ("lock", "backup-vault-locked", "vault", "the vault has no lock"),
        ("restore", "restore-test-scheduled", "plan", "nothing restores these backups to test them"),
        ("restored", "restore-test-scheduled", "plan", "nothing restores these backups to test them"),
    ],
)
def test_a_missing_companion_is_found_and_nothing_else_is(good, missing, rule_id, about, finding):
    del good.resources[missing]
    # db is watched by the alarm on its replica's lag too, so one of the two may go.
    assert good.findings() == ({(rule_id, about): [finding]} if finding else {})


@pytest.mark.parametrize(
    ("name", "props", "rule_id", "about", "finding"),
    [
        (
            "block",
            {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True},
            "s3-block-public",
            "bucket",
            "block: restrictPublicBuckets is not set",
        ),
        (
            "policy",
            {"policy": json.dumps({"Statement": {**DENY_PLAIN_HTTP, "Effect": "Allow"}})},
            "s3-tls-only",
            "bucket",
            "the BucketPolicy policy does not deny plain HTTP",
        ),
        (
            "policy",
            {"policy": json.dumps({"Statement": [{**DENY_PLAIN_HTTP, "Principal": {"AWS": "one"}}]})},
            "s3-tls-only",
            "bucket",
            "the BucketPolicy policy does not deny plain HTTP",
        ),
        (
            "isolated",
            {"mapPublicIpOnLaunch": True},
            "db-in-private-subnets",
            "db-subnets",
            "subnet isolated gives out public addresses",
        ),
    ],
)
def test_a_spoiled_companion_is_found(good, name, props, rule_id, about, finding):
    good.spoil(name, **props)
    assert good.findings()[rule_id, about] == [finding]


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{**RATE_RULE, "action": {"count": {}}}],
        [{"statement": {"geoMatchStatement": {}}, "action": {"block": {}}}],
    ],
)
def test_a_web_acl_without_a_blocking_rate_rule_is_none(good, rules):
    good.spoil("acl", rules=rules)
    said = ["WebAcl acl has no rate-based rule that blocks"]
    assert good.findings() == {
        ("waf-rate-limit-on-public-entry", "balancer"): said,
        ("waf-rate-limit-on-public-entry", "site"): said,
    }


@pytest.mark.parametrize(
    ("name", "props", "finding"),
    [
        ("scan", {"actions": []}, "scan: tagging is not ENABLED, so nobody can tell what is clean"),
        (
            "policy",
            {
                "policy": json.dumps(
                    {"Statement": [DENY_PLAIN_HTTP, {**DENY_UNSCANNED, "Action": "s3:PutObject"}]}
                )
            },
            "its BucketPolicy lets people read what is not found clean",
        ),
        (
            "policy",
            {"policy": json.dumps({"Statement": [DENY_PLAIN_HTTP, {**DENY_UNSCANNED, "Condition": {}}]})},
            "its BucketPolicy lets people read what is not found clean",
        ),
    ],
)
def test_uploads_that_can_be_read_before_they_are_scanned_are_found(good, name, props, finding):
    good.spoil(name, **props)
    assert good.findings() == {("uploads-malware-scan", "bucket"): [finding]}


def test_without_a_policy_uploads_are_read_at_will(good):
    del good.resources["policy"]
    assert good.findings() == {
        ("s3-tls-only", "bucket"): ["no BucketPolicy names the bucket"],
        ("uploads-malware-scan", "bucket"): ["its BucketPolicy lets people read what is not found clean"],
    }


def test_a_bucket_that_browsers_only_read_needs_no_scan(good):
    good.spoil("uploads", corsRules=[{"allowedMethods": ["GET"]}])
    del good.resources["scan"]
    good.spoil("policy", policy=json.dumps({"Statement": DENY_PLAIN_HTTP}))
    assert good.findings() == {}


def test_a_broker_in_a_subnet_with_a_route_out_is_found(good):
    good.add("broker", "aws:mq/broker:Broker", subnetIds="public")
    assert good.findings()["db-in-private-subnets", "broker"] == [
        "subnet public has a route to an internet gateway"
    ]


def test_a_distribution_without_web_acl_is_found(good):
    good.add("site", "aws:cloudfront/distribution:Distribution")
    assert good.findings() == {("waf-rate-limit-on-public-entry", "site"): ["no WebAcl is associated"]}


@pytest.mark.parametrize("props", [{"internal": True}, {"loadBalancerType": "network"}])
def test_only_public_application_balancers_need_a_rate_limit(good, props):
    del good.resources["acl-use"]
    good.spoil("balancer", **props)
    assert good.findings() == {}


@pytest.mark.parametrize(
    ("changes", "refers", "finding"),
    [
        ({"wafv2_acl_arn": UNKNOWN_STRING_VALUE}, {"metadata": "acl"}, None),
        ({"wafv2_acl_arn": "arn:acl"}, {}, None),
        ({"scheme": "internal", "wafv2_acl_arn": LEFT_OUT}, {}, None),
        ({"class_name": "nginx", "wafv2_acl_arn": LEFT_OUT}, {}, None),
        ({"wafv2_acl_arn": LEFT_OUT}, {"metadata": "acl"}, "no WebAcl is associated"),
        ({"wafv2_acl_arn": "none"}, {"metadata": "acl"}, "no WebAcl is associated"),
        ({"wafv2_acl_arn": "arn:another"}, {}, "no WebAcl is associated"),
        (
            {"wafv2_acl_arn": UNKNOWN_STRING_VALUE},
            {"metadata": "slow"},
            "WebAcl slow has no rate-based rule that blocks",
        ),
    ],
)
def test_an_ingress_needs_a_web_acl_as_a_balancer_does(good, changes, refers, finding):
    good.add("slow", "aws:wafv2/webAcl:WebAcl", {"rules": []})
    good.spoil("acl", arn="arn:acl", rules=[RATE_RULE])
    good.add("way-in", INGRESS, **refers)
    good.spoil("way-in", **ingress(**changes))
    expected = {("waf-rate-limit-on-public-entry", "way-in"): [finding]} if finding else {}
    assert good.findings() == expected


def test_a_data_store_in_a_subnet_with_a_route_out_is_found(good):
    good.add("cache-subnets", "aws:elasticache/subnetGroup:SubnetGroup", subnetIds="isolated public")
    assert good.findings() == {
        ("db-in-private-subnets", "cache-subnets"): ["subnet public has a route to an internet gateway"]
    }


@pytest.mark.parametrize(
    "resource_type",
    [
        "aws:rds/cluster:Cluster",
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "aws:mq/broker:Broker",
        "aws:ecs/service:Service",
        "aws:alb/loadBalancer:LoadBalancer",
    ],
)
def test_whatever_can_fail_needs_an_alarm(good, resource_type):
    good.add("new", resource_type, {"internal": True})
    assert good.findings()["required-alarms-present", "new"] == ["no alarm watches it"]
    good.add("new-alarm", "aws:cloudwatch/metricAlarm:MetricAlarm", dimensions="new")
    assert good.findings()["required-alarms-present", "new"] == [
        "1 alarms watch it, and none of them has an action"
    ]
    good.add(
        "new-alarm", "aws:cloudwatch/metricAlarm:MetricAlarm", {"alarmActions": ["arn"]}, dimensions="new"
    )
    assert ("required-alarms-present", "new") not in good.findings()


def test_a_reference_in_plain_text_counts_too(good):
    good.add(
        "policy",
        "aws:s3/bucketPolicy:BucketPolicy",
        {
            "bucket": "rentfix-backups",
            "policy": json.dumps({"Statement": [DENY_PLAIN_HTTP, DENY_UNSCANNED]}),
        },
    )
    good.add(
        "db-alarm",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        {"dimensions": {"DBInstanceIdentifier": "rentfix-primary"}},
        alarmActions="topic",
    )
    del good.resources["replica-lag"]
    assert set(good.findings()) == {("required-alarms-present", "replica")}


@pytest.mark.parametrize(
    "props", [{"resources": ["arn:aws:rds:*:*:db:*"]}, {"selectionTags": [{"key": "backup"}]}]
)
def test_a_selection_by_pattern_or_tag_is_left_to_aws(good, props):
    good.add("selection", "aws:backup/selection:Selection", props)
    assert good.findings() == {}


def test_a_document_that_is_not_known_yet_stops_the_rule(good):
    good.spoil("policy", policy=UNKNOWN_STRING_VALUE)
    with pytest.raises(UnknownValueError):
        good.findings()


def test_a_machine_with_a_key_pair_needs_a_vpn(good):
    machine = "aws:ec2/instance:Instance"
    good.add("bastion", machine, {"keyName": "ops"})
    good.add("managed", machine, {"iamInstanceProfile": "session-manager"})
    assert good.findings() == {
        ("admin-access-via-vpn", "bastion"): ['keyName is "ops", and the stack has no VPN']
    }
    good.add("vpn", "aws:ec2clientvpn/endpoint:Endpoint")
    for part in ("networkAssociation:NetworkAssociation", "authorizationRule:AuthorizationRule"):
        good.add(part, f"aws:ec2clientvpn/{part}", clientVpnEndpointId="vpn")
    assert good.findings() == {}


def test_every_stack_rule_is_broken_in_one_of_these_files():
    files = sorted(Path(__file__).parent.glob("test_policies_stack*.py"))
    broken = [importlib.import_module(f"tests.{file.stem}").BROKEN for file in files]
    assert {rule.id for rule in STACK_RULES} == set().union(*broken)
