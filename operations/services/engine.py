"""`pulumi` on a stack, as a person would run it: the plan is shown first, and exactly that plan is applied."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from operations import stack_files
from operations.platform import LOCAL, ROOT, Platform, Refusal
from operations.policy import stacks
from operations.show import STDERR
from operations.stack_files import Stack
from operations.waits import Failed


@dataclass(frozen=True)
class Engine:
    """Runs `preview` and `up` with the policies. The local stack has the engine of `make up`."""

    stack: Stack
    root: Path = ROOT

    @classmethod
    def of(cls, platform: Platform) -> "Engine":
        """Raises Refusal where this checkout has no such stack."""
        try:
            return cls(stack_files.one(ROOT, platform.system, platform.stack), ROOT)
        except stack_files.Refusal as refusal:
            raise Refusal(str(refusal)) from None
        except stacks.Unknown as unknown:
            raise Refusal(f"{unknown} It cannot be deployed from this checkout.") from None

    def preview(self, plan: Path, *more: str) -> None:
        """Shows what would change, and writes the plan. Raises `Failed`."""
        self._run("preview", "--save-plan", str(plan), *more, otherwise="Nothing was changed.")

    def up(self, plan: Path, *more: str) -> None:
        """Does what the plan says, and nothing else. Raises `Failed`."""
        # The plan has been shown; the engine still stops before any step that is not in it.
        arguments = ["--yes", "--skip-preview", "--plan", str(plan), *more]
        self._run(
            "up", *arguments, otherwise="What it did before that stands; the same command goes on from there."
        )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SYSTEM": self.stack.system, "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def plain(self, *words: str) -> list[str]:
        """A command about the stack."""
        if self.stack.stack == LOCAL:
            # What `source local/activate` makes of `pulumi`.
            return [
                sys.executable,
                "-c",
                "from local import shell; shell.main()",
                *words,
                "--non-interactive",
            ]
        return ["pulumi", *words, "--non-interactive", "--stack", self.stack.name]

    def command(self, verb: str, *more: str) -> list[str]:
        """One that runs the program, with the policies."""
        policies = ["--suppress-outputs", "--policy-pack", "policies"]
        if self.stack.policy_config:
            policies += ["--policy-pack-config", self.stack.policy_config]
        file = [] if self.stack.stack == LOCAL else ["--config-file", self.stack.config_file]
        return [*self.plain(verb), *file, *policies, *more]

    def _run(self, verb: str, *more: str, otherwise: str) -> None:
        command = self.command(verb, *more)
        try:
            process = subprocess.Popen(
                command, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL, stdout=STDERR
            )
        except FileNotFoundError:
            raise Refusal(
                "`pulumi` is not on PATH. Install it and `pulumi login`, or let the pipeline deploy it: --edit-only."
            ) from None
        with _left_alone(process):
            code = process.wait()
        if code:
            raise Failed(f"`pulumi {verb}` ended with {code}; it says why above. {otherwise}")


@contextmanager
def _left_alone(process: subprocess.Popen[bytes]) -> Generator[None]:
    """The engine ends by itself when it is interrupted, after the step that it is at; a kill would cost its state.

    Ctrl-C reaches it from the terminal; any other request to end is handed on as one.
    """
    handed_on = {
        kind: lambda *_: process.send_signal(signal.SIGINT) for kind in (signal.SIGTERM, signal.SIGHUP)
    }
    handlers = {signal.SIGINT: lambda *_: None, **handed_on}
    before = {kind: signal.signal(kind, handler) for kind, handler in handlers.items()}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def targets(task: str) -> Sequence[str]:
    """What is declared for one task alone, as the pipeline's migrations are."""
    return ["--target", f"**::task-{task}", "--target", f"**::task-{task}-*"]
