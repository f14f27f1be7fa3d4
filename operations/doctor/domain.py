"""The domain: its hosted zone, who the registrar sends the world to, and whether ACM may issue for its names."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from operations.doctor.declared import Declared
from operations.doctor.line import Line, guarded, note, well, wrong
from operations.doctor.needs import names_on
from operations.doctor.tools import run
from operations.platform import Platform

# ACM guide, "Certificate characteristics": the first name, any name, and one part between two points.
FIRST_NAME, ANY_NAME, LABEL = 64, 253, 63
# ACM guide, "CAA": the certificate authorities that one of them has to be.
AUTHORITIES = ("amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com")
CERTIFICATE = "aws:acm/certificate:Certificate"


def names(declared: Declared) -> Iterator[Line]:
    """Offline: whether each certificate's names fit."""
    for certificate in declared.all(CERTIFICATE):
        listed = names_on(certificate)
        problems = [
            *(
                f"{listed[0]} has {len(listed[0])} characters, and {FIRST_NAME} fit"
                for _ in [0]
                if len(listed[0]) > FIRST_NAME
            ),
            *(f"{name} has {len(name)}, and {ANY_NAME} fit" for name in listed if len(name) > ANY_NAME),
            *(
                f"{name} has a part of more than {LABEL}"
                for name in listed
                if max(map(len, name.split("."))) > LABEL
            ),
        ]
        what = f"certificate {certificate.name}"
        if problems:
            yield wrong(what, "; ".join(problems), "Shorter names.", "ACM guide, Certificate characteristics")
        else:
            yield well(what, f"names that fit: {len(listed)}", "ACM guide, Certificate characteristics")


def check(platform: Platform, declared: Declared) -> Iterator[Line]:
    domain = declared.setting("domain") or {}
    if not domain.get("name"):
        return
    name = domain["name"].rstrip(".")
    if domain.get("hosted_zone_id"):
        yield from guarded("hosted zone", partial(_zone, platform, declared, name, domain["hosted_zone_id"]))
    else:
        yield from guarded("hosted zone", partial(_made, platform, name))
    yield from guarded("certificates given", partial(_given, platform, declared))


def _zone(platform: Platform, declared: Declared, name: str, zone_id: str) -> Iterator[Line]:
    from botocore.exceptions import ClientError  # noqa: PLC0415 half a second that `--help` saves

    what, source, route53 = f"hosted zone {zone_id}", "route53 GetHostedZone", platform.client("route53")
    try:
        told = route53.get_hosted_zone(Id=zone_id)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchHostedZone", "InvalidInput"):
            raise
        yield wrong(
            what,
            "this account has no such zone",
            "`aws route53 list-hosted-zones-by-name` has its id; or `create_hosted_zone: true` instead of it.",
            source,
        )
        return
    zone = told["HostedZone"]["Name"].rstrip(".")
    if told["HostedZone"].get("Config", {}).get("PrivateZone"):
        yield wrong(
            what, f"{zone} is a private zone", "`domain.hosted_zone_id`: that of a public zone.", source
        )
        return
    if zone != name:
        yield wrong(
            what,
            f"it is {zone}'s, and `domain.name` is {name}",
            "Mend one of the two in the stack file.",
            source,
        )
        return
    yield well(what, f"{zone}, public", source)
    servers = told.get("DelegationSet", {}).get("NameServers", [])
    yield _delegated(name, servers)
    records = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
    own = {
        each["Name"].rstrip("."): [value["Value"] for value in each.get("ResourceRecords", ())]
        for page in records
        for each in page["ResourceRecordSets"]
        if each["Type"] == "CAA"
    }
    yield from _authorities(declared, name, own)


def _delegated(name: str, servers: Sequence[str]) -> Line:
    what = f"delegation of {name}"
    answered = _asked(name, "NS")
    if answered is None:
        return note(
            what,
            f"not asked, as `dig` is not here or not answered; the zone's name servers are {', '.join(servers)}",
            f"`dig +short NS {name}` has to say the same, or the certificate never becomes valid.",
        )
    if {each.rstrip(".").lower() for each in answered} == {each.rstrip(".").lower() for each in servers}:
        return well(what, ", ".join(answered), "dig NS")
    return wrong(
        what,
        f"the world is sent to {', '.join(answered) or 'nobody'}, and the zone is at {', '.join(servers)}",
        "Set the zone's name servers at the domain's registrar (or in the zone above): until then no certificate "
        "becomes valid, and `up` waits for it.",
        "dig NS",
    )


