"""Databases on RDS: PostgreSQL first of all, and MySQL and MariaDB where a program has them."""

from pulumi_policy import PolicyResource
from rules import Count, Findings, Props, Rule, Stack, given, is_set, literal, rule, shown, version

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
GLOBAL_CLUSTER = "aws:rds/globalCluster:GlobalCluster"
CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"
PROXY = "aws:rds/proxy:Proxy"
PARAMETER_GROUP = "aws:rds/parameterGroup:ParameterGroup"
CLUSTER_PARAMETER_GROUP = "aws:rds/clusterParameterGroup:ClusterParameterGroup"
REPLICATION_GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
CACHE_CLUSTER = "aws:elasticache/cluster:Cluster"
MEMORYDB = "aws:memorydb/cluster:Cluster"
NEPTUNE_INSTANCE = "aws:neptune/clusterInstance:ClusterInstance"
BROKER = "aws:mq/broker:Broker"

POSTGRES = ("postgres", "aurora-postgresql")
MYSQL = ("mysql", "aurora-mysql")
MARIADB = ("mariadb",)
# The parameter with which each family of engines refuses connections without TLS, and the values that say so.
TLS_PARAMETERS = {
    **dict.fromkeys((*POSTGRES, "sqlserver"), ("rds.force_ssl", {"1"})),
    **dict.fromkeys((*MYSQL, *MARIADB), ("require_secure_transport", {"1", "on"})),
}
# The log that says what went wrong, by family of engines.
LOGS = {**dict.fromkeys(POSTGRES, "postgresql"), **dict.fromkeys((*MYSQL, *MARIADB), "error")}

RULES: list[Rule] = []


def is_replica(props: Props) -> bool:
    return is_set(props, "replicateSourceDb") or is_set(props, "replicationSourceIdentifier")


def is_of(props: Props, engines: tuple[str, ...]) -> bool:
    return str(props.get("engine") or "").startswith(engines)


@rule(
    RULES,
    "rds-encrypted",
    types=[INSTANCE, CLUSTER, GLOBAL_CLUSTER],
    severity="critical",
    why="A snapshot or a disk of an unencrypted database can be read by whoever gets hold of it.",
    remedy="Set storageEncrypted to true and kmsKeyId to the data key; RDS can only do it when the database is made",
    checklist=["C16"],
    frameworks=[
        "FSBP RDS.3",
        "FSBP RDS.27",
        "CIS 3.0 2.3.1",
        "CIS 5.0 2.2.1",
        "CKV_AWS_16",
        "CKV_AWS_96",
        "CKV_AWS_140",
    ],
    must_know=True,
)
def rds_encrypted(props: Props) -> Findings:
    """A database is encrypted at rest."""
    copied = is_replica(props) or is_set(props, "sourceDbClusterIdentifier")  # encrypted as its source is
    if not copied and props.get("storageEncrypted") is not True:
        yield given(props, "storageEncrypted")


@rule(
    RULES,
    "rds-force-ssl",
    types=[INSTANCE, CLUSTER, PARAMETER_GROUP, CLUSTER_PARAMETER_GROUP],
    severity="high",
    why="Without it a client that does not ask for TLS sends its password and its data in the clear.",
    remedy='Give it a parameter group of its own that sets rds.force_ssl to "1" (system file: database.parameters), '
    'or require_secure_transport to "1" for MySQL and MariaDB',
    checklist=["C15"],
    frameworks=[
        "Security Hub RDS.38",
        "Security Hub RDS.39",
        "FSBP RDS.41",
        "FSBP RDS.44",
        "CKV2_AWS_69",
    ],
)
def rds_force_ssl(props: Props, resource_type: str) -> Findings:
    """A database refuses connections without TLS."""
    if resource_type in (INSTANCE, CLUSTER):
        name = "parameterGroupName" if resource_type == INSTANCE else "dbClusterParameterGroupName"
        if is_replica(props) or not is_of(props, tuple(TLS_PARAMETERS)):
            return
        if not is_set(props, name) or str(literal(props, name)).startswith("default."):
            yield given(props, name)
        return
    family = str(props["family"])
    # Aurora has this parameter in the group of its cluster, not in those of its instances.
    if resource_type == PARAMETER_GROUP and family.startswith("aurora"):
        return
    for engine, (parameter, fine) in TLS_PARAMETERS.items():
        if family.startswith(engine):
            values = {each["name"]: each["value"] for each in props.get("parameters") or []}
            if str(values.get(parameter)).lower() not in fine:
                yield given(values, parameter)


