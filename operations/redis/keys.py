"""`groundwork redis bigkeys`: what fills the cache."""

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

import typer

from operations.platform import JsonOption
from operations.redis.queues import SCAN_COUNT
from operations.redis.reach import Cache, Node, asking
from operations.show import as_text, show, size


@asking
def bigkeys(
    cache: Cache,
    number: Annotated[int, typer.Option("-n", min=1, max=1000, help="The so many largest.")] = 20,
    match: Annotated[str | None, typer.Option(help="Only keys like this, such as 'session:*'.")] = None,
    most: Annotated[
        int,
        typer.Option(
            min=1, help="Look at so many keys of each shard at most: each costs the server a moment."
        ),
    ] = 1_000_000,
    as_json: JsonOption = False,
) -> None:
    """The largest keys by the memory they take, and how much each type takes together.

    Keys are found by SCAN and measured by MEMORY USAGE (a large one by a sample of five of its values), a thousand at
    a time; KEYS is never asked. No value is read.

    \b
    Examples
      groundwork redis bigkeys --cache cache --stack prod
      groundwork redis bigkeys -n 5 --match 'session:*' --cache cache --stack prod --json
    """
    with cache.nodes() as nodes:
        seen = Seen(number)
        for node in nodes:
            seen.add(measured(node, match, most))
    rows = [
        {"key": key, "size_bytes": size_bytes, "type": kind, "node": node}
        for size_bytes, key, kind, node in seen.largest()
    ]
    if as_json:
        types = [
            {"type": kind, "keys": seen.keys[kind], "size_bytes": total}
            for kind, total in seen.bytes.most_common()
        ]
        typer.echo(as_text({"largest": rows, "types": types}))
        return
    show(rows, as_json=False, nothing="No key is there, or none fits.")
    for kind, total in seen.bytes.most_common():
        typer.echo(f"{seen.keys[kind]:,} keys of type {kind}: {size(total)}.", err=True)


Measured = tuple[int, str, str, str]  # bytes, key, type, node


class Seen:
    """The largest so many, and sums by type, without keeping the rest."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._heap: list[Measured] = []
        self.keys: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def add(self, found: Iterable[Measured]) -> None:
        for each in found:
            size_bytes, _, kind, _ = each
            self.keys[kind] += 1
            self.bytes[kind] += size_bytes
            if len(self._heap) < self._number:
                heapq.heappush(self._heap, each)
            else:
                heapq.heappushpop(self._heap, each)

    def largest(self) -> list[Measured]:
        return sorted(self._heap, reverse=True)


def measured(node: Node, match: str | None, most: int) -> Iterator[Measured]:
    keys: Iterator[Any] = itertools.islice(node.client.scan_iter(match=match, count=SCAN_COUNT), most)
    while part := list(itertools.islice(keys, SCAN_COUNT)):
        yield from _measure(node, part)


def _measure(node: Node, keys: Sequence[str]) -> Iterator[Measured]:
    asked = node.client.pipeline(transaction=False)
    for key in keys:
        asked.memory_usage(key)
        asked.type(key)
    answers = asked.execute()
    for key, size_bytes, kind in zip(keys, answers[::2], answers[1::2], strict=True):
        # One that has expired meanwhile has none.
        if size_bytes is not None:
            yield size_bytes, key, kind, node.name
