"""A stack with secrets in the emulator's Secrets Manager, services that read them, and a command that works on it."""

import json
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.secrets import check, put, rotate
from tests.aws_cloud import Cloud

GOOD = "Vq3-long.and~Varied_value7"
JWT = "m9" + "aB3dE6gH2jK5mN8pQ1sT4vW7yZ0cF" * 3


class Stack:
    """A stack with two services, `api` and `worker`, and with the secrets that a test gives it."""

    def __init__(self, fleet: Any) -> None:
        self.fleet, self.cloud = fleet, fleet.cloud
        self.cloud.outputs.update(
            {"secrets": {}, "secretsToFill": [], "caches": {}, "brokers": {}, "database": {}}
        )

    @property
    def client(self) -> Any:
        return self.cloud.client("secretsmanager")

    def secret(self, name: str, value: str | None = None, *, external: bool = True) -> str:
        arn = make(self.cloud, name, value)
        self.cloud.outputs["secrets"][name] = arn
        if external:
            self.cloud.outputs["secretsToFill"].append(arn)
        return arn

    def role(self, name: str, password: str) -> str:
        value = json.dumps({"username": name, "password": password})
        arn = make(self.cloud, f"role-{name}", value)
        self.cloud.outputs["database"] = {"masterSecretArn": "", "roleSecretArns": {name: arn}}
        return arn

    def service(self, name: str, *references: str) -> None:
        """One that runs, whose container reads these."""
        ecs = self.cloud.client("ecs")
        container = {
            "name": name,
            "image": "example/a:1",
            "memory": 128,
            "essential": True,
            "secrets": [{"name": f"S{number}", "valueFrom": each} for number, each in enumerate(references)],
        }
        arn = ecs.register_task_definition(
            family=f"{self.fleet.cluster}-{name}", containerDefinitions=[container]
        )["taskDefinition"]["taskDefinitionArn"]
        ecs.create_service(
            cluster=self.fleet.cluster, serviceName=f"{name}-1a2b", taskDefinition=arn, desiredCount=0
        )
        self.cloud.outputs["services"][name] = {
            "name": f"{name}-1a2b",
            "taskDefinition": arn,
            "logGroup": f"/{name}",
        }

    def value(self, name: str) -> str:
        # By its stage: the emulator's own idea of the current one does not move with that.
        arn = self.cloud.outputs["secrets"][name]
        return self.client.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")["SecretString"]


def make(cloud: Cloud, name: str, value: str | None) -> str:
    given = {} if value is None else {"SecretString": value}
    return cloud.client("secretsmanager").create_secret(Name=f"{name}-{uuid4().hex[:8]}", **given)["ARN"]


@pytest.fixture
def stack(running):
    return Stack(running)


@pytest.fixture
def groundwork(stack, monkeypatch):
    """The command on the stack, with what comes by standard input."""
    stacks = {"prod": stack.cloud}
    for module in (put, check, rotate):
        monkeypatch.setattr(module, "opened", lambda _, name, *__: stacks[name])

    def run(*arguments: str, stdin: str | bytes = "", code: int = 0) -> Any:
        words = ["secrets", *arguments, "--stack", "prod"]
        result = CliRunner().invoke(command.app, words, input=stdin)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    run.__dict__["stacks"] = stacks
    return run
