"""What a change costs a month; nothing that is not known is taken to be zero."""

import pytest

from operations.report.costs import costs, status
from operations.report.preview import SECRET, UNKNOWN
from tests.report_previews import CACHE, DATABASE, INSTANCE, ROLE, SERVICE, TARGET, TASK, preview, step, urn

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
BROKER = "aws:mq/broker:Broker"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
PROXY = "aws:rds/proxy:Proxy"
PROXY_TARGET = "aws:rds/proxyTarget:ProxyTarget"
NODES = "aws:eks/nodeGroup:NodeGroup"
WEB_ACL = "aws:wafv2/webAcl:WebAcl"
CHECK = "aws:route53/healthCheck:HealthCheck"
CANARY = "aws:synthetics/canary:Canary"
KEY = "aws:kms/key:Key"
LOGS = "aws:cloudwatch/logGroup:LogGroup"


def made(type_, inputs, *others, **more):
    """The cost of one resource that is created."""
    found = costs(preview(step("create", type_, "it", new=inputs, **more), *others))
    assert not found.unknown, found.unknown
    return next(line for line in found.lines if line.name == "it").after


def unknown(type_, inputs, *others, **more):
    """Why one that is created has no price."""
    found = costs(preview(step("create", type_, "it", new=inputs, **more), *others))
    assert found.delta == 0
    (item,) = found.unknown
    return item.why


def monthly(hourly):
    return pytest.approx(hourly * 730)


# Each formula.


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 2 * (0.225 * 730 + 100 * 0.115)),
        ({"multiAz": False}, 0.225 * 730 + 100 * 0.115),
        (
            {"instanceClass": "db.t4g.micro", "multiAz": False, "allocatedStorage": 20},
            0.016 * 730 + 20 * 0.115,
        ),
        ({"storageType": "gp2"}, 2 * (0.225 * 730 + 100 * 0.115)),
    ],
)
def test_a_database_costs_its_class_and_its_storage_twice_with_a_standby(changes, expected):
    assert made(INSTANCE, {**DATABASE, **changes}).monthly == pytest.approx(expected)


def test_storage_that_may_grow_is_the_upper_end():
    cost = made(INSTANCE, {**DATABASE, "maxAllocatedStorage": 500})
    assert cost.range == (pytest.approx(351.5), pytest.approx(351.5 + 400 * 0.23))
    assert cost.how == "db.r6g.large, Multi-AZ, 100 GB gp3 that may grow to 500"


def test_a_replica_has_the_storage_and_the_engine_of_its_source():
    replica = {"instanceClass": "db.r6g.xlarge", "storageType": "gp3", "replicateSourceDb": "x"}
    source = step("same", INSTANCE, "database", old=DATABASE)
    link = {"replicateSourceDb": [urn(INSTANCE, "database")]}
    assert made(INSTANCE, replica, source, propertyDependencies=link).monthly == pytest.approx(
        0.45 * 730 + 11.5
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"instanceClass": "db.x9.huge"}, "there is no price for db.x9.huge in the table rds_postgres"),
        ({"engine": "oracle-ee"}, "there are no prices for the engine oracle-ee"),
        ({"engine": UNKNOWN}, "`engine` is not known"),
        ({"instanceClass": UNKNOWN}, "`instanceClass` is not known before `pulumi up`"),
        ({"instanceClass": SECRET}, "`instanceClass` is secret"),
        ({"allocatedStorage": None}, "`allocatedStorage` is not given"),
        ({"allocatedStorage": "much"}, "`allocatedStorage` is no number"),
        ({"storageType": "io9"}, "there is no price for io9 in the table rds_storage"),
    ],
)
def test_a_database_whose_price_is_not_known_is_named(changes, why):
    assert unknown(INSTANCE, {**DATABASE, **changes}) == f"{why} (after the change)"


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"iops": 4000}, "provisioned iops"),
        ({"iops": 4000, "storageThroughput": 500}, "provisioned iops and storageThroughput"),
        ({"performanceInsightsRetentionPeriod": 731}, "Performance Insights for more than 7 days"),
    ],
)
def test_a_part_without_a_price_is_named_beside_the_price(changes, part):
    found = costs(preview(step("create", INSTANCE, "it", new={**DATABASE, **changes})))
    assert found.lines[0].delta == pytest.approx(351.5)
    assert found.unknown[0].why == f"in addition to its price: {part}"


