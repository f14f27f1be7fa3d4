"""PostgreSQL on RDS."""

from rules import Count, Findings, Props, Rule, given, is_set, literal, rule, shown, version

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
PROXY = "aws:rds/proxy:Proxy"
CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"
REPLICATION_GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
BROKER = "aws:mq/broker:Broker"
PARAMETER_GROUP = "aws:rds/parameterGroup:ParameterGroup"
CLUSTER_PARAMETER_GROUP = "aws:rds/clusterParameterGroup:ClusterParameterGroup"

POSTGRES_FAMILIES = ("postgres", "aurora-postgresql")

RULES: list[Rule] = []


def is_replica(props: Props) -> bool:
    return is_set(props, "replicateSourceDb") or is_set(props, "replicationSourceIdentifier")


def is_postgres(props: Props) -> bool:
    return str(props.get("engine") or "").startswith(POSTGRES_FAMILIES)


@rule(
    RULES,
    "rds-encrypted",
    types=[INSTANCE, CLUSTER],
    severity="critical",
    why="A snapshot or a disk of an unencrypted database can be read by whoever gets hold of it.",
    remedy="Set storageEncrypted to true and kmsKeyId to the data key; RDS can only do it when the database is made",
    checklist=["C16"],
    frameworks=["FSBP RDS.3", "CKV_AWS_16", "CKV_AWS_96"],
)
def rds_encrypted(props: Props) -> Findings:
    """A database is encrypted at rest."""
    if not is_replica(props) and props.get("storageEncrypted") is not True:
        yield given(props, "storageEncrypted")


@rule(
    RULES,
    "rds-force-ssl",
    types=[INSTANCE, CLUSTER, PARAMETER_GROUP, CLUSTER_PARAMETER_GROUP],
    severity="high",
    why="Without it a client that does not ask for TLS sends its password and its data in the clear.",
    remedy='Give the instance a parameter group of its own that sets rds.force_ssl to "1"',
    checklist=["C15"],
    frameworks=["FSBP RDS.38", "CKV2_AWS_69"],
)
def rds_force_ssl(props: Props, resource_type: str) -> Findings:
    """PostgreSQL refuses connections without TLS."""
    if resource_type not in (INSTANCE, CLUSTER):
        if str(props["family"]).startswith(POSTGRES_FAMILIES):
            values = {parameter["name"]: parameter["value"] for parameter in props.get("parameters") or []}
            if values.get("rds.force_ssl") != "1":
                yield given(values, "rds.force_ssl")
    elif is_postgres(props) and not is_replica(props):
        name = "parameterGroupName" if resource_type == INSTANCE else "dbClusterParameterGroupName"
        if not is_set(props, name) or str(literal(props, name)).startswith("default."):
            yield given(props, name)


@rule(
    RULES,
    "rds-proxy-tls",
    types=[PROXY],
    severity="high",
    why="The services' passwords and data pass through it, whatever the database behind it asks for.",
    remedy="Set requireTls to true",
    checklist=["C15"],
)
def rds_proxy_tls(props: Props) -> Findings:
    """A connection proxy takes connections with TLS only."""
    if props.get("requireTls") is not True:
        yield given(props, "requireTls")


@rule(
    RULES,
    "rds-not-public",
    types=[INSTANCE, CLUSTER, CLUSTER_INSTANCE],
    severity="critical",
    why="A public address leaves only a password between the internet and the data.",
    remedy="Set publiclyAccessible to false; people reach it through the network, not from outside it",
    checklist=["C14"],
    frameworks=["FSBP RDS.2", "CKV_AWS_17"],
)
def rds_not_public(props: Props) -> Findings:
    """A database has no public address."""
    if props.get("publiclyAccessible"):
        yield given(props, "publiclyAccessible")


@rule(
    RULES,
    "rds-backup-retention",
    types=[INSTANCE, CLUSTER],
    severity="high",
    why="Point-in-time recovery reaches back exactly this far, and at 0 it is off.",
    remedy="Set backupRetentionPeriod (stack file: database.backup_retention_days)",
    checklist=["C65", "C66", "C68"],
    frameworks=["FSBP RDS.11", "CKV_AWS_133"],
)
def rds_backup_retention(props: Props, *, minimum_days: Count = 30) -> Findings:
    """A database can be restored to any moment of the last weeks."""
    if not is_replica(props) and (props.get("backupRetentionPeriod") or 0) < minimum_days:
        yield f"{given(props, 'backupRetentionPeriod')}, at least {minimum_days} days are asked for"


