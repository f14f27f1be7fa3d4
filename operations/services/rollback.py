"""`groundwork rollback`: services back on the revision that ran before, at once, without the engine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer

from operations import nightly, show
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
from operations.services.fleet import DIGEST, Revision, Said, Service, ServicesArgument, short
from operations.waits import Patience, carried_out

MOST_REVISIONS = 100  # so far back a tag is looked for
MOST_DESCRIBED = 20  # ECS API, DescribeServiceRevisions
WriteOption = Annotated[
    bool,
    typer.Option("--write", help="Write it into the stack file too, so that the next `pulumi up` keeps it."),
]


@dataclass(frozen=True)
class Step:
    """One service, from what runs to where it goes."""

    service: Service
    now: Revision
    to: Revision

    @property
    def tags(self) -> tuple[str, str]:
        return self.now.tag(self.service.name), self.to.tag(self.service.name)

    def __str__(self) -> str:
        before, after = map(short, self.tags)
        made = f", of {self.to.made:%Y-%m-%d %H:%M}" if self.to.made else ""
        same = " (the same image: what differs is settings)" if before == after else ""
        return (
            f"put {self.service.name} back from revision {self.now.number} ({before}) to {self.to.number} ({after}"
            f"{made}){same}"
        )

    def row(self) -> dict[str, Any]:
        before, after = self.tags
        return {
            "service": self.service.name,
            "from_revision": self.now.number,
            "from_tag": before,
            "to_revision": self.to.number,
            "to_tag": after,
        }


def rollback(
    services: ServicesArgument = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="A revision (12, or family:12) or an image tag. Left out: the one that ran before."
        ),
    ] = None,
    write: WriteOption = False,
    wait: Annotated[bool, typer.Option(help="Wait until the services are steady.")] = True,
    timeout_minutes: Annotated[
        int, typer.Option(min=1, help="For all of them together.")
    ] = rollout.DEFAULT_MINUTES,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Put services back on the revision that ran before the one that runs: one, several, or all of them.

    It takes as long as new tasks take to start; nothing is built and Pulumi is not asked. The stack file still has the
    newer image tag then, and the next `pulumi up` would bring it back: the last lines say what to write there, and
    --write writes it. What a migration did to the database stays. ECS goes back by itself from a deployment whose tasks
    do not become healthy; this is for one that is healthy and wrong.

    \b
    Exit code
      0  the services are steady on the older revision, or were on it already
      1  tasks of the older revision died too: why stands at the end
      2  it was not begun: there is no such revision, its image is gone, nobody said yes

    \b
    Examples
      groundwork rollback core-matching --stack prod --dry-run
      groundwork rollback core-matching --stack prod
      groundwork rollback --to 1.0.0 --stack prod --write        every service, and the stack file
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        ecs = platform.client("ecs")
        chosen = fleet.choose(platform, services)
        seen = fleet.describe(ecs, chosen)
        found = [_step(ecs, each, seen[each.name], to) for each in chosen]
        steps = [each for each in found if each.now.arn != each.to.arn]
        _check(platform, steps)
        file = edits.file_of(platform) if write else None
        for each in (step for step in found if step not in steps):
            typer.echo(_already(each), err=True)
        touches = [*map(str, steps), *([f"write their image tags into {file}"] if file else [])]
        # A dry run shows the same rows as one that has done it.
        if (touches or dry_run) and not confirm(platform, touches, as_json=False, yes=yes, dry_run=dry_run):
            _show(steps, as_json=json_output)
            return
        since = datetime.now(UTC)
        # One that is there already may still be on its way, if this was interrupted before.
        moving = [_begin(ecs, step, since) if step in steps else _moving(step, seen, since) for step in found]
        if file:
            _write(platform, found)
        elif steps:
            typer.echo("\n".join(kept(platform, steps)), err=True)
        if wait:
            otherwise = "ECS goes on with it: `groundwork service show` says how far it is."
            rollout.follow(platform.client, moving, Patience.of(timeout_minutes), otherwise=otherwise)
        _show(steps, as_json=json_output)


def _step(ecs: Any, service: Service, said: Said, to: str | None) -> Step:
    now = fleet.revision(ecs, said["taskDefinition"])
    return Step(service, now, before(ecs, service, now) if to is None else named(ecs, service, now, to))


def before(ecs: Any, service: Service, now: Revision) -> Revision:
    """What ran before; `now` itself where the service has gone back already. Raises Refusal where there is nothing."""
    newest = next(fleet.revisions(ecs, now.family), now)
    if newest.number > now.number:
        # By ECS's circuit breaker, by somebody, or by this command before it was interrupted: not one more.
        return now
    for arn in _history(ecs, service):
        if arn != now.arn and (found := fleet.revision(ecs, arn)).is_active:
            return found
    for found in fleet.revisions(ecs, now.family):
        if found.number < now.number:
            return found
    raise Refusal(
        f"{service.name} runs revision {now.number}, and there is no older one of {now.family}. `groundwork deploy` "
        "releases another image."
    )


def _history(ecs: Any, service: Service) -> list[str]:
    """The revisions whose deployments became steady in the last 90 days, the last first; empty where none is told.

    The number of a revision does not say when it ran: after a way back, the next release has the one before it twice.
    """
    answer = ecs.list_service_deployments(
        cluster=service.cluster, service=service.ecs_name, status=["SUCCESSFUL"], maxResults=MOST_REVISIONS
    )
    deployed = sorted(answer["serviceDeployments"], key=lambda each: each["createdAt"], reverse=True)
    arns = list(dict.fromkeys(each["targetServiceRevisionArn"] for each in deployed))[:MOST_DESCRIBED]
    if not arns:
        return []
    told = ecs.describe_service_revisions(serviceRevisionArns=arns)["serviceRevisions"]
    by_arn = {each["serviceRevisionArn"]: each["taskDefinition"] for each in told}
    return [by_arn[arn] for arn in arns if arn in by_arn]


def named(ecs: Any, service: Service, now: Revision, to: str) -> Revision:
    """By its number or its image's tag. Raises Refusal where there is none, or both mean another one."""
    family, _, number = to.rpartition(":")
    is_number = number.isdecimal() and family in ("", now.family)
    recent = list(islice(fleet.revisions(ecs, now.family), MOST_REVISIONS))
    by_number = [each for each in recent if is_number and each.number == int(number)]
    # A digest may be given as short as it is shown.
    by_tag = [
        each for each in recent if not family or to.startswith(DIGEST) if _is_tag(each.tag(service.name), to)
    ]
    found = {each.number: each for each in [*by_number, *by_tag[:1]]}
    if len(found) > 1:
        raise Refusal(
            f"{to} is revision {to} of {service.name}, and the image tag of revision {by_tag[0].number}. Say which: "
            f"--to {now.family}:NUMBER."
        )
    if found:
        return next(iter(found.values()))
    there = ", ".join(f"{each.number} ({short(each.tag(service.name))})" for each in recent[:5])
    raise Refusal(f"{service.name} has no revision and no image tag {to}. The newest: {there or 'none'}.")


