"""The data beside this module, checked as it is read."""

from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from operations.doctor.needs import NEEDS
from operations.platform import Platform

_FOLDER = Path(__file__).parent


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Call(_Strict):
    """A call that lists, as boto3 names it; JMESPath `each` is what it lists, or with `sum` numbers to add."""

    client: str
    operation: str
    parameters: dict[str, Any] = {}
    each: str
    sum: bool = False

    def told(self, platform: Platform, region: str) -> list[Any]:
        """Every page of it."""
        import jmespath  # noqa: PLC0415 with boto3, so that `--help` stays quick

        client = platform.client(self.client, region=region)
        if client.can_paginate(self.operation):
            pages = client.get_paginator(self.operation).paginate(**self.parameters)
        else:
            pages = [getattr(client, self.operation)(**self.parameters)]
        return [each for page in pages for each in jmespath.search(self.each, page) or ()]

    def number(self, platform: Platform, region: str) -> float:
        told = self.told(platform, region)
        return sum(told) if self.sum else len(told)


class Quota(_Strict):
    """`region` is that of a quota of the whole account, whichever region its things are in."""

    what: str
    service: str
    code: str = ""
    name: str
    region: str = ""
    types: tuple[str, ...] = ()
    needs: str = ""
    used: Call | Literal["metric", "nothing", "nat_gateways_by_zone", "certificates_of_a_year"]
    source: str = "list"

    @model_validator(mode="after")
    def _counts_one_way(self) -> "Quota":
        if bool(self.types) == bool(self.needs) or (self.needs and self.needs not in NEEDS):
            raise ValueError(f"{self.what}: either types, or a function of needs.py")
        return self


class Quotas(_Strict):
    list: str
    read: str
    quotas: tuple[Quota, ...]


class Name(_Strict):
    """A type whose names an account (or a region) has once. `input` is where the program gives it."""

    type: str
    what: str
    input: str
    taken: Call
    todo: str


class Names(_Strict):
    names: tuple[Name, ...]


def _load(name: str) -> Any:
    return yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))


@cache
def quotas() -> Quotas:
    return Quotas.model_validate(_load("quotas.yaml"))


@cache
def names() -> tuple[Name, ...]:
    return Names.model_validate(_load("names.yaml")).names


@cache
def service_roles() -> dict[str, str]:
    """Which service's own role a type needs."""
    return TypeAdapter(dict[str, str]).validate_python(_load("service_roles.yaml"))
