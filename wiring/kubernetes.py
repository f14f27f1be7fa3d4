"""Kubernetes instead of ECS: the cluster, its namespace, and the services as pods. The rest of the stack is the same.

Load balancer, target groups, security groups, roles, logs and secrets are those that the services have on ECS; only
what runs the containers is another. Where `routing` is ingress, the load balancer is another too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pulumi
import pulumi_kubernetes as kubernetes

from components import _iam
from components._containers import Container
from components._pods import Pod, Probe, SecretKey, Size
from components._scalers import CloudWatch, Scaling, Utilization
from components._scalers import Rule as ScalerRule
from components._watch import Watch
from components.kubernetes_cluster import Controller, KubernetesCluster, KubernetesClusterArgs, Nodes
from components.kubernetes_namespace import (
    FetchedSecret,
    KubernetesNamespace,
    KubernetesNamespaceArgs,
    Remote,
)
from components.kubernetes_workload import Job, KubernetesWorkload, KubernetesWorkloadArgs, Peer
from components.load_balancer import LoadBalancer
from components.queue_metrics import QueueMetrics
from components.service import PublicRoute
from settings import model, references
from settings.kubernetes import (
    default_limits,
    default_requests,
    deployment_name,
    hpa_name,
    namespace,
    secret_sources,
)
from settings.model import Settings
from settings.model.compute import (
    CpuScaling,
    LatencyScaling,
    MemoryScaling,
    QueueScaling,
    QueueWaitScaling,
    RequestScaling,
    ScalingRule,
)
from settings.model.kubernetes import Kubernetes
from settings.model.kubernetes import Probe as WantedProbe
from settings.reach import COLLECTOR, CONTROL_PLANE, INTERNET, NODES, S3, reaches
from wiring import kubernetes_ingress
from wiring.edge import Edge
from wiring.foundation import Foundation

ANYWHERE = "0.0.0.0/0"
COLLECTOR_SIZE = Size(cpu_request="250m", memory_request="512Mi", cpu_limit="250m", memory_limit="512Mi")
PASSWORD = "password"
SHORT_DIGEST = 12


@dataclass(frozen=True, kw_only=True)
class Part:
    """What both targets make of a service's settings.

    `container` may hold secrets, which are left out here; `arns` are all that its variables may name, by reference;
    `values` what its plain variables may. `jobs` are the containers that run to their end before it, by task.
    """

    container: Container
    arns: Mapping[str, pulumi.Output[str]]
    values: Mapping[str, pulumi.Input[str]]
    statements: Sequence[_iam.Statement] = ()
    scaling: Sequence[ScalerRule] = ()
    jobs: Mapping[str, Container]


@dataclass(frozen=True, kw_only=True)
class CollectorPart:
    """What scrapes the pods."""

    container: Container
    statements: Sequence[_iam.Statement]


@dataclass(frozen=True, kw_only=True)
class Pods:
    """One service as pods; it looks to the rest of the stack as a service on ECS does."""

    name: str
    log_group_name: pulumi.Output[str]
    watches: Sequence[Watch]


@dataclass(frozen=True, kw_only=True)
class Target:
    """`cluster` only where the stack makes its own."""

    cluster: KubernetesCluster | None
    services: Mapping[str, Pods]
    collector: Pods | None


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where pods go: a cluster, and how Pulumi reaches it."""

    cluster_name: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    namespace: pulumi.Input[str]
    secrets: Sequence[pulumi.Resource]
    opts: pulumi.ResourceOptions | None


