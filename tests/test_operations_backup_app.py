"""`groundwork backup app`, and `backup now --kind caches`: ECS and S3 are the emulator's, ElastiCache's answers the
test's, and the state is exported by the real engine."""

# ruff: noqa: F401, F811 - fixtures are imported

import json
import shutil
import subprocess
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from local import stack
from operations import __main__ as command
from operations.backup import application, now
from operations.db.instances import MADE_BY, OF
from operations.platform import Refusal
from operations.services.engine import Engine
from operations.stack_files import Stack
from tests.aws_cloud import OUTPUTS, Cloud, refusal
from tests.engine import home, port, workspace, write_project
from tests.engine import pulumi as as_it_is
from tests.running_services import clock, emulator_url, running

HIDDEN = "hidden-from-everybody"
SECRET = {application.SIGNATURE_KEY: application.SECRET}
STATE = {"version": 3, "deployment": {"resources": [{"outputs": {"a": {**SECRET, "ciphertext": "v1:abc"}}}]}}


# What is in a state


def test_a_secret_that_is_encrypted_cannot_be_read():
    assert list(application.readable(STATE)) == []


@pytest.mark.parametrize("more", [{"plaintext": HIDDEN}, {"plaintext": HIDDEN, "ciphertext": "v1:abc"}, {}])
def test_a_secret_that_is_not_is_found_wherever_it_stands(more):
    state = {**STATE, "pending": [{"inputs": {"deep": [{**SECRET, **more}]}}]}
    assert list(application.readable(state)) == [{**SECRET, **more}]


PROGRAM = f"""
import pulumi
pulumi.export("open", "said to all")
pulumi.export("hidden", pulumi.Output.secret("{HIDDEN}"))
"""


@pytest.mark.engine
def test_the_real_engine_exports_a_state_in_which_nothing_can_be_read(workspace, monkeypatch):
    shutil.rmtree(workspace.root)
    write_project(workspace.root, program=PROGRAM, stack_file="config:\n  aws:region: us-east-1\n")
    stack.select(workspace)
    stack.run(workspace, "up", "--yes", "--skip-preview")
    for name, value in workspace.environment().items():
        monkeypatch.setenv(name, value)
    engine = Engine(known(workspace.stack_name), workspace.folder)
    text = application.exported(engine)
    assert "said to all" in text
    assert HIDDEN not in text
    shown = as_it_is(workspace, "stack", "export", "--show-secrets", "--stack", workspace.stack_name)
    assert HIDDEN in shown.stdout, "so it is the mark that is looked for"
    monkeypatch.setattr(application.subprocess, "run", lambda *_, **__: shown)
    with pytest.raises(Refusal, match=r"\d+ secrets of Pulumi's state are not encrypted") as refused:
        application.exported(engine)
    assert HIDDEN not in str(refused.value)


def known(name: str) -> Stack:
    return Stack(
        system="rentalfix",
        stack="prod",
        name=name,
        config_file="Pulumi.prod.yaml",
        policy_config="",
        region="us-east-1",
        standing=None,
        tags={},
    )


def test_what_pulumi_does_not_give_is_told(tmp_path, monkeypatch):
    engine = Engine(known("prod"), tmp_path)

    def answers(code: int, text: str) -> None:
        done = subprocess.CompletedProcess([], code, text, "")
        monkeypatch.setattr(application.subprocess, "run", lambda *_, **__: done)

    answers(255, "")
    with pytest.raises(Refusal, match="`pulumi stack export` ended with 255"):
        application.exported(engine)
    for text in ("no state", "[]", '{"version": 3}'):
        answers(0, text)
        with pytest.raises(Refusal, match="gave no state"):
            application.exported(engine)
    for error, sentence in (
        (FileNotFoundError(), "`pulumi` is not on PATH"),
        (subprocess.TimeoutExpired("pulumi", 1), "did not answer within 120 s"),
    ):

        def fail(*_: Any, error: Exception = error, **__: Any) -> None:
            raise error

        monkeypatch.setattr(application.subprocess, "run", fail)
        with pytest.raises(Refusal, match=sentence):
            application.exported(engine)


# backup app


@pytest.fixture
def groundwork(running, monkeypatch):
    running.start("core-matching", ["1.0.0", "1.1.0"])
    cloud = running.cloud
    bucket = f"backups-{uuid4().hex[:8]}"
    cloud.client("s3").create_bucket(Bucket=bucket)
    cloud.outputs["backups"] = {"bucket": bucket, "vault": "", "dumpPrefix": "", "dumpFormat": ""}
    cloud.outputs["tasks"]["migrate"] = {"taskDefinition": running.revision("worker-ai", "1.0.0")}
    monkeypatch.setattr(application, "opened", lambda *_: cloud)
    monkeypatch.setattr(application, "exported", lambda _: json.dumps(STATE))

    def run(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(command.app, ["backup", "app", *words, "--stack", "prod"])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run


def test_what_runs_and_the_state_come_into_the_bucket(running, groundwork):
    told = json.loads(groundwork("--yes", "--json").stdout)
    s3, bucket = running.cloud.client("s3"), running.cloud.outputs["backups"]["bucket"]
    kept = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="application/")["Contents"]]
    assert (told["bucket"], told["keys"]) == (bucket, sorted(kept))
    names = sorted(key.split("/", 2)[2] for key in kept)
    assert names == [
        "state.json",
        "task-definitions/core-matching.json",
        "task-definitions/task-migrate.json",
    ]
    [service] = [key for key in kept if key.endswith("core-matching.json")]
    said = json.loads(s3.get_object(Bucket=bucket, Key=service)["Body"].read())
    assert said["containerDefinitions"][0]["image"].endswith(":1.1.0"), "what runs"
    [state] = [key for key in kept if key.endswith("state.json")]
    assert json.loads(s3.get_object(Bucket=bucket, Key=state)["Body"].read()) == STATE


