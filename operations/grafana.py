"""`groundwork grafana import`: dashboards into a stack's Managed Grafana, which takes them over its own API only."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from operations import dashboards
from operations.dashboards import Dashboard, Workspace
from operations.exits import FOUND
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
from operations.show import show, waiting
from operations.waits import Failed, carried_out

app = typer.Typer(help="The stack's Managed Grafana: importing dashboards.", no_args_is_help=True)

ACCOUNT = "groundwork-import-"
STAMP = "%Y%m%dT%H%M%S"
# So long a token is good for, should nobody be left to remove it.
TOKEN_S = 900
# An account of somebody who is still importing is younger.
LEFT_BEHIND = timedelta(hours=1)


@app.command("import")
def import_dashboards(
    ids: Annotated[
        list[int] | None,
        typer.Argument(metavar="ID", min=1, help="On grafana.com. Left out: those of the system file."),
    ] = None,
    file: Annotated[
        list[Path] | None, typer.Option(help="A dashboard's JSON, instead of asking grafana.com.")
    ] = None,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Import dashboards of grafana.com into the stack's Grafana, with its Prometheus as their data source.

    A service account is made for it and removed afterwards. Importing again replaces what was imported.

    \b
    Exit code
      0  all were imported
      1  one was not, or the service account is left behind
      2  nothing was begun

    \b
    Examples
      groundwork grafana import --stack prod
      groundwork grafana import 15038 --stack staging
      groundwork grafana import --file nestjs.json --stack prod
    """
    with carried_out():
        platform = opened(system, stack, outputs)
        client = platform.client("grafana")
        host, workspace = found(platform, client)
        with waiting("Asking grafana.com"):
            wanted = collected(platform, ids or [], file or [])
        if not confirm(
            platform, touches(platform, workspace, wanted), as_json=as_json, yes=yes, dry_run=dry_run
        ):
            return
        rows: list[dict[str, str]] = []
        failed: list[str] = []
        try:
            with token(client, workspace) as key, waiting("Importing"):
                rows, failed = imported(platform, Workspace(host, key), wanted)
        except Failed as failure:
            failed.append(str(failure))
    show(rows, as_json=as_json, nothing="Nothing was imported.")
    for each in failed:
        typer.echo(each, err=True)
    raise typer.Exit(FOUND if failed else 0)


def found(platform: Platform, client: Any) -> tuple[str, str]:
    """Host and id of the stack's workspace. Raises Refusal."""
    host = platform.outputs["grafana"]
    if not host:
        raise Refusal(f"{platform} has no Grafana. `observability.grafana` of the stack file makes one.")
    if platform.endpoint_url:
        raise Refusal(
            f"{platform}: Grafana is only written down there, nothing answers. --stack names another."
        )
    for page in client.get_paginator("list_workspaces").paginate():
        for each in page["workspaces"]:
            if each["endpoint"] == host:
                if each["status"] != "ACTIVE":
                    raise Refusal(f"Workspace {each['id']} is {each['status']}: wait until it is ACTIVE.")
                return host, each["id"]
    raise Refusal(
        f"There is no workspace at {host} in {platform.region} any more. `pulumi up --refresh` makes it."
    )


def collected(platform: Platform, ids: Sequence[int], files: Sequence[Path]) -> list[Dashboard]:
    """Raises Refusal with all that is wrong with them."""
    numbers = list(ids) or ([] if files else list(platform.outputs["grafanaDashboards"]))
    if not numbers and not files:
        raise Refusal(
            "No dashboard is named: give its number on grafana.com, --file, or `observability.grafana.dashboards` in "
            "the system file."
        )
    wanted: list[Dashboard] = []
    problems: list[str] = []

    def add(make: Callable[[Any], Dashboard], each: Any) -> None:
        try:
            dashboard = make(each)
        except Refusal as refusal:
            problems.append(str(refusal))
        else:
            problems.extend(dashboard.problems(has_prometheus=bool(platform.outputs["prometheus"])))
            wanted.append(dashboard)

    for number in dict.fromkeys(numbers):
        add(dashboards.of_grafana_com, number)
    for path in dict.fromkeys(files):
        add(dashboards.of_file, path)
    uids = [each.uid for each in wanted]
    problems += [
        f"{each.source} has the uid {each.uid} of another one here: import them one by one."
        for number, each in enumerate(wanted)
        if each.uid in uids[:number]
    ]
    if problems:
        raise Refusal(" ".join(problems))
    return wanted


def touches(platform: Platform, workspace: str, wanted: Sequence[Dashboard]) -> list[str]:
    return [
        # Managed Grafana guide, "Use service accounts to authenticate with the Grafana HTTP APIs".
        f"make a service account with the role ADMIN in workspace {workspace}, which AWS bills as a user of that "
        "month, and remove it afterwards",
        *(
            [f"make a data source for {platform.outputs['prometheus']}, if there is none"]
            if platform.outputs["prometheus"]
            else []
        ),
        *(f'import "{each.title}", over what has the uid {each.uid}' for each in wanted),
    ]


@contextmanager
def token(client: Any, workspace: str) -> Generator[str]:
    """A token that may make data sources and dashboards, until the body ends. Raises Failed if it is left behind."""
    sweep(client, workspace)
    name = f"{ACCOUNT}{datetime.now(UTC):{STAMP}}"
    account = client.create_workspace_service_account(workspaceId=workspace, name=name, grafanaRole="ADMIN")
    try:
        made = client.create_workspace_service_account_token(
            workspaceId=workspace, serviceAccountId=account["id"], name=name, secondsToLive=TOKEN_S
        )
        yield made["serviceAccountToken"]["key"]
    except BaseException:
        if left := removed(client, workspace, account["id"]):
            typer.echo(left, err=True)
        raise
    if left := removed(client, workspace, account["id"]):
        raise Failed(left)


def removed(client: Any, workspace: str, account: str) -> str | None:
    """What to do where it could not be."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 as in operations/platform.py

    try:
        client.delete_workspace_service_account(workspaceId=workspace, serviceAccountId=account)
    except (BotoCoreError, ClientError) as problem:
        return (
            f"The service account {account} of workspace {workspace} is left behind ({problem}). Its token ends by "
            f"itself after {TOKEN_S // 60} minutes; `aws grafana delete-workspace-service-account --workspace-id "
            f"{workspace} --service-account-id {account}` removes it, and so does the next import after an hour."
        )
    return None


def sweep(client: Any, workspace: str) -> None:
    """Removes accounts of imports that were killed."""
    pages = client.get_paginator("list_workspace_service_accounts").paginate(workspaceId=workspace)
    for each in [account for page in pages for account in page["serviceAccounts"]]:
        if is_left_behind(each["name"], datetime.now(UTC)):
            client.delete_workspace_service_account(workspaceId=workspace, serviceAccountId=each["id"])


def is_left_behind(name: str, now: datetime) -> bool:
    try:
        made = datetime.strptime(name.removeprefix(ACCOUNT), STAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return name.startswith(ACCOUNT) and now - made > LEFT_BEHIND


def imported(
    platform: Platform, workspace: Workspace, wanted: Sequence[Dashboard]
) -> tuple[list[dict[str, str]], list[str]]:
    """A row for each that is there now, a sentence for each that is not."""
    prometheus = platform.outputs["prometheus"]
    data_source = workspace.data_source(prometheus, platform.region) if prometheus else ""
    rows, failed = [], []
    for each in wanted:
        try:
            address = workspace.put(each, data_source)
        except Failed as failure:
            failed.append(f"{each.source}: {failure}")
        else:
            rows.append({"dashboard": each.title, "uid": each.uid, "address": address})
    return rows, failed
