"""Dumps read back and proved on a real PostgreSQL with PostGIS, by the very script of the stack's task `restore`.

Bucket, task definition and metrics are the emulator's. The task itself does not run there: its shell does, here.
"""

import gzip
import json
import os
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.backup import verify
from operations.db import aws_dumps, aws_proof
from operations.db.aws_ask import MOST_OVERRIDES, Here, ask, script
from operations.db.aws_proof import Wanted
from operations.platform import Refusal
from operations.waits import Failed, Patience
from tests.aws_cloud import OUTPUTS, Cloud, clock, cloud, emulator_url
from wiring import restore

__all__ = ["clock", "cloud", "emulator_url"]

FILE = "/var/lib/postgresql/data/restored"
SCRIPT = restore.script(FILE)
KEY = "postgres/rentfix_20260401.sql.gz"
PRODUCT = """
CREATE TABLE contractors (id int PRIMARY KEY, place geography(Point, 4326), seen timestamptz NOT NULL);
INSERT INTO contractors SELECT n, ST_MakePoint(3 + n / 500.0, 6 + n / 500.0), '2026-04-01T12:00:00Z'
  FROM generate_series(1, 500) n;
CREATE INDEX contractors_place ON contractors USING gist (place);
CREATE SCHEMA app;
CREATE TABLE app.notes (text text);
INSERT INTO app.notes VALUES ('DROP EXTENSION postgis;'), ('CREATE EXTENSION IF NOT EXISTS nothing WITH SCHEMA app;');
CREATE TABLE app.empty (id int);
"""


@pytest.fixture
def environment(postgres):
    """The shell's, that comes to a database as the server's superuser: RDS' master user may make PostGIS, too."""
    folder = postgres.program.path.resolve().parent

    def of(name: str = "postgres", user: str = "postgres") -> dict[str, str]:
        path = f"{folder}:/usr/bin:/bin"
        return {**postgres.environment(name, user), **postgres.program.environment, "PATH": path}

    return of


@pytest.fixture
def product(new_database):
    made = new_database("postgis", "postgis_topology", "pg_trgm")
    made.sql(PRODUCT)
    return made


WRITES: dict[str, Callable[[Any], bytes]] = {
    "plain": lambda made: made.client("pg_dump", "--clean", "--if-exists").encode(),
    "gzip": lambda made: gzip.compress(made.client("pg_dump", "--clean", "--if-exists").encode()),
}


def written(made: Any, form: str, folder: Path) -> Path:
    """As the task `dump` writes it."""
    file = folder / "dump"
    if form == "custom":
        made.client("pg_dump", "--format=custom", f"--file={file}")
    else:
        file.write_bytes(WRITES[form](made))
    return file


def scratches(postgres: Any) -> list[str]:
    names = postgres.sql("SELECT datname FROM pg_database ORDER BY 1").splitlines()
    return [name for name in names if name.startswith(aws_dumps.SCRATCH)]


# The task `restore`, on the live database


@pytest.fixture
def shared(postgres, tmp_path):
    """A folder that the server's own user may write to, too."""
    folder = postgres.folder / f"dumps-{tmp_path.name}"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("form", ["gzip", "custom"])
def test_a_dump_takes_the_place_of_the_live_data_though_extensions_stay(product, environment, shared, form):
    """As on RDS: extensions, their schemas and tables belong to somebody who is not the one who restores."""
    for each in ("TABLE contractors", "TABLE app.notes", "TABLE app.empty", "SCHEMA app"):
        product.sql(f"ALTER {each} OWNER TO master")
    file = written(product, form, shared)
    product.sql("DELETE FROM contractors; INSERT INTO app.notes VALUES ('later')")
    here = Here(environment(product.name, "master"))
    lines = here.run(
        restore.script(str(file)), {"VERIFY_QUERY": "SELECT count(*) FROM contractors"}, Patience.of(1)
    )
    assert lines == ["Restored: 500 records found"]
    assert product.sql("SELECT count(*) FROM app.notes") == "2"
    assert product.sql("SELECT count(*) FROM pg_extension WHERE extname LIKE 'postgis%'") == "2"


def test_a_dump_that_is_refused_leaves_everything_as_it_was(product, environment, shared):
    file = written(product, "plain", shared)
    product.sql("INSERT INTO app.notes VALUES ('later'); CREATE VIEW newer AS SELECT id FROM contractors")
    here = Here(environment(product.name))
    with pytest.raises(Failed, match="The dump was refused: nothing is changed"):
        here.run(restore.script(str(file)), {"VERIFY_QUERY": "SELECT 1"}, Patience.of(1))
    assert product.sql("SELECT count(*) FROM app.notes") == "3"


