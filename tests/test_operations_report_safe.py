"""The file with the full diff: every changed input, and no secret."""

import json

import pytest

from operations.report.preview import SECRET, UNKNOWN, State
from operations.report.safe import HIDDEN, flat, full_diff, text, word
from tests.report_previews import BUCKET, INSTANCE, TASK, preview, step


def diff(*steps):
    return full_diff(preview(*steps)).splitlines()


def shown(inputs):
    return {path: value.shown for path, value in flat(State(inputs=inputs)).items()}


def test_each_changed_input_is_there_with_what_it_was():
    changed = step(
        "update",
        INSTANCE,
        "db",
        old={"a": 1, "b": {"c": "x"}, "d": True},
        new={"a": 1, "b": {"c": "y"}, "e": 2},
    )
    assert diff(changed)[2:] == ['    b.c: "x" -> "y"', "    d: true -> (gone)", "    e: 2"]


def test_what_replaces_is_marked():
    assert diff(step("replace", INSTANCE, "db", old={"a": [1]}, new={"a": [2]}, replacing=["a[0]"]))[-1] == (
        "    a[0]: 1 -> 2 (replaces it)"
    )


def test_what_is_created_has_its_inputs_and_what_goes_has_none():
    assert diff(step("create", BUCKET, "b", new={"bucket": "x"}))[-1] == '    bucket: "x"'
    assert len(diff(step("delete", BUCKET, "b", old={"bucket": "x"}))) == 2


def test_what_stays_is_left_out():
    assert full_diff(preview(step("same", BUCKET, "b"))) == "Nothing changes.\n"


def test_a_document_is_looked_into():
    old, new = (json.dumps([{"image": f"api:{tag}"}]) for tag in "12")
    assert (
        diff(step("replace", TASK, "api", old={"c": old}, new={"c": new}))[-1]
        == '    c[0].image: "api:1" -> "api:2"'
    )


def test_a_document_that_is_not_known_any_more_is_one_line():
    old = json.dumps([{"image": "a", "name": "b"}])
    assert diff(step("replace", TASK, "api", old={"c": old}, new={"c": UNKNOWN}))[2:] == [
        "    c: (known after up)"
    ]


def test_what_looks_like_a_document_and_is_none_is_a_text():
    assert shown({"a": "{not json"}) == {"a": '"{not json"'}


@pytest.mark.parametrize(
    "inputs",
    [
        {"password": "hunter2"},
        {"authToken": "hunter2"},
        {"environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]},
        {"containerDefinitions": json.dumps([{"environment": [{"name": "SENTRY_DSN", "value": "hunter2"}]}])},
        {"secrets": {"inner": {"deep": ["hunter2"]}}},
        {"url": "postgres://app:hunter2@db/x"},
        {"note": "-----BEGIN hunter2"},
        {"key": "AKIAABCDEFGHIJKLMNOP hunter2"},
    ],
)
def test_what_sounds_or_looks_like_a_secret_is_hidden(inputs):
    said = full_diff(preview(step("create", BUCKET, "b", new=inputs)))
    assert "hunter2" not in said
    assert HIDDEN in said


def test_an_ordinary_value_beside_a_name_is_shown():
    assert (
        shown({"environment": [{"name": "NODE_ENV", "value": "production"}]})["environment[0].value"]
        == '"production"'
    )


def test_the_engines_own_words_are_kept():
    assert shown({"a": SECRET, "b": UNKNOWN, "c": None}) == {
        "a": "[secret]",
        "b": "(known after up)",
        "c": "null",
    }


def test_a_secret_that_changed_is_said_without_its_value():
    changed = step("update", INSTANCE, "db", old={"p": SECRET}, new={"p": SECRET}, changed=["p"])
    assert diff(changed)[-1] == "    p: [secret] -> [secret]"
    assert len(diff(step("update", INSTANCE, "db", old={"p": SECRET}, new={"p": SECRET}))) == 2


def test_a_hidden_value_that_changed_is_said_without_its_value():
    changed = step("update", INSTANCE, "db", old={"password": "a"}, new={"password": "b"})
    assert diff(changed)[-1] == "    password: [hidden] -> [hidden]"


def test_a_long_value_is_cut():
    assert shown({"a": "x" * 1000})["a"].endswith("... (1002 characters)")


def test_the_engines_defaults_are_no_input():
    assert shown({"__defaults": ["name"], "name": "x"}) == {"name": '"x"'}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"a": "db.r6g.large"}, "db.r6g.large"),
        ({"a": 5}, "5"),
        ({"a": "two words"}, None),
        ({"a": UNKNOWN}, None),
        ({"a": SECRET}, None),
        ({"a": {"b": 1}}, None),
        ({}, None),
    ],
)
def test_only_a_plain_word_may_stand_in_a_sentence(inputs, expected):
    assert word(State(inputs=inputs), "a") == expected


def test_a_word_that_sounds_secret_may_not():
    assert word(State(inputs={"password": "abc"}), "password") is None


def test_messages_lose_what_looks_like_a_secret():
    assert (
        text("cannot reach redis://:hunter2@host, try again") == f"cannot reach redis{HIDDEN}host, try again"
    )


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        ("kubernetes:core/v1:Secret", {"stringData": {"SMTP": "hunter2"}}),
        ("aws:ssm/parameter:Parameter", {"name": "smtp", "value": "hunter2"}),
        ("aws:secretsmanager/secretVersion:SecretVersion", {"secretBinary": "hunter2"}),
    ],
)
def test_what_is_nothing_but_content_is_hidden_whatever_its_name(type_, inputs):
    assert "hunter2" not in full_diff(preview(step("create", type_, "it", new=inputs)))
