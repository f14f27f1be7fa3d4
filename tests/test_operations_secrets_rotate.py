"""`groundwork secrets rotate`, against the emulator's Secrets Manager and ECS.

The engine is one of the test's, which writes the secrets that `pulumi up` would write; RDS' rotation, and tasks that
run, are answers of the test. What the tasks do: tests/test_role_passwords.py, tests/test_broker_logins.py.
"""

import json
import re
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from operations import tasks
from operations.secrets import known, rotate
from operations.secrets.known import Origin
from operations.services.engine import Engine
from operations.stack_files import Stack as StackFile
from operations.waits import Failed
from tests.aws_cloud import clock, emulator_url
from tests.program import declared
from tests.running_services import running
from tests.secret_stack import GOOD, JWT, Stack, groundwork, make, stack

__all__ = ["clock", "emulator_url", "groundwork", "running", "stack"]

NEW = f"{GOOD}-new"
NUMBERS = count(1)


def restarted(stack: Stack) -> list[str]:
    """The services that were given new tasks."""
    names = {said["name"]: name for name, said in stack.cloud.outputs["services"].items()}
    return [
        names[call["service"]] for call in stack.cloud.calls("UpdateService") if call["forceNewDeployment"]
    ]


class Program:
    """In the place of `pulumi`: what was asked of it, and the secrets that the next `up` writes."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.asked = stack, []
        self.writes: list[str] = []
        self.fails = ""

    def preview(self, plan: Path, *more: str) -> None:
        self.asked.append(("preview", plan.name, *more))

    def up(self, plan: Path, *more: str) -> None:
        self.asked.append(("up", plan.name, *more))
        if self.fails:
            raise Failed(self.fails)
        for arn in self.writes:
            self.stack.client.put_secret_value(SecretId=arn, SecretString=f"{GOOD}-{next(NUMBERS)}")


@pytest.fixture
def program(stack, monkeypatch):
    made = Program(stack)
    monkeypatch.setattr(rotate.Engine, "of", lambda _: made)
    return made


class Bootstrap:
    """In the place of ECS and of the task: what it was told, and the versions that it makes."""

    def __init__(self, stack: Stack, monkeypatch: Any) -> None:
        self.stack, self.told, self.fails, self.urls = stack, [], "", []
        monkeypatch.setattr(tasks, "carry_out", self.carry_out)

    def carry_out(self, _ecs: Any, _logs: Any, _outputs: Any, task: str, **more: Any) -> None:
        assert task == "bootstrap"
        if not more["going_on"]:
            [make, publish] = more["overrides"]
            assert (make["name"], publish["name"]) == ("passwords", "publish")
            assert make["environment"] == publish["environment"]
            self.told.append({each["name"]: each["value"] for each in make["environment"]})
        if self.fails:
            raise tasks.Failed(self.fails)

    def declare(self, role_arn: str, *url_arns: str) -> None:
        """The task's definition, whose URLs hold the role's password."""
        urls = "\n".join(f"url {arn} postgres://app:{{{{login/{role_arn}}}}}@a/b" for arn in url_arns)
        variables = {"BOOTSTRAP_SQL": "", "ROLES": f"app PASSWORD_APP {role_arn}", "URLS": urls}
        container = {
            "name": "passwords",
            "image": "a:1",
            "memory": 128,
            "environment": [{"name": name, "value": value} for name, value in variables.items()],
        }
        answer = self.stack.cloud.client("ecs").register_task_definition(
            family="rentalfix-prod-bootstrap", containerDefinitions=[container]
        )
        arn = answer["taskDefinition"]["taskDefinitionArn"]
        self.stack.cloud.outputs["tasks"]["bootstrap"] = {"taskDefinition": arn, "logGroup": "/bootstrap"}


@pytest.fixture
def bootstrap(stack, monkeypatch):
    return Bootstrap(stack, monkeypatch)


# One that the operator fills


def test_a_new_value_is_put_and_exactly_its_readers_start_anew(stack, groundwork, clock):
    arn, other = stack.secret("api-key", GOOD), stack.secret("other", f"{GOOD}-o")
    stack.service("api", f"{arn}:token::")
    stack.service("worker", other)
    result = groundwork("rotate", "api-key", "--yes", stdin=NEW)
    assert stack.value("api-key") == NEW
    assert restarted(stack) == ["api"]
    assert "Done. api run with the new value." in result.output
    assert NEW not in result.output


def test_it_says_beforehand_whose_tasks_it_replaces(stack, groundwork):
    arn = stack.secret("api-key", GOOD)
    stack.service("api", arn)
    said = groundwork("rotate", "api-key", "--dry-run", stdin=NEW).output
    assert "would put a new value into api-key" in said
    assert "would replace the tasks of api, without a gap" in said
    assert (stack.value("api-key"), restarted(stack)) == (GOOD, [])


def test_a_log_driver_and_a_registry_login_are_readers_too():
    container = {
        "logConfiguration": {"secretOptions": [{"name": "a", "valueFrom": "arn:aws:sm:r:1:secret:log-1"}]},
        "repositoryCredentials": {"credentialsParameter": "arn:aws:sm:r:1:secret:registry-1"},
    }
    found = rotate.users.references([container])
    assert found == ["arn:aws:sm:r:1:secret:log-1", "arn:aws:sm:r:1:secret:registry-1"]


def test_a_run_that_was_stopped_after_the_put_goes_on_with_the_tasks(stack, groundwork, clock):
    arn = stack.secret("api-key", NEW)
    stack.service("api", arn)
    groundwork("rotate", "api-key", "--yes", stdin=NEW)
    assert stack.cloud.calls("PutSecretValue") == []
    assert restarted(stack) == ["api"]


def test_a_random_value_for_one_that_the_operator_fills(stack, groundwork):
    stack.secret("partner-key", GOOD)
    said = groundwork("rotate", "partner-key", "--generate", "--length", "48", "--yes").output
    assert len(stack.value("partner-key")) == 48
    assert "No service that runs reads it" in said


def test_tasks_that_die_of_the_new_value_are_told_with_the_way_on(stack, groundwork, clock, monkeypatch):
    arn = stack.secret("api-key", GOOD)
    stack.service("api", arn)

    def dies(*_: Any) -> None:
        raise Failed("api: 2 tasks ended with 1.")

    monkeypatch.setattr(rotate.switch, "redeploy", dies)
    result = groundwork("rotate", "api-key", "--yes", "--json", stdin=NEW, code=1)
    assert json.loads(result.stdout)["failed"].startswith("api: 2 tasks ended with 1.")
    said = result.stderr
    assert "api: 2 tasks ended with 1." in said
    assert "The new value is in place; the old tasks run on with the old one." in said
    assert "`groundwork service restart api --stack prod` goes on from there" in said


def test_on_kubernetes_kubectl_starts_the_readers_anew(stack, groundwork):
    stack.secret("api-key", GOOD)
    stack.cloud.outputs["kubernetes"] = {"cluster": "a", "namespace": "rentalfix-prod"}
    said = groundwork("rotate", "api-key", "--yes", stdin=NEW).output
    assert stack.value("api-key") == NEW
    assert "`kubectl --namespace rentalfix-prod rollout restart deployment`" in said


# One that the program generates


def test_a_generated_one_is_made_anew_by_the_engine_by_the_plan_that_was_shown(
    stack, groundwork, program, clock
):
    arn = stack.secret("jwt-secret", JWT, external=False)
    stack.service("api", arn)
    program.writes = [arn]
    said = groundwork("rotate", "jwt-secret", "--yes").output
    urn = "**$random:index/random*:Random*::secret-jwt-secret"
    arguments = ("plan.json", "--target", urn, "--replace", urn, "--target-dependents")
    assert program.asked == [("preview", *arguments), ("up", *arguments)]
    assert "New values: jwt-secret." in said
    assert restarted(stack) == ["api"]


def test_a_dry_run_shows_the_plan_only(stack, groundwork, program):
    stack.secret("jwt-secret", JWT, external=False)
    said = groundwork("rotate", "jwt-secret", "--dry-run").output
    assert [each[0] for each in program.asked] == ["preview"]
    assert "would apply exactly the plan above, with a new value of jwt-secret" in said


def test_what_is_put_together_from_it_moves_its_readers_too(stack, groundwork, program, clock):
    jwt, url = (
        stack.secret("jwt-secret", JWT, external=False),
        stack.secret("jwt-url", f"https://{JWT}@a/b", external=False),
    )
    stack.service("api", url)
    stack.service("worker", jwt)
    stack.service("web")
    program.writes = [jwt, url]
    groundwork("rotate", "jwt-secret", "--yes")
    assert restarted(stack) == ["api", "worker"]


def test_an_up_that_fails_or_changes_nothing_is_no_success(stack, groundwork, program):
    arn = stack.secret("jwt-secret", JWT, external=False)
    stack.service("api", arn)
    said = groundwork("rotate", "jwt-secret", "--yes", code=1).output
    assert "no secret has a new value: is secret-jwt-secret what the program calls jwt-secret?" in said
    program.fails = "`pulumi up` ended with 1; it says why above."
    assert program.fails in groundwork("rotate", "jwt-secret", "--yes", code=1).output
    assert restarted(stack) == []


@pytest.mark.parametrize(
    ("name", "more", "sentence"),
    [
        ("jwt-secret", ["--length", "64"], "in a length of its own: leave out --generate"),
        ("nothing", [], "There is no secret nothing of rentalfix"),
    ],
)
def test_what_cannot_be_rotated_that_way_is_refused(stack, groundwork, program, name, more, sentence):
    stack.secret("jwt-secret", JWT, external=False)
    assert sentence in groundwork("rotate", name, "--yes", *more, code=2).output
    assert program.asked == []


def test_what_is_put_together_is_rotated_by_its_parts(stack, groundwork, program):
    stack.secret("database-url", "postgres://a", external=False)
    object.__setattr__(stack.cloud, "system", "fixrx")
    assert (
        "is put together from other secrets" in groundwork("rotate", "database-url", "--yes", code=2).output
    )


# One of a role of the database


@pytest.fixture
def role(stack, bootstrap):
    """Its login, and a URL that holds its password; a service reads each, and a third none."""
    arn, url = stack.role("app", GOOD), stack.secret("db-url", "postgres://a", external=False)
    bootstrap.declare(arn, url)
    stack.service("api", f"{arn}:password::")
    stack.service("worker", url)
    stack.service("web")
    return arn


def test_a_roles_is_made_by_the_task_and_not_by_the_engine(
    stack, groundwork, program, bootstrap, role, clock
):
    said = groundwork("rotate", "database/app", "--yes").output
    assert bootstrap.told == [{"ROLE": "app", "VERSION": ""}]
    assert program.asked == []
    assert restarted(stack) == ["api", "worker"]
    assert (
        "run the task bootstrap: a new password of database/app, set in PostgreSQL, then made current" in said
    )
    assert "put db-url together anew, which holds it" in said


def test_a_dry_run_runs_no_task(stack, groundwork, bootstrap, role):
    said = groundwork("rotate", "database/app", "--dry-run").output
    assert "would replace the tasks of worker, without a gap" in said
    assert (bootstrap.told, restarted(stack)) == ([], [])


def test_a_task_that_fails_leaves_the_services_alone_and_says_how_to_go_on(
    stack, groundwork, bootstrap, role
):
    bootstrap.fails = "bootstrap ended with 3."
    said = groundwork("rotate", "database/app", "--yes", code=1).output
    assert "bootstrap ended with 3." in said
    assert "`groundwork secrets rotate database/app --stack prod`) goes on" not in said
    assert (
        "the same command goes on from there (`groundwork secrets rotate database/app --stack prod`)" in said
    )
    assert "`groundwork db bootstrap --stack prod` sets the one that they have." in said
    assert restarted(stack) == []


def running_task(stack: Stack, told: dict[str, str]) -> str:
    arn = "arn:aws:ecs:us-east-1:123456789012:task/rentalfix-prod/0123"
    environment = [{"name": name, "value": value} for name, value in told.items()]
    overridden = [{"name": "passwords", "environment": environment}] if told else []
    task = {
        "taskArn": arn,
        "lastStatus": "RUNNING",
        "startedBy": tasks.STARTED_BY,
        "overrides": {"containerOverrides": overridden},
    }
    stack.cloud.says("ListTasks", {"taskArns": [arn]})
    stack.cloud.says("DescribeTasks", {"tasks": [task], "failures": []})
    return arn


def test_one_that_was_interrupted_here_is_followed(stack, groundwork, bootstrap, role, clock, monkeypatch):
    monkeypatch.setattr(rotate.switch, "redeploy", lambda *_: None)
    running_task(stack, {"ROLE": "app", "VERSION": ""})
    groundwork("rotate", "database/app", "--yes")
    assert bootstrap.told == []


@pytest.mark.parametrize("told", [{}, {"ROLE": "other", "VERSION": ""}, {"ROLE": "app", "VERSION": "1"}])
def test_another_run_of_the_task_is_waited_for_by_the_operator(stack, groundwork, bootstrap, role, told):
    arn = running_task(stack, told)
    said = groundwork("rotate", "database/app", "--yes", code=1).output
    assert f"The task bootstrap runs already, for something else ({arn}). Nothing was changed" in said
    assert bootstrap.told == []


# One of a broker


class BrokerLogins:
    """In the place of ECS and of the task: the stack's task with its definition, and what it was told."""

    def __init__(self, stack: Stack, monkeypatch: Any) -> None:
        self.stack, self.told, self.fails = stack, [], ""
        value = json.dumps({"username": "admin", "password": GOOD})
        self.arn = make(stack.cloud, "broker-events", value)
        stack.cloud.outputs["brokers"]["events"] = {"loginSecretArn": self.arn}
        self.declare(f"events admin {self.arn} https://b-1.example.invalid")
        monkeypatch.setattr(tasks, "carry_out", self.carry_out)

    def declare(self, *lines: str) -> None:
        variables = {"BROKERS": "\n".join(lines), "BROKER": "", "VERSION": ""}
        container = {
            "name": "broker-logins",
            "image": "a:1",
            "memory": 128,
            "environment": [{"name": name, "value": value} for name, value in variables.items()],
        }
        answer = self.stack.cloud.client("ecs").register_task_definition(
            family="rentalfix-prod-broker-logins", containerDefinitions=[container]
        )
        arn = answer["taskDefinition"]["taskDefinitionArn"]
        self.stack.cloud.outputs["tasks"]["broker-logins"] = {"taskDefinition": arn, "logGroup": "/logins"}

    def carry_out(self, _ecs: Any, _logs: Any, _outputs: Any, task: str, **more: Any) -> None:
        assert task == "broker-logins"
        [override] = more["overrides"]
        assert override["name"] == "broker-logins"
        self.told.append({each["name"]: each["value"] for each in override["environment"]})
        more["tell"]("broker-logins: ended well")
        if self.fails:
            raise tasks.Failed(self.fails)


