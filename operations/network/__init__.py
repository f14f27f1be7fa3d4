"""A stack's network: what stands against what is declared, and why one thing does not reach another."""

import typer

from operations.network import audit, check, diagnose

app = typer.Typer(
    help="The network: rules and addresses against what is declared, connections, 5xx answers.",
    no_args_is_help=True,
)
app.command("audit")(audit.audit)
app.command("check")(check.check)
app.command("diagnose")(diagnose.diagnose)
