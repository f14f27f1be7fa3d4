"""The stack's database as RDS knows it: an instance with its replicas, or a Multi-AZ DB cluster with its members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operations.platform import Platform, Refusal
from operations.waits import Look, Patience

MADE_BY = "groundwork:made-by"
OF = "groundwork:of"  # the identifier of the database that a copy was made of

Said = Mapping[str, Any]


@dataclass(frozen=True)
class Described:
    """What RDS says of it, in the shape of DescribeDBInstances or DescribeDBClusters."""

    said: Said
    is_cluster: bool

    @property
    def identifier(self) -> str:
        return self.said["DBClusterIdentifier" if self.is_cluster else "DBInstanceIdentifier"]

    @property
    def arn(self) -> str:
        return self.said["DBClusterArn" if self.is_cluster else "DBInstanceArn"]

    @property
    def status(self) -> str:
        return self.said["Status" if self.is_cluster else "DBInstanceStatus"]

    @property
    def version(self) -> str:
        return self.said["EngineVersion"]

    @property
    def instance_class(self) -> str:
        return self.said["DBClusterInstanceClass" if self.is_cluster else "DBInstanceClass"]

    @property
    def has_standby(self) -> bool:
        return bool(self.said.get("MultiAZ")) or (self.is_cluster and len(self.members) > 1)

    @property
    def members(self) -> Sequence[Said]:
        """A cluster's; the writer first."""
        members = self.said.get("DBClusterMembers", [])
        return sorted(members, key=lambda member: not member["IsClusterWriter"])

    @property
    def pending_changes(self) -> list[str]:
        """What waits for the maintenance window, by RDS' names."""
        return [key for key, value in sorted((self.said.get("PendingModifiedValues") or {}).items()) if value]

    @property
    def keeps_password(self) -> bool:
        """RDS makes and rotates the master user's password itself."""
        return bool(self.said.get("MasterUserSecret"))

    @property
    def security_groups(self) -> list[str]:
        return [each["VpcSecurityGroupId"] for each in self.said.get("VpcSecurityGroups", [])]

    @property
    def subnet_group(self) -> str:
        group = self.said["DBSubnetGroup"]
        return group if isinstance(group, str) else group["DBSubnetGroupName"]

    @property
    def parameter_group(self) -> str:
        if self.is_cluster:
            return self.said["DBClusterParameterGroup"]
        return self.said["DBParameterGroups"][0]["DBParameterGroupName"]

    @property
    def tags(self) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in self.said.get("TagList", [])}

    def __str__(self) -> str:
        return f"{'the Multi-AZ DB cluster' if self.is_cluster else 'the instance'} {self.identifier}"


def major(version: str) -> int:
    return int(version.partition(".")[0])


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def declared(platform: Platform) -> Said:
    """The output `database`. Raises Refusal where the stack has none of its own."""
    said = platform.outputs.get("database")
    if not said:
        raise Refusal(f"{platform} has no database of its own (its output `database` is empty).")
    return said


def find(platform: Platform, rds: Any) -> Described:
    """Raises Refusal where the stack has none, or RDS does not know it."""
    identifier = declared(platform)["identifier"]
    return get(rds, identifier) or _gone(identifier)


def _gone(identifier: str) -> Described:
    raise Refusal(
        f"RDS knows no instance and no cluster {identifier}, which the stack's outputs name. `pulumi refresh` shows "
        "what stands."
    )


def get(rds: Any, identifier: str) -> Described | None:
    """A cluster of that name, else an instance of that name, else None."""
    try:
        [said] = rds.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"]
        return Described(said, is_cluster=True)
    except rds.exceptions.DBClusterNotFoundFault:
        return get_instance(rds, identifier)


def get_instance(rds: Any, identifier: str) -> Described | None:
    try:
        [said] = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    except rds.exceptions.DBInstanceNotFoundFault:
        return None
    return Described(said, is_cluster=False)


def all_instances(rds: Any) -> list[Described]:
    pages = rds.get_paginator("describe_db_instances").paginate()
    return [Described(said, is_cluster=False) for page in pages for said in page["DBInstances"]]


def replicas(rds: Any, database: Described) -> list[Described]:
    """In the order of their names. An ARN names one of another region, which is left out."""
    names = sorted(database.said.get("ReadReplicaDBInstanceIdentifiers", []))
    found = [get_instance(rds, name) for name in names if ":" not in name]
    return [each for each in found if each is not None]


def everything(platform: Platform, rds: Any) -> list[tuple[str, Described]]:
    """What it is, and RDS' description: the cluster with its members, or the primary with its replicas.

    Raises Refusal as `find` does.
    """
    database = find(platform, rds)
    if not database.is_cluster:
        return [("primary", database), *(("replica", each) for each in replicas(rds, database))]
    found = [("cluster", database)]
    for each in database.members:
        if said := get_instance(rds, each["DBInstanceIdentifier"]):
            found.append(("writer" if each["IsClusterWriter"] else "reader", said))
    return found


def wait_available(rds: Any, identifier: str, patience: Patience, *, otherwise: str) -> Described:
    """Until RDS calls it available and has nothing left to change. Raises `Failed`."""

    def look() -> Look[Described]:
        seen = get(rds, identifier)
        if seen is None:
            return Look("not there yet")
        pending = seen.said.get("PendingModifiedValues") or {}
        if seen.status == "available" and "MasterUserPassword" not in pending:
            return Look("available", seen)
        return Look(seen.status)

    return patience.until(identifier, look, otherwise=otherwise)
