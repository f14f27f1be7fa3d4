"""What is known of a dump: how it is written and read, where it lies, and how much room it takes."""

from collections.abc import Sequence

import pulumi

from components import _iam
from components._containers import Container
from components.bucket import Bucket
from components.task import MAX_EPHEMERAL_STORAGE_GIB, MIN_EPHEMERAL_STORAGE_GIB
from settings.model import Settings
from settings.model.recovery import Dump
from wiring.foundation import Foundation

# The data folder of the official image: a volume in its Dockerfile, writable for everybody.
FOLDER = "/var/lib/postgresql/data"
CPU, MEMORY_MIB = 1024, 2048
CLI_USER = "1000"
# By how the dump's name ends. Plain SQL says itself what it takes the place of, so that psql alone can read it back
# into a database that is not empty; pg_restore's own format is told to when it is read.
WRITES = {
    ".sql.gz": "pg_dump --clean --if-exists | gzip",
    ".sql": "pg_dump --clean --if-exists",
    ".dump": "pg_dump --format=custom",
}
# sed, so that what follows only sees statements: a row of a table may begin with the same words. A table without rows
# is left out: PostGIS' own are dumped like that, and RDS lets nobody write to them. A label ends at its line's end.
OUTSIDE_OF_ROWS = " ".join(
    f"-e '{part}'"
    for part in (r"/^COPY .* FROM stdin;$/{", "N", r"/\n\\\.$/d", ":rows", "n", r"/^\\\.$/!b rows", "b", "}")
)


def ending(dump: Dump) -> str:
    return next(ending for ending in WRITES if dump.file_name.endswith(ending))


def disk_gib(settings: Settings, dump: Dump) -> int:
    """A plain dump that is not compressed is as large as what it holds."""
    gib = settings.database.storage_at_most_gib if settings.database is not None else 0
    return min(dump_disk_gib(gib * (4 if ending(dump) == ".sql" else 1)), MAX_EPHEMERAL_STORAGE_GIB)


def dump_disk_gib(database_gib: int) -> int:
    """Room for a compressed dump of a database of that size: a quarter of it, within Fargate's limits.

    Indexes are not dumped, and what is dumped comes to a fraction once it is compressed.
    """
    return min(max(MIN_EPHEMERAL_STORAGE_GIB, database_gib // 4), MAX_EPHEMERAL_STORAGE_GIB)


def fetch(settings: Settings, bucket: Bucket, dump: Dump, *, to: str, or_else: str) -> Container:
    """Brings a dump to the file `to`: the newest, or the one whose key an operator gives as DUMP_KEY.

    `or_else` is what the shell does where none could be had.
    """
    # As text the CLI would ask the query of each page by itself; as JSON of all of them together.
    newest = (
        f'aws s3api list-objects-v2 --region {settings.region} --bucket "$BUCKET" --prefix {dump.prefix} '
        '--output json --query "sort_by(Contents, &LastModified)[-1].Key"'
    )
    return Container(
        name="fetch",
        image=settings.operations.image("aws_cli_image"),
        user=CLI_USER,
        entry_point=["sh", "-c"],
        command=[
            f'key=${{DUMP_KEY:-$({newest})}} && key=${{key#\\"}} && key=${{key%\\"}} && echo "The dump is $key" && '
            f'aws s3 cp --no-progress "s3://$BUCKET/$key" {to} || {or_else}'
        ],
        environment={"BUCKET": bucket.name, "DUMP_KEY": ""},
    )


def read_statements(
    settings: Settings, base: Foundation, bucket: Bucket, dump: Dump
) -> Sequence[_iam.Statement]:
    """What `fetch` may do."""
    return [
        _iam.statement(
            "s3:ListBucket",
            bucket.arn,
            conditions={"StringLike": {"s3:prefix": f"{dump.prefix}*"}},
            sid="FindNewestDump",
        ),
        _iam.statement(
            "s3:GetObject", pulumi.Output.concat(bucket.arn, "/", dump.prefix, "*"), sid="ReadDump"
        ),
        _iam.statement(
            "kms:Decrypt",
            base.keys.arns["storage"],
            conditions={"StringEquals": {"kms:ViaService": f"s3.{settings.region}.amazonaws.com"}},
            sid="DecryptDump",
        ),
    ]
