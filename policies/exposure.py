"""What may be reached, and from where."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import clusters
import task_definitions
from openings import (
    ADMIN_PORTS,
    ALL_PORTS,
    DEFAULT_SECURITY_GROUP,
    EGRESS_SPELLINGS,
    GROUP_SOURCES,
    INGRESS_RULE,
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    SPELLINGS,
    Opening,
    openings,
    ways_out,
)
from pulumi_policy import PolicyResource
from rules import Count, Findings, Props, Rule, Stack, given, is_set, literal, rule, shown
from task_definitions import FUNCTION, TASK_DEFINITION
from workloads import WORKLOADS, environments

SERVICE = "aws:ecs/service:Service"
SCHEDULE = "aws:scheduler/schedule:Schedule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"
BROKER = "aws:mq/broker:Broker"
RDS_PROXY = "aws:rds/proxy:Proxy"

SUBNET_GROUPS = [
    "aws:rds/subnetGroup:SubnetGroup",
    "aws:elasticache/subnetGroup:SubnetGroup",
    "aws:elasticache/serverlessCache:ServerlessCache",
    "aws:dax/subnetGroup:SubnetGroup",
    "aws:docdb/subnetGroup:SubnetGroup",
    "aws:memorydb/subnetGroup:SubnetGroup",
    "aws:neptune/subnetGroup:SubnetGroup",
    "aws:redshift/subnetGroup:SubnetGroup",
]
# What runs, and where each says its subnets.
IN_SUBNETS = {SERVICE: "networkConfiguration", FUNCTION: "vpcConfig", RDS_PROXY: "vpcSubnetIds"}
VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
ROUTE_TABLE = "aws:ec2/routeTable:RouteTable"
DEFAULT_ROUTE_TABLE = "aws:ec2/defaultRouteTable:DefaultRouteTable"
MAIN_ASSOCIATION = "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"
ROUTE_TABLE_ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
ROUTE = "aws:ec2/route:Route"
INTERNET_GATEWAY = "aws:ec2/internetGateway:InternetGateway"

GROUPS = [SECURITY_GROUP, DEFAULT_SECURITY_GROUP]

WEB_PORTS = {80, 443}
# PostgreSQL, MySQL, Redis, Memcached, MongoDB, RabbitMQ (AMQP, console), MinIO, Prometheus, RentalFix's HTTP port.
DATA_PORTS = (5432, 3306, 6379, 11211, 27017, 5671, 5672, 15671, 15672, 9000, 9001, 9090, 4400)
DEBUG_PORTS = (9229, 5005, 5678)  # Node.js, JVM, debugpy

RULES: list[Rule] = []


@rule(
    RULES,
    "sg-no-open-ingress",
    types=SPELLINGS,
    severity="critical",
    why="What the whole internet can reach, it probes within minutes.",
    remedy="Set referencedSecurityGroupId to the group that may connect, instead of cidrIpv4 or cidrBlocks; only the "
    "balancer's 80 and 443 face the internet (system file: services.<name>.public and connects_to)",
    checklist=["C28"],
    frameworks=["FSBP EC2.18", "FSBP EC2.19", "CKV_AWS_277"],
)
def sg_no_open_ingress(props: Props) -> Findings:
    """Only ports 80 and 443 are open to the internet."""
    for opening in openings(props):
        if opening.worldwide and not (len(opening.ports) == 1 and opening.ports[0] in WEB_PORTS):
            yield f"opens {opening} to {shown(opening.worldwide)}"


@rule(
    RULES,
    "sg-no-open-data-ports",
    types=SPELLINGS,
    severity="high",
    why="An address range says where a packet came from, a security group says who sent it.",
    remedy="Set referencedSecurityGroupId (or sourceSecurityGroupId) to the group of the service that connects "
    "(system file: services.<name>.connects_to)",
    checklist=["C14", "C29", "C36"],
    frameworks=["FSBP EC2.19"],
)
def sg_no_open_data_ports(props: Props, *, ports: Sequence[Count] = DATA_PORTS) -> Findings:
    """Ports of databases, caches, brokers and metrics are opened to security groups, never to address ranges."""
    for opening in openings(props):
        reached = [port for port in ports if port in opening.ports]
        if reached and (opening.cidr_blocks or opening.has_prefix_list):
            source = shown(opening.cidr_blocks) if opening.cidr_blocks else "a prefix list"
            yield f"opens {opening} to {source}, and with it {shown(reached)}"


@rule(
    RULES,
    "no-ssh-open-world",
    types=SPELLINGS,
    severity="critical",
    why="Password guessing against SSH and RDP never stops.",
    remedy="Take the range out of cidrIpv4 or cidrBlocks and use ECS Exec or Session Manager, which need no open port "
    "(or stack file: admin_access.client_vpn)",
    checklist=["C34"],
    frameworks=[
        "Security Hub EC2.13",
        "Security Hub EC2.14",
        "CIS 3.0 5.2",
        "CIS 3.0 5.3",
        "CIS 5.0 5.3",
        "CIS 5.0 5.4",
        "CKV_AWS_24",
        "CKV_AWS_25",
    ],
)
def no_ssh_open_world(props: Props) -> Findings:
    """SSH and RDP are not open to the internet."""
    for opening in openings(props):
        reached = [port for port in ADMIN_PORTS if port in opening.ports]
        if reached and opening.worldwide:
            yield f"opens {opening} to {shown(opening.worldwide)}, and with it {shown(reached)}"


@rule(
    RULES,
    "no-debug-ports",
    types=[*SPELLINGS, TASK_DEFINITION, FUNCTION, *WORKLOADS],
    severity="high",
    why="A debugger's port runs any code that whoever connects sends to it.",
    remedy="Take the port out of portMappings and --inspect out of the command and NODE_OPTIONS, and debug a copy on "
    "your own machine (system file: services.<name>.ports, .command, .environment)",
    checklist=["C35"],
)
def no_debug_ports(props: Props, resource_type: str, *, ports: Sequence[Count] = DEBUG_PORTS) -> Findings:
    """No debugger listens."""
    if resource_type in SPELLINGS:
        for opening in openings(props):
            reached = [port for port in ports if port in opening.ports]
            if reached and opening.ports != ALL_PORTS:  # all ports are the business of sg-no-open-ingress
                yield f"opens {opening}, and with it {shown(reached)}"
        return
    for environment in environments(props, resource_type):
        for name, value in environment.plain.items():
            if "--inspect" in (value or ""):
                yield f"{environment.where} passes --inspect in {name}"
    if resource_type != FUNCTION:
        yield from _debugged(props, resource_type, ports)


def _debugged(props: Props, resource_type: str, ports: Sequence[int]) -> Findings:
    is_task = resource_type == TASK_DEFINITION
    listed = task_definitions.containers(props) if is_task else clusters.containers(props)
    beginning, following, mappings = (
        ("entryPoint", "command", "portMappings") if is_task else ("command", "args", "ports")
    )
    for where, container in listed:
        words = [*(container.get(beginning) or []), *(container.get(following) or [])]
        if any("--inspect" in str(word) for word in words):
            yield f"{where} passes --inspect in its command"
        mapped = {int(mapping.get("containerPort") or 0) for mapping in container.get(mappings) or []}
        for port in sorted(mapped & set(ports)):
            yield f"{where} maps port {port}"


# Where each type names the security groups that it is in.
IN_GROUPS = {
    SERVICE: "networkConfiguration",
    FUNCTION: "vpcConfig",
    BROKER: "securityGroups",
    RDS_PROXY: "vpcSecurityGroupIds",
    "aws:ec2/instance:Instance": "vpcSecurityGroupIds",
    "aws:ec2/launchTemplate:LaunchTemplate": "vpcSecurityGroupIds",
    "aws:rds/instance:Instance": "vpcSecurityGroupIds",
    "aws:rds/cluster:Cluster": "vpcSecurityGroupIds",
    "aws:elasticache/replicationGroup:ReplicationGroup": "securityGroupIds",
    "aws:elasticache/cluster:Cluster": "securityGroupIds",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "securityGroupIds",
    "kubernetes:vpcresources.k8s.aws/v1beta1:SecurityGroupPolicy": "spec",
    "aws:eks/cluster:Cluster": "vpcConfig",
    "aws:ec2clientvpn/endpoint:Endpoint": "securityGroupIds",
    SCHEDULE: "target",
    EVENT_TARGET: "ecsTarget",
}


@rule(
    RULES,
    "sg-public-only-on-balancers",
    types=SPELLINGS,
    severity="high",
    why="Round the balancer there is no certificate, no firewall, no rate limit and no log.",
    remedy="Let the load balancer alone face the internet, and the service accept its security group "
    "(system file: services.<name>.public)",
    checklist=["C28", "C30"],
    frameworks=["FSBP EC2.18"],
    whole_stack=True,
)
def sg_public_only_on_balancers(opened: PolicyResource, stack: Stack) -> Findings:
    """What is open to the internet is a load balancer, not a service, a machine or a data store."""
    if not any(opening.worldwide for opening in openings(opened.props)):
        return
    for group in _groups_opened(opened, stack):
        for kind, prop in IN_GROUPS.items():
            for member in stack.referring([kind], prop, group):
                yield f"it lets the internet into {group.name}, and {member.name} is in that group"


def _groups_opened(opened: PolicyResource, stack: Stack) -> list[PolicyResource]:
    """The group that a rule belongs to; the group itself where the rule is written in it."""
    if opened.resource_type in (INGRESS_RULE, SECURITY_GROUP_RULE):
        return stack.referred(opened, "securityGroupId", GROUPS)
    return [opened]


@rule(
    RULES,
    "sg-least-edges",
    types=SPELLINGS,
    severity="medium",
    why="Every way that nobody needs is one more for an intruder who is in already.",
    remedy="Take the rule away, or declare the connection (system file: services.<name>.connects_to) and list it in "
    "the rule's setting `edges`; open the port that is used, never all of them",
    checklist=["C28"],
    whole_stack=True,
)
def sg_least_edges(opened: PolicyResource, stack: Stack, *, edges: Sequence[str] = ()) -> Findings:
    """Security groups let in what the stack declares, and nobody is let in on all ports.

    An edge is written `api -> database: 5432`, with logical names of security groups, an address range for a source
    that is none, and `*` in any of them. Judged are the groups that the list leads to: `-> firewall-*`, an edge from
    nobody, leads to every group of such a name.
    """
    declared = [_edge(line) for line in edges]
    targets = [group.name for group in _groups_opened(opened, stack)]
    for opening in openings(opened.props):
        if opening.ports == ALL_PORTS and opening.has_group:
            yield "opens all ports to a security group"
            continue
        for target in targets:
            listed = [each for each in declared if fnmatchcase(target, each[1])]
            for source in _sources(opened, opening, stack) if listed else ():
                ports = _ports(opening)
                if not any(fnmatchcase(source, each[0]) and fnmatchcase(ports, each[2]) for each in listed):
                    yield f"{source} -> {target}: {ports} is not among the declared edges"


def _edge(line: str) -> tuple[str, str, str]:
    source, _, rest = line.partition("->")
    target, _, ports = rest.partition(":")
    return source.strip(), target.strip(), ports.strip()


def _ports(opening: Opening) -> str:
    if len(opening.ports) < 2 or opening.ports == ALL_PORTS:
        return str(opening.ports[0]) if len(opening.ports) == 1 else str(opening).replace("all ports", "all")
    return f"{opening.ports[0]}-{opening.ports[-1]}"


def _sources(opened: PolicyResource, opening: Opening, stack: Stack) -> Iterator[str]:
    yield from opening.cidr_blocks
    if opening.has_prefix_list:
        yield "prefix list"
    if opening.has_group:
        named = stack.called(opening.group_ids, GROUPS)
        for prop in (*GROUP_SOURCES, "ingress"):
            named = named or stack.referred(opened, prop, GROUPS)
        if not named and literal(opened.props, "self") is True:
            named = _groups_opened(opened, stack)
        yield from [group.name for group in named] or ["a group elsewhere"]


@rule(
    RULES,
    "sg-egress-narrow",
    types=EGRESS_SPELLINGS,
    severity="medium",
    why="What an intruder steals leaves through the ports that nobody needs; with one port less it stays.",
    remedy="Name the ports and the receivers: HTTPS, and the stores that the service uses "
    "(system file: services.<name>.outbound)",
    checklist=["C28"],
    frameworks=["CKV_AWS_382"],
)
def sg_egress_narrow(props: Props) -> Findings:
    """Nothing may send to the whole internet on every port."""
    for way in ways_out(props):
        if way.worldwide and way.ports == ALL_PORTS:
            yield f"lets out {way} to {shown(way.worldwide)}"


@rule(
    RULES,
    "ecs-no-public-ip",
    types=[SERVICE, SCHEDULE, EVENT_TARGET],
    severity="high",
    why="A public address on a task goes round the balancer, its TLS and its rate limit.",
    remedy="Set networkConfiguration.assignPublicIp to false and use private subnets, as Groundwork's services do",
    checklist=["C32"],
    frameworks=["FSBP ECS.2", "CKV_AWS_333"],
    must_know=True,
)
def ecs_no_public_ip(props: Props, resource_type: str) -> Findings:
    """Tasks have no public address, whoever starts them."""
    where, holder = "", props
    if resource_type == SCHEDULE:
        where, holder = "target.ecsParameters.", (props.get("target") or {}).get("ecsParameters") or {}
    elif resource_type == EVENT_TARGET:
        where, holder = "ecsTarget.", props.get("ecsTarget") or {}
    network = holder.get("networkConfiguration") or {}
    if network.get("assignPublicIp"):
        yield f"{where}networkConfiguration.{given(network, 'assignPublicIp')}"


@rule(
    RULES,
    "mq-private-encrypted",
    types=[BROKER],
    severity="high",
    why="A broker with a public address shows its console and its queues to the internet.",
    remedy="Set publiclyAccessible to false, logs.general to true and encryptionOptions.kmsKeyId to the data key, as a "
    "broker of the system file (brokers) has them",
    checklist=["C27"],
    frameworks=["CKV_AWS_69", "CKV_AWS_48", "CKV_AWS_209"],
    must_know=True,
)
def mq_private_encrypted(props: Props) -> Findings:
    """A broker is private, encrypted with a key of one's own, and keeps logs."""
    if props.get("publiclyAccessible"):
        yield given(props, "publiclyAccessible")
    logs = props.get("logs") or {}
    if logs.get("general") is not True:
        yield f"logs.{given(logs, 'general')}"
    if not is_set(props.get("encryptionOptions") or {}, "kmsKeyId"):
        yield "encryptionOptions.kmsKeyId is not set"


