"""`groundwork verify` of what AWS knows: targets, variables, logs, CPU, alarms. And the commands themselves."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from operations import __main__ as command
from operations.platform import Platform
from operations.verify import command as verified
from operations.verify.command import CHECKS, PHASES
from tests.running_services import clock, emulator_url, refusal, running
from tests.verified_site import HOST, asked, authority, entry, outputs, site, told

__all__ = ["asked", "authority", "clock", "emulator_url", "running"]

BALANCER = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/ingress/50dc6c495c0c9188"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/NAME/6d0ecf831eec9f09"
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """A suite may take longer than what counts as recent."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC))


@pytest.fixture
def stack(running):
    """RentalFix's two services in the emulator, and what is expected of them."""
    running.cloud.outputs.update(
        {key: value for key, value in outputs().items() if key not in running.cloud.outputs}
    )
    running.start("core-matching", ["1.0.0"])
    running.start("worker-ai", ["1.0.0"])
    for said in running.cloud.outputs["services"].values():
        said |= {"startText": "", "variables": []}
    return running


# Targets


def group(name):
    return {"TargetGroupArn": GROUP.replace("NAME", name), "TargetGroupName": name}


def target(state, address="10.20.0.7", **why):
    return {
        "Target": {"Id": address, "Port": 4400, "AvailabilityZone": "us-east-1a"},
        "TargetHealth": {"State": state, **why},
    }


@pytest.fixture
def balanced(stack):
    """Behind a load balancer with one target group; `balanced(...)` says its targets."""
    stack.cloud.outputs["loadBalancer"] = {"arn": BALANCER, "dnsName": "lb.example"}
    stack.cloud.says("DescribeTargetGroups", {"TargetGroups": [group("core")]})

    def tell(*targets):
        stack.cloud.says("DescribeTargetHealth", {"TargetHealthDescriptions": list(targets)})
        return stack.cloud

    return tell


def test_targets_are_healthy(balanced, asked):
    cloud = balanced(target("healthy"), target("healthy", "10.20.0.8"))
    assert told(asked(cloud, "targets")) == [("core", "well", "2 of 2 targets healthy")]
    assert cloud.calls("DescribeTargetGroups") == [{"LoadBalancerArn": BALANCER}]
    assert cloud.calls("DescribeTargetHealth") == [{"TargetGroupArn": GROUP.replace("NAME", "core")}]


def test_a_target_that_is_not_healthy_is_told_with_its_reason(balanced, asked):
    cloud = balanced(
        target("healthy"),
        target("unhealthy", "10.20.0.8", Reason="Target.ResponseCodeMismatch", Description="Codes: [503]"),
        target("initial", "10.20.0.9", Reason="Elb.RegistrationInProgress"),
    )
    [seen] = asked(cloud, "targets", code=1)
    assert seen["seen"] == (
        "10.20.0.8:4400 is unhealthy Codes: [503]; 10.20.0.9:4400 is initial Elb.RegistrationInProgress"
    )


def test_a_group_without_a_target_is_found(balanced, asked):
    assert told(asked(balanced(), "targets", code=1)) == [("core", "found", "no target is registered")]


def test_a_target_group_is_named_by_the_service_that_ecs_has_behind_it(balanced, stack, asked):
    name = stack.cloud.outputs["services"]["core-matching"]["name"]
    others = [each["name"] for each in stack.cloud.outputs["services"].values() if each["name"] != name]
    stack.cloud.says(
        "DescribeServices",
        {
            "services": [
                {
                    "serviceName": name,
                    "status": "ACTIVE",
                    "loadBalancers": [{"targetGroupArn": group("core")["TargetGroupArn"]}],
                },
                *({"serviceName": each, "status": "ACTIVE"} for each in others),
            ]
        },
    )
    assert told(asked(balanced(target("healthy")), "targets")) == [
        ("core-matching", "well", "1 of 1 targets healthy")
    ]


def test_the_command_targets_shows_them_all(balanced, monkeypatch):
    cloud = balanced(
        target("healthy"), target("draining", "10.20.0.8", Reason="Target.DeregistrationInProgress")
    )
    monkeypatch.setattr(verified, "opened", lambda *_: cloud)
    result = CliRunner().invoke(command.app, ["targets", "--stack", "prod", "--json"])
    assert result.exit_code == 1
    assert [(row["target"], row["state"], row["why"]) for row in json.loads(result.output)] == [
        ("10.20.0.7:4400", "healthy", ""),
        ("10.20.0.8:4400", "draining", "Target.DeregistrationInProgress"),
    ]
    balanced(target("healthy"))
    result = CliRunner().invoke(command.app, ["targets", "--stack", "prod"])
    assert result.exit_code == 0
    assert "10.20.0.7:4400" in result.output


