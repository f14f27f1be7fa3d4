"""What faces the internet: domain, hosts, listener rules, cross-origin calls, rate limit."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from settings.model import ORIGINS_VARIABLE, Service, Settings
from settings.paths import covers
from settings.problems import Path, Problem

# ACM takes a first name of at most 64 characters (API reference, RequestCertificate).
LONGEST_HOST = 64
# WAFv2 API reference, RateBasedStatement: Limit is 10 at least.
LEAST_RATE_LIMIT = 10
# ECS API reference, HealthCheck.
LONGEST_OWN_TIMEOUT_S = 60


def domain_has_one_zone(settings: Settings) -> Iterator[Problem]:
    domain = settings.domain
    if (domain.hosted_zone_id is None) == (not domain.create_hosted_zone):
        yield Problem(
            path=("domain",),
            rule="must say either hosted_zone_id or create_hosted_zone: true",
            remedy="Give the id of the zone if Route 53 has it already, else let it be made.",
        )


def hosts_are_short_enough(settings: Settings) -> Iterator[Problem]:
    hosts = [*settings.hosts.values(), *([settings.cdn_host] if settings.cdn_host else [])]
    longest = max(hosts, key=len, default="")
    if len(longest) > LONGEST_HOST:
        yield Problem(
            path=("domain", "name"),
            rule=f"makes the host {longest} of {len(longest)} characters, and a certificate takes {LONGEST_HOST}",
            remedy="Shorten the domain or the label.",
        )


def redirects_have_hosts_of_their_own(settings: Settings) -> Iterator[Problem]:
    grafana = settings.observability.grafana
    redirects = grafana.redirects if grafana else None
    if redirects is None:
        return
    taken = {service.public.host for service in settings.services.values() if service.public}
    labels = {"grafana": redirects.grafana, "prometheus": redirects.prometheus}
    for workspace, label in labels.items():
        if label is None:
            continue
        if label in taken:
            yield Problem(
                path=("observability", "grafana", "redirects", workspace),
                rule="must be a host that nothing else has",
                got=label,
                remedy="Choose another label.",
            )
        taken.add(label)


def listener_rules_differ(settings: Settings) -> Iterator[Problem]:
    priorities: dict[int, tuple[str, bool]] = {}
    routes: dict[tuple[str, str], str] = {}
    for name, service in settings.services.items():
        if service.public is None:
            continue
        path: Path = ("services", name, "public")
        for place in service.public.priorities:
            is_own = place == service.public.priority
            taken, is_theirs = priorities.setdefault(place, (name, is_own))
            if taken == name:
                continue
            rule = f"must differ from that of {taken}"
            if not (is_own and is_theirs):
                rule = (
                    f"is too near that of {taken}: both need place {place}, since private_paths and rewrites "
                    "take places below"
                )
            yield Problem(
                path=(*path, "priority"),
                rule=rule,
                got=service.public.priority,
                remedy="The listener asks its rules in this order: choose another number.",
            )
            break
        for index, pattern in enumerate(service.public.paths):
            owner = routes.setdefault((service.public.host, pattern), name)
            if owner != name:
                yield Problem(
                    path=(*path, "paths", index),
                    rule=f"belongs to {owner} on the same host",
                    got=pattern,
                    remedy="Give each service its own paths or its own host.",
                )


def rewrites_are_possible(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        if service.public is None:
            continue
        path: Path = ("services", name, "public")
        lowest = min(service.public.priorities)
        if lowest < 1:
            yield Problem(
                path=(*path, "priority"),
                rule="leaves no room for private_paths and rewrites, which are asked before it",
                got=service.public.priority,
                remedy=f"Raise it to {service.public.priority + 1 - lowest} at least.",
            )
        for rewritten, target in service.public.rewrites.items():
            private = [each for each in service.public.private_paths if _is_below(each, target)]
            if private:
                yield Problem(
                    path=(*path, "rewrites", rewritten),
                    rule=f"leads to {private[0]}, which answers 404 from outside",
                    got=target,
                    remedy="Lead it elsewhere, or take the path out of private_paths.",
                )
        prefix = service.public.strip_prefix
        for index, pattern in enumerate(service.public.paths):
            if prefix is not None and pattern != prefix and not pattern.startswith(f"{prefix}/"):
                yield Problem(
                    path=(*path, "paths", index),
                    rule=f"must be {prefix} or begin with {prefix}/, which strip_prefix takes off",
                    got=pattern,
                    remedy="Correct it, or let the service know its paths as they are.",
                )


def checks_are_routed(settings: Settings) -> Iterator[Problem]:
    """A check from outside that another service answers, or nobody, says nothing."""
    places = [place for service in settings.services.values() for place in _places(service)]
    if len(set(places)) < len(places):
        return  # told by listener_rules_differ; until then nobody knows who answers
    for name, service in settings.services.items():
        if service.public is None or service.health.path is None:
            continue
        found = answered_by(settings, service.public.host, service.checked_path)
        if found != name:
            yield Problem(
                path=("services", name, "public", "check_path"),
                rule=f"is asked from outside, and {found or 'nobody'} answers it on this host",
                got=service.checked_path,
                remedy="Name a path of this service that the internet reaches, or add one to paths or rewrites.",
            )


def answered_by(settings: Settings, host: str, path: str) -> str | None:
    """The service that the listener sends a path to; None where nobody gets it."""
    rules: list[tuple[int, str, str | None]] = []
    for name, service in settings.services.items():
        if service.public is None or service.public.host != host:
            continue
        rules += _rules(name, service)
    return next((found for _, pattern, found in sorted(rules, key=_place) if covers(pattern, path)), None)


def _places(service: Service) -> list[int]:
    return service.public.priorities if service.public else []


def _is_below(private: str, path: str) -> bool:
    return covers(private, path) or covers(f"{private.rstrip('/')}/*", path)


def _place(rule: tuple[int, str, str | None]) -> int:
    return rule[0]


def _rules(name: str, service: Service) -> Iterator[tuple[int, str, str | None]]:
    """The service's rules on the listener: place, pattern, who answers."""
    if service.public is None:
        return
    public = service.public
    yield from ((public.priority, pattern, name) for pattern in public.paths)
    for private in public.private_paths:
        yield public.priority - 1, private, None
        yield public.priority - 1, f"{private.rstrip('/')}/*", None
    yield from ((public.priority - 2 - index, path, name) for index, path in enumerate(public.rewrites))


