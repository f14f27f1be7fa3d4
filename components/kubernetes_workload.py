"""A service on Kubernetes: its Deployment and everything around it, with the rules that a Fargate service has.

Pods are replaced without a gap, spread over zones, run as nobody special, reach and are reached only by whom
`network` names, and hold the AWS rights of `statements` by EKS Pod Identity. Secrets are named, never held: who puts
them into the namespace is said elsewhere. Behind a load balancer its pods are targets of a target group that exists
already, so that certificate, firewall, routes and alarms are those of the other target.

Needs in the cluster: the AWS Load Balancer Controller (a route), metrics-server or KEDA (scaling), and the VPC CNI
with security groups for pods. docs/decisions/kubernetes-target.md says why and how they come there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from components import _iam, _pods, _scalers
from components._pods import APP, SERVICE, Manifest, Pod
from components._scalers import Scaling
from components._watch import Metric, Watch

JOB_KEPT_S = 7 * 24 * 3600  # a job that ended can be looked at for a week
JOB_TRIES = 2
ROLLOUT_S = 900
DNS = 53
POD_IDENTITY = "169.254.170.23/32"  # EKS user guide, "Learn how EKS Pod Identity grants pods access"
KEDA_AUTHENTICATION = "keda"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Who is at the other end: the pods of a service by its name, or an address block; in it not those of `but`."""

    service: str | None = None
    block: pulumi.Input[str] | None = None
    but: Sequence[pulumi.Input[str]] = ()
    port: int
    protocol: Literal["tcp", "udp"] = "tcp"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Runs to its end before the Deployment is touched. `name` must change with the image: a Job never does."""

    name: str
    pod: Pod


@dataclass(frozen=True, kw_only=True)
class KubernetesWorkloadArgs:
    """`service_name` is how other pods call it and whose connections it has; `deployment_name` a physical name.

    Pods start after the objects of `after`, such as the Secrets that they read. `metrics_port` gives each pod an
    address under `<service_name>-metrics`, for whoever scrapes them. The `..._alarm_percent` are of the pods' limits,
    and looked at for 5 minutes; None is 90 for 15 minutes.
    """

    cluster_name: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    namespace: pulumi.Input[str]
    service_name: str
    deployment_name: str
    pod: Pod
    replicas: int
    scaling: Scaling
    jobs: Sequence[Job] = ()
    after: Sequence[pulumi.Resource] = ()
    target_group_arn: pulumi.Input[str] | None = None
    target_port: int | None = None
    metrics_port: int | None = None
    security_group_ids: Sequence[pulumi.Input[str]]
    ways_in: Sequence[Peer] = ()
    ways_out: Sequence[Peer] = ()
    statements: Sequence[_iam.Statement] = ()
    account_id: pulumi.Input[str]
    region: str
    log_group_name: str
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    cpu_alarm_percent: float | None = None
    memory_alarm_percent: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError(f"kubernetes workload {self.deployment_name}: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        if self.replicas < 0:
            yield f"replicas must be 0 or more, got {self.replicas}"
        yield from self.scaling.problems()
        yield from _pods.problems(self.pod)
        for job in self.jobs:
            yield from (f"job {job.name}: {problem}" for problem in _pods.problems(job.pod))
        if (self.target_group_arn is None) != (self.target_port is None):
            yield "target_group_arn and target_port go together: the group's targets are asked on that port"
        if self.target_port is not None and self.pod.readiness is None:
            yield "target_port needs pod.readiness: a pod that is not ready must get no requests"
        if not self.security_group_ids:
            yield "security_group_ids is empty: the pods would have the security groups of their machine"


class KubernetesWorkload(pulumi.ComponentResource):
    """`name` is the Deployment's."""

    name: str
    role_arn: pulumi.Output[str]
    log_group_name: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(
        self, name: str, args: KubernetesWorkloadArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("groundwork:compute:KubernetesWorkload", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)

        log_group = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=args.log_group_name,
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags={**args.tags, "Name": args.log_group_name},
            opts=self._child,
        )
        role, rights = self._identity()
        account = kubernetes.core.v1.ServiceAccount(
            name,
            metadata=self._metadata(args.deployment_name),
            automount_service_account_token=False,
            opts=self._child,
        )
        firewall = [self._network_policy(), self._security_group_policy()]
        # A pod that starts before its rights, its firewall or its log group is there would run without them.
        first = [log_group, account, *rights, *firewall, *args.after]
        jobs = [self._job(job, first) for job in args.jobs]
        service = self._service()
        deployment = self._deployment([*first, *jobs, *([service] if service else [])])
        if args.metrics_port is not None:
            self._metrics_service(args.metrics_port)
        if service is not None and args.target_group_arn is not None:
            self._target_group_binding(service, args.target_group_arn)
        if args.scaling.rules:
            self._scaler(deployment)
        self._disruption_budget()

        self.name = args.deployment_name
        self.role_arn = role.arn
        self.log_group_name = log_group.name
        self.watches = list(_watches(name, args))
        self.register_outputs({
            "name": self.name, "role_arn": self.role_arn, "log_group_name": self.log_group_name,
        })  # fmt: skip

    def _metadata(self, object_name: str, **labels: str) -> Manifest:
        return {
            "name": object_name,
            "namespace": self._args.namespace,
            "labels": {**_pods.labels(self._args.deployment_name, self._args.service_name), **labels},
        }

    def _identity(self) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        name, args = self._name, self._args
        role = aws.iam.Role(
            f"{name}-pods",
            description=f"What the code of {args.deployment_name} may do",
            assume_role_policy=_iam.assume_role_by_pods(
                account_id=args.account_id, cluster_arn=args.cluster_arn
            ),
            tags={**args.tags, "Name": args.deployment_name},
            opts=self._child,
        )
        rights: list[pulumi.Resource] = [
            aws.eks.PodIdentityAssociation(
                name,
                cluster_name=args.cluster_name,
                namespace=args.namespace,
                service_account=args.deployment_name,
                role_arn=role.arn,
                tags={**args.tags, "Name": args.deployment_name},
                opts=self._child,
            )
        ]
        if args.statements:
            rights.append(
                aws.iam.RolePolicy(
                    f"{name}-pods",
                    role=role.name,
                    policy=_iam.document(*args.statements),
                    opts=self._child,
                )
            )
        return role, rights

    def _deployment(self, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        args = self._args
        return kubernetes.apps.v1.Deployment(
            self._name,
            metadata=self._metadata(args.deployment_name),
            spec={
                "replicas": args.replicas,
                "revision_history_limit": 10,
                "progress_deadline_seconds": ROLLOUT_S,
                "selector": {"match_labels": {APP: args.deployment_name}},
                "strategy": {
                    "type": "RollingUpdate",
                    "rolling_update": {"max_unavailable": 0, "max_surge": 1},
                },
                "template": _pods.template(
                    args.pod,
                    app=args.deployment_name,
                    service=args.service_name,
                    account=args.deployment_name,
                    log_group=args.log_group_name,
                ),
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(after),
                # Afterwards the autoscaler owns the number.
                ignore_changes=["spec.replicas"] if args.scaling.rules else None,
            ),
        )

    def _job(self, job: Job, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        args = self._args
        return kubernetes.batch.v1.Job(
            # The version is in the physical name only: this one must stay.
            f"{self._name}-{job.pod.container.name}",
            metadata=self._metadata(job.name, **{APP: job.name}),
            spec={
                "backoff_limit": JOB_TRIES,
                "ttl_seconds_after_finished": JOB_KEPT_S,
                "template": _pods.job_template(
                    job.pod,
                    app=job.name,
                    service=args.service_name,
                    account=args.deployment_name,
                    log_group=args.log_group_name,
                ),
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )

    def _service(self) -> pulumi.Resource | None:
        args = self._args
        if not args.pod.container.ports:
            return None
        return kubernetes.core.v1.Service(
            self._name,
            metadata=self._metadata(args.service_name),
            spec={
                "type": "ClusterIP",
                "selector": {APP: args.deployment_name},
                "ports": [
                    {"name": _pods.port_name(name), "port": port, "target_port": port, "protocol": "TCP"}
                    for name, port in args.pod.container.ports.items()
                ],
            },
            opts=self._child,
        )

    def _metrics_service(self, port: int) -> None:
        args = self._args
        kubernetes.core.v1.Service(
            f"{self._name}-metrics",
            metadata=self._metadata(f"{args.service_name}-metrics"),
            spec={
                "cluster_ip": "None",  # so that the name stands for every pod
                "selector": {APP: args.deployment_name},
                "ports": [{"name": "metrics", "port": port, "target_port": port, "protocol": "TCP"}],
            },
            opts=self._child,
        )

    def _target_group_binding(self, service: pulumi.Resource, target_group_arn: pulumi.Input[str]) -> None:
        args = self._args
        kubernetes.apiextensions.CustomResource(
            f"{self._name}-targets",
            api_version="elbv2.k8s.aws/v1beta1",
            kind="TargetGroupBinding",
            metadata=self._metadata(args.service_name),
            # No `networking`: the stack's firewall has opened the way already.
            spec={
                "serviceRef": {"name": args.service_name, "port": args.target_port},
                "targetGroupARN": target_group_arn,
                "targetType": "ip",
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[service]),
        )

    def _scaler(self, deployment: pulumi.Resource) -> None:
        """KEDA takes over an autoscaler that is there and adds what only it can ask; without it the rest works."""
        args, scaling = self._args, self._args.scaling
        after = [deployment]
        if scaling.has_utilization:
            metadata = self._metadata(scaling.name)
            if scaling.needs_keda:
                metadata["annotations"] = {"pulumi.com/patchForce": "true"}
            autoscaler = kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
                self._name,
                metadata=metadata,
                spec=_scalers.autoscaler(scaling, args.deployment_name),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=after,
                    ignore_changes=["spec.metrics"] if scaling.needs_keda else None,
                ),
            )
            after = [autoscaler]
        if scaling.needs_keda:
            metadata = self._metadata(args.deployment_name)
            if scaling.has_utilization:
                metadata["annotations"] = {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}
            kubernetes.apiextensions.CustomResource(
                f"{self._name}-scaler",
                api_version="keda.sh/v1alpha1",
                kind="ScaledObject",
                metadata=metadata,
                spec=_scalers.scaled_object(
                    scaling, args.deployment_name, authentication=KEDA_AUTHENTICATION, region=args.region
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=after),
            )

    def _disruption_budget(self) -> None:
        args = self._args
        kubernetes.policy.v1.PodDisruptionBudget(
            self._name,
            metadata=self._metadata(args.deployment_name),
            spec={"max_unavailable": 1, "selector": {"match_labels": {APP: args.deployment_name}}},
            opts=self._child,
        )

    def _security_group_policy(self) -> pulumi.Resource:
        args = self._args
        return kubernetes.apiextensions.CustomResource(
            f"{self._name}-security-groups",
            api_version="vpcresources.k8s.aws/v1beta1",
            kind="SecurityGroupPolicy",
            metadata=self._metadata(args.deployment_name),
            spec={
                "podSelector": {"matchLabels": {SERVICE: args.service_name}},
                "securityGroups": {"groupIds": list(args.security_group_ids)},
            },
            opts=self._child,
        )

    def _network_policy(self) -> pulumi.Resource:
        """The same ways as the security groups have, so that a pod without one of its own is held as well."""
        args = self._args
        return kubernetes.networking.v1.NetworkPolicy(
            self._name,
            metadata=self._metadata(args.deployment_name),
            spec={
                "pod_selector": {"match_labels": {SERVICE: args.service_name}},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [{"from_": [_end(peer)], "ports": [_port(peer)]} for peer in args.ways_in],
                "egress": _ways_out(args.ways_out),
            },
            opts=self._child,
        )


def _ways_out(peers: Sequence[Peer]) -> Manifest:
    """What every pod needs, then what this one is said to reach."""
    system = {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}}
    return [
        {
            "to": [{"namespace_selector": system, "pod_selector": {"match_labels": {"k8s-app": "kube-dns"}}}],
            "ports": [{"port": DNS, "protocol": protocol} for protocol in ("TCP", "UDP")],
        },
        {"to": [{"ip_block": {"cidr": POD_IDENTITY}}], "ports": [{"port": 80, "protocol": "TCP"}]},
        *({"to": [_end(peer)], "ports": [_port(peer)]} for peer in peers),
    ]


