"""The two ends of a connection that somebody asks about, as they are typed: `api`, `db:5432`, `cache:6379`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from operations.network.declared import (
    BROKER,
    CACHE,
    DATABASE,
    DATABASE_PROXY,
    ENDPOINTS,
    INTERNET,
    LOAD_BALANCER,
    S3,
    Edge,
    edges,
    neighbours,
)
from operations.network.live import Network
from operations.platform import Platform, Refusal
from operations.policy.stacks import unknown

# What people say, and what the stack calls it.
ALIASES: Mapping[str, str] = {
    "db": DATABASE,
    "postgres": DATABASE,
    "proxy": DATABASE_PROXY,
    "lb": LOAD_BALANCER,
    "alb": LOAD_BALANCER,
}
ONLY_CACHE, ONLY_BROKER = ("cache", "redis"), ("broker", "rabbitmq")


class Is(StrEnum):
    service = "service"
    database = "database"
    proxy = "database proxy"
    cache = "cache"
    broker = "broker"
    endpoints = "endpoints"
    balancer = "load balancer"
    outside = "outside"
    other = "other"


@dataclass(frozen=True)
class End:
    """`group` is the name that edges have, `name` the store's or service's own."""

    group: str
    kind: Is
    name: str


@dataclass(frozen=True)
class Hop:
    source: End
    target: End
    port: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.source.group} -> {self.target.group}, {self.protocol} {self.port}"


def split(text: str) -> tuple[str, int | None]:
    name, _, port = text.partition(":")
    if port and not (port.isdigit() and 1 <= int(port) <= 65535):
        raise Refusal(f"{text}: a port is a number from 1 to 65535, as in {name}:5432.")
    return name, int(port) if port else None


def end(platform: Platform, text: str) -> End:
    """Raises Refusal for a name that the stack does not have."""
    said = platform.outputs
    name = ALIASES.get(text, text)
    if name in said["services"] or name in said["servicesToPush"]:
        return End(name, Is.service, name)
    if name in said["caches"]:
        return End(f"{CACHE}{name}", Is.cache, name)
    if name in said["brokers"]:
        return End(f"{BROKER}{name}", Is.broker, name)
    if name in ONLY_CACHE and len(said["caches"]) == 1:
        return end(platform, next(iter(said["caches"])))
    if name in ONLY_BROKER and len(said["brokers"]) == 1:
        return end(platform, next(iter(said["brokers"])))
    if name in (INTERNET, S3):
        return End(name, Is.outside, name)
    if name in said["network"]["securityGroups"]:
        return _of_group(platform, name)
    if name in neighbours(edges(said["network"]["declared"]), said["network"]["securityGroups"]):
        return End(name, Is.other, name)
    if service := _behind_host(platform, name):
        return End(service, Is.service, service)
    known = sorted(
        {*said["network"]["securityGroups"], *said["caches"], *said["brokers"], *said["urls"], INTERNET, S3}
    )
    raise Refusal(unknown("end of a connection", text, known, of=f" of {platform.system}"))


def _of_group(platform: Platform, name: str) -> End:
    fixed = {
        DATABASE: Is.database,
        DATABASE_PROXY: Is.proxy,
        ENDPOINTS: Is.endpoints,
        LOAD_BALANCER: Is.balancer,
    }
    if name in fixed:
        return End(name, fixed[name], name)
    for start, kind, stores in (
        (CACHE, Is.cache, platform.outputs["caches"]),
        (BROKER, Is.broker, platform.outputs["brokers"]),
    ):
        own = name.removeprefix(start)
        if name.startswith(start) and own in stores:
            return End(name, kind, own)
    return End(name, Is.other, name)


def _behind_host(platform: Platform, label: str) -> str:
    """The service that answers at the host with this label: people call it by that."""
    url = platform.outputs["urls"].get(label)
    found = [
        name
        for name, health in platform.outputs["healthUrls"].items()
        if url and (health == url or health.startswith(f"{url}/"))
    ]
    return found[0] if len(found) == 1 else ""


def hops(network: Network, source: End, target: End, port: int | None) -> list[Hop]:
    """What is to be asked: one, or two where a proxy stands between. Raises Refusal where no port is known."""
    through = [
        each
        for each in network.edges
        if each.source == source.group and each.target == DATABASE_PROXY and target.group == DATABASE
    ]
    direct = _edge(network, source.group, target.group, port)
    if through and direct is None:
        proxy = end(network.platform, DATABASE_PROXY)
        second = _edge(network, DATABASE_PROXY, DATABASE, port)
        first = through[0]
        return [
            Hop(source, proxy, first.port, first.protocol),
            Hop(proxy, target, second.port if second else first.port, first.protocol),
        ]
    if direct is not None:
        return [Hop(source, target, direct.port, direct.protocol)]
    return [Hop(source, target, port or _usual(network, target), "tcp")]


def _edge(network: Network, source: str, target: str, port: int | None) -> Edge | None:
    found = [
        each
        for each in network.edges
        if each.source == source and each.target == target and port in (None, each.port)
    ]
    return found[0] if found else None


def _usual(network: Network, target: End) -> int:
    """Where nothing is declared between the two, the port that others use there."""
    ports = sorted({each.port for each in network.edges if each.target == target.group})
    if not ports:
        raise Refusal(
            f"Nothing is declared to reach {target.name}, so its port is not known: --to {target.name}:PORT."
        )
    return ports[0]
