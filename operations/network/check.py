"""`groundwork network check`: why one thing of the stack does not reach another."""

from collections.abc import Sequence
from typing import Annotated

import typer

from operations import show
from operations.exits import FOUND
from operations.network import analyzer, chain, ends
from operations.network.link import Link
from operations.network.live import Network
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    StackOption,
    SystemOption,
    YesOption,
    opened,
)
from operations.waits import carried_out

MARKS = {True: "ok", False: "NOT", None: "?"}


def check(
    source: Annotated[
        str,
        typer.Option(
            "--from", help="A service, its host's label (api), or another security group (operations)."
        ),
    ],
    target: Annotated[
        str,
        typer.Option(
            "--to",
            help="database, a cache or broker by its name, a service, s3, internet; :PORT where it matters.",
        ),
    ],
    analyze: Annotated[
        bool,
        typer.Option(
            "--analyze",
            help=f"Also ask AWS' Reachability Analyzer, which costs {analyzer.PRICE_USD:.2f} USD each time.",
        ),
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """What a connection needs, one after the other, and the first thing that breaks it.

    Declared; the rule out of one security group and the rule into the other; names; subnets and their routes; network
    ACLs there and back; the store is up and bears its group; its login holds a value (nobody reads it); the tasks stand
    where the rules are meant for. It only reads, and sends no packet. --analyze makes a path and an analysis in the
    account, asks first (--yes), and removes both.

    \b
    Exit code
      0  nothing is in the way
      1  something is: the last line
      2  the stack has no such name, or AWS could not be asked

    \b
    Examples
      groundwork network check --from api --to database --stack prod
      groundwork network check --from worker-ai --to queue:6379 --stack prod
      groundwork network check --from core-matching --to db:5432 --analyze --stack prod
    """
    with carried_out(as_json=json_output):
        network = Network(opened(system, stack, outputs))
        name, port = ends.split(target)
        hops = ends.hops(network, ends.end(network.platform, source), ends.end(network.platform, name), port)
        with show.waiting(f"Asking AWS about {' and '.join(map(str, hops))}"):
            links = list(chain.of(network, hops))
        if not json_output:
            typer.echo(f"{network.platform}: {'; '.join(map(str, hops))}")
            _print(links)
        if analyze:
            asked = analyzer.ask(network, hops, yes=yes, dry_run=dry_run)
            links += asked
            if not json_output:
                _print(asked)
    _end(network, links, hops, json_output=json_output)


def _print(links: Sequence[Link]) -> None:
    for each in links:
        typer.echo(f"  {MARKS[each.is_well]:4}{each.step}: {show.printable(each.said)}")


def _end(network: Network, links: Sequence[Link], hops: Sequence[ends.Hop], *, json_output: bool) -> None:
    broken = first_broken(links)
    if json_output:
        told = {
            "stack": str(network.platform),
            "hops": [str(each) for each in hops],
            "links": [each.row() for each in links],
            "breaks_at": broken.step if broken else None,
        }
        typer.echo(show.as_text(told))
    elif broken:
        typer.echo(
            f"\nIt breaks at {broken.step}: {show.printable(broken.said)} {show.printable(broken.remedy)}"
        )
    else:
        unknown = [each.step for each in links if each.is_well is None]
        rest = f" Not known: {', '.join(unknown)}." if unknown else ""
        typer.echo(
            f"\nNothing of the network is in the way of {hops[0].source.name} -> {hops[-1].target.name}.{rest} If it "
            f"still fails, look at what it says: `groundwork logs {_logged(network, hops)}--errors --stack "
            f"{network.platform.stack}`."
        )
    raise typer.Exit(FOUND if broken else 0)


def _logged(network: Network, hops: Sequence[ends.Hop]) -> str:
    name = hops[0].source.name
    return f"{name} " if name in network.platform.outputs["services"] else ""


def first_broken(links: Sequence[Link]) -> Link | None:
    return next((each for each in links if each.is_well is False), None)
