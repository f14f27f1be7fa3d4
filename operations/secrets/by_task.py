"""Logins that a task of the stack makes anew, so that no password passes here: what is common to roles and brokers."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operations import tasks
from operations.platform import Platform
from operations.secrets.known import Known
from operations.waits import Failed, Patience


@dataclass(frozen=True, kw_only=True)
class Way:
    """`told` are the containers of `task` that are given the login's name, in `variable`, and a version to go back to.

    `store` is who learns the password before it becomes the current one. `mends` sets again the one that is current.
    `holders` are the ARNs of all secrets that the password is in, this one first; Refusal where it cannot be rotated.
    """

    task: str
    told: Sequence[str]
    variable: str
    store: str
    mends: str
    holders: Callable[[Platform, Known], list[str]]

    def renew(
        self,
        platform: Platform,
        secret: Known,
        patience: Patience,
        *,
        tell: Callable[[str], object],
        version: str = "",
    ) -> None:
        """Makes a password, sets it in the store, and then makes it current; with `version`, that one's own.

        One that was interrupted here is followed. Raises `Failed`.
        """
        ecs, outputs = platform.client("ecs"), platform.outputs
        variables = {self.variable: secret.name.partition("/")[2], "VERSION": version}
        pairs = [{"name": name, "value": value} for name, value in variables.items()]
        going_on = tasks.running(ecs, outputs, self.task)
        if going_on and self._was_told(ecs, outputs, going_on) != variables:
            raise Failed(
                f"The task {self.task} runs already, for something else ({going_on}). Nothing was changed: run this "
                "again when it has ended."
            )
        try:
            tasks.carry_out(
                ecs,
                platform.client("logs"),
                outputs,
                self.task,
                deadline=time.monotonic() + patience.left_s,
                going_on=going_on,
                tell=tell,
                overrides=[{"name": name, "environment": pairs} for name in self.told],
            )
        except tasks.Failed as failed:
            back = " --back" if version else ""
            raise Failed(
                f"{failed}\nServices are started with the password that they had, and {self.store} may have the other "
                f"one already. Mend that, then the same command goes on from there (`groundwork secrets rotate "
                f"{secret.name}{back} --stack {platform.stack}`), or `{self.mends} --stack {platform.stack}` sets the "
                "one that they have."
            ) from None

    def _was_told(self, ecs: Any, outputs: Mapping[str, Any], arn: str) -> dict[str, str]:
        """What a task that runs was told of a login."""
        [task] = ecs.describe_tasks(cluster=outputs["cluster"], tasks=[arn])["tasks"]
        overridden = task.get("overrides", {}).get("containerOverrides", [])
        return {
            each["name"]: each["value"]
            for part in overridden
            if part.get("name") == self.told[0]
            for each in part.get("environment", [])
        }
