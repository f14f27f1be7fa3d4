"""A stack's VPC in the emulator: groups and rules as RentalFix declares them, subnets, routes, stores, services.

It is made once for a process, since that takes seconds. What a test changes in it is put right after the test.
"""

import copy
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.network import audit, check, diagnose
from operations.network.live import Network
from settings.reach import groups, reaches
from tests.aws_cloud import REGION, Cloud
from tests.settings_examples import settle

ZONES = ("a", "b")
TIERS = {"public": "10.60.0.{}/26", "private": "10.60.{}.0/24", "isolated": "10.60.1{}.0/24"}
SERVICES = ("core-matching", "worker-ai")
ACCOUNT = "123456789012"


@dataclass
class Standing:
    """`outputs` are what the stack would say; `undo` puts the network right again."""

    url: str
    outputs: dict[str, Any]
    subnets: dict[str, str]
    tables: dict[str, str]
    cluster: str
    undo: list[Callable[[], Any]] = field(default_factory=list)

    @property
    def client(self) -> Cloud:
        return Cloud("rentalfix", "prod", self.outputs, self.url)

    @property
    def ec2(self) -> Any:
        return self.client.client("ec2")

    @property
    def vpc(self) -> str:
        return self.outputs["network"]["vpc"]

    def group(self, name: str) -> str:
        return self.outputs["network"]["securityGroups"][name]

    def rule(self, group: str, *, egress: bool, port: int, peer: str) -> str:
        """The id of the rule that stands."""
        found = self.ec2.describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [self.group(group)]}]
        )["SecurityGroupRules"]
        [rule] = [
            each["SecurityGroupRuleId"]
            for each in found
            if each["IsEgress"] is egress
            and each["FromPort"] == port
            and peer in (each.get("CidrIpv4"), each.get("ReferencedGroupInfo", {}).get("GroupId"))
        ]
        return rule

    def let_in(self, group_id: str, permission: dict[str, Any]) -> str:
        """One more rule, until the test is over."""
        ids = self.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])
        rule = ids["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        self.undo.append(
            lambda: self.ec2.revoke_security_group_ingress(GroupId=group_id, SecurityGroupRuleIds=[rule])
        )
        return rule

    def take_away(self, group: str, *, egress: bool, port: int, peer: str) -> None:
        """A rule between two groups is gone, until the test is over."""
        way = "egress" if egress else "ingress"
        rule = self.rule(group, egress=egress, port=port, peer=self.group(peer))
        getattr(self.ec2, f"revoke_security_group_{way}")(
            GroupId=self.group(group), SecurityGroupRuleIds=[rule]
        )
        permission = [_permission(port, {"UserIdGroupPairs": [{"GroupId": self.group(peer)}]})]
        self.undo.append(
            lambda: getattr(self.ec2, f"authorize_security_group_{way}")(
                GroupId=self.group(group), IpPermissions=permission
            )
        )

    def put_right(self) -> None:
        while self.undo:
            self.undo.pop()()


def _permission(port: int, peer: dict[str, Any], protocol: str = "tcp") -> dict[str, Any]:
    return {"IpProtocol": protocol, "FromPort": port, "ToPort": port, **peer}


@cache
def standing(url: str) -> Standing:
    cloud = Cloud("rentalfix", "prod", {"region": REGION}, url)
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    subnets, tables = _subnets(ec2, vpc)
    settings = settle()
    group_ids = _groups(ec2, vpc, groups(settings))
    _rules(ec2, settings, group_ids)
    _closed(ec2, vpc)
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.logs",
        VpcEndpointType="Interface",
        SubnetIds=[subnets["private-a"], subnets["private-b"]],
        SecurityGroupIds=[group_ids["endpoints"]],
    )
    assert endpoint["VpcEndpoint"]["State"].lower() == "available"
    cloud.client("logs").create_log_group(logGroupName=f"flow-{vpc}")
    ec2.create_flow_logs(
        ResourceIds=[vpc],
        ResourceType="VPC",
        TrafficType="ALL",
        LogGroupName=f"flow-{vpc}",
        DeliverLogsPermissionArn=f"arn:aws:iam::{ACCOUNT}:role/flow",
    )
    balancer, target_group = _balancer(cloud, vpc, subnets, group_ids)
    secrets = _secrets(cloud)
    cluster, services = _services(cloud, subnets, group_ids, target_group, secrets)
    outputs = {
        "system": "rentalfix",
        "environment": "prod",
        "region": REGION,
        "cluster": cluster,
        "kubernetes": {"cluster": "", "namespace": ""},
        "urls": {"api": "https://api.rentfix.com"},
        "healthUrls": {"core-matching": "https://api.rentfix.com/health"},
        "loadBalancer": balancer,
        "services": services,
        "servicesToPush": [],
        "tasks": {},
        "network": {
            "vpc": vpc,
            "securityGroups": group_ids,
            "declared": [
                {"source": each.source, "target": each.target, "port": each.port, "protocol": each.protocol}
                for each in reaches(settings)
            ],
        },
        "runTask": {
            "subnets": [subnets["private-a"], subnets["private-b"]],
            "securityGroup": group_ids["operations"],
        },
        "database": _database(cloud, subnets, group_ids, secrets),
        "caches": {name: _cache(cloud, name, secrets) for name in ("cache", "queue")},
        "brokers": {},
        "secrets": {"sentry-dsn": secrets["sentry-dsn"]},
        "secretsToFill": [secrets["sentry-dsn"]],
        "vpn": "",
    }
    return Standing(url, outputs, subnets, tables, cluster)


