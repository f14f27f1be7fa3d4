"""`groundwork migrate --rolled-back`: a migration that failed is marked, by the task `migrate` with another command.

What ECS answers is the test's, checked against botocore's models: the emulator runs no container.
"""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations import tasks
from tests.aws_cloud import Cloud, refusal
from tests.program import declared
from tests.requirements.production import container
from tests.test_operations_tasks import OUTPUTS, Aws, entry, state

NAME = "20260401120000_add_index"
MARK = ["npx", "prisma", "migrate", "resolve", "--rolled-back"]
OVERRIDES = {"containerOverrides": [{"name": "task-migrate", "command": [*MARK, NAME]}]}
ENDED = state("STOPPED", {"task-migrate": 0})


def outputs(*, status: str = "migrate-status", **more: Any) -> dict[str, Any]:
    migrate = {**entry("migrate", backup_first=True, status=status), "rolledBackCommand": MARK, **more}
    return {
        **OUTPUTS,
        "tasks": {**OUTPUTS["tasks"], "migrate": migrate, "migrate-status": entry("migrate-status")},
    }


@pytest.fixture
def aws(monkeypatch):
    cloud = Cloud("rentalfix", "prod", outputs())
    made = Aws(cloud)
    monkeypatch.setattr(tasks, "opened", lambda *_: cloud)
    for name in ("POLL_S", "LATE_S"):
        monkeypatch.setattr(tasks, name, 0)
    return made


@pytest.fixture
def mark():
    def run(*arguments: str, name: str = NAME) -> Any:
        words = ["migrate", "--rolled-back", name, *arguments, "--stack", "prod"]
        return CliRunner().invoke(command.app, words)

    return run


def say(aws: Aws, said: dict[str, Any]) -> None:
    aws.cloud.__dict__["outputs"] = said


def test_the_task_runs_with_that_command_instead_of_its_own_and_then_the_status(aws, mark):
    arn = aws.takes("migrate", ENDED, lines=[["marked"]], container="task-migrate")
    aws.takes("migrate-status", state("STOPPED", {"app": 0}))
    answer = mark("--yes")
    assert answer.exit_code == 0, answer.output
    assert aws.ran == ["migrate", "migrate-status"], "no dump before it"
    first, second = aws.cloud.calls("RunTask")
    assert (first["taskDefinition"], first["overrides"]) == ("migrate:3", OVERRIDES)
    assert "overrides" not in second
    assert f"migrate: started, {arn}\n  task-migrate: marked\nmigrate: ended well\n" in answer.output


def test_without_a_status_task_nothing_comes_after_it(aws, mark):
    say(aws, outputs(status=""))
    aws.takes("migrate", ENDED)
    assert mark("--yes").exit_code == 0
    assert aws.ran == ["migrate"]


def test_what_the_status_says_of_a_migration_that_waits_again_is_no_failure(aws, mark):
    aws.takes("migrate", ENDED)
    aws.takes("migrate-status", state("STOPPED", {"app": 1}))
    answer = mark("--yes", "--json")
    assert answer.exit_code == 0, answer.output
    assert (
        f"migrate-status ended with 1. {NAME} is marked, and waits to be applied again: `groundwork migrate`, once it "
        "is mended." in answer.stderr
    )
    said = json.loads(answer.stdout)
    assert [(each["task"], each["exit_codes"]) for each in said] == [
        ("migrate", {"task-migrate": 0}),
        ("migrate-status", {"app": 1}),
    ]


def test_a_status_that_could_not_be_asked_is_one(aws, mark):
    aws.takes("migrate", ENDED)
    real = aws._run
    aws.cloud.says(
        "RunTask",
        lambda given: (
            real(given)
            if given["taskDefinition"] == "migrate:3"
            else {"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}
        ),
    )
    answer = mark("--yes")
    assert answer.exit_code == 1
    assert "migrate: ended well\n" in answer.output
    assert "ECS did not start migrate-status: RESOURCE:CPU." in answer.output


def test_a_marking_that_failed_ends_with_its_code_and_asks_no_status(aws, mark):
    aws.takes("migrate", state("STOPPED", {"task-migrate": 3}), lines=[["P3012"]], container="task-migrate")
    answer = mark("--yes")
    assert answer.exit_code == 3
    assert "  task-migrate: P3012\n" in answer.output
    assert aws.ran == ["migrate"]


def test_an_error_of_aws_is_told_without_a_traceback(aws, mark):
    aws.cloud.says("RunTask", refusal("AccessDeniedException", "no ecs:RunTask"))
    answer = mark("--yes")
    assert answer.exit_code == 1
    assert "no ecs:RunTask" in answer.output


# What is asked before


def test_it_asks_in_a_pipeline_too(aws, mark):
    answer = mark()
    assert answer.exit_code == 2
    assert "Nobody is there to say yes. Add --yes, if that is what is meant." in answer.output
    assert aws.ran == []


def test_a_dry_run_says_what_it_would_change_and_runs_nothing(aws, mark):
    said = [
        f"run the task migrate with `{' '.join(MARK)} {NAME}`: it changes what the database holds of its migrations, "
        "not the schema, and no dump comes before it",
        "run the task migrate-status",
    ]
    answer = mark("--dry-run", "--json")
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout)["would"] == said
    assert all(f"  would {each}\n" in answer.stderr for each in said)
    assert aws.ran == []


