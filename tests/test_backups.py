"""Backups: vault, lock, copy, plan, proof; protection on both sides; what is refused."""

import re
from typing import Any

import pytest

from components.backups import Backups, BackupsArgs, RestoreTest
from tests.recorder import record

VAULT = "aws:backup/vault:Vault"
LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
VAULT_POLICY = "aws:backup/vaultPolicy:VaultPolicy"
NOTIFICATIONS = "aws:backup/vaultNotifications:VaultNotifications"
PLAN = "aws:backup/plan:Plan"
SELECTION = "aws:backup/selection:Selection"
TEST_PLAN = "aws:backup/restoreTestingPlan:RestoreTestingPlan"
TEST_SELECTION = "aws:backup/restoreTestingSelection:RestoreTestingSelection"
KEY = "aws:kms/key:Key"
ROLE = "aws:iam/role:Role"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
DATABASE = "arn:aws:rds:us-east-1:111122223333:db:rentfix-primary"


def proof(**changes):
    values: dict[str, Any] = {
        "schedule": "cron(0 6 ? * SUN *)",
        "database_arn": DATABASE,
        "subnet_group_name": "rentfix-isolated",
        "security_group_id": "sg-database",
        **changes,
    }
    return RestoreTest(**values)


def args(**changes):
    values: dict[str, Any] = {
        "vault_name": "rentalfix-prod",
        "resource_arns": [DATABASE, "arn:aws:s3:::rentfix-backups"],
        "schedule": "cron(0 2 * * ? *)",
        "retention_days": 30,
        "lock": True,
        "kms_key_arn": "arn:key",
        "account_id": "111122223333",
        "region": "us-east-1",
        "copy_region": "us-west-2",
        "restore_test": proof(),
        "topic_arn": "arn:topic",
        "protect": True,
        "tags": {"owner": "platform"},
        **changes,
    }
    return BackupsArgs(**values)


def build(**changes):
    made = args(**changes)
    watches: list[Any] = []

    def program():
        backups = Backups("backups", made)
        watches.extend(backups.watches)
        return {"vault": backups.vault_name, "watched": watches[0].metrics[0].dimensions["BackupVaultName"]}

    return record(program), {watch.name: watch for watch in watches}


def test_the_vault_is_encrypted_locked_and_kept():
    declared, _ = build()
    vault = declared.one(VAULT, "backups")
    assert (vault["name"], vault["region"], vault["kmsKeyArn"]) == ("rentalfix-prod", "us-east-1", "arn:key")
    assert vault["forceDestroy"] is False
    assert vault.protect
    assert vault.retain_on_delete
    assert vault["tags"] == {"owner": "platform", "Name": "rentalfix-prod"}
    lock = declared.one(LOCK, "backups")
    assert lock["minRetentionDays"] == 30
    assert "changeableForDays" not in lock, "with it the lock would be for ever"
    assert declared.orphans() == []


def test_nobody_deletes_from_a_protected_vault():
    (deny,) = build()[0].one(VAULT_POLICY, "backups").json("policy")["Statement"]
    assert (deny["Effect"], deny["Principal"]) == ("Deny", "*")
    assert deny["Action"] == [
        "backup:DeleteBackupVault",
        "backup:DeleteRecoveryPoint",
        "backup:UpdateRecoveryPointLifecycle",
    ]


def test_without_protection_a_stack_can_be_destroyed_whole():
    declared, _ = build(protect=False, lock=False)
    for resource in [*declared.all(VAULT), *declared.all(KEY)]:
        assert not resource.protect
        assert not resource.retain_on_delete
    assert {vault["forceDestroy"] for vault in declared.all(VAULT)} == {True}
    assert declared.one(KEY)["deletionWindowInDays"] == 7
    assert declared.all(VAULT_POLICY) == declared.all(LOCK) == []


