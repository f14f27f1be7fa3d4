"""`groundwork redis ping | info | slowlog`: is the cache there, how full and busy is it, what was slow."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from operations.platform import JsonOption
from operations.redis.reach import Cache, Node, asking
from operations.show import show

SHOWN_ARGUMENT = 200


@asking
def ping(cache: Cache, as_json: JsonOption = False) -> None:
    """Log in to every shard and ask for one answer, by TLS: network, token and servers are well.

    \b
    Exit code
      0  all answer
      2  one cannot be reached, or does not let us in; the sentence says what to do

    \b
    Examples
      groundwork redis ping --cache queue --stack prod
      groundwork redis ping --cache queue --stack prod --via localhost:16379
    """
    with cache.nodes() as nodes:
        rows = [_pinged(node) for node in nodes]
    show(rows, as_json=as_json, nothing="No shard answers.")


def _pinged(node: Node) -> dict[str, Any]:
    began = time.monotonic()
    node.client.ping()
    took = time.monotonic() - began
    about: Any = node.client.info("everything")
    return {
        "node": node.name,
        "answers_ms": round(took * 1000, 2),
        "server": about.get("valkey_version") or about["redis_version"],
        "role": about["role"],
        "replicas": about.get("connected_slaves", 0),
        "up_s": about["uptime_in_seconds"],
    }


@asking
def info(
    cache: Cache,
    section: Annotated[
        str | None, typer.Argument(help="One of INFO's, all of it: memory, stats, clients, replication, ...")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Memory, evictions, hits, connections and load of every shard; or all of a section of INFO.

    \b
    Examples
      groundwork redis info --cache cache --stack prod
      groundwork redis info memory --cache cache --stack prod
    """
    with cache.nodes() as nodes:
        said: list[tuple[Node, Any]] = [(node, node.client.info(section or "everything")) for node in nodes]
    if section:
        rows = [
            {"node": node.name, "name": name, "value": value}
            for node, about in said
            for name, value in about.items()
        ]
        show(rows, as_json=as_json, nothing=f"INFO has no section {section} that says anything.")
        return
    show([summary(node.name, about) for node, about in said], as_json=as_json, nothing="No shard answers.")


def summary(name: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """What INFO says, in a line; `hit_percent` is None before anything was read, `used_percent` without a limit."""
    hits, misses = about["keyspace_hits"], about["keyspace_misses"]
    most = about.get("maxmemory", 0)
    return {
        "node": name,
        "used_bytes": about["used_memory"],
        "used_percent": 100 * about["used_memory"] / most if most else None,
        "policy": about.get("maxmemory_policy", ""),
        "evicted": about["evicted_keys"],
        "hit_percent": 100 * hits / (hits + misses) if hits + misses else None,
        "clients": about["connected_clients"],
        "blocked": about["blocked_clients"],
        "commands_per_second": about["instantaneous_ops_per_sec"],
        "keys": sum(each["keys"] for db, each in about.items() if db[:2] == "db" and isinstance(each, dict)),
    }


@asking
def slowlog(
    cache: Cache,
    number: Annotated[
        int, typer.Option("-n", min=1, max=1000, help="The newest so many of each shard.")
    ] = 10,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="With all arguments, as the server keeps them: they may be customers' data."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """The commands that took longest to run, the newest first: what they were and on which keys, without the data.

    What the server calls slow is its parameter slowlog-log-slower-than (10 ms where nothing else is set).

    \b
    Examples
      groundwork redis slowlog --cache cache --stack prod
      groundwork redis slowlog -n 50 --full --cache cache --stack prod --json
    """
    with cache.nodes() as nodes:
        rows = [_slow(node, entry, full=full) for node in nodes for entry in _entries(node, number)]
    rows.sort(key=lambda row: row["at"], reverse=True)
    show(rows, as_json=as_json, nothing="Nothing was slow since the server started, or the log was emptied.")


def _entries(node: Node, number: int) -> Sequence[Any]:
    """As the server keeps them: id, second, microseconds, words, client's address, client's name."""
    return _as_it_is(node, "SLOWLOG", "GET", number)


def _as_it_is(node: Node, *command: Any) -> Any:
    """The answer without what the library makes of it: a slow command's words in one string, for example."""
    connection = node.client.connection_pool.get_connection()
    try:
        connection.send_command(*command)
        return connection.read_response()
    finally:
        node.client.connection_pool.release(connection)


def _slow(node: Node, entry: Sequence[Any], *, full: bool) -> dict[str, Any]:
    words = [str(word) for word in entry[3]]
    shown = " ".join(words) if full else words[0].upper()
    return {
        "node": node.name,
        "at": datetime.fromtimestamp(entry[1], UTC),
        "took_ms": entry[2] / 1000,
        "command": shown if full else shown[:SHOWN_ARGUMENT],
        "keys": _keys(node, words),
        "arguments": len(words) - 1,
        "client": entry[5] if len(entry) > 5 else "",
    }


def _keys(node: Node, words: Sequence[str]) -> list[str]:
    """Which of the words are keys, by the server's own table of commands; none where it cannot tell."""
    import redis  # noqa: PLC0415 so that `--help` stays quick

    try:
        found = _as_it_is(node, "COMMAND", "GETKEYS", *words)
    except redis.ResponseError:
        return []
    return [each[:SHOWN_ARGUMENT] for each in found]
