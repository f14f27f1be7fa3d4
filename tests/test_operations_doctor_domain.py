"""The hosted zone, its delegation and who may issue certificates for its names."""

import uuid

import pytest

from operations.doctor import (
    domain,
)
from operations.doctor.line import State
from tests.aws_cloud import cloud, emulator_url, refusal
from tests.doctor_stacks import declaring, denied, line, resource, states

__all__ = ["cloud", "emulator_url"]


@pytest.fixture
def zone_id(cloud):
    route53 = cloud.client("route53")
    made = route53.create_hosted_zone(Name="rentfix.com", CallerReference=str(uuid.uuid4()))["HostedZone"][
        "Id"
    ]
    yield made.rpartition("/")[2]
    for each in route53.list_resource_record_sets(HostedZoneId=made)["ResourceRecordSets"]:
        if each["Type"] == "CAA":
            batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": each}]}
            route53.change_resource_record_sets(HostedZoneId=made, ChangeBatch=batch)
    route53.delete_hosted_zone(Id=made)


CERTIFICATE = resource(
    "aws:acm/certificate:Certificate",
    "c",
    domainName="api.rentfix.com",
    subjectAlternativeNames=["*.rentfix.com"],
)


@pytest.fixture
def dig(tmp_path, monkeypatch):
    """A `dig` that gives these lines, whatever it is asked."""

    def says(*lines, code=0):
        program = tmp_path / "dig"
        program.write_text(
            "#!/bin/sh\ncase $4 in CAA) exit 0;; esac\n"
            + "".join(f"echo '{each}'\n" for each in lines)
            + f"exit {code}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    return says


def of_zone(cloud, zone_id, name="rentfix.com", declared=None):
    return list(domain._zone(cloud, declared or declaring(CERTIFICATE), name, zone_id))


def servers(cloud, zone_id):
    return cloud.client("route53").get_hosted_zone(Id=zone_id)["DelegationSet"]["NameServers"]


def test_a_zone_that_the_world_is_sent_to(cloud, zone_id, dig):
    dig(*(f"{each.upper()}." for each in servers(cloud, zone_id)))
    assert states(of_zone(cloud, zone_id)) == {State.well}


def test_a_registrar_that_names_other_servers(cloud, zone_id, dig):
    dig("ns1.example.net.")
    found = line(of_zone(cloud, zone_id), "delegation of rentfix.com")
    assert found.state is State.wrong
    assert "sent to ns1.example.net." in found.figure


def test_no_dig_says_what_to_type(cloud, zone_id, monkeypatch):
    monkeypatch.setenv("PATH", "")
    found = line(of_zone(cloud, zone_id), "delegation of rentfix.com")
    assert found.state is State.note
    assert "`dig +short NS rentfix.com`" in found.todo


def test_a_dig_that_gets_no_answer(cloud, zone_id, dig):
    dig(";; connection timed out", code=9)
    assert line(of_zone(cloud, zone_id), "delegation of rentfix.com").state is State.note


def test_a_zone_that_is_another_names(cloud, zone_id):
    [found] = of_zone(cloud, zone_id, name="staging.rentfix.com")
    assert found.figure == "it is rentfix.com's, and `domain.name` is staging.rentfix.com"


def test_a_zone_that_is_not_there(cloud):
    [found] = of_zone(cloud, "Z0123456789ABCDEFGHIJ")
    assert found.figure == "this account has no such zone"


def test_a_zone_that_may_not_be_seen(cloud):
    cloud.says("GetHostedZone", denied("route53:GetHostedZone"))
    [found] = domain.check(cloud, declaring(domain={"name": "rentfix.com", "hosted_zone_id": "Z1"}))
    assert found.todo == "The permission is route53:GetHostedZone."


def test_a_private_zone(cloud):
    told = {
        "HostedZone": {
            "Id": "Z1",
            "Name": "rentfix.com.",
            "CallerReference": "x",
            "Config": {"PrivateZone": True},
        }
    }
    cloud.says("GetHostedZone", told)
    [found] = of_zone(cloud, "Z1")
    assert found.figure == "rentfix.com is a private zone"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rentfix.com", '0 issue "letsencrypt.org"', State.wrong),
        ("rentfix.com", '0 issue "amazon.com"', State.well),
        ("rentfix.com", '0 iodef "mailto:dana@rentfix.com"', State.well),
        ("api.rentfix.com", '0 issue ";"', State.wrong),
        ("other.rentfix.com", '0 issue ";"', State.well),
        ("rentfix.com", '0 issuewild ";"', State.wrong),
        ("api.rentfix.com", '0 issuewild ";"', State.well),
    ],
)
def test_who_may_issue_certificates(cloud, zone_id, dig, name, value, expected):
    dig(*servers(cloud, zone_id))
    record = {"Name": name, "Type": "CAA", "TTL": 60, "ResourceRecords": [{"Value": value}]}
    cloud.client("route53").change_resource_record_sets(
        HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )
    found = [each for each in of_zone(cloud, zone_id) if each.what == "CAA records"]
    assert states(found) == {expected}


