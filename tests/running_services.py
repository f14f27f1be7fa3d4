"""Two services in the emulator's ECS, as a stack of RentalFix runs them, and a command that works on them."""

import itertools
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from tests.aws_cloud import REGION, Cloud, clock, emulator_url, refusal

__all__ = ["checkout", "clock", "emulator_url", "groundwork", "refusal", "running"]

ROOT = Path(__file__).resolve().parent.parent
REGISTRY = f"111122223333.dkr.ecr.{REGION}.amazonaws.com"
SERVICES = ("core-matching", "worker-ai")
NUMBERS = itertools.count(1)


def outputs(cluster: str) -> dict[str, Any]:
    """What a stack with two services and nothing else says."""
    return {
        "system": "rentalfix",
        "environment": "prod",
        "region": REGION,
        "cluster": cluster,
        "kubernetes": {"cluster": "", "namespace": ""},
        "services": {},
        "servicesToPush": [],
        "repositories": {name: f"{REGISTRY}/rentalfix/prod/{name}" for name in SERVICES},
        "healthUrls": {"core-matching": "https://api.rentfix.com/health"},
        "database": {},
        "tasks": {},
        "pipeline": {"deployRole": ""},
    }


@dataclass
class Fleet:
    """`cloud` is the platform that a command is given; its ECS is the emulator's."""

    cloud: Cloud

    @property
    def cluster(self) -> str:
        return self.cloud.outputs["cluster"]

    def revision(self, service: str, tag: str, **variables: str) -> str:
        """Registers one more; its ARN."""
        container = {
            "name": service,
            "image": f"{REGISTRY}/rentalfix/prod/{service}:{tag}",
            "essential": True,
            "environment": [{"name": name, "value": value} for name, value in variables.items()],
            "secrets": [
                {
                    "name": "DB_PASSWORD",
                    "valueFrom": "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf",
                }
            ],
        }
        answer = self.cloud.client("ecs").register_task_definition(
            family=f"{self.cluster}-{service}",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            containerDefinitions=[container],
        )
        return answer["taskDefinition"]["taskDefinitionArn"]

    def start(
        self, service: str, tags: list[str], *, count: int = 2, scaled: tuple[int, int] | None = (1, 4)
    ) -> None:
        """A revision for each tag; the last one runs."""
        arn = [self.revision(service, tag) for tag in tags][-1]
        name = f"{service}-1a2b3c"
        self.cloud.client("ecs").create_service(
            cluster=self.cluster,
            serviceName=name,
            taskDefinition=arn,
            desiredCount=count,
            launchType="FARGATE",
            networkConfiguration={
                "awsvpcConfiguration": {"subnets": self.subnets(), "securityGroups": [self.group()]}
            },
        )
        if scaled:
            self.scaling.register_scalable_target(
                ServiceNamespace="ecs",
                ResourceId=f"service/{self.cluster}/{name}",
                ScalableDimension="ecs:service:DesiredCount",
                MinCapacity=scaled[0],
                MaxCapacity=scaled[1],
            )
        group = f"/{self.cluster}/{service}"
        self.cloud.client("logs").create_log_group(logGroupName=group)
        said = {"name": name, "taskDefinition": arn, "logGroup": group}
        self.cloud.outputs["services"][service] = said

    def subnets(self) -> list[str]:
        return [each["SubnetId"] for each in self.cloud.client("ec2").describe_subnets()["Subnets"]][:2]

    def group(self) -> str:
        return self.cloud.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]

    @property
    def scaling(self) -> Any:
        return self.cloud.client("application-autoscaling")

    def described(self, service: str) -> dict[str, Any]:
        name = self.cloud.outputs["services"][service]["name"]
        return self.cloud.client("ecs").describe_services(cluster=self.cluster, services=[name])["services"][
            0
        ]

    def running_revision(self, service: str) -> int:
        return int(self.described(service)["taskDefinition"].rpartition(":")[2])

    def bounds(self, service: str) -> dict[str, Any]:
        name = self.cloud.outputs["services"][service]["name"]
        [found] = self.scaling.describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[f"service/{self.cluster}/{name}"]
        )["ScalableTargets"]
        return found

    def writes(self, service: str, stream: str, *lines: tuple[int, str]) -> None:
        """Lines with their times, in milliseconds."""
        logs, group = self.cloud.client("logs"), self.cloud.outputs["services"][service]["logGroup"]
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": when, "message": text} for when, text in sorted(lines)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def lives(self, service: str, **more: Any) -> None:
        """From now on ECS shows one running task of it, with this in addition."""
        self.shows(service, "RUNNING", [{"lastStatus": "RUNNING", **more}])

    def died(self, service: str, *tasks: dict[str, Any]) -> None:
        """From now on ECS shows these as stopped; nothing of theirs is the emulator's, which runs no container."""
        self.shows(service, "STOPPED", [{"lastStatus": "STOPPED", **each} for each in tasks])

    def shows(self, service: str, status: str, tasks: list[dict[str, Any]]) -> None:
        """From now on ECS lists these of it with that status."""
        said = self.cloud.outputs["services"][service]
        made = {}
        for each in tasks:
            arn = f"arn:aws:ecs:{REGION}:111122223333:task/{self.cluster}/{next(NUMBERS):04}"
            made[arn] = {
                "taskArn": arn,
                "group": f"service:{said['name']}",
                "taskDefinitionArn": self.described(service)["taskDefinition"],
                **each,
            }
        known = self.cloud.__dict__.setdefault("shown", {})
        known.update(made)
        listed = self.cloud.__dict__.setdefault("listed", {})
        listed[said["name"], status] = list(made)

        def listing(given: dict[str, Any]) -> dict[str, Any]:
            return {"taskArns": listed.get((given["serviceName"], given["desiredStatus"]), [])}

        self.cloud.says("ListTasks", listing)
        self.cloud.says("DescribeTasks", lambda given: {"tasks": [known[arn] for arn in given["tasks"]]})


@pytest.fixture
def running(emulator_url: str) -> Generator[Fleet]:
    """Services of a cluster of its own; none yet."""
    cluster = f"rentalfix-{uuid4().hex[:8]}"
    made = Fleet(Cloud("rentalfix", "prod", outputs(cluster), emulator_url))
    made.cloud.client("ecs").create_cluster(clusterName=cluster)
    yield made
    made.cloud.answers.clear()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what a checkout has of RentalFix, for commands that change its stack file."""
    from operations.services import deploy, edits, engine, images, rollback, scale

    for name in ("Pulumi.prod.yaml", "systems/rentalfix/system.yaml", "policies/config/prod.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for module in (deploy, edits, engine, images, rollback, scale):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def groundwork(running: Fleet, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command, on the stack of `running`; nobody is there to answer."""
    from operations.services import deploy, execute, logs, rollback, scale, showing, switch

    for module in (deploy, execute, logs, rollback, scale, showing, switch):
        monkeypatch.setattr(module, "opened", lambda *_: running.cloud)

    def run(*arguments: str, code: int = 0) -> Any:
        ends = arguments.index("--") if "--" in arguments else len(arguments)
        given = [*arguments[:ends], "--stack", "prod", *arguments[ends:]]
        result = CliRunner().invoke(command.app, given)
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return run
