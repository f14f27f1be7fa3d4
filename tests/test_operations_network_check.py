"""`groundwork network check`: each link of a connection, whole and broken, and Reachability Analyzer.

Against a VPC in the emulator with the rules of RentalFix. What it has not (a cache's members, proxies, brokers' states,
Reachability Analyzer) are answers of the test, checked against botocore's models.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest

from operations.network import analyzer, chain, ends, passing
from operations.network.check import first_broken
from operations.network.ends import Is
from operations.network.live import Network
from operations.platform import Refusal
from operations.waits import Failed
from tests.aws_cloud import clock, emulator_url, refusal
from tests.standing_network import cloud, groundwork, stack

__all__ = ["clock", "cloud", "emulator_url", "groundwork", "stack"]

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """A suite may take longer than what counts as recent."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC))


def links(cloud, source="core-matching", target="database", port=None):
    network = Network(cloud)
    hops = ends.hops(network, ends.end(cloud, source), ends.end(cloud, target), port)
    return list(chain.of(network, hops))


def step(cloud, name, *ends_of_it, **more):
    """Links of that step."""
    return [each for each in links(cloud, *ends_of_it, **more) if each.step == name]


def break_of(found):
    """The first link that breaks; there is one."""
    broken = first_broken(found)
    assert broken is not None
    return broken


# How ends are named


@pytest.mark.parametrize(
    ("text", "group", "kind", "name"),
    [
        ("core-matching", "core-matching", Is.service, "core-matching"),
        ("api", "core-matching", Is.service, "core-matching"),
        ("database", "database", Is.database, "database"),
        ("db", "database", Is.database, "database"),
        ("cache", "cache-cache", Is.cache, "cache"),
        ("queue", "cache-queue", Is.cache, "queue"),
        ("cache-queue", "cache-queue", Is.cache, "queue"),
        ("lb", "load-balancer", Is.balancer, "load-balancer"),
        ("endpoints", "endpoints", Is.endpoints, "endpoints"),
        ("operations", "operations", Is.other, "operations"),
        ("s3", "s3", Is.outside, "s3"),
        ("internet", "internet", Is.outside, "internet"),
    ],
)
def test_ends(cloud, text, group, kind, name):
    found = ends.end(cloud, text)
    assert (found.group, found.kind, found.name) == (group, kind, name)


def test_the_only_cache_and_the_only_broker_need_no_name(cloud):
    cloud.outputs["caches"] = {"sessions": {}}
    cloud.outputs["brokers"] = {"events": {}}
    assert ends.end(cloud, "redis").group == "cache-sessions"
    assert ends.end(cloud, "cache").group == "cache-sessions"
    assert ends.end(cloud, "rabbitmq").group == "broker-events"
    assert ends.end(cloud, "events").kind is Is.broker


def test_a_name_that_is_not_there_and_a_port_that_is_none_are_refused(groundwork):
    said = groundwork("check", "--from", "core-machting", "--to", "db", code=2)
    assert "There is no end of a connection core-machting of rentalfix" in said
    assert "Did you mean core-matching?" in said
    assert "a port is a number from 1 to 65535, as in db:5432" in groundwork(
        "check", "--from", "api", "--to", "db:x", code=2
    )
    assert ends.split("db:5432") == ("db", 5432)
    assert ends.split("db") == ("db", None)


def test_a_target_that_nothing_reaches_has_to_have_a_port(cloud):
    network = Network(cloud)
    source, target = ends.end(cloud, "worker-ai"), ends.end(cloud, "collector")
    with pytest.raises(Refusal, match="its port is not known: --to collector:PORT"):
        ends.hops(network, source, target, None)
    assert str(ends.hops(network, source, target, 9090)[0]) == "worker-ai -> collector, tcp 9090"


# The chain, whole


def test_nothing_is_in_the_way_of_the_database(groundwork):
    said = groundwork("check", "--from", "api", "--to", "database")
    assert "core-matching -> database, tcp 5432" in said
    assert "subnets: core-matching stands in network-private-a, network-private-b" in said
    assert "subnets: database stands in network-isolated-a, network-isolated-b" in said
    assert "login: database/rentfix_app: a value is there" in said
    assert "NOT" not in said
    assert "Nothing of the network is in the way of core-matching -> database." in said


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("operations", "db"),
        ("worker-ai", "s3"),
        ("worker-ai", "internet"),
        ("collector", "endpoints"),
        ("lb", "core-matching"),
        ("internet", "lb"),
        ("collector", "worker-ai"),
    ],
)
def test_other_ends_are_reached_too(cloud, source, target):
    found = links(cloud, source, target)
    assert first_broken(found) is None
    assert found[0].is_well


