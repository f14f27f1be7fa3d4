"""Variables of services: references that resolve, no secret in the open, secrets that are strong enough."""

from collections.abc import Iterator

from settings.model import Service, Settings
from settings.problems import Path, Problem, looks_secret, nearest
from settings.references import parse, references, secret_names, variable_names

# Keys that sign or authenticate; 32 characters of a large alphabet cannot be guessed (OWASP, "Cryptographic Storage").
SHORTEST_GENERATED, LONGEST_GENERATED = 32, 512


def plain_variables_resolve(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        known, secret = variable_names(settings, service), secret_names(settings, service)
        for variable, template in service.environment.items():
            path: Path = ("services", name, "environment", variable)
            if "${" in "".join(part for part in parse(template) if isinstance(part, str)):
                yield Problem(path=path, rule="opens ${ and never closes it", remedy="Write ${...}.")
            for reference in references(template):
                if reference in secret:
                    yield Problem(
                        path=path,
                        rule=f"refers to {reference}, which is a secret",
                        remedy="Move the variable to `secrets`.",
                    )
                elif reference not in known:
                    yield _unknown(path, reference, known)


def secret_variables_resolve(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        known = secret_names(settings, service)
        for variable, template in service.secrets.items():
            path: Path = ("services", name, "secrets", variable)
            names = references(template)
            if len(parse(template)) != 1 or not names:
                yield Problem(
                    path=path,
                    rule="must be one reference and nothing else, such as ${secrets.api-key}",
                    remedy="Name the secret in `secrets` and refer to it; its value never stands in a file.",
                )
            elif names[0] not in known:
                yield _unknown(path, names[0], known)


def _unknown(path: Path, reference: str, known: set[str]) -> Problem:
    return Problem(
        path=path, rule=f"refers to {reference}, which does not exist", remedy=nearest(reference, known)
    )


def no_secret_in_the_open(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        for variable, value in service.environment.items():
            if looks_secret(variable, value):
                yield Problem(
                    path=("services", name, "environment", variable),
                    rule="looks like a secret, and everybody who may read the task definition would see it",
                    remedy="Name it in `secrets` of the system file and refer to it in the service's `secrets`.",
                )


def variable_has_one_source(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        for variable in sorted({*service.environment} & {*service.secrets}):
            yield Problem(
                path=("services", name, "secrets", variable),
                rule="stands in `environment` too",
                remedy="Remove one of the two.",
            )


def secrets_are_sound(settings: Settings) -> Iterator[Problem]:
    for name, secret in settings.secrets.items():
        path: Path = ("secrets", name)
        if (secret.generate is None) == (secret.external is None):
            yield Problem(
                path=path,
                rule="must say either generate or external",
                remedy="generate: {length: 64} makes one; external: says in words what the operator puts in.",
            )
        if secret.generate and not SHORTEST_GENERATED <= secret.generate.length <= LONGEST_GENERATED:
            yield Problem(
                path=(*path, "generate", "length"),
                rule=f"must be {SHORTEST_GENERATED} to {LONGEST_GENERATED} characters",
                got=secret.generate.length,
                remedy="Set it to 64.",
            )
        if secret.generate and secret.minimum_length is not None:
            yield Problem(
                path=(*path, "minimum_length"),
                rule="is for an external secret",
                got=secret.minimum_length,
                remedy="Remove it; generate.length says how long it is.",
            )


def database_password_has_a_role(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        if service.database and not _uses(service, "database.password"):
            yield Problem(
                path=("services", name, "secrets"),
                rule="does not hold ${database.password}, so the service could not log in to the database",
                remedy="Add a variable for it, such as DB_PASSWORD.",
                file="system",
            )


def _uses(service: Service, reference: str) -> bool:
    return any(reference in references(template) for template in service.secrets.values())


RULES = (
    plain_variables_resolve,
    secret_variables_resolve,
    no_secret_in_the_open,
    variable_has_one_source,
    secrets_are_sound,
    database_password_has_a_role,
)