@rule(
    RULES,
    "rds-proxy-tls",
    types=[PROXY],
    severity="high",
    why="The services' passwords and data pass through it, whatever the database behind it asks for.",
    remedy="Set requireTls to true",
    checklist=["C15"],
    frameworks=["FSBP RDS.43"],
    must_know=True,
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
    remedy="Set publiclyAccessible to false; people reach it through the network, not from outside it "
    "(stack file: admin_access)",
    checklist=["C14"],
    frameworks=["FSBP RDS.2", "CIS 3.0 2.3.3", "CIS 5.0 2.2.3", "CKV_AWS_17"],
    must_know=True,
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
    must_know=True,
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
    frameworks=["FSBP RDS.5", "CIS 5.0 2.2.4", "CKV_AWS_157"],
    must_know=True,
)
def rds_multi_az(props: Props) -> Findings:
    """A database has a standby in another zone; read replicas need none."""
    if not is_replica(props) and props.get("multiAz") is not True:
        yield given(props, "multiAz")


@rule(
    RULES,
    "rds-cluster-standby",
    types=[CLUSTER],
    severity="medium",
    why="When the only instance of a cluster fails, the database is away until another one has been started.",
    remedy="Declare a second ClusterInstance for the cluster; Aurora puts it into another zone",
    checklist=["C71"],
    frameworks=["FSBP RDS.15", "CIS 5.0 2.2.4"],
    whole_stack=True,
)
def rds_cluster_standby(cluster: PolicyResource, stack: Stack) -> Findings:
    """A cluster has an instance that takes over; a Multi-AZ DB cluster brings its own two."""
    if is_set(cluster.props, "dbClusterInstanceClass"):
        return
    instances = stack.referring([CLUSTER_INSTANCE], "clusterIdentifier", cluster)
    if len(instances) < 2:
        yield f"{len(instances)} ClusterInstances belong to it"


@rule(
    RULES,
    "rds-deletion-protection",
    types=[INSTANCE, CLUSTER, GLOBAL_CLUSTER],
    severity="high",
    why="One wrong `pulumi destroy`, or one replacement, deletes the data and its automated backups.",
    remedy="Set deletionProtection to true and skipFinalSnapshot to false (stack file: protect)",
    checklist=["C73"],
    frameworks=["FSBP RDS.7", "FSBP RDS.8", "CKV_AWS_139", "CKV_AWS_293"],
    must_know=True,
    remediates={
        **{kind: {"deletionProtection": True, "skipFinalSnapshot": False} for kind in (INSTANCE, CLUSTER)},
        GLOBAL_CLUSTER: {"deletionProtection": True},
    },
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
    why="Older versions get no security fixes from their makers any more; PostGIS 3.3 needs PostgreSQL 14.",
    remedy="Set engineVersion (stack file: database.engine_version)",
    checklist=["C18"],
    must_know=True,
)
def rds_engine_version_min(
    props: Props, *, minimum: str = "14", minimum_mysql: str = "8.0", minimum_mariadb: str = "10.6"
) -> Findings:
    """A database is of a version that is still maintained; `minimum` is PostgreSQL's."""
    asked = {POSTGRES: minimum, MYSQL: minimum_mysql, MARIADB: minimum_mariadb}
    for engines, least in asked.items():
        if not is_of(props, engines) or is_replica(props):
            continue
        if version(str(props.get("engineVersion") or "")) < version(least):
            yield f"{given(props, 'engineVersion')}, at least {least} is asked for"


@rule(
    RULES,
    "rds-log-exports",
    types=[INSTANCE, CLUSTER],
    severity="low",
    why="Logs that stay on the instance are lost with it, and no alarm can count in them.",
    remedy='Add "postgresql" to enabledCloudwatchLogsExports; it is "error" for MySQL and MariaDB',
    checklist=["C60"],
    frameworks=[
        "FSBP RDS.9",
        "FSBP RDS.36",
        "FSBP RDS.37",
        "FSBP RDS.42",
        "CKV_AWS_129",
        "CKV_AWS_324",
    ],
    advisory=True,
)
def rds_log_exports(props: Props) -> Findings:
    """A database's log goes to CloudWatch."""
    exports = list(props.get("enabledCloudwatchLogsExports") or [])
    # A replica of a database of another program says no engine: then any log will do.
    named = {log for engine, log in LOGS.items() if is_of(props, (engine,))}
    if (named and not named & set(exports)) or (is_replica(props) and not exports):
        yield f"enabledCloudwatchLogsExports is {shown(exports)}"