# A database for the proof


def proved(
    environment: dict[str, str],
    file: Path,
    wanted: Wanted,
    *,
    name: str = "",
    oldest: str = "",
    statements: str = "",
) -> list[str]:
    told = {
        "NEW_DATABASE": name or aws_dumps.scratch_name(datetime.now(UTC)),
        "OLDEST": oldest or f"{aws_dumps.SCRATCH}20000101000000",
        "STATEMENTS": statements or script(aws_proof.questions(wanted)),
        "VERIFY_QUERY": "SELECT 'all'",
    }
    return Here(environment).run(aws_dumps.proof(aws_dumps.beside(SCRIPT, str(file))), told, Patience.of(1))


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_a_dump_comes_back_whole_in_a_database_of_its_own(postgres, product, environment, shared, form):
    wanted = Wanted(
        count="SELECT count(*) FROM contractors",
        newest="SELECT max(seen) FROM contractors",
        extensions=["pg_trgm"],
    )
    from operations.db.aws_ask import answers

    found = answers(proved(environment(), written(product, form, shared), wanted))
    judged = aws_proof.judged(found, wanted)
    assert [f"{each.name}: {each.said}" for each in judged.checks if not each.ok] == []
    assert {each.name for each in judged.checks} == {
        "count", "extensions", "postgis", "distance", "nearest", "tables", "indexes", "newest row",
    }  # fmt: skip
    assert judged.tables == {"app.empty": "0", "app.notes": "2", "public.contractors": "500"}
    assert judged.newest == datetime(2026, 4, 1, 12, tzinfo=UTC)
    assert found["nearest"] == ["public.contractors.place\t10\t10"]
    assert scratches(postgres) == []


def test_an_index_that_lost_its_rows_is_found(product, environment):
    """The same questions on a server as it stands, as a copy of an instance is asked."""
    wanted = Wanted(count="SELECT count(*) FROM contractors")
    here = Here(environment(product.name))
    assert aws_proof.judged(ask(here, aws_proof.questions(wanted), Patience.of(1)), wanted).ok
    product.sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'contractors_place'::regclass")
    judged = aws_proof.judged(ask(here, aws_proof.questions(wanted), Patience.of(1)), wanted)
    assert [each.said for each in judged.checks if not each.ok] == ["invalid: contractors_place"]


def test_questions_change_nothing(product, environment):
    with pytest.raises(Failed, match="cannot execute INSERT in a read-only transaction"):
        ask(Here(environment(product.name)), {"x": "INSERT INTO app.notes VALUES ('x')"}, Patience.of(1))


def test_a_plain_database_is_asked_nothing_spatial(new_database, environment):
    plain = new_database()
    found = ask(Here(environment(plain.name)), aws_proof.questions(Wanted()), Patience.of(1))
    assert found["postgis"] == found["distance"] == found["nearest"] == []


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(("form", "spoil"), [("gzip", cut), ("plain", emptied)])
def test_a_spoilt_dump_is_no_proof_and_leaves_nothing(postgres, product, environment, shared, form, spoil):
    file = written(product, form, shared)
    spoil(file)
    with pytest.raises(Failed, match="The dump is not whole"):
        proved(environment(), file, Wanted())
    assert scratches(postgres) == []


