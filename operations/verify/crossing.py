"""What browsers go by: security headers, pages of other origins, and the way from HTTP to HTTPS."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from urllib.parse import urlsplit

from operations.show import printable
from operations.verify.asking import Asking, each
from operations.verify.expected import Entry
from operations.verify.seen import Seen, judged, nothing
from operations.verify.ways import HTTP, HTTPS
from operations.verify.web import Answer

FOREIGN = "https://groundwork-verify.invalid"
ALLOW_ORIGIN, ALLOW_CREDENTIALS = "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"


def headers(asking: Asking) -> Iterator[Seen]:
    """Each declared header with its declared value, once."""
    hosts = {entry.host: (entry.health_path, asking.expected.headers) for entry in asking.expected.entries}
    if asking.expected.cdn_host:
        hosts[asking.expected.cdn_host] = ("/", asking.expected.cdn_headers)
    yield from each(hosts.items(), lambda one: one[0], partial(_headers, asking))


def _headers(asking: Asking, one: tuple[str, tuple[str, Mapping[str, str]]]) -> Iterator[Seen]:
    host, (path, wanted) = one
    if not wanted:
        yield nothing(host, "none is declared")
        return
    answer = asking.web.ask(host, path)
    yield judged(
        host,
        [trouble for name, value in wanted.items() if (trouble := _differs(answer, name, value))],
        f"{', '.join(wanted)} as declared",
        "They come from ingress.response_headers: `pulumi up --refresh`. What the application sets itself is replaced.",
    )


def _differs(answer: Answer, name: str, wanted: str) -> str:
    got = answer.headers.get(name.lower(), ())
    if not got:
        return f"{name} is missing, {wanted} is declared"
    if len(got) > 1:
        return f"{name} stands {len(got)} times"
    if _directives(got[0]) != _directives(wanted):
        return f"{name} is {printable(got[0])}, {wanted} is declared"
    return ""


def _directives(value: str) -> list[str]:
    """Of a header's value, as browsers read it: spaces and case do not count."""
    return [re.sub(r"\s+", " ", part.strip().lower()) for part in value.split(";")]


def cors(asking: Asking) -> Iterator[Seen]:
    """Declared origins may call, a foreign one may not, and nobody is told `*`."""
    yield from each(asking.expected.entries, lambda entry: entry.service, partial(_cors, asking))


def _cors(asking: Asking, entry: Entry) -> Iterator[Seen]:
    troubles = []
    for origin in [*entry.cors_origins, FOREIGN]:
        is_foreign = origin == FOREIGN
        for method in ("OPTIONS", "GET"):
            answer = _from_origin(asking, entry, origin, method)
            allowed, credentials = answer.header(ALLOW_ORIGIN), answer.header(ALLOW_CREDENTIALS)
            said = f"{method} from {'a foreign origin' if is_foreign else origin}"
            if allowed == "*":
                troubles.append(f"{said}: {ALLOW_ORIGIN} is *, so any page may call")
            elif is_foreign and allowed == FOREIGN:
                troubles.append(f"{said} is allowed")
            elif not is_foreign and allowed != origin:
                troubles.append(f"{said} is not allowed ({printable(allowed) or f'no {ALLOW_ORIGIN}'})")
            elif not is_foreign and entry.cors_credentials and credentials.lower() != "true":
                troubles.append(f"{said}: {ALLOW_CREDENTIALS} is not true, as declared")
    told = "no foreign origin may call"
    if entry.cors_origins:
        how = " with credentials" if entry.cors_credentials else ""
        told = f"{', '.join(entry.cors_origins)} may call{how}, {told}"
    yield judged(
        entry.service,
        troubles,
        told,
        "The application answers for it, by its variable with ${cors.allow_origins}: `groundwork service env`.",
    )


def _from_origin(asking: Asking, entry: Entry, origin: str, method: str) -> Answer:
    asks = {"Access-Control-Request-Method": "GET"} if method == "OPTIONS" else {}
    return asking.web.ask(entry.host, entry.health_path, method=method, headers={"Origin": origin, **asks})


def redirect(asking: Asking) -> Iterator[Seen]:
    """Plain HTTP is answered 301 to the same host and path."""
    yield from each(asking.expected.redirected.items(), lambda one: one[0], partial(_redirect, asking))


def _redirect(asking: Asking, one: tuple[str, str]) -> Iterator[Seen]:
    host, path = one
    asked = f"{path}?from=groundwork-verify"
    answer = asking.web.ask(host, asked, port=HTTP)
    location = answer.header("Location")
    troubles = []
    if answer.status != HTTPStatus.MOVED_PERMANENTLY:
        troubles.append(f"http://{host}{path} answers {answer.status}, 301 is expected")
    if not _is_same(location, host, asked):
        troubles.append(f"http://{host}{path} leads to {printable(location) or 'nowhere'}")
    yield judged(
        host,
        troubles,
        f"http://{host}{path} answers 301 to the same path by https",
        "Port 80 only redirects: `pulumi up --refresh` puts the listener back; docs/runbooks/load-balancer.md.",
    )


def _is_same(location: str, host: str, asked: str) -> bool:
    try:
        to = urlsplit(location)
        port = to.port or HTTPS
    except ValueError:
        return False
    return (to.scheme, to.hostname, port, f"{to.path}?{to.query}") == ("https", host, HTTPS, asked)
