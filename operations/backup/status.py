"""`groundwork backup status`: how old the newest backup of each store is, what failed, and what was proved."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from operations import nightly, show
from operations.backup import copies
from operations.backup.verify import PART
from operations.db import aws_dumps, instances
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

# What the alarms of a stack allow (components/backups.py): a day, and two hours to start and to finish.
RPO_HOURS = 26
# RDS writes its log of transactions away every five minutes (RDS guide, "Restoring to a specified time").
POINT_IN_TIME_MINUTES = 15
SHRUNK_TO = 0.5
FAILED_STATES = ("FAILED", "ABORTED", "EXPIRED", "PARTIAL")


@dataclass(frozen=True)
class Found:
    """`newest` is None where there is nothing; `said` is a sentence where somebody should do something."""

    store: str
    kept_in: str
    newest: datetime | None = None
    said: str = ""

    def row(self, now: datetime) -> dict[str, Any]:
        age = None if self.newest is None else (now - self.newest).total_seconds()
        return {
            "store": self.store,
            "kept in": self.kept_in,
            "newest": self.newest,
            "age_s": age,
            "state": self.said or "well",
        }


def aged(
    store: str, kept_in: str, newest: datetime | None, now: datetime, limit: timedelta, remedy: str
) -> Found:
    """A finding whose age is judged."""
    if newest is None:
        return Found(store, kept_in, None, f"there is none yet. {remedy}")
    if now - newest > limit:
        hours = (now - newest).total_seconds() / 3600
        return Found(store, kept_in, newest, f"{hours:.1f} h old, more than {_hours(limit)}. {remedy}")
    return Found(store, kept_in, newest)


def _hours(limit: timedelta) -> str:
    seconds = limit.total_seconds()
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.0f} h"


def database(platform: Platform, now: datetime, limit: timedelta) -> Iterator[Found]:
    """RDS' own: to any second, and snapshots."""
    rds = platform.client("rds")
    found = instances.find(platform, rds)
    name = found.identifier
    latest = found.said.get("LatestRestorableTime")
    remedy = (
        "Automated backups are off or stuck: `aws rds describe-events`; set database.backup_retention_days."
    )
    yield aged(name, "RDS, any second", latest, now, timedelta(minutes=POINT_IN_TIME_MINUTES), remedy)
    remedy = "Its backup window has passed without one: `aws rds describe-events`; `groundwork backup now` takes one."
    try:
        newest = copies.newest_snapshot(rds, found).taken
    except Refusal:
        newest = None
    yield aged(name, "RDS snapshots", newest, now, limit, remedy)


def vaults(platform: Platform, now: datetime, limit: timedelta) -> Iterator[Found]:
    """The vault and its copies, by what is in them."""
    vault = platform.outputs["backups"]["vault"]
    if not vault:
        return
    backup = platform.client("backup")
    remedy = "docs/runbooks/backups.md says what to look at; `groundwork backup now` makes one."
    yield from _vault(backup, vault, f"vault {vault}", now, limit, remedy)
    for region, name in copy_vaults(backup, vault):
        there = platform.client("backup", region=region)
        # A copy begins when the backup is complete.
        later = limit + timedelta(hours=4)
        yield from _vault(there, name, f"vault {name}, {region}", now, later, "Look at the copy jobs below.")


def _vault(
    backup: Any, vault: str, kept_in: str, now: datetime, limit: timedelta, remedy: str
) -> Iterator[Found]:
    pages = backup.get_paginator("list_recovery_points_by_backup_vault").paginate(BackupVaultName=vault)
    newest: dict[str, datetime] = {}
    for page in pages:
        for each in page["RecoveryPoints"]:
            if each["Status"] == "COMPLETED":
                name = each["ResourceArn"].rpartition(":")[-1]
                newest[name] = max(newest.get(name, each["CreationDate"]), each["CreationDate"])
    if not newest:
        yield aged("everything", kept_in, None, now, limit, remedy)
    for name, when in sorted(newest.items()):
        yield aged(name, kept_in, when, now, limit, remedy)


