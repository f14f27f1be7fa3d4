"""`groundwork db` on a real PostgreSQL: how it comes there, who works there, and what it says when it cannot."""

import json
import re
import socket
import threading
from contextlib import contextmanager

import psycopg
import pytest
from botocore.stub import Stubber
from botocore.validate import ParamValidator
from typer.testing import CliRunner

from operations import db, tunnels
from operations.__main__ import app
from operations.db import activity, reach
from operations.platform import Platform, Refusal
from tests.database_stack import MIGRATION, aws, eventually, standing
from tests.program import ROOT
from tests.real_programs import free_port
from tests.real_servers import MASTER, certificate

# Together with what else looks at RentalFix's production, which is recorded once for all of them.
pytestmark = pytest.mark.xdist_group("prod ")

COMMANDS = [each.name for each in db.app.registered_commands if hasattr(each.callback, "__wrapped__")]


@pytest.fixture
def stack(new_database, tmp_path):
    with standing(new_database("pg_stat_statements"), tmp_path) as made:
        yield made


@pytest.fixture
def other(stack):
    """Somebody else's connection, with a transaction of his own."""
    with stack.connection(application_name="shop") as connection:
        yield connection
        connection.rollback()


def refused(answer):
    assert answer.exit_code == 2, answer.output
    assert "Traceback" not in answer.output
    return answer.stderr


def rows(answer):
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_and_says_how_to_come_to_the_database(name):
    text = CliRunner().invoke(app, ["db", name, "--help"]).stdout
    assert re.search(rf"Examples?\n +(echo .*)?groundwork db {name} ", text)
    assert "--stack" in text


# The way to the database.


def test_it_answers_by_tls(stack):
    answer = stack.run("ping")
    assert answer.exit_code == 0
    assert re.fullmatch(
        rf"{stack.said['name']} answers master: PostgreSQL 1\d\.\S+ .*, the primary, TLSv1\.3, up for .*\. "
        r"Connecting and asking took \d\.\d s\.\n",
        answer.stdout,
    )
    assert answer.stderr == ""
    said = rows(stack.run("ping", "--json"))
    assert (said["is_replica"], said["tls"], said["behind_s"]) == (False, "TLSv1.3", None)


def test_a_role_logs_in_with_its_own_secret(stack):
    stack.sql("CREATE ROLE rentfix_app LOGIN PASSWORD 'it''s rentfix_app''s'")
    assert rows(stack.run("ping", "--json", "--role", "rentfix_app"))["user"] == "rentfix_app"
    said = refused(stack.run("ping", "--role", "rentfix_ap"))
    assert (
        "There is no role rentfix_ap in this stack's outputs; there are: rentfix_app, rentfix_worker." in said
    )


def test_a_tunnel_leads_there_and_the_name_is_still_checked(stack):
    port = stack.said["port"]
    stack.said["port"] = 5432
    for via in (f"localhost:{port}", f"127.0.0.1:{port}"):
        assert stack.run("ping", "--via", via).exit_code == 0
    stack.said["address"] = "rentfix-primary.abcdefghijkl.us-east-1.rds.amazonaws.com"
    said = refused(stack.run("ping", "--via", f"localhost:{port}"))
    assert 'does not match host name "rentfix-primary.abcdefghijkl.us-east-1.rds.amazonaws.com"' in said
    assert "the tunnel of --via leads to another server than rentfix-primary.abcdefghijkl" in said


@pytest.mark.parametrize(
    ("via", "said"),
    [
        ("localhost", "--via is HOST:PORT, such as localhost:15432, and not localhost."),
        ("localhost:postgres", "--via is HOST:PORT, such as localhost:15432, and not localhost:postgres."),
        ("nowhere.invalid:1", "The host of --via, nowhere.invalid, is not known here: "),
    ],
)
def test_a_tunnel_that_is_none_is_refused(stack, via, said):
    assert said in refused(stack.run("ping", "--via", via))


def test_an_address_in_brackets_is_one_of_ipv6():
    assert reach._through("[::1]:5432") == {"hostaddr": "::1", "port": "5432"}


def test_without_authorities_the_server_must_know_the_password_too(stack):
    answer = stack.run("ping", checked=False)
    assert answer.exit_code == 0
    assert answer.stderr == (
        "Note: without --ca the server's name is not checked. RDS' authorities: `curl -fsSO "
        "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem`, then --ca global-bundle.pem.\n"
    )
    with _admitted(stack, f"hostssl all {MASTER} 127.0.0.1/32 password"):
        said = refused(stack.run("ping", checked=False))
        assert "It asks for the password in a way that would show it to an impostor" in said
        assert stack.run("ping").exit_code == 0, "with --ca it is known who asks"


