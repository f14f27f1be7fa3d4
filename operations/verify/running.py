"""What runs: targets of the load balancer, and the variables of the services' tasks."""

from collections.abc import Iterator
from typing import Any

from operations.platform import Platform
from operations.services import fleet
from operations.show import Row
from operations.verify.asking import Asking
from operations.verify.seen import Seen, found, judged, nothing, unasked

HEALTHY = "healthy"


def rows(platform: Platform) -> list[Row]:
    """Each target of each group behind the load balancer, as Elastic Load Balancing sees it."""
    elbv2 = platform.client("elbv2")
    owners = _owners(platform)
    found_there: list[Row] = []
    for group in _groups(platform, elbv2):
        health = elbv2.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
        service = owners.get(group["TargetGroupArn"], group["TargetGroupName"])
        targets = health["TargetHealthDescriptions"]
        found_there += [_row(service, each) for each in targets]
        if not targets:
            found_there.append(
                {"service": service, "target": "none", "zone": "", "state": "no target", "why": ""}
            )
    return found_there


def _row(service: str, said: Any) -> Row:
    target, health = said["Target"], said["TargetHealth"]
    why = health.get("Description") or health.get("Reason", "")
    return {
        "service": service,
        "target": f"{target['Id']}:{target.get('Port', '')}",
        "zone": target.get("AvailabilityZone", ""),
        "state": health["State"],
        "why": why,
    }


def _groups(platform: Platform, elbv2: Any) -> Iterator[Any]:
    arn = platform.outputs["loadBalancer"]["arn"]
    for page in elbv2.get_paginator("describe_target_groups").paginate(LoadBalancerArn=arn):
        yield from page["TargetGroups"]


def _owners(platform: Platform) -> dict[str, str]:
    """The service of each target group, where ECS knows it."""
    if platform.outputs["kubernetes"]["namespace"] or not platform.outputs["services"]:
        return {}
    services = fleet.choose(platform, None)
    said = fleet.describe(platform.client("ecs"), services)
    return {
        balanced["targetGroupArn"]: name
        for name, service in said.items()
        for balanced in service.get("loadBalancers", [])
        if "targetGroupArn" in balanced
    }


def targets(asking: Asking) -> Iterator[Seen]:
    """Every target healthy, and one at least."""
    if not asking.platform.outputs["loadBalancer"]["arn"]:
        yield unasked("targets", "the outputs name no load balancer: `kubectl get ingress` says it")
        return
    seen = rows(asking.platform)
    if not seen:
        yield nothing("targets", "the load balancer has no target group")
    for service in dict.fromkeys(row["service"] for row in seen):
        own = [row for row in seen if row["service"] == service]
        ill = [f"{row['target']} is {row['state']} {row['why']}".rstrip(" .") for row in own]
        ill = [told for told, row in zip(ill, own, strict=True) if row["state"] != HEALTHY]
        yield judged(
            service,
            ["no target is registered" if own[0]["target"] == "none" else told for told in ill],
            f"{len(own)} of {len(own)} targets healthy",
            "`groundwork service show SERVICE` and its logs say why; docs/runbooks/service.md.",
        )


def env(asking: Asking) -> Iterator[Seen]:
    """Every declared variable is in the revision that runs, and none is empty."""
    platform = asking.platform
    services = fleet.choose(platform, None)
    ecs = platform.client("ecs")
    running = fleet.describe(ecs, services)
    for service in services:
        declared = platform.outputs["services"][service.name]["variables"]
        revision = fleet.revision(ecs, running[service.name]["taskDefinition"])
        own = [each for each in revision.containers if each["name"] == service.name]
        if not own:
            yield found(
                service.name,
                f"revision {revision.number} has no container of that name",
                "`groundwork rollback` or `pulumi up` puts one of Groundwork's in its place.",
            )
            continue
        plain = {each["name"]: each.get("value", "") for each in own[0].get("environment", [])}
        secret = {each["name"] for each in own[0].get("secrets", [])}
        missing = [name for name in declared if name not in plain and name not in secret]
        empty = [name for name in declared if name in plain and not plain[name]]
        yield judged(
            service.name,
            [f"{', '.join(missing)} missing in revision {revision.number}"] * bool(missing)
            + [f"{', '.join(empty)} empty in revision {revision.number}"] * bool(empty),
            f"all {len(declared)} variables are in revision {revision.number}",
            "`pulumi up` registers what is declared; `groundwork service env SERVICE` shows what runs.",
        )
