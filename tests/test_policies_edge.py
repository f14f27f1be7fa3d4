"""Rules about the edge, the network, what containers are told and who may do what: what a table of offences has no
room for."""

import json

import credentials
import pytest
from catalogue import RULES
from configuration import problems
from openings import openings, ways_out
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from tests.policy_builders import (
    BYTES,
    CACHE_USER,
    CRON_JOB,
    DEPLOYMENT,
    DISTRIBUTION,
    FUNCTION,
    GROUP,
    GROUP_RULE,
    INGRESS,
    INGRESS_RULE,
    LEFT_OUT,
    LISTENER,
    RESPONSE_HEADERS,
    SECRET,
    TARGETS,
    TASK,
    container,
    headers,
    ingress,
    pod,
    statement,
    variable,
    workload,
)
from tests.policy_examples import spoiled
from tests.policy_examples_edge import (
    BALANCERS,
    CERTIFICATE,
    EGRESS_RULE,
    HTTP_ROUTE,
    KEY,
    MACHINE,
    MANAGED,
    METHOD,
    POLICY_ATTACHMENT,
    ROLE,
    ROTATION,
    ROUTE,
    SECRET_ITSELF,
    SSM_PARAMETER,
    WEB_ACL,
    federated,
    let_out,
    managed,
    told,
    told_pod,
    trust,
)
from tests.policy_stack import configuration_of
from tests.program import ALL_STACKS, ROOT

BY_ID = {rule.id: rule for rule in RULES}
POLICY = "aws:iam/policy:Policy"


def said(rule_id, resource_type, changes, name="example", **settings):
    """What one rule says about the good resource with these changes."""
    rule = BY_ID[rule_id]
    asked = {"name": name, "resource_type": resource_type}
    props = unknown_checking_proxy(spoiled(resource_type, changes))
    return list(rule.check(props, *(asked[what] for what in rule.takes), **settings))


# What containers are told


@pytest.mark.parametrize(
    ("rule_id", "flag"),
    [("swagger-disabled", "ENABLE_SWAGGER"), ("rate-limit-flag-enabled", "ENABLE_RATE_LIMIT")],
)
@pytest.mark.parametrize(
    ("kind", "silent", "where"),
    [
        (TASK, told(PORT="3000"), "container api"),
        (DEPLOYMENT, workload(DEPLOYMENT, told_pod(PORT="3000")), "container api"),
        (FUNCTION, {"environment.variables": {"PORT": "3000"}}, "environment"),
    ],
)
def test_a_container_that_has_to_say_so_must_not_be_silent(rule_id, flag, kind, silent, where):
    assert said(rule_id, kind, silent, name="api") == []
    assert said(rule_id, kind, silent, name="api", containers=["worker"]) == []
    assert said(rule_id, kind, silent, name="api", containers=["api"]) == [f"{where}: {flag} is not set"]


@pytest.mark.parametrize(
    ("rule_id", "changes"),
    [
        ("swagger-disabled", told(ENABLE_SWAGGER="False", SWAGGER_URL="https://docs.rentfix.com")),
        ("rate-limit-flag-enabled", told(ENABLE_RATE_LIMIT="TRUE", DISABLE_RATE_LIMIT="false")),
        ("rate-limit-flag-enabled", told(RATE_LIMIT_MAX_REQUESTS="100")),
        ("mode-env-valid", told(MODE="worker", TRANSFER_MODE="binary")),
        ("no-development-mode", told(NODE_ENV="production", DEBUG="false", DEBUG_COLORS="yes")),
        ("required-env-present", told(TWILIO_REQUIRED="false")),
        ("required-env-present", told(TWILIO_REQUIRED="true", TWILIO="on")),
        (
            "database-url-sslmode",
            told(A="postgres://db/a?connect_timeout=5&sslmode=verify-full", B="postgres"),
        ),
        ("database-url-sslmode", told(A="postgresql://db/a?ssl=true", PGSSLMODE="require")),
        (
            "stores-over-tls",
            told(A="rediss://cache", B="amqps://events", C="redis://localhost:6379", TLS="true"),
        ),
        ("stores-over-tls", told(NODE_TLS_REJECT_UNAUTHORIZED="1", DB_SSL="true", SSL_CERT_FILE="off")),
        ("no-plaintext-secrets-in-env", told(JWT_TOKEN_URL="https://a", SECRET_ARN="arn:x", KEYBOARD="de")),
        (
            "no-plaintext-secrets-in-env",
            container(logConfiguration={"logDriver": "splunk", "options": {"splunk-url": "https://logs"}}),
        ),
        ("cors-restricted", told(CORS_METHODS="*", CORS_ORIGIN="https://rentfix.com")),
    ],
)
def test_what_a_container_may_be_told(rule_id, changes):
    assert said(rule_id, TASK, changes) == []


