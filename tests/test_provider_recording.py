"""Creation without an emulator: what is made has the outputs that the program computes with, the same each time."""

from dataclasses import replace

import pytest

from local.provider.aws import AwsServicer
from local.provider.engine import Engine
from local.provider.recording import VARIABLE, Recorder
from local.provider.table import RESOURCES
from local.provider.values import Secret

KEY = "aws:kms/key:Key"


def urn(type_, name="it"):
    return f"urn:pulumi:prod::groundwork::{type_}::{name}"


def made(type_, inputs=None):
    return Recorder().create(urn(type_), inputs or {})


@pytest.mark.parametrize(("set_", "kind"), [("1", Recorder), ("", Engine)])
def test_the_plugin_records_only_where_it_was_told_to(monkeypatch, set_, kind):
    monkeypatch.setenv(VARIABLE, set_)
    assert type(AwsServicer("7").engine) is kind


def test_the_same_resource_gets_the_same_answer():
    assert made(KEY, {"description": "a"}) == made(KEY, {"description": "a"})


def test_two_resources_get_two_ids():
    recorder = Recorder()
    ids = {recorder.create(urn(KEY, name), {})[0] for name in ("a", "b")}
    assert len(ids) == 2


def test_inputs_are_kept_and_outputs_are_there():
    _, state = made(KEY, {"description": "a", "tags": {"Name": "n"}, "__defaults": []})
    assert (state["description"], state["tagsAll"], state["region"]) == ("a", {"Name": "n"}, "us-east-1")
    assert state["arn"].startswith("arn:aws:kms:us-east-1:")
    assert "__defaults" not in state


def test_another_region_is_kept():
    assert made(KEY, {"region": "eu-west-1"})[1]["arn"].startswith("arn:aws:kms:eu-west-1:")


def test_a_certificate_has_an_option_for_each_of_its_names():
    names = {"domainName": "example.com", "subjectAlternativeNames": ["*.example.com"]}
    resource_id, state = made("aws:acm/certificate:Certificate", names)
    assert [option["domainName"] for option in state["domainValidationOptions"]] == [
        "example.com",
        "*.example.com",
    ]
    assert all(option["resourceRecordType"] == "CNAME" for option in state["domainValidationOptions"])
    assert resource_id == state["arn"]


def test_outputs_have_the_types_of_the_sdk():
    broker = made("aws:mq/broker:Broker")[1]["instances"]
    assert isinstance(broker, list)
    assert isinstance(broker[0]["endpoints"], list)
    assert isinstance(made("aws:ec2/launchTemplate:LaunchTemplate")[1]["latestVersion"], int)
    assert made("aws:rds/cluster:Cluster")[1]["clusterMembers"] == []


def test_an_output_that_repeats_a_secret_input_is_secret_too(monkeypatch):
    entry = replace(RESOURCES[KEY], outputs={"arn": "inputs.description"})
    monkeypatch.setitem(RESOURCES, KEY, entry)
    assert isinstance(made(KEY, {"description": Secret("a long password")})[1]["arn"], Secret)
    assert made(KEY, {"description": "a long password"})[1]["arn"] == "a long password"


def test_secrets_stay_secret():
    entry = next(entry for entry in RESOURCES.values() if entry.secrets)
    _, state = made(entry.token)
    assert all(isinstance(state[name], Secret) for name in entry.secrets if name in state)
    assert isinstance(made("aws:ssm/parameter:Parameter", {"value": Secret("x")})[1]["value"], Secret)


@pytest.mark.parametrize("token", RESOURCES)
def test_every_type_can_be_recorded(token):
    resource_id, state = made(token, RESOURCES[token].example)
    assert resource_id
    assert isinstance(state, dict)
