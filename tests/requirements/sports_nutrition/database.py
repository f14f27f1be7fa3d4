"""S59 to S63: schema, first data, backups."""

from tests.recorder import Recording
from tests.requirements.production import (
    SCHEDULE,
    TASK,
    bootstrap_sql,
    container,
    database,
    output,
    secrets,
    statements,
)
from tests.requirements.table import Chapter

CHAPTER = Chapter(title="Database setup")
FILES = (
    "001_initial_schema",
    "002_stores_and_prices",
    "003_ingredients_and_meals",
    "004_serbian_localization",
)


@CHAPTER.row(
    "S59",
    "L233-241",
    "Four SQL files of `database/migrations` make the schema, in their order",
    "operator",
    note="it stops at the first error, each file is one transaction, and a table `applied_migrations` keeps those "
    "that ran from running again",
    commands=["migrate"],
    components=["task"],
    settings=["tasks.migrate", "database.roles.nutrition_api"],
)
def migrations(stack: Recording) -> None:
    shell, flags, command = container(stack, "task-migrate")["command"]
    assert (shell, flags) == ("sh", "-ec")
    assert f"for file in {' '.join(FILES)}; do" in command
    assert "-v ON_ERROR_STOP=1 --single-transaction" in command
    assert '-f "database/migrations/$file.sql"' in command
    assert "INSERT INTO applied_migrations (file) VALUES ('$file')" in command
    assert secrets(stack, "task-migrate")["DATABASE_URL"] == output(stack, "secrets", "database-url")
    assert 'GRANT ALL ON SCHEMA public TO "nutrition_api";' in bootstrap_sql(stack)


@CHAPTER.row(
    "S60",
    "L243-245",
    "List the tables, describe `meals`",
    "operator",
    note="`migrate` asks it at its end, too; it fails where `meals` is missing",
    commands=["migrate --status"],
    components=["task"],
    settings=["tasks.migrate.status_command"],
)
def schema(stack: Recording) -> None:
    _, _, command = container(stack, "task-migrate-status")["command"]
    assert command.endswith('-c "\\dt" -c "\\d meals"')
    assert secrets(stack, "task-migrate-status")["DATABASE_URL"] == output(stack, "secrets", "database-url")
    assert output(stack, "tasks", "migrate-status", "taskDefinition")


@CHAPTER.row(
    "S61",
    "L250-256",
    "First data: `npm run seed:production`, or `database/seeders/initial_data.sql`",
    "operator",
    note="one or the other",
    commands=["seed", "exec api -- sh -c 'psql \"$DATABASE_URL\" -f database/seeders/initial_data.sql'"],
    components=["task"],
    settings=["tasks.seed"],
)
def seed(stack: Recording) -> None:
    assert container(stack, "task-seed")["command"] == ["npm", "run", "seed:production"]
    assert secrets(stack, "task-seed")["DATABASE_URL"] == output(stack, "secrets", "database-url")
    assert output(stack, "tasks", "seed", "taskDefinition")


@CHAPTER.row(
    "S62",
    "L260-262",
    "A first dump, `backup_YYYYMMDD_HHMMSS.sql`, once the data is there",
    "operator",
    note="compressed, into the bucket of the backups; every day at 05:00 UTC it runs by itself",
    commands=["backup now --kind dump"],
    components=["task", "schedule"],
    settings=["backups.dump", "backups.bucket"],
)
def baseline(stack: Recording) -> None:
    first, second = stack.one(TASK, "task-dump").json("containerDefinitions")
    assert "pg_dump" in first["command"][-1]
    assert {"name": "PGDATABASE", "value": "individual_sports_nutrition"} in first["environment"]
    assert "/postgresql/$(date -u +backup_%Y%m%d_%H%M%S.sql.gz)" in second["command"][-1]
    assert statements(stack, "task-dump-task")["WriteDump"]["Resource"] == [
        "arn:aws:s3:::individual-sports-nutrition-backups/postgresql/*"
    ]
    assert output(stack, "tasks", "dump", "taskDefinition")


@CHAPTER.row(
    "S63",
    "L264-266",
    "Backups by themselves every day at 03:00 UTC, kept 30 days",
    "declared",
    note="the maintenance window begins an hour after theirs ends; AWS Backup and the dump follow at 05:00",
    components=["database"],
    settings=["database.backup_window", "database.maintenance_window", "database.backup_retention_days"],
    policies=["rds-backup-retention"],
)
def automated(stack: Recording) -> None:
    primary = database(stack)
    assert (primary["backupWindow"], primary["backupRetentionPeriod"]) == ("03:00-03:30", 30)
    assert primary["maintenanceWindow"] == "sun:04:30-sun:05:30"
    assert stack.one(SCHEDULE, "schedule-dump")["scheduleExpressionTimezone"] == "UTC"
