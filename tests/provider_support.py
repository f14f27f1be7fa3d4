"""An emulator of one's own on a free port, and the provider's engine in front of it, for the provider's tests."""

import copy
import os
import re
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.provider.cloud import _ENDPOINT_NAMES
from local.provider.engine import Engine
from local.provider.table import RESOURCES
from local.provider.values import reveal

ROOT = Path(__file__).resolve().parent.parent
REGION = "us-east-1"
_REFERENCE = re.compile(r"\{(aws:[A-Za-z0-9/]+:[A-Za-z0-9]+)(?:\.(\w+))?\}")


@contextmanager
def running_emulator(log: Path) -> Generator[str]:
    """The URL of a fresh emulator; it ends with the block."""
    command = [sys.executable, "-m", "local.emulator", "--port", "0", "--log", str(log)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=10)


def endpoints(url: str) -> dict[str, str]:
    services = {entry.service for entry in RESOURCES.values()}
    return {_ENDPOINT_NAMES.get(name, (name.replace("-", ""),))[0]: url for name in services}


def engine_for(url: str, region: str = REGION) -> Engine:
    engine = Engine()
    engine.configure(endpoints(url), region, {})
    return engine


def urn(token: str, name: str, stack: str = "test") -> str:
    return f"urn:pulumi:{stack}::groundwork::{token}::{name}"


@dataclass
class Made:
    """A resource as the pulumi engine would have it in its state."""

    token: str
    urn: str
    id: str
    inputs: dict[str, Any]
    state: dict[str, Any]


@dataclass
class Bench:
    """Makes the table's examples, with the resources they refer to, and takes everything down again."""

    engine: Engine
    stack: str = "test"
    made: list[Made] = field(default_factory=list)

    def example(self, token: str, name: str) -> Made:
        return self.make(token, name, self.filled(RESOURCES[token].example, name, token))

    def make(self, token: str, name: str, inputs: Mapping[str, Any]) -> Made:
        where = urn(token, name, self.stack)
        checked = self.engine.check(where, {}, dict(inputs), os.urandom(8))
        assert checked.problems == [], checked.problems
        resource_id, state = self.engine.create(where, checked.inputs)
        made = Made(token, where, resource_id, checked.inputs, state)
        self.made.append(made)
        return made

    def filled(self, template: Any, name: str, user: str = "") -> Any:
        """The template with each `{type}` or `{type.output}` put in; each use of a type makes one of its own."""
        if isinstance(template, Mapping):
            return {key: self.filled(value, name, f"{user}-{key}") for key, value in template.items()}
        if isinstance(template, list):
            return [self.filled(value, name, f"{user}-{i}") for i, value in enumerate(template)]
        if not isinstance(template, str):
            return copy.copy(template)
        whole = _REFERENCE.fullmatch(template)
        if whole:
            return self._value(*whole.groups(), name)
        return _REFERENCE.sub(lambda found: str(self._value(*found.groups(), name)), template)

    def _value(self, token: str, output: str | None, name: str) -> Any:
        known = next(
            (made for made in self.made if made.token == token and made.urn.endswith(f"::{name}")), None
        )
        made = known or self.example(token, name)
        return made.id if output is None else reveal(made.state[output])

    def delete(self, made: Made) -> None:
        self.engine.delete(made.urn, made.id, made.inputs, made.state)

    def take_down(self) -> None:
        while self.made:
            self.delete(self.made.pop())
