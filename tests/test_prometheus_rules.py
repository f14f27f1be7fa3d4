"""Every system's alert rules, by Prometheus' own promtool: they parse, fire when they should, and are silent else.

What goes in and what is expected: tests/prometheus/<system>.yaml.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.prometheus import Rule, rule_file
from tests.real_programs import promtool

ROOT = Path(__file__).parent.parent
CASES = {path.stem: path for path in sorted((ROOT / "tests" / "prometheus").glob("*.yaml"))}


def prometheus(system_file: Path) -> dict[str, Any]:
    content = yaml.safe_load(system_file.read_text(encoding="utf-8"))
    return content["observability"].get("prometheus") or {}


SYSTEMS = {
    path.parent.name: found
    for path in sorted(ROOT.glob("systems/*/system.yaml"))
    if (found := prometheus(path)).get("rules")
}


def rules(system: str) -> list[Rule]:
    return [
        Rule(**{("for_" if key == "for" else key): value for key, value in rule.items()})
        for rule in SYSTEMS[system]["rules"]
    ]


def check(system: str, file: str, folder: Path) -> str:
    """Writes the rules and gives what promtool says of them."""
    folder.joinpath("rules.yaml").write_text(file, encoding="utf-8")
    code, said = promtool("check", "rules", "rules.yaml", folder=folder)
    assert code == 0, f"{system}: {said}"
    return said


def outcome(cases: dict[str, Any], folder: Path) -> tuple[int, str]:
    content = {"rule_files": ["rules.yaml"], **cases}
    folder.joinpath("cases.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return promtool("test", "rules", "cases.yaml", folder=folder)


def completed(system: str) -> dict[str, Any]:
    """The cases, with what each alert takes from its rule."""
    cases = yaml.safe_load(CASES[system].read_text(encoding="utf-8"))
    file = yaml.safe_load(rule_file("all", rules(system)))
    by_alert = {rule["alert"]: rule for group in file["groups"] for rule in group["rules"]}
    for expected in [each for case in cases["tests"] for each in case["alert_rule_test"]]:
        rule = by_alert[expected["alertname"]]
        for alert in expected["exp_alerts"]:
            alert["exp_labels"] = {**alert.get("exp_labels", {}), **rule["labels"]}
            alert["exp_annotations"] = rule["annotations"]
    return cases


def test_every_system_with_rules_has_cases():
    assert set(CASES) == set(SYSTEMS)


@pytest.mark.parametrize("system", SYSTEMS)
def test_each_alert_is_seen_to_fire_and_to_be_silent(system):
    cases = yaml.safe_load(CASES[system].read_text(encoding="utf-8"))["tests"]
    seen = {
        (each["alertname"], bool(each["exp_alerts"])) for case in cases for each in case["alert_rule_test"]
    }
    assert seen == {(rule.alert, fires) for rule in rules(system) for fires in (True, False)}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_rules_are_what_they_should_be(system, tmp_path):
    said = check(system, rule_file(SYSTEMS[system]["group"], rules(system)), tmp_path)
    assert f"{len(rules(system))} rules found" in said
    code, said = outcome(completed(system), tmp_path)
    assert code == 0, said


CORRECTED = [(system, rule) for system in SYSTEMS for rule in rules(system) if rule.document_expr is not None]


@pytest.mark.parametrize(
    ("system", "rule"), CORRECTED, ids=[f"{each}-{rule.alert}" for each, rule in CORRECTED]
)
def test_what_the_document_has_in_place_of_a_corrected_expression_never_fires(system, rule, tmp_path):
    verbatim = Rule(
        alert=rule.alert,
        expr=rule.document_expr,
        for_=rule.for_,
        severity=rule.severity,
        summary=rule.summary,
    )
    check(system, rule_file("verbatim", [verbatim]), tmp_path)
    cases = completed(system)
    for case in cases["tests"]:
        case["alert_rule_test"] = [
            {**each, "exp_alerts": []} for each in case["alert_rule_test"] if each["alertname"] == rule.alert
        ]
    code, said = outcome(cases, tmp_path)
    assert code == 0, said
