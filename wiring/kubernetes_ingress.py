"""Kubernetes where Ingress objects lead requests to the pods: one for each public service, and what makes use of them.

The load balancer is then made by the AWS Load Balancer Controller, and the records of its hosts by external-dns. Each
of the two may touch what belongs to this cluster, this stack's web firewall and this stack's zone.
"""

from collections.abc import Iterator

import pulumi

from components import _iam
from components._entry import TargetHealth
from components._ingress import Group, Route
from components.kubernetes_cluster import Controller
from components.kubernetes_ingress import KubernetesIngress, KubernetesIngressArgs
from settings.kubernetes import deployment_name
from settings.model import Settings
from settings.model.compute import Public
from wiring.edge import Edge

OWNER = "elbv2.k8s.aws/cluster"  # the controller's tag on all that it makes


def build(
    settings: Settings,
    group: Group,
    name: str,
    namespace: pulumi.Input[str],
    workload: pulumi.Resource,
    opts: pulumi.ResourceOptions | None,
) -> KubernetesIngress | None:
    """The way in to a service; None where the internet does not reach it."""
    public = settings.services[name].public
    if public is None:
        return None
    return KubernetesIngress(
        name,
        KubernetesIngressArgs(
            namespace=namespace,
            deployment_name=deployment_name(settings, name),
            group=group,
            route=_route(settings, name, public),
            after=[workload],
        ),
        opts,
    )


def _route(settings: Settings, name: str, public: Public) -> Route:
    service = settings.services[name]
    return Route(
        service=name,
        port=service.ports["http"],
        hosts=[settings.hosts[public.host]],
        paths=public.paths,
        private_paths=public.private_paths,
        rewrites=public.rewrites,
        strip_prefix=public.strip_prefix,
        order=public.priority,
        health=TargetHealth(
            path=service.health.path or "/",
            interval_s=service.health.interval_s,
            timeout_s=service.health.timeout_s,
            healthy_threshold=service.health.healthy_threshold,
            unhealthy_threshold=service.health.unhealthy_threshold,
        ),
    )


def controllers(settings: Settings, front: Edge) -> Iterator[Controller]:
    yield Controller(
        name="load-balancer",
        namespace="kube-system",
        service_account="aws-load-balancer-controller",
        statements=list(_balancing(settings, front.web_acl.arn)),
    )
    zone_arn = pulumi.Output.concat("arn:aws:route53:::hostedzone/", front.zone_id)
    yield Controller(
        name="external-dns",
        namespace="external-dns",
        service_account="external-dns",
        statements=[
            _iam.statement(
                "route53:ChangeResourceRecordSets",
                zone_arn,
                conditions={
                    "ForAllValues:StringEquals": {
                        "route53:ChangeResourceRecordSetsRecordTypes": ["A", "AAAA", "TXT"]
                    }
                },
                sid="WriteRecords",
            ),
            _iam.statement(
                ["route53:ListResourceRecordSets", "route53:ListTagsForResource"], zone_arn, sid="ReadRecords"
            ),
            # Route 53 knows no narrower resource for the list of zones.
            _iam.statement("route53:ListHostedZones", "*", sid="FindZone"),
        ],
    )


def _balancing(settings: Settings, web_acl_arn: pulumi.Input[str]) -> Iterator[_iam.Statement]:
    """The controller's own policy (its installation guide), on what carries the tag of this cluster.

    Without the right to make or open a security group, which it is not asked to.
    """
    cluster = settings.name_prefix
    arn = f"arn:aws:elasticloadbalancing:{settings.region}:{settings.account}"
    balancers, targets = f"{arn}:loadbalancer/app/*", f"{arn}:targetgroup/*"
    listeners = [f"{arn}:listener/app/*", f"{arn}:listener-rule/app/*"]
    asks_for_it = {f"aws:RequestTag/{OWNER}": cluster}
    yield _iam.statement(
        ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"],
        [balancers, targets],
        conditions={"StringEquals": asks_for_it},
        sid="Make",
    )
    yield _iam.statement(
        "elasticloadbalancing:AddTags",
        [balancers, targets, *listeners],
        conditions={
            "StringEquals": {
                **asks_for_it,
                "elasticloadbalancing:CreateAction": [
                    "CreateListener",
                    "CreateLoadBalancer",
                    "CreateRule",
                    "CreateTargetGroup",
                ],
            }
        },
        sid="MarkAsOwn",
    )
    yield _iam.statement(
        [
            f"elasticloadbalancing:{action}"
            for action in (
                "AddListenerCertificates",
                "AddTags",
                "CreateListener",
                "CreateRule",
                "DeleteListener",
                "DeleteLoadBalancer",
                "DeleteRule",
                "DeleteTargetGroup",
                "DeregisterTargets",
                "ModifyListener",
                "ModifyListenerAttributes",
                "ModifyLoadBalancerAttributes",
                "ModifyRule",
                "ModifyTargetGroup",
                "ModifyTargetGroupAttributes",
                "RegisterTargets",
                "RemoveListenerCertificates",
                "RemoveTags",
                "SetIpAddressType",
                "SetRulePriorities",
                "SetSecurityGroups",
                "SetSubnets",
                "SetWebAcl",
            )
        ],
        [balancers, targets, *listeners],
        conditions={"StringEquals": {f"aws:ResourceTag/{OWNER}": cluster}},
        sid="ChangeItsOwn",
    )
    # A firewall is joined with a balancer by a right on each of the two.
    yield _iam.statement(
        [
            "wafv2:AssociateWebACL",
            "wafv2:DisassociateWebACL",
            "wafv2:GetWebACL",
            "wafv2:GetWebACLForResource",
        ],
        [web_acl_arn, balancers],
        sid="UseWebFirewall",
    )
    yield _iam.statement(
        "iam:CreateServiceLinkedRole",
        f"arn:aws:iam::{settings.account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*",
        conditions={"StringEquals": {"iam:AWSServiceName": "elasticloadbalancing.amazonaws.com"}},
        sid="FirstBalancer",
    )
    # EC2 and Elastic Load Balancing know no narrower resource for what is only looked at.
    yield _iam.statement(
        [
            *(
                f"ec2:Describe{what}"
                for what in (
                    "AccountAttributes",
                    "AvailabilityZones",
                    "Instances",
                    "InternetGateways",
                    "NetworkInterfaces",
                    "RouteTables",
                    "SecurityGroups",
                    "Subnets",
                    "Tags",
                    "Vpcs",
                )
            ),
            *(
                f"elasticloadbalancing:Describe{what}"
                for what in (
                    "CapacityReservation",
                    "ListenerAttributes",
                    "ListenerCertificates",
                    "Listeners",
                    "LoadBalancerAttributes",
                    "LoadBalancers",
                    "Rules",
                    "SSLPolicies",
                    "Tags",
                    "TargetGroupAttributes",
                    "TargetGroups",
                    "TargetHealth",
                )
            ),
        ],
        "*",
        sid="Look",
    )
