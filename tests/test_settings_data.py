"""The checked-in tables against other people's copies of the same facts."""

import json
from importlib.resources import files

import pytest

from components import _fargate
from settings.data import cloudwatch, elasticache, fargate, postgres

AWS = files("cfnlint.data.schemas.extensions")


def aws_schema(path):
    return json.loads(AWS.joinpath(path).read_text())


def enum(schema, engine):
    """The versions that a schema of if-then branches gives an engine."""
    for branch in schema["allOf"]:
        condition = branch["if"]["properties"]["Engine"].get("const")
        version = branch.get("then", {}).get("properties", {}).get("EngineVersion", {})
        if condition == engine and "enum" in version:
            return set(version["enum"])
    raise AssertionError(f"the schema has no {engine}")


def test_postgres_versions_are_those_that_rds_still_creates():
    existing = enum(aws_schema("aws_rds_dbinstance/engine_version.json"), "postgres")
    deprecated = next(
        set(branch["if"]["properties"]["EngineVersion"]["enum"])
        for branch in aws_schema("aws_rds_dbinstance/engine_version_deprecated.json")["allOf"]
        if branch["if"]["properties"]["Engine"].get("const") == "postgres"
    )
    creatable = {
        version
        for version in existing - deprecated
        if "." in version and postgres.major(version) in postgres.POSTGIS_BY_MAJOR
    }
    assert set(postgres.ENGINE_VERSIONS) == creatable


def test_postgres_classes_are_rdss():
    known = {
        name
        for branch in aws_schema("aws_rds_dbinstance/db_instance_class.json")["allOf"]
        if branch["if"]["properties"]["Engine"].get("const") == "postgres"
        for name in branch["then"]["properties"]["DBInstanceClass"]["enum"]
    }
    assert known >= postgres.INSTANCE_CLASSES


def test_classes_of_clusters_are_those_that_rds_makes_clusters_of():
    known = {
        name
        for branch in aws_schema("aws_rds_dbcluster/dbclusterinstanceclass_enum.json")["us-east-1"]["allOf"]
        if branch["if"]["properties"]["Engine"].get("const") == "postgres"
        for name in branch["then"]["properties"]["DBClusterInstanceClass"]["enum"]
    }
    assert known >= postgres.CLUSTER_CLASSES
    assert set(postgres.MEMORY_GIB_BY_CLASS) == postgres.INSTANCE_CLASSES | postgres.CLUSTER_CLASSES


def test_cache_versions_and_node_types_are_elasticaches():
    schema = aws_schema("aws_elasticache_cachecluster/engine_version.json")
    assert set(elasticache.ENGINE_VERSIONS["valkey"]) == enum(schema, "valkey")
    assert set(elasticache.ENGINE_VERSIONS["redis"]) == {v for v in enum(schema, "redis") if v >= "7"}
    known = aws_schema("aws_elasticache_cachecluster/cachenodetype_enum.json")["us-east-1"]["enum"]
    assert set(elasticache.MEMORY_GIB_BY_NODE_TYPE) <= set(known)


def test_fargate_sizes_are_the_components_too():
    assert {cpu: tuple(sizes) for cpu, sizes in _fargate.MEMORY_MIB.items()} == fargate.MEMORY_MIB_BY_CPU


@pytest.mark.parametrize(("given", "nearest"), [(1000, 2048), (2047, 2048), (2560, 3072), (99999, 8192)])
def test_nearest_fargate_memory(given, nearest):
    assert fargate.nearest_memory_mib(1024, given) == nearest


@pytest.mark.parametrize(
    ("instance_class", "gib"),
    [("db.r6g.large", 16), ("db.r6g.xlarge", 32), ("db.t4g.micro", 1), ("db.m7g.4xlarge", 64)],
)
def test_memory_of_classes(instance_class, gib):
    assert postgres.MEMORY_GIB_BY_CLASS[instance_class] == gib


@pytest.mark.parametrize(
    ("version", "minimum", "is_at_least"),
    [
        ("16.10", "16.9", True),
        ("16.9", "16.10", False),
        ("16.9", "16", True),
        ("14", "14", True),
        ("3.4", "3.4.2", False),
    ],
)
def test_versions_are_compared_part_by_part(version, minimum, is_at_least):
    assert postgres.at_least(version, minimum) is is_at_least


def test_usable_memory_leaves_awss_reserve():
    assert elasticache.usable_memory_gib("cache.t4g.medium") == pytest.approx(3.09 * 0.75)


def test_retention_values_are_in_order():
    assert list(cloudwatch.RETENTION_DAYS) == sorted(set(cloudwatch.RETENTION_DAYS))
