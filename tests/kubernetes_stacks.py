"""Every system's production as it would be on Kubernetes: by target groups, and by Ingress. Run once in a process."""

from functools import cache
from typing import Any

from settings import loader
from settings.model.compute import LatencyScaling, RequestScaling
from tests.program import ALL_STACKS, configuration, run, stack_file
from tests.recorder import Recording

VERSION = "1.33"
CLUSTER = {
    "version": VERSION,
    "nodes": {"instance_types": ["m7i.large"], "min_count": 3, "max_count": 6},
    "admin_role_arns": ["arn:aws:iam::111122223333:role/admin"],
}
EXISTING = {
    "version": VERSION,
    "create_cluster": False,
    "cluster_name": "shared",
    "node_security_group_id": "sg-0123456789abcdef0",
}
# Every system as its production has it; a new one is tried by being there.
STACKS = [stack for stack in ALL_STACKS if stack.rpartition("/")[2] == "prod"]

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
SCALED = "kubernetes:keda.sh/v1alpha1:ScaledObject"
JOB = "kubernetes:batch/v1:Job"
FETCHED = "kubernetes:external-secrets.io/v1:ExternalSecret"
GROUP_POLICY = "kubernetes:vpcresources.k8s.aws/v1beta1:SecurityGroupPolicy"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
SERVICE = "aws:ecs/service:Service"
TARGET = "aws:appautoscaling/target:Target"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
RULE = "aws:lb/listenerRule:ListenerRule"
TARGETS = "aws:lb/targetGroup:TargetGroup"
LISTENER = "aws:lb/listener:Listener"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"


def configured(stack: str, cluster: dict[str, Any]) -> dict[str, Any]:
    """The stack's configuration with these keys of `kubernetes`."""
    changes = {"compute": "kubernetes", "kubernetes": cluster}
    return _laid(configuration(stack), {f"groundwork:{key}": value for key, value in changes.items()})


def configured_with_ingress(stack: str, cluster: dict[str, Any] = CLUSTER) -> dict[str, Any]:
    """With the way in by Ingress, and without what nobody can measure then."""
    settings = loader.from_file(stack_file(stack))
    sections = settings.observability.dashboard.sections
    changes = {
        "groundwork:observability": {
            "alerts": dict.fromkeys(("server_errors_per_5_minutes", "error_rate_percent", "latency_p95_s")),
            "slo": dict.fromkeys(("error_rate_percent", "latency_p95_s")),
            "dashboard": {"sections": [each for each in sections if each != "Request Rate & Latency"]},
            # An alarm that is not there cannot have another name or title.
            **{key: dict.fromkeys(("error-rate", "response-time")) for key in ("alarm_names", "alarms")},
            **({"grafana": {"redirects": None}} if settings.observability.grafana else {}),
        },
        "groundwork:services": {
            name: {
                "scaling": [
                    rule.model_dump(exclude_none=True)
                    for rule in service.scaling
                    if not isinstance(rule, RequestScaling | LatencyScaling)
                ],
                "names": {"target_group": None},
            }
            for name, service in settings.services.items()
        },
    }
    return _laid(configured(stack, {**cluster, "routing": "ingress"}), changes)


def _laid(below: Any, above: Any) -> Any:
    """One block over another; a null stays, and takes the system file's key away."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: _laid(below.get(key), value) for key, value in above.items()}}


@cache
def pods(stack: str) -> Recording:
    """Shared by the tests of a process: do not change it."""
    return run(stack, configured(stack, CLUSTER))


@cache
def ingress(stack: str) -> Recording:
    """Shared by the tests of a process: do not change it."""
    return run(stack, configured_with_ingress(stack))
