"""A cluster behind a proxy, scheduled SQL, a custom dump and its proof: what the program declares for them."""

import subprocess
from unittest.mock import patch

import pytest

from tests.program import _program
from tests.recorder import record
from tests.settings_examples import ABSENT, settle
from wiring.recovery import verify_script
from wiring.sql import statements_command

TASK = "aws:ecs/taskDefinition:TaskDefinition"
SCHEDULE = "aws:scheduler/schedule:Schedule"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"

STACK = {
    "database/multi_az": False,
    "database/multi_az_cluster": True,
    "database/replicas": [],
    "database/max_allocated_storage_gib": ABSENT,
    "database/instance_class": "db.r6gd.xlarge",
    "database/proxy": {"enabled": True},
    "backups/copy_region": None,
}
SYSTEM = {
    "backups/dump": {"prefix": "database/", "file_name": "full_%Y%m%d_%H%M%S.dump", "format": "custom"},
    "backups/prefixes": {"application/": 90},
    "backups/verify": {"schedule": "cron(0 6 * * ? *)", "database": "rentfix_verify", "minimum_rows": 7},
    "tasks/monthly": {
        "sql": ["REINDEX DATABASE CONCURRENTLY rentfix", "VACUUM ANALYZE -- all of it"],
        "schedule": "cron(0 2 ? * SUN#1 *)",
        "timezone": "Europe/Belgrade",
        "stop_after_minutes": 240,
        "retries": 0,
    },
    "tasks/daily": {
        "service": "core-matching",
        "command": ["node", "daily.js"],
        "schedule": "cron(0 2 * * ? *)",
    },
    "tasks/migrate/status_command": ["npm", "run", "migrate:status"],
    "tasks/migrate/rolled_back_command": ["npm", "run", "migrate:resolve", "--"],
    "tasks/migrate/backup_first": True,
}


def program(stack, system):
    settings = settle(stack, system)
    with patch("settings.loader.from_pulumi", lambda: settings):
        return record(_program, stack="prod")


@pytest.fixture(scope="module")
def whole():
    return program(STACK, SYSTEM)


def containers(declared, name):
    return declared.one(TASK, name).json("containerDefinitions")


def variables(container):
    return {each["name"]: each["value"] for each in container["environment"]}


def rights(declared, name):
    statements = declared.one("aws:iam/rolePolicy:RolePolicy", name).json("policy")["Statement"]
    return {each["Sid"]: each for each in statements}


def test_services_use_the_proxy_and_the_readers_and_the_master_goes_past_it(whole):
    (service,) = containers(whole, "core-matching")
    assert variables(service)["DB_HOST"].startswith("rentfix-primary-proxy.")
    assert variables(service)["ANALYTICS_DB_HOST"].startswith("rentfix-primary.cluster-ro-")
    (migrate,) = containers(whole, "task-migrate")
    assert variables(migrate)["DB_HOST"].startswith("rentfix-primary.cluster-a")
    (seed,) = containers(whole, "task-seed")
    assert variables(seed)["DB_HOST"].startswith("rentfix-primary-proxy.")
    assert variables(containers(whole, "task-dump")[0])["PGHOST"].startswith("rentfix-primary.cluster-a")


def test_the_proxy_leads_to_the_cluster_with_the_roles_logins(whole):
    assert whole.one("aws:rds/proxyTarget:ProxyTarget")["dbClusterIdentifier"] == "rentfix-primary"
    assert len(whole.one("aws:rds/proxy:Proxy")["auths"]) == 2
    ways = {rule.name for rule in whole.all(INGRESS)}
    assert any("database-proxy" in name and "core-matching" in name for name in ways)


def test_the_cluster_is_backed_up_restored_and_watched(whole):
    arn = "arn:aws:rds:us-east-1:111122223333:cluster:rentfix-primary"
    assert whole.one("aws:backup/selection:Selection")["resources"] == [arn]
    test = whole.one("aws:backup/restoreTestingSelection:RestoreTestingSelection")
    assert test["protectedResourceArns"] == [arn]
    assert "multiAz" not in test["restoreMetadataOverrides"]
    assert {"alarms-database-cpu", "alarms-database-lag", "alarms-database-proxy-pinned"} <= set(
        whole.names(ALARM)
    )
    outputs = whole.value["database"]
    assert outputs["proxyAddress"].startswith("rentfix-primary-proxy.")
    assert outputs["replicaAddresses"][0].startswith("rentfix-primary.cluster-ro-")


def test_statements_run_by_the_clock_and_no_longer_than_they_may(whole):
    work, report, limit = containers(whole, "task-monthly")
    assert variables(work)["STATEMENTS"] == (
        "REINDEX DATABASE CONCURRENTLY rentfix\n;\nVACUUM ANALYZE -- all of it\n;\n"
    )
    assert variables(work)["PGUSER"] == "postgres"
    assert variables(work)["PGOPTIONS"] == "-c client_connection_check_interval=10s"
    assert (work["essential"], report["essential"], limit["essential"]) == (False, True, True)
    assert report["dependsOn"] == [{"containerName": "monthly", "condition": "COMPLETE"}]
    assert limit["command"][0].startswith("sleep 14400; ")
    assert "AskHowItEnded" in rights(whole, "task-monthly-task")
    schedule = whole.one(SCHEDULE, "schedule-monthly")
    assert schedule["scheduleExpression"] == "cron(0 2 ? * SUN#1 *)"
    assert schedule["scheduleExpressionTimezone"] == "Europe/Belgrade"
    assert schedule["target"]["retryPolicy"]["maximumRetryAttempts"] == 0
    alarms = {name for name in whole.names(ALARM) if name.startswith("alarms-task-monthly")}
    assert alarms == {"alarms-task-monthly-failed"}, "nobody can look back a month for what is overdue"
    assert whole.one(ALARM, "alarms-task-monthly-failed")["alarmDescription"].endswith("/schedule.md")


