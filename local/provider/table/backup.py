"""AWS Backup. The emulator has vaults and their locks; plans, selections and restore tests are recorded."""

from local.provider.entry import Resource, call, send

_LIFECYCLE = """lifecycle.{
    MoveToColdStorageAfterDays: coldStorageAfter, DeleteAfterDays: deleteAfter,
    OptInToArchiveForSupportedResources: optInToArchiveForSupportedResources
}"""
_PLAN = f"""{{
    BackupPlanName: inputs.name,
    Rules: inputs.rules[].{{
        RuleName: ruleName, TargetBackupVaultName: targetVaultName,
        TargetLogicallyAirGappedBackupVaultArn: targetLogicallyAirGappedBackupVaultArn,
        ScheduleExpression: schedule, ScheduleExpressionTimezone: scheduleExpressionTimezone,
        StartWindowMinutes: startWindow, CompletionWindowMinutes: completionWindow,
        EnableContinuousBackup: enableContinuousBackup, RecoveryPointTags: recoveryPointTags,
        Lifecycle: {_LIFECYCLE},
        CopyActions: copyActions[].{{DestinationBackupVaultArn: destinationVaultArn, Lifecycle: {_LIFECYCLE}}},
        ScanActions: scanActions[].{{MalwareScanner: malwareScanner, ScanMode: scanMode}}
    }},
    AdvancedBackupSettings: inputs.advancedBackupSettings[].{{
        ResourceType: resourceType, BackupOptions: backupOptions
    }},
    ScanSettings: inputs.scanSettings[].{{
        MalwareScanner: malwareScanner, ResourceTypes: resourceTypes, ScannerRoleArn: scannerRoleArn
    }}
}}"""
_CONDITIONS = "inputs.conditions[].{}[].{{ConditionKey: key, ConditionValue: value}}"
_SELECTION = f"""{{
    SelectionName: inputs.name, IamRoleArn: inputs.iamRoleArn,
    Resources: inputs.resources, NotResources: inputs.notResources,
    ListOfTags: inputs.selectionTags[].{{ConditionType: type, ConditionKey: key, ConditionValue: value}},
    Conditions: inputs.conditions && {{
        StringEquals: {_CONDITIONS.format("stringEquals")},
        StringNotEquals: {_CONDITIONS.format("stringNotEquals")},
        StringLike: {_CONDITIONS.format("stringLikes")},
        StringNotLike: {_CONDITIONS.format("stringNotLikes")}
    }}
}}"""
_TESTING_PLAN = """{
    RestoreTestingPlanName: inputs.name,
    ScheduleExpression: inputs.scheduleExpression,
    ScheduleExpressionTimezone: inputs.scheduleExpressionTimezone,
    StartWindowHours: inputs.startWindowHours,
    RecoveryPointSelection: inputs.recoveryPointSelection.{
        Algorithm: algorithm, IncludeVaults: includeVaults, ExcludeVaults: excludeVaults,
        RecoveryPointTypes: recoveryPointTypes, SelectionWindowDays: selectionWindowDays
    }
}"""
_TESTING_SELECTION = """{
    RestoreTestingSelectionName: inputs.name, IamRoleArn: inputs.iamRoleArn,
    ProtectedResourceType: inputs.protectedResourceType,
    ProtectedResourceArns: inputs.protectedResourceArns,
    ProtectedResourceConditions: inputs.protectedResourceConditions.{
        StringEquals: stringEquals[].{Key: key, Value: value},
        StringNotEquals: stringNotEquals[].{Key: key, Value: value}
    },
    RestoreMetadataOverrides: inputs.restoreMetadataOverrides,
    ValidationWindowHours: inputs.validationWindowHours
}"""
_VAULT_ARN = "arn('backup', join(':', ['backup-vault', inputs.backupVaultName || inputs.name]))"
_DENY_DELETE = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",'
    '"Action":"backup:DeleteRecoveryPoint","Resource":"*"}]}'
)
_ALLOW_COPY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},'
    '"Action":"backup:CopyIntoBackupVault","Resource":"*"}]}'
)

