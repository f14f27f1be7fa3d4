"""PostgreSQL on RDS: primary, read replicas, parameter group, logs, and how they are watched.

Private, encrypted, TLS only; the master password is RDS's own unless there are replicas. Extensions, roles and
grants are SQL and belong to the bootstrap task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components import _postgres
from components._database_watches import (
    DEFAULT,
    Thresholds,
    instance_watches,
    primary_watches,
    replica_watches,
)
from components._iam import assume_role
from components._postgres import LOG_EXPORTS, PORT
from components._watch import Watch

_EVENTS = (
    "availability",
    "failover",
    "failure",
    "low storage",
    "maintenance",
    "notification",
    "read replica",
    "recovery",
)


@dataclass(frozen=True, kw_only=True)
class Replica:
    identifier: str
    instance_class: str


@dataclass(frozen=True, kw_only=True)
class MasterPassword:
    """The master user's password, and the secret that holds it as JSON: {"username", "password"}."""

    value: pulumi.Input[str]
    secret_arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """`parameters` in RDS units: shared_buffers in 8 kB pages, work_mem in kB. Windows are UTC.

    `engine_version` is a major version, or a minor one whose major counts (see `Database`). `protect` turns on
    deletion protection and the final snapshot, and makes Pulumi refuse to replace or destroy the instances.
    Without `master_password` RDS makes one, keeps it in Secrets Manager and rotates it; an instance with replicas
    needs one, since RDS makes no replica of an instance whose password it manages (RDS guide, "Limitations for
    Secrets Manager integration").
    Raises ValueError, with all that is wrong, on identifiers that RDS refuses or that repeat, on storage and
    retention outside AWS's limits, on replicas without backups or master password, and on parameters that are
    set here.
    """

    identifier: str
    engine_version: str
    instance_class: str
    allocated_storage_gib: int
    max_allocated_storage_gib: int
    db_name: str
    username: str
    parameters: Mapping[str, str]
    multi_az: bool
    replicas: Sequence[Replica]
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
    master_password: MasterPassword | None = None
    event_topic_arn: pulumi.Input[str] | None = None
    slow_query_ms: int = 1000
    thresholds: Thresholds = DEFAULT
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parameters = _postgres.parameter_problems(self.parameters, self.slow_query_ms)
        if found := [*self._name_problems(), *self._size_problems(), *parameters]:
            raise ValueError(f"database {self.identifier}: " + "; ".join(found))

    @property
    def major_version(self) -> str:
        return _postgres.major(self.engine_version)

    def _name_problems(self) -> list[str]:
        names = [self.identifier, *(replica.identifier for replica in self.replicas)]
        found = [f"identifier {n!r} is used twice" for n in sorted({n for n in names if names.count(n) > 1})]
        return [*_postgres.name_problems(names, self.engine_version), *found]

    def _size_problems(self) -> list[str]:
        found = []
        if not 20 <= self.allocated_storage_gib <= 65536:
            found.append(
                f"allocated_storage_gib must be 20 to 65536 for gp3, got {self.allocated_storage_gib}"
            )
        # RDS guide, "Managing capacity automatically": at least a tenth above what is allocated.
        if self.max_allocated_storage_gib * 10 < self.allocated_storage_gib * 11:
            found.append(
                "max_allocated_storage_gib must be at least a tenth above allocated_storage_gib "
                f"({self.allocated_storage_gib}), got {self.max_allocated_storage_gib}"
            )
        if not 0 <= self.backup_retention_days <= 35:
            found.append(f"backup_retention_days must be 0 to 35, got {self.backup_retention_days}")
        if self.replicas and self.backup_retention_days == 0:
            found.append(
                "read replicas need backups of their source: backup_retention_days must be 1 or more"
            )
        if self.replicas and self.master_password is None:
            found.append(
                "read replicas need master_password: RDS makes none of an instance whose password it manages"
            )
        return found