@contextmanager
def _admitted(stack, line):
    """While the body runs, this line of pg_hba.conf comes first."""
    server = stack.database.server
    admission = server.folder / "data" / "pg_hba.conf"
    kept = admission.read_text(encoding="utf-8")

    def load(text):
        before = server.sql("SELECT pg_conf_load_time()")
        admission.write_text(text, encoding="utf-8")
        server.sql("SELECT pg_reload_conf()")
        eventually(lambda: server.sql("SELECT pg_conf_load_time()") != before)

    load(f"{line}\n{kept}")
    try:
        yield
    finally:
        load(kept)


def test_a_wrong_password_is_told_and_not_shown(stack):
    secrets = aws().client("secretsmanager")
    login = json.dumps({"username": MASTER, "password": "hunter2 is wrong"})
    secrets.put_secret_value(SecretId=stack.said["masterSecretArn"], SecretString=login)
    for checked in (True, False):
        answer = stack.run("ping", checked=checked)
        said = refused(answer)
        assert 'password authentication failed for user "master"' in said
        assert f"The password in {stack.said['masterSecretArn']} is not that of master." in said
        assert "hunter2" not in answer.output + repr(answer.exception)


@pytest.mark.parametrize("text", ["not JSON", '{"username": "master"}', "[]"])
def test_a_secret_that_holds_no_login_is_told_and_not_shown(stack, text):
    secrets = aws().client("secretsmanager")
    secrets.put_secret_value(SecretId=stack.said["masterSecretArn"], SecretString=text)
    answer = stack.run("ping")
    assert "holds no login (JSON with username and password)" in refused(answer)
    assert text not in answer.output


def test_a_secret_that_is_not_there_is_told(stack):
    stack.said["masterSecretArn"] += "gone"
    assert "AWS refused GetSecretValue" in refused(stack.run("ping"))


def test_a_login_is_not_shown_where_somebody_prints_it():
    assert "hunter2" not in repr(reach.Login(user="a", password="hunter2", secret_arn="b"))


def test_a_server_of_other_authorities_is_told(stack, tmp_path):
    other = certificate(tmp_path, "localhost")
    said = refused(stack.run("ping", "--ca", str(other.certificate), checked=False))
    assert "certificate verify failed" in said
    assert "Its certificate is of no authority in --ca. Get RDS' own: `curl" in said
    empty = tmp_path / "empty.pem"
    empty.touch()
    assert "--ca names no bundle of authorities. Get it: `curl" in refused(
        stack.run("ping", "--ca", str(empty), checked=False)
    )
    missing = refused(stack.run("ping", "--ca", str(tmp_path / "missing.pem"), checked=False))
    assert "missing.pem. Get RDS' authorities: `curl" in missing


def test_the_machines_own_authorities_may_be_meant():
    assert reach.transport("system") == {"sslmode": "verify-full", "sslrootcert": "system"}


