"""The log groups of a stack: of its services and tasks by the outputs, of everything else by how they are named.

What has a name of the stack's own begins with `/<system>/<environment>/`; AWS' services write under names of their own.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operations.platform import Platform
from operations.show import Row

# CloudFront's web ACLs, and so their logs, are there, wherever the stack is.
CDN_REGION = "us-east-1"


@dataclass(frozen=True)
class Group:
    """`said` is CloudWatch's description of it; `region` where it is another than the stack's."""

    name: str
    group: str
    said: Mapping[str, Any]
    region: str = ""

    def row(self) -> Row:
        return {
            "log": self.name,
            "log group": self.group,
            "kept_days": self.said.get("retentionInDays"),
            "stored_bytes": self.said.get("storedBytes"),
        }


def named(platform: Platform) -> dict[str, str]:
    """Those of services and tasks, by their names."""
    outputs = platform.outputs
    return {
        name: said["logGroup"]
        for part in ("tasks", "services")
        for name, said in outputs.get(part, {}).items()
    }


def every(platform: Platform) -> list[Group]:
    """All that stand, those of services and tasks first. Its name is what an operator types."""
    own = {group: name for name, group in named(platform).items()}
    exact, begins = {**_fixed(platform), **own}, {_path(platform): "", **_databases(platform)}
    there = _under(platform, begins)
    single = [group for group in exact if not group.startswith(tuple(begins))]
    there |= {group: said for group, said in _under(platform, single).items() if group in exact}
    found = [
        Group(exact.get(group) or _called(group, begins), group, there[group])
        for group in sorted(there, key=lambda each: (each not in own, each))
    ]
    return [*found, *_of_the_cdn(platform)]


def _called(group: str, begins: Mapping[str, str]) -> str:
    start = next(each for each in begins if group.startswith(each))
    return "/".join(filter(None, [begins[start], group.removeprefix(start)]))


def _path(platform: Platform) -> str:
    return f"/{platform.outputs['system']}/{platform.outputs['environment']}/"


def _name_prefix(platform: Platform) -> str:
    return f"{platform.outputs['system']}-{platform.outputs['environment']}"


def _fixed(platform: Platform) -> dict[str, str]:
    """Single groups by their whole name (wiring/edge.py, wiring/metrics.py, components/kubernetes_cluster.py)."""
    prefix, cluster = _name_prefix(platform), platform.outputs["kubernetes"]["cluster"]
    return {
        f"aws-waf-logs-{prefix}": "waf",
        f"/aws/vendedlogs/prometheus/{prefix}": "prometheus",
        **({f"/aws/eks/{cluster}/cluster": "kubernetes"} if cluster else {}),
        **{
            group: f"broker/{name}/{group.rpartition('/')[2]}"
            for name, broker in platform.outputs.get("brokers", {}).items()
            for group in broker["logGroups"]
        },
        **dict.fromkeys(_flow_logs(platform), "network"),
    }


def _flow_logs(platform: Platform) -> Iterator[str]:
    """Their group has a name that AWS' provider made up."""
    vpc = platform.outputs.get("network", {}).get("vpc")
    if not vpc:
        return
    asked = [{"Name": "resource-id", "Values": [vpc]}]
    for each in platform.client("ec2").describe_flow_logs(Filters=asked)["FlowLogs"]:
        if each.get("LogGroupName"):
            yield each["LogGroupName"]


def _databases(platform: Platform) -> dict[str, str]:
    """Beginnings of the names that RDS gives (RDS guide, "Publishing database logs to CloudWatch Logs")."""
    database = platform.outputs.get("database")
    if not database:
        return {}
    identifier = database["identifier"]
    # An address begins with the identifier.
    replicas = [address.partition(".")[0] for address in database["replicaAddresses"]]
    return {
        f"/aws/rds/instance/{identifier}/": "database",
        f"/aws/rds/cluster/{identifier}/": "database",
        f"/aws/rds/proxy/{identifier}-": "database",  # -proxy (wiring/stores.py)
        **{f"/aws/rds/instance/{each}/": f"database/{each}" for each in replicas if each != identifier},
    }


def _of_the_cdn(platform: Platform) -> Iterator[Group]:
    if not platform.outputs.get("cdn", {}).get("distributionId"):
        return
    wanted = f"aws-waf-logs-{_name_prefix(platform)}-cdn"
    there = _under(platform, [wanted], region=CDN_REGION)
    if wanted in there:
        yield Group("waf-cdn", wanted, there[wanted], CDN_REGION)


def _under(platform: Platform, starts: Iterable[str], *, region: str | None = None) -> dict[str, Any]:
    """CloudWatch's description of each group, by the group, whose name begins so."""
    pages = platform.client("logs", region=region).get_paginator("describe_log_groups")
    found = [
        each
        for start in starts
        for page in pages.paginate(logGroupNamePrefix=start)
        for each in page["logGroups"]
    ]
    return {each["logGroupName"]: each for each in found}
