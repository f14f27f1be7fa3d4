"""`source local/activate`, in a real shell."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.engine import ROOT, found_engine


def bash(script: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    return subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=cwd,
        env=kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def digests() -> dict[str, str]:
    files = [*ROOT.glob("Pulumi*.yaml"), *ROOT.glob("systems/*/*.yaml")]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.engine
def test_plain_commands_work_on_the_local_stack_and_change_no_tracked_file():
    found_engine()
    before = digests()
    said = bash(
        "source local/activate && command -v pulumi && pulumi stack --show-name && pulumi config --json >/dev/null"
        " && pulumi stack export >/dev/null && (cd docs && pulumi stack output --json >/dev/null)"
        " && echo $PULUMI_BACKEND_URL"
        " && deactivate_groundwork && echo [$PULUMI_HOME$PULUMI_CONFIG_PASSPHRASE] && echo $PATH"
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines() == [
        str(ROOT / ".local" / "shell" / "pulumi"),
        "local",
        f"file://{ROOT}/.local/up/rentalfix/state",
        "[]",
        os.environ["PATH"],
    ]
    assert digests() == before


@pytest.mark.engine
def test_another_stack_is_refused_in_a_sentence():
    found_engine()
    said = bash("source local/activate && pulumi up --stack prod")
    assert said.returncode == 1
    assert said.stderr.startswith(
        "This shell works on the stack local alone. `make preview STACK=prod` previews prod"
    )
    assert len(said.stderr.splitlines()) == 1


def test_a_checkout_that_is_not_set_up_says_so(tmp_path):
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "activate").write_bytes((ROOT / "local" / "activate").read_bytes())
    said = bash("source local/activate; echo $?; echo [$PULUMI_HOME]", tmp_path)
    assert said.stderr == "Nothing is set up here yet. Run `make up` first.\n"
    assert said.stdout == "1\n[]\n"
