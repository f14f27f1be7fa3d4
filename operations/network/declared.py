"""What the stack declares of its security groups: who may open a connection to whom.

An edge is a pair of rules, one at each end that is a group of the stack.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Names that a declared edge may have beside those of groups.
INTERNET, S3 = "internet", "s3"
LOAD_BALANCER, ENDPOINTS, DATABASE, DATABASE_PROXY = (
    "load-balancer",
    "endpoints",
    "database",
    "database-proxy",
)
OPERATIONS, QUEUE_METRICS, VPN = "operations", "queue-metrics", "vpn"
CACHE, BROKER = "cache-", "broker-"  # how the names of their groups begin


@dataclass(frozen=True)
class Edge:
    source: str
    target: str
    port: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}, {self.protocol} {self.port}"


@dataclass(frozen=True)
class Wanted:
    """A rule that an edge is made of, at one of its ends."""

    group: str
    is_egress: bool
    protocol: str
    port: int
    peer: str

    def __str__(self) -> str:
        way = "out to" if self.is_egress else "in from"
        return f"{self.protocol} {self.port} {way} {self.peer}"


def edges(said: Sequence[Mapping[str, Any]]) -> list[Edge]:
    return [Edge(each["source"], each["target"], int(each["port"]), each["protocol"]) for each in said]


def wanted(declared: Sequence[Edge], groups: Mapping[str, str]) -> Iterator[Wanted]:
    for edge in declared:
        if edge.source in groups:
            yield Wanted(edge.source, True, edge.protocol, edge.port, edge.target)
        if edge.target in groups:
            yield Wanted(edge.target, False, edge.protocol, edge.port, edge.source)


def neighbours(declared: Sequence[Edge], groups: Mapping[str, str]) -> set[str]:
    """Names of groups that are in other hands: the machines of a cluster that is not the stack's."""
    named = {name for edge in declared for name in (edge.source, edge.target)}
    return named - set(groups) - {INTERNET, S3}
