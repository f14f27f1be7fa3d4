"""One-off tasks that send SQL to the database as its master user, in PostgreSQL's own image."""

from collections.abc import Mapping, Sequence

import pulumi

from components._containers import Container
from components.task import Task, TaskArgs
from settings.model import Settings
from wiring.foundation import Foundation
from wiring.outcomes import NONE, Told
from wiring.stores import Stores

CPU, MEMORY_MIB = 256, 512  # the least that Fargate has: the database does the work
POSTGRES_USER = "70"  # `postgres` in the Alpine variant of docker-library/postgres
# A client that is gone would otherwise leave its statement running to the end, past the time when it was stopped.
STOP_WITH_CLIENT = "-c client_connection_check_interval=10s"


def sql_task(
    settings: Settings,
    base: Foundation,
    data: Stores,
    *,
    name: str,
    command: str,
    environment: Mapping[str, pulumi.Input[str]] | None = None,
    told: Told = NONE,
) -> Task:
    """A task that runs `command` in a shell where psql and pg_dump find the database; nobody starts it by itself."""
    master = master_secret_arn(data)
    return Task(
        f"task-{name}",
        TaskArgs(
            family=f"{settings.name_prefix}-{name}",
            container=Container(
                name=name,
                image=settings.operations.image("postgres_image"),
                user=POSTGRES_USER,
                command=["sh", "-ec", command],
                environment={**connection(settings, data), **(environment or {})},
                secrets={"PGPASSWORD": pulumi.Output.concat(master, ":password::")},
            ),
            cpu=CPU,
            memory_mib=MEMORY_MIB,
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/task-{name}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[],
            secret_arns=[master],
            secret_key_arns=[base.keys.arns["secrets"]],
            task_statements=told.statements,
            report=told.report,
            limit=told.limit,
            tags=base.tags,
        ),
    )


def statements_command(statements: Sequence[str]) -> tuple[str, dict[str, pulumi.Input[str]]]:
    """Command and variables of an `sql_task`: the statements reach psql as they are, past every shell.

    Each ends on a line of its own, so that a comment at its end does not swallow what ends it.
    """
    script = "".join(f"{statement.strip()}\n;\n" for statement in statements)
    command = 'printf "%s" "$STATEMENTS" | psql --no-psqlrc --echo-queries -v ON_ERROR_STOP=1'
    return command, {"STATEMENTS": script, "PGOPTIONS": STOP_WITH_CLIENT}


def master_secret_arn(data: Stores) -> pulumi.Output[str]:
    if data.database is None:
        raise ValueError("this stack has no database of its own; the settings' rules refuse SQL without one")
    return data.database.master_secret_arn


def connection(settings: Settings, data: Stores) -> dict[str, pulumi.Input[str]]:
    """libpq's own variables. To the database itself: the master user's login is none that a proxy lets pass."""
    if settings.database is None or data.database is None:
        raise ValueError("this stack has no database of its own; the settings' rules refuse SQL without one")
    return {
        "PGHOST": data.database.address,
        "PGPORT": data.database.port.apply(str),
        "PGDATABASE": settings.database.name,
        "PGUSER": settings.database.username,
        "PGSSLMODE": "require",
    }