@pytest.fixture
def broker(stack, monkeypatch):
    """Its login, which one of two services reads."""
    made = BrokerLogins(stack, monkeypatch)
    stack.service("api", f"{made.arn}:password::")
    stack.service("web")
    yield made
    stack.cloud.outputs["tasks"].pop("broker-logins", None)


def test_a_brokers_is_made_by_its_task_and_exactly_its_readers_start_anew(
    stack, groundwork, program, broker, clock
):
    said = groundwork("rotate", "brokers/events", "--yes").output
    assert broker.told == [{"BROKER": "events", "VERSION": ""}]
    assert program.asked == []
    assert restarted(stack) == ["api"]
    assert (
        "run the task broker-logins: a new password of brokers/events, set in RabbitMQ, then made current"
        in said
    )
    assert "Done. api run with the new value." in said


def test_a_dry_run_of_a_brokers_runs_no_task(stack, groundwork, broker):
    said = groundwork("rotate", "brokers/events", "--dry-run").output
    assert "would run the task broker-logins: a new password of brokers/events" in said
    assert "would replace the tasks of api, without a gap" in said
    assert (broker.told, restarted(stack)) == ([], [])


def test_as_json_a_brokers_rotation_says_what_was_done_and_nothing_else(stack, groundwork, broker, clock):
    said = groundwork("rotate", "brokers/events", "--yes", "--json").stdout
    assert json.loads(said) == {"secrets": ["brokers/events"], "services_restarted": ["api"]}