def members(cloud, stack, *, group="cache-cache"):
    """ElastiCache says where its nodes stand."""
    cloud.says(
        "DescribeCacheClusters",
        {
            "CacheClusters": [
                {
                    "CacheClusterId": "cache-001",
                    "CacheSubnetGroupName": "isolated",
                    "SecurityGroups": [{"SecurityGroupId": stack.group(group), "Status": "active"}],
                }
            ]
        },
    )
    subnets = [{"SubnetIdentifier": stack.subnets[each]} for each in ("isolated-a", "isolated-b")]
    cloud.says("DescribeCacheSubnetGroups", {"CacheSubnetGroups": [{"Subnets": subnets}]})


def test_a_cache_is_reached_on_its_port(cloud, stack, groundwork):
    members(cloud, stack)
    said = groundwork("check", "--from", "worker-ai", "--to", "cache:6379")
    assert "worker-ai -> cache-cache, tcp 6379" in said
    assert "subnets: cache stands in network-isolated-a" in said
    assert "login: caches/cache: a value is there" in said


def test_where_the_emulator_does_not_tell_where_a_cache_stands_that_is_said(groundwork):
    said = groundwork("check", "--from", "worker-ai", "--to", "queue")
    assert "?   subnets: AWS does not tell where queue stands" in said
    assert "Not known: subnets, routes, network ACLs" in said


def test_json_has_every_link(groundwork):
    told = json.loads(groundwork("check", "--from", "api", "--to", "db", "--json"))
    assert told["breaks_at"] is None
    assert told["hops"] == ["core-matching -> database, tcp 5432"]
    assert [each["step"] for each in told["links"]][:3] == ["declared", "rule out", "rule in"]


# The chain, broken at each link


def test_an_edge_that_is_not_declared(cloud, groundwork):
    said = groundwork("check", "--from", "load-balancer", "--to", "database", code=1)
    assert (
        "It breaks at declared: load-balancer -> database, tcp 5432 is not declared; database is reached by"
        in said
    )
    assert "core-matching:5432, operations:5432, worker-ai:5432." in said
    assert "The stack opens it to nobody but those" in said
    [link] = step(cloud, "declared", "core-matching", "worker-ai", port=9090)
    assert "Name worker-ai under services.core-matching.connects_to" in link.remedy


def test_a_missing_rule_at_either_end(cloud, stack, groundwork):
    stack.take_away("database", egress=False, port=5432, peer="core-matching")
    said = groundwork("check", "--from", "api", "--to", "db", code=1)
    assert (
        f"It breaks at rule in: database ({stack.group('database')}) has no rule that lets tcp 5432 in from"
        in said
    )
    assert "`pulumi up --refresh --stack prod` makes it again" in said
    stack.put_right()
    stack.take_away("core-matching", egress=True, port=5432, peer="database")
    assert "It breaks at rule out: core-matching" in groundwork(
        "check", "--from", "api", "--to", "db", code=1
    )


def test_a_rule_for_the_whole_block_lets_it_in_too(cloud, stack):
    stack.take_away("database", egress=False, port=5432, peer="core-matching")
    block = {"IpProtocol": "tcp", "FromPort": 5000, "ToPort": 6000, "IpRanges": [{"CidrIp": "10.60.0.0/16"}]}
    rule = stack.let_in(stack.group("database"), block)
    [link] = step(cloud, "rule in")
    assert link.is_well
    assert rule in link.said
    stack.let_in(stack.group("cache-queue"), {**block, "IpRanges": [{"CidrIp": "10.60.1.0/24"}]})


def test_a_rule_for_one_of_its_subnets_does_not(cloud, stack):
    stack.take_away("database", egress=False, port=5432, peer="core-matching")
    block = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.60.1.0/24"}]}
    stack.let_in(stack.group("database"), block)
    assert step(cloud, "rule in")[0].is_well is False


def test_a_vpc_without_names(cloud, stack):
    stack.ec2.modify_vpc_attribute(VpcId=stack.vpc, EnableDnsSupport={"Value": False})
    stack.undo.append(
        lambda: stack.ec2.modify_vpc_attribute(VpcId=stack.vpc, EnableDnsSupport={"Value": True})
    )
    [link] = step(cloud, "names")
    assert link.is_well is False
    assert "--enable-dns-support" in link.remedy


def test_a_store_in_another_vpc(cloud, stack):
    group = [{"Subnets": [{"SubnetIdentifier": "subnet-elsewhere"}]}]
    cloud.says("DescribeDBSubnetGroups", {"DBSubnetGroups": group})
    [link] = step(cloud, "subnets")
    assert link.said == f"database stands in subnet-elsewhere, which is not in the VPC {stack.vpc}."
    assert link.is_well is False


