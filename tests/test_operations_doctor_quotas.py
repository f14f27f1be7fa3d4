"""The quotas that `groundwork doctor` asks: the table, what a stack needs, what an account has, allows and tells."""

from datetime import UTC, datetime, timedelta

import boto3
import jmespath
import pytest
from botocore.exceptions import EndpointConnectionError

from components._deploy_actions import TYPES
from operations.doctor import (
    needs,
    quotas,
    tables,
)
from operations.doctor.line import State, guarded
from operations.doctor.tables import Quota
from operations.platform import Platform
from tests.aws_cloud import cloud, emulator_url, refusal
from tests.doctor_stacks import DENIED, changed, declaring, line, real, resource, urn

__all__ = ["cloud", "emulator_url"]

VPC = resource("aws:ec2/vpc:Vpc", "network", cidrBlock="10.20.0.0/16")


# The data


def test_every_quota_and_name_is_asked_by_an_operation_that_there_is():
    calls = [each.used for each in tables.quotas().quotas if isinstance(each.used, tables.Call)]
    for call in [*calls, *(each.taken for each in tables.names())]:
        client = boto3.client(call.client, region_name="us-east-1")
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[call.operation])
        parsed = jmespath.compile(call.each).parsed
        assert set(fields(parsed)) & set(model.output_shape.members), call
        assert not call.parameters or set(call.parameters) <= set(model.input_shape.members), call


def fields(tree):
    if tree["type"] == "field":
        yield tree["value"]
    for child in tree["children"]:
        yield from fields(child) if isinstance(child, dict) else ()


def test_no_quota_is_listed_twice():
    codes = [(each.service, each.code or each.name) for each in tables.quotas().quotas]
    assert len(codes) == len(set(codes))
    assert len(codes) == len({each.what for each in tables.quotas().quotas})


def test_a_quota_that_would_count_nothing_is_refused():
    with pytest.raises(ValueError, match="either types, or a function"):
        Quota(what="w", service="s", name="n", used="nothing")
    with pytest.raises(ValueError, match="either types, or a function"):
        Quota(what="w", service="s", name="n", needs="no_such", used="nothing")


def test_services_own_roles_are_those_that_the_pipeline_may_have_made():
    assert tables.service_roles() == {
        type_: rights.linked for type_, rights in TYPES.items() if rights.linked
    }


@pytest.mark.parametrize("stack", ["prod", "fixrx/prod", "sports-nutrition/prod"])
def test_every_named_type_of_a_real_stack_is_an_input_of_it(stack):
    """A name that the table asks for, and that no stack gives, would be a check that cannot fail."""
    given = {each.type for each in tables.names() if list(real(stack).named(each.type, each.input))}
    assert {"aws:rds/instance:Instance", "aws:iam/role:Role", "aws:ecr/repository:Repository"} <= given


# What the stack needs


def needed(name, declared):
    """None of these asks AWS."""
    return dict(needs.NEEDS[name](declared, Platform("rentalfix", "prod", {})))


def test_needs_of_production_are_its_own_figures():
    prod = real("prod")
    assert needed("fargate_vcpus", prod) == {("us-east-1", ""): 7 + 4 + 0.25}
    assert needed("cache_nodes", prod) == {("us-east-1", ""): 6 + 2}
    assert needed("db_instances", prod) == {("us-east-1", ""): 2}
    assert needed("db_storage_gib", prod) == {("us-east-1", ""): 200}
    assert needed("interface_endpoints", prod) == {("us-east-1", ""): 7}
    assert needed("gateway_endpoints", prod) == {("us-east-1", ""): 1}
    assert needed("application_load_balancers", prod) == {("us-east-1", ""): 1}
    assert needed("nat_gateways_by_zone", prod) == {("us-east-1", f"us-east-1{zone}"): 1 for zone in "abc"}
    assert needed("names_of_a_certificate", prod) == {("us-east-1", "certificate"): 3}
    assert needed("lambda_executions", prod) == {("us-east-1", ""): 1}
    assert max(needed("policies_of_a_role", prod).values()) <= 10
    assert max(needed("rules_of_a_group", prod).values()) >= 2


