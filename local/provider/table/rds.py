"""RDS: instances and replicas, Multi-AZ clusters, proxies, their subnet and parameter groups, event subscriptions."""

from local.provider.entry import Resource, call, send

_PARAMETERS = """inputs.parameters[].{
    ParameterName: name, ParameterValue: value, ApplyMethod: applyMethod || 'immediate'
}"""
# One call for each twenty would be RDS's own limit; the emulator has none.
_RESET_PARAMETERS = call(
    "reset_db_parameter_group",
    when="minus(old.parameters[].name, inputs.parameters[].name)",
    DBParameterGroupName="id",
    Parameters="minus(old.parameters[].name, inputs.parameters[].name)[].{ParameterName: @, ApplyMethod: 'immediate'}",
)
_SET_PARAMETERS = call("modify_db_parameter_group", DBParameterGroupName="id", Parameters=_PARAMETERS)
_AUTH = """inputs.auths[].{
    AuthScheme: authScheme, SecretArn: secretArn, IAMAuth: iamAuth, Description: description, UserName: username,
    ClientPasswordAuthType: clientPasswordAuthType
}"""
_POOL = """inputs.connectionPoolConfig.{
    MaxConnectionsPercent: maxConnectionsPercent, MaxIdleConnectionsPercent: maxIdleConnectionsPercent,
    ConnectionBorrowTimeout: connectionBorrowTimeout, InitQuery: initQuery,
    SessionPinningFilters: sessionPinningFilters
}"""
_SET_CLUSTER_PARAMETERS = call(
    "modify_db_cluster_parameter_group", DBClusterParameterGroupName="id", Parameters=_PARAMETERS
)

