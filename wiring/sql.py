"""One-off tasks that send SQL to the database as its master user, in PostgreSQL's own image."""

from collections.abc import Mapping

import pulumi

from components._bootstrap import password_variable
from components._containers import Container
from components.secret import Secret
from components.task import Task, TaskArgs
from settings.model import Settings
from wiring.foundation import Foundation
from wiring.stores import Stores

CPU, MEMORY_MIB = 256, 512  # the least that Fargate has: the database does the work
POSTGRES_USER = "70"  # `postgres` in the Alpine variant of docker-library/postgres


def sql_task(
    settings: Settings,
    base: Foundation,
    data: Stores,
    *,
    name: str,
    command: str,
    environment: Mapping[str, pulumi.Input[str]] | None = None,
    role_passwords: Mapping[str, Secret] | None = None,
) -> Task:
    """A task that runs `command` in a shell where psql and pg_dump find the database; nobody starts it by itself.

    `role_passwords` by role come in as the variables that the bootstrap reads.
    """
    passwords = {
        password_variable(role): pulumi.Output.concat(secret.arn, ":password::")
        for role, secret in (role_passwords or {}).items()
    }
    master = data.database.master_secret_arn
    return Task(
        f"task-{name}",
        TaskArgs(
            family=f"{settings.name_prefix}-{name}",
            container=Container(
                name=name,
                image=settings.operations.postgres_image,
                user=POSTGRES_USER,
                command=["sh", "-ec", command],
                environment={**connection(settings, data), **(environment or {})},
                secrets={"PGPASSWORD": pulumi.Output.concat(master, ":password::"), **passwords},
            ),
            cpu=CPU,
            memory_mib=MEMORY_MIB,
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/task-{name}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[],
            secret_arns=[master, *(secret.arn for secret in (role_passwords or {}).values())],
            secret_key_arns=[base.keys.arns["secrets"]],
            tags=base.tags,
        ),
    )


def connection(settings: Settings, data: Stores) -> dict[str, pulumi.Input[str]]:
    """libpq's own variables."""
    return {
        "PGHOST": data.database.address,
        "PGPORT": data.database.port.apply(str),
        "PGDATABASE": settings.database.name,
        "PGUSER": settings.database.username,
        "PGSSLMODE": "require",
    }
