"""The programs and packages of this machine that a deployment needs."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

from operations.doctor.line import Line, note, well, wrong
from operations.platform import ROOT

# local/engine.py builds this one, and README asks for it.
PULUMI = (3, 230)
AWS_CLI = (2,)
PYTHON = (3, 11)
TIMEOUT_S = 30
BUILT = ROOT / ".local" / "bin" / "pulumi"


def engine() -> str | None:
    return shutil.which("pulumi") or (str(BUILT) if BUILT.exists() else None)


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    """None where it is not there, or does not answer."""
    try:
        return subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def told_version(command: Sequence[str]) -> str:
    """The first number with points in what a program says; empty where it says none."""
    answer = run(command)
    if answer is None or answer.returncode:
        return ""
    found = re.search(r"\d+(\.\d+)+", answer.stdout + answer.stderr)
    return found[0] if found else ""


def is_at_least(told: str, least: Sequence[int]) -> bool:
    return [int(part) for part in told.split(".")[: len(least)]] >= list(least)


def check() -> Iterator[Line]:
    yield python()
    yield packages()
    yield _pulumi()
    yield _aws()
    yield _optional("session-manager-plugin", "`groundwork exec` and `groundwork db tunnel` need it.")
    yield _optional(
        "docker", "Images are built with it (README, First deployment, step 8); nothing else needs it."
    )


def python() -> Line:
    told = ".".join(map(str, sys.version_info[:3]))
    if is_at_least(told, PYTHON):
        return well("Python", told, sys.executable)
    return wrong("Python", told, "3.11 or newer.", sys.executable)


def packages() -> Line:
    """As requirements.lock pins them: a preview with others may say something else than the pipeline's."""
    from packaging.requirements import Requirement  # noqa: PLC0415 `--help` need not wait for it

    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[\w.-]+\S*==", line)]
    pins = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    other = []
    for pin in pins:
        try:
            has = version(pin.name)
        except PackageNotFoundError:
            has = "missing"
        if not pin.specifier.contains(has if has != "missing" else "0", prereleases=True):
            other.append(f"{pin.name} {has} instead of {str(pin.specifier).removeprefix('==')}")
    if other:
        rest = f" and {len(other) - 4} more" if len(other) > 4 else ""
        return wrong("packages", f"{', '.join(other[:4])}{rest}", "`make setup`.", "requirements.lock")
    return well("packages", f"all {len(pins)} as pinned", "requirements.lock")


def _pulumi() -> Line:
    least = ".".join(map(str, PULUMI))
    install = f"The official CLI, {least} or newer: https://www.pulumi.com/docs/iac/download-install/"
    on_path = shutil.which("pulumi")
    program = engine()
    if not program:
        return wrong("pulumi", "not on PATH", install)
    told = told_version([program, "version"])
    if not told or not is_at_least(told, PULUMI):
        return wrong("pulumi", told or "tells no version", install, program)
    if not on_path:
        return note(
            "pulumi",
            f"{told}, the one that `make` built, which is not on PATH",
            f"`export PATH={BUILT.parent}:$PATH`, or the official CLI.",
            program,
        )
    return well("pulumi", told, program)


def _aws() -> Line:
    program = shutil.which("aws")
    told = told_version([program, "--version"]) if program else ""
    if told and is_at_least(told, AWS_CLI):
        return well("aws", told, program or "")
    figure = f"{told}: version 1 does not know `aws configure sso`" if told else "not on PATH"
    return wrong("aws", figure, "AWS CLI 2: steps 1, 2 and 5 of README, First deployment, are typed with it.")


def _optional(name: str, why: str) -> Line:
    program = shutil.which(name)
    told = told_version([program, "--version"]) if program else ""
    return well(name, told, program or "") if told else note(name, "not on PATH", why)