def checks_end_before_the_next(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        health = service.health
        for key, timeout_s, interval_s, of_key in (
            ("timeout_s", health.timeout_s, health.interval_s, "interval_s"),
            (
                "live_timeout_s" if health.live_timeout_s else "timeout_s",
                health.own_timeout_s,
                health.own_interval_s,
                "live_interval_s" if health.live_interval_s else "interval_s",
            ),
        ):
            if timeout_s >= interval_s:
                yield Problem(
                    path=("services", name, "health", key),
                    rule=f"must be less than {of_key} {interval_s}, or checks overlap",
                    got=timeout_s,
                    remedy=f"Lower it, or raise {of_key}.",
                )
                break
        if health.own_timeout_s > LONGEST_OWN_TIMEOUT_S:
            yield Problem(
                path=("services", name, "health", "timeout_s"),
                rule=f"must be at most {LONGEST_OWN_TIMEOUT_S}, which is all that a container's own check may take",
                got=health.own_timeout_s,
                remedy="Lower it, or give the container's check its own: live_timeout_s.",
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
            if ORIGINS_VARIABLE.fullmatch(variable) and "${" not in value:
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
    rewrites_are_possible,
    checks_are_routed,
    checks_end_before_the_next,
    origins_are_narrow,
    rate_limit_is_one_of_wafs,
)
