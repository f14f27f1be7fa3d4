"""Data stores beside RDS and ElastiCache: tables, file systems, search, streams and warehouses.

No product here has one. They are here for the programs of others, and for the day when one of ours does.
"""

from rules import Count, Findings, Props, Rule, at, given, given_at, is_set, literal, rule

TABLE = "aws:dynamodb/table:Table"
FILE_SYSTEM = "aws:efs/fileSystem:FileSystem"
ACCESS_POINT = "aws:efs/accessPoint:AccessPoint"
DOCUMENTDB = "aws:docdb/cluster:Cluster"
DOCUMENTDB_PARAMETERS = "aws:docdb/clusterParameterGroup:ClusterParameterGroup"
NEPTUNE = "aws:neptune/cluster:Cluster"
NEPTUNE_INSTANCE = "aws:neptune/clusterInstance:ClusterInstance"
OPENSEARCH = "aws:opensearch/domain:Domain"
ELASTICSEARCH = "aws:elasticsearch/domain:Domain"
REDSHIFT = "aws:redshift/cluster:Cluster"
REDSHIFT_PARAMETERS = "aws:redshift/parameterGroup:ParameterGroup"
REDSHIFT_SERVERLESS = "aws:redshiftserverless/workgroup:Workgroup"
MEMORYDB = "aws:memorydb/cluster:Cluster"
DAX = "aws:dax/cluster:Cluster"
KAFKA = "aws:msk/cluster:Cluster"
STREAM = "aws:kinesis/stream:Stream"
SEARCH = [OPENSEARCH, ELASTICSEARCH]

DATABASE = "aws:rds/instance:Instance"
DATABASE_CLUSTER = "aws:rds/cluster:Cluster"
REPLICATION_GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
CACHE_CLUSTER = "aws:elasticache/cluster:Cluster"
SERVERLESS_CACHE = "aws:elasticache/serverlessCache:ServerlessCache"
BROKER = "aws:mq/broker:Broker"

# Policies of a domain that take TLS 1.2 at least (OpenSearch Service API, DomainEndpointOptions).
SEARCH_TLS = {"Policy-Min-TLS-1-2-2019-07", "Policy-Min-TLS-1-2-PFS-2023-10"}

RULES: list[Rule] = []

# How each type says that it is encrypted, and what it says then. DynamoDB and MemoryDB always are.
ENCRYPTED = {
    FILE_SYSTEM: ("encrypted", True),
    DOCUMENTDB: ("storageEncrypted", True),
    NEPTUNE: ("storageEncrypted", True),
    OPENSEARCH: ("encryptAtRest.enabled", True),
    ELASTICSEARCH: ("encryptAtRest.enabled", True),
    DAX: ("serverSideEncryption.enabled", True),
    STREAM: ("encryptionType", "KMS"),
}


@rule(
    RULES,
    "store-encrypted",
    types=[*ENCRYPTED, REDSHIFT],
    severity="critical",
    why="A snapshot or a disk of an unencrypted store can be read by whoever gets hold of it.",
    remedy="Turn encryption at rest on and name a key; most stores can only do it when they are made",
    checklist=["C16"],
    frameworks=[
        "FSBP DocumentDB.1",
        "FSBP DynamoDB.3",
        "FSBP EFS.1",
        "FSBP EFS.8",
        "FSBP ES.1",
        "FSBP Kinesis.1",
        "FSBP Neptune.1",
        "FSBP Opensearch.1",
        "FSBP Redshift.10",
        "CIS 3.0 2.4.1",
        "CIS 5.0 2.3.1",
        "CKV_AWS_5",
        "CKV_AWS_42",
        "CKV_AWS_43",
        "CKV_AWS_44",
        "CKV_AWS_47",
        "CKV_AWS_64",
        "CKV_AWS_74",
    ],
    must_know=True,
)
def store_encrypted(props: Props, resource_type: str) -> Findings:
    """A data store is encrypted at rest."""
    if resource_type == REDSHIFT:
        if str(props.get("encrypted")).lower() == "false":  # it is, unless told not to be
            yield given(props, "encrypted")
        return
    path, wanted = ENCRYPTED[resource_type]
    if at(props, path) != wanted:
        yield given_at(props, path)


