"""More of policy_examples.py: data stores, backups, containers, pods, functions, messages, machines, sharing.

`GOOD` is laid over what policy_examples.py has for a type, and `OFFENCES` are tried beside its own.
"""

import json
from typing import Any

from tests.policy_builders import (
    BROKER,
    CACHE_CLUSTER,
    CACHE_USER,
    CLUSTER,
    CLUSTER_PARAMETERS,
    CONTAINER_SECURITY,
    FUNCTION,
    INSTANCE,
    KUBERNETES_CLUSTER,
    KUBERNETES_SECRET,
    LAUNCH_TEMPLATE,
    LEFT_OUT,
    PARAMETERS,
    POD_SECURITY,
    PODS,
    REPLICATION_GROUP,
    REPOSITORY,
    SERVICE,
    STRONG,
    TASK,
    container,
    in_every_workload,
    parameters,
    pod,
)

CLUSTER_INSTANCE = "aws:rds/clusterInstance:ClusterInstance"
GLOBAL_CLUSTER = "aws:rds/globalCluster:GlobalCluster"
SERVERLESS_CACHE = "aws:elasticache/serverlessCache:ServerlessCache"
TABLE = "aws:dynamodb/table:Table"
FILE_SYSTEM = "aws:efs/fileSystem:FileSystem"
EFS_ACCESS_POINT = "aws:efs/accessPoint:AccessPoint"
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

BUCKET = "aws:s3/bucket:Bucket"
BUCKET_V2 = "aws:s3/bucketV2:BucketV2"
ACL = "aws:s3/bucketAcl:BucketAcl"
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
ACCOUNT_BLOCK = "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"
ACCESS_POINT = "aws:s3/accessPoint:AccessPoint"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
OBJECTS = (
    "aws:s3/bucketObject:BucketObject",
    "aws:s3/bucketObjectv2:BucketObjectv2",
    "aws:s3/objectCopy:ObjectCopy",
)

TASK_CLUSTER = "aws:ecs/cluster:Cluster"
FUNCTION_URL = "aws:lambda/functionUrl:FunctionUrl"
PERMISSION = "aws:lambda/permission:Permission"
TOPIC = "aws:sns/topic:Topic"
QUEUE = "aws:sqs/queue:Queue"
VAULT = "aws:backup/vault:Vault"
PLAN = "aws:backup/plan:Plan"
MACHINE = "aws:ec2/instance:Instance"
LAUNCH_CONFIGURATION = "aws:ec2/launchConfiguration:LaunchConfiguration"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
KUBERNETES_SERVICE = "kubernetes:core/v1:Service"
NLB = "service.beta.kubernetes.io/aws-load-balancer-"
RBAC = "kubernetes:rbac.authorization.k8s.io/v1"

SNAPSHOTS = (
    "aws:rds/snapshot:Snapshot",
    "aws:rds/snapshotCopy:SnapshotCopy",
    "aws:rds/clusterSnapshot:ClusterSnapshot",
)
MACHINE_IMAGE = "aws:ec2/amiLaunchPermission:AmiLaunchPermission"
DISK_SNAPSHOTS = "aws:ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess"
DOCUMENT = "aws:ssm/document:Document"
POLICY_HOLDERS = (
    "aws:s3/bucketPolicy:BucketPolicy",
    BUCKET,
    ACCESS_POINT,
    "aws:s3control/accessPointPolicy:AccessPointPolicy",
    TOPIC,
    "aws:sns/topicPolicy:TopicPolicy",
    QUEUE,
    "aws:sqs/queuePolicy:QueuePolicy",
    "aws:ecr/repositoryPolicy:RepositoryPolicy",
    "aws:backup/vaultPolicy:VaultPolicy",
    "aws:secretsmanager/secret:Secret",
    "aws:secretsmanager/secretPolicy:SecretPolicy",
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy",
    "aws:efs/fileSystemPolicy:FileSystemPolicy",
    "aws:dynamodb/resourcePolicy:ResourcePolicy",
    "aws:kinesis/resourcePolicy:ResourcePolicy",
)

BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


def allowing(principal, **more):
    """A resource's policy with one statement."""
    said = {"Effect": "Allow", "Principal": principal, "Action": "x:Read", "Resource": "*", **more}
    return json.dumps({"Statement": [said]})


def access_point(**changes):
    return {
        "rootDirectory": {"path": "/uploads"},
        "posixUser": {"uid": 1000, "gid": 1000},
        **changes,
    }


def backup_rule(**changes):
    """The rule of a backup plan, with these properties changed."""
    said = {
        "ruleName": "daily",
        "lifecycle": {"deleteAfter": 30},
        "copyActions": [{"destinationVaultArn": "arn:west"}],
        **changes,
    }
    return {key: value for key, value in said.items() if value is not LEFT_OUT}


