"""Whether the server is as declared beside roles, rows and indexes, and nothing in it festers."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from operations.db.declared import Declared
from operations.db.grants import BOOTSTRAP
from operations.notices import Notice
from operations.show import duration

if TYPE_CHECKING:
    from operations.db.reach import Connection

STATEMENTS = "pg_stat_statements"
RESTART = "`pulumi up`, then `groundwork db reboot-if-pending`."
# PostgreSQL refuses writes near 2.1 billion; the stack's alarm is at 1 billion, and vacuum should be far below it.
OLDEST_TRANSACTION_IDS = 500_000_000
POSTGIS_PARTS = ("GEOS", "PROJ", "STATS")  # RentalFix guide L117-119: USE_GEOS=1 USE_PROJ=1 USE_STATS=1

_EXTENSIONS = """
SELECT a.name, a.installed_version AS version, a.default_version AS newest, n.nspname AS schema
FROM pg_available_extensions a LEFT JOIN pg_extension e ON e.extname = a.name
LEFT JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE a.name = ANY(%(names)s)
"""
_PARAMETERS = """
SELECT name, setting, vartype, unit, pending_restart FROM pg_settings WHERE pending_restart OR name = ANY(%(names)s)
"""
_PLAIN = """
SELECT usename AS name, count(*) AS number FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
WHERE NOT ssl AND client_addr IS NOT NULL AND usename !~ '^rds' GROUP BY 1 ORDER BY 1
"""
_IDLE = """
SELECT pid, usename AS name, extract(epoch FROM clock_timestamp() - state_change)::float8 AS idle_s
FROM pg_stat_activity
WHERE state LIKE 'idle in transaction%%' AND clock_timestamp() - state_change >= make_interval(secs => %(limit)s)
ORDER BY idle_s DESC
"""
_PREPARED = """
SELECT gid AS name, owner, extract(epoch FROM clock_timestamp() - prepared)::float8 AS open_s FROM pg_prepared_xacts
WHERE database = current_database() AND clock_timestamp() - prepared >= make_interval(secs => %(limit)s)
"""
_AGES = "SELECT datname AS name, age(datfrozenxid) AS age FROM pg_database WHERE datallowconn ORDER BY 2 DESC"
_SLOTS = "SELECT slot_name AS name FROM pg_replication_slots WHERE NOT active ORDER BY 1"
_TOLD_PASSWORDS = """
SELECT count(*) AS number FROM {view}
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND query ~* '(role|user).*password\\s+''' AND query !~* 'password\\s+''(scram-sha-256\\$|md5)'
"""


def numbers(version: str) -> tuple[int, ...]:
    """`3.3.2 USE_GEOS=1` -> (3, 3, 2)."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def version(connection: "Connection", wanted: Declared) -> Iterator[Notice]:
    [row] = connection.execute("SELECT current_setting('server_version') AS server").fetchall()
    if numbers(row["server"]) < numbers(wanted.minimum_version):
        said = (
            f"is {row['server']}, and {wanted.minimum_version} is the least. Raise database.engine_version."
        )
        yield Notice("version", "PostgreSQL", said)


def extensions(connection: "Connection", wanted: Declared) -> Iterator[Notice]:
    from psycopg import sql  # noqa: PLC0415 so that `--help` stays quick

    rows = connection.execute(_EXTENSIONS, {"names": list(wanted.extensions)})
    found = {row["name"]: row for row in rows}
    for name, least in wanted.extensions.items():
        row = found.get(name)
        if row is None:
            said = "this server does not offer it. Choose a newer database.engine_version, or leave it out."
            yield Notice("extensions", name, said)
        elif row["version"] is None:
            yield Notice("extensions", name, f"is not there. {BOOTSTRAP}")
        elif numbers(row["version"]) < numbers(least):
            remedy = (
                f"ALTER EXTENSION {name} UPDATE;"
                if numbers(row["newest"]) >= numbers(least)
                else "Choose a newer database.engine_version."
            )
            yield Notice("extensions", name, f"is {row['version']}, and {least} is the least. {remedy}")
    if (postgis := found.get("postgis")) and postgis["version"]:
        question = sql.SQL("SELECT {}() AS said").format(sql.Identifier(postgis["schema"], "postgis_version"))
        [row] = connection.execute(question).fetchall()
        if missing := postgis_without(row["said"]):
            said = f"works without {', '.join(missing)} ({row['said']}): so it was built. Open a case at AWS."
            yield Notice("extensions", "postgis", said)


