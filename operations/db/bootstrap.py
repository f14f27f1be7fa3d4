"""`groundwork db bootstrap`: what makes a new database ready, and an old one as it is declared; any number of times.

What is run is the SQL of the stack's task definition. The task makes the passwords that are missing, in the secrets
that the definition names; from here only those are set that are there.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from operations import tasks
from operations.db import psql
from operations.db.declared import Declared, declared
from operations.db.reach import Database, reaching
from operations.exits import FOUND
from operations.platform import DryRunOption, JsonOption, Platform, Refusal, YesOption, confirm
from operations.show import tell

TASK = "bootstrap"
# Variables of the task's containers (wiring/bootstrap.py): the SQL; a line a role, with the variable that the SQL reads
# its password from, and its secret; a line a URL that holds such a password, with its secret and what it is made of.
SQL, ROLES, URLS = "BOOTSTRAP_SQL", "ROLES", "URLS"


@dataclass(frozen=True)
class Script:
    """`secrets` are ARNs by the variable that the script reads; `urls` by the ARN of a secret what it is made of."""

    sql: str
    secrets: Mapping[str, str]
    urls: Mapping[str, str]

    def with_password_of(self, role_arn: str) -> list[str]:
        """The ARNs of the secrets that this role's password is in: its own, and those of URLs."""
        return [role_arn, *(arn for arn, parts in self.urls.items() if role_arn in parts)]


def script(platform: Platform) -> Script:
    """Raises Refusal where the stack has no such task, or its definition holds no SQL."""
    task = platform.outputs["tasks"].get(TASK)
    if task is None:
        raise Refusal(f"{platform} has no task {TASK}. `pulumi up` declares it with the database.")
    arn = task["taskDefinition"]
    answer = platform.client("ecs").describe_task_definition(taskDefinition=arn)
    variables = {
        each["name"]: each["value"]
        for container in answer["taskDefinition"]["containerDefinitions"]
        for each in container.get("environment", [])
    }
    missing = [name for name in (SQL, ROLES, URLS) if name not in variables]
    if missing:
        raise Refusal(
            f"{arn} has no {' and no '.join(missing)}: it is of another Groundwork. `pulumi up` declares it anew."
        )
    roles = [line.split() for line in variables[ROLES].splitlines()]
    urls = [line.split(maxsplit=2) for line in variables[URLS].splitlines()]
    return Script(
        sql=variables[SQL],
        secrets={variable: arn for _, variable, arn in roles},
        urls={arn: parts for _, arn, parts in urls},
    )


def secret_arn(value_from: str) -> str:
    """The secret of a container's variable, without the key, stage and version that may follow it."""
    return ":".join(value_from.split(":")[:7])


def touched(wanted: Declared) -> list[str]:
    """What it changes, in the order in which it does."""
    policies = [policy.name for policy in wanted.row_policies]
    indexes = [index.name for index in wanted.indexes]
    ruled = dict.fromkeys(policy.table for policy in wanted.row_policies)
    said = {
        "make the extensions {}, where they are missing": list(wanted.extensions),
        "set passwords, settings and grants of the roles {}, and make those that are missing": list(
            wanted.roles
        ),
        "switch row level security on for {}": list(ruled),
        "make the policies {} anew": policies,
        "make the indexes {}, where they are missing": indexes,
    }
    return [text.format(", ".join(names)) for text, names in said.items() if names]


@reaching
def bootstrap(
    database: Database,
    direct: Annotated[
        bool, typer.Option("--direct", help="Run it from here by psql, not as a task inside the network.")
    ] = False,
    timeout_minutes: Annotated[int, typer.Option(min=1, help="So long the task may take.")] = 30,
    as_json: JsonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Extensions, roles with their passwords and grants, row level security, indexes: as the stack declares them.

    It may be run at any time and any number of times; services go on meanwhile. Tables that no migration has made
    yet are skipped with a warning: run the migration, then this again.

    The task makes the passwords that roles have not got yet, and puts them into Secrets Manager; it sets those that are
    there, and puts URLs that hold one together. Interrupted, the task goes on, and the same command follows it.

    \b
    Exit code
      0  the database is as declared, but for tables that are not there yet
      1  a statement failed; what stands above it is done
      2  it could not be begun

    \b
    Examples
      groundwork db bootstrap --stack prod
      groundwork db bootstrap --stack prod --dry-run        what it would change, and the SQL
      groundwork db bootstrap --stack prod --direct --via localhost:15432 --ca global-bundle.pem
    """
    if database.reach.role:
        raise Refusal("Only the master user may make roles: leave out --role.")
    wanted = declared(database.said)
    wanted_sql = script(database.platform)
    how = "from here" if direct else f"as the task {TASK}, inside the network"
    if direct:
        _refuse_missing(database, wanted_sql)
    touches = [*touched(wanted), f"run this on {database.said['identifier']} {how}"]
    if not confirm(database.platform, touches, as_json=False, yes=yes, dry_run=dry_run):
        said = {"stack": str(database.platform), "would": touches, "sql": wanted_sql.sql}
        tell(wanted_sql.sql, said, as_json=as_json)
        return
    if direct:
        is_done = _run_from_here(database, wanted_sql, as_json=as_json)
    else:
        is_done = _run_task(database, timeout_minutes, as_json=as_json)
    done = "Done. `groundwork db check` compares the database with what is declared."
    if as_json or is_done:
        said = {"database": database.said["identifier"], "changes": touched(wanted), "done": is_done}
        tell(done, said, as_json=as_json)
    raise typer.Exit(0 if is_done else FOUND)


def _refuse_missing(database: Database, wanted: Script) -> None:
    """Only the task makes passwords: one way to do it, and nobody's machine has them."""
    secrets = database.platform.client("secretsmanager")
    empty = [
        arn
        for arn in wanted.secrets.values()
        if not any(
            "AWSCURRENT" in stages
            for stages in secrets.describe_secret(SecretId=arn).get("VersionIdsToStages", {}).values()
        )
    ]
    if empty:
        raise Refusal(
            f"No password yet: {', '.join(empty)}. The task makes them: `groundwork db bootstrap --stack "
            f"{database.platform.stack}` without --direct."
        )


def _run_from_here(database: Database, wanted: Script, *, as_json: bool) -> bool:
    passwords = {variable: database.read_login(arn).password for variable, arn in wanted.secrets.items()}
    # That something is there already is no news.
    quiet = {"PGOPTIONS": "-c client_min_messages=warning"}
    environment = {**psql.environment(database), **quiet, **passwords}
    with database.connect():
        pass  # what stops psql now is told better here
    secrets = [database.login.password, *passwords.values()]
    code = psql.run_script(wanted.sql, environment, secrets=secrets, tell=partial(typer.echo, err=as_json))
    if code:
        typer.echo(
            f"psql ended with {code}. Mend what it says above, and run the same command again.", err=True
        )
    return code == 0


def _run_task(database: Database, timeout_minutes: int, *, as_json: bool) -> bool:
    platform = database.platform
    ecs, logs = platform.client("ecs"), platform.client("logs")
    deadline = time.monotonic() + timeout_minutes * 60
    try:
        # One that was interrupted here runs on there.
        going_on = tasks.running(ecs, platform.outputs, TASK)
        tell_of = partial(typer.echo, err=as_json)
        tasks.carry_out(ecs, logs, platform.outputs, TASK, deadline=deadline, going_on=going_on, tell=tell_of)
    except tasks.Failed as failed:
        typer.echo(str(failed), err=True)
        return False
    return True
