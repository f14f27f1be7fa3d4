"""The servers that tests run against are what they are taken for, and leave nothing behind."""

import http.client
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from local import debian
from local.steps import Failure
from tests import real_servers
from tests.real_programs import ROOT, free_port, listens, program, running
from tests.real_servers import (
    MASTER,
    Certificate,
    Refused,
    certificate,
    nginx_server,
    nobody,
    postgres_server,
    temporary_folder,
    within_reach,
)

SYSTEMS = sorted(path.parent.name for path in ROOT.glob("systems/*/system.yaml"))


def declared_extensions(system: str) -> dict[str, str]:
    """The least version of each."""
    text = (ROOT / "systems" / system / "system.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["database"].get("extensions", {})


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_a_system_asks_of_its_database_is_there(new_database, system):
    declared = declared_extensions(system)
    database = new_database(*declared)
    rows = database.sql("SELECT extname, extversion FROM pg_extension WHERE extname <> 'plpgsql'")
    made = dict(line.split("|") for line in rows.splitlines())
    assert made.keys() == declared.keys()
    assert {name for name, version in declared.items() if numbers(made[name]) < numbers(version)} == set()


def test_postgis_is_whole(new_database):
    database = new_database("postgis")
    version = database.sql("SELECT PostGIS_Full_Version()")
    assert all(part in version for part in ('POSTGIS="3.', 'GEOS="', 'PROJ="', 'LIBJSON="', 'LIBPROTOBUF="'))
    # Only the table of coordinate systems, which is a file beside the library, knows where this is.
    point = database.sql(
        "SELECT ST_AsText(ST_Transform(ST_SetSRID(ST_MakePoint(-73.9857, 40.7484), 4326), 32618), 0)"
    )
    assert point == "POINT(585628 4511322)"


@pytest.mark.parametrize(
    ("extension", "question", "answer"),
    [
        ("pg_trgm", "SELECT similarity('matching', 'matches') > 0.4", "t"),
        ("uuid-ossp", "SELECT length(uuid_generate_v4()::text)", "36"),
        ("pgcrypto", "SELECT encode(digest('', 'md5'), 'hex')", "d41d8cd98f00b204e9800998ecf8427e"),
        ("btree_gist", "SELECT count(*) FROM pg_opclass WHERE opcname = 'gist_int4_ops'", "1"),
    ],
)
def test_an_extension_does_what_it_is_for(new_database, extension, question, answer):
    assert new_database(extension).sql(question) == answer


def test_statements_are_counted_as_on_rds(new_database):
    database = new_database("pg_stat_statements")
    for _ in range(3):
        database.sql("SELECT 20261 AS marked")
    assert database.sql("SELECT calls FROM pg_stat_statements WHERE query LIKE '% AS marked'") == "3"


def test_a_dump_brings_everything_back(new_database, tmp_path):
    source, target = new_database("postgis"), new_database()
    source.sql("""
        CREATE TABLE places (id int PRIMARY KEY, open bool, at geography(Point, 4326) NOT NULL);
        CREATE INDEX open_places ON places USING gist (at) WHERE open;
        INSERT INTO places SELECT n, n % 2 = 0, ST_MakePoint(n / 1000.0, 0) FROM generate_series(1, 1000) AS n;
    """)
    source.client("pg_dump", "--format=custom", "--file", tmp_path / "dump")
    target.client("pg_restore", "--dbname", target.name, "--exit-on-error", tmp_path / "dump")
    for question in (
        "SELECT count(*), sum(id) FROM places",
        "SELECT count(*) FROM places WHERE open AND ST_DWithin(at, ST_MakePoint(0.5, 0)::geography, 1000)",
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'open_places'",
        "SELECT extversion FROM pg_extension WHERE extname = 'postgis'",
    ):
        assert target.sql(question) == source.sql(question) != ""
    assert target.sql("SELECT count(*), sum(id) FROM places") == "1000|500500"


def test_a_database_is_its_tests_own(postgres):
    databases = "SELECT count(*) FROM pg_database"
    with postgres.database("pg_trgm"):
        before = postgres.sql(databases)
    with postgres.database("pg_trgm") as first, postgres.database("pg_trgm") as second:
        first.sql("CREATE TABLE mine ()")
        first.sql(f"GRANT SELECT ON mine TO {postgres.role('passing')}")
        assert first.sql("SELECT count(*) FROM mine", user="passing") == "0"
        assert second.sql("SELECT to_regclass('mine') IS NULL") == "t"
    assert int(postgres.sql(databases)) == int(before) - 1
    assert postgres.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'passing'") == "0"
    assert postgres.passwords.keys() == {MASTER}


def test_the_master_user_owns_the_database_and_is_no_superuser(new_database):
    database = new_database()
    database.sql("CREATE TABLE own ()", user=MASTER)
    assert database.sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user", user=MASTER) == "f"
    with pytest.raises(Refused, match='permission denied to create extension "postgis"'):
        database.sql("CREATE EXTENSION postgis", user=MASTER)


def test_who_comes_over_the_network_needs_tls_and_the_password(new_database, postgres):
    database = new_database()
    assert (
        database.sql("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()", user=MASTER) == "TLSv1.3"
    )
    environment = {**os.environ, **database.environment(MASTER), **postgres.program.environment}
    psql = postgres.program.path.resolve().parent / "psql"
    for change, refusal in (
        ({"PGSSLMODE": "disable"}, "no pg_hba.conf entry for host"),
        ({"PGPASSWORD": "another"}, "password authentication failed"),
        ({"PGSSLROOTCERT": "/dev/null"}, "root certificate"),
    ):
        done = subprocess.run(
            [psql, "--no-psqlrc", "--command", "SELECT 1"],
            env={**environment, **change},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 2
        assert refusal in done.stderr


def test_a_failed_statement_is_told_and_the_next_are_not_run(new_database):
    database = new_database()
    with pytest.raises(Refused, match='relation "nowhere" does not exist'):
        database.sql("SELECT * FROM nowhere; CREATE TABLE after ()")
    assert database.sql("SELECT to_regclass('after') IS NULL") == "t"


def test_the_server_leaves_nothing_behind(postgres):
    with postgres_server(postgres.program) as server:
        assert server.sql("SELECT 1") == "1"
    assert not listens(server.port)
    assert not server.folder.exists()


def test_programs_that_the_servers_user_may_run_are_run_where_they_are(postgres):
    with within_reach(postgres.program) as found:
        assert found == postgres.program


@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root runs PostgreSQL as himself")
def test_programs_where_only_root_may_enter_are_copied(tmp_path, postgres):
    if not postgres.program.root:
        pytest.skip("PostgreSQL is the machine's own, so it is where everybody may enter")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(postgres.program.root, closed / "postgres", symlinks=True)
    there = debian.unpacked("postgres", closed / "postgres")
    assert there
    with within_reach(there) as found:
        assert not found.path.is_relative_to(closed)
        assert str(closed) not in str(found.environment)
        command = [found.path, "--version"]
        answer = subprocess.run(
            command,
            env={**os.environ, **found.environment},
            capture_output=True,
            timeout=30,
            check=True,
            **nobody(),
        )
        assert answer.stdout.startswith(b"postgres (PostgreSQL)")
    assert not found.path.exists()
    with (
        pytest.raises(pytest.fail.Exception, match="where only root may enter"),
        within_reach(replace(there, root=None)),
    ):
        pass


def test_only_folders_of_tests_that_were_killed_are_removed(tmp_path):
    killed = tmp_path / "groundwork-postgres-killed"
    killed.mkdir()
    (killed / "lock").touch()
    with temporary_folder(tmp_path) as first, temporary_folder(tmp_path) as second:
        assert first.exists()
        assert second.exists()
        assert not killed.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("writable", "free_gib", "chosen"), [(True, 8, True), (True, 1 / 16, False), (False, 8, False)]
)
def test_databases_are_in_memory_where_there_is_room(tmp_path, monkeypatch, writable, free_gib, chosen):
    monkeypatch.setattr(real_servers, "MEMORY", tmp_path)
    monkeypatch.setattr(real_servers.os, "access", lambda *_: writable)
    monkeypatch.setattr(real_servers.shutil, "disk_usage", lambda _: SimpleNamespace(free=free_gib * 1024**3))
    assert real_servers.memory() == (tmp_path if chosen else None)


@pytest.fixture
def files(tmp_path: Path) -> Certificate:
    return certificate(tmp_path, "api.shop.example", "127.0.0.1")


@pytest.fixture
def site(tmp_path: Path, files: Certificate) -> Generator[int]:
    """The port of a server with TLS 1.3, a redirect, a header and a limit of requests."""
    port = free_port()
    servers = f"""
    limit_req_zone $binary_remote_addr zone=requests:1m rate=1r/m;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {files.certificate};
        ssl_certificate_key {files.key};
        ssl_protocols TLSv1.3;
        add_header Strict-Transport-Security max-age=63072000 always;
        location / {{ return 200 "healthy"; }}
        location /old {{ return 301 https://api.shop.example/new; }}
        location /limited {{ limit_req zone=requests burst=2 nodelay; limit_req_status 429; root {tmp_path}; }}
    }}
    """
    (tmp_path / "limited").write_text("here", encoding="utf-8")
    with nginx_server(tmp_path, servers, port=port):
        yield port


def connection(
    port: int, files: Certificate, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
) -> closing[http.client.HTTPSConnection]:
    context = ssl.create_default_context(cafile=files.certificate)
    context.maximum_version = newest
    return closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context))


