"""What happens to `make up` when something is killed, restarted, taken or run twice; on a small project."""

# ruff: noqa: F401, F811 - fixtures are imported

import json
import os
import signal
import socket
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import boto3
import pytest

from local import commands, emulator_process, stack
from local.steps import Failure, Steps
from tests.engine import (
    configure,
    free_port,
    home,
    identity,
    port,
    private,
    pulumi,
    standing,
    start_up,
    workspace,
)

pytestmark = pytest.mark.engine

WAIT_S = 40.0


def until(condition):
    """The first true value of the condition, which must come within WAIT_S."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    return pytest.fail(f"waited {WAIT_S:.0f} s in vain")


def made(port):
    """The descriptions of the keys that stand in the emulator."""
    login = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    kms = boto3.client("kms", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", **login)
    keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    return sorted(key["Description"] for key in keys if key["Enabled"])


def expected(keys):
    return sorted(f"key {number}" for number in range(keys))


def kill_emulator(port):
    os.kill(identity(port).pid, signal.SIGKILL)
    until(lambda: emulator_process.identity(port) is None)


def begun(workspace):
    """`make up` of thirty keys, in a process of its own, of which the first few are made."""
    configure(workspace, "tiny:keys: 30")
    process = start_up(workspace)
    until(lambda: emulator_process.identity(workspace.port) and len(made(workspace.port)) > 3)
    return process


def test_an_emulator_that_was_restarted_is_filled_again_and_down_needs_none(private, capsys):
    commands.bring_up(private, Steps())
    kill_emulator(private.port)
    moved = replace(private, port=free_port())
    commands.bring_up(moved, Steps())
    assert "State: emptied, since the emulator that it describes is gone" in capsys.readouterr().out
    assert made(moved.port) == expected(3)

    kill_emulator(moved.port)
    commands.down(moved, Steps(), time.time())
    assert "State: emptied" in capsys.readouterr().out
    assert standing(moved) == []
    assert emulator_process.identity(moved.port) is None


def test_an_emulator_that_is_killed_during_up_is_named_and_the_next_up_works(private):
    first = begun(private)
    kill_emulator(private.port)
    _, said = first.communicate(timeout=WAIT_S)
    assert first.returncode == 1
    assert said.startswith("The emulator stopped answering during `pulumi up`")
    assert "Run `make up SYSTEM=tiny` again" in said
    assert len(said.splitlines()) == 1
    commands.bring_up(private, Steps())
    assert made(private.port) == expected(30)


def test_an_engine_that_is_killed_during_up_leaves_nothing_that_is_made_twice(private, capsys):
    first = begun(private)
    os.kill(stack.locks(private.state)[0].pid, signal.SIGKILL)
    _, said = first.communicate(timeout=WAIT_S)
    assert first.returncode == 1
    assert said.startswith("The engine was stopped from outside (signal 9) before it had finished.")
    commands.bring_up(private, Steps())
    assert "freed from the lock of an engine that was killed" in capsys.readouterr().out
    assert made(private.port) == expected(30)
    assert len(standing(private)) == 30
    assert commands.bring_up(private, Steps()).changes.keys() == {"same"}


def test_an_engine_that_still_works_is_waited_for(private):
    first = begun(private)
    engine = stack.locks(private.state)[0].pid
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=WAIT_S)
    with pytest.raises(
        Failure, match=rf"Another pulumi \(pid {engine}, since .* UTC\) is working on the stack local"
    ):
        commands.bring_up(private, Steps())
    until(lambda: not stack.is_alive(engine))
    assert made(private.port) == expected(30)


def test_two_at_once_are_one_and_a_sentence(workspace):
    first = start_up(workspace)
    lock = workspace.folder / "lock"
    until(lambda: lock.exists() and lock.read_text())
    with pytest.raises(
        Failure, match=rf"`make up SYSTEM=tiny` \(pid {first.pid}, since .*\) is at work here; wait"
    ):
        commands.bring_up(workspace, Steps())
    first.communicate(timeout=WAIT_S)
    assert first.returncode == 0


def test_a_port_that_another_program_has(private):
    taken = rf"Port {private.port}.* is taken by another program.*GROUNDWORK_EMULATOR_PORT"
    with socket.create_server(("127.0.0.1", private.port)), pytest.raises(Failure, match=taken):
        commands.bring_up(private, Steps())
    assert emulator_process.running(private.port) is None


class OtherCheckout(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(
            {"marker": "groundwork-emulator", "pid": 7, "boot": "b", "root": "/elsewhere"}
        ).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Nothing: pytest's output is not the place."""


def test_a_port_that_another_checkout_has(private):
    server = HTTPServer(("127.0.0.1", private.port), OtherCheckout)
    Thread(target=server.serve_forever).start()
    try:
        with pytest.raises(
            Failure, match=r"the emulator of another checkout, /elsewhere \(pid 7\). Run `make down` there"
        ):
            commands.bring_up(private, Steps())
    finally:
        server.shutdown()
        server.server_close()


def test_down_refuses_what_is_protected_and_says_how_it_would_be_done(workspace):
    configure(workspace, "tiny:protect: true")
    commands.bring_up(workspace, Steps())
    with pytest.raises(
        Failure, match=r"holds protected resources.*Nothing of theirs was touched.*pulumi state unprotect"
    ):
        commands.down(workspace, Steps(), time.time())
    assert len(standing(workspace)) == 3
    assert pulumi(workspace, "state", "unprotect", "--all", "--yes").returncode == 0
    assert pulumi(workspace, "destroy", "--yes", "--skip-preview").returncode == 0
    assert standing(workspace) == []
