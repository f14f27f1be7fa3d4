"""`groundwork deploy` and `groundwork service resize`: a line of the stack file changed, and `pulumi up` of it."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from operations import plans, tasks
from operations.platform import (
    LOCAL,
    ROOT,
    SYSTEM,
    DryRunOption,
    JsonOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    opened,
)
from operations.policy.stacks import unknown
from operations.services import edits, fleet, images, parts, rollout
from operations.services.engine import Engine, targets
from operations.services.fleet import ServiceArgument, short
from operations.services.rollout import DEFAULT_MINUTES, Rollout
from operations.waits import Failed, Patience, carried_out

Edits = Mapping[tuple[str, ...], edits.Scalar]

TimeoutOption = Annotated[
    int, typer.Option(min=1, help="For the migration, and for the services after `pulumi up`, each.")
]
EditOnlyOption = Annotated[
    bool,
    typer.Option(
        "--edit-only",
        help="Change the stack file and nothing else: for a pull request, which the pipeline deploys.",
    ),
]


@dataclass(frozen=True)
class Change:
    """What is written into the stack file, the services that it moves, and the task that runs ahead of them."""

    wanted: Edits
    services: Sequence[str]
    ahead: str | None = None
    ahead_edits: Edits | None = None


def deploy(
    services: Annotated[list[str], typer.Argument(help="Services, by their names in the system file.")],
    tag: Annotated[str, typer.Option(help="The image's tag or digest (sha256:...), as it was pushed.")],
    migrate: Annotated[
        str | None,
        typer.Option(
            "--migrate",
            help="The task that migrates the database (`migrate`): it gets the same tag, and runs before the services "
            "move, or are made, with a backup before it where its settings ask for one.",
        ),
    ] = None,
    accept_findings: Annotated[
        bool,
        typer.Option(
            "--accept-findings", help="Release it although its scan has grave findings, or none was made."
        ),
    ] = False,
    edit_only: EditOnlyOption = False,
    timeout_minutes: TimeoutOption = 60,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
) -> None:
    """Release an image: checked in the registry, written into the stack file, and brought by `pulumi up`.

    The image tag is a line of the stack file, so that `git log` is the list of releases; this changes that line, shows
    the plan, asks, applies exactly that plan, and waits until the services are steady. If tasks die it says why. Commit
    the file afterwards. Where a pipeline deploys the stack, --edit-only makes the change for a pull request instead.

    To start the same image again use `groundwork service restart`; to go back at once, `groundwork rollback`.

    \b
    Exit code
      0  the services are steady on the new image
      1  the plan or `pulumi up` failed, or tasks died: why stands at the end
      2  it was not begun: the image is not in the registry, its scan is grave, nobody said yes

    \b
    Examples
      groundwork deploy core-matching --tag 1.1.0 --stack prod --dry-run        checks the image, shows the plan
      groundwork deploy core-matching worker-ai --tag 1.1.0 --stack prod
      groundwork deploy core-matching --tag 1.1.0 --migrate migrate --stack prod
      groundwork deploy core-matching --tag 1.1.0 --stack prod --edit-only && git commit -am "core-matching 1.1.0"
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack)
        chosen = _named(platform, services)
        _check_images(platform, chosen, tag, accept=accept_findings)
        change = Change(
            wanted={edits.service_key(name, "image_tag"): tag for name in chosen},
            services=chosen,
            ahead=migrate,
            ahead_edits={edits.task_key(migrate, "image_tag"): tag} if migrate else None,
        )
        _check_task(platform, migrate)
        agreed = partial(confirm, platform, as_json=json_output, yes=yes, dry_run=dry_run)
        went_on = carry_out(platform, change, agreed, edit_only=edit_only, minutes=timeout_minutes)
        if json_output and went_on:
            typer.echo(_told(platform, change))


