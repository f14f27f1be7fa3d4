"""How a command finds the stack it works on, asks before it changes anything, and says what stops it."""

import json
import subprocess

import pytest
import typer
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from operations import platform
from operations.platform import Platform, Refusal, confirm, explained, opened, said

OUTPUTS = {"system": "rentalfix", "environment": "prod", "region": "us-east-1"}
PLATFORM = Platform("rentalfix", "prod", OUTPUTS)


@pytest.fixture
def answers(monkeypatch):
    """What the next process answers; the commands that were started."""
    started = []

    def answer(stdout="", stderr="", returncode=0):
        def run(command, **_):
            started.append(command)
            return subprocess.CompletedProcess(command, returncode, stdout, stderr)

        monkeypatch.setattr(platform.subprocess, "run", run)
        monkeypatch.setattr(platform.shutil, "which", lambda _: "/usr/bin/pulumi")
        return started

    return answer


@pytest.mark.parametrize(
    ("system", "stack", "name"),
    [("rentalfix", "prod", "prod"), ("fixrx", "staging", "fixrx-staging")],
)
def test_pulumi_is_asked_for_the_stack_by_its_name(answers, system, stack, name):
    started = answers(json.dumps(OUTPUTS))
    found = opened(system, stack)
    assert (found.outputs, found.endpoint_url) == (OUTPUTS, None)
    assert started == [
        ["pulumi", "stack", "output", "--json", "--non-interactive", "--stack", name],
    ]


def test_the_local_stack_is_in_the_emulator(answers):
    started = answers(json.dumps({"outputs": OUTPUTS, "endpoint_url": "http://127.0.0.1:4566"}))
    found = opened("fixrx", "local")
    assert found.endpoint_url == "http://127.0.0.1:4566"
    assert started[0][1:] == ["-m", "local", "outputs", "--system", "fixrx"]
    assert str(found) == "fixrx, stack local, in the emulator at http://127.0.0.1:4566"
    credentials = found._session.get_credentials()
    assert credentials.access_key == "local", "whatever the person has in the environment"


def test_a_file_of_outputs_is_taken_instead(tmp_path):
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(OUTPUTS))
    assert opened("rentalfix", "prod", path).outputs == OUTPUTS


@pytest.mark.parametrize(
    ("system", "stack", "answer", "sentence"),
    [
        ("rentalfx", "prod", {}, "There is no system rentalfx; there are: .* Did you mean rentalfix?"),
        ("rentalfix", "prd", {}, "There is no stack prd of rentalfix; .* Did you mean prod?"),
        (
            "rentalfix",
            "prod",
            {"stderr": "x\nerror: no stack named 'prod' found\n", "returncode": 255},
            "Pulumi does not tell what stands in rentalfix, stack prod: error: no stack named 'prod' found "
            "`pulumi login` and `pulumi stack ls` show what it knows.",
        ),
        ("rentalfix", "prod", {"stdout": "{}"}, "gives no outputs of a stack of Groundwork"),
        (
            "rentalfix",
            "local",
            {"stderr": "The stack does not stand. Run `make up`.\n", "returncode": 1},
            "The stack does not stand. Run `make up`.",
        ),
    ],
)
def test_a_stack_that_cannot_be_opened(answers, system, stack, answer, sentence):
    answers(**answer)
    with pytest.raises(Refusal, match=sentence.replace("?", r"\?")):
        opened(system, stack)


def test_without_pulumi_there_are_still_the_outputs(monkeypatch):
    monkeypatch.setattr(platform.shutil, "which", lambda _: None)
    with pytest.raises(Refusal, match=r"`pulumi` is not on PATH.* --outputs FILE"):
        opened("rentalfix", "prod")


def test_a_process_that_does_not_answer(answers, monkeypatch):
    answers()

    def run(command, **_):
        raise subprocess.TimeoutExpired(command, 120)

    monkeypatch.setattr(platform.subprocess, "run", run)
    with pytest.raises(Refusal, match="did not answer within 120 s"):
        opened("rentalfix", "prod")


