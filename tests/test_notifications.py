"""Notifications: topics by region and severity, who may publish, who reads, what is refused."""

import re
from typing import Any

import pulumi_aws as aws
import pytest

from components.notifications import Notifications, NotificationsArgs
from tests.recorder import record

KEY = "aws:kms/key:Key"
TOPIC = "aws:sns/topic:Topic"
POLICY = "aws:sns/topicPolicy:TopicPolicy"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
EMAILS = {"critical": ["oncall@rentfix.com"], "warning": ["platform@rentfix.com"]}


def args(**changes):
    values: dict[str, Any] = {
        "emails": EMAILS,
        "regions": ["eu-west-1"],
        "kms_key_arn": "arn:key",
        "account_id": "111122223333",
        "tags": {"owner": "platform"},
        **changes,
    }
    return NotificationsArgs(**values)


def build(**changes):
    made = args(**changes)
    return record(lambda: Notifications("notify", made).topic_arns)


def test_each_severity_has_a_topic_under_our_key():
    declared = build()
    assert declared.names(TOPIC) == ["notify-critical-eu-west-1", "notify-warning-eu-west-1"]
    topic = declared.one(TOPIC, "notify-critical-eu-west-1")
    assert topic["kmsMasterKeyId"] == "arn:key"
    assert declared.all(KEY) == []
    assert topic["region"] == "eu-west-1"
    assert topic["tags"] == {"owner": "platform", "Name": "notify-critical-eu-west-1"}
    assert declared.orphans() == []


def test_a_further_region_has_its_own_topics_and_key():
    declared = build(regions=["eu-west-1", "us-east-1"])
    further, key = declared.one(TOPIC, "notify-critical-us-east-1"), declared.one(KEY)
    assert (further["region"], key["region"]) == ("us-east-1", "us-east-1")
    assert further["kmsMasterKeyId"].startswith("arn:aws:kms:us-east-1:")
    assert key["enableKeyRotation"] is True
    root, publishers = key.json("policy")["Statement"]
    assert root["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert publishers["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert publishers["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    assert declared.one(SUBSCRIPTION, "notify-critical-us-east-1-oncall@rentfix.com")["region"] == "us-east-1"


def test_a_further_region_renames_nothing():
    assert set(build().names()) < set(build(regions=["eu-west-1", "us-east-1"]).names())


def test_topics_are_given_by_region_and_severity():
    arns = build(regions=["eu-west-1", "us-east-1"]).value
    assert {region: sorted(by_severity) for region, by_severity in arns.items()} == {
        "eu-west-1": ["critical", "warning"],
        "us-east-1": ["critical", "warning"],
    }
    assert re.match(
        r"arn:aws:sns:us-east-1:111122223333:notify-warning-us-east-1", arns["us-east-1"]["warning"]
    )


def test_whoever_gets_a_topic_waits_for_its_policy():
    def program():
        topic_arn = Notifications("notify", args()).topic_arns["eu-west-1"]["warning"]
        aws.rds.EventSubscription("events", sns_topic=topic_arn)

    declared = record(program)
    subscription = declared.one("aws:rds/eventSubscription:EventSubscription")
    assert subscription.depends_on(declared.one(POLICY, "notify-warning-eu-west-1"))


def test_scripts_find_a_topic_by_the_name_that_they_know():
    declared = build(regions=["eu-west-1", "us-east-1"], topic_names={"critical": "prod-alerts"})
    names = {topic.name: topic.get("name") for topic in declared.all(TOPIC)}
    assert names == {
        "notify-critical-eu-west-1": "prod-alerts",
        "notify-critical-us-east-1": None,
        "notify-warning-eu-west-1": None,
        "notify-warning-us-east-1": None,
    }


def test_everybody_is_subscribed_to_their_severity():
    declared = build(emails={"critical": ["a@x.com", "b@x.com"], "warning": []})
    assert declared.names(SUBSCRIPTION) == [
        "notify-critical-eu-west-1-a@x.com",
        "notify-critical-eu-west-1-b@x.com",
    ]
    one = declared.one(SUBSCRIPTION, "notify-critical-eu-west-1-a@x.com")
    assert (one["protocol"], one["endpoint"]) == ("email", "a@x.com")


def test_only_services_of_this_account_publish_and_only_over_tls():
    declared = build()
    topic_arn = declared.value["eu-west-1"]["critical"]
    allow, rules, look, deny = declared.one(POLICY, "notify-critical-eu-west-1").json("policy")["Statement"]
    assert allow["Principal"]["Service"] == [
        "cloudwatch.amazonaws.com",
        "events.rds.amazonaws.com",
        "backup.amazonaws.com",
        "aps.amazonaws.com",
    ]
    assert allow["Action"] == ["sns:Publish"]
    assert allow["Resource"] == [topic_arn]
    assert allow["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    assert rules["Principal"] == {"Service": "events.amazonaws.com"}
    assert (rules["Action"], rules["Resource"]) == (["sns:Publish"], [topic_arn])
    # EventBridge sends nothing that a condition could ask for.
    assert "Condition" not in rules
    assert look["Principal"] == {"Service": "aps.amazonaws.com"}
    assert look["Action"] == ["sns:GetTopicAttributes"]
    assert look["Resource"] == [topic_arn]
    assert look["Condition"] == allow["Condition"]
    assert deny["Effect"] == "Deny"
    assert deny["Principal"] == "*"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regions": []}, "regions is empty; name the stack's region first"),
        ({"regions": ["eu-west-1", "eu-west-1"]}, "regions lists eu-west-1 twice; name it once"),
        ({"emails": {"critical": ["a@x.com"]}}, "emails has no list for 'warning'"),
        ({"emails": {"critical": [], "warning": []}}, "emails.critical is empty"),
        (
            {"emails": {"critical": ["oncall"], "warning": []}},
            "emails.critical has 'oncall', which is no email address",
        ),
        (
            {"emails": {"critical": ["a@x.com", "a@x.com"], "warning": []}},
            "emails.critical lists a@x.com twice",
        ),
        ({"topic_names": {"critical": "a", "warning": "a"}}, "topic_names has a twice"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(**changes)


def test_every_problem_is_told_at_once():
    with pytest.raises(ValueError, match=r"regions is empty.*emails has no list for 'warning'.*is empty"):
        args(regions=[], emails={"critical": []})
