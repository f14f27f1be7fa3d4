"""Subnets and their routes, security groups, network ACLs, ways in for administrators."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.mutations.breaking import Breach, edited, itself, new, of_companion, referred, referring, setting
from tests.mutations.carrying import Unfit
from tests.mutations.judging import Bench, Changes, Resource
from tests.policy_builders import DEFAULT_GROUP, INGRESS_RULE, SERVICE, VPN_AUTHORIZATION

BALANCER = "aws:lb/loadBalancer:LoadBalancer"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
GATEWAY = "aws:ec2/internetGateway:InternetGateway"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
MACHINE = "aws:ec2/instance:Instance"
NETWORK_ACL = "aws:ec2/networkAcl:NetworkAcl"
ROUTE = "aws:ec2/route:Route"
ROUTE_TABLE_ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
SUBNET = "aws:ec2/subnet:Subnet"
VPC = "aws:ec2/vpc:Vpc"
VPN = "aws:ec2clientvpn/endpoint:Endpoint"

flow_log = referring("aws:ec2/flowLog:FlowLog", "vpcId")
vpn_association = referring("aws:ec2clientvpn/networkAssociation:NetworkAssociation", "clientVpnEndpointId")
vpn_authorization = referring(VPN_AUTHORIZATION, "clientVpnEndpointId")
default_group = referring(DEFAULT_GROUP, "vpcId")


def last_subnet(bench: Bench, store: Resource) -> Sequence[Resource]:
    """The last that it stands in, so that a rule which reads the first alone is found out."""
    return referred(SUBNET)(bench, store)[-1:]


def routed(bench: Bench, store: Resource) -> Changes:
    """The table of a subnet gets a route to the internet."""
    (subnet,) = last_subnet(bench, store)
    (association,) = referring(ROUTE_TABLE_ASSOCIATION, "subnetId")(bench, subnet)
    (table,) = association.refers["routeTableId"]
    (gateway,) = bench.of([GATEWAY])
    target = {"routeTableId": bench.resources[table], "gatewayId": gateway}
    route = new(ROUTE, "out", {"destinationCidrBlock": "0.0.0.0/0"}, **target)
    return {route.urn: route}


def moved(bench: Bench, store: Resource) -> Changes:
    """It gets a public subnet besides."""
    (gateway,) = bench.of([GATEWAY])
    (route,) = referring(ROUTE, "gatewayId")(bench, gateway)
    (table,) = route.refers["routeTableId"]
    association, *_ = referring(ROUTE_TABLE_ASSOCIATION, "routeTableId")(bench, bench.resources[table])
    (public,) = association.refers["subnetId"]
    (subnet,) = last_subnet(bench, store)
    return {store.urn: _beside(store, subnet, bench.resources[public])}


def _beside(resource: Resource, there: Resource, other: Resource) -> Resource:
    """The other resource's id in the same lists as this one's."""
    props = [name for name, urns in resource.refers.items() if there.urn in urns]
    inputs = {
        name: _listed(resource.inputs[name], there.outputs["id"], other.outputs["id"]) for name in props
    }
    refers = {name: resource.refers[name] | {other.urn} for name in props}
    return replace(resource, inputs={**resource.inputs, **inputs}, refers={**resource.refers, **refers})


def _listed(value: Any, there: str, other: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _listed(inner, there, other) for key, inner in value.items()}
    if isinstance(value, list):
        return [*value, other] if there in value else [_listed(inner, there, other) for inner in value]
    return value


def without_vpn(bench: Bench, machine: Resource) -> Changes:
    return {machine.urn: machine, **{vpn.urn: None for vpn in bench.of([VPN])}}


def brought(_bench: Bench, resource: Resource) -> Changes:
    return {resource.urn: resource}


def opened_to_the_world(bench: Bench, opened: Resource) -> Changes:
    """The internet is let into a group that something other than a load balancer is in."""
    (group,) = opened.refers["securityGroupId"] if opened.type == INGRESS_RULE else [opened.urn]
    members = {
        each.type
        for each in bench.resources.values()
        if each.type not in (BALANCER, GROUP, INGRESS_RULE, EGRESS_RULE)
        and any(group in urns for urns in each.refers.values())
    }
    if not members:
        raise Unfit("nothing but a load balancer is in its group")
    if opened.type != INGRESS_RULE:
        return edited(itself, setting(ingress=[{**HTTPS, "cidrBlocks": ["0.0.0.0/0"]}]))(bench, opened)
    ports = {"fromPort": 443, "toPort": 443}
    world = setting(**ports, cidrIpv4="0.0.0.0/0", referencedSecurityGroupId=None, prefixListId=None)
    return edited(itself, world)(bench, opened)


def all_ports(bench: Bench, opened: Resource) -> Changes:
    if opened.type != INGRESS_RULE:
        every_port = {"protocol": "-1", "fromPort": 0, "toPort": 0, "self": True}
        return edited(itself, setting(ingress=[every_port]))(bench, opened)
    if "referencedSecurityGroupId" not in opened.inputs:
        raise Unfit("it lets in no group")
    return edited(itself, setting(ipProtocol="-1", fromPort=None, toPort=None))(bench, opened)


HTTPS = {"protocol": "tcp", "fromPort": 443, "toPort": 443}
CLOSED = {"vpc-default-group-closed": "the default security group is to let nobody in"}
OPENED = {"cidrBlock": "0.0.0.0/0", "ruleNo": 100, "action": "allow", "protocol": "tcp"}

ENCRYPTED = {"rootBlockDevice": {"encrypted": True}, "metadataOptions": {"httpTokens": "required"}}


def declared_vpn_gone(bench: Bench, _service: Resource) -> Changes:
    if not bench.setting("admin-access-via-vpn", "vpn"):
        raise Unfit("the configuration declares none")
    return {vpn.urn: None for vpn in bench.of([VPN])}


BREACHES: Mapping[str, Sequence[Breach]] = {
    "admin-access-via-vpn": [
        Breach(
            "a machine with a key pair, and no VPN",
            without_vpn,
            brings=new(MACHINE, "bastion", {"keyName": "ops", **ENCRYPTED}),
        ),
        *of_companion("its association", vpn_association, "clientVpnEndpointId", on=[VPN]),
        *of_companion("its authorization", vpn_authorization, "clientVpnEndpointId", on=[VPN]),
        Breach("the declared VPN is gone", declared_vpn_gone, [SERVICE], once=True),
    ],
    "db-in-private-subnets": [
        Breach(
            "a subnet gives out public addresses",
            edited(last_subnet, setting(mapPublicIpOnLaunch=True)),
            also={"subnet-no-public-ip": "it is the same property that a rule of its own is about"},
        ),
        Breach("a subnet gets a route to the internet", routed),
        Breach("it gets a public subnet besides", moved),
    ],
    "sg-public-only-on-balancers": [
        Breach("it is opened to the internet", opened_to_the_world),
    ],
    "sg-least-edges": [
        Breach("it is opened on all ports", all_ports, also=CLOSED),
    ],
    "vpc-flow-log": [
        *of_companion("its log", flow_log, "vpcId"),
        Breach("its log leaves out what is refused", edited(flow_log, setting(trafficType="ACCEPT"))),
    ],
    "vpc-default-group-closed": [
        *of_companion("its default group", default_group, "vpcId", on=[VPC]),
        Breach(
            "it lets its members in",
            edited(itself, setting(ingress=[{**HTTPS, "self": True}])),
            [DEFAULT_GROUP],
        ),
        Breach(
            "it lets its members out",
            edited(itself, setting(egress=[{**HTTPS, "cidrBlocks": ["10.0.0.0/8"]}])),
            [DEFAULT_GROUP],
        ),
    ],
    "nacl-no-open-admin-ports": [
        Breach(
            f"a network ACL that opens port {port}",
            brought,
            brings=new(NETWORK_ACL, "open", {"ingress": [{**OPENED, "fromPort": port, "toPort": port}]}),
        )
        for port in (22, 3389)
    ],
}