def test_a_changed_stack_is_what_is_asked():
    """Counts come from the stack: another maximum is another need."""
    services = {"core-matching": {**real("prod").setting("services")["core-matching"], "max_count": 6}}
    assert needed("fargate_vcpus", changed("prod", services=services))[("us-east-1", "")] == 6 + 4 + 0.25


def test_services_without_an_image_count_as_the_stack_file_has_them():
    assert needed("fargate_vcpus", real("staging")) == {("us-east-1", ""): 4 * 0.5 + 2 * 0.5 + 0.25}


def test_spot_is_counted_apart():
    service, definition = "aws:ecs/service:Service", "aws:ecs/taskDefinition:TaskDefinition"
    of = {"taskDefinition": urn(definition, "d")}
    declared = declaring(
        resource(definition, "d", cpu="2048"),
        resource(service, "a", of, desiredCount=2),
        resource(
            service,
            "b",
            of,
            desiredCount=3,
            capacityProviderStrategies=[{"capacityProvider": "FARGATE_SPOT"}],
        ),
    )
    assert needed("fargate_vcpus", declared) == {("us-east-1", ""): 4}
    assert needed("fargate_spot_vcpus", declared) == {("us-east-1", ""): 6}


def test_a_cluster_counts_its_members_and_its_storage():
    declared = declaring(
        resource("aws:rds/cluster:Cluster", "c", dbClusterInstanceClass="db.r6gd.large", allocatedStorage=100)
    )
    assert needed("db_instances", declared) == {("us-east-1", ""): 3}
    assert needed("db_storage_gib", declared) == {("us-east-1", ""): 100}


@pytest.mark.parametrize(("reserved", "number"), [(None, 1), (-1, 1), (5, 105), (0, 0)])
def test_who_reserves_executions_leaves_a_hundred_to_others(reserved, number):
    more = {} if reserved is None else {"reservedConcurrentExecutions": reserved}
    declared = declaring(resource("aws:lambda/function:Function", "f", **more))
    assert needed("lambda_executions", declared) == {("us-east-1", ""): number}


def test_only_alarms_by_a_query_are_limited():
    alarm = "aws:cloudwatch/metricAlarm:MetricAlarm"
    declared = declaring(
        resource(alarm, "a", metricQueries=[{"expression": "SELECT MAX(x) FROM y"}]),
        resource(alarm, "b", metricQueries=[{"expression": "100 * a / b"}]),
        resource(alarm, "c", metricName="x"),
    )
    assert needed("metrics_insights_alarms", declared) == {("us-east-1", ""): 1}


def test_nodes_are_counted_at_their_maximum_by_their_largest_type(cloud):
    nodes = "aws:eks/nodeGroup:NodeGroup"
    declared = declaring(
        resource(nodes, "n", instanceTypes=["m5.large", "m5.xlarge"], scalingConfig={"maxSize": 3}),
        resource(nodes, "unknown"),
    )
    assert dict(needs.node_vcpus(declared, cloud)) == {("us-east-1", ""): 12}


# Quotas


def quota(value, *, name="VPCs per Region", code="L-F678F1CE", adjustable=True, **more):
    return {
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(value),
        "Adjustable": adjustable,
        "ServiceCode": "vpc",
        **more,
    }


def of_quota(cloud, declared, what):
    [row] = [each for each in tables.quotas().quotas if each.what == what]
    return list(guarded(what, lambda: quotas._of(cloud, declared, row)))


def test_only_what_is_declared_is_asked(cloud):
    assert list(quotas.check(cloud, declaring())) == []
    assert cloud.asked == []


def test_a_quota_that_suffices_to_the_last_one(cloud):
    there = len(cloud.client("ec2").describe_vpcs()["Vpcs"])
    cloud.says("GetServiceQuota", {"Quota": quota(there + 1)})
    [found] = of_quota(cloud, declaring(VPC), "VPCs")
    assert found.state is State.well
    assert found.figure == f"{there} there, 1 more, {there + 1} allowed"
    assert found.source == "Service Quotas vpc L-F678F1CE"


def test_a_quota_that_is_one_short_says_how_to_ask_for_more(cloud):
    there = len(cloud.client("ec2").describe_vpcs()["Vpcs"])
    cloud.says("GetServiceQuota", {"Quota": quota(there)})
    [found] = of_quota(cloud, declaring(VPC), "VPCs")
    assert found.state is State.wrong
    assert (
        f"--service-code vpc --quota-code L-F678F1CE --desired-value {there + 1} --region us-east-1`"
        in found.todo
    )


