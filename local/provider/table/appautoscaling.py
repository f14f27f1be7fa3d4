"""Application Auto Scaling: targets, policies and scheduled actions."""

from local.provider.entry import Resource, call, send

_TRACKING = """inputs.targetTrackingScalingPolicyConfiguration && {
    TargetValue: inputs.targetTrackingScalingPolicyConfiguration.targetValue,
    DisableScaleIn: inputs.targetTrackingScalingPolicyConfiguration.disableScaleIn,
    ScaleInCooldown: inputs.targetTrackingScalingPolicyConfiguration.scaleInCooldown,
    ScaleOutCooldown: inputs.targetTrackingScalingPolicyConfiguration.scaleOutCooldown,
    PredefinedMetricSpecification:
        inputs.targetTrackingScalingPolicyConfiguration.predefinedMetricSpecification.{
            PredefinedMetricType: predefinedMetricType, ResourceLabel: resourceLabel
        },
    CustomizedMetricSpecification:
        inputs.targetTrackingScalingPolicyConfiguration.customizedMetricSpecification.{
            MetricName: metricName, Namespace: namespace, Statistic: statistic, Unit: unit,
            Dimensions: dimensions[].{Name: name, Value: value},
            Metrics: metrics[].{
                Id: id, Expression: expression, Label: label, ReturnData: returnData,
                MetricStat: metricStat && {
                    Stat: metricStat.stat, Unit: metricStat.unit,
                    Metric: {
                        MetricName: metricStat.metric.metricName, Namespace: metricStat.metric.namespace,
                        Dimensions: metricStat.metric.dimensions[].{Name: name, Value: value}
                    }
                }
            }
        }
}"""
_STEPS = """inputs.stepScalingPolicyConfiguration && {
    AdjustmentType: inputs.stepScalingPolicyConfiguration.adjustmentType,
    Cooldown: inputs.stepScalingPolicyConfiguration.cooldown,
    MetricAggregationType: inputs.stepScalingPolicyConfiguration.metricAggregationType,
    MinAdjustmentMagnitude: inputs.stepScalingPolicyConfiguration.minAdjustmentMagnitude,
    StepAdjustments: inputs.stepScalingPolicyConfiguration.stepAdjustments[].{
        MetricIntervalLowerBound: metricIntervalLowerBound, MetricIntervalUpperBound: metricIntervalUpperBound,
        ScalingAdjustment: scalingAdjustment
    }
}"""
_REGISTER = send("register_scalable_target", RoleARN="inputs.roleArn")
_PUT_POLICY = send(
    "put_scaling_policy",
    TargetTrackingScalingPolicyConfiguration=_TRACKING,
    StepScalingPolicyConfiguration=_STEPS,
)
_PUT_ACTION = send("put_scheduled_action", Timezone="inputs.timezone")
_EXAMPLE = {
    "serviceNamespace": "{aws:appautoscaling/target:Target.serviceNamespace}",
    "resourceId": "{aws:appautoscaling/target:Target.resourceId}",
    "scalableDimension": "{aws:appautoscaling/target:Target.scalableDimension}",
}