def test_a_copy_goes_to_a_vault_of_its_own_region_and_key():
    declared, _ = build()
    copy, key = declared.one(VAULT, "backups-copy"), declared.one(KEY)
    assert (copy["region"], key["region"]) == ("us-west-2", "us-west-2")
    assert copy["kmsKeyArn"].startswith("arn:aws:kms:us-west-2:")
    assert key["enableKeyRotation"] is True
    assert key["deletionWindowInDays"] == 30
    assert key.protect
    (root,) = key.json("policy")["Statement"]
    assert root["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert declared.one(LOCK, "backups-copy")["region"] == "us-west-2"
    assert declared.one(VAULT_POLICY, "backups-copy")["region"] == "us-west-2"
    (action,) = declared.one(PLAN)["rules"][0]["copyActions"]
    assert action == {
        "destinationVaultArn": "arn:aws:backup:us-west-2:111122223333:backup-vault:rentalfix-prod",
        "lifecycle": {"deleteAfter": 30},
    }


def test_without_a_copy_region_everything_stays_here():
    declared, watches = build(copy_region=None)
    assert declared.names(VAULT) == ["backups"]
    assert declared.all(KEY) == []
    assert "copyActions" not in declared.one(PLAN)["rules"][0]
    assert "backups-copy-failed" not in watches


def test_the_plan_runs_daily_and_expires():
    plan = build(timezone="Europe/Berlin")[0].one(PLAN)
    (rule,) = plan["rules"]
    assert {key: value for key, value in rule.items() if key != "copyActions"} == {
        "ruleName": "daily",
        "targetVaultName": "rentalfix-prod",
        "schedule": "cron(0 2 * * ? *)",
        "scheduleExpressionTimezone": "Europe/Berlin",
        "startWindow": 60,
        "completionWindow": 240,
        "lifecycle": {"deleteAfter": 30},
    }


def test_it_backs_up_exactly_what_it_was_given():
    declared, _ = build()
    selection = declared.one(SELECTION)
    assert selection["resources"] == [DATABASE, "arn:aws:s3:::rentfix-backups"]
    (trust,) = declared.one(ROLE).json("assumeRolePolicy")["Statement"]
    assert trust["Principal"] == {"Service": "backup.amazonaws.com"}
    assert [a["policyArn"].rpartition("/")[2] for a in declared.all(ATTACHMENT)] == [
        "AWSBackupServiceRolePolicyForBackup",
        "AWSBackupServiceRolePolicyForRestores",
    ]


def test_restores_are_tested_out_of_sight():
    declared, _ = build(restore_test=proof(validation_window_hours=2))
    plan, selection = declared.one(TEST_PLAN), declared.one(TEST_SELECTION)
    assert plan["name"] == "rentalfix_prod"
    assert plan["scheduleExpression"] == "cron(0 6 ? * SUN *)"
    assert plan["recoveryPointSelection"] == {
        "algorithm": "LATEST_WITHIN_WINDOW",
        "includeVaults": ["arn:aws:backup:us-east-1:111122223333:backup-vault:rentalfix-prod"],
        "recoveryPointTypes": ["SNAPSHOT"],
        "selectionWindowDays": 7,
    }
    assert selection["protectedResourceArns"] == [DATABASE]
    assert selection["validationWindowHours"] == 2
    assert selection["restoreMetadataOverrides"] == {
        "dbSubnetGroupName": "rentfix-isolated",
        "vpcSecurityGroupIds": '["sg-database"]',
        "multiAz": "false",
    }


def test_a_cluster_comes_back_as_a_cluster():
    selection = build(restore_test=proof(is_cluster=True))[0].one(TEST_SELECTION)
    assert set(selection["restoreMetadataOverrides"]) == {"dbSubnetGroupName", "vpcSecurityGroupIds"}


def test_backups_kept_for_a_day_are_tested_within_it():
    assert build(retention_days=1)[0].one(TEST_PLAN)["recoveryPointSelection"]["selectionWindowDays"] == 1


def test_without_a_test_nothing_is_restored():
    declared, watches = build(restore_test=None)
    assert declared.all(TEST_PLAN) == declared.all(TEST_SELECTION) == []
    assert "backups-restore-failed" not in watches


def test_people_hear_of_failed_copies_and_of_each_proof():
    notifications = build()[0].one(NOTIFICATIONS)
    assert notifications["snsTopicArn"] == "arn:topic"
    assert notifications["backupVaultEvents"] == ["COPY_JOB_FAILED", "RESTORE_JOB_COMPLETED"]


def test_what_is_watched():
    declared, watches = build()
    assert {name: watch.metrics[0].metric_name for name, watch in watches.items()} == {
        "backups-failed": "NumberOfBackupJobsFailed",
        "backups-expired": "NumberOfBackupJobsExpired",
        "backups-copy-failed": "NumberOfCopyJobsFailed",
        "backups-restore-failed": "NumberOfRestoreJobsFailed",
        "backups-overdue": "NumberOfBackupJobsCompleted",
    }
    assert {watch.severity for watch in watches.values()} == {"critical"}
    assert declared.value == {"vault": "rentalfix-prod", "watched": "rentalfix-prod"}


def test_silence_is_overdue_after_26_hours():
    overdue = build()[1]["backups-overdue"]
    assert overdue.period_s * overdue.evaluation_periods == 26 * 3600
    assert (overdue.comparison, overdue.threshold) == ("LessThanThreshold", 1)
    assert overdue.treat_missing_data == "breaching"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vault_name": "rental fix"}, "vault_name must be 2 to 50 letters, digits, - and _"),
        ({"resource_arns": []}, "resource_arns is empty; name at least one resource"),
        ({"retention_days": 0}, "retention_days must be 1 to 36500, got 0"),
        ({"copy_region": "us-east-1"}, "copy_region must be another region than us-east-1"),
        (
            {"schedule": "0 2 * * *"},
            "schedule must be cron(minute hour day month weekday year), got '0 2 * * *'",
        ),
        (
            {"restore_test": proof(schedule="rate(7 days)")},
            "restore_test.schedule must be cron(minute hour day month weekday year), got 'rate(7 days)'",
        ),
        (
            {"restore_test": proof(validation_window_hours=169)},
            "restore_test.validation_window_hours must be 1 to 168, got 169",
        ),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        args(**changes)


def test_every_problem_is_told_at_once():
    with pytest.raises(ValueError, match=r"backups rentalfix-prod: resource_arns is empty.*retention_days"):
        args(resource_arns=[], retention_days=0)
