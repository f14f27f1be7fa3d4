"""Runs the whole program for a stack under mocks, with changes to its configuration if a test wants some."""

import copy
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


def configuration(stack: str) -> dict[str, Any]:
    """The `config` of Pulumi.<stack>.yaml, to change at will."""
    return copy.deepcopy(
        yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    )


def run(stack: str, config: dict[str, Any] | None = None, *, preview: bool = False) -> Recording:
    """What __main__ declares, its exports as `value`; with `preview`, what a first preview would see."""
    return record(
        _program,
        stack=stack,
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
