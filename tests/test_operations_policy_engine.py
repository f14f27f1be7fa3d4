"""`groundwork policy check` as somebody types it: a checkout of its own, the real engine, the real pack."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from local import engine, packages, setup
from tests.engine import ROOT, found_engine

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi
import pulumi_aws as aws

config = pulumi.Config()
if config.get_bool("refused"):
    raise pulumi.RunError("Pulumi.refused.yaml: days must be given.")
days = config.require_int("days")
aws.cloudwatch.LogGroup("requests", retention_in_days=days)
aws.cloudwatch.LogGroup("legacy", retention_in_days=days)
key = aws.kms.Key("key", enable_key_rotation=True)
statement = pulumi.Output.json_dumps({"Statement": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key.arn}]})
aws.iam.RolePolicy("reader", role="reader", policy=statement)
"""
EXEMPTION = {
    "rule": "log-retention-set",
    "resource": "legacy",
    "owner": "dana@example.com",
    "expires": "2999-12-31",
    "reason": "it goes with the old service",
}
# A few rules, so that a new one about keys or roles changes nothing here.
LEVELS = {
    "all": "disabled",
    **dict.fromkeys(
        ("log-retention-set", "kms-rotation", "iam-least-privilege", "rds-encrypted"), "mandatory"
    ),
    **dict.fromkeys(("not-evaluated", "exempted"), "advisory"),
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Another product's repository with this one's pack, engine and packages, and nothing else of it."""
    root = tmp_path_factory.mktemp("policy") / "a checkout"
    for name in ("local", "operations"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "policies").symlink_to(ROOT / "policies")
    binaries = root / ".venv" / "bin"
    binaries.mkdir(parents=True)
    shutil.copy(ROOT / ".venv" / "pyvenv.cfg", root / ".venv")
    (root / ".venv" / "lib").symlink_to(ROOT / ".venv" / "lib")
    (binaries / "python").symlink_to(packages.python(ROOT).resolve())
    (root / ".local" / "bin").mkdir(parents=True)
    if found_engine() == engine.built(ROOT / ".local"):
        # Copied, since the engine looks for its language plugin beside what a link leads to.
        for name in (engine.TOOL.program, engine.TOOL.note):
            shutil.copy(found_engine().with_name(name), root / ".local" / "bin")
    (root / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (root / "__main__.py").write_text(PROGRAM)
    (root / "systems" / "tiny").mkdir(parents=True)
    (root / "systems" / "tiny" / "system.yaml").write_text("name: tiny\n")
    head = "config:\n  groundwork:system: tiny\n  aws:region: us-east-1\n"
    (root / "Pulumi.prod.yaml").write_text(
        f"{head}  groundwork:observability: {{log_retention_days: 7}}\n  tiny:days: 7\n"
    )
    (root / "Pulumi.staging.yaml").write_text(f"{head}  tiny:days: 30\n")
    (root / "Pulumi.refused.yaml").write_text(f"{head}  tiny:refused: true\n")
    exemptions = {"enforcementLevel": "mandatory", "granted": [EXEMPTION]}
    (root / "policies.prod.json").write_text(json.dumps({**LEVELS, "exemptions": exemptions}))
    for stack in ("staging", "refused"):
        (root / f"policies.{stack}.json").write_text(json.dumps(LEVELS))
    setup.place_command(root)
    return root


def check(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Started from elsewhere, as a person may."""
    return subprocess.run(
        [root / ".venv" / "bin" / "groundwork", "policy", "check", "--system", "tiny", *arguments],
        cwd=root.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_stack_with_an_offence_fails_and_one_without_passes(checkout):
    done = check(
        checkout, "--stack", "staging", "--stack", "prod", "--format", "json", "--output", "report.json"
    )
    assert done.returncode == 1, done.stderr
    assert "Failed: 1 mandatory finding. The report is in report.json." in done.stderr
    staging, prod = json.loads((checkout.parent / "report.json").read_text())["stacks"]

    assert staging["violations"] == staging["exempted"] == []
    assert staging["problem"] is None
    assert staging["resources"] == 4
    assert {name: status for name, status in staging["rules"].items() if status != "off"} == {
        "log-retention-set": "passed",
        "kms-rotation": "passed",
        "iam-least-privilege": "waits",
        "rds-encrypted": "not applicable",
    }

    (violation,) = prod["violations"]
    assert violation["rule"] == "log-retention-set"
    assert violation["urn"].endswith("::requests")
    assert (violation["file"], violation["line"]) == ("Pulumi.prod.yaml", 4)
    assert violation["found"].startswith("retentionInDays is 7, at least 30 days are asked for")
    assert violation["remedy"] == "Set retentionInDays (stack file: observability.log_retention_days)."
    (exempted,) = prod["exempted"]
    assert exempted["urn"].endswith("::legacy")
    assert {name: exempted[name] for name in ("rule", "owner", "expires", "reason")} == {
        name: EXEMPTION[name] for name in ("rule", "owner", "expires", "reason")
    }
    assert exempted["found"].startswith("retentionInDays is 7")
    for stack in (staging, prod):
        (waiting,) = stack["not_evaluated"]
        assert waiting["resources"] == ["reader"]
        assert waiting["rules"] == ["iam-least-privilege"]


def test_a_stack_whose_settings_are_refused_is_not_judged(checkout):
    done = check(checkout, "--stack", "refused")
    assert done.returncode == 2
    assert "tiny, stack refused: could not be judged" in done.stdout
    assert "Pulumi.refused.yaml: days must be given." in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
