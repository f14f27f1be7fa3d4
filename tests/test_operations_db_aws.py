"""`groundwork db status`, `reboot-if-pending`, `failover`, `failover-drill`, `restore` and `restore-pitr`.

Against the emulator's RDS; the states that it does not know (a restart that waits, a failover) and the one-off task are
answers of the test, checked against botocore's models. What asks a database asks a real one.
"""

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.db import (
    aws_ask,
    aws_failover,
    aws_pitr,
    aws_reboot,
    aws_restore,
    failover,
    instances,
    reach,
    status,
)
from operations.db.aws_failover import Answer, outage, outage_by_events
from operations.db.instances import MADE_BY, OF, Described
from operations.platform import Refusal
from operations.waits import Failed, Patience
from tests.aws_cloud import IDENTIFIER, OUTPUTS, Cloud, clock, cloud, database, emulator_url, refusal

__all__ = ["clock", "cloud", "emulator_url"]


@pytest.fixture
def groundwork(cloud, monkeypatch):
    """The command, on the stack of `cloud`."""
    for module in (aws_reboot, aws_failover, aws_restore, aws_pitr, failover, status):
        monkeypatch.setattr(module, "opened", lambda *_: cloud)

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(command.app, ["db", *arguments, "--stack", "prod"])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


def instance(**said: Any) -> Described:
    return Described(
        {
            "DBInstanceIdentifier": IDENTIFIER,
            "DBInstanceArn": f"arn:aws:rds:us-east-1:123456789012:db:{IDENTIFIER}",
            "DBInstanceStatus": "available",
            "DBInstanceClass": "db.r6g.large",
            "EngineVersion": "16.3",
            "MultiAZ": True,
            "AvailabilityZone": "us-east-1a",
            "DBSubnetGroup": {"DBSubnetGroupName": "isolated"},
            "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
            "DBParameterGroups": [{"DBParameterGroupName": "group", "ParameterApplyStatus": "in-sync"}],
            **said,
        },
        is_cluster=False,
    )


def cluster(**said: Any) -> Described:
    members = [
        {
            "DBInstanceIdentifier": f"{IDENTIFIER}-{number}",
            "IsClusterWriter": number == 2,
            "DBClusterParameterGroupStatus": "in-sync",
        }
        for number in (1, 2, 3)
    ]
    return Described(
        {
            "DBClusterIdentifier": IDENTIFIER,
            "DBClusterArn": f"arn:aws:rds:us-east-1:123456789012:cluster:{IDENTIFIER}",
            "Status": "available",
            "DBClusterInstanceClass": "db.m6gd.large",
            "EngineVersion": "16.3",
            "DBClusterMembers": members,
            "DBSubnetGroup": "isolated",
            "DBClusterParameterGroup": "group",
            "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
            **said,
        },
        is_cluster=True,
    )


def would(result: Any) -> list[str]:
    """What a dry run tells a program, which is all that is on standard output."""
    told = json.loads(result.stdout)
    assert told.keys() == {"stack", "would"}
    return told["would"]


WAITING = [{"DBParameterGroupName": "group", "ParameterApplyStatus": "pending-reboot"}]


# What RDS says of a database


def test_a_cluster_is_found_before_an_instance_and_its_writer_first(cloud):
    assert instances.get(cloud.client("rds"), IDENTIFIER) is None
    database(cloud)
    found = instances.find(cloud, cloud.client("rds"))
    assert (found.is_cluster, found.status, found.subnet_group) == (False, "available", "isolated")
    assert found.parameter_group == "database-postgres16-1a2b"
    assert str(cluster()) == f"the Multi-AZ DB cluster {IDENTIFIER}"
    assert [member["DBInstanceIdentifier"][-1] for member in cluster().members] == ["2", "1", "3"]
    assert cluster().subnet_group == "isolated"


def test_a_database_that_is_gone_or_none_of_the_stacks_own(cloud):
    with pytest.raises(Refusal, match=r"no instance and no cluster rentfix-primary.*`pulumi refresh`"):
        instances.find(cloud, cloud.client("rds"))
    with pytest.raises(Refusal, match="has no database of its own"):
        instances.declared(Cloud("rentalfix", "prod", {**OUTPUTS, "database": {}}))


def test_replicas_of_another_region_are_left_out(cloud):
    database(cloud)
    cloud.client("rds").create_db_instance_read_replica(
        DBInstanceIdentifier="rentfix-replica-1", SourceDBInstanceIdentifier=IDENTIFIER
    )
    found = instances.find(cloud, cloud.client("rds"))
    there = {
        **found.said,
        "ReadReplicaDBInstanceIdentifiers": ["arn:aws:rds:eu-west-1:1:db:far", "rentfix-replica-1"],
    }
    names = [
        each.identifier
        for each in instances.replicas(cloud.client("rds"), Described(there, is_cluster=False))
    ]
    assert names == ["rentfix-replica-1"]


