"""Fargate's task sizes."""

import pytest

from components import _fargate
from settings.data.fargate import MEMORY_MIB_BY_CPU


def test_every_pair_of_the_table_is_accepted():
    pairs = [(cpu, memory) for cpu, sizes in _fargate.MEMORY_MIB.items() for memory in sizes]
    assert len(pairs) == 3 + 4 + 7 + 13 + 23 + 12 + 12
    assert [pair for pair in pairs if _fargate.problem(*pair)] == []


@pytest.mark.parametrize(
    ("cpu", "memory_mib", "sentence"),
    [
        (
            1000,
            2048,
            "cpu must be one of 256, 512, 1024, 2048, 4096, 8192, 16384 (1024 is one vCPU), got 1000",
        ),
        (
            256,
            4096,
            "memory_mib must be one of 512, 1024, 2048 for cpu 256, got 4096; 2048 is the nearest",
        ),
        (
            1024,
            1024,
            "memory_mib must be 2048 to 8192 in steps of 1024 for cpu 1024, got 1024; 2048 is the nearest",
        ),
        (
            8192,
            17000,
            "memory_mib must be 16384 to 61440 in steps of 4096 for cpu 8192, got 17000; 16384 is the nearest",
        ),
    ],
)
def test_other_sizes_are_refused_with_what_would_do(cpu, memory_mib, sentence):
    assert _fargate.problem(cpu, memory_mib) == sentence


def test_settings_know_the_same_sizes():
    assert {cpu: tuple(sizes) for cpu, sizes in _fargate.MEMORY_MIB.items()} == MEMORY_MIB_BY_CPU