def _subnets(ec2: Any, vpc: str) -> tuple[dict[str, str], dict[str, str]]:
    """Ids of subnets and of their route tables, by tier and zone."""
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnets: dict[str, str] = {}
    tables: dict[str, str] = {}
    for tier, block in TIERS.items():
        for number, zone in enumerate(ZONES):
            label = f"{tier}-{zone}"
            cidr = block.format(number * 64 if tier == "public" else number + 1)
            subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"{REGION}{zone}")
            subnets[label] = subnet["Subnet"]["SubnetId"]
            tags = [{"Key": "Name", "Value": f"network-{label}"}, {"Key": "Tier", "Value": tier}]
            ec2.create_tags(Resources=[subnets[label]], Tags=tags)
            tables[label] = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
            ec2.associate_route_table(RouteTableId=tables[label], SubnetId=subnets[label])
    for zone in ZONES:
        ec2.create_route(
            RouteTableId=tables[f"public-{zone}"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
        )
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets["public-a"], AllocationId=address)["NatGateway"]
    for zone in ZONES:
        ec2.create_route(
            RouteTableId=tables[f"private-{zone}"],
            DestinationCidrBlock="0.0.0.0/0",
            NatGatewayId=nat["NatGatewayId"],
        )
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.s3",
        VpcEndpointType="Gateway",
        RouteTableIds=[table for label, table in tables.items() if not label.startswith("public")],
    )
    return subnets, tables


def _groups(ec2: Any, vpc: str, names: list[str]) -> dict[str, str]:
    """As the provider makes them: without EC2's own way out to everywhere."""
    found = {}
    for name in names:
        group = ec2.create_security_group(GroupName=f"firewall-{name}", Description=name, VpcId=vpc)
        found[name] = group["GroupId"]
        _empty(ec2, group["GroupId"])
    return found


def _empty(ec2: Any, group: str) -> None:
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    for rule in rules["SecurityGroupRules"]:
        way = "egress" if rule["IsEgress"] else "ingress"
        getattr(ec2, f"revoke_security_group_{way}")(
            GroupId=group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]]
        )


def _closed(ec2: Any, vpc: str) -> None:
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    [default] = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    _empty(ec2, default["GroupId"])


