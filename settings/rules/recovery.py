"""Backups that are somewhere else, and at a time when they can run."""

import re
from collections.abc import Iterator

from settings.model import Settings
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


RULES = (copy_is_elsewhere, backups_keep_out_of_rds_own_window)
