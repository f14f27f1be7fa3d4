"""Who is signed in, and where the state is kept, as `groundwork doctor` sees them."""

import dataclasses
import json
import uuid
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from operations.doctor import (
    caller,
    state,
    tools,
)
from operations.doctor.line import State, guarded
from operations.policy.stacks import Stack
from tests.aws_cloud import cloud, emulator_url
from tests.doctor_stacks import (
    ACCOUNT,
    declaring,
    denied,
    line,
    states,
    status,
)
from tests.program import ROOT

__all__ = ["cloud", "emulator_url"]


# Caller


def told(account=ACCOUNT, arn="arn:aws:sts::111122223333:assumed-role/Admin/dana"):
    return {"Account": account, "Arn": arn}


def test_the_right_account_and_a_role():
    assert states(caller.check(told(), declaring())) == {State.well}


def test_another_account_is_named_with_both_of_the_files():
    found = line(caller.check(told("999988887777"), declaring()), "account")
    assert found.state is State.wrong
    assert "signed in to 999988887777" in found.figure
    assert ACCOUNT in found.figure


def test_an_account_that_the_provider_would_refuse():
    declared = declaring()
    config = {**declared.preview.config, "aws:allowedAccountIds": '["999988887777"]'}
    other = dataclasses.replace(declared, preview=dataclasses.replace(declared.preview, config=config))
    assert line(caller.check(told(), other), "account").state is State.wrong


def test_the_root_user():
    found = line(caller.check(told(arn="arn:aws:iam::111122223333:root"), declaring()), "user")
    assert found.state is State.wrong
    assert "root user" in found.figure


@pytest.fixture
def signed_in(monkeypatch, tmp_path):
    for name in (
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return monkeypatch


# Botocore has a clock of its own, by which this is long to come.
NOW = datetime(2099, 11, 26, 12, tzinfo=UTC)


def session():
    return list(caller.session(boto3.Session(), NOW))


def by_environment(monkeypatch, token="t", until=""):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    if until:
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", until)


def test_nobody_is_signed_in(signed_in):
    assert line(session(), "session").figure == "nobody is signed in"


def test_a_key_that_does_not_expire_is_told(signed_in):
    by_environment(signed_in, token="")
    found = line(session(), "session")
    assert found.state is State.note
    assert "does not expire" in found.figure


@pytest.mark.parametrize(
    ("until", "expected"),
    [("2099-11-26T12:59:00+00:00", State.wrong), ("2099-11-26T13:00:00+00:00", State.well)],
)
def test_a_session_lasts_the_hour_of_an_up(signed_in, until, expected):
    by_environment(signed_in, until=until)
    assert line(session(), "session").state is expected


def test_a_session_that_is_over_is_told(signed_in):
    by_environment(signed_in, until="2020-01-01T00:00:00+00:00")
    found = line(session(), "session")
    assert (found.state, found.figure) == (State.wrong, "the session that this shell has is over")


def test_a_session_that_does_not_tell_when_it_ends(signed_in):
    by_environment(signed_in)
    assert line(session(), "session").state is State.note


PROFILE = """[profile p]
sso_session = s
sso_account_id = 111122223333
sso_role_name = Admin
[sso-session s]
sso_start_url = https://example.invalid/start
sso_region = us-east-1
"""


@pytest.mark.parametrize(("left", "expected"), [(59, State.wrong), (61, State.well)])
def test_a_session_of_identity_center_ends_with_its_sign_in(signed_in, tmp_path, left, expected):
    import hashlib

    (tmp_path / "config").write_text(PROFILE)
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    until = (NOW + timedelta(minutes=left)).strftime("%Y-%m-%dT%H:%M:%SZ")
    token = {
        "startUrl": "https://example.invalid/start",
        "region": "us-east-1",
        "accessToken": "x",
        "expiresAt": until,
    }
    (cache / f"{hashlib.sha1(b's').hexdigest()}.json").write_text(json.dumps(token))
    profile = boto3.Session(profile_name="p")
    assert caller._ends(profile, "sso") == NOW + timedelta(minutes=left)
    [found] = caller._lasts("sso", caller._ends(profile, "sso"), NOW)
    assert found.state is expected


def test_a_sign_in_that_is_not_kept_on_this_machine(signed_in, tmp_path):
    (tmp_path / "config").write_text(PROFILE)
    assert caller._ends(boto3.Session(profile_name="p"), "sso") is None
    assert caller._ends(boto3.Session(profile_name="p"), "iam-role") is None
    [found] = caller._lasts("iam-role", None, NOW)
    assert (found.state, found.figure) == (State.well, "credentials by iam-role, which renew themselves")


# State


STATE = {"bucket": "rentalfix-pulumi-state", "key_alias": "alias/pulumi-state"}
PROD = Stack("rentalfix", "prod", ROOT / "Pulumi.prod.yaml")


def kept(cloud, *, versions="Enabled", closed=True):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=STATE["bucket"])
    if versions:
        s3.put_bucket_versioning(Bucket=STATE["bucket"], VersioningConfiguration={"Status": versions})
    keys = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    if closed:
        s3.put_public_access_block(
            Bucket=STATE["bucket"], PublicAccessBlockConfiguration=dict.fromkeys(keys, True)
        )
    return list(state._bucket(cloud, STATE["bucket"]))


