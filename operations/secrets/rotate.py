"""`groundwork secrets rotate`: a new value, in the store too where it opens one, and new tasks of exactly its readers.

Who knows the value decides the way: an operator's is put; a role's is made by the bootstrap task, which sets it in
PostgreSQL and in whatever URL holds it, and a broker's by the task broker-logins, which sets it in RabbitMQ; what the
program generates is made anew by the engine, which would otherwise bring the old one back, a cache's token in
ElastiCache by the same `pulumi up`; the master user's is RDS'. Which secrets the engine has changed is then seen in
Secrets Manager, so that what is put together from the value counts, too.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from operations import show
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    opened,
)
from operations.secrets import brokers, known, put, roles, users
from operations.secrets.by_task import Way
from operations.secrets.known import Known, Origin, SecretArgument
from operations.services import switch
from operations.services.engine import Engine
from operations.services.fleet import Service
from operations.waits import Failed, Look, Patience, carried_out

ROTATION_POLL_S = 5
BY_TASK = {Origin.role: roles.WAY, Origin.broker: brokers.WAY}


@dataclass(frozen=True)
class Asked:
    """How far a run may go: `agreed` names what it touches, and is False for a dry run."""

    agreed: Callable[[list[str]], bool]
    patience: Patience
    as_json: bool

    def tell(self, sentence: str, secrets: Sequence[Known], services: Sequence[str] = ()) -> None:
        said = {"secrets": [each.name for each in secrets], "services_restarted": list(services)}
        show.tell(sentence, said, as_json=self.as_json)


def rotate(
    name: SecretArgument,
    generate: Annotated[
        bool,
        typer.Option(
            "--generate", help="Of one that the operator fills: a random value, not one from stdin."
        ),
    ] = False,
    length: put.LengthOption = None,
    number: put.BytesOption = None,
    accept_weak: put.AcceptOption = False,
    back: Annotated[
        bool,
        typer.Option(
            "--back",
            help="The value before this one again: of a role's, a broker's, or one the operator fills.",
        ),
    ] = False,
    timeout_minutes: Annotated[
        int, typer.Option(min=1, help="For all that is waited for, beside `pulumi up`.")
    ] = 30,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Give a secret a new value, and replace the tasks of exactly those services that read it, without a gap.

    One that comes from elsewhere is read from standard input or asked for. A role's of the database is made by the task
    `bootstrap`, which sets it in PostgreSQL before it becomes the current one; URLs that hold it follow. A broker's is
    made by the task `broker-logins`, which sets it in RabbitMQ. What the program generates is made anew by `pulumi up`,
    whose plan is shown first; a cache takes the old and the new token until the next rotation. RDS makes the master
    user's anew by itself. --back makes the former value current again, for a role in PostgreSQL and for a broker in
    RabbitMQ, too: the one before the last, so twice is back where it began.

    Between a role's or a broker's new password and the end of the deployment, tasks that run keep their connections but
    open no new ones with the old password: choose a quiet hour, or raise the pool's minimum.

    \b
    Exit code
      0  the new value is there, and the services that read it are steady
      1  something was begun and failed: the sentence says what goes on from there
      2  it was not begun

    \b
    Examples
      groundwork secrets rotate sendgrid-api-key --system fixrx --stack prod
      groundwork secrets rotate jwt-secret --system fixrx --stack prod --dry-run
      groundwork secrets rotate database/rentfix_app --stack prod
      groundwork secrets rotate database/rentfix_app --back --stack prod
      groundwork secrets rotate brokers/events --system nx-monorepo --stack prod
    """
    with carried_out(as_json=as_json):
        platform = opened(system, stack, outputs)
        secret = known.find(platform, name)
        agreed = partial(confirm, platform, as_json=as_json, yes=yes, dry_run=dry_run)
        asked = Asked(agreed, Patience.of(timeout_minutes), as_json=as_json)
        if back:
            if generate or length or number:
                raise Refusal(
                    "--back takes a value that there was: leave out --generate, --length and --bytes."
                )
            _go_back(platform, secret, asked)
        elif secret.origin is Origin.external:
            value = put.made(secret, length, number) if generate else put.given(secret)
            put.refuse_bad(secret, value, accept_weak=accept_weak or generate)
            _rotate_external(platform, secret, value, asked)
        elif generate or length or number:
            raise Refusal(
                f"{name} is made by the program, in a length of its own: leave out --generate, --length and --bytes."
            )
        elif way := BY_TASK.get(secret.origin):
            _rotate_by_task(platform, secret, way, asked)
        elif _is_managed(platform, secret):
            _rotate_managed(platform, secret, asked)
        else:
            _rotate_generated(platform, secret, asked)


