"""`groundwork report`: the comment, its limits, and the command; the samples in docs/examples are what it makes."""

import json
import re

import pytest
from typer.testing import CliRunner

from operations.__main__ import app
from operations.report import findings
from operations.report.comment import LIMIT, comment, marker
from operations.report.markdown import Section, Table, code, fit, plain, spans
from operations.report.preview import UNKNOWN, read
from operations.report.report import build
from operations.report.words import between, listed, money, signed, span
from tests.report_previews import (
    BUCKET,
    DATABASE,
    INSTANCE,
    ROLE,
    SERVICE,
    SUMMARY,
    policy_event,
    preview,
    step,
    text,
    urn,
)
from tests.report_samples import EXAMPLES, RECORDINGS, SAMPLES, examples, recorded

REPLACED = step(
    "replace",
    INSTANCE,
    "database",
    old={**DATABASE, "dbName": "a"},
    new={**DATABASE, "dbName": "b"},
    replacing=["dbName"],
)
GITHUB_LIMIT = 65_536


def said(*steps, log=None, acknowledged="", diff=None, limit=LIMIT, **more):
    events = findings.read("\n".join([*log, SUMMARY])) if log is not None else None
    return comment(build(preview(*steps, **more), events, acknowledged=acknowledged), diff=diff, limit=limit)


def line(text_, name):
    """The line of the summary that begins with a name."""
    return next(found for found in text_.splitlines() if found.startswith(f"| **{name}** |"))


# The samples.


def test_the_samples_are_what_the_command_makes_of_their_recordings():
    made = examples()
    assert {path.stem for path in EXAMPLES.glob("*.md")} - {"README"} == made.keys()
    for name, content in made.items():
        assert (EXAMPLES / f"{name}.md").read_text(encoding="utf-8") == content, (
            "run `python -m tests.report_samples`"
        )


def test_the_recordings_stay_small():
    assert sum(path.stat().st_size for path in RECORDINGS.iterdir()) < 300_000


def test_the_samples_show_what_they_are_for():
    made = examples()
    assert "**+$328.50 a month**" in line(made["instance-class-up"], "Cost")
    assert "`database` fails over; `database-postgres16` waits for a reboot" in line(
        made["instance-class-up"], "Time and risk"
    )
    assert "**Blocked:**" in made["database-renamed"]
    assert "`dbName` (rentfix → rentalfix) cannot be changed in place" in made["database-renamed"]
    assert "**Acknowledged:** `database`" in made["database-renamed-acknowledged"]
    assert "Blocked" not in made["database-renamed-acknowledged"]
    assert "2 × 0.25 vCPU and 0.5 GB, 2 to 6 of them" in made["new-service"]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_recording_is_a_whole_preview(name):
    found = read(recorded(name)[0])
    assert found.lists_all
    assert found.counts.total() > 470


# The comment.


def test_it_begins_with_the_line_by_which_a_pipeline_finds_it():
    assert said().startswith("<!-- groundwork report: rentalfix/prod -->\n") is False  # no resource, no stack
    assert said(REPLACED).splitlines()[0] == "<!-- groundwork report: rentalfix/prod -->"
    assert marker("a-->b", "x y<!--") == "<!-- groundwork report: a-b/xy- -->"


def test_nothing_changes():
    found = said(step("same", BUCKET, "b"), log=[])
    assert line(found, "Changes") == "| **Changes** | 1 unchanged |"
    assert line(found, "Replaced or destroyed") == "| **Replaced or destroyed** | nothing |"
    assert "nothing that has a price changes" in line(found, "Cost")
    assert line(found, "Policies") == "| **Policies** | no violation |"
    assert "All changes" not in found


def test_a_loss_is_in_front_open_and_says_how_to_acknowledge_it():
    found = said(REPLACED, step("create", ROLE, "r"))
    assert found.index("**Blocked:** this takes away one resource with data") < found.index("| **Changes** |")
    assert "<details open><summary>What is replaced or destroyed" in found
    assert f"```text\ngroundwork: replace {urn(INSTANCE, 'database')}\n```" in found


def test_an_acknowledged_loss_is_said_and_does_not_block():
    found = said(REPLACED, acknowledged="groundwork: replace database")
    assert "**Acknowledged:** `database` with data will be lost." in found
    assert "```text" not in found
    assert "<details><summary>What is replaced or destroyed" in found


