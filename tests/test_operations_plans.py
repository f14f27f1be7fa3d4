"""`groundwork plan-rest`: an approved plan in two parts, also through the real engine."""

# ruff: noqa: F401, F811 - fixtures are imported

import json
import re
import shutil
import subprocess

import pytest
import typer
from typer.testing import CliRunner

from local import stack
from operations import plans
from tests.engine import home, port, workspace, write_project

REPLACE = ["create-replacement", "replace", "delete-replaced"]


def plan(**steps):
    return {
        "manifest": {"version": "v3.230.0"},
        "resourcePlans": {name: {"goal": {"name": name}, "steps": said} for name, said in steps.items()},
    }


def test_what_the_first_part_did_must_stay_the_same_and_the_rest_stays_planned():
    whole = plan(task=REPLACE, role=["update"], service=["update"], other=["same"], gone=["delete"])
    left = plans.rest(whole, plan(task=REPLACE, role=["update"], service=["same"], other=["same"]))
    assert {name: entry["steps"] for name, entry in left["resourcePlans"].items()} == {
        "task": ["same"],
        "role": ["same"],
        "service": ["update"],
        "other": ["same"],
        "gone": ["delete"],
    }
    assert left["resourcePlans"]["task"]["goal"] == {"name": "task"}
    assert left["manifest"] == whole["manifest"]
    assert whole["resourcePlans"]["task"]["steps"] == REPLACE


def test_a_first_part_that_does_nothing_leaves_the_whole_plan():
    whole = plan(task=["update"], removed=None)
    assert plans.rest(whole, plan(task=["same"], removed=None)) == whole


@pytest.mark.parametrize(
    "applied",
    [plan(task=["update"]), plan(task=["same"], service=["create"]), plan(task=REPLACE, more=["update"])],
)
def test_a_part_of_another_plan_is_refused(applied):
    with pytest.raises(
        plans.NotPartOf, match=r"other steps are planned there for (task|service|more)\. Make both"
    ):
        plans.rest(plan(task=REPLACE, service=["update"]), applied)


def run(*arguments):
    app = typer.Typer()
    app.command()(plans.plan_rest)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_writes_it_or_says_which_file_is_no_plan(tmp_path):
    whole, part, rest = (tmp_path / name for name in ("whole.json", "part.json", "rest.json"))
    whole.write_text(json.dumps(plan(task=["update"])), encoding="utf-8")
    part.write_text(json.dumps(plan(task=["update"])), encoding="utf-8")
    answer = run(whole, part, "--output", rest)
    assert answer.exit_code == 0, answer.output
    assert json.loads(rest.read_text())["resourcePlans"]["task"]["steps"] == ["same"]
    part.write_text(json.dumps(plan(task=["delete"])), encoding="utf-8")
    assert run(whole, part, "--output", rest).exit_code == 2
    part.write_text("{}", encoding="utf-8")
    assert "part.json is no update plan" in run(whole, part, "--output", rest).output
    assert "cannot be read" in run(tmp_path / "none.json", part, "--output", rest).output


def test_a_program_is_told_what_is_done_and_what_is_left(tmp_path):
    whole, part, rest = (tmp_path / name for name in ("whole.json", "part.json", "rest.json"))
    whole.write_text(json.dumps(plan(task=["update"], service=["update"], role=["same"])), encoding="utf-8")
    part.write_text(json.dumps(plan(task=["update"], service=["same"], gone=None)), encoding="utf-8")
    answer = run(whole, part, "--output", rest, "--json")
    assert json.loads(answer.stdout) == {"output": str(rest), "done": ["task"], "left": ["service"]}
    assert run(whole, part, "--output", rest).stdout == f"{rest}: what {part} has done must stay the same\n"


PROGRAM = """
import json
import pulumi
import pulumi_aws as aws

tag = pulumi.Config().require("tag")


def definition(name):
    containers = json.dumps([{"name": "app", "image": f"image:{tag}", "memory": 128}])
    return aws.ecs.TaskDefinition(name, family=name, container_definitions=containers)


migrate, service = definition("task-migrate"), definition("service")
# Somebody who refers to the migration, and so changes with it.
aws.kms.Key("runner", description=pulumi.Output.concat("may run ", migrate.arn))
pulumi.export("migrate", migrate.arn)
"""
STACK_FILE = """config:
  aws:region: us-east-1
  aws:endpoints: [{kms: "http://localhost:4566", ecs: "http://localhost:4566"}]
  tiny:tag: "1"
"""
AHEAD = ("--target", "**::task-migrate*")


def pulumi(workspace, *arguments):
    """The exit code, and all that the engine said. `up` with its preview writes its event log twice over."""
    command = [workspace.engine, *arguments, "--stack", "local", "--config-file", workspace.config_file]
    done = subprocess.run(
        [str(part) for part in (*command, "--non-interactive")],
        cwd=workspace.root,
        env=workspace.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, f"{done.stdout}{done.stderr}"


@pytest.mark.engine
def test_an_approved_plan_is_applied_in_two_parts_and_nothing_beyond_it(workspace, tmp_path):
    """As the pipeline does it: both plans, the migration's part, then the rest; a change meanwhile stops it."""
    shutil.rmtree(workspace.root)
    write_project(workspace.root, program=PROGRAM, stack_file=STACK_FILE)
    stack.select(workspace)
    stack.run(workspace, "up", "--yes", "--skip-preview")

    def release(tag):
        text = workspace.stack_file.read_text(encoding="utf-8")
        workspace.stack_file.write_text(re.sub(r'tag: "\w+"', f'tag: "{tag}"', text), encoding="utf-8")
        workspace.write_copy()

    release("2")
    whole, ahead, rest = (tmp_path / name for name in ("plan.json", "ahead.json", "rest.json"))
    assert pulumi(workspace, "preview", "--save-plan", whole)[0] == 0
    assert pulumi(workspace, "preview", *AHEAD, "--save-plan", ahead)[0] == 0

    code, said = pulumi(workspace, "up", "--yes", *AHEAD, "--plan", ahead)
    assert code == 0, said
    assert stack.outputs(workspace)["migrate"].endswith("task-migrate:2")
    code, said = pulumi(workspace, "up", "--yes", "--plan", whole)
    assert code, "the whole plan can be applied after all, so plan-rest is not needed"
    assert "none were seen" in said

    assert run(whole, ahead, "--output", rest).exit_code == 0
    release("3")
    code, said = pulumi(workspace, "up", "--yes", "--plan", rest)
    assert code
    assert "violates plan" in said
    assert stack.outputs(workspace)["migrate"].endswith("task-migrate:2"), (
        "it stops before it changes anything"
    )

    release("2")
    code, said = pulumi(workspace, "up", "--yes", "--plan", rest)
    assert code == 0, said
    assert pulumi(workspace, "preview", "--expect-no-changes")[0] == 0
