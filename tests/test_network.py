"""The network as declared: tiers, routes, NAT by count, the flow log; and that zones come and go alone."""

import dataclasses

import pytest

from components._subnets import Blocks
from components.network import Network, NetworkArgs
from tests.recorder import ACCOUNT_ID, record

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
ROUTE = "aws:ec2/route:Route"
NAT = "aws:ec2/natGateway:NatGateway"
EIP = "aws:ec2/eip:Eip"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"


GOOD = NetworkArgs(
    cidr_block="10.20.0.0/16",
    zones=["us-east-1a", "us-east-1b", "us-east-1c"],
    region="us-east-1",
    nat_gateways="per_zone",
    flow_log_retention_days=90,
    log_key_arn="arn:aws:kms:us-east-1:111122223333:key/logs",
    tags={"owner": "platform"},
)


def args(**changes):
    return dataclasses.replace(GOOD, **changes)


def declare(**changes):
    return record(lambda: Network("network", args(**changes)))


def test_vpc_resolves_names_and_its_default_group_allows_nothing():
    declared = declare()
    vpc = declared.one(VPC)
    assert vpc.inputs == {
        "cidrBlock": "10.20.0.0/16",
        "enableDnsSupport": True,
        "enableDnsHostnames": True,
        "tags": {"owner": "platform", "Name": "network"},
    }
    closed = declared.one("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert closed.get("ingress", []) == closed.get("egress", []) == []
    assert declared.orphans() == []


def test_three_tiers_in_each_zone():
    declared = declare()
    assert {s.name: (s["cidrBlock"], s["availabilityZone"]) for s in declared.all(SUBNET)} == {
        "network-private-a": ("10.20.0.0/20", "us-east-1a"),
        "network-private-b": ("10.20.16.0/20", "us-east-1b"),
        "network-private-c": ("10.20.32.0/20", "us-east-1c"),
        "network-isolated-a": ("10.20.128.0/21", "us-east-1a"),
        "network-isolated-b": ("10.20.136.0/21", "us-east-1b"),
        "network-isolated-c": ("10.20.144.0/21", "us-east-1c"),
        "network-public-a": ("10.20.192.0/22", "us-east-1a"),
        "network-public-b": ("10.20.196.0/22", "us-east-1b"),
        "network-public-c": ("10.20.200.0/22", "us-east-1c"),
    }
    assert not any(subnet["mapPublicIpOnLaunch"] for subnet in declared.all(SUBNET))
    tables = {a.name: a["routeTableId"] for a in declared.all(ASSOCIATION)}
    assert tables["network-public-a"] == tables["network-public-c"]
    assert tables["network-isolated-a"] == tables["network-isolated-c"]
    assert tables["network-private-a"] != tables["network-private-c"]


def test_only_public_and_private_have_a_way_out():
    declared = declare()
    routes = {route.name: route for route in declared.all(ROUTE)}
    assert set(routes) == {"network-public", "network-private-a", "network-private-b", "network-private-c"}
    assert {route["destinationCidrBlock"] for route in routes.values()} == {"0.0.0.0/0"}
    assert routes["network-public"]["gatewayId"].startswith("igw-")
    isolated = declared.one(ASSOCIATION, "network-isolated-a")["routeTableId"]
    assert isolated not in {route["routeTableId"] for route in routes.values()}


@pytest.mark.parametrize(
    ("count", "gateways"),
    [
        ("per_zone", ["network-nat-a", "network-nat-b", "network-nat-c"]),
        ("single", ["network-nat-a"]),
        ("none", []),
    ],
)
def test_nat_gateways(count, gateways):
    declared = declare(nat_gateways=count, zones=["us-east-1c", "us-east-1a", "us-east-1b"])
    assert declared.names(NAT) == declared.names(EIP) == gateways
    ways_out = {r.name: r["natGatewayId"] for r in declared.all(ROUTE) if "natGatewayId" in r}
    assert len(ways_out) == (3 if gateways else 0)
    assert len(set(ways_out.values())) == len(gateways)


def test_with_a_gateway_per_zone_each_zone_uses_its_own():
    declared = declare()
    for letter in "abc":
        gateway = declared.one(NAT, f"network-nat-{letter}")
        assert declared.one(ROUTE, f"network-private-{letter}").depends_on(gateway)
        assert gateway.depends_on(declared.one(SUBNET, f"network-public-{letter}"))


def test_the_internet_gateway_stands_before_whatever_needs_it():
    declared = declare()
    gateway = declared.one("aws:ec2/internetGateway:InternetGateway")
    waiting = {subnet.name for subnet in declared.all(SUBNET) if subnet.depends_on(gateway)}
    assert waiting == {f"network-public-{letter}" for letter in "abc"}


def test_s3_is_reached_without_a_nat_gateway():
    declared = declare(nat_gateways="none")
    endpoint = declared.one(ENDPOINT)
    assert endpoint["serviceName"] == "com.amazonaws.us-east-1.s3"
    assert endpoint["vpcEndpointType"] == "Gateway"
    private_and_isolated = {a["routeTableId"] for a in declared.all(ASSOCIATION) if "public" not in a.name}
    assert set(endpoint["routeTableIds"]) == private_and_isolated


def test_flow_log_of_everything_into_an_encrypted_group():
    declared = declare()
    log, group = declared.one(FLOW_LOG), declared.one(LOG_GROUP)
    assert (log["trafficType"], log["maxAggregationInterval"]) == ("ALL", 60)
    assert group["retentionInDays"] == 90
    assert group["kmsKeyId"].endswith("key/logs")
    assert log["logDestination"].endswith(declared.outputs("network")["flow_log_group_name"])
    policy = declared.one("aws:iam/rolePolicy:RolePolicy")
    assert log.depends_on(policy)
    writes, describes = policy.json("policy")["Statement"]
    assert writes["Resource"] == [log["logDestination"] + ":*"]
    assert describes["Action"] == ["logs:DescribeLogGroups"]
    trust = declared.one("aws:iam/role:Role").json("assumeRolePolicy")["Statement"][0]
    assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT_ID}}


