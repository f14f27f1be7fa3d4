"""Programs out of Debian's packages, with stand-ins for apt-get and dpkg-deb: what is asked of them, and failures."""

import io
import os
from pathlib import Path

import pytest

from local import debian
from local.steps import Failure, Steps

APT = """#!/bin/sh
echo "$*" >> "$LOG"
case "$*" in
*--simulate*)
    if [ -n "$NO_LISTS" ] && ! [ -e "$LOG.updated" ]; then echo "E: Unable to locate package" >&2; exit 100; fi
    echo "Inst libjemalloc2 (5.3)"; echo "Inst redis-server (7.0)" ;;
*update*) touch "$LOG.updated" ;;
*download*)
    if [ -n "$OFFLINE" ]; then echo "E: Failed to fetch" >&2; exit 100; fi
    touch a.deb b.deb ;;
esac
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin" "$3/usr/lib/here"
touch "$3/usr/lib/here/libjemalloc.so.2"
[ -n "$EMPTY" ] || for each in promtool redis-server; do echo '#!/bin/sh' > "$3/usr/bin/$each"; done
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its log of apt-get's arguments is in apt.log; its PATH has nothing but the stand-ins and the shell's own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"apt-get": APT, "dpkg-deb": DPKG}.items():
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "apt.log"))
    monkeypatch.setattr(
        debian.shutil, "which", lambda name: str(programs / name) if (programs / name).exists() else None
    )
    return tmp_path


def asked(machine: Path) -> list[str]:
    lines = (machine / "apt.log").read_text(encoding="utf-8").splitlines()
    return [line.partition("Acquire::Retries=2 ")[2] for line in lines]


def test_a_program_of_path_is_taken_as_it_is(machine):
    (machine / "bin" / "promtool").touch()
    assert debian.have("promtool", machine) == debian.Program(path=machine / "bin" / "promtool")
    assert not (machine / "apt.log").exists()


def test_it_is_unpacked_and_not_installed_with_the_libraries_that_are_missing(machine):
    program = debian.have("redis-server", machine)
    root = machine / "debian" / "redis-server"
    assert program.path == root / "usr/bin/redis-server"
    assert program.environment == {"LD_LIBRARY_PATH": str(root / "usr/lib/here")}
    assert asked(machine)[-1] == "download redis-server libjemalloc2"
    assert [line for line in asked(machine) if "install" in line and "--simulate" not in line] == []
    assert not (root / "packages").exists()


def test_a_program_that_needs_no_libraries_comes_alone(machine):
    debian.have("promtool", machine)
    assert asked(machine)[-1] == "download prometheus"


def test_what_is_there_is_not_fetched_again(machine):
    first = debian.have("promtool", machine)
    (machine / "apt.log").unlink()
    assert debian.have("promtool", machine) == first
    assert not (machine / "apt.log").exists()


def test_without_lists_of_packages_it_makes_its_own(machine, monkeypatch):
    monkeypatch.setenv("NO_LISTS", "1")
    debian.have("promtool", machine)
    update, download = asked(machine)[-2:]
    assert update.endswith(" update")
    assert f"Dir::State::lists={machine}/debian/apt/lists" in update
    assert download.startswith(update.removesuffix(" update"))


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        ("OFFLINE", "promtool is not on PATH, and could not be had from Debian's packages"),
        ("EMPTY", "Debian's prometheus holds no promtool. Install promtool."),
    ],
)
def test_what_cannot_be_had_is_told(machine, monkeypatch, trouble, sentence):
    monkeypatch.setenv(trouble, "1")
    with pytest.raises(Failure, match=sentence):
        debian.have("promtool", machine)
    assert not (machine / "debian" / "promtool.partial").exists()


def test_elsewhere_than_on_debian_it_says_what_to_install(machine):
    (machine / "bin" / "apt-get").unlink()
    with pytest.raises(Failure, match=r"this is no Debian whose packages hold it\. Install promtool\."):
        debian.have("promtool", machine)


def test_before_the_tests_it_says_what_it_does(machine, monkeypatch):
    said = io.StringIO()
    debian.prepare(machine, Steps(said))
    assert "Test programs: promtool, unpacked from Debian's prometheus" in said.getvalue()
    said = io.StringIO()
    debian.prepare(machine, Steps(said))
    assert "Test programs: redis-server is there" in said.getvalue()


def test_before_the_tests_a_failure_is_said_and_does_not_stop_them(machine, monkeypatch):
    monkeypatch.setenv("OFFLINE", "1")
    said = io.StringIO()
    debian.prepare(machine, Steps(said))
    assert "could not be had from Debian's packages" in said.getvalue()