class Database(pulumi.ComponentResource):
    """The instances carry the major version only: AWS brings minor ones itself in the maintenance window.

    A pinned minor would, after the first of them, be a downgrade that RDS refuses. The provider takes "16" for
    any 16.x.
    """

    identifier: pulumi.Output[str]
    arn: pulumi.Output[str]
    address: pulumi.Output[str]
    port: pulumi.Output[int]
    name: pulumi.Output[str]
    master_secret_arn: pulumi.Output[str]
    replica_addresses: list[pulumi.Output[str]]
    subnet_group_name: pulumi.Output[str]
    watches: list[Watch]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:data:Database", name, None, opts)
        self._prefix, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)

        self._parameter_group = self._make_parameter_group()
        self._monitoring_role, self._monitoring_grant = self._make_monitoring_role()
        primary = self._primary()
        replicas = [self._replica(replica, primary) for replica in args.replicas]
        if args.event_topic_arn is not None:
            self._events([primary, *replicas], args.event_topic_arn)

        self.identifier = primary.identifier
        self.arn = primary.arn
        self.address = primary.address
        self.port = primary.port
        self.name = primary.db_name
        self.master_secret_arn = (
            pulumi.Output.from_input(args.master_password.secret_arn)
            if args.master_password is not None
            else primary.master_user_secrets[0].secret_arn
        )
        self.replica_addresses = [replica.address for replica in replicas]
        self.subnet_group_name = primary.db_subnet_group_name
        self.watches = self._watches(primary, replicas)
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

    def _watches(self, primary: aws.rds.Instance, replicas: Sequence[aws.rds.Instance]) -> list[Watch]:
        args = self._args
        watches = primary_watches(
            self._prefix, [primary.identifier], allocated_storage_gib=args.allocated_storage_gib
        )
        labelled = [(self._prefix, args.instance_class, primary.identifier)]
        for declared, replica in zip(args.replicas, replicas, strict=True):
            label = f"{self._prefix}-{declared.identifier}"
            labelled.append((label, declared.instance_class, replica.identifier))
            watches += replica_watches(label, [replica.identifier])
        for label, instance_class, identifier in labelled:
            watches += instance_watches(
                label,
                [identifier],
                instance_class=instance_class,
                allocated_storage_gib=args.allocated_storage_gib,
                max_connections=args.parameters.get("max_connections"),
                thresholds=args.thresholds,
            )
        return watches

    def _named(self, name: str) -> dict[str, str]:
        return {**self._args.tags, "Name": name}

    def _make_parameter_group(self) -> aws.rds.ParameterGroup:
        # The family is in the name, so a major upgrade makes the new group before it lets go of the old one.
        family = f"postgres{self._args.major_version}"
        label = f"{self._prefix}-{family}"
        return aws.rds.ParameterGroup(
            label,
            family=family,
            description=f"{self._args.identifier} and its replicas",
            parameters=[
                {"name": each.name, "value": each.value, "apply_method": each.apply_method}
                for each in _postgres.parameters(self._args.parameters, self._args.slow_query_ms)
            ],
            tags=self._named(label),
            opts=self._child,
        )

    def _make_monitoring_role(self) -> tuple[aws.iam.Role, aws.iam.RolePolicyAttachment]:
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

    def _log_groups(self, label: str, identifier: str) -> list[aws.cloudwatch.LogGroup]:
        """Made before the instance, which otherwise makes them itself: unencrypted and kept for ever."""
        return [
            aws.cloudwatch.LogGroup(
                f"{label}-{log}",
                name=f"/aws/rds/instance/{identifier}/{log}",
                retention_in_days=self._args.log_retention_days,
                kms_key_id=self._args.log_key_arn,
                tags=self._named(f"{label}-{log}"),
                opts=self._child,
            )
            for log in LOG_EXPORTS
        ]

    def _data(self, after: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        protect = self._args.protect
        return pulumi.ResourceOptions(
            parent=self,
            protect=protect,
            retain_on_delete=protect,
            depends_on=[self._monitoring_grant, *after],
        )

    def _primary(self) -> aws.rds.Instance:
        args, given = self._args, self._args.master_password
        subnets = aws.rds.SubnetGroup(
            self._prefix,
            subnet_ids=args.subnet_ids,
            description=f"{args.identifier}: isolated subnets",
            tags=self._named(self._prefix),
            opts=self._child,
        )
        return aws.rds.Instance(
            self._prefix,
            identifier=args.identifier,
            engine="postgres",
            engine_version=args.major_version,
            instance_class=args.instance_class,
            allocated_storage=args.allocated_storage_gib,
            max_allocated_storage=args.max_allocated_storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=args.data_key_arn,
            db_name=args.db_name,
            username=args.username,
            password=given.value if given is not None else None,
            manage_master_user_password=True if given is None else None,
            master_user_secret_kms_key_id=args.secrets_key_arn if given is None else None,
            iam_database_authentication_enabled=True,
            port=PORT,
            multi_az=args.multi_az,
            publicly_accessible=False,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[args.security_group_id],
            parameter_group_name=self._parameter_group.name,
            ca_cert_identifier="rds-ca-rsa2048-g1",
            backup_retention_period=args.backup_retention_days,
            backup_window=args.backup_window,
            maintenance_window=args.maintenance_window,
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
            monitoring_role_arn=self._monitoring_role.arn,
            enabled_cloudwatch_logs_exports=list(LOG_EXPORTS),
            tags=self._named(args.identifier),
            opts=self._data(self._log_groups(self._prefix, args.identifier)),
        )

    def _replica(self, replica: Replica, primary: aws.rds.Instance) -> aws.rds.Instance:
        # Engine version, subnets, master user and encryption key come from the source, and RDS refuses to be
        # told them. The parameter group is the primary's, so max_connections is never below it.
        args = self._args
        label = f"{self._prefix}-{replica.identifier}"
        return aws.rds.Instance(
            label,
            identifier=replica.identifier,
            replicate_source_db=primary.identifier,
            instance_class=replica.instance_class,
            max_allocated_storage=args.max_allocated_storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            iam_database_authentication_enabled=True,
            port=PORT,
            multi_az=False,
            publicly_accessible=False,
            vpc_security_group_ids=[args.security_group_id],
            parameter_group_name=self._parameter_group.name,
            ca_cert_identifier="rds-ca-rsa2048-g1",
            backup_retention_period=0,
            maintenance_window=args.maintenance_window,
            copy_tags_to_snapshot=True,
            deletion_protection=args.protect,
            skip_final_snapshot=True,
            auto_minor_version_upgrade=True,
            allow_major_version_upgrade=False,
            apply_immediately=False,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args.data_key_arn,
            performance_insights_retention_period=7,
            monitoring_interval=60,
            monitoring_role_arn=self._monitoring_role.arn,
            enabled_cloudwatch_logs_exports=list(LOG_EXPORTS),
            tags=self._named(replica.identifier),
            opts=self._data(self._log_groups(label, replica.identifier)),
        )

    def _events(self, instances: Sequence[aws.rds.Instance], topic_arn: pulumi.Input[str]) -> None:
        aws.rds.EventSubscription(
            f"{self._prefix}-events",
            sns_topic=topic_arn,
            source_type="db-instance",
            source_ids=[instance.identifier for instance in instances],
            event_categories=list(_EVENTS),
            tags=self._named(f"{self._prefix}-events"),
            opts=self._child,
        )
