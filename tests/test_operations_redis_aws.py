"""`groundwork redis snapshot | failover | tunnel`: AWS' answers are the test's, checked against botocore's models.

The emulator makes a snapshot at once and knows no failover, so neither would show what is waited for.
"""

import json
import shlex
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations import tunnels
from operations.redis import failover, reach, snapshot
from tests.aws_cloud import OUTPUTS, Cloud, clock, refusal

__all__ = ["clock"]

GROUP = "rentfix-queue"
WHEN = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


@pytest.fixture
def cloud():
    said = {"endpoint": "a", "readerEndpoint": "a", "port": 6379, "tokenSecretArn": "arn:token"}
    return Cloud(
        "rentalfix", "prod", {**OUTPUTS, "caches": {"queue": {**said, "replicationGroupId": GROUP}}}, None
    )


@pytest.fixture
def groundwork(cloud, monkeypatch):
    for module in (snapshot, failover, reach):
        monkeypatch.setattr(module, "opened", lambda *_: cloud)

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(command.app, ["redis", *words, "--stack", "prod"])
        assert result.exit_code == code, (result.output, result.exception)
        return result.stdout if "--json" in words else result.output

    return run


def one_after_the_other(*answers: Any) -> Any:
    """Each once, the last one from then on."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


# snapshot


def states(*names: str, group: str = GROUP) -> Any:
    made = [{"SnapshotName": "s", "SnapshotStatus": name, "ReplicationGroupId": group} for name in names]
    return one_after_the_other(*({"Snapshots": [each]} for each in made))


def test_a_snapshot_is_named_tagged_and_waited_for(cloud, groundwork, clock):
    cloud.says("CreateSnapshot", {"Snapshot": {"SnapshotName": "s"}})
    cloud.says("DescribeSnapshots", states("creating", "creating", "available"))
    said = groundwork("snapshot", "--name", "before-upgrade", "--yes")
    assert cloud.calls("CreateSnapshot") == [
        {
            "ReplicationGroupId": GROUP,
            "SnapshotName": "before-upgrade",
            "Tags": [{"Key": "groundwork:made-by", "Value": "redis snapshot"}],
        }
    ]
    assert "will make the snapshot before-upgrade of rentfix-queue" in said
    assert "before-upgrade is there." in said
    assert len(clock.sleeps) == 2


def test_without_a_name_it_has_the_caches_and_the_time(cloud, groundwork, clock):
    cloud.says("CreateSnapshot", {})
    cloud.says("DescribeSnapshots", states("available"))
    groundwork("snapshot", "--yes")
    [asked] = cloud.calls("CreateSnapshot")
    assert asked["SnapshotName"].startswith(f"{GROUP}-by-hand-2")


def test_one_that_is_on_its_way_is_waited_for_and_anothers_name_is_refused(cloud, groundwork, clock):
    cloud.says("CreateSnapshot", refusal("SnapshotAlreadyExistsFault"))
    cloud.says("DescribeSnapshots", states("creating", "available"))
    assert "s1 is there." in groundwork("snapshot", "--name", "s1", "--yes")
    cloud.says("DescribeSnapshots", states("available", group="another"))
    assert "another has a snapshot s1 already. Name another." in groundwork(
        "snapshot", "--name", "s1", "--yes", code=2
    )


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (["creating", "failed"], "The snapshot s1 is failed. `aws elasticache describe-events` says why."),
        (["creating"], "`groundwork redis snapshot --name s1` waits for it again."),
    ],
)
def test_a_snapshot_that_fails_or_does_not_end_is_exit_code_1(cloud, groundwork, clock, answers, sentence):
    cloud.says("CreateSnapshot", {})
    cloud.says("DescribeSnapshots", states(*answers))
    assert sentence in groundwork("snapshot", "--name", "s1", "--yes", "--timeout-minutes", "1", code=1)


def test_a_dry_run_and_a_no_make_none(cloud, groundwork):
    assert "would make the snapshot" in groundwork("snapshot", "--dry-run")
    assert "Add --yes" in groundwork("snapshot", code=2)
    assert "at most 255" in groundwork("snapshot", "--name", "s" * 256, "--yes", code=2)
    assert cloud.asked == []


def test_a_program_is_told_the_snapshot_and_what_would_be_made(cloud, groundwork, clock):
    tried = json.loads(groundwork("snapshot", "--name", "s1", "--dry-run", "--json"))
    assert tried == {"stack": str(cloud), "would": ["make the snapshot s1 of rentfix-queue"]}
    cloud.says("CreateSnapshot", {})
    cloud.says("DescribeSnapshots", states("creating", "available"))
    made = json.loads(groundwork("snapshot", "--name", "s1", "--yes", "--json"))
    assert made == {"snapshot": "s1", "replication_group": GROUP}


# failover


def group(status: str = "available", *, shards: int = 1, automatic: str = "enabled") -> dict[str, Any]:
    made = {
        "ReplicationGroupId": GROUP,
        "Status": status,
        "AutomaticFailover": automatic,
        "NodeGroups": [
            {
                "NodeGroupId": f"000{shard}",
                "NodeGroupMembers": [{"CacheClusterId": f"{GROUP}-000{shard}-00{n}"} for n in (1, 2)],
            }
            for shard in range(1, shards + 1)
        ],
    }
    return {"ReplicationGroups": [made]}


def events(*messages: str) -> dict[str, Any]:
    return {"Events": [{"Message": each, "Date": WHEN} for each in messages]}


def taken_over(shard: int = 1) -> str:
    name = f"{GROUP}-000{shard}-00"
    return f"Failover from primary node {name}1 to replica node {name}2 completed"


def test_it_waits_until_the_replica_has_taken_over_and_the_cache_is_whole(cloud, groundwork, clock):
    cloud.says(
        "DescribeReplicationGroups", one_after_the_other(group(), group(), group("modifying"), group())
    )
    cloud.says("TestFailover", {})
    cloud.says(
        "DescribeEvents",
        one_after_the_other(events(), events("Test Failover API called"), events(taken_over())),
    )
    said = groundwork("failover", "--yes")
    assert cloud.calls("TestFailover") == [{"ReplicationGroupId": GROUP, "NodeGroupId": "0001"}]
    assert "will fail shard 0001 of rentfix-queue over to one of its replicas" in said
    assert "rentfix-queue-0001-002 has taken over, the cache is modifying" in said
    assert "rentfix-queue-0001-002 has taken over, and rentfix-queue is available." in said
    assert clock.sleeps == [5, 5]


@pytest.mark.parametrize(
    "told",
    [
        [events(taken_over())],
        [events(), events(taken_over(shard=2))],
        [events(), events("Recovering cache nodes 0001")],
    ],
    ids=["of an earlier one", "of another shard", "something else"],
)
def test_other_events_are_no_failover(cloud, groundwork, clock, told):
    cloud.says("DescribeReplicationGroups", group(shards=2))
    cloud.says("TestFailover", {})
    cloud.says("DescribeEvents", one_after_the_other(*told))
    said = groundwork("failover", "--shard", "0001", "--yes", "--timeout-minutes", "1", code=1)
    assert "ElastiCache goes on" in said


@pytest.mark.parametrize(
    ("there", "words", "sentence"),
    [
        (group("modifying"), [], "rentfix-queue is modifying: wait until it is available."),
        (group(automatic="disabled"), [], "has no automatic failover: give it a replica"),
        (group(shards=2), [], "has the shards 0001, 0002: say which with --shard."),
        (
            group(shards=2),
            ["--shard", "0003"],
            "There is no shard 0003 of rentfix-queue; there are: 0001, 0002.",
        ),
    ],
)
def test_what_cannot_fail_over_is_refused(cloud, groundwork, there, words, sentence):
    cloud.says("DescribeReplicationGroups", there)
    assert sentence in groundwork("failover", "--yes", *words, code=2)
    assert cloud.calls("TestFailover") == []


def test_a_dry_run_fails_nothing_over(cloud, groundwork):
    cloud.says("DescribeReplicationGroups", group())
    assert "would fail shard 0001" in groundwork("failover", "--dry-run")
    assert cloud.calls("TestFailover") == []


def test_what_aws_refuses_is_a_sentence(cloud, groundwork):
    cloud.says("DescribeReplicationGroups", group())
    cloud.says("DescribeEvents", events())
    cloud.says("TestFailover", refusal("APICallRateForCustomerExceeded", "15 a day"))
    assert "AWS refused TestFailover: 15 a day" in groundwork("failover", "--yes", code=2)


def test_a_program_is_told_who_has_taken_over_and_what_would_be_done(cloud, groundwork, clock):
    cloud.says("DescribeReplicationGroups", group())
    tried = json.loads(groundwork("failover", "--dry-run", "--json"))
    assert tried == {
        "stack": str(cloud),
        "would": [
            "fail shard 0001 of rentfix-queue over to one of its replicas",
            "break the connections of its clients; what the replica has not got yet is lost",
        ],
    }
    cloud.says("TestFailover", {})
    cloud.says("DescribeEvents", one_after_the_other(events(), events(taken_over())))
    assert json.loads(groundwork("failover", "--yes", "--json")) == {
        "replication_group": GROUP,
        "shard": "0001",
        "primary": f"{GROUP}-0001-002",
    }


# tunnel


def with_tasks(cloud, agent="RUNNING"):
    """A service that has the cache's token, one that has not, and a task of each."""
    tokens = {"api": "arn:token:value::", "other": "arn:another"}
    cloud.outputs["services"] = {name: {"name": f"{name}-1a2b", "taskDefinition": name} for name in tokens}

    def definition(given):
        secrets = [{"name": "TOKEN", "valueFrom": tokens[given["taskDefinition"]]}]
        return {"taskDefinition": {"containerDefinitions": [{"name": "app", "secrets": secrets}]}}

    def described(given):
        agents = [{"name": tunnels.AGENT, "lastStatus": agent}]
        container = {"name": "app", "runtimeId": "0123-456", "managedAgents": agents}
        return {"tasks": [{"taskArn": arn, "containers": [container]} for arn in given["tasks"]]}

    cloud.says("DescribeTaskDefinition", definition)
    cloud.says("ListTasks", lambda given: {"taskArns": [f"arn:task/{given['serviceName']}"]})
    cloud.says("DescribeTasks", described)


