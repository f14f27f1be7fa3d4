"""R101 to R105: dumps, how long they are kept, and the way back."""

from tests.recorder import Recording
from tests.requirements.production import (
    BUCKET,
    SCHEDULE,
    TASK,
    alarm,
    condition,
    database,
    operator_has_psql,
    output,
    referred,
    statements,
)
from tests.requirements.rentalfix.database import PSQL
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Disaster recovery")


@CHAPTER.row(
    "R101",
    "L639-641",
    "Every day at 02:00 `pg_dump | gzip` writes `rentfix_YYYYMMDD.sql.gz`",
    "declared",
    note="in UTC, as the master user, from whom row level security hides nothing; 26 hours without one are an alarm",
    components=["schedule", "task"],
    settings=["backups.schedule", "backups.timezone", "backups.dump.file_name"],
)
def dump(stack: Recording) -> None:
    schedule = stack.one(SCHEDULE, "schedule-dump")
    assert schedule["scheduleExpression"] == "cron(0 2 * * ? *)"
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    first, second = stack.one(TASK, "task-dump").json("containerDefinitions")
    assert first["command"][-1].startswith("set -o pipefail; pg_dump | gzip > ")
    assert {"name": "PGUSER", "value": "postgres"} in first["environment"]
    assert '"s3://$BUCKET/postgres/$(date -u +rentfix_%Y%m%d.sql.gz)"' in second["command"][-1]
    assert second["dependsOn"] == [{"containerName": first["name"], "condition": "SUCCESS"}]
    assert condition(alarm(stack, "dump-overdue")) == ("LessThanThreshold", 1, 26)


@CHAPTER.row(
    "R102",
    "L643-644",
    "Dumps go to `s3://rentfix-backups/postgres/`",
    "declared",
    note="the task may write there and nowhere else",
    components=["bucket"],
    settings=["backups.bucket", "backups.dump.prefix"],
    policies=["s3-block-public", "s3-encrypted", "s3-tls-only"],
)
def uploaded(stack: Recording) -> None:
    assert stack.one(BUCKET, "backups")["bucket"] == output(stack, "backups", "bucket") == "rentfix-backups"
    assert output(stack, "backups", "dumpPrefix") == "postgres/"
    allowed = statements(stack, "task-dump-task")
    assert allowed["WriteDump"]["Resource"] == ["arn:aws:s3:::rentfix-backups/postgres/*"]
    assert allowed["WriteDump"]["Action"] == ["s3:PutObject", "s3:AbortMultipartUpload"]
    versioning = stack.one("aws:s3/bucketVersioning:BucketVersioning", "backups-versioning")
    assert versioning["versioningConfiguration"] == {"status": "Enabled"}


@CHAPTER.row(
    "R103",
    "L646-647",
    "Backups are kept for 30 days",
    "declared",
    note="dumps, RDS's own backups, and the vault's with their copies in a second region",
    components=["bucket", "database", "backups"],
    settings=["backups.retention_days", "database.backup_retention_days"],
    policies=["backup-retention-30d", "rds-backup-retention"],
)
def kept(stack: Recording) -> None:
    kind = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    rules = {each["id"]: each for each in stack.one(kind, "backups-lifecycle")["rules"]}
    dumps = rules["expire-postgres"]
    assert (dumps["filter"], dumps["expiration"]) == ({"prefix": "postgres/"}, {"days": 30})
    assert database(stack)["backupRetentionPeriod"] == 30
    (daily,) = stack.one("aws:backup/plan:Plan")["rules"]
    (copy,) = daily["copyActions"]
    assert daily["lifecycle"] == copy["lifecycle"] == {"deleteAfter": 30}


@CHAPTER.row(
    "R104",
    "L652-654",
    "A dump is read back with `gunzip | psql`",
    "not met",
    missing="no task may read the bucket; what can be restored is RDS's own backup, to any minute of 30 days, and the "
    "vault's",
    components=["database", "backups"],
)
def restored(stack: Recording) -> None:
    assert (database(stack)["backupRetentionPeriod"], database(stack)["deleteAutomatedBackups"]) == (
        30,
        False,
    )
    assert referred(stack, stack.one("aws:backup/selection:Selection"), "resources") == ["database"]
    assert output(stack, "backups", "vault") == "rentalfix-prod"


@CHAPTER.row(
    "R105",
    "L656-657",
    "After that, the contractors are counted",
    "operator",
    note=f"{PSQL}`SELECT COUNT(*) FROM contractors`, with `PGHOST` set to what was restored",
    missing="the weekly restore test proves that a backup restores, and counts nothing",
    components=["backups"],
    settings=["backups.verify_query", "backups.restore_test"],
)
def counted(stack: Recording) -> None:
    operator_has_psql(stack)
    plan = stack.one("aws:backup/restoreTestingPlan:RestoreTestingPlan")
    assert plan["scheduleExpression"] == "cron(0 6 ? * SUN *)"
    selection = stack.one("aws:backup/restoreTestingSelection:RestoreTestingSelection")
    assert referred(stack, selection, "protectedResourceArns") == ["database"]
