"""`groundwork db failover`: the way out of a primary that hangs, or of a zone that is about to be lost."""

from typing import Annotated

import typer

from operations import show
from operations.db import instances, reach
from operations.db.aws_failover import (
    SAME_MACHINE,
    failed_over,
    problems,
    touches,
    zone,
)
from operations.db.instances import Described
from operations.exits import FOUND
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    opened,
)
from operations.policy.stacks import unknown
from operations.waits import Patience, carried_out


def member_of(database: Described, wanted: str | None) -> str | None:
    """Raises Refusal for one that cannot take over."""
    if wanted is None:
        return None
    if not database.is_cluster:
        raise Refusal(f"{database.identifier} has one standby, and nobody chooses another. Leave --to out.")
    readers = [each["DBInstanceIdentifier"] for each in database.members if not each["IsClusterWriter"]]
    if wanted not in readers:
        raise Refusal(unknown("reader", wanted, readers, of=f" of {database.identifier}"))
    return wanted


def failover(
    to: Annotated[
        str | None, typer.Option(help="A cluster: this member takes over. Left out: RDS chooses.")
    ] = None,
    ca: Annotated[
        str | None, typer.Option(help="PEM file of RDS' authorities: then the server's name is checked.")
    ] = None,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="Until it must be over.")] = 15,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Fail the database over to its standby now: a Multi-AZ instance by a reboot, a Multi-AZ DB cluster to a reader.

    In an emergency. Every connection is dropped; how long nobody could write is measured as `db failover-drill` does,
    and not judged. Before it is begun again after an interruption, `groundwork db status` says whether it is over.

    \b
    Exit code
      0  the standby has taken over
      1  it was begun and did not end in time, or the same machine came back
      2  it was not begun: there is no standby

    \b
    Examples
      groundwork db failover --stack prod --dry-run
      groundwork db failover --stack prod
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        database = instances.find(platform, platform.client("rds"))
        if found := problems(database):
            raise Refusal("\n".join(found))
        member = member_of(database, to)
        if not confirm(
            platform, touches(database, member=member), as_json=json_output, yes=yes, dry_run=dry_run
        ):
            return
        wanted = reach.Reach(system=system, stack=stack, outputs=outputs, ca=ca)
        measured, after = failed_over(platform, database, wanted, Patience.of(timeout_minutes), member=member)
        row = {
            "database": database.identifier,
            "from": zone(database),
            "to": zone(after),
            "outage_s": measured.seconds,
            "measured": measured.measured,
        }
        show.show([row], as_json=json_output, nothing="")
        if not measured.moved:
            typer.echo(SAME_MACHINE, err=True)
            raise typer.Exit(FOUND)
