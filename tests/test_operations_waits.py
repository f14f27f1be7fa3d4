"""Waiting with an end: what is shown meanwhile, and what is said at the deadline."""

import io
import json
import sys

import pytest
import typer

from operations.exits import FOUND
from operations.waits import Failed, Look, Patience, _minutes, carried_out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def steps(*states: str):
    """A look that sees these, and then has found something."""
    left = iter([*[Look(state) for state in states], Look("there", "found")])
    return lambda: next(left)


def patience(minutes: float = 1) -> Patience:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return Patience(minutes * 60, lambda: now[0], sleep)


def test_a_line_for_each_change_where_nobody_sits(capsys):
    found = patience().until("copy", steps("creating", "creating", "backing-up"), otherwise="Wait.")
    assert found == "found"
    assert capsys.readouterr().err == "copy: creating\ncopy: backing-up\n"


def test_a_spinner_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert patience().until("copy", steps("creating"), otherwise="Wait.") == "found"
    assert "creating\n" not in terminal.getvalue(), "no line is left behind"


def test_the_deadline_says_what_was_seen_and_what_to_do():
    with pytest.raises(Failed, match=r"copy: not in time, still creating\. It goes on\."):
        patience(1).until("copy", lambda: Look("creating"), otherwise="It goes on.", every_s=45)


def test_it_is_looked_at_once_more_at_the_very_end():
    looks = []
    given = patience(1)

    def look():
        looks.append(given.clock())
        return Look("creating")

    with pytest.raises(Failed):
        given.until("copy", look, otherwise="", every_s=45)
    assert looks == [0, 45, 60]


def test_minutes_are_told_as_a_clock_does():
    assert (_minutes(5.4), _minutes(65), _minutes(3600)) == ("0:05", "1:05", "60:00")


@pytest.mark.parametrize("as_json", [False, True])
def test_what_was_begun_and_failed_is_told_a_program_too(capsys, as_json):
    with pytest.raises(typer.Exit) as ended, carried_out(as_json=as_json):
        raise Failed("The copy is not there. Make it again.")
    said = capsys.readouterr()
    assert (ended.value.exit_code, said.err) == (FOUND, "The copy is not there. Make it again.\n")
    if as_json:
        assert json.loads(said.out) == {"failed": "The copy is not there. Make it again."}
    else:
        assert not said.out
