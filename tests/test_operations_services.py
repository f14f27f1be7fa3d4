"""`groundwork service` and `groundwork scale`, and how a deployment is followed.

Against the emulator's ECS and autoscaling. It runs no container: tasks, and deployments that do not end at once, are
answers of the test, checked against botocore's models.
"""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from operations.platform import Refusal
from operations.services import deaths, fleet, rollout, switch
from operations.services.fleet import short, tag_of
from operations.services.rollout import Rollout
from operations.services.scale import Bounds, problems
from operations.waits import Failed, Patience
from tests.running_services import REGISTRY, checkout, clock, emulator_url, groundwork, running

__all__ = ["checkout", "clock", "emulator_url", "groundwork", "running"]

BEGAN = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
FAMILY = "arn:aws:ecs:us-east-1:111122223333:task-definition/rentalfix-core-matching"
API = fleet.Service(
    "core-matching", "core-matching-1a2b3c", "rentalfix", f"{FAMILY}:7", "/rentalfix/core-matching"
)
MISSING = f"CannotPullContainerError: failed to resolve ref {REGISTRY}/core-matching:1.2.0: not found"


def deployment(number=7, identifier="ecs-svc/7", status="PRIMARY", **more):
    return {
        "id": identifier,
        "status": status,
        "taskDefinition": f"{FAMILY}:{number}",
        "desiredCount": 2,
        "runningCount": 2,
        "pendingCount": 0,
        "failedTasks": 0,
        "rolloutState": "COMPLETED",
        **more,
    }


def described(*deployments, running=2, desired=2, pending=0, events=()):
    return {
        "serviceName": "core-matching-1a2b3c",
        "status": "ACTIVE",
        "taskDefinition": f"{FAMILY}:7",
        "runningCount": running,
        "desiredCount": desired,
        "pendingCount": pending,
        "deployments": list(deployments),
        "events": [
            {"id": str(number), "createdAt": BEGAN, "message": text} for number, text in enumerate(events)
        ],
    }


# What a service is, and how it is named


def test_a_service_that_is_not_there_is_refused_with_the_nearest(running, groundwork):
    running.start("core-matching", ["1.0.0"])
    said = groundwork("service", "show", "core-matchin", code=2).output
    assert (
        "There is no service core-matchin of rentalfix; there are: core-matching. Did you mean core-matching?"
        in said
    )


def test_a_service_without_an_image_tag_is_told_as_such(running, groundwork):
    running.cloud.outputs["servicesToPush"].append("later")
    said = groundwork("service", "restart", "later", "--yes", code=2).output
    assert (
        "later has no image tag in the stack file, and so does not run. `groundwork deploy later --tag TAG`"
        in said
    )


def test_a_stack_without_services_says_so(running, groundwork):
    assert "runs no service yet" in groundwork("rollback", code=2).output


def test_on_kubernetes_kubectl_does_it(running, groundwork):
    running.start("core-matching", ["1.0.0"])
    running.cloud.outputs["kubernetes"] = {"cluster": "a", "namespace": "rentalfix-prod"}
    said = groundwork("scale", "core-matching", "--desired", "3", code=2).output
    assert "`kubectl --namespace rentalfix-prod rollout status | undo | restart deployment/NAME`" in said


def test_a_service_that_ecs_does_not_know_is_told(running):
    running.start("core-matching", ["1.0.0"])
    running.cloud.outputs["services"]["core-matching"]["name"] = "gone-1"
    with pytest.raises(
        Refusal, match=r"ECS knows no service gone-1 in the cluster .*`pulumi up --refresh` makes it again"
    ):
        fleet.describe(running.cloud.client("ecs"), fleet.choose(running.cloud, None))


