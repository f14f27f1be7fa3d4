"""Grafana: the workspace, exactly what it may read, who gets which role."""

from typing import Any

import pytest

from components.grafana import Grafana, GrafanaArgs
from tests.recorder import record

WORKSPACE = "aws:grafana/workspace:Workspace"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/rolePolicy:RolePolicy"
ASSOCIATION = "aws:grafana/roleAssociation:RoleAssociation"


def args(**changes):
    values: dict[str, Any] = {
        "workspace_name": "rentalfix-prod",
        "grafana_version": "10.4",
        "account_id": "111122223333",
        "prometheus_arn": "arn:prometheus",
        "tags": {"owner": "platform"},
        **changes,
    }
    return GrafanaArgs(**values)


def build(**changes):
    made = args(**changes)
    return record(lambda: Grafana("grafana", made).endpoint)


def test_people_sign_in_through_identity_center():
    declared = build()
    workspace = declared.one(WORKSPACE)
    assert workspace["authenticationProviders"] == ["AWS_SSO"]
    assert workspace["accountAccessType"] == "CURRENT_ACCOUNT"
    assert workspace["permissionType"] == "CUSTOMER_MANAGED"
    assert workspace["grafanaVersion"] == "10.4"
    assert workspace.json("configuration") == {
        "unifiedAlerting": {"enabled": True},
        "plugins": {"pluginAdminEnabled": False},
    }
    assert workspace["tags"] == {"owner": "platform", "Name": "rentalfix-prod"}
    assert workspace["roleArn"] == "arn:aws:iam::111122223333:role/" + declared.one(POLICY)["role"]
    assert declared.orphans() == []
    assert declared.value.endswith(".grafana-workspace.us-east-1.amazonaws.com")


def test_its_role_reads_this_prometheus_and_figures_only():
    declared = build()
    prometheus, alarms, figures = declared.one(POLICY).json("policy")["Statement"]
    assert prometheus["Resource"] == ["arn:prometheus"]
    assert "aps:QueryMetrics" in prometheus["Action"]
    assert alarms["Resource"] == ["arn:aws:cloudwatch:*:111122223333:alarm:*"]
    actions = [*prometheus["Action"], *alarms["Action"], *figures["Action"]]
    verbs = ("Describe", "Get", "List", "Query")
    assert [each for each in actions if not each.split(":")[1].startswith(verbs)] == []
    (trust,) = declared.one(ROLE).json("assumeRolePolicy")["Statement"]
    assert trust["Principal"] == {"Service": "grafana.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def test_without_groups_nobody_has_a_role():
    assert build().all(ASSOCIATION) == []


def test_groups_get_their_role():
    declared = build(admin_group_ids=["g-1"], viewer_group_ids=["g-2", "g-3"])
    assert {a["role"]: a["groupIds"] for a in declared.all(ASSOCIATION)} == {
        "ADMIN": ["g-1"],
        "VIEWER": ["g-2", "g-3"],
    }


def test_one_group_has_one_role():
    with pytest.raises(ValueError, match="grafana rentalfix-prod: g-1 is listed as admin and as viewer"):
        args(admin_group_ids=["g-1"], viewer_group_ids=["g-1"])


def test_without_prometheus_it_reads_cloudwatch_alone():
    declared = build(prometheus_arn=None)
    assert declared.one(WORKSPACE)["dataSources"] == ["CLOUDWATCH"]
    statements = declared.one(POLICY).json("policy")["Statement"]
    actions = [action for each in statements for action in each["Action"]]
    assert [action for action in actions if action.startswith("aps:")] == []
