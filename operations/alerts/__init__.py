"""`groundwork alerts`: who hears of what, a test of it, and an hour of silence that ends by itself."""

import typer

from operations.alerts import mute, status, trial

app = typer.Typer(
    help="Who hears of alarms and incidents; test messages; mutes that end by themselves.",
    no_args_is_help=True,
)
app.command("status")(status.status)
app.command("test")(trial.trial)
app.command("mute")(mute.mute)
app.command("unmute")(mute.unmute)
