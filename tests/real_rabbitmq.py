"""RabbitMQ with its management API: a server for the tests of one module.

It listens on loopback only, keeps what it writes in a folder of its own, and ends with the tests. So does the directory
of nodes that Erlang wants beside it, on a port of its own: nothing is shared with another Erlang of the machine.
"""

import base64
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import debian
from tests.real_programs import free_port, listens, program, running

MASTER = "master"
# As erl itself does, but where it was unpacked.
ERL = """#!/bin/sh
export ROOTDIR={root} BINDIR={programs} EMU=beam PROGNAME=erl
exec {programs}/erlexec "$@"
"""
# One scheduler, no waiting for work in a loop, and a signal ends it at once: nothing here has to be kept.
VIRTUAL_MACHINE = "+S 1:1 +sbwt none +Bd"


@dataclass(frozen=True, kw_only=True)
class Rabbit:
    """`console` is what a broker's output is called; `log` what the server has written."""

    console: str
    port: int
    password: str
    log: Path

    def ask(self, method: str, path: str, user: str, password: str, body: Any = None) -> tuple[int, Any]:
        """The status, and what was answered."""
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.console}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read() or "null")

    def user(self, name: str, password: str, *tags: str) -> None:
        """Makes it, or gives it this password."""
        status, told = self.ask(
            "PUT", f"users/{name}", MASTER, self.password, {"password": password, "tags": list(tags)}
        )
        assert status in (201, 204), told

    def tags(self, name: str) -> list[str]:
        return self.ask("GET", f"users/{name}", MASTER, self.password)[1]["tags"]

    def opens(self, user: str, password: str) -> bool:
        status, told = self.ask("GET", "whoami", user, password)
        assert status in (200, 401), told
        return status == 200


def _erlang(found: debian.Program, folder: Path) -> dict[str, str]:
    """Where the server finds `erl`: on PATH, or unpacked, where its own script would look for what is installed."""
    if found.root is None:
        return {}
    root = found.root / "usr/lib/erlang"
    [programs] = root.glob("erts-*/bin")
    (folder / "erl").write_text(ERL.format(root=root, programs=programs), encoding="utf-8")
    (folder / "erl").chmod(0o755)
    return {"PATH": f"{folder}:{programs}:/usr/bin:/bin"}


@contextmanager
def rabbitmq_server(folder: Path) -> Generator[Rabbit]:
    """Until the body ends, with one user, MASTER."""
    found = program("rabbitmq-server")
    made = Rabbit(
        console=f"http://127.0.0.1:{(console := free_port())}",
        port=(port := free_port()),
        password=secrets.token_hex(16),
        log=folder / "rabbitmq.log",
    )
    (folder / "enabled_plugins").write_text("[rabbitmq_management].\n", encoding="utf-8")
    (folder / "rabbitmq.conf").write_text(
        f"""
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {console}
default_user = {MASTER}
default_pass = {made.password}
""",
        encoding="utf-8",
    )
    directory = free_port()
    environment = {
        **found.environment,
        **_erlang(found, folder),
        "HOME": str(folder),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(directory),
        "RABBITMQ_NODENAME": f"tests-{directory}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{VIRTUAL_MACHINE} -kernel inet_dist_use_interface {{127,0,0,1}}",
        # In the place of the shell that would stop it by rabbitmqctl.
        "RUNNING_UNDER_SYSTEMD": "yes",
    }
    with ExitStack() as servers:
        servers.enter_context(
            running(
                ["epmd", "-port", str(directory), "-address", "127.0.0.1"],
                ready=lambda: listens(directory),
                log=folder / "epmd.log",
                environment=environment,
            )
        )
        servers.enter_context(
            running([found.path], ready=lambda: listens(console), log=made.log, environment=environment)
        )
        yield made