def test_an_acknowledgement_of_no_use_is_shown():
    found = said(step("create", ROLE, "r"), acknowledged="groundwork: replace data|base")
    assert "- `groundwork: replace data\\|base` names nothing that is replaced or destroyed here." in found
    assert "<details open>" in found


def test_many_losses_are_counted_where_they_are_too_many_to_name():
    found = said(*(step("delete", BUCKET, f"b{n:02}") for n in range(14)))
    assert "14 resources" in found
    assert found.count("groundwork: destroy urn:") == 10
    assert "The other 4 need a line of their own, too." in found
    assert "bucket `b00`, bucket `b01`, bucket `b02` and 11 more" in line(found, "Replaced or destroyed")


def test_a_protected_one_that_stays_in_aws_says_both():
    found = said(step("replace", INSTANCE, "db", old={"identifier": "x"}, protect=True, retainOnDelete=True))
    assert "the old one stays in AWS and Pulumi forgets it" in found
    assert "both have the same `identifier`, so AWS refuses the new one" in found
    assert "it is protected: `pulumi up` refuses" in found


def test_costs_say_range_totals_and_what_is_unknown():
    found = said(
        step("create", INSTANCE, "db", new={**DATABASE, "maxAllocatedStorage": 500}),
        step("create", INSTANCE, "odd", new={**DATABASE, "instanceClass": UNKNOWN}),
        step("create", BUCKET, "b"),
    )
    assert "**+$351.50 a month**; +$351.50 to +$443.50 as it scales and grows" in line(found, "Cost")
    assert "**1 without a price**; 3 by use" in line(found, "Cost")
    assert "| `odd` (rds.Instance) | `instanceClass` is not known" in found.replace("\\", "")
    assert "| s3.Bucket | 1 | GB kept" in found


def test_a_stack_of_another_region_says_that_it_is_priced_as_us_east_1():
    here, there = (said(REPLACED, config={"aws:region": region}) for region in ("us-east-1", "eu-west-1"))
    assert "The stack is in eu-west-1; it is priced as if it were not." in there
    assert "The stack is in" not in here
    assert "list prices on demand in us-east-1" in here


def test_what_stays_in_aws_goes_on_costing():
    found = said(step("delete", INSTANCE, "db", old=DATABASE, retainOnDelete=True))
    assert "goes on costing until somebody deletes it: `db` ($351.50)" in found


def test_policies_that_refuse_are_open_and_in_front():
    found = said(
        log=[policy_event("a", "rule\nfound", enforcementLevel="advisory"), policy_event("b", "rule\nfound")]
    )
    assert (
        line(found, "Policies") == "| **Policies** | violations: 2 medium; **1 of them refuses the change** |"
    )
    assert found.index("| `b` | medium, **refused** | `database` | rule found |") < found.index(
        "| `a` | medium, advice |"
    )
    assert "<details open><summary>What the policies say" in found


def test_exempt_and_waiting_ones_are_shown():
    waits = "d\n2 checks wait for values that only `pulumi up` will know:\n  policy of a: iam"
    exempt = "d\nrds-multi-az: multiAz is false. Exempt until 2027-01-01 by dana@rentfix.com: moving."
    log = [
        policy_event("not-evaluated", waits, enforcementLevel="advisory"),
        policy_event("exempted", exempt, enforcementLevel="advisory"),
    ]
    found = said(log=log)
    assert line(found, "Policies") == "| **Policies** | no violation; 1 exempt; 2 checks not evaluated yet |"
    assert "| policy of a: iam |" in found
    assert "Exempt until 2027-01-01 by dana&#64;rentfix.com: moving." in found
    assert "<details open><summary>What the policies say" not in found


def test_no_log_and_no_pack_are_no_good_news():
    assert "not looked at: no event log was given" in line(said(), "Policies")
    assert "**none ran**" in line(comment(build(preview(), findings.read(""))), "Policies")


def test_a_preview_that_failed_says_why_and_answers_what_it_can():
    errors = [{"message": f"error: problem {n} of @team\n", "severity": "error"} for n in range(7)]
    found = said(REPLACED, diagnostics=errors)
    assert "The preview did not come to its end, so what follows is about a part of the stack only:" in found
    assert "- problem 0 of &#64;team" in found
    assert "- ... and 2 more" in found
    assert "**Blocked:**" in found