def test_nothing_comes_there_before_somebody_says_yes(running, groundwork):
    assert "would put 3 files into s3://" in groundwork("--dry-run").stderr
    [told] = json.loads(groundwork("--dry-run", "--json").stdout)["would"]
    assert told.startswith("put 3 files into s3://")
    assert "Nobody is there to say yes." in groundwork(code=2).stderr
    assert running.cloud.calls("PutObject") == []
    running.cloud.outputs["backups"]["bucket"] = ""
    assert "has no backup bucket" in groundwork("--yes", code=2).stderr


# backup now --kind caches

GROUPS = ("rentfix-cache", "rentfix-queue")


@pytest.fixture
def caches(monkeypatch, clock):
    said = {name: {"replicationGroupId": name} for name in GROUPS}
    cloud = Cloud("rentalfix", "prod", {**OUTPUTS, "database": {}, "caches": said}, None)
    cloud.says("DescribeSnapshots", {"Snapshots": []})
    cloud.says("CreateSnapshot", {})
    cloud.says("DeleteSnapshot", {})
    monkeypatch.setattr(now, "opened", lambda *_: cloud)
    return cloud


def backed_up(*words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(command.app, ["backup", "now", "--kind", "caches", *words, "--stack", "prod"])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def stands(name: str, group: str) -> dict[str, Any]:
    return {
        "SnapshotName": name,
        "SnapshotStatus": "available",
        "ReplicationGroupId": group,
        "ARN": f"arn:{name}",
    }


def test_every_cache_gets_a_snapshot_without_a_database(caches):
    def described(given):
        is_one = "SnapshotName" in given
        return {"Snapshots": [stands(given["SnapshotName"], "x")] if is_one else []}

    caches.says("DescribeSnapshots", described)
    made = json.loads(backed_up("--yes", "--json", "--keep-days", "7").stdout)["caches"].split(", ")
    asked = caches.calls("CreateSnapshot")
    assert [each["ReplicationGroupId"] for each in asked] == [*GROUPS]
    assert [each["SnapshotName"] for each in asked] == made
    assert made[0].startswith("rentfix-cache-now-2")
    tags = {each["Key"]: each["Value"] for each in asked[0]["Tags"]}
    assert (tags[MADE_BY], tags[OF]) == ("backup-now", "rentfix-cache")
    assert datetime.fromisoformat(tags["groundwork:keep-until"]) > datetime.now()


def test_a_snapshot_whose_day_is_past_is_removed_and_nobody_else_s(caches):
    tags = {
        "rentfix-cache-now-old": {MADE_BY: "backup-now", OF: "rentfix-cache", now.KEEP_UNTIL: "2020-01-01"},
        "rentfix-cache-now-new": {MADE_BY: "backup-now", OF: "rentfix-cache", now.KEEP_UNTIL: "2999-01-01"},
        "rentfix-cache-now-theirs": {now.KEEP_UNTIL: "2020-01-01"},
        "rentfix-cache-now-unsaid": {MADE_BY: "backup-now", OF: "rentfix-cache"},
        "rentfix-cache-by-hand-1": {MADE_BY: "backup-now", OF: "rentfix-cache", now.KEEP_UNTIL: "2020-01-01"},
    }

    def described(given):
        if "SnapshotName" in given:
            return {"Snapshots": [stands(given["SnapshotName"], "x")]}
        is_first = given["ReplicationGroupId"] == "rentfix-cache"
        return {"Snapshots": [stands(name, "rentfix-cache") for name in tags] if is_first else []}

    def tagged(given):
        found = tags[given["ResourceName"].removeprefix("arn:")]
        return {"TagList": [{"Key": key, "Value": value} for key, value in found.items()]}

    caches.says("DescribeSnapshots", described)
    caches.says("ListTagsForResource", tagged)
    said = backed_up("--dry-run").stderr
    assert "would remove the snapshot rentfix-cache-now-old, which was to be kept no longer" in said
    assert (caches.calls("CreateSnapshot"), caches.calls("DeleteSnapshot")) == ([], [])
    backed_up("--yes")
    assert caches.calls("DeleteSnapshot") == [{"SnapshotName": "rentfix-cache-now-old"}]


def test_a_cache_that_fails_ends_it_and_what_is_old_stays(caches):
    caches.says("DescribeSnapshots", {"Snapshots": []})
    assert "is gone" in backed_up("--yes", code=1).stderr
    assert len(caches.calls("CreateSnapshot")) == 1
    caches.says("CreateSnapshot", refusal("InvalidReplicationGroupState"))
    assert "AWS refused CreateSnapshot" in backed_up("--yes", code=2).stderr


def test_a_stack_without_caches_is_told(caches):
    caches.outputs["caches"] = {}
    assert "has no cache of its own." in backed_up("--yes", code=2).stderr
