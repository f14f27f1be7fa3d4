"""`groundwork secrets put | generate`: a value out of standard input, a hidden prompt or chance."""

import hmac
import sys
from typing import Annotated, Any

import typer

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
    explained,
    opened,
)
from operations.secrets import known, strength, users
from operations.secrets.known import Known, Origin, SecretArgument
from operations.show import as_text

MOST_BYTES = 65_536  # Secrets Manager API, PutSecretValue
DEFAULT_LENGTH = 64
AcceptOption = Annotated[
    bool,
    typer.Option(
        "--accept-weak", help="Put it although it is short or simple. Placeholders are refused all the same."
    ),
]
LengthOption = Annotated[
    int | None,
    typer.Option(min=strength.SHORTEST, help=f"Characters. Left out, as --bytes: {DEFAULT_LENGTH}."),
]
BytesOption = Annotated[
    int | None,
    typer.Option("--bytes", min=strength.SHORTEST, help="So many random bytes, as base64 on one line."),
]


def put(
    name: SecretArgument,
    accept_weak: AcceptOption = False,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Put a value that comes from elsewhere into its secret: from standard input, or asked for without being shown.

    One line break at the end of standard input is no part of it. Tasks that run keep the old value: `groundwork
    secrets rotate` puts it and replaces them. What the program generates is not put, but rotated.

    \b
    Exit code
      0  it is there, or was already
      2  the value or the name was refused, or nothing could be asked

    \b
    Examples
      groundwork secrets put twilio-auth-token --system fixrx --stack prod        asks for it
      pass show twilio/token | groundwork secrets put twilio-auth-token --system fixrx --stack prod --yes
    """
    with explained():
        platform = opened(system, stack, outputs)
        secret = to_fill(platform, name)
        value = given(secret)
        refuse_bad(secret, value, accept_weak=accept_weak)
        _put(platform, secret, value, as_json=as_json, yes=yes, dry_run=dry_run)


def generate(
    name: SecretArgument,
    length: LengthOption = None,
    number: BytesOption = None,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Put a strong random value into a secret that is the operator's to fill, without anybody seeing it.

    \b
    Exit code
      0  it is there
      2  it was not begun

    \b
    Examples
      groundwork secrets generate partner-key --length 48 --stack prod
      groundwork secrets generate signing-key --bytes 64 --stack prod        88 characters of base64
    """
    with explained():
        platform = opened(system, stack, outputs)
        secret = to_fill(platform, name)
        value = made(secret, length, number)
        _put(platform, secret, value, as_json=as_json, yes=yes, dry_run=dry_run)


def _put(platform: Platform, secret: Known, value: str, *, as_json: bool, yes: bool, dry_run: bool) -> None:
    """Puts it, asking before a value is replaced, and says who reads it."""
    client = platform.client("secretsmanager")
    now = known.value(client, secret)
    is_there = now is not None and hmac.compare_digest(now.encode(), value.encode())
    if is_there:
        typer.echo(f"{secret.name} has this value already.", err=True)
        running = []
    else:
        what = "put the first value into" if now is None else "replace the value of"
        touches = [f"{what} {secret.name} ({secret.arn})"]
        # What replaces nothing needs nobody's leave.
        if not confirm(platform, touches, as_json=as_json, yes=yes or now is None, dry_run=dry_run):
            return
        write(client, secret, value)
        running = [each.name for each in users.of(platform, [secret.arn])]
        typer.echo(_after(platform, secret, running), err=as_json)
    if as_json:
        typer.echo(
            as_text(
                {
                    "secret": secret.name,
                    "arn": secret.arn,
                    "put": not is_there,
                    "services_to_restart": running,
                }
            )
        )


def _after(platform: Platform, secret: Known, running: list[str]) -> str:
    if namespace := users.on_kubernetes(platform):
        return f"{secret.name} is put. {users.how_pods_read_it(namespace)}"
    if not running:
        return f"{secret.name} is put. No service that runs reads it."
    names = " ".join(running)
    return (
        f"{secret.name} is put. {', '.join(running)} will read it when new tasks start: `groundwork service restart "
        f"{names} --stack {platform.stack}` starts them."
    )


def to_fill(platform: Platform, name: str) -> Known:
    """The secret, if its value is an operator's to choose. Raises Refusal where somebody else does."""
    secret = known.find(platform, name)
    if secret.origin is not Origin.external:
        whose = {
            Origin.composed: "is put together by the program from other secrets: rotate these",
            Origin.role: f"is made by the task bootstrap: `groundwork secrets rotate {name}` makes a new one",
            Origin.broker: f"must be the one that RabbitMQ has: `groundwork secrets rotate {name}` makes a new one",
        }
        rotated = "is made by the program, and the next `pulumi up` knows nothing of another"
        raise Refusal(
            f"{name} {whose.get(secret.origin, f'{rotated}: `groundwork secrets rotate {name}` makes a new one')}."
        )
    return secret


def given(secret: Known) -> str:
    """From standard input, or from a person who types it twice. Raises Refusal for nothing, and for too much."""
    if sys.stdin.isatty():
        value = typer.prompt(f"Value of {secret.name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = _without_last_break(_decoded(sys.stdin.buffer.read(MOST_BYTES + 2)))
    if len(value.encode()) > MOST_BYTES:
        raise Refusal(f"The value is larger than the {MOST_BYTES} bytes that Secrets Manager takes.")
    if not value:
        raise Refusal(f"Nothing came by standard input. `... | groundwork secrets put {secret.name}`.")
    return value


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Refusal(
            "The value is no text (UTF-8). Put it in as base64, if its readers expect that."
        ) from None


def _without_last_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def refuse_bad(secret: Known, value: str, *, accept_weak: bool) -> None:
    """Raises Refusal with all that is wrong."""
    problems = secret.problems(value)
    if not problems or (accept_weak and value.strip() and not strength.is_placeholder(value)):
        return
    hint = "" if accept_weak else " --accept-weak puts a short or simple one all the same."
    raise Refusal(f"The value was not put. {secret.name} {'; '.join(problems)}.{hint}")


def made(secret: Known, length: int | None, number: int | None) -> str:
    """Raises Refusal for two measures of one value, and where it would be too short for this secret."""
    if length and number:
        raise Refusal("--length and --bytes are two measures of one value. Keep one.")
    value = strength.from_bytes(number) if number else strength.password(length or DEFAULT_LENGTH)
    # Chance may leave out a class of characters in base64: that makes it no weaker.
    least = max(secret.least, strength.JWT_SHORTEST if strength.is_jwt(secret.name) else 0)
    if len(value) < least:
        raise Refusal(f"{secret.name} needs at least {least} characters; that would be {len(value)}.")
    return value


def write(client: Any, secret: Known, value: str) -> None:
    client.put_secret_value(SecretId=secret.arn, SecretString=value)
