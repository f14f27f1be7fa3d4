"""The way in by Ingress: each annotation, each path, what is refused, and what the stacks make of it."""

import dataclasses
import json
import re

import pytest

from components._entry import SecurityHeaders, TargetHealth
from components._ingress import Group, Route
from components.kubernetes_ingress import KubernetesIngress, KubernetesIngressArgs
from local.provider import manifests
from settings.data.kubernetes import VERSIONS
from tests.kubernetes_stacks import (
    ALARM,
    DEPLOYMENT,
    EXISTING,
    INGRESS,
    LISTENER,
    RULE,
    SCALED,
    STACKS,
    TARGETS,
    configured_with_ingress,
    ingress,
    pods,
)
from tests.program import run
from tests.recorder import record

POLICY = "aws:iam/rolePolicy:RolePolicy"

GROUP = Group(
    name="shop-prod",
    subnet_ids=["subnet-a", "subnet-b"],
    security_group_id="sg-balancer",
    certificate_arn="arn:aws:acm:us-east-1:111122223333:certificate/1",
    web_acl_arn="arn:aws:wafv2:us-east-1:111122223333:regional/webacl/waf/2",
    tls_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
    access_log_bucket="logs",
    access_log_prefix="ingress",
)
ROUTE = Route(
    service="api",
    port=3000,
    hosts=["api.example.com"],
    order=100,
    health=TargetHealth(path="/health/ready", interval_s=10),
)
BALANCER = (
    "access_logs.s3.enabled=true,access_logs.s3.bucket=logs,access_logs.s3.prefix=ingress,"
    "client_keep_alive.seconds=3600,deletion_protection.enabled=true,idle_timeout.timeout_seconds=60,"
    "routing.http.desync_mitigation_mode=defensive,routing.http.drop_invalid_header_fields.enabled=true,"
    "routing.http.preserve_host_header.enabled=true,routing.http.xff_header_processing.mode=append,"
    "routing.http2.enabled=true"
)
RESPONSE = "routing.http.response."
HEADERS = (
    f"{RESPONSE}server.enabled=false,"
    f"{RESPONSE}strict_transport_security.header_value=max-age=31536000; includeSubDomains,"
    f"{RESPONSE}x_content_type_options.header_value=nosniff,"
    f"{RESPONSE}x_frame_options.header_value=DENY"
)


def build(group=None, **route):
    args = KubernetesIngressArgs(
        namespace="shop",
        deployment_name="api-pods",
        group=dataclasses.replace(GROUP, **(group or {})),
        route=dataclasses.replace(ROUTE, **route),
    )
    return record(lambda: KubernetesIngress("api", args)).one(INGRESS)


def annotations(made):
    """Without the controller's prefix."""
    return {
        key.removeprefix("alb.ingress.kubernetes.io/"): value
        for key, value in made["metadata"]["annotations"].items()
    }


def paths(made):
    (rule,) = made["spec"]["rules"]
    return [
        (path["path"], path["backend"]["service"]["name"], *path["backend"]["service"]["port"].values())
        for path in rule["http"]["paths"]
    ]


def test_every_annotation_of_a_plain_route():
    made = build()
    assert made["metadata"]["name"] == "api"
    assert made["metadata"]["labels"] == {"app": "api-pods", "app.kubernetes.io/name": "api"}
    assert annotations(made) == {
        "external-dns.alpha.kubernetes.io/hostname": "api.example.com",
        "group.name": "shop-prod",
        "group.order": "100",
        "scheme": "internet-facing",
        "ip-address-type": "ipv4",
        "subnets": "subnet-a,subnet-b",
        "security-groups": "sg-balancer",
        "manage-backend-security-group-rules": "false",
        "listen-ports": '[{"HTTP": 80}, {"HTTPS": 443}]',
        "ssl-redirect": "443",
        "ssl-policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "certificate-arn": "arn:aws:acm:us-east-1:111122223333:certificate/1",
        "wafv2-acl-arn": "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/waf/2",
        "load-balancer-attributes": BALANCER,
        "listener-attributes.HTTPS-443": HEADERS,
        "target-type": "ip",
        "backend-protocol": "HTTP",
        "target-group-attributes": (
            "deregistration_delay.timeout_seconds=30,load_balancing.algorithm.type=least_outstanding_requests"
        ),
        "healthcheck-protocol": "HTTP",
        "healthcheck-port": "traffic-port",
        "healthcheck-path": "/health/ready",
        "healthcheck-interval-seconds": "10",
        "healthcheck-timeout-seconds": "5",
        "healthy-threshold-count": "2",
        "unhealthy-threshold-count": "3",
        "success-codes": "200",
    }
    assert made["spec"]["ingressClassName"] == "alb"
    assert paths(made) == [("/*", "api", 3000)]


