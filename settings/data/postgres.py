"""RDS for PostgreSQL: versions that can be created, PostGIS in them, instance classes and their memory.

Versions and classes: the RDS API's answers as CloudFormation's linter publishes them (schema of 2026-10-20,
us-east-1), without the deprecated ones, which RDS keeps running but no longer creates.
"""

ENGINE_VERSIONS: tuple[str, ...] = (
    *(f"14.{minor}" for minor in range(18, 24 + 1)),
    *(f"15.{minor}" for minor in range(13, 19 + 1)),
    *(f"16.{minor}" for minor in range(9, 15 + 1)),
    *(f"17.{minor}" for minor in range(5, 11 + 1)),
    *(f"18.{minor}" for minor in (1, 2, 3, 4, 6)),
)

# The least PostGIS in the versions above. Major 14 had it from minor 12 (3.4.2 observed there); 18.1 has 3.6.0 by
# "Extension versions for Amazon RDS for PostgreSQL", read 2026-11-22. What a server really has is asked after
# its creation: SELECT PostGIS_version().
POSTGIS_BY_MAJOR: dict[str, str] = {"14": "3.4", "15": "3.4", "16": "3.4", "17": "3.4", "18": "3.6"}
POSTGIS_EXTENSIONS = ("postgis", "postgis_raster", "postgis_tiger_geocoder", "postgis_topology")

# EC2's figures for the same families (DescribeInstanceTypes): memory of "large", and each size as a multiple of it.
# Those with disks of their own ("d") are what a Multi-AZ DB cluster is made of (RDS guide, "Multi-AZ DB cluster
# deployments", instance class availability; sizes from the linter's schema as above).
_CLUSTER_LARGE_GIB = {
    **dict.fromkeys(("m5d", "m6gd", "m6id", "m6idn"), 8),
    **dict.fromkeys(("r5d", "r6gd", "r6id", "r6idn"), 16),
    "c6gd": 4,
    "x2iedn": 64,
}
_LARGE_GIB = {
    **dict.fromkeys(("t3", "t4g", "m5", "m6g", "m6i", "m7g", "m7i", "m8g"), 8),
    **dict.fromkeys(("r5", "r6g", "r6i", "r7g", "r7i", "r8g"), 16),
}
_MULTIPLES = {
    "large": 1,
    "xlarge": 2,
    "2xlarge": 4,
    "4xlarge": 8,
    "8xlarge": 16,
    "12xlarge": 24,
    "16xlarge": 32,
}
_BURSTABLE_MULTIPLES = {"micro": 0.125, "small": 0.25, "medium": 0.5, "large": 1, "xlarge": 2, "2xlarge": 4}


def _sizes(family: str) -> dict[str, float]:
    if family.startswith("t"):
        return dict(_BURSTABLE_MULTIPLES)
    if family == "c6gd":
        return {"medium": 0.5, **_MULTIPLES}
    if family in ("m6id", "m6idn", "r6id", "r6idn"):
        return {**_MULTIPLES, "24xlarge": 48, "32xlarge": 64}
    if family in ("m5d", "r5d"):
        return {**_MULTIPLES, "24xlarge": 48}
    if family == "x2iedn":
        return {
            **{size: times for size, times in _MULTIPLES.items() if size not in ("large", "12xlarge")},
            "24xlarge": 48,
            "32xlarge": 64,
        }
    return dict(_MULTIPLES)


def _memory(families: dict[str, int]) -> dict[str, float]:
    return {
        f"db.{family}.{size}": large * multiple
        for family, large in families.items()
        for size, multiple in _sizes(family).items()
    }


INSTANCE_CLASSES = frozenset(_memory(_LARGE_GIB))
CLUSTER_CLASSES = frozenset(_memory(_CLUSTER_LARGE_GIB))
MEMORY_GIB_BY_CLASS: dict[str, float] = {**_memory(_LARGE_GIB), **_memory(_CLUSTER_LARGE_GIB)}

# PostgreSQL's own units (documentation of each parameter): shared_buffers in pages of 8 kB, memory in kB.
SHARED_BUFFERS_PAGE_BYTES = 8 * 1024


def major(engine_version: str) -> str:
    return engine_version.partition(".")[0]


def at_least(version: str, minimum: str) -> bool:
    """Whether a dotted version is the minimum or newer, part by part: 16.10 is newer than 16.9."""
    return [int(part) for part in version.split(".")] >= [int(part) for part in minimum.split(".")]
