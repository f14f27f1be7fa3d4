"""What the number of pods follows: an autoscaler of Kubernetes, or one of KEDA where it follows CloudWatch.

Kubernetes itself knows CPU and memory, from metrics-server. Requests, latency and queues are figures of CloudWatch,
and KEDA (2.13 or newer, in the cluster) asks for them; it takes over the HorizontalPodAutoscaler of that name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

SCALE_IN_WINDOW_S = 300
SCALE_OUT_PERIOD_S = 60


@dataclass(frozen=True, kw_only=True)
class Utilization:
    """Keep the average at `target_percent` of what the pods asked for."""

    resource: Literal["cpu", "memory"]
    target_percent: float


@dataclass(frozen=True, kw_only=True)
class CloudWatch:
    """Keep a figure of CloudWatch at `target`, the number of pods moving in proportion to it."""

    name: str
    namespace: str
    metric_name: str
    dimensions: Mapping[str, pulumi.Input[str]]
    stat: str
    target: float


Rule = Utilization | CloudWatch


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """`min_count` and `max_count` are pods. `name` is the HorizontalPodAutoscaler's.

    `add_at_most` pods are added in a minute, and one is taken away in five.
    """

    name: str
    min_count: int
    max_count: int
    rules: Sequence[Rule] = ()
    add_at_most: int = 4

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with it, a sentence each."""
        if not 1 <= self.min_count <= self.max_count:
            yield (
                "scaling.min_count must be 1 or more (Kubernetes does not scale to none) and at most max_count, "
                f"got {self.min_count} and {self.max_count}"
            )
        names = [rule.resource if isinstance(rule, Utilization) else rule.name for rule in self.rules]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"scaling.rules has {names.count(name)} rules {name}: keep one"
        for rule in self.rules:
            target = rule.target_percent if isinstance(rule, Utilization) else rule.target
            if target <= 0:
                yield f"scaling.rules: a target must be above 0, got {target:g}"

    @property
    def has_utilization(self) -> bool:
        return any(isinstance(rule, Utilization) for rule in self.rules)

    @property
    def needs_keda(self) -> bool:
        return any(isinstance(rule, CloudWatch) for rule in self.rules)


def _behaviour(scaling: Scaling) -> dict[str, Any]:
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "policies": [{"type": "Pods", "value": scaling.add_at_most, "periodSeconds": SCALE_OUT_PERIOD_S}],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": SCALE_IN_WINDOW_S,
            "policies": [{"type": "Pods", "value": 1, "periodSeconds": SCALE_IN_WINDOW_S}],
        },
    }


def autoscaler(scaling: Scaling, deployment: pulumi.Input[str]) -> Any:
    """The `spec` of a HorizontalPodAutoscaler (autoscaling/v2)."""
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
        "minReplicas": scaling.min_count,
        "maxReplicas": scaling.max_count,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": rule.resource,
                    "target": {"type": "Utilization", "averageUtilization": round(rule.target_percent)},
                },
            }
            for rule in scaling.rules
            if isinstance(rule, Utilization)
        ],
        "behavior": _behaviour(scaling),
    }


def scaled_object(
    scaling: Scaling, deployment: pulumi.Input[str], *, authentication: str, region: str
) -> dict[str, Any]:
    """The `spec` of KEDA's ScaledObject."""
    return {
        "scaleTargetRef": {"name": deployment},
        "minReplicaCount": scaling.min_count,
        "maxReplicaCount": scaling.max_count,
        "advanced": {
            "horizontalPodAutoscalerConfig": {"name": scaling.name, "behavior": _behaviour(scaling)}
        },
        "triggers": [_trigger(rule, authentication, region) for rule in scaling.rules],
    }


def _trigger(rule: Rule, authentication: str, region: str) -> dict[str, Any]:
    if isinstance(rule, Utilization):
        return {
            "type": rule.resource,
            "metricType": "Utilization",
            "metadata": {"value": f"{rule.target_percent:g}"},
        }
    return {
        "type": "aws-cloudwatch",
        "name": rule.name,
        "metricType": "Value",
        "authenticationRef": {"name": authentication},
        "metadata": {
            "namespace": rule.namespace,
            "metricName": rule.metric_name,
            "dimensionName": ";".join(rule.dimensions),
            "dimensionValue": pulumi.Output.all(*rule.dimensions.values()).apply(";".join),
            "metricStat": rule.stat,
            "metricStatPeriod": "60",
            "metricCollectionTime": "300",
            # The last minute's figures are still coming in.
            "metricEndTimeOffset": "60",
            "targetMetricValue": f"{rule.target:g}",
            # No figure is no reason to add pods.
            "minMetricValue": "0",
            "awsRegion": region,
        },
    }