def test_variables_that_a_container_cannot_do_without_are_listed_by_container():
    required = ["api: PORT, JWT_SECRET", "api: DB_PASSWORD", "worker: QUEUE"]
    assert said("required-env-present", TASK, told(PORT=""), required=required) == [
        "container api: PORT is empty",
        "container api: JWT_SECRET is not set",
    ]
    spec = {
        "env": [{"name": "PORT", "value": "3000"}, {"name": "JWT_SECRET", "valueFrom": {"secretKeyRef": {}}}]
    }
    assert said("required-env-present", DEPLOYMENT, workload(DEPLOYMENT, pod(spec)), required=required) == [
        "container api: DB_PASSWORD is not set"
    ]
    told_by_name = {"environment.variables": {"PORT": "1"}}
    assert said("required-env-present", FUNCTION, told_by_name, name="api", required=required) == [
        "environment: JWT_SECRET is not set",
        "environment: DB_PASSWORD is not set",
    ]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (TASK, container(environmentFiles=[{"type": "s3", "value": "arn:x"}], environment=[])),
        (CRON_JOB, workload(CRON_JOB, pod({"env": [], "envFrom": [{"configMapRef": {"name": "all"}}]}))),
    ],
)
def test_nobody_sees_what_a_file_of_variables_brings(kind, changes):
    assert said("required-env-present", kind, changes, required=["api: PORT"]) == []
    assert said("swagger-disabled", kind, changes, containers=["api"]) == []


def test_a_value_from_another_resource_is_there_whatever_it_is():
    spec = {
        "env": [
            {"name": "MODE", "value": UNKNOWN_STRING_VALUE},
            {"name": "NODE", "valueFrom": {"fieldRef": {}}},
        ]
    }
    changes = workload(DEPLOYMENT, pod(spec))
    assert said("required-env-present", DEPLOYMENT, changes, required=["api: MODE, NODE"]) == []
    for rule_id in ("mode-env-valid", "no-development-mode", "stores-over-tls", "cors-restricted"):
        assert said(rule_id, DEPLOYMENT, changes) == []


@pytest.mark.parametrize("rule_id", ["database-url-sslmode", "stores-over-tls"])
def test_a_secret_that_is_not_known_yet_waits(rule_id):
    with pytest.raises(UnknownValueError):
        said(rule_id, SECRET, {"secretString": UNKNOWN_STRING_VALUE})
    assert said(rule_id, SECRET, {"secretString": LEFT_OUT}) == []


# Secrets


CANARY = "canary-s3cr3t"


@pytest.mark.parametrize(
    ("rule_id", "kind", "changes"),
    [
        ("no-plaintext-secrets-in-env", TASK, container(command=[f"https://a:{CANARY}@b"])),
        (
            "no-plaintext-secrets-in-env",
            TASK,
            container(logConfiguration={"logDriver": "splunk", "options": {"splunk-token": CANARY}}),
        ),
        ("database-url-sslmode", SECRET, {"secretString": f"postgres://app:{CANARY}@db/a"}),
        ("database-url-sslmode", TASK, variable("STORE", f"postgres://app:{CANARY}@db/a?sslmode=disable")),
        ("stores-over-tls", SECRET, {"secretString": f"redis://:{CANARY}@cache"}),
        ("no-secrets-in-plain-text", SSM_PARAMETER, {"type": "String", "value": CANARY}),
        ("no-secrets-in-plain-text", MACHINE, {"userData": f"export PASSWORD={CANARY}"}),
        ("no-default-secrets", SSM_PARAMETER, {"value": "changeme:canary"}),
        ("secret-min-strength", CACHE_USER, {"passwords": ["canary"]}),
    ],
)
def test_no_finding_shows_a_secret(rule_id, kind, changes):
    found = said(rule_id, kind, changes)
    assert found
    assert not [finding for finding in found if "canary" in finding]


