"""What the working tree changes of a stack, compared with another commit: without an account, and without its state.

The state that the other commit's program would have is made first: its files are unpacked below `.local/`, and the
engine brings its stack up with a provider that only records. Then the engine previews the working tree's program on
that state, so that what is replaced, and by which input, is the providers' own answer.
"""

import io
import json
import shutil
import subprocess
import tarfile
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from local import commands, exclusive, stack
from local.provider.recording import VARIABLE
from local.steps import Failure, Steps
from local.workspace import Workspace

SHORT = 12  # characters of a commit's id


@dataclass(frozen=True, kw_only=True)
class Recorded(Workspace):
    """A workspace whose `up` makes nothing: what it would create is recorded."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), VARIABLE: "1"}


def compare(
    workspace: Workspace,
    steps: Steps,
    *,
    base: str,
    form: str,
    output: TextIO,
    kept_events: Path | None = None,
) -> None:
    """A preview on the state that the commit would have from which the working tree and `base` went out.

    In the form `json` the commit stands beside what the engine says, as `comparedWith`. Raises Failure.
    """
    commit = base_commit(workspace.root, base)
    again = f"compare --system={workspace.system} --stack={workspace.stack} --base={base}"
    with exclusive.alone(workspace.folder / "lock", again):
        commands.place_plugins(workspace, steps)
        protected = make_state(workspace, commit, steps)
        answer = workspace.folder / "preview"
        try:
            with answer.open("w", encoding="utf-8") as file:
                commands.preview(
                    workspace,
                    steps,
                    time.time(),
                    form=form,
                    output=file,
                    kept_events=kept_events,
                    name="compare",
                )
        finally:
            text = answer.read_text(encoding="utf-8")
            output.write(annotated(text, commit, protected) if form == "json" else text)
            answer.unlink()


def base_commit(root: Path, base: str) -> str:
    """The commit that the working tree went out from: where its history and that of `base` parted. Raises Failure."""
    commit = _git(root, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    if commit.returncode:
        raise Failure(
            f"--base {base} is no commit of this repository. Name a branch, a tag or a commit; in a shallow clone, "
            "fetch it first (`git fetch origin main`)."
        )
    parted = _git(root, "merge-base", "HEAD", base)
    return (parted if parted.returncode == 0 else commit).stdout.decode().strip()


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        raise Failure("git is not on PATH, and a comparison needs it. Install it.") from None


def make_state(workspace: Workspace, commit: str, steps: Steps) -> set[str]:
    """Leaves in the workspace the state of the commit's stack; gives the URNs that are protected in it."""
    checkout = workspace.folder / "base"
    shutil.rmtree(workspace.state, ignore_errors=True)
    workspace.config_file.unlink(missing_ok=True)
    try:
        unpack(workspace.root, commit, checkout)
        base = Recorded(
            root=checkout,
            home=workspace.home,
            folder=workspace.folder,
            engine=workspace.engine,
            system=workspace.system,
            stack=workspace.stack,
            port=workspace.port,
        )
        if not _has_stack(base):
            steps.skip("State", f"{commit[:SHORT]} has no stack {workspace.stack}, so everything is new")
            return set()
        why = f"what {commit[:SHORT]} declares, recorded without an account or an emulator"
        with steps.step("State", why) as step:
            recorded = _record(base, commit)
            step.result = f"{len(recorded.get('resources') or [])} resources"
        return _unprotect(base, recorded)
    finally:
        shutil.rmtree(checkout, ignore_errors=True)


def unpack(root: Path, commit: str, folder: Path) -> None:
    """The files of a commit, as they were, and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    archive = _git(root, "archive", "--format=tar", commit)
    if archive.returncode:
        raise Failure(f"`git archive {commit}` failed: {archive.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


def _has_stack(base: Workspace) -> bool:
    try:
        return base.stack_file.exists()
    except Failure:
        return False


def _record(base: Workspace, commit: str) -> dict[str, Any]:
    stack.select(base)
    try:
        stack.run(base, "up", "--yes", "--skip-preview")
    except stack.EngineError as error:
        said = "\n".join(error.report.errors) or error.output.strip()
        raise Failure(
            f"The program of {commit[:SHORT]} cannot be brought up, so there is nothing to compare with:\n{said}\n"
            "Name another commit with --base."
        ) from None
    return stack.deployment(base)


def _unprotect(base: Workspace, recorded: dict[str, Any]) -> set[str]:
    """Takes the protection out of the state: the engine stops at the first protected resource that would be replaced,
    and says nothing of those after it."""
    protected = {found["urn"] for found in recorded.get("resources") or [] if found.pop("protect", False)}
    stack.write(base, recorded)
    return protected


def annotated(text: str, commit: str, protected: Collection[str]) -> str:
    """The engine's JSON with what it was not told: the commit, and which of the old resources are protected."""
    try:
        preview = json.loads(text)
    except json.JSONDecodeError:
        return text
    for step in preview.get("steps") or []:
        if step["urn"] in protected and "oldState" in step:
            step["oldState"]["protect"] = True
    return json.dumps({**preview, "comparedWith": commit}, indent=4) + "\n"
