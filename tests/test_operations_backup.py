"""`groundwork backup now`, `status` and `verify` of snapshots and recovery points.

RDS, CloudWatch and S3 are the emulator's. AWS Backup's jobs and recovery points, which it has not, are answers of the
test, checked against botocore's models. No PostgreSQL runs there, so what a copy answers is given; what a real one
answers is in test_operations_backup_dumps.py.
"""

import json
import os
import signal
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.backup import copies, now, status, verify
from operations.backup.copies import Backup, made_at, name_of, stale
from operations.db import aws_ask, aws_proof, instances
from operations.db.aws_proof import Wanted, judged
from operations.db.instances import MADE_BY, OF, Described
from operations.platform import Refusal
from operations.waits import Failed, Patience, ended_politely
from tests.aws_cloud import IDENTIFIER, OUTPUTS, Cloud, clock, cloud, database, emulator_url, refusal
from tests.test_operations_db_aws import cluster, instance

__all__ = ["clock", "cloud", "emulator_url"]

VAULT = "rentalfix-prod"
POINT = "arn:aws:rds:us-east-1:123456789012:snapshot:awsbackup:job-1"
ROLE = "arn:aws:iam::123456789012:role/backups"


@pytest.fixture
def groundwork(cloud, clock, monkeypatch):
    for module in (now, status, verify):
        monkeypatch.setattr(module, "opened", lambda *_: cloud)

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(command.app, ["backup", *arguments, "--stack", "prod"])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


@pytest.fixture
def planned(cloud):
    """AWS Backup's plan and selection of the stack."""
    cloud.says("ListBackupPlans", {"BackupPlansList": [{"BackupPlanName": VAULT, "BackupPlanId": "plan"}]})
    cloud.says("ListBackupSelections", {"BackupSelectionsList": [{"IamRoleArn": ROLE}]})
    cloud.says("GetBackupPlan", {"BackupPlan": {"BackupPlanName": VAULT, "Rules": []}})
    return cloud


# now


def test_a_snapshot_is_taken_tagged_and_waited_for(groundwork, cloud):
    database(cloud)
    result = groundwork("now", "--kind", "snapshot", "--yes", "--json")
    arn = json.loads(result.stdout)["snapshot"]
    [found] = cloud.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert found["DBSnapshotArn"] == arn
    tags = {tag["Key"]: tag["Value"] for tag in found["TagList"]}
    until = f"{datetime.now(UTC) + timedelta(days=35):%Y-%m-%d}"
    assert tags == {MADE_BY: "backup-now", OF: IDENTIFIER, "groundwork:keep-until": until}
    assert "kept for 35 days" in result.stderr


def test_the_vault_gets_one_by_the_plans_own_role(groundwork, planned):
    database(planned)
    planned.client("backup")
    planned.says("DescribeBackupVault", {"MinRetentionDays": 40})
    planned.says("StartBackupJob", {"BackupJobId": "job"})
    states = iter(
        [{"State": "RUNNING", "PercentDone": "40"}, {"State": "COMPLETED", "RecoveryPointArn": POINT}]
    )
    planned.says("DescribeBackupJob", lambda _: next(states))
    result = groundwork("now", "--yes", "--json")
    assert json.loads(result.stdout)["vault"] == POINT
    [job] = planned.calls("StartBackupJob")
    assert (job["BackupVaultName"], job["IamRoleArn"], job["Lifecycle"]) == (
        VAULT,
        ROLE,
        {"DeleteAfterDays": 40},
    )
    assert job["RecoveryPointTags"][OF] == IDENTIFIER
    assert "kept for 40 days (the vault's lock wants it so)" in result.stderr
    order = [name for name, _ in planned.asked if name in ("CreateDBSnapshot", "StartBackupJob")]
    assert order == ["CreateDBSnapshot", "StartBackupJob"], "RDS takes one snapshot at a time"


def test_a_job_that_fails_says_why(groundwork, planned):
    database(planned)
    planned.says("DescribeBackupVault", {})
    planned.says("StartBackupJob", {"BackupJobId": "job"})
    planned.says("DescribeBackupJob", {"State": "FAILED", "StatusMessage": "in its maintenance window"})
    result = groundwork("now", "--kind", "vault", "--yes", code=1)
    assert "job ended as FAILED: in its maintenance window" in result.stderr


def test_without_a_plan_there_is_no_role(groundwork, cloud):
    database(cloud)
    cloud.says("ListBackupPlans", {"BackupPlansList": []})
    cloud.says("DescribeBackupVault", {})
    assert (
        "AWS Backup has no plan rentalfix-prod"
        in groundwork("now", "--kind", "vault", "--yes", code=2).stderr
    )


@pytest.mark.parametrize(
    ("said", "asked", "days"),
    [
        ({}, 35, 35),
        ({"MinRetentionDays": 40}, 35, 40),
        ({"MaxRetentionDays": 30}, 35, 30),
        ({"MinRetentionDays": 7}, 35, 35),
    ],
)
def test_how_long_is_within_the_vaults_lock(cloud, said, asked, days):
    cloud.says("DescribeBackupVault", said)
    assert now.kept_days(cloud.client("backup"), VAULT, asked) == days