def test_a_services_image_runs_by_the_clock_too(whole):
    work, report = containers(whole, "task-daily")
    assert work["command"] == ["node", "daily.js"]
    assert "containers[?name=='task-daily']" in report["command"][0]
    assert {name for name in whole.names(ALARM) if name.startswith("alarms-task-daily")} == {
        "alarms-task-daily-failed",
        "alarms-task-daily-overdue",
    }
    assert whole.value["tasks"]["daily"]["schedule"] == "cron(0 2 * * ? *)"


def test_a_migration_says_what_comes_before_and_after_it(whole):
    tasks = whole.value["tasks"]
    assert (tasks["migrate"]["backupFirst"], tasks["migrate"]["statusTask"]) == (True, "migrate-status")
    (status,) = containers(whole, "task-migrate-status")
    assert status["command"] == ["npm", "run", "migrate:status"]
    assert variables(status)["DB_USER"] == "postgres"
    assert (tasks["seed"]["backupFirst"], tasks["seed"]["statusTask"]) == (False, "")
    marking = {name: task["rolledBackCommand"] for name, task in tasks.items() if task["rolledBackCommand"]}
    assert marking == {"migrate": ["npm", "run", "migrate:resolve", "--"]}
    assert "schedule-migrate" not in whole.names(SCHEDULE)


def test_a_dump_in_pg_restores_own_format(whole):
    dump, upload = containers(whole, "task-dump")
    assert dump["command"][-1].endswith("pg_dump --format=custom > /var/lib/postgresql/data/dump.dump")
    assert '"s3://$BUCKET/database/$(date -u +full_%Y%m%d_%H%M%S.dump)"' in upload["command"][-1]
    assert whole.value["backups"]["dumpFormat"] == "custom"
    rules = whole.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "backups-lifecycle")
    days = {
        rule["filter"]["prefix"]: rule["expiration"]["days"]
        for rule in rules["rules"]
        if "days" in rule.get("expiration", {})
    }
    assert days == {"database/": 30, "application/": 90}


def test_the_newest_dump_is_read_back(whole):
    prepare, fetch, restore, report = containers(whole, "task-verify")
    assert prepare["command"][-1] == 'dropdb --if-exists --force "$VERIFY_DATABASE" || true'
    assert "--prefix database/" in fetch["command"][-1]
    assert fetch["command"][-1].endswith(
        ' /var/lib/postgresql/data/newest.dump || echo "No dump could be fetched"'
    )
    assert variables(restore)["VERIFY_QUERY"] == "SELECT COUNT(*) FROM contractors"
    assert (variables(restore)["VERIFY_DATABASE"], variables(restore)["MINIMUM_ROWS"]) == (
        "rentfix_verify",
        "7",
    )
    assert [each.get("dependsOn", [{}])[0].get("condition") for each in (fetch, restore, report)] == [
        "SUCCESS",
        "SUCCESS",
        "COMPLETE",
    ]
    assert "VerifyCompleted" in report["command"][0]
    assert rights(whole, "task-verify-task")["ReadDump"]["Resource"][0].endswith("/database/*")
    overdue = whole.one(ALARM, "alarms-verify-overdue")
    assert (overdue["metricName"], overdue["dimensions"]) == ("VerifyCompleted", {"Task": "verify"})
    assert overdue["alarmDescription"].endswith("/backups.md")


@pytest.mark.parametrize("ending", [".sql.gz", ".sql", ".dump"])
def test_without_a_dump_the_proof_fails_and_leaves_nothing(tmp_path, ending):
    """The rest of the script was run by hand against PostgreSQL 15, in all three formats."""
    (tmp_path / "dropdb").write_text('#!/bin/sh\necho "$*" > "$DROPPED"\n')
    (tmp_path / "dropdb").chmod(0o755)
    done = subprocess.run(
        ["bash", "-ec", verify_script(str(tmp_path / f"newest{ending}"))],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "DROPPED": str(tmp_path / "dropped"),
            "VERIFY_DATABASE": "v",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "Backup verification failed: No dump found\n")
    assert (tmp_path / "dropped").read_text() == "--if-exists --force v\n"


def test_statements_reach_psql_as_they_are():
    statement = """SELECT 'a$(id)`b` "c" ''d''' -- and %s \\"""
    command, environment = statements_command([statement])
    seen = subprocess.run(
        ["sh", "-ec", command.partition(" | ")[0]],
        env={"STATEMENTS": str(environment["STATEMENTS"])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout == f"{statement}\n;\n"


def test_without_a_dump_there_is_no_bucket_and_no_alarm_on_it():
    system = {"backups/dump": ABSENT, "backups/verify": ABSENT, "tasks": {}}
    bare = program({"database/proxy": {"enabled": False}}, system)
    assert "backups" not in bare.names("aws:s3/bucket:Bucket")
    assert not [name for name in bare.names(ALARM) if "dump" in name or "verify" in name]
    assert (bare.value["backups"]["bucket"], bare.value["backups"]["dumpFormat"]) == ("", "")
    assert bare.names("aws:rds/proxy:Proxy") == []
