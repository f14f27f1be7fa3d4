"""Prometheus: the workspace, its three files as Prometheus reads them, and what is refused."""

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from components.prometheus import Prometheus, PrometheusArgs, Rule, rule_file
from tests.recorder import record

WORKSPACE = "aws:amp/workspace:Workspace"
RULES = "aws:amp/ruleGroupNamespace:RuleGroupNamespace"
ALERTS = "aws:amp/alertManagerDefinition:AlertManagerDefinition"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"

HIGH_ERROR_RATE = Rule(
    alert="HighErrorRate",
    expr='rate(http_requests_total{status_code=~"5.."}[5m]) > 0.05',
    for_="5m",
    severity="critical",
    summary="High error rate detected",
)


def args(**changes):
    values: dict[str, Any] = {
        "alias": "rentalfix-prod",
        "group": "core-matching",
        "rules": [HIGH_ERROR_RATE],
        "region": "us-east-1",
        "topic_arns": {"critical": "arn:critical", "warning": "arn:warning"},
        "log_group_name": "/aws/vendedlogs/prometheus/rentalfix-prod",
        "log_key_arn": "arn:log-key",
        "log_retention_days": 30,
        **changes,
    }
    return PrometheusArgs(**values)


def build(**changes):
    made = args(**changes)

    def program():
        prometheus = Prometheus("prometheus", made)
        (watch,) = prometheus.watches
        return {
            "endpoint": prometheus.endpoint,
            "watch": watch.name,
            "namespace": watch.metrics[0].namespace,
            "workspace": watch.metrics[0].dimensions["Workspace"],
            "id": prometheus.workspace_id,
        }

    return record(program)


def test_the_workspace_logs_to_its_own_encrypted_group():
    declared = build()
    logs = declared.one(LOG_GROUP)
    assert logs["name"] == "/aws/vendedlogs/prometheus/rentalfix-prod"
    assert (logs["kmsKeyId"], logs["retentionInDays"]) == ("arn:log-key", 30)
    workspace = declared.one(WORKSPACE)
    assert workspace["alias"] == "rentalfix-prod"
    assert workspace["loggingConfiguration"]["logGroupArn"].endswith(f":log-group:{logs['name']}:*")
    assert declared.orphans() == []


def test_the_rules_are_the_products_own():
    rules = build().one(RULES)
    assert rules["name"] == "core-matching"
    assert yaml.safe_load(rules["data"]) == {
        "groups": [
            {
                "name": "core-matching",
                "rules": [
                    {
                        "alert": "HighErrorRate",
                        "expr": 'rate(http_requests_total{status_code=~"5.."}[5m]) > 0.05',
                        "for": "5m",
                        "labels": {"severity": "critical"},
                        "annotations": {"summary": "High error rate detected"},
                    }
                ],
            }
        ]
    }


def test_alerts_go_to_the_topic_of_their_severity():
    definition = yaml.safe_load(build().one(ALERTS)["definition"])
    config = yaml.safe_load(definition["alertmanager_config"])
    assert config["route"]["receiver"] == "warning"
    assert config["route"]["routes"] == [{"receiver": "critical", "match": {"severity": "critical"}}]
    assert {each["name"]: each["sns_configs"][0] for each in config["receivers"]} == {
        "critical": {"topic_arn": "arn:critical", "sigv4": {"region": "us-east-1"}, "send_resolved": True},
        "warning": {"topic_arn": "arn:warning", "sigv4": {"region": "us-east-1"}, "send_resolved": True},
    }


def test_it_watches_that_its_alerts_arrive():
    value = build().value
    assert (value["watch"], value["namespace"]) == ("prometheus-alerts-undelivered", "AWS/Prometheus")
    assert value["workspace"] == value["id"]
    assert value["endpoint"].startswith("https://aps-workspaces.us-east-1.amazonaws.com/workspaces/ws-")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group": None}, "group is missing; name the group that the rules stand in"),
        ({"log_group_name": "/rentalfix/prod"}, "log_group_name must begin with /aws/vendedlogs/"),
        ({"topic_arns": {"critical": "arn:critical"}}, "topic_arns has no warning topic; give one"),
        ({"rules": [HIGH_ERROR_RATE, HIGH_ERROR_RATE]}, "two rules are called 'HighErrorRate'"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(**changes)


def test_without_rules_it_keeps_figures_and_tells_nobody():
    declared = record(lambda: len(Prometheus("prometheus", args(group=None, rules=[])).watches))
    assert (declared.all(RULES), declared.all(ALERTS), declared.value) == ([], [], 0)
    assert len(declared.all(WORKSPACE)) == 1


def test_the_documents_own_expression_stands_beside_the_corrected_one():
    rule = replace(HIGH_ERROR_RATE, document_expr="rate(x[5m]) > 0.1")
    (group,) = yaml.safe_load(rule_file("group", [rule]))["groups"]
    assert group["rules"][0]["annotations"] == {
        "summary": "High error rate detected",
        "document_expr": "rate(x[5m]) > 0.1",
    }