def test_the_load_balancer_is_what_the_group_says():
    made = annotations(
        build({
            "load_balancer_name": "shop",
            "http2": False,
            "preserve_host_header": False,
            "xff_header_processing_mode": "remove",
            "idle_timeout_s": 600,
            "client_keep_alive_s": 120,
            "protect": False,
            "security_headers": SecurityHeaders(
                strict_transport_security=None, content_security_policy="default-src a, b"
            ),
            "tags": {"owner": "platform", "note": "a, b"},
        })
    )  # fmt: skip
    assert made["load-balancer-name"] == "shop"
    attributes = dict(pair.split("=", 1) for pair in made["load-balancer-attributes"].split(","))
    assert attributes["routing.http2.enabled"] == "false"
    assert attributes["routing.http.preserve_host_header.enabled"] == "false"
    assert attributes["routing.http.xff_header_processing.mode"] == "remove"
    assert attributes["idle_timeout.timeout_seconds"] == "600"
    assert attributes["client_keep_alive.seconds"] == "120"
    assert attributes["deletion_protection.enabled"] == "false"
    # A comma ends a pair for the controller, unless a backslash stands before it.
    assert made["listener-attributes.HTTPS-443"] == (
        f"{RESPONSE}server.enabled=false,{RESPONSE}x_content_type_options.header_value=nosniff,"
        f"{RESPONSE}x_frame_options.header_value=DENY,"
        f"{RESPONSE}content_security_policy.header_value=default-src a\\, b"
    )
    assert made["tags"] == "owner=platform,note=a\\, b"


def test_private_paths_are_answered_before_the_others():
    made = build(paths=["/api", "/api/*"], private_paths=["/metrics", "/admin/"])
    assert paths(made) == [
        ("/metrics", "not-found", "use-annotation"),
        ("/metrics/*", "not-found", "use-annotation"),
        ("/admin/", "not-found", "use-annotation"),
        ("/admin/*", "not-found", "use-annotation"),
        ("/api", "api", 3000),
        ("/api/*", "api", 3000),
    ]
    assert json.loads(annotations(made)["actions.not-found"]) == {
        "type": "fixed-response",
        "fixedResponseConfig": {"contentType": "text/plain", "messageBody": "not found", "statusCode": "404"},
    }


def test_rewrites_come_first_and_a_prefix_is_taken_off_the_rest():
    made = build(
        paths=["/api/*"],
        private_paths=["/metrics"],
        rewrites={"/health": "/v1/health", "/status": "/v1/status"},
        strip_prefix="/api",
    )
    # In a listener the last rewrite has the lowest priority number.
    assert paths(made)[:3] == [
        ("/status", "rewrite-2", "use-annotation"),
        ("/health", "rewrite-1", "use-annotation"),
        ("/metrics", "not-found", "use-annotation"),
    ]
    assert json.loads(annotations(made)["actions.rewrite-1"]) == {
        "type": "forward",
        "forwardConfig": {"targetGroups": [{"serviceName": "api", "servicePort": 3000}]},
    }
    for key, regex, replace in (
        ("rewrite-1", "^/health", "/v1/health"),
        ("rewrite-2", "^/status", "/v1/status"),
        ("api", "^/api/?", "/"),
    ):
        assert json.loads(annotations(made)[f"transforms.{key}"]) == [
            {
                "type": "url-rewrite",
                "urlRewriteConfig": {"rewrites": [{"regex": regex, "replace": replace}]},
            }
        ]


