"""`groundwork migrate`: the task of that name, its status, and a migration that failed marked as rolled back."""

import re
import time
from functools import partial
from typing import Annotated

import typer

from operations import tasks
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    explained,
)
from operations.waits import ended_politely

MIGRATE = "migrate"
MIGRATION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def migrate(
    status: Annotated[
        bool, typer.Option("--status", help="Only ask which migrations have run; nothing is changed.")
    ] = False,
    rolled_back: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only mark this migration, which failed, as rolled back, so that it is applied again. Asks always.",
        ),
    ] = None,
    timeout_minutes: tasks.TimeoutOption = 60,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Migrate the database: the stack's task `migrate`, a dump before it where its settings ask, its status after it.

    It runs the image that the stack file names for the task (tasks.migrate.image_tag), or its service's. To release an
    image with its migration before it: `groundwork deploy SERVICE --tag TAG --migrate migrate`.

    `--rolled-back` runs the task with the system file's rolled_back_command and the name instead of its own command,
    without a dump. It undoes nothing: the schema is mended first, by hand. The status after it is only shown.

    \b
    Exit code
      0  it ended with 0, and so did its status
      n  that of the container that failed: read its last lines. The schema may be half-way
      1  ECS did not start it, or it did not end in time
      2  there is no such task, or the stack does not stand

    \b
    Examples
      groundwork migrate --stack staging
      groundwork migrate --status --stack prod
      groundwork migrate --rolled-back 20260401120000_add_index --stack prod --dry-run
    """
    with explained(), ended_politely():
        if status and rolled_back is not None:
            raise Refusal("--status changes nothing, and --rolled-back does. Give one of them.")
        platform = tasks.platform_of(system, stack, outputs)
        task = MIGRATE
        if rolled_back is not None:
            _mark(platform, rolled_back, timeout_minutes, json_output=json_output, dry_run=dry_run, yes=yes)
            return
        if status:
            tasks.check(platform, task)
            task = platform.outputs["tasks"][task]["statusTask"]
            if not task:
                raise Refusal("The task migrate has no status_command in the system file, so nothing tells.")
        tasks.run_in_order(platform, task, timeout_minutes, json_output=json_output, dry_run=dry_run, yes=yes)


def _mark(
    platform: Platform, name: str, timeout_minutes: int, *, json_output: bool, dry_run: bool, yes: bool
) -> None:
    """Marks a migration as rolled back, and then has the status told."""
    command = _marking(platform, name)
    outputs, ecs, logs = platform.outputs, platform.client("ecs"), platform.client("logs")
    deadline = time.monotonic() + timeout_minutes * 60
    tell = partial(typer.echo, err=json_output)
    ended: dict[str, tasks.Ended] = {}
    status = outputs["tasks"][MIGRATE]["statusTask"]
    with tasks.failing(as_json=json_output):
        going_on = tasks.running_with(ecs, outputs, MIGRATE, command)
        said = [
            f"{'follow' if going_on else 'run'} the task {MIGRATE} with `{' '.join(command)}`: it changes what the "
            "database holds of its migrations, not the schema, and no dump comes before it",
            *([f"run the task {status}"] if status else []),
        ]
        if not confirm(platform, said, as_json=json_output, yes=yes, dry_run=dry_run):
            return
        ended[MIGRATE] = tasks.carry_out(
            ecs,
            logs,
            outputs,
            MIGRATE,
            deadline=deadline,
            going_on=going_on,
            # wiring/workloads.py names the container so.
            overrides=[{"name": f"task-{MIGRATE}", "command": command}],
            tell=tell,
        )
        if status:
            try:
                ended[status] = tasks.carry_out(ecs, logs, outputs, status, deadline=deadline, tell=tell)
            except tasks.Failed as failed:
                if failed.ended is None:
                    raise
                # Prisma's status ends with 1 where a migration waits, as this one does now.
                ended[status] = failed.ended
                tell(
                    f"{status} ended with {failed.code}. {name} is marked, and waits to be applied again: "
                    "`groundwork migrate`, once it is mended."
                )
    if json_output:
        typer.echo(tasks.rows(ended))


def _marking(platform: Platform, name: str) -> list[str]:
    """The command that marks it. Raises Refusal."""
    tasks.check(platform, MIGRATE)
    command = platform.outputs["tasks"][MIGRATE].get("rolledBackCommand")
    if not command:
        raise Refusal(
            f"The task {MIGRATE} has no rolled_back_command in the system file, so nothing marks a migration. Where it "
            "has one by now: `pulumi up`."
        )
    if not MIGRATION.fullmatch(name):
        raise Refusal(
            f"--rolled-back {name!r} names no migration: a name has letters, digits, underscores, hyphens and dots, "
            "and begins with a letter, a digit or an underscore. The log of the one that failed has it."
        )
    return [*command, name]
