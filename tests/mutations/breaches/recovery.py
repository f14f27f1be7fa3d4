"""Backups, the proof that they can be restored, and what keeps the data from being deleted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tests.mutations.breaking import (
    Breach,
    altering,
    any_of,
    edited,
    every,
    gone,
    itself,
    of_companion,
    referring,
    setting,
    unless,
)
from tests.mutations.carrying import Unfit
from tests.mutations.judging import NO_OPTIONS, Bench, Changes, Resource
from tests.policy_builders import TASK

RESTORE_TEST = "aws:backup/restoreTestingPlan:RestoreTestingPlan"
RESTORE_TEST_SELECTION = "aws:backup/restoreTestingSelection:RestoreTestingSelection"
INSTANCE = "aws:rds/instance:Instance"
SCHEDULE = "aws:scheduler/schedule:Schedule"

selection = referring("aws:backup/selection:Selection", "resources")
replica = referring(INSTANCE, "replicateSourceDb")
vault_lock = referring("aws:backup/vaultLockConfiguration:VaultLockConfiguration", "backupVaultName")


def tasks_that_say(bench: Bench, *words: str) -> Sequence[Resource]:
    tasks = bench.of([TASK])
    return [task for task in tasks if any(word in task.inputs["containerDefinitions"] for word in words)]


def schedules_of(*words: str) -> Callable[[Bench, Resource], Sequence[Resource]]:
    """The schedules that start a task in whose commands one of the words stands."""

    def find(bench: Bench, _subject: Resource) -> Sequence[Resource]:
        tasks = {task.urn for task in tasks_that_say(bench, *words)}
        found = [each for each in bench.of([SCHEDULE]) if not tasks.isdisjoint(each.refers["target"])]
        if not found:
            raise Unfit(f"no schedule starts {words[0]}")
        return found

    return find


def no_dump(bench: Bench, _subject: Resource) -> Changes:
    """What the schedule starts dumps nothing."""
    edit = altering("containerDefinitions", lambda text: text.replace("pg_dump", "true"))
    return {task.urn: edit(task) for task in tasks_that_say(bench, "pg_dump")}


def upgraded_by_the_provider(bench: Bench, subject: Resource) -> Changes:
    """With the provider's flag, where something replicates it."""
    replica(bench, subject)
    return edited(itself, setting(blueGreenUpdate={"enabled": True}))(bench, subject)


def unprotected(resource: Resource) -> Resource:
    return replace(resource, options=NO_OPTIONS) if resource.options.protect else resource


of_original = unless("replicateSourceDb", "a read replica holds what is saved already")
no_task_restores = gone(schedules_of("pg_restore", "createdb", "CREATE DATABASE"))

BREACHES: Mapping[str, Sequence[Breach]] = {
    "backup-plan-present": of_companion("its selection", selection, "resources"),
    "backup-vault-locked": of_companion("its lock", vault_lock, "backupVaultName"),
    "rds-upgrade-staged": [Breach("it has the provider's blue/green flag", upgraded_by_the_provider)],
    "restore-test-scheduled": [
        Breach("no test is left", any_of(no_task_restores, gone(every(RESTORE_TEST)))),
        Breach(
            "nothing is selected for a test",
            any_of(no_task_restores, gone(every(RESTORE_TEST_SELECTION))),
        ),
    ],
    "logical-backup-scheduled": [
        Breach("the schedule of its dump is gone", of_original(gone(schedules_of("pg_dump")))),
        Breach(
            "the schedule of its dump is off",
            of_original(edited(schedules_of("pg_dump"), setting(state="DISABLED"))),
        ),
        Breach("its dump dumps nothing", of_original(no_dump)),
    ],
    "data-protected": [Breach("it is not protected", of_original(edited(itself, unprotected)))],
}