def resize(
    service: ServiceArgument,
    memory_mib: Annotated[int | None, typer.Option(min=512, help="Memory of one task, in MiB.")] = None,
    cpu: Annotated[int | None, typer.Option(min=256, help="CPU units of one task; 1024 is one vCPU.")] = None,
    edit_only: EditOnlyOption = False,
    timeout_minutes: TimeoutOption = DEFAULT_MINUTES,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
) -> None:
    """Give each task of a service more memory or CPU: written into the stack file, and brought by `pulumi up`.

    Fargate takes certain pairs of the two; the plan says which where it refuses one. Tasks are replaced one after the
    other, without a gap.

    \b
    Exit code
      0  the service is steady in its new size
      1  the plan or `pulumi up` failed, or tasks died: why stands at the end
      2  it was not begun

    \b
    Examples
      groundwork service resize core-matching --memory-mib 4096 --stack prod
      groundwork service resize worker-ai --cpu 2048 --memory-mib 4096 --stack prod --dry-run
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack)
        [name] = _named(platform, [service])
        sizes = {"memory_mib": memory_mib, "cpu": cpu}
        wanted = {edits.service_key(name, key): value for key, value in sizes.items() if value is not None}
        if not wanted:
            raise Refusal("Say how large: --memory-mib, --cpu or both.")
        change = Change(wanted=wanted, services=[name])
        agreed = partial(confirm, platform, as_json=json_output, yes=yes, dry_run=dry_run)
        went_on = carry_out(platform, change, agreed, edit_only=edit_only, minutes=timeout_minutes)
        if json_output and went_on:
            typer.echo(_told(platform, change))


def _named(platform: Platform, names: Sequence[str]) -> list[str]:
    known = [*platform.outputs["services"], *platform.outputs["servicesToPush"]]
    for name in names:
        if name not in known:
            raise Refusal(unknown("service", name, sorted(known), of=f" of {platform.system}"))
    return list(dict.fromkeys(names))


def _check_images(platform: Platform, services: Sequence[str], tag: str, *, accept: bool) -> None:
    if platform.endpoint_url:
        typer.echo("The emulator runs no image, so its registry is not asked.", err=True)
        return
    ecr = platform.client("ecr")
    wanted = {images.image(images.repository(platform, name), tag): name for name in services}
    found = [problem for image, name in wanted.items() for problem in images.problems(ecr, name, image)]
    for problem in found:
        typer.echo(problem, err=True)
    if found and not accept:
        raise Refusal("Nothing was released. --accept-findings releases it all the same.")


def _check_task(platform: Platform, task: str | None) -> None:
    if task is None:
        return
    if platform.outputs["kubernetes"]["namespace"]:
        raise Refusal(
            "On Kubernetes the program itself runs its tasks before the services: leave out --migrate."
        )
    if reason := parts.problem(platform, task):
        raise Refusal(reason)


@dataclass(frozen=True)
class Parts:
    """The plans of a release. `first` is its task's, `is_targeted` whether that is made with `--target`."""

    whole: Path
    first: Path
    is_targeted: bool = True


def carry_out(
    platform: Platform, change: Change, agreed: Callable[[list[str]], bool], *, edit_only: bool, minutes: int
) -> bool:
    """Edit, plan, ask, apply, wait; False for a dry run, which `agreed` has told.

    Whatever ends it before `up` puts the file back as it was.
    """
    file = edits.file_of(platform)
    everything = {**change.wanted, **(change.ahead_edits or {})}
    touches = [*_edit_lines(file, everything)]
    if edit_only:
        if not touches:
            typer.echo(f"{file} says so already.", err=True)
            return True
        if not agreed(touches):
            return False
        edits.change(ROOT, file, everything)
        typer.echo(f"{file} is changed. Commit it: the pipeline deploys what is merged.", err=True)
        return True
    engine = Engine.of(platform)
    before = edits.change(ROOT, file, everything)
    with tempfile.TemporaryDirectory(prefix="groundwork-") as folder:
        try:
            planned = _planned(engine, file, before, change, Path(folder))
            lines = _apply_lines(platform, change, planned)
            going = agreed([*touches, *lines])
        except BaseException:
            (ROOT / file).write_text(before, encoding="utf-8")
            typer.echo(f"{file} is as it was.", err=True)
            raise
        if not going:
            (ROOT / file).write_text(before, encoding="utf-8")
            return False
        _apply(platform, engine, change, planned, minutes)
    typer.echo(f"Commit {file}: what it says now runs.", err=True)
    return True


def _planned(engine: Engine, file: Path, before: str, change: Change, folder: Path) -> Parts:
    """Raises Refusal where the services would move with the task's part."""
    planned = Parts(folder / "plan.json", folder / "ahead.json")
    engine.preview(planned.whole)
    if not change.ahead:
        return planned
    if not parts.is_new_elsewhere(_read(planned.whole), change.ahead):
        engine.preview(planned.first, *targets(change.ahead))
        return planned
    typer.echo(f"The first part of it, which {change.ahead} needs:", err=True)
    (ROOT / file).write_text(before, encoding="utf-8")
    edits.change(ROOT, file, change.ahead_edits or {})
    engine.preview(planned.first)
    if found := parts.moved(_read(planned.first)):
        raise Refusal(
            f"More than the image changes of {', '.join(found)}, so it would move before {change.ahead} has run. "
            "Bring that first, by `pulumi up`, and then the release."
        )
    return Parts(planned.whole, planned.first, is_targeted=False)


def _read(plan: Path) -> dict[str, Any]:
    return json.loads(plan.read_text(encoding="utf-8"))


def _told(platform: Platform, change: Change) -> str:
    """What the stack file says now, as JSON."""
    file = edits.file_of(platform)
    keys = {**change.wanted, **(change.ahead_edits or {})}
    said = {edits.spoken(each): edits.find(ROOT, file, each)[1] for each in keys}
    return json.dumps({"stack_file": file.as_posix(), "says": said}, indent=2)


