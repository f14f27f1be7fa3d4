"""The services: what runs, what should, and why it does not."""

from collections.abc import Iterator

from operations.platform import Platform
from operations.services import deaths, fleet, rollout, scale
from operations.services.fleet import number_of, short
from operations.status.part import Part


def services(platform: Platform) -> Part:
    part = Part()
    if not platform.outputs["services"]:
        return part
    if namespace := platform.outputs["kubernetes"]["namespace"]:
        part.notes.append(
            f"Kubernetes runs them: `kubectl --namespace {namespace} get deployments,pods` tells how."
        )
        return part
    ecs = platform.client("ecs")
    chosen = fleet.choose(platform, None)
    seen = fleet.describe(ecs, chosen)
    has = scale.bounds(platform.client("application-autoscaling"), chosen)
    for service in chosen:
        now = seen[service.name]
        revision = fleet.revision(ecs, now["taskDefinition"])
        part.rows.append(
            {
                "service": service.name,
                "running": now["runningCount"],
                "desired": now["desiredCount"],
                "autoscaling": str(has.get(service.name, "none")),
                "revision": revision.number,
                "image": short(revision.tag(service.name)),
                "deployment": _deployment(now),
            }
        )
        part.needs += _service_needs(platform, service, now, has.get(service.name))
    return part


def _deployment(now: fleet.Said) -> str:
    primary = fleet.primary(now)
    state = primary.get("rolloutState", "").lower().replace("_", " ")
    others = len(now["deployments"]) - 1
    return f"{state}, {others} older" if others > 0 else state


def _service_needs(
    platform: Platform, service: fleet.Service, now: fleet.Said, has: scale.Bounds | None
) -> Iterator[str]:
    name, running = service.name, number_of(now["taskDefinition"])
    if now["runningCount"] < now["desiredCount"]:
        yield f"{name}: {now['runningCount']} of {now['desiredCount']} tasks run. `groundwork service show {name}`."
        yield from (f"{name}: {line}" for line in _why(platform, service, now))
    if fleet.primary(now).get("rolloutState") == "FAILED":
        yield f"{name}: its last deployment failed. `groundwork service show {name}` says why."
    if has and has.suspended:
        yield f"{name} is stopped by hand, its autoscaling suspended. `groundwork service start {name}`."
    elif now["desiredCount"] == 0 and (has is None or has.least > 0):
        yield f"{name} is stopped by hand. `groundwork service start {name}`."
    if running != number_of(service.declared):
        yield (
            f"{name} runs revision {running}, and Pulumi declares {number_of(service.declared)}: it was rolled back. "
            "With its image tag in the stack file (`groundwork rollback --write`) it stays so; otherwise the next "
            "`pulumi up` brings the other one again."
        )


def _why(platform: Platform, service: fleet.Service, now: fleet.Said) -> list[str]:
    died = deaths.of(platform.client("ecs"), platform.client("logs"), service)
    return [*deaths.sentences(died)] or [*rollout.event_causes(now)]
