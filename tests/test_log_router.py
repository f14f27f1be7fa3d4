"""The log router: Fluent Bit's configuration, the sidecar, and what it changes in a task."""

import re
from typing import Any

import pytest

from components import _log_router
from components._containers import Container
from components._log_router import Datadog, Https, LogRouter, Loki
from components.task import Task, TaskArgs
from tests.recorder import record

DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
POLICY = "aws:iam/rolePolicy:RolePolicy"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
IMAGE = "public.ecr.aws/aws-observability/aws-for-fluent-bit:3.2.1"
LOKI = Loki(host="logs.example.com", port=443, tls=True)
LABELS = {"service": "api", "environment": "prod"}


def router(**changes):
    values: dict[str, Any] = {
        "image": IMAGE,
        "namespace": "shop/prod",
        "labels": LABELS,
        "loki": LOKI,
        **changes,
    }
    return LogRouter(**values)


def sections(made):
    """Each section of the configuration as (name, keys)."""
    found = []
    for line in _log_router.configuration(made, container="api", region="us-east-1").splitlines():
        if line.startswith("["):
            found.append((line.strip("[]"), {}))
        elif line:
            key, _, value = line.strip().partition(" ")
            assert key not in found[-1][1], "a key stands once"
            found[-1][1][key] = value
    return found


def output(made, plugin):
    (found,) = [keys for name, keys in sections(made) if name == "OUTPUT" and keys["Name"] == plugin]
    return found


def build(made=None, **changes):
    values: dict[str, Any] = {
        "family": "shop-prod-api",
        "container": Container(name="api", image="registry/api:1.0.0", user="1000"),
        "cpu": 256,
        "memory_mib": 512,
        "account_id": "111122223333",
        "region": "us-east-1",
        "log_group_name": "/shop/prod/api",
        "log_key_arn": "arn:key:logs",
        "log_retention_days": 30,
        "repository_arns": [],
        "log_router": made or router(),
        **changes,
    }
    tasks: list[Any] = []
    return record(lambda: tasks.append(Task("api", TaskArgs(**values)))), tasks


def rights(declared, name):
    return {each["Sid"]: each for each in declared.one(POLICY, name).json("policy")["Statement"]}


def test_cloudwatch_gets_every_line_as_it_was_written():
    """The line itself and not an envelope: filters for JSON go on finding its fields."""
    assert output(router(), "cloudwatch_logs") == {
        "Name": "cloudwatch_logs",
        "Match": "*",
        "region": "us-east-1",
        "log_group_name": "${LOG_GROUP}",
        "log_stream_prefix": "api/",
        "log_key": "log",
        "auto_create_group": "false",
        "Retry_Limit": "10",
    }


def test_nothing_listens_beyond_the_task():
    """FireLens' own configuration would open port 24224 on every address."""
    inputs = [keys for name, keys in sections(router()) if name == "INPUT"]
    assert inputs == [
        {"Name": "forward", "unix_path": "/var/run/fluent.sock", "Mem_Buf_Limit": "32MB"},
    ]
    assert dict(sections(router()))["SERVICE"]["HTTP_Listen"] == "127.0.0.1"


def test_loki_gets_the_line_and_a_few_labels():
    found = output(router(), "loki")
    assert (found["host"], found["port"], found["tls"], found["tls.verify"]) == (
        "logs.example.com",
        "443",
        "on",
        "on",
    )
    assert found["labels"] == "environment=prod, service=api"
    assert found["drop_single_key"] == "raw"
    assert "tenant_id" not in found


def test_loki_inside_the_network_and_with_a_tenant():
    found = output(router(loki=Loki(host="loki", port=3100, tls=False, tenant="shop")), "loki")
    assert (found["host"], found["port"], found["tenant_id"]) == ("loki", "3100", "shop")
    assert "tls" not in found


def test_datadog_and_another_collector_read_their_secrets_from_variables():
    made = router(
        loki=None,
        datadog=Datadog(site="datadoghq.eu", api_key_arn="arn:datadog"),
        https=Https(host="log-api.newrelic.com", path="/log/v1", header="Api-Key", secret_arn="arn:newrelic"),
    )
    datadog, https = output(made, "datadog"), output(made, "http")
    assert (datadog["Host"], datadog["apikey"]) == ("http-intake.logs.datadoghq.eu", "${DATADOG_API_KEY}")
    assert (datadog["dd_service"], datadog["dd_tags"]) == ("api", "environment:prod,service:api")
    assert (https["Host"], https["URI"]) == ("log-api.newrelic.com", "/log/v1")
    assert https["Header"] == "Api-Key ${HTTPS_HEADER}"
    assert datadog["tls"] == https["tls"] == "on"
    assert made.secrets == {"DATADOG_API_KEY": "arn:datadog", "HTTPS_HEADER": "arn:newrelic"}


