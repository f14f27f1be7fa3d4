"""`groundwork backup verify`: the newest backup brought back beside the original, questioned, timed and removed."""

import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from operations import show
from operations.backup import copies
from operations.db import aws_dumps, aws_proof, instances
from operations.db.aws_ask import Answers, Here, InTask, answers, ask, script
from operations.db.aws_proof import Proof, Wanted
from operations.exits import FOUND
from operations.metrics import publish
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
from operations.waits import Failed, Patience, carried_out

PART = "backups"


class From(StrEnum):
    vault = "vault"
    snapshot = "snapshot"
    dump = "dump"


@dataclass(frozen=True, kw_only=True)
class Proved:
    """`restore_s` from the beginning of the restore to the first answers; `data_age_s` what would have been lost."""

    source: str
    restore_s: float
    data_age_s: float
    proof: Proof
    size_bytes: int | None = None

    @property
    def figures(self) -> dict[str, float]:
        """For CloudWatch."""
        return {
            "RestoreSeconds": round(self.restore_s, 1),
            "DataAgeSeconds": round(self.data_age_s, 1),
            "RestoreProved": int(self.proof.ok),
        }


def in_copy(
    platform: Platform,
    source: copies.Backup,
    wanted: Wanted,
    patience: Patience,
    *,
    original: Answers | None,
    instance_class: str | None = None,
) -> Proved:
    """A recovery point or a snapshot, in an instance of its own. Raises `Failed` where it does not come back."""
    database = instances.find(platform, platform.client("rds"))
    began, now = patience.clock(), datetime.now(UTC)
    with copies.standing(platform, database, source, now, patience, instance_class=instance_class) as copy:
        host = copy.said["Endpoint"]["Address"]
        found = ask(InTask(platform), aws_proof.questions(wanted), patience, host=host)
        took = patience.clock() - began
    judged = aws_proof.judged(found, wanted, original)
    return Proved(
        source=str(source), restore_s=took, data_age_s=_age(judged, now, source.taken), proof=judged
    )


def _age(judged: Proof, now: datetime, taken: datetime) -> float:
    """By the newest row where it was asked for, else by when the backup was begun."""
    return max((now - (judged.newest or taken)).total_seconds(), 0)


def in_database(
    platform: Platform,
    dump: aws_dumps.Dump,
    wanted: Wanted,
    patience: Patience,
    timeout_minutes: int,
    *,
    original: Answers | None = None,
    here: Mapping[str, str] | None = None,
) -> Proved:
    """A dump, in a database of its own beside the stack's; or, with libpq's variables `here`, on the server they name.

    Raises `Failed` where it does not come back.
    """
    now, restore = datetime.now(UTC), aws_dumps.restore_script(platform)
    told = {
        "NEW_DATABASE": aws_dumps.scratch_name(now),
        "OLDEST": aws_dumps.scratch_name(now - timedelta(minutes=2 * timeout_minutes)),
        "STATEMENTS": script(aws_proof.questions(wanted)),
        # The script counts once more by itself; the count is among the questions.
        "VERIFY_QUERY": "SELECT 'all'",
    }
    began = patience.clock()
    if here is None:
        task = InTask(
            platform,
            aws_dumps.TASK,
            {
                aws_dumps.PREPARE: {"CONFIRM": instances.declared(platform)["name"]},
                aws_dumps.FETCH: {"DUMP_KEY": dump.key},
            },
        )
        found = answers(task.run(aws_dumps.proof(restore), told, patience))
    else:
        with downloaded(platform, dump) as file:
            command = aws_dumps.proof(aws_dumps.beside(restore, str(file)))
            found = answers(Here(here).run(command, told, patience))
    took = patience.clock() - began
    judged = aws_proof.judged(found, wanted, original)
    return Proved(
        source=f"dump {dump}",
        restore_s=took,
        data_age_s=_age(judged, now, dump.modified),
        proof=judged,
        size_bytes=dump.size_bytes,
    )


