"""`groundwork db upgrade`: the pre-flight, each stage, and that another run goes on where one was ended.

The stages run on the emulator's blue/green deployments. What it does not know (versions, default parameters) is an
answer of the test, checked against botocore's models. SQL is asked of a real PostgreSQL with PostGIS, which stands in
for both the original and the copy.
"""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.db import aws_ask, aws_state, instances
from operations.db.aws_ask import Here, ask
from operations.db.aws_upgrade import afterwards, blue_green, in_place, preflight
from operations.db.aws_upgrade import command as upgrading
from operations.db.aws_upgrade.preflight import Method, Seen, Target
from operations.db.instances import Described
from operations.platform import Refusal
from operations.waits import Failed, Patience
from tests.aws_cloud import IDENTIFIER, Cloud, clock, cloud, database, emulator_url
from tests.test_operations_db_aws import cluster, instance

__all__ = ["clock", "cloud", "emulator_url"]

MAJOR = Target("17.4", "postgres17", is_major=True)
MINOR = Target("16.9", "postgres16", is_major=False)
FAMILY = {"16": "postgres16", "17": "postgres17"}
GROUP_17 = "database-postgres17-3c4d"


def offered(cloud: Cloud, *targets: str) -> None:
    def versions(given: dict[str, Any]) -> dict[str, Any]:
        version = given["EngineVersion"]
        said = {"EngineVersion": version, "DBParameterGroupFamily": FAMILY[version[:2]]}
        return {
            "DBEngineVersions": [
                {**said, "ValidUpgradeTarget": [{"EngineVersion": each} for each in targets]}
            ]
        }

    cloud.says("DescribeDBEngineVersions", versions)
    names = ["max_connections", "rds.logical_replication"]
    parameters = [{"ParameterName": name} for name in names]
    parameters.append(
        {"ParameterName": "rds.extensions", "ParameterValue": "postgis, postgis_topology, pg_trgm"}
    )
    cloud.says("DescribeEngineDefaultParameters", {"EngineDefaults": {"Parameters": parameters}})
    replicated = {"ParameterName": "rds.logical_replication", "ParameterValue": "1", "ApplyType": "static"}
    cloud.says("DescribeDBParameters", {"Parameters": [replicated]})


@pytest.fixture
def asked(postgres, new_database, monkeypatch):
    """The database that answers whatever the task `bootstrap` asks; the hosts that were asked."""
    here = new_database("postgis")
    here.sql(
        "CREATE TABLE contractors (id int PRIMARY KEY, place geography); INSERT INTO contractors VALUES (1, NULL)"
    )
    hosts: list[str] = []
    folder = postgres.program.path.resolve().parent

    def run(self: aws_ask.InTask, text: str, environment: dict[str, str], patience: Patience) -> list[str]:
        hosts.append(environment.get("PGHOST", ""))
        known = {**here.environment("postgres"), **postgres.program.environment}
        rest = {name: value for name, value in environment.items() if name != "PGHOST"}
        path = {"PATH": f"{folder}:/usr/bin:/bin"}
        return Here({**known, **path}).run(text, rest, Patience.of(1))

    monkeypatch.setattr(aws_ask.InTask, "run", run)
    return here, hosts


@pytest.fixture
def groundwork(cloud, clock, monkeypatch):
    monkeypatch.setattr(upgrading, "opened", lambda *_: cloud)

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(command.app, ["db", "upgrade", "--stack", "prod", *arguments])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


@pytest.fixture
def standing(cloud):
    """The database at 16.3, its group of the new family, and 16.9, 17.2 and 17.4 on offer."""
    offered(cloud, "16.9", "17.2", "17.4")
    database(cloud)
    rds = cloud.client("rds")
    known = [each["DBParameterGroupName"] for each in rds.describe_db_parameter_groups()["DBParameterGroups"]]
    if GROUP_17 not in known:
        rds.create_db_parameter_group(
            DBParameterGroupName=GROUP_17,
            DBParameterGroupFamily="postgres17",
            Description=f"{IDENTIFIER} and its replicas",
        )
    return cloud


# The target


