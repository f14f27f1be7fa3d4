"""`groundwork perf`: does a stack answer quickly enough while a few users ask at once?"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from operations.exits import FOUND, NOT_RUN, refuse
from operations.perf import headers, targets, verdict
from operations.perf.plan import Plan
from operations.perf.running import LINE_S, Figures, measured
from operations.perf.verdict import Thresholds
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
from operations.services.logs import age
from operations.show import as_text, show
from operations.waits import carried_out


def perf(
    addresses: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="URL",
            help="Asked in turn with GET; of the named stack, or this machine's own. Left out: its health paths.",
        ),
    ] = None,
    vus: Annotated[int, typer.Option(help="Users that ask at once, up to 200.")] = 10,
    duration: Annotated[str, typer.Option(help="30s, 5m; up to 10m.")] = "30s",
    requests_per_s: Annotated[
        float, typer.Option(help="Of all users together no more than this, up to 200.")
    ] = 50,
    think_s: Annotated[float, typer.Option(help="So long a user waits before it asks again.")] = 0,
    p95_ms: Annotated[
        float, typer.Option(min=1, help="95 of 100 good answers must come in less than this.")
    ] = 500,
    error_rate_percent: Annotated[
        float, typer.Option(min=0.001, max=100, help="A smaller share of the requests may fail.")
    ] = 1,
    header: Annotated[
        list[str] | None, typer.Option(metavar="NAME:VALUE", help="Sent along; none that is a secret.")
    ] = None,
    header_env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:VARIABLE", help="Sent along, its value from an environment variable."),
    ] = None,
    header_secret: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:SECRET", help="Sent along, its value from a secret of the stack."),
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="PEM of the authority to trust, instead of this machine's.")
    ] = None,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Have a few users ask a stack for a while, and hold what they saw against two thresholds.

    A smoke under load and no stress test: users, time and rate are bounded. A redirect to another host is not followed,
    and counts as failed, as does any answer from 400 on and one that takes 10 s. Ctrl-C shows the figures so far.

    \b
    Exit code
      0  every address kept both thresholds
      1  one did not, or the load was broken off since all went wrong
      2  it could not be asked, or was interrupted

    \b
    Examples
      groundwork perf --stack staging
      groundwork perf --vus 50 --duration 5m --p95-ms 500 --error-rate-percent 1 --stack staging
      groundwork perf https://api.rentfix.com/health --requests-per-s 1.5 --stack prod
      groundwork perf http://localhost:3000/health --vus 20 --json
      groundwork perf --header-env Authorization:AUTHORIZATION --stack staging
    """
    with carried_out(as_json=as_json):
        given = list(addresses or [])
        targets.check_form(given)
        platform = _platform(given, header_secret or [], system, stack, outputs)
        asked = targets.chosen(platform, given) if platform else given
        sent = {**headers.plain(header or []), **headers.from_environment(header_env or [])}
        if platform and header_secret:
            sent |= headers.from_secrets(platform, header_secret)
        _refuse_open_secrets(asked, with_secrets=bool(header_env or header_secret))
        if ca_file and not ca_file.is_file():
            raise Refusal(f"There is no file {ca_file}.")
        plan = Plan(
            addresses=list(dict.fromkeys(asked)),
            users=vus,
            duration_s=age(duration).total_seconds(),
            requests_per_s=requests_per_s,
            think_s=think_s,
            ca_file=str(ca_file.resolve()) if ca_file else None,
            headers=sent,
        )
        plan.check()
        if not _agreed(platform, plan, as_json=as_json, yes=yes, dry_run=dry_run):
            return
        figures = measured(plan, line_s=1 if sys.stderr.isatty() else LINE_S)
    _tell(figures, Thresholds(p95_ms, error_rate_percent), as_json=as_json)


def _platform(
    addresses: list[str], secrets: list[str], system: str, stack: str, outputs: Path | None
) -> Platform | None:
    """None where only this machine is asked, so that no stack need stand."""
    if addresses and all(map(targets.is_local, addresses)) and stack == LOCAL and not outputs and not secrets:
        return None
    platform = opened(system, stack, outputs)
    if platform.is_production and stack == LOCAL:
        raise Refusal(
            "These outputs are production's: name its stack with --stack, if that is what is meant."
        )
    return platform


def _refuse_open_secrets(addresses: list[str], *, with_secrets: bool) -> None:
    bare = [each for each in addresses if each.startswith("http://") and not targets.is_local(each)]
    if with_secrets and bare:
        raise Refusal(
            f"{', '.join(bare)}: without TLS everybody on the way would read the headers. Use https://."
        )


def _agreed(platform: Platform | None, plan: Plan, *, as_json: bool, yes: bool, dry_run: bool) -> bool:
    """Nobody is asked about this machine's own servers."""
    far = [each for each in plan.addresses if not targets.is_local(each)]
    how = f"{plan.users} users, {plan.most_per_s:g} a second at most, {plan.duration_s:g} s"
    what = f"send at most {plan.most_requests:,} requests to {', '.join(plan.addresses)} ({how})"
    if platform is None or not far:
        return confirm("This machine", [what], as_json=as_json, yes=True, dry_run=dry_run)
    meeting = targets.firewall(plan, targets.rate_limit(platform.outputs))
    touches = [what, *([meeting] if meeting else [])]
    return confirm(platform, touches, as_json=as_json, yes=yes, dry_run=dry_run)


def _tell(figures: Figures, thresholds: Thresholds, *, as_json: bool) -> None:
    if not figures.requests:
        refuse("It was interrupted before the first answer, so there are no figures.")
    missed = verdict.missed(figures, thresholds)
    if as_json:
        typer.echo(as_text(verdict.document(figures, thresholds, missed)))
    else:
        show(verdict.rows(figures), as_json=False, nothing="")
    if figures.is_machine_busy:
        typer.echo("This machine had no processor time left: the times are partly its own.", err=True)
    for sentence in missed:
        typer.echo(sentence, err=True)
    if any("HTTP 429" in each["failures"] for each in figures.addresses.values()):
        typer.echo(
            "429 is the limit for one address, of the web firewall or of the product: --requests-per-s sends fewer.",
            err=True,
        )
    if figures.ended == "interrupted":
        typer.echo(f"Interrupted after {figures.took_s:.0f} s: figures, and no verdict.", err=True)
        raise typer.Exit(NOT_RUN)
    if figures.ended == "broken off":
        typer.echo("Broken off: too many requests in a row have failed to go on.", err=True)
    if missed or figures.ended == "broken off":
        raise typer.Exit(FOUND)
    typer.echo(
        f"Every address kept p95 below {thresholds.p95_ms:g} ms and failures below "
        f"{thresholds.error_rate_percent:g} %.",
        err=True,
    )
