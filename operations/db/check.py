"""`groundwork db check`: the live database, compared with what the stack declares."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from operations.db import grants, health, rules
from operations.db.declared import Declared, declared
from operations.db.reach import Database, reaching, said
from operations.exits import FOUND
from operations.notices import Notice, render
from operations.platform import JsonOption
from operations.show import waiting

if TYPE_CHECKING:
    from operations.db.reach import Connection


class Topic(StrEnum):
    version = "version"
    extensions = "extensions"
    roles = "roles"
    grants = "grants"
    row_level_security = "row-level-security"
    indexes = "indexes"
    parameters = "parameters"
    connections = "connections"
    transactions = "transactions"
    statements = "statements"


def checks(
    connection: "Connection", wanted: Declared, idle_s: int
) -> Mapping[Topic, Callable[[], Iterable[Notice]]]:
    return {
        Topic.version: lambda: health.version(connection, wanted),
        Topic.extensions: lambda: health.extensions(connection, wanted),
        Topic.roles: lambda: grants.roles(connection, wanted),
        Topic.grants: lambda: grants.grants(connection, wanted),
        Topic.row_level_security: lambda: rules.row_level_security(rules.look(connection, wanted), wanted),
        Topic.indexes: lambda: rules.indexes(connection, rules.look(connection, wanted), wanted),
        Topic.parameters: lambda: health.parameters(connection, wanted),
        Topic.connections: lambda: health.connections(connection, idle_s),
        Topic.transactions: lambda: health.transactions(connection, idle_s),
        Topic.statements: lambda: health.statements(connection),
    }


@reaching
def check(
    database: Database,
    only: Annotated[list[Topic] | None, typer.Option(help="Only this topic; may be repeated.")] = None,
    idle_minutes: Annotated[
        int, typer.Option(min=0, help="So long may a transaction wait for its client.")
    ] = 10,
    as_json: JsonOption = False,
) -> None:
    """Compare the live database with what the stack declares, and say how to mend what differs.

    Extensions and their versions, roles, grants (every declared one and nothing more), row level security, indexes,
    parameters that wait for a restart, connections without TLS, transactions that keep vacuum from its work. It only
    reads: what is declared of rows and indexes is tried on a temporary table, which is rolled back.

    \b
    Exit code
      0  it is as declared
      1  it is not, or something could not be looked at; each with what to do
      2  the database cannot be reached

    \b
    Examples
      groundwork db check --stack prod --via localhost:15432
      groundwork db check --stack prod --only grants --only row-level-security
    """
    wanted = declared(database.said)
    found: list[Notice] = []
    with database.connect() as connection:
        of_topic = checks(connection, wanted, idle_minutes * 60)
        chosen = list(dict.fromkeys(only or of_topic))
        for topic in chosen:
            with waiting(f"Looking at {topic}"):
                found += look(topic, of_topic[topic], connection, database)
    nothing = f"The database {database.said['name']} is as declared: {', '.join(chosen)}."
    typer.echo(render(found, "json" if as_json else "text", nothing=nothing))
    raise typer.Exit(FOUND if found else 0)


def look(
    topic: Topic, found: Callable[[], Iterable[Notice]], connection: "Connection", database: Database
) -> list[Notice]:
    """What a check finds; one that PostgreSQL does not let look has found that, and the others go on."""
    import psycopg  # noqa: PLC0415 so that `--help` stays quick

    try:
        return list(found())
    except psycopg.Error as error:
        if connection.closed:
            raise
        return [Notice(topic, "not checked", said(error, database.reach))]