@pytest.mark.parametrize(("wanted", "version"), [("17", "17.4"), ("17.2", "17.2"), ("16", "16.9")])
def test_a_version_is_one_that_rds_offers(standing, wanted, version):
    rds = standing.client("rds")
    found = preflight.target(rds, instances.find(standing, rds), wanted)
    assert isinstance(found, Target)
    assert (found.version, found.family) == (version, FAMILY[version[:2]])
    assert found.is_major is version.startswith("17")


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("18", "takes 16.3 to no version 18. It offers 16.9, 17.2, 17.4."),
        ("15.2", "is at 16.3 already, and nothing goes back to 15.2"),
        ("1", "nothing goes back"),
    ],
)
def test_a_version_that_is_none(standing, wanted, sentence):
    rds = standing.client("rds")
    found = preflight.target(rds, instances.find(standing, rds), wanted)
    assert isinstance(found, str)
    assert sentence in found


def test_a_version_of_which_nothing_newer_is_offered(groundwork, cloud):
    offered(cloud)
    database(cloud)
    assert "It offers none: it is the newest." in groundwork("--to", "17", code=2).stderr


def test_blue_green_is_chosen_where_rds_makes_it():
    assert preflight.method(instance()) is Method.blue_green
    assert preflight.method(cluster()) is Method.in_place
    assert preflight.method(instance(MasterUserSecret={"SecretArn": "arn"})) is Method.in_place


# The pre-flight


NO_ANSWERS = {
    **{
        name: []
        for name in ("extensions", "prepared", "slots", "keyless", "unlogged", "objects", "regs", "broken")
    },
    "databases": ["2"],
    "slot-limit": ["20"],
}
REPLICATED = {"rds.logical_replication": {"ParameterValue": "1", "ApplyType": "static"}}


def seen(**more: Any) -> Seen:
    return replace(
        Seen(
            database=instance(AllocatedStorage=100, BackupRetentionPeriod=30),
            replicas=(),
            parameters=REPLICATED,
            known_parameters=frozenset({"rds.logical_replication"}),
            extensions_offered=frozenset({"postgis"}),
            groups=[GROUP_17],
            free_bytes=50 * preflight.GIB,
            deployments=(),
        ),
        **more,
    )


def stops(
    saw: Seen, wanted: Target = MAJOR, method: Method = Method.blue_green, **answers: list[str]
) -> list[str]:
    name = blue_green.name_of(saw.database, wanted.version)
    found = preflight.findings(saw, wanted, method, {**NO_ANSWERS, **answers}, name)
    return [each.said for each in found if each.stops]


def test_nothing_stops_a_database_that_is_ready():
    assert stops(seen()) == []
    assert stops(seen(), MINOR) == []
    assert stops(seen(), method=Method.in_place) == []


def ready(**more: Any) -> Described:
    return instance(**{"AllocatedStorage": 100, "BackupRetentionPeriod": 30, **more})


WAITING = [{"DBParameterGroupName": "group", "ParameterApplyStatus": "pending-reboot"}]
OTHER = {
    "BlueGreenDeploymentName": "terraform-1",
    "Status": "AVAILABLE",
    "BlueGreenDeploymentIdentifier": "bgd-1",
}
REPLICA = ready(DBInstanceIdentifier="rentfix-replica-1")