# reboot-if-pending


def test_nothing_is_restarted_where_nothing_waits(groundwork, cloud, clock):
    database(cloud)
    assert "No parameter waits for a restart." in groundwork("reboot-if-pending", "--yes").stdout
    assert not cloud.calls("RebootDBInstance")


def replica(**said: Any) -> Described:
    return instance(DBInstanceIdentifier="rentfix-replica-1", MultiAZ=False, **said)


@pytest.mark.parametrize(
    ("primary_first", "names"),
    [(False, ["rentfix-replica-1", IDENTIFIER]), (True, [IDENTIFIER, "rentfix-replica-1"])],
)
def test_replicas_go_first_unless_figures_fall(primary_first, names):
    waiting = aws_reboot.restarts(
        instance(DBParameterGroups=WAITING),
        [replica(DBParameterGroups=WAITING)],
        failover=False,
        primary_first=primary_first,
    )
    assert [each.database.identifier for each in waiting] == names


def test_only_those_that_wait_are_restarted_and_only_the_primary_fails_over():
    waiting = aws_reboot.restarts(
        instance(DBParameterGroups=WAITING),
        [replica(), replica(DBParameterGroups=WAITING)],
        failover=True,
        primary_first=False,
    )
    assert [each.failover for each in waiting] == [False, True]
    assert "by a failover to its standby" in str(waiting[1])
    assert "every connection is dropped" in str(waiting[0])


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (cluster(), "A cluster is restarted as a whole"),
        (instance(MultiAZ=False, DBParameterGroups=WAITING), "has no standby to fail over to"),
    ],
)
def test_a_failover_that_cannot_be(found, sentence):
    with pytest.raises(Refusal, match=sentence):
        aws_reboot.restarts(found, [], failover=True, primary_first=False)


def test_a_cluster_waits_when_one_of_its_members_does():
    members = [{**member, "DBClusterParameterGroupStatus": "pending-reboot"} for member in cluster().members]
    assert not aws_reboot.is_pending(cluster())
    assert aws_reboot.is_pending(cluster(DBClusterMembers=members))


def test_a_restart_is_waited_for_until_the_parameters_are_in_use(groundwork, cloud, clock):
    made = database(cloud)
    states = iter(
        [
            ("available", "pending-reboot"),
            ("rebooting", "pending-reboot"),
            ("available", "pending-reboot"),
            ("available", "in-sync"),
        ]
    )

    def described(_):
        status, applied = next(states)
        groups = [{"DBParameterGroupName": "group", "ParameterApplyStatus": applied}]
        return {"DBInstances": [{**made, "DBInstanceStatus": status, "DBParameterGroups": groups}]}

    cloud.says("DescribeDBInstances", described)
    result = groundwork("reboot-if-pending", "--yes", "--failover", "--json")
    assert json.loads(result.stdout) == [{"restarted": IDENTIFIER, "failover": True}]
    assert cloud.calls("RebootDBInstance") == [{"DBInstanceIdentifier": IDENTIFIER, "ForceFailover": True}]
    assert f"will restart the instance {IDENTIFIER} by a failover" in result.stderr


def test_a_dry_run_restarts_nothing_and_a_database_at_work_is_left_alone(groundwork, cloud, clock):
    made = database(cloud)
    cloud.says("DescribeDBInstances", {"DBInstances": [{**made, "DBParameterGroups": WAITING}]})
    assert "Nothing was done (--dry-run)" in groundwork("reboot-if-pending", "--dry-run").stderr
    assert would(groundwork("reboot-if-pending", "--dry-run", "--json"))[0].startswith(
        f"restart the instance {IDENTIFIER}"
    )
    cloud.says(
        "DescribeDBInstances",
        {"DBInstances": [{**made, "DBParameterGroups": WAITING, "DBInstanceStatus": "backing-up"}]},
    )
    assert f"{IDENTIFIER} is backing-up" in groundwork("reboot-if-pending", "--yes", code=2).stderr
    assert not cloud.calls("RebootDBInstance")


def test_a_restart_that_does_not_end_is_told_in_time(groundwork, cloud, clock):
    made = database(cloud)
    cloud.says("DescribeDBInstances", {"DBInstances": [{**made, "DBParameterGroups": WAITING}]})
    result = groundwork("reboot-if-pending", "--yes", "--timeout-minutes", "5", "--json", code=1)
    assert "not in time, still its parameters still wait" in result.stderr
    assert json.loads(result.stdout) == {"failed": result.stderr.splitlines()[-1]}
    assert clock() == 300


# failover-drill


