"""A role's new password, or its former one, by the stack's task `bootstrap` (wiring/bootstrap.py): none passes here."""

import time
from collections.abc import Mapping
from typing import Any

from operations import tasks
from operations.db import bootstrap
from operations.platform import Platform
from operations.secrets.known import Known
from operations.waits import Failed, Patience

# The containers that are told which role it is: one makes the password, one has it read by everybody.
TOLD = ("passwords", "publish")


def renew(platform: Platform, secret: Known, patience: Patience, *, version: str = "") -> None:
    """Makes a password, sets it in PostgreSQL, and then makes it current; with `version`, that one's own.

    One that was interrupted here is followed. Raises `Failed`.
    """
    ecs, outputs, role = platform.client("ecs"), platform.outputs, secret.name.partition("/")[2]
    variables = {"ROLE": role, "VERSION": version}
    pairs = [{"name": name, "value": value} for name, value in variables.items()]
    going_on = tasks.running(ecs, outputs, bootstrap.TASK)
    if going_on and _told(ecs, outputs, going_on) != variables:
        raise Failed(
            f"The task {bootstrap.TASK} runs already, for something else ({going_on}). Nothing was changed: run this "
            "again when it has ended."
        )
    try:
        tasks.carry_out(
            ecs,
            platform.client("logs"),
            outputs,
            bootstrap.TASK,
            deadline=time.monotonic() + patience.left_s,
            going_on=going_on,
            overrides=[{"name": name, "environment": pairs} for name in TOLD],
        )
    except tasks.Failed as failed:
        back = " --back" if version else ""
        raise Failed(
            f"{failed}\nServices are started with the password that they had, and PostgreSQL may have the other one "
            f"already. Mend that, then the same command goes on from there (`groundwork secrets rotate {secret.name}"
            f"{back} --stack {platform.stack}`), or `groundwork db bootstrap --stack {platform.stack}` sets the one "
            "that they have."
        ) from None


def _told(ecs: Any, outputs: Mapping[str, Any], arn: str) -> dict[str, str]:
    """What a task that runs was told of a role."""
    [task] = ecs.describe_tasks(cluster=outputs["cluster"], tasks=[arn])["tasks"]
    overridden = task.get("overrides", {}).get("containerOverrides", [])
    return {
        each["name"]: each["value"]
        for part in overridden
        if part.get("name") == TOLD[0]
        for each in part.get("environment", [])
    }
