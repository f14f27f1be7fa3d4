"""What a check makes of the engine's events: findings, exemptions, what waits; where to mend it; what counts."""

import pytest

from operations.policy import findings
from operations.policy.findings import Resource, exit_code
from operations.policy.places import Place, Places
from operations.policy.stacks import Stack, Unknown, choose
from tests.policy_check import (
    ENCRYPTED,
    LOG_GROUP,
    PREFIX,
    PRIVILEGE,
    RETENTION,
    ROTATION,
    RULES,
    SILENT,
    checkout,
    read,
    recorded,
    violation,
)


@pytest.fixture
def root(tmp_path):
    return checkout(tmp_path)


def without_violation():
    return [event for event in recorded() if event.get("policyEvent", {}).get("severity") != "medium"]


def test_a_violation_is_taken_apart_into_what_should_hold_what_was_found_and_the_remedy(root):
    (found,) = read(root).findings
    assert found.rule == "log-retention-set"
    assert (found.severity, found.level) == ("medium", "mandatory")
    assert found.what == "Logs are kept long enough, and not for ever."
    assert found.found == "retentionInDays is 7, at least 30 days are asked for (0 is for ever)."
    assert found.remedy == "Set retentionInDays (stack file: observability.log_retention_days)."
    assert str(found.resource) == "LogGroup requests"
    assert found.place == Place("Pulumi.prod.yaml", 4)


def test_a_finding_of_a_policy_that_is_no_rule_is_shown_whole(root):
    event = violation("exemptions", message="An exemption is needed.\nIt expired. Mend it.\n", resourceUrn="")
    found = next(each for each in read(root, event).findings if each.rule == "exemptions")
    assert (found.found, found.remedy) == ("It expired. Mend it.", "")
    assert str(found.resource) == "the stack"
    assert found.place == Place("Pulumi.prod.yaml", 1)


def test_a_message_of_one_line_is_what_was_found(root):
    found = next(
        each
        for each in read(root, violation("other", message="It is wrong.")).findings
        if each.rule == "other"
    )
    assert (found.what, found.found) == ("It is wrong.", "It is wrong.")


def test_an_exempted_finding_is_no_violation_and_keeps_its_grant(root):
    (exempted,) = read(root).exempted
    assert (exempted.rule, exempted.severity) == ("log-retention-set", "medium")
    assert exempted.resource == Resource(f"{PREFIX}{LOG_GROUP}::legacy")
    assert exempted.found == "retentionInDays is 7, at least 30 days are asked for (0 is for ever)."
    assert (exempted.expires, exempted.owner) == ("2999-12-31", "dana@example.com")
    assert exempted.reason == "it goes with the old service"
    assert exempted.place == Place("Pulumi.prod.yaml", 4)


def test_a_grant_may_hold_the_words_by_which_it_is_read(root):
    text = (
        "kms-rotation: It is. Exempt until now by us: no. Exempt until 2030-01-01 by A: B: see Exempt by: C."
    )
    event = violation("exempted", message=f"Shown.\n{text}\n", enforcementLevel="advisory")
    exempted = read(root, event).exempted[-1]
    assert exempted.found == "It is. Exempt until now by us: no."
    assert (exempted.expires, exempted.owner, exempted.reason) == ("2030-01-01", "A", "B: see Exempt by: C")


def test_an_exempted_finding_in_other_words_is_shown_rather_than_lost(root):
    event = violation("exempted", message="Shown.\nsomething else\n", enforcementLevel="advisory")
    assert [each.found for each in read(root, event).findings if each.rule == "exempted"] == [
        "something else"
    ]


def test_what_waits_is_listed_by_value_and_counted_by_rule_and_resource(root):
    message = "Said.\n7 checks wait:\n  a.b of one, two: iam-least-privilege, kms-rotation\n  c: d\n"
    judgement = read(root, violation("not-evaluated", message=message, enforcementLevel="advisory"))
    before, listed, unread = judgement.waiting
    assert (before.value, before.resources, before.rules) == (
        "policy",
        ("reader",),
        ("iam-least-privilege",),
    )
    assert (listed.value, listed.resources) == ("a.b", ("one", "two"))
    assert unread.value == "c: d"
    assert judgement.waiting_checks == 5
    assert judgement.waiting_of("iam-least-privilege") == 3
    assert judgement.waiting_of("rds-encrypted") == 0
    assert not [each for each in judgement.findings if each.rule == "not-evaluated"]


