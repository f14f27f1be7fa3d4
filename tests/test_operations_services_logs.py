"""`groundwork logs` on the emulator's CloudWatch Logs, and `groundwork exec`, whose tasks are answers of the test.

The emulator's filters know words and phrases; where it takes everything, what it was asked is looked at.
"""

import json
import shlex
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from operations.services import execute, logs
from operations.services.logs import ERROR_WORDS, Line, Reader, Source
from operations.tunnels import AGENT
from tests.running_services import clock, emulator_url, groundwork, running

__all__ = ["clock", "emulator_url", "groundwork", "running"]

NOW = datetime.now(UTC)
SUNDAY = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """A suite may take longer than what counts as recent."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC))


def ago(**span):
    return int((NOW - timedelta(**span)).timestamp() * 1000)


@pytest.fixture
def written(running):
    running.start("core-matching", ["1.0.0"])
    running.start("worker-ai", ["1.0.0"])
    running.writes(
        "core-matching",
        "core-matching/core-matching/1",
        (ago(minutes=3), "one"),
        (ago(minutes=1), "ERROR no"),
    )
    running.writes(
        "worker-ai", "worker-ai/worker-ai/1", (ago(minutes=2), "two"), (ago(hours=2), "long ago\n")
    )
    return running


def lines(answer):
    return [line.split(maxsplit=1)[1] for line in answer.stdout.splitlines()]


def test_lines_of_all_services_come_in_the_order_of_time_with_their_names(written, groundwork):
    assert lines(groundwork("logs")) == ["core-matching one", "worker-ai     two", "core-matching ERROR no"]


def test_lines_of_one_service_have_no_name_before_them(written, groundwork):
    assert lines(groundwork("logs", "worker-ai")) == ["two"]
    assert lines(groundwork("logs", "worker-ai", "--since", "3h")) == ["long ago", "two"]


def test_only_the_last_lines_where_a_number_is_given(written, groundwork):
    assert lines(groundwork("logs", "-n", "1")) == ["core-matching ERROR no"]


def test_a_filter_is_cloudwatch_s(written, groundwork):
    assert lines(groundwork("logs", "--filter", "ERROR")) == ["core-matching ERROR no"]
    said = groundwork("logs", "worker-ai", "--filter", "ERROR", code=1)
    assert "No line of worker-ai since" in said.stderr


def test_json_gives_an_object_for_each_line(written, groundwork):
    [first, *_] = [json.loads(line) for line in groundwork("logs", "--json").stdout.splitlines()]
    assert first["source"] == "core-matching"
    assert first["stream"] == "core-matching/core-matching/1"
    assert first["text"] == "one"
    assert datetime.fromisoformat(first["when"]) == datetime.fromtimestamp(ago(minutes=3) / 1000, UTC)


def test_errors_are_what_the_stack_counts_as_such(written, groundwork):
    client = written.cloud.client("logs")
    client.put_metric_filter(
        logGroupName=written.cloud.outputs["services"]["core-matching"]["logGroup"],
        filterName="core-matching-errors",
        filterPattern='{ $.level = "error" }',
        metricTransformations=[{"metricName": "errors", "metricNamespace": "a", "metricValue": "1"}],
    )
    groundwork("logs", "--errors")
    patterns = [given["filterPattern"] for given in written.cloud.calls("FilterLogEvents")]
    assert patterns == ['{ $.level = "error" }', ERROR_WORDS], "worker-ai has no filter, as a task has none"


def test_a_task_has_a_log_as_well(written, groundwork):
    written.cloud.outputs["tasks"]["migrate"] = {
        "logGroup": written.cloud.outputs["services"]["worker-ai"]["logGroup"]
    }
    assert lines(groundwork("logs", "migrate")) == ["two"]


def test_what_would_move_a_terminal_s_cursor_is_taken_out(written, groundwork):
    written.writes("worker-ai", "worker-ai/worker-ai/2", (ago(seconds=5), "red \x1b[31m"))
    assert lines(groundwork("logs", "worker-ai"))[-1] == "red  [31m"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["core-matchin"], "There is no log core-matchin of rentalfix"),
        (["--errors", "--filter", "x"], "Say --errors or --filter, not both"),
        (
            ["--since", "yesterday"],
            "yesterday is neither a span (30s, 15m, 1h, 2d) nor a time (2026-11-26T03:00).",
        ),
        (["--for", "1y"], "1y is no span of time: 30s, 15m, 1h or 2d."),
    ],
)
def test_what_cannot_be_meant_is_refused(written, groundwork, arguments, words):
    assert words in groundwork("logs", *arguments, code=2).output


def test_a_stack_without_services_names_its_tasks(running, groundwork):
    running.cloud.outputs["tasks"]["dump"] = {"logGroup": "/dump"}
    assert "runs no service yet. Name a task: dump." in groundwork("logs", code=2).output


# Everything else that writes


def groups(cloud, *names, region=None):
    client = cloud.client("logs", region=region)
    for name in names:
        # The emulator is shared by the tests of a worker.
        if not client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
            client.create_log_group(logGroupName=name)


@pytest.fixture
def whole(written):
    """A stack of everything that writes, and one beside it whose names begin the same."""
    outputs = written.cloud.outputs
    outputs["environment"] = f"e{uuid4().hex[:8]}"
    prefix, path = f"rentalfix-{outputs['environment']}", f"/rentalfix/{outputs['environment']}"
    database = f"db-{uuid4().hex[:8]}"
    outputs["database"] = {
        "identifier": database,
        "replicaAddresses": [f"{database}-r1.abc.us-east-1.rds.amazonaws.com"],
    }
    outputs["brokers"] = {"jobs": {"logGroups": ["/aws/amazonmq/broker/b-1/general"]}}
    outputs["kubernetes"]["cluster"] = prefix
    outputs["cdn"] = {"distributionId": "E1"}
    outputs["network"] = {"vpc": "vpc-1"}
    flow = f"network-flow-log-{uuid4().hex[:7]}"
    written.cloud.says("DescribeFlowLogs", lambda _: {"FlowLogs": [{"LogGroupName": flow}, {}]})
    groups(
        written.cloud,
        *(
            f"{path}/{name}"
            for name in ("queue-metrics", "notify-slack", "vpn", "exec", "cache/queue/slow-log")
        ),
        *(f"/aws/rds/instance/{database}/{name}" for name in ("postgresql", "upgrade")),
        f"/aws/rds/instance/{database}-r1/postgresql",
        f"/aws/rds/proxy/{database}-proxy",
        "/aws/amazonmq/broker/b-1/general",
        *(f"aws-waf-logs-{prefix}{more}" for more in ("", "2", "-cdn", "-cdn2")),
        f"/aws/vendedlogs/prometheus/{prefix}",
        f"/aws/eks/{prefix}/cluster",
        f"{path}2/worker",
        flow,
    )
    return written


OTHERS = {
    *("queue-metrics", "notify-slack", "vpn", "exec", "cache/queue/slow-log", "database/postgresql"),
    *("database/upgrade", "database/proxy", "broker/jobs/general", "waf", "waf-cdn", "prometheus"),
    *("kubernetes", "network"),
}


def test_the_list_has_everything_that_writes_and_nothing_of_another_stack(whole, groundwork):
    rows = json.loads(groundwork("logs", "--list", "--json").stdout)
    names = [row["log"] for row in rows]
    replica = f"database/{whole.cloud.outputs['database']['identifier']}-r1/postgresql"
    assert set(names) == {"core-matching", "worker-ai", replica, *OTHERS}
    assert names[:2] == ["core-matching", "worker-ai"], "services come first"
    assert len(set(names)) == len(names)
    assert {row["kept_days"] for row in rows} == {None}, "as CloudWatch says: for ever"


def test_a_group_that_does_not_stand_is_not_listed(written, groundwork):
    written.cloud.outputs["environment"] = uuid4().hex[:8]
    written.cloud.outputs["tasks"]["dump"] = {"logGroup": f"/{uuid4().hex}/dump"}
    rows = json.loads(groundwork("logs", "--list", "--json").stdout)
    assert [row["log"] for row in rows] == ["core-matching", "worker-ai"]
    written.cloud.outputs["services"] = {}
    assert "writes no log yet" in groundwork("logs", "--list").stdout


def put(cloud, group, text):
    client = cloud.client("logs")
    client.create_log_stream(logGroupName=group, logStreamName="s")
    event = {"timestamp": ago(seconds=20), "message": text}
    client.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])


def test_what_is_no_service_is_read_by_its_name_or_its_first_word(whole, groundwork):
    outputs = whole.cloud.outputs
    put(whole.cloud, f"/rentalfix/{outputs['environment']}/vpn", "somebody came")
    put(whole.cloud, f"/aws/rds/instance/{outputs['database']['identifier']}/postgresql", "slow")
    assert lines(groundwork("logs", "vpn")) == ["somebody came"]
    said = groundwork("logs", "database", "worker-ai")
    assert [line.split() for line in lines(said)] == [["worker-ai", "two"], ["database/postgresql", "slow"]]
    assert "There is no log databas of rentalfix" in groundwork("logs", "databas", code=2).output
    assert "Did you mean database/" in groundwork("logs", "database/postgres", code=2).output


def test_cloudfront_s_firewall_writes_in_its_own_region(whole, groundwork):
    asked = []
    client = whole.cloud.client

    def in_region(service, *, region=None):
        asked.append((service, region))
        return client(service, region=region)

    whole.cloud.__dict__["client"] = in_region
    assert "No line of waf-cdn" in groundwork("logs", "waf-cdn", "--errors", code=1).stderr
    assert asked.count(("logs", "us-east-1")) == 2, "to find it, and to read it"
    assert whole.cloud.calls("DescribeMetricFilters") == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30s", SUNDAY - timedelta(seconds=30)),
        ("2d", SUNDAY - timedelta(days=2)),
        ("2026-11-26T03:00", datetime(2026, 11, 26, 3, tzinfo=UTC)),
        ("2026-11-26T03:00+02:00", datetime(2026, 11, 26, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_so_long_ago_or_a_time(text, moment):
    assert logs.moment(text, SUNDAY) == moment


def test_pages_are_read_to_their_end(running):
    event = {"logStreamName": "s", "timestamp": ago(seconds=1), "message": "line"}

    def answer(given):
        if "nextToken" in given:
            return {"events": [{**event, "eventId": "2"}]}
        return {"events": [{**event, "eventId": "1"}], "nextToken": "more"}

    running.cloud.says("FilterLogEvents", answer)
    reader = Reader(running.cloud.client("logs"), [Source("a", "/a")])
    assert [line.event_id for line in reader.since(NOW)] == ["1", "2"]


class Feed:
    """A log to which lines come, some of them late; `Reader` without CloudWatch."""

    def __init__(self, *rounds):
        self.rounds = list(rounds)
        self.asked = []

    def get_paginator(self, _):
        return self

    def paginate(self, *, startTime, **_):
        self.asked.append(startTime)
        for each in self.rounds[: len(self.asked)]:
            events = [
                {"timestamp": when, "message": str(when), "eventId": str(when), "logStreamName": "s"}
                for when in each
                if when >= startTime
            ]
            yield {"events": events}


def test_following_shows_each_line_once_and_those_that_come_late(running):
    second = 1000
    start = ago(seconds=0)
    feed = Feed([start], [start + 9 * second], [start + 4 * second], [])
    shown, sleeps = [], []
    reader = Reader(feed, [Source("a", "/a")])
    ends = NOW + timedelta(seconds=4)
    ticks = iter([NOW + timedelta(seconds=number) for number in range(9)])

    def show(found):
        shown.extend(line.event_id for line in found)

    logs.followed(reader, show, NOW, ends, clock=lambda: next(ticks), sleep=sleeps.append)
    assert shown == [str(start), str(start + 9 * second), str(start + 4 * second)]
    assert sleeps == [logs.POLL_S] * 4
    assert feed.asked[0] == ago(seconds=logs.LATE_S)
    assert feed.asked[-1] == start + 9 * second - logs.LATE_S * 1000, (
        "it does not ask from the beginning again"
    )


def test_following_ends_on_ctrl_c_without_a_word():
    def interrupted(_):
        raise KeyboardInterrupt

    logs.followed(Reader(Feed([]), [Source("a", "/a")]), lambda _: None, NOW, None, sleep=interrupted)


def test_a_reader_forgets_what_can_not_come_again():
    reader = Reader(None, [], {"old": (NOW - timedelta(hours=1)).timestamp(), "new": NOW.timestamp()})
    reader.forget(NOW - timedelta(minutes=1))
    assert set(reader.shown) == {"new"}


def test_follow_is_bounded_by_for(written, groundwork, monkeypatch):
    monkeypatch.setattr(logs.time, "sleep", lambda _: None)
    monkeypatch.setattr(logs, "POLL_S", 0)
    assert lines(groundwork("logs", "worker-ai", "--for", "1s")) == ["two"]


def test_a_line_as_json_is_one_line():
    line = Line(NOW, "a", "s", "two\nlines", "1")
    assert "\n" not in line.as_json()
    assert json.loads(line.as_json())["text"] == "two\nlines"


# exec


def container(name="core-matching", state="RUNNING"):
    return {"name": name, "managedAgents": [{"name": AGENT, "lastStatus": state}]}


def test_the_newest_task_that_can_be_entered_is_entered_by_aws_cli(running, groundwork):
    running.start("core-matching", ["1.0.0"])
    running.shows(
        "core-matching",
        "RUNNING",
        [
            {"startedAt": NOW - timedelta(hours=1), "containers": [container()]},
            {"startedAt": NOW - timedelta(minutes=1), "containers": [container()]},
            {"startedAt": NOW, "containers": [container(state="STOPPED")]},
        ],
    )
    _, newest, _ = running.cloud.__dict__["shown"]
    said = groundwork("exec", "core-matching", "--dry-run", "--", "node", "-e", "console.log('a b')").output
    words = shlex.split(said)
    assert words[:-1] == [
        *(
            "aws",
            "ecs",
            "execute-command",
            "--interactive",
            "--region",
            "us-east-1",
            "--cluster",
            running.cluster,
        ),
        *("--task", newest, "--container", "core-matching", "--command"),
    ]
    assert shlex.split(words[-1]) == ["node", "-e", "console.log('a b')"], (
        "as the shell in the task will split it"
    )


def test_without_a_command_it_is_a_shell(running, groundwork):
    running.start("core-matching", ["1.0.0"])
    running.lives("core-matching", containers=[container()])
    assert groundwork("exec", "core-matching", "--dry-run").output.strip().endswith("--command /bin/sh")


def test_a_task_and_a_container_may_be_named(running, groundwork):
    running.start("core-matching", ["1.0.0"])
    running.lives("core-matching", containers=[container("core-matching"), container("log-router")])
    [task] = running.cloud.__dict__["shown"]
    name = task.rsplit("/", 1)[-1]
    said = groundwork(
        "exec", "core-matching", "--task", name, "--container", "log-router", "--dry-run"
    ).output
    assert "--container log-router" in said
    said = groundwork("exec", "core-matching", "--container", "other", "--dry-run", code=2).output
    assert "have no container other; they have: core-matching, log-router." in said
    said = groundwork("exec", "core-matching", "--task", "none", "--dry-run", code=2).output
    assert "core-matching has no running task none." in said


def test_where_nothing_runs_or_can_be_entered_it_says_what_to_do(running, groundwork):
    running.start("core-matching", ["1.0.0"])
    running.shows("core-matching", "RUNNING", [])
    said = groundwork("exec", "core-matching", code=2).output
    assert "No task of core-matching runs. `groundwork service show core-matching` says why they died" in said
    running.lives("core-matching", containers=[{"name": "core-matching"}])
    said = groundwork("exec", "core-matching", code=2).output
    assert "their ExecuteCommandAgent does not run." in said
    assert "`groundwork service restart core-matching`" in said


def test_in_the_emulator_no_container_runs(running, groundwork):
    running.start("core-matching", ["1.0.0"])
    running.lives("core-matching", containers=[container()])
    assert "No container runs in the emulator" in groundwork("exec", "core-matching", code=2).output


@pytest.fixture
def on_aws(running, groundwork, monkeypatch):
    """The stack as if it stood on AWS; what would become of the process."""
    running.start("core-matching", ["1.0.0"])
    running.lives("core-matching", containers=[container()])
    cloud = running.cloud
    client = cloud.client
    for name in ("ecs", "logs", "application-autoscaling"):
        client(name)  # made while it is known where the emulator is
    cloud.__dict__["endpoint_url"] = None
    became = []
    monkeypatch.setattr(execute.os, "execvp", lambda program, arguments: became.append((program, arguments)))
    return became


@pytest.mark.parametrize(
    ("missing", "what"), [("aws", "AWS CLI 2"), ("session-manager-plugin", "AWS' session manager plugin")]
)
def test_a_program_that_is_not_there_is_named_with_the_command_for_elsewhere(
    on_aws, groundwork, monkeypatch, missing, what
):
    monkeypatch.setattr(execute.shutil, "which", lambda name: None if name == missing else f"/bin/{name}")
    said = groundwork("exec", "core-matching", "--yes", code=2).output
    assert f"{missing} is not on PATH: install {what}. Or by hand elsewhere: aws ecs execute-command" in said
    assert on_aws == []


def test_production_asks_first_and_then_this_process_goes_on_as_aws_cli(on_aws, groundwork, monkeypatch):
    monkeypatch.setattr(execute.shutil, "which", lambda name: f"/bin/{name}")
    said = groundwork("exec", "core-matching", code=2).output
    assert "of core-matching; it is on record" in said
    assert on_aws == []
    groundwork("exec", "core-matching", "--yes")
    [(program, arguments)] = on_aws
    assert program == "aws"
    assert arguments[:3] == ["aws", "ecs", "execute-command"]
