"""`groundwork db restore`: a dump read back by the stack's task, into the live database or into a new one."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from operations import show
from operations.db import aws_dumps, instances
from operations.db.aws_ask import MARK, InTask
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
    opened,
)
from operations.waits import Patience, carried_out

# No quotes are needed for it, in SQL nor in a shell.
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
RESTORED = "Restored: "


def touches(platform: Platform, dump: aws_dumps.Dump, into: str | None) -> list[str]:
    said = instances.declared(platform)
    size = f"{dump} of {dump.modified:%Y-%m-%d %H:%M} UTC ({show.size(dump.size_bytes)})"
    if into:
        return [f"make the database {into} on {said['identifier']}, and read {size} into it"]
    return [
        f"REPLACE what is in the database {said['name']} on {said['identifier']} by {size}",
        f"lose what was written since {dump.modified:%Y-%m-%d %H:%M} UTC",
        "wait for whoever works on the tables: scale the services down first",
    ]


def way_back(platform: Platform, now: datetime) -> str:
    """What undoes it: RDS keeps every second."""
    return (
        f"What was there before stays in RDS: `groundwork db restore-pitr --stack {platform.stack} --time "
        f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}` brings it back, beside this one."
    )


def restore(
    key: Annotated[
        str | None, typer.Option(help="Another dump than the newest: its key, or s3://bucket/key.")
    ] = None,
    into: Annotated[
        str | None, typer.Option(help="A new database on the same server; left out: the stack's own.")
    ] = None,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="For the task.")] = 180,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Read a dump back: all of it or nothing, in one transaction, once it was found to be whole.

    Into the stack's own database it takes the place of what is there; tables that are not in the dump stay. With --into
    it makes a new database, to look something up or to take single rows over; drop that when it is done with.

    \b
    Exit code
      0  the dump is back
      1  the dump is not whole, or was refused: nothing is changed
      2  it could not be begun

    \b
    Examples
      groundwork db restore --stack prod --into looked_up
      groundwork db restore --stack prod --key postgres/rentfix_20260112.sql.gz
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        name = instances.declared(platform)["name"]
        if into is not None and not NAME.fullmatch(into):
            raise Refusal(
                "--into is a name of lower-case letters, digits and underscores that begins with no digit, and not "
                f"{into}."
            )
        if into == name:
            raise Refusal(f"{into} is the stack's own database. Leave --into out, if that is what is meant.")
        script = aws_dumps.restore_script(platform)
        dump = aws_dumps.choose(platform, key)
        if not confirm(
            platform, touches(platform, dump, into), as_json=json_output, yes=yes, dry_run=dry_run
        ):
            return
        if into is None:
            typer.echo(way_back(platform, datetime.now(UTC)), err=True)
        others = {
            aws_dumps.PREPARE: {"CONFIRM": name},
            aws_dumps.FETCH: {"DUMP_KEY": dump.key},
        }
        command = f"{script if into is None else aws_dumps.into_new_database(script)}; echo {MARK}end"
        lines = InTask(platform, aws_dumps.TASK, others).run(
            command, {} if into is None else {"NEW_DATABASE": into}, Patience.of(timeout_minutes)
        )
        counted = next((line.removeprefix(RESTORED) for line in lines if line.startswith(RESTORED)), "")
        row = {"database": into or name, "dump": str(dump), "found": counted}
        show.show([row], as_json=json_output, nothing="")
        if into is None:
            typer.echo(
                "`groundwork db bootstrap` brings roles, grants and policies up to date with the code.",
                err=True,
            )
