"""The stacks as a pipeline needs them: their files, and for one that stands on AWS its state and the roles."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from operations.policy import stacks


class Refusal(ValueError):
    """A sentence for whoever asked."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a stack stands on AWS, by the block `ci` of its settings (components/ci_access.py makes the roles).

    `github_environment` is the one whose jobs may deploy; `backend` is for `pulumi login`.
    """

    github_environment: str
    backend: str
    preview_role: str
    deploy_role: str


@dataclass(frozen=True, kw_only=True)
class Repository:
    """One on GitHub, owner/name, with the branch that counts in it; `keys` are those of the settings that say so."""

    name: str
    branch: str
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack by its files. `stack` is prod, staging ...; `name` is what the engine calls it: fixrx-prod.

    `standing` is None for a stack that no pipeline deploys; `tags` are the image tags of tasks that have their own.
    """

    system: str
    stack: str
    name: str
    config_file: str
    policy_config: str
    region: str
    standing: Standing | None
    tags: Mapping[str, str]

    @property
    def is_local(self) -> bool:
        return self.stack == "local"


def known(root: Path, repository: str) -> list[Stack]:
    """Every stack of every system; `repository` (owner/name) is the one whose pipeline asks, empty for a person.

    Raises `Refusal` for a file that is no YAML, and for an environment that two stacks share.
    """
    systems = sorted(path.parent.name for path in (root / "systems").glob("*/system.yaml"))
    found = [_stack(root, each, repository) for system in systems for each in stacks.choose(root, system, ())]
    environments = Counter(stack.standing.github_environment for stack in found if stack.standing)
    for name in (name for name, times in environments.items() if times > 1):
        shared = [each.name for each in found if each.standing and each.standing.github_environment == name]
        raise Refusal(
            f"ci.environment is {name} in {' and '.join(shared)}. Give each stack a GitHub environment of its own: "
            "it tells what is deployed where."
        )
    return found


def one(root: Path, system: str, stack: str) -> Stack:
    """A single stack. Raises `stacks.Unknown` where there is none, and `Refusal` for a file that is no YAML."""
    [found] = stacks.choose(root, system, [stack])
    return _stack(root, found, "")


def repositories(root: Path, system: str, stack: str) -> list[Repository]:
    """Those that the block `ci` names: the product's own, which pushes images, then the one of its stacks.

    One with the same branch in both roles stands once. Raises as `one` does.
    """
    [found] = stacks.choose(root, system, [stack])
    own = _config(_read(root, found.file)).get("groundwork:ci", {})
    base = _block(_read(root, found.system_file).get("ci"))
    merged = {**base, **own} if isinstance(own, dict) else {}
    if merged.get("images"):
        merged["images"] = {**_block(base.get("images")), **_block(merged["images"])}
    keys: dict[tuple[str, str], tuple[str, ...]] = {}
    for path, block in (("ci.images", _block(merged.get("images"))), ("ci", merged)):
        if block.get("repository"):
            named = str(block["repository"]), str(block.get("branch") or "main")
            keys[named] = (*keys.get(named, ()), f"{path}.repository")
    return [Repository(name=name, branch=branch, keys=said) for (name, branch), said in keys.items()]


def _stack(root: Path, found: stacks.Stack, repository: str) -> Stack:
    shared = found.file.parent == Path()
    own = found.file.with_name(f"policies.{found.name}.json")
    policies = own if (root / own).exists() else Path("policies") / "config" / f"{found.name}.json"
    content = _read(root, found.file)
    config = _config(content)
    product = _read(root, found.system_file)
    return Stack(
        system=found.system,
        stack=found.name,
        name=found.name if shared else f"{found.system}-{found.name}",
        config_file=found.file.as_posix(),
        policy_config=policies.as_posix() if (root / policies).exists() else "",
        region=str(config.get("aws:region") or ""),
        standing=_standing(found.system, content, product, repository),
        tags=task_tags(config),
    )


def _standing(
    system: str, content: Mapping[str, Any], product: Mapping[str, Any], repository: str
) -> Standing | None:
    """None for a stack that is another repository's, or that nobody has begun: `pulumi stack init` has not been there.

    The block is laid over the system's as settings/ does it.
    """
    config = _config(content)
    own = config.get("groundwork:ci", {})
    merged = {**(product.get("ci") or {}), **own} if isinstance(own, dict) else {}
    bucket = (merged.get("state") or {}).get("bucket")
    is_ours = not repository or merged.get("repository") == repository
    if not content.get("secretsprovider") or not is_ours or not bucket or not merged.get("environment"):
        return None
    environment = config.get("groundwork:environment")
    role = f"arn:aws:iam::{config.get('groundwork:account')}:role/_ci/{system}/{environment}/{system}-{environment}"
    return Standing(
        github_environment=merged["environment"],
        backend=f"s3://{bucket}",
        preview_role=f"{role}-preview",
        deploy_role=f"{role}-deploy",
    )


def config_of(text: str, shown: str) -> Mapping[str, Any]:
    """A stack file's `config`. Raises `Refusal` for what is no YAML."""
    return _config(_mapping(text, shown))


def _config(content: Mapping[str, Any]) -> Mapping[str, Any]:
    config = content.get("config")
    return config if isinstance(config, dict) else {}


def _block(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _read(root: Path, file: Path) -> Mapping[str, Any]:
    return _mapping((root / file).read_text(encoding="utf-8"), file.as_posix())


def _mapping(text: str, shown: str) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refusal(f"{shown} is no YAML: {' '.join(str(error).split())}") from None
    return content if isinstance(content, dict) else {}


def task_tags(config: Mapping[str, Any]) -> dict[str, str]:
    """The tasks that have an image tag of their own, which is how one runs ahead of its service.

    None on Kubernetes, where such a task is a Job that the program itself runs before the service.
    """
    tasks = config.get("groundwork:tasks") if config.get("groundwork:compute") != "kubernetes" else None
    return {
        name: str(task["image_tag"])
        for name, task in (tasks if isinstance(tasks, dict) else {}).items()
        if isinstance(task, dict) and task.get("image_tag")
    }
