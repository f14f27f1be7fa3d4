"""Whole-stack rules about the network, its edge, what is secret and what is watched; see test_policies_stack.py."""

import json

import pytest
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from tests.policy_builders import INGRESS, LEFT_OUT
from tests.policy_stack import Declared

# The rules that are broken here: the good stack below is judged by these alone.
BROKEN = {
    "admin-access-via-vpn",
    "alb-serves-https",
    "app-uses-dedicated-db-user",
    "cdn-logged",
    "cdn-present-when-declared",
    "certificate-covers-hosts",
    "connection-budget",
    "dashboard-present",
    "dns-record-for-public-host",
    "generated-password-accepted",
    "internal-services-not-public",
    "metrics-not-public",
    "nacl-no-open-admin-ports",
    "password-not-literal",
    "public-entry-has-alb",
    "secrets-declared",
    "sg-least-edges",
    "sg-public-only-on-balancers",
    "upload-size-limited",
    "vpc-default-group-closed",
    "vpc-flow-log",
    "waf-logged",
    "waf-rate-limit-on-public-entry",
}

VPC = "aws:ec2/vpc:Vpc"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
NETWORK_ACL = "aws:ec2/networkAcl:NetworkAcl"
NETWORK_ACL_RULE = "aws:ec2/networkAclRule:NetworkAclRule"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
LISTENER = "aws:lb/listener:Listener"
LISTENER_CERTIFICATE = "aws:lb/listenerCertificate:ListenerCertificate"
RULE = "aws:lb/listenerRule:ListenerRule"
TARGETS = "aws:lb/targetGroup:TargetGroup"
CERTIFICATE = "aws:acm/certificate:Certificate"
VALIDATION = "aws:acm/certificateValidation:CertificateValidation"
RECORD = "aws:route53/record:Record"
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
WEB_ACL = "aws:wafv2/webAcl:WebAcl"
RULE_GROUP = "aws:wafv2/ruleGroup:RuleGroup"
ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
LOGGING = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
STAGE = "aws:apigateway/stage:Stage"
SERVICE = "aws:ecs/service:Service"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
SCALED = "aws:appautoscaling/target:Target"
INSTANCE = "aws:rds/instance:Instance"
CACHE = "aws:elasticache/replicationGroup:ReplicationGroup"
BROKER = "aws:mq/broker:Broker"
PARAMETERS = "aws:rds/parameterGroup:ParameterGroup"
PROXY_TARGET = "aws:rds/proxyTarget:ProxyTarget"
PASSWORD = "random:index/randomPassword:RandomPassword"
STRING = "random:index/randomString:RandomString"
SECRET = "aws:secretsmanager/secret:Secret"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
SSM_PARAMETER = "aws:ssm/parameter:Parameter"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
GRAFANA = "aws:grafana/workspace:Workspace"
VPN = "aws:ec2clientvpn/endpoint:Endpoint"
BUCKET_CORS = "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
FETCHED = "kubernetes:external-secrets.io/v1:ExternalSecret"
SCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
BINDING = "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding"

HOST = "api.rentfix.com"
ROLE_ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:role-AbCdEf"
BALANCED = {"loadBalancers": [{"containerPort": 3000}]}
FIXED = [{"type": "fixed-response"}]
FORWARD = [{"type": "forward", "targetGroupArn": UNKNOWN_STRING_VALUE}]
RATE_RULE = {"statement": {"rateBasedStatement": {"limit": 120}}, "action": {"block": {}}}


def containers(*, secrets=None, **variables):
    """One container, api, that reads the database's password and has a pool of 20."""
    told = {"DB_USER": "rentfix_app", "DB_POOL_MAX": "20", **variables}
    return {
        "containerDefinitions": json.dumps(
            [
                {
                    "name": "api",
                    "environment": [
                        {"name": name, "value": value}
                        for name, value in told.items()
                        if value is not LEFT_OUT
                    ],
                    "secrets": [
                        {"name": name, "valueFrom": source}
                        for name, source in (secrets or {"DB_PASSWORD": ROLE_ARN}).items()
                    ],
                }
            ]
        )
    }


def on_path(*paths, host=HOST, **more):
    """The conditions of a listener rule."""
    conditions = [{"pathPattern": {"values": list(paths)}}]
    return [
        *([{"hostHeader": {"values": [host]}}] if host else []),
        *conditions,
        *({k: v} for k, v in more.items()),
    ]


def opens(port, **source):
    return {"ipProtocol": "tcp", "fromPort": port, "toPort": port, **source}


@pytest.fixture
def good():
    """What one service needs to be reached by the internet and by nobody else, as a preview knows it."""
    stack = Declared(BROKEN)
    add = stack.add
    add("vpc", VPC)
    add("flows", FLOW_LOG, {"trafficType": "ALL"}, vpcId="vpc")
    add("default", DEFAULT_GROUP, {"ingress": [], "egress": []}, vpcId="vpc")
    for group in ("balancer-group", "api-group", "database-group"):
        add(group, GROUP, vpcId="vpc")
    add("from-internet", INGRESS_RULE, opens(443, cidrIpv4="0.0.0.0/0"), securityGroupId="balancer-group")
    add(
        "to-api",
        INGRESS_RULE,
        opens(3000),
        securityGroupId="api-group",
        referencedSecurityGroupId="balancer-group",
    )

    add("certificate", CERTIFICATE, {"domainName": HOST, "subjectAlternativeNames": ["*.shop.rentfix.com"]})
    add("proof", RECORD, name="certificate", records="certificate")
    add("validation", VALIDATION, certificateArn="certificate")
    add("balancer", BALANCER, {"internal": False}, securityGroups="balancer-group")
    add(
        "https",
        LISTENER,
        {"protocol": "HTTPS", "defaultActions": FIXED},
        loadBalancerArn="balancer",
        certificateArn="validation",
    )
    redirect = [{"type": "redirect", "redirect": {"protocol": "HTTPS"}}]
    add("http", LISTENER, {"protocol": "HTTP", "defaultActions": redirect}, loadBalancerArn="balancer")
    add("targets", TARGETS, {"port": 3000})
    add(
        "no-metrics",
        RULE,
        {"priority": 99, "conditions": on_path("/metrics", "/metrics/*"), "actions": FIXED},
        listenerArn="https",
    )
    add(
        "everything",
        RULE,
        {"priority": 100, "conditions": on_path("/*"), "actions": FORWARD},
        listenerArn="https",
        actions="targets",
    )
    add("name", RECORD, {"name": HOST}, aliases="balancer")
    add("acl", WEB_ACL, {"scope": "REGIONAL", "rules": [RATE_RULE]})
    add("acl-use", ASSOCIATION, resourceArn="balancer", webAclArn="acl")
    add("acl-log", LOGGING, resourceArn="acl")

    for name in ("master", "role"):
        add(f"{name}-password", PASSWORD, {"length": 32, "overrideSpecial": "-_.~"})
        add(f"{name}-secret", SECRET, {"arn": ROLE_ARN} if name == "role" else {})
        add(f"{name}-value", VERSION, secretId=f"{name}-secret", secretString=f"{name}-password")
    limits = [{"name": "max_connections", "value": "100"}]
    add("parameters", PARAMETERS, {"parameters": limits})
    add(
        "database",
        INSTANCE,
        {"identifier": "rentfix", "username": "postgres"},
        password="master-password",
        parameterGroupName="parameters",
        vpcSecurityGroupIds="database-group",
    )
    add("api-task", TASK, containers(), containerDefinitions="role-secret")
    add(
        "api",
        SERVICE,
        {**BALANCED, "desiredCount": 2},
        loadBalancers="targets",
        taskDefinition="api-task",
        networkConfiguration="api-group",
    )
    add("scaling", SCALED, {"maxCapacity": 4}, resourceId="api")
    widgets = [
        {"type": "text", "properties": {"markdown": "## Error Rate"}},
        {"properties": {"title": "CPU"}},
    ]
    add("dashboard", DASHBOARD, {"dashboardBody": json.dumps({"widgets": widgets})})
    return stack


