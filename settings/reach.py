"""Who may open a connection to whom, as it follows from what the services say they connect to.

Plain data: the stack's firewall turns each line into a pair of security group rules, and nothing else is open.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from settings.model import Settings
from settings.model.compute import Service
from settings.references import REPLICA_ADDRESS, refers

# Groups that every stack has; caches and services add one each, under their own names.
LOAD_BALANCER, ENDPOINTS, DATABASE, OPERATIONS = "load-balancer", "endpoints", "database", "operations"
COLLECTOR, QUEUE_METRICS, VPN = "collector", "queue-metrics", "vpn"
DATABASE_PROXY = "database-proxy"
INTERNET, S3 = "internet", "s3"
NODES, CONTROL_PLANE = "nodes", "control-plane"
# Names that no service may have: it would share their security group, or hide what lies outside the network.
RESERVED = (
    LOAD_BALANCER,
    ENDPOINTS,
    OPERATIONS,
    COLLECTOR,
    QUEUE_METRICS,
    VPN,
    DATABASE_PROXY,
    INTERNET,
    S3,
    NODES,
    CONTROL_PLANE,
)

HTTPS, POSTGRESQL, REDIS, AMQPS = 443, 5432, 6379, 5671
DNS = 53
# What the control plane of Kubernetes asks on its machines, by port.
ASKED_ON_NODES = {
    10250: "Logs and shells of pods, and the webhook of External Secrets",
    10251: "Figures of pods, from metrics-server",
    6443: "Figures to scale on, from KEDA",
    9443: "Webhook of the load balancer controller",
}


@dataclass(frozen=True)
class Reach:
    source: str
    target: str
    port: int
    why: str
    protocol: Literal["tcp", "udp"] = "tcp"


def groups(settings: Settings) -> list[str]:
    wanted = {
        LOAD_BALANCER: True,
        ENDPOINTS: True,
        DATABASE: settings.database is not None,
        DATABASE_PROXY: settings.database is not None and settings.database.has_proxy,
        OPERATIONS: True,
        COLLECTOR: settings.observability.prometheus is not None,
        QUEUE_METRICS: bool(settings.queues),
        VPN: settings.admin_access.client_vpn is not None,
    }
    if settings.cluster and settings.cluster.create_cluster:
        wanted |= {NODES: True, CONTROL_PLANE: True}
    fixed = [group for group, is_wanted in wanted.items() if is_wanted]
    stores = [*map(cache_group, settings.enabled_caches), *map(broker_group, settings.brokers)]
    return [*fixed, *stores, *settings.services]


def cache_group(cache: str) -> str:
    return f"cache-{cache}"


def broker_group(broker: str) -> str:
    return f"broker-{broker}"


def reaches(settings: Settings) -> list[Reach]:
    return list(dict.fromkeys(_reaches(settings)))


def _reaches(settings: Settings) -> Iterator[Reach]:
    yield Reach(INTERNET, LOAD_BALANCER, HTTPS, "Clients")
    yield Reach(INTERNET, LOAD_BALANCER, 80, "Redirected to HTTPS")
    for name, service in settings.services.items():
        yield from _of_service(settings, name, service)
    if settings.database:
        yield Reach(OPERATIONS, DATABASE, POSTGRESQL, "Migrations, bootstrap, dumps")
        if settings.database.has_proxy:
            yield Reach(DATABASE_PROXY, DATABASE, POSTGRESQL, "Queries of the services")
            yield Reach(OPERATIONS, DATABASE_PROXY, POSTGRESQL, "Tasks that log in as a service does")
    yield from _of_kubernetes(settings)
    yield from _to_aws(OPERATIONS)
    if settings.observability.prometheus:
        yield from _to_aws(COLLECTOR)
    for cache in settings.enabled_caches:
        yield Reach(OPERATIONS, cache_group(cache), REDIS, "Looking after the cache")
    for broker in settings.brokers:
        yield Reach(OPERATIONS, broker_group(broker), HTTPS, "The console of the broker")
    if settings.queues:
        yield from _to_aws(QUEUE_METRICS)
    for queue in settings.queues.values():
        cache = cache_group(settings.cache_behind(queue.cache))
        yield Reach(QUEUE_METRICS, cache, REDIS, "Counts the jobs")
    if settings.admin_access.client_vpn:
        for store in settings.admin_access.client_vpn.reaches:
            yield from _to(settings, VPN, store)


def _of_service(settings: Settings, name: str, service: Service) -> Iterator[Reach]:
    if service.public:
        yield Reach(LOAD_BALANCER, name, service.ports["http"], "Requests and health checks")
    if name in settings.scraped:
        yield Reach(COLLECTOR, name, settings.scraped[name], "Scrapes its metrics")
    for store in service.connects_to:
        yield from _to(settings, name, store)
    if loki := settings.loki_behind(name):
        yield from _to(settings, name, loki)
    yield from _to_aws(name)
    for way in service.outbound:
        yield Reach(name, INTERNET, way.port, way.why)


def _to(settings: Settings, source: str, store: str) -> Iterator[Reach]:
    if store == DATABASE:
        yield from _to_database(settings, source)
    elif store in settings.brokers and source == VPN:
        yield Reach(source, broker_group(store), HTTPS, "The console of the broker")
    elif store in settings.brokers:
        yield Reach(source, broker_group(store), AMQPS, "Publishes and takes messages")
    elif store in settings.services:
        port = settings.port_of(store)
        if port is not None:
            yield Reach(source, store, port[1], f"Calls {store}")
    else:
        yield Reach(source, cache_group(settings.cache_behind(store)), REDIS, "Cache and queues")


def _to_database(settings: Settings, source: str) -> Iterator[Reach]:
    """Through the proxy where there is one. It leads to the writer only: whoever reads from a replica goes there."""
    database, service = settings.database, settings.services.get(source)
    if database is None:
        return
    if not database.has_proxy or service is None:
        yield Reach(source, DATABASE, POSTGRESQL, "Queries")
        return
    yield Reach(source, DATABASE_PROXY, POSTGRESQL, "Queries")
    templates = [*service.environment.values(), *service.confidential.values()]
    if database.has_readers and any(refers(settings, each, REPLICA_ADDRESS) for each in templates):
        yield Reach(source, DATABASE, POSTGRESQL, "Reads from a replica")


def _of_kubernetes(settings: Settings) -> Iterator[Reach]:
    """Pods have the security groups that tasks have on ECS; this is what the cluster itself needs beside it."""
    if settings.cluster is None:
        return
    for name, service in settings.services.items():
        if "http" in service.ports:
            yield Reach(NODES, name, service.ports["http"], "Asks whether its pods are well")
        yield from _names_of_the_cluster(name)
    if settings.scraped:
        yield from _names_of_the_cluster(COLLECTOR)
    if not settings.cluster.create_cluster:
        return
    yield from _names_of_the_cluster(NODES)
    yield from _to_aws(NODES)
    yield Reach(NODES, CONTROL_PLANE, HTTPS, "The API of Kubernetes")
    for port, why in ASKED_ON_NODES.items():
        yield Reach(CONTROL_PLANE, NODES, port, why)
    yield Reach(NODES, NODES, 10250, "metrics-server asks every machine")
    yield Reach(NODES, NODES, 9666, "The two halves of KEDA")


def _names_of_the_cluster(source: str) -> Iterator[Reach]:
    yield Reach(source, NODES, DNS, "Names of the cluster")
    yield Reach(source, NODES, DNS, "Names of the cluster", "udp")


def _to_aws(source: str) -> Iterator[Reach]:
    yield Reach(source, ENDPOINTS, HTTPS, "AWS, inside the network")
    yield Reach(source, S3, HTTPS, "Image layers and objects")
    yield Reach(source, INTERNET, HTTPS, "Interfaces of others, over TLS only")
