"""Real programs for tests: of the machine, or out of Debian's packages (local/debian.py).

Where one cannot be had, its tests are skipped with the reason; with CI set they fail, so that nothing goes unchecked
unnoticed.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local import debian
from local.steps import Failure

ROOT = Path(__file__).parent.parent
START_TIMEOUT_S = 20


def program(name: str) -> debian.Program:
    """How `name` is run here."""
    try:
        return debian.have(name, ROOT / ".local")
    except Failure as failure:
        reason = str(failure)
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def promtool(*arguments: str | Path, folder: Path) -> tuple[int, str]:
    """Its exit code, and all that it said."""
    found = program("promtool")
    done = subprocess.run(
        [found.path, *arguments],
        cwd=folder,
        env={**os.environ, **found.environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, f"{done.stdout}{done.stderr}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def redis_server(folder: Path, *options: str, port: int) -> Generator[None]:
    """A Redis on loopback that keeps nothing, until the body ends."""
    found = program("redis-server")
    command: Sequence[str | Path] = [
        found.path, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no", *options,
    ]  # fmt: skip
    with running(
        command, ready=lambda: listens(port), log=folder / "redis.log", environment=found.environment
    ):
        yield


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    ready: Callable[[], bool],
    log: Path,
    environment: Mapping[str, str],
    user: Mapping[str, Any] | None = None,
) -> Generator[int]:
    """A server from when it is `ready` until the body ends; its process id.

    `user` are arguments of Popen. Raises AssertionError with what it said in `log` where it does not start.
    """
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [*_tied(), *command],
            cwd=log.parent,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            **(user or {}),
        )
    try:
        if not _wait(process, ready):
            said = log.read_text(encoding="utf-8")
            raise AssertionError(f"{Path(command[0]).name} did not start:\n{said}")
        yield process.pid
    finally:
        _end(process)


@cache
def _tied() -> Sequence[str]:
    """What makes a server end with the tests when these are killed: Linux has it, elsewhere nothing does it."""
    command = ["setpriv", "--pdeathsig", "INT", "--"]
    try:
        subprocess.run([*command, "true"], capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return command


def _wait(process: subprocess.Popen[Any], ready: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            return True
        time.sleep(0.05)
    return False


def _end(process: subprocess.Popen[Any]) -> None:
    # INT is to redis-server and nginx what TERM is; on TERM PostgreSQL would wait for its clients.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=START_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
