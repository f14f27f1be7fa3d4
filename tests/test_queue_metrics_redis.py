"""The function that counts jobs, against a real Redis (TLS, AUTH, also as a cluster) with BullMQ's own jobs in it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from bullmq import Queue, Worker

from components.queue_metrics_handler import handler
from components.queue_metrics_handler.handler import Redis, RedisError
from tests.real_programs import free_port, redis_server
from tests.real_servers import certificate

TOKEN = "a-token-that-nobody-may-read"
PREFIX, NAME = "{bull}", "matching"
SLOTS = 16384
# Where the keys that begin with {bull} are: CLUSTER KEYSLOT {bull}:matching:wait.
SLOT_OF_BULL = 9263
EMPTY = {
    "QueueLength": 0,
    "QueueActiveJobs": 0,
    "QueueDelayedJobs": 0,
    "QueueFailedJobs": 0,
    "QueueOldestWaitSeconds": 0,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a certificate for 127.0.0.1, which is its own authority."""
    folder = tmp_path_factory.mktemp("redis")
    certificate(folder, "127.0.0.1")
    return folder


def options(folder: Path, port: int) -> list[str]:
    return [
        "--port", "0", "--tls-port", str(port), "--requirepass", TOKEN, "--masterauth", TOKEN,
        "--tls-cert-file", str(folder / "certificate.pem"), "--tls-key-file", str(folder / "key.pem"),
        "--tls-ca-cert-file", str(folder / "certificate.pem"), "--tls-auth-clients", "no",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def server(folder: Path) -> Generator[int]:
    """The port of a server that is no cluster."""
    port = free_port()
    with redis_server(folder, *options(folder, port), port=port):
        yield port


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Generator[tuple[int, int]]:
    """The ports of two nodes: the first does not have the slot of our keys, the second does."""
    ports = free_port(), free_port()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(folder / "certificate.pem"))
        for number, port in enumerate(ports):
            place = folder / f"node{number}"
            place.mkdir()
            clustered = ["--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-node-timeout", "2000"]
            bus = ["--cluster-port", str(free_port())]
            stack.enter_context(redis_server(place, *options(folder, port), *clustered, *bus, port=port))
            if number == 0:
                first_bus = bus[1]
        nodes = [Redis("127.0.0.1", port, TOKEN, handler.open_tls) for port in ports]
        nodes[0].ask("CLUSTER", "ADDSLOTSRANGE", "0", str(SLOT_OF_BULL - 1))
        nodes[1].ask("CLUSTER", "ADDSLOTSRANGE", str(SLOT_OF_BULL), str(SLOTS - 1))
        nodes[1].ask("CLUSTER", "MEET", "127.0.0.1", str(ports[0]), first_bus)
        deadline = time.monotonic() + 20
        while any("cluster_state:ok" not in str(node.ask("CLUSTER", "INFO")) for node in nodes):
            assert time.monotonic() < deadline, "the two nodes did not find each other"
            time.sleep(0.1)
        for node in nodes:
            node.close()
        yield ports


@pytest.fixture(autouse=True)
def trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate, as the handler's own way of connecting finds it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "certificate.pem"))


@pytest.fixture
def redis(server: int) -> Generator[Redis]:
    redis = Redis("127.0.0.1", server, TOKEN, handler.open_tls)
    redis.ask("FLUSHALL")
    yield redis
    redis.close()


def with_queue(port: int, work: Callable[[Queue], Awaitable[Any]], name: str = NAME) -> None:
    """Does something to the queue the way a service does."""

    async def run() -> None:
        queue = Queue(name, cast(Any, connection(port)))
        try:
            await work(queue)
        finally:
            await queue.close()

    # Not asyncio.run, which leaves the thread without the loop that Pulumi's tests use.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()


def connection(port: int) -> dict[str, Any]:
    login = {"host": "127.0.0.1", "port": port, "password": TOKEN, "ssl": True, "ssl_cert_reqs": "none"}
    return {"connection": {**login, "ssl_check_hostname": False}, "prefix": PREFIX}


def figures(redis: Redis, now_ms: float | None = None) -> dict[str, float]:
    return handler.figures(redis, PREFIX, NAME, time.time() * 1000 if now_ms is None else now_ms)


def counts(redis: Redis) -> dict[str, float]:
    return {name: figure for name, figure in figures(redis).items() if name != "QueueOldestWaitSeconds"}


def test_a_queue_that_nobody_has_used_is_empty(redis):
    assert figures(redis) == EMPTY


def test_waiting_are_those_in_line_and_those_with_a_priority(redis, server):
    async def add(queue: Queue) -> None:
        for _ in range(3):
            await queue.add("plain", {})
        await queue.add("urgent", {}, {"priority": 1})
        await queue.add("later", {}, {"delay": 60_000})

    with_queue(server, add)
    assert counts(redis) == {
        "QueueLength": 4,
        "QueueActiveJobs": 0,
        "QueueDelayedJobs": 1,
        "QueueFailedJobs": 0,
    }


