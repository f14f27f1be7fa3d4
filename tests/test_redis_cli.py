"""The task that asks the caches: what is declared for it, and its script against real ones with TLS and a token."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import test_queue_metrics_redis as real
from tests.program import configuration, declared, run
from tests.real_programs import program
from wiring.redis_cli import script

TASK = "aws:ecs/taskDefinition:TaskDefinition"
folder, server, cluster = real.folder, real.server, real.cluster


def asked(*arguments: str, path: Any, trusted: Any = None, **variables: Any):
    """The script as the task runs it, with one cache in cluster mode and one that is not."""
    environment = {
        "PATH": f"{path}:/usr/bin:/bin",
        "CACHE": "pages",
        "EVERY_SHARD": "no",
        "HOST_PAGES": "127.0.0.1",
        "HOST_SIDE_JOBS": "127.0.0.1",
        "AUTH_PAGES": real.TOKEN,
        "AUTH_SIDE_JOBS": real.TOKEN,
        "SSL_CERT_FILE": str(trusted / "certificate.pem") if trusted else "",
        **variables,
    }
    text = script({"pages": True, "side-jobs": False})
    done = subprocess.run(
        ["sh", "-ec", text, "redis-cli", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def client(folder: Path) -> dict[str, Any]:
    found = program("redis-server")
    return {
        "path": found.path.parent,
        "trusted": folder,
        "LD_LIBRARY_PATH": found.environment.get("LD_LIBRARY_PATH", os.environ.get("LD_LIBRARY_PATH", "")),
    }


def test_an_operator_asks_a_cache_over_tls_with_its_token(client, server):
    here = {**client, "CACHE": "side-jobs", "PORT_SIDE_JOBS": str(server)}
    assert asked("PING", **here) == (0, "PONG\n")
    assert asked("RPUSH", "bull:mail:wait", "it's $(id) `b`", **here) == (0, "1\n")
    assert asked("LRANGE", "bull:mail:wait", "0", "-1", **here) == (0, "it's $(id) `b`\n")
    assert asked("--scan", "--pattern", "bull:*", **here) == (0, "bull:mail:wait\n")
    code, said = asked("--bigkeys", **here)
    assert code == 0
    assert "bull:mail:wait" in said


def test_an_answer_that_is_an_error_fails_the_task(client, server):
    here = {**client, "CACHE": "side-jobs", "PORT_SIDE_JOBS": str(server)}
    assert asked("NONSENSE", **here)[0] == 1
    assert asked("PING", **{**here, "AUTH_SIDE_JOBS": "another token"})[0] == 1


def test_a_cache_that_nobody_vouches_for_is_not_asked(client, server):
    here = {**client, "CACHE": "side-jobs", "PORT_SIDE_JOBS": str(server)}
    assert asked("PING", **{**here, "trusted": None})[0] == 1


def test_in_cluster_mode_a_key_is_found_where_it_is_and_a_scan_asks_every_shard(client, cluster):
    here = {**client, "PORT_PAGES": str(cluster[0])}
    assert asked("SET", "{bull}:there", "1", **here) == (0, "OK\n")
    assert asked("GET", "{bull}:there", **here) == (0, "1\n")
    assert asked("--scan", "--pattern", "{bull}*", **here) == (0, "")
    code, said = asked("--scan", "--pattern", "{bull}*", **{**here, "EVERY_SHARD": "yes"})
    assert code == 0
    assert set(said.splitlines()) == {*(f"Shard 127.0.0.1:{port}" for port in cluster), "{bull}:there"}


@pytest.mark.parametrize("word", ["KEYS", "keys", "Keys"])
def test_keys_is_refused_before_anybody_is_asked(word):
    assert asked(word, "*", path="/nowhere") == (
        64,
        "KEYS stops the cache for everybody: use --scan --pattern, or SCAN\n",
    )


def test_a_cache_that_is_not_there_is_refused_with_those_that_are():
    assert asked("PING", path="/nowhere", CACHE="page") == (
        64,
        "CACHE must be one of pages, side-jobs, got page\n",
    )


def test_what_is_declared():
    stack = declared("prod")
    (container,) = stack.one(TASK, "task-redis").json("containerDefinitions")
    caches = stack.value["caches"]
    assert container["image"].startswith("public.ecr.aws/docker/library/redis:7.4")
    assert (container["command"], container["user"]) == (["PING"], "999")
    assert container["entryPoint"][:2] == ["sh", "-ec"]
    assert {each["name"]: each["value"] for each in container["environment"]} == {
        "CACHE": "cache",
        "EVERY_SHARD": "no",
        "HOST_CACHE": caches["cache"]["endpoint"],
        "HOST_QUEUE": caches["queue"]["endpoint"],
        "PORT_CACHE": "6379",
        "PORT_QUEUE": "6379",
    }
    assert {each["name"]: each["valueFrom"] for each in container["secrets"]} == {
        "AUTH_CACHE": caches["cache"]["tokenSecretArn"],
        "AUTH_QUEUE": caches["queue"]["tokenSecretArn"],
    }
    assert stack.value["tasks"]["redis"]["schedule"] == ""
    assert not [each for each in stack.all("aws:scheduler/schedule:Schedule") if "redis" in each.name]


def test_without_an_image_there_is_no_such_task():
    config = configuration("prod")
    images = dict(config["groundwork:operations"])
    del images["redis_image"]
    bare = run("prod", {**config, "groundwork:operations": images})
    assert "task-redis" not in bare.names(TASK)
    assert "redis" not in bare.value["tasks"]
