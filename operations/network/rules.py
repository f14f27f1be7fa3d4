"""Security group rules that stand, held against those that are declared."""

from collections import Counter
from collections.abc import Sequence

from operations.network.declared import INTERNET, LOAD_BALANCER, Wanted, neighbours, wanted
from operations.network.findings import Found, Kind
from operations.network.live import Network, Rule, Said

EKS_TAG = "aws:eks:cluster-name"  # on the group that EKS makes for a cluster itself
SHOWN_INTERFACES = 3


def look(network: Network, found: Found) -> None:
    """Rules of the stack's groups that nobody declared or that are missing; groups that it does not know."""
    declared = list(wanted(network.edges, network.group_ids))
    neighbour = _neighbour(network, declared)
    left = dict.fromkeys(declared)
    own = [rule for rule in network.rules if rule.group in network.names]
    for rule in own:
        meant = _meant(network, rule, neighbour)
        if meant in left:
            left.pop(meant)
        else:
            _undeclared(network, rule, found)
    for each in left:
        _missing(network, each, found)
    for name, group_id in network.group_ids.items():
        if group_id not in network.groups:
            found.add(
                Kind.missing,
                group_id,
                f"The security group of {name} ({group_id}) is not in the VPC any more.",
                _refresh(network),
            )
    for group_id, said in network.groups.items():
        if group_id not in network.names and group_id != neighbour:
            _unknown(network, said, found)
    found.seen.append(f"rules of the stack's security groups: {len(own)}, declared: {len(declared)}")


def _meant(network: Network, rule: Rule, neighbour: str | None) -> Wanted | None:
    """The declared rule that this one would be; None where it cannot be one."""
    if rule.first is None or rule.first != rule.last:
        return None
    peer = network.peer_name(rule.peer)
    if rule.peer == neighbour:
        [peer] = neighbours(network.edges, network.group_ids)
    return Wanted(network.names[rule.group], rule.is_egress, rule.protocol, rule.first, peer)


def _neighbour(network: Network, declared: Sequence[Wanted]) -> str | None:
    """The id of the group in other hands: outputs do not tell it, so it is the one that most edges lead to."""
    names = neighbours(network.edges, network.group_ids)
    if len(names) != 1:
        return None
    edges = {
        (each.group, each.is_egress, each.protocol, each.port) for each in declared if each.peer in names
    }
    seen = Counter(
        rule.peer
        for rule in network.rules
        if rule.peer.startswith("sg-")
        and rule.peer not in network.names
        and (network.names.get(rule.group), rule.is_egress, rule.protocol, rule.first) in edges
    )
    return seen.most_common(1)[0][0] if seen else None


def _undeclared(network: Network, rule: Rule, found: Found) -> None:
    group = network.names[rule.group]
    where = f"{group} ({rule.group}, {rule.id})"
    if rule.is_open:
        declared = ", ".join(
            str(each.port)
            for each in network.edges
            if each.source == INTERNET and each.target == LOAD_BALANCER
        )
        rest = f" Only {LOAD_BALANCER} may, on {declared}." if declared else ""
        said = f"{where} lets {rule.traffic} in from {rule.peer}.{rest}"
        found.add(Kind.open, rule.id, said, _revoke(network, rule))
        return
    way = "out to" if rule.is_egress else "in from"
    peer = network.peer_name(rule.peer)
    shown = rule.peer if peer == INTERNET else network.name_of(rule.peer)
    found.add(Kind.undeclared, rule.id, f"{where} lets {rule.traffic} {way} {shown}.", _revoke(network, rule))


def _revoke(network: Network, rule: Rule) -> str:
    way = "egress" if rule.is_egress else "ingress"
    return (
        f"Remove it: `aws ec2 revoke-security-group-{way} --region {network.platform.region} --group-id {rule.group} "
        f"--security-group-rule-ids {rule.id}`. If it is needed, declare it (connects_to, outbound) instead."
    )


def _missing(network: Network, each: Wanted, found: Found) -> None:
    group_id = network.group_ids[each.group]
    if group_id not in network.groups:
        return  # told once, with the group
    said = f"{each.group} ({group_id}) has no rule {each}, which is declared: those connections fail."
    found.add(Kind.missing, group_id, said, _refresh(network))


def _refresh(network: Network) -> str:
    return f"`pulumi up --refresh --stack {network.platform.stack}` makes it again."


def _unknown(network: Network, said: Said, found: Found) -> None:
    group_id, name = said["GroupId"], said["GroupName"]
    own = [rule for rule in network.rules if rule.group == group_id]
    on = [
        each
        for each in network.interfaces
        if group_id in {group["GroupId"] for group in each.get("Groups", [])}
    ]
    for rule in own:
        if rule.is_open:
            text = f"{name} ({group_id}, {rule.id}) lets {rule.traffic} in from {rule.peer}."
            found.add(Kind.open, rule.id, text, _revoke(network, rule))
    if name == "default":
        _default(network, group_id, own, on, found)
        return
    tags = {tag["Key"]: tag["Value"] for tag in said.get("Tags", [])}
    cluster = network.platform.outputs.get("kubernetes", {}).get("cluster")
    if cluster and tags.get(EKS_TAG) == cluster:
        found.notes.append(f"{name} ({group_id}) is the group that EKS made for its cluster {cluster}.")
        return
    remedy = (
        f"Find out whose it is (`aws ec2 describe-security-groups --region {network.platform.region} --group-ids "
        f"{group_id}`); once nothing bears it, `aws ec2 delete-security-group --region {network.platform.region} "
        f"--group-id {group_id}`."
    )
    found.add(Kind.group, group_id, f"{name} ({group_id}) is in the VPC, {_borne_by(on)}.", remedy)


def _default(network: Network, group_id: str, own: Sequence[Rule], on: Sequence[Said], found: Found) -> None:
    """The VPC's own group, which the stack empties: whoever names no group lands in it, and reaches nothing."""
    for rule in own:
        if not rule.is_open:
            way = "out to" if rule.is_egress else "in from"
            said = f"The VPC's default group ({group_id}, {rule.id}) lets {rule.traffic} {way} {rule.peer}."
            found.add(Kind.undeclared, rule.id, said, _revoke(network, rule))
    if on and not network.is_emulated:
        found.notes.append(
            f"The VPC's default group ({group_id}) is {_borne_by(on)}: nobody named another one."
        )


def _borne_by(interfaces: Sequence[Said]) -> str:
    if not interfaces:
        return "on no network interface"
    shown = ", ".join(interface_name(each) for each in interfaces[:SHOWN_INTERFACES])
    rest = len(interfaces) - SHOWN_INTERFACES
    return f"on {shown}" + (f" and {rest} more" if rest > 0 else "")


def interface_name(said: Said) -> str:
    """`eni-1 (EC2 instance i-1)`, with what AWS or its maker wrote on it."""
    instance = (said.get("Attachment") or {}).get("InstanceId")
    text = said.get("Description") or (f"EC2 instance {instance}" if instance else "")
    return f"{said['NetworkInterfaceId']} ({text})" if text else said["NetworkInterfaceId"]