def test_no_rule_complains_about_a_good_stack(good):
    assert good.findings() == {}


@pytest.mark.parametrize(
    ("missing", "rule_id", "about", "finding"),
    [
        ("flows", "vpc-flow-log", "vpc", "no FlowLog names it"),
        (
            "default",
            "vpc-default-group-closed",
            "vpc",
            "no DefaultSecurityGroup takes its default rules away",
        ),
        ("acl-use", "waf-rate-limit-on-public-entry", "balancer", "no WebAcl is associated"),
        ("acl-log", "waf-logged", "acl", "no WebAclLoggingConfiguration names it"),
        ("name", "dns-record-for-public-host", "balancer", None),
        ("no-metrics", "metrics-not-public", "https", None),
        (
            "api",
            "public-entry-has-alb",
            "targets",
            "a load balancer on the internet leads to it, and no service is registered with it",
        ),
        (
            "everything",
            "public-entry-has-alb",
            "api",
            "no listener leads to its target group targets, and AWS refuses such a service",
        ),
        (
            "https",
            "alb-serves-https",
            "balancer",
            "none of its listeners speaks HTTPS: http",
        ),
        (
            "dashboard",
            "dashboard-present",
            "database",
            "the stack has neither a Dashboard nor a Grafana Workspace",
        ),
        (
            "role-secret",
            "secrets-declared",
            "api-task",
            f"container api: DB_PASSWORD comes from {ROLE_ARN}, which is no secret of this stack",
        ),
    ],
)
def test_a_missing_companion_is_found(good, missing, rule_id, about, finding):
    del good.resources[missing]
    for resource in good.resources.values():
        resource.property_dependencies = {
            prop: [each for each in others if each.name in good.resources]
            for prop, others in resource.property_dependencies.items()
        }
    assert good.findings().get((rule_id, about)) == ([finding] if finding else None)


# The network


@pytest.mark.parametrize(("traffic", "is_fine"), [("ALL", True), ("REJECT", True), ("ACCEPT", False)])
def test_what_is_refused_is_logged_too(good, traffic, is_fine):
    good.add("flows", FLOW_LOG, {"trafficType": traffic}, vpcId="vpc")
    found = ['flows: trafficType is "ACCEPT", so what is refused is not logged']
    assert good.findings() == ({} if is_fine else {("vpc-flow-log", "vpc"): found})


@pytest.mark.parametrize(
    ("props", "found"),
    [
        ({"ingress": [{"protocol": "-1", "self": True}]}, ["lets in all ports"]),
        (
            {"egress": [{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}]},
            ["lets out port 443"],
        ),
    ],
)
def test_a_default_group_that_lets_anything_through_is_found(good, props, found):
    good.add("default", DEFAULT_GROUP, props, vpcId="vpc")
    assert good.findings()["vpc-default-group-closed", "default"] == found


def acl_line(number, action, ports, cidr="0.0.0.0/0", **more):
    return {
        "ruleNumber": number,
        "ruleAction": action,
        "protocol": "tcp",
        "fromPort": ports[0],
        "toPort": ports[1],
        "cidrBlock": cidr,
        **more,
    }


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([acl_line(100, "allow", (22, 22))], {"line-0": ['line 100 lets "0.0.0.0/0" reach 22']}),
        ([acl_line(100, "allow", (0, 65535))], {"line-0": ['line 100 lets "0.0.0.0/0" reach 22, 3389']}),
        (
            [acl_line(100, "ALLOW", (0, 0), protocol="-1")],
            {"line-0": ['line 100 lets "0.0.0.0/0" reach 22, 3389']},
        ),
        (
            [acl_line(100, "allow", (3389, 3389), cidr="", ipv6CidrBlock="::/0")],
            {"line-0": ['line 100 lets "::/0" reach 3389']},
        ),
        ([acl_line(90, "deny", (22, 22)), acl_line(100, "allow", (22, 22))], {}),
        (
            [acl_line(110, "deny", (22, 22)), acl_line(100, "allow", (22, 22))],
            {"line-1": ['line 100 lets "0.0.0.0/0" reach 22']},
        ),
        (
            [acl_line(90, "deny", (22, 22), cidr="10.0.0.0/8"), acl_line(100, "allow", (22, 22))],
            {"line-1": ['line 100 lets "0.0.0.0/0" reach 22']},
        ),
        ([acl_line(100, "allow", (22, 22), cidr="10.0.0.0/8")], {}),
        ([acl_line(100, "allow", (443, 443))], {}),
        ([acl_line(100, "allow", (0, 65535), egress=True)], {}),
    ],
)
def test_a_network_acl_is_read_in_the_order_of_its_numbers(good, lines, found):
    good.add("acl-of-network", NETWORK_ACL, vpcId="vpc")
    for number, line in enumerate(lines):
        good.add(f"line-{number}", NETWORK_ACL_RULE, line, networkAclId="acl-of-network")
    rule_id = "nacl-no-open-admin-ports"
    assert good.findings() == {(rule_id, name): findings for name, findings in found.items()}


def test_lines_that_stand_in_a_network_acl_count_too(good):
    allow = {"ruleNo": 100, "action": "allow", "protocol": "-1", "cidrBlock": "0.0.0.0/0"}
    deny = {
        "ruleNo": 10,
        "action": "deny",
        "protocol": "6",
        "fromPort": 22,
        "toPort": 22,
        "cidrBlock": "0.0.0.0/0",
    }
    good.add("open", NETWORK_ACL, {"ingress": [allow]})
    good.add("half-open", "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl", {"ingress": [allow, deny]})
    rule_id = "nacl-no-open-admin-ports"
    assert good.findings() == {
        (rule_id, "open"): ['line 100 lets "0.0.0.0/0" reach 22, 3389'],
        (rule_id, "half-open"): ['line 100 lets "0.0.0.0/0" reach 3389'],
    }
    good.add("closed", NETWORK_ACL_RULE, acl_line(5, "deny", (0, 65535)), networkAclId="open")
    assert set(good.findings()) == {(rule_id, "half-open")}


@pytest.mark.parametrize(
    ("kind", "prop", "member"),
    [
        (SERVICE, "networkConfiguration", "api"),
        (INSTANCE, "vpcSecurityGroupIds", "database"),
    ],
)
def test_what_is_open_to_the_internet_is_a_balancer(good, kind, prop, member):
    group = {"api": "api-group", "database": "database-group"}[member]
    good.add("oops", INGRESS_RULE, opens(443, cidrIpv4="0.0.0.0/0"), securityGroupId=group)
    found = [f"it lets the internet into {group}, and {member} is in that group"]
    assert good.findings() == {("sg-public-only-on-balancers", "oops"): found}


def test_a_group_that_is_open_in_itself_is_found_as_well(good):
    block = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "ipv6CidrBlocks": ["::/0"]}
    good.spoil("api-group", ingress=[block])
    found = ["it lets the internet into api-group, and api is in that group"]
    assert good.findings() == {("sg-public-only-on-balancers", "api-group"): found}


EDGES = [
    "0.0.0.0/0 -> balancer-group: 443",
    "balancer-group -> api-group: 3000",
    "api-* -> database-group: 5432",
]


