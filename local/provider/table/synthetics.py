"""CloudWatch Synthetics: recorded, as the emulator can neither change nor delete a canary."""

from local.provider.entry import Resource, send

_CODE = """{
    Handler: inputs.handler, S3Bucket: inputs.s3Bucket, S3Key: inputs.s3Key, S3Version: inputs.s3Version,
    ZipFile: inputs.zipFile
}"""

TYPES = [
    Resource(
        token="aws:synthetics/canary:Canary",
        service="synthetics",
        recorded=True,
        create=send("create_canary", Code=_CODE),
        id="inputs.name",
        names={
            "successRetentionPeriod": "SuccessRetentionPeriodInDays",
            "failureRetentionPeriod": "FailureRetentionPeriodInDays",
        },
        local=["startCanary", "deleteLambda"],
        replace=["name"],
        outputs={
            "arn": "arn('synthetics', join(':', ['canary', id]))",
            "engineArn": "arn('lambda', join('', ['function:cwsyn-', id, ':1']))",
            "sourceLocationArn": "arn('lambda', join('', ['layer:cwsyn-', id, ':1']))",
            "status": "(inputs.startCanary && 'RUNNING') || 'READY'",
        },
        auto_name="name",
        example={
            "artifactS3Location": "s3://example/canary",
            "executionRoleArn": "{aws:iam/role:Role.arn}",
            "handler": "canary.handler",
            "s3Bucket": "example",
            "s3Key": "canary.zip",
            "runtimeVersion": "syn-python-selenium-5.1",
            "schedule": {"expression": "rate(5 minutes)", "durationInSeconds": 0},
            "runConfig": {"timeoutInSeconds": 60, "memoryInMb": 960, "activeTracing": False},
            "successRetentionPeriod": 31,
            "failureRetentionPeriod": 31,
            "startCanary": True,
            "tags": {"Name": "example"},
        },
        change={"schedule": {"expression": "rate(1 minute)"}},
    ),
]