def _edit_lines(file: Path, wanted: Edits) -> Iterator[str]:
    for keys, value in wanted.items():
        place, now = edits.find(ROOT, file, keys)
        if now != value:
            yield f"set {place}: {'nothing' if now is None else now} -> {short(str(value))}"


def _apply_lines(platform: Platform, change: Change, planned: Parts) -> Iterator[str]:
    if change.ahead:
        order = ", ".join(parts.order(platform, change.ahead))
        yield f"run {order} before the services move; a migration is not taken back"
    if planned.is_targeted:
        yield "apply exactly the plan above"
    else:
        yield "apply exactly the second plan above, before it, and then what is left of the first"
    if platform.outputs["pipeline"]["deployRole"]:
        yield "go past the pipeline, which deploys this stack too: commit the file, or its next run takes this back"


def _apply(platform: Platform, engine: Engine, change: Change, planned: Parts, minutes: int) -> None:
    plan, began = planned.whole, datetime.now(UTC)
    if change.ahead:
        engine.up(planned.first, *(targets(change.ahead) if planned.is_targeted else ()))
        _run_ahead(opened(platform.system, platform.stack), change.ahead, Patience.of(minutes))
        plan = planned.first.with_name("rest.json")
        if planned.is_targeted:
            plan.write_text(json.dumps(_rest(planned.whole, planned.first)), encoding="utf-8")
        else:
            _plan_rest(platform, engine, change, planned.whole, plan)
    try:
        engine.up(plan)
    except Failed as failed:
        raise Failed("\n".join([str(failed), *_why(platform, change.services, began)])) from None
    _wait(opened(platform.system, platform.stack), change.services, began, Patience.of(minutes))


def _rest(whole: Path, first: Path) -> dict[str, Any]:
    """What is left of the plan, now that the task's part is done."""
    try:
        return plans.rest(_read(whole), _read(first))
    except plans.NotPartOf as problem:
        raise Failed(f"{problem} The services still run what they ran.") from None


def _plan_rest(platform: Platform, engine: Engine, change: Change, whole: Path, rest: Path) -> None:
    """Plans anew, now that the task's part stands. Raises `Failed` where that is more than was agreed to."""
    edits.change(ROOT, edits.file_of(platform), {**change.wanted, **(change.ahead_edits or {})})
    typer.echo("What is left of the plan:", err=True)
    engine.preview(rest)
    if more := list(parts.beyond(_read(whole), _read(rest))):
        raise Failed(
            f"The stack has changed meanwhile: the plan that was shown has nothing of {', '.join(more)}. The services "
            "still run what they ran; run the same command again."
        )


def _run_ahead(platform: Platform, task: str, patience: Patience) -> None:
    """With the outputs of now: they name the revision that has the new image."""
    if reason := tasks.problem(platform.outputs, task):
        raise Failed(f"{reason} The services still run what they ran.")
    try:
        for each in tasks.order(platform.outputs, task):
            tasks.carry_out(
                platform.client("ecs"),
                platform.client("logs"),
                platform.outputs,
                each,
                deadline=patience.deadline,
                tell=partial(typer.echo, err=True),
            )
    except tasks.Failed as failed:
        raise Failed(
            f"{failed}\nThe services still run what they ran. Mend it, and run the same command again."
        ) from None


def _is_on_ecs(platform: Platform) -> bool:
    return not platform.outputs["kubernetes"]["namespace"]


def _why(platform: Platform, names: Sequence[str], began: datetime) -> list[str]:
    """What the tasks died of meanwhile; `pulumi up` only says that the service did not become steady."""
    running = [name for name in names if name in platform.outputs["services"]]
    if not _is_on_ecs(platform) or not running:
        return []
    services = fleet.choose(platform, running)
    ecs, logs = platform.client("ecs"), platform.client("logs")
    seen = fleet.describe(ecs, services)
    lines = []
    for each in services:
        rolled = Rollout(each, fleet.primary(seen[each.name]).get("id", ""), began)
        lines += [f"{each.name}: {line}" for line in rollout.explain(ecs, logs, rolled, seen[each.name])]
    return lines


def _wait(platform: Platform, names: Sequence[str], began: datetime, patience: Patience) -> None:
    """`pulumi up` waits by itself, but for stacks that say it should not."""
    if not _is_on_ecs(platform):
        return
    services = fleet.choose(platform, names)
    seen = fleet.describe(platform.client("ecs"), services)
    moving = [Rollout(each, fleet.primary(seen[each.name]).get("id", ""), began) for each in services]
    rollout.follow(
        platform.client,
        moving,
        patience,
        otherwise="ECS goes on with it: `groundwork service show` says how far it is.",
    )
