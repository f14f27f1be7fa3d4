"""What one resource costs a month, from its inputs: a function for each type whose price depends on them.

A value that is needed and not there (unknown before `pulumi up`, secret, or without a price) raises Unpriced with the
sentence that says so: a cost is never taken to be zero.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from operations.report import tables
from operations.report.preview import SECRET, UNKNOWN, State

HOURS = tables.prices().hours_per_month
FARGATE_FREE_STORAGE_GB = 20
PROXY_LEAST_VCPUS = 2
FREE_INSIGHTS_DAYS = 7
VCPUS = {
    "micro": 2,
    "small": 2,
    "medium": 2,
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
    "8xlarge": 32,
}
# Managed rule groups that cost more than a rule.
DEAR_RULE_GROUPS = (
    "AWSManagedRulesBotControlRuleSet",
    "AWSManagedRulesATPRuleSet",
    "AWSManagedRulesACFPRuleSet",
)


class Unpriced(Exception):
    """Why a cost is not known."""


@dataclass(frozen=True)
class Cost:
    """USD a month: at what is declared, and (least, most) where it scales or grows by itself."""

    monthly: float
    how: str = ""
    least: float | None = None
    most: float | None = None
    unknown: str = ""  # a part that is not in `monthly`
    tables: tuple[str, ...] = ()  # of prices.yaml

    @property
    def range(self) -> tuple[float, float]:
        return (
            self.monthly if self.least is None else self.least,
            self.monthly if self.most is None else self.most,
        )


@dataclass(frozen=True)
class Side:
    """All resources before, or all after."""

    states: Mapping[str, State] = field(default_factory=dict)

    def of(self, type_: str) -> Iterable[tuple[str, State]]:
        return ((urn, state) for urn, state in self.states.items() if state.type == type_)

    def source(self, state: State, name: str, type_: str) -> State | None:
        """The resource of a type that an input is made of."""
        found = (self.states.get(urn) for urn in state.sources(name))
        return next((other for other in found if other is not None and other.type == type_), None)


def price(table: str, name: str) -> float:
    prices = tables.prices().tables[table].prices
    if name not in prices:
        raise Unpriced(f"there is no price for {name} in the table {table}")
    return prices[name]


def fixed(table: str, name: str) -> float:
    """A month of something whose price depends on nothing."""
    by_the_hour = tables.prices().tables[table].unit.startswith("hour")
    return price(table, name) * (HOURS if by_the_hour else 1)


def known(state: State, name: str, default: Any = None) -> Any:
    """An input whose value a price depends on."""
    value = state.inputs.get(name, default)
    if value == UNKNOWN:
        raise Unpriced(f"`{name}` is not known before `pulumi up`")
    if value == SECRET:
        raise Unpriced(f"`{name}` is secret")
    if value is None:
        raise Unpriced(f"`{name}` is not given")
    return value


def number(state: State, name: str, default: Any = None) -> float:
    value = known(state, name, default)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise Unpriced(f"`{name}` is no number") from None


def count(state: State, name: str) -> int:
    """How many items a list has; those of them that are not known yet count too."""
    value = known(state, name)
    if not isinstance(value, list):
        raise Unpriced(f"`{name}` is no list")
    return len(value)


def rds_instance(state: State, side: Side) -> Cost:
    source = side.source(state, "replicateSourceDb", "aws:rds/instance:Instance")
    engine = state.inputs.get("engine") or (known(source, "engine") if source else "postgres")
    if engine != "postgres":
        raise Unpriced(
            f"there are no prices for the engine {engine}" if engine != UNKNOWN else "`engine` is not known"
        )
    instance_class = str(known(state, "instanceClass"))
    zones = 2 if known(state, "multiAz", False) is True else 1
    storage_type = str(known(state, "storageType", "gp2"))
    sized = state if source is None or state.inputs.get("allocatedStorage") is not None else source
    gigabytes = number(sized, "allocatedStorage")
    per_gigabyte = price("rds_storage", storage_type) * zones
    instances = price("rds_postgres", instance_class) * HOURS * zones
    grown = max(gigabytes, number(state, "maxAllocatedStorage", gigabytes))
    return Cost(
        monthly=instances + gigabytes * per_gigabyte,
        most=instances + grown * per_gigabyte,
        how=f"{instance_class}{', Multi-AZ' if zones == 2 else ''}, {gigabytes:g} GB {storage_type}"
        + (f" that may grow to {grown:g}" if grown > gigabytes else ""),
        unknown="; ".join(_rds_extras(state)),
        tables=("rds_postgres", "rds_storage"),
    )


def _rds_extras(state: State) -> Iterable[str]:
    extra = [name for name in ("iops", "storageThroughput") if state.inputs.get(name) is not None]
    if extra:
        yield f"provisioned {' and '.join(extra)}"
    days = state.inputs.get("performanceInsightsRetentionPeriod") or 0
    if days == UNKNOWN or (isinstance(days, int | float) and days > FREE_INSIGHTS_DAYS):
        yield f"Performance Insights for more than {FREE_INSIGHTS_DAYS} days"


def rds_proxy(state: State, side: Side) -> Cost:
    """By the processors of the instance behind it, which the proxy's target names."""
    instances = [
        instance
        for _, target in side.of("aws:rds/proxyTarget:ProxyTarget")
        if any(side.states.get(urn) is state for urn in target.sources("dbProxyName"))
        and (instance := side.source(target, "dbInstanceIdentifier", "aws:rds/instance:Instance"))
    ]
    if not instances:
        raise Unpriced("the database behind it is not in this preview")
    classes = [str(known(instance, "instanceClass")) for instance in instances]
    vcpus = sum(max(_vcpus(each), PROXY_LEAST_VCPUS) for each in classes)
    return Cost(
        price("rds_proxy", "vcpu") * vcpus * HOURS,
        how=f"{vcpus} vCPU of {', '.join(classes)}",
        tables=("rds_proxy",),
    )


