"""The task that makes a new database ready, and its roles' passwords: an operator runs it, any number of times."""

from collections.abc import Iterator, Mapping, Sequence

import pulumi

from components import _bootstrap, _iam, _role_passwords
from components._containers import Container
from components.task import Task, TaskArgs
from settings import model, references
from settings.model import Settings
from wiring import dumps
from wiring.foundation import Foundation
from wiring.sql import CPU, MEMORY_MIB, POSTGRES_USER, connection, master_secret_arn
from wiring.stores import Stores

NAME = "bootstrap"
PREPARE, MAKE, PUBLISH = "prepare", "passwords", "publish"
# As entry point of the three: `groundwork db` has them do nothing, and runs SQL of its own in the fourth.
_SHELL = ["sh", "-ec"]


def build(settings: Settings, base: Foundation, data: Stores, wanted: model.Database) -> Task:
    """An operator overrides two variables of `passwords` and of `publish` to rotate one role: ROLE, and to go back to
    a version that there was, VERSION.

    `prepare` asks whether the master user is let in before a password is made; being of the image that declares the
    shared folder as a volume, it also makes that writable. All run as one user, who alone may read the files in it.
    """
    master = master_secret_arn(data)
    login = {"PGPASSWORD": pulumi.Output.concat(master, ":password::")}
    cli = settings.operations.image("aws_cli_image")
    postgres = settings.operations.image("postgres_image")
    asked = {"AWS_DEFAULT_REGION": settings.region, "ROLE": "", "VERSION": ""}
    roles = [
        secret.arn.apply(lambda arn, role=role: _role_passwords.roles_line(role, arn))
        for role, secret in data.role_secrets.items()
    ]
    urls = _urls(settings)
    templates = [
        pulumi.Output.concat(name, " ", data.secrets[name].arn, " ", data.values.template(url))
        for name, url in urls.items()
    ]
    return Task(
        f"task-{NAME}",
        TaskArgs(
            family=f"{settings.name_prefix}-{NAME}",
            before=[
                Container(
                    name=PREPARE,
                    image=postgres,
                    user=POSTGRES_USER,
                    entry_point=_SHELL,
                    command=["psql --no-psqlrc -v ON_ERROR_STOP=1 --quiet -c 'SELECT' > /dev/null"],
                    environment=connection(settings, data),
                    secrets=login,
                ),
                Container(
                    name=MAKE,
                    image=cli,
                    user=POSTGRES_USER,
                    entry_point=_SHELL,
                    command=[_role_passwords.make(dumps.FOLDER)],
                    environment={**asked, "ROLES": lines(roles)},
                ),
                Container(
                    name=NAME,
                    image=postgres,
                    user=POSTGRES_USER,
                    command=[*_SHELL, _role_passwords.set_them(dumps.FOLDER)],
                    environment={
                        **connection(settings, data),
                        "BOOTSTRAP_SQL": _bootstrap.sql(_declared(wanted)),
                    },
                    secrets=login,
                ),
            ],
            shared_path=dumps.FOLDER,
            container=Container(
                name=PUBLISH,
                image=cli,
                user=POSTGRES_USER,
                entry_point=_SHELL,
                command=[_role_passwords.publish(dumps.FOLDER)],
                environment={**asked, "URLS": lines(templates)},
            ),
            cpu=CPU,
            memory_mib=MEMORY_MIB,
            account_id=settings.account,
            region=settings.region,
            log_group_name=f"/{base.path}/task-{NAME}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            repository_arns=[],
            secret_arns=[master],
            secret_key_arns=[base.keys.arns["secrets"]],
            task_statements=list(_statements(settings, base, data, urls)),
            tags=base.tags,
        ),
    )


def lines(of: Sequence[pulumi.Input[str]]) -> pulumi.Input[str]:
    return pulumi.Output.all(*of).apply("\n".join) if of else ""


def _urls(settings: Settings) -> dict[str, str]:
    """The URLs that hold a role's password, by the name of their secret."""
    return {
        name: secret.url
        for name, secret in settings.secrets.items()
        if secret.url and references.holds_role_password(secret.url)
    }


def _statements(
    settings: Settings, base: Foundation, data: Stores, urls: Mapping[str, str]
) -> Iterator[_iam.Statement]:
    roles = [secret.arn for secret in data.role_secrets.values()]
    if not roles:
        return
    yield make_passwords()
    yield _iam.statement(
        [
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        ],
        roles,
        sid="KeepPasswords",
    )
    if urls:
        yield _iam.statement(
            [
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
            ],
            [data.secrets[name].arn for name in urls],
            sid="KeepUrls",
        )
    if parts := list(_other_parts(settings, data, urls)):
        yield _iam.statement("secretsmanager:GetSecretValue", parts, sid="ReadPartsOfUrls")
    yield encrypt_passwords(settings, base)


def make_passwords() -> _iam.Statement:
    return _iam.statement("secretsmanager:GetRandomPassword", "*", sid="MakePasswords")


def encrypt_passwords(settings: Settings, base: Foundation) -> _iam.Statement:
    """What reading and putting a secret's value takes beside the right to it."""
    return _iam.statement(
        ["kms:Decrypt", "kms:GenerateDataKey"],
        base.keys.arns["secrets"],
        conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{settings.region}.amazonaws.com"}},
        sid="EncryptPasswords",
    )


def _other_parts(settings: Settings, data: Stores, urls: Mapping[str, str]) -> Iterator[pulumi.Output[str]]:
    """What such a URL holds beside roles' passwords."""
    named = {name for url in urls.values() for name in references.references(url)}
    for name in settings.caches:
        if f"caches.{name}.auth_token" in named:
            yield data.cache_tokens[settings.cache_behind(name)].arn
    for name, login in data.broker_logins.items():
        if f"brokers.{name}.password" in named:
            yield login.arn


def _declared(wanted: model.Database) -> _bootstrap.Bootstrap:
    return _bootstrap.Bootstrap(
        database=wanted.name,
        extensions=list(wanted.extensions),
        roles={
            name: _bootstrap.Role(
                tables=role.tables, database=role.database, schemas=role.schemas, settings=role.settings
            )
            for name, role in wanted.roles.items()
        },
        row_policies=[
            _bootstrap.RowPolicy(
                name=policy.name,
                table=table,
                command=policy.command,
                using=policy.using,
                check=policy.check,
                roles=policy.roles,
            )
            for table, policies in wanted.row_level_security.items()
            for policy in policies
        ],
        indexes=[
            _bootstrap.Index(name=index.name, table=index.table, definition=index.definition)
            for index in wanted.indexes
        ],
    )
