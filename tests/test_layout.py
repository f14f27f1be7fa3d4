"""Who may import whom: the arrows of the design, read from the source."""

import ast
from pathlib import Path

import pytest
import typer.main

from operations.__main__ import app

ROOT = Path(__file__).parent.parent
ROOMS = ("components", "settings", "wiring", "policies", "local", "operations", "tests")

# A room may import the rooms named here. `__main__` and its wiring are the only place where settings meet components.
ALLOWED = {
    "__main__": {"settings", "wiring"},
    "wiring": {"components", "settings", "wiring"},
    "components": {"components"},
    "settings": {"settings"},
    "policies": set(),
    "local": {"local"},
    "operations": {"operations"},
}


def modules(room: str) -> list[Path]:
    if room == "__main__":
        return [ROOT / "__main__.py"]
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Absolute dotted names that a file imports, wherever in the file it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_the_design_allows(room):
    crossings = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imports(path)
        if name.split(".")[0] in ROOMS and name.split(".")[0] not in ALLOWED[room]
    }
    assert not crossings


def test_components_meet_only_in_the_wiring():
    """A component may import the pure, underscored modules; never a sibling."""
    crossings = {
        f"{path.name} imports {name}"
        for path in (ROOT / "components").glob("*.py")
        for name in imports(path)
        if name.startswith("components.") and not name.split(".")[1].startswith("_")
    }
    assert not crossings


def test_pure_modules_create_nothing():
    """An underscored module computes; it may know pulumi's values, but not a single AWS resource."""
    crossings = {
        path.name
        for path in (ROOT / "components").glob("_*.py")
        if any(
            name.split(".")[0] in {"pulumi_aws", "pulumi_kubernetes", "pulumi_random"}
            for name in imports(path)
        )
    }
    assert not crossings


def test_policies_import_only_the_policy_sdk():
    own = {path.stem for path in (ROOT / "policies").glob("*.py")}
    crossings = {
        f"{path.name} imports {name}"
        for path in modules("policies")
        for name in imports(path)
        if name.split(".")[0] in {"pulumi", "pulumi_aws", "components", "settings"}
        and name.split(".")[0] not in own
    }
    assert not crossings


def test_local_knows_none_of_the_systems():
    systems = {path.name for path in (ROOT / "systems").iterdir()} - {"rentalfix"}
    named = {
        f"{path.relative_to(ROOT)}: {system}"
        for path in modules("local")
        for system in systems
        if system in path.read_text(encoding="utf-8")
    }
    assert not named


def test_every_component_has_tests():
    components = {path.stem for path in (ROOT / "components").glob("[!_]*.py")}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    assert components <= tested


# What they write is the other end's: a shell, psql, a tunnel that stands until Ctrl-C.
SESSIONS = {
    "groundwork exec",
    "groundwork db connect",
    "groundwork db tunnel",
    "groundwork redis tunnel",
}


def commands(command, path="groundwork"):
    for name, each in command.commands.items():
        whole = f"{path} {name}"
        yield from commands(each, whole) if hasattr(each, "commands") else [(whole, each)]


def test_every_command_shows_how_it_is_typed_and_what_changes_something_can_be_tried_first():
    found = dict(commands(typer.main.get_command(app)))
    assert len(found) > 80
    for path, command in found.items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "Example" in command.help, path
        assert "--dry-run" in options or "--yes" not in options, path
        assert ("--json" in options) != (path in SESSIONS), path
