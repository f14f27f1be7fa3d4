"""What a stack can come back from: backups, the proof that they can be restored, and what keeps data from going."""

import re
from collections.abc import Collection, Mapping, Sequence

from clusters import CRON_JOB
from database import is_replica
from pulumi_policy import PolicyResource
from pulumi_policy.proxy import UnknownValueError
from rules import Count, Findings, Props, Rule, Stack, at, given, is_set, literal, refers, rule, shown, texts
from storage import BUCKETS, LIFECYCLES
from task_definitions import TASK_DEFINITION

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
DOCUMENTDB = "aws:docdb/cluster:Cluster"
NEPTUNE = "aws:neptune/cluster:Cluster"
TABLE = "aws:dynamodb/table:Table"
FILE_SYSTEM = "aws:efs/fileSystem:FileSystem"
FILE_SYSTEM_BACKUP = "aws:efs/backupPolicy:BackupPolicy"
REPLICATION_GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
SEARCH = "aws:opensearch/domain:Domain"
WAREHOUSE = "aws:redshift/cluster:Cluster"
REPOSITORY = "aws:ecr/repository:Repository"
KEY = "aws:kms/key:Key"
PLAN = "aws:backup/plan:Plan"
SELECTION = "aws:backup/selection:Selection"
VAULT = "aws:backup/vault:Vault"
VAULT_LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
RESTORE_TEST = "aws:backup/restoreTestingPlan:RestoreTestingPlan"
RESTORE_TEST_SELECTION = "aws:backup/restoreTestingSelection:RestoreTestingSelection"
SCHEDULE = "aws:scheduler/schedule:Schedule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"

# What AWS Backup can save, and what it calls the service in an ARN.
SAVED = {
    INSTANCE: "rds",
    CLUSTER: "rds",
    DOCUMENTDB: "rds",
    NEPTUNE: "rds",
    TABLE: "dynamodb",
    FILE_SYSTEM: "elasticfilesystem",
}
# By these words one knows a task that writes a logical dump, and one that reads it back to try it.
DUMPS = ("pg_dump", "mysqldump", "mariadb-dump", "mydumper")
RESTORES = ("pg_restore", "createdb", "CREATE DATABASE")
FOR_BACKUPS = re.compile(r"backup|dump", re.IGNORECASE)

RULES: list[Rule] = []


@rule(
    RULES,
    "backup-retention-30d",
    types=[PLAN, *LIFECYCLES],
    severity="high",
    why="Damage is often found weeks after it was done.",
    remedy="Set lifecycle.deleteAfter of the plan's rule, and expiration.days of the bucket "
    "(system file: backups.retention_days)",
    checklist=["C66"],
    must_know=True,
)
def backup_retention_30d(
    props: Props, name: str, resource_type: str, *, minimum_days: Count = 30
) -> Findings:
    """Backups are kept for at least 30 days, in a vault and in a bucket for them; RDS has rds-backup-retention."""
    if resource_type == PLAN:
        kept = [
            (f"rule {shown(each.get('ruleName'))}", at(each, "lifecycle.deleteAfter"))
            for each in props.get("rules") or []
        ]
    elif FOR_BACKUPS.search(f"{name} {literal(props, 'bucket')}"):
        kept = [
            (f"rule {shown(each.get('id'))}", at(each, "expiration.days"))
            for each in props.get("rules") or []
            if each.get("status") == "Enabled"
        ]
    else:
        return
    for where, days in kept:
        if days and days < minimum_days:  # without it, they are kept for ever
            yield f"{where} deletes after {shown(days)} days, at least {minimum_days} are asked for"


@rule(
    RULES,
    "backup-plan-present",
    types=list(SAVED),
    severity="high",
    why="Automated backups die with the database; those in a vault do not.",
    remedy="Name it in the resources of a backup Selection (Backups' resource_arns)",
    checklist=["C65", "C67"],
    frameworks=[
        "FSBP EFS.2",
        "FSBP EFS.7",
        "Security Hub DynamoDB.4",
        "Security Hub RDS.26",
        "CKV2_AWS_8",
        "CKV2_AWS_18",
    ],
    whole_stack=True,
)
def backup_plan_present(store: PolicyResource, stack: Stack) -> Findings:
    """A backup plan holds every database, table and file system; read replicas are copies already."""
    if is_replica(store.props):
        return
    own = stack.referring([FILE_SYSTEM_BACKUP], "fileSystemId", store)
    if any(at(policy.props, "backupPolicy.status") == "ENABLED" for policy in own):
        return
    if not any(selects(selection, store) for selection in stack.of([SELECTION])):
        yield "no backup Selection names it"


