"""What `groundwork` shows: SQL without anybody's data, and values in the units of their columns."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.db.statements import SHOWN_CHARACTERS, brief, masked
from operations.show import as_text, cell, duration, heading, show


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT * FROM a WHERE e = 'x''y' AND n = 12.5e3", "SELECT * FROM a WHERE e = ? AND n = ?"),
        ("SELECT c1, t2.c3 FROM t2 WHERE id = $1", "SELECT c1, t2.c3 FROM t2 WHERE id = $1"),
        ("SELECT E'it\\'s', $$a 'b'$$, $q$ $$ $q$, N'x', U&'\\0061', x'ff'", "SELECT ?, ?, ?, ?, ?, ?"),
        ('SELECT "Weird 12"', 'SELECT "Weird 12"'),
        ("SELECT 1 -- bob@example.org\n+ 2", "SELECT ? + ?"),
        ("SELECT /* a /* b */ bob */ 1", "SELECT ?"),
        ("SELECT 'cut off by the serv", "SELECT ?"),
        ("SELECT $$cut off", "SELECT ?"),
        ("SELECT 1 /* cut off", "SELECT ?"),
        ("ALTER ROLE app PASSWORD 'hunter2'", "ALTER ROLE app PASSWORD ?"),
        ("SELECT\n\t1,\r\n 2", "SELECT ?, ?"),
        ("SELECT name\x1b[2J", "SELECT name [?"),
        ("", ""),
    ],
)
def test_a_statement_is_shown_without_literals_and_comments(statement, shown):
    assert masked(statement) == shown


@given(st.text())
def test_no_text_in_quotes_is_ever_shown(text):
    """Whatever somebody typed, as a driver writes it into SQL."""
    escaped = text.replace("'", "''")
    assert masked(f"SELECT * FROM a WHERE b = '{escaped}' AND c") == "SELECT * FROM a WHERE b = ? AND c"


@given(st.text())
def test_any_text_is_masked_to_its_end(text):
    assert all(sign.isprintable() for sign in masked(text))


def test_a_long_statement_is_cut():
    assert brief("SELECT " + "a, " * 100).endswith("...")
    assert len(brief("SELECT " + "a, " * 100)) == SHOWN_CHARACTERS
    assert brief(None) == ""


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("size_bytes", 100, "100 B"),
        ("size_bytes", 8192, "8.0 kB"),
        ("size_bytes", 3 * 1024**3, "3.0 GB"),
        ("size_bytes", 5 * 1024**4, "5.0 TB"),
        ("query_s", 0.44, "0.4 s"),
        ("query_s", 125, "2 min 05 s"),
        ("query_s", 12_000, "3 h 20 min"),
        ("mean_ms", 1234.56, "1,234.6 ms"),
        ("dead_percent", 49.6, "50 %"),
        ("live", 1234567, "1,234,567"),
        ("ratio", 0.25, "0.2"),
        ("valid", True, "yes"),
        ("valid", False, "no"),
        ("state", None, ""),
        ("blocked_by", [1, 2], "1, 2"),
        ("vacuumed", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02 03:04"),
        ("query", "a\x1b[2Jb", "a [2Jb"),
    ],
)
def test_a_value_has_the_unit_of_its_column(name, value, shown):
    assert cell(name, value) == shown


@pytest.mark.parametrize(
    ("name", "shown"), [("size_bytes", "size"), ("full_scans", "full scans"), ("class", "class")]
)
def test_a_heading_leaves_the_unit_to_the_values(name, shown):
    assert heading(name) == shown


def test_no_row_is_a_sentence_or_an_empty_list(capsys):
    show([], as_json=False, nothing="There is none.")
    show([], as_json=True, nothing="There is none.")
    assert capsys.readouterr().out == "There is none.\n[]\n"


def test_a_row_is_one_line_where_nobody_looks(capsys):
    show([{"query": "x" * 500, "calls": 1}], as_json=False, nothing="")
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["query", "calls"]
    assert row.split() == ["x" * 500, "1"]


def test_json_has_times_as_iso_says():
    assert as_text({"at": datetime(2026, 1, 2, tzinfo=UTC)}) == '{\n  "at": "2026-01-02T00:00:00+00:00"\n}'


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1.4, "0.0 s"),
        (0.44, "0.4 s"),
        (12.2, "12 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (12_000, "3 h 20 min"),
    ],
)
def test_durations(seconds, said):
    assert duration(seconds) == said