def test_only_its_own_snapshots_go_and_only_when_their_day_is_past(groundwork, cloud):
    database(cloud)
    database(cloud, "another")
    rds = cloud.client("rds")
    mine = {MADE_BY: "backup-now", OF: IDENTIFIER}
    for name, source, tags in [
        ("past", IDENTIFIER, {**mine, "groundwork:keep-until": "2026-03-31"}),
        ("today", IDENTIFIER, {**mine, "groundwork:keep-until": "2026-04-01"}),
        ("somebodys", IDENTIFIER, {"groundwork:keep-until": "2026-03-31"}),
        ("upgrades", IDENTIFIER, {**mine, MADE_BY: "db-upgrade", "groundwork:keep-until": "2026-03-31"}),
        ("others", "another", {**mine, "groundwork:keep-until": "2026-03-31"}),
    ]:
        rds.create_db_snapshot(
            DBInstanceIdentifier=source, DBSnapshotIdentifier=name, Tags=instances.tag_list(tags)
        )
    found = instances.find(cloud, rds)
    assert now.expired(rds, found, date(2026, 4, 1)) == ["past"]
    result = groundwork("now", "--kind", "snapshot", "--yes")
    assert "will remove the snapshot past" in result.stderr
    left = {
        each["DBSnapshotIdentifier"]
        for each in rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    }
    assert {"somebodys", "upgrades", "others"} <= left
    assert "past" not in left


def test_a_dump_is_a_task_of_the_stack(groundwork, cloud, monkeypatch):
    database(cloud)
    monkeypatch.setattr(now.tasks.time, "sleep", lambda _: None)
    arn = "arn:aws:ecs:us-east-1:123456789012:task/rentalfix-prod/1"
    cloud.says("RunTask", {"tasks": [{"taskArn": arn}], "failures": []})
    ended = {"lastStatus": "STOPPED", "containers": [{"name": "dump", "exitCode": 0}]}
    cloud.says("DescribeTasks", lambda _: {"tasks": [ended]})
    cloud.client("s3").create_bucket(Bucket="rentfix-backups")
    cloud.client("s3").put_object(Bucket="rentfix-backups", Key="postgres/new.sql", Body=b"x")
    result = groundwork("now", "--kind", "dump", "--yes", "--json")
    assert json.loads(result.stdout) == {"dump": "s3://rentfix-backups/postgres/new.sql"}
    ended["containers"] = [{"name": "dump", "exitCode": 1}]
    assert "dump failed: dump ended with 1" in groundwork("now", "--kind", "dump", "--yes", code=1).stderr
    cloud.says("RunTask", {"tasks": [], "failures": [{"reason": "RESOURCE:ENI"}]})
    assert "RESOURCE:ENI" in groundwork("now", "--kind", "dump", "--yes", code=1).stderr


def test_a_snapshot_that_fails_and_one_that_takes_too_long(groundwork, cloud):
    made = database(cloud)
    arn = "arn:aws:rds:us-east-1:123456789012:snapshot:x"
    said = {"DBSnapshotIdentifier": "x", "DBSnapshotArn": arn, "Status": "creating", "PercentProgress": 7}
    cloud.says(
        "DescribeDBSnapshots", lambda given: {"DBSnapshots": [] if "SnapshotType" in given else [said]}
    )
    assert made
    late = groundwork("now", "--kind", "snapshot", "--yes", "--timeout-minutes", "1", code=1)
    assert "not in time, still creating, 7 %. RDS goes on with it" in late.stderr
    said["Status"] = "failed"
    assert "could not take the snapshot" in groundwork("now", "--kind", "snapshot", "--yes", code=1).stderr