def test_an_outage_lasts_from_the_last_answer_before_to_the_first_after():
    seen = [
        Answer(0, "a 1"),
        Answer(1, "a 1"),
        Answer(2, None),
        Answer(30, None),
        Answer(31, "b 2"),
        Answer(32, "b 2"),
    ]
    found = outage(seen, "a 1")
    assert found is not None
    assert (found.seconds, found.moved) == (30, True)
    assert outage(seen[:4], "a 1") is None


def test_the_same_machine_after_a_restart_is_no_failover():
    found = outage([Answer(0, "a 1"), Answer(20, "a 2")], "a 1")
    assert found is not None
    assert not found.moved


def event(second: int, message: str) -> dict[str, Any]:
    return {"Date": datetime(2026, 4, 1, 12, 0, second, tzinfo=UTC), "Message": message}


def test_rds_events_tell_where_nobody_can_ask():
    events = [
        event(50, "Multi-AZ instance failover completed"),
        event(5, "Multi-AZ instance failover started."),
    ]
    found = outage_by_events(events)
    assert found is not None
    assert found.seconds == 45
    assert outage_by_events(events[:1]) is None
    names = ["Started cross AZ failover to DB instance: b", "Completed failover to DB instance: b"]
    of_cluster = outage_by_events([event(5 + 30 * number, name) for number, name in enumerate(names)])
    assert of_cluster is not None
    assert of_cluster.seconds == 30


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (instance(MultiAZ=False), "has no standby, so nothing would take over. Set database.multi_az"),
        (instance(DBInstanceStatus="modifying"), "is modifying. Wait"),
    ],
)
def test_a_drill_is_refused(found, sentence):
    assert any(sentence in problem for problem in aws_failover.problems(found))
    assert not aws_failover.problems(instance())
    assert not aws_failover.problems(cluster())


def test_what_a_drill_touches_is_said_with_what_comes_along():
    assert len(aws_failover.touches(instance(), 60)) == 1
    assert "60 s are allowed" in aws_failover.touches(instance(), 60)[0]
    assert "wait for a restart" in aws_failover.touches(instance(DBParameterGroups=WAITING), 60)[1]


@pytest.fixture
def told_by_events(cloud, monkeypatch):
    """A database that cannot be reached, and RDS' events of a failover of so many seconds."""
    monkeypatch.setattr(aws_failover, "is_reachable", lambda *_: False)

    def tell(seconds: int) -> None:
        now = datetime.now(UTC)
        ends = {"Multi-AZ instance failover started.": 3, "Multi-AZ instance failover completed": 3 + seconds}
        # One of an earlier drill, which does not count.
        old = [{"Date": now - timedelta(hours=1), "Message": "Multi-AZ instance failover started."}]
        events = [{"Date": now + timedelta(seconds=at), "Message": text} for text, at in ends.items()]
        cloud.says("DescribeEvents", {"Events": [*old, *events]})

    return tell


@pytest.mark.parametrize(("seconds", "code"), [(45, 0), (120, 0), (121, 1)])
def test_a_drill_is_measured_compared_and_published(groundwork, cloud, clock, told_by_events, seconds, code):
    database(cloud)
    told_by_events(seconds)
    result = groundwork("failover-drill", "--yes", "--json", code=code)
    [row] = json.loads(result.stdout)
    assert (row["outage_s"], row["allowed_s"], row["within"]) == (seconds, 120, code == 0)
    assert cloud.calls("RebootDBInstance") == [{"DBInstanceIdentifier": IDENTIFIER, "ForceFailover": True}]
    [published] = cloud.calls("PutMetricData")
    assert published["Namespace"] == "rentalfix/prod/database"
    [metric] = published["MetricData"]
    assert (metric["MetricName"], metric["Value"], metric["Unit"]) == ("FailoverSeconds", seconds, "Seconds")


def test_the_rto_may_be_said(groundwork, cloud, clock, told_by_events):
    database(cloud)
    told_by_events(45)
    groundwork("failover-drill", "--yes", "--rto-s", "44", code=1)


def test_without_a_standby_nothing_is_forced(groundwork, cloud, clock):
    database(cloud, MultiAZ=False)
    assert "has no standby" in groundwork("failover-drill", "--yes", code=2).stderr
    assert not cloud.calls("RebootDBInstance")


# failover


def test_a_failover_in_an_emergency_is_measured_and_not_judged(groundwork, cloud, clock, told_by_events):
    database(cloud)
    told_by_events(500)
    result = groundwork("failover", "--yes", "--json")
    [row] = json.loads(result.stdout)
    assert (row["outage_s"], row["database"]) == (500, IDENTIFIER)
    assert "will fail the instance" in result.stderr
    assert "are allowed" not in result.stderr
    assert cloud.calls("RebootDBInstance") == [{"DBInstanceIdentifier": IDENTIFIER, "ForceFailover": True}]
    assert not cloud.calls("PutMetricData"), "it is no drill"


