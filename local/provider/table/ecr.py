"""ECR repositories and their rules."""

from local.provider.entry import Resource, call, send

_PUT_LIFECYCLE = call(
    "put_lifecycle_policy",
    repositoryName="inputs.repository",
    lifecyclePolicyText="to_string(inputs.policy)",
)
_PUT_POLICY = call(
    "set_repository_policy", repositoryName="inputs.repository", policyText="to_string(inputs.policy)"
)
_PUT_SCANNING = send("put_registry_scanning_configuration")
_RULES = (
    '{"rules":[{"rulePriority":1,"action":{"type":"expire"},'
    '"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":50}}]}'
)
_PULL = (
    '{"Version":"2012-10-17","Statement":[{"Sid":"Pull","Effect":"Allow",'
    '"Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["ecr:BatchGetImage"]}]}'
)

TYPES = [
    Resource(
        token="aws:ecr/repository:Repository",
        service="ecr",
        create=send("create_repository"),
        id="inputs.name",
        read=[call("describe_repositories", repositoryNames="[id]", at="repositories[0]")],
        update=[
            call(
                "put_image_scanning_configuration",
                repositoryName="id",
                imageScanningConfiguration="inputs.imageScanningConfiguration || {scanOnPush: `false`}",
            ),
            call(
                "put_image_tag_mutability",
                repositoryName="id",
                imageTagMutability="inputs.imageTagMutability || 'MUTABLE'",
                imageTagMutabilityExclusionFilters="inputs.imageTagMutabilityExclusionFilters",
            ),
        ],
        delete=[call("delete_repository", repositoryName="id", force="inputs.forceDelete")],
        names={"name": "repositoryName"},
        local=["forceDelete"],
        replace=["name", "encryptionConfigurations"],
        outputs={
            "arn": "arn('ecr', join('/', ['repository', id]))",
            "registryId": "read.registryId",
            "repositoryUrl": "read.repositoryUri",
        },
        auto_name="name",
        auto_length=256,
        example={
            "name": "example/api",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": "{aws:kms/key:Key.arn}"}],
            "tags": {"Name": "example"},
        },
        change={"imageTagMutability": "MUTABLE", "imageScanningConfiguration": {"scanOnPush": False}},
    ),
    Resource(
        token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        service="ecr",
        create=_PUT_LIFECYCLE,
        id="inputs.repository",
        read=[call("get_lifecycle_policy", repositoryName="id")],
        update=[_PUT_LIFECYCLE],
        delete=[call("delete_lifecycle_policy", repositoryName="id")],
        names={"policy": "lifecyclePolicyText", "repository": "repositoryName"},
        replace=["repository"],
        outputs={"registryId": "account()"},
        example={"repository": "{aws:ecr/repository:Repository}", "policy": _RULES},
        change={"policy": _RULES.replace("50", "20")},
    ),
    Resource(
        token="aws:ecr/repositoryPolicy:RepositoryPolicy",
        service="ecr",
        create=_PUT_POLICY,
        id="inputs.repository",
        read=[call("get_repository_policy", repositoryName="id")],
        update=[_PUT_POLICY],
        delete=[call("delete_repository_policy", repositoryName="id")],
        names={"policy": "policyText", "repository": "repositoryName"},
        replace=["repository"],
        outputs={"registryId": "account()"},
        example={"repository": "{aws:ecr/repository:Repository}", "policy": _PULL},
        change={"policy": _PULL.replace("BatchGetImage", "GetDownloadUrlForLayer")},
    ),
    Resource(
        token="aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration",
        service="ecr",
        create=_PUT_SCANNING,
        id="account()",
        read=[
            # A registry always has one: the default counts as none.
            call(
                "get_registry_scanning_configuration",
                at="[scanningConfiguration][?scanType != 'BASIC' || rules]",
            )
        ],
        update=[_PUT_SCANNING],
        delete=[call("put_registry_scanning_configuration", scanType="'BASIC'", rules="`[]`")],
        outputs={"registryId": "account()"},
        example={
            "scanType": "ENHANCED",
            "rules": [
                {
                    "scanFrequency": "CONTINUOUS_SCAN",
                    "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}],
                }
            ],
        },
        change={
            "rules": [
                {
                    "scanFrequency": "SCAN_ON_PUSH",
                    "repositoryFilters": [{"filter": "example/*", "filterType": "WILDCARD"}],
                }
            ]
        },
    ),
]
