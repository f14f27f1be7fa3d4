"""Amazon MQ brokers."""

from local.provider.entry import Resource, Tagging, call, send

_ENCRYPTION = """inputs.encryptionOptions && {
    KmsKeyId: inputs.encryptionOptions.kmsKeyId,
    UseAwsOwnedKey: inputs.encryptionOptions.useAwsOwnedKey == `true`
        || (inputs.encryptionOptions.useAwsOwnedKey == null && inputs.encryptionOptions.kmsKeyId == null)
}"""
_USERS = """inputs.users[].{
    Username: username, Password: password, ConsoleAccess: consoleAccess, Groups: groups,
    ReplicationUser: replicationUser
}"""
_WINDOW = """inputs.maintenanceWindowStartTime && {
    DayOfWeek: inputs.maintenanceWindowStartTime.dayOfWeek, TimeOfDay: inputs.maintenanceWindowStartTime.timeOfDay,
    TimeZone: inputs.maintenanceWindowStartTime.timeZone
}"""
_LDAP = """inputs.ldapServerMetadata && {
    Hosts: inputs.ldapServerMetadata.hosts, RoleBase: inputs.ldapServerMetadata.roleBase,
    RoleName: inputs.ldapServerMetadata.roleName, RoleSearchMatching: inputs.ldapServerMetadata.roleSearchMatching,
    RoleSearchSubtree: inputs.ldapServerMetadata.roleSearchSubtree,
    ServiceAccountPassword: inputs.ldapServerMetadata.serviceAccountPassword,
    ServiceAccountUsername: inputs.ldapServerMetadata.serviceAccountUsername,
    UserBase: inputs.ldapServerMetadata.userBase, UserRoleName: inputs.ldapServerMetadata.userRoleName,
    UserSearchMatching: inputs.ldapServerMetadata.userSearchMatching,
    UserSearchSubtree: inputs.ldapServerMetadata.userSearchSubtree
}"""
_SHAPED = {
    "MaintenanceWindowStartTime": _WINDOW,
    "LdapServerMetadata": _LDAP,
    "Logs": "inputs.logs && {General: inputs.logs.general, Audit: inputs.logs.audit}",
}

TYPES = [
    Resource(
        token="aws:mq/broker:Broker",
        service="mq",
        create=send(
            "create_broker",
            **_SHAPED,
            EncryptionOptions=_ENCRYPTION,
            Users=_USERS,
            AuthenticationStrategy="inputs.authenticationStrategy || 'simple'",
            StorageType="inputs.storageType || 'ebs'",
            PubliclyAccessible="inputs.publiclyAccessible || `false`",
            AutoMinorVersionUpgrade="inputs.autoMinorVersionUpgrade || `false`",
            DeploymentMode="inputs.deploymentMode || 'SINGLE_INSTANCE'",
        ),
        id="created.BrokerId",
        read=[call("describe_broker", BrokerId="id")],
        update=[send("update_broker", **_SHAPED, BrokerId="id")],
        delete=[call("delete_broker", BrokerId="id")],
        reads={"users": "Users[].{username: Username}"},
        # The emulator shows the users' names only, and other spellings of what it was given.
        kept=["users", "ldapServerMetadata", "authenticationStrategy", "storageType", "configuration"],
        # Of RabbitMQ no user changes once the broker is made: the provider takes it for done.
        local=["applyImmediately", "users"],
        replace=[
            "brokerName",
            "deploymentMode",
            "encryptionOptions",
            "engineType",
            "publiclyAccessible",
            "storageType",
            "subnetIds",
        ],
        outputs={
            "arn": "read.BrokerArn",
            "instances": "read.BrokerInstances[].{consoleUrl: ConsoleURL, endpoints: Endpoints, ipAddress: IpAddress}",
        },
        auto_name="brokerName",
        auto_length=50,
        tagging=Tagging(sets="create_tags", removes="delete_tags", lists="list_tags"),
        example={
            "engineType": "RabbitMQ",
            "engineVersion": "3.13",
            "hostInstanceType": "mq.m5.large",
            "deploymentMode": "CLUSTER_MULTI_AZ",
            "publiclyAccessible": False,
            "autoMinorVersionUpgrade": True,
            "subnetIds": ["{aws:ec2/subnet:Subnet}"],
            "securityGroups": ["{aws:ec2/securityGroup:SecurityGroup}"],
            "encryptionOptions": {"useAwsOwnedKey": False, "kmsKeyId": "{aws:kms/key:Key.arn}"},
            "users": [{"username": "admin", "password": "a-password-of-the-tests"}],
            "maintenanceWindowStartTime": {"dayOfWeek": "SUNDAY", "timeOfDay": "05:00", "timeZone": "UTC"},
            "logs": {"general": True},
            "tags": {"Name": "example"},
        },
        change={"hostInstanceType": "mq.m5.xlarge", "tags": {"Name": "changed"}},
    ),
]
