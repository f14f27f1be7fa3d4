"""Alarms and dashboards."""

from local.provider.entry import Resource, call, send

_METRICS = """inputs.metricQueries[].{
    Id: id, Expression: expression, Label: label, Period: period, AccountId: accountId, ReturnData: returnData,
    MetricStat: metric && {
        Metric: {
            Namespace: metric.namespace, MetricName: metric.metricName,
            Dimensions: pairs(metric.dimensions)[].{Name: key, Value: value}
        },
        Period: metric.period, Stat: metric.stat, Unit: metric.unit
    }
}"""
_PUT_ALARM = send("put_metric_alarm", AlarmName="inputs.name", Metrics=_METRICS)
_PUT_DASHBOARD = send("put_dashboard")

TYPES = [
    Resource(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        service="cloudwatch",
        create=_PUT_ALARM,
        id="inputs.name",
        read=[call("describe_alarms", AlarmNames="[id]", at="MetricAlarms[0]")],
        update=[_PUT_ALARM],
        delete=[call("delete_alarms", AlarmNames="[id]")],
        names={
            "name": "AlarmName",
            "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
        },
        reads={
            "metricQueries": (
                "Metrics[].{id: Id, expression: Expression, label: Label, returnData: ReturnData, "
                "metric: MetricStat && {namespace: MetricStat.Metric.Namespace, "
                "metricName: MetricStat.Metric.MetricName, dimensions: MetricStat.Metric.Dimensions, "
                "period: MetricStat.Period, stat: MetricStat.Stat, unit: MetricStat.Unit}}"
            )
        },
        replace=["name"],
        outputs={"arn": "arn('cloudwatch', join(':', ['alarm', id]))"},
        auto_name="name",
        example={
            "comparisonOperator": "GreaterThanThreshold",
            "evaluationPeriods": 2,
            "threshold": 10,
            "treatMissingData": "notBreaching",
            "metricQueries": [
                {"id": "rate", "expression": "errors / requests", "label": "rate", "returnData": True},
                {
                    "id": "errors",
                    "metric": {
                        "namespace": "AWS/ApplicationELB",
                        "metricName": "HTTPCode_Target_5XX_Count",
                        "period": 60,
                        "stat": "Sum",
                        "dimensions": {"LoadBalancer": "app/example/1"},
                    },
                },
            ],
            "tags": {"Name": "example"},
        },
        change={"threshold": 20, "tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:cloudwatch/compositeAlarm:CompositeAlarm",
        service="cloudwatch",
        recorded=True,
        create=send(
            "put_composite_alarm",
            on=["actionsSuppressor"],
            ActionsSuppressor="inputs.actionsSuppressor.alarm",
            ActionsSuppressorWaitPeriod="inputs.actionsSuppressor.waitPeriod",
            ActionsSuppressorExtensionPeriod="inputs.actionsSuppressor.extensionPeriod",
        ),
        id="inputs.alarmName",
        names={"actionsSuppressor": "-"},
        replace=["alarmName"],
        outputs={"arn": "arn('cloudwatch', join(':', ['alarm', id]))"},
        example={
            "alarmName": "example",
            "alarmRule": 'ALARM("one") OR ALARM("two")',
            "alarmActions": ["arn:aws:sns:us-east-1:123456789012:example"],
        },
        change={"alarmRule": 'ALARM("one")'},
    ),
    Resource(
        token="aws:cloudwatch/dashboard:Dashboard",
        service="cloudwatch",
        create=_PUT_DASHBOARD,
        id="inputs.dashboardName",
        read=[call("get_dashboard", DashboardName="id")],
        update=[_PUT_DASHBOARD],
        delete=[call("delete_dashboards", DashboardNames="[id]")],
        replace=["dashboardName"],
        outputs={"dashboardArn": "global_arn('cloudwatch', join('/', ['dashboard', id]))"},
        example={"dashboardName": "example", "dashboardBody": '{"widgets": []}'},
        change={"dashboardBody": '{"widgets": [{"type": "text"}]}'},
    ),
]