def table(*routes):
    return {"RouteTableId": "rtb-1", "Routes": list(routes)}


LOCAL = {"DestinationCidrBlock": "10.60.0.0/16", "GatewayId": "local", "State": "active"}
OUT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}


class Tables:
    """A network whose subnets all have the one table."""

    def __init__(self, only):
        self.only = only

    def table_of(self, _):
        return self.only

    def label(self, subnet):
        return subnet


@pytest.mark.parametrize(
    ("routes", "block", "inside", "said"),
    [
        ([LOCAL, OUT], "10.60.11.0/24", True, ""),
        ([LOCAL, OUT], "0.0.0.0/0", False, ""),
        ([LOCAL], "0.0.0.0/0", False, "a (rtb-1) has no route to 0.0.0.0/0"),
        (
            [LOCAL, {**OUT, "State": "blackhole"}],
            "0.0.0.0/0",
            False,
            "a (rtb-1) has a route to 0.0.0.0/0 by nat-1, which is not there any more",
        ),
        (
            [LOCAL, {"DestinationCidrBlock": "10.60.11.0/24", "NetworkInterfaceId": "eni-1"}],
            "10.60.11.0/24",
            True,
            "a (rtb-1) sends 10.60.11.0/24 to eni-1 instead of staying in the VPC",
        ),
        (
            [{"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}],
            "10.60.11.0/24",
            True,
            "a (rtb-1) has no route",
        ),
    ],
)
def test_the_narrowest_route_decides(routes, block, inside, said):
    found = passing.blocked_route(Tables(table(*routes)), "a", block, inside=inside)  # ty: ignore[invalid-argument-type]
    assert found.startswith(said) if said else found == ""


def test_a_route_that_is_gone_breaks_the_way_out(cloud, stack):
    for zone in ("a", "b"):
        label = stack.tables[f"private-{zone}"]
        [route] = [
            each
            for each in stack.ec2.describe_route_tables(RouteTableIds=[label])["RouteTables"][0]["Routes"]
            if each.get("DestinationCidrBlock") == "0.0.0.0/0"
        ]
        stack.ec2.delete_route(RouteTableId=label, DestinationCidrBlock="0.0.0.0/0")
        stack.undo.append(
            lambda label=label, route=route: stack.ec2.create_route(
                RouteTableId=label,
                DestinationCidrBlock="0.0.0.0/0",
                NatGatewayId=route["NatGatewayId"],
            )
        )
    broken = break_of(links(cloud, "worker-ai", "internet"))
    assert broken.step == "routes"
    assert "has no route to 0.0.0.0/0" in broken.said
    # S3 has its own way, by the gateway endpoint; without that there is none either.
    assert first_broken(links(cloud, "worker-ai", "s3")) is None
    cloud.says("DescribeVpcEndpoints", {"VpcEndpoints": []})
    assert "has no route to S3" in break_of(links(cloud, "worker-ai", "s3")).said


def acl(*entries):
    return {
        "NetworkAclId": "acl-1",
        "Entries": [
            {
                "RuleNumber": number,
                "RuleAction": action,
                "Protocol": protocol,
                "CidrBlock": block,
                "Egress": False,
                **({"PortRange": {"From": ports[0], "To": ports[1]}} if ports else {}),
            }
            for number, action, protocol, block, ports in entries
        ],
    }


ALL = (100, "allow", "-1", "0.0.0.0/0", None)
LAST = (32767, "deny", "-1", "0.0.0.0/0", None)
SQL = passing.Packets("10.60.1.0/24", 5432, 5432, "tcp")
BACK = passing.Packets("10.60.1.0/24", *passing.LINUX_PORTS, "tcp")


@pytest.mark.parametrize(
    ("entries", "packets", "by"),
    [
        ([ALL, LAST], SQL, ""),
        ([LAST], SQL, "the last rule (deny all from 0.0.0.0/0)"),
        (
            [(90, "deny", "6", "10.0.0.0/8", (5432, 5432)), ALL],
            SQL,
            "rule 90 (deny tcp 5432 from 10.0.0.0/8)",
        ),
        ([(90, "deny", "6", "10.0.0.0/8", (1, 5000)), ALL], SQL, ""),
        ([(90, "deny", "17", "10.0.0.0/8", (5432, 5432)), ALL], SQL, ""),
        ([(90, "deny", "6", "10.60.2.0/24", (5432, 5432)), ALL], SQL, ""),
        ([(110, "deny", "-1", "0.0.0.0/0", None), ALL], SQL, ""),
        ([(90, "allow", "6", "10.60.0.0/16", (1024, 65535)), LAST], BACK, ""),
        (
            [(90, "allow", "6", "10.60.0.0/16", (40000, 65535)), LAST],
            BACK,
            "the last rule (deny all from 0.0.0.0/0)",
        ),
        (
            [(90, "allow", "6", "10.60.1.128/25", (1024, 65535))],
            BACK,
            "the last rule, which denies what no other allows",
        ),
    ],
)
def test_an_acl_goes_by_its_first_rule_that_fits(entries, packets, by):
    assert passing.stopped_by(acl(*entries), packets, is_egress=False) == by


def test_answers_to_the_balancer_come_back_to_more_ports():
    assert passing.ephemeral("load-balancer") == (1024, 65535)
    assert passing.ephemeral("core-matching") == (32768, 60999)


def test_an_acl_that_stops_the_way_back_breaks_it(cloud, stack, groundwork):
    made = stack.ec2.create_network_acl(VpcId=stack.vpc)["NetworkAcl"]["NetworkAclId"]
    stack.undo.append(lambda: stack.ec2.delete_network_acl(NetworkAclId=made))
    stack.ec2.create_network_acl_entry(
        NetworkAclId=made,
        RuleNumber=100,
        Protocol="-1",
        RuleAction="allow",
        Egress=False,
        CidrBlock="0.0.0.0/0",
    )
    subnet = stack.subnets["isolated-a"]
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    [before] = stack.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]
    [association] = [
        each["NetworkAclAssociationId"] for each in before["Associations"] if each["SubnetId"] == subnet
    ]
    now = stack.ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=made)
    stack.undo.append(
        lambda: stack.ec2.replace_network_acl_association(
            AssociationId=now["NewAssociationId"], NetworkAclId=before["NetworkAclId"]
        )
    )
    said = groundwork("check", "--from", "api", "--to", "db", code=1)
    assert (
        f"It breaks at network ACLs: {made} on network-isolated-a does not let tcp 32768-60999 out to 10.60.1.0/24"
        in said
    )
    assert "replace-network-acl-association" in said


