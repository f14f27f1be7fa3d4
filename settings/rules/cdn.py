"""Content delivery: what it serves, under which name, and what may be kept."""

from collections.abc import Iterator

from settings.model import Settings
from settings.paths import covers
from settings.problems import Problem, nearest


def cdn_has_a_host_of_its_own(settings: Settings) -> Iterator[Problem]:
    if settings.cdn is not None and settings.cdn.host in settings.hosts:
        yield Problem(
            path=("cdn", "host"),
            rule="must be a host that nothing else has",
            got=settings.cdn.host,
            remedy="Choose another label: a name leads either to the CDN or to the load balancer.",
        )


def cdn_serves_a_bucket(settings: Settings) -> Iterator[Problem]:
    if settings.cdn is not None and settings.cdn.bucket not in settings.buckets:
        yield Problem(
            path=("cdn", "bucket"),
            rule="must be a bucket of `buckets`",
            got=settings.cdn.bucket,
            remedy=nearest(settings.cdn.bucket, settings.buckets),
        )


def cdn_leads_to_a_public_service(settings: Settings) -> Iterator[Problem]:
    if settings.cdn is None or settings.cdn.api is None:
        return
    api = settings.cdn.api
    public = {name for name, service in settings.services.items() if service.public}
    if api.service not in public:
        yield Problem(
            path=("cdn", "api", "service"),
            rule="must be a service with `public`, since it is asked through the load balancer",
            got=api.service,
            remedy=nearest(api.service, public),
        )
    if settings.cdn.single_page_app:
        yield Problem(
            path=("cdn", "single_page_app"),
            rule="cannot stand beside api: the API's own answers of 403 and 404 would become the default page",
            remedy="Give the API a host of its own, or let the application answer such paths.",
        )


def cached_paths_belong_to_the_api(settings: Settings) -> Iterator[Problem]:
    if settings.cdn is None or settings.cdn.api is None:
        return
    api = settings.cdn.api
    for index, cached in enumerate(api.cached):
        if cached.path in api.paths:
            yield Problem(
                path=("cdn", "api", "cached", index, "path"),
                rule="stands in paths too, where nothing is kept",
                got=cached.path,
                remedy="Remove it from paths, or name a part of it here.",
            )
        elif not any(covers(pattern, cached.path) for pattern in api.paths):
            yield Problem(
                path=("cdn", "api", "cached", index, "path"),
                rule=f"must lie within {', '.join(api.paths)}",
                got=cached.path,
                remedy="Add its path to paths, or correct it.",
            )


RULES = (
    cdn_has_a_host_of_its_own,
    cdn_serves_a_bucket,
    cdn_leads_to_a_public_service,
    cached_paths_belong_to_the_api,
)
