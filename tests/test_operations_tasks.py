"""`groundwork run`, `migrate` and `seed`: one-off tasks on ECS.

What ECS and CloudWatch Logs answer is the test's, checked against botocore's models: the emulator runs no container.
"""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from components import _containers, _outcome
from operations import __main__ as command
from operations import tasks
from operations.tasks import Ended, Failed
from tests.aws_cloud import Cloud, refusal
from tests.program import declared

ARN = "arn:aws:ecs:us-east-1:111122223333:task/rentalfix-prod/0123"


def entry(name: str, *, backup_first: bool = False, status: str = "") -> dict[str, Any]:
    return {
        "taskDefinition": f"{name}:3",
        "logGroup": f"/rentalfix/prod/{name}",
        "backupFirst": backup_first,
        "statusTask": status,
    }


OUTPUTS: dict[str, Any] = {
    "system": "rentalfix",
    "environment": "prod",
    "region": "us-east-1",
    "cluster": "rentalfix-prod",
    "runTask": {"subnets": ["subnet-1", "subnet-2"], "securityGroup": "sg-1"},
    "tasks": {
        "migrate": entry("migrate"),
        "careful": entry("careful", backup_first=True, status="careful-status"),
        "careful-status": entry("careful-status"),
        "dump": entry("dump", backup_first=True),
    },
}


