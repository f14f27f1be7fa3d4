"""`groundwork db vacuum | reindex` on a real PostgreSQL: what is done and left alone, and what Ctrl-C leaves."""

import json
import re
import threading
from contextlib import contextmanager

import pytest

from operations.db import care, reach
from operations.db.care import Work
from operations.db.reach import Database, Reach
from operations.platform import Platform
from tests.database_stack import eventually, standing
from tests.real_servers import Refused

# Together with what else looks at RentalFix's production, which is recorded once for all of them.
pytestmark = pytest.mark.xdist_group("prod ")


@pytest.fixture
def stack(new_database, tmp_path):
    with standing(new_database(), tmp_path) as made:
        made.sql("""
            CREATE TABLE tickets (id int PRIMARY KEY, note text);
            CREATE TABLE notes (id int);
            INSERT INTO tickets SELECT n, repeat('x', 200) FROM generate_series(1, 1000) AS n;
        """)
        yield made


@pytest.fixture
def other(stack):
    """Somebody else's connection, with a transaction of his own."""
    with stack.connection() as connection:
        yield connection
        connection.rollback()


def answered(answer):
    return json.loads(answer.stdout)


# Vacuum.


def dead(stack):
    stack.sql("SELECT pg_stat_force_next_flush()")
    return int(stack.sql("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'tickets'"))


def test_vacuum_removes_dead_rows_and_counts_anew(stack):
    stack.sql("DELETE FROM tickets WHERE id <= 500")
    assert dead(stack) == 500
    answer = stack.run("vacuum")
    assert answer.exit_code == 0
    first, second = answer.stdout.splitlines()
    assert first.startswith("public.tickets: done in "), "where most is dead comes first"
    assert second.startswith("public.notes: done in ")
    assert dead(stack) == 0
    assert (
        stack.sql(
            "SELECT last_vacuum IS NOT NULL, last_analyze IS NOT NULL, reltuples FROM pg_stat_user_tables "
            "JOIN pg_class ON oid = relid WHERE pg_class.relname = 'tickets'"
        )
        == "t|t|500"
    )


def test_vacuum_of_one_table_without_counting(stack):
    answer = stack.run("vacuum", "--table", "tickets", "--no-analyze", "--json")
    [done] = answered(answer)
    assert (done["name"], done["problem"]) == ("public.tickets", "")
    assert 0 < done["took_s"] < 10
    seen = "SELECT string_agg(relname, ',') FROM pg_stat_user_tables WHERE {} IS NOT NULL"
    assert stack.sql(seen.format("last_vacuum")) == "tickets"
    assert stack.sql(seen.format("last_analyze")) == ""


def test_vacuum_freezes_transaction_ids(stack):
    age = "SELECT age(relfrozenxid) FROM pg_class WHERE relname = 'tickets'"
    for _ in range(5):
        stack.sql("UPDATE notes SET id = 1; SELECT pg_current_xact_id()")
    assert int(stack.sql(age)) > 3
    assert stack.run("vacuum", "--freeze", "--table", "public.tickets").exit_code == 0
    assert int(stack.sql(age)) <= 3


def test_a_dry_run_of_vacuum_says_what_is_dead(stack):
    stack.sql("DELETE FROM tickets WHERE id <= 500")
    assert dead(stack) == 500
    answer = stack.run("vacuum", "--dry-run")
    assert answer.exit_code == 0
    first, second = answer.stdout.splitlines()
    assert first == "would vacuum public.tickets (500 dead rows beside 500)"
    assert second == "would vacuum public.notes (0 dead rows beside 0)"
    told = answered(stack.run("vacuum", "--dry-run", "--json"))
    assert told.keys() == {"stack", "would"}
    assert told["would"] == [line.removeprefix("would ") for line in (first, second)]
    assert dead(stack) == 500


def test_a_table_that_is_not_there_is_refused_with_the_nearest(stack):
    answer = stack.run("vacuum", "--table", "ticket")
    assert answer.exit_code == 2
    assert "There is no table ticket; there are: notes, tickets. Did you mean tickets?" in answer.output


def test_a_locked_table_does_not_keep_the_others_from_their_turn(stack, other, monkeypatch):
    monkeypatch.setattr(reach, "LOCK_TIMEOUT_S", 0.1)
    stack.sql("DELETE FROM tickets")
    assert dead(stack) == 1000
    other.execute("LOCK TABLE tickets")
    answer = stack.run("vacuum")
    assert answer.exit_code == 1
    locked, done = answer.stdout.splitlines()
    assert locked == (
        "public.tickets: PostgreSQL said: canceling statement due to lock timeout (55P03). "
        "Somebody holds a lock on it: `groundwork db activity` shows who blocks whom."
    )
    assert done.startswith("public.notes: done in ")


def test_a_table_that_postgresql_skips_is_not_done(stack):
    """It only warns of it."""
    stack.sql("CREATE ROLE rentfix_app LOGIN PASSWORD 'it''s rentfix_app''s'")
    stack.sql("GRANT SELECT ON tickets TO rentfix_app")
    answer = stack.run("vacuum", "--table", "tickets", "--role", "rentfix_app")
    assert answer.exit_code == 1
    assert re.fullmatch(
        r'public\.tickets: PostgreSQL said: .*(skipping "tickets" --- only table or|permission denied to vacuum).*\.\n',
        answer.stdout,
    )


