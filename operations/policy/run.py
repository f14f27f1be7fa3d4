"""Judges a stack: an offline preview of it in a process of its own, with the policy pack on."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from operations.policy.catalogue import Rule
from operations.policy.findings import Judgement, Reader
from operations.policy.places import Places
from operations.policy.stacks import Stack


def judge(root: Path, stack: Stack, rules: Mapping[str, Rule]) -> Judgement:
    """Previews the stack from an empty state, without an account. What stops it stands in the judgement's `problem`."""
    began = time.monotonic()
    reader = Reader(stack, rules, Places(root, stack))
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "events.json"
        command = [sys.executable, "-m", "local", "preview", "--system", stack.system, "--stack", stack.name]
        answer = subprocess.run(
            [*command, "--format", "json", "--event-log", str(log)],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
        for event in _events(log):
            reader.add(event)
    problem = _problem(answer, reader)
    return reader.judgement(seconds=time.monotonic() - began, problem=problem)


def _events(log: Path) -> Iterator[dict[str, Any]]:
    """The log's events; an engine that was killed leaves none, or half a line at the end."""
    if not log.exists():
        return
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


def _problem(answer: subprocess.CompletedProcess[str], reader: Reader) -> str:
    """Why the stack was not judged; empty where it was. A preview also fails when a mandatory rule is broken."""
    if reader.is_judged and (not answer.returncode or (reader.is_refused and not reader.errors)):
        return ""
    if reader.errors:
        return "\n".join(reader.errors)
    if answer.returncode:
        return answer.stderr.strip() or f"The preview ended with exit code {answer.returncode}."
    return "The preview ended, and the policy pack was never asked. Is there a folder policies/?"
