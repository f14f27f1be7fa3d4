"""Which inputs each type has, at any depth, and which of them the table can apply: from a file made from the SDK.

Reading the SDK itself would cost every preview some seconds of imports; `python -m local.provider.known` makes
`known.json` anew, and a test says when that is due.
"""

import difflib
import importlib
import importlib.metadata
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

from local.provider.values import UNKNOWN, Asset, Properties, Secret

FILE = Path(__file__).with_name("known.json")


@dataclass(frozen=True)
class Problem:
    path: str
    reason: str


@cache
def _known() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def version() -> str:
    """The SDK's version, which is also the plugin's."""
    return importlib.metadata.version("pulumi_aws")


def inputs_of(token: str) -> Mapping[str, str]:
    return _known()["types"][token]["inputs"]


def outputs_of(token: str) -> list[str]:
    return _known()["types"][token]["outputs"]


def problems_of(token: str, inputs: Properties) -> list[Problem]:
    """Each input, at any depth, that the type does not have or that the table does not apply."""
    entry = _known()["types"].get(token)
    if entry is None:
        return [Problem("", unknown_type(token, _known()["types"]))]
    problems = sorted(_unknown_inputs(token, entry["inputs"], inputs, ""), key=lambda problem: problem.path)
    unknown = {problem.path for problem in problems}
    for name in sorted(inputs.keys() & set(entry["not_applied"]) - unknown):
        if inputs[name] not in (None, [], {}):
            problems.append(
                Problem(
                    name,
                    f"the emulator's provider does not apply `{name}` of {token}: "
                    f"say in local/provider/table how the API calls it, or leave it out",
                )
            )
    return problems


def unknown_type(token: str, tokens: Iterable[str]) -> str:
    close = difflib.get_close_matches(token, list(tokens), 1)
    hint = f" (the nearest that it has is {close[0]})" if close else ""
    return f"the emulator's provider has no type {token}{hint}: add it to local/provider/table"


def near(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), 1)
    return f"did you mean `{close[0]}`?" if close else f"it has {', '.join(sorted(names))}"


def _unknown_inputs(
    token: str, known: Mapping[str, str], given: Mapping[str, Any], at: str
) -> Iterator[Problem]:
    for name, value in given.items():
        path = f"{at}.{name}" if at else name
        if name.startswith("__"):
            continue
        if name not in known:
            yield Problem(path, f"{token} has no input `{path}`: {near(name, known)}")
        else:
            yield from _unknown_below(token, known[name], value, path)


def _unknown_below(token: str, kind: str, value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, Secret):
        value = value.value
    if value is None or value is UNKNOWN or isinstance(value, Asset):
        return
    if kind.startswith("[]"):
        if not isinstance(value, list):
            yield Problem(path, f"`{path}` of {token} is a list, got {_said(value)}")
            return
        for index, item in enumerate(value):
            yield from _unknown_below(token, kind[2:], item, f"{path}[{index}]")
    elif kind.startswith("{}"):
        if not isinstance(value, dict):
            yield Problem(path, f"`{path}` of {token} is a map, got {_said(value)}")
    elif kind and kind != "*":
        if not isinstance(value, dict):
            yield Problem(path, f"`{path}` of {token} is an object, got {_said(value)}")
            return
        yield from _unknown_inputs(token, _known()["objects"][kind], value, path)
    elif kind != "*" and isinstance(value, dict | list):
        yield Problem(path, f"`{path}` of {token} is a single value, got {_said(value)}")


def _said(value: Any) -> str:
    return {dict: "an object", list: "a list", bool: "a boolean", str: "a text"}.get(type(value), "a number")


# The file's making.


def _from_sdk(tokens: Iterable[str]) -> dict[str, Any]:
    from local.provider.coverage import not_applied  # noqa: PLC0415 - reads botocore's models, for this only

    types: dict[str, Any] = {}
    objects: dict[str, dict[str, str]] = {}
    for token in sorted(tokens):
        module, class_name = module_of(token)
        # `InitArgs` where `Args` is the name of another type's block (s3.BucketLogging).
        args = getattr(module, f"{class_name}InitArgs", None) or getattr(module, f"{class_name}Args")
        inputs = _fields(args, objects)
        state = _fields(getattr(module, f"_{class_name}State"), {})
        types[token] = {
            "inputs": inputs,
            "outputs": sorted(name for name in state if name not in inputs),
            "not_applied": not_applied(token, inputs),
        }
    return {"sdk": version(), "types": types, "objects": dict(sorted(objects.items()))}


def module_of(token: str) -> tuple[Any, str]:
    _, path, class_name = token.split(":")
    service, _, name = path.partition("/")
    package = {"lambda": "lambda_"}.get(service, service)
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(f"pulumi_aws.{package}.{words}"), class_name


def _fields(args: type, objects: dict[str, dict[str, str]]) -> dict[str, str]:
    from pulumi import _types  # noqa: PLC0415

    return {name: _kind(hint, objects) for name, hint in sorted(_types.input_type_types(args).items())}


def _kind(hint: Any, objects: dict[str, dict[str, str]]) -> str:
    """Empty for a single value, "[]..." a list, "{}" a map, "*" anything, else an object's name."""
    origin = get_origin(hint)
    if origin is Mapping:
        return "{}"
    if origin is Sequence:
        return "[]" + _kind(get_args(hint)[0], objects)
    if origin is not None:
        # What remains beside Awaitable and Output: one type, or a text that may also be written as an object.
        kinds = {
            _kind(item, objects) for item in get_args(hint) if get_origin(item) is None or _is_container(item)
        }
        return kinds.pop() if len(kinds) == 1 else ("*" if kinds - {""} else "")
    if isinstance(hint, type) and hint.__module__.endswith("._inputs"):
        name = f"{hint.__module__.split('.')[1]}.{hint.__name__.removesuffix('Args')}"
        if name not in objects:
            objects[name] = {}
            objects[name] = _fields(hint, objects)
        return name
    return ""


def _is_container(hint: Any) -> bool:
    return get_origin(hint) in (Mapping, Sequence)


def as_text(content: Mapping[str, Any]) -> str:
    """One object or type per line, so that a change of the file can be read."""
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    return text.replace('},"', '},\n"') + "\n"


def due() -> list[str]:
    """Why the file is not what the SDK and the table say now; empty when it is."""
    from local.provider.coverage import not_applied  # noqa: PLC0415
    from local.provider.table import RESOURCES  # noqa: PLC0415

    reasons = (
        [] if _known()["sdk"] == version() else [f"made from pulumi_aws {_known()['sdk']}, not {version()}"]
    )
    types = _known()["types"]
    reasons += [f"{token} is in one only" for token in sorted(types.keys() ^ set(RESOURCES))]
    for token in sorted(types.keys() & set(RESOURCES)):
        if types[token]["not_applied"] != not_applied(token, types[token]["inputs"]):
            reasons.append(f"{token}: the table now applies other inputs")
    return reasons


if __name__ == "__main__":
    from local.provider.table import RESOURCES

    content = _from_sdk(RESOURCES)
    FILE.write_text(as_text(content))
    for token, entry in content["types"].items():
        if entry["not_applied"]:
            print(f"{token} does not apply {', '.join(entry['not_applied'])}")