def test_what_earlier_runs_left_goes_if_nobody_is_in_it(postgres, product, environment, shared):
    names = [f"{aws_dumps.SCRATCH}{year}0101000000" for year in (2020, 2021, 2024)]
    for name in names:
        postgres.sql(f"CREATE DATABASE {name}")
    postgres.sql(f"CREATE DATABASE {aws_dumps.SCRATCH}by_hand")
    used = subprocess.Popen(
        ["psql", "--dbname", names[1]],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert used.stdin
        assert used.stdout
        used.stdin.write("\\pset tuples_only\nSELECT 'in';\n")
        used.stdin.flush()
        while "in" not in used.stdout.readline().split():
            pass
        lines = proved(
            environment(),
            written(product, "gzip", shared),
            Wanted(),
            oldest=f"{aws_dumps.SCRATCH}20220101000000",
        )
        assert f"Dropped what an interrupted run had left: {names[0]}" in lines
        assert scratches(postgres) == [names[1], names[2], f"{aws_dumps.SCRATCH}by_hand"]
    finally:
        used.communicate()
        for name in [*names, f"{aws_dumps.SCRATCH}by_hand"]:
            postgres.sql(f"DROP DATABASE IF EXISTS {name}")


def test_a_proof_that_is_ended_in_the_middle_drops_its_database(postgres, product, environment, shared):
    file = written(product, "gzip", shared)
    told = {
        "NEW_DATABASE": aws_dumps.scratch_name(datetime.now(UTC)),
        "OLDEST": "",
        "STATEMENTS": "SELECT pg_sleep(60)",
        "VERIFY_QUERY": "SELECT 1",
    }
    here, began = Here(environment()), time.monotonic()
    with pytest.raises(Failed, match="did not end in time, and was ended"):
        here.run(aws_dumps.proof(aws_dumps.beside(SCRIPT, str(file))), told, Patience.of(2 / 60))
    assert time.monotonic() - began < 30
    assert scratches(postgres) == []


def test_a_new_database_to_look_something_up(postgres, product, environment, shared):
    file = written(product, "custom", shared)
    text = aws_dumps.into_new_database(aws_dumps.beside(SCRIPT, str(file)))
    told = {"NEW_DATABASE": "looked_up", "VERIFY_QUERY": "SELECT count(*) FROM contractors"}
    try:
        assert "Restored: 500 records found" in Here(environment()).run(text, told, Patience.of(1))
        assert postgres.sql("SELECT count(*) FROM app.notes", database="looked_up") == "2"
        with pytest.raises(Failed, match='database "looked_up" already exists'):
            Here(environment()).run(text, told, Patience.of(1))
    finally:
        postgres.sql("DROP DATABASE IF EXISTS looked_up")


def test_what_a_task_is_told_fits_into_what_ecs_takes():
    wanted = Wanted(count="SELECT count(*) FROM contractors", newest="SELECT max(seen) FROM contractors")
    told = json.dumps([aws_dumps.proof(SCRIPT), script(aws_proof.questions(wanted))])
    assert len(told) < MOST_OVERRIDES - 1000, "names, keys and the dump's name want room, too"


# The command


@pytest.fixture
def groundwork(cloud, postgres, environment, monkeypatch):
    """`verify --from dump --here` on this server, with the stack's bucket and task definition in the emulator."""
    stack = Cloud(
        "rentalfix",
        "prod",
        {**OUTPUTS, "system": f"rentalfix{os.getpid()}{time.monotonic_ns()}"},
        cloud.endpoint_url,
        cloud.answers,
        cloud.asked,
    )
    stack.client("s3").create_bucket(Bucket="rentfix-backups")
    containers = [
        {"name": name, "image": "postgres", "memory": 128, "command": ["sh", "-ec", text]}
        for name, text in [("prepare", "true"), ("restore", SCRIPT)]
    ]
    stack.client("ecs").register_task_definition(
        family="rentalfix-prod-restore", containerDefinitions=containers
    )
    monkeypatch.setattr(verify, "opened", lambda *_: stack)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, code: int = 0) -> Any:
        given = ["backup", "verify", "--stack", "prod", "--from", "dump", "--here", *arguments]
        result = CliRunner().invoke(command.app, given)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return stack, run


def put(stack: Cloud, body: bytes, key: str = KEY) -> None:
    stack.client("s3").put_object(Bucket="rentfix-backups", Key=key, Body=body)


def test_the_newest_dump_of_the_bucket_is_proved(groundwork, product, postgres, monkeypatch, tmp_path):
    stack, run = groundwork
    monkeypatch.setattr(verify.tempfile, "tempdir", str(tmp_path))
    body = WRITES["gzip"](product)
    put(stack, body)
    result = run("--yes", "--json", "--newest", "SELECT max(seen) FROM contractors")
    told = json.loads(result.stdout)
    assert told["proved"]
    assert told["source"] == f"dump s3://rentfix-backups/{KEY}"
    assert told["tables"] == {"app.empty": "0", "app.notes": "2", "public.contractors": "500"}
    assert told["size_bytes"] == len(body)
    assert 0 < told["restore_s"] < 60
    expected = (datetime.now(UTC) - datetime(2026, 4, 1, 12, tzinfo=UTC)).total_seconds()
    assert told["data_age_s"] == pytest.approx(expected, abs=60), "by its newest row"
    assert f"will copy s3://rentfix-backups/{KEY}" in result.stderr
    assert scratches(postgres) == []
    assert list(tmp_path.iterdir()) == [], "the dump is on this machine no longer"
    namespace = f"{stack.outputs['system']}/prod/backups"
    metrics = stack.client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]
    assert {each["MetricName"] for each in metrics} == {"RestoreSeconds", "DataAgeSeconds", "RestoreProved"}


