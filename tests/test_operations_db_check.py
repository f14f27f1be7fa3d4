"""`groundwork db check` on a real PostgreSQL: as declared it says nothing, and each way to spoil it is found, alone."""

import json
import re
from contextlib import contextmanager
from unittest.mock import Mock

import psycopg
import pytest

from operations.db import grants, health, reach
from operations.db.declared import declared
from tests.database_stack import MIGRATION, eventually, standing
from tests.program import declared as recorded
from tests.real_servers import MASTER, Refused

# Together with what else looks at RentalFix's production, which is recorded once for all of them.
pytestmark = pytest.mark.xdist_group("prod ")

BOOTSTRAP = "`groundwork db bootstrap` makes it so."


@pytest.fixture(scope="module")
def bootstrapped(postgres, tmp_path_factory):
    extensions = ("postgis", "postgis_topology", "pg_stat_statements")
    with (
        postgres.database(*extensions) as database,
        standing(database, tmp_path_factory.mktemp("check")) as stack,
    ):
        stack.sql(MIGRATION)
        stack.bootstrap()
        yield stack


@pytest.fixture
def stack(bootstrapped):
    """As declared; what a test changes in the outputs is put back."""
    kept = json.dumps(bootstrapped.said)
    yield bootstrapped
    bootstrapped.said.clear()
    bootstrapped.said.update(json.loads(kept))


def found(stack, *arguments):
    answer = stack.run("check", "--json", *arguments)
    notices = json.loads(answer.stdout)
    assert answer.exit_code == (1 if notices else 0)
    return notices


@contextmanager
def spoiled(stack, spoil, mend):
    stack.database.sql(spoil)
    try:
        yield
    finally:
        stack.database.sql(mend)


def test_what_was_bootstrapped_is_as_declared(stack):
    answer = stack.run("check")
    assert answer.exit_code == 0
    assert answer.stdout == (
        f"The database {stack.said['name']} is as declared: version, extensions, roles, grants, row-level-security, "
        "indexes, parameters, connections, transactions, statements.\n"
    )


