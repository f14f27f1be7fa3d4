"""LoadBalancer: HTTPS only, headers, records, redirects, watches, and what is refused."""

import re
from typing import Any

import pytest

from components import load_balancer
from components.load_balancer import LoadBalancer, LoadBalancerArgs, SecurityHeaders
from tests.recorder import record

BALANCER = "aws:lb/loadBalancer:LoadBalancer"
LISTENER = "aws:lb/listener:Listener"
RULE = "aws:lb/listenerRule:ListenerRule"
RECORD = "aws:route53/record:Record"
TARGETS = {
    "grafana.rentfix.com": "g-1.grafana-workspace.us-east-1.amazonaws.com",
    "prometheus.rentfix.com": "aps-workspaces.us-east-1.amazonaws.com",
}


def args(**changes):
    values: dict[str, Any] = {
        "subnet_ids": ["subnet-a", "subnet-b"],
        "security_group_id": "sg-edge",
        "certificate_arn": "arn:certificate",
        "tls_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "access_log_bucket": "logs",
        "access_log_prefix": "edge",
        "hosts": ["api.rentfix.com"],
        "zone_id": "Z1",
        **changes,
    }
    return LoadBalancerArgs(**values)


def build(name="edge", *, preview=False, **changes):
    return record(lambda: LoadBalancer(name, args(**changes)), preview=preview)


def test_the_balancer():
    assert build(tags={"owner": "platform"}).one(BALANCER).inputs == {
        "loadBalancerType": "application",
        "internal": False,
        "ipAddressType": "ipv4",
        "subnets": ["subnet-a", "subnet-b"],
        "securityGroups": ["sg-edge"],
        "enableHttp2": True,
        "preserveHostHeader": True,
        "xffHeaderProcessingMode": "append",
        "dropInvalidHeaderFields": True,
        "desyncMitigationMode": "defensive",
        "idleTimeout": 60,
        "enableDeletionProtection": True,
        "accessLogs": {"bucket": "logs", "prefix": "edge", "enabled": True},
        "tags": {"owner": "platform", "Name": "edge"},
    }


def test_fields_that_change_something():
    balancer = build(protect=False, idle_timeout_s=120).one(BALANCER)
    assert balancer["enableDeletionProtection"] is False
    assert balancer["idleTimeout"] == 120


