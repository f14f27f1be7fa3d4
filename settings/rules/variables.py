"""Variables of services: references that resolve, no secret in the open, secrets that are strong enough."""

import re
from collections.abc import Iterator
from itertools import combinations

from settings.model import Service, Settings
from settings.model.data import Generated
from settings.problems import Path, Problem, looks_secret, nearest
from settings.references import (
    PASSWORD_OF_ROLE,
    confidential_names,
    parse,
    references,
    secret_names,
    stack_names,
    variable_names,
)

# Keys that sign or authenticate; 32 characters of a large alphabet cannot be guessed (OWASP, "Cryptographic Storage").
SHORTEST_GENERATED, LONGEST_GENERATED, MOST_BYTES = 32, 512, 384


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
        for variable, template in service.confidential.items():
            kind = "secret_files" if variable in service.secret_files else "secrets"
            path: Path = ("services", name, kind, variable)
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
        kinds = {key: {*getattr(service, key)} for key in ("environment", "secrets", "secret_files")}
        for first, second in combinations(kinds, 2):
            for variable in sorted(kinds[first] & kinds[second]):
                yield Problem(
                    path=("services", name, second, variable),
                    rule=f"stands in `{first}` too",
                    remedy="Remove one of the two.",
                )


def secret_files_can_be_written(settings: Settings) -> Iterator[Problem]:
    """The container that writes them has another image, which knows no names of users but its own."""
    for name, service in settings.services.items():
        if service.secret_files and not all(part.isdecimal() for part in service.user.split(":")):
            yield Problem(
                path=("services", name, "user"),
                rule="must be a number where the service has secret_files, which belong to it",
                got=service.user,
                remedy='Write the number of that user, such as "1000".',
            )


def secrets_are_sound(settings: Settings) -> Iterator[Problem]:
    for name, secret in settings.secrets.items():
        path: Path = ("secrets", name)
        if len([kind for kind in (secret.generate, secret.external, secret.url) if kind is not None]) != 1:
            yield Problem(
                path=path,
                rule="must say one of generate, external and url",
                remedy="generate: {length: 64} makes one; external: says in words what the operator puts in; "
                "url: puts one together.",
            )
        if secret.generate:
            yield from _generated_problems(secret.generate, (*path, "generate"))
        if secret.external is None and secret.minimum_length is not None:
            yield Problem(
                path=(*path, "minimum_length"),
                rule="is for an external secret",
                got=secret.minimum_length,
                remedy="Remove it; generate.length says how long it is.",
            )


def _generated_problems(generated: Generated, path: Path) -> Iterator[Problem]:
    if (generated.length is None) == (generated.bytes is None):
        yield Problem(
            path=path,
            rule="must say either length or bytes",
            remedy="length: 64 makes so many characters, bytes: 64 the base64 of so many bytes.",
        )
        return
    for key, most, what in (("length", LONGEST_GENERATED, "characters"), ("bytes", MOST_BYTES, "bytes")):
        size = getattr(generated, key)
        if size is not None and not SHORTEST_GENERATED <= size <= most:
            yield Problem(
                path=(*path, key),
                rule=f"must be {SHORTEST_GENERATED} to {most} {what}",
                got=size,
                remedy="Set it to 64.",
            )


def secret_names_are_apart(settings: Settings) -> Iterator[Problem]:
    """A name is the account's, so two secrets cannot both have it."""
    taken: dict[str, str] = {}
    for name, secret in settings.secrets.items():
        if secret.name is None:
            continue
        if secret.name in taken:
            yield Problem(
                path=("secrets", name, "name"),
                rule=f"is that of the secret {taken[secret.name]}",
                got=secret.name,
                remedy="Give each secret a name of its own.",
            )
        taken.setdefault(secret.name, name)


def urls_resolve(settings: Settings) -> Iterator[Problem]:
    known = stack_names(settings) | confidential_names(settings)
    for name, secret in settings.secrets.items():
        if secret.url is None:
            continue
        path: Path = ("secrets", name, "url")
        named = references(secret.url)
        for reference in named:
            if reference not in known:
                yield _unknown(path, reference, known)
        if not set(named) & confidential_names(settings):
            yield Problem(
                path=path,
                rule="holds nothing that is secret",
                remedy="Write it as a plain variable in the service's `environment`.",
            )
        password = looks_secret("", _REFERENCE_STANDS_IN.sub("", secret.url))
        if password:
            yield Problem(
                path=path,
                rule="has a password written into it",
                remedy="Refer to it, such as ${database.passwords.app}; values never stand in a file.",
            )


_REFERENCE_STANDS_IN = re.compile(r":?\$\{[^{}]*\}")


def database_password_has_a_role(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        if service.database and not _can_log_in(settings, service):
            yield Problem(
                path=("services", name, "secrets"),
                rule="does not hold ${database.password}, so the service could not log in to the database",
                remedy="Add a variable for it, such as DB_PASSWORD.",
                file="system",
            )


def _can_log_in(settings: Settings, service: Service) -> bool:
    """By the password itself, or by a URL that holds it."""
    named = {name for template in service.confidential.values() for name in references(template)}
    urls = [settings.secrets[name.partition(".")[2]].url for name in named if _is_secret(settings, name)]
    role = service.database.role if service.database else ""
    return "database.password" in named or any(
        f"{PASSWORD_OF_ROLE}{role}" in references(url) for url in urls if url
    )


def _is_secret(settings: Settings, reference: str) -> bool:
    kind, _, name = reference.partition(".")
    return kind == "secrets" and name in settings.secrets


RULES = (
    plain_variables_resolve,
    secret_variables_resolve,
    no_secret_in_the_open,
    variable_has_one_source,
    secret_files_can_be_written,
    secrets_are_sound,
    secret_names_are_apart,
    urls_resolve,
    database_password_has_a_role,
)
