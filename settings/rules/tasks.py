"""Tasks: what one runs, as whom, when, and until when."""

from collections.abc import Iterator

from settings.model import Settings
from settings.model.compute import Task
from settings.problems import Path, Problem, nearest

# The platform's own tasks, which `tasks` of the outputs names beside these.
RESERVED = ("bootstrap", "broker-logins", "dump", "vacuum", "verify", "restore", "redis")
STATUS = "-status"
MIGRATE = "migrate"  # what `groundwork migrate` runs
_ONLY_FOR_SERVICES = (
    "service",
    "command",
    "image_tag",
    "status_command",
    "rolled_back_command",
    "kubernetes",
)
LONGEST_MINUTES = 14 * 24 * 60


def tasks_say_what_they_run(settings: Settings) -> Iterator[Problem]:
    for name, task in settings.tasks.items():
        path: Path = ("tasks", name)
        if task.sql:
            yield from _sql_problems(settings, task, path)
        elif task.service is None or task.command is None:
            yield Problem(
                path=path,
                rule="must say `sql`, or `service` and `command`",
                remedy="With `service` it runs a command in that service's image, with `sql` statements as the master.",
            )
        elif task.service not in settings.services:
            yield Problem(
                path=(*path, "service"),
                rule="must be a service of `services`",
                got=task.service,
                remedy=nearest(task.service, settings.services),
            )
        if task.as_master and settings.database is None:
            yield Problem(
                path=(*path, "as_master"),
                rule="needs a database of the stack's own",
                got=True,
                remedy="Remove it; the service's variables say how it logs in.",
            )
        if task.backup_first and settings.backups.dump is None:
            yield Problem(
                path=(*path, "backup_first"),
                rule="needs backups.dump, which is what is run first",
                got=True,
                remedy="Add backups.dump, or remove it.",
            )


def _sql_problems(settings: Settings, task: Task, path: Path) -> Iterator[Problem]:
    for key in _ONLY_FOR_SERVICES:
        if getattr(task, key) is not None:
            yield Problem(
                path=(*path, key),
                rule="cannot be given with `sql`, which runs in the PostgreSQL image as the master user",
                remedy="Remove it, or remove `sql`.",
            )
    if settings.database is None:
        yield Problem(
            path=(*path, "sql"),
            rule="needs a database of the stack's own",
            remedy="Run it by a command of a service that reaches the database.",
        )


def tasks_have_names_of_their_own(settings: Settings) -> Iterator[Problem]:
    for name in settings.tasks:
        asked = name.removesuffix(STATUS)
        if name in RESERVED:
            yield Problem(
                path=("tasks", name),
                rule="has the name of one of the platform's own tasks",
                remedy="Rename it.",
            )
        elif asked != name and asked in settings.tasks and settings.tasks[asked].status_command:
            yield Problem(
                path=("tasks", name),
                rule=f"has the name of the task that tells how {asked} went",
                remedy="Rename it.",
            )


def only_a_migration_is_marked(settings: Settings) -> Iterator[Problem]:
    for name, task in settings.tasks.items():
        if task.rolled_back_command and not task.sql and name != MIGRATE:
            yield Problem(
                path=("tasks", name, "rolled_back_command"),
                rule=f"is for the task {MIGRATE}, the only one that `groundwork migrate --rolled-back` runs",
                remedy="Remove it.",
            )


def schedules_are_whole(settings: Settings) -> Iterator[Problem]:
    for name, task in settings.tasks.items():
        path: Path = ("tasks", name)
        if task.schedule is None:
            if task.timezone != "UTC":
                yield Problem(
                    path=(*path, "timezone"),
                    rule="is that of a schedule, and there is none",
                    got=task.timezone,
                    remedy="Add `schedule`, or remove it.",
                )
            continue
        if task.backup_first:
            yield Problem(
                path=(*path, "backup_first"),
                rule="is for a task that somebody runs; a schedule waits for nothing",
                got=True,
                remedy="Let it run after backups.schedule, and remove it.",
            )
        if task.stop_after_minutes is not None and task.stop_after_minutes > LONGEST_MINUTES:
            yield Problem(
                path=(*path, "stop_after_minutes"),
                rule=f"must be at most {LONGEST_MINUTES}, two weeks: Fargate replaces machines under longer tasks",
                got=task.stop_after_minutes,
                remedy="Lower it.",
            )


RULES = (
    tasks_say_what_they_run,
    tasks_have_names_of_their_own,
    only_a_migration_is_marked,
    schedules_are_whole,
)