def test_seven_days_of_insights_are_free():
    assert made(INSTANCE, {**DATABASE, "performanceInsightsRetentionPeriod": 7}).unknown == ""


@pytest.mark.parametrize(("instance_class", "vcpus"), [("db.t4g.micro", 2), ("db.r6g.xlarge", 4)])
def test_a_proxy_costs_by_the_processors_behind_it(instance_class, vcpus):
    database = step("same", INSTANCE, "database", old={"instanceClass": instance_class})
    links = {"dbProxyName": [urn(PROXY, "it")], "dbInstanceIdentifier": [urn(INSTANCE, "database")]}
    target = step("same", PROXY_TARGET, "target", propertyDependencies=links)
    assert made(PROXY, {}, database, target).monthly == monthly(0.015 * vcpus)


def test_a_proxy_without_its_database_is_named():
    assert "the database behind it is not in this preview" in unknown(PROXY, {})
    database = step("same", INSTANCE, "database", old={"instanceClass": "db.x.odd"})
    links = {"dbProxyName": [urn(PROXY, "it")], "dbInstanceIdentifier": [urn(INSTANCE, "database")]}
    target = step("same", PROXY_TARGET, "target", propertyDependencies=links)
    assert "the number of vCPUs of db.x.odd" in unknown(PROXY, {}, database, target)


@pytest.mark.parametrize(
    ("inputs", "hourly"),
    [
        ({"nodeType": "cache.r6g.large", "numNodeGroups": 3, "replicasPerNodeGroup": 1}, 6 * 0.206),
        ({"nodeType": "cache.r6g.large", "numCacheClusters": 2, "engine": "redis"}, 2 * 0.206),
        ({"nodeType": "cache.r6g.large", "numCacheClusters": 2, "engine": "valkey"}, 2 * 0.1648),
        ({"nodeType": "cache.t4g.medium"}, 0.065),
    ],
)
def test_a_cache_costs_its_nodes(inputs, hourly):
    assert made(CACHE, inputs).monthly == monthly(hourly)


def test_a_cache_of_another_engine_is_named():
    assert "the engine memcached" in unknown(CACHE, {"engine": "memcached", "nodeType": "cache.t3.micro"})


@pytest.mark.parametrize(
    ("mode", "nodes"),
    [(None, 1), ("SINGLE_INSTANCE", 1), ("ACTIVE_STANDBY_MULTI_AZ", 2), ("CLUSTER_MULTI_AZ", 3)],
)
def test_a_broker_costs_its_nodes(mode, nodes):
    inputs = {"hostInstanceType": "mq.m5.large"} | ({"deploymentMode": mode} if mode else {})
    assert made(BROKER, inputs).monthly == monthly(0.288 * nodes)


def test_a_broker_of_an_unknown_kind_is_named():
    assert "mq.m7g.medium" in unknown(BROKER, {"hostInstanceType": "mq.m7g.medium"})
    assert "in mode ODD" in unknown(BROKER, {"hostInstanceType": "mq.m5.large", "deploymentMode": "ODD"})


def test_an_endpoint_costs_by_its_zones_and_a_gateway_nothing():
    inputs = {"vpcEndpointType": "Interface", "subnetIds": ["a", UNKNOWN, "c"]}
    assert made(ENDPOINT, inputs).monthly == monthly(0.03)
    assert costs(preview(step("create", ENDPOINT, "s3", new={"vpcEndpointType": "Gateway"}))).lines == ()
    assert "`subnetIds` is not known" in unknown(
        ENDPOINT, {"vpcEndpointType": "Interface", "subnetIds": UNKNOWN}
    )
    assert "`subnetIds` is no list" in unknown(ENDPOINT, {"vpcEndpointType": "Interface", "subnetIds": "a"})


def test_a_public_balancer_costs_its_addresses_too():
    assert made(BALANCER, {"subnets": ["a", "b"]}).monthly == monthly(0.0225 + 2 * 0.005)
    assert made(BALANCER, {"internal": True, "subnets": ["a"]}).monthly == monthly(0.0225)


QUERY = {"id": "m", "metric": {"period": 60}}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"period": 60}, 0.1),
        ({"period": 10}, 0.3),
        ({"metricQueries": [QUERY, QUERY, {"expression": "m1/m2"}]}, 0.2),
        ({"metricQueries": [{"metric": {"period": 10}}]}, 0.3),
        ({"metricQueries": [QUERY], "thresholdMetricId": "band"}, 0.3),
    ],
)
def test_an_alarm_costs_by_its_metrics(inputs, expected):
    assert made(ALARM, inputs).monthly == pytest.approx(expected)


