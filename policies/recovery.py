"""Backups beyond the data stores' own: AWS Backup."""

from pulumi_policy import PolicyResource
from rules import Count, Findings, Props, Rule, Stack, is_set, refers, rule, shown, texts

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
PLAN = "aws:backup/plan:Plan"
SELECTION = "aws:backup/selection:Selection"
VAULT = "aws:backup/vault:Vault"
VAULT_LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
RESTORE_TEST = "aws:backup/restoreTestingPlan:RestoreTestingPlan"
RESTORE_TEST_SELECTION = "aws:backup/restoreTestingSelection:RestoreTestingSelection"

RULES: list[Rule] = []


@rule(
    RULES,
    "backup-retention-30d",
    types=[PLAN],
    severity="high",
    why="Damage is often found weeks after it was done.",
    remedy="Set lifecycle.deleteAfter of the rule (stack file: backups.retention_days)",
    checklist=["C66"],
)
def backup_retention_30d(props: Props, *, minimum_days: Count = 30) -> Findings:
    """Backups are kept for at least 30 days."""
    for found in props.get("rules") or []:
        days = (found.get("lifecycle") or {}).get("deleteAfter")
        if days is not None and days < minimum_days:  # without it, backups are kept for ever
            where = f"rule {shown(found.get('ruleName'))}"
            yield f"{where} deletes after {shown(days)} days, at least {minimum_days} are asked for"


@rule(
    RULES,
    "backup-plan-present",
    types=[INSTANCE, CLUSTER],
    severity="high",
    why="Automated backups of RDS die with the instance; those in a vault do not.",
    remedy="Name the database in the resources of a backup Selection (Backups' resource_arns)",
    checklist=["C65", "C67"],
    frameworks=["FSBP RDS.26", "CKV2_AWS_8"],
    whole_stack=True,
)
def backup_plan_present(database: PolicyResource, stack: Stack) -> Findings:
    """A backup plan holds every database; read replicas are copies already."""
    if is_set(database.props, "replicateSourceDb") or is_set(database.props, "replicationSourceIdentifier"):
        return
    if not any(selects(selection, database) for selection in stack.of([SELECTION])):
        yield "no backup Selection names it"


def selects(selection: PolicyResource, database: PolicyResource) -> bool:
    """By name, or by a pattern or by tags, which only AWS can resolve."""
    if refers(selection, "resources", database) or is_set(selection.props, "selectionTags"):
        return True
    return any("*" in arn for arn in texts(selection.props, "resources"))


@rule(
    RULES,
    "backup-vault-locked",
    types=[VAULT],
    severity="medium",
    why="Whoever takes over the account deletes the backups first.",
    remedy="Give the vault a VaultLockConfiguration (stack file: backups.lock)",
    checklist=["C67"],
    frameworks=["CKV_AWS_166"],
    whole_stack=True,
)
def backup_vault_locked(vault: PolicyResource, stack: Stack) -> Findings:
    """Nobody can delete a backup before its time."""
    if not stack.referring([VAULT_LOCK], "backupVaultName", vault):
        yield "the vault has no lock"


@rule(
    RULES,
    "restore-test-scheduled",
    types=[PLAN],
    severity="medium",
    why="A backup that was never restored is a hope.",
    remedy="Declare a RestoreTestingPlan with a RestoreTestingSelection (stack file: backups.restore_test)",
    checklist=["C69"],
    whole_stack=True,
)
def restore_test_scheduled(_plan: PolicyResource, stack: Stack) -> Findings:
    """Backups are restored on a schedule, to prove that they can be."""
    if not stack.of([RESTORE_TEST]) or not stack.of([RESTORE_TEST_SELECTION]):
        yield "nothing restores these backups to test them"
