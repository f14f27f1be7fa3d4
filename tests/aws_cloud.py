"""A stack's AWS for tests of commands: the emulator, and where it has no such operation an answer that the test gives.

Answers are checked against botocore's model of the operation, as its Stubber does, so that they have the right shape.
"""

import atexit
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from botocore.validate import ParamValidator

from operations import waits
from operations.platform import Platform
from tests.provider_support import running_emulator

REGION = "us-east-1"
IDENTIFIER = "rentfix-primary"
Answer = Callable[[dict[str, Any]], dict[str, Any]]

OUTPUTS: dict[str, Any] = {
    "system": "rentalfix",
    "environment": "prod",
    "region": REGION,
    "cluster": "rentalfix-prod",
    "vpn": "",
    "database": {
        "identifier": IDENTIFIER,
        "address": "rentfix-primary.example.invalid",
        "proxyAddress": "",
        "port": 5432,
        "name": "rentfix",
        "replicaAddresses": [],
        "masterSecretArn": "",
        "roleSecretArns": {},
    },
    "tasks": {
        name: {
            "taskDefinition": f"rentalfix-prod-{name}",
            "logGroup": f"/rentalfix/prod/task-{name}",
            "schedule": "",
            "backupFirst": False,
            "statusTask": "",
        }
        for name in ("bootstrap", "dump", "restore")
    },
    "runTask": {"subnets": ["subnet-1"], "securityGroup": "sg-1"},
    "caches": {},
    "backups": {
        "vault": "rentalfix-prod",
        "bucket": "rentfix-backups",
        "dumpPrefix": "postgres/",
        "dumpFormat": "plain",
        "verifyQuery": "SELECT COUNT(*) FROM contractors",
    },
}


@dataclass(frozen=True)
class Cloud(Platform):
    """`asked` are the calls that were answered by the test, in their order: (operation, parameters)."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def client(self, service: str, *, region: str | None = None) -> Any:
        client = _client(service, region or self.region, self.endpoint_url)
        _listeners[id(client)] = self
        return client

    def says(self, operation: str, answer: Mapping[str, Any] | Answer) -> None:
        """From now on. A function is given the parameters."""
        if isinstance(answer, Mapping):
            self.answers[operation] = lambda _: dict(answer)
        else:
            self.answers[operation] = answer

    def calls(self, operation: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self.asked if name == operation]

    def answer(self, model: OperationModel, given: dict[str, Any]) -> Any:
        self.asked.append((model.name, given))
        if model.name not in self.answers:
            return None
        parsed = self.answers[model.name](given)
        if "Error" in parsed:
            return _Response(400), parsed
        if model.output_shape is not None:
            report = ParamValidator().validate(parsed, model.output_shape)
            assert not report.has_errors(), f"{model.name}: {report.generate_report()}"
        return _Response(200), {**parsed, "ResponseMetadata": {"HTTPStatusCode": 200}}


@dataclass
class _Response:
    status_code: int
    headers: dict[str, str] = field(default_factory=dict)


_listeners: dict[int, Cloud] = {}


@cache
def _client(service: str, region: str, endpoint_url: str | None) -> Any:
    """Made once: it takes longer than most tests."""
    client = boto3.client(
        service,
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )

    def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["given"] = dict(params)

    def answer(model: OperationModel, context: dict[str, Any], **_: Any) -> Any:
        return _listeners[id(client)].answer(model, context.get("given", {}))

    client.meta.events.register(f"before-parameter-build.{service}", remember)
    client.meta.events.register(f"before-call.{service}", answer)
    return client


def refusal(code: str, message: str = "no") -> dict[str, Any]:
    """An answer that is an error."""
    return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}


def database(cloud: Cloud, identifier: str = IDENTIFIER, **more: Any) -> dict[str, Any]:
    """The stack's database in the emulator."""
    rds, ec2 = cloud.client("rds"), cloud.client("ec2")
    try:
        rds.describe_db_subnet_groups(DBSubnetGroupName="isolated")
    except ClientError:
        subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
        rds.create_db_subnet_group(
            DBSubnetGroupName="isolated", DBSubnetGroupDescription="isolated", SubnetIds=subnets
        )
        rds.create_db_parameter_group(
            DBParameterGroupName="database-postgres16-1a2b",
            DBParameterGroupFamily="postgres16",
            Description=f"{IDENTIFIER} and its replicas",
        )
    arguments = {
        "DBInstanceIdentifier": identifier,
        "DBInstanceClass": "db.r6g.large",
        "Engine": "postgres",
        "EngineVersion": "16.3",
        "AllocatedStorage": 100,
        "MasterUsername": "postgres",
        "MasterUserPassword": "not-a-secret",
        "DBSubnetGroupName": "isolated",
        "VpcSecurityGroupIds": ["sg-0123456789abcdef0"],
        "DBParameterGroupName": "database-postgres16-1a2b",
        "MultiAZ": True,
        "DeletionProtection": True,
        "BackupRetentionPeriod": 30,
        "Tags": [{"Key": "system", "Value": "rentalfix"}, {"Key": "Name", "Value": identifier}],
        **more,
    }
    return rds.create_db_instance(**arguments)["DBInstance"]


class Clock:
    """Time that only passes by sleeping. `events` are called once when so many seconds have passed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@cache
def _emulator() -> str:
    """One for all the modules of a process of tests: its first network takes seconds."""
    standing = ExitStack()
    atexit.register(standing.close)
    folder = standing.enter_context(TemporaryDirectory(prefix="groundwork-emulator-"))
    return standing.enter_context(running_emulator(Path(folder) / "log"))


@pytest.fixture
def emulator_url() -> str:
    return _emulator()


@pytest.fixture
def cloud(emulator_url: str) -> Generator[Cloud]:
    """An account without databases and buckets."""
    cloud = Cloud("rentalfix", "prod", OUTPUTS, emulator_url)
    yield cloud
    cloud.answers.clear()
    _empty(cloud.client("rds"), cloud.client("s3"))


def _empty(rds: Any, s3: Any) -> None:
    """moto's own reset makes the default network anew, which takes seconds."""
    for each in rds.describe_blue_green_deployments()["BlueGreenDeployments"]:
        rds.delete_blue_green_deployment(BlueGreenDeploymentIdentifier=each["BlueGreenDeploymentIdentifier"])
    found = rds.describe_db_instances()["DBInstances"]
    # Replicas before what they follow.
    for each in sorted(found, key=lambda each: not each.get("ReadReplicaSourceDBInstanceIdentifier")):
        name = each["DBInstanceIdentifier"]
        rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False)
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    for each in rds.describe_db_snapshots()["DBSnapshots"]:
        rds.delete_db_snapshot(DBSnapshotIdentifier=each["DBSnapshotIdentifier"])
    for bucket in s3.list_buckets()["Buckets"]:
        for each in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            s3.delete_object(Bucket=bucket["Name"], Key=each["Key"])
        s3.delete_bucket(Bucket=bucket["Name"])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Every wait of a command goes by this clock, so that none takes time."""
    clock = Clock()

    def of(cls: type[waits.Patience], minutes: float) -> waits.Patience:
        return cls(clock() + minutes * 60, clock, clock.sleep)

    monkeypatch.setattr(waits.Patience, "of", classmethod(of))
    return clock
