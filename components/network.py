"""A VPC with public, private and isolated subnets in each zone, its way out, and its flow log.

Public subnets hold the load balancer and the NAT gateways, private ones what we run, isolated ones the data:
they have no route out of the VPC except to S3. Left out on purpose: IPv6, and anything that peers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

from components._iam import assume_role, document, statement
from components._subnets import Blocks, ZonePlan, plan, problems
from components._watch import Metric, Watch

NatGateways = Literal["per_zone", "single", "none"]


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`zones` are full names (us-east-1a). `nat_gateways`: "single" is one, in the zone of the lowest letter.

    Raises ValueError on a block that is too small, too large or malformed, and on zones that are not the
    region's, are listed twice, or are fewer than two.
    """

    cidr_block: str
    zones: Sequence[str]
    region: str
    nat_gateways: NatGateways
    subnets: Blocks | None = None  # None: cut out of cidr_block
    flow_log_retention_days: int
    log_key_arn: pulumi.Input[str]
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if found := problems(self.cidr_block, self.zones, self.region, self.subnets):
            raise ValueError("network: " + "; ".join(found))


class Network(pulumi.ComponentResource):
    vpc_id: pulumi.Output[str]
    public_subnet_ids: list[pulumi.Output[str]]
    private_subnet_ids: list[pulumi.Output[str]]
    isolated_subnet_ids: list[pulumi.Output[str]]
    s3_prefix_list_id: pulumi.Output[str]
    flow_log_group_name: pulumi.Output[str]
    watches: list[Watch]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:network:Network", name, None, opts)
        self._prefix, self._tags = name, args.tags
        self._child = pulumi.ResourceOptions(parent=self)
        zones = plan(args.cidr_block, args.zones, args.subnets)

        vpc = aws.ec2.Vpc(
            name,
            cidr_block=args.cidr_block,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._named(name),
            opts=self._child,
        )
        # A resource that somebody makes without naming a security group lands in this one: it allows nothing.
        aws.ec2.DefaultSecurityGroup(
            name, vpc_id=vpc.id, tags=self._named(f"{name}-default"), opts=self._child
        )

        gateway = aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags=self._named(name), opts=self._child)
        public_table = self._public_table(vpc, gateway)
        isolated_table = self._table("isolated", vpc)
        private_tables = {zone.letter: self._table(f"private-{zone.letter}", vpc) for zone in zones}

        # EC2 refuses a NAT gateway or a load balancer in a VPC whose internet gateway is not there yet, and gives
        # the gateway back only after them: so it stands before the subnets that both are put into.
        public = {z.letter: self._subnet("public", z, vpc, public_table, after=[gateway]) for z in zones}
        private = {z.letter: self._subnet("private", z, vpc, private_tables[z.letter]) for z in zones}
        isolated = {zone.letter: self._subnet("isolated", zone, vpc, isolated_table) for zone in zones}

        gateways = self._nat_gateways(args.nat_gateways, public)
        for letter, table in private_tables.items():
            if gateways:
                self._default_route(
                    f"private-{letter}", table, gateways.get(letter) or gateways[min(gateways)]
                )

        s3 = aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[isolated_table.id, *(table.id for table in private_tables.values())],
            tags=self._named(f"{name}-s3"),
            opts=self._child,
        )

        self.vpc_id = vpc.id
        self.public_subnet_ids = [subnet.id for subnet in public.values()]
        self.private_subnet_ids = [subnet.id for subnet in private.values()]
        self.isolated_subnet_ids = [subnet.id for subnet in isolated.values()]
        self.s3_prefix_list_id = s3.prefix_list_id
        self.flow_log_group_name = self._flow_log(vpc, args)
        self.watches = [_port_watch(name, letter, gateway) for letter, gateway in gateways.items()]
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "public_subnet_ids": self.public_subnet_ids,
                "private_subnet_ids": self.private_subnet_ids,
                "isolated_subnet_ids": self.isolated_subnet_ids,
                "s3_prefix_list_id": self.s3_prefix_list_id,
                "flow_log_group_name": self.flow_log_group_name,
            }
        )

    def _named(self, name: str) -> dict[str, str]:
        return {**self._tags, "Name": name}

    def _table(self, part: str, vpc: aws.ec2.Vpc) -> aws.ec2.RouteTable:
        label = f"{self._prefix}-{part}"
        return aws.ec2.RouteTable(label, vpc_id=vpc.id, tags=self._named(label), opts=self._child)

    def _public_table(self, vpc: aws.ec2.Vpc, gateway: aws.ec2.InternetGateway) -> aws.ec2.RouteTable:
        table = self._table("public", vpc)
        aws.ec2.Route(
            f"{self._prefix}-public",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self._child,
        )
        return table

    def _subnet(
        self,
        tier: Literal["public", "private", "isolated"],
        zone: ZonePlan,
        vpc: aws.ec2.Vpc,
        table: aws.ec2.RouteTable,
        after: Sequence[pulumi.Resource] = (),
    ) -> aws.ec2.Subnet:
        label = f"{self._prefix}-{tier}-{zone.letter}"
        subnet = aws.ec2.Subnet(
            label,
            vpc_id=vpc.id,
            cidr_block={"public": zone.public, "private": zone.private, "isolated": zone.isolated}[tier],
            availability_zone=zone.zone,
            map_public_ip_on_launch=False,
            tags={**self._named(label), "Tier": tier},
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )
        aws.ec2.RouteTableAssociation(label, subnet_id=subnet.id, route_table_id=table.id, opts=self._child)
        return subnet

    def _nat_gateways(
        self, count: NatGateways, public: Mapping[str, aws.ec2.Subnet]
    ) -> dict[str, aws.ec2.NatGateway]:
        letters = {"per_zone": sorted(public), "single": [min(public)], "none": []}[count]
        gateways = {}
        for letter in letters:
            label = f"{self._prefix}-nat-{letter}"
            address = aws.ec2.Eip(label, domain="vpc", tags=self._named(label), opts=self._child)
            gateways[letter] = aws.ec2.NatGateway(
                label,
                subnet_id=public[letter].id,
                allocation_id=address.id,
                tags=self._named(label),
                opts=self._child,
            )
        return gateways

    def _default_route(self, part: str, table: aws.ec2.RouteTable, gateway: aws.ec2.NatGateway) -> None:
        aws.ec2.Route(
            f"{self._prefix}-{part}",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            nat_gateway_id=gateway.id,
            opts=self._child,
        )

    def _flow_log(self, vpc: aws.ec2.Vpc, args: NetworkArgs) -> pulumi.Output[str]:
        label = f"{self._prefix}-flow-log"
        group = aws.cloudwatch.LogGroup(
            label,
            retention_in_days=args.flow_log_retention_days,
            kms_key_id=args.log_key_arn,
            tags=self._named(label),
            opts=self._child,
        )
        role = aws.iam.Role(
            label,
            assume_role_policy=assume_role("vpc-flow-logs.amazonaws.com", account_id=vpc.owner_id),
            tags=self._named(label),
            opts=self._child,
        )
        writes = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        policy = aws.iam.RolePolicy(
            label,
            role=role.name,
            policy=document(
                statement(writes, pulumi.Output.concat(group.arn, ":*")),
                statement("logs:DescribeLogGroups", "*"),
            ),
            opts=self._child,
        )
        aws.ec2.FlowLog(
            self._prefix,
            vpc_id=vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=60,
            tags=self._named(label),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        return group.name


def _port_watch(name: str, letter: str, gateway: aws.ec2.NatGateway) -> Watch:
    return Watch(
        name=f"{name}-nat-{letter}-ports",
        description="Connections that the NAT gateway refused because all its source ports to one destination "
        "were in use (count in 5 minutes): calls to that service fail.",
        severity="warning",
        threshold=0,
        metrics=[
            Metric(
                id="refused",
                namespace="AWS/NATGateway",
                metric_name="ErrorPortAllocation",
                stat="Sum",
                dimensions={"NatGatewayId": gateway.id},
            )
        ],
    )
