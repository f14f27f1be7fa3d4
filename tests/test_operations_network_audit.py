"""`groundwork network audit`: what stands in a VPC against what is declared, each finding on both sides.

Against a VPC in the emulator with the rules of RentalFix; a few answers that it does not give are the test's, checked
against botocore's models. `--from-outside` asks listeners on loopback.
"""

import json
import socket
from contextlib import contextmanager

import pytest

from operations.network import audit, declared, outside, rules
from operations.network.findings import Found, Kind
from operations.network.live import Network, Rule
from operations.platform import Refusal
from tests.aws_cloud import emulator_url, refusal
from tests.program import declared as recorded
from tests.standing_network import cloud, groundwork, on_aws, stack

__all__ = ["cloud", "emulator_url", "groundwork", "on_aws", "stack"]

ANYWHERE = {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}


def found(cloud):
    result, problems = audit.look(Network(cloud))
    assert problems == []
    return result


def one(cloud, kind):
    """The only finding that there is."""
    [finding] = found(cloud).findings
    assert finding.kind is kind
    return finding


def test_a_network_as_it_is_declared_has_no_finding(groundwork):
    said = groundwork("audit")
    assert "rules of the stack's security groups: 48, declared: 48" in said
    assert said.endswith("\nAll is as declared.\n")


def test_a_stack_says_what_the_audit_needs():
    """The outputs of the whole program, as its recording has them."""
    said = recorded("prod").value["network"]
    edges = declared.edges(said["declared"])
    assert len(list(declared.wanted(edges, said["securityGroups"]))) == 48
    assert declared.neighbours(edges, said["securityGroups"]) == set()


def test_outputs_of_before_are_refused(cloud, groundwork):
    del cloud.outputs["network"]
    assert "say nothing of its network" in groundwork("audit", code=2)


# Rules


def test_a_rule_that_is_open_to_the_world_is_told_with_how_it_goes(cloud, stack, groundwork):
    rule = stack.let_in(stack.group("database"), {**SSH, **ANYWHERE})
    said = groundwork("audit", code=1)
    assert "Open to the world" in said
    assert f"database ({stack.group('database')}, {rule}) lets tcp 22 in from 0.0.0.0/0." in said
    assert f"--group-id {stack.group('database')} --security-group-rule-ids {rule}`" in said


def test_the_whole_of_ipv6_is_the_world_too_and_so_is_443_of_another_group(cloud, stack):
    web = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    stack.let_in(stack.group("load-balancer"), {**web, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]})
    stack.let_in(stack.group("core-matching"), {**web, **ANYWHERE})
    kinds = [(each.kind, each.said.partition(" ")[0]) for each in found(cloud).sorted()]
    assert kinds == [(Kind.open, "core-matching"), (Kind.open, "load-balancer")]


def test_a_rule_that_nobody_declared_is_told(cloud, stack):
    rule = stack.let_in(
        stack.group("cache-queue"),
        {**SSH, "UserIdGroupPairs": [{"GroupId": stack.group("load-balancer")}]},
    )
    finding = one(cloud, Kind.undeclared)
    assert finding.what == rule
    assert finding.said.endswith("lets tcp 22 in from load-balancer.")
    assert "revoke-security-group-ingress" in finding.remedy


def test_a_way_out_to_everywhere_is_told(cloud, stack):
    group = stack.group("worker-ai")
    rule = stack.ec2.authorize_security_group_egress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", **ANYWHERE}]
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    stack.undo.append(
        lambda: stack.ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[rule])
    )
    finding = one(cloud, Kind.undeclared)
    assert finding.said == f"worker-ai ({group}, {rule}) lets all traffic out to 0.0.0.0/0."
    assert "revoke-security-group-egress" in finding.remedy


