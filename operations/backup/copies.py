"""A copy of the database that lives for as long as it takes to prove a backup: made beside the original, and removed.

It is recognised by its name, which says of what and when it was made, and where RDS makes it also by its tags. So one
that an interrupted run has left is found by the next run.
"""

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from operations.db.aws_ask import secret
from operations.db.aws_dumps import STAMP
from operations.db.instances import (
    MADE_BY,
    OF,
    Described,
    all_instances,
    declared,
    get_instance,
    tag_list,
    wait_available,
)
from operations.platform import Platform, Refusal
from operations.waits import Failed, Look, Patience

MAKER = "backup-verify"
PREFIX = "groundwork-verify-"
LONGEST = 63  # RDS API: characters of an identifier
# RDS refuses to delete an instance before it is made.
REMOVAL_MINUTES = 30


@dataclass(frozen=True)
class Backup:
    """What a copy can be made of. `arn` of a recovery point, `name` of a snapshot; `taken` is when it was begun."""

    kind: str
    name: str
    arn: str
    taken: datetime
    of_cluster: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name} of {self.taken:%Y-%m-%d %H:%M} UTC"


def name_of(identifier: str, now: datetime) -> str:
    return f"{PREFIX}{now.astimezone(UTC):{STAMP}}-{identifier}"[:LONGEST].rstrip("-")


def made_at(copy: str, identifier: str) -> datetime | None:
    """When a copy of that database was begun, by its name; None where it is none."""
    stamp = copy.removeprefix(PREFIX).partition("-")[0]
    if not copy.startswith(PREFIX) or len(stamp) != len("20260401120000") or not stamp.isdecimal():
        return None
    when = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    return when if copy == name_of(identifier, when) else None


def left_over(rds: Any, identifier: str) -> list[tuple[Described, datetime]]:
    """Copies of that database that stand, the oldest first, with the time when they were begun.

    One that somebody has protected since is somebody's.
    """
    found = []
    for each in all_instances(rds):
        when = made_at(each.identifier, identifier)
        is_theirs = each.said.get("DeletionProtection") or each.tags.get(OF, identifier) != identifier
        if when and not is_theirs and each.status != "deleting":
            found.append((each, when))
    return sorted(found, key=lambda item: item[1])


def stale(
    found: Sequence[tuple[Described, datetime]], now: datetime, timeout_minutes: int, *, take_over: bool
) -> list[Described]:
    """Those that nobody works with any more. Raises Refusal for one that may still be in use."""
    limit = timedelta(minutes=timeout_minutes + REMOVAL_MINUTES)
    for each, when in found:
        if now - when < limit and not take_over:
            raise Refusal(
                f"{each.identifier} was made {int((now - when).total_seconds()) // 60} minutes ago: another proof may "
                "still work with it. Wait for it, or, if it was interrupted, add --take-over: then it is removed."
            )
    return [each for each, _ in found]


def newest_snapshot(rds: Any, database: Described) -> Backup:
    """RDS' own, automated or by hand. Raises Refusal where there is none."""
    if database.is_cluster:
        pages = rds.get_paginator("describe_db_cluster_snapshots").paginate(
            DBClusterIdentifier=database.identifier
        )
        said = [each for page in pages for each in page["DBClusterSnapshots"]]
        key = "DBClusterSnapshot"
    else:
        pages = rds.get_paginator("describe_db_snapshots").paginate(DBInstanceIdentifier=database.identifier)
        said = [each for page in pages for each in page["DBSnapshots"]]
        key = "DBSnapshot"
    ready = [each for each in said if each["Status"] == "available" and "SnapshotCreateTime" in each]
    if not ready:
        raise Refusal(f"RDS has no snapshot of {database.identifier} yet. `groundwork backup now` makes one.")
    newest = max(ready, key=lambda each: each["SnapshotCreateTime"])
    return Backup(
        "snapshot",
        newest[f"{key}Identifier"],
        newest[f"{key}Arn"],
        newest.get("OriginalSnapshotCreateTime") or newest["SnapshotCreateTime"],
        of_cluster=database.is_cluster,
    )