def test_a_failover_is_asked_for_and_needs_a_standby(groundwork, cloud, clock):
    database(cloud)
    assert "would fail the instance" in groundwork("failover", "--dry-run").stderr
    for name in ("failover", "failover-drill"):
        assert would(groundwork(name, "--dry-run", "--json"))[0].startswith("fail the instance")
    assert "Nobody is there to say yes." in groundwork("failover", code=2).stderr
    assert "Leave --to out." in groundwork("failover", "--to", "other", code=2).stderr
    cloud.client("rds").modify_db_instance(
        DBInstanceIdentifier=IDENTIFIER, MultiAZ=False, ApplyImmediately=True
    )
    assert "has no standby" in groundwork("failover", "--yes", code=2).stderr
    assert not cloud.calls("RebootDBInstance")


def test_a_machine_that_only_restarted_is_told(groundwork, cloud, clock, monkeypatch):
    database(cloud)
    same = aws_failover.Outage(20, "from here", moved=False)
    monkeypatch.setattr(failover, "failed_over", lambda *_, **__: (same, instance()))
    said = groundwork("failover", "--yes", "--json", code=1)
    assert "no standby took over" in said.stderr
    [row] = json.loads(said.stdout)
    assert (row["from"], row["to"], row["outage_s"]) == ("us-east-1a", "us-east-1a", 20)


def test_of_a_cluster_a_reader_may_be_chosen(cloud):
    assert failover.member_of(cluster(), None) is None
    assert failover.member_of(cluster(), f"{IDENTIFIER}-3") == f"{IDENTIFIER}-3"
    with pytest.raises(Refusal, match=f"There is no reader {IDENTIFIER}-2 of {IDENTIFIER}"):
        failover.member_of(cluster(), f"{IDENTIFIER}-2")
    cloud.says("FailoverDBCluster", {})
    aws_failover.force(cloud.client("rds"), cluster(), f"{IDENTIFIER}-3")
    asked = {"DBClusterIdentifier": IDENTIFIER, "TargetDBInstanceIdentifier": f"{IDENTIFIER}-3"}
    assert cloud.calls("FailoverDBCluster") == [asked]
    assert f"to {IDENTIFIER}-3:" in aws_failover.touches(cluster(), member=f"{IDENTIFIER}-3")[0]


# status


def metrics(cloud: Cloud, **values: float) -> None:
    """By the metric's name; every database has the same."""

    def answer(given: dict[str, Any]) -> dict[str, Any]:
        asked = given["MetricDataQueries"]
        names = {each["Id"]: each["MetricStat"]["Metric"]["MetricName"] for each in asked}
        found = [
            {"Id": key, "Values": [values[name]] if name in values else []} for key, name in names.items()
        ]
        return {"MetricDataResults": found}

    cloud.says("GetMetricData", answer)


def test_the_status_of_a_database_that_is_well(groundwork, cloud):
    database(cloud)
    metrics(cloud, FreeStorageSpace=50 * 1024**3)
    said = json.loads(groundwork("status", "--json").stdout)
    [row] = said["members"]
    wanted = {"database": IDENTIFIER, "is": "primary", "state": "available", "version": "16.3", "lag_s": None}
    assert {key: row[key] for key in wanted} == wanted
    assert (row["storage_bytes"], row["free_bytes"]) == (100 * 1024**3, 50 * 1024**3)
    assert said["needs"] == []
    assert set(said["backup"]) == {"restorable to", "newest snapshot"}
    shown = groundwork("status").stdout
    assert IDENTIFIER in shown
    assert "newest snapshot: " in shown


def test_the_lag_of_a_replica_and_what_wants_somebody(groundwork, cloud):
    database(cloud)
    rds = cloud.client("rds")
    replica = f"{IDENTIFIER}-r1"
    rds.create_db_instance_read_replica(DBInstanceIdentifier=replica, SourceDBInstanceIdentifier=IDENTIFIER)
    metrics(cloud, ReplicaLag=300)
    try:
        said = json.loads(groundwork("status", "--json", code=1).stdout)
    finally:
        rds.modify_db_instance(DBInstanceIdentifier=replica, DeletionProtection=False)
        rds.delete_db_instance(DBInstanceIdentifier=replica, SkipFinalSnapshot=True)
    assert [(row["is"], row["lag_s"]) for row in said["members"]] == [("primary", None), ("replica", 300)]
    assert said["needs"] == [f"{replica} is 5 min 00 s behind. `groundwork db activity --replica`."]


NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "free", "sentence"),
    [
        ({"DBInstanceStatus": "storage-full"}, None, "is storage-full. docs/runbooks/database.md."),
        ({"PendingModifiedValues": {"DBInstanceClass": "x"}}, None, "`groundwork maintenance apply-now`"),
        ({"AllocatedStorage": 100}, 9 * 1024**3, "has 9.0 GB left of 100.0 GB."),
        (
            {"CertificateDetails": {"CAIdentifier": "rds-ca-2019", "ValidTill": NOW + timedelta(days=29)}},
            None,
            "ends on 2026-12-25.",
        ),
        (
            {"DBParameterGroups": [{"DBParameterGroupName": "g", "ParameterApplyStatus": "pending-reboot"}]},
            None,
            "`groundwork db reboot-if-pending`",
        ),
    ],
)
def test_each_thing_that_wants_somebody_is_a_sentence(said, free, sentence):
    found = instance(**said)
    [told] = status.needs(found, status.row("primary", found, None, free), NOW)
    assert sentence in told


def test_what_is_well_wants_nobody():
    found = instance(
        AllocatedStorage=100,
        PendingModifiedValues={},
        CertificateDetails={"CAIdentifier": "rds-ca-rsa2048-g1", "ValidTill": NOW + timedelta(days=31)},
    )
    assert list(status.needs(found, status.row("primary", found, 59, 11 * 1024**3), NOW)) == []


def test_of_a_cluster_its_members_are_seen(cloud):
    cloud.says("DescribeDBClusters", {"DBClusters": [dict(cluster().said)]})
    cloud.says("DescribeDBInstances", lambda given: {"DBInstances": [{**instance().said, **given}]})
    found = instances.everything(cloud, cloud.client("rds"))
    assert [(kind, each.identifier) for kind, each in found] == [
        ("cluster", IDENTIFIER),
        ("writer", f"{IDENTIFIER}-2"),
        ("reader", f"{IDENTIFIER}-1"),
        ("reader", f"{IDENTIFIER}-3"),
    ]


def test_a_cluster_fails_over_by_its_own_operation(cloud):
    cloud.says("FailoverDBCluster", {})
    aws_failover.force(cloud.client("rds"), cluster())
    assert cloud.calls("FailoverDBCluster") == [{"DBClusterIdentifier": IDENTIFIER}]
    assert aws_failover.zone(cluster()) == f"{IDENTIFIER}-2"


@pytest.fixture
def reached(postgres, cloud, tmp_path):
    """A real PostgreSQL as the stack's database, with its master's login in the emulator's Secrets Manager."""
    text = json.dumps({"username": "master", "password": postgres.passwords["master"]})
    arn = cloud.client("secretsmanager").create_secret(Name=f"master-{uuid4()}", SecretString=text)["ARN"]
    said = {
        **OUTPUTS["database"],
        "address": "localhost",
        "port": postgres.port,
        "name": "postgres",
        "masterSecretArn": arn,
    }
    return reach.Database(
        Cloud("rentalfix", "prod", {**OUTPUTS, "database": said}, cloud.endpoint_url),
        reach.Reach(ca=str(postgres.authority)),
    )


def test_a_real_database_is_asked_who_it_is(reached, postgres):
    probe = aws_failover.Probe(reached)
    answer = probe()
    assert answer is not None
    assert answer.startswith("127.0.0.1/32 20") or answer.startswith("127.0.0.1 20")
    assert answer == probe(), "the same server is the same"
    assert aws_failover.is_reachable("127.0.0.1", postgres.port)


def test_a_database_that_does_not_answer_is_nobody(reached, monkeypatch):
    probe = aws_failover.Probe(reached)
    probe._keywords["port"] = "1"
    assert probe() is None
    assert not aws_failover.is_reachable("127.0.0.1", 1)


def test_an_outage_is_watched_in_time():
    """Half a second without an answer, by the wall clock."""
    gone, back = threading.Event(), threading.Event()
    threading.Timer(0.2, gone.set).start()
    threading.Timer(0.7, back.set).start()

    def probe() -> str | None:
        return "b 2" if back.is_set() else None if gone.is_set() else "a 1"

    found = aws_failover.watched(probe, "a 1", Patience.of(0.1))
    assert 0.4 <= found.seconds <= 1.6


def test_a_failover_that_never_ends_is_told(clock):
    with pytest.raises(Failed, match="Look at once"):
        aws_failover.watched(lambda: None, "a 1", Patience.of(1))


# restore


