"""The pack alone, on a program that is not ours: plain pulumi_aws in a folder of its own, previewed from there."""

# ruff: noqa: F401, F811 - fixtures are imported

import json
import os
import re
import subprocess

import pytest

from local.workspace import FORGOTTEN, PASSPHRASE
from tests.engine import ROOT, found_engine, home

pytestmark = pytest.mark.engine

OPEN = """
import json
import pulumi_aws as aws

vpc = aws.ec2.Vpc("shop", cidr_block="10.0.0.0/16")
data = aws.ec2.SecurityGroup("data", vpc_id=vpc.id, description="data")
aws.vpc.SecurityGroupIngressRule("anybody", security_group_id=data.id, ip_protocol="tcp", from_port=5432, to_port=5432,
    cidr_ipv4="0.0.0.0/0")
aws.rds.Instance("orders", identifier="orders", engine="postgres", engine_version="13.4", instance_class="db.t4g.micro",
    allocated_storage=20, username="shop", password="changeme", publicly_accessible=True,
    vpc_security_group_ids=[data.id], skip_final_snapshot=True)
bucket = aws.s3.Bucket("files", bucket="shop-files")
aws.s3.BucketPolicy("files", bucket=bucket.bucket, policy=json.dumps({"Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop-files/*"},
]}))
cluster = aws.ecs.Cluster("shop", name="shop")
task = aws.ecs.TaskDefinition("web", family="web", container_definitions=json.dumps([
    {"name": "web", "image": "shop:latest", "environment": [{"name": "DB_PASSWORD", "value": "changeme"}]},
]))
aws.ecs.Service("web", cluster=cluster.arn, task_definition=task.arn, desired_count=1,
    network_configuration={"subnets": ["subnet-1"], "assign_public_ip": True})
"""

CLOSED = """
import json
import pulumi_aws as aws

vpc = aws.ec2.Vpc("shop", cidr_block="10.0.0.0/16")
web = aws.ec2.SecurityGroup("web", vpc_id=vpc.id, description="web")
data = aws.ec2.SecurityGroup("data", vpc_id=vpc.id, description="data")
aws.vpc.SecurityGroupIngressRule("web", security_group_id=data.id, ip_protocol="tcp", from_port=5432, to_port=5432,
    referenced_security_group_id=web.id)
parameters = aws.rds.ParameterGroup("orders", family="postgres16", parameters=[{"name": "rds.force_ssl", "value": "1"}])
aws.rds.Instance("orders", identifier="orders", engine="postgres", engine_version="16.8", instance_class="db.t4g.micro",
    allocated_storage=20, username="shop", manage_master_user_password=True, storage_encrypted=True,
    publicly_accessible=False, parameter_group_name=parameters.name, vpc_security_group_ids=[data.id],
    backup_retention_period=30, deletion_protection=True, final_snapshot_identifier="orders-final")
bucket = aws.s3.Bucket("files", bucket="shop-files")
aws.s3.BucketPublicAccessBlock("files", bucket=bucket.bucket, block_public_acls=True, block_public_policy=True,
    ignore_public_acls=True, restrict_public_buckets=True)
aws.s3.BucketPolicy("files", bucket=bucket.bucket, policy=json.dumps({"Statement": [
    {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::shop-files/*",
     "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
]}))
cluster = aws.ecs.Cluster("shop", name="shop")
password = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/database"
task = aws.ecs.TaskDefinition("web", family="web", container_definitions=json.dumps([
    {"name": "web", "image": "shop:1.4.2", "user": "1000", "secrets": [{"name": "DB_PASSWORD", "valueFrom": password}]},
]))
aws.ecs.Service("web", cluster=cluster.arn, task_definition=task.arn, desired_count=1,
    deployment_circuit_breaker={"enable": True, "rollback": True},
    network_configuration={"subnets": ["subnet-1"], "assign_public_ip": False})
"""

# What the first program breaks and the second one does not. All other rules only advise, as a team may begin with.
ASKED = {
    "container-image-pinned",
    "container-non-root",
    "deployment-rollback-enabled",
    "ecs-no-public-ip",
    "no-default-secrets",
    "no-plaintext-secrets-in-env",
    "rds-backup-retention",
    "rds-deletion-protection",
    "rds-encrypted",
    "rds-engine-version-min",
    "rds-force-ssl",
    "rds-not-public",
    "resource-policy-not-public",
    "s3-block-public",
    "s3-tls-only",
    "secret-min-strength",
    "sg-no-open-data-ports",
    "sg-no-open-ingress",
}
LEVELS = {"all": "advisory", **dict.fromkeys(ASKED, "mandatory")}
VIOLATION = re.compile(r"- \[(\w+)\] \[severity: \w+\]  (\S+)  ")


@pytest.fixture
def preview(tmp_path, home):
    """Runs `pulumi preview --policy-pack …` on a program; gives the exit code, and the level of each violated rule."""
    project = tmp_path / "shop"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (project / "Pulumi.prod.yaml").write_text("config:\n  aws:region: eu-west-1\n")
    (tmp_path / "state").mkdir()
    own = {key: value for key, value in os.environ.items() if not key.startswith(FORGOTTEN)}
    environment = {
        **own,
        "PATH": os.pathsep.join([str(found_engine().parent), own["PATH"]]),
        "PULUMI_HOME": str(home / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }

    def pulumi(*arguments):
        return subprocess.run(
            [found_engine(), *arguments, "--non-interactive"],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def run(program, *options, levels=LEVELS):
        (project / "__main__.py").write_text(program)
        (project / "policies.json").write_text(json.dumps(levels))
        pack = ("--policy-pack", str(ROOT / "policies"), "--policy-pack-config", "policies.json")
        done = pulumi("preview", "--stack", "prod", *pack, *options)
        levels = {rule: level for level, rule in VIOLATION.findall(done.stdout)}
        return done.returncode, levels, done.stdout + done.stderr

    initialised = pulumi("stack", "init", "prod")
    assert initialised.returncode == 0, initialised.stderr
    return run


def test_a_program_of_others_is_refused_until_it_is_mended(preview):
    code, levels, shown = preview(OPEN)
    assert {rule for rule, level in levels.items() if level == "mandatory"} == ASKED, shown
    assert code != 0
    assert "changeme" not in shown, "no report shows a secret"

    code, levels, shown = preview(CLOSED)
    assert not ASKED & set(levels), shown
    assert code == 0, shown
    assert levels["rds-multi-az"] == "advisory", "the pack has judged it"
    assert "not-evaluated" not in levels, "nothing that is asked waits for `pulumi up`"


def test_what_the_pack_mends_shows_in_the_diff(preview):
    program = 'import pulumi_aws as aws\naws.kms.Key("orders", description="orders")\n'
    levels = {"all": "advisory", "kms-rotation": "mandatory"}
    code, _, shown = preview(program, "--diff", levels=levels)
    assert code != 0
    assert "[mandatory] [severity: medium]  kms-rotation" in shown, shown
    assert "enableKeyRotation: true" not in shown, shown

    code, _, shown = preview(program, "--diff", levels=levels | {"kms-rotation": "remediate"})
    assert code == 0, shown
    assert re.search(r"\[remediate\] +kms-rotation +\(aws:kms/key:Key: orders\)", shown), shown
    assert re.search(r"enableKeyRotation *: true", shown), shown