def test_a_cluster_has_snapshots_of_its_own_kind(cloud, clock):
    arn = "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:x"
    states = iter(
        [
            refusal("DBClusterSnapshotNotFoundFault"),
            {"DBClusterSnapshots": [{"Status": "available", "DBClusterSnapshotArn": arn}]},
        ]
    )
    cloud.says("DescribeDBClusterSnapshots", lambda _: next(states))
    cloud.says("CreateDBClusterSnapshot", {})
    assert now.snapshot(cloud.client("rds"), cluster(), "x", {"a": "b"}, Patience.of(5)) == arn
    [made] = cloud.calls("CreateDBClusterSnapshot")
    assert made == {
        "DBClusterSnapshotIdentifier": "x",
        "DBClusterIdentifier": IDENTIFIER,
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    cloud.says("DeleteDBClusterSnapshot", {})
    now.remove(cloud.client("rds"), cluster(), "x")
    assert cloud.calls("DeleteDBClusterSnapshot") == [{"DBClusterSnapshotIdentifier": "x"}]


def test_a_dry_run_backs_nothing_up(groundwork, cloud):
    database(cloud)
    cloud.says("DescribeBackupVault", {})
    result = groundwork("now", "--dry-run", "--json")
    assert "would take an RDS snapshot" in result.stderr
    assert "would put a backup of it into the vault" in result.stderr
    told = json.loads(result.stdout)
    assert told["stack"] == str(cloud)
    assert [each.split(" of ")[0] for each in told["would"]] == [
        "take an RDS snapshot",
        "put a backup",
    ]
    assert not cloud.calls("CreateDBSnapshot")


def test_a_stack_without_a_vault(cloud, clock, monkeypatch):
    bare = Cloud(
        "rentalfix", "prod", {**OUTPUTS, "backups": {**OUTPUTS["backups"], "vault": ""}}, cloud.endpoint_url
    )
    database(bare)
    for module in (now, verify):
        monkeypatch.setattr(module, "opened", lambda *_: bare)
    run = CliRunner().invoke
    assert "--kind vault has nowhere to go" in run(command.app, ["backup", "now", "--kind", "vault"]).stderr
    result = run(command.app, ["backup", "now", "--dry-run"])
    assert "snapshot" in result.stderr
    assert "vault" not in result.stderr
    assert "has no vault. --from snapshot" in run(command.app, ["backup", "verify"]).stderr


# What an answer proves


ANSWERS = {
    "count": ["3"],
    "extensions": ["plpgsql\t1.0", "postgis\t3.3.2"],
    "postgis": ['POSTGIS="3.3.2" GEOS="3.11.1" PROJ="9.1.1"'],
    "distance": [str(aws_proof.DISTANCE_M)],
    "nearest": ["public.contractors.place\t3\t3"],
    "invalid": [],
    "tables": ["public.contractors\t3", "public.jobs\t~2000000"],
}

COUNTED = Wanted(count="SELECT 1")


def wrong(answers: Any = (), wanted: Wanted = COUNTED, original: Any = None) -> list[str]:
    return [
        f"{each.name}: {each.said}"
        for each in judged({**ANSWERS, **dict(answers)}, wanted, original).checks
        if not each.ok
    ]


def test_good_answers_prove_it():
    found = judged(ANSWERS, Wanted(count="SELECT 1"), ANSWERS)
    assert found.ok
    assert found.tables == {"public.contractors": "3", "public.jobs": "~2000000"}
    assert "2 with 2,000,003 rows" in [each.said for each in found.checks]
    assert found.newest is None


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"count": ["0"]}, "count: 0 records found, at least 1 expected"),
        ({"count": []}, "count: no answer records found, at least 1 expected"),
        ({"count": ["all"]}, "count: all records found, at least 1 expected"),
        ({"extensions": []}, "extensions: "),
        (
            {"dumped": ["CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;"]},
            "extensions: missing: pg_trgm",
        ),
        (
            {"postgis": ['POSTGIS="3.3.2" GEOS="3.11.1"']},
            'postgis: without PROJ: POSTGIS="3.3.2" GEOS="3.11.1"',
        ),
        ({"distance": ["113200"]}, "distance: 113200 m, 113304 m expected"),
        ({"distance": []}, "distance: no m, 113304 m expected"),
        ({"nearest": ["t.c\t2\t3"]}, "nearest: t.c: 2 of 3 rows"),
        ({"tables": []}, "tables: 0 with 0 rows"),
        ({"invalid": ["broken_index"]}, "indexes: invalid: broken_index"),
    ],
)
def test_each_wrong_answer_is_found(answers, sentence):
    assert wrong(answers) == [sentence]


def test_without_postgis_nothing_spatial_is_asked():
    found = judged({**ANSWERS, "postgis": [], "distance": [], "nearest": []}, Wanted())
    assert [each.name for each in found.checks] == ["extensions", "tables", "indexes"]


def test_nothing_that_the_original_has_may_be_missing():
    original = {**ANSWERS, "extensions": ["pg_trgm\t1.6"], "tables": ["public.jobs\t5", "public.lost\t1"]}
    found = wrong({"tables": ["public.jobs\t0"]}, original=original)
    assert found[0] == "extensions: missing: pg_trgm"
    assert found[1].startswith(
        "rows: missing: public.lost; without a row: public.jobs; if that came into the original after"
    )
    assert wrong({"tables": ["public.a\t0"]}, original={**ANSWERS, "tables": ["public.a\t0"]}) == [], (
        "it was empty before"
    )


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["contractors"], []),
        (["public.contractors"], []),
        (["jobs", "lost"], ["rows: missing: lost"]),
        (["empty"], ["rows: without a row: public.empty"]),
    ],
)
def test_tables_that_somebody_names_must_have_rows(names, found):
    tables = [*ANSWERS["tables"], "public.empty\t0"]
    assert wrong({"tables": tables}, Wanted(tables=names)) == found


def test_an_extension_that_somebody_names_must_be_there():
    assert wrong({}, Wanted(extensions=["pg_trgm"])) == ["extensions: missing: pg_trgm"]


