"""Which services read a secret: by the task definitions that they run now, not those that the program last declared."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from operations.db.bootstrap import secret_arn
from operations.platform import Platform
from operations.services import fleet
from operations.services.fleet import Service


def on_kubernetes(platform: Platform) -> str:
    """The namespace where services run as Pods; "" where ECS runs them."""
    return platform.outputs["kubernetes"]["namespace"]


def of(platform: Platform, arns: Iterable[str]) -> list[Service]:
    """Those whose tasks are started with one of the secrets. None where Kubernetes runs them, or nothing runs."""
    wanted = set(arns)
    if on_kubernetes(platform) or not platform.outputs["services"]:
        return []
    services, ecs = fleet.choose(platform, None), platform.client("ecs")
    running = fleet.describe(ecs, services)
    return [
        each
        for each in services
        if wanted & set(references(fleet.revision(ecs, running[each.name]["taskDefinition"]).containers))
    ]


def references(containers: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ARNs of all secrets that containers name: in variables, log drivers, and the registry's login."""
    found: list[str] = []
    for container in containers:
        options = (container.get("logConfiguration") or {}).get("secretOptions") or []
        found += [each["valueFrom"] for each in [*(container.get("secrets") or []), *options]]
        login = (container.get("repositoryCredentials") or {}).get("credentialsParameter")
        found += [login] if login else []
    return [secret_arn(each) for each in found]


def how_pods_read_it(namespace: str) -> str:
    """What the operator does where Kubernetes runs the services."""
    return (
        "External Secrets fetches the new value within its interval. Then: `kubectl --namespace "
        f"{namespace} rollout restart deployment`."
    )