def test_https_answers_404_unless_a_rule_takes_the_request():
    https = build().one(LISTENER, "edge-https")
    assert (https["port"], https["protocol"]) == (443, "HTTPS")
    assert https["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    assert https["certificateArn"] == "arn:certificate"
    (action,) = https["defaultActions"]
    assert action["fixedResponse"] == {
        "contentType": "text/plain",
        "messageBody": "not found",
        "statusCode": "404",
    }


def test_http_only_redirects():
    http = build().one(LISTENER, "edge-http")
    assert (http["port"], http["protocol"]) == (80, "HTTP")
    assert http["defaultActions"] == [
        {
            "type": "redirect",
            "redirect": {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"},
        }
    ]


def test_security_headers_are_on_every_answer():
    https = build().one(LISTENER, "edge-https")
    assert {
        key.removeprefix("routingHttpResponse"): value
        for key, value in https.inputs.items()
        if key.startswith("routingHttpResponse")
    } == {
        "ServerEnabled": False,
        "StrictTransportSecurityHeaderValue": "max-age=31536000; includeSubDomains",
        "XContentTypeOptionsHeaderValue": "nosniff",
        "XFrameOptionsHeaderValue": "DENY",
    }


def test_security_headers_can_be_chosen_or_left_to_the_application():
    headers = SecurityHeaders(
        strict_transport_security=None,
        x_content_type_options=None,
        x_frame_options="SAMEORIGIN",
        content_security_policy="default-src 'none'",
    )
    https = build(security_headers=headers).one(LISTENER, "edge-https")
    assert https["routingHttpResponseXFrameOptionsHeaderValue"] == "SAMEORIGIN"
    assert https["routingHttpResponseContentSecurityPolicyHeaderValue"] == "default-src 'none'"
    assert "routingHttpResponseStrictTransportSecurityHeaderValue" not in https
    assert "routingHttpResponseXContentTypeOptionsHeaderValue" not in https


def test_hosts_and_redirects_have_records():
    declared = build(redirects=TARGETS)
    assert declared.names(RECORD) == [
        "edge-api.rentfix.com",
        "edge-grafana.rentfix.com",
        "edge-prometheus.rentfix.com",
    ]
    for found in declared.all(RECORD):
        assert (found["zoneId"], found["type"]) == ("Z1", "A")
        assert found["name"] == found.name.removeprefix("edge-")
        (alias,) = found["aliases"]
        assert alias["name"] == declared.outputs("edge")["dns_name"]
        assert alias["zoneId"] == "Z35SXDOTRQ7X7K"
        assert alias["evaluateTargetHealth"] is True


def test_a_redirect_sends_its_host_to_another():
    rule = build(redirects=TARGETS).one(RULE, "edge-redirect-grafana.rentfix.com")
    assert rule["conditions"] == [{"hostHeader": {"values": ["grafana.rentfix.com"]}}]
    assert rule["actions"] == [
        {
            "type": "redirect",
            "redirect": {
                "host": "g-1.grafana-workspace.us-east-1.amazonaws.com",
                "port": "443",
                "protocol": "HTTPS",
                "statusCode": "HTTP_302",
            },
        }
    ]


def test_a_redirects_priority_is_its_own_and_behind_the_services():
    one = {"grafana.rentfix.com": TARGETS["grafana.rentfix.com"]}
    alone = build(redirects=one).one(RULE)["priority"]
    both = build(redirects=TARGETS)
    assert both.one(RULE, "edge-redirect-grafana.rentfix.com")["priority"] == alone
    priorities = {rule["priority"] for rule in both.all(RULE)}
    assert len(priorities) == 2
    hosts = {f"{name}.rentfix.com": "elsewhere" for name in ("grafana", "metrics", "runbook", "console")}
    assert len({rule["priority"] for rule in build(redirects=hosts).all(RULE)}) == len(hosts)
    assert all(40_000 <= priority <= 50_000 for priority in priorities)


def test_two_redirects_on_one_priority_are_refused(monkeypatch):
    monkeypatch.setattr(load_balancer, "REDIRECT_PRIORITIES", range(40_000, 40_001))
    with pytest.raises(ValueError, match="fall on one rule priority: rename one of them"):
        build(redirects=TARGETS)


def test_names_outputs_and_preview():
    declared = build()
    outputs = declared.outputs("edge")
    assert outputs["arn"].startswith(
        "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/edge-"
    )
    assert outputs["arn_suffix"].startswith("app/edge-")
    assert outputs["https_listener_arn"].startswith("arn:aws:elasticloadbalancing")
    assert declared.names() == [
        f"{LISTENER}::edge-http",
        f"{LISTENER}::edge-https",
        f"{BALANCER}::edge",
        f"{RECORD}::edge-api.rentfix.com",
        "groundwork:edge:LoadBalancer::edge",
    ]
    assert declared.orphans() == []
    assert build(preview=True).names() == declared.names()


def test_what_is_watched():
    kept = []
    record(lambda: kept.append(LoadBalancer("edge", args())))
    watches = {watch.name: watch for watch in kept[0].watches}
    assert {name: (watch.metrics[0].metric_name, watch.threshold) for name, watch in watches.items()} == {
        "edge-5xx": ("HTTPCode_ELB_5XX_Count", 10),
        "edge-rejected-connections": ("RejectedConnectionCount", 0),
        "edge-target-connection-errors": ("TargetConnectionErrorCount", 10),
    }
    assert watches["edge-5xx"].severity == "critical"
    assert watches["edge-target-connection-errors"].severity == "warning"


def test_switches_of_connections_and_a_name_of_ones_own():
    balancer = build(
        load_balancer_name="api-alb",
        http2=False,
        preserve_host_header=False,
        xff_header_processing_mode="remove",
        idle_timeout_s=120,
        client_keep_alive_s=600,
    ).one(BALANCER)
    assert balancer["name"] == "api-alb"
    assert balancer["enableHttp2"] is False
    assert balancer["preserveHostHeader"] is False
    assert balancer["xffHeaderProcessingMode"] == "remove"
    assert (balancer["idleTimeout"], balancer["clientKeepAlive"]) == (120, 600)


@pytest.mark.parametrize(
    "tls_policy",
    [
        "ELBSecurityPolicy-TLS13-1-3-2021-06",
        "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        "ELBSecurityPolicy-TLS-1-2-2017-01",
        "ELBSecurityPolicy-FS-1-2-Res-2020-10",
    ],
)
def test_policies_with_tls_1_2_or_newer_are_accepted(tls_policy):
    assert build(tls_policy=tls_policy).one(LISTENER, "edge-https")["sslPolicy"] == tls_policy


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"subnet_ids": ["subnet-a"]},
            "load balancer: subnet_ids must name subnets in at least two zones, got 1",
        ),
        (
            {"tls_policy": "ELBSecurityPolicy-2016-08"},
            "tls_policy must be a policy without TLS 1.0 and 1.1, such as "
            "ELBSecurityPolicy-TLS13-1-2-2021-06, got 'ELBSecurityPolicy-2016-08'",
        ),
        (
            {"tls_policy": "ELBSecurityPolicy-TLS13-1-1-2021-06"},
            "got 'ELBSecurityPolicy-TLS13-1-1-2021-06'",
        ),
        ({"hosts": []}, "hosts is empty: name at least one host"),
        (
            {"load_balancer_name": "a" * 33},
            "load_balancer_name has at most 32 characters, got 33",
        ),
        ({"idle_timeout_s": 0}, "idle_timeout_s must be 1 to 4000 seconds, got 0"),
        ({"client_keep_alive_s": 59}, "client_keep_alive_s must be 60 to 604800 seconds, got 59"),
        (
            {"redirects": {"api.rentfix.com": "elsewhere"}},
            "api.rentfix.com is named more than once among hosts and redirects",
        ),
        (
            {"hosts": [], "subnet_ids": []},
            "load balancer: subnet_ids must name subnets in at least two zones, got 0; hosts is empty",
        ),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(**changes)


def test_a_name_too_long_for_aws_is_refused():
    assert build("a" * 24).names(BALANCER) == ["a" * 24]
    with pytest.raises(ValueError, match="has at most 24 characters, got 25"):
        build("a" * 25)
