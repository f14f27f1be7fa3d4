"""RDS snapshots by hand, of an instance or of a cluster."""

from collections.abc import Mapping
from typing import Any

from operations.db.instances import Described, tag_list
from operations.waits import Failed, Look, Patience


def snapshot(rds: Any, database: Described, name: str, tags: Mapping[str, str], patience: Patience) -> str:
    """Takes one by hand, and waits; its ARN. One of that name that is there already is waited for. Raises `Failed`."""
    key = "DBClusterSnapshot" if database.is_cluster else "DBSnapshot"
    if _snapshot(rds, database, name) is None:
        source = "DBClusterIdentifier" if database.is_cluster else "DBInstanceIdentifier"
        make = rds.create_db_cluster_snapshot if database.is_cluster else rds.create_db_snapshot
        make(**{f"{key}Identifier": name, source: database.identifier}, Tags=tag_list(tags))

    def look() -> Look[str]:
        seen = _snapshot(rds, database, name) or {"Status": "not there yet"}
        if seen["Status"] == "failed":
            raise Failed(f"RDS could not take the snapshot {name}. `aws rds describe-events` says why.")
        share = seen.get("PercentProgress")
        state = seen["Status"] if share is None else f"{seen['Status']}, {share} %"
        return Look(state, seen[f"{key}Arn"] if seen["Status"] == "available" else None)

    return patience.until(
        f"snapshot {name}", look, otherwise="RDS goes on with it: run `groundwork backup status` later."
    )


def _snapshot(rds: Any, database: Described, name: str) -> dict[str, Any] | None:
    try:
        if database.is_cluster:
            return rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"][
                0
            ]
        return rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]
    except (rds.exceptions.DBSnapshotNotFoundFault, rds.exceptions.DBClusterSnapshotNotFoundFault):
        return None
