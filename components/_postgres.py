"""What a single instance and a Multi-AZ DB cluster of PostgreSQL on RDS have in common."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

PORT = 5432
LOG_EXPORTS = ("postgresql", "upgrade")
PRELOADED = "pg_stat_statements"
# Read only when the server starts: pg_settings.context = 'postmaster' (asked of PostgreSQL 15, and the manual for
# those that later versions added), of those that RDS lets one set, and RDS's own of that kind. RDS refuses to apply
# these at once.
STATIC_PARAMETERS = frozenset(
    {
        "autovacuum_freeze_max_age",
        "autovacuum_max_workers",
        "autovacuum_multixact_freeze_max_age",
        "autovacuum_worker_slots",
        "cron.database_name",
        "huge_pages",
        "io_method",
        "max_connections",
        "max_files_per_process",
        "max_locks_per_transaction",
        "max_logical_replication_workers",
        "max_pred_locks_per_transaction",
        "max_prepared_transactions",
        "max_replication_slots",
        "max_wal_senders",
        "max_worker_processes",
        "old_snapshot_threshold",
        "pg_stat_statements.max",
        "rds.force_ssl",
        "rds.logical_replication",
        "reserved_connections",
        "shared_buffers",
        "shared_preload_libraries",
        "superuser_reserved_connections",
        "track_activity_query_size",
        "track_commit_timestamp",
        "wal_buffers",
        "wal_decode_buffer_size",
    }
)
_IDENTIFIER = re.compile(r"[a-z](?!.*--)[a-z0-9-]{0,61}[a-z0-9]")
_VERSION = re.compile(r"\d+(\.\d+)?")


class Parameter(NamedTuple):
    """One parameter of a parameter group, for an instance or for a cluster."""

    name: str
    value: str
    apply_method: Literal["immediate", "pending-reboot"]


def major(engine_version: str) -> str:
    return engine_version.partition(".")[0]


def name_problems(identifiers: Sequence[str], engine_version: str) -> Iterator[str]:
    for name in identifiers:
        if not _IDENTIFIER.fullmatch(name):
            yield (
                f"identifier {name!r} must be 2 to 63 lower-case letters, digits and single hyphens, begin with "
                "a letter and not end with a hyphen"
            )
    if not _VERSION.fullmatch(engine_version):
        yield f"engine_version must be like 16 or 16.8, got {engine_version!r}"


def parameter_problems(given: Mapping[str, str], slow_query_ms: int) -> Iterator[str]:
    for name, value in _own(slow_query_ms).items():
        if name == "shared_preload_libraries":
            if PRELOADED not in given.get(name, PRELOADED).replace(" ", "").split(","):
                yield f"parameter {name} must name {PRELOADED}, which the slow queries are found with"
        elif given.get(name, value) != value:
            yield f"parameter {name} is set by the component to {value}; leave it out"


def parameters(given: Mapping[str, str], slow_query_ms: int) -> list[Parameter]:
    """A parameter group's: the component's own, and over them those that were given."""
    return [
        Parameter(name, value, "pending-reboot" if name in STATIC_PARAMETERS else "immediate")
        for name, value in sorted({**_own(slow_query_ms), **given}.items())
    ]


def _own(slow_query_ms: int) -> dict[str, str]:
    return {
        "log_connections": "1",
        "log_disconnections": "1",
        "log_lock_waits": "1",
        "log_min_duration_statement": str(slow_query_ms),
        "rds.force_ssl": "1",
        "shared_preload_libraries": PRELOADED,
    }
