"""Backups that are somewhere else, and at a time when they can run."""

import re
from collections.abc import Iterator

from settings.model import Settings
from settings.model.recovery import Dump
from settings.problems import Problem
from settings.rules._windows import starts_within


def copy_is_elsewhere(settings: Settings) -> Iterator[Problem]:
    if settings.backups.copy_region == settings.region:
        yield Problem(
            path=("backups", "copy_region"),
            rule="must differ from aws:region, or one region's failure takes backups and copies",
            got=settings.region,
            remedy="Choose another region, or leave it out.",
        )


def backups_keep_out_of_rds_own_window(settings: Settings) -> Iterator[Problem]:
    """AWS Backup guide, "Troubleshooting": a job fails in the hour before or during RDS's own backup window.

    Only a schedule at one minute of each day, in UTC, can be told here.
    """
    if settings.database is None:
        return
    at = re.fullmatch(r"cron\((\d+) (\d+) \* \* \? \*\)", settings.backups.schedule)
    if at is None or settings.backups.timezone != "UTC":
        return
    minute = int(at[2]) * 60 + int(at[1])
    window = settings.database.backup_window
    if starts_within(minute, window, before=60):
        yield Problem(
            path=("database", "backup_window"),
            rule=f"must not hold backups.schedule, {settings.backups.schedule}, nor begin within an hour after it",
            got=window,
            remedy="AWS Backup fails there; move the window, point in time recovery does not depend on it.",
        )


_ENDINGS = {"plain": (".sql", ".sql.gz"), "custom": (".dump",)}
_FIELDS = re.compile(r"%(.?)")


def dump_is_named_for_what_it_is(settings: Settings) -> Iterator[Problem]:
    dump = settings.backups.dump
    if dump is None:
        return
    endings = _ENDINGS[dump.format]
    if not dump.file_name.endswith(endings):
        yield Problem(
            path=("backups", "dump", "file_name"),
            rule=f"must end in {' or '.join(endings)} where the format is {dump.format}",
            got=dump.file_name,
            remedy="Whoever restores it sees by the name whether psql or pg_restore reads it.",
        )
    yield from _date_problems(dump)


def _date_problems(dump: Dump) -> Iterator[Problem]:
    fields = _FIELDS.findall(dump.file_name)
    unknown = [field for field in fields if field not in "YmdHMSjy" or not field]
    if unknown:
        yield Problem(
            path=("backups", "dump", "file_name"),
            rule="may hold the fields %Y, %y, %m, %d, %j, %H, %M and %S",
            got=dump.file_name,
            remedy=f"Remove %{unknown[0]}.",
        )
    elif not ({"d", "j"} & set(fields)):
        yield Problem(
            path=("backups", "dump", "file_name"),
            rule="must hold the day, or each dump takes the place of the one before",
            got=dump.file_name,
            remedy="Write it like acme_%Y%m%d.sql.gz.",
        )


def folders_are_apart(settings: Settings) -> Iterator[Problem]:
    """Two rules that both expire the same objects: the shorter one would win."""
    dump, prefixes = settings.backups.dump, list(settings.backups.prefixes)
    taken = [dump.prefix] if dump else []
    for prefix in prefixes:
        for other in [*taken, *(each for each in prefixes if each != prefix)]:
            if prefix.startswith(other):
                yield Problem(
                    path=("backups", "prefixes", prefix),
                    rule=f"lies in {other}, which has its own retention",
                    remedy="Choose a folder beside it.",
                )


def verification_can_run(settings: Settings) -> Iterator[Problem]:
    backups, database = settings.backups, settings.database
    if backups.dump is not None and database is None:
        yield Problem(
            path=("backups", "dump"),
            rule="has nothing to dump: the stack has no database of its own",
            remedy="Remove it; whoever runs the database backs it up.",
        )
    if backups.verify is None:
        return
    if backups.dump is None:
        yield Problem(
            path=("backups", "verify"),
            rule="reads back the dump, and there is none",
            remedy="Add backups.dump, or remove it; restore_test proves the backups of AWS.",
        )
    if backups.verify_query is None:
        yield Problem(
            path=("backups", "verify_query"),
            rule="is missing, and backups.verify asks it of the restored database",
            remedy="Write one that counts, such as SELECT COUNT(*) FROM users.",
        )
    if database is not None and backups.verify.database in (database.name, "postgres", "rdsadmin"):
        yield Problem(
            path=("backups", "verify", "database"),
            rule="is made for the proof and dropped after it, so it must be none that is in use",
            got=backups.verify.database,
            remedy=f"Set it to {database.name}_verify.",
        )


def reminder_is_sent(settings: Settings) -> Iterator[Problem]:
    backups = settings.backups
    if backups.audit_reminder_text is not None and backups.audit_reminder is None:
        yield Problem(
            path=("backups", "audit_reminder_text"),
            rule="is never sent: backups.audit_reminder says when, and is missing",
            remedy="Add backups.audit_reminder, or remove it.",
        )


RULES = (
    copy_is_elsewhere,
    backups_keep_out_of_rds_own_window,
    dump_is_named_for_what_it_is,
    folders_are_apart,
    verification_can_run,
    reminder_is_sent,
)
