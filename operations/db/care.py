"""`groundwork db vacuum | reindex`: what the schedule does, by hand, table after table, and seen while it works."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, LiteralString, NoReturn

import typer

from operations.db import reach
from operations.db.grants import quoted
from operations.db.reach import Database, reaching, said
from operations.exits import FOUND
from operations.platform import DryRunOption, JsonOption, Refusal, YesOption, confirm
from operations.policy.stacks import unknown
from operations.show import Row, as_text, duration, size, tell

if TYPE_CHECKING:
    from operations.db.reach import Connection

POLL_S = 0.5

# Neither asks for a true size: that waits for whoever has locked a table.
_TABLES = """
SELECT schemaname || '.' || relname AS name, n_live_tup AS live, n_dead_tup AS dead
FROM pg_stat_user_tables ORDER BY n_dead_tup DESC, 1
"""
_VACUUM_PROGRESS = """
SELECT phase, heap_blks_scanned::float8 AS done, heap_blks_total::float8 AS total
FROM pg_stat_progress_vacuum WHERE pid = %(pid)s
UNION ALL
SELECT phase, sample_blks_scanned::float8, sample_blks_total::float8 FROM pg_stat_progress_analyze WHERE pid = %(pid)s
"""
# What a REINDEX CONCURRENTLY that was interrupted leaves: the new index, or the old one that it had replaced already.
_LEFTOVER = re.compile(r"_cc(new|old)\d*$")
# An index whose table somebody builds an index on at this moment is not touched. What enforces an exclusion cannot be
# built beside itself. An extension's are its own.
_INDEXES = """
SELECT n.nspname || '.' || c.relname AS name, n.nspname || '.' || t.relname AS "table",
       c.relpages * current_setting('block_size')::bigint AS size_bytes, indisvalid AND indisready AS valid,
       indisexclusion AS exclusion,
       EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid) AS busy
FROM pg_index i JOIN pg_class c ON c.oid = indexrelid JOIN pg_class t ON t.oid = indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind = 'i' AND t.relkind IN ('r', 'm')
  AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'e')
ORDER BY 1
"""
_REINDEX_PROGRESS = """
SELECT phase, (blocks_done + tuples_done)::float8 AS done, (blocks_total + tuples_total)::float8 AS total
FROM pg_stat_progress_create_index WHERE pid = %(pid)s
"""


@reaching
def vacuum(
    database: Database,
    table: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be repeated.", metavar="TABLE")
    ] = None,
    analyze: Annotated[
        bool, typer.Option("--analyze/--no-analyze", help="Count anew what is in it, for the planner.")
    ] = True,
    freeze: Annotated[
        bool,
        typer.Option(
            "--freeze", help="Also where transaction ids are running out: it reads all of each table."
        ),
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Vacuum tables, those with most dead rows first; readers and writers go on meanwhile.

    Interrupted, it keeps what it has done, and may be run again.

    \b
    Exit code
      0  every table is vacuumed
      1  one is not; the others are

    \b
    Examples
      groundwork db vacuum --stack prod --table contractors
      groundwork db vacuum --stack prod --dry-run
      groundwork db vacuum --stack prod --freeze
    """
    options = [*(["ANALYZE"] if analyze else []), *(["FREEZE"] if freeze else [])]
    vacuuming = f"VACUUM ({', '.join(options)})" if options else "VACUUM"
    with database.connect(read_only=False, timeout_s=0) as working, database.connect() as watching:
        chosen = _chosen(watching.execute(_TABLES).fetchall(), table or [], "table")
        if dry_run:
            would = [
                f"vacuum {row['name']} ({row['dead']:,} dead rows beside {row['live']:,})" for row in chosen
            ]
            sentence = "\n".join(f"would {each}" for each in would) or "There is no table."
            tell(sentence, {"stack": str(database.platform), "would": would}, as_json=as_json)
            return
        work = Work(working, watching, _VACUUM_PROGRESS, database)
        statements = {row["name"]: f"{vacuuming} {quoted(row['name'])}" for row in chosen}
        finish(list(work.carry_out(statements, as_json)), as_json, nothing="There is no table.")


