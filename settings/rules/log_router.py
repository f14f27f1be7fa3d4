"""The log router: somewhere to send to, an image, and secrets that the operator sets."""

from collections.abc import Iterator

from settings.model import Settings
from settings.problems import Path, Problem, nearest

_PATH: Path = ("observability", "log_router")


def router_has_somewhere_to_send_to(settings: Settings) -> Iterator[Problem]:
    router = settings.observability.log_router
    if router and not (router.loki or router.datadog or router.https):
        yield Problem(
            path=_PATH,
            rule="must name loki, datadog or https",
            remedy="Name one, or remove log_router: CloudWatch gets every line without it.",
        )


def router_has_an_image(settings: Settings) -> Iterator[Problem]:
    operations = settings.operations
    if settings.observability.log_router and not (operations and operations.log_router_image):
        yield Problem(
            path=("operations", "log_router_image"),
            rule="is missing, and observability.log_router needs it",
            remedy="Name a version of aws-for-fluent-bit, such as "
            "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.2.1.",
            file="stack",
        )


def loki_is_one_place(settings: Settings) -> Iterator[Problem]:
    router = settings.observability.log_router
    loki = router.loki if router else None
    if loki is None:
        return
    path: Path = (*_PATH, "loki")
    if (loki.host is None) == (loki.service is None):
        yield Problem(
            path=path,
            rule="must say either host or service",
            remedy="host: is one on the internet, service: one of this system's own services.",
        )
    callable_services = [name for name in settings.services if settings.port_of(name)]
    if loki.service is not None and loki.service not in callable_services:
        yield Problem(
            path=(*path, "service"),
            rule="must be a service with a port",
            got=loki.service,
            remedy=nearest(loki.service, callable_services),
        )
    if loki.host is not None and loki.port != 443:
        yield Problem(
            path=(*path, "port"),
            rule="must be 443, the only port of the internet that services may call unasked",
            got=loki.port,
            remedy="Put Loki behind HTTPS.",
        )


def router_secrets_are_the_operators(settings: Settings) -> Iterator[Problem]:
    router = settings.observability.log_router
    if router is None:
        return
    wanted: dict[Path, str] = {}
    if router.datadog:
        wanted[*_PATH, "datadog", "api_key_secret"] = router.datadog.api_key_secret
    if router.https:
        wanted[*_PATH, "https", "secret"] = router.https.secret
    external = [name for name, secret in settings.secrets.items() if secret.external]
    for path, name in wanted.items():
        if name not in external:
            yield Problem(
                path=path,
                rule="must be an external secret of `secrets`",
                got=name,
                remedy=nearest(name, external)
                if external
                else f"Add {name} to secrets, with external: and what it is.",
            )


def excepted_services_exist(settings: Settings) -> Iterator[Problem]:
    router = settings.observability.log_router
    for index, name in enumerate(router.except_services if router else ()):
        if name not in settings.services:
            yield Problem(
                path=(*_PATH, "except_services", index),
                rule="must be a service of `services`",
                got=name,
                remedy=nearest(name, settings.services),
            )


def router_is_for_ecs(settings: Settings) -> Iterator[Problem]:
    if settings.observability.log_router and settings.compute != "ecs":
        yield Problem(
            path=_PATH,
            rule="is a sidecar of tasks on ECS",
            got=settings.compute,
            remedy="Remove it: on Kubernetes the cluster's own agent copies the logs of every pod.",
        )


RULES = (
    router_is_for_ecs,
    router_has_somewhere_to_send_to,
    router_has_an_image,
    loki_is_one_place,
    router_secrets_are_the_operators,
    excepted_services_exist,
)