def test_a_tunnel_leads_to_the_cache_through_a_service_that_uses_it(cloud, groundwork, monkeypatch):
    with_tasks(cloud)
    became = []
    monkeypatch.setattr(tunnels.os, "execvpe", lambda _, command, __: became.append(command))
    monkeypatch.setattr(tunnels.shutil, "which", lambda name: f"/usr/bin/{name}")
    said = groundwork("tunnel", "--cache", "queue")
    assert "In a second shell: --via localhost:16379." in said
    [command] = became
    assert command[:8] == [
        *("aws", "ssm", "start-session", "--region", "us-east-1"),
        *("--target", "ecs:rentalfix-prod_api-1a2b_0123-456", "--document-name"),
    ]
    wanted = {"host": ["a"], "portNumber": ["6379"], "localPortNumber": ["16379"]}
    assert json.loads(command[-1]) == wanted
    assert shlex.split(groundwork("tunnel", "--dry-run")) == command
    assert len(became) == 1


def test_a_tunnel_that_cannot_be_opened_says_why(cloud, groundwork):
    with_tasks(cloud, agent="STOPPED")
    assert "No task can be entered (api)" in groundwork("tunnel", code=2)
    cloud.outputs["caches"]["queue"]["tokenSecretArn"] = "arn:third"
    assert "No task can be entered (none uses the cache queue)" in groundwork("tunnel", code=2)
    object.__setattr__(cloud, "endpoint_url", "http://emulator")
    assert "only written down in the emulator" in groundwork("tunnel", code=2)