@pytest.mark.parametrize(
    ("saw", "sentence"),
    [
        (seen(database=ready(DBInstanceStatus="modifying")), "is modifying: wait"),
        (seen(database=ready(DBParameterGroups=WAITING)), "`groundwork db reboot-if-pending` first"),
        (seen(database=ready(PendingModifiedValues={"DBInstanceClass": "x"})), "changes that wait (DBInstanceClass)"),
        (seen(database=ready(BackupRetentionPeriod=0)), "Automated backups are off"),
        (seen(replicas=[ready(EngineVersion="16.1")]), "is at 16.1, its primary at 16.3"),
        (seen(replicas=[ready(ReadReplicaDBInstanceIdentifiers=["x"])]), "has replicas of its own"),
        (seen(replicas=[ready(DBInstanceStatus="rebooting")]), "is rebooting: wait"),
        (seen(groups=[]), "pulumi up --target '**::database-postgres17'"),
        (seen(groups=["a", "b"]), "Several parameter groups may be meant (a, b)"),
        (seen(known_parameters=frozenset({"other"})), "postgres17 knows no parameter rds.logical_replication"),
        (seen(free_bytes=19 * preflight.GIB), "19.0 GB of 100.0 GB are free, and an upgrade wants 20%"),
        (seen(parameters={}), "rds.logical_replication is 0: between major versions blue/green needs it"),
        (
            seen(database=ready(EngineVersion="15.3")),
            "Blue/green takes 15 to another major version from 15.4 on, and this is 15.3",
        ),
        (
            seen(deployments=[OTHER]),
            "An unfinished blue/green deployment terraform-1 (AVAILABLE)",
        ),
        (seen(database=ready(MasterUserSecret={"SecretArn": "arn"})), "whose master password it keeps itself"),
        (seen(database=cluster(BackupRetentionPeriod=7)), "no blue/green deployment of a Multi-AZ DB cluster"),
    ],
)  # fmt: skip
def test_what_stops_an_upgrade_is_said_with_its_remedy(saw, sentence):
    found = stops(saw)
    assert len(found) == 1, found
    assert sentence in found[0]


def test_all_of_it_is_said_in_one_go():
    assert (
        len(
            stops(
                seen(database=ready(DBInstanceStatus="x", BackupRetentionPeriod=0), groups=[], free_bytes=0.0)
            )
        )
        == 4
    )


def test_a_minor_version_needs_no_logical_replication_and_in_place_neither():
    assert stops(seen(parameters={}), MINOR) == []
    assert stops(seen(parameters={}), method=Method.in_place) == []
    assert stops(seen(), slots=["old"], regs=["a.b.c"], method=Method.in_place) != []


def test_its_own_deployment_does_not_stop_it():
    own = {
        "BlueGreenDeploymentName": f"{IDENTIFIER}-to-17-4",
        "Status": "x",
        "BlueGreenDeploymentIdentifier": "b",
    }
    assert stops(seen(deployments=[own])) == []


@pytest.mark.parametrize(
    ("question", "rows", "sentence"),
    [
        ("prepared", ["gid"], "Prepared transactions are open (gid)"),
        ("broken", ["half"], "databases half were half dropped"),
        ("slots", ["debezium"], "Logical replication slots (debezium)"),
        ("regs", ["public.t.c"], "Columns of a type that pg_upgrade refuses: public.t.c"),
        ("keyless", ["public.t"], "Tables without primary key: public.t"),
        ("unlogged", ["public.u"], "Unlogged tables are not carried over: public.u"),
        ("objects", ["3"], "3 large objects"),
        ("slot-limit", ["1"], "max_replication_slots is 1, and 2 databases"),
        ("extensions", ["postgis\t3.3.2\t3.4.0"], "`SELECT postgis_extensions_upgrade()` first"),
        ("extensions", ["pg_cron\t1.6\t1.6"], "17.4 offers no extension pg_cron"),
    ],
)
def test_what_is_in_the_database_may_stop_a_major_version(question, rows, sentence):
    found = stops(seen(), **{question: rows})
    assert len(found) == 1, found
    assert sentence in found[0]


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("slots", ["x"]), ("regs", ["x"]), ("keyless", ["x"]), ("unlogged", ["x"]), ("objects", ["1"]),
        ("extensions", ["postgis\t3.3.2\t3.4.0"]),
    ],
)  # fmt: skip
def test_a_minor_version_carries_all_of_it(question, rows):
    assert stops(seen(), MINOR, **{question: rows}) == []


def notes(saw: Seen, wanted: Target = MAJOR, answers: Any = NO_ANSWERS) -> str:
    found = preflight.findings(saw, wanted, Method.blue_green, answers, "x")
    return "\n".join(each.said for each in found if not each.stops)


