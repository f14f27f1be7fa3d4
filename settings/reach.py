"""Who may open a connection to whom, as it follows from what the services say they connect to.

Plain data: the stack's firewall turns each line into a pair of security group rules, and nothing else is open.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from settings.model import Settings
from settings.model.compute import Service

# Groups that every stack has; caches and services add one each, under their own names.
LOAD_BALANCER, ENDPOINTS, DATABASE, OPERATIONS = "load-balancer", "endpoints", "database", "operations"
COLLECTOR, QUEUE_METRICS = "collector", "queue-metrics"
INTERNET, S3 = "internet", "s3"

HTTPS, POSTGRESQL, REDIS = 443, 5432, 6379


@dataclass(frozen=True)
class Reach:
    source: str
    target: str
    port: int
    why: str


def groups(settings: Settings) -> list[str]:
    fixed = [LOAD_BALANCER, ENDPOINTS, DATABASE, OPERATIONS, COLLECTOR]
    metrics = [QUEUE_METRICS] if settings.queues else []
    return [*fixed, *metrics, *map(cache_group, settings.enabled_caches), *settings.services]


def cache_group(cache: str) -> str:
    return f"cache-{cache}"


def reaches(settings: Settings) -> list[Reach]:
    return list(dict.fromkeys(_reaches(settings)))


def _reaches(settings: Settings) -> Iterator[Reach]:
    yield Reach(INTERNET, LOAD_BALANCER, HTTPS, "Clients")
    yield Reach(INTERNET, LOAD_BALANCER, 80, "Redirected to HTTPS")
    for name, service in settings.services.items():
        yield from _of_service(settings, name, service)
    yield Reach(OPERATIONS, DATABASE, POSTGRESQL, "Migrations, bootstrap, dumps")
    yield from _to_aws(OPERATIONS)
    yield from _to_aws(COLLECTOR)
    for cache in settings.enabled_caches:
        yield Reach(OPERATIONS, cache_group(cache), REDIS, "Looking after the cache")
    if settings.queues:
        yield from _to_aws(QUEUE_METRICS)
    for queue in settings.queues.values():
        cache = cache_group(settings.cache_behind(queue.cache))
        yield Reach(QUEUE_METRICS, cache, REDIS, "Counts the jobs")


def _of_service(settings: Settings, name: str, service: Service) -> Iterator[Reach]:
    if service.public:
        yield Reach(LOAD_BALANCER, name, service.ports["http"], "Requests and health checks")
    if "metrics" in service.ports:
        yield Reach(COLLECTOR, name, service.ports["metrics"], "Scrapes its metrics")
    for store in service.connects_to:
        if store == DATABASE:
            yield Reach(name, DATABASE, POSTGRESQL, "Queries")
        else:
            yield Reach(name, cache_group(settings.cache_behind(store)), REDIS, "Cache and queues")
    yield from _to_aws(name)


def _to_aws(source: str) -> Iterator[Reach]:
    yield Reach(source, ENDPOINTS, HTTPS, "AWS, inside the network")
    yield Reach(source, S3, HTTPS, "Image layers and objects")
    yield Reach(source, INTERNET, HTTPS, "Interfaces of others, over TLS only")