class Aws:
    """Tasks that go through the states that a test gives them, and what they write meanwhile."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.states: dict[str, list[dict[str, Any]]] = {}
        self.lines: dict[str, list[list[str]]] = {}
        self.going_on: list[dict[str, Any]] = []
        self.read_to_its_end: set[str] = set()
        self.made = 0
        cloud.says("RunTask", self._run)
        cloud.says("DescribeTasks", self._describe)
        cloud.says("ListTasks", lambda _: {"taskArns": [each["taskArn"] for each in self.going_on]})
        cloud.says("GetLogEvents", self._log)

    def takes(self, name, *states, lines=(), container="app"):
        """Its states one after the other; `lines` are those that are new at each look."""
        self.made += 1
        arn = f"{ARN[:-4]}{self.made:04}"
        self.states[f"{name}:3"] = [{"taskArn": arn, **each} for each in states]
        stream = f"{container}/{container}/{arn[-4:]}"
        self.lines[f"/rentalfix/prod/{name} {stream}"] = [list(each) for each in lines]
        return arn

    def _run(self, given):
        states = self.states[given["taskDefinition"]]
        return {"tasks": [{"taskArn": states[0]["taskArn"]}], "failures": []}

    def _describe(self, given):
        [arn] = given["tasks"]
        for states in self.states.values():
            if states[0]["taskArn"] == arn:
                return {"tasks": [states.pop(0) if len(states) > 1 else states[0]]}
        return {"tasks": [each for each in self.going_on if each["taskArn"] == arn]}

    def _log(self, given):
        """A page of what is new, then an empty one with the token that it was asked with, as CloudWatch does it."""
        stream = f"{given['logGroupName']} {given['logStreamName']}"
        if stream not in self.lines:
            return refusal("ResourceNotFoundException")
        token, looks = given.get("nextToken", "0"), self.lines[stream]
        new = looks.pop(0) if looks and stream not in self.read_to_its_end else []
        self.read_to_its_end ^= {stream} if new or stream in self.read_to_its_end else set()
        events = [{"timestamp": 1, "message": f"{line}\n"} for line in new]
        return {"events": events, "nextForwardToken": str(int(token) + len(new))}

    @property
    def ran(self):
        return [given["taskDefinition"].partition(":")[0] for given in self.cloud.calls("RunTask")]


def state(status, codes=None, **more):
    containers = [
        {"name": name, **({} if code is None else {"exitCode": code})}
        for name, code in (codes or {"app": None}).items()
    ]
    return {"lastStatus": status, "containers": containers, **more}


@pytest.fixture
def aws(monkeypatch):
    cloud = Cloud("rentalfix", "prod", OUTPUTS)
    made = Aws(cloud)
    monkeypatch.setattr(tasks, "opened", lambda *_: cloud)
    monkeypatch.setattr(tasks, "standing", lambda _: cloud)
    for name in ("POLL_S", "LATE_S"):
        monkeypatch.setattr(tasks, name, 0)
    return made


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(command.app, [*arguments, "--stack", "prod"])


def told(answer):
    """Without what it says before it begins."""
    return answer.stdout.splitlines()


def test_the_log_is_shown_while_the_task_runs(aws, run):
    arn = aws.takes(
        "migrate",
        state("PENDING"),
        state("RUNNING"),
        state("RUNNING"),
        state("STOPPED", {"app": 0}),
        lines=[[], ["001 applied"], ["002 applied", "003 applied"], [], ["late"]],
    )
    answer = run("migrate")
    assert answer.exit_code == 0, answer.output
    assert told(answer) == [
        f"migrate: started, {arn}",
        "  app: 001 applied",
        "  app: 002 applied",
        "  app: 003 applied",
        "  app: late",
        "migrate: ended well",
    ]


def test_it_runs_in_the_private_network_under_our_name(aws, run):
    aws.takes("migrate", state("STOPPED", {"app": 0}))
    run("migrate")
    [given] = aws.cloud.calls("RunTask")
    assert given == {
        "cluster": "rentalfix-prod",
        "launchType": "FARGATE",
        "taskDefinition": "migrate:3",
        "count": 1,
        "startedBy": "groundwork",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-1", "subnet-2"],
                "securityGroups": ["sg-1"],
                "assignPublicIp": "DISABLED",
            }
        },
    }


def test_a_failure_is_the_task_s_own_exit_code_and_what_ecs_says(aws, run):
    ended = state("STOPPED", {"app": 3, "after": None}, stoppedReason="Essential container in task exited")
    aws.takes("migrate", ended, lines=[["syntax error"]])
    answer = run("migrate")
    assert answer.exit_code == 3
    assert "  app: syntax error" in answer.output
    assert (
        "migrate failed: app ended with 3, after never began. ECS says: Essential container in task exited"
        in answer.output
    )


def test_why_it_did_not_begin_is_told_in_a_sentence(aws, run):
    ended = state(
        "STOPPED", stoppedReason="CannotPullContainerError: failed to resolve ref a.example/b:2: not found"
    )
    aws.takes("migrate", ended)
    answer = run("migrate")
    assert answer.exit_code == 1
    assert "The image a.example/b:2 is not in the registry. Push it" in answer.output


def test_a_log_that_may_not_be_read_does_not_hide_how_it_ended(aws, run):
    aws.takes("migrate", state("RUNNING"), state("RUNNING"), state("STOPPED", {"app": 0}))
    aws.cloud.says("GetLogEvents", refusal("AccessDeniedException", "not yours"))
    answer = run("migrate")
    assert answer.exit_code == 0, answer.output
    assert answer.output.count("Its log cannot be read: ") == 1


def test_a_line_cannot_move_the_terminal_s_cursor(aws, run):
    aws.takes("migrate", state("STOPPED", {"app": 0}), lines=[["red \x1b[31m"]])
    assert "  app: red  [31m" in run("migrate").output


def test_a_task_that_ecs_does_not_start_is_told(aws, run):
    aws.takes("migrate", state("PENDING"))
    aws.cloud.says("RunTask", {"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]})
    answer = run("migrate")
    assert answer.exit_code == 1
    assert "ECS did not start migrate: RESOURCE:CPU." in answer.output


def test_an_error_of_aws_is_told_without_a_traceback(aws, run):
    aws.cloud.says("RunTask", refusal("AccessDeniedException", "no ecs:RunTask"))
    answer = run("migrate")
    assert answer.exit_code == 1
    assert "no ecs:RunTask" in answer.output
    assert "Traceback" not in answer.output


def test_a_backup_comes_before_it_and_its_status_after_it_where_the_settings_ask(aws, run):
    for name in ("dump", "careful", "careful-status"):
        aws.takes(name, state("STOPPED", {"app": 0}), lines=[["done"]])
    answer = run("run", "careful")
    assert answer.exit_code == 0, answer.output
    assert [line for line in answer.output.splitlines() if "ended well" in line] == [
        "dump: ended well",
        "careful: ended well",
        "careful-status: ended well",
    ]


def test_without_a_good_backup_the_task_does_not_run(aws, run):
    aws.takes("dump", state("STOPPED", {"app": 1}), lines=[["no space"]])
    answer = run("run", "careful")
    assert answer.exit_code == 1
    assert aws.ran == ["dump"]


# Again, and together


def going(aws, name, **more):
    arn = aws.takes(name, state("RUNNING"), state("STOPPED", {"app": 0}), lines=[["from before"]])
    aws.going_on = [{**aws.states[f"{name}:3"][0], "startedBy": "groundwork", **more}]
    first = aws.going_on[0]
    real = aws._describe
    # The first question is who runs, before one is followed.
    asked = iter([first])
    aws.cloud.says(
        "DescribeTasks", lambda given: {"tasks": [each]} if (each := next(asked, None)) else real(given)
    )
    return arn


def test_one_that_runs_already_is_followed_instead_of_a_second_one(aws, run):
    arn = going(aws, "careful")
    aws.takes("careful-status", state("STOPPED", {"app": 0}))
    answer = run("run", "careful")
    assert answer.exit_code == 0, answer.output
    assert "will follow the task careful\n" in answer.output
    assert f"careful: runs already, {arn}" in answer.output
    assert "  app: from before" in answer.output
    assert aws.ran == ["careful-status"], "its backup was made before it began"
    [given] = aws.cloud.calls("ListTasks")
    assert given == {"cluster": "rentalfix-prod", "family": "careful", "desiredStatus": "RUNNING"}


@pytest.mark.parametrize(
    "more",
    [
        {"startedBy": "scheduler"},
        {"lastStatus": "STOPPED"},
        {"overrides": {"containerOverrides": [{"name": "app", "command": ["sh"]}]}},
    ],
)
def test_one_that_has_ended_or_is_somebody_else_s_or_has_another_command_is_another_matter(aws, run, more):
    going(aws, "migrate", **more)
    assert run("migrate").exit_code == 0
    assert aws.ran == ["migrate"]


def test_interrupted_it_says_that_the_task_goes_on(aws, run, monkeypatch):
    aws.takes("migrate", state("RUNNING"))

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks.time, "sleep", interrupted)
    monkeypatch.setattr(
        tasks.wait, "__kwdefaults__", {**(tasks.wait.__kwdefaults__ or {}), "sleep": interrupted}
    )
    answer = run("migrate")
    assert answer.exit_code != 0
    assert (
        "migrate goes on at ECS. The same command follows it again; `aws ecs stop-task` ends it."
        in answer.output
    )


# migrate and seed


def test_status_runs_only_the_task_that_tells(aws, run):
    tasks_of = {**OUTPUTS["tasks"], "migrate": entry("migrate", backup_first=True, status="migrate-status")}
    aws.cloud.__dict__["outputs"] = {
        **OUTPUTS,
        "tasks": {**tasks_of, "migrate-status": entry("migrate-status")},
    }
    aws.takes("migrate-status", state("STOPPED", {"app": 0}), lines=[["all applied"]])
    answer = run("migrate", "--status")
    assert answer.exit_code == 0, answer.output
    assert aws.ran == ["migrate-status"]


def test_status_of_a_migration_that_has_none_is_refused(aws, run):
    answer = run("migrate", "--status")
    assert answer.exit_code == 2
    assert "The task migrate has no status_command in the system file" in answer.output


def test_seed_runs_the_task_of_that_name_or_says_that_there_is_none(aws, run):
    answer = run("seed")
    assert answer.exit_code == 2
    assert "There is no task seed in this stack" in answer.output
    aws.cloud.__dict__["outputs"] = {**OUTPUTS, "tasks": {"seed": entry("seed")}}
    aws.takes("seed", state("STOPPED", {"app": 0}))
    assert run("seed").exit_code == 0
    assert aws.ran == ["seed"]


def test_a_dry_run_names_what_would_run_and_runs_nothing(aws, run):
    answer = run("run", "careful", "--dry-run")
    assert answer.exit_code == 0
    for name in ("dump", "careful", "careful-status"):
        assert f"  would run the task {name}\n" in answer.output
    assert aws.ran == []


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["run", "careful"], ["dump", "careful", "careful-status"]),
        (["migrate"], ["migrate"]),
    ],
)
def test_json_says_what_a_dry_run_would_run(aws, run, words, names):
    said = json.loads(run(*words, "--dry-run", "--json").stdout)
    assert said["would"] == [f"run the task {name}" for name in names]
    assert "stack prod" in said["stack"]
    assert aws.ran == []


def test_json_is_all_that_is_on_standard_output(aws, run):
    arn = aws.takes("migrate", state("STOPPED", {"app": 0}), lines=[["applied"]])
    answer = run("migrate", "--json")
    assert json.loads(answer.stdout) == [{"task": "migrate", "arn": arn, "exit_codes": {"app": 0}}]
    assert "  app: applied" in answer.stderr


def test_json_of_one_that_failed_says_why(aws, run):
    aws.takes("migrate", state("STOPPED", {"app": 3}), lines=[["syntax error"]])
    answer = run("migrate", "--json")
    assert answer.exit_code == 3
    assert json.loads(answer.stdout)["failed"].startswith("migrate failed: app ended with 3")
    assert "syntax error" in answer.stderr


@pytest.mark.parametrize(
    ("is_terminal", "endpoint", "asks"),
    [(True, None, True), (False, None, False), (True, "http://127.0.0.1:1", False)],
)
def test_a_person_is_asked_and_a_pipeline_has_said_so(aws, monkeypatch, is_terminal, endpoint, asks):
    asked = []
    monkeypatch.setattr(tasks.sys.stdin, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setattr(tasks, "confirm", lambda *_, yes, **__: asked.append(yes))
    platform = Cloud("rentalfix", "prod", OUTPUTS, endpoint)
    platform.says("ListTasks", {"taskArns": []})
    tasks.run_in_order(platform, "migrate", 1, json_output=False, dry_run=False, yes=False)
    assert asked == [not asks]


def test_a_file_of_outputs_says_itself_whose_it_is(tmp_path, monkeypatch):
    """As a pipeline runs it: `groundwork run migrate --outputs FILE`, and nothing else."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(OUTPUTS), encoding="utf-8")
    found = tasks.platform_of("other", "local", file)
    assert (found.system, found.stack, found.outputs) == ("rentalfix", "prod", OUTPUTS)
    monkeypatch.setattr(tasks, "opened", lambda system, stack: (system, stack))
    assert tasks.platform_of("other", "local", None) == ("other", "local")