TYPES = [
    Resource(
        token="aws:rds/subnetGroup:SubnetGroup",
        service="rds",
        create=send(
            "create_db_subnet_group", DBSubnetGroupDescription="inputs.description || 'Managed by Pulumi'"
        ),
        id="lower(inputs.name)",
        read=[call("describe_db_subnet_groups", DBSubnetGroupName="id", at="DBSubnetGroups[0]")],
        update=[
            call(
                "modify_db_subnet_group",
                DBSubnetGroupName="id",
                DBSubnetGroupDescription="inputs.description",
                SubnetIds="inputs.subnetIds",
            )
        ],
        delete=[call("delete_db_subnet_group", DBSubnetGroupName="id")],
        names={"name": "DBSubnetGroupName", "description": "DBSubnetGroupDescription"},
        reads={"subnetIds": "Subnets[].SubnetIdentifier"},
        replace=["name"],
        outputs={"arn": "read.DBSubnetGroupArn", "vpcId": "read.VpcId"},
        auto_name="name",
        tag_id="arn('rds', join(':', ['subgrp', id]))",
        example={
            "subnetIds": ["{aws:ec2/subnet:Subnet}"],
            "description": "example",
            "tags": {"Name": "example"},
        },
        change={"description": "changed"},
    ),
    Resource(
        token="aws:rds/parameterGroup:ParameterGroup",
        service="rds",
        create=send("create_db_parameter_group", Description="inputs.description || 'Managed by Pulumi'"),
        id="lower(inputs.name)",
        read=[
            call("describe_db_parameter_groups", DBParameterGroupName="id", at="DBParameterGroups[0]"),
            call(
                "describe_db_parameters",
                DBParameterGroupName="id",
                at="{parameters: Parameters[].{name: ParameterName, value: ParameterValue, "
                "applyMethod: ApplyMethod}}",
            ),
        ],
        update=[_RESET_PARAMETERS],
        after=[_SET_PARAMETERS],
        delete=[call("delete_db_parameter_group", DBParameterGroupName="id")],
        names={"name": "DBParameterGroupName", "family": "DBParameterGroupFamily"},
        local=["skipDestroy"],
        replace=["name", "family", "description"],
        outputs={"arn": "arn('rds', join(':', ['pg', id]))"},
        auto_name="name",
        tag_id="arn('rds', join(':', ['pg', id]))",
        example={
            "family": "postgres16",
            "description": "example",
            "parameters": [
                {"name": "rds.force_ssl", "value": "1"},
                {"name": "max_connections", "value": "200", "applyMethod": "pending-reboot"},
            ],
        },
        change={"parameters": [{"name": "rds.force_ssl", "value": "0"}]},
    ),
    Resource(
        token="aws:rds/instance:Instance",
        service="rds",
        create=send("create_db_instance", when="!(inputs.replicateSourceDb)"),
        instead=send("create_db_instance_read_replica"),
        id="inputs.identifier",
        read=[call("describe_db_instances", DBInstanceIdentifier="id", at="DBInstances[0]")],
        update=[
            send(
                "modify_db_instance",
                DBInstanceIdentifier="id",
                ApplyImmediately="inputs.applyImmediately || `true`",
                CloudwatchLogsExportConfiguration="""{
                    EnableLogTypes: minus(inputs.enabledCloudwatchLogsExports, old.enabledCloudwatchLogsExports)
                        || `[]`,
                    DisableLogTypes: minus(old.enabledCloudwatchLogsExports, inputs.enabledCloudwatchLogsExports)
                        || `[]`
                }""",
            )
        ],
        delete=[
            call(
                "delete_db_instance",
                DBInstanceIdentifier="id",
                SkipFinalSnapshot="inputs.skipFinalSnapshot || `false`",
                FinalDBSnapshotIdentifier="!(inputs.skipFinalSnapshot) && inputs.finalSnapshotIdentifier || null",
                DeleteAutomatedBackups="inputs.deleteAutomatedBackups",
            ),
        ],
        names={
            "identifier": "DBInstanceIdentifier",
            "username": "MasterUsername",
            "password": "MasterUserPassword",
            "instanceClass": "DBInstanceClass",
            "parameterGroupName": "DBParameterGroupName",
            "maintenanceWindow": "PreferredMaintenanceWindow",
            "backupWindow": "PreferredBackupWindow",
            "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
            "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
            "performanceInsightsEnabled": "EnablePerformanceInsights",
            "caCertIdentifier": "CACertificateIdentifier",
            "customerOwnedIpEnabled": "EnableCustomerOwnedIp",
            "replicateSourceDb": "SourceDBInstanceIdentifier",
        },
        reads={
            "vpcSecurityGroupIds": "VpcSecurityGroups[].VpcSecurityGroupId",
            "parameterGroupName": "DBParameterGroups[0].DBParameterGroupName",
            "dbSubnetGroupName": "DBSubnetGroup.DBSubnetGroupName",
            "optionGroupName": "OptionGroupMemberships[0].OptionGroupName",
            "enabledCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
            "iamDatabaseAuthenticationEnabled": "IAMDatabaseAuthenticationEnabled",
            "multiAz": "MultiAZ",
            # A replica has its own only when asked; the emulator shows its source's.
            "backupRetentionPeriod": "!(ReadReplicaSourceDBInstanceIdentifier) && BackupRetentionPeriod || null",
            "port": "Endpoint.Port",
        },
        kept=[
            "password",
            "replicateSourceDb",
            "performanceInsightsEnabled",
            "performanceInsightsKmsKeyId",
            "performanceInsightsRetentionPeriod",
            "databaseInsightsMode",
            "networkType",
            "manageMasterUserPassword",
            "masterUserSecretKmsKeyId",
            "caCertIdentifier",
        ],
        local=[
            "applyImmediately",
            "skipFinalSnapshot",
            "finalSnapshotIdentifier",
            "deleteAutomatedBackups",
        ],
        replace=[
            "identifier",
            "engine",
            "username",
            "dbName",
            "kmsKeyId",
            "storageEncrypted",
            "availabilityZone",
            "replicateSourceDb",
            "characterSetName",
        ],
        outputs={
            "arn": "read.DBInstanceArn",
            "address": "read.Endpoint.Address",
            "endpoint": "join(':', [read.Endpoint.Address, to_string(read.Endpoint.Port)])",
            "port": "read.Endpoint.Port",
            "hostedZoneId": "'Z2R2ITUGPM61AM'",
            "resourceId": "read.DbiResourceId",
            "engineVersionActual": "read.EngineVersion",
            "masterUserSecrets": (
                "read.MasterUserSecret && [read.MasterUserSecret.{secretArn: SecretArn, "
                "secretStatus: SecretStatus, kmsKeyId: KmsKeyId}]"
            ),
        },
        sometimes=["masterUserSecrets"],
        secrets=["password"],
        auto_name="identifier",
        auto_length=63,
        tag_id="arn('rds', join(':', ['db', id]))",
        example={
            "engine": "postgres",
            "engineVersion": "16.8",
            "instanceClass": "db.t4g.micro",
            "allocatedStorage": 20,
            "username": "owner",
            "manageMasterUserPassword": True,
            "dbSubnetGroupName": "{aws:rds/subnetGroup:SubnetGroup}",
            "parameterGroupName": "{aws:rds/parameterGroup:ParameterGroup}",
            "vpcSecurityGroupIds": ["{aws:ec2/securityGroup:SecurityGroup}"],
            "storageEncrypted": True,
            "kmsKeyId": "{aws:kms/key:Key.arn}",
            "backupRetentionPeriod": 7,
            "backupWindow": "02:00-03:00",
            "iamDatabaseAuthenticationEnabled": True,
            "performanceInsightsEnabled": True,
            "enabledCloudwatchLogsExports": ["postgresql"],
            "multiAz": True,
            "skipFinalSnapshot": True,
            "tags": {"Name": "example"},
        },
        change={
            "instanceClass": "db.t4g.small",
            "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
        },
    ),
    Resource(
        token="aws:rds/clusterParameterGroup:ClusterParameterGroup",
        service="rds",
        create=send(
            "create_db_cluster_parameter_group", Description="inputs.description || 'Managed by Pulumi'"
        ),
        id="lower(inputs.name)",
        read=[
            call(
                "describe_db_cluster_parameter_groups",
                DBClusterParameterGroupName="id",
                at="DBClusterParameterGroups[0]",
            ),
        ],
        after=[_SET_CLUSTER_PARAMETERS],
        delete=[call("delete_db_cluster_parameter_group", DBClusterParameterGroupName="id")],
        names={"name": "DBClusterParameterGroupName", "family": "DBParameterGroupFamily"},
        # The emulator shows a cluster's parameters without their values.
        kept=["parameters"],
        replace=["name", "family", "description"],
        outputs={"arn": "arn('rds', join(':', ['cluster-pg', id]))"},
        auto_name="name",
        tag_id="arn('rds', join(':', ['cluster-pg', id]))",
        example={
            "family": "postgres16",
            "description": "example",
            "parameters": [{"name": "rds.force_ssl", "value": "1", "applyMethod": "pending-reboot"}],
        },
        change={"parameters": [{"name": "rds.force_ssl", "value": "0", "applyMethod": "pending-reboot"}]},
    ),
    Resource(
        token="aws:rds/cluster:Cluster",
        service="rds",
        create=send("create_db_cluster"),
        id="inputs.clusterIdentifier",
        read=[call("describe_db_clusters", DBClusterIdentifier="id", at="DBClusters[0]")],
        update=[
            send(
                "modify_db_cluster",
                DBClusterIdentifier="id",
                ApplyImmediately="inputs.applyImmediately || `true`",
                # The emulator would make another password.
                ManageMasterUserPassword="`null`",
                MasterUserSecretKmsKeyId="`null`",
                CloudwatchLogsExportConfiguration="""{
                    EnableLogTypes: minus(inputs.enabledCloudwatchLogsExports, old.enabledCloudwatchLogsExports)
                        || `[]`,
                    DisableLogTypes: minus(old.enabledCloudwatchLogsExports, inputs.enabledCloudwatchLogsExports)
                        || `[]`
                }""",
            )
        ],
        delete=[
            call(
                "delete_db_cluster",
                DBClusterIdentifier="id",
                SkipFinalSnapshot="inputs.skipFinalSnapshot || `false`",
                FinalDBSnapshotIdentifier="!(inputs.skipFinalSnapshot) && inputs.finalSnapshotIdentifier || null",
            ),
        ],
        names={
            "clusterIdentifier": "DBClusterIdentifier",
            "masterPassword": "MasterUserPassword",
            "dbClusterInstanceClass": "DBClusterInstanceClass",
            "dbClusterParameterGroupName": "DBClusterParameterGroupName",
            "dbSubnetGroupName": "DBSubnetGroupName",
            "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
            "performanceInsightsEnabled": "EnablePerformanceInsights",
            "caCertificateIdentifier": "CACertificateIdentifier",
        },
        reads={
            "vpcSecurityGroupIds": "VpcSecurityGroups[].VpcSecurityGroupId",
            "dbClusterParameterGroupName": "DBClusterParameterGroup",
            "dbSubnetGroupName": "DBSubnetGroup",
        },
        kept=[
            "masterPassword",
            "manageMasterUserPassword",
            "masterUserSecretKmsKeyId",
            "performanceInsightsEnabled",
            "performanceInsightsKmsKeyId",
            "performanceInsightsRetentionPeriod",
            "databaseInsightsMode",
            "monitoringInterval",
            "monitoringRoleArn",
            "caCertificateIdentifier",
            "networkType",
            "autoMinorVersionUpgrade",
            "enabledCloudwatchLogsExports",
        ],
        local=[
            "applyImmediately",
            "allowMajorVersionUpgrade",
            "skipFinalSnapshot",
            "finalSnapshotIdentifier",
            "deleteAutomatedBackups",
            "iamDatabaseAuthenticationEnabled",  # refused by the emulator, as AWS once did
        ],
        replace=[
            "clusterIdentifier",
            "engine",
            "masterUsername",
            "databaseName",
            "kmsKeyId",
            "storageEncrypted",
            "dbSubnetGroupName",
            "availabilityZones",
            "port",
        ],
        outputs={
            "arn": "read.DBClusterArn",
            "endpoint": "read.Endpoint",
            "readerEndpoint": "read.ReaderEndpoint",
            "hostedZoneId": "'Z2R2ITUGPM61AM'",
            "clusterResourceId": "read.DbClusterResourceId",
            "engineVersionActual": "read.EngineVersion",
            # The emulator makes no members.
            "clusterMembers": "[join('-', [id, 'instance', '1']), join('-', [id, 'instance', '2']), "
            "join('-', [id, 'instance', '3'])]",
            "masterUserSecrets": (
                "read.MasterUserSecret && [read.MasterUserSecret.{secretArn: SecretArn, "
                "secretStatus: SecretStatus, kmsKeyId: KmsKeyId}]"
            ),
        },
        sometimes=["masterUserSecrets"],
        secrets=["masterPassword"],
        auto_name="clusterIdentifier",
        auto_length=63,
        tag_id="arn('rds', join(':', ['cluster', id]))",
        example={
            "engine": "postgres",
            "engineVersion": "16.8",
            "dbClusterInstanceClass": "db.m6gd.large",
            "allocatedStorage": 100,
            "storageType": "gp3",
            "databaseName": "example",
            "masterUsername": "owner",
            "manageMasterUserPassword": True,
            "dbSubnetGroupName": "{aws:rds/subnetGroup:SubnetGroup}",
            "dbClusterParameterGroupName": "{aws:rds/clusterParameterGroup:ClusterParameterGroup}",
            "vpcSecurityGroupIds": ["{aws:ec2/securityGroup:SecurityGroup}"],
            "storageEncrypted": True,
            "kmsKeyId": "{aws:kms/key:Key.arn}",
            "backupRetentionPeriod": 7,
            "preferredBackupWindow": "02:00-03:00",
            "enabledCloudwatchLogsExports": ["postgresql"],
            "performanceInsightsEnabled": True,
            "publiclyAccessible": False,
            "skipFinalSnapshot": True,
            "tags": {"Name": "example"},
        },
        change={"backupRetentionPeriod": 14, "enabledCloudwatchLogsExports": ["postgresql", "upgrade"]},
    ),
    Resource(
        token="aws:rds/proxy:Proxy",
        service="rds",
        create=send("create_db_proxy", RoleArn="inputs.roleArn", Auth=_AUTH),
        id="inputs.name",
        read=[call("describe_db_proxies", DBProxyName="id", at="DBProxies[0]")],
        delete=[call("delete_db_proxy", DBProxyName="id")],
        names={"name": "DBProxyName"},
        reads={"vpcSecurityGroupIds": "VpcSecurityGroupIds", "vpcSubnetIds": "VpcSubnetIds"},
        update=[
            send("modify_db_proxy", DBProxyName="id", SecurityGroups="inputs.vpcSecurityGroupIds", Auth=_AUTH)
        ],
        kept=["idleClientTimeout", "debugLogging", "auths"],
        replace=["name", "engineFamily", "vpcSubnetIds"],
        outputs={"arn": "read.DBProxyArn", "endpoint": "read.Endpoint"},
        auto_name="name",
        auto_length=63,
        tags_kept=True,  # the emulator tags proxies by an ARN that is not known before they are read
        example={
            "engineFamily": "POSTGRESQL",
            "requireTls": True,
            "idleClientTimeout": 900,
            "roleArn": "{aws:iam/role:Role.arn}",
            "auths": [
                {
                    "authScheme": "SECRETS",
                    "iamAuth": "DISABLED",
                    "secretArn": "{aws:secretsmanager/secret:Secret.arn}",
                    "clientPasswordAuthType": "POSTGRES_SCRAM_SHA_256",
                }
            ],
            "vpcSubnetIds": ["{aws:ec2/subnet:Subnet}"],
            "vpcSecurityGroupIds": ["{aws:ec2/securityGroup:SecurityGroup}"],
            "tags": {"Name": "example"},
        },
        change={"idleClientTimeout": 1800},
    ),
    Resource(
        token="aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup",
        service="rds",
        stays=True,
        create=call(
            "modify_db_proxy_target_group",
            on=["dbProxyName", "connectionPoolConfig"],
            TargetGroupName="'default'",
            DBProxyName="inputs.dbProxyName",
            ConnectionPoolConfig=_POOL,
        ),
        id="inputs.dbProxyName",
        read=[
            call(
                "describe_db_proxy_target_groups",
                DBProxyName="id",
                TargetGroupName="'default'",
                at="TargetGroups[0]",
            )
        ],
        update=[
            call(
                "modify_db_proxy_target_group",
                TargetGroupName="'default'",
                DBProxyName="id",
                ConnectionPoolConfig=_POOL,
            )
        ],
        kept=["connectionPoolConfig"],
        reads={"dbProxyName": "DBProxyName"},
        replace=["dbProxyName"],
        outputs={"arn": "read.TargetGroupArn", "name": "read.TargetGroupName"},
        example={
            "dbProxyName": "{aws:rds/proxy:Proxy}",
            "connectionPoolConfig": {"maxConnectionsPercent": 90, "connectionBorrowTimeout": 120},
        },
        change={"connectionPoolConfig": {"maxConnectionsPercent": 80, "connectionBorrowTimeout": 120}},
    ),
    Resource(
        token="aws:rds/proxyTarget:ProxyTarget",
        service="rds",
        create=call(
            "register_db_proxy_targets",
            TargetGroupName="inputs.targetGroupName",
            DBProxyName="inputs.dbProxyName",
            DBInstanceIdentifiers="inputs.dbInstanceIdentifier && [inputs.dbInstanceIdentifier]",
            DBClusterIdentifiers="inputs.dbClusterIdentifier && [inputs.dbClusterIdentifier]",
        ),
        id="join('/', [inputs.dbProxyName, inputs.targetGroupName, "
        "inputs.dbInstanceIdentifier || inputs.dbClusterIdentifier])",
        read=[
            call(
                "describe_db_proxy_targets",
                DBProxyName="split(id, '/')[0]",
                TargetGroupName="split(id, '/')[1]",
                at="Targets",
                where={"RdsResourceId": "split(id, '/')[2]"},
            )
        ],
        delete=[
            call(
                "deregister_db_proxy_targets",
                TargetGroupName="inputs.targetGroupName",
                DBProxyName="inputs.dbProxyName",
                DBInstanceIdentifiers="inputs.dbInstanceIdentifier && [inputs.dbInstanceIdentifier]",
                DBClusterIdentifiers="inputs.dbClusterIdentifier && [inputs.dbClusterIdentifier]",
            )
        ],
        kept=["dbProxyName", "targetGroupName", "dbInstanceIdentifier", "dbClusterIdentifier"],
        replace=["dbProxyName", "targetGroupName", "dbInstanceIdentifier", "dbClusterIdentifier"],
        outputs={"rdsResourceId": "read.RdsResourceId", "type": "read.Type"},
        example={
            "dbProxyName": "{aws:rds/proxy:Proxy}",
            "targetGroupName": "default",
            "dbInstanceIdentifier": "{aws:rds/instance:Instance}",
        },
        change={"dbProxyName": "{aws:rds/proxy:Proxy}"},
    ),
    Resource(
        token="aws:rds/eventSubscription:EventSubscription",
        service="rds",
        create=send("create_event_subscription"),
        id="inputs.name",
        read=[call("describe_event_subscriptions", SubscriptionName="id", at="EventSubscriptionsList[0]")],
        delete=[call("delete_event_subscription", SubscriptionName="id")],
        names={"name": "SubscriptionName", "snsTopic": "SnsTopicArn"},
        reads={
            "snsTopic": "SnsTopicArn",
            "sourceIds": "SourceIdsList",
            "eventCategories": "EventCategoriesList",
            "name": "CustSubscriptionId",
        },
        # The emulator has no call that changes one.
        replace=["name", "snsTopic", "sourceType", "sourceIds", "eventCategories", "enabled"],
        outputs={"arn": "arn('rds', join(':', ['es', id]))"},
        auto_name="name",
        tag_id="arn('rds', join(':', ['es', id]))",
        example={
            "snsTopic": "arn:aws:sns:us-east-1:123456789012:example",
            "sourceType": "db-instance",
            "eventCategories": ["failover", "failure"],
        },
        change={"eventCategories": ["failover"]},
    ),
]