def test_what_is_worth_knowing_is_said_beside_it():
    said = notes(seen(replicas=[REPLICA], free_bytes=None))
    assert (
        "The provider's own blue_green_update does nothing for an instance with replicas (rentfix-replica-1)"
        in said
    )
    assert "Static parameters of the group: rds.logical_replication; the switch-over brings them" in said
    assert "the room is unchecked" in said
    assert "No migration meanwhile" in said
    assert "blue_green_update" not in notes(seen())
    assert "proxy" not in notes(seen())
    assert "--db-proxy-name rentfix-primary-proxy` must show" in notes(seen(is_proxied=True))
    assert "was not asked (--without-sql)" in notes(seen(), answers=None)
    offers = frozenset({"pg_cron"})
    crontab = notes(
        seen(extensions_offered=offers), answers={**NO_ANSWERS, "extensions": ["pg_cron\t1.6\t1.6"]}
    )
    assert "pg_cron: its jobs must be off" in crontab


def test_a_real_database_answers_the_questions(asked):
    here, _ = asked
    here.sql(
        "CREATE TABLE keyless (a int); CREATE TABLE full_rows (a int); ALTER TABLE full_rows REPLICA IDENTITY FULL;"
        "CREATE UNLOGGED TABLE fleeting (a int PRIMARY KEY); CREATE TABLE pointing (a int PRIMARY KEY, b regproc);"
        "SELECT lo_create(0);"
    )
    found = ask(aws_ask.InTask(Cloud("x", "y", {})), dict(preflight.QUESTIONS), Patience.of(1))
    assert found["keyless"] == ["public.keyless"]
    assert found["unlogged"] == ["public.fleeting"]
    assert found["regs"] == ["public.pointing.b"]
    assert found["objects"] == ["1"]
    assert found["prepared"] == found["slots"] == found["broken"] == []
    assert [line.split("\t")[0] for line in found["extensions"]] == ["plpgsql", "postgis"]
    assert int(found["databases"][0]) >= 2
    assert found["slot-limit"] == ["10"]
    stopped = list(preflight._inside(seen(), MAJOR, Method.blue_green, found))
    assert len([each for each in stopped if each.stops]) == 4


def test_a_cluster_is_looked_at_by_its_own_operations(cloud):
    """The emulator's clusters are Aurora's, so the answers are given."""
    cloud.says(
        "DescribeDBClusterParameters", {"Parameters": [{"ParameterName": "work_mem", "ApplyType": "dynamic"}]}
    )
    cloud.says(
        "DescribeEngineDefaultClusterParameters",
        {"EngineDefaults": {"Parameters": [{"ParameterName": "work_mem"}]}},
    )
    group = {"DBClusterParameterGroupName": "new", "DBParameterGroupFamily": "postgres17"}
    said = f"{IDENTIFIER}, all of its members"
    groups = [
        {**group, "Description": said},
        {**group, "DBClusterParameterGroupName": "x", "Description": "another's"},
    ]
    cloud.says(
        "DescribeDBClusterParameterGroups",
        lambda given: {
            "DBClusterParameterGroups": groups[: 1 if "DBClusterParameterGroupName" in given else 2]
        },
    )
    cloud.says("GetMetricStatistics", {"Datapoints": [{"Minimum": 30.0}, {"Minimum": 20.0}]})
    found = preflight.seen(cloud, cloud.client("rds"), cluster(), "postgres17")
    assert (found.groups, found.free_bytes, found.is_proxied) == (["new"], 20.0, False)
    assert set(found.parameters) == found.known_parameters == {"work_mem"}
    assert found.extensions_offered is None
    [asked] = cloud.calls("GetMetricStatistics")
    assert asked["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": f"{IDENTIFIER}-2"}], (
        "the writer's"
    )
    named = preflight.with_group(cloud.client("rds"), found, "new", MAJOR)
    assert named.groups == ["new"]


# The stages


