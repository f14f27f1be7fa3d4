"""Kubernetes: one cluster, objects whose names differ, sizes in order, secrets that are fetched."""

import re
from collections.abc import Iterator

from settings.data.kubernetes import FAMILIES_WITHOUT_POD_INTERFACES, mebibytes, millicores
from settings.kubernetes import (
    SecretSource,
    default_limits,
    deployment_name,
    hpa_name,
    named_secrets,
    own_secret,
    secret_sources,
)
from settings.model import Settings
from settings.model.compute import LatencyScaling, RequestScaling
from settings.problems import Path, Problem, nearest

_GRAVITON = re.compile(r"[a-z]+[0-9]+g")
LAST_ORDER = 1000  # guide of the AWS Load Balancer Controller, group.order
LONGEST_NAME = 52  # of a label's 63 characters the names of pods and of jobs take the rest


OURS, THEIRS = ("nodes", "admin_role_arns"), ("cluster_name", "node_security_group_id")


def cluster_is_made_or_named(settings: Settings) -> Iterator[Problem]:
    if settings.compute == "ecs":
        yield from _without_place(settings, (*OURS, *THEIRS), "compute is ecs", "compute")
        return
    is_made = settings.kubernetes.create_cluster
    wanted, refused = (OURS, THEIRS) if is_made else (THEIRS, OURS)
    kind = "the stack makes the cluster" if is_made else "the cluster exists already"
    for key in wanted:
        if not getattr(settings.kubernetes, key):
            yield Problem(
                path=("kubernetes", key),
                rule=f"is missing, and {kind}",
                remedy="Add it, or change create_cluster.",
                file="stack",
            )
    yield from _without_place(settings, refused, kind, "create_cluster")


def _without_place(settings: Settings, keys: tuple[str, ...], why: str, other: str) -> Iterator[Problem]:
    for key in keys:
        if getattr(settings.kubernetes, key):
            yield Problem(
                path=("kubernetes", key),
                rule=f"has no place where {why}",
                remedy=f"Remove it, or change {other}.",
            )


def nodes_hold_pods(settings: Settings) -> Iterator[Problem]:
    if settings.kubernetes.nodes is None:
        return
    nodes, path = settings.kubernetes.nodes, ("kubernetes", "nodes")
    for index, kind in enumerate(nodes.instance_types):
        if kind.partition(".")[0] in FAMILIES_WITHOUT_POD_INTERFACES:
            yield Problem(
                path=(*path, "instance_types", index),
                rule="must be a type on which a pod can have security groups of its own, and no t family has them",
                got=kind,
                remedy="Use m7i.large.",
            )
        elif _GRAVITON.match(kind):
            yield Problem(
                path=(*path, "instance_types", index),
                rule="must have the processor that images are built for, which is amd64",
                got=kind,
                remedy="Use m7i.large.",
            )
    if nodes.min_count > nodes.max_count:
        yield Problem(
            path=(*path, "min_count"),
            rule=f"must not be above max_count {nodes.max_count}",
            got=nodes.min_count,
            remedy="Lower it, or raise max_count.",
        )


