"""What the products' documents ask for: no row without an entry, no entry that does not hold, a current page."""

import json
import re
from dataclasses import replace
from functools import cache

import pytest
from catalogue import RULES

from settings import yaml_file
from tests.program import configuration, declared, run
from tests.recorder import Recording
from tests.requirements import __main__ as command
from tests.requirements import document
from tests.requirements.table import Chapter, Row, has_key, problems
from tests.settings_examples import ROOT

RULE_IDS = {rule.id for rule in RULES}
PRODUCTS = [pytest.param(product, id=product.SYSTEM) for product in document.PRODUCTS]
CHECKED = [
    pytest.param(product.STACK, row, id=row.id)
    for product in document.PRODUCTS
    for row in product.ROWS
    if row.check
]
NOTHING = Recording(resources=(), value={}, registered_outputs={})


@cache
def _shaped(stack: str, shape: str) -> Recording:
    config = configuration(stack)
    for key, value in json.loads(shape).items():
        known = config.get(f"groundwork:{key}")
        is_block = isinstance(known, dict) and isinstance(value, dict)
        config[f"groundwork:{key}"] = {**known, **value} if is_block else value
    return run(stack, config)


def recorded(stack: str, row: Row) -> Recording:
    """Production, or production with the keys of the row's shape; each is run once a process."""
    return _shaped(stack, json.dumps(row.shape)) if row.shape else declared(stack)


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_row_of_the_guide_has_an_entry_and_every_policy_exists(product):
    assert list(problems(product.ROWS, product.PREFIX, product.COUNT, RULE_IDS)) == []


@pytest.mark.parametrize(("stack", "row"), CHECKED)
def test_what_an_entry_says_holds_in_production(stack, row):
    row.check(recorded(stack, row))


@pytest.mark.parametrize(("stack", "row"), CHECKED)
def test_a_check_fails_where_nothing_is_declared(stack, row):
    with pytest.raises(AssertionError):
        row.check(NOTHING)


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_policy_that_is_named_judges_something(product):
    for row in product.ROWS:
        if row.policies:
            types = {resource.type for resource in recorded(product.STACK, row)}
            idle = {rule.id for rule in RULES if types.isdisjoint(rule.types)}
            assert not idle & set(row.policies), row.id


@pytest.mark.parametrize("product", PRODUCTS)
def test_components_and_settings_that_are_named_exist(product):
    tree = yaml_file.read(ROOT / "systems" / product.SYSTEM / "system.yaml")
    stack = {key.removeprefix("groundwork:"): value for key, value in configuration(product.STACK).items()}
    named = [(row.id, name) for row in product.ROWS for name in row.components]
    assert [each for each in named if not (ROOT / "components" / f"{each[1]}.py").is_file()] == []
    keys = [(row.id, key, row.shape) for row in product.ROWS for key in row.settings]
    assert [
        (id, key) for id, key, shape in keys if not any(has_key(each, key) for each in (tree, stack, shape))
    ] == []


def test_a_key_is_found_only_where_it_stands():
    tree = {"database": {"parameters": {"work_mem": 65536}}, "caches": ["cache"]}
    assert has_key(tree, "database.parameters.work_mem")
    assert not has_key(tree, "database.parameters.work_memory")
    assert not has_key(tree, "caches.cache")
    assert not has_key(tree, "database.parameters.work_mem.unit")


