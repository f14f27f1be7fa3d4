"""`groundwork rollback`: on the emulator's ECS; the history of deployments and the registry are answers of the test."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from operations.platform import Refusal
from operations.services import fleet, rollback
from tests.running_services import REGISTRY, ROOT, checkout, clock, emulator_url, groundwork, refusal, running

__all__ = ["checkout", "clock", "emulator_url", "groundwork", "running"]

DAY = datetime(2026, 11, 26, tzinfo=UTC)


def api(running):
    [service] = fleet.choose(running.cloud, ["core-matching"])
    return service


def arn(running, number):
    return (
        running.cloud.outputs["services"]["core-matching"]["taskDefinition"].rpartition(":")[0] + f":{number}"
    )


def now(running, number):
    return fleet.revision(running.cloud.client("ecs"), arn(running, number))


def before(running, number):
    return rollback.before(running.cloud.client("ecs"), api(running), now(running, number)).number


def deployed(running, *numbers):
    """ECS tells that these revisions became steady, the first one first."""
    shorter = "arn:aws:ecs:us-east-1:111122223333:service-revision/c/s/"
    running.cloud.says(
        "ListServiceDeployments",
        {
            "serviceDeployments": [
                {"targetServiceRevisionArn": f"{shorter}{number}", "createdAt": DAY + timedelta(hours=hour)}
                for hour, number in enumerate(numbers)
            ]
        },
    )
    running.cloud.says(
        "DescribeServiceRevisions",
        lambda given: {
            "serviceRevisions": [
                {"serviceRevisionArn": each, "taskDefinition": arn(running, each.rpartition("/")[2])}
                for each in given["serviceRevisionArns"]
            ]
        },
    )


def test_a_service_goes_back_to_the_revision_before_and_what_keeps_it_there_is_told(
    running, groundwork, checkout, clock
):
    running.start("core-matching", ["0.9.0", "1.0.0"])
    said = groundwork("rollback", "core-matching", "--yes").output
    assert "will put core-matching back from revision 2 (1.0.0) to 1 (0.9.0)" in said
    assert "The next `pulumi up` undoes this, unless the stack file says so too:" in said
    assert "Pulumi.prod.yaml:51 services.core-matching.image_tag: 0.9.0" in said
    assert "core-matching: steady, revision 1, 2 of 2 running" in said
    assert running.running_revision("core-matching") == 1
    assert (checkout / "Pulumi.prod.yaml").read_text() == (ROOT / "Pulumi.prod.yaml").read_text()


def test_write_puts_the_tag_into_the_stack_file_and_touches_nothing_else(
    running, groundwork, checkout, clock
):
    running.start("core-matching", ["0.9.0", "1.0.0"])
    running.start("worker-ai", ["0.8.0", "1.0.0"])
    said = groundwork("rollback", "--write", "--yes").output
    assert "write their image tags into Pulumi.prod.yaml" in said
    assert "undoes this" not in said
    before = (ROOT / "Pulumi.prod.yaml").read_text().splitlines()
    after = (checkout / "Pulumi.prod.yaml").read_text().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new.split("#")[0].strip() for _, new in changed] == ["image_tag: 0.9.0", "image_tag: 0.8.0"]
    assert changed[0][0].partition("#")[2] == changed[0][1].partition("#")[2], "the comment stays"
    services = yaml.safe_load("\n".join(after))["config"]["groundwork:services"]
    assert (services["core-matching"]["image_tag"], services["worker-ai"]["image_tag"]) == ("0.9.0", "0.8.0")


def test_it_says_of_when_the_older_revision_is(running):
    """Which the emulator does not tell."""
    running.start("core-matching", ["0.9.0", "1.0.0"])
    older = fleet.Revision({**now(running, 1).said, "registeredAt": DAY})
    step = rollback.Step(api(running), now(running, 2), older)
    assert str(step) == "put core-matching back from revision 2 (1.0.0) to 1 (0.9.0, of 2026-11-26 00:00)"


def test_json_says_from_where_to_where(running, groundwork, checkout, clock):
    running.start("core-matching", ["0.9.0", "1.0.0"])
    answer = groundwork("rollback", "core-matching", "--yes", "--json")
    assert json.loads(answer.stdout) == [
        {
            "service": "core-matching",
            "from_revision": 2,
            "from_tag": "1.0.0",
            "to_revision": 1,
            "to_tag": "0.9.0",
        }
    ]


def test_again_it_goes_no_further_back(running, groundwork, checkout, clock):
    running.start("core-matching", ["0.8.0", "0.9.0", "1.0.0"])
    groundwork("rollback", "core-matching", "--yes")
    said = groundwork("rollback", "core-matching", "--yes").output
    assert "core-matching is on revision 2 (0.9.0) already: it went back before" in said
    assert "Nothing was to be done." in said
    assert running.running_revision("core-matching") == 2


def test_a_dry_run_writes_nothing_even_where_no_service_moves(running, groundwork, checkout, clock):
    running.start("core-matching", ["0.9.0", "1.0.0"])
    groundwork("rollback", "--yes")
    assert (
        "would write their image tags into Pulumi.prod.yaml"
        in groundwork("rollback", "--write", "--dry-run").output
    )
    assert (checkout / "Pulumi.prod.yaml").read_text() == (ROOT / "Pulumi.prod.yaml").read_text()


def test_json_shows_a_dry_run_s_rows_and_none_where_nothing_would_move(running, groundwork, checkout, clock):
    running.start("core-matching", ["0.9.0", "1.0.0"])
    tried = json.loads(groundwork("rollback", "core-matching", "--dry-run", "--json").stdout)
    assert running.running_revision("core-matching") == 2
    assert json.loads(groundwork("rollback", "core-matching", "--yes", "--json").stdout) == tried
    assert json.loads(groundwork("rollback", "core-matching", "--dry-run", "--json").stdout) == []


def test_interrupted_half_way_it_goes_on_with_the_rest(running, groundwork, checkout, clock):
    running.start("core-matching", ["0.9.0", "1.0.0"])
    running.start("worker-ai", ["0.9.0", "1.0.0"])
    groundwork("rollback", "core-matching", "--yes")
    said = groundwork("rollback", "--yes", "--write").output
    assert "core-matching: steady, revision 1" in said, "waited for as well"
    assert running.running_revision("worker-ai") == 1
    services = yaml.safe_load((checkout / "Pulumi.prod.yaml").read_text())["config"]["groundwork:services"]
    assert services["core-matching"]["image_tag"] == "0.9.0"


def test_what_ran_before_is_not_always_the_number_before(running):
    """After a way back from 2 to 1, the next release is 3: what ran before it is 1, and 2 was wrong."""
    running.start("core-matching", ["0.9.0", "1.0.0", "1.0.1"])
    deployed(running, 1, 2, 1, 3)
    assert before(running, 3) == 1


def test_a_revision_that_never_became_steady_is_passed_over(running):
    running.start("core-matching", ["0.9.0", "1.0.0", "1.0.1"])
    deployed(running, 1, 3)
    assert before(running, 3) == 1


def test_without_a_history_it_is_the_number_before(running):
    running.start("core-matching", ["0.9.0", "1.0.0", "1.0.1"])
    deployed(running)
    assert before(running, 3) == 2


def test_a_revision_that_was_taken_out_of_service_is_passed_over(running):
    running.start("core-matching", ["0.8.0", "0.9.0", "1.0.0"])
    running.cloud.client("ecs").deregister_task_definition(taskDefinition=arn(running, 2))
    deployed(running, 1, 2, 3)
    assert before(running, 3) == 1
    deployed(running)
    assert before(running, 3) == 1


def test_the_first_revision_has_nothing_before_it(running, groundwork):
    running.start("core-matching", ["1.0.0"])
    said = groundwork("rollback", code=2).output
    assert "core-matching runs revision 1, and there is no older one of" in said


def named(running, to):
    return rollback.named(running.cloud.client("ecs"), api(running), now(running, 3), to).number


def test_a_revision_is_named_by_number_family_or_tag(running):
    running.start("core-matching", ["0.8.0", "0.9.0", "1.0.0"])
    family = f"{running.cluster}-core-matching"
    assert named(running, "1") == 1
    assert named(running, f"{family}:2") == 2
    assert named(running, "0.9.0") == 2


def test_the_newest_revision_with_a_tag_is_meant(running):
    running.start("core-matching", ["0.9.0", "0.9.0", "1.0.0"])
    assert named(running, "0.9.0") == 2


def test_a_digest_may_be_as_short_as_it_is_shown(running):
    running.start("core-matching", ["0.8.0", "0.9.0", "1.0.0"])
    digest = f"sha256:{'ab' * 32}"
    container = {"name": "core-matching", "image": f"{REGISTRY}/core-matching@{digest}", "memory": 512}
    running.cloud.client("ecs").register_task_definition(
        family=f"{running.cluster}-core-matching", containerDefinitions=[container]
    )
    assert named(running, "sha256:abababababab") == 4
    with pytest.raises(Refusal, match=r"no image tag sha256:\."):
        named(running, "sha256:")


def test_a_tag_that_is_also_a_number_has_to_be_said_in_full(running):
    running.start("core-matching", ["2", "0.9.0", "1.0.0"])
    with pytest.raises(
        Refusal, match=r"2 is revision 2 of core-matching, and the image tag of revision 1\. Say which"
    ):
        named(running, "2")


@pytest.mark.parametrize("to", ["7.7.7", "99", "other-family:1"])
def test_what_is_not_there_is_refused_with_what_is(running, to):
    running.start("core-matching", ["0.8.0", "0.9.0", "1.0.0"])
    with pytest.raises(
        Refusal, match=rf"no revision and no image tag {to}\. The newest: 3 \(1\.0\.0\), 2 \(0\.9\.0\)"
    ):
        named(running, to)


def test_forward_again_by_name(running, groundwork, checkout, clock):
    running.start("core-matching", ["0.9.0", "1.0.0"])
    groundwork("rollback", "--yes")
    groundwork("rollback", "--to", "1.0.0", "--yes")
    assert running.running_revision("core-matching") == 2


def test_the_same_image_with_other_settings_is_told_as_such(running, groundwork, checkout, clock):
    running.start("core-matching", ["1.0.0", "1.0.0"])
    said = groundwork("rollback", "--yes").output
    assert "(the same image: what differs is settings)" in said
    assert (
        "core-matching: the image is the same, so `git revert` the commit that changed its settings" in said
    )


def test_no_wait_ends_at_once(running, groundwork, checkout):
    running.start("core-matching", ["0.9.0", "1.0.0"])
    assert "steady" not in groundwork("rollback", "--yes", "--no-wait").output
    assert running.running_revision("core-matching") == 1


def test_an_image_that_the_registry_has_dropped_is_found_before_anything_moves(running):
    """On AWS; the emulator's registry holds nothing."""
    running.start("core-matching", ["0.9.0", "1.0.0"])
    running.cloud.says("DescribeImages", refusal("ImageNotFoundException"))
    step = rollback.Step(api(running), now(running, 2), now(running, 1))
    problems = list(rollback._gone(running.cloud.client("ecr"), step))
    assert problems == [
        f"core-matching: the image of revision 1, {REGISTRY}/rentalfix/prod/core-matching:0.9.0, is not in the "
        "registry any more. Push it again, or name another one with --to."
    ]
    running.cloud.says("DescribeImages", {"imageDetails": [{"imageTags": ["0.9.0"]}]})
    assert list(rollback._gone(running.cloud.client("ecr"), step)) == []


def test_what_the_older_tasks_die_of_ends_it_with_1(running, groundwork, checkout, clock):
    running.start("core-matching", ["0.9.0", "1.0.0"])
    running.died(
        "core-matching",
        {
            "stoppedAt": datetime.now(UTC) + timedelta(minutes=1),
            "stoppedReason": "Essential container in task exited",
            "containers": [
                {"name": "core-matching", "exitCode": 137, "reason": "OutOfMemoryError: Container killed"}
            ],
        },
    )
    real = running.described("core-matching")

    there = [{**real["deployments"][0], "id": "ecs-svc/1", "rolloutState": "IN_PROGRESS"}]
    overtaken = {**real, "events": [], "deployments": there}
    answers = iter([real])
    running.cloud.says("DescribeServices", lambda _: {"services": [next(answers, overtaken)]})
    said = groundwork("rollback", "--yes", code=1).output
    assert "core-matching: ECS is at another deployment by now." in said
    assert "A task of revision 2 died. It needed more memory than it has, and was killed." in said