def _vcpus(instance_class: str) -> int:
    size = instance_class.rpartition(".")[2]
    if size not in VCPUS:
        raise Unpriced(f"the number of vCPUs of {instance_class} is not known here")
    return VCPUS[size]


def cache(state: State, _: Side) -> Cost:
    engine = str(known(state, "engine", "redis"))
    node_type = str(known(state, "nodeType"))
    if state.inputs.get("numNodeGroups") is not None:
        nodes = number(state, "numNodeGroups") * (1 + number(state, "replicasPerNodeGroup", 0))
    else:
        nodes = number(state, "numCacheClusters", 1)
    if f"elasticache_{engine}" not in tables.prices().tables:
        raise Unpriced(f"there are no prices for the engine {engine}")
    return Cost(
        price(f"elasticache_{engine}", node_type) * nodes * HOURS,
        how=f"{nodes:g} × {node_type}, {engine}",
        tables=(f"elasticache_{engine}",),
    )


def broker(state: State, _: Side) -> Cost:
    mode = str(known(state, "deploymentMode", "SINGLE_INSTANCE"))
    by_mode = {"SINGLE_INSTANCE": 1, "ACTIVE_STANDBY_MULTI_AZ": 2, "CLUSTER_MULTI_AZ": 3}
    if mode not in by_mode:
        raise Unpriced(f"how many nodes a broker in mode {mode} has is not known here")
    instance_type = str(known(state, "hostInstanceType"))
    return Cost(
        price("mq", instance_type) * by_mode[mode] * HOURS,
        how=f"{by_mode[mode]} × {instance_type}",
        tables=("mq",),
    )


def vpc_endpoint(state: State, _: Side) -> Cost:
    if known(state, "vpcEndpointType", "Gateway") == "Gateway":
        return Cost(0, how="a gateway, free", tables=("network",))
    zones = count(state, "subnetIds")
    return Cost(fixed("network", "interface_endpoint") * zones, how=f"in {zones} zones", tables=("network",))