def test_without_a_load_balancer_of_its_own_a_stack_says_who_knows(stack, asked, monkeypatch):
    [seen] = asked(stack.cloud, "targets", code=2)
    assert "`kubectl get ingress`" in seen["seen"]
    monkeypatch.setattr(verified, "opened", lambda *_: stack.cloud)
    result = CliRunner().invoke(command.app, ["targets", "--stack", "prod"])
    assert result.exit_code == 2
    assert "name no load balancer" in result.output


def test_a_load_balancer_without_a_group_has_nothing_to_ask(balanced, stack, asked):
    stack.cloud.says("DescribeTargetGroups", {"TargetGroups": []})
    assert told(asked(stack.cloud, "targets")) == [
        ("targets", "nothing", "the load balancer has no target group")
    ]


def test_what_aws_refuses_is_told_and_stops_no_other_check(balanced, asked):
    cloud = balanced(target("healthy"))
    cloud.says("DescribeTargetHealth", refusal("AccessDenied", "not allowed"))
    seen = asked(cloud, "targets", "env", code=2)
    assert [(row["check"], row["state"]) for row in seen] == [
        ("targets", "not asked"),
        ("env", "well"),
        ("env", "well"),
    ]
    assert "AWS refused DescribeTargetHealth: not allowed (AccessDenied)" in seen[0]["seen"]


# Variables


def test_declared_variables_are_in_the_revision_that_runs(stack, asked):
    said = stack.cloud.outputs["services"]["core-matching"]
    said["variables"] = ["DB_PASSWORD"]
    seen = asked(stack.cloud, "env")
    assert told(seen)[0] == ("core-matching", "well", "all 1 variables are in revision 1")
    said["variables"] = ["API_KEY", "CORS_ORIGIN", "DB_PASSWORD"]
    seen = asked(stack.cloud, "env", code=1)
    assert told(seen)[0] == ("core-matching", "found", "API_KEY, CORS_ORIGIN missing in revision 1")


def test_an_empty_variable_and_a_strange_container_are_found(stack, asked):
    ecs = stack.cloud.client("ecs")
    said = stack.cloud.outputs["services"]
    said["core-matching"]["variables"] = ["CORS_ORIGIN", "NODE_ENV"]
    arn = stack.revision("core-matching", "1.1.0", CORS_ORIGIN="", NODE_ENV="production")
    ecs.update_service(cluster=stack.cluster, service=said["core-matching"]["name"], taskDefinition=arn)
    other = ecs.register_task_definition(
        family="other", containerDefinitions=[{"name": "other", "image": "other:1", "memory": 128}]
    )
    ecs.update_service(
        cluster=stack.cluster,
        service=said["worker-ai"]["name"],
        taskDefinition=other["taskDefinition"]["taskDefinitionArn"],
    )
    seen = told(asked(stack.cloud, "env", code=1))
    assert seen[0] == ("core-matching", "found", "CORS_ORIGIN empty in revision 2")
    assert seen[1][1] == "found"
    assert "has no container of that name" in seen[1][2]


# Logs


@pytest.fixture
def only_core(stack):
    del stack.cloud.outputs["services"]["worker-ai"]
    return stack


def deployed(stack, minutes_ago):
    name = stack.cloud.outputs["services"]["core-matching"]["name"]
    at = NOW - timedelta(minutes=minutes_ago)
    deployment = {"status": "PRIMARY", "createdAt": at}
    stack.cloud.says(
        "DescribeServices",
        {"services": [{"serviceName": name, "status": "ACTIVE", "deployments": [deployment]}]},
    )


def line(text, *, minutes_ago):
    return round((NOW - timedelta(minutes=minutes_ago)).timestamp() * 1000), text


STARTED = "Server started on port 3000"


def test_the_start_up_text_counts_since_the_deployment(only_core, asked):
    only_core.cloud.outputs["services"]["core-matching"]["startText"] = STARTED
    only_core.writes(
        "core-matching",
        "a",
        line(f"info {STARTED}", minutes_ago=90),
        line("info another", minutes_ago=20),
    )
    deployed(only_core, 30)
    seen = asked(only_core.cloud, "logs", code=1)
    assert [row["state"] for row in seen] == ["found", "well"]
    assert seen[0]["seen"].startswith(f'"{STARTED}" was not written in the hour after the deployment of ')
    assert seen[1]["seen"] == "no error in the last 10 minutes"
    deployed(only_core, 100)
    [started, _] = asked(only_core.cloud, "logs")
    assert started["seen"].startswith(f'"{STARTED}" written 1 times since ')
    deployed(only_core, 180)
    assert asked(only_core.cloud, "logs", code=1)[0]["state"] == "found"