SPOILED = {
    "role that may not log in": (
        "ALTER ROLE rentfix_app NOLOGIN",
        "ALTER ROLE rentfix_app LOGIN",
        ("roles", "rentfix_app", f"may not log in. {BOOTSTRAP}"),
    ),
    "role that may pass by row level security": (
        "ALTER ROLE rentfix_app BYPASSRLS",
        "ALTER ROLE rentfix_app NOBYPASSRLS",
        ("roles", "rentfix_app", "is BYPASSRLS, which is not declared. ALTER ROLE rentfix_app NOBYPASSRLS;"),
    ),
    "role that may make roles": (
        "ALTER ROLE rentfix_app CREATEROLE",
        "ALTER ROLE rentfix_app NOCREATEROLE",
        (
            "roles",
            "rentfix_app",
            "is CREATEROLE, which is not declared. ALTER ROLE rentfix_app NOCREATEROLE;",
        ),
    ),
    "password that has expired": (
        "ALTER ROLE rentfix_worker VALID UNTIL '2020-01-01'",
        "ALTER ROLE rentfix_worker VALID UNTIL 'infinity'",
        (
            "roles",
            "rentfix_worker",
            "its password has expired. ALTER ROLE rentfix_worker VALID UNTIL 'infinity';",
        ),
    ),
    "member of another role": (
        "GRANT pg_read_all_data TO rentfix_worker",
        "REVOKE pg_read_all_data FROM rentfix_worker",
        (
            "roles",
            "rentfix_worker",
            "is a member of pg_read_all_data, and may do what that may. REVOKE pg_read_all_data FROM rentfix_worker;",
        ),
    ),
    "setting that is not declared": (
        "ALTER ROLE rentfix_app SET work_mem = '1GB'",
        "ALTER ROLE rentfix_app RESET ALL",
        ("roles", "rentfix_app", f"has the settings work_mem=1GB, and none are declared. {BOOTSTRAP}"),
    ),
    "login that is not declared": (
        'CREATE ROLE "New Hire" LOGIN',
        'DROP ROLE "New Hire"',
        (
            "roles",
            "New Hire",
            'may log in, and is not declared. Declare it in database.roles, or ALTER ROLE "New Hire" NOLOGIN;',
        ),
    ),
    "grant that is missing": (
        "REVOKE UPDATE, INSERT ON contractors FROM rentfix_app",
        "GRANT UPDATE, INSERT ON contractors TO rentfix_app",
        (
            "grants",
            "public.contractors",
            f"rentfix_app was not granted INSERT, UPDATE, which is declared. {BOOTSTRAP}",
        ),
    ),
    "grant that is not declared": (
        "GRANT DELETE, TRUNCATE ON contractors TO rentfix_app",
        "REVOKE DELETE, TRUNCATE ON contractors FROM rentfix_app",
        (
            "grants",
            "public.contractors",
            "rentfix_app may DELETE, TRUNCATE, which is not declared. "
            "REVOKE DELETE, TRUNCATE ON public.contractors FROM rentfix_app;",
        ),
    ),
    "grant on a table of which nothing is declared": (
        'CREATE TABLE "Odd" (); GRANT SELECT ON "Odd" TO rentfix_worker',
        'DROP TABLE "Odd"',
        (
            "grants",
            "public.Odd",
            'rentfix_worker may SELECT, which is not declared. REVOKE SELECT ON public."Odd" FROM rentfix_worker;',
        ),
    ),
    "grant to everybody": (
        "GRANT SELECT ON contractors TO PUBLIC",
        "REVOKE SELECT ON contractors FROM PUBLIC",
        (
            "grants",
            "public.contractors",
            "everybody may SELECT, which is not declared. REVOKE SELECT ON public.contractors FROM PUBLIC;",
        ),
    ),
    "grant that may be passed on": (
        "GRANT SELECT ON contractors TO rentfix_app WITH GRANT OPTION",
        "REVOKE GRANT OPTION FOR SELECT ON contractors FROM rentfix_app",
        (
            "grants",
            "public.contractors",
            "rentfix_app may GRANT OPTION, which is not declared. "
            "REVOKE GRANT OPTION FOR ALL ON public.contractors FROM rentfix_app;",
        ),
    ),
    "grant on one column": (
        "GRANT UPDATE (stars) ON contractor_ratings TO rentfix_app",
        "REVOKE UPDATE (stars) ON contractor_ratings FROM rentfix_app",
        (
            "grants",
            "column public.contractor_ratings.stars",
            "rentfix_app may UPDATE, which is not declared. "
            "REVOKE UPDATE (stars) ON public.contractor_ratings FROM rentfix_app;",
        ),
    ),
    "sequence that an insert needs": (
        "REVOKE USAGE ON SEQUENCE contractors_id_seq FROM rentfix_app",
        "GRANT USAGE ON SEQUENCE contractors_id_seq TO rentfix_app",
        (
            "grants",
            "sequence public.contractors_id_seq",
            f"rentfix_app was not granted USAGE, which is declared. {BOOTSTRAP}",
        ),
    ),
    "sequence that may be set back": (
        "GRANT UPDATE ON SEQUENCE contractors_id_seq TO rentfix_app",
        "REVOKE UPDATE ON SEQUENCE contractors_id_seq FROM rentfix_app",
        (
            "grants",
            "sequence public.contractors_id_seq",
            "rentfix_app may UPDATE, which is not declared. "
            "REVOKE UPDATE ON SEQUENCE public.contractors_id_seq FROM rentfix_app;",
        ),
    ),
    "schema that a role may fill": (
        "GRANT CREATE ON SCHEMA public TO rentfix_app",
        "REVOKE CREATE ON SCHEMA public FROM rentfix_app",
        (
            "grants",
            "schema public",
            "rentfix_app may CREATE, which is not declared. REVOKE CREATE ON SCHEMA public FROM rentfix_app;",
        ),
    ),
    "schema that everybody may fill": (
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        (
            "grants",
            "schema public",
            "everybody may CREATE, which is not declared. REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
        ),
    ),
    "grant on what will be made": (
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {MASTER} GRANT SELECT ON TABLES TO rentfix_worker",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {MASTER} REVOKE SELECT ON TABLES FROM rentfix_worker",
        (
            "grants",
            "what master will make",
            "rentfix_worker may SELECT, which is not declared. `\\ddp` of psql shows it; ALTER DEFAULT PRIVILEGES ... "
            "REVOKE ... FROM rentfix_worker takes it back.",
        ),
    ),
    "table that a role owns": (
        "CREATE TABLE theirs (); ALTER TABLE theirs OWNER TO rentfix_worker",
        "DROP TABLE theirs",
        (
            "grants",
            "public.theirs",
            "belongs to rentfix_worker, which so may do everything to it, whatever is granted. "
            "ALTER TABLE public.theirs OWNER TO master;",
        ),
    ),
    "row level security that is off": (
        "ALTER TABLE contractors DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE contractors ENABLE ROW LEVEL SECURITY",
        (
            "row-level-security",
            "contractors",
            f"row level security is off: whoever may read it sees every row. {BOOTSTRAP}",
        ),
    ),
    "policy that is missing": (
        "DROP POLICY contractor_insert_policy ON contractors",
        "CREATE POLICY contractor_insert_policy ON contractors FOR INSERT TO rentfix_app WITH CHECK (true)",
        (
            "row-level-security",
            "contractors, contractor_insert_policy",
            f"there is no such policy: INSERT of rows is refused without one. {BOOTSTRAP}",
        ),
    ),
    "policy that shows more": (
        "ALTER POLICY contractor_access_policy ON contractors USING (deleted_at IS NULL)",
        "ALTER POLICY contractor_access_policy ON contractors USING (deleted_at IS NULL AND status = 'verified')",
        (
            "row-level-security",
            "contractors, contractor_access_policy",
            "using is (deleted_at IS NULL), and ((deleted_at IS NULL) AND (status = 'verified'::text)) is declared. "
            f"{BOOTSTRAP}",
        ),
    ),
    "policy that lets others write": (
        "ALTER POLICY contractor_update_policy ON contractors TO rentfix_app, rentfix_worker",
        "ALTER POLICY contractor_update_policy ON contractors TO rentfix_app",
        (
            "row-level-security",
            "contractors, contractor_update_policy",
            f"roles is rentfix_app, rentfix_worker, and rentfix_app is declared. {BOOTSTRAP}",
        ),
    ),
    "policy that checks nothing": (
        "DROP POLICY contractor_update_policy ON contractors; CREATE POLICY contractor_update_policy ON contractors "
        "FOR UPDATE TO rentfix_app USING (deleted_at IS NULL)",
        "ALTER POLICY contractor_update_policy ON contractors WITH CHECK (true)",
        (
            "row-level-security",
            "contractors, contractor_update_policy",
            f"check is nothing, and true is declared. {BOOTSTRAP}",
        ),
    ),
    "policy that is not declared": (
        "CREATE POLICY backdoor ON contractors FOR SELECT USING (true)",
        "DROP POLICY backdoor ON contractors",
        (
            "row-level-security",
            "contractors",
            "has the policy backdoor, which is not declared. DROP POLICY backdoor ON contractors;",
        ),
    ),
    "index that is missing": (
        "ALTER INDEX idx_contractors_specialty_location RENAME TO other",
        "ALTER INDEX other RENAME TO idx_contractors_specialty_location",
        (
            "indexes",
            "idx_contractors_specialty_location",
            f"there is no such index on contractors. {BOOTSTRAP}",
        ),
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_is_spoiled_is_found_alone_and_mended_is_well(stack, what):
    spoil, mend, expected = SPOILED[what]
    with spoiled(stack, spoil, mend):
        assert found(stack) == [dict(zip(("topic", "subject", "said"), expected, strict=True))]
    assert found(stack, "--only", expected[0]) == []


def notice(topic, subject, said):
    return {"topic": topic, "subject": subject, "said": said}


DECLARED = {
    "newer server": (
        {"minimumVersion": "99.1"},
        ("version", "PostgreSQL", r"is 1\d.*, and 99\.1 is the least\. Raise database\.engine_version\."),
    ),
    "extension that is not there": (
        {"extensions": {"pg_trgm": "1.0"}},
        ("extensions", "pg_trgm", r"is not there\. `groundwork db bootstrap` makes it so\."),
    ),
    "extension that nobody offers": (
        {"extensions": {"nonesuch": "1"}},
        (
            "extensions",
            "nonesuch",
            r"this server does not offer it\. Choose a newer database\.engine_version, .*",
        ),
    ),
    "extension that is too old": (
        {"extensions": {"postgis": "99"}},
        (
            "extensions",
            "postgis",
            r"is 3\.\d.*, and 99 is the least\. Choose a newer database\.engine_version\.",
        ),
    ),
    "parameter with another value": (
        {"parameters": {"work_mem": "65536"}},
        (
            "parameters",
            "work_mem",
            r"is 4096 kB, and 65536 is declared\. `pulumi up`, then `groundwork db reboot-if-pending`\.",
        ),
    ),
    "parameter that the server does not know": (
        {"parameters": {"nonesuch": "1"}},
        ("parameters", "nonesuch", r"is none of this server's, and 1 is declared\. Leave it out\."),
    ),
    "role that is not there": (
        {"roles": {"ghost": {"tables": {}, "schemas": {}, "database": [], "settings": {}}}},
        ("roles", "ghost", r"there is no such role\. .*"),
    ),
    "policy that PostgreSQL does not take": (
        {
            "rowPolicies": [
                {"name": "p", "table": "contractor_ratings", "command": "SELECT", "using": "nonesuch"}
            ]
        },
        (
            "row-level-security",
            "contractor_ratings, p",
            r'PostgreSQL does not take the declared policy: column "nonesuch" does not exist\. Mend it in .*',
        ),
    ),
    "index of another kind": (
        {
            "indexes": [
                {
                    "name": "contractor_ratings_pkey",
                    "table": "contractor_ratings",
                    "definition": "USING hash (id)",
                }
            ]
        },
        (
            "indexes",
            "contractor_ratings_pkey",
            r"is USING btree \(id\), and USING hash \(id\) is declared\. DROP INDEX CONCURRENTLY .*; then `.*",
        ),
    ),
    "index that PostgreSQL does not take": (
        {"indexes": [{"name": "i", "table": "contractor_ratings", "definition": "(nonesuch)"}]},
        (
            "indexes",
            "i",
            r'PostgreSQL does not take the declared index: column "nonesuch" does not exist\. Mend .*',
        ),
    ),
}


@pytest.mark.parametrize("what", DECLARED)
def test_what_is_declared_and_not_so_is_found(stack, what):
    change, (topic, subject, said) = DECLARED[what]
    wanted = stack.said["declared"]
    for key, value in change.items():
        if isinstance(value, list):
            wanted[key] += [{"roles": [], "using": "", "check": "", **each} for each in value]
        else:
            wanted[key] = {**wanted[key], **value} if isinstance(value, dict) else value
    matching = [
        each for each in found(stack, "--only", topic) if (each["topic"], each["subject"]) == (topic, subject)
    ]
    assert len(matching) == 1
    assert re.fullmatch(said, matching[0]["said"])


def test_a_table_that_no_migration_has_made_is_told_once(stack):
    wanted = stack.said["declared"]
    wanted["roles"]["rentfix_app"]["tables"]["invoices"] = ["SELECT"]
    wanted["rowPolicies"].append({**wanted["rowPolicies"][0], "table": "invoices"})
    wanted["indexes"].append({**wanted["indexes"][0], "table": "invoices"})
    said = "there is no such table. Run the migration, then `groundwork db bootstrap`."
    assert found(stack) == [notice("grants", "invoices", said)]


def test_an_owner_passes_by_row_level_security(stack):
    spoil = "ALTER TABLE contractors OWNER TO rentfix_app"
    mend = (
        f"ALTER TABLE contractors OWNER TO {MASTER}; GRANT SELECT, INSERT, UPDATE ON contractors TO rentfix_app; "
        "GRANT USAGE ON contractors_id_seq TO rentfix_app"
    )
    with spoiled(stack, spoil, mend):
        owned, passing = found(stack)
    assert owned["said"].startswith("belongs to rentfix_app, which so may do everything to it")
    assert passing == notice(
        "row-level-security",
        "contractors",
        "belongs to rentfix_app, for whom no policy holds. ALTER TABLE contractors OWNER TO master;",
    )
    assert found(stack) == []


def test_all_is_every_privilege_there_is(stack):
    wanted = stack.said["declared"]
    wanted["roles"]["rentfix_worker"]["tables"]["contractor_ratings"] = ["ALL"]
    [sequence, missing] = found(stack)
    assert missing["said"] == (
        "rentfix_worker was not granted DELETE, INSERT, REFERENCES, TRIGGER, TRUNCATE, UPDATE, which is declared. "
        + BOOTSTRAP
    )
    assert sequence["subject"] == "sequence public.contractor_ratings_id_seq"
    spoil = (
        "GRANT ALL ON contractor_ratings TO rentfix_worker; "
        "GRANT USAGE ON contractor_ratings_id_seq TO rentfix_worker"
    )
    mend = (
        "REVOKE ALL ON contractor_ratings, contractor_ratings_id_seq FROM rentfix_worker; "
        "GRANT SELECT ON contractor_ratings TO rentfix_worker"
    )
    with spoiled(stack, spoil, mend):
        assert found(stack) == []


def test_what_postgresql_17_adds_to_all_is_neither_missing_nor_too_much():
    key = ("app", "table", "public.orders")
    privileges = set(grants.ALL["table"])
    assert list(grants.compare({key: privileges | {"MAINTAIN"}}, {key: privileges}, set())) == []
    assert list(grants.compare({key: privileges}, {key: privileges}, set())) == []
    [more] = grants.compare({key: {"SELECT", "MAINTAIN"}}, {key: {"SELECT"}}, set())
    assert more.said == "app may MAINTAIN, which is not declared. REVOKE MAINTAIN ON public.orders FROM app;"


def test_an_index_that_an_interrupted_build_has_left_is_found(stack):
    stack.sql("INSERT INTO contractor_ratings (contractor_id, stars) VALUES (1, 1), (1, 1)")
    with pytest.raises(Refused, match="could not create unique index"):
        stack.sql("CREATE UNIQUE INDEX CONCURRENTLY half ON contractor_ratings (stars)")
    try:
        said = "is not valid: writers pay for it, and no query uses it. `groundwork db reindex` mends or drops it."
        assert found(stack) == [notice("indexes", "public.half", said)]
    finally:
        stack.sql("DROP INDEX half; DELETE FROM contractor_ratings")


def test_a_parameter_that_waits_for_a_restart_is_found(stack):
    server = stack.database.server
    server.sql("ALTER SYSTEM SET max_connections = 60;\nSELECT pg_reload_conf()")
    try:
        waiting = "SELECT pending_restart FROM pg_settings WHERE name = 'max_connections'"
        eventually(lambda: server.sql(waiting) == "t")
        said = "has another value that waits for a restart. `groundwork db reboot-if-pending` does it."
        assert found(stack) == [notice("parameters", "max_connections", said)]
    finally:
        server.sql("ALTER SYSTEM RESET max_connections;\nSELECT pg_reload_conf()")
    eventually(lambda: server.sql(waiting) == "f")


def test_a_connection_without_tls_is_found(stack):
    server = stack.database.server
    admission = server.folder / "data" / "pg_hba.conf"
    kept = admission.read_text(encoding="utf-8")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        stack.connection(sslmode="disable")
    admission.write_text(f"hostnossl all {MASTER} 127.0.0.1/32 scram-sha-256\n{kept}", encoding="utf-8")
    try:
        server.sql("SELECT pg_reload_conf()")
        with _eventually_connected(stack):
            said = f"1 of its connections are without TLS: rds.force_ssl must be 1. {health.RESTART}"
            assert found(stack) == [notice("connections", MASTER, said)]
    finally:
        admission.write_text(kept, encoding="utf-8")
        server.sql("SELECT pg_reload_conf()")


def _eventually_connected(stack):
    made = []

    def connected():
        try:
            made.append(stack.connection(sslmode="disable"))
        except psycopg.OperationalError:
            return False
        return True

    eventually(connected)
    return made[0]


def test_a_transaction_that_waits_for_its_client_is_found(stack):
    with stack.connection("rentfix_app") as waiting:
        waiting.execute("SELECT 1")
        assert found(stack) == []
        [told] = found(stack, "--idle-minutes", "0")
        pid = waiting.info.backend_pid
    assert told["subject"] == f"rentfix_app ({pid})"
    assert re.fullmatch(
        r"its transaction has waited for its client for \d\.\d s: it keeps locks, and vacuum from its work\. "
        rf"`groundwork db cancel {pid} --terminate` ends it\.",
        told["said"],
    )


def test_a_prepared_transaction_that_nobody_ended_is_found(stack):
    stack.sql(
        "BEGIN; INSERT INTO contractor_ratings (contractor_id, stars) VALUES (1, 1); PREPARE TRANSACTION 'lost'"
    )
    try:
        [told] = found(stack, "--idle-minutes", "0")
    finally:
        stack.sql("ROLLBACK PREPARED 'lost'")
    assert told["subject"] == "lost"
    assert re.fullmatch(
        r"was prepared by master \d\.\d s ago and never ended: it keeps its locks, and vacuum from its work\. "
        r"ROLLBACK PREPARED 'lost'; or COMMIT PREPARED\.",
        told["said"],
    )


def test_a_replication_slot_that_nobody_reads_is_found(stack):
    server = stack.database.server
    server.sql("SELECT pg_create_physical_replication_slot('left_behind')")
    try:
        [told] = found(stack)
    finally:
        server.sql("SELECT pg_drop_replication_slot('left_behind')")
    assert told == notice(
        "transactions",
        "left_behind",
        "nobody reads this replication slot, so the log is kept until the disk is full. Drop it with "
        "pg_drop_replication_slot if its reader is gone.",
    )


def test_transaction_ids_that_run_out_are_found(stack):
    with stack.connection() as connection:
        told = {each.subject: each.said for each in health.transactions(connection, 600, oldest=0)}
        assert list(health.transactions(connection, 600)) == []
    assert re.fullmatch(
        r"its oldest transaction id is [\d,]+ old, more than 0: at 2\.1 billion it refuses writes\. "
        r"`groundwork db vacuum --freeze`; before it, end what keeps vacuum from its work\.",
        told[stack.said["name"]],
    )


def test_a_password_that_the_statistics_keep_is_found(stack):
    stack.sql("ALTER ROLE rentfix_app PASSWORD 'hunter2'")
    try:
        [told] = found(stack)
        assert told["subject"] == "pg_stat_statements"
        assert told["said"].startswith(
            "keeps 1 statements that set a password, for everybody who may read statistics."
        )
        assert "hunter2" not in told["said"]
    finally:
        stack.database.sql("SELECT pg_stat_statements_reset()")
    stack.sql("ALTER ROLE rentfix_app PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy'")
    assert found(stack) == []
    stack.bootstrap()


def test_statistics_that_are_made_and_not_loaded_are_found():
    """What a server says that was started without the library."""
    server = Mock()
    server.execute.return_value.fetchall.side_effect = [
        [{"version": "1.10", "schema": "public"}],
        [{"libraries": "rdsutils"}],
    ]
    [told] = health.statements(server)
    assert told.said == f"is made, and not loaded: shared_preload_libraries must name it. {health.RESTART}"


def test_what_cannot_be_looked_at_is_found_and_the_others_are_looked_at(stack, monkeypatch):
    monkeypatch.setattr(reach, "LOCK_TIMEOUT_S", 0.1)
    stack.database.sql("ALTER ROLE rentfix_app NOLOGIN")
    try:
        with stack.connection() as locking:
            locking.execute("LOCK TABLE contractors")
            told = {each["topic"]: (each["subject"], each["said"]) for each in found(stack)}
    finally:
        stack.database.sql("ALTER ROLE rentfix_app LOGIN")
    locked = (
        "PostgreSQL said: canceling statement due to lock timeout (55P03). Somebody holds a lock on it: `groundwork db "
        "activity` shows who blocks whom."
    )
    assert told == {
        "roles": ("rentfix_app", f"may not log in. {BOOTSTRAP}"),
        "row-level-security": ("not checked", locked),
        "indexes": ("not checked", locked),
    }


def test_a_topic_is_chosen_and_told_as_text(stack):
    stack.said["declared"]["minimumVersion"] = "99"
    answer = stack.run("check", "--only", "version", "--only", "roles", "--only", "version")
    assert answer.exit_code == 1
    [line] = answer.stdout.splitlines()
    assert line.startswith("version: PostgreSQL: is 1")


def test_it_changes_nothing(stack):
    def schema():
        dump = stack.database.client("pg_dump", "--schema-only")
        return [
            line for line in dump.splitlines() if "restrict" not in line
        ]  # a key that is new in each dump

    before = schema()
    assert found(stack) == []
    assert schema() == before
    assert stack.sql("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == "0"


@pytest.mark.parametrize(
    ("row", "declared_value", "is_so"),
    [
        ({"vartype": "integer", "setting": "65536"}, "65536", True),
        ({"vartype": "integer", "setting": "65536"}, "65537", False),
        ({"vartype": "real", "setting": "0.1"}, "0.10", True),
        ({"vartype": "bool", "setting": "on"}, "1", True),
        ({"vartype": "bool", "setting": "on"}, "off", False),
        ({"vartype": "enum", "setting": "ddl"}, "DDL", True),
        ({"vartype": "string", "setting": "UTC"}, "Europe/Berlin", False),
        ({"vartype": "integer", "setting": "1"}, "{DBInstanceClassMemory/32768}", True),
        ({"name": "shared_preload_libraries", "vartype": "string", "setting": "rdsutils,a, b"}, "b,a", True),
        ({"name": "shared_preload_libraries", "vartype": "string", "setting": "rdsutils"}, "a", False),
    ],
)
def test_values_are_compared_as_the_server_means_them(row, declared_value, is_so):
    assert health.is_set({"name": "x", **row}, declared_value) is is_so


def test_postgis_names_its_parts():
    assert health.postgis_without("3.3 USE_GEOS=1 USE_PROJ=1 USE_STATS=1") == []
    assert health.postgis_without("3.3 USE_GEOS=1 USE_PROJ=0 USE_STATS=1") == ["PROJ"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("15.20 (Debian 15.20-0)", (15, 20)), ("3.3.2", (3, 3, 2)), ("17beta1", (17,)), ("unknown", ())],
)
def test_the_numbers_of_a_version(text, numbers):
    assert health.numbers(text) == numbers


def test_the_outputs_say_what_is_declared():
    wanted = declared(recorded("prod").value["database"])
    assert list(wanted.roles) == ["rentfix_app", "rentfix_worker"]
    assert wanted.tables == ["contractor_ratings", "contractors"]
    assert [index.name for index in wanted.indexes] == ["idx_contractors_specialty_location"]
    assert {policy.command for policy in wanted.row_policies} == {"SELECT", "INSERT", "UPDATE"}
    assert (wanted.minimum_version, wanted.master_user) == ("14", "postgres")
    assert wanted.parameters["max_connections"] == "200"
