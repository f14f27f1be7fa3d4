"""What a check by the clock has found, and how it is written: for a person, an issue or a program."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Format = Literal["text", "markdown", "json"]


@dataclass(frozen=True)
class Notice:
    """`topic` is what was looked at (backups), `subject` what it is about, `said` a sentence or two with the remedy."""

    topic: str
    subject: str
    said: str


def render(notices: Sequence[Notice], form: Format, *, nothing: str) -> str:
    """`nothing` is the sentence for an empty list."""
    if form == "json":
        return json.dumps([vars(notice) for notice in notices], indent=2)
    if not notices:
        return nothing
    if form == "text":
        return "\n".join(f"{each.topic}: {each.subject}: {each.said}" for each in notices)
    return "\n".join(
        f"- **{each.topic}**: {_escaped(each.subject)}: {_escaped(each.said)}" for each in notices
    )


def _escaped(text: str) -> str:
    """Text from elsewhere as Markdown shows it, whatever is in it: no link, no mention, no second line."""
    plain = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#!" else sign for sign in plain).replace("@", "@\u200b")
