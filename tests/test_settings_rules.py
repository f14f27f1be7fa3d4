"""Pure helpers of the rules, and the rules as a set."""

import pytest

from settings import rules
from settings.problems import dotted, looks_secret, nearest, shown
from settings.rules._windows import minutes, overlap, starts_within
from tests.settings_examples import database, settle


@pytest.mark.parametrize(
    ("window", "length"),
    [
        ("02:00-03:00", 60),
        ("23:30-00:30", 60),
        ("sun:04:00-sun:05:00", 60),
        ("sun:23:30-mon:00:30", 60),
        ("mon:00:00-tue:00:00", 1440),
    ],
)
def test_minutes(window, length):
    assert minutes(window) == length


@pytest.mark.parametrize(
    ("daily", "weekly", "do_overlap"),
    [
        ("02:00-03:00", "sun:03:00-sun:04:00", False),
        ("02:00-03:00", "sun:02:59-sun:04:00", True),
        ("02:00-03:00", "sun:01:00-sun:02:01", True),
        ("02:00-03:00", "sun:01:00-sun:02:00", False),
        ("23:30-00:30", "mon:00:00-mon:01:00", True),
        ("23:30-00:30", "mon:00:30-mon:01:00", False),
        ("00:00-01:00", "sun:23:30-mon:00:30", True),
        ("02:00-03:00", "mon:10:00-wed:10:00", True),
    ],
)
def test_overlap(daily, weekly, do_overlap):
    assert overlap(daily, weekly) is do_overlap


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("DB_PASSWORD", "", True),
        ("SENTRY_DSN", "", True),
        ("API_KEY", "", True),
        ("API_KEY_REQUIRED", "true", False),
        ("JWT_EXPIRES_IN", "7d", False),
        ("DATABASE_URL", "postgres://u:p@h/db", True),
        ("DATABASE_URL", "postgres://h/db", False),
        ("X", "AKIAIOSFODNN7EXAMPLE", True),
        ("X", "-----BEGIN PRIVATE KEY-----", True),
        ("tokenizer", "fast", False),
    ],
)
def test_looks_secret(name, value, is_secret):
    assert looks_secret(name, value) is is_secret


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        ("", '""'),
        (True, "true"),
        (5, "5"),
        (None, "null"),
        ({}, "a mapping"),
        ([1], "a list"),
        ("y" * 61, "y" * 60 + "..."),
        ("two\nlines", '"two\\nlines"'),
    ],
)
def test_shown(value, text):
    assert shown(("key",), value) == text


def test_nearest():
    assert nearest("zones", ["zone", "x"]) == "Did you mean zone?"
    assert nearest("qqq", ["b", "a"]) == "Known: a, b."
    assert nearest("qqq", []) == "There is none to choose from."
    assert nearest("qqq", [f"name{number}" for number in range(30)]).startswith("The nearest are name")


def test_dotted():
    assert dotted(("a", "b-c", 0, "d")) == "a.b-c[0].d"


def test_no_rule_stands_twice():
    every = [*rules.RULES, *rules.WARNINGS]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    ("minute", "held"),
    [(59, False), (60, True), (120, True), (179, True), (180, False), (0, False)],
)
def test_a_daily_window_and_the_hour_before_it(minute, held):
    assert starts_within(minute, "02:00-03:00", before=60) is held


def test_the_hour_before_midnight_belongs_to_a_window_after_it():
    assert starts_within(23 * 60 + 30, "00:00-01:00", before=60)


@pytest.mark.parametrize(
    "change", [{"backups/schedule": "rate(1 day)"}, {"backups/timezone": "Europe/Berlin"}]
)
def test_a_schedule_that_cannot_be_told_is_let_through(change):
    assert (
        database(settle(None, {"database/backup_window": "02:30-03:30", **change})).backup_window
        == "02:30-03:30"
    )
