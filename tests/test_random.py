"""The `random` provider: strong, stable, secret where the real one is, strict about its inputs."""

import base64
import string
import uuid

import pytest
from pulumi.runtime.proto import provider_pb2

from local.provider.cloud import Refusal
from local.provider.random import KINDS, SPECIAL, RandomServicer, problems_of, text_of
from local.provider.values import UNKNOWN, Secret, decode, encode, reveal

PASSWORD = "random:index/randomPassword:RandomPassword"


def urn(token):
    return f"urn:pulumi:test::groundwork::{token}::x"


def create(token, inputs, *, preview=False):
    request = provider_pb2.CreateRequest(urn=urn(token), properties=encode(inputs), preview=preview)
    answer = RandomServicer("1").Create(request, None)
    return answer.id, decode(answer.properties)


def diff(token, old, new, ignored=()):
    request = provider_pb2.DiffRequest(
        urn=urn(token), id="x", old_inputs=encode(old), news=encode(new), ignoreChanges=ignored
    )
    return RandomServicer("1").Diff(request, None)


def test_a_password_has_its_length_and_at_least_what_was_asked_of_each_class():
    inputs = {
        "length": 40,
        "minLower": 5,
        "minUpper": 5,
        "minNumeric": 5,
        "minSpecial": 5,
        "overrideSpecial": "!*",
    }
    text = text_of(inputs)
    assert len(text) == 40
    for alphabet in (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!*"):
        assert sum(character in alphabet for character in text) >= 5
    assert set(text) <= set(string.ascii_letters + string.digits + "!*")


@pytest.mark.parametrize(
    ("switched_off", "alphabet"),
    [
        ("lower", string.ascii_lowercase),
        ("upper", string.ascii_uppercase),
        ("numeric", string.digits),
        ("number", string.digits),
        ("special", SPECIAL),
    ],
)
def test_a_class_that_is_switched_off_does_not_occur(switched_off, alphabet):
    text = text_of({"length": 400, switched_off: False})
    assert not set(text) & set(alphabet)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"length": 3, "minLower": 2, "minUpper": 2}, "length must be at least 4 .*, got 3"),
        ({"length": 0}, "length must be at least 1 .*, got 0"),
        (
            {"length": 8, "special": False, "minSpecial": 1},
            "minSpecial asks for 1 characters of a class that is",
        ),
        (
            {"length": 8, "lower": False, "upper": False, "numeric": False, "special": False},
            "every class of characters is switched off",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(inputs, reason):
    with pytest.raises(Refusal, match=reason):
        text_of(inputs)


@pytest.mark.parametrize("token", ["random:index/randomBytes:RandomBytes", "random:index/randomId:RandomId"])
def test_no_bytes_are_refused(token):
    with pytest.raises(Refusal, match="must be at least 1, got 0"):
        KINDS[token].make({"length": 0, "byteLength": 0})


def test_two_passwords_differ_and_are_secret():
    first, second = (create(PASSWORD, {"length": 32})[1]["result"] for _ in range(2))
    assert isinstance(first, Secret)
    assert first != second


def test_bytes_are_secret_in_both_forms():
    _, state = create("random:index/randomBytes:RandomBytes", {"length": 16})
    assert isinstance(state["base64"], Secret)
    assert isinstance(state["hex"], Secret)
    assert base64.b64decode(reveal(state["base64"])) == bytes.fromhex(reveal(state["hex"]))


def test_64_bytes_are_88_characters_of_base64_without_a_line_break():
    _, state = create("random:index/randomBytes:RandomBytes", {"length": 64})
    text = reveal(state["base64"])
    assert len(text) == 88
    assert len(base64.b64decode(text, validate=True)) == 64


def test_an_id_is_the_same_number_in_every_form():
    made, state = create("random:index/randomId:RandomId", {"byteLength": 4, "prefix": "app-"})
    assert state["b64Url"] == f"app-{made}"
    assert int(state["dec"].removeprefix("app-")) == int(state["hex"].removeprefix("app-"), 16)
    assert len(state["hex"]) == len("app-") + 8
    assert state["b64Std"].startswith("app-")


def test_a_string_and_a_uuid_are_plain():
    made, state = create("random:index/randomString:RandomString", {"length": 8, "special": False})
    assert state["result"] == made
    made, state = create("random:index/randomUuid:RandomUuid", {})
    assert uuid.UUID(state["result"]).version == 4


def test_a_preview_knows_the_inputs_only():
    assert create(PASSWORD, {"length": 32}, preview=True) == ("", {"length": 32, "result": UNKNOWN})


def test_only_a_changed_input_replaces():
    assert diff(PASSWORD, {"length": 32}, {"length": 32}).changes == provider_pb2.DiffResponse.DIFF_NONE
    assert list(diff(PASSWORD, {"keepers": {"a": "1"}}, {"keepers": {"a": "2"}}).replaces) == ["keepers.a"]
    assert (
        diff(PASSWORD, {"length": 1}, {"length": 2}, ["length"]).changes
        == provider_pb2.DiffResponse.DIFF_NONE
    )


def test_a_value_stays_through_read_and_update():
    state = encode({"length": 8, "result": Secret("unchanged")})
    read = RandomServicer("1").Read(provider_pb2.ReadRequest(id="none", properties=state), None)
    assert decode(read.properties) == {"length": 8, "result": Secret("unchanged")}
    updated = RandomServicer("1").Update(
        provider_pb2.UpdateRequest(olds=state, news=encode({"length": 8})), None
    )
    assert decode(updated.properties)["result"] == Secret("unchanged")


def test_an_unknown_type_and_input_are_refused():
    with pytest.raises(
        Refusal, match="no type random:index/randomPet:RandomPet: did you mean `random:index/random"
    ):
        problems_of(urn("random:index/randomPet:RandomPet"), {})
    assert problems_of(urn(PASSWORD), {"lenght": 8}) == [
        ("lenght", f"{PASSWORD} has no input `lenght`: did you mean `length`?")
    ]
    assert problems_of(urn(PASSWORD), {"length": 8, "__defaults": []}) == []
