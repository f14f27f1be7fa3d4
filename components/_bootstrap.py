"""The SQL that makes a new database ready: extensions, roles, grants, row level security, indexes.

Written for psql (`\\gexec`, `\\gset`, `\\getenv`), safe to run any number of times. Roles' passwords
come from environment variables, so that they stand neither in the SQL nor in a process list. Tables that a
migration has not made yet are skipped with a warning: run the migration, then this again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Command = Literal["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"]


@dataclass(frozen=True, kw_only=True)
class RowPolicy:
    """`using` says which rows may be seen or changed, `check` which may be written. No roles: everybody."""

    name: str
    table: str
    command: Command
    using: str | None = None
    check: str | None = None
    roles: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Index:
    """`definition` is what follows `ON <table>`."""

    name: str
    table: str
    definition: str


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """`grants` maps role -> table -> privileges; a role with no table may still connect."""

    database: str
    extensions: Sequence[str] = ()
    grants: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    row_policies: Sequence[RowPolicy] = ()
    indexes: Sequence[Index] = ()


def password_variable(role: str) -> str:
    """The environment variable that holds a role's password: rentfix_app -> PASSWORD_RENTFIX_APP."""
    return f"PASSWORD_{role.upper()}"


def sql(bootstrap: Bootstrap) -> str:
    return "\n".join(_statements(bootstrap)) + "\n"


def _statements(bootstrap: Bootstrap) -> Iterator[str]:
    # The server logs the text of a statement that fails, and that of ALTER ROLE holds a password. Not every
    # managed service lets its master user set this, so it stands before the line that makes errors final.
    yield "SET log_min_error_statement = 'panic';"
    yield "\\set ON_ERROR_STOP on"
    for extension in bootstrap.extensions:
        yield f"CREATE EXTENSION IF NOT EXISTS {identifier(extension)};"
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
    for role in bootstrap.grants:
        yield from _role(role, bootstrap.database)
    for table in _tables(bootstrap):
        yield from _table(table, bootstrap)


def _role(role: str, database: str) -> Iterator[str]:
    name = identifier(role)
    yield (
        f"SELECT {literal(f'CREATE ROLE {name} LOGIN')} "
        f"WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(role)}) \\gexec"
    )
    yield f"\\getenv password {password_variable(role)}"
    yield f"ALTER ROLE {name} LOGIN PASSWORD :'password';"
    yield "\\unset password"
    yield f"GRANT CONNECT ON DATABASE {identifier(database)} TO {name};"
    yield f"GRANT USAGE ON SCHEMA public TO {name};"


def _tables(bootstrap: Bootstrap) -> list[str]:
    granted = [table for tables in bootstrap.grants.values() for table in tables]
    ruled = [policy.table for policy in bootstrap.row_policies]
    indexed = [index.table for index in bootstrap.indexes]
    return list(dict.fromkeys([*granted, *ruled, *indexed]))


def _table(table: str, bootstrap: Bootstrap) -> Iterator[str]:
    name = identifier(table)
    yield f"SELECT to_regclass({literal('public.' + identifier(table))}) IS NOT NULL AS found \\gset"
    yield "\\if :found"
    for role, tables in bootstrap.grants.items():
        if table in tables:
            # Revoked first, so that a privilege taken out of the system file is gone afterwards.
            yield f"REVOKE ALL ON TABLE {name} FROM {identifier(role)};"
            yield f"GRANT {', '.join(tables[table])} ON TABLE {name} TO {identifier(role)};"
            if "INSERT" in tables[table]:
                yield _sequences(table, role)
    policies = [policy for policy in bootstrap.row_policies if policy.table == table]
    if policies:
        yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;"
    for policy in policies:
        yield f"DROP POLICY IF EXISTS {identifier(policy.name)} ON {name};"
        yield _policy(policy)
    for index in bootstrap.indexes:
        if index.table == table:
            # Concurrently: an index on a table in use must not stop its writers.
            made = f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {identifier(index.name)}"
            yield f"{made} ON {name} {index.definition};"
    yield "\\else"
    yield f"\\warn table {table} does not exist yet: run the migration, then run this once more"
    yield "\\endif"


def _sequences(table: str, role: str) -> str:
    """Who may insert must also draw the next number of a serial or identity column."""
    qualified = literal("public." + identifier(table))
    grant = literal(f"GRANT USAGE ON SEQUENCE %s TO {identifier(role)}")
    return (
        f"SELECT format({grant}, drawn) FROM (SELECT pg_get_serial_sequence({qualified}, attname) AS drawn "
        f"FROM pg_attribute WHERE attrelid = {qualified}::regclass AND attnum > 0 AND NOT attisdropped) "
        "AS columns WHERE drawn IS NOT NULL \\gexec"
    )


def _policy(policy: RowPolicy) -> str:
    to = ", ".join(identifier(role) for role in policy.roles) or "PUBLIC"
    using = f" USING ({policy.using})" if policy.using else ""
    check = f" WITH CHECK ({policy.check})" if policy.check else ""
    name, table = identifier(policy.name), identifier(policy.table)
    return f"CREATE POLICY {name} ON {table} FOR {policy.command} TO {to}{using}{check};"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
