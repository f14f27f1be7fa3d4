"""PostgreSQL: what RDS offers, what fits into the instance, and who may do what in it."""

import re
from collections.abc import Iterator

from settings.data import postgres
from settings.model import Database, Settings
from settings.problems import Path, Problem, nearest
from settings.rules._windows import minutes, overlap

# Of max_connections; the rest is for people, migrations, the dump and RDS itself (RentalFix guide L142 and L608).
CONNECTION_SHARE = 0.8
_MEMORY_UNITS = {"kb": 1024, "mb": 1024**2, "gb": 1024**3}
_MEMORY_PARAMETERS = {
    "shared_buffers": postgres.SHARED_BUFFERS_PAGE_BYTES,
    "effective_cache_size": postgres.SHARED_BUFFERS_PAGE_BYTES,
    "work_mem": 1024,
    "maintenance_work_mem": 1024,
}
_FIXED_PARAMETERS = {"rds.force_ssl": "1"}
_PRELOADED = "pg_stat_statements"
# A proxy may open all that the database has; this much is left to people, migrations, the dump and RDS itself.
MOST_OF_PROXY_PERCENT = 95
CLUSTER_MEMBERS = 3
CLUSTER_LEAST_STORAGE_GIB = 100  # RDS guide, "Settings for creating Multi-AZ DB clusters"


def version_can_be_created(settings: Settings) -> Iterator[Problem]:
    database, path = settings.database, ("database", "engine_version")
    if database is None:
        return
    version = database.engine_version
    if version not in postgres.ENGINE_VERSIONS:
        same_major = [
            known for known in postgres.ENGINE_VERSIONS if known.startswith(f"{postgres.major(version)}.")
        ]
        yield Problem(
            path=path,
            rule="must be a version of PostgreSQL that RDS creates (settings/data/postgres.py)",
            got=version,
            remedy=f"Set it to one of {', '.join(same_major or postgres.ENGINE_VERSIONS[-5:])}.",
        )
    if not postgres.at_least(version, database.minimum_version):
        yield Problem(
            path=path,
            rule=f"must be database.minimum_version {database.minimum_version} or newer",
            got=version,
            remedy=f"Set it to {postgres.ENGINE_VERSIONS[-1]} or another newer one.",
        )


def version_has_the_extensions(settings: Settings) -> Iterator[Problem]:
    if settings.database is None:
        return
    version = settings.database.engine_version
    has = postgres.POSTGIS_BY_MAJOR.get(postgres.major(version))
    for name, minimum in settings.database.extensions.items():
        if name in postgres.POSTGIS_EXTENSIONS and has and not postgres.at_least(has, minimum):
            yield Problem(
                path=("database", "extensions", name),
                rule=f"needs PostGIS {minimum}, and PostgreSQL {version} on RDS is only sure to have {has}",
                remedy="Choose a newer database.engine_version, or lower the version here.",
            )


def classes_exist(settings: Settings) -> Iterator[Problem]:
    database = settings.database
    if database is None:
        return
    known, what = postgres.INSTANCE_CLASSES, "an instance class of RDS for PostgreSQL"
    if database.multi_az_cluster:
        known, what = postgres.CLUSTER_CLASSES, "an instance class that a Multi-AZ DB cluster may have"
    for path, instance_class in _classes(database):
        if instance_class not in known:
            yield Problem(
                path=path,
                rule=f"must be {what} (settings/data/postgres.py)",
                got=instance_class,
                remedy=nearest(instance_class, known),
            )


