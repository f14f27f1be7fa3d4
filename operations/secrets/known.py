"""The secrets of a stack by its outputs: whose value it is, which rules it is under, and which services read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
import yaml

from operations.platform import ROOT, Platform, Refusal
from operations.policy import stacks
from operations.secrets import strength

SecretArgument = Annotated[
    str,
    typer.Argument(
        help="By its name in the system file; or `database/ROLE`, `database/master`, `caches/NAME`, `brokers/NAME`."
    ),
]


class Origin(StrEnum):
    """Who chooses the value."""

    external = "external"  # somebody outside; the operator puts it in
    generated = "generated"  # the program, kept in its encrypted state
    composed = "composed"  # the program, out of other secrets
    role = "role"  # the task `bootstrap`, which sets it in the database, too
    cache = "cache"  # the program; ElastiCache learns it by `pulumi up`
    broker = "broker"  # the program, for the broker to be made with; then the task `broker-logins`, which sets it there
    master = "master"  # RDS, or the program where there are read replicas


ROLE_PASSWORD = "${database.passwords."  # begins a reference to one in a secret's `url`
CHOSEN_ELSEWHERE = (Origin.external, Origin.composed)


@dataclass(frozen=True, kw_only=True)
class Known:
    """`resource` is the logical name that the program gives it; `least` its least length in characters.

    `holds_role_password`: it is put together, and a part of it is the password of a role of the database.
    """

    name: str
    arn: str
    origin: Origin
    resource: str
    least: int = strength.SHORTEST
    holds_role_password: bool = False

    @property
    def is_made_by_bootstrap(self) -> bool:
        """By the stack's task `bootstrap`, and never by Pulumi."""
        return self.origin is Origin.role or self.holds_role_password

    @property
    def filler(self) -> str:
        """The command that gives it its first value."""
        if self.is_made_by_bootstrap:
            return "groundwork db bootstrap"
        return f"groundwork secrets put {self.name}" if self.origin is Origin.external else "pulumi up"

    def problems(self, value: str) -> list[str]:
        """What is wrong with a value, without the value. What is put together is judged by its parts."""
        if self.origin is Origin.composed:
            return [] if value else ["is empty"]
        # Of what a third party chose only a password's make is anybody's business here.
        has_classes = self.origin not in CHOSEN_ELSEWHERE or "password" in self.name
        return list(strength.problems(self.name, value, least=self.least, has_classes=has_classes))


def every(platform: Platform) -> list[Known]:
    """All secrets that the outputs name, those of the system file first."""
    said = platform.outputs
    declared = _declared(platform)
    found = [
        _of_the_system(name, arn, declared.get(name) or {}, is_external=arn in said["secretsToFill"])
        for name, arn in said["secrets"].items()
    ]
    if database := said.get("database"):
        if database["masterSecretArn"]:
            found.append(
                Known(
                    name="database/master",
                    arn=database["masterSecretArn"],
                    origin=Origin.master,
                    resource="database-master",
                )
            )
        found += [
            Known(
                name=f"database/{role}",
                arn=arn,
                origin=Origin.role,
                resource=f"database-role-{role.replace('_', '-')}",
            )
            for role, arn in database["roleSecretArns"].items()
        ]
    found += [
        Known(
            name=f"caches/{name}",
            arn=each["tokenSecretArn"],
            origin=Origin.cache,
            resource=f"cache-{name}-token",
        )
        for name, each in said["caches"].items()
    ]
    found += [
        Known(
            name=f"brokers/{name}",
            arn=each["loginSecretArn"],
            origin=Origin.broker,
            resource=f"broker-{name}-login",
        )
        for name, each in said["brokers"].items()
    ]
    return found


def _declared(platform: Platform) -> Mapping[str, Any]:
    """The system file's block, for what the outputs do not say; empty where this checkout has no such system."""
    path = ROOT / "systems" / platform.system / "system.yaml"
    if not path.is_file():
        return {}
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content.get("secrets") or {}


def _of_the_system(name: str, arn: str, declared: Mapping[str, Any], *, is_external: bool) -> Known:
    origin = Origin.composed if declared.get("url") else Origin.generated
    least = declared.get("minimum_length") or strength.SHORTEST
    return Known(
        name=name,
        arn=arn,
        origin=Origin.external if is_external else origin,
        resource=f"secret-{name}",
        least=least,
        holds_role_password=ROLE_PASSWORD in (declared.get("url") or ""),
    )


def find(platform: Platform, name: str) -> Known:
    """Raises Refusal for one that is not there."""
    found = {each.name: each for each in every(platform)}
    if name not in found:
        raise Refusal(stacks.unknown("secret", name, list(found), of=f" of {platform.system}"))
    return found[name]


def described(client: Any, secret: Known) -> Mapping[str, Any]:
    return client.describe_secret(SecretId=secret.arn)


@dataclass(frozen=True)
class Version:
    """What whoever asks now gets, or did before. The secret's own LastChangedDate moves with its tags, too."""

    id: str
    made: datetime


def current(client: Any, secret: Known, stage: str = "AWSCURRENT") -> Version | None:
    """None where it holds nothing of that stage. Reads no value."""
    # Those with a stage only, of which a secret has 20 at most: one page (Secrets Manager guide, "Quotas").
    for version in client.list_secret_version_ids(SecretId=secret.arn, MaxResults=100)["Versions"]:
        if stage in version.get("VersionStages", []):
            return Version(version["VersionId"], version["CreatedDate"])
    return None


def value(client: Any, secret: Known) -> str | None:
    """What it holds; None where nobody has put anything in."""
    try:
        answer = client.get_secret_value(SecretId=secret.arn)
    except client.exceptions.ResourceNotFoundException:
        return None
    return answer.get("SecretString") or answer.get("SecretBinary", b"").decode("utf-8", "replace")
