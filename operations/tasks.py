"""`groundwork run | seed`: a one-off task of a stack that stands, to its end, on ECS."""

import json
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from operations import causes
from operations.exits import FOUND
from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
    JsonOption,
    Outputs,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    explained,
    opened,
)
from operations.policy import stacks
from operations.standing import standing
from operations.waits import ended_politely

BACKUP = "dump"
# The container that only sleeps, and ends a task that takes too long; else it is ended with the task.
LIMIT = "limit"
POLL_S = 3
# CloudWatch shows a line some seconds after it was written.
LATE_S, LATE_POLLS = 2, 5
STARTED_BY = "groundwork"

Seen = Mapping[str, Any]


class Failed(Exception):
    """A task did not end with 0; a sentence. `code` is its exit code, 1 where there is none.

    `ended` only where it ran to its end.
    """

    def __init__(self, said: str, code: int = FOUND, ended: "Ended | None" = None) -> None:
        super().__init__(said)
        self.code = code
        self.ended = ended


@dataclass(frozen=True)
class Ended:
    """How the containers of a task ended, by name; None is one that never began."""

    arn: str
    exit_codes: Mapping[str, int | None]
    reason: str
    seen: Seen = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        codes = self._codes
        return bool(codes) and all(code == 0 for code in codes)

    @property
    def code(self) -> int:
        """The first that is not 0, in the order of the containers; 1 where one never began."""
        return next((code for code in self._codes if code), 0 if self.is_well else FOUND)

    @property
    def _codes(self) -> list[int | None]:
        return [code for name, code in self.exit_codes.items() if name != LIMIT]

    def __str__(self) -> str:
        codes = ", ".join(
            f"{name} {'never began' if code is None else f'ended with {code}'}"
            for name, code in self.exit_codes.items()
        )
        return f"{codes or 'no container began'}. ECS says: {self.reason or 'nothing'}"

    @property
    def why(self) -> str:
        """What the table of causes makes of it; empty where that is no more than the exit code."""
        cause = causes.of_task(self.seen)
        return "" if cause.key in ("exit", "unknown") else str(cause)


def order(outputs: Outputs, task: str) -> list[str]:
    """What runs, one after the other: a backup before it, and what says whether it worked after it."""
    said = outputs["tasks"][task]
    before = [BACKUP] if said["backupFirst"] and task != BACKUP else []
    return [*before, task, *([said["statusTask"]] if said["statusTask"] else [])]


def problem(outputs: Outputs, task: str) -> str:
    """Why the task cannot be run; empty where it can."""
    tasks = outputs["tasks"]
    if task not in tasks:
        return stacks.unknown("task", task, sorted(tasks), of=" in this stack")
    if tasks[task]["backupFirst"] and BACKUP not in tasks:
        return f"{task} wants a backup before it, and the stack has no task {BACKUP}. Set backups.dump."
    return ""


def start(ecs: Any, outputs: Outputs, task: str, overrides: Sequence[Mapping[str, Any]] = ()) -> str:
    """Starts it in the private subnets; gives its ARN. Raises `Failed` where ECS does not take it.

    `overrides` are those of single containers, in the shape of RunTask.
    """
    network = outputs["runTask"]
    changed = {"overrides": {"containerOverrides": [*overrides]}} if overrides else {}
    answer = ecs.run_task(
        cluster=outputs["cluster"],
        launchType="FARGATE",
        taskDefinition=outputs["tasks"][task]["taskDefinition"],
        count=1,
        startedBy=STARTED_BY,
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": network["subnets"],
                "securityGroups": [network["securityGroup"]],
                "assignPublicIp": "DISABLED",
            }
        },
        **changed,
    )
    if not answer["tasks"]:
        why = "; ".join(each.get("reason") or "no reason given" for each in answer["failures"])
        raise Failed(f"ECS did not start {task}: {why}. Run it again when that is mended.")
    return answer["tasks"][0]["taskArn"]


def running(ecs: Any, outputs: Outputs, task: str) -> str | None:
    """The ARN of one that this command has begun and that has not ended, so that two never run at once.

    One with a command of its own (`groundwork db` asks so) is another matter.
    """
    return next((arn for arn, given in _ours(ecs, outputs, task) if not given), None)


def running_with(ecs: Any, outputs: Outputs, task: str, command: Sequence[str]) -> str | None:
    """The same of one with this command instead of the task's own. Raises `Failed` where one runs for anything else."""
    found = list(_ours(ecs, outputs, task))
    same = next((arn for arn, given in found if given == [[*command]]), None)
    if found and same is None:
        raise Failed(
            f"The task {task} runs already, for something else ({found[0][0]}). Nothing was changed: run this again "
            "when it has ended."
        )
    return same


