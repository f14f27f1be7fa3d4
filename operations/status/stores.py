"""Database, caches and brokers, and what AWS is going to do to them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from operations import show
from operations.db import instances
from operations.db.aws_reboot import is_pending
from operations.db.status import LAG_S, measured
from operations.platform import Platform
from operations.show import Row
from operations.status.part import Part

SOON = timedelta(days=7)


def database(platform: Platform) -> Part:
    part = Part()
    if not platform.outputs.get("database"):
        return part
    rds = platform.client("rds")
    primary = instances.find(platform, rds)
    replicas = instances.replicas(rds, primary)
    lags = measured(platform, "ReplicaLag", "Maximum", [each.identifier for each in replicas])
    for each in [primary, *replicas]:
        lag = lags.get(each.identifier)
        part.rows.append(
            {
                "database": each.identifier,
                "is": "cluster" if each.is_cluster else "primary" if each is primary else "replica",
                "state": each.status,
                "version": each.version,
                "class": each.instance_class,
                "standby": each.has_standby,
                "lag_s": lag,
            }
        )
        if each.status != "available":
            part.needs.append(f"{each.identifier} is {each.status}. docs/runbooks/database.md.")
        if lag is not None and lag > LAG_S:
            part.needs.append(
                f"{each.identifier} is {show.duration(lag)} behind. `groundwork db activity --replica`."
            )
        if is_pending(each):
            part.needs.append(
                f"{each.identifier} waits for a restart to take parameters. `groundwork db reboot-if-pending`."
            )
    return part


def caches(platform: Platform) -> Part:
    part, client = Part(), platform.client("elasticache")
    for name, told in platform.outputs["caches"].items():
        group = client.describe_replication_groups(ReplicationGroupId=told["replicationGroupId"])[
            "ReplicationGroups"
        ][0]
        shards = group.get("NodeGroups", [])
        members = group.get("MemberClusters", [])
        part.rows.append(
            {
                "cache": name,
                "state": group["Status"],
                "engine": group.get("Engine", ""),
                "version": _cache_version(client, members),
                "node": group.get("CacheNodeType", ""),
                "shards": len(shards),
                "nodes": len(members),
                "failover": group.get("AutomaticFailover", ""),
            }
        )
        states = {each.get("Status") for each in shards} | {group["Status"]}
        if wrong := sorted(state for state in states if state and state != "available"):
            part.needs.append(f"The cache {name} is {', '.join(wrong)}. docs/runbooks/cache.md.")
    return part


def _cache_version(client: Any, members: Sequence[str]) -> str:
    """Only a member tells it; the emulator has none to ask."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 so that `--help` stays quick

    try:
        found = client.describe_cache_clusters(CacheClusterId=members[0])["CacheClusters"] if members else []
    except ClientError:
        return ""
    return found[0].get("EngineVersion", "") if found else ""


def brokers(platform: Platform) -> Part:
    part, client = Part(), platform.client("mq")
    for name, told in platform.outputs["brokers"].items():
        broker = client.describe_broker(BrokerId=told["id"])
        pending = broker.get("PendingEngineVersion", "")
        part.rows.append(
            {
                "broker": name,
                "state": broker["BrokerState"].lower().replace("_", " "),
                "version": broker["EngineVersion"],
                "type": broker.get("HostInstanceType", ""),
                "deployment": broker.get("DeploymentMode", "").lower().replace("_", " "),
            }
        )
        if broker["BrokerState"] != "RUNNING":
            part.needs.append(f"The broker {name} is {broker['BrokerState']}. docs/runbooks/broker.md.")
        if pending:
            part.notes.append(f"The broker {name} becomes {pending} in its maintenance window.")
    return part


def maintenance(platform: Platform) -> Part:
    """What AWS will do in a window; what it forces soon needs somebody."""
    part, now = Part(), datetime.now(UTC)
    for row, forced in [*_database_maintenance(platform), *_cache_maintenance(platform)]:
        part.rows.append(row)
        if forced is not None and forced - now < SOON:
            part.needs.append(
                f"AWS does {row['what']} to {row['store']} by {forced:%Y-%m-%d %H:%M} whatever the window. "
                "`groundwork maintenance apply-now` does it in an hour that you choose."
            )
    return part


def _database_maintenance(platform: Platform) -> Iterator[tuple[Row, datetime | None]]:
    if not platform.outputs.get("database"):
        return
    rds = platform.client("rds")
    primary = instances.find(platform, rds)
    ours = {each.arn: each.identifier for each in [primary, *instances.replicas(rds, primary)]}
    # An instance's or a cluster's; the filter takes either by its ARN, and the answer is small without one.
    pages = rds.get_paginator("describe_pending_maintenance_actions").paginate()
    for page in pages:
        for resource in page["PendingMaintenanceActions"]:
            if resource["ResourceIdentifier"] not in ours:
                continue
            for action in resource["PendingMaintenanceActionDetails"]:
                row = {
                    "store": ours[resource["ResourceIdentifier"]],
                    "what": action["Action"],
                    "when": action.get("CurrentApplyDate") or action.get("AutoAppliedAfterDate"),
                    "why": action.get("Description", ""),
                }
                yield row, action.get("ForcedApplyDate")


def _cache_maintenance(platform: Platform) -> Iterator[tuple[Row, datetime | None]]:
    groups = {told["replicationGroupId"]: name for name, told in platform.outputs["caches"].items()}
    if not groups:
        return
    pages = (
        platform.client("elasticache")
        .get_paginator("describe_update_actions")
        .paginate(
            ReplicationGroupIds=list(groups),
            UpdateActionStatus=["not-applied", "waiting-to-start", "scheduled"],
        )
    )
    for page in pages:
        for action in page["UpdateActions"]:
            due = action.get("ServiceUpdateRecommendedApplyByDate")
            row = {
                "store": groups.get(action["ReplicationGroupId"], action["ReplicationGroupId"]),
                "what": action["ServiceUpdateName"],
                "when": due,
                "why": f"{action.get('ServiceUpdateSeverity', '')} {action.get('ServiceUpdateType', '')}".strip(),
            }
            yield row, due if action.get("ServiceUpdateSeverity") == "critical" else None
