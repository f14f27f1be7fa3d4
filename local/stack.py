"""Drives the engine on one workspace: what is left of an interrupted run first, then what was asked for."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from local.events import Report, Resource, resources_of
from local.steps import Failure
from local.workspace import Workspace

TICK_S = 0.1
CHANGE_WHAT_STANDS = ("up", "refresh", "destroy")
# The engine would write the whole state after each of some 400 steps, half of its time. Nothing is lost when it is
# killed: the note says so, and the provider knows whatever was made for a resource.
SAVE_AT_THE_END = {"PULUMI_SKIP_CHECKPOINTS": "true"}
SHOWN_ERRORS = 20


class EngineError(Exception):
    """The engine refused or failed; `report` says why in its own words, `output` holds all that it said."""

    def __init__(self, command: str, exit_code: int, report: Report, output: str) -> None:
        super().__init__(f"`pulumi {command}` ended with exit code {exit_code}")
        self.command = command
        self.exit_code = exit_code
        self.report = report
        self.output = output


def pulumi(workspace: Workspace, *arguments: str | Path) -> str:
    """A short command of the engine, in the scratch project; gives its standard output. Raises Failure."""
    answer = subprocess.run(
        [workspace.engine, *arguments, "--non-interactive"],
        cwd=workspace.folder,
        env=workspace.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise Failure(f"`pulumi {' '.join(map(str, arguments))}` failed:\n{answer.stderr.strip()}")
    return answer.stdout


def select(workspace: Workspace) -> None:
    """Brings the copy up to date and makes the stack if this is its first time; the tracked files stay as they are."""
    workspace.write_copy()
    pulumi(workspace, "stack", "select", "--create", "--stack", workspace.stack_name)


def deployment(workspace: Workspace) -> dict[str, Any]:
    """The recorded state, secrets encrypted; empty before the first `up`."""
    exported = json.loads(pulumi(workspace, "stack", "export", "--stack", workspace.stack_name))
    return exported.get("deployment") or {}


def resources(workspace: Workspace) -> list[Resource]:
    return resources_of(deployment(workspace))


def outputs(workspace: Workspace) -> dict[str, Any]:
    """The stack's outputs; a secret one reads `[secret]`."""
    return json.loads(pulumi(workspace, "stack", "output", "--json", "--stack", workspace.stack_name))


def run(
    workspace: Workspace,
    command: str,
    *options: str | Path,
    on_event: Callable[[Report, str], None] = lambda *_: None,
    output: TextIO | None = None,
    kept_events: Path | None = None,
) -> Report:
    """One `pulumi up`, `preview`, `refresh` or `destroy` of the workspace's program.

    `on_event` hears of each resource as its turn comes. The engine's own words go to `output`, else to the
    workspace's log, and all that it reported to `kept_events`, however it ends. Raises EngineError when it ends with
    anything but success.
    """
    arguments: list[str | Path] = [
        workspace.engine,
        command,
        "--stack",
        workspace.stack_name,
        "--non-interactive",
    ]
    arguments += ["--config-file", workspace.config_file, *options]
    report = Report()
    changes = command in CHANGE_WHAT_STANDS
    if changes:
        workspace.unfinished_note.write_text(command, encoding="utf-8")
    folder = Path(tempfile.mkdtemp(dir=workspace.folder))
    event_log = folder / "events.json"
    event_log.touch()
    try:
        with workspace.log.open("w", encoding="utf-8") as log, event_log.open(encoding="utf-8") as events:
            process = subprocess.Popen(
                [str(part) for part in (*arguments, "--event-log", event_log)],
                cwd=workspace.root,
                env={**workspace.environment(), **(SAVE_AT_THE_END if changes else {})},
                stdin=subprocess.DEVNULL,
                stdout=output or log,
                stderr=log,
            )
            try:
                while process.poll() is None:
                    _take_in(events, report, on_event)
                    time.sleep(TICK_S)
            except KeyboardInterrupt:
                # Ctrl-C has reached the engine too, which now cancels in good order.
                process.wait()
                raise
            _take_in(events, report, on_event)
    finally:
        if kept_events:
            shutil.move(event_log, kept_events)
        shutil.rmtree(folder, ignore_errors=True)
    if changes and process.returncode >= 0:
        workspace.unfinished_note.unlink()
    if process.returncode:
        said = workspace.log.read_text(encoding="utf-8", errors="replace")
        raise EngineError(command, process.returncode, report, said)
    return report


def _take_in(events: TextIO, report: Report, on_event: Callable[[Report, str], None]) -> None:
    while True:
        start = events.tell()
        line = events.readline()
        if not line.endswith("\n"):
            events.seek(start)
            return
        urn = report.add(json.loads(line))
        if urn:
            on_event(report, urn)


@dataclass(frozen=True)
class Lock:
    """A lock that the engine has left in its state folder."""

    pid: int
    since: str


