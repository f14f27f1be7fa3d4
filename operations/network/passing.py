"""Whether routes and network ACLs let a connection pass from one subnet to another."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from operations.network.declared import LOAD_BALANCER, QUEUE_METRICS
from operations.network.live import Network, Said
from operations.network.paths import destination, ordered, traffic, via

ANYWHERE = "0.0.0.0/0"
# Where answers come back to: Linux's own range, and the wider one of ELB and Lambda (VPC guide, "Ephemeral ports").
LINUX_PORTS, WIDE_PORTS = (32768, 60999), (1024, 65535)
WITH_WIDE_PORTS = (LOAD_BALANCER, QUEUE_METRICS)
_NUMBERS = {"tcp": "6", "udp": "17"}


def ephemeral(source: str) -> tuple[int, int]:
    return WIDE_PORTS if source in WITH_WIDE_PORTS else LINUX_PORTS


@dataclass(frozen=True)
class Packets:
    """Those that an ACL is asked about: all between a block and a range of ports."""

    block: str
    first: int
    last: int
    protocol: str

    def __str__(self) -> str:
        ports = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.protocol} {ports}"


def stopped_by(acl: Said, packets: Packets, *, is_egress: bool) -> str:
    """What of the ACL stops some of them, as `rule 90 (deny tcp 5432 from 10.0.0.0/8)`; empty where none does."""
    block = ipaddress.ip_network(packets.block)
    for entry in ordered(acl, is_egress=is_egress):
        if not entry.get("CidrBlock") or entry["Protocol"] not in ("-1", _NUMBERS[packets.protocol]):
            continue
        own = ipaddress.ip_network(entry["CidrBlock"])
        ports = entry.get("PortRange") or {"From": 0, "To": 65535}
        is_apart = packets.last < ports["From"] or packets.first > ports["To"]
        if is_apart or not own.overlaps(block):
            continue
        if entry["RuleAction"] == "deny":
            way = "to" if is_egress else "from"
            number = "the last rule" if entry["RuleNumber"] >= 32767 else f"rule {entry['RuleNumber']}"
            return f"{number} (deny {traffic(entry)} {way} {entry['CidrBlock']})"
        is_whole = ports["From"] <= packets.first and packets.last <= ports["To"] and block.subnet_of(own)  # ty: ignore[invalid-argument-type]
        if is_whole:
            return ""
    return "the last rule, which denies what no other allows"


def route_to(table: Said, block: str) -> Said | None:
    """The route that a packet to the block takes: the narrowest one that has it."""
    wanted = ipaddress.ip_network(block)
    found: list[tuple[int, Said]] = []
    for route in table["Routes"]:
        if not route.get("DestinationCidrBlock"):
            continue
        own = ipaddress.ip_network(route["DestinationCidrBlock"])
        if wanted.subnet_of(own):  # ty: ignore[invalid-argument-type]
            found.append((own.prefixlen, route))
    return max(found, key=lambda each: each[0])[1] if found else None


def blocked_route(network: Network, subnet: str, block: str, *, inside: bool) -> str:
    """Why a subnet's packets do not get to a block; empty where they do. `inside` means: in the VPC."""
    table = network.table_of(subnet)
    where = f"{network.label(subnet)} ({table['RouteTableId']})"
    route = route_to(table, block)
    if route is None:
        return f"{where} has no route to {block}"
    if route.get("State") == "blackhole":
        return f"{where} has a route to {destination(route)} by {via(route)}, which is not there any more"
    if inside and route.get("GatewayId") != "local":
        return f"{where} sends {block} to {via(route)} instead of staying in the VPC"
    return ""


def blocked_acls(
    network: Network, sources: Sequence[str], targets: Sequence[str], port: int, protocol: str, source: str
) -> list[str]:
    """What ACLs stop, on the way there and back. A subnet is not asked about itself: within it none is applied.

    Without a subnet of the other side that side is the internet.
    """
    first, last = ephemeral(source)
    problems: list[str] = []

    def ask(subnet: str, block: str, ports: tuple[int, int], *, is_egress: bool) -> None:
        acl = network.acl_of(subnet)
        packets = Packets(block, *ports, protocol)
        if by := stopped_by(acl, packets, is_egress=is_egress):
            way = "out to" if is_egress else "in from"
            problems.append(
                f"{acl['NetworkAclId']} on {network.label(subnet)} does not let {packets} {way} {block}: {by}"
            )

    there, back = (port, port), (first, last)
    for subnet in sources:
        for block in _blocks(network, targets, apart_from=subnet):
            ask(subnet, block, there, is_egress=True)
            ask(subnet, block, back, is_egress=False)
    for subnet in targets:
        for block in _blocks(network, sources, apart_from=subnet):
            ask(subnet, block, there, is_egress=False)
            ask(subnet, block, back, is_egress=True)
    return list(dict.fromkeys(problems))


def _blocks(network: Network, subnets: Sequence[str], *, apart_from: str) -> list[str]:
    if not subnets:
        return [ANYWHERE]
    return [network.subnets[each]["CidrBlock"] for each in subnets if each != apart_from]