@pytest.mark.parametrize(
    "script",
    [
        "export DB_HOST=db.internal",
        'export DB_PASSWORD="$(aws secretsmanager get-secret-value --secret-id db)"',
        "export DB_PASSWORD=$PASSWORD",
        "TOKEN_TTL=900000",
    ],
)
def test_a_start_script_may_fetch_its_secrets(script):
    assert said("no-secrets-in-plain-text", MACHINE, {"userData": script}) == []


def test_a_start_script_that_is_not_known_yet_is_not_passed_over():
    with pytest.raises(UnknownValueError):
        said("no-secrets-in-plain-text", MACHINE, {"userData": UNKNOWN_STRING_VALUE})


@pytest.mark.parametrize("name", ["/rentfix/replica-count", "/rentfix/jwt-ttl", "/rentfix/api-key-header"])
def test_a_parameter_that_is_no_secret_may_be_read(name):
    assert (
        said("no-secrets-in-plain-text", SSM_PARAMETER, {"type": "String", "name": name, "value": "4"}) == []
    )


def test_a_rotation_by_the_calendar_is_one():
    assert (
        said("secret-rotation-soon", ROTATION, {"rotationRules": {"scheduleExpression": "rate(30 days)"}})
        == []
    )


def test_a_secret_without_a_window_is_kept_for_thirty_days():
    assert said("secret-kept", SECRET_ITSELF, {"recoveryWindowInDays": LEFT_OUT}) == []


def test_random_bytes_long_enough_for_a_token_are_a_password_too():
    assert said("secret-min-strength", BYTES, {"length": 12}) == []
    assert credentials.holds_credential("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc")
    assert not credentials.holds_credential("https://rentfix.com/a:b@c")


