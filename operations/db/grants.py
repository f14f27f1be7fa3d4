"""Whether the roles are those that are declared, and may do what is declared, and nothing more."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from operations.db.declared import Declared, Role
from operations.notices import Notice

if TYPE_CHECKING:
    from operations.db.reach import Connection

BOOTSTRAP = "`groundwork db bootstrap` makes it so."
PUBLIC = "PUBLIC"
ALL = {
    "table": frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}),
    "schema": frozenset({"CREATE", "USAGE"}),
    "database": frozenset({"CREATE", "CONNECT", "TEMPORARY"}),
}
# PostgreSQL 17 has it among ALL, and none before.
MAINTAIN = "MAINTAIN"
# Everybody's in a new database, and none of them shows a row.
EVERYBODYS = {("database", "CONNECT"), ("database", "TEMPORARY"), ("schema", "USAGE")}
# Logging in by IAM instead of the password: the role may, and nothing else comes with it.
HARMLESS_GROUPS = frozenset({"rds_iam"})

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*|PUBLIC")

_ROLES = """
SELECT rolname AS name, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
       coalesce(rolvaliduntil < now(), false) AS expired,
       coalesce((SELECT setconfig FROM pg_db_role_setting WHERE setrole = r.oid AND setdatabase = 0), '{}') AS settings,
       ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid ORDER BY 1) AS groups,
       r.oid = 10 AS made_the_server
FROM pg_roles r
"""
_ATTRIBUTES = {
    "rolsuper": "SUPERUSER",
    "rolcreatedb": "CREATEDB",
    "rolcreaterole": "CREATEROLE",
    "rolreplication": "REPLICATION",
    "rolbypassrls": "BYPASSRLS",
}

# Who was granted what, owners left out: what is theirs is not granted. What an extension gives to everybody is its own.
_GRANTS = """
WITH objects AS (
    SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, c.oid, 'pg_class'::regclass AS catalog,
           n.nspname || '.' || relname AS name, relowner AS owner, relacl AS acl
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    UNION ALL
    SELECT 'column', attrelid, 'pg_class'::regclass, n.nspname || '.' || relname || '.' || attname, relowner, attacl
    FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE attacl IS NOT NULL AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    UNION ALL
    SELECT 'schema', oid, 'pg_namespace'::regclass, nspname::text, nspowner, nspacl FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    UNION ALL
    SELECT 'database', oid, 'pg_database'::regclass, datname::text, datdba, datacl
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'default', d.oid, 'pg_default_acl'::regclass, 'what ' || rolname || ' will make', defaclrole, defaclacl
    FROM pg_default_acl d JOIN pg_roles r ON r.oid = defaclrole WHERE defaclobjtype IN ('r', 'S', 'n')
)
SELECT kind, name, coalesce(r.rolname, 'PUBLIC') AS role, acl.privilege_type AS privilege,
       acl.is_grantable AS passed_on
FROM objects o, aclexplode(o.acl) acl LEFT JOIN pg_roles r ON r.oid = acl.grantee
WHERE acl.grantee <> o.owner AND (r.rolname = ANY(%(roles)s) OR acl.grantee = 0 AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = o.catalog AND d.objid = o.oid AND d.deptype = 'e'))
"""
_OWNED = """
SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, n.nspname AS schema,
       n.nspname || '.' || relname AS name, rolname AS owner
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_roles r ON r.oid = relowner
WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND rolname = ANY(%(roles)s)
"""
_TABLES = """
SELECT relname AS name, ARRAY(
           SELECT DISTINCT n.nspname || '.' || s.relname FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
           JOIN pg_namespace n ON n.oid = s.relnamespace
           WHERE d.refobjid = c.oid AND s.relkind = 'S' AND d.deptype IN ('a', 'i')) AS sequences
FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%(tables)s)
"""
_SCHEMAS = "SELECT nspname AS name FROM pg_namespace"


def roles(connection: "Connection", wanted: Declared) -> Iterator[Notice]:
    found = {row["name"]: row for row in connection.execute(_ROLES)}
    for name, role in wanted.roles.items():
        if name not in found:
            yield Notice("roles", name, f"there is no such role. {BOOTSTRAP}")
            continue
        row = found[name]
        if not row["rolcanlogin"]:
            yield Notice("roles", name, f"may not log in. {BOOTSTRAP}")
        if row["expired"]:
            yield Notice(
                "roles", name, f"its password has expired. ALTER ROLE {quoted(name)} VALID UNTIL 'infinity';"
            )
        for attribute in (word for column, word in _ATTRIBUTES.items() if row[column]):
            yield Notice(
                "roles",
                name,
                f"is {attribute}, which is not declared. ALTER ROLE {quoted(name)} NO{attribute};",
            )
        for group in set(row["groups"]) - HARMLESS_GROUPS:
            said = f"is a member of {group}, and may do what that may. REVOKE {quoted(group)} FROM {quoted(name)};"
            yield Notice("roles", name, said)
        settings = dict(each.split("=", 1) for each in row["settings"])
        if settings != role.settings:
            said = f"has the settings {_settings(settings)}, and {_settings(role.settings)} are declared. {BOOTSTRAP}"
            yield Notice("roles", name, said)
    # RDS has logins of its own, and made the server as the first of them.
    known = {*wanted.roles, wanted.master_user}
    for name, row in found.items():
        own = row["made_the_server"] or name.startswith(("pg_", "rds"))
        if row["rolcanlogin"] and name not in known and not own:
            said = "may log in, and is not declared. Declare it in database.roles, or "
            yield Notice("roles", name, f"{said}ALTER ROLE {quoted(name)} NOLOGIN;")


def _settings(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(settings.items())) or "none"


Granted = dict[tuple[str, str, str], set[str]]  # privileges by role, kind and name


def grants(connection: "Connection", wanted: Declared) -> Iterator[Notice]:
    names = list(wanted.roles)
    tables = {row["name"]: row["sequences"] for row in connection.execute(_TABLES, {"tables": wanted.tables})}
    schemas = {row["name"] for row in connection.execute(_SCHEMAS)}
    standing = {row["name"] for row in connection.execute(_ROLES)}
    owned = connection.execute(_OWNED, {"roles": names}).fetchall()
    database = connection.info.dbname
    for table in wanted.tables:
        if table not in tables:
            yield Notice(
                "grants", table, "there is no such table. Run the migration, then `groundwork db bootstrap`."
            )
    live: Granted = defaultdict(set)
    for row in connection.execute(_GRANTS, {"roles": names}):
        live[row["role"], row["kind"], row["name"]] |= {
            row["privilege"],
            *(["GRANT OPTION"] if row["passed_on"] else ()),
        }
    due: Granted = {}
    for name in standing & wanted.roles.keys():
        due |= _due(name, wanted.roles[name], tables, schemas, database)
    # A sequence goes with the table that draws from it.
    for row in (row for row in owned if row["kind"] == "table"):
        role = wanted.roles[row["owner"]]
        if not {"CREATE", "ALL"} & set(role.schemas.get(row["schema"], ())):
            yield Notice(
                "grants",
                row["name"],
                f"belongs to {row['owner']}, which so may do everything to it, whatever is granted. ALTER TABLE "
                f"{quoted(row['name'])} OWNER TO {quoted(wanted.master_user)};",
            )
    own = {(row["owner"], row["kind"], row["name"]) for row in owned}
    yield from compare(live, due, own)


def _due(
    name: str, role: Role, tables: Mapping[str, Collection[str]], schemas: Collection[str], database: str
) -> Granted:
    due: Granted = {(name, "database", database): _all("database", ["CONNECT", *role.database])}
    for schema, privileges in {**role.schemas, "public": ("USAGE", *role.schemas.get("public", ()))}.items():
        if schema in schemas:
            due[name, "schema", schema] = _all("schema", privileges)
    for table, privileges in role.tables.items():
        if table in tables:
            due[name, "table", f"public.{table}"] = _all("table", privileges)
            if {"INSERT", "ALL"} & set(privileges):
                due |= {(name, "sequence", sequence): {"USAGE"} for sequence in tables[table]}
    return due


def _all(kind: str, privileges: Collection[str]) -> set[str]:
    return set(ALL[kind]) if "ALL" in privileges else set(privileges)


def compare(
    live: Mapping[tuple[str, str, str], set[str]],
    due: Mapping[tuple[str, str, str], set[str]],
    own: Collection[tuple[str, str, str]],
) -> Iterator[Notice]:
    """Every declared privilege must be there and nothing else; an owner needs no grant."""
    for key in sorted({*live, *due}):
        role, kind, name = key
        wanted, there = due.get(key, set()), live.get(key, set())
        if wanted >= ALL.get(kind, frozenset({"?"})):
            wanted = wanted | {MAINTAIN}
        missing = set() if key in own else wanted - there - {MAINTAIN}
        if missing:
            said = f"{role} was not granted {_listed(missing)}, which is declared. {BOOTSTRAP}"
            yield Notice("grants", _subject(kind, name), said)
        more = there - wanted
        if role == PUBLIC:
            more = {each for each in more if (kind, each) not in EVERYBODYS}
        if more:
            who = "everybody" if role == PUBLIC else role
            yield Notice(
                "grants",
                _subject(kind, name),
                f"{who} may {_listed(more)}, which is not declared. {_revoke(role, kind, name, more)}",
            )


def _listed(privileges: Collection[str]) -> str:
    return ", ".join(sorted(privileges))


def _subject(kind: str, name: str) -> str:
    return name if kind in ("table", "default") else f"{kind} {name}"


def _revoke(role: str, kind: str, name: str, privileges: Collection[str]) -> str:
    if "GRANT OPTION" in privileges:
        on = "" if kind == "table" else f"{kind.upper()} "
        return f"REVOKE GRANT OPTION FOR ALL ON {on}{quoted(name)} FROM {quoted(role)};"
    if kind == "default":
        return f"`\\ddp` of psql shows it; ALTER DEFAULT PRIVILEGES ... REVOKE ... FROM {quoted(role)} takes it back."
    if kind == "column":
        table, _, column = name.rpartition(".")
        listed = ", ".join(f"{each} ({quoted(column)})" for each in sorted(privileges))
        return f"REVOKE {listed} ON {quoted(table)} FROM {quoted(role)};"
    on = "" if kind == "table" else f"{kind.upper()} "
    return f"REVOKE {_listed(privileges)} ON {on}{quoted(name)} FROM {quoted(role)};"


def quoted(name: str) -> str:
    """A name, or one within a schema, as SQL takes it."""
    parts = (
        part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"' for part in name.split(".")
    )
    return ".".join(parts)
