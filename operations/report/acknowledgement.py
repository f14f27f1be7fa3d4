"""The lines of a pull request by which somebody takes responsibility for a loss.

    groundwork: replace database
    groundwork: destroy urn:pulumi:prod::groundwork::groundwork:storage:Bucket$aws:s3/bucket:Bucket::uploads

A line may be an item of a list. What stands in a quotation, in a block of code or in an HTML comment was not said by
the author (templates explain the line there), and a box that is not ticked was not either.
"""

import re
from dataclasses import dataclass
from typing import Literal

Verb = Literal["replace", "destroy"]

_COMMENT = re.compile(r"<!--.*?(-->|\Z)", re.DOTALL)
_FENCE = re.compile(r"^\s{0,3}(```|~~~).*?(^\s{0,3}\1|\Z)", re.DOTALL | re.MULTILINE)
_LINE = re.compile(
    r"^\s{0,3}(?:[-*+]\s+)?(?:\[[xX]\]\s+)?`?groundwork:\s*(?P<verb>replace|destroy)\s+(?P<name>[^`\n]+?)`?\s*$",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Acknowledgement:
    verb: Verb
    name: str  # a URN, or a resource's name

    @property
    def stack(self) -> str | None:
        """The stack that a URN is of; a name is of every stack."""
        return self.name.split("::")[0].rpartition(":")[2] if self.name.startswith("urn:pulumi:") else None

    def names(self, urn: str) -> bool:
        return self.name == (urn if self.stack is not None else urn.split("::", 3)[-1])


def read(text: str) -> list[Acknowledgement]:
    said = _FENCE.sub("", _COMMENT.sub("", text.replace("\r\n", "\n")))
    found = [
        Acknowledgement("replace" if match["verb"].lower() == "replace" else "destroy", match["name"].strip())
        for match in _LINE.finditer(said)
    ]
    return list(dict.fromkeys(found))
