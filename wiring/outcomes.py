"""What tells how a task went that runs by the clock: two small containers beside it, and alarms on what they count."""

from collections.abc import Sequence
from dataclasses import dataclass

from components import _iam, _outcome
from components._containers import Container
from components._outcome import Outcome
from components.cluster import Cluster
from settings.model import Settings
from wiring.foundation import Foundation


@dataclass(frozen=True, kw_only=True)
class Told:
    """For `TaskArgs`: the containers beside the one that works, and what they may do."""

    report: Container | None = None
    limit: Container | None = None
    statements: Sequence[_iam.Statement] = ()


NONE = Told()


def tell(
    settings: Settings,
    base: Foundation,
    cluster: Cluster,
    *,
    task: str,
    working: str,
    stop_after_minutes: int | None = None,
    prefix: str = "Task",
) -> Told:
    """`working` is the container whose exit code counts."""
    outcome, image = of_task(base, task, prefix), settings.operations.image("aws_cli_image")
    return Told(
        report=_outcome.report(
            outcome, working=working, image=image, region=settings.region, cluster=cluster.name
        ),
        limit=_outcome.limit(outcome, minutes=stop_after_minutes, image=image, region=settings.region)
        if stop_after_minutes is not None
        else None,
        statements=_outcome.statements(
            outcome, region=settings.region, account_id=settings.account, cluster=cluster.name
        ),
    )


def of_task(base: Foundation, task: str, prefix: str = "Task") -> Outcome:
    return Outcome(namespace=f"{base.path}/tasks", task=task, prefix=prefix)