def test_more_than_ten_services_are_asked_for_in_parts():
    services = [fleet.Service(f"s{n}", f"s{n}", "c", f"{FAMILY}:1", "g") for n in range(12)]
    asked = []

    class Ecs:
        def describe_services(self, *, services, **_):
            asked.append(len(services))
            return {"services": [{"serviceName": name, "status": "ACTIVE"} for name in services]}

    assert len(fleet.describe(Ecs(), services)) == 12
    assert asked == [10, 2]


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("registry.example:5000/a/b:1.2.0", "1.2.0"),
        ("registry.example:5000/a/b", "latest"),
        (f"a/b@sha256:{'0' * 64}", f"sha256:{'0' * 64}"),
    ],
)
def test_the_tag_is_what_the_stack_file_has(image, tag):
    assert tag_of(image) == tag


def test_a_digest_is_shown_short_and_a_tag_as_it_is():
    assert short(f"sha256:{'ab' * 32}") == "sha256:abababababab"
    assert short("1.2.0-a-long-name-of-a-branch") == "1.2.0-a-long-name-of-a-branch"


def test_revisions_come_newest_first_and_only_of_the_family(running):
    for tag in ("1", "2"):
        running.revision("core-matching", tag)
    running.revision("core-matching-canary", "9")
    found = fleet.revisions(running.cloud.client("ecs"), f"{running.cluster}-core-matching")
    assert [each.tag("core-matching") for each in found] == ["2", "1"]


# How a deployment is followed


def seen(*answers):
    """What DescribeServices says, one after the other; the last one for ever."""
    left = list(answers)
    return lambda _: {"services": [left.pop(0) if len(left) > 1 else left[0]]}


def followed(running, clock, *answers, minutes=20):
    running.cloud.says("DescribeServices", seen(*answers))
    patience = Patience(minutes * 60, clock, clock.sleep)
    moving = Rollout(API, "ecs-svc/7", BEGAN)
    return rollout.follow(running.cloud.client, [moving], patience, otherwise="Look again.")


def no_deaths(running):
    running.cloud.says("ListTasks", {"taskArns": []})


def test_it_is_steady_when_ecs_says_so_and_the_old_tasks_are_gone(running, clock, capsys):
    no_deaths(running)
    moving = deployment(rolloutState="IN_PROGRESS", runningCount=1)
    old = deployment(6, "ecs-svc/6", "ACTIVE", rolloutState="COMPLETED")
    followed(
        running,
        clock,
        described(moving, old, running=3),
        described(deployment(), old, running=2),
        described(deployment(), running=1),
        described(deployment(), pending=1),
        described(deployment()),
    )
    assert clock.sleeps == [rollout.POLL_S] * 4
    assert "core-matching: steady, revision 7, 2 of 2 running" in capsys.readouterr().err


def test_a_service_without_a_rollout_state_is_steady_when_its_tasks_run(running, clock):
    plain = {key: value for key, value in deployment().items() if key != "rolloutState"}
    followed(running, clock, described(plain))
    assert clock.sleeps == []


def stopped(running, *reasons, number=7, **more):
    tasks = [
        {
            "taskArn": f"arn:aws:ecs:us-east-1:111122223333:task/rentalfix/{index}",
            "group": "service:core-matching-1a2b3c",
            "taskDefinitionArn": f"{FAMILY}:{number}",
            "stoppedAt": BEGAN + timedelta(minutes=index + 1),
            "stoppedReason": reason,
            "containers": [{"name": "core-matching", **more}],
        }
        for index, reason in enumerate(reasons)
    ]
    running.cloud.says("ListTasks", {"taskArns": [each["taskArn"] for each in tasks]})
    running.cloud.says("DescribeTasks", {"tasks": tasks})


def test_a_deployment_that_the_circuit_breaker_gives_up_is_told_with_what_its_tasks_died_of(running, clock):
    stopped(running, MISSING, MISSING)
    failed = deployment(
        rolloutState="FAILED",
        status="ACTIVE",
        rolloutStateReason="ECS deployment circuit breaker: tasks failed to start.",
    )
    back = deployment(6, "ecs-svc/8", rolloutState="IN_PROGRESS")
    with pytest.raises(Failed) as told:
        followed(running, clock, described(back, failed))
    assert str(told.value).splitlines() == [
        "core-matching: ECS gave the deployment up (ECS deployment circuit breaker: tasks failed to start). "
        "It runs, or "
        "goes back to, revision 6.",
        f"2 tasks of revision 7 died. The image {REGISTRY}/core-matching:1.2.0 is not in the registry. Push "
        f"it, or release "
        "a tag that is there: `groundwork rollback` goes back to the last one. docs/runbooks/service.md",
        f"  ECS: {MISSING}",
    ]


