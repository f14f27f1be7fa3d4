"""Routes, network ACLs and flow logs of the VPC, held against what every stack has."""

from operations.network.findings import Found, Kind
from operations.network.live import ALL, ANYWHERE, Network, Said

PUBLIC, ISOLATED = "public", "isolated"
# AWS puts these last into every ACL, and nobody can take them away (VPC guide, "Network ACL rules").
LAST_ACL_RULES = (32767, 32768)


def routes(network: Network, found: Found) -> None:
    """Private subnets have no internet gateway, isolated ones no way out at all."""
    for subnet_id, said in network.subnets.items():
        tags = {tag["Key"]: tag["Value"] for tag in said.get("Tags", [])}
        tier, label = tags.get("Tier"), network.label(subnet_id)
        if tier is None:
            text = f"The subnet {label} ({subnet_id}) bears no tag Tier: the stack did not make it."
            remedy = "Find out whose it is: what stands in it goes by no rule of the stack."
            found.add(Kind.route, subnet_id, text, remedy)
            continue
        if tier == PUBLIC:
            continue
        table = network.table_of(subnet_id)
        for route in table["Routes"]:
            gateway = route.get("GatewayId", "")
            is_default = destination(route) in ANYWHERE
            if gateway.startswith("igw-") or (tier == ISOLATED and is_default):
                text = (
                    f"The {tier} subnet {label} has a route to {destination(route)} by {gateway or via(route)} "
                    f"({table['RouteTableId']})."
                )
                remedy = (
                    f"`aws ec2 delete-route --region {network.platform.region} --route-table-id "
                    f"{table['RouteTableId']} {_option(route)} {destination(route)}`."
                )
                found.add(Kind.route, table["RouteTableId"], text, remedy)
    found.seen.append(f"subnets: {len(network.subnets)}")


def destination(route: Said) -> str:
    return (
        route.get("DestinationCidrBlock")
        or route.get("DestinationIpv6CidrBlock")
        or route.get("DestinationPrefixListId", "")
    )


def _option(route: Said) -> str:
    return (
        "--destination-ipv6-cidr-block"
        if route.get("DestinationIpv6CidrBlock")
        else "--destination-cidr-block"
    )


def via(route: Said) -> str:
    """What a route leads to: whatever of it has an id."""
    keys = ("GatewayId", "NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId")
    return next((route[key] for key in keys if route.get(key)), "something else")


def acls(network: Network, found: Found) -> None:
    """Every subnet's ACL lets everything through, as AWS' default one does: security groups decide.

    More than that none can allow; less breaks connections that the stack declares.
    """
    for acl in network.acls:
        on = [each["SubnetId"] for each in acl["Associations"] if each.get("SubnetId")]
        if not on:
            continue
        for is_egress in (False, True):
            if _lets_all(acl, is_egress=is_egress):
                continue
            identifier, way = acl["NetworkAclId"], "out" if is_egress else "in"
            shown = ", ".join(map(network.label, on[:3])) + (
                f" and {len(on) - 3} more" if len(on) > 3 else ""
            )
            entries = _entries(acl, is_egress)
            said = f"The network ACL {identifier} does not let everything {way}: {entries}. On {shown}."
            remedy = (
                f"`aws ec2 describe-network-acls --region {network.platform.region} --network-acl-ids {identifier}` "
                "shows it; take the entries away, or give the subnets the VPC's default ACL back "
                "(`aws ec2 replace-network-acl-association`)."
            )
            found.add(Kind.acl, identifier, said, remedy)
    found.seen.append(f"network ACLs: {len(network.acls)}")


def ordered(acl: Said, *, is_egress: bool) -> list[Said]:
    entries = [each for each in acl["Entries"] if each["Egress"] == is_egress]
    return sorted(entries, key=lambda each: each["RuleNumber"])


def _lets_all(acl: Said, *, is_egress: bool) -> bool:
    first = next((each for each in ordered(acl, is_egress=is_egress) if each.get("CidrBlock")), None)
    return (
        first is not None
        and first["RuleAction"] == "allow"
        and first["CidrBlock"] == ANYWHERE[0]
        and first["Protocol"] == "-1"
    )


def _entries(acl: Said, is_egress: bool) -> str:
    verbs = {"allow": "allows", "deny": "denies"}
    shown = [
        f"{each['RuleNumber']} {verbs[each['RuleAction']]} {traffic(each)} "
        f"{each.get('CidrBlock') or each.get('Ipv6CidrBlock')}"
        for each in ordered(acl, is_egress=is_egress)
        if each["RuleNumber"] not in LAST_ACL_RULES
    ]
    return ", ".join(shown) or "it has no entry"


def traffic(entry: Said) -> str:
    name = {"-1": ALL, "6": "tcp", "17": "udp", "1": "icmp"}.get(entry["Protocol"], entry["Protocol"])
    ports = entry.get("PortRange")
    if not ports:
        return name
    first, last = ports["From"], ports["To"]
    return f"{name} {first}" if first == last else f"{name} {first}-{last}"


def flow_logs(network: Network, found: Found) -> None:
    """One that writes down accepted and refused connections, and arrives."""
    refresh = f"`pulumi up --refresh --stack {network.platform.stack}` makes it again."
    whole = [
        each
        for each in network.flow_logs
        if each["FlowLogStatus"] == "ACTIVE" and each.get("TrafficType") == "ALL"
    ]
    if not whole:
        seen = ", ".join(each["FlowLogId"] for each in network.flow_logs)
        said = f"Nothing writes down all connections of the VPC {network.vpc} (flow logs: {seen or 'none'})."
        found.add(Kind.flow_log, network.vpc, said, refresh)
    for each in whole:
        # The emulator looks for the log group where it stands by another name, and delivers nothing anyway.
        if each.get("DeliverLogsStatus") == "FAILED" and not network.is_emulated:
            reason = each.get("DeliverLogsErrorMessage", "no reason")
            said = f"The flow log {each['FlowLogId']} is not delivered: {reason}."
            found.add(Kind.flow_log, each["FlowLogId"], said, f"Look at its role and log group. {refresh}")
    found.seen.append(f"flow logs: {len(network.flow_logs)}")
