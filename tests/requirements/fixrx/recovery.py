"""F63 to F71: dumps, what is kept for how long, proof that it can be read, and the way back."""

from tests.recorder import Recording
from tests.requirements.fixrx.support import (
    API,
    containers,
    operator_can_ask,
    page,
    runs_at,
    service,
    variables,
)
from tests.requirements.production import (
    BUCKET,
    LOG_GROUP,
    REPOSITORY,
    TASK,
    condition,
    database,
    metric,
    operator_can_replace,
    output,
    statements,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Backup and recovery")
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"


def kept_days(stack: Recording, folder: str) -> int:
    """How long the bucket keeps what is in the folder, old versions of it too."""
    rules = {each["id"]: each for each in stack.one(LIFECYCLE, "backups-lifecycle")["rules"]}
    rule = rules[f"expire-{folder}"]
    assert (rule["filter"], rule["status"]) == ({"prefix": f"{folder}/"}, "Enabled")
    assert rule["noncurrentVersionExpiration"]["noncurrentDays"] == rule["expiration"]["days"]
    return rule["expiration"]["days"]


@CHAPTER.row(
    "F63",
    "L387-400",
    "`pg_dump | gzip` of `fixrx_production` into `full_backup_YYYYMMDD_HHMMSS.sql.gz`",
    "declared",
    note="every day at 02:00 UTC, when the guide's daily window opens, as the master user",
    components=["schedule", "task"],
    settings=["backups.dump.schedule", "backups.dump.file_name"],
    policies=["logical-backup-scheduled"],
)
def dump(stack: Recording) -> None:
    assert runs_at(stack, "dump") == "cron(0 2 * * ? *)"
    found = containers(stack, "task-dump")
    script = found["dump"]["command"][-1]
    assert script.startswith("set -o pipefail; pg_dump ")
    assert " | gzip > " in script
    assert variables(found["dump"])["PGDATABASE"] == "fixrx_production"
    name = "full_backup_%Y%m%d_%H%M%S.sql.gz"
    assert f'"s3://$BUCKET/database/$(date -u +{name})"' in found["upload"]["command"][-1]
    assert found["upload"]["dependsOn"] == [{"containerName": "dump", "condition": "SUCCESS"}]


@CHAPTER.row(
    "F64",
    "L402-403",
    "Dumps go to `s3://fixrx-backups/database/`",
    "declared",
    note="the task may write there and nowhere else",
    components=["bucket"],
    settings=["backups.bucket", "backups.dump.prefix"],
    policies=["s3-block-public", "s3-encrypted", "s3-tls-only"],
)
def uploaded(stack: Recording) -> None:
    assert stack.one(BUCKET, "backups")["bucket"] == output(stack, "backups", "bucket") == "fixrx-backups"
    assert output(stack, "backups", "dumpPrefix") == "database/"
    allowed = statements(stack, "task-dump-task")
    assert allowed["WriteDump"]["Resource"] == ["arn:aws:s3:::fixrx-backups/database/*"]
    assert allowed["WriteDump"]["Action"] == ["s3:PutObject", "s3:AbortMultipartUpload"]


@CHAPTER.row(
    "F65",
    "L405-406",
    "Backups close at hand are kept for 7 days",
    "declared",
    note="for 30: RDS's own backups, the vault's with their copies, and the dumps, of which the guide says nothing",
    components=["database", "backups", "bucket"],
    settings=["database.backup_retention_days", "backups.retention_days"],
    policies=["rds-backup-retention", "backup-retention-30d"],
)
def kept(stack: Recording) -> None:
    assert database(stack)["backupRetentionPeriod"] == 30
    assert kept_days(stack, "database") == 30
    (daily,) = stack.one("aws:backup/plan:Plan")["rules"]
    (copy,) = daily["copyActions"]
    assert daily["lifecycle"] == copy["lifecycle"] == {"deleteAfter": 30}


@CHAPTER.row(
    "F66",
    "L408-409",
    "A line in `/var/log/backup.log` for each dump that was made",
    "declared",
    note="a count in CloudWatch, and 26 hours without one are an alarm; the task's log has the name of the file",
    missing="the guide's own words",
    components=["task", "alarms"],
)
def logged(stack: Recording) -> None:
    upload = containers(stack, "task-dump")["upload"]["command"][-1]
    copied, counted = upload.split("; ")
    assert copied.startswith("aws s3 cp --no-progress ")
    assert "--namespace fixrx/prod/backups --metric-name DumpCompleted --value 1" in counted
    overdue = page(stack, "dump-overdue")
    assert metric(overdue) == ("DumpCompleted", "Sum", 3600)
    assert (condition(overdue), overdue["treatMissingData"]) == (("LessThanThreshold", 1, 26), "breaching")
    assert stack.one(LOG_GROUP, "task-dump-logs")["name"] == output(stack, "tasks", "dump", "logGroup")


@CHAPTER.row(
    "F67",
    "L412-425",
    "The application is packed into `app_backup_YYYYMMDD_HHMMSS.tar.gz`, and uploaded to `application/`",
    "operator",
    note="the image is the archive: its tag never moves, and each task definition stays. The command copies those "
    "that run, and Pulumi's state, to `application/`",
    missing="nothing does the copy by the clock",
    commands=["backup app"],
    components=["registry", "task", "bucket"],
    settings=["backups.prefixes"],
)
def application(stack: Recording) -> None:
    assert stack.one(REPOSITORY, f"registry-{API}")["imageTagMutability"] == "IMMUTABLE"
    assert stack.one(TASK, API)["skipDestroy"] is True
    assert output(stack, "services", API, "taskDefinition")
    assert kept_days(stack, "application")
    assert output(stack, "backups", "bucket") == "fixrx-backups"


@CHAPTER.row(
    "F68",
    "L427-428",
    "Application backups are kept for 30 days",
    "declared",
    note="what `backup app` puts into `application/`; of images, the 50 newest",
    missing="days for images: a product that pushes more than 50 in 30 days keeps some for less",
    components=["bucket", "registry"],
    settings=["backups.prefixes"],
)
def application_kept(stack: Recording) -> None:
    assert kept_days(stack, "application") == 30
    lifecycle = stack.one("aws:ecr/lifecyclePolicy:LifecyclePolicy", f"registry-{API}-lifecycle")
    kept = [
        rule["selection"]["countNumber"]
        for rule in lifecycle.json("policy")["rules"]
        if rule["selection"]["tagStatus"] != "untagged"
    ]
    assert kept == [50]


@CHAPTER.row(
    "F69",
    "L431-454",
    "The newest dump is read into `fixrx_test_restore`, must have users in it, and is dropped again",
    "declared",
    note="by the clock (F83); the database goes in every case, and a failure is an alarm. The first command does "
    "the same now, the second asks it more",
    commands=["run verify", "backup verify --from dump"],
    components=["task", "schedule"],
    settings=["backups.verify", "backups.verify_query"],
    policies=["restore-test-scheduled"],
)
def verified(stack: Recording) -> None:
    found = containers(stack, "task-verify")
    assert "--prefix database/" in found["fetch"]["command"][-1]
    assert "sort_by(Contents, &LastModified)[-1]" in found["fetch"]["command"][-1]
    told = variables(found["restore"])
    assert (told["VERIFY_DATABASE"], told["MINIMUM_ROWS"]) == ("fixrx_test_restore", "1")
    assert told["VERIFY_QUERY"] == "SELECT COUNT(*) FROM users"
    script = found["restore"]["command"][-1]
    assert "trap 'dropdb --if-exists --force \"$VERIFY_DATABASE\"' EXIT" in script
    assert 'createdb --template=template0 "$VERIFY_DATABASE"; gunzip -c ' in script
    assert "Backup verification successful: $rows records found" in script
    assert '[ "$rows" -ge "$MINIMUM_ROWS" ]' in script
    assert metric(page(stack, "verify-failed")) == ("VerifyFailed", "Sum", 3600)
    assert statements(stack, "task-verify-task")["ReadDump"]["Action"] == ["s3:GetObject"]


@CHAPTER.row(
    "F70",
    "L458-464",
    "Back to a point in time with `pg_restore`, and the users counted",
    "operator",
    note="the first reads the newest dump, or `--key`, in the place of what is there, all of it or nothing, and "
    "counts: that is last night. The second makes the database of any second of the last 30 days beside the "
    "old one, and says how to switch over; the third counts",
    commands=["db restore", "db restore-pitr --time 2026-04-01T12:00:00Z", "db verify"],
    components=["database", "task"],
    settings=["backups.dump", "backups.verify_query", "database.backup_retention_days"],
    policies=["rds-backup-retention"],
)
def restored(stack: Recording) -> None:
    found = containers(stack, "task-restore")
    assert '[ "$CONFIRM" = "$PGDATABASE" ] || ' in found["prepare"]["command"][-1]
    assert variables(found["prepare"])["CONFIRM"] == ""
    assert "key=${DUMP_KEY:-$(" in found["fetch"]["command"][-1]
    told = variables(found["restore"])
    assert told["PGDATABASE"] == "fixrx_production"
    assert told["VERIFY_QUERY"] == output(stack, "backups", "verifyQuery") == "SELECT COUNT(*) FROM users"
    script = found["restore"]["command"][-1]
    assert 'reads="pg_restore --clean --if-exists -f -"' in script
    assert "psql --no-psqlrc --quiet --single-transaction -v ON_ERROR_STOP=1" in script
    assert statements(stack, "task-restore-task")["ReadDump"]["Action"] == ["s3:GetObject"]
    assert output(stack, "tasks", "restore", "schedule") == ""
    primary = database(stack)
    assert (primary["backupRetentionPeriod"], primary["deleteAutomatedBackups"]) == (30, False)
    operator_can_ask(stack)


@CHAPTER.row(
    "F71",
    "L467-478",
    "Stop the application, unpack the one before, start it",
    "operator",
    note="the revision before, and its tag in the stack file; nothing has to stop for it",
    commands=["rollback fixrx-api --write", "service stop fixrx-api", "service start fixrx-api"],
    components=["service", "task"],
    policies=["deployment-rollback-enabled"],
)
def back(stack: Recording) -> None:
    operator_can_replace(stack, API)
    assert stack.one(TASK, API)["family"] == "fixrx-prod-fixrx-api"
    assert service(stack)["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert (output(stack, "cluster"), bool(output(stack, "services", API, "name"))) == ("fixrx-prod", True)
