"""Images of the platform's own tasks: each is asked for where something runs in it, and nowhere else."""

import pytest

from settings.model.compute import Operations
from settings.rules.operations import images_are_there
from tests.settings_examples import ABSENT, refusal, settle

NO_DUMP = {"backups/dump": None, "backups/verify": None, "tasks/migrate/backup_first": False}


@pytest.mark.parametrize(
    ("stack", "system", "sentence"),
    [
        (
            {"operations/postgres_image": ABSENT},
            {},
            "groundwork:operations.postgres_image: is missing, and database needs it. Name a version, such as "
            "public.ecr.aws/docker/library/postgres:16.10-alpine.",
        ),
        (
            {"operations/aws_cli_image": ABSENT},
            {},
            "groundwork:operations.aws_cli_image: is missing, and database, whose task bootstrap makes the roles' "
            "passwords, needs it. Name a version, such as public.ecr.aws/aws-cli/aws-cli:2.31.0.",
        ),
        (
            {"operations/aws_cli_image": ABSENT},
            NO_DUMP,
            "groundwork:operations.aws_cli_image: is missing, and database, whose task bootstrap makes the roles' "
            "passwords, needs it.",
        ),
        (
            {"operations/collector_image": ABSENT},
            {},
            "groundwork:operations.collector_image: is missing, and observability.prometheus needs it.",
        ),
    ],
)
def test_an_image_that_something_runs_in_is_asked_for(stack, system, sentence):
    (line,) = refusal(stack, system)
    assert line.startswith(f"Pulumi.prod.yaml: {sentence}")


def test_all_of_them_are_asked_for_where_none_is_named():
    missing = ("postgres_image", "aws_cli_image", "collector_image")
    assert [line.split(": ")[1] for line in refusal({"operations": ABSENT})] == [
        f"groundwork:operations.{key}" for key in missing
    ]


def test_a_stack_without_what_runs_in_them_needs_none():
    unscraped = {f"services/{name}/ports": {"http": 4400} for name in ("core-matching", "worker-ai")}
    settings = settle({"operations/collector_image": ABSENT}, unscraped)
    assert not settings.scraped
    assert settings.operations.collector_image is None


@pytest.mark.parametrize(
    ("tasks", "brokers", "needed_by"),
    [
        ({}, {}, None),
        ({"tasks/migrate/stop_after_minutes": 5}, {}, "tasks.migrate, which tells how it ended,"),
        ({}, {"events": None}, "brokers.events, whose login it makes anew,"),
    ],
)
def test_without_a_database_the_cli_is_for_tasks_that_tell_how_they_ended_and_for_brokers(
    tasks, brokers, needed_by
):
    without = {
        "database": None,
        "brokers": brokers,
        "operations": Operations(collector_image="collector:v0.43.1"),
    }
    settings = settle({}, tasks).model_copy(update=without)
    expected = [f"is missing, and {needed_by} needs it"] if needed_by else []
    assert [each.rule for each in images_are_there(settings)] == expected


def test_an_image_that_is_used_is_there():
    images = Operations(postgres_image="repository:16-alpine")
    assert images.image("postgres_image") == "repository:16-alpine"
    with pytest.raises(ValueError, match=r"operations\.aws_cli_image is missing"):
        images.image("aws_cli_image")


@pytest.mark.parametrize("name", ["broker-logins", "redis", "restore"])
def test_a_task_that_the_platform_has_is_not_the_products(name):
    task = {"service": "core-matching", "command": ["true"]}
    assert refusal(system={f"tasks/{name}": task}) == (
        f"systems/rentalfix/system.yaml: tasks.{name}: has the name of one of the platform's own tasks. Rename it.",
    )
