"""A change of services, followed until ECS calls them steady, or until it is clear why they will not be."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import typer

from operations import causes
from operations.services import deaths
from operations.services.fleet import Said, Service, describe, number_of, primary
from operations.waits import Failed, Look, Patience

POLL_S = 5
DEFAULT_MINUTES = 20


@dataclass
class Rollout:
    """One service on its way. `wanted` is the deployment that was asked for, by ECS' id of it."""

    service: Service
    wanted: str
    since: datetime
    told: set[str] = field(default_factory=set)

    def look(self, said: Said) -> tuple[str, bool]:
        """What is seen of it, and whether it is done. Raises `Failed` where ECS has given it up."""
        now = primary(said)
        mine = next((each for each in said["deployments"] if each["id"] == self.wanted), None)
        if mine is None or mine["id"] != now["id"] or mine.get("rolloutState") == "FAILED":
            raise Failed(self._given_up(now, mine))
        return self._state(said, now), is_steady(said, now)

    def _state(self, said: Said, now: Said) -> str:
        failed = f", {now['failedTasks']} failed" if now.get("failedTasks") else ""
        return (
            f"revision {number_of(now['taskDefinition'])}, {now.get('runningCount', 0)} of {said['desiredCount']} "
            f"running{failed}"
        )

    def _given_up(self, now: Said, mine: Said | None) -> str:
        reason = (mine or {}).get("rolloutStateReason", "").rstrip(".")
        why = f"ECS gave the deployment up ({reason})" if reason else "ECS is at another deployment by now"
        stays = f"It runs, or goes back to, revision {number_of(now['taskDefinition'])}"
        return f"{self.service.name}: {why}. {stays}."


def is_steady(said: Said, now: Said) -> bool:
    """As ECS says; where it does not, all of the tasks run and none of an older deployment."""
    if said["runningCount"] != said["desiredCount"] or said.get("pendingCount"):
        return False
    return now.get("rolloutState", "COMPLETED") == "COMPLETED" and len(said["deployments"]) == 1


def follow(
    platform_client: Callable[[str], Any],
    rollouts: Sequence[Rollout],
    patience: Patience,
    *,
    otherwise: str,
) -> None:
    """Until every one is steady. Raises `Failed` with what each of the others died of."""
    ecs, logs = platform_client("ecs"), platform_client("logs")
    left = {each.service.name: each for each in rollouts}
    failed: list[str] = []

    def look() -> Look[bool]:
        states = []
        seen = describe(ecs, [each.service for each in left.values()])
        for name, rollout in list(left.items()):
            try:
                state, is_done = rollout.look(seen[name])
            except Failed as failure:
                failed.append("\n".join([str(failure), *explain(ecs, logs, rollout, seen[name])]))
                del left[name]
                continue
            if is_done:
                typer.echo(f"{name}: steady, {state}", err=True)
                del left[name]
            else:
                states.append(f"{name} {state}")
                _tell(ecs, logs, rollout, seen[name])
        return Look("; ".join(states), None if left else True)

    try:
        patience.until("Deployment", look, otherwise=otherwise, every_s=POLL_S)
    except Failed as failure:
        seen = describe(ecs, [each.service for each in left.values()])
        reasons = [
            line for each in left.values() for line in explain(ecs, logs, each, seen[each.service.name])
        ]
        failed.append("\n".join([str(failure), *reasons]))
    if failed:
        raise Failed("\n".join(failed))


def _tell(ecs: Any, logs: Any, rollout: Rollout, said: Said) -> None:
    """Each new reason once, as soon as it is seen: nobody should wait twenty minutes to hear of a typing mistake."""
    if not primary(said).get("failedTasks"):
        return
    for line in explain(ecs, logs, rollout, said):
        if line not in rollout.told:
            typer.echo(f"{rollout.service.name}: {line}", err=True)
            rollout.told.add(line)


def explain(ecs: Any, logs: Any, rollout: Rollout, said: Said) -> list[str]:
    """Why its tasks died since it began; where none did, what the service's events say."""
    found = deaths.of(ecs, logs, rollout.service, since=rollout.since)
    return [*deaths.sentences(found)] or [*event_causes(said, rollout.since)]


def event_causes(said: Said, since: datetime | None = None) -> Iterator[str]:
    """What its events say that the table of causes knows, each once."""
    known = set()
    for event in said.get("events", []):
        cause = causes.of_text(event["message"]) if since is None or event["createdAt"] >= since else None
        if cause and cause not in known:
            known.add(cause)
            yield f"{cause}"


def begun(answer: Said, service: Service, since: datetime) -> Rollout:
    """By the answer of UpdateService."""
    return Rollout(service, primary(answer["service"])["id"], since)
