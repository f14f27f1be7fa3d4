"""The pairs of CPU and memory that Fargate accepts.

Source: Amazon ECS developer guide, "Troubleshoot Amazon ECS task definition invalid CPU or memory errors",
read 2026-11-22. CPU in units (1024 is one vCPU), memory in MiB.
"""

MEMORY_MIB_BY_CPU: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}


def nearest_memory_mib(cpu: int, memory_mib: int) -> int:
    """The accepted memory for this CPU that is nearest; of two equally near ones the larger."""
    return min(MEMORY_MIB_BY_CPU[cpu], key=lambda accepted: (abs(accepted - memory_mib), -accepted))
