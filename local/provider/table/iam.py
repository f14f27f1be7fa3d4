"""Roles and policies. IAM has no region, and its ids are names."""

from local.provider.entry import Resource, Tagging, call, maybe, send

_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    '"Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}'
)
_READ_ONLY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'
)
_NOTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'

TYPES = [
    Resource(
        token="aws:iam/role:Role",
        service="iam",
        create=send("create_role"),
        id="created.Role.RoleName",
        read=[call("get_role", RoleName="id", at="Role")],
        update=[
            call(
                "update_role",
                RoleName="id",
                Description="inputs.description",
                MaxSessionDuration="inputs.maxSessionDuration",
            ),
            call("update_assume_role_policy", RoleName="id", PolicyDocument="inputs.assumeRolePolicy"),
            call(
                "put_role_permissions_boundary",
                RoleName="id",
                PermissionsBoundary="inputs.permissionsBoundary",
            ),
        ],
        delete=[call("delete_role", RoleName="id")],
        names={
            "name": "RoleName",
            "assumeRolePolicy": "AssumeRolePolicyDocument",
        },
        reads={"permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn"},
        local=["forceDetachPolicies"],
        replace=["name", "path"],
        outputs={"arn": "read.Arn", "uniqueId": "read.RoleId"},
        auto_name="name",
        auto_length=64,
        tag_id="id",
        tagging=Tagging(sets="tag_role", removes="untag_role", lists="list_role_tags"),
        example={"assumeRolePolicy": _TRUST, "description": "example", "tags": {"Name": "example"}},
        change={"description": "changed"},
    ),
    Resource(
        token="aws:iam/rolePolicy:RolePolicy",
        service="iam",
        create=call(
            "put_role_policy",
            RoleName="inputs.role",
            PolicyName="inputs.name",
            PolicyDocument="inputs.policy",
        ),
        id="join(':', [inputs.role, inputs.name])",
        read=[call("get_role_policy", RoleName="split(id, ':')[0]", PolicyName="split(id, ':')[1]")],
        update=[
            call(
                "put_role_policy",
                RoleName="inputs.role",
                PolicyName="inputs.name",
                PolicyDocument="inputs.policy",
            )
        ],
        delete=[call("delete_role_policy", RoleName="split(id, ':')[0]", PolicyName="split(id, ':')[1]")],
        names={"role": "RoleName", "name": "PolicyName", "policy": "PolicyDocument"},
        replace=["role", "name"],
        auto_name="name",
        auto_length=128,
        example={"role": "{aws:iam/role:Role}", "policy": _READ_ONLY},
        change={"policy": _NOTHING},
    ),
    Resource(
        token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        service="iam",
        create=call("attach_role_policy", RoleName="inputs.role", PolicyArn="inputs.policyArn"),
        id="join('/', [inputs.role, inputs.policyArn])",
        read=[
            call(
                "list_attached_role_policies",
                RoleName="inputs.role",
                at="AttachedPolicies",
                where={"PolicyArn": "inputs.policyArn"},
            )
        ],
        delete=[call("detach_role_policy", RoleName="inputs.role", PolicyArn="inputs.policyArn")],
        replace=["role", "policyArn"],
        example={
            "role": "{aws:iam/role:Role}",
            "policyArn": "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
        },
        change={"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
    ),
    Resource(
        token="aws:iam/policy:Policy",
        service="iam",
        create=send("create_policy"),
        id="created.Policy.Arn",
        read=[
            call("get_policy", PolicyArn="id", at="Policy"),
            maybe(
                "list_policy_versions",
                PolicyArn="id",
                at="Versions[?IsDefaultVersion] | [0].{policy: Document}",
            ),
        ],
        update=[
            call(
                "create_policy_version",
                PolicyArn="id",
                PolicyDocument="inputs.policy",
                SetAsDefault="`true`",
            )
        ],
        delete=[call("delete_policy", PolicyArn="id")],
        names={"name": "PolicyName", "policy": "PolicyDocument"},
        replace=["name", "path", "description"],
        outputs={"arn": "id", "policyId": "read.PolicyId"},
        reads={"policy": "policy", "name": "PolicyName"},
        auto_name="name",
        auto_length=128,
        tag_id="id",
        tagging=Tagging(sets="tag_policy", removes="untag_policy", lists="list_policy_tags"),
        example={"policy": _READ_ONLY},
        change={"policy": _NOTHING},
    ),
    Resource(
        token="aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        service="iam",
        create=call(
            "create_open_id_connect_provider",
            Url="inputs.url",
            ClientIDList="inputs.clientIdLists",
            ThumbprintList="inputs.thumbprintLists",
        ),
        id="created.OpenIDConnectProviderArn",
        read=[
            call(
                "get_open_id_connect_provider",
                OpenIDConnectProviderArn="id",
                at="{Url: Url, ClientIDList: ClientIDList}",
            )
        ],
        update=[
            call(
                "update_open_id_connect_provider_thumbprint",
                OpenIDConnectProviderArn="id",
                ThumbprintList="inputs.thumbprintLists",
            )
        ],
        delete=[call("delete_open_id_connect_provider", OpenIDConnectProviderArn="id")],
        kept=["url", "thumbprintLists"],  # AWS shows the host alone, and finds a thumbprint itself
        names={"url": "Url", "clientIdLists": "ClientIDList", "thumbprintLists": "ThumbprintList"},
        replace=["url", "clientIdLists"],
        outputs={"arn": "id"},
        tag_id="id",
        tagging=Tagging(
            sets="tag_open_id_connect_provider",
            removes="untag_open_id_connect_provider",
            lists="list_open_id_connect_provider_tags",
        ),
        example={
            "url": "https://token.actions.githubusercontent.com",
            "clientIdLists": ["sts.amazonaws.com"],
            "tags": {"Name": "example"},
        },
        change={"thumbprintLists": ["6938fd4d98bab03faadb97b34396831e3780aea1"]},
    ),
]
