"""`groundwork redis ping | info | queues | slowlog | bigkeys`, against a real Redis: TLS, AUTH, also as a cluster.

The jobs in it are BullMQ's own. Only the token's secret is an answer of the test.
"""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.queue_metrics_handler import handler
from operations import __main__ as command
from operations.platform import Refusal
from operations.redis import asking, keys, queues, reach
from tests import test_queue_metrics_redis as real
from tests.aws_cloud import OUTPUTS, Cloud, refusal

folder, server, cluster = real.folder, real.server, real.cluster
redis, trusted = real.redis, real.trusted
KEY = f"{real.PREFIX}:{real.NAME}"


def cache(port: int, host: str = "127.0.0.1") -> dict[str, Any]:
    return {
        "endpoint": host,
        "readerEndpoint": host,
        "port": port,
        "replicationGroupId": "rentfix-queue",
        "tokenSecretArn": "arn:token",
    }


@pytest.fixture
def cloud():
    made = Cloud("rentalfix", "prod", {**OUTPUTS, "caches": {}}, None)
    made.says("GetSecretValue", {"SecretString": real.TOKEN})
    return made


@pytest.fixture
def groundwork(cloud, folder, monkeypatch):
    """The command; it trusts the servers' certificate where no other authority is named."""
    monkeypatch.setattr(reach, "opened", lambda *_: cloud)

    def run(*words: str, code: int = 0, trusted: Path | None = folder / "certificate.pem") -> Any:
        given = ["--ca", str(trusted)] if trusted else []
        result = CliRunner().invoke(command.app, ["redis", *words, "--stack", "prod", *given])
        assert result.exit_code == code, (result.output, result.exception)
        assert real.TOKEN not in result.output
        return result

    return run


@pytest.fixture
def alone(cloud, server, redis):
    """An empty server that is no cluster, as the stack's only cache."""
    cloud.outputs["caches"]["queue"] = cache(server)
    return redis


def rows(result: Any) -> list[dict[str, Any]]:
    return json.loads(result.stdout)


# How it comes to the cache


def test_ping_answers_by_tls_with_the_token(alone, groundwork):
    [row] = rows(groundwork("ping", "--json"))
    assert (row["node"], row["role"], row["replicas"]) == ("127.0.0.1", "master", 0)
    assert row["answers_ms"] < 1000
    assert re.fullmatch(r"\d+\.\d+\.\d+", row["server"])


def test_through_a_tunnel_the_name_of_the_cache_stays_checked(cloud, server, groundwork):
    cloud.outputs["caches"]["queue"] = cache(1)
    [row] = rows(groundwork("ping", "--json", "--via", f"localhost:{server}"))
    assert row["node"] == "127.0.0.1"
    cloud.outputs["caches"]["queue"] = cache(1, "queue.example.invalid")
    said = groundwork("ping", "--via", f"127.0.0.1:{server}", code=2).output
    assert "Somebody else answers there: the tunnel of --via leads to another server." in said