def test_a_wider_rule_does_not_stand_for_the_declared_one(cloud, stack):
    stack.take_away("database", egress=False, port=5432, peer="worker-ai")
    stack.let_in(
        stack.group("database"),
        {
            "IpProtocol": "tcp",
            "FromPort": 5432,
            "ToPort": 5440,
            "UserIdGroupPairs": [{"GroupId": stack.group("worker-ai")}],
        },
    )
    undeclared, missing = found(cloud).sorted()
    assert "lets tcp 5432-5440 in from worker-ai." in undeclared.said
    assert missing.kind is Kind.missing
    assert "has no rule tcp 5432 in from worker-ai, which is declared" in missing.said
    assert missing.remedy == "`pulumi up --refresh --stack prod` makes it again."


def test_a_missing_way_out_is_told(cloud, stack):
    stack.take_away("core-matching", egress=True, port=5432, peer="database")
    assert "core-matching" in one(cloud, Kind.missing).said


def test_a_group_that_is_gone_is_told_once(cloud):
    cloud.outputs["network"]["securityGroups"]["collector"] = "sg-0123456789abcdef0"
    gone = [each for each in found(cloud).findings if each.what == "sg-0123456789abcdef0"]
    assert [each.said for each in gone] == [
        "The security group of collector (sg-0123456789abcdef0) is not in the VPC any more."
    ]


def test_a_rule_says_its_traffic():
    def rule(protocol, first=None, last=None):
        return Rule("r", "g", False, protocol, first, last, "p")

    assert rule("all").traffic == "all traffic"
    assert rule("tcp", 80, 80).traffic == "tcp 80"
    assert rule("udp", 1, 9).traffic == "udp 1-9"
    assert rule("icmp").traffic == "icmp all ports"
    assert rule("tcp", 80, 90).carries("tcp", 85)
    assert not rule("tcp", 80, 90).carries("tcp", 91)
    assert not rule("udp", 80, 90).carries("tcp", 85)
    assert rule("all").carries("udp", 53)


# Groups


def test_a_group_that_the_stack_does_not_know_is_told_with_what_bears_it(cloud, stack):
    group = stack.ec2.create_security_group(GroupName="by-hand", Description="x", VpcId=stack.vpc)["GroupId"]
    stack.undo.append(lambda: stack.ec2.delete_security_group(GroupId=group))
    assert one(cloud, Kind.group).said == f"by-hand ({group}) is in the VPC, on no network interface."
    interface = stack.ec2.create_network_interface(
        SubnetId=stack.subnets["private-a"], Groups=[group], Description="somebody's"
    )["NetworkInterface"]["NetworkInterfaceId"]
    stack.undo.append(lambda: stack.ec2.delete_network_interface(NetworkInterfaceId=interface))
    finding = one(cloud, Kind.group)
    assert finding.said == f"by-hand ({group}) is in the VPC, on {interface} (somebody's)."
    assert f"delete-security-group --region us-east-1 --group-id {group}`" in finding.remedy
    stack.let_in(group, {**SSH, **ANYWHERE})
    assert [each.kind for each in found(cloud).sorted()] == [Kind.open, Kind.group]


def test_the_group_of_a_kubernetes_cluster_is_only_noted(cloud, stack):
    group = stack.ec2.create_security_group(GroupName="eks-1", Description="x", VpcId=stack.vpc)["GroupId"]
    stack.undo.append(lambda: stack.ec2.delete_security_group(GroupId=group))
    stack.ec2.create_tags(Resources=[group], Tags=[{"Key": rules.EKS_TAG, "Value": "main"}])
    assert one(cloud, Kind.group)
    cloud.outputs["kubernetes"]["cluster"] = "main"
    result = found(cloud)
    assert result.findings == []
    assert result.notes == [f"eks-1 ({group}) is the group that EKS made for its cluster main."]


