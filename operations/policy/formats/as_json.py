"""For programs: everything that is known, by names that stay."""

import json
from collections.abc import Sequence
from typing import Any

from operations.policy.catalogue import Rule
from operations.policy.findings import Exempted, FailOn, Finding, Judgement, exit_code

VERSION = 1


def render(judgements: Sequence[Judgement], rules: Sequence[Rule], fail_on: FailOn) -> str:
    document = {
        "version": VERSION,
        "fail_on": fail_on,
        "exit_code": exit_code(judgements, fail_on),
        "stacks": [_stack(each, rules, fail_on) for each in judgements],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _stack(judgement: Judgement, rules: Sequence[Rule], fail_on: FailOn) -> dict[str, Any]:
    return {
        "system": judgement.stack.system,
        "stack": judgement.stack.name,
        "file": judgement.stack.file.as_posix(),
        "seconds": round(judgement.seconds, 1),
        "problem": judgement.problem or None,
        "resources": judgement.resources,
        "violations": [
            {**_finding(found), "counts": found.counts(fail_on), "level": found.level, "remedy": found.remedy}
            for found in judgement.findings
        ],
        "exempted": [
            {**_finding(each), "expires": each.expires, "owner": each.owner, "reason": each.reason}
            for each in judgement.exempted
        ],
        "not_evaluated": [
            {"value": each.value, "resources": each.resources, "rules": each.rules}
            for each in judgement.waiting
        ],
        "remediated": [{"rule": each.rule, "urn": each.resource.urn} for each in judgement.remediated],
        "rules": {} if judgement.problem else {rule.id: judgement.status(rule) for rule in rules},
    }


def _finding(found: Finding | Exempted) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "severity": found.severity,
        "urn": found.resource.urn,
        "found": found.found,
        "file": found.place.file,
        "line": found.place.line,
    }
