"""Buckets: who uses them, from which pages, and names that are the world's."""

from collections.abc import Iterator

from settings.model import Settings
from settings.problems import Problem, nearest


def access_is_for_services(settings: Settings) -> Iterator[Problem]:
    for bucket, wanted in settings.buckets.items():
        for service in wanted.access:
            if service not in settings.services:
                yield Problem(
                    path=("buckets", bucket, "access", service),
                    rule="must be a service of `services`",
                    got=service,
                    remedy=nearest(service, settings.services),
                )


def access_is_listed_once(settings: Settings) -> Iterator[Problem]:
    for bucket, wanted in settings.buckets.items():
        for service, rights in wanted.access.items():
            if not rights or len(set(rights)) != len(rights):
                yield Problem(
                    path=("buckets", bucket, "access", service),
                    rule="must name each right once, and at least one",
                    got=", ".join(rights) or "none",
                    remedy="Write [read], [read, write] or [read, write, delete], or remove the service.",
                )


def cors_has_origins(settings: Settings) -> Iterator[Problem]:
    for bucket, wanted in settings.buckets.items():
        if wanted.cors is not None and settings.ingress.cors is None:
            yield Problem(
                path=("buckets", bucket, "cors"),
                rule="needs ingress.cors, whose allow_origins are the pages that may call the bucket",
                remedy="Set ingress.cors.allow_origins in the stack file, or remove cors here.",
            )


def names_differ(settings: Settings) -> Iterator[Problem]:
    """A bucket's name is taken once in the world, so also within the stack."""
    taken = {settings.backups.bucket: "backups.bucket"} if settings.backups else {}
    for bucket, wanted in settings.buckets.items():
        if wanted.name is None:
            continue
        if wanted.name in taken:
            yield Problem(
                path=("buckets", bucket, "name"),
                rule=f"must differ from {taken[wanted.name]}",
                got=wanted.name,
                remedy="Choose another name.",
            )
        taken.setdefault(wanted.name, f"buckets.{bucket}.name")


def expiry_comes_to_pass(settings: Settings) -> Iterator[Problem]:
    """Two prefixes, one within the other: S3 lets the sooner one win, whoever wrote the longer one."""
    for bucket, wanted in settings.buckets.items():
        for prefix, days in wanted.expire_days.items():
            for other, sooner in wanted.expire_days.items():
                if prefix != other and prefix.startswith(other) and sooner <= days:
                    yield Problem(
                        path=("buckets", bucket, "expire_days", prefix),
                        rule=f"never comes to pass: {other or 'everything'} goes after {sooner} days already",
                        got=days,
                        remedy="Lower it, or remove one of the two.",
                    )


RULES = (
    access_is_for_services,
    access_is_listed_once,
    cors_has_origins,
    names_differ,
    expiry_comes_to_pass,
)