def test_a_database_that_is_not_available(cloud, stack):
    rds = cloud.client("rds")
    [said] = rds.describe_db_instances(DBInstanceIdentifier=stack.outputs["database"]["identifier"])[
        "DBInstances"
    ]
    cloud.says("DescribeDBInstances", {"DBInstances": [{**said, "DBInstanceStatus": "stopped"}]})
    broken = break_of(links(cloud))
    assert (broken.step, broken.said) == (
        "database",
        f"the database {said['DBInstanceIdentifier']} is stopped.",
    )
    assert broken.remedy == "docs/runbooks/database.md."
    groups = [{"VpcSecurityGroupId": "sg-other", "Status": "active"}]
    cloud.says("DescribeDBInstances", {"DBInstances": [{**said, "VpcSecurityGroups": groups}]})
    broken = break_of(links(cloud))
    assert broken.step == "its security group"
    assert broken.said.startswith("database does not bear the security group database")


def test_a_cache_that_is_gone(cloud):
    cloud.outputs["caches"]["queue"]["replicationGroupId"] = "gone"
    assert break_of(links(cloud, "worker-ai", "queue")).said == "ElastiCache knows no gone."


def broker(cloud, stack):
    cloud.outputs["brokers"] = {
        "events": {"id": "b-1", "loginSecretArn": stack.outputs["database"]["masterSecretArn"]}
    }
    cloud.outputs["network"]["securityGroups"]["broker-events"] = stack.group("collector")
    cloud.outputs["network"]["declared"].append(
        {"source": "worker-ai", "target": "broker-events", "port": 5671, "protocol": "tcp"}
    )


@pytest.mark.parametrize(("state", "is_well"), [("RUNNING", True), ("REBOOT_IN_PROGRESS", False)])
def test_a_broker(cloud, stack, state, is_well):
    broker(cloud, stack)
    cloud.says(
        "DescribeBroker",
        {
            "BrokerState": state,
            "SubnetIds": [stack.subnets["isolated-a"]],
            "SecurityGroups": [stack.group("collector")],
        },
    )
    [link] = step(cloud, "broker", "worker-ai", "events")
    assert link.is_well is is_well
    assert link.said.startswith(f"the broker events is {state}")


def test_a_broker_that_is_gone(cloud, stack):
    broker(cloud, stack)
    cloud.says("DescribeBroker", refusal("NotFoundException"))
    assert step(cloud, "broker", "worker-ai", "events")[0].said == "Amazon MQ knows no broker b-1."


