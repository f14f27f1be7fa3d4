"""A cluster of EKS with machines of its own: private, encrypted, logged, and entered by roles that are named.

The machines have their own security group and none of EKS's, so that nothing is open between them but what the
stack's firewall opens. Pods have security groups too, and roles by EKS Pod Identity; a machine's own role can do no
more than start them. The number of machines stays between two bounds and moves only when somebody moves it.
"""

# Annotations stay text: evaluated, they would import AWS's modules into every program that declares none of this.
from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components import _iam, _json
from components._pods import LOG_GROUP
from components._watch import Metric, Watch

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
ADMIN_POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
MANAGED = "arn:aws:iam::aws:policy"
# What the pods of the stack write goes to the log group that their annotation names: the one that the service has on
# ECS. Nothing else that runs in the cluster is kept.
LOG_ROUTES = """[INPUT]
  Name              tail
  Tag               application.*
  Path              /var/log/containers/*_%(namespace)s_*.log
  multiline.parser  cri
  DB                /var/fluent-bit/state/flb_container.db
  Mem_Buf_Limit     50MB
  Skip_Long_Lines   On
  Refresh_Interval  10
  Rotate_Wait       30
  storage.type      filesystem
[FILTER]
  Name              kubernetes
  Match             application.*
  Kube_Tag_Prefix   application.var.log.containers.
  Labels            On
  Annotations       On
  Use_Kubelet       On
  Kubelet_Port      10250
  Buffer_Size       0
[OUTPUT]
  Name                cloudwatch_logs
  Match               application.*
  region              ${AWS_REGION}
  log_key             log
  log_group_name      %(fallback)s
  log_group_template  $kubernetes['annotations']['%(annotation)s']
  log_stream_prefix   pod/
  auto_create_group   false
"""
CNI = {
    "enableNetworkPolicy": "true",
    "env": {
        "ENABLE_POD_ENI": "true",
        # The other mode does not go together with network policies.
        "POD_SECURITY_GROUP_ENFORCING_MODE": "standard",
    },
    "init": {"env": {"DISABLE_TCP_EARLY_DEMUX": "true"}},
}


@dataclass(frozen=True, kw_only=True)
class Controller:
    """A program in the cluster that acts on AWS: the service account of its pods, and what it may do."""

    name: str
    namespace: str
    service_account: str
    statements: Sequence[_iam.Statement]


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """The machines: `instance_types` in order of preference, `disk_gib` of each."""

    instance_types: Sequence[str]
    min_count: int
    max_count: int
    disk_gib: int = 50


