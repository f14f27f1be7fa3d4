"""Where the data lives: database, caches, brokers, buckets, and the secrets that open them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pulumi

from components._database_watches import Thresholds
from components.broker import Broker
from components.bucket import Bucket
from components.cache import AUTH_TOKEN_SPECIAL, Cache, CacheArgs
from components.database import Database, DatabaseArgs, MasterPassword, Replica
from components.database_cluster import DatabaseCluster, DatabaseClusterArgs
from components.database_proxy import DatabaseProxy, DatabaseProxyArgs
from components.secret import Generate, GenerateBytes, Secret, SecretArgs
from settings import model, references
from settings.model import Settings
from settings.model.data import Generated, Proxy
from settings.reach import DATABASE, DATABASE_PROXY, cache_group
from wiring import brokers, buckets
from wiring.foundation import Foundation
from wiring.values import Address, Values, of_stores

MASTER_PASSWORD_LENGTH = 48
AUTH_TOKEN_LENGTH = 64
RECOVERY_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class Stores:
    """`role_secrets` by database role; `cache_tokens` by cache, `broker_logins` by broker; `secrets` by their own name.

    `values` is what the references in variables and in secrets' URLs stand for.
    """

    database: Database | DatabaseCluster | None
    proxy: DatabaseProxy | None
    values: Values
    role_secrets: Mapping[str, Secret]
    caches: Mapping[str, Cache]
    cache_tokens: Mapping[str, Secret]
    secrets: Mapping[str, Secret]
    brokers: Mapping[str, Broker]
    broker_logins: Mapping[str, Secret]
    buckets: Mapping[str, Bucket]
    name_reader: Callable[[pulumi.Output[str]], None] | None


def build(settings: Settings, base: Foundation) -> Stores:
    # The slowest of all to come up, and nothing here waits for anything but network and keys.
    wanted = settings.database
    database = _database(settings, base, wanted) if wanted else None
    tokens = {
        name: _secret(
            base,
            f"cache-{name}-token",
            f"cache/{name}",
            f"Auth token of the cache {name}",
            generate=Generate(length=AUTH_TOKEN_LENGTH, special=AUTH_TOKEN_SPECIAL),
        )
        for name in settings.enabled_caches
    }
    role_secrets = {
        role: _secret(
            base,
            f"database-role-{role.replace('_', '-')}",
            f"database/{role}",
            # Without a value: the bootstrap's task makes it, so that it is never in Pulumi's state.
            f"Login of the database role {role}",
        )
        for role in (wanted.roles if wanted else {})
    }
    proxy = (
        _proxy(settings, base, wanted, wanted.proxy, database, role_secrets)
        if wanted and wanted.proxy and wanted.proxy.enabled and database
        else None
    )
    caches = {name: _cache(settings, base, name, tokens[name]) for name in settings.enabled_caches}
    broker_logins = brokers.logins(settings, base)
    made_brokers = brokers.build(settings, base, broker_logins)
    readers: dict[str, pulumi.Output[str]] = {}
    name_reader: Callable[[pulumi.Output[str]], None] | None = None
    if settings.cdn and settings.cdn.enabled:
        readers[settings.cdn.bucket], name_reader = pulumi.deferred_output()
    made_buckets = buckets.build(settings, base, readers=readers)
    values = of_stores(
        settings,
        address=_address(database, proxy) if database else None,
        role_secrets=role_secrets,
        caches=caches,
        cache_tokens=tokens,
        brokers=made_brokers,
        broker_logins=broker_logins,
        buckets=made_buckets,
    )
    return Stores(
        database=database,
        proxy=proxy,
        values=values,
        role_secrets=role_secrets,
        caches=caches,
        cache_tokens=tokens,
        secrets={
            name: _secret(
                base,
                f"secret-{name}",
                name,
                secret.external or f"{'Put together' if secret.url else 'Generated'} for {settings.name}",
                fixed_name=secret.name,
                # What may be made anew must find its name free.
                recovery_window_days=0 if secret.name and not settings.protect else RECOVERY_DAYS,
                generate=_generate(secret.generate),
                value=values.url(secret.url)
                if secret.url and not references.holds_role_password(secret.url)
                else None,
            )
            for name, secret in settings.secrets.items()
        },
        brokers=made_brokers,
        broker_logins=broker_logins,
        buckets=made_buckets,
        name_reader=name_reader,
    )


def _address(database: Database | DatabaseCluster, proxy: DatabaseProxy | None) -> Address:
    """Services write through the proxy where there is one; it leads to the writer only, so readers are asked directly.

    Without a replica the questions of analytics go where the others go.
    """
    write = proxy.address if proxy is not None else database.address
    return Address(write=write, read=[*database.replica_addresses, write][0], port=database.port.apply(str))


def _database(settings: Settings, base: Foundation, wanted: model.Database) -> Database | DatabaseCluster:
    if wanted.multi_az_cluster:
        return _database_cluster(settings, base, wanted)
    return Database(
        "database",
        DatabaseArgs(
            identifier=wanted.identifier,
            engine_version=wanted.engine_version,
            instance_class=wanted.instance_class,
            allocated_storage_gib=wanted.allocated_storage_gib,
            max_allocated_storage_gib=wanted.storage_at_most_gib,
            db_name=wanted.name,
            username=wanted.username,
            parameters={name: str(value) for name, value in wanted.parameters.items()},
            multi_az=wanted.multi_az,
            replicas=[
                Replica(identifier=replica.identifier, instance_class=replica.instance_class)
                for replica in wanted.replicas
            ],
            backup_retention_days=wanted.backup_retention_days,
            backup_window=wanted.backup_window,
            maintenance_window=wanted.maintenance_window,
            subnet_ids=base.network.isolated_subnet_ids,
            security_group_id=base.firewall.group_ids[DATABASE],
            data_key_arn=base.keys.arns["data"],
            secrets_key_arn=base.keys.arns["secrets"],
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            protect=settings.protect,
            master_password=_master_password(base, wanted.username) if wanted.replicas else None,
            event_topic_arn=base.notifications.topic_arns[settings.region]["warning"],
            thresholds=_thresholds(settings),
            tags=base.tags,
        ),
    )


def _thresholds(settings: Settings) -> Thresholds:
    alerts = settings.observability.alerts
    own = {
        "storage_used_percent": alerts.storage_used_percent,
        "connections_percent": alerts.database_connections_percent,
    }
    return Thresholds(
        connections=alerts.database_connections,
        # Only where the product asks for it: replicas and the platform's own tasks have connections, too.
        pooled_connections=sum(settings.connections_at_most.values())
        if alerts.database_connections_percent is not None and settings.connections_at_most
        else None,
        **{key: figure for key, figure in own.items() if figure is not None},
    )


def _database_cluster(settings: Settings, base: Foundation, wanted: model.Database) -> DatabaseCluster:
    return DatabaseCluster(
        "database",
        DatabaseClusterArgs(
            identifier=wanted.identifier,
            engine_version=wanted.engine_version,
            instance_class=wanted.instance_class,
            allocated_storage_gib=wanted.allocated_storage_gib,
            iops=wanted.iops,
            db_name=wanted.name,
            username=wanted.username,
            parameters={name: str(value) for name, value in wanted.parameters.items()},
            backup_retention_days=wanted.backup_retention_days,
            backup_window=wanted.backup_window,
            maintenance_window=wanted.maintenance_window,
            subnet_ids=base.network.isolated_subnet_ids,
            security_group_id=base.firewall.group_ids[DATABASE],
            data_key_arn=base.keys.arns["data"],
            secrets_key_arn=base.keys.arns["secrets"],
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            protect=settings.protect,
            event_topic_arn=base.notifications.topic_arns[settings.region]["warning"],
            thresholds=_thresholds(settings),
            tags=base.tags,
        ),
    )


def _proxy(
    settings: Settings,
    base: Foundation,
    wanted: model.Database,
    share: Proxy,
    database: Database | DatabaseCluster,
    role_secrets: Mapping[str, Secret],
) -> DatabaseProxy:
    return DatabaseProxy(
        "database-proxy",
        DatabaseProxyArgs(
            proxy_name=f"{wanted.identifier}-proxy",
            database_identifier=None if wanted.multi_az_cluster else database.identifier,
            cluster_identifier=database.identifier if wanted.multi_az_cluster else None,
            role_secret_arns={role: secret.arn for role, secret in role_secrets.items()},
            secrets_key_arn=base.keys.arns["secrets"],
            subnet_ids=base.network.isolated_subnet_ids,
            security_group_id=base.firewall.group_ids[DATABASE_PROXY],
            account_id=settings.account,
            region=settings.region,
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            max_connections=wanted.max_connections,
            max_connections_percent=share.max_connections_percent,
            idle_client_timeout_s=share.idle_client_timeout_s,
            tags=base.tags,
        ),
    )


def _master_password(base: Foundation, username: str) -> MasterPassword:
    secret = _secret(
        base,
        "database-master",
        f"database/{username}",
        "Login of the database's master user",
        generate=Generate(length=MASTER_PASSWORD_LENGTH),
        username=username,
    )
    return MasterPassword(value=_generated(secret), secret_arn=secret.arn)


def _cache(settings: Settings, base: Foundation, name: str, token: Secret) -> Cache:
    wanted = settings.caches[name]
    return Cache(
        f"cache-{name}",
        CacheArgs(
            engine=wanted.engine,
            engine_version=wanted.engine_version,
            node_type=wanted.node_type,
            cluster_mode=wanted.cluster_mode,
            shards=wanted.shards,
            replicas_per_shard=wanted.replicas_per_shard,
            replication_group_id=wanted.replication_group_id,
            parameters=wanted.parameters,
            evictions_per_5_minutes=settings.observability.alerts.cache_evictions,
            subnet_ids=base.network.isolated_subnet_ids,
            security_group_id=base.firewall.group_ids[cache_group(name)],
            data_key_arn=base.keys.arns["data"],
            auth_token=_generated(token),
            snapshot_retention_days=wanted.snapshot_retention_days,
            snapshot_window=wanted.snapshot_window,
            maintenance_window=wanted.maintenance_window,
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            log_group_prefix=f"/{base.path}/cache/{name}",
            protect=settings.protect,
            tags=base.tags,
        ),
    )


def _secret(
    base: Foundation,
    name: str,
    path: str,
    description: str,
    *,
    fixed_name: str | None = None,
    generate: Generate | GenerateBytes | None = None,
    value: pulumi.Output[str] | None = None,
    username: str | None = None,
    recovery_window_days: int = RECOVERY_DAYS,
) -> Secret:
    return Secret(
        name,
        SecretArgs(
            name_prefix=f"{base.path}/{path}-",
            kms_key_arn=base.keys.arns["secrets"],
            description=description,
            fixed_name=fixed_name,
            generate=generate,
            value=value,
            username=username,
            recovery_window_days=recovery_window_days,
            tags=base.tags,
        ),
    )


def _generate(wanted: Generated | None) -> Generate | GenerateBytes | None:
    if wanted is None:
        return None
    if wanted.bytes is not None:
        return GenerateBytes(length=wanted.bytes)
    # The settings' rules see to it that there is one of the two.
    return Generate(length=wanted.length or 0)


def _generated(secret: Secret) -> pulumi.Output[str]:
    if secret.value is None:
        raise ValueError("this secret is set by the operator: its value is not known here")
    return secret.value