def test_the_newest_row_has_a_time():
    found = judged({**ANSWERS, "newest": ["1775044800.5"]}, Wanted(newest="SELECT max(at) FROM jobs"))
    assert found.newest == datetime(2026, 4, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    assert wrong({"newest": [""]}, Wanted(newest="SELECT max(at) FROM jobs")) == [
        "newest row: the query gives no time"
    ]


def test_the_minimum_may_be_another():
    assert wrong({}, Wanted(count="x", minimum=3)) == []
    assert wrong({}, Wanted(count="x", minimum=4)) == ["count: 3 records found, at least 4 expected"]


# The copy


NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def test_a_copy_is_known_by_its_name():
    name = name_of(IDENTIFIER, NOON)
    assert name == f"groundwork-verify-20260401120000-{IDENTIFIER}"
    assert made_at(name, IDENTIFIER) == NOON
    assert len(name_of("a" * 63, NOON)) == 63
    assert made_at(name_of("a" * 63, NOON), "a" * 63) == NOON
    for other in (
        IDENTIFIER,
        f"{IDENTIFIER}-2",
        "groundwork-verify-x-rentfix-primary",
        name[:-1],
        name.replace("2026", "20x6"),
    ):
        assert made_at(other, IDENTIFIER) is None, other
    assert made_at(name, "another-primary") is None


def test_one_that_may_be_in_use_is_not_taken_away():
    left = [(instance(), NOON)]
    with pytest.raises(Refusal, match="was made 10 minutes ago: another proof may still work with it"):
        stale(left, NOON + timedelta(minutes=10), 120, take_over=False)
    assert len(stale(left, NOON + timedelta(minutes=10), 120, take_over=True)) == 1
    assert len(stale(left, NOON + timedelta(minutes=151), 120, take_over=False)) == 1
    assert stale([], NOON, 120, take_over=False) == []


def test_it_stands_where_the_original_does_and_nobody_sees_it():
    placed = copies.placed(instance(), None)
    assert (placed["DBSubnetGroupName"], placed["VpcSecurityGroupIds"]) == ("isolated", ["sg-1"])
    assert (placed["DBInstanceClass"], placed["DBParameterGroupName"]) == ("db.r6g.large", "group")
    assert not any(placed[key] for key in ("PubliclyAccessible", "MultiAZ", "DeletionProtection"))
    assert copies.placed(instance(), "db.t4g.medium")["DBInstanceClass"] == "db.t4g.medium"
    assert "DBParameterGroupName" not in copies.placed(cluster(), None), (
        "a cluster's group is of another kind"
    )


def test_what_aws_backup_keeps_is_overlaid_in_its_own_spelling():
    kept = {
        "dbInstanceIdentifier": IDENTIFIER,
        "MultiAZ": "true",
        "EnableCloudwatchLogsExports": '["postgresql"]',
        "Port": "5432",
        "AvailabilityZone": "us-east-1a",
    }
    metadata = copies.restore_metadata(kept, "copy", copies.placed(instance(), None))
    assert metadata == {
        "Port": "5432",
        "DBInstanceIdentifier": "copy",
        "DBInstanceClass": "db.r6g.large",
        "DBSubnetGroupName": "isolated",
        "VpcSecurityGroupIds": '["sg-1"]',
        "DBParameterGroupName": "group",
        "MultiAZ": "false",
        "PubliclyAccessible": "false",
        "DeletionProtection": "false",
        "CopyTagsToSnapshot": "false",
        "AutoMinorVersionUpgrade": "false",
    }


@pytest.fixture
def stood(cloud, clock, monkeypatch):
    """The database with a snapshot and its master's login; what a copy is asked is answered by ANSWERS."""
    text = json.dumps({"username": "postgres", "password": "of-today"})
    secret = cloud.client("secretsmanager")
    arn = secret.create_secret(Name=f"master-{os.urandom(8).hex()}", SecretString=text)["ARN"]
    said = {**OUTPUTS["database"], "masterSecretArn": arn}
    stack = Cloud(
        "rentalfix", "prod", {**OUTPUTS, "database": said}, cloud.endpoint_url, cloud.answers, cloud.asked
    )
    # The emulator takes a restored instance's protection from the original, where RDS takes what it is told.
    database(stack, DeletionProtection=False)
    stack.client("rds").create_db_snapshot(DBInstanceIdentifier=IDENTIFIER, DBSnapshotIdentifier="newest")
    monkeypatch.setattr(verify, "opened", lambda *_: stack)
    hosts: list[str | None] = []

    def ask(
        runner: Any, questions: dict[str, str], patience: Patience, *, host: str | None = None
    ) -> aws_ask.Answers:
        hosts.append(host)
        clock.sleep(60)
        return ANSWERS

    monkeypatch.setattr(verify, "ask", ask)
    return stack, hosts


def standing(cloud: Cloud) -> list[str]:
    return [each.identifier for each in instances.all_instances(cloud.client("rds"))]


def test_the_newest_snapshot_is_proved_timed_published_and_removed(groundwork, stood):
    cloud, hosts = stood
    result = groundwork("verify", "--from", "snapshot", "--yes", "--json")
    told = json.loads(result.stdout)
    assert told["proved"]
    assert told["source"].startswith("snapshot newest of 20")
    assert told["restore_s"] >= 60
    assert 0 <= told["data_age_s"] < 60
    [made] = cloud.calls("RestoreDBInstanceFromDBSnapshot")
    assert made["DBSnapshotIdentifier"] == "newest"
    tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
    assert tags == {"system": "rentalfix", MADE_BY: "backup-verify", OF: IDENTIFIER}
    assert hosts[0] is None, "the original was asked first"
    assert str(hosts[1]).startswith("groundwork-verify-")
    [changed] = cloud.calls("ModifyDBInstance")
    assert changed["DBInstanceIdentifier"] == made["DBInstanceIdentifier"]
    assert changed["MasterUserPassword"] == "of-today"
    assert "of-today" not in result.output
    assert standing(cloud) == [IDENTIFIER]
    [published] = cloud.calls("PutMetricData")
    assert published["Namespace"] == "rentalfix/prod/backups"
    figures = {metric["MetricName"]: metric["Value"] for metric in published["MetricData"]}
    assert figures["RestoreProved"] == 1
    assert figures["RestoreSeconds"] == told["restore_s"]
    assert published["MetricData"][0]["Dimensions"] == [{"Name": "From", "Value": "snapshot"}]


def test_for_a_person_it_is_a_table_and_a_sentence(groundwork, stood):
    result = groundwork("verify", "--from", "snapshot", "--yes", "--no-compare")
    assert "3 records found" in result.stdout
    assert "Proved: snapshot newest" in result.stdout
    assert "to the first answers (RTO)" in result.stdout
    assert stood[1] != [None], "the original was left alone"
    assert len(stood[1]) == 1


def test_a_wrong_answer_is_no_proof(groundwork, stood, monkeypatch):
    cloud, _ = stood
    monkeypatch.setitem(ANSWERS, "count", ["0"])
    result = groundwork("verify", "--from", "snapshot", "--yes", code=1)
    assert "NOT proved" in result.stdout
    assert standing(cloud) == [IDENTIFIER]
    [published] = cloud.calls("PutMetricData")
    assert {metric["MetricName"]: metric["Value"] for metric in published["MetricData"]}["RestoreProved"] == 0


def test_it_may_be_proved_and_too_late(groundwork, stood):
    result = groundwork("verify", "--from", "snapshot", "--yes", "--rto-s", "30", code=1)
    assert "more than the 30 s of --rto-s" in result.stderr
    groundwork("verify", "--from", "snapshot", "--yes", "--rto-s", "300", "--rpo-s", "300")
    proved = verify.Proved(source="x", restore_s=1, data_age_s=301, proof=judged(ANSWERS, Wanted()))
    assert list(verify._late(proved, 300, 300)) == ["The data are 301 s old, more than the 300 s of --rpo-s."]


@pytest.mark.parametrize("trouble", [Failed("psql could not"), KeyboardInterrupt()])
def test_whatever_happens_the_copy_is_removed(groundwork, stood, monkeypatch, trouble):
    cloud, _ = stood

    def ask(*_: Any, host: str | None = None, **__: Any) -> aws_ask.Answers:
        if host:
            raise trouble
        return ANSWERS

    monkeypatch.setattr(verify, "ask", ask)
    code = 1 if isinstance(trouble, Failed) else 130
    result = groundwork("verify", "--from", "snapshot", "--yes", "--json", code=code)
    assert standing(cloud) == [IDENTIFIER]
    published = cloud.calls("PutMetricData")
    if isinstance(trouble, Failed):
        assert "NOT proved: snapshot newest" in result.stderr
        told = json.loads(result.stdout)
        assert (told["proved"], told["problem"]) == (False, "psql could not")
        assert told["source"].startswith("snapshot newest")
        assert published[0]["MetricData"][0]["Value"] == 0
    else:
        assert not published


def test_a_copy_that_does_not_come_up_in_time_is_removed(groundwork, stood):
    cloud, _ = stood
    rds = cloud.client("rds")
    real = rds.describe_db_instances

    def slow(given: dict[str, Any]) -> dict[str, Any]:
        cloud.answers.pop("DescribeDBInstances")
        said = {key: value for key, value in real(**given).items() if key != "ResponseMetadata"}
        cloud.says("DescribeDBInstances", slow)
        for each in said["DBInstances"]:
            if each["DBInstanceIdentifier"].startswith("groundwork-verify-"):
                each["DBInstanceStatus"] = "creating"
        return said

    cloud.says("DescribeDBInstances", slow)
    result = groundwork(
        "verify", "--from", "snapshot", "--yes", "--no-compare", "--timeout-minutes", "3", code=1
    )
    assert "not in time, still creating. It is removed" in result.stderr
    cloud.answers.clear()
    assert standing(cloud) == [IDENTIFIER]


def test_what_an_interrupted_run_has_left_is_named_and_removed(groundwork, stood):
    cloud, _ = stood
    old = name_of(IDENTIFIER, datetime.now(UTC) - timedelta(hours=5))
    others = name_of("another-primary", datetime.now(UTC) - timedelta(hours=5))
    kept = name_of(IDENTIFIER, datetime.now(UTC) - timedelta(hours=6))
    database(cloud, old, DeletionProtection=False)
    database(cloud, others, DeletionProtection=False)
    database(cloud, kept)
    result = groundwork("verify", "--from", "snapshot", "--yes")
    assert f"will remove {old}, which an interrupted proof has left" in result.stderr
    assert sorted(standing(cloud)) == sorted([IDENTIFIER, others, kept]), (
        "one that is protected is somebody's"
    )


def test_one_of_another_run_stops_this_one(groundwork, stood):
    cloud, _ = stood
    database(cloud, name_of(IDENTIFIER, datetime.now(UTC)), DeletionProtection=False)
    assert (
        "another proof may still work" in groundwork("verify", "--from", "snapshot", "--yes", code=2).stderr
    )
    assert len(standing(cloud)) == 2
    groundwork("verify", "--from", "snapshot", "--yes", "--take-over")
    assert standing(cloud) == [IDENTIFIER]


def test_a_dry_run_makes_no_copy(groundwork, stood):
    cloud, hosts = stood
    assert (
        "would make an instance groundwork-verify-"
        in groundwork("verify", "--from", "snapshot", "--dry-run").stderr
    )
    told = json.loads(groundwork("verify", "--from", "snapshot", "--dry-run", "--json").stdout)
    [made] = told["would"]
    assert made.startswith("make an instance groundwork-verify-")
    assert not cloud.calls("RestoreDBInstanceFromDBSnapshot")
    assert not hosts


def test_rds_refuses_to_delete_what_is_being_made_and_is_asked_again(cloud, clock):
    database(cloud, "copy")
    answers = iter([refusal("InvalidDBInstanceState"), refusal("InvalidDBInstanceState"), {}])
    cloud.says("DeleteDBInstance", lambda _: next(answers))
    copies.remove(cloud.client("rds"), "copy")
    assert len(cloud.calls("DeleteDBInstance")) == 3
    assert cloud.calls("DeleteDBInstance")[0]["SkipFinalSnapshot"] is True
    cloud.says("DeleteDBInstance", lambda _: refusal("InvalidDBInstanceState"))
    with pytest.raises(Failed, match=r"costs money until it is gone\. `aws rds delete-db-instance"):
        copies.remove(cloud.client("rds"), "copy", Patience.of(1))


def test_a_removal_that_is_interrupted_says_what_is_left(cloud, clock, capsys):
    database(cloud, "copy")

    def interrupted(_: Any) -> Any:
        raise KeyboardInterrupt

    cloud.says("DeleteDBInstance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copies.remove(cloud.client("rds"), "copy")
    assert "copy is left: the next proof removes it" in capsys.readouterr().err


def test_a_kill_is_as_good_as_ctrl_c():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ended_politely():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_without_a_snapshot_there_is_nothing_to_prove(cloud):
    found = Described({**instance().said, "DBInstanceIdentifier": "bare"}, is_cluster=False)
    with pytest.raises(Refusal, match="no snapshot of bare yet"):
        copies.newest_snapshot(cloud.client("rds"), found)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "vault", "--here"], "--here reads a dump"),
        (["--from", "snapshot", "--key", "x"], "--key names a dump"),
    ],
)
def test_what_does_not_go_together(groundwork, stood, arguments, sentence):
    assert sentence in groundwork("verify", "--yes", *arguments, code=2).stderr


