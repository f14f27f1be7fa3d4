"""Quotas: what the account may have, what it has, what the stack would add. Only what the stack declares is asked."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from operations.doctor import needs, tables
from operations.doctor.declared import Declared
from operations.doctor.line import Line, guarded, unasked, well, wrong
from operations.doctor.needs import Place, numbers
from operations.doctor.tables import Call, Quota
from operations.platform import Platform, Refusal

# A usage metric has a point every five minutes; a day of them is never none where anything ran.
METRIC_DAYS = 1


@dataclass(frozen=True)
class Limit:
    """`code` is what an increase is asked for with; `metric` is where AWS publishes the usage, if it does."""

    value: float
    code: str
    adjustable: bool
    metric: Mapping[str, Any]
    source: str


def check(platform: Platform, declared: Declared) -> Iterator[Line]:
    for quota in tables.quotas().quotas:
        yield from guarded(quota.what, partial(_of, platform, declared, quota))


def _of(platform: Platform, declared: Declared, quota: Quota) -> Iterator[Line]:
    wanted = needs.NEEDS[quota.needs](declared, platform) if quota.needs else _counted(declared, quota)
    for region, parts in _by_region(wanted, quota.region).items():
        limit = limit_of(platform, quota, region)
        where = "" if region == declared.region else f" ({region})"
        if limit is None:
            yield unasked(
                quota.what + where,
                f"Service Quotas knows no {quota.name!r} of {quota.service}; the stack needs "
                f"{numbers(max(parts.values()))}.",
                f"Look it up: `aws service-quotas list-service-quotas --service-code {quota.service}`.",
            )
            continue
        used = used_of(platform, quota, limit, region)
        # One line, of where it is tightest: a zone, a security group, a role.
        part = max(parts, key=lambda part: parts[part] + used[part])
        yield _line(quota, where, part, parts[part], used[part], limit, region)


def _counted(declared: Declared, quota: Quota) -> Mapping[Place, float]:
    return needs.counted(declared, declared.all(*quota.types))


def _by_region(wanted: Mapping[Place, float], only: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for (region, part), number in wanted.items():
        if number:
            parts = found.setdefault(only or region, {})
            parts[part] = parts.get(part, 0) + number
    return found


def _line(quota: Quota, where: str, part: str, wanted: float, used: float, limit: Limit, region: str) -> Line:
    what = f"{quota.what}{where}" + (f": {part}" if part else "")
    total = wanted + used
    has = "" if quota.used == "nothing" else f"{numbers(used)} there, "
    figure = f"{has}{numbers(wanted)} more, {numbers(limit.value)} allowed"
    if total <= limit.value:
        return well(what, figure, limit.source)
    ask = (
        f"`aws service-quotas request-service-quota-increase --service-code {quota.service} --quota-code {limit.code} "
        f"--desired-value {numbers(total).replace(',', '')} --region {region}`: AWS takes minutes to days."
    )
    return wrong(
        what, figure, ask if limit.adjustable else "AWS does not raise it: declare less.", limit.source
    )


def limit_of(platform: Platform, quota: Quota, region: str) -> Limit | None:
    """What the account was granted, else AWS's default; None where Service Quotas knows neither."""
    client = platform.client("service-quotas", region=region)
    if not quota.code:
        return _by_name(client, quota)
    absent = client.exceptions.NoSuchResourceException
    key = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        return _limit(client.get_service_quota(**key)["Quota"], "Service Quotas")
    except absent:
        pass
    try:
        return _limit(client.get_aws_default_service_quota(**key)["Quota"], "Service Quotas, AWS's default")
    except absent:
        return None


def _by_name(client: Any, quota: Quota) -> Limit | None:
    for operation, source in (
        ("list_service_quotas", "Service Quotas"),
        ("list_aws_default_service_quotas", "Service Quotas, AWS's default"),
    ):
        for page in client.get_paginator(operation).paginate(ServiceCode=quota.service):
            for each in page["Quotas"]:
                if each["QuotaName"].lower() == quota.name.lower():
                    return _limit(each, source)
    return None


def _limit(told: Mapping[str, Any], source: str) -> Limit:
    code = told["QuotaCode"]
    return Limit(
        told["Value"],
        code,
        told.get("Adjustable", True),
        told.get("UsageMetric", {}),
        f"{source} {told.get('ServiceCode', '')} {code}".replace("  ", " "),
    )


def used_of(platform: Platform, quota: Quota, limit: Limit, region: str) -> Mapping[str, float]:
    """By part; a part that is not named has none."""
    match quota.used:
        case Call() as call:
            return Counter({"": call.number(platform, region)})
        case "metric":
            return Counter({"": _metric(platform, quota, limit, region)})
        case "nat_gateways_by_zone":
            return _nat_gateways_by_zone(platform, region)
        case "certificates_of_a_year":
            return Counter({"": _certificates_of_a_year(platform, region)})
        case _:
            return Counter()


def _metric(platform: Platform, quota: Quota, limit: Limit, region: str) -> float:
    """Where nothing of it ever ran there is no point, which is none used."""
    metric = limit.metric
    if not metric:
        raise Refusal(
            f"AWS publishes no usage of {quota.name!r}, so only its limit is known: {numbers(limit.value)}."
        )
    statistic = metric.get("MetricStatisticRecommendation", "Maximum")
    now = datetime.now(UTC)
    answer = platform.client("cloudwatch", region=region).get_metric_statistics(
        Namespace=metric["MetricNamespace"],
        MetricName=metric["MetricName"],
        Dimensions=[
            {"Name": name, "Value": value} for name, value in metric.get("MetricDimensions", {}).items()
        ],
        StartTime=now - timedelta(days=METRIC_DAYS),
        EndTime=now,
        Period=3600,
        Statistics=[statistic],
    )
    points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
    return points[-1][statistic] if points else 0


def _nat_gateways_by_zone(platform: Platform, region: str) -> Mapping[str, float]:
    ec2 = platform.client("ec2", region=region)
    gateways = [
        each
        for page in ec2.get_paginator("describe_nat_gateways").paginate()
        for each in page["NatGateways"]
        if each["State"] in ("pending", "available", "deleting") and each.get("SubnetId")
    ]
    if not gateways:
        return Counter()
    subnets = ec2.get_paginator("describe_subnets").paginate()
    zones = {each["SubnetId"]: each["AvailabilityZone"] for page in subnets for each in page["Subnets"]}
    return Counter(zones.get(each["SubnetId"], "") for each in gateways)


def _certificates_of_a_year(platform: Platform, region: str) -> int:
    since = datetime.now(UTC) - timedelta(days=365)
    pages = platform.client("acm", region=region).get_paginator("list_certificates").paginate()
    found = [each for page in pages for each in page["CertificateSummaryList"]]
    return sum(each.get("CreatedAt", since) > since for each in found if each.get("Type") != "IMPORTED")
