"""`groundwork network diagnose 503`: why the load balancer answers with an error, from it down to the stores."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from operations import show
from operations.exits import FOUND
from operations.network import ends
from operations.network.case import FIRST, Case
from operations.network.check import MARKS
from operations.network.live import Network
from operations.network.walk import walk
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
)
from operations.services import fleet


def diagnose(
    status: Annotated[int, typer.Argument(help="502, 503 or 504: what people get.")],
    service: Annotated[
        str | None,
        typer.Option("--service", help="Only this one. Left out: every service that the balancer serves."),
    ] = None,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Why the load balancer answers with 502, 503 or 504, and what to do next.

    Walks from the balancer to the data: its state, the listener's rule, each target's health and reason, the health
    check, tasks that run and why tasks died, who gave the answers, whether balancer, tasks and stores reach each other,
    the last lines of error. It only reads. The last line of a service is the likeliest cause and what to type.

    \b
    Exit code
      0  nothing was found
      1  a cause was
      2  there is no such service, the stack has no load balancer of its own, or AWS could not be asked

    \b
    Examples
      groundwork network diagnose 503 --stack prod
      groundwork network diagnose 504 --service core-matching --stack prod --json | jq '.[].likeliest'
    """
    with explained():
        if status not in FIRST:
            raise Refusal(
                f"{status} is none of {', '.join(map(str, FIRST))}: those are what a load balancer answers."
            )
        platform = opened(system, stack, outputs)
        network = Network(platform)
        chosen = _chosen(platform, service)
        with show.waiting(f"Asking AWS about {', '.join(each.name for each in chosen)}"):
            cases = [walk(network, each, status) for each in chosen]
    if json_output:
        typer.echo(show.as_text([_as_json(case) for case in cases]))
    else:
        typer.echo(str(platform))
        for case in cases:
            _print(case, platform)
    raise typer.Exit(FOUND if any(case.likeliest for case in cases) else 0)


def _chosen(platform: Platform, service: str | None) -> Sequence[fleet.Service]:
    """Raises Refusal where ECS does not run it, and where no balancer of the stack's stands before it."""
    name = ends.end(platform, service).name if service else None
    public = [each for each in platform.outputs["healthUrls"] if each in platform.outputs["services"]]
    found = fleet.choose(platform, [name] if name else public or None)
    if not platform.outputs["loadBalancer"]["arn"]:
        raise Refusal(f"{platform} has no load balancer of its own, so none answers for it.")
    if not name and not public:
        raise Refusal(f"No service of {platform} is behind the load balancer.")
    return found


def _as_json(case: Case) -> dict[str, Any]:
    likeliest = case.likeliest
    return {
        "service": case.service,
        "status": case.status,
        "steps": [each.row() for each in case.links],
        "causes": [{"why": each.why.value, "said": each.said, "next": each.next} for each in case.causes],
        "likeliest": {"said": likeliest.said, "next": likeliest.next} if likeliest else None,
    }


def _print(case: Case, platform: Platform) -> None:
    typer.echo(f"\n{case.service}, {case.status}")
    for each in case.links:
        typer.echo(f"  {MARKS[each.is_well]:4}{each.step}: {show.printable(each.said)}")
    likeliest = case.likeliest
    if likeliest is None:
        typer.echo(
            f"Nothing found. If it goes on: `groundwork probe --outputs outputs.json`, `groundwork logs {case.service} "
            f"--since 15m --stack {platform.stack}`, docs/runbooks/load-balancer.md."
        )
        return
    typer.echo(f"Likeliest: {show.printable(likeliest.said)}\nNext: {show.printable(likeliest.next)}")
