"""Exemptions: what they cover, that they show, and every way in which one does not hold."""

from datetime import UTC, date, datetime, timedelta

import pytest
from exemptions import Exemptions
from pulumi.runtime import proto
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from tests.test_policies_pack import BUCKET, INSTANCE, TASK, Engine, messages, only

TODAY = datetime.now(UTC).date()
NEXT_WEEK = (TODAY + timedelta(days=7)).isoformat()
OFFENCE = {"engine": "postgres", "multiAz": False}
GRANTED = {
    "rule": "rds-multi-az",
    "resource": "database",
    "reason": "one zone until the move",
    "owner": "dana@rentfix.com",
    "expires": NEXT_WEEK,
}


def engine(*granted, rules=None):
    return Engine(rules or only("rds-multi-az"), {"exemptions": {"granted": list(granted)}})


@pytest.mark.parametrize("resource", ["database", "data*", "urn::database", "urn::*"])
def test_what_is_exempt_is_no_violation_but_shown(resource):
    pack = engine(GRANTED | {"resource": resource})
    assert not pack.analyze(INSTANCE, OFFENCE, "database").diagnostics
    [shown] = pack.analyze_stack().diagnostics
    assert (shown.policyName, shown.urn, shown.enforcementLevel) == (
        "exempted",
        "urn::database",
        proto.ADVISORY,
    )
    assert shown.message == (
        "A finding that is exempt is shown as long as it is.\n"
        "rds-multi-az: multiAz is false. Set multiAz to true (stack file: database.multi_az). "
        f"Exempt until {NEXT_WEEK} by dana@rentfix.com: one zone until the move."
    )


def test_another_resource_or_another_rule_is_not_covered():
    pack = engine(GRANTED, rules=[*only("rds-multi-az"), *only("rds-encrypted")])
    assert set(messages(pack.analyze(INSTANCE, OFFENCE, "database"))) == {"rds-encrypted"}
    assert set(messages(pack.analyze(INSTANCE, OFFENCE, "database-2"))) == {"rds-encrypted", "rds-multi-az"}


def test_a_finding_about_the_whole_stack_can_be_exempt():
    pack = engine(GRANTED | {"rule": "s3-encrypted", "resource": "logs"}, rules=only("s3-encrypted"))
    response = pack.analyze_stack(("logs", BUCKET, {}), ("uploads", BUCKET, {}))
    by_policy = [(found.policyName, found.urn) for found in response.diagnostics]
    assert by_policy == [("s3-encrypted", "urn::uploads"), ("exempted", "urn::logs")]


def test_an_exemption_that_covers_nothing_is_a_violation():
    pack = engine(GRANTED)
    assert not pack.analyze(INSTANCE, OFFENCE | {"multiAz": True}, "database").diagnostics
    [found] = pack.analyze_stack().diagnostics
    assert (found.policyName, found.enforcementLevel) == ("exemptions", proto.MANDATORY)
    assert found.message.endswith(
        "the exemption of database from rds-multi-az matches nothing that the rule finds. "
        "Remove it, or mend its resource."
    )


def test_the_next_run_of_the_same_pack_counts_anew():
    pack = engine(GRANTED)
    pack.analyze(INSTANCE, OFFENCE, "database")
    assert set(messages(pack.analyze_stack())) == {"exempted"}
    assert set(messages(pack.analyze_stack())) == {"exemptions"}


def test_what_cannot_be_judged_yet_may_still_need_its_exemption():
    pack = engine(
        GRANTED | {"rule": "container-non-root", "resource": "api"}, rules=only("container-non-root")
    )
    pack.analyze(TASK, {"containerDefinitions": UNKNOWN_STRING_VALUE}, "api")
    assert set(messages(pack.analyze_stack())) == {"not-evaluated"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"reason": ""},
            "exemption 1 has no reason. It needs exactly rule, resource, reason, owner, expires.",
        ),
        (
            {"reason": " ", "until": "2030"},
            "exemption 1 has no reason and has until, which is not known. It needs exactly rule, ",
        ),
        (
            {"rule": "rds-multiaz"},
            "from rds-multiaz names a rule that this pack does not have. Mend its rule.",
        ),
        (
            {"resource": "**"},
            "matches every resource. Name the resource, or set the level of rds-multi-az instead.",
        ),
        ({"expires": "31.12.2030"}, 'expires "31.12.2030", which is no date. Write it as YYYY-MM-DD.'),
        (
            {"expires": (TODAY - timedelta(days=1)).isoformat()},
            f"expired on {TODAY - timedelta(days=1)}. Mend what it excused, or ask dana@rentfix.com for a new date.",
        ),
    ],
)
def test_an_exemption_that_does_not_hold_is_a_violation_and_excuses_nothing(change, said):
    pack = engine(GRANTED | change)
    assert set(messages(pack.analyze(INSTANCE, OFFENCE, "database"))) == {"rds-multi-az"}
    [found] = pack.analyze_stack().diagnostics
    assert (found.policyName, found.enforcementLevel) == ("exemptions", proto.MANDATORY)
    assert said in found.message


def test_an_exemption_holds_on_its_last_day():
    last = date(2027, 3, 31)
    granted = [GRANTED | {"expires": "2027-03-31"}]
    assert not Exemptions(granted, {"rds-multi-az"}, last).problems
    assert Exemptions(granted, {"rds-multi-az"}, last + timedelta(days=1)).problems


def test_all_problems_are_said_in_one_go():
    granted = [GRANTED | {"owner": ""}, GRANTED | {"rule": "x", "resource": "*", "expires": "soon"}]
    assert len(Exemptions(granted, {"rds-multi-az"}, TODAY).problems) == 4
