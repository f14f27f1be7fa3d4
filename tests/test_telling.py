"""The whole program with receivers, a VPN and a log router: what they are wired to, and what stays as it was."""

import json
from functools import cache

import pytest

from tests.program import configuration, declared, run

# Together with what else looks at RentalFix's production, which is recorded once for all of them.
pytestmark = pytest.mark.xdist_group("prod ")
FUNCTION = "aws:lambda/function:Function"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
TOPIC = "aws:sns/topic:Topic"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
RULE = "aws:ec2clientvpn/authorizationRule:AuthorizationRule"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
CERTIFICATE = "arn:aws:acm:us-east-1:111122223333:certificate/12345678-1234-1234-1234-123456789012"
IMAGE = "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.2.1"


def config():
    made = configuration("prod")
    made["groundwork:secrets"] = {
        "slack-webhook": {"external": "The incoming webhook of #alerts"},
        "pagerduty-url": {"external": "The integration's URL"},
        "datadog-key": {"external": "Datadog's API key"},
    }
    made["groundwork:notifications"] |= {
        "slack": {"severities": ["critical", "warning"], "webhook_secret": "slack-webhook"},
        "pagerduty": {"severities": ["critical"], "integration_url_secret": "pagerduty-url"},
        "topic_names": {"critical": "prod-alerts"},
        "responses": {"critical": {"priority": "P1", "within": "15 minutes"}},
    }
    made["groundwork:admin_access"] = {
        "client_vpn": {
            "client_cidr_block": "10.250.0.0/22",
            "server_certificate_arn": CERTIFICATE,
            "client_root_certificate_arn": CERTIFICATE,
            "reaches": ["database"],
        }
    }
    made["groundwork:operations"]["log_router_image"] = IMAGE
    made["groundwork:observability"]["log_router"] = {
        "datadog": {"site": "datadoghq.com", "api_key_secret": "datadog-key"}
    }
    return made


@cache
def full():
    return run("prod", config())


def test_nothing_is_renamed():
    assert set(declared("prod").names()) < set(full().names())


def test_nothing_is_created_inside_apply():
    assert run("prod", config(), preview=True).names() == full().names()


def test_each_receiver_has_a_function_with_its_own_secret():
    found = {name: full().one(FUNCTION, f"notify-{name}") for name in ("slack", "pagerduty")}
    arns = {name: each["environment"]["variables"]["SECRET_ARN"] for name, each in found.items()}
    assert ":secret:secret-slack-webhook-" in arns["slack"]
    assert ":secret:secret-pagerduty-url-" in arns["pagerduty"]
    assert [name for name in full().names(SUBSCRIPTION) if name.startswith("notify-")] == [
        "notify-pagerduty-critical-us-east-1",
        "notify-slack-critical-us-east-1",
        "notify-slack-warning-us-east-1",
    ]


def test_scripts_find_the_topic_by_the_name_that_they_know():
    critical = full().one(TOPIC, "notifications-critical-us-east-1")
    assert critical["name"] == "prod-alerts"
    assert "name" not in full().one(TOPIC, "notifications-warning-us-east-1")


def test_what_is_promised_stands_in_the_alarm_and_in_the_message():
    alarms = full().all(ALARM)
    critical = [each for each in alarms if each.get("tags", {}).get("severity") == "critical"]
    assert critical
    assert all(" P1: answered within 15 minutes. Runbook: " in each["alarmDescription"] for each in critical)
    topics = json.loads(full().one(FUNCTION, "notify-slack")["environment"]["variables"]["TOPICS"])
    assert [(each["severity"], each["response"]) for each in topics] == [
        ("critical", "P1: answered within 15 minutes"),
        ("warning", ""),
    ]


@pytest.mark.parametrize(
    "alarm",
    [
        "notify-slack-undelivered",
        "notify-pagerduty-undelivered",
        "vpn-refused",
        "vpn-server-expiry",
        "core-matching-log-router-gave-up",
    ],
)
def test_what_is_new_is_watched(alarm):
    assert full().one(ALARM, f"alarms-{alarm}")["alarmActions"]


def test_the_vpn_leads_to_the_database_and_nowhere_else():
    assert {each.name: each["targetNetworkCidr"] for each in full().all(RULE)} == {
        "vpn-dns": "10.20.0.2/32",
        "vpn-isolated-a": "10.20.128.0/21",
        "vpn-isolated-b": "10.20.136.0/21",
        "vpn-isolated-c": "10.20.144.0/21",
    }
    assert [name for name in full().names(INGRESS) if "-vpn-" in name] == [
        "firewall-vpn-to-database-5432-ingress"
    ]
    assert full().value["vpn"].startswith("vpn-")


def test_services_in_the_private_subnets_are_another_network():
    made = config()
    made["groundwork:admin_access"]["client_vpn"]["reaches"] = ["core-matching"]
    names = run("prod", made).names(RULE)
    assert names == ["vpn-dns", "vpn-private-a", "vpn-private-b", "vpn-private-c"]


def test_single_sign_on_leads_to_the_endpoint():
    made = config()
    vpn = made["groundwork:admin_access"]["client_vpn"]
    del vpn["client_root_certificate_arn"]
    vpn |= {"saml_provider_arn": "arn:aws:iam::111122223333:saml-provider/staff", "saml_group_id": "admins"}
    recorded = run("prod", made)
    assert {each["accessGroupId"] for each in recorded.all(RULE)} == {"admins"}


def test_services_have_the_router_and_one_off_tasks_do_not():
    routers = {
        each.name: [container["name"] for container in each.json("containerDefinitions")]
        for each in full().all(TASK)
    }
    assert routers["core-matching"] == ["core-matching", "log-router"]
    assert routers["worker-ai"] == ["worker-ai", "log-router"]
    assert routers["task-migrate"] == ["task-migrate"]
    assert "log-router" not in routers["collector"]


def test_the_log_router_may_go_to_loki_inside_and_to_another_collector():
    made = config()
    made["groundwork:observability"]["log_router"] = {
        "loki": {"service": "core-matching"},
        "https": {"host": "in.example.com", "secret": "datadog-key"},
    }
    recorded = run("prod", made)
    (own,) = recorded.one(TASK, "core-matching").json("containerDefinitions")
    assert own["logConfiguration"]["logDriver"] == "awslogs", "Loki's own lines do not go round in a circle"
    _, sidecar = recorded.one(TASK, "worker-ai").json("containerDefinitions")
    environment = {each["name"]: each["value"] for each in sidecar["environment"]}
    assert "host core-matching\n" in environment["CONFIGURATION"]
    assert "firewall-worker-ai-to-core-matching-4400-ingress" in recorded.names(INGRESS)


def test_what_was_not_delivered_is_found_by_an_operator():
    assert set(full().value["undelivered"]) == {"slack", "pagerduty"}
    assert declared("prod").value["undelivered"] == {}
    assert declared("prod").value["vpn"] == ""
