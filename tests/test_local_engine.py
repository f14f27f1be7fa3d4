"""The language plugin and the offline preview, through the real engine, on a small project."""

# ruff: noqa: F401, F811 - fixtures are imported

import io
import json
import os
import subprocess
import time

import pytest

from local import commands, stack
from local.steps import Failure, Steps
from tests.engine import configure, found_engine, home, port, private, pulumi, workspace, write_project

pytestmark = pytest.mark.engine

PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy


def described(args, report):
    if args.resource_type == "aws:kms/key:Key" and args.props.get("description") == "key 1":
        report("say what it is for")


PolicyPack("tiny", [
    ResourceValidationPolicy("described", "Keys are described.", described, enforcement_level=EnforcementLevel.%s),
])
"""


def previewed(workspace, form="tree"):
    page = workspace.root / "page"
    with page.open("w", encoding="utf-8") as output:
        commands.preview(workspace, Steps(io.StringIO()), time.time(), form=form, output=output)
    return page.read_text(encoding="utf-8")


def write_program(workspace, program):
    (workspace.root / "__main__.py").write_text(program, encoding="utf-8")


def write_pack(workspace, level):
    (workspace.root / "policies").mkdir()
    (workspace.root / "policies" / "PulumiPolicy.yaml").write_text("runtime: python\n", encoding="utf-8")
    (workspace.root / "policies" / "__main__.py").write_text(PACK % level, encoding="utf-8")


def test_a_preview_needs_no_emulator_and_counts_by_component(private):
    write_pack(private, "ADVISORY")
    shown = previewed(private)
    assert "tiny, stack local, as it would be: 3 resources, 5 to create" in shown
    assert "test:Box" in shown
    assert "1 rule, 1 advisory" in shown
    assert "described (advisory) aws:kms/key:Key box-1: Keys are described. say what it is for" in shown


def test_a_preview_for_a_program_is_json_and_nothing_else(private):
    assert json.loads(previewed(private, "json"))["changeSummary"] == {"create": 5}


def test_a_policy_that_is_mandatory_stops_the_preview(private):
    write_pack(private, "MANDATORY")
    with pytest.raises(Failure, match=r"^described refuses aws:kms/key:Key box-1: Keys are described. say"):
        previewed(private)


def test_a_refusal_of_the_program_is_its_sentence_and_no_traceback(private):
    write_program(private, "import pulumi\nraise pulumi.RunError('Pulumi.local.yaml: no such zone')\n")
    with pytest.raises(Failure) as refused:
        previewed(private)
    lines = str(refused.value).splitlines()
    assert lines[0] == "Pulumi.local.yaml: no such zone"
    assert lines[1].startswith("Mend that and run `make preview STACK=local SYSTEM=tiny` again")
    assert len(lines) == 2


def test_a_mistake_in_the_program_is_shown_with_its_own_lines_only(private):
    write_program(private, "import pulumi\n\n\ndef wrong():\n    return 1 / 0\n\n\nwrong()\n")
    with pytest.raises(Failure) as refused:
        previewed(private)
    text = str(refused.value)
    assert text.startswith("the program failed:\n  File ")
    assert "line 8, in <module>" in text
    assert "line 5, in wrong" in text
    assert "ZeroDivisionError: division by zero" in text
    assert "language_plugin" not in text
    assert "runpy" not in text


def test_what_the_program_prints_is_kept(private):
    write_program(
        private, "import sys\nprint('to standard output')\nprint('to standard error', file=sys.stderr)\n"
    )
    shown = previewed(private)
    assert "to standard output" in shown
    assert "to standard error" in shown


def test_no_tracked_file_changes_and_the_stack_file_of_another_backend_can_be_read(private):
    with private.stack_file.open("a", encoding="utf-8") as file:
        file.write("secretsprovider: awskms://alias/x\nencryptedkey: AAAA\n")
    tracked = [path for path in private.root.iterdir() if path.is_file()]
    before = [path.read_bytes() for path in tracked]
    previewed(private)
    assert [path.read_bytes() for path in tracked] == before


def test_the_engine_finds_every_plugin_and_names_the_packages(private):
    stack.select(private)
    about = pulumi(private, "about", "--json", "--stack", "local")
    assert about.returncode == 0, about.stderr
    assert "warning" not in about.stderr
    assert {"boto3", "pulumi"} <= {found["name"] for found in json.loads(about.stdout)["dependencies"]}