def test_a_rule_in_the_default_group_is_told_and_who_landed_in_it_noted(cloud, stack, on_aws, monkeypatch):
    filters = [{"Name": "vpc-id", "Values": [stack.vpc]}, {"Name": "group-name", "Values": ["default"]}]
    [default] = stack.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    result = Found()
    rules.look(Network(cloud), result)
    # The emulator puts endpoints and NAT gateways there.
    assert any(f"default group ({default['GroupId']}) is on eni-" in note for note in result.notes)
    stack.let_in(default["GroupId"], {**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]})
    monkeypatch.undo()
    assert one(cloud, Kind.undeclared).said.startswith("The VPC's default group")


def test_a_neighbours_group_is_known_by_the_edges_that_lead_to_it(cloud, stack):
    """Pods ask the machines of a cluster that is not the stack's for names."""
    nodes = stack.ec2.create_security_group(GroupName="nodes", Description="x", VpcId=stack.vpc)["GroupId"]
    stack.undo.append(lambda: stack.ec2.delete_security_group(GroupId=nodes))
    cloud.outputs["network"]["declared"] += [
        {"source": "worker-ai", "target": "nodes", "port": 53, "protocol": "udp"},
        {"source": "core-matching", "target": "nodes", "port": 53, "protocol": "udp"},
    ]
    assert {each.kind for each in found(cloud).findings} == {Kind.group, Kind.missing}
    for name in ("worker-ai", "core-matching"):
        permission = {
            "IpProtocol": "udp",
            "FromPort": 53,
            "ToPort": 53,
            "UserIdGroupPairs": [{"GroupId": nodes}],
        }
        rule = stack.ec2.authorize_security_group_egress(
            GroupId=stack.group(name), IpPermissions=[permission]
        )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        stack.undo.append(
            lambda name=name, rule=rule: stack.ec2.revoke_security_group_egress(
                GroupId=stack.group(name), SecurityGroupRuleIds=[rule]
            )
        )
    assert found(cloud).findings == []


# Addresses, stores, balancers


def test_a_public_address_is_told_and_that_of_a_nat_gateway_is_not(cloud, stack):
    interface = stack.ec2.create_network_interface(
        SubnetId=stack.subnets["public-a"], Groups=[stack.group("worker-ai")], Description="a bastion"
    )["NetworkInterface"]["NetworkInterfaceId"]
    stack.undo.append(lambda: stack.ec2.delete_network_interface(NetworkInterfaceId=interface))
    assert found(cloud).findings == []
    address = stack.ec2.allocate_address(Domain="vpc")
    made = stack.ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=interface)
    stack.undo.append(lambda: stack.ec2.disassociate_address(AssociationId=made["AssociationId"]))
    finding = one(cloud, Kind.address)
    assert finding.said == (
        f"{interface} (a bastion) in network-public-a has the public address {address['PublicIp']}; its groups: "
        "worker-ai."
    )
    assert f"--association-id {made['AssociationId']}`" in finding.remedy


def interface(description, group, **more):
    return {
        "NetworkInterfaceId": "eni-1",
        "SubnetId": "subnet-1",
        "Description": description,
        "Groups": [{"GroupId": group}],
        "Association": {"PublicIp": "203.0.113.7"},
        **more,
    }


@pytest.mark.parametrize(
    ("description", "group", "is_told"),
    [
        ("ELB app/ingress/1", "load-balancer", False),
        ("ELB app/other/1", "worker-ai", True),
        ("ClientVPN Endpoint resource", "vpn", False),
        ("ClientVPN Endpoint resource", "worker-ai", True),
        ("", "load-balancer", True),
    ],
)
def test_balancer_and_vpn_may_have_addresses(cloud, stack, description, group, is_told):
    cloud.outputs["network"]["securityGroups"]["vpn"] = "sg-0vpn"
    group_id = "sg-0vpn" if group == "vpn" else stack.group(group)
    cloud.says("DescribeNetworkInterfaces", {"NetworkInterfaces": [interface(description, group_id)]})
    kinds = {each.kind for each in found(cloud).findings}
    assert (Kind.address in kinds) is is_told


