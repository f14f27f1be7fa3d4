"""QueueMetrics: the function, exactly its rights, its clock, its figures, and what is refused."""

import json
import re
from typing import Any

import pytest

from components.queue_metrics import FIGURES, HANDLER, Queue, QueueMetrics, QueueMetricsArgs
from components.queue_metrics_handler import handler
from tests.recorder import record

FUNCTION = "aws:lambda/function:Function"
SCHEDULE = "aws:scheduler/schedule:Schedule"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"


def queue(**changes):
    values: dict[str, Any] = {
        "name": "matching",
        "prefix": "{bull}",
        "host": "master.queue.cache.amazonaws.com",
        "port": 6379,
        "auth_secret_arn": "arn:token",
        **changes,
    }
    return Queue(**values)


def args(**changes):
    values: dict[str, Any] = {
        "queues": [queue()],
        "namespace": "RentalFix/prod",
        "subnet_ids": ["subnet-a"],
        "security_group_id": "sg-metrics",
        "secrets_key_arn": "arn:secrets-key",
        "account_id": "111122223333",
        "log_group_name": "/rentalfix/prod/queue-metrics",
        "log_key_arn": "arn:log-key",
        "log_retention_days": 30,
        "tags": {"owner": "platform"},
        **changes,
    }
    return QueueMetricsArgs(**values)


def build(**changes):
    made = args(**changes)
    metrics: list[Any] = []
    return record(lambda: metrics.append(QueueMetrics("queue-metrics", made))), metrics[0]


def test_the_function_stands_in_the_network_and_knows_no_secret():
    declared, _ = build()
    function = declared.one(FUNCTION)
    assert function["runtime"] == "python3.13"
    assert function["handler"] == "handler.handler"
    assert function["vpcConfig"] == {"subnetIds": ["subnet-a"], "securityGroupIds": ["sg-metrics"]}
    assert function["kmsKeyArn"] == "arn:secrets-key"
    assert function["loggingConfig"] == {"logFormat": "JSON", "logGroup": "/rentalfix/prod/queue-metrics"}
    variables = function["environment"]["variables"]
    assert variables["NAMESPACE"] == "RentalFix/prod"
    assert json.loads(variables["QUEUES"]) == [
        {
            "name": "matching",
            "prefix": "{bull}",
            "host": "master.queue.cache.amazonaws.com",
            "port": 6379,
            "secret_arn": "arn:token",
        }
    ]
    assert function.depends_on(declared.one(POLICY, "queue-metrics-function"))
    assert declared.orphans() == []


def test_its_code_is_the_handler():
    (name, asset) = next(iter(build()[0].one(FUNCTION)["code"].assets.items()))
    assert (name, asset.path) == ("handler.py", str(HANDLER))
    assert callable(handler.handler)


def test_its_log_is_made_first():
    logs = build()[0].one(LOG_GROUP)
    assert (logs["name"], logs["kmsKeyId"], logs["retentionInDays"]) == (
        "/rentalfix/prod/queue-metrics",
        "arn:log-key",
        30,
    )


def test_it_may_do_five_things():
    declared, _ = build(queues=[queue(), queue(name="mail", auth_secret_arn="arn:other")])
    statements = declared.one(POLICY, "queue-metrics-function").json("policy")["Statement"]
    by_sid = {each["Sid"]: each for each in statements}
    assert sorted(by_sid) == ["DecryptTokens", "PublishFigures", "ReadTokens", "StandInTheVpc", "WriteOwnLog"]
    assert by_sid["ReadTokens"]["Resource"] == ["arn:token", "arn:other"]
    assert by_sid["DecryptTokens"]["Resource"] == ["arn:secrets-key"]
    assert by_sid["WriteOwnLog"]["Resource"][0].endswith(":log-group:/rentalfix/prod/queue-metrics:*")
    assert by_sid["PublishFigures"]["Condition"] == {
        "StringEquals": {"cloudwatch:namespace": "RentalFix/prod"}
    }
    assert all(action.startswith("ec2:") for action in by_sid["StandInTheVpc"]["Action"])


