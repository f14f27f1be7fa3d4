"""Service: with and without a route, each switch on both sides, and what is refused."""

import re
from typing import Any

import pytest

from components.service import PublicRoute, PublicRouteArgs, Route, Service, ServiceArgs, TargetHealth
from tests.recorder import record

SERVICE = "aws:ecs/service:Service"
GROUP = "aws:lb/targetGroup:TargetGroup"
RULE = "aws:lb/listenerRule:ListenerRule"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
DISCOVERY = "aws:servicediscovery/service:Service"


def route(**changes):
    values: dict[str, Any] = {
        "vpc_id": "vpc-1",
        "listener_arn": "arn:listener",
        "load_balancer_arn_suffix": "app/edge/1",
        "hosts": ["api.rentfix.com"],
        "priority": 100,
        "port": 4400,
        "health": TargetHealth(path="/health"),
        **changes,
    }
    return Route(**values)


def args(**changes):
    values: dict[str, Any] = {
        "cluster_arn": "arn:cluster",
        "cluster_name": "rentalfix-prod",
        "task_definition_arn": "arn:task:1",
        "container_name": "api",
        "desired_count": 4,
        "subnet_ids": ["subnet-a", "subnet-b"],
        "security_group_ids": ["sg-api"],
        **changes,
    }
    return ServiceArgs(**values)


def build(name="api", *, preview=False, **changes):
    return record(lambda: Service(name, args(**changes)), preview=preview)


def watches(**changes):
    kept = []
    record(lambda: kept.append(Service("api", args(**changes))))
    return {watch.name: watch for watch in kept[0].watches}


def test_a_worker():
    declared = build(tags={"owner": "platform"})
    service = declared.one(SERVICE)
    assert service.inputs == {
        "cluster": "arn:cluster",
        "taskDefinition": "arn:task:1",
        "desiredCount": 4,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "networkConfiguration": {
            "subnets": ["subnet-a", "subnet-b"],
            "securityGroups": ["sg-api"],
            "assignPublicIp": False,
        },
        "deploymentMinimumHealthyPercent": 100,
        "deploymentMaximumPercent": 200,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "availabilityZoneRebalancing": "ENABLED",
        "enableExecuteCommand": False,
        "enableEcsManagedTags": True,
        "propagateTags": "SERVICE",
        "waitForSteadyState": True,
        "tags": {"owner": "platform", "Name": "api"},
    }
    # Its autoscaling owns the number of tasks.
    assert service.ignore_changes == ("desiredCount",)
    assert declared.names() == [f"{SERVICE}::api", "groundwork:compute:Service::api"]


def test_a_worker_can_roll_back_on_alarms_of_others():
    service = build(rollback_alarm_names=["queue-failed"]).one(SERVICE)
    assert service["alarms"] == {"alarmNames": ["queue-failed"], "enable": True, "rollback": True}


def test_switches():
    service = build(enable_execute_command=True, wait_for_steady_state=False).one(SERVICE)
    assert service["enableExecuteCommand"] is True
    assert service["waitForSteadyState"] is False


def test_a_routed_service_stands_behind_its_target_group():
    declared = build(route=route(), health_check_grace_period_s=90)
    service, group = declared.one(SERVICE), declared.one(GROUP)
    assert group.inputs == {
        "vpcId": "vpc-1",
        "targetType": "ip",
        "protocol": "HTTP",
        "port": 4400,
        "loadBalancingAlgorithmType": "least_outstanding_requests",
        "deregistrationDelay": 30,
        "healthCheck": {
            "path": "/health",
            "protocol": "HTTP",
            "port": "traffic-port",
            "matcher": "200",
            "interval": 15,
            "timeout": 5,
            "healthyThreshold": 2,
            "unhealthyThreshold": 3,
        },
        "tags": {"Name": "api"},
    }
    (attached,) = service["loadBalancers"]
    assert attached["targetGroupArn"].startswith("arn:aws:elasticloadbalancing:us-east-1")
    assert (attached["containerName"], attached["containerPort"]) == ("api", 4400)
    assert service["healthCheckGracePeriodSeconds"] == 90
    assert declared.orphans() == []
    assert declared.names() == [
        f"{ALARM}::api-rollback",
        f"{SERVICE}::api",
        f"{RULE}::api-forward",
        f"{GROUP}::api-tg",
        "groundwork:compute:Service::api",
    ]