def limits_cover_requests(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        wanted = service.kubernetes
        if wanted.requests is None:
            continue
        limits = wanted.limits or default_limits(service)
        for key, asked, limit, amount in (
            ("cpu", wanted.requests.cpu, limits.cpu, millicores),
            ("memory", wanted.requests.memory, limits.memory, mebibytes),
        ):
            if amount(asked) > amount(limit):
                yield Problem(
                    path=("services", name, "kubernetes", "requests", key),
                    rule=f"must not be above the limit {limit}",
                    got=asked,
                    remedy="Lower it, or raise the limit.",
                )


def replicas_are_in_bounds(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        replicas = service.kubernetes.replicas
        if replicas is not None and not service.min_count <= replicas <= service.max_count:
            yield Problem(
                path=("services", name, "kubernetes", "replicas"),
                rule=f"must be between min_count {service.min_count} and max_count {service.max_count}",
                got=replicas,
                remedy=f"Set it to {min(max(replicas, service.min_count), service.max_count)}.",
            )


def pods_can_be_what_is_asked(settings: Settings) -> Iterator[Problem]:
    """What ECS can, and Kubernetes cannot or would do otherwise."""
    if settings.cluster is None:
        return
    for name, service in settings.services.items():
        if not all(part.isdecimal() for part in service.user.split(":")):
            yield Problem(
                path=("services", name, "user"),
                rule="must be a number on Kubernetes, which cannot tell whether a name means root",
                got=service.user,
                remedy='Set it to the user\'s number, such as "1000".',
            )
        if service.scaling and service.min_count < 1:
            yield Problem(
                path=("services", name, "min_count"),
                rule="must be 1 or more: an autoscaler of Kubernetes does not go down to none",
                got=service.min_count,
                remedy="Set it to 1.",
            )
        if settings.has_log_router(name):
            yield Problem(
                path=("observability", "log_router", "except_services"),
                rule=f"lacks {name}, and a log router runs beside tasks of ECS only",
                remedy="Add it, or remove log_router: CloudWatch gets every line all the same.",
            )
        if service.scheduled_scaling:
            yield Problem(
                path=("services", name, "scheduled_scaling"),
                rule="is for ECS: an autoscaler of Kubernetes has one pair of bounds",
                remedy="Remove it, or set compute to ecs.",
            )


def probes_have_a_port(settings: Settings) -> Iterator[Problem]:
    for name, service in settings.services.items():
        for key in ("liveness", "readiness"):
            if getattr(service.kubernetes, key) is not None and "http" not in service.ports:
                yield Problem(
                    path=("services", name, "kubernetes", key),
                    rule="is asked on the http port, and the service has none",
                    remedy="Add http to `ports`, or say health.command instead.",
                )


def objects_are_told_apart(settings: Settings) -> Iterator[Problem]:
    """One namespace holds them all."""
    taken: dict[tuple[str, str], str] = {}
    checked: list[tuple[Path, str, str]] = []
    for name in settings.services:
        path: Path = ("services", name, "kubernetes")
        checked.append(((*path, "name"), "Deployment", deployment_name(settings, name)))
        checked.append(((*path, "hpa_name"), "HorizontalPodAutoscaler", hpa_name(settings, name)))
        if own_secret(settings, name) in settings.kubernetes.secrets:
            yield Problem(
                path=("kubernetes", "secrets", own_secret(settings, name)),
                rule=f"is the name of a Secret that {name} has for itself",
                remedy="Choose another name.",
            )
    for name, task in settings.tasks.items():
        if task.kubernetes is None:
            continue
        checked.append((("tasks", name, "kubernetes", "job"), "Job", task.kubernetes.job))
    for path, kind, name in checked:
        if len(name) > LONGEST_NAME:
            yield Problem(
                path=path,
                rule=f"must have at most {LONGEST_NAME} characters",
                got=name,
                remedy="Shorten it.",
            )
        if (kind, name) in taken:
            yield Problem(
                path=path,
                rule=f"must be a {kind} that nothing else has, and {taken[kind, name]} has it",
                got=name,
                remedy="Choose another name.",
            )
        taken.setdefault((kind, name), f"{path[0]}.{path[1]}")


def jobs_run_as_their_service(settings: Settings) -> Iterator[Problem]:
    for name, task in settings.tasks.items():
        if task.kubernetes is None:
            continue
        for key, why in (
            ("as_master", "has the rights of its service, and as_master asks for others"),
            ("sql", "runs the image of its service, and sql has none"),
            ("schedule", "runs before its service is rolled out, and schedule asks for another time"),
        ):
            if getattr(task, key):
                yield Problem(
                    path=("tasks", name, "kubernetes", "job"),
                    rule=why,
                    remedy=f"Remove kubernetes or {key}: an operator runs the task on ECS.",
                )


def named_secrets_are_read(settings: Settings) -> Iterator[Problem]:
    if settings.cluster is None:
        return
    sources = secret_sources(settings)
    read = {(source.secret, source.key) for source in sources}
    templates = sorted({source.template for source in sources})
    for secret, key, template in named_secrets(settings):
        if (secret, key) not in read:
            yield Problem(
                path=("kubernetes", "secrets", secret, key),
                rule="must be what a variable of a service is, and none is just that",
                got=template,
                remedy=nearest(template, templates),
            )


def named_secrets_have_one_content(settings: Settings) -> Iterator[Problem]:
    """Services may share a Secret; then all of them must mean the same by each of its keys."""
    first: dict[tuple[str, str], SecretSource] = {}
    is_fetched: dict[str, bool] = {}
    for source in secret_sources(settings):
        is_fetched[source.secret] = is_fetched.get(source.secret, False) or source.is_confidential
        other = first.setdefault((source.secret, source.key), source)
        if other.meaning != source.meaning:
            yield Problem(
                path=("kubernetes", "secrets", source.secret, source.key),
                rule=f"means {other.meaning} to {other.service} and {source.meaning} to {source.service}",
                remedy="Leave it out: then each service has it in a Secret of its own.",
            )
    for secret in settings.kubernetes.secrets:
        if not is_fetched.get(secret, True):
            yield Problem(
                path=("kubernetes", "secrets", secret),
                rule="holds nothing that is secret",
                remedy="Add the password that belongs to it, or leave the variables plain.",
            )


MEASURED = (
    ("alerts", "server_errors_per_5_minutes"),
    ("alerts", "error_rate_percent"),
    ("alerts", "latency_p95_s"),
    ("slo", "error_rate_percent"),
    ("slo", "latency_p95_s"),
)
UNMEASURED = "needs the figures of a load balancer that the stack makes, and kubernetes.routing is ingress"
KEEP_BALANCER = "or set kubernetes.routing to target_groups"


def ingress_has_a_cluster(settings: Settings) -> Iterator[Problem]:
    if settings.compute == "ecs" and settings.kubernetes.routing == "ingress":
        yield Problem(
            path=("kubernetes", "routing"),
            rule="has no place where compute is ecs",
            got="ingress",
            remedy="Remove it, or change compute.",
        )


def ingress_is_not_measured(settings: Settings) -> Iterator[Problem]:
    """Its load balancer has a name that only the controller knows, and figures have that name."""
    if not settings.routes_by_ingress:
        return
    for name, service in settings.services.items():
        for index, scaling in enumerate(service.scaling):
            if isinstance(scaling, RequestScaling | LatencyScaling):
                yield Problem(
                    path=("services", name, "scaling", index, "metric"),
                    rule=UNMEASURED,
                    got=scaling.metric,
                    remedy=f"Use cpu, memory, queue or queue_wait, {KEEP_BALANCER}.",
                )
    observability = settings.observability
    for block, key in MEASURED:
        figure = getattr(getattr(observability, block), key)
        if figure is not None:
            yield Problem(
                path=("observability", block, key),
                rule=UNMEASURED,
                got=figure,
                remedy=f"Set it to null in the stack file (a rule of Prometheus can watch the same), {KEEP_BALANCER}.",
            )
    for index, section in enumerate(observability.dashboard.sections):
        if section == "Request Rate & Latency":
            yield Problem(
                path=("observability", "dashboard", "sections", index),
                rule=UNMEASURED,
                got=section,
                remedy=f"Remove it, {KEEP_BALANCER}.",
            )


def ingress_can_be_what_is_asked(settings: Settings) -> Iterator[Problem]:
    if not settings.routes_by_ingress:
        return
    if settings.network.nat_gateways == "none":
        yield Problem(
            path=("network", "nat_gateways"),
            rule="must not be none where kubernetes.routing is ingress: external-dns calls Route 53 and the controller "
            "WAF, which are reached from a subnet with a way out only",
            got="none",
            remedy=f"Set it to single, {KEEP_BALANCER}.",
        )
    grafana = settings.observability.grafana
    if grafana and grafana.enabled and grafana.redirects:
        yield Problem(
            path=("observability", "grafana", "redirects"),
            rule="are rules of a load balancer that the stack makes, and kubernetes.routing is ingress",
            remedy=f"Set them to null in the stack file (people open Grafana by its own name), {KEEP_BALANCER}.",
        )
    for name, service in settings.services.items():
        if service.names.target_group:
            yield Problem(
                path=("services", name, "names", "target_group"),
                rule="cannot be chosen where kubernetes.routing is ingress: the controller names target groups",
                got=service.names.target_group,
                remedy=f"Remove it, {KEEP_BALANCER}.",
            )
    yield from _orders(settings)


def _orders(settings: Settings) -> Iterator[Problem]:
    """An Ingress has one place for all its paths, where a listener has one for each rule."""
    public = {name: service.public for name, service in settings.services.items() if service.public}
    for name, own in public.items():
        path: Path = ("services", name, "public", "priority")
        if own.priority > LAST_ORDER:
            yield Problem(
                path=path,
                rule=f"must be at most {LAST_ORDER} where kubernetes.routing is ingress",
                got=own.priority,
                remedy="Lower it, and those of the other services with it.",
            )
        for other, theirs in public.items():
            if other != name and min(theirs.priorities) < own.priority < theirs.priority:
                yield Problem(
                    path=path,
                    rule=f"lies between the places that {other} takes, and an Ingress is asked as a whole",
                    got=own.priority,
                    remedy=f"Set it below {min(theirs.priorities)} or above {theirs.priority}.",
                )


RULES = (
    cluster_is_made_or_named,
    nodes_hold_pods,
    limits_cover_requests,
    replicas_are_in_bounds,
    pods_can_be_what_is_asked,
    probes_have_a_port,
    objects_are_told_apart,
    jobs_run_as_their_service,
    named_secrets_are_read,
    named_secrets_have_one_content,
    ingress_has_a_cluster,
    ingress_is_not_measured,
    ingress_can_be_what_is_asked,
)