def test_what_waits_is_a_violation_where_nothing_may(root):
    message = "Said.\n1 check waits for values:\n  a of one: kms-rotation\n"
    judgement = read(root, violation("not-evaluated", message=message))
    assert [each.found for each in judgement.findings if each.rule == "not-evaluated"] == [
        "1 check waits for values."
    ]
    assert len(judgement.waiting) == 2


def test_what_the_pack_has_changed_itself_is_kept(root):
    event = {
        "policyRemediationEvent": {
            "policyName": "kms-rotation",
            "resourceUrn": f"{PREFIX}aws:kms/key:Key::key",
        }
    }
    (remediated,) = read(root, event).remediated
    assert (remediated.rule, str(remediated.resource)) == ("kms-rotation", "Key key")


def test_a_rule_has_passed_only_when_it_judged_something_and_waits_for_nothing(root):
    judgement = read(root)
    assert judgement.status(ROTATION) == "passed"
    assert judgement.status(RETENTION) == "failed"
    assert judgement.status(PRIVILEGE) == "waits"
    assert judgement.status(ENCRYPTED) == "not applicable"
    assert judgement.status(SILENT) == "off"
    assert judgement.resources == 4
    assert judgement.pack_version == "0.1.0"


def test_a_rule_of_which_every_finding_is_exempt_is_exempt(root):
    assert read(root, events=without_violation()).status(RETENTION) == "exempt"


def test_a_failed_rule_is_failed_whatever_else_it_waits_for(root):
    message = "Said.\n1 check waits:\n  a of one: log-retention-set\n"
    assert read(root, violation("not-evaluated", message=message)).status(RETENTION) == "failed"


def test_errors_are_told_once_and_with_their_resource(root):
    stack = choose(root, "tiny", ["prod"])[0]
    reader = findings.Reader(stack, {}, Places(root, stack))
    urn = f"{PREFIX}{LOG_GROUP}::requests"
    for said in (
        {"severity": "error", "message": "no such key\n"},
        {"severity": "error", "message": "no such key\n", "urn": f"{PREFIX}pulumi:pulumi:Stack::tiny-prod"},
        {"severity": "error", "message": "it is taken\n", "urn": urn},
        {"severity": "warning", "message": "mind this\n"},
        {"severity": "error", "message": "preview failed\n"},
    ):
        reader.add({"diagnosticEvent": said})
    assert reader.errors == ["no such key", "LogGroup requests: it is taken"]
    assert not reader.is_judged


@pytest.mark.parametrize(
    ("severity", "level", "fail_on", "counts"),
    [
        ("low", "mandatory", "mandatory", True),
        ("critical", "advisory", "mandatory", False),
        ("critical", "advisory", "critical", True),
        ("high", "mandatory", "critical", False),
        ("medium", "advisory", "medium", True),
        ("low", "mandatory", "medium", False),
        ("low", "advisory", "low", True),
        ("", "advisory", "critical", True),
        ("critical", "mandatory", "never", False),
    ],
)
def test_a_finding_counts_by_its_level_or_by_its_severity(root, severity, level, fail_on, counts):
    event = violation(severity=severity, enforcementLevel=level)
    judgement = read(root, event, events=[])
    assert judgement.findings[0].counts(fail_on) is counts
    assert exit_code([judgement], fail_on) == int(counts)


def test_what_is_exempt_or_waits_counts_for_nothing(root):
    judgement = read(root, events=without_violation())
    assert judgement.exempted
    assert judgement.waiting
    assert exit_code([judgement], "low") == 0


def test_a_stack_that_could_not_be_judged_is_worse_than_a_finding(root):
    judged = read(root)
    refused = findings.Judgement(stack=judged.stack, seconds=1, problem="no such key")
    assert exit_code([judged, refused], "never") == 2
    assert exit_code([judged], "mandatory") == 1


def test_the_gravest_findings_come_first_and_the_mandatory_among_equals(root):
    said = [
        ("low", "mandatory"),
        ("critical", "advisory"),
        ("critical", "mandatory"),
        ("medium", "mandatory"),
    ]
    events = [
        violation(f"rule-{number}", severity=severity, enforcementLevel=level)
        for number, (severity, level) in enumerate(said)
    ]
    assert [found.rule for found in read(root, *events, events=[]).findings] == [
        "rule-2",
        "rule-1",
        "rule-3",
        "rule-0",
    ]


