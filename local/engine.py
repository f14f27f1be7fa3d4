"""The Pulumi engine: one that is on PATH already, or the pinned Go module, built once."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from local import go_tool
from local.process import ask_version, search_path
from local.steps import Steps

TITLE = "Pulumi engine"
VERSION = (3, 230, 0)
VERSION_TEXT = "v" + ".".join(map(str, VERSION))
LANGUAGE_PLUGIN = "pulumi-language-python"

TOOL = go_tool.Tool(
    name="the Pulumi engine",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    program="pulumi",
    version=VERSION_TEXT,
    stamp="github.com/pulumi/pulumi/sdk/v3/go/common/version.Version",
    note=".built-from",
    modules=290,
    packages=1460,
    instead=f"Pulumi {VERSION_TEXT} or ",
)


def on_path(environment: Mapping[str, str], home: Path) -> Path | None:
    """The `pulumi` of PATH, if it is new enough (and of the same major version) and can run Python programs."""
    found = shutil.which("pulumi", path=search_path(environment, home))
    if not found or not Path(found).resolve().with_name(LANGUAGE_PLUGIN).exists():
        return None
    number = ask_version(found, "version")
    return Path(found) if number and number[0] == VERSION[0] and number >= VERSION else None


def built(home: Path) -> Path | None:
    """The engine that an earlier run built from the same pin."""
    return go_tool.built(TOOL, home)


def find(home: Path) -> Path | None:
    return on_path(os.environ, home) or built(home)


def build(root: Path, home: Path, steps: Steps) -> Path:
    """Builds the engine that local/go.mod pins into .local/bin. Raises Failure; a half-built one is never left."""
    why = f"{VERSION_TEXT}, built from its Go module, once (some two minutes): the real planner, and no download site"
    with steps.step(TITLE, why) as step:
        return go_tool.build(TOOL, root, home, step)