def _is_managed(platform: Platform, secret: Known) -> bool:
    """Whether RDS itself makes and rotates it."""
    if secret.origin is not Origin.master:
        return False
    return known.described(platform.client("secretsmanager"), secret).get("OwningService") == "rds"


def _replacement(services: Sequence[Service]) -> list[str]:
    return [f"replace the tasks of {each.name}, without a gap" for each in services]


def _rotate_external(platform: Platform, secret: Known, value: str, asked: Asked) -> None:
    services = users.of(platform, [secret.arn])
    touches = [f"put a new value into {secret.name} ({secret.arn})", *_replacement(services)]
    if not asked.agreed(touches):
        return
    client = platform.client("secretsmanager")
    # A run that was stopped after this goes on from here: the same value is no new version.
    if known.value(client, secret) != value:
        put.write(client, secret, value)
    _replace_tasks(platform, [secret], services, asked, way_back=_way_back(platform, secret))


def _way_back(platform: Platform, secret: Known) -> str:
    command = f"groundwork secrets rotate {secret.name} --back --stack {platform.stack}"
    return f" `{command}` makes the former value current again."


def _rotate_by_task(platform: Platform, secret: Known, way: Way, asked: Asked) -> None:
    services, touches = _touched_by_task(platform, secret, way)
    made = f"run the task {way.task}: a new password of {secret.name}, set in {way.store}, then made current"
    if not asked.agreed([made, *touches]):
        return
    way.renew(platform, secret, asked.patience, tell=partial(typer.echo, err=asked.as_json))
    _replace_tasks(platform, [secret], services, asked, way_back=_way_back(platform, secret))


def _touched_by_task(platform: Platform, secret: Known, way: Way) -> tuple[list[Service], list[str]]:
    """The services that read such a password, and what is done beside setting it."""
    arns = way.holders(platform, secret)
    services = users.of(platform, arns)
    urls = [each.name for each in known.every(platform) if each.arn in arns[1:]]
    return services, [
        *(f"put {name} together anew, which holds it" for name in urls),
        *_replacement(services),
    ]


def _go_back(platform: Platform, secret: Known, asked: Asked) -> None:
    way = BY_TASK.get(secret.origin)
    if way is None and secret.origin is not Origin.external:
        raise Refusal(
            "Only what an operator fills, a role of the database and a broker go back to a value that there was. "
            f"{secret.name} is {secret.origin.value}: rotate it anew."
        )
    client = platform.client("secretsmanager")
    now, former = known.current(client, secret), known.current(client, secret, "AWSPREVIOUS")
    if now is None or former is None:
        raise Refusal(f"{secret.name} has no former value: it was filled once at most.")
    made = (
        f"make the value of {former.made:%Y-%m-%d %H:%M} current again in {secret.name} ({secret.arn}), in place of "
        f"that of {now.made:%Y-%m-%d %H:%M}"
    )
    if way:
        services, touches = _touched_by_task(platform, secret, way)
        touches = [f"run the task {way.task}, which sets it in {way.store} first", *touches]
    else:
        services = users.of(platform, [secret.arn])
        touches = _replacement(services)
    if not asked.agreed([made, *touches]):
        return
    if way:
        tell = partial(typer.echo, err=asked.as_json)
        way.renew(platform, secret, asked.patience, tell=tell, version=former.id)
    else:
        client.update_secret_version_stage(
            SecretId=secret.arn,
            VersionStage="AWSCURRENT",
            MoveToVersionId=former.id,
            RemoveFromVersionId=now.id,
        )
    _replace_tasks(platform, [secret], services, asked)


