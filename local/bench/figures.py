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


@dataclass(frozen=True)
class Cost:
    """One preview by the clock, and the CPU time of all its processes: the same on a busy machine."""

    seconds: float
    cpu_s: float


def clock(costs: Sequence[Cost]) -> list[float]:
    return [cost.seconds for cost in costs]


def cpu(costs: Sequence[Cost]) -> list[float]:
    return [cost.cpu_s for cost in costs]


def cost(costs: Sequence[Cost]) -> str:
    return f"{spread(clock(costs), ' s')}, CPU {median(cpu(costs)):.2f} s"


def component_rows(resources: int, flat: Sequence[Cost], program: Sequence[Cost]) -> list[Row]:
    found = ratios(clock(flat), clock(program))
    return [
        (f"Flat program, {resources} resources", cost(flat), ""),
        ("The program, with its components and settings", cost(program), ""),
        ("  to the flat one", spread(found), goal(median(found), RATIO_GOAL)),
        ("  to the flat one, CPU", spread(ratios(cpu(flat), cpu(program))), ""),
    ]


def policy_rows(
    resources: int,
    program: Sequence[Cost],
    checked: Sequence[Cost],
    empty: Sequence[Cost],
    checked_empty: Sequence[Cost],
) -> list[Row]:
    """An empty program with the pack says what it costs to start it; the rest is what the resources cost."""
    added_s = differences(clock(program), clock(checked))
    start_s = differences(clock(empty), clock(checked_empty))
    by_clock = _each_ms(resources, start_s, added_s)
    by_cpu = _each_ms(
        resources, differences(cpu(empty), cpu(checked_empty)), differences(cpu(program), cpu(checked))
    )
    return [
        ("The policy pack adds", spread(added_s, " s"), ""),
        ("  of that, to start and end it", spread(start_s, " s"), ""),
        ("  and for each resource", spread(by_clock, " ms"), goal(median(by_clock), POLICY_GOAL_MS, " ms")),
        ("  and for each resource, CPU", spread(by_cpu, " ms"), ""),
    ]


def _each_ms(resources: int, start_s: Seconds, added_s: Seconds) -> list[float]:
    return [rest_s / resources * 1000 for rest_s in differences(start_s, added_s)]


@dataclass(frozen=True)
class Size:
    services: int
    resources: int
    seconds: Seconds

    @property
    def per_resource_ms(self) -> list[float]:
        return [took / self.resources * 1000 for took in self.seconds]


def size_rows(sizes: Sequence[Size]) -> list[Row]:
    """From the smallest to the largest; `seconds` has a figure for each round.

    The time per resource falls as the fixed cost of a start is shared by more. The marginal cost, that of each
    resource more than in the size before, hides nothing: it must not grow either.
    """
    marginal_ms = [
        (median(size.seconds) - median(less.seconds)) / (size.resources - less.resources) * 1000
        for less, size in pairwise(sizes)
    ]
    extras = ["", *(f", {each:.1f} ms for each one more" for each in marginal_ms)]
    rows = [
        (
            f"{size.services} service{'s' if size.services > 1 else ''}, {size.resources} resources",
            f"{spread(size.seconds, ' s')}, {median(size.per_resource_ms):.1f} ms per resource{extra}",
            "",
        )
        for size, extra in zip(sizes, extras, strict=True)
    ]
    if len(sizes) > 1:
        whole = ratios(sizes[0].per_resource_ms, sizes[-1].per_resource_ms)
        title = f"  per resource, {sizes[-1].services} services to {sizes[0].services}"
        rows.append((title, spread(whole), goal(median(whole), SIZE_GOAL)))
    if len(sizes) > 2:
        steeper = marginal_ms[-1] / marginal_ms[0]
        rows.append(("  each one more, last step to first", f"{steeper:.2f}", goal(steeper, SIZE_GOAL)))
    return rows


# By what a process's command contains; the language plugin runs the program.
PARTS = {
    "pulumi.policy": "policy pack",
    "local.provider.aws": "aws provider (ours, Python)",
    "local.provider.random": "random provider (ours, Python)",
    "language": "program",
}


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    command: str
    cpu_s: float


def process_rows(processes: Sequence[Process]) -> list[Row]:
    """CPU seconds of the engine's process tree, by what the processes are for; the most first."""
    totals: defaultdict[str, float] = defaultdict(float)
    for process in processes:
        part = next((part for mark, part in PARTS.items() if mark in process.command), "engine")
        totals[part] += process.cpu_s
    ordered = sorted(totals.items(), key=lambda item: -item[1])
    return [(f"CPU of the {part}", f"{took_s:.2f} s", "") for part, took_s in ordered]


# As pstats keeps it: (file, line, function) -> calls, calls without recursion, own, cumulative, callers.
Stats = Mapping[tuple[str, int, str], tuple[int, int, float, float, Mapping[Any, Any]]]


def profile_rows(stats: Stats) -> list[Row]:
    """Shares of the program's time, phase by phase: the profiler makes all of it slower, and about alike."""
    total_s = sum(own for _, _, own, _, _ in stats.values())
    importing_s = _within(stats, "<frozen importlib._bootstrap>", "_find_and_load")
    reading_s = _within(stats, "/settings/loader.py", "from_pulumi")
    body_s = _within(stats, "<frozen runpy>", "run_path")
    waiting_s = _within(stats, "~", "<method 'poll' of 'select.epoll' objects>")
    phases = {
        "importing modules": importing_s,
        "reading settings": reading_s,
        "declaring resources": body_s - importing_s - reading_s,
        "serialising and registering them": total_s - body_s - waiting_s,
        "waiting for engine and providers": waiting_s,
        "(in all that: the SDK polling its outputs)": _within(stats, "/asyncio/tasks.py", "wait"),
        "(in all that: the SDK's debug messages)": _within(stats, "/pulumi/log.py", "debug"),
    }
    return [(f"Program: {phase}", f"{took_s / total_s:.0%}", "") for phase, took_s in phases.items()]


def _within(stats: Stats, file_end: str, function: str) -> float:
    """Seconds in a function and in all that it called."""
    return sum(
        value[3] for (file, _, name), value in stats.items() if file.endswith(file_end) and name == function
    )
