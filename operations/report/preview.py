"""What `pulumi preview --json` says, as far as the report needs it: each resource before and after."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel

# What the engine writes for a value that only `pulumi up` will know, and for one that is secret.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET = "[secret]"

Kind = Literal["create", "update", "replace", "destroy", "import", "same"]

# The engine's words; those that are missing here change nothing of a resource (`read`, `refresh`, `discard` ...).
_KINDS: Mapping[str, Kind] = {
    "create": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
    "delete": "destroy",
    "import": "import",
    "same": "same",
}
_COLOUR = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
_PROTECTED = (
    re.compile(r'unable to (?P<verb>replace|delete) resource "(?P<urn>[^"]+)"'),
    re.compile(r'resource "(?P<urn>[^"]+)" cannot be (?P<verb>delete)d\s+because it is protected'),
)


class Unreadable(Exception):
    """A file that is not what an engine wrote, in a sentence."""


class _Engine(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        return (
            {name: value for name, value in given.items() if value is not None}
            if isinstance(given, dict)
            else given
        )


class State(_Engine):
    """A resource as it is, or as it would be. `inputs` may hold UNKNOWN and SECRET at any depth."""

    type: str = ""
    custom: bool = False
    parent: str = ""
    inputs: dict[str, Any] = {}
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...] | None] = {}
    protect: bool = False
    retain_on_delete: bool = False

    def sources(self, name: str) -> tuple[str, ...]:
        """The resources of which an input is made."""
        return self.property_dependencies.get(name) or ()

    def needs(self) -> set[str]:
        """Every resource that has to be there before this one."""
        found = {
            *self.dependencies,
            *(urn for urns in self.property_dependencies.values() for urn in urns or ()),
        }
        return found | ({self.parent} if self.parent else set())


class _Difference(_Engine):
    kind: str = ""


class _Step(_Engine):
    op: str
    urn: str
    old_state: State | None = None
    new_state: State | None = None
    diff_reasons: tuple[str, ...] = ()
    replace_reasons: tuple[str, ...] = ()
    detailed_diff: dict[str, _Difference] = {}


class _Diagnostic(_Engine):
    urn: str = ""
    message: str = ""
    severity: str = ""


class _Digest(_Engine):
    """`compared_with` is not the engine's: `python -m local compare` adds the commit whose state it made."""

    config: dict[str, Any] = {}
    steps: tuple[_Step, ...] = ()
    diagnostics: tuple[_Diagnostic, ...] = ()
    change_summary: dict[str, int] = {}
    compared_with: str = ""


@dataclass(frozen=True)
class Change:
    """One resource: what is done to it, and which inputs are the reason."""

    urn: str
    kind: Kind
    old: State | None
    new: State | None
    changed: tuple[str, ...] = ()  # paths of inputs: "instanceClass", "parameters[8].value"
    replacing: tuple[str, ...] = ()  # those that cannot be changed in place

    @property
    def state(self) -> State:
        """As it would be; of one that is destroyed, as it was."""
        return self.new or self.old or State()

    @property
    def type(self) -> str:
        return self.state.type or type_of(self.urn)

    @property
    def name(self) -> str:
        return name_of(self.urn)

    @property
    def protected(self) -> bool:
        return any(state is not None and state.protect for state in (self.old, self.new))