def _rotate_managed(platform: Platform, secret: Known, asked: Asked) -> None:
    services = users.of(platform, [secret.arn])
    touches = [f"have RDS make a new password of the master user ({secret.arn})", *_replacement(services)]
    if not asked.agreed(touches):
        return
    client = platform.client("secretsmanager")
    before = known.current(client, secret)
    client.rotate_secret(SecretId=secret.arn)

    def look() -> Look[bool]:
        now = known.current(client, secret)
        is_new = now is not None and (before is None or now.id != before.id)
        return Look("the old password is still the current one", True if is_new else None)

    asked.patience.until(
        "Rotation by RDS",
        look,
        otherwise=f"RDS goes on with it: `aws secretsmanager describe-secret --secret-id {secret.arn}`.",
        every_s=ROTATION_POLL_S,
    )
    _replace_tasks(platform, [secret], services, asked)


def arguments(secret: Known) -> list[str]:
    """For `pulumi preview` and `up`: the random value anew, and what depends on it; nothing else moves."""
    urn = f"**$random:index/random*:Random*::{secret.resource}"
    return ["--target", urn, "--replace", urn, "--target-dependents"]


def _rotate_generated(platform: Platform, secret: Known, asked: Asked) -> None:
    if secret.origin is Origin.composed:
        raise Refusal(
            f"{secret.name} is put together from other secrets. Rotate these (`groundwork secrets check` lists them): "
            "it follows, and so do the services that read it."
        )
    engine, client = Engine.of(platform), platform.client("secretsmanager")
    before = _versions(client, platform)
    with tempfile.TemporaryDirectory(prefix="groundwork-") as folder:
        plan = Path(folder) / "plan.json"
        engine.preview(plan, *arguments(secret))
        touches = [
            f"apply exactly the plan above, with a new value of {secret.name}",
            "replace the tasks of the services that read what has changed, without a gap",
        ]
        if not asked.agreed(touches):
            return
        engine.up(plan, *arguments(secret))
    changed = [
        each for each in known.every(platform) if _versions(client, platform, each) != before[each.arn]
    ]
    if not changed:
        raise Failed(
            f"`pulumi up` went well, and no secret has a new value: is {secret.resource} what the program calls "
            f"{secret.name}? Nothing else was done."
        )
    typer.echo(f"New values: {', '.join(each.name for each in changed)}.", err=True)
    services = users.of(platform, [each.arn for each in changed])
    _replace_tasks(platform, changed, services, asked)


def _versions(client: Any, platform: Platform, one: Known | None = None) -> Any:
    """The current version's id of one secret, or of all by ARN; None where it holds nothing."""
    if one is None:
        return {each.arn: _versions(client, platform, each) for each in known.every(platform)}
    version = known.current(client, one)
    return version.id if version else None


def _replace_tasks(
    platform: Platform,
    secrets: Sequence[Known],
    services: Sequence[Service],
    asked: Asked,
    *,
    way_back: str = "",
) -> None:
    if namespace := users.on_kubernetes(platform):
        asked.tell(users.how_pods_read_it(namespace), secrets)
        return
    if not services:
        asked.tell("Done. No service that runs reads it.", secrets)
        return
    names = [each.name for each in services]
    again = f"`groundwork service restart {' '.join(names)} --stack {platform.stack}` goes on from there"
    try:
        switch.redeploy(platform, list(services), asked.patience)
    except Failed as failed:
        raise Failed(
            f"{failed}\nThe new value is in place; the old tasks run on with the old one. Mend what they died of: "
            f"{again}.{way_back}"
        ) from None
    except KeyboardInterrupt:
        typer.echo(f"The new value is in place. {again}.{way_back}", err=True)
        raise
    asked.tell(f"Done. {', '.join(names)} run with the new value.", secrets, names)
