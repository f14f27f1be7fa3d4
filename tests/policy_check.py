"""What the tests of `groundwork policy` share: a few rules, a stack with files, and events recorded from a preview."""

import json
from pathlib import Path
from typing import Any

from operations.policy.catalogue import Rule
from operations.policy.findings import Judgement, Reader
from operations.policy.places import Places
from operations.policy.stacks import Stack, choose

# `groundwork policy check` of the stack `prod` in test_operations_policy_engine.py, with these rules alone.
RECORDED = Path(__file__).with_name("policy_events.jsonl")
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
PREFIX = "urn:pulumi:prod::tiny::"


def rule(id: str, type_: str, **changes: Any) -> Rule:
    said: dict[str, Any] = {
        "topic": "logs",
        "about": "Logs.",
        "id": id,
        "what": f"{id} holds.",
        "why": "It has to.",
        "remedy": "Set it",
        "severity": "high",
        "types": [type_],
    }
    return Rule(**{**said, **changes})


RETENTION = rule(
    "log-retention-set",
    LOG_GROUP,
    severity="medium",
    remedy="Set retentionInDays (stack file: observability.log_retention_days)",
    checklist=["C60", "C61"],
    frameworks=["FSBP CloudWatch.16", "CKV_AWS_66"],
    settings={"minimum_days": {"type": "integer", "minimum": 0, "default": 30}},
)
ROTATION = rule("kms-rotation", "aws:kms/key:Key")
PRIVILEGE = rule("iam-least-privilege", "aws:iam/rolePolicy:RolePolicy")
ENCRYPTED = rule(
    "rds-encrypted", "aws:rds/instance:Instance", topic="database", about="Data.", severity="critical"
)
SILENT = rule("turned-off", LOG_GROUP, severity="low", advisory=True)
RULES = [RETENTION, ROTATION, PRIVILEGE, SILENT, ENCRYPTED]

STACK_FILE = """\
config:
  groundwork:system: tiny
  groundwork:observability:
    log_retention_days: 7
"""


def checkout(root: Path, **stacks: str) -> Path:
    """A repository with the product `tiny`; each stack is given by what its file holds."""
    (root / "systems" / "tiny").mkdir(parents=True)
    (root / "systems" / "tiny" / "system.yaml").write_text("name: tiny\n", encoding="utf-8")
    for name, content in (stacks or {"prod": STACK_FILE}).items():
        (root / f"Pulumi.{name}.yaml").write_text(content, encoding="utf-8")
    return root


def recorded() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]


def violation(policy: str = "log-retention-set", **changes: Any) -> dict[str, Any]:
    said = {
        "policyName": policy,
        "policyPackName": "groundwork",
        "message": f"It holds.\nIt does not. {RETENTION.remedy}.\n",
        "enforcementLevel": "mandatory",
        "severity": "medium",
        "resourceUrn": f"{PREFIX}groundwork:data:Cache${LOG_GROUP}::slow-log",
    }
    return {"policyEvent": {**said, **changes}}


def read(root: Path, *more: dict[str, Any], events: list[dict[str, Any]] | None = None) -> Judgement:
    """The judgement of the recorded events (or others) and `more`."""
    stack: Stack = choose(root, "tiny", ["prod"])[0]
    reader = Reader(stack, {each.id: each for each in RULES}, Places(root, stack))
    for event in [*(recorded() if events is None else events), *more]:
        reader.add(event)
    return reader.judgement(seconds=12.3)
