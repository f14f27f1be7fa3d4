"""`make test`: formatter, linter, types, workflows, tests; all of them each time, and what failed at the end."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.steps import Failure, Steps, duration

WORKERS = 2


@dataclass(frozen=True)
class Check:
    name: str
    command: Sequence[str]
    remedy: str


def checks(pytest_arguments: Sequence[str]) -> list[Check]:
    return [
        Check("formatter", ["ruff", "format", "--check", "--quiet", "."], ".venv/bin/ruff format ."),
        Check(
            "linter",
            ["ruff", "check", "--quiet", "."],
            ".venv/bin/ruff check --fix . mends what can be mended",
        ),
        Check("types", ["ty", "check", "--quiet"], ".venv/bin/ty check"),
        Check("workflows", ["python", "-m", "local", "workflows"], ".venv/bin/python -m local workflows"),
        Check(
            "tests",
            ["pytest", "-n", str(WORKERS), "--dist", "loadgroup", *pytest_arguments],
            ".venv/bin/pytest --last-failed",
        ),
    ]


def run(root: Path, wanted: Sequence[Check], steps: Steps) -> None:
    """Runs every check, its output as it comes. Raises Failure that names those that failed."""
    environment = {**os.environ, "PATH": f"{root / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    failed, lines = [], []
    for check in wanted:
        steps.say(f"{check.name}: {' '.join(check.command)}")
        began = time.monotonic()
        code = subprocess.run(
            check.command, cwd=root, env=environment, stdin=subprocess.DEVNULL, check=False
        ).returncode
        lines.append(
            f"  {check.name}: {'failed' if code else 'passed'} in {duration(time.monotonic() - began)}"
        )
        if code:
            failed.append(check)
    for line in lines:
        steps.say(line)
    if failed:
        remedies = "; ".join(f"{check.name}: {check.remedy}" for check in failed)
        raise Failure(f"{len(failed)} of {len(wanted)} checks failed. Look closer with {remedies}.")
