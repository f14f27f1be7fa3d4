"""Programs out of Debian's packages, with stand-ins for apt and dpkg-deb: what is asked of them, and failures."""

import io
import os
from pathlib import Path

import pytest

from local import debian
from local.steps import Failure, Steps

APT_GET = """#!/bin/sh
echo "get $*" >> "$LOG"
case "$*" in
*--simulate*)
    echo "Inst libjemalloc2 (5.3)"; echo "Inst libc6 [2.35] (2.36)"; echo "Conf libjemalloc2 (5.3)" ;;
*update*) touch "$LOG.updated" ;;
*download*)
    if [ -n "$OFFLINE" ]; then echo "E: Failed to fetch" >&2; exit 100; fi
    if [ -n "$OLD_LISTS" ] && ! [ -e "$LOG.updated" ]; then echo "E: 404 Not Found" >&2; exit 100; fi
    touch a.deb b.deb ;;
esac
"""
APT_CACHE = """#!/bin/sh
echo "cache $*" >> "$LOG"
if [ -n "$NO_LISTS" ] && ! [ -e "$LOG.updated" ]; then echo "E: No packages found" >&2; exit 100; fi
cat <<END
redis-server
  PreDepends: init-system-helpers
  Depends: redis-tools
redis-tools
  Depends: libc6
  Depends: libjemalloc2
  Depends: lua-cjson
libjemalloc2
  Depends: libdeeper1
postgresql-postgis
  Depends: postgresql-15-postgis-3
postgresql-15-postgis-3
  Depends: postgresql-15
  Depends: libgdal32
  Depends: libgeos-c1v5
postgresql-15
 |Depends: libedit2
 |Depends: libreadline8
  Depends: libnone0
  Depends: <libvirtual>
    libprovider1
  Depends: postgresql-common
  Depends: libpq5
  Depends: libllvm14
  Depends: zlib1g
libpq5
  Depends: libssl3
nginx
  Depends: libssl3
rabbitmq-server
  Depends: adduser
 |Depends: erlang-base
  Depends: <erlang-base-hipe>
  Depends: erlang-crypto
erlang-crypto
  Depends: erlang-base
  Depends: libssl3
erlang-base
  Depends: libsctp1
prometheus
  Depends: libjs-jquery
$PROMTOOL
END
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/bin" "$3/usr/sbin" "$3/usr/lib/here" "$3/usr/share/doc/many"
touch "$3/usr/lib/here/libjemalloc.so.2"
bin="$3/usr/lib/postgresql/15/bin"; extensions="$3/usr/share/postgresql/15/extension"
mkdir -p "$bin" "$extensions" "$3/usr/lib/postgresql/15/lib/bitcode" "$3/usr/share/proj"
touch "$3/usr/lib/postgresql/15/lib/postgis-3.so" "$extensions/postgis-3.control"
[ -n "$EMPTY" ] || touch "$bin/postgres" "$3/usr/sbin/nginx"
rabbitmq="$3/usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin"; mkdir -p "$rabbitmq"
[ -n "$EMPTY" ] || touch "$rabbitmq/rabbitmq-server"
[ -n "$EMPTY" ] || for each in promtool redis-server shellcheck jq; do touch "$3/usr/bin/$each"; done
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its log of apt's arguments is in apt.log; its PATH has nothing but the stand-ins and the shell's own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"apt-get": APT_GET, "apt-cache": APT_CACHE, "dpkg-deb": DPKG}.items():
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "apt.log"))
    monkeypatch.setattr(debian, "MACHINE", tmp_path / "machine")

    def which(name: str, path: str | None = None) -> str | None:
        return str(programs / name) if (programs / name).exists() else None

    monkeypatch.setattr(debian.shutil, "which", which)
    return tmp_path


def asked(machine: Path) -> list[str]:
    """`get` or `cache`, and what follows the options that are always the same."""
    lines = (machine / "apt.log").read_text(encoding="utf-8").splitlines()
    return [f"{line.split()[0]} {line.partition('Acquire::Retries=2 ')[2]}" for line in lines]


def installed_postgres(machine: Path, version: str, *, postgis: bool) -> Path:
    """Laid where Debian puts it, with a pg_config that tells where its extensions are."""
    root = machine / "machine"
    program = root / "usr/lib/postgresql" / version / "bin/postgres"
    extensions = root / "usr/share/postgresql" / version / "extension"
    program.parent.mkdir(parents=True)
    extensions.mkdir(parents=True)
    program.touch()
    (program.parent / "pg_config").write_text(f"#!/bin/sh\necho {extensions.parent}\n", encoding="utf-8")
    (program.parent / "pg_config").chmod(0o755)
    if postgis:
        (extensions / "postgis.control").touch()
    return program


def test_a_program_of_path_is_taken_as_it_is(machine):
    (machine / "bin" / "promtool").touch()
    assert debian.have("promtool", machine) == debian.Program(path=machine / "bin" / "promtool")
    assert not (machine / "apt.log").exists()


def test_a_program_that_debian_installed_beside_path_is_taken_and_the_newest_of_several(machine):
    for version in ("9", "15"):
        newest = installed_postgres(machine, version, postgis=True)
    assert debian.have("postgres", machine) == debian.Program(path=newest)
    assert not (machine / "apt.log").exists()


def test_a_link_on_path_leads_to_the_extensions_of_what_it_links_to(machine):
    program = installed_postgres(machine, "15", postgis=True)
    (machine / "bin" / "postgres").symlink_to(program)
    assert debian.have("postgres", machine) == debian.Program(path=machine / "bin" / "postgres")


@pytest.mark.parametrize("asked_in_vain", [False, True])
def test_postgresql_without_postgis_is_not_taken(machine, asked_in_vain):
    program = installed_postgres(machine, "15", postgis=False)
    if asked_in_vain:
        (program.parent / "pg_config").unlink()
    assert debian.have("postgres", machine).root == machine / "debian" / "postgres"


def test_rabbitmq_comes_with_its_erlang(machine):
    program = debian.have("rabbitmq-server", machine)
    assert program.root
    assert program.path == program.root / "usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin/rabbitmq-server"
    _depends, planned, download = asked(machine)
    assert planned.endswith(" libsctp1 libssl3")
    assert download.startswith("get download rabbitmq-server erlang-base erlang-crypto")


def test_of_rabbitmq_the_program_that_changes_the_user_is_not_taken(machine):
    (machine / "bin" / "rabbitmq-server").touch()
    own = machine / "machine/usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin/rabbitmq-server"
    own.parent.mkdir(parents=True)
    own.touch()
    assert debian.have("rabbitmq-server", machine) == debian.Program(path=own)


def test_it_is_unpacked_and_not_installed_with_the_libraries_that_are_missing(machine):
    program = debian.have("redis-server", machine)
    root = machine / "debian" / "redis-server"
    assert program.path == root / "usr/bin/redis-server"
    assert program.environment["LD_LIBRARY_PATH"] == str(root / "usr/lib/here")
    _depends, planned, download = asked(machine)
    assert planned.endswith("install --simulate --no-upgrade --no-install-recommends libjemalloc2 lua-cjson")
    assert download == "get download redis-server redis-tools libjemalloc2"
    assert not (root / "packages").exists()


def test_postgresql_comes_in_the_release_s_version_without_what_nobody_uses(machine):
    program = debian.have("postgres", machine)
    root = machine / "debian" / "postgres"
    assert program == debian.Program(
        path=root / "usr/lib/postgresql/15/bin/postgres",
        environment={
            "LD_LIBRARY_PATH": str(root / "usr/lib/here"),
            "PROJ_DATA": str(root / "usr/share/proj"),
            "PROJ_LIB": str(root / "usr/share/proj"),
        },
        root=root,
    )
    _depends, planned, download = asked(machine)
    assert planned.endswith(" libedit2 libgeos-c1v5 libssl3 zlib1g")
    assert (
        download
        == "get download postgresql-postgis postgresql-15-postgis-3 postgresql-15 libpq5 libjemalloc2"
    )
    assert not (root / "usr/lib/postgresql/15/lib/bitcode").exists()
    assert not (root / "usr/share/doc").exists()


def test_an_extension_is_known_by_the_name_that_an_installation_gives_it(machine):
    root = machine / "debian" / "postgres"
    debian.have("postgres", machine)
    assert (root / "usr/share/postgresql/15/extension/postgis.control").readlink() == Path(
        "postgis-3.control"
    )


def test_an_extension_that_has_its_name_keeps_it(machine):
    with (machine / "bin" / "dpkg-deb").open("a", encoding="utf-8") as script:
        script.write('echo own > "$extensions/postgis.control"\n')
    root = debian.have("postgres", machine).root
    assert root
    assert (root / "usr/share/postgresql/15/extension/postgis.control").read_text(encoding="utf-8") == "own\n"


def test_what_was_unpacked_may_be_moved(machine):
    root = debian.have("postgres", machine).root
    assert root
    root.rename(machine / "elsewhere")
    moved = debian.unpacked("postgres", machine / "elsewhere")
    assert moved
    assert str(root) not in f"{moved.path} {moved.environment}"
    assert debian.unpacked("postgres", root) is None


@pytest.mark.parametrize(
    ("dependency", "packages"), [("", "prometheus"), ("  Depends: promtool", "prometheus promtool")]
)
def test_a_program_that_needs_no_libraries_comes_without_any(machine, monkeypatch, dependency, packages):
    monkeypatch.setenv("PROMTOOL", dependency)
    debian.have("promtool", machine)
    _depends, download = asked(machine)
    assert download == f"get download {packages}"


def test_what_is_there_is_not_fetched_again(machine):
    first = debian.have("promtool", machine)
    (machine / "apt.log").unlink()
    assert debian.have("promtool", machine) == first
    assert not (machine / "apt.log").exists()


@pytest.mark.parametrize("lists", ["NO_LISTS", "OLD_LISTS"])
def test_where_the_lists_of_packages_are_empty_or_old_it_makes_its_own(machine, monkeypatch, lists):
    monkeypatch.setenv(lists, "1")
    debian.have("redis-server", machine)
    update, depends, plan, download = asked(machine)[-4:]
    assert update.endswith(" update")
    assert f"Dir::State::lists={machine}/debian/apt/lists" in update
    for later in (depends, plan, download):
        assert update.removeprefix("get").removesuffix(" update") in later


@pytest.mark.parametrize(
    ("name", "trouble", "sentence"),
    [
        ("promtool", "OFFLINE", "promtool is not on PATH, and could not be had from Debian's packages"),
        ("promtool", "EMPTY", r"Debian's prometheus holds no promtool\. Install promtool\."),
        ("postgres", "OFFLINE", r"postgres with PostGIS is not on PATH(.|\n)*E: Failed to fetch"),
    ],
)
def test_what_cannot_be_had_is_told(machine, monkeypatch, name, trouble, sentence):
    monkeypatch.setenv(trouble, "1")
    with pytest.raises(Failure, match=sentence):
        debian.have(name, machine)
    assert not (machine / "debian" / f"{name}.partial").exists()


@pytest.mark.parametrize("missing", ["apt-get", "apt-cache", "dpkg-deb"])
def test_elsewhere_than_on_debian_it_says_what_to_install(machine, missing):
    (machine / "bin" / missing).unlink()
    with pytest.raises(Failure, match=r"this is no Debian whose packages hold it\. Install promtool\."):
        debian.have("promtool", machine)


def test_before_the_tests_it_says_what_it_does(machine, monkeypatch):
    said = io.StringIO()
    debian.prepare(machine, Steps(said))
    assert "Test programs: promtool, unpacked from Debian's prometheus" in said.getvalue()
    said = io.StringIO()
    debian.prepare(machine, Steps(said))
    assert [line.rpartition(", ")[0] for line in said.getvalue().splitlines()] == [
        f"Test programs: {name} is there" for name in debian.PROGRAMS
    ]


def test_before_the_tests_a_failure_is_said_and_does_not_stop_them(machine, monkeypatch):
    monkeypatch.setenv("OFFLINE", "1")
    said = io.StringIO()
    debian.prepare(machine, Steps(said))
    assert said.getvalue().count("could not be had from Debian's packages") == len(debian.PROGRAMS)
