"""`groundwork deploy` and `service resize`: what they do to the stack file, the registry's answers, and the engine.

ECS is the emulator's; the registry's answers are the test's. `pulumi` is a program that notes how it was called and
what the stack file said then, but for one test that runs the real engine.
"""

# ruff: noqa: F401, F811 - fixtures are imported

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from local import stack
from operations import plans, tasks
from operations.platform import Platform, Refusal
from operations.services import deploy, edits, images, parts
from operations.services.engine import Engine
from operations.stack_files import Stack
from operations.waits import Failed
from tests.engine import home, port, workspace, write_project
from tests.running_services import REGISTRY, ROOT, checkout, clock, emulator_url, groundwork, refusal, running

FILE = Path("Pulumi.prod.yaml")
TAG = edits.service_key("core-matching", "image_tag")


# The stack file


def changed(text, keys, value):
    return edits.changed(text, FILE, keys, value)


def test_a_value_is_changed_where_it_stands_and_every_other_character_stays():
    before = (ROOT / FILE).read_text()
    after = changed(before, TAG, "2.0.0")
    differences = [
        pair for pair in zip(before.splitlines(), after.splitlines(), strict=True) if len(set(pair)) > 1
    ]
    assert [new for _, new in differences] == [differences[0][0].replace("1.0.0", "2.0.0", 1)]
    assert "#" in differences[0][1], "its comment stays"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a:\n  b: 1\nc: 2\n", "a:\n  b: x\nc: 2\n"),
        ("a:\n  b: null # none yet\n", "a:\n  b: x # none yet\n"),
        ("a:\n  b:\nc: 2\n", "a:\n  b: x\nc: 2\n"),
        ('a: {b: "1", c: 2}\n', "a: {b: x, c: 2}\n"),
        ("a: {c: 2}\n", "a: {c: 2, b: x}\n"),
        ("a: {}\n", "a: {b: x}\n"),
        ("a: null\n", "a: {b: x}\n"),
        ("a:\n", "a: {b: x}\n"),
        ("a:\n  c: 2 # two\n\n# of d\nd: 3\n", "a:\n  c: 2 # two\n  b: x\n\n# of d\nd: 3\n"),
        ("a:\n  c: 2", "a:\n  c: 2\n  b: x\n"),
        ("a:\n  c: |\n    text\n    more\nd: 3\n", "a:\n  c: |\n    text\n    more\n  b: x\nd: 3\n"),
        ("d: 3\n", "d: 3\na: {b: x}\n"),
    ],
)
def test_a_key_is_replaced_or_added_whatever_form_its_block_has(before, after):
    assert changed(before, ("a", "b"), "x") == after


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("1.1.0", "1.1.0"),
        ("1.10", '"1.10"'),
        ("20261126", '"20261126"'),
        ("v2", "v2"),
        ("on", '"on"'),
        ("1e3", "1e3"),
        ("sha256:" + "0" * 64, "sha256:" + "0" * 64),
        (2048, "2048"),
    ],
)
def test_a_tag_that_yaml_would_read_as_something_else_has_quotes(value, written):
    text = changed("a: {b: old}\n", ("a", "b"), value)
    assert text == f"a: {{b: {written}}}\n"
    assert yaml.safe_load(text) == {"a": {"b": value}}


@pytest.mark.parametrize(
    "text",
    [
        "a: &one {b: 1}\nc: *one\n",  # the other one would change as well
        "a: [1]\n",
        "a: text\n",
        "a:\n  b: |\n    text\n",
        "a:\n  b: {c: 1}\n",
    ],
)
def test_what_cannot_be_changed_by_its_line_is_left_to_a_person(text):
    with pytest.raises(
        Refusal, match=r"Pulumi\.prod\.yaml cannot be changed line by line\. Set a\.b: x there by hand\."
    ):
        changed(text, ("a", "b"), "x")


def test_a_file_that_is_no_yaml_is_told():
    with pytest.raises(Refusal, match=r"Pulumi\.prod\.yaml is no YAML: "):
        changed("a: [", ("a",), "x")


@pytest.mark.parametrize(
    "file", sorted(path.relative_to(ROOT) for path in ROOT.glob("systems/*/Pulumi.*.yaml"))
)
def test_every_stack_file_takes_a_tag_for_each_of_its_services_and_a_task(file):
    text = (ROOT / file).read_text()
    for name in yaml.safe_load(text)["config"]["groundwork:services"]:
        text = changed(text, edits.service_key(name, "image_tag"), "2.0.0")
    text = changed(text, edits.task_key("migrate", "image_tag"), "2.0.0")
    config = yaml.safe_load(text)["config"]
    assert {each["image_tag"] for each in config["groundwork:services"].values()} == {"2.0.0"}
    assert config["groundwork:tasks"]["migrate"]["image_tag"] == "2.0.0"