def _is_tag(tag: str, to: str) -> bool:
    return tag == to or (to.startswith(DIGEST) and len(to) > len(DIGEST) and tag.startswith(to))


def _check(platform: Platform, steps: Sequence[Step]) -> None:
    """An image that the registry has dropped would leave the service with nothing to start. All of them in one go."""
    if platform.endpoint_url or not steps:
        return
    ecr = platform.client("ecr")
    gone = [problem for step in steps for problem in _gone(ecr, step)]
    if gone:
        raise Refusal("\n".join(gone))


def _gone(ecr: Any, step: Step) -> Iterator[str]:
    image = step.to.image(step.service.name)
    found = nightly.in_registry(image)
    if found is None:
        return
    try:
        ecr.describe_images(
            registryId=found["account"], repositoryName=found["repository"], imageIds=[found["image"]]
        )
    except ecr.exceptions.ImageNotFoundException:
        yield (
            f"{step.service.name}: the image of revision {step.to.number}, {image}, is not in the registry any more. "
            "Push it again, or name another one with --to."
        )


def _begin(ecs: Any, step: Step, since: datetime) -> rollout.Rollout:
    answer = ecs.update_service(
        cluster=step.service.cluster, service=step.service.ecs_name, taskDefinition=step.to.arn
    )
    return rollout.begun(answer, step.service, since)


def _moving(step: Step, seen: Mapping[str, Said], since: datetime) -> rollout.Rollout:
    return rollout.Rollout(step.service, fleet.primary(seen[step.service.name])["id"], since)


def _already(step: Step) -> str:
    return (
        f"{step.service.name} is on revision {step.now.number} ({short(step.tags[0])}) already: it went back before, "
        "by ECS's circuit breaker or by somebody. `groundwork service show` has its revisions; --to goes further back."
    )


def kept(platform: Platform, steps: Sequence[Step]) -> Iterator[str]:
    """What the stack file must say, or the next `pulumi up` undoes it."""
    try:
        file = edits.file_of(platform)
    except Refusal:
        file = None
    yield "The next `pulumi up` undoes this, unless the stack file says so too:"
    for step in steps:
        before_tag, after = step.tags
        keys = edits.service_key(step.service.name, "image_tag")
        if before_tag == after:
            yield f"  {step.service.name}: the image is the same, so `git revert` the commit that changed its settings"
        else:
            yield f"  {edits.shown(ROOT, file, keys)}: {after}"


def _write(platform: Platform, steps: Sequence[Step]) -> None:
    """Also for those that were on it already: a command that was interrupted is finished so."""
    file = edits.file_of(platform)
    edits.change(
        ROOT, file, {edits.service_key(each.service.name, "image_tag"): each.tags[1] for each in steps}
    )
    typer.echo(f"{file} has their image tags. Commit it.", err=True)


def _show(steps: Sequence[Step], *, as_json: bool) -> None:
    show.show([each.row() for each in steps], as_json=as_json, nothing="Nothing was to be done.")