def copy_vaults(backup: Any, vault: str) -> list[tuple[str, str]]:
    """Region and name of each vault to which the stack's plan copies."""
    plan = copies.plan_id(backup, vault)
    if plan is None:
        return []
    rules = backup.get_backup_plan(BackupPlanId=plan)["BackupPlan"]["Rules"]
    arns = {copy["DestinationBackupVaultArn"] for rule in rules for copy in rule.get("CopyActions", [])}
    return sorted((arn.split(":")[3], arn.split(":")[-1]) for arn in arns)


def dumps(platform: Platform, now: datetime, limit: timedelta) -> Iterator[Found]:
    """The newest, and whether it is much smaller than the one before."""
    said = platform.outputs["backups"]
    if not said["bucket"] or not said["dumpPrefix"]:
        return
    found = aws_dumps.newest_first(platform)
    where = f"s3://{said['bucket']}/{said['dumpPrefix']}"
    newest = found[0].modified if found else None
    remedy = f"The log group {platform.outputs['tasks']['dump']['logGroup']} says why; `groundwork run dump` makes one."
    aging = aged("dump", where, newest, now, limit, remedy)
    yield aging
    if not found or aging.said:
        return
    last = found[0]
    if not last.size_bytes:
        yield Found(
            "dump", where, newest, f"{last.key} is empty. `groundwork backup verify --from dump` tries it."
        )
    elif len(found) > 1 and last.size_bytes < found[1].size_bytes * SHRUNK_TO:
        yield Found(
            "dump",
            where,
            newest,
            f"{last.key} has {show.size(last.size_bytes)}, {found[1].key} before it had "
            f"{show.size(found[1].size_bytes)}. If nobody deleted that much, `groundwork backup verify --from dump`.",
        )


def caches(platform: Platform, now: datetime, limit: timedelta) -> Iterator[Found]:
    """Snapshots of caches that keep some; one that keeps none is rebuilt by the product."""
    client = platform.client("elasticache")
    for name, said in platform.outputs["caches"].items():
        group = said["replicationGroupId"]
        described = client.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"][0]
        if not described.get("SnapshotRetentionLimit"):
            continue
        pages = client.get_paginator("describe_snapshots").paginate(ReplicationGroupId=group)
        times = [
            node["SnapshotCreateTime"]
            for page in pages
            for each in page["Snapshots"]
            if each["SnapshotStatus"] == "available"
            for node in each.get("NodeSnapshots", [])
            if "SnapshotCreateTime" in node
        ]
        remedy = (
            "`groundwork redis snapshot` takes one; `aws elasticache describe-events` says why there is none."
        )
        yield aged(f"cache {name}", "ElastiCache snapshots", max(times, default=None), now, limit, remedy)


def failed_jobs(platform: Platform, now: datetime, days: int) -> Iterator[Found]:
    """Backups, copies and restores that did not end well."""
    vault = platform.outputs["backups"]["vault"]
    if not vault:
        return
    backup, since = platform.client("backup"), now - timedelta(days=days)
    kinds: list[tuple[str, str, str, str, str, dict[str, str]]] = [
        (
            "backup job",
            "list_backup_jobs",
            "BackupJobs",
            "State",
            "BackupJobId",
            {"ByBackupVaultName": vault},
        ),
        ("copy job", "list_copy_jobs", "CopyJobs", "State", "CopyJobId", {}),
        ("restore job", "list_restore_jobs", "RestoreJobs", "Status", "RestoreJobId", {}),
    ]
    for kind, operation, key, state, id_key, more in kinds:
        for page in backup.get_paginator(operation).paginate(ByCreatedAfter=since, **more):
            for job in page[key]:
                if job[state] in FAILED_STATES and _is_ours(job, vault):
                    why = (job.get("StatusMessage") or "AWS Backup gives no reason").rstrip(".")
                    yield Found(
                        kind,
                        job[id_key],
                        job["CreationDate"],
                        f"{job[state].lower()}: {why}. docs/runbooks/backups.md.",
                    )


def _is_ours(job: dict[str, Any], vault: str) -> bool:
    """A copy job says from which vault; a restore job says nothing of it, and is told, whosever it is."""
    source = job.get("SourceBackupVaultArn")
    return source is None or source.rpartition(":")[-1] == vault