@pytest.mark.parametrize(("minutes", "expression"), [(1, "rate(1 minute)"), (5, "rate(5 minutes)")])
def test_it_runs_by_the_clock_and_never_late(minutes, expression):
    declared, _ = build(interval_min=minutes)
    schedule = declared.one(SCHEDULE)
    assert schedule["scheduleExpression"] == expression
    assert schedule["target"]["arn"].endswith(":function:queue-metrics-" + schedule["target"]["arn"][-7:])
    assert schedule["target"]["retryPolicy"] == {"maximumRetryAttempts": 0, "maximumEventAgeInSeconds": 60}
    (invoke,) = declared.one(POLICY, "queue-metrics-schedule").json("policy")["Statement"]
    assert invoke["Action"] == ["lambda:InvokeFunction"]
    assert invoke["Resource"] == [schedule["target"]["arn"]]


def test_only_the_schedules_role_is_bound_to_the_account():
    declared, _ = build()

    def condition(name):
        (trust,) = declared.one(ROLE, name).json("assumeRolePolicy")["Statement"]
        return trust.get("Condition")

    assert condition("queue-metrics-schedule") == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    assert condition("queue-metrics-function") is None


def test_a_figure_by_name():
    metric = build()[1].metric("matching", "QueueLength")
    assert (metric.namespace, metric.metric_name, metric.stat) == ("RentalFix/prod", "QueueLength", "Maximum")
    assert metric.dimensions == {"Queue": "matching"}
    assert metric.id == "queueLength"


def test_an_unknown_figure_is_refused():
    with pytest.raises(ValueError, match="queue figure 'QueueSize' is not one of QueueLength, QueueActive"):
        build()[1].metric("matching", "QueueSize")


def test_what_is_offered_is_what_the_handler_publishes():
    class Empty(handler.Redis):
        def ask(self, *command):
            return 0 if command[0] in ("LLEN", "ZCARD") else None

    def never(host, port):
        raise AssertionError(f"asked {host}:{port}")

    assert tuple(handler.figures(Empty("host", 6379, "token", never), "bull", "matching", 0)) == FIGURES


def test_each_queue_is_watched():
    _, metrics = build(queues=[queue(max_wait_s=60), queue(name="mail")])
    watches = {watch.name: watch for watch in metrics.watches}
    assert sorted(watches) == [
        "queue-mail-failed",
        "queue-mail-oldest-wait",
        "queue-mail-silent",
        "queue-matching-failed",
        "queue-matching-oldest-wait",
        "queue-matching-silent",
    ]
    silent = watches["queue-matching-silent"]
    assert (silent.severity, silent.metrics[0].stat, silent.comparison) == (
        "critical",
        "SampleCount",
        "LessThanThreshold",
    )
    assert (silent.evaluation_periods * silent.period_s, silent.treat_missing_data) == (600, "breaching")
    failed = watches["queue-matching-failed"]
    assert failed.expression == f"DIFF({failed.metrics[0].id})"
    assert watches["queue-matching-oldest-wait"].threshold == 60
    assert watches["queue-mail-oldest-wait"].threshold == 300


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queues": []}, "queues is empty; name at least one"),
        ({"queues": [queue(), queue()]}, "two queues are called 'matching'"),
        (
            {"queues": [queue(name="mat ching")]},
            "queue name must be letters, digits, - and _, got 'mat ching'",
        ),
        ({"queues": [queue(max_wait_s=0)]}, "queue matching: max_wait_s must be at least 1 second, got 0"),
        ({"queues": [queue(max_waiting=0)]}, "queue matching: max_waiting must be at least 1 job, got 0"),
        (
            {"queues": [queue(rising_minutes=7)]},
            "queue matching: rising_minutes must be a multiple of 5, got 7",
        ),
        ({"namespace": "AWS/Queues"}, "namespace must not begin with AWS/"),
        (
            {"interval_min": 6},
            "interval_min must be 1 to 5 minutes, the alarm on silence counts on it, got 6",
        ),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(**changes)


def test_more_waiting_jobs_than_the_product_bears():
    _, metrics = build(queues=[queue(max_waiting=100)])
    watch = {watch.name: watch for watch in metrics.watches}["queue-matching-waiting"]
    assert (watch.threshold, watch.metrics[0].metric_name) == (100, "QueueLength")
    assert watch.period_s * watch.evaluation_periods == 600
    assert "(count)" in watch.description


def test_jobs_that_keep_failing():
    _, metrics = build(queues=[queue(rising_minutes=15)])
    watch = {watch.name: watch for watch in metrics.watches}["queue-matching-failed"]
    assert (watch.expression, watch.threshold) == ("DIFF(queueFailedJobs)", 0)
    assert watch.period_s * watch.evaluation_periods == 900
    assert "more workers would not help" in watch.description
