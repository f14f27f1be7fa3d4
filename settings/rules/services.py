"""Services and tasks: sizes that Fargate has, counts, what the internet reaches, what they may use."""

from collections.abc import Iterator
from itertools import combinations

from settings.data import fargate
from settings.model import Settings
from settings.problems import Problem, nearest
from settings.references import references


def size_exists(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        accepted = fargate.MEMORY_MIB_BY_CPU[service.cpu]
        if service.memory_mib not in accepted:
            yield Problem(
                path=("services", name, "memory_mib"),
                rule=f"must be {_listed(accepted)} for cpu {service.cpu} (Fargate sizes)",
                got=service.memory_mib,
                remedy=f"Set it to {fargate.nearest_memory_mib(service.cpu, service.memory_mib)}.",
            )


def _listed(accepted: tuple[int, ...]) -> str:
    if len(accepted) <= 7:
        return f"one of {', '.join(map(str, accepted))}"
    return f"{accepted[0]} to {accepted[-1]} in steps of {accepted[1] - accepted[0]}"


def counts_are_in_order(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        if service.min_count > service.max_count:
            yield Problem(
                path=("services", name, "min_count"),
                rule=f"must not be above max_count {service.max_count}",
                got=service.min_count,
                remedy="Lower it, or raise max_count.",
            )
        elif not service.min_count <= service.desired_count <= service.max_count:
            yield Problem(
                path=("services", name, "desired_count"),
                rule=f"must be between min_count {service.min_count} and max_count {service.max_count}",
                got=service.desired_count,
                remedy=f"Set it to {min(max(service.desired_count, service.min_count), service.max_count)}.",
            )
        for index, scheduled in enumerate(service.scheduled_scaling):
            if scheduled.min_count > scheduled.max_count:
                yield Problem(
                    path=("services", name, "scheduled_scaling", index, "min_count"),
                    rule=f"must not be above max_count {scheduled.max_count}",
                    got=scheduled.min_count,
                    remedy="Lower it, or raise max_count.",
                )


def ports_differ(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        for (first, one), (second, other) in combinations(service.ports.items(), 2):
            if one == other:
                yield Problem(
                    path=("services", name, "ports", second),
                    rule=f"must differ from port {first}",
                    got=other,
                    remedy="Choose another port.",
                )


def public_service_is_checked(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        if service.public and service.health.path is None:
            yield Problem(
                path=("services", name, "health", "path"),
                rule="is missing, and a public service needs it: only tasks that answer there get requests",
                remedy="Set it to the path that answers 200 when the service is well, such as /health.",
                file="system",
            )
        if (service.public or service.health.path is not None) and "http" not in service.ports:
            yield Problem(
                path=("services", name, "ports", "http"),
                rule="is missing, and it is the port on which the health path is asked",
                remedy="Set it to the port that the container listens on.",
                file="system",
            )
        if service.health.path is None and service.health.command is None and not service.public:
            yield Problem(
                path=("services", name, "health"),
                rule="must say path or command, or nobody sees that a task hangs",
                remedy="Add a command that ends with 0 when the service is well.",
            )


def scaling_has_its_figures(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        metrics = [rule.metric for rule in service.scaling]
        for index, rule in enumerate(service.scaling):
            path = ("services", name, "scaling", index)
            if rule.metric in ("requests_per_target", "latency_p95") and service.public is None:
                yield Problem(
                    path=(*path, "metric"),
                    rule="needs a public service, because the load balancer measures it",
                    got=rule.metric,
                    remedy="Use cpu, memory or queue.",
                )
            if rule.metric == "queue" and rule.queue not in settings.queues:
                yield Problem(
                    path=(*path, "queue"),
                    rule="must be a queue of `queues`",
                    got=rule.queue,
                    remedy=nearest(rule.queue, settings.queues),
                )
            if rule.metric == "queue" and rule.remove_below >= rule.add_above:
                yield Problem(
                    path=(*path, "remove_below"),
                    rule=f"must be less than add_above {rule.add_above}, or tasks come and go for ever",
                    got=rule.remove_below,
                    remedy="Lower it.",
                )
            if rule.metric != "queue" and rule.metric in metrics[:index]:
                yield Problem(
                    path=(*path, "metric"),
                    rule="must not stand twice",
                    got=rule.metric,
                    remedy="Remove one of the two.",
                )


def connections_are_declared(settings: Settings) -> Iterator[Problem]:
    stores = {"database", *settings.caches}
    for name, service in settings.services.items():
        for index, store in enumerate(service.connects_to):
            if store not in stores:
                yield Problem(
                    path=("services", name, "connects_to", index),
                    rule="must be database or a cache of `caches`",
                    got=store,
                    remedy=nearest(store, stores),
                )
        for store in sorted(stores - {*service.connects_to}):
            users = [
                variable
                for variable, template in {**service.environment, **service.secrets}.items()
                if store in map(_store, references(template))
            ]
            if users:
                yield Problem(
                    path=("services", name, "connects_to"),
                    rule=f"lacks {store}, to which {', '.join(users)} refer{'s' if len(users) == 1 else ''}",
                    remedy="Add it, or the firewall stays closed.",
                )


def _store(reference: str) -> str:
    """The store behind a reference: database.address -> database, caches.queue.port -> queue."""
    kind, _, rest = reference.partition(".")
    return rest.partition(".")[0] if kind == "caches" else kind


def database_login_is_sound(settings: Settings) -> Iterator[Problem]:
    roles = settings.database.roles
    for name, service in settings.services.items():
        login = service.database
        if login is None:
            continue
        if login.role not in roles:
            yield Problem(
                path=("services", name, "database", "role"),
                rule="must be a role of database.roles",
                got=login.role,
                remedy=nearest(login.role, roles),
            )
        if login.pool_min > login.pool_max:
            yield Problem(
                path=("services", name, "database", "pool_min"),
                rule=f"must not be above pool_max {login.pool_max}",
                got=login.pool_min,
                remedy="Lower it, or raise pool_max.",
            )


def tasks_have_a_service(settings: Settings) -> Iterator[Problem]:
    for name, task in settings.tasks.items():
        if task.service not in settings.services:
            yield Problem(
                path=("tasks", name, "service"),
                rule="must be a service of `services`",
                got=task.service,
                remedy=nearest(task.service, settings.services),
            )


RULES = (
    size_exists,
    counts_are_in_order,
    ports_differ,
    public_service_is_checked,
    scaling_has_its_figures,
    connections_are_declared,
    database_login_is_sound,
    tasks_have_a_service,
)
