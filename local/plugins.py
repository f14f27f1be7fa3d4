"""Puts our plugins where the engine looks: the Python language beside it, the providers in PULUMI_HOME."""

import shutil
from importlib import metadata
from pathlib import Path

from local import launcher
from local.engine import LANGUAGE_PLUGIN

LAUNCHER = Path(__file__).with_name("plugin.py")
PROVIDERS = {"aws": "pulumi-aws", "kubernetes": "pulumi-kubernetes", "random": "pulumi-random"}


def write_launcher(path: Path, python: Path, module: str) -> bool:
    """An executable that runs `module` under `python`; says whether it had to be written."""
    return launcher.write(path, [python, LAUNCHER, module])


def is_official(path: Path) -> bool:
    return path.exists() and LAUNCHER.name.encode() not in path.read_bytes()


def place(python: Path, engine: Path, pulumi_home: Path) -> list[str]:
    """Writes what is missing or has changed and gives its names; none when all was there.

    The version in a provider's folder is that of its SDK: the engine warns when it finds any other.
    """
    written = []
    language = engine.with_name(LANGUAGE_PLUGIN)
    if not is_official(language) and write_launcher(language, python, "local.language_plugin"):
        written.append("python")
    for name, package in PROVIDERS.items():
        version = metadata.version(package)
        folder = pulumi_home / "plugins" / f"resource-{name}-v{version}"
        for old in (pulumi_home / "plugins").glob(f"resource-{name}-v*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
        if write_launcher(folder / f"pulumi-resource-{name}", python, f"local.provider.{name}"):
            written.append(f"{name} {version}")
    return written
