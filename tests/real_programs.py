"""Real programs for tests: promtool and redis-server, of PATH or out of Debian's packages (local/debian.py).

Where one cannot be had, its tests are skipped with the reason; with CI set they fail, so that nothing goes unchecked
unnoticed.
"""

import os
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def redis_server(folder: Path, *options: str, port: int) -> Generator[None]:
    """A Redis on loopback that keeps nothing, until the body ends."""
    found = program("redis-server")
    command: Sequence[str | Path] = [
        found.path, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no", *options,
    ]  # fmt: skip
    with (folder / "redis.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **found.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(port, process, folder / "redis.log")
        yield
    finally:
        process.terminate()
        process.wait(timeout=START_TIMEOUT_S)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"redis-server did not start:\n{log.read_text(encoding='utf-8')}")
