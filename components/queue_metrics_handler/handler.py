"""Counts BullMQ's jobs in Redis and publishes the figures to CloudWatch. Runs in Lambda, once a minute.

Reads only what it can name (LLEN, ZCARD, LINDEX, ZRANGE, HGET), never KEYS or SCAN, so it costs Redis the same however
many jobs there are. Follows a cluster's MOVED answers. Standard library and boto3, nothing to package.
"""

import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import boto3
from botocore.exceptions import BotoCoreError, ClientError

TIMEOUT_S = 5
MAX_REDIRECTS = 3

Reply = str | int | list[Any] | None
Connect = Callable[[str, int], socket.socket]


class RedisError(Exception):
    """What Redis answered with a minus, or something that is no answer at all."""


class Connection:
    """One connection to one node, opened and authenticated."""

    def __init__(self, host: str, port: int, token: str, connect: Connect) -> None:
        self._socket = connect(host, port)
        self._answers: BinaryIO = self._socket.makefile("rb")
        try:
            self.ask("AUTH", token)
        except (OSError, RedisError):
            self.close()
            raise

    def ask(self, *command: str) -> Reply:
        self._socket.sendall(encode(command))
        return decode(self._answers)

    def close(self) -> None:
        self._answers.close()
        self._socket.close()


class Redis:
    """A server, or a cluster of which `host` is any node: a command goes where the cluster says its key is."""

    def __init__(self, host: str, port: int, token: str, connect: Connect) -> None:
        self._first = (host, port)
        self._token = token
        self._connect = connect
        self._connections: dict[tuple[str, int], Connection] = {}

    def ask(self, *command: str) -> Reply:
        node = self._first
        for _ in range(MAX_REDIRECTS + 1):
            try:
                return self._connection(node).ask(*command)
            except RedisError as error:
                node = moved_to(str(error), node)
        raise RedisError(f"{command[0]} was sent from node to node more than {MAX_REDIRECTS} times")

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def _connection(self, node: tuple[str, int]) -> Connection:
        if node not in self._connections:
            self._connections[node] = Connection(*node, self._token, self._connect)
        return self._connections[node]


def encode(command: Sequence[str]) -> bytes:
    parts = [part.encode() for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def decode(answers: BinaryIO) -> Reply:
    """One answer of the protocol RESP 2. Raises RedisError for an error, and for a closed connection."""
    line = answers.readline().rstrip(b"\r\n").decode()
    if not line:
        raise RedisError("the connection was closed before an answer came")
    kind, rest = line[:1], line[1:]
    if kind == "+":
        return rest
    if kind == ":":
        return int(rest)
    if kind == "$":
        return None if rest == "-1" else answers.read(int(rest) + 2)[:-2].decode()
    if kind == "*":
        return None if rest == "-1" else [decode(answers) for _ in range(int(rest))]
    raise RedisError(rest if kind == "-" else f"unexpected answer {line!r}")


def moved_to(error: str, asked: tuple[str, int]) -> tuple[str, int]:
    """The node that "MOVED 3999 host:6379" names; an empty host means the one that was asked."""
    if not error.startswith("MOVED "):
        raise RedisError(error)
    host, _, port = error.split(" ")[2].rpartition(":")
    return host or asked[0], int(port)


def open_tls(host: str, port: int) -> socket.socket:
    plain = socket.create_connection((host, port), timeout=TIMEOUT_S)
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def figures(redis: Redis, prefix: str, name: str, now_ms: float) -> dict[str, float]:
    """What BullMQ keeps under "<prefix>:<name>:": lists for waiting and active jobs, sorted sets for the rest.

    While a queue is paused, BullMQ before version 6 keeps its waiting jobs in a list of their own.
    """
    key = f"{prefix}:{name}"
    return {
        "QueueLength": _count(redis, "LLEN", f"{key}:wait")
        + _count(redis, "LLEN", f"{key}:paused")
        + _count(redis, "ZCARD", f"{key}:prioritized"),
        "QueueActiveJobs": _count(redis, "LLEN", f"{key}:active"),
        "QueueDelayedJobs": _count(redis, "ZCARD", f"{key}:delayed"),
        "QueueFailedJobs": _count(redis, "ZCARD", f"{key}:failed"),
        "QueueOldestWaitSeconds": _oldest_wait_s(redis, key, now_ms),
    }


def _count(redis: Redis, command: str, key: str) -> int:
    reply = redis.ask(command, key)
    if not isinstance(reply, int):
        raise RedisError(f"{command} {key} gave {reply!r}, not a count")
    return reply


def _oldest_wait_s(redis: Redis, key: str, now_ms: float) -> float:
    """Jobs join a list at its head, so the one at its tail has waited longest; of those with a priority, the next.

    BullMQ notes when a job was made and not since when it waits: one that was delayed seems to wait longer.
    """
    first = redis.ask("ZRANGE", f"{key}:prioritized", "0", "0")
    candidates = [
        redis.ask("LINDEX", f"{key}:wait", "-1"),
        redis.ask("LINDEX", f"{key}:paused", "-1"),
        first[0] if isinstance(first, list) and first else None,
    ]
    ages = [_age_s(redis, f"{key}:{job_id}", now_ms) for job_id in candidates if job_id is not None]
    return max(ages, default=0.0)


def _age_s(redis: Redis, job_key: str, now_ms: float) -> float:
    added_ms = redis.ask("HGET", job_key, "timestamp")
    # The job may have gone since its id was read, and BullMQ puts markers in the list that are no jobs.
    return max(0.0, (now_ms - float(added_ms)) / 1000) if isinstance(added_ms, str) else 0.0


def metric_data(queue: str, values: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    for metric_name, value in values.items():
        yield {
            "MetricName": metric_name,
            "Dimensions": [{"Name": "Queue", "Value": queue}],
            "Value": value,
            "Unit": "Seconds" if metric_name.endswith("Seconds") else "Count",
        }


def publish(
    queues: Sequence[Mapping[str, Any]], namespace: str, secrets: Any, cloudwatch: Any, connect: Connect
) -> None:
    """Publish every queue that answers, then raise for those that did not: one must not silence the others."""
    problems = []
    for queue in queues:
        try:
            values = _ask(queue, secrets, connect)
        except (OSError, RedisError, BotoCoreError, ClientError) as error:
            problems.append(f"queue {queue['name']}: {error}")
        else:
            cloudwatch.put_metric_data(
                Namespace=namespace, MetricData=list(metric_data(queue["name"], values))
            )
    if problems:
        raise RedisError("; ".join(problems))


def _ask(queue: Mapping[str, Any], secrets: Any, connect: Connect) -> dict[str, float]:
    token = secrets.get_secret_value(SecretId=queue["secret_arn"])["SecretString"]
    redis = Redis(queue["host"], int(queue["port"]), token, connect)
    try:
        return figures(redis, queue["prefix"], queue["name"], time.time() * 1000)
    finally:
        redis.close()


def handler(_event: object, _context: object) -> None:
    publish(
        json.loads(os.environ["QUEUES"]),
        os.environ["NAMESPACE"],
        boto3.client("secretsmanager"),
        boto3.client("cloudwatch"),
        open_tls,
    )
