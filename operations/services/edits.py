"""A value of a stack file changed where it stands: every other character of the file stays."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from operations.platform import ROOT, Platform, Refusal
from operations.policy import stacks

Keys = Sequence[str]
Scalar = str | int
Node = Any  # yaml.Node: one that was composed has its marks


@dataclass(frozen=True)
class Key:
    """Where a setting stands, or would stand: the file (relative to the repository) and its line, 0 for a new one."""

    file: Path
    line: int
    keys: tuple[str, ...]

    def __str__(self) -> str:
        place = f"{self.file.as_posix()}:{self.line}" if self.line else self.file.as_posix()
        return f"{place} {spoken(self.keys)}"


def service_key(service: str, key: str) -> tuple[str, ...]:
    return "config", "groundwork:services", service, key


def task_key(task: str, key: str) -> tuple[str, ...]:
    return "config", "groundwork:tasks", task, key


def file_of(platform: Platform) -> Path:
    """The stack's file, relative to the repository. Raises Refusal where this checkout has none."""
    try:
        [found] = stacks.choose(ROOT, platform.system, [platform.stack])
    except stacks.Unknown as unknown:
        raise Refusal(f"{unknown} Its stack file is not in this checkout.") from None
    return found.file


def shown(root: Path, file: Path | None, keys: Keys) -> str:
    """The key with its place, or alone where this checkout has no such file."""
    return str(find(root, file, keys)[0]) if file else spoken(keys)


def spoken(keys: Keys) -> str:
    return ".".join(keys[1:]).removeprefix("groundwork:")


def find(root: Path, file: Path, keys: Keys) -> tuple[Key, Any]:
    """Where the key stands, and its value; None where it is not there."""
    node = _composed((root / file).read_text(encoding="utf-8"), file)
    for key in keys:
        node = _children(node).get(key) if node is not None else None
    if node is None:
        return Key(file, 0, tuple(keys)), None
    return Key(file, node.start_mark.line + 1, tuple(keys)), yaml.safe_load(yaml.serialize(node))


def change(root: Path, file: Path, wanted: Mapping[tuple[str, ...], Scalar]) -> str:
    """Writes the values; gives what the file held before. Raises Refusal where the file cannot be changed by line."""
    path = root / file
    before = path.read_text(encoding="utf-8")
    after = before
    for keys, value in wanted.items():
        after = changed(after, file, keys, value)
    if after != before:
        path.write_text(after, encoding="utf-8")
    return before


def changed(text: str, file: Path, keys: Keys, value: Scalar) -> str:
    """The text with one value set; a key that is missing is added at the end of the deepest mapping that is there."""
    node = _composed(text, file)
    for depth, key in enumerate(keys):
        child = _children(node).get(key) if node is not None else None
        if child is None:
            after = _added(text, node, keys[depth:], value) if node is not None else None
            break
        node = child
    else:
        after = _replaced(text, node, _scalar(value))
    if after is None or yaml.safe_load(after) != _expected(text, keys, value):
        raise Refusal(f"{file} cannot be changed line by line. Set {'.'.join(keys)}: {value} there by hand.")
    return after


def _composed(text: str, file: Path) -> Node:
    try:
        return yaml.compose(text)
    except yaml.YAMLError as error:
        raise Refusal(f"{file} is no YAML: {' '.join(str(error).split())}") from None


def _children(node: Node) -> dict[str, Node]:
    """The last of two equal keys counts, as for YAML's reader."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value}


def _replaced(text: str, node: Node, written: str) -> str | None:
    """None for what is no single value on one line."""
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        return None
    gap = " " if node.start_mark.index == node.end_mark.index else ""  # `key:` alone is a null without a text
    return f"{text[: node.start_mark.index]}{gap}{written}{text[node.end_mark.index :]}"


def _added(text: str, node: Node, keys: Keys, value: Scalar) -> str | None:
    if not isinstance(node, yaml.MappingNode):
        is_null = isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~")
        return _replaced(text, node, _flow(keys, value)) if is_null else None
    if node.flow_style:
        at = node.end_mark.index - 1
        comma = ", " if node.value else ""
        return f"{text[:at].rstrip()}{comma}{_flow(keys, value)[1:-1]}{text[at:]}"
    first_key, _ = node.value[0]
    indent = " " * first_key.start_mark.column
    rest = _flow(keys[1:], value) if len(keys) > 1 else _scalar(value)
    end = text.find("\n", _last(node).end_mark.index - 1)
    head, tail = (f"{text}\n", "") if end < 0 else (text[: end + 1], text[end + 1 :])
    return f"{head}{indent}{keys[0]}: {rest}\n{tail}"


def _last(node: Node) -> Node:
    """The last single value: a block's own end is where the next thing begins."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return node


def _flow(keys: Keys, value: Scalar) -> str:
    """`{migrate: {image_tag: 1.0.0}}`"""
    text = _scalar(value)
    for key in reversed(keys):
        text = f"{{{key}: {text}}}"
    return text


def _scalar(value: Scalar) -> str:
    """With quotes where YAML would read something else than that: 1.10 is a number, 2026-01-01 a day."""
    text = str(value)
    is_plain = re.fullmatch(r"[\w.+-]+(:[\w.+-]+)*", text) and yaml.safe_load(f"[{text}]") == [value]
    return text if is_plain else f'"{text}"'


def _expected(text: str, keys: Keys, value: Scalar) -> Any:
    content = _unshared(yaml.safe_load(text) or {})
    inner = content
    for key in keys[:-1]:
        if not isinstance(inner.get(key), dict):
            inner[key] = {}
        inner = inner[key]
    inner[keys[-1]] = value
    return content


def _unshared(content: Any) -> Any:
    """What an alias stands for is one object for YAML's reader; here each place has its own."""
    match content:
        case dict():
            return {key: _unshared(value) for key, value in content.items()}
        case list():
            return [_unshared(each) for each in content]
        case _:
            return content
