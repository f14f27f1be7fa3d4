"""RentalFix whole, and an invented product with parts of all the others, through the real engine.

Each goes up, again, through a refresh, a change and a destroy, and nothing is left. While RentalFix stands the
operator's commands are run on it, and the second `up` finds nothing that they have changed.
"""

# ruff: noqa: F401, F811 - fixtures are imported

import json
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import boto3
import jmespath
import pytest

from local import commands, stack
from local.steps import Steps
from local.workspace import Workspace
from tests.engine import ROOT, found_engine, free_port, home, identity, port, private, workspace
from tests.operated_stack import operated

pytestmark = pytest.mark.engine

# One listing per kind of thing that `up` makes and the emulator has an API for. Not here, because AWS itself keeps them
# after a deletion: KMS keys, task definitions.
LISTINGS = (
    ("acm", "list_certificates", "CertificateSummaryList"),
    ("cloudfront", "list_distributions", "DistributionList.Items"),
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
    ("mq", "list_brokers", "BrokerSummaries"),
    ("rds", "describe_db_clusters", "DBClusters"),
    ("rds", "describe_db_instances", "DBInstances"),
    ("rds", "describe_db_proxies", "DBProxies"),
    ("rds", "describe_db_parameter_groups", "DBParameterGroups"),
    ("rds", "describe_db_subnet_groups", "DBSubnetGroups"),
    ("route53", "list_hosted_zones", "HostedZones"),
    ("s3", "list_buckets", "Buckets"),
    ("scheduler", "list_schedules", "Schedules"),
    ("secretsmanager", "list_secrets", "SecretList"),
    ("sns", "list_topics", "Topics"),
)


def project(root: Path, *, without: Sequence[str]) -> None:
    """The repository as it is, but for what a test puts there itself."""
    root.mkdir()
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name not in without:
            (root / path.name).symlink_to(path)


def workspace_of(system: str, root: Path, private: Workspace) -> Workspace:
    return replace(private, root=root, folder=root.parent / "work", system=system, stack="local")


@pytest.fixture
def rentalfix(private: Workspace, tmp_path: Path) -> Workspace:
    """The repository with a stack file that may be edited."""
    root = tmp_path / "rentalfix"
    project(root, without=["Pulumi.local.yaml"])
    (root / "Pulumi.local.yaml").write_bytes((ROOT / "Pulumi.local.yaml").read_bytes())
    return workspace_of("rentalfix", root, private)


@pytest.fixture
def orchard(private: Workspace, tmp_path: Path) -> Workspace:
    """The repository with another product in systems/: the settings look for it beside themselves."""
    root = tmp_path / "orchard"
    project(root, without=["__main__.py", "settings", "systems"])
    shutil.copy(ROOT / "__main__.py", root / "__main__.py")
    shutil.copytree(ROOT / "settings", root / "settings")
    shutil.copytree(ROOT / "tests" / "invented" / "systems", root / "systems")
    return workspace_of("orchard", root, private)


def contents(workspace: Workspace) -> dict[str, int]:
    """How many of each thing the emulator holds, moto's and ours."""
    address = f"http://127.0.0.1:{workspace.port}"
    login = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    counts = {}
    for service, operation, key in LISTINGS:
        client = boto3.client(service, endpoint_url=address, **login)
        arguments = {"ServiceNamespace": "ecs"} if service == "application-autoscaling" else {}
        found = jmespath.search(key, getattr(client, operation)(**arguments))
        counts[f"{service} {operation}"] = len(found or [])
    with urlopen(f"{address}/groundwork/records", timeout=20) as answer:
        return counts | {kind: len(ids) for kind, ids in json.load(answer).items()}


def live(
    workspace: Workspace,
    *,
    absent: Collection[str],
    change: tuple[str, str],
    while_it_stands: Callable[[], None] = lambda: None,
) -> None:
    """From nothing and back; `absent` are the listings of which the product makes nothing."""
    quiet = Steps()
    commands.have_emulator(workspace, quiet)
    before = contents(workspace)

    first = commands.bring_up(workspace, quiet)
    assert first.changes.keys() == {"create"}
    filled = contents(workspace)
    assert {name for name in before if filled[name] <= before[name]} == set(absent)

    while_it_stands()

    second = commands.bring_up(workspace, quiet)
    assert second.changes.keys() == {"same"}

    drift = stack.run(workspace, "refresh", "--yes", "--skip-preview")
    assert drift.changes.keys() == {"same"}

    text = workspace.stack_file.read_text(encoding="utf-8")
    assert text.count(change[0]) == 1
    workspace.stack_file.write_text(text.replace(*change), encoding="utf-8")
    changed = commands.bring_up(workspace, quiet)
    assert changed.changes["update"] == 1
    assert changed.changes.keys() == {"same", "update"}

    stack.run(workspace, "destroy", "--yes", "--skip-preview")
    assert stack.resources(workspace) == []
    assert contents(workspace) == before


def test_rentalfix_from_nothing_and_back(rentalfix, monkeypatch):
    absent = {
        "cloudfront list_distributions",
        "mq list_brokers",
        "rds describe_db_clusters",
        "rds describe_db_proxies",
    }

    def operate() -> None:
        assert list(operated(rentalfix, monkeypatch)) == []

    live(rentalfix, absent=absent, change=("max_count: 2", "max_count: 3"), while_it_stands=operate)


def test_an_invented_product_from_nothing_and_back(orchard):
    # The members of a Multi-AZ cluster are the cluster's own, and its parameters are a cluster's.
    absent = {"rds describe_db_instances", "rds describe_db_parameter_groups"}
    line = "memory_mib: 1024, desired_count: 1, min_count: 1, max_count: {}}}"

    def rotate() -> None:
        """As the task `broker-logins` leaves the secret, so that the next `up` and the refresh find nothing to do."""
        client = boto3.client(
            "secretsmanager",
            endpoint_url=f"http://127.0.0.1:{orchard.port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        [login] = [
            each["ARN"] for each in client.list_secrets()["SecretList"] if "/broker/harvest" in each["Name"]
        ]
        [first] = client.describe_secret(SecretId=login)["VersionIdsToStages"]
        client.update_secret_version_stage(SecretId=login, VersionStage="FIRST", MoveToVersionId=first)
        new = client.put_secret_value(SecretId=login, SecretString="{}", VersionStages=["AWSPENDING"])
        client.update_secret_version_stage(
            SecretId=login,
            VersionStage="AWSCURRENT",
            MoveToVersionId=new["VersionId"],
            RemoveFromVersionId=first,
        )
        assert client.describe_secret(SecretId=login)["VersionIdsToStages"][first] == ["FIRST", "AWSPREVIOUS"]

    live(orchard, absent=absent, change=(line.format(1), line.format(2)), while_it_stands=rotate)
