"""Secrets as files: a container that runs first writes each from its own environment, and the service only reads them.

ECS hands a secret over as a variable and in no other way. The folder is the task's own disk, which Fargate encrypts and
which ends with the task; a tmpfs cannot be shared between containers there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components._containers import Container

NAME = "secret-files"
FOLDER = "/run/secrets"
# A volume in the Dockerfile of PostgreSQL's official image, writable for everybody; elsewhere it would be root's.
WRITABLE_FOLDER = "/var/lib/postgresql/data"


@dataclass(frozen=True, kw_only=True)
class SecretFiles:
    """`files` by name, each with the ARN that its content is read from (ECS `valueFrom`).

    `image` is PostgreSQL's official one: it has a shell, and a folder to write to.
    """

    image: str
    files: Mapping[str, pulumi.Input[str]]


def problems(files: SecretFiles, user: str) -> Iterator[str]:
    """Yield what is wrong with them, a sentence each."""
    if not files.files:
        yield "secret_files names no file: leave it out"
    if not all(part.isdecimal() for part in user.split(":")):
        yield (
            f"secret_files needs a user that is a number, such as 1000, got {user!r}: "
            "the image that writes the files does not know the names of another"
        )


def writer(files: SecretFiles, user: str) -> Container:
    """Runs as the service's user, whom the files belong to and who alone may read them.

    printf is the shell's own, so that no value stands on the command line of a process.
    """
    names = sorted(files.files)
    variables = {name: f"CONTENT_{number}" for number, name in enumerate(names)}
    writes = "; ".join(f'printf %s "${variables[name]}" > {WRITABLE_FOLDER}/{name}' for name in names)
    return Container(
        name=NAME,
        image=files.image,
        user=user,
        entry_point=["sh", "-ec"],
        command=[f"umask 0377; {writes}"],
        secrets={variables[name]: files.files[name] for name in names},
    )


def beside(made: list[dict[str, Any]], writer: dict[str, Any], *, reader: str) -> list[dict[str, Any]]:
    """The definitions of a task whose container `reader` waits for the files and sees them, and cannot change them."""
    mount = {"sourceVolume": NAME, "containerPath": FOLDER, "readOnly": True}
    wait = {"containerName": NAME, "condition": "SUCCESS"}
    return [
        {
            **writer,
            "mountPoints": [{"sourceVolume": NAME, "containerPath": WRITABLE_FOLDER, "readOnly": False}],
        },
        *(
            {
                **each,
                "dependsOn": [*each.get("dependsOn", []), wait],
                "mountPoints": [*each.get("mountPoints", []), mount],
            }
            if each["name"] == reader
            else each
            for each in made
        ),
    ]
