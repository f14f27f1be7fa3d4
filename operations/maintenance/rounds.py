"""`groundwork maintenance daily | weekly | monthly`: one list after another, with one verdict at its end."""

import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from operations.exits import FOUND, NOT_RUN
from operations.maintenance.lists import DAILY, MONTHLY, WEEKLY, Step
from operations.platform import (
    LOCAL,
    ROOT,
    SYSTEM,
    DryRunOption,
    JsonOption,
    OutputsOption,
    Platform,
    Refusal,
    StackOption,
    SystemOption,
    YesOption,
    confirm,
    explained,
    opened,
)
from operations.reaching import taking
from operations.show import as_text, show
from operations.waits import ended_politely

# `backup verify` ends by itself after two hours; nothing else takes minutes.
STEP_LIMIT_S = 3 * 3600
# What a step removes after an interruption (a copy of the database) is a few calls, each tried for a minute.
TIDYING_S = 300
INTERRUPTED = 130

WELL, LOOK, NOT_ASKED, NOT_NEEDED = "well", "look at it", "could not be asked", "nothing to ask"

ViaOption = Annotated[
    str | None,
    typer.Option(help="Where a tunnel to the database begins (`groundwork db tunnel`).", metavar="HOST:PORT"),
]
FromOption = Annotated[
    int, typer.Option("--from", min=1, help="Begin with this one: where an interrupted run goes on.")
]
ReadOnlyOption = Annotated[
    bool, typer.Option("--read-only", help="Leave out what changes something, and so ask nothing.")
]
Run = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Asked:
    """How a step ended. `exit_code` is None where it was not called."""

    number: int
    step: str
    asks: str
    answer: str
    exit_code: int | None = None
    took_s: float = 0


@dataclass(frozen=True)
class Round:
    """One list on one stack. `words` makes the call of a step; `outputs` spares each of them asking Pulumi."""

    platform: Platform
    steps: Sequence[Step]
    outputs: Path | None
    via: str | None = None
    first: int = 1
    read_only: bool = False
    run: Run | None = None

    def __post_init__(self) -> None:
        if self.first > len(self.steps):
            raise Refusal(f"--from {self.first}: this list has {len(self.steps)} steps.")

    def words(self, step: Step) -> list[str]:
        given = {"system": self.platform.system, "stack": self.platform.stack, "outputs": self.outputs}
        options = [(f"--{name}", str(given[name])) for name in step.takes if given[name]]
        if step.reaches and self.via:
            options.append(("--via", self.via))
        return [
            *shlex.split(step.call),
            *(word for option in options for word in option),
            *(["--yes"] if step.changes else []),
        ]

    @property
    def due(self) -> list[tuple[int, Step]]:
        """By number; those that the stack has no use for are left out, too."""
        return [
            (number, step)
            for number, step in enumerate(self.steps, 1)
            if number >= self.first and not (self.read_only and step.changes)
        ]

    def asked(self) -> Iterator[Asked]:
        for number, step in self.due:
            if not step.needed(self.platform.outputs):
                yield Asked(number, step.call, step.asks, NOT_NEEDED)
                continue
            typer.echo(f"\n{number}. {step.asks[0].upper()}{step.asks[1:]}: groundwork {step.call}", err=True)
            began = time.monotonic()
            code = (self.run or _called)(self.words(step))
            yield Asked(number, step.call, step.asks, verdict(step, code), code, time.monotonic() - began)


def verdict(step: Step, exit_code: int) -> str:
    if exit_code == step.well:
        return WELL
    return LOOK if exit_code in (0, FOUND) else NOT_ASKED


def ends_with(answers: Sequence[str]) -> int:
    """1 where somebody has to look; else 2 where something could not be asked."""
    if LOOK in answers:
        return FOUND
    return NOT_RUN if NOT_ASKED in answers else 0


def _called(words: Sequence[str]) -> int:
    """What it says goes to standard error, so that standard output is the verdict alone."""
    command = [sys.executable, "-m", "operations", *words]
    # In a session of its own a Ctrl-C reaches it once, from here: a second one would cut its tidying up short.
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
    ) as process:
        try:
            return process.wait(STEP_LIMIT_S)
        except KeyboardInterrupt:
            _stop(process)
            raise
        except subprocess.TimeoutExpired:
            typer.echo(f"It did not end within {STEP_LIMIT_S // 3600} hours, and is stopped.", err=True)
            _stop(process)
            return NOT_RUN


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Each command takes this signal as it takes Ctrl-C, which a shell's background jobs do not hear."""
    process.terminate()
    try:
        process.wait(TIDYING_S)
    except subprocess.TimeoutExpired:
        process.kill()