def test_names_above_the_zone_are_asked_of_dns(monkeypatch):
    above = {"rentfix.com": ['0 issue "letsencrypt.org"']}
    monkeypatch.setattr(domain, "_asked", lambda name, _: above.get(name, []))
    declared = declaring(
        resource("aws:acm/certificate:Certificate", "c", domainName="api.staging.rentfix.com")
    )
    [found] = domain._authorities(declared, "staging.rentfix.com", {})
    assert found.state is State.wrong
    monkeypatch.setattr(domain, "_asked", lambda *_: None)
    [found] = domain._authorities(declared, "staging.rentfix.com", {})
    assert (found.state, found.figure) == (State.note, "not asked for api.staging.rentfix.com")


def test_a_zone_that_the_stack_makes(cloud):
    makes = declaring(domain={"name": "doctor.example", "create_hosted_zone": True})
    assert [each.state for each in domain.check(cloud, makes)] == [State.note]
    route53 = cloud.client("route53")
    made = route53.create_hosted_zone(Name="doctor.example", CallerReference=str(uuid.uuid4()))["HostedZone"][
        "Id"
    ]
    try:
        [found] = domain.check(cloud, makes)
        assert found.state is State.wrong
        assert made.rpartition("/")[2] in found.todo
    finally:
        route53.delete_hosted_zone(Id=made)


def test_a_stack_without_a_domain(cloud):
    assert list(domain.check(cloud, declaring())) == []


ARN = "arn:aws:acm:us-east-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"Certificate": {"CertificateArn": ARN, "Status": "ISSUED"}}, State.well),
        ({"Certificate": {"CertificateArn": ARN, "Status": "EXPIRED"}}, State.wrong),
        (refusal("ResourceNotFoundException"), State.wrong),
        (denied("acm:DescribeCertificate"), State.unasked),
    ],
)
def test_a_certificate_that_the_stack_file_names(cloud, answer, expected):
    cloud.says("DescribeCertificate", answer)
    vpn = resource(
        "aws:ec2clientvpn/endpoint:Endpoint",
        "v",
        authenticationOptions=[{"rootCertificateChainArn": ARN}],
        serverCertificateArn=ARN,
    )
    assert [each.state for each in domain._given(cloud, declaring(vpn))] == [expected]


@pytest.mark.parametrize(
    ("first", "others", "problem"),
    [
        ("a" * 60 + ".com", [], ""),
        ("a" * 61 + ".com", [], "65 characters, and 64 fit"),
        ("a.com", ["a" * 64 + ".com"], "a part of more than 63"),
        ("a.com", [".".join(["a" * 60] * 5)], "304, and 253 fit"),
    ],
)
def test_names_that_fit_a_certificate(first, others, problem):
    step = resource("aws:acm/certificate:Certificate", "c", domainName=first, subjectAlternativeNames=others)
    found = line(domain.names(declaring(step)), "certificate c")
    assert problem in found.figure
    assert found.state is (State.wrong if problem else State.well)