def test_a_deployment_that_somebody_has_overtaken_ends_the_waiting(running, clock):
    no_deaths(running)
    with pytest.raises(
        Failed, match=r"ECS is at another deployment by now\. It runs, or goes back to, revision 9\."
    ):
        followed(running, clock, described(deployment(9, "ecs-svc/9")))


def test_why_tasks_die_is_told_while_it_is_still_waited_for_and_once(running, clock, capsys):
    stopped(running, MISSING)
    dying = deployment(rolloutState="IN_PROGRESS", runningCount=0, failedTasks=1)
    followed(
        running, clock, described(dying, running=0), described(dying, running=0), described(deployment())
    )
    assert capsys.readouterr().err.count("core-matching: A task of revision 7 died. The image") == 1


def test_what_is_not_steady_in_time_is_told_with_what_its_events_say(running, clock):
    no_deaths(running)
    stuck = described(
        deployment(rolloutState="IN_PROGRESS", runningCount=0),
        running=0,
        events=[
            "(service a) was unable to place a task. Reason: Capacity is unavailable at this time.",
            "hello",
        ],
    )
    with pytest.raises(Failed) as told:
        followed(running, clock, stuck, minutes=1)
    first, second = str(told.value).splitlines()
    assert first.endswith("not in time, still core-matching revision 7, 0 of 2 running. Look again.")
    assert second.startswith("Fargate has no room in these zones at the moment.")


def test_one_service_that_fails_does_not_hide_how_the_other_ends(running, clock, capsys):
    no_deaths(running)
    other = fleet.Service("worker-ai", "worker-ai-1", "rentalfix", f"{FAMILY}:7", "/g")
    calls = iter([1, 2])

    def describe(given):
        worker = {**described(deployment()), "serviceName": "worker-ai-1"}
        both = [described(deployment(9, "ecs-svc/9")), worker]
        if next(calls) == 1:
            both[1] = {**worker, "pendingCount": 1}
        return {"services": [each for each in both if each["serviceName"] in given["services"]]}

    running.cloud.says("DescribeServices", describe)
    moving = [Rollout(API, "ecs-svc/7", BEGAN), Rollout(other, "ecs-svc/7", BEGAN)]
    with pytest.raises(Failed, match="core-matching: ECS is at another deployment"):
        rollout.follow(running.cloud.client, moving, Patience(600, clock, clock.sleep), otherwise="")
    assert "worker-ai: steady" in capsys.readouterr().err


# Deaths


def test_deaths_are_those_of_the_service_since_then_that_nobody_wanted(running):
    stopped(running, "one", "Scaling activity initiated by (deployment ecs-svc/1)", "three", exitCode=3)
    ecs, logs = running.cloud.client("ecs"), running.cloud.client("logs")
    assert [each.task for each in deaths.of(ecs, logs, API)] == ["2", "0"]
    assert [each.task for each in deaths.of(ecs, logs, API, since=BEGAN + timedelta(minutes=2))] == ["2"]
    assert [each.task for each in deaths.of(ecs, logs, API, revision=7)] == ["2", "0"]
    assert deaths.of(ecs, logs, API, revision=6) == []


def test_tasks_of_another_service_in_the_cluster_are_not_its_deaths(running):
    stopped(running, "one", exitCode=3)
    other = fleet.Service("worker-ai", "worker-ai-1", "rentalfix", f"{FAMILY}:7", "/g")
    assert deaths.of(running.cloud.client("ecs"), running.cloud.client("logs"), other) == []