def test_nginx_answers_tls_13_a_header_and_a_redirect(site, files):
    with connection(site, files) as client:
        client.request("GET", "/")
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.version() == "TLSv1.3"
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"healthy")
        assert answer.headers["Strict-Transport-Security"] == "max-age=63072000"
        client.request("GET", "/old")
        answer = client.getresponse()
        assert (answer.status, answer.headers["Location"]) == (301, "https://api.shop.example/new")


def test_nginx_refuses_an_older_tls(site, files):
    with (
        connection(site, files, newest=ssl.TLSVersion.TLSv1_2) as client,
        pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"),
    ):
        client.request("GET", "/")


def test_nginx_limits_requests(site, files):
    statuses = []
    with connection(site, files) as client:
        for _ in range(4):
            client.request("GET", "/limited")
            answer = client.getresponse()
            answer.read()
            statuses.append(answer.status)
    assert statuses == [200, 200, 200, 429]


def test_a_certificate_may_have_expired(tmp_path):
    port, files = free_port(), certificate(tmp_path, "127.0.0.1", valid_days=-3)
    server = f"""server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {files.certificate};
        ssl_certificate_key {files.key};
    }}"""
    with (
        nginx_server(tmp_path, server, port=port),
        connection(port, files) as client,
        pytest.raises(ssl.SSLError, match="certificate has expired"),
    ):
        client.request("GET", "/")


