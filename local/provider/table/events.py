"""EventBridge rules and their targets."""

from local.provider.entry import Resource, call, send

_PUT_RULE = send("put_rule")
_TARGET = """[{
    Id: inputs.targetId, Arn: inputs.arn, RoleArn: inputs.roleArn, Input: inputs.input, InputPath: inputs.inputPath,
    InputTransformer: inputs.inputTransformer && {
        InputPathsMap: inputs.inputTransformer.inputPaths, InputTemplate: inputs.inputTransformer.inputTemplate
    },
    DeadLetterConfig: inputs.deadLetterConfig && {Arn: inputs.deadLetterConfig.arn},
    RetryPolicy: inputs.retryPolicy && {
        MaximumRetryAttempts: inputs.retryPolicy.maximumRetryAttempts,
        MaximumEventAgeInSeconds: inputs.retryPolicy.maximumEventAgeInSeconds
    },
    SqsParameters: inputs.sqsTarget && {MessageGroupId: inputs.sqsTarget.messageGroupId},
    EcsParameters: inputs.ecsTarget && {
        TaskDefinitionArn: inputs.ecsTarget.taskDefinitionArn, TaskCount: inputs.ecsTarget.taskCount,
        LaunchType: inputs.ecsTarget.launchType, PlatformVersion: inputs.ecsTarget.platformVersion,
        NetworkConfiguration: inputs.ecsTarget.networkConfiguration && {awsvpcConfiguration: {
            Subnets: inputs.ecsTarget.networkConfiguration.subnets,
            SecurityGroups: inputs.ecsTarget.networkConfiguration.securityGroups,
            AssignPublicIp: inputs.ecsTarget.networkConfiguration.assignPublicIp && 'ENABLED' || 'DISABLED'
        }}
    }
}]"""
_PUT_TARGET = call("put_targets", Rule="inputs.rule", EventBusName="inputs.eventBusName", Targets=_TARGET)

TYPES = [
    Resource(
        token="aws:cloudwatch/eventRule:EventRule",
        service="events",
        create=_PUT_RULE,
        id="inputs.name",
        read=[call("describe_rule", Name="id", EventBusName="inputs.eventBusName")],
        update=[_PUT_RULE],
        delete=[
            call("delete_rule", Name="id", EventBusName="inputs.eventBusName", Force="inputs.forceDestroy")
        ],
        local=["forceDestroy"],
        replace=["name", "eventBusName"],
        outputs={"arn": "read.Arn"},
        auto_name="name",
        auto_length=64,
        example={
            "eventPattern": '{"source": ["aws.ecs"]}',
            "description": "example",
            "state": "ENABLED",
            "tags": {"Name": "example"},
        },
        change={"description": "changed"},
    ),
    Resource(
        token="aws:cloudwatch/eventTarget:EventTarget",
        service="events",
        create=_PUT_TARGET,
        id="join('-', [inputs.rule, inputs.targetId])",
        read=[
            call(
                "list_targets_by_rule",
                Rule="inputs.rule",
                EventBusName="inputs.eventBusName",
                at="Targets",
                where={"Id": "inputs.targetId"},
            )
        ],
        update=[_PUT_TARGET],
        delete=[
            call(
                "remove_targets",
                Rule="inputs.rule",
                EventBusName="inputs.eventBusName",
                Ids="[inputs.targetId]",
            )
        ],
        local=["forceDestroy"],
        names={"targetId": "Id"},
        nested={"inputPaths": "InputPathsMap"},
        kept=["ecsTarget", "sqsTarget", "retryPolicy", "deadLetterConfig"],
        replace=["rule", "targetId", "eventBusName"],
        auto_name="targetId",
        auto_length=64,
        example={
            "rule": "{aws:cloudwatch/eventRule:EventRule}",
            "arn": "arn:aws:sns:us-east-1:123456789012:example",
            "inputTransformer": {"inputPaths": {"state": "$.detail.state"}, "inputTemplate": '"<state>"'},
        },
        change={"arn": "arn:aws:sns:us-east-1:123456789012:changed"},
    ),
]