@dataclass(frozen=True)
class Preview:
    """`refused` are protected resources at which the engine stopped; `unchanged` counts what stays, listed or not."""

    changes: Mapping[str, Change]
    config: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    refused: Mapping[str, Kind] = field(default_factory=dict)
    unchanged: int = 0
    compared_with: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the engine came to its end."""
        return not self.errors and not self.refused

    @property
    def lists_all(self) -> bool:
        """Whether `changes` is the whole stack, with what stays as it is: only then are totals known."""
        return self.is_whole and self._listed["same"] >= self.unchanged

    @property
    def counts(self) -> Counter[str]:
        return self._listed | Counter(same=self.unchanged)

    @cached_property
    def _listed(self) -> Counter[str]:
        return Counter(change.kind for change in self.changes.values())

    @property
    def region(self) -> str | None:
        region = self.config.get("aws:region")
        return region if isinstance(region, str) else None

    @property
    def system(self) -> str | None:
        system = self.config.get("groundwork:system")
        return system if isinstance(system, str) else None

    @property
    def stack(self) -> str | None:
        """What the engine calls the stack, from any resource."""
        return next((urn.split("::")[0].rpartition(":")[2] for urn in self.changes), None)


def type_of(urn: str) -> str:
    parts = urn.split("::")
    return parts[2].rpartition("$")[2] if len(parts) > 3 else ""


def name_of(urn: str) -> str:
    return urn.split("::", 3)[-1]


def short(type_: str) -> str:
    """`rds.Instance`, from `aws:rds/instance:Instance`."""
    package, _, rest = type_.partition(":")
    module, _, class_name = rest.rpartition(":")
    area = module.partition("/")[0]
    return f"{area}.{class_name}" if package == "aws" and area else f"{package}.{class_name}"


def top(path: str) -> str:
    """The input that a path begins with: `parameters[8].value` -> `parameters`."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def read(text: str) -> Preview:
    """A preview from the engine's JSON, that of a refused one included. Raises Unreadable."""
    if not text.strip():
        raise Unreadable("is empty: the engine ended before it could say anything, and its log says why")
    try:
        digest = _Digest.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"is no JSON ({error.msg} in line {error.lineno}): give what `pulumi preview --json` wrote"
        ) from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise Unreadable(
            f"is not what `pulumi preview --json` writes ({where}: {error.errors()[0]['msg']})"
        ) from None
    return Preview(
        changes=_changes(digest.steps),
        config=digest.config,
        errors=tuple(_errors(digest.diagnostics)),
        refused=dict(_refused(digest.diagnostics)),
        unchanged=digest.change_summary.get("same", 0),
        compared_with=digest.compared_with,
    )


def with_unchanged(preview: Preview, states: Mapping[str, State]) -> Preview:
    """Adds resources that stay as they are, which the engine lists in its event log but not in its JSON."""
    unchanged = {
        urn: Change(urn=urn, kind="same", old=state, new=state)
        for urn, state in states.items()
        if urn not in preview.changes
    }
    return replace(preview, changes={**unchanged, **preview.changes})


def _changes(steps: Iterable[_Step]) -> dict[str, Change]:
    found: dict[str, Change] = {}
    for step in steps:
        kind = _KINDS.get(step.op)
        if kind is None:
            continue
        change = Change(
            urn=step.urn,
            kind=kind,
            # Of what stays as it is, one state says both.
            old=step.old_state or (step.new_state if kind == "same" else None),
            new=step.new_state,
            changed=_changed(step),
            replacing=_replacing(step),
        )
        found[step.urn] = _joined(found[step.urn], change) if step.urn in found else change
    return found


def _joined(first: Change, second: Change) -> Change:
    """A replacement may come as up to three steps: the new one made, the old one deleted, and both together."""
    return Change(
        urn=first.urn,
        kind="replace" if "replace" in (first.kind, second.kind) else second.kind,
        old=first.old or second.old,
        new=first.new or second.new,
        changed=first.changed or second.changed,
        replacing=first.replacing or second.replacing,
    )


def _changed(step: _Step) -> tuple[str, ...]:
    return tuple(step.detailed_diff) or step.diff_reasons


def _replacing(step: _Step) -> tuple[str, ...]:
    detailed = (path for path, item in step.detailed_diff.items() if item.kind.endswith("-replace"))
    return tuple(detailed) or step.replace_reasons


def _plain(message: str) -> str:
    return " ".join(_COLOUR.sub("", message).split())


def _errors(diagnostics: Iterable[_Diagnostic]) -> Iterable[str]:
    """Why the engine did not come to its end; each once, without what `refused` says and the echo of every failure."""
    said = dict.fromkeys(
        _plain(item.message).removeprefix("error: ") for item in diagnostics if item.severity == "error"
    )
    for message in said:
        if message != "preview failed" and not any(pattern.search(message) for pattern in _PROTECTED):
            yield message


def _refused(diagnostics: Iterable[_Diagnostic]) -> Iterable[tuple[str, Kind]]:
    for item in diagnostics:
        for pattern in _PROTECTED:
            match = pattern.search(_plain(item.message))
            if match:
                yield match["urn"], "replace" if match["verb"] == "replace" else "destroy"
