"""`pulumi` as it is in a shell made by `source local/activate`: the same engine, kept to the local stack.

Without this, plain `pulumi up` would write the offline passphrase's salt into the tracked stack file.
"""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local import emulator_process, engine, launcher, packages, plugins, stack
from local.commands import LOCAL, REPOSITORY
from local.steps import Failure
from local.workspace import Workspace, open_workspace

# The subcommands that take --config-file.
READ_THE_STACK_FILE = (
    "up",
    "update",
    "preview",
    "pre",
    "refresh",
    "destroy",
    "watch",
    "import",
    "logs",
    "config",
)
WRITE_THE_STACK_FILE = (
    ("config", "set"),
    ("config", "set-all"),
    ("config", "rm"),
    ("config", "rm-all"),
    ("config", "cp"),
)
CHANGE_WHAT_STANDS = (["up"], ["update"], ["refresh"], ["destroy"], ["import"], ["watch"])
CHANGE_THE_STACK = (("stack", "init"), ("stack", "change-secrets-provider"), ("new",))


def words(arguments: Sequence[str]) -> list[str]:
    """The arguments that are no options: the subcommand comes first."""
    return [argument for argument in arguments if not argument.startswith("-")]


def stack_named(arguments: Sequence[str]) -> str | None:
    """The stack that the arguments ask for, in any of the ways to say it."""
    for position, argument in enumerate(arguments):
        if argument in ("--stack", "-s"):
            return arguments[position + 1] if position + 1 < len(arguments) else None
        if argument.startswith("--stack="):
            return argument.removeprefix("--stack=")
    spoken = words(arguments)
    return spoken[2] if spoken[:2] == ["stack", "select"] and len(spoken) > 2 else None


def offline_arguments(
    arguments: Sequence[str], stack_name: str, config_file: Path, stack_file: str | None = None
) -> list[str]:
    """What the engine is given instead. Raises Failure for what would leave the local stack or write a tracked file.

    `stack_file` is the tracked file's path as messages show it, where it is not named after the stack.
    """
    spoken = words(arguments)
    named = stack_named(arguments)
    if named not in (None, stack_name):
        raise Failure(
            f"This shell works on the stack {stack_name} alone. `make preview STACK={named}` previews {named} offline; "
            "a deployment starts from a shell of its own (README: the first real deployment)."
        )
    if any(tuple(spoken[: len(refused)]) == refused for refused in CHANGE_THE_STACK):
        raise Failure(
            f"This shell has its one stack, {stack_name}, made; `pulumi {' '.join(spoken[:2])}` belongs elsewhere."
        )
    if tuple(spoken[:2]) in WRITE_THE_STACK_FILE:
        shown = stack_file or f"Pulumi.{stack_name}.yaml"
        raise Failure(f"Settings are in {shown}: edit that file; the next command reads it.")
    added = []
    if spoken[:1] and spoken[0] in READ_THE_STACK_FILE and "--config-file" not in " ".join(arguments):
        added = ["--config-file", str(config_file)]
    if spoken[:2] == ["stack", "rm"]:
        added = ["--preserve-config"]
    return [*arguments, *added]


def workspace(environment: Mapping[str, str]) -> Workspace:
    found = engine.find(REPOSITORY / ".local")
    if not found or not packages.are_installed(REPOSITORY):
        raise Failure("Nothing is set up here yet. Run `make up` first.")
    system = environment.get("SYSTEM") or "rentalfix"
    return open_workspace(REPOSITORY, found, purpose="up", system=system, stack=LOCAL)


def activate() -> str:
    """Makes the stack if there is none, and gives the `export` lines for the shell."""
    here = workspace(os.environ)
    plugins.place(packages.python(REPOSITORY), here.engine, here.pulumi_home)
    stack.select(here)
    folder = here.home / "shell"
    python = packages.python(REPOSITORY)
    launcher.write_for(folder / "pulumi", python, REPOSITORY, "from local import shell; shell.main()")
    engines = here.environment()
    exported = {key: value for key, value in engines.items() if key.startswith("PULUMI_")}
    exported |= {"PULUMI_STACK": here.stack_name, "SYSTEM": here.system}
    exported["PATH"] = os.pathsep.join([str(folder), str(python.parent), os.environ["PATH"]])
    return "\n".join(f"export {key}={shlex.quote(value)}" for key, value in exported.items())


def know_the_emulator(here: Workspace) -> None:
    """Sees to it that the state and the emulator belong together. Raises Failure where `make up` has to do that."""
    found = emulator_process.running(here.port)
    if not found:
        raise Failure(f"No emulator runs on port {here.port}. `make up` starts one, with the stack in it.")
    noted = stack.noted_boot(here)
    if noted not in (None, found.boot_id):
        raise Failure(
            "The emulator was restarted, and the state describes the one before. Run `make up` first."
        )
    stack.note_boot(here, found.boot_id)


def main() -> None:
    """Becomes the engine, in the caller's folder."""
    try:
        here = workspace(os.environ)
        here.write_copy()
        shown = here.stack_file.relative_to(here.root).as_posix()
        arguments = offline_arguments(sys.argv[1:], here.stack_name, here.config_file, shown)
        if words(sys.argv[1:])[:1] in CHANGE_WHAT_STANDS:
            know_the_emulator(here)
    except Failure as failure:
        sys.exit(str(failure))
    os.execve(
        here.engine, [str(here.engine), *arguments], here.environment() | {"PULUMI_STACK": here.stack_name}
    )
