"""`groundwork db activity | connections | slow | cancel`: who works on the database, and at what."""

from typing import Annotated, Any, Literal

import typer

from operations.db.reach import Database, ReplicaOption, reaching
from operations.db.statements import brief
from operations.exits import FOUND
from operations.platform import DryRunOption, JsonOption, Refusal, YesOption, confirm
from operations.show import Row, as_text, printable, show, tell

FullOption = Annotated[
    bool, typer.Option("--full", help="Whole statements as they are: they may hold personal data.")
]
By = Literal["user", "state", "client", "database", "application"]
Order = Literal["total", "mean", "calls"]

_ACTIVITY = """
SELECT pid, usename AS "user", application_name AS application, host(client_addr) AS client, state,
       concat_ws(': ', wait_event_type, wait_event) AS waits_for, pg_blocking_pids(pid) AS blocked_by,
       extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_s,
       extract(epoch FROM clock_timestamp() - query_start)::float8 AS query_s, query
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND (%(idle)s OR state IS DISTINCT FROM 'idle')
ORDER BY cardinality(pg_blocking_pids(pid)), xact_start NULLS LAST, pid
"""

_GROUPED: dict[By, str] = {
    "user": "usename",
    "state": "state",
    "client": "client_addr",
    "database": "datname",
    "application": "application_name",
}
_CONNECTIONS = """
SELECT coalesce({group}::text, '') AS {by}, count(*) AS connections,
       count(*) FILTER (WHERE state = 'active') AS active,
       count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_transaction,
       extract(epoch FROM max(clock_timestamp() - state_change))::float8 AS longest_in_state_s
FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1 ORDER BY 2 DESC, 1
"""
_ROOM = """
SELECT count(*) AS used, current_setting('max_connections')::int AS most,
       current_setting('superuser_reserved_connections')::int AS kept
FROM pg_stat_activity WHERE backend_type = 'client backend'
"""

_ORDERS: dict[Order, str] = {"total": "total_exec_time", "mean": "mean_exec_time", "calls": "calls"}
# total_time and mean_time of older guides are total_exec_time and mean_exec_time since PostgreSQL 13.
_SLOW = """
SELECT calls, total_exec_time / 1000 AS total_s, mean_exec_time AS mean_ms, max_exec_time AS longest_ms, rows,
       100.0::float8 * shared_blks_hit / nullif(shared_blks_hit + shared_blks_read, 0) AS from_memory_percent,
       rolname AS "user", query
FROM {schema}.pg_stat_statements JOIN pg_roles ON pg_roles.oid = userid
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY {order} DESC LIMIT %(limit)s
"""


@reaching
def activity(
    database: Database,
    all_: Annotated[bool, typer.Option("--all", help="Idle connections too.")] = False,
    full: FullOption = False,
    replica: ReplicaOption = False,
    as_json: JsonOption = False,
) -> None:
    """What runs at this moment, what it waits for, and who blocks whom.

    Literals are shown as `?`, and long statements are cut: what a customer typed stays where it is. Whoever blocks
    others stands above them; `groundwork db cancel` ends what one of them does.

    \b
    Examples
      groundwork db activity --stack prod --via localhost:15432
      groundwork db activity --stack prod --all --json
    """
    with database.connect(replica=replica) as connection:
        rows = connection.execute(_ACTIVITY, {"idle": all_}).fetchall()
    shown = [_shown(row, full=full) for row in rows]
    show(shown, as_json=as_json, nothing="Nobody works on the database at this moment.")


def _shown(row: Row, *, full: bool) -> dict[str, Any]:
    return {**row, "query": printable(row["query"] or "") if full else brief(row["query"])}


