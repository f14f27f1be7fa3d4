"""Keys and their aliases."""

from local.provider.entry import Resource, call, maybe, send

TYPES = [
    Resource(
        token="aws:kms/key:Key",
        service="kms",
        create=send("create_key", Description="inputs.description || ''"),
        id="created.KeyMetadata.KeyId",
        read=[
            call(
                "describe_key",
                KeyId="id",
                at="[KeyMetadata][?KeyState!='PendingDeletion'] | [0]",
            ),
            maybe("get_key_policy", KeyId="id", PolicyName="'default'", at="{policy: Policy}"),
            maybe("get_key_rotation_status", KeyId="id", at="{rotation: KeyRotationEnabled}"),
        ],
        after=[
            call(
                "enable_key_rotation",
                when="inputs.enableKeyRotation",
                KeyId="id",
                RotationPeriodInDays="inputs.rotationPeriodInDays",
            ),
        ],
        update=[
            call(
                "disable_key_rotation",
                when="!(inputs.enableKeyRotation)",
                KeyId="id",
            ),
            call("update_key_description", KeyId="id", Description="inputs.description"),
            call("put_key_policy", KeyId="id", PolicyName="'default'", Policy="inputs.policy"),
            call("enable_key", when="inputs.isEnabled", KeyId="id"),
            call("disable_key", when="inputs.isEnabled == `false`", KeyId="id"),
        ],
        delete=[
            call(
                "schedule_key_deletion",
                KeyId="id",
                PendingWindowInDays="inputs.deletionWindowInDays || `30`",
            )
        ],
        names={"customerMasterKeySpec": "KeySpec", "isEnabled": "Enabled"},
        reads={"enableKeyRotation": "rotation", "policy": "policy"},
        kept=["rotationPeriodInDays"],
        local=["deletionWindowInDays"],
        replace=["keyUsage", "customerMasterKeySpec", "multiRegion"],
        outputs={"arn": "read.Arn", "keyId": "id"},
        tag_id="id",
        gone=["KMSInvalidStateException"],
        example={"description": "example", "enableKeyRotation": True, "tags": {"Name": "example"}},
        change={"description": "changed", "enableKeyRotation": False},
    ),
    Resource(
        token="aws:kms/alias:Alias",
        service="kms",
        create=call("create_alias", AliasName="inputs.name", TargetKeyId="inputs.targetKeyId"),
        id="inputs.name",
        read=[
            call("list_aliases", KeyId="inputs.targetKeyId", at="Aliases", where={"AliasName": "inputs.name"})
        ],
        update=[call("update_alias", AliasName="inputs.name", TargetKeyId="inputs.targetKeyId")],
        delete=[call("delete_alias", AliasName="inputs.name")],
        names={"name": "AliasName"},
        replace=["name"],
        outputs={
            "arn": "arn('kms', inputs.name)",
            "targetKeyArn": "arn('kms', join('/', ['key', read.TargetKeyId]))",
        },
        auto_name="name",
        auto_prefix="alias/",
        kept=["targetKeyId"],  # an ARN or an id, whichever the program gave
        example={"targetKeyId": "{aws:kms/key:Key}"},
        change={"targetKeyId": "{aws:kms/key:Key}"},
    ),
]
