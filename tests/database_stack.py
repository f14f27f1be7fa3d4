"""A stack whose database is a real PostgreSQL: commands run on it as on one at AWS, with logins from Secrets Manager.

Its outputs and its task definition are those that the program declares for a stack. Only what is the server's own is
changed: names, addresses, the master user, version and parameters. ECS and Secrets Manager are moto's.
"""

import copy
import json
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import psycopg
from moto import mock_aws
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from typer.testing import CliRunner, Result

from operations import db
from operations.platform import Platform
from tests.program import declared
from tests.real_servers import MASTER, Database

REGION = "us-east-1"
TASK_DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"

# What RentalFix's migration makes, as far as its guide says it.
MIGRATION = """
CREATE TABLE contractors (
    id serial PRIMARY KEY, name text NOT NULL, status text NOT NULL DEFAULT 'verified', deleted_at timestamptz,
    specialties jsonb NOT NULL DEFAULT '[]', location_point geography(Point, 4326)
);
CREATE TABLE contractor_ratings (id serial PRIMARY KEY, contractor_id int NOT NULL, stars int NOT NULL);
"""


@cache
def aws() -> boto3.Session:
    """One for all: each reads half a second's worth of endpoints."""
    return boto3.Session(region_name=REGION, aws_access_key_id="local", aws_secret_access_key="local")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """`outputs` may be changed before a command reads them."""

    database: Database
    outputs: dict[str, Any]
    secrets: Mapping[str, str]  # ARNs by user
    folder: Path

    @property
    def said(self) -> dict[str, Any]:
        return self.outputs["database"]

    @property
    def ca(self) -> str:
        return str(self.database.server.authority)

    def run(self, *arguments: str, checked: bool = True, text: str | None = None) -> Result:
        """What `groundwork db` answers; `checked` gives it the server's authority."""
        file = self.folder / "outputs.json"
        file.write_text(json.dumps(self.outputs), encoding="utf-8")
        more = ["--stack", "prod", "--outputs", str(file), *(["--ca", self.ca] if checked else [])]
        return CliRunner(env={"PGSSLROOTCERT": None}).invoke(db.app, [*arguments, *more], input=text)

    def sql(self, text: str, *, user: str = MASTER) -> str:
        return self.database.sql(text, user=user)

    def connection(
        self, user: str = MASTER, *, autocommit: bool = False, **changed: str
    ) -> psycopg.Connection[dict[str, Any]]:
        """Somebody else's, beside the commands."""
        keywords = make_conninfo("", **{**self.database.keywords(user), **changed})
        return psycopg.Connection[dict[str, Any]].connect(
            keywords, autocommit=autocommit, row_factory=dict_row
        )

    def bootstrap(self) -> None:
        answer = self.run("bootstrap", "--direct", "--yes")
        assert answer.exit_code == 0, answer.output


def eventually(look: Callable[[], Any], condition: Callable[[Any], object] = bool) -> Any:
    """What was seen when it fitted at last."""
    deadline = time.monotonic() + 10
    while not condition(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.02)
    return seen


@contextmanager
def standing(database: Database, folder: Path, stack: str = "prod") -> Generator[Standing]:
    recorded = declared(stack)
    outputs = copy.deepcopy(recorded.value)
    said = outputs["database"]
    server = database.server
    with mock_aws(), patch.object(Platform, "_session", aws()):
        secrets = aws().client("secretsmanager")
        arns = {
            user: secrets.create_secret(
                Name=f"database/{user}", SecretString=json.dumps({"username": user, "password": password})
            )["ARN"]
            for user, password in {
                MASTER: server.passwords[MASTER],
                **{role: f"it's {role}'s" for role in said["roleSecretArns"]},
            }.items()
        }
        ours = {said["masterSecretArn"]: arns[MASTER]}
        ours |= {arn: arns[role] for role, arn in said["roleSecretArns"].items()}
        text = json.dumps(recorded.one(TASK_DEFINITION, "task-bootstrap").json("containerDefinitions"))
        for declared_arn, arn in ours.items():
            text = text.replace(declared_arn, arn)
        containers = json.loads(text)
        for variable in (each for container in containers for each in container["environment"]):
            if variable["name"] == "BOOTSTRAP_SQL":
                variable["value"] = variable["value"].replace(
                    f'ON DATABASE "{said["name"]}"', f'ON DATABASE "{database.name}"'
                )
        ecs = aws().client("ecs")
        definition = ecs.register_task_definition(
            family="bootstrap",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=containers,
        )
        outputs["tasks"]["bootstrap"]["taskDefinition"] = definition["taskDefinition"]["taskDefinitionArn"]
        said |= {
            "address": "localhost",
            "port": server.port,
            "name": database.name,
            "replicaAddresses": [],
            "masterSecretArn": arns[MASTER],
            "roleSecretArns": {role: arns[role] for role in said["roleSecretArns"]},
        }
        said["declared"] |= {
            "minimumVersion": "14",  # the machine's PostgreSQL may be older than a product's
            "masterUser": MASTER,
            "parameters": {"max_connections": "50", "work_mem": "4096"},
        }
        # The server knows them by name as soon as the bootstrap has made them; tests log in with them.
        passwords = {role: f"it's {role}'s" for role in said["roleSecretArns"]}
        server.passwords |= passwords
        try:
            yield Standing(database=database, outputs=outputs, secrets=arns, folder=folder)
        finally:
            for role in passwords:
                server.passwords.pop(role, None)
