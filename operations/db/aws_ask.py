"""Shell and SQL run beside the stack's database: by a one-off task of the stack, or by this machine.

The task's way works for whoever may start tasks, a pipeline too: nobody needs to come into the private network, and
the password goes from Secrets Manager to the task without passing here.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from operations import tasks
from operations.platform import Platform, Refusal
from operations.waits import Failed, Look, Patience

TASK = "bootstrap"  # every stack with a database has it; the container that has psql is called the same
# Its other containers, which make passwords (wiring/bootstrap.py): a question has nothing for them to do.
BESIDE = {TASK: ("prepare", "passwords", "publish")}
MARK = "groundwork:"
END = f"{MARK}end"
MOST_OVERRIDES = 8192  # ECS API, RunTask: characters of all overrides together
LOG_DELAY_S = 90  # what CloudWatch may take to show a line
SHOWN_LINES = 15
SEPARATOR = "\t"
PSQL = """psql --no-psqlrc --quiet --no-align --tuples-only -v ON_ERROR_STOP=1 --field-separator "$(printf '\\t')\""""
# A copy's server may still be changing the password, or its name not be known yet.
ONCE_IT_ANSWERS = (
    "for attempt in $(seq 60); do psql --no-psqlrc -Atc 'SELECT 1' > /dev/null 2>&1 && break; sleep 5; done; "
)
READ_ONLY = "-c default_transaction_read_only=on"

Answers = Mapping[str, Sequence[str]]


class Runner(Protocol):
    """Runs a shell command that finds the database in libpq's variables; its output, line by line.

    Raises `Failed` where it ends with anything but 0.
    """

    def run(self, command: str, environment: Mapping[str, str], patience: Patience) -> list[str]: ...


@dataclass(frozen=True)
class InTask:
    """`others` are overrides of the task's other containers, by their names."""

    platform: Platform
    task: str = TASK
    others: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def run(self, command: str, environment: Mapping[str, str], patience: Patience) -> list[str]:
        outputs, ecs = self.platform.outputs, self.platform.client("ecs")
        if reason := tasks.problem(outputs, self.task):
            raise Refusal(reason)
        overrides: list[dict[str, Any]] = [
            {"name": self.task, "command": ["sh", "-ec", command], "environment": _pairs(environment)},
            *({"name": name, "environment": _pairs(values)} for name, values in self.others.items()),
            *({"name": name, "command": ["exit 0"]} for name in BESIDE.get(self.task, ())),
        ]
        if (size := len(json.dumps(overrides))) > MOST_OVERRIDES:
            raise Refusal(
                f"What the task {self.task} is told is {size} characters long, and ECS takes {MOST_OVERRIDES}. Ask "
                "less."
            )
        try:
            arn = tasks.start(ecs, outputs, self.task, overrides)
            ended = self._ended(ecs, arn, patience)
        except tasks.Failed as failed:
            raise Failed(str(failed)) from None
        lines = self._log(arn, patience, until_end=ended.is_well)
        if not ended.is_well:
            raise Failed(f"The task {self.task} failed: {ended}\n{_last(lines)}")
        return lines

    def _ended(self, ecs: Any, arn: str, patience: Patience) -> tasks.Ended:
        """Stops the task when the caller is interrupted: nobody would read its answer."""
        try:
            return tasks.wait(
                ecs,
                self.platform.outputs,
                arn,
                deadline=patience.deadline,
                clock=patience.clock,
                sleep=patience.sleep,
            )
        except BaseException:
            ecs.stop_task(
                cluster=self.platform.outputs["cluster"], task=arn, reason="groundwork gave up waiting"
            )
            raise

    def _log(self, arn: str, patience: Patience, *, until_end: bool) -> list[str]:
        """All lines of the container; CloudWatch shows the last ones a moment after the task has ended."""
        logs, group = self.platform.client("logs"), self.platform.outputs["tasks"][self.task]["logGroup"]
        stream = f"{self.task}/{self.task}/{arn.rsplit('/', 1)[-1]}"
        seen: list[str] = []
        ends = patience.clock() + LOG_DELAY_S

        def look() -> Look[list[str]]:
            seen[:] = _events(logs, group, stream)
            complete = not until_end or END in seen
            return Look("its last lines are not there yet", [*seen] if complete else None)

        short = Patience(ends, patience.clock, patience.sleep)
        told = f"Read the log group {group}, stream {stream}, by hand."
        return short.until(f"log of {self.task}", look, otherwise=told, every_s=5)