# A recovery point


@pytest.fixture
def pointed(stood, planned):
    """Two recovery points in the vault; the restore job makes its instance in the emulator."""
    cloud, _ = stood
    base = {"Status": "COMPLETED", "ResourceArn": "x"}
    points = [
        {**base, "RecoveryPointArn": f"{POINT}0", "CreationDate": NOON},
        {**base, "RecoveryPointArn": POINT, "CreationDate": NOON + timedelta(days=1)},
        {
            **base,
            "RecoveryPointArn": f"{POINT}2",
            "CreationDate": NOON + timedelta(days=2),
            "Status": "PARTIAL",
        },
    ]
    cloud.says("ListRecoveryPointsByBackupVault", {"RecoveryPoints": points})
    cloud.says(
        "GetRecoveryPointRestoreMetadata",
        {"RestoreMetadata": {"Port": "5432", "DBInstanceIdentifier": "old"}},
    )

    def start(given: dict[str, Any]) -> dict[str, Any]:
        database(cloud, given["Metadata"]["DBInstanceIdentifier"], DeletionProtection=False, Tags=[])
        return {"RestoreJobId": "job"}

    cloud.says("StartRestoreJob", start)
    states = ["RUNNING", "COMPLETED"]
    cloud.says("DescribeRestoreJob", lambda _: {"Status": states.pop(0) if len(states) > 1 else states[0]})
    return cloud, states