def test_a_dump_without_rows_is_no_proof(groundwork, product):
    stack, run = groundwork
    product.sql("DELETE FROM contractors")
    put(stack, WRITES["gzip"](product))
    result = run("--yes", code=1)
    assert "0 records found, at least 1 expected" in result.stdout
    assert "NOT proved" in result.stdout


def test_a_spoilt_dump_is_told_and_published(groundwork):
    stack, run = groundwork
    put(stack, b"not a dump")
    result = run("--yes", code=1)
    assert f"NOT proved: s3://rentfix-backups/{KEY}. The commands ended with 1" in result.stderr
    assert "The dump is not whole" in result.stderr
    [published] = stack.calls("PutMetricData")
    assert published["MetricData"][0]["MetricName"] == "RestoreProved"
    assert published["MetricData"][0]["Value"] == 0


def test_another_dump_may_be_named_and_none_may_be_there(groundwork, product):
    stack, run = groundwork
    assert "There is no dump in s3://rentfix-backups yet" in run("--yes", code=2).stderr
    put(stack, WRITES["gzip"](product), "postgres/1.sql.gz")
    put(stack, b"", "postgres/2.sql.gz")
    assert json.loads(run("--yes", "--json", "--key", "postgres/1.sql.gz").stdout)["proved"]
    assert "would copy s3://rentfix-backups/postgres/2.sql.gz" in run("--dry-run").stderr


def test_by_the_stacks_own_task_the_dump_never_leaves_aws(groundwork, product, clock, monkeypatch):
    stack, _ = groundwork
    put(stack, b"not read here")
    arn = "arn:aws:ecs:us-east-1:123456789012:task/rentalfix-prod/1"
    stack.says("RunTask", {"tasks": [{"taskArn": arn}], "failures": []})
    stack.says(
        "DescribeTasks",
        {"tasks": [{"lastStatus": "STOPPED", "containers": [{"name": "restore", "exitCode": 0}]}]},
    )
    text = (
        "Restored: all records found|groundwork:count|3|groundwork:extensions|plpgsql\t1.0|groundwork:tables|"
    )
    lines = f"{text}public.contractors\t3|groundwork:end".split("|")
    pages = {None: [{"message": line} for line in lines]}
    stack.says(
        "GetLogEvents",
        lambda given: {"events": pages.get(given.get("nextToken"), []), "nextForwardToken": "t"},
    )
    result = CliRunner().invoke(
        command.app,
        ["backup", "verify", "--stack", "prod", "--from", "dump", "--yes", "--json", "--no-compare"],
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["tables"] == {"public.contractors": "3"}
    [run] = stack.calls("RunTask")
    overrides = run["overrides"]["containerOverrides"]
    told = {each["name"]: {pair["name"]: pair["value"] for pair in each["environment"]} for each in overrides}
    assert told["prepare"] == {"CONFIRM": "rentfix"}
    assert told["fetch"] == {"DUMP_KEY": KEY}
    assert told["restore"]["NEW_DATABASE"].startswith(aws_dumps.SCRATCH)
    assert len(json.dumps(run["overrides"])) < MOST_OVERRIDES
    assert not stack.calls("GetObject")


def test_a_stack_without_dumps_or_without_the_task(cloud):
    without = {**OUTPUTS, "backups": {**OUTPUTS["backups"], "dumpPrefix": ""}}
    with pytest.raises(Refusal, match=r"makes no dumps\. Set backups\.dump"):
        aws_dumps.newest_first(Cloud("rentalfix", "prod", without, cloud.endpoint_url))
    tasks = {name: said for name, said in OUTPUTS["tasks"].items() if name != "restore"}
    with pytest.raises(Refusal, match="has no task restore"):
        aws_dumps.restore_script(Cloud("rentalfix", "prod", {**OUTPUTS, "tasks": tasks}, cloud.endpoint_url))
    containers = [{"name": "restore", "image": "x", "memory": 128, "command": ["sh", "-ec", "true"]}]
    cloud.client("ecs").register_task_definition(
        family="rentalfix-prod-restore", containerDefinitions=containers
    )
    with pytest.raises(Refusal, match="reads back no dump as Groundwork's does"):
        aws_dumps.restore_script(cloud)


def test_a_refusal_of_the_script_of_another_hand():
    with pytest.raises(Refusal, match="is not the one that this command knows"):
        aws_dumps.beside("psql < dump", "/tmp/x")