def test_a_container_that_failed_is_told_with_its_last_lines(running, groundwork):
    running.start("core-matching", ["1.0.0"])
    running.died(
        "core-matching",
        {
            "stoppedAt": BEGAN,
            "stoppedReason": "Essential container in task exited",
            "containers": [{"name": "core-matching", "exitCode": 1}],
        },
    )
    task = next(iter(running.cloud.__dict__["shown"])).rsplit("/", 1)[-1]
    now = int(datetime.now(UTC).timestamp() * 1000)
    lines = [(now + number, f"line {number}") for number in range(deaths.SHOWN_LINES + 2)]
    running.writes("core-matching", f"core-matching/core-matching/{task}", *lines)
    said = groundwork("service", "show", "core-matching").output
    assert "A task of revision 1 died. core-matching ended with 1." in said
    assert "  | line 6" in said
    assert "line 1\n" not in said, "only the last ones"


# Show and env


def test_show_has_deployments_tasks_revisions_and_events(running, groundwork):
    running.start("core-matching", ["1.0.0", "1.1.0"])
    running.lives("core-matching", healthStatus="HEALTHY", availabilityZone="us-east-1a", containers=[])
    told = json.loads(groundwork("service", "show", "core-matching", "--json").output)
    assert told["service"] == [
        {
            "service": "core-matching",
            "running": 2,
            "desired": 2,
            "pending": 0,
            "autoscaling": "1-4",
            "revision": 2,
            "image": "1.1.0",
            "deployment": "completed",
        }
    ]
    assert [(each["revision"], each["image"], each["is"]) for each in told["revisions"]] == [
        (2, "1.1.0", "runs, declared"),
        (1, "1.0.0", ""),
    ]
    [task] = told["tasks"]
    assert (task["state"], task["health"], task["zone"], task["revision"]) == (
        "running",
        "healthy",
        "us-east-1a",
        2,
    )
    assert told["died"] == []


def test_show_says_which_revision_runs_and_which_is_declared(running, groundwork):
    running.start("core-matching", ["1.0.0", "1.1.0"])
    groundwork("rollback", "core-matching", "--yes")
    told = json.loads(groundwork("service", "show", "core-matching", "--json").output)
    assert {each["revision"]: each["is"] for each in told["revisions"]} == {2: "declared", 1: "runs"}


def test_env_shows_where_a_secret_comes_from_and_never_what_it_is(running, groundwork):
    running.start("worker-ai", ["1.0.0"])
    arn = running.revision("worker-ai", "1.1.0", MODE="worker", AGENTS="3")
    name = running.cloud.outputs["services"]["worker-ai"]["name"]
    running.cloud.client("ecs").update_service(cluster=running.cluster, service=name, taskDefinition=arn)
    told = json.loads(groundwork("service", "env", "worker-ai", "--json").output)
    assert [(each["variable"], each["value"]) for each in told] == [
        ("AGENTS", "3"),
        ("DB_PASSWORD", ""),
        ("MODE", "worker"),
    ]
    assert told[1]["secret"].startswith("arn:aws:secretsmanager:")
    assert "worker" in groundwork("service", "env", "worker-ai", "MODE").output
    assert "Did you mean MODE?" in groundwork("service", "env", "worker-ai", "MOD", code=2).output


# Stop, start, restart


def test_stop_suspends_the_autoscaling_first_and_start_lets_it_go_on(running, groundwork, clock):
    running.start("core-matching", ["1.0.0"], count=3, scaled=(2, 4))
    said = groundwork("service", "stop", "core-matching", "--yes").output
    assert (
        "will stop the 3 tasks of core-matching, and suspend its autoscaling; https://api.rentfix.com/health "
        "will answer 503" in said
    )
    assert running.described("core-matching")["desiredCount"] == 0
    assert set(running.bounds("core-matching")["SuspendedState"].values()) == {True}
    order = [name for name, _ in running.cloud.asked if name in ("RegisterScalableTarget", "UpdateService")]
    assert order[-2:] == ["RegisterScalableTarget", "UpdateService"]

    said = groundwork("service", "start", "core-matching", "--yes").output
    assert "will run 2 tasks of core-matching, and let its autoscaling go on" in said
    assert running.described("core-matching")["desiredCount"] == 2
    assert set(running.bounds("core-matching")["SuspendedState"].values()) == {False}
    assert (
        running.bounds("core-matching")["MinCapacity"],
        running.bounds("core-matching")["MaxCapacity"],
    ) == (2, 4)


