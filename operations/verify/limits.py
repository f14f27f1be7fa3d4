"""Limits: how many requests one address may send, and how large a body."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus

from operations.verify.asking import Asking, each
from operations.verify.seen import Seen, found, nothing, unasked, well
from operations.verify.web import MOST_CONNECTIONS, Unreachable

MOST_REQUESTS = 5000
# WAF guide, "Rate-based rule request rate": it looks every so often, and may be late by seconds to half a minute.
LATE_S, PAUSE_S = 60, 1
REFUSED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.FORBIDDEN)


def rate_limit(asking: Asking) -> Iterator[Seen]:
    """Sends one request more than is declared, then one a second, until one is refused."""
    hosts = {entry.host: entry.health_path for entry in asking.expected.entries[:1]}
    if asking.expected.cdn_host:
        hosts[asking.expected.cdn_host] = "/"
    if not hosts:
        yield nothing("services", "none is public and started")
    yield from each(hosts.items(), lambda one: one[0], partial(_host, asking))


def _host(asking: Asking, one: tuple[str, str]) -> Iterator[Seen]:
    (host, path), limit = one, asking.expected.rate_limit
    if limit.most > MOST_REQUESTS:
        yield unasked(
            host, f"{limit.most} requests are allowed, more than the {MOST_REQUESTS} sent from here"
        )
        return
    before = asking.web.asked
    first = asking.web.ask(host, path).status
    if first in REFUSED:
        yield unasked(
            host,
            f"the first request is refused already, from an earlier try: wait {limit.window_s} s and ask again",
        )
        return
    began = asking.clock()
    answers = Counter([first, *_burst(asking, host, path, limit.most)])
    took_s = asking.clock() - began
    sent = answers.total()
    if not _refused(answers) and took_s > limit.window_s:
        yield unasked(
            host,
            f"{sent} requests took {took_s:.0f} s, longer than the window of {limit.window_s} s: ask from nearer",
        )
        return
    while not _refused(answers) and asking.clock() - began < min(LATE_S, limit.window_s) + took_s:
        asking.sleep(PAUSE_S)
        answers[asking.web.ask(host, path).status] += 1
    yield _judged(asking, host, answers, before)


def _burst(asking: Asking, host: str, path: str, number: int) -> Iterator[int]:
    """Statuses of so many requests, a few at a time, until one is refused."""
    with ThreadPoolExecutor(MOST_CONNECTIONS) as threads:
        for start in range(0, number, MOST_CONNECTIONS):
            part = range(min(MOST_CONNECTIONS, number - start))
            statuses = list(threads.map(lambda _: asking.web.ask(host, path).status, part))
            yield from statuses
            if any(status in REFUSED for status in statuses):
                return


def _refused(answers: Counter[int]) -> int:
    return sum(answers[status] for status in REFUSED)


def _judged(asking: Asking, host: str, answers: Counter[int], before: int) -> Seen:
    limit, sent = asking.expected.rate_limit, answers.total()
    declared = f"{limit.requests} and {limit.burst} more in {limit.window_s} s are declared"
    let_through = sent - _refused(answers)
    did = f"sent {sent}, {let_through} were let through"
    if not _refused(answers):
        others = ", ".join(f"{number} times {status}" for status, number in sorted(answers.items()))
        return found(
            host,
            f"{did} ({others}), none was refused; {declared}",
            "The web firewall is not before this host, or its rule is gone: `pulumi up --refresh`; "
            "docs/runbooks/web-acl.md.",
        )
    if answers[HTTPStatus.FORBIDDEN]:
        return found(
            host,
            f"{did}, the next was answered 403, and not 429; {declared}",
            "Another rule of the web firewall blocks this address; docs/runbooks/web-acl.md.",
        )
    if let_through + before < limit.requests:
        return found(
            host,
            f"{did}, the next was refused with 429 too early; {declared}",
            "Others behind this address may have asked, or a limit of the application is lower.",
        )
    return well(
        host,
        f"{did}, the next was refused with 429; {declared}. This address is refused for up to {limit.window_s} s",
    )


def body_limit(asking: Asking) -> Iterator[Seen]:
    """A request that announces a larger body is answered 413, before any of it is sent."""
    most = asking.expected.max_body_bytes
    if not most:
        yield nothing("services", "ingress.waf.max_body_bytes is not set: the application decides")
        return

    def look(one: tuple[str, str]) -> Iterator[Seen]:
        service, host = one
        try:
            status = str(asking.web.announce(host, "/", most + 1))
        except Unreachable as away:
            status = f"not refused ({away})"
        if status == str(HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value):
            yield well(service, f"a body of {most + 1} bytes is answered 413")
        else:
            yield found(
                service,
                f"a body of {most + 1} bytes is answered {status}, 413 is declared above {most}",
                "The web firewall's rule body-limit is gone: `pulumi up --refresh`; docs/runbooks/web-acl.md.",
            )

    hosts = [(entry.service, entry.host) for entry in asking.expected.entries]
    yield from each(hosts, lambda one: one[0], look)