@dataclass(frozen=True)
class Choices:
    """The options of each list."""

    via: ViaOption = None
    first: FromOption = 1
    read_only: ReadOnlyOption = False
    dry_run: DryRunOption = False
    yes: YesOption = False
    as_json: JsonOption = False
    system: SystemOption = SYSTEM
    stack: StackOption = LOCAL
    outputs: OutputsOption = None


choosing = taking(Choices, nullcontext)


def _go(steps: Sequence[Step], chosen: Choices) -> None:
    with explained(), tempfile.TemporaryDirectory(prefix="groundwork-") as folder:
        platform = opened(chosen.system, chosen.stack, chosen.outputs)
        given = None
        if chosen.stack != LOCAL:
            # Where the emulator listens stands in no file of outputs: its stack is asked anew by each step.
            given = Path(folder) / "outputs.json"
            given.write_text(json.dumps(dict(platform.outputs)), encoding="utf-8")
        work = Round(platform, steps, given, chosen.via, chosen.first, chosen.read_only)
        if chosen.dry_run:
            _plan(work, chosen.as_json)
            return
        if changes := [
            step.changes for _, step in work.due if step.changes and step.needed(platform.outputs)
        ]:
            confirm(platform, changes, as_json=chosen.as_json, yes=chosen.yes)
        done: list[Asked] = []
        try:
            with ended_politely():
                for each in work.asked():
                    done.append(each)
        except KeyboardInterrupt:
            _say(done, chosen.as_json)
            left = work.due[min(len(done), len(work.due) - 1)][0]
            typer.echo(f"Interrupted. The same command with --from {left} goes on from there.", err=True)
            raise typer.Exit(INTERRUPTED) from None
    _say(done, chosen.as_json)
    raise typer.Exit(ends_with([each.answer for each in done]))


def _plan(work: Round, as_json: bool) -> None:
    # The file of outputs is this run's own: whoever types the commands leaves it out.
    typed = replace(work, outputs=None)
    rows = [
        {
            "number": number,
            "asks": step.asks,
            "command": shlex.join(["groundwork", *typed.words(step)]),
            "changes": step.changes,
            "needed": step.needed(work.platform.outputs),
        }
        for number, step in work.due
    ]
    show(rows, as_json=as_json, nothing="There is nothing to ask.")


def _say(done: Sequence[Asked], as_json: bool) -> None:
    if as_json:
        typer.echo(as_text([asdict(each) for each in done]))
        return
    typer.echo()
    rows = [
        {"": each.number, "asked": each.asks, "answer": each.answer, "took_s": each.took_s} for each in done
    ]
    show(rows, as_json=False, nothing="Nothing was asked.")
    for each in done:
        if each.answer in (LOOK, NOT_ASKED):
            typer.echo(f"  {each.number}. {each.asks}: {each.answer}. `groundwork {each.step}`")


@choosing
def daily(chosen: Choices) -> None:
    """Ask what is asked every day: is everything up, what went wrong, is there a backup, does an alarm reach somebody.

    Each step is a command of its own, whose words go to standard error; one that fails does not stop the others.

    \b
    Exit code
      0  all is well
      1  a step wants somebody to look
      2  nothing does, but a step could not be asked

    \b
    Examples
      groundwork maintenance daily --stack prod
      groundwork maintenance daily --stack prod --dry-run
    """
    _go(DAILY, chosen)


@choosing
def weekly(chosen: Choices) -> None:
    """Ask what is asked every week: dead rows, certificates, the proof of a restore, secrets, exemptions, versions.

    \b
    Exit code
      0  all is well
      1  a step wants somebody to look
      2  nothing does, but a step could not be asked

    \b
    Examples
      groundwork maintenance weekly --stack prod
      groundwork maintenance weekly --stack prod --via localhost:15432
    """
    _go(WEEKLY, chosen)


@choosing
def monthly(chosen: Choices) -> None:
    """Ask what is asked every month, and do it: the database against what is declared, its growth, a restore, an audit.

    Two steps change something (indexes that are not valid are built anew, the newest backup is restored beside the
    original); they are named and asked for once, at the beginning. Failing over is for staging, by hand: `groundwork db
    failover-drill`, `groundwork redis failover`.

    \b
    Exit code
      0  all is well
      1  a step wants somebody to look
      2  nothing does, but a step could not be asked

    \b
    Examples
      groundwork maintenance monthly --stack prod
      groundwork maintenance monthly --stack prod --read-only
      groundwork maintenance monthly --stack prod --from 6
    """
    _go(MONTHLY, chosen)
