"""What the commands say while they work: one line when a step begins, one when it is done, a moving one between.

Standard library only: the first steps run before any package is installed.
"""

import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO

PLAIN_INTERVAL_S = 10.0
TERMINAL_INTERVAL_S = 0.1


class Failure(Exception):
    """What went wrong and what to do about it, in a sentence or two for whoever typed the command."""


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `2 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Step:
    """One step under way. `progress` may be called as often as one likes, and from any thread."""

    def __init__(self, steps: "Steps", title: str) -> None:
        self.title = title
        self.result = "done"
        self.started = time.monotonic()
        self._steps = steps

    def progress(self, text: str) -> None:
        self._steps.show(self, text)


class Steps:
    """The report of one command, for a terminal or for a log; several steps may be under way at once."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stdout if stream is None else stream
        self._terminal = self._stream.isatty()
        self._interval_s = TERMINAL_INTERVAL_S if self._terminal else PLAIN_INTERVAL_S
        self._under_way: dict[str, str] = {}
        self._last_shown = time.monotonic()
        self._lock = threading.RLock()

    def say(self, line: str = "") -> None:
        with self._lock:
            print(f"\r\033[K{line}" if self._terminal else line, file=self._stream, flush=True)

    def skip(self, title: str, why: str) -> None:
        self.say(f"{title}: {why}")

    @contextmanager
    def step(self, title: str, why: str) -> Generator[Step]:
        """Announces a step, then says how long it took; an exception passes through with nothing said."""
        step = Step(self, title)
        self._last_shown = step.started
        self.say(f"{title}: {why}")
        try:
            yield step
        finally:
            with self._lock:
                self._under_way.pop(title, None)
        self.say(f"  {title}: {step.result} in {duration(time.monotonic() - step.started)}")

    def show(self, step: Step, text: str) -> None:
        with self._lock:
            self._under_way[step.title] = text
            now = time.monotonic()
            if now - self._last_shown < self._interval_s:
                return
            self._last_shown = now
            line = " · ".join(f"{title}: {text}" for title, text in self._under_way.items())
            line = f"  {line} ({duration(now - step.started)})"
            if self._terminal:
                print(f"\r\033[K{line[:110]}", end="", file=self._stream, flush=True)
            else:
                print(line, file=self._stream, flush=True)
