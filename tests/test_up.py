"""RentalFix whole, through the real engine: up, again, refresh, a change, destroy, and nothing is left."""

# ruff: noqa: F401, F811 - fixtures are imported

import json
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest

from local import commands, stack
from local.steps import Steps
from local.workspace import Workspace
from tests.engine import ROOT, found_engine, free_port, home, identity, port, private, workspace

pytestmark = pytest.mark.engine

# One listing per kind of thing that `up` makes and the emulator has an API for. Not here, because AWS itself keeps them
# after a deletion: KMS keys, task definitions.
LISTINGS = (
    ("acm", "list_certificates", "CertificateSummaryList"),
    ("application-autoscaling", "describe_scalable_targets", "ScalableTargets"),
    ("cloudwatch", "describe_alarms", "MetricAlarms"),
    ("cloudwatch", "list_dashboards", "DashboardEntries"),
    ("ec2", "describe_addresses", "Addresses"),
    ("ec2", "describe_flow_logs", "FlowLogs"),
    ("ec2", "describe_route_tables", "RouteTables"),
    ("ec2", "describe_security_groups", "SecurityGroups"),
    ("ec2", "describe_security_group_rules", "SecurityGroupRules"),
    ("ec2", "describe_subnets", "Subnets"),
    ("ec2", "describe_vpcs", "Vpcs"),
    ("ecr", "describe_repositories", "repositories"),
    ("elasticache", "describe_replication_groups", "ReplicationGroups"),
    ("elbv2", "describe_load_balancers", "LoadBalancers"),
    ("elbv2", "describe_target_groups", "TargetGroups"),
    ("iam", "list_roles", "Roles"),
    ("kms", "list_aliases", "Aliases"),
    ("lambda", "list_functions", "Functions"),
    ("logs", "describe_log_groups", "logGroups"),
    ("rds", "describe_db_instances", "DBInstances"),
    ("rds", "describe_db_parameter_groups", "DBParameterGroups"),
    ("rds", "describe_db_subnet_groups", "DBSubnetGroups"),
    ("route53", "list_hosted_zones", "HostedZones"),
    ("s3", "list_buckets", "Buckets"),
    ("scheduler", "list_schedules", "Schedules"),
    ("secretsmanager", "list_secrets", "SecretList"),
    ("sns", "list_topics", "Topics"),
)


@pytest.fixture
def rentalfix(private: Workspace, tmp_path: Path) -> Workspace:
    """The repository as it is, with a stack file that may be edited."""
    root = tmp_path / "rentalfix"
    root.mkdir()
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name != "Pulumi.local.yaml":
            (root / path.name).symlink_to(path)
    (root / "Pulumi.local.yaml").write_bytes((ROOT / "Pulumi.local.yaml").read_bytes())
    return Workspace(
        root=root,
        home=private.home,
        folder=tmp_path / "work",
        engine=private.engine,
        system="rentalfix",
        stack="local",
        port=private.port,
    )


def contents(workspace: Workspace) -> dict[str, int]:
    """How many of each thing the emulator holds, moto's and ours."""
    address = f"http://127.0.0.1:{workspace.port}"
    login = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    counts = {}
    for service, operation, key in LISTINGS:
        client = boto3.client(service, endpoint_url=address, **login)
        arguments = {"ServiceNamespace": "ecs"} if service == "application-autoscaling" else {}
        counts[f"{service} {operation}"] = len(getattr(client, operation)(**arguments)[key])
    with urlopen(f"{address}/groundwork/records", timeout=20) as answer:
        return counts | {kind: len(ids) for kind, ids in json.load(answer).items()}


def test_rentalfix_from_nothing_and_back(rentalfix):
    quiet = Steps()
    commands.have_emulator(rentalfix, quiet)
    before = contents(rentalfix)

    first = commands.bring_up(rentalfix, quiet)
    assert first.changes.keys() == {"create"}
    filled = contents(rentalfix)
    assert [name for name in before if filled[name] <= before[name]] == []

    second = commands.bring_up(rentalfix, quiet)
    assert second.changes.keys() == {"same"}

    drift = stack.run(rentalfix, "refresh", "--yes", "--skip-preview")
    assert drift.changes.keys() == {"same"}

    text = rentalfix.stack_file.read_text(encoding="utf-8")
    assert text.count("max_count: 2") == 1
    rentalfix.stack_file.write_text(text.replace("max_count: 2", "max_count: 3"), encoding="utf-8")
    changed = commands.bring_up(rentalfix, quiet)
    assert changed.changes["update"] == 1
    assert changed.changes.keys() == {"same", "update"}

    stack.run(rentalfix, "destroy", "--yes", "--skip-preview")
    assert stack.resources(rentalfix) == []
    assert contents(rentalfix) == before