def test_a_quota_that_aws_does_not_raise(cloud):
    cloud.says("GetServiceQuota", {"Quota": quota(0, adjustable=False)})
    assert of_quota(cloud, declaring(VPC), "VPCs")[0].todo == "AWS does not raise it: declare less."


def test_the_default_where_the_account_has_no_own_figure(cloud):
    cloud.says("GetServiceQuota", refusal("NoSuchResourceException"))
    cloud.says("GetAWSDefaultServiceQuota", {"Quota": quota(50)})
    [found] = of_quota(cloud, declaring(VPC), "VPCs")
    assert (found.state, found.source) == (State.well, "Service Quotas, AWS's default vpc L-F678F1CE")


def test_a_code_that_aws_does_not_know_says_what_the_stack_needs(cloud):
    cloud.says("GetServiceQuota", refusal("NoSuchResourceException"))
    cloud.says("GetAWSDefaultServiceQuota", refusal("NoSuchResourceException"))
    [found] = of_quota(cloud, declaring(VPC), "VPCs")
    assert found.state is State.unasked
    assert found.figure == "Service Quotas knows no 'VPCs per Region' of vpc; the stack needs 1."


ALARM = resource("aws:cloudwatch/metricAlarm:MetricAlarm", "a", metricQueries=[{"expression": "SELECT 1"}])


def test_a_quota_without_a_code_is_found_by_its_name(cloud):
    row = quota(200, name="Number of metrics Insights alarms", code="L-12345678")
    cloud.says("ListServiceQuotas", {"Quotas": [quota(1, name="Other"), row]})
    [found] = of_quota(cloud, declaring(ALARM), "Metrics Insights alarms")
    assert (found.state, found.figure) == (State.well, "1 more, 200 allowed")


def test_a_name_that_only_the_defaults_have(cloud):
    cloud.says("ListServiceQuotas", {"Quotas": []})
    row = quota(0, name="Number of Metrics Insights alarms", code="L-12345678")
    cloud.says("ListAWSDefaultServiceQuotas", {"Quotas": [row]})
    assert of_quota(cloud, declaring(ALARM), "Metrics Insights alarms")[0].state is State.wrong


def test_a_name_that_nothing_has(cloud):
    cloud.says("ListServiceQuotas", {"Quotas": []})
    cloud.says("ListAWSDefaultServiceQuotas", {"Quotas": []})
    assert of_quota(cloud, declaring(ALARM), "Metrics Insights alarms")[0].state is State.unasked


FARGATE = "Fargate vCPUs, services at their maximum"
USAGE = {
    "MetricNamespace": "AWS/Usage",
    "MetricName": "ResourceCount",
    "MetricDimensions": {"Service": "Fargate", "Class": "Standard/OnDemand"},
    "MetricStatisticRecommendation": "Maximum",
}


def test_usage_is_the_newest_point_of_the_metric_that_the_quota_names(cloud):
    now = datetime.now(UTC)
    points = [
        {"Timestamp": now, "Maximum": 4.0},
        {"Timestamp": now - timedelta(hours=2), "Maximum": 1.0},
    ]
    cloud.says("GetServiceQuota", {"Quota": quota(15, UsageMetric=USAGE)})
    cloud.says("GetMetricStatistics", {"Datapoints": points})
    [found] = of_quota(cloud, real("prod"), FARGATE)
    assert (found.state, found.figure) == (State.wrong, "4 there, 11.25 more, 15 allowed")
    assert "--desired-value 15.25" in found.todo
    asked = cloud.calls("GetMetricStatistics")[-1]
    assert {"Name": "Service", "Value": "Fargate"} in asked["Dimensions"]


def test_nothing_ran_yet_where_there_is_no_point(cloud):
    cloud.says("GetServiceQuota", {"Quota": quota(12, UsageMetric=USAGE)})
    cloud.says("GetMetricStatistics", {"Datapoints": []})
    assert of_quota(cloud, real("prod"), FARGATE)[0].figure == "0 there, 11.25 more, 12 allowed"


def test_a_quota_whose_usage_nobody_publishes(cloud):
    cloud.says("GetServiceQuota", {"Quota": quota(6)})
    [found] = of_quota(cloud, real("prod"), FARGATE)
    assert found.state is State.unasked
    assert "only its limit is known: 6" in found.figure


