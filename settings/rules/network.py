"""The VPC: its block, its zones, and the blocks in use elsewhere."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from settings.model import Settings
from settings.problems import Problem

# A zone's block follows from its letter, a to h, so every VPC has room for eight zones, each with a public, a
# private and an isolated subnet. A load balancer needs /27 (Elastic Load Balancing, "Subnets for your load
# balancer"); AWS allows a VPC of at most /16.
LARGEST_PREFIX, SMALLEST_PREFIX = 16, 21
SMALLEST_SUBNET = 27
_PRIVATE = tuple(
    IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)


def block_has_room_for_the_zones(settings: Settings) -> Iterator[Problem]:
    block = IPv4Network(settings.network.cidr_block)
    if block.prefixlen > SMALLEST_PREFIX and settings.network.subnets is None:
        yield Problem(
            path=("network", "cidr_block"),
            rule=f"is too small for its zones: it must be /{SMALLEST_PREFIX} or larger",
            got=str(block),
            remedy=f"Set it to {block.supernet(new_prefix=SMALLEST_PREFIX)}, or better to a /{LARGEST_PREFIX}.",
        )
    if block.prefixlen < LARGEST_PREFIX:
        yield Problem(
            path=("network", "cidr_block"),
            rule=f"is larger than a VPC may be, /{LARGEST_PREFIX}",
            got=str(block),
            remedy=f"Set it to {block.network_address}/{LARGEST_PREFIX}.",
        )


def block_is_private(settings: Settings) -> Iterator[Problem]:
    block = IPv4Network(settings.network.cidr_block)
    if not any(block.subnet_of(private) for private in _PRIVATE):
        yield Problem(
            path=("network", "cidr_block"),
            rule="must lie in 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10",
            got=str(block),
            remedy="Addresses of others would become unreachable: choose a private block.",
        )


def block_is_free(settings: Settings) -> Iterator[Problem]:
    block = IPv4Network(settings.network.cidr_block)
    for reserved in settings.network.reserved_cidr_blocks:
        if block.overlaps(IPv4Network(reserved)):
            yield Problem(
                path=("network", "cidr_block"),
                rule=f"overlaps {reserved} of network.reserved_cidr_blocks",
                got=str(block),
                remedy="Choose a block that is not in use elsewhere.",
            )


def subnets_fit(settings: Settings) -> Iterator[Problem]:
    """VPC guide, "Subnet sizing": /28 to /16; a load balancer needs a /27 in each of its subnets."""
    network = settings.network
    if network.subnets is None:
        return
    tiers = {
        "private": network.subnets.private,
        "public": network.subnets.public,
        "isolated": network.subnets.isolated,
    }
    vpc, zones = IPv4Network(network.cidr_block), len(network.zones)
    seen: list[IPv4Network] = []
    for tier, blocks in tiers.items():
        if len(blocks) != zones:
            yield Problem(
                path=("network", "subnets", tier),
                rule=f"must have one block for each of the {zones} zones",
                got=len(blocks),
                remedy="Add the missing ones, or take the others out.",
            )
        for index, text in enumerate(blocks):
            path, block = ("network", "subnets", tier, index), IPv4Network(text)
            if not block.subnet_of(vpc):
                remedy = "Choose a block inside it."
                yield Problem(
                    path=path, rule=f"must lie in network.cidr_block {vpc}", got=text, remedy=remedy
                )
            if block.prefixlen > SMALLEST_SUBNET:
                rule, remedy = f"must be /{SMALLEST_SUBNET} or larger", "Choose a larger block."
                yield Problem(path=path, rule=rule, got=text, remedy=remedy)
            for other in seen:
                if block.overlaps(other):
                    remedy = "Choose blocks that have no address in common."
                    yield Problem(
                        path=path, rule=f"overlaps {other}, another subnet's", got=text, remedy=remedy
                    )
            seen.append(block)


def zones_are_distinct_and_of_the_region(settings: Settings) -> Iterator[Problem]:
    zones = settings.network.zones
    if len(set(zones)) < 2:
        yield Problem(
            path=("network", "zones"),
            rule="must name at least 2 zones, which load balancer and database need",
            got=", ".join(zones) or "none",
            remedy=f"Set it to [{settings.region}a, {settings.region}b].",
        )
    for index, zone in enumerate(zones):
        if zone[:-1] != settings.region:
            yield Problem(
                path=("network", "zones", index),
                rule=f"must be a zone of aws:region {settings.region}",
                got=zone,
                remedy=f"Set it to {settings.region}{zone[-1]}, or change the region.",
            )
        if zone in zones[:index]:
            yield Problem(
                path=("network", "zones", index),
                rule="must not stand twice",
                got=zone,
                remedy="Remove one of the two.",
            )


RULES = (
    block_has_room_for_the_zones,
    block_is_private,
    block_is_free,
    subnets_fit,
    zones_are_distinct_and_of_the_region,
)
