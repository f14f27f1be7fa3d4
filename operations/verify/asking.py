"""What every check is given."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from operations.platform import Platform
from operations.verify.expected import Expected
from operations.verify.seen import Seen, unasked
from operations.verify.web import Unreachable, Web

LOG_MINUTES = 10


Subject = TypeVar("Subject")


@dataclass(frozen=True)
class Asking:
    """A stack, what is expected of it, and the way there."""

    platform: Platform
    expected: Expected
    web: Web
    log_minutes: int = LOG_MINUTES
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep


def each(
    subjects: Iterable[Subject], name: Callable[[Subject], str], look: Callable[[Subject], Iterator[Seen]]
) -> Iterator[Seen]:
    """All that is seen of each; one that does not answer hides no other."""
    for subject in subjects:
        try:
            yield from look(subject)
        except Unreachable as away:
            yield unasked(name(subject), f"no answer: {away}")
