"""Secrets Manager. Rotation is recorded: the emulator would run the rotation's function."""

from local.provider.entry import Resource, call, send

_NOBODY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",'
    '"Action":"secretsmanager:DeleteSecret","Resource":"*"}]}'
)
_PUT_POLICY = call(
    "put_resource_policy",
    SecretId="inputs.secretArn",
    ResourcePolicy="to_string(inputs.policy)",
    BlockPublicPolicy="inputs.blockPublicPolicy",
)

TYPES = [
    Resource(
        token="aws:secretsmanager/secret:Secret",
        service="secretsmanager",
        create=send(
            "create_secret",
            AddReplicaRegions="inputs.replicas[].{Region: region, KmsKeyId: kmsKeyId}",
        ),
        id="created.ARN",
        read=[call("describe_secret", SecretId="id", at="[@][?!(DeletedDate)]")],
        after=[
            call(
                "put_resource_policy",
                when="inputs.policy",
                SecretId="id",
                ResourcePolicy="to_string(inputs.policy)",
            )
        ],
        update=[
            call(
                "update_secret",
                SecretId="id",
                Description="inputs.description || ''",
                KmsKeyId="inputs.kmsKeyId",
            ),
            call("delete_resource_policy", when="!(inputs.policy)", on=["policy"], SecretId="id"),
        ],
        delete=[
            call(
                "delete_secret",
                SecretId="id",
                ForceDeleteWithoutRecovery="(inputs.recoveryWindowInDays == `0` && `true`) || `null`",
                RecoveryWindowInDays="""(inputs.recoveryWindowInDays != `0`
                    && (inputs.recoveryWindowInDays || `30`)) || `null`""",
            )
        ],
        kept=["policy", "replicas"],
        local=["recoveryWindowInDays"],
        replace=["name", "replicas"],
        outputs={"arn": "id"},
        auto_name="name",
        auto_length=512,
        tag_id="id",
        gone=["InvalidRequestException"],  # marked for deletion
        example={
            "description": "example",
            "kmsKeyId": "{aws:kms/key:Key.arn}",
            "recoveryWindowInDays": 7,
            "tags": {"Name": "example"},
        },
        change={"description": "changed", "recoveryWindowInDays": 0, "policy": _NOBODY},
    ),
    Resource(
        token="aws:secretsmanager/secretVersion:SecretVersion",
        service="secretsmanager",
        create=call(
            "put_secret_value",
            SecretId="inputs.secretId",
            SecretString="inputs.secretString || inputs.secretStringWo",
            SecretBinary="inputs.secretBinary",
            VersionStages="inputs.versionStages",
        ),
        id="join('|', [created.ARN, created.VersionId])",
        read=[
            call(
                "get_secret_value",
                SecretId="inputs.secretId",
                VersionId="split(id, '|')[1]",
                at="{ARN: ARN, SecretString: SecretString, VersionId: VersionId}",
            )
        ],
        kept=["secretBinary"],
        local=["secretStringWoVersion"],
        replace=["secretId", "secretString", "secretBinary", "secretStringWo", "versionStages"],
        outputs={"arn": "read.ARN", "secretArn": "read.ARN", "versionId": "read.VersionId"},
        secrets=["secretString", "secretBinary", "secretStringWo"],
        gone=["InvalidRequestException"],
        example={"secretId": "{aws:secretsmanager/secret:Secret}", "secretString": "an example value"},
        change={"secretString": "a changed value"},
    ),
    Resource(
        token="aws:secretsmanager/secretPolicy:SecretPolicy",
        service="secretsmanager",
        create=_PUT_POLICY,
        id="inputs.secretArn",
        read=[
            call(
                "get_resource_policy",
                SecretId="id",
                at="[@][?ResourcePolicy].{ResourcePolicy: ResourcePolicy}",
            )
        ],
        update=[_PUT_POLICY],
        delete=[call("delete_resource_policy", SecretId="id")],
        names={"policy": "ResourcePolicy"},
        replace=["secretArn"],
        gone=["InvalidRequestException"],
        example={
            "secretArn": "{aws:secretsmanager/secret:Secret}",
            "policy": _NOBODY,
            "blockPublicPolicy": True,
        },
        change={"policy": _NOBODY.replace("DeleteSecret", "PutSecretValue")},
    ),
    Resource(
        token="aws:secretsmanager/secretRotation:SecretRotation",
        service="secretsmanager",
        recorded=True,
        create=send("rotate_secret"),
        id="inputs.secretId",
        names={
            "rotationLambdaArn": "RotationLambdaARN",
            "externalSecretRotationMetadatas": "ExternalSecretRotationMetadata",
        },
        local=["rotationEnabled"],
        replace=["secretId"],
        example={
            "secretId": "{aws:secretsmanager/secret:Secret}",
            "rotationLambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:rotate",
            "rotationRules": {"scheduleExpression": "rate(30 days)", "duration": "3h"},
        },
        change={"rotationRules": {"automaticallyAfterDays": 30}},
    ),
]