def selects(selection: PolicyResource, store: PolicyResource) -> bool:
    """By name, by a pattern of its service's ARNs, or by tags, which only AWS can resolve."""
    if refers(selection, "resources", store) or is_set(selection.props, "selectionTags"):
        return True
    patterns = [arn for arn in texts(selection.props, "resources") if "*" in arn]
    return any(arn.split(":")[2:3] in ([], ["*"], [SAVED[store.resource_type]]) for arn in patterns)


@rule(
    RULES,
    "rds-upgrade-staged",
    types=[INSTANCE],
    severity="high",
    why="The provider's blue/green update knows nothing of replicas: it fails half-way, or leaves them behind on the "
    "old database, which the services read on from (terraform-provider-aws, issue 33702).",
    remedy="Leave blueGreenUpdate out and bring the new engineVersion by `groundwork db upgrade`, which takes the "
    "replicas along and waits at each stage",
    checklist=["C70"],
    whole_stack=True,
)
def rds_upgrade_staged(database: PolicyResource, stack: Stack) -> Findings:
    """A database that has replicas is not upgraded by the provider's own blue/green flag."""
    if at(database.props, "blueGreenUpdate.enabled") and (
        replicas := stack.referring([INSTANCE], "replicateSourceDb", database)
    ):
        yield f"blueGreenUpdate.enabled is true, and {', '.join(sorted(each.name for each in replicas))} replicates it"


@rule(
    RULES,
    "backup-vault-locked",
    types=[VAULT],
    severity="medium",
    why="Whoever takes over the account deletes the backups first.",
    remedy="Give the vault a VaultLockConfiguration (stack file: backups.lock)",
    checklist=["C67"],
    whole_stack=True,
)
def backup_vault_locked(vault: PolicyResource, stack: Stack) -> Findings:
    """Nobody can delete a backup before its time."""
    if not any(locks(each, vault) for each in stack.referring([VAULT_LOCK], "backupVaultName", vault)):
        yield "the vault has no lock"


def locks(lock: PolicyResource, vault: PolicyResource) -> bool:
    """Vaults of several regions may share a name: what the lock takes it from, or its region, says which is meant."""
    named = [
        each for each in lock.property_dependencies.get("backupVaultName", []) if each.resource_type == VAULT
    ]
    if named:
        return any(each.urn == vault.urn for each in named)
    return literal(lock.props, "region") == literal(vault.props, "region")


@rule(
    RULES,
    "backup-vault-encrypted",
    types=[VAULT],
    severity="medium",
    why="With a key of one's own, a backup is of no use to whoever may read the vault and not use the key.",
    remedy="Set kmsKeyArn to a key of the stack's; a vault gets its key when it is made",
    checklist=["C67"],
    frameworks=["FSBP Backup.1", "CKV_AWS_166"],
)
def backup_vault_encrypted(props: Props) -> Findings:
    """Backups are encrypted with a key of one's own."""
    if not is_set(props, "kmsKeyArn"):
        yield given(props, "kmsKeyArn")


@rule(
    RULES,
    "backup-copied-elsewhere",
    types=[PLAN],
    severity="low",
    why="A region that is away takes the database and its backups along.",
    remedy="Give the plan's rule copyActions to a vault in another region (stack file: backups.copy_region)",
    checklist=["C67"],
    advisory=True,
)
def backup_copied_elsewhere(props: Props) -> Findings:
    """Some copy of each backup lies in another region."""
    for each in props.get("rules") or []:
        if not each.get("copyActions"):
            yield f"rule {shown(each.get('ruleName'))} has no copyActions"


