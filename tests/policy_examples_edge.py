"""More of policy_examples.py: the network and its edge, what containers are told, who may do what, what is watched.

`GOOD` is laid over what policy_examples.py has for a type, and `OFFENCES` are tried beside its own.
"""

import json
from typing import Any

from tests.policy_builders import (
    CACHE_USER,
    DEFAULT_GROUP,
    DISTRIBUTION,
    FUNCTION,
    GROUP,
    GROUP_RULE,
    INGRESS,
    INGRESS_RULE,
    LAUNCH_TEMPLATE,
    LEFT_OUT,
    LISTENER,
    RESPONSE_HEADERS,
    SECRET,
    STRONG,
    TASK,
    container,
    headers,
    in_every_workload,
    ingress,
    ingress_rule,
    pod,
    statement,
    variable,
)

BALANCERS = ("aws:lb/loadBalancer:LoadBalancer", "aws:alb/loadBalancer:LoadBalancer")
CLASSIC_BALANCER = "aws:elb/loadBalancer:LoadBalancer"
CERTIFICATE = "aws:acm/certificate:Certificate"
WEB_ACL = "aws:wafv2/webAcl:WebAcl"
RULE_GROUP = "aws:wafv2/ruleGroup:RuleGroup"
METHOD = "aws:apigateway/method:Method"
STAGE = "aws:apigateway/stage:Stage"
DOMAIN = "aws:apigateway/domainName:DomainName"
HTTP_API = "aws:apigatewayv2/api:Api"
HTTP_ROUTE = "aws:apigatewayv2/route:Route"
HTTP_STAGE = "aws:apigatewayv2/stage:Stage"
HTTP_DOMAIN = "aws:apigatewayv2/domainName:DomainName"
FUNCTION_URL = "aws:lambda/functionUrl:FunctionUrl"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
SUBNET = "aws:ec2/subnet:Subnet"
ROUTE = "aws:ec2/route:Route"
ROUTE_TABLE = "aws:ec2/routeTable:RouteTable"
DEFAULT_ROUTE_TABLE = "aws:ec2/defaultRouteTable:DefaultRouteTable"
PREFIX_LIST = "aws:ec2/managedPrefixList:ManagedPrefixList"
PREFIX_LIST_ENTRY = "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry"
MACHINE = "aws:ec2/instance:Instance"
SCHEDULE = "aws:scheduler/schedule:Schedule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"
SSM_PARAMETER = "aws:ssm/parameter:Parameter"
SECRET_ITSELF = "aws:secretsmanager/secret:Secret"
ROTATION = "aws:secretsmanager/secretRotation:SecretRotation"
ROLE = "aws:iam/role:Role"
KEY = "aws:kms/key:Key"
KEY_POLICY = "aws:kms/keyPolicy:KeyPolicy"
PASSWORD_RULES = "aws:iam/accountPasswordPolicy:AccountPasswordPolicy"
POLICY_ATTACHMENT = "aws:iam/policyAttachment:PolicyAttachment"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
COMPOSITE_ALARM = "aws:cloudwatch/compositeAlarm:CompositeAlarm"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"

PRODUCT_CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/product"
MEASURED = {"cloudwatchMetricsEnabled": True, "sampledRequestsEnabled": True, "metricName": "waf"}
MANAGED = ("AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet")


def managed(name, **changes):
    """A rule of a web ACL that uses AWS's rules of that name."""
    return {
        "name": name,
        "statement": {"managedRuleGroupStatement": {"vendorName": "AWS", "name": name}},
        "overrideAction": {"none": {}},
        "visibilityConfig": MEASURED,
        **changes,
    }


def trust(principal, **changes):
    """The trust policy of a role."""
    said = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **changes}
    return {"assumeRolePolicy": json.dumps({"Version": "2012-10-17", "Statement": [said]})}


def federated(subject, provider="token.actions.githubusercontent.com", key=None):
    """The same for a pipeline whose token is for that subject."""
    conditions = {"StringLike": {key or f"{provider}:sub": subject}} if subject else {}
    arn = f"arn:aws:iam::111122223333:oidc-provider/{provider}"
    return trust({"Federated": arn}, Action="sts:AssumeRoleWithWebIdentity", Condition=conditions)


