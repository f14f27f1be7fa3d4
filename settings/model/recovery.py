"""Backups, and the proof that they can be restored."""

from typing import Annotated

from settings.model.fields import (
    Matching,
    Model,
    Positive,
    Region,
    Schedule,
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


class Dump(Model):
    """The daily logical backup (RentalFix guide L639-647)."""

    prefix: Annotated[
        str, Matching(r"^[A-Za-z0-9_-][A-Za-z0-9_/-]*/$", "a folder with its slash at the end", "postgres/")
    ] = in_system("Folder in the bucket")
    file_name: Annotated[str, Matching(r"^[A-Za-z0-9_.%-]+$", "a file name", "acme_%Y%m%d.sql.gz")] = (
        in_system("Name of a dump; strftime's fields, such as %Y%m%d, in UTC")
    )


class Backups(Model):
    """AWS Backup for everything that holds data, and a daily logical dump."""

    schedule: Schedule = in_system("When the daily backup and the dump run")
    timezone: Timezone = in_system("Zone of the schedule")
    retention_days: Positive = in_system(
        "Backups and dumps are kept so long, in days (RentalFix guide L646: 30)"
    )
    dump: Dump = in_system("The logical dump")
    verify_query: Text = in_system(
        "SQL that must give a number above zero after a restore (RentalFix guide L657)"
    )
    audit_reminder: Schedule | None = in_system(
        "When the external audit is called to mind (RentalFix guide L631)", default=None
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
