"""`groundwork db connect | tunnel`: a person's own session, and the way into the private network for it."""

from typing import Annotated

import typer

from operations import tunnels
from operations.db import psql
from operations.db.reach import TUNNEL_PORT, Database, ReplicaOption, reaching
from operations.platform import DryRunOption, Refusal
from operations.tunnels import LocalPort, Store


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
    tunnels.become([psql.program()], environment)


@reaching
def tunnel(
    database: Database,
    service: Annotated[
        str | None, typer.Option(help="Through a task of this service. Left out: one that uses the database.")
    ] = None,
    local_port: LocalPort = TUNNEL_PORT,
    replica: ReplicaOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Open a way to the database through a running task, until Ctrl-C; other commands take it by --via.

    It needs AWS CLI with its session manager plugin, and the right to start sessions. The session is on record at AWS.
    Where the stack has a connection proxy, the tasks of its services reach that and not the database: add --proxy.

    \b
    Examples
      groundwork db tunnel --stack prod
      groundwork db check --stack prod --via localhost:15432      in a second shell
    """
    platform = database.platform
    if platform.endpoint_url:
        raise Refusal(database.way_in())
    if database.said["proxyAddress"] and not database.reach.proxy:
        raise Refusal(
            "The tasks of this stack's services reach its connection proxy, not the database itself. Add --proxy here, "
            "and --proxy --role ROLE --ca system to each command that goes through; or join the stack's VPN, if it has "
            "one."
        )
    logins = list(database.said["roleSecretArns"].values())
    store = Store("the database", database.address(replica=replica), database.said["port"], logins)
    tunnels.begin(platform, store, service, local_port, dry_run=dry_run)