def told(**variables):
    """The containers of a task definition with these variables."""
    return container(environment=[{"name": name, "value": value} for name, value in variables.items()])


def told_pod(**variables):
    """The containers of a pod with these variables."""
    return pod({"env": [{"name": name, "value": value} for name, value in variables.items()]})


def everywhere(name, value, said):
    """An offence in one variable, in whatever has variables."""
    return {
        TASK: [(variable(name, value), f"container api: {said}")],
        FUNCTION: [({"environment.variables": {name: value}}, f"environment: {said}")],
        **in_every_workload((told_pod(**{name: value}), f"container api: {said}")),
    }


def together(*parts):
    """Offences of one rule, type by type."""
    merged: dict[str, list[Any]] = {}
    for part in parts:
        for kind, offences in part.items():
            merged.setdefault(kind, []).extend(offences)
    return merged


def let_out(protocol="-1", ports=(0, 0), **receiver):
    """One inline egress block."""
    return {"egress": [{"protocol": protocol, "fromPort": ports[0], "toPort": ports[1], **receiver}]}


GOOD: dict[str, dict[str, Any]] = {
    CLASSIC_BALANCER: {
        "listeners": [{"lbPort": 443, "lbProtocol": "https", "instancePort": 80, "instanceProtocol": "http"}],
        "accessLogs": {"bucket": "logs"},
    },
    CERTIFICATE: {"domainName": "api.rentfix.com", "validationMethod": "DNS"},
    DISTRIBUTION: {
        "viewerCertificate": {
            "acmCertificateArn": PRODUCT_CERTIFICATE,
            "minimumProtocolVersion": "TLSv1.2_2021",
            "sslSupportMethod": "sni-only",
        },
        "defaultCacheBehavior": {
            "targetOriginId": "bucket",
            "viewerProtocolPolicy": "redirect-to-https",
            "responseHeadersPolicyId": "headers",
        },
        "defaultRootObject": "index.html",
    },
    WEB_ACL: {
        "scope": "REGIONAL",
        "rules": [managed(name) for name in MANAGED],
        "visibilityConfig": MEASURED,
    },
    RULE_GROUP: {"rules": [{"name": "limit", "visibilityConfig": MEASURED}], "visibilityConfig": MEASURED},
    METHOD: {"httpMethod": "GET", "authorization": "AWS_IAM"},
    STAGE: {"stageName": "v1", "accessLogSettings": {"destinationArn": "arn:log"}},
    DOMAIN: {"domainName": "api.rentfix.com", "securityPolicy": "TLS_1_2"},
    HTTP_API: {"protocolType": "HTTP", "corsConfiguration": {"allowOrigins": ["https://rentfix.com"]}},
    HTTP_ROUTE: {"routeKey": "GET /tickets", "authorizationType": "JWT"},
    HTTP_STAGE: {
        "accessLogSettings": {"destinationArn": "arn:log"},
        "defaultRouteSettings": {"throttlingRateLimit": 100, "throttlingBurstLimit": 20},
    },
    HTTP_DOMAIN: {"domainNameConfiguration": {"securityPolicy": "TLS_1_2"}},
    FUNCTION_URL: {"authorizationType": "AWS_IAM", "cors": {"allowOrigins": ["https://rentfix.com"]}},
    EGRESS_RULE: {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIpv4": "0.0.0.0/0"},
    SUBNET: {"mapPublicIpOnLaunch": False},
    ROUTE: {"destinationCidrBlock": "10.30.0.0/16", "vpcPeeringConnectionId": "pcx-1"},
    ROUTE_TABLE: {"routes": [{"cidrBlock": "0.0.0.0/0", "natGatewayId": "nat-1"}]},
    DEFAULT_ROUTE_TABLE: {"routes": [{"cidrBlock": "10.30.0.0/16", "vpcPeeringConnectionId": "pcx-1"}]},
    PREFIX_LIST: {"entries": [{"cidr": "10.30.0.0/16"}]},
    PREFIX_LIST_ENTRY: {"cidr": "10.30.0.0/16"},
    SCHEDULE: {
        "target": {
            "ecsParameters": {"networkConfiguration": {"assignPublicIp": False}},
            "input": '{"containerOverrides": []}',
        }
    },
    EVENT_TARGET: {"ecsTarget": {"networkConfiguration": {"assignPublicIp": False}}, "input": "{}"},
    SSM_PARAMETER: {"type": "SecureString", "name": "/rentfix/api-key", "value": STRONG},
    SECRET_ITSELF: {"kmsKeyId": "arn:key", "recoveryWindowInDays": 7},
    ROTATION: {"rotationRules": {"automaticallyAfterDays": 30}},
    ROLE: trust({"Service": "ecs-tasks.amazonaws.com"}),
    KEY: {
        "deletionWindowInDays": 30,
        "policy": json.dumps(
            {
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "kms:*",
                        "Resource": "*",
                        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                    },
                    {
                        "Effect": "Allow",
                        "Action": "kms:Decrypt",
                        "Resource": "*",
                        "Principal": "*",
                        "Condition": {"StringEquals": {"kms:CallerAccount": "111122223333"}},
                    },
                ]
            }
        ),
    },
    KEY_POLICY: {
        "policy": json.dumps({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "kms:*"}})
    },
    PASSWORD_RULES: {
        "minimumPasswordLength": 14,
        "passwordReusePrevention": 24,
        "requireLowercaseCharacters": True,
        "requireUppercaseCharacters": True,
        "requireNumbers": True,
        "requireSymbols": True,
    },
    POLICY_ATTACHMENT: {"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
    LOG_GROUP: {"kmsKeyId": "arn:key"},
    ALARM: {"actionsEnabled": True},
    COMPOSITE_ALARM: {"alarmRule": "ALARM(api)"},
    SUBSCRIPTION: {"protocol": "email"},
}