def test_a_certificate_of_nobody_known_is_refused_before_the_token_is_sent(alone, groundwork, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    alone.ask("CONFIG", "RESETSTAT")
    said = groundwork("ping", code=2, trusted=None).output
    assert "Its certificate is of no authority that is trusted here; --ca names another." in said
    assert "cmdstat_auth" not in str(alone.ask("INFO", "commandstats"))


def test_a_wrong_token_is_told_without_it(alone, cloud, groundwork):
    wrong = "a-wrong-token-that-nobody-may-read-either"
    cloud.says("GetSecretValue", {"SecretString": wrong})
    said = groundwork("ping", code=2).output
    assert "The token in Secrets Manager is not the cache's" in said
    assert wrong not in said


def test_an_empty_secret_is_told(alone, cloud, groundwork):
    cloud.says("GetSecretValue", refusal("ResourceNotFoundException"))
    assert "arn:token holds no token. `pulumi up` writes it." in groundwork("ping", code=2).output


@pytest.mark.parametrize(
    ("where", "words", "sentence"),
    [
        (
            {},
            [],
            "It is in a private network: `groundwork redis tunnel --cache queue --stack prod` in a second shell",
        ),
        (
            {"vpn": "cvpn-1"},
            [],
            "It is in a private network: join the stack's VPN (cvpn-1). Or: `groundwork redis tunnel",
        ),
        ({}, ["--via", "127.0.0.1:1"], "Look whether the tunnel still stands"),
        ({"endpoint_url": "http://emulator"}, [], "no Redis answers there: --via HOST:PORT"),
        ({}, ["--via", "6379"], "--via is HOST:PORT, such as localhost:16379, and not 6379."),
        ({}, ["--ca", "/nowhere.pem"], "There is no file /nowhere.pem."),
    ],
)
def test_what_keeps_it_away_is_told_with_what_to_do(cloud, groundwork, where, words, sentence):
    cloud.outputs["caches"]["queue"] = cache(1)
    cloud.outputs["vpn"] = where.get("vpn", "")
    object.__setattr__(cloud, "endpoint_url", where.get("endpoint_url"))
    said = groundwork("ping", *words, code=2, trusted=None).output
    assert sentence in said


@pytest.mark.parametrize(
    ("names", "wanted", "sentence"),
    [
        ([], None, "has no cache of its own"),
        (["cache", "queue"], None, "has the caches cache, queue: say which with --cache."),
        (
            ["cache", "queue"],
            "queu",
            "There is no cache queu of rentalfix; there are: cache, queue. Did you mean queue?",
        ),
    ],
)
def test_which_cache_is_said_or_plain(cloud, names, wanted, sentence):
    cloud.outputs["caches"].update({name: cache(1) for name in names})
    with pytest.raises(Refusal, match=re.escape(sentence)):
        reach.choose(cloud, wanted)
    cloud.outputs["caches"].clear()
    cloud.outputs["caches"]["only"] = cache(1)
    assert reach.choose(cloud, None)[0] == "only"


# What it asks


def test_info_says_memory_hits_and_keys_in_a_line(alone, groundwork):
    alone.ask("CONFIG", "RESETSTAT")
    alone.ask("SET", "a", "1")
    for key in ("a", "a", "a", "no-such"):
        alone.ask("GET", key)
    [row] = rows(groundwork("info", "--json"))
    assert (row["hit_percent"], row["keys"], row["evicted"], row["used_percent"]) == (75, 1, 0, None)
    assert row["used_bytes"] > 0


def test_a_share_of_memory_is_told_where_there_is_a_limit(alone, groundwork):
    alone.ask("CONFIG", "SET", "maxmemory", "100mb")
    try:
        [row] = rows(groundwork("info", "--json"))
    finally:
        alone.ask("CONFIG", "SET", "maxmemory", "0")
    assert 0 < row["used_percent"] < 100


def test_info_of_a_section_is_all_of_it(alone, groundwork):
    said = {row["name"]: row["value"] for row in rows(groundwork("info", "memory", "--json"))}
    assert "used_memory_human" in said
    assert "INFO has no section nonsense" in groundwork("info", "nonsense").output


def jobs(*names: str, server: int) -> None:
    async def add(queue: Any) -> None:
        for name in names:
            await queue.add(
                "plain", {"secret": "of-a-customer"}, {"delay": 60_000} if name == "later" else {}
            )
        await queue.add("urgent", {}, {"priority": 1})

    real.with_queue(server, add)


def test_queues_are_found_and_counted_as_the_queue_metrics_count_them(alone, server, groundwork):
    jobs("plain", "plain", "later", server=server)
    alone.ask("ZADD", f"{KEY}:failed", "1", "9")
    alone.ask("ZADD", f"{KEY}:completed", "1", "7", "2", "8")
    [row] = rows(groundwork("queues", "--json"))
    assert row == {
        "queue": KEY,
        "waiting": 3,
        "active": 0,
        "delayed": 1,
        "failed": 1,
        "completed": 2,
        "waiting_for_children": 0,
        "oldest_wait_s": row["oldest_wait_s"],
        "paused": False,
    }
    told = real.figures(alone)
    assert told["QueueLength"] == row["waiting"]
    assert told["QueueDelayedJobs"] == row["delayed"]
    assert told["QueueFailedJobs"] == row["failed"]
    assert abs(told["QueueOldestWaitSeconds"] - row["oldest_wait_s"]) < 30


def test_a_paused_queue_says_so_and_its_jobs_wait(alone, server, groundwork):
    async def add(queue: Any) -> None:
        await queue.add("plain", {})
        await queue.pause()
        await queue.add("plain", {})

    real.with_queue(server, add)
    [row] = rows(groundwork("queues", "--json"))
    assert (row["waiting"], row["paused"]) == (2, True)


def test_a_job_that_runs_is_active_and_one_that_threw_has_failed(alone, server, groundwork):
    seen: list[dict[str, Any]] = []

    async def work(job: Any, _token: str) -> None:
        if job.name == "bad":
            raise ValueError("this job fails")
        seen.extend(await asyncio.to_thread(lambda: rows(groundwork("queues", "--json"))))

    async def add(queue: Any) -> None:
        await queue.add("bad", {})
        await queue.add("good", {})
        worker = real.Worker(real.NAME, work, real.connection(server))  # ty: ignore[invalid-argument-type]
        deadline = time.monotonic() + 20
        while (await queue.getJobCounts("completed"))["completed"] < 1:
            assert time.monotonic() < deadline, "the worker did not get through its jobs"
            await asyncio.sleep(0.05)
        await worker.close(force=True)

    real.with_queue(server, add)
    assert [(row["active"], row["failed"]) for row in seen] == [(1, 1)]


def test_a_queue_over_a_limit_is_exit_code_1(alone, server, groundwork):
    jobs("plain", server=server)
    alone.ask("ZADD", f"{KEY}:failed", "1", "9")
    groundwork("queues", "--max-failed", "1", "--max-wait-s", "3600")
    assert f"Over a limit: {KEY}." in groundwork("queues", "--max-failed", "0", code=1).output
    later = alone.ask("LINDEX", f"{KEY}:wait", "-1")
    alone.ask("HSET", f"{KEY}:{later}", "timestamp", "1700000000000")
    assert f"Over a limit: {KEY}." in groundwork("queues", "--max-wait-s", "3600", code=1).output


def test_a_prefix_is_taken_by_its_letters(alone, server, groundwork):
    jobs(server=server)
    alone.ask("HSET", "other:mail:meta", "opts.maxLenEvents", "1")
    alone.ask("SET", "some:thing:meta", "no hash, so no queue")
    named = lambda *words: [row["queue"] for row in rows(groundwork("queues", "--json", *words))]  # noqa: E731
    assert named() == ["other:mail", KEY]
    assert named("--prefix", "{bull}") == [KEY]
    assert named("--prefix", "?ther") == []
    assert "No queue under ?ther" in groundwork("queues", "--prefix", "?ther").output


def test_it_scans_and_never_asks_for_keys(alone, server, groundwork):
    jobs("plain", server=server)
    alone.ask("CONFIG", "RESETSTAT")
    groundwork("queues")
    groundwork("bigkeys")
    stats = str(alone.ask("INFO", "commandstats"))
    asked = {line.split(":")[0].removeprefix("cmdstat_") for line in stats.splitlines() if line[:1] == "c"}
    assert "scan" in asked
    assert asked.isdisjoint({"keys", "get", "hgetall", "lrange", "smembers", "del", "flushall"})


def test_slow_commands_are_told_with_their_keys_and_not_with_the_data(alone, groundwork):
    alone.ask("CONFIG", "SET", "slowlog-log-slower-than", "0")
    alone.ask("SLOWLOG", "RESET")
    try:
        alone.ask("SET", "session:1", "of a customer")
        alone.ask("EVAL", "return redis.call('GET', KEYS[1])", "1", "session:2", "an-argument")
        found = {row["command"]: row for row in rows(groundwork("slowlog", "-n", "50", "--json"))}
        full = groundwork("slowlog", "-n", "50", "--full", "--json").stdout
    finally:
        alone.ask("CONFIG", "SET", "slowlog-log-slower-than", "10000")
    assert (found["SET"]["keys"], found["SET"]["arguments"]) == (["session:1"], 2)
    assert found["EVAL"]["keys"] == ["session:2"]
    assert "of a customer" not in json.dumps(found)
    assert "SET session:1 of a customer" in full


def test_an_empty_slow_log_is_good_news(alone, groundwork):
    alone.ask("SLOWLOG", "RESET")
    assert "Nothing was slow" in groundwork("slowlog").output


def test_the_largest_keys_come_first_and_types_are_summed(alone, groundwork):
    alone.ask("SET", "small", "x")
    alone.ask("SET", "large", "x" * 100_000)
    alone.ask("RPUSH", "list", *(["item"] * 1000))
    said = json.loads(groundwork("bigkeys", "-n", "2", "--json").stdout)
    assert [row["key"] for row in said["largest"]] == ["large", "list"]
    assert said["largest"][0]["size_bytes"] > 100_000
    assert {row["type"]: row["keys"] for row in said["types"]} == {"string": 2, "list": 1}
    [row] = json.loads(groundwork("bigkeys", "--match", "sm*", "--json").stdout)["largest"]
    assert row["key"] == "small"
    shown = groundwork("bigkeys").output
    assert "2 keys of type string" in shown
    assert "x" * 50 not in shown


def test_it_looks_at_so_many_keys_at_most(alone, groundwork):
    for number in range(30):
        alone.ask("SET", f"key:{number}", "x")
    said = json.loads(groundwork("bigkeys", "--most", "10", "--json").stdout)
    assert sum(row["keys"] for row in said["types"]) == 10


def test_a_key_that_is_gone_meanwhile_is_left_out(alone, cloud, folder):
    alone.ask("SET", "there", "x")
    cache_ = reach.Cache(cloud, reach.Reach(ca=folder / "certificate.pem"))
    with cache_.nodes() as [node]:
        assert [each[1] for each in keys._measure(node, ["there", "gone"])] == ["there"]


def test_a_wrong_type_is_an_error_and_not_a_zero(alone, server, groundwork):
    jobs("plain", server=server)
    alone.ask("SET", f"{KEY}:failed", "not a sorted set")
    assert "WRONGTYPE" in groundwork("queues", code=2).output


# In cluster mode


def test_in_cluster_mode_every_shard_is_asked(cloud, cluster, groundwork):
    elsewhere, at_home = cluster
    cloud.outputs["caches"]["queue"] = cache(elsewhere)
    jobs("plain", "later", server=at_home)
    nodes = [f"127.0.0.1:{port}" for port in sorted(cluster)]
    assert [row["node"] for row in rows(groundwork("ping", "--json"))] == nodes
    [row] = [each for each in rows(groundwork("queues", "--json")) if each["queue"] == KEY]
    assert (row["waiting"], row["delayed"]) == (2, 1)
    assert {row["node"] for row in json.loads(groundwork("bigkeys", "--json").stdout)["largest"]} == {
        f"127.0.0.1:{at_home}"
    }


def test_through_a_tunnel_one_shard_is_asked_and_that_is_said(cloud, cluster, groundwork):
    cloud.outputs["caches"]["queue"] = cache(1)
    result = groundwork("ping", "--json", "--via", f"127.0.0.1:{cluster[1]}")
    assert [row["node"] for row in rows(result)] == [f"127.0.0.1:{cluster[1]}"]
    assert "has 2 shards; through a tunnel only the one that it leads to is asked" in result.stderr


def test_the_figures_of_a_summary_need_no_hit_and_no_limit():
    about = {
        "keyspace_hits": 0, "keyspace_misses": 0, "used_memory": 5, "evicted_keys": 0, "connected_clients": 1,
        "blocked_clients": 0, "instantaneous_ops_per_sec": 0, "maxmemory": 10, "db0": {"keys": 3}, "db1": {"keys": 4},
    }  # fmt: skip
    row = asking.summary("n", about)
    assert (row["hit_percent"], row["used_percent"], row["keys"]) == (None, 50, 7)


def test_a_marker_is_no_job_that_waits(alone, cloud, folder):
    alone.ask("RPUSH", f"{KEY}:wait", "0:0")
    with reach.Cache(cloud, reach.Reach(ca=folder / "certificate.pem")).nodes() as [node]:
        assert queues.figures(node, KEY, 1)["oldest_wait_s"] == 0
    assert handler.figures(alone, real.PREFIX, real.NAME, 1)["QueueOldestWaitSeconds"] == 0
