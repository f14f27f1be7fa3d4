"""Reading YAML that a person wrote."""

import pytest

from settings import yaml_file
from settings.yaml_file import YamlFault


@pytest.fixture
def read(tmp_path):
    def write_and_read(content):
        file = tmp_path / "file.yaml"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return yaml_file.read(file)

    return write_and_read


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty. Write its keys; systems/rentalfix/system.yaml is an example."),
        ("# only a comment\n", "is empty. Write its keys; systems/rentalfix/system.yaml is an example."),
        ("- a\n", "must be a mapping of keys to values, got list. Write it as key: value."),
        (
            "a: 1\nb: [\n",
            "is not YAML: line 3: expected the node content, but found '<stream end>'. Mend that line.",
        ),
        (
            "a:\tb: c\n",
            "is not YAML: line 1: found character '\\t' that cannot start any token. Mend that line.",
        ),
        (
            "a: 1\nb: 2\na: 3\n",
            "line 3: the key a stands twice in one block, first on line 1. Remove one of the two.",
        ),
        (
            "a: {b: 1, b: 2}\n",
            "line 1: the key b stands twice in one block, first on line 1. Remove one of the two.",
        ),
        ("? [a, b]\n: 1\n", "line 1: a key must be text. Write it as a word, or put it in quotes."),
        ("a: 1\n5: 1\n", "line 2: a key must be text. Write it as a word, or put it in quotes."),
        ("yes: 1\n", "line 1: a key must be text. Write it as a word, or put it in quotes."),
        ("a: \x01\n", "is not YAML: unacceptable character #x0001: special characters are not allowed"),
        (b"a: \xff\n", "is not UTF-8 text. Save it as UTF-8."),
    ],
)
def test_faults(read, content, message):
    with pytest.raises(YamlFault) as fault:
        read(content)
    assert str(fault.value).startswith(message)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(YamlFault, match=r"^there is no such file"):
        yaml_file.read(tmp_path / "none.yaml")


def test_anchors_may_be_merged_and_overridden(read):
    content = read("a: &base {x: 1, y: 2}\nb:\n  <<: *base\n  y: 3\n")
    assert content["b"] == {"x": 1, "y": 3}


def test_a_date_stays_text(read):
    assert read("a: 2026-11-22\n") == {"a": "2026-11-22"}