def load_balancer(state: State, _: Side) -> Cost:
    """The balancer, and a public address in each of its subnets where it faces the internet."""
    monthly = fixed("network", "load_balancer")
    if known(state, "internal", False) is True:
        return Cost(monthly, how="internal", tables=("network",))
    addresses = count(state, "subnets")
    return Cost(
        monthly + fixed("network", "public_ipv4") * addresses,
        how=f"with {addresses} public addresses",
        tables=("network",),
    )


def alarm(state: State, _: Side) -> Cost:
    """By the metrics that it watches: an alarm on an expression has several, one on an anomaly band three of each."""
    queries = state.inputs.get("metricQueries")
    if queries == UNKNOWN:
        raise Unpriced("`metricQueries` is not known before `pulumi up`")
    items: Sequence[Mapping[str, Any]] = [query for query in queries or [] if isinstance(query, dict)]
    metrics = [query["metric"] for query in items if isinstance(query.get("metric"), dict)]
    periods = [metric.get("period") for metric in metrics] or [state.inputs.get("period")]
    quick = any(isinstance(period, int | float) and period < 60 for period in periods)
    bands = 3 if state.inputs.get("thresholdMetricId") is not None else 1
    watched = max(len(metrics), 1) * bands
    name = "high_resolution_alarm_metric" if quick else "alarm_metric"
    asks = any(str(query.get("expression", "")).upper().startswith(("SELECT", "SEARCH")) for query in items)
    return Cost(
        price("cloudwatch", name) * watched,
        how=f"{watched} metrics" if watched > 1 else "1 metric",
        unknown="one more for each metric that its query finds" if asks else "",
        tables=("cloudwatch",),
    )


def web_acl(state: State, _: Side) -> Cost:
    rules = count(state, "rules") if state.inputs.get("rules") is not None else 0
    text = json.dumps(state.inputs.get("rules") or [])
    dear = [name for name in DEAR_RULE_GROUPS if name in text]
    return Cost(
        price("waf", "web_acl") + price("waf", "rule") * rules,
        how=f"{rules} rules",
        unknown=f"the fee of {', '.join(dear)}" if dear else "",
        tables=("waf",),
    )


def health_check(state: State, _: Side) -> Cost:
    options = [
        state.inputs.get("type") in ("HTTPS", "HTTPS_STR_MATCH"),
        bool(state.inputs.get("searchString")),
        state.inputs.get("requestInterval") == 10,
        state.inputs.get("measureLatency") is True,
    ]
    return Cost(
        price("route53", "health_check") + price("route53", "health_check_option") * sum(options),
        how=f"{sum(options)} options, an endpoint in AWS",
        tables=("route53",),
    )


def canary(state: State, _: Side) -> Cost:
    schedule = state.inputs.get("schedule")
    expression = str(schedule.get("expression", "")) if isinstance(schedule, dict) else ""
    match = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", expression)
    if not match or int(match[1]) == 0:
        raise Unpriced("how often it runs is not a plain rate")
    runs = HOURS * (60 if match[2] == "minute" else 1) / int(match[1])
    return Cost(price("canary", "run") * runs, how=f"{runs:,.0f} runs", tables=("canary",))


def service(state: State, side: Side) -> Cost:
    """Tasks of the declared number; least and most of them where they scale by themselves."""
    task = side.source(state, "taskDefinition", "aws:ecs/taskDefinition:TaskDefinition")
    if task is None:
        raise Unpriced("its task definition is not in this preview")
    spot = _capacity(state)
    each, size, prices = _task(task)
    tasks = number(state, "desiredCount", 1)
    least, most = _scale(state, side) or (tasks, tasks)
    scaled = "" if least == most else f", {least:g} to {most:g} of them"
    return Cost(
        monthly=each * tasks,
        least=each * min(least, tasks),
        most=each * max(most, tasks),
        how=f"{tasks:g} × {size}{scaled}{', at the price without Spot' if spot else ''}",
        tables=prices,
    )


