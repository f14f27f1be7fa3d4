"""`groundwork exec`: a shell, or one command, inside a running task."""

import os
import shlex
import shutil
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from operations.platform import (
    LOCAL,
    SYSTEM,
    DryRunOption,
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
from operations.services import fleet
from operations.services.fleet import Said, Service, ServiceArgument
from operations.tunnels import AGENT, PROGRAMS

SHELL = "/bin/sh"


def execute(
    service: ServiceArgument,
    command: Annotated[
        list[str] | None, typer.Argument(help="What runs there, after `--`. Left out: a shell.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="This task (`groundwork service show` lists them). Left out: the newest."),
    ] = None,
    container: Annotated[
        str | None, typer.Option(help="This container. Left out: the service's own.")
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Open a shell in a running task of a service, or run one command there.

    It needs AWS CLI with its session manager plugin. What is typed and shown is on record, in the log group
    `/<system>/<environment>/exec`. The container's disk is read-only but for the service's writable_paths.

    \b
    Exit code
      that of AWS CLI, which is 0 whatever the command in the task ended with
      2  no task can be entered, or the programs are not there

    \b
    Examples
      groundwork exec core-matching --stack prod
      groundwork exec core-matching --stack prod -- node -e "console.log(process.version)"
      groundwork exec worker-ai --stack prod --container log-router
    """
    with explained():
        platform = opened(system, stack, outputs)
        [chosen] = fleet.choose(platform, [service])
        ecs = platform.client("ecs")
        target = find(ecs, chosen, task)
        started = command_line(platform, chosen, target, container_of(chosen, target, container), command)
        if dry_run:
            typer.echo(shlex.join(started))
            return
        if platform.endpoint_url:
            raise Refusal(
                "No container runs in the emulator, so there is nothing to enter. --dry-run shows the command."
            )
        for program, what in PROGRAMS.items():
            if not shutil.which(program):
                raise Refusal(
                    f"{program} is not on PATH: install {what}. Or by hand elsewhere: {shlex.join(started)}"
                )
        if platform.is_production:
            confirm(
                platform,
                [f"enter {target['taskArn'].rsplit('/', 1)[-1]} of {service}; it is on record"],
                as_json=False,
                yes=yes,
            )
        os.execvp(started[0], started)


def find(ecs: Any, service: Service, task: str | None) -> Said:
    """The newest task that can be entered, or that one. Raises Refusal where there is none."""
    running = fleet.tasks(ecs, service, "RUNNING")
    if task is not None:
        running = [each for each in running if each["taskArn"].rsplit("/", 1)[-1].startswith(task)]
        if not running:
            raise Refusal(
                f"{service.name} has no running task {task}. `groundwork service show {service.name}` lists them."
            )
    if not running:
        raise Refusal(
            f"No task of {service.name} runs. `groundwork service show {service.name}` says why they died; "
            f"`groundwork service start {service.name}` starts one that was stopped."
        )
    open_ones = [each for each in running if _is_open(each)]
    if not open_ones:
        raise Refusal(
            f"No task of {service.name} can be entered: their {AGENT} does not run. It comes with a task that began "
            f"after shell sessions were allowed: `groundwork service restart {service.name}`."
        )
    return max(open_ones, key=lambda each: each["startedAt"].timestamp() if each.get("startedAt") else 0)


def _is_open(task: Said) -> bool:
    agents = [agent for container in task["containers"] for agent in container.get("managedAgents", [])]
    return any(agent["name"] == AGENT and agent["lastStatus"] == "RUNNING" for agent in agents)


def container_of(service: Service, task: Said, wanted: str | None) -> str:
    """The service's own is called like it. Raises Refusal where there is no such container."""
    names = [each["name"] for each in task["containers"]]
    if wanted is None:
        return service.name if service.name in names else names[0]
    if wanted not in names:
        raise Refusal(
            f"The tasks of {service.name} have no container {wanted}; they have: {', '.join(names)}."
        )
    return wanted


def command_line(
    platform: Platform, service: Service, task: Said, container: str, command: Sequence[str] | None
) -> list[str]:
    return [
        *("aws", "ecs", "execute-command", "--interactive", "--region", platform.region),
        *("--cluster", service.cluster, "--task", task["taskArn"], "--container", container),
        *("--command", shlex.join(command) if command else SHELL),
    ]
