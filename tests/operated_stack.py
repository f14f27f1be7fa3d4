"""The operator's commands on a stack that the engine has just made, in the emulator."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from local import commands
from local.workspace import Workspace
from operations import platform, tasks
from operations.__main__ import app


@dataclass(frozen=True)
class Expected:
    """What is typed, how it ends, and what it says among other things."""

    call: str
    exit_code: int
    says: str


# What only asks, and what a second run or `destroy` finds no trace of. What the emulator lacks makes some end with 1.
COMMANDS = [
    Expected("status", 1, "of 85 alarms are in alarm"),
    Expected("service show core-matching", 0, "core-matching"),
    Expected("service env core-matching", 0, "REDIS_PASSWORD"),
    Expected("logs --list", 0, "queue-metrics"),
    Expected("logs --errors --since 1h", 1, "No line"),
    Expected("images list", 0, "No image was pushed yet"),
    Expected("secrets check", 1, "sentry-dsn"),
    Expected("alerts status", 0, "85 OK"),
    Expected("alerts test --yes", 0, "critical"),
    Expected("network audit", 0, "All is as declared"),
    Expected(
        "network check --from core-matching --to database",
        1,
        "`groundwork db bootstrap --stack local` fills it",
    ),
    Expected("network check --from worker-ai --to cache:6379", 0, "is in the way"),
    Expected("verify env", 0, "variables are in revision"),
    Expected("targets", 1, "core-matching"),
    Expected("backup status", 1, "RDS, any second"),
    Expected("backup now --dry-run", 0, "would take an RDS snapshot"),
    Expected("run dump --yes", 0, "ended well"),
    Expected("service restart worker-ai --yes", 0, "worker-ai"),
    Expected("incident open --severity P3 --title drill --dry-run", 0, "drill"),
    Expected("maintenance apply-now --dry-run", 0, "nothing waiting"),
    Expected("maintenance daily --dry-run", 0, "groundwork status"),
    Expected("db failover-drill --dry-run", 0, "rentfix-local-primary"),
    Expected("redis snapshot --cache queue --dry-run", 0, "queue"),
]


def operated(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What each command did not do as it should: nothing, where all is well."""
    told = commands.outputs(workspace)
    here = platform.Platform(
        workspace.system, workspace.stack, told["outputs"], endpoint_url=told["endpoint_url"]
    )
    monkeypatch.setattr(platform, "_opened_local", lambda _: here)
    # Nothing runs in the emulator, so a log that comes late does not come at all.
    monkeypatch.setattr(tasks, "LATE_S", 0)
    monkeypatch.setattr(tasks, "POLL_S", 0.1)
    for expected in COMMANDS:
        ended = CliRunner().invoke(app, shlex.split(expected.call))
        if ended.exit_code != expected.exit_code or expected.says not in ended.output:
            yield (
                f"{expected.call}: ended with {ended.exit_code}, not {expected.exit_code} saying {expected.says!r}\n"
                f"{ended.output}\n{ended.exception or ''}"
            )
