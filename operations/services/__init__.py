"""Services as they run: deployments and ways back, their number, their logs, and why they died."""

import typer

from operations.services import deploy, execute, logs, rollback, scale, showing, switch

__all__ = ["deploy", "execute", "logs", "rollback", "scale"]

app = typer.Typer(
    help="One service: what it does, stop, start, restart, size, variables.", no_args_is_help=True
)
app.command("show")(showing.show)
app.command("stop")(switch.stop)
app.command("start")(switch.start)
app.command("restart")(switch.restart)
app.command("resize")(deploy.resize)
app.command("env")(showing.env)
