"""The network itself: who watches it, and what it lets through where no security group asks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from openings import ADMIN_PORTS, DEFAULT_SECURITY_GROUP, is_world, openings, ports_of, ways_out
from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, given, is_set, literal, rule, shown

VPC = "aws:ec2/vpc:Vpc"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
SUBNET = "aws:ec2/subnet:Subnet"
NETWORK_ACL = "aws:ec2/networkAcl:NetworkAcl"
DEFAULT_NETWORK_ACL = "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl"
NETWORK_ACL_RULE = "aws:ec2/networkAclRule:NetworkAclRule"
ROUTE = "aws:ec2/route:Route"
ROUTE_TABLES = ["aws:ec2/routeTable:RouteTable", "aws:ec2/defaultRouteTable:DefaultRouteTable"]
PREFIX_LIST = "aws:ec2/managedPrefixList:ManagedPrefixList"
PREFIX_LIST_ENTRY = "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry"

RULES: list[Rule] = []


@rule(
    RULES,
    "vpc-flow-log",
    types=[VPC],
    severity="medium",
    why="Only its flow log tells afterwards who spoke with whom, and what was refused.",
    remedy='Declare a FlowLog of the Vpc with trafficType "ALL" (stack file: network.flow_log_retention_days)',
    checklist=["C60"],
    frameworks=["FSBP EC2.6", "CIS 3.0 3.7", "CIS 5.0 3.7", "CKV2_AWS_11"],
    whole_stack=True,
)
def vpc_flow_log(vpc: PolicyResource, stack: Stack) -> Findings:
    """A network's flows are logged, those that are refused among them."""
    logs = stack.referring([FLOW_LOG], "vpcId", vpc)
    if not logs:
        yield "no FlowLog names it"
    elif not any(log.props.get("trafficType") in {"ALL", "REJECT"} for log in logs):
        yield f"{logs[0].name}: {given(logs[0].props, 'trafficType')}, so what is refused is not logged"


@rule(
    RULES,
    "vpc-default-group-closed",
    types=[VPC, DEFAULT_SECURITY_GROUP],
    severity="high",
    why="What is made without a security group gets the default one, which lets its members into each other and out.",
    remedy="Declare the Vpc's DefaultSecurityGroup with neither ingress nor egress, as Groundwork's network does",
    checklist=["C28"],
    frameworks=["FSBP EC2.2", "CIS 3.0 5.4", "CIS 5.0 5.5", "CKV2_AWS_12"],
    whole_stack=True,
)
def vpc_default_group_closed(resource: PolicyResource, stack: Stack) -> Findings:
    """The default security group of a network lets nothing in and nothing out."""
    if resource.resource_type == VPC:
        if not stack.referring([DEFAULT_SECURITY_GROUP], "vpcId", resource):
            yield "no DefaultSecurityGroup takes its default rules away"
        return
    for opening in openings(resource.props):
        yield f"lets in {opening}"
    for way in ways_out(resource.props):
        yield f"lets out {way}"