@pytest.mark.parametrize(
    ("props", "refers", "found"),
    [
        (opens(5432), {"securityGroupId": "database-group", "referencedSecurityGroupId": "api-group"}, None),
        (
            opens(5432),
            {"securityGroupId": "database-group", "referencedSecurityGroupId": "balancer-group"},
            "balancer-group -> database-group: 5432 is not among the declared edges",
        ),
        (
            opens(22),
            {"securityGroupId": "api-group", "referencedSecurityGroupId": "balancer-group"},
            "balancer-group -> api-group: 22 is not among the declared edges",
        ),
        (
            {"ipProtocol": "tcp", "fromPort": 3000, "toPort": 3010},
            {"securityGroupId": "api-group", "referencedSecurityGroupId": "balancer-group"},
            "balancer-group -> api-group: 3000-3010 is not among the declared edges",
        ),
        (
            opens(3000, cidrIpv4="10.0.0.0/16"),
            {"securityGroupId": "api-group"},
            "10.0.0.0/16 -> api-group: 3000 is not among the declared edges",
        ),
        (
            opens(3000, prefixListId="pl-1"),
            {"securityGroupId": "api-group"},
            "prefix list -> api-group: 3000 is not among the declared edges",
        ),
        (
            {"ipProtocol": "-1", "cidrIpv4": "10.0.0.0/16"},
            {"securityGroupId": "api-group"},
            "10.0.0.0/16 -> api-group: all is not among the declared edges",
        ),
        (
            opens(3000, referencedSecurityGroupId="sg-of-another-stack"),
            {"securityGroupId": "api-group"},
            "a group elsewhere -> api-group: 3000 is not among the declared edges",
        ),
        (
            opens(8080),
            {"securityGroupId": "default", "referencedSecurityGroupId": "api-group"},
            None,
        ),
    ],
)
def test_only_declared_edges_are_open_in_the_groups_that_the_list_leads_to(good, props, refers, found):
    good.add("edge", INGRESS_RULE, props, **refers)
    expected = {("sg-least-edges", "edge"): [found]} if found else {}
    assert good.findings(edges=EDGES) == expected
    assert good.findings() == {}


def test_an_edge_from_nobody_leads_to_every_group_of_its_name(good):
    refers = {"securityGroupId": "database-group", "referencedSecurityGroupId": "api-group"}
    good.add("edge", INGRESS_RULE, opens(5432), **refers)
    found = ["api-group -> database-group: 5432 is not among the declared edges"]
    assert good.findings(edges=EDGES[:2]) == {}
    assert good.findings(edges=["-> *-group", *EDGES[:2]]) == {("sg-least-edges", "edge"): found}


def test_a_group_inside_a_group_is_known_by_its_id(good):
    good.spoil("balancer-group", id="sg-1")
    block = {"protocol": "tcp", "fromPort": 3000, "toPort": 3000, "securityGroups": ["sg-1"]}
    good.spoil("api-group", ingress=[block, {**block, "fromPort": 22, "toPort": 22}])
    found = ["balancer-group -> api-group: 22 is not among the declared edges"]
    assert good.findings(edges=EDGES) == {("sg-least-edges", "api-group"): found}


def test_a_group_that_may_reach_itself_is_its_own_source(good):
    own = {"type": "ingress", "protocol": "tcp", "fromPort": 3000, "toPort": 3000, "self": True}
    good.add("own", GROUP_RULE, own, securityGroupId="api-group")
    found = ["api-group -> api-group: 3000 is not among the declared edges"]
    assert good.findings(edges=EDGES) == {("sg-least-edges", "own"): found}


def test_nobody_is_let_in_on_all_ports(good):
    good.add(
        "wide",
        INGRESS_RULE,
        {"ipProtocol": "-1"},
        securityGroupId="database-group",
        referencedSecurityGroupId="api-group",
    )
    assert good.findings() == {("sg-least-edges", "wide"): ["opens all ports to a security group"]}


# What is public


def test_an_internal_service_behind_a_public_balancer_is_found(good):
    found = ["everything leads the internet to it, and it is internal"]
    assert good.findings(services=["api"]) == {("internal-services-not-public", "api"): found}
    good.change("api", tags={"exposure": "internal"})
    assert good.findings() == {("internal-services-not-public", "api"): found}


def test_an_internal_service_may_be_behind_a_balancer_inside(good):
    del good.resources["acl-use"]
    good.add("balancer", BALANCER, {"internal": True})
    assert good.findings(services=["api"]) == {}
    good.add("site", DISTRIBUTION, {"enabled": True, "webAclId": "acl", "loggingConfig": {"bucket": "logs"}})
    assert ("internal-services-not-public", "api") not in good.findings(services=["api"])
    good.add(
        "site",
        DISTRIBUTION,
        {"enabled": True, "loggingConfig": {"bucket": "logs"}},
        webAclId="acl",
        origins="balancer",
    )
    found = ["everything leads the internet to it, and it is internal"]
    assert good.findings(services=["api"])["internal-services-not-public", "api"] == found


def test_what_is_not_of_this_stack_is_not_known_to_be_inside(good):
    good.add(
        "worker", SERVICE, {"loadBalancers": [{"targetGroupArn": "arn:elsewhere"}]}, taskDefinition="api-task"
    )
    found = ["it is internal, and has a target group that is not of this stack"]
    assert good.findings(services=["worker"])["internal-services-not-public", "worker"] == found
    good.add("worker", SERVICE, {"loadBalancers": []}, taskDefinition="api-task")
    assert ("internal-services-not-public", "worker") not in good.findings(services=["worker"])


def routed(*paths, host=HOST, **annotations):
    """An Ingress that leads each path to a Service."""
    said = {f"alb.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {
        "metadata": {"annotations": {"alb.ingress.kubernetes.io/scheme": "internet-facing", **said}},
        "spec": {
            "ingressClassName": "alb",
            "rules": [
                {
                    "host": host,
                    "http": {
                        "paths": [
                            {
                                "path": path,
                                "pathType": kind,
                                "backend": {
                                    "service": {
                                        "name": service,
                                        "port": {"name": "use-annotation"}
                                        if service == "gone"
                                        else {"number": 80},
                                    }
                                },
                            }
                            for path, kind, service in paths
                        ]
                    },
                }
            ],
        },
    }


def test_an_ingress_that_leads_to_an_internal_service_is_found(good):
    files = [("/", "Prefix", "files")]
    good.add("way-in", INGRESS, routed(*files, scheme="internal"))
    assert ("internal-services-not-public", "way-in") not in good.findings(services=["files"])
    good.add("way-in", INGRESS, routed(*files))
    found = ["it leads the internet to files, which is internal"]
    assert good.findings(services=["files"])["internal-services-not-public", "way-in"] == found
    forward = json.dumps({"type": "forward", "forwardConfig": {"targetGroups": [{"serviceName": "files"}]}})
    good.add("way-in", INGRESS, routed(("/x", "Exact", "gone"), **{"actions.gone": forward}))
    assert good.findings(services=["files"])["internal-services-not-public", "way-in"] == found


def test_a_binding_of_an_internal_service_is_found(good):
    good.add("bound", BINDING, {"spec": {"serviceRef": {"name": "files"}}}, spec="targets")
    found = ["everything leads the internet to files, which is internal"]
    assert good.findings(services=["files"])["internal-services-not-public", "targets"] == found
    assert good.findings(services=["other"]).get(("internal-services-not-public", "targets")) is None


def test_a_public_service_needs_a_balancer(good):
    good.add("portal", SERVICE, {})
    found = ["it is public, and loadBalancers is not set"]
    assert good.findings(services=["portal"])["public-entry-has-alb", "portal"] == found
    assert good.findings() == {}


