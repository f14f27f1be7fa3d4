"""What the stack would declare: an offline preview from an empty state, in a process of its own, without an account."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from operations.platform import ROOT, Refusal
from operations.policy.stacks import Stack
from operations.report.preview import UNKNOWN, Change, Preview, Unreadable, read

# A minute and a half is the longest that was seen, on two busy cores.
PREVIEW_S = 900


@dataclass(frozen=True)
class Declared:
    preview: Preview

    def all(self, *types: str) -> list[Change]:
        return [change for change in self.preview.changes.values() if change.type in types]

    def text(self, key: str) -> str:
        """A setting of the stack file that is a text."""
        return str(self.preview.config.get(key, ""))

    def setting(self, name: str) -> Any:
        """One that is an object or a list; None where the stack file does not have it."""
        told = self.preview.config.get(f"groundwork:{name}")
        if not isinstance(told, str):
            return told
        try:
            return json.loads(told)
        except ValueError:
            return told

    @property
    def region(self) -> str:
        return self.text("aws:region")

    @property
    def account(self) -> str:
        return self.text("groundwork:account")

    @property
    def environment(self) -> str:
        return self.text("groundwork:environment")

    @property
    def zones(self) -> list[str]:
        return sorted({zone for subnet in self.all(SUBNET) if (zone := given(subnet, "availabilityZone"))})

    def region_of(self, change: Change) -> str:
        return given(change, "region") or self.region

    @property
    def regions(self) -> list[str]:
        """The stack's own first."""
        others = {self.region_of(change) for change in self.preview.changes.values()} - {self.region}
        return [self.region, *sorted(others)]

    def sources(self, change: Change, name: str) -> list[Change]:
        """The resources of which an input is made."""
        changes = self.preview.changes
        return [changes[urn] for urn in change.state.sources(name) if urn in changes]

    def named(self, type_: str, name: str) -> Iterator[tuple[str, str]]:
        """The names that the program gives to resources of a type, each with its region; Pulumi's own are left out."""
        for change in self.all(type_):
            if fixed := given(change, name, own=True):
                yield fixed, self.region_of(change)


SUBNET = "aws:ec2/subnet:Subnet"


def given(change: Change, name: str, *, own: bool = False) -> Any:
    """An input; None where it is not known before the stack stands, and with `own` where Pulumi made it up."""
    inputs = change.state.inputs
    value = inputs.get(name)
    return None if value == UNKNOWN or (own and name in inputs.get("__defaults", ())) else value


def previewed(stack: Stack) -> Declared:
    """Raises Refusal where the engine does not get as far as the stack's resources."""
    command = [sys.executable, "-m", "local", "preview", "--system", stack.system, "--stack", stack.name]
    try:
        answer = subprocess.run(
            [*command, "--format", "json"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PREVIEW_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refusal(
            f"The preview of {stack} did not end within {PREVIEW_S} s. Run `make preview`."
        ) from None
    try:
        preview = read(answer.stdout)
    except Unreadable as problem:
        why = answer.stderr.strip() or f"its output {problem}"
        raise Refusal(f"What {stack} would declare is not known, since its preview failed: {why}") from None
    if not any(change.state.custom for change in preview.changes.values()):
        why = "; ".join(preview.errors) or answer.stderr.strip()
        raise Refusal(f"{stack} would declare nothing, since its preview failed: {why}")
    return Declared(preview)
