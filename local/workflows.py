"""The check of .github/workflows: actionlint, which hands the scripts in them to shellcheck."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local import debian, exclusive, go_tool
from local.steps import Failure, Steps

TITLE = "actionlint"
MODULE = "github.com/rhysd/actionlint"


def tool(root: Path) -> go_tool.Tool:
    return go_tool.Tool(
        name="actionlint",
        package=f"{MODULE}/cmd/actionlint",
        program="actionlint",
        version=go_tool.pinned(root, MODULE),
        stamp=f"{MODULE}.version",
        note=".actionlint-built-from",
        modules=10,
        packages=80,
    )


def have(root: Path, home: Path, steps: Steps) -> Path:
    """actionlint as local/go.mod pins it, built if need be. Raises Failure."""
    wanted = tool(root)
    if found := go_tool.built(wanted, home):
        return found
    why = f"{wanted.version}, built from its Go module, once (a few seconds)"
    with exclusive.alone(home / "setup.lock", "test"), steps.step(TITLE, why) as step:
        return go_tool.build(wanted, root, home, step)


def shellcheck(home: Path, steps: Steps, environment: Mapping[str, str]) -> debian.Program | None:
    """None where it cannot be had, which is said; with CI set that is a Failure, so that nothing goes unchecked."""
    try:
        return debian.have("shellcheck", home)
    except Failure as failure:
        if environment.get("CI"):
            raise
        steps.say(f"The scripts in the workflows are not checked: {failure}")
        return None


def check(root: Path, steps: Steps) -> None:
    """Raises Failure when a workflow has a fault; actionlint has printed each with its line by then."""
    home = root / ".local"
    files = sorted((root / ".github" / "workflows").glob("*.y*ml"))
    if not files:
        raise Failure("There is no workflow in .github/workflows, so nothing was checked.")
    program = have(root, home, steps)
    scripts = shellcheck(home, steps, os.environ)
    command = [program, "-pyflakes=", f"-shellcheck={scripts.path if scripts else ''}", *files]
    environment = {**os.environ, **(scripts.environment if scripts else {})}
    if subprocess.run(command, cwd=root, env=environment, stdin=subprocess.DEVNULL, check=False).returncode:
        raise Failure("actionlint does not accept the workflows. Mend the lines that it names.")
    steps.say(f"{len(files)} workflows are in order")