def test_jobs_of_a_paused_queue_wait(redis, server):
    async def add(queue: Queue) -> None:
        await queue.add("plain", {})
        await queue.pause()
        await queue.add("plain", {})

    with_queue(server, add)
    assert figures(redis)["QueueLength"] == 2


def test_jobs_that_an_older_bullmq_keeps_while_it_is_paused_wait_too(redis, server):
    async def add(queue: Queue) -> None:
        await queue.add("plain", {}, {"timestamp": 1_700_000_000_000})

    with_queue(server, add)
    redis.ask("RENAME", f"{PREFIX}:{NAME}:wait", f"{PREFIX}:{NAME}:paused")
    found = figures(redis, 1_700_000_060_000)
    assert (found["QueueLength"], found["QueueOldestWaitSeconds"]) == (1, 60)


@pytest.mark.parametrize(
    ("jobs", "seconds"),
    [
        ([(0, {}), (30, {})], 60),
        ([(30, {}), (10, {"priority": 5})], 50),
        ([(20, {"priority": 5})], 40),
        ([(0, {"delay": 3_600_000})], 0),
    ],
    ids=[
        "first come",
        "one with a priority is older",
        "only one with a priority",
        "a delayed one does not wait",
    ],
)
def test_the_oldest_wait(redis, server, jobs, seconds):
    """`jobs` by the second after a moment at which they were added; a minute after it they are looked at."""
    began_ms = 1_700_000_000_000

    async def add(queue: Queue) -> None:
        for second, opts in jobs:
            await queue.add("job", {}, {"timestamp": began_ms + second * 1000, **opts})

    with_queue(server, add)
    assert figures(redis, began_ms + 60_000)["QueueOldestWaitSeconds"] == seconds


def test_active_and_failed_jobs(redis, server):
    seen: list[dict[str, float]] = []

    async def work(job: Any, _token: str) -> None:
        if job.name == "bad":
            raise ValueError("this job fails")
        seen.append(counts(redis))

    async def add(queue: Queue) -> None:
        await queue.add("bad", {})
        await queue.add("bad", {})
        await queue.add("good", {})
        worker = Worker(NAME, cast(Any, work), cast(Any, connection(server)))
        deadline = time.monotonic() + 20
        while (await queue.getJobCounts("completed"))["completed"] < 1:
            assert time.monotonic() < deadline, "the worker did not get through its jobs"
            await asyncio.sleep(0.05)
        await worker.close(force=True)

    with_queue(server, add)
    active = {"QueueLength": 0, "QueueActiveJobs": 1, "QueueDelayedJobs": 0, "QueueFailedJobs": 2}
    assert seen == [active]
    assert counts(redis) == {**active, "QueueActiveJobs": 0}


def test_it_never_looks_for_keys(redis, server):
    async def add(queue: Queue) -> None:
        await queue.add("plain", {})
        await queue.add("urgent", {}, {"priority": 1})

    with_queue(server, add)
    redis.ask("CONFIG", "RESETSTAT")
    figures(redis)
    stats = str(redis.ask("INFO", "commandstats"))
    asked = {line.split(":")[0].removeprefix("cmdstat_") for line in stats.splitlines() if line[:1] == "c"}
    assert asked - {"config|resetstat", "info"} == {"llen", "zcard", "zrange", "lindex", "hget"}


def test_a_key_of_another_type_is_an_error_and_not_a_zero(redis):
    redis.ask("SET", f"{PREFIX}:{NAME}:failed", "not a sorted set")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        figures(redis)


def test_a_refused_token_is_told_without_the_token(server):
    wrong = "a-wrong-token-that-nobody-may-read-either"
    with pytest.raises(RedisError) as refusal:
        Redis("127.0.0.1", server, wrong, handler.open_tls).ask("LLEN", "a")
    assert "WRONGPASS" in str(refusal.value)
    assert wrong not in str(refusal.value)


def test_a_certificate_that_nobody_vouches_for_is_refused(server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        Redis("127.0.0.1", server, TOKEN, handler.open_tls).ask("LLEN", "a")


def test_in_a_cluster_it_goes_where_the_keys_are(cluster):
    elsewhere, at_home = cluster

    async def add(queue: Queue) -> None:
        await queue.add("plain", {})
        await queue.add("urgent", {}, {"priority": 1})
        await queue.add("later", {}, {"delay": 60_000})

    with_queue(at_home, add)
    redis = Redis("127.0.0.1", elsewhere, TOKEN, handler.open_tls)
    try:
        assert redis.ask("CLUSTER", "KEYSLOT", f"{PREFIX}:{NAME}:wait") == SLOT_OF_BULL
        found = counts(redis)
    finally:
        redis.close()
    assert found == {"QueueLength": 2, "QueueActiveJobs": 0, "QueueDelayedJobs": 1, "QueueFailedJobs": 0}