@dataclass(frozen=True, kw_only=True)
class KubernetesClusterArgs:
    """`cluster_name` is a physical name. `admin_role_arns` are who may do everything, whoever runs Pulumi among them.

    What the pods of `namespace` write goes to the log groups that they name.
    """

    cluster_name: str
    version: str
    account_id: pulumi.Input[str]
    region: str
    subnet_ids: Sequence[pulumi.Input[str]]
    control_plane_security_group_id: pulumi.Input[str]
    node_security_group_id: pulumi.Input[str]
    nodes: Nodes
    admin_role_arns: Sequence[pulumi.Input[str]]
    controllers: Sequence[Controller] = ()
    secrets_key_arn: pulumi.Input[str]
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    namespace: str
    protect: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError(f"kubernetes cluster {self.cluster_name}: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        if len(self.subnet_ids) < 2:
            yield f"subnet_ids must name subnets in at least two zones, got {len(self.subnet_ids)}"
        if not self.nodes.instance_types:
            yield "nodes.instance_types is empty: name at least one type"
        if not 1 <= self.nodes.min_count <= self.nodes.max_count:
            yield (
                "nodes.min_count must be 1 or more and at most nodes.max_count, "
                f"got {self.nodes.min_count} and {self.nodes.max_count}"
            )
        if not self.admin_role_arns:
            yield "admin_role_arns is empty: nobody could enter the cluster, Pulumi included"


class KubernetesCluster(pulumi.ComponentResource):
    """`kubeconfig` says how to reach it, and holds no credential: the AWS CLI gets a token when somebody asks.

    `ready` is what must be there before anything is put into it.
    """

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]
    watches: Sequence[Watch]

    def __init__(
        self, name: str, args: KubernetesClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("groundwork:compute:KubernetesCluster", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._tags = {**args.tags, "Name": args.cluster_name}

        cluster = self._cluster()
        entries = self._entries(cluster)
        # Pods have no addresses before the first, and no rights before the second.
        network = self._addon(
            "vpc-cni",
            cluster,
            [],
            configuration=CNI,
            role=self._addon_role("vpc-cni", "AmazonEKS_CNI_Policy", cluster),
            service_account="aws-node",
        )
        first = [
            network,
            *(self._addon(addon, cluster, []) for addon in ("kube-proxy", "eks-pod-identity-agent")),
        ]
        nodes = self._nodes(cluster, first)
        ready: list[pulumi.Resource] = [nodes, *entries]
        ready += [self._addon(addon, cluster, [nodes]) for addon in ("coredns", "metrics-server")]
        ready.append(
            self._addon(
                "amazon-cloudwatch-observability",
                cluster,
                [nodes],
                configuration=_log_configuration(args),
                role=self._addon_role("cloudwatch", "CloudWatchAgentServerPolicy", cluster),
                service_account="cloudwatch-agent",
            )
        )
        ready += [self._controller(controller, cluster) for controller in args.controllers]

        self.name = cluster.name
        self.arn = cluster.arn
        self.kubeconfig = _json.dumps(_kubeconfig(cluster, args))
        self.ready = ready
        self.watches = list(_watches(name, cluster.name))
        self.register_outputs({"name": self.name, "arn": self.arn, "kubeconfig": self.kubeconfig})

    def _cluster(self) -> aws.eks.Cluster:
        name, args = self._name, self._args
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/eks/{args.cluster_name}/cluster",  # EKS writes nowhere else
            kms_key_id=args.log_key_arn,
            retention_in_days=args.log_retention_days,
            tags=self._tags,
            opts=self._child,
        )
        role = aws.iam.Role(
            f"{name}-control-plane",
            description=f"The control plane of {args.cluster_name}",
            assume_role_policy=_iam.assume_role("eks.amazonaws.com", account_id=args.account_id),
            tags=self._tags,
            opts=self._child,
        )
        rights = [
            self._attached(f"{name}-control-plane", role, "AmazonEKSClusterPolicy"),
            self._attached(f"{name}-pod-interfaces", role, "AmazonEKSVPCResourceController"),
        ]
        return aws.eks.Cluster(
            name,
            name=args.cluster_name,
            version=args.version,
            role_arn=role.arn,
            vpc_config={
                "subnet_ids": args.subnet_ids,
                "security_group_ids": [args.control_plane_security_group_id],
                "endpoint_private_access": True,
                "endpoint_public_access": False,
            },
            encryption_config={"provider": {"key_arn": args.secrets_key_arn}, "resources": ["secrets"]},
            enabled_cluster_log_types=list(LOG_TYPES),
            access_config={
                "authentication_mode": "API",
                "bootstrap_cluster_creator_admin_permissions": False,
            },
            bootstrap_self_managed_addons=False,
            deletion_protection=args.protect,
            tags=self._tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[log_group, *rights]),
        )

    def _entries(self, cluster: aws.eks.Cluster) -> list[pulumi.Resource]:
        made: list[pulumi.Resource] = []
        for number, role_arn in enumerate(self._args.admin_role_arns):
            label = f"{self._name}-admin-{number}"
            entry = aws.eks.AccessEntry(
                label,
                cluster_name=cluster.name,
                principal_arn=role_arn,
                type="STANDARD",
                tags=self._tags,
                opts=self._child,
            )
            made.append(
                aws.eks.AccessPolicyAssociation(
                    label,
                    cluster_name=cluster.name,
                    principal_arn=entry.principal_arn,
                    policy_arn=ADMIN_POLICY,
                    access_scope={"type": "cluster"},
                    opts=self._child,
                )
            )
        return made

    def _nodes(self, cluster: aws.eks.Cluster, after: Sequence[pulumi.Resource]) -> aws.eks.NodeGroup:
        name, args = self._name, self._args
        role = aws.iam.Role(
            f"{name}-nodes",
            description=f"The machines of {args.cluster_name}",
            assume_role_policy=_iam.assume_role("ec2.amazonaws.com"),
            tags=self._tags,
            opts=self._child,
        )
        rights = [
            self._attached(f"{name}-nodes", role, "AmazonEKSWorkerNodePolicy"),
            self._attached(f"{name}-pull", role, "AmazonEC2ContainerRegistryPullOnly"),
        ]
        template = aws.ec2.LaunchTemplate(
            f"{name}-nodes",
            description=f"The machines of {args.cluster_name}",
            vpc_security_group_ids=[args.node_security_group_id],
            # One hop: a pod does not reach the role of its machine.
            metadata_options={
                "http_endpoint": "enabled",
                "http_tokens": "required",
                "http_put_response_hop_limit": 1,
            },
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "volume_size": args.nodes.disk_gib,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            tag_specifications=[
                {"resource_type": kind, "tags": self._tags} for kind in ("instance", "volume")
            ],
            update_default_version=True,
            tags=self._tags,
            opts=self._child,
        )
        return aws.eks.NodeGroup(
            f"{name}-nodes",
            cluster_name=cluster.name,
            node_role_arn=role.arn,
            subnet_ids=args.subnet_ids,
            ami_type="AL2023_x86_64_STANDARD",
            capacity_type="ON_DEMAND",
            instance_types=list(args.nodes.instance_types),
            launch_template={
                "id": template.id,
                "version": template.latest_version.apply(lambda version: str(int(version))),
            },
            scaling_config={
                "desired_size": args.nodes.min_count,
                "min_size": args.nodes.min_count,
                "max_size": args.nodes.max_count,
            },
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            tags=self._tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*rights, *after],
                # Whoever moves the number within its bounds is not undone.
                ignore_changes=["scalingConfig.desiredSize"],
            ),
        )

    def _addon_role(self, addon: str, policy: str, cluster: aws.eks.Cluster) -> aws.iam.Role:
        role = aws.iam.Role(
            f"{self._name}-{addon}",
            description=f"{addon} of {self._args.cluster_name}",
            assume_role_policy=_iam.assume_role_by_pods(
                account_id=self._args.account_id, cluster_arn=cluster.arn
            ),
            tags=self._tags,
            opts=self._child,
        )
        self._attached(f"{self._name}-{addon}", role, policy)
        return role

    def _addon(
        self,
        addon: str,
        cluster: aws.eks.Cluster,
        after: Sequence[pulumi.Resource],
        *,
        configuration: Mapping[str, object] | None = None,
        role: aws.iam.Role | None = None,
        service_account: str = "",
    ) -> aws.eks.Addon:
        """EKS chooses the version that belongs to the cluster's."""
        return aws.eks.Addon(
            f"{self._name}-{addon}",
            cluster_name=cluster.name,
            addon_name=addon,
            configuration_values=json.dumps(configuration, sort_keys=True) if configuration else None,
            pod_identity_associations=[{"role_arn": role.arn, "service_account": service_account}]
            if role
            else None,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            tags=self._tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )

    def _controller(self, controller: Controller, cluster: aws.eks.Cluster) -> pulumi.Resource:
        label = f"{self._name}-{controller.name}"
        role = aws.iam.Role(
            label,
            description=f"{controller.name} of {self._args.cluster_name}",
            assume_role_policy=_iam.assume_role_by_pods(
                account_id=self._args.account_id, cluster_arn=cluster.arn
            ),
            tags=self._tags,
            opts=self._child,
        )
        rights = aws.iam.RolePolicy(
            label, role=role.name, policy=_iam.document(*controller.statements), opts=self._child
        )
        return aws.eks.PodIdentityAssociation(
            label,
            cluster_name=cluster.name,
            namespace=controller.namespace,
            service_account=controller.service_account,
            role_arn=role.arn,
            tags=self._tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[rights]),
        )

    def _attached(self, label: str, role: aws.iam.Role, policy: str) -> aws.iam.RolePolicyAttachment:
        return aws.iam.RolePolicyAttachment(
            label, role=role.name, policy_arn=f"{MANAGED}/{policy}", opts=self._child
        )


