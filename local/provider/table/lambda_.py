"""Lambda functions. The emulator keeps them and never runs them."""

from local.provider.entry import Resource, call, maybe, send
from local.provider.values import Asset


def _archive(text: str) -> Asset:
    return Asset({"assets": {"handler.py": Asset({"text": text, "hash": text})}, "hash": text})


TYPES = [
    Resource(
        token="aws:lambda/function:Function",
        service="lambda",
        create=send(
            "create_function",
            Code="""{
                ZipFile: inputs.code, S3Bucket: inputs.s3Bucket, S3Key: inputs.s3Key,
                S3ObjectVersion: inputs.s3ObjectVersion, ImageUri: inputs.imageUri,
                SourceKMSKeyArn: inputs.sourceKmsKeyArn
            }""",
        ),
        id="created.FunctionName",
        read=[
            call("get_function", FunctionName="id", at="Configuration"),
            maybe("get_function_concurrency", FunctionName="id"),
        ],
        after=[
            call(
                "put_function_concurrency",
                when="inputs.reservedConcurrentExecutions >= `0`",
                FunctionName="id",
                ReservedConcurrentExecutions="inputs.reservedConcurrentExecutions",
            )
        ],
        update=[
            send("update_function_code", FunctionName="id"),
            send("update_function_configuration", FunctionName="id"),
            call(
                "delete_function_concurrency",
                when="!(inputs.reservedConcurrentExecutions >= `0`)",
                on=["reservedConcurrentExecutions"],
                FunctionName="id",
            ),
        ],
        delete=[call("delete_function", when="!(inputs.skipDestroy)", FunctionName="id")],
        names={"name": "FunctionName", "code": "ZipFile", "fileSystemConfig": "FileSystemConfigs"},
        nested={"commands": "Command", "entryPoints": "EntryPoint"},
        reads={"layers": "Layers[].Arn"},
        kept=["imageUri"],
        local=[
            "codeSha256",
            "publish",
            "replaceSecurityGroupsOnDestroy",
            "replacementSecurityGroupIds",
            "skipDestroy",
            "sourceCodeHash",
            "useResourceTimeoutForPropagation",
        ],
        replace=["name", "packageType"],
        outputs={
            "arn": "arn('lambda', join(':', ['function', id]))",
            "invokeArn": """join('', [
                'arn:aws:apigateway:', region(), ':lambda:path/2015-03-31/functions/', read.FunctionArn, '/invocations'
            ])""",
            "qualifiedArn": "join(':', [read.FunctionArn, read.Version])",
        },
        auto_name="name",
        auto_length=64,
        example={
            "runtime": "python3.12",
            "handler": "handler.main",
            "role": "{aws:iam/role:Role.arn}",
            "code": _archive("def main(event, context): return 1\n"),
            "architectures": ["arm64"],
            "memorySize": 256,
            "timeout": 30,
            "reservedConcurrentExecutions": 1,
            "environment": {"variables": {"STAGE": "test"}},
            "vpcConfig": {
                "subnetIds": ["{aws:ec2/subnet:Subnet}"],
                "securityGroupIds": ["{aws:ec2/securityGroup:SecurityGroup}"],
            },
            "loggingConfig": {"logFormat": "JSON", "logGroup": "{aws:cloudwatch/logGroup:LogGroup}"},
            "tracingConfig": {"mode": "Active"},
            "deadLetterConfig": {"targetArn": "{aws:sqs/queue:Queue.arn}"},
            "kmsKeyArn": "{aws:kms/key:Key.arn}",
            "tags": {"Name": "example"},
        },
        change={
            "code": _archive("def main(event, context): return 2\n"),
            "timeout": 60,
            "reservedConcurrentExecutions": 2,
        },
    ),
    Resource(
        token="aws:lambda/permission:Permission",
        service="lambda",
        create=send("add_permission"),
        id="inputs.statementId",
        read=[
            call(
                "get_policy",
                FunctionName="inputs.function",
                Qualifier="inputs.qualifier",
                at="parse(Policy).Statement",
                where={"Sid": "id"},
            )
        ],
        delete=[
            call(
                "remove_permission",
                FunctionName="inputs.function",
                StatementId="id",
                Qualifier="inputs.qualifier",
            )
        ],
        names={"function": "FunctionName"},
        kept=["principal"],
        replace=[
            "action",
            "eventSourceToken",
            "function",
            "functionUrlAuthType",
            "invokedViaFunctionUrl",
            "principal",
            "principalOrgId",
            "qualifier",
            "sourceAccount",
            "sourceArn",
            "statementId",
        ],
        auto_name="statementId",
        auto_length=100,
        example={
            "action": "lambda:InvokeFunction",
            "function": "{aws:lambda/function:Function}",
            "principal": "events.amazonaws.com",
            "sourceArn": "arn:aws:events:us-east-1:123456789012:rule/example",
        },
        change={"statementId": "changed", "principal": "scheduler.amazonaws.com"},
    ),
    Resource(
        token="aws:lambda/eventSourceMapping:EventSourceMapping",
        service="lambda",
        create=send("create_event_source_mapping"),
        id="created.UUID",
        read=[call("get_event_source_mapping", UUID="id")],
        update=[send("update_event_source_mapping", UUID="id")],
        delete=[call("delete_event_source_mapping", UUID="id")],
        kept=["functionName", "startingPositionTimestamp"],
        local=["useResourceTimeoutForPropagation"],
        replace=["eventSourceArn", "startingPosition", "startingPositionTimestamp", "selfManagedEventSource"],
        outputs={
            "arn": "arn('lambda', join(':', ['event-source-mapping', id]))",
            "uuid": "id",
            "functionArn": "read.FunctionArn",
        },
        example={
            "eventSourceArn": "{aws:sqs/queue:Queue.arn}",
            "functionName": "{aws:lambda/function:Function.arn}",
            "batchSize": 5,
            "functionResponseTypes": ["ReportBatchItemFailures"],
            "filterCriteria": {"filters": [{"pattern": '{"body": {"kind": ["order"]}}'}]},
        },
        change={"batchSize": 10, "enabled": False},
    ),
]