@pytest.mark.parametrize(
    ("name", "kind", "props"),
    [
        ("way-in", INGRESS, routed(("/*", "ImplementationSpecific", "portal"), scheme="internal")),
        ("bound", BINDING, {"spec": {"serviceRef": {"name": "portal"}}}),
    ],
)
def test_a_public_workload_needs_a_way_in(good, name, kind, props):
    good.add("portal-pods", DEPLOYMENT, {"metadata": {"name": "portal"}, "spec": {}})
    rule_id = "public-entry-has-alb"
    found = ["portal is public, and neither an Ingress nor a TargetGroupBinding leads to it"]
    assert good.findings(services=["portal"])[rule_id, "portal-pods"] == found
    good.add(name, kind, props)
    assert (rule_id, "portal-pods") not in good.findings(services=["portal"])


# Metrics


def forwarding(priority, conditions, actions=FORWARD):
    return {"priority": priority, "conditions": conditions, "actions": actions}


REACHED = {("metrics-not-public", "https"): ["everything sends /metrics on to a service"]}


@pytest.mark.parametrize(
    ("priority", "conditions", "actions", "found"),
    [
        (99, on_path("/metrics"), FIXED, {}),
        (101, on_path("/metrics"), FIXED, REACHED),
        (99, on_path("/health"), FIXED, REACHED),
        (99, on_path("/metrics", host="www.rentfix.com"), FIXED, REACHED),
        (99, on_path("/m*", host="*.rentfix.com"), FIXED, {}),
        (99, on_path("/metrics", host=None), [{"type": "redirect"}], {}),
        (99, on_path("/metrics", sourceIp={"values": ["198.51.100.0/24"]}), FIXED, REACHED),
        (99, [{"pathPattern": {"regexValues": ["^/m"]}}], FIXED, REACHED),
    ],
)
def test_metrics_are_answered_before_the_rule_that_sends_requests_on(
    good, priority, conditions, actions, found
):
    good.add("no-metrics", RULE, forwarding(priority, conditions, actions), listenerArn="https")
    assert good.findings(paths=["/metrics"], declared=["api.rentfix.com"]).items() >= found.items()
    assert good.findings(paths=["/metrics"]).get(("metrics-not-public", "https")) == found.get(
        ("metrics-not-public", "https")
    )
    assert good.findings().get(("metrics-not-public", "https")) is None


@pytest.mark.parametrize(
    ("conditions", "actions"),
    [
        (on_path("/api/*"), FORWARD),
        (on_path("/*", sourceIp={"values": ["10.0.0.0/8"]}), FORWARD),
        (on_path("/*", httpHeader={"values": ["key"]}), FORWARD),
        (on_path("/*"), [{"type": "authenticate-oidc"}, *FORWARD]),
    ],
)
def test_a_rule_that_lets_few_through_sends_no_metrics_to_everybody(good, conditions, actions):
    del good.resources["no-metrics"]
    good.add("everything", RULE, forwarding(1, conditions, actions), listenerArn="https", actions="targets")
    assert ("metrics-not-public", "https") not in good.findings(paths=["/metrics"])


def test_a_listener_that_sends_everything_on_by_default_is_found(good):
    del good.resources["no-metrics"]
    good.add(
        "https",
        LISTENER,
        {"protocol": "HTTPS", "defaultActions": FORWARD},
        loadBalancerArn="balancer",
        defaultActions="targets",
        certificateArn="validation",
    )
    found = ["everything sends /metrics on to a service", "https sends /metrics on to a service"]
    assert good.findings(paths=["/metrics"])["metrics-not-public", "https"] == found


def test_the_firewall_may_refuse_the_path(good):
    del good.resources["no-metrics"]
    match = {"fieldToMatch": {"uriPath": {}}, "searchString": "/met", "positionalConstraint": "STARTS_WITH"}
    refused = {
        "statement": {"orStatement": {"statements": [{"byteMatchStatement": match}]}},
        "action": {"block": {}},
    }
    good.spoil("acl", scope="REGIONAL", rules=[RATE_RULE, refused])
    assert good.findings(paths=["/metrics"]) == {}
    good.spoil("acl", scope="REGIONAL", rules=[RATE_RULE, {**refused, "action": {"count": {}}}])
    assert good.findings(paths=["/metrics"]) == REACHED
    other = {**match, "fieldToMatch": {"queryString": {}}}
    refused["statement"] = {"byteMatchStatement": other}
    good.spoil("acl", scope="REGIONAL", rules=[RATE_RULE, refused])
    assert good.findings(paths=["/metrics"]) == REACHED


def job(service="api", port=3000, path="/internal/metrics"):
    """A collector's configuration with one job."""
    return f"""
receivers:
  prometheus:
    config:
      scrape_configs:
      - job_name: {service}
        metrics_path: {path}
        dns_sd_configs:
        - names: [{service}.prod.internal]
          port: {port}
"""


SENT = "everything sends {} on to a service"


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"CONFIG": job()}, SENT.format("/internal/metrics")),
        ({"CONFIG": job(port=9090)}, None),
        ({"CONFIG": job(service="worker")}, None),
        (
            {"CONFIG": "scrape_configs:\n - job_name: 'api'\n   static_configs: [{targets: ['api:3000']}]\n"},
            SENT.format("/metrics"),
        ),
        ({"CONFIG": "scrape_configs: [{job_name: api}]"}, SENT.format("/metrics")),
        ({"ENABLE_METRICS": "true"}, SENT.format("/metrics")),
        ({"METRICS_ENABLED": "1", "METRICS_PATH": "/stats"}, SENT.format("/stats")),
        ({"ENABLE_METRICS": "false"}, None),
    ],
)
def test_without_a_list_the_metrics_are_where_the_stack_finds_them(good, variables, found):
    del good.resources["no-metrics"]
    good.add("collector-task", TASK, containers(**variables), containerDefinitions="role-secret")
    assert good.findings() == ({("metrics-not-public", "https"): [found]} if found else {})


@pytest.mark.parametrize(
    ("annotations", "found"),
    [
        ({"prometheus.io/scrape": "true", "prometheus.io/port": "3000"}, SENT.format("/metrics")),
        ({"prometheus.io/scrape": "true", "prometheus.io/path": "/m"}, SENT.format("/m")),
        ({"prometheus.io/scrape": "true", "prometheus.io/port": "9102"}, None),
        ({"prometheus.io/scrape": "false"}, None),
    ],
)
def test_pods_say_themselves_where_their_metrics_are(good, annotations, found):
    for name in ("no-metrics", "api"):
        del good.resources[name]
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": []}}
    good.add("portal", DEPLOYMENT, {"metadata": {"name": "portal"}, "spec": {"template": template}})
    good.add("bound", BINDING, {"spec": {"serviceRef": {"name": "portal", "port": 3000}}}, spec="targets")
    assert good.findings() == ({("metrics-not-public", "https"): [found]} if found else {})


def test_what_the_stack_scrapes_may_not_be_known_yet(good):
    del good.resources["no-metrics"]
    good.add("collector-task", TASK, containerDefinitions="role-secret")
    with pytest.raises(UnknownValueError):
        good.findings()


def test_no_balancer_leads_to_a_port_of_metrics(good):
    good.change("api", loadBalancers=[{"containerPort": 9090.0}])
    found = ["a load balancer on the internet leads to port 9090"]
    assert good.findings() == {("metrics-not-public", "api"): found}
    assert good.findings(ports=[9100]) == {}


METRICS = ("/metrics", "ImplementationSpecific", "gone")
ALL = ("/*", "ImplementationSpecific", "api")
GONE = json.dumps({"type": "fixed-response", "fixedResponseConfig": {"statusCode": "404"}})


