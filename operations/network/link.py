"""One link of the chain that a connection needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 3


@dataclass(frozen=True)
class Link:
    """`is_well` None: nobody could tell. `remedy` is a sentence where it is not well."""

    step: str
    is_well: bool | None
    said: str
    remedy: str = ""

    def row(self) -> dict[str, Any]:
        return {"step": self.step, "is_well": self.is_well, "said": self.said, "remedy": self.remedy}


def shortened(problems: Sequence[str]) -> str:
    rest = len(problems) - SHOWN
    return "; ".join(problems[:SHOWN]) + (f"; and {rest} more like these" if rest > 0 else "")
