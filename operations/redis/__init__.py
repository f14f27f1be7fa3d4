"""A stack's caches and queues: asked directly by TLS, and what ElastiCache does with them."""

import typer

from operations.redis import asking, failover, keys, queues, snapshot, tunnel

app = typer.Typer(
    help="Redis or Valkey: health, queues, slow commands, big keys, snapshots, failover, a way in.",
    no_args_is_help=True,
)
app.command("ping")(asking.ping)
app.command("info")(asking.info)
app.command("queues")(queues.queues)
app.command("slowlog")(asking.slowlog)
app.command("bigkeys")(keys.bigkeys)
app.command("snapshot")(snapshot.snapshot)
app.command("tunnel")(tunnel.tunnel)
app.command("failover")(failover.failover)
