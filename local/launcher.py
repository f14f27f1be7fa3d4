"""Small executables that start Python on something of this checkout. Standard library only."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path


def write(path: Path, command: Sequence[str | Path]) -> bool:
    """An executable that runs `command`, then its own arguments; says whether it had to be written."""
    script = f'#!/bin/sh\nexec {shlex.join(map(str, command))} "$@"\n'
    if path.exists() and path.read_text(encoding="utf-8") == script:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of this process alone: two commands may find the same one missing.
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(script, encoding="utf-8")
    partial.chmod(0o755)
    partial.replace(path)
    return True


def write_for(path: Path, python: Path, root: Path, statement: str) -> bool:
    """The same for a statement that may import from `root`; it runs in the caller's folder, whatever lies there."""
    return write(path, [python, "-c", f"import sys; sys.path[0] = {str(root)!r}; {statement}"])
