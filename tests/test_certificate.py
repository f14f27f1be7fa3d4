"""Certificate: its records, its validation, its watch, and what is refused."""

import re
from types import SimpleNamespace

import pulumi_aws as aws
import pytest

from components.certificate import Certificate, CertificateArgs, _option
from tests.recorder import record

CERTIFICATE = "aws:acm/certificate:Certificate"
VALIDATION = "aws:acm/certificateValidation:CertificateValidation"
RECORD = "aws:route53/record:Record"


def build(*names, preview=False, domain_name="api.rentfix.com"):
    args = CertificateArgs(
        domain_name=domain_name,
        subject_alternative_names=names,
        zone_id="Z1",
        tags={"owner": "platform"},
    )
    return record(lambda: Certificate("edge", args), preview=preview)


def test_a_certificate_for_one_name():
    assert build().one(CERTIFICATE).inputs == {
        "domainName": "api.rentfix.com",
        "validationMethod": "DNS",
        "tags": {"owner": "platform", "Name": "api.rentfix.com"},
    }


def test_each_name_is_proved_by_its_own_record():
    declared = build("prometheus.rentfix.com", "grafana.rentfix.com")
    assert declared.one(CERTIFICATE)["subjectAlternativeNames"] == [
        "grafana.rentfix.com",
        "prometheus.rentfix.com",
    ]
    assert declared.names(RECORD) == [
        "edge-api.rentfix.com",
        "edge-grafana.rentfix.com",
        "edge-prometheus.rentfix.com",
    ]
    for found in declared.all(RECORD):
        assert (found["zoneId"], found["type"], found["ttl"]) == ("Z1", "CNAME", 300)
        assert found["name"].endswith(f".{found.name.removeprefix('edge-')}.")
        assert found["records"][0].endswith(".acm-validations.aws.")


def test_adding_a_name_moves_no_record():
    fewer = set(build("grafana.rentfix.com").names(RECORD))
    more = set(build("alpha.rentfix.com", "grafana.rentfix.com").names(RECORD))
    assert more - fewer == {"edge-alpha.rentfix.com"}
    assert fewer <= more


def test_a_wildcard_shares_the_record_of_its_parent():
    declared = build("*.rentfix.com", domain_name="rentfix.com")
    assert declared.names(RECORD) == ["edge-rentfix.com"]


def test_the_order_of_acms_options_does_not_matter():
    options = [
        SimpleNamespace(domain_name=name) for name in ("b.example.com", "*.example.com", "a.example.com")
    ]
    assert _option("a.example.com", options) is options[2]
    assert _option("example.com", options) is options[1]


def test_users_wait_for_the_validated_certificate():
    def program():
        args = CertificateArgs(domain_name="api.rentfix.com", zone_id="Z1")
        aws.ssm.Parameter("user", type="String", value=Certificate("edge", args).arn)

    declared = record(program)
    validation, user = declared.one(VALIDATION), declared.one("aws:ssm/parameter:Parameter")
    assert validation["validationRecordFqdns"] == [declared.one(RECORD)["name"]]
    assert validation["certificateArn"].startswith("arn:aws:acm:us-east-1:111122223333:certificate/")
    assert user["value"] == validation["certificateArn"] == declared.outputs("edge")["arn"]
    assert user.depends_on(validation)


def test_records_are_there_before_the_certificate_is():
    declared = build("grafana.rentfix.com", preview=True)
    assert declared.names() == build("grafana.rentfix.com").names()
    assert declared.orphans() == []


def test_a_renewal_that_does_not_come_is_noticed():
    kept = []
    args = CertificateArgs(domain_name="api.rentfix.com", zone_id="Z1")
    record(lambda: kept.append(Certificate("edge", args)))
    (watch,) = kept[0].watches
    assert (watch.name, watch.severity) == ("edge-expiry", "critical")
    assert (watch.threshold, watch.comparison) == (30, "LessThanThreshold")
    assert watch.metrics[0].metric_name == "DaysToExpiry"
    assert list(watch.metrics[0].dimensions) == ["CertificateArn"]


def test_a_certificate_of_another_region_is_made_and_watched_there():
    kept = []
    args = CertificateArgs(domain_name="cdn.rentfix.com", zone_id="Z1", region="us-east-1")
    declared = record(lambda: kept.append(Certificate("cdn", args)))
    assert declared.one(CERTIFICATE)["region"] == declared.one(VALIDATION)["region"] == "us-east-1"
    assert "region" not in declared.one(RECORD)
    assert kept[0].watches[0].region == "us-east-1"


def test_every_problem_is_named_at_once():
    sentence = "certificate a.com: a.com is named more than once; a certificate has at most 10 names, got 11"
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build("a.com", *(f"{n}.com" for n in range(9)), domain_name="a.com")


def test_the_days_before_expiry_are_the_products_own():
    args = CertificateArgs(domain_name="api.rentfix.com", zone_id="Z1", alarm_days=20)
    watch = record(lambda: Certificate("edge", args).watches[0]).value
    assert watch.threshold == 20
    assert "fewer than 20" in watch.description


@pytest.mark.parametrize("days", [0, 45])
def test_days_that_would_never_or_always_alarm_are_refused(days):
    with pytest.raises(ValueError, match=f"alarm_days must be 1 to 44, got {days}"):
        CertificateArgs(domain_name="api.rentfix.com", zone_id="Z1", alarm_days=days)
