"""The command `groundwork db upgrade`: stage after stage, each asked for, each found again."""

import os
import shlex
import subprocess
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import typer

from operations import show
from operations.db import aws_proof, instances
from operations.db.aws_ask import Answers, InTask, ask
from operations.db.aws_state import resource_id
from operations.db.aws_upgrade import afterwards, blue_green, in_place, preflight
from operations.db.aws_upgrade.blue_green import Stage
from operations.db.aws_upgrade.preflight import Method, Target
from operations.db.instances import Described, declared, get_instance
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
from operations.waits import Failed, Patience, carried_out


class Until(StrEnum):
    make = "make"
    verify = "verify"
    switch_over = "switch-over"
    clean_up = "clean-up"

    def reaches(self, other: "Until") -> bool:
        return [*Until].index(self) >= [*Until].index(other)


@dataclass
class Run:
    """One run of the command: what it was told, and what it tells at the end."""

    platform: Platform
    rds: Any
    database: Described
    until: Until
    patience: Patience
    yes: bool
    dry_run: bool
    without_sql: bool
    group: str | None
    check: str | None
    told: dict[str, Any] = field(default_factory=dict)

    def agreed(self, touches: list[str]) -> bool:
        if self.dry_run:
            self.told["would"] = touches
        return confirm(self.platform, touches, as_json=False, yes=self.yes, dry_run=self.dry_run)

    def refresh(self) -> None:
        self.database = instances.find(self.platform, self.rds)

    def ask(self, questions: dict[str, str], *, host: str | None = None, read_only: bool = True) -> Answers:
        return ask(InTask(self.platform), questions, self.patience, host=host, read_only=read_only)


def checked(run: Run, wanted: Target, chosen: Method) -> str:
    """The pre-flight; the parameter group to go to. Raises `Failed` with everything that stands in the way."""
    saw = preflight.seen(run.platform, run.rds, run.database, wanted.family)
    if run.group:
        saw = preflight.with_group(run.rds, saw, run.group, wanted)
    answers = None if run.without_sql else run.ask(dict(preflight.QUESTIONS))
    name = blue_green.name_of(run.database, wanted.version)
    found = list(preflight.findings(saw, wanted, chosen, answers, name))
    run.told["findings"] = [vars(each) for each in found]
    for each in found:
        typer.echo(f"{'STOP' if each.stops else 'note'}  {each.said}", err=True)
    if stopping := [each for each in found if each.stops]:
        raise Failed(
            f"{len(stopping)} of these must be mended before the upgrade to {wanted.version} can begin."
        )
    return saw.groups[0]


def by_blue_green(run: Run, wanted: Target) -> None:
    found = blue_green.look(run.rds, run.database, wanted)
    typer.echo(f"Upgrade of {run.database.identifier} to {wanted.version}: {found.stage}.", err=True)
    deployment = found.deployment
    if found.stage is Stage.begin:
        group = checked(run, wanted, Method.blue_green)
        copied = ", ".join(
            each.identifier for each in [run.database, *instances.replicas(run.rds, run.database)]
        )
        if not run.agreed(
            [f"make a copy of {copied} at {wanted.version}, which is paid for; the original goes on"]
        ):
            return
        deployment = blue_green.begin(run.rds, run.database, wanted, group, run.patience)
    elif found.stage is Stage.making:
        deployment = blue_green.wait_made(run.rds, run.database, wanted, run.patience)
    if found.stage in (Stage.begin, Stage.making, Stage.made):
        deployment = _to_switch_over(run, wanted, deployment or {})
    elif found.stage is Stage.switching:
        deployment = blue_green.wait_switched(run.rds, run.database, wanted, run.patience)
    if deployment is None or deployment["Status"] == "SWITCHOVER_COMPLETED":
        _after_switch_over(run, wanted.version, deployment)


def _to_switch_over(run: Run, wanted: Target, deployment: blue_green.Deployment) -> blue_green.Deployment:
    """Verifies the copy, and switches over to it. Raises `Failed` where it is not fit."""
    run.told["stage"] = Stage.made
    if not run.until.reaches(Until.verify):
        return deployment
    verified(run, wanted, deployment)
    names = ", ".join(blue_green.pairs(deployment))
    touches = [
        f"switch {names} over to the copy at {wanted.version}: for less than a minute nobody writes, and every "
        "connection "
        "is dropped"
    ]
    if not run.until.reaches(Until.switch_over) or not run.agreed(touches):
        return deployment
    return blue_green.switch_over(run.rds, run.database, wanted, deployment, run.patience)