@pytest.fixture
def restored(cloud, clock, monkeypatch):
    """A stack with two dumps and the task `restore`; what that task is told, and how it ends."""
    s3, ecs = cloud.client("s3"), cloud.client("ecs")
    s3.create_bucket(Bucket="rentfix-backups")
    for day in ("11", "12"):
        s3.put_object(Bucket="rentfix-backups", Key=f"postgres/rentfix_202601{day}.sql.gz", Body=b"dump")
    ecs.register_task_definition(
        family="rentalfix-prod-restore",
        containerDefinitions=[
            {
                "name": name,
                "image": "postgres",
                "command": ["sh", "-ec", "head -c 5 /data/restored | psql"],
                "memory": 128,
            }
            for name in ("prepare", "restore")
        ],
    )
    told: dict[str, Any] = {}

    def run(self: aws_ask.InTask, text: str, environment: dict[str, str], patience: Patience) -> list[str]:
        told.update(task=self.task, command=text, environment=environment, others=self.others)
        return ["The dump is fetched", "Restored: 7 records found", "groundwork:end"]

    monkeypatch.setattr(aws_ask.InTask, "run", run)
    return told


def test_the_newest_dump_takes_the_place_of_what_is_there(groundwork, restored):
    result = groundwork("restore", "--yes", "--json")
    key = "postgres/rentfix_20260112.sql.gz"
    assert restored["others"] == {"prepare": {"CONFIRM": "rentfix"}, "fetch": {"DUMP_KEY": key}}
    assert restored["environment"] == {}
    assert "createdb" not in restored["command"]
    assert json.loads(result.stdout) == [
        {"database": "rentfix", "dump": f"s3://rentfix-backups/{key}", "found": "7 records found"}
    ]
    assert "will REPLACE what is in the database rentfix" in result.stderr
    assert "restore-pitr --stack prod --time" in result.stderr


def test_another_dump_into_a_new_database(groundwork, restored):
    key = "postgres/rentfix_20260111.sql.gz"
    result = groundwork("restore", "--yes", "--into", "looked_up", "--key", f"s3://rentfix-backups/{key}")
    assert restored["others"]["fetch"] == {"DUMP_KEY": key}
    assert restored["environment"] == {"NEW_DATABASE": "looked_up"}
    assert "createdb" in restored["command"]
    assert "REPLACE" not in result.stderr
    assert "will make the database looked_up" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--into", "rentfix"], "is the stack's own database"),
        (["--into", "a; DROP TABLE x"], "lower-case letters, digits and underscores"),
        (
            ["--key", "postgres/none.sql"],
            "There is no dump postgres/none.sql .* newest are postgres/rentfix_20260112",
        ),
    ],
)
def test_a_restore_is_refused(groundwork, restored, arguments, sentence):
    result = groundwork("restore", "--yes", *arguments, code=2)
    assert re.search(sentence, result.stderr)
    assert not restored, "no task was run"


def test_a_dry_run_restores_nothing(groundwork, restored):
    assert "would REPLACE" in groundwork("restore", "--dry-run").stderr
    assert would(groundwork("restore", "--dry-run", "--json"))[0].startswith("REPLACE what is in")
    assert not restored


# restore-pitr


LATEST = datetime(2026, 4, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("yesterday", "--time is like"),
        ("2026-04-01T12:00:00", "--time needs its zone"),
        ("2026-04-02T12:00:01Z", "to 2026-04-02T12:00:00Z, and 2026-04-02T12:00:01Z is outside"),
        ("2026-03-01T00:00:00Z", "keeps rentfix-primary from 2026-03-02T00:00:00Z to"),
    ],
)
def test_a_moment_that_rds_does_not_keep(text, sentence):
    with pytest.raises(Refusal, match=sentence):
        aws_pitr.moment(text, instance(LatestRestorableTime=LATEST), datetime(2026, 3, 2, tzinfo=UTC))


def test_a_moment_is_taken_with_its_zone():
    kept = instance(LatestRestorableTime=LATEST)
    assert aws_pitr.moment("2026-04-01T12:00:00+02:00", kept, None) == datetime(2026, 4, 1, 10, tzinfo=UTC)
    assert aws_pitr.moment("latest", kept, None) == LATEST
    with pytest.raises(Refusal, match="keeps no automated backups"):
        aws_pitr.moment("latest", instance(), None)


def test_the_copy_is_made_as_the_original_is():
    found = instance(
        StorageType="gp3",
        AllocatedStorage=100,
        Iops=3000,
        MaxAllocatedStorage=500,
        EnabledCloudwatchLogsExports=["postgresql"],
        IAMDatabaseAuthenticationEnabled=True,
        TagList=[
            {"Key": "owner", "Value": "platform"},
            {"Key": "aws:x", "Value": "y"},
            {"Key": "Name", "Value": IDENTIFIER},
        ],
    )
    made = aws_pitr.instance_arguments(found, "copy", LATEST)
    assert made["DBSubnetGroupName"] == "isolated"
    assert made["VpcSecurityGroupIds"] == ["sg-1"]
    assert made["DBParameterGroupName"] == "group"
    assert made["MaxAllocatedStorage"] == 500
    assert made["EnableCloudwatchLogsExports"] == ["postgresql"]
    assert (made["DeletionProtection"], made["PubliclyAccessible"], made["MultiAZ"]) == (True, False, True)
    assert "Iops" not in made, "gp3 of this size refuses to be told"
    assert "ManageMasterUserPassword" not in made
    tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
    assert tags == {
        "owner": "platform",
        MADE_BY: "db-restore-pitr",
        OF: IDENTIFIER,
        "groundwork:time": "2026-04-02T12:00:00Z",
    }


