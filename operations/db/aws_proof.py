"""What proves that a database came back: questions in SQL, and what their answers must be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from operations.db.aws_ask import Answers, rows
from operations.db.aws_dumps import DUMPED

# Lagos to Ibadan on the WGS 84 ellipsoid, m; asked of PostGIS 3.3 with PROJ 9.1.
DISTANCE_M = 113_304
DISTANCE_SQL = "ST_Distance(ST_MakePoint(3.3792, 6.5244)::geography, ST_MakePoint(3.9470, 7.3775)::geography)"
TOLERANCE_M = 1
COUNTED_BYTES = 1024**3
_POSTGIS = "FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'postgis'"
# The product's own, not those of extensions; of a partitioned one the whole.
_OWN_TABLES = (
    "relkind IN ('r', 'p') AND NOT relispartition AND nspname <> 'information_schema' AND nspname !~ '^pg_' "
    "AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')"
)
_TABLES = f"FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE {_OWN_TABLES}"
_SHAPES = (
    "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    "JOIN pg_attribute a ON attrelid = c.oid AND NOT attisdropped JOIN pg_type y ON y.oid = atttypid "
    f"WHERE {_OWN_TABLES} AND typname IN ('geography', 'geometry')"
)
# The ten rows nearest to one of them, by the index if there is one; and as many as there are, without it.
_NEAREST = (
    "SELECT %1$L, (SELECT count(*) FROM (SELECT FROM %2$s WHERE %3$I IS NOT NULL ORDER BY %3$I <-> "
    "(SELECT %3$I FROM %2$s WHERE %3$I IS NOT NULL LIMIT 1) LIMIT 10) s), "
    "(SELECT count(*) FROM (SELECT FROM %2$s WHERE %3$I IS NOT NULL LIMIT 10) s)"
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`count` is backups.verifyQuery. `newest` gives the time of the newest row. `tables` must have rows."""

    count: str = ""
    minimum: int = 1
    newest: str = ""
    extensions: Sequence[str] = ()
    tables: Sequence[str] = ()


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    said: str


@dataclass(frozen=True)
class Proof:
    """`newest` is the time of the newest row, where that was asked for."""

    checks: Sequence[Check]
    tables: Mapping[str, str] = field(default_factory=dict)
    newest: datetime | None = None

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def questions(wanted: Wanted) -> dict[str, str]:
    """The count first: once it has its answer the data are back. What PostGIS is asked is left out without PostGIS."""
    return {
        **({"count": wanted.count} if wanted.count else {}),
        "version": "SHOW server_version",
        "extensions": "SELECT extname, extversion FROM pg_extension ORDER BY 1",
        # Its functions are found wherever it was put.
        "path": f"SELECT format('SET search_path TO public, %I', nspname) {_POSTGIS} \\gexec",
        "postgis": f"SELECT 'SELECT postgis_full_version()' {_POSTGIS} \\gexec",
        "distance": f"SELECT 'SELECT round(({DISTANCE_SQL})::numeric)' {_POSTGIS} \\gexec",
        "nearest": (
            f"SELECT format('{_NEAREST}', t || '.' || attname, t, attname) FROM "
            f"(SELECT format('%I.%I', nspname, relname) t, attname {_SHAPES} ORDER BY 1, 2 LIMIT 5) s \\gexec"
        ),
        "invalid": "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid",
        # Counting a large table would take longer than the restore; its estimate is marked.
        "tables": (
            f"SELECT CASE WHEN pg_table_size(oid) < {COUNTED_BYTES} THEN format('SELECT %L, count(*) FROM %s', t, t) "
            "ELSE format('SELECT %L, ''~'' || reltuples::bigint FROM pg_class WHERE oid = %s', t, oid) END FROM "
            f"(SELECT c.oid, format('%I.%I', nspname, relname) t {_TABLES} ORDER BY 2) s \\gexec"
        ),
        **(
            {"newest": f"SELECT extract(epoch FROM ({wanted.newest.strip().rstrip(';')}))"}
            if wanted.newest
            else {}
        ),
    }


