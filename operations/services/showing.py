"""`groundwork service show` and `groundwork service env`."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any

import typer

from operations import show as tables
from operations.platform import (
    LOCAL,
    SYSTEM,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    explained,
    opened,
)
from operations.policy.stacks import unknown
from operations.services import deaths, fleet, scale
from operations.services.fleet import Revision, Said, Service, ServiceArgument, number_of, short
from operations.show import Row

SHOWN_REVISIONS = 5
SHOWN_EVENTS = 8


def show(
    service: ServiceArgument,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Everything of one service: its deployments, tasks, revisions, events, and why tasks died in the last hour.

    It only reads.

    \b
    Examples
      groundwork service show core-matching --stack prod
      groundwork service show core-matching --stack prod --json | jq .died
    """
    with explained():
        platform = opened(system, stack, outputs)
        [chosen] = fleet.choose(platform, [service])
        found = sections(platform, chosen)
        died = deaths.of(platform.client("ecs"), platform.client("logs"), chosen)
        if json_output:
            typer.echo(tables.as_text({**found, "died": [each.row() for each in died]}))
            return
        for name, rows in found.items():
            typer.echo(f"\n{name}")
            tables.show(rows, as_json=False, nothing="none")
        typer.echo("\ndied in the last hour")
        typer.echo("\n".join(deaths.sentences(died)) or "none")


def sections(platform: Platform, service: Service) -> dict[str, list[Row]]:
    """By heading, each with its rows."""
    ecs, scaling = platform.client("ecs"), platform.client("application-autoscaling")
    said = fleet.describe(ecs, [service])[service.name]
    now = fleet.revision(ecs, said["taskDefinition"])
    recent = islice(fleet.revisions(ecs, now.family), SHOWN_REVISIONS)
    return {
        "service": [service_row(service, said, now, scale.bounds(scaling, [service]).get(service.name))],
        "deployments": [_deployment(each) for each in said["deployments"]],
        "tasks": list(_tasks(ecs, service)),
        "revisions": [_revision(service, each, now) for each in recent],
        "events": [
            {"when": each["createdAt"], "said": each["message"]} for each in said["events"][:SHOWN_EVENTS]
        ],
    }


def service_row(service: Service, said: Said, now: Revision, has: scale.Bounds | None) -> Row:
    deployment = fleet.primary(said)
    return {
        "service": service.name,
        "running": said["runningCount"],
        "desired": said["desiredCount"],
        "pending": said.get("pendingCount", 0),
        "autoscaling": str(has) if has else "none",
        "revision": now.number,
        "image": short(now.tag(service.name)),
        "deployment": deployment.get("rolloutState", "").lower().replace("_", " "),
    }


def _deployment(each: Said) -> Row:
    return {
        "state": each["status"].lower(),
        "rollout": each.get("rolloutState", "").lower().replace("_", " "),
        "revision": number_of(each["taskDefinition"]),
        "running": each.get("runningCount"),
        "desired": each.get("desiredCount"),
        "failed": each.get("failedTasks", 0),
        "begun": each.get("createdAt"),
        "reason": each.get("rolloutStateReason", ""),
    }


def _tasks(ecs: Any, service: Service) -> Iterator[Row]:
    for task in fleet.tasks(ecs, service, "RUNNING"):
        yield {
            "task": task["taskArn"].rsplit("/", 1)[-1],
            "state": task["lastStatus"].lower(),
            "health": task.get("healthStatus", "").lower(),
            "revision": number_of(task["taskDefinitionArn"]),
            "zone": task.get("availabilityZone", ""),
            "started": task.get("startedAt"),
        }


def _revision(service: Service, each: Revision, now: Revision) -> Row:
    is_so = {"runs": each.arn == now.arn, "declared": each.arn == service.declared}
    return {
        "revision": each.number,
        "image": short(each.tag(service.name)),
        "made": each.made,
        "is": ", ".join(text for text, so in is_so.items() if so),
    }


def env(
    service: ServiceArgument,
    name: Annotated[str | None, typer.Argument(help="Only this variable.")] = None,
    json_output: JsonOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """The variables with which the service runs now. Of a secret it says where it comes from, never what it is.

    \b
    Examples
      groundwork service env worker-ai --stack prod
      groundwork service env worker-ai MODE --stack prod
    """
    with explained():
        platform = opened(system, stack, outputs)
        ecs = platform.client("ecs")
        [chosen] = fleet.choose(platform, [service])
        said = fleet.describe(ecs, [chosen])[service]
        rows = variables(fleet.revision(ecs, said["taskDefinition"]), service)
        if name is not None:
            known = {row["variable"]: row for row in rows}
            if name not in known:
                raise Refusal(unknown("variable", name, sorted(known), of=f" of {service}"))
            rows = [known[name]]
        tables.show(rows, as_json=json_output, nothing=f"{service} has no variables.")


def variables(revision: Revision, service: str) -> list[Row]:
    """In the order of their names; the value of a secret is the place that it is read from."""
    own: Mapping[str, Any] = next(
        (each for each in revision.containers if each["name"] == service), revision.containers[0]
    )
    plain = {
        each["name"]: {"variable": each["name"], "value": each["value"], "secret": ""}
        for each in own.get("environment", [])
    }
    secret = {
        each["name"]: {"variable": each["name"], "value": "", "secret": each["valueFrom"]}
        for each in own.get("secrets", [])
    }
    return [row for _, row in sorted({**plain, **secret}.items())]
