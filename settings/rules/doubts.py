"""What is allowed but doubtful: warnings, told with every preview."""

from collections.abc import Iterator

from settings.data import postgres
from settings.model import Settings
from settings.problems import Problem


def queue_may_lose_jobs(settings: Settings) -> Iterator[Problem]:
    for name, queue in settings.queues.items():
        behind = settings.cache_behind(queue.cache)
        policy = settings.caches[behind].parameters.get("maxmemory-policy", "volatile-lru")
        if policy != "noeviction":
            yield Problem(
                path=("caches", queue.cache, "enabled"),
                rule=f"queue {name} lives in cache {behind}, which evicts keys ({policy}) and so may lose jobs",
                remedy=f"Enable a cache with noeviction for it ({queue.cache}).",
            )


def memory_may_run_out(settings: Settings) -> Iterator[Problem]:
    """Every connection may use work_mem, several times over in one query (RentalFix guide L142, L150)."""
    database = settings.database
    if database is None:
        return
    memory_gib = postgres.MEMORY_GIB_BY_CLASS[database.instance_class]
    work_mem_kb, pages = (
        database.parameters.get("work_mem", ""),
        database.parameters.get("shared_buffers", "0"),
    )
    if not work_mem_kb.isdigit() or not pages.isdigit() or database.max_connections is None:
        return
    sorting_gib = int(work_mem_kb) * database.max_connections / 1024**2
    buffers_gib = int(pages) * postgres.SHARED_BUFFERS_PAGE_BYTES / 1024**3
    if sorting_gib + buffers_gib > memory_gib:
        yield Problem(
            path=("database", "parameters", "work_mem"),
            rule=(
                f"work_mem {work_mem_kb} kB on each of {database.max_connections} connections and shared_buffers are "
                f"{sorting_gib + buffers_gib:.1f} GiB, and {database.instance_class} has {memory_gib:g}"
            ),
            remedy="Watch FreeableMemory; lower work_mem if it falls.",
        )


def shared_buffers_are_unusual(settings: Settings) -> Iterator[Problem]:
    database = settings.database
    if database is None:
        return
    pages, memory_gib = (
        database.parameters.get("shared_buffers", ""),
        postgres.MEMORY_GIB_BY_CLASS[database.instance_class],
    )
    share = (
        int(pages) * postgres.SHARED_BUFFERS_PAGE_BYTES / 1024**3 / memory_gib if pages.isdigit() else 0.25
    )
    if not 0.25 <= share <= 0.4:
        yield Problem(
            path=("database", "parameters", "shared_buffers"),
            rule=f"is {share:.0%} of the memory of {database.instance_class}; PostgreSQL advises 25 to 40 %",
            remedy=f"A quarter is {int(memory_gib * 2**15)}.",
        )


def granted_writes_may_be_refused(settings: Settings) -> Iterator[Problem]:
    """Row level security without a policy for a command refuses it, whatever was granted."""
    database = settings.database
    if database is None:
        return
    for table, policies in database.row_level_security.items():
        for role, grants in database.roles.items():
            for privilege in grants.tables.get(table, ()):
                allowed = any(
                    policy.command in ("ALL", privilege) and (not policy.roles or role in policy.roles)
                    for policy in policies
                )
                if privilege in ("SELECT", "INSERT", "UPDATE", "DELETE") and not allowed:
                    yield Problem(
                        path=("database", "row_level_security", table),
                        rule=f"{role} may {privilege}, but no policy of {table} is for that, so every row is refused",
                        remedy="Add a policy for it, or take the privilege away.",
                    )


def broker_may_be_refused(settings: Settings) -> Iterator[Problem]:
    """The guide lists the type for RabbitMQ 3.13; CreateBroker has been seen to refuse it for new brokers."""
    for name, broker in settings.brokers.items():
        if broker.instance_type == "mq.t3.micro":
            yield Problem(
                path=("brokers", name, "instance_type"),
                rule="is refused by Amazon MQ for new RabbitMQ brokers in some regions",
                got=broker.instance_type,
                remedy=(
                    "Set it to mq.m7g.medium, or ask "
                    "`aws mq describe-broker-instance-options --engine-type RABBITMQ`."
                ),
            )


def production_may_stand_still(settings: Settings) -> Iterator[Problem]:
    if not settings.is_production:
        return
    if settings.network.nat_gateways == "single":
        yield Problem(
            path=("network", "nat_gateways"),
            rule="one zone's failure would cut all zones off from the internet",
            got="single",
            remedy="Set it to per_zone.",
        )
    if settings.database and not (settings.database.multi_az or settings.database.multi_az_cluster):
        yield Problem(
            path=("database", "multi_az"),
            rule="the failure of a zone would stop the database for hours",
            got=False,
            remedy="Set it to true.",
        )
    for name, broker in settings.brokers.items():
        if broker.deployment_mode == "SINGLE_INSTANCE":
            yield Problem(
                path=("brokers", name, "deployment_mode"),
                rule="the failure of a zone, or a patch, would stop the broker",
                got=broker.deployment_mode,
                remedy="Set it to CLUSTER_MULTI_AZ.",
            )
    if settings.backups.copy_region is None:
        yield Problem(
            path=("backups", "copy_region"),
            rule="no backup would outlive the region",
            remedy="Name a second region.",
            file="stack",
        )
    if settings.backups.restore_test is None:
        yield Problem(
            path=("backups", "restore_test"),
            rule="nothing proves that the backups can be restored",
            remedy="Set it to cron(0 6 ? * SUN *).",
            file="stack",
        )


RULES = (
    queue_may_lose_jobs,
    memory_may_run_out,
    shared_buffers_are_unusual,
    granted_writes_may_be_refused,
    broker_may_be_refused,
    production_may_stand_still,
)
