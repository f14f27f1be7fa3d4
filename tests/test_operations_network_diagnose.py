"""`groundwork network diagnose 503`: each step from the load balancer to the stores, whole and broken.

Against a VPC in the emulator. It registers no target and runs no container: health of targets, tasks that died and
the figures of a balancer are answers of the test, checked against botocore's models.
"""

import json
from datetime import UTC, datetime

import pytest

from operations.network.case import FIRST, Case, Cause, Why
from tests.aws_cloud import emulator_url, refusal
from tests.standing_network import cloud, groundwork, on_aws, stack

__all__ = ["cloud", "emulator_url", "groundwork", "on_aws", "stack"]

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """A suite may take longer than what counts as recent."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC))


@pytest.fixture
def well(cloud):
    """Two healthy targets, and ElastiCache says nothing, as the emulator does."""
    targets(cloud, ("healthy", None), ("healthy", None))
    return cloud


def targets(cloud, *states):
    cloud.says(
        "DescribeTargetHealth",
        {
            "TargetHealthDescriptions": [
                {
                    "Target": {"Id": f"10.60.1.{number}", "Port": 4400},
                    "TargetHealth": {
                        "State": state,
                        **({"Reason": reason, "Description": "Health checks failed"} if reason else {}),
                    },
                }
                for number, (state, reason) in enumerate(states, 10)
            ]
        },
    )


def described(cloud, stack, **more):
    ecs = cloud.client("ecs")
    name = stack.outputs["services"]["core-matching"]["name"]
    cloud.answers.pop("DescribeServices", None)
    [said] = ecs.describe_services(cluster=stack.cluster, services=[name])["services"]
    cloud.says("DescribeServices", {"services": [{**said, **more}]})


def died(cloud, stack, **more):
    arn = f"arn:aws:ecs:us-east-1:123456789012:task/{stack.cluster}/0001"
    cloud.says("ListTasks", lambda given: {"taskArns": [arn] if given["desiredStatus"] == "STOPPED" else []})
    task = {
        "taskArn": arn,
        "group": f"service:{stack.outputs['services']['core-matching']['name']}",
        "taskDefinitionArn": stack.outputs["services"]["core-matching"]["taskDefinition"],
        "stoppedAt": NOW,
        **more,
    }
    cloud.says("DescribeTasks", {"tasks": [task]})


def likeliest(said):
    """The last two lines: cause and what to do."""
    cause, then = said.strip().splitlines()[-2:]
    return cause.removeprefix("Likeliest: "), then.removeprefix("Next: ")


# Nothing, and who is asked


def test_where_all_is_well_nothing_is_found(well, groundwork):
    said = groundwork("diagnose", "503")
    for step in (
        "listener rule: api.rentfix.com (priority 100)",
        "targets: 2 healthy",
        "health check: /health every",
        "tasks: 2 of 2 tasks run",
        "deaths: none in the last hour",
        "answers: no 503 by the balancer and no 5xx by its tasks in 15 minutes",
        "reach: load-balancer -> core-matching, tcp 4400",
        "reach: core-matching -> database, tcp 5432",
        "reach: core-matching -> cache-queue, tcp 6379",
        "error lines: none in 15 minutes",
    ):
        assert f"ok  {step}" in said
    assert "Nothing found." in said


def test_the_emulator_registers_no_target(cloud, groundwork):
    assert "?   targets: no target is registered, and 2 tasks run: the emulator registers none" in groundwork(
        "diagnose", "503"
    )


def test_a_service_may_be_named_by_its_host(well, groundwork):
    told = json.loads(groundwork("diagnose", "504", "--service", "api", "--json"))
    assert [(each["service"], each["status"], each["likeliest"]) for each in told] == [
        ("core-matching", 504, None)
    ]


def test_other_statuses_other_services_and_other_stacks_are_refused(cloud, groundwork):
    assert "404 is none of 502, 503, 504" in groundwork("diagnose", "404", code=2)
    assert (
        "worker-ai is not behind the load balancer: nobody gets 503 from it. Services that are: core-matching."
        in (groundwork("diagnose", "503", "--service", "worker-ai", code=2))
    )
    assert "There is no end of a connection nobody" in groundwork(
        "diagnose", "503", "--service", "nobody", code=2
    )
    cloud.outputs["healthUrls"] = {}
    assert "is behind the load balancer." in groundwork("diagnose", "503", code=2)
    cloud.outputs["loadBalancer"]["arn"] = ""
    assert "has no load balancer of its own" in groundwork("diagnose", "503", code=2)
    cloud.outputs["kubernetes"]["namespace"] = "rentalfix-prod"
    assert "`kubectl --namespace rentalfix-prod" in groundwork("diagnose", "503", code=2)


# The balancer's side


def test_a_balancer_that_is_gone(well, groundwork):
    well.says("DescribeLoadBalancers", refusal("LoadBalancerNotFound"))
    well.says("DescribeListeners", refusal("LoadBalancerNotFound"))
    cause, then = likeliest(groundwork("diagnose", "503", code=1))
    assert cause.startswith("ELB knows no arn:")
    assert then == "`pulumi up --refresh --stack prod` makes it again."


def test_a_rule_and_a_target_group_that_are_gone(well, groundwork):
    well.says("DescribeRules", {"Rules": []})
    cause, _ = likeliest(groundwork("diagnose", "503", code=1))
    assert cause == "No rule of the load balancer leads to core-matching, so its requests get 404 or 503."
    well.says("DescribeTargetGroups", refusal("TargetGroupNotFound"))
    cause, _ = likeliest(groundwork("diagnose", "503", code=1))
    assert cause == "The target group of core-matching is not there any more."


def test_a_rule_that_forwards_by_weights_is_seen(well, stack, groundwork):
    ecs = well.client("ecs")
    [said] = ecs.describe_services(
        cluster=stack.cluster, services=[stack.outputs["services"]["core-matching"]["name"]]
    )["services"]
    group = {"TargetGroupArn": said["loadBalancers"][0]["targetGroupArn"]}
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": [group]}}
    well.says("DescribeRules", {"Rules": [{"Priority": "7", "Conditions": [], "Actions": [action]}]})
    assert "ok  listener rule: everything else (priority 7)" in groundwork("diagnose", "503")


@pytest.mark.parametrize(
    ("reason", "meant"),
    [
        ("Target.ResponseCodeMismatch", "the health check is answered with something else than 200"),
        ("Target.Timeout", "the health check is not answered in time: it hangs, or a firewall is in the way"),
        ("Target.FailedHealthChecks", "nothing takes the health check's connection, or it breaks off"),
    ],
)
def test_sick_targets_are_told_with_their_reason(well, groundwork, reason, meant):
    targets(well, ("unhealthy", reason), ("unhealthy", reason))
    said = groundwork("diagnose", "503", code=1)
    assert f"NOT targets: 2 unhealthy: {meant} (Health checks failed)" in said
    cause, then = likeliest(said)
    assert cause.endswith(f"all of them, so that the balancer sends requests to sick ones: {meant}.")
    assert then.startswith("`groundwork logs core-matching --errors --since 15m --stack prod`")


def test_one_sick_target_of_two_is_told_as_such_and_new_ones_are_not(well, groundwork):
    targets(well, ("unhealthy", "Target.Timeout"), ("healthy", None))
    assert "health check, not all of them: " in groundwork("diagnose", "503", code=1)
    targets(well, ("initial", "Elb.InitialHealthChecking"))
    assert "?   targets: 1 initial" in groundwork("diagnose", "503")


def test_tasks_that_are_not_registered(cloud, groundwork, on_aws):
    targets(cloud)
    cause, then = likeliest(groundwork("diagnose", "503", code=1))
    assert cause == "The tasks of core-matching run, and none is registered at the load balancer."
    assert then.startswith("`groundwork service restart core-matching --stack prod`")


def test_another_health_check_than_the_declared_one(well, groundwork):
    well.outputs["healthUrls"]["core-matching"] = "https://api.rentfix.com/ready"
    cause, _ = likeliest(groundwork("diagnose", "503", code=1))
    assert (
        cause
        == "The load balancer asks /health whether core-matching is well, and the stack declares /ready."
    )


# The service


def test_a_service_that_is_stopped(well, stack, groundwork):
    described(well, stack, runningCount=0, desiredCount=0)
    targets(well)
    cause, then = likeliest(groundwork("diagnose", "503", code=1))
    assert cause == "core-matching is stopped: it should have no task."
    assert then == "`groundwork service start core-matching --stack prod`."


def test_tasks_that_die_are_told_with_why(well, stack, groundwork):
    described(well, stack, runningCount=1)
    died(
        well,
        stack,
        stoppedReason="Essential container in task exited",
        containers=[
            {"name": "core-matching", "reason": "OutOfMemoryError: Container killed", "exitCode": 137}
        ],
    )
    said = groundwork("diagnose", "502", code=1)
    assert "NOT tasks: 1 of 2 tasks run" in said
    assert "NOT deaths: 1 in the last hour" in said
    cause, then = likeliest(said)
    assert cause == "Tasks of core-matching die: It needed more memory than it has, and was killed."
    assert "services.<name>.memory_mib" in then


def test_tasks_that_do_not_come_and_have_not_died(well, stack, groundwork):
    event = {"id": "1", "createdAt": NOW, "message": "was unable to place a task. Capacity is unavailable."}
    described(well, stack, runningCount=1, events=[event])
    cause, then = likeliest(groundwork("diagnose", "503", code=1))
    assert cause == (
        "core-matching has 1 of 2 tasks, and none has died: was unable to place a task. Capacity is unavailable."
    )
    assert then == "`groundwork service show core-matching --stack prod`."
    described(well, stack, runningCount=1, events=[])
    assert "none has died: ECS says nothing." in groundwork("diagnose", "503", code=1)


# Who answered


def figures(cloud, elb, target):
    counts = {"elb": elb, "target": target}
    cloud.says(
        "GetMetricData",
        lambda given: {
            "MetricDataResults": [
                {"Id": each["Id"], "Values": [counts[each["Id"]]]} for each in given["MetricDataQueries"]
            ]
        },
    )


def test_the_service_itself_answers(well, groundwork):
    figures(well, 0, 7)
    cause, _ = likeliest(groundwork("diagnose", "503", code=1))
    assert cause == "core-matching itself answers with 5xx; the load balancer only hands it on."
    queries = well.calls("GetMetricData")[0]["MetricDataQueries"]
    assert [each["MetricStat"]["Metric"]["MetricName"] for each in queries] == [
        "HTTPCode_ELB_503_Count",
        "HTTPCode_Target_5XX_Count",
    ]
    [balancer] = queries[0]["MetricStat"]["Metric"]["Dimensions"]
    assert balancer["Value"].startswith("app/ingress-")
    group = queries[1]["MetricStat"]["Metric"]["Dimensions"][1]
    assert group["Value"].startswith("targetgroup/core-")


def test_the_balancer_answered(well, groundwork):
    figures(well, 12, 0)
    said = groundwork("diagnose", "503")
    assert "NOT answers: 12 times 503 by the balancer itself, 0 times 5xx by its tasks in 15 minutes" in said


# Who reaches whom, and what it says


def test_a_firewall_between_balancer_and_service(well, stack, groundwork):
    stack.take_away("core-matching", egress=False, port=4400, peer="load-balancer")
    cause, then = likeliest(groundwork("diagnose", "504", code=1))
    assert cause.startswith("The load balancer does not reach core-matching: core-matching (sg-")
    assert "`groundwork network check --from load-balancer --to core-matching:4400 --stack prod`" in then


def test_a_store_that_is_not_reached(well, stack, groundwork):
    stack.take_away("cache-queue", egress=False, port=6379, peer="core-matching")
    cause, then = likeliest(groundwork("diagnose", "503", code=1))
    assert cause.startswith("core-matching does not reach queue: cache-queue (sg-")
    assert "--from core-matching --to cache-queue:6379 --stack prod`" in then


def test_error_lines_are_the_last_straw(well, stack, groundwork):
    logs, group = well.client("logs"), stack.outputs["services"]["core-matching"]["logGroup"]
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    stack.undo.append(lambda: logs.delete_log_stream(logGroupName=group, logStreamName="s"))
    events = [{"timestamp": int(NOW.timestamp() * 1000), "message": "ERROR connect ECONNREFUSED"}]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    said = groundwork("diagnose", "503", code=1)
    assert "NOT error lines: ERROR connect ECONNREFUSED" in said
    cause, _ = likeliest(said)
    assert cause == "core-matching writes errors: ERROR connect ECONNREFUSED"


@pytest.mark.parametrize(("status", "first"), [(502, Why.deaths), (503, Why.stopped), (504, Why.to_service)])
def test_the_status_decides_what_is_likeliest(status, first):
    causes = [Cause(why, str(why), "") for why in Why if why not in (Why.balancer, Why.rule)]
    found = Case("a", status, causes=causes[::-1]).likeliest
    assert found is not None
    assert found.why is first
    assert Case("a", status).likeliest is None
    assert set(FIRST[status]) <= set(Why)