OFFENCES: dict[str, dict[str, list[Any]]] = {
    # What containers are told
    "swagger-disabled": together(
        everywhere("ENABLE_SWAGGER", "true", 'ENABLE_SWAGGER is "true"'),
        everywhere("OPENAPI_ENABLED", "1", 'OPENAPI_ENABLED is "1"'),
    ),
    "rate-limit-flag-enabled": together(
        everywhere("ENABLE_RATE_LIMIT", "false", 'ENABLE_RATE_LIMIT is "false"'),
        everywhere("RATE_LIMITING_ENABLED", "", 'RATE_LIMITING_ENABLED is ""'),
        everywhere("DISABLE_RATE_LIMIT", "yes", 'DISABLE_RATE_LIMIT is "yes"'),
    ),
    "mode-env-valid": everywhere("MODE", "wroker", 'MODE is "wroker", not one of api, worker, all'),
    "no-development-mode": together(
        everywhere("NODE_ENV", "development", 'NODE_ENV is "development"'),
        everywhere("DEBUG", "*", 'DEBUG is "*"'),
        everywhere("FLASK_DEBUG", "1", 'FLASK_DEBUG is "1"'),
    ),
    "required-env-present": {
        TASK: [
            (told(TWILIO_REQUIRED="true"), "container api: TWILIO is not set"),
            (told(SENTRY_REQUIRED="true", SENTRY=""), "container api: SENTRY is empty"),
        ],
        FUNCTION: [
            (
                {"environment.variables": {"API_KEY_REQUIRED": "true"}},
                "environment: API_KEY is not set",
            ),
        ],
        **in_every_workload((told_pod(API_KEY_REQUIRED="true"), "container api: API_KEY is not set")),
    },
    # How they reach their stores
    "database-url-sslmode": together(
        everywhere(
            "STORE", "postgres://db:5432/rentfix", "STORE is a URL of PostgreSQL that does not ask for TLS"
        ),
        everywhere("STORE", "postgresql+asyncpg://db/a?sslmode=prefer", "STORE says sslmode=prefer"),
        everywhere("PGSSLMODE", "disable", "PGSSLMODE says sslmode=disable"),
        {
            SECRET: [
                (
                    {"secretString": f"postgresql://app:{STRONG}@db/rentfix?connection_limit=3"},
                    "secretString is a URL of PostgreSQL that does not ask for TLS",
                ),
                (
                    {
                        "secretString": json.dumps(
                            {"url": f"jdbc:postgresql://db/a?password={STRONG}", "port": 5432}
                        )
                    },
                    "secretString.url is a URL of PostgreSQL that does not ask for TLS",
                ),
            ],
            SSM_PARAMETER: [
                ({"value": "postgres://db/a?sslmode=disable"}, "value says sslmode=disable"),
            ],
        },
    ),
    "stores-over-tls": together(
        everywhere(
            "STORE", "redis://cache:6379/0", "STORE is a URL that begins with redis://, not rediss://"
        ),
        everywhere("QUEUE", "AMQP://events", "QUEUE is a URL that begins with amqp://, not amqps://"),
        everywhere("REDIS_TLS", "false", 'REDIS_TLS is "false"'),
        everywhere("MINIO_USE_SSL", "Off", 'MINIO_USE_SSL is "Off"'),
        everywhere(
            "NODE_TLS_REJECT_UNAUTHORIZED",
            "0",
            'NODE_TLS_REJECT_UNAUTHORIZED is "0", and any certificate is believed',
        ),
        {
            SECRET: [
                (
                    {"secretString": f"redis://:{STRONG}@cache.internal:6379"},
                    "secretString is a URL that begins with redis://, not rediss://",
                ),
            ],
            SSM_PARAMETER: [
                ({"value": "amqp://events"}, "value is a URL that begins with amqp://, not amqps://"),
            ],
        },
    ),
    "no-debug-ports": in_every_workload(
        (pod({"command": ["node", "--inspect"]}), "container api passes --inspect in its command"),
        (pod({"args": ["--inspect-brk=0.0.0.0"]}), "container api passes --inspect in its command"),
        (pod({"ports": [{"name": "http", "containerPort": 9229}]}), "container api maps port 9229"),
        (told_pod(NODE_OPTIONS="--inspect"), "container api passes --inspect in NODE_OPTIONS"),
    ),
    "cors-restricted": together(
        in_every_workload((told_pod(CORS_ORIGIN="*"), "container api: CORS_ORIGIN lets in *")),
        {
            TASK: [
                (
                    variable("CORS_ALLOW_ALL_ORIGINS", "true"),
                    "container api: CORS_ALLOW_ALL_ORIGINS lets in true",
                ),
            ],
            FUNCTION: [
                (
                    {"environment.variables": {"ALLOWED_ORIGINS": "https://a.com,null"}},
                    "environment: ALLOWED_ORIGINS lets in null",
                ),
            ],
            FUNCTION_URL: [({"cors.allowOrigins": ["*"]}, "cors.allowOrigins lets in *")],
            HTTP_API: [
                (
                    {"corsConfiguration.allowOrigins": ["http://rentfix.com"]},
                    "corsConfiguration.allowOrigins lets in http://rentfix.com",
                ),
            ],
        },
    ),
    # Secrets and passwords
    "no-plaintext-secrets-in-env": {
        TASK: [
            (variable("SIGNING_KEY", "k"), "container api: SIGNING_KEY is a plain variable"),
            (
                variable("SLACK_WEBHOOK_URL", "https://a"),
                "container api: SLACK_WEBHOOK_URL is a plain variable",
            ),
            (variable("GIT", f"ghp_{'a1' * 18}"), "container api: the value of GIT holds a credential"),
            (
                container(command=["sh", "-c", f"curl https://bot:{STRONG}@git.rentfix.com"]),
                "container api: its command holds a credential",
            ),
            (
                container(dockerLabels={"note": "AKIAIOSFODNN7EXAMPLE"}),
                "container api: the label note holds a credential",
            ),
            (
                container(logConfiguration={"logDriver": "splunk", "options": {"splunk-token": STRONG}}),
                "container api: the log option splunk-token is written in the clear",
            ),
        ],
    },
    "secret-min-strength": {
        CACHE_USER: [({"passwords": [STRONG, "Ab1"]}, "passwords[1] lacks 13 more characters")],
    },
    "no-default-secrets": {
        CACHE_USER: [({"passwords": ["Changeme12345678"]}, "passwords[0] is a default or a placeholder")],
        SSM_PARAMETER: [({"value": "changeme"}, "value is a default or a placeholder")],
    },
    "no-secrets-in-plain-text": {
        SSM_PARAMETER: [
            ({"type": "String"}, 'type is "String", and it holds a secret'),
            (
                {"type": "StringList", "name": "/rentfix/hosts", "value": "https://a:Pa55word@b"},
                'type is "StringList", and it holds a secret',
            ),
        ],
        MACHINE: [
            ({"userData": "export DB_PASSWORD=hunter2hunter2"}, "userData holds a credential"),
            ({"userData": "git clone https://bot:s3cr3ts@git.rentfix.com/a"}, "userData holds a credential"),
        ],
        LAUNCH_TEMPLATE: [({"userData": "-----BEGIN RSA PRIVATE KEY-----"}, "userData holds a credential")],
        SCHEDULE: [
            (
                {"target.input": '{"environment": [{"value": "AKIAIOSFODNN7EXAMPLE"}]}'},
                "target.input holds a credential",
            ),
        ],
        EVENT_TARGET: [({"input": '"xoxb-1"'}, "input holds a credential")],
    },
    "secret-own-key": {SECRET_ITSELF: [({"kmsKeyId": LEFT_OUT}, "kmsKeyId is not set")]},
    "secret-kept": {
        SECRET_ITSELF: [
            ({"recoveryWindowInDays": 0.0}, "recoveryWindowInDays is 0, at least 7 days are asked for"),
        ],
    },
    "secret-rotation-soon": {
        ROTATION: [
            (
                {"rotationRules.automaticallyAfterDays": 180},
                "rotationRules.automaticallyAfterDays is 180, at most 90 days are asked for",
            ),
            ({"rotationRules": LEFT_OUT}, "rotationRules.automaticallyAfterDays is not set"),
        ],
    },
    # Who may do what
    "iam-least-privilege": {
        "aws:iam/policy:Policy": [
            (
                statement(Action="s3:GetObject", Resource="arn:aws:s3:::*/*"),
                'statement 1 allows s3:GetObject on the resource "arn:aws:s3:::*/*"',
            ),
            (
                statement(
                    Action=["secretsmanager:GetSecretValue"],
                    Resource=["arn:aws:secretsmanager:*:111122223333:secret:*"],
                ),
                "statement 1 allows secretsmanager:GetSecretValue on the resource "
                '"arn:aws:secretsmanager:*:111122223333:secret:*"',
            ),
        ],
        POLICY_ATTACHMENT: [
            (
                {"policyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"},
                '"arn:aws:iam::aws:policy/AmazonS3FullAccess" is attached',
            ),
        ],
    },
    "role-trust-narrow": {
        ROLE: [
            (trust("*"), "statement 1 of assumeRolePolicy lets everybody take the role"),
            (trust({"AWS": ["*"]}), "statement 1 of assumeRolePolicy lets everybody take the role"),
            (
                trust({"AWS": "arn:aws:iam::444455556666:root"}),
                "statement 1 of assumeRolePolicy lets the whole account arn:aws:iam::444455556666:root take the role",
            ),
            *(
                (
                    federated(subject),
                    "statement 1 of assumeRolePolicy lets whatever token.actions.githubusercontent.com knows take "
                    "the role",
                )
                for subject in (
                    "",
                    "*",
                    "repo:*",
                    "repo:rentfix/*",
                    ["repo:rentfix/platform:*", "repo:rentfix*"],
                )
            ),
            (
                federated(
                    "repo:rentfix/platform:ref:refs/heads/main", key="token.actions.githubusercontent.com:aud"
                ),
                "statement 1 of assumeRolePolicy lets whatever token.actions.githubusercontent.com knows take the role",
            ),
        ],
    },
    "kms-policy-not-public": {
        KEY: [
            (
                statement(Action=["kms:Decrypt", "kms:Encrypt"], Principal="*"),
                "statement 1 allows everybody kms:Decrypt, kms:Encrypt",
            ),
        ],
        KEY_POLICY: [
            (
                statement(Action="kms:*", Principal={"AWS": "*"}, Sid="Open"),
                "statement Open allows everybody kms:*",
            ),
            (
                statement(
                    Action="kms:*",
                    Principal={"AWS": "*"},
                    Condition={"StringLike": {"kms:CallerAccount": "*"}},
                ),
                "statement 1 allows everybody kms:*",
            ),
        ],
    },
    "kms-key-kept": {
        KEY: [
            ({"deletionWindowInDays": 7.0}, "deletionWindowInDays is 7, at least 30 days are asked for"),
            ({"isEnabled": False}, "isEnabled is false"),
            ({"bypassPolicyLockoutSafetyCheck": True}, "bypassPolicyLockoutSafetyCheck is true"),
        ],
    },
    "kms-rotation": {KEY: [({"rotationPeriodInDays": 2560}, "rotationPeriodInDays is 2560")]},
    "account-password-rules": {
        PASSWORD_RULES: [
            ({"minimumPasswordLength": 8}, "minimumPasswordLength is 8, at least 14 is asked for"),
            (
                {"passwordReusePrevention": LEFT_OUT},
                "passwordReusePrevention is not set, at least 24 is asked for",
            ),
            ({"requireNumbers": False}, "requireNumbers is false"),
        ],
    },
    # The network
    "sg-egress-narrow": {
        EGRESS_RULE: [
            (
                {"ipProtocol": "-1", "fromPort": LEFT_OUT, "toPort": LEFT_OUT},
                'lets out all ports to "0.0.0.0/0"',
            ),
        ],
        GROUP: [
            (let_out(cidrBlocks=["0.0.0.0/0"]), 'lets out all ports to "0.0.0.0/0"'),
            (let_out("tcp", (0, 65535), ipv6CidrBlocks=["::/0"]), 'lets out all tcp ports to "::/0"'),
        ],
        DEFAULT_GROUP: [(let_out("all", cidrBlocks=["128.0.0.0/1"]), 'lets out all ports to "128.0.0.0/1"')],
        GROUP_RULE: [
            (
                {
                    "type": "egress",
                    "protocol": "-1",
                    "cidrBlocks": ["0.0.0.0/0"],
                    "sourceSecurityGroupId": LEFT_OUT,
                },
                'lets out all ports to "0.0.0.0/0"',
            ),
        ],
    },
    "no-ssh-inside": {
        INGRESS_RULE: [
            (ingress_rule("tcp", (20, 30), prefixListId="pl-1"), "opens ports 20 to 30, and with it 22"),
        ],
    },
    "subnet-no-public-ip": {SUBNET: [({"mapPublicIpOnLaunch": True}, "mapPublicIpOnLaunch is true")]},
    "peering-route-narrow": {
        ROUTE: [
            ({"destinationCidrBlock": "0.0.0.0/0"}, 'destinationCidrBlock is "0.0.0.0/0"'),
            ({"destinationIpv6CidrBlock": "::/0"}, 'destinationIpv6CidrBlock is "::/0"'),
        ],
        ROUTE_TABLE: [
            (
                {"routes": [{"cidrBlock": "0.0.0.0/1", "vpcPeeringConnectionId": "pcx-1"}]},
                'routes[0].cidrBlock is "0.0.0.0/1"',
            ),
        ],
        DEFAULT_ROUTE_TABLE: [
            (
                {"routes": [{"ipv6CidrBlock": "::/0", "vpcPeeringConnectionId": "pcx-1"}]},
                'routes[0].ipv6CidrBlock is "::/0"',
            ),
        ],
    },
    "prefix-list-not-the-world": {
        PREFIX_LIST: [({"entries": [{"cidr": "10.0.0.0/8"}, {"cidr": "0.0.0.0/0"}]}, 'it holds "0.0.0.0/0"')],
        PREFIX_LIST_ENTRY: [({"cidr": "::/0"}, 'it holds "::/0"')],
    },
    "ecs-no-public-ip": {
        SCHEDULE: [
            (
                {"target.ecsParameters": {"networkConfiguration": {"assignPublicIp": True}}},
                "target.ecsParameters.networkConfiguration.assignPublicIp is true",
            ),
        ],
        EVENT_TARGET: [
            (
                {"ecsTarget": {"networkConfiguration": {"assignPublicIp": True}}},
                "ecsTarget.networkConfiguration.assignPublicIp is true",
            ),
        ],
    },
    # The edge
    "alb-tls-min-1-2": {
        DISTRIBUTION: [
            (
                {
                    "origins": [
                        {
                            "originId": "api",
                            "customOriginConfig": {
                                "originProtocolPolicy": "https-only",
                                "originSslProtocols": ["TLSv1.2", "SSLv3", "TLSv1"],
                            },
                        }
                    ]
                },
                "origins[0].customOriginConfig.originSslProtocols holds SSLv3, TLSv1",
            ),
        ],
    },
    "alb-desync-mitigation": {
        kind: [({"desyncMitigationMode": "monitor"}, 'desyncMitigationMode is "monitor"')]
        for kind in BALANCERS
    },
    "balancer-spans-zones": {
        BALANCERS[0]: [
            ({"subnets": ["subnet-a"]}, "subnets holds one subnet"),
            ({"subnetMappings": [{"subnetId": "subnet-a"}]}, "subnetMappings holds one subnet"),
        ],
    },
    "classic-balancer-tls": {
        CLASSIC_BALANCER: [
            ({"listeners": [{"lbPort": 80, "lbProtocol": "HTTP"}]}, 'listeners[0].lbProtocol is "HTTP"'),
            ({"accessLogs": LEFT_OUT}, "accessLogs.enabled is not set"),
            ({"accessLogs.enabled": False}, "accessLogs.enabled is false"),
        ],
    },
    "certificate-renews-itself": {
        CERTIFICATE: [
            ({"validationMethod": "EMAIL"}, 'validationMethod is "EMAIL"'),
            ({"certificateBody": "-----"}, "certificateBody is set: an imported certificate is not renewed"),
            ({"keyAlgorithm": "RSA_1024"}, 'keyAlgorithm is "RSA_1024"'),
            (
                {"options": {"certificateTransparencyLoggingPreference": "DISABLED"}},
                'options.certificateTransparencyLoggingPreference is "DISABLED"',
            ),
        ],
    },
    "cdn-own-certificate": {
        DISTRIBUTION: [
            (
                {"viewerCertificate.acmCertificateArn": LEFT_OUT},
                "viewerCertificate.acmCertificateArn is not set",
            ),
            (
                {"viewerCertificate.sslSupportMethod": "vip"},
                'viewerCertificate.sslSupportMethod is "vip"',
            ),
        ],
    },
    "cdn-default-root": {DISTRIBUTION: [({"defaultRootObject": LEFT_OUT}, "defaultRootObject is not set")]},
    "security-headers-on-public-entry": {
        LISTENER: [
            (
                {"routingHttpResponseStrictTransportSecurityHeaderValue": "max-age=0"},
                'routingHttpResponseStrictTransportSecurityHeaderValue is "max-age=0"',
            ),
            (
                {"routingHttpResponseXFrameOptionsHeaderValue": "ALLOWALL"},
                'routingHttpResponseXFrameOptionsHeaderValue is "ALLOWALL"',
            ),
            (
                {"routingHttpResponseXContentTypeOptionsHeaderValue": "sniff"},
                'routingHttpResponseXContentTypeOptionsHeaderValue is "sniff"',
            ),
        ],
        RESPONSE_HEADERS: [
            (
                {
                    "securityHeadersConfig.strictTransportSecurity": {
                        "accessControlMaxAgeSec": 60.0,
                        "preload": True,
                    }
                },
                'securityHeadersConfig.strictTransportSecurity is "max-age=60; preload"',
            ),
        ],
        INGRESS: [
            (
                ingress(**{"listener-attributes.HTTPS-443": headers(x_frame_options="ALLOW-FROM *")}),
                "listener-attributes.HTTPS-443: routing.http.response.x_frame_options.header_value is "
                '"ALLOW-FROM *"',
            ),
        ],
    },
    "waf-managed-rules": {
        WEB_ACL: [
            (
                {"rules": [managed(MANAGED[0]), managed(MANAGED[1], overrideAction={"count": {}})]},
                f"it does not block by {MANAGED[1]}",
            ),
            ({"rules": LEFT_OUT}, f"it does not block by {', '.join(MANAGED)}"),
        ],
    },
    "waf-measured": {
        WEB_ACL: [
            (
                {"visibilityConfig": {"cloudwatchMetricsEnabled": False}},
                "visibilityConfig.cloudwatchMetricsEnabled is false",
            ),
            (
                {"rules": [managed(MANAGED[0]), managed(MANAGED[1], visibilityConfig={})]},
                f"rule {MANAGED[1]}: visibilityConfig.cloudwatchMetricsEnabled is not set",
            ),
        ],
        RULE_GROUP: [
            (
                {"rules": [{"name": "limit"}]},
                "rule limit: visibilityConfig.cloudwatchMetricsEnabled is not set",
            ),
        ],
    },
    "api-calls-authorized": {
        METHOD: [
            ({"authorization": "NONE"}, 'authorization is "NONE"'),
            ({"authorization": LEFT_OUT}, "authorization is not set"),
        ],
        HTTP_ROUTE: [
            ({"authorizationType": LEFT_OUT}, "authorizationType is not set"),
            ({"authorizationType": "NONE", "routeKey": "$default"}, 'authorizationType is "NONE"'),
        ],
    },
    "api-logged": {
        kind: [({"accessLogSettings": LEFT_OUT}, "accessLogSettings is not set")]
        for kind in (STAGE, HTTP_STAGE)
    },
    "api-throttled": {
        HTTP_STAGE: [
            (
                {"defaultRouteSettings": {"throttlingRateLimit": 100}},
                "defaultRouteSettings.throttlingBurstLimit is not set",
            ),
        ],
    },
    "api-tls-min-1-2": {
        DOMAIN: [
            ({"securityPolicy": LEFT_OUT}, "securityPolicy is not set"),
            ({"securityPolicy": "TLS_1_0"}, 'securityPolicy is "TLS_1_0"'),
        ],
        HTTP_DOMAIN: [
            ({"domainNameConfiguration": {}}, "domainNameConfiguration.securityPolicy is not set"),
        ],
    },
    # What is watched
    "log-group-encrypted": {LOG_GROUP: [({"kmsKeyId": LEFT_OUT}, "kmsKeyId is not set")]},
    "alarm-actions-enabled": {
        kind: [({"actionsEnabled": False}, "actionsEnabled is false")] for kind in (ALARM, COMPOSITE_ALARM)
    },
    "subscription-over-tls": {SUBSCRIPTION: [({"protocol": "http"}, 'protocol is "http"')]},
}

