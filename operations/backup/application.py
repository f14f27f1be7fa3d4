"""`groundwork backup app`: what runs, and how it was made: task definitions and Pulumi's state, in the backup bucket.

The images are in ECR, where a tag stays what it was (FixRx guide L412-425 packed the program's folder instead).
"""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import typer

from operations.db.aws_dumps import STAMP
from operations.platform import (
    LOCAL,
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
    opened,
)
from operations.services import fleet
from operations.services.engine import Engine
from operations.waits import carried_out

PREFIX = "application/"
EXPORT_TIMEOUT_S = 120
# Pulumi's mark of a secret in a state (sdk/go/common/resource/sig): beside it stands `ciphertext`, or `plaintext`.
SIGNATURE_KEY, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"


def definitions(platform: Platform) -> dict[str, Any]:
    """What each service runs now and each task would run, in the shape of DescribeTaskDefinition, by name."""
    ecs, outputs = platform.client("ecs"), platform.outputs
    arns = {f"task-{name}": said["taskDefinition"] for name, said in outputs["tasks"].items()}
    if outputs["services"] and not outputs["kubernetes"]["namespace"]:
        services = fleet.choose(platform, None)
        seen = fleet.describe(ecs, services)
        arns |= {each.name: seen[each.name]["taskDefinition"] for each in services}
    return {
        name: ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        for name, arn in sorted(arns.items())
    }


def exported(engine: Engine) -> str:
    """Pulumi's state of the stack. Raises Refusal where Pulumi does not give it, or a secret in it can be read."""
    command = engine.plain("stack", "export")
    try:
        done = subprocess.run(
            command,
            cwd=engine.root,
            env=engine.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=EXPORT_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise Refusal("`pulumi` is not on PATH. Install it and `pulumi login`.") from None
    except subprocess.TimeoutExpired:
        raise Refusal(f"`pulumi stack export` did not answer within {EXPORT_TIMEOUT_S} s.") from None
    if done.returncode:
        raise Refusal(f"`pulumi stack export` ended with {done.returncode}; run it by hand to see why.")
    try:
        state = json.loads(done.stdout)
    except ValueError:
        state = None
    if not isinstance(state, dict) or not isinstance(state.get("deployment"), dict):
        raise Refusal("`pulumi stack export` gave no state.")
    if found := sum(1 for _ in readable(state)):
        raise Refusal(
            f"{found} secrets of Pulumi's state are not encrypted in its export, so it is not copied anywhere. Look at "
            "`secretsprovider` of the stack file."
        )
    return done.stdout


def readable(state: Any) -> Iterator[Any]:
    """The secrets that are not encrypted: whatever has Pulumi's mark of one and no ciphertext."""
    waiting = [state]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            if each.get(SIGNATURE_KEY) == SECRET and (not each.get("ciphertext") or "plaintext" in each):
                yield each
            waiting += each.values()


def app(
    json_output: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    system: SystemOption = SYSTEM,
    stack: StackOption = LOCAL,
    outputs: OutputsOption = None,
) -> None:
    """Copy what describes the application into the backup bucket: running task definitions, and Pulumi's state.

    Beneath `application/`, in a folder with the time. Secrets stay encrypted as they are in the state: an export in
    which one can be read is refused. The bucket's own rules say how long it is kept.

    \b
    Exit code
      0  it is in the bucket
      2  it was not begun, or AWS refused

    \b
    Examples
      groundwork backup app --stack prod
      groundwork backup app --stack prod --yes --json
    """
    with carried_out(as_json=json_output):
        platform = opened(system, stack, outputs)
        bucket = platform.outputs["backups"]["bucket"]
        if not bucket:
            raise Refusal(f"{platform} has no backup bucket. Set backups.bucket in the stack file.")
        folder = f"{PREFIX}{datetime.now(UTC):{STAMP}}"
        files = {
            f"{folder}/task-definitions/{name}.json": json.dumps(said, indent=2, default=str)
            for name, said in definitions(platform).items()
        }
        files[f"{folder}/state.json"] = exported(Engine.of(platform))
        said = [f"put {len(files)} files into s3://{bucket}/{folder}/"]
        if not confirm(platform, said, as_json=json_output, yes=yes, dry_run=dry_run):
            return
        s3 = platform.client("s3")
        for key, text in files.items():
            s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")
        if json_output:
            typer.echo(json.dumps({"bucket": bucket, "keys": sorted(files)}, indent=2))
        else:
            typer.echo(f"s3://{bucket}/{folder}/ has {len(files)} files.")
