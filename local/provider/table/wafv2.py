"""AWS WAF."""

from local.provider.entry import Resource, call, send

_LOGGING = """{
    ResourceArn: inputs.resourceArn,
    LogDestinationConfigs: inputs.logDestinationConfigs,
    LoggingFilter: inputs.loggingFilter.{
        DefaultBehavior: defaultBehavior,
        Filters: filters[].{
            Behavior: behavior, Requirement: requirement,
            Conditions: conditions[].{
                ActionCondition: actionCondition.{Action: action},
                LabelNameCondition: labelNameCondition.{LabelName: labelName}
            }
        }
    },
    RedactedFields: inputs.redactedFields[].{
        SingleHeader: singleHeader.{Name: name}, Method: method, QueryString: queryString, UriPath: uriPath
    }
}"""
_PUT_LOGGING = call("put_logging_configuration", LoggingConfiguration=_LOGGING)


def _arn(kind: str) -> str:
    scope = "(inputs.scope == 'CLOUDFRONT' && 'global') || 'regional'"
    return f"arn('wafv2', join('/', [{scope}, '{kind}', inputs.name, id]))"


_GONE = ["WAFNonexistentItemException"]

TYPES = [
    Resource(
        token="aws:wafv2/ipSet:IpSet",
        service="wafv2",
        create=send("create_ip_set"),
        id="created.Summary.Id",
        read=[
            call(
                "get_ip_set",
                Name="inputs.name",
                Scope="inputs.scope",
                Id="id",
                at="merge(IPSet, {LockToken: LockToken})",
            )
        ],
        update=[
            call(
                "update_ip_set",
                Name="inputs.name",
                Scope="inputs.scope",
                Id="id",
                Description="inputs.description",
                Addresses="inputs.addresses",
                LockToken="state.lockToken",
            )
        ],
        delete=[
            call(
                "delete_ip_set",
                Name="inputs.name",
                Scope="inputs.scope",
                Id="id",
                LockToken="state.lockToken",
            )
        ],
        replace=["name", "scope", "ipAddressVersion"],
        outputs={"arn": _arn("ipset"), "lockToken": "read.LockToken"},
        auto_name="name",
        auto_length=128,
        gone=_GONE,
        example={
            "scope": "REGIONAL",
            "ipAddressVersion": "IPV4",
            "addresses": ["192.0.2.0/24"],
            "description": "example",
            "tags": {"Name": "example"},
        },
        change={"addresses": ["192.0.2.0/24", "198.51.100.0/24"]},
    ),
    Resource(
        token="aws:wafv2/webAcl:WebAcl",
        service="wafv2",
        create=send("create_web_acl"),
        id="created.Summary.Id",
        read=[
            call(
                "get_web_acl",
                Name="inputs.name",
                Scope="inputs.scope",
                Id="id",
                at="merge(WebACL, {LockToken: LockToken})",
            )
        ],
        update=[send("update_web_acl", Id="id", LockToken="state.lockToken")],
        delete=[
            call(
                "delete_web_acl",
                Name="inputs.name",
                Scope="inputs.scope",
                Id="id",
                LockToken="state.lockToken",
            )
        ],
        replace=["name", "scope"],
        outputs={"arn": _arn("webacl"), "lockToken": "read.LockToken", "capacity": "read.Capacity"},
        auto_name="name",
        auto_length=128,
        gone=_GONE,
        example={
            "scope": "REGIONAL",
            "description": "example",
            "defaultAction": {"allow": {}},
            "customResponseBodies": [
                {"key": "too-many", "contentType": "APPLICATION_JSON", "content": '{"statusCode": 429}'}
            ],
            "rules": [
                {
                    "name": "rate",
                    "priority": 0,
                    "action": {
                        "block": {
                            "customResponse": {
                                "responseCode": 429,
                                "customResponseBodyKey": "too-many",
                                "responseHeaders": [{"name": "Retry-After", "value": "60"}],
                            }
                        }
                    },
                    "statement": {
                        "rateBasedStatement": {
                            "limit": 100,
                            "evaluationWindowSec": 60,
                            "aggregateKeyType": "IP",
                            "scopeDownStatement": {
                                "notStatement": {
                                    "statement": {
                                        "byteMatchStatement": {
                                            "searchString": "/health",
                                            "fieldToMatch": {"uriPath": {}},
                                            "positionalConstraint": "STARTS_WITH",
                                            "textTransformations": [{"priority": 0, "type": "NONE"}],
                                        }
                                    }
                                }
                            },
                        }
                    },
                    "visibilityConfig": {
                        "metricName": "rate",
                        "cloudwatchMetricsEnabled": True,
                        "sampledRequestsEnabled": True,
                    },
                },
                {
                    "name": "blocked",
                    "priority": 1,
                    "action": {"block": {}},
                    "statement": {"ipSetReferenceStatement": {"arn": "{aws:wafv2/ipSet:IpSet.arn}"}},
                    "visibilityConfig": {
                        "metricName": "blocked",
                        "cloudwatchMetricsEnabled": True,
                        "sampledRequestsEnabled": True,
                    },
                },
                {
                    "name": "managed",
                    "priority": 2,
                    "overrideAction": {"none": {}},
                    "statement": {
                        "managedRuleGroupStatement": {
                            "vendorName": "AWS",
                            "name": "AWSManagedRulesCommonRuleSet",
                            "ruleActionOverrides": [
                                {"name": "SizeRestrictions_BODY", "actionToUse": {"count": {}}}
                            ],
                        }
                    },
                    "visibilityConfig": {
                        "metricName": "managed",
                        "cloudwatchMetricsEnabled": True,
                        "sampledRequestsEnabled": True,
                    },
                },
            ],
            "visibilityConfig": {
                "metricName": "example",
                "cloudwatchMetricsEnabled": True,
                "sampledRequestsEnabled": True,
            },
            "tags": {"Name": "example"},
        },
        change={"description": "changed", "defaultAction": {"block": {}}},
    ),
    Resource(
        token="aws:wafv2/webAclAssociation:WebAclAssociation",
        service="wafv2",
        create=send("associate_web_acl"),
        id="join(',', [inputs.webAclArn, inputs.resourceArn])",
        read=[
            call(
                "get_web_acl_for_resource",
                ResourceArn="inputs.resourceArn",
                at="[WebACL][]",
                where={"ARN": "inputs.webAclArn"},
            )
        ],
        delete=[call("disassociate_web_acl", ResourceArn="inputs.resourceArn")],
        replace=["resourceArn", "webAclArn"],
        delete_first=True,
        gone=_GONE,
        example={
            "webAclArn": "{aws:wafv2/webAcl:WebAcl.arn}",
            "resourceArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/one/0123456789abcdef",
        },
        change={
            "resourceArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/two/0123456789abcdef"
        },
    ),
    Resource(
        token="aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
        service="wafv2",
        create=_PUT_LOGGING,
        id="inputs.resourceArn",
        read=[call("get_logging_configuration", ResourceArn="id", at="LoggingConfiguration")],
        update=[_PUT_LOGGING],
        delete=[call("delete_logging_configuration", ResourceArn="id")],
        replace=["resourceArn"],
        gone=_GONE,
        example={
            "resourceArn": "{aws:wafv2/webAcl:WebAcl.arn}",
            "logDestinationConfigs": ["arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-example"],
            "redactedFields": [{"singleHeader": {"name": "authorization"}}],
            "loggingFilter": {
                "defaultBehavior": "DROP",
                "filters": [
                    {
                        "behavior": "KEEP",
                        "requirement": "MEETS_ANY",
                        "conditions": [{"actionCondition": {"action": "BLOCK"}}],
                    }
                ],
            },
        },
        change={"redactedFields": [{"singleHeader": {"name": "cookie"}}, {"queryString": {}}]},
    ),
]
