"""Regions, zones and what AWS offers in them, as `groundwork doctor` asks for a stack."""

import pytest

from operations.doctor import (
    places,
)
from operations.doctor.line import State
from tests.aws_cloud import cloud, emulator_url
from tests.doctor_stacks import declaring, line, real, resource, states

__all__ = ["cloud", "emulator_url"]


def test_regions_and_zones_of_the_emulator_are_there(cloud):
    found = [*places._regions(cloud, real("prod")), *places._zones(cloud, real("prod"))]
    assert {each.what for each in found} == {
        "region us-east-1",
        "region us-west-2",
        "zone us-east-1a",
        "zone us-east-1b",
        "zone us-east-1c",
    }
    assert states(found) == {State.well}


def test_a_region_that_is_not_switched_on(cloud):
    rows = [
        {"RegionName": "us-east-1", "OptInStatus": "opt-in-not-required"},
        {"RegionName": "us-west-2", "OptInStatus": "not-opted-in"},
    ]
    cloud.says("DescribeRegions", {"Regions": rows})
    found = line(places._regions(cloud, real("prod")), "region us-west-2")
    assert (found.state, found.figure) == (State.wrong, "not-opted-in")


def zone(name, state="available", opted="opt-in-not-required"):
    return {"ZoneName": name, "State": state, "OptInStatus": opted, "ZoneId": "use1-az1"}


@pytest.mark.parametrize(
    ("second", "figure"),
    [
        (zone("us-east-1b", state="impaired"), "impaired, opt-in-not-required"),
        (zone("us-east-1b", opted="not-opted-in"), "available, not-opted-in"),
        (zone("us-east-1f"), "this account has no such zone"),
    ],
)
def test_a_zone_that_the_account_cannot_use(cloud, second, figure):
    cloud.says("DescribeAvailabilityZones", {"AvailabilityZones": [zone("us-east-1a"), second]})
    found = line(places._zones(cloud, declaring()), "zone us-east-1b")
    assert (found.state, found.figure) == (State.wrong, figure)
    assert "us-east-1a" in found.todo


ENDPOINT = resource(
    "aws:ec2/vpcEndpoint:VpcEndpoint",
    "e",
    vpcEndpointType="Interface",
    serviceName="com.amazonaws.us-east-1.logs",
)


@pytest.mark.parametrize(
    ("zones", "expected"), [(["us-east-1a", "us-east-1b"], State.well), (["us-east-1a"], State.wrong)]
)
def test_endpoint_services_by_zone(cloud, zones, expected):
    service = {"ServiceName": "com.amazonaws.us-east-1.logs", "AvailabilityZones": zones}
    cloud.says("DescribeVpcEndpointServices", {"ServiceDetails": [service]})
    found = line(places._endpoints(cloud, declaring(ENDPOINT)), "endpoint services")
    assert found.state is expected
    assert ("us-east-1b" in found.figure) is (expected is State.wrong)


def test_no_endpoint_is_no_question(cloud):
    assert list(places._endpoints(cloud, declaring())) == []


INSTANCE = "aws:rds/instance:Instance"
PRIMARY = resource(
    INSTANCE,
    "primary",
    identifier="p",
    engine="postgres",
    engineVersion="16.15",
    instanceClass="db.r6g.large",
    multiAz=True,
    storageType="gp3",
)
REPLICA = resource(INSTANCE, "replica", identifier="r", replicateSourceDb="p", instanceClass="db.r6g.xlarge")


def offers(cloud, *versions, **option):
    rows = [{"Engine": "postgres", "EngineVersion": each, "Status": "available"} for each in versions]
    cloud.says("DescribeDBEngineVersions", {"DBEngineVersions": rows})
    whole = {
        "StorageType": "gp3",
        "MultiAZCapable": True,
        "AvailabilityZones": [{"Name": "us-east-1a"}, {"Name": "us-east-1b"}],
        **option,
    }
    cloud.says("DescribeOrderableDBInstanceOptions", {"OrderableDBInstanceOptions": [whole]})


def of_databases(cloud, *steps):
    declared = declaring(*steps)
    return [found for each in declared.all(INSTANCE) for found in places._instance(cloud, declared, each)]


def test_a_database_that_is_offered(cloud):
    offers(cloud, "16.15", "17.2")
    found = of_databases(cloud, PRIMARY, REPLICA)
    assert states(found) == {State.well}
    asked = cloud.calls("DescribeOrderableDBInstanceOptions")
    assert [(each["DBInstanceClass"], each["EngineVersion"]) for each in asked] == [
        ("db.r6g.large", "16.15"),
        ("db.r6g.xlarge", "16.15"),
    ]


def test_a_version_that_is_gone_names_those_of_its_major(cloud):
    offers(cloud, "16.9", "16.16", "17.2")
    found = line(of_databases(cloud, PRIMARY), "database primary: version")
    assert found.figure == "postgres 16.15 is not offered"
    assert found.todo == "`database.engine_version`: of 16 there is 16.9, 16.16."


def test_a_version_that_is_deprecated(cloud):
    offers(cloud)
    rows = [{"Engine": "postgres", "EngineVersion": "16.15", "Status": "deprecated"}]
    cloud.says("DescribeDBEngineVersions", {"DBEngineVersions": rows})
    assert (
        line(of_databases(cloud, PRIMARY), "database primary: version").figure
        == "postgres 16.15 is deprecated"
    )