@reaching
def reindex(
    database: Database,
    table: Annotated[
        list[str] | None, typer.Option(help="All indexes of this table; may be repeated.", metavar="TABLE")
    ] = None,
    index: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be repeated.", metavar="INDEX")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every index of the database.")] = False,
    concurrently: Annotated[
        bool, typer.Option("--concurrently/--blocking", help="Beside itself, or while those who write wait.")
    ] = True,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build indexes anew, and drop what an interrupted run has left; without a name: those that are not valid.

    An index is built beside the old one, which needs room for both; readers and writers go on. It waits for
    transactions that are older than itself. Interrupted, it drops the half that it had built, and may be run again.

    \b
    Exit code
      0  all are built; also where there was nothing to mend
      1  one is not; the others are

    \b
    Examples
      groundwork db reindex --stack prod
      groundwork db reindex --stack prod --table contractors --dry-run
      groundwork db reindex --stack prod --all --yes
    """
    with (
        # A lock that is waited for beside itself keeps nobody out; the other kind would hold up everybody behind it.
        database.connect(read_only=False, timeout_s=0, lock_timeout_s=0 if concurrently else None) as working,
        database.connect() as watching,
    ):
        rows = watching.execute(_INDEXES).fetchall()
        plan = planned(rows, tables=table or [], indexes=index or [], every=all_, concurrently=concurrently)
        for note in plan.notes:
            typer.echo(f"Note: {note}", err=True)
        if not plan.touches:
            finish([], as_json, nothing="There is no index to mend.")
        if not confirm(database.platform, plan.touches, as_json=as_json, yes=yes, dry_run=dry_run):
            return
        work = Work(working, watching, _REINDEX_PROGRESS, database)
        try:
            done = [*work.carry_out(plan.drops, as_json), *work.carry_out(plan.builds, as_json)]
        except Interrupted:
            # Whoever the build has waited for may hold up its removal, too; then the next run finds it.
            working.execute(f"SET lock_timeout = '{reach.LOCK_TIMEOUT_S}s'".encode())
            left = planned(
                watching.execute(_INDEXES).fetchall(), tables=[], indexes=[], every=False, concurrently=True
            )
            ours = {name: drop for name, drop in left.drops.items() if _LEFTOVER.sub("", name) in plan.builds}
            list(work.carry_out(ours, as_json))
            raise
        finish(done, as_json)


@dataclass(frozen=True)
class Plan:
    """Statements by the index that each is about; `touches` names them all."""

    drops: Mapping[str, str]
    builds: Mapping[str, str]
    touches: list[str]
    notes: list[str]


def planned(
    rows: Sequence[Row], *, tables: Sequence[str], indexes: Sequence[str], every: bool, concurrently: bool
) -> Plan:
    """Raises Refusal for a table or an index that is not there."""
    chosen = [
        *(_chosen(rows, tables, "table", key="table") if tables else ()),
        *(_chosen(rows, indexes, "index") if indexes else ()),
    ]
    if not tables and not indexes:
        chosen = [row for row in rows if every or not row["valid"]]
    free = [row for row in chosen if not row["busy"]]
    notes = [
        f"{row['name']} is left alone: an index of {row['table']} is being built at this moment."
        for row in chosen
        if row["busy"]
    ]
    left = [row for row in free if not row["valid"] and _LEFTOVER.search(row["name"])]
    built = [row for row in free if row not in left]
    if concurrently:
        notes += [
            f"{row['name']} enforces an exclusion, and cannot be built beside itself: --index {row['name']} --blocking."
            for row in built
            if row["exclusion"]
        ]
        built = [row for row in built if not row["exclusion"]]
    how, beside = (
        (" CONCURRENTLY", "beside itself") if concurrently else ("", "while its table takes no writes")
    )
    return Plan(
        drops={row["name"]: f"DROP INDEX CONCURRENTLY {quoted(row['name'])}" for row in left},
        builds={row["name"]: f"REINDEX INDEX{how} {quoted(row['name'])}" for row in built},
        touches=[
            *(f"drop {row['name']}, which an interrupted reindex has left" for row in left),
            *(
                f"rebuild {row['name']} of {row['table']} ({size(row['size_bytes'])}) {beside}"
                for row in built
            ),
        ],
        notes=notes,
    )


def _chosen(rows: Sequence[Row], names: Sequence[str], what: str, key: str = "name") -> list[Row]:
    """Those that are named, with their schema or, in `public`, without; all where none is."""
    if not names:
        return list(rows)
    for name in names:
        if not any(_is_called(row[key], name) for row in rows):
            raise Refusal(unknown(what, name, sorted({row[key].removeprefix("public.") for row in rows})))
    return [row for row in rows if any(_is_called(row[key], name) for name in names)]


def _is_called(full: str, name: str) -> bool:
    return name in (full, full.removeprefix("public."))


class Interrupted(typer.Exit):
    """Somebody pressed Ctrl-C; the statement was called off, and the command ends unless somebody tidies up first."""


@dataclass(frozen=True)
class Done:
    """`problem` is empty where it went well."""

    name: str
    took_s: float
    problem: str

    def __str__(self) -> str:
        return f"{self.name}: {self.problem or f'done in {duration(self.took_s)}'}"


@dataclass(frozen=True)
class Work:
    """Statements that take long, one after the other on `working`, looked at through `watching`."""

    working: "Connection"
    watching: "Connection"
    progress: LiteralString
    database: Database

    def carry_out(self, statements: Mapping[str, str], as_json: bool) -> Iterator[Done]:
        """One that fails does not keep the others from their turn. Raises Interrupted."""
        from rich.console import Console  # noqa: PLC0415 so that `--help` stays quick
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
            for name, statement in statements.items():
                bar = bars.add_task(name, total=None)
                done = self._carry_out_one(name, statement, lambda seen, bar=bar: bars.update(bar, **seen))
                bars.remove_task(bar)
                if not as_json:
                    typer.echo(done)
                yield done

    def _carry_out_one(self, name: str, statement: str, show: Callable[..., None]) -> Done:
        import psycopg  # noqa: PLC0415

        began, problems = time.monotonic(), []
        heard = self._skipped(problems)

        def run() -> None:
            try:
                self.working.execute(statement.encode())
            except psycopg.Error as error:
                problems.append(said(error, self.database.reach))

        self.working.add_notice_handler(heard)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(POLL_S)
                show(self._seen(name))
        except KeyboardInterrupt:
            self.working.cancel_safe()
            thread.join()
            typer.echo(
                f"{name}: called off. What was done before stays done; run the same command again.", err=True
            )
            raise Interrupted(FOUND) from None
        finally:
            self.working.remove_notice_handler(heard)
        return Done(name, round(time.monotonic() - began, 3), "; ".join(problems))

    @staticmethod
    def _skipped(problems: list[str]) -> Callable[[Any], None]:
        """PostgreSQL warns of a table that it skips, for want of a right or of a lock, and calls that success."""

        def heard(warning: Any) -> None:
            if warning.severity_nonlocalized == "WARNING":
                problems.append(f"PostgreSQL said: {warning.message_primary}.")

        return heard

    def _seen(self, name: str) -> dict[str, Any]:
        """What a bar shows of it."""
        pid = self.working.info.backend_pid
        if row := self.watching.execute(self.progress, {"pid": pid}).fetchone():
            return {
                "description": f"{name}: {row['phase']}",
                "completed": row["done"],
                "total": row["total"] or None,
            }
        waits = self.watching.execute("SELECT pg_blocking_pids(%s) AS pids", [pid]).fetchone()
        if waits and waits["pids"]:
            return {"description": f"{name}: waits for {', '.join(map(str, waits['pids']))}", "total": None}
        return {"description": name}


def finish(done: Sequence[Done], as_json: bool, *, nothing: str = "") -> NoReturn:
    """Ends the command: 1 where one did not go well."""
    if as_json:
        typer.echo(as_text([asdict(each) for each in done]))
    elif not done and nothing:
        typer.echo(nothing)
    raise typer.Exit(FOUND if any(each.problem for each in done) else 0)
