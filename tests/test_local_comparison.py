"""What the working tree changes, compared with a commit: offline, with the engine's own answer."""

# ruff: noqa: F401, F811 - fixtures are imported

import io
import json
import subprocess
from dataclasses import replace

import pytest

from local import comparison
from local.comparison import annotated, base_commit, compare, unpack
from local.provider.recording import VARIABLE
from local.steps import Failure, Steps
from local.workspace import Workspace
from tests.engine import configure, found_engine, free_port, home, write_project

PROGRAM = """
import pulumi
import pulumi_aws as aws

settings = pulumi.Config()
key = aws.kms.Key("key", description="one", opts=pulumi.ResourceOptions(protect=True))
group = aws.cloudwatch.LogGroup(
    "group", name=settings.get("name") or "a", kms_key_id=key.arn, opts=pulumi.ResourceOptions(protect=True)
)
aws.cloudwatch.MetricAlarm(
    "alarm", comparison_operator="GreaterThanThreshold", evaluation_periods=1, dimensions={"group": group.name},
    alarm_description=settings.get("text"),
)
if not settings.get_bool("smaller"):
    aws.sns.Topic("topic")
"""


def git(root, *arguments):
    own = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    answer = subprocess.run(["git", *own, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    """Two commits on main, one more on a branch that went out from the first."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    for name in ("first", "second"):
        (root / name).write_text(name, encoding="utf-8")
        git(root, "add", ".")
        git(root, "commit", "--quiet", "--message", name)
    git(root, "checkout", "--quiet", "-b", "change", "main~1")
    return root


def test_the_base_is_where_the_histories_parted(repository):
    assert base_commit(repository, "main") == git(repository, "rev-parse", "main~1")
    assert base_commit(repository, "HEAD") == git(repository, "rev-parse", "HEAD")


def test_a_commit_without_a_common_history_is_the_base_itself(repository):
    git(repository, "checkout", "--quiet", "--orphan", "alone")
    git(repository, "commit", "--quiet", "--message", "alone")
    assert base_commit(repository, "main") == git(repository, "rev-parse", "main")


def test_a_base_that_is_none_is_refused_in_a_sentence(repository):
    with pytest.raises(Failure, match=r"--base nowhere is no commit of this repository\. Name a branch"):
        base_commit(repository, "nowhere")


def test_without_git_there_is_a_sentence(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Failure, match="git is not on PATH"):
        base_commit(repository, "main")


def test_a_commit_is_unpacked_as_it_was_and_alone(repository, tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "left over").touch()
    unpack(repository, git(repository, "rev-parse", "main~1"), folder)
    assert [path.name for path in folder.iterdir()] == ["first"]


def test_what_cannot_be_unpacked_is_a_failure(repository, tmp_path):
    with pytest.raises(Failure, match="git archive"):
        unpack(repository, "0" * 40, tmp_path / "base")


def test_the_recording_engine_is_told_to_record_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n", encoding="utf-8")
    fields = {
        "root": tmp_path,
        "home": tmp_path,
        "folder": tmp_path,
        "engine": tmp_path / "pulumi",
        "system": "s",
        "stack": "local",
        "port": 4566,
    }
    assert VARIABLE not in Workspace(**fields).environment()
    assert comparison.Recorded(**fields).environment()[VARIABLE] == "1"


def test_protection_is_put_back_where_it_was():
    said = {
        "steps": [{"urn": "a", "oldState": {}}, {"urn": "b", "oldState": {}}, {"urn": "a", "newState": {}}]
    }
    answer = json.loads(annotated(json.dumps(said), "c0ffee", {"a"}))
    assert [step.get("oldState") for step in answer["steps"]] == [{"protect": True}, {}, None]
    assert answer["comparedWith"] == "c0ffee"


def test_what_is_no_json_is_left_as_it_is():
    assert annotated("error: no such stack\n", "c0ffee", {"a"}) == "error: no such stack\n"


STACK_FILE = "config:\n  aws:region: us-east-1\n"


@pytest.fixture
def project(tmp_path, home) -> Workspace:
    """A repository with one commit, and no emulator."""
    root = tmp_path / "project"
    write_project(root, program=PROGRAM, stack_file=STACK_FILE)
    (root / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "base")
    return Workspace(
        root=root,
        home=home,
        folder=tmp_path / "work",
        engine=found_engine(),
        system="tiny",
        stack="local",
        port=free_port(),
    )


def compared(project, kept_events=None):
    output = io.StringIO()
    steps = Steps(io.StringIO())
    compare(project, steps, base="HEAD", form="json", output=output, kept_events=kept_events)
    return json.loads(output.getvalue())


@pytest.mark.engine
def test_replacements_are_the_providers_own_answer_and_protection_hides_none(project, tmp_path):
    """Whole: the state of a commit, then what the working tree makes of it; and of a stack that is new."""
    configure(project, "tiny:name: b")
    configure(project, "tiny:text: new")
    configure(project, "tiny:smaller: true")
    events = tmp_path / "events.jsonl"
    answer = compared(project, kept_events=events)
    steps = {step["urn"].rsplit("::", 1)[-1]: step for step in answer["steps"]}
    assert {name: step["op"] for name, step in steps.items() if not name.startswith("tiny-")} == {
        "key": "same",
        "group": "replace",
        "alarm": "update",
        "topic": "delete",
    }
    assert steps["group"]["replaceReasons"] == ["name"]
    assert steps["group"]["oldState"]["protect"] is True
    assert "protect" not in steps["topic"]["oldState"]
    assert answer["comparedWith"] == git(project.root, "rev-parse", "HEAD")
    assert '"op":"replace"' in events.read_text(encoding="utf-8").replace(" ", "")
    assert not (project.folder / "base").exists()
    assert git(project.root, "status", "--porcelain").splitlines() == ["M Pulumi.local.yaml"]

    (project.root / "Pulumi.other.yaml").write_text(STACK_FILE, encoding="utf-8")
    assert compared(replace(project, stack="other"))["changeSummary"] == {"create": 5}

    (project.root / "__main__.py").write_text("raise SystemExit(1)\n", encoding="utf-8")
    git(project.root, "commit", "--quiet", "--all", "--message", "broken")
    with pytest.raises(Failure, match=r"(?s)The program of \w{12} cannot be brought up.*Name another commit"):
        compared(project)
