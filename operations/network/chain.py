"""What a connection needs, one link after the other: declared, rules, routes, ACLs, the store, its login, the tasks."""

import ipaddress
from collections.abc import Iterator, Sequence

from operations.network import holders, stands, ways
from operations.network.declared import INTERNET, S3
from operations.network.ends import End, Hop, Is
from operations.network.link import Link
from operations.network.live import ALL, ANYWHERE, Network, Rule
from operations.network.stands import Stand


def of(network: Network, hops: Sequence[Hop]) -> Iterator[Link]:
    """Every link of every hop. All are asked, also after one that breaks: there may be two reasons."""
    placed: dict[End, Stand] = {}
    for hop in hops:
        for end in (hop.source, hop.target):
            if end not in placed:
                placed[end] = stands.of(network, end)
        source, target = placed[hop.source], placed[hop.target]
        yield _declared(network, hop)
        yield from _rules(network, hop, source, target)
        yield _names(network, hop)
        yield from ways.routes(network, hop, source, target)
        yield ways.acls(network, hop, source, target)
    for hop in hops:
        yield from holders.is_up(network, hop.target, placed[hop.target])
    yield from holders.login(network, hops)
    yield from holders.tasks(network, hops[0].source, placed[hops[0].source])


def _declared(network: Network, hop: Hop) -> Link:
    is_so = any(
        (each.source, each.target, each.port, each.protocol)
        == (hop.source.group, hop.target.group, hop.port, hop.protocol)
        for each in network.edges
    )
    if is_so:
        return Link("declared", True, str(hop))
    others = sorted(
        {f"{each.source}:{each.port}" for each in network.edges if each.target == hop.target.group}
    )
    said = f"{hop} is not declared; {hop.target.group} is reached by {', '.join(others) or 'nobody'}."
    if hop.source.kind is Is.service:
        remedy = (
            f"Name {hop.target.name} under services.{hop.source.name}.connects_to of the system file (or a way out "
            f"under `outbound`), then `pulumi up --stack {network.platform.stack}`."
        )
    else:
        remedy = "The stack opens it to nobody but those; ask from one of them."
    return Link("declared", False, said, remedy)


def _rules(network: Network, hop: Hop, source: Stand, target: Stand) -> Iterator[Link]:
    for step, end, other, stand, is_egress in (
        ("rule out", hop.source, hop.target, target, True),
        ("rule in", hop.target, hop.source, source, False),
    ):
        group = network.group_ids.get(end.group)
        if group is None:
            continue  # the internet, S3 and groups in other hands have no rules of the stack's
        found = next(
            (
                rule
                for rule in sorted(network.rules, key=lambda rule: rule.protocol == ALL)
                if rule.group == group
                and rule.is_egress == is_egress
                and rule.carries(hop.protocol, hop.port)
                and _is_peer(network, rule, other, stand)
            ),
            None,
        )
        way = f"{'out to' if is_egress else 'in from'} {other.group}"
        if found is not None:
            yield Link(step, True, f"{end.group} ({group}): {found.traffic} {way} by {found.id}")
            continue
        yield Link(
            step,
            False,
            f"{end.group} ({group}) has no rule that lets {hop.protocol} {hop.port} {way}.",
            f"`pulumi up --refresh --stack {network.platform.stack}` makes it again where it is declared; "
            f"`groundwork network audit --stack {network.platform.stack}` shows what else differs.",
        )


def _is_peer(network: Network, rule: Rule, other: End, stand: Stand) -> bool:
    if rule.peer == network.group_ids.get(other.group):
        return True
    if other.kind is Is.other and other.group not in network.group_ids:
        return rule.peer.startswith("sg-") and rule.peer not in network.names
    if other.group in (INTERNET, S3):
        return network.peer_name(rule.peer) == other.group or rule.peer == ANYWHERE[0]
    if "/" not in rule.peer or ":" in rule.peer or not stand.subnets:
        return False
    own = ipaddress.IPv4Network(rule.peer)
    return all(
        ipaddress.IPv4Network(network.subnets[each]["CidrBlock"]).subnet_of(own)
        for each in stand.subnets
        if each in network.subnets
    )


def _names(network: Network, hop: Hop) -> Link:
    if network.resolves_names:
        return Link("names", True, "the VPC's name server answers")
    return Link(
        "names",
        False,
        f"The VPC {network.vpc} has its name server switched off: {hop.target.name} is not found by name.",
        f"`aws ec2 modify-vpc-attribute --region {network.platform.region} --vpc-id {network.vpc} "
        "--enable-dns-support`.",
    )
