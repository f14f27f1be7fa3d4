"""The data stores: database, caches, queues in a cache, and secrets by name."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from settings.model.fields import (
    Count,
    DailyWindow,
    Identifier,
    Items,
    Matching,
    Model,
    Name,
    Positive,
    Schedule,
    SqlName,
    Text,
    Version,
    WeeklyWindow,
    in_stack,
    in_system,
)

Privilege = Literal["ALL", "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
DatabasePrivilege = Literal["ALL", "CREATE", "CONNECT", "TEMPORARY"]
SchemaPrivilege = Literal["ALL", "CREATE", "USAGE"]
RowCommand = Literal["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"]


def _as_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


# A parameter group knows only text; people may leave out the quotes of a number.
ParameterValue = Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "integer"]})]
SettingName = Annotated[
    str,
    Matching(
        r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$",
        "the name of a parameter of PostgreSQL",
        "statement_timeout",
    ),
]


class DatabaseRole(Model):
    """An account of the database. Its password is generated and kept in Secrets Manager."""

    tables: Mapping[SqlName, Items[Privilege]] = in_system("Privileges by table", default={})
    database: Items[DatabasePrivilege] = in_system(
        "Privileges on the database itself; every role may connect", default=()
    )
    schemas: Mapping[SqlName, Items[SchemaPrivilege]] = in_system(
        "Privileges by schema; every role may use `public`", default={}
    )
    settings: Mapping[SettingName, ParameterValue] = in_system(
        "Parameters that hold for the role's sessions, such as statement_timeout: 30s", default={}
    )


class RowPolicy(Model):
    """One CREATE POLICY of row level security."""

    name: SqlName = in_system("The policy's name")
    command: RowCommand = in_system("The statement that it is for")
    roles: Items[SqlName] = in_system("The roles that it is for; none: every role", default=())
    using: Text | None = in_system("SQL: which existing rows may be seen or changed", default=None)
    check: Text | None = in_system("SQL: which rows may be written", default=None)


class DatabaseIndex(Model):
    """An index that is made once its table exists."""

    name: SqlName = in_system("The index's name")
    table: SqlName = in_system("Its table")
    definition: Text = in_system("SQL: what follows ON <table>")


class Vacuum(Model):
    """Scheduled VACUUM ANALYZE (RentalFix guide L571-572)."""

    tables: Items[SqlName] = in_system("The tables", min_length=1)
    schedule: Schedule = in_system("When, in UTC")


class Replica(Model):
    """A read replica; its address is ${database.replica_address}."""

    identifier: Identifier = in_stack("RDS identifier, at most 63 characters")
    instance_class: str = in_stack("RDS instance class; it may differ from the primary's")


class Proxy(Model):
    """RDS Proxy before the database: services share its connections, and hardly notice a failover."""

    enabled: bool = in_stack("false: not made; services go to the database itself")
    max_connections_percent: Annotated[int, Field(ge=1, le=100)] = in_stack(
        "Percent of max_connections that it may open", default=90
    )
    idle_client_timeout_s: Annotated[int, Field(ge=1, le=28800)] = in_stack(
        "A client that is idle for so long is cut off, in seconds", default=1800
    )


class Database(Model):
    """PostgreSQL on RDS: private, encrypted, TLS only."""

    identifier: Identifier = in_stack("RDS identifier of the primary, at most 63 characters")
    name: SqlName = in_system("The database that is made with the instance")
    username: SqlName = in_system("The master user; services use roles instead")
    minimum_version: Version = in_system("The least version of PostgreSQL that the product runs on")
    engine_version: Version = in_stack(
        "Version of PostgreSQL. RDS is told the major one and brings minor ones itself"
    )
    instance_class: str = in_stack("RDS instance class of the primary")
    allocated_storage_gib: Annotated[int, Field(ge=20, le=65536)] = in_stack(
        "Storage at the start, in GiB (gp3)"
    )
    max_allocated_storage_gib: Annotated[int, Field(ge=20, le=65536)] | None = in_stack(
        "How far storage grows by itself, in GiB; that of a Multi-AZ DB cluster does not", default=None
    )
    multi_az: bool = in_stack("A standby in a second zone, with automatic failover", default=False)
    multi_az_cluster: bool = in_stack(
        "Two readable standbys in two further zones instead, which take over within a minute", default=False
    )
    iops: Positive | None = in_stack(
        "Operations per second of each volume of a Multi-AZ DB cluster (io1); none: gp3 with what it has",
        default=None,
    )
    backup_retention_days: Annotated[int, Field(ge=0, le=35)] = in_stack(
        "Point in time recovery, in days (RDS: at most 35)"
    )
    replicas: Items[Replica] = in_stack("Read replicas; none: an empty list", default=())
    proxy: Proxy | None = in_stack(
        "A connection proxy before the database; none: services connect to it themselves", default=None
    )
    extensions: Mapping[str, Version] = in_system("Extensions to create, each with its least version")
    parameters: Mapping[str, ParameterValue] = in_system(
        "Parameters of the parameter group, in RDS units: shared_buffers in pages of 8 kB, other memory in kB"
    )
    roles: Mapping[SqlName, DatabaseRole] = in_system("The accounts that services use")
    row_level_security: Mapping[SqlName, Items[RowPolicy]] = in_system("Policies by table", default={})
    indexes: Items[DatabaseIndex] = in_system("Indexes beyond the migrations'", default=())
    backup_window: DailyWindow = in_system("When RDS takes its daily snapshot, UTC, at least 30 minutes")
    maintenance_window: WeeklyWindow = in_system("When RDS may patch, UTC, at least 30 minutes")
    vacuum: Vacuum | None = in_system("Scheduled vacuum; none: autovacuum only", default=None)

    @property
    def has_proxy(self) -> bool:
        return self.proxy is not None and self.proxy.enabled

    @property
    def has_readers(self) -> bool:
        """Whether ${database.replica_address} leads to somebody else than the one who writes."""
        return self.multi_az_cluster or bool(self.replicas)

    @property
    def storage_at_most_gib(self) -> int:
        return self.max_allocated_storage_gib or self.allocated_storage_gib

    @property
    def max_connections(self) -> int | None:
        """The connections that the parameter group allows; None when RDS derives them from the class's memory."""
        value = self.parameters.get("max_connections", "")
        return int(value) if value.isdigit() else None


