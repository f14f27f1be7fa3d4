"""`groundwork service stop | start | restart`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    opened,
)
from operations.services import fleet, rollout, scale
from operations.services.fleet import Said, Service
from operations.services.rollout import Rollout
from operations.waits import Patience, carried_out

OTHERWISE = "ECS goes on with it: `groundwork service show` says how far it is."
NamesArgument = Annotated[list[str], typer.Argument(help="Services, by their names in the system file.")]
TimeoutOption = Annotated[int, typer.Option(min=1, help="For all of them together.")]


def redeploy(platform: Platform, services: list[Service], patience: Patience) -> None:
    """New tasks of the same revision, without a gap, until they are steady: what makes them read a secret anew.

    Raises `Failed` with what they died of.
    """
    ecs, since = platform.client("ecs"), datetime.now(UTC)
    moving = []
    for each in services:
        answer = ecs.update_service(cluster=each.cluster, service=each.ecs_name, forceNewDeployment=True)
        moving.append(rollout.begun(answer, each, since))
    rollout.follow(platform.client, moving, patience, otherwise=OTHERWISE)


def _tell(platform: Platform, services: list[Service], *, as_json: bool) -> None:
    """A person has seen it on the way."""
    if as_json:
        typer.echo(fleet.told(platform.client("ecs"), services))


def restart(
    services: NamesArgument,
    timeout_minutes: TimeoutOption = rollout.DEFAULT_MINUTES,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Replace all tasks of services by new ones of the same revision, one after the other, without a gap.

    New tasks read their secrets anew. To release another image: `groundwork deploy`.

    \b
    Exit code
      0  the services are steady
      1  new tasks died: why stands at the end; the old ones run on
      2  it was not begun

    \b
    Examples
      groundwork service restart core-matching --stack prod
      groundwork service restart core-matching worker-ai --stack prod --yes
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        chosen = fleet.choose(platform, services)
        seen = fleet.describe(platform.client("ecs"), chosen)
        said = [
            f"replace the {seen[each.name]['desiredCount']} tasks of {each.name}, without a gap"
            for each in chosen
        ]
        if confirm(platform, said, as_json=json_output, yes=yes, dry_run=dry_run):
            redeploy(platform, chosen, Patience.of(timeout_minutes))
            _tell(platform, chosen, as_json=json_output)


def stop(
    services: NamesArgument,
    timeout_minutes: TimeoutOption = rollout.DEFAULT_MINUTES,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Stop all tasks of services, and suspend their autoscaling, so that nothing starts them again.

    What asks them gets 503, alarms go off, and `pulumi up` leaves them stopped. `groundwork service start` starts them.

    \b
    Exit code
      0  no task of them runs any more
      1  they did not stop in time
      2  it was not begun

    \b
    Examples
      groundwork service stop worker-ai --stack prod
      groundwork service stop core-matching worker-ai --stack staging --yes
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        ecs, scaling = platform.client("ecs"), platform.client("application-autoscaling")
        chosen = fleet.choose(platform, services)
        seen, has = fleet.describe(ecs, chosen), scale.bounds(scaling, chosen)
        said = [_stops(platform, each, seen[each.name], is_scaled=each.name in has) for each in chosen]
        if not confirm(platform, said, as_json=json_output, yes=yes, dry_run=dry_run):
            return
        since = datetime.now(UTC)
        # First: autoscaling would start tasks again while the last ones stop.
        for each in chosen:
            if each.name in has:
                scale.register(scaling, each, **scale.suspension(on=True))
        moving = [_set(ecs, each, 0, since) for each in chosen]
        rollout.follow(platform.client, moving, Patience.of(timeout_minutes), otherwise=OTHERWISE)
        _tell(platform, chosen, as_json=json_output)


def _stops(platform: Platform, service: Service, said: Said, *, is_scaled: bool) -> str:
    url = platform.outputs["healthUrls"].get(service.name)
    asked = f"; {url} will answer 503" if url else ""
    suspended = ", and suspend its autoscaling" if is_scaled else ""
    return f"stop the {said['desiredCount']} tasks of {service.name}{suspended}{asked}"


def _set(ecs: Any, service: Service, count: int, since: datetime) -> Rollout:
    answer = ecs.update_service(cluster=service.cluster, service=service.ecs_name, desiredCount=count)
    return rollout.begun(answer, service, since)


def start(
    services: NamesArgument,
    desired: Annotated[
        int | None,
        typer.Option(min=1, help="So many tasks of each. Left out: what it has, or its least, or one."),
    ] = None,
    timeout_minutes: TimeoutOption = rollout.DEFAULT_MINUTES,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Start services that were stopped, and let their autoscaling go on.

    \b
    Exit code
      0  the services are steady
      1  tasks died: why stands at the end
      2  it was not begun

    \b
    Example
      groundwork service start worker-ai --stack prod
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        ecs, scaling = platform.client("ecs"), platform.client("application-autoscaling")
        chosen = fleet.choose(platform, services)
        seen, has = fleet.describe(ecs, chosen), scale.bounds(scaling, chosen)
        counts = {each.name: desired or count(seen[each.name], has.get(each.name)) for each in chosen}
        if over := [name for name, wanted in counts.items() if name in has and wanted > has[name].most]:
            name = over[0]
            raise Refusal(
                f"{name} has at most {has[name].most} tasks, and {counts[name]} were asked for. `groundwork scale`."
            )
        said = [
            f"run {counts[each.name]} tasks of {each.name}, and let its autoscaling go on" for each in chosen
        ]
        if not confirm(platform, said, as_json=json_output, yes=yes, dry_run=dry_run):
            return
        since = datetime.now(UTC)
        moving = [_set(ecs, each, counts[each.name], since) for each in chosen]
        for each in chosen:
            if each.name in has:
                scale.register(scaling, each, **scale.suspension(on=False))
        rollout.follow(platform.client, moving, Patience.of(timeout_minutes), otherwise=OTHERWISE)
        _tell(platform, chosen, as_json=json_output)


def count(said: Said, has: scale.Bounds | None) -> int:
    """As many as it should have already, its autoscaling's least, or one."""
    return said["desiredCount"] or (has.least if has else 0) or 1