def test_the_newest_recovery_point_comes_back_through_aws_backup(groundwork, pointed):
    cloud, _ = pointed
    told = json.loads(groundwork("verify", "--yes", "--json").stdout)
    assert told["source"] == "recovery point awsbackup:job-1 of 2026-04-02 12:00 UTC"
    [job] = cloud.calls("StartRestoreJob")
    assert (job["RecoveryPointArn"], job["IamRoleArn"], job["ResourceType"]) == (POINT, ROLE, "RDS")
    assert job["Metadata"]["DBSubnetGroupName"] == "isolated"
    [tagged] = cloud.calls("AddTagsToResource")
    assert tagged["ResourceName"].endswith(f":db:{job['Metadata']['DBInstanceIdentifier']}")
    assert {MADE_BY, OF} <= {tag["Key"] for tag in tagged["Tags"]}
    assert standing(cloud) == [IDENTIFIER]


def test_a_restore_job_that_fails_is_told_and_nothing_is_left(groundwork, pointed):
    cloud, _ = pointed
    cloud.says("DescribeRestoreJob", {"Status": "FAILED", "StatusMessage": "no right on the key"})
    result = groundwork("verify", "--yes", code=1)
    assert "NOT proved: recovery point" in result.stderr
    assert "The restore job job failed: no right on the key." in result.stderr
    assert standing(cloud) == [IDENTIFIER]