def _asked(name: str, kind: str) -> list[str] | None:
    """None where nothing here can ask."""
    program = shutil.which("dig")
    answer = run([program, "+short", "+time=3", "+tries=2", kind, name]) if program else None
    if answer is None or answer.returncode:
        return None
    return [line.strip() for line in answer.stdout.splitlines() if line.strip() and not line.startswith(";")]


def _authorities(declared: Declared, domain: str, own: Mapping[str, Sequence[str]]) -> Iterator[Line]:
    """The records of the nearest name that has some decide (RFC 8659, 3); of names above the zone DNS is asked."""
    what = "CAA records"
    names = sorted({name for each in declared.all(CERTIFICATE) for name in names_on(each)})
    refused, unknown = {}, []
    for name in names:
        plain = name.removeprefix("*.")
        is_inside = plain == domain or plain.endswith(f".{domain}")
        found = _nearest(plain, domain, own) if is_inside else None
        if found is None:
            unknown.append(name)
            continue
        deciding = _deciding(found, is_wildcard=plain != name)
        if deciding and not any(authority in value for value in deciding for authority in AUTHORITIES):
            refused[name] = deciding
    for name, values in refused.items():
        yield wrong(
            what, f"{name} has {', '.join(values)}, which keeps ACM out", 'Add `0 issue "amazon.com"`.', "CAA"
        )
    if unknown:
        yield note(
            what,
            f"not asked for {', '.join(unknown)}",
            "`dig +short CAA` of each, and of the names above it.",
        )
    if names and not refused and not unknown:
        yield well(what, "none keeps ACM out", "route53 ListResourceRecordSets, dig CAA")


def _nearest(name: str, domain: str, own: Mapping[str, Sequence[str]]) -> Sequence[str] | None:
    """None where a name above the zone could not be asked."""
    part = name
    while "." in part:
        is_inside = part == domain or part.endswith(f".{domain}")
        told = own.get(part, []) if is_inside else _asked(part, "CAA")
        if told is None or told:
            return told
        part = part.partition(".")[2]
    return []


def _deciding(values: Sequence[str], *, is_wildcard: bool) -> list[str]:
    """Of `0 issue "amazon.com"` and its like: `issuewild` goes before `issue`, for wildcards only (RFC 8659, 4.3)."""
    by_tag: dict[str, list[str]] = {}
    for value in values:
        _, tag, *_ = [*value.split(), "", ""]
        by_tag.setdefault(tag.lower(), []).append(value)
    wild = by_tag.get("issuewild", []) if is_wildcard else []
    return wild or by_tag.get("issue", [])


def _made(platform: Platform, name: str) -> Iterator[Line]:
    what, source = f"hosted zone of {name}", "route53 ListHostedZonesByName"
    answer = platform.client("route53").list_hosted_zones_by_name(DNSName=name)
    there = [
        each["Id"].rpartition("/")[2]
        for each in answer["HostedZones"]
        if each["Name"].rstrip(".") == name and not each.get("Config", {}).get("PrivateZone")
    ]
    if there:
        yield wrong(
            what,
            f"the account has one already ({', '.join(there)}), and a second has other name servers",
            f"`domain.hosted_zone_id: {there[0]}` instead of `create_hosted_zone`.",
            source,
        )
    else:
        yield note(
            what,
            "the stack makes it, and the certificate waits until the registrar names its servers",
            "README, First deployment, step 5 looks them up while `up` waits.",
            source,
        )


def _given(platform: Platform, declared: Declared) -> Iterator[Line]:
    """Certificates that the stack file names by their ARN."""
    arns = sorted({arn for change in declared.preview.changes.values() for arn in _arns(change.state.inputs)})
    for arn in arns:
        yield from guarded(f"certificate {arn}", partial(_valid, platform, arn))


def _arns(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith("arn:aws:acm:") and ":certificate/" in value:
            yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _arns(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _arns(each)


def _valid(platform: Platform, arn: str) -> Iterator[Line]:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    what, source = f"certificate {arn.rpartition('/')[2]}", "acm DescribeCertificate"
    try:
        answer = platform.client("acm", region=arn.split(":")[3]).describe_certificate(CertificateArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        yield wrong(what, f"{arn} is not there", "Import it, or mend its ARN in the stack file.", source)
        return
    status = answer["Certificate"]["Status"]
    if status == "ISSUED":
        yield well(what, "issued", source)
    else:
        yield wrong(what, f"{arn} is {status.lower()}", "Renew or import it anew.", source)