# Who may do what


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:s3:::rentfix-uploads/*",
        "arn:aws:secretsmanager:us-east-1:111122223333:secret:rentfix/*",
        "arn:aws:kms:us-east-1:111122223333:key/1234",
        "arn:aws:ssm:us-east-1:111122223333:parameter/rentfix/*",
    ],
)
def test_a_part_of_a_service_is_not_all_of_it(resource):
    assert said("iam-least-privilege", POLICY, statement(Action="s3:GetObject", Resource=resource)) == []


@pytest.mark.parametrize(
    "resource",
    [
        "*",
        "arn:aws:s3:::*",
        "arn:aws:kms:*:111122223333:key/*",
        "arn:aws-us-gov:secretsmanager:us-gov-east-1:111122223333:secret:*",
        "arn:aws:ssm:us-east-1:111122223333:parameter/*",
    ],
)
def test_all_of_a_service_is_all_however_it_is_written(resource):
    assert said("iam-least-privilege", POLICY, statement(Action="kms:Decrypt", Resource=resource)) == [
        f'statement 1 allows kms:Decrypt on the resource "{resource}"'
    ]


@pytest.mark.parametrize(
    ("name", "is_wide"),
    [
        ("job-function/SystemAdministrator", False),
        ("AWSCloudShellFullAccess", True),
        ("SecretsManagerReadWrite", True),
        ("service-role/AmazonECSTaskExecutionRolePolicy", False),
        ("AmazonPrometheusRemoteWriteAccess", False),
    ],
)
def test_a_managed_policy_is_too_wide_if_it_gives_a_whole_service_away(name, is_wide):
    arn = f"arn:aws:iam::aws:policy/{name}"
    found = said("iam-least-privilege", POLICY_ATTACHMENT, {"policyArn": arn})
    assert found == ([f'"{arn}" is attached'] if is_wide else [])


@pytest.mark.parametrize(
    "changes",
    [
        {"assumeRolePolicy": LEFT_OUT},
        trust({"Service": ["ecs-tasks.amazonaws.com", "lambda.amazonaws.com"]}),
        trust({"AWS": "arn:aws:iam::444455556666:role/deploy"}),
        trust({"AWS": "444455556666"}, Condition={"StringEquals": {"sts:ExternalId": "x"}}),
        trust("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        trust("*", Effect="Deny"),
        federated("repo:rentfix/platform:ref:refs/heads/main"),
        federated("repo:rentfix/platform:*"),
        federated("system:serviceaccount:rentfix:api", provider="oidc.eks.us-east-1.amazonaws.com/id/1"),
    ],
)
def test_who_may_take_a_role(changes):
    assert said("role-trust-narrow", ROLE, changes) == []


def test_a_key_without_a_policy_of_its_own_has_the_accounts():
    assert said("kms-policy-not-public", KEY, {"policy": LEFT_OUT}) == []


def test_rotation_every_year_or_sooner():
    assert said("kms-rotation", KEY, {"rotationPeriodInDays": 90}) == []


# The network


def ports(found):
    return [(opening.protocol, opening.ports, list(opening.cidr_blocks)) for opening in found]


@pytest.mark.parametrize(
    ("props", "let_in", "sent_out"),
    [
        ({"ingress": [], "egress": []}, [], []),
        (let_out("tcp", (443, 443), cidrBlocks=["0.0.0.0/0"]), [], [("tcp", range(443, 444), ["0.0.0.0/0"])]),
        (
            {
                "type": "egress",
                "protocol": "6",
                "fromPort": 80.0,
                "toPort": 81.0,
                "cidrBlocks": ["10.0.0.0/8"],
            },
            [],
            [("6", range(80, 82), ["10.0.0.0/8"])],
        ),
        (
            {"type": "ingress", "protocol": "All", "ipv6CidrBlocks": ["fd00::/8"]},
            [("all", range(65536), ["fd00::/8"])],
            [],
        ),
        (
            {"ingress": [{"protocol": "icmp", "fromPort": 8, "toPort": 0, "cidrBlocks": ["10.0.0.0/8"]}]},
            [("icmp", range(0), ["10.0.0.0/8"])],
            [],
        ),
    ],
)
def test_every_spelling_of_a_security_group_is_read(props, let_in, sent_out):
    assert ports(openings(props)) == let_in
    assert ports(ways_out(props)) == sent_out


@pytest.mark.parametrize(
    ("props", "has_group", "ids"),
    [
        ({"ipProtocol": "tcp", "referencedSecurityGroupId": "sg-1"}, True, ["sg-1"]),
        ({"ipProtocol": "tcp", "referencedSecurityGroupId": UNKNOWN_STRING_VALUE}, True, []),
        ({"type": "ingress", "protocol": "tcp", "self": True}, True, []),
        ({"type": "ingress", "protocol": "tcp", "self": False, "securityGroups": []}, False, []),
        ({"ingress": [{"protocol": "tcp", "securityGroups": ["sg-2", "sg-1"]}]}, True, ["sg-1", "sg-2"]),
    ],
)
def test_a_source_that_is_a_security_group_is_known_as_one(props, has_group, ids):
    [opening] = openings(unknown_checking_proxy(props))
    assert (opening.has_group, list(opening.group_ids)) == (has_group, ids)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (EGRESS_RULE, {"ipProtocol": "-1", "cidrIpv4": "10.0.0.0/16"}),
        (EGRESS_RULE, {"ipProtocol": "-1", "cidrIpv4": LEFT_OUT, "referencedSecurityGroupId": "sg-1"}),
        (GROUP, let_out("tcp", (0, 1024), cidrBlocks=["0.0.0.0/0"])),
        (GROUP_RULE, {"protocol": "-1", "cidrBlocks": ["10.0.0.0/16"], "type": "egress"}),
    ],
)
def test_what_is_sent_inside_the_network_or_on_some_ports_is_narrow_enough(kind, changes):
    assert said("sg-egress-narrow", kind, changes) == []


def test_a_default_route_to_anything_but_a_peer_is_somebody_elses_business():
    changes = {
        "destinationCidrBlock": "0.0.0.0/0",
        "vpcPeeringConnectionId": LEFT_OUT,
        "natGatewayId": "nat-1",
    }
    assert said("peering-route-narrow", ROUTE, changes) == []


def test_a_rule_of_a_group_that_is_not_known_yet_waits():
    with pytest.raises(UnknownValueError):
        said("sg-no-open-ingress", INGRESS_RULE, {"cidrIpv4": UNKNOWN_STRING_VALUE})


# The edge


DECLARED = [
    "X-Frame-Options: DENY",
    "Strict-Transport-Security: max-age=60",
    "X-XSS-Protection: 1; mode=block",
]
OF_LISTENER = {
    "routingHttpResponseStrictTransportSecurityHeaderValue": "max-age=60",
    "routingHttpResponseXFrameOptionsHeaderValue": "SAMEORIGIN",
}


@pytest.mark.parametrize(
    ("kind", "changes", "found"),
    [
        (
            LISTENER,
            OF_LISTENER,
            ['routingHttpResponseXFrameOptionsHeaderValue is "SAMEORIGIN", not "DENY"'],
        ),
        (LISTENER, {"protocol": "HTTP"}, []),
        (
            INGRESS,
            ingress(**{"listener-attributes.HTTPS-443": headers(strict_transport_security="max-age=60")}),
            [],
        ),
        (
            INGRESS,
            ingress(),
            [
                "listener-attributes.HTTPS-443: routing.http.response.strict_transport_security.header_value is "
                '"max-age=31536000; includeSubDomains", not "max-age=60"'
            ],
        ),
        (
            RESPONSE_HEADERS,
            {
                "securityHeadersConfig.strictTransportSecurity": {"accessControlMaxAgeSec": 60},
                "securityHeadersConfig.xssProtection": {"protection": True},
            },
            ['securityHeadersConfig.xssProtection is "1", not "1; mode=block"'],
        ),
        (
            RESPONSE_HEADERS,
            {
                "securityHeadersConfig": {"contentTypeOptions": {"override": True}},
                "customHeadersConfig": {
                    "items": [
                        {"header": "Strict-Transport-Security", "value": "max-age=60"},
                        {"header": "X-Frame-Options", "value": "DENY"},
                        {"header": "X-XSS-Protection", "value": "1; mode=block"},
                    ]
                },
            },
            [],
        ),
        (DISTRIBUTION, {}, []),
    ],
)
def test_headers_that_are_declared_have_the_declared_value(kind, changes, found):
    assert said("security-headers-on-public-entry", kind, changes, declared=DECLARED) == found


def test_a_header_that_only_cloudfront_can_set_is_asked_of_cloudfront():
    declared = ["Permissions-Policy: camera=()", "Referrer-Policy: no-referrer"]
    assert said("security-headers-on-public-entry", LISTENER, {}, declared=declared) == []
    assert said("security-headers-on-public-entry", RESPONSE_HEADERS, {}, declared=declared) == [
        "customHeadersConfig: permissions-policy is not set",
        "securityHeadersConfig.referrerPolicy is not set",
    ]


@pytest.mark.parametrize(
    ("rule_id", "kind", "changes"),
    [
        (
            "certificate-renews-itself",
            CERTIFICATE,
            {"certificateAuthorityArn": "arn:ca", "validationMethod": LEFT_OUT},
        ),
        ("certificate-renews-itself", CERTIFICATE, {"keyAlgorithm": "EC_prime256v1"}),
        ("balancer-spans-zones", BALANCERS[0], {"subnets": ["subnet-a", "subnet-b"]}),
        ("alb-desync-mitigation", BALANCERS[1], {"desyncMitigationMode": "strictest"}),
        (
            "cdn-default-root",
            DISTRIBUTION,
            {"defaultCacheBehavior.targetOriginId": "api", "defaultRootObject": LEFT_OUT},
        ),
        ("cdn-own-certificate", DISTRIBUTION, {"viewerCertificate.acmCertificateArn": UNKNOWN_STRING_VALUE}),
        (
            "cdn-private-origin",
            DISTRIBUTION,
            {"origins": [{"originId": "inside", "vpcOriginConfig": {"vpcOriginId": "vo-1"}}]},
        ),
        ("target-group-health-check", TARGETS, {"healthCheck.path": "/ready"}),
        ("api-calls-authorized", METHOD, {"httpMethod": "OPTIONS", "authorization": "NONE"}),
        ("api-calls-authorized", METHOD, {"authorization": "NONE", "apiKeyRequired": True}),
        ("api-calls-authorized", HTTP_ROUTE, {"routeKey": "OPTIONS /tickets", "authorizationType": LEFT_OUT}),
        (
            "alb-tls-min-1-2",
            DISTRIBUTION,
            {"origins": [{"originId": "a", "customOriginConfig": {"originSslProtocols": ["TLSv1.2"]}}]},
        ),
    ],
)
def test_what_the_edge_may_be(rule_id, kind, changes):
    assert said(rule_id, kind, changes) == []


def test_the_json_spelling_of_a_web_acl_is_read_too():
    """`ruleJson` is the API's own spelling, with capitals."""
    capitals = [
        {
            "Name": name,
            "Statement": {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": name}},
            "OverrideAction": {"None": {}},
            "VisibilityConfig": {"CloudWatchMetricsEnabled": True},
        }
        for name in MANAGED
    ]
    spelt = {"rules": LEFT_OUT, "ruleJson": json.dumps(capitals)}
    assert said("waf-managed-rules", WEB_ACL, spelt) == []
    assert said("waf-measured", WEB_ACL, spelt) == []
    spelt = {"rules": LEFT_OUT, "ruleJson": json.dumps(capitals[:1])}
    assert said("waf-managed-rules", WEB_ACL, spelt) == [f"it does not block by {MANAGED[1]}"]


def test_a_group_of_another_vendor_or_name_is_asked_for_by_a_threshold():
    changes = {"rules": [managed("ThirdParty")]}
    assert said("waf-managed-rules", WEB_ACL, changes, groups=["ThirdParty"]) == []


# The stacks' own configurations


# Settings that say what a product has; the others are thresholds.
LISTS = {
    "containers",
    "declared",
    "edges",
    "paths",
    "pools",
    "required",
    "sections",
    "services",
    "uploads",
    "vpn",
}


OWN = sorted([*ROOT.glob("policies.*.json"), *ROOT.glob("systems/*/policies.*.json")])


