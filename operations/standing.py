"""The stack that a file of outputs tells of: for a pipeline's commands, whose job has just asked Pulumi for it."""

from pathlib import Path

from operations import platform
from operations.platform import Platform


def standing(path: Path) -> Platform:
    """Ends the command where the file is not what `pulumi stack output --json` wrote."""
    with platform.explained():
        said = platform.read(path)
    return Platform(said["system"], said["environment"], said)
