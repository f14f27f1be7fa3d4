"""How a task tells how it ended: the scripts run for real, with a stand-in for the AWS CLI."""

import os
import subprocess

import pytest

from components._outcome import Outcome, limit, longest_gap_hours, report, statements, watches
from tests.recorder import record

MONTHLY = Outcome(namespace="shop/prod/tasks", task="monthly")
TASK_ID = "b58f8b3c1a4f4d6e9b0d0c5a7f1e2d3c"
AWS = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$1" in ecs) [ "$(grep -c ^ecs "$CALLS")" -ge "$KNOWN_AFTER" ] && echo "$CODE" || echo None;; esac
"""


def run(container, tmp_path, **variables):
    """The container's command, and what it asked of AWS."""
    program, calls = tmp_path / "aws", tmp_path / "calls"
    program.write_text(AWS)
    program.chmod(0o755)
    calls.touch()
    environment = {
        **container.environment,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CALLS": str(calls),
        "PAUSE_S": "0",
        "ECS_CONTAINER_METADATA_URI_V4": f"http://169.254.170.2/v4/{TASK_ID}-527074092",
        **variables,
    }
    done = subprocess.run(
        [*container.entry_point, *container.command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done, calls.read_text().splitlines()


def reporter():
    return report(
        MONTHLY, working="task-monthly", image="aws-cli:2.31.0", region="us-east-1", cluster="shop-prod"
    )


@pytest.mark.parametrize(
    ("code", "known_after", "metric", "ends_with"),
    [("0", 1, "TaskCompleted", 0), ("0", 3, "TaskCompleted", 0), ("3", 1, "TaskFailed", 1)],
)
def test_the_exit_code_of_the_work_counts(tmp_path, code, known_after, metric, ends_with):
    done, calls = run(reporter(), tmp_path, CODE=code, KNOWN_AFTER=str(known_after))
    assert done.returncode == ends_with
    assert done.stdout == f"monthly ended with exit code {code}: {metric}\n"
    *asked, told = calls
    assert len(asked) == known_after
    assert f"--cluster shop-prod --tasks {TASK_ID} " in asked[0]
    assert "containers[?name=='task-monthly'].exitCode" in asked[0]
    assert told == (
        f"cloudwatch put-metric-data --region us-east-1 --namespace shop/prod/tasks --metric-name {metric} "
        "--dimensions Task=monthly --value 1 --unit Count"
    )


def test_no_answer_is_a_failure(tmp_path):
    done, calls = run(reporter(), tmp_path, CODE="0", KNOWN_AFTER="99")
    assert (done.returncode, len(calls)) == (1, 13)
    assert "--metric-name TaskFailed" in calls[-1]


def test_who_sleeps_too_long_counts_a_failure_and_ends_the_task(tmp_path):
    container = limit(MONTHLY, minutes=240, image="aws-cli:2.31.0", region="us-east-1")
    (script,) = container.command
    assert script.startswith("sleep 14400; ")
    at_once = limit(MONTHLY, minutes=0, image="aws-cli:2.31.0", region="us-east-1")
    done, calls = run(at_once, tmp_path)
    assert (done.returncode, done.stdout) == (1, "monthly is ended after 0 minutes\n")
    assert "--metric-name TaskFailed" in calls[0]


def test_its_rights():
    ask, tell = record(
        lambda: statements(MONTHLY, region="us-east-1", account_id="111122223333", cluster="shop-prod")
    ).value
    assert ask["Action"] == ["ecs:DescribeTasks"]
    assert tell["Condition"] == {"StringEquals": {"cloudwatch:namespace": "shop/prod/tasks"}}


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        ("cron(0 2 * * ? *)", 24),
        ("cron(0 2 ? * * *)", 24),
        ("rate(30 minutes)", 1),
        ("rate(90 minutes)", 1),
        ("rate(6 hours)", 6),
        ("rate(8 days)", 192),
        ("cron(0 3 ? * SUN *)", None),
        ("cron(0 2 ? * SUN#1 *)", None),
        ("cron(0 2 * 1 ? *)", None),
    ],
)
def test_how_often_a_schedule_runs(schedule, hours):
    assert longest_gap_hours(schedule) == hours


@pytest.mark.parametrize(
    ("schedule", "names"),
    [
        ("cron(0 2 * * ? *)", ["task-monthly-failed", "task-monthly-overdue"]),
        ("cron(0 2 ? * SUN#1 *)", ["task-monthly-failed"]),
        ("rate(8 days)", ["task-monthly-failed"]),
    ],
)
def test_every_failure_is_watched_and_silence_where_cloudwatch_looks_back_so_far(schedule, names):
    made = list(watches(MONTHLY, label="task-monthly", schedule=schedule))
    assert [watch.name for watch in made] == names
    failed, *overdue = made
    assert (failed.metrics[0].metric_name, failed.threshold) == ("TaskFailed", 0)
    for watch in overdue:
        assert (watch.evaluation_periods, watch.treat_missing_data) == (26, "breaching")
        assert watch.metrics[0].dimensions == {"Task": "monthly"}
