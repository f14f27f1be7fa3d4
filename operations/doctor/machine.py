"""What the local stack needs of this machine instead of an account."""

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from operations.doctor import tools
from operations.doctor.line import Line, note, well, wrong
from operations.platform import ROOT
from operations.show import size

PORT_VARIABLE, PORT = "GROUNDWORK_EMULATOR_PORT", 4566
ANSWER_S = 2
MEMINFO = Path("/proc/meminfo")
# As they stand after `make up` and `make test`: .venv 714 MB, .local 188 MB, and Go's caches while the engine is built.
DISK_BYTES = 3 * 1024**3
# RentalFix's local stack was seen to take 501 MB for its preview and 337 MB in the emulator; others stand beside it.
MEMORY_BYTES = 2 * 1024**3


def check() -> Iterator[Line]:
    yield tools.python()
    yield tools.packages()
    yield _engine()
    yield _port()
    yield _disk()
    yield _memory()


def _engine() -> Line:
    program = tools.engine()
    told = tools.told_version([program, "version"]) if program else ""
    if told and tools.is_at_least(told, tools.PULUMI):
        return well("pulumi", told, program or "")
    go = shutil.which("go")
    version = tools.told_version([go, "version"]) if go else ""
    if version:
        return well("pulumi", f"`make up` builds it with Go {version}", go or "")
    return note(
        "pulumi", "not there, nor Go to build it with", "`make up` fetches Go from the package registry, too."
    )


def _port() -> Line:
    text = os.environ.get(PORT_VARIABLE, str(PORT))
    if not text.isdigit() or not 0 < int(text) < 65536:
        return wrong("emulator's port", f"{PORT_VARIABLE} is {text!r}", "A number from 1 to 65535.")
    what, port = f"emulator's port {text}", int(text)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return _whose(what, port)
    return well(what, "free")


def _whose(what: str, port: int) -> Line:
    try:
        with urlopen(f"http://127.0.0.1:{port}/groundwork/identity", timeout=ANSWER_S) as answer:
            root = json.load(answer)["root"]
    except (URLError, OSError, ValueError, KeyError, TypeError):
        return wrong(
            what,
            "another program has it",
            f"`lsof -i :{port}` names it. Or {PORT_VARIABLE}=4567 before each command.",
        )
    if Path(root) == ROOT:
        return well(what, "this checkout's emulator runs")
    return wrong(
        what,
        f"the emulator of another checkout has it: {root}",
        f"`make down` there, or {PORT_VARIABLE}=4567 before each command.",
    )


def _disk() -> Line:
    free = shutil.disk_usage(ROOT).free
    if free >= DISK_BYTES:
        return well("disk", f"{size(free)} free", str(ROOT))
    return wrong(
        "disk", f"{size(free)} free", f"{size(DISK_BYTES)} are wanted, Go's caches included.", str(ROOT)
    )


def _memory() -> Line:
    try:
        text = MEMINFO.read_text(encoding="utf-8")
        lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return note("memory", "this system does not tell how much is free")
    if free >= MEMORY_BYTES:
        return well("memory", f"{size(free)} free", str(MEMINFO))
    return wrong("memory", f"{size(free)} free", f"{size(MEMORY_BYTES)} are wanted.", str(MEMINFO))