def test_a_worker_without_autoscaling_is_stopped_too(running, groundwork, clock):
    running.start("worker-ai", ["1.0.0"], scaled=None)
    said = groundwork("service", "stop", "worker-ai", "--yes").output
    assert "will stop the 2 tasks of worker-ai\n" in said
    assert running.described("worker-ai")["desiredCount"] == 0


def test_start_again_changes_nothing_of_what_runs(running, groundwork, clock):
    running.start("core-matching", ["1.0.0"], count=3)
    groundwork("service", "start", "core-matching", "--yes")
    assert running.described("core-matching")["desiredCount"] == 3


def test_start_beyond_the_bounds_is_refused(running, groundwork):
    running.start("core-matching", ["1.0.0"], scaled=(1, 4))
    said = groundwork("service", "start", "core-matching", "--desired", "9", "--yes", code=2).output
    assert "core-matching has at most 4 tasks, and 9 were asked for. `groundwork scale`." in said


@pytest.mark.parametrize(
    ("desired", "has", "count"),
    [(3, Bounds(1, 4), 3), (0, Bounds(2, 4), 2), (0, Bounds(0, 4), 1), (0, None, 1)],
)
def test_a_service_is_started_with_what_it_has_its_least_or_one(desired, has, count):
    assert switch.count({"desiredCount": desired}, has) == count


def test_restart_makes_new_tasks_of_the_same_revision(running, groundwork, clock):
    running.start("core-matching", ["1.0.0", "1.1.0"])
    before = fleet.primary(running.described("core-matching"))["id"]
    said = groundwork("service", "restart", "core-matching", "--yes").output
    assert "will replace the 2 tasks of core-matching, without a gap" in said
    assert "core-matching: steady, revision 2, 2 of 2 running" in said
    assert fleet.primary(running.described("core-matching"))["id"] != before
    [given] = running.cloud.calls("UpdateService")
    assert given["forceNewDeployment"] is True
    assert "taskDefinition" not in given


@pytest.mark.parametrize(
    "command", [["service", "stop"], ["service", "start"], ["service", "restart"], ["rollback"], ["scale"]]
)
def test_nothing_is_changed_in_a_dry_run_or_without_a_yes(running, groundwork, command):
    running.start("core-matching", ["1.0.0", "1.1.0"])
    more = ["--desired", "3"] if command == ["scale"] else []
    assert "Nothing was done (--dry-run)" in groundwork(*command, "core-matching", *more, "--dry-run").output
    assert "Nobody is there to say yes." in groundwork(*command, "core-matching", *more, code=2).output
    assert running.cloud.calls("UpdateService") == []
    assert len(running.cloud.calls("RegisterScalableTarget")) == 1, "that of the test itself"


@pytest.mark.parametrize(
    ("command", "would"),
    [
        (["service", "stop"], "stop the 2 tasks of core-matching"),
        (["service", "start"], "run 2 tasks of core-matching, and let its autoscaling go on"),
        (["service", "restart"], "replace the 2 tasks of core-matching, without a gap"),
        (["scale", "--desired", "3"], "move core-matching from 2 to 3 tasks now"),
    ],
)
def test_json_says_what_a_dry_run_would_do(running, groundwork, command, would):
    running.start("core-matching", ["1.0.0"], count=2, scaled=None)
    said = json.loads(groundwork(*command, "core-matching", "--dry-run", "--json").stdout)
    assert said["stack"] == str(running.cloud)
    [told] = said["would"]
    assert told.startswith(would)
    assert running.cloud.calls("UpdateService") == []