def test_through_a_proxy_both_parts_of_the_way_are_asked(cloud, stack):
    declared = cloud.outputs["network"]["declared"]
    for each in declared:
        if each["target"] == "database" and each["source"] != "operations":
            each["target"] = "database-proxy"
    declared.append({"source": "database-proxy", "target": "database", "port": 5432, "protocol": "tcp"})
    cloud.outputs["network"]["securityGroups"]["database-proxy"] = stack.group("operations")
    cloud.outputs["database"]["proxyAddress"] = "proxy.example.invalid"
    said = {
        "DBProxyName": "p",
        "Endpoint": "proxy.example.invalid",
        "Status": "available",
        "VpcSubnetIds": [stack.subnets["isolated-a"]],
        "VpcSecurityGroupIds": [stack.group("operations")],
    }
    cloud.says("DescribeDBProxies", {"DBProxies": [said]})
    found = links(cloud)
    assert [each.said for each in found if each.step == "declared"] == [
        "core-matching -> database-proxy, tcp 5432",
        "database-proxy -> database, tcp 5432",
    ]
    assert [each.is_well for each in found if each.step in ("database proxy", "database")] == [True, True]
    cloud.says("DescribeDBProxies", {"DBProxies": [{**said, "Status": "incompatible-network"}]})
    assert step(cloud, "database proxy")[0].said == "the proxy p is incompatible-network."
    cloud.says("DescribeDBProxies", {"DBProxies": []})
    assert step(cloud, "database proxy")[0].said == "RDS knows no proxy at proxy.example.invalid."


def test_endpoints_that_are_not_available(cloud):
    cloud.says("DescribeVpcEndpoints", {"VpcEndpoints": []})
    assert break_of(links(cloud, "collector", "endpoints")).said == "The VPC has no interface endpoint."


def test_a_balancer_that_is_gone(cloud):
    cloud.says("DescribeLoadBalancers", refusal("LoadBalancerNotFound"))
    assert "ELB knows no" in step(cloud, "load balancer", "internet", "lb")[0].said


# The login, and the tasks


def secret(cloud, stack, arn, **more):
    """What Secrets Manager says of one; the others hold a value."""
    answer = {"VersionIdsToStages": {"1" * 32: ["AWSCURRENT"]}}
    cloud.says("DescribeSecret", lambda given: {**answer, **(more if given["SecretId"] == arn else {})})


def test_the_login_of_the_service_is_empty_deleted_or_gone(cloud, stack):
    arn = stack.outputs["database"]["roleSecretArns"]["rentfix_app"]
    secret(cloud, stack, arn, VersionIdsToStages={})
    broken = break_of(links(cloud))
    assert (broken.step, broken.said) == ("login", "The secret database/rentfix_app is empty.")
    assert broken.remedy == "`groundwork db bootstrap --stack prod` fills it."
    # The worker logs in as another role.
    assert first_broken(links(cloud, "worker-ai")) is None
    secret(cloud, stack, arn, DeletedDate=NOW)
    assert break_of(links(cloud)).said == "The secret database/rentfix_app is being deleted."
    cloud.says("DescribeSecret", refusal("ResourceNotFoundException"))
    assert "The secret database/rentfix_app is not there any more" in break_of(links(cloud)).said


def test_another_secret_that_is_empty_is_told_and_does_not_break_the_way(cloud, stack):
    secret(cloud, stack, stack.outputs["secrets"]["sentry-dsn"], VersionIdsToStages={})
    [link] = step(cloud, "its secrets")
    assert link.is_well is None
    assert link.said == "The secret sentry-dsn is empty: no new task of core-matching starts without"
    assert link.remedy == "`groundwork secrets put sentry-dsn --stack prod` fills it."
    assert first_broken(links(cloud)) is None


def test_no_value_is_asked_for(cloud):
    links(cloud)
    assert cloud.calls("DescribeSecret")
    assert cloud.calls("GetSecretValue") == []


def described(cloud, stack, **more):
    ecs = cloud.client("ecs")
    name = stack.outputs["services"]["core-matching"]["name"]
    [said] = ecs.describe_services(cluster=stack.cluster, services=[name])["services"]
    cloud.says("DescribeServices", {"services": [{**said, **more}]})


@pytest.mark.parametrize(
    ("desired", "remedy"),
    [
        (2, "`groundwork service show core-matching --stack prod` says why."),
        (0, "`groundwork service start core-matching --stack prod`."),
    ],
)
def test_a_service_that_does_not_run(cloud, stack, desired, remedy):
    described(cloud, stack, runningCount=0, desiredCount=desired)
    broken = break_of(links(cloud))
    assert (broken.step, broken.said) == ("service", f"0 of {desired} tasks of core-matching run.")
    assert broken.remedy == remedy


