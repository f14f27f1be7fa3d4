"""`groundwork comment`: many reports, one comment."""

import json

import pytest
import typer
from typer.testing import CliRunner

from operations import comments
from operations.comments import MARKER, joined

RUN = "https://github.com/acme/platform/actions/runs/1"
MORE = f"The whole of it is an artifact of [the run]({RUN})."


def report(name, details="changes"):
    return f"<!-- groundwork report: {name} -->\n\n## {name}\n\nNothing is lost.\n\n<details>\n{details}\n</details>\n"


def test_whole_reports_stand_one_after_the_other_where_there_is_room():
    text = joined({"prod": report("prod"), "staging": report("staging")}, [], RUN)
    assert text.startswith(f"{MARKER}\n\n<!-- groundwork report: prod -->\n\n## prod\n")
    assert text.count("<details>") == 2
    assert text.index("## prod") < text.index("## staging")
    assert MORE not in text


def test_where_there_is_no_room_for_a_whole_report_its_summary_stays():
    reports = {"prod": report("prod", "x" * 500), "staging": report("staging")}
    text = joined(reports, [], RUN, limit=600)
    assert len(text) <= 600
    assert f"## prod\n\nNothing is lost.\n\n{MORE}" in text
    assert "xxx" not in text
    assert "changes" in text


def test_where_there_is_no_room_for_every_summary_the_last_ones_are_a_line():
    reports = {name: report(name, "x" * 300) for name in ("one", "two", "three")}
    text = joined(reports, [], RUN, limit=470)
    assert len(text) <= 470
    assert "## one" in text
    assert f"**three**: there is no room left here. {MORE}" in text


def test_a_report_that_was_never_made_is_told():
    text = joined({"prod": report("prod")}, ["staging"], RUN)
    assert f"**staging**: the preview stopped before its report; [the run]({RUN}) says why." in text


def test_nothing_affected_is_said():
    assert joined({}, [], RUN) == f"{MARKER}\n\nNo stack is affected by this pull request.\n"


def run(*arguments):
    app = typer.Typer()
    app.command()(comments.comment)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("expected", [(), ("--expect", "staging", "--expect", "prod", "--expect", "other")])
def test_the_command_reads_a_file_for_each_stack(tmp_path, expected):
    (tmp_path / "reports").mkdir()
    for name in ("prod", "staging"):
        (tmp_path / "reports" / f"{name}.md").write_text(report(name), encoding="utf-8")
        (tmp_path / "reports" / f"{name}.diff.txt").write_text("diff", encoding="utf-8")
    answer = run(tmp_path / "reports", *expected, "--run-url", RUN, "--output", tmp_path / "comment.md")
    assert answer.exit_code == 0, answer.output
    text = (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert (text.index("## staging") < text.index("## prod")) is bool(expected)
    assert ("**other**" in text) is bool(expected)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    answer = run(tmp_path / "none", "--run-url", RUN, "--output", tmp_path / "comment.md")
    assert answer.exit_code == 2
    assert "is no folder" in answer.output


def test_a_program_is_told_whose_reports_are_in_it_and_whose_are_not(tmp_path):
    (tmp_path / "prod.md").write_text(report("prod"), encoding="utf-8")
    output = tmp_path / "comment.txt"
    words = (tmp_path, "--expect", "staging", "--expect", "prod", "--run-url", RUN, "--output", output)
    answer = run(*words, "--json")
    assert json.loads(answer.stdout) == {
        "output": str(output),
        "reports": ["prod"],
        "missing": ["staging"],
    }
    assert run(*words).stdout == ""
