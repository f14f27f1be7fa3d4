"""Calls of `groundwork` in scripts and documents, held against the commands that there are: their names, options and
arguments, by the command's own parser."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import typer
import typer.main

from operations.__main__ import app

PROGRAM = "groundwork"
CODE_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
FENCE = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", flags=re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Call:
    """`words` begin with the program; `is_whole` where it is typed as it stands, and not only spoken of."""

    words: tuple[str, ...]
    is_whole: bool

    def __str__(self) -> str:
        return " ".join(self.words)


def in_markdown(text: str) -> Iterator[Call]:
    """Those in code blocks, which must be complete, and those in code spans, which may leave arguments out."""
    for block in FENCE.findall(text):
        yield from (Call(words, is_whole=True) for words in in_shell(block))
    for span in CODE_SPAN.findall(FENCE.sub("", text)):
        yield from (Call(words, is_whole=False) for words in in_shell(span.replace("\n", " ")))


def in_shell(script: str) -> Iterator[tuple[str, ...]]:
    """The words of each call, up to the operator that ends it, without what stands before the program's name."""
    for line in re.sub(r"\\\n\s*", " ", script).splitlines():
        # A line of another program may open a quotation that ends some lines later: it is not looked at.
        if re.search(rf"(?<![\w./-]){PROGRAM}\s+[a-z]", line):
            for words in _commands(line):
                if PROGRAM in words[:-1]:
                    yield tuple(words[words.index(PROGRAM) :])


def _commands(line: str) -> Iterator[list[str]]:
    words: list[str] = []
    split = shlex.shlex(line, posix=True, punctuation_chars=True)
    split.whitespace_split = True
    for word in split:
        if set(word) <= set("();<>|&"):
            yield words
            words = []
        else:
            words.append(word)
    yield words


@cache
def _tree() -> Any:
    """The commands there are. Typer would make them anew for each, in a tenth of a second; parsing changes nothing."""
    return typer.main.get_command(app)


def resolve(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and its own words; a group where they name no more than that."""
    command = _tree()
    rest = list(words[1:])
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"{' '.join(words)}: there is no {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def trouble(call: Call) -> str:
    """What the command's own parser says against the call; nothing where it would take it."""
    try:
        command, rest = resolve(call.words)
    except AssertionError as error:
        return str(error)
    if hasattr(command, "commands"):
        is_spoken_of = not call.is_whole or rest == ["--help"]
        return "" if is_spoken_of else f"{call}: names no command"
    try:
        command.make_context(command.name, [word for word in rest if word != "--help"])
    except typer.TyperException as error:
        # The class is not among those that typer makes public.
        is_left_out = type(error).__name__ == "MissingParameter"
        return "" if is_left_out and (not call.is_whole or "--help" in rest) else f"{call}: {error}"
    return ""