def test_hosts_and_paths_are_forwarded():
    declared = build(route=route(paths=["/v1/*", "/v2/*"]))
    rule = declared.one(RULE)
    assert rule["listenerArn"] == "arn:listener"
    assert rule["priority"] == 100
    assert rule["conditions"] == [
        {"hostHeader": {"values": ["api.rentfix.com"]}},
        {"pathPattern": {"values": ["/v1/*", "/v2/*"]}},
    ]
    assert rule["actions"][0]["type"] == "forward"
    assert rule["actions"][0]["targetGroupArn"] == declared.one(SERVICE)["loadBalancers"][0]["targetGroupArn"]
    assert declared.one(SERVICE).depends_on(rule)


def test_private_paths_and_what_is_below_them_answer_404_before_anything_is_forwarded():
    declared = build(route=route(private_paths=["/metrics"]))
    private = declared.one(RULE, "api-private")
    assert private["priority"] == 99
    assert private["conditions"] == [
        {"hostHeader": {"values": ["api.rentfix.com"]}},
        {"pathPattern": {"values": ["/metrics", "/metrics/*"]}},
    ]
    assert private["actions"] == [
        {
            "type": "fixed-response",
            "fixedResponse": {
                "contentType": "text/plain",
                "messageBody": "not found",
                "statusCode": "404",
            },
        }
    ]
    assert declared.one(SERVICE).depends_on(private)


def test_rewritten_paths_are_asked_first_and_reach_the_same_tasks():
    rewrites = {"/health": "/api/v1/system/health", "/v1.0/status": "/status"}
    declared = build(route=route(private_paths=["/metrics"], rewrites=rewrites))
    health = declared.one(RULE, "api-rewrite-health")
    status = declared.one(RULE, "api-rewrite-v1.0-status")
    assert (health["priority"], status["priority"]) == (98, 97)
    assert health["conditions"] == [
        {"hostHeader": {"values": ["api.rentfix.com"]}},
        {"pathPattern": {"values": ["/health"]}},
    ]
    assert health["actions"] == declared.one(RULE, "api-forward")["actions"]
    assert rewritten(health, "/health?deep=1") == "/api/v1/system/health?deep=1"
    assert rewritten(status, "/v1.0/status") == "/status"
    assert rewritten(status, "/v1x0/status") == "/v1x0/status"
    assert declared.one(SERVICE).depends_on(health)
    assert "transforms" not in declared.one(RULE, "api-forward")
    assert "transforms" not in declared.one(RULE, "api-private")


def test_a_prefix_is_taken_off_and_the_rest_stays():
    rule = build(route=route(paths=["/api", "/api/*"], strip_prefix="/api")).one(RULE)
    assert rewritten(rule, "/api") == "/"
    assert rewritten(rule, "/api/") == "/"
    assert rewritten(rule, "/api/users/7?full=1") == "/users/7?full=1"
    assert rewritten(rule, "/api?page=2") == "/?page=2"
    assert rewritten(rule, "/api/api/x") == "/api/x"


def rewritten(rule, url):
    """What the balancer makes of a path with its query."""
    (transform,) = rule["transforms"]
    assert transform["type"] == "url-rewrite"
    rewrite = transform["urlRewriteConfig"]["rewrite"]
    return re.sub(rewrite["regex"], lambda _: rewrite["replace"], url, count=1)


def test_figures_of_the_health_check_and_a_name_of_ones_own():
    health = TargetHealth(
        path="/health", interval_s=30, timeout_s=10, healthy_threshold=2, unhealthy_threshold=2
    )
    group = build("a" * 30, route=route(health=health, target_group_name="api-targets")).one(GROUP)
    assert group["name"] == "api-targets"
    check = group["healthCheck"]
    assert (check["interval"], check["timeout"]) == (30, 10)
    assert (check["healthyThreshold"], check["unhealthyThreshold"]) == (2, 2)


def test_a_deployment_that_answers_with_errors_is_rolled_back():
    declared = build(route=route(rollback_error_percent=2.5), rollback_alarm_names=["queue-failed"])
    alarm, service = declared.one(ALARM), declared.one(SERVICE)
    assert alarm["threshold"] == 2.5
    assert alarm["comparisonOperator"] == "GreaterThanThreshold"
    percent, errors, requests = alarm["metricQueries"]
    assert percent["expression"] == "IF(requests > 20, 100 * FILL(errors, 0) / requests, 0)"
    assert percent["returnData"] is True
    assert errors["metric"]["metricName"] == "HTTPCode_Target_5XX_Count"
    assert requests["metric"]["metricName"] == "RequestCount"
    assert errors["metric"]["dimensions"]["LoadBalancer"] == "app/edge/1"
    assert errors["metric"]["dimensions"]["TargetGroup"].startswith("targetgroup/api-tg-")
    first, own = service["alarms"]["alarmNames"]
    assert first == "queue-failed"
    assert own.startswith("api-rollback-")