@rule(
    RULES,
    "rds-multi-az",
    types=[INSTANCE],
    severity="medium",
    why="With one zone, a failed host or zone means a restore from backup instead of a minute's failover.",
    remedy="Set multiAz to true (stack file: database.multi_az)",
    checklist=["C71"],
    frameworks=["FSBP RDS.5", "CKV_AWS_157"],
)
def rds_multi_az(props: Props) -> Findings:
    """A database has a standby in another zone; read replicas need none."""
    if not is_replica(props) and props.get("multiAz") is not True:
        yield given(props, "multiAz")


@rule(
    RULES,
    "rds-deletion-protection",
    types=[INSTANCE, CLUSTER],
    severity="high",
    why="One wrong `pulumi destroy`, or one replacement, deletes the data and its automated backups.",
    remedy="Set deletionProtection to true and skipFinalSnapshot to false (stack file: protect)",
    checklist=["C73"],
    frameworks=["FSBP RDS.7", "FSBP RDS.8", "CKV_AWS_293", "CKV_AWS_139"],
)
def rds_deletion_protection(props: Props) -> Findings:
    """A database refuses to be deleted, and leaves a snapshot if it is; read replicas may go."""
    if is_replica(props):
        return
    if props.get("deletionProtection") is not True:
        yield given(props, "deletionProtection")
    if props.get("skipFinalSnapshot"):
        yield given(props, "skipFinalSnapshot")


@rule(
    RULES,
    "rds-engine-version-min",
    types=[INSTANCE, CLUSTER],
    severity="medium",
    why="Older majors are past their end of life, and PostGIS 3.3 needs PostgreSQL 14.",
    remedy="Set engineVersion (stack file: database.engine_version)",
    checklist=["C18"],
)
def rds_engine_version_min(props: Props, *, minimum: str = "14") -> Findings:
    """PostgreSQL is of a version that is still maintained."""
    if not is_postgres(props) or is_replica(props):
        return
    if version(str(props.get("engineVersion") or "")) < version(minimum):
        yield f"{given(props, 'engineVersion')}, at least {minimum} is asked for"


@rule(
    RULES,
    "rds-log-exports",
    types=[INSTANCE, CLUSTER],
    severity="low",
    why="Logs that stay on the instance are lost with it, and no alarm can count in them.",
    remedy='Add "postgresql" to enabledCloudwatchLogsExports',
    checklist=["C60"],
    frameworks=["FSBP RDS.9", "CKV_AWS_129", "CKV2_AWS_30"],
    advisory=True,
)
def rds_log_exports(props: Props) -> Findings:
    """PostgreSQL's log goes to CloudWatch."""
    exports = list(props.get("enabledCloudwatchLogsExports") or [])
    if (is_postgres(props) or is_replica(props)) and "postgresql" not in exports:
        yield f"enabledCloudwatchLogsExports is {shown(exports)}"


@rule(
    RULES,
    "auto-minor-upgrades",
    types=[INSTANCE, CLUSTER_INSTANCE, REPLICATION_GROUP, BROKER],
    severity="medium",
    why="Minor versions carry the security fixes of the engine.",
    remedy="Set autoMinorVersionUpgrade to true; it happens in the maintenance window",
    checklist=["C79"],
    frameworks=["FSBP RDS.13", "FSBP ElastiCache.2", "FSBP MQ.3", "CKV_AWS_226", "CKV_AWS_207"],
)
def auto_minor_upgrades(props: Props, resource_type: str) -> Findings:
    """Security fixes of the engine are installed without being asked for."""
    # RDS and ElastiCache upgrade unless told not to, Amazon MQ only when told to.
    fine = {True} if resource_type == BROKER else {True, None}
    if props.get("autoMinorVersionUpgrade") not in fine:
        yield given(props, "autoMinorVersionUpgrade")
