"""Does to a real value what an offence does to the good example of the resource's type.

An offence is a good value and a bad one. Where they differ is looked for in the real value: key by key, inside texts
that hold a document (JSON, or `key=value,key=value`), and in lists either in the item of the same name (a variable, a
parameter) or in one item after the other (a container, an origin), each of which makes a variant of its own.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

# What an item of a list is known by, where it has such a key.
IDENTITIES = ("name", "originId", "deviceName", "ruleName", "Sid")

# Says why an offence is none in a value, or in an item of a list in it; None where it is one.
Excuse = Callable[[Mapping[str, Any]], str | None]


class Unfit(Exception):
    """There is no place for the difference; says why."""


def carried(good: Any, bad: Any, real: Any, excuse: Excuse = lambda _: None) -> Sequence[Any]:
    """Every form of the real value with the difference in one place. Raises `Unfit` where there is none."""
    reason = excuse(real) if isinstance(real, Mapping) else None
    found = [] if reason else [each for each in _variants(good, bad, real, excuse) if each != real]
    if not found:
        raise Unfit(reason or "it is so already")
    return found


def _variants(good: Any, bad: Any, real: Any, excuse: Excuse) -> list[Any]:
    for kind, inside in ((Mapping, _in_mapping), (list, _in_list)):
        if isinstance(good, kind) and isinstance(bad, kind) and isinstance(real, kind):
            return inside(good, bad, real, excuse)
    for read, write in TEXTS:
        was, becomes, found = read(good), read(bad), read(real)
        if was is not None and becomes is not None and found is not None:
            return [write(variant) for variant in _variants(was, becomes, found, excuse)]
    return [bad]


def _in_mapping(
    good: Mapping[str, Any], bad: Mapping[str, Any], real: Mapping[str, Any], excuse: Excuse
) -> list[Any]:
    lost, gained = set(good) - set(bad), set(bad) - set(good)
    missing = sorted(lost - set(real))
    if missing and not gained:  # what something else takes the place of may be missing
        raise Unfit(f"it has no {missing[0]}")
    results: list[Any] = [{key: value for key, value in real.items() if key not in lost}]
    for key, becomes in bad.items():
        if key in gained:
            choices = [becomes]
        elif good[key] != becomes:
            # Where the real resource says nothing, it says what the bad one says.
            choices = _variants(good[key], becomes, real[key], excuse) if real.get(key) else [becomes]
        else:
            continue
        results = [{**result, key: choice} for result in results for choice in choices]
    return results


def _in_list(good: Sequence[Any], bad: Sequence[Any], real: Sequence[Any], excuse: Excuse) -> list[Any]:
    if not all(isinstance(item, Mapping) for item in [*good, *bad]):
        return [_in_plain_list(good, bad, real)]
    turned, added, gone = _paired(good, bad)
    results = [list(real)]
    for was, becomes in turned:
        results = [each for result in results for each in _one_turned(was, becomes, result, excuse)]
    if added:
        results = [[*_without(added, result, _is_setting), *added] for result in results]
    elif not turned:  # otherwise what is gone has only made room
        results = [_without(gone, result) for result in results] if bad else [[]]
    return results


def _in_plain_list(good: Sequence[Any], bad: Sequence[Any], real: Sequence[Any]) -> list[Any]:
    added = [item for item in bad if item not in good]
    if not bad or (not added and not any(item in good for item in real)):
        return list(real[: len(bad)])  # the items are only the example's own
    return [*(item for item in real if item in bad or item not in good), *added]


def _one_turned(was: Any, becomes: Any, items: Sequence[Any], excuse: Excuse) -> list[list[Any]]:
    """The change in the item of that name, or in one after the other where the name is only the example's."""
    places: Iterable[int] = range(len(items))
    if _is_setting(was):
        places = [place for place, item in enumerate(items) if _same(was, item)]
        if not places:
            return [[*items, becomes]]
    results, reasons = [], ["it has no such item"]
    for place in places:
        try:
            variants = carried(was, becomes, items[place], excuse)
        except Unfit as unfit:
            reasons.append(str(unfit))
        else:
            results += [[*items[:place], variant, *items[place + 1 :]] for variant in variants]
    if not results:
        raise Unfit(reasons[-1])
    return results


def _paired(good: Sequence[Any], bad: Sequence[Any]) -> tuple[list[tuple[Any, Any]], list[Any], list[Any]]:
    """Items with what they turned into, items that are new, and items that are gone."""
    turned, added, left = [], [], list(good)
    for becomes in bad:
        alone = len(good) == len(bad) == 1 and isinstance(becomes, Mapping) and not _is_setting(becomes)
        was = next((each for each in left if alone or _same(each, becomes)), None)
        if was is None:
            added.append(becomes)
        else:
            left.remove(was)
            if was != becomes:
                turned.append((was, becomes))
    return turned, added, left


def _without(
    unwanted: Sequence[Any], items: Sequence[Any], counts: Callable[[Any], bool] = lambda _: True
) -> list[Any]:
    return [item for item in items if not any(counts(each) and _same(each, item) for each in unwanted)]


def _same(one: Any, other: Any) -> bool:
    """Whether one item is another form of the other: of the same name, or alike in most of what they say."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return one == other
    for key in IDENTITIES:
        if key in one and key in other:
            return one[key] == other[key]
    said, says = set(_leaves(one)), set(_leaves(other))
    return len(said & says) * 2 > len(said | says)


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{where}.{key}")
    else:
        yield where, repr(value)


def _is_setting(item: Any) -> bool:
    """A name that means something, with its value: a variable, a parameter."""
    return isinstance(item, Mapping) and "name" in item and not {"value", "valueFrom"}.isdisjoint(item)


def document_in(text: Any) -> Any:
    """The list or object that a text holds as JSON; None where it holds none."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, dict | list) else None


def _pairs(text: Any) -> dict[str, str] | None:
    """`key=value,key=value`, where a comma after a backslash belongs to the value."""
    parts = re.split(r"(?<!\\),", text) if isinstance(text, str) else []
    if not parts or not all(re.match(r"[\w.]+=", part) for part in parts):
        return None
    return dict(part.split("=", 1) for part in parts)


# How a text is read and written that holds something to look into.
TEXTS: Sequence[tuple[Callable[[Any], Any], Callable[[Any], str]]] = (
    (document_in, json.dumps),
    (_pairs, lambda pairs: ",".join(f"{key}={value}" for key, value in pairs.items())),
)