def postgis_without(said: str) -> list[str]:
    """Which of its parts `postgis_version()` does not name."""
    return [part for part in POSTGIS_PARTS if f"USE_{part}=1" not in said.split()]


def parameters(connection: "Connection", wanted: Declared) -> Iterator[Notice]:
    rows = connection.execute(_PARAMETERS, {"names": list(wanted.parameters)})
    live = {row["name"]: row for row in rows}
    for name, value in wanted.parameters.items():
        if name not in live:
            yield Notice(
                "parameters", name, f"is none of this server's, and {value} is declared. Leave it out."
            )
        elif not live[name]["pending_restart"] and not is_set(live[name], value):
            row = live[name]
            unit = f" {row['unit']}" if row["unit"] else ""
            said = f"is {row['setting']}{unit}, and {value} is declared. {RESTART}"
            yield Notice("parameters", name, said)
    for name in sorted(name for name, row in live.items() if row["pending_restart"]):
        said = "has another value that waits for a restart. `groundwork db reboot-if-pending` does it."
        yield Notice("parameters", name, said)


def is_set(row: Mapping[str, Any], value: str) -> bool:
    """Whether a parameter has the declared value, both in the server's own unit; a formula RDS alone can work out."""
    live = row["setting"]
    if "{" in value:
        return True
    if row["vartype"] == "bool":
        return live == ("on" if value.lower() in ("1", "on", "true", "yes") else "off")
    if row["vartype"] in ("integer", "real"):
        return float(live) == float(value)
    if row["name"] == "shared_preload_libraries":  # RDS puts its own before them
        return _parts(value) <= _parts(live)
    return live.lower() == value.lower()


def _parts(text: str) -> set[str]:
    return {part.strip() for part in text.split(",")}


def connections(connection: "Connection", idle_s: int) -> Iterator[Notice]:
    for row in connection.execute(_PLAIN):
        said = f"{row['number']} of its connections are without TLS: rds.force_ssl must be 1. {RESTART}"
        yield Notice("connections", row["name"], said)
    for row in connection.execute(_IDLE, {"limit": idle_s}):
        said = (
            f"its transaction has waited for its client for {duration(row['idle_s'])}: it keeps locks, and vacuum from "
            f"its work. `groundwork db cancel {row['pid']} --terminate` ends it."
        )
        yield Notice("connections", f"{row['name']} ({row['pid']})", said)


def transactions(
    connection: "Connection", idle_s: int, oldest: int = OLDEST_TRANSACTION_IDS
) -> Iterator[Notice]:
    for row in connection.execute(_AGES):
        if row["age"] > oldest:
            said = (
                f"its oldest transaction id is {row['age']:,} old, more than {oldest:,}: at 2.1 billion it refuses "
                "writes. `groundwork db vacuum --freeze`; before it, end what keeps vacuum from its work."
            )
            yield Notice("transactions", row["name"], said)
    for row in connection.execute(_PREPARED, {"limit": idle_s}):
        said = (
            f"was prepared by {row['owner']} {duration(row['open_s'])} ago and never ended: it keeps its locks, and "
            f"vacuum from its work. ROLLBACK PREPARED '{row['name']}'; or COMMIT PREPARED."
        )
        yield Notice("transactions", row["name"], said)
    for row in connection.execute(_SLOTS):
        said = "nobody reads this replication slot, so the log is kept until the disk is full. "
        yield Notice(
            "transactions", row["name"], f"{said}Drop it with pg_drop_replication_slot if its reader is gone."
        )


def statements(connection: "Connection") -> Iterator[Notice]:
    """pg_stat_statements: loaded where it is made, and without passwords in it."""
    from psycopg import sql  # noqa: PLC0415

    rows = connection.execute(_EXTENSIONS, {"names": [STATEMENTS]}).fetchall()
    if not rows or rows[0]["version"] is None:
        return  # told with the extensions, where it is declared
    [row] = connection.execute("SELECT current_setting('shared_preload_libraries') AS libraries").fetchall()
    if STATEMENTS not in _parts(row["libraries"]):
        said = f"is made, and not loaded: shared_preload_libraries must name it. {RESTART}"
        yield Notice("statements", STATEMENTS, said)
        return
    view = sql.Identifier(rows[0]["schema"], STATEMENTS)
    [row] = connection.execute(sql.SQL(_TOLD_PASSWORDS).format(view=view)).fetchall()
    if row["number"]:
        said = (
            f"keeps {row['number']} statements that set a password, for everybody who may read statistics. SELECT "
            "pg_stat_statements_reset(); then set another password for those roles."
        )
        yield Notice("statements", STATEMENTS, said)
