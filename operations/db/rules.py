"""Whether row level security, its policies and the indexes are those that are declared.

PostgreSQL keeps an expression as it understands it (`a = 'x'` becomes `(a = 'x'::text)`), so text cannot be compared.
What is declared is made on an empty, temporary table of the same columns, read back, and rolled back with it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from operations.db.declared import Declared, Index, RowPolicy
from operations.db.grants import BOOTSTRAP, quoted
from operations.notices import Notice

if TYPE_CHECKING:
    from operations.db.reach import Connection

ROWS, INDEXES = "row-level-security", "indexes"

_TABLE = """
SELECT c.oid, relrowsecurity AS is_on, rolname AS owner
FROM pg_class c JOIN pg_roles r ON r.oid = relowner WHERE c.oid = to_regclass(%s)
"""
_POLICIES = """
SELECT polname AS name, polpermissive AS permissive,
       CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                   ELSE 'ALL' END AS command,
       ARRAY(SELECT coalesce(rolname::text, 'everybody') FROM unnest(polroles) AS each
             LEFT JOIN pg_roles r ON r.oid = each ORDER BY 1) AS roles,
       coalesce(pg_get_expr(polqual, polrelid), '') AS using, coalesce(pg_get_expr(polwithcheck, polrelid), '') AS check
FROM pg_policy WHERE polrelid = to_regclass(%s)
"""
_INDEXES = """
SELECT c.relname AS name, regexp_replace(pg_get_indexdef(indexrelid), '^.*? USING ', 'USING ') AS definition,
       indisvalid AND indisready AS valid
FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = to_regclass(%s)
"""
# One that is being made at this moment is not valid yet.
_INVALID = """
SELECT n.nspname || '.' || c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT (indisvalid AND indisready) AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid)
ORDER BY 1
"""

Rows = dict[str, dict[str, Any]]  # by name


@dataclass(frozen=True)
class Table:
    """One that is there: what it has, and what is declared of it as this server keeps it, each by name.

    `refused` says why PostgreSQL does not take a declared policy or index.
    """

    is_row_security_on: bool
    owner: str
    policies: Rows
    indexes: Rows
    declared_policies: Rows
    declared_indexes: Rows
    refused: dict[str, str] = field(default_factory=dict)


def look(connection: "Connection", wanted: Declared) -> dict[str, Table]:
    """The declared tables that are there."""
    found = {}
    for name in wanted.tables:
        # As the bootstrap finds names: the policies' own functions are in `public`.
        with connection.transaction(force_rollback=True):
            # The only thing that is written is a temporary table, and that is rolled back.
            connection.execute("SET TRANSACTION READ WRITE")
            connection.execute("SET LOCAL search_path = public")
            if table := _look_at(connection, name, wanted):
                found[name] = table
    return found


def _look_at(connection: "Connection", name: str, wanted: Declared) -> Table | None:
    from psycopg import sql  # noqa: PLC0415 so that `--help` stays quick

    live = f"public.{quoted(name)}"
    about = connection.execute(_TABLE, [live]).fetchone()
    if about is None:
        return None
    policies, indexes = _read(connection, live)
    table, original = sql.Identifier("pg_temp", name), sql.Identifier("public", name)
    connection.execute(sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {})").format(sql.Identifier(name), original))
    refused = {}
    statements = {
        **{each.name: _policy(each, table) for each in wanted.row_policies if each.table == name},
        **{each.name: _index(each, table) for each in wanted.indexes if each.table == name},
    }
    for made, statement in statements.items():
        if problem := _try(connection, statement):
            refused[made] = problem
    declared_policies, declared_indexes = _read(connection, f"pg_temp.{quoted(name)}")
    return Table(
        is_row_security_on=about["is_on"],
        owner=about["owner"],
        policies=policies,
        indexes=indexes,
        declared_policies=declared_policies,
        declared_indexes=declared_indexes,
        refused=refused,
    )


def _read(connection: "Connection", table: str) -> tuple[Rows, Rows]:
    policies = {row.pop("name"): row for row in connection.execute(_POLICIES, [table])}
    return policies, {row.pop("name"): row for row in connection.execute(_INDEXES, [table])}


def _try(connection: "Connection", statement: Any) -> str:
    """What PostgreSQL says against it; empty where it takes it."""
    import psycopg  # noqa: PLC0415

    try:
        with connection.transaction():
            connection.execute(statement)
    except psycopg.errors.QueryCanceled:
        raise
    except psycopg.Error as error:
        return error.diag.message_primary or str(error)
    return ""


def _policy(wanted: RowPolicy, table: Any) -> Any:
    from psycopg import sql  # noqa: PLC0415

    roles = sql.SQL(", ").join(map(sql.Identifier, wanted.roles)) if wanted.roles else sql.SQL("PUBLIC")
    parts = [
        sql.SQL("CREATE POLICY {} ON {} FOR ").format(sql.Identifier(wanted.name), table),
        sql.SQL(wanted.command),  # one of five words
        sql.SQL(" TO {}").format(roles),
    ]
    for clause, expression in (("USING", wanted.using), ("WITH CHECK", wanted.check)):
        if expression:
            parts.append(sql.SQL(f" {clause} ({expression})"))  # ty: ignore[invalid-argument-type] SQL of the settings
    return sql.Composed(parts)


def _index(wanted: Index, table: Any) -> Any:
    from psycopg import sql  # noqa: PLC0415

    made = sql.SQL("CREATE INDEX {} ON {} ").format(sql.Identifier(wanted.name), table)
    return sql.Composed([made, sql.SQL(wanted.definition)])  # ty: ignore[invalid-argument-type] SQL of the settings


def row_level_security(tables: Mapping[str, Table], wanted: Declared) -> Iterator[Notice]:
    """Tables that are not there are told with the grants."""
    for name in sorted({policy.table for policy in wanted.row_policies} & tables.keys()):
        table = tables[name]
        if not table.is_row_security_on:
            said = f"row level security is off: whoever may read it sees every row. {BOOTSTRAP}"
            yield Notice(ROWS, name, said)
        if table.owner in wanted.roles:
            said = f"belongs to {table.owner}, for whom no policy holds. ALTER TABLE {quoted(name)} OWNER TO "
            yield Notice(ROWS, name, f"{said}{quoted(wanted.master_user)};")
        for policy in (each for each in wanted.row_policies if each.table == name):
            yield from _compared_policy(policy, table)
        for more in sorted(
            table.policies.keys() - {each.name for each in wanted.row_policies if each.table == name}
        ):
            said = (
                f"has the policy {more}, which is not declared. DROP POLICY {quoted(more)} ON {quoted(name)};"
            )
            yield Notice(ROWS, name, said)


def _compared_policy(policy: RowPolicy, table: Table) -> Iterator[Notice]:
    subject = f"{policy.table}, {policy.name}"
    if policy.name in table.refused:
        why = table.refused[policy.name]
        said = f"PostgreSQL does not take the declared policy: {why}. Mend it in database.row_level_security."
        yield Notice(ROWS, subject, said)
    elif policy.name not in table.policies:
        said = f"there is no such policy: {policy.command} of rows is refused without one. {BOOTSTRAP}"
        yield Notice(ROWS, subject, said)
    else:
        live, wanted = table.policies[policy.name], table.declared_policies[policy.name]
        for what in (what for what in wanted if live[what] != wanted[what]):
            said = f"{what} is {_said(live[what])}, and {_said(wanted[what])} is declared. {BOOTSTRAP}"
            yield Notice(ROWS, subject, said)


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value}" if value not in ("", None) else "nothing"


def indexes(connection: "Connection", tables: Mapping[str, Table], wanted: Declared) -> Iterator[Notice]:
    """Tables that are not there are told with the grants."""
    rebuilt = set()
    for index in (each for each in wanted.indexes if each.table in tables):
        table, name = tables[index.table], index.name
        if name in table.refused:
            said = f"PostgreSQL does not take the declared index: {table.refused[name]}. Mend it in database.indexes."
            yield Notice(INDEXES, name, said)
        elif name not in table.indexes:
            yield Notice(INDEXES, name, f"there is no such index on {index.table}. {BOOTSTRAP}")
        elif table.indexes[name]["definition"] != table.declared_indexes[name]["definition"]:
            live, declared = table.indexes[name]["definition"], table.declared_indexes[name]["definition"]
            said = f"is {live}, and {declared} is declared. DROP INDEX CONCURRENTLY {quoted(name)}; then {BOOTSTRAP}"
            yield Notice(INDEXES, name, said)
            rebuilt.add(f"public.{name}")
    for row in connection.execute(_INVALID):
        if row["name"] not in rebuilt:
            said = "is not valid: writers pay for it, and no query uses it. `groundwork db reindex` mends or drops it."
            yield Notice(INDEXES, row["name"], said)
