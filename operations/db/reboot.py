"""`groundwork db reboot`: PostgreSQL is restarted, whether a parameter waits for it or not."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from operations import show
from operations.db import instances
from operations.db.aws_reboot import (
    PENDING,
    RESTARTING,
    Restart,
    check_failover,
    is_pending,
    problems,
    restart,
    wait_restarted,
)
from operations.db.instances import Described
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

# As `instances.everything` has it: what stands first is the primary or the cluster.
Everything = Sequence[tuple[str, Described]]


def chosen(everything: Everything, wanted: str | None) -> Described:
    """The primary or the cluster, or the one of its replicas or members. Raises Refusal for one that is not there."""
    (_, database), *others = everything
    if wanted is None:
        return database
    found = {each.identifier: each for _, each in others}
    if wanted not in found:
        kind = "member" if database.is_cluster else "replica"
        raise Refusal(unknown(kind, wanted, list(found), of=f" of {database.identifier}"))
    return found[wanted]


def waiting_groups(database: Described, each: Described) -> list[str]:
    """The parameter groups of which something waits for a restart of `each`, which is `database` or a part of it."""
    if not database.is_cluster:
        return [
            group["DBParameterGroupName"]
            for group in each.said.get("DBParameterGroups", [])
            if group["ParameterApplyStatus"] == PENDING
        ]
    waits = any(
        member["DBClusterParameterGroupStatus"] == PENDING
        for member in database.members
        if each is database or member["DBInstanceIdentifier"] == each.identifier
    )
    return [database.parameter_group] if waits else []


def static_parameters(rds: Any, group: str, *, of_cluster: bool) -> list[str]:
    """Those that somebody has set and that only a restart brings; which of them wait, RDS does not say."""
    operation, named = (
        ("describe_db_cluster_parameters", "DBClusterParameterGroupName")
        if of_cluster
        else ("describe_db_parameters", "DBParameterGroupName")
    )
    pages = rds.get_paginator(operation).paginate(**{named: group, "Source": "user"})
    return sorted(
        each["ParameterName"]
        for page in pages
        for each in page["Parameters"]
        if each.get("ApplyType") == "static"
    )


def touches(rds: Any, everything: Everything, each: Restart) -> Iterator[str]:
    (_, database), *others = everything
    if each.database.status == RESTARTING:
        yield f"wait for {each.database}, which RDS restarts already, and restart nothing"
        return
    yield str(each)
    for group in waiting_groups(database, each.database):
        names = static_parameters(rds, group, of_cluster=database.is_cluster)
        among = f", of {', '.join(names)}" if names else ""
        yield f"bring what waits for a restart in the parameter group {group}{among}"
    behind = [other.identifier for kind, other in others if kind == "replica" and is_pending(other)]
    if behind and each.database is database and is_pending(database):
        yield (
            f"leave {', '.join(behind)} waiting for a restart: a replica falls behind or stops where its primary "
            "has a higher figure (`groundwork db reboot-if-pending` restarts replicas first)"
        )


def reboot(
    replica: Annotated[
        str | None,
        typer.Option(
            metavar="IDENTIFIER",
            help="This read replica, or this member of a cluster; left out: the primary, or the whole cluster.",
        ),
    ] = None,
    failover: Annotated[
        bool,
        typer.Option("--failover", help="The primary: let its standby take over (Multi-AZ instances only)."),
    ] = False,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="Until it must be over.")] = 30,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Restart PostgreSQL now, and wait until RDS calls it available: the primary, one replica, or a cluster.

    Every connection is dropped, what was not committed is lost, and clients connect anew. Where the server hangs and
    has a standby, `groundwork db failover` is quicker. Interrupted, the same command waits for the restart that it had
    begun. For parameters alone, on all that wait for them: `groundwork db reboot-if-pending`.

    \b
    Exit code
      0  it has been restarted, and what waited for that is in use
      1  it did not come back in time
      2  it was not begun: it is not there, or not available

    \b
    Examples
      groundwork db reboot --stack prod --dry-run
      groundwork db reboot --replica rentfix-replica-1 --stack prod
    """
    with carried_out(as_json=json_output):
        if replica is not None and failover:
            raise Refusal("--failover is the primary's, and --replica names another. Leave one of them out.")
        platform = opened(system, stack, outputs)
        rds = platform.client("rds")
        everything = instances.everything(platform, rds)
        if failover:
            check_failover(everything[0][1])
        wanted = Restart(chosen(everything, replica), failover)
        is_begun = wanted.database.status == RESTARTING
        if not is_begun and (found := list(problems([wanted]))):
            raise Refusal("\n".join(found))
        told = list(touches(rds, everything, wanted))
        # To wait changes nothing.
        if not confirm(platform, told, as_json=json_output, yes=yes or is_begun, dry_run=dry_run):
            return
        patience = Patience.of(timeout_minutes)
        if is_begun:
            wait_restarted(rds, wanted.database, patience)
        else:
            restart(rds, wanted, patience)
        row = {
            "restarted": wanted.database.identifier,
            # Of one that was begun before, nobody knows it any more.
            "failover": None if is_begun else wanted.failover,
        }
        show.show([row], as_json=json_output, nothing="")
