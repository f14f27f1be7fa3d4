"""What the Kubernetes target knows without asking anybody.

Versions: those whose published schemas the package `kubernetes-validate` carries, so that every manifest can be
checked before it is applied; from 1.30 on a pod can wait before it stops without a shell in its image. Instance
families: Amazon EKS user guide, "Assign security groups to individual Pods", read 2026-11-25.
"""

VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")

# No instance of these families has branch network interfaces, so a pod on it cannot have security groups of its own.
FAMILIES_WITHOUT_POD_INTERFACES = ("t2", "t3", "t3a", "t4g")


def millicores(cpu: str) -> int:
    """500m is 500, 2 is 2000."""
    return int(cpu[:-1]) if cpu.endswith("m") else 1000 * int(cpu)


def mebibytes(memory: str) -> int:
    """1Gi is 1024."""
    return int(memory[:-2]) * (1024 if memory.endswith("Gi") else 1)
