"""`groundwork maintenance`: what is done each day, week and month, and what AWS has waiting."""

import typer

from operations.maintenance import apply, rounds

app = typer.Typer(help="The day's, week's and month's lists; what AWS has waiting.", no_args_is_help=True)
app.command("daily")(rounds.daily)
app.command("weekly")(rounds.weekly)
app.command("monthly")(rounds.monthly)
app.command("apply-now")(apply.apply_now)