def test_a_server_without_tls_gets_no_password(stack):
    received = []

    def answer(listener):
        connection, _ = listener.accept()
        with connection:
            received.append(connection.recv(100))
            connection.sendall(b"N")  # no TLS here
            received.append(connection.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        said = refused(stack.run("ping", "--via", f"127.0.0.1:{listener.getsockname()[1]}", checked=False))
        thread.join(10)
    assert "server does not support SSL, but SSL was required" in said
    assert received[1] == b"", "it has hung up"


@pytest.mark.parametrize(
    ("vpn", "way"),
    [
        (
            "cvpn-endpoint-1",
            "Join the stack's VPN (`aws ec2 export-client-vpn-client-configuration --client-vpn-endpoint-id "
            "cvpn-endpoint-1`). Or: `groundwork db tunnel --stack prod` in a second shell",
        ),
        ("", "It is in a private network: `groundwork db tunnel --stack prod` in a second shell"),
    ],
)
def test_who_is_outside_is_told_the_way_in(stack, vpn, way):
    stack.outputs["vpn"] = vpn
    stack.said["port"] = free_port()
    said = refused(stack.run("check"))
    assert f"The database at localhost:{stack.said['port']} cannot be reached from here (" in said
    assert "Connection refused" in said
    assert way in said
    assert "--via localhost:15432 uses it." in said


def test_who_is_at_the_end_of_a_tunnel_that_is_gone_is_told(stack):
    said = refused(stack.run("ping", "--via", f"localhost:{free_port()}"))
    assert "Look whether the tunnel still stands, and whether it leads to this address." in said


def test_a_name_that_nobody_knows_is_told(stack):
    stack.said["address"] = "nowhere.invalid"
    assert "cannot be reached from here (" in refused(stack.run("ping"))


def test_the_local_stack_has_no_server():
    database = reach.Database(
        Platform("shop", "local", {}, endpoint_url="http://127.0.0.1:4566"), reach.Reach()
    )
    assert database.way_in().startswith("The local stack's database is only written down in the emulator")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("FATAL: sorry, too many clients already", "Every connection is taken."),
        ("FATAL: remaining connection slots are reserved for", "Every connection is taken."),
        ("FATAL: the database system is starting up", "It is starting or changing over"),
        (
            'FATAL: database "shop" does not exist',
            "Name it as the stack has it in its outputs, or restore it.",
        ),
        ('FATAL: no pg_hba.conf entry for host "10.0.0.1"', "It lets nobody in that way"),
    ],
)
def test_what_postgresql_says_at_the_door_has_a_remedy(stack, monkeypatch, error, remedy):
    def refuse(*_, **__):
        raise psycopg.OperationalError(f"connection failed: {error}")

    monkeypatch.setattr(psycopg.Connection, "connect", refuse)
    said = refused(stack.run("ping"))
    assert f"The database did not let us in ({error}). {remedy}" in said


def test_a_stack_without_a_database_is_told(stack):
    stack.outputs["database"] = {}
    assert "rentalfix, stack prod, in us-east-1 has no database of its own." in refused(stack.run("ping"))


def test_a_replica_is_asked_where_there_is_one(stack):
    said = refused(stack.run("ping", "--replica"))
    assert "has no read replica. Leave out --replica." in said
    stack.said["replicaAddresses"] = ["localhost"]
    stack.said["address"] = "nowhere.invalid"
    assert stack.run("ping", "--replica").exit_code == 0


# What PostgreSQL refuses.


def test_a_question_that_takes_too_long_is_called_off(stack):
    said = refused(stack.run("verify", "--query", "SELECT 1 FROM pg_sleep(60)", "--timeout", "1"))
    assert "canceling statement due to statement timeout (57014)" in said
    assert "--timeout allows more than 1 s." in said


def test_a_question_only_reads(stack):
    stack.sql("CREATE TABLE notes (id int)")
    said = refused(stack.run("verify", "--query", "INSERT INTO notes VALUES (1) RETURNING id"))
    assert "cannot execute INSERT in a read-only transaction (25006). This command only reads." in said
    said = refused(stack.run("verify", "--query", "SELECT 1; DROP TABLE notes"))
    assert "cannot insert multiple commands into a prepared statement" in said
    assert stack.sql("SELECT count(*) FROM notes") == "0"


def test_what_a_role_may_not_do_is_told(stack):
    stack.sql("CREATE ROLE rentfix_app LOGIN PASSWORD 'it''s rentfix_app''s'; CREATE TABLE notes ()")
    said = refused(stack.run("verify", "--query", "SELECT count(*) FROM notes", "--role", "rentfix_app"))
    assert "permission denied for table notes (42501). rentfix_app may not do it: leave out --role." in said


def test_a_connection_that_is_cut_is_told(stack):
    cut = "SELECT 1 FROM pg_terminate_backend(pg_backend_pid())"
    said = refused(stack.run("verify", "--query", cut))
    assert (
        "terminating connection due to administrator command (57P01). The database restarts or changes over"
        in said
    )


# Verify and explain.


@pytest.mark.parametrize(
    ("least", "code", "said"), [("2", 0, "2, and so at least 2."), ("3", 1, "2, and not at least 3.")]
)
def test_the_stacks_own_question_is_asked(stack, least, code, said):
    stack.sql(MIGRATION.replace("geography(Point, 4326)", "text"))
    stack.sql("INSERT INTO contractors (name) VALUES ('a'), ('b')")
    answer = stack.run("verify", "--min", least)
    assert (answer.exit_code, answer.stdout) == (code, f"SELECT COUNT(*) FROM contractors: {said}\n")
    told = json.loads(stack.run("verify", "--min", least, "--json").stdout)
    assert told == {
        "query": "SELECT COUNT(*) FROM contractors",
        "found": 2,
        "min": int(least),
        "well": code == 0,
    }


