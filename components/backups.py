"""Daily backups with AWS Backup: a locked vault, a copy in a second region, and restores that prove them.

RDS' own automated backups (point in time) stay beside this; the vault's are the ones that a mistake in the
database's own settings, or a compromised role, cannot shorten or delete.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from components import _json
from components._iam import assume_role, document, statement
from components._watch import Metric, Watch

HOUR_S = 3600
OVERDUE_AFTER_HOURS = 26  # a day, and two hours for the job to start and to finish
_CRON = re.compile(r"cron\(\S+( \S+){5}\)")
_POLICIES = {
    "backup": "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
    "restore": "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores",
}


@dataclass(frozen=True, kw_only=True)
class RestoreTest:
    """Restores the database's newest backup by `schedule`, into the subnets and the group named here.

    The copy lives for `validation_window_hours`, in which it can be queried, and is then deleted. A Multi-AZ DB cluster
    (`is_cluster`) comes back as one; an instance comes back without a standby.
    """

    schedule: str
    database_arn: pulumi.Input[str]
    subnet_group_name: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    is_cluster: bool = False
    validation_window_hours: int = 4


@dataclass(frozen=True, kw_only=True)
class BackupsArgs:
    """`vault_name` is physical; `schedule` is AWS's cron in `timezone`; `retention_days` holds in both regions.

    `lock` is governance mode: only somebody with the right to remove the lock can shorten or delete before
    `retention_days`. `protect` also denies deletion in the vault's policy. Raises ValueError on every problem.
    """

    vault_name: str
    resource_arns: Sequence[pulumi.Input[str]]
    schedule: str
    timezone: str = "UTC"
    retention_days: int
    lock: bool
    kms_key_arn: pulumi.Input[str]
    account_id: str
    region: str
    copy_region: str | None
    restore_test: RestoreTest | None
    topic_arn: pulumi.Input[str]
    protect: bool
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(_problems(self))
        if problems:
            raise ValueError(f"backups {self.vault_name}: " + "; ".join(problems))


class Backups(pulumi.ComponentResource):
    vault_name: pulumi.Output[str]
    vault_arn: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: BackupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:recovery:Backups", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        vault = self._vault(name, args, args.region, args.kms_key_arn)
        aws.backup.VaultNotifications(
            name,
            backup_vault_name=vault.name,
            sns_topic_arn=args.topic_arn,
            # The weekly proof's result is worth a message either way; a daily success is not.
            backup_vault_events=["COPY_JOB_FAILED", "RESTORE_JOB_COMPLETED"],
            opts=child,
        )
        plan = aws.backup.Plan(
            name,
            name=args.vault_name,
            rules=[self._rule(name, args, vault)],
            tags={**args.tags, "Name": args.vault_name},
            opts=child,
        )
        role = self._role(name, args)
        aws.backup.Selection(
            name,
            name=args.vault_name,
            plan_id=plan.id,
            iam_role_arn=role.arn,
            resources=args.resource_arns,
            opts=child,
        )
        if args.restore_test is not None:
            self._restore_test(name, args, args.restore_test, vault, role)

        self.vault_name = vault.name
        self.vault_arn = vault.arn
        self.role_arn = role.arn
        self.watches = list(_watches(name, args, vault.name))
        self.register_outputs(
            {"vault_name": self.vault_name, "vault_arn": self.vault_arn, "role_arn": self.role_arn}
        )

    def _vault(
        self, label: str, args: BackupsArgs, region: str, kms_key_arn: pulumi.Input[str]
    ) -> aws.backup.Vault:
        child = pulumi.ResourceOptions(parent=self)
        vault = aws.backup.Vault(
            label,
            name=args.vault_name,
            region=region,
            kms_key_arn=kms_key_arn,
            force_destroy=not args.protect,
            tags={**args.tags, "Name": args.vault_name},
            opts=self._kept(args),
        )
        if args.protect:
            aws.backup.VaultPolicy(
                label,
                backup_vault_name=vault.name,
                region=region,
                policy=_nobody_deletes(),
                opts=child,
            )
        if args.lock:
            aws.backup.VaultLockConfiguration(
                label,
                backup_vault_name=vault.name,
                region=region,
                min_retention_days=args.retention_days,
                opts=child,
            )
        return vault

    def _rule(self, name: str, args: BackupsArgs, vault: aws.backup.Vault) -> aws.backup.PlanRuleArgsDict:
        rule: aws.backup.PlanRuleArgsDict = {
            "rule_name": "daily",
            "target_vault_name": vault.name,
            "schedule": args.schedule,
            "schedule_expression_timezone": args.timezone,
            "start_window": 60,
            "completion_window": 240,
            "lifecycle": {"delete_after": args.retention_days},
        }
        if args.copy_region is not None:
            copy = self._vault(
                f"{name}-copy", args, args.copy_region, self._copy_key(name, args, args.copy_region)
            )
            rule["copy_actions"] = [
                {"destination_vault_arn": copy.arn, "lifecycle": {"delete_after": args.retention_days}}
            ]
        return rule

    def _copy_key(self, name: str, args: BackupsArgs, copy_region: str) -> pulumi.Output[str]:
        """A key lives in one region, so the copies have their own."""
        key = aws.kms.Key(
            f"{name}-copy",
            region=copy_region,
            description=f"{args.vault_name}: copies of backups from {args.region}",
            enable_key_rotation=True,
            deletion_window_in_days=30 if args.protect else 7,
            policy=document(
                statement(
                    "kms:*",
                    "*",
                    principals={"AWS": f"arn:aws:iam::{args.account_id}:root"},
                    sid="AdministeredThroughIam",
                )
            ),
            tags={**args.tags, "Name": f"{args.vault_name}-backups"},
            opts=self._kept(args),
        )
        return key.arn

    def _role(self, name: str, args: BackupsArgs) -> aws.iam.Role:
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{name}-role",
            description=f"Lets AWS Backup fill the vault {args.vault_name}, and restore from it",
            assume_role_policy=assume_role("backup.amazonaws.com"),
            tags={**args.tags, "Name": f"{args.vault_name}-backups"},
            opts=child,
        )
        for part, policy_arn in _POLICIES.items():
            aws.iam.RolePolicyAttachment(f"{name}-{part}", role=role.name, policy_arn=policy_arn, opts=child)
        return role

    def _restore_test(
        self, name: str, args: BackupsArgs, test: RestoreTest, vault: aws.backup.Vault, role: aws.iam.Role
    ) -> None:
        child = pulumi.ResourceOptions(parent=self)
        plan = aws.backup.RestoreTestingPlan(
            f"{name}-proof",
            name=_underscored(args.vault_name),
            schedule_expression=test.schedule,
            schedule_expression_timezone=args.timezone,
            start_window_hours=1,
            recovery_point_selection={
                "algorithm": "LATEST_WITHIN_WINDOW",
                "include_vaults": [vault.arn],
                "recovery_point_types": ["SNAPSHOT"],
                "selection_window_days": min(7, args.retention_days),
            },
            tags={**args.tags, "Name": args.vault_name},
            opts=child,
        )
        aws.backup.RestoreTestingSelection(
            f"{name}-proof",
            name="database",
            restore_testing_plan_name=plan.name,
            protected_resource_type="RDS",
            protected_resource_arns=[test.database_arn],
            iam_role_arn=role.arn,
            validation_window_hours=test.validation_window_hours,
            restore_metadata_overrides={
                "dbSubnetGroupName": test.subnet_group_name,
                "vpcSecurityGroupIds": _json.dumps([test.security_group_id]),
                **({} if test.is_cluster else {"multiAz": "false"}),
            },
            opts=child,
        )

    def _kept(self, args: BackupsArgs) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.protect)


def _nobody_deletes() -> pulumi.Output[str]:
    """Expiry by the plan still works: that is AWS Backup's own doing, not a call by a principal."""
    return document(
        statement(
            [
                "backup:DeleteBackupVault",
                "backup:DeleteRecoveryPoint",
                "backup:UpdateRecoveryPointLifecycle",
            ],
            "*",
            effect="Deny",
            principals="*",
            sid="NobodyDeletes",
        )
    )


