"""Amazon Managed Grafana. The emulator has none of it: all of it is recorded."""

from local.provider.entry import Resource, call, send

_USERS = "inputs.{}[].{{id: @, type: '{}'}}"
_PERMISSIONS = f"""[{{
    action: 'ADD', role: inputs.role,
    users: [{_USERS.format("userIds", "SSO_USER")}, {_USERS.format("groupIds", "SSO_GROUP")}][]
}}]"""

TYPES = [
    Resource(
        token="aws:grafana/workspace:Workspace",
        service="grafana",
        recorded=True,
        create=send("create_workspace"),
        id="join('-', ['g', hex(`10`)])",
        names={
            "name": "workspaceName",
            "description": "workspaceDescription",
            "dataSources": "workspaceDataSources",
            "notificationDestinations": "workspaceNotificationDestinations",
            "organizationalUnits": "workspaceOrganizationalUnits",
            "roleArn": "workspaceRoleArn",
        },
        replace=["kmsKeyId"],
        outputs={
            "arn": "arn('grafana', join('/', ['', 'workspaces', id]))",
            "endpoint": "join('', [id, '.grafana-workspace.', region(), '.amazonaws.com'])",
        },
        auto_name="name",
        example={
            "accountAccessType": "CURRENT_ACCOUNT",
            "authenticationProviders": ["AWS_SSO"],
            "permissionType": "SERVICE_MANAGED",
            "dataSources": ["PROMETHEUS", "CLOUDWATCH"],
            "notificationDestinations": ["SNS"],
            "description": "example",
            "grafanaVersion": "10.4",
            "roleArn": "{aws:iam/role:Role.arn}",
            "configuration": '{"unifiedAlerting": {"enabled": true}}',
            "vpcConfiguration": {
                "subnetIds": ["{aws:ec2/subnet:Subnet}", "subnet-0123456789abcdef0"],
                "securityGroupIds": ["{aws:ec2/securityGroup:SecurityGroup}"],
            },
            "tags": {"Name": "example"},
        },
        change={"description": "changed"},
    ),
    Resource(
        token="aws:grafana/roleAssociation:RoleAssociation",
        service="grafana",
        recorded=True,
        create=call(
            "update_permissions",
            workspaceId="inputs.workspaceId",
            updateInstructionBatch=_PERMISSIONS,
        ),
        id="join('/', [inputs.workspaceId, inputs.role])",
        replace=["workspaceId", "role"],
        example={
            "workspaceId": "{aws:grafana/workspace:Workspace}",
            "role": "ADMIN",
            "groupIds": ["11111111-2222-3333-4444-555555555555"],
        },
        change={"userIds": ["66666666-7777-8888-9999-000000000000"]},
    ),
]
