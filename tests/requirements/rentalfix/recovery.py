"""R101 to R105: dumps, how long they are kept, and the way back."""

from tests.recorder import Recording
from tests.requirements.production import (
    BUCKET,
    SCHEDULE,
    TASK,
    alarm,
    condition,
    database,
    environment,
    operator_can_ask,
    operator_can_restore,
    operator_has_psql,
    output,
    referred,
    statements,
)
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
    policies=["logical-backup-scheduled"],
)
def dump(stack: Recording) -> None:
    schedule = stack.one(SCHEDULE, "schedule-dump")
    assert schedule["scheduleExpression"] == "cron(0 2 * * ? *)"
    assert schedule["scheduleExpressionTimezone"] == "UTC"
    first, second = stack.one(TASK, "task-dump").json("containerDefinitions")
    assert first["command"][-1].startswith("set -o pipefail; pg_dump --clean --if-exists | gzip > ")
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
    "operator",
    note="all of the dump or nothing; without `--key` the newest. A dump says itself what it takes the place of, "
    "so the guide's own command reads it too. RDS's own backup goes back to any second of 30 days, beside "
    "the database, and there are the vault's",
    commands=[
        "db restore --key postgres/rentfix_20250112.sql.gz",
        "db restore-pitr --time 2026-04-01T12:00:00Z",
    ],
    components=["task", "database", "backups"],
    settings=["backups.dump"],
)
def restored(stack: Recording) -> None:
    operator_can_restore(stack, "rentfix", "rentfix-backups/postgres/")
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
    note="`db restore` counts at its end, the first command in the live database, the second in a copy of the "
    "newest backup, which it removes. On the first of each month the task `verify` counts in the newest dump",
    missing="AWS Backup's own weekly restore test counts nothing",
    commands=["db verify", "backup verify"],
    components=["task", "backups"],
    settings=["backups.verify_query", "backups.restore_test"],
)
def counted(stack: Recording) -> None:
    operator_can_ask(stack)
    operator_has_psql(stack)
    assert output(stack, "backups", "verifyQuery") == "SELECT COUNT(*) FROM contractors"
    assert output(stack, "tasks", "verify", "schedule") == "cron(0 6 1 * ? *)"
    assert environment(stack, "task-restore")["VERIFY_QUERY"] == "SELECT COUNT(*) FROM contractors"
    plan = stack.one("aws:backup/restoreTestingPlan:RestoreTestingPlan")
    assert plan["scheduleExpression"] == "cron(0 6 ? * SUN *)"
    selection = stack.one("aws:backup/restoreTestingSelection:RestoreTestingSelection")
    assert referred(stack, selection, "protectedResourceArns") == ["database"]
