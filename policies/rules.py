"""What a rule is, how one is declared, and how it reads a resource.

A rule is a plain function from the properties of a resource to sentences about what is wrong with them. Properties
have Pulumi's own names (`storageEncrypted`), whatever language the program is written in.
"""

import inspect
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

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
    must_know: bool
    remediates: Mapping[str, Mapping[str, Any]]
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
    must_know: bool = False,
    remediates: Mapping[str, Mapping[str, Any]] | None = None,
    whole_stack: bool = False,
) -> Callable[[Check], Check]:
    """Declare the function below as a rule about resources of `types`; its docstring says what must hold.

    The function takes `(props)`, and may ask for the resource's `name` or `resource_type` after it; with `whole_stack`
    it takes `(resource, stack)` and is called once everything is declared. It yields a sentence, without the full
    stop, for each thing that is wrong; `remedy` follows it. Its keyword-only parameters are thresholds that a stack
    may set. `checklist` holds the items C1..C83 of the products' own security checklists, `frameworks` the ids of AWS
    Foundational Security Best Practices ("FSBP EC2.6") and of what else Security Hub checks ("Security Hub WAF.11"),
    of the CIS AWS Foundations Benchmark with its version ("CIS 3.0 5.2"), and of checkov ("CKV_AWS_130").

    A rule that meets a value which only `pulumi up` will know is not evaluated, and the report says so; with
    `must_know` it is a violation. `remediates` holds, by type, properties whose value mends what the rule finds and
    harms nothing that stands; the pack sets them where the configuration gives the rule the level `remediate`.
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
                must_know=must_know,
                remediates=remediates or {},
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
        return _parsed(text)
    except ValueError as error:
        raise Unreadable(f"{name} is not a JSON document") from error


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    """Some twenty rules read each task definition's containers; none of them changes what it reads."""
    return json.loads(text)


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


def at(props: Props, path: str) -> Any:
    """The value at a dotted path (`encryptAtRest.enabled`); None where a step of it is not set."""
    found: Any = props
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def given_at(props: Props, path: str) -> str:
    """As `given`, for a dotted path: `encryptAtRest.enabled is not set`."""
    return given({path: at(props, path)}, path)


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
    _last: ClassVar["Stack | None"] = None

    def __init__(self, resources: Sequence[PolicyResource]) -> None:
        self._resources = resources
        self._by_type: dict[str, list[PolicyResource]] = {}
        for resource in resources:
            self._by_type.setdefault(resource.resource_type, []).append(resource)
        # By property: the resources that have it, by the URN or the text that they have there.
        self._saying: dict[str, dict[str, list[PolicyResource]]] = {}
        self._called: dict[str, list[PolicyResource]] | None = None

    @classmethod
    def shared(cls, resources: Sequence[PolicyResource]) -> "Stack":
        """The same view for every rule that is given the same resources, so that they share its indexes."""
        if cls._last is None or cls._last._resources is not resources:
            cls._last = cls(resources)
        return cls._last

    @classmethod
    def forget(cls) -> None:
        cls._last = None

    def of(self, types: Sequence[str]) -> list[PolicyResource]:
        return [resource for type_ in types for resource in self._by_type.get(type_, [])]

    def is_first(self, resource: PolicyResource, types: Sequence[str]) -> bool:
        """Whether a finding about the whole stack goes to this one, of all resources of `types`."""
        return self.of(types)[0].urn == resource.urn

    def referring(self, types: Sequence[str], prop: str, target: PolicyResource) -> list[PolicyResource]:
        """The resources of `types` whose property `prop` refers to `target`."""
        if prop not in self._saying:
            self._saying[prop] = _index((resource, _said(resource, prop)) for resource in self._resources)
        found = (self._saying[prop].get(key, []) for key in (target.urn, *_names(target)))
        return _of_types(types, found)

    def referred(self, resource: PolicyResource, prop: str, types: Sequence[str]) -> list[PolicyResource]:
        """The resources of `types` that the property `prop` of `resource` refers to."""
        return self.called(sorted(_said(resource, prop)), types)

    def called(self, names: Collection[str], types: Sequence[str]) -> list[PolicyResource]:
        """The resources of `types` that have one of these names, ids, ARNs or URNs."""
        if self._called is None:
            self._called = _index((each, {each.urn, *_names(each)}) for each in self._resources)
        return _of_types(types, (self._called.get(name, []) for name in names))


def _index(
    keyed: Iterable[tuple[PolicyResource, Collection[str]]],
) -> dict[str, list[PolicyResource]]:
    index: dict[str, list[PolicyResource]] = {}
    for resource, keys in keyed:
        for key in keys:
            index.setdefault(key, []).append(resource)
    return index


def _of_types(types: Sequence[str], found: Iterable[list[PolicyResource]]) -> list[PolicyResource]:
    """Each resource once, type by type."""
    unique = {resource.urn: resource for resources in found for resource in resources}
    return [resource for type_ in types for resource in unique.values() if resource.resource_type == type_]


def _said(resource: PolicyResource, prop: str) -> set[str]:
    """What the property says, as text or by an output of another resource, known or not: that resource's URN."""
    return {found.urn for found in resource.property_dependencies.get(prop, [])} | texts(resource.props, prop)


def _names(resource: PolicyResource) -> set[str]:
    names = {literal(resource.props, name) for name in Stack.IDENTIFIERS}
    return {name for name in names if isinstance(name, str) and name}


def refers(resource: PolicyResource, prop: str, target: PolicyResource) -> bool:
    """By an output of `target`, known or not, or by one of its names written out."""
    return not _said(resource, prop).isdisjoint({target.urn, *_names(target)})


def texts(props: Props, prop: str) -> set[str]:
    """The plain text in a property: itself, or what it holds one level down; what is not known yet is left out."""
    value = literal(props, prop)
    if isinstance(value, str):
        return {value}
    if not isinstance(value, Mapping | Sequence):
        return set()
    keys = value if isinstance(value, Mapping) else range(len(value))
    return {item for key in keys if isinstance(item := _item(value, key), str)}


def _item(holder: Any, key: Any) -> Any:
    try:
        return holder[key]
    except UnknownValueError:
        return None
