"""Where each end of a connection stands: its subnets, the security groups that it bears, whether it is there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operations.db import instances
from operations.network.declared import OPERATIONS
from operations.network.ends import End, Is
from operations.network.live import Network, Said
from operations.services import fleet


@dataclass(frozen=True)
class Stand:
    """`groups` None: AWS does not tell.

    `trouble` is empty where it is up, None where nobody could tell, else a sentence; then `remedy` is one.
    """

    subnets: Sequence[str]
    groups: Sequence[str] | None
    state: str
    trouble: str | None = ""
    remedy: str = ""


def of(network: Network, end: End) -> Stand:
    return _OF.get(end.kind, _other)(network, end)


def _up(
    subnets: Sequence[str],
    groups: Sequence[str] | None,
    what: str,
    state: str,
    good: Sequence[str],
    remedy: str,
) -> Stand:
    said = f"{what} is {state}"
    is_up = state in good
    return Stand(subnets, groups, said, "" if is_up else f"{said}.", "" if is_up else remedy)


def _service(network: Network, end: End) -> Stand:
    platform = network.platform
    private = platform.outputs["runTask"]["subnets"]
    if platform.outputs["kubernetes"]["namespace"]:
        return Stand(private, None, "Kubernetes runs it: `kubectl get pods` tells how it is", trouble=None)
    if end.name in platform.outputs["servicesToPush"]:
        return Stand(
            private,
            None,
            "it does not run",
            f"{end.name} has no image tag in the stack file, and so does not run.",
            f"`groundwork deploy {end.name} --tag TAG --stack {platform.stack}` releases it.",
        )
    [service] = fleet.choose(platform, [end.name])
    said = fleet.describe(platform.client("ecs"), [service])[end.name]
    placed = said["networkConfiguration"]["awsvpcConfiguration"]
    running, desired = said["runningCount"], said["desiredCount"]
    state = f"{running} of {desired} tasks of {end.name} run"
    if running:
        return Stand(placed["subnets"], placed["securityGroups"], state)
    remedy = (
        f"`groundwork service show {end.name} --stack {platform.stack}` says why."
        if desired
        else f"`groundwork service start {end.name} --stack {platform.stack}`."
    )
    return Stand(placed["subnets"], placed["securityGroups"], state, f"{state}.", remedy)


def _database(network: Network, _: End) -> Stand:
    rds = network.platform.client("rds")
    found = instances.find(network.platform, rds)
    [group] = rds.describe_db_subnet_groups(DBSubnetGroupName=found.subnet_group)["DBSubnetGroups"]
    return _up(
        [each["SubnetIdentifier"] for each in group["Subnets"]],
        found.security_groups,
        f"the database {found.identifier}",
        found.status,
        ("available", "backing-up", "modifying", "storage-optimization", "configuring-enhanced-monitoring"),
        "docs/runbooks/database.md.",
    )


def _proxy(network: Network, _: End) -> Stand:
    address = network.platform.outputs["database"]["proxyAddress"]
    for page in network.platform.client("rds").get_paginator("describe_db_proxies").paginate():
        for each in page["DBProxies"]:
            if each["Endpoint"] == address:
                return _up(
                    each["VpcSubnetIds"],
                    each["VpcSecurityGroupIds"],
                    f"the proxy {each['DBProxyName']}",
                    each["Status"],
                    ("available", "modifying"),
                    "docs/runbooks/database.md.",
                )
    return Stand((), None, "it is gone", f"RDS knows no proxy at {address}.", _refresh(network))


def _cache(network: Network, end: End) -> Stand:
    cache = network.platform.client("elasticache")
    identifier = network.platform.outputs["caches"][end.name]["replicationGroupId"]
    try:
        [said] = cache.describe_replication_groups(ReplicationGroupId=identifier)["ReplicationGroups"]
    except cache.exceptions.ReplicationGroupNotFoundFault:
        return Stand((), None, "it is gone", f"ElastiCache knows no {identifier}.", _refresh(network))
    subnets, groups = _of_member(cache, said.get("MemberClusters", []))
    return _up(
        subnets,
        groups,
        f"the cache {end.name}",
        said["Status"],
        ("available", "modifying", "snapshotting"),
        "docs/runbooks/cache.md.",
    )


def _of_member(cache: Any, members: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    """Subnets and groups of a cache: only its members say where it stands. One that is being made has none yet."""
    if not members:
        return (), None
    try:
        [member] = cache.describe_cache_clusters(CacheClusterId=members[0])["CacheClusters"]
        [group] = cache.describe_cache_subnet_groups(CacheSubnetGroupName=member["CacheSubnetGroupName"])[
            "CacheSubnetGroups"
        ]
    except cache.exceptions.CacheClusterNotFoundFault:
        return (), None  # the emulator makes none
    return (
        [each["SubnetIdentifier"] for each in group["Subnets"]],
        [each["SecurityGroupId"] for each in member["SecurityGroups"]],
    )


def _broker(network: Network, end: End) -> Stand:
    mq = network.platform.client("mq")
    identifier = network.platform.outputs["brokers"][end.name]["id"]
    try:
        said = mq.describe_broker(BrokerId=identifier)
    except mq.exceptions.NotFoundException:
        return Stand((), None, "it is gone", f"Amazon MQ knows no broker {identifier}.", _refresh(network))
    return _up(
        said["SubnetIds"],
        said["SecurityGroups"],
        f"the broker {end.name}",
        said["BrokerState"],
        ("RUNNING",),
        "docs/runbooks/broker.md.",
    )


def _endpoints(network: Network, _: End) -> Stand:
    found = [each for each in network.endpoints if each["VpcEndpointType"] == "Interface"]
    down = [each["ServiceName"] for each in found if each["State"].lower() != "available"]
    trouble = f"These endpoints are not available: {', '.join(down)}." if down else ""
    if not found:
        trouble = "The VPC has no interface endpoint."
    return Stand(
        sorted({subnet for each in found for subnet in each["SubnetIds"]}),
        sorted({group["GroupId"] for each in found for group in each["Groups"]}),
        f"{len(found)} endpoints",
        trouble,
        _refresh(network) if trouble else "",
    )


def _balancer(network: Network, _: End) -> Stand:
    arn = network.platform.outputs["loadBalancer"]["arn"]
    if not arn:
        return _other(network, _)
    elb = network.platform.client("elbv2")
    try:
        [said] = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    except elb.exceptions.LoadBalancerNotFoundException:
        return Stand((), None, "it is gone", f"ELB knows no {arn}.", _refresh(network))
    return _up(
        [each["SubnetId"] for each in said["AvailabilityZones"]],
        said.get("SecurityGroups", []),
        f"the load balancer {said['LoadBalancerName']}",
        said["State"]["Code"],
        ("active", "active_impaired"),
        "docs/runbooks/load-balancer.md.",
    )


def _other(network: Network, end: End) -> Stand:
    """Where something bears the group now, else where one-off tasks run: tasks that come and go, Lambda, the VPN."""
    group = network.group_ids.get(end.group)
    if group is None:
        return Stand((), None, f"{end.name} is in other hands", trouble=None)
    on = [
        each["SubnetId"]
        for each in network.interfaces
        if group in {one["GroupId"] for one in each.get("Groups", [])}
    ]
    private = network.platform.outputs["runTask"]["subnets"]
    subnets = sorted({*on, *private} if end.group == OPERATIONS else set(on)) or private
    return Stand(subnets, None, f"{len(on)} network interfaces bear its group now")


def _outside(_: Network, end: End) -> Stand:
    return Stand((), None, f"{end.name} is not the stack's")


def _refresh(network: Network) -> str:
    return f"`pulumi up --refresh --stack {network.platform.stack}` makes it again."


_OF: Mapping[Is, Callable[[Network, End], Stand]] = {
    Is.service: _service,
    Is.database: _database,
    Is.proxy: _proxy,
    Is.cache: _cache,
    Is.broker: _broker,
    Is.endpoints: _endpoints,
    Is.balancer: _balancer,
    Is.outside: _outside,
}


def interfaces_of(network: Network, end: End) -> list[Said]:
    """The network interfaces that bear its group: tasks, nodes of a store."""
    group = network.group_ids.get(end.group)
    return [
        each
        for each in network.interfaces
        if group in {one["GroupId"] for one in each.get("Groups", [])} and each.get("Status") == "in-use"
    ]


def task_interfaces(ecs: Any, service: fleet.Service) -> dict[str, str]:
    """By the id of a running task, the network interface that it has."""
    found: dict[str, str] = {}
    for task in fleet.tasks(ecs, service, "RUNNING"):
        for attachment in task.get("attachments", []):
            for detail in attachment.get("details", []):
                if detail["name"] == "networkInterfaceId":
                    found[task["taskArn"].rsplit("/", 1)[-1]] = detail["value"]
    return found
