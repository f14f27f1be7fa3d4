"""An offence against the good example, done to a value that is written another way."""

import json

import pytest

from tests.mutations.carrying import Unfit, carried

SETTING = {"name": "rds.force_ssl", "value": "1"}
OTHER = {"name": "work_mem", "value": "65536"}


@pytest.mark.parametrize(
    ("good", "bad", "real", "expected"),
    [
        ({"a": True}, {"a": False}, {"a": True, "b": 1}, {"a": False, "b": 1}),
        ({"a": True}, {"a": False}, {"b": 1}, {"a": False, "b": 1}),
        ({"a": True}, {}, {"a": "other", "b": 1}, {"b": 1}),
        ({}, {"a": 1}, {"b": 1}, {"a": 1, "b": 1}),
        (
            {"group": "sg-1"},
            {"cidr": "0.0.0.0/0"},
            {"prefixes": "pl-1"},
            {"prefixes": "pl-1", "cidr": "0.0.0.0/0"},
        ),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": 3, "d": 4}}, {"a": {"d": 4}}),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, {}, {"a": {"b": 2}}),
        ({"a": {"b": 1}}, {}, {"a": {"c": 3}}, {}),
    ],
)
def test_keys_change_and_the_others_stay(good, bad, real, expected):
    assert carried(good, bad, real) == [expected]


@pytest.mark.parametrize(
    ("good", "bad", "real", "expected"),
    [
        (["api", "audit"], ["api"], ["audit", "scheduler"], ["scheduler"]),
        (["https://a"], ["*"], ["https://b"], ["https://b", "*"]),
        (["node", "main.js"], ["node", "--inspect", "main.js"], ["go"], ["go", "--inspect"]),
        (["api"], [], ["audit", "scheduler"], []),
        ([SETTING], [], [OTHER, SETTING], []),
        ([SETTING, OTHER], [OTHER], [SETTING], []),
        ([SETTING], [{**SETTING, "value": "0"}], [OTHER, SETTING], [OTHER, {**SETTING, "value": "0"}]),
        ([SETTING], [{**SETTING, "value": "0"}], [OTHER], [OTHER, {**SETTING, "value": "0"}]),
        ([SETTING], [OTHER], [{**OTHER, "value": "1"}], [OTHER]),
        ([{"from": 80, "to": 80}, {"from": 443}], [{"from": 22, "to": 22}], [], [{"from": 22, "to": 22}]),
    ],
)
def test_items_change_come_or_go(good, bad, real, expected):
    assert carried(good, bad, real) == [expected]


def test_an_item_with_a_name_of_its_own_is_changed_in_one_place_after_the_other():
    good, bad = [{"name": "api", "user": "1000"}], [{"name": "api"}]
    real = [{"name": "web", "user": "7", "port": 80}, {"name": "log"}, {"name": "job", "user": "8"}]
    assert carried(good, bad, real) == [
        [{"name": "web", "port": 80}, {"name": "log"}, {"name": "job", "user": "8"}],
        [{"name": "web", "user": "7", "port": 80}, {"name": "log"}, {"name": "job"}],
    ]


def test_the_item_that_is_most_alike_is_the_one_that_changed():
    first, second = {"path": "/a", "policy": "x", "log": "y"}, {"path": "/b", "kind": "s3"}
    assert carried([first, second], [{"path": "/a", "policy": "x"}], [first, second]) == [
        [{"path": "/a", "policy": "x"}, second]
    ]


def test_documents_in_a_text_are_looked_into():
    good, bad = '[{"image": "api:1", "user": "1000"}]', '[{"image": "api:latest", "user": "1000"}]'
    (found,) = carried({"containers": good}, {"containers": bad}, {"containers": '[{"image": "web:2"}]'})
    assert json.loads(found["containers"]) == [{"image": "api:latest"}]
    assert carried("a=1,b=2", "a=1", r"b=x\,y,c=3") == ["c=3"]
    assert carried("plain", "plainer", '{"a": 1}') == ["plainer"]


@pytest.mark.parametrize(
    ("good", "bad", "real", "reason"),
    [
        ({"a": 1}, {"a": 2}, {"a": 2}, "it is so already"),
        ({"a": 1}, {}, {"b": 1}, "it has no a"),
        ([{"name": "api", "user": "1"}], [{"name": "api"}], [], "it has no such item"),
        ([{"name": "api", "user": "1"}], [{"name": "api"}], [{"name": "web"}], "it has no user"),
        (["api", "audit"], ["api"], ["scheduler"], "it is so already"),
    ],
)
def test_where_there_is_no_place_for_it_the_reason_is_said(good, bad, real, reason):
    with pytest.raises(Unfit, match=reason):
        carried(good, bad, real)


def test_items_in_which_it_is_no_offence_are_left_out():
    good, bad = [{"name": "api", "probe": 1}], [{"name": "api"}]
    real = [{"name": "web", "probe": 1}, {"name": "job", "probe": 1, "one_off": True}]

    def excuse(item):
        return "it runs once" if item.get("one_off") else None

    assert carried(good, bad, real, excuse) == [[{"name": "web"}, real[1]]]
    with pytest.raises(Unfit, match="it runs once"):
        carried(good, bad, real[1:], excuse)


def test_the_real_value_stays_as_it_is():
    real = {"a": [{"name": "web", "user": "7"}]}
    carried({"a": [{"name": "api", "user": "1"}]}, {"a": [{"name": "api"}]}, real)
    assert real == {"a": [{"name": "web", "user": "7"}]}
