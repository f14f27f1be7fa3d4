"""The function that counts jobs: what it makes of answers, and of a server that misbehaves.

With a real Redis, and BullMQ's own jobs in it: test_queue_metrics_redis.py.
"""

import io
import json
import socket
import socketserver
import ssl
import threading
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from components.queue_metrics_handler import handler
from components.queue_metrics_handler.handler import Redis, RedisError

TOKEN = "a-token-that-nobody-may-read"
NOW_MS = 1_700_000_060_000


class FakeRedis(socketserver.ThreadingTCPServer):
    """Answers from `replies` (command: raw answer); what it was asked is in `asked`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, replies):
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.replies = replies
        self.asked = []

    @property
    def port(self):
        return self.server_address[1]


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self):
        assert isinstance(self.server, FakeRedis)
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2)[:-2].decode())
            command = " ".join(words)
            self.server.asked.append(command)
            self.wfile.write(self.server.replies.get(command, b"-ERR unknown\r\n"))


def bulk(text):
    return b"$%d\r\n%b\r\n" % (len(text), text.encode())


def full_queue(key="{bull}:matching"):
    return {
        f"AUTH {TOKEN}": b"+OK\r\n",
        f"LLEN {key}:wait": b":7\r\n",
        f"LLEN {key}:paused": b":0\r\n",
        f"ZCARD {key}:prioritized": b":2\r\n",
        f"LLEN {key}:active": b":3\r\n",
        f"ZCARD {key}:delayed": b":4\r\n",
        f"ZCARD {key}:failed": b":5\r\n",
        f"ZRANGE {key}:prioritized 0 0": b"*1\r\n" + bulk("job-2"),
        f"HGET {key}:job-2 timestamp": bulk("1700000030000"),
        f"LINDEX {key}:paused -1": b"$-1\r\n",
        f"LINDEX {key}:wait -1": bulk("job-1"),
        f"HGET {key}:job-1 timestamp": bulk("1700000000000"),
    }


@pytest.fixture
def serve():
    servers = []

    def start(replies):
        server = FakeRedis(replies)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def connect(host, port):
    return socket.create_connection((host, port), timeout=2)


@pytest.fixture
def ask():
    opened = []

    def open_to(server):
        redis = Redis("127.0.0.1", server.port, TOKEN, connect)
        opened.append(redis)
        return redis

    yield open_to
    for redis in opened:
        redis.close()


def test_all_figures_of_a_queue(serve, ask):
    server = serve(full_queue())
    assert handler.figures(ask(server), "{bull}", "matching", NOW_MS) == {
        "QueueLength": 9,
        "QueueActiveJobs": 3,
        "QueueDelayedJobs": 4,
        "QueueFailedJobs": 5,
        "QueueOldestWaitSeconds": 60.0,
    }
    assert server.asked[0] == f"AUTH {TOKEN}"
    assert server.asked.count(f"AUTH {TOKEN}") == 1


def test_it_never_looks_for_keys(serve, ask):
    server = serve(full_queue())
    handler.figures(ask(server), "{bull}", "matching", NOW_MS)
    asked = {command.split()[0] for command in server.asked}
    assert asked == {"AUTH", "LLEN", "ZCARD", "ZRANGE", "LINDEX", "HGET"}


@pytest.mark.parametrize(
    "changes",
    [
        {"LINDEX {bull}:matching:wait -1": b"$-1\r\n"},
        {"HGET {bull}:matching:job-1 timestamp": b"$-1\r\n"},
        {"HGET {bull}:matching:job-1 timestamp": bulk("1800000000000")},
    ],
    ids=["nothing waits", "the job has just gone", "a clock that is ahead"],
)
def test_no_wait_is_zero_seconds(serve, ask, changes):
    nothing_with_priority = {"ZRANGE {bull}:matching:prioritized 0 0": b"*0\r\n"}
    server = serve({**full_queue(), **nothing_with_priority, **changes})
    assert handler.figures(ask(server), "{bull}", "matching", NOW_MS)["QueueOldestWaitSeconds"] == 0


def test_a_wrong_type_is_an_error_and_not_a_zero(serve, ask):
    server = serve({**full_queue(), "ZCARD {bull}:matching:failed": b"-WRONGTYPE not a set\r\n"})
    with pytest.raises(RedisError, match="WRONGTYPE not a set"):
        handler.figures(ask(server), "{bull}", "matching", NOW_MS)


def test_a_count_that_is_none_is_an_error(serve, ask):
    server = serve({**full_queue(), "LLEN {bull}:matching:active": b"+OK\r\n"})
    with pytest.raises(RedisError, match=r"LLEN {bull}:matching:active gave 'OK', not a count"):
        handler.figures(ask(server), "{bull}", "matching", NOW_MS)


def test_it_follows_a_cluster_to_the_right_node_and_authenticates_there(serve, ask):
    right = serve(full_queue())
    moved = f"-MOVED 3999 127.0.0.1:{right.port}\r\n".encode()
    wrong = serve(dict.fromkeys(full_queue(), moved) | {f"AUTH {TOKEN}": b"+OK\r\n"})
    assert handler.figures(ask(wrong), "{bull}", "matching", NOW_MS)["QueueLength"] == 9
    assert right.asked[0] == f"AUTH {TOKEN}"
    assert right.asked.count(f"AUTH {TOKEN}") == 1


def test_a_cluster_that_sends_in_circles_is_given_up(serve, ask):
    server = serve({f"AUTH {TOKEN}": b"+OK\r\n"})
    server.replies["LLEN a"] = f"-MOVED 1 127.0.0.1:{server.port}\r\n".encode()
    with pytest.raises(RedisError, match="LLEN was sent from node to node more than 3 times"):
        ask(server).ask("LLEN", "a")
    assert server.asked.count("LLEN a") == 4


def test_a_refused_token_is_told_without_the_token(serve, ask):
    server = serve({f"AUTH {TOKEN}": b"-WRONGPASS invalid username-password pair\r\n"})
    with pytest.raises(RedisError) as refusal:
        ask(server).ask("LLEN", "a")
    assert "WRONGPASS" in str(refusal.value)
    assert TOKEN not in str(refusal.value)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (b"+OK\r\n", "OK"),
        (b":-3\r\n", -3),
        (b"$5\r\na\r\nbc\r\n", "a\r\nbc"),
        (b"$0\r\n\r\n", ""),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"*2\r\n:1\r\n*1\r\n+a\r\n", [1, ["a"]]),
    ],
)
def test_answers(answer, value):
    assert handler.decode(io.BytesIO(answer)) == value


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"-ERR wrong\r\n", "ERR wrong"),
        (b"", "the connection was closed before an answer came"),
        (b"HTTP/1.1 400\r\n", "unexpected answer 'HTTP/1.1 400'"),
    ],
)
def test_answers_that_are_none(answer, message):
    with pytest.raises(RedisError, match=message):
        handler.decode(io.BytesIO(answer))


def test_commands_count_bytes_not_characters():
    assert handler.encode(["HGET", "ä"]) == b"*2\r\n$4\r\nHGET\r\n$2\r\n\xc3\xa4\r\n"


@pytest.mark.parametrize(
    ("error", "node"),
    [
        ("MOVED 3999 10.0.0.2:6380", ("10.0.0.2", 6380)),
        ("MOVED 3999 :6380", ("first", 6380)),
        ("MOVED 3999 fd00::1:6380", ("fd00::1", 6380)),
    ],
)
def test_where_a_key_has_moved_to(error, node):
    assert handler.moved_to(error, ("first", 6379)) == node


class FakeCloudWatch:
    def __init__(self):
        self.put = []

    def put_metric_data(self, **request):
        self.put.append(request)


class FakeSecrets:
    def get_secret_value(self, *, SecretId):
        if SecretId == "arn:gone":
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue")
        return {"SecretString": TOKEN}


def queue(server, **changes):
    values: dict[str, Any] = {
        "name": "matching",
        "prefix": "{bull}",
        "host": "127.0.0.1",
        "port": server.port,
        "secret_arn": "arn:token",
        **changes,
    }
    return values


def test_figures_are_published_with_their_queue_and_unit(serve):
    cloudwatch = FakeCloudWatch()
    handler.publish([queue(serve(full_queue()))], "RentalFix/prod", FakeSecrets(), cloudwatch, connect)
    (request,) = cloudwatch.put
    assert request["Namespace"] == "RentalFix/prod"
    assert {each["MetricName"]: each["Unit"] for each in request["MetricData"]} == {
        "QueueLength": "Count",
        "QueueActiveJobs": "Count",
        "QueueDelayedJobs": "Count",
        "QueueFailedJobs": "Count",
        "QueueOldestWaitSeconds": "Seconds",
    }
    assert request["MetricData"][0]["Dimensions"] == [{"Name": "Queue", "Value": "matching"}]
    assert request["MetricData"][0]["Value"] == 9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"secret_arn": "arn:gone"}, "queue broken: .*ResourceNotFoundException"),
        ({"port": 1}, "queue broken: .*refused"),
        ({"prefix": "other"}, "queue broken: ERR unknown"),
    ],
)
def test_one_broken_queue_does_not_silence_the_others(serve, changes, message):
    server, cloudwatch = serve(full_queue()), FakeCloudWatch()
    queues = [queue(server, name="broken", **changes), queue(server)]
    with pytest.raises(RedisError, match=message):
        handler.publish(queues, "RentalFix/prod", FakeSecrets(), cloudwatch, connect)
    assert len(cloudwatch.put) == 1


def test_lambda_gives_the_queues_by_environment(serve, monkeypatch):
    server, cloudwatch = serve(full_queue()), FakeCloudWatch()
    clients = {"secretsmanager": FakeSecrets(), "cloudwatch": cloudwatch}
    monkeypatch.setenv("QUEUES", json.dumps([queue(server)]))
    monkeypatch.setenv("NAMESPACE", "RentalFix/prod")
    monkeypatch.setattr(boto3, "client", clients.__getitem__)
    monkeypatch.setattr(handler, "open_tls", connect)
    handler.handler({}, None)
    assert len(cloudwatch.put) == 1


def test_a_server_without_tls_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_in_plain, args=[listener], daemon=True)
        thread.start()
        with pytest.raises(ssl.SSLError, match="SSL"):
            handler.open_tls("127.0.0.1", listener.getsockname()[1])
        thread.join()


def _answer_in_plain(listener):
    conversation, _ = listener.accept()
    with conversation:
        conversation.sendall(b"-ERR this port speaks no TLS\r\n")
        conversation.recv(4096)
