"""`groundwork verify`: what the products' guides ask after a deployment, one line for each service and check."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from operations import show
from operations.exits import FOUND, NOT_RUN
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
from operations.policy.stacks import unknown
from operations.verify import answering, crossing, limits, names, running, signing, transport, watching
from operations.verify.asking import LOG_MINUTES, Asking
from operations.verify.expected import expected
from operations.verify.seen import Check, Seen, State, unasked
from operations.verify.ways import ways
from operations.verify.web import Unreachable, Web

CHECKS: Mapping[str, Check] = {
    "dns": names.dns,
    "tls": transport.tls,
    "redirect": crossing.redirect,
    "health": answering.health,
    "readiness": answering.readiness,
    "targets": running.targets,
    "env": running.env,
    "logs": watching.logs,
    "auth": signing.auth,
    "headers": crossing.headers,
    "cors": crossing.cors,
    "metrics": answering.metrics,
    "body-limit": limits.body_limit,
    "capacity": watching.capacity,
    "rate-limit": limits.rate_limit,
}
# It blocks whoever asks for a while.
ONLY_BY_NAME = "rate-limit"
# sports-nutrition guide L437-507; checks that it does not have stand with what they are like.
PHASES: Mapping[int, Sequence[str]] = {
    1: ("dns", "tls", "redirect", "health", "readiness", "targets", "env", "logs"),
    2: ("auth", "headers", "cors", "metrics", "body-limit"),
    4: ("capacity", "logs"),
}
LOAD_PHASE = 3

ConnectToOption = Annotated[
    list[str] | None,
    typer.Option(
        "--connect-to",
        help="Where connections go while DNS does not lead there: HOST:PORT for HTTPS, or curl's "
        "HOST1:PORT1:HOST2:PORT2. Names and certificates stay those of the stack.",
    ),
]
CaFileOption = Annotated[
    Path | None, typer.Option("--ca-file", help="PEM certificates to trust, instead of the machine's.")
]


def verify(
    checks: Annotated[
        list[str] | None, typer.Argument(help=f"{', '.join(CHECKS)}. None: all but {ONLY_BY_NAME}.")
    ] = None,
    phase: Annotated[
        int | None,
        typer.Option(min=1, max=4, help="1 at once, 2 functions, 3 load (`perf`), 4 monitoring."),
    ] = None,
    connect_to: ConnectToOption = None,
    ca_file: CaFileOption = None,
    log_minutes: Annotated[
        int, typer.Option(min=1, max=1440, help="How far back errors in the logs count.")
    ] = LOG_MINUTES,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Ask a stack, from outside and of AWS, what a guide asks after a deployment. What is expected is its outputs'.

    It changes nothing. rate-limit is only asked by name: it sends one request more than is declared, and the address
    that asks is refused for a window. A line begins with `well`, FOUND, `?` (could not be asked) or `-` (not declared).

    \b
    Exit code
      0  all is well, or not declared
      1  something was found
      2  nothing was found, and something could not be asked

    \b
    Examples
      groundwork verify --stack prod
      groundwork verify tls headers --stack prod --json
      groundwork verify --phase 1 --stack prod --connect-to ::balancer.example.com:
    """
    with explained():
        wanted = _wanted(checks or [], phase)
        platform = opened(system, stack, outputs)
        _run(_asking(platform, connect_to, ca_file, log_minutes), wanted, as_json=json_output)


def health(
    connect_to: ConnectToOption = None,
    ca_file: CaFileOption = None,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Do the public services answer, and what do they say of their database and cache: milliseconds with each.

    `groundwork db ping` and `groundwork redis ping` ask the stores themselves, from inside.

    \b
    Exit code
      0  all is well
      1  one is not
      2  one could not be asked

    \b
    Example
      groundwork health --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        _run(
            _asking(platform, connect_to, ca_file, LOG_MINUTES), ("health", "readiness"), as_json=json_output
        )


def targets(
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Every target behind the load balancer, as its health checks see it.

    \b
    Exit code
      0  all are healthy
      1  one is not, or a service has none
      2  AWS could not be asked, or the stack has no load balancer of its own

    \b
    Example
      groundwork targets --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        if not platform.outputs["loadBalancer"]["arn"]:
            raise Refusal(
                f"The outputs of {platform} name no load balancer: `kubectl get ingress` says which one its "
                "controller has made."
            )
        seen = running.rows(platform)
        show.show(seen, as_json=json_output, nothing="The load balancer has no target group.")
    raise typer.Exit(FOUND if any(row["state"] != running.HEALTHY for row in seen) else 0)


def _wanted(checks: Sequence[str], phase: int | None) -> Sequence[str]:
    for name in checks:
        if name not in CHECKS:
            raise Refusal(unknown("check", name, sorted(CHECKS)))
    if checks and phase is not None:
        raise Refusal("Name checks or say --phase, not both.")
    if phase == LOAD_PHASE:
        raise Refusal("Phase 3 is the load test: `groundwork perf` runs it.")
    if phase is not None:
        return PHASES[phase]
    # What blocks the asker comes last, wherever it was named.
    chosen = checks or [name for name in CHECKS if name != ONLY_BY_NAME]
    return [name for name in CHECKS if name in chosen]


def _asking(
    platform: Platform, connect_to: Sequence[str] | None, ca_file: Path | None, log_minutes: int
) -> Asking:
    web = Web(ways(connect_to or []), ca_file)
    # Refused now, and not by each check.
    _ = web.trust
    return Asking(platform, expected(platform.outputs), web, log_minutes)


def _run(asking: Asking, wanted: Sequence[str], *, as_json: bool) -> None:
    rows = []
    for name in wanted:
        with show.waiting(f"Asking {asking.platform}: {name}"):
            seen = list(_looked(name, asking))
        rows += [(name, each) for each in seen]
        if not as_json:
            for each in seen:
                typer.echo(each.as_line(name))
    asking.web.close()
    if as_json:
        typer.echo(show.as_text([each.as_row(name) for name, each in rows]))
    states = {each.state for _, each in rows}
    raise typer.Exit(FOUND if State.FOUND in states else NOT_RUN if State.UNASKED in states else 0)


def _looked(name: str, asking: Asking) -> Iterator[Seen]:
    """What the check has seen; what stops it is one more line, and stops no other."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 so that `--help` stays quick

    try:
        yield from CHECKS[name](asking)
    except ClientError as error:
        yield unasked(str(asking.platform), said(error))
    except (BotoCoreError, Refusal, Unreachable) as error:
        yield unasked(str(asking.platform), str(error))