def test_the_services_container_stays_as_it_is_but_for_its_log_driver():
    with_router = build()[0].one(DEFINITION).json("containerDefinitions")[0]
    without = build(log_router=None)[0].one(DEFINITION).json("containerDefinitions")[0]
    assert with_router.pop("logConfiguration") == {"logDriver": "awsfirelens", "options": {}}
    without.pop("logConfiguration")
    assert with_router == without


def test_the_sidecar():
    _, sidecar = build()[0].one(DEFINITION).json("containerDefinitions")
    assert (sidecar["name"], sidecar["image"], sidecar["essential"]) == ("log-router", IMAGE, True)
    assert sidecar["firelensConfiguration"] == {
        "type": "fluentbit",
        "options": {"enable-ecs-log-metadata": "false"},
    }
    assert sidecar["user"] == "0", "its socket's folder belongs to root"
    assert sidecar["readonlyRootFilesystem"] is True
    assert sidecar["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert sidecar["portMappings"] == []
    assert sidecar["memoryReservation"] == 64
    assert [mount["containerPath"] for mount in sidecar["linuxParameters"]["tmpfs"]] == ["/tmp"]
    environment = {each["name"]: each["value"] for each in sidecar["environment"]}
    assert environment["LOG_GROUP"] == "/shop/prod/api"
    assert environment["CONFIGURATION"].startswith("[SERVICE]\n")
    options = sidecar["logConfiguration"]["options"]
    assert options["awslogs-group"] == "/shop/prod/api/log-router", (
        "its complaints are no errors of the service"
    )


def test_the_sidecars_secrets_come_from_secrets_manager():
    made = router(datadog=Datadog(site="datadoghq.com", api_key_arn="arn:datadog"))
    declared, _ = build(made, secret_arns=["arn:own"], secret_key_arns=["arn:key:secrets"])
    _, sidecar = declared.one(DEFINITION).json("containerDefinitions")
    assert sidecar["secrets"] == [{"name": "DATADOG_API_KEY", "valueFrom": "arn:datadog"}]
    assert rights(declared, "api-execution")["ReadSecrets"]["Resource"] == ["arn:own", "arn:datadog"]
    assert "ReadSecrets" not in rights(build()[0], "api-execution")


def test_each_role_writes_to_one_log():
    """The sidecar writes the service's lines as the task, ECS writes the sidecar's as the execution role."""
    declared, _ = build()
    (routed,) = rights(declared, "api-task")["RouteLogs"]["Resource"]
    (own,) = rights(declared, "api-execution")["WriteLogs"]["Resource"]
    assert routed.endswith(":log-group:/shop/prod/api:*")
    assert own.endswith(":log-group:/shop/prod/api/log-router:*")


def test_its_log_is_kept_like_the_services():
    logs = build()[0].one(LOG_GROUP, "api-router-logs")
    assert (logs["name"], logs["kmsKeyId"], logs["retentionInDays"]) == (
        "/shop/prod/api/log-router",
        "arn:key:logs",
        30,
    )


def test_lines_that_a_receiver_did_not_take_are_noticed():
    declared, (task,) = build()
    (watch,) = task.watches
    counted = declared.one(FILTER)
    assert counted["pattern"] == '"cannot be retried"'
    assert (watch.name, watch.severity) == ("api-log-router-gave-up", "warning")
    assert watch.metrics[0].metric_name == counted["metricTransformation"]["name"]
    assert watch.metrics[0].namespace == counted["metricTransformation"]["namespace"] == "shop/prod"
    assert build(log_router=None)[1][0].watches == []


def test_a_router_renames_nothing():
    assert set(build(log_router=None)[0].names()) < set(build()[0].names())


@pytest.mark.parametrize(
    ("made", "changes", "message"),
    [
        (router(image="fluent-bit:latest"), {}, "image must name a version"),
        (router(loki=None), {}, "log_router has no receiver; name one, or leave it out"),
        (router(labels={"service": "a b"}), {}, "log_router.labels must be plain words, got service=a b"),
        (router(labels={"ser vice": "api"}), {}, "log_router.labels must be plain words, got ser vice=api"),
        (
            router(),
            {"before": [Container(name="first", image="x:1", user="1000")], "shared_path": "/shared"},
            "log_router goes with one container only",
        ),
    ],
)
def test_what_is_refused(made, changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build(made, **changes)
