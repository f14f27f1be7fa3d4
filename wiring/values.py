"""What `${...}` in the settings' variables stands for once the stores are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import pulumi

from components import _role_passwords
from components.broker import Broker
from components.bucket import Bucket
from components.cache import Cache
from components.secret import Secret
from settings import references
from settings.model import Settings


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the database answers: `read` is a replica, and the database itself where there is none."""

    write: pulumi.Input[str]
    read: pulumi.Input[str]
    port: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class Values:
    """`plain` may stand in a task definition, `confidential` never; both by the name that a reference gives.

    `placeholders` stand for whatever is confidential in a URL that the bootstrap's task puts together; the passwords
    of roles are in no other.
    """

    plain: Mapping[str, pulumi.Input[str]]
    confidential: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    placeholders: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)

    def text(self, template: str) -> pulumi.Input[str]:
        """A plain variable: its template with every reference replaced."""
        if not references.references(template):
            return template
        return pulumi.Output.concat(*references.resolve(template, self.plain))

    def url(self, template: str) -> pulumi.Output[str]:
        """A secret's URL; what is confidential is percent-encoded, so that no character of it ends the password."""
        encoded = {name: value.apply(_encoded) for name, value in self.confidential.items()}
        parts = references.resolve(template, {**self.plain, **encoded})
        return pulumi.Output.secret(pulumi.Output.concat(*parts))

    def template(self, template: str) -> pulumi.Output[str]:
        """A secret's URL without its secrets: for `_role_passwords.publish`."""
        return pulumi.Output.concat(*references.resolve(template, {**self.plain, **self.placeholders}))


def of_stores(
    settings: Settings,
    *,
    address: Address | None,
    role_secrets: Mapping[str, Secret],
    caches: Mapping[str, Cache],
    cache_tokens: Mapping[str, Secret],
    brokers: Mapping[str, Broker],
    broker_logins: Mapping[str, Secret],
    buckets: Mapping[str, Bucket],
) -> Values:
    """Caches by the names of those that are made; a name that falls back leads to the one that stands in for it."""
    plain: dict[str, pulumi.Input[str]] = dict(references.known_stack_values(settings))
    confidential: dict[str, pulumi.Output[str]] = {}
    placeholders: dict[str, pulumi.Output[str]] = {}
    if address is not None:
        plain["database.address"] = address.write
        plain["database.replica_address"] = address.read
        plain["database.port"] = address.port
    for role, secret in role_secrets.items():
        placeholders[f"{references.PASSWORD_OF_ROLE}{role}"] = _placeholder(_role_passwords.LOGIN, secret)
    for name in settings.caches:
        behind = settings.cache_behind(name)
        plain[f"caches.{name}.endpoint"] = caches[behind].endpoint
        plain[f"caches.{name}.reader_endpoint"] = caches[behind].reader_endpoint
        plain[f"caches.{name}.port"] = str(caches[behind].port)
        confidential[f"caches.{name}.auth_token"] = _known(cache_tokens[behind])
        placeholders[f"caches.{name}.auth_token"] = _placeholder(_role_passwords.VALUE, cache_tokens[behind])
    for name, broker in brokers.items():
        plain[f"brokers.{name}.host"] = broker.host
        plain[f"brokers.{name}.port"] = str(broker.port)
        confidential[f"brokers.{name}.password"] = _known(broker_logins[name])
        placeholders[f"brokers.{name}.password"] = _placeholder(_role_passwords.LOGIN, broker_logins[name])
    for name, bucket in buckets.items():
        plain[f"buckets.{name}.name"] = bucket.name
    return Values(plain=plain, confidential=confidential, placeholders=placeholders)


def _placeholder(kind: str, secret: Secret) -> pulumi.Output[str]:
    return secret.arn.apply(lambda arn: _role_passwords.placeholder(kind, arn))


def _known(secret: Secret) -> pulumi.Output[str]:
    if secret.value is None:
        raise ValueError("this secret is set by the operator: its value is not known here")
    return secret.value


def _encoded(value: str) -> str:
    return quote(value, safe="")