def build(
    settings: Settings,
    base: Foundation,
    front: Edge,
    wanted: Kubernetes,
    parts: Mapping[str, Part],
    routes: Mapping[str, PublicRoute],
    collector: CollectorPart | None,
) -> Target:
    cluster, opts = None, None
    cluster_name: pulumi.Input[str] = wanted.cluster_name or ""
    cluster_arn: pulumi.Input[str] = (
        f"arn:aws:eks:{settings.region}:{settings.account}:cluster/{wanted.cluster_name}"
    )
    if wanted.create_cluster:
        controllers = list(_controllers(settings, base, front, parts, routes))
        cluster = _cluster(settings, base, wanted, controllers)
        cluster_name, cluster_arn = cluster.name, cluster.arn
        provider = kubernetes.Provider(
            "kubernetes",
            kubeconfig=cluster.kubeconfig,
            opts=pulumi.ResourceOptions(depends_on=cluster.ready),
        )
        opts = pulumi.ResourceOptions(providers=[provider])
    space = KubernetesNamespace(
        "namespace",
        KubernetesNamespaceArgs(
            namespace=namespace(settings),
            region=settings.region,
            secrets=_secrets(settings, parts),
            scales_on_metrics=_scales_on_metrics(parts),
        ),
        opts,
    )
    place = _Place(
        cluster_name=cluster_name,
        cluster_arn=cluster_arn,
        namespace=space.name,
        secrets=space.secrets,
        opts=opts,
    )
    return Target(
        cluster=cluster,
        services={
            name: _service(settings, base, front, place, name, part, routes.get(name))
            for name, part in parts.items()
        },
        collector=_collector(settings, base, place, collector) if collector else None,
    )


def metrics_address(settings: Settings, name: str) -> str:
    """The name behind which every pod of a service has its own address."""
    return f"{name}-metrics.{namespace(settings)}.svc.cluster.local"


def _cluster(
    settings: Settings, base: Foundation, wanted: Kubernetes, controllers: Sequence[Controller]
) -> KubernetesCluster:
    nodes = wanted.nodes
    if nodes is None:
        # The settings' rules refuse this before anything is made.
        raise ValueError("a cluster that the stack makes needs nodes")
    return KubernetesCluster(
        "kubernetes",
        KubernetesClusterArgs(
            cluster_name=settings.name_prefix,
            version=wanted.version,
            account_id=settings.account,
            region=settings.region,
            subnet_ids=base.network.private_subnet_ids,
            control_plane_security_group_id=base.firewall.group_ids[CONTROL_PLANE],
            node_security_group_id=base.firewall.group_ids[NODES],
            nodes=Nodes(
                instance_types=nodes.instance_types,
                min_count=nodes.min_count,
                max_count=nodes.max_count,
                disk_gib=nodes.disk_gib,
            ),
            admin_role_arns=wanted.admin_role_arns,
            controllers=controllers,
            secrets_key_arn=base.keys.arns["secrets"],
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            namespace=namespace(settings),
            protect=settings.protect,
            tags=base.tags,
        ),
    )


def _controllers(
    settings: Settings,
    base: Foundation,
    front: Edge,
    parts: Mapping[str, Part],
    routes: Mapping[str, PublicRoute],
) -> Iterator[Controller]:
    """What the programs of the cluster may do for this stack: read its secrets, register its targets, see figures."""
    arns = dict.fromkeys(
        parts[source.service].arns[references.references(source.template)[0]]
        for source in secret_sources(settings)
        if source.is_confidential and source.service in parts
    )
    if arns:
        yield Controller(
            name="external-secrets",
            namespace="external-secrets",
            service_account="external-secrets",
            statements=[
                _iam.statement(
                    ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
                    list(arns),
                    sid="ReadSecrets",
                ),
                _iam.statement(
                    "kms:Decrypt",
                    base.keys.arns["secrets"],
                    conditions={
                        "StringEquals": {"kms:ViaService": f"secretsmanager.{settings.region}.amazonaws.com"}
                    },
                    sid="DecryptSecrets",
                ),
            ],
        )
    if routes:
        yield Controller(
            name="load-balancer",
            namespace="kube-system",
            service_account="aws-load-balancer-controller",
            statements=[
                _iam.statement(
                    ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"],
                    [route.target_group_arn for route in routes.values()],
                    sid="RegisterPods",
                ),
                # EC2 and Elastic Load Balancing know no narrower resource for what is only looked at.
                _iam.statement(
                    [
                        "ec2:DescribeAvailabilityZones",
                        "ec2:DescribeInstances",
                        "ec2:DescribeNetworkInterfaces",
                        "ec2:DescribeSecurityGroups",
                        "ec2:DescribeSubnets",
                        "ec2:DescribeVpcs",
                        "elasticloadbalancing:DescribeTargetGroups",
                        "elasticloadbalancing:DescribeTargetHealth",
                    ],
                    "*",
                    sid="Look",
                ),
            ],
        )
    if front.ingress_group and any(settings.services[name].public for name in parts):
        yield from kubernetes_ingress.controllers(settings, front)
    if _scales_on_metrics(parts):
        yield Controller(
            name="keda",
            namespace="keda",
            service_account="keda-operator",
            statements=[_iam.statement("cloudwatch:GetMetricData", "*", sid="ReadFigures")],
        )


