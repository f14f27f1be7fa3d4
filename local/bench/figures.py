"""From what was measured to the rows of the table: medians, ratios round by round, parts of a profile. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

RATIO_GOAL = 1.25
POLICY_GOAL_MS = 3
SIZE_GOAL = 1.3

# What was measured, how much, and the goal (empty where there is none).
Row = tuple[str, str, str]
Seconds = Sequence[float]


def spread(values: Seconds, unit: str = "") -> str:
    """`4.10 (3.90 to 4.60) s`: the median, and between which values the rounds were."""
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f}){unit}"


def goal(found: float, most: float, unit: str = "") -> str:
    return f"at most {most:g}{unit}: {'met' if found <= most else 'missed'}"


def ratios(first: Seconds, second: Seconds) -> list[float]:
    """`second` to `first`, round by round: what slows the machine for a while slows both halves of a pair."""
    return [after / before for before, after in zip(first, second, strict=True)]


def differences(first: Seconds, second: Seconds) -> list[float]:
    return [after - before for before, after in zip(first, second, strict=True)]


def component_rows(resources: int, flat_s: Seconds, program_s: Seconds) -> list[Row]:
    found = ratios(flat_s, program_s)
    return [
        (f"Flat program, {resources} resources", spread(flat_s, " s"), ""),
        ("The program, with components and settings", spread(program_s, " s"), ""),
        ("  to the flat one", spread(found), goal(median(found), RATIO_GOAL)),
    ]


def policy_rows(
    resources: int, program_s: Seconds, checked_s: Seconds, empty_s: Seconds, checked_empty_s: Seconds
) -> list[Row]:
    """An empty program with the pack says what it costs to start it; the rest is what the resources cost."""
    added_s = differences(program_s, checked_s)
    start_s = differences(empty_s, checked_empty_s)
    per_resource_ms = [second / resources * 1000 for second in differences(start_s, added_s)]
    return [
        ("Policy pack adds", spread(added_s, " s"), ""),
        ("  of that, to start and end it", spread(start_s, " s"), ""),
        (
            "  and for each resource",
            spread(per_resource_ms, " ms"),
            goal(median(per_resource_ms), POLICY_GOAL_MS, " ms"),
        ),
    ]


def size_rows(services: Sequence[int], resources: Sequence[int], seconds: Sequence[Seconds]) -> list[Row]:
    """From the smallest to the largest, of which there must be three: `seconds` has a column of rounds for each.

    The time per resource falls as the fixed cost of a start is shared by more. The marginal cost, that of each
    resource more than in the size before, hides nothing: it must not grow either.
    """
    medians = [median(column) for column in seconds]
    more = list(zip(resources, medians, strict=True))
    marginal_ms = [
        (took - before) / (count - fewer) * 1000 for (fewer, before), (count, took) in pairwise(more)
    ]
    rows = [
        (
            f"{count} service{'s' if count > 1 else ''}, {number} resources",
            f"{spread(column, ' s')}, {median(column) / number * 1000:.1f} ms per resource{extra}",
            "",
        )
        for count, number, column, extra in zip(
            services,
            resources,
            seconds,
            ["", *(f", {each:.1f} ms for each one more" for each in marginal_ms)],
            strict=True,
        )
    ]
    per_resource = [
        [took / number for took in column] for number, column in zip(resources, seconds, strict=True)
    ]
    whole = ratios(per_resource[0], per_resource[-1])
    steeper = marginal_ms[-1] / marginal_ms[0]
    return [
        *rows,
        ("  per resource, last to first", spread(whole), goal(median(whole), SIZE_GOAL)),
        ("  each one more, last to first", f"{steeper:.2f}", goal(steeper, SIZE_GOAL)),
    ]


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    command: str
    cpu_s: float


def process_rows(processes: Sequence[Process]) -> list[Row]:
    """CPU seconds of the engine's process tree, by what the processes are for; the most first."""
    pack_hosts = {process.parent for process in processes if "pulumi.policy" in process.command}
    totals: defaultdict[str, float] = defaultdict(float)
    for process in processes:
        totals[_part(process, pack_hosts)] += process.cpu_s
    return _longest_first(totals, "CPU of the")


def _part(process: Process, pack_hosts: set[int]) -> str:
    if "pulumi.policy" in process.command or process.pid in pack_hosts:
        return "policy pack"
    parts = {
        "local.provider.aws": "aws provider (ours, Python)",
        "local.provider.random": "random provider (ours, Python)",
        "language": "program",
    }
    return next((part for mark, part in parts.items() if mark in process.command), "engine")


# Where the program's own time is spent, by what a file's path contains; the first that fits counts.
PLACES = {
    "/pulumi_aws/": "pulumi_aws and pulumi_random",
    "/pulumi_random/": "pulumi_aws and pulumi_random",
    "/pulumi/": "Pulumi's SDK",
    "/google/": "protobuf and gRPC",
    "/grpc/": "protobuf and gRPC",
    "/pydantic": "settings, with pydantic and yaml",
    "/yaml/": "settings, with pydantic and yaml",
    "/settings/": "settings, with pydantic and yaml",
    "/components/": "components and wiring",
    "/wiring/": "components and wiring",
    "importlib": "finding and loading modules",
    "/asyncio/": "event loop",
    "/site-packages/": "other libraries",
}
WAITING = "waiting for engine and providers"

# As pstats keeps it: (file, line, function) -> calls, calls without recursion, own, cumulative, callers.
Stats = Mapping[tuple[str, int, str], tuple[int, int, float, float, Mapping[Any, Any]]]


def profile_rows(stats: Stats) -> list[Row]:
    """Seconds of the program's thread by part, the most first; a built-in's time is that of its caller."""
    totals: defaultdict[str, float] = defaultdict(float)
    for (file, _, function), (_, _, own, _, callers) in stats.items():
        if "select.epoll" in function or "select.kqueue" in function:
            totals[WAITING] += own
        elif file == "~":
            for (caller, _, _), (_, _, share, _) in callers.items():
                totals[_place(caller)] += share
        else:
            totals[_place(file)] += own
    loading = _cumulative(stats, "<frozen importlib._bootstrap>", "_find_and_load")
    reading = _cumulative(stats, "/settings/loader.py", "from_pulumi")
    return [
        *_longest_first(totals, "Program, profiled:"),
        ("  of all that, importing modules", f"{loading:.2f} s", ""),
        ("  of all that, reading settings", f"{reading:.2f} s", ""),
    ]


def _place(file: str) -> str:
    return next((part for mark, part in PLACES.items() if mark in file), "Python's own library")


def _cumulative(stats: Stats, file_end: str, function: str) -> float:
    """Seconds in a function and in all that it called."""
    return sum(
        value[3] for (file, _, name), value in stats.items() if file.endswith(file_end) and name == function
    )


def _longest_first(totals: Mapping[str, float], title: str) -> list[Row]:
    ordered = sorted(totals.items(), key=lambda item: -item[1])
    return [(f"{title} {part}", f"{took:.2f} s", "") for part, took in ordered]
