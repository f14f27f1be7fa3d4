"""Do the names lead to the load balancer and the CDN."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from functools import partial

from operations.verify.asking import Asking, each
from operations.verify.seen import Seen, found, unasked, well

NOT_THERE = (
    "The domain's registrar must name the zone's servers (output `nameServers`); "
    "docs/runbooks/certificate.md."
)


def addresses(name: str) -> set[str]:
    """All of a name as this machine resolves it; none where it does not."""
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(answer[4][0]) for answer in answers}


def dns(asking: Asking, resolve: Callable[[str], set[str]] = addresses) -> Iterator[Seen]:
    yield from each(asking.expected.tls, str, partial(_host, asking, resolve))


def _host(asking: Asking, resolve: Callable[[str], set[str]], host: str) -> Iterator[Seen]:
    wanted = asking.expected
    is_cdn = host == wanted.cdn_host
    leads_to = wanted.cdn_name if is_cdn else wanted.balancer
    found_there = resolve(host)
    if not found_there:
        yield found(host, "does not resolve", NOT_THERE)
        return
    if not leads_to:
        yield unasked(
            host, f"resolves to {_shown(found_there)}, and the outputs know no name to compare with"
        )
        return
    there = resolve(leads_to)
    if not there:
        yield unasked(host, f"resolves to {_shown(found_there)}, and {leads_to} does not resolve from here")
    elif _near(found_there, is_cdn) & _near(there, is_cdn):
        yield well(host, f"leads to {leads_to} ({_shown(found_there)})")
    else:
        yield found(
            host,
            f"resolves to {_shown(found_there)}, and {leads_to} to {_shown(there)}",
            "Somebody else's record, or an old one that is still kept: ask again in five minutes, then "
            "`pulumi up --refresh`.",
        )


def _near(found_there: set[str], is_cdn: bool) -> set[str]:
    """A CDN answers each question from the same place, but with any of its addresses there: networks are compared."""
    if not is_cdn:
        return found_there
    return {
        str(
            ipaddress.ip_network(
                f"{each}/{24 if ipaddress.ip_address(each).version == 4 else 48}", strict=False
            )
        )
        for each in found_there
    }


def _shown(found_there: set[str]) -> str:
    return ", ".join(sorted(found_there))