def test_a_question_must_give_one_number(stack):
    for query in ("SELECT 1, 2", "SELECT 'many'", "SELECT generate_series(1, 2)", "SELECT 1 WHERE false"):
        said = refused(stack.run("verify", "--query", query))
        assert f"The question must give one whole number in one row: {query}" in said
    stack.outputs["backups"]["verifyQuery"] = ""
    assert "declares no backups.verify_query" in refused(stack.run("verify"))


def test_a_statement_is_explained_and_run_only_when_asked(stack, tmp_path):
    stack.sql("CREATE TABLE notes (id int)")
    file = tmp_path / "query.sql"
    file.write_text("-- which of them\nSELECT * FROM notes WHERE id = 7;\n", encoding="utf-8")
    answer = stack.run("explain", "--file", str(file))
    assert answer.exit_code == 0
    assert answer.stdout.startswith("Seq Scan on notes ")
    assert "actual time" not in answer.stdout
    assert "actual time" in stack.run("explain", "--file", str(file), "--analyze").stdout
    [plan] = rows(stack.run("explain", "--file", "-", "--json", text="SELECT * FROM notes"))
    assert plan["Plan"]["Relation Name"] == "notes"


def test_the_question_of_fixrx_guide_is_explained(stack):
    stack.sql("CREATE TABLE vendors (service_categories text[])")
    answer = stack.run("explain", "--file", str(ROOT / "systems/fixrx/queries/vendors.sql"))
    assert answer.exit_code == 0, answer.output
    assert "Filter: (service_categories @> '{plumbing}'::text[])" in answer.stdout


@pytest.mark.parametrize(
    ("statement", "arguments", "said"),
    [
        ("DELETE FROM notes", ["--analyze"], "cannot execute DELETE in a read-only transaction"),
        ("SELECT 1; DROP TABLE notes", [], "cannot insert multiple commands into a prepared statement"),
        ("explain SELECT 1", [], "begins with EXPLAIN, which this command puts before it."),
        ("  \n", [], "holds no statement."),
    ],
)
def test_what_cannot_be_explained_is_refused(stack, tmp_path, statement, arguments, said):
    stack.sql("CREATE TABLE notes (id int)")
    file = tmp_path / "query.sql"
    file.write_text(statement, encoding="utf-8")
    assert said in refused(stack.run("explain", "--file", str(file), *arguments))
    assert stack.sql("SELECT count(*) FROM notes") == "0"


def test_a_file_that_is_not_there_is_told(stack):
    assert "nowhere.sql cannot be read" in refused(stack.run("explain", "--file", "nowhere.sql"))


# Activity, connections, slow statements.


def test_who_works_and_who_blocks_whom_is_shown_without_what_customers_typed(stack, other):
    stack.sql("CREATE TABLE notes (id int, note text)")
    other.execute("UPDATE notes SET note = 'nobody@example.org' WHERE id = 4711")
    other.execute("LOCK TABLE notes")
    blocked = threading.Thread(
        target=lambda: stack.sql("SELECT * FROM notes WHERE note = 'somebody@example.org'")
    )
    blocked.start()
    blocker, waiting = eventually(
        lambda: rows(stack.run("activity", "--json")), lambda seen: len(seen) == 2 and seen[1]["waits_for"]
    )
    text = stack.run("activity").stdout
    full = stack.run("activity", "--full").stdout
    other.rollback()
    blocked.join(10)
    assert (blocker["user"], blocker["application"], blocker["client"]) == (MASTER, "shop", "127.0.0.1")
    assert (blocker["state"], blocker["query"], blocker["blocked_by"]) == (
        "idle in transaction",
        "LOCK TABLE notes",
        [],
    )
    assert 0 < waiting["query_s"] < 10
    assert (waiting["waits_for"], waiting["blocked_by"]) == ("Lock: relation", [blocker["pid"]])
    assert waiting["query"] == "SELECT * FROM notes WHERE note = ?"
    assert "example.org" not in text
    assert "somebody@example.org" in full


def test_idle_connections_are_shown_when_asked(stack, other):
    other.execute("SELECT 1")
    other.commit()
    assert stack.run("activity").stdout == "Nobody works on the database at this moment.\n"
    [row] = rows(stack.run("activity", "--all", "--json"))
    assert (row["state"], row["pid"]) == ("idle", other.info.backend_pid)


