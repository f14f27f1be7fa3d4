"""A namespace in which nothing runs as root, nobody reaches anybody unasked, and secrets are fetched.

The External Secrets Operator copies what Secrets Manager holds into Secrets of the namespace: a manifest names an
ARN, and neither the program nor its state ever sees a value. It reads as the pod that it is itself, so what it may
read is said where the cluster's roles are made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

STORE = "aws"
KEDA_AUTHENTICATION = "keda"
REFRESH = "5m"  # a secret that was rotated is in the namespace after it; pods see it when they start anew


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A value that Secrets Manager holds: the whole secret, or one property of its JSON."""

    arn: pulumi.Input[str]
    property: str | None = None


@dataclass(frozen=True, kw_only=True)
class FetchedSecret:
    """A Secret by its keys: `remote` ones are fetched, `plain` ones are no secret and stand in the manifest."""

    name: str
    remote: Mapping[str, Remote]
    plain: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, kw_only=True)
class KubernetesNamespaceArgs:
    """`scales_on_metrics` lets autoscalers ask CloudWatch, as KEDA's own pod."""

    namespace: str
    region: str
    secrets: Sequence[FetchedSecret]
    scales_on_metrics: bool = False

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError(f"kubernetes namespace {self.namespace}: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        names = [secret.name for secret in self.secrets]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"secret {name} is listed twice"
        for secret in self.secrets:
            if not secret.remote:
                yield f"secret {secret.name} fetches nothing: what is no secret needs none"
            for key in sorted(secret.remote.keys() & secret.plain.keys()):
                yield f"secret {secret.name}: {key} is fetched and plain: keep one of the two"


class KubernetesNamespace(pulumi.ComponentResource):
    name: pulumi.Output[str]
    secrets: Sequence[pulumi.Resource]

    def __init__(
        self, name: str, args: KubernetesNamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("groundwork:compute:KubernetesNamespace", name, None, opts)
        namespace = kubernetes.core.v1.Namespace(
            name,
            metadata={
                "name": args.namespace,
                "labels": {
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/warn": "restricted",
                    # A new pod takes part in a rollout only once the load balancer calls it healthy.
                    "elbv2.k8s.aws/pod-readiness-gate-inject": "enabled",
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        child = pulumi.ResourceOptions(parent=self, depends_on=[namespace])

        def metadata(object_name: str) -> Any:
            return {"name": object_name, "namespace": args.namespace}

        kubernetes.networking.v1.NetworkPolicy(
            f"{name}-closed",
            metadata=metadata("closed"),
            spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"]},
            opts=child,
        )
        store = kubernetes.apiextensions.CustomResource(
            f"{name}-secret-store",
            api_version="external-secrets.io/v1",
            kind="SecretStore",
            metadata=metadata(STORE),
            spec={"provider": {"aws": {"service": "SecretsManager", "region": args.region}}},
            opts=child,
        )
        self.secrets = [
            kubernetes.apiextensions.CustomResource(
                f"{name}-{secret.name}",
                api_version="external-secrets.io/v1",
                kind="ExternalSecret",
                metadata=metadata(secret.name),
                spec=_fetched(secret),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[store]),
            )
            for secret in args.secrets
        ]
        if args.scales_on_metrics:
            kubernetes.apiextensions.CustomResource(
                f"{name}-scaler-authentication",
                api_version="keda.sh/v1alpha1",
                kind="TriggerAuthentication",
                metadata=metadata(KEDA_AUTHENTICATION),
                spec={"podIdentity": {"provider": "aws", "identityOwner": "keda"}},
                opts=child,
            )

        self.name = namespace.metadata.apply(lambda made: made.name or args.namespace)
        self.register_outputs({"name": self.name})


def _fetched(secret: FetchedSecret) -> dict[str, object]:
    target: dict[str, object] = {"name": secret.name, "creationPolicy": "Owner", "deletionPolicy": "Delete"}
    if secret.plain:
        target["template"] = {"engineVersion": "v2", "mergePolicy": "Merge", "data": dict(secret.plain)}
    return {
        "refreshInterval": REFRESH,
        "secretStoreRef": {"kind": "SecretStore", "name": STORE},
        "target": target,
        "data": [
            {"secretKey": key, "remoteRef": _remote(remote)} for key, remote in sorted(secret.remote.items())
        ],
    }


def _remote(remote: Remote) -> dict[str, pulumi.Input[str]]:
    made: dict[str, pulumi.Input[str]] = {"key": remote.arn}
    if remote.property is not None:
        made["property"] = remote.property
    return made
