"""Backups, and the proof that they can be restored."""

from collections.abc import Mapping
from typing import Annotated, Literal

from settings.model.fields import (
    Matching,
    Model,
    Positive,
    Region,
    Schedule,
    SqlName,
    Text,
    Timezone,
    in_stack,
    in_system,
)

BucketName = Annotated[
    str,
    Matching(
        r"^[a-z0-9]([a-z0-9-]{1,61})[a-z0-9]$",
        "the name of an S3 bucket, 3 to 63 characters without dots",
        "acme-backups",
    ),
]


Folder = Annotated[
    str, Matching(r"^[A-Za-z0-9_-][A-Za-z0-9_/-]*/$", "a folder with its slash at the end", "postgres/")
]


class Dump(Model):
    """The daily logical backup (RentalFix guide L639-647)."""

    schedule: Schedule | None = in_system(
        "When it runs, in backups.timezone; none: with the daily backup, at backups.schedule", default=None
    )
    prefix: Folder = in_system("Folder in the bucket")
    file_name: Annotated[str, Matching(r"^[A-Za-z0-9_.%-]+$", "a file name", "acme_%Y%m%d.sql.gz")] = (
        in_system("Name of a dump; strftime's fields, such as %Y%m%d_%H%M%S, in UTC")
    )
    format: Literal["plain", "custom"] = in_system(
        "plain: SQL for psql (.sql, or .sql.gz compressed); custom: pg_restore's own (.dump)", default="plain"
    )


class Verify(Model):
    """The newest dump read back into a database that is made for it and dropped (FixRx guide L431-454)."""

    schedule: Schedule = in_system("When, in backups.timezone; it loads the database's own server")
    database: SqlName = in_system("The temporary database")
    minimum_rows: Positive = in_system("What backups.verify_query must give at least", default=1)


class Backups(Model):
    """AWS Backup for everything that holds data, and a daily logical dump."""

    schedule: Schedule = in_system("When the daily backup and the dump run")
    timezone: Timezone = in_system("Zone of the schedule")
    retention_days: Positive = in_system(
        "Backups and dumps are kept so long, in days (RentalFix guide L646: 30)"
    )
    dump: Dump | None = in_system("The logical dump; none: AWS Backup only", default=None)
    prefixes: Mapping[Folder, Positive] = in_system(
        "More folders of the bucket, each with the days after which what is put there goes", default={}
    )
    verify_query: Text | None = in_system(
        "SQL that must give a number above zero after a restore (RentalFix guide L657)", default=None
    )
    verify: Verify | None = in_system(
        "Proof that the dump can be read back; none: nobody tries", default=None
    )
    audit_reminder: Schedule | None = in_system(
        "When something is called to mind by e-mail, such as the external audit (RentalFix guide L631)",
        default=None,
    )
    audit_reminder_text: Text | None = in_system(
        "What the e-mail says is due, a sentence; none: that the external penetration test is", default=None
    )
    copy_region: Region | None = in_stack(
        "A second region that gets a copy of each backup; none: no copy", default=None
    )
    lock: bool = in_stack(
        "Nobody can delete a backup before its time, unless they may first lift the lock (governance mode)"
    )
    bucket: BucketName = in_stack("Bucket of the dumps; names are shared by the whole world")
    restore_test: Schedule | None = in_stack(
        "When AWS restores the last backup to prove it; none: never", default=None
    )
