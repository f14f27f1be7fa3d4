"""The process with the users, from here: started, listened to while it runs, and ended whatever happens."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from operations.perf.plan import Plan
from operations.platform import ROOT, Refusal
from operations.waits import Look, Patience

# Python and Locust on a busy machine, and the requests that are still under way.
SPARE_S = 60
END_S = 5
# How often a line is written where nobody looks at a terminal.
LINE_S = 10


@dataclass(frozen=True)
class Figures:
    """`addresses` are those of operations/perf/users.py; `ended` is `in time`, `interrupted` or `broken off`."""

    addresses: Mapping[str, Mapping[str, Any]]
    took_s: float
    ended: str
    is_machine_busy: bool = False

    @property
    def requests(self) -> int:
        return sum(each["requests"] for each in self.addresses.values())

    @property
    def failed(self) -> int:
        return sum(sum(each["failures"].values()) for each in self.addresses.values())

    def __str__(self) -> str:
        times = [each["p95_ms"] for each in self.addresses.values() if each["p95_ms"] is not None]
        slowest = f"p95 {max(times):,.0f} ms" if times else "none answered well"
        rate = self.requests / self.took_s if self.took_s else 0
        return f"{self.requests:,} requests, {rate:,.0f} a second, {self.failed:,} failed, {slowest}"


@dataclass
class Users:
    """What they have said last. `line_s` is how old the figures on show may get."""

    process: "subprocess.Popen[str]"
    errors: IO[str]
    line_s: float
    last: Mapping[str, Any] = field(default_factory=dict)
    shown: str = "starting"
    shown_at: float = 0.0

    def listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.last = json.loads(line)

    def figures(self) -> Figures:
        """So far, or in the end."""
        return Figures(
            self.last.get("addresses", {}),
            self.last.get("took_s", 0.0),
            self.last.get("ended", "interrupted"),
            self.last.get("is_machine_busy", False),
        )

    def look(self, listener: threading.Thread) -> Look[Figures]:
        if not listener.is_alive():
            return Look("ended", self.outcome())
        now = time.monotonic()
        if "addresses" in self.last and now - self.shown_at >= self.line_s:
            self.shown, self.shown_at = str(self.figures()), now
        return Look(self.shown)

    def outcome(self) -> Figures:
        """Raises Refusal where nothing was measured."""
        if refused := self.last.get("unreachable"):
            raise Refusal(" ".join(f"{address} cannot be asked: {why}." for address, why in refused.items()))
        code = self.process.wait(END_S)
        if code or "ended" not in self.last:
            self.errors.seek(0)
            lines = self.errors.read().strip().splitlines() or ["it says nothing"]
            raise Refusal(f"Locust ended with {code} before its time: {lines[-1]}")
        return self.figures()


def measured(plan: Plan, *, line_s: float) -> Figures:
    """Sends the load and waits for its end; interrupted, the figures so far.

    Raises Refusal where nothing could be measured, and Failed where it does not end.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "operations.perf.users"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            # Ctrl-C is for this process, which ends the other by its standard input.
            start_new_session=True,
        )
        users = Users(process, errors, line_s)
        listener = threading.Thread(target=users.listen, daemon=True)
        listener.start()
        try:
            _tell(process, plan)
            patience = Patience.of((plan.duration_s + plan.timeout_s + SPARE_S) / 60)
            return patience.until(
                "Load", lambda: users.look(listener), otherwise="It was ended.", every_s=0.2
            )
        except KeyboardInterrupt:
            _hang_up(process)
            listener.join(END_S)
            return users.figures()
        finally:
            _end(process)
            listener.join(END_S)


def _tell(process: "subprocess.Popen[str]", plan: Plan) -> None:
    assert process.stdin
    # Where it has ended already, `outcome` says why.
    with suppress(BrokenPipeError):
        process.stdin.write(f"{plan.as_json()}\n")
        process.stdin.flush()


def _hang_up(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    with suppress(BrokenPipeError):
        process.stdin.close()


def _end(process: "subprocess.Popen[str]") -> None:
    _hang_up(process)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