def _scales_on_metrics(parts: Mapping[str, Part]) -> bool:
    return any(isinstance(rule, CloudWatch) for part in parts.values() for rule in part.scaling)


def _secrets(settings: Settings, parts: Mapping[str, Part]) -> list[FetchedSecret]:
    remote: dict[str, dict[str, Remote]] = {}
    plain: dict[str, dict[str, pulumi.Input[str]]] = {}
    for source in secret_sources(settings):
        part = parts.get(source.service)
        if part is None:
            continue
        remote.setdefault(source.secret, {})
        if source.is_confidential:
            reference = references.references(source.template)[0]
            # A login is JSON, of which the variable holds one part.
            remote[source.secret][source.key] = Remote(
                arn=part.arns[reference],
                property=PASSWORD if reference.endswith(f".{PASSWORD}") else None,
            )
        else:
            content = pulumi.Output.concat(*references.resolve(source.template, part.values))
            plain.setdefault(source.secret, {})[source.key] = content
    return [FetchedSecret(name=name, remote=keys, plain=plain.get(name, {})) for name, keys in remote.items()]


def _service(
    settings: Settings,
    base: Foundation,
    front: Edge,
    place: _Place,
    name: str,
    part: Part,
    public: PublicRoute | None,
) -> Pods:
    service = settings.services[name]
    wanted = service.kubernetes
    own = [source for source in secret_sources(settings) if source.service == name]
    places = {source: SecretKey(secret=source.secret, key=source.key) for source in own}
    secrets = {source.variable: place for source, place in places.items() if source.file is None}
    files = {source.file: place for source, place in places.items() if source.file is not None}
    size = _size(service)
    workload = KubernetesWorkload(
        name,
        KubernetesWorkloadArgs(
            cluster_name=place.cluster_name,
            cluster_arn=place.cluster_arn,
            namespace=place.namespace,
            service_name=name,
            deployment_name=deployment_name(settings, name),
            pod=Pod(
                container=_without(part.container, secrets),
                size=size,
                secrets=secrets,
                files=files,
                liveness=_liveness(service),
                readiness=_readiness(service),
            ),
            replicas=service.desired_count if wanted.replicas is None else wanted.replicas,
            scaling=Scaling(
                name=hpa_name(settings, name),
                min_count=max(service.min_count, 1),
                max_count=service.max_count,
                rules=part.scaling,
            ),
            jobs=[
                Job(
                    name=job_name(settings, task),
                    pod=Pod(container=_without(container, secrets), size=size, secrets=secrets, files=files),
                )
                for task, container in part.jobs.items()
            ],
            after=place.secrets,
            target_group_arn=public.target_group_arn if public else None,
            target_port=service.ports["http"] if public else None,
            metrics_port=settings.scraped.get(name),
            security_group_ids=[base.firewall.group_ids[name]],
            ways_in=_distinct(_ways_in(settings, name)),
            ways_out=_distinct(_ways_out(settings, name)),
            statements=part.statements,
            account_id=settings.account,
            region=settings.region,
            log_group_name=service.names.log_group or f"/{base.path}/{name}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            cpu_alarm_percent=settings.observability.alerts.service_cpu_percent,
            memory_alarm_percent=settings.observability.alerts.service_memory_percent,
            tags=base.tags,
        ),
        place.opts,
    )
    if front.ingress_group:
        kubernetes_ingress.build(settings, front.ingress_group, name, place.namespace, workload, place.opts)
    return Pods(
        name=workload.name,
        log_group_name=workload.log_group_name,
        watches=[*workload.watches, *(public.watches if public else [])],
    )


