"""What the services' settings come to on Kubernetes: names of objects, and where each variable is read from."""

from collections.abc import Iterator
from dataclasses import dataclass

from settings.model import Service, Settings
from settings.model.kubernetes import Resources
from settings.references import references


def deployment_name(settings: Settings, name: str) -> str:
    """The Service has the service's own name on both targets: that is how others call it."""
    return settings.services[name].kubernetes.name or name


def hpa_name(settings: Settings, name: str) -> str:
    return settings.services[name].kubernetes.hpa_name or f"{deployment_name(settings, name)}-hpa"


def namespace(settings: Settings) -> str:
    return settings.kubernetes.namespace or settings.name


def own_secret(settings: Settings, name: str) -> str:
    """The Secret of one service, for the secret variables that are not said to come from another."""
    return f"{deployment_name(settings, name)}-secrets"


def default_limits(service: Service) -> Resources:
    """A task's size on Fargate, whose 1024 units of CPU are one core."""
    return Resources(cpu=f"{service.cpu * 1000 // 1024}m", memory=f"{service.memory_mib}Mi")


def default_requests(service: Service) -> Resources:
    limits = default_limits(service)
    return Resources(cpu=limits.cpu, memory=f"{service.memory_reservation_mib or service.memory_mib}Mi")


@dataclass(frozen=True, kw_only=True)
class SecretSource:
    """A variable of a service that is read from `key` of a Secret; `template` is what stands there.

    `file` is the name of the file, where the variable holds a path. `meaning` is the template with a login's role in
    it, since a password is another one for another role.
    """

    service: str
    variable: str
    secret: str
    key: str
    template: str
    meaning: str
    is_confidential: bool
    file: str | None = None


def secret_sources(settings: Settings) -> list[SecretSource]:
    return [source for name in settings.services for source in _sources(settings, name)]


def _sources(settings: Settings, name: str) -> Iterator[SecretSource]:
    service = settings.services[name]
    places = {template: (secret, key) for secret, key, template in named_secrets(settings)}
    for variable, template in {**service.environment, **service.confidential}.items():
        is_confidential = variable in service.confidential
        if template not in places and not is_confidential:
            continue
        file = service.file_names.get(variable)
        secret, key = places.get(template, (own_secret(settings, name), _key(file or variable)))
        yield SecretSource(
            service=name,
            variable=variable,
            secret=secret,
            key=key,
            template=template,
            meaning=_meaning(service, template),
            is_confidential=is_confidential,
            file=file,
        )


def named_secrets(settings: Settings) -> list[tuple[str, str, str]]:
    """Name, key and content of all that `kubernetes.secrets` says."""
    return [
        (secret, key, template)
        for secret, keys in settings.kubernetes.secrets.items()
        for key, template in keys.items()
    ]


def _key(variable: str) -> str:
    return variable.lower().replace("_", "-")


def _meaning(service: Service, template: str) -> str:
    depends_on_login = any(name in ("database.password", "database.role") for name in references(template))
    role = service.database.role if service.database else ""
    return f"{template} of {role}" if depends_on_login and role else template
