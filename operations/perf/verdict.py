"""What the figures mean by the thresholds, address by address: a slow one must not hide among quick ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operations.perf.running import Figures
from operations.show import Row


@dataclass(frozen=True)
class Thresholds:
    """What stays below both is well (sports nutrition guide L484-485: 500 ms and 1 %)."""

    p95_ms: float
    error_rate_percent: float


def error_rate_percent(each: Mapping[str, Any]) -> float:
    return sum(each["failures"].values()) / each["requests"] * 100 if each["requests"] else 0.0


def missed(figures: Figures, thresholds: Thresholds) -> list[str]:
    """A sentence for each threshold that an address missed; one that nobody asked has missed as well."""
    return [
        each for address, said in figures.addresses.items() for each in _missed(address, said, thresholds)
    ]


def _missed(address: str, said: Mapping[str, Any], thresholds: Thresholds) -> Iterator[str]:
    if not said["requests"]:
        yield f"{address}: no request came to its turn. Give it more time (--duration)."
        return
    p95, rate = said["p95_ms"], error_rate_percent(said)
    if p95 is not None and p95 >= thresholds.p95_ms:
        yield f"{address}: p95 is {p95:,.1f} ms and must be below {thresholds.p95_ms:g} ms."
    if rate >= thresholds.error_rate_percent:
        kinds = ", ".join(f"{kind}: {number}" for kind, number in said["failures"].items())
        yield (
            f"{address}: {rate:.2f} % failed and less than {thresholds.error_rate_percent:g} % may ({kinds})."
        )


def rows(figures: Figures) -> list[Row]:
    """For a table."""
    return [
        {
            "address": address,
            "requests": said["requests"],
            "per second": said["requests"] / figures.took_s,
            "failed": sum(said["failures"].values()),
            **{name: said[name] for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")},
        }
        for address, said in figures.addresses.items()
    ]


def document(figures: Figures, thresholds: Thresholds, missed_thresholds: list[str]) -> Mapping[str, Any]:
    """For a program. `missed` are sentences."""
    return {
        "ended": figures.ended,
        "took_s": round(figures.took_s, 3),
        "thresholds": {"p95_ms": thresholds.p95_ms, "error_rate_percent": thresholds.error_rate_percent},
        "addresses": [
            {
                "address": address,
                "requests": said["requests"],
                "requests_per_s": round(said["requests"] / figures.took_s, 2),
                "failures": said["failures"],
                "error_rate_percent": round(error_rate_percent(said), 3),
                **{
                    name: None if said[name] is None else round(said[name], 1)
                    for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")
                },
            }
            for address, said in figures.addresses.items()
        ],
        "missed": missed_thresholds,
    }
