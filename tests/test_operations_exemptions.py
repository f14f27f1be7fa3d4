"""`groundwork policy exemptions`: which accepted findings end soon."""

import json
from datetime import date, timedelta

import pytest
import typer
from typer.testing import CliRunner

from operations import exemptions
from operations.notices import Notice, render

TODAY = date(2026, 11, 26)
ENTRY = {
    "rule": "rds-multi-az",
    "resource": "database",
    "reason": "one zone until the move.",
    "owner": "dana@example.com",
    "expires": "2026-12-06",
}


def write(root, path, content):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (root / path).write_text(text, encoding="utf-8")


def config(*entries):
    return {"rds-multi-az": "advisory", "exemptions": {"granted": list(entries)}}


def found(root, within=30):
    return [
        (notice.subject, notice.said) for notice in exemptions.due(exemptions.granted(root), TODAY, within)
    ]


def test_one_that_ends_soon_is_told_with_its_owner_reason_and_file(tmp_path):
    write(tmp_path, "policies/config/prod.json", config(ENTRY))
    assert found(tmp_path) == [
        (
            "database from rds-multi-az",
            "ends on 2026-12-06, in 10 days. dana@example.com mends it or extends it in policies/config/prod.json "
            "(reason: one zone until the move).",
        )
    ]


@pytest.mark.parametrize(("within", "count"), [(9, 0), (10, 1), (0, 0)])
def test_one_that_ends_later_is_not_told(tmp_path, within, count):
    write(tmp_path, "policies/config/prod.json", config(ENTRY))
    assert len(found(tmp_path, within)) == count


def test_the_last_day_still_counts_and_the_next_one_does_not(tmp_path):
    write(
        tmp_path,
        "policies/config/prod.json",
        config({**ENTRY, "expires": "2026-11-26"}, {**ENTRY, "expires": "2026-11-25", "owner": ""}),
    )
    assert [said.split(".")[0] for _, said in found(tmp_path)] == [
        "ended on 2026-11-25, so its finding counts again",
        "ends on 2026-11-26, in 0 days",
    ]
    assert "Somebody mends it" in found(tmp_path)[0][1]


@pytest.mark.parametrize("expires", [None, "soon", 20261206])
def test_one_without_an_end_is_told(tmp_path, expires):
    write(tmp_path, "policies/config/prod.json", config({"rule": "a", "expires": expires}))
    assert found(tmp_path) == [
        ("? from a", f"says no date at which it ends, got {expires}. Set expires to YYYY-MM-DD.")
    ]


def test_a_systems_own_policies_are_read_too_and_files_without_exemptions_pass(tmp_path):
    write(tmp_path, "policies/config/prod.json", {"rds-multi-az": "advisory"})
    write(tmp_path, "policies/config/staging.json", {"exemptions": {"enforcementLevel": "mandatory"}})
    write(tmp_path, "systems/fixrx/policies.prod.json", config(ENTRY))
    write(tmp_path, "systems/fixrx/other.json", config(ENTRY))
    assert len(found(tmp_path)) == 1
    assert "systems/fixrx/policies.prod.json" in found(tmp_path)[0][1]


def test_every_file_that_cannot_be_read_is_told_in_one_go(tmp_path):
    write(tmp_path, "policies/config/a.json", "{")
    write(tmp_path, "policies/config/b.json", "[]")
    write(tmp_path, "policies/config/c.json", {"exemptions": {"granted": {}}})
    write(tmp_path, "policies/config/d.json", {"exemptions": "none"})
    with pytest.raises(exemptions.Unreadable) as refused:
        exemptions.granted(tmp_path)
    lines = str(refused.value).splitlines()
    assert lines[0].startswith("policies/config/a.json: Expecting property name")
    assert lines[1:] == [
        "policies/config/b.json: must be one object.",
        "policies/config/c.json: exemptions must be an object whose `granted` is a list of objects.",
        "policies/config/d.json: exemptions must be an object whose `granted` is a list of objects.",
    ]


def run(root, monkeypatch, *arguments):
    monkeypatch.setattr(exemptions, "ROOT", root)
    app = typer.Typer()
    app.command()(exemptions.exemptions)
    return CliRunner().invoke(app, arguments)


def test_its_exit_code_says_whether_there_is_one(tmp_path, monkeypatch):
    tomorrow = (date.today() + timedelta(days=2)).isoformat()
    write(tmp_path, "policies/config/prod.json", config({**ENTRY, "expires": tomorrow}))
    answer = run(tmp_path, monkeypatch, "--format", "markdown")
    assert answer.exit_code == 1
    assert answer.output.startswith("- **exemptions**: database from rds-multi-az: ends on ")
    answer = run(tmp_path, monkeypatch, "--json")
    assert answer.exit_code == 1
    [notice] = json.loads(answer.stdout)
    assert (notice["topic"], notice["subject"]) == ("exemptions", "database from rds-multi-az")
    assert json.loads(run(tmp_path, monkeypatch, "--within", "0", "--json").stdout) == []
    answer = run(tmp_path, monkeypatch, "--within", "0")
    assert (answer.exit_code, answer.output) == (0, "None of 1 exemptions ends within 0 days.\n")
    write(tmp_path, "policies/config/prod.json", "nothing")
    assert run(tmp_path, monkeypatch).exit_code == 2


def test_this_repositorys_configurations_can_be_read():
    exemptions.granted(exemptions.ROOT)


def test_what_comes_from_elsewhere_cannot_write_markdown_of_its_own():
    notice = Notice("images", "a`b", "see [x](y)\n# heading @team <b>")
    assert render([notice], "markdown", nothing="") == (
        "- **images**: a\\`b: see \\[x\\](y) \\# heading @\u200bteam \\<b\\>"
    )
    assert render([notice], "text", nothing="").startswith("images: a`b: see [x](y)")
    assert json.loads(render([notice], "json", nothing="")) == [vars(notice)]
    assert render([], "text", nothing="All is well.") == "All is well."
    assert render([], "json", nothing="All is well.") == "[]"
