"""Which CPU and memory pairs Fargate accepts.

AWS, "Task definition parameters for Fargate", task size table for Linux, read 2026-11.
"""

from collections.abc import Mapping

MEMORY_MIB: Mapping[int, range | tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}


def problem(cpu: int, memory_mib: int) -> str | None:
    """Return why Fargate has no such task size (CPU units, MiB), or None when it has."""
    sizes = MEMORY_MIB.get(cpu)
    if sizes is None:
        return f"cpu must be one of {', '.join(map(str, MEMORY_MIB))} (1024 is one vCPU), got {cpu}"
    if memory_mib in sizes:
        return None
    return (
        f"memory_mib must be {_wording(sizes)} for cpu {cpu}, got {memory_mib}; "
        f"{min(sizes, key=lambda size: abs(size - memory_mib))} is the nearest"
    )


def _wording(sizes: range | tuple[int, ...]) -> str:
    if isinstance(sizes, range):
        return f"{sizes[0]} to {sizes[-1]} in steps of {sizes.step}"
    return "one of " + ", ".join(map(str, sizes))