@contextmanager
def running(stack, statement, progress, **settings):
    """The statement, at work; what a bar would show of it."""
    with stack.connection(autocommit=True) as working, stack.connection(autocommit=True) as watching:
        for name, value in settings.items():
            working.execute(f"SET {name} = {value}".encode())
        work = Work(working, watching, progress, Database(Platform("", "", {}), Reach()))
        thread = threading.Thread(target=lambda: working.execute(statement))
        thread.start()
        try:
            yield lambda: work._seen("it")
        finally:
            thread.join(20)


def test_a_vacuum_is_seen_while_it_works(stack):
    stack.sql("INSERT INTO tickets SELECT n, repeat('x', 200) FROM generate_series(1001, 20000) AS n")
    stack.sql("DELETE FROM tickets")
    slowly = {"vacuum_cost_delay": 1, "vacuum_cost_limit": 5}
    with running(stack, "VACUUM tickets", care._VACUUM_PROGRESS, **slowly) as look:
        seen = eventually(look, lambda seen: seen.get("completed"))
    assert seen["description"] in ("it: scanning heap", "it: vacuuming indexes", "it: vacuuming heap")
    assert 0 < seen["completed"] <= seen["total"]


def test_whom_a_statement_waits_for_is_seen(stack, other):
    other.execute("LOCK TABLE tickets")
    with running(stack, "VACUUM tickets", care._VACUUM_PROGRESS) as look:
        seen = eventually(look, lambda seen: "waits for" in seen["description"])
        other.rollback()
    assert seen == {"description": f"it: waits for {other.info.backend_pid}", "total": None}


def test_ctrl_c_calls_the_statement_off(stack, other, monkeypatch):
    other.execute("LOCK TABLE tickets")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Work, "_seen", interrupted)
    answer = stack.run("vacuum", "--table", "tickets")
    assert answer.exit_code == 1
    assert answer.stderr.endswith(
        "public.tickets: called off. What was done before stays done; run the same command again.\n"
    )
    assert (
        stack.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'VACUUM%' AND state = 'active'")
        == "0"
    )


# Reindex.