def test_a_preview_that_stopped_at_a_protected_resource_says_at_which():
    message = (
        f'unable to replace resource "{urn(INSTANCE, "database")}" as it is currently marked for protection'
    )
    found = said(diagnostics=[{"message": message, "severity": "error"}])
    assert "the engine stopped at `database`" in found
    assert "**1 with data:** database `database`" in line(found, "Replaced or destroyed")


def test_a_comparison_without_an_account_says_with_what():
    assert "Compared with what commit `0123456789ab` declares" in said(comparedWith="0123456789abcdef")
    assert "Compared with" not in said()


def test_the_full_diff_is_named_where_there_is_one():
    assert "Every input that changes: `changes.txt`." in said(diff="changes.txt")
    assert "Every input" not in said()


# Whatever stands in it.


HOSTILE = "a`b|c\n<img src=x>@team#1 [x](y) **z** -->"


@pytest.mark.parametrize("make", [plain, code, spans])
def test_no_text_becomes_markup(make):
    made = make(HOSTILE)
    assert "\n" not in made
    assert not re.search(r"(?<!\\)\|", made)
    outside = re.sub(r"`[^`]*`", "", made)
    assert "<" not in outside
    assert not re.search(r"(?<![\\&])[@#\[]", outside.replace("&#", ""))


def test_a_word_with_an_underscore_stays_readable():
    assert plain("work_mem of _x_") == "work_mem of \\_x\\_"


def test_long_texts_are_cut():
    assert len(plain("x" * 5000)) == 300
    assert len(code("x" * 5000)) == 302
    assert code("") == "` `"


def test_hostile_names_and_messages_change_nothing_of_the_comment():
    lost = step("delete", BUCKET, HOSTILE), step("create", BUCKET, f"new {HOSTILE}")
    found = said(
        *lost,
        acknowledged="groundwork: replace <img src=x>",
        log=[policy_event("p`|", HOSTILE, name=HOSTILE)],
    )
    rows = [row for row in found.splitlines() if row.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) in (3, 4, 5) for row in rows)
    spans_only = re.sub(r"```.*?```", "", found, flags=re.DOTALL).replace("\\`", "")
    outside = re.sub(r"`[^`]*`", "", spans_only)
    assert "<img" not in outside
    assert outside.count("-->") == 1  # of the marker


def test_secrets_in_messages_are_hidden():
    found = said(
        log=[policy_event("p", "rule\nurl is postgres://app:hunter2@db")],
        diagnostics=[{"message": "redis://:hunter2@x", "severity": "error"}],
    )
    assert "hunter2" not in found


# Its size.