TYPES = [
    Resource(
        token="aws:appautoscaling/target:Target",
        gone=["No scalable target found"],
        service="application-autoscaling",
        create=_REGISTER,
        id="inputs.resourceId",
        read=[
            call(
                "describe_scalable_targets",
                ServiceNamespace="inputs.serviceNamespace",
                ResourceIds="[inputs.resourceId]",
                ScalableDimension="inputs.scalableDimension",
                at="ScalableTargets[0]",
            )
        ],
        update=[_REGISTER],
        delete=[
            call(
                "deregister_scalable_target",
                ServiceNamespace="inputs.serviceNamespace",
                ResourceId="inputs.resourceId",
                ScalableDimension="inputs.scalableDimension",
            )
        ],
        kept=["roleArn"],
        replace=["serviceNamespace", "resourceId", "scalableDimension"],
        outputs={"arn": "arn('application-autoscaling', join('/', ['scalable-target', id]))"},
        tags_kept=True,
        example={
            "serviceNamespace": "ecs",
            "resourceId": "service/{aws:ecs/cluster:Cluster.name}/{aws:ecs/service:Service.name}",
            "scalableDimension": "ecs:service:DesiredCount",
            "minCapacity": 1,
            "maxCapacity": 4,
        },
        change={"maxCapacity": 8},
    ),
    Resource(
        token="aws:appautoscaling/policy:Policy",
        gone=["No scaling policy found"],
        service="application-autoscaling",
        create=_PUT_POLICY,
        id="inputs.name",
        read=[
            call(
                "describe_scaling_policies",
                ServiceNamespace="inputs.serviceNamespace",
                ResourceId="inputs.resourceId",
                ScalableDimension="inputs.scalableDimension",
                PolicyNames="[inputs.name]",
                at="ScalingPolicies",
                where={"PolicyName": "inputs.name"},
            )
        ],
        update=[_PUT_POLICY],
        delete=[
            call(
                "delete_scaling_policy",
                PolicyName="inputs.name",
                ServiceNamespace="inputs.serviceNamespace",
                ResourceId="inputs.resourceId",
                ScalableDimension="inputs.scalableDimension",
            )
        ],
        names={"name": "PolicyName"},
        replace=["name", "serviceNamespace", "resourceId", "scalableDimension"],
        outputs={"arn": "read.PolicyARN"},
        auto_name="name",
        example={
            **_EXAMPLE,
            "policyType": "TargetTrackingScaling",
            "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 60,
                "scaleInCooldown": 300,
                "scaleOutCooldown": 60,
                "customizedMetricSpecification": {
                    "metrics": [
                        {
                            "id": "backlog",
                            "returnData": False,
                            "metricStat": {
                                "stat": "Average",
                                "metric": {
                                    "metricName": "Waiting",
                                    "namespace": "Example",
                                    "dimensions": [{"name": "queue", "value": "ai"}],
                                },
                            },
                        },
                        {"id": "per_task", "expression": "backlog / 2", "returnData": True},
                    ]
                },
            },
        },
        change={
            "policyType": "StepScaling",
            "targetTrackingScalingPolicyConfiguration": None,
            "stepScalingPolicyConfiguration": {
                "adjustmentType": "ChangeInCapacity",
                "cooldown": 60,
                "metricAggregationType": "Maximum",
                "stepAdjustments": [{"metricIntervalLowerBound": "0", "scalingAdjustment": 2}],
            },
        },
    ),
    Resource(
        token="aws:appautoscaling/scheduledAction:ScheduledAction",
        gone=["No scheduled action found"],
        service="application-autoscaling",
        create=_PUT_ACTION,
        id="join('/', [inputs.resourceId, inputs.name])",
        read=[
            call(
                "describe_scheduled_actions",
                ServiceNamespace="inputs.serviceNamespace",
                ResourceId="inputs.resourceId",
                ScheduledActionNames="[inputs.name]",
                at="ScheduledActions",
                where={"ScheduledActionName": "inputs.name"},
            )
        ],
        update=[_PUT_ACTION],
        delete=[
            call(
                "delete_scheduled_action",
                ScheduledActionName="inputs.name",
                ServiceNamespace="inputs.serviceNamespace",
                ResourceId="inputs.resourceId",
                ScalableDimension="inputs.scalableDimension",
            )
        ],
        names={"name": "ScheduledActionName"},
        kept=["startTime", "endTime"],
        replace=["name", "serviceNamespace", "resourceId", "scalableDimension"],
        outputs={"arn": "read.ScheduledActionARN"},
        auto_name="name",
        example={
            **_EXAMPLE,
            "schedule": "cron(0 7 * * ? *)",
            "timezone": "Europe/Zurich",
            "scalableTargetAction": {"minCapacity": 2, "maxCapacity": 6},
        },
        change={"scalableTargetAction": {"minCapacity": 3, "maxCapacity": 6}},
    ),
]
