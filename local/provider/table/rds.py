"""RDS: instances and replicas, their subnet and parameter groups, event subscriptions."""

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