def test_one_that_has_its_address_from_its_start_and_one_of_ipv6_are_told(cloud, stack):
    given = interface("", stack.group("worker-ai"), Attachment={"InstanceId": "i-1"})
    cloud.says("DescribeNetworkInterfaces", {"NetworkInterfaces": [given]})
    finding = one(cloud, Kind.address)
    assert "eni-1 (EC2 instance i-1)" in finding.said
    assert finding.remedy.startswith("It has it from its start")
    given = interface("", stack.group("worker-ai"), Ipv6Addresses=[{"Ipv6Address": "2001:db8::1"}])
    del given["Association"]
    cloud.says("DescribeNetworkInterfaces", {"NetworkInterfaces": [given]})
    assert "has an IPv6 address, and the stack declares none" in one(cloud, Kind.address).said


def test_a_public_database_is_told(cloud, stack):
    rds, name = cloud.client("rds"), stack.outputs["database"]["identifier"]
    rds.modify_db_instance(DBInstanceIdentifier=name, PubliclyAccessible=True)
    stack.undo.append(lambda: rds.modify_db_instance(DBInstanceIdentifier=name, PubliclyAccessible=False))
    finding = one(cloud, Kind.store)
    assert finding.said.startswith(f"The database {name} is publicly accessible")
    assert f"--db-instance-identifier {name} --no-publicly-accessible" in finding.remedy


def test_a_public_cluster_and_broker_are_told_and_those_of_others_are_not(cloud, stack):
    def cluster(name, group, *, public):
        groups = [{"VpcSecurityGroupId": group}]
        return {"DBClusterIdentifier": name, "VpcSecurityGroups": groups, "PubliclyAccessible": public}

    own = stack.group("database")
    cloud.says(
        "DescribeDBClusters",
        {
            "DBClusters": [
                cluster("ours", own, public=True),
                cluster("closed", own, public=False),
                cluster("theirs", "sg-9", public=True),
            ]
        },
    )
    cloud.says(
        "ListBrokers",
        {
            "BrokerSummaries": [
                {"BrokerId": each, "DeploymentMode": "SINGLE_INSTANCE", "EngineType": "RabbitMQ"}
                for each in ("b-ours", "b-closed", "b-theirs")
            ]
        },
    )
    groups = {"b-ours": own, "b-closed": own, "b-theirs": "sg-9"}
    cloud.says(
        "DescribeBroker",
        lambda given: {
            "BrokerId": given["BrokerId"],
            "BrokerName": given["BrokerId"],
            "SecurityGroups": [groups[given["BrokerId"]]],
            "PubliclyAccessible": given["BrokerId"] != "b-closed",
        },
    )
    assert [(each.kind, each.what) for each in found(cloud).findings] == [
        (Kind.store, "ours"),
        (Kind.store, "b-ours"),
    ]