def files(stack):
    rows = stack.sql(
        "SELECT relname, pg_relation_filenode(oid) FROM pg_class WHERE relkind = 'i' AND "
        "relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    return dict(row.split("|") for row in rows.splitlines())


def indexes(stack):
    rows = stack.sql(
        "SELECT indexrelid::regclass, indisvalid FROM pg_index JOIN pg_class c ON c.oid = indrelid "
        "WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    return dict(row.split("|") for row in rows.splitlines())


def half_built(stack):
    """A unique index that could not be built, for there were two alike."""
    stack.sql("INSERT INTO notes VALUES (7), (7)")
    with pytest.raises(Refused, match="could not create unique index"):
        stack.sql("CREATE UNIQUE INDEX CONCURRENTLY one_of_each ON notes (id)")
    assert indexes(stack)["one_of_each"] == "f"


def test_every_index_is_built_anew(stack):
    stack.sql("CREATE INDEX by_note ON tickets (note); CREATE INDEX by_id ON notes (id)")
    before = files(stack)
    answer = stack.run("reindex", "--all", "--yes", "--json")
    assert answer.exit_code == 0
    assert [done["name"] for done in answered(answer)] == [
        "public.by_id",
        "public.by_note",
        "public.tickets_pkey",
    ]
    after = files(stack)
    assert before.keys() == after.keys()
    assert all(before[name] != after[name] for name in before)
    assert set(indexes(stack).values()) == {"t"}


def test_the_indexes_of_a_table_or_one_alone(stack):
    stack.sql("CREATE INDEX by_note ON tickets (note); CREATE INDEX by_id ON notes (id)")
    before = files(stack)
    assert stack.run("reindex", "--table", "tickets", "--yes").exit_code == 0
    then = files(stack)
    assert {name for name in before if before[name] != then[name]} == {"by_note", "tickets_pkey"}
    assert stack.run("reindex", "--index", "by_id", "--yes").exit_code == 0
    assert {name for name in before if then[name] != files(stack)[name]} == {"by_id"}


def test_without_a_name_only_what_is_not_valid_is_mended(stack):
    answer = stack.run("reindex")
    assert (answer.exit_code, answer.stdout) == (0, "There is no index to mend.\n")
    half_built(stack)
    stack.sql("DELETE FROM notes")
    before = files(stack)
    answer = stack.run("reindex", "--yes")
    assert answer.exit_code == 0
    assert "will rebuild public.one_of_each of public.notes (" in answer.stderr
    assert indexes(stack) == {"one_of_each": "t", "tickets_pkey": "t"}
    assert files(stack)["tickets_pkey"] == before["tickets_pkey"]


def test_what_an_interrupted_reindex_has_left_is_dropped_with_consent(stack):
    half_built(stack)
    answer = stack.run("reindex", "--yes")
    assert answer.exit_code == 1
    assert (
        'public.one_of_each: PostgreSQL said: could not create unique index "one_of_each_ccnew" (23505).'
        in (answer.stdout)
    )
    assert "(7)" not in answer.output, "the row that is there twice is the product's"
    assert indexes(stack)["one_of_each_ccnew"] == "f"
    answer = stack.run("reindex")
    assert answer.exit_code == 2
    assert "Nobody is there to say yes." in answer.output
    assert "one_of_each_ccnew" in indexes(stack)
    answer = stack.run("reindex", "--dry-run")
    assert answer.exit_code == 0
    assert "would drop public.one_of_each_ccnew, which an interrupted reindex has left" in answer.stderr
    told = answered(stack.run("reindex", "--dry-run", "--json"))
    assert "drop public.one_of_each_ccnew, which an interrupted reindex has left" in told["would"]
    assert "one_of_each_ccnew" in indexes(stack)
    stack.sql("DELETE FROM notes")
    answer = stack.run("reindex", "--yes")
    assert answer.exit_code == 0
    assert indexes(stack) == {"one_of_each": "t", "tickets_pkey": "t"}


def test_an_index_that_is_being_built_is_left_alone(stack, other):
    other.execute("INSERT INTO notes VALUES (1)")
    building = stack.connection(autocommit=True)
    thread = threading.Thread(
        target=lambda: building.execute("CREATE INDEX CONCURRENTLY by_id ON notes (id)")
    )
    thread.start()
    at_work = "SELECT count(*) FROM pg_stat_progress_create_index"
    eventually(
        lambda: (stack.sql(at_work), indexes(stack)), lambda seen: seen[0] == "1" and "by_id" in seen[1]
    )
    answer = stack.run("reindex", "--yes")
    other.rollback()
    thread.join(10)
    building.close()
    assert answer.exit_code == 0
    assert answer.stderr == (
        "Note: public.by_id is left alone: an index of public.notes is being built at this moment.\n"
    )
    assert indexes(stack)["by_id"] == "t"


def test_what_enforces_an_exclusion_is_built_while_writers_wait(stack):
    stack.sql("CREATE TABLE stays (room int, EXCLUDE USING btree (room WITH =))")
    before = files(stack)
    answer = stack.run("reindex", "--table", "stays", "--yes")
    assert answer.exit_code == 0
    assert "cannot be built beside itself: --index public.stays_room_excl --blocking." in answer.stderr
    assert files(stack) == before
    answer = stack.run("reindex", "--index", "stays_room_excl", "--blocking", "--yes")
    assert answer.exit_code == 0
    assert (
        "will rebuild public.stays_room_excl of public.stays (8.0 kB) while its table takes no writes"
        in answer.stderr
    )
    assert files(stack) != before


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [
        (
            "--index",
            "ticket_pkey",
            "There is no index ticket_pkey; there are: tickets_pkey. Did you mean tickets_pkey?",
        ),
        ("--table", "note", "There is no table note; there are: tickets."),
    ],
)
def test_a_name_that_is_not_there_is_refused(stack, option, name, said):
    answer = stack.run("reindex", option, name, "--yes")
    assert answer.exit_code == 2
    assert said in answer.output


@pytest.fixture
def interrupted_in_the_middle(stack, other, monkeypatch):
    """Ctrl-C as soon as the new index is there and waits for a writer."""
    other.execute("INSERT INTO tickets VALUES (0, '')")
    seen = Work._seen

    def interrupted(work, name):
        if seen(work, name)["description"].endswith("waiting for writers before build"):
            raise KeyboardInterrupt
        return seen(work, name)

    monkeypatch.setattr(Work, "_seen", interrupted)
    monkeypatch.setattr(care, "POLL_S", 0.02)


@pytest.mark.usefixtures("interrupted_in_the_middle")
def test_ctrl_c_drops_the_half_that_was_built(stack, other):
    released = threading.Timer(0.7, other.rollback)
    released.start()
    answer = stack.run("reindex", "--index", "tickets_pkey", "--yes")
    released.join()
    assert answer.exit_code == 1
    assert "public.tickets_pkey: called off." in answer.stderr
    assert answer.stdout.startswith("public.tickets_pkey_ccnew: done in ")
    assert indexes(stack) == {"tickets_pkey": "t"}


@pytest.mark.usefixtures("interrupted_in_the_middle")
def test_what_cannot_be_dropped_then_is_found_by_the_next_run(stack, other, monkeypatch):
    monkeypatch.setattr(reach, "LOCK_TIMEOUT_S", 0.1)
    answer = stack.run("reindex", "--index", "tickets_pkey", "--yes")
    assert answer.exit_code == 1
    assert (
        "public.tickets_pkey_ccnew: PostgreSQL said: canceling statement due to lock timeout" in answer.stdout
    )
    assert indexes(stack) == {"tickets_pkey": "t", "tickets_pkey_ccnew": "f"}
    other.rollback()
    answer = stack.run("reindex", "--yes")
    assert answer.exit_code == 0
    assert indexes(stack) == {"tickets_pkey": "t"}
