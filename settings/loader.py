"""From the two files to Settings: lay one over the other, validate the whole, tell every problem at once."""

import copy
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import config as engine_config
from pydantic import ValidationError

from settings import rules, translate, yaml_file
from settings.model import INJECTED, Settings
from settings.overlay import overlay, stack_paths
from settings.problems import Path as KeyPath
from settings.problems import Problem, did_you_mean, dotted, nearest

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = "groundwork"
PROFILES = "profiles"

_PROVIDER_KEYS = {"region": "aws:region", "allowed_account_ids": "aws:allowedAccountIds"}
# Blocks whose entries the system file names; a stack file only says more about them.
_NAMED_BY_SYSTEM = ("services", "caches", "queues", "brokers", "buckets", "tasks")


class SettingsError(pulumi.RunError):
    """The settings are wrong; the message is one line per problem. Pulumi prints it without a stack trace."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


@dataclass(frozen=True, kw_only=True)
class _Files:
    """The names of the two files as messages give them, and which keys the stack file and the profile set."""

    stack: str
    system: str
    stack_keys: frozenset[KeyPath] = frozenset()
    profile: str = ""
    profile_keys: frozenset[KeyPath] = frozenset()

    def sentence(self, problem: Problem) -> str:
        path = problem.path
        if path[0] == "aws" and len(path) > 1:
            return problem.sentence(self.stack, _PROVIDER_KEYS[str(path[1])] + dotted(path[2:]))
        if path in self.stack_keys or problem.file == "stack":
            return problem.sentence(self.stack, f"{NAMESPACE}:{dotted(path)}")
        if path in self.profile_keys:
            return problem.sentence(self.system, f"{PROFILES}.{self.profile}.{dotted(path)}")
        return problem.sentence(self.system, dotted(path))


def from_pulumi() -> Settings:
    """The settings of the stack that the engine runs. Raises SettingsError, a pulumi.RunError."""
    config = {**engine_config.get_config_env(), **engine_config.CONFIG.get()}
    encrypted = {*engine_config.get_config_secret_keys_env(), *filter(engine_config.is_config_secret, config)}
    stack_file = os.environ.get("GROUNDWORK_STACK_FILE")
    return load(pulumi.get_stack(), config, encrypted=encrypted, stack_file=stack_file)


def from_file(stack_file: Path, *, root: Path | None = None) -> Settings:
    """The settings of Pulumi.<stack>.yaml, without an engine. Raises SettingsError."""
    root = root or ROOT
    stack = stack_file.name.removeprefix("Pulumi.").removesuffix(".yaml")
    shown = stack_file.relative_to(root).as_posix() if stack_file.is_relative_to(root) else stack_file.name
    try:
        content = yaml_file.read(stack_file)
    except yaml_file.YamlFault as fault:
        raise SettingsError([f"{shown}: {fault}"]) from None
    config = content.get("config")
    return load(
        stack, as_engine_config(config if isinstance(config, dict) else {}), root=root, stack_file=shown
    )


def as_engine_config(config: Mapping[str, Any]) -> dict[str, str]:
    """A stack file's `config` as the engine hands it to a program: text, and JSON for anything with parts."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def load(
    stack: str,
    config: Mapping[str, str],
    *,
    encrypted: Iterable[str] = (),
    root: Path | None = None,
    stack_file: str | None = None,
) -> Settings:
    """The settings of one stack, out of the engine's configuration and the system file that it names.

    `config` maps whole keys (groundwork:database, aws:region) to text; `encrypted` are those set with --secret.
    Raises SettingsError with every problem at once. What is only doubtful is in `warnings` of the result.
    """
    file = stack_file or f"Pulumi.{stack}.yaml"
    _refuse_encrypted(file, encrypted)
    system_file, product = _read_system(file, _blocks(config).get("system"), root or ROOT)
    return combine(stack, config, product, stack_file=file, system_file=system_file)


