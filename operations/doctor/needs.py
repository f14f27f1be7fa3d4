"""How much of a quota the stack would take, where it is more than a count of its resources.

Each gives numbers by place: a region and, where the quota is one of a zone or of a single thing, which.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from operations.doctor.declared import Declared, given
from operations.platform import Platform
from operations.report.preview import Change

Place = tuple[str, str]
Needs = Callable[[Declared, Platform], Mapping[Place, float]]

SERVICE, TARGET = "aws:ecs/service:Service", "aws:appautoscaling/target:Target"
# Lambda guide, "Reserved concurrency": what no function may have for itself.
UNRESERVED = 100
CPU_OF_A_VCPU = 1024
# RDS guide, "Multi-AZ DB cluster deployments": a writer and two readers.
MEMBERS_OF_A_CLUSTER = 3


def counted(declared: Declared, changes: Iterable[Change]) -> Mapping[Place, float]:
    return Counter((declared.region_of(change), "") for change in changes)


def nat_gateways_by_zone(declared: Declared, _: Platform) -> Mapping[Place, float]:
    found: Counter[Place] = Counter()
    for gateway in declared.all("aws:ec2/natGateway:NatGateway"):
        for subnet in declared.sources(gateway, "subnetId"):
            found[declared.region_of(gateway), given(subnet, "availabilityZone") or ""] += 1
    return found


def _endpoints(declared: Declared, kind: str) -> Mapping[Place, float]:
    endpoints = declared.all("aws:ec2/vpcEndpoint:VpcEndpoint")
    return counted(declared, [each for each in endpoints if given(each, "vpcEndpointType") == kind])


def interface_endpoints(declared: Declared, _: Platform) -> Mapping[Place, float]:
    return _endpoints(declared, "Interface")


def gateway_endpoints(declared: Declared, _: Platform) -> Mapping[Place, float]:
    return _endpoints(declared, "Gateway")


def rules_of_a_group(declared: Declared, _: Platform) -> Mapping[Place, float]:
    found: Counter[Place] = Counter()
    for way in ("Ingress", "Egress"):
        for rule in declared.all(f"aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule"):
            for group in declared.sources(rule, "securityGroupId"):
                found[declared.region_of(rule), f"{group.name}, {way.lower()}"] += 1
    return found


def application_load_balancers(declared: Declared, _: Platform) -> Mapping[Place, float]:
    all_of = declared.all("aws:lb/loadBalancer:LoadBalancer")
    return counted(
        declared,
        [each for each in all_of if (given(each, "loadBalancerType") or "application") == "application"],
    )


def _tasks(declared: Declared) -> Iterable[tuple[str, float, bool]]:
    """Each service at its maximum: region, vCPUs, whether on Spot."""
    most = {
        service.urn: given(target, "maxCapacity") or 0
        for target in declared.all(TARGET)
        for service in declared.sources(target, "resourceId")
    }
    for service in declared.all(SERVICE):
        count = max(most.get(service.urn, 0), given(service, "desiredCount") or 0)
        strategies = given(service, "capacityProviderStrategies") or ()
        spot = any(each.get("capacityProvider") == "FARGATE_SPOT" for each in strategies)
        for definition in declared.sources(service, "taskDefinition"):
            cpu = int(given(definition, "cpu") or 0)
            yield declared.region_of(service), count * cpu / CPU_OF_A_VCPU, spot
    yield from _not_started(declared)


def _not_started(declared: Declared) -> Iterable[tuple[str, float, bool]]:
    """Services that wait for their first image are declared by the next `pulumi up` only."""
    if not declared.all("aws:ecs/cluster:Cluster"):
        return
    started = {service.name for service in declared.all(SERVICE)}
    for name, asked in (declared.setting("services") or {}).items():
        if name not in started and asked.get("cpu"):
            count = asked.get("max_count") or asked.get("desired_count") or 1
            yield declared.region, count * asked["cpu"] / CPU_OF_A_VCPU, False


def _vcpus(declared: Declared, *, spot: bool) -> Mapping[Place, float]:
    found: Counter[Place] = Counter()
    for region, vcpus, on_spot in _tasks(declared):
        if on_spot is spot:
            # A Counter of floats is what the type of its values does not say, and what it does.
            found[region, ""] += vcpus  # ty: ignore[invalid-assignment]
    return found


def fargate_vcpus(declared: Declared, _: Platform) -> Mapping[Place, float]:
    return _vcpus(declared, spot=False)


def fargate_spot_vcpus(declared: Declared, _: Platform) -> Mapping[Place, float]:
    return _vcpus(declared, spot=True)


def node_vcpus(declared: Declared, platform: Platform) -> Mapping[Place, float]:
    """Managed nodes at their maximum; a group with several types counts with its largest."""
    found: Counter[Place] = Counter()
    for group in declared.all("aws:eks/nodeGroup:NodeGroup"):
        types, region = given(group, "instanceTypes") or (), declared.region_of(group)
        most = (given(group, "scalingConfig") or {}).get("maxSize", 0)
        if not types:
            continue
        answer = platform.client("ec2", region=region).describe_instance_types(InstanceTypes=list(types))
        found[region, ""] += most * max(each["VCpuInfo"]["DefaultVCpus"] for each in answer["InstanceTypes"])
    return found


def db_instances(declared: Declared, _: Platform) -> Mapping[Place, float]:
    found = Counter(counted(declared, declared.all("aws:rds/instance:Instance")))
    for cluster in declared.all("aws:rds/cluster:Cluster"):
        if given(cluster, "dbClusterInstanceClass"):
            found[declared.region_of(cluster), ""] += MEMBERS_OF_A_CLUSTER
    return found


def db_storage_gib(declared: Declared, _: Platform) -> Mapping[Place, float]:
    """A replica is as large as what it follows."""
    instances = declared.all("aws:rds/instance:Instance")
    sizes = {given(each, "identifier"): given(each, "allocatedStorage") for each in instances}
    found: Counter[Place] = Counter()
    for each in instances:
        followed = sizes.get(given(each, "replicateSourceDb"))
        found[declared.region_of(each), ""] += given(each, "allocatedStorage") or followed or 0
    for cluster in declared.all("aws:rds/cluster:Cluster"):
        found[declared.region_of(cluster), ""] += given(cluster, "allocatedStorage") or 0
    return found


def cache_nodes(declared: Declared, _: Platform) -> Mapping[Place, float]:
    found: Counter[Place] = Counter()
    for group in declared.all("aws:elasticache/replicationGroup:ReplicationGroup"):
        shards, replicas = given(group, "numNodeGroups") or 1, given(group, "replicasPerNodeGroup") or 0
        found[declared.region_of(group), ""] += given(group, "numCacheClusters") or shards * (1 + replicas)
    return found


def metrics_insights_alarms(declared: Declared, _: Platform) -> Mapping[Place, float]:
    def is_one(alarm: Change) -> bool:
        queries = given(alarm, "metricQueries") or ()
        return any(str(query.get("expression", "")).upper().startswith("SELECT") for query in queries)

    return counted(declared, filter(is_one, declared.all("aws:cloudwatch/metricAlarm:MetricAlarm")))


def lambda_executions(declared: Declared, _: Platform) -> Mapping[Place, float]:
    """One for each function, or what it reserves; who reserves has to leave some to the others."""
    found: Counter[Place] = Counter()
    for function in declared.all("aws:lambda/function:Function"):
        reserved, place = given(function, "reservedConcurrentExecutions"), (declared.region_of(function), "")
        found[place] += 1 if reserved is None or reserved < 0 else reserved
        if reserved is not None and reserved > 0:
            found[place[0], "reserves"] = UNRESERVED
    return {
        (region, ""): number + found[region, "reserves"]
        for (region, part), number in found.items()
        if not part
    }


def policies_of_a_role(declared: Declared, _: Platform) -> Mapping[Place, float]:
    found: Counter[Place] = Counter()
    for attachment in declared.all("aws:iam/rolePolicyAttachment:RolePolicyAttachment"):
        for role in declared.sources(attachment, "role"):
            found[declared.region, role.name] += 1
    return found


def names_of_a_certificate(declared: Declared, _: Platform) -> Mapping[Place, float]:
    return {
        (declared.region_of(each), each.name): len(names_on(each))
        for each in declared.all("aws:acm/certificate:Certificate")
    }


def names_on(certificate: Change) -> list[str]:
    named = [given(certificate, "domainName"), *(given(certificate, "subjectAlternativeNames") or ())]
    return list(dict.fromkeys(str(name) for name in named if name))


NEEDS: Mapping[str, Needs] = {
    function.__name__: function
    for function in (
        nat_gateways_by_zone,
        interface_endpoints,
        gateway_endpoints,
        rules_of_a_group,
        application_load_balancers,
        fargate_vcpus,
        fargate_spot_vcpus,
        node_vcpus,
        db_instances,
        db_storage_gib,
        cache_nodes,
        metrics_insights_alarms,
        lambda_executions,
        policies_of_a_role,
        names_of_a_certificate,
    )
}


def numbers(value: Any) -> str:
    """`7`, `3.25`: without a point where there is nothing behind it."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")
