"""N23 to N34: PostgreSQL, Redis, RabbitMQ and the files."""

from tests.recorder import Recording
from tests.requirements.nx_monorepo.support import (
    BOOTSTRAP,
    BROKER,
    DATABASE,
    FILES,
    GATEWAY,
    PASSWORD,
    WITH_DATABASE,
    WORKER,
    bounds,
    callers,
    refused,
)
from tests.requirements.production import (
    BUCKET,
    bootstrap_sql,
    cache,
    cache_parameters,
    database,
    database_parameters,
    environment,
    output,
    referred,
    role_password_of,
    statements,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Data stores")


@CHAPTER.row(
    "N23",
    "L207-209, L266",
    "A database `nx_production`",
    "declared",
    components=["database"],
    settings=["database.name"],
)
def name(stack: Recording) -> None:
    assert database(stack)["dbName"] == output(stack, "database", "name") == DATABASE


@CHAPTER.row(
    "N24",
    "L211-212, L267-268",
    "An account `nx_user` with a password",
    "operator",
    note=f"{BOOTSTRAP}; the password is generated, 48 characters",
    commands=["db bootstrap"],
    components=["secret"],
    settings=["database.roles.nx_user", "services.api-gateway.database.role"],
    policies=["app-uses-dedicated-db-user"],
)
def account(stack: Recording) -> None:
    sql = bootstrap_sql(stack)
    assert any(line.startswith("SELECT 'CREATE ROLE \"nx_user\" LOGIN'") for line in sql)
    assert any('ALTER ROLE "nx_user" LOGIN PASSWORD' in line for line in sql)
    role_password_of(stack, "nx_user")


@CHAPTER.row(
    "N25",
    "L214-215",
    "It has all rights on the database",
    "operator",
    note=f"{BOOTSTRAP}; rights on the schema `public` as well, without which it could not make a table since "
    "PostgreSQL 15",
    commands=["db bootstrap", "db check --only grants"],
    settings=["database.roles.nx_user.database", "database.roles.nx_user.schemas"],
)
def grants(stack: Recording) -> None:
    assert [line for line in bootstrap_sql(stack) if line.startswith("GRANT ALL")] == [
        'GRANT ALL ON DATABASE "nx_production" TO "nx_user";',
        'GRANT ALL ON SCHEMA public TO "nx_user";',
    ]


@CHAPTER.row(
    "N26",
    "L217-220",
    "The extensions `uuid-ossp` and `pg_stat_statements`",
    "operator",
    note=f"{BOOTSTRAP}; the library that the second needs is loaded as the database starts",
    commands=["db bootstrap", "db check --only extensions"],
    components=["database"],
    settings=["database.extensions", "database.parameters.shared_preload_libraries"],
)
def extensions(stack: Recording) -> None:
    assert [line for line in bootstrap_sql(stack) if line.startswith("CREATE EXTENSION")] == [
        'CREATE EXTENSION IF NOT EXISTS "uuid-ossp";',
        'CREATE EXTENSION IF NOT EXISTS "pg_stat_statements";',
    ]
    loaded = database_parameters(stack)["shared_preload_libraries"]
    assert loaded == ("pg_stat_statements", "pending-reboot")


@CHAPTER.row(
    "N27",
    "L223-241",
    "Pools of 5 to 20 connections, idle ones closed after 30 s, 2 s to get one",
    "declared",
    note="what all tasks may open at most stays within 80 percent of `max_connections`, or settings refuse it",
    missing="the shared configuration of the guide has the figures in its code: it has to read the `DATABASE_POOL_...` "
    "variables before another figure can be set here",
    settings=[
        *(f"services.{service}.database" for service in WITH_DATABASE),
        "database.parameters.max_connections",
    ],
    policies=["connection-budget"],
)
def pools(stack: Recording) -> None:
    names = ("MIN", "MAX", "IDLE_TIMEOUT_MS", "CONNECTION_TIMEOUT_MS")
    for service in WITH_DATABASE:
        pool = [environment(stack, service)[f"DATABASE_POOL_{part}"] for part in names]
        assert pool == ["5", "20", "30000", "2000"]
    allowed, method = database_parameters(stack)["max_connections"]
    assert (allowed, method) == ("350", "pending-reboot")
    assert sum(bounds(stack, service)[1] * 20 for service in WITH_DATABASE) <= 0.8 * int(allowed)


@CHAPTER.row(
    "N28",
    "L246-249",
    "2 GB of memory for keys; the least recently used make room",
    "declared",
    note="the memory follows from the node type on ElastiCache; settings refuse one that is too small",
    components=["cache"],
    settings=[
        "caches.cache.memory_needed_gib",
        "caches.cache.node_type",
        "caches.cache.parameters.maxmemory-policy",
    ],
)
def cache_memory(stack: Recording) -> None:
    assert cache(stack)["nodeType"] == "cache.t4g.medium"
    assert cache_parameters(stack)["maxmemory-policy"] == "allkeys-lru"
    (too_small,) = refused({"caches": {"cache": {"node_type": "cache.t4g.small"}}})
    assert "memory_needed_gib is 2" in too_small


@CHAPTER.row(
    "N29",
    "L250-252",
    "Snapshots after 15, 5 and 1 minutes, depending on how many keys changed",
    "not met",
    missing="ElastiCache has no `save`; a snapshot a day and a replica in another zone stand in, so up to a day is "
    "lost with both nodes",
    components=["cache"],
    settings=["caches.cache.snapshot_retention_days", "caches.cache.snapshot_window"],
    policies=["cache-snapshots"],
)
def snapshots(stack: Recording) -> None:
    group = cache(stack)
    assert (group["snapshotRetentionLimit"], group["snapshotWindow"]) == (7, "03:00-04:00")
    assert (group["numCacheClusters"], group["automaticFailoverEnabled"]) == (2, True)
    assert group["multiAzEnabled"] is True


@CHAPTER.row(
    "N30",
    "L262-273",
    "A container of PostgreSQL 16 with a volume, port 5432, started again when it stops",
    "declared",
    note="RDS with a standby in another zone instead; the port is open to those of N9",
    components=["database"],
    settings=["database.engine_version", "database.multi_az"],
    policies=["rds-multi-az", "rds-not-public"],
)
def postgres(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["engine"], primary["engineVersion"], primary["port"]) == ("postgres", "16", 5432)
    assert (primary["multiAz"], primary["storageEncrypted"]) == (True, True)
    assert primary["publiclyAccessible"] is False


@CHAPTER.row(
    "N31",
    "L275-283",
    "A container of Redis 7 that asks for a password, with a volume, port 6379",
    "declared",
    note="ElastiCache instead: a generated token of 64 characters, over TLS only; snapshots instead of a volume",
    components=["cache", "secret"],
    policies=["cache-auth-required", "cache-transit-encryption"],
)
def redis(stack: Recording) -> None:
    group = cache(stack)
    assert (group["engine"], group["engineVersion"], group["port"]) == ("redis", "7.1", 6379)
    assert "authToken" in group.secrets
    assert len(group["authToken"]) == 64
    assert (group["transitEncryptionEnabled"], group["transitEncryptionMode"]) == (True, "required")


@CHAPTER.row(
    "N32",
    "L285-296",
    "A container of RabbitMQ 3 with its console, a user from outside, a volume, ports 5672 and 15672",
    "declared",
    note="Amazon MQ 3.13 instead: three nodes in three zones, 5671 with TLS for gateway and worker, the console on 443 "
    "for operators",
    components=["broker", "firewall"],
    settings=[
        "brokers.events.engine_version",
        "brokers.events.deployment_mode",
        "brokers.events.instance_type",
    ],
    policies=["mq-private-encrypted"],
)
def rabbitmq(stack: Recording) -> None:
    broker = stack.one(BROKER, "broker-events")
    assert (broker["engineType"], broker["engineVersion"]) == ("RabbitMQ", "3.13")
    assert (broker["deploymentMode"], broker["hostInstanceType"]) == ("CLUSTER_MULTI_AZ", "mq.m5.large")
    assert (broker["publiclyAccessible"], broker["logs"]) == (False, {"general": True})
    assert [user["username"] for user in broker["users"]] == ["admin"]
    assert stack.one(PASSWORD, "broker-events-login")["length"] >= 16
    assert referred(stack, broker, "subnetIds") == [
        "network-isolated-a",
        "network-isolated-b",
        "network-isolated-c",
    ]
    assert callers(stack, "broker-events") == {(GATEWAY, 5671), (WORKER, 5671), ("operations", 443)}


@CHAPTER.row(
    "N33",
    "L298-310",
    "A container of MinIO with root keys from outside, a volume, ports 9000 and 9001",
    "declared",
    note="a private bucket of S3 with versions, encrypted, to which browsers may upload from the product's site; AWS's "
    "console stands for port 9001",
    components=["bucket"],
    settings=["buckets.files"],
    policies=["s3-block-public", "s3-encrypted", "s3-tls-only"],
)
def storage(stack: Recording) -> None:
    assert stack.one(BUCKET, "bucket-files")["bucket"] == "nx-files-prod"
    versions = stack.one("aws:s3/bucketVersioning:BucketVersioning", "bucket-files-versioning")
    assert versions["versioningConfiguration"] == {"status": "Enabled"}
    kind = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    (rule,) = stack.one(kind, "bucket-files-encryption")["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
    (cors,) = stack.one("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration")["corsRules"]
    assert cors["allowedOrigins"] == ["https://api.yourdomain.com"]
    assert cors["allowedMethods"] == ["GET", "PUT", "POST"]
    assert "FilesWrite" in statements(stack, f"{FILES}-task")


@CHAPTER.row(
    "N34",
    "L312-316",
    "The data of all four outlives its container",
    "declared",
    note="protected, and kept when Pulumi lets go; database and cache leave a last snapshot",
    components=["database", "cache", "broker", "bucket"],
    settings=["protect"],
    policies=["rds-deletion-protection", "data-protected", "no-forced-deletion"],
)
def data_is_kept(stack: Recording) -> None:
    primary, group = database(stack), cache(stack)
    assert (primary["deletionProtection"], primary["skipFinalSnapshot"]) == (True, False)
    assert primary["finalSnapshotIdentifier"] == "nx-primary-final"
    assert group["finalSnapshotIdentifier"] == "nx-monorepo-prod-cache-cache-final"
    broker, bucket = stack.one(BROKER, "broker-events"), stack.one(BUCKET, "bucket-files")
    stores = [primary, group, broker, bucket]
    assert [each.name for each in stores if not (each.protect and each.retain_on_delete)] == []
    assert bucket.get("forceDestroy", False) is False