def _log_configuration(args: KubernetesClusterArgs) -> dict[str, object]:
    routes = LOG_ROUTES % {
        "namespace": args.namespace,
        "annotation": LOG_GROUP,
        "fallback": f"/aws/eks/{args.cluster_name}/cluster",
    }
    return {
        "containerLogs": {
            "enabled": True,
            "fluentBit": {"config": {"extraFiles": {"application-log.conf": routes}}},
        }
    }


def _kubeconfig(cluster: aws.eks.Cluster, args: KubernetesClusterArgs) -> dict[str, object]:
    name = args.cluster_name
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": cluster.endpoint,
                    "certificate-authority-data": cluster.certificate_authority.data,
                    # Whoever reads this without asking the cluster knows its version all the same.
                    "extensions": [{"name": "version", "extension": args.version}],
                },
            }
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "aws",
                        "args": ["eks", "get-token", "--cluster-name", name, "--region", args.region],
                    }
                },
            }
        ],
    }


def _watches(name: str, cluster_name: pulumi.Output[str]) -> Iterator[Watch]:
    for part, metric_name, severity, threshold, periods, description in (
        (
            "failed-nodes",
            "cluster_failed_node_count",
            "critical",
            0,
            3,
            "Machines of the cluster that are not fit for pods, for a quarter of an hour",
        ),
        (
            "node-cpu",
            "node_cpu_utilization",
            "warning",
            85,
            3,
            "Percent of their CPU that the machines use, above 85 for 15 minutes: there is no room for more pods",
        ),
        (
            "node-memory",
            "node_memory_utilization",
            "warning",
            85,
            3,
            "Percent of their memory that the machines use, above 85 for 15 minutes: pods will be evicted",
        ),
        (
            "node-disk",
            "node_filesystem_utilization",
            "warning",
            80,
            3,
            "Percent of their disks that the machines use, above 80: pods will be evicted",
        ),
    ):
        yield Watch(
            name=f"{name}-{part}",
            description=description,
            severity=severity,
            threshold=threshold,
            metrics=[
                Metric(
                    id="figure",
                    namespace="ContainerInsights",
                    metric_name=metric_name,
                    stat="Maximum" if part == "failed-nodes" else "Average",
                    dimensions={"ClusterName": cluster_name},
                )
            ],
            evaluation_periods=periods,
        )
