"""The SQL that makes a new database ready: extensions, roles, grants, row level security, indexes.

Written for psql (`\\gexec`, `\\gset`, `\\getenv`), safe to run any number of times. Roles' passwords
come from environment variables, so that they stand neither in the SQL nor in a process list. Tables that a
migration has not made yet are skipped with a warning: run the migration, then this again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Command = Literal["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"]

# A setting of the session that only the bootstrap knows.
PASSWORD_SETTING = "groundwork.password"


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
class Role:
    """Privileges by table and by schema, on the database, and parameters for the role's own sessions.

    Every role may connect, and may use the schema `public`.
    """

    tables: Mapping[str, Sequence[str]] = field(default_factory=dict)
    database: Sequence[str] = ()
    schemas: Mapping[str, Sequence[str]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """`roles` by name."""

    database: str
    extensions: Sequence[str] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    row_policies: Sequence[RowPolicy] = ()
    indexes: Sequence[Index] = ()


def password_variable(role: str) -> str:
    """The environment variable that holds a role's password: rentfix_app -> PASSWORD_RENTFIX_APP."""
    return f"PASSWORD_{role.upper()}"


def sql(bootstrap: Bootstrap) -> str:
    return "\n".join(_statements(bootstrap)) + "\n"


def _statements(bootstrap: Bootstrap) -> Iterator[str]:
    yield "\\set ON_ERROR_STOP on"
    # The server logs the text of a statement that fails, and one of them holds a password. Not every managed service
    # lets its master user set this.
    quiet = "SET log_min_error_statement = 'panic'; EXCEPTION WHEN insufficient_privilege THEN NULL;"
    yield f"DO $$BEGIN {quiet} END$$;"
    for extension in bootstrap.extensions:
        yield f"CREATE EXTENSION IF NOT EXISTS {identifier(extension)};"
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
    for name, role in bootstrap.roles.items():
        yield from _role(name, role, bootstrap.database)
    for table in _tables(bootstrap):
        yield from _table(table, bootstrap)


def _role(role: str, wanted: Role, database: str) -> Iterator[str]:
    name = identifier(role)
    yield (
        f"SELECT {literal(f'CREATE ROLE {name} LOGIN')} "
        f"WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(role)}) \\gexec"
    )
    # What a role makes is its own; only as its member may the master dump, vacuum or reindex that too.
    yield f"GRANT {name} TO CURRENT_USER;"
    yield from _password(role)
    # Taken away first, so that what is no longer in the system file is gone afterwards; in one transaction, so that
    # nobody who works meanwhile is without it.
    yield "BEGIN;"
    yield f"REVOKE ALL ON DATABASE {identifier(database)} FROM {name};"
    yield f"GRANT {_privileges(['CONNECT', *wanted.database])} ON DATABASE {identifier(database)} TO {name};"
    yield f"ALTER ROLE {name} RESET ALL;"
    for parameter, value in wanted.settings.items():
        yield f"ALTER ROLE {name} SET {_parameter(parameter)} = {literal(value)};"
    yield "REVOKE ALL ON SCHEMA public FROM " + name + ";"
    yield f"GRANT {_privileges(['USAGE', *wanted.schemas.get('public', ())])} ON SCHEMA public TO {name};"
    yield "COMMIT;"
    for schema, privileges in wanted.schemas.items():
        if schema != "public":
            yield from _schema(name, schema, privileges)


def _password(role: str) -> Iterator[str]:
    """By a setting of the session: pg_stat_statements keeps the whole text of an ALTER ROLE, password and all, for
    everybody who may read statistics, and the log that of a slow one. Of a SELECT it keeps `$1`.
    """
    setting = literal(PASSWORD_SETTING)
    change = literal(f"ALTER ROLE {identifier(role)} LOGIN PASSWORD %L")
    # The error that PostgreSQL itself would raise has the statement in its context.
    refused = f"RAISE EXCEPTION {literal(f'the password of {role} was not set: %')}, SQLERRM"
    yield f"\\getenv password {password_variable(role)}"
    yield f"SELECT set_config({setting}, :'password', false) IS NULL AS unset \\gset"
    yield "\\unset password"
    yield (
        f"DO $$BEGIN EXECUTE format({change}, current_setting({setting})); "
        f"EXCEPTION WHEN OTHERS THEN {refused}; END$$;"
    )
    yield f"SELECT set_config({setting}, '', false) IS NULL AS unset \\gset"


def _schema(role: str, schema: str, privileges: Sequence[str]) -> Iterator[str]:
    name = identifier(schema)
    yield f"SELECT to_regnamespace({literal(name)}) IS NOT NULL AS found \\gset"
    yield "\\if :found"
    yield "BEGIN;"
    yield f"REVOKE ALL ON SCHEMA {name} FROM {role};"
    yield f"GRANT {_privileges(privileges)} ON SCHEMA {name} TO {role};"
    yield "COMMIT;"
    yield "\\else"
    yield f"\\warn schema {schema} does not exist yet: run the migration, then run this once more"
    yield "\\endif"


def _privileges(privileges: Sequence[str]) -> str:
    return "ALL" if "ALL" in privileges else ", ".join(dict.fromkeys(privileges))


def _parameter(name: str) -> str:
    """An extension's parameter has its extension's name before the dot, each quoted by itself."""
    return ".".join(identifier(part) for part in name.split("."))


def _tables(bootstrap: Bootstrap) -> list[str]:
    granted = [table for role in bootstrap.roles.values() for table in role.tables]
    ruled = [policy.table for policy in bootstrap.row_policies]
    indexed = [index.table for index in bootstrap.indexes]
    return list(dict.fromkeys([*granted, *ruled, *indexed]))


def _table(table: str, bootstrap: Bootstrap) -> Iterator[str]:
    name = identifier(table)
    yield f"SELECT to_regclass({literal('public.' + identifier(table))}) IS NOT NULL AS found \\gset"
    yield "\\if :found"
    for role, wanted in bootstrap.roles.items():
        if table in wanted.tables:
            privileges = wanted.tables[table]
            yield "BEGIN;"
            yield f"REVOKE ALL ON TABLE {name} FROM {identifier(role)};"
            yield f"GRANT {_privileges(privileges)} ON TABLE {name} TO {identifier(role)};"
            if {"INSERT", "ALL"} & set(privileges):
                yield _sequences(table, role)
            yield "COMMIT;"
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
