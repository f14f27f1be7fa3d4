"""Pure: a VPC's block and its zones in, one block per zone and tier out.

The VPC is cut into fixed places, eight of each tier, one for each zone letter a to h:

    private   half of the VPC     eight times 1/16
    isolated  a quarter           eight times 1/32
    public    an eighth           eight times 1/64
    reserved  the last eighth

A zone's blocks follow from its letter alone, so adding, removing or reordering zones moves nothing.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

LETTERS = "abcdefgh"
# AWS takes VPCs from /16 to /28 (VPC guide, "VPC CIDR blocks"). A load balancer asks for a /27 in each
# zone (Elastic Load Balancing guide, "Subnets for your load balancer"), and that is 1/64 of a /21.
LARGEST_PREFIX = 16
SMALLEST_PREFIX = 21


@dataclass(frozen=True, kw_only=True)
class ZonePlan:
    """The blocks of one zone, in CIDR notation."""

    zone: str
    letter: str
    public: str
    private: str
    isolated: str


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Blocks that are laid down elsewhere, one for each zone in the order of the zones."""

    private: Sequence[str]
    public: Sequence[str]
    isolated: Sequence[str]

    def problems(self, cidr_block: str, zones: Sequence[str]) -> list[str]:
        tiers = {"private": self.private, "public": self.public, "isolated": self.isolated}
        found = [
            f"subnets.{tier} must have one block for each of {len(zones)} zones, got {len(blocks)}"
            for tier, blocks in tiers.items()
            if len(blocks) != len(zones)
        ]
        vpc = ipaddress.IPv4Network(cidr_block, strict=False)
        found += [
            f"subnets.{tier}: {block} lies outside {cidr_block}"
            for tier, blocks in tiers.items()
            for block in blocks
            if not ipaddress.IPv4Network(block).subnet_of(vpc)
        ]
        return found


def problems(cidr_block: str, zones: Sequence[str], region: str, blocks: Blocks | None = None) -> list[str]:
    """Sentences on what is wrong with the block or the zones; empty when `plan` can be made."""
    if blocks is not None:
        return [*blocks.problems(cidr_block, zones), *_zone_problems(zones, region)]
    return [*_block_problems(cidr_block), *_zone_problems(zones, region)]


def plan(cidr_block: str, zones: Sequence[str], blocks: Blocks | None = None) -> list[ZonePlan]:
    """The blocks of each zone, in the order of `zones`. They must have no `problems`."""
    if blocks is not None:
        return [
            ZonePlan(zone=zone, letter=zone[-1], public=public, private=private, isolated=isolated)
            for zone, public, private, isolated in zip(
                zones, blocks.public, blocks.private, blocks.isolated, strict=True
            )
        ]
    private, upper = ipaddress.IPv4Network(cidr_block).subnets()
    isolated, rest = upper.subnets()
    public, _reserved = rest.subnets()
    private_blocks, isolated_blocks, public_blocks = (
        list(tier.subnets(3)) for tier in (private, isolated, public)
    )
    places = [(zone, LETTERS.index(zone[-1])) for zone in zones]
    return [
        ZonePlan(
            zone=zone,
            letter=LETTERS[place],
            public=str(public_blocks[place]),
            private=str(private_blocks[place]),
            isolated=str(isolated_blocks[place]),
        )
        for zone, place in places
    ]


def _block_problems(cidr_block: str) -> list[str]:
    try:
        block = ipaddress.IPv4Network(cidr_block)
    except ValueError:
        return [
            f"cidr_block must be an IPv4 block without host bits, such as 10.20.0.0/16, got {cidr_block!r}"
        ]
    if block.prefixlen < LARGEST_PREFIX:
        return [
            f"cidr_block {cidr_block} is too large: the largest VPC that AWS makes is a /{LARGEST_PREFIX}"
        ]
    if block.prefixlen > SMALLEST_PREFIX:
        smallest = block.supernet(new_prefix=SMALLEST_PREFIX)
        return [
            f"cidr_block {cidr_block} is too small: three subnets in each of up to {len(LETTERS)} zones need "
            f"at least a /{SMALLEST_PREFIX}; {smallest} is the smallest that works here"
        ]
    return []


def _zone_problems(zones: Sequence[str], region: str) -> list[str]:
    found = [
        f"zone {zone!r} must be {region} and a letter from {LETTERS[0]} to {LETTERS[-1]}, such as {region}a"
        for zone in zones
        if zone[:-1] != region or zone[-1] not in LETTERS
    ]
    found += [f"zone {zone!r} is listed twice" for zone in sorted({z for z in zones if zones.count(z) > 1})]
    if len(set(zones)) < 2:
        found.append(
            f"zones must name at least two: a load balancer and a database both ask for two, got {list(zones)}"
        )
    return found