def test_a_place_is_told_with_its_line_or_without_where_it_is_new():
    place, value = edits.find(ROOT, FILE, TAG)
    assert (str(place), value) == (f"Pulumi.prod.yaml:{place.line} services.core-matching.image_tag", "1.0.0")
    assert "image_tag: 1.0.0" in (ROOT / FILE).read_text().splitlines()[place.line - 1]
    place, value = edits.find(ROOT, FILE, edits.task_key("migrate", "image_tag"))
    assert (str(place), value) == ("Pulumi.prod.yaml tasks.migrate.image_tag", None)


# The registry


def registry(running, *, scan="COMPLETE", **counts):
    running.cloud.says("DescribeImages", {"imageDetails": [{"imageTags": ["1.1.0"]}]})
    findings = {"imageScanStatus": {"status": scan}, "imageScanFindings": {"findingSeverityCounts": counts}}
    running.cloud.says("DescribeImageScanFindings", findings)


WANTED = f"{REGISTRY}/rentalfix/prod/core-matching:1.1.0"


def problems(running, image=WANTED):
    return list(images.problems(running.cloud.client("ecr"), "core-matching", image))


def test_an_image_that_is_there_and_was_scanned_has_no_problem(running):
    registry(running, MEDIUM=4)
    assert problems(running) == []
    digest = f"sha256:{'0' * 64}"
    assert problems(running, images.image(f"{REGISTRY}/rentalfix/prod/core-matching", digest)) == []
    assert running.cloud.calls("DescribeImages")[-1]["imageIds"] == [{"imageDigest": digest}]


def test_grave_findings_and_a_scan_that_failed_are_told(running):
    registry(running, CRITICAL=1, HIGH=2)
    assert "1 critical and 2 high findings" in problems(running)[0]
    registry(running, scan="FAILED")
    assert "its scan is FAILED" in problems(running)[0]


def test_an_image_that_is_not_there_is_refused_with_the_newest_that_are(running):
    """The pages of images come in no order."""

    def answer(given):
        if "imageIds" in given:
            return refusal("ImageNotFoundException")
        times = {"1.0.0": 2, "0.9.0": 1, "0.8.0": 0}
        began = datetime(2026, 11, 26, tzinfo=UTC)
        pushed = [
            {"imageTags": [tag], "imagePushedAt": began + timedelta(hours=hour)}
            for tag, hour in times.items()
        ]
        return {"imageDetails": pushed[::-1]}

    running.cloud.says("DescribeImages", answer)
    with pytest.raises(
        Refusal, match=rf"no {re.escape(WANTED)}\. Push it first\. .*: 1\.0\.0, 0\.9\.0, 0\.8\.0\."
    ):
        problems(running)


def test_a_repository_that_is_not_there_and_another_registry_are_told(running):
    running.cloud.says("DescribeImages", refusal("RepositoryNotFoundException"))
    with pytest.raises(
        Refusal, match="There is no repository rentalfix/prod/core-matching: `pulumi up` makes it"
    ):
        problems(running)
    with pytest.raises(Refusal, match="is in no registry of ECR"):
        problems(running, "docker.io/library/nginx:1")


def test_a_service_with_another_one_s_image_is_looked_for_in_its_repository(running, checkout):
    assert images.repository(running.cloud, "worker-ai") == f"{REGISTRY}/rentalfix/prod/worker-ai"
    system = checkout / "systems/rentalfix/system.yaml"
    system.write_text(changed(system.read_text(), ("services", "night", "image_of"), "worker-ai"))
    assert images.repository(running.cloud, "night") == f"{REGISTRY}/rentalfix/prod/worker-ai"
    with pytest.raises(Refusal, match="has no repository for day"):
        images.repository(running.cloud, "day")


# The engine


PULUMI = """#!{python}
import json, os, pathlib, sys
arguments, here = sys.argv[1:], pathlib.Path(__file__).parent
tag = [line.split("#")[0].strip() for line in open("Pulumi.prod.yaml") if "image_tag" in line or "memory_mib" in line]
with open(here / "called", "a") as called:
    called.write(json.dumps([arguments, tag, os.getcwd()]) + "\\n")
if "--save-plan" in arguments:
    kept = here / "plans"
    left = json.loads(kept.read_text()) if kept.exists() else []
    steps = left.pop(0) if left else {{"urn": {{"steps": ["update"]}}}}
    kept.write_text(json.dumps(left))
    pathlib.Path(arguments[arguments.index("--save-plan") + 1]).write_text(json.dumps({{"resourcePlans": steps}}))
failing = here / f"fail-{{arguments[0]}}"
if failing.exists():
    print("error: something")
    sys.exit(int(failing.read_text()))
"""


