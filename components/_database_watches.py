"""How the instances of a Database are watched: thresholds in the units of CloudWatch's AWS/RDS metrics."""

import pulumi

from components._watch import Comparison, Metric, Severity, Watch


def _watch(
    name: str,
    identifier: pulumi.Input[str],
    metric_name: str,
    threshold: float,
    description: str,
    *,
    severity: Severity = "warning",
    comparison: Comparison = "GreaterThanThreshold",
    stat: str = "Average",
    minutes: int = 15,
) -> Watch:
    """One metric of one instance, past its threshold for `minutes` without a break."""
    return Watch(
        name=name,
        description=description,
        severity=severity,
        threshold=threshold,
        comparison=comparison,
        evaluation_periods=minutes // 5,
        metrics=[
            Metric(
                id="value",
                namespace="AWS/RDS",
                metric_name=metric_name,
                stat=stat,
                dimensions={"DBInstanceIdentifier": identifier},
            )
        ],
    )


def instance_watches(
    label: str,
    identifier: pulumi.Output[str],
    *,
    instance_class: str,
    allocated_storage_gib: int,
    max_connections: str | None,
) -> list[Watch]:
    """What can go wrong with any instance. `max_connections` as the parameter group says it, None if it does not."""
    tenth_of_storage = allocated_storage_gib * 2**30 // 10
    watches = [
        _watch(f"{label}-cpu", identifier, "CPUUtilization", 80, "Percent of CPU in use for 15 minutes."),
        # RDS grows the volume at the same tenth after 5 minutes: after 15 it did not, and writes will stop.
        _watch(
            f"{label}-storage",
            identifier,
            "FreeStorageSpace",
            tenth_of_storage,
            "Free bytes on the volume, less than a tenth, and it did not grow by itself: writes will stop.",
            severity="critical",
            comparison="LessThanThreshold",
            stat="Minimum",
        ),
        _watch(
            f"{label}-memory",
            identifier,
            "FreeableMemory",
            128 * 2**20,
            "Free bytes of memory: below this the instance swaps, and then restarts.",
            comparison="LessThanThreshold",
        ),
        _watch(f"{label}-read-latency", identifier, "ReadLatency", 0.02, "Seconds per read from the volume."),
        _watch(
            f"{label}-write-latency", identifier, "WriteLatency", 0.02, "Seconds per write to the volume."
        ),
        _watch(
            f"{label}-disk-queue",
            identifier,
            "DiskQueueDepth",
            64,
            "Requests that wait for the volume (count): it gives less than is asked of it.",
        ),
    ]
    # RDS also takes a formula over the instance's memory, whose result nobody here knows.
    if max_connections is not None and max_connections.isdigit():
        watches.append(
            _watch(
                f"{label}-connections",
                identifier,
                "DatabaseConnections",
                int(max_connections) * 0.8,
                f"Connections (count), above 80 percent of the {max_connections} allowed: then services are refused.",
                severity="critical",
                stat="Maximum",
                minutes=5,
            )
        )
    if instance_class.startswith("db.t"):
        watches.append(
            _watch(
                f"{label}-cpu-credits",
                identifier,
                "CPUCreditBalance",
                20,
                "CPU credits left (count): without any the instance runs at its baseline, or costs extra.",
                comparison="LessThanThreshold",
            )
        )
    return watches


def primary_watches(label: str, identifier: pulumi.Output[str], *, allocated_storage_gib: int) -> list[Watch]:
    """What only an instance that takes writes can suffer."""
    return [
        _watch(
            f"{label}-transaction-logs",
            identifier,
            "TransactionLogsDiskUsage",
            allocated_storage_gib * 2**30 // 5,
            "Bytes of transaction logs, more than a fifth of the volume: something stopped reading them.",
        ),
        # PostgreSQL stops accepting writes near 2.1 billion; RDS's guide sets the alarm at 1 billion.
        _watch(
            f"{label}-transaction-ids",
            identifier,
            "MaximumUsedTransactionIDs",
            1_000_000_000,
            "Transaction ids not yet vacuumed (count): at 2.1 billion the database stops taking writes.",
            severity="critical",
            stat="Maximum",
            minutes=5,
        ),
    ]


def replica_watches(label: str, identifier: pulumi.Output[str]) -> list[Watch]:
    """How far a replica is behind."""
    # While nobody writes, a healthy replica reports up to 300 s (RDS guide, "Monitoring read replication").
    return [
        _watch(
            f"{label}-lag", identifier, "ReplicaLag", 360, "Seconds that the replica is behind its source."
        ),
        _watch(
            f"{label}-stale",
            identifier,
            "ReplicaLag",
            3600,
            "Seconds that the replica is behind its source: an hour means that replication stopped.",
            severity="critical",
            minutes=5,
        ),
    ]
