"""Which addresses may be asked: those of the stack that is named, and this machine's own."""

import ipaddress
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from operations.perf.plan import Plan
from operations.platform import Outputs, Platform, Refusal


def host(address: str) -> str:
    return urlsplit(address).hostname or ""


def is_local(address: str) -> bool:
    """Whether it is this machine's own, by its name alone."""
    name = host(address)
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def check_form(addresses: Sequence[str]) -> None:
    """Raises Refusal for what is no address to ask, all at once."""
    problems = [problem for each in addresses for problem in _problems(each)]
    if problems:
        raise Refusal(" ".join(problems))


def _problems(address: str) -> Iterator[str]:
    try:
        parts = urlsplit(address)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        yield f"{address} is no address: https://HOST/PATH."
    elif parts.username or parts.password:
        yield f"The address of {parts.hostname} holds a login, which others see: --header-env sends one."


def chosen(platform: Platform, addresses: Sequence[str]) -> list[str]:
    """Those that were given, else the stack's health paths. Raises Refusal for another owner's."""
    if platform.endpoint_url and not (addresses and all(map(is_local, addresses))):
        raise Refusal(
            f"{platform}: nothing answers at its addresses. Give the address of a server on this machine, or name "
            "another stack with --stack."
        )
    if not addresses:
        found = list(platform.outputs["healthUrls"].values())
        if not found:
            raise Refusal(
                f"{platform}: no service is public and started. `groundwork status` says what runs."
            )
        return found
    known = sorted(set(hosts(platform.outputs)))
    foreign = [each for each in addresses if not is_local(each) and host(each) not in known]
    if foreign:
        raise Refusal(
            f"{', '.join(foreign)}: not of {platform}, whose hosts are {', '.join(known) or 'none'}. Load is sent to "
            "the named stack alone: --stack names another."
        )
    return list(addresses)


def hosts(outputs: Outputs) -> Iterator[str]:
    """Those that people reach the stack by."""
    yield from map(host, [*outputs["urls"].values(), *outputs["healthUrls"].values()])
    behind = (outputs["loadBalancer"]["dnsName"], outputs["cdn"]["domainName"], host(outputs["cdn"]["url"]))
    yield from (each.lower() for each in behind if each)


@dataclass(frozen=True)
class RateLimit:
    """What the web firewall takes from one address."""

    requests: int
    window_s: int

    def __str__(self) -> str:
        return f"{self.requests} requests in {self.window_s} s"


def rate_limit(outputs: Any) -> RateLimit | None:
    """The web firewall's by the outputs, under whichever key they say it; None where they do not."""
    if not isinstance(outputs, Mapping):
        return None
    said = outputs.get("rateLimit")
    if isinstance(said, Mapping) and {"requests", "windowS"} <= said.keys():
        return RateLimit(int(said["requests"]) + int(said.get("burst", 0)), int(said["windowS"]))
    return next((found for each in outputs.values() if (found := rate_limit(each))), None)


def firewall(plan: Plan, limit: RateLimit | None) -> str | None:
    """What will become of the plan at the web firewall, after "will"; None where all of it gets through."""
    if limit is None:
        return (
            "meet the web firewall, whose limit for one address these outputs do not say (`ingress.waf.rate_limit` of "
            "the system file): what is above it is answered with 429 and counts as failed"
        )
    if plan.most_requests <= limit.requests or plan.most_per_s * limit.window_s <= limit.requests:
        return None
    fitting = math.floor(limit.requests / limit.window_s * 100) / 100
    return (
        f"meet the web firewall, which takes {limit} from one address: the rest is answered with 429 and counts as "
        f"failed (--requests-per-s {fitting:g} stays below)"
    )
