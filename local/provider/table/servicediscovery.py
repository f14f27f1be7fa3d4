"""Cloud Map: where services find each other."""

from local.provider.entry import Resource, call, send

_SERVICE_CHANGE = """{
    Description: inputs.description,
    DnsConfig: inputs.dnsConfig.{DnsRecords: dnsRecords[].{Type: type, TTL: ttl}},
    HealthCheckConfig: inputs.healthCheckConfig.{
        Type: type, ResourcePath: resourcePath, FailureThreshold: failureThreshold
    }
}"""
_NAMESPACE_ARN = "arn('servicediscovery', join('/', ['namespace', id]))"
_MADE = call("get_operation", OperationId="created.OperationId", at="Operation.Targets")

TYPES = [
    Resource(
        token="aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace",
        service="servicediscovery",
        create=send("create_private_dns_namespace", CreatorRequestId="uuid()"),
        then=_MADE,
        id="created.NAMESPACE",
        read=[call("get_namespace", Id="id", at="Namespace")],
        update=[
            call(
                "update_private_dns_namespace",
                Id="id",
                UpdaterRequestId="uuid()",
                Namespace="{Description: inputs.description || ''}",
            )
        ],
        delete=[call("delete_namespace", Id="id")],
        kept=["vpc"],
        replace=["name", "vpc"],
        outputs={"arn": _NAMESPACE_ARN, "hostedZone": "read.Properties.DnsProperties.HostedZoneId"},
        example={
            "name": "example.internal",
            "vpc": "{aws:ec2/vpc:Vpc}",
            "description": "example",
            "tags": {"Name": "example"},
        },
        change={"description": "changed"},
    ),
    Resource(
        token="aws:servicediscovery/httpNamespace:HttpNamespace",
        service="servicediscovery",
        create=send("create_http_namespace", CreatorRequestId="uuid()"),
        then=_MADE,
        id="created.NAMESPACE",
        read=[call("get_namespace", Id="id", at="Namespace")],
        update=[
            call(
                "update_http_namespace",
                Id="id",
                UpdaterRequestId="uuid()",
                Namespace="{Description: inputs.description || ''}",
            )
        ],
        delete=[call("delete_namespace", Id="id")],
        replace=["name"],
        outputs={"arn": _NAMESPACE_ARN, "httpName": "read.Properties.HttpProperties.HttpName"},
        auto_name="name",
        example={"description": "example", "tags": {"Name": "example"}},
        change={"description": "changed"},
    ),
    Resource(
        token="aws:servicediscovery/service:Service",
        service="servicediscovery",
        create=send("create_service", CreatorRequestId="uuid()"),
        id="created.Service.Id",
        read=[call("get_service", Id="id", at="Service")],
        update=[call("update_service", Id="id", Service=_SERVICE_CHANGE)],
        delete=[call("delete_service", Id="id")],
        kept=["type"],
        local=["forceDestroy"],
        replace=["name", "namespaceId", "healthCheckCustomConfig", "type"],
        outputs={"arn": "arn('servicediscovery', join('/', ['service', id]))"},
        auto_name="name",
        example={
            "dnsConfig": {
                "namespaceId": "{aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace}",
                "dnsRecords": [{"type": "A", "ttl": 15}],
                "routingPolicy": "MULTIVALUE",
            },
            "healthCheckCustomConfig": {"failureThreshold": 1},
            "description": "example",
            "tags": {"Name": "example"},
        },
        change={"description": "changed"},
    ),
]
