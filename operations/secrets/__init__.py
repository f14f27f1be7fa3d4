"""Secrets of a stack: filling, judging and rotating them. No value is ever shown, logged or given as an argument."""

import typer

from operations.secrets import check, put, rotate

app = typer.Typer(
    help="Secrets: fill, generate, judge, rotate. Values are never shown.", no_args_is_help=True
)
app.command("put")(put.put)
app.command("generate")(put.generate)
app.command("check")(check.check)
app.command("age")(check.age)
app.command("rotate")(rotate.rotate)
