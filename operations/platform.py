"""A stack that stands, as a command sees it: what its outputs say, and AWS asked with patience.

Every command that works on one takes `SystemOption`, `StackOption` and `OutputsOption`, and calls `opened`. Where no
stack is named it is the local one, in the emulator: whoever means production says so.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from operations import exits, show
from operations.policy import stacks

ROOT = Path(__file__).resolve().parent.parent
LOCAL = "local"
PRODUCTION = "prod"
TIMEOUT_S = 120

Outputs = Mapping[str, Any]

SystemOption = Annotated[str, typer.Option("--system", help="The product: a folder of systems/.")]
StackOption = Annotated[
    str, typer.Option("--stack", help="prod, staging, ...; `local` is the one of `make up`, in the emulator.")
]
OutputsOption = Annotated[
    Path | None,
    typer.Option(
        "--outputs", help="What `pulumi stack output --json` wrote, instead of asking Pulumi for it."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For a program instead of a person.")]
JsonFormatOption = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
SYSTEM = "rentalfix"


class Refusal(Exception):
    """A command cannot do what was asked; a sentence that says what to do."""


@dataclass(frozen=True)
class Platform:
    """One stack of one system. `endpoint_url` is the emulator's, None on AWS."""

    system: str
    stack: str
    outputs: Outputs
    endpoint_url: str | None = None

    @property
    def is_production(self) -> bool:
        return self.outputs["environment"] == PRODUCTION

    @property
    def region(self) -> str:
        return self.outputs["region"]

    @cached_property
    def _session(self) -> Any:
        import boto3  # noqa: PLC0415 half a second that `--help` need not wait for

        # The emulator takes any credentials; a person's own must not reach it.
        dummy = {"aws_access_key_id": "local", "aws_secret_access_key": "local"} if self.endpoint_url else {}
        return boto3.Session(region_name=self.region, **dummy)

    def client(self, service: str, *, region: str | None = None) -> Any:
        """A client that waits and asks again when AWS is busy (botocore's adaptive mode)."""
        from botocore.config import Config  # noqa: PLC0415

        patient = Config(
            retries={"mode": "adaptive", "total_max_attempts": 8}, connect_timeout=10, read_timeout=60
        )
        return self._session.client(
            service, region_name=region or self.region, endpoint_url=self.endpoint_url, config=patient
        )

    def __str__(self) -> str:
        where = f"the emulator at {self.endpoint_url}" if self.endpoint_url else self.region
        return f"{self.system}, stack {self.stack}, in {where}"


def opened(system: str, stack: str, outputs: Path | None = None) -> Platform:
    """The stack with its outputs. Raises Refusal where it is not known, does not stand, or Pulumi does not tell."""
    if outputs:
        return Platform(system, stack, read(outputs))
    try:
        [found] = stacks.choose(ROOT, system, [stack])
    except stacks.Unknown as unknown:
        raise Refusal(str(unknown)) from None
    if stack == LOCAL:
        return _opened_local(found)
    if not shutil.which("pulumi"):
        raise Refusal(
            f"`pulumi` is not on PATH, and it alone knows what stands in {found}. Install it and `pulumi login`, or "
            "give its outputs: --outputs FILE."
        )
    shared = found.file.parent == Path()
    name = found.name if shared else f"{found.system}-{found.name}"
    command = ["pulumi", "stack", "output", "--json", "--non-interactive", "--stack", name]
    answer = _run(command)
    if answer.returncode:
        raise Refusal(
            f"Pulumi does not tell what stands in {found}: {_last(answer.stderr)} `pulumi login` and `pulumi stack ls` "
            "show what it knows."
        )
    return Platform(system, stack, _checked(answer.stdout, f"`{' '.join(command)}`"))


def _opened_local(found: stacks.Stack) -> Platform:
    command = [sys.executable, "-m", "local", "outputs", "--system", found.system]
    answer = _run(command)
    if answer.returncode:
        raise Refusal(answer.stderr.strip() or f"`{' '.join(command[1:])}` ended with {answer.returncode}.")
    told = json.loads(answer.stdout)
    return Platform(found.system, LOCAL, told["outputs"], endpoint_url=told["endpoint_url"])


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refusal(f"`{' '.join(command)}` did not answer within {TIMEOUT_S} s. Run it by hand.") from None


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing."


def read(path: Path) -> Outputs:
    """What `pulumi stack output --json` wrote. Raises Refusal where it is something else."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise Refusal(f"{path} cannot be read: {problem.strerror}.") from None
    return _checked(text, str(path))


def _checked(text: str, source: str) -> Outputs:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict) or "region" not in content:
        raise Refusal(
            f"{source} gives no outputs of a stack of Groundwork. `pulumi stack output --json` writes them, once the "
            "stack stands."
        )
    return content


@contextmanager
def explained() -> Generator[None]:
    """Turns what stops a command into a sentence and exit code 2: a refusal, AWS's own, or a network that is away."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 as above
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        yield
    except Refusal as refusal:
        exits.refuse(str(refusal))
    except ClientError as error:
        exits.refuse(said(error))
    except ResponseParserError:
        exits.refuse(
            "What was asked last was answered with a web page, not by AWS: an emulator has not every operation, and "
            "a proxy on the way has none."
        )
    except RuntimeError as error:
        # botocore says it so of credentials in the environment, and has no class for it.
        if "credentials are still expired" not in str(error):
            raise
        exits.refuse("The session that this shell has is over. Sign in again (`aws sso login`).")
    except BotoCoreError as error:
        exits.refuse(
            f"AWS could not be asked: {error}. Look at the credentials (`aws sts get-caller-identity`)."
        )


def said(error: Any) -> str:
    """AWS's refusal as a sentence, with what to do about the ones that anybody meets."""
    told = error.response.get("Error", {})
    code, message = told.get("Code", "unknown"), told.get("Message", "no reason given").rstrip(".")
    if message.lstrip().startswith("<"):
        return f"{error.operation_name} was answered with a web page ({code}): an emulator has not every operation."
    remedies = {
        "AccessDenied": "Ask with a role that may, or have it granted.",
        "ExpiredToken": "Sign in again (`aws sso login`).",
        "Throttling": "AWS is still busy after eight attempts: wait a minute, and run the same command again.",
    }
    remedy = next((text for start, text in remedies.items() if code.startswith(start)), "")
    return f"AWS refused {error.operation_name}: {message} ({code}). {remedy}".rstrip()


def confirm(
    platform: Platform | str, touches: list[str], *, as_json: bool, yes: bool, dry_run: bool = False
) -> bool:
    """Names what a command will change (`reboot rentfix-prod`), and asks. False for a dry run, which has said it all.

    With `as_json` a dry run says it on standard output, too: a command that shows more there leaves it out. Raises
    Refusal where nobody is there to answer.
    """
    typer.echo(f"{platform}:", err=True)
    for each in touches:
        typer.echo(f"  {'would' if dry_run else 'will'} {each}", err=True)
    if dry_run:
        typer.echo("Nothing was done (--dry-run).", err=True)
        if as_json:
            typer.echo(show.as_text({"stack": str(platform), "would": touches}))
        return False
    if yes:
        return True
    if not sys.stdin.isatty():
        raise Refusal("Nobody is there to say yes. Add --yes, if that is what is meant.")
    if not typer.confirm("Go on?", err=True):
        raise Refusal("Nothing was done.")
    return True