def test_tasks_have_private_names_only_when_somebody_scrapes_them():
    assert "discovery_name" not in build().outputs("api")
    declared = build(discovery_namespace_id="ns-1")
    discovery = declared.one(DISCOVERY)
    assert discovery["name"] == "api-metrics"
    assert discovery["dnsConfig"] == {
        "namespaceId": "ns-1",
        "dnsRecords": [{"type": "A", "ttl": 15}],
        "routingPolicy": "MULTIVALUE",
    }
    assert declared.one(SERVICE)["serviceRegistries"]["registryArn"].startswith("arn:aws:servicediscovery")
    assert declared.outputs("api")["discovery_name"] == "api-metrics"


def test_service_connect_as_client_and_as_server():
    client = build(namespace_arn="arn:ns").one(SERVICE)
    assert client["serviceConnectConfiguration"] == {"enabled": True, "namespace": "arn:ns"}
    server = build(namespace_arn="arn:ns", connect_port=("http", 4400)).one(SERVICE)
    assert server["serviceConnectConfiguration"] == {
        "enabled": True,
        "namespace": "arn:ns",
        "services": [
            {
                "portName": "http",
                "discoveryName": "api",
                "clientAlias": [{"dnsName": "api", "port": 4400}],
            }
        ],
    }


def test_outputs():
    worker = build().outputs("api")
    assert worker["name"].startswith("api-")
    assert worker["arn"].startswith("arn:aws:ecs:us-east-1:111122223333:service/")
    assert "target_group_arn_suffix" not in worker
    assert build(route=route()).outputs("api")["target_group_arn_suffix"].startswith("targetgroup/api-tg-")


def test_a_preview_declares_the_same():
    changes = {"route": route(private_paths=["/metrics"]), "discovery_namespace_id": "ns-1"}
    assert build(preview=True, **changes).names() == build(**changes).names()


def test_what_a_worker_watches():
    found = watches()
    assert {name: watch.severity for name, watch in found.items()} == {
        "api-running": "critical",
        "api-cpu": "warning",
        "api-memory": "warning",
    }
    assert found["api-running"].expression == "desired - running"
    assert {metric.metric_name for metric in found["api-running"].metrics} == {
        "DesiredTaskCount",
        "RunningTaskCount",
    }
    assert found["api-cpu"].metrics[0].metric_name == "CPUUtilization"
    assert found["api-memory"].metrics[0].metric_name == "MemoryUtilization"