def test_a_broker_goes_back_by_the_task(stack, groundwork, broker, clock):
    [former] = stack.client.describe_secret(SecretId=broker.arn)["VersionIdsToStages"]
    stack.client.put_secret_value(SecretId=broker.arn, SecretString="{}")
    said = groundwork("rotate", "brokers/events", "--back", "--yes").output
    assert broker.told == [{"BROKER": "events", "VERSION": former}]
    assert "run the task broker-logins, which sets it in RabbitMQ first" in said
    assert stack.cloud.calls("UpdateSecretVersionStage") == []
    assert restarted(stack) == ["api"]


def test_a_brokers_task_that_fails_leaves_the_services_alone_and_says_how_to_go_on(stack, groundwork, broker):
    broker.fails = "broker-logins ended with 69."
    said = groundwork("rotate", "brokers/events", "--yes", code=1).output
    assert "broker-logins ended with 69." in said
    assert "RabbitMQ may have the other one already" in said
    assert "`groundwork run broker-logins --stack prod` sets the one that they have." in said
    assert restarted(stack) == []


def test_a_brokers_password_that_urls_hold_is_not_rotated(stack, groundwork, broker):
    broker.declare(f"events admin {broker.arn} https://b-1.example.invalid amqp-url jobs-url")
    said = groundwork("rotate", "brokers/events", "--yes", code=2).output
    assert (
        "The password of brokers/events is in amqp-url, jobs-url, too, which would keep the old one." in said
    )
    assert "host, port, username and password as variables of their own" in said
    assert broker.told == []


