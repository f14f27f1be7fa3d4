"""What became of the requests to one address."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# A server chooses the words of some failures.
MAX_KINDS = 20


@dataclass
class Tally:
    """What became of one address. `times_ms` are of the requests that were answered well."""

    requests: int = 0
    times_ms: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, time_ms: float, failure: str | None) -> None:
        self.requests += 1
        if failure is None:
            self.times_ms.append(time_ms)
        else:
            known = failure in self.failures or len(self.failures) < MAX_KINDS
            self.failures[failure if known else "others"] += 1

    def figures(self) -> dict[str, Any]:
        times = sorted(self.times_ms)
        return {
            "requests": self.requests,
            "failures": dict(self.failures.most_common()),
            "p50_ms": percentile(times, 50),
            "p95_ms": percentile(times, 95),
            "p99_ms": percentile(times, 99),
            "max_ms": times[-1] if times else None,
        }


def percentile(times: Sequence[float], percent: int) -> float | None:
    """The least of the sorted times that so many percent do not exceed."""
    return times[math.ceil(len(times) * percent / 100) - 1] if times else None
