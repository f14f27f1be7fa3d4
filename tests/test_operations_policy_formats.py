"""The report of a check in each of its forms: violations, exemptions and what waits stand in all of them."""

import io
import json
import re
from xml.etree import ElementTree

import pytest
from rich.console import Console

from operations.policy import listing
from operations.policy.findings import Judgement
from operations.policy.formats import as_json, junit, markdown, sarif, text, words
from tests.policy_check import ENCRYPTED, PREFIX, RETENTION, RULES, checkout, read, rule, violation

EXPIRED = "the exemption of database from kms-rotation expired on 2025-01-01. Mend what it excused."
PROBLEM = "Pulumi.prod.yaml: no such key <x>\nMend it."
BEYOND_RULES = violation("exemptions", message=f"It holds.\n{EXPIRED}\n", resourceUrn="", severity="high")
REMEDIATED = {
    "policyRemediationEvent": {"policyName": "kms-rotation", "resourceUrn": f"{PREFIX}aws:kms/key:Key::key"}
}


@pytest.fixture
def judged(tmp_path):
    """A violation of a rule, one of no rule, an advisory one; an exemption, a check that waits, a remediation."""
    advisory = violation(
        "kms-rotation", enforcementLevel="advisory", severity="low", message="It holds.\nNo <b> | bar."
    )
    return read(checkout(tmp_path), BEYOND_RULES, advisory, REMEDIATED)


@pytest.fixture
def refused(judged):
    return Judgement(stack=judged.stack, seconds=0.44, problem=PROBLEM)


@pytest.fixture
def passed(tmp_path):
    return read(checkout(tmp_path / "passed"), events=[])


def screen(*judgements, fail_on="mandatory", width=100, terminal=False):
    page = io.StringIO()
    console = Console(file=page, width=width, highlight=False, force_terminal=terminal, _environ={})
    text.show(console, judgements, RULES, fail_on)
    return page.getvalue()


def test_the_screen_says_what_is_wrong_how_to_mend_it_and_where(judged):
    shown = screen(judged)
    assert shown.startswith(
        "tiny, stack prod: 3 violations of 3 policies; 1 finding exempt; 1 check not evaluated (4 resources, 12 s)\n"
        "  5 rules: 2 failed, 1 waiting for a value, 1 not applicable, 1 turned off.\n"
    )
    assert (
        "  medium, mandatory  log-retention-set  Logs are kept long enough, and not for ever.\n"
        "    retentionInDays is 7, at least 30 days are asked for (0 is for ever).\n"
        "      LogGroup requests\n"
        "    Fix: Set retentionInDays (stack file: observability.log_retention_days). (Pulumi.prod.yaml:4)\n"
    ) in shown
    assert f"  high, mandatory  exemptions  It holds.\n    {EXPIRED}\n      the stack\n" in shown
    assert (
        "  Exemptions in force\n"
        "    log-retention-set  LogGroup legacy: "
        "retentionInDays is 7, at least 30 days are asked for (0 is for ever).\n"
        "      Exempt until 2999-12-31 by dana@example.com: it goes with the old service.\n"
    ) in shown
    assert (
        "  Not evaluated: 1 check of values that only `pulumi up` will know\n"
        "    policy of reader: iam-least-privilege\n"
    ) in shown
    assert "  Remediated by the pack\n    kms-rotation  Key key\n" in shown
    assert shown.endswith("\nFailed: 2 mandatory findings.\n")
    assert "\x1b" not in shown


def test_the_gravest_stand_first_on_the_screen(judged):
    shown = screen(judged)
    assert shown.index("high, mandatory") < shown.index("medium, mandatory") < shown.index("low, advisory")


def test_a_terminal_has_colours_and_lines_that_fit(judged):
    shown = screen(judged, terminal=True, width=60)
    assert "\x1b[" in shown
    assert max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in shown.splitlines()) <= 60
    assert max(map(len, screen(judged, width=60).splitlines())) > 100