@rule(
    RULES,
    "store-tls-only",
    types=[*SEARCH, MEMORYDB, DAX, KAFKA, DOCUMENTDB_PARAMETERS, REDSHIFT_PARAMETERS],
    severity="high",
    why="Passwords and data would cross the network in the clear.",
    remedy="Ask for TLS from clients and between nodes, 1.2 at least where it can be chosen",
    checklist=["C15"],
    frameworks=[
        "FSBP DocumentDB.6",
        "FSBP DynamoDB.7",
        "FSBP ES.3",
        "FSBP ES.8",
        "FSBP MSK.1",
        "FSBP Opensearch.3",
        "FSBP Opensearch.8",
        "FSBP Redshift.2",
        "CKV_AWS_6",
        "CKV_AWS_81",
        "CKV_AWS_83",
        "CKV_AWS_90",
        "CKV_AWS_105",
        "CKV_AWS_202",
        "CKV_AWS_228",
        "CKV_AWS_239",
    ],
)
def store_tls_only(props: Props, resource_type: str) -> Findings:
    """A data store speaks TLS, with its clients and among its nodes."""
    if resource_type in SEARCH:
        for path in ("nodeToNodeEncryption.enabled", "domainEndpointOptions.enforceHttps"):
            if at(props, path) is not True:
                yield given_at(props, path)
        if at(props, "domainEndpointOptions.tlsSecurityPolicy") not in SEARCH_TLS:
            yield given_at(props, "domainEndpointOptions.tlsSecurityPolicy")
    elif resource_type == MEMORYDB:
        if props.get("tlsEnabled") is False:
            yield given(props, "tlsEnabled")
    elif resource_type == DAX:
        if props.get("clusterEndpointEncryptionType") != "TLS":
            yield given(props, "clusterEndpointEncryptionType")
    elif resource_type == KAFKA:
        if at(props, "encryptionInfo.encryptionInTransit.clientBroker") not in {None, "TLS"}:
            yield given_at(props, "encryptionInfo.encryptionInTransit.clientBroker")
        if at(props, "encryptionInfo.encryptionInTransit.inCluster") is False:
            yield given_at(props, "encryptionInfo.encryptionInTransit.inCluster")
    else:
        values = {each["name"]: each["value"] for each in props.get("parameters") or []}
        # DocumentDB asks for TLS unless told not to, Redshift only when told to.
        if resource_type == DOCUMENTDB_PARAMETERS and values.get("tls") == "disabled":
            yield given(values, "tls")
        if resource_type == REDSHIFT_PARAMETERS and str(values.get("require_ssl")).lower() != "true":
            yield given(values, "require_ssl")


@rule(
    RULES,
    "store-not-public",
    types=[REDSHIFT, REDSHIFT_SERVERLESS, NEPTUNE_INSTANCE, *SEARCH, KAFKA],
    severity="critical",
    why="A public address leaves only a password between the internet and the data.",
    remedy="Set publiclyAccessible to false, give a search domain vpcOptions, and Kafka no publicAccess",
    checklist=["C14"],
    frameworks=[
        "FSBP ES.2",
        "FSBP MSK.4",
        "FSBP Opensearch.2",
        "FSBP Redshift.1",
        "FSBP RedshiftServerless.3",
        "CKV_AWS_87",
        "CKV_AWS_102",
        "CKV_AWS_137",
        "CKV_AWS_291",
    ],
)
def store_not_public(props: Props, resource_type: str) -> Findings:
    """A data store has no public address."""
    if resource_type in SEARCH:
        if not is_set(props, "vpcOptions"):
            yield given(props, "vpcOptions")
    elif resource_type == KAFKA:
        path = "brokerNodeGroupInfo.connectivityInfo.publicAccess.type"
        if at(props, path) not in {None, "DISABLED"}:
            yield given_at(props, path)
    elif props.get("publiclyAccessible"):
        yield given(props, "publiclyAccessible")


