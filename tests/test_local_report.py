"""What the commands say and how they read the engine: steps, events, summary, stack files, explanations."""

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from local import __main__ as entry
from local import checks, commands, emulator_process, shell, stack, summary
from local.events import Report, Resource, Violation, resources_of
from local.steps import Failure, Steps, duration
from local.workspace import Workspace, offline, port_from, readable

PREFIX = "urn:pulumi:local::tiny::"
STACK = f"{PREFIX}pulumi:pulumi:Stack::tiny-local"


def workspace(root: Path, **changes) -> Workspace:
    made = Workspace(
        root=root,
        home=root / ".local",
        folder=root / "own",
        engine=root / "bin" / "pulumi",
        system="tiny",
        stack="local",
        port=4566,
    )
    return replace(made, **changes)


def resource(name: str, token: str, parent: str = STACK, *, custom: bool = True) -> Resource:
    return Resource(urn=f"{PREFIX}{token}::{name}", type=token, parent=parent, custom=custom)


BOX = resource("box", "groundwork:test:Box", custom=False)
INNER = resource("inner", "other:thing:Wrapper", BOX.urn, custom=False)
KEY = resource("key", "aws:kms/key:Key", INNER.urn)
PLAN = resource("plan", "aws:backup/plan:Plan", BOX.urn)
LOOSE = resource("loose", "aws:sqs/queue:Queue")
PROVIDER = resource("default", "pulumi:providers:aws", "")
ALL = [BOX, INNER, KEY, PLAN, LOOSE, PROVIDER]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (12.2, "12 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_step_says_why_when_it_begins_and_how_long_when_it_ends():
    said = io.StringIO()
    with Steps(said).step("Engine", "the real one") as step:
        assert said.getvalue() == "Engine: the real one\n"
        step.progress("half")
        step.result = "built"
    assert said.getvalue() == "Engine: the real one\n  Engine: built in 0.0 s\n"


def test_a_log_gets_a_line_now_and_then_and_a_terminal_a_moving_one(monkeypatch):
    log, terminal = io.StringIO(), io.StringIO()
    terminal.isatty = lambda: True
    for stream, interval in ((log, "PLAIN_INTERVAL_S"), (terminal, "TERMINAL_INTERVAL_S")):
        monkeypatch.setattr(f"local.steps.{interval}", 0.0)
        with Steps(stream).step("Engine", "why") as step:
            step.progress("1 of 2")
    assert "\n  Engine: 1 of 2 (0.0 s)\n" in log.getvalue()
    assert "\r\033[K  Engine: 1 of 2 (0.0 s)\r\033[K  Engine: done" in terminal.getvalue()


def test_a_failed_step_does_not_say_that_it_is_done():
    said = io.StringIO()
    with pytest.raises(Failure), Steps(said).step("Engine", "why"):
        raise Failure("no")
    assert said.getvalue() == "Engine: why\n"


def test_resources_are_counted_at_their_nearest_component():
    assert summary.by_component(ALL) == {"groundwork:test:Box": (1, 2), summary.OUTSIDE: (0, 1)}


def test_recorded_types_are_counted_and_named():
    kinds = {"aws:backup/plan:Plan": "recorded", "aws:kms/key:Key": "applied"}
    assert summary.recorded_only(ALL, kinds) == {"aws:backup/plan:Plan": 1}


def test_what_is_not_there_and_what_only_has_a_name_are_no_endpoints():
    outputs = {
        "grafanaUrl": "",
        "vpn_endpoint": "arn:aws:ec2:us-east-1:123456789012:client-vpn-endpoint/cvpn-endpoint-1",
        "cdn": {"url": "https://cdn", "host": None},
    }
    assert summary.endpoints(outputs) == {"cdn.url": "https://cdn"}


def test_endpoints_are_found_at_any_depth():
    outputs = {
        "api": {"url": "https://a", "count": 3, "note": "x"},
        "database_address": "db.local",
        "arn": "arn:x",
    }
    assert summary.endpoints(outputs) == {"api.url": "https://a", "database_address": "db.local"}


def test_only_what_changes_something_that_stood_is_listed():
    report = Report()
    for name, operation in (("same", "same"), ("new", "create"), ("other", "update")):
        found = resource(name, "aws:kms/key:Key")
        report.resources[found.urn], report.operations[found.urn] = found, operation
    assert summary.changed(report) == ["update aws:kms/key:Key other"]
    for number in range(20):
        found = resource(f"k{number}", "aws:kms/key:Key")
        report.resources[found.urn], report.operations[found.urn] = found, "delete"
    assert summary.changed(report)[-1] == "... and 6 more"
    assert len(summary.changed(report)) == 16


def screen(report, kinds=None, outputs=None, next_commands=None) -> str:
    page = io.StringIO()
    summary.show(
        Console(file=page, width=100),
        title="tiny",
        resources=ALL,
        report=report,
        kinds=kinds or {},
        outputs=outputs or {},
        next_commands=next_commands or {},
    )
    return page.getvalue()


def test_what_a_browser_opens_comes_first_and_nothing_is_said_twice():
    outputs = {
        "caches": {"cache": {"endpoint": "c.example", "readerEndpoint": "c.example"}},
        "edge": {"services": {"api": {"host": "api.localhost"}}},
        "healthUrls": {"api": "https://api.localhost/health"},
        "urls": {"api": "https://api.localhost"},
    }
    assert list(summary.to_open(outputs).items()) == [
        ("urls.api", "https://api.localhost"),
        ("caches.cache.endpoint", "c.example"),
    ]
    many = {f"url{number}": f"https://{number}.localhost" for number in range(10, 30)}
    assert len(summary.to_open(many)) == summary.SHOWN_ENDPOINTS


def test_the_last_screen_says_what_stands_and_what_the_policies_said():
    report = Report(policies={"a", "b"})
    report.changes.update({"create": 3, "same": 1})
    kinds = {"aws:backup/plan:Plan": "recorded"}
    shown = screen(
        report=report, kinds=kinds, outputs={"url": "https://a"}, next_commands={"make down": "ends it"}
    )
    assert "tiny: 3 resources, 3 created, 1 unchanged" in shown
    assert "Applied  2 to the emulator, 1 only recorded" in shown
    assert "Recorded 1 backup.Plan" in shown
    assert "Policies 2 rules, no violation" in shown
    assert "Reach    url: https://a" in shown
    assert "Next     make down " in shown


def test_a_preview_speaks_of_what_is_to_be_done():
    report = Report()
    assert summary.changes(report) == "nothing"
    report.changes.update({"create": 3, "same": 1, "import": 2})
    assert summary.changes(report, planned=True) == "3 to create, 2 import, 1 unchanged"
    assert summary.changes(report) == "3 created, 2 import, 1 unchanged"


def test_violations_are_counted_by_severity_and_shown_whole():
    violations = [
        Violation("open", "high", True, "close it", "aws:kms/key:Key key"),
        Violation("tags", "", False, "tag it", "aws:kms/key:Key key"),
    ]
    report = Report(policies={"open", "tags", "x"}, violations=violations)
    assert summary.policy_verdict(report) == "3 rules, 1 high, 1 advisory"
    shown = screen(report=report)
    assert "open (high) aws:kms/key:Key key: close it" in shown
    assert "tags (advisory) aws:kms/key:Key key: tag it" in shown
    assert "only recorded" not in shown


def metadata(found: Resource, operation: str) -> dict:
    new = {"parent": found.parent, "custom": found.custom, "protect": found.protect}
    return {"metadata": {"op": operation, "urn": found.urn, "type": found.type, "new": new}}


def test_events_become_a_report():
    report = Report()
    assert report.add({"resourcePreEvent": metadata(KEY, "create")}) == KEY.urn
    assert report.add({"preludeEvent": {}}) is None
    report.add({"resOutputsEvent": {}})
    report.add({"resOpFailedEvent": {}})
    said = {"severity": "error", "message": "<{%fg 1%}>no such region<{%reset%}>\n"}
    report.add({"diagnosticEvent": {**said, "urn": KEY.urn}})
    report.add({"diagnosticEvent": {**said, "urn": KEY.urn}})
    report.add({"diagnosticEvent": {**said, "urn": STACK}})
    report.add({"diagnosticEvent": {**said, "ephemeral": True, "message": "gone"}})
    report.add({"diagnosticEvent": {"severity": "warning", "message": "old"}})
    report.add({"diagnosticEvent": {"severity": "info", "message": "fine"}})
    report.add({"summaryEvent": {"resourceChanges": {"create": 1}}})
    report.add({"policyAnalyzeSummaryEvent": {"passed": ["a"], "failed": ["b"]}})
    report.add({"policyAnalyzeStackSummaryEvent": {"passed": ["c"]}})
    violated = {
        "policyName": "b",
        "severity": "low",
        "enforcementLevel": "mandatory",
        "message": "m",
        "resourceUrn": KEY.urn,
    }
    report.add({"policyEvent": violated})
    assert report.resources == {KEY.urn: KEY}
    assert report.operations == {KEY.urn: "create"}
    assert report.done == 2
    assert report.errors == ["aws:kms/key:Key key: no such region", "no such region"]
    assert report.warnings == ["old"]
    assert report.changes == {"create": 1}
    assert report.policies == {"a", "b", "c"}
    assert report.violations == [Violation("b", "low", True, "m", "aws:kms/key:Key key")]


def test_a_resource_that_a_replacement_still_has_to_delete_is_not_counted():
    kept = {"urn": KEY.urn, "type": KEY.type, "parent": KEY.parent, "custom": True}
    assert resources_of({"resources": [kept, {**kept, "delete": True}]}) == [KEY]
    assert resources_of({}) == []


@pytest.fixture
def engine_calls(monkeypatch):
    """Stands in for the engine where only the decision to call it matters."""
    made = []
    monkeypatch.setattr(stack, "unlock", lambda *_: False)
    monkeypatch.setattr(stack, "forget", lambda *_: made.append("forget"))
    monkeypatch.setattr(stack, "refresh", lambda *_: made.append("refresh") or Report())
    return made


@pytest.mark.parametrize(
    ("recorded", "noted", "calls"),
    [
        ({}, None, []),
        ({"resources": [{}]}, "boot", []),
        ({"resources": [{}]}, "earlier", ["forget"]),
        ({"resources": [{}]}, None, ["forget"]),
        ({"resources": [{}], "pending_operations": [{}]}, "earlier", ["forget"]),
        ({"resources": [{}], "pending_operations": [{}]}, "boot", ["refresh"]),
        ({"pending_operations": [{}]}, "earlier", ["refresh"]),
    ],
)
def test_the_state_is_mended_only_where_it_is_wrong(
    tmp_path, monkeypatch, engine_calls, recorded, noted, calls
):
    monkeypatch.setattr(stack, "deployment", lambda *_: recorded)
    monkeypatch.setattr(stack, "noted_boot", lambda *_: noted)
    commands.reconcile(workspace(tmp_path), "boot", Steps(io.StringIO()))
    assert engine_calls == calls


def test_a_run_that_was_killed_before_it_saved_anything_is_noticed(tmp_path, monkeypatch, engine_calls):
    here = workspace(tmp_path)
    here.folder.mkdir()
    here.unfinished_note.touch()
    monkeypatch.setattr(stack, "deployment", lambda *_: {"resources": [{}]})
    monkeypatch.setattr(stack, "noted_boot", lambda *_: "boot")
    commands.reconcile(here, "boot", Steps(io.StringIO()))
    assert engine_calls == ["refresh"]


def test_plain_commands_and_make_agree_on_the_emulator(tmp_path, monkeypatch):
    here = workspace(tmp_path)
    here.folder.mkdir()
    monkeypatch.setattr(emulator_process, "running", lambda *_: None)
    with pytest.raises(Failure, match=r"No emulator runs on port 4566\. `make up` starts one"):
        shell.know_the_emulator(here)
    monkeypatch.setattr(emulator_process, "running", lambda *_: emulator_process.Identity(7, "/root", "one"))
    shell.know_the_emulator(here)
    assert stack.noted_boot(here) == "one"
    shell.know_the_emulator(here)
    monkeypatch.setattr(emulator_process, "running", lambda *_: emulator_process.Identity(8, "/root", "two"))
    with pytest.raises(Failure, match=r"The emulator was restarted.* Run `make up` first"):
        shell.know_the_emulator(here)


def explained(tmp_path, *, command="up", code=255, output="", answers=True, **said) -> str:
    error = stack.EngineError(command, code, Report(**said), output)
    return stack.explain(error, workspace(tmp_path), emulator_answers=answers, again="make up")


def test_an_error_of_the_program_is_shown_in_its_own_words(tmp_path):
    text = explained(tmp_path, errors=["Pulumi.local.yaml: no such zone", "update failed"])
    assert text == (
        "Pulumi.local.yaml: no such zone\n"
        "Mend that and run `make up` again; everything the engine said is in own/local.log."
    )


def test_a_replacement_of_something_protected_says_how_it_is_done_on_purpose(tmp_path):
    text = explained(tmp_path, errors=["unable to replace resource: it is marked for protection"])
    assert "To do it on purpose, see README, The cost of being wrong." in text
    assert "on purpose" not in explained(tmp_path, errors=["no such zone"])


def test_a_policy_that_refuses_is_named(tmp_path):
    refusal = Violation("closed", "high", True, "close it", "aws:kms/key:Key key")
    advice = Violation("tags", "low", False, "tag it", "aws:kms/key:Key key")
    text = explained(tmp_path, violations=[refusal, advice])
    assert text.startswith("closed refuses aws:kms/key:Key key: close it\nMend that")
    assert "tag it" not in text


def test_a_long_list_of_errors_is_cut(tmp_path):
    lines = explained(tmp_path, errors=[f"error {number}" for number in range(25)]).splitlines()
    assert lines[-2] == "... and 5 more, in own/local.log"
    assert len(lines) == stack.SHOWN_ERRORS + 2


def test_an_engine_that_says_nothing_in_its_events_is_quoted(tmp_path):
    assert explained(tmp_path, output="error: bad flag\n").startswith("error: bad flag\nMend that")
    assert explained(tmp_path).startswith("`pulumi up` ended with exit code 255")


def test_an_engine_stopped_from_outside(tmp_path):
    assert explained(tmp_path, code=-signal.SIGKILL).startswith(
        "The engine was stopped from outside (signal 9)"
    )


def test_an_emulator_that_is_gone_comes_before_its_hundred_errors(tmp_path):
    text = explained(tmp_path, errors=["Could not connect"] * 3, answers=False)
    assert text.startswith("The emulator stopped answering during `pulumi up`")
    assert "Could not connect" not in text


def test_the_offline_copy_keeps_every_line_but_the_real_encryption():
    text = "secretsprovider: awskms://x\nencryptedkey: abc\nconfig:\n  a: http://localhost:4566\n  b: 45660\n"
    assert offline(text, 4566) == "\n\nconfig:\n  a: http://localhost:4566\n  b: 45660\n"
    assert offline(text, 5000) == "\n\nconfig:\n  a: http://localhost:5000\n  b: 45660\n"
    assert offline("a: http://127.0.0.1:4566/\nb: http://localhost:45661\n", 7000).splitlines() == [
        "a: http://127.0.0.1:7000/",
        "b: http://localhost:45661",
    ]


def test_the_copy_keeps_the_salt_that_the_engine_wrote_into_the_last_one(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: tiny\n")
    (tmp_path / "Pulumi.local.yaml").write_text("config: {a:b: c}\nencryptionsalt: real\n")
    here = workspace(tmp_path)
    here.write_copy()
    assert "encryptionsalt" not in here.config_file.read_text()
    with here.config_file.open("a") as copy:
        copy.write("encryptionsalt: offline\n")
    (tmp_path / "Pulumi.local.yaml").write_text("config: {a:b: d}\n")
    here.write_copy()
    assert here.config_file.read_text().split() == ["config:", "{a:b:", "d}", "encryptionsalt:", "offline"]


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\tx: 1"])
def test_a_stack_file_that_is_no_yaml(tmp_path, text):
    path = tmp_path / "Pulumi.local.yaml"
    path.write_text(text)
    with pytest.raises(
        Failure, match=r"^Pulumi.local.yaml is no YAML \(line \d+, column \d+\): .* was created.$"
    ):
        readable(path, tmp_path)


def test_an_unknown_stack_is_told_those_that_exist(tmp_path):
    for path in ("Pulumi.prod.yaml", "Pulumi.local.yaml", "systems/tiny/Pulumi.demo.yaml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("config: {}\n")
    assert workspace(tmp_path, stack="demo").stack_file == tmp_path / "systems/tiny/Pulumi.demo.yaml"
    assert workspace(tmp_path, stack="prod").stack_file == tmp_path / "Pulumi.prod.yaml"
    with pytest.raises(
        Failure, match=r"There is no stack qa of tiny; there are: demo, local, prod\. A new one"
    ):
        _ = workspace(tmp_path, stack="qa").stack_file


def test_a_stack_of_another_system_is_refused(tmp_path):
    (tmp_path / "Pulumi.local.yaml").write_text("config: {'groundwork:system': shop}\n")
    with pytest.raises(
        Failure, match=r"Pulumi.local.yaml is a stack of shop, and tiny was asked for. Say SYSTEM=shop"
    ):
        commands.check_system(workspace(tmp_path))
    commands.check_system(workspace(tmp_path, system="shop"))
    for silent in ("", "config: []\n", "config: {}\n"):
        (tmp_path / "Pulumi.local.yaml").write_text(silent)
        commands.check_system(workspace(tmp_path))


def test_the_environment_holds_nothing_of_a_real_account(tmp_path, monkeypatch):
    (tmp_path / "Pulumi.local.yaml").write_text("")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "secret")
    environment = workspace(tmp_path).environment()
    assert not [name for name in environment if name.startswith("AWS_")]
    assert "PULUMI_ACCESS_TOKEN" not in environment
    assert environment["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/own/state"
    assert environment["GROUNDWORK_STACK_FILE"] == "Pulumi.local.yaml"


@pytest.mark.parametrize("text", ["http", "80", "70000", "-1"])
def test_a_port_that_is_none(text):
    with pytest.raises(
        Failure, match=f"GROUNDWORK_EMULATOR_PORT must be a port from 1024 to 65535, got {text}"
    ):
        port_from({"GROUNDWORK_EMULATOR_PORT": text})


def test_the_port_is_the_stack_files_unless_set():
    assert port_from({}) == port_from({"GROUNDWORK_EMULATOR_PORT": ""}) == 4566
    assert port_from({"GROUNDWORK_EMULATOR_PORT": "5000"}) == 5000


COPY = Path("/copy.yaml")


@pytest.mark.parametrize(
    ("given", "added"),
    [
        (["up", "--yes"], ["--config-file", "/copy.yaml"]),
        (["preview", "--json"], ["--config-file", "/copy.yaml"]),
        (["--color", "never", "stack", "export"], []),
        (["config"], ["--config-file", "/copy.yaml"]),
        (["up", "--config-file=x"], []),
        (["stack", "output", "--json"], []),
        (["stack", "rm", "--yes"], ["--preserve-config"]),
        (["up", "-s", "local"], ["--config-file", "/copy.yaml"]),
        (["stack", "select", "local"], []),
        ([], []),
    ],
)
def test_plain_commands_get_the_copy_where_they_would_read_the_tracked_file(given, added):
    assert shell.offline_arguments(given, "local", COPY) == [*given, *added]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["up", "--stack", "prod"], "`make preview STACK=prod` previews prod offline"),
        (["up", "--stack=prod"], "works on the stack local alone"),
        (["stack", "select", "prod"], "works on the stack local alone"),
        (["stack", "init", "prod"], "`pulumi stack init` belongs elsewhere"),
        (["config", "set", "a", "b"], "Settings are in Pulumi.local.yaml: edit that file"),
    ],
)
def test_plain_commands_that_would_leave_the_local_stack_are_refused(given, sentence):
    with pytest.raises(Failure, match=sentence):
        shell.offline_arguments(given, "local", COPY)


