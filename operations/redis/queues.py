"""`groundwork redis queues`: BullMQ's queues as they stand: who waits and since when, what runs, what has failed."""

import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from operations.exits import FOUND
from operations.platform import JsonOption
from operations.redis.reach import Cache, Node, asking
from operations.show import show

SCAN_COUNT = 1000
META = ":meta"  # of every queue, a hash of its options


@asking
def queues(
    cache: Cache,
    prefix: Annotated[
        str,
        typer.Option(help="What the queues' keys begin with, as BullMQ's `prefix` has it. Left out: any."),
    ] = "",
    max_failed: Annotated[
        int | None, typer.Option(min=0, help="More failed jobs in a queue are a problem (exit code 1).")
    ] = None,
    max_wait_s: Annotated[
        int | None, typer.Option(min=0, help="A job that waits longer is a problem (exit code 1).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Jobs of every queue: waiting, active, delayed, failed, completed, and how long the first has waited.

    Queues are found by SCAN, which the server answers bit by bit; KEYS is never asked. Nothing is changed.

    \b
    Exit code
      0  no queue is over a limit that was given
      1  one is
      2  the cache could not be asked

    \b
    Examples
      groundwork redis queues --cache queue --stack prod
      groundwork redis queues --cache queue --stack prod --max-failed 0 --max-wait-s 300
    """
    now_ms = time.time() * 1000
    with cache.nodes() as nodes:
        rows = [figures(node, key, now_ms) for node in nodes for key in found(node, prefix)]
    rows.sort(key=lambda row: row["queue"])
    show(
        rows,
        as_json=as_json,
        nothing=f"No queue{f' under {prefix}' if prefix else ''}: no job was ever added.",
    )
    over = [
        row["queue"]
        for row in rows
        if (max_failed is not None and row["failed"] > max_failed)
        or (max_wait_s is not None and row["oldest_wait_s"] > max_wait_s)
    ]
    if over:
        typer.echo(
            f"Over a limit: {', '.join(over)}. docs/runbooks/queues.md says what to look at.", err=True
        )
        raise typer.Exit(FOUND)


def found(node: Node, prefix: str) -> list[str]:
    """The keys of the node's queues, without `:meta`. Each shard has whole queues: their keys share a hash tag."""
    pattern = f"{_literal(prefix)}:*{META}" if prefix else f"*:*{META}"
    scanned = node.client.scan_iter(match=pattern, count=SCAN_COUNT, _type="hash")
    # A key may come twice while the server's table grows.
    return sorted({str(key).removesuffix(META) for key in scanned})


def _literal(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\*?[]^-" else sign for sign in text)


def figures(node: Node, key: str, now_ms: float) -> dict[str, Any]:
    """Waiting and active jobs are in lists, all others in sorted sets, of which LLEN would be an error.

    Before version 6, BullMQ keeps the waiting jobs of a paused queue in a list of their own.
    """
    asked = node.client.pipeline(transaction=False)
    for name in ("wait", "paused", "active"):
        asked.llen(f"{key}:{name}")
    for name in ("prioritized", "delayed", "failed", "completed", "waiting-children"):
        asked.zcard(f"{key}:{name}")
    asked.hexists(f"{key}{META}", "paused")
    asked.lindex(f"{key}:wait", -1)
    asked.lindex(f"{key}:paused", -1)
    asked.zrange(f"{key}:prioritized", 0, 0)
    wait, paused, active, prioritized, delayed, failed, completed, parents, is_paused, *first = (
        asked.execute()
    )
    oldest = [each for each in [first[0], first[1], *first[2]] if each is not None]
    return {
        "queue": key,
        "waiting": wait + paused + prioritized,
        "active": active,
        "delayed": delayed,
        "failed": failed,
        "completed": completed,
        "waiting_for_children": parents,
        "oldest_wait_s": _oldest_s(node, key, oldest, now_ms),
        "paused": bool(is_paused),
    }


def _oldest_s(node: Node, key: str, jobs: Sequence[str], now_ms: float) -> float:
    """BullMQ notes when a job was made, not since when it waits: one that was delayed seems to wait longer."""
    added: list[Any] = [node.client.hget(f"{key}:{job}", "timestamp") for job in jobs]
    # A job may have gone since its id was read, and BullMQ's lists have markers that are no jobs.
    return max((max(0.0, (now_ms - float(each)) / 1000) for each in added if each), default=0.0)