def locks(state: Path) -> list[Lock]:
    found = []
    for path in (state / ".pulumi" / "locks").rglob("*.json"):
        said = json.loads(path.read_text(encoding="utf-8"))
        found.append(Lock(pid=said["pid"], since=said["timestamp"][:19].replace("T", " ")))
    return found


def is_alive(pid: int) -> bool:
    """Whether a process of that id runs, and is an engine where the system tells: ids are used again."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # Empty for a zombie; on a system without /proc the process counts as the engine that it was.
    command = Path(f"/proc/{pid}/cmdline")
    return not Path("/proc/self/cmdline").exists() or (command.exists() and b"pulumi" in command.read_bytes())


def unlock(workspace: Workspace) -> bool:
    """Frees the state from the lock of an engine that was killed. Raises Failure while that engine still works."""
    held = locks(workspace.state)
    for lock in held:
        if is_alive(lock.pid):
            raise Failure(
                f"Another pulumi (pid {lock.pid}, since {lock.since} UTC) is working on the stack "
                f"{workspace.stack_name}; wait until it has finished, then run this again."
            )
    if held:
        pulumi(workspace, "cancel", "--yes", "--stack", workspace.stack_name)
    return bool(held)


def forget(workspace: Workspace, recorded: Mapping[str, Any]) -> None:
    """Empties the state: what it describes went with the emulator that held it.

    Not a refresh: that would ask an emulator which may be on another port by now, or run the program on resources
    that have lost their outputs.
    """
    emptied = {
        key: value for key, value in recorded.items() if key not in ("resources", "pending_operations")
    }
    write(workspace, emptied)


def write(workspace: Workspace, deployment: Mapping[str, Any]) -> None:
    """Makes this the recorded state, secrets encrypted as `deployment` gave them."""
    path = workspace.folder / "deployment.json"
    path.write_text(json.dumps({"version": 3, "deployment": deployment}), encoding="utf-8")
    pulumi(workspace, "stack", "import", "--force", "--file", path, "--stack", workspace.stack_name)
    path.unlink()


def note_boot(workspace: Workspace, boot_id: str) -> None:
    workspace.boot_note.write_text(boot_id, encoding="utf-8")


def noted_boot(workspace: Workspace) -> str | None:
    return workspace.boot_note.read_text(encoding="utf-8") if workspace.boot_note.exists() else None


def refresh(workspace: Workspace) -> Report:
    """Brings the state to what stands, the interrupted creations included."""
    return run(workspace, "refresh", "--yes", "--skip-preview", "--clear-pending-creates")


def explain(error: EngineError, workspace: Workspace, *, emulator_answers: bool, again: str) -> str:
    """The end of a failed run in sentences: what the engine said, or what stopped it from saying anything."""
    log = os.path.relpath(workspace.log, workspace.root)
    if not emulator_answers:
        return (
            f"The emulator stopped answering during `pulumi {error.command}` (its log: .local/emulator.log). "
            f"Run `{again}` again: it starts a new one and makes everything that is missing, nothing twice."
        )
    if error.exit_code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP):
        return (
            f"The engine was stopped from outside (signal {-error.exit_code}) before it had finished. "
            f"Run `{again}` again: it finds out what was made, and makes nothing twice."
        )
    protected = [text for text in error.report.errors if "protect" in text]
    if error.command == "destroy" and protected:
        return _protected(error.report, workspace)
    refusals = [violation for violation in error.report.violations if violation.mandatory]
    sentences = [f"{found.policy} refuses {found.resource}: {found.message}" for found in refusals]
    sentences += [text for text in error.report.errors if not _is_echo(text)]
    if protected:
        sentences.append(
            "What is protected is not replaced or deleted by a change of settings. To do it on purpose, see README, "
            "The cost of being wrong."
        )
    if not sentences:
        sentences = [
            error.output.strip() or f"`pulumi {error.command}` ended with exit code {error.exit_code}"
        ]
    if len(sentences) > SHOWN_ERRORS:
        hidden = len(sentences) - SHOWN_ERRORS
        sentences = [*sentences[:SHOWN_ERRORS], f"... and {hidden} more, in {log}"]
    return "\n".join(
        [*sentences, f"Mend that and run `{again}` again; everything the engine said is in {log}."]
    )


def _is_echo(text: str) -> bool:
    """What the engine adds to an error that it has reported already."""
    return text in ("update failed", "preview failed", "destroy failed", "refresh failed")


def _protected(report: Report, workspace: Workspace) -> str:
    kept = [resource.name for resource in report.resources.values() if resource.protect]
    named = ", ".join(kept[:3]) + (f" and {len(kept) - 3} more" if len(kept) > 3 else "")
    return (
        f"The stack {workspace.stack_name} holds protected resources{f' ({named})' if named else ''}, and the engine "
        "refuses to destroy those. Nothing of theirs was touched. To do it on purpose: `source local/activate`, "
        "`pulumi state unprotect URN` (or `--all`), then `make down`."
    )
