"""One command at a time: a lock file that the kernel frees, whatever ends the process that holds it."""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from local.steps import Failure


@contextmanager
def alone(path: Path, command: str) -> Generator[None]:
    """Holds `path` while the body runs. Raises Failure, naming the other one, when it is held already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another command"
            raise Failure(
                f"{holder} is at work here; wait until it has finished, then run this again."
            ) from None
        file.truncate(0)
        file.write(f"`make {command}` (pid {os.getpid()}, since {time.strftime('%H:%M:%S')})")
        file.flush()
        yield
        file.truncate(0)