def test_what_a_routed_service_watches_besides():
    assert sorted(watches(route=route()).keys() - watches().keys()) == [
        "api-no-healthy-target",
        "api-unhealthy-targets",
    ]
    found = watches(route=route(error_rate_percent=0.1, latency_p95_s=0.2))
    assert found["api-no-healthy-target"].treat_missing_data == "breaching"
    assert found["api-errors"].threshold == 0.1
    assert found["api-errors"].expression == "100 * FILL(errors, 0) / requests"
    assert found["api-latency"].threshold == 0.2
    assert found["api-latency"].metrics[0].stat == "p95"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"desired_count": -1}, "service api: desired_count must be 0 or more, got -1"),
        (
            {"connect_port": ("http", 4400)},
            "service api: connect_port needs namespace_arn: name the namespace in which others find the service",
        ),
        (
            {"route": route(hosts=[])},
            "route.hosts is empty: name the host that the service answers for",
        ),
        ({"route": route(paths=[])}, 'route.paths is empty: use ["/*"] for all of them'),
        (
            {"route": route(paths=["/a", "/b", "/c", "/d", "/e"])},
            "route.hosts and route.paths make 6 conditions, and a listener rule has room for 5 "
            "(a private path takes two): split the route",
        ),
        (
            {"route": route(private_paths=["/a", "/b", "/c"])},
            "route.hosts and route.private_paths make 7 conditions",
        ),
        ({"route": route(priority=1)}, "route.priority must be 2 to 50000, got 1"),
        (
            {"route": route(priority=3, rewrites={"/a": "/b", "/c": "/d"})},
            "route.priority must be 4 to 50000, got 3",
        ),
        (
            {"route": route(rewrites={"/health*": "/status"})},
            "route.rewrites takes plain paths such as /health, got '/health*'",
        ),
        (
            {"route": route(rewrites={"/health": "/$1"})},
            "route.rewrites leads to plain paths such as /v1/health, got '/$1'",
        ),
        (
            {"route": route(strip_prefix="/api/", paths=["/api/*"])},
            "route.strip_prefix must be a plain path such as /api, got '/api/'",
        ),
        (
            {"route": route(strip_prefix="/api", paths=["/api", "/apiary/*"])},
            "route.strip_prefix /api does not begin the path /apiary/*: it would pass unchanged",
        ),
        (
            {"route": route(target_group_name="t" * 33)},
            "route.target_group_name has at most 32 characters, got 33",
        ),
        (
            {"route": route(health=TargetHealth(path="/health", interval_s=4, timeout_s=2))},
            "route.health.interval_s must be 5 to 300, got 4",
        ),
        (
            {"route": route(health=TargetHealth(path="/health", timeout_s=1))},
            "route.health.timeout_s must be 2 to 120, got 1",
        ),
        (
            {"route": route(health=TargetHealth(path="/health", healthy_threshold=1))},
            "route.health.healthy_threshold must be 2 to 10, got 1",
        ),
        (
            {"route": route(health=TargetHealth(path="/health", unhealthy_threshold=11))},
            "route.health.unhealthy_threshold must be 2 to 10, got 11",
        ),
        (
            {"route": route(health=TargetHealth(path="/health", interval_s=10, timeout_s=10))},
            "route.health.timeout_s must be less than interval_s 10, got 10",
        ),
        (
            {"route": route(health=TargetHealth(path="health"))},
            "route.health.path must begin with /, got 'health'",
        ),
        (
            {"desired_count": -1, "route": route(priority=50_001)},
            "service api: desired_count must be 0 or more, got -1; route.priority must be 2 to 50000, got 50001",
        ),
    ],
)
def test_refusals(changes, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        build(**changes)


def test_a_name_too_long_for_a_target_group_is_refused_only_where_there_is_one():
    assert build("a" * 22).names(SERVICE) == ["a" * 22]
    assert build("a" * 21, route=route()).names(GROUP) == ["a" * 21 + "-tg"]
    with pytest.raises(ValueError, match="has at most 21 characters, got 22"):
        build("a" * 22, route=route())


def test_a_products_own_thresholds():
    found = watches(cpu_alarm_percent=80, memory_alarm_percent=85, storage_alarm_percent=70)
    assert (found["api-cpu"].threshold, found["api-cpu"].evaluation_periods) == (80, 1)
    assert (found["api-memory"].threshold, found["api-memory"].evaluation_periods) == (85, 1)
    assert "above 85 for 5 minutes" in found["api-memory"].description
    storage = found["api-storage"]
    assert (storage.threshold, storage.expression) == (70, "100 * used / reserved")
    assert {metric.id: metric.metric_name for metric in storage.metrics} == {
        "used": "EphemeralStorageUtilized",
        "reserved": "EphemeralStorageReserved",
    }


def test_without_them_cpu_and_memory_are_watched_at_90_for_15_minutes():
    found = watches()
    assert (found["api-cpu"].threshold, found["api-cpu"].evaluation_periods) == (90, 3)
    assert "above 90 for 15 minutes" in found["api-memory"].description
    assert "api-storage" not in found


def test_a_threshold_is_a_percentage():
    with pytest.raises(ValueError, match="cpu_alarm_percent must be above 0 and at most 100, got 101"):
        args(cpu_alarm_percent=101)


def test_a_route_without_ecs_is_the_same_at_the_load_balancer():
    kept = []
    given = route(private_paths=["/metrics"])
    alone = record(lambda: kept.append(PublicRoute("api", PublicRouteArgs(route=given))))
    behind = build(route=given)
    for kind in (GROUP, RULE):
        assert [each.inputs for each in alone.all(kind)] == [each.inputs for each in behind.all(kind)]
    assert alone.all(SERVICE) == alone.all(ALARM) == []
    names = [watch.name for watch in kept[0].watches]
    assert names == [name for name in watches(route=given) if name in names]
    assert "api-no-healthy-target" in names


def test_a_route_without_ecs_refuses_what_a_service_refuses():
    with pytest.raises(ValueError, match=r"^public route: route\.hosts is empty"):
        PublicRouteArgs(route=route(hosts=[]))