def test_an_alarm_on_a_query_names_what_it_may_find():
    found = costs(
        preview(step("create", ALARM, "it", new={"metricQueries": [{"expression": "SELECT MAX(x)"}]}))
    )
    assert found.unknown[0].why == "in addition to its price: one more for each metric that its query finds"
    assert "`metricQueries` is not known" in unknown(ALARM, {"metricQueries": UNKNOWN})


def test_a_web_acl_costs_its_rules_and_names_dear_groups():
    assert made(WEB_ACL, {"rules": [{}, {}]}).monthly == pytest.approx(7)
    assert made(WEB_ACL, {}).monthly == pytest.approx(5)
    bots = {
        "rules": [{"statement": {"managedRuleGroupStatement": {"name": "AWSManagedRulesBotControlRuleSet"}}}]
    }
    found = costs(preview(step("create", WEB_ACL, "it", new=bots)))
    assert found.unknown[0].why == "in addition to its price: the fee of AWSManagedRulesBotControlRuleSet"


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"type": "HTTP"}, 0.5),
        ({"type": "HTTPS"}, 1.5),
        (
            {"type": "HTTPS_STR_MATCH", "searchString": "ok", "requestInterval": 10, "measureLatency": True},
            4.5,
        ),
    ],
)
def test_a_health_check_costs_its_options(inputs, expected):
    assert made(CHECK, inputs).monthly == pytest.approx(expected)


@pytest.mark.parametrize(("rate", "runs"), [("rate(5 minutes)", 8760), ("rate(1 hour)", 730)])
def test_a_canary_costs_its_runs(rate, runs):
    assert made(CANARY, {"schedule": {"expression": rate}}).monthly == pytest.approx(runs * 0.0012)


@pytest.mark.parametrize(
    "schedule", [{"expression": "cron(0 1 * * ? *)"}, {"expression": "rate(0 minute)"}, UNKNOWN, None]
)
def test_a_canary_on_another_schedule_is_named(schedule):
    assert "how often it runs is not a plain rate" in unknown(CANARY, {"schedule": schedule})


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("aws:ec2/natGateway:NatGateway", 0.045 * 730),
        ("aws:ec2/eip:Eip", 0.005 * 730),
        ("aws:eks/cluster:Cluster", 73),
        ("aws:ec2clientvpn/networkAssociation:NetworkAssociation", 73),
        (KEY, 1),
        ("aws:secretsmanager/secret:Secret", 0.4),
        ("aws:cloudwatch/dashboard:Dashboard", 3),
        ("aws:cloudwatch/compositeAlarm:CompositeAlarm", 0.5),
        ("aws:route53/zone:Zone", 0.5),
    ],
)
def test_fixed_prices_by_the_hour_and_by_the_month(type_, expected):
    assert made(type_, {}).monthly == pytest.approx(expected)


def test_nodes_cost_their_machines():
    scaling = {"desiredSize": 2, "minSize": 1, "maxSize": 4}
    found = costs(
        preview(step("create", NODES, "it", new={"instanceTypes": ["m6i.large"], "scalingConfig": scaling}))
    )
    assert found.lines[0].after.monthly == monthly(0.192)
    assert found.delta_range == (monthly(0.096), monthly(0.384))
    assert found.unknown[0].why == "in addition to its price: the disks of its nodes"


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({}, "`scalingConfig` is not given"),
        ({"scalingConfig": [1]}, "`scalingConfig` is no object"),
        ({"scalingConfig": {"desiredSize": UNKNOWN}}, "how many nodes it has is not known"),
        ({"scalingConfig": {}, "instanceTypes": ["a", "b"]}, "more than one type"),
    ],
)
def test_nodes_whose_number_or_type_is_not_known_are_named(inputs, why):
    assert why in unknown(NODES, inputs)


# Services.

SIZE = {"cpu": "1024", "memory": "2048"}
LINK = {"taskDefinition": [urn(TASK, "task")]}
VCPU = 0.04048 + 2 * 0.004445


def task(op="same", **inputs):
    return step(op, TASK, "task", old={**SIZE, **inputs}, new={**SIZE, **inputs})


def service(inputs=None, *others):
    return made(
        SERVICE,
        {"launchType": "FARGATE", "desiredCount": 4, **(inputs or {})},
        *(others or [task()]),
        propertyDependencies=LINK,
    )


