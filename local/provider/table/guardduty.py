"""Amazon GuardDuty."""

from local.provider.entry import Call, Resource, call

_SETTINGS = {
    "Enable": "inputs.enable != `false`",
    "FindingPublishingFrequency": "inputs.findingPublishingFrequency",
    "DataSources": """inputs.datasources.{
        S3Logs: s3Logs.{Enable: enable},
        Kubernetes: kubernetes.{AuditLogs: auditLogs.{Enable: enable}},
        MalwareProtection: malwareProtection.{ScanEc2InstanceWithFindings: {
            EbsVolumes: scanEc2InstanceWithFindings.ebsVolumes.enable
        }}
    }""",
}

TYPES = [
    Resource(
        token="aws:guardduty/detector:Detector",
        service="guardduty",
        create=Call(operation="create_detector", params={**_SETTINGS, "Tags": "inputs.tags"}),
        id="created.DetectorId",
        read=[
            call(
                "get_detector", DetectorId="id", at="{Enable: Status == 'ENABLED', DataSources: DataSources}"
            )
        ],
        update=[Call(operation="update_detector", params={"DetectorId": "id", **_SETTINGS})],
        delete=[call("delete_detector", DetectorId="id")],
        kept=["datasources"],
        gone=["BadRequestException"],  # "not owned by the current account"
        tags_kept=True,  # the emulator has no operation that lists them
        outputs={"arn": "arn('guardduty', join('/', ['detector', id]))", "accountId": "account()"},
        example={
            "enable": True,
            "findingPublishingFrequency": "FIFTEEN_MINUTES",
            "tags": {"Name": "example"},
        },
        change={"enable": False},
    ),
    Resource(
        token="aws:guardduty/malwareProtectionPlan:MalwareProtectionPlan",
        service="guardduty",
        recorded=True,
        create=call(
            "create_malware_protection_plan",
            Role="inputs.role",
            ProtectedResource="""{S3Bucket: {
                BucketName: inputs.protectedResource.s3Bucket.bucketName,
                ObjectPrefixes: inputs.protectedResource.s3Bucket.objectPrefixes
            }}""",
            Actions="inputs.actions[0].taggings[0] && {Tagging: {Status: inputs.actions[0].taggings[0].status}}",
            Tags="inputs.tags",
        ),
        id="hex(`20`)",
        replace=["protectedResource"],
        outputs={
            "arn": "arn('guardduty', join('/', ['malware-protection-plan', id]))",
            "createdAt": "'2026-01-01T00:00:00Z'",
            "status": "'ACTIVE'",
        },
        example={
            "role": "{aws:iam/role:Role.arn}",
            "protectedResource": {"s3Bucket": {"bucketName": "{aws:s3/bucket:Bucket}"}},
            "actions": [{"taggings": [{"status": "ENABLED"}]}],
            "tags": {"Name": "example"},
        },
        change={"actions": [{"taggings": [{"status": "DISABLED"}]}]},
    ),
]