@pytest.mark.parametrize(
    "option",
    [
        {"AvailabilityZones": [{"Name": "us-east-1a"}, {"Name": "us-east-1d"}]},
        {"MultiAZCapable": False},
        {"StorageType": "io1"},
    ],
)
def test_a_class_that_is_not_offered_in_two_zones(cloud, option):
    offers(cloud, "16.15", **option)
    found = line(of_databases(cloud, PRIMARY), "database primary: class")
    assert found.state is State.wrong
    assert "needs 2" in found.figure


def test_one_zone_is_enough_without_a_standby(cloud):
    offers(cloud, "16.15", AvailabilityZones=[{"Name": "us-east-1a"}])
    assert line(of_databases(cloud, REPLICA, PRIMARY), "database replica: class").state is State.well


CLUSTER = resource(
    "aws:rds/cluster:Cluster",
    "c",
    engine="postgres",
    engineVersion="16.4",
    dbClusterInstanceClass="db.r6gd.large",
)


@pytest.mark.parametrize(
    ("supports", "zones", "expected"),
    [(True, "abc", State.well), (True, "ab", State.wrong), (False, "abc", State.wrong)],
)
def test_a_cluster_wants_three_zones_and_a_class_that_has_it(cloud, supports, zones, expected):
    offers(
        cloud,
        "16.4",
        SupportsClusters=supports,
        AvailabilityZones=[{"Name": f"us-east-1{each}"} for each in zones],
    )
    third = resource("aws:ec2/subnet:Subnet", "subnet-c", availabilityZone="us-east-1c")
    declared = declaring(CLUSTER, third)
    [cluster] = declared.all("aws:rds/cluster:Cluster")
    assert line(places._cluster(cloud, declared, cluster), "database c: class").state is expected


@pytest.mark.parametrize(
    ("version", "expected"), [("7.1", State.well), ("7.1.0", State.well), ("5.0", State.wrong)]
)
def test_a_caches_version_and_what_aws_does_not_tell(cloud, version, expected):
    cloud.says(
        "DescribeCacheEngineVersions", {"CacheEngineVersions": [{"Engine": "redis", "EngineVersion": "7.1"}]}
    )
    group = resource(
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "q",
        engine="redis",
        engineVersion=version,
        nodeType="cache.t4g.small",
    )
    declared = declaring(group)
    [change] = declared.all("aws:elasticache/replicationGroup:ReplicationGroup")
    found = list(places._cache(cloud, declared, change))
    assert line(found, "cache q: version").state is expected
    assert "no call" in line(found, "cache q: node type").figure


def broker(cloud, **option):
    whole = {
        "EngineType": "RABBITMQ",
        "HostInstanceType": "mq.m5.large",
        "SupportedDeploymentModes": ["CLUSTER_MULTI_AZ"],
        "SupportedEngineVersions": ["3.13"],
        "AvailabilityZones": [{"Name": "us-east-1a"}, {"Name": "us-east-1b"}],
        **option,
    }

    def pages(given):
        return (
            {"BrokerInstanceOptions": [whole]}
            if given.get("NextToken")
            else {"BrokerInstanceOptions": [], "NextToken": "2"}
        )

    cloud.says("DescribeBrokerInstanceOptions", pages)
    step = resource(
        "aws:mq/broker:Broker",
        "b",
        engineType="RabbitMQ",
        engineVersion="3.13",
        hostInstanceType="mq.m5.large",
        deploymentMode="CLUSTER_MULTI_AZ",
    )
    declared = declaring(step)
    return line(places._broker(cloud, declared, declared.all("aws:mq/broker:Broker")[0]), "broker b")


def test_a_broker_that_is_offered_on_the_second_page(cloud):
    assert broker(cloud).state is State.well
    assert cloud.calls("DescribeBrokerInstanceOptions")[0]["EngineType"] == "RABBITMQ"


@pytest.mark.parametrize(
    ("option", "todo"),
    [
        ({"SupportedEngineVersions": ["4.2"]}, "It has 4.2."),
        ({"SupportedDeploymentModes": ["SINGLE_INSTANCE"]}, "Another instance type or deployment mode."),
        ({"AvailabilityZones": [{"Name": "us-east-1a"}]}, "Other `network.zones`, or another type."),
    ],
)
def test_a_broker_that_is_not_offered(cloud, option, todo):
    found = broker(cloud, **option)
    assert (found.state, found.todo) == (State.wrong, todo)


@pytest.mark.parametrize(("zones", "expected"), [("ab", State.well), ("a", State.wrong)])
def test_nodes_by_zone(cloud, zones, expected):
    rows = [
        {"InstanceType": "m7g.large", "Location": f"us-east-1{each}", "LocationType": "availability-zone"}
        for each in zones
    ]
    cloud.says("DescribeInstanceTypeOfferings", {"InstanceTypeOfferings": rows})
    declared = declaring(resource("aws:eks/nodeGroup:NodeGroup", "n", instanceTypes=["m7g.large"]))
    [nodes] = declared.all("aws:eks/nodeGroup:NodeGroup")
    assert line(places._nodes(cloud, declared, nodes), "nodes n").state is expected