def _events(logs: Any, group: str, stream: str) -> list[str]:
    lines: list[str] = []
    token: dict[str, str] = {}
    while True:
        try:
            page = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
        except logs.exceptions.ResourceNotFoundException:
            return lines
        lines += [event["message"].rstrip("\n") for event in page["events"]]
        # The last page gives back the token it was asked with.
        if not page["events"] or page["nextForwardToken"] == token.get("nextToken"):
            return lines
        token = {"nextToken": page["nextForwardToken"]}


@dataclass(frozen=True)
class Here:
    """On this machine, where `environment` (PGHOST, PGUSER, ...) leads to a server and PATH to psql."""

    environment: Mapping[str, str] = field(repr=False)

    def run(self, command: str, environment: Mapping[str, str], patience: Patience) -> list[str]:
        process = subprocess.Popen(
            ["bash", "-ec", command],
            start_new_session=True,
            env={**os.environ, **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            said, _ = process.communicate(timeout=max(patience.left_s, 1))
        except subprocess.TimeoutExpired:
            _end(process)
            raise Failed(
                "psql did not end in time, and was ended. Allow more with --timeout-minutes."
            ) from None
        except BaseException:
            _end(process)
            raise
        lines = said.splitlines()
        if process.returncode:
            raise Failed(f"The commands ended with {process.returncode}:\n{_last(lines)}")
        return lines


def _end(process: subprocess.Popen[str]) -> None:
    """The shell and what runs in it; its own trap drops what it has made, and is read until then."""
    for sign, patience_s in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=patience_s)
            return


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _last(lines: Sequence[str]) -> str:
    shown = [line for line in lines if line.strip()][-SHOWN_LINES:]
    return "\n".join(f"  {line}" for line in shown) or "  Its log is empty."


def script(questions: Mapping[str, str]) -> str:
    """For psql: each answer stands between its name and the next one."""
    parts = [f"\\echo {MARK}{name}\n{sql.strip().removesuffix(';')}\n;\n" for name, sql in questions.items()]
    return f"{''.join(parts)}\\echo {END}\n"


def answers(lines: Sequence[str]) -> Answers:
    """What stands between the marks; without those of the end."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.startswith(MARK):
            current = found.setdefault(line.removeprefix(MARK).strip(), [])
        elif line.strip():
            current.append(line)
    return {name: rows for name, rows in found.items() if name != END.removeprefix(MARK)}


def ask(
    runner: Runner,
    questions: Mapping[str, str],
    patience: Patience,
    *,
    host: str | None = None,
    read_only: bool = True,
) -> Answers:
    """The rows of each answer. `host` is another server with the same database and login. Raises `Failed`."""
    environment = {
        "STATEMENTS": script(questions),
        **({"PGHOST": host} if host else {}),
        **({"PGOPTIONS": READ_ONLY} if read_only else {}),
    }
    command = f'{ONCE_IT_ANSWERS}printf "%s" "$STATEMENTS" | {PSQL}'
    return answers(runner.run(command, environment, patience))


def secret(platform: Platform, arn: str) -> str:
    """The master user's password. It is never shown; RDS masks it in its own logs."""
    text = platform.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    return json.loads(text)["password"]


def rows(lines: Sequence[str]) -> Iterator[list[str]]:
    """The columns of each row."""
    yield from (line.split(SEPARATOR) for line in lines)
