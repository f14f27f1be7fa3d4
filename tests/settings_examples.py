"""RentalFix's production, with something spoiled: what the tests of `settings` start from."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from settings import loader, yaml_file
from settings.model import Settings
from settings.model.data import Database

ROOT = Path(__file__).parent.parent
SYSTEM_FILE = "systems/rentalfix/system.yaml"
PRODUCT = yaml_file.read(ROOT / SYSTEM_FILE)
CONFIG = yaml_file.read(ROOT / "Pulumi.prod.yaml")["config"]

ABSENT = object()


def settle(
    stack: Mapping[str, Any] | None = None, system: Mapping[str, Any] | None = None, *, name: str = "prod"
) -> Settings:
    """Production with changes: {"services/worker-ai/cpu": 512}. Keys of the stack file get their namespace."""
    config = spoiled(CONFIG, {_with_namespace(key): value for key, value in (stack or {}).items()})
    return loader.combine(
        name,
        loader.as_engine_config(config),
        spoiled(PRODUCT, system or {}),
        stack_file=f"Pulumi.{name}.yaml",
        system_file=SYSTEM_FILE,
    )


def database(settings: Settings) -> Database:
    """The database of settings that have one."""
    assert settings.database is not None
    return settings.database


def refusal(
    stack: Mapping[str, Any] | None = None, system: Mapping[str, Any] | None = None, *, name: str = "prod"
) -> tuple[str, ...]:
    """What the person who typed the changes is told."""
    try:
        settle(stack, system, name=name)
    except loader.SettingsError as error:
        return error.lines
    raise AssertionError("these settings were accepted")


def spoiled(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    spoilt = copy.deepcopy(dict(tree))
    for path, value in changes.items():
        *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        block: Any = spoilt
        for part in parents:
            block = block[part]
        if value is ABSENT:
            del block[last]
        else:
            block[last] = value
    return spoilt


def _with_namespace(key: str) -> str:
    return key if key.startswith("aws:") else f"groundwork:{key}"
