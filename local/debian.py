"""Programs that tests need, out of Debian's packages: unpacked under .local, installed nowhere, no service started.

promtool, nginx, PostgreSQL with PostGIS, RabbitMQ and a Redis with TLS are on no package registry but this one: built
from its Go module promtool takes five minutes and 1.8 GB, and the Redis of PyPI's wheels is old, or speaks no TLS. A
program that the machine has is taken as it is. Which version there is, the machine's release of Debian decides.
"""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from local.process import closing_words
from local.steps import Failure, Steps

TITLE = "Test programs"
TIMEOUT_S = 120

MACHINE = Path("/")
# Debian has servers where the PATH of an ordinary user does not lead.
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin")

# The loader comes with the machine's own C library and fits no other; what else a program needs from Debian but its
# libraries (perl, debconf, a user) is for the service that is not started here.
LIBRARIES = ("lib*", "zlib*", "lua-*")
MACHINE_LIBRARIES = ("libc6", "libc-bin")

# Megabytes that no test reads; bitcode is for PostgreSQL's compiler of queries.
UNREAD = ("usr/share/doc", "usr/share/locale", "usr/share/man", "usr/lib/postgresql/*/lib/bitcode")


def _anything(_program: Path) -> bool:
    return True


def _has_postgis(postgres: Path) -> bool:
    try:
        answer = _run([postgres.resolve().parent / "pg_config", "--sharedir"], MACHINE)
    except _Unsuccessful:
        return False
    return (Path(answer.strip()) / "extension" / "postgis.control").exists()


def _is_rabbitmqs_own(program: Path) -> bool:
    """Debian has another one on PATH, which changes the user first."""
    return program.parent.parent.name.startswith("rabbitmq_server-")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`path` in a Debian is where the program is, as a pattern. `packages` and their dependencies that match `parts`
    hold it; of what these depend on in turn, `libraries` may be missing here, but for `without`, which only something
    unused needs. What the machine has is taken if it `suits`; `having` says when.
    """

    path: str
    packages: Sequence[str]
    parts: Sequence[str] = ()
    libraries: Sequence[str] = LIBRARIES
    without: Sequence[str] = ()
    suits: Callable[[Path], bool] = _anything
    having: str = ""


PROGRAMS: Mapping[str, Wanted] = {
    # In later releases of Debian it has a package of its own. What Go made needs no libraries.
    "promtool": Wanted(path="usr/bin/promtool", packages=["prometheus"], parts=["promtool"], libraries=[]),
    "redis-server": Wanted(path="usr/bin/redis-server", packages=["redis-server"], parts=["redis-*"]),
    "nginx": Wanted(path="usr/sbin/nginx", packages=["nginx"]),
    "rabbitmq-server": Wanted(
        path="usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server",
        packages=["rabbitmq-server"],
        parts=["erlang-*"],
        suits=_is_rabbitmqs_own,
    ),
    # PyPI's shellcheck downloads it from elsewhere.
    "shellcheck": Wanted(path="usr/bin/shellcheck", packages=["shellcheck"]),
    "jq": Wanted(path="usr/bin/jq", packages=["jq"]),
    # Query compilation, rasters and 3D solids: their libraries are ten times the rest, and no system asks for them.
    "postgres": Wanted(
        path="usr/lib/postgresql/*/bin/postgres",
        packages=["postgresql-postgis"],
        parts=["postgresql-[0-9]*", "postgresql-client-[0-9]*", "postgresql-postgis*", "libpq5"],
        without=["libllvm*", "libgdal*", "libsfcgal*"],
        suits=_has_postgis,
        having=" with PostGIS",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Program:
    """How it is run: `environment` comes on top of the caller's own. `root`: the folder that it was unpacked into."""

    path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    root: Path | None = None


def find(name: str, home: Path) -> Program | None:
    """The machine's program, or what an earlier run unpacked under `home` (.local)."""
    wanted = PROGRAMS[name]
    for path in _machines(name, wanted):
        if wanted.suits(path):
            return Program(path=path)
    return unpacked(name, home / "debian" / name)


def unpacked(name: str, root: Path) -> Program | None:
    """The program in the folder that its packages were unpacked into, wherever that has been moved to."""
    path = _newest(root, PROGRAMS[name].path)
    return Program(path=path, environment=_environment(root), root=root) if path else None