def _collector(settings: Settings, base: Foundation, place: _Place, part: CollectorPart) -> Pods:
    command = part.container.health_command
    workload = KubernetesWorkload(
        COLLECTOR,
        KubernetesWorkloadArgs(
            cluster_name=place.cluster_name,
            cluster_arn=place.cluster_arn,
            namespace=place.namespace,
            service_name=COLLECTOR,
            deployment_name=COLLECTOR,
            pod=Pod(
                container=part.container,
                size=COLLECTOR_SIZE,
                liveness=Probe(command=command, initial_delay_s=60) if command else None,
            ),
            replicas=1,
            scaling=Scaling(name=COLLECTOR, min_count=1, max_count=1),
            security_group_ids=[base.firewall.group_ids[COLLECTOR]],
            ways_in=_distinct(_ways_in(settings, COLLECTOR)),
            ways_out=_distinct(_ways_out(settings, COLLECTOR)),
            statements=part.statements,
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/{COLLECTOR}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            tags=base.tags,
        ),
        place.opts,
    )
    return Pods(name=workload.name, log_group_name=workload.log_group_name, watches=workload.watches)


def _without(container: Container, secrets: Mapping[str, SecretKey]) -> Container:
    """Without what is read from a Secret, by its ARN or in plain."""
    plain = {name: value for name, value in container.environment.items() if name not in secrets}
    return replace(container, environment=plain, secrets={})


def job_name(settings: Settings, task: str) -> str:
    """With the version of the image: a Job never changes, and a new version is a new one."""
    wanted = settings.tasks[task]
    service = settings.services[wanted.service] if wanted.service else None
    tag = wanted.image_tag or (service.image_tag if service else None) or ""
    if tag.startswith("sha256:"):
        tag = tag.removeprefix("sha256:")[:SHORT_DIGEST]
    suffix = re.sub(r"[^a-z0-9]+", "-", tag.lower()).strip("-")
    name = wanted.kubernetes.job if wanted.kubernetes else task
    return f"{name}-{suffix}"[:63].rstrip("-")


def _size(service: model.Service) -> Size:
    limits = service.kubernetes.limits or default_limits(service)
    requests = service.kubernetes.requests or default_requests(service)
    return Size(
        cpu_request=requests.cpu,
        memory_request=requests.memory,
        cpu_limit=limits.cpu,
        memory_limit=limits.memory,
    )


def _liveness(service: model.Service) -> Probe | None:
    """The container's own check: a pod that fails it is started anew."""
    health, wanted = service.health, service.kubernetes.liveness
    if wanted is not None:
        return _asked(service, wanted, failure_threshold=health.retries)
    path = health.live_path or health.path
    if path is None and not health.command:
        return None
    return Probe(
        path=None if health.command else path,
        port=None if health.command else service.ports["http"],
        command=health.command or (),
        initial_delay_s=health.start_period_s,
        period_s=health.own_interval_s,
        timeout_s=health.own_timeout_s,
        failure_threshold=health.retries,
    )


