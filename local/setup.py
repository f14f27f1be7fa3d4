"""The two steps before there are packages: `.venv` and the engine, side by side; then the command itself.

Standard library only.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from local import engine, exclusive, launcher, packages
from local.steps import Failure, Steps

ROOT = Path(__file__).resolve().parent.parent


def missing(root: Path, steps: Steps) -> list[Callable[[], object]]:
    """What has still to be had; says what is there already."""
    home = root / ".local"
    tasks: list[Callable[[], object]] = []
    if packages.are_installed(root):
        steps.skip(packages.TITLE, "already in .venv")
    else:
        tasks.append(lambda: packages.install(root, steps))
    if found := engine.find(home):
        steps.skip(
            engine.TITLE, f"already there, {found.relative_to(root) if root in found.parents else found}"
        )
    else:
        tasks.append(lambda: engine.build(root, home, steps))
    return tasks


def prepare(root: Path, steps: Steps, command: str) -> None:
    """Packages and engine, at the same time where both are missing: one downloads while the other compiles.

    Raises Failure with the sentences of whatever failed, or of another command that is preparing this checkout.
    """
    tasks = missing(root, steps)
    if not tasks:
        return
    with exclusive.alone(root / ".local" / "setup.lock", command):
        packages.make_environment(root)
        problems = together(tasks)
    unexpected = [problem for problem in problems if not isinstance(problem, Failure)]
    if unexpected:
        raise unexpected[0]
    if problems:
        raise Failure("\n".join(map(str, problems)))


def place_command(root: Path) -> bool:
    """Puts `groundwork` beside Python; says whether it was missing or another checkout's."""
    python = packages.python(root)
    return launcher.write_for(
        python.with_name("groundwork"), python, root, "from operations.__main__ import main; main()"
    )


def together(tasks: Sequence[Callable[[], object]]) -> list[BaseException]:
    """Runs them side by side, each to its end; gives what they raised."""
    problems: list[BaseException] = []

    def guarded(task: Callable[[], object]) -> None:
        try:
            task()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


def main(arguments: Sequence[str], started: float) -> int:
    """Says its first line at once, prepares, and becomes `python -m local ...` in the project's own `.venv`."""
    steps = Steps(sys.stderr if "--format=json" in arguments else None)
    steps.say(f"Groundwork: {' '.join(arguments)}")
    try:
        prepare(ROOT, steps, arguments[0])
        place_command(ROOT)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. Run the same command again; it goes on from here.", file=sys.stderr)
        return 130
    os.chdir(ROOT)
    interpreter = packages.python(ROOT)
    # The new process takes the place of this one, and of its exit code.
    return os.execv(interpreter, [str(interpreter), "-m", "local", "--started", str(started), *arguments])