class Cache(Model):
    """A replication group of ElastiCache: TLS, auth token, encrypted, snapshots."""

    enabled: bool = in_stack("false: not made; whoever names it gets its fallback")
    engine: Literal["redis", "valkey"] = in_system("The engine")
    engine_version: Version = in_stack("Version of the engine, 7 or newer")
    replication_group_id: Identifier | None = in_stack(
        "Its id at ElastiCache, where scripts use one already, at most 40 characters; none: Groundwork's own",
        default=None,
    )
    node_type: str = in_stack("Type of each node")
    cluster_mode: bool = in_system("Keys are spread over shards, and clients must speak the cluster protocol")
    shards: Annotated[int, Field(ge=1, le=500)] = in_stack("Masters; more than one needs cluster mode")
    replicas_per_shard: Annotated[int, Field(ge=0, le=5)] = in_stack(
        "Replicas of each master (ElastiCache: at most 5)"
    )
    memory_needed_gib: Annotated[float, Field(gt=0)] | None = in_system(
        "What one node must be able to hold, in GiB: maxmemory of the product's own documents", default=None
    )
    fallback: Name | None = in_system(
        "The cache that stands in for this one where it is not enabled", default=None
    )
    parameters: Mapping[str, ParameterValue] = in_system(
        "Parameters of the parameter group, all as text", default={}
    )
    maintenance_window: WeeklyWindow = in_system("When ElastiCache may patch, UTC, at least 60 minutes")
    snapshot_window: DailyWindow = in_system(
        "When ElastiCache takes its daily snapshot, UTC, at least 60 minutes"
    )
    snapshot_retention_days: Annotated[int, Field(ge=0, le=35)] = in_stack(
        "Snapshots are kept so long, in days"
    )


class Queue(Model):
    """A BullMQ queue that lives in a cache; its figures are published to CloudWatch every minute."""

    cache: Name = in_system("The cache that holds it")
    prefix: Annotated[str, Field(min_length=1, max_length=64)] = in_system(
        "Prefix of its keys; in cluster mode a hash tag in braces keeps them in one slot"
    )


SecretName = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9]([A-Za-z0-9/_+=.@-]{0,510}[A-Za-z0-9])?$",
        "letters, digits and /_+=.@-, a letter or digit at both ends",
        "myapp/jwt-secret",
    ),
]


class Generated(Model):
    """A secret that is generated once: `length` characters, or `bytes` of chance written in base64."""

    length: Positive | None = in_system("Characters; at least 32", default=None)
    bytes: Positive | None = in_system(
        "Random bytes, at least 32; the value is their base64, so 64 make 88 characters", default=None
    )


class Secret(Model):
    """A secret by name; settings never hold a value. One of `generate`, `external` and `url`."""

    generate: Generated | None = in_system("Generated when the stack is made", default=None)
    external: Text | None = in_system(
        "What it is; the operator puts the value into Secrets Manager", default=None
    )
    url: Text | None = in_system(
        "A URL put together from what the stack makes: ${database.address}, ${database.passwords.<role>}; "
        "whatever is secret in it is percent-encoded",
        default=None,
    )
    minimum_length: Count | None = in_system(
        "Characters that an external value must have at least", default=None
    )
    name: SecretName | None = in_stack(
        "Its name in Secrets Manager, where scripts use one already; none: Groundwork's own. A deleted secret keeps "
        "its name until its recovery window is over",
        default=None,
    )
