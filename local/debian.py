"""Programs that tests need, out of Debian's packages: unpacked under .local, installed nowhere, no service started.

promtool and a Redis with TLS are on no package registry but this one: built from its Go module promtool takes five
minutes and 1.8 GB, and the Redis of PyPI's wheels is old, or speaks no TLS. A program on PATH is taken as it is.
"""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.process import closing_words
from local.steps import Failure, Steps

TITLE = "Test programs"
TIMEOUT_S = 120


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`packages` hold the program; `with_libraries`: it needs shared libraries that may be missing here."""

    packages: Sequence[str]
    with_libraries: bool = False


PROGRAMS: Mapping[str, Wanted] = {
    "promtool": Wanted(packages=["prometheus"]),
    "redis-server": Wanted(packages=["redis-server"], with_libraries=True),
}


@dataclass(frozen=True, kw_only=True)
class Program:
    """How it is run: `environment` comes on top of the caller's own."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def find(name: str, home: Path) -> Program | None:
    """The program of PATH, or what an earlier run unpacked under `home` (.local)."""
    on_path = shutil.which(name)
    if on_path:
        return Program(path=Path(on_path))
    root = home / "debian" / name
    unpacked = next(iter(sorted(root.glob(f"usr/bin/{name}"))), None)
    if unpacked is None:
        return None
    libraries = [str(folder) for folder in sorted({file.parent for file in root.glob("**/*.so*")})]
    return Program(
        path=unpacked, environment={"LD_LIBRARY_PATH": os.pathsep.join(libraries)} if libraries else {}
    )


def have(name: str, home: Path) -> Program:
    """The program, fetched if need be; one process at a time, the others wait. Raises Failure."""
    (home / "debian").mkdir(parents=True, exist_ok=True)
    with (home / "debian" / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return find(name, home) or _fetch(name, home)


def prepare(home: Path, steps: Steps) -> None:
    """Every program, before the tests that need it. What cannot be had is said; its tests then say it, too."""
    for name, wanted in PROGRAMS.items():
        found = find(name, home)
        if found:
            steps.skip(TITLE, f"{name} is there, {found.path}")
            continue
        try:
            with steps.step(TITLE, f"{name}, unpacked from Debian's {' '.join(wanted.packages)}") as step:
                step.result = f"{have(name, home).path}"
        except Failure as failure:
            steps.say(f"  {failure}")


def _fetch(name: str, home: Path) -> Program:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Failure(f"{name} is not on PATH, and this is no Debian whose packages hold it. Install {name}.")
    target, partial = home / "debian" / name, home / "debian" / f"{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "packages").mkdir(parents=True)
    wanted = PROGRAMS[name]
    try:
        options = _lists(wanted, home)
        packages = [*wanted.packages, *(_missing_libraries(wanted, options) if wanted.with_libraries else ())]
        _apt([*options, "download", *packages], partial / "packages")
        for package in sorted((partial / "packages").glob("*.deb")):
            _run(["dpkg-deb", "-x", package, partial], partial)
    except _Unsuccessful as problem:
        shutil.rmtree(partial, ignore_errors=True)
        raise Failure(
            f"{name} is not on PATH, and could not be had from Debian's packages. Install {name}, or run the same "
            f"command again.\n{closing_words(str(problem).splitlines())}"
        ) from None
    shutil.rmtree(partial / "packages")
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    found = find(name, home)
    if found is None:
        raise Failure(f"Debian's {' '.join(wanted.packages)} holds no {name}. Install {name}.")
    return found


def _lists(wanted: Wanted, home: Path) -> list[str]:
    """Options for the lists of packages: the machine's own, or fresh ones under `home` where those are empty or old."""
    own: list[str] = []
    try:
        _apt([*own, "install", "--simulate", *wanted.packages], home)
    except _Unsuccessful:
        state = home / "debian" / "apt"
        for folder in ("lists/partial", "cache/archives/partial"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        own = [
            "-o", f"Dir::State::lists={state / 'lists'}",
            "-o", f"Dir::Cache={state / 'cache'}",
        ]  # fmt: skip
        _apt([*own, "update"], home)
    return own


def _missing_libraries(wanted: Wanted, options: Sequence[str]) -> list[str]:
    """What apt-get would install beside the packages."""
    planned = _apt(
        [*options, "install", "--simulate", "--no-install-recommends", *wanted.packages], Path.cwd()
    )
    names = re.findall(r"^Inst (\S+)", planned, re.MULTILINE)
    return [name for name in names if name not in wanted.packages]


class _Unsuccessful(Exception):
    """What a command said before it failed."""


def _apt(arguments: Sequence[str], folder: Path) -> str:
    # Without its own lock and its own user: nothing of the machine is changed, and root is not needed.
    unlocked = ["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2"]
    return _run(["apt-get", "--yes", "--quiet", *unlocked, *arguments], folder)


def _run(command: Sequence[str | Path], folder: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise _Unsuccessful(str(problem)) from None
    if done.returncode:
        raise _Unsuccessful(f"{done.stdout}\n{done.stderr}")
    return done.stdout