def newest_recovery_point(backup: Any, vault: str, database: Described) -> Backup:
    """The vault's. Raises Refusal where there is none."""
    pages = backup.get_paginator("list_recovery_points_by_backup_vault").paginate(
        BackupVaultName=vault, ByResourceArn=database.arn
    )
    ready = [each for page in pages for each in page["RecoveryPoints"] if each["Status"] == "COMPLETED"]
    if not ready:
        raise Refusal(
            f"The vault {vault} holds no finished backup of {database.identifier} yet. `groundwork backup now` makes "
            "one."
        )
    newest = max(ready, key=lambda each: each["CreationDate"])
    arn = newest["RecoveryPointArn"]
    return Backup(
        "recovery point",
        arn.split(":snapshot:")[-1].split(":cluster-snapshot:")[-1],
        arn,
        newest["CreationDate"],
        of_cluster=database.is_cluster,
    )


def role(backup: Any, vault: str) -> str:
    """The role with which AWS Backup works for this stack, as its plan has it. Raises Refusal without a plan."""
    plan = plan_id(backup, vault)
    selections = backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"] if plan else []
    if not selections:
        raise Refusal(
            f"AWS Backup has no plan {vault} with a selection, so no role to work with. `pulumi up` makes both."
        )
    return selections[0]["IamRoleArn"]


def plan_id(backup: Any, vault: str) -> str | None:
    """The stack's plan has its vault's name."""
    pages = backup.get_paginator("list_backup_plans").paginate()
    plans = [plan for page in pages for plan in page["BackupPlansList"]]
    return next((plan["BackupPlanId"] for plan in plans if plan["BackupPlanName"] == vault), None)


def placed(database: Described, instance_class: str | None) -> dict[str, Any]:
    """Where and how the copy stands, for RDS: where the original does, seen by nobody else, without a standby.

    A member's class of a cluster is one that an instance may have, too.
    """
    group = {} if database.is_cluster else {"DBParameterGroupName": database.parameter_group}
    return {
        "DBInstanceClass": instance_class or database.instance_class,
        "DBSubnetGroupName": database.subnet_group,
        "VpcSecurityGroupIds": database.security_groups,
        **group,
        "MultiAZ": False,
        "PubliclyAccessible": False,
        "DeletionProtection": False,
        "CopyTagsToSnapshot": False,
        "AutoMinorVersionUpgrade": False,
        "BackupRetentionPeriod": 0,
    }


def restore_metadata(kept: Mapping[str, str], copy: str, placing: Mapping[str, Any]) -> dict[str, str]:
    """For AWS Backup: what it keeps of the backup, in its own spelling, with our answers over it; all of it text."""
    ours = {
        "DBInstanceIdentifier": copy,
        **{key: _text(value) for key, value in placing.items() if key != "BackupRetentionPeriod"},
    }
    # Exported logs would make log groups that nobody encrypts, and a zone may have no room.
    dropped = {each.lower() for each in (*ours, "EnableCloudwatchLogsExports", "AvailabilityZone")}
    return {**{key: value for key, value in kept.items() if key.lower() not in dropped}, **ours}


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return json.dumps(value)
        case _:
            return str(value)


@contextmanager
def standing(
    platform: Platform,
    database: Described,
    source: Backup,
    now: datetime,
    patience: Patience,
    *,
    instance_class: str | None = None,
) -> Generator[Described]:
    """A copy made of `source`, with the original's password, until the body ends; then it is removed, come what may."""
    rds, copy = platform.client("rds"), name_of(database.identifier, now)
    placing, job = placed(database, instance_class), _Job(platform)
    typer.echo(f"Making {copy} of the {source}.", err=True)
    try:
        if source.kind == "snapshot" or source.of_cluster:
            _from_snapshot(rds, database, source, copy, placing)
        else:
            job.start(source, restore_metadata(job.kept(source), copy, placing), copy)
            job.wait(patience)
            arn = f"{database.arn.rpartition(':')[0]}:{copy}"
            rds.add_tags_to_resource(ResourceName=arn, Tags=_tags(database))
        otherwise = "It is removed; allow more with --timeout-minutes."
        wait_available(rds, copy, patience, otherwise=otherwise)
        _give_password(platform, rds, copy)
        yield wait_available(rds, copy, patience, otherwise=otherwise)
    finally:
        remove(rds, copy, is_coming=job.is_running)


