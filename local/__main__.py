"""`python -m local <command>`: what stands behind the Makefile, once packages and engine are there."""

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from local import checks, commands, comparison, debian, engine, packages, shell, workflows
from local.steps import Failure, Steps
from local.workspace import Workspace, open_workspace

ROOT = commands.REPOSITORY


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="make", description="Groundwork without AWS.")
    main.add_argument("--started", type=float, default=time.time(), help=argparse.SUPPRESS)
    subcommands = main.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "preview", "compare"):
        command = subcommands.add_parser(name)
        command.add_argument("--system", required=True)
        command.add_argument("--stack", default=commands.LOCAL)
        if name == "compare":
            command.add_argument(
                "--base", default="HEAD", help="a commit: what the working tree is compared with"
            )
        if name in ("preview", "compare"):
            command.add_argument("--format", default="tree", choices=("tree", "diff", "json"))
            command.add_argument("--event-log", type=Path, help="keep the engine's event log here")
    for name in ("test", "bench"):
        subcommands.add_parser(name).add_argument("--arguments", default="")
    subcommands.add_parser("setup", help="packages and engine only, which stand before any command begins")
    subcommands.add_parser("lock")
    subcommands.add_parser("workflows", help="actionlint on .github/workflows")
    subcommands.add_parser("activate")
    outputs = subcommands.add_parser(
        "outputs", help="what stands in the emulator, and where that is, as JSON"
    )
    outputs.add_argument("--system", required=True)
    outputs.add_argument("--stack", default=commands.LOCAL)
    return main


def workspace(arguments: argparse.Namespace) -> Workspace:
    found = engine.find(ROOT / ".local")
    if not found:
        raise Failure("The engine is not there. Run `make up`.")
    purpose = arguments.command if arguments.command in ("preview", "compare") else "up"
    return open_workspace(ROOT, found, purpose=purpose, system=arguments.system, stack=arguments.stack)


def perform(arguments: argparse.Namespace, steps: Steps) -> None:
    match arguments.command:
        case "up":
            commands.up(workspace(arguments), steps, arguments.started)
        case "down":
            commands.down(workspace(arguments), steps, arguments.started)
        case "preview":
            commands.preview(
                workspace(arguments),
                steps,
                arguments.started,
                form=arguments.format,
                kept_events=arguments.event_log,
            )
        case "compare":
            comparison.compare(
                workspace(arguments),
                steps,
                base=arguments.base,
                form=arguments.format,
                output=sys.stdout,
                kept_events=arguments.event_log,
            )
        case "setup":
            steps.say("Everything is there.")
        case "activate":
            print(shell.activate())
        case "outputs":
            print(json.dumps(commands.outputs(workspace(arguments))))
        case "test":
            debian.prepare(ROOT / ".local", steps)
            checks.run(ROOT, checks.checks(shlex.split(arguments.arguments)), steps)
        case "workflows":
            workflows.check(ROOT, steps)
        case "bench":
            program = [packages.python(ROOT), "-m", "local.bench", *shlex.split(arguments.arguments)]
            if subprocess.run(program, cwd=ROOT, check=False).returncode:
                raise Failure("The measurement stopped before its end.")
        case "lock":
            packages.lock(ROOT, steps)


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser().parse_args(arguments)
    steps = Steps(sys.stderr if getattr(parsed, "format", None) == "json" else None)
    try:
        perform(parsed, steps)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Run the same command again; it goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