def test_a_service_with_another_group_or_in_other_subnets(cloud, stack):
    def placed(group, subnet):
        network = {"subnets": [stack.subnets[subnet]], "securityGroups": [stack.group(group)]}
        described(cloud, stack, networkConfiguration={"awsvpcConfiguration": network})
        return break_of(links(cloud))

    broken = placed("collector", "private-a")
    assert broken.step == "its security group"
    assert broken.said.startswith("core-matching does not bear the security group core-matching")
    broken = placed("core-matching", "public-a")
    assert broken.step == "its subnets"
    assert broken.said == "core-matching is to run in network-public-a, which is no private subnet."


def runs(cloud, stack, group):
    """One task of core-matching, whose network interface has this group."""
    interface = stack.ec2.create_network_interface(
        SubnetId=stack.subnets["private-a"], Groups=[stack.group(group)]
    )["NetworkInterface"]["NetworkInterfaceId"]
    stack.undo.append(lambda: stack.ec2.delete_network_interface(NetworkInterfaceId=interface))
    arn = f"arn:aws:ecs:us-east-1:123456789012:task/{stack.cluster}/0001"
    cloud.says("ListTasks", {"taskArns": [arn]})
    task = {
        "taskArn": arn,
        "group": f"service:{stack.outputs['services']['core-matching']['name']}",
        "attachments": [
            {
                "type": "ElasticNetworkInterface",
                "details": [{"name": "networkInterfaceId", "value": interface}],
            }
        ],
    }
    cloud.says("DescribeTasks", {"tasks": [task]})


def test_tasks_bear_the_group_or_not(cloud, stack):
    runs(cloud, stack, "core-matching")
    assert step(cloud, "its tasks")[0].said == f"1 tasks bear core-matching ({stack.group('core-matching')})"
    runs(cloud, stack, "collector")
    broken = break_of(links(cloud))
    assert broken.said == f"1 of 1 tasks do not bear core-matching ({stack.group('core-matching')}): 0001."
    assert broken.remedy == "`groundwork service restart core-matching --stack prod`."


def test_a_service_without_an_image_tag(cloud):
    cloud.outputs["servicesToPush"] = ["worker-ai"]
    del cloud.outputs["services"]["worker-ai"]
    broken = break_of(links(cloud, "worker-ai"))
    assert broken.said == "worker-ai has no image tag in the stack file, and so does not run."


def test_on_kubernetes_the_tasks_are_not_looked_at(cloud):
    cloud.outputs["kubernetes"]["namespace"] = "rentalfix-prod"
    found = links(cloud)
    assert first_broken(found) is None
    [link] = [each for each in found if each.step == "its tasks"]
    assert link.is_well is None
    assert "SecurityGroupPolicy" in link.said


def test_whether_pods_run_nobody_can_tell_here(cloud):
    cloud.outputs["kubernetes"]["namespace"] = "rentalfix-prod"
    [link] = step(cloud, "service", "lb", "core-matching")
    assert link.is_well is None
    assert "`kubectl get pods`" in link.said


