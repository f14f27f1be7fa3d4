"""`groundwork db ping | verify | explain`: is the database there, is the data, and how would it answer."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operations.db.reach import Database, ReplicaOption, reaching
from operations.exits import FOUND
from operations.platform import JsonOption, Refusal
from operations.show import as_text, duration

if TYPE_CHECKING:
    from operations.db.reach import Connection

_PING = """
SELECT current_setting('server_version') AS server, current_user AS "user", current_database() AS "database",
       pg_is_in_recovery() AS is_replica, coalesce(tls.version, '') AS tls,
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS up_s,
       CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 END AS behind_s
FROM pg_stat_ssl tls WHERE tls.pid = pg_backend_pid()
"""


@reaching
def ping(database: Database, replica: ReplicaOption = False, as_json: JsonOption = False) -> None:
    """Log in and ask for one answer, by TLS: network, login and server are well.

    \b
    Exit code
      0  it answers
      2  it cannot be reached, or does not let us in; the sentence says what to do

    \b
    Examples
      groundwork db ping --stack prod
      groundwork db ping --stack prod --role rentfix_app --replica
    """
    began = time.monotonic()
    with database.connect(replica=replica) as connection:
        [said] = connection.execute(_PING).fetchall()
    took = time.monotonic() - began
    if as_json:
        typer.echo(as_text({**said, "took_s": round(took, 3)}))
        return
    role = "a replica" if said["is_replica"] else "the primary"
    behind = f", {duration(said['behind_s'])} behind" if said["behind_s"] is not None else ""
    typer.echo(
        f"{said['database']} answers {said['user']}: PostgreSQL {said['server']}, {role}{behind}, {said['tls']}, "
        f"up for {duration(said['up_s'])}. Connecting and asking took {duration(took)}."
    )


@reaching
def verify(
    database: Database,
    query: Annotated[
        str | None,
        typer.Option(help="SQL that gives one number. Left out: the stack's own (backups.verify_query)."),
    ] = None,
    least: Annotated[int, typer.Option("--min", help="The least that it must give.")] = 1,
    replica: ReplicaOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the question that proves the data is there, after a restore or an upgrade.

    Run it as the master user: row level security hides rows from a service's role.

    \b
    Exit code
      0  the number is as large as it must be
      1  it is not
      2  there is no such question, or it gives no number

    \b
    Examples
      groundwork db verify --stack prod
      groundwork db verify --stack prod --query 'SELECT count(*) FROM contractors' --min 1000
    """
    asked = query or database.platform.outputs["backups"]["verifyQuery"]
    if not asked:
        raise Refusal(
            "The stack declares no backups.verify_query. Name one: --query 'SELECT count(*) FROM ...'."
        )
    with database.connect(replica=replica, catalog=False) as connection:
        rows = alone(connection, asked)
    found = rows[0] if len(rows) == 1 else ()
    if len(found) != 1 or not isinstance(found[0], int):
        raise Refusal(f"The question must give one whole number in one row: {asked}")
    well = found[0] >= least
    if as_json:
        typer.echo(as_text({"query": asked, "found": found[0], "min": least, "well": well}))
    else:
        typer.echo(f"{asked}: {found[0]}, {'and so' if well else 'and not'} at least {least}.")
    raise typer.Exit(0 if well else FOUND)


@reaching
def explain(
    database: Database,
    file: Annotated[
        Path, typer.Option("--file", allow_dash=True, help="One statement of SQL; `-` is standard input.")
    ],
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Run it, and say what each step took; it must only read.")
    ] = False,
    replica: ReplicaOption = False,
    as_json: JsonOption = False,
) -> None:
    """How PostgreSQL would answer a statement: which indexes it uses, and what that costs.

    \b
    Examples
      groundwork db explain --stack prod --file systems/rentalfix/queries/nearby.sql
      echo 'SELECT count(*) FROM vendors' | groundwork db explain --system fixrx --stack prod --file - --analyze
    """
    statement = _read(file)
    options = [*(("ANALYZE", "BUFFERS") if analyze else ()), f"FORMAT {'JSON' if as_json else 'TEXT'}"]
    with database.connect(replica=replica, catalog=False) as connection:
        rows = alone(connection, f"EXPLAIN ({', '.join(options)}) {statement}")
    plan = [line for (line,) in rows]
    typer.echo(as_text(plan[0]) if as_json else "\n".join(plan))


def _read(file: Path) -> str:
    try:
        statement = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise Refusal(f"{file} cannot be read: {problem}.") from None
    if not statement.strip():
        raise Refusal(f"{file} holds no statement.")
    if statement.lstrip()[:7].upper() == "EXPLAIN":
        raise Refusal(
            f"{file} begins with EXPLAIN, which this command puts before it. Leave it out; --analyze runs it."
        )
    return statement


def alone(connection: "Connection", statement: str) -> list[tuple[Any, ...]]:
    """A statement of somebody's, prepared: PostgreSQL takes only one then, so nothing follows it unseen.

    Its transaction reads only, whatever the statement says.
    """
    from psycopg.rows import tuple_row  # noqa: PLC0415 so that `--help` stays quick

    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(statement.encode(), prepare=True).fetchall()
