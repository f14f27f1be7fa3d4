"""T95 to T97: the way back."""

import json

from tests.recorder import Recording
from tests.requirements.production import (
    SERVICE,
    TASK,
    container,
    database,
    operator_can_restore,
    output,
)
from tests.requirements.table import Chapter
from tests.requirements.ts_service.migrations import migration_can_run
from tests.requirements.ts_service.template import SERVICES, is_known_to_operators

CHAPTER = Chapter(title="Rollback")


@CHAPTER.row(
    "T95",
    "L792-804",
    "API and worker go back to the image before, each by itself",
    "operator",
    note="without `--to` the revision that ran before; a release whose tasks do not become healthy goes back by itself",
    commands=["rollback api --to v1.2.2 --write", "rollback worker --to v1.2.2 --write"],
    components=["service", "task", "registry"],
    settings=["services.api.image_tag", "services.worker.image_tag"],
    policies=["deployment-rollback-enabled"],
)
def image_before(stack: Recording) -> None:
    for service in SERVICES:
        is_known_to_operators(stack, service)
        assert stack.one(SERVICE, service)["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
        assert stack.one(TASK, service)["skipDestroy"] is True
        kept = stack.one("aws:ecr/lifecyclePolicy:LifecyclePolicy", f"registry-{service}-lifecycle")
        tagged = json.loads(kept["policy"])["rules"][-1]["selection"]
        assert (tagged["countType"], tagged["countNumber"]) == ("imageCountMoreThan", 50)
    assert stack.one(SERVICE, "api")["alarms"]["rollback"] is True


@CHAPTER.row(
    "T96",
    "L806-810",
    "The database goes back to a backup",
    "operator",
    note="the newest dump, or `--key`: psql reads a plain one, which the guide's `pg_restore` could not, and "
    "pg_restore its own format. Or any second of 30 days, into an instance beside it",
    commands=["db restore", "db restore-pitr --time 2026-04-01T12:00:00Z"],
    components=["database", "task"],
    settings=["database.backup_retention_days", "backups.dump"],
)
def database_before(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["backupRetentionPeriod"], primary["deleteAutomatedBackups"]) == (30, False)
    assert output(stack, "database", "identifier") == "myapp-db"
    operator_can_restore(stack, "production", "ts-service-backups/backups/")


@CHAPTER.row(
    "T97",
    "L812-814",
    "Or a migration is marked as rolled back",
    "operator",
    note="by the task `migrate`, which runs that instead of its own command, and its status after it",
    commands=["migrate --rolled-back NAME"],
    components=["task"],
    settings=["tasks.migrate.rolled_back_command"],
)
def migration_before(stack: Recording) -> None:
    marking = output(stack, "tasks", "migrate", "rolledBackCommand")
    assert marking == ["npx", "prisma", "migrate", "resolve", "--rolled-back"]
    assert container(stack, "task-migrate")["command"][:3] == marking[:3]
    assert container(stack, "task-migrate")["name"] == "task-migrate"
    migration_can_run(stack)
    assert output(stack, "tasks", "migrate", "statusTask") == "migrate-status"
