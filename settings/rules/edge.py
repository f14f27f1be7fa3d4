"""What faces the internet: domain, hosts, listener rules, cross-origin calls, rate limit."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from settings.model import Settings
from settings.problems import Path, Problem

# ACM takes a first name of at most 64 characters (API reference, RequestCertificate).
LONGEST_HOST = 64
# WAFv2 API reference, RateBasedStatement: Limit is 10 at least.
LEAST_RATE_LIMIT = 10


def domain_has_one_zone(settings: Settings) -> Iterator[Problem]:
    domain = settings.domain
    if (domain.hosted_zone_id is None) == (not domain.create_hosted_zone):
        yield Problem(
            path=("domain",),
            rule="must say either hosted_zone_id or create_hosted_zone: true",
            remedy="Give the id of the zone if Route 53 has it already, else let it be made.",
        )


def hosts_are_short_enough(settings: Settings) -> Iterator[Problem]:
    longest = max(settings.hosts.values(), key=len, default="")
    if len(longest) > LONGEST_HOST:
        yield Problem(
            path=("domain", "name"),
            rule=f"makes the host {longest} of {len(longest)} characters, and a certificate takes {LONGEST_HOST}",
            remedy="Shorten the domain or the label.",
        )


def redirects_have_hosts_of_their_own(settings: Settings) -> Iterator[Problem]:
    redirects = settings.observability.grafana.redirects
    if redirects is None:
        return
    taken = {service.public.host for service in settings.services.values() if service.public}
    for workspace, label in (("grafana", redirects.grafana), ("prometheus", redirects.prometheus)):
        if label in taken:
            yield Problem(
                path=("observability", "grafana", "redirects", workspace),
                rule="must be a host that nothing else has",
                got=label,
                remedy="Choose another label.",
            )
        taken.add(label)


def listener_rules_differ(settings: Settings) -> Iterator[Problem]:
    priorities: dict[int, str] = {}
    routes: dict[tuple[str, str], str] = {}
    for name, service in settings.services.items():
        if service.public is None:
            continue
        path: Path = ("services", name, "public")
        taken = priorities.setdefault(service.public.priority, name)
        if taken != name:
            yield Problem(
                path=(*path, "priority"),
                rule=f"must differ from that of {taken}",
                got=service.public.priority,
                remedy="The listener asks its rules in this order: choose another number.",
            )
        for index, pattern in enumerate(service.public.paths):
            owner = routes.setdefault((service.public.host, pattern), name)
            if owner != name:
                yield Problem(
                    path=(*path, "paths", index),
                    rule=f"belongs to {owner} on the same host",
                    got=pattern,
                    remedy="Give each service its own paths or its own host.",
                )


def origins_are_narrow(settings: Settings) -> Iterator[Problem]:
    """CORS origins, in the load balancer's block and in variables such as CORS_ORIGIN (comma-separated)."""
    cors = settings.ingress.cors
    given: list[tuple[Path, str]] = [
        (("ingress", "cors", "allow_origins", index), origin)
        for index, origin in enumerate(cors.allow_origins if cors else ())
    ]
    for name, service in settings.services.items():
        for variable, value in service.environment.items():
            if re.match(r"(CORS_\w*ORIGINS?|ALLOWED_ORIGINS?)$", variable) and "${" not in value:
                path: Path = ("services", name, "environment", variable)
                given += [(path, origin.strip()) for origin in value.split(",")]
    for path, origin in given:
        yield from _origin(settings, path, origin)


def _origin(settings: Settings, path: Path, origin: str) -> Iterator[Problem]:
    url = urlsplit(origin)
    is_local = (
        url.scheme == "http" and url.hostname in ("localhost", "127.0.0.1") and not settings.is_production
    )
    if "*" in origin:
        yield Problem(
            path=path,
            rule="must name origins one by one, never *: any site could call the API with a user's cookies",
            got=origin,
            remedy=f"Write https://{settings.domain.name} and the others.",
        )
    elif not (url.scheme == "https" or is_local) or not url.hostname:
        yield Problem(
            path=path,
            rule="must be https:// and a host (http://localhost outside production only)",
            got=origin,
            remedy=f"Write it like https://{settings.domain.name}.",
        )
    elif url.path or url.query or url.fragment:
        yield Problem(
            path=path,
            rule="must be an origin, without path or slash at the end",
            got=origin,
            remedy=f"Write {url.scheme}://{url.netloc}.",
        )


def rate_limit_is_one_of_wafs(settings: Settings) -> Iterator[Problem]:
    rate = settings.ingress.waf.rate_limit
    if rate.requests + rate.burst < LEAST_RATE_LIMIT:
        yield Problem(
            path=("ingress", "waf", "rate_limit", "requests"),
            rule=f"must be at least {LEAST_RATE_LIMIT} together with burst {rate.burst}",
            got=rate.requests,
            remedy="WAF knows no lower limit: raise it, or lengthen window_s.",
        )


RULES = (
    domain_has_one_zone,
    hosts_are_short_enough,
    redirects_have_hosts_of_their_own,
    listener_rules_differ,
    origins_are_narrow,
    rate_limit_is_one_of_wafs,
)
