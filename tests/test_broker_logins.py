"""The task that rotates a broker's login, run by sh: secrets in the emulator's Secrets Manager, a user of a RabbitMQ.

In place of AWS's CLI a program asks the emulator; it and curl can be told to die before or after one of their calls.
Debian's RabbitMQ is 3.10, Amazon MQ's is newer. Which tags it says a user has, older ones wrote in another way.
"""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from components import _broker_logins
from tests.aws_cloud import cloud, emulator_url
from tests.aws_program import Aws, aws_program
from tests.real_programs import free_port
from tests.real_rabbitmq import Rabbit, rabbitmq_server

__all__ = ["cloud", "emulator_url"]

# Its server is slow to start: once for all of them.
pytestmark = pytest.mark.xdist_group("rabbitmq")

FIRST = "-first.password_that~Pulumi-made"
TAGS = ["administrator", "monitoring"]
CURL = f"""#!/bin/sh
echo "curl $*" >> "$CALLS"
case "$DIES/$*" in
"before PUT"/*PUT*) exit 137 ;;
"after PUT"/*PUT*) {shutil.which("curl")} "$@" > /dev/null; exit 137 ;;
esac
exec {shutil.which("curl")} "$@" $MORE
"""


@dataclass
class Task:
    """The container as ECS runs it. Its folder is of this test's own, and so are broker, user and secret."""

    rabbit: Rabbit
    aws: Aws
    client: Any
    environment: dict[str, str]
    folder: Path
    arn: str
    user: str
    console: str = ""
    held_by: str = ""
    more: str = ""  # options of curl: the last one counts
    others: list[str] = field(default_factory=list)

    def run(self, *, broker: str = "", version: str = "", dies: str = "") -> tuple[str, int]:
        """What it wrote, and how it ended."""
        console = self.console or f"{self.rabbit.console}/"
        self.aws.dies = dies
        own = _broker_logins.line("events", self.user, self.arn, console, self.held_by)
        done = subprocess.run(
            ["sh", "-ec", _broker_logins.rotate(str(self.folder))],
            env={
                **self.environment,
                "BROKERS": "\n".join([*self.others, own]),
                "BROKER": broker,
                "VERSION": version,
                "DIES": dies,
                "MORE": self.more,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout, done.returncode

    def well(self, **more: str) -> str:
        said, code = self.run(**more)
        assert code == 0, said
        return said

    def version(self, stage: str = "AWSCURRENT") -> str:
        return self.client.get_secret_value(SecretId=self.arn, VersionStage=stage)["VersionId"]

    def password(self, stage: str = "AWSCURRENT") -> str:
        answer = self.client.get_secret_value(SecretId=self.arn, VersionStage=stage)
        return json.loads(answer["SecretString"])["password"]

    def stages(self) -> list[str]:
        said = self.client.describe_secret(SecretId=self.arn)["VersionIdsToStages"]
        return sorted(stage for stages in said.values() for stage in stages)

    def opens(self, password: str) -> bool:
        return self.rabbit.opens(self.user, password)

    @property
    def calls(self) -> str:
        """Of the CLI, and then of curl."""
        return "\n".join(self.aws.calls) + Path(self.environment["CALLS"]).read_text(encoding="utf-8")


def login(user: str, password: str) -> str:
    return json.dumps({"username": user, "password": password})


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rabbit]:
    with rabbitmq_server(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


@pytest.fixture
def aws(cloud, tmp_path):
    with aws_program(tmp_path, cloud.client("secretsmanager")) as program:
        yield program


@pytest.fixture
def task(rabbit, cloud, aws, tmp_path):
    (tmp_path / "curl").write_text(CURL, encoding="utf-8")
    (tmp_path / "curl").chmod(0o755)
    (tmp_path / "calls").touch()
    (tmp_path / "folder").mkdir()
    client, user = cloud.client("secretsmanager"), f"admin.{uuid4().hex[:8]}"
    rabbit.user(user, FIRST, *TAGS)
    return Task(
        rabbit=rabbit,
        aws=aws,
        client=client,
        environment={"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(tmp_path / "calls")},
        folder=tmp_path / "folder",
        arn=client.create_secret(Name=f"login-{uuid4()}", SecretString=login(user, FIRST))["ARN"],
        user=user,
    )


def test_a_run_that_names_no_broker_changes_nothing_where_the_password_opens(task):
    before = task.stages()
    assert task.well() == ""
    assert task.stages() == before == ["AWSCURRENT"]
    assert "PUT" not in task.calls
    assert task.opens(FIRST)


def test_a_login_is_rotated_and_the_user_keeps_its_tags(task):
    said = task.well(broker="events")
    assert said.splitlines() == [
        "events: a new password is made",
        "events: RabbitMQ and Secrets Manager have the same password",
    ]
    new = task.password()
    assert re.fullmatch(r"[a-zA-Z0-9]{48}", new)
    assert task.opens(new)
    assert not task.opens(FIRST)
    assert task.rabbit.tags(task.user) == TAGS
    assert task.password("AWSPREVIOUS") == FIRST
    assert (
        json.loads(task.client.get_secret_value(SecretId=task.arn)["SecretString"])["username"] == task.user
    )


def test_the_version_that_the_broker_was_made_with_keeps_a_label(task):
    task.well(broker="events")
    task.well(broker="events")
    assert task.password(_broker_logins.FIRST) == FIRST
    assert task.stages() == ["AWSCURRENT", "AWSPREVIOUS", "FIRST"]


def test_going_back_to_the_former_password_and_a_rotation_after_it_makes_a_third(task):
    former = task.version()
    task.well(broker="events")
    new = task.password()
    said = task.well(broker="events", version=former)
    assert "events: an earlier password comes back" in said
    assert (task.version(), task.password("AWSPREVIOUS")) == (former, new)
    assert task.opens(FIRST)
    assert not task.opens(new)
    task.well(broker="events", version=former)
    assert task.version() == former, "the same once more changes nothing"
    task.well(broker="events")
    assert task.password() not in {FIRST, new}


def test_going_back_to_a_version_without_a_label_is_taken_up_by_the_same_run_again(task):
    task.well(broker="events")
    version, password = task.version(), task.password()
    task.well(broker="events")
    task.well(broker="events")
    assert task.client.describe_secret(SecretId=task.arn)["VersionIdsToStages"].get(version, []) == []
    assert task.run(broker="events", version=version, dies="after PUT")[1] != 0
    task.well(broker="events", version=version)
    assert (task.version(), task.opens(password)) == (version, True)


@pytest.mark.parametrize(
    "dies",
    [
        "after --version-stage FIRST",
        "after put-secret-value",
        "before PUT",
        "after PUT",
        "before update-secret-version-stage --secret-id ARN --version-stage AWSCURRENT",
        "after update-secret-version-stage --secret-id ARN --version-stage AWSCURRENT",
    ],
)
def test_whatever_is_interrupted_the_same_run_again_ends_with_a_new_password_everywhere(task, dies):
    said, code = task.run(broker="events", dies=dies.replace("ARN", task.arn))
    assert code != 0, said
    versions = task.client.list_secret_version_ids(SecretId=task.arn)["Versions"]
    held = {
        json.loads(
            task.client.get_secret_value(SecretId=task.arn, VersionId=each["VersionId"])["SecretString"]
        )["password"]
        for each in versions
    }
    assert [task.opens(each) for each in held].count(True) == 1, (
        "at no time is a value lost that RabbitMQ has"
    )
    task.well(broker="events")
    assert task.password() != FIRST
    assert task.opens(task.password())
    assert "AWSPENDING" not in task.stages()


def test_a_rotation_that_rabbitmq_knows_already_is_only_made_current(task):
    task.run(broker="events", dies="after PUT")
    begun = task.password("AWSPENDING")
    assert task.opens(begun)
    said = task.well(broker="events")
    assert said.splitlines()[0] == "events: a new password was made before"
    assert task.password() == begun
    assert task.calls.count("--request PUT") == 1


def test_after_an_interrupted_rotation_a_run_that_names_no_broker_sets_the_current_password_again(task):
    task.run(broker="events", dies="after PUT")
    assert not task.opens(FIRST)
    assert task.well() == "events: RabbitMQ had another password, and takes the current one again\n"
    assert task.password() == FIRST
    assert task.opens(FIRST)


def test_a_rotation_that_was_begun_and_gone_back_from_is_not_taken_up_again(task):
    former = task.version()
    task.run(broker="events", dies="after PUT")
    begun = task.password("AWSPENDING")
    task.well(broker="events", version=former)
    assert task.opens(FIRST)
    task.well(broker="events")
    assert task.password() != begun


@pytest.mark.parametrize("broker", ["", "events"])
def test_a_broker_that_was_made_anew_with_its_first_login_is_opened_with_that(task, broker):
    task.well(broker="events")
    task.well(broker="events")
    current = task.password()
    task.rabbit.user(task.user, FIRST, "administrator")
    said = task.well(broker=broker)
    assert ("takes the current one again" in said) == (not broker)
    assert (task.password() == current) == (not broker)
    assert task.opens(task.password())
    assert not task.opens(FIRST)
    assert task.rabbit.tags(task.user) == ["administrator"], "as the user has them now"


def test_where_no_password_opens_nothing_is_set(task):
    task.well(broker="events")
    task.rabbit.user(task.user, "somebody-set-another-one", *TAGS)
    before = task.stages()
    said, code = task.run(broker="events")
    assert code == 69
    assert said == (
        f"events: no password of {task.arn} opens {task.rabbit.console}: set the current one there, or put in what was "
        "set\n"
    )
    assert task.stages() == before
    assert task.opens("somebody-set-another-one")


def test_a_broker_that_does_not_answer_is_no_password_that_does_not_open(task):
    task.console, task.more = f"http://127.0.0.1:{free_port()}", "--retry 0"
    said, code = task.run(broker="events")
    assert code == 69
    assert f"events: {task.console} answers with 000: no password was tried" in said
    assert "Failed to connect" in said
    assert task.stages() == ["AWSCURRENT"]
    assert "--max-time 10 --retry 2 --retry-connrefused" in task.calls, (
        "a moment without an answer is no failure"
    )
    assert task.calls.count("curl ") == 1


def test_a_user_who_may_change_nobody_is_told(task):
    task.rabbit.user(task.user, FIRST, "monitoring")
    said, code = task.run(broker="events")
    assert code == 69
    assert re.search(r"events: \S+ answers with 40[13]: the password was not set", said)
    assert (task.password(), task.opens(FIRST)) == (FIRST, True)


@pytest.mark.parametrize("broker", ["event", "nothing"])
def test_a_broker_that_is_not_there_changes_nothing(task, broker):
    said, code = task.run(broker=broker)
    assert (said, code) == (f"The stack has no broker {broker}: nothing is changed\n", 64)
    assert task.calls == ""


def test_a_password_that_a_url_holds_is_not_rotated_and_still_looked_after(task):
    task.held_by = "amqp-url amqp-other-url"
    said, code = task.run(broker="events")
    assert code == 64
    assert said == (
        "events: its password is in amqp-url amqp-other-url, too, which nobody would put together anew: nothing is "
        "changed\n"
    )
    assert task.well() == ""
    assert task.stages() == ["AWSCURRENT"]


def test_other_brokers_are_looked_after_and_keep_their_passwords(task):
    user, password = f"other.{uuid4().hex[:8]}", "another-broker.s-password"
    task.rabbit.user(user, "what-it-was-made-with", "administrator")
    other = task.client.create_secret(Name=user, SecretString=login(user, "what-it-was-made-with"))["ARN"]
    task.client.put_secret_value(SecretId=other, SecretString=login(user, password))
    task.others = [_broker_logins.line("other", user, other, task.rabbit.console, "")]
    said = task.well(broker="events")
    assert said.splitlines()[0] == "other: RabbitMQ had another password, and takes the current one again"
    assert task.rabbit.opens(user, password)
    assert task.opens(task.password())


@pytest.mark.parametrize("content", ["hunter22", '{"password":""}', '{"password":"a\\"b"}'])
def test_a_secret_that_holds_no_login_ends_it_without_being_shown(task, content):
    task.client.put_secret_value(SecretId=task.arn, SecretString=content)
    said, code = task.run(broker="events")
    assert (said, code) == (
        f"{task.arn} holds no login: JSON with a password that has no quote and no backslash\n",
        65,
    )


def test_no_password_is_in_a_line_of_output_an_argument_a_file_that_stays_or_the_server_s_log(task):
    said = task.well(broker="events")
    secrets = {FIRST, task.password()}
    said += task.run(broker="events", dies="after PUT")[0]
    secrets |= {task.password("AWSPENDING")}
    said += task.well(broker="events") + task.well()
    assert len(secrets) == 3
    assert [path.name for path in task.folder.iterdir()] == []
    log = task.rabbit.log.read_text(encoding="utf-8", errors="replace")
    assert "Successfully changed password for user" in log
    assert not any(secret in text for secret in secrets for text in (said, task.calls, log))


@contextmanager
def a_console_that_answers(whoami: bytes, put: int = 204) -> Generator[tuple[str, list[bytes]]]:
    """No RabbitMQ: its address, and what was put."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(whoami)

        def do_PUT(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(put)
            self.end_headers()

        log_message: Callable[..., None] = lambda *_: None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", bodies
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("whoami", "tags"),
    [
        (b'{"name":"admin","tags":"administrator,monitoring"}', "administrator,monitoring"),
        (b'{"name":"admin","tags":["administrator"],"more":["a"]}\n', ["administrator"]),
        (b'{"tags":[],"name":"admin"}', []),
    ],
)
def test_tags_are_sent_back_as_they_were_said(task, whoami, tags):
    """A string before RabbitMQ 3.9, a list since."""
    with a_console_that_answers(whoami) as (task.console, bodies):
        task.well(broker="events")
    [body] = bodies
    assert json.loads(body) == {"password": task.password(), "tags": tags}


def test_without_tags_that_it_can_read_nothing_is_set(task):
    with a_console_that_answers(b'{"name":"admin"}') as (task.console, bodies):
        said, code = task.run(broker="events")
    assert code == 69
    assert f"does not say which tags {task.user} has: no password was set" in said
    assert (bodies, task.password()) == ([], FIRST)
