"""SARIF 2.1.0, for code scanning: a run for each stack, an alert for each finding, at the line that mends it.

A finding that is exempt is a suppressed result, and what was not evaluated a notification of the run.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from operations.policy.catalogue import Rule
from operations.policy.findings import Exempted, FailOn, Finding, Judgement, exit_code
from operations.policy.formats import words
from operations.policy.places import Place

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
# Within the ranges that GitHub shows as critical (over 9), high (7 to 8.9), medium (4 to 6.9) and low.
SECURITY_SEVERITIES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
ROOT = "SRCROOT"


def render(judgements: Sequence[Judgement], rules: Sequence[Rule], fail_on: FailOn) -> str:
    runs = [_run(each, rules, fail_on) for each in judgements]
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": runs}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _run(judgement: Judgement, rules: Sequence[Rule], fail_on: FailOn) -> dict[str, Any]:
    stack = judgement.stack
    index = {rule.id: number for number, rule in enumerate(rules)}
    driver = {
        "name": "groundwork",
        "fullName": "Groundwork's policy pack",
        "rules": [_rule(rule) for rule in rules],
    }
    if judgement.pack_version:
        driver["version"] = judgement.pack_version
    return {
        "tool": {"driver": driver},
        # Code scanning compares a run with the last one of the same id.
        "automationDetails": {"id": f"groundwork-policy/{stack.system}/{stack.name}/"},
        "invocations": [_invocation(judgement, fail_on)],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The repository's root."}}},
        "results": _numbered(
            [_violation(found, index) for found in judgement.findings]
            + [_suppressed(exempted, index) for exempted in judgement.exempted]
        ),
        "properties": {"system": stack.system, "stack": stack.name, "resources": judgement.resources},
    }


def _rule(rule: Rule) -> dict[str, Any]:
    asked = [*rule.checklist, *rule.frameworks]
    also = f"\n\nAlso: {', '.join(asked)}." if asked else ""
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": rule.why},
        "help": {
            "text": f"{rule.remedy}.{also}",
            "markdown": f"**How to fix:** {rule.remedy}.{also}\n\nEvery rule: `docs/policies.md`.",
        },
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {
            "tags": ["security", rule.topic, *asked],
            "security-severity": SECURITY_SEVERITIES[rule.severity],
            "enforcement": rule.level,
        },
    }


def _violation(found: Finding, index: Mapping[str, int]) -> dict[str, Any]:
    return _result(found, index, f"{found.resource}: {found.found} {found.remedy}".strip()) | {
        # Said of every result, or of none: an absent list would mean that nobody looked.
        "suppressions": [],
        "properties": {"severity": found.severity, "enforcement": found.level},
    }


def _suppressed(exempted: Exempted, index: Mapping[str, int]) -> dict[str, Any]:
    properties = {"owner": exempted.owner, "expires": exempted.expires}
    justification = f"Exempt {words.grant(exempted)}."
    return _result(exempted, index, f"{exempted.resource}: {exempted.found}") | {
        "suppressions": [
            {
                "kind": "external",
                "status": "accepted",
                "justification": justification,
                "properties": properties,
            }
        ],
    }


def _result(found: Finding | Exempted, index: Mapping[str, int], text: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": found.rule,
        "kind": "fail",
        "level": LEVELS.get(found.severity, "error"),
        "message": {"text": text},
        "locations": [_location(found)],
    }
    if found.rule in index:
        result["ruleIndex"] = index[found.rule]
    return result


def _numbered(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With a fingerprint each, by which a scanner knows an alert again.

    What is found may change, with a figure in it, and lines move; rule and resource stay, and which of its findings
    it is.
    """
    seen: Counter[tuple[str, str]] = Counter()
    for result in results:
        where = result["locations"][0].get("logicalLocations", [{}])[0].get("fullyQualifiedName", "")
        key = (result["ruleId"], where)
        digest = hashlib.sha256("\0".join((*key, str(seen[key]))).encode()).hexdigest()
        result["partialFingerprints"] = {"ruleAndResource/v1": digest}
        seen[key] += 1
    return results


def _location(found: Finding | Exempted) -> dict[str, Any]:
    location: dict[str, Any] = {"physicalLocation": _physical(found.place)}
    if found.resource.urn:
        logical = {"name": found.resource.name, "fullyQualifiedName": found.resource.urn, "kind": "resource"}
        location["logicalLocations"] = [logical]
    return location


def _physical(place: Place) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": place.file, "uriBaseId": ROOT},
        "region": {"startLine": place.line},
    }


def _invocation(judgement: Judgement, fail_on: FailOn) -> dict[str, Any]:
    notifications = [_notification("note", said) for said in words.asides(judgement)]
    if judgement.problem:
        notifications.append(_notification("error", judgement.problem))
    return {
        "executionSuccessful": not judgement.problem,
        "exitCode": exit_code([judgement], fail_on),
        "toolExecutionNotifications": notifications,
    }


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}}
