"""Route 53 zones, records and health checks."""

from local.provider.entry import Call, Resource, Tagging, call

_CHECK = {
    "fqdn": "FullyQualifiedDomainName",
    "ipAddress": "IPAddress",
    "port": "Port",
    "resourcePath": "ResourcePath",
    "searchString": "SearchString",
    "failureThreshold": "FailureThreshold",
    "invertHealthcheck": "Inverted",
    "disabled": "Disabled",
    "childHealthThreshold": "HealthThreshold",
    "childHealthchecks": "ChildHealthChecks",
    "enableSni": "EnableSNI",
    "regions": "Regions",
    "insufficientDataHealthStatus": "InsufficientDataHealthStatus",
}
_CHECK_FOR_GOOD = {
    "type": "Type",
    "requestInterval": "RequestInterval",
    "measureLatency": "MeasureLatency",
    "routingControlArn": "RoutingControlArn",
}
_ALARM = (
    "inputs.cloudwatchAlarmName && {Name: inputs.cloudwatchAlarmName, Region: inputs.cloudwatchAlarmRegion}"
)
_CHECK_CONFIG = ", ".join(
    [f"{member}: inputs.{name}" for name, member in {**_CHECK, **_CHECK_FOR_GOOD}.items()]
    + [f"AlarmIdentifier: {_ALARM}"]
)
_RECORD = """{
    Name: inputs.name, Type: inputs.type, TTL: inputs.ttl, SetIdentifier: inputs.setIdentifier,
    HealthCheckId: inputs.healthCheckId, MultiValueAnswer: inputs.multivalueAnswerRoutingPolicy,
    ResourceRecords: (inputs.type == 'TXT' && inputs.records[].{Value: join('', ['"', @, '"'])})
        || inputs.records[].{Value: @},
    AliasTarget: (inputs.aliases)[0].{
        DNSName: name, HostedZoneId: zoneId, EvaluateTargetHealth: evaluateTargetHealth
    },
    Weight: (inputs.weightedRoutingPolicies)[0].weight,
    Failover: (inputs.failoverRoutingPolicies)[0].type,
    Region: (inputs.latencyRoutingPolicies)[0].region,
    GeoLocation: (inputs.geolocationRoutingPolicies)[0].{
        ContinentCode: continent, CountryCode: country, SubdivisionCode: subdivision
    }
}"""


def _change(action: str) -> Call:
    return call(
        "change_resource_record_sets",
        HostedZoneId="inputs.zoneId",
        ChangeBatch=f"{{Changes: [{{Action: {action}, ResourceRecordSet: {_RECORD}}}]}}",
    )


def _tagging(kind: str) -> Tagging:
    return Tagging(
        sets="change_tags_for_resource",
        removes="change_tags_for_resource",
        params={"ResourceType": f"'{kind}'"},
    )


