"""Secrets: generated and strong, or empty for the operator; never in plain sight."""

import base64
import dataclasses
import json

import pulumi
import pytest

from components.secret import Generate, GenerateBytes, Secret, SecretArgs
from tests.recorder import record

SECRET = "aws:secretsmanager/secret:Secret"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
PASSWORD = "random:index/randomPassword:RandomPassword"
BYTES = "random:index/randomBytes:RandomBytes"


GOOD = SecretArgs(
    name_prefix="rentalfix/prod/api-key-",
    kms_key_arn="arn:aws:kms:us-east-1:111122223333:key/secrets",
    description="Key of the API",
    tags={"owner": "platform"},
)


def args(**changes):
    return dataclasses.replace(GOOD, **changes)


def declare(**changes):
    return record(lambda: Secret("api-key", args(**changes)))


def test_an_external_secret_is_empty():
    declared = declare()
    assert declared.names() == [f"{SECRET}::api-key", "groundwork:security:Secret::api-key"]
    assert declared.one(SECRET).inputs == {
        "namePrefix": "rentalfix/prod/api-key-",
        "description": "Key of the API",
        "kmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/secrets",
        "recoveryWindowInDays": 7,
        "tags": {"owner": "platform", "Name": "api-key"},
    }
    assert record(lambda: Secret("api-key", args()).value is None).value is True


def test_a_generated_secret_is_strong_and_marked_secret():
    declared = declare(generate=Generate(length=64))
    assert declared.one(PASSWORD).inputs == {
        "length": 64,
        "special": True,
        "overrideSpecial": "-_.~",
        "minUpper": 1,
        "minLower": 1,
        "minNumeric": 1,
        "minSpecial": 1,
    }
    version = declared.one(VERSION)
    assert len(version["secretString"]) == 64
    assert "secretString" in version.secrets
    assert version["secretId"] == declared.outputs("api-key")["arn"]
    assert declared.orphans() == []


def test_generated_bytes_are_kept_as_base64_on_one_line():
    declared = declare(generate=GenerateBytes(length=64))
    assert declared.one(BYTES).inputs == {"length": 64}
    version = declared.one(VERSION)
    assert len(base64.b64decode(version["secretString"], validate=True)) == 64
    assert "secretString" in version.secrets
    assert not declared.all(PASSWORD)


def test_a_fixed_name_takes_the_place_of_the_prefix():
    made = declare(fixed_name="myapp/jwt-secret").one(SECRET)
    assert made["name"] == "myapp/jwt-secret"
    assert "namePrefix" not in made
    assert "name" not in declare().one(SECRET)


def test_without_special_characters():
    password = declare(generate=Generate(length=32, special="")).one(PASSWORD)
    assert password["special"] is False
    assert password["minSpecial"] == 0
    assert "overrideSpecial" not in password


def test_with_a_username_the_value_is_json_and_still_secret():
    declared = declare(generate=Generate(length=32), username="rentfix_app")
    version = declared.one(VERSION)
    content = json.loads(version["secretString"])
    assert content["username"] == "rentfix_app"
    assert len(content["password"]) == 32
    assert "secretString" in version.secrets


def test_value_is_the_password_itself():
    made = record(lambda: Secret("api-key", args(generate=Generate(length=32), username="rentfix_app")).value)
    assert made.value == json.loads(made.one(VERSION)["secretString"])["password"]


def test_a_value_that_is_put_together_is_kept_as_a_secret():
    url = pulumi.Output.secret("postgresql://app:pw@db/x")
    declared = record(lambda: Secret("url", args(value=url)).value)
    version = declared.one(VERSION)
    assert version["secretString"] == declared.value == "postgresql://app:pw@db/x"
    assert "secretString" in version.secrets
    assert not declared.all(PASSWORD)


def test_one_secret_has_one_source():
    with pytest.raises(ValueError, match="generate and value are two sources of one secret; keep one"):
        args(generate=Generate(length=32), value=pulumi.Output.secret("x"))


@pytest.mark.parametrize("days", [0, 7, 30])
def test_recovery_windows(days):
    assert declare(recovery_window_days=days).one(SECRET)["recoveryWindowInDays"] == days


def test_every_problem_at_once():
    sentence = (
        r"secret rentalfix/prod/api-key-: recovery_window_days must be 0 or 7 to 30, got 3; username 'u'"
    )
    with pytest.raises(ValueError, match=sentence):
        args(recovery_window_days=3, username="u")


def test_a_short_secret_is_refused():
    assert Generate(length=16).length == 16
    with pytest.raises(ValueError, match="at least 16 characters, got 15"):
        Generate(length=15)
    assert GenerateBytes(length=16).length == 16
    with pytest.raises(ValueError, match="at least 16 bytes, got 15"):
        GenerateBytes(length=15)


def test_a_preview_sees_every_resource():
    generated = {"generate": Generate(length=32), "username": "rentfix_app"}
    preview = record(lambda: Secret("api-key", args(**generated)), preview=True)
    assert preview.names() == declare(**generated).names()
