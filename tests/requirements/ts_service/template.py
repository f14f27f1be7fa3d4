"""What several chapters of the template's table look at, and the other shapes that it can be given."""

from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from tests.recorder import Declared, Recording
from tests.requirements.production import (
    SERVICE,
    TARGET,
    TASK,
    container,
    output,
    referred,
    secret_text,
    secrets,
)

SERVICES = ("api", "worker")
QUEUE = "webhook-processor"
POLICY = "aws:appautoscaling/policy:Policy"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
JOB = "kubernetes:batch/v1:Job"
EXTERNAL_SECRET = "kubernetes:external-secrets.io/v1:ExternalSecret"
HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"

# A profile that takes something away needs a stack file that says nothing about it.
ALL_IN_ONE = {"profile": "all-in-one", "services": {"worker": None}}
# A third service's connections are more than the template's smallest class has memory for.
BY_JOB_TYPE = {
    "profile": "by-job-type",
    "database": {"instance_class": "db.t3.small"},
    "services": {"worker-io": {"image_tag": "v1.2.3"}},
}
EXTERNAL_STORES = {"profile": "external-stores", "database": None, "caches": {"cache": None}}
SECRET_FILES = {"profile": "secret-files"}
KUBERNETES = {
    "compute": "kubernetes",
    "kubernetes": {
        "nodes": {"instance_types": ["m7i.large"], "min_count": 2, "max_count": 4},
        "admin_role_arns": ["arn:aws:iam::666677778888:role/platform"],
    },
}


def counts(stack: Recording, service: str) -> tuple[int, int, int]:
    """Tasks at least, at the start, and at most."""
    target = stack.one(TARGET, service)
    return target["minCapacity"], stack.one(SERVICE, service)["desiredCount"], target["maxCapacity"]


def value(stack: Recording, secret: str) -> str:
    """What the stack itself puts into a secret."""
    return secret_text(stack, secret)


def url(stack: Recording, secret: str) -> tuple[SplitResult, dict[str, list[str]]]:
    """The parts of a URL that the stack puts together, and its query."""
    parts = urlsplit(value(stack, secret))
    return parts, parse_qs(parts.query)


def password(parts: SplitResult) -> str:
    return unquote(parts.password or "")


def tracking(stack: Recording, policy: str) -> tuple[str, float]:
    """What a target tracking policy holds, and where."""
    found = stack.one(POLICY, policy)
    assert found["policyType"] == "TargetTrackingScaling"
    configuration = found["targetTrackingScalingPolicyConfiguration"]
    metric = configuration["predefinedMetricSpecification"]["predefinedMetricType"]
    return metric, configuration["targetValue"]


def steps(stack: Recording, policy: str) -> list[int]:
    """How many tasks a step policy adds, by step; its own alarm calls it."""
    found = stack.one(POLICY, policy)
    assert found["policyType"] == "StepScaling"
    alarm = scaling_alarm(stack, policy)
    assert referred(stack, alarm, "alarmActions") == [policy]
    adjustments = found["stepScalingPolicyConfiguration"]["stepAdjustments"]
    return [each["scalingAdjustment"] for each in adjustments]


def scaling_alarm(stack: Recording, name: str) -> Declared:
    return stack.one("aws:cloudwatch/metricAlarm:MetricAlarm", name)


def subnets(stack: Recording, service: str) -> list[str]:
    names = referred(stack, stack.one(SERVICE, service), "networkConfiguration")
    return [name for name in names if name.startswith("network-")]


def ports(stack: Recording, task: str) -> dict[str, int]:
    return {each["name"]: each["containerPort"] for each in container(stack, task)["portMappings"]}


def size(stack: Recording, task: str) -> tuple[str, str]:
    """CPU units and MiB of memory."""
    definition = stack.one(TASK, task)
    return definition["cpu"], definition["memory"]


def is_known_to_operators(stack: Recording, service: str) -> None:
    """What `logs`, `scale`, `rollback` and `service` ask for: cluster, service, its revision and its log."""
    assert output(stack, "cluster") == "myapp-production"
    assert output(stack, "services", service, "name") == stack.one(SERVICE, service)["name"] == service
    definition = output(stack, "services", service, "taskDefinition")
    assert definition.rpartition(":")[0].endswith(f":task-definition/myapp-{service}")
    assert output(stack, "services", service, "logGroup") == f"/ts-service/prod/{service}"


def comes_from(stack: Recording, task: str, variable: str, secret: str) -> None:
    """A secret variable is read from the secret of that name as the task starts."""
    assert secrets(stack, task).get(variable) == output(stack, "secrets", secret)


def pod_variables(resource: Declared) -> dict[str, Any]:
    """The variables of the first container: a value, or the name and key of a Secret."""
    (found, *_) = resource["spec"]["template"]["spec"]["containers"]
    return {
        each["name"]: each["value"]
        if "value" in each
        else (each["valueFrom"]["secretKeyRef"]["name"], each["valueFrom"]["secretKeyRef"]["key"])
        for each in found["env"]
    }