@pytest.mark.parametrize(
    ("paths", "annotations", "is_reached"),
    [
        ([METRICS, ALL], {"actions.gone": GONE}, False),
        ([ALL, METRICS], {"actions.gone": GONE}, True),
        ([ALL], {}, True),
        ([("/", "Prefix", "api"), ("/metrics", "Exact", "gone")], {"actions.gone": GONE}, False),
        ([("/", "Prefix", "api"), ("/metrics", "Prefix", "gone")], {"actions.gone": GONE}, False),
        ([("/api", "Prefix", "api")], {}, False),
        ([ALL], {"auth_type": "oidc"}, False),
        ([ALL], {"scheme": "internal"}, False),
    ],
)
def test_the_paths_of_an_ingress_are_read_as_the_controller_orders_them(good, paths, annotations, is_reached):
    good.add("way-in", INGRESS, routed(*paths, **annotations))
    found = good.findings(paths=["/metrics"]).get(("metrics-not-public", "way-in"))
    assert found == (["way-in sends /metrics on to a service"] if is_reached else None)


def test_ingresses_of_one_group_are_one_balancer(good):
    group = {"group.name": "rentfix"}
    good.add("first", INGRESS, routed(METRICS, **{**group, "group.order": "1", "actions.gone": GONE}))
    good.add("second", INGRESS, routed(ALL, **{**group, "group.order": "2"}))
    rule_id = "metrics-not-public"
    assert not {about for about in good.findings(paths=["/metrics"]) if about[0] == rule_id}
    good.add("first", INGRESS, routed(METRICS, **{**group, "group.order": "3", "actions.gone": GONE}))
    assert good.findings(paths=["/metrics"])[rule_id, "second"] == ["second sends /metrics on to a service"]
    assert (rule_id, "first") not in good.findings(paths=["/metrics"])


# Hosts


def test_a_rule_on_the_plain_listener_is_found(good):
    good.add("plain", RULE, forwarding(1, on_path("/*")), listenerArn="http", actions="targets")
    found = good.findings()
    assert found["alb-serves-https", "plain"] == ["forward on http, which speaks plain HTTP"]
    good.add("plain", RULE, forwarding(1, on_path("/*"), [{"type": "redirect"}]), listenerArn="http")
    assert ("alb-serves-https", "plain") not in good.findings()


@pytest.mark.parametrize(
    "props", [{"internal": True, "loadBalancerType": "network"}, {"loadBalancerType": "gateway"}]
)
def test_other_kinds_of_balancers_need_no_https(good, props):
    good.add("other", BALANCER, props)
    good.add("tcp", LISTENER, {"protocol": "TCP", "defaultActions": FIXED}, loadBalancerArn="other")
    assert ("alb-serves-https", "other") not in good.findings()


@pytest.mark.parametrize(
    ("host", "is_covered"),
    [
        (HOST, True),
        ("API.RentFix.com", True),
        ("eu.shop.rentfix.com", True),
        ("a.b.shop.rentfix.com", False),
        ("shop.rentfix.com", False),
        ("www.rentfix.com", False),
    ],
)
def test_a_host_stands_in_the_certificate_it_is_served_with(good, host, is_covered):
    good.add("more", RULE, forwarding(101, on_path("/*", host=host)), listenerArn="https", actions="targets")
    found = [f"{host} (more) is in no certificate, they are for {HOST}, *.shop.rentfix.com"]
    assert good.findings().get(("certificate-covers-hosts", "https")) == (None if is_covered else found)


def test_a_listener_may_have_more_certificates(good):
    good.add(
        "more", RULE, forwarding(101, on_path("/*", host="www.a.com")), listenerArn="https", actions="targets"
    )
    assert ("certificate-covers-hosts", "https") in good.findings()
    good.add("second", CERTIFICATE, {"domainName": "www.a.com"})
    good.add("extra", LISTENER_CERTIFICATE, listenerArn="https", certificateArn="second")
    assert ("certificate-covers-hosts", "https") not in good.findings()
    good.add("extra", LISTENER_CERTIFICATE, {"certificateArn": "arn:elsewhere"}, listenerArn="https")
    assert ("certificate-covers-hosts", "https") not in good.findings()


def test_a_distribution_needs_its_aliases_in_a_certificate_of_the_first_region(good):
    good.add("cdn-certificate", CERTIFICATE, {"domainName": "cdn.rentfix.com", "region": "eu-central-1"})
    props = {
        "enabled": True,
        "aliases": ["cdn.rentfix.com", "img.rentfix.com"],
        "loggingConfig": {"bucket": "logs"},
    }
    certificate = {"acmCertificateArn": UNKNOWN_STRING_VALUE}
    good.add(
        "site",
        DISTRIBUTION,
        {**props, "viewerCertificate": certificate},
        webAclId="acl",
        viewerCertificate="cdn-certificate",
    )
    assert good.findings()["certificate-covers-hosts", "site"] == [
        "img.rentfix.com (site) is in no certificate, they are for cdn.rentfix.com",
        'cdn-certificate: region is "eu-central-1", and CloudFront reads us-east-1 only',
    ]
    assert good.findings()["dns-record-for-public-host", "site"] == [
        "no Record is for cdn.rentfix.com",
        "no Record is for img.rentfix.com",
    ]


def test_a_certificate_of_another_stack_cannot_be_read(good):
    good.add("way-in", INGRESS, routed(ALL, certificate_arn="arn:elsewhere", host="www.rentfix.com"))
    assert ("certificate-covers-hosts", "way-in") not in good.findings()
    good.add(
        "way-in",
        INGRESS,
        routed(ALL, certificate_arn="arn:here", host="www.rentfix.com"),
        metadata="certificate",
    )
    assert good.findings()["certificate-covers-hosts", "way-in"] == [
        f"www.rentfix.com (way-in) is in no certificate, they are for {HOST}, *.shop.rentfix.com"
    ]


@pytest.mark.parametrize(
    ("record", "is_found"),
    [
        ("www.rentfix.com", True),
        ("WWW.rentfix.com.", True),
        ("*.rentfix.com", True),
        ("www2.rentfix.com", False),
    ],
)
def test_every_host_has_a_record(good, record, is_found):
    good.add("www", RULE, forwarding(101, on_path("/*", host="www.rentfix.com")), listenerArn="https")
    good.add("www-name", RECORD, {"name": record})
    found = good.findings().get(("dns-record-for-public-host", "balancer"))
    assert found == (None if is_found else ["no Record is for www.rentfix.com"])


def test_a_stack_without_records_leaves_its_names_to_somebody_else(good):
    del good.resources["name"]
    assert good.findings() == {}
    found = [f"no Record is for {HOST}"]
    assert good.findings(declared=[HOST])["dns-record-for-public-host", "balancer"] == found


def test_a_name_that_external_dns_makes_is_a_record(good):
    good.add("way-in", INGRESS, routed(ALL, host="www.rentfix.com"))
    assert good.findings()["dns-record-for-public-host", "way-in"] == ["no Record is for www.rentfix.com"]
    made = routed(ALL, host="www.rentfix.com")
    made["metadata"]["annotations"]["external-dns.alpha.kubernetes.io/hostname"] = "www.rentfix.com, a.com"
    good.add("way-in", INGRESS, made)
    assert ("dns-record-for-public-host", "way-in") not in good.findings()


def test_a_private_balancer_has_no_public_name(good):
    good.add("inside", BALANCER, {"internal": True})
    good.add(
        "inside-https", LISTENER, {"protocol": "HTTPS", "defaultActions": FIXED}, loadBalancerArn="inside"
    )
    good.add("inside-rule", RULE, forwarding(1, on_path("/*", host="a.internal")), listenerArn="inside-https")
    assert ("dns-record-for-public-host", "inside") not in good.findings()


# CDN, firewall and uploads


