"""An upgrade in place: a snapshot, then RDS stops the database and brings it up at the new version."""

from typing import Any

from operations.db.aws_snapshots import snapshot
from operations.db.aws_upgrade.blue_green import MAKER, OTHERWISE
from operations.db.aws_upgrade.preflight import Target
from operations.db.instances import MADE_BY, OF, Described, get
from operations.waits import Failed, Look, Patience


def snapshot_name(database: Described, version: str) -> str:
    """The same upgrade has the same name: a snapshot that is there already is waited for, and not taken twice."""
    return f"{database.identifier}-before-{version.replace('.', '-')}"


def take_snapshot(rds: Any, database: Described, wanted: Target, patience: Patience) -> str:
    name = snapshot_name(database, wanted.version)
    snapshot(rds, database, name, {MADE_BY: MAKER, OF: database.identifier}, patience)
    return name


def start(rds: Any, database: Described, wanted: Target, group: str) -> None:
    """Replicas in the same region go with their primary."""
    if database.is_cluster:
        rds.modify_db_cluster(
            DBClusterIdentifier=database.identifier,
            EngineVersion=wanted.version,
            AllowMajorVersionUpgrade=wanted.is_major,
            DBClusterParameterGroupName=group,
            ApplyImmediately=True,
        )
    else:
        rds.modify_db_instance(
            DBInstanceIdentifier=database.identifier,
            EngineVersion=wanted.version,
            AllowMajorVersionUpgrade=wanted.is_major,
            DBParameterGroupName=group,
            ApplyImmediately=True,
        )


def wait_upgraded(rds: Any, name: str, version: str, patience: Patience) -> Described:
    """Raises `Failed` where it is not there in time, and where RDS has put it back, as it does when its checks fail."""
    has_begun = False

    def look() -> Look[Described]:
        nonlocal has_begun
        seen = get(rds, name)
        if seen is None:
            return Look("not there")
        if seen.status == "available" and seen.version == version:
            return Look("upgraded", seen)
        if seen.status == "available" and has_begun:
            raise Failed(
                f"RDS has put {name} back to {seen.version}: its log pg_upgrade_precheck.log or "
                "pg_upgrade_internal.log "
                "(`aws rds describe-db-log-files`) says why."
            )
        has_begun = has_begun or seen.status == "upgrading"
        return Look(f"{seen.status}, at {seen.version}")

    return patience.until(f"Upgrade of {name}", look, otherwise=OTHERWISE, every_s=30)