@rule(
    RULES,
    "store-asks-who",
    types=[*SEARCH, MEMORYDB, KAFKA],
    severity="high",
    why="Whoever reaches the port of a store that asks nobody reads all that is in it.",
    remedy="Turn fine-grained access on in a search domain, give MemoryDB an ACL of its own, and Kafka no "
    "unauthenticated clients",
    checklist=["C12"],
    frameworks=["FSBP MSK.6", "FSBP Opensearch.7", "CKV2_AWS_52"],
)
def store_asks_who(props: Props, resource_type: str) -> Findings:
    """A data store asks who is there."""
    if resource_type in SEARCH:
        if at(props, "advancedSecurityOptions.enabled") is not True:
            yield given_at(props, "advancedSecurityOptions.enabled")
        if at(props, "advancedSecurityOptions.anonymousAuthEnabled"):
            yield given_at(props, "advancedSecurityOptions.anonymousAuthEnabled")
    elif resource_type == MEMORYDB:
        if props.get("aclName") == "open-access":
            yield given(props, "aclName")
    elif at(props, "clientAuthentication.unauthenticated"):
        yield given_at(props, "clientAuthentication.unauthenticated")


@rule(
    RULES,
    "store-deletion-protection",
    types=[TABLE, DOCUMENTDB, NEPTUNE, REDSHIFT],
    severity="high",
    why="One wrong `pulumi destroy`, or one replacement, deletes the data.",
    remedy="Set deletionProtection (deletionProtectionEnabled of a table) to true and skipFinalSnapshot to false",
    checklist=["C73"],
    frameworks=["FSBP DocumentDB.5", "FSBP DynamoDB.6", "FSBP Neptune.4", "CKV2_AWS_58"],
    must_know=True,
    remediates={
        TABLE: {"deletionProtectionEnabled": True},
        DOCUMENTDB: {"deletionProtection": True, "skipFinalSnapshot": False},
        NEPTUNE: {"deletionProtection": True, "skipFinalSnapshot": False},
        REDSHIFT: {"skipFinalSnapshot": False},
    },
)
def store_deletion_protection(props: Props, resource_type: str) -> Findings:
    """A data store refuses to be deleted, and leaves a snapshot if it is; Redshift can do the second only."""
    name = "deletionProtectionEnabled" if resource_type == TABLE else "deletionProtection"
    if resource_type != REDSHIFT and props.get(name) is not True:
        yield given(props, name)
    if props.get("skipFinalSnapshot"):
        yield given(props, "skipFinalSnapshot")


# How each type says how far back it can be restored, in days, and how far it can by itself.
RETENTION = {
    DOCUMENTDB: ("backupRetentionPeriod", 1),
    NEPTUNE: ("backupRetentionPeriod", 1),
    REDSHIFT: ("automatedSnapshotRetentionPeriod", 1),
    MEMORYDB: ("snapshotRetentionLimit", 0),
}


@rule(
    RULES,
    "store-backups",
    types=[TABLE, *RETENTION],
    severity="high",
    why="What is deleted or damaged is lost as far back as no backup reaches.",
    remedy="Set pointInTimeRecovery.enabled of a table to true, and the days that the others keep their snapshots",
    checklist=["C65", "C66", "C68"],
    frameworks=[
        "FSBP DocumentDB.2",
        "FSBP DynamoDB.2",
        "FSBP Neptune.5",
        "FSBP Redshift.3",
        "CKV_AWS_28",
        "CKV_AWS_343",
        "CKV_AWS_360",
        "CKV_AWS_361",
    ],
    must_know=True,
    remediates={TABLE: {"pointInTimeRecovery": {"enabled": True}}},
)
def store_backups(props: Props, resource_type: str, *, minimum_days: Count = 30) -> Findings:
    """A data store can be restored to what it was in the last weeks; a table to every second of 35 days."""
    if resource_type == TABLE:
        if at(props, "pointInTimeRecovery.enabled") is not True:
            yield given_at(props, "pointInTimeRecovery.enabled")
        return
    name, unsaid = RETENTION[resource_type]
    if props.get(name, unsaid) < minimum_days:
        yield f"{given(props, name)}, at least {minimum_days} days are asked for"


