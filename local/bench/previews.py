"""The projects that are previewed, each with its own stack file and empty state in .local/bench."""

import compileall
import json
import resource
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from local import commands, engine, stack
from local.bench import flat
from local.bench.figures import Cost
from local.process import closing_words
from local.steps import Failure
from local.workspace import DEFAULT_PORT, Workspace

ROOT = commands.REPOSITORY
FOLDER = ROOT / ".local" / "bench"
SYSTEM, STACK = "rentalfix", "prod"
PROGRAM = ("__main__.py", "components", "settings", "wiring")
TIMEOUT_S = 180

Content = Mapping[str, Any]


class Refused(Failure):
    """A preview that did not succeed; `reason` is the last that was said, which is the program's own error."""

    def __init__(self, project: Path, said: str) -> None:
        super().__init__(f"The preview of {project} failed:\n{said}")
        self.reason = said.strip().splitlines()[-1].strip() if said.strip() else "it said nothing"


@dataclass(frozen=True)
class Preview:
    """A preview that can be run any number of times, always from nothing."""

    workspace: Workspace
    options: tuple[str | Path, ...] = ()

    def command(self) -> list[str | Path]:
        workspace = self.workspace
        command: list[str | Path] = [workspace.engine, "preview", "--stack", workspace.stack_name]
        return [*command, "--non-interactive", "--config-file", workspace.config_file, *self.options]

    def environment(self) -> dict[str, str]:
        """With bytecode cached, or the compiler, which all pairs have in common, would hide what differs."""
        kept = self.workspace.environment()
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return kept

    def run(self, *options: str, environment: Mapping[str, str] | None = None) -> str:
        """Gives standard output. Raises Refused when it fails, Failure when it takes too long."""
        try:
            answer = subprocess.run(
                [*self.command(), *options],
                cwd=self.workspace.root,
                env={**self.environment(), **(environment or {})},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failure(
                f"The preview of {self.workspace.root} took more than {TIMEOUT_S} s and was ended."
            ) from None
        if answer.returncode:
            raise Refused(self.workspace.root, _said(answer.stdout, answer.stderr))
        return answer.stdout

    def cost(self) -> Cost:
        before, began = _cpu_s(), time.perf_counter()
        self.run()
        return Cost(seconds=time.perf_counter() - began, cpu_s=_cpu_s() - before)

    def resources(self) -> list[flat.State]:
        return flat.declared(json.loads(self.run("--json"))["steps"])

    def counted(self) -> tuple[float, int]:
        """Seconds of a preview that is printed as JSON, and how many resources were in it."""
        began = time.perf_counter()
        output = self.run("--json")
        return time.perf_counter() - began, len(flat.declared(json.loads(output)["steps"]))

    def with_policies(self) -> "Preview":
        return replace(self, options=tuple(commands.policies(self.workspace)))


def tracked(system: str = SYSTEM) -> tuple[dict[str, Any], dict[str, Any]]:
    """The system file's content and the stack file's `config`, as they are in the repository.

    Raises Failure for a system that is not there.
    """
    folder = ROOT / "systems" / system
    if not (folder / "system.yaml").exists():
        known = ", ".join(sorted(path.parent.name for path in ROOT.glob("systems/*/system.yaml")))
        raise Failure(f"There is no system {system}; there are {known}.")
    own, shared = folder / f"Pulumi.{STACK}.yaml", ROOT / f"Pulumi.{STACK}.yaml"
    product = yaml.safe_load((folder / "system.yaml").read_text(encoding="utf-8"))
    stack_file = own if own.exists() else shared
    return product, yaml.safe_load(stack_file.read_text(encoding="utf-8"))["config"]


def our_program(name: str, product: Content, config: Content) -> Preview:
    """A copy of the program beside other settings: it finds system files next to itself."""
    workspace = _project(name, config)
    for part in PROGRAM:
        copied = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copied(ROOT / part, workspace.root / part)
    system_file = workspace.root / "systems" / workspace.system / "system.yaml"
    system_file.parent.mkdir(parents=True)
    _write_yaml(system_file, product)
    return _ready(workspace)


def flat_program(original: Preview, resources: Sequence[flat.State], config: Content) -> Preview:
    """The same declarations. Raises Failure when the two previews have not everything in common."""
    workspace = _project("flat", _provider_keys(config))
    text = flat.program(resources, original.workspace.root)
    # Not in __main__, so that this program finds its bytecode cached as the other one does.
    (workspace.root / "declarations.py").write_text(text, encoding="utf-8")
    (workspace.root / "__main__.py").write_text("import declarations\n", encoding="utf-8")
    preview = _ready(workspace)
    unlike = flat.differences(resources, preview.resources())
    if unlike:
        raise Failure("The flat program declares something else:\n" + "\n".join(unlike[:10]))
    return preview


def empty_program(config: Content) -> Preview:
    workspace = _project("empty", _provider_keys(config))
    (workspace.root / "__main__.py").write_text("import pulumi_aws\n", encoding="utf-8")
    return _ready(workspace)


def _project(name: str, config: Content) -> Workspace:
    found = engine.find(ROOT / ".local")
    if not found:
        raise Failure("The engine is not there. Run `make up`.")
    root = FOLDER / name
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    shutil.copyfile(ROOT / "Pulumi.yaml", root / "Pulumi.yaml")
    for shared in (".venv", "policies"):
        (root / shared).symlink_to(ROOT / shared)
    _write_yaml(root / f"Pulumi.{STACK}.yaml", {"config": config})
    return Workspace(
        root=root,
        home=ROOT / ".local",
        folder=root / "work",
        engine=found,
        system=config.get("groundwork:system", SYSTEM),
        stack=STACK,
        port=DEFAULT_PORT,
    )


def _ready(workspace: Workspace) -> Preview:
    compileall.compile_dir(workspace.root, quiet=2)
    stack.select(workspace)
    return Preview(workspace)


def _provider_keys(config: Content) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key.startswith("aws:")}


def _write_yaml(path: Path, content: Content) -> None:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")


def _cpu_s() -> float:
    """CPU time of all processes that this one, or one of them, has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _said(output: str, errors: str) -> str:
    """The engine's errors, which are among the diagnostics of a preview in JSON."""
    try:
        found = [told["message"] for told in json.loads(output)["diagnostics"] if told["severity"] == "error"]
    except (ValueError, KeyError):
        found = []
    return closing_words("\n".join(found or [output, errors]).splitlines(), 12)
