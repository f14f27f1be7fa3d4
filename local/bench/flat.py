"""The flat program: the declarations of a preview again, as plain calls of the SDK, with no component and no setting.

What differs from the original, on purpose: nothing has a parent (so there are no components and their URNs are
gone), and the stack exports nothing. What differs because a preview's JSON does not say it: a secret's value is a
stand-in, and a value computed from what is not known yet becomes one `Output.all` of everything that it depends on.
`differences` says whether anything else does. Pure: text in, text out.
"""

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# The engine's own marks (sdk/go/common/resource: plugin/rpc.go, properties.go; asset, archive).
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
ASSET, ARCHIVE = "c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7"
SECRET = "[secret]"

# Inputs that the provider filled in: names with a random end, which the flat program's provider makes anew.
FILLED_IN = "__defaults"

HEADER = '''\
"""Generated from a preview: what it declares, without components and settings."""

import pulumi
import pulumi_aws as aws
import pulumi_random as random


def unknown(*resources):
    return pulumi.Output.all(*(resource.id for resource in resources)).apply(str)


def after(value, *resources):
    return pulumi.Output.all(*(resource.urn for resource in resources)).apply(lambda _: value)


'''

OPTIONS = {
    "protect": "protect",
    "retainOnDelete": "retain_on_delete",
    "ignoreChanges": "ignore_changes",
    "replaceOnChanges": "replace_on_changes",
}

State = Mapping[str, Any]


def declared(steps: Iterable[Mapping[str, Any]]) -> list[State]:
    """The resources among a preview's steps, in the order in which the program could declare them."""
    return [step["newState"] for step in steps if step.get("newState", {}).get("custom")]


def program(resources: Sequence[State], folder: Path) -> str:
    """The module's text. Relative paths of files and archives are those of `folder`, the original program's."""
    variables = {state["urn"]: f"r{number}" for number, state in enumerate(resources)}
    return HEADER + "\n".join(_statement(state, variables, folder) for state in resources) + "\n"


def inputs(state: State) -> dict[str, Any]:
    """What the program gave, without what the provider filled in."""
    given = state.get("inputs") or {}
    filled_in = {FILLED_IN, *given.get(FILLED_IN, [])}
    return {key: _without_marks(value) for key, value in given.items() if key not in filled_in}


def differences(original: Iterable[State], flat: Iterable[State]) -> list[str]:
    """What the two previews do not have in common, resource by resource; nothing when it is a fair one."""
    one, other = _by_name(original), _by_name(flat)
    lines = [f"{name} is not in the flat program" for name in one.keys() - other.keys()]
    lines += [f"{name} is only in the flat program" for name in other.keys() - one.keys()]
    for name in one.keys() & other.keys():
        lines += [f"{name}: {key} differs" for key, value in one[name].items() if other[name][key] != value]
    return sorted(lines)


def _by_name(states: Iterable[State]) -> dict[str, dict[str, Any]]:
    return {
        _name(state["urn"]): {
            "inputs": {key: _comparable(value) for key, value in inputs(state).items()},
            "dependencies": sorted(map(_name, state.get("dependencies") or [])),
            "propertyDependencies": {
                key: sorted(map(_name, urns))
                for key, urns in (state.get("propertyDependencies") or {}).items()
                if urns
            },
            **{option: state.get(option) for option in OPTIONS},
        }
        for state in states
    }


def _name(urn: str) -> str:
    """`aws:kms/key:Key data`: a URN without project, stack and parents."""
    *_, types, name = urn.split("::")
    return f"{types.rsplit('$', 1)[-1]} {name}"


def _statement(state: State, variables: Mapping[str, str], folder: Path) -> str:
    urn, by_property = state["urn"], state.get("propertyDependencies") or {}
    needed = {
        key: [variables[dependency] for dependency in by_property.get(key) or []] for key in inputs(state)
    }
    arguments = [repr(urn.rsplit("::", 1)[-1])]
    arguments += [
        f"{argument_name(key)}={_property(value, needed[key], folder)}"
        for key, value in inputs(state).items()
    ]
    options = [f"{name}={state[key]!r}" for key, name in OPTIONS.items() if state.get(key)]
    dependencies = [variables[dependency] for dependency in state.get("dependencies") or []]
    only_for_order = [
        name for name in dependencies if name not in {n for names in needed.values() for n in names}
    ]
    if only_for_order:
        options.append(f"depends_on=[{', '.join(only_for_order)}]")
    if options:
        arguments.append(f"opts=pulumi.ResourceOptions({', '.join(options)})")
    return f"{variables[urn]} = {class_name(state['type'])}({', '.join(arguments)})"


def class_name(token: str) -> str:
    """`aws:lambda/function:Function` -> `aws.lambda_.Function`; the module `index` is the package itself."""
    package, module, name = token.split(":")
    folder = module.split("/")[0]
    return f"{package}.{name}" if folder == "index" else f"{package}.{_word(folder)}.{name}"


def argument_name(key: str) -> str:
    """The SDK's name of an input: `kmsKeyId` -> `kms_key_id`."""
    return _word(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key).lower())


def _word(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _property(value: Any, needed: Sequence[str], folder: Path) -> str:
    source = _source(value, needed, folder)
    if not needed or any(leaf in (UNKNOWN, SECRET) for leaf in _leaves(value)):
        return source
    return f"after({source}, {', '.join(needed)})"


def _source(value: Any, needed: Sequence[str], folder: Path) -> str:
    if value == UNKNOWN:
        return _unknown(needed)
    if value == SECRET:
        return f"pulumi.Output.secret({_unknown(needed) if needed else repr('stand-in')})"
    if isinstance(value, dict) and SIGNATURE in value:
        return _asset(value, folder)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_source(item, needed, folder)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_source(item, needed, folder) for item in value)}]"
    return repr(value)


def _unknown(needed: Sequence[str]) -> str:
    """An Output that the engine does not know in a preview, and that depends on the same resources."""
    if not needed:
        raise ValueError("an input is not known yet, and the preview does not say what it depends on")
    return f"{needed[0]}.id" if len(needed) == 1 else f"unknown({', '.join(needed)})"


def _asset(value: Mapping[str, Any], folder: Path) -> str:
    if "assets" in value:
        return f"pulumi.AssetArchive({_source(value['assets'], (), folder)})"
    if "text" in value:
        return f"pulumi.StringAsset({value['text']!r})"
    kind = "FileArchive" if value[SIGNATURE] == ARCHIVE else "FileAsset"
    return f"pulumi.{kind}({str(folder / value['path'])!r})"


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _without_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_marks(item) for key, item in value.items() if key != FILLED_IN}
    if isinstance(value, list):
        return [_without_marks(item) for item in value]
    return value


def _comparable(value: Any) -> Any:
    """A file counts by what is in it, wherever it lies."""
    if isinstance(value, dict) and SIGNATURE in value:
        return value["hash"]
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return value