def test_the_whole_way_in_one_run_and_the_clean_up_in_another(groundwork, standing, asked):
    rds = standing.client("rds")
    result = groundwork("--to", "17", "--yes", "--json")
    told = json.loads(result.stdout)
    assert told["stage"] == "switched over"
    assert [each["name"] for each in told["checks"] if not each["ok"]] == []
    assert [made["TargetEngineVersion"] for made in standing.calls("CreateBlueGreenDeployment")] == ["17.4"]
    assert standing.calls("CreateBlueGreenDeployment")[0]["TargetDBParameterGroupName"] == GROUP_17
    found = instances.find(standing, rds)
    assert found.version == "17.4"
    steps = "\n".join(told["afterwards"])
    assert 'database.engine_version: "17.4"' in steps
    assert "operations.postgres_image of PostgreSQL 17" in steps
    assert f"--to 17.4 --until clean-up` takes a last snapshot and removes {IDENTIFIER}-old1" in steps
    _, hosts = asked
    assert {bool(host) for host in hosts} == {True, False}, "both the copy and the original were asked"
    # The old one stands until somebody says so.
    assert instances.get(rds, f"{IDENTIFIER}-old1") is not None
    again = groundwork("--to", "17")
    assert "Now: switched over." in again.stdout

    done = json.loads(groundwork("--to", "17.4", "--until", "clean-up", "--yes", "--json").stdout)
    assert done["snapshots"] == [f"{IDENTIFIER}-before-17-4"]
    assert instances.get(rds, f"{IDENTIFIER}-old1") is None
    snapshots = rds.describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    assert [each["DBSnapshotIdentifier"] for each in snapshots] == [f"{IDENTIFIER}-before-17-4"]
    assert not rds.describe_blue_green_deployments()["BlueGreenDeployments"]
    found = instances.find(standing, rds)
    assert (found.version, found.said["DeletionProtection"]) == ("17.4", True)
    last = groundwork("--to", "17", "--until", "clean-up", "--yes")
    assert "Now: upgraded." in last.stdout


def test_each_run_goes_as_far_as_it_is_told_and_the_next_goes_on(groundwork, standing, asked):
    assert "Now: the copy stands." in groundwork("--to", "17.4", "--until", "make", "--yes").stdout
    assert not standing.calls("SwitchoverBlueGreenDeployment")
    result = groundwork("--to", "17.4", "--until", "verify", "--yes")
    assert "The copy is fit to be switched over to." in result.stderr
    assert len(standing.calls("CreateBlueGreenDeployment")) == 1
    assert not standing.calls("SwitchoverBlueGreenDeployment")
    groundwork("--to", "17.4", "--yes")
    assert len(standing.calls("SwitchoverBlueGreenDeployment")) == 1
    assert len(standing.calls("CreateBlueGreenDeployment")) == 1


def test_a_pre_flight_that_finds_something_ends_it_before_anything_is_made(groundwork, standing, asked):
    here, _ = asked
    here.sql("CREATE TABLE keyless (a int)")
    standing.says("DescribeDBParameters", {"Parameters": []})
    result = groundwork("--to", "17.4", "--yes", code=1)
    assert "STOP  rds.logical_replication is 0" in result.stderr
    assert "STOP  Tables without primary key: public.keyless" in result.stderr
    assert "2 of these must be mended" in result.stderr
    assert not standing.calls("CreateBlueGreenDeployment")


def test_a_dry_run_checks_and_makes_nothing(groundwork, standing, asked):
    result = groundwork("--to", "17.4", "--dry-run", "--json")
    assert f"would make a copy of {IDENTIFIER} at 17.4" in result.stderr
    told = json.loads(result.stdout)
    assert told["would"] == [f"make a copy of {IDENTIFIER} at 17.4, which is paid for; the original goes on"]
    assert not any(each["stops"] for each in told["findings"])
    assert not standing.calls("CreateBlueGreenDeployment")


def test_without_anybody_to_answer_nothing_is_made(groundwork, standing):
    assert "Add --yes" in groundwork("--to", "17.4", "--without-sql", code=2).stderr
    assert not standing.calls("CreateBlueGreenDeployment")