def storage_can_grow(settings: Settings) -> Iterator[Problem]:
    database = settings.database
    if database is None or database.multi_az_cluster:
        return
    least = -(-database.allocated_storage_gib * 11 // 10)
    if database.max_allocated_storage_gib is None or database.max_allocated_storage_gib < least:
        yield Problem(
            path=("database", "max_allocated_storage_gib"),
            rule=f"must be at least a tenth more than allocated_storage_gib {database.allocated_storage_gib}",
            got=database.max_allocated_storage_gib,
            remedy=f"Set it to {least} or more.",
        )


def cluster_is_one_that_rds_makes(settings: Settings) -> Iterator[Problem]:
    """A Multi-AZ DB cluster is another thing than an instance with a standby, and has other limits."""
    database = settings.database
    if database is None:
        return
    if not database.multi_az_cluster:
        if database.iops is not None:
            yield Problem(
                path=("database", "iops"),
                rule="is for a Multi-AZ DB cluster; an instance's volume is gp3 with what that has",
                got=database.iops,
                remedy="Remove it, or set multi_az_cluster to true.",
            )
        return
    if database.multi_az:
        yield Problem(
            path=("database", "multi_az_cluster"),
            rule="excludes multi_az: the cluster has its standbys already",
            got=True,
            remedy="Set one of the two to false.",
        )
    if database.replicas:
        yield Problem(
            path=("database", "replicas"),
            rule="must be empty with multi_az_cluster, whose standbys answer at ${database.replica_address}",
            remedy="Remove them.",
        )
    if len(settings.network.zones) < CLUSTER_MEMBERS:
        yield Problem(
            path=("network", "zones"),
            rule=f"must be {CLUSTER_MEMBERS} or more for database.multi_az_cluster, which has a member in each",
            got=len(settings.network.zones),
            remedy="Add a zone, or choose multi_az instead.",
        )
    yield from _cluster_storage(settings, database)


def _cluster_storage(settings: Settings, database: Database) -> Iterator[Problem]:
    storage = database.allocated_storage_gib
    if storage < CLUSTER_LEAST_STORAGE_GIB:
        yield Problem(
            path=("database", "allocated_storage_gib"),
            rule=f"must be at least {CLUSTER_LEAST_STORAGE_GIB} for a Multi-AZ DB cluster",
            got=storage,
            remedy=f"Set it to {CLUSTER_LEAST_STORAGE_GIB}.",
        )
    if database.max_allocated_storage_gib is not None:
        yield Problem(
            path=("database", "max_allocated_storage_gib"),
            rule="cannot be given with multi_az_cluster, whose storage does not grow by itself",
            got=database.max_allocated_storage_gib,
            remedy="Remove it, and raise allocated_storage_gib when the alarm says so.",
        )
    if database.iops is not None and not storage <= 2 * database.iops <= 100 * storage:
        yield Problem(
            path=("database", "iops"),
            rule=f"must be half of to 50 times allocated_storage_gib {storage}",
            got=database.iops,
            remedy=f"Set it to {storage * 10}, or leave it out for gp3.",
        )
    if database.backup_retention_days == 0:
        yield Problem(
            path=("database", "backup_retention_days"),
            rule="must be at least 1 for a Multi-AZ DB cluster, which cannot be without backups",
            got=0,
            remedy="Set it to 7.",
        )
    if settings.backups.copy_region is not None:
        yield Problem(
            path=("backups", "copy_region"),
            rule="cannot be given with database.multi_az_cluster: RDS copies no snapshot of such a cluster",
            got=settings.backups.copy_region,
            remedy="Leave it out; the dumps in the bucket are what can be taken elsewhere.",
        )


def replicas_have_backups(settings: Settings) -> Iterator[Problem]:
    database = settings.database
    if database is None:
        return
    if database.replicas and database.backup_retention_days == 0:
        yield Problem(
            path=("database", "backup_retention_days"),
            rule="must be at least 1 where there are replicas, which RDS makes from backups",
            got=0,
            remedy="Set it to 30, or remove the replicas.",
        )


def production_has_backups(settings: Settings) -> Iterator[Problem]:
    database = settings.database
    if database is None or not settings.is_production:
        return
    most = min(settings.backups.retention_days, 35)
    if database.backup_retention_days < most:
        yield Problem(
            path=("database", "backup_retention_days"),
            rule=f"must be at least {most} in production (backups.retention_days, and RDS keeps 35 at most)",
            got=database.backup_retention_days,
            remedy=f"Set it to {most}.",
        )


def identifiers_differ(settings: Settings) -> Iterator[Problem]:
    if settings.database is None:
        return
    taken = {settings.database.identifier}
    for index, replica in enumerate(settings.database.replicas):
        if replica.identifier in taken:
            yield Problem(
                path=("database", "replicas", index, "identifier"),
                rule="must differ from the primary's and the other replicas'",
                got=replica.identifier,
                remedy="Choose another.",
            )
        taken.add(replica.identifier)


def windows_are_apart(settings: Settings) -> Iterator[Problem]:
    database = settings.database
    if database is None:
        return
    for name in ("backup_window", "maintenance_window"):
        window = getattr(database, name)
        if minutes(window) < 30:
            yield Problem(
                path=("database", name),
                rule="must be at least 30 minutes long",
                got=window,
                remedy="Let it end later.",
            )
    if overlap(database.backup_window, database.maintenance_window):
        yield Problem(
            path=("database", "maintenance_window"),
            rule=f"must not overlap backup_window {database.backup_window}",
            got=database.maintenance_window,
            remedy="Move one of the two.",
        )


def parameters_are_in_rds_units(settings: Settings) -> Iterator[Problem]:
    if settings.database is None:
        return
    for name, unit_bytes in _MEMORY_PARAMETERS.items():
        value = settings.database.parameters.get(name, "0")
        if value.isdigit() or value.startswith("{"):
            continue
        unit = "pages of 8 kB" if unit_bytes == postgres.SHARED_BUFFERS_PAGE_BYTES else "kB"
        yield Problem(
            path=("database", "parameters", name),
            rule=f"must be a whole number of {unit}, or a formula in braces",
            got=value,
            remedy=_in_units(value, unit_bytes),
        )
    for name in ("max_connections", "max_prepared_transactions"):
        value = settings.database.parameters.get(name, "0")
        if not value.isdigit() and not value.startswith("{"):
            yield Problem(
                path=("database", "parameters", name),
                rule="must be a whole number, or a formula in braces",
                got=value,
                remedy="Write digits.",
            )


def _in_units(value: str, unit_bytes: int) -> str:
    match = re.fullmatch(r"([0-9]+) ?([kmg]b)", value.strip().lower())
    if not match:
        return "Write digits without a unit."
    return f"Set it to {int(match[1]) * _MEMORY_UNITS[match[2]] // unit_bytes}."


def transport_stays_encrypted(settings: Settings) -> Iterator[Problem]:
    if settings.database is None:
        return
    for name, value in _FIXED_PARAMETERS.items():
        given = settings.database.parameters.get(name, value)
        if given != value:
            yield Problem(
                path=("database", "parameters", name),
                rule=f"must stay {value}: connections are encrypted",
                got=given,
                remedy="Remove it.",
            )


def slow_queries_can_be_found(settings: Settings) -> Iterator[Problem]:
    if settings.database is None:
        return
    given = settings.database.parameters.get("shared_preload_libraries", _PRELOADED)
    if _PRELOADED not in given.replace(" ", "").split(","):
        yield Problem(
            path=("database", "parameters", "shared_preload_libraries"),
            rule=f"must name {_PRELOADED}, which the slow queries are found with",
            got=given,
            remedy=f"Write {_PRELOADED},{given.replace(' ', '')}.",
        )


def shared_buffers_fit(settings: Settings) -> Iterator[Problem]:
    if settings.database is None:
        return
    pages = settings.database.parameters.get("shared_buffers", "")
    if not pages.isdigit():
        return
    gib = int(pages) * postgres.SHARED_BUFFERS_PAGE_BYTES / 1024**3
    for path, instance_class in _classes(settings.database):
        memory_gib = postgres.MEMORY_GIB_BY_CLASS.get(instance_class)
        if memory_gib is not None and gib > memory_gib / 2:
            yield Problem(
                path=path,
                rule=(
                    f"has {memory_gib:g} GiB of memory, too little for shared_buffers {pages} ({gib:g} GiB): "
                    "at most half may be shared buffers, a quarter is usual"
                ),
                got=instance_class,
                remedy=f"Choose a class of {gib * 4:g} GiB, or set shared_buffers to {int(memory_gib * 2**15)}.",
            )


def connections_suffice(settings: Settings) -> Iterator[Problem]:
    """With a proxy the pools may come to more than the database has: their connections are the proxy's.

    It opens max_connections_percent of the database's at most, and whoever finds none free waits for up to two
    minutes. So what has to suffice is that share, for all that run a statement at the same moment.
    """
    database = settings.database
    if database is None or database.has_proxy:
        return
    path: Path = ("database", "parameters", "max_connections")
    most = database.max_connections
    if most is None:
        # RDS's own default: one connection for each 9,531,392 bytes of memory ("Quotas", maximum connections).
        path = ("database", "instance_class")
        most = int(min(postgres.MEMORY_GIB_BY_CLASS[database.instance_class] * 1024**3 / 9531392, 5000))
    wanted, allowed = sum(settings.connections_at_most.values()), int(most * CONNECTION_SHARE)
    if wanted > allowed:
        terms = ", ".join(
            f"{name} {service.max_count} x {service.database.pool_max}"
            for name, service in settings.services.items()
            if service.database
        )
        yield Problem(
            path=path,
            rule=(
                f"is too low: the services may open {wanted} connections ({terms}), "
                f"and {CONNECTION_SHARE:.0%} of {most} are {allowed}"
            ),
            remedy=f"Lower max_count or pool_max, or allow {-(-wanted * 5 // 4)} on a class that bears it.",
        )


def proxy_leaves_some_connections(settings: Settings) -> Iterator[Problem]:
    database = settings.database
    if database is None or database.proxy is None or not database.has_proxy:
        return
    percent = database.proxy.max_connections_percent
    if percent > MOST_OF_PROXY_PERCENT:
        yield Problem(
            path=("database", "proxy", "max_connections_percent"),
            rule=f"must be at most {MOST_OF_PROXY_PERCENT}: people, migrations, the dump and RDS need the rest",
            got=percent,
            remedy="Set it to 90.",
        )
    if not database.roles:
        yield Problem(
            path=("database", "proxy"),
            rule="lets nobody in: it takes the logins of database.roles, and there is none",
            remedy="Give the services a role, or leave the proxy out.",
        )


def dump_is_as_new_as_the_server(settings: Settings) -> Iterator[Problem]:
    """pg_dump refuses a server of a newer major version (PostgreSQL documentation, pg_dump, Notes)."""
    image = settings.operations.postgres_image
    if settings.database is None or image is None:
        return
    tag = re.search(r":(\d+)[^/:@]*(@|$)", image)
    server = postgres.major(settings.database.engine_version)
    if tag and int(tag[1]) < int(server):
        yield Problem(
            path=("operations", "postgres_image"),
            rule=f"must be of PostgreSQL {server} or newer, or pg_dump refuses the server",
            got=image,
            remedy=f"Choose an image of version {server}.",
        )


def roles_are_sound(settings: Settings) -> Iterator[Problem]:
    if settings.database is None:
        return
    for role in settings.database.roles:
        if role == settings.database.username:
            yield Problem(
                path=("database", "roles", role),
                rule="is the master user, and services must not use it",
                remedy="Give the services a role of their own.",
            )
        if role.startswith(("pg_", "rds")):
            yield Problem(
                path=("database", "roles", role),
                rule="must not begin with pg_ or rds, which PostgreSQL and RDS keep for themselves",
                remedy="Rename the role.",
            )


def row_policies_are_sound(settings: Settings) -> Iterator[Problem]:
    if settings.database is None:
        return
    roles = settings.database.roles
    for table, policies in settings.database.row_level_security.items():
        for index, policy in enumerate(policies):
            path: Path = ("database", "row_level_security", table, index)
            for position, role in enumerate(policy.roles):
                if role not in roles:
                    yield Problem(
                        path=(*path, "roles", position),
                        rule="must be a role of database.roles",
                        got=role,
                        remedy=nearest(role, roles),
                    )
            if policy.command == "INSERT" and policy.using is not None:
                yield Problem(
                    path=(*path, "using"),
                    rule="cannot be given for INSERT, which sees no existing row",
                    remedy="Use `check`.",
                )
            if policy.command in ("SELECT", "DELETE") and policy.check is not None:
                yield Problem(
                    path=(*path, "check"),
                    rule=f"cannot be given for {policy.command}, which writes no row",
                    remedy="Use `using`.",
                )
            if policy.using is None and policy.check is None:
                yield Problem(
                    path=path, rule="must say `using` or `check`", remedy='Write "true" to allow every row.'
                )


def _classes(database: Database) -> list[tuple[Path, str]]:
    primary: list[tuple[Path, str]] = [(("database", "instance_class"), database.instance_class)]
    return primary + [
        (("database", "replicas", index, "instance_class"), replica.instance_class)
        for index, replica in enumerate(database.replicas)
    ]


RULES = (
    version_can_be_created,
    version_has_the_extensions,
    classes_exist,
    storage_can_grow,
    cluster_is_one_that_rds_makes,
    replicas_have_backups,
    production_has_backups,
    identifiers_differ,
    windows_are_apart,
    parameters_are_in_rds_units,
    transport_stays_encrypted,
    slow_queries_can_be_found,
    shared_buffers_fit,
    connections_suffice,
    proxy_leaves_some_connections,
    dump_is_as_new_as_the_server,
    roles_are_sound,
    row_policies_are_sound,
)
