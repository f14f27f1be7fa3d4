"""Alarms, and who hears of them; certificates; backups."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from operations.alerts.alarms import look
from operations.backup.status import RPO_HOURS, Found, dumps, proved, vaults
from operations.backup.status import caches as cache_snapshots
from operations.backup.status import database as database_backups
from operations.platform import Platform
from operations.status.part import Part

CERTIFICATE_DAYS = 30
PROVED_DAYS = 35
CLOUDFRONT_REGION = "us-east-1"


def alarms(platform: Platform) -> Part:
    """Those that are in alarm, and those that nobody would hear of."""
    part = Part()
    found, gone = look(platform)
    firing = [each for each in found if each.state == "ALARM"]
    for each in sorted(firing, key=lambda each: each.since or datetime.min.replace(tzinfo=UTC)):
        part.rows.append({"alarm": each.name, "since": each.since, "why": each.why})
        part.needs.append(f"{each.name} is in alarm. {_first_line(each.description)}".rstrip())
    if silent := sorted(each.name for each in found if not each.is_on):
        part.needs.append(f"Nobody hears of {', '.join(silent)}: its actions are switched off.")
    if gone:
        part.needs.append(
            f"{', '.join(sorted(gone))} is not there any more. `pulumi up --refresh` makes it again."
        )
    part.notes.append(f"{len(firing)} of {len(found)} alarms are in alarm.")
    return part


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def backed_up(platform: Platform, store: str) -> Part:
    """What `groundwork backup status` says of one kind of store."""
    now, limit = datetime.now(UTC), timedelta(hours=RPO_HOURS)
    looks: Mapping[str, Callable[[], Iterator[Found]]] = {
        "database": partial(database_backups, platform, now, limit),
        "vaults": partial(vaults, platform, now, limit),
        "dumps": partial(dumps, platform, now, limit),
        "caches": partial(cache_snapshots, platform, now, limit),
        "proofs": partial(proved, platform, now, PROVED_DAYS),
    }
    part = Part()
    kept = platform.outputs["backups"]
    if not platform.outputs.get("database") and (
        store == "database" or not (kept["vault"] or kept["bucket"])
    ):
        return part
    for found in looks[store]():
        row = found.row(now)
        part.rows.append({key: row[key] for key in ("store", "kept in", "newest", "age_s")})
        if found.said:
            part.needs.append(f"{found.store}, {found.kept_in}: {found.said}")
    return part


def certificates(platform: Platform) -> Part:
    """Those that the load balancer and the CDN show, as ACM knows them."""
    part, now = Part(), datetime.now(UTC)
    for region, arn in dict.fromkeys([*_balancer_certificates(platform), *_cdn_certificates(platform)]):
        told = platform.client("acm", region=region).describe_certificate(CertificateArn=arn)["Certificate"]
        ends = told.get("NotAfter")
        renewal = told.get("RenewalSummary", {}).get("RenewalStatus", "")
        name = told["DomainName"]
        part.rows.append(
            {
                "certificate": name,
                "ends": ends,
                "days": None if ends is None else (ends - now).days,
                "state": told["Status"].lower().replace("_", " "),
                "renewal": renewal.lower().replace("_", " "),
            }
        )
        if told["Status"] != "ISSUED":
            part.needs.append(f"The certificate of {name} is {told['Status']}. docs/runbooks/certificate.md.")
        elif renewal == "FAILED":
            part.needs.append(
                f"The certificate of {name} could not be renewed. docs/runbooks/certificate.md."
            )
        elif ends is not None and ends - now < timedelta(days=CERTIFICATE_DAYS):
            part.needs.append(
                f"The certificate of {name} ends in {(ends - now).days} days, and ACM renews 60 days before. "
                "docs/runbooks/certificate.md."
            )
    return part


def _balancer_certificates(platform: Platform) -> Iterator[tuple[str, str]]:
    arn = platform.outputs["loadBalancer"]["arn"]
    if not arn:
        return
    pages = platform.client("elbv2").get_paginator("describe_listeners").paginate(LoadBalancerArn=arn)
    for page in pages:
        for listener in page["Listeners"]:
            yield from (
                (platform.region, each["CertificateArn"]) for each in listener.get("Certificates", [])
            )


def _cdn_certificates(platform: Platform) -> Iterator[tuple[str, str]]:
    distribution = platform.outputs["cdn"]["distributionId"]
    if not distribution:
        return
    told = platform.client("cloudfront").get_distribution(Id=distribution)["Distribution"]
    arn = told["DistributionConfig"].get("ViewerCertificate", {}).get("ACMCertificateArn")
    if arn:
        yield CLOUDFRONT_REGION, arn