PLACES_STACK = """\
config:
  groundwork:system: tiny
  groundwork:caches:
    cache: {shards: 3}
    queue:
      shards: 1
  groundwork:services:
    api: {}
    api-worker: {image_tag: 1.0.0}
  groundwork:protect: true
"""
PLACES_SYSTEM = """\
name: tiny
services:
  api:
    health: {path: /up}
ingress:
  waf: {}
"""


@pytest.mark.parametrize(
    ("remedy", "resource", "place"),
    [
        ("Set it (stack file: protect).", "x", "Pulumi.prod.yaml:10"),
        ("Set it (stack file: caches.<name>.shards and .replicas).", "cache-queue", "Pulumi.prod.yaml:6"),
        ("Set it (stack file: caches.<name>.shards and .replicas).", "cache-cache", "Pulumi.prod.yaml:4"),
        ("Set it (stack file: services.<name>.image_tag).", "api-worker-logs", "Pulumi.prod.yaml:9"),
        # The key is not there: as much of the way as there is.
        ("Set it (stack file: services.<name>.image_tag).", "api-logs", "Pulumi.prod.yaml:8"),
        ("Set it (stack file: services.<name>.image_tag).", "elsewhere", "Pulumi.prod.yaml:7"),
        ("Set it (system file: services.<name>.health.path).", "api", "systems/tiny/system.yaml:4"),
        ("Set it (system file: ingress.waf.rate_limit).", "x", "systems/tiny/system.yaml:6"),
        # The stack file may overlay what the system file says, and the other way round.
        ("Set it (system file: protect).", "x", "Pulumi.prod.yaml:10"),
        ("Set it (stack file: ingress.waf).", "x", "systems/tiny/system.yaml:6"),
        # Two keys: the one of which there is more.
        ("Set it (system file: none.at.all, stack file: services.<name>).", "api-worker", "Pulumi.prod.yaml:9"),
        ("Set it (stack file: nowhere).", "x", "Pulumi.prod.yaml:1"),
        ("Take it away.", "x", "Pulumi.prod.yaml:1"),
    ],
)  # fmt: skip
def test_a_finding_is_placed_at_the_setting_that_mends_it(tmp_path, remedy, resource, place):
    root = checkout(tmp_path, prod=PLACES_STACK)
    (root / "systems" / "tiny" / "system.yaml").write_text(PLACES_SYSTEM, encoding="utf-8")
    places = Places(root, choose(root, "tiny", [])[0])
    assert str(places.of(remedy, resource)) == place


def test_a_file_that_is_no_yaml_has_no_places(root):
    (root / "Pulumi.prod.yaml").write_text("config: {", encoding="utf-8")
    stack = Stack("tiny", "prod", (root / "Pulumi.prod.yaml").relative_to(root))
    assert str(Places(root, stack).of("Set it (stack file: protect).", "x")) == "Pulumi.prod.yaml:1"


def test_every_stack_of_a_system_is_found_and_those_of_others_are_not(tmp_path):
    shared = {"prod": "config:\n  groundwork:system: tiny\n", "other": "config:\n  groundwork:system: huge\n"}
    root = checkout(tmp_path, **shared, broken="config: {", empty="", odd="config: text\n")
    (root / "systems" / "tiny" / "Pulumi.local.yaml").write_text("config: {}\n", encoding="utf-8")
    found = choose(root, "tiny", [])
    assert [(stack.name, stack.file.as_posix()) for stack in found] == [
        ("prod", "Pulumi.prod.yaml"),
        ("local", "systems/tiny/Pulumi.local.yaml"),
    ]
    assert [str(stack) for stack in choose(root, "tiny", ["local", "local"])] == ["tiny, stack local"]
    assert found[0].system_file.as_posix() == "systems/tiny/system.yaml"


@pytest.mark.parametrize(
    ("system", "stack", "said"),
    [
        ("tinny", "prod", "There is no system tinny; there are: tiny. Did you mean tiny?"),
        ("tiny", "prd", "There is no stack prd of tiny; there are: prod. Did you mean prod?"),
        ("tiny", "xyz", "There is no stack xyz of tiny; there are: prod."),
    ],
)
def test_an_unknown_name_is_refused_with_those_that_there_are(root, system, stack, said):
    with pytest.raises(Unknown) as refused:
        choose(root, system, [stack])
    assert str(refused.value) == said


def test_the_policies_that_are_no_rules_are_asked_too(root):
    assert read(root).asked - {rule.id for rule in RULES} == {"exempted", "exemptions", "not-evaluated"}