def test_a_cdn_that_is_declared_exists_and_is_on(good):
    found = good.findings(declared=["cdn.rentfix.com", HOST])
    assert found["cdn-present-when-declared", "balancer"] == [
        "no Distribution has the alias cdn.rentfix.com",
        f"no Distribution has the alias {HOST}",
    ]
    props = {"aliases": ["cdn.rentfix.com", HOST], "loggingConfig": {"bucket": "logs"}}
    good.add("cdn-name", RECORD, {"name": "cdn.rentfix.com"})
    good.add("site", DISTRIBUTION, {**props, "enabled": True}, webAclId="acl")
    assert ("cdn-present-when-declared", "site") not in good.findings(declared=["cdn.rentfix.com"])
    good.add("site", DISTRIBUTION, {**props, "enabled": False}, webAclId="acl")
    assert good.findings()["cdn-present-when-declared", "site"] == ["enabled is false"]


def test_a_distribution_keeps_access_logs(good):
    good.add("site", DISTRIBUTION, {"enabled": True}, webAclId="acl")
    found = ["loggingConfig is not set, and no LogDeliverySource names it"]
    assert good.findings() == {("cdn-logged", "site"): found}
    good.add("source", "aws:cloudwatch/logDeliverySource:LogDeliverySource", resourceArn="site")
    assert good.findings() == {}


def test_the_limit_may_stand_in_a_group_of_rules(good):
    used = {"statement": {"ruleGroupReferenceStatement": {"arn": UNKNOWN_STRING_VALUE}}}
    good.add("limits", RULE_GROUP, {"rules": [RATE_RULE]})
    good.add(
        "acl",
        WEB_ACL,
        {"scope": "REGIONAL", "rules": [{**used, "overrideAction": {"none": {}}}]},
        rules="limits",
    )
    good.add("acl-use", ASSOCIATION, resourceArn="balancer", webAclArn="acl")
    assert good.findings() == {}
    good.add(
        "acl",
        WEB_ACL,
        {"scope": "REGIONAL", "rules": [{**used, "overrideAction": {"count": {}}}]},
        rules="limits",
    )
    good.add("acl-use", ASSOCIATION, resourceArn="balancer", webAclArn="acl")
    found = ["WebAcl acl has no rate-based rule that blocks"]
    assert good.findings() == {("waf-rate-limit-on-public-entry", "balancer"): found}


def test_an_api_has_a_limit_too(good):
    good.add("api-stage", STAGE)
    found = ["no WebAcl is associated"]
    assert good.findings() == {("waf-rate-limit-on-public-entry", "api-stage"): found}
    good.add("stage-use", ASSOCIATION, resourceArn="api-stage", webAclArn="acl")
    assert good.findings() == {}


def size_rule(statement, **action):
    return {"statement": statement, "action": action or {"block": {}}}


BODY = {"sizeConstraintStatement": {"fieldToMatch": {"body": {}}, "size": 8192}}
LENGTH = {
    "regexMatchStatement": {"fieldToMatch": {"singleHeader": {"name": "Content-Length"}}, "regexString": "9+"}
}
COMMON = {"managedRuleGroupStatement": {"vendorName": "AWS", "name": "AWSManagedRulesCommonRuleSet"}}
COUNTED = {"name": "SizeRestrictions_BODY", "actionToUse": {"count": {}}}


@pytest.mark.parametrize(
    ("rule", "is_limit"),
    [
        (size_rule(BODY), True),
        (size_rule(LENGTH), True),
        (size_rule({"andStatement": {"statements": [{"notStatement": {"statements": [BODY]}}]}}), True),
        ({"statement": COMMON, "overrideAction": {"none": {}}}, True),
        (size_rule(BODY, count={}), False),
        (size_rule({"sizeConstraintStatement": {"fieldToMatch": {"uriPath": {}}}}), False),
        ({"statement": COMMON, "overrideAction": {"count": {}}}, False),
        (
            {
                "statement": {
                    "managedRuleGroupStatement": {
                        **COMMON["managedRuleGroupStatement"],
                        "ruleActionOverrides": [COUNTED],
                    }
                },
                "overrideAction": {"none": {}},
            },
            False,
        ),
    ],
)
def test_uploads_have_a_size(good, rule, is_limit):
    good.spoil("acl", scope="REGIONAL", rules=[RATE_RULE, rule])
    found = {("upload-size-limited", "acl"): ["no rule that blocks limits the size of a body"]}
    assert good.findings() == {}
    assert good.findings(uploads=True) == ({} if is_limit else found)


@pytest.mark.parametrize(("methods", "takes"), [(["GET", "PUT"], True), (["POST"], True), (["GET"], False)])
def test_a_bucket_that_browsers_write_to_is_for_uploads(good, methods, takes):
    good.add("cors", BUCKET_CORS, {"corsRules": [{"allowedMethods": methods}]})
    assert (("upload-size-limited", "acl") in good.findings()) is takes
    good.spoil("acl", scope="CLOUDFRONT", rules=[RATE_RULE])
    assert ("upload-size-limited", "acl") not in good.findings()


# Secrets and the database


def test_a_service_that_reads_the_master_secret_is_found_in_a_preview():
    """It knows which resources a task definition is made of before it knows the text."""
    stack = Declared({"app-uses-dedicated-db-user"})
    stack.add("password", PASSWORD)
    stack.add("secret", SECRET)
    stack.add("value", VERSION, secretId="secret", secretString="password")
    stack.add("database", INSTANCE, password="password")
    stack.add("task", TASK, containerDefinitions="secret")
    stack.add("migrate", TASK, containerDefinitions="secret")
    assert stack.findings() == {}
    stack.add("api", SERVICE, taskDefinition="task")
    found = ["it reads secret, the login of database's master user"]
    assert stack.findings() == {("app-uses-dedicated-db-user", "api"): found}


def test_as_whom_a_service_signs_in_may_not_be_known_yet(good):
    good.add("api-task", TASK, containerDefinitions="role-secret")
    good.add("api", SERVICE, {"loadBalancers": []}, taskDefinition="api-task")
    with pytest.raises(UnknownValueError):
        good.findings(pools=["api: 20"], paths=["/metrics"])


def test_a_url_made_of_the_master_password_is_the_master_secret_too(good):
    good.add("url", SECRET, {"arn": f"{ROLE_ARN}2"})
    good.add("url-value", VERSION, secretId="url", secretString="database master-password")
    good.add(
        "api-task",
        TASK,
        containers(secrets={"DATABASE_URL": f"{ROLE_ARN}2:url::"}),
        containerDefinitions="url",
    )
    good.add("api", SERVICE, BALANCED, taskDefinition="api-task", loadBalancers="targets")
    found = ["it reads url, the login of database's master user"]
    assert good.findings() == {("app-uses-dedicated-db-user", "api"): found}


def test_a_task_that_is_no_service_may_read_the_master_secret(good):
    good.spoil("master-secret", arn="arn:aws:secretsmanager:us-east-1:111122223333:secret:master-AbCdEf")
    secrets = {"DB_PASSWORD": "arn:aws:secretsmanager:us-east-1:111122223333:secret:master"}
    good.add(
        "migrate", TASK, containers(secrets=secrets, DB_USER="postgres"), containerDefinitions="master-secret"
    )
    assert good.findings() == {}


def test_a_service_that_signs_in_as_the_master_user_is_found(good):
    good.spoil("api-task", **containers(DB_USER="postgres"))
    found = ['container api: DB_USER is "postgres", the master user']
    assert good.findings() == {("app-uses-dedicated-db-user", "api"): found}


def test_the_secret_that_rds_keeps_for_the_master_user_is_one(good):
    managed = "arn:aws:secretsmanager:us-east-1:111122223333:secret:rds!db-1-AbCdEf"
    good.add(
        "database",
        INSTANCE,
        {"username": "postgres", "masterUserSecrets": [{"secretArn": managed}]},
        vpcSecurityGroupIds="database-group",
    )
    good.spoil("api-task", **containers(secrets={"DB_PASSWORD": f"{managed}:password::"}))
    found = ["container api: DB_PASSWORD comes from the secret that RDS keeps for the master user"]
    assert good.findings() == {("app-uses-dedicated-db-user", "api"): found}


