"""`groundwork db failover-drill`: the standby takes over on purpose, and the time without a database is measured."""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from operations import show
from operations.db import instances, reach
from operations.db.aws_reboot import is_pending
from operations.db.instances import Described, declared, wait_available
from operations.exits import FOUND
from operations.metrics import publish
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
from operations.waits import Look, Patience, carried_out

# Without --rto-s. RDS guide, "Failing over a Multi-AZ ...": a cluster is typically back in under 35 s, an instance in
# 60 to 120 s.
RTO_CLUSTER_S, RTO_INSTANCE_S = 60, 120
PROBE_EVERY_S = 0.5
SAME_MACHINE = "The same machine answers again: RDS restarted it, and no standby took over."
PROBE_TIMEOUT_S = 2
# RDS guide, "Amazon RDS event categories": RDS-EVENT-0013 and 0049 of an instance, 0071 to 0073 of a cluster.
STARTED = re.compile(r"failover started|started (same|cross) az failover", re.IGNORECASE)
COMPLETED = re.compile(r"failover completed|completed failover", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """What the address gave: `server` differs after a failover (the writer's address and start); None is no answer."""

    at: float
    server: str | None


@dataclass(frozen=True)
class Outage:
    """`seconds` from the last answer before to the first one after, as a client saw it, or between RDS' events.

    `moved` is False where the same machine answered again: it was restarted, and no standby took over.
    """

    seconds: float
    measured: str
    moved: bool = True


def outage(seen: Sequence[Answer], before: str) -> Outage | None:
    """None until another server than `before` has answered."""
    good = [answer for answer in seen if answer.server is not None]
    first = next((answer for answer in good if answer.server != before), None)
    if first is None:
        return None
    last = max((answer.at for answer in good if answer.at < first.at), default=seen[0].at)
    moved = _address(first.server) != _address(before)
    return Outage(first.at - last, "from here, by a question every half second", moved)


def _address(server: str | None) -> str:
    return (server or "").partition(" ")[0]


def outage_by_events(events: Sequence[dict[str, Any]]) -> Outage | None:
    """None until RDS has told of both ends."""
    began, ended = (
        min((event["Date"] for event in events if end.search(event.get("Message", ""))), default=None)
        for end in (STARTED, COMPLETED)
    )
    if began is None or ended is None:
        return None
    return Outage((ended - began).total_seconds(), "by RDS' events, to a second or so")


class Probe:
    """Asks the database for itself. A connection for each question, as a client makes that was thrown out."""

    def __init__(self, database: reach.Database) -> None:
        self._keywords: dict[str, Any] = {
            **database.keywords(),
            "connect_timeout": str(PROBE_TIMEOUT_S),
            "password": database.login.password,
        }

    def __call__(self) -> str | None:
        """Which server answered as the one that writes; None where none did."""
        import psycopg  # noqa: PLC0415

        sql = "SELECT inet_server_addr()::text || ' ' || pg_postmaster_start_time()::text WHERE NOT pg_is_in_recovery()"
        try:
            with psycopg.connect(**self._keywords, autocommit=True) as connection:
                row = connection.execute(sql).fetchone()
        except psycopg.Error:
            return None
        return row[0] if row else None


def is_reachable(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=PROBE_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def force(rds: Any, database: Described, member: str | None = None) -> None:
    """`member` of a cluster takes over; None: RDS chooses."""
    if database.is_cluster:
        chosen = {"TargetDBInstanceIdentifier": member} if member else {}
        rds.failover_db_cluster(DBClusterIdentifier=database.identifier, **chosen)
    else:
        rds.reboot_db_instance(DBInstanceIdentifier=database.identifier, ForceFailover=True)


def watched(probe: Callable[[], str | None], before: str, patience: Patience) -> Outage:
    """Asks until another server answers. Raises `Failed`."""
    seen: list[Answer] = []

    def look() -> Look[Outage]:
        seen.append(Answer(patience.clock(), probe()))
        state = "no answer" if seen[-1].server is None else "the old one still answers"
        return Look(state, outage(seen, before))

    otherwise = "Look at once: `aws rds describe-events` says what RDS does; docs/runbooks/database.md."
    return patience.until("Failover", look, otherwise=otherwise, every_s=PROBE_EVERY_S)


def told_by_rds(rds: Any, database: Described, since: datetime, patience: Patience) -> Outage:
    """Raises `Failed`."""
    kind = "db-cluster" if database.is_cluster else "db-instance"

    def look() -> Look[Outage]:
        pages = rds.get_paginator("describe_events").paginate(
            SourceIdentifier=database.identifier, SourceType=kind, StartTime=since, EndTime=datetime.now(UTC)
        )
        events = [event for page in pages for event in page["Events"]]
        # An event from before the drill may come with the same second.
        fresh = [event for event in events if event["Date"] >= since]
        last = fresh[-1]["Message"] if fresh else "RDS has told of nothing yet"
        return Look(last, outage_by_events(fresh))

    otherwise = (
        f"`aws rds describe-events --source-identifier {database.identifier} --source-type {kind}` says more."
    )
    return patience.until("Failover", look, otherwise=otherwise, every_s=5)


def zone(database: Described) -> str:
    """Where the writer is: a zone of an instance, a member of a cluster."""
    if database.is_cluster:
        return database.members[0]["DBInstanceIdentifier"]
    return database.said.get("AvailabilityZone", "?")


def problems(database: Described) -> list[str]:
    found = []
    if not database.has_standby:
        found.append(
            f"{database.identifier} has no standby, so nothing would take over. Set database.multi_az in the stack "
            "file."
        )
    if database.status != "available":
        found.append(f"{database.identifier} is {database.status}. Wait until it is available.")
    return found


def touches(database: Described, rto_s: int | None = None, member: str | None = None) -> list[str]:
    """`rto_s` where somebody judges how long it takes."""
    usual_s = RTO_CLUSTER_S if database.is_cluster else RTO_INSTANCE_S
    allowed = f"; {rto_s} s are allowed" if rto_s else ""
    told = [
        f"fail {database} over from {zone(database)} to {member or 'its standby'}: every connection is dropped, for "
        f"some {usual_s} s nobody can write{allowed}"
    ]
    if is_pending(database):
        told.append(
            "bring parameters with it that wait for a restart (`groundwork db reboot-if-pending --dry-run`)"
        )
    return told


def failover_drill(
    rto_s: Annotated[
        int | None,
        typer.Option(
            "--rto-s",
            min=1,
            help=f"Seconds allowed; left out: {RTO_CLUSTER_S} for a cluster, {RTO_INSTANCE_S} for an instance.",
        ),
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
    """Fail the database over to its standby, measure the seconds without it, and compare them with the RTO.

    From where the database can be reached (VPN) it is asked twice a second; from elsewhere RDS' events tell. Publishes
    FailoverSeconds in <system>/<environment>/database. Not in business hours: writes fail meanwhile.

    \b
    Exit code
      0  within the RTO
      1  it took longer, or did not end in time
      2  it could not be begun: there is no standby

    \b
    Examples
      groundwork db failover-drill --stack staging
      groundwork db failover-drill --stack prod --rto-s 60
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        rds = platform.client("rds")
        database = instances.find(platform, rds)
        if found := problems(database):
            raise Refusal("\n".join(found))
        allowed_s = rto_s or (RTO_CLUSTER_S if database.is_cluster else RTO_INSTANCE_S)
        if not confirm(platform, touches(database, allowed_s), as_json=json_output, yes=yes, dry_run=dry_run):
            return
        wanted = reach.Reach(system=system, stack=stack, outputs=outputs, ca=ca)
        measured, after = failed_over(platform, database, wanted, Patience.of(timeout_minutes))
        publish(
            platform, "database", {"FailoverSeconds": measured.seconds}, {"Database": database.identifier}
        )
        well = measured.seconds <= allowed_s
        row = {
            "database": database.identifier,
            "from": zone(database),
            "to": zone(after),
            "outage_s": measured.seconds,
            "allowed_s": allowed_s,
            "within": well,
            "measured": measured.measured,
        }
        show.show([row], as_json=json_output, nothing="")
        if not measured.moved:
            typer.echo(SAME_MACHINE, err=True)
            raise typer.Exit(FOUND)
        if not well:
            raise typer.Exit(FOUND)


def failed_over(
    platform: Platform,
    database: Described,
    wanted: reach.Reach,
    patience: Patience,
    *,
    member: str | None = None,
) -> tuple[Outage, Described]:
    """Begun, measured, and waited for until RDS calls it available. Raises `Failed`."""
    rds = platform.client("rds")
    probe, before = _probe(platform, wanted)
    since = datetime.now(UTC) - timedelta(seconds=1)
    force(rds, database, member)
    measured = (
        watched(probe, before, patience) if probe and before else told_by_rds(rds, database, since, patience)
    )
    otherwise = "The database answers; look at it in the console."
    return measured, wait_available(rds, database.identifier, patience, otherwise=otherwise)


def _probe(platform: Platform, wanted: reach.Reach) -> tuple[Probe | None, str]:
    """What asks the database from here, and who answers now; nobody where it cannot be reached."""
    said = declared(platform)
    if not is_reachable(said["address"], int(said["port"])):
        typer.echo(
            "The database cannot be reached from here, so RDS' events tell how long it took.", err=True
        )
        return None, ""
    probe = Probe(reach.Database(platform, wanted))
    before = probe()
    if before is None:
        typer.echo(
            "The database does not let us in from here, so RDS' events tell how long it took.", err=True
        )
        return None, ""
    return probe, before