def test_the_file_that_holds_the_settings_is_named_where_it_stands():
    shown = "systems/tiny/Pulumi.local.yaml"
    with pytest.raises(Failure, match=f"Settings are in {shown}: edit that file"):
        shell.offline_arguments(["config", "set", "a", "b"], "tiny-local", COPY, shown)


def test_commands_are_named_as_one_types_them(tmp_path):
    assert commands.command("up", workspace(tmp_path, system="rentalfix")) == "make up"
    assert (
        commands.command("preview", workspace(tmp_path), stack="prod")
        == "make preview STACK=prod SYSTEM=tiny"
    )


def check(name: str, code: str) -> checks.Check:
    return checks.Check(name, ["python", "-c", code], f"mend {name}")


def test_every_check_runs_and_the_failed_ones_are_named(tmp_path, capfd):
    wanted = [check("linter", "exit(1)"), check("tests", "print('3 passed')")]
    with pytest.raises(Failure, match=r"1 of 2 checks failed. Look closer with linter: mend linter\."):
        checks.run(tmp_path, wanted, Steps())
    said = capfd.readouterr().out
    assert "3 passed" in said
    assert "  linter: failed in" in said
    assert "  tests: passed in" in said
    checks.run(tmp_path, wanted[1:], Steps())


def test_the_checks_are_formatter_linter_types_workflows_and_tests():
    names = [check.name for check in checks.checks(["-k", "x"])]
    assert names == ["formatter", "linter", "types", "workflows", "tests"]
    assert checks.checks(["-k", "x"])[-1].command == [
        "pytest",
        "-n",
        "2",
        "--dist",
        "loadgroup",
        "-k",
        "x",
    ]