def judged(answers: Answers, wanted: Wanted, original: Answers | None = None) -> Proof:
    """What the answers prove. `original` are those of the live database: nothing that it has may be missing."""
    tables = dict(rows(answers.get("tables", ())))
    newest = next((row[0] for row in rows(answers.get("newest", ())) if row[0]), None)
    checks = [
        *_counted(answers, wanted),
        *_extended(answers, wanted, original),
        *_spatial(answers),
        *_tabled(tables, wanted, original),
        Check(
            "indexes",
            not answers.get("invalid"),
            f"invalid: {', '.join(answers['invalid'])}" if answers.get("invalid") else "all are valid",
        ),
    ]
    if wanted.newest:
        checks.append(
            Check("newest row", newest is not None, (newest and "has a time") or "the query gives no time")
        )
    return Proof(checks, tables, datetime.fromtimestamp(float(newest), UTC) if newest else None)


def _counted(answers: Answers, wanted: Wanted) -> Iterator[Check]:
    if not wanted.count:
        return
    text = next(iter(answers.get("count", ())), "no answer")
    ok = text.isdecimal() and int(text) >= wanted.minimum
    yield Check(
        "count", ok, f"{text} records found" + ("" if ok else f", at least {wanted.minimum} expected")
    )


def _extended(answers: Answers, wanted: Wanted, original: Answers | None) -> Iterator[Check]:
    found = dict(rows(answers.get("extensions", ())))
    expected = {*wanted.extensions, *_dumped(answers)}
    if original is not None:
        expected |= {name for name, _ in rows(original["extensions"])}
    missing = sorted(expected - found.keys())
    said = ", ".join(f"{name} {version}" for name, version in found.items())
    yield Check(
        "extensions", bool(found) and not missing, f"missing: {', '.join(missing)}" if missing else said
    )


def _dumped(answers: Answers) -> set[str]:
    """`CREATE EXTENSION IF NOT EXISTS name WITH SCHEMA ...` lines."""
    lines = [line.split() for line in answers.get(DUMPED, ()) if line.startswith("CREATE EXTENSION ")]
    return {words[words.index("EXISTS") + 1].strip('";') for words in lines if "EXISTS" in words}


def _spatial(answers: Answers) -> Iterator[Check]:
    if not answers.get("postgis"):
        return
    version = answers["postgis"][0]
    libraries = [library for library in ("GEOS", "PROJ") if f"{library}=" not in version]
    missing = f"without {' and '.join(libraries)}: " if libraries else ""
    yield Check("postgis", not libraries, f"{missing}{version}")
    text = next(iter(answers.get("distance", ())), "")
    near = text.isdecimal() and abs(int(text) - DISTANCE_M) <= TOLERANCE_M
    yield Check("distance", near, f"{text or 'no'} m, {DISTANCE_M} m expected")
    found = {column: (int(near), int(there)) for column, near, there in rows(answers.get("nearest", ()))}
    yield Check(
        "nearest",
        all(near == there for near, there in found.values()),
        "; ".join(f"{column}: {near} of {there} rows" for column, (near, there) in found.items())
        or "no table has a column of a shape",
    )


def _tabled(tables: Mapping[str, str], wanted: Wanted, original: Answers | None) -> Iterator[Check]:
    yield Check("tables", bool(tables), f"{len(tables)} with {sum(map(_number, tables.values())):,} rows")
    before = dict(rows(original["tables"])) if original else {}
    empty = [
        name
        for name, count in tables.items()
        if _number(count) == 0 and (_number(before.get(name, "0")) or _named(name, wanted.tables))
    ]
    named = [name for name in wanted.tables if not any(_named(table, [name]) for table in tables)]
    missing = [*sorted(before.keys() - tables.keys()), *named]
    if original is None and not wanted.tables:
        return
    told = [
        *([f"missing: {', '.join(missing)}"] if missing else []),
        *([f"without a row: {', '.join(empty)}"] if empty else []),
    ]
    if told and original is not None:
        told.append("if that came into the original after the backup, --no-compare leaves it out")
    yield Check("rows", not told, "; ".join(told) or "no table is missing, none has lost all its rows")


def _named(table: str, names: Sequence[str]) -> bool:
    return table in names or table.removeprefix("public.") in names


def _number(count: str) -> int:
    return max(int(count.removeprefix("~")), 0)