def pods(secret="api-secrets", **variables):
    env = [{"name": name, "value": value} for name, value in variables.items()]
    env.append({"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": secret, "key": "db"}}})
    spec = {"template": {"spec": {"containers": [{"name": "api", "env": env}]}}}
    return {"metadata": {"name": "api"}, "spec": {"replicas": 3, **spec}}


def test_pods_that_read_the_master_secret_are_found(good):
    fetched = {"metadata": {"name": "fetched"}, "spec": {"target": {"name": "api-secrets"}}}
    for name in ("role-value", "master-value"):
        good.change(name, secretString="Zx7kQ2mN9pLw4rTy")
    good.add("api-pods", DEPLOYMENT, pods())
    good.add("fetched", FETCHED, fetched, spec="role-secret")
    assert good.findings() == {}
    good.add("fetched", FETCHED, fetched, spec="master-secret")
    found = ["it reads master-secret, the login of database's master user"]
    assert good.findings() == {("app-uses-dedicated-db-user", "api-pods"): found}


def test_pods_may_only_read_secrets_that_the_stack_puts_into_the_cluster(good):
    good.add("api-pods", DEPLOYMENT, pods("forgotten"))
    found = ["container api: DB_PASSWORD comes from forgotten, which is no secret of this stack"]
    assert good.findings() == {("secrets-declared", "api-pods"): found}
    assert good.findings(elsewhere=["forgotten"]) == {}
    good.add("forgotten", "kubernetes:core/v1:Secret", {"metadata": {"name": "forgotten"}})
    assert good.findings() == {}


@pytest.mark.parametrize(
    ("source", "is_known"),
    [
        (ROLE_ARN, True),
        (ROLE_ARN.removesuffix("-AbCdEf"), True),
        (f"{ROLE_ARN}:password::", True),
        (f"{ROLE_ARN}s", False),
        ("arn:aws:secretsmanager:us-east-1:111122223333:secret:other-AbCdEf", False),
        ("/rentfix/api-key", True),
        ("arn:aws:ssm:us-east-1:111122223333:parameter/rentfix/api-key", True),
        ("arn:aws:ssm:us-east-1:111122223333:parameter/rentfix/other", False),
    ],
)
def test_a_secret_is_known_by_all_that_a_task_definition_may_call_it(good, source, is_known):
    good.add("parameter", SSM_PARAMETER, {"name": "/rentfix/api-key"})
    good.spoil("api-task", **containers(secrets={"KEY": source}))
    found = [f"container api: KEY comes from {source}, which is no secret of this stack"]
    assert good.findings().get(("secrets-declared", "api-task")) == (None if is_known else found)
    assert good.findings(elsewhere=[source]).get(("secrets-declared", "api-task")) is None


@pytest.mark.parametrize(
    ("tasks", "pool", "found"),
    [
        (4, "20", None),
        (5, "20", "api 5 x 20 are 100 connections, and 80 % of max_connections (100) are 80"),
        (4, "21", "api 4 x 21 are 84 connections, and 80 % of max_connections (100) are 80"),
        (9, LEFT_OUT, None),
        (9, "many", None),
    ],
)
def test_all_pools_fit_into_the_database(good, tasks, pool, found):
    good.spoil("scaling", maxCapacity=float(tasks))
    good.spoil("api-task", **containers(DB_POOL_MAX=pool))
    good.change("role-value", secretString="Zx7kQ2mN9pLw4rTy")
    assert good.findings() == ({("connection-budget", "database"): [found]} if found else {})


def test_the_share_and_the_pools_can_be_said(good):
    assert set(good.findings(pools=["api: 30"])) == {("connection-budget", "database")}
    assert good.findings(pools=["api: 30"], share_percent=120) == {}
    assert set(good.findings(share_percent=50)) == {("connection-budget", "database")}


def test_a_pool_may_stand_in_the_url(good):
    url = "postgresql://app:x@db/rentfix?sslmode=require&connection_limit=21"
    good.add("url", SECRET, {"arn": f"{ROLE_ARN}2"})
    good.add("url-value", VERSION, {"secretString": url}, secretId="url", secretString="role-password")
    told = containers(secrets={"DATABASE_URL": f"{ROLE_ARN}2"}, DB_POOL_MAX=LEFT_OUT)
    good.add("api-task", TASK, told, containerDefinitions="url")
    good.add(
        "api", SERVICE, {**BALANCED, "desiredCount": 4}, taskDefinition="api-task", loadBalancers="targets"
    )
    found = ["api 4 x 21 are 84 connections, and 80 % of max_connections (100) are 80"]
    assert good.findings() == {("connection-budget", "database"): found}


def test_a_pool_may_stand_in_a_url_that_a_task_puts_together(good):
    """As Groundwork's bootstrap does: a line of its variable has the secret's name, its ARN, and the template."""
    arns = {name: f"{ROLE_ARN}{name}" for name in ("url", "other")}
    lines = [
        f"{name} {arn} postgresql://app:{{{{login/{ROLE_ARN}}}}}@db/x?sslmode=require&connection_limit={pool}"
        for (name, arn), pool in zip(arns.items(), (21, 99), strict=True)
    ]
    for name, arn in arns.items():
        good.add(name, SECRET, {"arn": arn})
    good.add("publish", TASK, containers(URLS="\n".join(lines)), containerDefinitions="url other")
    told = containers(secrets={"DATABASE_URL": arns["url"]}, DB_POOL_MAX=LEFT_OUT)
    good.add("api-task", TASK, told, containerDefinitions="url")
    good.add(
        "api", SERVICE, {**BALANCED, "desiredCount": 4}, taskDefinition="api-task", loadBalancers="targets"
    )
    found = ["api 4 x 21 are 84 connections, and 80 % of max_connections (100) are 80"]
    assert good.findings() == {("connection-budget", "database"): found}


@pytest.mark.parametrize(
    ("name", "kind", "props", "refers"),
    [
        ("through", PROXY_TARGET, {}, {"dbInstanceIdentifier": "database"}),
        ("parameters", PARAMETERS, {"parameters": []}, {}),
        (
            "parameters",
            PARAMETERS,
            {
                "parameters": [
                    {"name": "max_connections", "value": "LEAST({DBInstanceClassMemory/9531392},5000)"}
                ]
            },
            {},
        ),
    ],
)
def test_what_nobody_can_count_is_not_counted(good, name, kind, props, refers):
    good.spoil("scaling", maxCapacity=50)
    assert good.findings()
    good.add(name, kind, props, **refers)
    good.add(
        "database",
        INSTANCE,
        {"username": "postgres"},
        password="master-password",
        parameterGroupName="parameters",
        vpcSecurityGroupIds="database-group",
    )
    if refers:
        good.add(name, kind, props, **refers)
    assert good.findings() == {}


def test_pods_count_as_often_as_they_may_be_scaled(good):
    good.add("api-pods", DEPLOYMENT, pods("api-secrets", DB_POOL_MAX="10"))
    good.add("fetched", FETCHED, {"metadata": {"name": "api-secrets"}, "spec": {}}, secretId="role-secret")
    found = "api 4 x 20, api-pods {} x 10 are {} connections, and 80 % of max_connections (100) are 80"
    assert good.findings()["connection-budget", "database"] == [found.format(3, 110)]
    scaler = {"spec": {"scaleTargetRef": {"name": "api"}, "maxReplicas": 6}}
    good.add("scaler", SCALER, scaler)
    assert good.findings()["connection-budget", "database"] == [found.format(6, 140)]


