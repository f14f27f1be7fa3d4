"""T68 and T69: migrations before a release."""

from tests.recorder import Recording
from tests.requirements.production import SERVICE, TASK, container, openings, output, waits_for
from tests.requirements.table import Chapter
from tests.requirements.ts_service.template import (
    DEPLOYMENT,
    JOB,
    KUBERNETES,
    SERVICES,
    comes_from,
    pod_variables,
)

CHAPTER = Chapter(title="Migrations")
COMMAND = ["npx", "prisma", "migrate", "deploy"]


def migration_can_run(stack: Recording) -> None:
    """A task with the API's image and URL, which may reach the database, and which waits for no service."""
    assert container(stack, "task-migrate")["image"] == container(stack, "api")["image"]
    comes_from(stack, "task-migrate", "DATABASE_URL", "database-url")
    assert output(stack, "tasks", "migrate", "taskDefinition")
    assert output(stack, "tasks", "migrate", "logGroup") == "/ts-service/prod/task-migrate"
    assert ("operations", "database", 5432) in openings(stack)
    before = waits_for(stack, stack.one(TASK, "task-migrate"))
    assert not {(SERVICE, service) for service in SERVICES} & before


@CHAPTER.row(
    "T68",
    "L578-592",
    "`npx prisma migrate deploy` before a release",
    "operator",
    note="the second runs it before the API moves, and so does the pipeline; the third shows what is applied",
    commands=["migrate", "deploy api --tag v1.2.4 --migrate migrate", "migrate --status"],
    components=["task"],
    settings=["tasks.migrate.command", "tasks.migrate.status_command"],
)
def migrate(stack: Recording) -> None:
    assert container(stack, "task-migrate")["command"] == COMMAND
    assert container(stack, "task-migrate-status")["command"] == [*COMMAND[:3], "status"]
    migration_can_run(stack)


@CHAPTER.row(
    "T69",
    "L594-615",
    "With Kubernetes: a Job `db-migrate` with the API's image and `database-url` of `app-secrets`",
    "declared",
    note="its name ends with the image's version, as a Job never changes; the API is rolled out after it",
    components=["kubernetes_workload"],
    settings=["tasks.migrate.kubernetes.job"],
    shape=KUBERNETES,
)
def job(stack: Recording) -> None:
    found = stack.one(JOB)
    assert found["metadata"]["name"] == "db-migrate-v1-2-3"
    pod = found["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    (migrate,) = pod["containers"]
    assert (migrate["name"], migrate["args"]) == ("migrate", COMMAND)
    assert migrate["image"].endswith("/myapp-api:v1.2.3")
    assert pod_variables(found)["DATABASE_URL"] == ("app-secrets", "database-url")
    assert stack.one(DEPLOYMENT, "api").depends_on(found)