def test_errors_of_the_last_minutes_are_found_by_the_stacks_own_pattern(only_core, asked):
    only_core.cloud.client("logs").put_metric_filter(
        logGroupName=only_core.cloud.outputs["services"]["core-matching"]["logGroup"],
        filterName="core-matching-errors-1a2b",
        filterPattern='"ERROR"',
        metricTransformations=[{"metricName": "errors", "metricNamespace": "x", "metricValue": "1"}],
    )
    only_core.writes(
        "core-matching",
        "a",
        line("ERROR no database\x1b[0m", minutes_ago=5),
        line("all is well", minutes_ago=4),
    )
    [seen] = asked(only_core.cloud, "logs", code=1)
    assert seen["seen"] == "errors in the last 10 minutes: 1, the last: ERROR no database [0m"
    [seen] = asked(only_core.cloud, "logs", "--log-minutes=3")
    assert seen["seen"] == "no error in the last 3 minutes"


def test_kubernetes_knows_since_when_a_service_runs(only_core, asked):
    only_core.cloud.outputs["kubernetes"] = {"cluster": "c", "namespace": "rentalfix"}
    only_core.cloud.outputs["services"]["core-matching"]["startText"] = STARTED
    seen = asked(only_core.cloud, "logs", code=2)
    assert [row["state"] for row in seen] == ["not asked", "well"]
    [seen] = asked(only_core.cloud, "env", code=2)
    assert "runs its services on Kubernetes" in seen["seen"]


def test_a_stack_that_runs_nothing_writes_nothing(stack, asked):
    stack.cloud.outputs["services"].clear()
    assert told(asked(stack.cloud, "logs")) == [("services", "nothing", "none is started")]


# CPU and alarms


def alarm(cloud, name, **more):
    given = {
        "AlarmName": name,
        "MetricName": "CPUUtilization",
        "Namespace": "AWS/ECS",
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 80,
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": ["arn:aws:sns:us-east-1:111122223333:critical"],
        **more,
    }
    cloud.client("cloudwatch").put_metric_alarm(**given)


def cpu(stack, *points):
    """(average, maximum) of one minute each."""
    now = datetime.now(UTC)
    stack.cloud.says(
        "GetMetricStatistics",
        {
            "Datapoints": [
                {"Timestamp": now, "Average": average, "Maximum": most, "Unit": "Percent"}
                for average, most in points
            ]
        },
    )


@pytest.fixture
def alarmed(only_core):
    prefix = only_core.cluster
    only_core.cloud.outputs["alarms"] = [f"{prefix}-api-cpu", f"{prefix}-api-errors"]
    cpu(only_core, (20.0, 31.0), (30.0, 62.0))
    for name in only_core.cloud.outputs["alarms"]:
        alarm(only_core.cloud, name)
    yield only_core
    client = only_core.cloud.client("cloudwatch")
    client.delete_alarms(AlarmNames=only_core.cloud.outputs["alarms"])


def test_cpu_and_alarms_of_phase_four(alarmed, asked):
    seen = asked(alarmed.cloud, "capacity")
    assert told(seen) == [
        ("core-matching", "well", "CPU 25 % on average, 62 % at most in 5 minutes"),
        ("alarms", "well", "all 2 there, actions on, in alarm: none"),
    ]
    [given] = alarmed.cloud.calls("GetMetricStatistics")
    name = alarmed.cloud.outputs["services"]["core-matching"]["name"]
    assert given["Dimensions"] == [
        {"Name": "ServiceName", "Value": name},
        {"Name": "ClusterName", "Value": alarmed.cluster},
    ]
    assert (given["Period"], given["Statistics"]) == (60, ["Average", "Maximum"])
    assert given["EndTime"] - given["StartTime"] == timedelta(minutes=5)


def test_a_service_that_cloudwatch_does_not_hear_is_found(alarmed, asked):
    cpu(alarmed)
    seen = asked(alarmed.cloud, "capacity", code=1)
    assert told(seen)[0] == ("core-matching", "found", "CloudWatch has no CPU of the last 5 minutes")


def test_alarms_that_are_gone_or_off_or_tell_nobody_are_found(alarmed, asked):
    first, second = alarmed.cloud.outputs["alarms"]
    alarm(alarmed.cloud, first, ActionsEnabled=False)
    alarm(alarmed.cloud, second, AlarmActions=[])
    alarmed.cloud.outputs["alarms"] = [first, second, "gone"]
    [_, seen] = asked(alarmed.cloud, "capacity", code=1)
    assert seen["seen"] == f"gone not there; {first} with actions switched off; {second} telling nobody"


