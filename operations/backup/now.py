"""`groundwork backup now`: a backup before something that may go wrong: an RDS snapshot, the vault, a dump."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import typer

from operations import show, tasks
from operations.backup import copies
from operations.db import aws_dumps, instances
from operations.db.aws_dumps import STAMP
from operations.db.aws_snapshots import snapshot
from operations.db.instances import MADE_BY, OF, Described
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
from operations.redis import snapshot as cache_snapshots
from operations.waits import Failed, Look, Patience, carried_out

MAKER = "backup-now"
KEEP_UNTIL = "groundwork:keep-until"
DUMP = "dump"
ENDED = ("COMPLETED", "ABORTED", "FAILED", "EXPIRED", "PARTIAL")


class Kind(StrEnum):
    snapshot = "snapshot"
    vault = "vault"
    dump = DUMP
    caches = "caches"


OF_RDS = {Kind.snapshot, Kind.vault}


def into_vault(
    backup: Any, vault: str, database: Described, keep_days: int, tags: dict[str, str], patience: Patience
) -> str:
    """A job of AWS Backup; the ARN of its recovery point. Raises `Failed` with AWS Backup's reason."""
    job = backup.start_backup_job(
        BackupVaultName=vault,
        ResourceArn=database.arn,
        IamRoleArn=copies.role(backup, vault),
        Lifecycle={"DeleteAfterDays": keep_days},
        RecoveryPointTags=tags,
        IdempotencyToken=f"{MAKER}-{datetime.now(UTC):{STAMP}}",
        StartWindowMinutes=60,
        CompleteWindowMinutes=max(120, int(patience.left_s // 60)),
    )["BackupJobId"]

    def look() -> Look[str]:
        said = backup.describe_backup_job(BackupJobId=job)
        if said["State"] in ENDED and said["State"] != "COMPLETED":
            why = said.get("StatusMessage") or "AWS Backup gives no reason"
            raise Failed(f"The backup job {job} ended as {said['State']}: {why}.")
        state = f"{said['State'].lower()} {said.get('PercentDone', '')}".strip()
        return Look(state, said["RecoveryPointArn"] if said["State"] == "COMPLETED" else None)

    return patience.until(
        f"backup job {job}",
        look,
        otherwise="AWS Backup goes on with it: run `groundwork backup status` later.",
    )


def kept_days(backup: Any, vault: str, asked: int) -> int:
    """As long as was asked, within what the vault's lock allows."""
    said = backup.describe_backup_vault(BackupVaultName=vault)
    least, most = said.get("MinRetentionDays") or 1, said.get("MaxRetentionDays") or asked
    return min(max(asked, least), max(most, least))


def expired(rds: Any, database: Described, today: date) -> list[str]:
    """Snapshots of this command that nobody needs any more, by the day on their tag."""
    pages = rds.get_paginator(
        "describe_db_cluster_snapshots" if database.is_cluster else "describe_db_snapshots"
    )
    key = "DBClusterSnapshot" if database.is_cluster else "DBSnapshot"
    source = {"DBClusterIdentifier" if database.is_cluster else "DBInstanceIdentifier": database.identifier}
    found = []
    for page in pages.paginate(**source, SnapshotType="manual"):
        for each in page[f"{key}s"]:
            tags = {tag["Key"]: tag["Value"] for tag in each.get("TagList", [])}
            until = tags.get(KEEP_UNTIL, "")
            # ISO dates sort as text does.
            if (
                tags.get(MADE_BY) == MAKER
                and tags.get(OF) == database.identifier
                and until < today.isoformat()
            ):
                found.append(each[f"{key}Identifier"])
    return sorted(found)


def remove(rds: Any, database: Described, name: str) -> None:
    if database.is_cluster:
        rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=name)
    else:
        rds.delete_db_snapshot(DBSnapshotIdentifier=name)
    typer.echo(f"Removed the snapshot {name}, which was to be kept no longer.", err=True)


def old_of_caches(platform: Platform, today: date) -> list[str]:
    """Snapshots of this command that nobody needs any more, by the day on their tag; all caches'."""
    client, found = platform.client("elasticache"), []
    for said in platform.outputs["caches"].values():
        group = said["replicationGroupId"]
        pages = client.get_paginator("describe_snapshots").paginate(
            ReplicationGroupId=group, SnapshotSource="manual"
        )
        own = [each for page in pages for each in page["Snapshots"]]
        for each in own:
            if not each["SnapshotName"].startswith(f"{group}-now-"):
                continue  # a question for each is only worth it for those that can be ours
            answer = client.list_tags_for_resource(ResourceName=each["ARN"])["TagList"]
            tags = {tag["Key"]: tag.get("Value", "") for tag in answer}
            is_ours = tags.get(MADE_BY) == MAKER and tags.get(OF) == group
            if is_ours and tags.get(KEEP_UNTIL, "9999") < today.isoformat():
                found.append(each["SnapshotName"])
    return sorted(found)


def of_caches(platform: Platform, began: datetime, keep_until: str, patience: Patience) -> str:
    """A snapshot of each; their names. Raises `Failed`."""
    client, made = platform.client("elasticache"), []
    for said in platform.outputs["caches"].values():
        group = said["replicationGroupId"]
        tags = {MADE_BY: MAKER, OF: group, KEEP_UNTIL: keep_until}
        name = cache_snapshots.checked(cache_snapshots.name_of(group, "now", began))
        made.append(cache_snapshots.taken(client, group, name, tags, patience))
    return ", ".join(made)


def touches(
    platform: Platform,
    database: Described | None,
    kinds: Sequence[Kind],
    keep_days: int,
    vault_days: int,
    old: list[str],
) -> Iterator[str]:
    if Kind.snapshot in kinds:
        yield f"take an RDS snapshot of {database}, kept for {keep_days} days"
    if Kind.vault in kinds:
        vault = platform.outputs["backups"]["vault"]
        locked = "" if vault_days == keep_days else " (the vault's lock wants it so)"
        yield f"put a backup of it into the vault {vault}, kept for {vault_days} days{locked}"
    if Kind.dump in kinds:
        yield f"run the task {DUMP}: a dump into s3://{platform.outputs['backups']['bucket']}"
    if Kind.caches in kinds:
        for said in platform.outputs["caches"].values():
            yield f"take a snapshot of the cache {said['replicationGroupId']}, kept for {keep_days} days"
    for name in old:
        yield f"remove the snapshot {name}, which was to be kept no longer"


def now(
    kind: Annotated[
        list[Kind] | None,
        typer.Option(
            help="Only this one; may be repeated. Left out: a snapshot, and the vault if there is one."
        ),
    ] = None,
    keep_days: Annotated[
        int, typer.Option(min=1, max=36_500, help="How long the snapshot and the vault's backup are kept.")
    ] = 35,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="For all of it together.")] = 120,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Back up now, and wait until that is done: before a migration, or before somebody goes in by hand.

    The database, and with --kind caches every cache of the stack.

    One after the other, since RDS takes one snapshot at a time. Removes snapshots of this command that have reached
    their day; those of anybody else stay.

    \b
    Exit code
      0  every backup is complete
      1  one failed or was not done in time
      2  it could not be begun

    \b
    Examples
      groundwork backup now --stack prod
      groundwork backup now --stack prod --kind snapshot --kind dump --yes
      groundwork backup now --stack prod --kind caches --keep-days 7
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        rds = platform.client("rds")
        vault = platform.outputs["backups"]["vault"]
        kinds = kind or [Kind.snapshot, *([Kind.vault] if vault else [])]
        if reason := _problem(platform, kinds):
            raise Refusal(reason)
        database = instances.find(platform, rds) if OF_RDS & set(kinds) else None
        began, patience = datetime.now(UTC), Patience.of(timeout_minutes)
        backup = platform.client("backup")
        vault_days = kept_days(backup, vault, keep_days) if Kind.vault in kinds else keep_days
        old = expired(rds, database, began.date()) if database else []
        old_caches = old_of_caches(platform, began.date()) if Kind.caches in kinds else []
        said = list(touches(platform, database, kinds, keep_days, vault_days, [*old, *old_caches]))
        if not confirm(platform, said, as_json=json_output, yes=yes, dry_run=dry_run):
            return
        keep_until = f"{began + timedelta(days=keep_days):%Y-%m-%d}"
        made: dict[str, str] = {}
        if database:
            tags = {MADE_BY: MAKER, OF: database.identifier, KEEP_UNTIL: keep_until}
            if Kind.snapshot in kinds:
                name = f"{database.identifier}-now-{began:{STAMP}}"
                made["snapshot"] = snapshot(rds, database, name, tags, patience)
            if Kind.vault in kinds:
                made["vault"] = into_vault(backup, vault, database, vault_days, tags, patience)
        if Kind.dump in kinds:
            made["dump"] = _dump(platform, patience)
        if Kind.caches in kinds:
            made["caches"] = of_caches(platform, began, keep_until, patience)
        for name in old_caches:
            platform.client("elasticache").delete_snapshot(SnapshotName=name)
            typer.echo(f"Removed the snapshot {name}, which was to be kept no longer.", err=True)
        if database:
            for name in old:
                remove(rds, database, name)
        if json_output:
            typer.echo(show.as_text(made))
        else:
            for each, where in made.items():
                typer.echo(f"{each}: {where}")


def _problem(platform: Platform, kinds: Sequence[Kind]) -> str:
    said = platform.outputs["backups"]
    if Kind.vault in kinds and not said["vault"]:
        return f"{platform} has no vault, so --kind vault has nowhere to go."
    if Kind.caches in kinds and not platform.outputs["caches"]:
        return f"{platform} has no cache of its own."
    return tasks.problem(platform.outputs, DUMP) if Kind.dump in kinds else ""


def _dump(platform: Platform, patience: Patience) -> str:
    """The dump that the task made. Raises `Failed`."""
    ecs, logs = platform.client("ecs"), platform.client("logs")
    tell = partial(typer.echo, err=True)
    try:
        tasks.carry_out(ecs, logs, platform.outputs, DUMP, deadline=patience.deadline, tell=tell)
    except tasks.Failed as failed:
        raise Failed(str(failed)) from None
    return str(aws_dumps.choose(platform, None))
