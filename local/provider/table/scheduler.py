"""EventBridge Scheduler."""

from local.provider.entry import Call, Resource, call, send

_TARGET = """{
    Arn: inputs.target.arn, RoleArn: inputs.target.roleArn, Input: inputs.target.input,
    DeadLetterConfig: inputs.target.deadLetterConfig.{Arn: arn},
    RetryPolicy: inputs.target.retryPolicy.{
        MaximumEventAgeInSeconds: maximumEventAgeInSeconds, MaximumRetryAttempts: maximumRetryAttempts
    },
    SqsParameters: inputs.target.sqsParameters.{MessageGroupId: messageGroupId},
    KinesisParameters: inputs.target.kinesisParameters.{PartitionKey: partitionKey},
    EventBridgeParameters: inputs.target.eventbridgeParameters.{DetailType: detailType, Source: source},
    SageMakerPipelineParameters: inputs.target.sagemakerPipelineParameters.{
        PipelineParameterList: pipelineParameters[].{Name: name, Value: value}
    },
    EcsParameters: inputs.target.ecsParameters.{
        TaskDefinitionArn: taskDefinitionArn, TaskCount: taskCount, LaunchType: launchType,
        PlatformVersion: platformVersion, Group: group, PropagateTags: propagateTags,
        ReferenceId: referenceId, EnableECSManagedTags: enableEcsManagedTags,
        EnableExecuteCommand: enableExecuteCommand, Tags: pairs(tags),
        CapacityProviderStrategy: capacityProviderStrategies,
        PlacementConstraints: placementConstraints, PlacementStrategy: placementStrategies,
        NetworkConfiguration: networkConfiguration.{awsvpcConfiguration: {
            Subnets: subnets, SecurityGroups: securityGroups,
            AssignPublicIp: (assignPublicIp && 'ENABLED') || 'DISABLED'
        }}
    }
}"""

_SCHEDULE = {
    "Name": "inputs.name",
    "GroupName": "inputs.groupName",
    "Description": "inputs.description",
    "ScheduleExpression": "inputs.scheduleExpression",
    "ScheduleExpressionTimezone": "inputs.scheduleExpressionTimezone",
    "StartDate": "inputs.startDate",
    "EndDate": "inputs.endDate",
    "State": "inputs.state",
    "KmsKeyArn": "inputs.kmsKeyArn",
    "FlexibleTimeWindow": """inputs.flexibleTimeWindow.{
        Mode: mode, MaximumWindowInMinutes: maximumWindowInMinutes
    }""",
    "ActionAfterCompletion": "inputs.actionAfterCompletion",
    "Target": _TARGET,
}

TYPES = [
    Resource(
        token="aws:scheduler/scheduleGroup:ScheduleGroup",
        service="scheduler",
        create=send("create_schedule_group"),
        id="inputs.name",
        read=[call("get_schedule_group", Name="id")],
        delete=[call("delete_schedule_group", Name="id")],
        replace=["name"],
        outputs={"arn": "arn('scheduler', join('/', ['schedule-group', id]))"},
        auto_name="name",
        auto_length=64,
        gone=["500:"],  # what the emulator says to the deletion of a group that is not there
        example={"tags": {"Name": "example"}},
        change={"tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:scheduler/schedule:Schedule",
        service="scheduler",
        create=Call(operation="create_schedule", params=_SCHEDULE),
        id="join('/', [inputs.groupName || 'default', inputs.name])",
        read=[call("get_schedule", GroupName="split(id, '/')[0]", Name="split(id, '/')[1]")],
        update=[Call(operation="update_schedule", params=_SCHEDULE)],
        delete=[call("delete_schedule", GroupName="split(id, '/')[0]", Name="split(id, '/')[1]")],
        kept=["startDate", "endDate"],
        replace=["name", "groupName"],
        outputs={"arn": "read.Arn"},
        auto_name="name",
        auto_length=64,
        example={
            "groupName": "{aws:scheduler/scheduleGroup:ScheduleGroup}",
            "scheduleExpression": "cron(0 3 * * ? *)",
            "scheduleExpressionTimezone": "Asia/Kolkata",
            "flexibleTimeWindow": {"mode": "OFF"},
            "description": "example",
            "target": {
                "arn": "arn:aws:ecs:us-east-1:123456789012:cluster/example",
                "roleArn": "{aws:iam/role:Role.arn}",
                "ecsParameters": {
                    "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/example:1",
                    "launchType": "FARGATE",
                    "platformVersion": "LATEST",
                    "taskCount": 1,
                    "networkConfiguration": {
                        "subnets": ["{aws:ec2/subnet:Subnet}"],
                        "securityGroups": ["{aws:ec2/securityGroup:SecurityGroup}"],
                        "assignPublicIp": False,
                    },
                },
                "retryPolicy": {"maximumRetryAttempts": 2, "maximumEventAgeInSeconds": 3600},
                "deadLetterConfig": {"arn": "{aws:sqs/queue:Queue.arn}"},
            },
        },
        change={"scheduleExpression": "cron(0 4 * * ? *)", "state": "DISABLED"},
    ),
]