def test_with_two_databases_each_service_counts_for_its_own(good):
    good.spoil("scaling", maxCapacity=50)
    good.add(
        "archive",
        INSTANCE,
        {"username": "postgres"},
        password="master-password",
        parameterGroupName="parameters",
        vpcSecurityGroupIds="database-group",
    )
    assert good.findings() == {}
    good.add("api-task", TASK, containers(), containerDefinitions="role-secret archive")
    good.add(
        "api", SERVICE, {**BALANCED, "desiredCount": 9}, taskDefinition="api-task", loadBalancers="targets"
    )
    assert set(good.findings()) == {("connection-budget", "archive")}
    good.add("replica", INSTANCE, {"replicateSourceDb": "rentfix"}, parameterGroupName="parameters")
    assert set(good.findings()) == {("connection-budget", "archive")}


def test_a_password_that_somebody_wrote_down_is_found(good):
    good.add("hand-made", CACHE, {"authToken": "Zx7kQ2mN9pLw4rTyZx7kQ2mN9pLw4rTy"})
    good.add("events", BROKER, {"users": [{"username": "app", "password": "Zx7kQ2mN9pLw4rTy"}]})
    assert good.findings() == {
        ("password-not-literal", "hand-made"): ["authToken is written in the program or its configuration"],
        ("password-not-literal", "events"): [
            "users[0].password is written in the program or its configuration"
        ],
    }


def test_a_password_from_a_generator_that_does_not_keep_it_secret_is_found(good):
    good.add("plain", STRING, {"length": 32})
    good.add("cache", CACHE, {"authToken": "Zx7kQ2mN9pLw4rTyZx7kQ2mN9pLw4rTy"}, authToken="plain")
    good.add("kept", SECRET)
    good.add("kept-value", VERSION, secretId="kept", secretString="plain")
    found = "comes from plain, a RandomString, which the state keeps in the clear"
    assert good.findings() == {
        ("password-not-literal", "cache"): [f"authToken {found}"],
        ("password-not-literal", "kept-value"): [f"secretString {found}"],
    }


@pytest.mark.parametrize(
    ("kind", "prop", "special", "refused"),
    [
        (INSTANCE, "password", {"overrideSpecial": "-_.~"}, ""),
        (INSTANCE, "password", {}, "@"),
        (INSTANCE, "password", {"special": False}, ""),
        (INSTANCE, "password", {"overrideSpecial": '/" '}, ' "/'),
        ("aws:rds/cluster:Cluster", "masterPassword", {}, "@"),
        (CACHE, "authToken", {"overrideSpecial": "!&#$^<>-"}, ""),
        (CACHE, "authToken", {"overrideSpecial": "!@%"}, "%@"),
        (BROKER, "users", {"overrideSpecial": "!:,="}, ",:="),
        (BROKER, "users", {"overrideSpecial": "!-"}, ""),
    ],
)
def test_a_generated_password_holds_what_the_store_takes(good, kind, prop, special, refused):
    good.add("made", PASSWORD, {"length": 32, **special})
    good.add("store", kind, {prop: UNKNOWN_STRING_VALUE}, **{prop: "made"})
    found = [f"{prop} comes from made, which may hold {refused}"]
    assert good.findings().get(("generated-password-accepted", "store")) == (found if refused else None)


# What is watched, and how administrators get in


def test_a_dashboard_has_what_is_asked_for(good):
    assert good.findings(sections=["Error Rate", "cpu"]) == {}
    found = ["no dashboard has a section Database Performance"]
    sections = ["CPU", "Database Performance"]
    assert good.findings(sections=sections) == {("dashboard-present", "database"): found}
    good.spoil("dashboard", dashboardBody='{"widgets": []}')
    assert good.findings() == {("dashboard-present", "dashboard"): ["dashboardBody has no widgets"]}
    del good.resources["dashboard"]
    good.add("grafana", GRAFANA)
    assert good.findings() == {}


def test_alarms_that_are_declared_exist():
    stack = Declared({"required-alarms-present"})
    stack.add("topic", "aws:sns/topic:Topic")
    stack.add("alarms-api-cpu", "aws:cloudwatch/metricAlarm:MetricAlarm", {"name": "api-high-cpu"})
    assert stack.findings(declared=["alarms-api-*", "api-high-cpu"]) == {}
    assert stack.findings(declared=["api-high-errors"]) == {
        ("required-alarms-present", "topic"): ["the stack has no alarm api-high-errors"]
    }


def test_an_alarm_may_act_as_part_of_another():
    stack = Declared({"required-alarms-present"})
    alarm = "aws:cloudwatch/metricAlarm:MetricAlarm"
    stack.add("balancer", BALANCER)
    stack.add("slow", alarm, {"name": "slow"}, dimensions="balancer")
    found = {("required-alarms-present", "balancer"): ["1 alarms watch it, and none of them has an action"]}
    assert stack.findings() == found
    stack.add(
        "worst", "aws:cloudwatch/compositeAlarm:CompositeAlarm", {"alarmActions": ["arn"]}, alarmRule="slow"
    )
    assert stack.findings() == {}
    stack.resources["worst"].props = {"alarmActions": ["arn"], "actionsEnabled": False}
    assert stack.findings() == found


def test_a_vpn_that_is_declared_exists_and_leads_somewhere(good):
    found = ["a VPN is asked for, and the stack has none"]
    assert good.findings(vpn=True) == {("admin-access-via-vpn", "api"): found}
    good.add("vpn", VPN)
    assert good.findings() == {
        ("admin-access-via-vpn", "vpn"): [
            "it has no NetworkAssociation, so that nobody gets anywhere by it",
            "it has no AuthorizationRule, so that nobody gets anywhere by it",
        ]
    }
    for kind in ("networkAssociation:NetworkAssociation", "authorizationRule:AuthorizationRule"):
        good.add(kind, f"aws:ec2clientvpn/{kind}", clientVpnEndpointId="vpn")
    assert good.findings() == {}


def test_tasks_stand_in_private_subnets():
    stack = Declared({"db-in-private-subnets"})
    stack.add("vpc", VPC)
    stack.add("gateway", "aws:ec2/internetGateway:InternetGateway")
    stack.add("public", "aws:ec2/subnet:Subnet", vpcId="vpc")
    stack.add("worker", SERVICE, {}, networkConfiguration="public")
    assert stack.findings() == {}
    routes = [{"cidrBlock": "0.0.0.0/0", "gatewayId": UNKNOWN_STRING_VALUE}]
    table = "aws:ec2/routeTable:RouteTable"
    stack.add("main", table, {"routes": routes}, vpcId="vpc", routes="gateway")
    stack.add(
        "main-use",
        "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation",
        vpcId="vpc",
        routeTableId="main",
    )
    found = {("db-in-private-subnets", "worker"): ["subnet public has a route to an internet gateway"]}
    assert stack.findings() == found
    stack.add("own", table, vpcId="vpc")
    stack.add(
        "own-use",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        subnetId="public",
        routeTableId="own",
    )
    assert stack.findings() == {}


def test_the_default_route_table_is_that_of_subnets_without_one():
    stack = Declared({"db-in-private-subnets"})
    stack.add("vpc", VPC)
    stack.add("gateway", "aws:ec2/internetGateway:InternetGateway")
    stack.add("subnet", "aws:ec2/subnet:Subnet", vpcId="vpc")
    stack.add("function", "aws:lambda/function:Function", {}, vpcConfig="subnet")
    stack.add(
        "default", "aws:ec2/defaultRouteTable:DefaultRouteTable", defaultRouteTableId="vpc", routes="gateway"
    )
    found = ["subnet subnet has a route to an internet gateway"]
    assert stack.findings() == {("db-in-private-subnets", "function"): found}
