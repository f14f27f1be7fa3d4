"""How the data comes back: AWS Backup with restore tests, a daily dump that is read back, what runs by the clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components import _iam, _outcome
from components._containers import Container
from components._watch import Metric, Watch
from components.backups import Backups, BackupsArgs, RestoreTest
from components.bucket import Bucket, BucketArgs
from components.schedule import Reminder, ReminderArgs, ScheduledTask, ScheduledTaskArgs
from components.task import Task, TaskArgs
from settings.model import Settings
from settings.model.recovery import Dump, Verify
from settings.reach import DATABASE, OPERATIONS
from wiring import dumps, restore
from wiring.foundation import Foundation
from wiring.outcomes import of_task, tell
from wiring.sql import POSTGRES_USER, connection, master_secret_arn, sql_task
from wiring.stores import Stores
from wiring.workloads import Workloads

DUMP, VACUUM, VERIFY, AUDIT = "dump", "vacuum", "verify", "audit"
AUDIT_TEXT = "the external penetration test is due."
DUMP_METRIC = "DumpCompleted"
DUMP_OVERDUE_AFTER_HOURS = 26  # a day, and two hours to dump and to upload
VERIFY_PREFIX = "Verify"  # of its metrics: VerifyCompleted, VerifyFailed
# By how the dump's name ends: what turns it into SQL.
_READS = {".sql.gz": "gunzip -c", ".sql": "cat", ".dump": "pg_restore -f -"}
_DROP = 'dropdb --if-exists --force "$VERIFY_DATABASE"'
_NOT_RESTORED = (
    "/^(COMMENT ON EXTENSION |ALTER .* OWNER TO |GRANT |REVOKE |ALTER DEFAULT PRIVILEGES |"
    "SET SESSION AUTHORIZATION |RESET SESSION AUTHORIZATION|SET transaction_timeout )/d"
)


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """`tasks` and `schedules` by name: the dump, its proof and the vacuum, each where the system asks for one;
    `schedules` also has the system's own tasks that run by the clock.

    Without a database there is nothing that AWS Backup holds, and without a dump or another folder no bucket.
    `watches` are this layer's own, beside those of its components.
    """

    backups: Backups | None
    bucket: Bucket | None
    tasks: Mapping[str, Task]
    schedules: Mapping[str, ScheduledTask]
    watches: Sequence[Watch]


def build(settings: Settings, base: Foundation, data: Stores, work: Workloads) -> Recovery:
    wanted, database = settings.backups, settings.database
    bucket = _bucket(settings, base) if wanted.dump or wanted.prefixes else None
    tasks: dict[str, Task] = {}
    schedules: dict[str, ScheduledTask] = {}
    watches: list[Watch] = []
    if database is not None and wanted.dump is not None and bucket is not None:
        tasks[DUMP] = _dump_task(settings, base, data, bucket, wanted.dump)
        schedules[DUMP] = _scheduled(
            settings,
            base,
            work,
            DUMP,
            tasks[DUMP],
            wanted.dump.schedule or wanted.schedule,
            wanted.timezone,
        )
        watches.append(_dump_overdue(base))
        tasks[restore.NAME] = restore.build(settings, base, data, bucket, wanted.dump)
        if wanted.verify is not None:
            tasks[VERIFY] = _verify_task(settings, base, data, work, bucket, wanted.dump, wanted.verify)
            schedules[VERIFY] = _scheduled(
                settings, base, work, VERIFY, tasks[VERIFY], wanted.verify.schedule, wanted.timezone
            )
            proof = of_task(base, VERIFY, VERIFY_PREFIX)
            watches += _outcome.watches(proof, label=VERIFY, schedule=wanted.verify.schedule)
    vacuum = database.vacuum if database is not None else None
    if vacuum is not None:
        statements = " ".join(f"-c 'VACUUM ANALYZE {table}'" for table in vacuum.tables)
        tasks[VACUUM] = sql_task(
            settings, base, data, name=VACUUM, command=f"psql --no-psqlrc -v ON_ERROR_STOP=1 {statements}"
        )
        schedules[VACUUM] = _scheduled(settings, base, work, VACUUM, tasks[VACUUM], vacuum.schedule, "UTC")
    for name, task in settings.tasks.items():
        # A task of a service without an image is not there yet, and comes with it.
        if task.schedule is not None and name in work.tasks:
            schedules[name] = _scheduled(
                settings, base, work, name, work.tasks[name], task.schedule, task.timezone, task.retries
            )
            watches += _outcome.watches(of_task(base, name), label=f"task-{name}", schedule=task.schedule)
    if wanted.audit_reminder is not None:
        _audit_reminder(settings, base, wanted.audit_reminder)
    return Recovery(
        backups=_backups(settings, base, data),
        bucket=bucket,
        tasks=tasks,
        schedules=schedules,
        watches=watches,
    )


def _bucket(settings: Settings, base: Foundation) -> Bucket:
    wanted = settings.backups
    dumps = {wanted.dump.prefix: wanted.retention_days} if wanted.dump else {}
    return Bucket(
        "backups",
        BucketArgs(
            bucket_name=wanted.bucket,
            kms_key_arn=base.keys.arns["storage"],
            expire_days={**dumps, **wanted.prefixes},
            protect=settings.protect,
            tags=base.tags,
        ),
    )


def _backups(settings: Settings, base: Foundation, data: Stores) -> Backups | None:
    wanted, database = settings.backups, settings.database
    if database is None or data.database is None:
        return None
    restore_test = None
    if wanted.restore_test is not None:
        restore_test = RestoreTest(
            schedule=wanted.restore_test,
            database_arn=data.database.arn,
            subnet_group_name=data.database.subnet_group_name,
            security_group_id=base.firewall.group_ids[DATABASE],
            is_cluster=database.multi_az_cluster,
        )
    return Backups(
        "backups",
        BackupsArgs(
            vault_name=settings.name_prefix,
            resource_arns=[data.database.arn],
            schedule=wanted.schedule,
            timezone=wanted.timezone,
            retention_days=wanted.retention_days,
            lock=wanted.lock,
            kms_key_arn=base.keys.arns["data"],
            account_id=settings.account,
            region=settings.region,
            copy_region=wanted.copy_region,
            restore_test=restore_test,
            topic_arn=base.notifications.topic_arns[settings.region]["warning"],
            protect=settings.protect,
            tags=base.tags,
        ),
    )


def _dump_task(settings: Settings, base: Foundation, data: Stores, bucket: Bucket, dump: Dump) -> Task:
    """pg_dump, then an upload of what it wrote: two official images instead of one to build and keep.

    As the master user, who owns the tables: row level security would hide rows from everybody else.
    """
    master = master_secret_arn(data)
    folder_arn = pulumi.Output.concat(bucket.arn, "/", dump.prefix, "*")
    written = f"{dumps.FOLDER}/dump{dumps.ending(dump)}"
    return Task(
        f"task-{DUMP}",
        TaskArgs(
            family=f"{settings.name_prefix}-{DUMP}",
            before=[
                Container(
                    name=DUMP,
                    image=settings.operations.image("postgres_image"),
                    user=POSTGRES_USER,
                    command=["sh", "-ec", f"set -o pipefail; {dumps.WRITES[dumps.ending(dump)]} > {written}"],
                    environment=connection(settings, data),
                    secrets={"PGPASSWORD": pulumi.Output.concat(master, ":password::")},
                )
            ],
            shared_path=dumps.FOLDER,
            container=Container(
                name="upload",
                image=settings.operations.image("aws_cli_image"),
                user=dumps.CLI_USER,
                entry_point=["sh", "-ec"],
                command=[
                    f"aws s3 cp --no-progress {written} "
                    f'"s3://$BUCKET/{dump.prefix}$(date -u +{dump.file_name})"; '
                    f"aws cloudwatch put-metric-data --region {settings.region} "
                    f"--namespace {_dump_namespace(base)} --metric-name {DUMP_METRIC} --value 1 --unit Count"
                ],
                environment={"BUCKET": bucket.name},
            ),
            cpu=dumps.CPU,
            memory_mib=dumps.MEMORY_MIB,
            ephemeral_storage_gib=dumps.disk_gib(settings, dump),
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/task-{DUMP}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[],
            secret_arns=[master],
            secret_key_arns=[base.keys.arns["secrets"]],
            task_statements=[
                _iam.statement(["s3:PutObject", "s3:AbortMultipartUpload"], folder_arn, sid="WriteDump"),
                _iam.statement(
                    ["kms:GenerateDataKey", "kms:Decrypt"],  # an upload in parts reads its own key back
                    base.keys.arns["storage"],
                    conditions={"StringEquals": {"kms:ViaService": f"s3.{settings.region}.amazonaws.com"}},
                    sid="EncryptDump",
                ),
                _iam.statement(
                    "cloudwatch:PutMetricData",
                    "*",
                    conditions={"StringEquals": {"cloudwatch:namespace": _dump_namespace(base)}},
                    sid="TellThatItIsDone",
                ),
            ],
            tags=base.tags,
        ),
    )


def _verify_task(
    settings: Settings,
    base: Foundation,
    data: Stores,
    work: Workloads,
    bucket: Bucket,
    dump: Dump,
    verify: Verify,
) -> Task:
    """The newest dump into a database made for it, the query asked there, and the database dropped.

    The first container has nothing to do but to drop what a killed run left; being of the image that declares the
    shared folder as a volume, it also makes it writable for the second, which fetches. What that one could not fetch,
    the third misses: so one exit code says all.
    """
    master = master_secret_arn(data)
    login = {"PGPASSWORD": pulumi.Output.concat(master, ":password::")}
    settings_of_psql = {**connection(settings, data), "VERIFY_DATABASE": verify.database}
    told = tell(settings, base, work.cluster, task=VERIFY, working="restore", prefix=VERIFY_PREFIX)
    fetched = f"{dumps.FOLDER}/newest{dumps.ending(dump)}"
    return Task(
        f"task-{VERIFY}",
        TaskArgs(
            family=f"{settings.name_prefix}-{VERIFY}",
            before=[
                Container(
                    name="prepare",
                    image=settings.operations.image("postgres_image"),
                    user=POSTGRES_USER,
                    command=["sh", "-c", f"{_DROP} || true"],
                    environment=settings_of_psql,
                    secrets=login,
                ),
                dumps.fetch(settings, bucket, dump, to=fetched, or_else='echo "No dump could be fetched"'),
            ],
            shared_path=dumps.FOLDER,
            container=Container(
                name="restore",
                image=settings.operations.image("postgres_image"),
                user=POSTGRES_USER,
                command=["sh", "-ec", verify_script(fetched)],
                environment={
                    **settings_of_psql,
                    "VERIFY_QUERY": settings.backups.verify_query or "",
                    "MINIMUM_ROWS": str(verify.minimum_rows),
                },
                secrets=login,
            ),
            report=told.report,
            cpu=dumps.CPU,
            memory_mib=dumps.MEMORY_MIB,
            ephemeral_storage_gib=dumps.disk_gib(settings, dump),
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/task-{VERIFY}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[],
            secret_arns=[master],
            secret_key_arns=[base.keys.arns["secrets"]],
            task_statements=[
                *dumps.read_statements(settings, base, bucket, dump),
                *told.statements,
            ],
            tags=base.tags,
        ),
    )


def verify_script(fetched: str) -> str:
    """Owners, privileges and comments on extensions are left out: RDS's master user may not set all of them.

    So are the settings of a newer pg_dump that an older server does not know.
    """
    reads = next(command for ending, command in _READS.items() if fetched.endswith(ending))
    load = 'psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 -d "$VERIFY_DATABASE" > /dev/null'
    return (
        f"set -o pipefail; trap '{_DROP}' EXIT; trap 'exit 1' TERM INT; "
        f"[ -s {fetched} ] || {{ echo 'Backup verification failed: No dump found'; exit 1; }}; "
        'createdb --template=template0 "$VERIFY_DATABASE"; '
        f"{reads} {fetched} | sed -E {dumps.OUTSIDE_OF_ROWS} -e '{_NOT_RESTORED}' | {load}; "
        'rows=$(psql --no-psqlrc -At -v ON_ERROR_STOP=1 -d "$VERIFY_DATABASE" -c "$VERIFY_QUERY"); '
        'if [ "$rows" -ge "$MINIMUM_ROWS" ]; then echo "Backup verification successful: $rows records found"; '
        'else echo "Backup verification failed: $rows records found, at least $MINIMUM_ROWS expected"; exit 1; fi'
    )


def _dump_namespace(base: Foundation) -> str:
    return f"{base.path}/backups"


def _dump_overdue(base: Foundation) -> Watch:
    """The scheduler only knows whether the task could start; this sees every way in which no dump arrives."""
    return Watch(
        name=f"{DUMP}-overdue",
        description=f"No dump reached its bucket in {DUMP_OVERDUE_AFTER_HOURS} hours; also until a new stack's "
        "first dump",
        severity="critical",
        threshold=1,
        comparison="LessThanThreshold",
        metrics=[
            Metric(id="dumps", namespace=_dump_namespace(base), metric_name=DUMP_METRIC, stat="Sum"),
        ],
        period_s=3600,
        evaluation_periods=DUMP_OVERDUE_AFTER_HOURS,
        treat_missing_data="breaching",
    )


def _scheduled(
    settings: Settings,
    base: Foundation,
    work: Workloads,
    name: str,
    task: Task,
    expression: str,
    timezone: str,
    retries: int = 3,
) -> ScheduledTask:
    return ScheduledTask(
        f"schedule-{name}",
        ScheduledTaskArgs(
            schedule_expression=expression,
            timezone=timezone,
            retries=retries,
            account_id=settings.account,
            cluster_arn=work.cluster.arn,
            task_definition_arn=task.arn,
            pass_role_arns=[task.task_role_arn, task.execution_role_arn],
            subnet_ids=base.network.private_subnet_ids,
            security_group_ids=[base.firewall.group_ids[OPERATIONS]],
            tags=base.tags,
        ),
    )


def _audit_reminder(settings: Settings, base: Foundation, expression: str) -> Reminder:
    return Reminder(
        f"remind-{AUDIT}",
        ReminderArgs(
            schedule_expression=expression,
            account_id=settings.account,
            topic_arn=base.notifications.topic_arns[settings.region]["warning"],
            topic_key_arn=base.keys.arns["messages"],
            message=f"{settings.name}, {settings.environment}: "
            f"{settings.backups.audit_reminder_text or AUDIT_TEXT}",
            tags=base.tags,
        ),
    )
