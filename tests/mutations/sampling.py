"""Of resources that are alike, one: a stack has forty log groups and fifty security group rules that differ in names.

Alike are resources of one type with the same keys, at every depth and inside their documents, the same switches and
enumerated words (`true`, `HTTPS`), in lists items of the same kinds. A rule reads the properties of a resource, so what
it finds in one of them when a property is spoiled it finds in the others. Rules that also go by a resource's name
(`BY_NAME` in offences.py) get all of them, and for a rule about the whole stack only those are alike that refer to, and
are referred to by, resources of the same types in the same properties.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from tests.mutations.carrying import document_in
from tests.mutations.judging import Resource, Resources

WORD = re.compile(r"[A-Z][A-Z_]+")


def form(resource: Resource) -> Hashable:
    return resource.type, shape({name: value for name, value in resource.inputs.items() if name != "tags"})


def places(stack: Resources) -> Callable[[Resource], Hashable]:
    """The form, and what stands around the resource in this stack."""
    around: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for each in stack.values():
        for name, urns in each.refers.items():
            for urn in urns & stack.keys():
                around[each.urn].add(("to", name, stack[urn].type))
                around[urn].add(("from", name, each.type))
    return lambda resource: (form(resource), frozenset(around[resource.urn]))


def one_of_each(resources: Iterable[Resource], key: Callable[[Resource], Hashable]) -> Sequence[Resource]:
    found: dict[Hashable, Resource] = {}
    for each in resources:
        found.setdefault(key(each), each)
    return list(found.values())


def shape(value: Any) -> Hashable:
    """What a value is made of, at every depth: keys, switches, enumerated words (`HTTPS`), in lists kinds of items."""
    if isinstance(value, Mapping):
        return frozenset((key, shape(inner)) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return frozenset(map(shape, value))
    document = document_in(value)
    if document is not None:
        return shape(document)
    is_said = isinstance(value, bool) or (isinstance(value, str) and WORD.fullmatch(value))
    return value if is_said else type(value).__name__
