"""What a check has seen, and of what."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from operations.verify.asking import Asking


class State(StrEnum):
    WELL = "well"
    FOUND = "found"
    UNASKED = "not asked"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Seen:
    """`subject` is a service or a host. `todo` is a sentence, for what was found.

    UNASKED could not be looked at, NOTHING is declared that could be.
    """

    subject: str
    state: State
    seen: str
    todo: str = ""

    def as_row(self, check: str) -> Mapping[str, Any]:
        return {
            "check": check,
            "subject": self.subject,
            "state": self.state.value,
            "seen": self.seen,
            "todo": self.todo,
        }

    def as_line(self, check: str) -> str:
        marks = {State.WELL: "well ", State.FOUND: "FOUND", State.UNASKED: "?    ", State.NOTHING: "-    "}
        return f"{marks[self.state]} {check:10} {self.subject}: {self.seen}. {self.todo}".rstrip()


Check = Callable[["Asking"], Iterator[Seen]]


def well(subject: str, seen: str) -> Seen:
    return Seen(subject, State.WELL, seen)


def found(subject: str, seen: str, todo: str) -> Seen:
    return Seen(subject, State.FOUND, seen, todo)


def unasked(subject: str, why: str) -> Seen:
    return Seen(subject, State.UNASKED, why.rstrip(".\n"))


def nothing(subject: str, why: str) -> Seen:
    return Seen(subject, State.NOTHING, why)


def judged(subject: str, troubles: list[str], otherwise: str, todo: str) -> Seen:
    """FOUND with all the troubles in one line, or WELL."""
    return found(subject, "; ".join(troubles), todo) if troubles else well(subject, otherwise)
