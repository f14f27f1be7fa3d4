"""The project's own `.venv`, exactly as requirements.lock pins it."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from local.process import closing_words, run
from local.steps import Failure, Steps

TITLE = "Python packages"
TIMEOUT_S = 30
RETRIES = 2


def python(root: Path) -> Path:
    return root / ".venv" / "bin" / "python"


def stamp(root: Path) -> str:
    """What `.venv` is made from: with another lock, or in a folder that was moved, it has to be made again."""
    return hashlib.sha256(f"{root}\0".encode() + (root / "requirements.lock").read_bytes()).hexdigest()


def are_installed(root: Path) -> bool:
    note = root / ".venv" / ".made-from"
    return python(root).exists() and note.exists() and note.read_text(encoding="utf-8") == stamp(root)


def make_environment(root: Path) -> None:
    """An empty `.venv` with pip; an existing one is kept, so that an interrupted installation goes on from there."""
    if (
        python(root).exists()
        and subprocess.run(
            [python(root), "-m", "pip", "--version"], capture_output=True, check=False
        ).returncode
        == 0
    ):
        return
    code, lines = run(
        [sys.executable, "-m", "venv", "--clear", root / ".venv"], cwd=root, environment=os.environ
    )
    if code:
        raise Failure(
            f"{sys.executable} could not make .venv (on Debian and Ubuntu: install python3-venv)."
            f"\n{closing_words(lines)}"
        )


def registry(environment: Mapping[str, str], configured: str) -> dict[str, str]:
    """pip's registry and certificate for uv, which reads neither; `configured` is what `pip config list` prints."""
    found = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", configured, re.MULTILINE))
    passed = {"UV_DEFAULT_INDEX": found.get("index-url"), "SSL_CERT_FILE": found.get("cert")}
    return {key: value for key, value in passed.items() if value and key not in environment}


def install(root: Path, steps: Steps) -> None:
    """Brings `.venv` to what requirements.lock says.

    Raises Failure when the registry does not answer or a package does not match its hash; `.venv` then counts
    as not made, and the next call goes on.
    """
    lock = root / "requirements.lock"
    wanted = len(re.findall(r"^\S+==", lock.read_text(encoding="utf-8"), re.MULTILINE))
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    environment.setdefault("PIP_DEFAULT_TIMEOUT", str(TIMEOUT_S))
    environment.setdefault("UV_HTTP_TIMEOUT", str(TIMEOUT_S))
    environment.setdefault("UV_HTTP_RETRIES", str(RETRIES))
    (root / ".venv" / ".made-from").unlink(missing_ok=True)

    def attempt(command: list[str | Path]) -> None:
        code, lines = run(command, cwd=root, environment=environment, on_line=step.progress)
        if code:
            raise Failure(
                "The Python packages could not be installed: the package registry did not answer, or did not have "
                f"what requirements.lock pins. Nothing is lost; run the same command again.\n{closing_words(lines)}"
            )

    with steps.step(
        TITLE, f"{wanted} into .venv, as requirements.lock pins them, for everybody alike"
    ) as step:
        pip = [python(root), "-m", "pip"]
        installer = root / "local" / "requirements-uv.txt"
        attempt([*pip, "install", "--quiet", "--retries", str(RETRIES), "--require-hashes", "-r", installer])
        configured = subprocess.run(
            [*pip, "config", "list"], capture_output=True, text=True, env=environment, check=False
        )
        environment.update(registry(environment, configured.stdout))
        attempt([
            root / ".venv" / "bin" / "uv", "pip", "install", "--python", python(root), "--require-hashes", "-r", lock,
        ])  # fmt: skip
        (root / ".venv" / ".made-from").write_text(stamp(root), encoding="utf-8")


def lock(root: Path, steps: Steps) -> None:
    """Writes the three locks anew; what is pinned stays as it is unless its own .in file says otherwise."""
    uv = root / ".venv" / "bin" / "uv"
    for source, target in (
        ("requirements.in", "requirements.lock"),
        ("local/requirements-uv.in", "local/requirements-uv.txt"),
        ("local/requirements-go.in", "local/requirements-go.txt"),
    ):
        with steps.step(target, f"versions and hashes of what {source} asks for") as step:
            command = [
                uv,
                "pip",
                "compile",
                "--quiet",
                "--universal",
                "--generate-hashes",
                "--no-emit-index-url",
            ]
            command += [
                "--python-version",
                "3.11",
                "--custom-compile-command",
                "make lock",
                "-o",
                target,
                source,
            ]
            code, lines = run(command, cwd=root, environment=os.environ, on_line=step.progress)
            if code:
                raise Failure(f"{target} could not be written, and stays as it was.\n{closing_words(lines)}")
