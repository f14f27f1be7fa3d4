"""What has an address that the internet reaches: interfaces, data stores, load balancers."""

from collections.abc import Iterator

from operations.network.declared import INTERNET, LOAD_BALANCER, VPN
from operations.network.findings import Found, Kind
from operations.network.live import Network, Said
from operations.network.rules import interface_name

# How ELB and Client VPN describe the interfaces that they make (ELB guide, "Security groups"; Client VPN guide).
_BALANCER, _VPN = "ELB ", "ClientVPN Endpoint resource"


def interfaces(network: Network, found: Found) -> None:
    """A public address on anything but the load balancer, a NAT gateway and the VPN."""
    gateways = {
        address.get("NetworkInterfaceId")
        for gateway in network.nat_gateways
        for address in gateway["NatGatewayAddresses"]
    }
    for each in network.interfaces:
        if each["NetworkInterfaceId"] in gateways or _is_front(network, each):
            continue
        groups = ", ".join(network.name_of(group["GroupId"]) for group in each.get("Groups", []))
        shown = f"{interface_name(each)} in {network.label(each['SubnetId'])}"
        if address := (each.get("Association") or {}).get("PublicIp"):
            said = f"{shown} has the public address {address}; its groups: {groups or 'none'}."
            found.add(Kind.address, each["NetworkInterfaceId"], said, _without_address(network, each))
        if each.get("Ipv6Addresses"):
            said = (
                f"{shown} has an IPv6 address, and the stack declares none; its groups: {groups or 'none'}."
            )
            remedy = (
                f"`aws ec2 unassign-ipv6-addresses --region {network.platform.region} --network-interface-id "
                f"{each['NetworkInterfaceId']} --ipv6-addresses {each['Ipv6Addresses'][0]['Ipv6Address']}`, then take "
                "the block from the VPC."
            )
            found.add(Kind.address, each["NetworkInterfaceId"], said, remedy)
    found.seen.append(f"network interfaces: {len(network.interfaces)}")


def _is_front(network: Network, said: Said) -> bool:
    groups = {network.names.get(group["GroupId"]) for group in said.get("Groups", [])}
    description = said.get("Description", "")
    return (description.startswith(_BALANCER) and groups == {LOAD_BALANCER}) or (
        description.startswith(_VPN) and groups == {VPN}
    )


def _without_address(network: Network, said: Said) -> str:
    association = said["Association"].get("AssociationId")
    if association:
        return (
            f"`aws ec2 disassociate-address --region {network.platform.region} --association-id {association}`, once "
            "you know whose it is."
        )
    return "It has it from its start: stop what it belongs to, and start it in a private subnet."


def stores(network: Network, found: Found) -> None:
    """Databases and brokers that RDS and Amazon MQ give a public name. ElastiCache gives none."""
    rds = network.platform.client("rds")
    own = set(network.group_ids.values())
    seen = 0
    for page in rds.get_paginator("describe_db_instances").paginate():
        for each in page["DBInstances"]:
            if each.get("DBSubnetGroup", {}).get("VpcId") != network.vpc:
                continue
            seen += 1
            if each.get("PubliclyAccessible"):
                _public_database(network, each["DBInstanceIdentifier"], "instance", found)
    for page in rds.get_paginator("describe_db_clusters").paginate():
        for each in page["DBClusters"]:
            groups = {group["VpcSecurityGroupId"] for group in each.get("VpcSecurityGroups", [])}
            if groups & own and each.get("PubliclyAccessible"):
                _public_database(network, each["DBClusterIdentifier"], "cluster", found)
    for each in _brokers(network):
        seen += 1
        if each.get("PubliclyAccessible"):
            said = f"The broker {each['BrokerName']} is publicly accessible."
            remedy = (
                "Amazon MQ cannot take that back: make another one by `pulumi up`, and move the queues over."
            )
            found.add(Kind.store, each["BrokerId"], said, remedy)
    found.seen.append(f"databases and brokers: {seen}")


def _public_database(network: Network, identifier: str, kind: str, found: Found) -> None:
    command = (
        f"aws rds modify-db-{kind} --region {network.platform.region} --db-{kind}-identifier {identifier}"
    )
    said = f"The database {identifier} is publicly accessible: its name leads to a public address."
    remedy = f"`{command} --no-publicly-accessible --apply-immediately`."
    found.add(Kind.store, identifier, said, remedy)


def _brokers(network: Network) -> Iterator[Said]:
    mq, own = network.platform.client("mq"), set(network.group_ids.values())
    for page in mq.get_paginator("list_brokers").paginate():
        for each in page["BrokerSummaries"]:
            said = mq.describe_broker(BrokerId=each["BrokerId"])
            if own & set(said.get("SecurityGroups", [])) or set(network.subnets) & set(
                said.get("SubnetIds", [])
            ):
                yield said


def balancers(network: Network, found: Found) -> None:
    """Load balancers of the VPC that face the internet, and the ports on which the stack's own listens."""
    elb, own = network.platform.client("elbv2"), network.platform.outputs["loadBalancer"]["arn"]
    may = {each.port for each in network.edges if each.source == INTERNET and each.target == LOAD_BALANCER}
    seen = 0
    for page in elb.get_paginator("describe_load_balancers").paginate():
        for each in page["LoadBalancers"]:
            if each.get("VpcId") != network.vpc or each.get("Scheme") != "internet-facing":
                continue
            seen += 1
            name, arn = each["LoadBalancerName"], each["LoadBalancerArn"]
            groups = {network.names.get(group) for group in each.get("SecurityGroups", [])}
            # On Kubernetes a controller makes it: then its group is all that the stack knows of it.
            if arn != own and (own or groups != {LOAD_BALANCER}):
                remedy = (
                    f"Find out whose it is; then `aws elbv2 delete-load-balancer --region {network.platform.region} "
                    f"--load-balancer-arn {arn}`."
                )
                said = f"The load balancer {name} faces the internet, and the stack does not know it."
                found.add(Kind.balancer, arn, said, remedy)
                continue
            pages = elb.get_paginator("describe_listeners").paginate(LoadBalancerArn=arn)
            for listener in (one for page in pages for one in page["Listeners"]):
                if listener["Port"] not in may:
                    said = f"The load balancer {name} listens on {listener['Port']}, which nobody declared."
                    remedy = (
                        f"`aws elbv2 delete-listener --region {network.platform.region} --listener-arn "
                        f"{listener['ListenerArn']}`."
                    )
                    found.add(Kind.balancer, listener["ListenerArn"], said, remedy)
    found.seen.append(f"load balancers that face the internet: {seen}")
