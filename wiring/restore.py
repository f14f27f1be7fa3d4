"""The task that reads a dump back into the live database. It never runs by itself, and not without the right word."""

import pulumi

from components._containers import Container
from components.bucket import Bucket
from components.task import Task, TaskArgs
from settings.model import Settings
from settings.model.recovery import Dump
from wiring import dumps
from wiring.foundation import Foundation
from wiring.sql import POSTGRES_USER, STOP_WITH_CLIENT, connection, master_secret_arn
from wiring.stores import Stores

NAME = "restore"
FETCHED = f"{dumps.FOLDER}/restored"
# RDS's master user may not set these, and the extensions are there; an older server does not know the last one.
_LEFT_OUT = "/^(DROP EXTENSION |CREATE EXTENSION |COMMENT ON EXTENSION |SET transaction_timeout )/d"
# So are the schemas that they lie in: PostGIS topology's is dumped with an owner, and nobody may drop it.
_SCHEMAS = "s/^CREATE EXTENSION .* WITH SCHEMA (.*);$/\\1/p"
_LEFT_OUT_SCHEMAS = (
    '"/^(DROP SCHEMA (IF EXISTS )?|CREATE SCHEMA |ALTER SCHEMA |COMMENT ON SCHEMA )($schemas)( .*)?;\\$/d"'
)
_ASKED = (
    '[ "$CONFIRM" = "$PGDATABASE" ] || { echo "CONFIRM must be $PGDATABASE, the database that the dump takes the '
    'place of, got $CONFIRM"; exit 64; }'
)


def build(settings: Settings, base: Foundation, data: Stores, bucket: Bucket, dump: Dump) -> Task:
    """An operator overrides two variables: CONFIRM of the container `prepare`, the database's name, and if it is not
    the newest dump that is wanted, DUMP_KEY of the container `fetch`, a key of the bucket.

    `prepare` is of the image that declares the shared folder as a volume, and so makes it writable for `fetch`.
    """
    master = master_secret_arn(data)
    return Task(
        f"task-{NAME}",
        TaskArgs(
            family=f"{settings.name_prefix}-{NAME}",
            before=[
                Container(
                    name="prepare",
                    image=settings.operations.image("postgres_image"),
                    user=POSTGRES_USER,
                    command=["sh", "-c", _ASKED],
                    environment={**connection(settings, data), "CONFIRM": ""},
                ),
                dumps.fetch(
                    settings,
                    bucket,
                    dump,
                    to=FETCHED,
                    or_else='{ echo "No dump could be fetched: nothing is changed"; exit 1; }',
                ),
            ],
            shared_path=dumps.FOLDER,
            container=Container(
                name=NAME,
                image=settings.operations.image("postgres_image"),
                user=POSTGRES_USER,
                command=["sh", "-ec", script(FETCHED)],
                environment={
                    **connection(settings, data),
                    "PGOPTIONS": STOP_WITH_CLIENT,
                    "VERIFY_QUERY": settings.backups.verify_query or "SELECT 'not counted'",
                },
                secrets={"PGPASSWORD": pulumi.Output.concat(master, ":password::")},
            ),
            cpu=dumps.CPU,
            memory_mib=dumps.MEMORY_MIB,
            ephemeral_storage_gib=dumps.disk_gib(settings, dump),
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/task-{NAME}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[],
            secret_arns=[master],
            secret_key_arns=[base.keys.arns["secrets"]],
            task_statements=dumps.read_statements(settings, base, bucket, dump),
            tags=base.tags,
        ),
    )


def script(fetched: str) -> str:
    """All of the dump or nothing: one transaction, and only after the dump was read to its end once.

    What it is shows in its first bytes, whatever the stack's dumps are now. Tables that came after the dump stay; one
    that refers to an older table keeps it from being replaced, and so everything as it is.
    """
    return (
        "set -o pipefail; "
        f'case "$(head -c 5 {fetched} | tr -d "\\0")" in PGDMP) reads="pg_restore --clean --if-exists -f -" ;; '
        f"*) if gunzip -t < {fetched} 2> /dev/null; then reads='gunzip -c'; else reads=cat; fi ;; esac; "
        f"$reads < {fetched} | tail -n 20 | grep -c 'PostgreSQL database dump complete' > /dev/null || "
        "{ echo 'The dump is not whole: nothing is changed'; exit 1; }; "
        f"schemas=$($reads < {fetched} | sed -nE {dumps.OUTSIDE_OF_ROWS} -e '{_SCHEMAS}' | sort -u | paste -sd '|' -); "
        f"$reads < {fetched} | sed -E {dumps.OUTSIDE_OF_ROWS} -e '{_LEFT_OUT}' -e {_LEFT_OUT_SCHEMAS} | "
        "psql --no-psqlrc --quiet --single-transaction -v ON_ERROR_STOP=1 -f - > /dev/null || "
        "{ echo 'The dump was refused: nothing is changed'; exit 1; }; "
        'rows=$(psql --no-psqlrc -At -v ON_ERROR_STOP=1 -c "$VERIFY_QUERY"); echo "Restored: $rows records found"'
    )
