"""References in a service's variables: ${database.address}, ${secrets.api-key}. The vocabulary is closed.

What a name stands for may be known now (`known_values`) or only when the stack is made (an Output that `__main__` has).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from settings.model import Service, Settings

Value = TypeVar("Value")

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")
_DATABASE = ("address", "port", "name", "replica_address")
_LOGIN = ("role", "pool_max", "pool_min", "pool_idle_timeout_ms")
_CACHE = ("endpoint", "reader_endpoint", "port", "cluster")
_BROKER = ("host", "port", "username")
_BUCKET = ("name", "endpoint")
PASSWORD_OF_ROLE = "database.passwords."
REPLICA_ADDRESS = "database.replica_address"


@dataclass(frozen=True)
class Reference:
    """What stands between ${ and }."""

    name: str


def parse(template: str) -> list[str | Reference]:
    """A template's parts in order; text that is empty is left out."""
    pieces = _REFERENCE.split(template)
    parts = [Reference(piece) if index % 2 else piece for index, piece in enumerate(pieces)]
    return [part for part in parts if part != ""]


def references(template: str) -> list[str]:
    """The names that a template refers to, in order."""
    return [part.name for part in parse(template) if isinstance(part, Reference)]


def resolve(template: str, values: Mapping[str, Value]) -> list[str | Value]:
    """The parts with each reference replaced by its value: what pulumi.Output.concat takes. KeyError if unknown."""
    return [values[part.name] if isinstance(part, Reference) else part for part in parse(template)]


def variable_names(settings: Settings, service: Service) -> set[str]:
    """Everything that a plain variable of this service may refer to."""
    return stack_names(settings) | {f"database.{part}" for part in _login(service)}


def stack_names(settings: Settings) -> set[str]:
    """What is not secret and the same for every service."""
    names = {"domain", "environment", "region", *(f"hosts.{label}" for label in settings.hosts)}
    names |= {f"database.{part}" for part in _DATABASE if settings.database}
    names |= {f"caches.{cache}.{part}" for cache in settings.caches for part in _CACHE}
    names |= {
        f"services.{name}.{part}"
        for name in settings.services
        if settings.port_of(name)
        for part in ("host", "port")
    }
    names |= {f"queues.{queue}.prefix" for queue in settings.queues}
    names |= {f"brokers.{broker}.{part}" for broker in settings.brokers for part in _BROKER}
    names |= {f"buckets.{bucket}.{part}" for bucket in settings.buckets for part in _BUCKET}
    names |= {"logs.loki_url"} if loki_url(settings) else set()
    names |= {"cdn.url"} if settings.cdn_host else set()
    return names | ({"cors.allow_origins"} if settings.ingress.cors else set())


def loki_url(settings: Settings) -> str | None:
    """Where Loki is, for services that write to it themselves or that ask it."""
    router = settings.observability.log_router
    loki = router.loki if router else None
    if loki is None:
        return None
    if loki.host is not None:
        return f"https://{loki.host}"
    port = settings.port_of(loki.service) if loki.service and loki.service in settings.services else None
    return f"http://{loki.service}:{port[1]}" if port else None


def secret_names(settings: Settings, service: Service) -> set[str]:
    """Everything that a secret variable of this service may refer to."""
    names = {f"caches.{cache}.auth_token" for cache in settings.caches}
    names |= {f"secrets.{secret}" for secret in settings.secrets}
    names |= {f"brokers.{broker}.password" for broker in settings.brokers}
    return names | ({"database.password"} if service.database else set())


def confidential_names(settings: Settings) -> set[str]:
    """What a secret's `url` may name beside `stack_names`; all of it ends up percent-encoded."""
    roles = settings.database.roles if settings.database else {}
    names = {f"{PASSWORD_OF_ROLE}{role}" for role in roles}
    names |= {f"brokers.{broker}.password" for broker in settings.brokers}
    return names | {f"caches.{cache}.auth_token" for cache in settings.caches}


def connectable(settings: Settings) -> set[str]:
    """Everything that a service may name in `connects_to`."""
    callable_services = {name for name in settings.services if settings.port_of(name)}
    return {*settings.caches, *settings.brokers, *callable_services} | (
        {"database"} if settings.database else set()
    )


def holds_role_password(template: str) -> bool:
    """Whether a secret's `url` names the password of a role of the database, which the bootstrap's task makes."""
    return any(name.startswith(PASSWORD_OF_ROLE) for name in references(template))


def store_of(reference: str) -> str | None:
    """The store or service that a reference is about: database.address -> database, caches.queue.port -> queue."""
    kind, _, rest = reference.partition(".")
    if kind == "database":
        return kind
    return rest.partition(".")[0] if kind in ("caches", "brokers", "services") else None


def refers(settings: Settings, template: str, wanted: str) -> bool:
    """Whether a variable's template names a reference, also by way of a secret's url."""
    for name in references(template):
        kind, _, secret = name.partition(".")
        url = settings.secrets[secret].url if kind == "secrets" and secret in settings.secrets else None
        if name == wanted or (url and refers(settings, url, wanted)):
            return True
    return False


def stores_behind(settings: Settings, template: str) -> set[str]:
    """Every store that a variable leads to, also by way of a secret's url."""
    found: set[str] = set()
    for name in references(template):
        kind, _, secret = name.partition(".")
        url = settings.secrets[secret].url if kind == "secrets" and secret in settings.secrets else None
        found |= stores_behind(settings, url) if url else {store for store in [store_of(name)] if store}
    return found


def _login(service: Service) -> tuple[str, ...]:
    if service.database is None:
        return ()
    return tuple(part for part in _LOGIN if getattr(service.database, part) is not None)


def known_values(settings: Settings, service: Service) -> dict[str, str]:
    """Those of `variable_names` that settings alone decide. The rest are outputs of components."""
    login = {f"database.{part}": str(getattr(service.database, part)) for part in _login(service)}
    return known_stack_values(settings) | login


def known_stack_values(settings: Settings) -> dict[str, str]:
    """Those of `stack_names` that settings alone decide."""
    values = {"domain": settings.domain.name, "environment": settings.environment, "region": settings.region}
    values |= {f"hosts.{label}": host for label, host in settings.hosts.items()}
    values |= {f"queues.{name}.prefix": queue.prefix for name, queue in settings.queues.items()}
    if settings.database:
        values["database.name"] = settings.database.name
    if url := loki_url(settings):
        values["logs.loki_url"] = url
    for name in settings.services:
        port = settings.port_of(name)
        if port is not None:
            # Service Connect gives each service its own name inside the network.
            values |= {f"services.{name}.host": name, f"services.{name}.port": str(port[1])}
    for name in settings.caches:
        cluster_mode = settings.caches[settings.cache_behind(name)].cluster_mode
        values[f"caches.{name}.cluster"] = str(cluster_mode).lower()
    values |= {f"brokers.{name}.username": broker.username for name, broker in settings.brokers.items()}
    for name in settings.buckets:
        values[f"buckets.{name}.endpoint"] = f"s3.{settings.region}.amazonaws.com"
    if settings.cdn_host:
        values["cdn.url"] = f"https://{settings.cdn_host}"
    if settings.ingress.cors:
        values["cors.allow_origins"] = ",".join(settings.ingress.cors.allow_origins)
    return values
