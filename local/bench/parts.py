"""One preview looked at from inside: CPU time by process, and a profile of the program."""

import os
import pstats
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

from local import engine, packages, plugins
from local.bench import host
from local.bench.figures import Process, Stats
from local.bench.previews import FOLDER, ROOT, TIMEOUT_S, Preview

SAMPLE_S = 0.02


def watch(preview: Preview) -> list[Process]:
    """Every process of one preview, as Linux's /proc knew it last; elsewhere there is nothing to see."""
    seen: dict[int, Process] = {}
    until = time.monotonic() + TIMEOUT_S
    with subprocess.Popen(
        preview.command(),
        cwd=preview.workspace.root,
        env=preview.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and time.monotonic() < until:
            for found in tree(process.pid):
                # One that has ended, but not been waited for, has no command any more.
                known = seen.get(found.pid, found)
                seen[found.pid] = replace(found, command=found.command or known.command)
            time.sleep(SAMPLE_S)
        process.terminate()
    return list(seen.values())


def tree(pid: int, proc: Path = Path("/proc")) -> list[Process]:
    """A process and all that it started, directly or not."""
    running = [process for process in map(_process, proc.glob("[0-9]*")) if process]
    found = [process for process in running if process.pid == pid]
    for process in found:
        found += [child for child in running if child.parent == process.pid]
    return found


def _process(folder: Path) -> Process | None:
    try:
        stat = (folder / "stat").read_text(encoding="utf-8")
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it has ended meanwhile
        return None
    # After the name in brackets, which may hold spaces: state, parent, ..., utime and stime (proc(5)).
    fields = stat.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Process(int(folder.name), int(fields[1]), command, ticks / os.sysconf("SC_CLK_TCK"))


def profile(preview: Preview) -> Stats:
    """A preview with a profiling language plugin, which the engine takes because it lies beside its copy."""
    folder = FOLDER / "bin"
    folder.mkdir(exist_ok=True)
    copied = folder / preview.workspace.engine.name
    shutil.copy2(preview.workspace.engine, copied)
    plugins.write_launcher(folder / engine.LANGUAGE_PLUGIN, packages.python(ROOT), "local.bench.host")
    written = folder / "profile"
    profiled = replace(preview, workspace=replace(preview.workspace, engine=copied))
    profiled.run(environment={host.PROFILE_VARIABLE: str(written)})
    return vars(pstats.Stats(str(written)))["stats"]