def test_what_a_running_job_makes_is_waited_for_and_removed(cloud, clock):
    coming = iter([True, True, False])
    states = iter([refusal("DBInstanceNotFound")] * 3)
    cloud.says("DescribeDBInstances", lambda _: next(states))
    copies.remove(cloud.client("rds"), "copy", is_coming=lambda: next(coming))
    assert clock() == 30


def test_an_empty_vault_proves_nothing(groundwork, pointed):
    cloud, _ = pointed
    cloud.says("ListRecoveryPointsByBackupVault", {"RecoveryPoints": []})
    assert "holds no finished backup of rentfix-primary yet" in groundwork("verify", "--yes", code=2).stderr


def test_a_clusters_snapshot_comes_back_as_one_instance(cloud):
    cloud.says("RestoreDBInstanceFromDBSnapshot", {})
    source = Backup(
        "recovery point", "x", "arn:aws:rds:us-east-1:1:cluster-snapshot:x", NOON, of_cluster=True
    )
    copies._from_snapshot(cloud.client("rds"), cluster(), source, "copy", copies.placed(cluster(), None))
    [made] = cloud.calls("RestoreDBInstanceFromDBSnapshot")
    assert made["DBClusterSnapshotIdentifier"] == source.arn
    assert "DBSnapshotIdentifier" not in made
    assert made["DBInstanceClass"] == "db.m6gd.large"


# status


LIMIT = timedelta(hours=26)


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (26, ""),
        (27, "27.0 h old, more than 26 h. Do it."),
        (None, "there is none yet. Do it."),
    ],
)
def test_what_is_too_old_says_what_to_do(age, said):
    newest = None if age is None else NOON - timedelta(hours=age)
    found = status.aged("x", "y", newest, NOON, LIMIT, "Do it.")
    assert found.said == said
    assert found.row(NOON)["state"] == (said or "well")


def test_a_limit_is_told_in_its_own_unit():
    late = status.aged("x", "y", NOON - timedelta(minutes=30), NOON, timedelta(minutes=15), "Do it.")
    assert late.said == "0.5 h old, more than 15 min. Do it."


def recent(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


@pytest.fixture
def whole(cloud, planned):
    """A stack with everything in order."""
    database(cloud)
    cloud.client("rds").create_db_snapshot(DBInstanceIdentifier=IDENTIFIER, DBSnapshotIdentifier="s")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="rentfix-backups")
    s3.put_object(Bucket="rentfix-backups", Key="postgres/1.sql", Body=b"x" * 100)
    s3.put_object(Bucket="rentfix-backups", Key="postgres/2.sql", Body=b"x" * 90)
    rule = {
        "RuleName": "daily",
        "TargetBackupVaultName": VAULT,
        "CopyActions": [
            {"DestinationBackupVaultArn": f"arn:aws:backup:us-west-2:123456789012:backup-vault:{VAULT}"}
        ],
    }
    cloud.says("GetBackupPlan", {"BackupPlan": {"BackupPlanName": VAULT, "Rules": [rule]}})
    arn = f"arn:aws:rds:us-east-1:123456789012:db:{IDENTIFIER}"
    point = {"Status": "COMPLETED", "ResourceArn": arn, "RecoveryPointArn": POINT, "CreationDate": recent(3)}
    cloud.says(
        "ListRecoveryPointsByBackupVault", {"RecoveryPoints": [{**point, "CreationDate": recent(27)}, point]}
    )
    for operation, key in [
        ("BackupJobs", "BackupJobs"),
        ("CopyJobs", "CopyJobs"),
        ("RestoreJobs", "RestoreJobs"),
    ]:
        cloud.says(f"List{operation}", {key: []})
    plan = {
        "RestoreTestingPlanName": "rentalfix_prod",
        "RestoreTestingPlanArn": "arn:plan",
        "CreationTime": NOON,
        "ScheduleExpression": "cron(0 6 ? * SUN *)",
    }
    cloud.says("ListRestoreTestingPlans", {"RestoreTestingPlans": [plan]})
    cloud.says("GetMetricStatistics", {"Datapoints": []})
    return cloud


def tested(cloud: Cloud, **more: Any) -> None:
    jobs = [{"Status": "COMPLETED", "CreationDate": recent(48), "CompletionDate": recent(47), **more}]
    cloud.says(
        "ListRestoreJobs", lambda given: {"RestoreJobs": jobs if "ByRestoreTestingPlanArn" in given else []}
    )


def test_a_stack_in_order_is_well(groundwork, whole):
    tested(whole)
    rows = json.loads(groundwork("status", "--json").stdout)
    assert [row["state"] for row in rows] == ["well"] * len(rows)
    assert [row["kept in"] for row in rows] == [
        "RDS, any second",
        "RDS snapshots",
        f"vault {VAULT}",
        f"vault {VAULT}, us-west-2",
        "s3://rentfix-backups/postgres/",
        "proved by AWS Backup's test",
    ]
    assert 3 * 3600 <= rows[2]["age_s"] < 4 * 3600
    assert "well" in groundwork("status").stdout


