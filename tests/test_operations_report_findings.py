"""What the policies say, read from the engine's event log."""

import json

import pytest

from operations.report.findings import read
from operations.report.preview import Unreadable
from tests.report_previews import BUCKET, SUMMARY, policy_event, state, urn

MULTI_AZ = "A database has a standby in another zone.\nmultiAz is false. Set multiAz to true.\n"


def of(*lines):
    return read("\n".join([*lines, SUMMARY])).findings


def test_a_violation_has_its_rule_and_what_was_found():
    (found,) = of(policy_event("rds-multi-az", MULTI_AZ)).violations
    assert (found.policy, found.severity, found.mandatory, found.resource) == (
        "rds-multi-az",
        "medium",
        True,
        "database",
    )
    assert found.rule == "A database has a standby in another zone."
    assert found.message == "multiAz is false. Set multiAz to true."


def test_a_pack_of_others_may_say_one_line_only():
    (found,) = of(
        policy_event("s3-private", "<{%fg 1%}>Buckets are private<{%reset%}>", severity=None)
    ).violations
    assert (found.rule, found.message, found.severity) == ("", "Buckets are private", "low")


def test_one_of_the_whole_stack_names_no_resource():
    (found,) = of(
        policy_event("waf", "m", resourceUrn="urn:pulumi:prod::p::pulumi:pulumi:Stack::p-prod")
    ).violations
    assert found.resource == ""


def test_the_gravest_that_refuse_come_first():
    found = of(
        policy_event("a", "m", severity="critical", enforcementLevel="advisory"),
        policy_event("b", "m", severity="low"),
        policy_event("c", "m", severity="high"),
        policy_event("d", "m", severity="unheard"),
    )
    assert [item.policy for item in found.violations] == ["c", "b", "d", "a"]
    assert [item.policy for item in found.mandatory] == ["c", "b", "d"]
    assert found.by_severity() == {"critical": 1, "high": 1, "low": 1, "unheard": 1}


def test_what_is_exempt_is_no_violation():
    message = "rds-multi-az: multiAz is false. Exempt until 2027-01-01 by dana: moving."
    found = of(policy_event("exempted", f"It is shown.\n{message}\n", enforcementLevel="advisory"))
    assert found.violations == ()
    assert found.exempted[0].message == message


def test_a_problem_of_an_exemption_counts():
    found = of(
        policy_event("exemptions", "An exemption has a reason.\nexemption 1 has no owner.\n", severity="high")
    )
    assert found.violations == ()
    assert [item.message for item in found.exemptions] == ["exemption 1 has no owner."]
    assert len(found.mandatory) == 1
    assert found.by_severity() == {"high": 1}


WAITS = (
    "What could not be judged is said.\n3 checks wait for values that only `pulumi up` will know:\n"
    "  policy of a, b: iam-least-privilege\n  image of c: container-image-pinned\n"
)


def test_what_could_not_be_judged_is_counted_and_listed():
    found = of(policy_event("not-evaluated", WAITS, enforcementLevel="advisory"))
    assert (found.violations, found.waiting) == ((), 3)
    assert found.waits == ("policy of a, b: iam-least-privilege", "image of c: container-image-pinned")


def test_where_nothing_may_wait_it_refuses():
    found = of(policy_event("not-evaluated", WAITS))
    assert [item.policy for item in found.mandatory] == ["not-evaluated"]
    assert found.waiting == 3


def test_a_log_without_a_word_of_a_policy_is_one_of_a_run_without_policies():
    assert of().ran
    assert not read(json.dumps({"preludeEvent": {}})).findings.ran
    assert not read("").findings.ran


def test_resources_that_stay_are_found_in_it():
    same = {
        "resourcePreEvent": {
            "metadata": {"op": "same", "urn": urn(BUCKET, "a"), "new": state(BUCKET, {"x": 1})}
        }
    }
    made = {
        "resourcePreEvent": {"metadata": {"op": "create", "urn": urn(BUCKET, "b"), "new": state(BUCKET, {})}}
    }
    found = read("\n".join(map(json.dumps, (same, made)))).unchanged
    assert {key: value.inputs for key, value in found.items()} == {urn(BUCKET, "a"): {"x": 1}}


def test_half_a_line_at_the_end_is_left_out():
    assert len(read(policy_event("a", "m") + '\n{"sequence": 2, "pol').findings.violations) == 1


@pytest.mark.parametrize("content", ["nothing\n{}", "[]\n{}"])
def test_a_file_that_is_no_event_log_is_refused(content):
    with pytest.raises(Unreadable, match="is no event log: line 1"):
        read(content)
