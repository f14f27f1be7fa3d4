"""Reading a YAML file that a person wrote: every fault is a sentence, a key that stands twice is refused."""

from pathlib import Path
from typing import Any

import yaml

_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


class YamlFault(Exception):
    """The file cannot be used; the message says why and what to do, without the file's name."""


class _Loader(yaml.SafeLoader):
    """Plain YAML values: no timestamps (a date stays text), no key twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        # Looked at before anchors are merged in: overriding a merged key is what `<<` is for.
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag not in (_TEXT, _MERGE):
                raise YamlFault(f"line {line}: a key must be text. Write it as a word, or put it in quotes.")
            if key.tag != _MERGE and key.value in seen:
                raise YamlFault(
                    f"line {line}: the key {key.value} stands twice in one block, first on line {seen[key.value]}. "
                    "Remove one of the two."
                )
            seen[key.value] = line
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> dict[str, Any]:
    """The file's top mapping. Raises YamlFault when it is missing, no YAML, empty or no mapping."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError:
        raise YamlFault("there is no such file. Create it, or check the spelling.") from None
    except UnicodeDecodeError:
        raise YamlFault("is not UTF-8 text. Save it as UTF-8.") from None
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise YamlFault(f"is not YAML: line {line}: {fault.problem}. Mend that line.") from None
    except yaml.YAMLError as fault:
        raise YamlFault(f"is not YAML: {fault}. Mend it.") from None
    if content is None:
        raise YamlFault("is empty. Write its keys; systems/rentalfix/system.yaml is an example.")
    if not isinstance(content, dict):
        raise YamlFault(
            f"must be a mapping of keys to values, got {type(content).__name__}. Write it as key: value."
        )
    return content
