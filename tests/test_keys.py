"""Keys: rotated, named, protected, and each usable by exactly the services of its class."""

import dataclasses

import pytest

from components.keys import KeyClass, Keys, KeysArgs
from tests.recorder import record

KEY = "aws:kms/key:Key"
ALIAS = "aws:kms/alias:Alias"
ALL: list[KeyClass] = ["data", "logs", "secrets", "storage", "messages"]
ROOT = {
    "Sid": "AdministeredThroughIam",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": ["kms:*"],
    "Resource": ["*"],
}


GOOD = KeysArgs(
    account_id="111122223333",
    region="us-east-1",
    alias_prefix="rentalfix-prod",
    classes=ALL,
    deletion_window_days=30,
    protect=True,
    tags={"owner": "platform"},
)


def args(**changes):
    return dataclasses.replace(GOOD, **changes)


def declare(**changes):
    return record(lambda: Keys("keys", args(**changes)))


def statements(key_class):
    return declare(classes=[key_class]).one(KEY).json("policy")["Statement"]


def test_a_rotated_key_and_its_alias_per_class():
    declared = declare()
    assert declared.names(KEY) == [f"keys-{key_class}" for key_class in sorted(ALL)]
    key = declared.one(KEY, "keys-data")
    assert key["enableKeyRotation"] is True
    assert key["deletionWindowInDays"] == 30
    assert key["tags"] == {"owner": "platform", "Name": "rentalfix-prod-data"}
    assert {a.name: a["name"] for a in declared.all(ALIAS)}["keys-data"] == "alias/rentalfix-prod-data"
    assert set(declared.outputs("keys")["arns"]) == set(ALL)
    assert declared.orphans() == []


@pytest.mark.parametrize("protect", [True, False])
def test_protection(protect):
    key = declare(classes=["data"], protect=protect).one(KEY)
    assert (key.protect, key.retain_on_delete) == (protect, protect)


@pytest.mark.parametrize("key_class", ["data", "secrets"])
def test_data_and_secrets_are_used_through_iam_alone(key_class):
    assert statements(key_class) == [ROOT]


def test_logs_key_serves_the_log_groups_of_this_account():
    root, logs = statements("logs")
    assert root == ROOT
    assert logs["Principal"] == {"Service": "logs.us-east-1.amazonaws.com"}
    assert logs["Condition"] == {
        "ArnLike": {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:us-east-1:111122223333:*"}
    }


def test_storage_key_serves_log_delivery():
    _, delivery = statements("storage")
    assert delivery["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert delivery["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def test_storage_key_serves_distributions_only_where_there_is_one():
    made = declare(classes=["storage"], cloudfront_reads=True).one(KEY).json("policy")["Statement"]
    assert made[-1] == {
        "Effect": "Allow",
        "Action": ["kms:Decrypt"],
        "Resource": ["*"],
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:cloudfront::111122223333:distribution/*"}},
        "Sid": "DistributionsOfThisAccount",
    }
    assert made[:-1] == statements("storage")


def test_messages_key_serves_those_who_publish():
    _, publishers, event_bridge = statements("messages")
    assert set(publishers["Principal"]["Service"]) == {
        "cloudwatch.amazonaws.com",
        "events.rds.amazonaws.com",
        "backup.amazonaws.com",
        "aps.amazonaws.com",
    }
    assert publishers["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    # EventBridge sends no source account to an encrypted topic; asking for it would lose its events.
    assert event_bridge["Principal"] == {"Service": "events.amazonaws.com"}
    assert event_bridge["Condition"] == {
        "ArnLike": {"kms:EncryptionContext:aws:sns:topicArn": "arn:aws:sns:us-east-1:111122223333:*"}
    }


@pytest.mark.parametrize("key_class", ALL)
def test_no_statement_is_open_to_everyone(key_class):
    for made in statements(key_class)[1:]:
        assert made["Condition"]
        assert "kms:*" not in made["Action"]
        assert set(made["Principal"]) == {"Service"}


def test_another_class_leaves_the_others_alone():
    one, two = declare(classes=["data"]), declare(classes=["logs", "data"])
    assert one.one(KEY).inputs == two.one(KEY, "keys-data").inputs


@pytest.mark.parametrize("days", [7, 30])
def test_deletion_window_limits(days):
    assert args(deletion_window_days=days).deletion_window_days == days


def test_every_problem_at_once():
    sentence = (
        r"keys: deletion_window_days must be 7 to 30, got 6; class 'mail' is not one of data, .*; "
        r"class 'data' is listed twice"
    )
    with pytest.raises(ValueError, match=sentence):
        args(deletion_window_days=6, classes=["data", "mail", "data"])
    with pytest.raises(ValueError, match="got 31"):
        args(deletion_window_days=31)


def test_a_preview_sees_every_resource():
    assert record(lambda: Keys("keys", args()), preview=True).names() == declare().names()
