"""`groundwork db status`: the database as RDS sees it, without a way into its network."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from operations import show
from operations.db import instances
from operations.db.aws_reboot import is_pending
from operations.db.instances import Described
from operations.exits import FOUND
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
from operations.show import Row

# RDS takes the new authority at a restart; a month is time to choose one.
AUTHORITY_DAYS = 30
FREE_PERCENT = 10
LAG_S = 60
METRIC_MINUTES = 10
GIB = 1024**3


def measured(platform: Platform, metric: str, statistic: str, identifiers: list[str]) -> dict[str, float]:
    """The newest value by identifier, as CloudWatch has it; one that tells nothing is left out."""
    if not identifiers:
        return {}
    now = datetime.now(UTC)
    queries = [
        {
            "Id": f"each{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/RDS",
                    "MetricName": metric,
                    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": name}],
                },
                "Period": 60,
                "Stat": statistic,
            },
        }
        for number, name in enumerate(identifiers)
    ]
    answer = platform.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=now - timedelta(minutes=METRIC_MINUTES), EndTime=now
    )
    values = {each["Id"]: each["Values"] for each in answer["MetricDataResults"]}
    return {
        name: values[f"each{number}"][0]
        for number, name in enumerate(identifiers)
        if values.get(f"each{number}")
    }


def row(kind: str, each: Described, lag_s: float | None, free: float | None) -> Row:
    said = each.said
    certificate = said.get("CertificateDetails") or {}
    size = said.get("AllocatedStorage")
    return {
        "database": each.identifier,
        "is": kind,
        "state": each.status,
        "version": each.version,
        "class": said.get("DBClusterInstanceClass" if each.is_cluster else "DBInstanceClass", ""),
        "zone": said.get("AvailabilityZone", ""),
        "standby zone": said.get("SecondaryAvailabilityZone", ""),
        "storage_bytes": size * GIB if size else None,
        "free_bytes": free,
        "lag_s": lag_s,
        "pending": each.pending_changes,
        "authority": certificate.get("CAIdentifier") or said.get("CACertificateIdentifier", ""),
        "certificate until": certificate.get("ValidTill"),
    }


def needs(each: Described, told: Row, now: datetime) -> Iterator[str]:
    """What somebody should do, as sentences."""
    name = each.identifier
    if each.status != "available":
        yield f"{name} is {each.status}. docs/runbooks/database.md."
    if is_pending(each):
        yield f"{name} waits for a restart to take parameters. `groundwork db reboot-if-pending`."
    if told["pending"]:
        yield f"{name} has changes that wait for its window. `groundwork maintenance apply-now` brings them."
    if told["lag_s"] is not None and told["lag_s"] > LAG_S:
        yield f"{name} is {show.duration(told['lag_s'])} behind. `groundwork db activity --replica`."
    size, free = told["storage_bytes"], told["free_bytes"]
    if size and free is not None and free < size * FREE_PERCENT / 100:
        left = f"{name} has {show.size(free)} left of {show.size(size)}"
        yield f"{left}. More by database.allocated_storage_gib in the stack file."
    until = told["certificate until"]
    if until and until - now < timedelta(days=AUTHORITY_DAYS):
        yield (
            f"The certificate of {name} ends on {until:%Y-%m-%d}. `aws rds modify-db-instance "
            "--ca-certificate-identifier` chooses a newer authority; `aws rds describe-certificates` lists them."
        )


def last_backup(rds: Any, database: Described) -> Row:
    """RDS' own: the second to which it can go back, and the newest snapshot; None where there is none."""
    from operations.backup import copies  # noqa: PLC0415 it imports this package itself

    try:
        newest = copies.newest_snapshot(rds, database).taken
    except Refusal:
        newest = None
    return {"restorable to": database.said.get("LatestRestorableTime"), "newest snapshot": newest}


def status(
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """The database as RDS sees it: state, version, zones, storage, lag, changes that wait, backups, certificate.

    It asks RDS and CloudWatch only, so no tunnel is needed. `groundwork db ping` asks the database itself.

    \b
    Exit code
      0  nothing wants anybody
      1  something does: the last lines say what
      2  it could not be asked

    \b
    Examples
      groundwork db status --stack prod
      groundwork db status --stack prod --json
    """
    with explained():
        platform, now = opened(system, stack, outputs), datetime.now(UTC)
        rds = platform.client("rds")
        found = instances.everything(platform, rds)
        names = [each.identifier for kind, each in found if kind != "cluster"]
        behind = [each.identifier for kind, each in found if kind in ("replica", "reader")]
        lags = measured(platform, "ReplicaLag", "Maximum", behind)
        free = measured(platform, "FreeStorageSpace", "Minimum", names)
        rows = [row(kind, each, lags.get(each.identifier), free.get(each.identifier)) for kind, each in found]
        wanted = [
            sentence
            for (_, each), told in zip(found, rows, strict=True)
            for sentence in needs(each, told, now)
        ]
        backup = last_backup(rds, found[0][1])
    if json_output:
        typer.echo(show.as_text({"members": rows, "backup": backup, "needs": wanted}))
    else:
        show.show(rows, as_json=False, nothing="")
        typer.echo("; ".join(f"{name}: {show.cell(name, when) or 'none'}" for name, when in backup.items()))
        for sentence in wanted:
            typer.echo(f"  {sentence}")
    raise typer.Exit(FOUND if wanted else 0)