def test_one_finding_of_many_resources_is_said_once(tmp_path):
    urn = f"{PREFIX}aws:cloudwatch/logGroup:LogGroup::group"
    many = [violation(resourceUrn=f"{urn}-{number}") for number in range(15)]
    shown = screen(read(checkout(tmp_path), *many, events=[]))
    assert shown.count("It does not.") == 1
    assert "LogGroup group-11 and 3 more\n" in shown
    assert "group-12" not in shown


def test_several_stacks_end_in_a_table_and_one_does_not(judged, refused, passed):
    shown = screen(judged, refused)
    (row,) = [line for line in shown.splitlines() if line.startswith("prod ") and "12 s" in line]
    assert row.split() == ["prod", "0", "3", "3", "1", "1", "12", "s"]
    (failed,) = [line for line in shown.splitlines() if line.startswith("prod ") and "0.4 s" in line]
    assert failed.split() == ["prod", "-", "-", "-", "-", "-", "0.4", "s"]
    assert "not evaluated  took" not in screen(passed)


def test_a_stack_that_was_not_judged_says_why_in_every_form(refused):
    assert f"could not be judged (0 resources, 0.4 s)\n  {PROBLEM}\n" in screen(refused).replace(
        "\n  Mend", "\nMend"
    )
    assert "    Pulumi.prod.yaml: no such key <x>\n    Mend it.\n" in markdown.render(
        [refused], RULES, "never"
    )
    (stack,) = json.loads(as_json.render([refused], RULES, "never"))["stacks"]
    assert (stack["problem"], stack["rules"]) == (PROBLEM, {})
    (case,) = ElementTree.fromstring(junit.render([refused], RULES, "never")).iter("testcase")
    error = case.find("error")
    assert error is not None
    assert (error.get("message"), error.text) == ("Pulumi.prod.yaml: no such key <x>", PROBLEM)
    (run,) = json.loads(sarif.render([refused], RULES, "never"))["runs"]
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 2)
    assert invocation["toolExecutionNotifications"] == [{"level": "error", "message": {"text": PROBLEM}}]


@pytest.mark.parametrize(
    ("fail_on", "said"),
    [
        ("mandatory", "Failed: 2 mandatory findings."),
        ("low", "Failed: 3 findings of severity low or graver."),
        ("high", "Failed: 1 finding of severity high or graver."),
        ("critical", "Passed: 3 findings, none of them of severity critical."),
        ("never", "Passed: 3 findings, which count for nothing (--fail-on never)."),
    ],
)
def test_the_verdict_says_by_which_measure(judged, fail_on, said):
    assert words.verdict([judged], fail_on) == said


def test_the_verdict_of_nothing_is_short_and_that_of_an_advisory_one_is_not(passed, tmp_path):
    assert words.verdict([passed], "mandatory") == "Passed."
    advisory = read(checkout(tmp_path / "advisory"), violation(enforcementLevel="advisory"), events=[])
    assert words.verdict([advisory], "mandatory") == "Passed: 1 finding, none of them mandatory."


def test_json_holds_everything(judged):
    document = json.loads(as_json.render([judged], RULES, "mandatory"))
    assert (document["version"], document["fail_on"], document["exit_code"]) == (1, "mandatory", 1)
    (stack,) = document["stacks"]
    assert {name: stack[name] for name in ("system", "stack", "file", "seconds", "problem", "resources")} == {
        "system": "tiny",
        "stack": "prod",
        "file": "Pulumi.prod.yaml",
        "seconds": 12.3,
        "problem": None,
        "resources": 4,
    }
    assert [(each["rule"], each["level"], each["counts"]) for each in stack["violations"]] == [
        ("exemptions", "mandatory", True),
        ("log-retention-set", "mandatory", True),
        ("kms-rotation", "advisory", False),
    ]
    assert stack["violations"][1]["line"] == 4
    assert stack["exempted"][0]["reason"] == "it goes with the old service"
    assert stack["not_evaluated"] == [
        {"value": "policy", "resources": ["reader"], "rules": ["iam-least-privilege"]}
    ]
    assert stack["remediated"] == [{"rule": "kms-rotation", "urn": f"{PREFIX}aws:kms/key:Key::key"}]
    assert stack["rules"]["turned-off"] == "off"