@pytest.mark.parametrize(
    ("program", "code"), [("true", 0), ("false", 1), ("sh -c 'test $GROUNDWORK_COPY_PORT = 5432'", 0)]
)
def test_somebodys_own_check_must_end_well(groundwork, standing, program, code):
    result = groundwork(
        "--to", "17.4", "--without-sql", "--yes", "--until", "verify", "--check", program, code=code
    )
    assert ("not fit" in result.stderr) is bool(code)
    assert not standing.calls("SwitchoverBlueGreenDeployment")


def test_what_somebodys_own_check_says_is_not_mixed_with_the_json(groundwork, standing, capfd):
    words = ("--to", "17.4", "--without-sql", "--yes", "--until", "verify", "--check", "echo all is well")
    assert json.loads(groundwork(*words, "--json").stdout)["stage"] == blue_green.Stage.made
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "all is well\n")


def test_a_check_that_is_none(groundwork, standing):
    result = groundwork("--to", "17.4", "--without-sql", "--yes", "--check", "/no/such/program", code=2)
    assert "/no/such/program cannot be run: No such file" in result.stderr


def test_a_copy_that_has_lost_something_is_not_switched_over_to(groundwork, standing, asked):
    here, _ = asked
    groundwork("--to", "17.4", "--until", "make", "--yes")
    run = aws_ask.InTask.run

    def emptied(self, text, environment, patience):
        if environment.get("PGHOST"):
            here.sql("DELETE FROM contractors")
        return run(self, text, environment, patience)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws_ask.InTask, "run", emptied)
        # The original is asked first, so that it is seen with its row.
        patch.setattr(upgrading.Run, "ask", _original_first(upgrading.Run.ask, here))
        result = groundwork("--to", "17.4", "--yes", code=1)
    assert "count: 0 records found, at least 1 expected" in result.stderr
    assert "rows: without a row: public.contractors" in result.stderr
    assert not standing.calls("SwitchoverBlueGreenDeployment")


def _original_first(ask_as_ever: Any, here: Any) -> Any:
    """What the original says, whatever the copy, which is the same server here, has lost since."""

    def asking(
        self: Any, questions: dict[str, str], *, host: str | None = None, read_only: bool = True
    ) -> Any:
        if host is None:
            here.sql("INSERT INTO contractors VALUES (1, NULL) ON CONFLICT DO NOTHING")
        return ask_as_ever(self, questions, host=host, read_only=read_only)

    return asking


def test_members_of_the_copy_that_are_not_ready(standing):
    rds = standing.client("rds")
    found = instances.find(standing, rds)
    copy = database(standing, "copy", EngineVersion="17.2")
    group = [{"DBParameterGroupName": "group", "ParameterApplyStatus": "pending-reboot"}]
    known = {"copy": {**copy, "DBInstanceStatus": "creating", "DBParameterGroups": group}}
    details = [
        {"SourceMember": found.arn, "TargetMember": f"{found.arn}:copy"},
        {"SourceMember": f"{found.arn}:other", "TargetMember": f"{found.arn}:gone"},
    ]
    standing.says(
        "DescribeDBInstances",
        lambda given: (
            {"DBInstances": [known["copy"]]} if given["DBInstanceIdentifier"] == "copy" else _none()
        ),
    )
    problems = blue_green.copy_problems(rds, {"SwitchoverDetails": details}, MAJOR)
    assert problems == [
        "copy is at 17.2, and not at 17.4.",
        "copy is creating.",
        "copy waits for a restart: `aws rds reboot-db-instance --db-instance-identifier copy`.",
        "gone, the copy of other, is gone.",
    ]


def _none() -> dict[str, Any]:
    return {
        "Error": {"Code": "DBInstanceNotFound", "Message": "none"},
        "ResponseMetadata": {"HTTPStatusCode": 404},
    }


