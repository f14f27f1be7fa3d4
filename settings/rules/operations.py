"""The images of the platform's own tasks: each is there where something runs in it."""

from collections.abc import Iterator

from settings.model import Settings
from settings.problems import Problem

_EXAMPLES = {
    "postgres_image": "public.ecr.aws/docker/library/postgres:16.10-alpine",
    "aws_cli_image": "public.ecr.aws/aws-cli/aws-cli:2.31.0",
    "collector_image": "public.ecr.aws/aws-observability/aws-otel-collector:v0.43.1",
}


def images_are_there(settings: Settings) -> Iterator[Problem]:
    operations = settings.operations
    for key, needed_by in _needs(settings):
        if getattr(operations, key) is None:
            yield Problem(
                path=("operations", key),
                rule=f"is missing, and {needed_by} needs it",
                remedy=f"Name a version, such as {_EXAMPLES[key]}.",
                file="stack",
            )


def _needs(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each image that something runs in, with the first thing that does."""
    with_files = [name for name, service in settings.services.items() if service.secret_files]
    if settings.database:
        yield "postgres_image", "database"
    elif with_files:
        yield "postgres_image", f"services.{with_files[0]}.secret_files"
    told = [
        name for name, task in settings.tasks.items() if task.schedule or task.stop_after_minutes is not None
    ]
    if settings.database:
        yield "aws_cli_image", "database, whose task bootstrap makes the roles' passwords,"
    elif settings.brokers:
        yield "aws_cli_image", f"brokers.{next(iter(settings.brokers))}, whose login it makes anew,"
    elif told:
        yield "aws_cli_image", f"tasks.{told[0]}, which tells how it ended,"
    if settings.scraped:
        yield "collector_image", "observability.prometheus"


RULES = (images_are_there,)
