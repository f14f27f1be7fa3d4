"""Systems Manager parameters."""

from local.provider.entry import Resource, call, maybe, send

_VALUE = "inputs.value || inputs.insecureValue || inputs.valueWo"

TYPES = [
    Resource(
        token="aws:ssm/parameter:Parameter",
        service="ssm",
        create=send("put_parameter", Value=_VALUE),
        id="inputs.name",
        read=[
            call("get_parameter", Name="id", WithDecryption="`true`", at="Parameter"),
            maybe(
                "describe_parameters",
                ParameterFilters="[{Key: 'Name', Values: [id]}]",
                at="Parameters[0].{Description: Description, KeyId: KeyId, Tier: Tier, AllowedPattern: AllowedPattern}",
            ),
        ],
        update=[send("put_parameter", Value=_VALUE, Overwrite="`true`")],
        delete=[call("delete_parameter", Name="id")],
        names={"insecureValue": "Value"},
        kept=["keyId", "overwrite", "valueWo"],
        local=["arn", "overwrite", "valueWoVersion"],
        replace=["name", "keyId"],
        outputs={"arn": "read.ARN"},
        secrets=["value", "valueWo"],
        auto_name="name",
        auto_length=512,
        tag_id="id",
        example={
            "type": "SecureString",
            "value": "an example value",
            "description": "example",
            "keyId": "{aws:kms/key:Key.arn}",
            "tier": "Standard",
            "tags": {"Name": "example"},
        },
        change={"value": "a changed value", "description": "changed"},
    ),
]