def test_a_listener_that_nobody_declared_is_told(cloud, stack):
    elb = cloud.client("elbv2")
    listener = elb.create_listener(
        LoadBalancerArn=stack.outputs["loadBalancer"]["arn"],
        Protocol="HTTP",
        Port=8080,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Listeners"][0]["ListenerArn"]
    stack.undo.append(lambda: elb.delete_listener(ListenerArn=listener))
    finding = one(cloud, Kind.balancer)
    assert "listens on 8080, which nobody declared." in finding.said
    assert listener in finding.remedy


def test_another_balancer_that_faces_the_internet_is_told_and_an_internal_one_is_not(cloud, stack):
    elb = cloud.client("elbv2")
    subnets = [stack.subnets["public-a"], stack.subnets["public-b"]]
    for name, scheme in (("inside", "internal"), ("facing", "internet-facing")):
        [made] = elb.create_load_balancer(
            Name=name, Scheme=scheme, Subnets=subnets, SecurityGroups=[stack.group("load-balancer")]
        )["LoadBalancers"]
        stack.undo.append(lambda arn=made["LoadBalancerArn"]: elb.delete_load_balancer(LoadBalancerArn=arn))
    finding = one(cloud, Kind.balancer)
    assert finding.said == "The load balancer facing faces the internet, and the stack does not know it."
    # On Kubernetes a controller makes it, and its group is all that is known.
    cloud.outputs["loadBalancer"]["arn"] = ""
    assert found(cloud).findings == []


# Routes, ACLs, flow logs


def test_a_private_subnet_with_an_internet_gateway_is_told(cloud, stack):
    [gateway] = stack.ec2.describe_internet_gateways(
        Filters=[{"Name": "attachment.vpc-id", "Values": [stack.vpc]}]
    )["InternetGateways"]
    table = stack.tables["isolated-a"]
    stack.ec2.create_route(
        RouteTableId=table,
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=gateway["InternetGatewayId"],
    )
    stack.undo.append(lambda: stack.ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0"))
    finding = one(cloud, Kind.route)
    assert finding.said.startswith("The isolated subnet network-isolated-a has a route to 0.0.0.0/0 by igw-")
    assert f"--route-table-id {table} --destination-cidr-block 0.0.0.0/0`" in finding.remedy


def test_a_subnet_that_the_stack_did_not_make_is_told(cloud, stack):
    subnet = stack.ec2.create_subnet(VpcId=stack.vpc, CidrBlock="10.60.200.0/24")["Subnet"]["SubnetId"]
    stack.undo.append(lambda: stack.ec2.delete_subnet(SubnetId=subnet))
    assert "bears no tag Tier" in one(cloud, Kind.route).said


def test_an_acl_that_lets_less_through_is_told_and_one_without_subnets_is_not(cloud, stack):
    acl = stack.ec2.create_network_acl(VpcId=stack.vpc)["NetworkAcl"]["NetworkAclId"]
    stack.undo.append(lambda: stack.ec2.delete_network_acl(NetworkAclId=acl))
    assert found(cloud).findings == []
    stack.ec2.create_network_acl_entry(
        NetworkAclId=acl,
        RuleNumber=100,
        Protocol="-1",
        RuleAction="allow",
        Egress=True,
        CidrBlock="0.0.0.0/0",
    )
    stack.ec2.create_network_acl_entry(
        NetworkAclId=acl,
        RuleNumber=90,
        Protocol="6",
        RuleAction="deny",
        Egress=False,
        CidrBlock="10.60.0.0/16",
        PortRange={"From": 5432, "To": 5432},
    )
    use(stack, acl, "isolated-a")
    finding = one(cloud, Kind.acl)
    assert finding.said == (
        f"The network ACL {acl} does not let everything in: 90 denies tcp 5432 10.60.0.0/16. On network-isolated-a."
    )
    assert acl in finding.remedy


def use(stack, acl, subnet):
    """The subnet has this ACL, until the test is over."""
    filters = [{"Name": "association.subnet-id", "Values": [stack.subnets[subnet]]}]
    [before] = stack.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    [association] = [
        each["NetworkAclAssociationId"]
        for each in before["Associations"]
        if each["SubnetId"] == stack.subnets[subnet]
    ]
    now = stack.ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)
    stack.undo.append(
        lambda: stack.ec2.replace_network_acl_association(
            AssociationId=now["NewAssociationId"], NetworkAclId=before["NetworkAclId"]
        )
    )


def flow_log(**more):
    return {"FlowLogId": "fl-1", "FlowLogStatus": "ACTIVE", "TrafficType": "ALL", **more}


@pytest.mark.parametrize(
    ("logs", "said"),
    [
        ([], "Nothing writes down all connections of the VPC {vpc} (flow logs: none)."),
        (
            [flow_log(TrafficType="REJECT")],
            "Nothing writes down all connections of the VPC {vpc} (flow logs: fl-1).",
        ),
        (
            [flow_log(DeliverLogsStatus="FAILED", DeliverLogsErrorMessage="Access error")],
            "The flow log fl-1 is not delivered: Access error.",
        ),
        ([flow_log(DeliverLogsStatus="SUCCESS")], None),
    ],
)
def test_flow_logs(cloud, on_aws, logs, said):
    cloud.says("DescribeFlowLogs", {"FlowLogs": logs})
    told = [each.said for each in found(cloud).findings if each.kind is Kind.flow_log]
    assert told == ([said.format(vpc=cloud.outputs["network"]["vpc"])] if said else [])


# The command


def test_json_has_findings_for_a_program(cloud, stack, groundwork):
    rule = stack.let_in(stack.group("database"), {**SSH, **ANYWHERE})
    told = json.loads(groundwork("audit", "--json", code=1))
    assert told["vpc"] == stack.vpc
    assert [(each["kind"], each["what"]) for each in told["findings"]] == [("open", rule)]
    assert told["problems"] == []


def test_what_aws_refuses_of_one_part_does_not_keep_the_others(cloud, stack, groundwork):
    cloud.says("DescribeFlowLogs", refusal("UnauthorizedOperation", "not you"))
    said = groundwork("audit", code=2)
    assert "flow logs: AWS refused DescribeFlowLogs: not you (UnauthorizedOperation)." in said
    assert "All is as declared." not in said
    stack.let_in(stack.group("database"), {**SSH, **ANYWHERE})
    assert "Open to the world" in groundwork("audit", code=1)


# From outside


@contextmanager
def listening():
    """A port of loopback that takes connections, and one that does not."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield server.getsockname()[1], closed.getsockname()[1]


def front(cloud, *ports):
    """The balancer is at loopback, and may answer on these; nothing else is declared."""
    cloud.outputs["loadBalancer"]["dnsName"] = "127.0.0.1"
    cloud.outputs["network"]["declared"] = [
        {"source": "internet", "target": "load-balancer", "port": port, "protocol": "tcp"} for port in ports
    ]
    return Network(cloud)


def test_only_declared_ports_may_answer(cloud):
    with listening() as (open_port, closed_port):
        result = Found()
        outside.look(front(cloud, open_port), result, [closed_port])
        assert result.findings == []
        assert result.seen == ["ports asked at 1 public addresses: 2 each, answered: 1"]
        outside.look(front(cloud), result, [open_port, closed_port])
        [finding] = result.findings
        assert finding.said == f"127.0.0.1 (127.0.0.1) answers on port {open_port}; only none may."
        assert finding.kind is Kind.outside


def test_a_declared_port_has_to_answer(cloud):
    with listening() as (_, closed_port):
        result = Found()
        outside.look(front(cloud, closed_port), result, [])
        [finding] = result.findings
        assert f"does not answer on port {closed_port} within 3 s." in finding.said


def test_the_command_asks_from_outside(cloud, groundwork, monkeypatch):
    with listening() as (open_port, _):
        front(cloud, open_port)
        monkeypatch.setattr(audit, "PARTS", {})
        said = groundwork("audit", "--from-outside")
    assert "ports asked at 1 public addresses" in said
    assert "answered: 1" in said


def test_without_an_address_nothing_is_asked_and_the_rest_is_told(cloud, stack, groundwork):
    cloud.outputs["loadBalancer"]["dnsName"] = "balancer.invalid"
    assert "The load balancer's name balancer.invalid is not known here" in groundwork(
        "audit", "--from-outside", code=2
    )
    cloud.outputs["loadBalancer"]["dnsName"] = ""
    assert "has no load balancer whose addresses" in groundwork("audit", "--from-outside", code=2)
    stack.let_in(stack.group("database"), {**SSH, **ANYWHERE})
    assert "Open to the world" in groundwork("audit", "--from-outside", code=1)


def test_the_ports_of_the_stores_are_among_those_that_are_asked():
    assert {22, 80, 443, 5432, 6379, 5671, 9090, 3389} <= set(outside.PORTS)
    assert len(set(outside.PORTS)) == len(outside.PORTS) < 100


def test_an_unknown_name_is_a_refusal():
    with pytest.raises(Refusal, match="is not known here"):
        outside.addresses("nowhere.invalid")
