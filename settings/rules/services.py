"""Services and tasks: sizes that Fargate has, counts, what the internet reaches, what they may use."""

import re
from collections.abc import Iterator
from itertools import combinations

from settings.data import fargate
from settings.data.kubernetes import mebibytes
from settings.model import METRICS_PORT, Settings
from settings.model.compute import QueueScaling, QueueWaitScaling
from settings.problems import Problem, nearest
from settings.reach import RESERVED
from settings.references import connectable, stores_behind


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
            # A service may answer for its metrics on the port on which it answers requests.
            if one == other and METRICS_PORT not in (first, second):
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


_MEASURED_BY_BALANCER = ("requests_per_target", "latency_p95", "latency_average")


def scaling_has_its_figures(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        metrics = [rule.metric for rule in service.scaling]
        policies = [(rule.metric, rule.name) for rule in service.scaling]
        for index, rule in enumerate(service.scaling):
            path = ("services", name, "scaling", index)
            if rule.metric in _MEASURED_BY_BALANCER and service.public is None:
                yield Problem(
                    path=(*path, "metric"),
                    rule="needs a public service, because the load balancer measures it",
                    got=rule.metric,
                    remedy="Use cpu, memory, queue or queue_wait.",
                )
            if isinstance(rule, QueueScaling | QueueWaitScaling) and rule.queue not in settings.queues:
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
            if rule.metric in metrics[:index] and rule.metric not in ("queue", "queue_wait"):
                yield Problem(
                    path=(*path, "metric"),
                    rule="must not stand twice",
                    got=rule.metric,
                    remedy="Remove one of the two.",
                )
            elif (rule.metric, rule.name) in policies[:index]:
                yield Problem(
                    path=(*path, "name"),
                    rule=f"must differ from that of the other rule on {rule.metric}, or the two cannot be told apart",
                    got=rule.name,
                    remedy="Give each rule on a queue a name of its own.",
                )
            elif rule.name is not None and rule.name in [name for _, name in policies[:index]]:
                yield Problem(
                    path=(*path, "name"),
                    rule="must be the name of one rule",
                    got=rule.name,
                    remedy="Choose another name.",
                )


def connections_are_declared(settings: Settings) -> Iterator[Problem]:
    stores = connectable(settings)
    for name, service in settings.services.items():
        for index, store in enumerate(service.connects_to):
            if store not in stores - {name}:
                yield Problem(
                    path=("services", name, "connects_to", index),
                    rule="must be database, or a cache, broker or other service with a port, by its name",
                    got=store,
                    remedy=nearest(store, stores - {name}),
                )
        for store in sorted(stores - {name, *service.connects_to}):
            users = [
                variable
                for variable, template in {**service.environment, **service.confidential}.items()
                if store in stores_behind(settings, template)
            ]
            if users:
                yield Problem(
                    path=("services", name, "connects_to"),
                    rule=f"lacks {store}, to which {', '.join(users)} refer{'s' if len(users) == 1 else ''}",
                    remedy="Add it, or the firewall stays closed.",
                )


def services_are_told_apart(settings: Settings) -> Iterator[Problem]:
    """Service Connect, security groups and variables call all of them by their names."""
    stores = {"database", *settings.caches, *settings.brokers}
    for name in settings.services:
        if name in stores:
            yield Problem(
                path=("services", name),
                rule="has the name of a store, and `connects_to` could not tell the two apart",
                remedy="Rename one of the two.",
            )
        elif name in RESERVED:
            yield Problem(
                path=("services", name),
                rule="has the name of a security group that every stack may have",
                remedy=f"Choose another name; taken are {', '.join(RESERVED)}.",
            )


def image_belongs_to_a_service(settings: Settings) -> Iterator[Problem]:
    own = [name for name, service in settings.services.items() if service.image_of is None]
    for name, service in settings.services.items():
        if service.image_of is not None and service.image_of not in own:
            yield Problem(
                path=("services", name, "image_of"),
                rule="must be a service with an image of its own",
                got=service.image_of,
                remedy=nearest(service.image_of, own),
            )


_HEAP_OPTION = re.compile(r"--max[-_]old[-_]space[-_]size=(\d+)")


def heap_fits_the_task(settings: Settings) -> Iterator[Problem]:
    """Node's heap beside everything else that the process needs (monorepo guide L548: 4096 MB want a larger task)."""
    kind = "pod" if settings.cluster else "task"
    for name, service in settings.services.items():
        memory_mib, key = service.memory_mib, "memory_mib"
        if settings.cluster and service.kubernetes.limits:
            memory_mib, key = mebibytes(service.kubernetes.limits.memory), "kubernetes.limits.memory"
        told = {
            ("command",): " ".join(service.command or ()),
            ("environment", "NODE_OPTIONS"): service.environment.get("NODE_OPTIONS", ""),
        }
        for where, text in told.items():
            option = _HEAP_OPTION.search(text)
            if option and int(option[1]) >= memory_mib:
                yield Problem(
                    path=("services", name, *where),
                    rule=f"lets the heap grow to the {kind}'s whole memory of {memory_mib} MiB, and then it is "
                    "killed",
                    got=option[0],
                    remedy=f"Leave a quarter of {key} to the rest of the process.",
                )


def memory_reservation_fits(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        if service.memory_reservation_mib is not None and service.memory_reservation_mib > service.memory_mib:
            yield Problem(
                path=("services", name, "memory_reservation_mib"),
                rule=f"must not be above memory_mib {service.memory_mib}",
                got=service.memory_reservation_mib,
                remedy="Lower it, or raise memory_mib.",
            )


def database_login_is_sound(settings: Settings) -> Iterator[Problem]:
    roles = settings.database.roles if settings.database else {}
    for name, service in settings.services.items():
        login = service.database
        if login is None:
            continue
        if settings.database is None:
            yield Problem(
                path=("services", name, "database"),
                rule="names a login, and the stack has no database of its own",
                remedy="Remove it; a database that is run elsewhere is reached by a secret with its URL.",
            )
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


RULES = (
    size_exists,
    counts_are_in_order,
    ports_differ,
    public_service_is_checked,
    scaling_has_its_figures,
    services_are_told_apart,
    image_belongs_to_a_service,
    heap_fits_the_task,
    memory_reservation_fits,
    connections_are_declared,
    database_login_is_sound,
)
