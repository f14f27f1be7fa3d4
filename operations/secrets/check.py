"""`groundwork secrets check | age`: is every secret filled, fit, young enough, and no other stack's."""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from operations.exits import FOUND
from operations.platform import (
    LOCAL,
    SYSTEM,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    explained,
    opened,
    said,
)
from operations.secrets import known, strength
from operations.secrets.known import Known
from operations.show import show

DEFAULT_MAX_AGE_DAYS = 90


@dataclass(frozen=True)
class Seen:
    """What was found. `changed` is None where it holds nothing.

    `mark` stands for the value when it is compared: a keyed hash that no other run can make.
    """

    secret: Known
    problems: Sequence[str]
    changed: datetime | None = None
    mark: bytes | None = field(default=None, repr=False)

    def age_days(self, now: datetime) -> int | None:
        # AWS's clock may be ahead of this machine's.
        return max(0, (now - self.changed).days) if self.changed else None


def look(client: Any, secret: Known, key: bytes) -> Seen:
    """Reads the value and forgets it. One that AWS does not let us read has that as its problem."""
    try:
        if known.described(client, secret).get("DeletedDate"):
            return Seen(secret, ["is being deleted: `aws secretsmanager restore-secret` keeps it"])
        version = known.current(client, secret)
        value = known.value(client, secret) if version else None
    except ClientError as error:
        return Seen(secret, [f"cannot be read: {said(error)}"])
    if version is None or value is None:
        return Seen(secret, [f"holds nothing yet: {_remedy(secret)}"])
    mark = hmac.digest(key, strength.password_of(value).encode(), "sha256")
    return Seen(secret, secret.problems(value), version.made, mark)


def _remedy(secret: Known) -> str:
    verb = {"pulumi up": " fills it", "groundwork db bootstrap": " makes it"}.get(secret.filler, "")
    return f"`{secret.filler}`{verb}"


def shared(seen: Sequence[Seen], others: Sequence[Seen], other: str) -> dict[str, list[str]]:
    """Problems by secret: the same value twice in the stack, or in another stack."""
    found: dict[str, list[str]] = {}
    for each in seen:
        if each.mark is None:
            continue
        twins = [one.secret.name for one in seen if one is not each and one.mark == each.mark]
        if twins:
            found.setdefault(each.secret.name, []).append(f"has the same value as {', '.join(twins)}")
        abroad = [one.secret.name for one in others if one.mark == each.mark]
        if abroad:
            found.setdefault(each.secret.name, []).append(
                f"has the same value as {', '.join(abroad)} of {other}: whoever has the one has both"
            )
    return found


def all_of(platform: Platform, key: bytes) -> list[Seen]:
    client = platform.client("secretsmanager")
    return [look(client, each, key) for each in known.every(platform)]


def row(seen: Seen, problems: Sequence[str], now: datetime) -> dict[str, Any]:
    return {
        "secret": seen.secret.name,
        "origin": seen.secret.origin.value,
        "filled": seen.changed is not None,
        "changed": seen.changed,
        "age_days": seen.age_days(now),
        "problems": list(problems),
    }


def check(
    max_age_days: Annotated[
        int | None, typer.Option(min=1, help="Older ones are a problem. Left out: age is only shown.")
    ] = None,
    other: Annotated[
        str | None, typer.Option("--with", help="Another stack, which must have other values.")
    ] = None,
    other_outputs: Annotated[
        Path | None, typer.Option("--with-outputs", help="Its outputs, instead of asking Pulumi.")
    ] = None,
    as_json: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Whether every secret of the stack is filled, fit and no placeholder; no value is shown.

    At least 16 characters (those that sign tokens: 64), or the least that the system file says; passwords have upper
    and lower case and digits. Values are compared as keyed hashes in memory. It needs leave to read the secrets.

    \b
    Exit code
      0  nothing is wrong
      1  something is
      2  it could not be asked

    \b
    Examples
      groundwork secrets check --stack prod
      groundwork secrets check --stack prod --with staging --max-age-days 90
    """
    with explained():
        if other == stack:
            raise Refusal(f"--with names another stack than {stack}, which is the one that is checked.")
        platform, key, now = opened(system, stack, outputs), secrets.token_bytes(32), datetime.now(UTC)
        seen = all_of(platform, key)
        abroad = all_of(opened(system, other, other_outputs), key) if other else []
    twins = shared(seen, abroad, other or "")
    rows = [
        row(each, [*each.problems, *_too_old(each, now, max_age_days), *twins.get(each.secret.name, [])], now)
        for each in seen
    ]
    show(rows, as_json=as_json, nothing="The stack has no secrets.")
    raise typer.Exit(FOUND if any(each["problems"] for each in rows) else 0)


def _too_old(seen: Seen, now: datetime, max_age_days: int | None) -> list[str]:
    days = seen.age_days(now)
    if max_age_days is None or days is None or days <= max_age_days:
        return []
    return [f"is {days} days old, more than {max_age_days}: `groundwork secrets rotate {seen.secret.name}`"]


def age(
    max_age_days: Annotated[
        int, typer.Option(min=1, help="Older ones are a problem.")
    ] = DEFAULT_MAX_AGE_DAYS,
    as_json: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """How old each secret is, by when its value was last changed. It reads no value.

    \b
    Exit code
      0  none is too old
      1  one is
      2  it could not be asked

    \b
    Example
      groundwork secrets age --stack prod --max-age-days 180
    """
    with explained():
        platform, now = opened(system, stack, outputs), datetime.now(UTC)
        client = platform.client("secretsmanager")
        seen = []
        for each in known.every(platform):
            version = known.current(client, each)
            seen.append(Seen(each, [], version.made if version else None))
    rows = [row(each, _too_old(each, now, max_age_days), now) for each in seen]
    show(rows, as_json=as_json, nothing="The stack has no secrets.")
    raise typer.Exit(FOUND if any(each["problems"] for each in rows) else 0)
