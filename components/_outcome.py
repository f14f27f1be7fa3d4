"""How a task that nobody looks at tells how it went, and who ends it when it takes too long.

Two small containers beside the one that works: `report` runs once that one has ended, however it ended, and counts a
completion or a failure in CloudWatch; `limit` sleeps, and when it wakes the whole task is ended.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pulumi

from components import _iam
from components._containers import Container
from components._watch import Metric, Watch

USER = "1000"
HOUR_S = 3600
SLACK_HOURS = 2  # to start and to finish
LONGEST_WATCH_HOURS = 7 * 24  # CloudWatch looks back no further
_HOURS = {"minute": 1, "hour": 1, "day": 24}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`prefix` begins the metrics' names (TaskCompleted, TaskFailed); the dimension Task is `task`."""

    namespace: str
    task: str
    prefix: str = "Task"

    @property
    def completed(self) -> str:
        return f"{self.prefix}Completed"

    @property
    def failed(self) -> str:
        return f"{self.prefix}Failed"


def report(
    outcome: Outcome, *, working: str, image: pulumi.Input[str], region: str, cluster: pulumi.Input[str]
) -> Container:
    """`working` is the container whose exit code counts. ECS knows it, and is asked by the task's id.

    ECS may take a moment to learn of it. No answer counts as a failure.
    """
    asked = (
        f'aws ecs describe-tasks --region {region} --cluster "$CLUSTER" --tasks "$id" --output text '
        f"--query \"tasks[0].containers[?name=='{working}'].exitCode | [0]\""
    )
    script = (
        "id=${ECS_CONTAINER_METADATA_URI_V4##*/}; id=${id%%-*}; code=None; "
        "for attempt in 1 2 3 4 5 6 7 8 9 10 11 12; do "
        f'code=$({asked} || echo None); [ "$code" = None ] || break; sleep "${{PAUSE_S:-5}}"; done; '
        f'if [ "$code" = 0 ]; then metric={outcome.completed}; else metric={outcome.failed}; fi; '
        f'echo "{outcome.task} ended with exit code $code: $metric"; '
        f'{_count(outcome, region, "$metric")}; [ "$code" = 0 ]'
    )
    return Container(
        name="report",
        image=image,
        user=USER,
        entry_point=["sh", "-ec"],
        command=[script],
        environment={"CLUSTER": cluster},
    )


def limit(outcome: Outcome, *, minutes: int, image: pulumi.Input[str], region: str) -> Container:
    script = (
        f'sleep {minutes * 60}; echo "{outcome.task} is ended after {minutes} minutes"; '
        f"{_count(outcome, region, outcome.failed)}; exit 1"
    )
    return Container(name="limit", image=image, user=USER, entry_point=["sh", "-ec"], command=[script])


def statements(
    outcome: Outcome, *, region: str, account_id: str, cluster: pulumi.Input[str]
) -> list[_iam.Statement]:
    """What `report` and `limit` need of the task's role."""
    return [
        _iam.statement(
            "ecs:DescribeTasks",
            pulumi.Output.format("arn:aws:ecs:{0}:{1}:task/{2}/*", region, account_id, cluster),
            sid="AskHowItEnded",
        ),
        _iam.statement(
            "cloudwatch:PutMetricData",
            "*",
            conditions={"StringEquals": {"cloudwatch:namespace": outcome.namespace}},
            sid="TellHowItEnded",
        ),
    ]


def watches(outcome: Outcome, *, label: str, schedule: str) -> Iterator[Watch]:
    """A failure is seen whenever it happens; that nothing happens at all, where that is every day or more often."""
    yield Watch(
        name=f"{label}-failed",
        description=f"Runs of {outcome.task} that ended with an error, or were ended for taking too long, in an hour",
        severity="critical",
        threshold=0,
        metrics=[_metric(outcome, outcome.failed)],
        period_s=HOUR_S,
    )
    gap_hours = longest_gap_hours(schedule)
    if gap_hours is not None and gap_hours + SLACK_HOURS <= LONGEST_WATCH_HOURS:
        hours = gap_hours + SLACK_HOURS
        yield Watch(
            name=f"{label}-overdue",
            description=f"{outcome.task} was not completed in {hours} hours; also until a new stack's first run",
            severity="critical",
            threshold=1,
            comparison="LessThanThreshold",
            metrics=[_metric(outcome, outcome.completed)],
            period_s=HOUR_S,
            evaluation_periods=hours,
            treat_missing_data="breaching",
        )


def longest_gap_hours(schedule: str) -> int | None:
    """The longest time between two runs, where the schedule runs every day or says its rate; else None."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
    if rate:
        return max(1, int(rate[1]) * _HOURS[rate[2]] // (60 if rate[2] == "minute" else 1))
    cron = re.fullmatch(r"cron\(\S+ \S+ (\S+) (\S+) (\S+) (\S+)\)", schedule)
    return 24 if cron and set(cron.groups()) <= {"*", "?"} else None


def _metric(outcome: Outcome, metric_name: str) -> Metric:
    return Metric(
        id="runs",
        namespace=outcome.namespace,
        metric_name=metric_name,
        stat="Sum",
        dimensions={"Task": outcome.task},
    )


def _count(outcome: Outcome, region: str, metric: str) -> str:
    return (
        f"aws cloudwatch put-metric-data --region {region} --namespace {outcome.namespace} "
        f"--metric-name {metric} --dimensions Task={outcome.task} --value 1 --unit Count"
    )
