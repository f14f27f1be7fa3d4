"""`groundwork maintenance daily | weekly | monthly`: which steps are called, and what their exit codes come to.

The steps here are the command itself (`--help` of it, a command that there is not) or a small program of Python.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from operations.__main__ import app
from operations.maintenance import rounds
from operations.maintenance.lists import DAILY, MONTHLY, WEEKLY, Step
from operations.platform import Platform, Refusal
from tests.operator_calls import Call, trouble

LISTS = {"daily": DAILY, "weekly": WEEKLY, "monthly": MONTHLY}
OUTPUTS = {
    "system": "fixrx",
    "environment": "prod",
    "region": "us-east-1",
    "database": {"identifier": "fixrx", "declared": {"extensions": {"pg_stat_statements": "1.9"}}},
    "tasks": {"vacuum": {}},
    "backups": {"vault": "fixrx-prod", "bucket": ""},
    "healthUrls": {"api": "https://api.example.com/health"},
    "pipeline": {"previewRole": "arn:aws:iam::123456789012:role/fixrx-prod-preview"},
}
BARE = {
    **OUTPUTS,
    "database": {},
    "tasks": {},
    "backups": {"vault": "", "bucket": ""},
    "healthUrls": {},
    "pipeline": {"previewRole": ""},
}


def round_of(steps, *, outputs=OUTPUTS, run=lambda _: 0, **more):
    return rounds.Round(Platform("fixrx", "prod", outputs), steps, Path("outputs.json"), run=run, **more)


def codes(*given):
    left = list(given)
    return lambda _: left.pop(0)


STEPS = [
    Step(call="status", asks="all of it"),
    Step(call="logs --errors", asks="errors", well=1),
    Step(call="db reindex", asks="indexes", changes="build indexes anew", reaches=True),
]


@pytest.mark.parametrize("via", [None, "localhost:15432"])
@pytest.mark.parametrize(("name", "step"), [(name, step) for name, steps in LISTS.items() for step in steps])
def test_each_step_is_a_call_that_its_command_takes(name, step, via):
    call = Call(("groundwork", *round_of([step], via=via).words(step)), is_whole=True)
    assert trouble(call) == ""


def test_a_step_is_called_on_the_stack_that_was_said():
    assert round_of(STEPS).words(STEPS[0]) == [
        *("status", "--system", "fixrx", "--stack", "prod", "--outputs", "outputs.json")
    ]


def test_what_goes_into_the_database_takes_the_tunnel_and_what_changes_is_not_asked_twice():
    words = round_of(STEPS, via="localhost:15432").words(STEPS[2])
    assert words[-3:] == ["--via", "localhost:15432", "--yes"]
    assert "--via" not in round_of(STEPS, via="localhost:15432").words(STEPS[0])
    assert "--yes" not in round_of(STEPS).words(STEPS[0])


def test_the_lists_leave_out_what_a_stack_does_not_have():
    for steps in LISTS.values():
        needed = [step.call for step in steps if step.needed(BARE)]
        assert not [call for call in needed if call.startswith(("db ", "backup ", "verify ", "repo"))]
        assert all(step.needed(OUTPUTS) for step in steps)
    answers = list(round_of(MONTHLY, outputs=BARE).asked())
    assert {each.answer for each in answers} == {rounds.NOT_NEEDED, rounds.WELL}


def test_a_database_that_counts_no_statements_is_not_asked_for_the_slowest():
    without = {**OUTPUTS, "database": {"identifier": "rentfix", "declared": {"extensions": {}}}}
    left_out = [step.call for step in MONTHLY if not step.needed(without)]
    assert left_out == ["db slow --limit 10"]


@pytest.mark.parametrize(
    ("step", "code", "verdict"),
    [
        (STEPS[0], 0, "well"),
        (STEPS[0], 1, "look at it"),
        (STEPS[0], 2, "could not be asked"),
        (STEPS[0], -9, "could not be asked"),
        (STEPS[1], 1, "well"),
        (STEPS[1], 0, "look at it"),
    ],
)
def test_an_exit_code_is_good_news_where_the_list_says_so(step, code, verdict):
    assert rounds.verdict(step, code) == verdict


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (["well", "nothing to ask"], 0),
        (["well", "look at it", "could not be asked"], 1),
        (["well", "could not be asked"], 2),
    ],
)
def test_a_list_ends_with_the_worst_that_was_seen(answers, code):
    assert rounds.ends_with(answers) == code


def test_a_step_that_fails_does_not_stop_the_others(capsys):
    answers = list(round_of(STEPS, run=codes(2, 0, 0)).asked())
    assert [each.answer for each in answers] == ["could not be asked", "look at it", "well"]
    assert "2. Errors: groundwork logs --errors" in capsys.readouterr().err


def test_a_later_step_may_be_the_first_and_what_changes_may_be_left_out():
    assert [number for number, _ in round_of(STEPS, first=2).due] == [2, 3]
    assert [number for number, _ in round_of(STEPS, read_only=True).due] == [1, 2]
    with pytest.raises(Refusal, match="--from 4: this list has 3 steps"):
        round_of(STEPS, first=4)


# The command


@pytest.fixture
def said(tmp_path, monkeypatch):
    """Runs a list of these steps on a file of outputs."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(OUTPUTS), encoding="utf-8")

    def run(*words, steps=STEPS, run=lambda _: 0):
        monkeypatch.setattr(rounds, "DAILY", steps)
        monkeypatch.setattr(rounds, "_called", run)
        common = ["--system", "fixrx", "--stack", "prod", "--outputs", str(file)]
        return CliRunner().invoke(app, ["maintenance", "daily", *words, *common])

    return run