def _capacity(state: State) -> bool:
    """Whether some of it runs on Spot. Raises Unpriced for what does not run on Fargate."""
    strategies = state.inputs.get("capacityProviderStrategies")
    if not strategies:
        if known(state, "launchType", "EC2") != "FARGATE":
            raise Unpriced("it does not run on Fargate: it costs what its machines cost")
        return False
    names = [str(item.get("capacityProvider")) for item in strategies if isinstance(item, dict)]
    if not names or not set(names) <= {"FARGATE", "FARGATE_SPOT"}:
        raise Unpriced("it does not run on Fargate: it costs what its machines cost")
    return "FARGATE_SPOT" in names


def _task(task: State) -> tuple[float, str, tuple[str, ...]]:
    """USD a month for one, its size, and the tables of that price."""
    platform = task.inputs.get("runtimePlatform")
    architecture = str(
        (platform if isinstance(platform, dict) else {}).get("cpuArchitecture") or "X86_64"
    ).lower()
    if f"fargate_{architecture}" not in tables.prices().tables:
        raise Unpriced(f"there are no prices for the architecture {architecture}")
    vcpus = number(task, "cpu") / 1024
    gigabytes = number(task, "memory") / 1024
    storage = task.inputs.get("ephemeralStorage")
    extra = max(
        0,
        float((storage if isinstance(storage, dict) else {}).get("sizeInGib") or 0) - FARGATE_FREE_STORAGE_GB,
    )
    hourly = (
        vcpus * price(f"fargate_{architecture}", "vcpu")
        + gigabytes * price(f"fargate_{architecture}", "gb")
        + extra * price("fargate_storage", "gb")
    )
    arm = " ARM" if architecture == "arm64" else ""
    used = [f"fargate_{architecture}", *(["fargate_storage"] if extra else [])]
    return hourly * HOURS, f"{vcpus:g} vCPU and {gigabytes:g} GB{arm}", tuple(used)


def _scale(state: State, side: Side) -> tuple[float, float] | None:
    for _, target in side.of("aws:appautoscaling/target:Target"):
        if any(side.states.get(urn) is state for urn in target.sources("resourceId")):
            return number(target, "minCapacity"), number(target, "maxCapacity")
    return None


def node_group(state: State, _: Side) -> Cost:
    scaling = known(state, "scalingConfig")
    if not isinstance(scaling, dict):
        raise Unpriced("`scalingConfig` is no object")
    types = state.inputs.get("instanceTypes") or ["t3.medium"]
    if types == UNKNOWN or len(types) != 1:
        raise Unpriced("its nodes may be of more than one type")
    sizes = [scaling.get(name) for name in ("desiredSize", "minSize", "maxSize")]
    if not all(isinstance(size, int | float) for size in sizes):
        raise Unpriced("how many nodes it has is not known before `pulumi up`")
    each = price("ec2", str(types[0])) * HOURS
    desired, least, most = (each * size for size in sizes)
    return Cost(
        monthly=desired,
        least=min(least, desired),
        most=max(most, desired),
        how=f"{sizes[0]:g} × {types[0]}, {sizes[1]:g} to {sizes[2]:g} of them",
        unknown="the disks of its nodes",
        tables=("ec2",),
    )


FORMULAS: Mapping[str, Callable[[State, Side], Cost]] = {
    "aws:rds/instance:Instance": rds_instance,
    "aws:rds/proxy:Proxy": rds_proxy,
    "aws:elasticache/replicationGroup:ReplicationGroup": cache,
    "aws:mq/broker:Broker": broker,
    "aws:ec2/vpcEndpoint:VpcEndpoint": vpc_endpoint,
    "aws:lb/loadBalancer:LoadBalancer": load_balancer,
    "aws:cloudwatch/metricAlarm:MetricAlarm": alarm,
    "aws:wafv2/webAcl:WebAcl": web_acl,
    "aws:route53/healthCheck:HealthCheck": health_check,
    "aws:synthetics/canary:Canary": canary,
    "aws:ecs/service:Service": service,
    "aws:eks/nodeGroup:NodeGroup": node_group,
}