@contextmanager
def downloaded(platform: Platform, dump: aws_dumps.Dump) -> Generator[Path]:
    """In a folder that nobody else may enter, until the body ends."""
    with tempfile.TemporaryDirectory(prefix="groundwork-dump-") as folder:
        file = Path(folder) / "dump"
        platform.client("s3").download_file(dump.bucket, dump.key, str(file))
        yield file


def touches(
    platform: Platform,
    source: copies.Backup | aws_dumps.Dump,
    left: list[instances.Described],
    *,
    is_here: bool,
) -> list[str]:
    """What the command will do, a line each."""
    removals = [f"remove {each.identifier}, which an interrupted proof has left" for each in left]
    if isinstance(source, aws_dumps.Dump):
        where = "the server that PGHOST names" if is_here else instances.declared(platform)["identifier"]
        fetched = [f"copy {source} ({show.size(source.size_bytes)}) to this machine"] if is_here else []
        return [
            *fetched,
            f"read {source} into a database {aws_dumps.SCRATCH}... on {where}, and drop it at the end",
        ]
    return [
        *removals,
        f"make an instance {copies.PREFIX}... of the {source}, in the original's subnets, and remove it at the end",
    ]


def told(proved: Proved) -> None:
    """For a person."""
    rows = [
        {"check": each.name, "": "well" if each.ok else "WRONG", "found": each.said}
        for each in proved.proof.checks
    ]
    show.show(rows, as_json=False, nothing="Nothing was checked.")
    size = f" ({show.size(proved.size_bytes)})" if proved.size_bytes is not None else ""
    outcome = "Proved" if proved.proof.ok else "NOT proved"
    typer.echo(
        f"{outcome}: {proved.source}{size}. It took {show.duration(proved.restore_s)} to the first answers (RTO); what "
        f"changed in the last {show.duration(proved.data_age_s)} is not in it (RPO)."
    )


def as_json(proved: Proved) -> dict[str, Any]:
    return {
        "proved": proved.proof.ok,
        "source": proved.source,
        "restore_s": round(proved.restore_s, 1),
        "data_age_s": round(proved.data_age_s, 1),
        "size_bytes": proved.size_bytes,
        "checks": [vars(check) for check in proved.proof.checks],
        "tables": dict(proved.proof.tables),
    }