def verified(run: Run, wanted: Target, deployment: blue_green.Deployment) -> None:
    """Raises `Failed` with all that is wrong with the copy."""
    problems = blue_green.copy_problems(run.rds, deployment, wanted)
    copy = get_instance(run.rds, blue_green.pairs(deployment)[run.database.identifier])
    if copy is not None and not run.without_sql and not problems:
        problems += _asked(run, copy, is_major=wanted.is_major)
    if copy is not None and run.check and not problems:
        problems += _run_check(run, copy)
    if problems:
        raise Failed(
            "The copy is not fit to be switched over to; the original goes on as before:\n  "
            + "\n  ".join(problems)
        )
    typer.echo("The copy is fit to be switched over to.", err=True)


def _asked(run: Run, copy: Described, *, is_major: bool) -> list[str]:
    """The copy beside the original, by the checks of a proved backup. A new major version begins without statistics."""
    host = copy.said["Endpoint"]["Address"]
    if is_major:
        run.ask({"analyze": "ANALYZE"}, host=host, read_only=False)
    wanted = aws_proof.Wanted(count=run.platform.outputs["backups"]["verifyQuery"])
    questions = aws_proof.questions(wanted)
    original = run.ask(questions)
    judged = aws_proof.judged(run.ask(questions, host=host), wanted, original)
    run.told["checks"] = [vars(each) for each in judged.checks]
    updates = afterwards.extension_updates(
        run.ask({"extensions": preflight.QUESTIONS["extensions"]}, host=host)
    )
    run.told["extension_updates"] = updates
    return [f"{each.name}: {each.said}" for each in judged.checks if not each.ok]


def _run_check(run: Run, copy: Described) -> list[str]:
    """Somebody's own: a program that finds the copy in its environment, and ends with 0 if it is fit."""
    command = shlex.split(run.check or "")
    environment = {
        **os.environ,
        "GROUNDWORK_COPY_HOST": copy.said["Endpoint"]["Address"],
        "GROUNDWORK_COPY_PORT": str(copy.said["Endpoint"]["Port"]),
        "GROUNDWORK_COPY_DATABASE": declared(run.platform)["name"],
        "GROUNDWORK_SECRET_ARN": declared(run.platform)["masterSecretArn"],
    }
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=show.STDERR,
            timeout=max(run.patience.left_s, 1),
            check=False,
        )
    except OSError as problem:
        raise Refusal(f"--check {command[0]} cannot be run: {problem.strerror}.") from None
    except subprocess.TimeoutExpired:
        return [f"{command[0]} did not end in time."]
    return [] if done.returncode == 0 else [f"{command[0]} ended with {done.returncode}."]


def _after_switch_over(run: Run, version: str, deployment: blue_green.Deployment | None) -> None:
    run.refresh()
    run.told["stage"] = Stage.switched if deployment else Stage.upgraded
    old = blue_green.old_ones(run.rds, run.database, deployment)
    ids = {}
    for before, now in (blue_green.pairs(deployment) if deployment else {}).items():
        ends = [get_instance(run.rds, name) for name in (before, now)]
        if ends[0] is not None and ends[1] is not None:
            ids[resource_id(ends[0])] = resource_id(ends[1])
    is_major = any(instances.major(each.version) < instances.major(version) for each in old)
    if run.until is Until.clean_up and (old or deployment):
        touches = [f"take a last snapshot of {each.identifier}, and DELETE it" for each in old]
        if run.agreed(
            [*touches, "delete the record of the blue/green deployment"] if deployment else touches
        ):
            kept = blue_green.clean_up(run.rds, run.database, old, deployment, run.patience)
            run.told["snapshots"] = kept
            old = []
    run.told["afterwards"] = afterwards.steps(run.platform, version, ids, old, is_major=is_major)


