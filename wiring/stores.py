"""Where the data lives: the database, the caches, and the secrets that open them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.cache import AUTH_TOKEN_SPECIAL, Cache, CacheArgs
from components.database import Database, DatabaseArgs, MasterPassword, Replica
from components.secret import Generate, Secret, SecretArgs
from settings.model import Settings
from settings.reach import DATABASE, cache_group
from wiring.foundation import Foundation

ROLE_PASSWORD_LENGTH = 48
AUTH_TOKEN_LENGTH = 64


@dataclass(frozen=True, kw_only=True)
class Stores:
    """`role_secrets` by database role; `cache_tokens` and `caches` by cache; `secrets` by their own name."""

    database: Database
    role_secrets: Mapping[str, Secret]
    caches: Mapping[str, Cache]
    cache_tokens: Mapping[str, Secret]
    secrets: Mapping[str, Secret]


def build(settings: Settings, base: Foundation) -> Stores:
    # The slowest of all to come up, and nothing here waits for anything but network and keys.
    database = _database(settings, base)
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
    return Stores(
        database=database,
        role_secrets={
            role: _secret(
                base,
                f"database-role-{role.replace('_', '-')}",
                f"database/{role}",
                f"Login of the database role {role}",
                generate=Generate(length=ROLE_PASSWORD_LENGTH),
                username=role,
            )
            for role in settings.database.roles
        },
        caches={name: _cache(settings, base, name, tokens[name]) for name in settings.enabled_caches},
        cache_tokens=tokens,
        secrets={
            name: _secret(
                base,
                f"secret-{name}",
                name,
                secret.external or f"Generated for {settings.name}",
                generate=Generate(length=secret.generate.length) if secret.generate else None,
            )
            for name, secret in settings.secrets.items()
        },
    )


def _database(settings: Settings, base: Foundation) -> Database:
    wanted = settings.database
    return Database(
        "database",
        DatabaseArgs(
            identifier=wanted.identifier,
            engine_version=wanted.engine_version,
            instance_class=wanted.instance_class,
            allocated_storage_gib=wanted.allocated_storage_gib,
            max_allocated_storage_gib=wanted.max_allocated_storage_gib,
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
            master_password=_master_password(settings, base) if wanted.replicas else None,
            event_topic_arn=base.notifications.topic_arns[settings.region]["warning"],
            tags=base.tags,
        ),
    )


def _master_password(settings: Settings, base: Foundation) -> MasterPassword:
    secret = _secret(
        base,
        "database-master",
        f"database/{settings.database.username}",
        "Login of the database's master user",
        generate=Generate(length=ROLE_PASSWORD_LENGTH),
        username=settings.database.username,
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
            parameters=wanted.parameters,
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
    generate: Generate | None = None,
    username: str | None = None,
) -> Secret:
    return Secret(
        name,
        SecretArgs(
            name_prefix=f"{base.path}/{path}-",
            kms_key_arn=base.keys.arns["secrets"],
            description=description,
            generate=generate,
            username=username,
            tags=base.tags,
        ),
    )


def _generated(secret: Secret) -> pulumi.Output[str]:
    if secret.value is None:
        raise ValueError("this secret is set by the operator: its value is not known here")
    return secret.value
