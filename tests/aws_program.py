"""A program in the place of AWS's CLI for tests of shell: it asks the emulator, and can be told to die at a call.

A script calls it a dozen times, so what is slow to start is started once: the program itself only hands over what it
was given, and says what a server in this process answers.
"""

import socketserver
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import jmespath
from botocore.exceptions import ClientError

PROGRAM = """#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port}
printf '%s\\n' "$#" "$@" >&3
read -r code <&3
if [ "$code" != 0 ]; then exec >&2; fi
while IFS= read -r line <&3; do printf '%s\\n' "$line"; done
exit "$code"
"""
KILLED = 137


@dataclass
class Aws:
    """`calls` are its arguments, a line each. `dies` is "before" or "after", and words of the call that is meant."""

    client: Any
    dies: str = ""
    calls: list[str] = field(default_factory=list)

    def answer(self, words: Sequence[str]) -> tuple[int, str]:
        """The exit code, and what is written. The client refuses what the API does not have."""
        call = " ".join(words)
        self.calls.append(call)
        when, _, meant = self.dies.partition(" ")
        is_meant = bool(meant) and meant in call
        if is_meant and when == "before":
            return KILLED, ""
        asked = dict(_asked(words[2:]))
        query = asked.pop("Query", "@")
        assert (words[0], asked.pop("Output")) == ("secretsmanager", "text")
        try:
            told = getattr(self.client, words[1].replace("-", "_"))(**asked)
        except ClientError as refused:
            return 254, str(refused)
        found = jmespath.search(query, _plain(told))
        if is_meant:
            return KILLED, ""
        return 0, "\t".join(map(str, found)) if isinstance(found, list) else str(found)


def _asked(words: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Parameters as the API calls them. What is in a file is read there; an option alone is one that is switched on."""
    for index, word in enumerate(words):
        if not word.startswith("--"):
            continue
        name = "".join(part.capitalize() for part in word.removeprefix("--").split("-"))
        given = words[index + 1] if index + 1 < len(words) else "--"
        if given.startswith("--"):
            yield name, True
        elif given.startswith("file://"):
            yield name, Path(given.removeprefix("file://")).read_text(encoding="utf-8")
        elif name == "VersionStages":
            yield name, [given]
        else:
            yield name, int(given) if name == "PasswordLength" else given


def _plain(told: Any) -> Any:
    """Times as the CLI writes them."""
    if isinstance(told, dict):
        return {key: _plain(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_plain(each) for each in told]
    return told.isoformat() if isinstance(told, datetime) else told


@contextmanager
def aws_program(folder: Path, client: Any) -> Generator[Aws]:
    """`aws` in the folder, until the body ends; only calls of the client's service."""
    aws = Aws(client)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            number = int(self.rfile.readline())
            words = [self.rfile.readline().decode().removesuffix("\n") for _ in range(number)]
            code, text = aws.answer(words)
            self.wfile.write(f"{code}\n{text}\n".encode() if text else f"{code}\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        path = folder / "aws"
        path.write_text(PROGRAM.format(port=server.server_address[1]), encoding="utf-8")
        path.chmod(0o755)
        yield aws
        server.shutdown()
