"""PostgreSQL on RDS as a Multi-AZ DB cluster: a writer and two readable standbys, each in a zone of its own.

For products that may stand still for less than a minute: a standby takes over in about 35 seconds, where that of a
Multi-AZ instance needs one to two minutes. Not Aurora. It promises what `Database` promises, but its storage does not
grow by itself, and its snapshots stay in their region (RDS guide, "Limitations of Multi-AZ DB clusters").
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components import _postgres
from components._database_watches import (
    DEFAULT,
    Instances,
    Thresholds,
    cluster_watches,
    instance_watches,
    primary_watches,
    replica_watches,
)
from components._iam import assume_role
from components._postgres import LOG_EXPORTS, PORT
from components._watch import Watch

MEMBERS = 3
MIN_STORAGE_GIB, MAX_STORAGE_GIB = 100, 65536
_EVENTS = ("failover", "failure", "maintenance", "notification")


@dataclass(frozen=True, kw_only=True)
class DatabaseClusterArgs:
    """As `DatabaseArgs`, for all three members at once. RDS makes and rotates the master password.

    `iops` are provisioned for each member's volume (io1); without it the volumes are gp3 with what that has. The
    subnets must lie in three zones at least. Raises ValueError, with all that is wrong, on identifiers that RDS
    refuses, on storage, IOPS and retention outside AWS's limits, and on parameters that are set here.
    """

    identifier: str
    engine_version: str
    instance_class: str
    allocated_storage_gib: int
    iops: int | None = None
    db_name: str
    username: str
    parameters: Mapping[str, str]
    backup_retention_days: int
    backup_window: str
    maintenance_window: str
    subnet_ids: Sequence[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]
    data_key_arn: pulumi.Input[str]
    secrets_key_arn: pulumi.Input[str]
    log_key_arn: pulumi.Input[str]
    log_retention_days: int
    protect: bool
    event_topic_arn: pulumi.Input[str] | None = None
    slow_query_ms: int = 1000
    thresholds: Thresholds = DEFAULT
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if found := list(self._problems()):
            raise ValueError(f"database cluster {self.identifier}: " + "; ".join(found))

    def _problems(self) -> Iterator[str]:
        yield from _postgres.name_problems([self.identifier], self.engine_version)
        storage = self.allocated_storage_gib
        if not MIN_STORAGE_GIB <= storage <= MAX_STORAGE_GIB:
            yield f"allocated_storage_gib must be {MIN_STORAGE_GIB} to {MAX_STORAGE_GIB}, got {storage}"
        if self.iops is not None and not storage <= 2 * self.iops <= 100 * storage:
            yield (
                f"iops must be half of to 50 times allocated_storage_gib, {storage // 2} to {storage * 50}, "
                f"got {self.iops}"
            )
        if not 1 <= self.backup_retention_days <= 35:
            yield f"backup_retention_days must be 1 to 35, got {self.backup_retention_days}"
        if len(self.subnet_ids) < MEMBERS:
            yield (
                f"subnet_ids must be {MEMBERS} or more, each in a zone of its own, got {len(self.subnet_ids)}"
            )
        yield from _postgres.parameter_problems(self.parameters, self.slow_query_ms)


class DatabaseCluster(pulumi.ComponentResource):
    """`address` leads to the writer, `replica_addresses` holds the one that leads to the standbys."""

    identifier: pulumi.Output[str]
    arn: pulumi.Output[str]
    address: pulumi.Output[str]
    port: pulumi.Output[int]
    name: pulumi.Output[str]
    master_secret_arn: pulumi.Output[str]
    replica_addresses: list[pulumi.Output[str]]
    subnet_group_name: pulumi.Output[str]
    watches: list[Watch]

    def __init__(
        self, name: str, args: DatabaseClusterArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("groundwork:data:DatabaseCluster", name, None, opts)
        self._prefix, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)

        cluster = self._cluster()
        if args.event_topic_arn is not None:
            self._events(cluster, args.event_topic_arn)

        self.identifier = cluster.cluster_identifier
        self.arn = cluster.arn
        self.address = cluster.endpoint
        self.port = cluster.port
        self.name = cluster.database_name
        self.master_secret_arn = cluster.master_user_secrets[0].secret_arn
        self.replica_addresses = [cluster.reader_endpoint]
        self.subnet_group_name = cluster.db_subnet_group_name
        self.watches = self._watches(cluster)
        self.register_outputs(
            {
                "identifier": self.identifier,
                "arn": self.arn,
                "address": self.address,
                "port": self.port,
                "name": self.name,
                "master_secret_arn": self.master_secret_arn,
                "replica_addresses": self.replica_addresses,
                "subnet_group_name": self.subnet_group_name,
            }
        )

    def _watches(self, cluster: aws.rds.Cluster) -> list[Watch]:
        """CloudWatch has the figures by member, and any member may be the writer."""
        args, members = self._args, _members(cluster)
        return [
            *instance_watches(
                self._prefix,
                members,
                instance_class=args.instance_class,
                allocated_storage_gib=args.allocated_storage_gib,
                max_connections=args.parameters.get("max_connections"),
                thresholds=args.thresholds,
                storage_grows=False,
            ),
            *primary_watches(self._prefix, members, allocated_storage_gib=args.allocated_storage_gib),
            *replica_watches(self._prefix, members),
            *cluster_watches(self._prefix, members),
        ]

    def _named(self, name: str) -> dict[str, str]:
        return {**self._args.tags, "Name": name}

    def _parameter_group(self) -> aws.rds.ClusterParameterGroup:
        # The family is in the name, so a major upgrade makes the new group before it lets go of the old one.
        family = f"postgres{_postgres.major(self._args.engine_version)}"
        label = f"{self._prefix}-{family}"
        return aws.rds.ClusterParameterGroup(
            label,
            family=family,
            description=f"{self._args.identifier}, all of its members",
            parameters=[
                {"name": each.name, "value": each.value, "apply_method": each.apply_method}
                for each in _postgres.parameters(self._args.parameters, self._args.slow_query_ms)
            ],
            tags=self._named(label),
            opts=self._child,
        )

    def _monitoring(self) -> tuple[aws.iam.Role, aws.iam.RolePolicyAttachment]:
        label = f"{self._prefix}-monitoring"
        role = aws.iam.Role(
            label,
            assume_role_policy=assume_role("monitoring.rds.amazonaws.com"),
            tags=self._named(label),
            opts=self._child,
        )
        grant = aws.iam.RolePolicyAttachment(
            label,
            role=role.name,
            policy_arn="arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
            opts=self._child,
        )
        return role, grant

    def _log_groups(self) -> list[aws.cloudwatch.LogGroup]:
        """Made before the cluster, which otherwise makes them itself: unencrypted and kept for ever."""
        return [
            aws.cloudwatch.LogGroup(
                f"{self._prefix}-{log}",
                name=f"/aws/rds/cluster/{self._args.identifier}/{log}",
                retention_in_days=self._args.log_retention_days,
                kms_key_id=self._args.log_key_arn,
                tags=self._named(f"{self._prefix}-{log}"),
                opts=self._child,
            )
            for log in LOG_EXPORTS
        ]

    def _cluster(self) -> aws.rds.Cluster:
        args = self._args
        subnets = aws.rds.SubnetGroup(
            self._prefix,
            subnet_ids=args.subnet_ids,
            description=f"{args.identifier}: isolated subnets",
            tags=self._named(self._prefix),
            opts=self._child,
        )
        role, grant = self._monitoring()
        return aws.rds.Cluster(
            self._prefix,
            cluster_identifier=args.identifier,
            engine="postgres",
            engine_version=_postgres.major(args.engine_version),
            db_cluster_instance_class=args.instance_class,
            allocated_storage=args.allocated_storage_gib,
            storage_type="gp3" if args.iops is None else "io1",
            iops=args.iops,
            storage_encrypted=True,
            kms_key_id=args.data_key_arn,
            database_name=args.db_name,
            master_username=args.username,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=args.secrets_key_arn,
            iam_database_authentication_enabled=True,
            port=PORT,
            publicly_accessible=False,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[args.security_group_id],
            db_cluster_parameter_group_name=self._parameter_group().name,
            ca_certificate_identifier="rds-ca-rsa2048-g1",
            backup_retention_period=args.backup_retention_days,
            preferred_backup_window=args.backup_window,
            preferred_maintenance_window=args.maintenance_window,
            copy_tags_to_snapshot=True,
            delete_automated_backups=not args.protect,
            deletion_protection=args.protect,
            skip_final_snapshot=not args.protect,
            final_snapshot_identifier=f"{args.identifier}-final" if args.protect else None,
            auto_minor_version_upgrade=True,
            allow_major_version_upgrade=False,
            apply_immediately=False,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args.data_key_arn,
            performance_insights_retention_period=7,
            monitoring_interval=60,
            monitoring_role_arn=role.arn,
            enabled_cloudwatch_logs_exports=list(LOG_EXPORTS),
            tags=self._named(args.identifier),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                retain_on_delete=args.protect,
                depends_on=[grant, *self._log_groups()],
            ),
        )

    def _events(self, cluster: aws.rds.Cluster, topic_arn: pulumi.Input[str]) -> None:
        aws.rds.EventSubscription(
            f"{self._prefix}-events",
            sns_topic=topic_arn,
            source_type="db-cluster",
            source_ids=[cluster.cluster_identifier],
            event_categories=list(_EVENTS),
            tags=self._named(f"{self._prefix}-events"),
            opts=self._child,
        )


def _members(cluster: aws.rds.Cluster) -> Instances:
    """The instances by their own names, in an order that no failover changes."""
    names = pulumi.Output.all(cluster.cluster_identifier, cluster.cluster_members).apply(
        lambda known: sorted(known[1] or ()) or [f"{known[0]}-instance-{n}" for n in range(1, MEMBERS + 1)]
    )
    return [names[position] for position in range(MEMBERS)]
