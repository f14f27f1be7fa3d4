"""The bootstrap's steps around psql, run by sh: secrets in the emulator's Secrets Manager, roles in a real PostgreSQL.

In place of AWS's CLI a program asks the emulator; it can be told to die before or after one of its calls.
"""

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from components import _role_passwords
from components._bootstrap import Bootstrap, Role, password_variable, sql
from tests.aws_cloud import cloud, emulator_url
from tests.aws_program import Aws, aws_program
from tests.real_servers import MASTER, Refused

__all__ = ["cloud", "emulator_url"]

APP, READER = "shop_app", "shop_reader"


@dataclass
class Task:
    """The containers of the task, one after the other, as ECS runs them: the next only where the one before ended well.

    `ROLES`, `URLS` and the folder are of this test's own.
    """

    database: Any
    folder: Path
    aws: Aws
    client: Any
    environment: dict[str, str]
    arns: dict[str, str]
    urls: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=lambda: [APP, READER])

    def run(self, *, dies: str = "", dies_in: str = "", role: str = "", version: str = "") -> tuple[str, int]:
        """What all of it wrote, and how it ended. `dies_in` is the step that is killed before it begins."""
        declared = sql(Bootstrap(database=self.database.name, roles={each: Role() for each in self.roles}))
        steps = {
            "make": _role_passwords.make(str(self.folder)),
            "set": _role_passwords.set_them(str(self.folder)),
            "publish": _role_passwords.publish(str(self.folder)),
        }
        said, self.aws.dies = "", dies
        for name, script in steps.items():
            if name == dies_in:
                return said, 137
            done = subprocess.run(
                ["sh", "-ec", script],
                env={
                    **self.environment,
                    "ROLES": "\n".join(
                        _role_passwords.roles_line(each, self.arns[each]) for each in self.roles
                    ),
                    "URLS": "\n".join(self.urls),
                    "BOOTSTRAP_SQL": declared,
                    "ROLE": role,
                    "VERSION": version,
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            said += done.stdout
            if done.returncode:
                return said, done.returncode
        return said, 0

    def well(self, **more: str) -> str:
        said, code = self.run(**more)
        assert code == 0, said
        return said

    def current(self, name: str, stage: str = "AWSCURRENT") -> Any:
        answer = self.client.get_secret_value(SecretId=self.arns[name], VersionStage=stage)
        return answer["SecretString"], answer["VersionId"]

    def password(self, role: str, stage: str = "AWSCURRENT") -> str:
        return json.loads(self.current(role, stage)[0])["password"]

    def stages(self, name: str) -> dict[str, list[str]]:
        return self.client.describe_secret(SecretId=self.arns[name])["VersionIdsToStages"]

    def lets_in(self, role: str, password: str) -> bool:
        self.database.server.passwords[role] = password
        try:
            return self.database.sql("SELECT current_user", user=role) == role
        except Refused as refused:
            if "password authentication failed" not in str(refused):
                raise
            return False

    @property
    def calls(self) -> str:
        return "\n".join(self.aws.calls)


@pytest.fixture
def aws(cloud, tmp_path):
    with aws_program(tmp_path, cloud.client("secretsmanager")) as program:
        yield program


@pytest.fixture
def task(new_database, cloud, aws, tmp_path):
    database, client = new_database(), cloud.client("secretsmanager")
    (tmp_path / "shared").mkdir()
    program = database.server.program
    made = Task(
        database=database,
        folder=tmp_path / "shared",
        aws=aws,
        client=client,
        environment={
            **database.environment(MASTER),
            **program.environment,
            "PATH": f"{tmp_path}:{program.path.resolve().parent}:/usr/bin:/bin",
        },
        arns={name: client.create_secret(Name=f"{name}-{uuid4()}")["ARN"] for name in (APP, READER, "url")},
    )
    yield made
    for role in (APP, READER):
        database.server.passwords.pop(role, None)


def test_the_first_run_makes_a_password_for_each_role_and_the_second_changes_nothing(task):
    said = task.well()
    assert said.splitlines()[0] == f"{APP}: a password is made"
    passwords = {role: task.password(role) for role in (APP, READER)}
    assert all(re.fullmatch(r"[a-zA-Z0-9]{48}", each) for each in passwords.values())
    assert len(set(passwords.values())) == 2
    assert json.loads(task.current(APP)[0])["username"] == APP
    assert all(task.lets_in(role, password) for role, password in passwords.items())
    before = [task.stages(role) for role in (APP, READER)]
    assert "password" not in task.well()
    assert [task.stages(role) for role in (APP, READER)] == before
    assert (
        "put-secret-value" not in task.calls.partition("describe-secret")[2].rpartition("put-secret-value")[2]
    )


def test_a_new_role_gets_its_own_and_the_others_keep_theirs(task):
    task.roles = [APP]
    task.well()
    kept = task.current(APP)
    task.roles = [APP, READER]
    said = task.well()
    assert f"{READER}: a password is made" in said
    assert f"{APP}:" not in said
    assert task.current(APP) == kept
    assert task.lets_in(READER, task.password(READER))


def test_a_role_that_postgresql_had_before_gets_what_the_secret_holds(task):
    """As on a stack whose passwords Pulumi made: the value stays, whatever characters it has that JSON leaves alone."""
    task.client.put_secret_value(
        SecretId=task.arns[APP], SecretString=json.dumps({"username": APP, "password": "it's-~. $x` {old}"})
    )
    task.roles = [APP]
    assert "password" not in task.well()
    assert task.lets_in(APP, "it's-~. $x` {old}")


@pytest.mark.parametrize(
    "content", ["hunter22", '{"username":"a"}', '{"password":""}', '{"password":"a\\"b"}']
)
def test_a_secret_that_holds_no_login_ends_it_without_being_shown(task, content):
    task.client.put_secret_value(SecretId=task.arns[APP], SecretString=content)
    said, code = task.run()
    assert code == 65
    assert said == (
        f"{task.arns[APP]} holds no login: JSON with a password that has no quote and no backslash\n"
    )


def test_one_role_is_rotated_and_the_former_password_is_kept_as_the_previous_one(task):
    task.well()
    old, other = task.password(APP), task.current(READER)
    said = task.well(role=APP)
    assert f"{APP}: a new password is made" in said
    assert f"{APP}: PostgreSQL and Secrets Manager have the same password" in said
    new = task.password(APP)
    assert new != old
    assert task.lets_in(APP, new)
    assert not task.lets_in(APP, old)
    assert task.password(APP, "AWSPREVIOUS") == old
    assert not any("AWSPENDING" in stages for stages in task.stages(APP).values())
    assert task.current(READER) == other


@pytest.mark.parametrize(
    ("dies", "dies_in", "then"),
    [
        ("before put-secret-value", "", APP),
        ("after put-secret-value", "", APP),
        ("", "set", APP),
        ("", "publish", APP),
        ("", "publish", ""),
        ("after update-secret-version-stage", "", APP),
        ("after update-secret-version-stage", "", ""),
    ],
)
def test_whatever_is_interrupted_the_next_run_ends_with_one_password_everywhere(task, dies, dies_in, then):
    task.roles = [APP]
    task.well()
    old = task.password(APP)
    said, code = task.run(role=APP, dies=dies, dies_in=dies_in)
    assert code == 137, said
    # At no time is a value lost that PostgreSQL may have.
    held = {task.password(APP, stage) for stages in task.stages(APP).values() for stage in stages}
    assert old in held
    assert any(task.lets_in(APP, each) for each in held)
    task.well(role=then)
    now = task.password(APP)
    assert task.lets_in(APP, now)
    if then:
        assert now != old


@pytest.mark.parametrize(
    ("dies", "dies_in"),
    [("before put-secret-value", ""), ("after put-secret-value", ""), ("", "set")],
)
def test_a_first_run_that_is_interrupted_is_run_once_more(task, dies, dies_in):
    assert task.run(dies=dies, dies_in=dies_in)[1] == 137
    task.well()
    assert all(task.lets_in(role, task.password(role)) for role in (APP, READER))


def test_going_back_to_the_former_password_and_a_rotation_after_it_makes_a_third(task):
    task.roles = [APP]
    task.well()
    old, version = task.password(APP), task.current(APP)[1]
    task.well(role=APP)
    new = task.password(APP)
    said = task.well(role=APP, version=version)
    assert f"{APP}: an earlier password comes back" in said
    assert task.current(APP)[1] == version
    assert task.lets_in(APP, old)
    assert task.password(APP, "AWSPREVIOUS") == new
    task.well(role=APP, version=version)
    assert task.current(APP)[1] == version, "the same once more changes nothing"
    task.well(role=APP)
    assert task.password(APP) not in {old, new}


def test_a_rotation_that_was_begun_and_gone_back_from_is_not_taken_up_again(task):
    task.roles = [APP]
    task.well()
    version = task.current(APP)[1]
    task.run(role=APP, dies_in="set")
    begun = task.password(APP, "AWSPENDING")
    task.well(role=APP, version=version)
    task.well(role=APP)
    assert task.password(APP) != begun


def test_a_role_that_is_not_declared_changes_nothing(task):
    said, code = task.run(role="shop")
    assert (said, code) == ("The database has no role shop: nothing is changed\n", 64)
    assert task.calls == ""


def test_the_first_value_of_a_role_that_is_named_is_no_rotation(task):
    said = task.well(role=APP)
    assert f"{APP}: a password is made" in said
    assert "the same password" not in said
    assert task.lets_in(APP, task.password(APP))


def test_leave_that_is_refused_is_no_secret_without_a_value(task):
    task.well()
    kept = task.password(APP)
    for operation in ("describe-secret", "get-random-password"):
        said, code = task.run(role=APP, dies=f"before {operation}")
        assert code != 0, said
        assert task.password(APP) == kept


def url(name: str, arn: str, template: str) -> str:
    return f"{name} {arn} {template}"


def test_a_url_is_put_together_from_what_is_current_and_only_when_it_changes(task):
    token = "a b/c%&"
    cache = task.client.create_secret(Name=f"token-{uuid4()}", SecretString=token)["ARN"]
    role, value = (
        _role_passwords.placeholder(_role_passwords.LOGIN, task.arns[APP]),
        _role_passwords.placeholder(_role_passwords.VALUE, cache),
    )
    task.roles = [APP]
    template = f"postgresql://{APP}:{role}@db:5432/shop?sslmode=require&token={value}"
    task.urls = [url("database-url", task.arns["url"], template)]
    said = task.well()
    made = task.current("url")
    assert "database-url: put together anew" in said
    assert made[0] == (
        f"postgresql://{APP}:{task.password(APP)}@db:5432/shop?sslmode=require&token=a%20b%2Fc%25%26"
    )
    assert "put together" not in task.well()
    assert task.current("url") == made
    assert "database-url: put together anew" in task.well(role=APP)
    assert f":{task.password(APP)}@" in task.current("url")[0]
    # The task died after it had promoted the password, and before it put the URL.
    task.run(role=APP, dies="after update-secret-version-stage")
    assert f":{task.password(APP)}@" not in task.current("url")[0]
    task.well()
    assert f":{task.password(APP)}@" in task.current("url")[0]


def test_no_password_is_in_an_argument_a_line_of_output_or_a_file_that_others_may_read(task):
    role = _role_passwords.placeholder(_role_passwords.LOGIN, task.arns[APP])
    task.urls = [url("database-url", task.arns["url"], f"postgresql://{APP}:{role}@db/shop")]
    said, _ = task.run(dies_in="publish")
    left = {path.name: path for path in task.folder.iterdir()}
    assert set(left) == {password_variable(APP), password_variable(READER)}
    assert {path.stat().st_mode & 0o777 for path in left.values()} == {0o600}
    assert left[password_variable(APP)].read_text() == task.password(APP)
    secrets = {task.password(role) for role in (APP, READER)}
    said += task.well(role=APP)
    secrets |= {task.password(APP)}
    assert [path.name for path in task.folder.iterdir()] == []
    log = (task.database.server.folder / "postgres.log").read_text(encoding="utf-8", errors="replace")
    assert len(secrets) == 3
    assert not any(secret in text for secret in secrets for text in (said, task.calls, log))