TYPES = [
    Resource(
        token="aws:route53/zone:Zone",
        service="route53",
        create=call(
            "create_hosted_zone",
            Name="inputs.name",
            CallerReference="uuid()",
            DelegationSetId="inputs.delegationSetId",
            HostedZoneConfig="{Comment: inputs.comment, PrivateZone: !(!(inputs.vpcs))}",
            VPC="inputs.vpcs[0].{VPCId: vpcId, VPCRegion: vpcRegion || region()}",
        ),
        id="split(created.HostedZone.Id, '/')[2]",
        read=[
            call(
                "get_hosted_zone",
                Id="id",
                at="{Comment: HostedZone.Config.Comment, NameServers: DelegationSet.NameServers, VPCs: VPCs}",
            )
        ],
        after=[
            call(
                "associate_vpc_with_hosted_zone",
                when="inputs.vpcs[1]",
                HostedZoneId="id",
                VPC="inputs.vpcs[1].{VPCId: vpcId, VPCRegion: vpcRegion || region()}",
            )
        ],
        update=[call("update_hosted_zone_comment", Id="id", Comment="inputs.comment || ''")],
        delete=[call("delete_hosted_zone", Id="id")],
        local=["forceDestroy"],
        replace=["name", "delegationSetId", "vpcs"],
        outputs={
            "arn": "join('', ['arn:aws:route53:::hostedzone/', id])",
            "zoneId": "id",
            "nameServers": "sort(read.NameServers)",
            "primaryNameServer": "sort(read.NameServers)[0]",
        },
        sometimes=["nameServers", "primaryNameServer"],
        tag_id="id",
        tagging=_tagging("hostedzone"),
        example={"name": "example.com", "comment": "example", "tags": {"Name": "example"}},
        change={"comment": "changed", "tags": {"Name": "changed", "Stage": "test"}},
    ),
    Resource(
        token="aws:route53/record:Record",
        service="route53",
        create=_change("(inputs.allowOverwrite && 'UPSERT') || 'CREATE'"),
        id="join('_', [inputs.zoneId, inputs.name, inputs.type, inputs.setIdentifier][?@])",
        read=[
            call(
                "list_resource_record_sets",
                HostedZoneId="inputs.zoneId",
                StartRecordName="inputs.name",
                StartRecordType="inputs.type",
                at="ResourceRecordSets",
                where={
                    "Name": "(ends_with(inputs.name, '.') && inputs.name) || join('', [inputs.name, '.'])",
                    "Type": "inputs.type",
                    "SetIdentifier": "inputs.setIdentifier",
                },
            )
        ],
        update=[_change("'UPSERT'")],
        delete=[_change("'DELETE'")],
        reads={
            "name": "Name",
            "records": """(Type == 'TXT' && ResourceRecords[].replace(Value, '"', ''))
                || ResourceRecords[].Value""",
            "aliases": """AliasTarget && [AliasTarget.{
                name: DNSName, zoneId: HostedZoneId, evaluateTargetHealth: EvaluateTargetHealth
            }]""",
            "weightedRoutingPolicies": "Weight && [{weight: Weight}]",
            "failoverRoutingPolicies": "Failover && [{type: Failover}]",
        },
        kept=["name"],
        replace=["zoneId", "name", "type", "setIdentifier"],
        outputs={"fqdn": "(ends_with(inputs.name, '.') && inputs.name[:-1]) || inputs.name"},
        example={
            "zoneId": "{aws:route53/zone:Zone}",
            "name": "www.example.com",
            "type": "A",
            "aliases": [
                {
                    "name": "balancer-1.us-east-1.elb.amazonaws.com",
                    "zoneId": "Z35SXDOTRQ7X7K",
                    "evaluateTargetHealth": True,
                }
            ],
        },
        change={"aliases": None, "ttl": 300, "records": ["192.0.2.1"]},
    ),
    Resource(
        token="aws:route53/healthCheck:HealthCheck",
        service="route53",
        create=call(
            "create_health_check",
            CallerReference="inputs.referenceName || uuid()",
            HealthCheckConfig=f"{{{_CHECK_CONFIG}}}",
        ),
        id="created.HealthCheck.Id",
        read=[call("get_health_check", HealthCheckId="id", at="HealthCheck.HealthCheckConfig")],
        update=[
            Call(
                operation="update_health_check",
                params={
                    "HealthCheckId": "id",
                    **{member: f"inputs.{name}" for name, member in _CHECK.items()},
                    "AlarmIdentifier": _ALARM,
                },
            )
        ],
        delete=[call("delete_health_check", HealthCheckId="id")],
        names={**_CHECK, **_CHECK_FOR_GOOD},
        local=["triggers"],
        replace=[*_CHECK_FOR_GOOD, "referenceName", "triggers"],
        outputs={"arn": "join('', ['arn:aws:route53:::healthcheck/', id])"},
        tag_id="id",
        tagging=_tagging("healthcheck"),
        example={
            "type": "HTTPS_STR_MATCH",
            "fqdn": "api.example.com",
            "port": 443,
            "resourcePath": "/health",
            "searchString": "ok",
            "requestInterval": 30,
            "failureThreshold": 3,
            "measureLatency": True,
            "enableSni": True,
            "regions": ["us-east-1", "eu-west-1", "ap-southeast-1"],
            "tags": {"Name": "example"},
        },
        change={"failureThreshold": 2, "resourcePath": "/ready"},
    ),
]