def deployment(status: str, **more: Any) -> dict[str, Any]:
    arn = f"arn:aws:rds:us-east-1:123456789012:db:{IDENTIFIER}"
    return {
        "BlueGreenDeploymentIdentifier": "bgd-0123456789abcdef",
        "BlueGreenDeploymentName": f"{IDENTIFIER}-to-17-4",
        "Source": arn,
        "Target": f"{arn}-green-abc",
        "Status": status,
        **more,
    }


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (
            "INVALID_CONFIGURATION",
            r"is INVALID_CONFIGURATION: too small\. The copy no longer fits its original\. Delete the deployment",
        ),
        ("PROVISIONING_FAILED", "Delete the deployment, mend it"),
        ("DELETING", "once it is gone"),
        ("SOMETHING_NEW", "Look at it in the console"),
    ],
)
def test_a_deployment_that_broke_is_explained(cloud, status, sentence):
    cloud.says(
        "DescribeBlueGreenDeployments",
        {"BlueGreenDeployments": [deployment(status, StatusDetails="too small")]},
    )
    with pytest.raises(Refusal, match=sentence) as refused:
        blue_green.look(cloud.client("rds"), instance(), MAJOR)
    assert "bgd-0123456789abcdef` removes" in str(refused.value)


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        ("PROVISIONING", "the copy is being made"),
        ("AVAILABLE", "the copy stands"),
        ("SWITCHOVER_FAILED", "the copy stands"),
        ("SWITCHOVER_IN_PROGRESS", "switching over"),
        ("SWITCHOVER_COMPLETED", "switched over"),
    ],
)
def test_a_stage_is_what_rds_says(cloud, status, stage):
    cloud.says("DescribeBlueGreenDeployments", {"BlueGreenDeployments": [deployment(status)]})
    assert blue_green.look(cloud.client("rds"), instance(), MAJOR).stage == stage


def test_without_a_deployment_the_version_says_it(cloud):
    cloud.says("DescribeBlueGreenDeployments", {"BlueGreenDeployments": []})
    assert blue_green.look(cloud.client("rds"), instance(), MAJOR).stage == "to be begun"
    assert blue_green.look(cloud.client("rds"), instance(EngineVersion="17.4"), MAJOR).stage == "upgraded"


def test_a_switch_over_that_rds_rolls_back_is_a_failure(cloud, clock):
    states = iter(["SWITCHOVER_IN_PROGRESS", "SWITCHOVER_FAILED"])
    cloud.says("SwitchoverBlueGreenDeployment", {})
    cloud.says(
        "DescribeBlueGreenDeployments",
        lambda _: {"BlueGreenDeployments": [deployment(next(states), StatusDetails="replica lag")]},
    )
    with pytest.raises(Failed, match=r"did not switch over: replica lag\. Everything is as it was before"):
        blue_green.switch_over(
            cloud.client("rds"), instance(), MAJOR, deployment("AVAILABLE"), Patience.of(5)
        )


def test_a_copy_that_takes_too_long_is_waited_for_again(cloud, clock):
    tasks = [
        {"Name": "CREATING_READ_REPLICA_OF_SOURCE", "Status": "COMPLETED"},
        {"Name": "x", "Status": "PENDING"},
    ]
    cloud.says(
        "DescribeBlueGreenDeployments", {"BlueGreenDeployments": [deployment("PROVISIONING", Tasks=tasks)]}
    )
    with pytest.raises(
        Failed, match=r"still the copy is being made, 1 of 2 steps.* run the same command again"
    ):
        blue_green.wait_made(cloud.client("rds"), instance(), MAJOR, Patience.of(5))


def test_old_ones_are_never_the_one_that_works(standing):
    rds = standing.client("rds")
    for name, version in [
        ("-old1", "16.3"),
        ("-old2", "17.4"),
        ("-older", "16.3"),
        ("-replica-old1", "16.3"),
    ]:
        database(standing, f"{IDENTIFIER}{name}", EngineVersion=version)
    found = Described({**instances.find(standing, rds).said, "EngineVersion": "17.4"}, is_cluster=False)
    assert [each.identifier for each in blue_green.old_ones(rds, found, None)] == [f"{IDENTIFIER}-old1"]
    # By the deployment: where the name of before is the one that works now, it stays.
    same = deployment(
        "SWITCHOVER_COMPLETED", SwitchoverDetails=[{"SourceMember": found.arn, "TargetMember": found.arn}]
    )
    assert blue_green.old_ones(rds, found, same) == []


