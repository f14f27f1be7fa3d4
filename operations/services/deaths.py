"""The tasks of a service that have stopped lately, and why; ECS remembers them for an hour."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from operations import causes
from operations.causes import Cause
from operations.services import fleet
from operations.services.fleet import Said, Service, number_of

SHOWN_LINES = 5
MOST_EXPLAINED = 10


@dataclass(frozen=True)
class Death:
    """`lines` are the last ones that it wrote; `reason` is what ECS says, in its own words."""

    task: str
    revision: int
    when: datetime | None
    cause: Cause
    reason: str
    lines: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "revision": self.revision,
            "stopped": self.when,
            "why": self.cause.said,
            "remedy": self.cause.remedy,
            "runbook": self.cause.runbook,
            "reason": self.reason,
            "last_lines": list(self.lines),
        }


def of(
    ecs: Any, logs: Any, service: Service, *, since: datetime | None = None, revision: int | None = None
) -> list[Death]:
    """The newest first; of that revision only, and not older than that, where they are given."""
    stopped = sorted(fleet.tasks(ecs, service, "STOPPED"), key=_when, reverse=True)
    chosen = [
        task
        for task in stopped
        if not causes.is_wanted(task)
        and (since is None or _when(task) >= since.timestamp())
        and (revision is None or number_of(task["taskDefinitionArn"]) == revision)
    ]
    return [_death(logs, service, task) for task in chosen[:MOST_EXPLAINED]]


def _when(task: Said) -> float:
    when = task.get("stoppedAt") or task.get("stoppingAt") or task.get("createdAt")
    return when.timestamp() if when else 0


def _death(logs: Any, service: Service, task: Said) -> Death:
    task_id = task["taskArn"].rsplit("/", 1)[-1]
    reasons = [
        task.get("stoppedReason", ""),
        *(each.get("reason", "") for each in task.get("containers", [])),
    ]
    return Death(
        task=task_id,
        revision=number_of(task["taskDefinitionArn"]),
        when=task.get("stoppedAt"),
        cause=causes.of_task(task),
        reason="; ".join(dict.fromkeys(filter(None, reasons))),
        lines=tuple(last_lines(logs, service, task_id)),
    )


def last_lines(logs: Any, service: Service, task_id: str, limit: int = SHOWN_LINES) -> list[str]:
    """What the service's own container wrote last; nothing where it never began or its log may not be read."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 so that `--help` stays quick

    # awslogs: <prefix>/<container>/<task's id>, and prefix and container have the service's name.
    stream = f"{service.name}/{service.name}/{task_id}"
    try:
        said = logs.get_log_events(
            logGroupName=service.log_group, logStreamName=stream, limit=limit, startFromHead=False
        )
    except ClientError:
        return []
    return [event["message"].rstrip() for event in said["events"]]


def sentences(deaths: Iterable[Death]) -> Iterator[str]:
    """Each cause once, with how many tasks it took; below it the newest one's last lines, or ECS's own words."""
    by_cause: dict[Cause, list[Death]] = {}
    for death in deaths:
        by_cause.setdefault(death.cause, []).append(death)
    for cause, dead in by_cause.items():
        newest = dead[0]
        tasks = "A task" if len(dead) == 1 else f"{len(dead)} tasks"
        numbers = ", ".join(sorted({str(each.revision) for each in dead}))
        yield f"{tasks} of revision {numbers} died. {cause}"
        if newest.lines:
            yield from (f"  | {line}" for line in newest.lines)
        else:
            yield f"  ECS: {newest.reason or 'no reason'}"
