"""How a database is watched, and a proxy before one: thresholds in the units of CloudWatch's AWS/RDS metrics.

What is watched is one instance, or all members of a cluster at once: the worst of them counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pulumi

from components._watch import Comparison, Metric, Severity, Watch

Instances = Sequence[pulumi.Output[str]]
BORROW_TIMEOUT_S = 120  # so long a client waits for a connection of the proxy's; RDS's own figure


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Where a product's documents say when somebody should know.

    `connections` is a count, for 2 minutes, watched only when given. `connections_percent` is of the connections that
    max_connections allows, or of the `pooled_connections` that all services together can open, if those are fewer.
    """

    storage_used_percent: float = 90
    connections: int | None = None
    connections_percent: float = 80
    pooled_connections: int | None = None


DEFAULT = Thresholds()


def _watch(
    name: str,
    instances: Instances,
    metric_name: str,
    threshold: float,
    description: str,
    *,
    severity: Severity = "warning",
    comparison: Comparison = "GreaterThanThreshold",
    stat: str = "Average",
    minutes: int = 15,
) -> Watch:
    """One metric, past its threshold for `minutes` without a break."""
    metrics = [
        Metric(
            id="value" if len(instances) == 1 else f"value{number}",
            namespace="AWS/RDS",
            metric_name=metric_name,
            stat=stat,
            dimensions={"DBInstanceIdentifier": identifier},
        )
        for number, identifier in enumerate(instances, 1)
    ]
    worst = "MIN" if comparison.startswith("Less") else "MAX"
    ids = ", ".join(metric.id for metric in metrics)
    return Watch(
        name=name,
        description=description,
        severity=severity,
        threshold=threshold,
        comparison=comparison,
        evaluation_periods=minutes // 5,
        metrics=metrics,
        expression=f"{worst}([{ids}])" if len(metrics) > 1 else None,
    )


def instance_watches(
    label: str,
    instances: Instances,
    *,
    instance_class: str,
    allocated_storage_gib: int,
    max_connections: str | None,
    storage_grows: bool = True,
    thresholds: Thresholds = DEFAULT,
) -> list[Watch]:
    """What can go wrong with any instance. `max_connections` as the parameter group says it, None if it does not."""
    free_percent = 100 - thresholds.storage_used_percent
    why = "and it did not grow by itself" if storage_grows else "and it grows only when it is told to"
    watches = [
        _watch(f"{label}-cpu", instances, "CPUUtilization", 80, "Percent of CPU in use for 15 minutes."),
        # RDS grows the volume at the same tenth after 5 minutes: after 15 it did not, and writes will stop.
        _watch(
            f"{label}-storage",
            instances,
            "FreeStorageSpace",
            allocated_storage_gib * 2**30 * free_percent // 100,
            f"Free bytes on the volume, less than {free_percent:g} percent of it, {why}: writes will stop.",
            severity="critical",
            comparison="LessThanThreshold",
            stat="Minimum",
        ),
        _watch(
            f"{label}-memory",
            instances,
            "FreeableMemory",
            128 * 2**20,
            "Free bytes of memory: below this the instance swaps, and then restarts.",
            comparison="LessThanThreshold",
        ),
        _watch(f"{label}-read-latency", instances, "ReadLatency", 0.02, "Seconds per read from the volume."),
        _watch(f"{label}-write-latency", instances, "WriteLatency", 0.02, "Seconds per write to the volume."),
        _watch(
            f"{label}-disk-queue",
            instances,
            "DiskQueueDepth",
            64,
            "Requests that wait for the volume (count): it gives less than is asked of it.",
        ),
    ]
    watches += _connection_watches(label, instances, max_connections, thresholds)
    if instance_class.startswith("db.t"):
        watches.append(
            _watch(
                f"{label}-cpu-credits",
                instances,
                "CPUCreditBalance",
                20,
                "CPU credits left (count): without any the instance runs at its baseline, or costs extra.",
                comparison="LessThanThreshold",
            )
        )
    return watches


def _connection_watches(
    label: str, instances: Instances, max_connections: str | None, thresholds: Thresholds
) -> Iterator[Watch]:
    # RDS also takes a formula over the instance's memory, whose result nobody here knows.
    allowed = int(max_connections) if max_connections is not None and max_connections.isdigit() else None
    pooled = thresholds.pooled_connections
    percent = thresholds.connections_percent
    bounds = [bound for bound in (allowed, pooled) if bound is not None]
    if bounds:
        of = "allowed" if min(bounds) == allowed else "that the services' pools have"
        yield _watch(
            f"{label}-connections",
            instances,
            "DatabaseConnections",
            min(bounds) * percent / 100,
            f"Connections (count), above {percent:g} percent of the {min(bounds)} {of}: then services are refused.",
            severity="critical",
            stat="Maximum",
            minutes=5,
        )
    if thresholds.connections is not None:
        watch = _watch(
            f"{label}-connections-high",
            instances,
            "DatabaseConnections",
            thresholds.connections,
            f"DatabaseConnectionHigh: more than {thresholds.connections} connections (count), for 2 minutes.",
            stat="Maximum",
            minutes=5,
        )
        yield replace(watch, period_s=60, evaluation_periods=2)


