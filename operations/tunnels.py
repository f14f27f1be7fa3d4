"""A way into a stack's private network: a port that Session Manager forwards through a running task."""

import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import typer

from operations.platform import Platform, Refusal
from operations.policy.stacks import unknown

# AWS CLI hands a session to it.
PLUGIN = "session-manager-plugin"
AGENT = "ExecuteCommandAgent"
PROGRAMS = {"aws": "AWS CLI 2", PLUGIN: "AWS' session manager plugin"}
DOCUMENT = "AWS-StartPortForwardingSessionToRemoteHost"


@dataclass(frozen=True)
class Store:
    """Where a tunnel leads. `what` is "the database", `secrets` the ARNs that whoever may reach it is given."""

    what: str
    address: str
    port: int
    secrets: Sequence[str]


LocalPort = Annotated[int, typer.Option(min=1024, max=65535, help="Where it begins, on this machine.")]


def begin(platform: Platform, store: Store, service: str | None, local_port: int, *, dry_run: bool) -> None:
    """Goes on as AWS CLI until Ctrl-C; a dry run says the command. Raises Refusal."""
    target = find_target(platform.client("ecs"), platform.outputs, store, service)
    line = command(platform, store, target, local_port)
    if dry_run:
        typer.echo(shlex.join(line))
        return
    for program, how in PROGRAMS.items():
        if not shutil.which(program):
            raise Refusal(f"{program} is not on PATH: install {how}. Or by hand: {shlex.join(line)}")
    typer.echo(f"In a second shell: --via localhost:{local_port}. Ctrl-C closes it.", err=True)
    become(line, dict(os.environ))


def command(platform: Platform, store: Store, target: str, local_port: int) -> list[str]:
    parameters = {
        "host": [store.address],
        "portNumber": [str(store.port)],
        "localPortNumber": [str(local_port)],
    }
    return [
        *("aws", "ssm", "start-session", "--region", platform.region, "--target", target),
        *("--document-name", DOCUMENT, "--parameters", json.dumps(parameters)),
    ]


def find_target(ecs: Any, outputs: Mapping[str, Any], store: Store, service: str | None) -> str:
    """A running task as Session Manager names it. Raises Refusal where none can be entered."""
    services = {name: said for name, said in outputs["services"].items() if said["taskDefinition"]}
    if not services:
        raise Refusal(
            "No service of this stack runs on ECS, so there is no task to go through. Use the stack's VPN."
        )
    if service and service not in services:
        raise Refusal(unknown("service", service, sorted(services), of=" in this stack"))
    chosen = [service] if service else [name for name in services if _uses(ecs, services[name], store)]
    for name in chosen:
        for target in _targets(ecs, outputs["cluster"], services[name]["name"]):
            return target
    looked = ", ".join(chosen) or f"none uses {store.what}"
    raise Refusal(
        f"No task can be entered ({looked}): a service must run, with its {AGENT} running. Release one, or name "
        "another (--service)."
    )


def _uses(ecs: Any, said: Mapping[str, Any], store: Store) -> bool:
    """Whether its containers are given a secret of the store, so that its firewall lets them through."""
    definition = ecs.describe_task_definition(taskDefinition=said["taskDefinition"])["taskDefinition"]
    given = [
        each for container in definition["containerDefinitions"] for each in container.get("secrets", [])
    ]
    return any(each["valueFrom"].startswith(tuple(store.secrets)) for each in given)


def _targets(ecs: Any, cluster: str, service: str) -> Iterator[str]:
    arns = ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="RUNNING")["taskArns"]
    for task in ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []:
        for container in task["containers"]:
            agents = {each["name"]: each["lastStatus"] for each in container.get("managedAgents", [])}
            if agents.get(AGENT) == "RUNNING" and container.get("runtimeId"):
                yield f"ecs:{cluster}_{task['taskArn'].rsplit('/', 1)[-1]}_{container['runtimeId']}"


def become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """This process goes on as that program, which so has the terminal and its signals to itself."""
    os.execvpe(command[0], command, environment)
