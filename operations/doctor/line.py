"""What a check says, and how one that AWS refuses to answer says so."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from operations.platform import Platform, Refusal, said
from operations.status.part import Asked

# Of an answer that nobody can read: its beginning says what it is.
SHOWN = 120


class State(StrEnum):
    well = "well"
    note = "note"  # stops nothing, and is better known before
    wrong = "not"
    unasked = "could not be asked"


@dataclass(frozen=True)
class Line:
    """`figure` is what was found, `source` who says so, `todo` what to do about it."""

    what: str
    state: State
    figure: str = ""
    source: str = ""
    todo: str = ""


def well(what: str, figure: str = "", source: str = "") -> Line:
    return Line(what, State.well, figure, source)


def note(what: str, figure: str, todo: str = "", source: str = "") -> Line:
    return Line(what, State.note, figure, source, todo)


def wrong(what: str, figure: str, todo: str, source: str = "") -> Line:
    return Line(what, State.wrong, figure, source, todo)


def unasked(what: str, figure: str, todo: str = "", source: str = "") -> Line:
    return Line(what, State.unasked, figure, source, todo)


class Account(Asked):
    """An account in which nothing of the stack stands: threads share its clients, and AWS is asked with patience."""

    def _made(self, service: str, region: str) -> Any:
        return Platform.client(self, service, region=region)


def guarded(what: str, check: Callable[[], Iterable[Line]]) -> Iterator[Line]:
    """The check's lines; where AWS does not answer, those that it had by then, and one that says what is missing."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 half a second that `--help` saves

    try:
        yield from check()
    except ClientError as error:
        yield unasked(what, said(error), _grant(error))
    except BotoCoreError as error:
        yield unasked(what, f"{error}", "Look at the credentials and at the network.")
    except Refusal as refusal:
        yield unasked(what, str(refusal))
    except Exception as error:  # an answer that is none; a line must not take the others with it
        yield unasked(what, f"{type(error).__name__}: {str(error)[:SHOWN]}")


def _grant(error: Any) -> str:
    """Which permission is missing: AWS names it, in its own words, in most refusals."""
    told = error.response.get("Error", {})
    code, message = told.get("Code", ""), told.get("Message", "")
    if not re.match(r"AccessDenied|UnauthorizedOperation|AuthorizationError|403", code):
        return ""
    found = re.search(r"perform:? ([\w-]+:\w+)", message)
    return f"The permission is {found[1] if found else 'that of the call ' + error.operation_name}."