@rule(
    RULES,
    "db-in-private-subnets",
    types=[*SUBNET_GROUPS, BROKER, *IN_SUBNETS],
    severity="high",
    why="A data store or a task in a public subnet is one setting away from the internet.",
    remedy="Set subnetIds to subnets with no route to an internet gateway: in Groundwork's network isolated ones for "
    "data, private ones for what runs (stack file: network.subnets)",
    checklist=["C14", "C31"],
    frameworks=["FSBP RDS.46"],
    whole_stack=True,
)
def db_in_private_subnets(store: PolicyResource, stack: Stack) -> Findings:
    """Data stores and what runs stand in subnets that the internet has no route to."""
    for subnet in stack.referred(store, IN_SUBNETS.get(store.resource_type, "subnetIds"), [SUBNET]):
        if subnet.props.get("mapPublicIpOnLaunch"):
            yield f"subnet {subnet.name} gives out public addresses"
        elif any(has_internet_route(table, stack) for table in route_tables(subnet, stack)):
            yield f"subnet {subnet.name} has a route to an internet gateway"


def route_tables(subnet: PolicyResource, stack: Stack) -> list[PolicyResource]:
    """The table of a subnet; one that is associated with none has the main table of its network."""
    associations = stack.referring([ROUTE_TABLE_ASSOCIATION], "subnetId", subnet)
    named = [table for each in associations for table in stack.referred(each, "routeTableId", [ROUTE_TABLE])]
    if associations:
        return named
    networks = stack.referred(subnet, "vpcId", [VPC])
    chosen = [each for network in networks for each in stack.referring([MAIN_ASSOCIATION], "vpcId", network)]
    return [
        *(table for each in chosen for table in stack.referred(each, "routeTableId", [ROUTE_TABLE])),
        *(
            table
            for network in networks
            for table in stack.referring([DEFAULT_ROUTE_TABLE], "defaultRouteTableId", network)
        ),
    ]


def has_internet_route(table: PolicyResource, stack: Stack) -> bool:
    """By a route of its own, or one that stands in the table."""
    routes = stack.referring([ROUTE], "routeTableId", table)
    led = [(route, "gatewayId") for route in routes] + [(table, "routes")]
    return any(stack.referred(each, prop, [INTERNET_GATEWAY]) for each, prop in led)
