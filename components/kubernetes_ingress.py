"""The way in to a service on Kubernetes where the load balancer is not Pulumi's: an Ingress of class alb.

The AWS Load Balancer Controller makes one load balancer, with its listeners, target groups and rules, of all Ingresses
of a group; external-dns makes the records of their hosts. Both have to be in the cluster. What the balancer measures
is known to no alarm here, since nobody knows its name. docs/decisions/kubernetes-target.md says when that is worth it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components import _ingress, _pods
from components._ingress import Group, Route


@dataclass(frozen=True, kw_only=True)
class KubernetesIngressArgs:
    """`deployment_name` is whose pods answer: the Ingress has its labels. It is made after the objects of `after`."""

    namespace: pulumi.Input[str]
    deployment_name: str
    group: Group
    route: Route
    after: Sequence[pulumi.Resource] = ()

    def __post_init__(self) -> None:
        problems = [*self.group.problems(), *self.route.problems()]
        if problems:
            raise ValueError(f"kubernetes ingress {self.route.service}: " + "; ".join(problems))


class KubernetesIngress(pulumi.ComponentResource):
    """`name` is the Ingress's, which is the Service's."""

    name: str

    def __init__(
        self, name: str, args: KubernetesIngressArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("groundwork:edge:KubernetesIngress", name, None, opts)
        kubernetes.networking.v1.Ingress(
            name,
            metadata={
                "name": args.route.service,
                "namespace": args.namespace,
                "labels": _pods.labels(args.deployment_name, args.route.service),
                "annotations": _ingress.annotations(args.group, args.route),
            },
            spec=_ingress.spec(args.route),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        self.name = args.route.service
        self.register_outputs({"name": self.name})