@pytest.mark.parametrize("file", OWN, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_a_systems_own_configuration_relaxes_what_those_of_all_stacks_relax_and_nothing_else(file):
    """It counts alone, so what it leaves out would be as strict as production."""
    shared = json.loads((ROOT / "policies" / "config" / f"{file.stem.rpartition('.')[2]}.json").read_text())
    own = json.loads(file.read_text())
    assert relaxed(own) == relaxed(shared)
    assert list(problems(own, RULES)) == []


def relaxed(config):
    """A configuration without the lists of what a product has."""
    left = {rule_id: without_lists(value) for rule_id, value in config.items()}
    return {rule_id: value for rule_id, value in left.items() if value != {}}


def without_lists(value):
    return (
        {name: said for name, said in value.items() if name not in LISTS}
        if isinstance(value, dict)
        else value
    )


def test_what_is_for_every_product_names_none():
    for file in (ROOT / "policies" / "config").glob("*.json"):
        config = json.loads(file.read_text())
        assert relaxed(config) == config, file


@pytest.mark.parametrize("stack", ALL_STACKS)
def test_every_stack_says_what_its_product_has(stack):
    said = configuration_of(stack)
    assert {"required-env-present", "sg-least-edges", "public-entry-has-alb", "connection-budget"} <= set(
        said
    )
