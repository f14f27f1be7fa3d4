"""How the data comes back: AWS Backup with restore tests, a daily dump, and the upkeep that runs by the clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components import _iam
from components._containers import Container
from components._watch import Metric, Watch
from components.backups import Backups, BackupsArgs, RestoreTest
from components.bucket import Bucket, BucketArgs
from components.schedule import Reminder, ReminderArgs, ScheduledTask, ScheduledTaskArgs
from components.task import MAX_EPHEMERAL_STORAGE_GIB, MIN_EPHEMERAL_STORAGE_GIB, Task, TaskArgs
from settings.model import Settings
from settings.reach import DATABASE, OPERATIONS
from wiring.foundation import Foundation
from wiring.sql import POSTGRES_USER, connection, sql_task
from wiring.stores import Stores
from wiring.workloads import Workloads

DUMP, VACUUM, AUDIT = "dump", "vacuum", "audit"
# The data folder of the official image: a volume in its Dockerfile, writable for everybody.
DUMP_FOLDER = "/var/lib/postgresql/data"
DUMP_CPU, DUMP_MEMORY_MIB = 1024, 2048
DUMP_METRIC = "DumpCompleted"
DUMP_OVERDUE_AFTER_HOURS = 26  # a day, and two hours to dump and to upload
UPLOADER_USER = "1000"


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """`tasks` and `schedules` by name: the dump, and the vacuum where the system asks for one.

    `watches` are this layer's own, beside those of its components.
    """

    backups: Backups
    bucket: Bucket
    tasks: Mapping[str, Task]
    schedules: Mapping[str, ScheduledTask]
    watches: Sequence[Watch]


def build(settings: Settings, base: Foundation, data: Stores, work: Workloads) -> Recovery:
    bucket = Bucket(
        "backups",
        BucketArgs(
            bucket_name=settings.backups.bucket,
            kms_key_arn=base.keys.arns["storage"],
            expire_days={settings.backups.dump.prefix: settings.backups.retention_days},
            protect=settings.protect,
            tags=base.tags,
        ),
    )
    tasks = {DUMP: _dump_task(settings, base, data, bucket)}
    schedules = {
        DUMP: _scheduled(
            settings, base, work, DUMP, tasks[DUMP], settings.backups.schedule, settings.backups.timezone
        )
    }
    vacuum = settings.database.vacuum
    if vacuum is not None:
        statements = " ".join(f"-c 'VACUUM ANALYZE {table}'" for table in vacuum.tables)
        tasks[VACUUM] = sql_task(
            settings, base, data, name=VACUUM, command=f"psql --no-psqlrc -v ON_ERROR_STOP=1 {statements}"
        )
        schedules[VACUUM] = _scheduled(settings, base, work, VACUUM, tasks[VACUUM], vacuum.schedule, "UTC")
    if settings.backups.audit_reminder is not None:
        _audit_reminder(settings, base, settings.backups.audit_reminder)
    return Recovery(
        backups=_backups(settings, base, data),
        bucket=bucket,
        tasks=tasks,
        schedules=schedules,
        watches=[_dump_overdue(base)],
    )


def _backups(settings: Settings, base: Foundation, data: Stores) -> Backups:
    wanted = settings.backups
    restore_test = None
    if wanted.restore_test is not None:
        restore_test = RestoreTest(
            schedule=wanted.restore_test,
            database_arn=data.database.arn,
            subnet_group_name=data.database.subnet_group_name,
            security_group_id=base.firewall.group_ids[DATABASE],
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


def _dump_task(settings: Settings, base: Foundation, data: Stores, bucket: Bucket) -> Task:
    """pg_dump, then an upload of what it wrote: two official images instead of one to build and keep.

    As the master user, who owns the tables: row level security would hide rows from everybody else.
    """
    dump = settings.backups.dump
    master = data.database.master_secret_arn
    folder_arn = pulumi.Output.concat(bucket.arn, "/", dump.prefix, "*")
    return Task(
        f"task-{DUMP}",
        TaskArgs(
            family=f"{settings.name_prefix}-{DUMP}",
            before=Container(
                name=DUMP,
                image=settings.operations.postgres_image,
                user=POSTGRES_USER,
                command=["sh", "-ec", f"set -o pipefail; pg_dump | gzip > {DUMP_FOLDER}/dump.sql.gz"],
                environment=connection(settings, data),
                secrets={"PGPASSWORD": pulumi.Output.concat(master, ":password::")},
            ),
            shared_path=DUMP_FOLDER,
            container=Container(
                name="upload",
                image=settings.operations.aws_cli_image,
                user=UPLOADER_USER,
                entry_point=["sh", "-ec"],
                command=[
                    f"aws s3 cp --no-progress {DUMP_FOLDER}/dump.sql.gz "
                    f'"s3://$BUCKET/{dump.prefix}$(date -u +{dump.file_name})"; '
                    f"aws cloudwatch put-metric-data --region {settings.region} "
                    f"--namespace {_dump_namespace(base)} --metric-name {DUMP_METRIC} --value 1 --unit Count"
                ],
                environment={"BUCKET": bucket.name},
            ),
            cpu=DUMP_CPU,
            memory_mib=DUMP_MEMORY_MIB,
            ephemeral_storage_gib=dump_disk_gib(settings.database.max_allocated_storage_gib),
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


def dump_disk_gib(database_gib: int) -> int:
    """Room for a compressed dump of a database of that size: a quarter of it, within Fargate's limits.

    Indexes are not dumped, and what is dumped comes to a fraction once it is compressed.
    """
    return min(max(MIN_EPHEMERAL_STORAGE_GIB, database_gib // 4), MAX_EPHEMERAL_STORAGE_GIB)


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
) -> ScheduledTask:
    return ScheduledTask(
        f"schedule-{name}",
        ScheduledTaskArgs(
            schedule_expression=expression,
            timezone=timezone,
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
            message=f"{settings.name}, {settings.environment}: the external penetration test is due.",
            tags=base.tags,
        ),
    )