def verify(
    of: Annotated[
        From,
        typer.Option("--from", help="AWS Backup's vault, RDS' own snapshots, or the dumps in the bucket."),
    ] = From.vault,
    key: Annotated[
        str | None, typer.Option(help="Another dump than the newest: its key, or s3://bucket/key.")
    ] = None,
    here: Annotated[
        bool,
        typer.Option("--here", help="A dump: on the server that PGHOST, PGUSER, PGPASSWORD ... name here."),
    ] = False,
    query: Annotated[
        str | None, typer.Option(help="SQL that gives a number; left out: the stack's backups.verify_query.")
    ] = None,
    minimum: Annotated[int, typer.Option("--min", min=0, help="What that number must be at least.")] = 1,
    newest: Annotated[
        str,
        typer.Option(help="SQL that gives the time of the newest row: the age of the data by themselves."),
    ] = "",
    extension: Annotated[
        list[str] | None, typer.Option(help="One that must be there; may be repeated.")
    ] = None,
    table: Annotated[list[str] | None, typer.Option(help="One that must have rows; may be repeated.")] = None,
    compare: Annotated[
        bool, typer.Option(help="With the live database too: --no-compare where that is lost.")
    ] = True,
    instance_class: Annotated[str | None, typer.Option(help="Of the copy; left out: the original's.")] = None,
    rto_s: Annotated[
        int | None, typer.Option("--rto-s", min=1, help="Seconds it may take; more is a failure.")
    ] = None,
    rpo_s: Annotated[
        int | None, typer.Option("--rpo-s", min=1, help="Seconds the data may be old; more is a failure.")
    ] = None,
    take_over: Annotated[
        bool, typer.Option(help="Remove a copy that looks as if another proof still worked with it.")
    ] = False,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="For all of it together.")] = 120,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Bring the newest backup back beside the original, question it, measure RTO and RPO, and remove it again.

    The original is only asked for its tables and extensions. Publishes RestoreSeconds, DataAgeSeconds and RestoreProved
    in <system>/<environment>/backups. What it makes is removed on Ctrl-C, too; what a killed run left, by the next one.

    \b
    Exit code
      0  proved
      1  it did not come back, a check failed, or it took longer than allowed
      2  it could not be begun

    \b
    Examples
      groundwork backup verify --stack prod
      groundwork backup verify --stack prod --from dump --rto-s 3600
      PGHOST=localhost PGUSER=postgres groundwork backup verify --from dump --here
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        instances.declared(platform)
        if here and of is not From.dump:
            raise Refusal("--here reads a dump: add --from dump. Snapshots come back on RDS only.")
        if key and of is not From.dump:
            raise Refusal("--key names a dump: add --from dump.")
        wanted = Wanted(
            count=platform.outputs["backups"]["verifyQuery"] if query is None else query,
            minimum=minimum,
            newest=newest,
            extensions=extension or (),
            tables=table or (),
        )
        patience = Patience.of(timeout_minutes)
        source, left = _chosen(platform, of, key, timeout_minutes, take_over=take_over)
        said = touches(platform, source, left, is_here=here)
        if not confirm(platform, said, as_json=json_output, yes=yes, dry_run=dry_run):
            return
        for each in left:
            copies.remove(platform.client("rds"), each.identifier)
        try:
            original = (
                ask(InTask(platform), aws_proof.questions(wanted), patience) if compare and not here else None
            )
            if isinstance(source, aws_dumps.Dump):
                server = {} if here else None
                proved = in_database(
                    platform, source, wanted, patience, timeout_minutes, original=original, here=server
                )
            else:
                proved = in_copy(
                    platform, source, wanted, patience, original=original, instance_class=instance_class
                )
        except Failed as failed:
            typer.echo(f"NOT proved: {source}. {failed}", err=True)
            if json_output:
                typer.echo(show.as_text({"proved": False, "source": str(source), "problem": str(failed)}))
            publish(platform, PART, {"RestoreProved": 0}, {"From": of})
            raise typer.Exit(FOUND) from None
        if json_output:
            typer.echo(show.as_text(as_json(proved)))
        else:
            told(proved)
        publish(platform, PART, proved.figures, {"From": of})
        late = list(_late(proved, rto_s, rpo_s))
        for each in late:
            typer.echo(each, err=True)
        if late or not proved.proof.ok:
            raise typer.Exit(FOUND)


def _chosen(
    platform: Platform, of: From, key: str | None, timeout_minutes: int, *, take_over: bool
) -> tuple[copies.Backup | aws_dumps.Dump, list[instances.Described]]:
    """The backup, and the copies that are left of earlier proofs. Raises Refusal."""
    if of is From.dump:
        return aws_dumps.choose(platform, key), []
    rds = platform.client("rds")
    database = instances.find(platform, rds)
    found = copies.left_over(rds, database.identifier)
    left = copies.stale(found, datetime.now(UTC), timeout_minutes, take_over=take_over)
    if of is From.snapshot:
        return copies.newest_snapshot(rds, database), left
    vault = platform.outputs["backups"]["vault"]
    if not vault:
        raise Refusal(f"{platform} has no vault. --from snapshot proves RDS' own backups.")
    return copies.newest_recovery_point(platform.client("backup"), vault, database), left


def _late(proved: Proved, rto_s: int | None, rpo_s: int | None) -> Iterator[str]:
    if rto_s is not None and proved.restore_s > rto_s:
        yield f"It took {proved.restore_s:.0f} s, more than the {rto_s} s of --rto-s."
    if rpo_s is not None and proved.data_age_s > rpo_s:
        yield f"The data are {proved.data_age_s:.0f} s old, more than the {rpo_s} s of --rpo-s."