def test_a_service_costs_its_tasks():
    cost = service()
    assert cost.monthly == monthly(4 * VCPU)
    assert cost.how == "4 × 1 vCPU and 2 GB"
    assert cost.tables == ("fargate_x86_64",)


def test_tasks_on_arm_and_with_more_disk():
    assert service({}, task(runtimePlatform={"cpuArchitecture": "ARM64"})).monthly == monthly(
        4 * (0.03238 + 2 * 0.00356)
    )
    cost = service({}, task(ephemeralStorage={"sizeInGib": 30}))
    assert cost.monthly == monthly(4 * (VCPU + 10 * 0.000111))
    assert cost.tables == ("fargate_x86_64", "fargate_storage")


def test_a_service_that_scales_has_a_range():
    scale = step(
        "same",
        TARGET,
        "scale",
        old={"minCapacity": 2, "maxCapacity": 7},
        propertyDependencies={"resourceId": [urn(SERVICE, "it")]},
    )
    cost = service({}, task(), scale)
    assert cost.range == (monthly(2 * VCPU), monthly(7 * VCPU))
    assert cost.how == "4 × 1 vCPU and 2 GB, 2 to 7 of them"


def test_the_target_of_another_service_is_not_its_own():
    other = step(
        "same",
        TARGET,
        "scale",
        old={"minCapacity": 1, "maxCapacity": 9},
        propertyDependencies={"resourceId": [urn(SERVICE, "other")]},
    )
    assert service({}, task(), other).range == (monthly(4 * VCPU),) * 2


def test_more_tasks_at_most_change_what_an_unchanged_service_may_cost():
    links = {"resourceId": [urn(SERVICE, "it")]}
    scale = step(
        "update",
        TARGET,
        "scale",
        old={"minCapacity": 2, "maxCapacity": 4},
        new={"minCapacity": 2, "maxCapacity": 8},
        propertyDependencies=links,
    )
    same = step(
        "same", SERVICE, "it", old={"launchType": "FARGATE", "desiredCount": 2}, propertyDependencies=LINK
    )
    (line,) = costs(preview(scale, same, task())).lines
    assert line.delta == 0
    assert line.delta_range == (0, monthly(4 * VCPU))


def test_a_larger_task_makes_its_service_dearer():
    larger = step("replace", TASK, "task", old=SIZE, new={"cpu": 2048, "memory": 4096}, replacing=["cpu"])
    changed = step(
        "update", SERVICE, "it", old={"launchType": "FARGATE", "desiredCount": 2}, propertyDependencies=LINK
    )
    (line,) = costs(preview(larger, changed)).lines
    assert line.delta == monthly(2 * VCPU)


def test_spot_is_priced_as_without_it_and_says_so():
    spot = {
        "capacityProviderStrategies": [{"capacityProvider": "FARGATE_SPOT"}, {"capacityProvider": "FARGATE"}]
    }
    assert service(spot).how == "4 × 1 vCPU and 2 GB, at the price without Spot"


@pytest.mark.parametrize(
    ("inputs", "others", "why"),
    [
        ({}, [], "its task definition is not in this preview"),
        ({}, [task(cpu=UNKNOWN)], "`cpu` is not known before `pulumi up`"),
        ({}, [task(runtimePlatform={"cpuArchitecture": "RISC"})], "the architecture risc"),
        ({"desiredCount": UNKNOWN}, [task()], "`desiredCount` is not known"),
        ({"launchType": "EC2"}, [task()], "it costs what its machines cost"),
        (
            {"capacityProviderStrategies": [{"capacityProvider": "own"}]},
            [task()],
            "it costs what its machines cost",
        ),
        ({"capacityProviderStrategies": UNKNOWN}, [task()], "it costs what its machines cost"),
    ],
)
def test_a_service_whose_price_is_not_known_is_named(inputs, others, why):
    given = {"launchType": "FARGATE", "desiredCount": 4, **inputs}
    assert why in unknown(SERVICE, given, *others, propertyDependencies=LINK)


# The whole.


def test_a_larger_class_costs_the_difference():
    larger = step(
        "update",
        INSTANCE,
        "database",
        old=DATABASE,
        new={**DATABASE, "instanceClass": "db.r6g.xlarge"},
        changed=["instanceClass"],
    )
    found = costs(preview(larger))
    (line,) = found.lines
    assert (line.before.monthly, line.after.monthly) == (pytest.approx(351.5), pytest.approx(680))
    assert found.delta == pytest.approx(328.5)
    assert found.tables == ("rds_postgres", "rds_storage")


