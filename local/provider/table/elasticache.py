"""ElastiCache: replication groups, their subnet and parameter groups, users."""

from local.provider.entry import Resource, call, send

_LOGS = """inputs.logDeliveryConfigurations[].{
    LogType: logType, LogFormat: logFormat, DestinationType: destinationType,
    DestinationDetails: destinationType == 'kinesis-firehose'
        && {KinesisFirehoseDetails: {DeliveryStream: destination}}
        || {CloudWatchLogsDetails: {LogGroup: destination}}
}"""

TYPES = [
    Resource(
        token="aws:elasticache/subnetGroup:SubnetGroup",
        service="elasticache",
        create=send(
            "create_cache_subnet_group",
            CacheSubnetGroupDescription="inputs.description || 'Managed by Pulumi'",
        ),
        id="lower(inputs.name)",
        read=[call("describe_cache_subnet_groups", CacheSubnetGroupName="id", at="CacheSubnetGroups[0]")],
        update=[
            call(
                "modify_cache_subnet_group",
                CacheSubnetGroupName="id",
                CacheSubnetGroupDescription="inputs.description",
                SubnetIds="inputs.subnetIds",
            )
        ],
        delete=[call("delete_cache_subnet_group", CacheSubnetGroupName="id")],
        names={"name": "CacheSubnetGroupName", "description": "CacheSubnetGroupDescription"},
        reads={"subnetIds": "Subnets[].SubnetIdentifier"},
        replace=["name"],
        outputs={"arn": "arn('elasticache', join(':', ['subnetgroup', id]))", "vpcId": "read.VpcId"},
        auto_name="name",
        example={
            "subnetIds": ["{aws:ec2/subnet:Subnet}"],
            "description": "example",
            "tags": {"Name": "example"},
        },
        change={"description": "changed"},
    ),
    Resource(
        token="aws:elasticache/parameterGroup:ParameterGroup",
        service="elasticache",
        recorded=True,
        create=send("create_cache_parameter_group", Description="inputs.description || 'Managed by Pulumi'"),
        after=[
            call(
                "modify_cache_parameter_group",
                CacheParameterGroupName="id",
                ParameterNameValues="inputs.parameters[].{ParameterName: name, ParameterValue: value}",
            )
        ],
        id="lower(inputs.name)",
        names={"name": "CacheParameterGroupName", "family": "CacheParameterGroupFamily"},
        replace=["name", "family", "description"],
        outputs={"arn": "arn('elasticache', join(':', ['parametergroup', id]))"},
        auto_name="name",
        example={
            "family": "redis7",
            "description": "example",
            "parameters": [
                {"name": "maxmemory-policy", "value": "allkeys-lru"},
                {"name": "cluster-enabled", "value": "yes"},
            ],
        },
        change={"parameters": [{"name": "maxmemory-policy", "value": "noeviction"}]},
    ),
    Resource(
        token="aws:elasticache/replicationGroup:ReplicationGroup",
        service="elasticache",
        create=send("create_replication_group", LogDeliveryConfigurations=_LOGS),
        id="lower(inputs.replicationGroupId)",
        read=[call("describe_replication_groups", ReplicationGroupId="id", at="ReplicationGroups[0]")],
        update=[
            send(
                "modify_replication_group",
                ReplicationGroupId="id",
                LogDeliveryConfigurations=_LOGS,
                ApplyImmediately="inputs.applyImmediately || `true`",
                on=["numNodeGroups", "replicasPerNodeGroup", "numCacheClusters"],
            )
        ],
        delete=[call("delete_replication_group", ReplicationGroupId="id")],
        names={
            "description": "ReplicationGroupDescription",
            "parameterGroupName": "CacheParameterGroupName",
            "subnetGroupName": "CacheSubnetGroupName",
            "nodeType": "CacheNodeType",
            "maintenanceWindow": "PreferredMaintenanceWindow",
            "preferredCacheClusterAzs": "PreferredCacheClusterAZs",
            "securityGroupNames": "CacheSecurityGroupNames",
        },
        reads={
            "description": "Description",
            "automaticFailoverEnabled": "AutomaticFailover == 'enabled'",
            "multiAzEnabled": "MultiAZ == 'enabled'",
            "numNodeGroups": "length(NodeGroups)",
        },
        # What the emulator does not show, or (counts) sets only once.
        kept=[
            "authToken",
            "authTokenUpdateStrategy",
            "numCacheClusters",
            "numNodeGroups",
            "replicasPerNodeGroup",
            "clusterMode",
            "logDeliveryConfigurations",
            "kmsKeyId",
            "networkType",
            "ipDiscovery",
            "dataTieringEnabled",
            "engine",
            "engineVersion",
            "snapshotWindow",
            "userGroupIds",
        ],
        local=["applyImmediately", "finalSnapshotIdentifier", "authTokenUpdateStrategy"],
        replace=[
            "replicationGroupId",
            "subnetGroupName",
            "port",
            "atRestEncryptionEnabled",
            "kmsKeyId",
            "dataTieringEnabled",
            "networkType",
            "snapshotName",
            "snapshotArns",
            "preferredCacheClusterAzs",
        ],
        outputs={
            "arn": "arn('elasticache', join(':', ['replicationgroup', id]))",
            "memberClusters": "read.MemberClusters",
            "clusterEnabled": "read.ClusterEnabled",
            "configurationEndpointAddress": "read.ConfigurationEndpoint.Address",
            "primaryEndpointAddress": "read.NodeGroups[0].PrimaryEndpoint.Address",
            "readerEndpointAddress": "read.NodeGroups[0].ReaderEndpoint.Address",
            "engineVersionActual": "inputs.engineVersion",
        },
        sometimes=[
            "configurationEndpointAddress",
            "primaryEndpointAddress",
            "readerEndpointAddress",
            "engineVersionActual",
        ],
        secrets=["authToken"],
        auto_name="replicationGroupId",
        auto_length=40,
        example={
            "description": "example",
            "engine": "redis",
            "engineVersion": "7.1",
            "nodeType": "cache.t4g.small",
            "numNodeGroups": 2,
            "replicasPerNodeGroup": 1,
            "automaticFailoverEnabled": True,
            "multiAzEnabled": True,
            "atRestEncryptionEnabled": True,
            "transitEncryptionEnabled": True,
            "authToken": "an-auth-token-of-the-example",
            "parameterGroupName": "{aws:elasticache/parameterGroup:ParameterGroup}",
            "subnetGroupName": "{aws:elasticache/subnetGroup:SubnetGroup}",
            "securityGroupIds": ["{aws:ec2/securityGroup:SecurityGroup}"],
            "snapshotRetentionLimit": 7,
            "snapshotWindow": "03:00-05:00",
            "maintenanceWindow": "sun:05:00-sun:06:00",
            "logDeliveryConfigurations": [
                {
                    "destination": "{aws:cloudwatch/logGroup:LogGroup}",
                    "destinationType": "cloudwatch-logs",
                    "logFormat": "json",
                    "logType": "slow-log",
                }
            ],
            "tags": {"Name": "example"},
        },
        change={"description": "changed", "snapshotRetentionLimit": 14},
    ),
    Resource(
        token="aws:elasticache/user:User",
        service="elasticache",
        create=send("create_user"),
        id="inputs.userId",
        read=[call("describe_users", UserId="id", at="Users[?Status!='deleting'] | [0]")],
        update=[send("modify_user", UserId="id")],
        delete=[call("delete_user", UserId="id")],
        kept=["passwords", "authenticationMode", "noPasswordRequired", "engine"],
        replace=["userId", "userName", "engine"],
        outputs={"arn": "arn('elasticache', join(':', ['user', id]))"},
        secrets=["passwords"],
        example={
            "userId": "example",
            "userName": "example",
            "engine": "redis",
            "accessString": "on ~app:* +@all -@dangerous",
            "passwords": ["a-password-of-the-example"],
        },
        change={"accessString": "on ~* +@read"},
    ),
    Resource(
        token="aws:elasticache/userGroup:UserGroup",
        service="elasticache",
        recorded=True,
        create=send("create_user_group"),
        id="inputs.userGroupId",
        replace=["userGroupId", "engine"],
        outputs={"arn": "arn('elasticache', join(':', ['usergroup', id]))"},
        example={
            "userGroupId": "example",
            "engine": "redis",
            "userIds": ["{aws:elasticache/user:User}"],
        },
        change={"userIds": ["default"]},
    ),
]
