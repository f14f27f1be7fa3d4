"""A product's SQL, shown without what may be somebody's data: its literals and comments."""

import re

from operations.show import printable

SHOWN_CHARACTERS = 160

# As PostgreSQL's lexer has them. The server cuts long statements off: a literal without its end goes to the last sign.
_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]*)
    | (?P<open>    /\*)
    | (?P<literal> [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
                 | (?:[bBnNxX]|[uU]&)?'(?:[^']|'')*(?:'|\Z)
                 | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
                 | \d[\w.]* | \.\d[\w.]*)
    | "(?:[^"]|"")*(?:"|\Z)    # a quoted name
    | [^\W\d][\w$]*            # a word
    | \$\d+                    # an argument, whose value is elsewhere
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_EDGE_OF_COMMENT = re.compile(r"/\*|\*/")


def masked(statement: str) -> str:
    """On one line; `?` for each literal."""
    shown, position = [], 0
    while found := _TOKEN.match(statement, position):
        position = found.end()
        if found["open"]:
            position = _end_of_comment(statement, position)
        shown.append(" " if found["comment"] or found["open"] else "?" if found["literal"] else found[0])
    return printable(" ".join("".join(shown).split()))


def _end_of_comment(statement: str, position: int) -> int:
    """Comments of this kind nest in SQL."""
    depth = 1
    for edge in _EDGE_OF_COMMENT.finditer(statement, position):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return len(statement)


def brief(statement: str | None) -> str:
    text = masked(statement or "")
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."