class Pulumi:
    def __init__(self, folder):
        self.folder = folder

    @property
    def called(self):
        path = self.folder / "called"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def verbs(self):
        return [arguments[0] for arguments, _, _ in self.called]

    def plans(self, *each):
        """What its previews plan, one after the other: steps by URN."""
        said = [{urn: {"steps": steps} for urn, steps in plan.items()} for plan in each]
        (self.folder / "plans").write_text(json.dumps(said))

    def fails(self, verb):
        (self.folder / f"fail-{verb}").write_text("255")


@pytest.fixture
def pulumi(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("bin")
    (folder / "pulumi").write_text(PULUMI.format(python=sys.executable))
    (folder / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Pulumi(folder)


@pytest.fixture
def released(running, groundwork, checkout, clock, monkeypatch):
    """A stack on AWS with a service, whose registry has 1.1.0: what `deploy` finds when it begins."""
    running.start("core-matching", ["1.0.0"])
    registry(running)
    monkeypatch.setattr(deploy, "_check_images", checked(running))
    return running


def checked(running):
    """As on AWS: the emulator's registry would not be asked."""
    real = deploy._check_images

    class OnAws(Platform):
        def client(self, service, *, region=None):
            return running.cloud.client(service, region=region)

    on_aws = OnAws("rentalfix", "prod", running.cloud.outputs)
    return lambda _, *arguments, **more: real(on_aws, *arguments, **more)


def text(checkout):
    return (checkout / FILE).read_text()


def test_a_release_is_a_line_of_the_stack_file_a_plan_and_exactly_that_plan(
    released, groundwork, checkout, pulumi
):
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--yes").output
    assert re.search(
        r"will set Pulumi\.prod\.yaml:\d+ services\.core-matching\.image_tag: 1\.0\.0 -> 1\.1\.0", said
    )
    assert "will apply exactly the plan above" in said
    assert "core-matching: steady, revision 1" in said
    assert "Commit Pulumi.prod.yaml: what it says now runs." in said
    (preview, at_preview, folder), (up, _, _) = pulumi.called
    assert "image_tag: 1.1.0" in at_preview, "the plan is of the new tag"
    assert folder == str(checkout)
    stack = ["--non-interactive", "--stack", "prod", "--config-file", "Pulumi.prod.yaml"]
    policies = [
        "--suppress-outputs",
        "--policy-pack",
        "policies",
        "--policy-pack-config",
        "policies/config/prod.json",
    ]
    plan = preview[-1]
    assert preview == ["preview", *stack, *policies, "--save-plan", plan]
    assert up == ["up", *stack, *policies, "--yes", "--skip-preview", "--plan", plan]
    assert not Path(plan).exists(), "what a plan holds is nobody's business afterwards"
    assert (
        yaml.safe_load(text(checkout))["config"]["groundwork:services"]["core-matching"]["image_tag"]
        == "1.1.0"
    )


@pytest.mark.parametrize(
    ("fails", "more", "code", "words"),
    [
        (None, ["--dry-run"], 0, "Nothing was done (--dry-run)."),
        (None, [], 2, "Nobody is there to say yes."),
        ("preview", ["--yes"], 1, "`pulumi preview` ended with 255; it says why above. Nothing was changed."),
    ],
)
def test_what_ends_before_up_leaves_the_file_as_it_was(
    released, groundwork, checkout, pulumi, fails, more, code, words
):
    if fails:
        pulumi.fails(fails)
    before = text(checkout)
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", *more, code=code).output
    assert words in said
    assert pulumi.verbs == ["preview"]
    assert text(checkout) == before


def test_when_up_fails_it_says_what_the_tasks_died_of(released, groundwork, checkout, pulumi):
    pulumi.fails("up")
    released.died(
        "core-matching",
        {
            "stoppedAt": datetime.now(UTC) + timedelta(minutes=1),
            "stoppedReason": "Task failed container health checks",
            "containers": [{"name": "core-matching", "exitCode": 137}],
        },
    )
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--yes", code=1).output
    assert "`pulumi up` ended with 255; it says why above." in said
    assert "core-matching: A task of revision 1 died. Its own health check (health.command) failed." in said
    assert "image_tag: 1.1.0" in text(checkout), "what it did stands, and the same command goes on"


def test_edit_only_changes_the_file_for_a_pull_request(released, groundwork, checkout, pulumi):
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--edit-only", "--yes").output
    assert "Pulumi.prod.yaml is changed. Commit it: the pipeline deploys what is merged." in said
    assert "image_tag: 1.1.0" in text(checkout)
    assert pulumi.called == []
    again = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--edit-only", "--yes").output
    assert "Pulumi.prod.yaml says so already." in again


def test_json_says_what_the_stack_file_says_now(released, groundwork, checkout, pulumi):
    told = json.loads(
        groundwork("deploy", "core-matching", "--tag", "1.1.0", "--edit-only", "--yes", "--json").stdout
    )
    assert told == {"stack_file": "Pulumi.prod.yaml", "says": {"services.core-matching.image_tag": "1.1.0"}}


def test_edit_only_in_a_dry_run_changes_nothing(released, groundwork, checkout, pulumi):
    before = text(checkout)
    groundwork("deploy", "core-matching", "--tag", "1.1.0", "--edit-only", "--dry-run")
    assert text(checkout) == before


@pytest.mark.parametrize(
    ("command", "key", "change"),
    [
        (["deploy", "core-matching", "--tag", "1.1.0"], "image_tag", "1.0.0 -> 1.1.0"),
        (["service", "resize", "core-matching", "--memory-mib", "4096"], "memory_mib", "2048 -> 4096"),
    ],
)
@pytest.mark.parametrize("edit_only", [True, False])
def test_json_says_what_a_dry_run_would_change(
    released, groundwork, checkout, pulumi, command, key, change, edit_only
):
    before = text(checkout)
    more = ["--edit-only"] if edit_only else []
    said = json.loads(groundwork(*command, *more, "--dry-run", "--json").stdout)
    assert said["stack"] == str(released.cloud)
    first, *rest = said["would"]
    assert first.startswith("set Pulumi.prod.yaml:")
    assert first.endswith(f" services.core-matching.{key}: {change}")
    assert rest == ([] if edit_only else ["apply exactly the plan above"])
    assert text(checkout) == before


def test_json_says_what_the_stack_file_says_where_a_dry_run_would_change_nothing(
    released, groundwork, checkout, pulumi
):
    words = ("deploy", "core-matching", "--tag", "1.0.0", "--edit-only", "--dry-run", "--json")
    assert json.loads(groundwork(*words).stdout) == {
        "stack_file": "Pulumi.prod.yaml",
        "says": {"services.core-matching.image_tag": "1.0.0"},
    }


def test_json_is_alone_on_standard_output_whatever_the_engine_says(
    released, groundwork, checkout, pulumi, capfd
):
    (pulumi.folder / "pulumi").write_text(f'#!/bin/sh\necho the plan\nexec {pulumi.folder}/quiet "$@"\n')
    (pulumi.folder / "quiet").write_text(PULUMI.format(python=sys.executable))
    (pulumi.folder / "quiet").chmod(0o755)
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--yes", "--json")
    assert json.loads(said.stdout)["says"] == {"services.core-matching.image_tag": "1.1.0"}
    engine = capfd.readouterr()
    assert (engine.out, engine.err.count("the plan")) == ("", 2)


def test_an_image_with_grave_findings_is_not_released_unless_somebody_accepts_them(
    released, groundwork, checkout, pulumi
):
    registry(released, CRITICAL=1)
    before = text(checkout)
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--yes", code=2).output
    assert "1 critical findings" in said
    assert "Nothing was released. --accept-findings releases it all the same." in said
    assert (text(checkout), pulumi.called) == (before, [])
    groundwork("deploy", "core-matching", "--tag", "1.1.0", "--yes", "--accept-findings")
    assert pulumi.verbs == ["preview", "up"]


def test_the_emulator_s_registry_is_not_asked(running, groundwork, checkout, clock, pulumi):
    running.start("core-matching", ["1.0.0"])
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--yes").output
    assert "The emulator runs no image, so its registry is not asked." in said
    assert running.cloud.calls("DescribeImages") == []


def test_a_service_that_has_never_run_is_released_too(released, groundwork, checkout, pulumi):
    released.cloud.outputs["servicesToPush"].append("worker-ai")
    said = groundwork("deploy", "worker-ai", "--tag", "1.1.0", "--dry-run").output
    assert "services.worker-ai.image_tag: 1.0.0 -> 1.1.0" in said
    assert "Did you mean worker-ai?" in groundwork("deploy", "worker-a", "--tag", "1.1.0", code=2).output


def test_where_the_pipeline_deploys_it_is_told(released, groundwork, checkout, pulumi):
    released.cloud.outputs["pipeline"]["deployRole"] = "arn:aws:iam::111122223333:role/deploy"
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--dry-run").output
    assert "would go past the pipeline, which deploys this stack too" in said


def test_without_pulumi_it_says_what_else_to_do(released, groundwork, checkout, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    before = text(checkout)
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--yes", code=2).output
    assert (
        "`pulumi` is not on PATH. Install it and `pulumi login`, or let the pipeline deploy it: --edit-only."
        in said
    )
    assert text(checkout) == before


def test_on_kubernetes_pulumi_waits_by_itself(released, groundwork, checkout, pulumi):
    released.cloud.outputs["kubernetes"]["namespace"] = "rentalfix-prod"
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--yes").output
    assert "Commit Pulumi.prod.yaml" in said
    assert released.cloud.calls("DescribeServices") == []
    pulumi.fails("up")
    assert "ended with 255" in groundwork("deploy", "core-matching", "--tag", "1.2.0", "--yes", code=1).output


# A migration ahead of its service


def with_migration(released, monkeypatch, *, fails=False):
    """What `tasks.carry_out` does on ECS has its own tests."""
    ran = []

    def carry_out(_ecs, _logs, outputs, task, **_):
        ran.append((task, outputs["tasks"][task]["taskDefinition"]))
        if fails:
            raise tasks.Failed(f"{task} failed: migrate ended with 3.", 3)

    released.cloud.outputs["tasks"] = {
        "migrate": {"taskDefinition": "migrate:2", "backupFirst": True, "statusTask": "migrate-status"},
        "migrate-status": {"taskDefinition": "migrate-status:2", "backupFirst": False, "statusTask": ""},
        "dump": {"taskDefinition": "dump:1", "backupFirst": False, "statusTask": ""},
    }
    monkeypatch.setattr(deploy.tasks, "carry_out", carry_out)
    return ran


def test_a_migration_runs_from_its_own_part_of_the_plan_before_the_services_move(
    released, groundwork, checkout, pulumi, monkeypatch
):
    ran = with_migration(released, monkeypatch)
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--migrate", "migrate", "--yes").output
    assert (
        "will run dump, migrate, migrate-status before the services move; a migration is not taken back"
        in said
    )
    assert [name for name, _ in ran] == ["dump", "migrate", "migrate-status"]
    targets = ["--target", "**::task-migrate", "--target", "**::task-migrate-*"]
    whole, ahead, first, rest = [arguments for arguments, _, _ in pulumi.called]
    assert (whole[0], ahead[0], first[0], rest[0]) == ("preview", "preview", "up", "up")
    assert (ahead[-4:], first[-4:]) == (targets, targets)
    assert first[first.index("--plan") + 1] == ahead[ahead.index("--save-plan") + 1]
    assert rest[-1].endswith("rest.json")
    assert yaml.safe_load(text(checkout))["config"]["groundwork:tasks"] == {"migrate": {"image_tag": "1.1.0"}}


def test_a_first_part_that_is_none_of_the_plan_ends_before_the_services_move(
    released, groundwork, checkout, pulumi, monkeypatch
):
    with_migration(released, monkeypatch)

    def not_part(*_):
        raise plans.NotPartOf("The first part is no part of the whole plan.")

    monkeypatch.setattr(deploy.plans, "rest", not_part)
    said = groundwork(
        "deploy", "core-matching", "--tag", "1.1.0", "--migrate", "migrate", "--yes", code=1
    ).output
    assert "no part of the whole plan. The services still run what they ran." in said
    assert pulumi.verbs == ["preview", "preview", "up"]


def test_a_migration_that_fails_leaves_the_services_where_they_are(
    released, groundwork, checkout, pulumi, monkeypatch
):
    with_migration(released, monkeypatch, fails=True)
    said = groundwork(
        "deploy", "core-matching", "--tag", "1.1.0", "--migrate", "migrate", "--yes", code=1
    ).output
    assert "migrate ended with 3.\nThe services still run what they ran." in said
    assert pulumi.verbs == ["preview", "preview", "up"], "the second `up` is the services'"


def test_a_migration_that_cannot_run_is_refused_before_anything(
    released, groundwork, checkout, pulumi, monkeypatch
):
    with_migration(released, monkeypatch)
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--migrate", "migrat", code=2).output
    assert "There is no task migrat in this stack" in said
    released.cloud.outputs["kubernetes"]["namespace"] = "rentalfix-prod"
    said = groundwork("deploy", "core-matching", "--tag", "1.1.0", "--migrate", "migrate", code=2).output
    assert "On Kubernetes the program itself runs its tasks before the services: leave out --migrate." in said
    assert pulumi.called == []


TASK, SERVICE = "urn::Part::task-migrate", "urn::Part$aws:ecs/service:Service::core-matching"
OTHER = "urn::aws:iam/role:Role::other"
FIRST = ("deploy", "core-matching", "--tag", "1.1.0", "--migrate", "migrate")


def first_time(released, pulumi, monkeypatch, **more):
    """The task waits for its image, and so is not among the outputs until its part stands."""
    ran = with_migration(released, monkeypatch, **more)
    after = released.cloud.outputs["tasks"]
    released.cloud.outputs["tasks"] = {"dump": after["dump"]}
    real = Engine.up

    def up(engine, plan, *targets):
        real(engine, plan, *targets)
        released.cloud.outputs["tasks"] = after

    monkeypatch.setattr(Engine, "up", up)
    pulumi.plans(
        {TASK: ["create"], SERVICE: ["create"], OTHER: ["update"]},
        {TASK: ["create"], OTHER: ["update"]},
        {TASK: ["same"], SERVICE: ["create"], OTHER: ["update"]},
    )
    return ran


def test_at_a_first_deployment_the_task_is_made_first_and_runs_before_its_service_is_made(
    released, groundwork, checkout, pulumi, monkeypatch
):
    ran = first_time(released, pulumi, monkeypatch)
    said = groundwork(*FIRST, "--yes").output
    assert "will run migrate before the services move" in said
    assert "will apply exactly the second plan above, before it, and then what is left of the first" in said
    assert [name for name, _ in ran] == ["dump", "migrate", "migrate-status"], "as the outputs say by then"
    assert pulumi.verbs == ["preview", "preview", "up", "preview", "up"]
    assert not [arguments for arguments, _, _ in pulumi.called if "--target" in arguments]
    whole, first, _, rest, _ = [tags for _, tags, _ in pulumi.called]
    assert ("image_tag: 1.1.0" in whole, "image_tag: 1.1.0" in first, "image_tag: 1.1.0" in rest) == (
        True,
        False,
        True,
    )
    assert "groundwork:tasks: {migrate: {image_tag: 1.1.0}}" in first
    names = [
        Path(arguments[-1]).name
        for arguments, _, _ in pulumi.called
        if arguments[-2] in ("--plan", "--save-plan")
    ]
    assert names == ["plan.json", "ahead.json", "ahead.json", "rest.json", "rest.json"]
    assert "image_tag: 1.1.0" in text(checkout)


def test_a_first_deployment_in_a_dry_run_leaves_the_file_as_it_was(
    released, groundwork, checkout, pulumi, monkeypatch
):
    ran, before = first_time(released, pulumi, monkeypatch), text(checkout)
    said = groundwork(*FIRST, "--dry-run").output
    assert "would run migrate before the services move" in said
    assert (pulumi.verbs, ran, text(checkout)) == (["preview", "preview"], [], before)


def test_where_more_than_the_image_changes_the_services_do_not_move_before_the_migration(
    released, groundwork, checkout, pulumi, monkeypatch
):
    ran, before = first_time(released, pulumi, monkeypatch), text(checkout)
    pulumi.plans({TASK: ["create"], OTHER: ["create"]}, {TASK: ["create"], SERVICE: ["update"]})
    said = groundwork(*FIRST, "--yes", code=2).output
    assert "More than the image changes of core-matching, so it would move before migrate has run." in said
    assert (pulumi.verbs, ran, text(checkout)) == (["preview", "preview"], [], before)


def test_what_was_not_in_the_plan_that_was_shown_is_not_done(
    released, groundwork, checkout, pulumi, monkeypatch
):
    first_time(released, pulumi, monkeypatch)
    pulumi.plans(
        {TASK: ["create"], SERVICE: ["create"]}, {TASK: ["create"]}, {SERVICE: ["create"], OTHER: ["delete"]}
    )
    said = groundwork(*FIRST, "--yes", code=1).output
    assert f"the plan that was shown has nothing of {OTHER}. The services still run what they ran" in said
    assert pulumi.verbs == ["preview", "preview", "up", "preview"]


def test_a_first_migration_that_fails_leaves_its_own_tag_in_the_file(
    released, groundwork, checkout, pulumi, monkeypatch
):
    first_time(released, pulumi, monkeypatch, fails=True)
    said = groundwork(*FIRST, "--yes", code=1).output
    assert "migrate ended with 3.\nThe services still run what they ran." in said
    config = yaml.safe_load(text(checkout))["config"]
    assert config["groundwork:tasks"] == {"migrate": {"image_tag": "1.1.0"}}
    assert config["groundwork:services"]["core-matching"]["image_tag"] == "1.0.0"


def test_a_task_that_its_part_did_not_make_is_not_run(released, groundwork, checkout, pulumi, monkeypatch):
    first_time(released, pulumi, monkeypatch)
    monkeypatch.setattr(Engine, "up", lambda *_: None)
    said = groundwork(*FIRST, "--yes", code=1).output
    assert "There is no task migrate in this stack" in said
    assert "The services still run what they ran." in said


def test_a_task_that_waits_for_its_image_is_known_by_the_system_file(running, checkout, monkeypatch):
    platform = running.cloud
    assert parts.problem(platform, "migrate") == ""
    assert "There is no task migrat in this stack" in parts.problem(platform, "migrat")
    declared = checkout / "systems/rentalfix/system.yaml"
    declared.write_text(
        declared.read_text().replace(
            "    as_master: true\n",
            "    as_master: true\n    backup_first: true\n    status_command: [ls]\n",
            1,
        )
    )
    monkeypatch.setattr(parts, "ROOT", checkout)
    assert "migrate wants a backup before it" in parts.problem(platform, "migrate")
    platform.outputs["tasks"]["dump"] = {"taskDefinition": "dump:1", "backupFirst": False, "statusTask": ""}
    assert parts.problem(platform, "migrate") == ""
    assert parts.order(platform, "migrate") == ["dump", "migrate", "migrate-status"]


# Size


def test_resize_writes_what_was_asked_for(released, groundwork, checkout, pulumi):
    said = groundwork("service", "resize", "core-matching", "--memory-mib", "4096", "--yes").output
    assert "services.core-matching.memory_mib: 2048 -> 4096" in said
    assert "memory_mib: 4096" in pulumi.called[0][1]
    assert "image_tag: 1.0.0" in pulumi.called[0][1]
    assert (
        "Say how large: --memory-mib, --cpu or both."
        in groundwork("service", "resize", "core-matching", code=2).output
    )


# The engine itself


def test_the_local_stack_has_the_engine_of_make_up():
    stack = Stack(
        system="fixrx",
        stack="local",
        name="fixrx-local",
        config_file="systems/fixrx/Pulumi.local.yaml",
        policy_config="systems/fixrx/policies.local.json",
        region="us-east-1",
        standing=None,
        tags={},
    )
    found = Engine(stack).command("preview", "--diff")
    assert found == [
        *(sys.executable, "-c", "from local import shell; shell.main()", "preview", "--non-interactive"),
        *("--suppress-outputs", "--policy-pack", "policies"),
        *("--policy-pack-config", "systems/fixrx/policies.local.json", "--diff"),
    ]
    assert Engine(stack).environment["SYSTEM"] == "fixrx"


def test_a_stack_that_this_checkout_does_not_have_is_refused(running, checkout):
    running.cloud.__dict__["stack"] = "elsewhere"
    with pytest.raises(Refusal, match="It cannot be deployed from this checkout"):
        Engine.of(running.cloud)
    with pytest.raises(
        Refusal, match=r"There is no stack elsewhere of rentalfix.* Its stack file is not in this checkout"
    ):
        edits.file_of(running.cloud)


INTERRUPTED = """
import sys, pathlib
from operations.services.engine import Engine
from operations.stack_files import Stack
from operations.waits import Failed
from operations.waits import Failed
stack = Stack(system="a", stack="b", name="b", config_file="c", policy_config="", region="", standing=None, tags={})
try:
    Engine(stack, pathlib.Path(sys.argv[1])).preview(pathlib.Path("plan.json"))
except Failed as failed:
    print("told:", failed)
"""


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_the_engine_ends_by_itself_when_the_command_is_interrupted(tmp_path, kind):
    """Ctrl-C reaches both from the terminal; what only the command is told, it hands on."""
    program = tmp_path / "pulumi"
    script = 'trap "sleep 0.3; touch ended; exit 3" INT; touch began; while :; do sleep 0.05; done'
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    ends = time.monotonic() + 20
    while not (tmp_path / "began").exists() and time.monotonic() < ends:
        time.sleep(0.02)
    if kind == signal.SIGINT:
        os.killpg(process.pid, kind)
    else:
        process.send_signal(kind)
    said, _ = process.communicate(timeout=20)
    assert "told: `pulumi preview` ended with 3" in said
    assert (tmp_path / "ended").exists(), "it was let come to its end"


PROGRAM = """
import pulumi
import pulumi_aws as aws

key = aws.kms.Key("box", description=f"key {pulumi.Config().require('size')}")
pulumi.export("said", key.description)
"""
PROJECT_FILE = """config:
  aws:region: us-east-1
  aws:endpoints: [{kms: "http://localhost:4566"}]
  tiny:size: one
"""
PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

content = ResourceValidationPolicy("silent", "nothing", lambda *_: None, EnforcementLevel.MANDATORY)
PolicyPack("tiny", policies=[content])
"""


@pytest.mark.engine
def test_the_real_engine_does_what_the_plan_says_and_nothing_else(workspace, tmp_path, monkeypatch):
    """A project of one key on the emulator, with a pack that finds nothing."""
    shutil.rmtree(workspace.root)
    write_project(workspace.root, program=PROGRAM, stack_file=PROJECT_FILE)
    (workspace.root / "policies").mkdir()
    (workspace.root / "policies" / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 0.0.1\n")
    (workspace.root / "policies" / "__main__.py").write_text(PACK)
    stack.select(workspace)
    for name, value in workspace.environment().items():
        monkeypatch.setenv(name, value)
    known = Stack(
        system="tiny",
        stack="prod",
        name=workspace.stack_name,
        config_file=str(workspace.config_file),
        policy_config="",
        region="us-east-1",
        standing=None,
        tags={},
    )
    pulumi, plan = Engine(known, workspace.root), tmp_path / "plan.json"
    workspace.write_copy()

    def becomes(size):
        file = workspace.stack_file.relative_to(workspace.root)
        edits.change(workspace.root, file, {("config", "tiny:size"): size})
        workspace.write_copy()

    pulumi.preview(plan)
    becomes("two")
    with pytest.raises(Failed, match="`pulumi up` ended with"):
        pulumi.up(plan)
    assert stack.outputs(workspace) == {}, "it stops before it makes anything"
    becomes("one")
    pulumi.up(plan)
    assert stack.outputs(workspace) == {"said": "key one"}


FIRST_PROGRAM = """
import json
import pulumi
import pulumi_aws as aws

config = pulumi.Config()
service = (config.get_object("services") or {}).get("api", {}).get("image_tag")
task = (config.get_object("tasks") or {}).get("migrate", {}).get("image_tag") or service


def definition(name, tag):
    containers = json.dumps([{"name": "app", "image": f"image:{tag}", "memory": 128}])
    return aws.ecs.TaskDefinition(name, family=name, container_definitions=containers)


migrate = definition("task-migrate", task) if task else None
api = definition("api", service) if service else None
# Somebody who refers to both, as the pipeline's role does.
known = [each.arn for each in (migrate, api) if each]
aws.kms.Key("runner", description=pulumi.Output.concat("may run ", *known))
tasks = {"migrate": {"taskDefinition": migrate.arn, "backupFirst": False, "statusTask": ""}} if migrate else {}
pulumi.export("tasks", tasks)
pulumi.export("services", {"api": api.arn} if api else {})
"""
FIRST_FILE = """config:
  aws:region: us-east-1
  aws:endpoints: [{kms: "http://localhost:4566", ecs: "http://localhost:4566"}]
  tiny:services: {api: {image_tag: null}}
"""


@pytest.mark.engine
def test_the_real_engine_makes_the_task_before_the_service_that_it_migrates_for(
    workspace, tmp_path, monkeypatch
):
    """With `--target` it could not: who refers to a service that is left out has no value for it."""
    shutil.rmtree(workspace.root)
    write_project(workspace.root, program=FIRST_PROGRAM, stack_file=FIRST_FILE)
    stack.select(workspace)
    stack.run(workspace, "up", "--yes", "--skip-preview")
    for name, value in workspace.environment().items():
        monkeypatch.setenv(name, value)
    file = workspace.stack_file.relative_to(workspace.root)
    known = Stack(
        system="tiny",
        stack="prod",
        name=workspace.stack_name,
        config_file=str(workspace.config_file),
        policy_config="",
        region="us-east-1",
        standing=None,
        tags={},
    )
    ran = []

    def command(engine, verb, *more):
        workspace.write_copy()
        return [*engine.plain(verb), "--config-file", str(workspace.config_file), *more]

    def opened(*_):
        outputs = {
            **stack.outputs(workspace),
            "region": "us-east-1",
            "pipeline": {"deployRole": ""},
            "kubernetes": {"namespace": "x"},
        }
        return Platform("tiny", "prod", outputs)

    def carry_out(_ecs, _logs, outputs, task, **_):
        ran.append((task, outputs["tasks"][task]["taskDefinition"].rpartition("/")[2], outputs["services"]))

    monkeypatch.setattr(Engine, "command", command)
    monkeypatch.setattr(Engine, "of", lambda _: Engine(known, workspace.root))
    monkeypatch.setattr(Platform, "client", lambda *_, **__: None)
    monkeypatch.setattr(deploy, "opened", opened)
    monkeypatch.setattr(deploy.tasks, "carry_out", carry_out)
    monkeypatch.setattr(deploy.edits, "file_of", lambda _: file)
    monkeypatch.setattr(deploy, "ROOT", workspace.root)
    monkeypatch.setattr(
        parts, "expected", lambda *_: {"tasks": {"migrate": {"backupFirst": False, "statusTask": ""}}}
    )
    change = deploy.Change(
        wanted={("config", "tiny:services", "api", "image_tag"): "1"},
        services=["api"],
        ahead="migrate",
        ahead_edits={("config", "tiny:tasks", "migrate", "image_tag"): "1"},
    )
    deploy.carry_out(opened(), change, lambda _: True, edit_only=False, minutes=1)
    assert ran == [("migrate", "task-migrate:1", {})], "before there was a service"
    assert stack.outputs(workspace)["services"]["api"].endswith("api:1")
