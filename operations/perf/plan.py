"""What is asked of a load: its bounds, and what the process with the users is given. Nothing here imports Locust."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from operations.platform import Refusal

# A smoke under load and no stress test: twice and more the 50 users and 5 minutes of the sports nutrition guide
# (L480), and few enough for one process to send and to measure: 200 a second took a quarter of a core, and pages of an
# nginx beside it came in 1 to 2 ms.
MAX_USERS = 200
MAX_DURATION_S = 600
MAX_REQUESTS_PER_S = 200
MAX_THINK_S = 60
MAX_ADDRESSES = 20
# An answer that takes longer is a failure: the balancer itself would wait for 60 s (FixRx guide L212-215).
TIMEOUT_S = 10


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`requests_per_s` is of all users together; `think_s` passes between two requests of one user.

    Header values may be secrets: they go through a pipe, and `repr` leaves them out.
    """

    addresses: Sequence[str]
    users: int
    duration_s: float
    requests_per_s: float
    think_s: float = 0.0
    timeout_s: float = TIMEOUT_S
    ca_file: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def most_per_s(self) -> float:
        """No more are sent in a second, however quickly they are answered."""
        by_thinking = self.users / self.think_s if self.think_s else self.requests_per_s
        return min(self.requests_per_s, by_thinking)

    @property
    def most_requests(self) -> int:
        """Each user may begin before it thinks for the first time, and each address is asked once before."""
        begun = self.users if self.think_s else 1
        return int(self.most_per_s * self.duration_s) + begun + len(self.addresses)

    def check(self) -> None:
        """Raises Refusal with everything that is out of bounds."""
        problems = list(self._problems())
        if problems:
            raise Refusal(" ".join(problems))

    def _problems(self) -> Iterator[str]:
        bounds = {
            "--vus": (self.users, 1, MAX_USERS, "users"),
            "--duration": (self.duration_s, 1, MAX_DURATION_S, "seconds"),
            "--requests-per-s": (self.requests_per_s, 0.01, MAX_REQUESTS_PER_S, "requests a second"),
            "--think-s": (self.think_s, 0, MAX_THINK_S, "seconds"),
        }
        for option, (value, least, most, unit) in bounds.items():
            if not least <= value <= most:
                yield f"{option} must be {least} to {most} {unit}, got {value:g}."
        if len(self.addresses) > MAX_ADDRESSES:
            yield f"{len(self.addresses)} addresses are too many at once: {MAX_ADDRESSES} at most."

    def as_json(self) -> str:
        """One line for the process with the users."""
        return json.dumps(asdict(self))
