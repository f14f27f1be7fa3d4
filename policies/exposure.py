"""What may be reached, and from where."""

from collections.abc import Sequence

from openings import ALL_PORTS, SPELLINGS, openings
from pulumi_policy import PolicyResource
from rules import Count, Findings, Props, Rule, Stack, given, is_set, refers, rule, shown
from task_definitions import FUNCTION, TASK_DEFINITION, containers, variables

SERVICE = "aws:ecs/service:Service"
BROKER = "aws:mq/broker:Broker"

SUBNET_GROUPS = ["aws:rds/subnetGroup:SubnetGroup", "aws:elasticache/subnetGroup:SubnetGroup"]
SUBNET = "aws:ec2/subnet:Subnet"
ROUTE_TABLE = "aws:ec2/routeTable:RouteTable"
ROUTE_TABLE_ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
ROUTE = "aws:ec2/route:Route"
INTERNET_GATEWAY = "aws:ec2/internetGateway:InternetGateway"

WEB_PORTS = {80, 443}
# PostgreSQL, MySQL, Redis, Memcached, MongoDB, RabbitMQ (AMQP, console), MinIO, Prometheus, RentalFix's HTTP port.
DATA_PORTS = (5432, 3306, 6379, 11211, 27017, 5671, 5672, 15671, 15672, 9000, 9001, 9090, 4400)
ADMIN_PORTS = (22, 3389)
DEBUG_PORTS = (9229, 5005, 5678)  # Node.js, JVM, debugpy

RULES: list[Rule] = []


@rule(
    RULES,
    "sg-no-open-ingress",
    types=SPELLINGS,
    severity="critical",
    why="What the whole internet can reach, it probes within minutes.",
    remedy="Name the security group that may connect instead of an address range; "
    "only the balancer's 80 and 443 face the internet",
    checklist=["C28"],
    frameworks=["FSBP EC2.18", "FSBP EC2.2", "CKV_AWS_277", "CKV_AWS_382"],
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
    remedy="Set referencedSecurityGroupId (or sourceSecurityGroupId) to the group of the service that connects",
    checklist=["C14", "C29"],
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
    remedy="Use ECS Exec or Session Manager, which need no open port",
    checklist=["C34"],
    frameworks=["FSBP EC2.13", "FSBP EC2.14", "CKV_AWS_24", "CKV_AWS_25"],
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
    types=[*SPELLINGS, TASK_DEFINITION, FUNCTION],
    severity="high",
    why="A debugger's port runs any code that whoever connects sends to it.",
    remedy="Take the port and the --inspect option away; debug a copy of the service on your own machine",
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
    for where, name, value in variables(props):
        if "--inspect" in value:
            yield f"{where} passes --inspect in {name}"
    if resource_type == TASK_DEFINITION:
        for where, container in containers(props):
            words = [*(container.get("entryPoint") or []), *(container.get("command") or [])]
            if any("--inspect" in word for word in words):
                yield f"{where} passes --inspect in its command"
            mapped = [mapping.get("containerPort") for mapping in container.get("portMappings") or []]
            for port in sorted(set(mapped) & set(ports)):
                yield f"{where} maps port {port}"


@rule(
    RULES,
    "ecs-no-public-ip",
    types=[SERVICE],
    severity="high",
    why="A public address on a task goes round the balancer, its TLS and its rate limit.",
    remedy="Set networkConfiguration.assignPublicIp to false and use private subnets",
    checklist=["C32"],
    frameworks=["FSBP ECS.2", "CKV_AWS_333"],
)
def ecs_no_public_ip(props: Props) -> Findings:
    """Tasks have no public address."""
    network = props.get("networkConfiguration") or {}
    if network.get("assignPublicIp"):
        yield f"networkConfiguration.{given(network, 'assignPublicIp')}"


@rule(
    RULES,
    "mq-private-encrypted",
    types=[BROKER],
    severity="high",
    why="A broker with a public address shows its console and its queues to the internet.",
    remedy="Set publiclyAccessible to false, logs.general to true and encryptionOptions.kmsKeyId to the data key",
    checklist=["C27"],
    frameworks=["FSBP MQ.2", "FSBP MQ.4", "CKV_AWS_69", "CKV_AWS_48", "CKV_AWS_209"],
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
    types=[*SUBNET_GROUPS, BROKER],
    severity="high",
    why="A data store in a public subnet is one setting away from the internet.",
    remedy="Give it subnets with no route to an internet gateway (Network's isolated_subnet_ids)",
    checklist=["C14", "C31"],
    frameworks=["FSBP RDS.46"],
    whole_stack=True,
)
def db_in_private_subnets(store: PolicyResource, stack: Stack) -> Findings:
    """Data stores stand in subnets that the internet has no route to."""
    for subnet in stack.of([SUBNET]):
        if not refers(store, "subnetIds", subnet):
            continue
        if subnet.props.get("mapPublicIpOnLaunch"):
            yield f"subnet {subnet.name} gives out public addresses"
        elif any(has_internet_route(table, stack) for table in route_tables(subnet, stack)):
            yield f"subnet {subnet.name} has a route to an internet gateway"


def route_tables(subnet: PolicyResource, stack: Stack) -> list[PolicyResource]:
    associations = stack.referring([ROUTE_TABLE_ASSOCIATION], "subnetId", subnet)
    return [
        table
        for table in stack.of([ROUTE_TABLE])
        for found in associations
        if refers(found, "routeTableId", table)
    ]


def has_internet_route(table: PolicyResource, stack: Stack) -> bool:
    routes = stack.referring([ROUTE], "routeTableId", table)
    gateways = stack.of([INTERNET_GATEWAY])
    return any(refers(route, "gatewayId", gateway) for route in routes for gateway in gateways)