def test_what_a_product_put_into_public_is_not_run(stack, other):
    """A function that fits better than the server's own would run with the master user's rights."""
    stack.sql("""
        CREATE FUNCTION public.concat_ws(text, text, text) RETURNS text LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$
    """)
    other.execute("SELECT 1")
    assert len(rows(stack.run("activity", "--json"))) == 1


@pytest.mark.parametrize(
    ("by", "group"),
    [
        ("user", MASTER),
        ("state", "idle in transaction"),
        ("client", "127.0.0.1/32"),
        ("application", "shop"),
        ("database", None),
    ],
)
def test_connections_are_counted(stack, other, by, group):
    other.execute("SELECT 1")
    said = rows(stack.run("connections", "--by", by, "--json"))
    assert (said["most"], said["kept"]) == (50, 3)
    assert said["used"] == sum(each["connections"] for each in said["groups"]) == 2
    counted = {each[by]: each for each in said["groups"]}
    assert counted[group or stack.said["name"]]["idle_in_transaction"] == 1
    text = stack.run("connections", "--by", by).stdout
    assert text.splitlines()[-1] == "2 of 50 are taken; the last 3 are kept for RDS itself."


def test_slow_statements_have_the_columns_of_today_and_no_password(stack):
    stack.database.sql("SELECT pg_stat_statements_reset()")
    stack.sql("SELECT 1 FROM pg_sleep(0.1)")
    for _ in range(3):
        stack.sql("SELECT 2 AS often")
    stack.sql("CREATE ROLE rentfix_app LOGIN PASSWORD 'hunter2'")
    by_time = rows(stack.run("slow", "--json", "--limit", "1"))
    assert [row["query"] for row in by_time] == ["SELECT $1 FROM pg_sleep($2)"]
    assert by_time[0]["calls"] == 1
    assert by_time[0]["total_s"] * 1000 == pytest.approx(by_time[0]["mean_ms"])
    assert by_time[0]["mean_ms"] > 100
    assert rows(stack.run("slow", "--json", "--by", "calls"))[0]["query"] == "SELECT $1 AS often"
    assert rows(stack.run("slow", "--json", "--by", "mean"))[0]["query"] == "SELECT $1 FROM pg_sleep($2)"
    everything = stack.run("slow", "--limit", "1000").stdout
    assert "CREATE ROLE rentfix_app LOGIN PASSWORD ?" in everything
    assert "hunter2" not in everything


def test_without_the_extension_it_says_how_to_get_it(new_database, tmp_path):
    with standing(new_database(), tmp_path) as stack:
        said = refused(stack.run("slow"))
    assert said.endswith(
        "The database has no extension pg_stat_statements. Name it in database.extensions of the system file, "
        "`pulumi up`, then `groundwork db bootstrap`.\n"
    )


def test_a_statement_is_ended_and_its_connection_stays(stack, other):
    other.execute("SELECT 1")
    pid = str(other.info.backend_pid)
    sleeping = threading.Thread(target=_cancelled, args=(other,))
    sleeping.start()
    answer = stack.run("cancel", pid, "--yes")
    sleeping.join(10)
    assert answer.exit_code == 0
    assert f"  will end the statement of master ({pid}, " in answer.stderr
    assert answer.stdout == f"{pid} was told to end. `groundwork db activity` shows whether it has.\n"
    other.rollback()
    assert other.execute("SELECT 1 AS one").fetchone() == {"one": 1}


def _cancelled(connection):
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(60)")


def test_a_connection_is_ended(stack):
    with stack.connection() as other:
        other.execute("SELECT 1")
        pid = str(other.info.backend_pid)
        assert stack.run("cancel", pid, "--terminate", "--dry-run").exit_code == 0
        assert other.execute("SELECT 2 AS two").fetchone() == {"two": 2}
        assert stack.run("cancel", pid, "--terminate", "--yes").exit_code == 0
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT 3")
    assert f"No connection of a client has the pid {pid}." in refused(stack.run("cancel", pid, "--yes"))


