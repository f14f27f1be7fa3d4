"""`groundwork redis tunnel`: the way into the private network for the commands that ask a cache itself."""

from typing import Annotated

import typer

from operations import tunnels
from operations.platform import DryRunOption, Refusal
from operations.redis.reach import TUNNEL_PORT, Cache, asking
from operations.tunnels import LocalPort, Store


@asking
def tunnel(
    cache: Cache,
    service: Annotated[
        str | None, typer.Option(help="Through a task of this service. Left out: one that uses the cache.")
    ] = None,
    local_port: LocalPort = TUNNEL_PORT,
    dry_run: DryRunOption = False,
) -> None:
    """Open a way to a cache through a running task, until Ctrl-C; other commands take it by --via.

    It needs AWS CLI with its session manager plugin, and the right to start sessions. The session is on record at AWS.
    Of a cache in cluster mode it leads to one node: the commands that use it ask that one.

    \b
    Examples
      groundwork redis tunnel --cache queue --stack prod
      groundwork redis queues --cache queue --stack prod --via localhost:16379      in a second shell
    """
    if cache.platform.endpoint_url:
        raise Refusal(cache.way_in())
    said = cache.said
    store = Store(f"the cache {cache.name}", said["endpoint"], said["port"], [said["tokenSecretArn"]])
    tunnels.begin(cache.platform, store, service, local_port, dry_run=dry_run)