@rule(
    RULES,
    "store-audited",
    types=[DOCUMENTDB, NEPTUNE, *SEARCH],
    severity="medium",
    why="Who read or changed what, and who tried to, stands in this log alone.",
    remedy='Add "audit" to the logs that go to CloudWatch; AUDIT_LOGS in logPublishingOptions of a search domain',
    checklist=["C60"],
    frameworks=[
        "FSBP DocumentDB.4",
        "FSBP ES.5",
        "FSBP Neptune.2",
        "FSBP Opensearch.5",
        "CKV_AWS_85",
        "CKV_AWS_101",
        "CKV_AWS_317",
    ],
    advisory=True,
)
def store_audited(props: Props, resource_type: str) -> Findings:
    """A data store's audit log goes to CloudWatch."""
    if resource_type in SEARCH:
        options = props.get("logPublishingOptions") or []
        if not any(
            each.get("logType") == "AUDIT_LOGS" and each.get("enabled") is not False for each in options
        ):
            yield "logPublishingOptions lacks AUDIT_LOGS"
        return
    name = "enabledCloudwatchLogsExports" if resource_type == DOCUMENTDB else "enableCloudwatchLogsExports"
    if "audit" not in (props.get(name) or []):
        yield f"{name} lacks audit"


@rule(
    RULES,
    "efs-access-point-confined",
    types=[ACCESS_POINT],
    severity="medium",
    why="An access point that sets neither is the whole file system, with the rights of whoever the client says it is.",
    remedy="Set rootDirectory.path to a folder of its own and posixUser to its owner",
    checklist=["C11"],
    frameworks=["FSBP EFS.3", "FSBP EFS.4", "CKV_AWS_329", "CKV_AWS_330"],
)
def efs_access_point_confined(props: Props) -> Findings:
    """An access point shows one folder, to one user."""
    if at(props, "rootDirectory.path") in {None, "/"}:
        yield given_at(props, "rootDirectory.path")
    if not is_set(props, "posixUser"):
        yield given(props, "posixUser")


# How each type names its subnets. A table and a bucket have none.
SUBNETS = {
    DATABASE: "dbSubnetGroupName",
    DATABASE_CLUSTER: "dbSubnetGroupName",
    REPLICATION_GROUP: "subnetGroupName",
    CACHE_CLUSTER: "subnetGroupName",
    SERVERLESS_CACHE: "subnetIds",
    BROKER: "subnetIds",
    DOCUMENTDB: "dbSubnetGroupName",
    NEPTUNE: "neptuneSubnetGroupName",
    REDSHIFT: "clusterSubnetGroupName",
    MEMORYDB: "subnetGroupName",
    DAX: "subnetGroupName",
}
# By which property each type takes them from somewhere else: the database that it copies, the group it belongs to.
FROM_ELSEWHERE = {
    DATABASE: "replicateSourceDb",
    DATABASE_CLUSTER: "replicationSourceIdentifier",
    CACHE_CLUSTER: "replicationGroupId",
    NEPTUNE: "replicationSourceIdentifier",
}


@rule(
    RULES,
    "store-names-its-subnets",
    types=list(SUBNETS),
    severity="high",
    why="Without subnets a store stands in the account's default network, whose subnets all lead to the internet.",
    remedy="Give it a subnet group of private subnets (Network's isolated_subnet_ids)",
    checklist=["C14", "C31"],
    frameworks=["FSBP ElastiCache.7", "CKV_AWS_323"],
)
def store_names_its_subnets(props: Props, resource_type: str) -> Findings:
    """A data store says in which subnets it stands."""
    name = SUBNETS[resource_type]
    if resource_type in FROM_ELSEWHERE and is_set(props, FROM_ELSEWHERE[resource_type]):
        return
    if not is_set(props, name) or str(literal(props, name)).startswith("default"):
        yield given(props, name)