def test_what_is_destroyed_is_saved_unless_it_stays_in_aws():
    assert costs(preview(step("delete", INSTANCE, "a", old=DATABASE))).delta == pytest.approx(-351.5)
    found = costs(preview(step("delete", INSTANCE, "a", old=DATABASE, retainOnDelete=True)))
    assert found.lines == ()
    assert found.kept == (("a", pytest.approx(351.5)),)


def test_what_is_imported_costs_what_it_did():
    assert costs(preview(step("import", INSTANCE, "a", new=DATABASE))).lines == ()


def test_a_price_that_is_only_known_before_makes_no_saving():
    gone = step("update", INSTANCE, "a", old=DATABASE, new={**DATABASE, "instanceClass": UNKNOWN})
    found = costs(preview(gone))
    assert found.lines == ()
    assert [item.why for item in found.unknown] == [
        "`instanceClass` is not known before `pulumi up` (after the change)"
    ]


def test_a_price_that_is_not_known_on_either_side_is_said_once():
    odd = {**DATABASE, "instanceClass": "db.x9.huge"}
    found = costs(preview(step("update", INSTANCE, "a", old=odd, new={**odd, "multiAz": False})))
    assert [item.why for item in found.unknown] == [
        "there is no price for db.x9.huge in the table rds_postgres (before and after the change)"
    ]


def test_a_type_that_the_table_does_not_have_is_named():
    found = costs(preview(step("create", "aws:quantum/computer:Computer", "q")))
    assert [(item.name, item.why) for item in found.unknown] == [
        ("q", "there is no price for this type in the table")
    ]


def test_free_ones_are_counted_and_those_by_use_say_of_what():
    found = costs(
        preview(
            step("create", ROLE, "r"),
            step("create", LOGS, "l"),
            step("update", LOGS, "m"),
            step("same", LOGS, "n"),
        )
    )
    assert found.free == 1
    assert found.usage == (("cloudwatch.LogGroup", 2, "GB taken in (0.50) and kept (0.03 a month)"),)


def test_a_change_of_a_priced_type_is_none_of_its_use():
    assert costs(preview(step("update", KEY, "k"))).usage == ()
    assert costs(preview(step("create", KEY, "k"))).usage[0][:2] == ("kms.Key", 1)


def test_totals_are_known_only_where_everything_is_listed():
    same = step("same", KEY, "k")
    whole = costs(preview(same, step("create", KEY, "l"), changeSummary={"same": 1, "create": 1}))
    assert (whole.before, whole.after) == (1, 2)
    part = costs(preview(step("create", KEY, "l"), changeSummary={"same": 1, "create": 1}))
    assert (part.before, part.after) == (None, None)
    failed = costs(preview(same, diagnostics=[{"message": "x", "severity": "error"}]))
    assert (failed.before, failed.after) == (None, None)


def test_what_the_sum_of_the_stack_leaves_out_is_named():
    found = costs(
        preview(
            step("same", BROKER, "odd", old={"hostInstanceType": "mq.m7g.medium"}),
            step("same", INSTANCE, "partly", old={**DATABASE, "iops": 1}),
            step("same", "aws:quantum/computer:Computer", "q"),
            step("same", KEY, "k"),
            step("delete", BROKER, "gone", old={"hostInstanceType": "mq.m7g.medium"}),
        )
    )
    assert found.left_out == ("odd", "partly", "q")


@pytest.mark.parametrize(("region", "elsewhere"), [("us-east-1", False), ("eu-west-1", True), (None, False)])
def test_a_stack_in_another_region_is_priced_as_if_it_were_not(region, elsewhere):
    assert costs(preview(config={"aws:region": region})).is_elsewhere is elsewhere


def test_the_dearest_change_comes_first():
    found = costs(
        preview(
            step("create", KEY, "a"), step("create", INSTANCE, "b", new=DATABASE), step("delete", KEY, "c")
        )
    )
    assert [line.name for line in found.lines] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (INSTANCE, "priced"),
        (KEY, "priced"),
        (LOGS, "usage"),
        ("kubernetes:apps/v1:Deployment", "usage"),
        (ROLE, "free"),
        ("random:index/randomPassword:RandomPassword", "free"),
        ("aws:quantum/computer:Computer", "unknown"),
    ],
)
def test_every_type_is_priced_free_by_use_or_named(type_, expected):
    assert status(type_) == expected
