"""Markdown that says what it is given, whatever stands in it, and that stays below a limit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

# Of one cell or sentence, in characters.
LONGEST = 300

# An underscore inside a word is no markup.
_SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)")


def _line(value: str, longest: int = LONGEST) -> str:
    text = " ".join(value.split())
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def plain(value: str) -> str:
    """Text as text: no markup, no HTML, nobody mentioned, no issue linked."""
    return _escaped(_line(value))


def _escaped(text: str) -> str:
    escaped = _SPECIAL.sub(r"\\\g<0>", text)
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "&#64;"), ("#", "&#35;")):
        # In this order, or the ampersands of the entities would be escaped again.
        escaped = escaped.replace(sign, entity) if sign != "#" else re.sub(r"(?<!&)#", entity, escaped)
    return escaped


def code(value: str, longest: int = LONGEST) -> str:
    """A name in a code span, where nothing else is markup; it may stand in a table."""
    text = _line(value, longest).replace("`", "'").replace("|", "\\|")
    return f"`{text or ' '}`"


def spans(value: str) -> str:
    """A sentence of ours with names between backticks in it."""
    parts = " ".join(value.split()).split("`")
    return "".join(code(part) if index % 2 else _escaped(part) for index, part in enumerate(parts))


@dataclass
class Table:
    """Rows with the most important first: when room is short, the last ones go, and their number is said."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    shown: int = field(init=False)

    def __post_init__(self) -> None:
        self.shown = len(self.rows)

    def render(self, rest: str) -> str:
        if not self.rows:
            return ""
        lines = [f"| {' | '.join(self.head)} |", f"|{' --- |' * len(self.head)}"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows[: self.shown]]
        left = len(self.rows) - self.shown
        if left:
            lines += ["", f"... and {left} more, {rest}."]
        return "\n".join(lines)


@dataclass
class Section:
    """A part that is folded; `blocks` are paragraphs and tables."""

    title: str
    blocks: Sequence[str | Table]
    is_open: bool = False

    def render(self, rest: str) -> str:
        parts = [block.render(rest) if isinstance(block, Table) else block for block in self.blocks]
        body = "\n\n".join(part for part in parts if part)
        return f"<details{' open' if self.is_open else ''}><summary>{self.title}</summary>\n\n{body}\n\n</details>"


def fit(head: str, sections: Sequence[Section], limit: int, rest: str, drop_first: Sequence[Table]) -> str:
    """The whole text in at most `limit` characters.

    Tables lose their last rows in the order of `drop_first`, the first of them all before the second loses any.
    """

    def render() -> str:
        return "\n\n".join([head, *(section.render(rest) for section in sections)]) + "\n"

    text = render()
    for table in drop_first:
        fewest, most = 0, table.shown
        if len(text) <= limit:
            break
        while fewest < most:  # the most rows with which it fits
            middle = (fewest + most + 1) // 2
            table.shown = middle
            if len(render()) <= limit:
                fewest = middle
            else:
                most = middle - 1
        table.shown = fewest
        text = render()
    return text if len(text) <= limit else f"{text[: limit - 4]}...\n"
