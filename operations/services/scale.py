"""`groundwork scale`: how many tasks a service has, now and at the bounds of its autoscaling."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from operations.platform import (
    LOCAL,
    ROOT,
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
from operations.services import edits, fleet, rollout
from operations.services.fleet import Said, Service, ServiceArgument
from operations.services.rollback import WriteOption
from operations.waits import Patience, carried_out

MOST_ASKED = 50  # Application Auto Scaling API, DescribeScalableTargets
NAMESPACE, DIMENSION = "ecs", "ecs:service:DesiredCount"
SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


@dataclass(frozen=True)
class Bounds:
    """What its autoscaling may do. `suspended` while it does nothing."""

    least: int
    most: int
    suspended: bool = False

    def __str__(self) -> str:
        return f"{self.least}-{self.most}{', suspended' if self.suspended else ''}"


def resource_id(service: Service) -> str:
    return f"service/{service.cluster}/{service.ecs_name}"


def bounds(scaling: Any, services: list[Service]) -> dict[str, Bounds]:
    """By name; a service without autoscaling is not in it."""
    names = {resource_id(each): each.name for each in services}
    found: dict[str, Bounds] = {}
    asked = list(names)
    for start in range(0, len(asked), MOST_ASKED):
        answer = scaling.describe_scalable_targets(
            ServiceNamespace=NAMESPACE,
            ScalableDimension=DIMENSION,
            ResourceIds=asked[start : start + MOST_ASKED],
        )
        for each in answer["ScalableTargets"]:
            state = each.get("SuspendedState") or {}
            suspended = any(state.get(part) for part in SUSPENDED)
            found[names[each["ResourceId"]]] = Bounds(each["MinCapacity"], each["MaxCapacity"], suspended)
    return found


def register(scaling: Any, service: Service, **changes: Any) -> None:
    """Changes the bounds or the suspension; what is not named stays."""
    scaling.register_scalable_target(
        ServiceNamespace=NAMESPACE, ScalableDimension=DIMENSION, ResourceId=resource_id(service), **changes
    )


def suspension(*, on: bool) -> dict[str, Any]:
    return {"SuspendedState": dict.fromkeys(SUSPENDED, on)}


def scale(
    service: ServiceArgument,
    desired: Annotated[
        int | None, typer.Option(min=0, help="Tasks now; autoscaling moves the number afterwards.")
    ] = None,
    least: Annotated[int | None, typer.Option("--min", min=0, help="Tasks at least.")] = None,
    most: Annotated[int | None, typer.Option("--max", min=1, help="Tasks at most.")] = None,
    write: WriteOption = False,
    wait: Annotated[bool, typer.Option(help="Wait until the tasks run.")] = True,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="For the waiting.")] = rollout.DEFAULT_MINUTES,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Change how many tasks a service has now (--desired), or between which numbers its autoscaling moves it.

    The bounds stand in the stack file too (min_count, max_count): `pulumi up --refresh` puts back what it says, and the
    nightly check tells the difference as drift. --write writes them there. The number of now is nowhere but at ECS.

    \b
    Exit code
      0  the service has so many tasks, or the bounds
      1  tasks died: why stands at the end
      2  it was not begun

    \b
    Examples
      groundwork scale core-matching --desired 6 --stack prod
      groundwork scale core-matching --min 6 --max 12 --stack prod --write
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        ecs, scaling = platform.client("ecs"), platform.client("application-autoscaling")
        [chosen] = fleet.choose(platform, [service])
        said = fleet.describe(ecs, [chosen])[service]
        has = bounds(scaling, [chosen]).get(service)
        wanted = {"MinCapacity": least, "MaxCapacity": most}
        changes = {key: value for key, value in wanted.items() if value is not None}
        if found := list(problems(service, has, desired=desired, least=least, most=most)):
            raise Refusal("\n".join(found))
        file = edits.file_of(platform) if write else None
        if not confirm(
            platform,
            list(touches(platform, chosen, said, has, changes, desired)),
            as_json=json_output,
            yes=yes,
            dry_run=dry_run,
        ):
            return
        since = datetime.now(UTC)
        if changes:
            register(scaling, chosen, **changes)
        _keep(platform, service, least, most, write=file is not None)
        if desired is not None:
            answer = ecs.update_service(cluster=chosen.cluster, service=chosen.ecs_name, desiredCount=desired)
            if wait:
                otherwise = "ECS goes on with it: `groundwork service show` says how far it is."
                moving = [rollout.begun(answer, chosen, since)]
                rollout.follow(platform.client, moving, Patience.of(timeout_minutes), otherwise=otherwise)
        typer.echo(fleet.told(ecs, [chosen]) if json_output else f"{service}: {_now(ecs, scaling, chosen)}")


def problems(
    name: str, has: Bounds | None, *, desired: int | None, least: int | None, most: int | None
) -> Iterator[str]:
    """What autoscaling would undo at once, and what is no bound."""
    if desired is None and least is None and most is None:
        yield "Say how many: --desired, --min, --max."
        return
    if has is None:
        if least is not None or most is not None:
            yield f"{name} has no autoscaling, and so no bounds. --desired sets its number."
        return
    low = has.least if least is None else least
    high = has.most if most is None else most
    if low > high:
        yield f"--min {low} would be more than --max {high}."
    elif desired is not None and not low <= desired <= high:
        yield (
            f"--desired {desired} is outside of {low} to {high}, and autoscaling would move it back. Move the "
            f"bounds too: {'--min' if desired < low else '--max'} {desired}."
        )
    if has.suspended and desired is None:
        yield f"{name} is stopped by hand (its autoscaling is suspended). `groundwork service start {name}` first."


def touches(
    platform: Platform,
    service: Service,
    said: Said,
    has: Bounds | None,
    changes: Mapping[str, int],
    desired: int | None,
) -> Iterator[str]:
    if changes and has:
        low, high = changes.get("MinCapacity", has.least), changes.get("MaxCapacity", has.most)
        yield f"move the bounds of {service.name} from {has} to {low}-{high} tasks"
    if desired is not None:
        yield f"move {service.name} from {said['desiredCount']} to {desired} tasks now"
    more = max(desired or 0, changes.get("MaxCapacity", 0))
    if platform.outputs.get("database") and more > (has.most if has else said["desiredCount"]):
        yield "open more database connections: each task has its own pool (`groundwork db connections` has the room)"


def _keep(platform: Platform, service: str, least: int | None, most: int | None, *, write: bool) -> None:
    """Writes the bounds into the stack file, or says where they belong."""
    named = {"min_count": least, "max_count": most}
    wanted = {edits.service_key(service, key): value for key, value in named.items() if value is not None}
    if not wanted:
        return
    if write:
        file = edits.file_of(platform)
        edits.change(ROOT, file, wanted)
        typer.echo(f"{file} has the bounds. Commit it.", err=True)
        return
    typer.echo("`pulumi up --refresh` puts back what the stack file says. To keep the bounds:", err=True)
    try:
        file = edits.file_of(platform)
    except Refusal:
        file = None
    for keys, value in wanted.items():
        typer.echo(f"  {edits.shown(ROOT, file, keys)}: {value}", err=True)


def _now(ecs: Any, scaling: Any, service: Service) -> str:
    said = fleet.describe(ecs, [service])[service.name]
    has = bounds(scaling, [service]).get(service.name)
    between = f", autoscaling {has}" if has else ""
    return f"{said['runningCount']} of {said['desiredCount']} tasks{between}"