THRESHOLDS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("mode-env-valid", TASK, variable("MODE", "cron"), {"modes": ["cron"]}),
    ("secret-kept", SECRET_ITSELF, {"recoveryWindowInDays": 0}, {"minimum_days": 0}),
    (
        "secret-rotation-soon",
        ROTATION,
        {"rotationRules": {"automaticallyAfterDays": 180}},
        {"maximum_days": 180},
    ),
    ("kms-key-kept", KEY, {"deletionWindowInDays": 7}, {"minimum_days": 7}),
    ("account-password-rules", PASSWORD_RULES, {"minimumPasswordLength": 12}, {"minimum_length": 12}),
    ("account-password-rules", PASSWORD_RULES, {"passwordReusePrevention": 5}, {"minimum_remembered": 5}),
    ("waf-managed-rules", WEB_ACL, {"rules": [managed(MANAGED[0])]}, {"groups": [MANAGED[0]]}),
    (
        "security-headers-on-public-entry",
        LISTENER,
        {"routingHttpResponseStrictTransportSecurityHeaderValue": "max-age=300"},
        {"minimum_max_age_s": 300},
    ),
]

# What a threshold adds instead of taking away is tried in test_policies_edge.py, what whole stacks are asked in
# test_policies_stack_edge.py.
TRIED_ELSEWHERE = {
    ("swagger-disabled", "containers"),
    ("rate-limit-flag-enabled", "containers"),
    ("required-env-present", "required"),
    ("security-headers-on-public-entry", "declared"),
    ("secrets-declared", "elsewhere"),
    ("connection-budget", "share_percent"),
    ("connection-budget", "pools"),
    ("admin-access-via-vpn", "vpn"),
    ("sg-least-edges", "edges"),
    ("internal-services-not-public", "services"),
    ("public-entry-has-alb", "services"),
    ("metrics-not-public", "paths"),
    ("metrics-not-public", "ports"),
    ("dns-record-for-public-host", "declared"),
    ("cdn-present-when-declared", "declared"),
    ("upload-size-limited", "uploads"),
    ("required-alarms-present", "declared"),
    ("dashboard-present", "sections"),
}
