"""For tests with the real engine: an emulator of their own, and small projects in a folder of their own.

Every xdist worker has its own port, PULUMI_HOME and state. `make test` sets up what they need beforehand.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local import emulator_process, engine, packages, plugins, stack
from local.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent

# KMS keys: their ids are AWS's, so one that is made twice shows, and the SDK's module is a small one.
PROGRAM = """
import pulumi
import pulumi_aws as aws


class Box(pulumi.ComponentResource):
    def __init__(self, name, keys):
        super().__init__("groundwork:test:Box", name)
        made = []
        for number in range(keys):
            # One after the other, so that there is a middle in which something can be killed.
            options = pulumi.ResourceOptions(parent=self, depends_on=made[-1:], protect=settings.get_bool("protect"))
            made.append(aws.kms.Key(f"{name}-{number}", description=f"key {number}", opts=options))
        self.first = made[0].arn
        self.register_outputs({"first": self.first})


settings = pulumi.Config()
box = Box("box", settings.get_int("keys") or 3)
pulumi.export("first", box.first)
pulumi.export("url", "https://box.example")
"""

STACK_FILE = """config:
  aws:region: us-east-1
  aws:endpoints: [{kms: "http://localhost:4566"}]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def identity(port: int) -> emulator_process.Identity:
    found = emulator_process.identity(port)
    assert found, f"no emulator answers on {port}"
    return found


def found_engine() -> Path:
    found = engine.find(ROOT / ".local")
    if not found:
        pytest.fail("The engine is not there: `make test` sets it up, plain pytest does not.")
    return found


def write_project(root: Path, *, program: str = PROGRAM, stack_file: str = STACK_FILE) -> None:
    root.mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n", encoding="utf-8")
    (root / "__main__.py").write_text(program, encoding="utf-8")
    (root / "Pulumi.local.yaml").write_text(stack_file, encoding="utf-8")


def configure(workspace: Workspace, line: str) -> None:
    """Adds a line to the stack file's config."""
    with workspace.stack_file.open("a", encoding="utf-8") as file:
        file.write(f"  {line}\n")


def pulumi(workspace: Workspace, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Any command of the engine on the workspace's copy of its project, as it is; not checked."""
    return subprocess.run(
        [workspace.engine, *arguments, "--non-interactive"],
        cwd=workspace.folder,
        env=workspace.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def start_up(workspace: Workspace) -> subprocess.Popen[str]:
    """`make up` of a workspace in a process of its own, for tests that end it, or that watch two at once."""
    script = (
        "import sys, pathlib; from local import commands; from local.steps import Failure, Steps; "
        "from local.workspace import Workspace; "
        "values = dict(a.split('=', 1) for a in sys.argv[1:]); port = int(values.pop('port')); "
        "names = {k: values.pop(k) for k in ('system', 'stack')}; "
        "w = Workspace(port=port, **names, **{k: pathlib.Path(v) for k, v in values.items()})\n"
        "try:\n    commands.bring_up(w, Steps())\n"
        "except Failure as failure:\n    sys.exit(str(failure))"
    )
    fields = [
        f"{name}={getattr(workspace, name)}"
        for name in ("root", "home", "folder", "engine", "system", "stack", "port")
    ]
    return subprocess.Popen(
        [sys.executable, "-c", script, *fields],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PULUMI_HOME's parent, with the provider plugins in place."""
    folder = tmp_path_factory.mktemp("home")
    plugins.place(packages.python(ROOT), found_engine(), folder / "pulumi")
    return folder


@pytest.fixture(scope="session")
def port(home: Path) -> Iterator[int]:
    """An emulator for the tests of this worker."""
    chosen = free_port()
    emulator_process.start(chosen, packages.python(ROOT), home / "emulator.log")
    yield chosen
    found = emulator_process.identity(chosen)
    if found:
        emulator_process.stop(found)


@pytest.fixture
def workspace(tmp_path: Path, home: Path, port: int) -> Workspace:
    """A small project of its own: one component with three keys."""
    write_project(tmp_path / "project")
    return Workspace(
        root=tmp_path / "project",
        home=home,
        folder=tmp_path / "work",
        engine=found_engine(),
        system="tiny",
        stack="local",
        port=port,
    )


@pytest.fixture
def private(workspace: Workspace) -> Iterator[Workspace]:
    """The same with an emulator of its own, not yet started, that the test may kill."""
    private = replace(workspace, port=free_port())
    yield private
    found = emulator_process.identity(private.port)
    if found:
        emulator_process.stop(found)


def standing(workspace: Workspace) -> list[str]:
    """Names of the cloud resources in the state."""
    return sorted(found.name for found in stack.resources(workspace) if found.type.startswith("aws:"))