def cases(judgement, fail_on="mandatory"):
    top = ElementTree.fromstring(junit.render([judgement], RULES, fail_on))
    (suite,) = top
    return top, suite, {case.get("name"): case for case in suite.iter("testcase")}


def test_junit_has_a_case_for_each_rule_and_for_what_is_beside_them(judged):
    top, suite, found = cases(judged)
    assert list(found) == [*(rule.id for rule in RULES), "exemptions"]
    assert suite.get("name") == "policies.tiny.prod"
    for element in (top, suite):
        sums = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert sums == {"tests": "6", "failures": "2", "errors": "0", "skipped": "3"}
    failure = found["log-retention-set"].find("failure")
    assert failure is not None
    assert failure.get("type") == "medium, mandatory"
    assert failure.text == (
        "Pulumi.prod.yaml:4: LogGroup requests: retentionInDays is 7, at least 30 days are asked for (0 is for ever). "
        "Set retentionInDays (stack file: observability.log_retention_days)."
    )
    assert found["exemptions"].find("failure") is not None


def test_junit_passes_what_does_not_count_and_tells_it(judged):
    _, _, found = cases(judged)
    assert found["kms-rotation"].find("failure") is None
    assert "No <b> | bar." in found["kms-rotation"].findtext("system-out", "")
    _, _, counted = cases(judged, "low")
    assert counted["kms-rotation"].find("failure") is not None