def test_each_host_has_all_paths():
    made = build(hosts=["a.example.com", "b.example.com"])
    assert [rule["host"] for rule in made["spec"]["rules"]] == ["a.example.com", "b.example.com"]
    assert made["metadata"]["annotations"]["external-dns.alpha.kubernetes.io/hostname"] == (
        "a.example.com,b.example.com"
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifest_is_one_that_every_version_takes(version):
    made = build(private_paths=["/metrics"], rewrites={"/health": "/v1/health"})
    assert list(manifests.problems(made.inputs, version)) == []


@pytest.mark.parametrize(
    ("group", "route", "said"),
    [
        (
            {"name": "Shop_prod"},
            {},
            "kubernetes ingress api: group.name must be at most 63 lower case letters, digits, hyphens and dots, "
            "a letter or digit at both ends, got 'Shop_prod'",
        ),
        ({"load_balancer_name": "x" * 33}, {}, "group.load_balancer_name has at most 32 characters, got 33"),
        ({"subnet_ids": ["a"]}, {}, "group.subnet_ids must name subnets in at least two zones, got 1"),
        (
            {"tls_policy": "ELBSecurityPolicy-2016-08"},
            {},
            "group.tls_policy must be a policy without TLS 1.0 and 1.1, such as "
            "ELBSecurityPolicy-TLS13-1-2-2021-06, got 'ELBSecurityPolicy-2016-08'",
        ),
        ({"idle_timeout_s": 0}, {}, "group.idle_timeout_s must be 1 to 4000 seconds, got 0"),
        (
            {"client_keep_alive_s": 59},
            {},
            "group.client_keep_alive_s must be 60 to 604800 seconds, got 59",
        ),
        (
            {"tags": {"a=b": "c"}},
            {},
            "group.tags: a tag's name cannot have =, a comma or a backslash here, got 'a=b'",
        ),
        (
            {},
            {"service": "not-found"},
            "route.service cannot be called not-found: an action of the Ingress is",
        ),
        (
            {},
            {"service": "rewrite-1"},
            "route.service cannot be called rewrite-1: an action of the Ingress is",
        ),
        ({}, {"hosts": []}, "route.hosts is empty: name the host that the service answers for"),
        ({}, {"paths": []}, 'route.paths is empty: use ["/*"] for all of them'),
        ({}, {"order": 1001}, "route.order must be -1000 to 1000, got 1001"),
        ({}, {"rewrites": {"/a*": "/b"}}, "route.rewrites takes plain paths such as /health, got '/a*'"),
        (
            {},
            {"strip_prefix": "/api"},
            "route.strip_prefix /api does not begin the path /*: it would pass unchanged",
        ),
        ({}, {"health": TargetHealth(path="x")}, "route.health.path must begin with /, got 'x'"),
    ],
)
def test_what_is_refused(group, route, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        build(group, **route)


@pytest.mark.parametrize("stack", STACKS)
def test_an_ingress_sends_what_the_listener_sends_in_the_same_order(stack):
    """Each row: host, path, who answers by which port, and how the path is rewritten."""
    listened = [
        (host, path, *_answered_by_rule(pods(stack), rule))
        for rule in sorted(pods(stack).all(RULE), key=lambda rule: rule["priority"])
        if not rule.name.startswith("ingress-redirect-")
        for host in rule["conditions"][0]["hostHeader"]["values"]
        for path in rule["conditions"][1]["pathPattern"]["values"]
    ]
    routed = [
        (rule["host"], path["path"], *_answered_by_backend(each, path["backend"]["service"]))
        for each in sorted(ingress(stack).all(INGRESS), key=lambda each: int(said(each, "group.order")))
        for rule in each["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert routed == listened
    assert routed
    kinds = {
        path["pathType"]
        for each in ingress(stack).all(INGRESS)
        for rule in each["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    assert kinds == {"ImplementationSpecific"}  # the controller sorts every other one by its own lights


def said(each, key):
    return each["metadata"]["annotations"][f"alb.ingress.kubernetes.io/{key}"]


def pairs(each, key):
    return dict(pair.split("=", 1) for pair in said(each, key).split(","))


def _answered_by_rule(recording, rule):
    (action,) = rule["actions"]
    if "fixedResponse" in action:
        return (action["fixedResponse"]["statusCode"], None, None)
    group = recording.parent_of(rule).name
    (transform,) = rule.get("transforms") or [None]
    rewrite = transform and transform["urlRewriteConfig"]["rewrite"]
    port = recording.one(TARGETS, f"{group}-tg")["port"]
    return (group, port, (rewrite["regex"], rewrite["replace"]) if rewrite else None)


def _answered_by_backend(each, backend):
    annotations = each["metadata"]["annotations"]
    transforms = annotations.get(f"alb.ingress.kubernetes.io/transforms.{backend['name']}")
    rewrite = transforms and json.loads(transforms)[0]["urlRewriteConfig"]["rewrites"][0]
    rewritten = (rewrite["regex"], rewrite["replace"]) if rewrite else None
    if "number" in backend["port"]:
        return (backend["name"], backend["port"]["number"], rewritten)
    assert backend["port"] == {"name": "use-annotation"}
    action = json.loads(said(each, f"actions.{backend['name']}"))
    if action["type"] == "fixed-response":
        return (action["fixedResponseConfig"]["statusCode"], None, rewritten)
    (target,) = action["forwardConfig"]["targetGroups"]
    return (target["serviceName"], target["servicePort"], rewritten)


@pytest.mark.parametrize("stack", STACKS)
def test_an_ingress_asks_for_the_load_balancer_that_the_stack_would_make(stack):
    one = pods(stack)
    (balancer,), https = one.all("aws:lb/loadBalancer:LoadBalancer"), one.one(LISTENER, "ingress-https")
    made = ingress(stack)
    for each in made.all(INGRESS):
        assert each["spec"]["ingressClassName"] == "alb"
        assert said(each, "scheme") == "internet-facing"
        assert said(each, "subnets").split(",") == balancer["subnets"]
        assert [said(each, "security-groups")] == balancer["securityGroups"]
        assert said(each, "ssl-policy") == https["sslPolicy"]
        assert said(each, "certificate-arn") == https["certificateArn"]
        assert pairs(each, "load-balancer-attributes") == {
            "access_logs.s3.enabled": "true",
            "access_logs.s3.bucket": balancer["accessLogs"]["bucket"],
            "access_logs.s3.prefix": balancer["accessLogs"]["prefix"],
            "client_keep_alive.seconds": str(balancer.get("clientKeepAlive", 3600)),
            "deletion_protection.enabled": json.dumps(balancer["enableDeletionProtection"]),
            "idle_timeout.timeout_seconds": str(balancer["idleTimeout"]),
            "routing.http.desync_mitigation_mode": balancer["desyncMitigationMode"],
            "routing.http.drop_invalid_header_fields.enabled": json.dumps(
                balancer["dropInvalidHeaderFields"]
            ),
            "routing.http.preserve_host_header.enabled": json.dumps(balancer["preserveHostHeader"]),
            "routing.http.xff_header_processing.mode": balancer["xffHeaderProcessingMode"],
            "routing.http2.enabled": json.dumps(balancer["enableHttp2"]),
        }
        headers = pairs(each, "listener-attributes.HTTPS-443")
        assert headers.pop("routing.http.response.server.enabled") == "false"
        assert sorted(headers.values()) == sorted(
            value
            for key, value in https.inputs.items()
            if key.startswith("routingHttpResponse") and key.endswith("HeaderValue")
        )
        group = one.one(TARGETS, f"{each.name}-tg")
        check = group["healthCheck"]
        for key, value in (
            ("healthcheck-path", check["path"]),
            ("healthcheck-interval-seconds", check["interval"]),
            ("healthcheck-timeout-seconds", check["timeout"]),
            ("healthy-threshold-count", check["healthyThreshold"]),
            ("unhealthy-threshold-count", check["unhealthyThreshold"]),
            ("success-codes", check["matcher"]),
        ):
            assert said(each, key) == str(value)
        assert pairs(each, "target-group-attributes") == {
            "deregistration_delay.timeout_seconds": str(group["deregistrationDelay"]),
            "load_balancing.algorithm.type": group["loadBalancingAlgorithmType"],
        }
        assert said(each, "wafv2-acl-arn").startswith(
            "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/waf-"
        )
        assert each.depends_on(made.one("aws:wafv2/webAcl:WebAcl", "waf"))
        assert each.depends_on(made.one(DEPLOYMENT, each.name))


@pytest.mark.parametrize("stack", STACKS)
def test_what_an_ingress_costs_is_what_only_a_load_balancer_of_ones_own_has(stack):
    lost = set(pods(stack).names()) - set(ingress(stack).names())
    kinds = {name.partition("::")[0] for name in lost} - {ALARM}
    assert kinds <= {
        "aws:lb/listener:Listener",
        "aws:lb/loadBalancer:LoadBalancer",
        "aws:route53/record:Record",
        "aws:wafv2/webAclAssociation:WebAclAssociation",
        "groundwork:compute:PublicRoute",
        "groundwork:edge:LoadBalancer",
        "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding",
        RULE,
        SCALED,
        TARGETS,
    }
    alarms = {name.partition("::alarms-")[2] for name in lost if name.startswith(ALARM)}
    of_services = {name for name in alarms if name.endswith(("-no-healthy-target", "-unhealthy-targets"))}
    assert alarms - of_services <= {
        "error-rate",
        "high-error-rate",
        "ingress-5xx",
        "ingress-rejected-connections",
        "ingress-target-connection-errors",
        "response-time",
        "slo-error-rate",
        "slo-latency",
    }
    made = ingress(stack)
    assert not [each.name for each in made if "AWS/ApplicationELB" in str(each.inputs)]
    assert made.value["loadBalancer"] == {"dnsName": "", "arn": ""}
    for service in made.all(INGRESS):  # what still tells that nobody is served
        assert {f"alarms-{service.name}-running", f"alarms-uptime-{service.name}-down"} <= set(
            made.names(ALARM)
        )


@pytest.mark.parametrize("stack", STACKS)
def test_records_are_left_to_external_dns(stack):
    made = ingress(stack)
    hosts = {
        each["metadata"]["annotations"]["external-dns.alpha.kubernetes.io/hostname"]
        for each in made.all(INGRESS)
    }
    assert hosts == {url.removeprefix("https://") for label, url in made.value["urls"].items()}
    assert not {name for name in made.names("aws:route53/record:Record") if name.startswith("ingress-")}
    rights = made.one(POLICY, "kubernetes-external-dns").json("policy")["Statement"]
    writes = next(each for each in rights if each["Sid"] == "WriteRecords")
    assert writes["Action"] == ["route53:ChangeResourceRecordSets"]
    assert len(writes["Resource"]) == 1
    assert writes["Resource"][0].startswith("arn:aws:route53:::hostedzone/Z")


@pytest.mark.parametrize("stack", STACKS[:1])
def test_the_controller_changes_only_what_it_made(stack):
    rights = ingress(stack).one(POLICY, "kubernetes-load-balancer").json("policy")
    by_sid = {each["Sid"]: each for each in rights["Statement"]}
    assert len(json.dumps(rights)) < 10_240  # IAM quotas, inline policies of a role
    assert by_sid["ChangeItsOwn"]["Condition"] == {
        "StringEquals": {"aws:ResourceTag/elbv2.k8s.aws/cluster": "rentalfix-prod"}
    }
    assert by_sid["Make"]["Condition"] == {
        "StringEquals": {"aws:RequestTag/elbv2.k8s.aws/cluster": "rentalfix-prod"}
    }
    everywhere = [
        action for each in rights["Statement"] if each["Resource"] == ["*"] for action in each["Action"]
    ]
    assert all(":Describe" in action for action in everywhere)
    actions = {action for each in rights["Statement"] for action in each["Action"]}
    assert all(":Describe" in action for action in actions if action.startswith("ec2:"))


@pytest.mark.parametrize("stack", STACKS[:1])
def test_in_a_cluster_that_exists_its_owner_grants_the_rights(stack):
    made = run(stack, configured_with_ingress(stack, EXISTING))
    assert made.names(INGRESS) == ingress(stack).names(INGRESS)
    rights = {"kubernetes-load-balancer", "kubernetes-external-dns"}
    assert rights <= set(ingress(stack).names(POLICY))
    assert not rights & set(made.names(POLICY))


@pytest.mark.parametrize("stack", STACKS[:1])
def test_with_target_groups_the_controller_may_only_register_pods(stack):
    rights = pods(stack).one(POLICY, "kubernetes-load-balancer").json("policy")
    assert [each["Sid"] for each in rights["Statement"]] == ["RegisterPods", "Look"]