def test_a_stack_from_before_the_brokers_task_is_told_what_declares_it(stack, groundwork, broker):
    broker.declare("other admin arn:aws:secretsmanager:us-east-1:1:secret:other https://b-2.example.invalid")
    said = groundwork("rotate", "brokers/events", "--yes", code=2).output
    assert f"knows no broker with the login {broker.arn}. `pulumi up` declares it anew." in said
    del stack.cloud.outputs["tasks"]["broker-logins"]
    said = groundwork("rotate", "brokers/events", "--yes", code=2).output
    assert "has no task broker-logins. `pulumi up` declares it with the broker." in said
    assert broker.told == []


# Back to the former value


def test_what_was_put_goes_back_to_the_value_before_it(stack, groundwork, clock):
    arn = stack.secret("api-key", GOOD)
    stack.service("api", arn)
    groundwork("rotate", "api-key", "--yes", stdin=NEW)
    said = groundwork("rotate", "api-key", "--back", "--yes").output
    assert stack.value("api-key") == GOOD
    assert restarted(stack) == ["api", "api"]
    assert re.search(r"make the value of \S+ \S+ current again in api-key", said)
    assert GOOD not in said
    groundwork("rotate", "api-key", "--back", "--yes")
    assert stack.value("api-key") == NEW, "twice is back where it began"


