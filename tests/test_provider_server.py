"""The gRPC side of the `aws` plugin: how it is configured, and that every refusal is a sentence."""

import json

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from local.provider import known
from local.provider.aws import AwsServicer, default_tags_in, endpoints_in
from local.provider.server import sentences
from local.provider.values import UNKNOWN, Secret, decode, encode

URN = "urn:pulumi:test::groundwork::aws:kms/key:Key::x"


class Aborted(Exception):
    pass


class Context:
    def abort(self, code, details):
        raise Aborted(code, details)


@pytest.fixture
def servicer():
    return AwsServicer(known.version())


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        (None, {}),
        ("", {}),
        ([{"ec2": "http://a", "logs": ""}, {"KMS": "http://b"}], {"ec2": "http://a", "kms": "http://b"}),
        (json.dumps([{"ec2": "http://a"}]), {"ec2": "http://a"}),
        ({"ec2": "http://a"}, {"ec2": "http://a"}),
    ],
)
def test_endpoints_are_taken_in_every_form_that_the_engine_has(setting, found):
    assert endpoints_in(setting) == found


def test_default_tags_are_taken_in_both_forms():
    assert default_tags_in(None) == {}
    assert default_tags_in({"tags": {"a": "b"}}) == {"a": "b"}
    assert default_tags_in('{"tags": {"a": "b"}}') == {"a": "b"}


def test_configuration_says_region_and_endpoints(servicer):
    variables = {"aws:config:region": "eu-west-1", "aws:config:endpoints": '[{"kms": "http://localhost:1"}]'}
    answer = servicer.Configure(provider_pb2.ConfigureRequest(variables=variables), Context())
    assert (answer.acceptSecrets, answer.supportsPreview, answer.acceptOutputs) == (True, True, False)
    assert servicer.engine.cloud.region == "eu-west-1"
    assert servicer.engine.cloud.endpoint("kms") == "http://localhost:1"


def test_it_has_the_sdks_version(servicer):
    assert servicer.GetPluginInfo(None, None).version == known.version()


def test_a_check_answers_every_problem(servicer):
    request = provider_pb2.CheckRequest(urn=URN, news=encode({"descripton": "x", "tag": {}}))
    failures = servicer.Check(request, Context()).failures
    assert [failure.property for failure in failures] == ["descripton", "tag"]


def test_a_check_keeps_secrets_and_unknowns(servicer):
    inputs = {"description": Secret("hidden"), "policy": UNKNOWN}
    answer = servicer.Check(provider_pb2.CheckRequest(urn=URN, news=encode(inputs)), Context())
    assert decode(answer.inputs) == inputs


def test_a_diff_says_paths_and_replacements(servicer):
    request = provider_pb2.DiffRequest(
        urn=URN,
        id="k",
        old_inputs=encode({"keyUsage": "A", "tags": {"a": "1"}}),
        news=encode({"keyUsage": "B", "tags": {"a": "2"}}),
    )
    answer = servicer.Diff(request, Context())
    kinds = provider_pb2.PropertyDiff
    assert {path: diff.kind for path, diff in answer.detailedDiff.items()} == {
        "keyUsage": kinds.UPDATE_REPLACE,
        "tags.a": kinds.UPDATE,
    }
    assert list(answer.replaces) == ["keyUsage"]
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME


def test_what_is_ignored_does_not_differ(servicer):
    request = provider_pb2.DiffRequest(
        urn=URN,
        id="k",
        old_inputs=encode({"description": "a"}),
        news=encode({"description": "b"}),
        ignoreChanges=["description"],
    )
    assert servicer.Diff(request, Context()).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_preview_of_a_creation_has_no_id(servicer):
    request = provider_pb2.CreateRequest(urn=URN, properties=encode({"description": "x"}), preview=True)
    answer = servicer.Create(request, Context())
    assert answer.id == ""
    assert decode(answer.properties)["arn"] is UNKNOWN


def test_a_preview_of_an_update_needs_no_endpoint(servicer):
    request = provider_pb2.UpdateRequest(
        urn=URN,
        id="k",
        olds=encode({"arn": "a", "description": "x"}),
        old_inputs=encode({"description": "x"}),
        news=encode({"description": "y"}),
        preview=True,
    )
    properties = decode(servicer.Update(request, Context()).properties)
    assert (properties["arn"], properties["description"]) == ("a", "y")


def test_a_refusal_is_its_sentence(servicer):
    with pytest.raises(Aborted) as aborted:
        servicer.Create(provider_pb2.CreateRequest(urn=URN, properties=encode({})), Context())
    code, details = aborted.value.args
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert details.startswith("aws:endpoints names no endpoint for kms.")
    assert "\n" not in details


def test_a_look_up_is_refused_by_name(servicer):
    with pytest.raises(
        Aborted, match="the program looks up aws:index/getRegion:getRegion: nothing is looked up"
    ):
        servicer.Invoke(provider_pb2.InvokeRequest(tok="aws:index/getRegion:getRegion"), Context())


def test_a_fault_of_our_own_says_where_and_what():
    @sentences
    def broken(self, request, context):
        return {}["missing"]

    with pytest.raises(Aborted) as aborted:
        broken(None, None, Context())
    code, details = aborted.value.args
    assert code is grpc.StatusCode.INTERNAL
    assert details.startswith("a fault in the emulator's provider (test_provider_server.py:")
    assert details.endswith("KeyError: 'missing'")