def _ours(ecs: Any, outputs: Outputs, task: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Those that `groundwork` has begun and that have not ended: ARN, and the commands that they were given."""
    family = outputs["tasks"][task]["taskDefinition"].rpartition("/")[2].partition(":")[0]
    arns = ecs.list_tasks(cluster=outputs["cluster"], family=family, desiredStatus="RUNNING")["taskArns"]
    found = ecs.describe_tasks(cluster=outputs["cluster"], tasks=arns)["tasks"] if arns else []
    for each in found:
        overridden = each.get("overrides", {}).get("containerOverrides", [])
        if each.get("startedBy") == STARTED_BY and each["lastStatus"] != "STOPPED":
            yield each["taskArn"], [part["command"] for part in overridden if part.get("command")]


def wait(
    ecs: Any,
    outputs: Outputs,
    arn: str,
    *,
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    watch: Callable[[Seen], object] = lambda _: None,
) -> Ended:
    """Until it has stopped. Raises `Failed` at the deadline; the task goes on then. `watch` is shown each look."""
    while True:
        found = ecs.describe_tasks(cluster=outputs["cluster"], tasks=[arn])["tasks"]
        if not found:
            raise Failed(f"ECS knows the task {arn} no more, and so nothing of how it ended.")
        watch(found[0])
        if found[0]["lastStatus"] == "STOPPED":
            containers = found[0].get("containers", [])
            codes = {each["name"]: each.get("exitCode") for each in containers}
            reasons = [found[0].get("stoppedReason", ""), *(each.get("reason", "") for each in containers)]
            return Ended(arn, codes, "; ".join(dict.fromkeys(filter(None, reasons))), found[0])
        if clock() >= deadline:
            raise Failed(f"{arn} has not ended in time, and goes on. `aws ecs stop-task` ends it.")
        sleep(POLL_S)


@dataclass
class Log:
    """What the containers of one task write, each line once."""

    logs: Any
    group: str
    arn: str
    said: str = ""  # why it cannot be read
    tokens: dict[str, str] = field(default_factory=dict)

    def news(self, seen: Seen) -> Iterator[str]:
        """Of all containers, since the last time. Yields why it cannot be read, once."""
        from operations.show import printable  # noqa: PLC0415 operations.db runs tasks itself

        names = [each["name"] for each in seen.get("containers", [])] if not self.said else []
        for name in names:
            try:
                yield from (f"{name}: {printable(line)}" for line in self._of(name))
            except ClientError as refused:
                self.said = f"Its log cannot be read: {refused}"
                yield self.said
                return

    def _of(self, container: str) -> Iterator[str]:
        # awslogs: <prefix>/<container>/<task's id>, and the prefix is the container's name (components/_containers.py).
        stream = f"{container}/{container}/{self.arn.rsplit('/', 1)[-1]}"
        while True:
            token = {"nextToken": self.tokens[container]} if container in self.tokens else {}
            try:
                page = self.logs.get_log_events(
                    logGroupName=self.group, logStreamName=stream, startFromHead=True, **token
                )
            except self.logs.exceptions.ResourceNotFoundException:
                return  # nothing was written yet
            yield from (event["message"].rstrip("\n") for event in page["events"])
            is_end = page["nextForwardToken"] == self.tokens.get(container)
            self.tokens[container] = page["nextForwardToken"]
            if is_end or not page["events"]:
                return


def carry_out(
    ecs: Any,
    logs: Any,
    outputs: Outputs,
    task: str,
    *,
    deadline: float,
    going_on: str | None = None,
    overrides: Sequence[Mapping[str, Any]] = (),
    tell: Callable[[str], object] = typer.echo,
) -> Ended:
    """One task, its log shown as it is written. Raises `Failed`. `going_on` is the ARN of one that runs already."""
    arn = going_on or start(ecs, outputs, task, overrides)
    tell(f"{task}: {'runs already' if going_on else 'started'}, {arn}")
    log = Log(logs, outputs["tasks"][task]["logGroup"], arn)

    def show(seen: Seen) -> bool:
        lines = list(log.news(seen))
        for line in lines:
            tell(f"  {line}")
        return bool(lines) and not log.said

    try:
        ended = wait(ecs, outputs, arn, deadline=deadline, watch=show)
    except KeyboardInterrupt:
        tell(f"{task} goes on at ECS. The same command follows it again; `aws ecs stop-task` ends it.")
        raise
    for _ in range(LATE_POLLS):
        if log.said or not any(code is not None for code in ended.exit_codes.values()):
            break
        time.sleep(LATE_S)
        if not show(ended.seen):
            break
    if not ended.is_well:
        raise Failed("\n".join(filter(None, [f"{task} failed: {ended}", ended.why])), ended.code, ended)
    tell(f"{task}: ended well")
    return ended


TaskArgument = Annotated[str, typer.Argument(help="The task, by its name in the output `tasks`.")]
TimeoutOption = Annotated[int, typer.Option(min=1, help="For all of it together.")]


def run(
    task: TaskArgument,
    timeout_minutes: TimeoutOption = 60,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Run a one-off task to its end: a dump before it where the settings ask for one, its status task after it.

    Its log is shown while it runs. If this is interrupted the task goes on, and the same command follows it again
    instead of starting a second one. On a terminal it asks before; without one, whoever wrote the pipeline has said so.

    \b
    Exit code
      0  every container ended with 0
      n  that of the container that failed; what came after it did not run
      1  ECS did not start it, or it did not end in time
      2  there is no such task, or the stack does not stand (or a container ended with 2: the last lines say which)

    \b
    Examples
      groundwork run vacuum --stack prod
      pulumi stack output --json > outputs.json && groundwork run migrate --outputs outputs.json
    """
    with explained(), ended_politely():
        platform = platform_of(system, stack, outputs)
        run_in_order(platform, task, timeout_minutes, json_output=json_output, dry_run=dry_run, yes=yes)


def seed(
    timeout_minutes: TimeoutOption = 60,
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Fill the database with its first data: the stack's task `seed`. Whether it may run twice, only the product knows.

    \b
    Exit code
      0  it ended with 0
      n  that of the container that failed
      1  ECS did not start it, or it did not end in time
      2  there is no such task, or the stack does not stand

    \b
    Example
      groundwork seed --stack staging
    """
    with explained(), ended_politely():
        platform = platform_of(system, stack, outputs)
        run_in_order(platform, "seed", timeout_minutes, json_output=json_output, dry_run=dry_run, yes=yes)


def platform_of(system: str, stack: str, outputs: Any) -> Platform:
    """A file of outputs says itself whose it is."""
    return standing(outputs) if outputs else opened(system, stack)


def check(platform: Platform, task: str) -> None:
    """Raises Refusal where the stack has no such task, or cannot run it."""
    if reason := problem(platform.outputs, task):
        raise Refusal(reason)


def run_in_order(
    platform: Platform, task: str, timeout_minutes: int, *, json_output: bool, dry_run: bool, yes: bool
) -> None:
    """The task, what comes before it and after it: said, agreed to, and carried out."""
    check(platform, task)
    outputs, ecs, logs = platform.outputs, platform.client("ecs"), platform.client("logs")
    deadline = time.monotonic() + timeout_minutes * 60
    tell = partial(typer.echo, err=json_output)
    ended: dict[str, Ended] = {}
    with failing(as_json=json_output):
        going_on = running(ecs, outputs, task)
        planned = order(outputs, task)
        steps = planned[planned.index(task) :] if going_on else planned
        # The backup of one that runs already was made before it.
        said = [f"{'follow' if going_on and each == task else 'run'} the task {each}" for each in steps]
        nobody_asks = not sys.stdin.isatty() or platform.endpoint_url is not None
        if not confirm(platform, said, as_json=json_output, yes=yes or nobody_asks, dry_run=dry_run):
            return
        for each in steps:
            joined = going_on if each == task else None
            ended[each] = carry_out(ecs, logs, outputs, each, deadline=deadline, going_on=joined, tell=tell)
    if json_output:
        typer.echo(rows(ended))


@contextmanager
def failing(*, as_json: bool) -> Generator[None]:
    """What fails is told, and the command ends with its code."""
    try:
        yield
    except Failed as failed:
        sentence, code = str(failed), failed.code
    except (ClientError, BotoCoreError) as failed:
        sentence, code = str(failed), FOUND
    else:
        return
    typer.echo(sentence, err=True)
    if as_json:
        typer.echo(json.dumps({"failed": sentence}, indent=2))
    raise typer.Exit(code)


def rows(ended: Mapping[str, Ended]) -> str:
    rows = [{"task": name, "arn": each.arn, "exit_codes": each.exit_codes} for name, each in ended.items()]
    return json.dumps(rows, indent=2)
