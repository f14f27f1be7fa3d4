"""A release whose task runs ahead of its services: which part of it is applied first, and what may come after.

Where the task's own part stands by itself it is applied with `--target`. Where more is new, as at a first deployment,
it cannot be: whoever refers to what a targeted run leaves out gets no value, and the program or the plan's own check
ends it. Then the stack file says the task's tag alone first, and what that makes of the whole stack is the first part.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from operations import plans, tasks
from operations.platform import ROOT, Outputs, Platform
from operations.policy.stacks import Stack
from operations.services import edits

ECS_SERVICE = "aws:ecs/service:Service"

Plan = Mapping[str, Any]


def expected(platform: Platform, task: str) -> Outputs:
    """The outputs; a task that waits for its image is among their tasks, as the system file declares it."""
    outputs = platform.outputs
    system_file = Stack(platform.system, platform.stack, ROOT).system_file
    _, declared = edits.find(ROOT, system_file, ("tasks", task))
    if task in outputs["tasks"] or not isinstance(declared, dict):
        return outputs
    said = {
        "backupFirst": bool(declared.get("backup_first")),
        "statusTask": f"{task}-status" if declared.get("status_command") else "",
    }
    return {**outputs, "tasks": {**outputs["tasks"], task: said}}


def problem(platform: Platform, task: str) -> str:
    """Why the task could not be run once its part stands; empty where it could."""
    return tasks.problem(expected(platform, task), task)


def order(platform: Platform, task: str) -> list[str]:
    return tasks.order(expected(platform, task), task)


def changed(plan: Plan) -> dict[str, list[str]]:
    """The steps that are planned, by URN; without what stays."""
    planned = plan["resourcePlans"]
    return {
        urn: each["steps"]
        for urn, each in planned.items()
        if each.get("steps") and each["steps"] != plans.SAME
    }


def is_new_elsewhere(plan: Plan, task: str) -> bool:
    """Whether the plan makes something that is not the task's own."""
    return any("create" in steps and not _is_of(urn, task) for urn, steps in changed(plan).items())


def _is_of(urn: str, task: str) -> bool:
    """As `engine.targets` has it."""
    name = urn.rpartition("::")[2]
    return name == f"task-{task}" or name.startswith(f"task-{task}-")


def moved(plan: Plan) -> list[str]:
    """The services of ECS that the plan changes, by their names in the program."""
    return sorted(urn.rpartition("::")[2] for urn in changed(plan) if f"{ECS_SERVICE}::" in urn)


def beyond(whole: Plan, now: Plan) -> Iterator[str]:
    """What a later plan changes and the one that was shown did not, by URN."""
    shown = changed(whole)
    yield from (urn for urn in sorted(changed(now)) if urn not in shown)
