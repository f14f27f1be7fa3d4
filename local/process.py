"""Running a program whose lines are progress, keeping what it said for the case that it fails; asking its version."""

import os
import re
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

KEPT_LINES = 200
QUERY_TIMEOUT_S = 20


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    on_line: Callable[[str], None] = lambda _: None,
) -> tuple[int, list[str]]:
    """Runs to the end; gives the exit code and the last lines of both streams.

    Raises OSError when there is no such program.
    """
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            assert process.stdout
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                on_line(lines[-1])
        except BaseException:
            process.terminate()
            raise
    return process.returncode, list(lines)


def closing_words(lines: Sequence[str], count: int = 3) -> str:
    """The last lines that say something, for the end of an error sentence."""
    return "\n".join(f"  {line}" for line in [line for line in lines if line.strip()][-count:])


def version(text: str) -> tuple[int, ...] | None:
    """`v3.230.0`, `3.231.0-alpha.1`, `go version go1.26.8 linux/amd64`: the numbers, or None where there are none."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def ask_version(*command: str | Path) -> tuple[int, ...] | None:
    """What the command says of its version; None if it cannot be run, fails or says none."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=QUERY_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return version(answer.stdout) if answer.returncode == 0 else None


def search_path(environment: Mapping[str, str], home: Path) -> str:
    """PATH without our own folders: `local/activate` puts them there."""
    parts = environment.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(part for part in parts if part and home not in Path(part).parents)