GOOD_SEARCH = {
    "domainName": "search",
    "encryptAtRest": {"enabled": True},
    "nodeToNodeEncryption": {"enabled": True},
    "domainEndpointOptions": {
        "enforceHttps": True,
        "tlsSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10",
    },
    "advancedSecurityOptions": {"enabled": True},
    "vpcOptions": {"subnetIds": ["subnet-1"]},
    "logPublishingOptions": [{"logType": "AUDIT_LOGS", "cloudwatchLogGroupArn": "arn:log"}],
    # Open inside the network: the domain asks who is there itself.
    "accessPolicies": allowing("*"),
}
GOOD_GRAPH = {
    "storageEncrypted": True,
    "deletionProtection": True,
    "skipFinalSnapshot": False,
    "backupRetentionPeriod": 30,
}
GOOD_MACHINE = {
    "metadataOptions": {"httpTokens": "required"},
    "rootBlockDevice": {"encrypted": True},
    "associatePublicIpAddress": False,
}

GOOD: dict[str, dict[str, Any]] = {
    INSTANCE: {
        "dbSubnetGroupName": "rentfix-isolated",
        "performanceInsightsEnabled": True,
        "monitoringInterval": 60,
        "copyTagsToSnapshot": True,
        "iamDatabaseAuthenticationEnabled": True,
    },
    CLUSTER: {
        "dbSubnetGroupName": "rentfix-isolated",
        "copyTagsToSnapshot": True,
        "iamDatabaseAuthenticationEnabled": True,
    },
    CLUSTER_INSTANCE: {"performanceInsightsEnabled": True, "monitoringInterval": 60},
    GLOBAL_CLUSTER: {"storageEncrypted": True, "deletionProtection": True},
    REPLICATION_GROUP: {"subnetGroupName": "sessions-isolated"},
    CACHE_CLUSTER: {"subnetGroupName": "pages-isolated"},
    SERVERLESS_CACHE: {
        "engine": "valkey",
        "majorEngineVersion": "8",
        "userGroupId": "app",
        "subnetIds": ["subnet-1"],
        "snapshotRetentionLimit": 7,
    },
    BROKER: {"subnetIds": ["subnet-1"], "deploymentMode": "CLUSTER_MULTI_AZ"},
    TABLE: {"deletionProtectionEnabled": True, "pointInTimeRecovery": {"enabled": True}},
    FILE_SYSTEM: {"encrypted": True},
    EFS_ACCESS_POINT: access_point(),
    DOCUMENTDB: {
        **GOOD_GRAPH,
        "dbSubnetGroupName": "documents",
        "enabledCloudwatchLogsExports": ["audit"],
    },
    DOCUMENTDB_PARAMETERS: {"family": "docdb5.0", "parameters": [{"name": "tls", "value": "enabled"}]},
    NEPTUNE: {
        **GOOD_GRAPH,
        "neptuneSubnetGroupName": "graph",
        "enableCloudwatchLogsExports": ["audit"],
    },
    NEPTUNE_INSTANCE: {"publiclyAccessible": False, "autoMinorVersionUpgrade": True},
    OPENSEARCH: GOOD_SEARCH,
    ELASTICSEARCH: GOOD_SEARCH,
    REDSHIFT: {
        "encrypted": True,
        "publiclyAccessible": False,
        "clusterSubnetGroupName": "warehouse",
        "automatedSnapshotRetentionPeriod": 30,
        "skipFinalSnapshot": False,
    },
    REDSHIFT_PARAMETERS: {"parameters": [{"name": "require_ssl", "value": "true"}]},
    REDSHIFT_SERVERLESS: {"publiclyAccessible": False},
    MEMORYDB: {
        "aclName": "app",
        "tlsEnabled": True,
        "subnetGroupName": "memory",
        "snapshotRetentionLimit": 30,
    },
    DAX: {
        "serverSideEncryption": {"enabled": True},
        "clusterEndpointEncryptionType": "TLS",
        "subnetGroupName": "dax",
    },
    KAFKA: {"encryptionInfo": {"encryptionInTransit": {"clientBroker": "TLS", "inCluster": True}}},
    STREAM: {"encryptionType": "KMS"},
    BUCKET: {"bucket": "rentfix-files"},
    BUCKET_V2: {"bucket": "rentfix-files"},
    ACL: {"acl": "private"},
    OWNERSHIP: {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
    ACCOUNT_BLOCK: dict.fromkeys(BLOCKS, True),
    ACCESS_POINT: {"publicAccessBlockConfiguration": {"blockPublicAcls": True}},
    LIFECYCLE: {
        "bucket": "rentfix-backups",
        "rules": [{"id": "old", "status": "Enabled", "expiration": {"days": 30}}],
    },
    **{kind: {"key": "logo.png", "acl": "private"} for kind in OBJECTS},
    TASK: {"networkMode": "awsvpc"},
    SERVICE: {"platformVersion": "LATEST"},
    TASK_CLUSTER: {"configuration": {"executeCommandConfiguration": {"logging": "OVERRIDE"}}},
    FUNCTION: {
        "runtime": "python3.13",
        "kmsKeyArn": "arn:aws:kms:us-east-1:111122223333:key/secrets",
        "vpcConfig": {"subnetIds": ["subnet-1", "subnet-2"]},
    },
    FUNCTION_URL: {"authorizationType": "AWS_IAM"},
    PERMISSION: {"principal": "sns.amazonaws.com", "sourceArn": "arn:aws:sns:us-east-1:111122223333:alarms"},
    TOPIC: {"kmsMasterKeyId": "alias/messages"},
    QUEUE: {"kmsMasterKeyId": "alias/messages"},
    VAULT: {"kmsKeyArn": "arn:aws:kms:us-east-1:111122223333:key/data"},
    PLAN: {"rules": [backup_rule()]},
    MACHINE: GOOD_MACHINE,
    LAUNCH_CONFIGURATION: GOOD_MACHINE,
    KUBERNETES_CLUSTER: {"version": "1.33"},
    NODE_GROUP: {"scalingConfig": {"minSize": 2}},
    KUBERNETES_SERVICE: {"spec": {"type": "ClusterIP"}},
    CONFIG_MAP: {"data": {"LOG_LEVEL": "info", "API_KEY_HEADER": "x-api-key"}},
    f"{RBAC}:Role": {"rules": [{"verbs": ["get"], "resources": ["pods"]}]},
    f"{RBAC}:ClusterRole": {"rules": [{"verbs": ["get"], "resources": ["nodes"]}]},
    f"{RBAC}:RoleBinding": {"roleRef": {"name": "reader"}, "subjects": [{"name": "api"}]},
    f"{RBAC}:ClusterRoleBinding": {"roleRef": {"name": "reader"}, "subjects": [{"name": "api"}]},
    **{kind: {"sharedAccounts": ["111122223333"]} for kind in SNAPSHOTS},
    MACHINE_IMAGE: {"accountId": "111122223333"},
    DISK_SNAPSHOTS: {"state": "block-all-sharing"},
    DOCUMENT: {"permissions": {"type": "Share", "account_ids": "111122223333"}},
}
for holder in POLICY_HOLDERS:
    GOOD.setdefault(holder, {"policy": allowing({"AWS": "arn:aws:iam::111122223333:root"})})


def in_containers(*offences):
    return in_every_workload(*((pod(changes), f"container api: {said}") for changes, said in offences))


def secured(**changes):
    """The container's security context with these properties changed."""
    context = {**CONTAINER_SECURITY, **changes}
    return {"securityContext": {key: value for key, value in context.items() if value is not LEFT_OUT}}


def in_search(*offences):
    return {kind: list(offences) for kind in (OPENSEARCH, ELASTICSEARCH)}


RBAC_OFFENCES = {
    **{
        f"{RBAC}:{kind}": [
            ({"rules": [{"verbs": ["*"], "resources": ["pods"]}]}, "rule 1: verbs holds *"),
            ({"rules": [{"verbs": ["get"], "resources": ["*"]}]}, "rule 1: resources holds *"),
        ]
        for kind in ("Role", "ClusterRole")
    },
    **{
        f"{RBAC}:{kind}": [
            ({"roleRef": {"name": "cluster-admin"}}, 'roleRef.name is "cluster-admin"'),
            (
                {"subjects": [{"name": "system:unauthenticated"}]},
                "subjects holds system:unauthenticated",
            ),
        ]
        for kind in ("RoleBinding", "ClusterRoleBinding")
    },
}

OFFENCES: dict[str, dict[str, list[tuple[dict[str, Any], str]]]] = {
    "rds-encrypted": {GLOBAL_CLUSTER: [({"storageEncrypted": LEFT_OUT}, "storageEncrypted is not set")]},
    "rds-force-ssl": {
        PARAMETERS: [
            ({"family": "mysql8.4"}, "require_secure_transport is not set"),
            (
                {"family": "mariadb11.4", **parameters(require_secure_transport="OFF")},
                'require_secure_transport is "OFF"',
            ),
        ],
        CLUSTER_PARAMETERS: [
            ({"family": "aurora-mysql8.0", "parameters": []}, "require_secure_transport is not set"),
        ],
        INSTANCE: [
            (
                {
                    "engine": "mysql",
                    "engineVersion": "8.4",
                    "parameterGroupName": LEFT_OUT,
                    "enabledCloudwatchLogsExports": ["error"],
                },
                "parameterGroupName is not set",
            ),
        ],
    },
    "rds-deletion-protection": {
        GLOBAL_CLUSTER: [({"deletionProtection": LEFT_OUT}, "deletionProtection is not set")]
    },
    "rds-engine-version-min": {
        INSTANCE: [
            (
                {"engine": "mysql", "engineVersion": "5.7.44", "enabledCloudwatchLogsExports": ["error"]},
                'engineVersion is "5.7.44", at least 8.0 is asked for',
            ),
            (
                {"engine": "mariadb", "engineVersion": "10.5", "enabledCloudwatchLogsExports": ["error"]},
                'engineVersion is "10.5", at least 10.6 is asked for',
            ),
        ],
        CLUSTER: [
            (
                {
                    "engine": "aurora-mysql",
                    "engineVersion": "5.7.mysql_aurora.2.11.2",
                    "enabledCloudwatchLogsExports": ["error"],
                },
                'engineVersion is "5.7.mysql_aurora.2.11.2", at least 8.0 is asked for',
            ),
        ],
    },
    "rds-log-exports": {
        INSTANCE: [
            (
                {"engine": "mysql", "engineVersion": "8.4"},
                'enabledCloudwatchLogsExports is "postgresql", "upgrade"',
            ),
            (
                {"replicateSourceDb": "a", "engine": LEFT_OUT, "enabledCloudwatchLogsExports": LEFT_OUT},
                "enabledCloudwatchLogsExports is empty",
            ),
        ],
    },
    "rds-monitored": {
        INSTANCE: [
            ({"performanceInsightsEnabled": LEFT_OUT}, "performanceInsightsEnabled is not set"),
            ({"monitoringInterval": 0}, "monitoringInterval is 0"),
        ],
        CLUSTER_INSTANCE: [({"monitoringInterval": LEFT_OUT}, "monitoringInterval is not set")],
    },
    "rds-snapshots-tagged": {
        INSTANCE: [({"copyTagsToSnapshot": False}, "copyTagsToSnapshot is false")],
        CLUSTER: [({"copyTagsToSnapshot": LEFT_OUT}, "copyTagsToSnapshot is not set")],
    },
    "rds-iam-logins": {
        INSTANCE: [
            ({"iamDatabaseAuthenticationEnabled": False}, "iamDatabaseAuthenticationEnabled is false")
        ],
        CLUSTER: [
            (
                {"iamDatabaseAuthenticationEnabled": LEFT_OUT},
                "iamDatabaseAuthenticationEnabled is not set",
            )
        ],
    },
    "auto-minor-upgrades": {
        CACHE_CLUSTER: [({"autoMinorVersionUpgrade": "false"}, 'autoMinorVersionUpgrade is "false"')],
        MEMORYDB: [({"autoMinorVersionUpgrade": False}, "autoMinorVersionUpgrade is false")],
        NEPTUNE_INSTANCE: [({"autoMinorVersionUpgrade": False}, "autoMinorVersionUpgrade is false")],
    },
    "cache-auth-required": {
        SERVERLESS_CACHE: [({"userGroupId": LEFT_OUT}, "userGroupId is not set")],
        CACHE_USER: [
            ({"noPasswordRequired": True}, "noPasswordRequired is true"),
            (
                {"authenticationMode": {"type": "no-password-required"}},
                'authenticationMode.type is "no-password-required"',
            ),
        ],
    },
    "cache-engine-version-min": {
        SERVERLESS_CACHE: [
            (
                {"engine": "redis", "majorEngineVersion": "6"},
                'majorEngineVersion is "6", at least 7 is asked for',
            )
        ]
    },
    "cache-snapshots": {
        SERVERLESS_CACHE: [
            (
                {"snapshotRetentionLimit": LEFT_OUT},
                "snapshotRetentionLimit is not set, at least 1 days are asked for",
            )
        ]
    },
    "store-names-its-subnets": {
        INSTANCE: [
            ({"dbSubnetGroupName": LEFT_OUT}, "dbSubnetGroupName is not set"),
            ({"dbSubnetGroupName": "default"}, 'dbSubnetGroupName is "default"'),
        ],
        CLUSTER: [({"dbSubnetGroupName": "default"}, 'dbSubnetGroupName is "default"')],
        REPLICATION_GROUP: [
            ({"subnetGroupName": LEFT_OUT}, "subnetGroupName is not set"),
            # Here it is the group's own name, not another's.
            ({"subnetGroupName": LEFT_OUT, "replicationGroupId": "sessions"}, "subnetGroupName is not set"),
        ],
        CACHE_CLUSTER: [({"subnetGroupName": "default"}, 'subnetGroupName is "default"')],
        SERVERLESS_CACHE: [({"subnetIds": LEFT_OUT}, "subnetIds is not set")],
        BROKER: [({"subnetIds": LEFT_OUT}, "subnetIds is not set")],
        DOCUMENTDB: [({"dbSubnetGroupName": LEFT_OUT}, "dbSubnetGroupName is not set")],
        NEPTUNE: [({"neptuneSubnetGroupName": "default"}, 'neptuneSubnetGroupName is "default"')],
        REDSHIFT: [({"clusterSubnetGroupName": LEFT_OUT}, "clusterSubnetGroupName is not set")],
        MEMORYDB: [({"subnetGroupName": LEFT_OUT}, "subnetGroupName is not set")],
        DAX: [({"subnetGroupName": LEFT_OUT}, "subnetGroupName is not set")],
    },
    "store-encrypted": {
        FILE_SYSTEM: [({"encrypted": LEFT_OUT}, "encrypted is not set")],
        DOCUMENTDB: [({"storageEncrypted": False}, "storageEncrypted is false")],
        NEPTUNE: [({"storageEncrypted": LEFT_OUT}, "storageEncrypted is not set")],
        REDSHIFT: [
            ({"encrypted": False}, "encrypted is false"),
            ({"encrypted": "false"}, 'encrypted is "false"'),
        ],
        DAX: [({"serverSideEncryption": LEFT_OUT}, "serverSideEncryption.enabled is not set")],
        STREAM: [({"encryptionType": "NONE"}, 'encryptionType is "NONE"')],
        **in_search(({"encryptAtRest": LEFT_OUT}, "encryptAtRest.enabled is not set")),
    },
    "store-tls-only": {
        **in_search(
            ({"nodeToNodeEncryption.enabled": False}, "nodeToNodeEncryption.enabled is false"),
            (
                {"domainEndpointOptions.enforceHttps": LEFT_OUT},
                "domainEndpointOptions.enforceHttps is not set",
            ),
            (
                {"domainEndpointOptions.tlsSecurityPolicy": "Policy-Min-TLS-1-0-2019-07"},
                'domainEndpointOptions.tlsSecurityPolicy is "Policy-Min-TLS-1-0-2019-07"',
            ),
        ),
        MEMORYDB: [({"tlsEnabled": False}, "tlsEnabled is false")],
        DAX: [({"clusterEndpointEncryptionType": LEFT_OUT}, "clusterEndpointEncryptionType is not set")],
        KAFKA: [
            (
                {"encryptionInfo.encryptionInTransit.clientBroker": "TLS_PLAINTEXT"},
                'encryptionInfo.encryptionInTransit.clientBroker is "TLS_PLAINTEXT"',
            ),
            (
                {"encryptionInfo.encryptionInTransit.inCluster": False},
                "encryptionInfo.encryptionInTransit.inCluster is false",
            ),
        ],
        DOCUMENTDB_PARAMETERS: [(parameters(tls="disabled"), 'tls is "disabled"')],
        REDSHIFT_PARAMETERS: [({"parameters": LEFT_OUT}, "require_ssl is not set")],
    },
    "store-not-public": {
        REDSHIFT: [({"publiclyAccessible": True}, "publiclyAccessible is true")],
        REDSHIFT_SERVERLESS: [({"publiclyAccessible": True}, "publiclyAccessible is true")],
        NEPTUNE_INSTANCE: [({"publiclyAccessible": True}, "publiclyAccessible is true")],
        KAFKA: [
            (
                {
                    "brokerNodeGroupInfo": {
                        "connectivityInfo": {"publicAccess": {"type": "SERVICE_PROVIDED_EIPS"}}
                    }
                },
                'brokerNodeGroupInfo.connectivityInfo.publicAccess.type is "SERVICE_PROVIDED_EIPS"',
            )
        ],
        **in_search(({"vpcOptions": LEFT_OUT, "accessPolicies": LEFT_OUT}, "vpcOptions is not set")),
    },
    "store-asks-who": {
        **in_search(
            ({"advancedSecurityOptions": LEFT_OUT}, "advancedSecurityOptions.enabled is not set"),
            (
                {"advancedSecurityOptions.anonymousAuthEnabled": True},
                "advancedSecurityOptions.anonymousAuthEnabled is true",
            ),
        ),
        MEMORYDB: [({"aclName": "open-access"}, 'aclName is "open-access"')],
        KAFKA: [
            (
                {"clientAuthentication": {"unauthenticated": True}},
                "clientAuthentication.unauthenticated is true",
            )
        ],
    },
    "store-deletion-protection": {
        TABLE: [({"deletionProtectionEnabled": LEFT_OUT}, "deletionProtectionEnabled is not set")],
        DOCUMENTDB: [
            ({"deletionProtection": False}, "deletionProtection is false"),
            ({"skipFinalSnapshot": True}, "skipFinalSnapshot is true"),
        ],
        NEPTUNE: [({"deletionProtection": LEFT_OUT}, "deletionProtection is not set")],
        REDSHIFT: [({"skipFinalSnapshot": True}, "skipFinalSnapshot is true")],
    },
    "store-backups": {
        TABLE: [
            ({"pointInTimeRecovery": LEFT_OUT}, "pointInTimeRecovery.enabled is not set"),
            ({"pointInTimeRecovery.enabled": False}, "pointInTimeRecovery.enabled is false"),
        ],
        DOCUMENTDB: [
            (
                {"backupRetentionPeriod": LEFT_OUT},
                "backupRetentionPeriod is not set, at least 30 days are asked for",
            )
        ],
        NEPTUNE: [
            ({"backupRetentionPeriod": 7.0}, "backupRetentionPeriod is 7, at least 30 days are asked for")
        ],
        REDSHIFT: [
            (
                {"automatedSnapshotRetentionPeriod": 0},
                "automatedSnapshotRetentionPeriod is 0, at least 30 days are asked for",
            )
        ],
        MEMORYDB: [
            (
                {"snapshotRetentionLimit": LEFT_OUT},
                "snapshotRetentionLimit is not set, at least 30 days are asked for",
            )
        ],
    },
    "store-audited": {
        DOCUMENTDB: [
            ({"enabledCloudwatchLogsExports": ["profiler"]}, "enabledCloudwatchLogsExports lacks audit")
        ],
        NEPTUNE: [({"enableCloudwatchLogsExports": LEFT_OUT}, "enableCloudwatchLogsExports lacks audit")],
        **in_search(
            ({"logPublishingOptions": LEFT_OUT}, "logPublishingOptions lacks AUDIT_LOGS"),
            (
                {"logPublishingOptions": [{"logType": "AUDIT_LOGS", "enabled": False}]},
                "logPublishingOptions lacks AUDIT_LOGS",
            ),
        ),
    },
    "efs-access-point-confined": {
        EFS_ACCESS_POINT: [
            ({"rootDirectory.path": "/"}, 'rootDirectory.path is "/"'),
            ({"rootDirectory": LEFT_OUT}, "rootDirectory.path is not set"),
            ({"posixUser": LEFT_OUT}, "posixUser is not set"),
        ]
    },
    "s3-block-public-everywhere": {
        ACCOUNT_BLOCK: [
            ({"ignorePublicAcls": False}, "ignorePublicAcls is false"),
            ({"restrictPublicBuckets": LEFT_OUT}, "restrictPublicBuckets is not set"),
        ],
        ACCESS_POINT: [
            (
                {"publicAccessBlockConfiguration.blockPublicAcls": False},
                "publicAccessBlockConfiguration.blockPublicAcls is false",
            )
        ],
    },
    "s3-no-public-acl": {
        BUCKET: [
            ({"acl": "public-read"}, 'acl is "public-read"'),
            ({"grants": [{"type": "Group", "uri": ALL_USERS}]}, f'a grant is for "{ALL_USERS}"'),
        ],
        ACL: [
            ({"acl": "public-read-write"}, 'acl is "public-read-write"'),
            (
                {"accessControlPolicy": {"grants": [{"grantee": {"uri": ALL_USERS}, "permission": "READ"}]}},
                f'a grant is for "{ALL_USERS}"',
            ),
        ],
        **{kind: [({"acl": "authenticated-read"}, 'acl is "authenticated-read"')] for kind in OBJECTS},
    },
    "s3-acls-off": {
        OWNERSHIP: [
            ({"rule.objectOwnership": "ObjectWriter"}, 'rule.objectOwnership is "ObjectWriter"'),
        ]
    },
    "resource-policy-not-public": {
        **{
            holder: [
                ({"policy": allowing("*")}, "statement 1 allows everybody x:Read"),
                (
                    {"policy": allowing({"AWS": ["111122223333", "*"]}, Sid="Open")},
                    "statement Open allows everybody x:Read",
                ),
            ]
            for holder in POLICY_HOLDERS
        },
    },
    "copies-not-public": {
        **{kind: [({"sharedAccounts": ["all"]}, 'sharedAccounts is "all"')] for kind in SNAPSHOTS},
        MACHINE_IMAGE: [({"group": "all"}, 'group is "all"')],
        DISK_SNAPSHOTS: [({"state": "unblocked"}, 'state is "unblocked"')],
        DOCUMENT: [({"permissions.account_ids": "All"}, 'permissions.account_ids is "All"')],
    },
    "task-isolated": {
        TASK: [
            ({"networkMode": "host"}, 'networkMode is "host"'),
            ({"pidMode": "host"}, 'pidMode is "host"'),
            ({"ipcMode": "host"}, 'ipcMode is "host"'),
            (
                {"volumes": [{"name": "docker", "hostPath": "/var/run/docker.sock"}]},
                'volume docker: hostPath is "/var/run/docker.sock"',
            ),
            (
                container(linuxParameters={"capabilities": {"add": ["SYS_ADMIN", "SYS_PTRACE"]}}),
                "container api: capabilities.add holds SYS_ADMIN",
            ),
        ]
    },
    "task-files-encrypted": {
        TASK: [
            (
                {"volumes": [{"name": "files", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]},
                "volume files: transitEncryption is not set",
            )
        ]
    },
    "ecs-exec-logged": {
        TASK_CLUSTER: [
            (
                {"configuration.executeCommandConfiguration.logging": "NONE"},
                'configuration.executeCommandConfiguration.logging is "NONE"',
            )
        ]
    },
    "ecs-platform-current": {SERVICE: [({"platformVersion": "1.3.0"}, 'platformVersion is "1.3.0"')]},
    "ecr-scan-on-push": {
        REPOSITORY: [
            ({"imageScanningConfiguration": LEFT_OUT}, "imageScanningConfiguration.scanOnPush is not set"),
            (
                {"imageScanningConfiguration.scanOnPush": False},
                "imageScanningConfiguration.scanOnPush is false",
            ),
        ]
    },
    "ecr-immutable-tags": {
        REPOSITORY: [
            ({"imageTagMutability": "MUTABLE"}, 'imageTagMutability is "MUTABLE"'),
            ({"imageTagMutability": LEFT_OUT}, "imageTagMutability is not set"),
        ]
    },
    "ecr-encrypted": {
        REPOSITORY: [
            ({"encryptionConfigurations": LEFT_OUT}, "encryptionConfigurations is not set"),
            ({"encryptionConfigurations": [{"encryptionType": "AES256"}]}, 'encryptionType is "AES256"'),
        ]
    },
    "lambda-not-public": {
        FUNCTION_URL: [({"authorizationType": "NONE"}, 'authorizationType is "NONE"')],
        PERMISSION: [({"principal": "*", "sourceArn": LEFT_OUT}, 'principal is "*"')],
    },
    "lambda-caller-named": {
        PERMISSION: [({"sourceArn": LEFT_OUT}, "neither sourceArn nor sourceAccount is set")]
    },
    "lambda-runtime-supported": {FUNCTION: [({"runtime": "nodejs16.x"}, 'runtime is "nodejs16.x"')]},
    "lambda-variables-encrypted": {FUNCTION: [({"kmsKeyArn": LEFT_OUT}, "kmsKeyArn is not set")]},
    "lambda-zones": {
        FUNCTION: [({"vpcConfig.subnetIds": ["subnet-1"]}, "vpcConfig.subnetIds holds one subnet")]
    },
    "topic-encrypted": {TOPIC: [({"kmsMasterKeyId": LEFT_OUT}, "kmsMasterKeyId is not set")]},
    "queue-encrypted": {
        QUEUE: [
            (
                {"kmsMasterKeyId": LEFT_OUT, "sqsManagedSseEnabled": False},
                "sqsManagedSseEnabled is false",
            )
        ]
    },
    "mq-standby": {
        BROKER: [
            ({"deploymentMode": "SINGLE_INSTANCE"}, 'deploymentMode is "SINGLE_INSTANCE"'),
            ({"deploymentMode": LEFT_OUT}, "deploymentMode is not set"),
        ]
    },
    "mq-audited": {BROKER: [({"engineType": "ActiveMQ"}, "logs.audit is not set")]},
    "ec2-metadata-by-token": {
        LAUNCH_TEMPLATE: [({"metadataOptions": LEFT_OUT}, "metadataOptions.httpTokens is not set")],
        MACHINE: [
            ({"metadataOptions.httpTokens": "optional"}, 'metadataOptions.httpTokens is "optional"'),
        ],
        LAUNCH_CONFIGURATION: [({"metadataOptions": LEFT_OUT}, "metadataOptions.httpTokens is not set")],
    },
    "ec2-no-public-ip": {
        MACHINE: [({"associatePublicIpAddress": True}, "associatePublicIpAddress is true")],
        LAUNCH_CONFIGURATION: [({"associatePublicIpAddress": True}, "associatePublicIpAddress is true")],
        LAUNCH_TEMPLATE: [
            (
                {"networkInterfaces": [{"associatePublicIpAddress": "true"}]},
                'networkInterfaces[0].associatePublicIpAddress is "true"',
            )
        ],
    },
    "backup-retention-30d": {
        PLAN: [
            (
                {"rules": [backup_rule(lifecycle={"deleteAfter": 7.0})]},
                'rule "daily" deletes after 7 days, at least 30 are asked for',
            )
        ],
        LIFECYCLE: [
            (
                {"rules": [{"id": "old", "status": "Enabled", "expiration": {"days": 7.0}}]},
                'rule "old" deletes after 7 days, at least 30 are asked for',
            )
        ],
    },
    "backup-vault-encrypted": {VAULT: [({"kmsKeyArn": LEFT_OUT}, "kmsKeyArn is not set")]},
    "backup-copied-elsewhere": {
        PLAN: [({"rules": [backup_rule(copyActions=LEFT_OUT)]}, 'rule "daily" has no copyActions')],
    },
    "no-forced-deletion": {
        BUCKET: [({"forceDestroy": True}, "forceDestroy is true")],
        VAULT: [({"forceDestroy": True}, "forceDestroy is true")],
        REPOSITORY: [({"forceDelete": True}, "forceDelete is true")],
    },
    "eks-cluster-closed": {
        KUBERNETES_CLUSTER: [
            ({"vpcConfig.endpointPublicAccess": True}, "vpcConfig: endpointPublicAccess is true"),
            ({"vpcConfig": LEFT_OUT}, "vpcConfig: endpointPublicAccess is not set"),
            ({"encryptionConfig": LEFT_OUT}, "encryptionConfig does not name secrets"),
            ({"enabledClusterLogTypes": ["api"]}, "enabledClusterLogTypes lacks audit"),
        ],
    },
    "eks-version-supported": {
        KUBERNETES_CLUSTER: [({"version": "1.29"}, 'version is "1.29", at least 1.32 is asked for')]
    },
    "eks-nodes-without-ssh": {
        NODE_GROUP: [
            (
                {"remoteAccess": {"ec2SshKey": "ops"}},
                "remoteAccess has a key and no sourceSecurityGroupIds",
            )
        ]
    },
    "k8s-service-not-public": {
        KUBERNETES_SERVICE: [
            ({"spec.type": "LoadBalancer"}, 'spec.type is "LoadBalancer"'),
            ({"spec.type": "NodePort"}, 'spec.type is "NodePort"'),
            (
                {
                    "spec.type": "NodePort",
                    "metadata": {"annotations": {f"{NLB}scheme": "internal"}},
                },
                'spec.type is "NodePort"',
            ),
        ]
    },
    "k8s-rbac-least-privilege": RBAC_OFFENCES,
    "k8s-namespace-of-its-own": {
        kind: [({"metadata": {"namespace": "default"}}, 'metadata.namespace is "default"')] for kind in PODS
    },
    "k8s-image-pinned": in_containers(
        ({"image": "nx-api:latest"}, 'image is "nx-api:latest"'),
        ({"image": "nx-api"}, 'image is "nx-api"'),
    ),
    "k8s-secrets-by-reference": {
        **in_containers(
            ({"env": [{"name": "JWT_SECRET", "value": STRONG}]}, "JWT_SECRET is a plain variable"),
            (
                {"env": [{"name": "STORE", "value": "amqps://app:changeit@broker/app"}]},
                "the value of STORE holds a credential",
            ),
        ),
        KUBERNETES_SECRET: [
            ({"data": {"key": "dmFsdWU="}}, "data holds values"),
            ({"stringData": {"key": "value"}}, "stringData holds values"),
        ],
        CONFIG_MAP: [
            ({"data": {"JWT_SECRET": STRONG}}, "data: JWT_SECRET is a plain variable"),
            (
                {"data": {"UPSTREAM": "amqps://app:changeit@broker/app"}},
                "data: the value of UPSTREAM holds a credential",
            ),
        ],
    },
    "k8s-non-root": in_every_workload(
        (
            pod(securityContext={**POD_SECURITY, "runAsNonRoot": False}),
            "container api: runAsNonRoot is not true",
        ),
        (
            pod(securityContext={**POD_SECURITY, "runAsUser": 0}),
            "container api: runAsNonRoot is not true",
        ),
        (pod(hostNetwork=True), "hostNetwork is true"),
        (pod(volumes=[{"name": "root", "hostPath": {"path": "/"}}]), "volume root: hostPath is set"),
        (pod(secured(privileged=True)), "container api: privileged is true"),
        (
            pod(secured(allowPrivilegeEscalation=LEFT_OUT)),
            "container api: allowPrivilegeEscalation is not set",
        ),
    ),
    "k8s-few-capabilities": in_containers(
        (secured(capabilities=LEFT_OUT), "capabilities.drop lacks ALL"),
        (secured(capabilities={"drop": ["NET_RAW"]}), "capabilities.drop lacks ALL"),
        (
            secured(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "SYS_ADMIN"]}),
            "capabilities.add holds SYS_ADMIN",
        ),
    ),
    "k8s-seccomp": in_every_workload(
        (pod(securityContext={"runAsNonRoot": True}), "container api: seccompProfile.type is not set"),
        (
            pod(secured(seccompProfile={"type": "Unconfined"})),
            'container api: seccompProfile.type is "Unconfined"',
        ),
    ),
    "k8s-readonly-rootfs": in_containers(
        (secured(readOnlyRootFilesystem=False), "securityContext.readOnlyRootFilesystem is false"),
    ),
    "k8s-no-host-ports": in_containers(
        (
            {"ports": [{"name": "http", "containerPort": 4400, "hostPort": 80}]},
            "hostPort is 80",
        ),
    ),
    "k8s-own-account": in_every_workload(
        (
            pod(serviceAccountName=LEFT_OUT),
            "serviceAccountName is not set, and automountServiceAccountToken is not false",
        ),
        (
            pod(serviceAccountName="default"),
            'serviceAccountName is "default", and automountServiceAccountToken is not false',
        ),
    ),
    "k8s-probes-and-limits": in_containers(
        (
            {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1"}}},
            "limits.memory is not set",
        ),
        ({"livenessProbe": LEFT_OUT}, "livenessProbe is not set"),
        ({"readinessProbe": LEFT_OUT}, "readinessProbe is not set"),
    ),
}

THRESHOLDS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "rds-engine-version-min",
        INSTANCE,
        {"engine": "mysql", "engineVersion": "5.7"},
        {"minimum_mysql": "5.7"},
    ),
    (
        "rds-engine-version-min",
        INSTANCE,
        {"engine": "mariadb", "engineVersion": "10.5"},
        {"minimum_mariadb": "10.5"},
    ),
    ("store-backups", DOCUMENTDB, {"backupRetentionPeriod": 1}, {"minimum_days": 1}),
    ("lambda-runtime-supported", FUNCTION, {"runtime": "nodejs20.x"}, {"deprecated": ["nodejs18.x"]}),
    ("eks-version-supported", KUBERNETES_CLUSTER, {"version": "1.31"}, {"minimum": "1.31"}),
    (
        "backup-retention-30d",
        LIFECYCLE,
        {"rules": [{"status": "Enabled", "expiration": {"days": 1}}]},
        {"minimum_days": 1},
    ),
]
