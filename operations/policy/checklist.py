"""The items C1..C83 that the products' documents ask for, from checklist.yaml."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

PRODUCTS = {
    "R": "RentalFix",
    "F": "FixRx",
    "N": "Nx monorepo",
    "S": "sports-nutrition",
    "T": "ts-service",
}


class Elsewhere(BaseModel):
    """Who checks what a preview cannot see: commands of `groundwork` by their words, the others in a phrase."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: tuple[str, ...] = ()
    pipeline: str = ""
    application: str = ""
    people: str = ""


class Item(BaseModel):
    """One item; `documents` holds the lines of each product's document (a key of PRODUCTS) that ask for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    topic: str
    asks: str
    documents: Mapping[Literal["R", "F", "N", "S", "T"], str]
    derived: bool = False
    preview: bool = False
    elsewhere: Elsewhere = Elsewhere()


@cache
def items() -> dict[str, Item]:
    """Every item by its id, in order."""
    content = yaml.safe_load(Path(__file__).with_name("checklist.yaml").read_text(encoding="utf-8"))
    return {
        id: Item(id=id, topic=topic, **item)
        for topic, items_of_topic in content.items()
        for id, item in items_of_topic.items()
    }


def asked_by(item: Item) -> str:
    """`RentalFix L620, FixRx L16`."""
    return ", ".join(f"{PRODUCTS[letter]} {lines}" for letter, lines in item.documents.items())
