"""What stands in a stack's VPC, as EC2 tells it: asked once each, and kept for as long as a command runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from operations.network.declared import INTERNET, S3, Edge, edges
from operations.platform import Platform, Refusal

Said = Mapping[str, Any]

ANYWHERE = ("0.0.0.0/0", "::/0")
ALL = "all"
MOST_VALUES = 200  # EC2 API, Filter: values of one filter
# EC2 tells those that have a name by it, and takes their numbers too (EC2 API, SecurityGroupRule).
_PROTOCOLS = {"-1": ALL, "6": "tcp", "17": "udp", "1": "icmp"}


@dataclass(frozen=True)
class Rule:
    """One rule of a security group. `peer` is a block, or the id of a group or a prefix list.

    `first` and `last` are ports; both None where the protocol has none or all are meant.
    """

    id: str
    group: str
    is_egress: bool
    protocol: str
    first: int | None
    last: int | None
    peer: str

    @classmethod
    def of(cls, said: Said) -> "Rule":
        protocol = _PROTOCOLS.get(said["IpProtocol"], said["IpProtocol"])
        ports = [said.get("FromPort", -1), said.get("ToPort", -1)]
        first, last = (None if protocol == ALL or port in (-1, None) else port for port in ports)
        peer = (
            said.get("CidrIpv4")
            or said.get("CidrIpv6")
            or said.get("PrefixListId")
            or said["ReferencedGroupInfo"]["GroupId"]
        )
        return cls(
            said["SecurityGroupRuleId"], said["GroupId"], said["IsEgress"], protocol, first, last, peer
        )

    @property
    def is_open(self) -> bool:
        return not self.is_egress and self.peer in ANYWHERE

    @property
    def ports(self) -> str:
        if self.first is None:
            return "" if self.protocol == ALL else "all ports"
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"

    @property
    def traffic(self) -> str:
        """`tcp 443`, `all traffic`."""
        return "all traffic" if self.protocol == ALL else f"{self.protocol} {self.ports}"

    def carries(self, protocol: str, port: int) -> bool:
        if self.protocol == ALL:
            return True
        if self.protocol != protocol:
            return False
        return self.first is None or self.last is None or self.first <= port <= self.last


class Network:
    """Raises Refusal where the outputs are older than this command."""

    def __init__(self, platform: Platform) -> None:
        if not platform.outputs.get("network"):
            raise Refusal(
                f"The outputs of {platform} say nothing of its network: it was last changed before they did. `pulumi "
                f"up --stack {platform.stack}` adds that, and changes nothing else for it."
            )
        self.platform = platform
        self.ec2 = platform.client("ec2")
        said = platform.outputs["network"]
        self.vpc: str = said["vpc"]
        self.group_ids: Mapping[str, str] = said["securityGroups"]
        self.edges: Sequence[Edge] = edges(said["declared"])

    @property
    def is_emulated(self) -> bool:
        return self.platform.endpoint_url is not None

    def _all(self, operation: str, key: str, *, vpc_filter: str = "vpc-id") -> list[Said]:
        pages = self.ec2.get_paginator(operation).paginate(
            Filters=[{"Name": vpc_filter, "Values": [self.vpc]}]
        )
        return [each for page in pages for each in page[key]]

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Of the groups that are declared, by id."""
        return {group_id: name for name, group_id in self.group_ids.items()}

    @cached_property
    def groups(self) -> Mapping[str, Said]:
        """Every group of the VPC, by id."""
        found = self._all("describe_security_groups", "SecurityGroups")
        return {each["GroupId"]: each for each in found}

    @cached_property
    def rules(self) -> Sequence[Rule]:
        ids = list(self.groups)
        found: list[Rule] = []
        for start in range(0, len(ids), MOST_VALUES):
            pages = self.ec2.get_paginator("describe_security_group_rules").paginate(
                Filters=[{"Name": "group-id", "Values": ids[start : start + MOST_VALUES]}]
            )
            found += [Rule.of(each) for page in pages for each in page["SecurityGroupRules"]]
        return found

    @cached_property
    def interfaces(self) -> Sequence[Said]:
        return self._all("describe_network_interfaces", "NetworkInterfaces")

    @cached_property
    def subnets(self) -> Mapping[str, Said]:
        return {each["SubnetId"]: each for each in self._all("describe_subnets", "Subnets")}

    @cached_property
    def tables(self) -> Sequence[Said]:
        return self._all("describe_route_tables", "RouteTables")

    @cached_property
    def acls(self) -> Sequence[Said]:
        return self._all("describe_network_acls", "NetworkAcls")

    @cached_property
    def flow_logs(self) -> Sequence[Said]:
        return self._all("describe_flow_logs", "FlowLogs", vpc_filter="resource-id")

    @cached_property
    def nat_gateways(self) -> Sequence[Said]:
        return self._all("describe_nat_gateways", "NatGateways")

    @cached_property
    def endpoints(self) -> Sequence[Said]:
        return self._all("describe_vpc_endpoints", "VpcEndpoints")

    @cached_property
    def resolves_names(self) -> bool:
        said = self.ec2.describe_vpc_attribute(VpcId=self.vpc, Attribute="enableDnsSupport")
        return said["EnableDnsSupport"]["Value"]

    @cached_property
    def s3_lists(self) -> Sequence[str]:
        """Prefix lists of S3 in this region: AWS keeps them."""
        name = f"com.amazonaws.{self.platform.region}.s3"
        answer = self.ec2.describe_managed_prefix_lists(
            Filters=[{"Name": "prefix-list-name", "Values": [name]}]
        )
        return [each["PrefixListId"] for each in answer["PrefixLists"]]

    def peer_name(self, peer: str) -> str:
        """As it is declared, where it is: a group's name, `internet`, `s3`; else what EC2 says."""
        if peer in self.names:
            return self.names[peer]
        if peer == ANYWHERE[0]:
            return INTERNET
        # The emulator gives an endpoint another list than the one that it shows by that name.
        if peer.startswith("pl-") and (self.is_emulated or peer in self.s3_lists):
            return S3
        return peer

    def name_of(self, group_id: str) -> str:
        """For a reader: as it is declared, else by its own name and id."""
        if group_id in self.names:
            return self.names[group_id]
        said = self.groups.get(group_id)
        return f"{said['GroupName']} ({group_id})" if said else group_id

    def label(self, subnet_id: str) -> str:
        """A subnet's `Name` tag, else its id."""
        tags = {tag["Key"]: tag["Value"] for tag in self.subnets.get(subnet_id, {}).get("Tags", [])}
        return tags.get("Name") or subnet_id

    def table_of(self, subnet_id: str) -> Said:
        """The route table that a subnet has, the VPC's main one where it has none of its own."""
        return self._attached(self.tables, subnet_id, lambda each: each.get("Main", False))

    def acl_of(self, subnet_id: str) -> Said:
        for acl in self.acls:
            if any(each.get("SubnetId") == subnet_id for each in acl["Associations"]):
                return acl
        return next((acl for acl in self.acls if acl["IsDefault"]), {"NetworkAclId": "none", "Entries": []})

    def _attached(self, tables: Sequence[Said], subnet_id: str, is_main: Any) -> Said:
        for table in tables:
            if any(each.get("SubnetId") == subnet_id for each in table["Associations"]):
                return table
        return next(
            (table for table in tables if any(map(is_main, table["Associations"]))),
            {"RouteTableId": "none", "Routes": []},
        )