def test_an_alarm_that_rings_is_told(alarmed, asked):
    first = alarmed.cloud.outputs["alarms"][0]
    alarmed.cloud.client("cloudwatch").set_alarm_state(AlarmName=first, StateValue="ALARM", StateReason="x")
    [_, seen] = asked(alarmed.cloud, "capacity")
    assert seen["seen"] == f"all 2 there, actions on, in alarm: {first}"


def test_alarms_of_cloudfront_stand_in_their_own_region(alarmed, asked, monkeypatch):
    alarmed.cloud.outputs["region"] = "eu-central-1"
    try:
        [_, seen] = asked(alarmed.cloud, "capacity")
    finally:
        alarmed.cloud.outputs["region"] = "us-east-1"
    assert seen["seen"] == "all 2 there, actions on, in alarm: none"


def test_a_stack_without_alarms_is_found_and_kubernetes_has_its_own_figures(only_core, asked):
    only_core.cloud.outputs["kubernetes"] = {"cluster": "c", "namespace": "rentalfix"}
    seen = asked(only_core.cloud, "capacity", code=1)
    assert told(seen) == [
        ("services", "not asked", "Kubernetes runs them: `kubectl top pods` shows their CPU"),
        ("alarms", "found", "the stack has none"),
    ]


# The command


@pytest.fixture
def run(monkeypatch):
    """A command on a stack with these outputs."""

    def invoke(said, *arguments):
        monkeypatch.setattr(verified, "opened", lambda *_: Platform("rentalfix", "prod", said))
        return CliRunner().invoke(command.app, [*arguments, "--stack", "prod"])

    return invoke


def test_every_check_is_in_a_phase_but_the_one_that_blocks():
    phased = {name for checks in PHASES.values() for name in checks}
    assert phased == {*CHECKS} - {"rate-limit"}


@pytest.mark.parametrize(
    ("arguments", "trouble"),
    [
        (["tsl"], "tsl"),
        (["tls", "--phase", "1"], "Name checks or say --phase, not both."),
        (["--phase", "3"], "Phase 3 is the load test: `groundwork perf` runs it."),
        (["tls", "--connect-to", "nowhere"], "--connect-to is HOST:PORT"),
        (["tls", "--ca-file", "/nowhere.pem"], "/nowhere.pem cannot be used as --ca-file"),
    ],
)
def test_what_cannot_be_asked_is_refused(run, arguments, trouble):
    result = run(outputs(), "verify", *arguments)
    assert result.exit_code == 2
    assert trouble in result.output


def test_a_stack_that_was_made_before_is_told_to_be_updated(run):
    old = {key: value for key, value in outputs().items() if key != "edge"}
    result = run(old, "verify")
    assert result.exit_code == 2
    assert "`pulumi up` writes them" in result.output


def test_a_phase_asks_its_checks_and_a_line_says_how_it_is(tmp_path, authority, run):
    stack = outputs(services={"api": entry(privatePaths=["/metrics"])})
    with site(tmp_path, authority) as there:
        given = [*there.options, f"--ca-file={authority.certificate}"]
        result = run(stack, "verify", "--phase", "2", *given)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "-     auth       api: the system file names no protected path (checks.auth).",
        f"-     headers    {HOST}: none is declared.",
        "well  cors       api: no foreign origin may call.",
        (
            "FOUND metrics    api: /metrics answers 200 from outside, and not 404; /metrics/x answers 200 from "
            "outside, and not 404. The listener's rule for private_paths is not there or comes too late: "
            "`pulumi up --refresh`."
        ),
        "-     body-limit services: ingress.waf.max_body_bytes is not set: the application decides.",
    ]


def test_health_asks_health_and_readiness(tmp_path, authority, run, monkeypatch):
    stack = outputs(services={"api": entry(answers={"/status": {}})})
    monkeypatch.setattr("operations.verify.answering.PAUSE_S", 0)
    with site(tmp_path, authority) as there:
        given = [*there.options, f"--ca-file={authority.certificate}"]
        result = run(stack, "health", *given)
    assert result.exit_code == 0
    assert [line.split()[1] for line in result.output.splitlines()] == ["health", "readiness"]


def test_without_a_name_everything_is_asked_but_the_rate_limit(balanced, stack, asked, tmp_path, authority):
    stack.cloud.outputs.update(urls={"api": f"https://{HOST}"})
    cloud = balanced(target("healthy"))
    cpu(stack)
    with site(tmp_path, authority) as there:
        seen = asked(cloud, at=there, code=1)
    assert [name for name in CHECKS if name in {row["check"] for row in seen}] == [
        name for name in CHECKS if name != "rate-limit"
    ]