def proved(platform: Platform, now: datetime, within_days: int) -> Iterator[Found]:
    """The last restore that is known to have worked: by this command, by the stack's task, by AWS Backup's test."""
    cloudwatch, space = platform.client("cloudwatch"), platform.outputs
    namespace = f"{space['system']}/{space['environment']}"
    times = {
        "`backup verify`": [
            _last_count(cloudwatch, f"{namespace}/{PART}", "RestoreProved", {"From": of}, now, within_days)
            for of in ("vault", "snapshot", "dump")
        ],
        "task `verify`": [
            _last_count(
                cloudwatch, f"{namespace}/tasks", "VerifyCompleted", {"Task": "verify"}, now, within_days
            )
        ],
        "AWS Backup's test": [_last_tested(platform)],
    }
    found = [(when, by) for by, all_times in times.items() for when in all_times if when is not None]
    when, by = max(found, default=(None, "nobody"))
    remedy = "`groundwork backup verify` proves one now."
    yield aged("a restore", f"proved by {by}", when, now, timedelta(days=within_days), remedy)


def _last_count(
    cloudwatch: Any, namespace: str, name: str, dimensions: dict[str, str], now: datetime, days: int
) -> datetime | None:
    """The last six hours in which the metric was above zero; one answer has no room for two months of single ones."""
    said = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - timedelta(days=days),
        EndTime=now + timedelta(minutes=1),
        Period=6 * 3600,
        Statistics=["Maximum"],
    )
    return max((each["Timestamp"] for each in said["Datapoints"] if each["Maximum"] > 0), default=None)


def _last_tested(platform: Platform) -> datetime | None:
    vault = platform.outputs["backups"]["vault"]
    if not vault:
        return None
    backup, name = platform.client("backup"), nightly.plan_name(vault)
    pages = backup.get_paginator("list_restore_testing_plans").paginate()
    for page in pages:
        for plan in page["RestoreTestingPlans"]:
            if plan["RestoreTestingPlanName"] == name:
                arn = plan["RestoreTestingPlanArn"]
                jobs = backup.get_paginator("list_restore_jobs").paginate(
                    ByRestoreTestingPlanArn=arn, ByStatus="COMPLETED"
                )
                ended = [job for each in jobs for job in each["RestoreJobs"]]
                good = [job for job in ended if job.get("ValidationStatus") != "FAILED"]
                return max((job.get("CompletionDate") or job["CreationDate"] for job in good), default=None)
    return None


def look(parts: Sequence[tuple[str, Callable[[], Iterator[Found]]]]) -> list[Found]:
    """What each finds; one that AWS does not let look has found that."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    found: list[Found] = []
    for name, part in parts:
        try:
            found += part()
        except (ClientError, BotoCoreError, Refusal) as problem:
            found.append(Found(name, "", None, f"not looked at: {problem}"))
    return found


def status(
    rpo_hours: Annotated[int, typer.Option(min=1, help="How old the newest backup may be.")] = RPO_HOURS,
    days: Annotated[int, typer.Option(min=1, max=30, help="How far back failed jobs are told.")] = 7,
    proved_within: Annotated[
        int, typer.Option(min=1, max=60, help="Days within which a restore must have been proved.")
    ] = 35,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """The newest backup of each store, whether it is new enough, what failed, and the last proved restore. Only reads.

    \b
    Exit code
      0  everything is backed up and proved
      1  something is too old, failed, was never proved, or could not be looked at
      2  the stack does not stand

    \b
    Examples
      groundwork backup status --stack prod
      groundwork backup status --stack prod --rpo-hours 24 --json
    """
    with explained():
        platform = opened(system, stack, outputs)
        now, limit = datetime.now(UTC), timedelta(hours=rpo_hours)
        parts: list[tuple[str, Callable[[], Iterator[Found]]]] = [
            ("vaults", lambda: vaults(platform, now, limit)),
            ("dumps", lambda: dumps(platform, now, limit)),
            ("caches", lambda: caches(platform, now, limit)),
            ("jobs", lambda: failed_jobs(platform, now, days)),
            ("proofs", lambda: proved(platform, now, proved_within)),
        ]
        if platform.outputs.get("database"):
            parts.insert(0, ("database", lambda: database(platform, now, limit)))
        found = look(parts)
        show.show([each.row(now) for each in found], as_json=json_output, nothing="Nothing keeps data here.")
        if any(each.said for each in found):
            raise typer.Exit(FOUND)
