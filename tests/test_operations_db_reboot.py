"""`groundwork db reboot`, against the emulator's RDS.

The states that it does not know (a restart that goes on, parameters that wait, a cluster) are answers of the test,
checked against botocore's models.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.db import reboot
from operations.db.aws_reboot import UNSEEN_S, Restart
from operations.db.instances import Described
from tests.aws_cloud import IDENTIFIER, Cloud, clock, cloud, database, emulator_url, refusal
from tests.test_operations_db_aws import WAITING, cluster, instance, replica, would

__all__ = ["clock", "cloud", "emulator_url"]

REPLICA = "rentfix-replica-1"


@pytest.fixture
def groundwork(cloud, monkeypatch):
    monkeypatch.setattr(reboot, "opened", lambda *_: cloud)

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(command.app, ["db", "reboot", *arguments, "--stack", "prod"])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


def seen(cloud: Cloud, *looks: tuple[str, Sequence[Any]]) -> None:
    """What RDS says of the instance at each look, the last one for good: its status, and its parameter groups."""
    made, left = database(cloud), list(looks)

    def described(_: Any) -> dict[str, Any]:
        status, groups = left.pop(0) if len(left) > 1 else left[0]
        return {"DBInstances": [{**made, "DBInstanceStatus": status, "DBParameterGroups": [*groups]}]}

    cloud.says("DescribeDBInstances", described)


def of_cluster(cloud: Cloud, status: str = "available", **said: Any) -> Described:
    """A cluster whose members are `status`."""
    found = cluster(**said)
    members = [each["DBInstanceIdentifier"] for each in found.members]

    def asked(given: dict[str, Any]) -> dict[str, Any]:
        if given["DBClusterIdentifier"] == IDENTIFIER:
            return {"DBClusters": [found.said]}
        return refusal("DBClusterNotFoundFault")

    def asked_one(given: dict[str, Any]) -> dict[str, Any]:
        assert given["DBInstanceIdentifier"] in members
        one = instance(DBInstanceIdentifier=given["DBInstanceIdentifier"], DBInstanceStatus=status)
        return {"DBInstances": [one.said]}

    cloud.says("DescribeDBClusters", asked)
    cloud.says("DescribeDBInstances", asked_one)
    return found


IN_USE = [{"DBParameterGroupName": "group", "ParameterApplyStatus": "in-sync"}]


def test_the_primary_is_restarted_where_nothing_waits_for_it(groundwork, cloud, clock):
    seen(cloud, ("available", IN_USE), ("rebooting", IN_USE), ("available", IN_USE))
    result = groundwork("--yes", "--json")
    assert json.loads(result.stdout) == [{"restarted": IDENTIFIER, "failover": False}]
    assert cloud.calls("RebootDBInstance") == [{"DBInstanceIdentifier": IDENTIFIER, "ForceFailover": False}]
    assert (
        f"  will restart the instance {IDENTIFIER}: a minute or more without it, and every connection is dropped\n"
        in result.stderr
    )
    assert "parameter group" not in result.stderr
    assert clock() == 15


def test_one_that_was_not_seen_away_is_not_believed_at_once(groundwork, cloud, clock):
    """The emulator restarts nothing, so that its instance is available all the time."""
    database(cloud)
    result = groundwork("--yes")
    assert f"Restart of {IDENTIFIER}: not seen away yet" in result.stderr
    assert clock() == UNSEEN_S


def test_what_does_not_come_back_in_time_is_told(groundwork, cloud, clock):
    seen(cloud, ("available", IN_USE), ("rebooting", IN_USE))
    result = groundwork("--yes", "--timeout-minutes", "5", code=1)
    assert (
        f"Restart of {IDENTIFIER}: not in time, still rebooting. RDS goes on with it. "
        f"`aws rds describe-events --source-identifier {IDENTIFIER}` says what it does." in result.stderr
    )
    assert clock() == 300


def test_a_standby_may_take_over(groundwork, cloud, clock):
    seen(cloud, ("available", IN_USE), ("rebooting", IN_USE), ("available", IN_USE))
    result = groundwork("--yes", "--failover", "--json")
    assert json.loads(result.stdout) == [{"restarted": IDENTIFIER, "failover": True}]
    assert cloud.calls("RebootDBInstance") == [{"DBInstanceIdentifier": IDENTIFIER, "ForceFailover": True}]
    assert "by a failover to its standby" in result.stderr


def test_a_replica_is_restarted_alone(groundwork, cloud, clock):
    database(cloud)
    cloud.client("rds").create_db_instance_read_replica(
        DBInstanceIdentifier=REPLICA, SourceDBInstanceIdentifier=IDENTIFIER
    )
    result = groundwork("--replica", REPLICA, "--yes", "--json")
    assert json.loads(result.stdout) == [{"restarted": REPLICA, "failover": False}]
    assert cloud.calls("RebootDBInstance") == [{"DBInstanceIdentifier": REPLICA, "ForceFailover": False}]


def test_a_cluster_is_restarted_whole_or_one_of_its_members(groundwork, cloud, clock):
    of_cluster(cloud)
    cloud.says("RebootDBCluster", {})
    cloud.says("RebootDBInstance", {})
    [row] = json.loads(groundwork("--yes", "--json").stdout)
    assert row["restarted"] == IDENTIFIER
    assert cloud.calls("RebootDBCluster") == [{"DBClusterIdentifier": IDENTIFIER}]
    assert not cloud.calls("RebootDBInstance")
    [row] = json.loads(groundwork("--replica", f"{IDENTIFIER}-1", "--yes", "--json").stdout)
    assert row["restarted"] == f"{IDENTIFIER}-1"
    assert [each["DBInstanceIdentifier"] for each in cloud.calls("RebootDBInstance")] == [f"{IDENTIFIER}-1"]
    assert len(cloud.calls("RebootDBCluster")) == 1


# A restart that goes on already


def test_a_restart_that_goes_on_is_waited_for_instead_of_a_second_one(groundwork, cloud, clock):
    seen(cloud, ("rebooting", IN_USE), ("rebooting", IN_USE), ("available", IN_USE))
    result = groundwork("--json")
    assert json.loads(result.stdout) == [{"restarted": IDENTIFIER, "failover": None}]
    assert not cloud.calls("RebootDBInstance")
    assert (
        f"  will wait for the instance {IDENTIFIER}, which RDS restarts already, and restart nothing\n"
        in result.stderr
    )


def test_one_that_is_back_when_it_is_looked_at_is_not_waited_for(groundwork, cloud, clock):
    seen(cloud, ("rebooting", IN_USE), ("available", IN_USE))
    groundwork()
    assert clock() == 0


def test_a_dry_run_does_not_even_wait(groundwork, cloud, clock):
    seen(cloud, ("rebooting", IN_USE))
    assert would(groundwork("--dry-run", "--json")) == [
        f"wait for the instance {IDENTIFIER}, which RDS restarts already, and restart nothing"
    ]
    assert clock() == 0


# What is said before


def test_a_dry_run_says_it_and_restarts_nothing(groundwork, cloud, clock):
    database(cloud)
    result = groundwork("--dry-run")
    assert f"would restart the instance {IDENTIFIER}" in result.stderr
    assert "Nothing was done (--dry-run)." in result.stderr
    [told] = would(groundwork("--dry-run", "--json"))
    assert told.endswith("every connection is dropped")
    assert "Nobody is there to say yes." in groundwork(code=2).stderr
    assert not cloud.calls("RebootDBInstance")


PARAMETERS = {
    "Parameters": [
        {"ParameterName": "shared_buffers", "ApplyType": "static"},
        {"ParameterName": "work_mem", "ApplyType": "dynamic"},
        {"ParameterName": "max_connections", "ApplyType": "static"},
    ]
}


def test_the_parameters_that_come_along_are_named(groundwork, cloud, clock):
    seen(cloud, ("available", WAITING))
    cloud.says("DescribeDBParameters", PARAMETERS)
    _, told = would(groundwork("--dry-run", "--json"))
    assert (
        told
        == "bring what waits for a restart in the parameter group group, of max_connections, shared_buffers"
    )
    assert cloud.calls("DescribeDBParameters") == [{"DBParameterGroupName": "group", "Source": "user"}]


def test_a_parameter_that_nobody_sets_any_more_has_no_name_there(groundwork, cloud, clock):
    seen(cloud, ("available", WAITING))
    cloud.says("DescribeDBParameters", {"Parameters": []})
    _, told = would(groundwork("--dry-run", "--json"))
    assert told == "bring what waits for a restart in the parameter group group"


def test_the_restart_ends_when_the_parameters_are_in_use(groundwork, cloud, clock):
    seen(cloud, ("available", WAITING), ("available", WAITING), ("available", IN_USE))
    cloud.says("DescribeDBParameters", PARAMETERS)
    result = groundwork("--yes")
    assert f"Restart of {IDENTIFIER}: its parameters still wait" in result.stderr
    assert clock() == 15


def waits(*numbers: int) -> list[Mapping[str, Any]]:
    return [
        {**each, "DBClusterParameterGroupStatus": "pending-reboot"}
        if int(each["DBInstanceIdentifier"][-1]) in numbers
        else each
        for each in cluster().members
    ]


def test_of_a_cluster_each_member_takes_its_parameters_itself(groundwork, cloud, clock):
    of_cluster(cloud, DBClusterMembers=waits(3))
    cloud.says("DescribeDBClusterParameters", PARAMETERS)
    said = "bring what waits for a restart in the parameter group group, of max_connections, shared_buffers"
    assert would(groundwork("--dry-run", "--json"))[1:] == [said]
    assert would(groundwork("--replica", f"{IDENTIFIER}-3", "--dry-run", "--json"))[1:] == [said]
    assert would(groundwork("--replica", f"{IDENTIFIER}-1", "--dry-run", "--json"))[1:] == []
    assert {each["DBClusterParameterGroupName"] for each in cloud.calls("DescribeDBClusterParameters")} == {
        "group"
    }


@pytest.mark.parametrize(
    ("primary", "follower", "chosen", "is_said"),
    [
        (WAITING, WAITING, "primary", True),
        (WAITING, IN_USE, "primary", False),
        (IN_USE, WAITING, "primary", False),
        (WAITING, WAITING, "replica", False),
    ],
)
def test_replicas_that_wait_longer_than_their_primary_are_named(cloud, primary, follower, chosen, is_said):
    """They do not start with less than it has."""
    cloud.says("DescribeDBParameters", {"Parameters": []})
    first, second = instance(DBParameterGroups=primary), replica(DBParameterGroups=follower)
    everything = [("primary", first), ("replica", second)]
    wanted = Restart(first if chosen == "primary" else second)
    told = list(reboot.touches(cloud.client("rds"), everything, wanted))
    said = (
        f"leave {REPLICA} waiting for a restart: a replica falls behind or stops where its primary has a "
        "higher figure (`groundwork db reboot-if-pending` restarts replicas first)"
    )
    assert (said in told) is is_said


# What is refused


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--replica", "rentfix-replica-2"],
            f"There is no replica rentfix-replica-2 of {IDENTIFIER}; there are: none.",
        ),
        (
            ["--replica", REPLICA, "--failover"],
            "--failover is the primary's, and --replica names another. Leave one of them out.",
        ),
    ],
)
def test_what_is_not_there_is_refused(groundwork, cloud, clock, arguments, sentence):
    database(cloud)
    assert groundwork(*arguments, "--yes", code=2).stderr == f"{sentence}\n"
    assert not cloud.calls("RebootDBInstance")


def test_a_member_that_a_cluster_does_not_have_is_refused_with_the_nearest(groundwork, cloud, clock):
    of_cluster(cloud)
    said = groundwork("--replica", f"{IDENTIFIER}-4", "--yes", code=2).stderr
    assert f"There is no member {IDENTIFIER}-4 of {IDENTIFIER}; there are: {IDENTIFIER}-2, " in said
    assert "Did you mean" in said


def test_what_is_at_work_is_left_alone(groundwork, cloud, clock):
    seen(cloud, ("backing-up", IN_USE))
    assert groundwork("--yes", code=2).stderr == (
        f"{IDENTIFIER} is backing-up, and RDS restarts only what is available.\n"
    )
    assert not cloud.calls("RebootDBInstance")


def test_nobody_takes_over_where_there_is_no_standby(groundwork, cloud, clock):
    database(cloud, MultiAZ=False)
    assert groundwork("--failover", "--yes", code=2).stderr == (
        f"{IDENTIFIER} has no standby to fail over to. Leave --failover out.\n"
    )
    of_cluster(cloud)
    said = groundwork("--failover", "--yes", code=2).stderr
    assert "A cluster is restarted as a whole. Leave --failover out; `groundwork db failover` lets" in said


def test_a_database_that_rds_does_not_know_is_refused(groundwork, cloud, clock):
    assert f"RDS knows no instance and no cluster {IDENTIFIER}" in groundwork("--yes", code=2).stderr
