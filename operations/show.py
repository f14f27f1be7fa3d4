"""What was found, for a person as a table or for a program as JSON.

A column's name ends in its unit, as everywhere: `size_bytes`, `query_s`, `mean_ms`, `dead_percent`.
"""

import json
import re
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import typer

Row = Mapping[str, Any]

# A process's file descriptor, for programs that are begun: standard output is for what the command itself gives.
STDERR = 2
# Wide enough for every table where nobody looks at it through a terminal.
UNBOUNDED = 10_000
SHOWN_TEXT = 200


def show(rows: Sequence[Row], *, as_json: bool, nothing: str) -> None:
    """`nothing` is the sentence for no row at all."""
    if as_json:
        typer.echo(as_text(rows))
    elif not rows:
        typer.echo(nothing)
    else:
        _table(rows)


def tell(sentence: str, said: Any, *, as_json: bool) -> None:
    """What a command has done: `sentence` for a person, `said` for a program."""
    typer.echo(as_text(said) if as_json else sentence)


def as_text(value: Any) -> str:
    """JSON; a time is ISO 8601."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=lambda each: each.isoformat())


@contextmanager
def waiting(text: str) -> Generator[None]:
    """Says on a terminal what is waited for, until the body ends."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 so that `--help` stays quick

    with Console(stderr=True, highlight=False).status(text):
        yield


def _table(rows: Sequence[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415 so that `--help` stays quick
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=UNBOUNDED)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0]:
        numeric = all(row[name] is None or _is_number(row[name]) for row in rows)
        table.add_column(heading(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(name, value)) for name, value in row.items()))
    console.print(table)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def heading(name: str) -> str:
    return re.sub(r"_(bytes|s|ms|percent)$", "", name).replace("_", " ")


def cell(name: str, value: Any) -> str:
    """A value as its column's unit wants it; what a product wrote, without what would move a terminal's cursor."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case list() | tuple():
            return ", ".join(map(str, value))
        case int() | float():
            return _number(name, value)
        case _:
            return printable(str(value))


def _number(name: str, value: float) -> str:
    if name.endswith("_bytes"):
        return size(value)
    if name.endswith("_s"):
        return duration(value)
    if name.endswith("_ms"):
        return f"{value:,.1f} ms"
    if name.endswith("_percent"):
        return f"{value:.0f} %"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


def size(number: float) -> str:
    """`8.0 kB`, `1.2 GB`; a thousand and twenty-four each, as PostgreSQL counts."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(number) < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TB"


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `2 min 05 s`, `3 h 20 min`; a clock that is behind AWS's is none of a reader's business."""
    seconds = max(0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