def combine(
    stack: str, config: Mapping[str, str], product: Mapping[str, Any], *, stack_file: str, system_file: str
) -> Settings:
    """What `load` does once `product`, the content of the system file, is read."""
    base, profile, problems = _profile(_blocks(config), product, system_file)
    profile_keys = frozenset(stack_paths(profile, base))
    product = overlay(base, profile)
    blocks = _without_taken_away(_blocks(config), base, product)
    blocks, unknown = _with_known_entries(blocks, product, system_file)
    problems += unknown
    problems += [_not_a_key(name, "stack") for name in (*INJECTED, PROFILES) if name in blocks]
    problems += [_not_a_key(name, "system") for name in INJECTED if name in product]
    injected = {*INJECTED, PROFILES}
    tree = {key: value for key, value in overlay(product, blocks).items() if key not in injected}
    tree |= {"stack": stack, "aws": _provider(config)}
    files = _Files(
        stack=stack_file,
        system=system_file,
        stack_keys=frozenset(stack_paths(blocks, product)),
        profile=str(blocks.get("profile")),
        profile_keys=profile_keys,
    )

    settings, found = _validate(tree)
    problems += found
    if problems:
        raise SettingsError([files.sentence(problem) for problem in _gathered(problems)])
    warnings = tuple(files.sentence(warning) for warning in rules.warnings(settings))
    return settings.model_copy(update={"warnings": warnings})


def _validate(tree: dict[str, Any]) -> tuple[Settings, list[Problem]]:
    """The settings and all that is wrong with them; with problems, the settings are not fit for use."""
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems = translate.problems(error)
        settings = Settings.model_validate(_patched(tree, problems), context="lenient")
        return settings, problems + rules.check_what_can_be(settings, [problem.path for problem in problems])
    return settings, rules.check(settings)