def entry(id, kind="declared", **changes):
    return replace(Row(id=id, kind=kind, lines="L1", asked="something", check=print), **changes)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([entry("R1")], "R2 has no entry"),
        ([entry("R1"), entry("R2"), entry("R2")], "R2 has 2 entries"),
        ([entry("R1"), entry("R2"), entry("R9")], "R9 is no row of the document: they are R1 to R2"),
        ([entry("R2"), entry("R1")], "R1 stands after R2"),
        (
            [entry("R1"), entry("R2", check=None)],
            "R2 is said to be met (declared), and nothing asserts it",
        ),
        ([entry("R1"), entry("R2", "policy")], "R2 is met by policy, and names none"),
        (
            [entry("R1"), entry("R2", "policy", policies=["tls"])],
            "R2 names the policy tls, which the pack does not have",
        ),
        (
            [entry("R1"), entry("R2", "operator", note="run the task `bootstrap`")],
            "R2 leaves work to the operator, and names no command, nor who does it by hand and why",
        ),
        (
            [
                entry("R1"),
                entry("R2", "operator", commands=["db ping"], by_hand="people, as nobody else can"),
            ],
            "R2 says why no command does it, and is no row that the operator does by hand",
        ),
        (
            [entry("R1"), entry("R2", by_hand="people, as nobody else can")],
            "R2 says why no command does it, and is no row that the operator does by hand",
        ),
        (
            [entry("R1"), entry("R2", commands=["db ping", "db pong"])],
            "R2: groundwork db pong: there is no pong",
        ),
        (
            [entry("R1"), entry("R2", commands=["db ping --roll x"])],
            "R2: groundwork db ping --roll x: No such option: --roll",
        ),
        ([entry("R1"), entry("R2", commands=["db"])], "R2: groundwork db: names no command"),
        (
            [entry("R1"), entry("R2", commands=["verify tls", "verify tsl dns"])],
            "R2: groundwork verify tsl dns: verify has no check tsl",
        ),
        (
            [entry("R1"), entry("R2", "application")],
            "R2 leaves work to the application, and does not say what",
        ),
        ([entry("R1"), entry("R2", "not met", check=None)], "R2 is not met, and does not say why"),
    ],
)
def test_a_table_with_a_fault_is_refused(rows, said):
    assert list(problems(rows, "R", 2, {"rds-encrypted"})) == [said]


def test_a_sound_table_is_accepted():
    rows = [
        entry("R1", "policy", policies=["rds-encrypted"], check=None),
        entry("R2", "not met", missing="it cannot be set", check=None),
        entry("R3", "operator", commands=["db check --only extensions", "secrets rotate", "backup verify"]),
        entry("R4", "operator", by_hand="people, as nobody else can"),
        entry("R5", commands=["redis info memory --cache queue"]),
    ]
    assert list(problems(rows, "R", 5, {"rds-encrypted"})) == []


def test_a_chapter_keeps_the_check_beside_its_row():
    chapter = Chapter(title="One")

    @chapter.row("R1", "L1", "something", "operator", commands=["db ping"], settings=["protect"])
    def check(stack):
        raise AssertionError

    (row,) = chapter.rows
    assert (row.id, row.commands, row.settings, row.check) == ("R1", ["db ping"], ["protect"], check)


def test_the_page_shows_how_a_row_is_done():
    (by_command,) = document.cells(entry("R1", "operator", commands=["db ping", "redis ping"], note="both"))[
        -1:
    ]
    assert by_command == "`groundwork db ping`, `groundwork redis ping`; both"
    (by_hand,) = document.cells(entry("R1", "operator", by_hand="people, as nobody else can"))[-1:]
    assert by_hand == "*By hand:* people, as nobody else can"


def test_the_page_is_current():
    assert document.PATH.read_text("utf-8") == document.text(), "run python -m tests.requirements"


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_page_has_every_row_with_as_many_cells_as_its_head(product):
    lines = re.findall(rf"^\| {product.PREFIX}\d+ .*$", document.text(), flags=re.MULTILINE)
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == [row.id for row in product.ROWS]
    assert {len(re.split(r"(?<!\\)\|", line)) for line in lines} == {7}


def test_the_command_writes_and_then_finds_it_current(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(document, "PATH", tmp_path / "requirements.md")
    monkeypatch.setattr("sys.argv", ["requirements", "--check"])
    assert command.main() == 1
    assert capsys.readouterr().out == "requirements.md is not current: run python -m tests.requirements\n"
    assert not document.PATH.exists()
    monkeypatch.setattr("sys.argv", ["requirements"])
    assert command.main() == 0
    assert capsys.readouterr().out == "wrote requirements.md\n"
    monkeypatch.setattr("sys.argv", ["requirements", "--check"])
    assert command.main() == 0
    assert document.PATH.read_text("utf-8") == document.text()