@reaching
def connections(
    database: Database,
    by: Annotated[By, typer.Option(help="What they are counted by.")] = "user",
    replica: ReplicaOption = False,
    as_json: JsonOption = False,
) -> None:
    """How many connections there are, whose, and how many there may be.

    \b
    Examples
      groundwork db connections --stack prod
      groundwork db connections --stack prod --by client
    """
    from psycopg import sql  # noqa: PLC0415 so that `--help` stays quick

    question = sql.SQL(_CONNECTIONS).format(group=sql.Identifier(_GROUPED[by]), by=sql.Identifier(by))
    with database.connect(replica=replica) as connection:
        rows = connection.execute(question).fetchall()
        [room] = connection.execute(_ROOM).fetchall()
    if as_json:
        typer.echo(as_text({**room, "groups": rows}))
        return
    show(rows, as_json=False, nothing="")
    typer.echo(
        f"{room['used']} of {room['most']} are taken; the last {room['kept']} are kept for RDS itself."
    )


@reaching
def slow(
    database: Database,
    order: Annotated[
        Order, typer.Option("--by", help="The time of all calls, of one, or their number.")
    ] = "total",
    limit: Annotated[int, typer.Option(min=1, help="So many statements.")] = 10,
    replica: ReplicaOption = False,
    as_json: JsonOption = False,
) -> None:
    """The statements that have cost most since the statistics began (pg_stat_statements).

    \b
    Examples
      groundwork db slow --stack prod
      groundwork db slow --stack prod --by mean --limit 20 --json
    """
    from psycopg import sql  # noqa: PLC0415 so that `--help` stays quick

    with database.connect(replica=replica) as connection:
        question = sql.SQL(_SLOW).format(
            schema=sql.Identifier(schema_of(connection, "pg_stat_statements")),
            order=sql.Identifier(_ORDERS[order]),
        )
        rows = connection.execute(question, {"limit": limit}).fetchall()
    # PostgreSQL has `$1` for the values of queries, but keeps what is in other statements: ALTER ROLE has passwords.
    shown = [{**row, "query": brief(row["query"])} for row in rows]
    show(shown, as_json=as_json, nothing="No statement has been counted yet.")


def schema_of(connection: Any, extension: str) -> str:
    """Raises Refusal where the database has no such extension."""
    found = connection.execute(
        "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = %s",
        [extension],
    ).fetchone()
    if found is None:
        raise Refusal(
            f"The database has no extension {extension}. Name it in database.extensions of the system file, "
            "`pulumi up`, then `groundwork db bootstrap`."
        )
    return found["nspname"]


@reaching
def cancel(
    database: Database,
    pid: Annotated[int, typer.Argument(help="The process, by its pid in `groundwork db activity`.")],
    terminate: Annotated[bool, typer.Option(help="End its connection, not only its statement.")] = False,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """End what one connection does: its statement is rolled back, and whoever waited for it goes on.

    \b
    Exit code
      0  it was told to end
      1  it had ended by itself

    \b
    Examples
      groundwork db cancel 4711 --stack prod
      groundwork db cancel 4711 --stack prod --terminate --yes
    """
    with database.connect() as connection:
        rows = connection.execute(_ACTIVITY, {"idle": True}).fetchall()
        row = next((row for row in rows if row["pid"] == pid), None)
        if row is None:
            raise Refusal(
                f"No connection of a client has the pid {pid}. `groundwork db activity --all` lists them."
            )
        what = "end the connection of" if terminate else "end the statement of"
        touched = f"{what} {row['user']} ({pid}, {row['state']}): {brief(row['query'])}"
        if not confirm(database.platform, [touched], as_json=as_json, yes=yes, dry_run=dry_run):
            return
        function = "pg_terminate_backend" if terminate else "pg_cancel_backend"
        answer = connection.execute(f"SELECT {function}(%s) AS told", [pid]).fetchone()
    was_told = bool(answer and answer["told"])
    ended = (
        "was told to end. `groundwork db activity` shows whether it has."
        if was_told
        else "had ended already."
    )
    tell(f"{pid} {ended}", {"pid": pid, "told_to_end": was_told}, as_json=as_json)
    raise typer.Exit(0 if was_told else FOUND)