def test_a_bucket_for_the_state_as_readme_makes_it(cloud):
    assert [each.state for each in kept(cloud)] == [State.well] * 3


def test_a_bucket_without_versions(cloud):
    assert line(kept(cloud, versions=""), "state's bucket: versions").figure.startswith("off: ")


def test_a_bucket_whose_versions_are_suspended(cloud):
    assert line(kept(cloud, versions="Suspended"), "state's bucket: versions").state is State.wrong


def test_a_bucket_that_may_be_public(cloud):
    found = line(kept(cloud, closed=False), "state's bucket: public access")
    assert found.state is State.wrong
    assert "BlockPublicAcls" in found.figure


def test_a_bucket_for_the_state_that_is_not_there(cloud):
    [found] = state._bucket(cloud, STATE["bucket"])
    assert found.figure == "rentalfix-pulumi-state is not there"


def test_a_bucket_for_the_state_that_is_somebody_elses(cloud):
    cloud.says("HeadBucket", status(403))
    [found] = state._bucket(cloud, STATE["bucket"])
    assert found.figure == "rentalfix-pulumi-state is not yours to see (403)"


def test_a_bucket_that_s3_has_no_answer_for(cloud):
    cloud.says("HeadBucket", status(503))
    [found] = guarded("w", lambda: state._bucket(cloud, STATE["bucket"]))
    assert found.state is State.unasked


def keyed(cloud, *, rotates=True, enabled=True):
    kms, alias = cloud.client("kms"), f"alias/{uuid.uuid4()}"
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=alias, TargetKeyId=key)
    if rotates:
        kms.enable_key_rotation(KeyId=key)
    if not enabled:
        kms.disable_key(KeyId=key)
    [found] = state._key(cloud, alias)
    kms.delete_alias(AliasName=alias)
    return found


def test_a_key_that_rotates(cloud):
    assert keyed(cloud).state is State.well


def test_a_key_that_does_not_rotate(cloud):
    found = keyed(cloud, rotates=False)
    assert found.state is State.wrong
    assert found.todo.startswith("`aws kms enable-key-rotation")


def test_a_key_that_is_switched_off(cloud):
    assert keyed(cloud, enabled=False).figure.endswith("is Disabled")


def test_a_key_that_is_not_there(cloud):
    [found] = state._key(cloud, "alias/nobody")
    assert found.figure == "alias/nobody is not there"


def test_a_key_that_may_not_be_seen(cloud):
    cloud.says("DescribeKey", denied("kms:DescribeKey"))
    [found] = guarded("w", lambda: state._key(cloud, "alias/x"))
    assert found.todo == "The permission is kms:DescribeKey."


def test_a_stack_that_does_not_name_its_state(cloud, monkeypatch):
    monkeypatch.setattr(tools, "BUILT", ROOT / "nowhere")
    monkeypatch.setenv("PATH", "")
    found = list(state.check(cloud, declaring(), PROD))
    assert line(found, "state's bucket").state is State.note
    assert line(found, "backend").figure == "there is no `pulumi` to ask."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("secretsprovider: awskms://alias/x\n", State.well),
        ("config: {}\n", State.note),
        ("secretsprovider: passphrase\n", State.note),
    ],
)
def test_what_encrypts_the_states_secrets(tmp_path, content, expected):
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(content)
    assert state._secrets_provider(Stack("rentalfix", "prod", file)).state is expected


@pytest.fixture
def pulumi(tmp_path, monkeypatch):
    """A `pulumi` that answers `whoami` as it is told."""

    def says(output, code=0):
        program = tmp_path / "pulumi"
        program.write_text(
            f"#!/bin/sh\ncat <<'END'\n{output}\nEND\n[ {code} = 0 ] || echo 'error: no token' >&2\nexit {code}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    return says


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://rentalfix-pulumi-state", State.well),
        ("s3://rentalfix-pulumi-state?region=us-east-1", State.well),
        ("https://app.pulumi.com/dana", State.well),
        ("s3://another", State.wrong),
        ("file:///home/dana", State.wrong),
    ],
)
def test_where_the_state_is_kept(pulumi, url, expected):
    pulumi(json.dumps({"user": "dana", "url": url}))
    assert line(state._backend(STATE), "backend").state is expected


def test_pulumi_is_not_logged_in(pulumi):
    pulumi("", code=3)
    found = line(state._backend(STATE), "backend")
    assert found.figure == "Pulumi is not logged in: error: no token"
    assert found.todo == "`pulumi login 's3://rentalfix-pulumi-state'`."