# What it is made of


def test_a_backup_makes_no_backup_of_itself():
    assert tasks.order(OUTPUTS, "dump") == ["dump"]
    assert tasks.order(OUTPUTS, "migrate") == ["migrate"]


def test_a_task_that_is_not_there_is_refused_with_the_nearest(aws, run):
    answer = run("run", "migrat")
    assert answer.exit_code == 2
    assert "There is no task migrat in this stack" in answer.output
    assert "Did you mean migrate?" in answer.output


def test_a_backup_that_the_stack_cannot_make_is_refused_before_anything_runs():
    without = {**OUTPUTS, "tasks": {"careful": OUTPUTS["tasks"]["careful"]}}
    assert tasks.problem(without, "careful") == (
        "careful wants a backup before it, and the stack has no task dump. Set backups.dump."
    )
    assert tasks.problem(OUTPUTS, "careful") == ""


def test_what_takes_too_long_is_left_running_and_told(aws):
    arn = aws.takes("migrate", state("RUNNING"))
    clock = iter([0.0, 61.0])
    with pytest.raises(Failed, match=r"has not ended in time, and goes on\. `aws ecs stop-task` ends it\."):
        tasks.wait(
            aws.cloud.client("ecs"),
            OUTPUTS,
            arn,
            deadline=60,
            clock=lambda: next(clock),
            sleep=lambda _: None,
        )


