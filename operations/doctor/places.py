"""Region, zones, and what AWS offers in them: classes and versions of databases, caches, brokers and nodes."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from operations.doctor.declared import Declared, given
from operations.doctor.line import Line, guarded, note, well, wrong
from operations.platform import Platform
from operations.report.preview import Change

OPTED = ("opt-in-not-required", "opted-in")
# Of a list that boto3 does not page by itself.
PAGES = 20


def check(platform: Platform, declared: Declared) -> Iterator[Line]:
    yield from guarded("regions", partial(_regions, platform, declared))
    yield from guarded("zones", partial(_zones, platform, declared))
    yield from guarded("endpoint services", partial(_endpoints, platform, declared))
    for instance in declared.all("aws:rds/instance:Instance"):
        yield from guarded(f"database {instance.name}", partial(_instance, platform, declared, instance))
    for cluster in declared.all("aws:rds/cluster:Cluster"):
        yield from guarded(f"database {cluster.name}", partial(_cluster, platform, declared, cluster))
    for group in declared.all("aws:elasticache/replicationGroup:ReplicationGroup"):
        yield from guarded(f"cache {group.name}", partial(_cache, platform, declared, group))
    for broker in declared.all("aws:mq/broker:Broker"):
        yield from guarded(f"broker {broker.name}", partial(_broker, platform, declared, broker))
    for nodes in declared.all("aws:eks/nodeGroup:NodeGroup"):
        yield from guarded(f"nodes {nodes.name}", partial(_nodes, platform, declared, nodes))


def _regions(platform: Platform, declared: Declared) -> Iterator[Line]:
    answer = platform.client("ec2").describe_regions(AllRegions=True)
    state = {each["RegionName"]: each["OptInStatus"] for each in answer["Regions"]}
    for region in declared.regions:
        if state.get(region) in OPTED:
            yield well(f"region {region}", state[region], "ec2 DescribeRegions")
        else:
            yield wrong(
                f"region {region}",
                state.get(region, "AWS does not know it"),
                f"`aws account enable-region --region-name {region}`, which takes minutes to hours.",
                "ec2 DescribeRegions",
            )


def _zones(platform: Platform, declared: Declared) -> Iterator[Line]:
    answer = platform.client("ec2").describe_availability_zones(AllAvailabilityZones=True)
    there = {each["ZoneName"]: each for each in answer["AvailabilityZones"]}
    source = "ec2 DescribeAvailabilityZones"
    fit = sorted(
        name
        for name, each in there.items()
        if each["State"] == "available" and each.get("OptInStatus", OPTED[0]) in OPTED
    )
    for zone in declared.zones:
        if zone in fit:
            yield well(f"zone {zone}", f"available, {there[zone].get('ZoneId', '')}", source)
            continue
        told = there.get(zone)
        figure = f"{told['State']}, {told.get('OptInStatus')}" if told else "this account has no such zone"
        yield wrong(f"zone {zone}", figure, f"`network.zones`: it has {', '.join(fit)}.", source)


def _endpoints(platform: Platform, declared: Declared) -> Iterator[Line]:
    endpoints = [
        each
        for each in declared.all("aws:ec2/vpcEndpoint:VpcEndpoint")
        if given(each, "vpcEndpointType") == "Interface"
    ]
    names = sorted({name for each in endpoints if (name := given(each, "serviceName"))})
    if not names:
        return
    # Asked for by name it would be an error that names one of those that are missing.
    pages = platform.client("ec2").get_paginator("describe_vpc_endpoint_services").paginate()
    offered = {
        each["ServiceName"]: set(each.get("AvailabilityZones", ()))
        for page in pages
        for each in page["ServiceDetails"]
    }
    source = "ec2 DescribeVpcEndpointServices"
    lacking = [
        f"{name} ({', '.join(zones)})"
        for name in names
        if (zones := sorted(set(declared.zones) - offered.get(name, set())))
    ]
    if lacking:
        yield wrong(
            "endpoint services", f"not offered: {'; '.join(lacking)}", "Choose other `network.zones`.", source
        )
    else:
        yield well("endpoint services", f"all {len(names)} in every zone", source)


def _instance(platform: Platform, declared: Declared, instance: Change) -> Iterator[Line]:
    """A replica has the engine of what it follows."""
    first = _followed(declared, instance) or instance
    rds = platform.client("rds", region=declared.region_of(instance))
    engine, version = given(first, "engine") or "postgres", str(given(first, "engineVersion") or "")
    yield from _engine(rds, instance.name, engine, version)
    wanted = {
        "Engine": engine,
        "DBInstanceClass": given(instance, "instanceClass"),
        **({"EngineVersion": version} if version.count(".") else {}),
    }
    options = _options(rds, wanted)
    multi_az = bool(given(instance, "multiAz"))
    if multi_az:
        options = [each for each in options if each.get("MultiAZCapable")]
    kind = "multi-AZ" if multi_az else "single-AZ"
    if storage := given(instance, "storageType") or given(first, "storageType"):
        options = [each for each in options if each.get("StorageType") == storage]
        kind += f" on {storage}"
    yield from _offered(
        instance, f"{wanted['DBInstanceClass']} {kind}", options, declared, 2 if multi_az else 1
    )


def _followed(declared: Declared, instance: Change) -> Change | None:
    name = given(instance, "replicateSourceDb")
    return next(
        (
            each
            for each in declared.all("aws:rds/instance:Instance")
            if name and given(each, "identifier") == name
        ),
        None,
    )


def _cluster(platform: Platform, declared: Declared, cluster: Change) -> Iterator[Line]:
    rds = platform.client("rds", region=declared.region_of(cluster))
    engine, version = given(cluster, "engine"), str(given(cluster, "engineVersion") or "")
    yield from _engine(rds, cluster.name, engine, version)
    class_ = given(cluster, "dbClusterInstanceClass")
    options = [
        each
        for each in _options(rds, {"Engine": engine, "EngineVersion": version, "DBInstanceClass": class_})
        if each.get("SupportsClusters")
    ]
    yield from _offered(cluster, f"{class_} in a Multi-AZ cluster", options, declared, 3)


def _options(rds: Any, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    pages = rds.get_paginator("describe_orderable_db_instance_options").paginate(Vpc=True, **wanted)
    return [each for page in pages for each in page["OrderableDBInstanceOptions"]]


def _engine(rds: Any, name: str, engine: str, version: str) -> Iterator[Line]:
    what, source = f"database {name}: version", "rds DescribeDBEngineVersions"
    pages = rds.get_paginator("describe_db_engine_versions").paginate(Engine=engine)
    told = {
        each["EngineVersion"]: each.get("Status", "available")
        for page in pages
        for each in page["DBEngineVersions"]
    }
    fit = [each for each, status in told.items() if status == "available" and _is_of(version, each)]
    if fit:
        yield well(what, f"{engine} {version}", source)
        return
    major = version.partition(".")[0]
    others = sorted((each for each in told if each.partition(".")[0] == major), key=_number)
    yield wrong(
        what,
        f"{engine} {version} is {told.get(version, 'not offered')}",
        f"`database.engine_version`: of {major} there is {', '.join(others) or 'none'}.",
        source,
    )


def _is_of(asked: str, version: str) -> bool:
    """`16` is any of its minor versions."""
    return version == asked or version.startswith(f"{asked}.")


def _number(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]


def _offered(
    change: Change, wanted: str, options: Sequence[dict[str, Any]], declared: Declared, least: int
) -> Iterator[Line]:
    what, source = f"database {change.name}: class", "rds DescribeOrderableDBInstanceOptions"
    offered = {zone["Name"] for each in options for zone in each.get("AvailabilityZones", ())}
    zones = [zone for zone in declared.zones if zone in offered]
    if len(zones) >= least:
        yield well(what, f"{wanted} in {', '.join(zones)}", source)
    else:
        yield wrong(
            what,
            f"{wanted} is offered in {', '.join(zones) or 'none'} of {', '.join(declared.zones)}, and needs {least}",
            "Another instance class, or other `network.zones`"
            + (f" ({', '.join(sorted(offered))} have it)." if offered else "."),
            source,
        )


def _cache(platform: Platform, declared: Declared, group: Change) -> Iterator[Line]:
    what, source = f"cache {group.name}: version", "elasticache DescribeCacheEngineVersions"
    engine, version = given(group, "engine") or "redis", str(given(group, "engineVersion") or "")
    client = platform.client("elasticache", region=declared.region_of(group))
    pages = client.get_paginator("describe_cache_engine_versions").paginate(Engine=engine)
    told = {each["EngineVersion"] for page in pages for each in page["CacheEngineVersions"]}
    if any(_is_of(version, each) or _is_of(each, version) for each in told):
        yield well(what, f"{engine} {version}", source)
    else:
        there = ", ".join(sorted(told, key=_number))
        yield wrong(what, f"{engine} {version} is not offered", f"There is {there or 'none'}.", source)
    yield note(
        f"cache {group.name}: node type",
        f"{given(group, 'nodeType')}: ElastiCache has no call that says in which zones it is offered",
        "Its user guide lists the types of a region (Supported node types); another one follows from `up`'s error.",
    )


def _broker(platform: Platform, declared: Declared, broker: Change) -> Iterator[Line]:
    engine, version = str(given(broker, "engineType")), str(given(broker, "engineVersion") or "")
    kind, mode = given(broker, "hostInstanceType"), given(broker, "deploymentMode") or "SINGLE_INSTANCE"
    what, source = f"broker {broker.name}", "mq DescribeBrokerInstanceOptions"
    client = platform.client("mq", region=declared.region_of(broker))
    options: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    for _ in range(PAGES):
        answer = client.describe_broker_instance_options(
            EngineType=engine.upper(), HostInstanceType=kind, **token
        )
        options += answer.get("BrokerInstanceOptions", ())
        if not answer.get("NextToken"):
            break
        token = {"NextToken": answer["NextToken"]}
    modes = [each for each in options if mode in each.get("SupportedDeploymentModes", ())]
    versions = sorted(
        {each for option in modes for each in option.get("SupportedEngineVersions", ())}, key=_number
    )
    fit = [
        each
        for each in modes
        if any(
            _is_of(version, one) or _is_of(one, version) for one in each.get("SupportedEngineVersions", ())
        )
    ]
    zones = {zone["Name"] for each in fit for zone in each.get("AvailabilityZones", ())}
    lacking = [zone for zone in declared.zones if zone not in zones]
    figure = f"{engine} {version}, {kind}, {mode.lower().replace('_', ' ')}"
    if fit and (not lacking or mode == "SINGLE_INSTANCE"):
        yield well(what, figure, source)
    elif fit:
        yield wrong(
            what, f"{figure}: not in {', '.join(lacking)}", "Other `network.zones`, or another type.", source
        )
    else:
        remedy = f"It has {', '.join(versions)}." if versions else "Another instance type or deployment mode."
        yield wrong(what, f"{figure} is not offered", remedy, source)


def _nodes(platform: Platform, declared: Declared, nodes: Change) -> Iterator[Line]:
    types = sorted(given(nodes, "instanceTypes") or ())
    if not types:
        return
    ec2 = platform.client("ec2", region=declared.region_of(nodes))
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": types}]
    )
    offered = {
        (each["InstanceType"], each["Location"]) for page in pages for each in page["InstanceTypeOfferings"]
    }
    lacking = [
        f"{kind} in {zone}" for kind in types for zone in declared.zones if (kind, zone) not in offered
    ]
    source = "ec2 DescribeInstanceTypeOfferings"
    if lacking:
        yield wrong(
            f"nodes {nodes.name}", f"not offered: {', '.join(lacking)}", "Another instance type.", source
        )
    else:
        yield well(f"nodes {nodes.name}", f"{', '.join(types)} in every zone", source)
