"""What `make up`, `make down` and `make preview` do, once packages and engine are there."""

import os
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import yaml
from rich.console import Console

from local import emulator_process, exclusive, packages, plugins, stack, summary
from local.events import Report
from local.steps import Failure, Step, Steps, duration
from local.workspace import Workspace, readable

REPOSITORY = Path(__file__).resolve().parent.parent
LOCAL = "local"


def place_plugins(workspace: Workspace, steps: Steps) -> None:
    began = time.monotonic()
    written = plugins.place(packages.python(REPOSITORY), workspace.engine, workspace.pulumi_home)
    if not written:
        steps.skip("Plugins", "already in place")
    else:
        why = "Python for the engine, and the AWS that talks to nothing but the emulator"
        steps.say(f"Plugins: {why}: {', '.join(written)} in {duration(time.monotonic() - began)}")


def have_emulator(workspace: Workspace, steps: Steps) -> emulator_process.Identity:
    """The emulator on the workspace's port, started if need be. Raises Failure when the port is somebody else's."""
    found = emulator_process.running(workspace.port)
    if found:
        steps.skip("Emulator", f"already on 127.0.0.1:{workspace.port} (pid {found.pid})")
        return found
    why = f"AWS's APIs on 127.0.0.1:{workspace.port}, in memory: the stand-in for an account"
    with steps.step("Emulator", why) as step:
        found = emulator_process.start(
            workspace.port, packages.python(REPOSITORY), workspace.home / "emulator.log"
        )
        step.result = f"started (pid {found.pid})"
    return found


def check_system(workspace: Workspace) -> None:
    """The stack file must be one of the system that was asked for. Raises Failure; a file that says nothing passes."""
    content = yaml.safe_load(readable(workspace.stack_file, workspace.root))
    config = content.get("config") if isinstance(content, dict) else None
    named = config.get("groundwork:system") if isinstance(config, dict) else None
    if named is not None and named != workspace.system:
        raise Failure(
            f"{os.path.relpath(workspace.stack_file, workspace.root)} is a stack of {named}, and "
            f"{workspace.system} was asked for. Say SYSTEM={named}, or add "
            f"systems/{workspace.system}/Pulumi.{workspace.stack}.yaml."
        )


def counting(step: Step) -> Callable[[Report, str], None]:
    """Shows how far the engine is, out of what it knows of so far."""

    def show(report: Report, urn: str) -> None:
        resource = report.resources[urn]
        step.progress(
            f"{len(report.operations)} resources, now {resource.type.split(':')[-1]} {resource.name}"
        )

    return show


def reconcile(workspace: Workspace, boot_id: str | None, steps: Steps) -> None:
    """Leaves a state that says what stands in this emulator (or in none), whatever ended the last run."""
    if stack.unlock(workspace):
        steps.say("State: freed from the lock of an engine that was killed")
    recorded = stack.deployment(workspace)
    if recorded.get("resources") and stack.noted_boot(workspace) != boot_id:
        stack.forget(workspace, recorded)
        steps.say("State: emptied, since the emulator that it describes is gone with all that it held")
    elif recorded.get("pending_operations") or workspace.unfinished_note.exists():
        why = "the last run was interrupted, so what stands is compared with what was recorded"
        with steps.step("Refresh", why) as step:
            step.result = summary.changes(stack.refresh(workspace))


@contextmanager
def explained(workspace: Workspace, again: str) -> Generator[None]:
    """Turns an engine's failure into the sentences that a person needs."""
    try:
        yield
    except stack.EngineError as error:
        needs_emulator = error.command != "preview"
        answers = not needs_emulator or emulator_process.identity(workspace.port) is not None
        raise Failure(stack.explain(error, workspace, emulator_answers=answers, again=again)) from None


def policies(workspace: Workspace) -> list[str | Path]:
    pack = workspace.policy_pack
    if not (pack / "PulumiPolicy.yaml").exists():
        return []
    # A stack without a file of its own gets that of all stacks of its name, and else the rules' defaults, which are
    # production's.
    own = workspace.stack_file.with_name(f"policies.{workspace.stack}.json")
    config = own if own.exists() else pack / "config" / f"{workspace.stack}.json"
    chosen: list[str | Path] = ["--policy-pack-config", config] if config.exists() else []
    return ["--policy-pack", pack, *chosen]


def bring_up(workspace: Workspace, steps: Steps) -> Report:
    """Everything of `make up` but the last screen. Raises Failure."""
    again = command("up", workspace)
    with exclusive.alone(workspace.folder / "lock", again.removeprefix("make ")), explained(workspace, again):
        place_plugins(workspace, steps)
        check_system(workspace)
        found = have_emulator(workspace, steps)
        stack.select(workspace)
        reconcile(workspace, found.boot_id, steps)
        stack.note_boot(workspace, found.boot_id)
        with steps.step("Stack", f"`pulumi up` of {workspace.stack}, with the policies on") as step:
            options = ["--yes", "--skip-preview", *policies(workspace)]
            report = stack.run(workspace, "up", *options, on_event=counting(step))
            step.result = summary.changes(report)
    return report