def _watches(name: str, args: BackupsArgs, vault_name: pulumi.Output[str]) -> Iterator[Watch]:
    jobs = {
        "failed": ("NumberOfBackupJobsFailed", "Backup jobs that failed"),
        "expired": ("NumberOfBackupJobsExpired", "Backup jobs that could not start in their window"),
    }
    if args.copy_region is not None:
        jobs["copy-failed"] = ("NumberOfCopyJobsFailed", f"Copies to {args.copy_region} that failed")
    if args.restore_test is not None:
        jobs["restore-failed"] = (
            "NumberOfRestoreJobsFailed",
            "Restores that failed, in a test or in earnest",
        )
    for part, (metric_name, meaning) in jobs.items():
        yield Watch(
            name=f"{name}-{part}",
            description=f"{meaning}, in an hour (vault {args.vault_name})",
            severity="critical",
            threshold=0,
            metrics=[_jobs(metric_name, vault_name)],
            period_s=HOUR_S,
        )
    yield Watch(
        name=f"{name}-overdue",
        description=f"No backup was completed in {OVERDUE_AFTER_HOURS} hours (vault {args.vault_name}); also "
        "until a new stack's first backup",
        severity="critical",
        threshold=1,
        comparison="LessThanThreshold",
        metrics=[_jobs("NumberOfBackupJobsCompleted", vault_name)],
        period_s=HOUR_S,
        evaluation_periods=OVERDUE_AFTER_HOURS,
        treat_missing_data="breaching",
    )


def _jobs(metric_name: str, vault_name: pulumi.Output[str]) -> Metric:
    return Metric(
        id="jobs",
        namespace="AWS/Backup",
        metric_name=metric_name,
        stat="Sum",
        dimensions={"BackupVaultName": vault_name},
    )


def _underscored(vault_name: str) -> str:
    """A restore testing plan's name takes letters, digits and underscores only (AWS Backup API)."""
    return re.sub(r"\W", "_", vault_name)


def _problems(args: BackupsArgs) -> Iterator[str]:
    if not re.fullmatch(r"[a-zA-Z0-9_-]{2,50}", args.vault_name):
        yield f"vault_name must be 2 to 50 letters, digits, - and _, got {args.vault_name!r}"
    if not args.resource_arns:
        yield "resource_arns is empty; name at least one resource to back up"
    if not 1 <= args.retention_days <= 36_500:
        yield f"retention_days must be 1 to 36500, got {args.retention_days}"
    if args.copy_region == args.region:
        yield f"copy_region must be another region than {args.region}; a copy beside the original proves little"
    schedules = {"schedule": args.schedule}
    if args.restore_test is not None:
        schedules["restore_test.schedule"] = args.restore_test.schedule
        hours = args.restore_test.validation_window_hours
        if not 1 <= hours <= 168:
            yield f"restore_test.validation_window_hours must be 1 to 168, got {hours}"
    for key, value in schedules.items():
        if not _CRON.fullmatch(value):
            yield f"{key} must be cron(minute hour day month weekday year), got {value!r}"