def _from_snapshot(
    rds: Any, database: Described, source: Backup, copy: str, placing: Mapping[str, Any]
) -> None:
    """A cluster's snapshot comes back as one instance: a third of the cost, and the same data."""
    key = "DBClusterSnapshotIdentifier" if source.of_cluster else "DBSnapshotIdentifier"
    rds.restore_db_instance_from_db_snapshot(
        **{key: source.arn if source.of_cluster else source.name},
        DBInstanceIdentifier=copy,
        Tags=_tags(database),
        **placing,
    )


@dataclass
class _Job:
    """AWS Backup's restore of a recovery point. Nobody can call it off: what it makes is removed once it is there."""

    platform: Platform
    id: str = ""

    @property
    def _client(self) -> Any:
        return self.platform.client("backup")

    @property
    def _vault(self) -> str:
        return self.platform.outputs["backups"]["vault"]

    def kept(self, source: Backup) -> Mapping[str, str]:
        return self._client.get_recovery_point_restore_metadata(
            BackupVaultName=self._vault, RecoveryPointArn=source.arn
        )["RestoreMetadata"]

    def start(self, source: Backup, metadata: Mapping[str, str], token: str) -> None:
        backup = self._client
        self.id = backup.start_restore_job(
            RecoveryPointArn=source.arn,
            Metadata=metadata,
            IamRoleArn=role(backup, self._vault),
            ResourceType="RDS",
            IdempotencyToken=token,
            CopySourceTagsToRestoredResource=False,
        )["RestoreJobId"]

    def wait(self, patience: Patience) -> None:
        """Raises `Failed`, with AWS Backup's reason."""

        def look() -> Look[bool]:
            said = self._client.describe_restore_job(RestoreJobId=self.id)
            if said["Status"] in ("ABORTED", "FAILED"):
                why = said.get("StatusMessage") or "AWS Backup gives no reason"
                raise Failed(f"The restore job {self.id} failed: {why}.")
            return Look(said["Status"].lower(), True if said["Status"] == "COMPLETED" else None)

        otherwise = "What it makes is removed; allow more with --timeout-minutes."
        patience.until(f"Restore job {self.id}", look, otherwise=otherwise)

    def is_running(self) -> bool:
        if not self.id:
            return False
        return self._client.describe_restore_job(RestoreJobId=self.id)["Status"] in ("PENDING", "RUNNING")


def _tags(database: Described) -> list[dict[str, str]]:
    own = {key: value for key, value in database.tags.items() if not key.startswith("aws:") and key != "Name"}
    return tag_list({**own, MADE_BY: MAKER, OF: database.identifier})


def _give_password(platform: Platform, rds: Any, copy: str) -> None:
    """The one that the stack's tasks have: a backup brings the password of its own day."""
    password = secret(platform, declared(platform)["masterSecretArn"])
    seen = get_instance(rds, copy)
    managed = {"ManageMasterUserPassword": False} if seen and seen.keeps_password else {}
    rds.modify_db_instance(
        DBInstanceIdentifier=copy, MasterUserPassword=password, ApplyImmediately=True, **managed
    )


def remove(
    rds: Any,
    copy: str,
    patience: Patience | None = None,
    *,
    is_coming: Callable[[], bool] = lambda: False,
) -> None:
    """Until RDS deletes it. `is_coming` says whether one that is not there yet will be.

    Raises `Failed`, with what is left, where RDS does not.
    """
    by_hand = (
        f"`aws rds delete-db-instance --db-instance-identifier {copy} --skip-final-snapshot` removes it."
    )

    def look() -> Look[bool]:
        seen = get_instance(rds, copy)
        if seen is None and is_coming():
            return Look("still being made, and cannot be removed yet")
        if seen is None or seen.status == "deleting":
            return Look("gone", found=True)
        try:
            rds.delete_db_instance(
                DBInstanceIdentifier=copy, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
            )
        except rds.exceptions.InvalidDBInstanceStateFault:
            return Look(f"{seen.status}, and cannot be removed yet")
        return Look("removed", found=True)

    patience = patience or Patience.of(REMOVAL_MINUTES)
    try:
        patience.until(f"Removing {copy}", look, otherwise=f"It costs money until it is gone. {by_hand}")
    except KeyboardInterrupt:
        typer.echo(f"{copy} is left: the next proof removes it, or now {by_hand}", err=True)
        raise
    typer.echo(f"{copy} is removed.", err=True)
