"""Running a program whose lines are progress, and keeping what it said for the case that it fails."""

import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

KEPT_LINES = 200


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
