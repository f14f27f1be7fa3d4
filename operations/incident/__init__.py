"""`groundwork incident`: opened, told, worked through and closed, with a record that all operators share."""

import typer

from operations.incident import closing, following, marking, opening, telling

app = typer.Typer(
    help="Incidents: open, tell people, eight steps, close; planned maintenance is announced here, too.",
    no_args_is_help=True,
)
app.command("open")(opening.open_)
app.command("notify")(telling.notify)
app.command("checklist")(following.checklist)
app.command("done")(marking.done)
app.command("list")(following.list_)
app.command("show")(following.show_)
app.command("close")(closing.close)
