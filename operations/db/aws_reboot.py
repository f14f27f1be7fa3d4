"""`groundwork db reboot-if-pending`: parameters that only a restart brings, brought."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from operations import show
from operations.db import instances
from operations.db.instances import Described, get
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
from operations.waits import Look, Patience, carried_out

PENDING = "pending-reboot"
RESTARTING = "rebooting"
# A restart may be over between two looks: one that nobody saw away is believed after so long.
UNSEEN_S = 60


@dataclass(frozen=True)
class Restart:
    """One that waits for a restart. `failover` lets its standby take over instead of waiting for it to come back."""

    database: Described
    failover: bool = False

    def __str__(self) -> str:
        if self.failover:
            return f"restart {self.database} by a failover to its standby: a minute or two without it"
        return f"restart {self.database}: a minute or more without it, and every connection is dropped"


def is_pending(database: Described) -> bool:
    if database.is_cluster:
        return any(member["DBClusterParameterGroupStatus"] == PENDING for member in database.members)
    return any(
        group["ParameterApplyStatus"] == PENDING for group in database.said.get("DBParameterGroups", [])
    )


def restarts(
    database: Described, replicas: Sequence[Described], *, failover: bool, primary_first: bool
) -> list[Restart]:
    """In their order. A replica refuses to start with less than its primary has: where figures rise it goes first."""
    waiting = [
        Restart(each, failover and each is database)
        for each in ([database, *replicas] if primary_first else [*replicas, database])
        if is_pending(each)
    ]
    if failover and (database.is_cluster or any(each.failover for each in waiting)):
        check_failover(database)
    return waiting


def check_failover(database: Described) -> None:
    """Raises Refusal where a restart lets nobody take over."""
    if database.is_cluster:
        raise Refusal(
            "A cluster is restarted as a whole. Leave --failover out; `groundwork db failover` lets another member "
            "take over."
        )
    if not database.said.get("MultiAZ"):
        raise Refusal(f"{database.identifier} has no standby to fail over to. Leave --failover out.")


def problems(waiting: Sequence[Restart]) -> Iterator[str]:
    for each in waiting:
        if each.database.status != "available":
            yield f"{each.database.identifier} is {each.database.status}, and RDS restarts only what is available."


def restart(rds: Any, each: Restart, patience: Patience) -> None:
    """Until it is there again with its new parameters. Raises `Failed`."""
    name = each.database.identifier
    if each.database.is_cluster:
        rds.reboot_db_cluster(DBClusterIdentifier=name)
    else:
        rds.reboot_db_instance(DBInstanceIdentifier=name, ForceFailover=each.failover)
    wait_restarted(rds, each.database, patience)


def wait_restarted(rds: Any, database: Described, patience: Patience) -> None:
    """`database` is what it was before. Raises `Failed`."""
    name, began_s = database.identifier, patience.clock()
    otherwise = (
        f"RDS goes on with it. `aws rds describe-events --source-identifier {name}` says what it does."
    )
    # Parameters that wait no more are proof, as is that it was away.
    is_proved = is_pending(database) or database.status == RESTARTING

    def look() -> Look[Described]:
        nonlocal is_proved
        seen = get(rds, name)
        if seen is None or seen.status != "available":
            is_proved = True
            return Look(seen.status if seen else "not there")
        if is_pending(seen):
            return Look("its parameters still wait")
        is_over = is_proved or patience.clock() - began_s >= UNSEEN_S
        return Look("not seen away yet", seen if is_over else None)

    patience.until(f"Restart of {name}", look, otherwise=otherwise)


def reboot_if_pending(
    failover: Annotated[
        bool,
        typer.Option("--failover", help="The primary: let its standby take over (Multi-AZ instances only)."),
    ] = False,
    primary_first: Annotated[
        bool,
        typer.Option(
            help="Where max_connections or its like were lowered; left out: replicas first, as for raised ones."
        ),
    ] = False,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="For all of them together.")] = 30,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Restart what waits for a restart to take new static parameters (max_connections, shared_buffers ...), and wait.

    One after the other: the replicas, then the primary. Where nothing waits, nothing happens.

    \b
    Exit code
      0  nothing waits for a restart any more
      1  one did not come back in time
      2  it could not be begun

    \b
    Examples
      groundwork db reboot-if-pending --stack prod --dry-run
      groundwork db reboot-if-pending --stack prod --failover
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        rds = platform.client("rds")
        database = instances.find(platform, rds)
        waiting = restarts(
            database, instances.replicas(rds, database), failover=failover, primary_first=primary_first
        )
        if found := list(problems(waiting)):
            raise Refusal("\n".join(found))
        if waiting and not confirm(
            platform, [str(each) for each in waiting], as_json=json_output, yes=yes, dry_run=dry_run
        ):
            return
        patience = Patience.of(timeout_minutes)
        for each in waiting:
            restart(rds, each, patience)
        done = [{"restarted": each.database.identifier, "failover": each.failover} for each in waiting]
        show.show(done, as_json=json_output, nothing="No parameter waits for a restart.")