def test_a_server_that_does_not_start_says_why(tmp_path):
    with (
        pytest.raises(AssertionError, match=r'(?s)nginx did not start:.*unknown directive "sever"'),
        nginx_server(tmp_path, "sever {}", port=free_port()),
    ):
        pass


def test_a_server_that_hangs_is_not_waited_for_forever(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.real_programs.START_TIMEOUT_S", 0.3)
    sleeper = ["sh", "-c", "trap '' INT; while :; do sleep 0.1; done"]
    with (
        pytest.raises(AssertionError, match="sh did not start"),
        running(sleeper, ready=lambda: False, log=tmp_path / "log", environment={}),
    ):
        pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ends a process with its parent")
def test_a_server_ends_with_tests_that_are_killed(tmp_path):
    port = free_port()
    script = f"""
import os
from pathlib import Path
from types import SimpleNamespace
from tests.real_servers import nginx_server
server = nginx_server(Path({str(tmp_path)!r}), "server {{ listen 127.0.0.1:{port}; }}", port={port})
server.__enter__()
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=30, check=False)
    assert done.returncode == -9
    deadline = time.monotonic() + 10
    while listens(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens(port)
    assert "signal" not in (tmp_path / "nginx.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_what_cannot_be_had_is_skipped_but_fails_the_build(monkeypatch, ci, outcome):
    def cannot(*_):
        raise Failure("nginx is not on PATH, and this is no Debian. Install nginx.")

    monkeypatch.setattr(debian, "have", cannot)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="this is no Debian"):
        program("nginx")
