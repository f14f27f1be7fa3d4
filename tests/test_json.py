"""JSON documents with Outputs in them."""

import json

import pulumi

from components._json import dumps
from tests.recorder import record


def text(document):
    return json.loads(record(lambda: dumps(document)).value)


def test_every_value_stands_in_its_place():
    later = pulumi.Output.from_input
    document = {"a": later("x"), "b": [1, later(2), {"c": later([3, {"d": 4}])}], "e": (later(None), "f")}
    assert text(document) == {"a": "x", "b": [1, 2, {"c": [3, {"d": 4}]}], "e": [None, "f"]}


def test_a_document_without_outputs():
    assert text({"a": [True, None, "b"]}) == {"a": [True, None, "b"]}


def test_a_secret_makes_the_whole_text_secret():
    def program():
        return {
            "open": pulumi.Output.from_input(dumps({"a": pulumi.Output.from_input(1)}).is_secret()),
            "secret": pulumi.Output.from_input(dumps({"a": pulumi.Output.secret("s")}).is_secret()),
        }

    assert record(program).value == {"open": False, "secret": True}