def primary_watches(label: str, instances: Instances, *, allocated_storage_gib: int) -> list[Watch]:
    """What only an instance that takes writes can suffer."""
    return [
        _watch(
            f"{label}-transaction-logs",
            instances,
            "TransactionLogsDiskUsage",
            allocated_storage_gib * 2**30 // 5,
            "Bytes of transaction logs, more than a fifth of the volume: something stopped reading them.",
        ),
        # PostgreSQL stops accepting writes near 2.1 billion; RDS's guide sets the alarm at 1 billion.
        _watch(
            f"{label}-transaction-ids",
            instances,
            "MaximumUsedTransactionIDs",
            1_000_000_000,
            "Transaction ids not yet vacuumed (count): at 2.1 billion the database stops taking writes.",
            severity="critical",
            stat="Maximum",
            minutes=5,
        ),
    ]


def replica_watches(label: str, instances: Instances) -> list[Watch]:
    """How far a replica is behind."""
    # While nobody writes, a healthy replica reports up to 300 s (RDS guide, "Monitoring read replication").
    return [
        _watch(
            f"{label}-lag", instances, "ReplicaLag", 360, "Seconds that the replica is behind its source."
        ),
        _watch(
            f"{label}-stale",
            instances,
            "ReplicaLag",
            3600,
            "Seconds that the replica is behind its source: an hour means that replication stopped.",
            severity="critical",
            minutes=5,
        ),
    ]


def cluster_watches(label: str, members: Instances) -> list[Watch]:
    """What only the members of a Multi-AZ DB cluster have: disks of their own for what does not fit into memory."""
    return [
        _watch(
            f"{label}-local-storage",
            members,
            "FreeLocalStoragePercent",
            10,
            "Percent free of a member's own disk, which holds what a query sorts: without room queries fail.",
            comparison="LessThanThreshold",
            stat="Minimum",
        )
    ]


def proxy_watches(label: str, proxy_name: pulumi.Output[str], *, max_connections: int | None) -> list[Watch]:
    """`max_connections` is what the proxy may open to the database, None if nobody knows."""

    def watch(
        part: str,
        metric_name: str,
        threshold: float,
        description: str,
        *,
        severity: Severity = "warning",
        comparison: Comparison = "GreaterThanThreshold",
        stat: str = "Average",
        minutes: int = 15,
        period_s: int = 300,
    ) -> Watch:
        metric = Metric(
            id="value",
            namespace="AWS/RDS",
            metric_name=metric_name,
            stat=stat,
            dimensions={"ProxyName": proxy_name},
        )
        return Watch(
            name=f"{label}-{part}",
            description=description,
            severity=severity,
            threshold=threshold,
            comparison=comparison,
            metrics=[metric],
            period_s=period_s,
            evaluation_periods=minutes * 60 // period_s,
        )

    watches = [
        watch(
            "unavailable",
            "AvailabilityPercentage",
            90,
            "Percent of its checks in which the proxy found the database: services are cut off.",
            severity="critical",
            comparison="LessThanThreshold",
            minutes=5,
        ),
        watch(
            "borrow-latency",
            "DatabaseConnectionsBorrowLatency",
            1_000_000,
            "Microseconds until a client gets a connection: above a second there are too few, and after "
            f"{BORROW_TIMEOUT_S} seconds clients are refused.",
            severity="critical",
        ),
        watch(
            "latency",
            "QueryDatabaseResponseLatency",
            1_000_000,
            "Microseconds that the database takes to answer the proxy, on average.",
        ),
        watch(
            "failed-logins",
            "ClientConnectionsSetupFailedAuth",
            10,
            "Logins that the proxy refused (count) in five minutes: a wrong password, or no TLS.",
            stat="Sum",
            minutes=5,
        ),
    ]
    if max_connections is not None:
        watches += [
            # Each of the proxy's machines tells its share every minute: a sum over longer would count it again.
            # A pinned connection serves one client only, as if there were no proxy.
            watch(
                "pinned",
                "DatabaseConnectionsCurrentlySessionPinned",
                max_connections * 0.5,
                "Connections that serve one client alone (count), more than half of the "
                f"{max_connections} that the proxy may open: the others share what is left.",
                stat="Sum",
                period_s=60,
            ),
            watch(
                "connections",
                "DatabaseConnections",
                max_connections * 0.9,
                f"Connections to the database (count), above 90 percent of the {max_connections} that the proxy may "
                "open: then clients wait.",
                stat="Sum",
                period_s=60,
            ),
        ]
    return watches