def states(result: Any) -> str:
    return "\n".join(row["state"] for row in json.loads(result.stdout))


def test_a_proof_of_this_command_counts_and_a_failed_test_does_not(groundwork, whole):
    tested(whole, ValidationStatus="FAILED")
    assert "`groundwork backup verify` proves one now" in states(groundwork("status", "--json", code=1))
    points = [{"Timestamp": recent(2), "Maximum": 1.0}, {"Timestamp": recent(1), "Maximum": 0.0}]

    def counted(given: dict[str, Any]) -> dict[str, Any]:
        is_it = (given["MetricName"], given["Dimensions"][0]["Value"]) == ("RestoreProved", "dump")
        return {"Datapoints": points if is_it else []}

    whole.says("GetMetricStatistics", counted)
    rows = json.loads(groundwork("status", "--json").stdout)
    assert rows[-1]["kept in"] == "proved by `backup verify`"
    assert rows[-1]["age_s"] == pytest.approx(2 * 3600, abs=60)


def test_failed_jobs_are_told_with_their_reason(groundwork, whole):
    tested(whole)
    bad = {"State": "FAILED", "CreationDate": recent(5), "StatusMessage": "no key."}
    other = f"arn:aws:backup:us-east-1:123456789012:backup-vault:{VAULT}-other"
    whole.says(
        "ListBackupJobs",
        {"BackupJobs": [{**bad, "BackupJobId": "b1"}, {**bad, "BackupJobId": "b2", "State": "COMPLETED"}]},
    )
    whole.says(
        "ListCopyJobs",
        {"CopyJobs": [{**bad, "CopyJobId": "c1"}, {**bad, "CopyJobId": "c2", "SourceBackupVaultArn": other}]},
    )
    rows = json.loads(groundwork("status", "--json", code=1).stdout)
    told = {row["kept in"]: row["state"] for row in rows if row["store"].endswith("job")}
    assert told == {
        "b1": "failed: no key. docs/runbooks/backups.md.",
        "c1": "failed: no key. docs/runbooks/backups.md.",
    }
    assert whole.calls("ListBackupJobs")[0]["ByBackupVaultName"] == VAULT


def test_a_dump_that_has_shrunk_or_is_empty_is_told(groundwork, whole):
    tested(whole)
    s3 = whole.client("s3")
    s3.put_object(Bucket="rentfix-backups", Key="postgres/3.sql", Body=b"x" * 40)
    assert "postgres/3.sql has 40 B, postgres/2.sql before it had 90 B" in states(
        groundwork("status", "--json", code=1)
    )
    s3.put_object(Bucket="rentfix-backups", Key="postgres/4.sql", Body=b"")
    assert "postgres/4.sql is empty" in states(groundwork("status", "--json", code=1))


def test_no_dump_and_no_bucket_are_told(groundwork, whole):
    tested(whole)
    s3 = whole.client("s3")
    for key in ("postgres/1.sql", "postgres/2.sql"):
        s3.delete_object(Bucket="rentfix-backups", Key=key)
    assert "`groundwork run dump` makes one" in states(groundwork("status", "--json", code=1))
    s3.delete_bucket(Bucket="rentfix-backups")
    assert "not looked at: An error occurred (NoSuchBucket)" in states(groundwork("status", "--json", code=1))


def test_an_empty_vault_and_stale_points_are_told(groundwork, whole):
    tested(whole)
    whole.says("ListRecoveryPointsByBackupVault", {"RecoveryPoints": []})
    assert states(groundwork("status", "--json", code=1)).count("there is none yet") == 2


def test_the_age_that_is_allowed_may_be_said(groundwork, whole):
    tested(whole)
    assert "3.0 h old, more than 2 h" in states(groundwork("status", "--json", "--rpo-hours", "2", code=1))


def test_caches_that_keep_snapshots_are_looked_at(cloud):
    outputs = {**OUTPUTS, "caches": {name: {"replicationGroupId": name} for name in ("queue", "cache")}}
    stack = Cloud("rentalfix", "prod", outputs, cloud.endpoint_url, cloud.answers, cloud.asked)
    limits = {"queue": 7, "cache": 0}
    stack.says(
        "DescribeReplicationGroups",
        lambda given: {
            "ReplicationGroups": [{"SnapshotRetentionLimit": limits[given["ReplicationGroupId"]]}]
        },
    )
    node = {"SnapshotCreateTime": NOON}
    kept = [
        {"SnapshotStatus": "available", "NodeSnapshots": [node]},
        {"SnapshotStatus": "creating", "NodeSnapshots": [{}]},
    ]
    stack.says("DescribeSnapshots", {"Snapshots": kept})
    found = list(status.caches(stack, NOON + timedelta(hours=27), LIMIT))
    assert [(each.store, each.newest) for each in found] == [("cache queue", NOON)]
    assert "`groundwork redis snapshot` takes one" in found[0].said
