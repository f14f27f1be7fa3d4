"""`groundwork network audit`: what stands in the VPC, held against what the stack declares."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from operations import show
from operations.exits import FOUND, NOT_RUN
from operations.network import exposure, outside, paths, rules
from operations.network.findings import Found
from operations.network.live import Network
from operations.platform import (
    LOCAL,
    SYSTEM,
    JsonOption,
    OutputsOption,
    Refusal,
    StackOption,
    SystemOption,
    explained,
    opened,
    said,
)

PARTS: Mapping[str, Callable[[Network, Found], None]] = {
    "security groups": rules.look,
    "public addresses": exposure.interfaces,
    "data stores": exposure.stores,
    "load balancers": exposure.balancers,
    "routes": paths.routes,
    "network ACLs": paths.acls,
    "flow logs": paths.flow_logs,
}


def audit(
    from_outside: Annotated[
        bool,
        typer.Option(
            "--from-outside",
            help=f"Also connect from here to {len(outside.PORTS)} known ports of the load balancer's addresses.",
        ),
    ] = False,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """What stands in the VPC, held against what the stack declares: who may talk to whom, and what is public.

    Rules that nobody declared or that are missing, anything open to the world but the load balancer's ports, groups
    that the stack does not know, public addresses and data stores, routes out of private subnets, network ACLs, flow
    logs. It only reads, and says how each finding goes away.

    \b
    Exit code
      0  all is as declared
      1  something is not
      2  AWS could not be asked, or not everything

    \b
    Examples
      groundwork network audit --stack prod
      groundwork network audit --from-outside --stack prod --json | jq '.findings[].said'
    """
    with explained():
        network = Network(opened(system, stack, outputs))
        with show.waiting(f"Asking AWS for the network of {network.platform}"):
            found, problems = look(network)
            if from_outside:
                try:
                    outside.look(network, found)
                except Refusal as refusal:
                    problems.append(f"from outside: {refusal}")
    if json_output:
        _as_json(network, found, problems)
    else:
        _print(network, found, problems)
    if found.findings:
        raise typer.Exit(FOUND)
    raise typer.Exit(NOT_RUN if problems else 0)


def look(network: Network) -> tuple[Found, list[str]]:
    """What was found, and what could not be looked at. What AWS refuses of one part does not keep the others."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 so that `--help` stays quick

    found, problems = Found(), []
    for name, part in PARTS.items():
        try:
            part(network, found)
        except ClientError as error:
            problems.append(f"{name}: {said(error)}")
    return found, problems


def _as_json(network: Network, found: Found, problems: list[str]) -> None:
    told: dict[str, Any] = {
        "stack": str(network.platform),
        "vpc": network.vpc,
        "seen": found.seen,
        "notes": found.notes,
        "problems": problems,
        "findings": [each.row() for each in found.sorted()],
    }
    typer.echo(show.as_text(told))


def _print(network: Network, found: Found, problems: list[str]) -> None:
    typer.echo(f"{network.platform}, {network.vpc}")
    for each in found.seen:
        typer.echo(f"  {each}")
    kind = None
    for each in found.sorted():
        if each.kind != kind:
            typer.echo(f"\n{each.kind.value[0].upper()}{each.kind.value[1:]}")
        kind = each.kind
        typer.echo(f"  {show.printable(each.said)}\n    {show.printable(each.remedy)}")
    for title, lines in (("Notes", found.notes), ("Not looked at", problems)):
        if lines:
            typer.echo(f"\n{title}")
            for line in lines:
                typer.echo(f"  {show.printable(line)}")
    if not problems and not found.findings:
        typer.echo("\nAll is as declared.")