def test_the_name_of_a_deployment_is_never_too_long():
    assert len(blue_green.name_of(instance(DBInstanceIdentifier="a" * 63), "17.4")) == 60


# In place


def test_in_place_takes_a_snapshot_before_it_stops_the_database(groundwork, standing, asked):
    told = json.loads(groundwork("--to", "17.4", "--method", "in-place", "--yes", "--json").stdout)
    assert told["stage"] == "upgraded"
    names = [name for name, _ in standing.asked if name in ("CreateDBSnapshot", "ModifyDBInstance")]
    assert names == ["CreateDBSnapshot", "ModifyDBInstance"]
    [changed] = standing.calls("ModifyDBInstance")
    assert (changed["EngineVersion"], changed["AllowMajorVersionUpgrade"]) == ("17.4", True)
    assert changed["DBParameterGroupName"] == GROUP_17
    assert instances.find(standing, standing.client("rds")).version == "17.4"
    assert not standing.calls("CreateBlueGreenDeployment")


def test_in_place_a_snapshot_that_is_there_is_not_taken_twice(groundwork, standing):
    for until in ("make", "switch-over"):
        groundwork("--to", "17.4", "--method", "in-place", "--without-sql", "--yes", "--until", until)
    assert len(standing.calls("CreateDBSnapshot")) == 1


def test_a_cluster_is_upgraded_as_one(cloud):
    cloud.says("ModifyDBCluster", {})
    in_place.start(cloud.client("rds"), cluster(), MAJOR, "group-17")
    assert cloud.calls("ModifyDBCluster") == [
        {
            "DBClusterIdentifier": IDENTIFIER,
            "EngineVersion": "17.4",
            "AllowMajorVersionUpgrade": True,
            "DBClusterParameterGroupName": "group-17",
            "ApplyImmediately": True,
        }
    ]


def test_an_upgrade_that_rds_puts_back_is_a_failure(standing, clock):
    made = database(standing, "other")
    states = iter(["available", "upgrading", "available"])
    standing.says(
        "DescribeDBInstances", lambda _: {"DBInstances": [{**made, "DBInstanceStatus": next(states)}]}
    )
    with pytest.raises(Failed, match=r"has put other back to 16\.3"):
        in_place.wait_upgraded(standing.client("rds"), "other", "17.4", Patience.of(60))


# Afterwards


def test_the_state_follows_the_new_instances(cloud):
    steps = aws_state.steps(cloud, {"db-A": "db-B", "db-C": "db-D", "db-E": "db-E", "": "x"})
    assert "perl -pi -e 's/db-A/db-B/g; s/db-C/db-D/g' state.json" in steps
    assert any("pulumi preview --stack prod --refresh" in step for step in steps)
    assert aws_state.steps(cloud, {"db-A": "db-A"}) == []
    assert aws_state.stack_name(Cloud("fixrx", "prod", {})) == "fixrx-prod"
    assert aws_state.stack_name(Cloud("nobodys", "prod", {})) == "nobodys-prod"


def test_after_a_minor_version_there_is_less_to_do(cloud):
    told = afterwards.steps(cloud, "16.9", {}, [], is_major=False)
    assert len(told) == 2
    assert not any("postgres_image" in step for step in told)


def test_extensions_that_are_newer_there_are_told():
    answers = {
        "extensions": [
            "pg_trgm\t1.5\t1.6",
            "postgis\t3.3.2\t3.4.0",
            "postgis_topology\t3.3.2\t3.4.0",
            "plpgsql\t1.0\t1.0",
        ]
    }
    assert afterwards.extension_updates(answers) == [
        "ALTER EXTENSION pg_trgm UPDATE",
        "SELECT postgis_extensions_upgrade()",
    ]


def test_a_group_that_somebody_names_is_of_the_right_family(groundwork, standing):
    result = groundwork(
        "--to", "17.4", "--parameter-group", "database-postgres16-1a2b", "--without-sql", "--yes", code=2
    )
    assert re.search("is of the family postgres16, and 17.4 wants postgres17", result.stderr)
    groundwork("--to", "17.4", "--parameter-group", GROUP_17, "--without-sql", "--yes", "--until", "make")
