"""What a rule is, how one is declared, and how it reads a resource.

A rule is a plain function from the properties of a resource to sentences about what is wrong with them. Properties
have Pulumi's own names (`storageEncrypted`), whatever language the program is written in.
"""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pulumi_policy import PolicyResource
from pulumi_policy.proxy import UnknownValueError

Props = Mapping[str, Any]
Findings = Iterator[str]
Check = Callable[..., Findings]
Schema = Mapping[str, Any]

Count = Annotated[int, {"minimum": 0}]
JSON_TYPES = {bool: "boolean", int: "integer", str: "string"}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that must hold, declared with `rule` below."""

    id: str
    what: str
    why: str
    remedy: str
    severity: Literal["low", "medium", "high", "critical"]
    types: frozenset[str]
    checklist: tuple[str, ...]
    frameworks: tuple[str, ...]
    advisory: bool
    whole_stack: bool
    takes: tuple[str, ...]
    settings: Mapping[str, Schema]
    check: Check


def rule(
    rules: list[Rule],
    id: str,
    *,
    types: Sequence[str],
    severity: Literal["low", "medium", "high", "critical"],
    why: str,
    remedy: str,
    checklist: Sequence[str] = (),
    frameworks: Sequence[str] = (),
    advisory: bool = False,
    whole_stack: bool = False,
) -> Callable[[Check], Check]:
    """Declare the function below as a rule about resources of `types`; its docstring says what must hold.

    The function takes `(props)`, and may ask for the resource's `name` or `resource_type` after it; with `whole_stack`
    it takes `(resource, stack)` and is called once everything is declared. It yields a sentence, without the full
    stop, for each thing that is wrong; `remedy` follows it. Its keyword-only parameters are thresholds that a stack
    may set. `checklist` holds the items C1..C83 of the products' own security checklists, `frameworks` the ids of AWS
    Foundational Security Best Practices (FSBP) and checkov.
    """

    def declare(check: Check) -> Check:
        rules.append(
            Rule(
                id=id,
                what=inspect.cleandoc(check.__doc__ or ""),
                why=why,
                remedy=remedy,
                severity=severity,
                types=frozenset(types),
                checklist=tuple(checklist),
                frameworks=tuple(frameworks),
                advisory=advisory,
                whole_stack=whole_stack,
                takes=() if whole_stack else _taken(check),
                settings=_settings(check),
                check=check,
            )
        )
        return check

    return declare


def _taken(check: Check) -> tuple[str, ...]:
    parameters = list(inspect.signature(check).parameters.values())[1:]
    return tuple(parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY)


def _settings(check: Check) -> dict[str, Schema]:
    hints = get_type_hints(check, include_extras=True)
    return {
        name: {**_schema(hints[name]), "default": _plain(parameter.default)}
        for name, parameter in inspect.signature(check).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _schema(hint: Any) -> dict[str, Any]:
    if get_origin(hint) is Annotated:
        base, bounds = get_args(hint)
        return {**_schema(base), **bounds}
    if get_origin(hint) is Sequence:
        return {"type": "array", "items": _schema(get_args(hint)[0])}
    return {"type": JSON_TYPES[hint]}


def _plain(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default


class Unreadable(ValueError):
    """A property that should hold a JSON document holds something else."""


def document(props: Props, name: str) -> Any:
    """The JSON document in a property; None where it is not set. Raises `Unreadable`."""
    text = props.get(name)
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise Unreadable(f"{name} is not a JSON document") from error


def is_set(props: Props, name: str) -> bool:
    """Whether the program gives the property at all; its value may come from another resource and be unknown yet."""
    try:
        return props.get(name) not in (None, "")
    except UnknownValueError:
        return True


def literal(props: Props, name: str) -> Any:
    """The value, or None where it is not set or comes from another resource, which is then as good as any."""
    try:
        return props.get(name)
    except UnknownValueError:
        return None


def given(props: Props, name: str) -> str:
    """How a finding says what it saw: `multiAz is false`, `multiAz is not set`."""
    value = props.get(name)
    return f"{name} is not set" if value is None else f"{name} is {shown(value)}"


def shown(value: Any) -> str:
    """A value as a reader would write it; numbers arrive from the engine as floats."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(shown, value)) or "empty"
    return f'"{value}"' if isinstance(value, str) else str(value)


def version(text: str) -> tuple[int, ...]:
    """`"16.8"` as (16, 8), so that versions compare as numbers; what follows the digits (`7.x`) is left out."""
    numbers = []
    for part in text.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


class Stack:
    """Everything the program declared, for the rules that look at more than one resource."""

    # What one resource calls another by, when it says so in plain text and not by an output.
    IDENTIFIERS = ("arn", "id", "name", "bucket", "identifier", "replicationGroupId")

    def __init__(self, resources: Sequence[PolicyResource]) -> None:
        self._by_type: dict[str, list[PolicyResource]] = {}
        for resource in resources:
            self._by_type.setdefault(resource.resource_type, []).append(resource)

    def of(self, types: Sequence[str]) -> list[PolicyResource]:
        return [resource for type_ in types for resource in self._by_type.get(type_, [])]

    def referring(self, types: Sequence[str], prop: str, target: PolicyResource) -> list[PolicyResource]:
        """The resources of `types` whose property `prop` refers to `target`."""
        return [resource for resource in self.of(types) if refers(resource, prop, target)]


def refers(resource: PolicyResource, prop: str, target: PolicyResource) -> bool:
    """By an output of `target`, known or not, or by one of its names written out."""
    if any(found.urn == target.urn for found in resource.property_dependencies.get(prop, [])):
        return True
    names = {literal(target.props, name) for name in Stack.IDENTIFIERS} - {None}
    return not names.isdisjoint(texts(resource.props, prop))


def texts(props: Props, prop: str) -> set[str]:
    """The plain text in a property: itself, or what it holds one level down; what is not known yet is left out."""
    value = literal(props, prop)
    if isinstance(value, str):
        return {value}
    keys = value if isinstance(value, Mapping) else range(len(value or ()))
    return {item for key in keys if isinstance(item := _item(value, key), str)}


def _item(holder: Any, key: Any) -> Any:
    try:
        return holder[key]
    except UnknownValueError:
        return None