def test_going_back_is_shown_first(stack, groundwork, clock):
    stack.secret("api-key", GOOD)
    groundwork("rotate", "api-key", "--yes", stdin=NEW)
    assert "would make the value of" in groundwork("rotate", "api-key", "--back", "--dry-run").output
    assert stack.value("api-key") == NEW


def test_a_role_goes_back_by_the_task_too(stack, groundwork, bootstrap, role, clock):
    [former] = stack.client.describe_secret(SecretId=role)["VersionIdsToStages"]
    stack.client.put_secret_value(SecretId=role, SecretString="{}")
    groundwork("rotate", "database/app", "--back", "--yes")
    assert bootstrap.told == [{"ROLE": "app", "VERSION": former}]
    assert stack.cloud.calls("UpdateSecretVersionStage") == []
    assert restarted(stack) == ["api", "worker"]


def test_tasks_that_die_of_a_new_value_are_told_the_way_back(stack, groundwork, clock, monkeypatch):
    def dies(*_: Any) -> None:
        raise Failed("api: 2 tasks ended with 1.")

    monkeypatch.setattr(rotate.switch, "redeploy", dies)
    stack.service("api", stack.secret("api-key", GOOD))
    back = "`groundwork secrets rotate api-key --back --stack prod` makes the former value current again."
    assert back in groundwork("rotate", "api-key", "--yes", stdin=NEW, code=1).output
    assert "--back" not in groundwork("rotate", "api-key", "--back", "--yes", code=1).output


def test_what_cannot_go_back_is_refused(stack, groundwork):
    stack.secret("api-key", GOOD)
    stack.secret("empty")
    stack.secret("jwt-secret", JWT, external=False)
    for name, more, sentence in (
        ("api-key", [], "api-key has no former value: it was filled once at most."),
        ("empty", [], "empty has no former value"),
        ("jwt-secret", [], "jwt-secret is generated: rotate it anew."),
        ("api-key", ["--generate"], "--back takes a value that there was: leave out --generate"),
    ):
        assert sentence in groundwork("rotate", name, "--back", "--yes", *more, code=2).output


@pytest.mark.parametrize("name", ["fixrx/prod", "nx-monorepo/prod", "prod"])
def test_the_names_of_random_values_are_those_that_the_program_declares(name):
    """So that the engine replaces that one, and no more."""
    recording = declared(name)
    random = [each.name for each in recording.resources if each.type.startswith("random:index/random")]
    said = recording.value
    platform = known.Platform(said["system"], "prod", said)
    made = {
        each.resource
        for each in known.every(platform)
        if each.origin not in (Origin.external, Origin.composed, Origin.master, Origin.role)
    }
    assert made
    assert [random.count(each) for each in made] == [1] * len(made)


