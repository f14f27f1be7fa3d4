"""CloudWatch Logs: groups, metric filters, saved queries and the policies of groups."""

from local.provider.entry import Resource, call, send

_FILTER = """[{
    metricName: inputs.metricTransformation.name, metricNamespace: inputs.metricTransformation.namespace,
    metricValue: inputs.metricTransformation.value, defaultValue: inputs.metricTransformation.defaultValue,
    dimensions: inputs.metricTransformation.dimensions, unit: inputs.metricTransformation.unit
}]"""
_PUT_FILTER = send(
    "put_metric_filter",
    filterName="inputs.name",
    filterPattern="inputs.pattern",
    metricTransformations=_FILTER,
)
_PUT_QUERY = send("put_query_definition", queryDefinitionId="state.queryDefinitionId")
_PUT_PROTECTION = call(
    "put_data_protection_policy",
    logGroupIdentifier="inputs.logGroupName",
    policyDocument="inputs.policyDocument",
)
_PUT_POLICY = send("put_resource_policy")

TYPES = [
    Resource(
        token="aws:cloudwatch/logGroup:LogGroup",
        service="logs",
        create=send("create_log_group"),
        id="inputs.name",
        read=[
            call(
                "describe_log_groups",
                logGroupNamePrefix="id",
                at="logGroups",
                where={"logGroupName": "id"},
            )
        ],
        after=[
            call("put_retention_policy", logGroupName="id", retentionInDays="inputs.retentionInDays"),
        ],
        update=[
            call("associate_kms_key", logGroupName="id", kmsKeyId="inputs.kmsKeyId", when="inputs.kmsKeyId"),
            call("disassociate_kms_key", logGroupName="id", when="!(inputs.kmsKeyId)"),
        ],
        delete=[call("delete_log_group", when="!(inputs.skipDestroy)", logGroupName="id")],
        names={"name": "logGroupName"},
        kept=["logGroupClass"],
        local=["skipDestroy"],
        replace=["name", "logGroupClass"],
        outputs={"arn": "arn('logs', join(':', ['log-group', id]))"},
        auto_name="name",
        auto_length=512,
        tag_id="arn('logs', join(':', ['log-group', id]))",
        example={
            "retentionInDays": 30,
            "kmsKeyId": "{aws:kms/key:Key.arn}",
            "tags": {"Name": "example"},
        },
        change={"retentionInDays": 90, "kmsKeyId": "{aws:kms/key:Key.arn}"},
    ),
    Resource(
        token="aws:cloudwatch/logMetricFilter:LogMetricFilter",
        service="logs",
        create=_PUT_FILTER,
        id="inputs.name",
        read=[
            call(
                "describe_metric_filters",
                logGroupName="inputs.logGroupName",
                filterNamePrefix="inputs.name",
                at="metricFilters",
                where={"filterName": "inputs.name"},
            )
        ],
        update=[_PUT_FILTER],
        delete=[call("delete_metric_filter", logGroupName="inputs.logGroupName", filterName="inputs.name")],
        names={"name": "filterName", "pattern": "filterPattern"},
        reads={
            "metricTransformation": (
                "metricTransformations[0].{name: metricName, namespace: metricNamespace, "
                "value: metricValue, defaultValue: defaultValue, unit: unit}"
            )
        },
        replace=["name", "logGroupName"],
        auto_name="name",
        example={
            "logGroupName": "{aws:cloudwatch/logGroup:LogGroup}",
            "pattern": '{ $.status_code = "5*" }',
            "metricTransformation": {
                "name": "Errors",
                "namespace": "Example",
                "value": "1",
                "defaultValue": "0",
                "unit": "Count",
            },
        },
        change={"pattern": "ERROR"},
    ),
    Resource(
        token="aws:cloudwatch/queryDefinition:QueryDefinition",
        service="logs",
        create=_PUT_QUERY,
        id="created.queryDefinitionId",
        read=[
            call(
                "describe_query_definitions",
                queryDefinitionNamePrefix="inputs.name",
                at="queryDefinitions",
                where={"queryDefinitionId": "id"},
            )
        ],
        update=[_PUT_QUERY],
        delete=[call("delete_query_definition", queryDefinitionId="id")],
        outputs={"queryDefinitionId": "id"},
        auto_name="name",
        example={
            "name": "errors",
            "queryString": "fields @message | filter level = 'error'",
            "logGroupNames": ["{aws:cloudwatch/logGroup:LogGroup}"],
        },
        change={"queryString": "fields @timestamp"},
    ),
    Resource(
        token="aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy",
        service="logs",
        recorded=True,
        create=_PUT_PROTECTION,
        id="inputs.logGroupName",
        replace=["logGroupName"],
        example={
            "logGroupName": "{aws:cloudwatch/logGroup:LogGroup}",
            "policyDocument": '{"Name":"example","Version":"2021-06-01","Statement":[]}',
        },
        change={"policyDocument": '{"Name":"changed","Version":"2021-06-01","Statement":[]}'},
    ),
    Resource(
        token="aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
        service="logs",
        create=_PUT_POLICY,
        id="inputs.policyName",
        read=[call("describe_resource_policies", at="resourcePolicies", where={"policyName": "id"})],
        update=[_PUT_POLICY],
        delete=[call("delete_resource_policy", policyName="id")],
        replace=["policyName"],
        example={
            "policyName": "example",
            "policyDocument": '{"Version":"2012-10-17","Statement":[]}',
        },
        change={"policyDocument": '{"Version":"2012-10-17","Statement":[{"Effect":"Deny"}]}'},
    ),
]
