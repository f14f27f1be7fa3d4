"""What is asked of services after a release: paths that they answer, secrets that there are."""

from collections.abc import Iterator

from settings.model import Service, Settings
from settings.problems import Path, Problem, nearest
from settings.rules.edge import answered_by


def checked_paths_are_the_services_own(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        path: Path = ("services", name, "checks")
        for key, asked in _asked(service):
            if service.public is None:
                yield Problem(
                    path=(*path, *key),
                    rule="is asked from outside, and the internet does not reach this service",
                    got=asked,
                    remedy="Remove it, or make the service `public`.",
                )
                continue
            found = answered_by(settings, service.public.host, asked)
            if found != name:
                yield Problem(
                    path=(*path, *key),
                    rule=f"is asked from outside, and {found or 'nobody'} answers it on this host",
                    got=asked,
                    remedy="Name a path of this service that the internet reaches.",
                )


def _asked(service: Service) -> Iterator[tuple[Path, str]]:
    """Each path that is asked, with where it stands in `checks`."""
    checks = service.checks
    yield from ((("answers", asked), asked) for asked in checks.answers)
    if checks.auth:
        yield ("auth", "path"), checks.auth.path
    if checks.auth and checks.auth.login:
        yield ("auth", "login", "path"), checks.auth.login.path


def logins_are_known(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        auth, path = service.checks.auth, ("services", name, "checks", "auth")
        if auth is None:
            continue
        if auth.key and auth.login:
            yield Problem(
                path=path,
                rule="says both key and login, and a path is opened by one of them",
                remedy="Remove one of the two.",
            )
        for way, opener in (("key", auth.key), ("login", auth.login)):
            if opener and opener.secret not in settings.secrets:
                yield Problem(
                    path=(*path, way, "secret"),
                    rule=f"names {opener.secret}, which is not in `secrets`",
                    remedy=nearest(opener.secret, settings.secrets),
                )
        if auth.login and auth.login.secret in settings.secrets:
            secret = settings.secrets[auth.login.secret]
            if secret.external is None:
                yield Problem(
                    path=(*path, "login", "secret"),
                    rule=f"names {auth.login.secret}, which is no external secret: the product knows the user, and "
                    "the operator puts the login in",
                    remedy=f"Say what it is in secrets.{auth.login.secret}.external, or name another.",
                )


def credentials_go_with_origins(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        if service.checks.cors_credentials and not settings.origins_of(name):
            yield Problem(
                path=("services", name, "checks", "cors_credentials"),
                rule="is about pages of other origins, and the service is not told which may call it",
                remedy="Give it ${cors.allow_origins} in a variable such as CORS_ORIGIN, or remove it.",
            )


RULES = (checked_paths_are_the_services_own, logins_are_known, credentials_go_with_origins)