@pytest.mark.parametrize(
    "arguments",
    [["service", "restart"], ["service", "stop"], ["service", "start"], ["scale", "--desired", "2"]],
)
def test_json_says_what_runs_then(running, groundwork, clock, arguments):
    running.start("core-matching", ["1.0.0"], count=2)
    number = 0 if arguments[-1] == "stop" else 2
    assert json.loads(groundwork(*arguments, "core-matching", "--yes", "--json").stdout) == [
        {"service": "core-matching", "running": number, "desired": number, "revision": 1}
    ]


# Scale


def test_scale_moves_the_number_and_waits(running, groundwork, clock):
    running.start("core-matching", ["1.0.0"], count=2, scaled=(1, 4))
    said = groundwork("scale", "core-matching", "--desired", "4", "--yes").output
    assert "will move core-matching from 2 to 4 tasks now" in said
    assert "core-matching: 4 of 4 tasks, autoscaling 1-4" in said


def test_scale_moves_the_bounds_and_says_where_they_belong(running, groundwork):
    running.start("core-matching", ["1.0.0"], scaled=(1, 4))
    running.cloud.outputs["database"] = {"identifier": "rentfix-primary"}
    said = groundwork("scale", "core-matching", "--max", "12", "--yes").output
    assert "will move the bounds of core-matching from 1-4 to 1-12 tasks" in said
    assert "open more database connections: each task has its own pool" in said
    assert re.search(r"Pulumi\.prod\.yaml:\d+ services\.core-matching\.max_count: 12\n", said)
    assert (
        running.bounds("core-matching")["MinCapacity"],
        running.bounds("core-matching")["MaxCapacity"],
    ) == (1, 12)
    assert running.cloud.calls("UpdateService") == []


def test_write_puts_the_bounds_into_the_stack_file(running, groundwork, checkout):
    running.start("core-matching", ["1.0.0"], scaled=(4, 7))
    said = groundwork("scale", "core-matching", "--min", "5", "--max", "9", "--write", "--yes").output
    assert "Pulumi.prod.yaml has the bounds. Commit it." in said
    services = yaml.safe_load((checkout / "Pulumi.prod.yaml").read_text())["config"]["groundwork:services"]
    assert (services["core-matching"]["min_count"], services["core-matching"]["max_count"]) == (5, 9)
    assert services["worker-ai"]["max_count"] == 4


def test_in_another_checkout_the_keys_are_told_without_a_line(running, groundwork, clock):
    running.cloud.__dict__["stack"] = "elsewhere"
    running.start("core-matching", ["0.9.0", "1.0.0"])
    assert (
        "  services.core-matching.max_count: 9"
        in groundwork("scale", "core-matching", "--max", "9", "--yes").output
    )
    assert "  services.core-matching.image_tag: 0.9.0" in groundwork("rollback", "--yes").output
    assert "is not in this checkout" in groundwork("rollback", "--to", "2", "--write", "--yes", code=2).output
    assert running.running_revision("core-matching") == 1, "refused before anything moves"


@pytest.mark.parametrize(
    ("has", "asked", "words"),
    [
        (Bounds(1, 4), {}, "Say how many: --desired, --min, --max."),
        (None, {"least": 2}, "core-matching has no autoscaling, and so no bounds."),
        (None, {"desired": 9}, ""),
        (Bounds(1, 4), {"least": 5}, "--min 5 would be more than --max 4."),
        (Bounds(1, 4), {"desired": 5}, "--desired 5 is outside of 1 to 4, .*: --max 5."),
        (Bounds(2, 4), {"desired": 1}, "--desired 1 is outside of 2 to 4, .*: --min 1."),
        (Bounds(1, 4), {"desired": 5, "most": 6}, ""),
        (Bounds(1, 4, suspended=True), {"most": 6}, "`groundwork service start core-matching` first."),
    ],
)
def test_what_autoscaling_would_undo_is_refused(has, asked, words):
    wanted = {"desired": None, "least": None, "most": None, **asked}
    found = "\n".join(problems("core-matching", has, **wanted))
    assert re.search(words, found) if words else found == "", found
