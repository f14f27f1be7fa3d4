"""What the tests of the policy pack try: a good resource of each type, and every way to spoil one.

`OFFENCES` holds, for each rule and each type it looks at, what is changed in the good resource and what is said then.
"""

import copy
import json
from typing import Any

from tests import policy_examples_edge as edge
from tests import policy_examples_stores as stores
from tests.policy_builders import (
    BALANCER,
    BROKER,
    BYTES,
    CACHE_CLUSTER,
    CACHE_PARAMETERS,
    CACHE_USER,
    CLUSTER,
    CLUSTER_PARAMETERS,
    CONTAINER,
    DEFAULT_GROUP,
    DISTRIBUTION,
    FROM_GROUP,
    FUNCTION,
    GROUP,
    GROUP_RULE,
    INGRESS,
    INGRESS_RULE,
    INSTANCE,
    KUBERNETES_CLUSTER,
    KUBERNETES_SECRET,
    LAUNCH_TEMPLATE,
    LEFT_OUT,
    LISTENER,
    PARAMETERS,
    PASSWORD,
    PODS,
    PROXY,
    REPLICATION_GROUP,
    REPOSITORY,
    RESPONSE_HEADERS,
    SECRET,
    SERVICE,
    STRONG,
    TARGETS,
    TASK,
    VPN,
    VPN_AUTHORIZATION,
    balancer,
    container,
    headers,
    ingress,
    ingress_rule,
    opened,
    parameters,
    pod,
    statement,
    variable,
    workload,
)

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::rentfix-backups/*"},
        {
            "Effect": "Allow",
            "Action": ["ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"],
            "Resource": "*",
        },
        {
            "Sid": "Decrypt",
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringEquals": {}},
        },
        {"Effect": "Deny", "Action": "*", "Resource": "*"},
    ],
}

GOOD_CACHE = {
    "description": "sessions",
    "engine": "redis",
    "engineVersion": "7.1",
    "numNodeGroups": 3,
    "replicasPerNodeGroup": 1,
    "automaticFailoverEnabled": True,
    "multiAzEnabled": True,
    "atRestEncryptionEnabled": True,
    "transitEncryptionEnabled": True,
    "authToken": STRONG,
    "parameterGroupName": "sessions-redis7",
    "snapshotRetentionLimit": 7,
    "autoMinorVersionUpgrade": True,
}

GOOD_LISTENER = {
    "port": 443,
    "protocol": "HTTPS",
    "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "defaultActions": [{"type": "fixed-response"}],
    "routingHttpResponseStrictTransportSecurityHeaderValue": "max-age=31536000; includeSubDomains",
    "routingHttpResponseXContentTypeOptionsHeaderValue": "nosniff",
    "routingHttpResponseXFrameOptionsHeaderValue": "DENY",
}

GOOD_BALANCER = {
    "loadBalancerType": "application",
    "internal": False,
    "dropInvalidHeaderFields": True,
    "enableDeletionProtection": True,
    "accessLogs": {"bucket": "logs", "enabled": True},
}

GOOD_TARGETS = {"protocol": "HTTP", "port": 4400, "healthCheck": {"path": "/health"}}
CORS = {
    "bucket": "uploads",
    "corsRules": [{"allowedMethods": ["GET"], "allowedOrigins": ["https://rentfix.com"]}],
}
IAM_POLICY = {"policy": json.dumps(POLICY)}

GOOD: dict[str, dict[str, Any]] = {
    VPN: {
        "clientCidrBlock": "10.250.0.0/22",
        "serverCertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/vpn",
        "authenticationOptions": [{"type": "certificate-authentication", "rootCertificateChainArn": "arn:x"}],
        "connectionLogOptions": {"enabled": True, "cloudwatchLogGroup": "/rentalfix/prod/vpn"},
    },
    VPN_AUTHORIZATION: {"targetNetworkCidr": "10.20.128.0/21", "authorizeAllGroups": True},
    INSTANCE: {
        "engine": "postgres",
        "engineVersion": "16.8",
        "storageEncrypted": True,
        "parameterGroupName": "rentfix-postgres16",
        "publiclyAccessible": False,
        "backupRetentionPeriod": 30,
        "multiAz": True,
        "deletionProtection": True,
        "skipFinalSnapshot": False,
        "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
        "autoMinorVersionUpgrade": True,
        "manageMasterUserPassword": True,
    },
    CLUSTER: {
        "engine": "aurora-postgresql",
        "engineVersion": "16.8",
        "storageEncrypted": True,
        "dbClusterParameterGroupName": "rentfix-postgres16",
        "backupRetentionPeriod": 30,
        "deletionProtection": True,
        "enabledCloudwatchLogsExports": ["postgresql"],
        "manageMasterUserPassword": True,
    },
    PROXY: {"engineFamily": "POSTGRESQL", "requireTls": True},
    "aws:rds/clusterInstance:ClusterInstance": {"engine": "aurora-postgresql", "publiclyAccessible": False},
    PARAMETERS: {
        "family": "postgres16",
        "parameters": [{"name": "rds.force_ssl", "value": "1"}],
    },
    CLUSTER_PARAMETERS: {
        "family": "aurora-postgresql16",
        "parameters": [{"name": "rds.force_ssl", "value": "1"}],
    },
    REPLICATION_GROUP: GOOD_CACHE,
    CACHE_CLUSTER: {"engine": "memcached", "numCacheNodes": 2},
    CACHE_PARAMETERS: {
        "family": "redis7",
        "parameters": [{"name": "rename-commands", "value": "FLUSHDB blocked FLUSHALL blocked KEYS blocked"}],
    },
    CACHE_USER: {"engine": "redis", "accessString": "on ~* +@all -@dangerous"},
    BROKER: {
        "brokerName": "events",
        "engineType": "RabbitMQ",
        "publiclyAccessible": False,
        "autoMinorVersionUpgrade": True,
        "logs": {"general": True},
        "encryptionOptions": {
            "useAwsOwnedKey": False,
            "kmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/data",
        },
        "users": [{"username": "app", "password": STRONG}],
    },
    INGRESS_RULE: {
        "ipProtocol": "tcp",
        "fromPort": 5432,
        "toPort": 5432,
        "referencedSecurityGroupId": FROM_GROUP,
    },
    GROUP: {
        "ingress": [
            {
                "protocol": "tcp",
                "fromPort": 443,
                "toPort": 443,
                "cidrBlocks": ["0.0.0.0/0"],
                "ipv6CidrBlocks": ["::/0"],
            },
            {"protocol": "tcp", "fromPort": 4400, "toPort": 4400, "securityGroups": [FROM_GROUP]},
        ]
    },
    GROUP_RULE: {
        "type": "ingress",
        "protocol": "tcp",
        "fromPort": 6379,
        "toPort": 6379,
        "sourceSecurityGroupId": FROM_GROUP,
    },
    DEFAULT_GROUP: {"ingress": []},
    **{kind: workload(kind, pod()) for kind in PODS},
    KUBERNETES_SECRET: {"type": "Opaque"},
    KUBERNETES_CLUSTER: {
        "vpcConfig": {"endpointPublicAccess": False, "endpointPrivateAccess": True},
        "encryptionConfig": {"resources": ["secrets"]},
        "enabledClusterLogTypes": ["api", "audit"],
    },
    LAUNCH_TEMPLATE: {
        "metadataOptions": {"httpTokens": "required"},
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"encrypted": "true"}}],
    },
    TASK: {
        "family": "api",
        "containerDefinitions": json.dumps([CONTAINER]),
    },
    SERVICE: {
        "networkConfiguration": {"assignPublicIp": False},
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    },
    "aws:ecs/cluster:Cluster": {"settings": [{"name": "containerInsights", "value": "enhanced"}]},
    REPOSITORY: {
        "imageScanningConfiguration": {"scanOnPush": True},
        "imageTagMutability": "IMMUTABLE",
        "encryptionConfigurations": [{"encryptionType": "KMS"}],
    },
    FUNCTION: {"environment": {"variables": {"NAMESPACE": "RentalFix"}}},
    PASSWORD: {"length": 64},
    BYTES: {"length": 64},
    SECRET: {"secretString": STRONG},
    "aws:iam/accessKey:AccessKey": {"user": "legacy"},
    "aws:iam/user:User": {"name": "legacy"},
    "aws:iam/policy:Policy": IAM_POLICY,
    "aws:iam/rolePolicy:RolePolicy": IAM_POLICY,
    "aws:iam/userPolicy:UserPolicy": IAM_POLICY,
    "aws:iam/groupPolicy:GroupPolicy": IAM_POLICY,
    "aws:iam/role:Role": {"inlinePolicies": [IAM_POLICY]},
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": {
        "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"
    },
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": {
        "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"
    },
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": {
        "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"
    },
    "aws:kms/key:Key": {"enableKeyRotation": True},
    "aws:cloudwatch/logGroup:LogGroup": {"retentionInDays": 30},
    LISTENER: GOOD_LISTENER,
    "aws:alb/listener:Listener": GOOD_LISTENER,
    BALANCER: GOOD_BALANCER,
    "aws:alb/loadBalancer:LoadBalancer": GOOD_BALANCER,
    TARGETS: GOOD_TARGETS,
    "aws:alb/targetGroup:TargetGroup": GOOD_TARGETS,
    DISTRIBUTION: {
        "viewerCertificate": {"minimumProtocolVersion": "TLSv1.2_2021"},
        "origins": [
            {"originId": "bucket", "originAccessControlId": "E1"},
            {"originId": "api", "customOriginConfig": {"originProtocolPolicy": "https-only"}},
        ],
        "defaultCacheBehavior": {
            "viewerProtocolPolicy": "redirect-to-https",
            "responseHeadersPolicyId": "headers",
        },
        "orderedCacheBehaviors": [
            {"viewerProtocolPolicy": "https-only", "responseHeadersPolicyId": "headers"}
        ],
    },
    RESPONSE_HEADERS: {
        "securityHeadersConfig": {
            "strictTransportSecurity": {"accessControlMaxAgeSec": 31536000, "override": True},
            "contentTypeOptions": {"override": True},
            "frameOptions": {"frameOption": "DENY", "override": True},
        },
        "corsConfig": {"accessControlAllowOrigins": {"items": ["https://rentfix.com"]}},
    },
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": CORS,
    "aws:s3/bucketCorsConfigurationV2:BucketCorsConfigurationV2": CORS,
}

GOOD[INGRESS] = ingress()
for kind, props in [*stores.GOOD.items(), *edge.GOOD.items()]:
    GOOD[kind] = {**GOOD.get(kind, {}), **props}

# What iam-no-static-keys looks at is never good: there is no compliant user, only an allowed one.
NEVER_GOOD = {"aws:iam/accessKey:AccessKey", "aws:iam/user:User"}


def spoiled(resource_type, changes):
    """The good resource with these properties changed; a dotted path reaches inside, LEFT_OUT takes a property away."""
    props = copy.deepcopy(GOOD[resource_type])
    for path, value in changes.items():
        *outer, last = path.split(".")
        inner = props
        for step in outer:
            inner = inner.setdefault(step, {})
        if value is LEFT_OUT:
            inner.pop(last, None)
        else:
            inner[last] = value
    return props


OFFENCES = {
    "rds-encrypted": {
        INSTANCE: [
            ({"storageEncrypted": LEFT_OUT}, "storageEncrypted is not set"),
            ({"storageEncrypted": False}, "storageEncrypted is false"),
        ],
        CLUSTER: [
            ({"storageEncrypted": False}, "storageEncrypted is false"),
        ],
    },
    "rds-force-ssl": {
        PARAMETERS: [
            ({"parameters": []}, "rds.force_ssl is not set"),
            (parameters(rds__force_ssl="0"), 'rds.force_ssl is "0"'),
        ],
        CLUSTER_PARAMETERS: [
            ({"parameters": LEFT_OUT}, "rds.force_ssl is not set"),
        ],
        INSTANCE: [
            ({"parameterGroupName": LEFT_OUT}, "parameterGroupName is not set"),
            ({"parameterGroupName": "default.postgres16"}, 'parameterGroupName is "default.postgres16"'),
        ],
        CLUSTER: [
            ({"dbClusterParameterGroupName": LEFT_OUT}, "dbClusterParameterGroupName is not set"),
        ],
    },
    "rds-proxy-tls": {
        PROXY: [
            ({"requireTls": False}, "requireTls is false"),
            ({"requireTls": LEFT_OUT}, "requireTls is not set"),
        ],
    },
    "rds-not-public": {
        INSTANCE: [
            ({"publiclyAccessible": True}, "publiclyAccessible is true"),
        ],
        CLUSTER: [
            ({"publiclyAccessible": True}, "publiclyAccessible is true"),
        ],
        "aws:rds/clusterInstance:ClusterInstance": [
            ({"publiclyAccessible": True}, "publiclyAccessible is true"),
        ],
    },
    "rds-backup-retention": {
        INSTANCE: [
            ({"backupRetentionPeriod": 7.0}, "backupRetentionPeriod is 7, at least 30 days are asked for"),
        ],
        CLUSTER: [
            (
                {"backupRetentionPeriod": LEFT_OUT},
                "backupRetentionPeriod is not set, at least 30 days are asked for",
            ),
        ],
    },
    "rds-multi-az": {
        INSTANCE: [
            ({"multiAz": False}, "multiAz is false"),
        ],
    },
    "rds-deletion-protection": {
        INSTANCE: [
            ({"deletionProtection": False}, "deletionProtection is false"),
            ({"skipFinalSnapshot": True}, "skipFinalSnapshot is true"),
        ],
        CLUSTER: [
            ({"deletionProtection": LEFT_OUT}, "deletionProtection is not set"),
        ],
    },
    "rds-engine-version-min": {
        INSTANCE: [
            ({"engineVersion": "13.22"}, 'engineVersion is "13.22", at least 14 is asked for'),
        ],
        CLUSTER: [
            ({"engineVersion": LEFT_OUT}, "engineVersion is not set, at least 14 is asked for"),
        ],
    },
    "rds-log-exports": {
        INSTANCE: [
            ({"enabledCloudwatchLogsExports": ["upgrade"]}, 'enabledCloudwatchLogsExports is "upgrade"'),
        ],
        CLUSTER: [
            ({"enabledCloudwatchLogsExports": LEFT_OUT}, "enabledCloudwatchLogsExports is empty"),
        ],
    },
    "auto-minor-upgrades": {
        INSTANCE: [
            ({"autoMinorVersionUpgrade": False}, "autoMinorVersionUpgrade is false"),
        ],
        REPLICATION_GROUP: [
            ({"autoMinorVersionUpgrade": False}, "autoMinorVersionUpgrade is false"),
        ],
        "aws:rds/clusterInstance:ClusterInstance": [
            ({"autoMinorVersionUpgrade": False}, "autoMinorVersionUpgrade is false"),
        ],
        BROKER: [
            ({"autoMinorVersionUpgrade": LEFT_OUT}, "autoMinorVersionUpgrade is not set"),
        ],
    },
    "cache-auth-required": {
        REPLICATION_GROUP: [
            ({"authToken": LEFT_OUT}, "neither authToken nor userGroupIds is set"),
            ({"authToken": ""}, "neither authToken nor userGroupIds is set"),
        ],
        CACHE_CLUSTER: [
            ({"engine": "redis"}, 'engine is "redis" on a Cluster of its own'),
            ({"engine": "valkey"}, 'engine is "valkey" on a Cluster of its own'),
        ],
    },
    "cache-transit-encryption": {
        REPLICATION_GROUP: [
            ({"transitEncryptionEnabled": False}, "transitEncryptionEnabled is false"),
            (
                {"transitEncryptionMode": "preferred"},
                'transitEncryptionMode is "preferred", which lets clients in without TLS',
            ),
        ],
    },
    "cache-at-rest-encryption": {
        REPLICATION_GROUP: [
            ({"atRestEncryptionEnabled": LEFT_OUT}, "atRestEncryptionEnabled is not set"),
        ],
    },
    "cache-cluster-shape": {
        REPLICATION_GROUP: [
            ({"automaticFailoverEnabled": False}, "automaticFailoverEnabled is false"),
            ({"multiAzEnabled": LEFT_OUT}, "multiAzEnabled is not set"),
            ({"numNodeGroups": 2.0}, "numNodeGroups is 2, at least 3 shards are asked for"),
            (
                {"numNodeGroups": 1, "clusterMode": "enabled"},
                "numNodeGroups is 1, at least 3 shards are asked for",
            ),
            (
                {"replicasPerNodeGroup": 0},
                "replicasPerNodeGroup is 0, at least 1 replica for each shard is asked for",
            ),
            (
                {"numNodeGroups": LEFT_OUT, "replicasPerNodeGroup": LEFT_OUT, "numCacheClusters": 1},
                "numCacheClusters is 1, at least 1 replica for each shard is asked for",
            ),
        ],
    },
    "cache-dangerous-commands-blocked": {
        CACHE_PARAMETERS: [
            (
                {"parameters": [{"name": "rename-commands", "value": "FLUSHDB blocked KEYS keys2"}]},
                "the parameter rename-commands does not block FLUSHALL, KEYS",
            ),
            (
                {"family": "valkey8", "parameters": LEFT_OUT},
                "the parameter rename-commands does not block FLUSHDB, FLUSHALL, KEYS",
            ),
        ],
        REPLICATION_GROUP: [
            ({"parameterGroupName": "default.redis7"}, 'parameterGroupName is "default.redis7"'),
            ({"parameterGroupName": LEFT_OUT}, "parameterGroupName is not set"),
        ],
        CACHE_USER: [
            ({"accessString": "on ~* +@all -flushall"}, "accessString allows FLUSHDB, KEYS"),
            ({"accessString": "on ~* -@all +get +keys"}, "accessString allows KEYS"),
            (
                {"accessString": "on ~* -@dangerous allcommands"},
                "accessString allows FLUSHDB, FLUSHALL, KEYS",
            ),
        ],
    },
    "cache-engine-version-min": {
        REPLICATION_GROUP: [
            ({"engineVersion": "6.2"}, 'engineVersion is "6.2", at least 7.0 is asked for'),
        ],
    },
    "cache-snapshots": {
        REPLICATION_GROUP: [
            ({"snapshotRetentionLimit": 0}, "snapshotRetentionLimit is 0, at least 1 days are asked for"),
        ],
    },
    "sg-no-open-ingress": {
        GROUP: [
            (opened("tcp", (8080, 8080), cidrBlocks=["0.0.0.0/0"]), 'opens port 8080 to "0.0.0.0/0"'),
            (opened("tcp", (8080, 8080), ipv6CidrBlocks=["::/0"]), 'opens port 8080 to "::/0"'),
            (
                opened("tcp", (80, 443), cidrBlocks=["10.0.0.0/8", "0.0.0.0/0"]),
                'opens ports 80 to 443 to "0.0.0.0/0"',
            ),
        ],
        DEFAULT_GROUP: [
            (
                opened("6", (8080, 8081), cidrBlocks=["0.0.0.0/1", "128.0.0.0/1"]),
                'opens ports 8080 to 8081 to "0.0.0.0/1", "128.0.0.0/1"',
            ),
            (opened("icmp", (8, 0), cidrBlocks=["0.0.0.0/0"]), 'opens protocol icmp to "0.0.0.0/0"'),
        ],
        INGRESS_RULE: [
            (ingress_rule("tcp", (8080, 8080), cidrIpv4="0.0.0.0/0"), 'opens port 8080 to "0.0.0.0/0"'),
            (ingress_rule("17", (53, 53), cidrIpv6="2000::/3"), 'opens port 53 to "2000::/3"'),
        ],
        GROUP_RULE: [
            (
                {"fromPort": 8080, "toPort": 8080, "cidrBlocks": ["0.0.0.0/0"]},
                'opens port 8080 to "0.0.0.0/0"',
            ),
        ],
    },
    "sg-no-open-data-ports": {
        DEFAULT_GROUP: [
            (opened(cidrBlocks=["10.0.0.0/16"]), 'opens port 5432 to "10.0.0.0/16", and with it 5432'),
        ],
        GROUP: [
            (opened(cidrBlocks=["10.0.0.0/16"]), 'opens port 5432 to "10.0.0.0/16", and with it 5432'),
            (
                opened("tcp", (5400, 5500), prefixListIds=["pl-1"]),
                "opens ports 5400 to 5500 to a prefix list, and with it 5432",
            ),
        ],
        INGRESS_RULE: [
            (
                ingress_rule("tcp", (9090, 9090), cidrIpv4="10.0.1.100/32"),
                'opens port 9090 to "10.0.1.100/32", and with it 9090',
            ),
            (
                ingress_rule("tcp", (6379, 6379), prefixListId="pl-1"),
                "opens port 6379 to a prefix list, and with it 6379",
            ),
        ],
        GROUP_RULE: [
            (
                {"sourceSecurityGroupId": LEFT_OUT, "ipv6CidrBlocks": ["fd00::/8"]},
                'opens port 6379 to "fd00::/8", and with it 6379',
            ),
        ],
    },
    "no-ssh-open-world": {
        DEFAULT_GROUP: [
            (
                opened("tcp", (3389, 3389), cidrBlocks=["0.0.0.0/0"]),
                'opens port 3389 to "0.0.0.0/0", and with it 3389',
            ),
        ],
        GROUP: [
            (
                opened("tcp", (22, 22), cidrBlocks=["0.0.0.0/0"]),
                'opens port 22 to "0.0.0.0/0", and with it 22',
            ),
        ],
        INGRESS_RULE: [
            (
                ingress_rule("tcp", (3380, 3400), cidrIpv6="::/0"),
                'opens ports 3380 to 3400 to "::/0", and with it 3389',
            ),
        ],
        GROUP_RULE: [
            (
                {"fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]},
                'opens port 22 to "0.0.0.0/0", and with it 22',
            ),
        ],
    },
    "no-ssh-inside": {
        GROUP: [
            (opened("tcp", (22, 22), securityGroups=[FROM_GROUP]), "opens port 22, and with it 22"),
            (opened("tcp", (3389, 3389), cidrBlocks=["10.0.0.0/8"]), "opens port 3389, and with it 3389"),
        ],
        DEFAULT_GROUP: [(opened("tcp", (20, 25), self=True), "opens ports 20 to 25, and with it 22")],
        INGRESS_RULE: [
            (ingress_rule("tcp", (22, 22), cidrIpv4="10.250.0.0/22"), "opens port 22, and with it 22"),
        ],
        GROUP_RULE: [({"fromPort": 22, "toPort": 22}, "opens port 22, and with it 22")],
    },
    "vpn-logged-and-authenticated": {
        VPN: [
            ({"authenticationOptions": LEFT_OUT}, "authenticationOptions names no kind that is known"),
            (
                {"authenticationOptions": [{"type": "none"}]},
                "authenticationOptions names no kind that is known",
            ),
            ({"connectionLogOptions": LEFT_OUT}, "connectionLogOptions.enabled is not set"),
            ({"connectionLogOptions.enabled": False}, "connectionLogOptions.enabled is false"),
            (
                {"connectionLogOptions.cloudwatchLogGroup": LEFT_OUT},
                "connectionLogOptions.cloudwatchLogGroup is not set",
            ),
        ],
    },
    "vpn-narrow": {
        VPN_AUTHORIZATION: [
            ({"targetNetworkCidr": "0.0.0.0/0"}, 'targetNetworkCidr is "0.0.0.0/0"'),
            ({"targetNetworkCidr": "128.0.0.0/1"}, 'targetNetworkCidr is "128.0.0.0/1"'),
        ],
    },
    "no-debug-ports": {
        GROUP: [
            (opened("tcp", (9229, 9229), securityGroups=[FROM_GROUP]), "opens port 9229, and with it 9229")
        ],
        DEFAULT_GROUP: [(opened("tcp", (5005, 5005), self=True), "opens port 5005, and with it 5005")],
        GROUP_RULE: [({"fromPort": 5600, "toPort": 5700}, "opens ports 5600 to 5700, and with it 5678")],
        INGRESS_RULE: [
            ({"fromPort": 9229, "toPort": 9229}, "opens port 9229, and with it 9229"),
        ],
        TASK: [
            (container(portMappings=[{"containerPort": 9229}]), "container api maps port 9229"),
            (
                container(command=["node", "--inspect=0.0.0.0", "dist/main.js"]),
                "container api passes --inspect in its command",
            ),
            (
                container(entryPoint=["node", "--inspect-brk"]),
                "container api passes --inspect in its command",
            ),
            (variable("NODE_OPTIONS", "--inspect"), "container api passes --inspect in NODE_OPTIONS"),
        ],
        FUNCTION: [
            (
                {"environment.variables": {"NODE_OPTIONS": "--inspect"}},
                "environment passes --inspect in NODE_OPTIONS",
            ),
        ],
    },
    "ecs-no-public-ip": {
        SERVICE: [
            ({"networkConfiguration.assignPublicIp": True}, "networkConfiguration.assignPublicIp is true"),
        ],
    },
    "mq-private-encrypted": {
        BROKER: [
            ({"publiclyAccessible": True}, "publiclyAccessible is true"),
            ({"logs": LEFT_OUT}, "logs.general is not set"),
            ({"encryptionOptions": LEFT_OUT}, "encryptionOptions.kmsKeyId is not set"),
            ({"encryptionOptions": {"useAwsOwnedKey": True}}, "encryptionOptions.kmsKeyId is not set"),
        ],
    },
    "container-non-root": {
        TASK: [
            (container(user=LEFT_OUT), "container api: user is not set"),
            (container(user="root"), 'container api: user is "root"'),
            (container(user="0:1000"), 'container api: user is "0:1000"'),
            (container(privileged=True), "container api: privileged is true"),
        ],
    },
    "container-image-pinned": {
        TASK: [
            (container(image="node:latest"), 'container api: image is "node:latest"'),
            (container(image="localhost:5000/node"), 'container api: image is "localhost:5000/node"'),
            (container(image="node:stable"), 'container api: image is "node:stable"'),
            (container(image="node:18-latest"), 'container api: image is "node:18-latest"'),
        ],
        FUNCTION: [
            ({"imageUri": "queue:latest"}, 'imageUri is "queue:latest"'),
        ],
    },
    "container-logging": {
        TASK: [
            (container(logConfiguration=LEFT_OUT), "container api: logConfiguration is not set"),
        ],
    },
    "container-health-check": {
        TASK: [
            (container(healthCheck=LEFT_OUT), "container api: healthCheck is not set"),
            (container(healthCheck=LEFT_OUT, essential=LEFT_OUT), "container api: healthCheck is not set"),
        ],
    },
    "container-readonly-rootfs": {
        TASK: [
            (container(readonlyRootFilesystem=LEFT_OUT), "container api: readonlyRootFilesystem is not set"),
        ],
    },
    "container-insights": {
        "aws:ecs/cluster:Cluster": [
            (
                {"settings": [{"name": "containerInsights", "value": "disabled"}]},
                'the setting containerInsights is "disabled"',
            ),
            ({"settings": LEFT_OUT}, "the setting containerInsights is not set"),
        ],
    },
    "deployment-rollback-enabled": {
        SERVICE: [
            ({"deploymentCircuitBreaker.rollback": False}, "deploymentCircuitBreaker.rollback is false"),
            ({"deploymentCircuitBreaker.enable": LEFT_OUT}, "deploymentCircuitBreaker.enable is not set"),
        ],
    },
    "no-plaintext-secrets-in-env": {
        TASK: [
            (variable("DB_PASSWORD", STRONG), "container api: DB_PASSWORD is a plain variable"),
            (variable("stripe_api_key", "k"), "container api: stripe_api_key is a plain variable"),
            (variable("SENTRY_DSN", "https://a"), "container api: SENTRY_DSN is a plain variable"),
            (variable("REDIS_URL", "rediss://cache:6379"), "container api: REDIS_URL is a plain variable"),
            (
                variable("UPSTREAM", "https://app:hunter2@search:9200/rentfix"),
                "container api: the value of UPSTREAM holds a credential",
            ),
            (
                variable("S3_USER", "AKIAIOSFODNN7EXAMPLE"),
                "container api: the value of S3_USER holds a credential",
            ),
        ],
        FUNCTION: [
            (
                {"environment.variables": {"AUTH_TOKEN": STRONG}},
                "environment: AUTH_TOKEN is a plain variable",
            ),
        ],
    },
    "secret-min-strength": {
        PASSWORD: [
            ({"length": 12.0}, "length is 12, at least 16 is asked for"),
            ({"upper": False}, "upper is false"),
        ],
        BYTES: [({"length": 8}, "length is 8, which is 10 characters of at least 16")],
        INSTANCE: [
            ({"password": "hunter2"}, "password lacks 9 more characters, an upper-case letter"),
        ],
        CLUSTER: [
            ({"masterPassword": "ABCDEFGHIJKLMNOP"}, "masterPassword lacks a lower-case letter, a digit"),
        ],
        REPLICATION_GROUP: [
            ({"authToken": "Ab1"}, "authToken lacks 13 more characters"),
        ],
        BROKER: [
            (
                {"users": [{"username": "app", "password": "Ab1Ab1"}]},
                "users[0].password lacks 10 more characters",
            ),
        ],
    },
    "no-default-secrets": {
        CLUSTER: [
            ({"masterPassword": "Placeholder-0123456789"}, "masterPassword is a default or a placeholder"),
        ],
        SECRET: [
            ({"secretString": "minioadmin"}, "secretString is a default or a placeholder"),
            (
                {"secretString": '{"username": "postgres", "password": "postgres"}'},
                "secretString.password is a default or a placeholder",
            ),
        ],
        REPLICATION_GROUP: [
            ({"authToken": "YOUR_SECURE_REDIS_PASSWORd_1"}, "authToken is a default or a placeholder"),
        ],
        INSTANCE: [
            ({"password": "STRONG_PASSWORD_HERe_16"}, "password is a default or a placeholder"),
        ],
        BROKER: [
            (
                {"users": [{"username": "a", "password": "ChangeMe12345678"}]},
                "users[0].password is a default or a placeholder",
            ),
        ],
    },
    "iam-least-privilege": {
        "aws:iam/policy:Policy": [
            (statement(Action="*"), 'statement 1 allows the action "*"'),
            (
                statement(Action="s3:GetObject", NotResource=["arn:aws:s3:::a"]),
                "statement 1 allows everything except arn:aws:s3:::a (NotResource)",
            ),
        ],
        "aws:iam/rolePolicy:RolePolicy": [
            (statement(Action=["s3:*"], Sid="All"), 'statement All allows the action "s3:*"'),
        ],
        "aws:iam/userPolicy:UserPolicy": [
            (
                statement(Action="secretsmanager:GetSecretValue", Resource="*"),
                'statement 1 allows secretsmanager:GetSecretValue on the resource "*"',
            ),
        ],
        "aws:iam/groupPolicy:GroupPolicy": [
            (
                {
                    "policy": json.dumps(
                        {"Statement": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "a"}}
                    )
                },
                "statement 1 allows everything except iam:* (NotAction)",
            ),
        ],
        "aws:iam/role:Role": [
            ({"inlinePolicies": [statement(Action="kms:*")]}, 'statement 1 allows the action "kms:*"'),
            (
                {"managedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]},
                '"arn:aws:iam::aws:policy/AdministratorAccess" is attached',
            ),
        ],
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment": [
            (
                {"policyArn": "arn:aws:iam::aws:policy/PowerUserAccess"},
                '"arn:aws:iam::aws:policy/PowerUserAccess" is attached',
            ),
        ],
        "aws:iam/userPolicyAttachment:UserPolicyAttachment": [
            (
                {"policyArn": "arn:aws:iam::aws:policy/PowerUserAccess"},
                '"arn:aws:iam::aws:policy/PowerUserAccess" is attached',
            ),
        ],
        "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": [
            (
                {"policyArn": "arn:aws:iam::aws:policy/PowerUserAccess"},
                '"arn:aws:iam::aws:policy/PowerUserAccess" is attached',
            ),
        ],
    },
    "kms-rotation": {
        "aws:kms/key:Key": [
            ({"enableKeyRotation": LEFT_OUT}, "enableKeyRotation is not set"),
        ],
    },
    "alb-tls-min-1-2": {
        INGRESS: [
            (ingress(ssl_policy=LEFT_OUT), "alb.ingress.kubernetes.io/ssl-policy is not set"),
            (
                ingress(ssl_policy="ELBSecurityPolicy-2016-08"),
                'alb.ingress.kubernetes.io/ssl-policy is "ELBSecurityPolicy-2016-08"',
            ),
        ],
        LISTENER: [
            ({"sslPolicy": LEFT_OUT}, "sslPolicy is not set"),
            (
                {"sslPolicy": "ELBSecurityPolicy-TLS13-1-0-2021-06"},
                'sslPolicy is "ELBSecurityPolicy-TLS13-1-0-2021-06"',
            ),
        ],
        "aws:alb/listener:Listener": [
            ({"sslPolicy": LEFT_OUT}, "sslPolicy is not set"),
        ],
        "aws:cloudfront/distribution:Distribution": [
            (
                {"viewerCertificate.minimumProtocolVersion": LEFT_OUT},
                "viewerCertificate.minimumProtocolVersion is not set",
            ),
        ],
    },
    "alb-https-only": {
        INGRESS: [
            (
                ingress(listen_ports='[{"HTTP": 80}]'),
                'it listens on no port for HTTPS, alb.ingress.kubernetes.io/listen-ports is "[{"HTTP": 80}]"',
            ),
            (
                ingress(listen_ports=LEFT_OUT, certificate_arn=LEFT_OUT),
                "it listens on no port for HTTPS, alb.ingress.kubernetes.io/listen-ports is not set",
            ),
            (ingress(certificate_arn=LEFT_OUT), "alb.ingress.kubernetes.io/certificate-arn is not set"),
            (
                ingress(ssl_redirect=LEFT_OUT),
                "it listens for plain HTTP, alb.ingress.kubernetes.io/ssl-redirect is not set",
            ),
            (
                ingress(ssl_redirect="8443"),
                'it listens for plain HTTP, alb.ingress.kubernetes.io/ssl-redirect is "8443"',
            ),
        ],
        LISTENER: [
            (
                {"protocol": "HTTP", "port": 80, "defaultActions": [{"type": "forward"}]},
                "the HTTP listener's default action is forward, not a redirect to HTTPS",
            ),
        ],
        "aws:alb/listener:Listener": [
            (
                {
                    "protocol": LEFT_OUT,
                    "port": 80,
                    "defaultActions": [{"type": "redirect", "redirect": {"protocol": "HTTP"}}],
                },
                "the HTTP listener's default action is redirect, not a redirect to HTTPS",
            ),
        ],
    },
    "alb-hardening": {
        INGRESS: [
            (
                ingress(
                    load_balancer_attributes=balancer(
                        routing__http__drop_invalid_header_fields__enabled="false"
                    )
                ),
                'load-balancer-attributes: routing.http.drop_invalid_header_fields.enabled is "false"',
            ),
            (
                ingress(load_balancer_attributes=balancer(deletion_protection__enabled=LEFT_OUT)),
                "load-balancer-attributes: deletion_protection.enabled is not set",
            ),
            (
                ingress(load_balancer_attributes=balancer(access_logs__s3__enabled="false")),
                'load-balancer-attributes: access_logs.s3.enabled is "false"',
            ),
        ],
        BALANCER: [
            ({"dropInvalidHeaderFields": False}, "dropInvalidHeaderFields is false"),
            ({"enableDeletionProtection": LEFT_OUT}, "enableDeletionProtection is not set"),
        ],
        "aws:alb/loadBalancer:LoadBalancer": [
            ({"accessLogs": LEFT_OUT}, "accessLogs.enabled is not set"),
        ],
    },
    "target-group-health-check": {
        INGRESS: [
            (ingress(healthcheck_path=LEFT_OUT), "alb.ingress.kubernetes.io/healthcheck-path is not set"),
            (ingress(healthcheck_path="/"), 'alb.ingress.kubernetes.io/healthcheck-path is "/"'),
        ],
        TARGETS: [
            ({"healthCheck": LEFT_OUT}, "healthCheck.path is not set"),
            ({"healthCheck.path": "/"}, 'healthCheck.path is "/"'),
        ],
        "aws:alb/targetGroup:TargetGroup": [
            ({"healthCheck.enabled": False}, "healthCheck.enabled is false"),
        ],
    },
    "cdn-https-only": {
        DISTRIBUTION: [
            (
                {"defaultCacheBehavior.viewerProtocolPolicy": "allow-all"},
                'defaultCacheBehavior.viewerProtocolPolicy is "allow-all"',
            ),
            (
                {"orderedCacheBehaviors": [{"responseHeadersPolicyId": "headers"}]},
                "orderedCacheBehaviors[0].viewerProtocolPolicy is not set",
            ),
            (
                {"origins": [{"customOriginConfig": {"originProtocolPolicy": "match-viewer"}}]},
                'origins[0].customOriginConfig.originProtocolPolicy is "match-viewer"',
            ),
        ],
    },
    "cdn-private-origin": {
        DISTRIBUTION: [
            (
                {"origins": [{"originId": "bucket", "s3OriginConfig": {"originAccessIdentity": ""}}]},
                "origins[0].originAccessControlId is not set",
            ),
        ],
    },
    "security-headers-on-public-entry": {
        INGRESS: [
            (
                ingress(**{"listener-attributes.HTTPS-443": headers(x_frame_options=LEFT_OUT)}),
                "listener-attributes.HTTPS-443: routing.http.response.x_frame_options.header_value is not set",
            ),
            (
                ingress(**{"listener-attributes.HTTPS-443": headers(strict_transport_security=LEFT_OUT)}),
                "listener-attributes.HTTPS-443: routing.http.response.strict_transport_security.header_value "
                "is not set",
            ),
        ],
        DISTRIBUTION: [
            (
                {"defaultCacheBehavior.responseHeadersPolicyId": LEFT_OUT},
                "defaultCacheBehavior.responseHeadersPolicyId is not set",
            ),
            (
                {"orderedCacheBehaviors": [{"viewerProtocolPolicy": "https-only"}]},
                "orderedCacheBehaviors[0].responseHeadersPolicyId is not set",
            ),
        ],
        RESPONSE_HEADERS: [
            (
                {"securityHeadersConfig.frameOptions": LEFT_OUT},
                "securityHeadersConfig.frameOptions is not set",
            ),
            (
                {"securityHeadersConfig.strictTransportSecurity": LEFT_OUT},
                "securityHeadersConfig.strictTransportSecurity is not set",
            ),
        ],
        LISTENER: [
            (
                {"routingHttpResponseStrictTransportSecurityHeaderValue": LEFT_OUT},
                "routingHttpResponseStrictTransportSecurityHeaderValue is not set",
            ),
            (
                {"routingHttpResponseXContentTypeOptionsHeaderValue": LEFT_OUT},
                "routingHttpResponseXContentTypeOptionsHeaderValue is not set",
            ),
            (
                {"routingHttpResponseXFrameOptionsHeaderValue": LEFT_OUT},
                "routingHttpResponseXFrameOptionsHeaderValue is not set",
            ),
        ],
    },
    "cors-restricted": {
        TASK: [
            (variable("CORS_ORIGIN", "*"), "container api: CORS_ORIGIN lets in *"),
            (variable("ALLOWED_ORIGINS", ""), "container api: ALLOWED_ORIGINS lets in an empty origin"),
            (
                variable("CORS_ORIGIN", "https://rentfix.com, http://rentfix.com"),
                "container api: CORS_ORIGIN lets in http://rentfix.com",
            ),
        ],
        LISTENER: [
            (
                {"routingHttpResponseAccessControlAllowOriginHeaderValue": "*"},
                "routingHttpResponseAccessControlAllowOriginHeaderValue lets in *",
            ),
        ],
        "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy": [
            (
                {"corsConfig.accessControlAllowOrigins": {"items": ["https://*.rentfix.com"]}},
                "corsConfig.accessControlAllowOrigins lets in https://*.rentfix.com",
            ),
        ],
        "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": [
            ({"corsRules": [{"allowedOrigins": ["*"]}]}, "corsRules[0].allowedOrigins lets in *"),
        ],
    },
    "log-retention-set": {
        "aws:cloudwatch/logGroup:LogGroup": [
            (
                {"retentionInDays": LEFT_OUT},
                "retentionInDays is not set, at least 30 days are asked for (0 is for ever)",
            ),
            ({"retentionInDays": 7}, "retentionInDays is 7, at least 30 days are asked for (0 is for ever)"),
        ],
    },
}

# Each threshold a stack may set: an offence, and the setting under which it is none.
THRESHOLDS = [
    ("cors-restricted", TASK, variable("CORS_ORIGIN", "http://localhost:3000"), {"allow_localhost": True}),
    ("rds-backup-retention", INSTANCE, {"backupRetentionPeriod": 1}, {"minimum_days": 1}),
    ("rds-engine-version-min", INSTANCE, {"engineVersion": "12.1"}, {"minimum": "12"}),
    ("cache-engine-version-min", REPLICATION_GROUP, {"engineVersion": "6.2"}, {"minimum": "6.0"}),
    ("cache-cluster-shape", REPLICATION_GROUP, {"numNodeGroups": 2}, {"minimum_shards": 2}),
    (
        "cache-cluster-shape",
        REPLICATION_GROUP,
        {"replicasPerNodeGroup": 0},
        {"minimum_replicas_per_shard": 0},
    ),
    ("cache-snapshots", REPLICATION_GROUP, {"snapshotRetentionLimit": 0}, {"minimum_days": 0}),
    ("cache-dangerous-commands-blocked", CACHE_USER, {"accessString": "on +@all"}, {"commands": []}),
    ("secret-min-strength", PASSWORD, {"length": 8}, {"minimum_length": 8}),
    ("sg-no-open-data-ports", GROUP, opened(cidrBlocks=["10.0.0.0/16"]), {"ports": [6379]}),
    ("no-debug-ports", TASK, container(portMappings=[{"containerPort": 9229}]), {"ports": []}),
    ("alb-hardening", BALANCER, {"enableDeletionProtection": False}, {"deletion_protection": False}),
    ("alb-hardening", BALANCER, {"accessLogs": LEFT_OUT}, {"access_logs": False}),
    (
        "alb-hardening",
        INGRESS,
        ingress(load_balancer_attributes=balancer(deletion_protection__enabled="false")),
        {"deletion_protection": False},
    ),
    (
        "log-retention-set",
        "aws:cloudwatch/logGroup:LogGroup",
        {"retentionInDays": 7},
        {"minimum_days": 7},
    ),
]

for rule_id, by_type in [*stores.OFFENCES.items(), *edge.OFFENCES.items()]:
    for kind, offences in by_type.items():
        OFFENCES.setdefault(rule_id, {}).setdefault(kind, []).extend(offences)
THRESHOLDS += [*stores.THRESHOLDS, *edge.THRESHOLDS]
TRIED_ELSEWHERE = edge.TRIED_ELSEWHERE