def test_a_neighbour_is_an_end_too(cloud, stack):
    """The machines of a cluster that is not the stack's: only this end is its own."""
    edge = {"source": "worker-ai", "target": "nodes", "port": 53, "protocol": "udp"}
    cloud.outputs["network"]["declared"].append(edge)
    found = links(cloud, "worker-ai", "nodes")
    assert [each.is_well for each in found if each.step == "declared"] == [True]
    assert break_of(found).said.endswith("has no rule that lets udp 53 out to nodes.")
    permission = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53}
    nodes = stack.ec2.create_security_group(GroupName="nodes", Description="x", VpcId=stack.vpc)["GroupId"]
    stack.undo.append(lambda: stack.ec2.delete_security_group(GroupId=nodes))
    rule = stack.ec2.authorize_security_group_egress(
        GroupId=stack.group("worker-ai"),
        IpPermissions=[{**permission, "UserIdGroupPairs": [{"GroupId": nodes}]}],
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    stack.undo.append(
        lambda: stack.ec2.revoke_security_group_egress(
            GroupId=stack.group("worker-ai"), SecurityGroupRuleIds=[rule]
        )
    )
    assert first_broken(links(cloud, "worker-ai", "nodes")) is None


def test_a_cache_that_is_being_made(cloud):
    said = {"ReplicationGroupId": "c", "Status": "creating", "MemberClusters": []}
    cloud.says("DescribeReplicationGroups", {"ReplicationGroups": [said]})
    assert break_of(links(cloud, "worker-ai", "cache")).said == "the cache cache is creating."


# Reachability Analyzer


class Analyzer:
    """Its answers, and what is in the account: a path goes only when its analyses are gone."""

    def __init__(self, cloud, stack, **analysis):
        self.paths = {}
        self.analyses = {}
        self.said = {"Status": "succeeded", "NetworkPathFound": True, **analysis}
        self.running = 1
        for operation in ("CreateNetworkInsightsPath", "StartNetworkInsightsAnalysis"):
            cloud.says(operation, getattr(self, operation))
        for operation in ("DescribeNetworkInsightsPaths", "DescribeNetworkInsightsAnalyses"):
            cloud.says(operation, getattr(self, operation))
        for operation in ("DeleteNetworkInsightsPath", "DeleteNetworkInsightsAnalysis"):
            cloud.says(operation, getattr(self, operation))
        interfaces = [
            {
                "NetworkInterfaceId": f"eni-{name}",
                "Status": "in-use",
                "SubnetId": stack.subnets[subnet],
                "Description": name,
                "Groups": [{"GroupId": stack.group(group)}],
            }
            for name, subnet, group in (
                ("task", "private-a", "core-matching"),
                ("db", "isolated-a", "database"),
            )
        ]
        cloud.says("DescribeNetworkInterfaces", {"NetworkInterfaces": interfaces})

    def CreateNetworkInsightsPath(self, _):
        self.paths["nip-1"] = NOW
        return {"NetworkInsightsPath": {"NetworkInsightsPathId": "nip-1"}}

    def StartNetworkInsightsAnalysis(self, given):
        self.analyses["nia-1"] = given["NetworkInsightsPathId"]
        return {"NetworkInsightsAnalysis": {"NetworkInsightsAnalysisId": "nia-1", "Status": "running"}}

    def DescribeNetworkInsightsPaths(self, _):
        found = [{"NetworkInsightsPathId": path, "CreatedDate": made} for path, made in self.paths.items()]
        return {"NetworkInsightsPaths": found}

    def DescribeNetworkInsightsAnalyses(self, given):
        if "NetworkInsightsAnalysisIds" not in given:
            return {
                "NetworkInsightsAnalyses": [{"NetworkInsightsAnalysisId": each} for each in self.analyses]
            }
        if self.running:
            self.running -= 1
            return {"NetworkInsightsAnalyses": [{"Status": "running"}]}
        return {"NetworkInsightsAnalyses": [self.said]}

    def DeleteNetworkInsightsPath(self, given):
        assert given["NetworkInsightsPathId"] not in self.analyses.values()
        del self.paths[given["NetworkInsightsPathId"]]
        return {}

    def DeleteNetworkInsightsAnalysis(self, given):
        del self.analyses[given["NetworkInsightsAnalysisId"]]
        return {}

    @property
    def is_empty(self):
        return not self.paths and not self.analyses


def test_the_analyzer_finds_a_way_and_nothing_is_left(cloud, stack, groundwork, clock):
    asked = Analyzer(cloud, stack)
    said = groundwork("check", "--from", "api", "--to", "db", "--analyze", "--yes")
    assert "will analyze eni-task -> eni-db, tcp 5432: 0.10 USD to AWS" in said
    assert "AWS finds a way: eni-task (task) -> eni-db (db), tcp 5432" in said
    assert asked.is_empty
    assert clock.sleeps == [5]
    [path] = cloud.calls("CreateNetworkInsightsPath")
    assert (path["Source"], path["Destination"], path["DestinationPort"]) == ("eni-task", "eni-db", 5432)
    assert {tag["Key"]: tag["Value"] for tag in path["TagSpecifications"][0]["Tags"]} == {
        "groundwork:made-by": "network check",
        "groundwork:of": "rentalfix/prod",
    }


def test_its_reasons_become_sentences(cloud, stack, groundwork, clock):
    explanations = [
        {"ExplanationCode": "SUBNET_ACL_RESTRICTION", "Acl": {"Id": "acl-1"}, "Direction": "ingress"},
        {
            "ExplanationCode": "ENI_SG_RULES_MISMATCH",
            "SecurityGroups": [{"Id": "sg-1"}, {"Id": "sg-2"}],
            "Direction": "egress",
        },
        {"ExplanationCode": "SOMETHING_NEW", "Component": {"Id": "eni-9"}},
    ]
    asked = Analyzer(cloud, stack, NetworkPathFound=False, Explanations=explanations)
    said = groundwork("check", "--from", "api", "--to", "db", "--analyze", "--yes", code=1)
    assert (
        "AWS finds no way, eni-task (task) -> eni-db (db), tcp 5432: the network ACL acl-1 does not let it in; no rule "
        "of the security groups sg-1, sg-2 lets it out; SOMETHING_NEW at eni-9." in said
    )
    assert "It breaks at Reachability Analyzer" in said
    assert asked.is_empty


def test_an_explanation_without_a_place():
    assert analyzer.sentence({"ExplanationCode": "NO_PATH"}) == "there is no way between the two"
    assert analyzer.sentence({}) == "no code at there"


def test_it_is_asked_first_and_a_dry_run_asks_nothing(cloud, stack, groundwork):
    asked = Analyzer(cloud, stack)
    said = groundwork("check", "--from", "api", "--to", "db", "--analyze", "--dry-run")
    assert "would analyze eni-task -> eni-db" in said
    assert "Nobody is there to say yes." in groundwork(
        "check", "--from", "api", "--to", "db", "--analyze", code=2
    )
    assert asked.is_empty
    assert cloud.calls("CreateNetworkInsightsPath") == []


def test_what_fails_or_is_not_in_time_leaves_nothing(cloud, stack, groundwork, clock):
    asked = Analyzer(cloud, stack, Status="failed", StatusMessage="missing permissions")
    said = groundwork("check", "--from", "api", "--to", "db", "--analyze", "--yes", code=1)
    assert "Reachability Analyzer could not tell: missing permissions." in said
    assert asked.is_empty
    asked = Analyzer(cloud, stack)
    asked.running = 1000
    said = groundwork("check", "--from", "api", "--to", "db", "--analyze", "--yes", code=1)
    assert "not in time, still running. Ask again in some minutes." in said
    assert asked.is_empty


def test_an_interruption_leaves_nothing(cloud, stack, clock):
    asked = Analyzer(cloud, stack)
    network = Network(cloud)
    hops = ends.hops(network, ends.end(cloud, "api"), ends.end(cloud, "db"), None)

    def interrupt(_):
        raise KeyboardInterrupt

    cloud.says("StartNetworkInsightsAnalysis", interrupt)
    with pytest.raises(KeyboardInterrupt):
        analyzer.ask(network, hops, yes=True, dry_run=False)
    assert asked.is_empty


def test_what_an_earlier_run_left_is_named_and_removed_and_a_young_one_stays(cloud, stack, groundwork, clock):
    asked = Analyzer(cloud, stack)
    asked.paths = {"nip-old": NOW - timedelta(hours=1), "nip-young": NOW}
    said = groundwork("check", "--from", "api", "--to", "db", "--analyze", "--yes")
    assert "will remove nip-old, which an earlier run left" in said
    assert list(asked.paths) == ["nip-young"]


def test_an_analysis_that_aws_does_not_let_go_is_named(cloud, stack, groundwork, clock):
    Analyzer(cloud, stack)
    cloud.says("DeleteNetworkInsightsAnalysis", refusal("AnalysisInProgress"))
    said = groundwork("check", "--from", "api", "--to", "db", "--analyze", "--yes")
    assert "nip-1 could not be removed (AnalysisInProgress)" in said
    assert "delete-network-insights-path --network-insights-path-id nip-1`" in said
    assert len(clock.sleeps) == analyzer.REMOVALS


def test_a_path_that_is_gone_already_is_no_problem(cloud, stack, groundwork, clock):
    Analyzer(cloud, stack)
    cloud.says("DeleteNetworkInsightsPath", refusal("InvalidNetworkInsightsPathId.NotFound"))
    said = groundwork("check", "--from", "api", "--to", "db", "--analyze", "--yes")
    assert "could not be removed" not in said


def test_without_an_interface_there_is_nothing_to_analyze(cloud, stack, groundwork):
    Analyzer(cloud, stack)
    said = groundwork("check", "--from", "worker-ai", "--to", "db", "--analyze", "--yes", code=2)
    assert "No network interface bears the security group worker-ai now" in said
    assert "start it first" in said
    said = groundwork("check", "--from", "api", "--to", "s3", "--analyze", "--yes", code=2)
    assert "s3 has none of the stack's" in said


def test_a_failed_analysis_is_no_answer(cloud, stack, clock):
    Analyzer(cloud, stack, Status="failed")
    network = Network(cloud)
    hops = ends.hops(network, ends.end(cloud, "api"), ends.end(cloud, "db"), None)
    with pytest.raises(Failed, match="it gives no reason"):
        analyzer.ask(network, hops, yes=True, dry_run=False)