def test_a_failure_is_its_sentence_and_exit_code_one(monkeypatch, capsys):
    def fail(*_):
        raise Failure("The engine is not there. Run `make up`.")

    monkeypatch.setattr(entry, "perform", fail)
    assert entry.main(["up", "--system=tiny"]) == 1
    assert capsys.readouterr().err == "The engine is not there. Run `make up`.\n"
    monkeypatch.setattr(entry, "perform", lambda *_: None)
    assert entry.main(["up", "--system=tiny"]) == 0


def test_ctrl_c_is_a_sentence_too(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "perform", interrupt)
    assert entry.main(["up", "--system=tiny"]) == 130
    assert capsys.readouterr().err.startswith("Stopped. Run the same command again")


def test_locks_are_read_from_the_state(tmp_path):
    assert stack.locks(tmp_path) == []
    path = tmp_path / ".pulumi" / "locks" / "organization" / "tiny" / "local" / "x.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"pid": 7, "timestamp": "2026-11-22T05:40:10.051Z", "hostname": "h"}))
    assert stack.locks(tmp_path) == [stack.Lock(7, "2026-11-22 05:40:10")]


def test_a_lock_counts_only_while_its_engine_runs():
    assert not stack.is_alive(os.getpid()), "a process, but no engine"
    command = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)", "pulumi"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as engine:
        assert engine.stdout
        engine.stdout.readline()
        assert stack.is_alive(engine.pid)
        engine.kill()
        os.waitid(os.P_PID, engine.pid, os.WEXITED | os.WNOWAIT)
        assert not stack.is_alive(engine.pid), "a zombie"
    assert not stack.is_alive(engine.pid), "gone"


def test_the_emulator_is_kept_for_the_systems_that_still_stand_in_it(tmp_path):
    here = workspace(tmp_path, folder=tmp_path / ".local" / "up" / "one")

    def stands(system: str, boot_id: str) -> None:
        folder = here.home / "up" / system
        folder.mkdir(parents=True)
        (folder / here.boot_note.name).write_text(boot_id, encoding="utf-8")

    assert commands.standing_beside(here, "now") == []
    stands("one", "now")
    stands("two", "now")
    stands("three", "before")
    assert commands.standing_beside(here, "now") == ["two"]


def test_stacks_below_systems_are_named_after_their_system(tmp_path):
    here = workspace(tmp_path)
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n", encoding="utf-8")
    assert here.stack_name == "local"
    own = tmp_path / "systems" / "tiny" / "Pulumi.local.yaml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("config: {}\n", encoding="utf-8")
    assert here.stack_name == "tiny-local"
    assert here.config_file.name == "Pulumi.tiny-local.yaml"