def test_a_denied_call_names_the_permission_and_the_others_go_on(cloud):
    cloud.says("GetServiceQuota", {"Quota": quota(1000)})
    cloud.says("DescribeVpcs", refusal("UnauthorizedOperation", DENIED.format("ec2:DescribeVpcs")))
    eip = resource("aws:ec2/eip:Eip", "nat")
    found = list(quotas.check(cloud, declaring(VPC, eip)))
    assert line(found, "VPCs").todo == "The permission is ec2:DescribeVpcs."
    assert line(found, "Elastic IPs").state is State.well


def test_a_refusal_that_names_no_permission_names_its_call(cloud):
    cloud.says("GetServiceQuota", refusal("AccessDenied", "no"))
    [found] = of_quota(cloud, declaring(VPC), "VPCs")
    assert found.todo == "The permission is that of the call GetServiceQuota."


def test_a_throttled_call_is_no_missing_permission(cloud):
    cloud.says("GetServiceQuota", refusal("ThrottlingException", "Rate exceeded"))
    [found] = of_quota(cloud, declaring(VPC), "VPCs")
    assert (found.state, found.todo) == (State.unasked, "")


def test_a_network_that_is_away():
    def check():
        raise EndpointConnectionError(endpoint_url="https://x")
        yield

    [found] = guarded("w", check)
    assert found.state is State.unasked
    assert "https://x" in found.figure


def test_an_answer_that_nobody_can_read_is_told_by_its_beginning():
    def check():
        raise ValueError("x" * 1000)
        yield

    [found] = guarded("w", check)
    assert (found.state, found.figure) == (State.unasked, f"ValueError: {'x' * 120}")


def test_a_quota_of_another_region_is_asked_there_and_named(cloud):
    cloud.says("GetServiceQuota", {"Quota": quota(1000)})
    key = "aws:kms/key:Key"
    found = of_quota(cloud, declaring(resource(key, "a"), resource(key, "b", region="us-west-2")), "KMS keys")
    assert [each.what for each in found] == ["KMS keys", "KMS keys (us-west-2)"]


def test_a_quota_of_the_whole_account_counts_every_region_once(cloud):
    cloud.says("GetServiceQuota", {"Quota": quota(1000)})
    bucket = "aws:s3/bucket:Bucket"
    found = of_quota(
        cloud, declaring(resource(bucket, "a"), resource(bucket, "b", region="us-west-2")), "buckets"
    )
    assert [each.figure for each in found] == ["0 there, 2 more, 1,000 allowed"]


def test_nat_gateways_that_are_there_count_in_their_zone(cloud):
    ec2 = cloud.client("ec2")
    subnets = {each["AvailabilityZone"]: each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]}
    address = ec2.allocate_address()["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=subnets["us-east-1c"], AllocationId=address)["NatGateway"][
        "NatGatewayId"
    ]
    try:
        cloud.says("GetServiceQuota", {"Quota": quota(1)})
        [found] = of_quota(cloud, real("prod"), "NAT gateways in a zone")
        assert found.what == "NAT gateways in a zone: us-east-1c"
        assert (found.state, found.figure) == (State.wrong, "1 there, 1 more, 1 allowed")
    finally:
        ec2.delete_nat_gateway(NatGatewayId=made)
        ec2.release_address(AllocationId=address)
    [found] = of_quota(cloud, real("prod"), "NAT gateways in a zone")
    assert (found.state, found.figure) == (State.well, "0 there, 1 more, 1 allowed")


def test_certificates_of_a_year_are_those_that_acm_issued_in_it(cloud):
    now = datetime.now(UTC)
    rows = [
        {
            "CertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/a",
            "Type": kind,
            "CreatedAt": now - timedelta(days=days),
        }
        for kind, days in (("AMAZON_ISSUED", 1), ("AMAZON_ISSUED", 366), ("IMPORTED", 1))
    ]
    cloud.says("GetServiceQuota", {"Quota": quota(2)})
    cloud.says("ListCertificates", {"CertificateSummaryList": rows})
    assert (
        of_quota(cloud, real("prod"), "ACM certificates of a year")[0].figure == "1 there, 1 more, 2 allowed"
    )
