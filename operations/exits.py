"""How a command ends: 0 all is well, 1 it has found something, 2 it could not be run."""

import typing

import typer

FOUND = 1
NOT_RUN = 2


def refuse(sentence: str) -> typing.NoReturn:
    """Ends the command as one that could not be run."""
    typer.echo(sentence, err=True)
    raise typer.Exit(NOT_RUN)