@rule(
    RULES,
    "subnet-no-public-ip",
    types=[SUBNET],
    severity="medium",
    why="Whatever is started in such a subnet is on the internet, whether or not its owner knew.",
    remedy="Set mapPublicIpOnLaunch to false; balancers and NAT gateways bring their own addresses "
    "(Groundwork's network never sets it)",
    checklist=["C31", "C32"],
    frameworks=["FSBP EC2.15", "CKV_AWS_130"],
    must_know=True,
    remediates={SUBNET: {"mapPublicIpOnLaunch": False}},
)
def subnet_no_public_ip(props: Props) -> Findings:
    """No subnet gives public addresses to whatever is started in it."""
    if props.get("mapPublicIpOnLaunch"):
        yield given(props, "mapPublicIpOnLaunch")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a network ACL, for what comes in."""

    number: int
    allows: bool
    ports: range
    cidr_block: str


@rule(
    RULES,
    "nacl-no-open-admin-ports",
    types=[NETWORK_ACL, DEFAULT_NETWORK_ACL, NETWORK_ACL_RULE],
    severity="medium",
    why="A network ACL is the second lock: it still holds when a security group is opened by mistake.",
    remedy="Deny 22 and 3389 from everywhere under a lower number than the line that allows, "
    "or allow the ports that are used; Groundwork declares no network ACL and leaves it to security groups",
    checklist=["C28", "C34"],
    frameworks=["FSBP EC2.21", "CIS 3.0 5.1", "CIS 5.0 5.2", "CKV_AWS_231", "CKV_AWS_232", "CKV_AWS_352"],
    whole_stack=True,
)
def nacl_no_open_admin_ports(resource: PolicyResource, stack: Stack) -> Findings:
    """A network ACL does not let the internet reach SSH or RDP."""
    denied = [each for each in _entries_beside(resource, stack) if not each.allows]
    for entry in _entries(resource):
        if not entry.allows or not is_world(entry.cidr_block):
            continue
        reached = [
            port for port in ADMIN_PORTS if port in entry.ports and not _is_denied(port, entry, denied)
        ]
        if reached:
            yield f"line {entry.number} lets {shown(entry.cidr_block)} reach {shown(reached)}"


def _is_denied(port: int, entry: Entry, denied: list[Entry]) -> bool:
    """By a line that comes first, and holds for as many addresses."""
    return any(
        each.number < entry.number and port in each.ports and is_world(each.cidr_block) for each in denied
    )


def _entries_beside(resource: PolicyResource, stack: Stack) -> Iterator[Entry]:
    """All lines of the same network ACL: those that stand in it, and those that are resources of their own."""
    yield from _entries(resource)
    acls = [NETWORK_ACL, DEFAULT_NETWORK_ACL]
    is_line = resource.resource_type == NETWORK_ACL_RULE
    for acl in stack.referred(resource, "networkAclId", acls) if is_line else [resource]:
        if acl.urn != resource.urn:
            yield from _entries(acl)
        for line in stack.referring([NETWORK_ACL_RULE], "networkAclId", acl):
            yield from _entries(line)


def _entries(resource: PolicyResource) -> Iterator[Entry]:
    if resource.resource_type == NETWORK_ACL_RULE:
        if not resource.props.get("egress"):
            yield from _lines(resource.props, "ruleNumber", "ruleAction")
        return
    for line in resource.props.get("ingress") or []:
        yield from _lines(line, "ruleNo", "action")


def _lines(props: Mapping[str, Any], number: str, action: str) -> Iterator[Entry]:
    protocol = str(shown(props.get("protocol"))).strip('"').lower()
    ports = ports_of(protocol, props.get("fromPort"), props.get("toPort"))
    for name in ("cidrBlock", "ipv6CidrBlock"):
        if is_set(props, name):
            yield Entry(
                number=int(props[number]),
                allows=str(props[action]).lower() == "allow",
                ports=ports,
                cidr_block=str(props[name]),
            )


@rule(
    RULES,
    "peering-route-narrow",
    types=[ROUTE, *ROUTE_TABLES],
    severity="high",
    why="With a route for everything the other network hears all that this one says, and answers for the internet.",
    remedy="Set destinationCidrBlock to the range of the other network that is needed (Groundwork peers no networks)",
    checklist=["C28"],
    frameworks=["CIS 3.0 5.5", "CIS 5.0 5.6", "CKV2_AWS_44"],
)
def peering_route_narrow(props: Props, resource_type: str) -> Findings:
    """Only what is meant for the other network takes the way to it."""
    routes = [("", props)] if resource_type == ROUTE else enumerate_routes(props)
    for where, route in routes:
        if not is_set(route, "vpcPeeringConnectionId"):
            continue
        for name in ("destinationCidrBlock", "destinationIpv6CidrBlock", "cidrBlock", "ipv6CidrBlock"):
            if is_world(str(literal(route, name))):
                yield f"{where}{given(route, name)}"


def enumerate_routes(props: Props) -> list[tuple[str, Props]]:
    return [(f"routes[{i}].", route) for i, route in enumerate(props.get("routes") or [])]


@rule(
    RULES,
    "prefix-list-not-the-world",
    types=[PREFIX_LIST, PREFIX_LIST_ENTRY],
    severity="high",
    why="A security group that names the list looks closed, and is open to everybody.",
    remedy="Take the range out of entries, and name it where it is meant, so that whoever reads the group sees it "
    "(Groundwork's firewall names address ranges itself)",
    checklist=["C28"],
)
def prefix_list_not_the_world(props: Props, resource_type: str) -> Findings:
    """No prefix list hides the whole internet."""
    entries = [props] if resource_type == PREFIX_LIST_ENTRY else props.get("entries") or []
    for entry in entries:
        if is_world(str(entry.get("cidr"))):
            yield f"it holds {shown(entry.get('cidr'))}"
