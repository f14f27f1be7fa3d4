"""docs/policies.md, and the checklist that it is made of."""

import re

import pytest
import typer
from catalogue import RULES as PACK

from operations.__main__ import app
from operations.policy import __main__ as command
from operations.policy import catalogue, checklist, document
from operations.policy.commands import ROOT
from tests.policy_check import ENCRYPTED, RETENTION, RULES, rule

ITEMS = checklist.items()


@pytest.fixture(scope="module")
def page():
    return document.text(catalogue.load(ROOT), document.commands_of(app))


def test_the_page_is_current(page):
    assert document.PATH.read_text("utf-8") == page, "run python -m operations.policy"


def test_the_page_has_every_rule_and_every_item(page):
    assert re.findall(r"^### `(.+)`$", page, flags=re.MULTILINE) == [rule.id for rule in PACK]
    asked = page[page.index("## What the products ask for") : page.index("## What no rule can see")]
    assert re.findall(r"^\| (C\d+) \|", asked, flags=re.MULTILINE) == list(ITEMS)


def test_every_table_has_as_many_cells_in_a_row_as_in_its_head(page):
    tables = re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE)
    assert len(tables) > len({item.topic for item in ITEMS.values()})
    for table in tables:
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_links_within_the_page_lead_somewhere(page):
    headings = re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", page))
    assert len(links) > len(PACK) / 2
    assert links <= anchors


def test_a_rule_says_what_it_is_about_and_who_asks_for_it():
    page = document.text([RETENTION], set())
    assert (
        "### `log-retention-set`\n\n"
        "**log-retention-set holds.** Medium, mandatory. It has to.\n\n"
        "- How to fix: Set retentionInDays (stack file: observability.log_retention_days).\n"
        "- Looks at: `aws:cloudwatch/logGroup:LogGroup`.\n"
        "- Frameworks: FSBP CloudWatch.16, CKV_AWS_66.\n"
        "- Asked for by C60 (RentalFix L547-550, Nx monorepo L720, ts-service L426, L739); C61 (FixRx L339).\n"
        "- Thresholds: `minimum_days` (default `30`).\n"
    ) in page
    assert "- Thresholds" not in document.text([ENCRYPTED], set())


def test_rules_are_counted_by_topic_severity_and_framework():
    page = document.text(RULES, set())
    assert "| [Logs](#logs) | 4 |  | 2 | 1 | 1 |\n| [Database](#database) | 1 | 1 |  |  |  |\n" in page
    assert "| **all** | 5 | 1 | 2 | 1 | 1 |" in page
    assert (
        "1 of them answer an item of the products' checklist; 1 of them carry an id of AWS Foundational"
        in page
    )
    assert "CIS AWS" not in page


def test_an_item_without_a_rule_is_named_where_a_preview_could_judge_it():
    page = document.text([RETENTION], set())
    assert "| C59 | There are dashboards | RentalFix L490-508, Nx monorepo L716 | none yet |" in page
    assert "| C62 | No personal data in logs | RentalFix L627, FixRx L329 |  |" in page
    missing = document.unanswered([RETENTION])
    assert [item.id for item in missing if item.topic == "Observability"] == ["C58", "C59", "C63", "C64"]
    everything = rule("all", "t", checklist=list(ITEMS))
    assert document.unanswered([everything]) == []
    assert "none yet" not in document.text([everything], set())
    assert "no rule does yet" not in document.text([everything], set())


def test_a_command_that_is_not_there_is_said_to_come():
    assert "`groundwork verify tls` *to come* |" in document.text(RULES, set())
    assert "`groundwork verify tls` |" in document.text(RULES, {"verify tls"})


def test_a_command_is_there_with_its_arguments_and_a_group_is_not():
    assert "`groundwork verify tls` |" in document.text(RULES, {"verify"})
    page = document.text(RULES, {"network", "network check"})
    assert "`groundwork network audit` *to come* |" in page
    assert "`groundwork network check` |" in page


def test_commands_are_found_by_their_words():
    inner = typer.Typer()
    inner.command("check")(lambda: None)
    inner.command("list")(lambda: None)
    outer = typer.Typer()
    outer.add_typer(inner, name="policy")
    outer.command("report")(lambda: None)
    assert document.commands_of(outer) == {"policy", "policy check", "policy list", "report"}


def test_the_checklist_is_whole_and_says_who_checks_each_item():
    assert list(ITEMS) == [f"C{number}" for number in range(1, 84)]
    for item in ITEMS.values():
        assert item.documents, item.id
        assert item.preview or item.elsewhere != checklist.Elsewhere(), item.id
        assert not item.asks.endswith("."), item.id
        for lines in item.documents.values():
            assert re.fullmatch(r"L\d+(-\d+)?(, L\d+(-\d+)?)*", lines), item.id


def test_rules_name_items_that_there_are():
    assert {id for rule in PACK for id in rule.checklist} <= set(ITEMS)


def test_no_rule_answers_an_item_of_which_the_checklist_says_that_a_preview_cannot_show_it():
    answered = {id for rule in PACK for id in rule.checklist}
    assert {id for id in answered if not ITEMS[id].preview} == set()


def test_the_command_writes_and_then_finds_it_current(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(document, "PATH", tmp_path / "policies.md")
    monkeypatch.setattr(catalogue, "load", lambda _: RULES)
    monkeypatch.setattr("sys.argv", ["policies", "--check"])
    assert command.main() == 1
    assert capsys.readouterr().out == "policies.md is not current: run python -m operations.policy\n"
    assert not document.PATH.exists()
    monkeypatch.setattr("sys.argv", ["policies"])
    assert command.main() == 0
    assert capsys.readouterr().out == "wrote policies.md\n"
    monkeypatch.setattr("sys.argv", ["policies", "--check"])
    assert command.main() == 0
    assert capsys.readouterr().out == ""


def test_the_command_says_why_the_pack_cannot_be_read(monkeypatch, capsys):
    def unavailable(_):
        raise catalogue.Unavailable("no such topic")

    monkeypatch.setattr(catalogue, "load", unavailable)
    monkeypatch.setattr("sys.argv", ["policies"])
    assert command.main() == 1
    assert capsys.readouterr().err == "no such topic\n"