def _end(peer: Peer) -> Manifest:
    if peer.service is not None:
        return {"pod_selector": {"match_labels": {SERVICE: peer.service}}}
    block: Manifest = {"cidr": peer.block}
    if peer.but:
        block["except"] = list(peer.but)
    return {"ip_block": block}


def _port(peer: Peer) -> Manifest:
    return {"port": peer.port, "protocol": peer.protocol.upper()}


def _watches(name: str, args: KubernetesWorkloadArgs) -> Iterator[Watch]:
    """The alarms of a Fargate service, by the figures that the CloudWatch agent in the cluster gathers."""
    dimensions = {
        "ClusterName": args.cluster_name,
        "Namespace": args.namespace,
        "PodName": args.deployment_name,
    }

    def metric(metric_id: str, metric_name: str) -> Metric:
        return Metric(
            id=metric_id,
            namespace="ContainerInsights",
            metric_name=metric_name,
            stat="Average",
            dimensions=dimensions,
        )

    yield Watch(
        name=f"{name}-running",
        description=f"Pods of {name} that should run and do not, for ten minutes: it cannot start or dies again",
        severity="critical",
        threshold=0,
        metrics=[metric("desired", "replicas_desired"), metric("running", "replicas_ready")],
        expression="desired - running",
        period_s=60,
        evaluation_periods=10,
        treat_missing_data="missing",
    )
    for part, percent in (("cpu", args.cpu_alarm_percent), ("memory", args.memory_alarm_percent)):
        minutes = 15 if percent is None else 5
        yield Watch(
            name=f"{name}-{part}",
            description=(
                f"Percent of its {part} limit that {name} uses, averaged over its pods, above {percent or 90:g} for "
                f"{minutes} minutes: scaling out did not help or has reached its maximum"
            ),
            severity="warning",
            threshold=percent or 90,
            metrics=[metric(part, f"pod_{part}_utilization_over_pod_limit")],
            period_s=300,
            evaluation_periods=minutes // 5,
        )