def by_in_place(run: Run, wanted: Target) -> None:
    name = run.database.identifier
    if run.database.status != "upgrading":
        group = checked(run, wanted, Method.in_place)
        touches = [
            f"take the snapshot {in_place.snapshot_name(run.database, wanted.version)}",
            f"STOP {run.database} and upgrade it from {run.database.version} to {wanted.version}: nobody reads or "
            "writes "
            "meanwhile, and only the snapshot leads back",
        ]
        if not run.agreed(touches):
            return
        in_place.take_snapshot(run.rds, run.database, wanted, run.patience)
        if not run.until.reaches(Until.switch_over):
            run.told["stage"] = "the snapshot is taken"
            return
        in_place.start(run.rds, run.database, wanted, group)
    in_place.wait_upgraded(run.rds, name, wanted.version, run.patience)
    if wanted.is_major and not run.without_sql:
        run.ask({"analyze": "ANALYZE"}, read_only=False)
        found = run.ask({"extensions": preflight.QUESTIONS["extensions"]})
        run.told["extension_updates"] = afterwards.extension_updates(found)
    run.told["stage"] = Stage.upgraded
    run.told["afterwards"] = afterwards.steps(run.platform, wanted.version, {}, [], is_major=wanted.is_major)


def told(lines: dict[str, Any]) -> None:
    """For a person."""
    if "stage" in lines:
        typer.echo(f"Now: {lines['stage']}.")
    for check in lines.get("checks", ()):
        typer.echo(f"  {check['name']}: {check['said']}")
    for name in lines.get("snapshots", ()):
        typer.echo(f"Kept: the snapshot {name}.")
    for sql in lines.get("extension_updates", ()):
        typer.echo(f"An extension has a newer version there: {sql};")
    for number, step in enumerate(lines.get("afterwards", ()), start=1):
        typer.echo(f"  {number}. {step}")


def upgrade(
    to: Annotated[str, typer.Option("--to", help="17 (its newest that RDS offers) or 17.4.")],
    method: Annotated[
        Method | None,
        typer.Option(
            help="Left out: blue-green where RDS makes it, else in-place, which stops the database."
        ),
    ] = None,
    until: Annotated[
        Until, typer.Option(help="How far to go in this run; clean-up also removes the old instances.")
    ] = Until.switch_over,
    parameter_group: Annotated[
        str | None, typer.Option(help="Of the new version; left out: the stack's own of that family.")
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            help="A command that must end with 0 before the switch-over; GROUNDWORK_COPY_HOST names the copy."
        ),
    ] = None,
    without_sql: Annotated[
        bool, typer.Option("--without-sql", help="Do not ask the database itself: extensions stay unchecked.")
    ] = False,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="For this run.")] = 240,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Bring the database to another version: pre-flight, a copy of it all, checks, switch-over; on request, clean-up.

    Nothing is remembered here: each run asks AWS how far it is, and goes on from there. Each stage asks first.

    \b
    Exit code
      0  as far as --until says
      1  something must be mended first, or a stage failed; the original goes on
      2  it could not be begun: RDS knows no such version, say

    \b
    Examples
      groundwork db upgrade --stack prod --to 17 --dry-run
      groundwork db upgrade --stack prod --to 17.4 --until verify
      groundwork db upgrade --stack prod --to 17.4 --until clean-up
    """
    with carried_out():
        platform = opened(system, stack, outputs)
        rds = platform.client("rds")
        run = Run(
            platform=platform,
            rds=rds,
            database=instances.find(platform, rds),
            until=until,
            patience=Patience.of(timeout_minutes),
            yes=yes,
            dry_run=dry_run,
            without_sql=without_sql,
            group=parameter_group,
            check=check,
        )
        try:
            go(run, to, method)
        except Failed as failed:
            run.told["failed"] = str(failed)
            raise
        finally:
            if json_output:
                typer.echo(show.as_text(run.told))
            else:
                told(run.told)


def go(run: Run, to: str, method: Method | None) -> None:
    version = run.database.version
    if version == to or version.startswith(f"{to}."):
        found = blue_green.look(run.rds, run.database, version)
        _after_switch_over(run, version, found.deployment)
        return
    wanted = preflight.target(run.rds, run.database, to)
    if isinstance(wanted, str):
        raise Refusal(wanted)
    chosen = method or preflight.method(run.database)
    if chosen is Method.blue_green:
        by_blue_green(run, wanted)
    else:
        by_in_place(run, wanted)