# Again, and together


def going(aws: Aws, *, given: list[str] | None, **more: Any) -> str:
    """One that runs already, with the command `given` instead of its own, or with its own."""
    arn = aws.takes("migrate", state("RUNNING", {"task-migrate": None}), ENDED)
    parts = [{"name": "task-migrate", **({"command": given} if given else {})}, {"name": "limit"}]
    first = {
        **aws.states["migrate:3"][0],
        "startedBy": "groundwork",
        "overrides": {"containerOverrides": parts},
        **more,
    }
    aws.going_on = [first]
    real, asked = aws._describe, iter([first])
    aws.cloud.says(
        "DescribeTasks", lambda call: {"tasks": [each]} if (each := next(asked, None)) else real(call)
    )
    return arn


def test_the_same_one_that_runs_already_is_followed_instead_of_a_second_one(aws, mark):
    arn = going(aws, given=[*MARK, NAME])
    aws.takes("migrate-status", state("STOPPED", {"app": 0}))
    answer = mark("--yes")
    assert answer.exit_code == 0, answer.output
    assert f"will follow the task migrate with `{' '.join(MARK)} {NAME}`" in answer.output
    assert f"migrate: runs already, {arn}" in answer.output
    assert aws.ran == ["migrate-status"]


@pytest.mark.parametrize("given", [[*MARK, "20260301120000_other"], ["sh"], None])
def test_one_that_runs_for_something_else_is_not_taken_for_it(aws, mark, given):
    arn = going(aws, given=given)
    answer = mark("--yes")
    assert answer.exit_code == 1
    assert (
        f"The task migrate runs already, for something else ({arn}). Nothing was changed: run this again when it has "
        "ended.\n" in answer.output
    )
    assert aws.ran == []


@pytest.mark.parametrize("more", [{"startedBy": "scheduler"}, {"lastStatus": "STOPPED"}])
def test_one_that_has_ended_or_is_somebody_else_s_is_another_matter(aws, mark, more):
    going(aws, given=None, **more)
    say(aws, outputs(status=""))
    assert mark("--yes").exit_code == 0
    assert aws.ran == ["migrate"]


# What is refused


@pytest.mark.parametrize("said", [outputs(rolledBackCommand=[]), OUTPUTS])
def test_a_task_without_such_a_command_marks_nothing(aws, mark, said):
    """As of a stack that stood before there was such an output."""
    say(aws, said)
    answer = mark("--yes")
    assert answer.exit_code == 2
    assert answer.stderr == (
        "The task migrate has no rolled_back_command in the system file, so nothing marks a migration. Where it has "
        "one by now: `pulumi up`.\n"
    )


def test_a_stack_without_a_migration_marks_none(aws, mark):
    say(aws, {**OUTPUTS, "tasks": {"dump": entry("dump")}})
    answer = mark("--yes")
    assert answer.exit_code == 2
    assert "There is no task migrate in this stack" in answer.stderr


def test_to_ask_and_to_mark_at_once_is_refused(aws, mark):
    answer = mark("--status", "--yes")
    assert answer.exit_code == 2
    assert answer.stderr == "--status changes nothing, and --rolled-back does. Give one of them.\n"
    assert aws.ran == []


@pytest.mark.parametrize("name", ["", "a b", "a;b", "../a", "-a", "$(a)", "a/b", "a\n", "\u00e4"])
def test_a_name_that_is_none_is_refused(aws, mark, name):
    answer = mark("--yes", name=name)
    assert answer.exit_code == 2
    assert answer.stderr == (
        f"--rolled-back {name!r} names no migration: a name has letters, digits, underscores, hyphens and dots, and "
        "begins with a letter, a digit or an underscore. The log of the one that failed has it.\n"
    )
    assert aws.cloud.asked == []


@pytest.mark.parametrize("name", ["1", "20260401_add-index.v2", "_first"])
def test_a_name_that_is_one_is_put_behind_the_command(aws, mark, name):
    said = json.loads(mark("--dry-run", "--json", name=name).stdout)
    assert f"with `{' '.join(MARK)} {name}`:" in said["would"][0]


def test_the_command_is_given_to_the_container_of_a_real_stack_that_works():
    stack = declared("ts-service/prod")
    assert stack.value["tasks"]["migrate"]["rolledBackCommand"] == MARK
    work = container(stack, "task-migrate")
    assert work["name"] == OVERRIDES["containerOverrides"][0]["name"]
    assert work["command"] == [*MARK[:3], "deploy"]