# The master user's


def master(stack: Stack, owner: str | None) -> str:
    arn = make(stack.cloud, "master", json.dumps({"username": "postgres", "password": GOOD}))
    stack.cloud.outputs["database"] = {"masterSecretArn": arn, "roleSecretArns": {}}
    if owner:
        stack.cloud.says("DescribeSecret", {"ARN": arn, "OwningService": owner})
    return arn


def test_rds_makes_the_master_users_anew_and_it_waits_for_it(stack, groundwork, program, clock):
    arn = master(stack, "rds")
    versions = [["old"], ["old"], ["old"], ["new"]]

    def listed(_: Any) -> dict[str, Any]:
        [name] = versions.pop(0) if len(versions) > 1 else versions[0]
        made = {
            "VersionId": name * 12,
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": "2026-11-26T00:00:00Z",
        }
        return {"ARN": arn, "Versions": [made]}

    stack.cloud.says("ListSecretVersionIds", listed)
    stack.cloud.says("RotateSecret", {"ARN": arn})
    said = groundwork("rotate", "database/master", "--yes").output
    assert stack.cloud.calls("RotateSecret") == [{"SecretId": arn}]
    assert clock.sleeps == [5, 5]
    assert "the old password is still the current one" in said
    assert program.asked == []


def test_a_rotation_by_rds_that_does_not_end_is_told(stack, groundwork, clock):
    arn = master(stack, "rds")
    stack.cloud.says("RotateSecret", {"ARN": arn})
    said = groundwork("rotate", "database/master", "--yes", "--timeout-minutes", "1", code=1).output
    assert "RDS goes on with it" in said
    assert clock.now >= 60


def test_where_there_are_replicas_the_program_makes_the_master_users(stack, groundwork, program):
    program.writes = [master(stack, None)]
    groundwork("rotate", "database/master", "--yes")
    assert program.asked[0][3] == "**$random:index/random*:Random*::database-master"


def test_the_engines_arguments_reach_pulumi():
    stack = StackFile(
        system="fixrx", stack="prod", name="fixrx-prod", config_file="f", policy_config="", region="r",
        standing=None, tags={},
    )  # fmt: skip
    engine = Engine(stack)
    secret = known.Known(name="a", arn="a", origin=known.Origin.generated, resource="secret-a")
    command = engine.command("up", *rotate.arguments(secret))
    assert command[-5:] == ["--target", "**$random:index/random*:Random*::secret-a", "--replace",
                            "**$random:index/random*:Random*::secret-a", "--target-dependents"]  # fmt: skip


# For a program


def test_a_program_is_told_what_is_new_and_whose_tasks_were_replaced(stack, groundwork, program, clock):
    arn, jwt = stack.secret("api-key", GOOD), stack.secret("jwt-secret", JWT, external=False)
    stack.service("api", arn, jwt)
    result = groundwork("rotate", "api-key", "--yes", "--json", stdin=NEW)
    assert json.loads(result.stdout) == {"secrets": ["api-key"], "services_restarted": ["api"]}
    assert NEW not in result.output
    program.writes = [jwt]
    result = groundwork("rotate", "jwt-secret", "--yes", "--json")
    assert json.loads(result.stdout) == {"secrets": ["jwt-secret"], "services_restarted": ["api"]}
    assert stack.value("jwt-secret") not in result.output


def test_a_program_is_told_that_nobody_reads_it(stack, groundwork):
    stack.secret("partner-key", GOOD)
    result = groundwork("rotate", "partner-key", "--generate", "--yes", "--json")
    assert json.loads(result.stdout) == {"secrets": ["partner-key"], "services_restarted": []}
    assert stack.value("partner-key") not in result.output


def test_a_program_is_told_what_a_dry_run_would_replace(stack, groundwork):
    arn = stack.secret("api-key", GOOD)
    stack.service("api", arn)
    result = groundwork("rotate", "api-key", "--dry-run", "--json", stdin=NEW)
    assert json.loads(result.stdout) == {
        "stack": str(stack.cloud),
        "would": [f"put a new value into api-key ({arn})", "replace the tasks of api, without a gap"],
    }
    assert NEW not in result.output
    assert (stack.value("api-key"), restarted(stack)) == (GOOD, [])
