"""The task that gives a broker's user a new password: an operator runs it, any number of times."""

import pulumi

from components import _broker_logins, _iam
from components._containers import Container
from components.task import Task, TaskArgs
from settings import references
from settings.model import Settings
from wiring import dumps
from wiring.bootstrap import encrypt_passwords, lines, make_passwords
from wiring.foundation import Foundation
from wiring.sql import CPU, MEMORY_MIB
from wiring.stores import Stores

NAME = "broker-logins"
FOLDER = "/tmp"


def build(settings: Settings, base: Foundation, data: Stores) -> Task:
    """One task for all brokers: it looks after each.

    An operator overrides two variables to rotate one login: BROKER, and to go back to a version of before, VERSION.
    """
    brokers = [
        pulumi.Output.all(data.broker_logins[name].arn, broker.console_url).apply(
            lambda known, name=name, user=broker.username: _broker_logins.line(
                name, user, known[0], known[1], _held_by(settings, name)
            )
        )
        for name, broker in data.brokers.items()
    ]
    return Task(
        f"task-{NAME}",
        TaskArgs(
            family=f"{settings.name_prefix}-{NAME}",
            container=Container(
                name=NAME,
                image=settings.operations.image("aws_cli_image"),
                user=dumps.CLI_USER,
                entry_point=["sh", "-ec"],
                command=[_broker_logins.rotate(FOLDER)],
                environment={
                    "AWS_DEFAULT_REGION": settings.region,
                    "BROKERS": lines(brokers),
                    "BROKER": "",
                    "VERSION": "",
                },
                # In memory, and gone with the task: what curl reads has the password in it.
                writable_paths=[FOLDER],
            ),
            cpu=CPU,
            memory_mib=MEMORY_MIB,
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/task-{NAME}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[],
            task_statements=[
                make_passwords(),
                _iam.statement(
                    [
                        "secretsmanager:DescribeSecret",
                        "secretsmanager:GetSecretValue",
                        "secretsmanager:PutSecretValue",
                        "secretsmanager:UpdateSecretVersionStage",
                    ],
                    [data.broker_logins[name].arn for name in data.brokers],
                    sid="KeepLogins",
                ),
                encrypt_passwords(settings, base),
            ],
            tags=base.tags,
        ),
    )


def _held_by(settings: Settings, broker: str) -> str:
    """The URLs that hold its password: whoever puts them together does not do it when the password changes."""
    held_by = (
        name
        for name, secret in settings.secrets.items()
        if secret.url and f"brokers.{broker}.password" in references.references(secret.url)
    )
    return " ".join(held_by)
