"""Who may talk to whom: security groups, and for each edge one rule at each end.

This is the one place that opens a port. Groups are made first and without rules, so that a database does not
wait for its clients to exist.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws

INTERNET = "internet"
ANYWHERE = "0.0.0.0/0"
PORTS_FROM_THE_INTERNET = (80, 443)
# What EC2 takes as the description of a rule (EC2 API, IpRange).
_DESCRIPTION = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")


@dataclass(frozen=True, kw_only=True)
class Edge:
    """`source` may open connections to `port` of `target`: each a group, a prefix list or "internet"."""

    source: str
    target: str
    port: int
    why: str
    protocol: Literal["tcp", "udp"] = "tcp"

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}:{self.port}/{self.protocol}"


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """`prefix_lists`: name to id, so that an edge can lead to S3. `neighbours`: the same for security groups in
    other hands; only this stack's end of an edge to one of them is opened.

    Raises ValueError on groups or edges that are listed twice, on names that are not known, on an edge
    between two ends that are no group, and on any way in from the internet but ports 80 and 443.
    """

    vpc_id: pulumi.Input[str]
    groups: Sequence[str]
    edges: Sequence[Edge]
    prefix_lists: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    neighbours: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if found := [*self._group_problems(), *self._edge_problems()]:
            raise ValueError("firewall: " + "; ".join(found))

    def _group_problems(self) -> list[str]:
        outside = {INTERNET, *self.prefix_lists, *self.neighbours}
        found = [f"group {name!r} is listed twice" for name in _twice(self.groups)]
        found += [
            f"group {name!r} has the name of something outside the VPC; rename it"
            for name in sorted(outside & set(self.groups))
        ]
        return found

    def _edge_problems(self) -> list[str]:
        known = {INTERNET, *self.prefix_lists, *self.neighbours, *self.groups}
        names = ", ".join(sorted(known))
        found = [f"edge {edge} is listed twice" for edge in _twice([str(edge) for edge in self.edges])]
        for edge in self.edges:
            unknown = sorted({edge.source, edge.target} - known)
            found += [f"edge {edge}: {name!r} is not one of {names}" for name in unknown]
            if not unknown and not {edge.source, edge.target} & set(self.groups):
                found.append(f"edge {edge}: one of its ends must be a group")
            if edge.source == INTERNET and edge.port not in PORTS_FROM_THE_INTERNET:
                found.append(f"edge {edge}: the internet may reach ports 80 and 443 only")
            if not 1 <= edge.port <= 65535:
                found.append(f"edge {edge}: port must be 1 to 65535")
            if not _DESCRIPTION.fullmatch(edge.why):
                found.append(
                    f"edge {edge}: why must be 1 to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{{}}!$*, "
                    f"got {edge.why!r}"
                )
        return found


class Firewall(pulumi.ComponentResource):
    """`group_ids` by group name."""

    group_ids: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:network:Firewall", name, None, opts)
        self._prefix, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)

        # No inline rules, not even an empty list: that would make each update revoke the rules below. The
        # provider takes away AWS's own "allow everything out" when it makes a group.
        self.group_ids = {
            group: aws.ec2.SecurityGroup(
                f"{name}-{group}",
                vpc_id=args.vpc_id,
                description=f"{group}: its rules are resources of their own",
                tags={**args.tags, "Name": f"{name}-{group}"},
                opts=self._child,
            ).id
            for group in args.groups
        }
        self._reachable: dict[str, pulumi.Input[str]] = {**args.neighbours, **self.group_ids}
        for edge in args.edges:
            self._way_out(edge)
            self._way_in(edge)
        self.register_outputs({"group_ids": self.group_ids})

    def _label(self, edge: Edge, direction: str) -> str:
        protocol = "" if edge.protocol == "tcp" else f"-{edge.protocol}"
        return f"{self._prefix}-{edge.source}-to-{edge.target}-{edge.port}{protocol}-{direction}"

    def _way_out(self, edge: Edge) -> None:
        if edge.source not in self.group_ids:
            return
        label = self._label(edge, "egress")
        aws.vpc.SecurityGroupEgressRule(
            label,
            security_group_id=self.group_ids[edge.source],
            referenced_security_group_id=self._reachable.get(edge.target),
            prefix_list_id=self._args.prefix_lists.get(edge.target),
            cidr_ipv4=ANYWHERE if edge.target == INTERNET else None,
            ip_protocol=edge.protocol,
            from_port=edge.port,
            to_port=edge.port,
            description=edge.why,
            tags={**self._args.tags, "Name": label},
            opts=self._child,
        )

    def _way_in(self, edge: Edge) -> None:
        if edge.target not in self.group_ids:
            return
        label = self._label(edge, "ingress")
        aws.vpc.SecurityGroupIngressRule(
            label,
            security_group_id=self.group_ids[edge.target],
            referenced_security_group_id=self._reachable.get(edge.source),
            prefix_list_id=self._args.prefix_lists.get(edge.source),
            cidr_ipv4=ANYWHERE if edge.source == INTERNET else None,
            ip_protocol=edge.protocol,
            from_port=edge.port,
            to_port=edge.port,
            description=edge.why,
            tags={**self._args.tags, "Name": label},
            opts=self._child,
        )


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