def test_nothing_is_changed_without_a_yes(said):
    called = []
    ended = said(run=lambda words: called.append(words) or 0)
    assert ended.exit_code == 2
    assert "will build indexes anew" in ended.stderr
    assert "Nobody is there to say yes" in ended.stderr
    assert called == []


def test_with_yes_it_is_asked_once_and_each_step_is_called(said):
    called = []
    ended = said("--yes", run=lambda words: called.append(words) or len(called) % 3 % 2)
    assert [words[0] for words in called] == ["status", "logs", "db"]
    assert ended.exit_code == 1
    assert "1. all of it: look at it. `groundwork status`" in ended.stdout


def test_what_only_reads_is_not_asked_about(said):
    ended = said("--read-only", run=codes(0, 1))
    assert ended.exit_code == 0
    assert "well" in ended.stdout
    assert "will" not in ended.stderr


def test_each_step_gets_the_outputs_that_were_read_once(said):
    seen = []

    def run(words):
        seen.append(json.loads(Path(words[words.index("--outputs") + 1]).read_text(encoding="utf-8")))
        return 0

    assert said("--read-only", run=run).exit_code == 1
    assert seen == [OUTPUTS, OUTPUTS]


def test_a_dry_run_says_what_would_be_typed_and_calls_nothing(said):
    ended = said("--dry-run", "--json", run=lambda _: pytest.fail("called"))
    assert ended.exit_code == 0
    rows = json.loads(ended.stdout)
    assert [row["command"] for row in rows] == [
        "groundwork status --system fixrx --stack prod",
        "groundwork logs --errors --system fixrx --stack prod",
        "groundwork db reindex --system fixrx --stack prod --yes",
    ]
    assert rows[2]["changes"] == "build indexes anew"


def test_a_program_gets_the_verdicts_alone(said):
    ended = said("--yes", "--json", run=codes(0, 0, 0))
    assert [(each["step"], each["exit_code"], each["answer"]) for each in json.loads(ended.stdout)] == [
        ("status", 0, "well"),
        ("logs --errors", 0, "look at it"),
        ("db reindex", 0, "well"),
    ]


def test_interrupted_it_says_what_it_has_seen_and_where_to_go_on(said):
    def run(words):
        if words[0] == "logs":
            raise KeyboardInterrupt
        return 0

    ended = said("--yes", run=run)
    assert ended.exit_code == rounds.INTERRUPTED
    assert "all of it" in ended.stdout
    assert "with --from 2 goes on from there" in ended.stderr


# The real thing: a step is a process


def test_a_step_is_the_command_itself_and_keeps_standard_output_clean(capfd):
    assert rounds._called(["redis", "--help"]) == 0
    assert rounds._called(["no-such-command"]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "Usage: groundwork redis" in captured.err
    assert "no-such-command" in captured.err


TIDIES = """
import pathlib, sys, time
from operations.waits import ended_politely
try:
    with ended_politely():
        print("begun", file=sys.stderr, flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    pathlib.Path(sys.argv[-1]).write_text("tidied")
    sys.exit(3)
"""


def test_an_interruption_lets_a_step_tidy_up(tmp_path):
    tidied = tmp_path / "tidied"
    with subprocess.Popen(
        [sys.executable, "-c", TIDIES, str(tidied)], cwd=rounds.ROOT, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"begun\n"
        rounds._stop(process)
    assert tidied.read_text() == "tidied"
    assert process.returncode == 3


def test_a_step_that_does_not_tidy_up_in_time_is_ended(monkeypatch):
    monkeypatch.setattr(rounds, "TIDYING_S", 0.5)
    began = time.monotonic()
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        rounds._stop(process)
    assert process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 30


def test_a_step_without_an_end_is_stopped(monkeypatch, capfd):
    monkeypatch.setattr(rounds, "STEP_LIMIT_S", 0.01)
    assert rounds._called(["status", "--help"]) == 2
    assert "is stopped" in capfd.readouterr().err
