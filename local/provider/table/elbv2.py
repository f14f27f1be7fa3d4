"""Load balancers: target groups, listeners and rules. Attributes are a list of texts in the API."""

from local.provider.entry import Resource, call, maybe, send

_BALANCER_ATTRIBUTES = {
    "accessLogs.enabled": "access_logs.s3.enabled",
    "accessLogs.bucket": "access_logs.s3.bucket",
    "accessLogs.prefix": "access_logs.s3.prefix",
    "connectionLogs.enabled": "connection_logs.s3.enabled",
    "connectionLogs.bucket": "connection_logs.s3.bucket",
    "connectionLogs.prefix": "connection_logs.s3.prefix",
    "healthCheckLogs.enabled": "health_check_logs.s3.enabled",
    "healthCheckLogs.bucket": "health_check_logs.s3.bucket",
    "healthCheckLogs.prefix": "health_check_logs.s3.prefix",
    "clientKeepAlive": "client_keep_alive.seconds",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
    "enableHttp2": "routing.http2.enabled",
    "enableTlsVersionAndCipherSuiteHeaders": "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
    "enableWafFailOpen": "waf.fail_open.enabled",
    "enableXffClientPort": "routing.http.xff_client_port.enabled",
    "enableZonalShift": "zonal_shift.config.enabled",
    "idleTimeout": "idle_timeout.timeout_seconds",
    "preserveHostHeader": "routing.http.preserve_host_header.enabled",
    "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
}
_GROUP_ATTRIBUTES = {
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "slowStart": "slow_start.duration_seconds",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
    "loadBalancingAnomalyMitigation": "load_balancing.algorithm.anomaly_mitigation",
    "loadBalancingCrossZoneEnabled": "load_balancing.cross_zone.enabled",
    "preserveClientIp": "preserve_client_ip.enabled",
    "stickiness.enabled": "stickiness.enabled",
    "stickiness.type": "stickiness.type",
    "stickiness.cookieDuration": "stickiness.lb_cookie.duration_seconds",
}
_LISTENER_ATTRIBUTES = {
    "routingHttpResponseServerEnabled": "routing.http.response.server.enabled",
    "routingHttpResponseStrictTransportSecurityHeaderValue": (
        "routing.http.response.strict_transport_security.header_value"
    ),
    "routingHttpResponseContentSecurityPolicyHeaderValue": (
        "routing.http.response.content_security_policy.header_value"
    ),
    "routingHttpResponseXContentTypeOptionsHeaderValue": (
        "routing.http.response.x_content_type_options.header_value"
    ),
    "routingHttpResponseXFrameOptionsHeaderValue": "routing.http.response.x_frame_options.header_value",
    "routingHttpResponseAccessControlAllowOriginHeaderValue": (
        "routing.http.response.access_control_allow_origin.header_value"
    ),
    "routingHttpResponseAccessControlAllowMethodsHeaderValue": (
        "routing.http.response.access_control_allow_methods.header_value"
    ),
    "routingHttpResponseAccessControlAllowHeadersHeaderValue": (
        "routing.http.response.access_control_allow_headers.header_value"
    ),
    "routingHttpResponseAccessControlAllowCredentialsHeaderValue": (
        "routing.http.response.access_control_allow_credentials.header_value"
    ),
    "routingHttpResponseAccessControlExposeHeadersHeaderValue": (
        "routing.http.response.access_control_expose_headers.header_value"
    ),
    "routingHttpResponseAccessControlMaxAgeHeaderValue": (
        "routing.http.response.access_control_max_age.header_value"
    ),
}
_ACTION = """{
    Type: type, Order: order, TargetGroupArn: targetGroupArn,
    RedirectConfig: redirect && {
        StatusCode: redirect.statusCode, Host: redirect.host, Path: redirect.path, Port: redirect.port,
        Protocol: redirect.protocol, Query: redirect.query
    },
    FixedResponseConfig: fixedResponse && {
        ContentType: fixedResponse.contentType, MessageBody: fixedResponse.messageBody,
        StatusCode: fixedResponse.statusCode || '200'
    },
    ForwardConfig: forward && {
        TargetGroups: forward.targetGroups[].{TargetGroupArn: arn, Weight: weight},
        TargetGroupStickinessConfig: forward.stickiness && {
            Enabled: forward.stickiness.enabled, DurationSeconds: forward.stickiness.duration
        }
    }
}"""
_CONDITIONS = """inputs.conditions[].{
    Field: hostHeader && 'host-header' || pathPattern && 'path-pattern' || sourceIp && 'source-ip'
        || httpHeader && 'http-header' || httpRequestMethod && 'http-request-method'
        || queryStrings && 'query-string',
    HostHeaderConfig: hostHeader && {Values: hostHeader.values},
    PathPatternConfig: pathPattern && {Values: pathPattern.values},
    SourceIpConfig: sourceIp && {Values: sourceIp.values},
    HttpHeaderConfig: httpHeader && {HttpHeaderName: httpHeader.httpHeaderName, Values: httpHeader.values},
    HttpRequestMethodConfig: httpRequestMethod && {Values: httpRequestMethod.values},
    QueryStringConfig: queryStrings && {Values: queryStrings[].{Key: key, Value: value}}
}"""
_TRANSFORMS = """inputs.transforms[].{
    Type: type,
    UrlRewriteConfig: urlRewriteConfig && {
        Rewrites: [{Regex: urlRewriteConfig.rewrite.regex, Replace: urlRewriteConfig.rewrite.replace}]
    },
    HostHeaderRewriteConfig: hostHeaderRewriteConfig && {
        Rewrites: [
            {Regex: hostHeaderRewriteConfig.rewrite.regex, Replace: hostHeaderRewriteConfig.rewrite.replace}
        ]
    }
}"""