def _rules(ec2: Any, settings: Any, group_ids: dict[str, str]) -> None:
    lists = ec2.describe_managed_prefix_lists(
        Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{REGION}.s3"]}]
    )["PrefixLists"]
    outside = {
        "internet": {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        "s3": {"PrefixListIds": [{"PrefixListId": lists[0]["PrefixListId"]}]},
    }

    def peer(name: str) -> dict[str, Any]:
        return outside.get(name) or {"UserIdGroupPairs": [{"GroupId": group_ids[name]}]}

    wanted: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in reaches(settings):
        if each.source in group_ids:
            way_out = _permission(each.port, peer(each.target), each.protocol)
            wanted.setdefault((each.source, "egress"), []).append(way_out)
        if each.target in group_ids:
            way_in = _permission(each.port, peer(each.source), each.protocol)
            wanted.setdefault((each.target, "ingress"), []).append(way_in)
    for (group, way), permissions in wanted.items():
        getattr(ec2, f"authorize_security_group_{way}")(GroupId=group_ids[group], IpPermissions=permissions)


def _balancer(
    cloud: Cloud, vpc: str, subnets: dict[str, str], group_ids: dict[str, str]
) -> tuple[dict[str, str], str]:
    elb = cloud.client("elbv2")
    [made] = elb.create_load_balancer(
        Name=f"ingress-{uuid4().hex[:6]}",
        Scheme="internet-facing",
        Subnets=[subnets["public-a"], subnets["public-b"]],
        SecurityGroups=[group_ids["load-balancer"]],
    )["LoadBalancers"]
    [group] = elb.create_target_group(
        Name=f"core-{uuid4().hex[:6]}",
        Protocol="HTTP",
        Port=4400,
        VpcId=vpc,
        TargetType="ip",
        HealthCheckPath="/health",
    )["TargetGroups"]
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "redirect", "RedirectConfig": redirect}],
    )
    # By HTTP, since a certificate would be another service; what a listener speaks is none of the tests' business.
    listener = elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="HTTP",
        Port=443,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Listeners"][0]
    elb.create_rule(
        ListenerArn=listener["ListenerArn"],
        Priority=100,
        Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": ["api.rentfix.com"]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    return {"arn": made["LoadBalancerArn"], "dnsName": made["DNSName"]}, group["TargetGroupArn"]


def _secrets(cloud: Cloud) -> dict[str, str]:
    client, mark = cloud.client("secretsmanager"), uuid4().hex[:6]
    names = ("database-master", "rentfix_app", "rentfix_worker", "cache-cache", "cache-queue", "sentry-dsn")
    return {
        name: client.create_secret(Name=f"{mark}/{name}", SecretString="not-a-secret")["ARN"]
        for name in names
    }


def _services(
    cloud: Cloud,
    subnets: dict[str, str],
    group_ids: dict[str, str],
    target_group: str,
    secrets: dict[str, str],
) -> tuple[str, dict[str, Any]]:
    ecs, cluster = cloud.client("ecs"), f"rentalfix-{uuid4().hex[:8]}"
    ecs.create_cluster(clusterName=cluster)
    roles = dict(zip(SERVICES, ("rentfix_app", "rentfix_worker"), strict=True))
    found = {}
    for service in SERVICES:
        read = [roles[service], "cache-cache", "cache-queue", "sentry-dsn"]
        arn = ecs.register_task_definition(
            family=f"{cluster}-{service}",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {
                    "name": service,
                    "image": f"{service}:1.0.0",
                    "essential": True,
                    "secrets": [
                        {"name": name.upper(), "valueFrom": f"{secrets[name]}:password::"} for name in read
                    ],
                }
            ],
        )["taskDefinition"]["taskDefinitionArn"]
        served = [{"targetGroupArn": target_group, "containerName": service, "containerPort": 4400}]
        ecs.create_service(
            cluster=cluster,
            serviceName=f"{service}-1a2b3c",
            taskDefinition=arn,
            desiredCount=2,
            launchType="FARGATE",
            loadBalancers=served if service == "core-matching" else [],
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": [subnets["private-a"], subnets["private-b"]],
                    "securityGroups": [group_ids[service]],
                }
            },
        )
        log_group = f"/{cluster}/{service}"
        cloud.client("logs").create_log_group(logGroupName=log_group)
        found[service] = {"name": f"{service}-1a2b3c", "taskDefinition": arn, "logGroup": log_group}
    return cluster, found


def _database(
    cloud: Cloud, subnets: dict[str, str], group_ids: dict[str, str], secrets: dict[str, str]
) -> dict[str, Any]:
    rds, name = cloud.client("rds"), f"rentfix-{uuid4().hex[:8]}"
    rds.create_db_subnet_group(
        DBSubnetGroupName=name,
        DBSubnetGroupDescription="isolated",
        SubnetIds=[subnets["isolated-a"], subnets["isolated-b"]],
    )
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.r6g.large",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        MasterUserPassword="not-a-secret",
        DBSubnetGroupName=name,
        VpcSecurityGroupIds=[group_ids["database"]],
        PubliclyAccessible=False,
    )
    return {
        "identifier": name,
        "address": f"{name}.example.invalid",
        "proxyAddress": "",
        "port": 5432,
        "name": "rentfix",
        "replicaAddresses": [],
        "masterSecretArn": secrets["database-master"],
        "roleSecretArns": {role: secrets[role] for role in ("rentfix_app", "rentfix_worker")},
    }


def _cache(cloud: Cloud, name: str, secrets: dict[str, str]) -> dict[str, Any]:
    """The emulator makes no members of it, which say where it stands."""
    identifier = f"{name}-{uuid4().hex[:8]}"
    cloud.client("elasticache").create_replication_group(
        ReplicationGroupId=identifier, ReplicationGroupDescription=name, NumCacheClusters=2
    )
    return {
        "endpoint": f"{name}.example.invalid",
        "readerEndpoint": f"{name}.example.invalid",
        "port": 6379,
        "replicationGroupId": identifier,
        "tokenSecretArn": secrets[f"cache-{name}"],
    }


@pytest.fixture
def stack(emulator_url: str) -> Generator[Standing]:
    """As it is declared; what the test changes is put right."""
    found = standing(emulator_url)
    yield found
    found.put_right()


@pytest.fixture
def cloud(stack: Standing) -> Generator[Cloud]:
    """The platform that commands get, with outputs that a test may change."""
    made = Cloud("rentalfix", "prod", copy.deepcopy(stack.outputs), stack.url)
    yield made
    made.answers.clear()


@pytest.fixture
def groundwork(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`groundwork network`, on that platform; nobody is there to answer."""
    for module in (audit, check, diagnose):
        monkeypatch.setattr(module, "opened", lambda *_: cloud)

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(command.app, ["network", *words, "--stack", "prod"])
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    return run


@pytest.fixture
def on_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator is taken for AWS: what commands forgive it they do not forgive now."""
    monkeypatch.setattr(Network, "is_emulated", False)
