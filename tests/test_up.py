"""RentalFix whole, through the real engine: up, again, refresh, a change, destroy, and nothing is left."""

# ruff: noqa: F401, F811 - fixtures are imported

import json
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import pytest

from local import commands, stack
from local.steps import Steps
from local.workspace import Workspace
from tests.engine import ROOT, found_engine, free_port, home, identity, port, private, workspace

pytestmark = pytest.mark.engine

# What AWS itself keeps after a deletion, for a while or for good.
KEPT_BY_AWS = {("kms", "Key"), ("ecs", "TaskDefinition"), ("secretsmanager", "FakeSecret")}


@pytest.fixture
def rentalfix(private: Workspace, tmp_path: Path) -> Workspace:
    """The repository as it is, with a stack file that may be edited."""
    root = tmp_path / "rentalfix"
    root.mkdir()
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name != "Pulumi.local.yaml":
            (root / path.name).symlink_to(path)
    (root / "Pulumi.local.yaml").write_bytes((ROOT / "Pulumi.local.yaml").read_bytes())
    return Workspace(
        root=root,
        home=private.home,
        folder=tmp_path / "work",
        engine=private.engine,
        system="rentalfix",
        stack="local",
        port=private.port,
    )


def fetch(workspace: Workspace, path: str) -> dict:
    with urlopen(f"http://127.0.0.1:{workspace.port}{path}", timeout=20) as answer:
        return json.load(answer)


def contents(workspace: Workspace) -> Counter:
    """How many of each thing the emulator holds, moto's and ours."""
    counts: Counter = Counter()
    for service, models in fetch(workspace, "/moto-api/data.json").items():
        for model, instances in models.items():
            counts[service, model] += len(instances)
    counts.update(
        {("records", kind): len(ids) for kind, ids in fetch(workspace, "/groundwork/records").items()}
    )
    return counts


def test_rentalfix_from_nothing_and_back(rentalfix):
    quiet = Steps()
    commands.have_emulator(rentalfix, quiet)
    before = contents(rentalfix)

    first = commands.bring_up(rentalfix, quiet)
    assert first.changes.keys() == {"create"}
    assert [violation.message for violation in first.violations if violation.mandatory] == []

    second = commands.bring_up(rentalfix, quiet)
    assert second.changes.keys() == {"same"}

    drift = stack.run(rentalfix, "refresh", "--yes", "--skip-preview")
    assert drift.changes.keys() == {"same"}

    text = rentalfix.stack_file.read_text(encoding="utf-8")
    assert text.count("max_count: 2") == 1
    rentalfix.stack_file.write_text(text.replace("max_count: 2", "max_count: 3"), encoding="utf-8")
    changed = commands.bring_up(rentalfix, quiet)
    assert changed.changes["update"] == 1
    assert changed.changes.keys() == {"same", "update"}

    stack.run(rentalfix, "destroy", "--yes", "--skip-preview")
    assert stack.resources(rentalfix) == []
    left = contents(rentalfix) - before
    assert {key: count for key, count in left.items() if key not in KEPT_BY_AWS} == {}