def huge(count):
    types = (BUCKET, ROLE, INSTANCE, SERVICE)
    return [
        step(
            "delete" if n % 2 else "create",
            types[n % 4],
            f"{'very-long-name-' * 8}{n}",
            old=DATABASE,
            new=DATABASE,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [400, 4000])
def test_a_huge_preview_stays_below_githubs_limit(count):
    log = [policy_event("rule", f"{'what should hold ' * 20}\n{n}", name=f"r{n}") for n in range(500)]
    found = said(*huge(count), log=log, diff="changes.txt")
    assert len(found) <= LIMIT < GITHUB_LIMIT
    assert re.search(r"\.\.\. and \d+ more, see `changes.txt`\.", found)
    assert found.rstrip().endswith("</details>")


def test_the_least_important_rows_go_first():
    table = [Table(("a",), [(f"row {n}",) for n in range(50)]) for _ in range(2)]
    sections = [Section("first", [table[0]]), Section("second", [table[1]])]
    made = fit("head", sections, 500, "elsewhere", [table[1], table[0]])
    assert len(made) <= 500
    assert table[1].shown == 0
    assert "... and 50 more, elsewhere." in made
    assert 0 < table[0].shown < 50


def test_a_text_that_fits_loses_nothing():
    table = Table(("a",), [("row",)])
    assert fit("head", [Section("s", [table])], 700, "x", [table]) == (
        "head\n\n<details><summary>s</summary>\n\n| a |\n| --- |\n| row |\n\n</details>\n"
    )


def test_even_a_head_that_is_too_long_is_cut():
    assert fit("x" * 100, [], 50, "", []) == "x" * 46 + "...\n"


# Figures.


def test_money_has_a_sign_and_cents():
    assert (money(1234.5), money(-2), money(-0.001)) == ("$1,234.50", "-$2.00", "$0.00")
    assert (signed(1), signed(-1), signed(0), signed(0.001)) == ("+$1.00", "-$1.00", "$0.00", "$0.00")


def test_a_range_is_in_order_and_silent_where_it_is_none():
    assert between(-5, -9, -5) == "-$9.00 to -$5.00"
    assert between(3, 3, 3) == ""


def test_spans_are_of_seconds_or_minutes():
    assert [span(each) for each in ((2, 20), (5, 5), (10, 300), (600, 1800), (3600, 3601))] == [
        "2 to 20 seconds",
        "5 seconds",
        "1 to 5 minutes",
        "10 to 30 minutes",
        "60 minutes",
    ]


def test_lists_say_how_many_more():
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c", "d"]) == "a, b, c and 1 more"


# The command.


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GROUNDWORK_ACKNOWLEDGE", raising=False)
    (tmp_path / "preview.json").write_text(text(REPLACED), encoding="utf-8")
    (tmp_path / "events.jsonl").write_text(SUMMARY, encoding="utf-8")

    def run(*arguments, **environment):
        return CliRunner().invoke(app, ["report", "--preview", "preview.json", *arguments], env=environment)

    return run


def test_a_loss_that_nobody_acknowledged_ends_with_exit_code_3_and_is_written_all_the_same(run, tmp_path):
    assert run("--output", "comment.md", "--diff", "changes.txt", "--events", "events.jsonl").exit_code == 3
    assert "**Blocked:**" in (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert '"a" -> "b" (replaces it)' in (tmp_path / "changes.txt").read_text(encoding="utf-8")


def test_the_acknowledgement_comes_from_an_option_the_environment_or_a_file(run, tmp_path):
    (tmp_path / "body.md").write_text("groundwork: replace database\n", encoding="utf-8")
    assert run("--acknowledge", "groundwork: replace database").exit_code == 0
    assert run(GROUNDWORK_ACKNOWLEDGE="Some words.\r\n\r\ngroundwork: replace database").exit_code == 0
    assert run("--acknowledge-file", "body.md").exit_code == 0
    assert run("--acknowledge", "groundwork: replace something").exit_code == 3


def test_names_may_be_given(run):
    assert "<!-- groundwork report: fixrx/prod -->" in run("--system", "fixrx").stdout
    assert "<!-- groundwork report: rentalfix/blue -->" in run("--stack", "blue").stdout


def test_the_stack_of_a_system_is_called_as_people_call_it():
    changed = {
        "op": "create",
        "urn": urn(BUCKET, "b", "fixrx-prod"),
        "newState": {"type": BUCKET, "custom": True},
    }
    report = build(preview(changed, config={"groundwork:system": "fixrx"}), None)
    assert (report.system, report.stack) == ("fixrx", "prod")


def test_json_has_the_same_for_programs(run):
    text = run("--format", "json", "--events", "events.jsonl").stdout
    assert run("--json", "--events", "events.jsonl").stdout == text
    content = json.loads(text)
    assert (content["system"], content["stack"], content["blocked"]) == ("rentalfix", "prod", True)
    assert content["losses"][0]["because"] == "`dbName` (a → b) cannot be changed in place"
    assert content["cost"]["delta"] == 0
    assert content["policies"]["violations"] == []
    assert content["risk"]["seconds"] == [780, 3300]


def test_the_event_log_gives_what_stays_where_the_json_does_not():
    same = {
        "op": "same",
        "urn": urn(INSTANCE, "other"),
        "new": {"type": INSTANCE, "custom": True, "inputs": DATABASE},
    }
    log = findings.read(json.dumps({"resourcePreEvent": {"metadata": same}}))
    report = build(preview(step("create", ROLE, "r"), changeSummary={"same": 1, "create": 1}), log)
    assert (report.costs.before, report.costs.after) == (351.5, 351.5)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "preview.json is empty"),
        ("no", "preview.json is no JSON"),
        ("\xff", "preview.json is no UTF-8 text"),
        (None, "preview.json cannot be read: No such file"),
    ],
)
def test_a_preview_that_is_none_is_refused_in_a_sentence(run, tmp_path, content, sentence):
    path = tmp_path / "preview.json"
    path.unlink()
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    result = run()
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_an_event_log_that_is_none_is_refused_in_a_sentence(run, tmp_path):
    (tmp_path / "events.jsonl").write_text("no\n{}", encoding="utf-8")
    result = run("--events", "events.jsonl")
    assert result.exit_code == 2
    assert "events.jsonl is no event log" in result.stderr
