"""The task that reads a dump back: what is declared for it, and its script with other programs in place of psql's.

It was run by hand against PostgreSQL 15, in all three formats, with rows that look like statements.
"""

import gzip
import subprocess
from pathlib import Path

import pytest

from tests.program import declared
from tests.requirements.production import statements
from wiring.restore import script

TASK = "aws:ecs/taskDefinition:TaskDefinition"
ROWS = [
    "COPY public.notes (text) FROM stdin;",
    "DROP EXTENSION is a row",
    "SET transaction_timeout is too",
    "\\.",
]
SQL = [
    "SET statement_timeout = 0;",
    "SET transaction_timeout = 0;",
    "DROP EXTENSION IF EXISTS postgis;",
    "DROP TABLE IF EXISTS public.notes;",
    "CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public;",
    "COMMENT ON EXTENSION postgis IS 'PostGIS';",
    *ROWS,
    "-- PostgreSQL database dump complete",
]
LEFT = [line for line in SQL if line in ROWS or not ("EXTENSION" in line or "transaction_timeout" in line)]


def restored(folder: Path, content: bytes | None, *, refuses: bool = False):
    """The script beside programs that only write down what they are given."""
    (folder / "psql").write_text(
        '#!/bin/sh\ncase "$*" in\n*single-transaction*) cat > "$SEEN"; exit "$REFUSES" ;;\n*) echo 7 ;;\nesac\n'
    )
    (folder / "pg_restore").write_text('#!/bin/sh\necho "-- $*"\ntail -n +2\n')
    for name in ("psql", "pg_restore"):
        (folder / name).chmod(0o755)
    if content is not None:
        (folder / "dump").write_bytes(content)
    done = subprocess.run(
        ["bash", "-ec", script(str(folder / "dump"))],
        env={
            "PATH": f"{folder}:/usr/bin:/bin",
            "SEEN": str(folder / "seen"),
            "REFUSES": str(int(refuses)),
            "VERIFY_QUERY": "SELECT 7",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    seen = folder / "seen"
    return done.returncode, done.stdout, seen.read_text().splitlines() if seen.exists() else None


def plain(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.mark.parametrize("pack", [lambda content: content, gzip.compress])
def test_a_plain_dump_is_read_without_what_the_master_user_may_not_do(tmp_path, pack):
    assert restored(tmp_path, pack(plain(SQL))) == (0, "Restored: 7 records found\n", LEFT)


def test_pg_restores_own_format_is_known_by_its_first_bytes(tmp_path):
    code, _, seen = restored(tmp_path, plain(["PGDMP", *SQL]))
    assert (code, seen) == (0, ["-- --clean --if-exists -f -", *LEFT])


@pytest.mark.parametrize(
    "content",
    [plain(SQL[:-1]), gzip.compress(plain(SQL), mtime=0)[:-12], plain(["PGDMP", *SQL[:-1]]), b"", None],
)
def test_a_dump_that_is_not_whole_changes_nothing(tmp_path, content):
    assert restored(tmp_path, content) == (1, "The dump is not whole: nothing is changed\n", None)


def test_a_dump_that_the_server_refuses_fails_the_task(tmp_path):
    code, said, _ = restored(tmp_path, plain(SQL), refuses=True)
    assert (code, said) == (1, "The dump was refused: nothing is changed\n")


def containers():
    return declared("prod").one(TASK, "task-restore").json("containerDefinitions")


@pytest.mark.parametrize(("confirm", "code"), [("rentfix", 0), ("", 64), ("rentfix ", 64), ("other", 64)])
def test_nothing_begins_without_the_databases_name(confirm, code):
    (prepare, *_) = containers()
    done = subprocess.run(
        prepare["command"],
        env={"CONFIRM": confirm, "PGDATABASE": "rentfix"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stdout == (
        ""
        if code == 0
        else f"CONFIRM must be rentfix, the database that the dump takes the place of, got {confirm}\n"
    )


def test_each_step_waits_for_the_one_before_to_end_well():
    prepare, fetch, restore = containers()
    assert "dependsOn" not in prepare
    assert fetch["dependsOn"] == [{"containerName": "prepare", "condition": "SUCCESS"}]
    assert restore["dependsOn"] == [{"containerName": "fetch", "condition": "SUCCESS"}]
    assert {"name": "DUMP_KEY", "value": ""} in fetch["environment"]
    assert fetch["command"][0].endswith('nothing is changed"; exit 1; }')
    assert {"name": "PGDATABASE", "value": "rentfix"} in restore["environment"]
    assert [each["name"] for each in restore["secrets"]] == ["PGPASSWORD"]
    assert not prepare["secrets"]


@pytest.mark.parametrize(("key", "fetched"), [("", "postgres/new.sql.gz"), ("postgres/old.sql.gz",) * 2])
def test_the_newest_dump_is_fetched_or_the_one_that_is_named(tmp_path, key, fetched):
    (tmp_path / "aws").write_text(
        '#!/bin/sh\nif [ "$1" = s3api ]; then echo \'"postgres/new.sql.gz"\'; else echo "$4"; fi\n'
    )
    (tmp_path / "aws").chmod(0o755)
    (_, fetch, _) = containers()
    done = subprocess.run(
        [*fetch["entryPoint"], *fetch["command"]],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "BUCKET": "dumps", "DUMP_KEY": key},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"The dump is {fetched}\ns3://dumps/{fetched}\n"


def test_it_may_read_the_dumps_and_nothing_starts_it():
    stack = declared("prod")
    allowed = statements(stack, "task-restore-task")
    assert set(allowed) == {"FindNewestDump", "ReadDump", "DecryptDump"}
    assert allowed["ReadDump"]["Resource"] == ["arn:aws:s3:::rentfix-backups/postgres/*"]
    schedules = stack.all("aws:scheduler/schedule:Schedule")
    assert schedules
    assert not [each for each in schedules if "restore" in each.name]
    assert stack.value["tasks"]["restore"]["schedule"] == ""
    assert stack.value["runTask"]["securityGroup"]