TYPES = [
    Resource(
        token="aws:backup/vault:Vault",
        service="backup",
        create=call(
            "create_backup_vault",
            BackupVaultName="inputs.name",
            EncryptionKeyArn="inputs.kmsKeyArn",
        ),
        id="inputs.name",
        read=[call("describe_backup_vault", BackupVaultName="id")],
        delete=[call("delete_backup_vault", BackupVaultName="id")],
        names={"name": "BackupVaultName", "kmsKeyArn": "EncryptionKeyArn"},
        local=["forceDestroy"],
        replace=["name", "kmsKeyArn"],
        outputs={"arn": _VAULT_ARN},
        auto_name="name",
        auto_length=50,
        example={"kmsKeyArn": "{aws:kms/key:Key.arn}", "forceDestroy": False, "tags": {"Name": "example"}},
        change={"tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:backup/vaultPolicy:VaultPolicy",
        service="backup",
        recorded=True,
        create=send("put_backup_vault_access_policy", Policy="to_string(inputs.policy)"),
        id="inputs.backupVaultName",
        replace=["backupVaultName"],
        outputs={"backupVaultArn": _VAULT_ARN},
        example={"backupVaultName": "{aws:backup/vault:Vault}", "policy": _DENY_DELETE},
        change={"policy": _ALLOW_COPY},
    ),
    Resource(
        token="aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        service="backup",
        create=send("put_backup_vault_lock_configuration"),
        id="inputs.backupVaultName",
        read=[call("describe_backup_vault", BackupVaultName="id", at="[@][?Locked]")],
        delete=[call("delete_backup_vault_lock_configuration", BackupVaultName="id")],
        replace=["backupVaultName", "changeableForDays", "maxRetentionDays", "minRetentionDays"],
        delete_first=True,
        outputs={"backupVaultArn": _VAULT_ARN},
        example={
            "backupVaultName": "{aws:backup/vault:Vault}",
            "minRetentionDays": 7,
            "maxRetentionDays": 365,
        },
        change={"maxRetentionDays": 400},
    ),
    Resource(
        token="aws:backup/vaultNotifications:VaultNotifications",
        service="backup",
        recorded=True,
        create=send("put_backup_vault_notifications"),
        id="inputs.backupVaultName",
        replace=["backupVaultName", "backupVaultEvents", "snsTopicArn"],
        delete_first=True,
        outputs={"backupVaultArn": _VAULT_ARN},
        example={
            "backupVaultName": "{aws:backup/vault:Vault}",
            "snsTopicArn": "{aws:sns/topic:Topic.arn}",
            "backupVaultEvents": ["BACKUP_JOB_FAILED"],
        },
        change={"backupVaultEvents": ["BACKUP_JOB_FAILED", "RESTORE_JOB_COMPLETED"]},
    ),
    Resource(
        token="aws:backup/plan:Plan",
        service="backup",
        recorded=True,
        create=call("create_backup_plan", BackupPlan=_PLAN),
        id="uuid()",
        replace=["name"],
        outputs={"arn": "arn('backup', join(':', ['backup-plan', id]))"},
        auto_name="name",
        auto_length=50,
        example={
            "rules": [
                {
                    "ruleName": "daily",
                    "targetVaultName": "{aws:backup/vault:Vault}",
                    "schedule": "cron(0 2 * * ? *)",
                    "startWindow": 60,
                    "completionWindow": 480,
                    "enableContinuousBackup": False,
                    "lifecycle": {"deleteAfter": 30},
                    "copyActions": [
                        {
                            "destinationVaultArn": "arn:aws:backup:us-west-2:123456789012:backup-vault:copies",
                            "lifecycle": {"deleteAfter": 30},
                        }
                    ],
                    "recoveryPointTags": {"Plan": "daily"},
                }
            ],
            "advancedBackupSettings": [{"resourceType": "EC2", "backupOptions": {"WindowsVSS": "disabled"}}],
        },
        change={
            "rules": [{"ruleName": "weekly", "targetVaultName": "weekly", "schedule": "cron(0 2 ? * 1 *)"}]
        },
    ),
    Resource(
        token="aws:backup/selection:Selection",
        service="backup",
        recorded=True,
        create=call("create_backup_selection", BackupPlanId="inputs.planId", BackupSelection=_SELECTION),
        id="uuid()",
        replace=[
            "planId",
            "name",
            "iamRoleArn",
            "resources",
            "notResources",
            "selectionTags",
            "conditions",
        ],
        auto_name="name",
        auto_length=50,
        example={
            "planId": "{aws:backup/plan:Plan}",
            "iamRoleArn": "{aws:iam/role:Role.arn}",
            "resources": ["arn:aws:rds:us-east-1:123456789012:db:example"],
            "selectionTags": [{"type": "STRINGEQUALS", "key": "Backup", "value": "daily"}],
            "conditions": [{"stringNotEquals": [{"key": "aws:ResourceTag/Stack", "value": "scratch"}]}],
        },
        change={"resources": ["arn:aws:rds:us-east-1:123456789012:db:changed"]},
    ),
    Resource(
        token="aws:backup/restoreTestingPlan:RestoreTestingPlan",
        service="backup",
        recorded=True,
        create=call("create_restore_testing_plan", RestoreTestingPlan=_TESTING_PLAN),
        id="inputs.name",
        replace=["name"],
        delete_first=True,
        outputs={"arn": "arn('backup', join(':', ['restore-testing-plan', id]))"},
        example={
            "name": "example_restores",
            "scheduleExpression": "cron(0 4 ? * 1 *)",
            "scheduleExpressionTimezone": "UTC",
            "startWindowHours": 4,
            "recoveryPointSelection": {
                "algorithm": "LATEST_WITHIN_WINDOW",
                "includeVaults": ["{aws:backup/vault:Vault.arn}"],
                "recoveryPointTypes": ["SNAPSHOT"],
                "selectionWindowDays": 7,
            },
        },
        change={"startWindowHours": 8},
    ),
    Resource(
        token="aws:backup/restoreTestingSelection:RestoreTestingSelection",
        service="backup",
        recorded=True,
        create=call(
            "create_restore_testing_selection",
            RestoreTestingPlanName="inputs.restoreTestingPlanName",
            RestoreTestingSelection=_TESTING_SELECTION,
        ),
        id="join(':', [inputs.name, inputs.restoreTestingPlanName])",
        replace=["name", "restoreTestingPlanName", "protectedResourceType"],
        delete_first=True,
        example={
            "name": "example_database",
            "restoreTestingPlanName": "{aws:backup/restoreTestingPlan:RestoreTestingPlan}",
            "iamRoleArn": "{aws:iam/role:Role.arn}",
            "protectedResourceType": "RDS",
            "protectedResourceArns": ["arn:aws:rds:us-east-1:123456789012:db:example"],
            "restoreMetadataOverrides": {"dbSubnetGroupName": "example"},
            "validationWindowHours": 1,
        },
        change={"validationWindowHours": 2},
    ),
]
