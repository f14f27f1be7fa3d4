"""`groundwork backup`: backups made, watched and proved."""

import typer

from operations.backup import application, now, status, verify

app = typer.Typer(help="Backups: make one now, see how old they are, prove one.", no_args_is_help=True)
app.command("now")(now.now)
app.command("app")(application.app)
app.command("status")(status.status)
app.command("verify")(verify.verify)