@rule(
    RULES,
    "logical-backup-scheduled",
    types=[INSTANCE, CLUSTER],
    severity="medium",
    why="A snapshot comes back as a whole server of the same make; a dump also brings back one table, elsewhere.",
    remedy="Schedule a task that runs pg_dump or mysqldump into a bucket (system file: backups.dump)",
    checklist=["C65"],
    whole_stack=True,
)
def logical_backup_scheduled(database: PolicyResource, stack: Stack) -> Findings:
    """A task dumps every database on a schedule; a replica holds what is dumped already."""
    if not is_replica(database.props) and not is_scheduled(DUMPS, stack):
        yield "no enabled schedule starts a task that dumps it"


def is_scheduled(words: Collection[str], stack: Stack) -> bool:
    """Whether a schedule starts something whose commands hold one of the words.

    Raises `UnknownValueError` where a task that would decide it is not known yet.
    """
    jobs = [job for job in stack.of([CRON_JOB]) if not at(job.props, "spec.suspend")]
    tasks = [task for task in stack.of([TASK_DEFINITION]) if starts_by_itself(task, stack)]
    unknown: UnknownValueError | None = None
    for runs, prop in [*((job, "spec") for job in jobs), *((task, "containerDefinitions") for task in tasks)]:
        try:
            said = written(runs.props.get(prop))
        except UnknownValueError as error:
            unknown = error
            continue
        if any(word in said for word in words):
            return True
    if unknown:
        raise unknown
    return False


def written(value: object) -> str:
    """All the text in a value; raises `UnknownValueError` if some of it is not known yet."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return " ".join(map(written, value.values()))
    return " ".join(map(written, value)) if isinstance(value, Sequence) else ""


def starts_by_itself(task: PolicyResource, stack: Stack) -> bool:
    schedules = stack.referring([SCHEDULE], "target", task)
    if any(literal(schedule.props, "state") != "DISABLED" for schedule in schedules):
        return True
    return bool(stack.referring([EVENT_TARGET], "ecsTarget", task))


@rule(
    RULES,
    "restore-test-scheduled",
    types=[PLAN],
    severity="medium",
    why="A backup that was never restored is a hope.",
    remedy="Declare a RestoreTestingPlan with a RestoreTestingSelection (stack file: backups.restore_test), or "
    "schedule a task that reads the newest dump back (system file: backups.verify)",
    checklist=["C69"],
    whole_stack=True,
)
def restore_test_scheduled(_plan: PolicyResource, stack: Stack) -> Findings:
    """Backups are restored on a schedule, to prove that they can be."""
    tested = any(
        stack.referring([RESTORE_TEST_SELECTION], "restoreTestingPlanName", plan)
        for plan in stack.of([RESTORE_TEST])
    )
    if not tested and not is_scheduled(RESTORES, stack):
        yield "nothing restores these backups to test them"


FORCED = {
    **dict.fromkeys(BUCKETS, "forceDestroy"),
    VAULT: "forceDestroy",
    REPOSITORY: "forceDelete",
}


@rule(
    RULES,
    "no-forced-deletion",
    types=list(FORCED),
    severity="medium",
    why="What is deleted only when it is empty survives a wrong `pulumi destroy`; this takes that away.",
    remedy="Leave forceDestroy (forceDelete of a repository) out (stack file: protect)",
    checklist=["C73"],
    must_know=True,
    remediates={type_: {name: False} for type_, name in FORCED.items()},
)
def no_forced_deletion(props: Props, resource_type: str) -> Findings:
    """A bucket, a vault and a repository are only deleted when they are empty."""
    if props.get(FORCED[resource_type]):
        yield given(props, FORCED[resource_type])


@rule(
    RULES,
    "data-protected",
    types=[
        INSTANCE,
        CLUSTER,
        REPLICATION_GROUP,
        *BUCKETS,
        TABLE,
        FILE_SYSTEM,
        DOCUMENTDB,
        NEPTUNE,
        SEARCH,
        WAREHOUSE,
        VAULT,
        KEY,
    ],
    severity="medium",
    why="One property that replaces a resource, or one wrong `pulumi destroy`, is otherwise enough to lose the data.",
    remedy="Give it the resource option protect (stack file: protect)",
    checklist=["C73"],
    whole_stack=True,
)
def data_protected(store: PolicyResource, _stack: Stack) -> Findings:
    """Pulumi refuses to delete or replace what holds data, and the keys without which it cannot be read."""
    if not store.opts.protect and not is_replica(store.props):
        yield "its resource option protect is not set"
