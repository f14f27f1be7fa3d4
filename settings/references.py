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
_CACHE = ("endpoint", "port", "cluster")


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
    names = {"domain", "environment", "region", *(f"hosts.{label}" for label in settings.hosts)}
    names |= {f"database.{part}" for part in _DATABASE + (_LOGIN if service.database else ())}
    names |= {f"caches.{cache}.{part}" for cache in settings.caches for part in _CACHE}
    names |= {f"queues.{queue}.prefix" for queue in settings.queues}
    return names | ({"cors.allow_origins"} if settings.ingress.cors else set())


def secret_names(settings: Settings, service: Service) -> set[str]:
    """Everything that a secret variable of this service may refer to."""
    names = {f"caches.{cache}.auth_token" for cache in settings.caches}
    names |= {f"secrets.{secret}" for secret in settings.secrets}
    return names | ({"database.password"} if service.database else set())


def known_values(settings: Settings, service: Service) -> dict[str, str]:
    """Those of `variable_names` that settings alone decide. The rest are outputs of components."""
    values = {"domain": settings.domain.name, "environment": settings.environment, "region": settings.region}
    values |= {f"hosts.{label}": host for label, host in settings.hosts.items()}
    values |= {f"queues.{name}.prefix": queue.prefix for name, queue in settings.queues.items()}
    values["database.name"] = settings.database.name
    for name in settings.caches:
        cluster_mode = settings.caches[settings.cache_behind(name)].cluster_mode
        values[f"caches.{name}.cluster"] = str(cluster_mode).lower()
    if settings.ingress.cors:
        values["cors.allow_origins"] = ",".join(settings.ingress.cors.allow_origins)
    if service.database:
        values |= {f"database.{part}": str(getattr(service.database, part)) for part in _LOGIN}
    return values