@pytest.mark.parametrize(
    ("text", "sentence"), [(None, "cannot be read: No such file"), ("[]", "gives no outputs")]
)
def test_a_file_that_is_none(tmp_path, text, sentence):
    path = tmp_path / "outputs.json"
    if text:
        path.write_text(text)
    with pytest.raises(Refusal, match=sentence):
        opened("rentalfix", "prod", path)


def test_a_client_waits_for_an_aws_that_is_busy():
    client = Platform("rentalfix", "local", OUTPUTS, endpoint_url="http://127.0.0.1:4566").client("ecs")
    assert client.meta.config.retries == {"mode": "adaptive", "total_max_attempts": 8}
    assert client.meta.endpoint_url == "http://127.0.0.1:4566"
    assert client.meta.region_name == "us-east-1"


def refused(code, message="User: x is not authorized."):
    return ClientError({"Error": {"Code": code, "Message": message}}, "RunTask")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            refused("AccessDeniedException"),
            "AWS refused RunTask: User: x is not authorized (AccessDeniedException). "
            "Ask with a role that may, or have it granted.",
        ),
        (refused("ThrottlingException", "Rate exceeded"), "AWS is still busy after eight attempts"),
        (refused("ExpiredTokenException", "Expired"), "Sign in again"),
        (refused("ClusterNotFoundException", "Cluster not found."), "(ClusterNotFoundException)."),
        (
            refused("404", "<!doctype html>\n<h1>Not Found"),
            "RunTask was answered with a web page (404): an emulator",
        ),
    ],
)
def test_what_aws_refuses_is_a_sentence(error, sentence):
    assert sentence in said(error)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Refusal("Not like this."), "Not like this."),
        (refused("X", "No."), "AWS refused RunTask: No (X)."),
        (EndpointConnectionError(endpoint_url="https://ecs"), "AWS could not be asked: Could not connect"),
        (
            RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
            "The session that this shell has is over. Sign in again",
        ),
        (ResponseParserError("invalid XML: <html>"), "answered with a web page, not by AWS"),
    ],
)
def test_what_stops_a_command_is_told_and_ends_it_with_2(capsys, error, sentence):
    with pytest.raises(typer.Exit) as ended, explained():
        raise error
    assert ended.value.exit_code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("fault", [KeyError("x"), RuntimeError("x")])
def test_a_programmers_fault_is_not_hidden(fault):
    with pytest.raises(type(fault)), explained():
        raise fault


class TestConfirm:
    @pytest.fixture(autouse=True)
    def person(self, monkeypatch):
        monkeypatch.setattr(platform.sys.stdin, "isatty", lambda: True, raising=False)

    def test_what_is_touched_is_named_first(self, capsys):
        assert confirm(PLATFORM, ["reboot rentfix-prod-primary"], as_json=True, yes=True)
        said = capsys.readouterr()
        assert said.err == "rentalfix, stack prod, in us-east-1:\n  will reboot rentfix-prod-primary\n"
        assert not said.out, "what it has done is the command's to say"

    @pytest.mark.parametrize("as_json", [True, False])
    def test_a_dry_run_says_it_and_does_nothing(self, capsys, as_json):
        assert not confirm(PLATFORM, ["reboot it"], as_json=as_json, yes=True, dry_run=True)
        said = capsys.readouterr()
        assert "  would reboot it\nNothing was done (--dry-run)." in said.err
        if as_json:
            assert json.loads(said.out) == {
                "stack": "rentalfix, stack prod, in us-east-1",
                "would": ["reboot it"],
            }
        else:
            assert not said.out

    @pytest.mark.parametrize("answer", [True, False])
    def test_a_person_is_asked(self, monkeypatch, answer):
        monkeypatch.setattr(platform.typer, "confirm", lambda *_, **__: answer)
        if answer:
            assert confirm(PLATFORM, ["reboot it"], as_json=False, yes=False)
        else:
            with pytest.raises(Refusal, match="Nothing was done"):
                confirm(PLATFORM, ["reboot it"], as_json=False, yes=False)

    def test_where_nobody_is_there_it_has_to_be_said_before(self, monkeypatch):
        monkeypatch.setattr(platform.sys.stdin, "isatty", lambda: False, raising=False)
        with pytest.raises(Refusal, match="Add --yes"):
            confirm(PLATFORM, ["reboot it"], as_json=False, yes=False)