def _patched(tree: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The tree with null for missing keys, and without the keys that have no place in it: the rest can be read."""
    patched = copy.deepcopy(tree)
    for problem in problems:
        if problem.rule == translate.MISSING:
            _block_around(patched, problem.path)[problem.path[-1]] = None
    refused = [problem.path for problem in problems if problem.rule.startswith(translate.NO_PLACE)]
    for path in sorted(refused, key=len, reverse=True):
        _block_around(patched, path).pop(path[-1], None)
    return patched


def _block_around(tree: Any, path: KeyPath) -> Any:
    for part in path[:-1]:
        tree = tree[part]
    return tree


def _gathered(problems: list[Problem]) -> list[Problem]:
    """Several keys missing in one block, and from one file, are one problem: a block that nobody wrote yet."""
    problems = _without_misspelt(problems)
    missing: dict[tuple[KeyPath, str | None], list[str]] = {}
    for problem in problems:
        if problem.rule == translate.MISSING and len(problem.path) > 1:
            missing.setdefault((problem.path[:-1], problem.file), []).append(str(problem.path[-1]))
    gathered: list[Problem] = []
    for problem in problems:
        keys = missing.get((problem.path[:-1], problem.file), []) if problem.rule == translate.MISSING else []
        if len(keys) < 2:
            gathered.append(problem)
        elif keys[0] == problem.path[-1]:
            rule = f"lacks {', '.join(keys)}"
            gathered.append(Problem(path=problem.path[:-1], rule=rule, remedy="Add them.", file=problem.file))
    return gathered


def _without_misspelt(problems: list[Problem]) -> list[Problem]:
    """A key that is missing because it is misspelt is one problem, and the misspelt one tells it."""
    meant = {(problem.path[:-1], problem.remedy) for problem in problems if problem.rule == translate.UNKNOWN}
    return [
        problem
        for problem in problems
        if problem.rule != translate.MISSING
        or (problem.path[:-1], did_you_mean(problem.path[-1])) not in meant
    ]


def _refuse_encrypted(file: str, encrypted: Iterable[str]) -> None:
    lines = [
        f"{file}: {key}: is encrypted, and settings hold no secrets. Name it in `secrets` of the system file "
        "and put its value into Secrets Manager."
        for key in sorted(encrypted)
        if key.startswith(f"{NAMESPACE}:")
    ]
    if lines:
        raise SettingsError(lines)


def _blocks(config: Mapping[str, str]) -> dict[str, Any]:
    prefix = f"{NAMESPACE}:"
    return {key.removeprefix(prefix): _value(text) for key, text in config.items() if key.startswith(prefix)}


def _value(text: str) -> Any:
    """What the engine's text stands for: JSON for anything with parts, true and false, nothing, else the text."""
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return {"true": True, "false": False, "null": None, "": None}.get(text, text)


def _provider(config: Mapping[str, str]) -> dict[str, Any]:
    """The provider's own keys that settings look at; what is not set is left out."""
    known = {name: _value(config[key]) for name, key in _PROVIDER_KEYS.items() if key in config}
    return {**known, "is_emulated": bool(_value(config.get("aws:endpoints", "")))}


def _read_system(file: str, system: Any, root: Path) -> tuple[str, dict[str, Any]]:
    """The system file's name and content. Without it nothing else can be said, so its faults come alone."""
    known = sorted(path.parent.name for path in root.glob("systems/*/system.yaml"))
    choices = f"Set it to the name of a folder in systems/: {', '.join(known)}."
    if system is None:
        raise SettingsError([f"{file}: {NAMESPACE}:system: is missing. {choices}"])
    if system not in known:
        remedy = nearest(str(system), known)
        raise SettingsError(
            [f"{file}: {NAMESPACE}:system: must be a folder in systems/, got {system}. {remedy}"]
        )
    name = f"systems/{system}/system.yaml"
    try:
        return name, yaml_file.read(root / name)
    except yaml_file.YamlFault as fault:
        raise SettingsError([f"{name}: {fault}"]) from None


def _profile(
    blocks: Mapping[str, Any], product: Mapping[str, Any], system_file: str
) -> tuple[dict[str, Any], dict[str, Any], list[Problem]]:
    """The system file without its profiles, the one that the stack asks for, and what is wrong with the choice."""
    rest = {key: value for key, value in product.items() if key != PROFILES}
    profiles, wanted = product.get(PROFILES), blocks.get("profile")
    profiles = profiles if isinstance(profiles, dict) else {}
    if wanted is None:
        return rest, {}, []
    chosen = profiles.get(str(wanted))
    if isinstance(chosen, dict):
        return rest, chosen, []
    problem = Problem(
        path=("profile",),
        rule=f"must be one of `{PROFILES}` of {system_file}",
        got=wanted,
        remedy=nearest(str(wanted), profiles),
        file="stack",
    )
    return rest, {}, [problem]


def _without_taken_away(
    blocks: Mapping[str, Any], base: Mapping[str, Any], product: Mapping[str, Any]
) -> dict[str, Any]:
    """A null in the stack file for an entry that the profile has taken away already says nothing new."""
    blocks = dict(blocks)
    for block in _NAMED_BY_SYSTEM:
        entries, before, after = (tree.get(block) for tree in (blocks, base, product))
        if isinstance(entries, dict) and isinstance(before, dict):
            gone = {name for name in before if not isinstance(after, dict) or name not in after}
            blocks[block] = {
                name: entry for name, entry in entries.items() if entry is not None or name not in gone
            }
    return blocks


def _with_known_entries(
    blocks: dict[str, Any], product: Mapping[str, Any], system_file: str
) -> tuple[dict[str, Any], list[Problem]]:
    """A service or cache that the system file does not have, taken as the one that was probably meant."""
    problems: list[Problem] = []
    blocks = dict(blocks)
    for block in _NAMED_BY_SYSTEM:
        entries, known = blocks.get(block), product.get(block)
        if not isinstance(entries, dict) or not isinstance(known, dict):
            continue
        for name in [name for name in entries if name not in known]:
            remedy = nearest(name, known)
            problems.append(
                Problem(
                    path=(block, name),
                    rule=f"is not in `{block}` of {system_file}",
                    remedy=remedy,
                    file="stack",
                )
            )
            meant = next((entry for entry in known if remedy == did_you_mean(entry)), None)
            renamed = {meant: entries[name]} if meant is not None and meant not in entries else {}
            entries = {**{key: value for key, value in entries.items() if key != name}, **renamed}
        blocks[block] = entries
    return blocks, problems


def _not_a_key(name: str, file: str) -> Problem:
    remedies = {
        "aws": "Set aws:region and aws:allowedAccountIds instead.",
        PROFILES: "They stand in the system file; a stack chooses one with groundwork:profile.",
    }
    remedy = remedies.get(name, "Remove it.")
    return Problem(path=(name,), rule=translate.UNKNOWN, remedy=remedy, file=file)