def _readiness(service: model.Service) -> Probe | None:
    """What the load balancer asks: a pod that fails it gets no requests."""
    health, wanted = service.health, service.kubernetes.readiness
    if wanted is not None:
        return _asked(service, wanted, failure_threshold=health.unhealthy_threshold)
    if health.path is None:
        return None
    return Probe(
        path=health.path,
        port=service.ports["http"],
        period_s=health.interval_s,
        timeout_s=health.timeout_s,
        failure_threshold=health.unhealthy_threshold,
    )


def _asked(service: model.Service, wanted: WantedProbe, *, failure_threshold: int) -> Probe:
    return Probe(
        path=wanted.path,
        port=service.ports["http"],
        initial_delay_s=wanted.initial_delay_s,
        period_s=wanted.period_s,
        failure_threshold=failure_threshold,
    )


def _ways_in(settings: Settings, name: str) -> Iterator[Peer]:
    """The machine's own questions are always let through."""
    for reach in reaches(settings):
        if reach.target == name and reach.source != NODES:
            yield _peer(settings, reach.source, reach.port, reach.protocol)


def _ways_out(settings: Settings, name: str) -> Iterator[Peer]:
    """S3 is on the internet's addresses, and names of the cluster are open to every pod."""
    for reach in reaches(settings):
        if reach.source == name and reach.target not in (S3, NODES):
            yield _peer(settings, reach.target, reach.port, reach.protocol)


def _distinct(peers: Iterator[Peer]) -> list[Peer]:
    return list(dict.fromkeys(peers))


def _peer(settings: Settings, end: str, port: int, protocol: Literal["tcp", "udp"]) -> Peer:
    """Stores have no pods, and their addresses move: which of them it is, the security groups say."""
    inside = settings.network.cidr_block
    if end in settings.services or end == COLLECTOR:
        return Peer(service=end, port=port, protocol=protocol)
    if end == INTERNET:
        return Peer(block=ANYWHERE, but=(inside,), port=port, protocol=protocol)
    return Peer(block=inside, port=port, protocol=protocol)


def rule(
    wanted: ScalingRule,
    *,
    load_balancer: LoadBalancer | None,
    public: PublicRoute | None,
    queue_metrics: QueueMetrics | None,
) -> ScalerRule:
    """The same figure that scales the service on ECS, held where ECS adds tasks."""
    if isinstance(wanted, CpuScaling | MemoryScaling):
        return Utilization(resource=wanted.metric, target_percent=wanted.target_percent)
    if (
        isinstance(wanted, RequestScaling | LatencyScaling)
        and public is not None
        and load_balancer is not None
    ):
        figures = {"LoadBalancer": load_balancer.arn_suffix, "TargetGroup": public.target_group_arn_suffix}
        is_latency = isinstance(wanted, LatencyScaling)
        return CloudWatch(
            name="latency" if is_latency else "requests",
            namespace="AWS/ApplicationELB",
            metric_name="TargetResponseTime" if is_latency else "RequestCountPerTarget",
            dimensions=figures,
            stat=("p95" if wanted.metric == "latency_p95" else "Average") if is_latency else "Sum",
            target=wanted.above_s if isinstance(wanted, LatencyScaling) else wanted.target_per_minute,
        )
    if isinstance(wanted, QueueScaling | QueueWaitScaling) and queue_metrics is not None:
        is_length = isinstance(wanted, QueueScaling)
        figure = queue_metrics.metric(wanted.queue, "QueueLength" if is_length else "QueueOldestWaitSeconds")
        return CloudWatch(
            name=f"{'queue' if is_length else 'wait'}-{wanted.queue}",
            namespace=figure.namespace,
            metric_name=figure.metric_name,
            dimensions=figure.dimensions,
            stat="Maximum",
            target=wanted.add_above if isinstance(wanted, QueueScaling) else wanted.above_s,
        )
    # The settings' rules refuse this before anything is made.
    raise ValueError(f"scaling by {wanted.metric} needs a public service or a queue")