def up(workspace: Workspace, steps: Steps, started: float) -> None:
    report = bring_up(workspace, steps)
    from local.provider import table  # noqa: PLC0415 it is large, and only the last screen needs it

    for line in summary.changed(report):
        steps.say(f"  {line}")
    summary.show(
        Console(highlight=False),
        title=f"{workspace.system}, stack {workspace.stack}, stands",
        resources=stack.resources(workspace),
        report=report,
        kinds=table.KINDS,
        outputs=stack.outputs(workspace),
        next_commands={
            "source local/activate": "a shell in which plain `pulumi` commands work on this stack",
            command("preview", workspace, stack="prod"): "what production would be, without an account",
            command("down", workspace): "destroy it, and stop the emulator if nothing else stands in it",
        },
    )
    steps.say(f"Took {duration(time.time() - started)}.")


def down(workspace: Workspace, steps: Steps, started: float) -> None:
    """Destroys the stack, and stops the emulator if no other system stands in it; packages and engine stay."""
    again = command("down", workspace)
    with exclusive.alone(workspace.folder / "lock", again.removeprefix("make ")), explained(workspace, again):
        found = emulator_process.running(workspace.port)
        if (workspace.state / ".pulumi").exists():
            tear_down(workspace, found.boot_id if found else None, steps)
        steps.say(f"The stack {workspace.stack} of {workspace.system} does not stand any more.")
        others = standing_beside(workspace, found.boot_id) if found else []
        if others:
            steps.say(f"Emulator: goes on; in it stand: {', '.join(others)}")
        elif found:
            emulator_process.stop(found)
            steps.say(f"Emulator: stopped (pid {found.pid})")
    steps.say(f"Took {duration(time.time() - started)}. `{command('up', workspace)}` makes it all again.")


def outputs(workspace: Workspace) -> dict[str, Any]:
    """The outputs of a stack that stands, and the address of the emulator that it stands in. Raises Failure."""
    found = emulator_process.running(workspace.port)
    again = command("up", workspace)
    if not found or stack.noted_boot(workspace) != found.boot_id:
        raise Failure(
            f"The stack {workspace.stack} of {workspace.system} does not stand in an emulator. Run `{again}`."
        )
    workspace.write_copy()
    told = stack.outputs(workspace)
    if not told:
        raise Failure(f"The stack {workspace.stack} of {workspace.system} is not finished. Run `{again}`.")
    return {"outputs": told, "endpoint_url": f"http://127.0.0.1:{workspace.port}"}


def standing_beside(workspace: Workspace, boot_id: str) -> list[str]:
    """The other systems whose stack stands in the emulator that was started under this id."""
    notes = sorted((workspace.home / "up").glob(f"*/{workspace.boot_note.name}"))
    return [
        note.parent.name
        for note in notes
        if note.parent != workspace.folder and note.read_text(encoding="utf-8") == boot_id
    ]


def tear_down(workspace: Workspace, boot_id: str | None, steps: Steps) -> None:
    place_plugins(workspace, steps)
    stack.select(workspace)
    reconcile(workspace, boot_id, steps)
    if stack.resources(workspace):
        with steps.step("Stack", f"`pulumi destroy` of {workspace.stack}") as step:
            report = stack.run(workspace, "destroy", "--yes", "--skip-preview", on_event=counting(step))
            step.result = summary.changes(report)
    workspace.boot_note.unlink(missing_ok=True)


def preview(
    workspace: Workspace,
    steps: Steps,
    started: float,
    *,
    form: str,
    output: TextIO = sys.stdout,
    kept_events: Path | None = None,
    name: str = "preview",
) -> None:
    """A preview of any stack, with the policies on, from an empty state (or what a comparison left in its place): no
    account, no emulator.

    `kept_events` is a file for the engine's event log, which says more than any of the forms; it is written even when
    the preview fails. `name` is the command that was typed.
    """
    again = command(name, workspace, stack=workspace.stack)
    options: list[str | Path] = [*policies(workspace)]
    options += {"json": ["--json", "--show-sames"], "diff": ["--diff"], "tree": ["--suppress-outputs"]}[form]
    if form != "json":
        options += ["--color", "always" if output.isatty() else "never"]
    with explained(workspace, again):
        place_plugins(workspace, steps)
        check_system(workspace)
        stack.select(workspace)
        report = stack.run(workspace, "preview", *options, output=output, kept_events=kept_events)
    if form == "json":
        return
    summary.show(
        Console(highlight=False, file=output),
        title=f"{workspace.system}, stack {workspace.stack}, as it would be",
        planned=True,
        resources=list(report.resources.values()),
        report=report,
        kinds={},
        outputs={},
        next_commands={
            f"{again} FORMAT=diff": "the same with every argument",
            f"make -s {again.removeprefix('make ')} FORMAT=json": "the same for a program",
        },
    )
    steps.say(f"Took {duration(time.time() - started)}.")


def command(name: str, workspace: Workspace, *, stack: str | None = None) -> str:
    """How one would type it."""
    parts: Mapping[str, str | None] = {"STACK": stack, "SYSTEM": workspace.system}
    shown = [f"{key}={value}" for key, value in parts.items() if value and value != "rentalfix"]
    return " ".join(["make", name, *shown])