def _attributes(names: dict[str, str]) -> str:
    """The attributes whose input is given, as the API's list of keys and texts."""
    items = ", ".join(f"{{Key: '{key}', Value: as_text(inputs.{name})}}" for name, key in names.items())
    return f"[{items}] | [?Value] || null"


def _shown(names: dict[str, str]) -> dict[str, str]:
    """How the attributes are read back: those of one level by their own name."""
    return {name: f"attributes[?Key=='{key}'].Value | [0]" for name, key in names.items() if "." not in name}


TYPES = [
    Resource(
        token="aws:lb/loadBalancer:LoadBalancer",
        service="elbv2",
        create=send("create_load_balancer", Scheme="inputs.internal && 'internal' || 'internet-facing'"),
        id="created.LoadBalancers[0].LoadBalancerArn",
        read=[
            call("describe_load_balancers", LoadBalancerArns="[id]", at="LoadBalancers[0]"),
            call("describe_load_balancer_attributes", LoadBalancerArn="id", at="{attributes: Attributes}"),
        ],
        after=[
            call(
                "modify_load_balancer_attributes",
                when=_attributes(_BALANCER_ATTRIBUTES),
                LoadBalancerArn="id",
                Attributes=_attributes(_BALANCER_ATTRIBUTES),
            )
        ],
        update=[
            call("set_security_groups", LoadBalancerArn="id", SecurityGroups="inputs.securityGroups"),
            call("set_subnets", LoadBalancerArn="id", Subnets="inputs.subnets"),
            call("set_ip_address_type", LoadBalancerArn="id", IpAddressType="inputs.ipAddressType"),
        ],
        delete=[call("delete_load_balancer", LoadBalancerArn="id")],
        names={"loadBalancerType": "Type"},
        reads={
            "name": "LoadBalancerName",
            "internal": "Scheme == 'internal'",
            "loadBalancerType": "Type",
            "subnets": "AvailabilityZones[].SubnetId",
            **_shown(_BALANCER_ATTRIBUTES),
        },
        replace=["name", "internal", "loadBalancerType"],
        outputs={
            "arn": "id",
            "arnSuffix": "split(id, ':loadbalancer/')[1]",
            "dnsName": "read.DNSName",
            "zoneId": "read.CanonicalHostedZoneId",
            "vpcId": "read.VpcId",
        },
        auto_name="name",
        auto_length=32,
        example={
            "internal": False,
            "loadBalancerType": "application",
            "subnets": ["{aws:ec2/subnet:Subnet}"],
            "securityGroups": ["{aws:ec2/securityGroup:SecurityGroup}"],
            "enableDeletionProtection": False,
            "dropInvalidHeaderFields": True,
            "idleTimeout": 60,
            "accessLogs": {"bucket": "{aws:s3/bucket:Bucket}", "enabled": True, "prefix": "alb"},
            "tags": {"Name": "example"},
        },
        change={"idleTimeout": 120},
    ),
    Resource(
        token="aws:lb/targetGroup:TargetGroup",
        service="elbv2",
        create=send(
            "create_target_group",
            HealthCheckEnabled="inputs.healthCheck.enabled",
            HealthCheckPath="inputs.healthCheck.path",
            HealthCheckPort="inputs.healthCheck.port",
            HealthCheckProtocol="inputs.healthCheck.protocol",
            HealthCheckIntervalSeconds="inputs.healthCheck.interval",
            HealthCheckTimeoutSeconds="inputs.healthCheck.timeout",
            HealthyThresholdCount="inputs.healthCheck.healthyThreshold",
            UnhealthyThresholdCount="inputs.healthCheck.unhealthyThreshold",
            Matcher="inputs.healthCheck.matcher && {HttpCode: inputs.healthCheck.matcher}",
        ),
        id="created.TargetGroups[0].TargetGroupArn",
        read=[
            call("describe_target_groups", TargetGroupArns="[id]", at="TargetGroups[0]"),
            call("describe_target_group_attributes", TargetGroupArn="id", at="{attributes: Attributes}"),
        ],
        after=[
            call(
                "modify_target_group_attributes",
                when=_attributes(_GROUP_ATTRIBUTES),
                TargetGroupArn="id",
                Attributes=_attributes(_GROUP_ATTRIBUTES),
            )
        ],
        update=[
            call(
                "modify_target_group",
                TargetGroupArn="id",
                HealthCheckPath="inputs.healthCheck.path",
                HealthCheckPort="inputs.healthCheck.port",
                HealthCheckProtocol="inputs.healthCheck.protocol",
                HealthCheckIntervalSeconds="inputs.healthCheck.interval",
                HealthCheckTimeoutSeconds="inputs.healthCheck.timeout",
                HealthyThresholdCount="inputs.healthCheck.healthyThreshold",
                UnhealthyThresholdCount="inputs.healthCheck.unhealthyThreshold",
                Matcher="inputs.healthCheck.matcher && {HttpCode: inputs.healthCheck.matcher}",
            )
        ],
        delete=[call("delete_target_group", TargetGroupArn="id")],
        reads={
            "name": "TargetGroupName",
            "healthCheck": (
                "{enabled: HealthCheckEnabled, path: HealthCheckPath, port: HealthCheckPort, "
                "protocol: HealthCheckProtocol, interval: HealthCheckIntervalSeconds, "
                "timeout: HealthCheckTimeoutSeconds, healthyThreshold: HealthyThresholdCount, "
                "unhealthyThreshold: UnhealthyThresholdCount, matcher: Matcher.HttpCode}"
            ),
            **_shown(_GROUP_ATTRIBUTES),
        },
        replace=["name", "port", "protocol", "protocolVersion", "targetType", "vpcId", "ipAddressType"],
        outputs={"arn": "id", "arnSuffix": "split(id, ':')[5]"},
        auto_name="name",
        auto_length=32,
        example={
            "port": 8080,
            "protocol": "HTTP",
            "targetType": "ip",
            "vpcId": "{aws:ec2/vpc:Vpc}",
            "deregistrationDelay": 30,
            "healthCheck": {"path": "/health", "interval": 15, "matcher": "200"},
        },
        change={"healthCheck": {"path": "/ready", "interval": 15, "matcher": "200"}},
    ),
    Resource(
        token="aws:lb/listener:Listener",
        service="elbv2",
        create=send(
            "create_listener",
            DefaultActions=f"inputs.defaultActions[].{_ACTION}",
            Certificates="inputs.certificateArn && [{CertificateArn: inputs.certificateArn}]",
            AlpnPolicy="inputs.alpnPolicy && [inputs.alpnPolicy]",
        ),
        id="created.Listeners[0].ListenerArn",
        read=[
            call("describe_listeners", ListenerArns="[id]", at="Listeners[0]"),
            maybe("describe_listener_attributes", ListenerArn="id", at="{attributes: Attributes}"),
        ],
        after=[
            call(
                "modify_listener_attributes",
                when=_attributes(_LISTENER_ATTRIBUTES),
                ListenerArn="id",
                Attributes=_attributes(_LISTENER_ATTRIBUTES),
            )
        ],
        update=[
            call(
                "modify_listener",
                ListenerArn="id",
                Port="inputs.port",
                Protocol="inputs.protocol",
                SslPolicy="inputs.sslPolicy",
                Certificates="inputs.certificateArn && [{CertificateArn: inputs.certificateArn}]",
                DefaultActions=f"inputs.defaultActions[].{_ACTION}",
            )
        ],
        delete=[call("delete_listener", ListenerArn="id")],
        nested={"redirect": "RedirectConfig", "fixedResponse": "FixedResponseConfig"},
        reads={"certificateArn": "Certificates[0].CertificateArn", **_shown(_LISTENER_ATTRIBUTES)},
        kept=["mutualAuthentication"],
        replace=["loadBalancerArn"],
        outputs={"arn": "id"},
        example={
            "loadBalancerArn": "{aws:lb/loadBalancer:LoadBalancer}",
            "port": 80,
            "protocol": "HTTP",
            "defaultActions": [
                {
                    "type": "redirect",
                    "redirect": {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"},
                }
            ],
            "routingHttpResponseStrictTransportSecurityHeaderValue": "max-age=31536000",
        },
        change={
            "defaultActions": [
                {
                    "type": "fixed-response",
                    "fixedResponse": {
                        "contentType": "text/plain",
                        "statusCode": "404",
                        "messageBody": "none",
                    },
                }
            ]
        },
    ),
    Resource(
        token="aws:lb/listenerRule:ListenerRule",
        service="elbv2",
        create=send(
            "create_rule",
            Actions=f"inputs.actions[].{_ACTION}",
            Conditions=_CONDITIONS,
            Transforms=_TRANSFORMS,
        ),
        id="created.Rules[0].RuleArn",
        read=[call("describe_rules", RuleArns="[id]", at="Rules[0]")],
        update=[
            call(
                "modify_rule",
                RuleArn="id",
                Actions=f"inputs.actions[].{_ACTION}",
                Conditions=_CONDITIONS,
                Transforms=_TRANSFORMS,
            ),
            call("set_rule_priorities", RulePriorities="[{RuleArn: id, Priority: inputs.priority}]"),
        ],
        delete=[call("delete_rule", RuleArn="id")],
        nested={"redirect": "RedirectConfig", "fixedResponse": "FixedResponseConfig"},
        reads={
            "conditions": (
                "Conditions[].{hostHeader: HostHeaderConfig, pathPattern: PathPatternConfig, "
                "sourceIp: SourceIpConfig, httpHeader: HttpHeaderConfig, "
                "httpRequestMethod: HttpRequestMethodConfig}"
            )
        },
        kept=["listenerArn", "transforms"],
        replace=["listenerArn"],
        outputs={"arn": "id"},
        example={
            "listenerArn": "{aws:lb/listener:Listener}",
            "priority": 10,
            "actions": [{"type": "forward", "targetGroupArn": "{aws:lb/targetGroup:TargetGroup}"}],
            "conditions": [
                {"pathPattern": {"values": ["/api/*"]}},
                {"hostHeader": {"values": ["api.example.com"]}},
            ],
            "transforms": [
                {
                    "type": "url-rewrite",
                    "urlRewriteConfig": {"rewrite": {"regex": "^/api/?", "replace": "/"}},
                }
            ],
        },
        change={"priority": 20, "conditions": [{"pathPattern": {"values": ["/v2/*"]}}]},
    ),
    Resource(
        token="aws:lb/listenerCertificate:ListenerCertificate",
        service="elbv2",
        create=call(
            "add_listener_certificates",
            ListenerArn="inputs.listenerArn",
            Certificates="[{CertificateArn: inputs.certificateArn}]",
        ),
        id="join('_', [inputs.listenerArn, inputs.certificateArn])",
        read=[
            call(
                "describe_listener_certificates",
                ListenerArn="inputs.listenerArn",
                at="Certificates",
                where={"CertificateArn": "inputs.certificateArn"},
            )
        ],
        delete=[
            call(
                "remove_listener_certificates",
                ListenerArn="inputs.listenerArn",
                Certificates="[{CertificateArn: inputs.certificateArn}]",
            )
        ],
        replace=["listenerArn", "certificateArn"],
        example={
            "listenerArn": "{aws:lb/listener:Listener}",
            "certificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/one",
        },
        change={"certificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/two"},
    ),
]
