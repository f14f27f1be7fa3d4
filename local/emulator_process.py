"""Starts the emulator on loopback, recognises the one that is ours, and ends no other process than that one."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from local.steps import Failure
from local.workspace import PORT_VARIABLE

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 2.0
REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Identity:
    """What an emulator says of itself: the process, the checkout it was started from, and an id new at each start."""

    pid: int
    root: str
    boot_id: str


def identity(port: int) -> Identity | None:
    """Who answers on the port, or None when no emulator of ours does (another program, or nothing)."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/groundwork/identity", timeout=ANSWER_TIMEOUT_S) as answer:
            said = json.load(answer)
        return Identity(pid=said["pid"], root=said["root"], boot_id=said["boot"])
    except (HTTPError, URLError, OSError, ValueError, KeyError, TypeError):
        return None


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def running(port: int, root: Path = REPOSITORY) -> Identity | None:
    """This checkout's emulator, or None when the port is free. Raises Failure, saying whose the port is, otherwise."""
    found = identity(port)
    if found and found.root == str(root):
        return found
    if found:
        raise Failure(
            f"Port {port} belongs to the emulator of another checkout, {found.root} (pid {found.pid}). "
            f"Run `make down` there, or set {PORT_VARIABLE} to another port here."
        )
    if not is_free(port):
        raise Failure(
            f"Port {port}, which the emulator needs, is taken by another program (`lsof -i :{port}` names it). "
            f"Stop that one, or set {PORT_VARIABLE} to another port."
        )
    return None


def start(port: int, python: Path, log: Path) -> Identity:
    """Starts an emulator that outlives this command, and waits until it answers. Raises Failure when it does not."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [python, "-m", "local.emulator", "--port", str(port), "--log", log],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    # Somebody has to ask for its end, or it stays a zombie as long as this command lives.
    threading.Thread(target=process.wait, daemon=True).start()
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        found = identity(port)
        if found:
            return found
        time.sleep(0.1)
    if process.poll() is None:
        process.kill()
    raise Failure(f"The emulator did not start; its last words are in {log}. Run the same command again.")


def stop(found: Identity) -> None:
    """Ends the emulator that has just said who it is."""
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            os.kill(found.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise Failure(f"The emulator (pid {found.pid}) does not stop; end it with `kill -9 {found.pid}`.")
