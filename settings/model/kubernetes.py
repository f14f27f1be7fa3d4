"""Kubernetes as the second target: the cluster, and what a service or a task looks like on it."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from settings.data.kubernetes import VERSIONS
from settings.model.fields import (
    Count,
    Items,
    Matching,
    Model,
    Name,
    Positive,
    UrlPath,
    in_stack,
    in_system,
)

KubernetesVersion = Annotated[
    str,
    Matching(
        rf"^({'|'.join(version.replace('.', '[.]') for version in VERSIONS)})$",
        f"a version of Kubernetes from {VERSIONS[0]} to {VERSIONS[-1]}, in quotes",
        '"1.33"',
    ),
]
Cpu = Annotated[
    str,
    Matching(
        r"^[1-9][0-9]*m?$", "CPU as Kubernetes writes it: whole cores, or thousandths with an m", "500m"
    ),
]
Memory = Annotated[str, Matching(r"^[1-9][0-9]*(Mi|Gi)$", "memory in Mi or Gi", "512Mi")]
InstanceType = Annotated[
    str, Matching(r"^[a-z][a-z0-9-]*[.][a-z0-9]+$", "an instance type of EC2", "m7g.large")
]
SecurityGroupId = Annotated[
    str, Matching(r"^sg-[0-9a-f]{8,17}$", "the id of a security group", "sg-0123456789abcdef0")
]
ClusterName = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$",
        "at most 100 letters, digits, hyphens and underscores, a letter or digit first",
        "shared-production",
    ),
]
RoleArn = Annotated[
    str,
    Matching(
        r"^arn:aws:iam::[0-9]{12}:role/\S+$", "the ARN of a role", "arn:aws:iam::111122223333:role/admin"
    ),
]
SecretKey = Annotated[
    str,
    Matching(r"^[A-Za-z0-9._-]{1,253}$", "letters, digits, dots, hyphens and underscores", "database-url"),
]


class Nodes(Model):
    """The machines of a cluster that the stack makes; their number follows from how many there are zones."""

    instance_types: Items[InstanceType] = in_stack(
        "Types of the machines, the first one preferred; none of the t families", min_length=1
    )
    min_count: Positive = in_stack("Machines at least")
    max_count: Positive = in_stack("Machines at most")
    disk_gib: Annotated[int, Field(ge=20, le=16384)] = in_stack("Disk of each machine, in GiB", default=50)


class Kubernetes(Model):
    """The cluster that runs the services, where `compute` is kubernetes."""

    version: KubernetesVersion = in_stack(
        "Version of Kubernetes; every manifest is checked against its schemas", default="1.33"
    )
    namespace: Name | None = in_stack("The namespace of all objects; none: the system's name", default=None)
    create_cluster: bool = in_stack(
        "true: the stack makes a cluster of EKS; false: one that exists is used, by the official `kubernetes:` keys",
        default=True,
    )
    nodes: Nodes | None = in_stack("The machines of a cluster that the stack makes", default=None)
    admin_role_arns: Items[RoleArn] = in_stack(
        "Roles whose holders administrate a cluster that the stack makes; that of whoever runs Pulumi is one of them",
        default=(),
    )
    routing: Literal["target_groups", "ingress"] = in_stack(
        "What leads requests to the pods. target_groups: the load balancer that the stack makes; pods register as its "
        "targets. ingress: Ingress objects, of which the AWS Load Balancer Controller makes one; nothing here can "
        "watch or scale by what that one measures",
        default="target_groups",
    )
    cluster_name: ClusterName | None = in_stack("Name at EKS of a cluster that exists", default=None)
    node_security_group_id: SecurityGroupId | None = in_stack(
        "The security group of the machines of a cluster that exists", default=None
    )
    secrets: Mapping[Name, Mapping[SecretKey, str]] = in_system(
        "Secrets by name, and what stands under each of their keys: a variable that is just that is read from there. "
        "Secret variables that are named nowhere come from a Secret of the service's own",
        default={},
    )


class Resources(Model):
    """CPU and memory of one pod."""

    cpu: Cpu = in_stack("CPU: 500m is half a core")
    memory: Memory = in_stack("Memory: 512Mi")


class Probe(Model):
    """A question that the machine asks the pod over HTTP, on its http port."""

    path: UrlPath = in_system("The path that is asked")
    initial_delay_s: Count = in_system("Seconds after the start before the first question", default=0)
    period_s: Positive = in_system("Seconds between two questions", default=10)


class ServiceOnKubernetes(Model):
    """What a service has different on Kubernetes; what is left out follows from its other settings."""

    name: Name | None = in_system("Name of its Deployment and Service; none: the service's own", default=None)
    hpa_name: Name | None = in_system(
        "Name of its HorizontalPodAutoscaler; none: the Deployment's with -hpa", default=None
    )
    replicas: Count | None = in_stack("Pods at the start; none: desired_count", default=None)
    requests: Resources | None = in_stack(
        "What a pod is sure of; none: cpu and memory_reservation_mib of the service", default=None
    )
    limits: Resources | None = in_stack(
        "What a pod gets at most; none: cpu and memory_mib of the service", default=None
    )
    liveness: Probe | None = in_system(
        "A pod that does not answer is started anew; none: what `health` says", default=None
    )
    readiness: Probe | None = in_system(
        "Only a pod that answers gets requests; none: what `health` says", default=None
    )


class TaskOnKubernetes(Model):
    """A task that runs as a Job before its service is rolled out, on every new image."""

    job: Name = in_system("Name of the Job; the image's version is added to it, as a Job never changes")
