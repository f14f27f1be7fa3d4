"""The logical dumps of a stack, and the way in which one is read back: the stack's own task `restore`.

Its script is read from the task definition, so what is proved here is what would run in earnest.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from operations.db.aws_ask import MARK, PSQL
from operations.platform import Platform, Refusal

TASK = "restore"
FETCH, PREPARE = "fetch", "prepare"  # its other containers
SCRATCH = "groundwork_verify_"
STAMP = "%Y%m%d%H%M%S"
DUMPED = "dumped"
_FILE = re.compile(r"head -c 5 (\S+) ")


@dataclass(frozen=True)
class Dump:
    """`modified` is when it came into the bucket; what is in it is older by as long as pg_dump took."""

    bucket: str
    key: str
    size_bytes: int
    modified: datetime

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def newest_first(platform: Platform) -> list[Dump]:
    """Empty where the stack keeps none. Raises Refusal where it has no bucket for them."""
    said = platform.outputs["backups"]
    bucket, prefix = said["bucket"], said["dumpPrefix"]
    if not bucket or not prefix:
        raise Refusal(f"{platform} makes no dumps. Set backups.dump in the system file.")
    pages = platform.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = [
        Dump(bucket, each["Key"], each["Size"], each["LastModified"])
        for page in pages
        for each in page.get("Contents", [])
        if not each["Key"].endswith("/")
    ]
    return sorted(found, key=lambda dump: (dump.modified, dump.key), reverse=True)


def choose(platform: Platform, key: str | None) -> Dump:
    """The newest, or the one of that key. Raises Refusal with the newest ones where there is no such dump."""
    found = newest_first(platform)
    if not found:
        bucket = platform.outputs["backups"]["bucket"]
        raise Refusal(f"There is no dump in s3://{bucket} yet. `groundwork run dump` makes one.")
    if key is None:
        return found[0]
    wanted = key.removeprefix(f"s3://{found[0].bucket}/")
    for dump in found:
        if dump.key == wanted:
            return dump
    newest = ", ".join(dump.key for dump in found[:3])
    raise Refusal(f"There is no dump {wanted} in s3://{found[0].bucket}. The newest are {newest}.")


def restore_script(platform: Platform) -> str:
    """What the task `restore` runs. Raises Refusal where the stack has none, or it is another one's."""
    tasks = platform.outputs["tasks"]
    if TASK not in tasks:
        raise Refusal(
            f"{platform} has no task {TASK}. Set backups.dump in the system file: the task comes with it."
        )
    arn = tasks[TASK]["taskDefinition"]
    said: Mapping[str, Any] = platform.client("ecs").describe_task_definition(taskDefinition=arn)
    containers: Sequence[Mapping[str, Any]] = said["taskDefinition"]["containerDefinitions"]
    for container in containers:
        if container["name"] == TASK and _FILE.search(script := container["command"][-1]):
            return script
    raise Refusal(f"The task {arn} reads back no dump as Groundwork's does. `pulumi up` puts it right.")


def beside(script: str, fetched: str) -> str:
    """The same script, reading the file `fetched` of this machine."""
    return script.replace(_read_file(script), fetched)


def _read_file(script: str) -> str:
    found = _FILE.search(script)
    if found is None:
        raise Refusal(
            "The script of the task restore is not the one that this command knows. `pulumi up` first."
        )
    return found[1]


def scratch_name(now: datetime) -> str:
    return f"{SCRATCH}{now.astimezone(UTC):{STAMP}}"


def into_new_database(script: str) -> str:
    """`script` after a database $NEW_DATABASE was made, with the schemas and extensions that the dump names.

    The task takes them for granted: in the live database they are there.
    """
    file = _read_file(script)
    return (
        "set -o pipefail; "
        f"""dumped() {{ case "$(head -c 5 {file} | tr -d '\\0')" in PGDMP) pg_restore -f - {file} ;; """
        f"*) gunzip -c {file} 2> /dev/null || cat {file} ;; esac; }}; "
        "named=$(dumped 2> /dev/null | sed -n -e '/^COPY /q' -e '/^CREATE EXTENSION /p' "
        "-e 's/^CREATE SCHEMA /CREATE SCHEMA IF NOT EXISTS /p' || true); "
        'createdb --template=template0 "$NEW_DATABASE"; export PGDATABASE="$NEW_DATABASE"; '
        f"""printf '%s\\n' "$named" | {PSQL} > /dev/null; ({script}); """
        f"""printf '%s\\n' '{MARK}{DUMPED}' "$named"; """
    )


def proof(script: str) -> str:
    """The dump into a database that is gone at the end, whatever happens, and $STATEMENTS asked there.

    Drops first what runs before $OLDEST have left, if nobody is connected to it.
    """
    return (
        """trap 'dropdb --if-exists --force "$NEW_DATABASE"' EXIT; trap 'exit 1' TERM INT; """
        f"""{PSQL} -c "SELECT datname FROM pg_database WHERE datname ~ '^{SCRATCH}[0-9]{{14}}$' """
        """AND datname < '$OLDEST'" | while read -r left; do dropdb --if-exists "$left" || true; """
        """echo "Dropped what an interrupted run had left: $left"; done; """
        f'{into_new_database(script)}printf "%s" "$STATEMENTS" | {PSQL}'
    )
