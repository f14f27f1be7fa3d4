"""What the stack declares of its database: the output `database.declared` (docs/outputs.md)."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from operations.platform import Refusal


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class Role(_Output):
    """Privileges; `settings` are of the role's own sessions."""

    tables: dict[str, tuple[str, ...]]
    schemas: dict[str, tuple[str, ...]]
    database: tuple[str, ...]
    settings: dict[str, str]


class RowPolicy(_Output):
    """No roles: everybody. `using` and `check` are SQL; empty: there is none."""

    name: str
    table: str
    command: Literal["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"]
    roles: tuple[str, ...]
    using: str
    check: str


class Index(_Output):
    """`definition` is what follows `ON <table>`."""

    name: str
    table: str
    definition: str


class Declared(_Output):
    """`extensions` with the least version of each; `parameters` in RDS' units."""

    minimum_version: str
    master_user: str
    extensions: dict[str, str]
    parameters: dict[str, str]
    roles: dict[str, Role]
    row_policies: tuple[RowPolicy, ...]
    indexes: tuple[Index, ...]

    @property
    def tables(self) -> list[str]:
        """Every table of `public` that something is declared of."""
        granted = [table for role in self.roles.values() for table in role.tables]
        ruled = [policy.table for policy in self.row_policies]
        return sorted({*granted, *ruled, *(index.table for index in self.indexes)})


def declared(database: Mapping[str, Any]) -> Declared:
    """Raises Refusal where the outputs are of a stack that was last brought up before it said so."""
    try:
        return Declared.model_validate(database["declared"])
    except (KeyError, ValidationError):
        raise Refusal(
            "The stack's outputs do not say what its database must have. `pulumi up` writes that into them."
        ) from None