def test_a_program_is_told_whether_a_statement_was_told_to_end(stack, monkeypatch):
    with stack.connection() as other:
        other.execute("SELECT 1")
        pid = other.info.backend_pid
        tried = json.loads(stack.run("cancel", str(pid), "--dry-run", "--json").stdout)
        assert tried.keys() == {"stack", "would"}
        assert tried["would"][0].startswith(f"end the statement of master ({pid}, ")
        answer = stack.run("cancel", str(pid), "--yes", "--json")
        assert (answer.exit_code, json.loads(answer.stdout)) == (0, {"pid": pid, "told_to_end": True})
        # It ended while the question was on the screen.
        monkeypatch.setattr(activity, "confirm", lambda *_, **__: _gone(stack, other))
        answer = stack.run("cancel", str(pid), "--json")
        assert (answer.exit_code, json.loads(answer.stdout)) == (1, {"pid": pid, "told_to_end": False})
        assert "already" not in answer.output


def _gone(stack, other):
    pid = other.info.backend_pid
    other.close()
    eventually(lambda: stack.sql(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}") == "0")
    return True


# Tables and indexes.


@pytest.fixture
def filled(stack):
    stack.sql("""
        CREATE TABLE tickets (id int PRIMARY KEY, note text);
        CREATE TABLE notes (id int);
        CREATE INDEX by_note_location ON tickets (note);
        INSERT INTO tickets SELECT n, repeat('x', 200) FROM generate_series(1, 10000) AS n;
        INSERT INTO notes VALUES (1);
        SELECT pg_stat_force_next_flush();
        ANALYZE;
        DELETE FROM tickets WHERE id % 2 = 0;
    """)
    stack.sql("SELECT pg_stat_force_next_flush()")
    return stack


def test_tables_are_shown_with_what_is_dead_and_empty(filled):
    tickets, notes = rows(filled.run("tables", "--json"))
    assert (tickets["table"], tickets["live"], tickets["dead"], tickets["dead_percent"]) == (
        "public.tickets",
        5000,
        5000,
        50.0,
    )
    assert (tickets["inserts"], notes["table"], notes["dead"]) == (10000, "public.notes", 0)
    assert tickets["size_bytes"] > tickets["indexes_bytes"] > 200_000
    assert tickets["bloat_bytes"] < 100_000, "dead rows are no room yet that is empty"
    filled.sql("VACUUM ANALYZE tickets")
    [tickets] = rows(filled.run("tables", "--json", "--table", "tickets"))
    heap = tickets["size_bytes"] - tickets["indexes_bytes"]
    assert tickets["bloat_bytes"] == pytest.approx(heap / 2, rel=0.1)
    assert tickets["vacuumed"].startswith("20")
    text = filled.run("tables", "--by", "bloat").stdout.splitlines()
    assert " ".join(text[0].split()) == (
        "table size indexes bloat live dead dead inserts full scans index scans vacuumed analyzed"
    )
    assert text[1].startswith("public.tickets")


@pytest.mark.parametrize("order", ["size", "dead", "bloat", "inserts", "scans"])
def test_tables_are_ordered(filled, order):
    assert rows(filled.run("tables", "--json", "--by", order, "--limit", "1"))[0]["table"] == "public.tickets"


def test_a_table_that_is_not_there_is_found(filled):
    answer = filled.run("tables", "--table", "meals")
    assert (answer.exit_code, answer.stdout) == (1, "There is no table meals: run the migration.\n")
    assert filled.run("tables", "--table", "public.notes").exit_code == 0


def test_indexes_are_found_by_name_and_use(filled):
    [found] = rows(filled.run("indexes", "--json", "--table", "tickets", "--like", "%location%"))
    assert (found["index"], found["valid"], found["unique"]) == ("public.by_note_location", True, False)
    assert found["definition"] == "btree (note)"
    answer = filled.run("indexes", "--table", "tickets", "--like", "%spatial%")
    assert (answer.exit_code, answer.stdout) == (1, "There is no such index.\n")
    assert [each["index"] for each in rows(filled.run("indexes", "--json", "--unused"))] == [
        "public.by_note_location"
    ]
    filled.sql("SET enable_seqscan = off; SELECT count(*) FROM tickets WHERE note = 'y'")
    filled.sql("SELECT pg_stat_force_next_flush()")
    answer = filled.run("indexes", "--unused")
    assert (answer.exit_code, answer.stdout) == (0, "Every index is used.\n")


# A person's own session, and the way in for it.


@pytest.fixture
def became(monkeypatch):
    """What this process would have gone on as."""
    seen = []

    def become(program, command, environment):
        seen.append((program, command, environment))
        raise SystemExit(0)

    monkeypatch.setattr(tunnels.os, "execvpe", become)
    return seen


@pytest.mark.parametrize(
    ("write", "options"), [([], "-c default_transaction_read_only=on"), (["--write"], None)]
)
def test_psql_gets_the_password_by_its_environment(stack, became, monkeypatch, write, options):
    monkeypatch.setenv("PGHOSTADDR", "10.0.0.1")
    monkeypatch.setenv("PGSERVICE", "another")
    port = stack.said["port"]
    stack.said["port"] = 5432
    answer = stack.run("connect", "--via", f"localhost:{port}", *write)
    assert answer.exit_code == 0, answer.output
    [(program, command, environment)] = became
    password = stack.database.server.passwords[MASTER]
    assert command == [program]
    assert {name: value for name, value in environment.items() if name.startswith("PG")} == {
        "PGHOST": "localhost",
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": str(port),
        "PGDATABASE": stack.said["name"],
        "PGUSER": MASTER,
        "PGPASSWORD": password,
        "PGCONNECT_TIMEOUT": "10",
        "PGAPPNAME": "groundwork",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": stack.ca,
        **({"PGOPTIONS": options} if options else {}),
    }
    assert password not in answer.output


TASK = "arn:aws:ecs:us-east-1:111122223333:task/rentfix-prod/0123"


@pytest.fixture
def ecs(stack, monkeypatch):
    """ECS by the Stubber: which tasks of core-matching there are. The definitions of services are as declared."""
    client = aws().client("ecs")
    login = stack.said["roleSecretArns"]["rentfix_app"]
    services = {name: said["taskDefinition"] for name, said in stack.outputs["services"].items()}
    assert list(services) == ["core-matching", "worker-ai"]
    with Stubber(client) as stub:

        def answer(agent="RUNNING", uses=True, tasks=(TASK,), asked=True):
            if asked:
                for arn in services.values():
                    own = uses and arn == services["core-matching"]
                    secrets = [
                        {"name": "DB_PASSWORD", "valueFrom": f"{login if own else 'arn:x'}:password::"}
                    ]
                    stub.add_response(
                        "describe_task_definition",
                        {"taskDefinition": {"containerDefinitions": [{"name": "app", "secrets": secrets}]}},
                        {"taskDefinition": arn},
                    )
            if uses:
                wanted = {
                    "cluster": stack.outputs["cluster"],
                    "serviceName": stack.outputs["services"]["core-matching"]["name"],
                    "desiredStatus": "RUNNING",
                }
                stub.add_response("list_tasks", {"taskArns": list(tasks)}, wanted)
            if uses and tasks:
                agents = [{"name": "ExecuteCommandAgent", "lastStatus": agent}]
                container = {"name": "app", "runtimeId": "0123-456", "managedAgents": agents}
                stub.add_response("describe_tasks", {"tasks": [{"taskArn": TASK, "containers": [container]}]})

        monkeypatch.setattr(Platform, "client", lambda *_: client)
        yield answer
        stub.assert_no_pending_responses()


def test_a_tunnel_goes_through_a_task_that_uses_the_database(stack, ecs, became, monkeypatch):
    monkeypatch.setattr(tunnels.shutil, "which", lambda name: f"/usr/bin/{name}")
    ecs()
    answer = stack.run("tunnel", "--local-port", "20000")
    assert answer.exit_code == 0, answer.output
    [(_, command, _)] = became
    assert command == [
        *("aws", "ssm", "start-session", "--region", "us-east-1"),
        *("--target", f"ecs:{stack.outputs['cluster']}_0123_0123-456"),
        *("--document-name", "AWS-StartPortForwardingSessionToRemoteHost", "--parameters"),
        json.dumps(
            {"host": ["localhost"], "portNumber": [str(stack.said["port"])], "localPortNumber": ["20000"]}
        ),
    ]
    assert answer.stderr == "In a second shell: --via localhost:20000. Ctrl-C closes it.\n"


def test_where_there_is_a_proxy_the_tunnel_leads_to_it(stack, ecs):
    stack.said["proxyAddress"] = "rentfix-proxy.example"
    said = refused(stack.run("tunnel"))
    assert "reach its connection proxy, not the database itself. Add --proxy here" in said
    ecs()
    assert '"host": ["rentfix-proxy.example"]' in stack.run("tunnel", "--dry-run", "--proxy").stdout


def test_a_proxy_is_asked_as_a_role(stack):
    stack.sql("CREATE ROLE rentfix_app LOGIN PASSWORD 'it''s rentfix_app''s'")
    assert "has no connection proxy. Leave out --proxy." in refused(
        stack.run("ping", "--proxy", "--role", "rentfix_app")
    )
    stack.said["proxyAddress"], stack.said["address"] = stack.said["address"], "away.invalid"
    assert rows(stack.run("ping", "--json", "--proxy", "--role", "rentfix_app"))["user"] == "rentfix_app"
    said = refused(stack.run("ping", "--proxy"))
    assert "The connection proxy lets roles in only: --role rentfix_app or rentfix_worker." in said
    said = refused(stack.run("slow", "--proxy", "--role", "rentfix_app", "--replica"))
    assert "The connection proxy leads to the writer. Leave out --proxy or --replica." in said
    stack.said["proxyAddress"] = "away.invalid"
    said = refused(stack.run("ping", "--proxy", "--role", "rentfix_app"))
    assert "`groundwork db tunnel --proxy --stack prod` in a second shell" in said


def test_a_dry_run_of_a_tunnel_is_its_command(stack, ecs, became):
    ecs(asked=False)
    answer = stack.run("tunnel", "--dry-run", "--service", "core-matching")
    assert answer.stdout.startswith("aws ssm start-session --region us-east-1 --target ecs:")
    assert became == []


def test_what_a_tunnel_needs_is_told_with_its_command(stack, ecs, monkeypatch):
    monkeypatch.setattr(tunnels.shutil, "which", lambda name: "/usr/bin/aws" if name == "aws" else None)
    ecs()
    said = refused(stack.run("tunnel"))
    assert (
        "session-manager-plugin is not on PATH: install AWS' session manager plugin. Or by hand: aws ssm"
        in said
    )


@pytest.mark.parametrize(
    ("state", "looked"),
    [
        ({"agent": "PENDING"}, "core-matching"),
        ({"tasks": ()}, "core-matching"),
        ({"uses": False}, "none uses the database"),
    ],
)
def test_no_task_that_can_be_entered_is_told(stack, ecs, state, looked):
    ecs(**state)
    said = refused(stack.run("tunnel"))
    assert (
        f"No task can be entered ({looked}): a service must run, with its ExecuteCommandAgent running."
        in said
    )


DATABASE = tunnels.Store(
    "the database", "db", 5432, ["arn:aws:secretsmanager:us-east-1:111122223333:secret:app"]
)


def test_what_a_tunnel_asks_of_session_manager_is_what_botocore_s_model_takes():
    line = tunnels.command(
        Platform("shop", "prod", {"region": "us-east-1"}), DATABASE, "ecs:cluster_0123_0123-456", 15432
    )
    options = dict(zip(line[3::2], line[4::2], strict=True))
    given = {
        "Target": options.pop("--target"),
        "DocumentName": options.pop("--document-name"),
        "Parameters": json.loads(options.pop("--parameters")),
    }
    assert options == {"--region": "us-east-1"}
    shape = aws().client("ssm").meta.service_model.operation_model("StartSession").input_shape
    assert not ParamValidator().validate(given, shape).has_errors()
    wrong = {**given, "Parameters": {"host": "db"}}
    assert ParamValidator().validate(wrong, shape).has_errors(), "a value that is no list is none"


def test_a_tunnel_needs_a_service_on_ecs():
    outputs = {"services": {"api": {"taskDefinition": ""}}}
    with pytest.raises(Refusal, match=r"No service of this stack runs on ECS.* Use the stack's VPN\."):
        tunnels.find_target(None, outputs, DATABASE, None)
    outputs = {"services": {"api": {"taskDefinition": "api:1"}}}
    with pytest.raises(
        Refusal, match=r"There is no service ap in this stack; there are: api\. Did you mean api\?"
    ):
        tunnels.find_target(None, outputs, DATABASE, "ap")


def test_the_local_stack_needs_no_tunnel(stack, monkeypatch):
    monkeypatch.setattr(Platform, "endpoint_url", "http://127.0.0.1:4566", raising=False)
    platform = Platform("rentalfix", "local", stack.outputs, endpoint_url="http://127.0.0.1:4566")
    monkeypatch.setattr(reach, "opened", lambda *_: platform)
    assert "The local stack's database is only written down in the emulator" in refused(stack.run("tunnel"))