def test_junit_skips_what_judged_nothing_and_says_why(judged, tmp_path):
    _, suite, found = cases(judged)
    reasons = {name: case.find("skipped") for name, case in found.items()}
    assert {name: each.get("message") for name, each in reasons.items() if each is not None} == {
        "iam-least-privilege": "1 check not evaluated before `pulumi up`",
        "turned-off": "turned off by the configuration of the policies",
        "rds-encrypted": "the stack declares nothing that the rule is about",
    }
    assert "Exempt until 2999-12-31" in found["log-retention-set"].findtext("system-out", "")
    assert "Not evaluated before `pulumi up`: policy of reader" in suite.findtext("system-out", "")
    message = "Shown.\nkms-rotation: No. Exempt until 2030-01-01 by dana: later.\n"
    exempt = read(
        checkout(tmp_path / "exempt"),
        violation("exempted", message=message, enforcementLevel="advisory"),
        events=[],
    )
    skipped = cases(exempt)[2]["kms-rotation"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "exempt until 2030-01-01 by dana: later"


def test_junit_survives_what_xml_cannot_write(tmp_path):
    strange = read(checkout(tmp_path), violation(message="It holds.\nbell \x07 & <tag>\n"), events=[])
    assert "bell \N{REPLACEMENT CHARACTER} & <tag>" in cases(strange)[2]["log-retention-set"].findtext(
        "failure", ""
    )


def run_of(judgement, fail_on="mandatory"):
    log = json.loads(sarif.render([judgement], RULES, fail_on))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("/sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    return run


def test_sarif_has_what_its_schema_requires(judged):
    """The published schema is not part of the project; these are its required properties, types and enumerations."""
    run = run_of(judged)
    driver = run["tool"]["driver"]
    assert driver["name"] == "groundwork"
    assert driver["version"] == "0.1.0"
    assert run["automationDetails"]["id"] == "groundwork-policy/tiny/prod/"
    for each in driver["rules"]:
        assert each["id"]
        assert all(
            isinstance(each[name]["text"], str) for name in ("shortDescription", "fullDescription", "help")
        )
        assert each["defaultConfiguration"]["level"] in {"none", "note", "warning", "error"}
        assert len(set(each["properties"]["tags"])) == len(each["properties"]["tags"])
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["kind"] == "fail"
        assert result["level"] in {"note", "warning", "error"}
        physical = result["locations"][0]["physicalLocation"]
        assert physical["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
        assert not physical["artifactLocation"]["uri"].startswith("/")
        assert physical["region"]["startLine"] >= 1
        if "ruleIndex" in result:
            assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (True, 1)
    for notification in invocation["toolExecutionNotifications"]:
        assert notification["message"]["text"]
        assert notification["level"] in {"none", "note", "warning", "error"}


def test_sarif_names_rule_resource_and_line(judged):
    result = next(each for each in run_of(judged)["results"] if each["ruleId"] == "log-retention-set")
    assert result["level"] == "warning"
    assert result["message"]["text"].startswith("LogGroup requests: retentionInDays is 7")
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "Pulumi.prod.yaml"
    assert location["physicalLocation"]["region"] == {"startLine": 4}
    assert location["logicalLocations"][0]["fullyQualifiedName"].endswith("LogGroup::requests")
    assert result["suppressions"] == []


def test_sarif_suppresses_what_is_exempt_with_its_reason(judged):
    results = run_of(judged)["results"]
    assert all("suppressions" in each for each in results)
    (suppressed,) = [each for each in results if each["suppressions"]]
    assert suppressed["locations"][0]["logicalLocations"][0]["name"] == "legacy"
    assert suppressed["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "Exempt until 2999-12-31 by dana@example.com: it goes with the old service.",
            "properties": {"owner": "dana@example.com", "expires": "2999-12-31"},
        }
    ]


def test_sarif_notifies_of_what_waits(judged):
    (invocation,) = run_of(judged)["invocations"]
    assert [each["message"]["text"] for each in invocation["toolExecutionNotifications"]] == [
        "Not evaluated before `pulumi up`: policy of reader: iam-least-privilege",
        "Remediated by kms-rotation: Key key",
    ]


def test_sarif_describes_rules_with_frameworks_and_security_severity(judged):
    rules = {each["id"]: each for each in run_of(judged)["tool"]["driver"]["rules"]}
    retention = rules["log-retention-set"]
    assert retention["properties"]["tags"] == [
        "security",
        "logs",
        "C60",
        "C61",
        "FSBP CloudWatch.16",
        "CKV_AWS_66",
    ]
    assert "Set retentionInDays" in retention["help"]["text"]
    severities = {id: float(each["properties"]["security-severity"]) for id, each in rules.items()}
    assert (
        severities["rds-encrypted"]
        > 9
        > severities["kms-rotation"]
        >= 7
        > severities["log-retention-set"]
        >= 4
    )
    assert 0 < severities["turned-off"] < 4
    assert rules["turned-off"]["defaultConfiguration"]["level"] == "note"


def test_sarif_knows_an_alert_again_and_tells_two_of_one_resource_apart(tmp_path):
    once, twice = (
        violation(message=f"It holds.\nretentionInDays is {days}. {RETENTION.remedy}.\n") for days in (1, 2)
    )

    def prints(name, *events):
        results = run_of(read(checkout(tmp_path / name), *events, events=[]))["results"]
        return [each["partialFingerprints"]["ruleAndResource/v1"] for each in results]

    assert prints("a", once) == prints("b", twice)
    first, second = prints("c", once, twice)
    assert first != second
    assert [first] == prints("d", once)


def test_markdown_has_a_table_of_violations_and_folds_the_rest(judged):
    page = markdown.render([judged], RULES, "mandatory")
    assert page.startswith("## Policies\n\n**Failed: 2 mandatory findings.**\n\n| stack | outcome | took |\n")
    assert (
        "| medium | `log-retention-set`<br>Logs are kept long enough, and not for ever. | "
        "retentionInDays is 7, at least 30 days are asked for (0 is for ever). (`LogGroup requests`) | "
        "Set retentionInDays (stack file: observability.log_retention_days). `Pulumi.prod.yaml:4` |"
    ) in page
    assert "| low, advisory | `kms-rotation`<br>It holds. | No &lt;b> \\| bar. (" in page
    assert "<details><summary>1 exemption in force</summary>\n\n| rule |" in page
    assert "| 2999-12-31 | dana@example.com | it goes with the old service |" in page
    assert "| `policy` | reader | iam-least-privilege |" in page
    assert "<summary>1 resource remediated by the pack</summary>" in page
    assert page.count("<details>") == page.count("</details>") == 3


def test_markdown_takes_nothing_in_a_grant_for_markup(tmp_path):
    message = "Shown.\nkms-rotation: No. Exempt until 2030-01-01 by @team: <b> [x](y).\n"
    exempt = read(
        checkout(tmp_path), violation("exempted", message=message, enforcementLevel="advisory"), events=[]
    )
    page = markdown.render([exempt], RULES, "mandatory")
    assert "| 2030-01-01 | @\N{ZERO WIDTH SPACE}team | &lt;b> \\[x\\](y) |" in page


def test_markdown_names_a_dozen_resources_and_counts_the_rest(tmp_path):
    many = [violation(resourceUrn=f"{PREFIX}aws:kms/key:Key::k{number}") for number in range(14)]
    page = markdown.render([read(checkout(tmp_path), *many, events=[])], RULES, "mandatory")
    assert "`Key k11` and 2 more)" in page
    assert "k12" not in page


def test_markdown_of_a_good_stack_is_short(passed):
    assert markdown.render([passed], RULES, "mandatory") == (
        "## Policies\n\n**Passed.**\n\n| stack | outcome | took |\n| --- | --- | --- |\n"
        "| tiny prod | no violation | 12 s |\n\n### tiny, stack prod\n\n5 rules: 5 turned off.\n"
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("a <b> `c <d> [e]*` <f", "a &lt;b> `c <d> [e]*` &lt;f"),
        ("see [here](http://x)", r"see \[here\](http://x)"),
        ('no "s3:*" and *', r'no "s3:\*" and \*'),
        ("@team, dana@example.com", "@\N{ZERO WIDTH SPACE}team, dana@example.com"),
        ("one ` only <b>", "one ' only &lt;b>"),
    ],
)
def test_text_in_markdown_is_text(said, shown):
    assert markdown.cell(said) == shown


def listed(rules, brief=False):
    page = io.StringIO()
    listing.show(Console(file=page, highlight=False), rules, total=len(RULES), brief=brief)
    return page.getvalue()


def test_a_rule_is_listed_with_all_that_it_says():
    assert listed([RETENTION]) == (
        "logs  Logs.\n\n"
        "  log-retention-set  medium, mandatory\n"
        "    log-retention-set holds.\n"
        "    Why        It has to.\n"
        "    Fix        Set retentionInDays (stack file: observability.log_retention_days).\n"
        "    Types      aws:cloudwatch/logGroup:LogGroup\n"
        "    Checklist  C60, C61\n"
        "    Frameworks FSBP CloudWatch.16, CKV_AWS_66\n"
        "    Thresholds minimum_days = 30\n\n"
        "1 of 5 rules.\n"
    )


def test_what_is_new_in_the_pack_is_listed_too():
    new = rule(
        "new",
        "t",
        whole_stack=True,
        must_know=True,
        remediates={"t": {"on": True}},
        since="1.2",
        empty=[],
        takes=["name"],
    )
    shown = listed([new])
    assert "Note       Judged once everything is declared" in shown
    assert "Note       A value that only `pulumi up` will know is a violation here." in shown
    assert "Note       With the level `remediate` the pack sets on = true on t." in shown
    assert "Note       since: 1.2" in shown
    assert "empty" not in shown
    assert "takes" not in shown
    assert json.loads(listing.as_json([new]))[0]["since"] == "1.2"


def test_topics_head_their_rules_and_a_brief_list_has_a_line_each():
    shown = listed(RULES)
    assert shown.index("logs  Logs.") < shown.index("database  Data.") < shown.index("rds-encrypted")
    assert shown.endswith("5 rules.\n")
    brief = listed(RULES, brief=True).splitlines()
    assert brief[0] == "log-retention-set    medium    mandatory  log-retention-set holds."
    assert len(brief) == len(RULES) + 1
    assert listed([], brief=True) == "0 of 5 rules.\n"


def test_a_list_for_a_page_has_the_thresholds():
    assert listing.as_markdown([RETENTION, ENCRYPTED]).splitlines()[2:] == [
        "| `log-retention-set` | medium | log-retention-set holds. | Set retentionInDays "
        "(stack file: observability.log_retention_days). | C60, C61, FSBP CloudWatch.16, CKV_AWS_66 | "
        "`minimum_days` 30 |",
        "| `rds-encrypted` | critical | rds-encrypted holds. | Set it. |  |  |",
    ]
