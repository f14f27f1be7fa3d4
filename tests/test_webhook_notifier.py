"""WebhookNotifier: the function, exactly its rights, who may call it, and what is refused."""

import json
import re
from typing import Any

import pytest

from components.webhook_notifier import HANDLER, WebhookNotifier, WebhookNotifierArgs
from components.webhook_notifier_handler import handler
from tests.recorder import record

FUNCTION = "aws:lambda/function:Function"
PERMISSION = "aws:lambda/permission:Permission"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
QUEUE = "aws:sqs/queue:Queue"
POLICY = "aws:iam/rolePolicy:RolePolicy"
ROLE = "aws:iam/role:Role"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
TOPICS = {
    "eu-west-1": {"critical": "arn:topic:eu:critical", "warning": "arn:topic:eu:warning"},
    "us-east-1": {"critical": "arn:topic:us:critical", "warning": "arn:topic:us:warning"},
}


def args(**changes):
    values: dict[str, Any] = {
        "receiver": "slack",
        "severities": ["critical"],
        "topic_arns": TOPICS,
        "secret_arn": "arn:secret:webhook",
        "secrets_key_arn": "arn:key:secrets",
        "messages_key_arn": "arn:key:messages",
        "source": "shop-prod",
        "responses": {"critical": "P1: answered within 15 minutes"},
        "log_group_name": "/shop/prod/notify-slack",
        "log_key_arn": "arn:key:logs",
        "log_retention_days": 30,
        "tags": {"owner": "platform"},
        **changes,
    }
    return WebhookNotifierArgs(**values)


def build(**changes):
    made = args(**changes)
    notifiers: list[Any] = []
    return record(lambda: notifiers.append(WebhookNotifier("notify-slack", made))), notifiers[0]


def test_the_function_stands_outside_the_network_and_knows_no_secret():
    declared, _ = build()
    function = declared.one(FUNCTION)
    assert "vpcConfig" not in function
    assert (function["runtime"], function["handler"]) == ("python3.13", "handler.handler")
    assert function["kmsKeyArn"] == "arn:key:secrets"
    variables = function["environment"]["variables"]
    assert json.loads(variables.pop("TOPICS")) == [
        {"topic_arn": arn, "severity": "critical", "response": "P1: answered within 15 minutes"}
        for arn in ("arn:topic:eu:critical", "arn:topic:us:critical")
    ]
    assert variables == {"RECEIVER": "slack", "SECRET_ARN": "arn:secret:webhook", "SOURCE": "shop-prod"}
    assert function.depends_on(declared.one(POLICY))
    assert declared.orphans() == []


def test_its_code_is_the_handler():
    (name, asset) = next(iter(build()[0].one(FUNCTION)["code"].assets.items()))
    assert (name, asset.path) == ("handler.py", str(HANDLER))
    assert callable(handler.handler)


def test_it_may_do_five_things():
    declared, _ = build()
    statements = declared.one(POLICY).json("policy")["Statement"]
    by_sid = {each["Sid"]: (each["Action"], each["Resource"]) for each in statements}
    queue_arn = declared.one(FUNCTION)["deadLetterConfig"]["targetArn"]
    assert by_sid.pop("WriteOwnLog")[1][0].endswith(":log-group:/shop/prod/notify-slack:*")
    assert by_sid == {
        "ReadWebhook": (["secretsmanager:GetSecretValue"], ["arn:secret:webhook"]),
        "DecryptWebhook": (["kms:Decrypt"], ["arn:key:secrets"]),
        "KeepWhatIsNotDelivered": (["sqs:SendMessage"], [queue_arn]),
        "EncryptWhatIsKept": (["kms:Decrypt", "kms:GenerateDataKey"], ["arn:key:messages"]),
    }


def test_what_is_not_delivered_is_kept_encrypted():
    queue = build()[0].one(QUEUE)
    assert queue["kmsMasterKeyId"] == "arn:key:messages"
    assert queue["messageRetentionSeconds"] == 14 * 86_400


def test_each_region_has_a_subscription_and_may_call_the_function():
    declared, _ = build(severities=["critical", "warning"])
    names = [f"notify-slack-{s}-{r}" for s in ("critical", "warning") for r in ("eu-west-1", "us-east-1")]
    assert declared.names(SUBSCRIPTION) == declared.names(PERMISSION) == names
    subscription = declared.one(SUBSCRIPTION, "notify-slack-critical-us-east-1")
    assert subscription["region"] == "us-east-1"
    assert (subscription["protocol"], subscription["topic"]) == ("lambda", "arn:topic:us:critical")
    permission = declared.one(PERMISSION, "notify-slack-critical-us-east-1")
    assert permission["principal"] == "sns.amazonaws.com"
    assert permission["action"] == "lambda:InvokeFunction"
    assert permission["sourceArn"] == "arn:topic:us:critical"
    assert "region" not in permission, "the function is in the stack's own region"
    assert subscription.depends_on(permission)


def test_only_the_severities_that_are_asked_for():
    assert build()[0].names(SUBSCRIPTION) == [
        "notify-slack-critical-eu-west-1",
        "notify-slack-critical-us-east-1",
    ]


def test_its_log_is_made_first():
    logs = build()[0].one(LOG_GROUP)
    assert (logs["kmsKeyId"], logs["retentionInDays"]) == ("arn:key:logs", 30)


def test_what_is_not_delivered_rings():
    declared, notifier = build()
    (watch,) = notifier.watches
    assert (watch.name, watch.severity, watch.threshold) == ("notify-slack-undelivered", "critical", 0)
    assert [metric.namespace for metric in watch.metrics] == ["AWS/SQS", "AWS/Lambda"]
    assert watch.expression == "FILL(kept, 0) + FILL(lost, 0)"
    assert set(declared.outputs("notify-slack")) == {"function_name", "dead_letters_url"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"receiver": "teams"}, "receiver must be one of slack, pagerduty, got 'teams'"),
        ({"severities": []}, "severities is empty; name at least one, or leave the receiver out"),
        ({"severities": ["critical", "critical"]}, "severities lists critical twice; name it once"),
        ({"topic_arns": {}}, "topic_arns is empty; give the topics of at least one region"),
        (
            {"topic_arns": {"eu-west-1": {"warning": "arn"}}},
            "topic_arns has no critical topic in eu-west-1; give one",
        ),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(**changes)