def test_what_rds_keeps_of_the_password_it_keeps_for_the_copy_too():
    made = aws_pitr.instance_arguments(instance(MasterUserSecret={"KmsKeyId": "key"}), "copy", LATEST)
    assert (made["ManageMasterUserPassword"], made["MasterUserSecretKmsKeyId"]) == (True, "key")
    assert (
        aws_pitr.instance_arguments(
            instance(AllocatedStorage=400, StorageType="gp3", Iops=12000), "c", LATEST
        )["Iops"]
        == 12000
    )


def test_a_cluster_comes_back_as_one(cloud):
    cloud.says("RestoreDBClusterToPointInTime", {})
    aws_pitr.request(cloud.client("rds"), cluster(StorageType="io1", Iops=3000), "copy", LATEST)
    [made] = cloud.calls("RestoreDBClusterToPointInTime")
    assert made["DBClusterInstanceClass"] == "db.m6gd.large"
    assert (made["SourceDBClusterIdentifier"], made["DBClusterIdentifier"]) == (IDENTIFIER, "copy")
    assert (made["StorageType"], made["Iops"], made["DeletionProtection"]) == ("io1", 3000, True)


def test_the_original_is_never_touched_and_running_it_again_goes_on(groundwork, cloud, clock):
    database(cloud)
    before = instances.find(cloud, cloud.client("rds")).said
    moment = before["LatestRestorableTime"].isoformat()
    first = json.loads(groundwork("restore-pitr", "--time", moment, "--yes", "--json").stdout)
    copy = instances.get(cloud.client("rds"), first["identifier"])
    assert copy is not None
    assert copy.tags[OF] == IDENTIFIER
    assert first["identifier"].startswith(f"{IDENTIFIER}-at-20")
    again = json.loads(groundwork("restore-pitr", "--time", moment, "--yes", "--json").stdout)
    assert again == first
    assert len(cloud.calls("RestoreDBInstanceToPointInTime")) == 1
    changed = [
        name
        for name, given in cloud.asked
        if given.get("DBInstanceIdentifier") == IDENTIFIER and not name.startswith("Describe")
    ]
    assert changed == ["CreateDBInstance"], "by this test itself"
    text = groundwork("restore-pitr", "--time", moment).stdout
    assert "Nothing uses it yet" in text
    assert f"--new-db-instance-identifier {IDENTIFIER}-before" in text


def test_a_namesake_of_somebody_elses_is_left_alone(groundwork, cloud, clock):
    database(cloud)
    found = instances.find(cloud, cloud.client("rds"))
    when = aws_pitr.moment("latest", found, None)
    database(cloud, aws_pitr.name_of(found, when))
    cloud.says("DescribeDBInstanceAutomatedBackups", {"DBInstanceAutomatedBackups": []})
    assert (
        "stands already, and is not of this command"
        in groundwork("restore-pitr", "--time", when.isoformat(), "--yes", code=2).stderr
    )


def test_a_dry_run_makes_no_copy(groundwork, cloud, clock):
    database(cloud)
    moment = instances.find(cloud, cloud.client("rds")).said["LatestRestorableTime"].isoformat()
    assert (
        "would make rentfix-primary-at-" in groundwork("restore-pitr", "--time", moment, "--dry-run").stderr
    )
    [told] = would(groundwork("restore-pitr", "--time", moment, "--dry-run", "--json"))
    assert told.startswith("make rentfix-primary-at-")
    assert not cloud.calls("RestoreDBInstanceToPointInTime")


def test_the_name_of_a_copy_is_never_too_long():
    assert len(aws_pitr.name_of(instance(DBInstanceIdentifier="a" * 63), LATEST)) == 63


def test_the_way_over_names_what_hangs_on_the_original():
    platform = Cloud(
        "rentalfix", "prod", {**OUTPUTS, "database": {**OUTPUTS["database"], "proxyAddress": "proxy"}}
    )
    old = instance(DbiResourceId="db-OLD", ReadReplicaDBInstanceIdentifiers=["rentfix-replica-1"])
    text = "\n".join(
        aws_pitr.switch_over(platform, old, instance(DBInstanceIdentifier="copy", DbiResourceId="db-NEW"))
    )
    assert "register-db-proxy-targets --db-proxy-name rentfix-primary-proxy --db-instance-identifiers" in text
    assert "perl -pi -e 's/db-OLD/db-NEW/g' state.json" in text
    assert "pulumi stack export --stack prod" in text
    assert "Make the replicas rentfix-replica-1 anew" in text
    plain = "\n".join(aws_pitr.switch_over(Cloud("nobody", "prod", OUTPUTS), instance(), instance()))
    assert "proxy" not in plain
    assert "perl" not in plain
    assert "replicas" not in plain


