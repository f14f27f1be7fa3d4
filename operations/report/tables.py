"""The data beside this module, checked as it is read: a wrong entry is an error that names it, not a wrong figure."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

_FOLDER = Path(__file__).parent


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stateful(_Strict):
    """`unless` is an input that makes it a mere copy: what is lost with it comes back by itself."""

    what: str
    why: str
    unless: str = ""


class PriceTable(_Strict):
    """`prices` in USD for each `unit`; `page` is AWS's own, `read` says when and where the figures were read."""

    unit: str
    page: str
    read: str
    prices: dict[str, float]


class Prices(_Strict):
    region: str
    hours_per_month: int
    tables: dict[str, PriceTable]
    fixed: dict[str, tuple[str, str]]
    usage: dict[str, str]
    free: frozenset[str]


Seconds = tuple[int, int]  # from .. to


class Duration(_Strict):
    create: Seconds
    update: Seconds
    delete: Seconds


class Durations(_Strict):
    default: Duration
    types: dict[str, Duration]


Effect = Literal["remade", "restart", "failover", "rolling", "pending", "interruption", "none"]


class Rule(_Strict):
    """What changing one of `properties` of a `type` does, where `when` (inputs) and `item` (of a list) fit."""

    type: str
    properties: tuple[str, ...]
    when: dict[str, Any] = {}
    item: dict[str, Any] = {}
    kind: Effect
    text: str


def _load(name: str) -> Any:
    return yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))


@cache
def stateful() -> Mapping[str, Stateful]:
    return TypeAdapter(dict[str, Stateful]).validate_python(_load("stateful.yaml"))


@cache
def prices() -> Prices:
    return Prices.model_validate(_load("prices.yaml"))


@cache
def durations() -> Durations:
    return Durations.model_validate(_load("durations.yaml"))


@cache
def effects() -> tuple[Rule, ...]:
    return TypeAdapter(tuple[Rule, ...]).validate_python(_load("effects.yaml"))
