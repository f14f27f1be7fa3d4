"""`groundwork policy` as a command: its options, exit codes and sentences; the preview is replaced."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from catalogue import RULES as PACK
from typer.testing import CliRunner

from local import setup
from operations.__main__ import app, main
from operations.policy import catalogue, commands, run
from tests.policy_check import RECORDED, RULES, STACK_FILE, checkout, violation

ROOT = Path(__file__).resolve().parent.parent
RECORDING = RECORDED.read_text(encoding="utf-8")
GOOD = "".join(
    line for line in RECORDING.splitlines(keepends=True) if "failed" not in line and "medium" not in line
) + (json.dumps({"policyAnalyzeStackSummaryEvent": {"passed": ["exemptions"]}}) + "\n")


class Preview:
    """Stands in for the process that previews: by stack, the events that it leaves, its exit code, what it says."""

    def __init__(self) -> None:
        self.answers = {}
        self.commands = []

    def __call__(self, command, **options):
        self.commands.append(command)
        assert options["cwd"] == commands.ROOT
        events, code, said = self.answers[command[command.index("--stack") + 1]]
        if events is not None:
            Path(command[command.index("--event-log") + 1]).write_text(events, encoding="utf-8")
        return subprocess.CompletedProcess(command, code, stderr=said)


@pytest.fixture
def preview(tmp_path, monkeypatch):
    made = Preview()
    monkeypatch.setattr(run.subprocess, "run", made)
    monkeypatch.setattr(catalogue, "load", lambda _: RULES)
    monkeypatch.setattr(commands, "ROOT", checkout(tmp_path / "root", prod=STACK_FILE, staging=STACK_FILE))
    monkeypatch.delenv("SYSTEM", raising=False)
    return made


def groundwork(*arguments, **options):
    return CliRunner().invoke(app, list(arguments), **options)


def check(*arguments, **options):
    return groundwork("policy", "check", "--system", "tiny", *arguments, **options)


def test_every_stack_is_judged_unless_some_are_named(preview):
    preview.answers = {"prod": (RECORDING, 1, ""), "staging": (GOOD, 0, "")}
    done = check()
    assert done.exit_code == 1
    assert "tiny, stack prod: 1 violation of 1 policy" in done.stdout
    assert "tiny, stack staging: no violation" in done.stdout
    said, took = done.stderr.splitlines()
    assert said == "Previewing tiny offline: prod, staging (some ten seconds each)"
    assert took.startswith("Took ")
    assert check("--stack", "staging").exit_code == 0
    assert [command[1:8] for command in preview.commands][-1] == [
        *("-m", "local", "preview", "--system", "tiny", "--stack", "staging")
    ]


def test_the_system_may_come_from_the_environment_as_with_make(preview):
    preview.answers = {"prod": (GOOD, 0, ""), "staging": (GOOD, 0, "")}
    done = groundwork("policy", "check", env={"SYSTEM": "tiny"})
    assert done.exit_code == 0
    assert "tiny, stack prod" in done.stdout
    refused = groundwork("policy", "check")
    assert refused.exit_code == 2
    assert refused.stderr == "There is no system rentalfix; there are: tiny.\n"


def test_what_counts_is_the_users_choice(preview):
    advisory = json.dumps(violation(enforcementLevel="advisory", severity="high"))
    preview.answers = {"prod": (f"{GOOD}{advisory}\n", 0, "")}
    codes = {
        each: check("--stack", "prod", "--fail-on", each).exit_code
        for each in ("mandatory", "high", "critical")
    }
    assert codes == {"mandatory": 0, "high": 1, "critical": 0}
    preview.answers = {"prod": (RECORDING, 1, "")}
    assert check("--stack", "prod", "--fail-on", "never").exit_code == 0
    unknown = check("--fail-on", "grave")
    assert unknown.exit_code == 2
    assert "'grave' is not one of 'low', 'medium', 'high', 'critical', 'mandatory', 'never'" in unknown.stderr


@pytest.mark.parametrize(
    ("format", "readable"),
    [
        ("json", lambda text: json.loads(text)["exit_code"] == 1),
        ("sarif", lambda text: json.loads(text)["version"] == "2.1.0"),
        ("junit", lambda text: ElementTree.fromstring(text).get("failures") == "1"),
        ("markdown", lambda text: text.startswith("## Policies\n")),
        ("text", lambda text: "Fix: Set retentionInDays" in text),
    ],
)
def test_a_report_is_alone_on_standard_output_or_in_a_file(preview, tmp_path, format, readable):
    preview.answers = {"prod": (RECORDING, 1, "")}
    done = check("--stack", "prod", "--format", format)
    assert readable(done.stdout)
    file = tmp_path / "report"
    written = check("--stack", "prod", "--format", format, "--output", str(file))
    assert written.exit_code == 1
    assert written.stdout == ""
    assert readable(file.read_text(encoding="utf-8"))
    assert f"Failed: 1 mandatory finding. The report is in {file}.\n" in written.stderr


def untimed(said):
    """Without the seconds that each stack took."""
    assert all(stack.pop("seconds") >= 0 for stack in said["stacks"])
    return said


def test_the_option_json_is_the_format_json(preview, few):
    preview.answers = {"prod": (RECORDING, 1, "")}
    done = check("--stack", "prod", "--json")
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert said["exit_code"] == 1
    assert untimed(said) == untimed(json.loads(check("--stack", "prod", "--format", "json").stdout))
    listed = groundwork("policy", "list", "--json").stdout
    assert listed == groundwork("policy", "list", "--format", "json").stdout
    assert len(json.loads(listed)) == 5


def test_a_file_in_a_folder_that_is_not_there_is_refused_before_anything_is_previewed(preview, tmp_path):
    done = check("--output", str(tmp_path / "nowhere" / "report"))
    assert done.exit_code == 2
    assert done.stderr.startswith("There is no folder ")
    assert preview.commands == []


ERROR = (
    json.dumps({"diagnosticEvent": {"severity": "error", "message": "Pulumi.prod.yaml: no such key\n"}})
    + "\n"
)
DIAGNOSED = json.dumps({"diagnosticEvent": {"severity": "error", "message": "preview failed\n"}}) + "\n"


@pytest.mark.parametrize(
    ("events", "code", "said", "problem"),
    [
        (None, 1, "The engine is not there. Run `make up`.\n", "The engine is not there. Run `make up`."),
        (None, -9, "", "The preview ended with exit code -9."),
        (ERROR, 1, "Mend that", "Pulumi.prod.yaml: no such key"),
        # The rules were asked, and something else failed as well.
        (RECORDING + ERROR, 1, "Mend that", "Pulumi.prod.yaml: no such key"),
        (GOOD + DIAGNOSED, 1, "The plugin died.", "The plugin died."),
        # Killed while it wrote.
        ('{"policyLoadEvent": {}}\n{"half', 137, "Killed", "Killed"),
        (
            DIAGNOSED.replace("error", "info"),
            0,
            "",
            "The preview ended, and the policy pack was never asked.",
        ),
    ],
)
def test_a_preview_that_does_not_come_to_the_policies_is_no_pass(preview, events, code, said, problem):
    preview.answers = {"prod": (events, code, said), "staging": (GOOD, 0, "")}
    done = check("--fail-on", "never")
    assert done.exit_code == 2
    assert f"tiny, stack prod: could not be judged (0 resources, 0.0 s)\n  {problem}" in done.stdout.replace(
        "(4 resources", "(0 resources"
    )
    assert "tiny, stack staging: no violation" in done.stdout
    assert "Not judged: tiny, stack prod.\n" in done.stdout


def test_an_unknown_stack_is_refused_with_the_nearest(preview):
    done = check("--stack", "stagin")
    assert done.exit_code == 2
    assert (
        done.stderr == "There is no stack stagin of tiny; there are: prod, staging. Did you mean staging?\n"
    )


def test_the_help_says_what_the_exit_codes_mean(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    said = groundwork("policy", "check", "--help").stdout
    assert "  2  a stack could not be judged" in said
    assert "groundwork policy check --format sarif --output policies.sarif --fail-on never" in said


def test_groundwork_alone_lists_what_there_is():
    assert "policy" in groundwork().output
    assert "check" in groundwork("policy").output


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(catalogue, "load", lambda _: RULES)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], ["log-retention-set", "kms-rotation", "iam-least-privilege", "turned-off", "rds-encrypted"]),
        (["kms-rotation"], ["kms-rotation"]),
        (["--severity", "critical", "--severity", "low"], ["turned-off", "rds-encrypted"]),
        (["--framework", "checkov"], ["log-retention-set"]),
        (["--framework", "FSBP"], ["log-retention-set"]),
        (["--framework", "cis"], []),
        (["--framework", "cloudwatch.16"], ["log-retention-set"]),
        (["--framework", "fsbp CloudWatch.16"], ["log-retention-set"]),
        (["--framework", "CKV_AWS_6"], []),
        (["--checklist", "c61"], ["log-retention-set"]),
        (["--topic", "database"], ["rds-encrypted"]),
        (["--topic", "logs", "--severity", "low"], ["turned-off"]),
    ],
)
def test_the_list_can_be_narrowed(few, arguments, found):
    done = groundwork("policy", "list", *arguments, "--format", "json")
    assert done.exit_code == 0
    assert [rule["id"] for rule in json.loads(done.stdout)] == found


def test_the_list_comes_as_text_and_as_a_table_too(few):
    assert "    Why        It has to.\n" in groundwork("policy", "list").stdout
    assert groundwork("policy", "list", "--brief").stdout.endswith("\n5 rules.\n")
    assert groundwork("policy", "list", "--format", "markdown").stdout.startswith("| rule | severity |")


def test_an_unknown_rule_is_refused_with_the_nearest(few):
    done = groundwork("policy", "list", "kms-rotations")
    assert done.exit_code == 2
    assert done.stderr.endswith("Did you mean kms-rotation?\n")


def test_the_rules_are_the_packs_own_with_everything_but_their_code():
    loaded = catalogue.load(ROOT)
    assert [rule.id for rule in loaded] == [rule.id for rule in PACK]
    for said, own in zip(loaded, PACK, strict=True):
        fields = {name: value for name, value in vars(own).items() if name != "check"}
        dumped = said.model_dump()
        assert set(fields) <= set(dumped)
        assert set(dumped["types"]) == own.types
        assert dumped["settings"] == {name: dict(schema) for name, schema in own.settings.items()}
        assert (dumped["remedy"], dumped["severity"]) == (own.remedy, own.severity)
        assert (ROOT / "policies" / f"{said.topic}.py").is_file()


def test_a_pack_that_cannot_say_its_rules_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "catalogue.py").write_text(
        "raise ValueError('no such topic')\n", encoding="utf-8"
    )
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    done = groundwork("policy", "list")
    assert done.exit_code == 2
    assert done.stderr == (
        "The policy pack could not say its rules (policies/catalogue.py): ValueError: no such topic\n"
    )


def test_the_command_calls_itself_groundwork(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["anything", "policy", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert "Usage: groundwork policy" in capsys.readouterr().out


def test_set_up_puts_a_command_beside_python_that_works_from_any_folder(tmp_path):
    root = tmp_path / "it's a checkout"
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (root / "operations").mkdir()
    program = "import os, sys\n\n\ndef main():\n    print(os.getcwd(), sys.argv[1:])\n    sys.exit(3)\n"
    (root / "operations" / "__main__.py").write_text(program, encoding="utf-8")
    elsewhere = tmp_path / "elsewhere"
    # What lies in the caller's folder is not taken for ours.
    (elsewhere / "operations").mkdir(parents=True)
    (elsewhere / "operations" / "__main__.py").write_text(
        "raise SystemExit('a stranger')\n", encoding="utf-8"
    )
    assert setup.place_command(root)
    assert not setup.place_command(root)
    done = subprocess.run(
        [root / ".venv" / "bin" / "groundwork", "policy", "two words"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == f"{elsewhere} {['policy', 'two words']}\n"
    assert done.returncode == 3


def test_every_command_of_make_places_it(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "prepare", lambda *_: (tmp_path / ".venv" / "bin").mkdir(parents=True))
    monkeypatch.setattr(setup.os, "execv", lambda _, arguments: started.append(arguments) or 0)
    monkeypatch.chdir(tmp_path)
    assert setup.main(["up", "--system=tiny"], 1.0) == 0
    assert (tmp_path / ".venv" / "bin" / "groundwork").stat().st_mode & 0o111
    assert started[0][1:] == ["-m", "local", "--started", "1.0", "up", "--system=tiny"]
