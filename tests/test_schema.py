"""The JSON Schemas that editors use."""

import json
import sys
from functools import cache

import jsonschema
import pytest

from settings import schema, yaml_file
from settings.schema import __main__ as command
from tests.settings_examples import CONFIG, PRODUCT, ROOT, spoiled

STACKS = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("Pulumi.*.yaml"), *ROOT.glob("systems/*/Pulumi.*.yaml")]
)
SYSTEMS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("systems/*/system.yaml"))


@cache
def validator(name):
    content = json.loads((schema.FOLDER / name).read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


def faults(name, content):
    return [error.message for error in validator(name).iter_errors(content)]


def test_schemas_are_current():
    for path, text in schema.documents().items():
        assert path.read_text() == text, f"{path.name} is not current: run python -m settings.schema"


@pytest.mark.parametrize(
    ("name", "file"),
    [*(("system.json", file) for file in SYSTEMS), *(("stack.json", file) for file in STACKS)],
)
def test_the_files_are_valid_and_name_their_schema(name, file):
    assert faults(name, yaml_file.read(ROOT / file)) == []
    named = (ROOT / file).read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert ((ROOT / file).parent / named).resolve() == schema.FOLDER / name


@pytest.mark.parametrize(
    "changes",
    [
        {"groundwork:network/nat_gateways": "perzone"},
        {"groundwork:network/nat_gateway": "single"},
        {"groundwork:networks": {}},
        {"groundwork:database/multi_az": "yes"},
        {"groundwork:database/allocated_storage_gib": 10},
        {"groundwork:services/core-matching/image_tag": "latest"},
        {"groundwork:services/core-matching/cpu": 1000},
        {"groundwork:account": "1234"},
        {"groundwork:services/Core": {}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_stack_files_that_an_editor_marks(changes):
    assert len(faults("stack.json", {"config": spoiled(CONFIG, changes)})) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"frobnicate": 1},
        {"services/core-matching/user": "root"},
        {"services/core-matching/scaling/0": {"metric": "cpuu"}},
        {"database/parameters/work_mem": [1]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_system_files_that_an_editor_marks(changes):
    assert len(faults("system.json", spoiled(PRODUCT, changes))) == 1


def test_what_must_be_there():
    assert "'groundwork:account' is a required property" in faults("stack.json", {"config": {}})
    assert "'name' is a required property" in faults("system.json", {})


def test_null_is_allowed_where_it_takes_a_key_away():
    changes = {"groundwork:caches/queue": None, "groundwork:backups/copy_region": None}
    assert faults("stack.json", {"config": spoiled(CONFIG, changes)}) == []


def test_every_key_has_a_help_text():
    system = json.loads((schema.FOLDER / "system.json").read_text())
    blocks = [system, *system["$defs"].values()]
    bare = [name for block in blocks for name, key in block["properties"].items() if "description" not in key]
    assert bare == []


def test_command(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(schema, "FOLDER", tmp_path)
    monkeypatch.setattr(sys, "argv", ["schema", "--check"])
    assert command.main() == 1
    assert "stack.json is not current: run python -m settings.schema" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(sys, "argv", ["schema"])
    assert command.main() == 0
    assert capsys.readouterr().out == "wrote system.json\nwrote stack.json\n"
    monkeypatch.setattr(sys, "argv", ["schema", "--check"])
    assert command.main() == 0
