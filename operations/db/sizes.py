"""`groundwork db tables | indexes`: how large they are, what of it is dead, and what is used."""

from typing import Annotated, Literal

import typer

from operations.db.reach import Database, ReplicaOption, reaching
from operations.exits import FOUND
from operations.platform import JsonOption
from operations.show import show

TableOrder = Literal["size", "dead", "bloat", "inserts", "scans"]
IndexOrder = Literal["size", "reads", "scans"]
LimitOption = Annotated[int, typer.Option(min=1, help="So many of them.")]

# Pages that the rows would fill, if there were nothing between them: their average width by the statistics of ANALYZE,
# 24 bytes of header and 4 of pointer each, rounded up to 8, in pages of 8192 bytes less 24 of their own.
_TABLES = """
WITH widths AS (
    SELECT schemaname, tablename, sum(avg_width * (1 - null_frac)) AS width FROM pg_stats GROUP BY 1, 2
), sizes AS (
    SELECT s.relid, s.schemaname, s.relname, c.relpages * 8192::bigint AS heap_bytes,
           ceil(greatest(c.reltuples, 0) * (28 + 8 * ceil(coalesce(w.width, 0) / 8)) / 8168) * 8192 AS needed_bytes,
           w.width
    FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
    LEFT JOIN widths w ON w.schemaname = s.schemaname AND w.tablename = s.relname
)
SELECT s.schemaname || '.' || s.relname AS "table", pg_total_relation_size(s.relid) AS size_bytes,
       pg_indexes_size(s.relid) AS indexes_bytes,
       CASE WHEN z.width IS NULL THEN NULL ELSE greatest(z.heap_bytes - z.needed_bytes, 0)::bigint END AS bloat_bytes,
       s.n_live_tup AS live, s.n_dead_tup AS dead,
       100.0::float8 * s.n_dead_tup / nullif(s.n_live_tup + s.n_dead_tup, 0) AS dead_percent,
       s.n_tup_ins AS inserts, s.seq_scan AS full_scans, coalesce(s.idx_scan, 0) AS index_scans,
       greatest(s.last_vacuum, s.last_autovacuum) AS vacuumed, greatest(s.last_analyze, s.last_autoanalyze) AS analyzed
FROM pg_stat_user_tables s JOIN sizes z USING (relid)
WHERE %(table)s::text IS NULL OR %(table)s IN (s.relname, s.schemaname || '.' || s.relname)
ORDER BY {order} DESC NULLS LAST, 1 LIMIT %(limit)s
"""
_TABLE_ORDERS: dict[TableOrder, str] = {
    "size": "size_bytes",
    "dead": "dead",
    "bloat": "bloat_bytes",
    "inserts": "inserts",
    "scans": "full_scans",
}

_INDEXES = """
SELECT s.schemaname || '.' || s.indexrelname AS index, s.schemaname || '.' || s.relname AS "table",
       pg_relation_size(s.indexrelid) AS size_bytes, s.idx_scan AS scans, s.idx_tup_read AS reads,
       i.indisunique AS "unique", i.indisvalid AND i.indisready AS valid,
       regexp_replace(pg_get_indexdef(s.indexrelid), '^.* USING ', '') AS definition
FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid)
WHERE (%(table)s::text IS NULL OR %(table)s IN (s.relname, s.schemaname || '.' || s.relname))
  AND (%(like)s::text IS NULL OR s.indexrelname LIKE %(like)s)
  AND NOT (%(unused)s AND (s.idx_scan > 0 OR i.indisunique))
ORDER BY {order} DESC NULLS LAST, 1 LIMIT %(limit)s
"""
_INDEX_ORDERS: dict[IndexOrder, str] = {"size": "size_bytes", "reads": "reads", "scans": "scans"}

TableOption = Annotated[
    str | None, typer.Option(help="Only this one: `contractors`, or `schema.table`.", metavar="TABLE")
]


@reaching
def tables(
    database: Database,
    table: TableOption = None,
    order: Annotated[TableOrder, typer.Option("--by", help="The largest of these first.")] = "size",
    limit: LimitOption = 20,
    replica: ReplicaOption = False,
    as_json: JsonOption = False,
) -> None:
    """How large the tables are, how much of them is dead or empty, and when they were vacuumed.

    Bloat is an estimate by ANALYZE's statistics: what the table's file has beyond what its rows fill. A table that was
    never analysed has none. Rows and scans are counted since the statistics began.

    \b
    Exit code
      0  there are such tables
      1  there is none

    \b
    Examples
      groundwork db tables --stack prod --by bloat
      groundwork db tables --stack prod --table meals
    """
    from psycopg import sql  # noqa: PLC0415 so that `--help` stays quick

    question = sql.SQL(_TABLES).format(order=sql.Identifier(_TABLE_ORDERS[order]))
    with database.connect(replica=replica) as connection:
        rows = connection.execute(question, {"table": table, "limit": limit}).fetchall()
    show(
        rows, as_json=as_json, nothing=f"There is no table{f' {table}' if table else ''}: run the migration."
    )
    raise typer.Exit(0 if rows else FOUND)


@reaching
def indexes(
    database: Database,
    table: TableOption = None,
    like: Annotated[
        str | None, typer.Option(help="Only those whose name is like this: '%location%'.", metavar="PATTERN")
    ] = None,
    unused: Annotated[
        bool, typer.Option("--unused", help="Only those that were never scanned and hold nothing unique.")
    ] = False,
    order: Annotated[IndexOrder, typer.Option("--by", help="The largest of these first.")] = "reads",
    limit: LimitOption = 20,
    replica: ReplicaOption = False,
    as_json: JsonOption = False,
) -> None:
    """How large the indexes are, how often they are used, and whether they are valid.

    Each server counts its own scans: an index that the primary never uses may be what a replica lives on.

    \b
    Exit code
      0  there are such indexes; with --unused also where there is none
      1  there is none

    \b
    Examples
      groundwork db indexes --stack prod --table contractors --like '%location%'
      groundwork db indexes --stack prod --unused --by size
    """
    from psycopg import sql  # noqa: PLC0415 so that `--help` stays quick

    question = sql.SQL(_INDEXES).format(order=sql.Identifier(_INDEX_ORDERS[order]))
    wanted = {"table": table, "like": like, "unused": unused, "limit": limit}
    with database.connect(replica=replica) as connection:
        rows = connection.execute(question, wanted).fetchall()
    show(rows, as_json=as_json, nothing="Every index is used." if unused else "There is no such index.")
    raise typer.Exit(0 if rows or unused else FOUND)
