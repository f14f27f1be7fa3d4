"""The users themselves, by Locust and in a process of their own: `python -m operations.perf.users`.

Standard input: the plan as one line of JSON, then nothing until it is closed, which ends the load at once. So it ends
with the command, however that ends. Standard output: a line of JSON with the figures so far each second, and a last
one; `unreachable` instead where an address does not take a connection before the load has begun.
"""

# isort: off
# Before everything else: it changes sockets and locks, and those that are made earlier stay as they were.
from locust import FastHttpUser, constant, task
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment
from locust.exception import StopUser

# isort: on
import errno
import json
import select
import socket
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import gevent
from gevent.event import Event

from operations.perf.tally import Tally

REPORT_S = 1.0
SPARE_S = 1.0
MAX_REDIRECTS = 5
# So many in a row, and what is asked is down: to go on would not help it.
MAX_FAILURES_IN_A_ROW = 100
MOVED = (301, 302, 303, 307, 308)


class Pace:
    """No two requests come closer than the rate allows, whichever users send them, and none after the end."""

    def __init__(self, requests_per_s: float, ends: float) -> None:
        self.apart_s, self.ends, self.next = 1 / requests_per_s, ends, 0.0

    def wait(self) -> None:
        """Raises StopUser where there is no turn before the end."""
        now = time.monotonic()
        turn = max(now, self.next)
        if turn >= self.ends:
            raise StopUser
        self.next = turn + self.apart_s
        gevent.sleep(turn - now)


class Load:
    """One run: its tallies, and how it ended."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self.plan = plan
        self.tallies = {address: Tally() for address in plan["addresses"]}
        self.began = time.monotonic()
        self.pace = Pace(plan["requests_per_s"], self.began + plan["duration_s"])
        self.failed_in_a_row = 0
        self.ended = "in time"
        self._turns = self._in_turn()

    def _in_turn(self) -> Iterator[str]:
        while True:
            yield from self.plan["addresses"]

    def next_address(self) -> str:
        return next(self._turns)

    def add(self, *, name: str, response_time: float, exception: Exception | None, **_: Any) -> None:
        self.tallies[name].add(response_time, str(exception) if exception else None)
        self.failed_in_a_row = self.failed_in_a_row + 1 if exception else 0

    def figures(self) -> dict[str, Any]:
        return {
            "took_s": time.monotonic() - self.began,
            "addresses": {address: tally.figures() for address, tally in self.tallies.items()},
        }


def user_class(plan: Mapping[str, Any], load: Load | None = None) -> type[FastHttpUser]:
    # One for all: each would read every authority anew. Locust has made the module gevent's.
    context = ssl.create_default_context(cafile=plan["ca_file"])

    class Visitor(FastHttpUser):
        """Asks one address after the other, and follows a redirect only on the address's own host."""

        host = ""  # addresses are whole; Locust wants one
        insecure = False
        ssl_context_factory = staticmethod(lambda **_: context)
        connection_timeout = network_timeout = plan["timeout_s"]
        default_headers = {"User-Agent": "groundwork-perf", **plan["headers"]}  # noqa: RUF012 Locust's own interface
        wait_time = constant(plan["think_s"])

        @task
        def visit(self) -> None:
            assert load
            address = url = load.next_address()
            for _ in range(MAX_REDIRECTS + 1):
                load.pace.wait()
                onward = ask(self.client, url, address, plan["timeout_s"])
                if onward is None:
                    return
                url = onward

    return Visitor


def ask(client: FastHttpSession, url: str, name: str, timeout_s: float) -> str | None:
    """Counts what comes of it under `name`. Where it leads on to, if anywhere."""
    # The client's timeouts are of one read: a server that sends a byte now and then would never end.
    with gevent.Timeout(timeout_s + SPARE_S):
        answer = client.get(url, name=name, allow_redirects=False, catch_response=True)
    onward = None
    with answer:
        if answer.status_code in MOVED:
            onward, failure = redirect(url, str((answer.headers or {}).get("location") or ""))
        else:
            failure = trouble(answer, timeout_s)
        if failure:
            answer.failure(failure)
        else:
            answer.success()
    return onward


def redirect(url: str, location: str) -> tuple[str | None, str | None]:
    """Where to go on, or why not."""
    if not location:
        return None, "redirect to nowhere"
    onward = urljoin(url, location)
    before, after = urlsplit(url), urlsplit(onward)
    if (before.scheme, before.netloc) != (after.scheme, after.netloc):
        return None, f"redirect to {after.scheme}://{after.netloc}, not followed"
    return onward, None


def trouble(answer: Any, timeout_s: float) -> str | None:
    """Why the answer is none, in words; None where it is a good one."""
    if answer.status_code:
        return f"HTTP {answer.status_code}" if answer.status_code >= 400 else None
    error = getattr(answer, "error", None)
    error = getattr(error, "original", error)  # of the client's own RetriesExceeded
    match error:
        case gevent.Timeout() | TimeoutError():
            return f"no answer within {timeout_s:g} s"
        case ssl.SSLCertVerificationError():
            return f"certificate not trusted ({error.verify_message})"
        case ssl.SSLError():
            return "TLS refused"
        case socket.gaierror():
            return "name not known"
        case ConnectionRefusedError():
            return "connection refused"
        case OSError() if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return "host not reached"
        case _:
            return "connection broken off"


def unreachable(plan: Mapping[str, Any]) -> dict[str, str]:
    """The addresses that take no connection, and why. Any answer will do: the load itself judges it."""
    environment = Environment()
    found: dict[str, str] = {}

    def look(*, name: str, response: Any, exception: Exception | None, **_: Any) -> None:
        if exception and not response.status_code:
            found[name] = str(exception)

    environment.events.request.add_listener(look)
    visitor = user_class(plan)(environment)
    for address in plan["addresses"]:
        ask(visitor.client, address, address, plan["timeout_s"])
    return found


def say(what: Mapping[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def run(plan: Mapping[str, Any]) -> None:
    load = Load(plan)
    environment = Environment(
        user_classes=[user_class(plan, load)],
        # Whoever waits for an answer at the end gets it, or its time runs out: else what hangs would not be counted.
        stop_timeout=plan["timeout_s"] + 2 * SPARE_S,
    )
    environment.events.request.add_listener(load.add)
    runner = environment.create_local_runner()

    def until_closed() -> None:
        select.select([sys.stdin], [], [])
        load.ended, environment.stop_timeout = "interrupted", 0
        over.set()

    def report() -> None:
        while True:
            gevent.sleep(REPORT_S)
            say(load.figures())
            if load.failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
                load.ended = "broken off"
                over.set()

    over = Event()
    helpers = [gevent.spawn(until_closed), gevent.spawn(report)]
    runner.start(plan["users"], spawn_rate=plan["users"])
    over.wait(timeout=plan["duration_s"])
    runner.stop()
    gevent.killall(helpers)
    say({**load.figures(), "ended": load.ended, "is_machine_busy": runner.cpu_warning_emitted})
    runner.quit()


def main() -> None:
    plan = json.loads(sys.stdin.readline())
    refused = unreachable(plan)
    if refused:
        say({"unreachable": refused})
    else:
        run(plan)


if __name__ == "__main__":
    main()