def _machines(name: str, wanted: Wanted) -> Iterator[Path]:
    """Where the machine may have it: on PATH, and where a Debian puts it."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS]))
    if found:
        yield Path(found)
    installed = _newest(MACHINE, wanted.path)
    if installed:
        yield installed


def _newest(root: Path, pattern: str) -> Path | None:
    """Of several versions side by side (usr/lib/postgresql/15, /9) the highest."""
    return max(
        root.glob(pattern),
        key=lambda path: [int(number) for number in re.findall(r"\d+", str(path.relative_to(root)))],
        default=None,
    )


def _environment(root: Path) -> dict[str, str]:
    """With it the unpacked finds its libraries and, for PostGIS, the table of coordinate systems."""
    environment: dict[str, str] = {}
    # Modules of PostgreSQL are no libraries for a loader; the server knows where they are.
    shared = [file for pattern in ("usr/lib/**/*.so*", "lib/**/*.so*") for file in root.glob(pattern)]
    libraries = {file.parent for file in shared if "postgresql" not in file.relative_to(root).parts}
    if libraries:
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(str(folder) for folder in sorted(libraries))
    if (root / "usr/share/proj").exists():
        # The second is the name before PROJ 9.1.
        environment |= dict.fromkeys(("PROJ_DATA", "PROJ_LIB"), str(root / "usr/share/proj"))
    return environment


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
    target, partial = home / "debian" / name, home / "debian" / f"{name}.partial"
    wanted = PROGRAMS[name]
    called = f"{name}{wanted.having}"
    if not all(map(shutil.which, ("apt-get", "apt-cache", "dpkg-deb"))):
        raise Failure(
            f"{called} is not on PATH, and this is no Debian whose packages hold it. Install {called}."
        )
    try:
        try:
            _unpack(wanted, partial, options=[])
        except _Unsuccessful:
            # The machine's lists of packages are empty, or name versions that are there no more.
            _unpack(wanted, partial, options=_own_lists(home))
    except _Unsuccessful as problem:
        shutil.rmtree(partial, ignore_errors=True)
        raise Failure(
            f"{called} is not on PATH, and could not be had from Debian's packages. Install {called}, or run the "
            f"same command again.\n{closing_words(str(problem).splitlines())}"
        ) from None
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    found = find(name, home)
    if found is None:
        raise Failure(f"Debian's {' '.join(wanted.packages)} holds no {called}. Install {called}.")
    return found


def _unpack(wanted: Wanted, folder: Path, *, options: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    archives = folder / "packages"
    archives.mkdir(parents=True)
    parts, libraries = _needed(wanted, options)
    missing = _not_installed(libraries, options) if libraries else []
    _apt("get", [*options, "download", *parts, *missing], archives)
    for archive in sorted(archives.glob("*.deb")):
        _run(["dpkg-deb", "-x", archive, folder], folder)
    shutil.rmtree(archives)
    for unread in [path for pattern in UNREAD for path in folder.glob(pattern)]:
        shutil.rmtree(unread)
    # An installation makes PostGIS 3 known by the name without the 3 (Debian's "alternatives").
    for control in folder.glob("usr/share/postgresql/*/extension/*-3.control"):
        known = control.with_name(control.name.replace("-3.control", ".control"))
        if not known.exists():
            known.symlink_to(control.name)


def _own_lists(home: Path) -> list[str]:
    """Options for lists of packages that are under `home` and fresh."""
    state = home / "debian" / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    options = [
        "-o", f"Dir::State::lists={state / 'lists'}",
        "-o", f"Dir::Cache={state / 'cache'}",
    ]  # fmt: skip
    _apt("get", [*options, "update"], home)
    return options


def _needed(wanted: Wanted, options: Sequence[str]) -> tuple[list[str], list[str]]:
    """The packages that hold the program, and the libraries that they depend on."""
    graph = _dependencies(wanted.packages, options)
    parts, libraries, todo = list(wanted.packages), set[str](), list(wanted.packages)
    while todo:
        for name in graph.get(todo.pop(), ()):
            if _matches(name, wanted.without) or _matches(name, MACHINE_LIBRARIES):
                continue
            if _matches(name, wanted.parts):
                if name not in parts:
                    parts.append(name)
                    todo.append(name)
            elif _matches(name, wanted.libraries):
                libraries.add(name)
    return parts, sorted(libraries)


def _dependencies(packages: Sequence[str], options: Sequence[str]) -> dict[str, list[str]]:
    """What each package depends on, and each of those; of alternatives the first, as apt-get would choose."""
    only = [
        f"--no-{kind}" for kind in ("recommends", "suggests", "enhances", "breaks", "conflicts", "replaces")
    ]
    said = _apt("cache", [*options, "depends", "--recurse", *only, *packages], Path.cwd())
    graph: dict[str, list[str]] = {}
    package, chosen = "", False
    for line in said.splitlines():
        if line and line[0].isalnum():
            package, chosen = line, False
            graph[package] = []
        elif match := re.match(r" ([ |])(?:Pre)?Depends: (\S+)", line):
            if not chosen and not match[2].startswith("<"):
                graph[package].append(match[2])
            chosen = match[1] == "|"
    return graph


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _not_installed(libraries: Sequence[str], options: Sequence[str]) -> list[str]:
    """Those of the libraries, and of what they need in turn, that apt-get would have to install."""
    planned = _apt(
        "get",
        [*options, "install", "--simulate", "--no-upgrade", "--no-install-recommends", *libraries],
        Path.cwd(),
    )
    names = re.findall(r"^Inst (\S+)", planned, re.MULTILINE)
    return [name for name in names if not _matches(name, MACHINE_LIBRARIES)]


class _Unsuccessful(Exception):
    """What a command said before it failed."""


def _apt(tool: str, arguments: Sequence[str], folder: Path) -> str:
    # Without its own lock and its own user: nothing of the machine is changed, and root is not needed.
    unlocked = ["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=2"]
    chosen = ["--yes", "--quiet"] if tool == "get" else []
    return _run([f"apt-{tool}", *chosen, *unlocked, *arguments], folder)


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
