"""N69 to N74: dumps and the way back, more tasks and larger ones, whom to ask."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.support import GATEWAY, TARGET_GROUP, bounds, running
from tests.requirements.production import (
    ALARM,
    LISTENER,
    SCHEDULE,
    TASK,
    alarm,
    condition,
    database,
    openings,
    operator_can_restore,
    output,
    statements,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Backup, restore, scaling")


@CHAPTER.row(
    "N69",
    "L629-636, L642-649",
    "Every day at 02:00 a compressed dump `nx_production_YYYY-MM-DD.sql.gz`",
    "declared",
    note="in UTC, to `s3://nx-monorepo-backups/postgresql/` instead of a disk, as the master user; 26 hours without "
    "one are an alarm",
    components=["schedule", "task", "bucket"],
    settings=["backups.schedule", "backups.dump", "backups.bucket"],
)
def dump(stack: Recording) -> None:
    schedule = stack.one(SCHEDULE, "schedule-dump")
    assert (schedule["scheduleExpression"], schedule["scheduleExpressionTimezone"]) == (
        "cron(0 2 * * ? *)",
        "UTC",
    )
    first, second = stack.one(TASK, "task-dump").json("containerDefinitions")
    assert first["command"][-1].startswith("set -o pipefail; pg_dump --clean --if-exists | gzip > ")
    for name, value in (("PGDATABASE", "nx_production"), ("PGUSER", "postgres")):
        assert {"name": name, "value": value} in first["environment"]
    assert '"s3://$BUCKET/postgresql/$(date -u +nx_production_%Y-%m-%d.sql.gz)"' in second["command"][-1]
    assert {"name": "BUCKET", "value": "nx-monorepo-backups"} in second["environment"]
    assert condition(alarm(stack, "dump-overdue")) == ("LessThanThreshold", 1, 26)


@CHAPTER.row(
    "N70",
    "L638-639",
    "Dumps are kept for 30 days",
    "declared",
    note="so are RDS's own backups, and the vault's with their copies in a second region",
    components=["bucket", "database", "backups"],
    settings=["backups.retention_days", "database.backup_retention_days"],
    policies=["backup-retention-30d"],
)
def kept(stack: Recording) -> None:
    kind = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    rules = {each["id"]: each for each in stack.one(kind, "backups-lifecycle")["rules"]}
    dumps = rules["expire-postgresql"]
    assert (dumps["filter"], dumps["expiration"]) == ({"prefix": "postgresql/"}, {"days": 30})
    assert database(stack)["backupRetentionPeriod"] == 30
    (daily,) = stack.one("aws:backup/plan:Plan")["rules"]
    (copy,) = daily["copyActions"]
    assert daily["lifecycle"] == copy["lifecycle"] == {"deleteAfter": 30}


@CHAPTER.row(
    "N71",
    "L652-657",
    "A dump is read back with `gunzip | psql`",
    "operator",
    note="all of the dump or nothing; without `--key` the newest. The task `verify` reads the newest one into a "
    "database of its own on the first of each month, and a failure is an alarm",
    commands=["db restore --key postgresql/nx_production_2025-12-05.sql.gz", "run verify"],
    components=["task", "schedule"],
    settings=["backups.verify"],
)
def restored(stack: Recording) -> None:
    operator_can_restore(stack, "nx_production", "nx-monorepo-backups/postgresql/")
    containers = {each["name"]: each for each in stack.one(TASK, "task-verify").json("containerDefinitions")}
    command = containers["restore"]["command"][-1]
    assert "gunzip -c " in command
    assert "| psql " in command
    assert {"name": "VERIFY_DATABASE", "value": "nx_restore_test"} in containers["restore"]["environment"]
    read = statements(stack, "task-verify-task")["ReadDump"]
    assert (read["Action"], read["Resource"]) == (
        ["s3:GetObject"],
        ["arn:aws:s3:::nx-monorepo-backups/postgresql/*"],
    )
    assert stack.one(SCHEDULE, "schedule-verify")["scheduleExpression"] == "cron(0 4 1 * ? *)"
    assert condition(alarm(stack, "verify-failed")) == ("GreaterThanThreshold", 0, 1)
    assert ("operations", "database", 5432) in openings(stack)
    assert output(stack, "tasks", "verify", "taskDefinition")


@CHAPTER.row(
    "N72",
    "L664-682",
    "Three copies of the API behind a balancer that asks the one with the fewest connections",
    "declared",
    note="the fewest requests in flight; three tasks at least, up to seven by CPU and memory. Port 80 only redirects",
    components=["service", "autoscaling", "load_balancer"],
    settings=["services.api-gateway.min_count", "services.api-gateway.scaling"],
)
def horizontally(stack: Recording) -> None:
    group = stack.one(TARGET_GROUP, "api-gateway-tg")
    assert (group["loadBalancingAlgorithmType"], group["port"]) == ("least_outstanding_requests", 3000)
    assert bounds(stack, GATEWAY) == (3, 7)
    followed = {
        each.name: each["targetTrackingScalingPolicyConfiguration"]["targetValue"]
        for each in stack.all("aws:appautoscaling/policy:Policy")
        if each.name.startswith(GATEWAY)
    }
    assert followed == {"api-gateway-cpu": 70, "api-gateway-memory": 80}
    (plain,) = stack.one(LISTENER, "ingress-http")["defaultActions"]
    assert plain["redirect"] == {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}


@CHAPTER.row(
    "N73",
    "L684-699",
    "The API gets 2 cores and 4 GB at most, and is sure of 1 core and 2 GB",
    "declared",
    note="the profile `recommended`; a task of Fargate is sure of all its cores. Kubernetes has the smaller figures of "
    "N46",
    components=["task"],
    settings=["profile", "profiles.recommended.services.api-gateway"],
)
def vertically(stack: Recording) -> None:
    task = stack.one(TASK, GATEWAY)
    assert (task["cpu"], task["memory"]) == ("2048", "4096")
    assert running(stack, GATEWAY)["memoryReservation"] == 2048


@CHAPTER.row(
    "N74",
    "L706-708",
    "Documentation, an issue list, and support@yourdomain.com",
    "declared",
    note="both lists of alarms go to that address, and each alarm names its runbook in the product's repository",
    missing="the runbooks there, which are copied from docs/runbooks/; the documentation's own address",
    commands=["alerts status"],
    components=["notifications", "alarms"],
    settings=["notifications", "observability.runbook_url_prefix"],
)
def support(stack: Recording) -> None:
    subscribed = {
        (each["protocol"], each["endpoint"])
        for each in stack.all("aws:sns/topicSubscription:TopicSubscription")
    }
    assert subscribed == {("email", "support@yourdomain.com")}
    assert len(output(stack, "topics")) == 2
    alarms = [each for each in stack.all(ALARM) if each.name.startswith("alarms-")]
    prefix = "https://github.com/your-org/nx-project/blob/main/docs/runbooks/"
    assert [each.name for each in alarms if prefix not in each["alarmDescription"]] == []
    assert alarms