@rule(
    RULES,
    "rds-monitored",
    types=[INSTANCE, CLUSTER_INSTANCE],
    severity="low",
    why="CloudWatch sees the machine once a minute; which statement holds the others up, only these two show.",
    remedy="Set performanceInsightsEnabled to true and monitoringInterval to 60",
    checklist=["C64"],
    frameworks=["FSBP RDS.6", "CKV_AWS_118", "CKV_AWS_353"],
    advisory=True,
)
def rds_monitored(props: Props) -> Findings:
    """Performance Insights and Enhanced Monitoring watch a database."""
    if props.get("performanceInsightsEnabled") is not True:
        yield given(props, "performanceInsightsEnabled")
    if not props.get("monitoringInterval"):
        yield given(props, "monitoringInterval")


@rule(
    RULES,
    "rds-snapshots-tagged",
    types=[INSTANCE, CLUSTER],
    severity="low",
    why="A snapshot without tags belongs to nobody: neither the bill nor a rule by tag finds it.",
    remedy="Set copyTagsToSnapshot to true",
    checklist=["C67"],
    frameworks=[
        "FSBP RDS.16",
        "FSBP RDS.17",
        "FSBP RDS.47",
        "FSBP RDS.48",
        "CKV_AWS_313",
        "CKV2_AWS_60",
    ],
    advisory=True,
    remediates={kind: {"copyTagsToSnapshot": True} for kind in (INSTANCE, CLUSTER)},
)
def rds_snapshots_tagged(props: Props) -> Findings:
    """A snapshot carries the tags of its database."""
    if props.get("copyTagsToSnapshot") is not True:
        yield given(props, "copyTagsToSnapshot")


@rule(
    RULES,
    "rds-iam-logins",
    types=[INSTANCE, CLUSTER],
    severity="low",
    why="A person or a task that logs in with its role needs no password that can be lost.",
    remedy="Set iamDatabaseAuthenticationEnabled to true; passwords go on working",
    checklist=["C10"],
    frameworks=["FSBP RDS.10", "FSBP RDS.12", "CKV_AWS_161", "CKV_AWS_162"],
    advisory=True,
    remediates={kind: {"iamDatabaseAuthenticationEnabled": True} for kind in (INSTANCE, CLUSTER)},
)
def rds_iam_logins(props: Props) -> Findings:
    """One can log in to a database with an IAM role."""
    able = is_of(props, (*POSTGRES, *MYSQL, *MARIADB))
    if able and props.get("iamDatabaseAuthenticationEnabled") is not True:
        yield given(props, "iamDatabaseAuthenticationEnabled")


UPGRADED = [
    INSTANCE,
    CLUSTER_INSTANCE,
    REPLICATION_GROUP,
    CACHE_CLUSTER,
    MEMORYDB,
    NEPTUNE_INSTANCE,
    BROKER,
]


@rule(
    RULES,
    "auto-minor-upgrades",
    types=UPGRADED,
    severity="medium",
    why="Minor versions carry the security fixes of the engine.",
    remedy="Set autoMinorVersionUpgrade to true; it happens in the maintenance window",
    checklist=["C79"],
    frameworks=[
        "FSBP RDS.13",
        "FSBP ElastiCache.2",
        "FSBP MQ.3",
        "CIS 3.0 2.3.2",
        "CIS 5.0 2.2.2",
        "CKV_AWS_207",
        "CKV_AWS_226",
        "CKV_AWS_322",
    ],
    must_know=True,
    remediates={
        **{kind: {"autoMinorVersionUpgrade": True} for kind in UPGRADED},
        CACHE_CLUSTER: {"autoMinorVersionUpgrade": "true"},  # text, in this type
    },
)
def auto_minor_upgrades(props: Props, resource_type: str) -> Findings:
    """Security fixes of the engine are installed without being asked for."""
    # Amazon MQ upgrades only when told to, all the others unless told not to.
    told = props.get("autoMinorVersionUpgrade", resource_type != BROKER)
    if str(told).lower() != "true":
        yield given(props, "autoMinorVersionUpgrade")