# SQL asked by the one-off task


def task_answers(cloud: Cloud, *, code: int, messages: list[str]) -> None:
    arn = "arn:aws:ecs:us-east-1:123456789012:task/rentalfix-prod/0123"
    cloud.says("RunTask", {"tasks": [{"taskArn": arn}], "failures": []})
    container = {"name": "bootstrap", "exitCode": code}
    cloud.says(
        "DescribeTasks",
        {
            "tasks": [
                {
                    "lastStatus": "STOPPED",
                    "containers": [container],
                    "stoppedReason": "Essential container exited",
                }
            ]
        },
    )
    pages = {None: [{"message": text} for text in messages]}
    cloud.says(
        "GetLogEvents",
        lambda given: {"events": pages.get(given.get("nextToken"), []), "nextForwardToken": "t"},
    )


def test_a_task_of_the_stack_asks_and_its_log_answers(cloud, clock):
    task_answers(
        cloud,
        code=0,
        messages=["psql is loud", "groundwork:count", "7", "groundwork:empty", "groundwork:end"],
    )
    found = aws_ask.ask(
        aws_ask.InTask(cloud),
        {"count": "SELECT 7;", "empty": "SELECT 1 WHERE false"},
        Patience.of(5),
        host="copy",
    )
    assert found == {"count": ["7"], "empty": []}
    [run] = cloud.calls("RunTask")
    [override, *others] = run["overrides"]["containerOverrides"]
    assert others == [{"name": name, "command": ["exit 0"]} for name in ("prepare", "passwords", "publish")]
    environment = {pair["name"]: pair["value"] for pair in override["environment"]}
    assert override["name"] == "bootstrap"
    assert environment["PGHOST"] == "copy"
    assert environment["PGOPTIONS"] == "-c default_transaction_read_only=on"
    assert (
        environment["STATEMENTS"]
        == "\\echo groundwork:count\nSELECT 7\n;\n\\echo groundwork:empty\nSELECT 1 WHERE false\n;\n"
        "\\echo groundwork:end\n"
    )
    assert cloud.calls("GetLogEvents")[0]["logStreamName"] == "bootstrap/bootstrap/0123"


def test_the_log_is_waited_for_and_one_that_stays_short_is_told(cloud, clock):
    task_answers(cloud, code=0, messages=["groundwork:count"])
    with pytest.raises(Failed, match="Read the log group /rentalfix/prod/task-bootstrap"):
        aws_ask.ask(aws_ask.InTask(cloud), {"count": "SELECT 7"}, Patience.of(5))
    assert 90 <= clock() < 110


def test_a_task_that_fails_says_its_last_lines(cloud, clock):
    task_answers(cloud, code=3, messages=["ERROR: relation contractors does not exist"])
    with pytest.raises(Failed, match=r"bootstrap ended with 3(.|\n)*relation contractors does not exist"):
        aws_ask.ask(aws_ask.InTask(cloud), {"count": "SELECT 7"}, Patience.of(5))


def test_a_task_is_stopped_when_the_one_who_waits_is_interrupted(cloud, clock):
    task_answers(cloud, code=0, messages=[])
    cloud.says("StopTask", {})

    def interrupted(_):
        raise KeyboardInterrupt

    cloud.says("DescribeTasks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        aws_ask.ask(aws_ask.InTask(cloud), {"count": "SELECT 7"}, Patience.of(5))
    assert len(cloud.calls("StopTask")) == 1


def test_too_much_for_a_task_and_a_task_that_is_not_there(cloud, clock):
    with pytest.raises(Refusal, match="ECS takes 8192"):
        aws_ask.ask(aws_ask.InTask(cloud), {"count": f"SELECT '{'x' * 8200}'"}, Patience.of(5))
    with pytest.raises(Refusal, match="There is no task bootstrp"):
        aws_ask.InTask(cloud, "bootstrp").run("true", {}, Patience.of(5))


def test_a_refusal_of_aws_is_a_sentence_and_code_2(groundwork, cloud, clock):
    cloud.says("DescribeDBClusters", refusal("AccessDenied", "not you"))
    assert (
        "AWS refused DescribeDBClusters: not you" in groundwork("reboot-if-pending", "--yes", code=2).stderr
    )
