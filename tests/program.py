"""Runs the whole program for a stack under mocks, with changes to its configuration if a test wants some.

A stack is named as its file is found: `prod` is Pulumi.prod.yaml, `fixrx/prod` is systems/fixrx/Pulumi.prod.yaml.
"""

import copy
import os
import runpy
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import yaml

from settings.loader import as_engine_config
from tests.recorder import Recording, record

ROOT = Path(__file__).parent.parent
STACKS = ("prod", "staging", "local")
# Every stack there is, RentalFix's first: whatever holds for one must hold for all.
ALL_STACKS = (
    *STACKS,
    *(
        f"{path.parent.name}/{path.stem.removeprefix('Pulumi.')}"
        for path in sorted(ROOT.glob("systems/*/Pulumi.*.yaml"))
    ),
)


def stack_file(stack: str, root: Path = ROOT) -> Path:
    system, _, name = stack.rpartition("/")
    return (root / "systems" / system if system else root) / f"Pulumi.{name}.yaml"


def configuration(stack: str, root: Path = ROOT) -> dict[str, Any]:
    """The `config` of the stack's file, to change at will."""
    return copy.deepcopy(_read(stack_file(stack, root))["config"])


@cache
def _read(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def run(stack: str, config: dict[str, Any] | None = None, *, preview: bool = False) -> Recording:
    """What __main__ declares, its exports as `value`; with `preview`, what a first preview would see."""
    shown = stack_file(stack).relative_to(ROOT).as_posix()
    with patch.dict(os.environ, {"GROUNDWORK_STACK_FILE": shown}):
        return record(
            _program,
            stack=stack.replace("/", "-"),
            config=as_engine_config(config or configuration(stack)),
            preview=preview,
        )


def _program() -> dict[str, Any]:
    """__main__, and what it exports: the mocks know no stack that could keep its outputs."""
    exported: dict[str, Any] = {}
    with patch.object(pulumi, "export", exported.__setitem__):
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")
    return exported


@cache
def declared(stack: str) -> Recording:
    """The stack as its file has it. Shared by the tests of a process: do not change it."""
    return run(stack)
