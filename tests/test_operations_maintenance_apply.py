"""`groundwork maintenance apply-now`: AWS' answers are the test's, checked against botocore's models.

The emulator has nothing waiting, so it would show neither what is found nor what is waited for.
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.maintenance import apply
from tests.aws_cloud import OUTPUTS, Cloud, clock, refusal

__all__ = ["clock"]

ARN = "arn:aws:rds:us-east-1:111122223333:db:"
WHEN = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


class Stores:
    """What AWS has waiting; `begun` are the calls that begin it, each of which is done after so many looks."""

    def __init__(self, cloud: Cloud) -> None:
        self.actions: dict[str, list[dict[str, Any]]] = {}
        self.modified: dict[str, dict[str, Any]] = {}
        self.states: dict[str, str] = {}
        self.replicas: list[str] = []
        self.updates: list[dict[str, Any]] = []
        self.broker: dict[str, Any] = {"BrokerState": "RUNNING"}
        self.looks = 2
        cloud.says("DescribeDBClusters", refusal("DBClusterNotFoundFault"))
        cloud.says("DescribeDBInstances", self.instances)
        cloud.says("DescribePendingMaintenanceActions", self.pending)
        cloud.says("ApplyPendingMaintenanceAction", self.apply)
        cloud.says("ModifyDBInstance", self.modify)
        cloud.says("DescribeUpdateActions", self.update_actions)
        cloud.says("BatchApplyUpdateAction", self.update)
        cloud.says("DescribeBroker", lambda _: self.step() or dict(self.broker))
        cloud.says("RebootBroker", lambda _: self.broker.update(BrokerState="REBOOT_IN_PROGRESS") or {})

    def step(self) -> None:
        """Time passes with each look; then all that has begun is done."""
        if not self.begun:
            return
        self.looks -= 1
        if self.looks <= 0:
            self.actions = {
                name: [each for each in found if each.get("OptInStatus") != "immediate"]
                for name, found in self.actions.items()
            }
            self.states.clear()
            self.updates = [each for each in self.updates if each["UpdateActionStatus"] != "in-progress"]
            if self.broker["BrokerState"] == "REBOOT_IN_PROGRESS":
                self.broker = {"BrokerState": "RUNNING"}
            self.looks = 2

    @property
    def begun(self) -> bool:
        actions = [each for found in self.actions.values() for each in found]
        return (
            any(each.get("OptInStatus") == "immediate" for each in actions)
            or bool(self.states)
            or any(each["UpdateActionStatus"] == "in-progress" for each in self.updates)
            or self.broker["BrokerState"] != "RUNNING"
        )

    def instances(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["DBInstanceIdentifier"]
        said = {
            "DBInstanceIdentifier": name,
            "DBInstanceArn": f"{ARN}{name}",
            "DBInstanceStatus": self.states.get(name, "available"),
            "PendingModifiedValues": self.modified.get(name, {}),
            "ReadReplicaDBInstanceIdentifiers": self.replicas if name == "rentfix-primary" else [],
        }
        self.step()
        return {"DBInstances": [said]}

    def pending(self, given: dict[str, Any]) -> dict[str, Any]:
        self.step()
        arn = given["ResourceIdentifier"]
        found = self.actions.get(arn.removeprefix(ARN), [])
        described = [{"ResourceIdentifier": arn, "PendingMaintenanceActionDetails": found}]
        return {"PendingMaintenanceActions": described if found else []}

    def apply(self, given: dict[str, Any]) -> dict[str, Any]:
        for each in self.actions[given["ResourceIdentifier"].removeprefix(ARN)]:
            if each["Action"] == given["ApplyAction"]:
                each["OptInStatus"] = given["OptInType"]
        return {}

    def modify(self, given: dict[str, Any]) -> dict[str, Any]:
        self.states[given["DBInstanceIdentifier"]] = "modifying"
        self.modified.clear()
        return {}

    def update_actions(self, given: dict[str, Any]) -> dict[str, Any]:
        self.step()
        wanted = given.get("ServiceUpdateName")
        found = [
            each
            for each in self.updates
            if each["UpdateActionStatus"] in given["UpdateActionStatus"]
            and wanted in (None, each["ServiceUpdateName"])
        ]
        return {"UpdateActions": found}

    def update(self, given: dict[str, Any]) -> dict[str, Any]:
        for each in self.updates:
            if each["ServiceUpdateName"] == given["ServiceUpdateName"]:
                each["UpdateActionStatus"] = "in-progress"
        return {}


@pytest.fixture
def cloud():
    said = {"caches": {"queue": {"replicationGroupId": "rentfix-queue"}}, "brokers": {"jobs": {"id": "b-1"}}}
    return Cloud("rentalfix", "prod", {**OUTPUTS, **said}, None)


@pytest.fixture
def stores(cloud, clock):
    return Stores(cloud)


@pytest.fixture
def groundwork(cloud, monkeypatch):
    monkeypatch.setattr(apply, "opened", lambda *_: cloud)

    def run(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(command.app, ["maintenance", "apply-now", *words, "--stack", "prod"])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


def action(name: str = "system-update", **more: Any) -> dict[str, Any]:
    return {"Action": name, "Description": "New Operating System update is available", **more}


def update(
    name: str = "valkey-patch", status: str = "not-applied", group: str = "rentfix-queue"
) -> dict[str, Any]:
    return {
        "ReplicationGroupId": group,
        "ServiceUpdateName": name,
        "ServiceUpdateSeverity": "critical",
        "ServiceUpdateType": "security-update",
        "UpdateActionStatus": status,
    }


def changes(cloud: Cloud) -> list[str]:
    return [name for name, _ in cloud.asked if not name.startswith("Describe")]


def test_where_nothing_waits_nothing_is_done(cloud, stores, groundwork):
    assert "AWS has nothing waiting for the stores of rentalfix, stack prod" in groundwork("--yes").stdout
    assert groundwork("--dry-run", "--json").stdout == "[]\n"
    assert changes(cloud) == []


def test_a_dry_run_says_what_waits_and_ends_with_one(cloud, stores, groundwork):
    stores.actions["rentfix-primary"] = [action()]
    stores.updates = [update(), update("another", group="somebody-else")]
    stores.broker["PendingEngineVersion"] = "3.13"
    rows = json.loads(groundwork("--dry-run", "--json", code=1).stdout)
    assert [(row["store"], row["what"], row["begun"]) for row in rows] == [
        ("rentfix-primary", "system-update", False),
        ("cache queue", "valkey-patch", False),
        ("broker jobs", "EngineVersion", False),
    ]
    assert rows[1]["why"] == "critical security-update"
    assert changes(cloud) == []


def test_each_is_applied_and_waited_for_one_after_the_other(cloud, stores, groundwork, clock):
    stores.replicas = ["rentfix-replica-1"]
    stores.actions = {"rentfix-primary": [action()], "rentfix-replica-1": [action("db-upgrade")]}
    stores.modified["rentfix-primary"] = {"DBInstanceClass": "db.r6g.xlarge"}
    stores.updates = [update()]
    stores.broker["PendingHostInstanceType"] = "mq.m5.large"
    said = groundwork("--yes")
    assert (
        "will apply system-update to rentfix-primary now, whatever its window: New Operating" in said.stderr
    )
    assert "will apply DBInstanceClass to rentfix-primary now" in said.stderr
    assert changes(cloud) == [
        "ApplyPendingMaintenanceAction",
        "ModifyDBInstance",
        "ApplyPendingMaintenanceAction",
        "BatchApplyUpdateAction",
        "RebootBroker",
    ]
    assert cloud.calls("ApplyPendingMaintenanceAction")[0] == {
        "ResourceIdentifier": f"{ARN}rentfix-primary",
        "ApplyAction": "system-update",
        "OptInType": "immediate",
    }
    assert cloud.calls("ModifyDBInstance") == [
        {"DBInstanceIdentifier": "rentfix-primary", "ApplyImmediately": True}
    ]
    assert (stores.begun, stores.updates) == (False, [])
    assert len(clock.sleeps) >= 4


def test_what_elasticache_has_stopped_is_told_and_begun_again_by_the_same_command(cloud, stores, groundwork):
    stores.updates = [update()]
    cloud.says(
        "BatchApplyUpdateAction", lambda _: stores.updates[0].update(UpdateActionStatus="stopped") or {}
    )
    said = groundwork("--yes", code=1)
    assert (
        "ElastiCache has stopped valkey-patch of rentfix-queue half-way. The same command begins it"
        in said.stderr
    )
    cloud.says("BatchApplyUpdateAction", stores.update)
    groundwork("--yes")
    assert stores.updates == []
    assert len(cloud.calls("BatchApplyUpdateAction")) == 2


def test_what_has_begun_is_waited_for_and_not_begun_again(cloud, stores, groundwork):
    stores.actions["rentfix-primary"] = [action(OptInStatus="immediate")]
    stores.updates = [update(status="in-progress")]
    stores.looks = 6
    said = groundwork("--yes")
    assert "will wait for system-update of rentfix-primary, which AWS has begun" in said.stderr
    assert "will wait for valkey-patch of cache queue, which AWS has begun" in said.stderr
    assert changes(cloud) == []


def test_nothing_is_begun_unless_somebody_says_yes(cloud, stores, groundwork):
    stores.updates = [update()]
    assert "Nobody is there to say yes." in groundwork(code=2).stderr
    assert changes(cloud) == []


def test_what_is_not_done_in_time_is_told_and_the_rest_is_not_begun(cloud, stores, groundwork):
    stores.actions["rentfix-primary"] = [action()]
    stores.updates = [update()]
    stores.looks = 10**6
    said = groundwork("--yes", "--timeout-minutes", "1", code=1).stderr
    assert "system-update of rentfix-primary: not in time, still under way. AWS goes on with it" in said
    assert cloud.calls("BatchApplyUpdateAction") == []


def test_what_elasticache_does_not_take_is_told(cloud, stores, groundwork):
    stores.updates = [update()]
    refused = {"ReplicationGroupId": "rentfix-queue", "ErrorMessage": "it is being changed"}
    cloud.says("BatchApplyUpdateAction", {"UnprocessedUpdateActions": [refused]})
    said = groundwork("--yes", code=2).stderr
    assert "ElastiCache does not apply valkey-patch to rentfix-queue: it is being changed." in said


def test_the_members_of_a_cluster_are_asked_too_and_a_stack_may_have_no_store(cloud, stores, groundwork):
    member = {"DBInstanceIdentifier": "member-1", "IsClusterWriter": True}
    said = {
        "DBClusterIdentifier": "rentfix-primary",
        "DBClusterArn": f"{ARN}cluster",
        "Status": "available",
        "DBClusterMembers": [member],
        "PendingModifiedValues": {"EngineVersion": "17.1"},
    }
    cloud.says("DescribeDBClusters", {"DBClusters": [said]})
    stores.actions = {"cluster": [action()], "member-1": [action("ca-certificate-rotation")]}
    rows = json.loads(groundwork("--dry-run", "--json", code=1).stdout)
    assert [(row["store"], row["what"]) for row in rows] == [
        ("rentfix-primary", "system-update"),
        ("member-1", "ca-certificate-rotation"),
    ]
    for name in ("database", "caches", "brokers"):
        cloud.outputs[name] = {}
    assert groundwork("--dry-run", "--json").stdout == "[]\n"
