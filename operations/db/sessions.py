"""`groundwork db connect | tunnel`: a person's own session, and the way into the private network for it."""

import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NoReturn

import typer

from operations.db import psql
from operations.db.reach import TUNNEL_PORT, Database, ReplicaOption, reaching
from operations.platform import DryRunOption, Refusal
from operations.policy.stacks import unknown

# AWS CLI hands a session to it.
PLUGIN = "session-manager-plugin"
AGENT = "ExecuteCommandAgent"


@reaching
def connect(
    database: Database,
    write: Annotated[
        bool, typer.Option("--write", help="Allow changes. Left out: the session only reads.")
    ] = False,
    replica: ReplicaOption = False,
) -> None:
    """Open psql on the database; `\\d contractors` describes a table there.

    \b
    Examples
      groundwork db connect --stack prod --via localhost:15432 --ca global-bundle.pem
      groundwork db connect --stack prod --role rentfix_app --replica
    """
    environment = psql.environment(database, replica=replica, read_only=not write)
    with database.connect(replica=replica):
        pass  # what stops psql now is told better here
    _become([psql.program()], environment)


@reaching
def tunnel(
    database: Database,
    service: Annotated[
        str | None, typer.Option(help="Through a task of this service. Left out: one that uses the database.")
    ] = None,
    local_port: Annotated[
        int, typer.Option(min=1024, max=65535, help="Where it begins, on this machine.")
    ] = TUNNEL_PORT,
    replica: ReplicaOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Open a way to the database through a running task, until Ctrl-C; other commands take it by --via.

    It needs AWS CLI with its session manager plugin, and the right to start sessions. The session is on record at AWS.

    \b
    Examples
      groundwork db tunnel --stack prod
      groundwork db check --stack prod --via localhost:15432      in a second shell
    """
    platform = database.platform
    if platform.endpoint_url:
        raise Refusal(database.way_in())
    target = find_target(platform.client("ecs"), platform.outputs, service)
    parameters = {
        "host": [database.address(replica=replica)],
        "portNumber": [str(database.said["port"])],
        "localPortNumber": [str(local_port)],
    }
    command = [
        *("aws", "ssm", "start-session", "--region", platform.region, "--target", target),
        *("--document-name", "AWS-StartPortForwardingSessionToRemoteHost"),
        *("--parameters", json.dumps(parameters)),
    ]
    if dry_run:
        typer.echo(shlex.join(command))
        return
    for program, how in (("aws", "AWS CLI 2"), (PLUGIN, "AWS' session manager plugin")):
        if not shutil.which(program):
            raise Refusal(f"{program} is not on PATH: install {how}. Or by hand: {shlex.join(command)}")
    typer.echo(f"In a second shell: --via localhost:{local_port}. Ctrl-C closes it.", err=True)
    _become(command, dict(os.environ))


def find_target(ecs: Any, outputs: Mapping[str, Any], service: str | None) -> str:
    """A running task as Session Manager names it. Raises Refusal where none can be entered."""
    services = {name: said for name, said in outputs["services"].items() if said["taskDefinition"]}
    if not services:
        raise Refusal(
            "No service of this stack runs on ECS, so there is no task to go through. Use the stack's VPN."
        )
    if service and service not in services:
        raise Refusal(unknown("service", service, sorted(services), of=" in this stack"))
    chosen = [service] if service else [name for name in services if _logs_in(ecs, services[name], outputs)]
    for name in chosen:
        for target in _targets(ecs, outputs["cluster"], services[name]["name"]):
            return target
    looked = ", ".join(chosen) or "none uses the database"
    raise Refusal(
        f"No task can be entered ({looked}): a service must run, with its {AGENT} running. Release one, or name "
        "another (--service)."
    )


def _logs_in(ecs: Any, said: Mapping[str, Any], outputs: Mapping[str, Any]) -> bool:
    """Whether its containers have a login of the database, so that its firewall lets them through."""
    logins = tuple(outputs["database"]["roleSecretArns"].values())
    definition = ecs.describe_task_definition(taskDefinition=said["taskDefinition"])["taskDefinition"]
    secrets = [
        each for container in definition["containerDefinitions"] for each in container.get("secrets", [])
    ]
    return any(each["valueFrom"].startswith(logins) for each in secrets)


def _targets(ecs: Any, cluster: str, service: str) -> Iterator[str]:
    arns = ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="RUNNING")["taskArns"]
    for task in ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []:
        for container in task["containers"]:
            agents = {each["name"]: each["lastStatus"] for each in container.get("managedAgents", [])}
            if agents.get(AGENT) == "RUNNING" and container.get("runtimeId"):
                yield f"ecs:{cluster}_{task['taskArn'].rsplit('/', 1)[-1]}_{container['runtimeId']}"


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """This process goes on as that program, which so has the terminal and its signals to itself."""
    os.execvpe(command[0], command, environment)