def test_a_task_that_ecs_has_forgotten_did_not_end_well(aws):
    with pytest.raises(Failed, match=r"knows the task .* no more"):
        tasks.wait(aws.cloud.client("ecs"), OUTPUTS, ARN, deadline=60)


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ({"app": 0}, 0),
        ({"app": 0, "limit": 143}, 0),
        ({"fetch": 0, "app": 3, "report": 4}, 3),
        ({"fetch": 2, "app": None}, 2),
        ({"app": None}, 1),
        ({}, 1),
    ],
)
def test_its_code_is_that_of_the_first_container_that_failed(codes, code):
    assert Ended(ARN, codes, "").code == code


@pytest.mark.parametrize(
    ("codes", "well"),
    [
        ({"app": 0}, True),
        ({"fetch": 0, "app": 0, "report": 0}, True),
        ({"app": 0, "limit": 143}, True),
        ({"app": 0, "limit": None}, True),
        ({"app": 137, "limit": 1}, False),
        ({"fetch": 1, "app": None}, False),
        ({"app": None}, False),
        ({"limit": 0}, False),
        ({}, False),
    ],
)
def test_every_container_that_works_must_end_with_0(codes, well):
    assert Ended(ARN, codes, "").is_well is well


def test_the_container_that_only_limits_is_called_as_the_program_calls_it():
    outcome = _outcome.Outcome(namespace="a", task="b")
    assert _outcome.limit(outcome, minutes=1, image="a", region="b").name == tasks.LIMIT


def test_a_container_writes_into_the_log_stream_that_is_read():
    made = _containers.definition(
        _containers.Container(name="app", image="a", user="1000"), log_group_name="g", region="r"
    )
    assert made["logConfiguration"]["options"]["awslogs-stream-prefix"] == made["name"] == "app"


def test_the_outputs_of_a_real_stack_have_what_it_reads():
    said = declared("prod").value
    assert tasks.problem(said, "migrate") == ""
    assert tasks.BACKUP in said["tasks"]
    assert set(said["runTask"]) == {"subnets", "securityGroup"}
    read = {"taskDefinition", "logGroup", "backupFirst", "statusTask", "rolledBackCommand"}
    assert read <= set(said["tasks"]["migrate"])
