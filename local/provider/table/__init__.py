"""The table: one entry for each Pulumi type, one module for each AWS service. `../../README.md` says how to add one."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Literal

from local.provider.entry import Resource

Kind = Literal["applied", "recorded"]


def _gathered() -> dict[str, Resource]:
    entries: dict[str, Resource] = {}
    for module in pkgutil.iter_modules(__path__):
        for entry in importlib.import_module(f"{__name__}.{module.name}").TYPES:
            if entry.token in entries:
                raise ValueError(f"{entry.token} is in the table twice")
            entries[entry.token] = entry
    return entries


RESOURCES: Mapping[str, Resource] = _gathered()
KINDS: Mapping[str, Kind] = {
    token: "recorded" if entry.recorded else "applied" for token, entry in RESOURCES.items()
}
