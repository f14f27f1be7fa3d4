"""The links between two ends' subnets: that both stand in the VPC, their routes, their network ACLs."""

from collections.abc import Iterator, Sequence

from operations.network import passing
from operations.network.declared import INTERNET, S3
from operations.network.ends import Hop, Is
from operations.network.link import Link, shortened
from operations.network.live import Network
from operations.network.paths import destination
from operations.network.stands import Stand


def routes(network: Network, hop: Hop, source: Stand, target: Stand) -> Iterator[Link]:
    abroad = [
        (end, subnet)
        for end, stand in ((hop.source, source), (hop.target, target))
        for subnet in stand.subnets
        if subnet not in network.subnets
    ]
    if abroad:
        end, subnet = abroad[0]
        yield Link(
            "subnets",
            False,
            f"{end.name} stands in {subnet}, which is not in the VPC {network.vpc}.",
            "It has to move: nothing of the stack reaches another VPC.",
        )
        return
    for end, stand in ((hop.source, source), (hop.target, target)):
        if stand.subnets:
            shown = ", ".join(sorted(map(network.label, stand.subnets)))
            yield Link("subnets", True, f"{end.name} stands in {shown}")
        elif end.kind is not Is.outside:
            yield Link("subnets", None, f"AWS does not tell where {end.name} stands")
    problems = _route_problems(network, hop, source, target)
    if problems:
        yield Link(
            "routes",
            False,
            f"{shortened(problems)}.",
            f"`pulumi up --refresh --stack {network.platform.stack}`.",
        )
    elif source.subnets and (target.subnets or hop.target.kind is Is.outside):
        yield Link("routes", True, "they lead there and back")
    elif hop.source.kind is not Is.outside:
        yield Link("routes", None, "not looked at, without both ends' subnets")


def _route_problems(network: Network, hop: Hop, source: Stand, target: Stand) -> list[str]:
    if hop.target.group == S3:
        return _to_s3(network, source.subnets)
    if hop.target.group == INTERNET:
        found = [
            passing.blocked_route(network, each, passing.ANYWHERE, inside=False) for each in source.subnets
        ]
        return [each for each in found if each]
    pairs = [(one, other) for one in source.subnets for other in target.subnets]
    found = [
        passing.blocked_route(network, one, network.subnets[other]["CidrBlock"], inside=True)
        for pair in pairs
        for one, other in (pair, pair[::-1])
    ]
    return list(dict.fromkeys(each for each in found if each))


def _to_s3(network: Network, subnets: Sequence[str]) -> list[str]:
    """By the gateway endpoint, or out by a NAT gateway."""
    gateways = {
        table
        for each in network.endpoints
        if each["VpcEndpointType"] == "Gateway"
        and each["ServiceName"].endswith(".s3")
        and each["State"].lower() == "available"
        for table in each["RouteTableIds"]
    }
    return [
        f"{network.label(subnet)} ({table['RouteTableId']}) has no route to S3"
        for subnet in subnets
        if (table := network.table_of(subnet))["RouteTableId"] not in gateways
        and not any(destination(route) == passing.ANYWHERE for route in table["Routes"])
    ]


def acls(network: Network, hop: Hop, source: Stand, target: Stand) -> Link:
    sources = [each for each in source.subnets if each in network.subnets]
    targets = [each for each in target.subnets if each in network.subnets]
    if (not sources and hop.source.kind is not Is.outside) or (
        not targets and hop.target.kind is not Is.outside
    ):
        return Link("network ACLs", None, "not looked at, without both ends' subnets")
    problems = passing.blocked_acls(network, sources, targets, hop.port, hop.protocol, hop.source.group)
    if not problems:
        return Link("network ACLs", True, "they let it there and back")
    return Link(
        "network ACLs",
        False,
        f"{shortened(problems)}.",
        "Take the entry away, or give the subnet the VPC's default ACL back (`aws ec2 "
        f"replace-network-acl-association`); `groundwork network audit --stack {network.platform.stack}` shows all.",
    )
