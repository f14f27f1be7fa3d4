"""Service: with and without a route, each switch on both sides, and what is refused."""

import re
from typing import Any

import pytest

from components.service import Route, Service, ServiceArgs
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
        "health_path": "/health",
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
            {"route": route(health_path="health")},
            "route.health_path must begin with /, got 'health'",
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
