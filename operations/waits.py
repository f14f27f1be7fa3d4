"""Waiting for AWS, with an end: a spinner on a terminal, a line for each change elsewhere."""

import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import typer

from operations.exits import FOUND
from operations.platform import explained
from operations.show import as_text

T = TypeVar("T")
POLL_S = 15


class Failed(Exception):
    """Something was begun and did not end well; a sentence with what to do."""


@dataclass(frozen=True)
class Look(Generic[T]):
    """What was seen: `found` ends the waiting, None goes on; `state` is told meanwhile."""

    state: str
    found: T | None = None


@dataclass(frozen=True)
class Patience:
    """One end for all the waits of a command. Tests give their own clock."""

    deadline: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    @classmethod
    def of(cls, minutes: float) -> "Patience":
        return cls(time.monotonic() + minutes * 60)

    @property
    def left_s(self) -> float:
        return self.deadline - self.clock()

    def until(self, what: str, look: Callable[[], Look[T]], *, otherwise: str, every_s: float = POLL_S) -> T:
        """Looks until there is something. Raises `Failed` at the deadline, with `otherwise`: what to do then."""
        with _shown() as show:
            while True:
                seen = look()
                if seen.found is not None:
                    return seen.found
                show(f"{what}: {seen.state}")
                if self.left_s <= 0:
                    raise Failed(f"{what}: not in time, still {seen.state}. {otherwise}")
                self.sleep(min(every_s, max(self.left_s, 0)))


@contextmanager
def _shown() -> Generator[Callable[[str], None]]:
    if not sys.stderr.isatty():
        last = ""

        def say(text: str) -> None:
            nonlocal last
            if text != last:
                typer.echo(text, err=True)
            last = text

        yield say
        return
    from rich.console import Console  # noqa: PLC0415 `--help` need not wait for it

    began = time.monotonic()
    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(f"{text} ({_minutes(time.monotonic() - began)})")


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


@contextmanager
def carried_out(*, as_json: bool = False) -> Generator[None]:
    """As `explained`; what was begun and failed ends the command with 1. A polite kill is as good as Ctrl-C.

    With `as_json` a program is told that it failed, so nothing may have been told it before.
    """
    with explained(), ended_politely():
        try:
            yield
        except Failed as failed:
            typer.echo(str(failed), err=True)
            if as_json:
                typer.echo(as_text({"failed": str(failed)}))
            raise typer.Exit(FOUND) from None


@contextmanager
def ended_politely() -> Generator[None]:
    """SIGTERM and SIGHUP (a pipeline that is stopped, a terminal that is closed) become KeyboardInterrupt."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    kinds = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(kind, interrupt) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
