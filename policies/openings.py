"""Reads who may connect to what, in every spelling that a security group has."""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rules import Props, is_set, literal, shown, texts

INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
SECURITY_GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_SECURITY_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
SPELLINGS = [INGRESS_RULE, SECURITY_GROUP_RULE, SECURITY_GROUP, DEFAULT_SECURITY_GROUP]
EGRESS_SPELLINGS = [EGRESS_RULE, SECURITY_GROUP_RULE, SECURITY_GROUP, DEFAULT_SECURITY_GROUP]

# Where each spelling names a security group.
GROUP_SOURCES = ("referencedSecurityGroupId", "sourceSecurityGroupId", "securityGroups")

ALL_PORTS = range(65536)
ADMIN_PORTS = (22, 3389)  # SSH, RDP
PORTED_PROTOCOLS = {"tcp", "udp", "6", "17"}
EVERY_PROTOCOL = {"-1", "all"}

# The widest private blocks are 10.0.0.0/8 (RFC 1918) and fc00::/7 (RFC 4193): what is wider is the world, also when
# somebody wrote it as two halves.
WIDEST_PRIVATE = {4: 8, 6: 7}


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Some addresses that may reach some ports; `ports` is empty for a protocol without any, such as ICMP."""

    protocol: str
    ports: range
    cidr_blocks: Sequence[str]
    has_prefix_list: bool
    has_group: bool  # another security group, or the same one
    group_ids: Sequence[str]  # of those that are written out

    @property
    def worldwide(self) -> list[str]:
        return [block for block in self.cidr_blocks if is_world(block)]

    def __str__(self) -> str:
        if self.ports == ALL_PORTS:
            return "all ports" if self.protocol in EVERY_PROTOCOL else f"all {self.protocol} ports"
        if not self.ports:
            return f"protocol {self.protocol}"
        if len(self.ports) == 1:
            return f"port {self.ports[0]}"
        return f"ports {self.ports[0]} to {self.ports[-1]}"


def is_world(cidr_block: str) -> bool:
    try:
        network = ipaddress.ip_network(cidr_block, strict=False)
    except ValueError:
        return False  # AWS refuses it
    return network.prefixlen < WIDEST_PRIVATE[network.version]


def openings(props: Props) -> Iterator[Opening]:
    """What a resource of any of the `SPELLINGS` lets in."""
    yield from _spelled(props, "ingress")


def ways_out(props: Props) -> Iterator[Opening]:
    """What a resource of any of the `EGRESS_SPELLINGS` lets out."""
    yield from _spelled(props, "egress")


def _spelled(props: Props, direction: str) -> Iterator[Opening]:
    if is_set(props, "ipProtocol"):  # a rule whose type says its direction
        blocks = [props[name] for name in ("cidrIpv4", "cidrIpv6") if is_set(props, name)]
        yield _opening(props, props["ipProtocol"], blocks, is_set(props, "prefixListId"))
    elif is_set(props, "type"):
        if props["type"] == direction:
            yield _inline(props)
    else:
        yield from map(_inline, props.get(direction) or [])


def _inline(props: Props) -> Opening:
    blocks = [*(props.get("cidrBlocks") or []), *(props.get("ipv6CidrBlocks") or [])]
    return _opening(props, props["protocol"], blocks, is_given(props, "prefixListIds"))


def is_given(props: Props, name: str) -> bool:
    """Whether there is anything in the property: an empty list and `false` are nothing."""
    value = literal(props, name)
    return bool(value) or (value is None and is_set(props, name))


def _opening(props: Props, protocol: object, blocks: Sequence[str], has_prefix_list: bool) -> Opening:
    protocol = shown(protocol).strip('"').lower()
    return Opening(
        protocol=protocol,
        ports=ports_of(protocol, props.get("fromPort"), props.get("toPort")),
        cidr_blocks=blocks,
        has_prefix_list=has_prefix_list,
        has_group=any(is_given(props, name) for name in (*GROUP_SOURCES, "self")),
        group_ids=sorted(set().union(*(texts(props, name) for name in GROUP_SOURCES))),
    )


def ports_of(protocol: str, first: object, last: object) -> range:
    """The ports from `first` to `last`; all of them where the protocol is any, none where it has none."""
    if protocol in EVERY_PROTOCOL:
        return ALL_PORTS
    if protocol in PORTED_PROTOCOLS:
        return range(int(str(shown(first or 0))), int(str(shown(last or 0))) + 1)
    return range(0)