def test_outputs_are_in_the_order_of_the_zones():
    declared = declare(zones=["us-east-1c", "us-east-1a"])
    outputs = declared.outputs("network")
    for tier in ("public", "private", "isolated"):
        in_order = [declared.one(ASSOCIATION, f"network-{tier}-{letter}")["subnetId"] for letter in "ca"]
        assert outputs[f"{tier}_subnet_ids"] == in_order
    assert outputs["vpc_id"].startswith("vpc-")
    assert outputs["s3_prefix_list_id"].startswith("pl-")


@pytest.mark.parametrize("count", ["per_zone", "single", "none"])
def test_another_zone_changes_nothing_of_those_that_are_there(count):
    two = declare(nat_gateways=count, zones=["us-east-1a", "us-east-1b"])
    three = declare(nat_gateways=count, zones=["us-east-1b", "us-east-1a", "us-east-1c"])
    assert set(two.names()) < set(three.names())
    after = {(r.type, r.name): r.inputs for r in three}
    changed = {r.name for r in two if r.custom and after[r.type, r.name] != r.inputs}
    assert changed == {"network-s3"}  # one more route table, in place


def test_every_nat_gateway_is_watched_for_exhausted_ports():
    network = record(lambda: Network("network", args()).watches).value
    assert [watch.name for watch in network] == [f"network-nat-{letter}-ports" for letter in "abc"]
    assert {watch.metrics[0].metric_name for watch in network} == {"ErrorPortAllocation"}
    assert record(lambda: Network("network", args(nat_gateways="none")).watches).value == []


def test_every_problem_is_told_before_anything_is_declared():
    with pytest.raises(
        ValueError, match=r"network: cidr_block 10\.0\.0\.0/24 is too small.*; zone 'x' must be"
    ):
        args(cidr_block="10.0.0.0/24", zones=["us-east-1a", "us-east-1b", "x"])


def test_a_preview_sees_every_resource():
    assert record(lambda: Network("network", args()), preview=True).names() == declare().names()


def test_subnets_may_be_laid_down():
    blocks = Blocks(
        private=["10.20.1.0/24", "10.20.2.0/24"],
        public=["10.20.101.0/24", "10.20.102.0/24"],
        isolated=["10.20.201.0/24", "10.20.202.0/24"],
    )
    declared = declare(zones=["us-east-1a", "us-east-1b"], subnets=blocks)
    assert {subnet.name: subnet["cidrBlock"] for subnet in declared.all(SUBNET)} == {
        "network-private-a": "10.20.1.0/24",
        "network-private-b": "10.20.2.0/24",
        "network-public-a": "10.20.101.0/24",
        "network-public-b": "10.20.102.0/24",
        "network-isolated-a": "10.20.201.0/24",
        "network-isolated-b": "10.20.202.0/24",
    }
    with pytest.raises(ValueError, match="one block for each of 3 zones, got 2"):
        args(subnets=blocks)
